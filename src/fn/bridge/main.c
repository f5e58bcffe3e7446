/* fn/bridge/main.c - function `bridge`: calls of workflows to functions in other regions. Wiring only. */
#include <signal.h>
#include <stdlib.h>

#include "export/exporter.h"
#include "svc/sharding/bridge.h"

#define ARENA_BYTES_MAX ((size_t)48 << 20) /* an event and an answer of 6 MB, read and written */

struct function {
    struct px_str functions;
    struct cloud_shared cloud;
    struct bridge *bridge;
};

/* The one flag of the process: the region signals SIGUSR1 when the caller is gone. */
static _Atomic bool called_off;

static void on_call_off(int signal)
{
    (void)signal;
    called_off = true;
}

static int init(void *ctx, const struct px_log *log)
{
    struct function *fn = ctx;
    (void)log;
    const struct bridge_options options = {
        .cloud = &fn->cloud, .functions = fn->functions, .called_off = &called_off};
    const struct sigaction action = {.sa_handler = on_call_off, .sa_flags = SA_RESTART};
    PX_TRY(bridge_new(&options, &fn->bridge));
    if (sigaction(SIGUSR1, &action, NULL) != 0) return px_fault_errno("sigaction");
    return 0;
}

static int handle(void *ctx, const struct lambda_event *event)
{
    struct function *fn = ctx;
    called_off = false;
    return bridge_handle(fn->bridge, event);
}

static void stop(void *ctx)
{
    struct function *fn = ctx;
    bridge_free(&fn->bridge);
    cloud_shared_close(&fn->cloud);
}

int main(void)
{
    struct function fn = {.functions = px_str_c(getenv("PRISM_BRIDGE_FUNCTIONS"))};
    struct lambda_handler handler = {.init = init,
                                     .handle = handle,
                                     .stop = stop,
                                     .ctx = &fn,
                                     .arena_bytes_max = ARENA_BYTES_MAX,
                                     .exporter = &span_exporter,
                                     .exporter_ctx = &fn.cloud};
    return lambda_run(&handler);
}
