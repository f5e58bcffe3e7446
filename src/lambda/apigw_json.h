/* lambda/apigw_json.h - the shapes that events and responses share in JSON: maps of fields with one or
 * several values, and bodies as text or base64. Inside lambda only. */
#pragma once

#include "base/px_json.h"
#include "http/message.h"
#include "lambda/apigw.h"

struct api_pairs {
    const struct http_header *at;
    size_t count;
};

/* Parse payload where it stands; see api_event_parse_in_place(). *ret_doc is the caller's to free
 * once it has taken its views, which point into payload. Answers: API_INVALID. */
PX_MUST_USE int api_json_parse(struct px_str payload, yyjson_doc **ret_doc,
                               struct px_where *ret_where);
void api_json_free(yyjson_doc **doc);
/* A copy of payload with the padding that parsing in place needs. */
PX_MUST_USE int api_json_dup(struct px_str payload, struct px_arena *arena,
                             struct px_str *ret_copy);

/* {"name": ["value", ...]} of `multi`, else {"name": "value"} of `single`; either may be NULL or JSON
 * null. Numbers and booleans count as their text. Answers: API_INVALID, *ret_where names the field. */
PX_MUST_USE int api_pairs_read(yyjson_val *single, yyjson_val *multi, struct px_arena *arena,
                               struct api_pairs *ret_pairs, struct px_where *ret_where);
/* "field":{...}, the last value of each name, and "multi_field":{...}, all of them; null for none. */
void api_pairs_write_single(const char *field, struct api_pairs pairs, struct px_buf *buf);
void api_pairs_write_multi(const char *field, struct api_pairs pairs, struct px_buf *buf);
bool api_pairs_repeat_a_name(struct api_pairs pairs);

/* "body" and "isBase64Encoded" of obj. Answers: API_INVALID. */
PX_MUST_USE int api_body_read(yyjson_val *obj, struct px_arena *arena, struct px_str *ret_body,
                              bool *ret_was_base64, struct px_where *ret_where);
