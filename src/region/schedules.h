/* region/schedules.h - the catalogue's schedules: each rate a timer, each tick an asynchronous event, as
 * EventBridge Scheduler invokes a function. */
#pragma once

#include <uv.h>

#include "region/async.h"
#include "region/workflows.h"

struct schedules; /* opaque */
/* Schedules that a scheduled machine of `workflows` does are left to it. */
PX_MUST_USE int schedules_new(uv_loop_t *loop, const struct function_catalogue *catalogue,
                              struct async_queue *async, const struct workflows *workflows,
                              const struct px_log *log, struct schedules **ret_schedules);
void schedules_stop(struct schedules *schedules);
void schedules_free(struct schedules **schedules); /* after the loop ran its close callbacks */
