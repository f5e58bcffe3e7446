/* base/px_json.h - yyjson in Prism's shapes: parse with the place of an error, get fields with types
 * checked, write into a px_buf. Values are yyjson's own; include yyjson.h for more. */
#pragma once

#include "base/px_arena.h"
#include "base/px_buf.h"

#include <yyjson.h>

enum px_json_answer { PX_JSON_INVALID = 1 };

/* Deeper nesting is invalid, so that who walks a document may recurse. */
#define PX_JSON_DEPTH_MAX 200

/* Parse one document. Strict RFC 8259 and UTF-8.
 *   arena  holds the document and copies of its strings; the text may go after the call
 * Answers: PX_JSON_INVALID, with ret_where filled (ret_where may be NULL).
 * Faults: PX_F_OOM, PX_F_LIMIT from the arena. */
PX_MUST_USE int px_json_parse(struct px_str text, struct px_arena *arena, yyjson_val **ret_root,
                              struct px_where *ret_where);
/* Read and parse a file of at most limit_bytes. The detail of a fault names the file and line. */
PX_MUST_USE int px_json_load(const char *path, size_t limit_bytes, struct px_arena *arena,
                             yyjson_val **ret_root);

/* Fields of an object; the default (or empty, 0, false, NULL) when absent, null or of another
 * type, and when obj is NULL or no object. */
struct px_str px_json_str(yyjson_val *obj, const char *key);
int64_t px_json_i64(yyjson_val *obj, const char *key, int64_t otherwise);
double px_json_f64(yyjson_val *obj, const char *key, double otherwise);
bool px_json_bool(yyjson_val *obj, const char *key, bool otherwise);
yyjson_val *px_json_obj(yyjson_val *obj, const char *key);
yyjson_val *px_json_arr(yyjson_val *obj, const char *key);
/* Any value of a path such as "requestContext.authorizer.tenant"; NULL when absent. */
yyjson_val *px_json_at(yyjson_val *root, const char *dotted_path);

/* The empty view with a NULL pointer for anything but a string. */
static inline struct px_str px_json_val_str(yyjson_val *val)
{
    const char *text = yyjson_get_str(val); /* yyjson_get_len() also counts members */
    return px_str(text, text ? yyjson_get_len(val) : 0);
}
/* Append a value's minified text. */
void px_buf_add_json(struct px_buf *buf, yyjson_val *val);

/* yyjson's loops over an object or array that may be absent (NULL): yyjson itself would compute an
 * address from it. */
#define px_json_obj_foreach(obj, idx, max, key, val)                                               \
    if (obj) yyjson_obj_foreach(obj, idx, max, key, val)
#define px_json_arr_foreach(arr, idx, max, val)                                                    \
    if (arr) yyjson_arr_foreach(arr, idx, max, val)
