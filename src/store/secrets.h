/* store/secrets.h - named secrets, sealed at rest.
 *
 * Embedded half: one file per secret in a directory, sealed with AES-256-GCM under a key file
 * (mode 0600) beside it; made on first use. The AWS half is Secrets Manager. */
#pragma once

#include "base/px.h"
#include "base/px_arena.h"

struct secret_store;
enum secret_answer { SECRET_ABSENT = 1 };

PX_MUST_USE int secret_store_open(struct px_str url, struct secret_store **ret_store);
void secret_store_close(struct secret_store **store);
/* The value goes to arena memory; wipe it with secret_wipe() when done. Answers: SECRET_ABSENT.
 * Faults: PX_F_CORRUPT when it was altered. */
PX_MUST_USE int secret_get(struct secret_store *store, struct px_str name, struct px_arena *arena,
                           struct px_str *ret_value);
PX_MUST_USE int secret_put(struct secret_store *store, struct px_str name, struct px_str value);
/* The value, or `bytes` random bytes (hex) stored under the name first; safe when two call at once. */
PX_MUST_USE int secret_get_or_make(struct secret_store *store, struct px_str name, size_t bytes,
                                   struct px_arena *arena, struct px_str *ret_value);
void secret_wipe(struct px_str value);
