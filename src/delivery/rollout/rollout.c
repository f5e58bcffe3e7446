/* delivery/rollout/rollout.c - the controller: one turn after another, each of which looks where the target stands and does
 * at most one thing about it.
 *
 * Order, which AWS's rules dictate: provisioned concurrency of an alias cannot change while the alias has weights, and a
 * version that has some of its own cannot get a weight of such an alias. So a version proves that it starts with one
 * instance of its own, which is taken away again before the first weight; the alias's is left alone throughout, and Lambda
 * divides it by the weights and moves it with the alias. The last step is a weight of 1, not yet another main version, so
 * that the newcomer's instances are warm before the alias moves and going back is one call to the end.
 *
 * A fault is the target's or the store's trouble and the turn is taken again; out of reach for contact_s, the rollout goes
 * back as soon as it can, since nobody watched meanwhile.
 *
 * Sources: AWS Lambda developer guide, "Implementing Lambda canary deployments using a weighted alias" and "Configuring provisioned
 * concurrency"; Amazon Builders' Library, "Automating safe, hands-off deployments" (bake by time and requests). */
#include "delivery/rollout/rollout.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/px_id.h"
#include "base/px_json.h"
#include "delivery/rollout/journal.h"

#define TURN_ARENA_BYTES_MAX ((size_t)64 << 20)
#define SLICE_MS 50
#define FAULTS_MAX 3 /* of one step, in a row, that are no matter of contact */
#define UPDATE_S 300
#define PROVE_S 600

void rollout_plan_default(bool local, struct rollout_plan *ret_plan)
{
    *ret_plan = (struct rollout_plan){
        .weights = {0.10, 0.33, 1},
        .count = 3,
        .bake_s = local ? 30 : 3600,
        .requests_min = 100,
        .patience_s = local ? 3600 : INT64_C(6) * 3600,
        .poll_ms = local ? 1000 : 15000,
        .period_s = local ? 1 : 60,
        .contact_s = local ? 60 : 600,
        .keep = 5,
        .limits = {.alpha = 0.01,
                   .error_floor = 0.001,
                   .latency_ratio = 1.25,
                   .latency_floor_ms =
                       10, /* processes that are new are a few milliseconds slower */
                   .quantile = 0.9,
                   .errors_min = 10,
                   .latency_min = 30},
    };
}

/* One run of the controller. */
struct run {
    const struct rollout_options *o;
    struct rollout_journal journal;
    char controller[37];
    struct judge judge;
    struct rollout_view view;
    struct px_arena arena; /* of a turn */
    int64_t lost_ns, proving_ns;
    int faults;
    char *why;
};
/* What a turn says, beside faults: 0 goes on, TURN_WAIT after a pause. */
enum { TURN_WAIT = 100, TURN_DONE };

static int64_t now_ns(const struct run *run) { return px_wall_ns(run->o->clock); }
static int64_t now_s(const struct run *run) { return now_ns(run) / PX_NS_PER_S; }

static void say(struct run *run, const char *note)
{
    struct rollout_view *v = &run->view;
    v->function = run->o->function;
    v->state = run->journal.state;
    v->from = run->journal.from;
    v->to = run->journal.to;
    v->step = run->journal.step;
    v->steps = run->journal.plan.count;
    v->weight = v->state == ROLLOUT_BAKING && run->journal.since_s
                    ? run->journal.plan.weights[run->journal.step]
                : v->state == ROLLOUT_FINISHING || v->state == ROLLOUT_DONE ? 1
                                                                            : 0;
    v->requests_min = run->journal.plan.requests_min;
    v->note = px_str_c(note);
    if (run->o->progress) run->o->progress(run->o->ctx, v);
    v->note = S(""); /* it was the caller's */
}

static int tell(struct run *run, const char *note)
{
    rollout_journal_tell(&run->journal, "%s", note);
    PX_TRY(rollout_journal_save(&run->journal));
    say(run, note);
    return 0;
}

static bool called_off(const struct rollout_options *o) { return o->called_off && *o->called_off; }

static void nap(const struct rollout_options *o, int64_t ms)
{
    for (; ms > 0 && !called_off(o); ms -= SLICE_MS) {
        const struct timespec slice = {.tv_nsec = PX_MIN(ms, (int64_t)SLICE_MS) * PX_NS_PER_MS};
        (void)nanosleep(&slice, NULL);
    }
}

/* ---- going back and ending ---- */

static int end(struct run *run, enum rollout_state state, const char *note)
{
    run->journal.state = state;
    run->journal.ended_ns = now_ns(run);
    PX_TRY(tell(run, note));
    return TURN_DONE;
}

/* From now on everything leads back; the reason is kept before anything is touched. */
static int turn_back(struct run *run, const char *reason)
{
    char note[ROLLOUT_WHY_BYTES + 32];
    (void)snprintf(run->journal.reason, sizeof run->journal.reason, "%s", reason);
    run->journal.state = ROLLOUT_RETURNING;
    (void)snprintf(note, sizeof note, "goes back: %s", reason);
    return tell(run, note);
}

static int fail_rollout(struct run *run, const char *reason)
{
    (void)snprintf(run->journal.reason, sizeof run->journal.reason, "%s", reason);
    return end(run, ROLLOUT_FAILED, reason);
}

/* A refusal of a step is the step's failure; a change or an update under way is waited for. */
static int weigh_answer(struct run *run, int r, const char *what)
{
    char reason[ROLLOUT_WHY_BYTES];
    if (r <= 0) return r;
    if (r == TARGET_BUSY || r == TARGET_CHANGED) return TURN_WAIT;
    (void)snprintf(reason, sizeof reason, "%s failed: %s", what, target_why(run->o->target));
    return turn_back(run, reason);
}

static int turn_returning(struct run *run, const struct target_alias *alias)
{
    struct rollout_target *t = run->o->target;
    const struct rollout_journal *j = &run->journal;
    struct px_str qualifier = px_arena_printf(&run->arena, "%lld", (long long)j->to);
    if (!qualifier.ptr) return px_arena_fault(&run->arena);
    if (alias->main != j->from || alias->other) {
        const struct target_alias wanted = {.main = j->from, .revision = alias->revision};
        int r = target_set_alias(t, run->o->function, S(ROLLOUT_ALIAS), &wanted, &run->arena);
        if (r == TARGET_BUSY || r == TARGET_CHANGED) return TURN_WAIT;
        if (r > 0) return px_fault(PX_F_UNAVAILABLE, "going back: %s", target_why(t));
        PX_TRY(r);
    }
    int r = target_is_machine(t) ? 0
                                 : target_delete_warm(t, run->o->function, qualifier, &run->arena);
    if (r < 0) return r;
    return end(run, ROLLOUT_ROLLED_BACK, "is back on the old version");
}

/* ---- proving ---- */

static int proven(struct run *run, const char *note)
{
    run->journal.state = ROLLOUT_BAKING;
    run->journal.step = 0;
    run->journal.since_s = 0;
    return tell(run, note);
}

static int turn_proving(struct run *run)
{
    struct rollout_target *t = run->o->target;
    struct px_str qualifier = px_arena_printf(&run->arena, "%lld", (long long)run->journal.to);
    struct target_warm warm;
    char reason[ROLLOUT_WHY_BYTES];
    if (!qualifier.ptr) return px_arena_fault(&run->arena);
    if (target_is_machine(t)) return proven(run, "is a definition that Step Functions took");
    if (!run->proving_ns) run->proving_ns = now_ns(run);
    int r = target_warm(t, run->o->function, qualifier, &run->arena, &warm);
    if (r == TARGET_ABSENT) {
        r = target_set_warm(t, run->o->function, qualifier, 1, &run->arena);
        /* No room for one more, or an emulator without any; the first weight will show it. */
        if (r == TARGET_REFUSED || r == TARGET_ABSENT) {
            (void)snprintf(reason, sizeof reason, "was not started beforehand: %s", target_why(t));
            return proven(run, reason);
        }
        return r != 0 ? weigh_answer(run, r, "starting an instance") : TURN_WAIT;
    }
    if (r != 0) return weigh_answer(run, r, "looking at provisioned concurrency");
    if (warm.failed) {
        (void)snprintf(reason, sizeof reason, "the new version does not start: %.*s",
                       PX_FMT(warm.reason));
        return turn_back(run, reason);
    }
    if (!warm.ready) {
        if (now_ns(run) - run->proving_ns < PROVE_S * PX_NS_PER_S) return TURN_WAIT;
        return turn_back(run, "the new version has not started in ten minutes");
    }
    r = target_delete_warm(t, run->o->function, qualifier, &run->arena);
    if (r != 0 && r != TARGET_ABSENT) return weigh_answer(run, r, "ending the trial instance");
    return proven(run, "starts");
}

/* ---- baking ---- */

static bool is_ours(const struct run *run, struct px_str subject, const struct target_alarm *alarm)
{
    const struct rollout_journal *j = &run->journal;
    bool api = px_str_eq(alarm->name_space, S("AWS/ApiGateway"));
    for (size_t i = 0; i < j->ignored_count; i++)
        if (px_str_eq(j->ignored[i], alarm->name)) return false;
    if (j->plan.alarms.len > 0 || px_str_eq(alarm->subject, subject)) return true;
    return api && !target_is_machine(run->o->target); /* no machine answers the API */
}

/* Of a local region a function goes by its name of the catalogue, also when it was named with the prefix. */
static int look_at_alarms(struct run *run, struct target_alarm *ret_first, size_t *ret_count)
{
    struct target_alarm *alarms = NULL;
    struct px_str subject = {0};
    size_t count = 0;
    *ret_count = 0;
    int r = target_subject(run->o->target, run->o->function, &run->arena, &subject);
    if (r == 0)
        r = target_alarms(run->o->target, run->journal.plan.alarms, &run->arena, &alarms, &count);
    if (r != 0) return r;
    for (size_t i = 0; i < count; i++) {
        if (!is_ours(run, subject, &alarms[i])) continue;
        if ((*ret_count)++ == 0) *ret_first = alarms[i];
    }
    return 0;
}

/* Whole periods only: the first may have begun before the weight was set. */
static struct target_window window_of(const struct run *run)
{
    int64_t period = run->journal.plan.period_s;
    return (struct target_window){
        .function = run->o->function,
        .alias = S(ROLLOUT_ALIAS),
        .from_s = (run->journal.since_s + period - 1) / period * period,
        .to_s = now_s(run) / period * period,
        .period_s = run->journal.plan.period_s,
        .quantile = run->journal.plan.limits.quantile,
        .bound_ms = run->journal.baseline.quantile_ms,
    };
}

static struct judge_side side_of(const struct target_figures *f)
{
    return (struct judge_side){.calls = f->calls,
                               .errors = f->errors,
                               .timed = f->timed,
                               .below = f->below,
                               .quantile_ms = f->quantile_ms,
                               .at_once = f->at_once};
}

/* 0: fine so far. */
static int look_at_figures(struct run *run, struct judge_side *ret_old)
{
    struct rollout_journal *j = &run->journal;
    const struct target_window window = window_of(run);
    const int64_t versions[2] = {j->from, j->to};
    char why[ROLLOUT_WHY_BYTES];
    struct target_figures *f = run->view.figures;
    f[0] = f[1] = (struct target_figures){0};
    if (window.to_s > window.from_s) {
        int r = target_figures(run->o->target, &window, versions, &run->arena, f);
        if (r != 0) return weigh_answer(run, r, "reading figures");
    }
    run->view.requests = f[1].calls;
    struct judge_side old_side = side_of(&f[0]), new_side = side_of(&f[1]);
    *ret_old = old_side;
    old_side = judge_against(&old_side, &j->baseline, new_side.calls);
    if (!judge_is_due(&run->judge, new_side.calls)) return 0;
    if (judge_look(&run->judge, &j->plan.limits, &old_side, &new_side, why, sizeof why) ==
        JUDGE_FINE)
        return 0;
    return turn_back(run, why);
}

static int set_weight(struct run *run, const struct target_alias *alias)
{
    struct rollout_journal *j = &run->journal;
    char note[64];
    const struct target_alias wanted = {.main = j->from,
                                        .other = j->to,
                                        .weight = j->plan.weights[j->step],
                                        .revision = alias->revision};
    if (alias->other != wanted.other || alias->weight != wanted.weight) {
        int r = target_set_alias(run->o->target, run->o->function, S(ROLLOUT_ALIAS), &wanted,
                                 &run->arena);
        if (r != 0) return weigh_answer(run, r, "setting the weight");
    }
    j->since_s = now_s(run);
    run->judge = (struct judge){0};
    (void)snprintf(note, sizeof note, "gets %.4g %% of the calls", wanted.weight * 100);
    return tell(run, note);
}

static int next_step(struct run *run, const struct judge_side *old_side)
{
    struct rollout_journal *j = &run->journal;
    char note[160];
    (void)snprintf(
        note, sizeof note,
        "step of %.4g %% was fine: %llu calls, %llu errors; the old version %llu and %llu",
        j->plan.weights[j->step] * 100, (unsigned long long)run->view.figures[1].calls,
        (unsigned long long)run->view.figures[1].errors, (unsigned long long)old_side->calls,
        (unsigned long long)old_side->errors);
    judge_add(&j->baseline, old_side);
    if (j->step + 1 == j->plan.count)
        j->state = ROLLOUT_FINISHING;
    else
        j->step++;
    if (j->state == ROLLOUT_BAKING) j->since_s = 0;
    return tell(run, note);
}

static int turn_baking(struct run *run, const struct target_alias *alias, bool paused)
{
    struct rollout_journal *j = &run->journal;
    struct target_alarm alarm = {0};
    struct judge_side old_side = {0};
    char reason[ROLLOUT_WHY_BYTES];
    double weight = j->plan.weights[j->step];
    if (!j->since_s) return paused ? TURN_WAIT : set_weight(run, alias);
    if (alias->other != j->to)
        return turn_back(run, "the alias's weights were taken away by somebody else");
    if (alias->weight < weight - 1e-9 || alias->weight > weight + 1e-9)
        return fail_rollout(run, "the alias's weight was changed by somebody else");
    int r = look_at_alarms(run, &alarm, &run->view.alarms);
    if (r != 0) return weigh_answer(run, r, "reading alarms");
    if (run->view.alarms > 0) {
        (void)snprintf(reason, sizeof reason, "alarm %.*s fires: %.*s", PX_FMT(alarm.name),
                       PX_FMT(alarm.reason));
        return turn_back(run, reason);
    }
    r = look_at_figures(run, &old_side);
    if (r != 0 || j->state != ROLLOUT_BAKING) return r;
    int64_t baked_s = now_s(run) - j->since_s;
    run->view.left_s = PX_MAX(j->plan.bake_s - baked_s, (int64_t)0);
    bool enough = run->view.requests >= j->plan.requests_min;
    if (baked_s >= j->plan.bake_s && enough && !paused) return next_step(run, &old_side);
    if (baked_s >= j->plan.patience_s && !enough && j->plan.quiet_goes_on && !paused)
        return next_step(run, &old_side);
    if (baked_s >= j->plan.patience_s && !enough && !j->plan.quiet_goes_on) {
        (void)snprintf(reason, sizeof reason, "only %llu of %llu calls came in %lld s",
                       (unsigned long long)run->view.requests,
                       (unsigned long long)j->plan.requests_min, (long long)baked_s);
        return turn_back(run, reason);
    }
    say(run, "");
    return TURN_WAIT;
}

/* ---- finishing ---- */

/* Old versions that nobody points to; a refusal leaves one more standing, no harm. */
static int prune(struct run *run)
{
    struct target_version *versions = NULL;
    const struct rollout_journal *j = &run->journal;
    size_t count = 0;
    if (j->plan.keep == 0) return 0;
    int r = target_versions(run->o->target, run->o->function, &run->arena, &versions, &count);
    if (r != 0) return r < 0 ? r : 0;
    for (size_t i = 0; i + j->plan.keep < count; i++) {
        if (versions[i].number == j->from || versions[i].number == j->to) continue;
        r = target_delete_version(run->o->target, run->o->function, versions[i].number,
                                  &run->arena);
        if (r < 0) return r;
    }
    return 0;
}

static int turn_finishing(struct run *run, const struct target_alias *alias)
{
    const struct target_alias wanted = {.main = run->journal.to, .revision = alias->revision};
    int r = target_set_alias(run->o->target, run->o->function, S(ROLLOUT_ALIAS), &wanted,
                             &run->arena);
    if (r != 0) return weigh_answer(run, r, "moving the alias");
    PX_TRY(prune(run));
    return end(run, ROLLOUT_DONE, "gets all calls");
}

/* ---- turns ---- */

/* A machine's alias is a list of one or two: which of them is the old version is the rollout's to know. */
static int read_alias(struct run *run, struct target_alias *ret_alias)
{
    const struct rollout_journal *j = &run->journal;
    int r = target_alias(run->o->target, run->o->function, S(ROLLOUT_ALIAS), &run->arena,
                         ret_alias);
    if (r != 0 || !target_is_machine(run->o->target)) return r;
    if (ret_alias->main == j->to && ret_alias->other == j->from) {
        ret_alias->main = j->from;
        ret_alias->other = j->to;
        ret_alias->weight = 1 - ret_alias->weight;
    }
    return 0;
}

static int turn(struct run *run)
{
    struct rollout_journal *j = &run->journal;
    struct rollout_journal_wish wish;
    struct target_alias alias;
    PX_TRY(rollout_journal_wish(run->o, &wish));
    if (wish.controller[0] && strcmp(wish.controller, run->controller) != 0) return ROLLOUT_TAKEN;
    run->view.paused = wish.paused;
    int r = read_alias(run, &alias);
    if (r > 0) return fail_rollout(run, target_why(run->o->target));
    PX_TRY(r);
    int64_t lost_ns = run->lost_ns ? now_ns(run) - run->lost_ns : 0;
    run->lost_ns = 0;
    if (j->state == ROLLOUT_RETURNING) return turn_returning(run, &alias);
    if (alias.main == j->to && !alias.other) {
        if (j->state == ROLLOUT_FINISHING) PX_TRY(prune(run));
        return end(run, ROLLOUT_DONE,
                   j->state == ROLLOUT_FINISHING ? "gets all calls"
                                                 : "was promoted by somebody else");
    }
    if (alias.main != j->from || (alias.other && alias.other != j->to))
        return fail_rollout(run, "the alias was moved by somebody else; nothing was touched");
    if (lost_ns > j->plan.contact_s * PX_NS_PER_S)
        return turn_back(run, "nobody could watch: the target was out of reach for too long");
    if (j->state == ROLLOUT_PROVING) return turn_proving(run);
    if (j->state == ROLLOUT_BAKING) return turn_baking(run, &alias, wish.paused);
    return turn_finishing(run, &alias);
}

static bool is_contact(int fault)
{
    return fault == PX_F_UNAVAILABLE || fault == PX_F_TIMEOUT || fault == PX_F_BUSY;
}

/* 0: take the turn again. Other faults than those of contact make the step fail, once they last. */
static int troubled(struct run *run, int fault)
{
    char note[ROLLOUT_WHY_BYTES - 96], text[ROLLOUT_WHY_BYTES - 128];
    struct rollout_journal *j = &run->journal;
    (void)px_fault_text(fault, text, sizeof text);
    (void)snprintf(note, sizeof note, "out of reach: %s", text);
    say(run, note);
    if (is_contact(fault)) {
        if (!run->lost_ns) run->lost_ns = now_ns(run);
        if (now_ns(run) - run->lost_ns <= 2 * j->plan.contact_s * PX_NS_PER_S) return 0;
        (void)snprintf(run->why, ROLLOUT_WHY_BYTES,
                       "%s; it stands where it stood, prism rollout resume goes on", note);
        return ROLLOUT_LOST;
    }
    if (++run->faults < FAULTS_MAX) return 0;
    if (j->state == ROLLOUT_RETURNING) return fault;
    run->faults = 0;
    (void)snprintf(note, sizeof note, "a step failed: %s", text);
    return turn_back(run, note);
}

static int outcome(struct run *run)
{
    const struct rollout_journal *j = &run->journal;
    (void)snprintf(run->why, ROLLOUT_WHY_BYTES, "%s", j->reason);
    return j->state == ROLLOUT_DONE     ? 0
           : j->state == ROLLOUT_FAILED ? ROLLOUT_REFUSED
                                        : ROLLOUT_WENT_BACK;
}

static int drive(struct run *run)
{
    for (;;) {
        if (called_off(run->o)) {
            (void)snprintf(run->why, ROLLOUT_WHY_BYTES,
                           "stopped; it stands where it stood, prism rollout resume goes on");
            return ROLLOUT_STOPPED;
        }
        int r = turn(run);
        px_arena_reset(&run->arena);
        if (r == TURN_DONE) return outcome(run);
        if (r == ROLLOUT_TAKEN) {
            (void)snprintf(run->why, ROLLOUT_WHY_BYTES, "another controller goes on with it");
            return r;
        }
        if (r < 0 && called_off(run->o)) continue;
        if (r < 0) {
            r = troubled(run, r);
            if (r != 0) return r;
            nap(run->o, run->journal.plan.poll_ms);
            continue;
        }
        run->faults = 0;
        if (r == TURN_WAIT) nap(run->o, run->journal.plan.poll_ms);
    }
}

/* ---- beginning ---- */

static void run_init(struct run *run, const struct rollout_options *options, char *why)
{
    *run = (struct run){.o = options, .why = why};
    rollout_journal_init(&run->journal, options);
    px_arena_init(&run->arena, TURN_ARENA_BYTES_MAX);
    px_uuid7(px_wall_ns(options->clock), run->controller);
    *why = 0;
}

static void run_deinit(struct run *run)
{
    rollout_journal_deinit(&run->journal);
    px_arena_deinit(&run->arena);
}

static int refuse(struct run *run, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int refuse(struct run *run, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(run->why, ROLLOUT_WHY_BYTES, fmt, args);
    va_end(args);
    return ROLLOUT_REFUSED;
}

static bool is_under_way(enum rollout_state state)
{
    return state > ROLLOUT_NONE && state < ROLLOUT_DONE;
}

static int wait_for_update(struct run *run)
{
    struct target_function function;
    for (int64_t end = now_s(run) + UPDATE_S; now_s(run) < end && !called_off(run->o);) {
        int r = target_function(run->o->target, run->o->function, &run->arena, &function);
        if (r != 0) return r > 0 ? refuse(run, "%s", target_why(run->o->target)) : r;
        if (!function.updating) return 0;
        nap(run->o, PX_MIN(run->journal.plan.poll_ms, (int64_t)2000));
    }
    return refuse(run, "the function's code was not taken in within %d s", UPDATE_S);
}

/* Code becomes a version, the same code the same version. */
static int publish(struct run *run, const struct target_code *code, int64_t *ret_version)
{
    struct rollout_target *t = run->o->target;
    say(run, "its code is taken in");
    int r = target_update(t, run->o->function, code, &run->arena);
    if (r != 0) return r > 0 ? refuse(run, "%s", target_why(t)) : r;
    r = wait_for_update(run);
    if (r == 0) r = target_publish(t, run->o->function, S(""), &run->arena, ret_version);
    if (r == ROLLOUT_REFUSED && run->why[0]) return r;
    return r > 0 ? refuse(run, "%s", target_why(t)) : r;
}

static int choose_version(struct run *run, const struct rollout_code *code, int64_t *ret_version)
{
    struct target_version *versions = NULL;
    size_t count = 0;
    if (code->code.zip.len || code->code.bucket.len || code->code.image.len ||
        code->code.definition.len)
        return publish(run, &code->code, ret_version);
    if (target_is_machine(run->o->target) && !code->version) {
        int r = target_publish(run->o->target, run->o->function, S(""), &run->arena, ret_version);
        return r > 0 ? refuse(run, "%s", target_why(run->o->target)) : r;
    }
    int r = target_versions(run->o->target, run->o->function, &run->arena, &versions, &count);
    if (r != 0) return r > 0 ? refuse(run, "%s", target_why(run->o->target)) : r;
    for (size_t i = 0; i < count; i++)
        if (versions[i].number == code->version || (!code->version && i + 1 == count)) {
            *ret_version = versions[i].number;
            return 0;
        }
    return refuse(run, "%.*s has no version %lld", PX_FMT(run->o->function),
                  (long long)code->version);
}

/* An alarm that fires says what was, minutes back: begun now, the newcomer would be taken back for it. Answers: ROLLOUT_STOPPED. */
static int await_calm(struct run *run)
{
    const struct rollout_plan *plan = &run->journal.plan;
    const int64_t until_ns = now_ns(run) + plan->calm_s * PX_NS_PER_S;
    char said[160] = "";
    while (!plan->force && now_ns(run) < until_ns) {
        struct target_alarm alarm = {0};
        char note[sizeof said] = "waits for word of the alarms";
        size_t count = 0;
        int r = look_at_alarms(run, &alarm, &count);
        if (r > 0 || (r == 0 && count == 0)) return 0; /* what is refused, check_alarms() says */
        if (r == 0)
            (void)snprintf(note, sizeof note, "waits until alarm %.*s is quiet",
                           PX_FMT(alarm.name));
        if (strcmp(note, said) != 0) say(run, note);
        memcpy(said, note, sizeof said);
        px_arena_reset(&run->arena);
        nap(run->o, plan->poll_ms);
        if (!called_off(run->o)) continue;
        (void)snprintf(run->why, ROLLOUT_WHY_BYTES, "stopped before it began");
        return ROLLOUT_STOPPED;
    }
    return 0;
}

static int check_alarms(struct run *run)
{
    struct target_alarm *alarms = NULL;
    struct rollout_journal *j = &run->journal;
    struct px_str subject = {0};
    size_t count = 0;
    int r = target_subject(run->o->target, run->o->function, &run->arena, &subject);
    if (r == 0) r = target_alarms(run->o->target, j->plan.alarms, &run->arena, &alarms, &count);
    if (r != 0) return r > 0 ? refuse(run, "%s", target_why(run->o->target)) : r;
    for (size_t i = 0; i < count; i++) {
        if (!is_ours(run, subject, &alarms[i])) continue;
        if (!j->plan.force)
            return refuse(
                run,
                "alarm %.*s fires already: %.*s (--calm waits until it is quiet; --force begins "
                "nevertheless and does not look at it)",
                PX_FMT(alarms[i].name), PX_FMT(alarms[i].reason));
        struct px_str name = px_arena_dup(&j->arena, alarms[i].name);
        if (!name.ptr) return px_arena_fault(&j->arena);
        if (j->ignored_count < JOURNAL_IGNORED_MAX) j->ignored[j->ignored_count++] = name;
    }
    return 0;
}

static int take_over(struct run *run, bool unpause)
{
    struct rollout_journal_wish wish;
    PX_TRY(rollout_journal_wish(run->o, &wish));
    if (unpause) wish.paused = false;
    (void)snprintf(wish.controller, sizeof wish.controller, "%s", run->controller);
    return rollout_journal_set_wish(run->o, &wish);
}

static int go_on(struct run *run, const char *note)
{
    PX_TRY(take_over(run, true));
    PX_TRY(tell(run, note));
    return drive(run);
}

static int begin(struct run *run, const struct rollout_plan *plan, int64_t to)
{
    struct target_alias alias;
    struct rollout_journal *j = &run->journal;
    char note[96];
    int r = target_alias(run->o->target, run->o->function, S(ROLLOUT_ALIAS), &run->arena, &alias);
    if (r != 0) return r > 0 ? refuse(run, "%s", target_why(run->o->target)) : r;
    if (alias.other)
        return refuse(run,
                      "alias " ROLLOUT_ALIAS
                      " has weights already (version %lld), and no rollout of ours is "
                      "under way",
                      (long long)alias.other);
    if (alias.main == to) {
        say(run, "is live already");
        return 0;
    }
    rollout_journal_deinit(j);
    rollout_journal_init(j, run->o);
    j->plan = *plan;
    for (size_t i = 0; target_is_machine(run->o->target) && i < j->plan.count; i++)
        j->plan.weights[i] = fmax(1, round(j->plan.weights[i] * 100)) / 100; /* whole per cents */
    j->plan.alarms = px_arena_dup(&j->arena, plan->alarms);
    j->from = alias.main;
    j->to = to;
    j->state = ROLLOUT_PROVING;
    j->began_ns = now_ns(run);
    r = await_calm(run);
    if (r == 0) r = check_alarms(run);
    if (r != 0) return r;
    (void)snprintf(note, sizeof note, "begins: version %lld after %lld", (long long)to,
                   (long long)alias.main);
    return go_on(run, note);
}

int rollout_start(const struct rollout_options *options, const struct rollout_plan *plan,
                  const struct rollout_code *code, char why[ROLLOUT_WHY_BYTES])
{
    PX_AUTO(run_deinit) struct run run;
    int64_t to = 0;
    run_init(&run, options, why);
    PX_TRY(rollout_journal_load(&run.journal));
    bool under_way = is_under_way(run.journal.state);
    if (!under_way) run.journal.plan = *plan;
    int r = choose_version(&run, code, &to);
    if (r != 0) return r;
    if (under_way && run.journal.to == to) return go_on(&run, "goes on");
    if (under_way)
        return refuse(
            &run,
            "a rollout of version %lld is under way: prism rollout resume, promote or rollback",
            (long long)run.journal.to);
    return begin(&run, plan, to);
}

int rollout_resume(const struct rollout_options *options, char why[ROLLOUT_WHY_BYTES])
{
    PX_AUTO(run_deinit) struct run run;
    run_init(&run, options, why);
    PX_TRY(rollout_journal_load(&run.journal));
    if (!is_under_way(run.journal.state)) return refuse(&run, "no rollout is under way");
    return go_on(&run, "goes on");
}

/* ---- what people want ---- */

int rollout_pause(const struct rollout_options *options, char why[ROLLOUT_WHY_BYTES])
{
    PX_AUTO(run_deinit) struct run run;
    struct rollout_journal_wish wish;
    run_init(&run, options, why);
    PX_TRY(rollout_journal_load(&run.journal));
    if (!is_under_way(run.journal.state)) return refuse(&run, "no rollout is under way");
    PX_TRY(rollout_journal_wish(options, &wish));
    wish.paused = true;
    return rollout_journal_set_wish(options, &wish);
}

int rollout_back(const struct rollout_options *options, struct px_str reason,
                 char why[ROLLOUT_WHY_BYTES])
{
    PX_AUTO(run_deinit) struct run run;
    char text[ROLLOUT_WHY_BYTES];
    run_init(&run, options, why);
    PX_TRY(rollout_journal_load(&run.journal));
    struct rollout_journal *j = &run.journal;
    if (options->only_version && j->to != options->only_version)
        return refuse(&run, "no rollout of version %lld was begun",
                      (long long)options->only_version);
    if (j->state == ROLLOUT_ROLLED_BACK) return 0;
    if (!is_under_way(j->state) && j->state != ROLLOUT_DONE)
        return refuse(&run, "there is no rollout to take back");
    (void)snprintf(text, sizeof text, "by %.*s: %.*s", PX_FMT(options->who), PX_FMT(reason));
    if (j->state == ROLLOUT_DONE) { /* only what the rollout itself left */
        struct target_alias alias;
        int r = target_alias(options->target, options->function, S(ROLLOUT_ALIAS), &run.arena,
                             &alias);
        if (r != 0) return r > 0 ? refuse(&run, "%s", target_why(options->target)) : r;
        if (alias.main == j->from && !alias.other) return 0;
        if (alias.main != j->to || alias.other)
            return refuse(&run, "alias " ROLLOUT_ALIAS " has moved on since the rollout");
    }
    PX_TRY(take_over(&run, true));
    PX_TRY(turn_back(&run, text));
    int r = drive(&run);
    return r == ROLLOUT_WENT_BACK ? 0 : r;
}

int rollout_promote(const struct rollout_options *options, char why[ROLLOUT_WHY_BYTES])
{
    PX_AUTO(run_deinit) struct run run;
    char note[128];
    run_init(&run, options, why);
    PX_TRY(rollout_journal_load(&run.journal));
    if (!is_under_way(run.journal.state) || run.journal.state == ROLLOUT_RETURNING)
        return refuse(&run, "no rollout is under way that could be promoted");
    run.journal.state = ROLLOUT_FINISHING;
    (void)snprintf(note, sizeof note, "is promoted by %.*s", PX_FMT(options->who));
    return go_on(&run, note);
}

int rollout_status(const struct rollout_options *options, struct px_buf *buf)
{
    PX_AUTO(run_deinit) struct run run;
    char why[ROLLOUT_WHY_BYTES];
    struct rollout_journal_wish wish;
    struct target_alias alias = {0};
    run_init(&run, options, why);
    PX_TRY(rollout_journal_load(&run.journal));
    PX_TRY(rollout_journal_wish(options, &wish));
    int r = target_alias(options->target, options->function, S(ROLLOUT_ALIAS), &run.arena, &alias);
    PX_TRY(r < 0 ? r : 0);
    if (run.journal.state == ROLLOUT_NONE) {
        px_buf_add_c(buf, "{\"state\":\"none\",\"function\":");
        px_buf_add_json_str(buf, options->function);
    } else {
        rollout_journal_write(&run.journal, buf);
    }
    if (target_is_machine(options->target)) px_buf_add_c(buf, ",\"machine\":true");
    px_buf_printf(buf, ",\"paused\":%s,\"alias\":", wish.paused ? "true" : "false");
    if (r > 0)
        px_buf_add_c(buf, "null}");
    else
        px_buf_printf(buf, "{\"main\":%lld,\"other\":%lld,\"weight\":%.6g}}", (long long)alias.main,
                      (long long)alias.other, alias.weight);
    return px_buf_fault(buf);
}
