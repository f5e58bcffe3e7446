/* delivery/pipeline/definition.c - stages, lists and waves, unfolded; see definition.h.
 *
 * Reading goes on behind a problem, so that one look shows all of them; what was wrong is left out of the row of steps, which
 * nobody gets to see then. */
#include "delivery/pipeline/definition.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/px_json.h"
#include "delivery/pipeline/definition_overlay.h"
#include "delivery/pipeline/signature.h"

#define TIMEOUT_S_DEFAULT 1800
#define PAUSE_S_DEFAULT 10
#define LEASE_S_DEFAULT 60
#define EXPIRES_S_DEFAULT 86400
#define DAYS_30_S (INT64_C(30) * 86400)

bool definition_name_is_ok(struct px_str name)
{
    if (name.len == 0 || name.len > 40 || name.ptr[0] == '-') return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-') return false;
    }
    return true;
}

/* ---- steps ---- */

struct spot { /* where a list of steps unfolds */
    size_t stage;
    struct px_str prefix; /* "prod/second/us-east-1" */
    struct px_str wave, region;
};

static struct definition_step *add_step(struct reading *reading)
{
    struct definition *d = reading->definition;
    if (d->step_count == DEFINITION_STEPS_MAX) {
        definition_problem(reading, S("stages"), "more than %d steps; split the pipeline",
                           DEFINITION_STEPS_MAX);
        return NULL;
    }
    if (d->step_count == reading->step_cap) {
        size_t cap = reading->step_cap ? 2 * reading->step_cap : 64;
        void *steps = px_arena_realloc(
            reading->arena, d->steps, reading->step_cap * sizeof *d->steps, cap * sizeof *d->steps);
        if (!steps) {
            reading->fault = px_arena_fault(reading->arena);
            return NULL;
        }
        d->steps = steps;
        reading->step_cap = cap;
    }
    d->steps[d->step_count] = (struct definition_step){0};
    return &d->steps[d->step_count++];
}

static void read_undo(struct reading *reading, yyjson_val *undo, struct px_str place,
                      struct definition_step *step)
{
    static const char *const known[] = {"action", "with", "timeout_s", "attempts", "pause_s", NULL};
    struct px_str at = definition_place(reading, "%.*s.undo", PX_FMT(place));
    if (!undo) return;
    step->undo_by_hand = px_json_val_str(undo);
    if (step->undo_by_hand.len > 0) return;
    if (!yyjson_is_obj(undo))
        definition_problem(reading, at,
                           "must be an object with an action that takes the step back, or a "
                           "text that tells a person what to do");
    else
        definition_read_act(reading, undo, at,
                            definition_place(reading, "%.*s!undo", PX_FMT(step->path)), known,
                            &step->undo);
}

/* What an ACTION_STEP names must stand before it. */
static void check_steps_named(struct reading *reading, size_t at, struct px_str place)
{
    const struct definition_step *step = &reading->definition->steps[at];
    const struct action *action = step->act.action;
    for (size_t i = 0; action && i < action->field_count; i++) {
        if (action->fields[i].kind != ACTION_STEP) continue;
        struct px_str name = px_json_str(step->act.with, action->fields[i].name);
        if (name.len > 0 && definition_step_before(reading->definition, at, name) == SIZE_MAX)
            definition_problem(
                reading,
                definition_place(reading, "%.*s.with.%s", PX_FMT(place), action->fields[i].name),
                "no step '%.*s' stands before it in its list or in the stage's steps",
                PX_FMT(name));
    }
}

static bool is_taken(const struct definition *d, struct px_str path, size_t before)
{
    for (size_t i = 0; i < before; i++)
        if (px_str_eq(d->steps[i].path, path)) return true;
    return false;
}

static void read_step(struct reading *reading, yyjson_val *val, struct px_str place,
                      const struct spot *spot)
{
    static const char *const known[] = {"name",    "action", "with",     "timeout_s", "attempts",
                                        "pause_s", "undo",   "$comment", NULL};
    struct px_str name = px_json_str(val, "name");
    if (!yyjson_is_obj(val)) {
        definition_problem(reading, place, "must be an object with a name and an action");
        return;
    }
    if (!definition_name_is_ok(name) || px_str_eq(name, S("bake"))) {
        definition_problem(
            reading, definition_place(reading, "%.*s.name", PX_FMT(place)),
            "must be a name of small letters, digits and '-', and not 'bake', which the "
            "engine puts behind each wave");
        return;
    }
    struct definition_step *step = add_step(reading);
    if (!step) return;
    *step = (struct definition_step){
        .name = name, .wave = spot->wave, .region = spot->region, .stage = spot->stage};
    step->path = definition_place(reading, "%.*s/%.*s", PX_FMT(spot->prefix), PX_FMT(name));
    if (is_taken(reading->definition, step->path, reading->definition->step_count - 1))
        definition_problem(reading, place, "a second step '%.*s' (%.*s); rename one", PX_FMT(name),
                           PX_FMT(step->path));
    definition_read_act(reading, val, place, step->path, known, &step->act);
    if (definition_overlay_skips(reading, step->path, place, step->act.action)) {
        reading->overlay_took = true;
        reading->definition->step_count--;
        return;
    }
    read_undo(reading, yyjson_obj_get(val, "undo"), place, step);
    check_steps_named(reading, reading->definition->step_count - 1, place);
}

/* A list in place, or the name of one. */
static void read_list(struct reading *reading, yyjson_val *list, struct px_str place,
                      const struct spot *spot)
{
    size_t i, max;
    yyjson_val *val;
    struct px_str name = px_json_val_str(list);
    if (!list) return;
    if (name.ptr) {
        list = yyjson_obj_getn(reading->lists, name.ptr, name.len);
        if (!list) {
            definition_problem(reading, place, "there is no list '%.*s' in lists", PX_FMT(name));
            return;
        }
        place = definition_place(reading, "lists.%.*s", PX_FMT(name));
    }
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) == 0) {
        definition_problem(reading, place,
                           "must be an array of steps, or the name of one in lists");
        return;
    }
    yyjson_arr_foreach(list, i, max, val)
        read_step(reading, val, definition_place(reading, "%.*s[%zu]", PX_FMT(place), i), spot);
}

/* ---- waves ---- */

/* The step that a wave ends with: time, and requests, and alarms. */
static void add_bake(struct reading *reading, yyjson_val *wave, struct px_str place,
                     const struct spot *spot)
{
    yyjson_val *bake = yyjson_obj_get(wave, "bake");
    struct px_str at = definition_place(reading, "%.*s.bake", PX_FMT(place));
    const struct action *wait = action_find(reading->actions, S("wait"));
    if (!yyjson_is_obj(bake)) {
        definition_problem(
            reading, at,
            "must be an object, at least {\"time_s\": N}: a wave is looked at before the next one begins");
        return;
    }
    struct definition_step *step = wait ? add_step(reading) : NULL;
    if (!step) return;
    *step = (struct definition_step){.name = S("bake"), .wave = spot->wave, .stage = spot->stage};
    step->path = definition_place(reading, "%.*s/bake", PX_FMT(spot->prefix));
    if (definition_overlay_skips(reading, step->path, at, wait)) return;
    bake = definition_overlay_with(reading, step->path, wait, bake);
    step->act = (struct definition_act){.action = wait, .with = bake, .attempts = 1};
    step->act.timeout_s = px_json_i64(bake, "time_s", 0) +
                          px_json_i64(bake, "patience_s", DAYS_30_S);
    step->regions = px_json_arr(wave, "regions");
    definition_check_with(reading, wait, bake, at);
    bool counts = px_json_i64(bake, "requests_min", 0) > 0, alarms = px_json_arr(bake, "alarms");
    if (yyjson_obj_get(bake, "figures") || (!counts && !alarms)) return;
    if (!reading->actions->figures)
        definition_problem(
            reading, at,
            "nothing tells requests and alarms; give figures, a program that prints them");
    else if (counts && !yyjson_obj_get(bake, "requests_of"))
        definition_problem(
            reading, at,
            "requests_min wants to know whose: give requests_of, [\"<region>/<function>\"], or figures");
}

/* The regions of a wave: names, each once in the stage. */
static size_t check_regions(struct reading *reading, yyjson_val *regions, struct px_str place,
                            yyjson_val *waves)
{
    size_t i, max, w, wave_max, times;
    yyjson_val *val, *wave;
    if (!yyjson_is_arr(regions) || yyjson_arr_size(regions) == 0) {
        definition_problem(reading, place, "must be an array of region names, at least one");
        return 0;
    }
    yyjson_arr_foreach(regions, i, max, val)
    {
        struct px_str name = px_json_val_str(val);
        if (!definition_name_is_ok(name)) {
            definition_problem(reading, definition_place(reading, "%.*s[%zu]", PX_FMT(place), i),
                               "must be a region's name, such as eu-west-1");
            continue;
        }
        times = 0;
        yyjson_arr_foreach(waves, w, wave_max, wave)
        {
            size_t r, r_max;
            yyjson_val *other;
            px_json_arr_foreach(px_json_arr(wave, "regions"), r, r_max, other)
                times += px_str_eq(px_json_val_str(other), name);
        }
        if (times > 1)
            definition_problem(reading, definition_place(reading, "%.*s[%zu]", PX_FMT(place), i),
                               "region '%.*s' is in the stage's waves %zu times; name it once",
                               PX_FMT(name), times);
    }
    return yyjson_arr_size(regions);
}

static void read_wave(struct reading *reading, yyjson_val *stage, yyjson_val *wave,
                      struct px_str place, struct spot spot)
{
    static const char *const known[] = {"name",         "regions",  "bake",
                                        "region_steps", "$comment", NULL};
    size_t i, max;
    yyjson_val *val, *own = yyjson_obj_get(wave, "region_steps"); /* else the stage's */
    yyjson_val *steps = own ? own : yyjson_obj_get(stage, "region_steps");
    struct px_str prefix = spot.prefix;
    spot.wave = px_json_str(wave, "name");
    if (!definition_check_members(reading, wave, place, known)) return;
    if (!definition_name_is_ok(spot.wave)) {
        definition_problem(reading, definition_place(reading, "%.*s.name", PX_FMT(place)),
                           "must be a name of small letters, digits and '-'");
        return;
    }
    spot.prefix = definition_place(reading, "%.*s/%.*s", PX_FMT(prefix), PX_FMT(spot.wave));
    struct spot of_wave = spot;
    px_json_arr_foreach(px_json_arr(wave, "regions"), i, max, val)
    {
        spot.region = px_json_val_str(val);
        if (!definition_name_is_ok(spot.region)) continue;
        spot.prefix = definition_place(reading, "%.*s/%.*s", PX_FMT(of_wave.prefix),
                                       PX_FMT(spot.region));
        read_list(reading, steps, S("region_steps"), &spot);
    }
    add_bake(reading, wave, place, &of_wave);
}

/* First one small region, then never fewer than before.
 * https://aws.amazon.com/builders-library/automating-safe-hands-off-deployments/ */
static void read_waves(struct reading *reading, yyjson_val *stage, struct px_str place,
                       const struct spot *spot)
{
    yyjson_val *waves = yyjson_obj_get(stage, "waves"), *wave;
    size_t i, max, before = 1;
    struct px_str at = definition_place(reading, "%.*s.waves", PX_FMT(place));
    yyjson_val *steps = yyjson_obj_get(stage, "region_steps");
    for (i = 0, max = waves ? yyjson_arr_size(waves) : 0; !steps && i < max; i++)
        steps = yyjson_obj_get(yyjson_arr_get(waves, i), "region_steps");
    if (!waves != !steps) {
        definition_problem(
            reading, place,
            "waves and region_steps go together: which regions, and what is done in each");
        return;
    }
    if (!waves) return;
    if (!yyjson_is_arr(waves) || yyjson_arr_size(waves) == 0) {
        definition_problem(reading, at, "must be an array of waves, at least one");
        return;
    }
    yyjson_arr_foreach(waves, i, max, wave)
    {
        struct px_str here = definition_place(reading, "%.*s[%zu]", PX_FMT(at), i);
        struct px_str list = definition_place(reading, "%.*s.regions", PX_FMT(here));
        size_t count = check_regions(reading, yyjson_obj_get(wave, "regions"), list, waves);
        if (i == 0 && count > 1)
            definition_problem(reading, list,
                               "the first wave has %zu regions; begin with one, the smallest",
                               count);
        else if (count > 0 && count < before)
            definition_problem(reading, list, "fewer regions than the wave before; waves grow");
        before = PX_MAX(before, count);
        read_wave(reading, stage, wave, here, *spot);
    }
}

/* ---- stages ---- */

static const struct definition_environment *environment_of(struct reading *reading,
                                                           yyjson_val *stage, struct px_str place)
{
    const struct definition *d = reading->definition;
    yyjson_val *val = yyjson_obj_get(stage, "environment");
    struct px_str name = px_json_val_str(val);
    if (!val) return NULL;
    for (size_t i = 0; i < d->environment_count; i++)
        if (px_str_eq(d->environments[i].name, name)) return &d->environments[i];
    definition_problem(reading, definition_place(reading, "%.*s.environment", PX_FMT(place)),
                       "must be one of environments; there is no '%.*s'", PX_FMT(name));
    return NULL;
}

static enum definition_delivers delivers_of(struct reading *reading, yyjson_val *stage,
                                            struct px_str place)
{
    static const char *const words[] = {"whole", "part", "nothing"};
    yyjson_val *val = yyjson_obj_get(stage, "delivers");
    for (size_t i = 0; val && i < PX_COUNT(words); i++)
        if (px_str_eq(px_json_val_str(val), px_str_c(words[i]))) return (enum definition_delivers)i;
    if (val)
        definition_problem(reading, definition_place(reading, "%.*s.delivers", PX_FMT(place)),
                           "must be one of: whole part nothing");
    return DEFINITION_WHOLE;
}

static void read_stage(struct reading *reading, yyjson_val *val, size_t index)
{
    static const char *const known[] = {"name",         "environment", "steps",
                                        "region_steps", "waves",       "end_steps",
                                        "delivers",     "$comment",    NULL};
    struct px_str place = definition_place(reading, "stages[%zu]", index);
    struct definition *d = reading->definition;
    struct definition_stage *stage = &d->stages[d->stage_count];
    if (!definition_check_members(reading, val, place, known)) return;
    *stage = (struct definition_stage){.name = px_json_str(val, "name"), .first = d->step_count};
    if (!definition_name_is_ok(stage->name)) {
        definition_problem(reading, definition_place(reading, "%.*s.name", PX_FMT(place)),
                           "must be a name of small letters, digits and '-'");
        return;
    }
    for (size_t i = 0; i < d->stage_count; i++)
        if (px_str_eq(d->stages[i].name, stage->name))
            definition_problem(reading, place, "a second stage '%.*s'; rename one",
                               PX_FMT(stage->name));
    stage->environment = environment_of(reading, val, place);
    stage->delivers = delivers_of(reading, val, place);
    const struct spot spot = {.stage = d->stage_count, .prefix = stage->name};
    reading->overlay_took = false;
    d->stage_count++;
    read_list(reading, yyjson_obj_get(val, "steps"),
              definition_place(reading, "%.*s.steps", PX_FMT(place)), &spot);
    read_waves(reading, val, place, &spot);
    read_list(reading, yyjson_obj_get(val, "end_steps"),
              definition_place(reading, "%.*s.end_steps", PX_FMT(place)), &spot);
    stage->count = d->step_count - stage->first;
    if (stage->count == 0 && reading->overlay_took)
        d->stage_count--;
    else if (stage->count == 0)
        definition_problem(reading, place, "has no steps; give it steps or take it out");
}

static void read_stages(struct reading *reading, yyjson_val *stages)
{
    size_t i, max;
    yyjson_val *val;
    struct definition *d = reading->definition;
    if (!yyjson_is_arr(stages) || yyjson_arr_size(stages) == 0) {
        definition_problem(reading, S("stages"), "must be an array of stages, at least one");
        return;
    }
    d->stages = px_arena_array(reading->arena, struct definition_stage, yyjson_arr_size(stages));
    if (!d->stages) {
        reading->fault = px_arena_fault(reading->arena);
        return;
    }
    yyjson_arr_foreach(stages, i, max, val) read_stage(reading, val, i);
}

/* ---- environments ---- */

static void read_approval(struct reading *reading, yyjson_val *approval, struct px_str place,
                          struct definition_environment *environment)
{
    static const char *const known[] = {"by_starter", "expires_s", "approvers", NULL};
    static const struct definition_number expires = {"expires_s", 60, DAYS_30_S, EXPIRES_S_DEFAULT};
    environment->expires_s = EXPIRES_S_DEFAULT;
    if (!approval || !definition_check_members(reading, approval, place, known)) return;
    yyjson_val *by_starter = yyjson_obj_get(approval, "by_starter");
    if (by_starter && !yyjson_is_bool(by_starter))
        definition_problem(reading, definition_place(reading, "%.*s.by_starter", PX_FMT(place)),
                           "must be true or false");
    environment->by_starter = yyjson_get_bool(by_starter);
    environment->expires_s = definition_number(reading, approval, place, &expires);
    environment->approvers = yyjson_obj_get(approval, "approvers");
    if (environment->approvers &&
        (!yyjson_is_arr(environment->approvers) || yyjson_arr_size(environment->approvers) == 0))
        definition_problem(reading, definition_place(reading, "%.*s.approvers", PX_FMT(place)),
                           "must be an array of who may approve; leave it out when anybody may");
}

static void read_signers(struct reading *reading, yyjson_val *signers, struct px_str place,
                         struct definition_environment *environment)
{
    uint8_t key[SIGNATURE_KEY_BYTES];
    size_t i, max;
    yyjson_val *val;
    struct px_str at = definition_place(reading, "%.*s.signers", PX_FMT(place));
    if (!signers) return;
    environment->signers = signers;
    if (!yyjson_is_arr(signers) || yyjson_arr_size(signers) == 0) {
        definition_problem(reading, at, "must be an array of public keys, at least one");
        return;
    }
    yyjson_arr_foreach(signers, i, max, val) if (signature_key(px_json_val_str(val), key) != 0)
        definition_problem(reading, definition_place(reading, "%.*s[%zu]", PX_FMT(at), i),
                           "is no public key of Ed25519: what openssl pkey -pubout prints, without "
                           "its first and last line");
}

static void read_environments(struct reading *reading, yyjson_val *environments)
{
    static const char *const known[] = {"approval", "signers", "$comment", NULL};
    size_t i, max;
    yyjson_val *key, *val;
    struct definition *d = reading->definition;
    if (!environments) return;
    if (!yyjson_is_obj(environments)) {
        definition_problem(reading, S("environments"), "must be an object, {\"dev\": {...}}");
        return;
    }
    d->environments = px_arena_array(reading->arena, struct definition_environment,
                                     yyjson_obj_size(environments) + 1);
    if (!d->environments) {
        reading->fault = px_arena_fault(reading->arena);
        return;
    }
    yyjson_obj_foreach(environments, i, max, key, val)
    {
        struct px_str name = px_json_val_str(key);
        struct px_str place = definition_place(reading, "environments.%.*s", PX_FMT(name));
        struct definition_environment *environment = &d->environments[d->environment_count++];
        *environment = (struct definition_environment){.name = name};
        if (!definition_name_is_ok(name))
            definition_problem(reading, place, "is no name of small letters, digits and '-'");
        read_signers(reading, yyjson_is_obj(val) ? yyjson_obj_get(val, "signers") : NULL, place,
                     environment);
        if (definition_check_members(reading, val, place, known))
            read_approval(reading, yyjson_obj_get(val, "approval"),
                          definition_place(reading, "%.*s.approval", PX_FMT(place)), environment);
    }
}

/* ---- the store ---- */

/* infra/global makes the bucket of it, and `prism verify` looks whether it does; here it only has to be whole. */
static void read_store(struct reading *reading, yyjson_val *store)
{
    static const char *const known[] = {"environment", "name", "prefix", "$comment", NULL};
    const struct definition *d = reading->definition;
    bool there = false;
    if (!store || !definition_check_members(reading, store, S("store"), known)) return;
    struct px_str environment = px_json_str(store, "environment");
    for (size_t i = 0; i < d->environment_count; i++)
        there = there || px_str_eq(d->environments[i].name, environment);
    if (!there)
        definition_problem(reading, S("store.environment"),
                           "must be one of `environments`, whose global stack makes the bucket");
    if (!definition_name_is_ok(px_json_str(store, "name")))
        definition_problem(reading, S("store.name"),
                           "must be a name of small letters, digits and '-'");
    if (!definition_name_is_ok(px_json_str(store, "prefix")))
        definition_problem(reading, S("store.prefix"),
                           "must be a name of small letters, digits and '-'");
}

/* ---- the whole ---- */

static void read_defaults(struct reading *reading, yyjson_val *root)
{
    static const char *const known[] = {"timeout_s", "attempts", "pause_s", NULL};
    static const struct definition_number timeout = {"timeout_s", 1, DAYS_30_S, TIMEOUT_S_DEFAULT},
                                          attempts = {"attempts", 1, 10, 1},
                                          pause = {"pause_s", 0, 3600, PAUSE_S_DEFAULT},
                                          lease = {"lease_s", 3, 3600, LEASE_S_DEFAULT};
    yyjson_val *defaults = yyjson_obj_get(root, "defaults");
    if (defaults) (void)definition_check_members(reading, defaults, S("defaults"), known);
    reading->timeout_s = definition_number(reading, defaults, S("defaults"), &timeout);
    reading->attempts = definition_number(reading, defaults, S("defaults"), &attempts);
    reading->pause_s = definition_number(reading, defaults, S("defaults"), &pause);
    reading->definition->lease_s = definition_number(reading, root, S("pipeline"), &lease);
}

static void read_root(struct reading *reading, yyjson_val *root)
{
    static const char *const known[] = {"$comment", "$schema",      "version", "lease_s",
                                        "defaults", "environments", "lists",   "stages",
                                        "overlay",  "store",        NULL};
    if (!definition_check_members(reading, root, S("pipeline"), known)) return;
    if (px_json_i64(root, "version", 0) != 1)
        definition_problem(reading, S("version"), "must be 1, the only version that there is");
    reading->lists = yyjson_obj_get(root, "lists");
    if (reading->lists && !yyjson_is_obj(reading->lists))
        definition_problem(reading, S("lists"), "must be an object, {\"NAME\": [step, ...]}");
    read_defaults(reading, root);
    read_environments(reading, yyjson_obj_get(root, "environments"));
    read_store(reading, yyjson_obj_get(root, "store"));
    reading->overlay = yyjson_obj_get(root, "overlay");
    definition_overlay_check(reading);
    read_stages(reading, yyjson_obj_get(root, "stages"));
    definition_overlay_check_used(reading);
}

int definition_read(struct px_str text, const char *file, const struct action_table *actions,
                    struct px_arena *arena, struct px_buf *problems,
                    struct definition *ret_definition)
{
    struct definition definition = {0};
    struct reading reading = {.file = file,
                              .actions = actions,
                              .arena = arena,
                              .problems = problems,
                              .definition = &definition};
    struct px_where where = {0};
    yyjson_val *root = NULL;
    int r = px_json_parse(text, arena, &root, &where);
    if (r == PX_JSON_INVALID) {
        px_buf_printf(problems, "%s:%zu: no JSON: %s\n", file,
                      definition_line_of(text, where.offset), where.expected);
        return DEFINITION_INVALID;
    }
    PX_TRY(r);
    read_root(&reading, root);
    if (reading.fault != 0) return px_fold(reading.fault, __FILE__, __LINE__);
    if (reading.problem_count > 0) return DEFINITION_INVALID;
    *ret_definition = definition;
    return 0;
}

size_t definition_step_before(const struct definition *definition, size_t at, struct px_str name)
{
    const struct definition_step *step = &definition->steps[at];
    for (size_t i = at; i-- > 0;) {
        const struct definition_step *other = &definition->steps[i];
        if (other->stage != step->stage) break;
        bool same_place = px_str_eq(other->region, step->region) &&
                          px_str_eq(other->wave, step->wave);
        if (px_str_eq(other->name, name) && (same_place || other->wave.len == 0)) return i;
    }
    return SIZE_MAX;
}
