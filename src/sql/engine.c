/* sql/engine.c - opening, settings, trusted statements, the lock.
 *
 * States: open (files and settings are free, for our own SQL) -> locked (a tenant's statement may run).
 * There is no way back: lock_configuration and enable_external_access hold until the database closes,
 * which is why each query has a database of its own. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/px_id.h"
#include "sql/engine_impl.h"
#include "sql/remote.h"

static void config_free(duckdb_config *config)
{
    if (*config) duckdb_destroy_config(config);
}

static void error_free(char **text)
{
    if (*text) duckdb_free(*text);
    *text = NULL;
}

/* DuckDB leaves its temp_directory reachable whatever is locked (1.5.5), so each engine has one of its
 * own, where nothing but its own spilled rows can be. DuckDB makes it when it first spills and removes
 * it when it closes. */
static int name_spill(struct px_str temp_dir, char *name, size_t name_bytes)
{
    int n = snprintf(name, name_bytes, "%.*s", PX_FMT(temp_dir));
    if (n > 0 && (size_t)n < name_bytes && access(name, F_OK) == 0)
        n += snprintf(name + n, name_bytes - (size_t)n, "/spill-%016llx",
                      (unsigned long long)px_random_u64());
    return n >= 0 && (size_t)n < name_bytes ? 0 : px_fault(PX_F_CONFIG, "temp dir too long");
}

/* Extensions are compiled in; none may come from anywhere else. */
static int set_all(duckdb_config config, const struct sql_limits *limits)
{
    char memory[32], threads[16], temp_max[32], temp_dir[1024];
    (void)snprintf(memory, sizeof(memory), "%lluB", (unsigned long long)limits->memory_bytes);
    (void)snprintf(threads, sizeof(threads), "%u", PX_MAX(limits->threads, 1u));
    (void)snprintf(temp_max, sizeof(temp_max), "%lluB", (unsigned long long)limits->temp_bytes_max);
    PX_TRY(name_spill(limits->temp_dir, temp_dir, sizeof(temp_dir)));
    const char *const settings[][2] = {
        {"memory_limit", memory},
        {"threads", threads},
        {"temp_directory", temp_dir},
        {"max_temp_directory_size", temp_max},
        {"autoinstall_known_extensions", "false"},
        {"autoload_known_extensions", "false"},
        {"allow_community_extensions", "false"},
        {"allow_persistent_secrets", "false"},
        {"allow_unsigned_extensions", limits->remote.verified ? "true" : "false"},
    };
    for (size_t i = 0; i < PX_COUNT(settings); i++) {
        if (duckdb_set_config(config, settings[i][0], settings[i][1]) != DuckDBSuccess)
            return px_fault(PX_F_BUG, "DuckDB has no setting %s = %s", settings[i][0],
                            settings[i][1]);
    }
    return 0;
}

/* The macros stand in front of DuckDB's own functions, which give TIMESTAMP WITH TIME ZONE: a
 * comparison with that casts every row and prunes nothing. */
static const char session_sql[] =
    "SET GLOBAL TimeZone = 'UTC';"
    "SET GLOBAL parquet_metadata_cache = true;" /* a view is bound twice; objects never change */
    "SET GLOBAL enable_external_file_cache = false;"             /* the kernel's is enough */
    "SET GLOBAL validate_external_file_cache = 'NO_VALIDATION';" /* of footers, too: count(*) */
    "CREATE MACRO now() AS CAST(system.main.now() AS TIMESTAMP);"
    "CREATE MACRO get_current_timestamp() AS CAST(system.main.now() AS TIMESTAMP);"
    "CREATE MACRO transaction_timestamp() AS CAST(system.main.now() AS TIMESTAMP)";

static int open_database(struct sql_engine *engine, const struct sql_limits *limits)
{
    PX_AUTO(config_free) duckdb_config config = NULL;
    PX_AUTO(error_free) char *error = NULL;
    if (duckdb_create_config(&config) != DuckDBSuccess) return px_fault(PX_F_OOM, "DuckDB config");
    PX_TRY(set_all(config, limits));
    if (duckdb_open_ext(NULL, &engine->database, config, &error) != DuckDBSuccess)
        return px_fault(PX_F_BUG, "DuckDB does not open: %s", error ? error : "?");
    if (duckdb_connect(engine->database, &engine->connection) != DuckDBSuccess)
        return px_fault(PX_F_OOM, "DuckDB connection");
    return 0;
}

int sql_engine_new(const struct sql_limits *limits, struct sql_engine **ret_engine)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = calloc(1, sizeof(*engine));
    if (!engine) return px_fault(PX_F_OOM, "engine");
    engine->magic = SQL_ENGINE_MAGIC;
    engine->memory_bytes = limits->memory_bytes;
    px_arena_init(&engine->arena, 64u << 20);
    engine->temp_dir = px_arena_dup(&engine->arena, limits->temp_dir);
    if (!engine->temp_dir.ptr) return px_fault(px_arena_fault(&engine->arena), "temp dir");
    PX_TRY(open_database(engine, limits));
    PX_TRY(sql_exec(engine, "%s", session_sql));
    if (limits->remote.extension.len > 0) PX_TRY(sql_remote_load(engine, &limits->remote));
    *ret_engine = PX_TAKE(engine);
    return 0;
}

void sql_engine_stop(struct sql_engine *engine)
{
    PX_ASSERT(engine->magic == SQL_ENGINE_MAGIC);
    sql_forget(engine);
    if (engine->connection) duckdb_disconnect(&engine->connection);
}

int sql_engine_renew(struct sql_engine *engine)
{
    sql_engine_stop(engine);
    if (duckdb_connect(engine->database, &engine->connection) != DuckDBSuccess)
        return px_fault(PX_F_OOM, "DuckDB connection");
    return 0;
}

void sql_engine_free(struct sql_engine **engine)
{
    struct sql_engine *e = *engine;
    if (!e) return;
    sql_engine_stop(e);
    sql_watch_free(&e->watch);
    if (e->database) duckdb_close(&e->database);
    sql_forget_passed(e);
    px_arena_deinit(&e->arena);
    free(e);
    *engine = NULL;
}

duckdb_connection sql_engine_connection(struct sql_engine *engine) { return engine->connection; }

int sql_fault(duckdb_error_type type, const char *text)
{
    text = text ? text : "unknown error";
    switch (type) {
    case DUCKDB_ERROR_OUT_OF_MEMORY: return px_fault(PX_F_OOM, "DuckDB: %s", text);
    case DUCKDB_ERROR_INTERRUPT: return px_fault(PX_F_TIMEOUT, "DuckDB: %s", text);
    case DUCKDB_ERROR_HTTP: return px_fault(PX_F_UNAVAILABLE, "DuckDB: %s", text);
    case DUCKDB_ERROR_IO:
        if (strstr(text, "No space left")) return px_fault(PX_F_NO_SPACE, "DuckDB: %s", text);
        if (strstr(text, "HTTP")) return px_fault(PX_F_UNAVAILABLE, "DuckDB: %s", text);
        return px_fault(PX_F_IO, "DuckDB: %s", text);
    default: return px_fault(PX_F_BUG, "DuckDB: %s", text);
    }
}

int sql_exec(struct sql_engine *engine, const char *fmt, ...)
{
    PX_AUTO(px_free_mem) char *sql = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&sql, fmt, args);
    va_end(args);
    if (n < 0) {
        sql = NULL;
        return px_fault(PX_F_OOM, "SQL text");
    }
    duckdb_result result;
    int r = 0;
    if (duckdb_query(engine->connection, sql, &result) != DuckDBSuccess)
        r = sql_fault(duckdb_result_error_type(&result), duckdb_result_error(&result));
    duckdb_destroy_result(&result);
    return r;
}

/* The folder of spill files is hidden like the files. */
static int hide(struct sql_engine *engine, const struct px_str *files, size_t count)
{
    struct px_str *hidden = px_arena_array(&engine->arena, struct px_str, count + 1);
    if (!hidden) return px_fault(px_arena_fault(&engine->arena), "file names");
    for (size_t i = 0; i < count; i++) {
        hidden[i] = px_arena_dup(&engine->arena, files[i]);
        if (!hidden[i].ptr) return px_fault(px_arena_fault(&engine->arena), "file names");
    }
    if (engine->temp_dir.len > 0) hidden[count++] = engine->temp_dir;
    engine->hidden = hidden;
    engine->hidden_count = count;
    return 0;
}

static int lock(struct sql_engine *engine, const char *setting, const struct px_str *names,
                size_t count)
{
    PX_ASSERT(!engine->locked);
    PX_TRY(hide(engine, names, count));
    PX_AUTO(px_buf_deinit) struct px_buf sql;
    px_buf_init(&sql, 64u << 20);
    px_buf_printf(&sql, "SET %s = [", setting);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) px_buf_add_c(&sql, ", ");
        sql_add_literal(&sql, names[i]);
    }
    px_buf_add_c(&sql, "]; SET enable_external_access = false; SET lock_configuration = true");
    PX_TRY(px_buf_fault(&sql));
    PX_TRY(sql_exec(engine, "%.*s", PX_FMT(px_buf_str(&sql))));
    engine->locked = true;
    return 0;
}

int sql_engine_lock(struct sql_engine *engine, const struct px_str *files, size_t count)
{
    return lock(engine, "allowed_paths", files, count);
}

int sql_engine_lock_folders(struct sql_engine *engine, const struct px_str *folders, size_t count)
{
    return lock(engine, "allowed_directories", folders, count);
}
