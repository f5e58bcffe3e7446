/* store/secrets.h - named secrets, sealed at rest, each with its current and its previous value, and the one that a
 * rotation is about to make current.
 *
 * Embedded half: one file per secret in a directory, sealed with AES-256-GCM under a key file
 * (mode 0600) beside it; made on first use. A change is one rename, and processes take turns.
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
enum secret_answer { SECRET_ABSENT = 1, SECRET_TAKEN };

struct secret_options {           /* for Secrets Manager; a directory needs none */
    struct cloud_shared *cloud;   /* borrowed; NULL: the store makes its own */
    const struct px_clock *clock; /* borrowed; NULL: the machine's */
    uint32_t call_ms;             /* deadline of a call; 0: 5 s */
    uint32_t keep_ms;             /* how long a value is given without asking again; 0: 5 minutes */
    uint32_t again_ms;            /* and how long at least, though it may be wrong; 0: 10 s */
};
/* Other functions take these names only: what somebody typed is asked for here. */
PX_MUST_USE bool secret_name_ok(struct px_str name);
/* url: a directory path, or "secretsmanager://prefix" for the secrets "<prefix>/<name>"; without
 * a prefix a name is all of it.
 * options may be NULL.
 * Faults with Secrets Manager, here and later: those of cloud_call(). */
PX_MUST_USE int secret_store_open(struct px_str url, const struct secret_options *options,
                                  struct secret_store **ret_store);
void secret_store_close(struct secret_store **store);

/* Current and previous are both good: what the one made, the other does not fit. Pending is a rotation's own business:
 * Secrets Manager's AWSCURRENT, AWSPREVIOUS, AWSPENDING. */
enum secret_version { SECRET_CURRENT, SECRET_PREVIOUS, SECRET_PENDING };
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
/* A secret's first value. Answers: SECRET_TAKEN: it has one. */
PX_MUST_USE int secret_create(struct secret_store *store, struct px_str name, struct px_str value);
void secret_wipe(struct px_str value);

/* ---- rotation, as Secrets Manager has it ---- */

#define SECRET_ID_MAX 64 /* of a version; Secrets Manager's has 32 to 64 characters */
struct secret_state {
    struct px_str id;
    unsigned stages;    /* bits: 1 << enum secret_version; 0: it is history */
    int64_t created_ns; /* 0: not known */
};
struct secret_info {
    struct secret_state *versions; /* current, pending and previous first, then by age */
    size_t count;
    int64_t rotated_ns;     /* when a rotation last ended; 0: never */
    int32_t automatic_days; /* Secrets Manager rotates it by itself; 0: nobody there does */
};
enum secret_detail { SECRET_STAGES, SECRET_HISTORY }; /* the second with times and old versions */
/* Never values. Answers: SECRET_ABSENT. */
PX_MUST_USE int secret_describe(struct secret_store *store, struct px_str name,
                                enum secret_detail detail, struct px_arena *arena,
                                struct secret_info *ret_info);
/* The version with a stage; NULL: none. */
const struct secret_state *secret_at(const struct secret_info *info, enum secret_version stage);
/* A value that is not current yet, under an id that the caller chose; the same again changes nothing.
 * Answers: SECRET_ABSENT (no such secret); SECRET_TAKEN: the id has another value, or (in a folder) another id is
 * pending. Secrets Manager lets nobody begin a second rotation, but moves the label for who asks. */
PX_MUST_USE int secret_put_pending(struct secret_store *store, struct px_str name, struct px_str id,
                                   struct px_str value);
/* That version becomes the current one, the current one the previous one, and nothing is pending; at once for whoever reads. The
 * same again changes nothing. Answers: SECRET_ABSENT: no such secret or version. */
PX_MUST_USE int secret_promote(struct secret_store *store, struct px_str name, struct px_str id);
/* It will not become current. Answers: SECRET_ABSENT: it is not pending. */
PX_MUST_USE int secret_abandon(struct secret_store *store, struct px_str name, struct px_str id);
/* Names, in their order. */
PX_MUST_USE int secret_list(struct secret_store *store, struct px_arena *arena,
                            struct px_str **ret_names, size_t *ret_count);
/* Have Secrets Manager rotate it now, by its function. Answers: SECRET_ABSENT. Faults: PX_F_CONFIG in a folder, where
 * whoever wants a rotation calls the function. */
PX_MUST_USE int secret_rotate(struct secret_store *store, struct px_str name, struct px_str id);
