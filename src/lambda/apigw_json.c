/* lambda/apigw_json.c - maps and bodies in JSON; see the header.
 *
 * Documents are parsed where they stand: strings are views into them, and yyjson's own values are
 * dropped as soon as the views are taken. */
#include "lambda/apigw_json.h"

#include <aws/common/encoding.h>
#include <stdio.h>

int api_json_parse(struct px_str payload, yyjson_doc **ret_doc, struct px_where *ret_where)
{
    static_assert(API_PADDING >= YYJSON_PADDING_SIZE, "yyjson reads that far");
    if (payload.len == 0) {
        px_where_set(ret_where, 0, NULL, "JSON: an object, but the input is empty");
        return API_INVALID;
    }
    char *text = (char *)(uintptr_t)payload.ptr;
    memset(text + payload.len, 0, API_PADDING);
    yyjson_read_err err = {0};
    yyjson_doc *doc = yyjson_read_opts(text, payload.len, YYJSON_READ_INSITU, NULL, &err);
    if (!doc && err.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return px_fault(PX_F_OOM, "an event");
    if (!doc) {
        px_where_set(ret_where, err.pos, NULL, "JSON: %s", err.msg ? err.msg : "not valid");
        return API_INVALID;
    }
    if (!yyjson_is_obj(yyjson_doc_get_root(doc))) {
        yyjson_doc_free(doc);
        px_where_set(ret_where, 0, NULL, "JSON: an object");
        return API_INVALID;
    }
    *ret_doc = doc;
    return 0;
}

void api_json_free(yyjson_doc **doc)
{
    yyjson_doc_free(*doc);
    *doc = NULL;
}

int api_json_dup(struct px_str payload, struct px_arena *arena, struct px_str *ret_copy)
{
    char *copy = px_arena_alloc(arena, payload.len + API_PADDING);
    if (!copy) return px_arena_fault(arena);
    if (payload.len > 0) memcpy(copy, payload.ptr, payload.len);
    *ret_copy = px_str(copy, payload.len);
    return 0;
}

#define CUT_BYTES_MIN (16u * 1024u)

int api_json_cut(struct px_str payload, struct px_arena *arena, struct api_cut *ret_cut)
{
    static const char key[] = "\"body\":\"";
    if (payload.len < CUT_BYTES_MIN) return API_INVALID;
    const char *found = memmem(payload.ptr, payload.len, key, sizeof key - 1);
    if (!found) return API_INVALID;
    const char *begin = found + sizeof key - 1, *end = payload.ptr + payload.len;
    const char *quote = memchr(begin, '"', (size_t)(end - begin));
    if (!quote || (size_t)(quote - begin) < payload.len / 2) return API_INVALID;
    size_t head = (size_t)(begin - payload.ptr), tail = (size_t)(end - quote);
    char *rest = px_arena_alloc(arena, head + tail + API_PADDING);
    if (!rest) return px_arena_fault(arena);
    memcpy(rest, payload.ptr, head);
    memcpy(rest + head, quote, tail);
    ret_cut->rest = px_str(rest, head + tail);
    ret_cut->at = rest + head;
    ret_cut->body = px_str(begin, (size_t)(quote - begin));
    return 0;
}

/* ---- reading maps ---- */

static bool map_size(yyjson_val *map, bool multi, size_t *ret_count)
{
    size_t index, max, count = 0;
    yyjson_val *key, *val;
    if (map && !yyjson_is_obj(map) && !yyjson_is_null(map)) return false;
    px_json_obj_foreach(map, index, max, key, val)
    {
        if (multi && !yyjson_is_arr(val)) return false;
        count += multi ? yyjson_arr_size(val) : 1;
    }
    *ret_count = count;
    return true;
}

/* Text of a scalar; false for others. */
static bool scalar_text(yyjson_val *val, struct px_arena *arena, struct px_str *ret_text)
{
    if (yyjson_is_str(val)) {
        *ret_text = px_json_val_str(val);
        return true;
    }
    if (yyjson_is_bool(val)) {
        *ret_text = yyjson_get_bool(val) ? S("true") : S("false");
        return true;
    }
    if (!yyjson_is_num(val)) return false;
    *ret_text = yyjson_is_int(val) ? px_arena_printf(arena, "%lld", (long long)yyjson_get_sint(val))
                                   : px_arena_printf(arena, "%.17g", yyjson_get_num(val));
    return ret_text->ptr != NULL;
}

static bool pair_take(yyjson_val *key, yyjson_val *val, struct px_arena *arena,
                      struct http_header *ret_pair)
{
    ret_pair->name = px_json_val_str(key);
    return scalar_text(val, arena, &ret_pair->value);
}

static bool map_take(yyjson_val *map, bool multi, struct px_arena *arena, struct http_header *pairs)
{
    size_t index, max;
    yyjson_val *key, *val;
    px_json_obj_foreach(map, index, max, key, val)
    {
        if (!multi) {
            if (!pair_take(key, val, arena, pairs++)) return false;
            continue;
        }
        size_t item_index, item_max;
        yyjson_val *item;
        px_json_arr_foreach(val, item_index, item_max, item)
        {
            if (!pair_take(key, item, arena, pairs++)) return false;
        }
    }
    return true;
}

int api_pairs_read(yyjson_val *single, yyjson_val *multi, struct px_arena *arena,
                   struct api_pairs *ret_pairs, struct px_where *ret_where)
{
    bool use_multi = yyjson_is_obj(multi);
    yyjson_val *map = use_multi ? multi : single;
    size_t count = 0;
    bool fine = !map || map_size(map, use_multi, &count);
    struct http_header *pairs = NULL;
    if (fine && count > 0) {
        pairs = px_arena_array(arena, struct http_header, count);
        if (!pairs) return px_arena_fault(arena);
        fine = map_take(map, use_multi, arena, pairs);
        if (!fine && px_arena_full(arena)) return px_arena_fault(arena);
    }
    if (!fine) {
        px_where_set(ret_where, 0, NULL, "a map of names to strings");
        return API_INVALID;
    }
    *ret_pairs = (struct api_pairs){pairs, count};
    return 0;
}

/* ---- writing maps ---- */

static bool same_name(struct api_pairs pairs, size_t i, size_t k)
{
    struct px_str a = pairs.at[i].name, b = pairs.at[k].name;
    return a.len == b.len && px_str_ieq(a, b);
}

static bool is_first(struct api_pairs pairs, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (same_name(pairs, i, k)) return false;
    return true;
}

static bool is_last(struct api_pairs pairs, size_t i)
{
    for (size_t k = i + 1; k < pairs.count; k++)
        if (same_name(pairs, i, k)) return false;
    return true;
}

bool api_pairs_repeat_a_name(struct api_pairs pairs)
{
    for (size_t i = 1; i < pairs.count; i++)
        if (!is_first(pairs, i)) return true;
    return false;
}

static bool begin_map(const char *field, struct api_pairs pairs, struct px_buf *buf)
{
    px_buf_add_char(buf, '"');
    px_buf_add_c(buf, field);
    px_buf_add_c(buf, pairs.count > 0 ? "\":{" : "\":null");
    return pairs.count > 0;
}

void api_pairs_write_single(const char *field, struct api_pairs pairs, struct px_buf *buf)
{
    if (!begin_map(field, pairs, buf)) return;
    bool first = true;
    for (size_t i = 0; i < pairs.count; i++) {
        if (!is_last(pairs, i)) continue;
        if (!first) px_buf_add_char(buf, ',');
        first = false;
        px_buf_add_json_str(buf, pairs.at[i].name);
        px_buf_add_char(buf, ':');
        px_buf_add_json_str(buf, pairs.at[i].value);
    }
    px_buf_add_char(buf, '}');
}

void api_pairs_write_multi(const char *field, struct api_pairs pairs, struct px_buf *buf)
{
    if (!begin_map(field, pairs, buf)) return;
    for (size_t i = 0; i < pairs.count; i++) {
        if (!is_first(pairs, i)) continue;
        if (i > 0) px_buf_add_char(buf, ',');
        px_buf_add_json_str(buf, pairs.at[i].name);
        px_buf_add(buf, ":[", 2);
        px_buf_add_json_str(buf, pairs.at[i].value);
        for (size_t k = i + 1; k < pairs.count; k++) {
            if (!same_name(pairs, i, k)) continue;
            px_buf_add_char(buf, ',');
            px_buf_add_json_str(buf, pairs.at[k].value);
        }
        px_buf_add_char(buf, ']');
    }
    px_buf_add_char(buf, '}');
}

/* ---- bodies ---- */

static int body_decode(struct px_str base64, struct px_arena *arena, struct px_str *ret_body)
{
    struct aws_byte_cursor in = aws_byte_cursor_from_array(base64.ptr, base64.len);
    size_t bytes;
    if (aws_base64_compute_decoded_len(&in, &bytes) != AWS_OP_SUCCESS) return API_INVALID;
    char *room = px_arena_alloc(arena, bytes);
    if (!room) return px_arena_fault(arena);
    struct aws_byte_buf out = aws_byte_buf_from_empty_array(room, bytes);
    if (aws_base64_decode(&in, &out) != AWS_OP_SUCCESS) return API_INVALID;
    *ret_body = px_str(room, out.len);
    return 0;
}

int api_body_read(yyjson_val *obj, const struct api_cut *cut, struct px_arena *arena,
                  struct px_str *ret_body, bool *ret_was_base64, struct px_where *ret_where)
{
    yyjson_val *body = yyjson_obj_get(obj, "body"), *flag = yyjson_obj_get(obj, "isBase64Encoded");
    bool text_is_fine = !body || yyjson_is_null(body) || yyjson_is_str(body);
    if (!text_is_fine || (flag && !yyjson_is_null(flag) && !yyjson_is_bool(flag))) {
        px_where_set(ret_where, 0, "body", "a string, and true or false in isBase64Encoded");
        return API_INVALID;
    }
    struct px_str text = px_json_val_str(body);
    bool base64 = yyjson_get_bool(flag);
    if (cut) {
        if (!base64 || text.ptr != cut->at || text.len > 0) return API_INVALID;
        text = cut->body;
    }
    if (base64 && text.len > 0) {
        int r = body_decode(text, arena, &text);
        if (r == API_INVALID) px_where_set(ret_where, 0, "body", "base64, as isBase64Encoded says");
        if (r != 0) return r;
    }
    *ret_body = text;
    *ret_was_base64 = base64;
    return 0;
}
