/* svc/ingest/decode_json.c - NDJSON, a JSON array or one JSON object to rows.
 *
 * The body is cut into records, each record is copied into one reused buffer and parsed there in
 * place by yyjson, whose values go into one reused block: a record costs no allocation. Lines are cut
 * at their ends. The elements of an array are cut by the parser itself: it is given a window of the
 * body and says where the element ended; when it fails, a larger window is tried, up to the size that
 * a record may have. The rules for fields stand in docs/design/schema.md. */
#include "svc/ingest/decode.h"

#include "base/px_json.h"
#include "svc/ingest/decode_time.h"

#define DEPTH_MAX 32
#define WINDOW_BYTES_MIN 4096
/* Bytes behind the text that yyjson may look at when it parses in place. */
#define TEXT_PADDING 8
#define BYTE_ORDER_MARK "\xEF\xBB\xBF" /* some shells write one in front */
#define READ_FLAGS (YYJSON_READ_INSITU | YYJSON_READ_BIGNUM_AS_RAW)

enum parse_answer { PARSE_INVALID = 1 };
enum record_answer { RECORD_REFUSED = 1, RECORD_FULL };

/* Fields that may be a record's time, best first; 0 is the one that the request names. */
enum time_rank { RANK_CHOSEN, RANK_TIME, RANK_LAST = 5, RANK_COUNT };

struct decoding {
    struct px_str body, time_field;
    const struct decode_limits *limits;
    struct px_arena *arena;
    struct batch *batch;
    struct decode_result *result;

    char *text;          /* the record, padded */
    char *pool;          /* yyjson's values */
    size_t record_cap;   /* bytes of record that text and pool have room for */
    size_t pool_bytes;
    char *pool_at, *pool_last; /* free from here; the newest allocation */
    struct px_buf path;  /* name of a nested field */
    struct px_buf json;  /* text of an array */

    uint64_t record;     /* number of the current one */
    size_t record_offset;
    uint32_t fields;
    yyjson_val *times[RANK_COUNT], *time_keys[RANK_COUNT];
    struct px_where where; /* why the current record is refused */
};

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
    if (!pool) return px_arena_fault(in->arena);
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

/* ---- refusing ---- */

static void refuse(struct decoding *in)
{
    struct decode_result *result = in->result;
    if (result->refusals_kept < DECODE_REFUSALS_KEPT) {
        result->refusals[result->refusals_kept++] =
            (struct decode_refusal){.record = in->record, .where = in->where};
    }
    result->refused++;
}

/* At a key or value in the record. */
#define REFUSE_AT(in, ptr, name, ...)                                                              \
    (px_where_set(&(in)->where, offset_of((in), (ptr)), path_text((name)).c, __VA_ARGS__),         \
     RECORD_REFUSED)

struct path_text {
    char c[96];
};
static struct path_text path_text(struct px_str name)
{
    struct path_text path;
    size_t n = PX_MIN(name.len, sizeof path.c - 1);
    if (n) memcpy(path.c, name.ptr, n);
    path.c[n] = '\0';
    return path;
}

static size_t offset_of(const struct decoding *in, yyjson_val *key)
{
    return in->record_offset + (size_t)(unsafe_yyjson_get_str(key) - in->text);
}

static int put_failed(struct decoding *in, yyjson_val *key, struct px_str name, int answer)
{
    if (answer < 0 || answer == BATCH_FULL) return answer < 0 ? answer : RECORD_FULL;
    if (answer == BATCH_TOO_MANY_COLUMNS)
        return REFUSE_AT(in, key, name, "no more different fields than a request may have");
    return REFUSE_AT(in, key, name, "a field name of 1 to %d bytes without control characters",
                     COL_NAME_BYTES_MAX);
}

/* ---- values ---- */

/* An integer that no int64 holds, and a number that no double holds, are kept as their text. */
static int put_large(struct batch *batch, struct px_str name, uint64_t value)
{
    char text[24];
    size_t at = sizeof text;
    for (; value != 0; value /= 10) text[--at] = (char)('0' + value % 10);
    return batch_put_str(batch, name, px_str(text + at, sizeof text - at));
}

/* Containers stand in document order, so what a container ends before tells how deep a value is. */
static bool is_deeper_than(yyjson_val *val, unsigned depth_max)
{
    yyjson_val *ends[DEPTH_MAX + 1];
    yyjson_val *end = unsafe_yyjson_get_next(val);
    unsigned depth = 0;
    for (; val < end; val++) {
        while (depth > 0 && val >= ends[depth - 1]) depth--;
        if (!unsafe_yyjson_is_ctn(val)) continue;
        if (depth == depth_max) return true;
        ends[depth++] = unsafe_yyjson_get_next(val);
    }
    return false;
}

static int put_container(struct decoding *in, struct px_str name, yyjson_val *val)
{
    px_buf_clear(&in->json);
    px_buf_add_json(&in->json, val);
    PX_TRY(px_buf_fault(&in->json));
    return batch_put_json(in->batch, name, px_buf_str(&in->json));
}

static int put_scalar(struct batch *batch, struct px_str name, yyjson_val *val)
{
    switch (unsafe_yyjson_get_tag(val)) {
    case YYJSON_TYPE_STR | YYJSON_SUBTYPE_NONE:
    case YYJSON_TYPE_STR | YYJSON_SUBTYPE_NOESC:
    case YYJSON_TYPE_RAW: /* a number past int64 and double */
        return batch_put_str(batch, name, px_str(val->uni.str, unsafe_yyjson_get_len(val)));
    case YYJSON_TYPE_NUM | YYJSON_SUBTYPE_UINT:
        if (val->uni.u64 > INT64_MAX) return put_large(batch, name, val->uni.u64);
        return batch_put_int(batch, name, (int64_t)val->uni.u64);
    case YYJSON_TYPE_NUM | YYJSON_SUBTYPE_SINT: return batch_put_int(batch, name, val->uni.i64);
    case YYJSON_TYPE_NUM | YYJSON_SUBTYPE_REAL: return batch_put_double(batch, name, val->uni.f64);
    case YYJSON_TYPE_BOOL | YYJSON_SUBTYPE_TRUE: return batch_put_bool(batch, name, true);
    default: return batch_put_bool(batch, name, false);
    }
}

static int put_object(struct decoding *in, size_t prefix_bytes, yyjson_val *obj, unsigned depth);

/* One field that is not null. name is its flattened name, key where it stands. */
static int put_field(struct decoding *in, yyjson_val *key, struct px_str name, yyjson_val *val,
                     unsigned depth)
{
    bool is_ctn = unsafe_yyjson_is_ctn(val);
    if (is_ctn && depth == 1 && is_deeper_than(val, DEPTH_MAX - 1))
        return REFUSE_AT(in, key, name, "nesting of at most %d levels", DEPTH_MAX);
    if (is_ctn && unsafe_yyjson_is_obj(val) && unsafe_yyjson_get_len(val) > 0) {
        if (in->path.len == 0 || name.ptr != in->path.ptr) { /* else it stands there already */
            px_buf_clear(&in->path);
            px_buf_add_str(&in->path, name);
        }
        px_buf_add_char(&in->path, '.');
        PX_TRY(px_buf_fault(&in->path));
        return put_object(in, in->path.len, val, depth + 1);
    }
    if (++in->fields > in->limits->fields_max)
        return REFUSE_AT(in, key, name, "at most %u fields", in->limits->fields_max);
    int r = is_ctn ? put_container(in, name, val) : put_scalar(in->batch, name, val);
    return r == 0 ? 0 : put_failed(in, key, name, r);
}

/* The fields of a nested object; the first prefix_bytes of `path` are its name and a dot. */
static int put_object(struct decoding *in, size_t prefix_bytes, yyjson_val *obj, unsigned depth)
{
    yyjson_obj_iter fields = yyjson_obj_iter_with(obj);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&fields)) != NULL;) {
        yyjson_val *val = yyjson_obj_iter_get_val(key);
        if (unsafe_yyjson_is_null(val)) continue;
        in->path.len = prefix_bytes;
        px_buf_add_str(&in->path, px_json_val_str(key));
        PX_TRY(px_buf_fault(&in->path));
        struct px_str name = px_buf_str(&in->path);
        if (in->time_field.len > 0 && px_str_eq(name, in->time_field)) {
            in->time_keys[RANK_CHOSEN] = key;
            in->times[RANK_CHOSEN] = val;
            continue;
        }
        int r = put_field(in, key, name, val, depth);
        if (r != 0) return r;
    }
    return 0;
}

/* ---- the time ---- */

/* RANK_COUNT for a field that cannot be the time. Without case, as columns are. */
static unsigned time_rank(const struct decoding *in, struct px_str name)
{
    static const struct px_str names[] = {{"time", 4},       {"timestamp", 9}, {"@timestamp", 10},
                                          {"ts", 2},         {"_time", 5}};
    if (in->time_field.len > 0 && px_str_eq(name, in->time_field)) return RANK_CHOSEN;
    if (name.len > 10 || name.len < 2) return RANK_COUNT;
    for (unsigned i = 0; i < PX_COUNT(names); i++)
        if (name.len == names[i].len && px_str_ieq(name, names[i])) return RANK_TIME + i;
    return RANK_COUNT;
}

static bool read_time(yyjson_val *val, struct decode_time *ret_time)
{
    if (unsafe_yyjson_is_str(val)) return decode_time_text(px_json_val_str(val), ret_time);
    if (yyjson_is_real(val)) return decode_time_double(val->uni.f64, ret_time);
    bool is_int64 = yyjson_is_sint(val) || (yyjson_is_uint(val) && val->uni.u64 <= INT64_MAX);
    if (is_int64) decode_time_int(val->uni.i64, ret_time);
    return is_int64;
}

/* A field that could have been the time but was not. A column `time` there is already. */
static int put_runner_up(struct decoding *in, unsigned rank)
{
    yyjson_val *key = in->time_keys[rank];
    struct px_str name = px_json_val_str(key);
    if (px_str_ieq(name, S(COL_TIME_NAME))) name = S("time_original");
    return put_field(in, key, name, in->times[rank], 1);
}

static int put_time(struct decoding *in)
{
    unsigned best = 0;
    while (best < RANK_COUNT && !in->times[best]) best++;
    struct decode_time time = {.us = in->limits->now_ns / 1000};
    if (best < RANK_COUNT) {
        yyjson_val *key = in->time_keys[best];
        struct px_str name = px_json_val_str(key);
        if (!read_time(in->times[best], &time))
            return REFUSE_AT(in, key, name, "an RFC 3339 time or a number of s, ms, us or ns");
        if (time.us < in->limits->time_min_us || time.us > in->limits->time_max_us)
            return REFUSE_AT(in, key, name, "a time in the range that is accepted");
    }
    int r = batch_put_time(in->batch, time.us);
    if (r == 0 && time.has_ns) r = batch_put_int(in->batch, S("time_unix_nano"), time.ns);
    if (r != 0) return put_failed(in, in->time_keys[best], S("time_unix_nano"), r);
    for (unsigned rank = best + 1; rank < RANK_COUNT && r == 0; rank++)
        if (in->times[rank]) r = put_runner_up(in, rank);
    return r;
}

/* ---- records ---- */

static int put_fields(struct decoding *in, yyjson_val *obj)
{
    memset(in->times, 0, sizeof in->times);
    in->fields = 0;
    yyjson_obj_iter fields = yyjson_obj_iter_with(obj);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&fields)) != NULL;) {
        yyjson_val *val = yyjson_obj_iter_get_val(key);
        if (unsafe_yyjson_is_null(val)) continue;
        struct px_str name = px_json_val_str(key);
        unsigned rank = time_rank(in, name);
        if (rank < RANK_COUNT) {
            in->times[rank] = val;
            in->time_keys[rank] = key;
            continue;
        }
        int r = put_field(in, key, name, val, 1);
        if (r != 0) return r;
    }
    return put_time(in);
}

/* One parsed record to one row, or one refusal. Answers: RECORD_FULL. */
static int add_record(struct decoding *in, yyjson_val *root)
{
    if (!yyjson_is_obj(root)) {
        px_where_set(&in->where, in->record_offset, "", "a JSON object as the record");
        refuse(in);
        return 0;
    }
    batch_row_begin(in->batch);
    int r = put_fields(in, root);
    if (r == 0) {
        r = batch_row_end(in->batch);
        if (r < 0) return r;
        if (r == BATCH_FULL) return RECORD_FULL;
        in->result->accepted++;
        return 0;
    }
    batch_row_abort(in->batch);
    if (r != RECORD_REFUSED) return r;
    refuse(in);
    return 0;
}

static int too_many(const struct decoding *in, struct px_where *ret_where)
{
    px_where_set(ret_where, in->record_offset, "", "at most %u records in a request",
                 in->limits->records_max);
    return DECODE_TOO_LARGE;
}

static int batch_is_full(const struct decoding *in, struct px_where *ret_where)
{
    px_where_set(ret_where, in->record_offset, "",
                 "no more than a batch holds: at record %llu it has %u rows and %zu bytes",
                 (unsigned long long)in->record, batch_rows(in->batch), batch_bytes(in->batch));
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
    yyjson_doc *doc;
    yyjson_read_err error;
    if (bytes > in->limits->record_bytes_max) {
        px_where_set(&in->where, offset, "", "a record of at most %zu bytes",
                     in->limits->record_bytes_max);
        refuse(in);
        return 0;
    }
    int r = parse(in, offset, bytes, YYJSON_READ_NOFLAG, &doc, &error);
    if (r == 0) return add_record(in, yyjson_doc_get_root(doc));
    if (r != PARSE_INVALID) return r;
    px_where_set(&in->where, offset + error.pos, "", "JSON: %s", error.msg);
    refuse(in);
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
    yyjson_doc *doc;
    yyjson_read_err error;
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

/* Parse the element at an offset, whose size is not known, with ever larger windows. *window is where
 * to begin and what it took. */
static int parse_element(struct decoding *in, size_t at, size_t *window, yyjson_doc **ret_doc,
                         struct px_where *ret_where)
{
    size_t left = in->body.len - at;
    size_t largest = PX_MIN(left, in->limits->record_bytes_max);
    for (;; *window *= 2) {
        size_t bytes = PX_MIN(*window, largest);
        yyjson_read_err error;
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
        yyjson_doc *doc;
        int r = parse_element(in, at, &window, &doc, ret_where);
        if (r != 0) return r;
        r = add_record(in, yyjson_doc_get_root(doc));
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
