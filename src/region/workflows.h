/* region/workflows.h - the state machines of platform/workflows, run durably in the region's loop.
 *
 * Every transition is on stable storage before what it leads to is done (store/executions.h, asl/engine.h): turns gather in a batch
 * while the batch before is being committed in a thread, so one fsync serves all that moved meanwhile. After a crash executions go on
 * from their last transition. Express executions keep nothing. docs/design/workflows.md */
#pragma once

#include <uv.h>

#include "http/server.h"
#include "region/async.h"
#include "region/data_dir.h"
#include "region/functions.h"
#include "region/telemetry.h"

struct workflows; /* opaque */
struct workflow_machine;

struct workflows_options { /* borrowed as long as the workflows live */
    uv_loop_t *loop;
    const struct data_dir *data;
    const char *platform_dir;
    const struct function_catalogue *functions;
    struct lambda_pool *(*pool)(void *ctx, struct px_str function);
    void *pool_ctx;
    struct async_queue *async;
    struct telemetry *telemetry;
    const struct px_clock *clock;
    const struct px_log *log;
};
/* Load the machines, restore what was running. Blocks; before the region serves.
 * Faults: PX_F_CONFIG for definitions; those of the journal. */
PX_MUST_USE int workflows_new(const struct workflows_options *options,
                              struct workflows **ret_workflows);
/* Executions that were restored begin to move, schedules to tick. */
void workflows_go(struct workflows *workflows);
/* Once the region serves: who was made before it did gets what tenant-onboarding gives all others (workflows_residents.c). */
void workflows_enter_residents(struct workflows *workflows);
/* From now on no new executions, and no new tasks of those that are in the journal. */
void workflows_stop(struct workflows *workflows);
/* After it: done is called, once, when no Express execution runs any more; workflows_hurry(): now. */
void workflows_drain(struct workflows *workflows, void (*done)(void *ctx), void *ctx);
void workflows_hurry(struct workflows *workflows);
/* Answer whoever waits, close handles. What runs is in the journal. */
void workflows_close(struct workflows *workflows);
void workflows_free(struct workflows **workflows); /* when the loop has run its close callbacks */

/* Step Functions' JSON protocol: POST with X-Amz-Target: AWSStepFunctions.<Action>. False: the request is another one. */
bool workflows_serve(struct workflows *workflows, struct http_request *request);
/* The same within the process: done is called once, at once or later, with views that live during the call. */
void workflows_call(struct workflows *workflows, struct px_str action, struct px_str body,
                    void (*done)(void *ctx, int status, struct px_str body), void *ctx);
/* GET /workflows/interventions: messages of queues whose token is waited for. */
void workflows_serve_interventions(struct workflows *workflows, struct http_request *request);

/* What names of this region's resources begin with. */
struct px_str workflows_prefix(const struct workflows *workflows);
/* By a catalogue name, "<prefix>-<name>", or that with "-<shard>" behind it (all shards of a local region are served by the same
 * function), alone or as an ARN, whichever its region, with an alias or without. NULL: there is none. */
const struct function_spec *workflows_function(const struct workflows *workflows,
                                               struct px_str name);

/* What executions did that began, ended or were refused in [from_s, to_s) of the wall clock. False: there is no such machine. */
struct figures_sum;
struct workflows_subject {
    struct px_str machine; /* ARN or name */
    uint32_t version;      /* that they run on; 0: any */
    struct px_str alias;   /* by which they were started; empty: by any, or none */
};
bool workflows_figures(const struct workflows *workflows, const struct workflows_subject *subject,
                       int64_t from_s, int64_t to_s, struct figures_sum *ret_sum);
/* The machines one after another; NULL behind the last. */
struct workflow_machine;
const struct workflow_machine *workflows_machine_at(const struct workflows *workflows, size_t at);

/* Whether a scheduled machine does what this schedule of the function catalogue does. */
bool workflows_take_over(const struct workflows *workflows, struct px_str machine);
struct workflows_stats {
    size_t running;
    uint64_t started, succeeded, failed; /* since the start of the region */
    bool stalled;                        /* the journal cannot be written */
};
void workflows_stats(const struct workflows *workflows, struct workflows_stats *ret_stats);
