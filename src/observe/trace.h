/* observe/trace.h - which trace a piece of work belongs to, as the two conventions write it: W3C Trace
 * Context (`traceparent`, `tracestate`) and X-Ray's header (`X-Amzn-Trace-Id`, `Lambda-Runtime-Trace-Id`).
 * Both hold the same: 16 bytes of trace, 8 of the span above, and whether it is recorded. */
#pragma once

#include "base/px_id.h"

#define TRACE_W3C_BYTES 56  /* with the NUL */
#define TRACE_XRAY_BYTES 88 /* likewise */

struct trace_context {
    uint8_t trace[16]; /* all zero: none */
    uint8_t span[8];   /* whose child comes next; all zero: nobody's */
    bool sampled;
    bool decided; /* somebody above has decided about that; else it is for whoever begins */
};
static inline bool trace_is_set(const struct trace_context *context)
{
    static const uint8_t none[16];
    return memcmp(context->trace, none, sizeof none) != 0;
}
static inline bool trace_has_span(const struct trace_context *context)
{
    static const uint8_t none[8];
    return memcmp(context->span, none, sizeof none) != 0;
}

/* "00-<32 hex>-<16 hex>-<2 hex>". False, as the specification wants it, for anything that is not well
 * formed: the caller then begins a trace of its own. */
PX_MUST_USE bool trace_from_w3c(struct px_str traceparent, struct trace_context *ret_context);
/* "Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=1", in any order, other keys passed over. Without
 * Parent there is no span above; without Sampled=0 or 1 nothing is decided. */
PX_MUST_USE bool trace_from_xray(struct px_str header, struct trace_context *ret_context);

/* What most events need of the same header, at a tenth of the cost, where it has the form that AWS writes
 * ("Root=1-...;Parent=...;Sampled=1"): the trace's digits, unchecked, and the decision. False: read it all. */
PX_MUST_USE bool trace_peek_xray(struct px_str header, char ret_trace[33], bool *ret_sampled);

struct px_str trace_to_w3c(const struct trace_context *context, char buf[TRACE_W3C_BYTES]);
struct px_str trace_to_xray(const struct trace_context *context, char buf[TRACE_XRAY_BYTES]);

/* A tracestate field that is passed on: at most 32 members and 512 bytes of visible characters; anything
 * else gives the empty view, since a field that is wrong is dropped whole. */
struct px_str trace_state(struct px_str tracestate);

/* A trace that begins at wall_ns. X-Ray reads the time out of the first four bytes; the rest is random,
 * from the stock if there is one. */
void trace_begin(struct px_random_stock *stock, int64_t wall_ns, struct trace_context *ret_context);
void trace_new_span(struct px_random_stock *stock, uint8_t ret_span[8]);
