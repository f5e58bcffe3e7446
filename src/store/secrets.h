/* store/secrets.h - named secrets, sealed at rest, each with its current and its previous value.
 *
 * Embedded half: one file per secret in a directory, sealed with AES-256-GCM under a key file
 * (mode 0600) beside it; made on first use.
 * AWS half: Secrets Manager. Values are kept in memory for a while, so that a function asks at its first
 * event and then every few minutes; one that turns out wrong is asked for anew.
 * Names are Secrets Manager's: 1 to 200 of A-Z a-z 0-9 / _ + = . @ -, and ! in those that another service of AWS manages.
 * Values have 1 to 65536 bytes. */
#pragma once

#include "base/px.h"
#include "base/px_arena.h"
#include "base/px_clock.h"

struct cloud_shared; /* aws/shared.h */
struct secret_store; /* opaque; one per thread */
enum secret_answer { SECRET_ABSENT = 1 };

struct secret_options {           /* for Secrets Manager; a directory needs none */
    struct cloud_shared *cloud;   /* borrowed; NULL: the store makes its own */
    const struct px_clock *clock; /* borrowed; NULL: the machine's */
    uint32_t call_ms;             /* deadline of a call; 0: 5 s */
    uint32_t keep_ms;             /* how long a value is given without asking again; 0: 5 minutes */
    uint32_t again_ms;            /* and how long at least, though it may be wrong; 0: 10 s */
};
/* url: a directory path, or "secretsmanager://prefix" for the secrets "<prefix>/<name>"; without
 * a prefix a name is all of it.
 * options may be NULL.
 * Faults with Secrets Manager, here and later: those of cloud_call(). */
PX_MUST_USE int secret_store_open(struct px_str url, const struct secret_options *options,
                                  struct secret_store **ret_store);
void secret_store_close(struct secret_store **store);

/* During a rotation both are good: what the one made, the other does not fit. */
enum secret_version { SECRET_CURRENT, SECRET_PREVIOUS };
/* The value goes to arena memory; wipe it with secret_wipe() when done. A value past its time is still
 * given, for an hour, while Secrets Manager cannot be reached.
 * Answers: SECRET_ABSENT. Faults: PX_F_CORRUPT when it was altered. */
PX_MUST_USE int secret_get(struct secret_store *store, struct px_str name,
                           enum secret_version version, struct px_arena *arena,
                           struct px_str *ret_value);
/* The values that were given do not fit, perhaps because others came meanwhile. True: the next
 * secret_get() asks anew; false: they are fresh, or were asked for again just now. */
bool secret_doubt(struct secret_store *store, struct px_str name);
/* A new current value; the one before becomes the previous one. Faults: PX_F_LIMIT (its length). */
PX_MUST_USE int secret_put(struct secret_store *store, struct px_str name, struct px_str value);
/* The value, or `bytes` random bytes (hex) stored under the name first; safe when two call at once. */
PX_MUST_USE int secret_get_or_make(struct secret_store *store, struct px_str name, size_t bytes,
                                   struct px_arena *arena, struct px_str *ret_value);
void secret_wipe(struct px_str value);
