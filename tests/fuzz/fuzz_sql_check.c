/* Arbitrary text as a tenant's statement: refused with a reason, or the names of its tables, none of
 * which can be a path. Nothing is run. */
// link: px_sql
#include <stdlib.h>

#include "sql/engine.h"

#define ARENA_BYTES ((size_t)64 << 20)

static struct sql_engine *open_engine(void)
{
    struct sql_engine *engine = NULL;
    struct sql_limits limits = {.memory_bytes = 256u << 20, .threads = 1};
    PX_ASSERT(sql_engine_new(&limits, &engine) == 0);
    return engine;
}

static void check_names(const struct sql_statement *statement)
{
    for (size_t i = 0; i < statement->table_count; i++) {
        struct px_str name = statement->tables[i].name;
        PX_ASSERT(name.len > 0);
        for (size_t k = 0; k < name.len; k++) {
            PX_ASSERT(!strchr("./\\:*?'\"", name.ptr[k]));
            PX_ASSERT(name.ptr[k] < 'A' || name.ptr[k] > 'Z');
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sql_engine *engine;
    if (!engine) engine = open_engine();
    struct px_arena arena;
    px_arena_init(&arena, ARENA_BYTES);
    struct sql_statement statement;
    struct px_str why = {0};
    int r = sql_check(engine, px_str((const char *)data, size), &arena, &statement, &why);
    if (r == 0)
        check_names(&statement);
    else if (r == SQL_REFUSED)
        PX_ASSERT(why.len > 0);
    else if (r != PX_F_LIMIT)
        sql_engine_free(&engine); /* DuckDB gave up on it */
    px_arena_deinit(&arena);
    return 0;
}
