/* observe/spans.h - finished and running spans of a process, until they leave as one OTLP request.
 *
 * Room for SPANS_MAX spans and SPAN_TEXT_BYTES_MAX bytes of their texts is all there is: a span or an
 * attribute that finds none is counted as dropped. No memory is taken before the first span. */
#pragma once

#include "base/px_arena.h"
#include "base/px_buf.h"
#include "observe/trace.h"

#define SPANS_MAX 256
#define SPAN_ATTRIBUTES_MAX 10
#define SPAN_TEXT_BYTES_MAX ((size_t)64 * 1024)
#define SPAN_NAME_BYTES 64
#define SPAN_TEXT_MAX 256 /* of one attribute; longer ones are cut */

/* Numbers: OTLP's. */
enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER = 2, SPAN_CLIENT = 3, SPAN_CONSUMER = 5 };

struct span_attribute {
    const char *key; /* static */
    bool is_text;
    struct px_str text; /* the batch's */
    int64_t number;
};
struct span {
    uint8_t trace[16], id[8], parent[8]; /* parent all zero: none */
    char name[SPAN_NAME_BYTES];          /* cut to it */
    struct px_str state;
    enum span_kind kind;
    int64_t start_ns, end_ns;  /* wall time; end 0: it runs */
    const char *error;         /* static: what kind; NULL: none */
    struct trace_context link; /* another trace that it belongs to; its trace all zero: none */
    struct span_attribute attributes[SPAN_ATTRIBUTES_MAX];
    uint32_t attribute_count, dropped_attributes;
};
struct spans {
    struct span *at;
    uint32_t count;
    struct px_arena text;
    uint64_t dropped; /* since the start of the process */
};
void spans_init(struct spans *spans);
void spans_deinit(struct spans *spans);
/* A cleared one, or NULL when there is no room, which is counted. It stays where it is until
 * spans_clear(). */
struct span *spans_add(struct spans *spans);
void span_set_name(struct span *span, struct px_str name);
void span_set_state(struct spans *spans, struct span *span, struct px_str state);
void span_add_text(struct spans *spans, struct span *span, const char *key, struct px_str value);
void span_add_number(struct span *span, const char *key, int64_t value);
void spans_clear(struct spans *spans); /* what is in there has left, or is given up */

/* What made the spans, e.g. {"service.name", true, S("ingest")}. */
struct spans_source {
    const struct span_attribute *attributes;
    size_t count;
};
/* Append one ExportTraceServiceRequest (OTLP 1.x, protobuf) with all spans that have ended. Requests behind
 * one another in a buffer are one request, because protobuf merges repeated fields.
 * Faults: PX_F_OOM, PX_F_LIMIT of buf. */
PX_MUST_USE int spans_encode(const struct spans *spans, const struct spans_source *source,
                             struct px_buf *buf);
