/* svc/lending/lending.h - a tenant's own credentials for an engine that reads the tenant's objects. */
#pragma once

#include "sql/engine.h"
#include "store/readers.h"

/* Sees to it that the engine reads S3 as the tenant, with credentials that last for an invocation.
 *   readers  NULL, or of folders only: nothing is done
 *   reader   whose credentials the engine has: 0 with a new engine; updated
 * Faults: those of object_readers_get(). */
PX_MUST_USE int lend_access(struct object_readers *readers, struct px_str tenant,
                            struct sql_engine *engine, uint64_t *reader);

/* What a function says of reading objects in S3: its environment, see docs/design/aws.md. */
struct lending_settings {
    struct px_str extensions; /* PRISM_DUCKDB_EXTENSIONS: folder; empty: beside the executable */
    struct px_str role_arn;   /* PRISM_TENANT_ROLE_ARN; empty: the function's own credentials */
    struct px_str ca_file;    /* AWS_CA_BUNDLE */
    struct cloud_shared *cloud;
};
/* Readers of these stores, and the extension where one is in S3; both empty where all are folders.
 * ret_remote's text is in arena. Faults: PX_F_CONFIG (no extension), those of object_readers_new(). */
PX_MUST_USE int lending_open(const struct lending_settings *settings, struct object_store *segments,
                             struct object_store *analytics, struct px_arena *arena,
                             struct object_readers **ret_readers, struct sql_remote *ret_remote);
