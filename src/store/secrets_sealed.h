/* store/secrets_sealed.h - the versions of one secret, and their sealed form: one file, so that stages change in one
 * rename. Inside store only.
 *
 *   "PXS2", nonce, then under AES-256-GCM with the secret's name as further data:
 *     rotated_ns, count, and per version: id, created_ns, stages, bytes, value    (little-endian, packed)
 *   "PXS1" is the form before it: the current value alone, the previous one in a file beside it. */
#pragma once

#include "base/px_arena.h"
#include "base/px_buf.h"
#include "store/secrets_half.h"

#define SEALING_KEY_BYTES 32u
#define SEALED_VERSIONS_MAX 32u /* with stages; older ones are history, without their values */
#define SEALED_BYTES_MAX (3 * SECRET_BYTES_MAX + 8192)

struct sealed_version {
    char id[SECRET_ID_MAX + 1];
    int64_t created_ns;
    unsigned stages;
    struct px_str value; /* empty without a stage */
};
struct sealed_secret {
    struct sealed_version versions[SEALED_VERSIONS_MAX]; /* newest first */
    size_t count;
    int64_t rotated_ns;
    bool is_old; /* read from PXS1: the value before it is elsewhere */
};

struct sealed_version *sealed_at(struct sealed_secret *secret, enum secret_version stage);
struct sealed_version *sealed_by_id(struct sealed_secret *secret, struct px_str id);
/* A version without a stage; the oldest that has none goes when there are too many. */
struct sealed_version *sealed_add(struct sealed_secret *secret, struct px_str id,
                                  struct px_str value, int64_t now_ns);
/* Its stage becomes that version's alone. */
void sealed_move(struct sealed_secret *secret, enum secret_version stage,
                 struct sealed_version *to);
/* The current one becomes the previous one. */
void sealed_make_current(struct sealed_secret *secret, struct sealed_version *to);

PX_MUST_USE int sealed_write(const unsigned char *key, struct px_str name,
                             const struct sealed_secret *secret, struct px_buf *sealed);
/* Values are in arena. Faults: PX_F_CORRUPT. */
PX_MUST_USE int sealed_read(const unsigned char *key, struct px_str name, struct px_str sealed,
                            struct px_arena *arena, struct sealed_secret *ret_secret);
