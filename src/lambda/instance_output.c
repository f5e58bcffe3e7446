/* lambda/instance_output.c - what an instance writes to stdout and stderr, line by line. */
#include <stdio.h>
#include <stdlib.h>

#include "base/px_clock.h"
#include "lambda/instance.h"
#include "observe/metrics.h"

#define SCRATCH_BYTES (64u * 1024u)
#define LINE_BYTES_MAX                                                                             \
    (256u * 1024u) /* CloudWatch Logs' limit of one event; a longer line is cut in two */

static void tell_line(struct instance *instance, struct px_str line)
{
    const struct lambda_pool_options *options = &instance->pool->options;
    if (px_str_ends(line, S("\r"))) line.len--;
    if (options->on_log && !instance->pool->freed)
        options->on_log(options->ctx, options->name, line);
}

/* True: it was one of metrics, and is told as such. */
static bool tell_metrics(struct instance *instance, struct px_str line)
{
    const struct lambda_pool_options *options = &instance->pool->options;
    if (!options->on_metrics || !px_str_starts(line, S(EMF_BEGIN))) return false;
    if (!instance->pool->freed) options->on_metrics(options->ctx, options->name, line);
    return true;
}

void instance_output_flush(struct instance *instance)
{
    struct px_buf *line = &instance->line;
    if (line->len == 0) return;
    if (!tell_metrics(instance, px_buf_str(line))) {
        log_file_append(&instance->pool->log, px_buf_str(line));
        log_file_append(&instance->pool->log, S("\n"));
        tell_line(instance, px_buf_str(line));
    }
    px_buf_clear(line);
}

/* Source of the form: AWS Lambda Telemetry API, Event schema reference. */
void instance_report(struct instance *instance, struct px_str request_id, const char *status,
                     const char *message)
{
    struct lambda_pool *pool = instance->pool;
    PX_AUTO(px_buf_deinit) struct px_buf json;
    char when[40];
    struct px_str now = px_time_format(px_wall_ns(&px_clock_system), 3, when);
    unsigned long long used_mb = (instance->rss_max_bytes + (1 << 20) - 1) >> 20;
    px_buf_init(&json, 16u * 1024u);
    px_buf_printf(&json, "{\"time\":\"%.*s\",\"type\":\"%s\",\"record\":{", PX_FMT(now),
                  request_id.len > 0 ? "platform.report" : "platform.initReport");
    if (request_id.len > 0) {
        px_buf_add_c(&json, "\"requestId\":");
        px_buf_add_json_str(&json, request_id);
        px_buf_add_char(&json, ',');
    }
    px_buf_printf(&json, "\"status\":\"%s\",\"errorMessage\":", status);
    px_buf_add_json_str(&json, px_str_c(message));
    px_buf_printf(&json, ",\"metrics\":{\"memorySizeMB\":%u,\"maxMemoryUsedMB\":%llu}}}\n",
                  pool->options.memory_mb, used_mb);
    (void)snprintf(pool->last_error, sizeof pool->last_error, "%.*s %.180s (%llu of %u MB)",
                   PX_FMT(now), message, used_mb, pool->options.memory_mb);
    if (px_buf_fault(&json)) return;
    log_file_append(&pool->log, px_buf_str(&json));
    tell_line(instance, px_str(json.ptr, json.len - 1));
}

static void keep(struct instance *instance, struct px_str part)
{
    if (instance->line.len + part.len > LINE_BYTES_MAX) instance_output_flush(instance);
    px_buf_add_str(&instance->line, part);
}

/* Each with its end. What stands between lines of metrics goes to the file in one piece. */
static void tell_lines(struct instance *instance, struct px_str whole)
{
    struct px_str line, kept = {whole.ptr, 0};
    while (whole.len > 0) {
        (void)px_str_cut(&whole, '\n', &line);
        if (tell_metrics(instance, line)) {
            log_file_append(&instance->pool->log, kept);
            kept = (struct px_str){whole.ptr, 0};
            continue;
        }
        kept.len += line.len + 1;
        tell_line(instance, line);
    }
    log_file_append(&instance->pool->log, kept);
}

/* Whole lines only go to the file, because other instances write there too. */
static void take_bytes(struct instance *instance, struct px_str bytes)
{
    const char *last = memrchr(bytes.ptr, '\n', bytes.len);
    if (last) {
        struct px_str whole = px_str(bytes.ptr, (size_t)(last + 1 - bytes.ptr)), line;
        bytes = px_str_skip(bytes, whole.len);
        (void)px_str_cut(&whole, '\n', &line);
        if (instance->line.len > 0) {
            keep(instance, line);
            instance_output_flush(instance);
        } else {
            whole = px_str(line.ptr, (size_t)(last + 1 - line.ptr));
        }
        tell_lines(instance, whole);
    }
    keep(instance, bytes);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct lambda_pool *pool = ((struct instance *)handle->data)->pool;
    if (!pool->scratch) pool->scratch = malloc(SCRATCH_BYTES);
    *buf = uv_buf_init(pool->scratch, pool->scratch ? SCRATCH_BYTES : 0);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct instance *instance = stream->data;
    if (count > 0) take_bytes(instance, px_str(buf->base, (size_t)count));
    if (count >= 0) return;
    instance_output_flush(instance);
    (void)uv_read_stop(stream); /* end of file: every holder of the other end has gone */
}

int instance_output_open(struct instance *instance, int fd)
{
    px_buf_init(&instance->line, LINE_BYTES_MAX);
    int error = uv_pipe_open(&instance->output, fd);
    if (error) px_close(&fd);
    if (!error) error = uv_read_start((uv_stream_t *)&instance->output, on_alloc, on_read);
    return error ? px_fault(PX_F_IO, "read a function's output: %s", uv_strerror(error)) : 0;
}
