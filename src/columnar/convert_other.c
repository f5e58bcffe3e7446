/* columnar/convert_other.c - the column `_other`: per row a JSON object of what has no place.
 *
 * Vocabulary. A misfit is a column of the frame of which some values may not fit: the schema has no
 * column for it or one of a type that does not take everything. Own is a column `_other` that the
 * sender put in the frame: an object there is what misfits are merged over; anything else stands
 * under the name `_other` within. A row for which nothing is left over is NULL. */
#include "columnar/convert_impl.h"
#include "columnar/frame_layout.h"

#include <stdlib.h>
#include <yyjson.h>

struct misfit {
    struct px_str name; /* as the schema spells it, if it does */
    bool has_column;
    enum col_type to; /* of that column */
    struct frame_values values;
    uint32_t row; /* the last row in which a value was left over, plus one */
};
struct other {
    const struct schema *schema;
    const struct frame *frame;
    struct px_arena *arena;
    struct misfit *misfits;
    uint32_t misfit_count;
    bool has_own;
    struct frame_values own;
    struct value_space space;
    struct px_buf text; /* the objects, end to end */
};

/* ---- what may be left over ---- */

static int find_misfits(struct other *other)
{
    const struct frame *frame = other->frame;
    other->misfits = px_arena_array(other->arena, struct misfit, frame->header.columns);
    if (!other->misfits) return frame_no_room(other->arena);
    int own = frame_find(frame, S(COL_OTHER_NAME));
    other->has_own = own >= 0;
    if (own >= 0) PX_TRY(frame_read_column(frame, (uint32_t)own, other->arena, &other->own));
    for (uint32_t i = 0; i < frame->header.columns; i++) {
        const struct frame_column *column = &frame->columns[i];
        int at = schema_find(other->schema, column->name);
        if ((int)i == own) continue;
        if (at >= 0 && column_always_converts(column, other->schema->columns[at].type)) continue;
        struct misfit *misfit = &other->misfits[other->misfit_count++];
        misfit->has_column = at >= 0;
        misfit->name = at >= 0 ? other->schema->columns[at].name : column->name;
        if (at >= 0) misfit->to = other->schema->columns[at].type;
        PX_TRY(frame_read_column(frame, i, other->arena, &misfit->values));
    }
    return 0;
}

/* ---- one row ---- */

static void begin_member(struct other *other, size_t start, struct px_str name)
{
    px_buf_add_char(&other->text, other->text.len == start ? '{' : ',');
    px_buf_add_json_str(&other->text, name);
    px_buf_add_char(&other->text, ':');
}

/* Whether this row's value of a misfit is left over; ret_value is it. */
static int is_left_over(struct other *other, const struct misfit *misfit, uint32_t row,
                        bool *ret_is, struct value *ret_value)
{
    struct value converted;
    *ret_is = false;
    if (!values_have_row(&misfit->values, row)) return 0;
    int r = value_of_row(&misfit->values, row, &other->space, ret_value);
    if (r != 0) return r < 0 ? r : 0;
    r = misfit->has_column ? value_convert(ret_value, misfit->to, &other->space, &converted)
                           : VALUE_NO;
    *ret_is = r == VALUE_NO;
    return r < 0 ? r : 0;
}

static int add_misfits(struct other *other, uint32_t row, size_t start)
{
    for (uint32_t i = 0; i < other->misfit_count; i++) {
        struct misfit *misfit = &other->misfits[i];
        struct value value;
        bool is_over;
        PX_TRY(is_left_over(other, misfit, row, &is_over, &value));
        if (!is_over) continue;
        misfit->row = row + 1;
        begin_member(other, start, misfit->name);
        value_add_json(&value, &other->text);
    }
    return 0;
}

static bool is_replaced(const struct other *other, uint32_t row, struct px_str key)
{
    for (uint32_t i = 0; i < other->misfit_count; i++)
        if (other->misfits[i].row == row + 1 && px_str_eq(other->misfits[i].name, key)) return true;
    return false;
}

/* The members of the sender's own object that no misfit replaces. */
static void add_own_members(struct other *other, uint32_t row, size_t start, yyjson_val *own)
{
    yyjson_obj_iter fields = yyjson_obj_iter_with(own);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&fields)) != NULL;) {
        struct px_str name = px_str(yyjson_get_str(key), yyjson_get_len(key));
        if (is_replaced(other, row, name)) continue;
        begin_member(other, start, name);
        size_t len = 0;
        char *text = yyjson_val_write(yyjson_obj_iter_get_val(key), YYJSON_WRITE_NOFLAG, &len);
        if (text)
            px_buf_add(&other->text, text, len);
        else
            other->text.fault = px_fault(PX_F_OOM, "writing JSON");
        free(text);
    }
}

static int add_own(struct other *other, uint32_t row, size_t start)
{
    struct value value;
    if (!other->has_own || !values_have_row(&other->own, row)) return 0;
    int r = value_of_row(&other->own, row, &other->space, &value);
    if (r != 0) return r < 0 ? r : 0;
    if (value.type == COL_JSON && value.s.ptr[0] == '{') {
        yyjson_doc *doc = yyjson_read(value.s.ptr, value.s.len, YYJSON_READ_BIGNUM_AS_RAW);
        if (doc) {
            add_own_members(other, row, start, yyjson_doc_get_root(doc));
            yyjson_doc_free(doc);
            return 0;
        }
    }
    begin_member(other, start, S(COL_OTHER_NAME));
    value_add_json(&value, &other->text);
    return 0;
}

/* ---- all rows ---- */

static int add_rows(struct other *other, struct px_str *views, uint64_t *validity)
{
    for (uint32_t row = 0; row < other->frame->header.rows; row++) {
        size_t start = other->text.len;
        PX_TRY(add_misfits(other, row, start));
        PX_TRY(add_own(other, row, start));
        if (other->text.len == start) continue;
        px_buf_add_char(&other->text, '}');
        views[row] = px_str(NULL, other->text.len - start);
        validity[row / 64] |= UINT64_C(1) << row % 64;
    }
    return px_buf_fault(&other->text);
}

static int build(struct other *other, struct frame_values *ret_values)
{
    PX_TRY(find_misfits(other));
    struct frame_values values;
    PX_TRY(convert_all_null(other->frame, COL_JSON, other->arena, &values));
    *ret_values = values;
    if (other->misfit_count == 0 && !other->has_own) return 0;
    struct px_str *views = (struct px_str *)(uintptr_t)values.s;
    PX_TRY(add_rows(other, views, (uint64_t *)(uintptr_t)values.validity));
    struct px_str text = px_arena_dup(other->arena, px_buf_str(&other->text));
    if (!text.ptr) return frame_no_room(other->arena);
    for (uint32_t row = 0; row < other->frame->header.rows; row++) {
        if (!values_have_row(&values, row)) continue;
        views[row].ptr = text.ptr;
        text = px_str_skip(text, views[row].len);
    }
    return 0;
}

int convert_other(const struct schema *schema, const struct frame *frame, struct px_arena *arena,
                  struct frame_values *ret_values)
{
    struct other other = {.schema = schema, .frame = frame, .arena = arena};
    value_space_init(&other.space, arena);
    px_buf_init(&other.text, FRAME_BLOCK_RAW_MAX);
    int r = build(&other, ret_values);
    value_space_deinit(&other.space);
    px_buf_deinit(&other.text);
    return r;
}
