/* sql/check.c - what a tenant's statement may contain, decided on DuckDB's own syntax tree.
 *
 * json_serialize_sql() parses the text with the parser that will run it and gives the tree as JSON; it
 * takes SELECT statements only, so COPY, ATTACH, SET, PRAGMA, EXPLAIN and the rest end here. The tree
 * is walked whole, whatever its shape: every object is looked at, and what is refused is refused by
 * the keys of one object (a function's name, a table reference, a parameter), so that a place where
 * an expression may stand and that nobody thought of is covered, too.
 *
 * What is unknown is refused: functions come from a closed list (functions.c), tables have one plain
 * name. This is the first of two walls; the second is the locked engine, which holds no file, table or
 * setting of anybody else. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/px_json.h"
#include "sql/engine_impl.h"
#include "sql/functions.h"

#define TREE_DEPTH_MAX 6000 /* of the JSON; DuckDB's limit of 1000 nested expressions gives 4000 */
#define TABLES_MAX 256

struct check {
    struct px_arena *arena;
    struct px_str why; /* set once: refused */
    struct sql_table tables[TABLES_MAX];
    size_t table_count;
    struct px_str *defined; /* names of CTEs, lower case */
    size_t defined_count, defined_cap;
    bool shows_tables;
    bool no_memory;
};

static void walk(struct check *check, yyjson_val *value, int depth);

__attribute__((format(printf, 2, 3))) static void refuse(struct check *check, const char *fmt, ...)
{
    if (check->why.ptr) return;
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    check->why = px_arena_dup(check->arena, px_str_c(text));
    if (!check->why.ptr) check->no_memory = true;
}

/* A name as shown to the caller: not the whole of a very long one. */
#define SHOWN(s) (int)PX_MIN((s).len, (size_t)80), ((s).ptr ? (s).ptr : "")

static struct px_str lower(struct check *check, struct px_str name)
{
    struct px_str copy = px_arena_dup(check->arena, name);
    if (!copy.ptr) {
        check->no_memory = true;
        return (struct px_str){0};
    }
    char *c = px_arena_cstr(check->arena, copy);
    for (size_t i = 0; c && i < copy.len; i++) {
        if (c[i] >= 'A' && c[i] <= 'Z') c[i] = (char)(c[i] - 'A' + 'a');
    }
    if (!c) check->no_memory = true;
    return px_str(c, c ? copy.len : 0);
}

/* DuckDB looks for a file where no table has the name. A name that can be a path is none of ours. */
static bool is_plain_name(struct px_str name)
{
    if (name.len == 0 || name.len > 256) return false;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (c < 0x20 || c == 0x7f || strchr("./\\:*?%[]{}~'\"", c)) return false;
    }
    return true;
}

/* Views of DuckDB itself that an unqualified name finds: a CTE of such a name would let the name pass
 * outside of the CTE's scope. */
static bool is_system_name(struct px_str lower_name)
{
    static const char *const starts[] = {"duckdb_", "pg_", "sqlite_", "pragma_"};
    for (size_t i = 0; i < PX_COUNT(starts); i++) {
        if (px_str_starts(lower_name, px_str_c(starts[i]))) return true;
    }
    return false;
}

static void add_table(struct check *check, struct px_str name)
{
    if (!is_plain_name(name)) {
        refuse(check, "\"%.*s\" is not a dataset: files cannot be reached from SQL", SHOWN(name));
        return;
    }
    struct px_str key = lower(check, name);
    for (size_t i = 0; i < check->table_count; i++) {
        if (px_str_eq(check->tables[i].name, key)) return;
    }
    if (check->table_count == TABLES_MAX) {
        refuse(check, "the statement names more than %d tables", TABLES_MAX);
        return;
    }
    check->tables[check->table_count++].name = key;
}

static void check_base_table(struct check *check, yyjson_val *node)
{
    struct px_str catalog = px_json_str(node, "catalog_name");
    struct px_str schema = px_json_str(node, "schema_name");
    struct px_str name = px_json_str(node, "table_name");
    if (catalog.len > 0 || schema.len > 0) {
        struct px_str first = catalog.len > 0 ? catalog : schema;
        refuse(check, "\"%.*s\".\"%.*s\": a dataset is named without database or schema",
               SHOWN(first), SHOWN(name));
        return;
    }
    add_table(check, name);
}

static void check_show(struct check *check, yyjson_val *node)
{
    yyjson_val *query = yyjson_obj_get(node, "query");
    if (query && !yyjson_is_null(query)) return; /* DESCRIBE, SUMMARIZE: the walk sees its query */
    struct px_str name = px_json_str(node, "table_name");
    if (px_str_eq(name, S("\"tables\"")) && px_json_str(node, "schema_name").len == 0 &&
        px_json_str(node, "catalog_name").len == 0) {
        check->shows_tables = true;
        return;
    }
    refuse(check, "of SHOW, only SHOW TABLES is allowed; a dataset's columns: DESCRIBE name");
}

static void check_function(struct check *check, struct px_str name)
{
    if (!sql_function_allowed(name)) refuse(check, "the function %.*s is not allowed", SHOWN(name));
}

/* The function of a FROM clause is judged by the other list; its arguments are walked as usual. */
static void check_table_function(struct check *check, yyjson_val *node, int depth)
{
    yyjson_val *function = yyjson_obj_get(node, "function");
    struct px_str name = px_json_str(function, "function_name");
    if (!sql_table_function_allowed(name)) {
        refuse(check, "the table function %.*s is not allowed", SHOWN(name));
        return;
    }
    size_t i, n;
    yyjson_val *key, *value;
    px_json_obj_foreach(node, i, n, key, value)
    {
        if (value != function) walk(check, value, depth + 1);
    }
    px_json_obj_foreach(function, i, n, key, value) { walk(check, value, depth + 1); }
}

static void define(struct check *check, struct px_str name)
{
    struct px_str key = lower(check, name);
    if (is_system_name(key)) {
        refuse(check, "a WITH clause cannot take the name %.*s, which belongs to the SQL engine",
               SHOWN(name));
        return;
    }
    if (check->defined_count == check->defined_cap) {
        size_t cap = check->defined_cap ? check->defined_cap * 2 : 16;
        struct px_str *grown = px_arena_realloc(check->arena, check->defined,
                                                check->defined_cap * sizeof(*grown),
                                                cap * sizeof(*grown));
        if (!grown) {
            check->no_memory = true;
            return;
        }
        check->defined = grown;
        check->defined_cap = cap;
    }
    check->defined[check->defined_count++] = key;
}

static void check_cte_map(struct check *check, yyjson_val *cte_map)
{
    size_t i, n;
    yyjson_val *entry;
    px_json_arr_foreach(yyjson_obj_get(cte_map, "map"), i, n, entry)
    {
        define(check, px_json_str(entry, "key"));
    }
}

static void check_object(struct check *check, yyjson_val *node, int depth)
{
    struct px_str type = px_json_str(node, "type");
    if (px_str_eq(type, S("TABLE_FUNCTION"))) {
        check_table_function(check, node, depth);
        return;
    }
    if (px_str_eq(type, S("BASE_TABLE"))) check_base_table(check, node);
    if (px_str_eq(type, S("SHOW_REF"))) check_show(check, node);
    if (px_str_eq(type, S("VALUE_PARAMETER")))
        refuse(check, "parameters ($1, ?) have no values here; write the value");
    struct px_str function = px_json_str(node, "function_name");
    if (function.len > 0) check_function(check, function);
    yyjson_val *cte_map = yyjson_obj_get(node, "cte_map");
    if (cte_map) check_cte_map(check, cte_map);

    size_t i, n;
    yyjson_val *key, *value;
    px_json_obj_foreach(node, i, n, key, value) { walk(check, value, depth + 1); }
}

static void walk(struct check *check, yyjson_val *value, int depth)
{
    if (check->why.ptr || check->no_memory) return;
    if (depth > TREE_DEPTH_MAX) {
        refuse(check, "the statement is nested too deeply");
    } else if (yyjson_is_obj(value)) {
        check_object(check, value, depth);
    } else if (yyjson_is_arr(value)) {
        size_t i, n;
        yyjson_val *item;
        px_json_arr_foreach(value, i, n, item) { walk(check, item, depth + 1); }
    }
}

/* ---- the tree ---- */

static void document_free(yyjson_doc **document)
{
    yyjson_doc_free(*document);
    *document = NULL;
}

static void prepare_free(duckdb_prepared_statement *statement)
{
    if (*statement) duckdb_destroy_prepare(statement);
}

/* The first value of a result of one VARCHAR, parsed as JSON. */
static int parse_tree(duckdb_result result, yyjson_doc **ret_document)
{
    duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
    if (!chunk || duckdb_data_chunk_get_size(chunk) != 1) {
        if (chunk) duckdb_destroy_data_chunk(&chunk);
        return px_fault(PX_F_BUG, "json_serialize_sql() gave no row");
    }
    duckdb_string_t *texts = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
    yyjson_doc *document = yyjson_read(duckdb_string_t_data(&texts[0]),
                                       duckdb_string_t_length(texts[0]), YYJSON_READ_NOFLAG);
    duckdb_destroy_data_chunk(&chunk);
    if (!document) return px_fault(PX_F_BUG, "json_serialize_sql() gave no JSON");
    *ret_document = document;
    return 0;
}

static int read_tree(struct sql_engine *engine, struct px_str sql, yyjson_doc **ret_document)
{
    PX_AUTO(prepare_free) duckdb_prepared_statement statement = NULL;
    if (duckdb_prepare(engine->connection, "SELECT json_serialize_sql($1::VARCHAR)", &statement) !=
        DuckDBSuccess)
        return px_fault(PX_F_BUG, "json_serialize_sql(): %s", duckdb_prepare_error(statement));
    if (duckdb_bind_varchar_length(statement, 1, sql.ptr, sql.len) != DuckDBSuccess)
        return px_fault(PX_F_OOM, "statement text");
    duckdb_result result;
    int r = 0;
    if (duckdb_execute_prepared(statement, &result) != DuckDBSuccess)
        r = sql_fault(duckdb_result_error_type(&result), duckdb_result_error(&result));
    else
        r = parse_tree(result, ret_document);
    duckdb_destroy_result(&result);
    return r;
}

/* What the parser said, as a sentence for the caller; NULL when it took the text. */
static void check_parsed(struct check *check, yyjson_val *root, yyjson_val **ret_statements)
{
    yyjson_val *statements = px_json_arr(root, "statements");
    struct px_str message = px_json_str(root, "error_message");
    if (px_json_bool(root, "error", true)) {
        if (px_str_starts(message, S("Only SELECT statements")))
            refuse(check,
                   "only one SELECT statement is allowed (also WITH, VALUES, FROM, DESCRIBE, "
                   "SUMMARIZE, SHOW TABLES; a PIVOT needs its values listed: ON column IN (...))");
        else if (px_str_starts(message, S("memory exhausted")) ||
                 px_str_starts(message, S("Max expression depth")))
            refuse(check, "the statement is nested too deeply");
        else
            refuse(check, "the statement cannot be parsed: %.*s",
                   (int)PX_MIN(message.len, (size_t)400), message.ptr ? message.ptr : "");
    } else if (yyjson_arr_size(statements) != 1) {
        refuse(check, yyjson_arr_size(statements) == 0 ? "there is no statement"
                                                       : "only one statement is allowed");
    } else {
        *ret_statements = statements;
    }
}

static bool text_ok(struct check *check, struct px_str sql)
{
    if (px_str_trim(sql).len == 0)
        refuse(check, "the statement is empty");
    else if (sql.len > SQL_STATEMENT_BYTES_MAX)
        refuse(check, "the statement has %zu bytes, more than %d", sql.len,
               SQL_STATEMENT_BYTES_MAX);
    else if (memchr(sql.ptr, '\0', sql.len))
        refuse(check, "the statement contains a NUL character");
    return check->why.ptr == NULL;
}

static int give(struct check *check, struct sql_statement *ret_statement)
{
    struct sql_table *tables = px_arena_array(check->arena, struct sql_table,
                                              check->table_count + 1);
    if (!tables) return px_fault(px_arena_fault(check->arena), "table names");
    memcpy(tables, check->tables, check->table_count * sizeof(*tables));
    for (size_t i = 0; i < check->table_count; i++) {
        for (size_t j = 0; j < check->defined_count; j++) {
            if (px_str_eq(tables[i].name, check->defined[j])) tables[i].defined = true;
        }
    }
    *ret_statement = (struct sql_statement){tables, check->table_count, check->shows_tables};
    return 0;
}

/* ---- statements that passed ---- */

/* What passes depends on the text alone, and dashboards and alerts send theirs again and again: the
 * last ones that passed are remembered with their tables. */
struct sql_passed {
    size_t sql_len;
    struct sql_statement statement; /* names are in text */
    struct sql_table tables[SQL_PASSED_TABLES_MAX];
    char text[]; /* the statement, then the names */
};

static const struct sql_passed *find_passed(const struct sql_engine *engine, struct px_str sql)
{
    for (size_t i = 0; i < PX_COUNT(engine->passed); i++) {
        const struct sql_passed *passed = engine->passed[i];
        if (passed && px_str_eq(px_str(passed->text, passed->sql_len), sql)) return passed;
    }
    return NULL;
}

/* Without memory for it the statement is checked again the next time. */
static void remember(struct sql_engine *engine, struct px_str sql,
                     const struct sql_statement *statement)
{
    if (sql.len > SQL_PASSED_BYTES_MAX || statement->table_count > SQL_PASSED_TABLES_MAX) return;
    size_t bytes = sql.len;
    for (size_t i = 0; i < statement->table_count; i++) bytes += statement->tables[i].name.len;
    struct sql_passed *passed = malloc(sizeof(*passed) + bytes);
    if (!passed) return;
    char *at = passed->text;
    memcpy(at, sql.ptr, sql.len);
    at += sql.len;
    passed->sql_len = sql.len;
    for (size_t i = 0; i < statement->table_count; i++) {
        struct px_str name = statement->tables[i].name;
        memcpy(at, name.ptr, name.len);
        passed->tables[i] = (struct sql_table){px_str(at, name.len), statement->tables[i].defined};
        at += name.len;
    }
    passed->statement = *statement;
    passed->statement.tables = passed->tables;
    struct sql_passed **place = &engine->passed[engine->passed_next++ % PX_COUNT(engine->passed)];
    free(*place);
    *place = passed;
}

void sql_forget_passed(struct sql_engine *engine)
{
    for (size_t i = 0; i < PX_COUNT(engine->passed); i++) free(engine->passed[i]);
}

int sql_check(struct sql_engine *engine, struct px_str sql, struct px_arena *arena,
              struct sql_statement *ret_statement, struct px_str *ret_why)
{
    PX_ASSERT(engine->magic == SQL_ENGINE_MAGIC);
    const struct sql_passed *passed = find_passed(engine, sql);
    if (passed) {
        *ret_statement = passed->statement;
        return 0;
    }
    struct check *check = px_arena_new(arena, struct check);
    if (!check) return px_fault(px_arena_fault(arena), "check");
    check->arena = arena;
    if (text_ok(check, sql)) {
        PX_AUTO(document_free) yyjson_doc *document = NULL;
        PX_TRY(read_tree(engine, sql, &document));
        yyjson_val *statements = NULL;
        check_parsed(check, yyjson_doc_get_root(document), &statements);
        if (statements) walk(check, statements, 0);
    }
    if (check->no_memory) return px_fault(px_arena_fault(arena), "statement too large to check");
    if (check->why.ptr) {
        *ret_why = check->why;
        return SQL_REFUSED;
    }
    PX_TRY(give(check, ret_statement));
    remember(engine, sql, ret_statement);
    return 0;
}
