/* region/workflows_restore.c - what was running when the region ended goes on.
 *
 * In order of numbers, so that parents come before their children. What cannot be restored is ended as failed, with the reason in its
 * cause, for an operator to see and to redrive: it must not keep the region from starting, and not be forgotten. */
#include <stdlib.h>

#include "region/workflows_internal.h"

#define ONE_BYTES_MAX (256u << 20)

/* An execution's run; its machine may be gone from the platform. */
static int add_run(struct workflows *w, const struct execution_row *row)
{
    struct run *run = NULL;
    if (row->parent || run_find(w, row->number)) return 0;
    PX_TRY(run_add(w, row->number, workflow_machine_find(&w->catalogue, row->machine), row->name,
                   row->waiter, &run));
    run->started = true;
    return run_set_version(run, row->version, row->alias);
}

static int restore_records(struct workflows *w, struct asl_program *program,
                           const struct execution_row *row, const struct asl_frame_record *records,
                           size_t count, bool redrive)
{
    struct asl_execution *execution = NULL;
    const struct asl_restore restore = {
        .program = program,
        .number = row->number,
        .name = row->name,
        .arn = row->arn,
        .input = row->input,
        .start_ms = row->start_ms,
        .event_count = row->event_count,
        .redrive_count = row->redrive_count,
        .parent = row->parent,
        .parent_frame = row->parent_frame,
        .parent_run = row->parent_run,
        .parent_index = row->parent_index,
        .frames = records,
        .frame_count = count,
        .redrive = redrive,
    };
    int r = asl_engine_restore(w->engine, &restore, &execution);
    if (r > 0) return px_fault(PX_F_LIMIT, "too many executions");
    PX_TRY(r);
    return add_run(w, row);
}

int restore_one(struct workflows *w, struct asl_program *program, const struct execution_row *row,
                const struct execution_frame *frames, size_t frame_count, bool redrive)
{
    if (frame_count == 0)
        return px_fault(PX_F_CORRUPT, "execution %.*s has no frames", PX_FMT(row->name));
    struct asl_frame_record *records = calloc(frame_count, sizeof *records);
    if (!records) return px_fault(PX_F_OOM, "frames of an execution");
    for (size_t i = 0; i < frame_count; i++)
        records[i] = (struct asl_frame_record){
            .frame = frames[i].frame, .parent = frames[i].parent, .record = frames[i].record};
    int r = restore_records(w, program, row, records, frame_count, redrive);
    free(records);
    PX_TRY(r);
    return 0;
}

int restore_ended(struct workflows *w, const struct execution_row *child)
{
    PX_TRY(asl_engine_child_ended(w->engine, &(struct asl_child_end){
                                                 .parent = child->parent,
                                                 .frame = child->parent_frame,
                                                 .run = child->parent_run,
                                                 .index = child->parent_index,
                                                 .status = (enum asl_status)child->status,
                                                 .output = child->output,
                                                 .failure = {child->error, child->cause},
                                                 .name = child->name,
                                                 .arn = child->arn,
                                                 .input = child->input,
                                                 .start_ms = child->start_ms,
                                                 .stop_ms = child->stop_ms,
                                                 .redrive_count = child->redrive_count,
                                             }));
    return 0;
}

/* The journal says why; the event closes the history. */
static int give_up(struct workflows *w, const struct execution_row *row, int fault,
                   struct px_arena *arena)
{
    char why[512];
    struct px_str cause = px_arena_printf(arena, "It could not be restored: %s",
                                          px_fault_text(fault, why, sizeof why));
    int64_t now_ms = px_wall_ns(w->options.clock) / PX_NS_PER_MS;
    PX_AUTO(px_buf_deinit) struct px_buf event;
    PX_AUTO(execution_batch_deinit) struct execution_batch batch;
    px_buf_init(&event, 65536);
    execution_batch_init(&batch, 1u << 20);
    px_log(w->options.log, PX_ERROR, "execution %.*s of %.*s: %.*s", PX_FMT(row->name),
           PX_FMT(row->machine), PX_FMT(cause));
    px_buf_printf(&event,
                  "{\"id\":%u,\"p\":%u,\"t\":%lld,\"y\":\"ExecutionFailed\",\"d\":{\"error\":"
                  "\"" ASL_E_RUNTIME "\",\"cause\":",
                  row->event_count + 1, row->event_count, (long long)now_ms);
    px_buf_add_json_str(&event, cause);
    px_buf_add_c(&event, "}}\n");
    PX_TRY(px_buf_fault(&event));
    const struct execution_turn turn = {.row = {.number = row->number,
                                                .status = EXECUTION_FAILED,
                                                .stop_ms = now_ms,
                                                .error = S(ASL_E_RUNTIME),
                                                .cause = cause,
                                                .redrive_count = row->redrive_count,
                                                .event_count = row->event_count + 1},
                                        .events = px_buf_str(&event),
                                        .event_first = row->event_count + 1,
                                        .event_count = 1};
    PX_TRY(execution_batch_add(&batch, &turn));
    PX_TRY(execution_commit(w->writer, &batch));
    return 0;
}

/* One walk over what runs by the journal. */
struct restoring {
    struct workflows *w;
    struct execution_store *store;
    struct px_arena arena;
    size_t count;
};

static int read_program(struct restoring *restore, const struct execution_row *row,
                        struct asl_program **ret_program)
{
    struct px_str text = {0};
    if (!workflows_known_program(restore->w, row->definition)) {
        int r = execution_definition(restore->store, row->definition, &restore->arena, &text);
        if (r == EXECUTION_ABSENT)
            return px_fault(PX_F_CORRUPT, "the journal has no definition %llu",
                            (unsigned long long)row->definition);
        PX_TRY(r);
    }
    PX_TRY(workflows_program(restore->w, row->definition, row->machine, text, ret_program));
    return 0;
}

static int restore_row(struct restoring *restore, const struct execution_row *row)
{
    struct workflows *w = restore->w;
    struct asl_program *program = NULL;
    struct execution_frame *frames;
    size_t count;
    if (asl_engine_find(w->engine, row->number)) return 0;
    answers_refuse(w, row->number);
    int r = read_program(restore, row, &program);
    if (r == 0) r = execution_frames(restore->store, row->number, &restore->arena, &frames, &count);
    if (r == 0) r = restore_one(w, program, row, frames, count, false);
    if (r == PX_F_CORRUPT) return give_up(w, row, r, &restore->arena);
    PX_TRY(r);
    restore->count++;
    return 0;
}

/* What ended before the crash and whose parent may not know: children of distributed Maps, executions that a task waits for. What
 * the parent knows already, or waits for no longer, the engine passes over. */
static int tell_parent(struct restoring *restore, const struct execution_row *parent)
{
    struct execution_filter filter = {
        .status = EXECUTION_ANY_STATUS, .parent = parent->number, .max = SIZE_MAX};
    struct execution_row *rows;
    size_t count;
    PX_TRY(execution_list(restore->store, &filter, true, &restore->arena, &rows, &count));
    for (size_t i = 0; i < count; i++)
        if (rows[i].status != EXECUTION_RUNNING) PX_TRY(restore_ended(restore->w, &rows[i]));
    filter = (struct execution_filter){
        .status = EXECUTION_ANY_STATUS, .waited_for_by = parent->number, .max = SIZE_MAX};
    PX_TRY(execution_list(restore->store, &filter, true, &restore->arena, &rows, &count));
    for (size_t i = 0; i < count; i++)
        if (rows[i].status != EXECUTION_RUNNING) PX_TRY(run_tell_ended(restore->w, &rows[i]));
    return 0;
}

static int each_running(struct restoring *restore,
                        int (*fn)(struct restoring *restore, const struct execution_row *row))
{
    struct execution_row row = {.number = 0};
    for (;;) {
        px_arena_reset(&restore->arena);
        int r = execution_next_running(restore->store, row.number, &restore->arena, &row);
        if (r == EXECUTION_ABSENT) return 0;
        PX_TRY(r);
        PX_TRY(fn(restore, &row));
    }
}

int workflows_restore(struct workflows *w, struct execution_store *store)
{
    struct restoring restore = {.w = w, .store = store};
    px_arena_init(&restore.arena, ONE_BYTES_MAX);
    int r = each_running(&restore, restore_row);
    if (r == 0) r = each_running(&restore, tell_parent);
    px_arena_deinit(&restore.arena);
    PX_TRY(r);
    if (restore.count > 0)
        px_log(w->options.log, PX_INFO, "%zu workflow execution%s on", restore.count,
               restore.count == 1 ? " goes" : "s go");
    return 0;
}
