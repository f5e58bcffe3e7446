/* svc/ingest/otlp_value.c - attribute values: scalars as typed columns, lists as JSON text.
 *
 * In JSON text integers keep all their digits, doubles are the shortest text that reads back the same,
 * bytes are base64, key-value lists are objects and an empty value is null. */
#include "svc/ingest/otlp.h"

#include <aws/common/encoding.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

#define VALUE_CASE(name) OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_##name

/* ---- UTF-8 ---- */

static bool is_ascii(struct px_str s)
{
    size_t at = 0;
    for (uint64_t word; at + sizeof word <= s.len; at += sizeof word) {
        memcpy(&word, s.ptr + at, sizeof word);
        if (word & UINT64_C(0x8080808080808080)) return false;
    }
    for (; at < s.len; at++)
        if ((unsigned char)s.ptr[at] >= 0x80) return false;
    return true;
}

/* The JSON writer of base replaces what is not UTF-8; reading its text back gives the repaired string. */
static int repaired(struct px_str bytes, struct px_buf *text, struct px_str *ret_utf8)
{
    px_buf_clear(text);
    px_buf_add_json_str(text, bytes);
    if (px_buf_fault(text)) return px_buf_fault(text);
    yyjson_doc *doc = yyjson_read(text->ptr, text->len, YYJSON_READ_NOFLAG);
    if (!doc) return px_fault(PX_F_OOM, "repairing %zu bytes of text", bytes.len);
    yyjson_val *val = yyjson_doc_get_root(doc);
    px_buf_clear(text);
    px_buf_add(text, yyjson_get_str(val), yyjson_get_len(val));
    yyjson_doc_free(doc);
    *ret_utf8 = px_buf_str(text);
    return px_buf_fault(text);
}

int otlp_utf8(struct px_str bytes, struct px_buf *text, struct px_str *ret_utf8)
{
    struct aws_byte_cursor cursor = aws_byte_cursor_from_array(bytes.ptr, bytes.len);
    if (!is_ascii(bytes) && aws_decode_utf8(cursor, NULL) != AWS_OP_SUCCESS)
        return repaired(bytes, text, ret_utf8);
    *ret_utf8 = bytes;
    return 0;
}

/* ---- JSON text ---- */

void otlp_add_double(struct px_buf *json, double value)
{
    if (!isfinite(value)) {
        px_buf_add_c(json, isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    px_buf_add_c(json, text);
    if (!strpbrk(text, ".e"))
        px_buf_add(json, ".0", 2); /* a double stays one when it is read back */
}

void otlp_add_doubles(struct px_buf *json, const double *values, size_t count)
{
    px_buf_add_char(json, '[');
    for (size_t i = 0; i < count; i++) {
        if (i) px_buf_add_char(json, ',');
        otlp_add_double(json, values[i]);
    }
    px_buf_add_char(json, ']');
}

void otlp_add_hex(struct px_buf *json, ProtobufCBinaryData bytes)
{
    px_buf_add_char(json, '"');
    for (size_t i = 0; i < bytes.len; i++) px_buf_printf(json, "%02x", bytes.data[i]);
    px_buf_add_char(json, '"');
}

void otlp_add_u64s(struct px_buf *json, const uint64_t *values, size_t count)
{
    px_buf_add_char(json, '[');
    for (size_t i = 0; i < count; i++)
        px_buf_printf(json, "%s%llu", i ? "," : "", (unsigned long long)values[i]);
    px_buf_add_char(json, ']');
}

int otlp_add_pairs(struct px_buf *json, otlp_pair *const *pairs, size_t count, unsigned depth)
{
    px_buf_add_char(json, '{');
    for (size_t i = 0; i < count; i++) {
        if (i) px_buf_add_char(json, ',');
        px_buf_add_json_str(json, otlp_str(pairs[i]->key));
        px_buf_add_char(json, ':');
        OTLP_TRY(otlp_add_value(json, pairs[i]->value, depth));
    }
    px_buf_add_char(json, '}');
    return 0;
}

static int add_array(struct px_buf *json, const otlp_array *array, unsigned depth)
{
    px_buf_add_char(json, '[');
    for (size_t i = 0; i < array->n_values; i++) {
        if (i) px_buf_add_char(json, ',');
        OTLP_TRY(otlp_add_value(json, array->values[i], depth));
    }
    px_buf_add_char(json, ']');
    return 0;
}

int otlp_add_value(struct px_buf *json, const otlp_value *value, unsigned depth)
{
    if (depth > OTLP_VALUE_DEPTH_MAX) return OTLP_TOO_DEEP;
    switch ((int)(value ? value->value_case : 0)) {
    case VALUE_CASE(STRING_VALUE): px_buf_add_json_str(json, otlp_str(value->string_value)); break;
    case VALUE_CASE(BOOL_VALUE): px_buf_add_c(json, value->bool_value ? "true" : "false"); break;
    case VALUE_CASE(INT_VALUE): px_buf_printf(json, "%lld", (long long)value->int_value); break;
    case VALUE_CASE(DOUBLE_VALUE): otlp_add_double(json, value->double_value); break;
    case VALUE_CASE(ARRAY_VALUE): return add_array(json, value->array_value, depth + 1);
    case VALUE_CASE(KVLIST_VALUE):
        return otlp_add_pairs(json, value->kvlist_value->values, value->kvlist_value->n_values,
                              depth + 1);
    case VALUE_CASE(BYTES_VALUE):
        px_buf_add_char(json, '"');
        px_buf_add_base64(json, otlp_str(value->bytes_value));
        px_buf_add_char(json, '"');
        break;
    default:
        px_buf_add_c(json, "null"); /* not set, or a kind of value this version does not know */
    }
    return 0;
}

/* ---- columns ---- */

static int text_field(struct px_buf *text, enum otlp_kind kind, struct otlp_field *ret_field)
{
    *ret_field = (struct otlp_field){.kind = kind, .s = px_buf_str(text)};
    return px_buf_fault(text);
}

int otlp_field_of(const otlp_value *value, struct px_buf *text, struct otlp_field *ret_field)
{
    struct px_str utf8;
    *ret_field = (struct otlp_field){.kind = OTLP_ABSENT};
    switch ((int)(value ? value->value_case : 0)) {
    case VALUE_CASE(STRING_VALUE):
        OTLP_TRY(otlp_utf8(otlp_str(value->string_value), text, &utf8));
        *ret_field = (struct otlp_field){.kind = OTLP_STR, .s = utf8};
        return 0;
    case VALUE_CASE(BOOL_VALUE):
        *ret_field = (struct otlp_field){.kind = OTLP_BOOL, .b = value->bool_value != 0};
        return 0;
    case VALUE_CASE(INT_VALUE):
        *ret_field = (struct otlp_field){.kind = OTLP_INT, .i = value->int_value};
        return 0;
    case VALUE_CASE(DOUBLE_VALUE):
        *ret_field = (struct otlp_field){.kind = OTLP_DOUBLE, .d = value->double_value};
        return 0;
    case VALUE_CASE(BYTES_VALUE):
        px_buf_clear(text);
        px_buf_add_base64(text, otlp_str(value->bytes_value));
        return text_field(text, OTLP_STR, ret_field);
    case VALUE_CASE(ARRAY_VALUE):
    case VALUE_CASE(KVLIST_VALUE):
        px_buf_clear(text);
        OTLP_TRY(otlp_add_value(text, value, 1));
        return text_field(text, OTLP_JSON, ret_field);
    default: return 0;
    }
}
