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

/* A document taken apart: a large base64 body need not go through the JSON parser, which looks at each
 * byte, when the base64 decoder does that anyway. What looks like the body's text is left out of
 * `rest`; api_body_read() believes it only if the parser finds an empty "body" at that very place and
 * the text is base64. Otherwise the whole document is to be parsed. */
struct api_cut {
    struct px_str rest; /* in the arena, to be parsed in place */
    const char *at;     /* in rest, where the body's text would begin */
    struct px_str body; /* view into the payload */
};
/* Answers: API_INVALID (small, or nothing looks like a body). */
PX_MUST_USE int api_json_cut(struct px_str payload, struct px_arena *arena,
                             struct api_cut *ret_cut);

/* "body" and "isBase64Encoded" of obj. cut may be NULL. Answers: API_INVALID. */
PX_MUST_USE int api_body_read(yyjson_val *obj, const struct api_cut *cut, struct px_arena *arena,
                              struct px_str *ret_body, bool *ret_was_base64,
                              struct px_where *ret_where);
