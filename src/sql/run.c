/* sql/run.c - a tenant's statement from text to chunks, on a leash.
 *
 * The result streams: DuckDB computes ahead into a bounded buffer and sql_fetch() takes from there, so
 * the size of an answer is bounded by its reader, not by memory. The watch is armed until the next
 * statement or sql_engine_stop(), because fetching executes, too. */
#include <stdlib.h>

#include "sql/engine_impl.h"

/* "Binder Error: ..." and so on; what DuckDB says about its own inside is for our log, and so is what
 * it says about our files: a statement cannot name one, so it is the file that is at fault. */
static int refuse(struct sql_engine *engine, duckdb_error_type type, const char *text,
                  struct px_arena *arena, struct px_str *ret_why)
{
    int cause = sql_watch_cause(engine->watch);
    if (cause != 0) return cause;
    switch (type) {
    case DUCKDB_ERROR_INTERNAL:
    case DUCKDB_ERROR_FATAL:
    case DUCKDB_ERROR_IO:
    case DUCKDB_ERROR_HTTP: return sql_fault(type, text);
    case DUCKDB_ERROR_INTERRUPT:
        /* Not by the watch: one thread met an error and told the others to stop before it noted why, and
         * another noted that it was stopped (DuckDB 1.5.5, Executor::PushError). */
        *ret_why = S(
            "an error ended the statement, and DuckDB lost its reason: asking again most often "
            "tells it");
        return SQL_FAILED;
    default: break;
    }
    bool names_file = false;
    struct px_str why = sql_scrub(engine, text, arena, &names_file);
    if (!why.ptr) return px_fault(px_arena_fault(arena), "error text");
    if (names_file && type != DUCKDB_ERROR_OUT_OF_MEMORY && type != DUCKDB_ERROR_PERMISSION)
        return px_fault(PX_F_CORRUPT, "DuckDB: %s", text);
    *ret_why = why;
    return type == DUCKDB_ERROR_OUT_OF_MEMORY ? SQL_MEMORY : SQL_FAILED;
}

static void extracted_free(duckdb_extracted_statements *statements)
{
    if (*statements) duckdb_destroy_extracted(statements);
}

/* The type of an error that comes without one: its first words. */
static duckdb_error_type type_of_text(const char *text)
{
    static const struct {
        const char *words;
        duckdb_error_type type;
    } known[] = {
        {"INTERNAL Error", DUCKDB_ERROR_INTERNAL},
        {"FATAL Error", DUCKDB_ERROR_FATAL},
        {"IO Error", DUCKDB_ERROR_IO},
        {"HTTP Error", DUCKDB_ERROR_HTTP},
        {"Out of Memory Error", DUCKDB_ERROR_OUT_OF_MEMORY},
        {"INTERRUPT Error", DUCKDB_ERROR_INTERRUPT},
        {"Permission Error", DUCKDB_ERROR_PERMISSION},
    };
    for (size_t i = 0; text && i < PX_COUNT(known); i++) {
        if (px_str_starts(px_str_c(text), px_str_c(known[i].words))) return known[i].type;
    }
    return DUCKDB_ERROR_INVALID_INPUT;
}

/* The check has seen one SELECT in this text; here it is asked of the parser that will run it. */
static int prepare(struct sql_engine *engine, const char *sql, duckdb_statement_type wanted,
                   struct px_arena *arena, struct px_str *ret_why)
{
    PX_AUTO(extracted_free) duckdb_extracted_statements statements = NULL;
    idx_t count = duckdb_extract_statements(engine->connection, sql, &statements);
    if (count != 1) {
        *ret_why = S("the text is not exactly one statement");
        return SQL_FAILED;
    }
    if (duckdb_prepare_extracted_statement(engine->connection, statements, 0, &engine->prepared) !=
        DuckDBSuccess) {
        const char *text = duckdb_prepare_error(engine->prepared);
        return refuse(engine, type_of_text(text), text, arena, ret_why);
    }
    if (duckdb_prepared_statement_type(engine->prepared) != wanted) {
        *ret_why = S("only a SELECT is allowed");
        return SQL_FAILED;
    }
    return 0;
}

void sql_forget(struct sql_engine *engine)
{
    sql_watch_disarm(engine->watch);
    if (engine->has_result) duckdb_destroy_result(&engine->result);
    engine->has_result = false;
    if (engine->prepared) duckdb_destroy_prepare(&engine->prepared);
}

static int execute(struct sql_engine *engine, struct px_arena *arena, struct px_str *ret_why)
{
    duckdb_pending_result pending = NULL;
    if (duckdb_pending_prepared_streaming(engine->prepared, &pending) != DuckDBSuccess) {
        const char *text = duckdb_pending_error(pending);
        int r = refuse(engine, type_of_text(text), text, arena, ret_why);
        duckdb_destroy_pending(&pending);
        return r;
    }
    duckdb_state state = duckdb_execute_pending(pending, &engine->result);
    duckdb_destroy_pending(&pending);
    engine->has_result = true;
    if (state == DuckDBSuccess) return 0;
    return refuse(engine, duckdb_result_error_type(&engine->result),
                  duckdb_result_error(&engine->result), arena, ret_why);
}

static int run(struct sql_engine *engine, struct px_str sql, duckdb_statement_type wanted,
               const struct sql_leash *leash, struct px_arena *arena, duckdb_result **ret_result,
               struct px_str *ret_why)
{
    PX_ASSERT(engine->magic == SQL_ENGINE_MAGIC && engine->locked);
    sql_forget(engine);
    char *text = px_arena_cstr(arena, sql);
    if (!text) return px_fault(px_arena_fault(arena), "statement");
    if (!engine->watch) PX_TRY(sql_watch_new(&engine->watch));
    sql_watch_arm(engine->watch, engine->connection, leash);
    int r = prepare(engine, text, wanted, arena, ret_why);
    if (r == 0) r = execute(engine, arena, ret_why);
    if (r != 0) return r < 0 ? px_fold(r, __FILE__, __LINE__) : r;
    *ret_result = &engine->result;
    return 0;
}

int sql_run(struct sql_engine *engine, struct px_str sql, const struct sql_leash *leash,
            struct px_arena *arena, duckdb_result **ret_result, struct px_str *ret_why)
{
    return run(engine, sql, DUCKDB_STATEMENT_TYPE_SELECT, leash, arena, ret_result, ret_why);
}

int sql_run_copy(struct sql_engine *engine, struct px_str sql, const struct sql_leash *leash,
                 struct px_arena *arena, duckdb_result **ret_result, struct px_str *ret_why)
{
    return run(engine, sql, DUCKDB_STATEMENT_TYPE_COPY, leash, arena, ret_result, ret_why);
}

int sql_fetch(struct sql_engine *engine, struct px_arena *arena, duckdb_data_chunk *ret_chunk,
              struct px_str *ret_why)
{
    PX_ASSERT(engine->has_result);
    duckdb_data_chunk chunk = duckdb_fetch_chunk(engine->result);
    int cause = sql_watch_cause(engine->watch);
    if (!chunk) {
        const char *text = duckdb_result_error(&engine->result);
        if (text && *text)
            return refuse(engine, duckdb_result_error_type(&engine->result), text, arena, ret_why);
    } else if (cause != 0) {
        duckdb_destroy_data_chunk(&chunk);
    }
    if (cause != 0) return cause;
    *ret_chunk = chunk;
    return 0;
}
