/* base/px_log.c - one JSON object a line, one write(2) a line.
 *
 * Logging never fails its caller: a message is cut at MESSAGE_BYTES_MAX, fields that would make the
 * line larger than CloudWatch takes are left out and the line says so. */
#include "base/px_log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/px_file.h"

#define MESSAGE_BYTES_MAX 8192u

static const char *const level_names[] = {"DEBUG", "INFO", "WARN", "ERROR"};

bool px_level_parse(struct px_str name, enum px_level *ret_level)
{
    for (size_t i = 0; i < PX_COUNT(level_names); i++) {
        if (!px_str_ieq(name, px_str_c(level_names[i]))) continue;
        *ret_level = (enum px_level)i;
        return true;
    }
    return false;
}

static void add_text(struct px_buf *line, const char *name, struct px_str value)
{
    if (value.len == 0) return;
    px_buf_printf(line, ",\"%s\":", name);
    px_buf_add_json_str(line, value);
}

static void add_head(struct px_buf *line, const struct px_log *log, enum px_level level,
                     struct px_str message)
{
    char when[32];
    px_buf_add_c(line, "{\"timestamp\":\"");
    px_buf_add_str(line, px_time_format(px_wall_ns(log->clock), 3, when));
    px_buf_printf(line, "\",\"level\":\"%s\",\"service\":", level_names[level]);
    px_buf_add_json_str(line, log->service);
    px_buf_add_c(line, ",\"message\":");
    px_buf_add_json_str(line, message);
    add_text(line, "requestId", log->request_id);
    const struct px_log_context *context = log->context;
    if (!context) return;
    add_text(line, "traceId", context->trace_id);
    add_text(line, "tenant", context->tenant);
    if (context->cold) px_buf_add_c(line, ",\"coldStart\":true");
}

static void log_line(const struct px_log *log, enum px_level level, struct px_str json_fields,
                     struct px_str message)
{
    PX_AUTO(px_buf_deinit) struct px_buf line;
    px_buf_init(&line, PX_LOG_LINE_BYTES_MAX);
    add_head(&line, log, level, message);
    if (json_fields.len > 0 && json_fields.len < PX_LOG_LINE_BYTES_MAX - line.len - 3) {
        px_buf_add_char(&line, ',');
        px_buf_add_str(&line, json_fields);
    } else if (json_fields.len > 0) {
        px_buf_printf(&line, ",\"fieldsLeftOutBytes\":%zu", json_fields.len);
    }
    px_buf_add_c(&line, "}\n");
    if (px_buf_fault(&line) == 0 && px_file_write_all(log->fd, line.ptr, line.len) != 0)
        return; /* nobody is left to tell */
}

/* At most MESSAGE_BYTES_MAX bytes; a character cut in two becomes U+FFFD when escaped. */
static struct px_str message_format(char *message, const char *fmt, va_list args)
{
    int n = vsnprintf(message, MESSAGE_BYTES_MAX, fmt, args);
    return px_str(message, n < 0 ? 0 : PX_MIN((size_t)n, MESSAGE_BYTES_MAX - 1));
}

void px_log(const struct px_log *log, enum px_level level, const char *fmt, ...)
{
    if (level < log->level) return;
    char message[MESSAGE_BYTES_MAX];
    va_list args;
    va_start(args, fmt);
    log_line(log, level, S(""), message_format(message, fmt, args));
    va_end(args);
}

void px_log_fields(const struct px_log *log, enum px_level level, struct px_str json_fields,
                   const char *fmt, ...)
{
    if (level < log->level) return;
    char message[MESSAGE_BYTES_MAX];
    va_list args;
    va_start(args, fmt);
    log_line(log, level, json_fields, message_format(message, fmt, args));
    va_end(args);
}

void px_log_fault(const struct px_log *log, int fault, const char *fmt, ...)
{
    char message[MESSAGE_BYTES_MAX], text[1024];
    PX_AUTO(px_buf_deinit) struct px_buf fields;
    px_buf_init(&fields, PX_LOG_LINE_BYTES_MAX / 2);
    px_buf_printf(&fields, "\"fault\":\"%s\",\"detail\":", px_fault_name(fault));
    px_buf_add_json_str(&fields, px_str_c(px_fault_text(fault, text, sizeof text)));
    va_list args;
    va_start(args, fmt);
    log_line(log, PX_ERROR, px_buf_str(&fields), message_format(message, fmt, args));
    va_end(args);
}
