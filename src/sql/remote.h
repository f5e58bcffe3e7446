/* sql/remote.h - DuckDB reading objects in S3: its official httpfs extension, loaded from a file of the
 * package, and credentials.
 *
 * The file's signature is DuckDB's to check, and nothing is ever downloaded. docs/design/aws.md says
 * which settings hold and why. */
#pragma once

#include "sql/engine.h"

#define SQL_REMOTE_FILE "httpfs.duckdb_extension"

/* Where the extension is: in `folder` (PRISM_DUCKDB_EXTENSIONS), else beside this executable.
 * Faults: PX_F_CONFIG when it is not there. */
PX_MUST_USE int sql_remote_find(struct px_str folder, struct px_arena *arena,
                                struct px_str *ret_path);
/* Into an engine that is not locked. ca_file: PEM; empty: the system's. sql_engine_new() does it when
 * sql_limits say so. */
PX_MUST_USE int sql_remote_load(struct sql_engine *engine, const struct sql_remote *remote);

/* Bytes of objects that came from S3 since the engine was opened, those of failed attempts too. */
uint64_t sql_remote_bytes(const struct sql_engine *engine);

struct sql_secret {
    struct px_str key_id, secret, token; /* token may be empty */
    struct px_str region;
    struct px_str host; /* "host[:port]"; empty: AWS's own */
    bool tls, path_style;
};
/* Who asks S3 from now on; also of a locked engine. No text of it is in a fault. */
PX_MUST_USE int sql_remote_secret(struct sql_engine *engine, const struct sql_secret *secret);
