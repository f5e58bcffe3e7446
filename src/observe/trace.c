/* observe/trace.c - see trace.h.
 *
 * Sources: W3C Trace Context (2021-11-23), 3.2 traceparent, 3.3 tracestate; AWS X-Ray developer guide,
 * "Tracing header"; AWS Lambda developer guide, "Using the Lambda runtime API". */
#include "observe/trace.h"

#include <stdio.h>

#include "base/px_clock.h"
#include "base/px_id.h"

#define STATE_MEMBERS_MAX 32
#define STATE_BYTES_MAX 512

static bool is_zero(const uint8_t *bytes, size_t count)
{
    uint8_t any = 0;
    for (size_t i = 0; i < count; i++) any |= bytes[i];
    return any == 0;
}

static bool has_capitals(struct px_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] >= 'A' && s.ptr[i] <= 'F') return true;
    return false;
}

/* A later version may add fields behind the four that are known. */
static bool version_fits(uint8_t version, struct px_str header)
{
    if (version == 0xff) return false;
    return header.len == 55 || (version > 0 && header.ptr[55] == '-');
}

bool trace_from_w3c(struct px_str header, struct trace_context *ret_context)
{
    struct trace_context context = {0};
    uint8_t version, flags;
    if (header.len < 55 || header.ptr[2] != '-' || header.ptr[35] != '-' || header.ptr[52] != '-')
        return false;
    if (has_capitals(px_str(header.ptr, 55)) || !px_unhex(px_str(header.ptr, 2), &version, 1) ||
        !version_fits(version, header))
        return false;
    if (!px_unhex(px_str(header.ptr + 3, 32), context.trace, 16) || is_zero(context.trace, 16) ||
        !px_unhex(px_str(header.ptr + 36, 16), context.span, 8) || is_zero(context.span, 8) ||
        !px_unhex(px_str(header.ptr + 53, 2), &flags, 1))
        return false;
    context.sampled = flags & 1;
    context.decided = true;
    *ret_context = context;
    return true;
}

/* "1-<8 hex>-<24 hex>" */
static bool root_read(struct px_str root, uint8_t trace[16])
{
    return root.len == 35 && root.ptr[0] == '1' && root.ptr[1] == '-' && root.ptr[10] == '-' &&
           px_unhex(px_str(root.ptr + 2, 8), trace, 4) &&
           px_unhex(px_str(root.ptr + 11, 24), trace + 4, 12) && !is_zero(trace, 16);
}

bool trace_from_xray(struct px_str header, struct trace_context *ret_context)
{
    struct trace_context context = {0};
    bool rooted = false;
    while (header.len > 0) {
        struct px_str part, key, value;
        (void)px_str_cut(&header, ';', &part);
        value = px_str_trim(part);
        if (!px_str_cut(&value, '=', &key)) continue;
        if (px_str_ieq(key, S("Root")))
            rooted = root_read(value, context.trace);
        else if (px_str_ieq(key, S("Parent")) && !px_unhex(value, context.span, 8))
            memset(context.span, 0, sizeof context.span);
        else if (px_str_ieq(key, S("Sampled"))) {
            context.sampled = px_str_eq(value, S("1"));
            context.decided = context.sampled || px_str_eq(value, S("0"));
        }
    }
    if (rooted) *ret_context = context;
    return rooted;
}

bool trace_peek_xray(struct px_str header, char ret_trace[33], bool *ret_sampled)
{
    static const char sampled[] = ";Sampled=1";
    if (header.len < 40 || memcmp(header.ptr, "Root=1-", 7) != 0 || header.ptr[15] != '-' ||
        (header.len > 40 && header.ptr[40] != ';'))
        return false;
    memcpy(ret_trace, header.ptr + 7, 8);
    memcpy(ret_trace + 8, header.ptr + 16, 24);
    ret_trace[32] = '\0';
    *ret_sampled = memmem(header.ptr + 40, header.len - 40, sampled, sizeof sampled - 1) != NULL;
    return true;
}

struct px_str trace_to_w3c(const struct trace_context *context, char buf[TRACE_W3C_BYTES])
{
    char trace[33], span[17];
    px_hex(context->trace, 16, trace);
    px_hex(context->span, 8, span);
    int n = snprintf(buf, TRACE_W3C_BYTES, "00-%s-%s-0%d", trace, span, context->sampled);
    return px_str(buf, (size_t)n);
}

struct px_str trace_to_xray(const struct trace_context *context, char buf[TRACE_XRAY_BYTES])
{
    char trace[33], span[17] = "";
    px_hex(context->trace, 16, trace);
    if (trace_has_span(context)) px_hex(context->span, 8, span);
    int n = snprintf(buf, TRACE_XRAY_BYTES, "Root=1-%.8s-%s%s%s;Sampled=%d", trace, trace + 8,
                     span[0] ? ";Parent=" : "", span, context->sampled);
    return px_str(buf, (size_t)n);
}

struct px_str trace_state(struct px_str state)
{
    state = px_str_trim(state);
    if (state.len == 0 || state.len > STATE_BYTES_MAX) return (struct px_str){0};
    size_t members = 1;
    for (size_t i = 0; i < state.len; i++) {
        unsigned char c = (unsigned char)state.ptr[i];
        if ((c < ' ' && c != '\t') || c > '~') return (struct px_str){0};
        members += c == ',';
    }
    return members <= STATE_MEMBERS_MAX ? state : (struct px_str){0};
}

void trace_begin(struct px_random_stock *stock, int64_t wall_ns, struct trace_context *ret_context)
{
    *ret_context = (struct trace_context){0};
    px_random_from(stock, ret_context->trace, sizeof ret_context->trace);
    uint32_t seconds = (uint32_t)(wall_ns / PX_NS_PER_S);
    for (int i = 0; i < 4; i++) ret_context->trace[i] = (uint8_t)(seconds >> (24 - 8 * i));
}

void trace_new_span(struct px_random_stock *stock, uint8_t ret_span[8])
{
    do px_random_from(stock, ret_span, 8);
    while (is_zero(ret_span, 8));
}
