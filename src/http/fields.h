/* http/fields.h - header fields as llhttp finds them, kept as offsets into the buffer they were read
 * to, because that buffer may move while it grows. Inside http only. */
#pragma once

#include "http/message.h"

#define HTTP_FIELDS_MAX 100

struct http_span {
    uint32_t offset, bytes;
};
struct http_fields {
    uint32_t count;
    bool in_value; /* the newest has begun its value, so the next name begins another */
    struct {
        struct http_span name, value;
    } at[HTTP_FIELDS_MAX];
};

static inline void http_fields_reset(struct http_fields *fields)
{
    fields->count = 0;
    fields->in_value = true;
}
/* llhttp gives a text in pieces when it was read in pieces; they lie side by side in the buffer. */
static inline void http_span_add(struct http_span *span, size_t offset, size_t bytes)
{
    if (span->bytes == 0) span->offset = (uint32_t)offset;
    span->bytes += (uint32_t)bytes;
}
/* False when there are too many fields. */
PX_MUST_USE bool http_fields_add_name(struct http_fields *fields, size_t offset, size_t bytes);
void http_fields_add_value(struct http_fields *fields, size_t offset, size_t bytes);
/* Views into base; out holds fields->count headers. Values lose the white space behind them. */
void http_fields_view(const struct http_fields *fields, const char *base, struct http_header *out);
