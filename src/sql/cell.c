/* sql/cell.c - values as JSON and as text.
 *
 * A scalar has one text; JSON puts quotes around it unless it is a number, true or false. Nested values
 * are JSON in both worlds. Fetched chunks are flat, so a row's value stands at its index. */
#include "sql/cell.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <yyjson.h>

/* ---- numbers ---- */

static char *put_u128(char *end, unsigned __int128 value)
{
    do {
        *--end = (char)('0' + (int)(value % 10));
        value /= 10;
    } while (value != 0);
    return end;
}

static void add_u64(struct px_buf *buf, uint64_t value)
{
    char text[24];
    char *start = text + sizeof(text);
    do {
        *--start = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    px_buf_add(buf, start, (size_t)(text + sizeof(text) - start));
}

static void add_i64(struct px_buf *buf, int64_t value)
{
    if (value < 0) px_buf_add_char(buf, '-');
    add_u64(buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

/* value / 10^scale, exactly. */
static void add_decimal(struct px_buf *buf, __int128 value, uint8_t scale)
{
    char text[48];
    char *end = text + sizeof(text);
    unsigned __int128 magnitude = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
    char *start = put_u128(end, magnitude);
    while (end - start <= scale) /* at least one digit before the point */
        *--start = '0';
    if (value < 0) px_buf_add_char(buf, '-');
    px_buf_add(buf, start, (size_t)(end - start) - scale);
    if (scale == 0) return;
    px_buf_add_char(buf, '.');
    px_buf_add(buf, end - scale, scale);
}

/* The shortest text that reads back as the same number, by yyjson. */
static void add_double(struct px_buf *buf, double value)
{
    yyjson_val number;
    char pool[1024];
    yyjson_alc alc;
    size_t n = 0;
    unsafe_yyjson_set_real(&number, value);
    yyjson_alc_pool_init(&alc, pool, sizeof(pool));
    char *text = yyjson_val_write_opts(&number, YYJSON_WRITE_NOFLAG, &alc, &n, NULL);
    if (text) px_buf_add(buf, text, n);
}

/* ---- times ---- */

static void add_fraction(struct px_buf *buf, int64_t value, int digits)
{
    while (digits > 0 && value % 1000 == 0) { /* none, or groups of three */
        value /= 1000;
        digits -= 3;
    }
    if (digits > 0) px_buf_printf(buf, ".%0*lld", digits, (long long)value);
}

static void add_date(struct px_buf *buf, duckdb_date_struct date)
{
    px_buf_printf(buf, "%04d-%02d-%02d", date.year, date.month, date.day);
}

/* units: fractions of a second in `value`; 1, 1000, 1000000 or 1000000000. */
static void add_timestamp(struct px_buf *buf, int64_t value, int64_t units, int digits)
{
    if (value == INT64_MAX || value == -INT64_MAX) {
        px_buf_add_c(buf, value > 0 ? "infinity" : "-infinity");
        return;
    }
    int64_t seconds = value / units, fraction = value % units;
    if (fraction < 0) {
        fraction += units;
        seconds--;
    }
    int64_t days = seconds / 86400, of_day = seconds % 86400;
    if (of_day < 0) {
        of_day += 86400;
        days--;
    }
    add_date(buf, duckdb_from_date((duckdb_date){(int32_t)days}));
    px_buf_printf(buf, "T%02d:%02d:%02d", (int)(of_day / 3600), (int)(of_day / 60 % 60),
                  (int)(of_day % 60));
    add_fraction(buf, fraction, digits);
    px_buf_add_char(buf, 'Z');
}

static void add_time_of_day(struct px_buf *buf, duckdb_time_struct time)
{
    px_buf_printf(buf, "%02d:%02d:%02d", time.hour, time.min, time.sec);
    add_fraction(buf, time.micros, 6);
}

static void add_time_tz(struct px_buf *buf, duckdb_time_tz value)
{
    duckdb_time_tz_struct parts = duckdb_from_time_tz(value);
    int offset = parts.offset < 0 ? -parts.offset : parts.offset;
    add_time_of_day(buf, parts.time);
    px_buf_printf(buf, "%c%02d:%02d", parts.offset < 0 ? '-' : '+', offset / 3600,
                  offset / 60 % 60);
}

static void add_day(struct px_buf *buf, duckdb_date date)
{
    if (duckdb_is_finite_date(date))
        add_date(buf, duckdb_from_date(date));
    else
        px_buf_add_c(buf, date.days > 0 ? "infinity" : "-infinity");
}

/* ---- texts ---- */

static struct px_str text_at(const void *data, idx_t row)
{
    duckdb_string_t *text = &((duckdb_string_t *)(uintptr_t)data)[row];
    return px_str(duckdb_string_t_data(text), duckdb_string_t_length(*text));
}

/* DuckDB keeps a UUID as a signed 128-bit number with its first bit flipped, so that it sorts. */
static void add_uuid(struct px_buf *buf, duckdb_hugeint value)
{
    uint64_t high = (uint64_t)value.upper ^ (UINT64_C(1) << 63), low = value.lower;
    px_buf_printf(buf, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
                  (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xffff), (unsigned)(low >> 48),
                  (unsigned long long)(low & 0xffffffffffffULL));
}

/* The first byte of a BIT says how many bits of the second are padding. */
static void add_bits(struct px_buf *buf, struct px_str bytes)
{
    if (bytes.len < 2) return;
    for (size_t i = 8 + (unsigned char)bytes.ptr[0]; i < bytes.len * 8; i++)
        px_buf_add_char(buf, (unsigned char)bytes.ptr[i / 8] >> (7 - i % 8) & 1 ? '1' : '0');
}

static uint64_t enum_code(const struct cell_type *type, const void *data, idx_t row)
{
    switch (type->storage) {
    case DUCKDB_TYPE_UTINYINT: return ((const uint8_t *)data)[row];
    case DUCKDB_TYPE_USMALLINT: return ((const uint16_t *)data)[row];
    default: return ((const uint32_t *)data)[row];
    }
}

static __int128 hugeint_at(const void *data, idx_t row)
{
    duckdb_hugeint value = ((const duckdb_hugeint *)data)[row];
    return (__int128)(((unsigned __int128)(uint64_t)value.upper << 64) | value.lower);
}

static __int128 decimal_at(const struct cell_type *type, const void *data, idx_t row)
{
    switch (type->storage) {
    case DUCKDB_TYPE_SMALLINT: return ((const int16_t *)data)[row];
    case DUCKDB_TYPE_INTEGER: return ((const int32_t *)data)[row];
    case DUCKDB_TYPE_BIGINT: return ((const int64_t *)data)[row];
    default: return hugeint_at(data, row);
    }
}

static void add_uhugeint(struct px_buf *buf, duckdb_uhugeint value)
{
    char text[48];
    char *start = put_u128(text + sizeof(text),
                           ((unsigned __int128)value.upper << 64) | value.lower);
    px_buf_add(buf, start, (size_t)(text + sizeof(text) - start));
}

static void add_not_finite(struct px_buf *buf, double value)
{
    px_buf_add_c(buf, isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
}

static void add_float(struct px_buf *buf, float value)
{
    char text[32];
    for (int digits = 7; digits <= 9; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value) break;
    }
    px_buf_add_c(buf, text);
}

/* ---- scalars ---- */

/* All but VARCHAR, ENUM and BLOB; nothing here needs escaping in JSON. */
static void add_scalar(struct px_buf *buf, const struct cell_type *type, const void *data,
                       idx_t row)
{
    switch (type->id) {
    case DUCKDB_TYPE_BOOLEAN:
        px_buf_add_c(buf, ((const bool *)data)[row] ? "true" : "false");
        break;
    case DUCKDB_TYPE_TINYINT: add_i64(buf, ((const int8_t *)data)[row]); break;
    case DUCKDB_TYPE_SMALLINT: add_i64(buf, ((const int16_t *)data)[row]); break;
    case DUCKDB_TYPE_INTEGER: add_i64(buf, ((const int32_t *)data)[row]); break;
    case DUCKDB_TYPE_BIGINT: add_i64(buf, ((const int64_t *)data)[row]); break;
    case DUCKDB_TYPE_UTINYINT: add_u64(buf, ((const uint8_t *)data)[row]); break;
    case DUCKDB_TYPE_USMALLINT: add_u64(buf, ((const uint16_t *)data)[row]); break;
    case DUCKDB_TYPE_UINTEGER: add_u64(buf, ((const uint32_t *)data)[row]); break;
    case DUCKDB_TYPE_UBIGINT: add_u64(buf, ((const uint64_t *)data)[row]); break;
    case DUCKDB_TYPE_HUGEINT: add_decimal(buf, hugeint_at(data, row), 0); break;
    case DUCKDB_TYPE_UHUGEINT: add_uhugeint(buf, ((const duckdb_uhugeint *)data)[row]); break;
    case DUCKDB_TYPE_DECIMAL: add_decimal(buf, decimal_at(type, data, row), type->scale); break;
    case DUCKDB_TYPE_FLOAT: add_float(buf, ((const float *)data)[row]); break;
    case DUCKDB_TYPE_DOUBLE: add_double(buf, ((const double *)data)[row]); break;
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
        add_timestamp(buf, ((const int64_t *)data)[row], 1000000, 6);
        break;
    case DUCKDB_TYPE_TIMESTAMP_S: add_timestamp(buf, ((const int64_t *)data)[row], 1, 0); break;
    case DUCKDB_TYPE_TIMESTAMP_MS: add_timestamp(buf, ((const int64_t *)data)[row], 1000, 3); break;
    case DUCKDB_TYPE_TIMESTAMP_NS:
        add_timestamp(buf, ((const int64_t *)data)[row], 1000000000, 9);
        break;
    case DUCKDB_TYPE_DATE: add_day(buf, ((const duckdb_date *)data)[row]); break;
    case DUCKDB_TYPE_TIME:
        add_time_of_day(buf, duckdb_from_time(((const duckdb_time *)data)[row]));
        break;
    case DUCKDB_TYPE_TIME_TZ: add_time_tz(buf, ((const duckdb_time_tz *)data)[row]); break;
    case DUCKDB_TYPE_UUID: add_uuid(buf, ((const duckdb_hugeint *)data)[row]); break;
    case DUCKDB_TYPE_BIT: add_bits(buf, text_at(data, row)); break;
    default: PX_ASSERT(!"a type that cell_type_init() let through");
    }
}

/* Whether the scalar's text is a JSON value as it stands. */
static bool is_bare(duckdb_type id)
{
    switch (id) {
    case DUCKDB_TYPE_BOOLEAN:
    case DUCKDB_TYPE_TINYINT:
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_UTINYINT:
    case DUCKDB_TYPE_USMALLINT:
    case DUCKDB_TYPE_UINTEGER:
    case DUCKDB_TYPE_UBIGINT:
    case DUCKDB_TYPE_FLOAT:
    case DUCKDB_TYPE_DOUBLE:
    case DUCKDB_TYPE_DECIMAL: return true;
    default: return false;
    }
}

static double real_at(const struct cell_type *type, const void *data, idx_t row)
{
    if (type->id == DUCKDB_TYPE_FLOAT) return (double)((const float *)data)[row];
    return type->id == DUCKDB_TYPE_DOUBLE ? ((const double *)data)[row] : 0.0;
}

/* A HUGEINT, which every sum() of integers is, is a number while 64 bits hold it, else a string. */
static bool is_small_hugeint(const struct cell_type *type, const void *data, idx_t row)
{
    if (type->id == DUCKDB_TYPE_UHUGEINT) return ((const duckdb_uhugeint *)data)[row].upper == 0;
    if (type->id != DUCKDB_TYPE_HUGEINT) return false;
    __int128 value = hugeint_at(data, row);
    return value >= INT64_MIN && value <= INT64_MAX;
}

/* JSON text goes in as it is when it is JSON on one line, else as a string. */
static void add_json_text(struct px_buf *buf, struct px_str text)
{
    yyjson_doc *document = yyjson_read(text.ptr, text.len, YYJSON_READ_NOFLAG);
    if (!document || memchr(text.ptr, '\n', text.len) || memchr(text.ptr, '\r', text.len))
        px_buf_add_json_str(buf, text);
    else
        px_buf_add_str(buf, text);
    yyjson_doc_free(document);
}

/* ---- nested values ---- */

static void add_items(struct px_buf *buf, const struct cell_type *type, duckdb_vector child,
                      uint64_t offset, uint64_t length)
{
    px_buf_add_char(buf, '[');
    for (uint64_t i = 0; i < length; i++) {
        if (i > 0) px_buf_add_char(buf, ',');
        cell_add_json(buf, type, child, offset + i);
    }
    px_buf_add_char(buf, ']');
}

/* Keys of text make an object, other keys a list of pairs. */
static void add_map(struct px_buf *buf, const struct cell_type *type, duckdb_vector vector,
                    idx_t row)
{
    duckdb_list_entry entry = ((duckdb_list_entry *)duckdb_vector_get_data(vector))[row];
    duckdb_vector pairs = duckdb_list_vector_get_child(vector);
    duckdb_vector keys = duckdb_struct_vector_get_child(pairs, 0);
    duckdb_vector values = duckdb_struct_vector_get_child(pairs, 1);
    bool object = type->children[0].id == DUCKDB_TYPE_VARCHAR && !type->children[0].is_json;
    px_buf_add_char(buf, object ? '{' : '[');
    for (uint64_t i = entry.offset; i < entry.offset + entry.length; i++) {
        if (i > entry.offset) px_buf_add_char(buf, ',');
        if (!object) px_buf_add_c(buf, "{\"key\":");
        cell_add_json(buf, &type->children[0], keys, i);
        px_buf_add_c(buf, object ? ":" : ",\"value\":");
        cell_add_json(buf, &type->children[1], values, i);
        if (!object) px_buf_add_char(buf, '}');
    }
    px_buf_add_char(buf, object ? '}' : ']');
}

static void add_struct(struct px_buf *buf, const struct cell_type *type, duckdb_vector vector,
                       idx_t row)
{
    px_buf_add_char(buf, '{');
    for (uint32_t i = 0; i < type->child_count; i++) {
        if (i > 0) px_buf_add_char(buf, ',');
        px_buf_add_json_str(buf, type->labels[i]);
        px_buf_add_char(buf, ':');
        cell_add_json(buf, &type->children[i], duckdb_struct_vector_get_child(vector, i), row);
    }
    px_buf_add_char(buf, '}');
}

/* A union is a struct whose first member is the tag. */
static void add_union(struct px_buf *buf, const struct cell_type *type, duckdb_vector vector,
                      idx_t row)
{
    const uint8_t *tags = duckdb_vector_get_data(duckdb_struct_vector_get_child(vector, 0));
    uint8_t tag = tags[row];
    PX_ASSERT(tag < type->child_count);
    cell_add_json(buf, &type->children[tag], duckdb_struct_vector_get_child(vector, tag + 1u), row);
}

static void add_interval(struct px_buf *buf, const void *data, idx_t row)
{
    duckdb_interval value = ((const duckdb_interval *)data)[row];
    px_buf_printf(buf, "{\"months\":%d,\"days\":%d,\"micros\":%lld}", value.months, value.days,
                  (long long)value.micros);
}

/* True when the type is nested or an interval, and was added. */
static bool add_nested(struct px_buf *buf, const struct cell_type *type, duckdb_vector vector,
                       idx_t row)
{
    switch (type->id) {
    case DUCKDB_TYPE_LIST: {
        duckdb_list_entry entry = ((duckdb_list_entry *)duckdb_vector_get_data(vector))[row];
        add_items(buf, &type->children[0], duckdb_list_vector_get_child(vector), entry.offset,
                  entry.length);
        return true;
    }
    case DUCKDB_TYPE_ARRAY:
        add_items(buf, &type->children[0], duckdb_array_vector_get_child(vector),
                  row * type->array_size, type->array_size);
        return true;
    case DUCKDB_TYPE_MAP: add_map(buf, type, vector, row); return true;
    case DUCKDB_TYPE_STRUCT: add_struct(buf, type, vector, row); return true;
    case DUCKDB_TYPE_UNION: add_union(buf, type, vector, row); return true;
    case DUCKDB_TYPE_INTERVAL: add_interval(buf, duckdb_vector_get_data(vector), row); return true;
    default: return false;
    }
}

static bool is_null(const struct cell_type *type, duckdb_vector vector, idx_t row)
{
    uint64_t *validity = duckdb_vector_get_validity(vector);
    return type->id == DUCKDB_TYPE_SQLNULL ||
           (validity && !duckdb_validity_row_is_valid(validity, row));
}

void cell_add_json(struct px_buf *buf, const struct cell_type *type, duckdb_vector vector,
                   idx_t row)
{
    if (is_null(type, vector, row)) {
        px_buf_add(buf, "null", 4);
        return;
    }
    const void *data = duckdb_vector_get_data(vector);
    if (type->id == DUCKDB_TYPE_VARCHAR) {
        if (type->is_json)
            add_json_text(buf, text_at(data, row));
        else
            px_buf_add_json_str(buf, text_at(data, row));
    } else if (type->id == DUCKDB_TYPE_ENUM) {
        px_buf_add_json_str(buf, type->labels[enum_code(type, data, row)]);
    } else if (!isfinite(real_at(type, data, row))) {
        px_buf_add(buf, "null", 4);
    } else if (is_bare(type->id) || is_small_hugeint(type, data, row)) {
        add_scalar(buf, type, data, row);
    } else if (!add_nested(buf, type, vector, row)) {
        px_buf_add_char(buf, '"');
        if (type->id == DUCKDB_TYPE_BLOB)
            px_buf_add_base64(buf, text_at(data, row));
        else
            add_scalar(buf, type, data, row);
        px_buf_add_char(buf, '"');
    }
}

bool cell_add_text(struct px_buf *buf, const struct cell_type *type, duckdb_vector vector,
                   idx_t row)
{
    if (is_null(type, vector, row)) return false;
    const void *data = duckdb_vector_get_data(vector);
    if (type->id == DUCKDB_TYPE_VARCHAR)
        px_buf_add_str(buf, text_at(data, row));
    else if (type->id == DUCKDB_TYPE_ENUM)
        px_buf_add_str(buf, type->labels[enum_code(type, data, row)]);
    else if (type->id == DUCKDB_TYPE_BLOB)
        px_buf_add_base64(buf, text_at(data, row));
    else if (!isfinite(real_at(type, data, row)))
        add_not_finite(buf, real_at(type, data, row));
    else if (!add_nested(buf, type, vector, row))
        add_scalar(buf, type, data, row);
    return true;
}
