/* asl/csv.c - one pass, field by field. */
#include "asl/csv.h"

#define COLUMNS_MAX 4096

struct csv {
    const char *at, *end;
    char delimiter;
    struct px_arena *arena;
};

/* The next field, unquoted; ret_last: it ends its line. Answers: ASL_INVALID. */
static int field(struct csv *csv, struct px_str *ret_field, bool *ret_last)
{
    const char *start = csv->at;
    if (csv->at < csv->end && *csv->at == '"') {
        char *out = px_arena_alloc(csv->arena, (size_t)(csv->end - csv->at)), *to = out;
        if (!out) return px_arena_fault(csv->arena);
        for (csv->at++;; csv->at++) {
            if (csv->at == csv->end) return ASL_INVALID;
            if (*csv->at == '"' && (csv->at + 1 == csv->end || csv->at[1] != '"')) break;
            if (*csv->at == '"') csv->at++;
            *to++ = *csv->at;
        }
        csv->at++;
        *ret_field = px_str(out, (size_t)(to - out));
        while (csv->at < csv->end && *csv->at != csv->delimiter && *csv->at != '\n' &&
               *csv->at != '\r')
            csv->at++;
    } else {
        while (csv->at < csv->end && *csv->at != csv->delimiter && *csv->at != '\n' &&
               *csv->at != '\r')
            csv->at++;
        *ret_field = px_str(start, (size_t)(csv->at - start));
    }
    *ret_last = csv->at == csv->end || *csv->at != csv->delimiter;
    if (csv->at == csv->end) return 0;
    if (*csv->at == '\r' && csv->at + 1 < csv->end && csv->at[1] == '\n') csv->at++;
    csv->at++;
    return 0;
}

static int header(struct csv *csv, struct px_str *names, size_t *ret_count)
{
    bool last = false;
    *ret_count = 0;
    while (!last) {
        if (*ret_count == COLUMNS_MAX) return ASL_INVALID;
        int r = field(csv, &names[*ret_count], &last);
        if (r != 0) return r;
        (*ret_count)++;
    }
    return 0;
}

static int line(struct csv *csv, const struct px_str *names, size_t count,
                struct asl_values *values, yyjson_mut_val *items)
{
    yyjson_mut_val *item = yyjson_mut_obj(values->doc);
    bool last = false, empty = true;
    if (!item) return px_arena_fault(values->arena);
    for (size_t i = 0; !last; i++) {
        struct px_str text;
        int r = field(csv, &text, &last);
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
    struct csv csv = {text.ptr, text.ptr + text.len, options->delimiter, values->arena};
    const struct px_str *names = options->headers;
    size_t count = options->header_count;
    if (!names) {
        struct px_str *read = px_arena_array(values->arena, struct px_str, COLUMNS_MAX);
        if (!read) return px_arena_fault(values->arena);
        if (text.len == 0) return ASL_INVALID;
        int r = header(&csv, read, &count);
        if (r != 0) return r;
        names = read;
    }
    yyjson_mut_val *items = yyjson_mut_arr(values->doc);
    if (!items) return px_arena_fault(values->arena);
    while (csv.at < csv.end) {
        int r = line(&csv, names, count, values, items);
        if (r != 0) return r;
    }
    *ret_items = items;
    return 0;
}
