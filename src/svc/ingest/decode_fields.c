/* svc/ingest/decode_fields.c - the fields of a parsed record to one row of the batch.
 *
 * Names are flattened with dots; what may be the time is put aside until all fields were seen, then
 * the best of it becomes the time and the rest ordinary fields. The rules stand in
 * docs/design/schema.md. */
#include "svc/ingest/decode_json_impl.h"
#include "svc/ingest/decode_time.h"

#define DEPTH_MAX 32

/* ---- refusing ---- */

void decoding_refuse(struct decoding *in)
{
    struct decode_result *result = in->result;
    if (result->refusals_kept < DECODE_REFUSALS_KEPT) {
        result->refusals[result->refusals_kept++] = (struct decode_refusal){.record = in->record,
                                                                            .where = in->where};
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
    static const struct px_str names[] = {
        {"time", 4}, {"timestamp", 9}, {"@timestamp", 10}, {"ts", 2}, {"_time", 5}};
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

int decoding_add_record(struct decoding *in, yyjson_val *root)
{
    if (!yyjson_is_obj(root)) {
        px_where_set(&in->where, in->record_offset, "", "a JSON object as the record");
        decoding_refuse(in);
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
    decoding_refuse(in);
    return 0;
}
