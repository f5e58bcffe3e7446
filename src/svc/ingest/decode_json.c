/* svc/ingest/decode_json.c - NDJSON, a JSON array or one JSON object to rows.
 *
 * The body is cut into records, each record is copied into one reused buffer and parsed there in
 * place by yyjson, whose values go into one reused block: a record costs no allocation. Lines are
 * cut at their ends. The elements of an array are cut by the parser itself: it is given a window
 * of the body and says where the element ended; when it fails, a larger window is tried, up to the
 * size that a record may have. The rules for fields stand in docs/design/schema.md. */
#include "svc/ingest/decode_json_impl.h"

#define WINDOW_BYTES_MIN 4096
/* Bytes behind the text that yyjson may look at when it parses in place. */
#define TEXT_PADDING 8
#define BYTE_ORDER_MARK "\xEF\xBB\xBF" /* some shells write one in front */
#define READ_FLAGS (YYJSON_READ_INSITU | YYJSON_READ_BIGNUM_AS_RAW)

enum parse_answer { PARSE_INVALID = 1 };

/* ---- memory for a record ---- */

/* yyjson frees nothing that matters and grows its newest allocation only. */
static void *pool_malloc(void *ctx, size_t bytes)
{
    struct decoding *in = ctx;
    bytes = (bytes + 15) & ~(size_t)15;
    if (bytes > (size_t)(in->pool + in->pool_bytes - in->pool_at)) return NULL;
    in->pool_last = in->pool_at;
    in->pool_at += bytes;
    return in->pool_last;
}
static void *pool_realloc(void *ctx, void *ptr, size_t old_bytes, size_t bytes)
{
    struct decoding *in = ctx;
    bool in_place = ptr == in->pool_last;
    if (in_place) in->pool_at = in->pool_last;
    void *moved = pool_malloc(ctx, bytes);
    if (moved && !in_place) memcpy(moved, ptr, old_bytes);
    return moved;
}
static void pool_free(void *ctx, void *ptr) { (void)ctx, (void)ptr; }

/* Room for a record of this many bytes. It grows by doubling, so what it leaves behind in the arena
 * is no more than what it has. */
static int room_for_record(struct decoding *in, size_t bytes)
{
    if (__builtin_expect(bytes <= in->record_cap, 1)) return 0;
    size_t cap = PX_MAX(PX_MAX(bytes, in->record_cap * 2), (size_t)WINDOW_BYTES_MIN);
    size_t pool_bytes = yyjson_read_max_memory_usage(cap, READ_FLAGS);
    char *text = px_arena_alloc(in->arena, cap + TEXT_PADDING);
    char *pool = text ? px_arena_alloc(in->arena, pool_bytes) : NULL;
    if (!pool) return px_is_fault_(px_arena_fault(in->arena));
    in->text = text;
    in->pool = pool;
    in->record_cap = cap;
    in->pool_bytes = pool_bytes;
    return 0;
}

/* Parse bytes of the body from an offset. Answers: PARSE_INVALID with ret_error filled. */
static int parse(struct decoding *in, size_t offset, size_t bytes, yyjson_read_flag more_flags,
                 yyjson_doc **ret_doc, yyjson_read_err *ret_error)
{
    PX_TRY(room_for_record(in, bytes));
    memcpy(in->text, in->body.ptr + offset, bytes);
    memset(in->text + bytes, 0, TEXT_PADDING);
    in->pool_at = in->pool_last = in->pool;
    yyjson_alc alc = {pool_malloc, pool_realloc, pool_free, in};
    yyjson_doc *doc = yyjson_read_opts(in->text, bytes, READ_FLAGS | more_flags, &alc, ret_error);
    if (!doc) return PARSE_INVALID;
    *ret_doc = doc;
    return 0;
}

/* ---- what ends a body early ---- */

static int too_many(const struct decoding *in, struct px_where *ret_where)
{
    px_where_set(ret_where, in->record_offset, "", "at most %u records in a request",
                 in->limits->records_max);
    return DECODE_TOO_LARGE;
}

static int batch_is_full(const struct decoding *in, struct px_where *ret_where)
{
    px_where_set(ret_where, in->record_offset, "",
                 "no more than a batch holds: at record %llu it has %u rows, %u columns and %zu "
                 "bytes; send it in parts",
                 (unsigned long long)in->record, batch_rows(in->batch), batch_columns(in->batch),
                 batch_bytes(in->batch));
    return DECODE_TOO_LARGE;
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
static size_t skip_space(struct px_str body, size_t at)
{
    while (at < body.len && is_space(body.ptr[at])) at++;
    return at;
}

/* ---- NDJSON ---- */

static int add_line(struct decoding *in, size_t offset, size_t bytes)
{
    yyjson_doc *doc = NULL;
    yyjson_read_err error = {0};
    if (bytes > in->limits->record_bytes_max) {
        px_where_set(&in->where, offset, "", "a record of at most %zu bytes",
                     in->limits->record_bytes_max);
        decoding_refuse(in);
        return 0;
    }
    int r = parse(in, offset, bytes, YYJSON_READ_NOFLAG, &doc, &error);
    if (r == 0) return decoding_add_record(in, yyjson_doc_get_root(doc));
    if (r != PARSE_INVALID) return r;
    px_where_set(&in->where, offset + error.pos, "", "JSON: %s", error.msg);
    decoding_refuse(in);
    return 0;
}

static int decode_lines(struct decoding *in, size_t at, struct px_where *ret_where)
{
    struct px_str body = in->body;
    while ((at = skip_space(body, at)) < body.len) {
        const char *end = memchr(body.ptr + at, '\n', body.len - at);
        size_t bytes = end ? (size_t)(end - body.ptr) - at : body.len - at;
        in->record_offset = at;
        if (in->record == in->limits->records_max) return too_many(in, ret_where);
        int r = add_line(in, at, bytes);
        if (r < 0) return r;
        if (r == RECORD_FULL) return batch_is_full(in, ret_where);
        in->record++;
        at += bytes;
    }
    return 0;
}

/* ---- one object over several lines ---- */

/* Whether the body, whose first line alone is no JSON, is one record that was printed prettily. */
static int is_one_object(struct decoding *in, size_t at, bool *ret_is)
{
    const char *end = memchr(in->body.ptr + at, '\n', in->body.len - at);
    size_t line = end ? (size_t)(end - in->body.ptr) - at : in->body.len - at;
    yyjson_doc *doc = NULL;
    yyjson_read_err error = {0};
    *ret_is = false;
    bool can_be = skip_space(in->body, at + line) < in->body.len &&
                  in->body.len - at <= in->limits->record_bytes_max;
    if (!can_be) return 0;
    int r = parse(in, at, line, YYJSON_READ_NOFLAG, &doc, &error);
    if (r != PARSE_INVALID) return r;
    r = parse(in, at, in->body.len - at, YYJSON_READ_NOFLAG, &doc, &error);
    *ret_is = r == 0;
    return r < 0 ? r : 0;
}

static int decode_objects(struct decoding *in, size_t at, struct px_where *ret_where)
{
    bool is_one;
    PX_TRY(is_one_object(in, at, &is_one));
    if (!is_one) return decode_lines(in, at, ret_where);
    in->record_offset = at;
    int r = add_line(in, at, in->body.len - at);
    if (r == RECORD_FULL) return batch_is_full(in, ret_where);
    return r;
}

/* ---- an array ---- */

static int invalid(struct px_where *ret_where, size_t offset, const char *expected)
{
    px_where_set(ret_where, offset, "", "JSON: %s", expected);
    return DECODE_INVALID;
}

/* Parse the element at an offset, whose size is not known, with ever larger windows. *window is
 * where to begin and what it took. */
static int parse_element(struct decoding *in, size_t at, size_t *window, yyjson_doc **ret_doc,
                         struct px_where *ret_where)
{
    size_t left = in->body.len - at;
    size_t largest = PX_MIN(left, in->limits->record_bytes_max);
    for (;; *window *= 2) {
        size_t bytes = PX_MIN(*window, largest);
        yyjson_read_err error = {0};
        int r = parse(in, at, bytes, YYJSON_READ_STOP_WHEN_DONE, ret_doc, &error);
        if (r != PARSE_INVALID) return r;
        if (bytes < largest) continue;
        bool is_cut = bytes < left && error.pos + 16 >= bytes;
        if (!is_cut) return invalid(ret_where, at + error.pos, error.msg);
        px_where_set(ret_where, at, "", "a record of at most %zu bytes",
                     in->limits->record_bytes_max);
        return DECODE_TOO_LARGE;
    }
}

/* Behind an element: on to the next, or past the end of the array. */
static int next_element(struct px_str body, size_t *at, bool *ret_more, struct px_where *ret_where)
{
    *at = skip_space(body, *at);
    char c = *at < body.len ? body.ptr[*at] : '\0';
    if (c != ',' && c != ']') return invalid(ret_where, *at, "a comma or the end of the array");
    *at = skip_space(body, *at + 1);
    *ret_more = c == ',';
    if (c == ']' && *at < body.len) return invalid(ret_where, *at, "nothing behind the array");
    return 0;
}

static int decode_array(struct decoding *in, size_t at, struct px_where *ret_where)
{
    struct px_str body = in->body;
    size_t window = WINDOW_BYTES_MIN;
    at = skip_space(body, at + 1);
    bool more = at >= body.len || body.ptr[at] != ']';
    if (!more) {
        at = skip_space(body, at + 1);
        return at < body.len ? invalid(ret_where, at, "nothing behind the array") : 0;
    }
    while (more) {
        in->record_offset = at;
        if (in->record == in->limits->records_max) return too_many(in, ret_where);
        if (at == body.len) return invalid(ret_where, at, "an element of the array");
        yyjson_doc *doc = NULL;
        int r = parse_element(in, at, &window, &doc, ret_where);
        if (r != 0) return r;
        r = decoding_add_record(in, yyjson_doc_get_root(doc));
        if (r < 0) return r;
        if (r == RECORD_FULL) return batch_is_full(in, ret_where);
        size_t bytes = yyjson_doc_get_read_size(doc);
        window = PX_MAX(bytes + bytes / 2, (size_t)1024);
        at += bytes;
        in->record++;
        r = next_element(body, &at, &more, ret_where);
        if (r != 0) return r;
    }
    return 0;
}

/* ---- the call ---- */

static int decode_body(struct decoding *in, struct px_where *ret_where)
{
    size_t at = px_str_starts(in->body, S(BYTE_ORDER_MARK)) ? sizeof BYTE_ORDER_MARK - 1 : 0;
    at = skip_space(in->body, at);
    if (at == in->body.len) return invalid(ret_where, at, "records, but the body is empty");
    switch (in->body.ptr[at]) {
    case '[': return decode_array(in, at, ret_where);
    case '{': return decode_objects(in, at, ret_where);
    default: return decode_lines(in, at, ret_where);
    }
}

int decode_json_records(struct px_str body, struct px_str time_field,
                        const struct decode_limits *limits, struct px_arena *arena,
                        struct batch *batch, struct decode_result *ret_result,
                        struct px_where *ret_where)
{
    PX_ASSERT(batch_rows(batch) == 0);
    struct decode_result *result = ret_result;
    *result = (struct decode_result){0};
    struct decoding in = {
        .body = body,
        .time_field = time_field,
        .limits = limits,
        .arena = arena,
        .batch = batch,
        .result = result,
    };
    px_buf_init(&in.path, limits->record_bytes_max + COL_NAME_BYTES_MAX);
    px_buf_init(&in.json, 8 * limits->record_bytes_max + 1024);
    int r = decode_body(&in, ret_where);
    if (r != 0) {
        batch_row_abort(batch);
        batch_reset(batch);
    }
    px_buf_deinit(&in.path);
    px_buf_deinit(&in.json);
    return r;
}
