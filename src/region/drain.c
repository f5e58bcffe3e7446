/* region/drain.c - the end of a region: drain the gateway, then telemetry, then the pools; then the loop
 * runs dry.
 *
 * All of it may take drain_ms; after that, or at a second signal, what still runs is cut: connections
 * close, functions get SIGTERM and SIGKILL. Nothing that was answered is lost by that either. */
#include <signal.h>

#include "region/region_internal.h"

#define DRAIN_TELEMETRY_MS 2000

static void close_now(uv_handle_t *handle)
{
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

static void unwatch(struct region *region)
{
    close_now((uv_handle_t *)&region->sigterm);
    close_now((uv_handle_t *)&region->sigint);
    close_now((uv_handle_t *)&region->metrics_timer);
    close_now((uv_handle_t *)&region->drain_timer);
}

static void on_pools_stopped(void *ctx)
{
    struct region *region = ctx;
    workflows_close(region->workflows);
    elsewhere_close(region->elsewhere);
    telemetry_free(&region->telemetry);
    http_server_free(&region->control);
    versions_free_pools(region->versions);
    unwatch(region);
}

/* Also once more, to hurry. */
static void stop_pools(struct region *region, uint32_t grace_ms)
{
    versions_stop(region->versions, grace_ms, on_pools_stopped, region);
}

static uint32_t time_left_ms(const struct region *region)
{
    int64_t left_ns = region->drain_until_ns - px_mono_ns(region->clock);
    return left_ns > 0 ? (uint32_t)(left_ns / PX_NS_PER_MS) : 0;
}

static void on_telemetry_drained(void *ctx)
{
    struct region *region = ctx;
    region->phase = REGION_STOPPING;
    stop_pools(region, time_left_ms(region));
}

static void on_workflows_drained(void *ctx)
{
    struct region *region = ctx;
    telemetry_drain(region->telemetry, DRAIN_TELEMETRY_MS, on_telemetry_drained, region);
}

static void on_gateway_drained(void *ctx)
{
    struct region *region = ctx;
    gateway_free(&region->gateway);
    workflows_drain(region->workflows, on_workflows_drained, region);
}

/* Cut what still runs, in whichever phase the drain is. */
static void hurry(struct region *region)
{
    region->drain_until_ns = 0;
    if (region->phase == REGION_STOPPING)
        stop_pools(region, 0);
    else if (region->gateway)
        on_gateway_drained(region);
    else
        workflows_hurry(region->workflows);
}

static void on_drain_over(uv_timer_t *timer)
{
    struct region *region = timer->data;
    px_log(&region->log, PX_WARN, "what still runs after %u ms is cut", region->tuning.drain_ms);
    hurry(region);
}

void region_begin_drain(struct region *region)
{
    if (region->phase != REGION_SERVING) return;
    region->phase = REGION_DRAINING;
    region->drain_until_ns = px_mono_ns(region->clock) + region->tuning.drain_ms * PX_NS_PER_MS;
    px_log(&region->log, PX_INFO, "draining");
    uv_timer_start(&region->drain_timer, on_drain_over, region->tuning.drain_ms, 0);
    close_now((uv_handle_t *)&region->metrics_timer);
    schedules_stop(region->schedules);
    workflows_stop(region->workflows);
    async_queue_stop(region->async);
    logs_close_all(region);
    status_metrics(region);
    gateway_drain(region->gateway, on_gateway_drained, region);
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct region *region = signal->data;
    (void)number;
    if (region->phase == REGION_SERVING) {
        region_begin_drain(region);
        return;
    }
    px_log(&region->log, PX_WARN, "a second signal: what still runs is cut");
    hurry(region);
}

static void follow_secrets(struct region *region)
{
    const char *primary = region->siblings.primary;
    if (!primary || !replicator_reaches(region->replicator, primary)) return;
    int r = siblings_follow_secrets(&region->siblings, &region->data);
    if (r != 0) px_log_fault(&region->log, r, "secrets of region %s", primary);
}

static void on_metrics(uv_timer_t *timer)
{
    status_metrics(timer->data);
    follow_secrets(timer->data);
}

void region_watch(struct region *region)
{
    uv_signal_init(&region->loop, &region->sigterm);
    uv_signal_init(&region->loop, &region->sigint);
    uv_timer_init(&region->loop, &region->metrics_timer);
    uv_timer_init(&region->loop, &region->drain_timer);
    region->sigterm.data = region->sigint.data = region;
    region->metrics_timer.data = region->drain_timer.data = region;
    uv_signal_start(&region->sigterm, on_signal, SIGTERM);
    uv_signal_start(&region->sigint, on_signal, SIGINT);
    uv_timer_start(&region->metrics_timer, on_metrics, region->tuning.metrics_ms,
                   region->tuning.metrics_ms);
}

/* Nothing was served yet: instances may be killed, nobody waits for them. */
void region_abandon(struct region *region)
{
    unwatch(region);
    gateway_free(&region->gateway);
    workflows_close(region->workflows);
    elsewhere_close(region->elsewhere);
    telemetry_free(&region->telemetry);
    http_server_free(&region->control);
    if (region->schedules) schedules_stop(region->schedules);
    if (region->async) async_queue_stop(region->async);
    stop_pools(region, 0);
    uv_run(&region->loop, UV_RUN_DEFAULT);
    async_queue_free(&region->async);
    schedules_free(&region->schedules);
    workflows_free(&region->workflows);
}
