/* columnar/batch.c - see batch.h.
 *
 * Values go straight into their columns; the row keeps a log of the columns it touched, and an
 * abort takes the newest value of each back. A column that gets a value of another type gets a
 * second list of values beside the first (values.h); which type the column has is told from the
 * lists at the end, so a change of type costs nothing per row and aborting one undoes it exactly.
 *
 * Invariants: between rows every column has at least one value; a value list belongs to one column
 * or to `spare`; bytes is at least what the values take in a frame before compression, but for row
 * bitmaps and for MIXED columns, whose JSON text can be six times as long as the text in it. */
#include "columnar/batch_impl.h"

#include <stdlib.h>

#include "columnar/frame_layout.h"
#include "columnar/names.h"
#include "columnar/schema.h"

#define BATCH_MAGIC UINT64_C(0x6261746368505258)
#define BATCH_NO_COLUMN UINT32_MAX
#define BATCH_BYTES_DEFAULT ((size_t)64 << 20)
#define BATCH_BYTES_CEILING ((size_t)1 << 30) /* offsets are 32 bits wide */
#define BATCH_ROWS_DEFAULT 1000000u
#define ROW_COLUMNS_DEFAULT 1000u
#define BATCH_CELLS_DEFAULT (UINT64_C(1) << 24)
#define BATCH_NAMED_DEFAULT ((size_t)160 << 20)
#define NAMED_COST 8 /* of a value in a JSON object: quotes, colon, comma, digits of its length */
/* Memory kept over a reset: more than this is given back. */
#define KEEP_BYTES_MAX ((size_t)96 << 20)
#define COLUMN_COST 64 /* of a column in a frame, beside its name */

static struct px_str column_name(const void *batch, uint32_t column)
{
    const struct batch_column *it = &((const struct batch *)batch)->columns[column];
    return px_str(it->name, it->name_len);
}

static struct name_index index_of(const struct batch *batch)
{
    return (struct name_index){batch->slots, batch->slot_count, column_name, batch};
}

/* ---- value lists ---- */

static int values_take(struct batch *batch, enum col_type type, struct values **ret_values)
{
    struct values *values = batch->spare;
    if (values)
        batch->spare = values->next;
    else
        values = calloc(1, sizeof *values);
    if (!values) return px_fault(PX_F_OOM, "a column of a batch");
    int r = values_start(values, type);
    if (r != 0) {
        values->next = batch->spare;
        batch->spare = values;
        return r;
    }
    *ret_values = values;
    return 0;
}

static void values_give_back(struct batch *batch, struct values *values)
{
    while (values) {
        struct values *next = values->next;
        values->next = batch->spare;
        batch->spare = values;
        values = next;
    }
}

/* Lists without a value, left by a replaced value or an aborted row. */
static void drop_empty_lists(struct batch *batch, struct batch_column *column)
{
    struct values **link = &column->values;
    while (*link) {
        struct values *values = *link;
        if (values->count > 0) {
            link = &values->next;
            continue;
        }
        *link = values->next;
        values->next = NULL;
        values_give_back(batch, values);
    }
}

/* ---- life ---- */

static bool columns_widen(struct batch *batch)
{
    uint32_t cap = batch->column_cap ? batch->column_cap * 2 : 16;
    struct batch_column *columns = realloc(batch->columns, cap * sizeof *columns);
    if (!columns) return false;
    batch->columns = columns;
    batch->column_cap = cap;
    return true;
}

static bool slots_widen(struct batch *batch)
{
    uint32_t slot_count = name_index_slots_for(batch->column_count * 2);
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    if (!slots) return false;
    free(batch->slots);
    batch->slots = slots;
    batch->slot_count = slot_count;
    struct name_index index = index_of(batch);
    for (uint32_t i = 0; i < batch->column_count; i++)
        *name_index_slot(&index, column_name(batch, i)) = i + 1;
    return true;
}

static int column_add(struct batch *batch, struct px_str name, uint32_t *ret_column)
{
    if (batch->column_count == batch->column_cap && !columns_widen(batch))
        return px_fault(PX_F_OOM, "%u columns in a batch", batch->column_count);
    if (batch->column_count * 2 + 2 > batch->slot_count && !slots_widen(batch))
        return px_fault(PX_F_OOM, "%u columns in a batch", batch->column_count);
    uint32_t column = batch->column_count;
    struct batch_column *it = &batch->columns[column];
    memcpy(it->name, name.ptr, name.len);
    it->name_len = (uint32_t)name.len;
    it->follower = BATCH_NO_COLUMN;
    it->row_mark = 0;
    it->row_put = it->values = NULL;
    struct name_index index = index_of(batch);
    *name_index_slot(&index, name) = column + 1;
    batch->column_count++;
    batch->bytes += name.len + COLUMN_COST;
    *ret_column = column;
    return 0;
}

/* The newest column goes. */
static void column_remove(struct batch *batch)
{
    uint32_t column = batch->column_count - 1;
    struct name_index index = index_of(batch);
    *name_index_slot(&index, column_name(batch, column)) = 0;
    values_give_back(batch, batch->columns[column].values);
    batch->column_count--;
}

static int time_column_add(struct batch *batch)
{
    uint32_t column;
    PX_TRY(column_add(batch, S(COL_TIME_NAME), &column));
    PX_TRY(values_take(batch, COL_TIME, &batch->columns[0].values));
    return 0;
}

static int batch_init(struct batch *batch)
{
    struct batch_limits *max = &batch->limits;
    if (max->bytes_max == 0) max->bytes_max = BATCH_BYTES_DEFAULT;
    if (max->rows_max == 0) max->rows_max = BATCH_ROWS_DEFAULT;
    if (max->columns_max == 0) max->columns_max = SCHEMA_COLUMNS_MAX;
    if (max->row_columns_max == 0) max->row_columns_max = ROW_COLUMNS_DEFAULT;
    if (max->cells_max == 0) max->cells_max = BATCH_CELLS_DEFAULT;
    if (max->named_bytes_max == 0) max->named_bytes_max = BATCH_NAMED_DEFAULT;
    PX_ASSERT(max->bytes_max <= BATCH_BYTES_CEILING && max->rows_max <= FRAME_ROWS_MAX);
    batch->magic = BATCH_MAGIC;
    batch->first_follower = BATCH_NO_COLUMN;
    batch->row_log = malloc(max->row_columns_max * sizeof *batch->row_log);
    batch->scratch = frame_scratch_new();
    if (!batch->row_log || !batch->scratch) return px_fault(PX_F_OOM, "a batch");
    PX_TRY(time_column_add(batch));
    return 0;
}

int batch_new(const struct batch_limits *limits, struct batch **ret_batch)
{
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch) return px_fault(PX_F_OOM, "a batch");
    if (limits) batch->limits = *limits;
    int r = batch_init(batch);
    if (r != 0) {
        batch_free(&batch);
        return r;
    }
    *ret_batch = batch;
    return 0;
}

static void spare_free(struct batch *batch)
{
    while (batch->spare) {
        struct values *values = batch->spare;
        batch->spare = values->next;
        values_deinit(values);
        free(values);
    }
}

void batch_free(struct batch **batch)
{
    struct batch *it = *batch;
    if (!it) return;
    PX_ASSERT(it->magic == BATCH_MAGIC);
    for (uint32_t i = 0; i < it->column_count; i++) values_give_back(it, it->columns[i].values);
    spare_free(it);
    frame_scratch_free(it->scratch);
    free(it->columns);
    free(it->slots);
    free(it->row_log);
    free(it);
    *batch = NULL;
}

static size_t spare_held_bytes(const struct batch *batch)
{
    size_t bytes = 0;
    for (const struct values *it = batch->spare; it; it = it->next) bytes += values_held_bytes(it);
    return bytes;
}

void batch_reset(struct batch *batch)
{
    PX_ASSERT(batch->magic == BATCH_MAGIC);
    /* from the last column to the first, so that a batch of the same shape finds each column's
     * memory under the same column again; `time` keeps its own */
    for (uint32_t i = batch->column_count; i-- > 1;)
        values_give_back(batch, PX_TAKE(batch->columns[i].values));
    struct values *time = batch->columns[0].values;
    size_t held = spare_held_bytes(batch) + frame_scratch_held_bytes(batch->scratch);
    if (held + values_held_bytes(time) > KEEP_BYTES_MAX) {
        spare_free(batch);
        frame_scratch_trim(batch->scratch);
        values_deinit(time);
    }
    int r = values_start(time, COL_TIME); /* numbers take no memory at the start */
    PX_ASSERT(r == 0);
    while (batch->column_count > 1) column_remove(batch);
    batch->columns[0].follower = BATCH_NO_COLUMN;
    batch->columns[0].row_mark = 0;
    batch->rows = 0;
    batch->bytes = sizeof COL_TIME_NAME + COLUMN_COST;
    batch->named_bytes = 0;
    batch->in_row = false;
    batch->row_log_count = 0;
    batch->first_follower = BATCH_NO_COLUMN;
}

/* ---- rows ---- */

void batch_row_begin(struct batch *batch)
{
    PX_ASSERT(batch->magic == BATCH_MAGIC && !batch->in_row);
    batch->in_row = true;
    batch->row_has_time = false;
    batch->row_serial++;
    batch->row_bytes_before = batch->bytes;
    batch->row_named_before = batch->named_bytes;
    batch->row_columns_before = batch->column_count;
    batch->row_log_count = 0;
    batch->last_put = BATCH_NO_COLUMN;
}

int batch_row_end(struct batch *batch)
{
    PX_ASSERT(batch->in_row && batch->row_has_time);
    const struct batch_limits *max = &batch->limits;
    bool is_full = batch->rows >= max->rows_max ||
                   batch->bytes + sizeof(int64_t) > max->bytes_max ||
                   (batch->rows + UINT64_C(1)) * batch->column_count > max->cells_max;
    if (is_full) {
        batch_row_abort(batch);
        return BATCH_FULL;
    }
    int r = values_add_word(batch->columns[0].values, batch->rows, (uint64_t)batch->row_time_us);
    if (r != 0) {
        batch_row_abort(batch);
        return r;
    }
    batch->bytes += sizeof(int64_t);
    batch->rows++;
    batch->in_row = false;
    return 0;
}

void batch_row_abort(struct batch *batch)
{
    if (!batch->in_row) return;
    for (uint32_t i = batch->row_log_count; i-- > 0;) {
        struct batch_column *column = &batch->columns[batch->row_log[i]];
        if (column->row_put) values_pop(column->row_put);
        column->row_mark = 0;
        drop_empty_lists(batch, column);
    }
    while (batch->column_count > batch->row_columns_before) column_remove(batch);
    batch->bytes = batch->row_bytes_before;
    batch->named_bytes = batch->row_named_before;
    batch->in_row = false;
}

/* ---- finding a column ---- */

static int find_or_add(struct batch *batch, struct px_str name, uint32_t *ret_column)
{
    if (name.len == 0 || name.len > COL_NAME_BYTES_MAX) return BATCH_BAD_NAME;
    struct name_index index = index_of(batch);
    uint32_t *slot = name_index_slot(&index, name);
    if (*slot == 1) return BATCH_BAD_NAME; /* `time` has its own call */
    if (*slot != 0) {
        *ret_column = *slot - 1;
        return 0;
    }
    if (!name_is_valid(name)) return BATCH_BAD_NAME;
    if (batch->column_count >= batch->limits.columns_max) return BATCH_TOO_MANY_COLUMNS;
    return column_add(batch, name, ret_column);
}

/* The cursor's guess first: the column that followed the last put in the row before. */
static int find_column(struct batch *batch, struct px_str name, uint32_t *ret_column)
{
    uint32_t *follower = batch->last_put == BATCH_NO_COLUMN
                             ? &batch->first_follower
                             : &batch->columns[batch->last_put].follower;
    uint32_t guess = *follower;
    if (__builtin_expect(guess < batch->column_count, 1)) {
        const struct batch_column *column = &batch->columns[guess];
        if (column->name_len == name.len && memcmp(column->name, name.ptr, name.len) == 0) {
            *ret_column = batch->last_put = guess;
            return 0;
        }
    }
    uint32_t column = 0, last_put = batch->last_put;
    int r = find_or_add(batch, name, &column); /* may move the columns */
    if (r != 0) return r;
    if (last_put == BATCH_NO_COLUMN)
        batch->first_follower = column;
    else
        batch->columns[last_put].follower = column;
    *ret_column = batch->last_put = column;
    return 0;
}

/* The column's list of this type. */
static int find_values(struct batch *batch, struct batch_column *column, enum col_type type,
                       struct values **ret_values)
{
    struct values **link = &column->values;
    while (*link && (*link)->type != type) link = &(*link)->next;
    if (!*link) PX_TRY(values_take(batch, type, link));
    *ret_values = *link;
    return 0;
}

/* Where this row's value of `name` goes; value_bytes is what it adds. The row's log knows the
 * column before anything can fail; row_put is NULL until its value stands. */
static int place(struct batch *batch, struct px_str name, enum col_type type, size_t value_bytes,
                 struct batch_column **ret_column, struct values **ret_values)
{
    PX_ASSERT(batch->in_row);
    uint32_t number;
    int r = find_column(batch, name, &number);
    if (__builtin_expect(r != 0, 0)) return r;
    struct batch_column *column = &batch->columns[number];
    if (__builtin_expect(column->row_mark == batch->row_serial, 0)) {
        if (column->row_put) values_pop(column->row_put);
    } else {
        if (batch->row_log_count == batch->limits.row_columns_max) return BATCH_TOO_MANY_COLUMNS;
        batch->row_log[batch->row_log_count++] = number;
        column->row_mark = batch->row_serial;
    }
    column->row_put = NULL;
    struct values *values;
    PX_TRY(find_values(batch, column, type, &values));
    size_t cost = value_bytes + values_row_cost(values, batch->rows);
    if (batch->bytes > batch->limits.bytes_max || cost > batch->limits.bytes_max - batch->bytes)
        return BATCH_FULL;
    size_t named = name.len + value_bytes + NAMED_COST;
    if (batch->named_bytes + named > batch->limits.named_bytes_max) return BATCH_FULL;
    batch->bytes += cost;
    batch->named_bytes += named;
    *ret_column = column;
    *ret_values = values;
    return 0;
}

/* ---- putting ---- */

int batch_put_time(struct batch *batch, int64_t unix_us)
{
    PX_ASSERT(batch->in_row && !batch->row_has_time);
    batch->row_time_us = unix_us;
    batch->row_has_time = true;
    return 0;
}

static int put_word(struct batch *batch, struct px_str name, enum col_type type, uint64_t bits)
{
    struct batch_column *column;
    struct values *values;
    int r = place(batch, name, type, sizeof bits, &column, &values);
    if (r != 0) return r;
    PX_TRY(values_add_word(values, batch->rows, bits));
    column->row_put = values;
    return 0;
}

static int put_text(struct batch *batch, struct px_str name, enum col_type type, struct px_str text)
{
    struct batch_column *column;
    struct values *values;
    int r = place(batch, name, type, text.len + sizeof(uint32_t), &column, &values);
    if (r != 0) return r;
    PX_TRY(values_add_text(values, batch->rows, text));
    column->row_put = values;
    return 0;
}

int batch_put_time_field(struct batch *batch, struct px_str name, int64_t unix_us)
{
    return put_word(batch, name, COL_TIME, (uint64_t)unix_us);
}

int batch_put_int(struct batch *batch, struct px_str name, int64_t value)
{
    return put_word(batch, name, COL_INT, (uint64_t)value);
}

int batch_put_double(struct batch *batch, struct px_str name, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return put_word(batch, name, COL_DOUBLE, bits);
}

int batch_put_bool(struct batch *batch, struct px_str name, bool value)
{
    struct batch_column *column;
    struct values *values;
    int r = place(batch, name, COL_BOOL, 1, &column, &values);
    if (r != 0) return r;
    PX_TRY(values_add_bool(values, batch->rows, value));
    column->row_put = values;
    return 0;
}

int batch_put_str(struct batch *batch, struct px_str name, struct px_str utf8)
{
    return put_text(batch, name, COL_STRING, utf8);
}

int batch_put_json(struct batch *batch, struct px_str name, struct px_str json_text)
{
    return put_text(batch, name, COL_JSON, json_text);
}

/* ---- what is in it ---- */

uint32_t batch_rows(const struct batch *batch) { return batch->rows; }
size_t batch_bytes(const struct batch *batch) { return batch->bytes; }
uint32_t batch_columns(const struct batch *batch) { return batch->column_count; }

struct px_str batch_column_name(const struct batch *batch, uint32_t column)
{
    PX_ASSERT(column < batch->column_count);
    return column_name(batch, column);
}

static const struct values *values_of(const struct batch_column *column, enum col_type type)
{
    for (const struct values *it = column->values; it; it = it->next)
        if (it->type == type && it->count > 0) return it;
    return NULL;
}

enum col_type batch_column_type(const struct batch *batch, uint32_t column)
{
    PX_ASSERT(column < batch->column_count);
    const struct batch_column *it = &batch->columns[column];
    uint32_t lists = 0;
    enum col_type type = column == 0 ? COL_TIME : COL_MIXED;
    for (const struct values *values = it->values; values; values = values->next) {
        if (values->count == 0) continue;
        type = values->type;
        lists++;
    }
    if (lists <= 1) return type;
    const struct values *ints = values_of(it, COL_INT), *doubles = values_of(it, COL_DOUBLE);
    bool numbers = lists == 2 && ints && doubles;
    return numbers && values_ints_fit_double(ints) ? COL_DOUBLE : COL_MIXED;
}
