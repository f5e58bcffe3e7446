/* delivery/pipeline/rollback_find.c - which units go back, and to which of their records. */
#include "base/px_json.h"
#include "delivery/pipeline/rollback.h"

static int refuse_list(struct rollback *back, const char *fmt, struct px_str name,
                       struct px_str list)
{
    engine_say(back->pipeline, fmt, PX_FMT(name), PX_FMT(back->environment), PX_FMT(list));
    return PIPELINE_REFUSED;
}

/* ---- units ---- */

static bool is_action(const struct definition_step *step, const char *name)
{
    return px_str_eq(px_str_c(step->act.action->name), px_str_c(name));
}

static bool same_place(const struct definition_step *a, const struct definition_step *b)
{
    return a->stage == b->stage && px_str_eq(a->wave, b->wave) && px_str_eq(a->region, b->region);
}

/* The step of that action that works on what `plan` planned, or behind it in the same region. */
static const struct definition_step *step_behind(const struct rollback *back,
                                                 const struct definition_step *plan,
                                                 const char *action)
{
    const struct definition *d = back->definition;
    for (const struct definition_step *step = plan; step < d->steps + d->step_count; step++) {
        struct px_str of = px_json_str(step->act.with, "plan");
        if (!same_place(step, plan) || !is_action(step, action)) continue;
        if (of.len == 0 || px_str_eq(of, plan->name)) return step;
    }
    return NULL;
}

static int add_unit(struct rollback *back, const struct definition_step *plan)
{
    struct px_str stack = px_json_str(plan->act.with, "stack");
    bool is_region = px_str_eq(stack, S("region"));
    struct rollback_unit *unit = &back->units[back->count];
    *unit = (struct rollback_unit){.name = is_region ? plan->region : stack,
                                   .is_region = is_region,
                                   .plan = plan,
                                   .apply = step_behind(back, plan, "terraform-apply"),
                                   .rollout = is_region ? step_behind(back, plan, "rollout")
                                                        : NULL};
    if (!unit->apply || unit->name.len == 0) return 0;
    const struct deployed_unit at = {back->environment, unit->name};
    PX_TRY(deployed_head_read(&back->shelf, &at, back->arena, &unit->head));
    if (unit->head.record == 0 && unit->head.begun == 0) return 0; /* nothing ever stood there */
    if (back->count + 1 == ROLLBACK_UNITS_MAX)
        return px_fault(PX_F_LIMIT, "more than %d stacks", ROLLBACK_UNITS_MAX);
    back->count++;
    return 0;
}

static int find_units(struct rollback *back, struct px_str environment)
{
    const struct definition *d = back->definition;
    back->environment = environment;
    back->count = 0;
    for (size_t i = 0; i < d->step_count; i++) {
        const struct definition_stage *stage = &d->stages[d->steps[i].stage];
        bool ours = stage->environment && px_str_eq(stage->environment->name, environment);
        if (ours && is_action(&d->steps[i], "terraform-plan")) PX_TRY(add_unit(back, &d->steps[i]));
    }
    return 0;
}

static int find_environment(struct rollback *back)
{
    const struct definition *d = back->definition;
    struct px_str found = {0};
    size_t count = 0;
    for (size_t i = 0; i < d->environment_count; i++) {
        struct px_str name = d->environments[i].name;
        if (back->way->environment.len > 0 && !px_str_eq(name, back->way->environment)) continue;
        PX_TRY(find_units(back, name));
        if (back->count == 0) continue;
        found = name;
        count++;
    }
    if (count == 1) return find_units(back, found);
    if (count > 1) {
        engine_say(back->pipeline, "which environment? give --environment");
        return PIPELINE_REFUSED;
    }
    struct px_str wanted = back->way->environment;
    engine_say(back->pipeline,
               wanted.len > 0 ? "nothing was delivered to environment %.*s by this pipeline yet"
                              : "nothing was delivered by this pipeline yet%.*s",
               PX_FMT(wanted));
    return PIPELINE_NONE;
}

/* Only the regions that were asked for. */
static int pick_regions(struct rollback *back)
{
    const struct pipeline_way_back *way = back->way;
    struct px_str list = S("");
    size_t picked = 0;
    back->whole = way->region_count == 0;
    if (back->whole) return 0;
    for (size_t i = 0; i < back->count; i++) {
        const char *sep = list.len > 0 ? ", " : "";
        if (!back->units[i].is_region) continue;
        list = px_arena_printf(back->arena, "%.*s%s%.*s", PX_FMT(list), sep,
                               PX_FMT(back->units[i].name));
        if (!list.ptr) return px_arena_fault(back->arena);
    }
    for (size_t w = 0; w < way->region_count; w++) {
        size_t i = 0;
        while (i < back->count &&
               !(back->units[i].is_region && px_str_eq(back->units[i].name, way->regions[w])))
            i++;
        if (i == back->count)
            return refuse_list(
                back,
                "nothing was delivered to region %.*s of %.*s by this pipeline; there are %.*s",
                way->regions[w], list);
    }
    for (size_t i = 0; i < back->count; i++)
        for (size_t w = 0; w < way->region_count; w++) {
            if (!back->units[i].is_region || !px_str_eq(back->units[i].name, way->regions[w]))
                continue;
            back->units[picked++] = back->units[i];
            break;
        }
    back->count = picked;
    return 0;
}

/* ---- releases ---- */

static int find_what_stands(struct rollback *back, struct rollback_unit *unit)
{
    const struct deployed_unit at = {back->environment, unit->name};
    struct deployed_record record = {.run = 0};
    if (unit->head.record != 0)
        PX_TRY(deployed_record_read(&back->shelf, &at, unit->head.record, back->arena, &record));
    unit->has = unit->head.begun ? unit->head.begun_release : record.release.id;
    unit->has_run = unit->head.begun ? unit->head.begun : unit->head.record;
    return 0;
}

/* The release that stood in a unit before another one: down the chain of its records. Empty: none. */
static int release_before(struct rollback *back, const struct rollback_unit *unit,
                          struct px_str *ret_id)
{
    const struct deployed_unit at = {back->environment, unit->name};
    struct deployed_record record;
    *ret_id = px_str(NULL, 0);
    for (uint32_t run = unit->head.record; run != 0; run = record.before) {
        PX_TRY(deployed_record_read(&back->shelf, &at, run, back->arena, &record));
        if (px_str_eq(record.release.id, unit->has)) continue;
        *ret_id = record.release.id;
        return 0;
    }
    return 0;
}

/* What the environment has as a whole, when a unit has another one; else what the first unit had before. */
static int choose_release(struct rollback *back, struct px_str *ret_id)
{
    struct px_str whole = back->stands.release.id;
    *ret_id = back->way->to;
    if (back->way->to.len > 0) return 0;
    for (size_t i = 0; whole.len > 0 && i < back->count; i++) {
        if (px_str_eq(back->units[i].has, whole)) continue;
        *ret_id = whole;
        return 0;
    }
    PX_TRY(release_before(back, &back->units[0], ret_id));
    if (ret_id->len > 0) return 0;
    engine_say(back->pipeline, "%.*s is the first release of %.*s: there is none before it",
               PX_FMT(back->units[0].has), PX_FMT(back->environment));
    return PIPELINE_REFUSED;
}

static int list_releases(struct rollback *back, const struct rollback_unit *unit,
                         struct px_str *ret_list)
{
    const struct deployed_unit at = {back->environment, unit->name};
    struct deployed_record record;
    struct px_str list = S(""), last = {0};
    for (size_t i = unit->head.run_count; i-- > 0;) {
        PX_TRY(deployed_record_read(&back->shelf, &at, unit->head.runs[i], back->arena, &record));
        if (px_str_eq(record.release.id, last)) continue;
        last = record.release.id;
        list = px_arena_printf(back->arena, "%.*s%s%.*s (run %u)", PX_FMT(list),
                               list.len > 0 ? ", " : "", PX_FMT(last), record.run);
        if (!list.ptr) return px_arena_fault(back->arena);
    }
    *ret_list = list.len > 0 ? list : S("none");
    return 0;
}

static int find_target(struct rollback *back, struct rollback_unit *unit, struct px_str release)
{
    const struct deployed_unit at = {back->environment, unit->name};
    struct px_str list = {0};
    uint32_t before = 0;
    int r = deployed_find(&back->shelf, &at, &unit->head, release, back->arena, &unit->target);
    if (r == OBJECT_ABSENT) {
        PX_TRY(list_releases(back, unit, &list));
        engine_say(back->pipeline, "%.*s of %.*s never had release %.*s; it had %.*s",
                   PX_FMT(unit->name), PX_FMT(back->environment), PX_FMT(release), PX_FMT(list));
        return PIPELINE_REFUSED;
    }
    PX_TRY(r);
    PX_TRY(deployed_before(&back->shelf, &at, &unit->head, unit->has_run, back->arena, &before));
    unit->next = before == unit->target.run;
    return 0;
}

int rollback_find(struct rollback *back)
{
    struct px_str release;
    bool differs = false;
    back->units = px_arena_array(back->arena, struct rollback_unit, ROLLBACK_UNITS_MAX);
    if (!back->units) return px_arena_fault(back->arena);
    int r = find_environment(back);
    if (r == 0) r = pick_regions(back);
    if (r != 0) return r;
    PX_TRY(environment_read(back->pipeline->store, back->environment, back->arena, &back->stands));
    for (size_t i = 0; i < back->count; i++) PX_TRY(find_what_stands(back, &back->units[i]));
    r = choose_release(back, &release);
    for (size_t i = 0; r == 0 && i < back->count; i++) {
        r = find_target(back, &back->units[i], release);
        if (r != 0) return r;
        release = back->units[i].target.release.id; /* whole from now on */
        differs |= !px_str_eq(release, back->units[i].has) || back->units[i].head.begun != 0;
    }
    if (r != 0 || differs) return r;
    engine_say(back->pipeline, "release %.*s stands there already; nothing was done",
               PX_FMT(release));
    return PIPELINE_NONE;
}
