/* Trace headers, which anybody may send: what is taken is written as it was read, in both forms. */
// link: px_observe
#include <stdlib.h>

#include "observe/trace.h"

static void same(const struct trace_context *one, const struct trace_context *other)
{
    PX_ASSERT(memcmp(one->trace, other->trace, sizeof one->trace) == 0);
    PX_ASSERT(memcmp(one->span, other->span, sizeof one->span) == 0);
    PX_ASSERT(one->sampled == other->sampled);
}

static void round_trip(const struct trace_context *context)
{
    struct trace_context again;
    char text[TRACE_XRAY_BYTES], hex[33];
    bool sampled;
    PX_ASSERT(trace_is_set(context));
    struct px_str xray = trace_to_xray(context, text);
    PX_ASSERT(trace_from_xray(xray, &again));
    same(context, &again);
    PX_ASSERT(trace_peek_xray(xray, hex, &sampled) && sampled == context->sampled);
    if (!trace_has_span(context)) return; /* W3C's form has no trace without one */
    PX_ASSERT(trace_from_w3c(trace_to_w3c(context, text), &again));
    same(context, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1); /* exactly as long, so that ASan sees a byte too far */
    if (!copy) return 0;
    if (size) memcpy(copy, data, size);
    struct px_str header = px_str(copy, size);
    struct trace_context context;
    char hex[33];
    bool sampled;
    if (trace_from_w3c(header, &context)) round_trip(&context);
    if (trace_from_xray(header, &context)) round_trip(&context);
    if (trace_peek_xray(header, hex, &sampled)) PX_ASSERT(strlen(hex) <= 32);
    PX_ASSERT(trace_state(header).len <= 512);
    free(copy);
    return 0;
}
