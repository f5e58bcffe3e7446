/* lambda/runtime_observe.c - see runtime_observe.h.
 *
 * AWS freezes a function when it has asked for the next event, not when it has answered one. So what is
 * done between the two is done, at nobody's cost but the function's own time: the caller has its answer. */
#include "lambda/runtime_observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/px_file.h"

#define SEND_MS_MAX 1000
#define PAUSE_SEND_MS 100   /* then an event may be waiting */
#define LAST_MS 300         /* from SIGTERM to SIGKILL is half a second */
#define EVENT_MARGIN_MS 100 /* before the event's deadline, which ends the process */
#define REGION_URL "region" /* the local region takes spans where it gives events */
#define TRACES_PATH "/v1/traces"

static int read_number(const char *name, uint32_t *value)
{
    uint64_t number;
    struct px_str text = px_str_c(getenv(name));
    if (text.len == 0) return 0;
    if (!px_str_to_u64(text, &number) || number > 3600000)
        return px_fault(PX_F_CONFIG, "%s is a number of milliseconds up to an hour, not \"%.*s\"",
                        name, PX_FMT(text));
    *value = (uint32_t)number;
    return 0;
}

static int url_set(struct runtime_observe *ro)
{
    struct px_str url = px_str_c(getenv("PRISM_TRACES_URL"));
    if (url.len == 0 || !ro->exporter) return 0;
    bool to_region = px_str_eq(url, S(REGION_URL));
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    int n = to_region ? snprintf(ro->url, sizeof ro->url, "http://%s" TRACES_PATH, api ? api : "")
                      : snprintf(ro->url, sizeof ro->url, "%.*s", PX_FMT(url));
    if (n < 0 || (size_t)n >= sizeof ro->url)
        return px_fault(PX_F_CONFIG, "PRISM_TRACES_URL has %zu bytes", url.len);
    return 0;
}

int runtime_observe_open(struct runtime_observe *ro, const struct lambda_handler *handler,
                         struct px_log *log)
{
    *ro = (struct runtime_observe){
        .exporter = handler->exporter, .exporter_ctx = handler->exporter_ctx, .log = log};
    struct metrics_options metrics = {.name_space = px_str_c(getenv("PRISM_METRICS_NAMESPACE")),
                                      .function = log->service,
                                      .tenants = px_str_c(getenv("PRISM_METRICS_TENANTS"))};
    struct observe_options options = {
        .clock = log->clock,
        .function = log->service,
        .metrics = metrics.name_space.len > 0 ? &metrics : NULL,
        .region = px_str_c(getenv("AWS_REGION")),
        .environment = px_str_c(getenv("PRISM_ENVIRONMENT")),
        .version = px_str_c(getenv("AWS_LAMBDA_FUNCTION_VERSION")),
    };
    PX_TRY(read_number("PRISM_METRICS_INTERVAL_MS", &options.metrics_interval_ms));
    PX_TRY(read_number("PRISM_TRACES_INTERVAL_MS", &options.spans_interval_ms));
    PX_TRY(url_set(ro));
    options.spans = ro->url[0] != '\0';
    PX_TRY(observe_new(&options, &ro->observe));
    log->context = observe_log_context(ro->observe);
    return 0;
}

void runtime_observe_close(struct runtime_observe *ro)
{
    if (ro->exporting) ro->exporter->close(&ro->exporting);
    if (ro->log) ro->log->context = NULL;
    observe_free(&ro->observe);
}

/* ---- what leaves ---- */

static int send(struct runtime_observe *ro, struct px_str batch, uint32_t ms, uint64_t *ret_refused)
{
    if (!ro->exporting)
        PX_TRY(ro->exporter->open(ro->exporter_ctx, px_str_c(ro->url), &ro->exporting));
    PX_TRY(ro->exporter->send(ro->exporting, batch, ms, ret_refused));
    return 0;
}

static void send_spans(struct runtime_observe *ro, uint32_t ms, bool all)
{
    struct px_str batch = observe_span_batch(ro->observe, all);
    uint64_t refused = 0;
    if (batch.len == 0) return;
    int r = send(ro, batch, ms, &refused);
    if (r == 0) {
        observe_batch_sent(ro->observe, refused);
        ro->told = false;
        return;
    }
    observe_batch_failed(ro->observe);
    char text[1024];
    if (!ro->told)
        px_log(ro->log, PX_WARN, "spans do not leave: %s", px_fault_text(r, text, sizeof text));
    ro->told = true;
}

/* Spans first, so that the lines tell of them. */
static void leave(struct runtime_observe *ro, uint32_t send_ms, bool all)
{
    if (send_ms > 0) send_spans(ro, send_ms, all);
    struct px_str lines = observe_metric_lines(ro->observe, all);
    if (lines.len > 0 && px_file_write_all(ro->log->fd, lines.ptr, lines.len) != 0)
        return; /* nobody is left to tell */
}

void runtime_observe_after(struct runtime_observe *ro, int64_t deadline_ns)
{
    int64_t left_ms = (deadline_ns - px_wall_ns(ro->log->clock)) / PX_NS_PER_MS - EVENT_MARGIN_MS;
    leave(ro, (uint32_t)PX_MAX(PX_MIN(left_ms, SEND_MS_MAX), 0), false);
}

static uint32_t in_pause(void *ctx)
{
    struct runtime_observe *ro = ctx;
    leave(ro, PAUSE_SEND_MS, false);
    return observe_due_ms(ro->observe);
}

struct http_client_pause runtime_observe_pause(struct runtime_observe *ro)
{
    return (struct http_client_pause){observe_due_ms(ro->observe), in_pause, ro};
}

void runtime_observe_last(struct runtime_observe *ro)
{
    leave(ro, LAST_MS, true);
    if (ro->exporting) ro->exporter->close(&ro->exporting);
}
