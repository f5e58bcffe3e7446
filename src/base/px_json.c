/* base/px_json.c - yyjson over an arena.
 *
 * yyjson reads and writes without recursion; the depth is bounded here because whoever walks a
 * document may recurse. */
#include "base/px_json.h"

#include <stdlib.h>

#include "base/px_file.h"

static void *alc_malloc(void *ctx, size_t bytes) { return px_arena_alloc(ctx, bytes); }
static void *alc_realloc(void *ctx, void *ptr, size_t old_bytes, size_t bytes)
{
    return px_arena_realloc(ctx, ptr, old_bytes, bytes);
}
static void alc_free(void *ctx, void *ptr) { (void)ctx, (void)ptr; }

/* Values stand in one array in document order; a container's next value is behind its last child. */
static bool depth_is_fine(yyjson_doc *doc)
{
    yyjson_val *ends[PX_JSON_DEPTH_MAX];
    size_t depth = 0;
    yyjson_val *val = yyjson_doc_get_root(doc);
    yyjson_val *end = val + yyjson_doc_get_val_count(doc);
    for (; val < end; val++) {
        while (depth > 0 && val >= ends[depth - 1]) depth--;
        if (!yyjson_is_ctn(val)) continue;
        if (depth == PX_JSON_DEPTH_MAX) return false;
        ends[depth++] = unsafe_yyjson_get_next(val);
    }
    return true;
}

static int parse_failed(const yyjson_read_err *err, const struct px_arena *arena,
                        struct px_where *ret_where)
{
    if (err->code == YYJSON_READ_ERROR_MEMORY_ALLOCATION) return px_arena_fault(arena);
    px_where_set(ret_where, err->pos, NULL, "JSON: %s", err->msg ? err->msg : "not valid");
    return PX_JSON_INVALID;
}

int px_json_parse(struct px_str text, struct px_arena *arena, yyjson_val **ret_root,
                  struct px_where *ret_where)
{
    if (text.len == 0) {
        px_where_set(ret_where, 0, NULL, "JSON: a value, but the input is empty");
        return PX_JSON_INVALID;
    }
    yyjson_alc alc = {alc_malloc, alc_realloc, alc_free, arena};
    yyjson_read_err err = {0};
    /* without the INSITU flag yyjson copies the text and only reads it */
    char *readable = (char *)(uintptr_t)text.ptr;
    yyjson_doc *doc = yyjson_read_opts(readable, text.len, YYJSON_READ_NOFLAG, &alc, &err);
    if (!doc) return parse_failed(&err, arena, ret_where);
    if (!depth_is_fine(doc)) {
        px_where_set(ret_where, 0, NULL, "JSON: nesting of at most %d levels", PX_JSON_DEPTH_MAX);
        return PX_JSON_INVALID;
    }
    *ret_root = yyjson_doc_get_root(doc);
    return 0;
}

int px_json_load(const char *path, size_t limit_bytes, struct px_arena *arena,
                 yyjson_val **ret_root)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, limit_bytes);
    int r = px_file_read(path, &text);
    if (r == PX_FILE_ABSENT) return px_fault(PX_F_CONFIG, "%s does not exist", path);
    if (r == PX_FILE_TOO_LARGE)
        return px_fault(PX_F_CONFIG, "%s is larger than %zu bytes", path, limit_bytes);
    PX_TRY(r);

    struct px_where where = {0};
    r = px_json_parse(px_buf_str(&text), arena, ret_root, &where);
    if (r != PX_JSON_INVALID) {
        PX_TRY(r);
        return 0;
    }
    size_t line = 1;
    for (size_t i = 0; i < where.offset && i < text.len; i++) line += text.ptr[i] == '\n';
    return px_fault(PX_F_CONFIG, "%s:%zu: %s", path, line, where.expected);
}

/* ---- fields ---- */

struct px_str px_json_str(yyjson_val *obj, const char *key)
{
    return px_json_val_str(yyjson_obj_get(obj, key));
}

/* 3.0 and 1e3 are integers as JSON sees it. */
static bool integer_of(yyjson_val *val, int64_t *ret_value)
{
    if (yyjson_is_real(val)) {
        double real = yyjson_get_real(val);
        if (!(real >= -0x1p63 && real < 0x1p63) || real != (double)(int64_t)real) return false;
        *ret_value = (int64_t)real;
        return true;
    }
    if (!yyjson_is_int(val)) return false;
    if (yyjson_is_uint(val) && yyjson_get_uint(val) > (uint64_t)INT64_MAX) return false;
    *ret_value = yyjson_get_sint(val);
    return true;
}

int64_t px_json_i64(yyjson_val *obj, const char *key, int64_t otherwise)
{
    int64_t value;
    return integer_of(yyjson_obj_get(obj, key), &value) ? value : otherwise;
}

double px_json_f64(yyjson_val *obj, const char *key, double otherwise)
{
    yyjson_val *val = yyjson_obj_get(obj, key);
    return yyjson_is_num(val) ? yyjson_get_num(val) : otherwise;
}

bool px_json_bool(yyjson_val *obj, const char *key, bool otherwise)
{
    yyjson_val *val = yyjson_obj_get(obj, key);
    return yyjson_is_bool(val) ? yyjson_get_bool(val) : otherwise;
}

yyjson_val *px_json_obj(yyjson_val *obj, const char *key)
{
    yyjson_val *val = yyjson_obj_get(obj, key);
    return yyjson_is_obj(val) ? val : NULL;
}

yyjson_val *px_json_arr(yyjson_val *obj, const char *key)
{
    yyjson_val *val = yyjson_obj_get(obj, key);
    return yyjson_is_arr(val) ? val : NULL;
}

yyjson_val *px_json_at(yyjson_val *root, const char *dotted_path)
{
    struct px_str rest = px_str_c(dotted_path), key;
    bool more = true;
    while (root && more) {
        more = px_str_cut(&rest, '.', &key);
        root = yyjson_obj_getn(root, key.ptr, key.len);
    }
    return root;
}

void px_buf_add_json(struct px_buf *buf, yyjson_val *val)
{
    if (px_buf_fault(buf)) return;
    size_t len;
    yyjson_write_err err;
    PX_AUTO(px_free_mem)
    char *text = yyjson_val_write_opts(val, YYJSON_WRITE_NOFLAG, NULL, &len, &err);
    if (text)
        px_buf_add(buf, text, len);
    else
        buf->fault = px_fault(PX_F_OOM, "writing JSON: %s", err.msg);
}
