/* svc/query/view.c - see view.h. */
#include "svc/query/view.h"

#include <stdlib.h>

#include "sql/engine.h"

/* JSON is text in Parquet and in views: a cast to JSON would check every value. */
static const char *view_type(enum col_type type)
{
    return type == COL_JSON ? "VARCHAR" : col_type_sql(type);
}

/* ---- columns of a branch ---- */

static void add_null(struct px_buf *sql, const struct schema_column *column)
{
    px_buf_printf(sql, "CAST(NULL AS %s)", view_type(column->type));
}

/* INT widens to DOUBLE; another change of type cannot happen in a schema that only grows, and is
 * converted row by row should it happen all the same. JSON is VARCHAR in files and JSON in frames. */
static void add_converted(struct px_buf *sql, const struct schema_column *to,
                          const struct schema_column *from)
{
    if (to->type == from->type && to->type != COL_JSON) {
        sql_add_identifier(sql, from->name);
        return;
    }
    bool widens = to->type == COL_JSON || (to->type == COL_DOUBLE && from->type == COL_INT);
    px_buf_add_c(sql, widens ? "CAST(" : "TRY_CAST(");
    sql_add_identifier(sql, from->name);
    px_buf_printf(sql, " AS %s)", view_type(to->type));
}

/* Of a UNION ALL of which no column is used, as under count(*), DuckDB keeps the first. That would be
 * `time`, read in full for nothing; so a constant stands before it, and the view leaves it out. */
static struct px_str constant_name(const struct schema *schema, struct px_arena *arena)
{
    struct px_str name = S("_row");
    while (name.ptr && schema_find(schema, name) >= 0)
        name = px_arena_printf(arena, "_%.*s", PX_FMT(name));
    return name;
}

static void add_outer(struct px_buf *sql, const struct schema *schema)
{
    px_buf_add_c(sql, "SELECT ");
    for (uint32_t i = 0; i < schema->count; i++) {
        if (i > 0) px_buf_add_c(sql, ", ");
        sql_add_identifier(sql, schema->columns[i].name);
    }
    px_buf_add_c(sql, " FROM (");
}

static void add_columns(struct px_buf *sql, const struct schema *to, const struct schema *from,
                        struct px_str constant)
{
    px_buf_add_c(sql, "SELECT true AS ");
    sql_add_identifier(sql, constant);
    px_buf_add_c(sql, ", ");
    for (uint32_t i = 0; i < to->count; i++) {
        int index = schema_find(from, to->columns[i].name);
        if (i > 0) px_buf_add_c(sql, ", ");
        if (index < 0)
            add_null(sql, &to->columns[i]);
        else
            add_converted(sql, &to->columns[i], &from->columns[index]);
        px_buf_add_c(sql, " AS ");
        sql_add_identifier(sql, to->columns[i].name);
    }
}

static void add_range(struct px_buf *sql, const struct hot_set *set)
{
    const char *word = " WHERE ";
    if (set->start_us != INT64_MIN) {
        px_buf_printf(sql, "%s\"time\" >= make_timestamp(%lld)", word, (long long)set->start_us);
        word = " AND ";
    }
    if (set->end_us != INT64_MAX)
        px_buf_printf(sql, "%s\"time\" < make_timestamp(%lld)", word, (long long)set->end_us);
}

/* ---- files ---- */

/* Files of one schema, which stand together. hive_partitioning: the folder date=... is no column. */
static void add_files(struct px_buf *sql, const struct snapshot_file *files, size_t count)
{
    px_buf_add_c(sql, " FROM read_parquet([");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) px_buf_add_char(sql, ',');
        sql_add_literal(sql, files[i].url);
    }
    px_buf_add_c(sql, "], hive_partitioning = false)");
}

static int by_schema(const void *left, const void *right)
{
    const struct snapshot_file *a = left, *b = right;
    int order = px_str_cmp(a->schema_json, b->schema_json);
    return order != 0 ? order : px_str_cmp(a->url, b->url);
}

static size_t group_end(const struct snapshot *snapshot, size_t first)
{
    size_t end = first;
    while (end < snapshot->file_count &&
           px_str_eq(snapshot->files[end].schema_json, snapshot->files[first].schema_json))
        end++;
    return end;
}

static bool same_columns(const struct schema *a, const struct schema *b)
{
    if (a->count != b->count) return false;
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->columns[i].type != b->columns[i].type ||
            !px_str_eq(a->columns[i].name, b->columns[i].name))
            return false;
    }
    return true;
}

static int file_schema(const struct snapshot_file *file, struct px_arena *arena,
                       struct schema *ret_schema)
{
    int r = schema_from_json(file->schema_json, arena, ret_schema);
    if (r == SCHEMA_INVALID)
        return px_fault(PX_F_CORRUPT, "schema of segment %.*s", PX_FMT(file->url));
    PX_TRY(r);
    return 0;
}

/* All files in one branch as they are: what the fast form needs. */
static int is_plain(const struct snapshot *snapshot, struct px_arena *arena, bool *ret_plain)
{
    *ret_plain = false;
    if (snapshot->hot.frame_count > 0 || snapshot->file_count == 0) return 0;
    if (group_end(snapshot, 0) != snapshot->file_count) return 0;
    struct schema from;
    PX_TRY(file_schema(&snapshot->files[0], arena, &from));
    *ret_plain = same_columns(&snapshot->hot.schema, &from);
    return 0;
}

static int add_branches(struct px_buf *sql, const struct snapshot *snapshot, size_t slot,
                        struct px_arena *arena)
{
    const struct schema *to = &snapshot->hot.schema;
    struct px_str constant = constant_name(to, arena);
    if (!constant.ptr) return px_fault(px_arena_fault(arena), "view");
    for (size_t first = 0, end; first < snapshot->file_count; first = end) {
        end = group_end(snapshot, first);
        struct schema from;
        PX_TRY(file_schema(&snapshot->files[first], arena, &from));
        if (first > 0) px_buf_add_c(sql, " UNION ALL ");
        add_columns(sql, to, &from, constant);
        add_files(sql, snapshot->files + first, end - first);
        add_range(sql, &snapshot->hot);
    }
    if (snapshot->hot.frame_count == 0 && snapshot->file_count > 0) return 0;
    if (snapshot->file_count > 0) px_buf_add_c(sql, " UNION ALL ");
    add_columns(sql, to, to, constant);
    px_buf_printf(sql, " FROM prism_hot(%zu)", slot); /* with no frames: no rows */
    return 0;
}

/* ---- a restriction to rows ---- */

/* Each value as the column's type has it; one that does not convert is NULL, which no row equals. */
static void add_condition(struct px_buf *sql, const struct restriction_row *row,
                          const struct schema_column *column)
{
    sql_add_identifier(sql, column->name);
    px_buf_add_c(sql, " IN (");
    for (size_t i = 0; i < row->value_count; i++) {
        px_buf_add_c(sql, i > 0 ? ", TRY_CAST(" : "TRY_CAST(");
        sql_add_literal(sql, row->values[i]);
        px_buf_printf(sql, " AS %s)", view_type(column->type));
    }
    px_buf_add_char(sql, ')');
}

/* DuckDB moves no condition of a statement below a LIMIT, so none is evaluated on rows that are left out. The number is
 * more rows than there are. */
static void add_restriction(struct px_buf *sql, const struct restriction *restriction,
                            const struct schema *schema)
{
    px_buf_add_c(sql, ") WHERE ");
    for (size_t i = 0; i < restriction->row_count; i++) {
        int index = schema_find(schema, restriction->rows[i].column);
        if (i > 0) px_buf_add_c(sql, " AND ");
        if (index < 0)
            px_buf_add_c(sql, "false");
        else
            add_condition(sql, &restriction->rows[i], &schema->columns[index]);
    }
    px_buf_add_c(sql, " LIMIT 9223372036854775807");
}

int view_add(const struct snapshot *snapshot, const struct restriction *restriction, size_t slot,
             struct px_arena *arena, struct px_buf *sql)
{
    bool plain = false, walled = restriction && restriction->row_count > 0;
    if (snapshot->file_count > 1)
        qsort(snapshot->files, snapshot->file_count, sizeof(*snapshot->files), by_schema);
    PX_TRY(is_plain(snapshot, arena, &plain));
    px_buf_add_c(sql, "CREATE OR REPLACE VIEW ");
    sql_add_identifier(sql, snapshot->dataset);
    px_buf_add_c(sql, walled ? " AS SELECT * FROM (" : " AS ");
    if (plain) {
        px_buf_add_c(sql, "SELECT *");
        add_files(sql, snapshot->files, snapshot->file_count);
        add_range(sql, &snapshot->hot);
    } else {
        add_outer(sql, &snapshot->hot.schema);
        PX_TRY(add_branches(sql, snapshot, slot, arena));
        px_buf_add_char(sql, ')');
    }
    if (walled) add_restriction(sql, restriction, &snapshot->hot.schema);
    px_buf_add_c(sql, ";\n");
    return px_buf_fault(sql);
}
