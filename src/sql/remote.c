/* sql/remote.c - the extension, its settings, its secret; docs: remote.h. */
#include "sql/remote.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sql/engine_impl.h"

#define BYTES_STORAGE "prism_bytes"

int sql_remote_find(struct px_str folder, struct px_arena *arena, struct px_str *ret_path)
{
    char self[PATH_MAX];
    if (folder.len == 0) {
        ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
        if (n <= 0) return px_fault_errno("readlink /proc/self/exe");
        while (n > 0 && self[n - 1] != '/') n--;
        folder = px_str(self, (size_t)PX_MAX(n - 1, 1));
    }
    struct px_str path = px_arena_printf(arena, "%.*s/" SQL_REMOTE_FILE, PX_FMT(folder));
    if (!path.ptr) return px_arena_fault(arena);
    if (access(path.ptr, R_OK) != 0)
        return px_fault(PX_F_CONFIG, "%s, with which DuckDB reads from S3: %m", path.ptr);
    *ret_path = path;
    return 0;
}

/* Objects never change, so what is known of one stays true. Globs and parameters in names are off: a
 * key is taken as it is. Environment variables are not DuckDB's to read: they are this process's
 * credentials. A server that does not give ranges is an error, not a reason to get all of it. */
static const char settings_sql[] = "SET GLOBAL enable_global_s3_configuration = false;"
                                   "SET GLOBAL s3_url_compatibility_mode = true;"
                                   "SET GLOBAL enable_http_metadata_cache = true;"
                                   "SET GLOBAL enable_external_file_cache = true;"
                                   "SET GLOBAL auto_fallback_to_full_download = false;"
                                   "SET GLOBAL httpfs_connection_caching = true;"
                                   "SET GLOBAL enable_server_cert_verification = true;"
                                   "SET GLOBAL enable_curl_server_cert_verification = true;"
                                   "SET GLOBAL http_proxy = '';"
                                   "SET GLOBAL http_timeout = 5;"
                                   "SET GLOBAL http_retries = 5;"
                                   "SET GLOBAL http_retry_wait_ms = 25;"
                                   "SET GLOBAL http_retry_backoff = 2;";

/* ---- how much came ---- */

/* A line of DuckDB's log about an exchange over HTTP (1.5.5), which goes nowhere else, as there are credentials
 * in it:
 *   {'request': {'type': GET, 'url': ..., 'headers': {...}, ...}, 'response': {'status': ..., 'headers':
 *   {..., Content-Length=123, ...}}} */
static uint64_t body_bytes(const char *line)
{
    static const char get[] = "{'request': {'type': GET,", length[] = "Content-Length=";
    if (strncmp(line, get, sizeof get - 1) != 0)
        return 0; /* the answer to HEAD tells what GET would bring */
    const char *answer = strstr(line, "'response': {");
    const char *at = answer ? strcasestr(answer, length) : NULL;
    return at ? strtoull(at + sizeof length - 1, NULL, 10) : 0;
}

static void count_entry(void *extra, duckdb_timestamp *at, const char *level, const char *type,
                        const char *message)
{
    struct sql_engine *engine = extra;
    (void)at, (void)level;
    if (type && message && strcmp(type, "HTTP") == 0) engine->remote_bytes += body_bytes(message);
}

uint64_t sql_remote_bytes(const struct sql_engine *engine) { return engine->remote_bytes; }

static int count_bytes(struct sql_engine *engine)
{
    duckdb_log_storage storage = duckdb_create_log_storage();
    if (!storage) return px_fault(PX_F_OOM, "DuckDB log");
    duckdb_log_storage_set_name(storage, BYTES_STORAGE);
    duckdb_log_storage_set_write_log_entry(storage, count_entry);
    duckdb_log_storage_set_extra_data(storage, engine, NULL);
    bool taken = duckdb_register_log_storage(engine->database, storage) == DuckDBSuccess;
    duckdb_destroy_log_storage(&storage);
    if (!taken) return px_fault(PX_F_BUG, "DuckDB does not take a log");
    return sql_exec(engine, "CALL enable_logging('HTTP', storage = '" BYTES_STORAGE "')");
}

/* ---- the extension ---- */

int sql_remote_load(struct sql_engine *engine, const struct sql_remote *remote)
{
    PX_AUTO(px_buf_deinit) struct px_buf sql;
    px_buf_init(&sql, 64u << 10);
    px_buf_add_c(&sql, "LOAD ");
    sql_add_literal(&sql, remote->extension);
    px_buf_add_char(&sql, ';');
    px_buf_add_c(&sql, settings_sql);
    if (remote->ca_file.len > 0) {
        px_buf_add_c(&sql, "SET GLOBAL ca_cert_file = ");
        sql_add_literal(&sql, remote->ca_file);
    }
    PX_TRY(px_buf_fault(&sql));
    PX_TRY(sql_exec(engine, "%.*s", PX_FMT(px_buf_str(&sql))));
    PX_TRY(count_bytes(engine));
    return 0;
}

static void add_option(struct px_buf *sql, const char *name, struct px_str value)
{
    if (value.len == 0) return;
    px_buf_printf(sql, ", %s ", name);
    sql_add_literal(sql, value);
}

int sql_remote_secret(struct sql_engine *engine, const struct sql_secret *secret)
{
    PX_AUTO(px_buf_deinit_wiped) struct px_buf sql;
    px_buf_init(&sql, 64u << 10);
    px_buf_add_c(&sql, "CREATE OR REPLACE TEMPORARY SECRET prism (TYPE s3, PROVIDER config");
    add_option(&sql, "KEY_ID", secret->key_id);
    add_option(&sql, "SECRET", secret->secret);
    add_option(&sql, "SESSION_TOKEN", secret->token);
    add_option(&sql, "REGION", secret->region);
    add_option(&sql, "ENDPOINT", secret->host);
    add_option(&sql, "URL_STYLE", secret->path_style ? S("path") : S("vhost"));
    px_buf_printf(&sql, ", USE_SSL %s)", secret->tls ? "true" : "false");
    px_buf_add_char(&sql, '\0');
    PX_TRY(px_buf_fault(&sql));
    duckdb_result result;
    bool taken = duckdb_query(engine->connection, sql.ptr, &result) == DuckDBSuccess;
    duckdb_destroy_result(&result); /* its error may quote the statement */
    return taken ? 0 : px_fault(PX_F_BUG, "DuckDB does not take credentials for S3");
}
