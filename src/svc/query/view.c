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

static void add_columns(struct px_buf *sql, const struct schema *to, const struct schema *from)
{
    px_buf_add_c(sql, "SELECT ");
    for (uint32_t i = 0; i < to->count; i++) {
        int index = schema_find(from, to->columns[i].name);
        if (i > 0) px_buf_add_c(sql, ", ");
        if (index < 0) add_null(sql, &to->columns[i]);
        else add_converted(sql, &to->columns[i], &from->columns[index]);
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

static int add_groups(struct px_buf *sql, const struct snapshot *snapshot, struct px_arena *arena,
                      const char **word)
{
    const struct schema *to = &snapshot->hot.schema;
    for (size_t first = 0; first < snapshot->file_count;) {
        size_t end = group_end(snapshot, first);
        struct schema from;
        PX_TRY(file_schema(&snapshot->files[first], arena, &from));
        bool alone = end - first == snapshot->file_count && snapshot->hot.frame_count == 0;
        px_buf_add_c(sql, *word);
        if (alone && same_columns(to, &from)) px_buf_add_c(sql, "SELECT *");
        else add_columns(sql, to, &from);
        add_files(sql, snapshot->files + first, end - first);
        add_range(sql, &snapshot->hot);
        *word = " UNION ALL ";
        first = end;
    }
    return 0;
}

int view_add(const struct snapshot *snapshot, size_t slot, struct px_arena *arena, struct px_buf *sql)
{
    const struct schema *schema = &snapshot->hot.schema;
    const char *word = "";
    if (snapshot->file_count > 1)
        qsort(snapshot->files, snapshot->file_count, sizeof(*snapshot->files), by_schema);
    px_buf_add_c(sql, "CREATE VIEW ");
    sql_add_identifier(sql, snapshot->dataset);
    px_buf_add_c(sql, " AS ");
    PX_TRY(add_groups(sql, snapshot, arena, &word));
    if (snapshot->hot.frame_count > 0 || snapshot->file_count == 0) { /* with no frames: no rows */
        px_buf_add_c(sql, word);
        add_columns(sql, schema, schema);
        px_buf_printf(sql, " FROM prism_hot(%zu)", slot);
    }
    px_buf_add_c(sql, ";\n");
    return px_buf_fault(sql);
}
