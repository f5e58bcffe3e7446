/* region/workflows_start.c - starting executions by Step Functions' rules of names, and redriving those that ended.
 *
 * A name is unique in its machine as long as the journal keeps it. The same name with the same input gives the execution that runs;
 * anything else is refused. Source: API reference, StartExecution. The journal is asked in a thread, so two starts of one name may ask
 * at once: names that are given while somebody asks are noted, and looked at when the answer comes. */
#include <stdlib.h>

#include "base/px_id.h"
#include "region/workflows_internal.h"

#define PLAN_BYTES_MAX (256u << 20)

bool execution_name_ok(struct px_str name)
{
    if (name.len == 0 || name.len > EXECUTION_NAME_MAX) return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_' || c == '.'))
            return false;
    }
    return true;
}

/* One start under way. */
struct start {
    struct worker_job job;
    struct workflows *workflows;
    struct start_request request; /* its texts are in arena */
    struct px_arena arena;
    struct machine_choice choice;
    struct px_str definition; /* the text of what was chosen, when nobody has compiled it yet */
    bool looks_for_name, lacks_text, is_found;
    struct execution_row found; /* the journal's; number 0: none */
    int result;
    char error[512];
};

static void finish(struct start *s, const struct start_result *result)
{
    s->request.done(s->request.ctx, result);
    px_arena_deinit(&s->arena);
    free(s);
}

static void refuse(struct start *s, enum start_outcome outcome)
{
    finish(s, &(struct start_result){.outcome = outcome});
}

static void on_told(void *ctx, const struct asl_execution_info *info)
{
    struct start *s = ctx;
    struct start_result result = {.outcome = START_CLOSING};
    if (info)
        result = (struct start_result){
            .outcome = START_OK, .arn = info->arn, .start_ms = info->start_ms, .info = info};
    finish(s, &result);
}

/* The execution that there is. */
static void join(struct start *s, struct run *run)
{
    const struct asl_execution *execution = asl_engine_find(s->workflows->engine, run->number);
    const struct asl_execution_info *info = execution ? asl_execution_info(execution) : NULL;
    bool same_task = s->request.same_task && run->task.len && px_str_eq(run->task, s->request.task);
    if (!info || (!same_task && (s->request.task.len || /* it would never hear of the end */
                                 !px_str_eq(info->input, s->request.input)))) {
        refuse(s, START_EXISTS);
    } else if (run->started && !s->request.until_end) {
        on_told(s, info);
    } else if (run_wait(run, !s->request.until_end, on_told, s) != 0) {
        refuse(s, START_FAULT);
    }
}

static void note_name(struct workflows *w, const struct start_request *request, uint64_t number)
{
    if (w->lookups == 0) return;
    struct name_note *note = calloc(1, sizeof *note);
    PX_ASSERT(note); /* a hundred bytes; without it a name could be given twice */
    note->number = number;
    note->machine = request->machine;
    memcpy(note->name, request->name.ptr, request->name.len);
    note->next = w->fresh;
    w->fresh = note;
}

/* Borrowed. */
static int program_of(struct start *s, struct asl_program **ret_program)
{
    struct workflows *w = s->workflows;
    const struct workflow_machine *machine = s->request.machine;
    if (!s->choice.definition) return workflows_machine_program(w, machine, ret_program);
    return workflows_program(w, s->choice.definition, machine->full_name, s->definition,
                             ret_program);
}

static void begin(struct start *s)
{
    struct workflows *w = s->workflows;
    const struct start_request *request = &s->request;
    struct asl_execution *execution = NULL;
    struct run *run = NULL;
    struct px_str arn = px_arena_printf(
        &s->arena, "arn:aws:states:%.*s:" WORKFLOW_ACCOUNT ":%s:%.*s:%.*s",
        PX_FMT(w->catalogue.region),
        request->machine->type == ASL_EXPRESS ? "express" : "execution",
        PX_FMT(request->machine->full_name), PX_FMT(request->name));
    struct asl_program *program = NULL;
    int r = arn.ptr ? program_of(s, &program) : PX_F_OOM;
    if (r != 0)
        px_log_fault(w->options.log, r, "a machine cannot be used");
    else
        r = asl_engine_start(
            w->engine,
            &(struct asl_start){
                .program = program, .name = request->name, .arn = arn, .input = request->input},
            &execution);
    if (r == 0) {
        uint64_t number = asl_execution_info(execution)->number;
        r = run_add(w, number, request->machine, request->name, request->task, &run);
        if (r == 0) r = run_set_version(run, s->choice.version, s->choice.alias);
        if (r == 0) note_name(w, request, number);
        if (r == 0) r = run_wait(run, !request->until_end, on_told, s);
        /* without memory to remember it, it is ended before it begins */
        if (r != 0) (void)!asl_engine_stop(w->engine, number, NULL);
        workflows_wake(w);
    }
    if (r == ASL_ENGINE_FULL) {
        machine_count_refused(w, request->machine, s->choice.version, s->choice.alias);
        refuse(s, START_FULL);
    } else if (r == ASL_ENGINE_INVALID)
        refuse(s, START_BAD_INPUT);
    else if (r != 0)
        refuse(s, START_FAULT);
}

/* In the thread: what the start needs of the journal. */
static int look(struct start *s, bool *ret_found)
{
    struct execution_store *store = s->workflows->reader;
    *ret_found = false;
    if (s->looks_for_name) {
        int r = execution_find(store, s->request.machine->full_name, s->request.name, &s->arena,
                               &s->found);
        PX_TRY(r < 0 ? r : 0);
        *ret_found = r == 0;
    }
    if (*ret_found || !s->lacks_text) return 0;
    return execution_definition(store, s->choice.definition, &s->arena, &s->definition);
}

static void on_find_run(struct worker_job *job)
{
    struct start *s = (struct start *)job;
    s->result = look(s, &s->is_found);
    if (s->result < 0) (void)px_fault_text(s->result, s->error, sizeof s->error);
}

static const struct name_note *fresh_note(const struct workflows *w,
                                          const struct start_request *request)
{
    for (const struct name_note *note = w->fresh; note; note = note->next)
        if (note->machine == request->machine && px_str_eq(px_str_c(note->name), request->name))
            return note;
    return NULL;
}

static void forget_notes(struct workflows *w)
{
    while (w->lookups == 0 && w->fresh) {
        struct name_note *note = w->fresh;
        w->fresh = note->next;
        free(note);
    }
}

/* An execution that ended, of the very task that asks: its parent crashed before it heard of it. */
static bool is_of_task(const struct start *s)
{
    return s->request.same_task && px_str_eq(s->found.waiter, s->request.task);
}

static void on_find_done(struct worker_job *job)
{
    struct start *s = (struct start *)job;
    struct workflows *w = s->workflows;
    w->lookups--;
    const struct name_note *note = s->looks_for_name ? fresh_note(w, &s->request) : NULL;
    struct run *run = s->looks_for_name ? run_of_name(w, s->request.machine, s->request.name)
                                        : NULL;
    bool known = note != NULL;
    forget_notes(w);
    if (w->closed || w->draining) {
        refuse(s, START_CLOSING);
    } else if (s->result < 0) {
        px_log(w->options.log, PX_ERROR, "the journal of workflows cannot be read: %s", s->error);
        refuse(s, START_FAULT);
    } else if (run) {
        join(s, run);
    } else if (s->is_found && is_of_task(s) && !s->request.until_end) {
        finish(s, &(struct start_result){
                      .outcome = START_OK, .arn = s->found.arn, .start_ms = s->found.start_ms});
    } else if (s->is_found || known) {
        refuse(s, START_EXISTS);
    } else if (s->result == EXECUTION_ABSENT) {
        refuse(s, START_ABSENT); /* the version was deleted meanwhile */
    } else {
        begin(s);
    }
}

/* Copies: the caller's views go. */
static int keep(struct start *s, const struct start_request *request)
{
    char uuid[37];
    struct px_str name = request->name;
    if (name.len == 0) {
        px_uuid7(px_wall_ns(s->workflows->options.clock), uuid);
        name = px_str_c(uuid);
    }
    s->request = *request;
    s->request.name = px_arena_dup(&s->arena, name);
    s->request.input = px_arena_dup(&s->arena, request->input);
    s->request.task = px_arena_dup(&s->arena, request->task);
    return s->request.name.ptr && s->request.input.ptr && s->request.task.ptr
               ? 0
               : px_arena_fault(&s->arena);
}

void workflows_start(struct workflows *w, const struct start_request *request)
{
    struct start *s = calloc(1, sizeof *s);
    if (!s) {
        request->done(request->ctx, &(struct start_result){.outcome = START_FAULT});
        return;
    }
    s->workflows = w;
    px_arena_init(&s->arena, 4u << 20);
    if (keep(s, request) != 0) {
        s->request = *request;
        refuse(s, START_FAULT);
        return;
    }
    struct run *run = request->name.len ? run_of_name(w, request->machine, s->request.name) : NULL;
    int chosen = machine_choose(w, request->machine, request->qualifier, &s->arena, &s->choice);
    s->lacks_text = chosen == 0 && s->choice.definition &&
                    !workflows_known_program(w, s->choice.definition);
    /* an Express execution's name is for people; a new UUID is taken by nobody */
    s->looks_for_name = request->machine->type != ASL_EXPRESS && request->name.len > 0;
    if (w->draining || w->closed) {
        refuse(s, START_CLOSING);
    } else if (!execution_name_ok(s->request.name)) {
        refuse(s, START_BAD_NAME);
    } else if (chosen != 0) {
        refuse(s, chosen == MACHINE_ABSENT ? START_ABSENT : START_FAULT);
    } else if (s->looks_for_name && run) {
        join(s, run);
    } else if (!s->looks_for_name && !s->lacks_text) {
        begin(s);
    } else {
        w->lookups++;
        s->job.run = on_find_run;
        s->job.done = on_find_done;
        worker_add(&w->reading, &s->job);
    }
}

/* ---- redrive ---- */

static int read_part(struct execution_store *store, struct px_arena *arena,
                     struct redrive_part *part)
{
    if (part->row.status == EXECUTION_SUCCEEDED) return 0;
    PX_TRY(execution_frames(store, part->row.number, arena, &part->frames, &part->frame_count));
    return 0;
}

int redrive_read(struct execution_store *store, struct px_str machine, struct px_str name,
                 struct redrive_plan *plan)
{
    struct px_arena *arena = &plan->arena;
    struct execution_row *rows;
    size_t count;
    px_arena_init(arena, PLAN_BYTES_MAX);
    int r = execution_find(store, machine, name, arena, &plan->top.row);
    if (r != 0) return r;
    PX_TRY(read_part(store, arena, &plan->top));
    r = execution_definition(store, plan->top.row.definition, arena, &plan->definition);
    if (r == EXECUTION_ABSENT)
        return px_fault(PX_F_CORRUPT, "the journal has no definition %llu",
                        (unsigned long long)plan->top.row.definition);
    PX_TRY(r);
    const struct execution_filter filter = {
        .status = EXECUTION_ANY_STATUS, .parent = plan->top.row.number, .max = SIZE_MAX};
    PX_TRY(execution_list(store, &filter, true, arena, &rows, &count));
    plan->children = px_arena_array(arena, struct redrive_part, count);
    if (!plan->children) return px_arena_fault(arena);
    for (size_t i = 0; i < count; i++) {
        plan->children[i].row = rows[i];
        PX_TRY(read_part(store, arena, &plan->children[i]));
    }
    plan->child_count = count;
    return 0;
}

int redrive_apply(struct workflows *w, const struct redrive_plan *plan)
{
    struct asl_program *program = NULL;
    const struct execution_row *row = &plan->top.row;
    PX_TRY(workflows_program(w, row->definition, row->machine, plan->definition, &program));
    PX_TRY(restore_one(w, program, row, plan->top.frames, plan->top.frame_count, true));
    for (size_t i = 0; i < plan->child_count; i++) {
        const struct redrive_part *child = &plan->children[i];
        if (child->row.status == EXECUTION_SUCCEEDED)
            PX_TRY(restore_ended(w, &child->row));
        else if (child->frame_count)
            PX_TRY(restore_one(w, program, &child->row, child->frames, child->frame_count, true));
    }
    workflows_wake(w);
    return 0;
}
