/* delivery/pipeline/action_rollout.c - see action_rollout.h. One thread a function or state machine, because each waits for its own calls;
 * they share nothing but a flag that calls them off.
 *
 * What is rolled out is written down before (rollout.json of the step), so that going back knows it, whatever happened in between. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/px_json.h"
#include "delivery/pipeline/action_rollout.h"
#include "delivery/pipeline/deployed.h"
#include "delivery/pipeline/rollout_release.h"
#include "delivery/rollout/rollout.h"

#define FUNCTIONS_MAX 64
#define LIST_BYTES_MAX ((size_t)64 << 10)
#define LOOK_MS 500
#define CALM_S 1200 /* machines' alarms look five minutes back, others fifteen */
#define LIST "rollout.json"
#define UNDO "!undo"

static const struct action_field fields[] = {
    {"prefix", ACTION_TEXT, false, 0, 0,
     NULL}, /* of functions' and machines' names; of a region's socket all may be meant */
    {"store", ACTION_TEXT, false, 0, 0,
     NULL}, /* of the journals; else PRISM_ROLLOUT_STORE, else .prism/delivery */
    {"endpoint", ACTION_TEXT, false, 0, 0,
     NULL}, /* of Lambda, Step Functions and CloudWatch, for an emulator or a region's socket */
    {"bake_s", ACTION_NUMBER, false, 0, 604800, NULL},
    {"requests_min", ACTION_NUMBER, false, 0, 0, NULL},
    {"quiet_s", ACTION_NUMBER, false, 0, 604800,
     NULL}, /* a step without those requests goes on after that */
    {"slower_percent", ACTION_NUMBER, false, 0, 100000, NULL}, /* that a p90 may be */
    {"alarms", ACTION_TEXT, false, 0, 0, NULL},                /* prefix of names */
    {"publish", ACTION_BOOL, false, 0, 0,
     NULL}, /* the release's ZIPs become versions first: in a region's socket, which no Terraform deploys to */
    {"calm_s", ACTION_NUMBER, false, 0, 86400,
     NULL}, /* while alarms fire it waits so long for the beginning */
    {"force", ACTION_BOOL, false, 0, 0,
     NULL}, /* begin although alarms fire, and do not look at those */
};
static const struct action_field back_fields[] = {
    {"prefix", ACTION_TEXT, false, 0, 0, NULL},        {"store", ACTION_TEXT, false, 0, 0, NULL},
    {"endpoint", ACTION_TEXT, false, 0, 0, NULL},      {"reason", ACTION_TEXT, false, 0, 0, NULL},
    {"of_run", ACTION_NUMBER, false, 1, 999999, NULL}, /* what that run rolled out, not this one */
};

/* One function or machine. */
struct part {
    pthread_t thread;
    struct group *group;
    struct px_str name;
    bool is_machine;
    int64_t version;
    struct cloud_shared cloud; /* a client belongs to the thread that opens it */
    struct rollout_target *target;
    struct object_store *store;
    int answer;
    _Atomic bool over;
    _Atomic int percent;
    char why[ROLLOUT_WHY_BYTES];
};
struct group {
    struct action_context *ctx;
    yyjson_val *with;
    struct rollout_plan plan;
    struct px_str reason;
    struct release_codes codes;
    _Atomic bool called_off;
    struct part parts[FUNCTIONS_MAX];
    size_t count;
};

static struct px_str store_of(const struct group *g)
{
    struct px_str given = px_json_str(g->with, "store");
    const char *set = getenv("PRISM_ROLLOUT_STORE");
    return given.len ? given : px_str_c(set && *set ? set : ".prism/delivery");
}

static int open_target(const struct group *g, bool machines, struct cloud_shared *cloud,
                       struct rollout_target **ret_target)
{
    const struct target_options options = {.cloud = cloud,
                                           .machines = machines,
                                           .region = g->ctx->region,
                                           .endpoint = px_json_str(g->with, "endpoint"),
                                           .called_off = &g->called_off};
    cloud->options.region = g->ctx->region.len ? g->ctx->region : S("us-east-1");
    return target_open(&options, ret_target);
}

static int open_part(struct part *part)
{
    const struct object_options objects = {.cloud = &part->cloud};
    PX_TRY(open_target(part->group, part->is_machine, &part->cloud, &part->target));
    return object_store_open(store_of(part->group), &objects, &part->store);
}

static void close_part(struct part *part)
{
    target_close(&part->target);
    object_store_close(&part->store);
    cloud_shared_close(&part->cloud);
}

static void on_progress(void *ctx, const struct rollout_view *view)
{
    ((struct part *)ctx)->percent = (int)(view->weight * 100 + 0.5);
}

static struct rollout_options options_of(struct part *part)
{
    const struct action_context *ctx = part->group->ctx;
    return (struct rollout_options){.target = part->target,
                                    .store = part->store,
                                    .region = ctx->region.len ? ctx->region : S("local"),
                                    .function = part->name,
                                    .who = ctx->who,
                                    .clock = ctx->clock,
                                    .called_off = &part->group->called_off,
                                    .progress = on_progress,
                                    .ctx = part};
}

/* A fault's text is the thread's own, so it is taken along. */
static void *go_forth(void *arg)
{
    struct part *part = arg;
    const struct rollout_options options = options_of(part);
    const struct rollout_code code = {.version = part->version};
    part->answer = rollout_start(&options, &part->group->plan, &code, part->why);
    if (part->answer < 0) (void)px_fault_text(part->answer, part->why, sizeof part->why);
    part->over = true;
    return NULL;
}

static void *go_back(void *arg)
{
    struct part *part = arg;
    struct rollout_options options = options_of(part);
    options.only_version = part->version;
    part->answer = rollout_back(&options, part->group->reason, part->why);
    if (part->answer < 0) (void)px_fault_text(part->answer, part->why, sizeof part->why);
    part->over = true;
    return NULL;
}

/* ---- all of them ---- */

static void tell(const struct group *g)
{
    char text[160];
    size_t over = 0;
    int least = 100;
    for (size_t i = 0; i < g->count; i++) {
        over += g->parts[i].over;
        least = PX_MIN(least, g->parts[i].over ? 100 : g->parts[i].percent);
    }
    (void)snprintf(text, sizeof text, "%zu of %zu are through", over, g->count);
    const struct action_progress progress = {
        .text = px_str_c(text), .weight = least, .left_ms = -1};
    action_progress(g->ctx, &progress);
}

/* Start a thread for each, look on, and wait for all. One that did not get through calls the others off when all hang together. */
static int run_all(struct group *g, void *(*work)(void *), bool together)
{
    size_t started = 0, over;
    int r = 0;
    for (size_t i = 0; i < g->count; i++) {
        g->parts[i].over = false;
        g->parts[i].answer = 0;
    }
    for (; started < g->count; started++)
        if (pthread_create(&g->parts[started].thread, NULL, work, &g->parts[started]) != 0) {
            g->called_off = true;
            r = px_fault(PX_F_OOM, "a thread");
            break;
        }
    do {
        over = 0;
        for (size_t i = 0; i < started; i++) {
            over += g->parts[i].over;
            if (together && g->parts[i].over && g->parts[i].answer != 0) g->called_off = true;
        }
        if (action_cancelled(g->ctx) || action_late(g->ctx)) g->called_off = true;
        tell(g);
        if (over < started) action_pause(g->ctx, LOOK_MS);
    } while (over < started);
    for (size_t i = 0; i < started; i++) (void)pthread_join(g->parts[i].thread, NULL);
    return r;
}

static void group_close(struct group **pgroup)
{
    struct group *g = *pgroup;
    if (!g) return;
    for (size_t i = 0; i < g->count; i++) close_part(&g->parts[i]);
    free(g);
    *pgroup = NULL;
}

static struct group *group_new(struct action_context *ctx, yyjson_val *with)
{
    struct group *g = calloc(1, sizeof *g);
    if (!g) return NULL;
    g->ctx = ctx;
    g->with = with;
    rollout_plan_default(px_str_starts(px_json_str(with, "endpoint"), S("unix:")), &g->plan);
    g->plan.bake_s = px_json_i64(with, "bake_s", g->plan.bake_s);
    g->plan.requests_min = (uint64_t)px_json_i64(with, "requests_min",
                                                 (int64_t)g->plan.requests_min);
    g->plan.patience_s = px_json_i64(with, "quiet_s", g->plan.patience_s);
    g->plan.quiet_goes_on = true;
    g->plan.force = px_json_bool(with, "force", false);
    g->plan.calm_s = px_json_i64(with, "calm_s", CALM_S);
    g->plan.alarms = px_json_str(with, "alarms");
    g->plan.limits.latency_ratio = 1 + (double)px_json_i64(with, "slower_percent", 25) / 100;
    return g;
}

static int add_part(struct group *g, struct px_str name, bool is_machine, int64_t version)
{
    if (g->count == FUNCTIONS_MAX)
        return px_fault(PX_F_LIMIT, "more than %d functions to roll out", FUNCTIONS_MAX);
    struct part *part = &g->parts[g->count++];
    part->group = g;
    part->is_machine = is_machine;
    part->version = version;
    part->name = px_arena_dup(g->ctx->arena, name);
    return part->name.ptr ? open_part(part) : px_arena_fault(g->ctx->arena);
}

/* ---- what there is to do ---- */

static int answer_of(struct group *g, struct rollout_target *target, int r)
{
    return r > 0 ? action_fail(g->ctx, ACTION_FAILED, "%s", target_why(target)) : r;
}

/* On AWS an account has functions of others as well, and one name says which are meant. */
static int check_place(struct action_context *ctx, yyjson_val *with)
{
    bool local = px_str_starts(px_json_str(with, "endpoint"), S("unix:"));
    if (!local && px_json_str(with, "prefix").len == 0)
        return action_fail(ctx, ACTION_REFUSED,
                           "prefix is missing: which functions, by the beginning of their names");
    if (!local && px_json_bool(with, "publish", false))
        return action_fail(ctx, ACTION_REFUSED,
                           "publish is for a region's socket; elsewhere Terraform makes versions");
    return 0;
}

/* What has no such alias is not called by it, and so not rolled out. */
static int find_new(struct group *g, struct rollout_target *target, struct px_str name)
{
    struct target_version *versions = NULL;
    struct target_alias alias;
    struct px_arena *arena = g->ctx->arena;
    size_t count = 0;
    int r = target_alias(target, name, S(ROLLOUT_ALIAS), arena, &alias);
    if (r == TARGET_ABSENT) return 0;
    if (r != 0) return answer_of(g, target, r);
    r = target_versions(target, name, arena, &versions, &count);
    if (r != 0) return answer_of(g, target, r);
    int64_t wanted = release_version(&g->codes, versions, count);
    if (wanted == 0 || (alias.main == wanted && !alias.other)) return 0;
    return add_part(g, name, target_is_machine(target), wanted);
}

static int find_all(struct group *g, bool machines)
{
    PX_AUTO(cloud_shared_close) struct cloud_shared cloud = {0};
    PX_AUTO(target_close) struct rollout_target *target = NULL;
    struct px_str *names = NULL;
    size_t count = 0;
    PX_TRY(open_target(g, machines, &cloud, &target));
    bool publishes = !machines && px_json_bool(g->with, "publish", false);
    int r = publishes ? release_publish(g->ctx, target) : 0;
    if (r == 0) r = release_codes(g->ctx, &g->codes);
    if (r != 0) return r;
    r = target_functions(target, px_json_str(g->with, "prefix"), g->ctx->arena, &names, &count);
    if (r != 0) return answer_of(g, target, r);
    for (size_t i = 0; i < count; i++) {
        r = find_new(g, target, names[i]);
        if (r != 0) return r;
    }
    return 0;
}

static size_t write_kind(const struct group *g, bool machines, struct px_buf *buf)
{
    size_t count = 0;
    px_buf_printf(buf, "\"%s\":[", machines ? "machines" : "functions");
    for (size_t i = 0; i < g->count; i++) {
        if (g->parts[i].is_machine != machines) continue;
        px_buf_add_c(buf, count++ ? ",{\"name\":" : "{\"name\":");
        px_buf_add_json_str(buf, g->parts[i].name);
        px_buf_printf(buf, ",\"version\":%lld}", (long long)g->parts[i].version);
    }
    px_buf_add_c(buf, "],");
    return count;
}

static void write_list(const struct group *g, struct px_buf *buf)
{
    px_buf_add_c(buf, "{");
    size_t functions = write_kind(g, false, buf), machines = write_kind(g, true, buf);
    px_buf_printf(buf, "\"summary\":\"%zu functions", functions);
    if (machines) px_buf_printf(buf, ", %zu state machines", machines);
    px_buf_add_c(buf, "\"}");
}

/* Those of a beginning before this one stay in the list: they are to go back as well. */
static int read_list(struct group *g, struct px_str step, uint32_t of_run)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    const struct deployed_unit unit = {g->ctx->environment, g->ctx->region};
    yyjson_val *root = NULL, *item;
    size_t i, n;
    char key[256];
    px_buf_init(&text, LIST_BYTES_MAX);
    int r = of_run ? action_shelf_get(g->ctx, deployed_rollout_key(&unit, of_run, key), &text)
                   : action_kept(g->ctx, step, S(LIST), &text);
    if (r > 0) return 0;
    PX_TRY(r);
    PX_TRY(px_json_parse(px_buf_str(&text), g->ctx->arena, &root, NULL) == 0
               ? 0
               : px_fault(PX_F_CORRUPT, LIST " of %.*s", PX_FMT(step)));
    for (int machines = 0; machines < 2; machines++) {
        px_json_arr_foreach(px_json_arr(root, machines ? "machines" : "functions"), i, n, item)
            PX_TRY(
                add_part(g, px_json_str(item, "name"), machines, px_json_i64(item, "version", 0)));
    }
    return 0;
}

/* For a rollback that comes after the run. A step outside of an environment has none. */
static int shelve_list(const struct action_context *ctx, const struct px_buf *list)
{
    const struct deployed_unit unit = {ctx->environment, ctx->region};
    uint64_t run = 0;
    char key[256];
    if (!unit.environment.len || !unit.name.len || !px_str_to_u64(ctx->run, &run)) return 0;
    return action_shelf_put(ctx, deployed_rollout_key(&unit, (uint32_t)run, key), px_buf_str(list));
}

/* ---- rollout ---- */

static int all_back(struct group *g, const struct part *bad)
{
    g->reason = px_arena_printf(g->ctx->arena, "%.*s: %s", PX_FMT(bad->name), bad->why);
    if (!g->reason.ptr) return px_arena_fault(g->ctx->arena);
    char why[ROLLOUT_WHY_BYTES];
    (void)snprintf(why, sizeof why, "%s", bad->why);
    struct px_str name = bad->name;
    g->called_off = false;
    PX_TRY(run_all(g, go_back, false));
    for (size_t i = 0; i < g->count; i++)
        if (g->parts[i].answer != 0 && g->parts[i].answer != ROLLOUT_REFUSED)
            return action_fail(g->ctx, ACTION_FAILED, "%.*s went back (%s), but %.*s did not: %s",
                               PX_FMT(name), why, PX_FMT(g->parts[i].name), g->parts[i].why);
    return action_fail(g->ctx, ACTION_REFUSED, "%.*s went back, and all others with it: %s",
                       PX_FMT(name), why);
}

static int conclude(struct group *g)
{
    const struct part *stopped = NULL;
    for (size_t i = 0; i < g->count; i++) {
        const struct part *part = &g->parts[i];
        if (part->answer == ROLLOUT_WENT_BACK || part->answer == ROLLOUT_REFUSED)
            return all_back(g, part);
        if (part->answer != 0) stopped = part;
    }
    if (!stopped) return 0;
    if (action_cancelled(g->ctx)) return ACTION_CANCELLED;
    return action_fail(g->ctx, ACTION_FAILED, "%.*s: %s", PX_FMT(stopped->name), stopped->why);
}

static int roll_out(struct action_context *ctx, yyjson_val *with, yyjson_val **ret_result)
{
    PX_AUTO(group_close) struct group *g = group_new(ctx, with);
    PX_AUTO(px_buf_deinit) struct px_buf list;
    px_buf_init(&list, LIST_BYTES_MAX);
    if (!g) return px_fault(PX_F_OOM, "a rollout");
    int r = check_place(ctx, with);
    if (r != 0) return r;
    PX_TRY(read_list(g, ctx->step, 0));
    if (g->count == 0) {
        r = find_all(g, false);
        if (r == 0) r = find_all(g, true);
        if (r != 0) return r;
        write_list(g, &list);
        PX_TRY(px_buf_fault(&list));
        PX_TRY(action_keep(ctx, S(LIST), px_buf_str(&list)));
        PX_TRY(shelve_list(ctx, &list));
    } else {
        write_list(g, &list);
    }
    if (g->count > 0) PX_TRY(run_all(g, go_forth, true));
    r = conclude(g);
    return r != 0 ? r : action_result(ctx, &list, ret_result);
}

/* ---- rollback ---- */

static int roll_back(struct action_context *ctx, yyjson_val *with, yyjson_val **ret_result)
{
    PX_AUTO(group_close) struct group *g = group_new(ctx, with);
    PX_AUTO(px_buf_deinit) struct px_buf list;
    struct px_str step = ctx->step;
    px_buf_init(&list, LIST_BYTES_MAX);
    if (!g) return px_fault(PX_F_OOM, "a rollback");
    if (px_str_ends(step, S(UNDO))) step.len -= S(UNDO).len;
    g->reason = px_json_str(with, "reason");
    if (!g->reason.len) g->reason = S("the pipeline takes its stage back");
    PX_TRY(read_list(g, step, (uint32_t)px_json_i64(with, "of_run", 0)));
    if (g->count > 0) PX_TRY(run_all(g, go_back, false));
    if (action_cancelled(ctx)) return ACTION_CANCELLED;
    for (size_t i = 0; i < g->count;
         i++) /* refused: it never began, or others have moved the alias since */
        if (g->parts[i].answer != 0 && g->parts[i].answer != ROLLOUT_REFUSED)
            return action_fail(ctx, ACTION_FAILED, "%.*s: %s", PX_FMT(g->parts[i].name),
                               g->parts[i].why);
    write_list(g, &list);
    return action_result(ctx, &list, ret_result);
}

const struct action action_rollout = {
    .name = "rollout",
    .summary =
        "newest versions of functions and state machines get their calls step by step; one that is worse takes all back",
    ACTION_FIELDS(fields),
    .run = roll_out,
};
const struct action action_rollback = {
    .name = "rollback",
    .summary = "what the step rolled out goes back to the versions before",
    ACTION_FIELDS(back_fields),
    .run = roll_back,
};
