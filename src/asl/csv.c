/* asl/csv.c - one pass, field by field. A field is a piece of the text; one with quotes or backslashes is put together in a
 * buffer that all of them share. */
#include "asl/csv.h"

#define COLUMNS_MAX (ASL_CSV_HEADER_BYTES_MAX + 1) /* a delimiter is a byte */

struct csv {
    const char *at, *end;
    char delimiter;
    struct px_arena *arena;
    struct px_buf field;
};

static bool ends_field(const struct csv *csv)
{
    return csv->at == csv->end || *csv->at == csv->delimiter || *csv->at == '\n' ||
           *csv->at == '\r';
}

/* A field that began at `start` and has a quote or a backslash at csv->at. Valid until the next one. */
static int unescape(struct csv *csv, const char *start, struct px_str *ret_field)
{
    bool quoted = csv->at == start && *start == '"';
    px_buf_clear(&csv->field);
    px_buf_add(&csv->field, start, (size_t)(csv->at - start));
    if (quoted) csv->at++;
    while (quoted ? csv->at < csv->end : !ends_field(csv)) {
        char c = *csv->at++, next = csv->at < csv->end ? *csv->at : '\0';
        if (c == '"' && quoted && next != '"') {
            while (!ends_field(csv)) csv->at++; /* what stands between a quote and the delimiter */
            quoted = false;
            break;
        }
        if (c == '\\' && next != '\\' && next != '"' && next != csv->delimiter) continue;
        if (c == '\\' || (c == '"' && next == '"')) c = *csv->at++;
        px_buf_add_char(&csv->field, c);
    }
    *ret_field = px_buf_str(&csv->field);
    return quoted ? ASL_CSV_BAD : px_buf_fault(&csv->field);
}

/* The next field; ret_last: it ends its line. Answers: ASL_CSV_BAD. */
static int field(struct csv *csv, struct px_str *ret_field, bool *ret_last)
{
    const char *start = csv->at;
    while (!ends_field(csv) && *csv->at != '"' && *csv->at != '\\') csv->at++;
    *ret_field = px_str(start, (size_t)(csv->at - start));
    if (!ends_field(csv)) {
        int r = unescape(csv, start, ret_field);
        if (r != 0) return r;
    }
    *ret_last = csv->at == csv->end || *csv->at != csv->delimiter;
    if (csv->at == csv->end) return 0;
    if (*csv->at == '\r' && csv->at + 1 < csv->end && csv->at[1] == '\n') csv->at++;
    csv->at++;
    return 0;
}

static int header(struct csv *csv, struct px_str **ret_names, size_t *ret_count)
{
    const char *start = csv->at;
    struct px_str *names = px_arena_array(csv->arena, struct px_str, COLUMNS_MAX);
    size_t count = 0;
    if (!names) return px_arena_fault(csv->arena);
    if (csv->at == csv->end) return ASL_CSV_BAD;
    for (bool last = false; !last; count++) {
        struct px_str name;
        if (count == COLUMNS_MAX) return ASL_CSV_HEADER_TOO_LONG;
        int r = field(csv, &name, &last);
        if (r != 0) return r;
        names[count] = px_arena_dup(csv->arena, name);
        if (!names[count].ptr) return px_arena_fault(csv->arena);
    }
    const char *end = csv->at;
    while (end > start && (end[-1] == '\n' || end[-1] == '\r')) end--;
    if ((size_t)(end - start) > ASL_CSV_HEADER_BYTES_MAX) return ASL_CSV_HEADER_TOO_LONG;
    *ret_names = names;
    *ret_count = count;
    return 0;
}

static bool is_too_long(const struct px_str *names, size_t count)
{
    size_t bytes = count ? count - 1 : 0;
    for (size_t i = 0; i < count && bytes <= ASL_CSV_HEADER_BYTES_MAX; i++) bytes += names[i].len;
    return bytes > ASL_CSV_HEADER_BYTES_MAX;
}

static int line(struct csv *csv, const struct px_str *names, size_t count,
                struct asl_values *values, yyjson_mut_val *items)
{
    yyjson_mut_val *item = yyjson_mut_obj(values->doc);
    bool last = false, empty = true;
    if (!item) return px_arena_fault(values->arena);
    for (size_t i = 0; !last || (!empty && i < count); i++) {
        struct px_str text = S("");
        int r = last ? 0 : field(csv, &text, &last);
        if (r != 0) return r;
        if (i > 0 || text.len) empty = false;
        if (i >= count) continue;
        yyjson_mut_val *value = asl_text(values, text);
        if (!value) return px_arena_fault(values->arena);
        PX_TRY(asl_member_set(values, item, names[i], value));
    }
    return empty || yyjson_mut_arr_append(items, item) ? 0 : px_arena_fault(values->arena);
}

int asl_csv_parse(struct px_str text, const struct asl_csv_options *options,
                  struct asl_values *values, yyjson_mut_val **ret_items)
{
    if (px_str_starts(text, S("\xef\xbb\xbf"))) text = px_str_skip(text, 3);
    const struct px_str *names = options->headers;
    size_t count = options->header_count;
    if (names && is_too_long(names, count)) return ASL_CSV_HEADER_TOO_LONG;
    struct csv csv = {text.ptr, text.ptr + text.len, options->delimiter, values->arena, {0}};
    yyjson_mut_val *items = yyjson_mut_arr(values->doc);
    if (!items) return px_arena_fault(values->arena);
    px_buf_init(&csv.field, text.len + 1);
    struct px_str *read = NULL;
    int r = names ? 0 : header(&csv, &read, &count);
    while (r == 0 && csv.at < csv.end) r = line(&csv, names ? names : read, count, values, items);
    px_buf_deinit(&csv.field);
    if (r == 0) *ret_items = items;
    return r;
}
