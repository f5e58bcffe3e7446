/* base/px_log.h - one JSON object a line on stdout, the format docs/design/observability.md documents.
 * Edges (functions, region, command) log; libraries return faults instead. Lambda's own documented fields:
 * timestamp, level, message, requestId; then what is known of the event; then whatever the caller adds.
 * No key, no record and no SQL of a tenant belongs into a line; its name may stand there. */
#pragma once

#include "base/px_buf.h"
#include "base/px_clock.h"

enum px_level { PX_DEBUG, PX_INFO, PX_WARN, PX_ERROR };
/* debug, info, warn, error, in any case. */
PX_MUST_USE bool px_level_parse(struct px_str name, enum px_level *ret_level);

/* What is known of the event in work; who handles it fills it in as it learns more. */
struct px_log_context {
    struct px_str trace_id; /* 32 hex digits */
    struct px_str tenant;
    bool cold; /* the first event of its process */
};
/* A logger is plain data; copy it to add a request id. Lines are written by one write(2) each, of at most
 * PX_LOG_LINE_BYTES_MAX bytes. */
#define PX_LOG_LINE_BYTES_MAX (256u * 1024u - 26u) /* CloudWatch Logs: 256 KB, 26 of them its own */
struct px_log {
    int fd;
    enum px_level level;
    struct px_str service;    /* function or program name */
    struct px_str request_id; /* empty outside an invocation */
    const struct px_clock *clock;
    const struct px_log_context *context; /* borrowed; NULL: none */
};
/* fmt is the message; fields go through px_log_fields. */
void px_log(const struct px_log *log, enum px_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* json_fields: inner text of an object, e.g. "\"rows\":12,\"ms\":3"; empty for none. */
void px_log_fields(const struct px_log *log, enum px_level level, struct px_str json_fields,
                   const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* A fault with its path, at ERROR. */
void px_log_fault(const struct px_log *log, int fault, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
