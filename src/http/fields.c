/* http/fields.c - header fields as offsets; see the header. */
#include "http/fields.h"

bool http_fields_add_name(struct http_fields *fields, size_t offset, size_t bytes)
{
    if (fields->in_value) {
        if (fields->count == HTTP_FIELDS_MAX) return false;
        memset(&fields->at[fields->count++], 0, sizeof fields->at[0]);
        fields->in_value = false;
    }
    http_span_add(&fields->at[fields->count - 1].name, offset, bytes);
    return true;
}

void http_fields_add_value(struct http_fields *fields, size_t offset, size_t bytes)
{
    PX_ASSERT(fields->count > 0);
    fields->in_value = true;
    http_span_add(&fields->at[fields->count - 1].value, offset, bytes);
}

void http_fields_view(const struct http_fields *fields, const char *base, struct http_header *out)
{
    for (uint32_t i = 0; i < fields->count; i++) {
        struct http_span name = fields->at[i].name, value = fields->at[i].value;
        out[i].name = px_str(base + name.offset, name.bytes);
        out[i].value = px_str_trim(px_str(base + value.offset, value.bytes));
    }
}
