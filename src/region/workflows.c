/* region/workflows.c - the engine in the loop, and its journal.
 *
 *   pump:    run the engine for a slice -> its turns gather in batches[filling]
 *   commit:  the batch goes to the thread, the other one fills; when it is stable asl_engine_committed() lets its effects out
 *
 * Invariant: one commit at a time, and turns become stable in the order in which they were made. A commit that fails (a full disk) is
 * tried again and again; until then nothing that waits for it is done or answered. */
#include <stdlib.h>

#include "asl/jsonata.h"
#include "base/px_json.h"
#include "region/workflows_internal.h"

#define STEPS_A_SLICE 500                 /* some milliseconds; then others have the loop */
#define BATCH_BYTES_MAX ((size_t)1 << 30) /* of all turns of one batch */
#define BATCH_BYTES_ENOUGH (16u << 20)    /* then it waits for the commit under way */
#define RETRY_MS_FIRST 100u
#define RETRY_MS_MAX 5000u
#define RECOVERY_MS 1000u
#define RECOVERY_POLL_MS 20u
#define HOUSEKEEPING_MS (3600u * 1000u)
#define RETENTION_MS (INT64_C(90) * 86400 * 1000) /* Step Functions keeps 90 days */
#define EXPIRE_AT_ONCE 1000u
#define CATALOGUE_BYTES_MAX (64u << 20)

/* ---- programs ---- */

struct px_str workflows_machine_name(const struct asl_execution_info *info)
{
    return info->program->name;
}

uint64_t workflows_definition(const struct workflows *w, const struct asl_program *program)
{
    for (const struct version *v = w->versions; v; v = v->next)
        if (v->program == program) return v->definition;
    return 0;
}

static int version_add(struct workflows *w, uint64_t definition, struct asl_program *program)
{
    struct version *v = calloc(1, sizeof *v);
    if (!v) return px_fault(PX_F_OOM, "a definition");
    *v = (struct version){w->versions, definition, asl_program_ref(program)};
    w->versions = v;
    return 0;
}

static int parse_old(struct workflows *w, struct px_str machine, struct px_str text,
                     struct px_arena *arena, struct asl_program **ret_program)
{
    const struct workflow_machine *own = workflow_machine_find(&w->catalogue, machine);
    struct asl_problems problems = {0};
    const struct asl_program_options options = {
        .name = machine,
        .arn = px_arena_printf(arena, "arn:aws:states:%.*s:" WORKFLOW_ACCOUNT ":stateMachine:%.*s",
                               PX_FMT(w->catalogue.region), PX_FMT(machine)),
        .role_arn = px_arena_printf(arena, "arn:aws:iam::" WORKFLOW_ACCOUNT ":role/%.*s",
                                    PX_FMT(machine)),
        .type = own ? own->type : ASL_STANDARD, /* it is in the journal although it is gone */
        .jsonata = w->jsonata};
    if (!options.arn.ptr || !options.role_arn.ptr) return px_arena_fault(arena);
    int r = asl_program_new(text, &options, arena, ret_program, &problems);
    if (r == ASL_INVALID)
        return px_fault(PX_F_CORRUPT, "an old definition of %.*s is refused now", PX_FMT(machine));
    PX_TRY(r);
    return 0;
}

struct asl_program *workflows_known_program(const struct workflows *w, uint64_t definition)
{
    for (const struct version *v = w->versions; v; v = v->next)
        if (v->definition == definition) return v->program;
    return NULL;
}

int workflows_program(struct workflows *w, uint64_t definition, struct px_str machine,
                      struct px_str text, struct asl_program **ret_program)
{
    struct asl_program *program = workflows_known_program(w, definition);
    if (program) {
        *ret_program = program;
        return 0;
    }
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, CATALOGUE_BYTES_MAX);
    PX_TRY(parse_old(w, machine, text, &arena, &program));
    int r = version_add(w, definition, program);
    *ret_program = program; /* the version holds it */
    asl_program_unref(&program);
    PX_TRY(r);
    return 0;
}

int workflows_machine_program(struct workflows *w, const struct workflow_machine *machine,
                              struct asl_program **ret_program)
{
    struct workflow_machine *own = &w->catalogue.machines[machine - w->catalogue.machines];
    struct asl_program *known = own->definition ? workflows_known_program(w, own->definition)
                                                : NULL;
    if (!own->program && known) own->program = asl_program_ref(known); /* of what was restored */
    PX_TRY(workflow_machine_compile(own, NULL));
    if (own->definition && !known) PX_TRY(version_add(w, own->definition, own->program));
    *ret_program = own->program;
    return 0;
}

/* ---- the journal ---- */

static_assert((int)EXECUTION_RUNNING == (int)ASL_RUNNING &&
                  (int)EXECUTION_SUCCEEDED == (int)ASL_SUCCEEDED &&
                  (int)EXECUTION_FAILED == (int)ASL_FAILED_STATUS &&
                  (int)EXECUTION_TIMED_OUT == (int)ASL_TIMED_OUT &&
                  (int)EXECUTION_ABORTED == (int)ASL_ABORTED,
              "the journal's statuses are the engine's");

/* An Express execution keeps nothing: its data may be secret, and its caller is gone after a crash. */
static bool is_durable(const struct asl_execution_info *info)
{
    return info->program->machine->type == ASL_STANDARD;
}

static struct execution_row row_of(const struct workflows *w, const struct asl_turn *turn)
{
    const struct asl_execution_info *info = asl_execution_info(turn->execution);
    struct execution_row row = {
        .number = info->number,
        .status = (enum execution_status)info->status,
        .stop_ms = info->stop_ms,
        .output = info->output,
        .error = info->failure.error,
        .cause = info->failure.cause,
        .redrive_count = info->redrive_count,
        .event_count = info->event_count,
    };
    if (!turn->first) return row;
    const struct run *run = run_find(w, info->number);
    row.machine = workflows_machine_name(info);
    row.definition = workflows_definition(w, info->program);
    row.name = info->name;
    row.arn = info->arn;
    row.start_ms = info->start_ms;
    row.input = info->input;
    row.parent = info->parent;
    row.parent_frame = info->parent_frame;
    row.parent_run = info->parent_run;
    row.parent_index = info->parent_index;
    row.version = run ? run->version : 0;
    row.alias = run ? run->alias : S("");
    if (run && run->task.len) {
        char head[17] = "";
        memcpy(head, run->task.ptr, PX_MIN(strcspn(run->task.ptr, "-"), sizeof head - 1));
        row.waiter = run->task;
        row.waiter_execution = strtoull(head, NULL, 16);
    }
    return row;
}

static void note_answers(struct workflows *w, uint64_t number)
{
    for (struct answer *a = w->answers; a; a = a->next)
        if (a->number == number && a->turn == 0) a->turn = asl_engine_turns(w->engine) + 1;
}

static int on_turn(void *ctx, const struct asl_turn *turn)
{
    struct workflows *w = ctx;
    const struct asl_execution_info *info = asl_execution_info(turn->execution);
    if (!is_durable(info)) {
        note_answers(w, info->number);
        return 0;
    }
    PX_AUTO(px_free_mem) struct execution_frame *frames = NULL;
    if (turn->frame_count && !(frames = calloc(turn->frame_count, sizeof *frames)))
        return px_fault(PX_F_OOM, "a workflow's turn");
    for (size_t i = 0; i < turn->frame_count; i++)
        frames[i] = (struct execution_frame){turn->frames[i].frame, turn->frames[i].parent,
                                             turn->frames[i].record, turn->frames[i].children_gone};
    const struct execution_turn kept = {
        .row = row_of(w, turn),
        .first = turn->first,
        .events = turn->events,
        .event_first = turn->event_first,
        .event_count = turn->event_count,
        .frames = frames,
        .frame_count = turn->frame_count,
    };
    int r = execution_batch_add(&w->batches[w->filling], &kept);
    if (r == EXECUTION_BATCH_FULL)
        return px_fault(PX_F_LIMIT, "a turn of workflow %.*s is too large",
                        PX_FMT(workflows_machine_name(info)));
    PX_TRY(r);
    note_answers(w, info->number);
    return 0;
}

/* ---- answers ---- */

int answer_later(struct workflows *w, uint64_t number, void (*ready)(void *ctx, bool committed),
                 void *ctx)
{
    struct answer *a = calloc(1, sizeof *a);
    if (!a) return px_fault(PX_F_OOM, "an answer");
    *a = (struct answer){w->answers, number, 0, ready, ctx};
    w->answers = a;
    workflows_wake(w);
    return 0;
}

static void give_answers(struct workflows *w, uint64_t turns, bool all)
{
    struct answer **link = &w->answers;
    while (*link) {
        struct answer *a = *link;
        bool stable = a->turn != 0 && a->turn <= turns;
        if (!stable && !all) {
            link = &a->next;
            continue;
        }
        *link = a->next;
        a->ready(a->ctx, stable);
        free(a);
    }
}

/* What was asked of an execution that was put down meanwhile is not done. */
void answers_refuse(struct workflows *w, uint64_t number)
{
    struct answer **link = &w->answers;
    while (*link) {
        struct answer *a = *link;
        if (a->number != number || a->turn != 0) {
            link = &a->next;
            continue;
        }
        *link = a->next;
        a->ready(a->ctx, false);
        free(a);
    }
}

/* ---- moving ---- */

static void committed(struct workflows *w, uint64_t turns)
{
    asl_engine_committed(w->engine, turns);
    give_answers(w, turns, false);
}

static void on_commit(uv_work_t *work)
{
    struct workflows *w = work->data;
    w->commit_result = execution_commit(w->writer, &w->batches[1 - w->filling]);
    if (w->commit_result != 0)
        (void)px_fault_text(w->commit_result, w->commit_error, sizeof w->commit_error);
}

static void begin_commit(struct workflows *w);

static void on_retry(uv_timer_t *timer) { begin_commit(timer->data); }

static void on_commit_done(uv_work_t *work, int status)
{
    struct workflows *w = work->data;
    (void)status;
    if (w->commit_result != 0) {
        px_log(w->options.log, PX_ERROR, "workflows stand still, the journal cannot be written: %s",
               w->commit_error);
        w->retry_ms = w->retry_ms ? PX_MIN(w->retry_ms * 2, RETRY_MS_MAX) : RETRY_MS_FIRST;
        if (!w->closed) (void)uv_timer_start(&w->timer, on_retry, w->retry_ms, 0);
        return; /* `committing` stays: nothing else is begun */
    }
    w->retry_ms = 0;
    w->committing = false;
    execution_batch_clear(&w->batches[1 - w->filling]);
    if (w->closed) return;
    committed(w, w->committing_turns);
    workflows_wake(w);
}

static void begin_commit(struct workflows *w)
{
    int r = uv_queue_work(w->options.loop, &w->commit, on_commit, on_commit_done);
    PX_ASSERT(r == 0);
}

/* What the filling batch holds goes to the thread; without anything in it, what was done needs no disk. */
static void pass_on(struct workflows *w)
{
    uint64_t turns = asl_engine_turns(w->engine);
    if (w->committing) return;
    if (w->batches[w->filling].turns == 0) {
        committed(w, turns);
        return;
    }
    w->committing = true;
    w->committing_turns = turns;
    w->filling = 1 - w->filling;
    begin_commit(w);
}

static void set_timer(struct workflows *w);
static void on_recovery(uv_timer_t *timer);

static void pump(struct workflows *w)
{
    bool more = false;
    if (w->moving || w->closed) return;
    w->moving = true;
    if (w->batches[w->filling].arena.held_bytes < BATCH_BYTES_ENOUGH || !w->committing) {
        int r = asl_engine_run(w->engine, STEPS_A_SLICE, &more);
        if (r != 0) {
            px_log_fault(w->options.log, r, "a workflow's turn could not be made");
            if (!uv_is_active((uv_handle_t *)&w->recovery))
                (void)uv_timer_start(&w->recovery, on_recovery, RECOVERY_MS, 0);
        }
    }
    pass_on(w);
    w->moving = false;
    set_timer(w);
}

static void on_timer(uv_timer_t *timer) { pump(timer->data); }

/* An execution whose turn could not be made was put down by the engine: it is taken from the journal again, once what is under way is
 * there. Those that the journal does not have, or never has, end for who waits for them. */
static void on_recovery(uv_timer_t *timer)
{
    struct workflows *w = timer->data;
    if (w->committing || w->batches[w->filling].turns > 0) {
        (void)uv_timer_start(&w->recovery, on_recovery, RECOVERY_POLL_MS, 0);
        return;
    }
    int r = workflows_restore(w, w->writer); /* nobody else uses it now */
    if (r != 0) px_log_fault(w->options.log, r, "executions could not be restored");
    runs_sweep(w);
    asl_engine_committed(w->engine, asl_engine_turns(w->engine)); /* tasks that are called again */
    workflows_wake(w);
}

/* While a commit is to be tried again the timer is its. */
static void set_timer(struct workflows *w)
{
    if (w->closed || w->retry_ms) return;
    bool full = w->committing && w->batches[w->filling].arena.held_bytes >= BATCH_BYTES_ENOUGH;
    int64_t next_ms = asl_engine_next_ms(w->engine);
    if (next_ms == INT64_MAX || full) {
        (void)uv_timer_stop(&w->timer);
        return;
    }
    int64_t wait_ms = next_ms - px_wall_ns(w->options.clock) / PX_NS_PER_MS;
    /* wall time may be set: looked at once a minute */
    (void)uv_timer_start(&w->timer, on_timer, (uint64_t)PX_MIN(PX_MAX(wait_ms, 0), 60000), 0);
}

void workflows_wake(struct workflows *w)
{
    if (!w->closed && !w->retry_ms) (void)uv_timer_start(&w->timer, on_timer, 0, 0);
}

/* ---- the engine's host ---- */

static void on_task(void *ctx, const struct asl_task_call *call) { connect_task(ctx, call); }
static void on_cancel(void *ctx, struct px_str token) { connect_cancel(ctx, token); }

static void on_started(void *ctx, struct asl_execution *execution)
{
    struct workflows *w = ctx;
    w->stats.started++;
    run_started(w, asl_execution_info(execution));
}

/* Operators see what failed; inputs and outputs stay where they are. */
static void tell_failure(struct workflows *w, const struct asl_execution_info *info)
{
    PX_AUTO(px_buf_deinit) struct px_buf row;
    char when[40];
    px_buf_init(&row, 65536);
    struct px_str now = px_time_format(px_wall_ns(w->options.clock), 6, when);
    px_buf_printf(&row, "{\"time\":\"%.*s\",\"event\":\"execution\",\"machine\":", PX_FMT(now));
    px_buf_add_json_str(&row, workflows_machine_name(info));
    px_buf_add_c(&row, ",\"execution\":");
    px_buf_add_json_str(&row, info->arn);
    px_buf_printf(&row, ",\"status\":\"%s\",\"error\":", asl_status_name(info->status));
    px_buf_add_json_str(&row, info->failure.error);
    px_buf_add_c(&row, "}\n");
    if (!px_buf_fault(&row)) workflow_event(w, px_buf_str(&row));
    px_log(w->options.log, PX_WARN, "workflow %.*s: %.*s ended as %s (%.*s)",
           PX_FMT(workflows_machine_name(info)), PX_FMT(info->name), asl_status_name(info->status),
           PX_FMT(info->failure.error));
}

static void on_ended(void *ctx, struct asl_execution *execution)
{
    struct workflows *w = ctx;
    const struct asl_execution_info *info = asl_execution_info(execution);
    if (info->status == ASL_SUCCEEDED)
        w->stats.succeeded++;
    else
        w->stats.failed++;
    if (info->status != ASL_SUCCEEDED && info->parent == 0) tell_failure(w, info);
    run_ended(w, info);
    workflows_wake(w);
    if (w->express_count == 0) workflows_hurry(w);
}

/* ---- schedules ---- */

static void on_scheduled(void *ctx, const struct start_result *result)
{
    const struct machine_timer *t = ctx;
    if (result->outcome != START_OK && result->outcome != START_CLOSING)
        px_log(t->workflows->options.log, PX_ERROR,
               "schedule %.*s of %.*s: it could not be started", PX_FMT(t->schedule->name),
               PX_FMT(t->machine->name));
}

static void on_schedule(uv_timer_t *timer)
{
    struct machine_timer *t = timer->data;
    const struct start_request request = {.machine = t->machine,
                                          .qualifier = S(WORKFLOW_LIVE),
                                          .input = t->schedule->input,
                                          .done = on_scheduled,
                                          .ctx = t};
    workflows_start(t->workflows, &request);
}

static int schedules_init(struct workflows *w)
{
    size_t count = 0;
    for (size_t i = 0; i < w->catalogue.count; i++)
        count += w->catalogue.machines[i].schedule_count;
    w->machine_timers = px_arena_array(&w->arena, struct machine_timer, count);
    if (!w->machine_timers) return px_arena_fault(&w->arena);
    for (size_t i = 0; i < w->catalogue.count; i++) {
        const struct workflow_machine *m = &w->catalogue.machines[i];
        for (size_t k = 0; k < m->schedule_count; k++) {
            struct machine_timer *t = &w->machine_timers[w->machine_timer_count++];
            *t = (struct machine_timer){w, {0}, m, &m->schedules[k]};
            (void)uv_timer_init(w->options.loop, &t->timer);
            t->timer.data = t;
        }
    }
    return 0;
}

bool workflows_take_over(const struct workflows *w, struct px_str machine)
{
    const struct workflow_machine *m = machine.len ? workflow_machine_find(&w->catalogue, machine)
                                                   : NULL;
    return m && m->schedule_count > 0;
}

/* ---- housekeeping ---- */

struct expire_job {
    struct worker_job job;
    struct workflows *workflows;
    int64_t before_ms;
    size_t removed;
    int result;
    char error[512];
};

static void on_expire_run(struct worker_job *job)
{
    struct expire_job *e = (struct expire_job *)job;
    e->removed = 0;
    e->result = execution_expire(e->workflows->reader, e->before_ms, EXPIRE_AT_ONCE, &e->removed);
    if (e->result != 0) (void)px_fault_text(e->result, e->error, sizeof e->error);
}

static void on_expire_done(struct worker_job *job)
{
    struct expire_job *e = (struct expire_job *)job;
    if (e->result != 0)
        px_log(e->workflows->options.log, PX_ERROR, "old executions could not be removed: %s",
               e->error);
    if (e->removed == EXPIRE_AT_ONCE && !e->workflows->closed)
        worker_add(&e->workflows->reading, job); /* there are more */
    else
        free(e);
}

/* Messages and notes past their time; with stores on AWS nobody else looks after this file. */
static void on_sweep_run(struct worker_job *job)
{
    struct expire_job *e = (struct expire_job *)job;
    if (!e->workflows->tables) return; /* nothing was written since the start */
    e->result = table_expire(e->workflows->tables, EXPIRE_AT_ONCE, &e->removed);
    if (e->result != 0) (void)px_fault_text(e->result, e->error, sizeof e->error);
}

static void on_sweep_done(struct worker_job *job)
{
    struct expire_job *e = (struct expire_job *)job;
    if (e->result != 0)
        px_log(e->workflows->options.log, PX_ERROR, "old messages could not be removed: %s",
               e->error);
    free(e);
}

static void housekeep(struct workflows *w, struct worker *worker,
                      void (*run)(struct worker_job *job), void (*done)(struct worker_job *job))
{
    struct expire_job *e = calloc(1, sizeof *e);
    if (!e) return; /* in an hour again */
    e->job.run = run;
    e->job.done = done;
    e->workflows = w;
    e->before_ms = px_wall_ns(w->options.clock) / PX_NS_PER_MS - RETENTION_MS;
    worker_add(worker, &e->job);
}

static void on_housekeeping(uv_timer_t *timer)
{
    struct workflows *w = timer->data;
    housekeep(w, &w->reading, on_expire_run, on_expire_done);
    housekeep(w, &w->working, on_sweep_run, on_sweep_done);
}

/* ---- life ---- */

/* Machines are compiled when they are first used. A definition that the journal does not have is compiled once here, so that what is
 * wrong in it is told at the start; expressions of JSONata are looked at when they are evaluated (the tests look at those that are
 * shipped). */
static int define_machine(struct workflows *w, struct workflow_machine *m)
{
    bool journaled = m->type == ASL_STANDARD;
    int r = journaled ? execution_defined(w->writer, m->full_name, m->text, &m->definition)
                      : EXECUTION_ABSENT;
    if (r != EXECUTION_ABSENT) return r;
    PX_TRY(workflow_machine_compile(m, NULL));
    if (journaled) PX_TRY(execution_define(w->writer, m->full_name, m->text, &m->definition));
    asl_program_unref(&m->program);
    return 0;
}

static int define_machines(struct workflows *w)
{
    PX_TRY(machines_load(w));
    /* rolled back when one cannot be defined: the store closes */
    PX_TRY(execution_define_begin(w->writer));
    for (size_t i = 0; i < w->catalogue.count; i++)
        if (!w->holders[i].kept) PX_TRY(define_machine(w, &w->catalogue.machines[i]));
    return execution_define_end(w->writer);
}

static int open_journal(struct workflows *w)
{
    struct px_arena *arena = &w->arena;
    uint64_t last;
    const char *path = data_dir_sub(w->options.data, arena, "workflows.db");
    if (!path) return px_arena_fault(arena);
    PX_TRY(execution_store_open(px_str_c(path), &w->writer));
    PX_TRY(execution_store_open(px_str_c(path), &w->reader));
    PX_TRY(define_machines(w));
    PX_TRY(execution_last_number(w->reader, &last));
    const struct asl_host host = {
        .ctx = w, .task = on_task, .cancel = on_cancel, .started = on_started, .ended = on_ended};
    const struct asl_journal journal = {.ctx = w, .turn = on_turn};
    const struct asl_engine_options engine = {.host = &host,
                                              .journal = &journal,
                                              .clock = w->options.clock,
                                              .jsonata = w->jsonata,
                                              .next_number = last + 1};
    PX_TRY(asl_engine_new(&engine, &w->engine));
    return workflows_restore(w, w->reader);
}

static int load(struct workflows *w)
{
    const char *const *shards = NULL;
    const struct data_dir *data = w->options.data;
    PX_TRY(function_shards(w->options.functions, &w->arena, &shards));
    const struct workflow_catalogue_options options = {
        .platform_dir = w->options.platform_dir,
        .region = data->region_name,
        .prefix = data->aws_prefix.len ? data->aws_prefix : S(WORKFLOW_PREFIX),
        .environment = S("local"),
        .shards = shards,
    };
    PX_TRY(workflow_catalogue_load(&options, &w->arena, &w->catalogue));
    PX_TRY(schedules_init(w));
    return open_journal(w);
}

int workflows_new(const struct workflows_options *options, struct workflows **ret_workflows)
{
    struct workflows *w = calloc(1, sizeof *w);
    if (!w) return px_fault(PX_F_OOM, "workflows");
    w->options = *options;
    px_arena_init(&w->arena, CATALOGUE_BYTES_MAX);
    for (size_t i = 0; i < PX_COUNT(w->batches); i++)
        execution_batch_init(&w->batches[i], BATCH_BYTES_MAX);
    worker_init(&w->reading, options->loop);
    worker_init(&w->working, options->loop);
    (void)uv_timer_init(options->loop, &w->timer);
    (void)uv_timer_init(options->loop, &w->housekeeping);
    (void)uv_timer_init(options->loop, &w->recovery);
    w->timer.data = w->recovery.data = w->housekeeping.data = w->commit.data = w;
    *ret_workflows = w; /* also when it fails: its handles are in the loop */
    PX_TRY(asl_jsonata_new(&(struct asl_jsonata_options){0}, &w->jsonata));
    return load(w);
}

void workflows_go(struct workflows *w)
{
    asl_engine_committed(w->engine, asl_engine_turns(w->engine)); /* tasks that are called again */
    workflows_wake(w);
    (void)uv_timer_start(&w->housekeeping, on_housekeeping, HOUSEKEEPING_MS / 60, HOUSEKEEPING_MS);
    for (size_t i = 0; i < w->machine_timer_count; i++) {
        struct machine_timer *t = &w->machine_timers[i];
        uint64_t rate_ms = (uint64_t)t->schedule->rate_s * 1000;
        (void)uv_timer_start(&t->timer, on_schedule, PX_MIN(rate_ms, 60000u) + i * 1000, rate_ms);
    }
}

static void close_now(void *handle)
{
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

/* The part of "arn:aws:lambda:r:a:function:NAME:alias", "NAME:alias" or NAME. */
static struct px_str bare_name(struct px_str name)
{
    struct px_str mark = S(":function:"), head;
    const char *at = name.ptr ? memmem(name.ptr, name.len, mark.ptr, mark.len) : NULL;
    if (at) name = px_str_skip(name, (size_t)(at - name.ptr) + mark.len);
    (void)px_str_cut(&name, ':', &head);
    return head;
}

struct px_str workflows_prefix(const struct workflows *w) { return w->catalogue.prefix; }

const struct function_spec *workflows_function(const struct workflows *w, struct px_str name)
{
    const struct function_catalogue *functions = w->options.functions;
    struct px_str bare = bare_name(name);
    const struct function_spec *function = function_find(functions, bare);
    struct px_str own = workflow_own_name(&w->catalogue, bare);
    if (!function && own.ptr) function = function_find(functions, own);
    for (size_t i = 0; !function && own.ptr && w->catalogue.shards[i]; i++) {
        struct px_str shard = px_str_c(w->catalogue.shards[i]);
        if (own.len <= shard.len + 1 || !px_str_ends(own, shard) ||
            own.ptr[own.len - shard.len - 1] != '-')
            continue;
        function = function_find(functions, px_str(own.ptr, own.len - shard.len - 1));
    }
    return function;
}

void workflows_stop(struct workflows *w)
{
    w->draining = true;
    for (size_t i = 0; i < w->machine_timer_count; i++) close_now(&w->machine_timers[i].timer);
}

void workflows_drain(struct workflows *w, void (*done)(void *ctx), void *ctx)
{
    w->drained = done;
    w->drained_ctx = ctx;
    if (w->express_count == 0) workflows_hurry(w);
}

void workflows_hurry(struct workflows *w)
{
    void (*done)(void *) = w->drained;
    w->drained = NULL;
    if (done) done(w->drained_ctx);
}

void workflows_close(struct workflows *w)
{
    if (!w || w->closed) return;
    w->closed = w->draining = true;
    w->drained = NULL;
    worker_stop(&w->reading);
    worker_stop(&w->working);
    runs_close(w);
    give_answers(w, 0, true);
    close_now(&w->timer);
    close_now(&w->housekeeping);
    close_now(&w->recovery);
    for (size_t i = 0; i < w->machine_timer_count; i++) close_now(&w->machine_timers[i].timer);
}

void workflows_free(struct workflows **workflows)
{
    struct workflows *w = *workflows;
    if (!w) return;
    connect_close(w);
    asl_engine_free(&w->engine);
    for (struct version *v = w->versions, *next; v; v = next) {
        next = v->next;
        asl_program_unref(&v->program);
        free(v);
    }
    machines_free(w);
    workflow_catalogue_deinit(&w->catalogue);
    asl_jsonata_free(&w->jsonata);
    execution_store_close(&w->writer);
    execution_store_close(&w->reader);
    for (size_t i = 0; i < PX_COUNT(w->batches); i++) execution_batch_deinit(&w->batches[i]);
    px_arena_deinit(&w->arena);
    free(w);
    *workflows = NULL;
}

void workflows_stats(const struct workflows *w, struct workflows_stats *ret_stats)
{
    *ret_stats = w->stats;
    ret_stats->stalled = w->retry_ms > 0;
    ret_stats->running = w->engine ? asl_engine_count(w->engine) : 0;
}

void workflow_event(struct workflows *w, struct px_str row)
{
    struct px_buf *buf = w->options.telemetry
                             ? telemetry_row(w->options.telemetry, TELEMETRY_WORKFLOW)
                             : NULL;
    if (!buf) return;
    px_buf_add_str(buf, row);
    telemetry_done(w->options.telemetry, TELEMETRY_WORKFLOW);
}
