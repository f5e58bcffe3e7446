/* svc/query/request.c - see request.h. */
#include "svc/query/request.h"

#include <math.h>
#include <stdarg.h>

#include "base/px_clock.h"
#include "base/px_json.h"
#include "svc/query/accept.h"

#define YEAR_US (INT64_C(31556952) * 1000000)
#define TIME_US_MAX (8000 * YEAR_US) /* about the year 9970, and as far back */

static int invalid(struct px_arena *arena, struct px_str *ret_why, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int invalid(struct px_arena *arena, struct px_str *ret_why, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    struct px_str why = px_arena_dup(arena, px_str_c(text));
    if (!why.ptr) return px_fault(px_arena_fault(arena), "request");
    *ret_why = why;
    return REQUEST_INVALID;
}

/* ---- times ---- */

/* "-15m": a distance into the past or, with +, the future. */
static bool parse_relative(struct px_str text, int64_t now_us, int64_t *ret_us)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    if (text.len < 3 || (text.ptr[0] != '-' && text.ptr[0] != '+')) return false;
    uint64_t count;
    if (!px_str_to_u64(px_str(text.ptr + 1, text.len - 2), &count) || count > 100000000)
        return false;
    for (size_t i = 0; i < PX_COUNT(units); i++) {
        if (units[i].unit != text.ptr[text.len - 1]) continue;
        int64_t distance = (int64_t)count * units[i].seconds * 1000000;
        if (distance > TIME_US_MAX / 2) return false;
        *ret_us = now_us + (text.ptr[0] == '-' ? -distance : distance);
        return true;
    }
    return false;
}

/* The unit is told by the size: seconds reach the year 5138, milliseconds likewise, and so on. */
static bool parse_number(double value, int64_t *ret_us)
{
    double size = fabs(value), us;
    if (size < 1e11)
        us = value * 1e6;
    else if (size < 1e14)
        us = value * 1e3;
    else if (size < 1e17)
        us = value;
    else
        us = value / 1e3;
    if (!(fabs(us) < (double)TIME_US_MAX)) return false;
    *ret_us = (int64_t)llround(us);
    return true;
}

static bool parse_time(yyjson_val *value, int64_t now_us, int64_t *ret_us)
{
    if (yyjson_is_num(value)) return parse_number(yyjson_get_num(value), ret_us);
    struct px_str text = px_str_trim(px_json_val_str(value));
    int64_t ns, number;
    if (px_str_eq(text, S("now"))) {
        *ret_us = now_us;
        return true;
    }
    if (parse_relative(text, now_us, ret_us)) return true;
    if (px_str_to_i64(text, &number)) return parse_number((double)number, ret_us);
    if (!px_time_parse(text, &ns)) return false;
    *ret_us = ns / 1000 - (ns % 1000 < 0);
    return true;
}

static int read_times(yyjson_val *root, int64_t now_ns, struct px_arena *arena,
                      struct query_request *request, struct px_str *ret_why)
{
    int64_t *const into[] = {&request->start_us, &request->end_us};
    static const char *const keys[] = {"start", "end"};
    for (size_t i = 0; i < 2; i++) {
        yyjson_val *value = yyjson_obj_get(root, keys[i]);
        if (!value || yyjson_is_null(value)) continue;
        if (!parse_time(value, now_ns / 1000, into[i]))
            return invalid(
                arena, ret_why,
                "\"%s\" is no time: expected RFC 3339, a number since 1970, \"now\", or a "
                "distance such as \"-15m\"",
                keys[i]);
    }
    if (request->start_us >= request->end_us)
        return invalid(arena, ret_why, "\"start\" is not before \"end\"");
    return 0;
}

/* ---- format ---- */

static const struct {
    struct px_str name, media;
    enum query_format format;
} formats[] = {
    {{"json", 4}, {"application/json", 16}, QUERY_JSON},
    {{"ndjson", 6}, {"application/x-ndjson", 20}, QUERY_NDJSON},
    {{"ndjson", 6}, {"application/jsonl", 17}, QUERY_NDJSON},
    {{"csv", 3}, {"text/csv", 8}, QUERY_CSV},
    {{"arrow", 5}, {"application/vnd.apache.arrow.stream", 35}, QUERY_ARROW},
    {{"parquet", 7}, {"application/vnd.apache.parquet", 30}, QUERY_PARQUET},
};

/* The format that the header wants most; of several wanted alike the one that stands first, and of those the first of the table. An empty
 * header is none. */
static bool accepted(struct px_str header, enum query_format *ret_format)
{
    int best = 0;
    size_t best_place = 0, place;
    *ret_format = QUERY_JSON;
    if (px_str_trim(header).len == 0) return true;
    for (size_t i = 0; i < PX_COUNT(formats); i++) {
        int weight = accept_weight(ACCEPT_MEDIA, header, formats[i].media, &place);
        if (weight < best || weight <= 0 || (weight == best && place >= best_place)) continue;
        best = weight;
        best_place = place;
        *ret_format = formats[i].format;
    }
    return best > 0;
}

static int read_format(const struct api_event *event, yyjson_val *root, struct px_arena *arena,
                       struct query_request *request, struct px_str *ret_why)
{
    yyjson_val *value = yyjson_obj_get(root, "format");
    if (!value || yyjson_is_null(value)) {
        if (accepted(api_header(event, S("accept")), &request->format)) return 0;
        (void)invalid(arena, ret_why,
                      "Accept takes none of application/json, application/x-ndjson, text/csv, "
                      "application/vnd.apache.arrow.stream, application/vnd.apache.parquet");
        return REQUEST_NOT_ACCEPTABLE;
    }
    for (size_t i = 0; i < PX_COUNT(formats); i++) {
        if (!px_str_eq(px_json_val_str(value), formats[i].name)) continue;
        request->format = formats[i].format;
        return 0;
    }
    return invalid(arena, ret_why, "\"format\" must be json, ndjson, csv, arrow or parquet");
}

/* ---- the whole ---- */

static int read_limit(yyjson_val *root, struct px_arena *arena, struct query_request *request,
                      struct px_str *ret_why)
{
    yyjson_val *value = yyjson_obj_get(root, "limit");
    if (!value || yyjson_is_null(value)) return 0;
    if (!yyjson_is_uint(value))
        return invalid(arena, ret_why, "\"limit\" must be a whole number of rows, 0 or more");
    request->limit = yyjson_get_uint(value);
    return 0;
}

static int check_keys(yyjson_val *root, struct px_arena *arena, struct px_str *ret_why)
{
    static const char *const known[] = {"sql", "start", "end", "format", "limit"};
    size_t i, n;
    yyjson_val *key, *value;
    px_json_obj_foreach(root, i, n, key, value)
    {
        bool found = false;
        for (size_t k = 0; k < PX_COUNT(known); k++)
            found = found || yyjson_equals_str(key, known[k]);
        if (!found)
            return invalid(
                arena, ret_why,
                "unknown field \"%.*s\": the fields are sql, start, end, format and limit",
                (int)PX_MIN(yyjson_get_len(key), (size_t)60), yyjson_get_str(key));
    }
    return 0;
}

int query_request_read(const struct api_event *event, int64_t now_ns, struct px_arena *arena,
                       struct query_request *ret_request, struct px_str *ret_why)
{
    yyjson_val *root = NULL;
    struct px_where where = {0};
    int r = px_json_parse(event->body, arena, &root, &where);
    if (r == PX_JSON_INVALID)
        return invalid(arena, ret_why, "the body is not JSON: byte %zu: %s", where.offset,
                       where.expected);
    PX_TRY(r);
    if (!yyjson_is_obj(root))
        return invalid(arena, ret_why, "the body must be an object: {\"sql\": \"SELECT ...\"}");
    r = check_keys(root, arena, ret_why);
    if (r != 0) return r;
    struct query_request request = {
        .start_us = INT64_MIN, .end_us = INT64_MAX, .limit = UINT64_MAX};
    yyjson_val *sql = yyjson_obj_get(root, "sql");
    if (!yyjson_is_str(sql))
        return invalid(arena, ret_why, "\"sql\" must be the text of a statement");
    request.sql = px_json_val_str(sql);
    r = read_times(root, now_ns, arena, &request, ret_why);
    if (r == 0) r = read_format(event, root, arena, &request, ret_why);
    if (r == 0) r = read_limit(root, arena, &request, ret_why);
    if (r == 0) *ret_request = request;
    return r;
}
