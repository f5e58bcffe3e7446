/* region/workflows_runs.c - live executions by number, and who waits for their start or end. */
#include <stdlib.h>

#include "region/workflows_internal.h"

static struct run **bucket(const struct workflows *w, uint64_t number)
{
    return (struct run **)&w->runs[number % RUN_BUCKETS];
}

struct run *run_find(const struct workflows *w, uint64_t number)
{
    struct run *run = *bucket(w, number);
    while (run && run->number != number) run = run->chain;
    return run;
}

static void run_free(struct run *run)
{
    free((void *)run->name.ptr);
    free((void *)run->task.ptr);
    free((void *)run->alias.ptr);
    free(run);
}

static bool copy(struct px_str text, struct px_str *ret_copy)
{
    char *bytes = malloc(text.len + 1);
    if (!bytes) return false;
    if (text.len) memcpy(bytes, text.ptr, text.len);
    bytes[text.len] = '\0';
    *ret_copy = px_str(bytes, text.len);
    return true;
}

int run_add(struct workflows *w, uint64_t number, const struct workflow_machine *machine,
            struct px_str name, struct px_str task, struct run **ret_run)
{
    struct run *run = calloc(1, sizeof *run);
    if (!run || !copy(name, &run->name) || !copy(task, &run->task)) {
        if (run) run_free(run);
        return px_fault(PX_F_OOM, "an execution");
    }
    struct run **place = bucket(w, number);
    run->number = number;
    run->machine = machine;
    run->express = machine && machine->type == ASL_EXPRESS;
    run->chain = *place;
    *place = run;
    w->run_count++;
    w->express_count += run->express;
    *ret_run = run;
    return 0;
}

int run_set_version(struct run *run, uint32_t version, struct px_str alias)
{
    PX_ASSERT(!run->alias.ptr);
    run->version = version;
    return copy(alias, &run->alias) ? 0 : px_fault(PX_F_OOM, "an execution");
}

struct run *run_of_name(const struct workflows *w, const struct workflow_machine *machine,
                        struct px_str name)
{
    for (size_t i = 0; i < RUN_BUCKETS; i++)
        for (struct run *run = w->runs[i]; run; run = run->chain)
            if (run->machine == machine && px_str_eq(run->name, name)) return run;
    return NULL;
}

struct run *run_of_task(const struct workflows *w, struct px_str token)
{
    for (size_t i = 0; i < RUN_BUCKETS; i++)
        for (struct run *run = w->runs[i]; run; run = run->chain)
            if (run->task.len && px_str_eq(run->task, token)) return run;
    return NULL;
}

int run_wait(struct run *run, bool for_start,
             void (*told)(void *ctx, const struct asl_execution_info *info), void *ctx)
{
    struct run_waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter) return px_fault(PX_F_OOM, "an execution's caller");
    *waiter = (struct run_waiter){run->waiters, for_start, told, ctx};
    run->waiters = waiter;
    return 0;
}

/* all: at the end, those who waited for the start as well. */
static void tell(struct run *run, bool all, const struct asl_execution_info *info)
{
    struct run_waiter **link = &run->waiters, *told = NULL;
    while (*link) {
        struct run_waiter *waiter = *link;
        if (!waiter->for_start && !all) {
            link = &waiter->next;
            continue;
        }
        *link = waiter->next;
        waiter->next = told;
        told = waiter;
    }
    for (struct run_waiter *next; told; told = next) {
        next = told->next;
        told->told(told->ctx, info);
        free(told);
    }
}

void run_started(struct workflows *w, const struct asl_execution_info *info)
{
    struct run *run = run_find(w, info->number);
    if (!run) return;
    run->started = true;
    machine_count(w, run, info, false);
    tell(run, false, info);
}

/* What the .sync patterns give: a description with input and output as text (.sync) or as JSON (.sync:2). Source: developer guide,
 * "Start workflow executions from a task state". */
struct ended {
    struct px_str arn, machine_arn, name, input, output, error, cause;
    int64_t start_ms, stop_ms;
    enum asl_status status;
};

static void add_data(struct px_buf *buf, const char *name, struct px_str data, bool as_json)
{
    if (!data.ptr) return;
    px_buf_printf(buf, ",\"%s\":", name);
    if (as_json)
        px_buf_add_str(buf, data);
    else
        px_buf_add_json_str(buf, data);
    px_buf_printf(buf, ",\"%sDetails\":{\"Included\":true}", name);
}

static void add_text(struct px_buf *buf, const char *name, struct px_str text)
{
    if (!text.ptr) return;
    px_buf_printf(buf, ",\"%s\":", name);
    px_buf_add_json_str(buf, text);
}

static void add_description(const struct ended *e, bool as_json, struct px_buf *buf)
{
    px_buf_printf(buf, "{\"Status\":\"%s\",\"StartDate\":%lld,\"StopDate\":%lld",
                  asl_status_name(e->status), (long long)e->start_ms, (long long)e->stop_ms);
    add_text(buf, "ExecutionArn", e->arn);
    add_text(buf, "StateMachineArn", e->machine_arn);
    add_text(buf, "Name", e->name);
    add_data(buf, "Input", e->input, as_json);
    add_data(buf, "Output", e->output, as_json);
    add_text(buf, "Error", e->error);
    add_text(buf, "Cause", e->cause);
    px_buf_add_char(buf, '}');
}

/* A .sync task ends with its execution. A token that is waited for no longer is no fault. */
static int tell_task(struct workflows *w, struct px_str token, const struct ended *e)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 4u << 20);
    bool good = e->status == ASL_SUCCEEDED;
    const struct asl_resource *resource = asl_engine_task_resource(w->engine, token);
    if (!resource) return 0;
    add_description(e, good && resource->pattern == ASL_SYNC2, &buf);
    PX_TRY(px_buf_fault(&buf));
    const struct asl_failure failure = {S(ASL_E_TASK_FAILED), px_buf_str(&buf)};
    int r = good ? asl_engine_task_succeeded(w->engine, token, px_buf_str(&buf))
                 : asl_engine_task_failed(w->engine, token, &failure);
    PX_TRY(r < 0 ? r : 0);
    return 0;
}

int run_tell_ended(struct workflows *w, const struct execution_row *row)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 65536);
    const struct ended ended = {
        .arn = row->arn,
        .machine_arn = px_arena_printf(&arena,
                                       "arn:aws:states:%.*s:" WORKFLOW_ACCOUNT ":stateMachine:%.*s",
                                       PX_FMT(w->catalogue.region), PX_FMT(row->machine)),
        .name = row->name,
        .input = row->input,
        .output = row->output,
        .error = row->error,
        .cause = row->cause,
        .start_ms = row->start_ms,
        .stop_ms = row->stop_ms,
        .status = (enum asl_status)row->status,
    };
    if (!ended.machine_arn.ptr) return px_arena_fault(&arena);
    return tell_task(w, row->waiter, &ended);
}

static void tell_waiting_task(struct workflows *w, const struct run *run,
                              const struct asl_execution_info *info)
{
    const struct ended ended = {
        .arn = info->arn,
        .machine_arn = info->program->arn,
        .name = info->name,
        .input = info->input,
        .output = info->output,
        .error = info->failure.error,
        .cause = info->failure.cause,
        .start_ms = info->start_ms,
        .stop_ms = info->stop_ms,
        .status = info->status,
    };
    int r = tell_task(w, run->task, &ended);
    if (r != 0) px_log_fault(w->options.log, r, "the end of an execution that a task waits for");
}

void run_ended(struct workflows *w, const struct asl_execution_info *info)
{
    struct run **link = bucket(w, info->number), *run;
    while (*link && (*link)->number != info->number) link = &(*link)->chain;
    if (!*link) return;
    run = *link;
    *link = run->chain;
    w->run_count--;
    w->express_count -= run->express;
    machine_count(w, run, info, true);
    tell(run, true, info);
    if (run->task.len) tell_waiting_task(w, run, info);
    run_free(run);
}

void runs_sweep(struct workflows *w)
{
    for (size_t i = 0; i < RUN_BUCKETS; i++) {
        struct run **link = &w->runs[i];
        while (*link) {
            struct run *run = *link;
            if (asl_engine_find(w->engine, run->number)) {
                link = &run->chain;
                continue;
            }
            *link = run->chain;
            w->run_count--;
            w->express_count -= run->express;
            answers_refuse(w, run->number);
            tell(run, true, NULL);
            run_free(run);
        }
    }
}

void runs_close(struct workflows *w)
{
    for (size_t i = 0; i < RUN_BUCKETS; i++) {
        while (w->runs[i]) {
            struct run *run = w->runs[i];
            w->runs[i] = run->chain;
            tell(run, true, NULL);
            run_free(run);
        }
    }
    w->run_count = w->express_count = 0;
}
