/* delivery/pipeline/action_wait.c - action `wait`: a bake. It ends when the time is over and enough requests have come and no
 * alarm fires; it fails at once when one does. Time counts from the first beginning, also over a crash. */
#include <stdio.h>
#include <stdlib.h>

#include "base/px_json.h"
#include "delivery/pipeline/builtin.h"
#include "delivery/pipeline/exec.h"
#include "delivery/pipeline/figures.h"

#define FIGURES_BYTES_MAX ((size_t)1 << 20)
#define EVERY_S_DEFAULT 15
#define LOOK_S_MAX 60 /* of a program that tells figures */

struct bake {
    struct action_context *ctx;
    yyjson_val *with, *alarms;
    int64_t time_ns, every_ms;
    uint64_t requests_min;
    struct action_figures figures;
    bool wants, known; /* figures; whether the last look got some */
    char why[300];     /* it did not */
};

/* ---- figures ---- */

static void on_output(void *ctx, struct px_str piece, bool is_error)
{
    if (!is_error) px_buf_add_str(ctx, piece);
}

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

/* {"requests":N,"alarms":[{"name":"...","state":"OK"|"ALARM"|...}]} */
static int read_figures(struct bake *bake, struct px_str text)
{
    PX_AUTO(px_buf_deinit) struct px_buf names;
    yyjson_val *root = NULL, *alarm;
    size_t i, max;
    px_buf_init(&names, 4096);
    int r = px_json_parse(text, bake->ctx->arena, &root, NULL);
    if (r == PX_JSON_INVALID)
        return px_fault(PX_F_PROTOCOL, "the program for figures printed no JSON");
    PX_TRY(r);
    struct action_figures figures = {
        .requests = (uint64_t)PX_MAX(px_json_i64(root, "requests", 0), 0)};
    px_json_arr_foreach(px_json_arr(root, "alarms"), i, max, alarm)
    {
        struct px_str name = px_json_str(alarm, "name");
        if (!figures_is_watched(bake->alarms, name)) continue;
        figures.watched++;
        if (!px_str_eq(px_json_str(alarm, "state"), S("ALARM"))) continue;
        if (figures.fire++ > 0) px_buf_add_c(&names, ", ");
        px_buf_add_str(&names, name);
    }
    figures.fire_names = px_arena_dup(bake->ctx->arena, px_buf_str(&names));
    if (!figures.fire_names.ptr) return px_arena_fault(bake->ctx->arena);
    bake->figures = figures;
    return 0;
}

static int ask_program(struct bake *bake, yyjson_val *list)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    struct action_context *ctx = bake->ctx;
    size_t i, max;
    yyjson_val *val;
    char since[64] = "PRISM_SINCE=", environment[80], region[80];
    const char **argv = px_arena_array(ctx->arena, const char *, yyjson_arr_size(list) + 1);
    char path[4096], home[4096];
    struct exec_result ended;
    px_buf_init(&text, FIGURES_BYTES_MAX);
    if (!argv) return px_arena_fault(ctx->arena);
    px_json_arr_foreach(list, i, max, val) argv[i] = yyjson_get_str(val);
    (void)px_time_format(ctx->began_ns, 0, since + strlen(since));
    (void)snprintf(environment, sizeof environment, "PRISM_ENVIRONMENT=%.*s",
                   PX_FMT(ctx->environment));
    (void)snprintf(region, sizeof region, "PRISM_WAVE=%.*s", PX_FMT(ctx->wave));
    (void)snprintf(path, sizeof path, "PATH=%s",
                   getenv("PATH") ? getenv("PATH") : "/usr/local/bin:/usr/bin:/bin");
    (void)snprintf(home, sizeof home, "HOME=%s", getenv("HOME") ? getenv("HOME") : "/");
    const char *env[] = {path, home, since, environment, region, NULL};
    const struct exec_options options = {
        .argv = argv,
        .env = env,
        .dir = ctx->root,
        .clock = ctx->clock,
        .deadline_ns = px_mono_ns(ctx->clock) + LOOK_S_MAX * PX_NS_PER_S,
        .is_cancelled = never,
        .on_output = on_output,
        .ctx = &text,
    };
    PX_TRY(exec_run(&options, &ended));
    if (ended.ending != EXEC_EXITED || ended.code != 0)
        return px_fault(PX_F_UNAVAILABLE, "%s ended with %d", argv[0], ended.code);
    PX_TRY(px_buf_fault(&text));
    PX_TRY(read_figures(bake, px_buf_str(&text)));
    return 0;
}

/* Figures that cannot be had now may be had later; without them the bake does not end well. */
static void look(struct bake *bake)
{
    struct action_context *ctx = bake->ctx;
    yyjson_val *program = px_json_arr(bake->with, "figures");
    if (!bake->wants) return;
    int r = program ? ask_program(bake, program)
                    : ctx->table->figures(ctx, bake->with, ctx->began_ns, &bake->figures);
    bake->known = r == 0;
    if (r != 0) (void)px_fault_text(r, bake->why, sizeof bake->why);
}

/* ---- the bake ---- */

static void tell(struct bake *bake, int64_t left_ns)
{
    char alarms[400] = "", text[400] = "";
    const struct action_figures *figures = &bake->figures;
    char of[32] = "";
    if (figures->watched > 0) (void)snprintf(of, sizeof of, " of %u", figures->watched);
    if (bake->known && bake->alarms)
        (void)snprintf(alarms, sizeof alarms, "%u%s fire%s%.*s", figures->fire, of,
                       figures->fire ? ": " : "", PX_FMT(figures->fire_names));
    if (bake->wants && !bake->known) (void)snprintf(text, sizeof text, "no figures: %s", bake->why);
    const struct action_progress progress = {.text = px_str_c(text),
                                             .weight = -1,
                                             .alarms = px_str_c(alarms),
                                             .left_ms = PX_MAX(left_ns, 0) / PX_NS_PER_MS,
                                             .requests = bake->figures.requests,
                                             .requests_min = bake->requests_min};
    action_progress(bake->ctx, &progress);
}

static int give_result(struct bake *bake, yyjson_val **ret_result)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 4096);
    px_buf_printf(&json, "{\"baked_s\":%lld", (long long)(bake->time_ns / PX_NS_PER_S));
    if (bake->wants)
        px_buf_printf(&json, ",\"requests\":%llu,\"alarms\":%u",
                      (unsigned long long)bake->figures.requests, bake->figures.watched);
    px_buf_add_char(&json, '}');
    PX_TRY(action_result(bake->ctx, &json, ret_result));
    return 0;
}

static int late(const struct bake *bake)
{
    if (bake->wants && !bake->known)
        return action_fail(bake->ctx, ACTION_REFUSED, "no figures to judge it by: %s", bake->why);
    return action_fail(bake->ctx, ACTION_REFUSED,
                       "only %llu of %llu requests came in time; send more, or lower requests_min",
                       (unsigned long long)bake->figures.requests,
                       (unsigned long long)bake->requests_min);
}

static int run(struct action_context *ctx, yyjson_val *with, yyjson_val **ret_result)
{
    struct bake bake = {
        .ctx = ctx, .with = with, .alarms = px_json_arr(with, "alarms"), .known = true};
    bake.time_ns = px_json_i64(with, "time_s", 0) * PX_NS_PER_S;
    bake.every_ms = px_json_i64(with, "every_s", EVERY_S_DEFAULT) * 1000;
    bake.requests_min = (uint64_t)px_json_i64(with, "requests_min", 0);
    bake.wants = bake.requests_min > 0 || yyjson_arr_size(bake.alarms) > 0;
    if (bake.wants && !px_json_arr(with, "figures") && !ctx->table->figures)
        return action_fail(
            ctx, ACTION_REFUSED,
            "requests and alarms are asked for and nothing tells them: give figures, a program that prints them");
    for (;;) {
        look(&bake);
        int64_t left_ns = bake.time_ns - (px_wall_ns(ctx->clock) - ctx->began_ns);
        tell(&bake, left_ns);
        if (bake.known && bake.figures.fire > 0)
            return action_fail(ctx, ACTION_REFUSED, "%u alarm%s fire%s: %.*s", bake.figures.fire,
                               bake.figures.fire == 1 ? "" : "s", bake.figures.fire == 1 ? "s" : "",
                               PX_FMT(bake.figures.fire_names));
        if (action_cancelled(ctx)) return ACTION_CANCELLED;
        if (left_ns <= 0 && bake.known && bake.figures.requests >= bake.requests_min) break;
        if (action_late(ctx)) return late(&bake);
        int64_t pause_ms = left_ns > 0 ? PX_MIN(bake.every_ms, left_ns / PX_NS_PER_MS + 1)
                                       : bake.every_ms;
        action_pause(ctx, pause_ms);
    }
    PX_TRY(give_result(&bake, ret_result));
    return 0;
}

static struct px_str describe(struct px_arena *arena, yyjson_val *with)
{
    int64_t requests = px_json_i64(with, "requests_min", 0);
    struct px_str alarms = px_json_arr(with, "alarms") ? S(", no alarm") : S("");
    if (requests == 0)
        return px_arena_printf(arena, "wait %lld s%.*s", (long long)px_json_i64(with, "time_s", 0),
                               PX_FMT(alarms));
    return px_arena_printf(arena, "wait %lld s and for %lld requests%.*s",
                           (long long)px_json_i64(with, "time_s", 0), (long long)requests,
                           PX_FMT(alarms));
}

static const struct action_field fields[] = {
    {"time_s", ACTION_NUMBER, true, 0, 14 * 86400, NULL},
    {"requests_min", ACTION_NUMBER, false, 0, INT64_C(1000000000000), NULL},
    {"alarms", ACTION_TEXTS, false, 0, 200, NULL},    /* names, or "*" */
    {"alarm_prefix", ACTION_TEXT, false, 0, 0, NULL}, /* these three: figures.h */
    {"requests_of", ACTION_TEXTS, false, 1, 200, NULL},
    {"endpoint", ACTION_TEXT, false, 0, 0, NULL},
    {"figures", ACTION_TEXTS, false, 1, 100,
     NULL}, /* a program and its arguments that prints them */
    {"every_s", ACTION_NUMBER, false, 1, 3600, NULL},
    {"patience_s", ACTION_NUMBER, false, 0, 30 * 86400,
     NULL}, /* for requests to come, behind time_s */
};
const struct action action_wait = {
    .name = "wait",
    .summary = "wait for time, requests and quiet alarms",
    ACTION_FIELDS(fields),
    .run = run,
    .describe = describe,
};
