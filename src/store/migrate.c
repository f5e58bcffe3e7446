/* store/migrate.c - steps in their order; docs: migrate.h, docs/design/catalog-schema.md.
 *
 * Two chains run through the list, each in the order of numbers: what adds (EXPAND, BACKFILL) and what removes (CONTRACT).
 * The first never waits for the second, so that a contract step may be put off while releases go on; the second waits
 * for all of the first with smaller numbers. So a list must work whichever of the two comes first; a test runs both. */
#include "store/migrate.h"

#include <stdio.h>

#include "store/meta_half.h"
#include "store/migrate_ledger.h"

#define ROWS_DEFAULT 1000

static bool adds(enum migrate_kind kind) { return kind != MIGRATE_CONTRACT; }

static bool wanted(int number, int to) { return to == 0 || number <= to; }

static int known_last(const struct migrate_list *list)
{
    return list->count > 0 ? list->steps[list->count - 1].number : 0;
}

const char *migrate_kind_name(enum migrate_kind kind)
{
    static const char *const names[] = {"?", "expand", "backfill", "contract"};
    return names[(size_t)kind < PX_COUNT(names) ? (size_t)kind : 0];
}

/* ---- looking ---- */

static const struct migrate_item *find(const struct migrate_state *state, int number)
{
    for (size_t i = 0; i < state->count; i++)
        if (state->items[i].number == number) return &state->items[i];
    return NULL;
}

static bool was_run(const struct migrate_state *state, int number)
{
    const struct migrate_item *item = number > 0 ? find(state, number) : NULL;
    return item && item->applied_ns != 0;
}

static void sum_up(struct migrate_state *state)
{
    bool gap = false;
    for (size_t i = 0; i < state->count; i++) {
        const struct migrate_item *item = &state->items[i];
        bool pending = item->applied_ns == 0;
        state->edited += item->edited;
        state->adding += pending && adds(item->kind);
        state->removing += pending && !adds(item->kind);
        if (!pending && !adds(item->kind)) state->contracted = item->number;
        if (pending && adds(item->kind)) gap = true;
        if (!gap && adds(item->kind)) state->expanded = item->number;
    }
}

static void check_list(const struct migrate_list *list)
{
    PX_ASSERT(list->count <= MIGRATE_STEPS_MAX / 2);
    for (size_t i = 0; i < list->count; i++) {
        const struct migrate_step *step = &list->steps[i];
        PX_ASSERT(step->number > (i > 0 ? list->steps[i - 1].number : 0));
        PX_ASSERT(step->kind != MIGRATE_BACKFILL || step->left);
        PX_ASSERT((step->kind == MIGRATE_CONTRACT) == (step->unused_since > 0));
        PX_ASSERT(step->unused_since <= step->number);
    }
}

static int look(const struct migrate *m, struct migrate_state *state)
{
    *state = (struct migrate_state){0};
    check_list(m->list);
    PX_TRY(ledger_read(m, state));
    if (state->has_home) PX_TRY(ledger_read_rest(m, state));
    sum_up(state);
    return 0;
}

int migrate_look(const struct migrate *m, struct migrate_state *ret_state)
{
    PX_TRY(meta_begin(m->meta, META_SNAPSHOT));
    int r = look(m, ret_state);
    meta_rollback(m->meta); /* it only read */
    PX_TRY(r);
    return 0;
}

const struct migrate_item *migrate_next(const struct migrate_state *state, int to)
{
    const struct migrate_item *removing = NULL;
    for (size_t i = 0; i < state->count; i++) {
        const struct migrate_item *item = &state->items[i];
        if (item->applied_ns != 0 || !wanted(item->number, to)) continue;
        if (adds(item->kind)) return item;
        if (!removing) removing = item;
    }
    return removing;
}

void migrate_sql(const struct migrate *m, const struct migrate_step *step, struct px_buf *buf)
{
    if (step->kind == MIGRATE_BACKFILL)
        px_buf_add_c(buf, step->sql);
    else
        m->meta->half->script_text(step->sql, buf);
}

/* ---- for functions ---- */

int migrate_check(const struct migrate *m)
{
    struct migrate_state state = {0};
    check_list(m->list);
    PX_TRY(
        ledger_read(m, &state)); /* two round trips at a function's start, without a transaction */
    if (state.floor > known_last(m->list))
        return px_fault(
            PX_F_CONFIG,
            "the schema was contracted: functions must know its step %d, and this one knows "
            "steps up to %d; it is of too old a release",
            state.floor, known_last(m->list));
    for (size_t i = 0; i < state.count; i++)
        if (state.items[i].applied_ns == 0 && adds(state.items[i].kind) &&
            state.items[i].number <= m->list->needs)
            return MIGRATE_BEHIND;
    return state.has_home ? 0 : MIGRATE_HOMELESS;
}

int migrate_say(const struct migrate *m, struct px_str name)
{
    if (name.len == 0 || name.len >= MIGRATE_NAME_BYTES || m->meta->read_only) return 0;
    PX_TRY(ledger_say(m, name, known_last(m->list)));
    return 0;
}

/* ---- one transaction ---- */

struct work {
    const struct migrate *m;
    const struct migrate_step *step;
    struct migrate_state state; /* as it is under the write lock */
    enum migrate_word word;
    int64_t rows, changed;
    bool done; /* the step, by whomever */
};
typedef int work_body(struct work *work);

/* Another one may have been faster, so all is looked at anew under the lock. Answers: the body's. */
static int under_lock(struct work *work, work_body *body)
{
    struct meta *meta = work->m->meta;
    PX_TRY(meta_begin(meta, META_WRITE));
    int r = look(work->m, &work->state);
    if (r == 0) r = body(work);
    if (r == 0) r = meta_commit(meta);
    if (r != 0) meta_rollback(meta);
    return r > 0 ? r : r < 0 ? px_fold(r, __FILE__, __LINE__) : 0;
}

static int make_home(struct work *work)
{
    PX_TRY(ledger_make(work->m, &work->state));
    return 0;
}

/* So that a step that was run is not changed behind the backs of databases that have it. */
static int refuse_edited(const struct migrate_state *state)
{
    for (size_t i = 0; i < state->count; i++)
        if (state->items[i].edited)
            return px_fault(
                PX_F_CONFIG,
                "step %d (%s) was run here with another text: a step that was released is "
                "never changed, add one",
                state->items[i].number, state->items[i].step->name);
    return 0;
}

static int begin_running(const struct migrate *m, struct migrate_state *state)
{
    PX_ASSERT(!m->meta->read_only);
    PX_TRY(migrate_look(m, state));
    if (!state->has_home) {
        struct work work = {.m = m};
        PX_TRY(under_lock(&work, make_home));
        PX_TRY(migrate_look(m, state));
    }
    PX_TRY(refuse_edited(state));
    return 0;
}

static int run_script(struct work *work)
{
    work->done = was_run(&work->state, work->step->number);
    if (work->done) return 0;
    PX_TRY(work->m->meta->half->script(work->m->meta, work->step->sql));
    PX_TRY(ledger_note(work->m, work->step));
    return 0;
}

/* ---- expand ---- */

int migrate_expand(const struct migrate *m, int to, size_t *ret_run)
{
    struct work work = {.m = m};
    size_t run = 0;
    PX_TRY(begin_running(m, &work.state));
    for (;;) {
        const struct migrate_item *next = migrate_next(&work.state, to);
        if (!next || next->kind != MIGRATE_EXPAND) break;
        work.step = next->step;
        PX_TRY(under_lock(&work, run_script));
        run += !work.done;
        PX_TRY(migrate_look(m, &work.state));
    }
    *ret_run = run;
    return 0;
}

/* ---- backfill ---- */

/* What a step has left; 0 when it has no question, or when what it asks about was taken away since. */
static int count_left(const struct migrate *m, const struct migrate_state *state,
                      const struct migrate_step *step, int64_t *ret_left)
{
    *ret_left = 0;
    if (!step->left || was_run(state, step->until)) return 0;
    PX_TRY(ledger_number(m->meta, step->left, ret_left));
    return 0;
}

static int fill_batch(struct work *work)
{
    const struct meta_value params[] = {meta_i(work->rows)};
    int64_t left = 0;
    work->changed = 0;
    work->done = was_run(&work->state, work->step->until);
    if (work->done) return 0;
    PX_TRY(meta_exec(work->m->meta, work->step->sql, params, 1, &work->changed));
    PX_TRY(ledger_count(work->m, work->step, work->changed));
    if (work->changed > 0) return 0;
    PX_TRY(count_left(work->m, &work->state, work->step, &left));
    if (left > 0)
        return px_fault(PX_F_BUG, "backfill %d (%s) changes nothing and has %lld left",
                        work->step->number, work->step->name, (long long)left);
    work->done = true;
    if (was_run(&work->state, work->step->number)) return 0; /* it was to be filled once more */
    PX_TRY(ledger_note(work->m, work->step));
    return 0;
}

/* The same outside of the lock, where a contract step may come in between: then the question fails, and is none any more. */
static int count_left_unlocked(const struct migrate *m, const struct migrate_state *state,
                               const struct migrate_step *step, int64_t *ret_left)
{
    struct migrate_state now;
    int r = count_left(m, state, step, ret_left);
    if (r != PX_F_BUG || step->until == 0) return r;
    PX_TRY(migrate_look(m, &now));
    if (!was_run(&now, step->until)) return px_fold(r, __FILE__, __LINE__);
    *ret_left = 0;
    return 0;
}

/* The first that has something to do; NULL: none. */
static int find_backfill(const struct migrate *m, const struct migrate_state *state, int to,
                         const struct migrate_step **ret_step)
{
    const struct migrate_item *next = migrate_next(state, to);
    *ret_step = NULL;
    for (size_t i = 0; i < state->count; i++) {
        const struct migrate_item *item = &state->items[i];
        int64_t left = 0;
        if (item->kind != MIGRATE_BACKFILL || !item->step || item->applied_ns == 0) continue;
        PX_TRY(count_left_unlocked(m, state, item->step, &left));
        if (left == 0) continue;
        *ret_step = item->step;
        return 0;
    }
    if (next && next->kind == MIGRATE_BACKFILL) *ret_step = next->step;
    return 0;
}

static bool may_go_on(const struct migrate_batches *batches, size_t done)
{
    if (batches->max > 0 && done >= batches->max) return false;
    return batches->deadline_mono_ns == 0 ||
           px_mono_ns(&px_clock_system) < batches->deadline_mono_ns;
}

int migrate_backfill(const struct migrate *m, const struct migrate_batches *batches,
                     struct migrate_filled *ret_filled)
{
    struct work work = {.m = m, .rows = batches->rows > 0 ? batches->rows : ROWS_DEFAULT};
    struct migrate_filled filled = {0};
    PX_TRY(begin_running(m, &work.state));
    PX_TRY(find_backfill(m, &work.state, batches->to, &work.step));
    while (work.step && may_go_on(batches, filled.batches)) {
        PX_TRY(under_lock(&work, fill_batch));
        filled.batches++;
        filled.rows += work.changed;
        if (!work.done) continue;
        PX_TRY(migrate_look(m, &work.state));
        PX_TRY(find_backfill(m, &work.state, batches->to, &work.step));
    }
    filled.more = work.step != NULL;
    *ret_filled = filled;
    return 0;
}

/* ---- contract ---- */

static bool used_by_older(const struct migrate_state *state, int since)
{
    for (size_t i = 0; i < state->user_count; i++)
        if (state->users[i].knows < since) return true;
    return false;
}

static bool is_behind(const struct migrate_state *state, int number)
{
    for (size_t i = 0; i < state->count; i++)
        if (state->items[i].number < number && adds(state->items[i].kind) &&
            state->items[i].applied_ns == 0)
            return true;
    return false;
}

/* Whether what goes has been filled into what stays. */
static int any_left(const struct work *work, bool *ret_any)
{
    *ret_any = false;
    for (size_t i = 0; i < work->m->list->count && !*ret_any; i++) {
        const struct migrate_step *step = &work->m->list->steps[i];
        int64_t left = 0;
        if (step->kind != MIGRATE_BACKFILL || step->until != work->step->number) continue;
        PX_TRY(count_left(work->m, &work->state, step, &left));
        *ret_any = left > 0;
    }
    return 0;
}

static int run_contract(struct work *work)
{
    const struct migrate_step *step = work->step;
    bool any = false;
    work->done = was_run(&work->state, step->number);
    if (work->done) return 0;
    if (is_behind(&work->state, step->number)) return MIGRATE_BEHIND;
    if (work->word < MIGRATE_FORCED && used_by_older(&work->state, step->unused_since))
        return MIGRATE_IN_USE;
    if (work->word < MIGRATE_APPROVED && step->unsaid) return MIGRATE_UNSAID;
    PX_TRY(any_left(work, &any));
    if (any) return MIGRATE_LEFT;
    PX_TRY(run_script(work));
    return 0;
}

int migrate_contract(const struct migrate *m, int to, enum migrate_word word, size_t *ret_run)
{
    struct work work = {.m = m, .word = word};
    size_t run = 0;
    PX_TRY(begin_running(m, &work.state));
    for (size_t i = 0; i < m->list->count; i++) {
        work.step = &m->list->steps[i];
        if (adds(work.step->kind) || !wanted(work.step->number, to) ||
            was_run(&work.state, work.step->number))
            continue;
        int r = under_lock(&work, run_contract);
        if (r > 0) {
            *ret_run = run;
            return r;
        }
        PX_TRY(r);
        run += !work.done;
        PX_TRY(migrate_look(m, &work.state));
    }
    *ret_run = run;
    return 0;
}

/* ---- verify ---- */

int migrate_verify(const struct migrate *m, struct migrate_verdict *ret_verdict)
{
    struct migrate_verdict verdict = {0};
    struct migrate_state state;
    PX_TRY(migrate_look(m, &state));
    PX_TRY(refuse_edited(&state));
    for (size_t i = 0; i < state.count; i++) {
        const struct migrate_item *item = &state.items[i];
        int64_t left = 0;
        if (!item->step || item->applied_ns == 0) continue;
        PX_TRY(count_left_unlocked(m, &state, item->step, &left));
        verdict.checked++;
        if (left == 0 || verdict.number != 0) continue;
        verdict.number = item->number;
        verdict.left = left;
    }
    *ret_verdict = verdict;
    return verdict.number != 0 ? MIGRATE_LEFT : 0;
}
