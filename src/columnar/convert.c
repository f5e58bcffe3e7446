/* columnar/convert.c - frame columns through a schema; `_other` is in convert_other.c. */
#include "columnar/convert.h"

#include "columnar/convert_impl.h"
#include "columnar/frame_layout.h"
#include "columnar/names.h"
#include "columnar/values.h"

static bool needs_other(const struct schema *schema, const struct frame_column *column)
{
    int at = schema_find(schema, column->name);
    return at < 0 || !column_always_converts(column, schema->columns[at].type);
}

int schema_merge_frame(struct schema *schema, const struct frame *frame, bool *ret_changed)
{
    for (uint32_t i = 0; i < frame->header.columns; i++) {
        const struct frame_column *column = &frame->columns[i];
        PX_TRY(schema_merge(schema, column->name, column->type, ret_changed));
        if (needs_other(schema, column)) PX_TRY(schema_add_other(schema, ret_changed));
    }
    return 0;
}

/* ---- columns without misfits ---- */

static size_t item_bytes(enum col_type type)
{
    return type == COL_BOOL ? 1 : col_type_is_text(type) ? sizeof(struct px_str) : sizeof(int64_t);
}

int convert_all_null(const struct frame *frame, enum col_type type, struct px_arena *arena,
                     struct frame_values *ret_values)
{
    size_t rows = frame->header.rows;
    uint64_t *validity = px_arena_array(arena, uint64_t, rows / 64 + 1);
    void *items = px_arena_zalloc_array(arena, item_bytes(type), rows + 1);
    if (!validity || !items) return frame_no_room(arena);
    *ret_values = (struct frame_values){.type = type, .validity = validity};
    ret_values->b = items;
    return 0;
}

/* An INT column whose values all fit: the common widening. */
static int ints_to_doubles(uint32_t rows, struct px_arena *arena, struct frame_values *values)
{
    double *doubles = px_arena_alloc(arena, (rows + 1) * sizeof *doubles);
    if (!doubles) return frame_no_room(arena);
    for (uint32_t i = 0; i < rows; i++) doubles[i] = (double)values->i[i];
    values->type = COL_DOUBLE;
    values->d = doubles;
    return 0;
}

/* ---- value by value ---- */

static void store(const struct value *value, uint32_t row, struct frame_values *values)
{
    void *items = (void *)(uintptr_t)values->b; /* made by convert_all_null(), writable */
    switch (value->type) {
    case COL_BOOL: ((uint8_t *)items)[row] = value->b; break;
    case COL_DOUBLE: ((double *)items)[row] = value->d; break;
    case COL_INT:
    case COL_TIME: ((int64_t *)items)[row] = value->i; break;
    default: ((struct px_str *)items)[row] = value->s;
    }
    ((uint64_t *)(uintptr_t)values->validity)[row / 64] |= UINT64_C(1) << row % 64;
}

static int convert_values(const struct frame *frame, const struct frame_values *from,
                          enum col_type to, struct px_arena *arena, struct frame_values *ret_values)
{
    PX_AUTO(value_space_deinit) struct value_space space;
    value_space_init(&space, arena);
    struct frame_values values;
    PX_TRY(convert_all_null(frame, to, arena, &values));
    for (uint32_t row = 0; row < frame->header.rows; row++) {
        if (!values_have_row(from, row)) continue;
        struct value value, converted;
        int r = value_of_row(from, row, &space, &value);
        if (r == 0) r = value_convert(&value, to, &space, &converted);
        if (r < 0) return r;
        if (r == 0) store(&converted, row, &values);
    }
    *ret_values = values;
    return 0;
}

int convert_column(const struct schema *schema, uint32_t column, const struct frame *frame,
                   struct px_arena *arena, struct frame_values *ret_values)
{
    PX_ASSERT(column < schema->count);
    struct px_str name = schema->columns[column].name;
    enum col_type to = schema->columns[column].type;
    if (name_eq(name, S(COL_OTHER_NAME))) return convert_other(schema, frame, arena, ret_values);
    int at = frame_find(frame, name);
    if (at < 0) return convert_all_null(frame, to, arena, ret_values);

    struct frame_values values;
    const struct frame_column *from = &frame->columns[at];
    PX_TRY(frame_read_column(frame, (uint32_t)at, arena, &values));
    if (from->type == COL_INT && to == COL_DOUBLE && !from->has_big_ints) {
        PX_TRY(ints_to_doubles(frame->header.rows, arena, &values));
    } else if (from->type != to) {
        PX_TRY(convert_values(frame, &values, to, arena, &values));
    }
    *ret_values = values;
    return 0;
}
