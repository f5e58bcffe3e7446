/* lambda/runtime_observe.h - when a function's metrics and spans leave: after an answer, while it waits for
 * an event, and at its end. Inside lambda only. */
#pragma once

#include "http/client.h"
#include "lambda/runtime.h"
#include "observe/observe.h"

struct runtime_observe {
    struct observe *observe;
    const struct lambda_exporter *exporter;
    void *exporter_ctx;
    void *exporting; /* NULL: not opened yet */
    char url[300];   /* empty: no spans */
    struct px_log *log;
    bool told; /* that spans do not leave; once until they do again */
};
/* Settings from the environment. The log gets the events' context.
 * Faults: PX_F_CONFIG, PX_F_OOM. */
PX_MUST_USE int runtime_observe_open(struct runtime_observe *ro,
                                     const struct lambda_handler *handler, struct px_log *log);
void runtime_observe_close(struct runtime_observe *ro);
/* The answer was posted; deadline_ns (wall) is the event's. */
void runtime_observe_after(struct runtime_observe *ro, int64_t deadline_ns);
/* For the wait for the next event. */
struct http_client_pause runtime_observe_pause(struct runtime_observe *ro);
/* What is left; the exporter is closed. */
void runtime_observe_last(struct runtime_observe *ro);
