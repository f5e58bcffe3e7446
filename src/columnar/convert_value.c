/* columnar/convert_value.c - see convert_value.h. */
#include "columnar/convert_value.h"

#include <math.h>
#include <yyjson.h>

#include "base/px_clock.h"
#include "columnar/frame_layout.h"
#include "columnar/value_text.h"
#include "columnar/values.h"

/* Decimal digits that survive the way through a double and back. */
#define DOUBLE_DIGITS 15
#define NUMBER_BYTES_MAX 64

void value_space_init(struct value_space *space, struct px_arena *arena)
{
    space->arena = arena;
    px_buf_init(&space->scratch, FRAME_BLOCK_RAW_MAX);
}
void value_space_deinit(struct value_space *space) { px_buf_deinit(&space->scratch); }

/* What stands in scratch, kept in the arena. */
static int keep_scratch(struct value_space *space, enum col_type type, struct value *ret_value)
{
    PX_TRY(px_buf_fault(&space->scratch));
    struct px_str text = px_arena_dup(space->arena, px_buf_str(&space->scratch));
    if (!text.ptr) return frame_no_room(space->arena);
    *ret_value = (struct value){.type = type, .s = text};
    return 0;
}

/* ---- JSON text to a value ---- */

/* A JSON number, the whole of text. */
static bool parse_number(struct px_str text, yyjson_val *ret_val)
{
    char copy[NUMBER_BYTES_MAX + 1];
    if (text.len == 0 || text.len > NUMBER_BYTES_MAX) return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    const char *end = yyjson_read_number(copy, ret_val, YYJSON_READ_NOFLAG, NULL, NULL);
    return end == copy + text.len && unsafe_yyjson_is_num(ret_val);
}

static bool is_int64(yyjson_val *val)
{
    return yyjson_is_sint(val) || (yyjson_is_uint(val) && val->uni.u64 <= INT64_MAX);
}

static int value_of_number(struct px_str json, struct value *ret_value)
{
    yyjson_val val;
    if (!parse_number(json, &val))
        *ret_value = (struct value){.type = COL_STRING, .s = json};
    else if (is_int64(&val))
        *ret_value = (struct value){.type = COL_INT, .i = val.uni.i64};
    else if (yyjson_is_real(&val))
        *ret_value = (struct value){.type = COL_DOUBLE, .d = val.uni.f64};
    else
        *ret_value = (struct value){.type = COL_STRING, .s = json};
    return 0;
}

static int value_of_string(struct px_str json, struct value_space *space, struct value *ret_value)
{
    bool is_plain = json.len >= 2 && !memchr(json.ptr, '\\', json.len);
    if (is_plain) { /* what is between the quotes is the text itself */
        *ret_value = (struct value){.type = COL_STRING, .s = px_str(json.ptr + 1, json.len - 2)};
        return 0;
    }
    yyjson_doc *doc = yyjson_read(json.ptr, json.len, YYJSON_READ_NOFLAG);
    yyjson_val *root = yyjson_doc_get_root(doc);
    px_buf_clear(&space->scratch);
    if (yyjson_is_str(root))
        px_buf_add(&space->scratch, yyjson_get_str(root), yyjson_get_len(root));
    else
        px_buf_add_str(&space->scratch, json); /* nothing that we wrote */
    yyjson_doc_free(doc);
    return keep_scratch(space, COL_STRING, ret_value);
}

/* json is one JSON value without white space around it. */
static int value_of_json(struct px_str json, struct value_space *space, struct value *ret_value)
{
    switch (json.len ? json.ptr[0] : '\0') {
    case '"': return value_of_string(json, space, ret_value);
    case '{':
    case '[': *ret_value = (struct value){.type = COL_JSON, .s = json}; return 0;
    case 't':
    case 'f': *ret_value = (struct value){.type = COL_BOOL, .b = json.ptr[0] == 't'}; return 0;
    case 'n': return VALUE_NO;
    default: return value_of_number(json, ret_value);
    }
}

static struct px_str text_of_row(const struct frame_values *values, uint32_t row)
{
    return values->codes ? values->dict[values->codes[row]] : values->s[row];
}

int value_of_row(const struct frame_values *values, uint32_t row, struct value_space *space,
                 struct value *ret_value)
{
    struct value value = {.type = values->type};
    switch (values->type) {
    case COL_BOOL: value.b = values->b[row]; break;
    case COL_INT:
    case COL_TIME: value.i = values->i[row]; break;
    case COL_DOUBLE: value.d = values->d[row]; break;
    case COL_STRING: value.s = text_of_row(values, row); break;
    case COL_JSON:
    case COL_MIXED: return value_of_json(text_of_row(values, row), space, ret_value);
    }
    *ret_value = value;
    return 0;
}

void value_add_json(const struct value *value, struct px_buf *buf)
{
    switch (value->type) {
    case COL_BOOL: px_buf_add_c(buf, value->b ? "true" : "false"); return;
    case COL_INT: text_add_int(buf, value->i); return;
    case COL_DOUBLE: json_add_double(buf, value->d); return;
    case COL_TIME: json_add_time(buf, value->i); return;
    case COL_STRING: px_buf_add_json_str(buf, value->s); return;
    default: px_buf_add_str(buf, value->s);
    }
}

/* ---- to each type ---- */

static int to_bool(const struct value *value, struct value *ret_value)
{
    if (value->type != COL_STRING) return VALUE_NO;
    bool is_true = px_str_eq(value->s, S("true"));
    if (!is_true && !px_str_eq(value->s, S("false"))) return VALUE_NO;
    *ret_value = (struct value){.type = COL_BOOL, .b = is_true};
    return 0;
}

static int to_int(const struct value *value, struct value *ret_value)
{
    yyjson_val val;
    if (value->type == COL_DOUBLE) {
        bool is_whole = fabs(value->d) <= 0x1p53 && value->d == trunc(value->d);
        if (!is_whole || (value->d == 0 && signbit(value->d))) return VALUE_NO;
        *ret_value = (struct value){.type = COL_INT, .i = (int64_t)value->d};
        return 0;
    }
    if (value->type != COL_STRING || px_str_eq(value->s, S("-0"))) return VALUE_NO;
    if (!parse_number(value->s, &val) || !is_int64(&val)) return VALUE_NO;
    *ret_value = (struct value){.type = COL_INT, .i = val.uni.i64};
    return 0;
}

/* Digits of a JSON number's mantissa without leading zeros and those at its end. */
static unsigned significant_digits(struct px_str number)
{
    unsigned digits = 0, zeros = 0;
    for (size_t i = 0; i < number.len && (number.ptr[i] | 0x20) != 'e'; i++) {
        char c = number.ptr[i];
        if (c == '-' || c == '.' || (c == '0' && digits == 0)) continue;
        digits++;
        zeros = c == '0' ? zeros + 1 : 0;
    }
    return digits - zeros;
}

static int to_double(const struct value *value, struct value *ret_value)
{
    yyjson_val val;
    if (value->type == COL_INT) {
        if (!int_fits_double(value->i)) return VALUE_NO;
        *ret_value = (struct value){.type = COL_DOUBLE, .d = (double)value->i};
        return 0;
    }
    if (value->type != COL_STRING || !parse_number(value->s, &val)) return VALUE_NO;
    double number = yyjson_get_num(&val);
    unsigned digits = significant_digits(value->s);
    bool underflows = digits > 0 && fabs(number) < 0x1p-1022;
    if (!isfinite(number) || underflows || digits > DOUBLE_DIGITS) return VALUE_NO;
    if (number == 0 && value->s.ptr[0] == '-')
        number = -0.0; /* read as an integer it has no sign */
    *ret_value = (struct value){.type = COL_DOUBLE, .d = number};
    return 0;
}

static int to_time(const struct value *value, struct value *ret_value)
{
    int64_t ns;
    if (value->type != COL_STRING || !px_time_parse(value->s, &ns) || ns % PX_NS_PER_US != 0)
        return VALUE_NO;
    *ret_value = (struct value){.type = COL_TIME, .i = ns / PX_NS_PER_US};
    return 0;
}

/* Takes everything: text as it is, other values as their text. */
static int to_string(const struct value *value, struct value_space *space, struct value *ret_value)
{
    px_buf_clear(&space->scratch);
    switch (value->type) {
    case COL_BOOL: px_buf_add_c(&space->scratch, value->b ? "true" : "false"); break;
    case COL_INT: text_add_int(&space->scratch, value->i); break;
    case COL_DOUBLE: text_add_double(&space->scratch, value->d); break;
    case COL_TIME: text_add_time(&space->scratch, value->i); break;
    default: *ret_value = (struct value){.type = COL_STRING, .s = value->s}; return 0;
    }
    return keep_scratch(space, COL_STRING, ret_value);
}

/* Takes everything, too. */
static int to_json(const struct value *value, struct value_space *space, struct value *ret_value)
{
    px_buf_clear(&space->scratch);
    value_add_json(value, &space->scratch);
    return keep_scratch(space, COL_JSON, ret_value);
}

int value_convert(const struct value *value, enum col_type to, struct value_space *space,
                  struct value *ret_value)
{
    if (value->type == to) {
        *ret_value = *value;
        return 0;
    }
    switch (to) {
    case COL_BOOL: return to_bool(value, ret_value);
    case COL_INT: return to_int(value, ret_value);
    case COL_DOUBLE: return to_double(value, ret_value);
    case COL_TIME: return to_time(value, ret_value);
    case COL_STRING: return to_string(value, space, ret_value);
    default: return to_json(value, space, ret_value);
    }
}

bool column_always_converts(const struct frame_column *column, enum col_type to)
{
    if (column->type == to || to == COL_STRING || to == COL_JSON) return true;
    return column->type == COL_INT && to == COL_DOUBLE && !column->has_big_ints;
}
