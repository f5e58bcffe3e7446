/* svc/ingest/otlp_row.c - the life of one row: begun, filled, then ended or refused.
 *
 * A row is refused for what is wrong with it alone: the batch forgets it, the result counts it and
 * keeps the first few reasons. Only a full batch ends the request. */
#include "svc/ingest/otlp.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/px_clock.h"
#include "base/px_id.h"

/* ---- refusals ---- */

int otlp_refuse(struct otlp_rows *rows, const char *field, const char *fmt, ...)
{
    struct px_where *where = &rows->refusal;
    char path[sizeof where->path];
    /* a format of ours with as many places as `at` has entries at most */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int n = snprintf(path, sizeof path, rows->path_format, rows->at[0], rows->at[1], rows->at[2],
                     rows->at[3]);
    if (field && n >= 0 && (size_t)n < sizeof path)
        (void)snprintf(path + n, sizeof path - (size_t)n, "%s%s", n > 0 ? "." : "", field);
    va_list args;
    va_start(args, fmt);
    char text[sizeof where->expected];
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
#pragma GCC diagnostic pop
    px_where_set(where, 0, path, "%s", text);
    return OTLP_ROW_REFUSED;
}

static int took(struct otlp_rows *rows, struct px_str name, int r)
{
    if (r <= 0) return r;
    int shown = (int)PX_MIN(name.len, (size_t)60);
    switch ((enum batch_answer)r) {
    case BATCH_TOO_MANY_COLUMNS:
        return otlp_refuse(rows, NULL, "fewer fields: there is no room for %.*s", shown, name.ptr);
    case BATCH_BAD_NAME:
        return otlp_refuse(rows, NULL, "field names of 1 to %d bytes of text, unlike %.*s",
                           COL_NAME_BYTES_MAX, shown, name.ptr);
    case BATCH_FULL: return OTLP_ROWS_FULL;
    }
    return px_fault(PX_F_BUG, "the batch answered %d", r);
}

static int weigh(struct otlp_rows *rows, size_t bytes)
{
    rows->row_bytes += bytes;
    if (rows->row_bytes <= rows->limits->record_bytes_max) return 0;
    return otlp_refuse(rows, NULL, "at most %zu bytes of text in a record",
                       rows->limits->record_bytes_max);
}

/* ---- columns ---- */

/* A limit as a time for people; the ends of what nanoseconds can say stand for anything beyond. */
static struct px_str show_us(int64_t us, char *buf)
{
    int64_t ns;
    if (__builtin_mul_overflow(us, PX_NS_PER_US, &ns)) ns = us < 0 ? INT64_MIN : INT64_MAX;
    return px_time_format(ns, 0, buf);
}

static int put_ns(struct otlp_rows *rows, const char *field, int64_t unix_ns)
{
    int64_t us = unix_ns / PX_NS_PER_US;
    if (us < rows->limits->time_min_us || us > rows->limits->time_max_us) {
        char low[32], high[32];
        struct px_str from = show_us(rows->limits->time_min_us, low);
        struct px_str to = show_us(rows->limits->time_max_us, high);
        return otlp_refuse(rows, field, "a time from %.*s to %.*s", PX_FMT(from), PX_FMT(to));
    }
    return took(rows, S(COL_TIME_NAME), batch_put_time(rows->batch, us));
}

int otlp_put_time(struct otlp_rows *rows, const char *field, uint64_t unix_ns)
{
    if (unix_ns == 0)
        return took(rows, S(COL_TIME_NAME),
                    batch_put_time(rows->batch, rows->limits->now_ns / PX_NS_PER_US));
    return put_ns(rows, field, (int64_t)PX_MIN(unix_ns, (uint64_t)INT64_MAX));
}

int otlp_put_ns_set(struct otlp_rows *rows, struct px_str name, const char *field, uint64_t unix_ns)
{
    if (unix_ns > (uint64_t)INT64_MAX)
        return otlp_refuse(rows, field, "a time before the year 2262");
    return otlp_put_int_set(rows, name, (int64_t)unix_ns);
}

int otlp_put_str(struct otlp_rows *rows, struct px_str name, struct px_str text)
{
    OTLP_TRY(weigh(rows, text.len));
    return took(rows, name, batch_put_str(rows->batch, name, text));
}

int otlp_put_str_set(struct otlp_rows *rows, struct px_str name, ProtobufCBinaryData text)
{
    if (text.len == 0) return 0;
    struct px_str utf8;
    OTLP_TRY(otlp_utf8(otlp_str(text), &rows->text, &utf8));
    return otlp_put_str(rows, name, utf8);
}

bool otlp_id_is_valid(ProtobufCBinaryData id, size_t bytes)
{
    if (id.len != bytes) return false;
    uint8_t any = 0;
    for (size_t i = 0; i < bytes; i++) any |= id.data[i];
    return any != 0;
}

int otlp_put_hex(struct otlp_rows *rows, struct px_str name, ProtobufCBinaryData bytes)
{
    char hex[2 * 16 + 1];
    PX_ASSERT(bytes.len <= 16);
    px_hex(bytes.data, bytes.len, hex);
    return otlp_put_str(rows, name, px_str(hex, 2 * bytes.len));
}

int otlp_put_bool(struct otlp_rows *rows, struct px_str name, bool value)
{
    return took(rows, name, batch_put_bool(rows->batch, name, value));
}
int otlp_put_int(struct otlp_rows *rows, struct px_str name, int64_t value)
{
    return took(rows, name, batch_put_int(rows->batch, name, value));
}
int otlp_put_int_set(struct otlp_rows *rows, struct px_str name, int64_t value)
{
    return value == 0 ? 0 : otlp_put_int(rows, name, value);
}
int otlp_put_u64(struct otlp_rows *rows, struct px_str name, uint64_t value)
{
    if (value > (uint64_t)INT64_MAX) return otlp_put_double(rows, name, (double)value);
    return otlp_put_int(rows, name, (int64_t)value);
}
int otlp_put_double(struct otlp_rows *rows, struct px_str name, double value)
{
    return took(rows, name, batch_put_double(rows->batch, name, value));
}
int otlp_put_enum(struct otlp_rows *rows, struct px_str name, int value, const char *const *names,
                  size_t count)
{
    char number[16];
    (void)snprintf(number, sizeof number, "%d", value);
    bool is_known = value >= 0 && (size_t)value < count;
    return otlp_put_str(rows, name, px_str_c(is_known ? names[value] : number));
}

int otlp_text_done(struct otlp_rows *rows)
{
    int fault = px_buf_fault(&rows->text);
    return fault == PX_F_LIMIT ? weigh(rows, rows->limits->record_bytes_max + 1) : fault;
}
int otlp_put_json(struct otlp_rows *rows, struct px_str name)
{
    OTLP_TRY(otlp_text_done(rows));
    OTLP_TRY(weigh(rows, rows->text.len));
    return took(rows, name, batch_put_json(rows->batch, name, px_buf_str(&rows->text)));
}

static int put_field(struct otlp_rows *rows, const struct otlp_field *field)
{
    struct batch *batch = rows->batch;
    switch (field->kind) {
    case OTLP_ABSENT: return 0;
    case OTLP_BOOL: return took(rows, field->name, batch_put_bool(batch, field->name, field->b));
    case OTLP_INT: return took(rows, field->name, batch_put_int(batch, field->name, field->i));
    case OTLP_DOUBLE:
        return took(rows, field->name, batch_put_double(batch, field->name, field->d));
    case OTLP_STR: return otlp_put_str(rows, field->name, field->s);
    case OTLP_JSON:
        OTLP_TRY(weigh(rows, field->s.len));
        return took(rows, field->name, batch_put_json(batch, field->name, field->s));
    }
    return px_fault(PX_F_BUG, "an attribute of kind %d", (int)field->kind);
}

/* An attribute as a field whose name stands in `name` (COL_NAME_BYTES_MAX bytes). */
static int pair_to_field(struct otlp_rows *rows, struct px_str prefix, const otlp_pair *pair,
                         char *name, struct otlp_field *ret_field)
{
    int r = otlp_field_of(pair->value, &rows->text, ret_field);
    if (r == OTLP_TOO_DEEP)
        return otlp_refuse(rows, NULL, "values of at most %d levels in %.*s%.*s",
                           OTLP_VALUE_DEPTH_MAX, PX_FMT(prefix),
                           (int)PX_MIN(pair->key.len, (size_t)60), (char *)pair->key.data);
    if (r == PX_F_LIMIT) return otlp_text_done(rows);
    if (r < 0 || ret_field->kind == OTLP_ABSENT) return r;
    size_t n = prefix.len + pair->key.len;
    if (pair->key.len == 0)
        return otlp_refuse(rows, NULL, "a key for each of %.*s*", PX_FMT(prefix));
    if (n > COL_NAME_BYTES_MAX) return took(rows, otlp_str(pair->key), BATCH_BAD_NAME);
    memcpy(name, prefix.ptr, prefix.len);
    memcpy(name + prefix.len, pair->key.data, pair->key.len);
    ret_field->name = px_str(name, n);
    return 0;
}

int otlp_put_pairs(struct otlp_rows *rows, struct px_str prefix, otlp_pair *const *pairs,
                   size_t count)
{
    char name[COL_NAME_BYTES_MAX];
    struct otlp_field field;
    for (size_t i = 0; i < count; i++) {
        OTLP_TRY(pair_to_field(rows, prefix, pairs[i], name, &field));
        OTLP_TRY(put_field(rows, &field));
    }
    return 0;
}

/* ---- groups ---- */

static int group_add(struct otlp_rows *rows, struct otlp_group *group,
                     const struct otlp_field *field)
{
    if (group->count == group->cap) {
        size_t cap = PX_MAX(group->cap * 2, (size_t)16);
        struct otlp_field *fields = px_arena_realloc(
            rows->arena, group->fields, group->cap * sizeof *fields, cap * sizeof *fields);
        if (!fields) return px_arena_fault(rows->arena);
        group->fields = fields;
        group->cap = cap;
    }
    struct otlp_field kept = *field;
    kept.name = px_arena_dup(rows->arena, field->name);
    bool is_text = field->kind == OTLP_STR || field->kind == OTLP_JSON;
    if (is_text) kept.s = px_arena_dup(rows->arena, field->s);
    if (!kept.name.ptr || (is_text && !kept.s.ptr)) return px_arena_fault(rows->arena);
    group->fields[group->count++] = kept;
    return 0;
}

static int group_add_pairs(struct otlp_rows *rows, struct otlp_group *group, struct px_str prefix,
                           otlp_pair *const *pairs, size_t count)
{
    char name[COL_NAME_BYTES_MAX];
    struct otlp_field field;
    for (size_t i = 0; i < count; i++) {
        OTLP_TRY(pair_to_field(rows, prefix, pairs[i], name, &field));
        if (field.kind != OTLP_ABSENT) OTLP_TRY(group_add(rows, group, &field));
    }
    return 0;
}

static int group_add_text(struct otlp_rows *rows, struct otlp_group *group, struct px_str name,
                          ProtobufCBinaryData text)
{
    if (text.len == 0) return 0;
    struct otlp_field field = {.name = name, .kind = OTLP_STR};
    OTLP_TRY(otlp_utf8(otlp_str(text), &rows->text, &field.s));
    return group_add(rows, group, &field);
}

/* What a group is refused for is said for each of its records. */
static int group_done(struct otlp_rows *rows, struct otlp_group *group, int r)
{
    group->refused = r == OTLP_ROW_REFUSED;
    if (group->refused) group->where = rows->refusal;
    return group->refused ? 0 : r;
}

static void group_begin(struct otlp_rows *rows, struct otlp_group *group)
{
    rows->row_bytes = 0;
    group->count = 0;
}

int otlp_set_resource(struct otlp_rows *rows, const otlp_resource *resource)
{
    group_begin(rows, &rows->resource);
    int r = !resource ? 0
                      : group_add_pairs(rows, &rows->resource, S("resource."), resource->attributes,
                                        resource->n_attributes);
    return group_done(rows, &rows->resource, r);
}

static int scope_fields(struct otlp_rows *rows, const otlp_scope *scope)
{
    struct otlp_group *group = &rows->scope;
    OTLP_TRY(group_add_text(rows, group, S("scope.name"), scope->name));
    OTLP_TRY(group_add_text(rows, group, S("scope.version"), scope->version));
    return group_add_pairs(rows, group, S("scope.attributes."), scope->attributes,
                           scope->n_attributes);
}

int otlp_set_scope(struct otlp_rows *rows, const otlp_scope *scope)
{
    group_begin(rows, &rows->scope);
    return group_done(rows, &rows->scope, scope ? scope_fields(rows, scope) : 0);
}

static int put_group(struct otlp_rows *rows, const struct otlp_group *group)
{
    if (group->refused) {
        rows->refusal = group->where;
        return OTLP_ROW_REFUSED;
    }
    for (size_t i = 0; i < group->count; i++) OTLP_TRY(put_field(rows, &group->fields[i]));
    return 0;
}

/* ---- rows ---- */

static int fill_row(struct otlp_rows *rows, otlp_fill *fill, const void *record)
{
    OTLP_TRY(fill(rows, record));
    OTLP_TRY(put_group(rows, &rows->resource));
    OTLP_TRY(put_group(rows, &rows->scope));
    return took(rows, S(""), batch_row_end(rows->batch));
}

int otlp_write_row(struct otlp_rows *rows, otlp_fill *fill, const void *record)
{
    struct decode_result *result = rows->result;
    rows->row_bytes = 0;
    batch_row_begin(rows->batch);
    int r = fill_row(rows, fill, record);
    if (r == 0) {
        result->accepted++;
        return 0;
    }
    batch_row_abort(rows->batch);
    if (r != OTLP_ROW_REFUSED) return r;
    if (result->refusals_kept < DECODE_REFUSALS_KEPT)
        result->refusals[result->refusals_kept++] = (struct decode_refusal){
            result->accepted + result->refused, rows->refusal};
    result->refused++;
    return 0;
}
