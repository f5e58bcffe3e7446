/* sql/hot_table.c - the table function prism_hot(slot).
 *
 * bind      slot -> hot_set, its columns as the schema has them
 * init      the projected columns; a cursor over the frames, shared by all threads
 * local     one per thread: the frame in hand, its decoded columns, the next row
 * function  one chunk: rows of the frame in hand, else the next frame of the cursor
 *
 * A vector points into the decoded frame, so a frame's memory is given up only when its thread asks
 * for a chunk again: by then DuckDB is done with the one before. */
#include "sql/hot_table.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "columnar/names.h"
#include "sql/hot_vector.h"

#define FRAME_MEMORY_MAX ((size_t)2 << 30) /* one frame decoded; ingest bounds what a frame holds */

struct bind {
    struct hot_sets *sets;
    const struct hot_set *set;
};
struct scan {
    struct hot_sets *sets;
    const struct hot_set *set;
    atomic_size_t next_frame;
    idx_t column_count;
    uint32_t *columns; /* of the schema; past its end: a column without values (count(*)) */
};
struct local {
    struct px_arena arena; /* the frame in hand */
    const struct frame *frame;
    struct frame_values *values;
    struct frame_values nulls;   /* of every column that the frame lacks; made for the first */
    duckdb_vector *dictionaries; /* column_count of scan, NULL or owned */
    idx_t column_count;
    const uint32_t *rows; /* those in the time range; NULL: all of the frame */
    uint32_t row_count, next_row;
};

/* ---- bind ---- */

static duckdb_logical_type type_of(enum col_type type)
{
    if (type == COL_JSON) {
        duckdb_logical_type json = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
        duckdb_logical_type_set_alias(json, "JSON");
        return json;
    }
    static const duckdb_type types[] = {
        [COL_BOOL] = DUCKDB_TYPE_BOOLEAN,   [COL_INT] = DUCKDB_TYPE_BIGINT,
        [COL_DOUBLE] = DUCKDB_TYPE_DOUBLE,  [COL_STRING] = DUCKDB_TYPE_VARCHAR,
        [COL_TIME] = DUCKDB_TYPE_TIMESTAMP, [COL_MIXED] = DUCKDB_TYPE_VARCHAR,
    };
    return duckdb_create_logical_type(types[type]);
}

static int add_columns(duckdb_bind_info info, const struct schema *schema)
{
    for (uint32_t i = 0; i < schema->count; i++) {
        char name[COL_NAME_BYTES_MAX + 1];
        struct px_str column = schema->columns[i].name;
        if (column.len > COL_NAME_BYTES_MAX) return px_fault(PX_F_BUG, "column name too long");
        memcpy(name, column.ptr, column.len);
        name[column.len] = '\0';
        duckdb_logical_type type = type_of(schema->columns[i].type);
        duckdb_bind_add_result_column(info, name, type);
        duckdb_destroy_logical_type(&type);
    }
    return 0;
}

static void hot_bind(duckdb_bind_info info)
{
    struct hot_sets *sets = duckdb_bind_get_extra_info(info);
    duckdb_value parameter = duckdb_bind_get_parameter(info, 0);
    int64_t slot = duckdb_get_int64(parameter);
    duckdb_destroy_value(&parameter);
    if (slot < 0 || (size_t)slot >= sets->count) {
        duckdb_bind_set_error(info, "prism_hot: no such slot");
        return;
    }
    struct bind *bind = calloc(1, sizeof(*bind));
    if (!bind || add_columns(info, &sets->sets[slot]->schema) != 0) {
        free(bind);
        duckdb_bind_set_error(info, "prism_hot: cannot bind");
        return;
    }
    bind->sets = sets;
    bind->set = sets->sets[slot];
    duckdb_bind_set_cardinality(info, bind->set->rows, false);
    duckdb_bind_set_bind_data(info, bind, free);
}

/* ---- init ---- */

static void scan_free(void *data)
{
    struct scan *scan = data;
    free(scan->columns);
    free(scan);
}

static void hot_init(duckdb_init_info info)
{
    const struct bind *bind = duckdb_init_get_bind_data(info);
    struct scan *scan = calloc(1, sizeof(*scan));
    idx_t count = duckdb_init_get_column_count(info);
    uint32_t *columns = calloc(count + 1, sizeof(*columns));
    if (!scan || !columns) {
        free(scan);
        free(columns);
        duckdb_init_set_error(info, "prism_hot: out of memory");
        return;
    }
    scan->sets = bind->sets;
    scan->set = bind->set;
    scan->columns = columns;
    scan->column_count = count;
    for (idx_t i = 0; i < count; i++) {
        idx_t column = duckdb_init_get_column_index(info, i);
        columns[i] = (uint32_t)PX_MIN(column, (idx_t)UINT32_MAX);
    }
    duckdb_init_set_max_threads(info, PX_MAX(bind->set->frame_count, (size_t)1));
    duckdb_init_set_init_data(info, scan, scan_free);
}

static void drop_frame(struct local *local)
{
    for (idx_t i = 0; i < local->column_count; i++) {
        if (local->dictionaries[i]) duckdb_destroy_vector(&local->dictionaries[i]);
        local->dictionaries[i] = NULL;
    }
    px_arena_reset(&local->arena);
    local->frame = NULL;
    local->nulls = (struct frame_values){0};
    local->rows = NULL;
    local->row_count = local->next_row = 0;
}

static void local_free(void *data)
{
    struct local *local = data;
    drop_frame(local);
    px_arena_deinit(&local->arena);
    free(local->values);
    free(local->dictionaries);
    free(local);
}

static void hot_local_init(duckdb_init_info info)
{
    struct local *local = calloc(1, sizeof(*local));
    idx_t count = duckdb_init_get_column_count(info);
    if (local) {
        local->values = calloc(count + 1, sizeof(*local->values));
        local->dictionaries = calloc(count + 1, sizeof(duckdb_vector));
    }
    if (!local || !local->values || !local->dictionaries) {
        if (local) {
            free(local->values);
            free(local->dictionaries);
        }
        free(local);
        duckdb_init_set_error(info, "prism_hot: out of memory");
        return;
    }
    local->column_count = count;
    px_arena_init(&local->arena, FRAME_MEMORY_MAX);
    duckdb_init_set_init_data(info, local, local_free);
}

/* ---- frames ---- */

/* The next frame that can have rows in the range, or NULL. */
static const struct frame *take_frame(struct scan *scan)
{
    const struct hot_set *set = scan->set;
    for (;;) {
        size_t i = atomic_fetch_add(&scan->next_frame, 1);
        if (i >= set->frame_count) return NULL;
        const struct frame_header *header = &set->frames[i].header;
        if (header->rows > 0 && header->time_max_us >= set->start_us &&
            header->time_min_us < set->end_us)
            return &set->frames[i];
    }
}

/* Which rows of a frame are in the range, when not all are. */
static int select_rows(struct local *local, const struct hot_set *set, const struct frame *frame)
{
    local->row_count = frame->header.rows;
    if (frame->header.time_min_us >= set->start_us && frame->header.time_max_us < set->end_us)
        return 0;
    int column = frame_find(frame, S(COL_TIME_NAME));
    if (column < 0) return px_fault(PX_F_CORRUPT, "a frame has no time column");
    struct frame_values times;
    PX_TRY(frame_read_column(frame, (uint32_t)column, &local->arena, &times));
    uint32_t *rows = px_arena_array(&local->arena, uint32_t, frame->header.rows);
    if (!rows) return px_fault(px_arena_fault(&local->arena), "rows of a frame");
    uint32_t n = 0;
    for (uint32_t i = 0; i < frame->header.rows; i++) {
        if (times.i[i] >= set->start_us && times.i[i] < set->end_us) rows[n++] = i;
    }
    local->rows = rows;
    local->row_count = n;
    return 0;
}

/* A dataset may have many columns and a frame many rows and few columns: one block of zeros is enough
 * for all that it lacks. */
static int take_nulls(struct local *local, const struct frame *frame, enum col_type type,
                      struct frame_values *ret_values)
{
    if (!local->nulls.validity) {
        size_t rows = frame->header.rows;
        uint64_t *validity = px_arena_array(&local->arena, uint64_t, rows / 64 + 1);
        struct px_str *items = px_arena_array(&local->arena, struct px_str, rows + 1);
        if (!validity || !items) return px_fault(px_arena_fault(&local->arena), "nulls");
        local->nulls = (struct frame_values){.validity = validity, .s = items};
    }
    *ret_values = local->nulls;
    ret_values->type = type;
    return 0;
}

static int decode_column(struct scan *scan, struct local *local, const struct frame *frame,
                         uint32_t column, struct frame_values *ret_values)
{
    const struct schema_column *wanted = &scan->set->schema.columns[column];
    int in_frame = frame_find(frame, wanted->name);
    if (in_frame >= 0)
        atomic_fetch_add(&scan->sets->bytes_read, frame->columns[in_frame].block_bytes);
    else if (!name_eq(wanted->name, S(COL_OTHER_NAME)))
        return take_nulls(local, frame, wanted->type, ret_values);
    return convert_column(&scan->set->schema, column, frame, &local->arena, ret_values);
}

static int decode_columns(struct scan *scan, struct local *local, const struct frame *frame)
{
    for (idx_t i = 0; i < scan->column_count; i++) {
        if (scan->columns[i] >= scan->set->schema.count) continue;
        PX_TRY(decode_column(scan, local, frame, scan->columns[i], &local->values[i]));
        local->dictionaries[i] = hot_dictionary_new(&local->values[i]);
    }
    return 0;
}

/* 0 with local->frame NULL at the end. */
static int next_frame(struct scan *scan, struct local *local)
{
    do {
        drop_frame(local);
        const struct frame *frame = take_frame(scan);
        if (!frame) return 0;
        PX_TRY(select_rows(local, scan->set, frame));
        if (local->row_count > 0) PX_TRY(decode_columns(scan, local, frame));
        local->frame = frame;
    } while (local->row_count == 0);
    return 0;
}

/* ---- chunks ---- */

static void fill_chunk(struct scan *scan, struct local *local, duckdb_data_chunk output)
{
    struct hot_rows rows = {
        local->rows, local->next_row,
        PX_MIN(local->row_count - local->next_row, (uint32_t)duckdb_vector_size())};
    for (idx_t i = 0; i < scan->column_count; i++) {
        if (scan->columns[i] >= scan->set->schema.count) continue;
        hot_vector_fill(duckdb_data_chunk_get_vector(output, i), &local->values[i], &rows,
                        local->dictionaries[i]);
    }
    duckdb_data_chunk_set_size(output, rows.count);
    local->next_row += rows.count;
}

static void report(duckdb_function_info info, struct hot_sets *sets, int fault)
{
    int free_place = 0;
    if (atomic_compare_exchange_strong(&sets->fault_claimed, &free_place, 1)) {
        px_fault_text(fault, sets->fault_text, sizeof(sets->fault_text));
        atomic_store(&sets->fault, fault);
    }
    duckdb_function_set_error(info, "fresh data cannot be read");
}

static void hot_function(duckdb_function_info info, duckdb_data_chunk output)
{
    struct scan *scan = duckdb_function_get_init_data(info);
    struct local *local = duckdb_function_get_local_init_data(info);
    if (local->next_row == local->row_count) {
        int r = next_frame(scan, local);
        if (r != 0) {
            report(info, scan->sets, r);
            return;
        }
    }
    if (local->frame)
        fill_chunk(scan, local, output);
    else
        duckdb_data_chunk_set_size(output, 0);
}

int hot_table_register(duckdb_connection connection, struct hot_sets *sets)
{
    duckdb_table_function function = duckdb_create_table_function();
    duckdb_logical_type slot = duckdb_create_logical_type(DUCKDB_TYPE_BIGINT);
    duckdb_table_function_set_name(function, "prism_hot");
    duckdb_table_function_add_parameter(function, slot);
    duckdb_table_function_set_extra_info(function, sets, NULL);
    duckdb_table_function_set_bind(function, hot_bind);
    duckdb_table_function_set_init(function, hot_init);
    duckdb_table_function_set_local_init(function, hot_local_init);
    duckdb_table_function_set_function(function, hot_function);
    duckdb_table_function_supports_projection_pushdown(function, true);
    duckdb_state state = duckdb_register_table_function(connection, function);
    duckdb_destroy_logical_type(&slot);
    duckdb_destroy_table_function(&function);
    return state == DuckDBSuccess ? 0 : px_fault(PX_F_BUG, "prism_hot cannot be registered");
}
