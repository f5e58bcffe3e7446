/* delivery/rollout/journal.c - see journal.h. */
#include "delivery/rollout/journal.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/px_json.h"

#define FORMAT 1
#define BYTES_MAX ((size_t)1 << 20)

static const char *const states[] = {"none",      "proving", "baking",      "finishing",
                                     "returning", "done",    "rolled-back", "failed"};

const char *rollout_state_name(enum rollout_state state) { return states[state]; }

void rollout_journal_init(struct rollout_journal *journal, const struct rollout_options *options)
{
    *journal = (struct rollout_journal){.options = options};
    px_arena_init(&journal->arena, 4 * BYTES_MAX);
    px_buf_init(&journal->events, BYTES_MAX);
}

void rollout_journal_deinit(struct rollout_journal *journal)
{
    px_arena_deinit(&journal->arena);
    px_buf_deinit(&journal->events);
}

static struct px_str key_of(const struct rollout_options *o, struct px_arena *arena,
                            const char *name)
{
    return px_arena_printf(arena, "rollout/%.*s/%s%.*s/%s", PX_FMT(o->region),
                           target_is_machine(o->target) ? "machines/" : "", PX_FMT(o->function),
                           name);
}

/* ---- reading ---- */

static void read_plan(yyjson_val *obj, struct rollout_plan *plan)
{
    size_t i, n;
    yyjson_val *item;
    struct judge_limits *l = &plan->limits;
    px_json_arr_foreach(px_json_arr(obj, "weights"), i, n, item)
    {
        if (plan->count < ROLLOUT_STEPS_MAX) plan->weights[plan->count++] = yyjson_get_num(item);
    }
    plan->bake_s = px_json_i64(obj, "bake_s", 0);
    plan->requests_min = (uint64_t)px_json_i64(obj, "requests_min", 0);
    plan->patience_s = px_json_i64(obj, "patience_s", 0);
    plan->poll_ms = px_json_i64(obj, "poll_ms", 0);
    plan->period_s = (uint32_t)px_json_i64(obj, "period_s", 0);
    plan->contact_s = px_json_i64(obj, "contact_s", 0);
    plan->keep = (uint32_t)px_json_i64(obj, "keep", 0);
    plan->alarms = px_json_str(obj, "alarms");
    plan->force = px_json_bool(obj, "force", false);
    plan->quiet_goes_on = px_json_bool(obj, "quiet_goes_on", false);
    l->alpha = px_json_f64(obj, "alpha", 0);
    l->error_floor = px_json_f64(obj, "error_floor", 0);
    l->latency_ratio = px_json_f64(obj, "latency_ratio", 0);
    l->latency_floor_ms = px_json_f64(obj, "latency_floor_ms", 0);
    l->quantile = px_json_f64(obj, "quantile", 0);
    l->errors_min = (uint64_t)px_json_i64(obj, "errors_min", 0);
    l->latency_min = (uint64_t)px_json_i64(obj, "latency_min", 0);
}

static bool plan_is_sane(const struct rollout_plan *plan)
{
    return plan->count > 0 && plan->weights[plan->count - 1] == 1 && plan->period_s > 0 &&
           plan->poll_ms > 0 && plan->limits.quantile > 0 && plan->limits.quantile < 1;
}

static void read_lists(struct rollout_journal *j, yyjson_val *root)
{
    size_t i, n;
    yyjson_val *item;
    px_json_arr_foreach(px_json_arr(root, "ignored"), i, n, item)
    {
        if (j->ignored_count < JOURNAL_IGNORED_MAX)
            j->ignored[j->ignored_count++] = px_json_val_str(item);
    }
    px_json_arr_foreach(px_json_arr(root, "events"), i, n, item)
    {
        if (j->event_count++ > 0) px_buf_add_c(&j->events, ",");
        px_buf_add_json(&j->events, item);
    }
}

static int read_journal(struct rollout_journal *j, yyjson_val *root)
{
    struct px_str state = px_json_str(root, "state");
    yyjson_val *baseline = px_json_obj(root, "baseline");
    size_t s = 0;
    while (s < PX_COUNT(states) && !px_str_eq(state, px_str_c(states[s]))) s++;
    j->state = (enum rollout_state)s;
    j->from = px_json_i64(root, "from", 0);
    j->to = px_json_i64(root, "to", 0);
    j->began_ns = px_json_i64(root, "began_ns", 0);
    j->ended_ns = px_json_i64(root, "ended_ns", 0);
    j->step = (size_t)px_json_i64(root, "step", 0);
    j->since_s = px_json_i64(root, "since_s", 0);
    j->baseline = (struct judge_side){
        .calls = (uint64_t)px_json_i64(baseline, "calls", 0),
        .errors = (uint64_t)px_json_i64(baseline, "errors", 0),
        .timed = (uint64_t)px_json_i64(baseline, "timed", 0),
        .below = (uint64_t)px_json_i64(baseline, "below", 0),
        .quantile_ms = px_json_f64(baseline, "quantile_ms", 0),
    };
    (void)snprintf(j->reason, sizeof j->reason, "%.*s", PX_FMT(px_json_str(root, "reason")));
    read_plan(px_json_obj(root, "plan"), &j->plan);
    read_lists(j, root);
    if (px_json_i64(root, "format", 0) != FORMAT || s == PX_COUNT(states) || j->from < 1 ||
        j->to < 1 || !plan_is_sane(&j->plan) || j->step >= j->plan.count)
        return px_fault(PX_F_CORRUPT, "the journal of the rollout of %.*s is none of this release",
                        PX_FMT(j->options->function));
    return px_buf_fault(&j->events);
}

int rollout_journal_load(struct rollout_journal *j)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    yyjson_val *root = NULL;
    struct px_str key = key_of(j->options, &j->arena, "current.json");
    px_buf_init(&text, BYTES_MAX);
    if (!key.ptr) return px_arena_fault(&j->arena);
    int r = object_get(j->options->store, key, &text);
    if (r == OBJECT_ABSENT) return 0;
    if (r == OBJECT_TOO_LARGE) return px_fault(PX_F_CORRUPT, "%.*s is too large", PX_FMT(key));
    PX_TRY(r);
    r = px_json_parse(px_buf_str(&text), &j->arena, &root, NULL);
    if (r == PX_JSON_INVALID) return px_fault(PX_F_CORRUPT, "%.*s is no JSON", PX_FMT(key));
    PX_TRY(r);
    return read_journal(j, root);
}

/* ---- writing ---- */

static void write_plan(const struct rollout_plan *plan, struct px_buf *buf)
{
    const struct judge_limits *l = &plan->limits;
    px_buf_add_c(buf, "{\"weights\":[");
    for (size_t i = 0; i < plan->count; i++)
        px_buf_printf(buf, "%s%.6g", i ? "," : "", plan->weights[i]);
    px_buf_printf(
        buf,
        "],\"bake_s\":%lld,\"requests_min\":%llu,\"patience_s\":%lld,\"poll_ms\":%lld,"
        "\"period_s\":%u,\"contact_s\":%lld,\"keep\":%u,\"force\":%s,\"quiet_goes_on\":%s,\"alpha\":%.6g,"
        "\"error_floor\":%.6g,\"latency_ratio\":%.6g,\"latency_floor_ms\":%.6g,"
        "\"quantile\":%.6g,\"errors_min\":%llu,\"latency_min\":%llu,\"alarms\":",
        (long long)plan->bake_s, (unsigned long long)plan->requests_min,
        (long long)plan->patience_s, (long long)plan->poll_ms, plan->period_s,
        (long long)plan->contact_s, plan->keep, plan->force ? "true" : "false",
        plan->quiet_goes_on ? "true" : "false", l->alpha, l->error_floor, l->latency_ratio,
        l->latency_floor_ms, l->quantile, (unsigned long long)l->errors_min,
        (unsigned long long)l->latency_min);
    px_buf_add_json_str(buf, plan->alarms);
    px_buf_add_c(buf, "}");
}

void rollout_journal_write(const struct rollout_journal *j, struct px_buf *buf)
{
    px_buf_printf(buf, "{\"format\":%d,\"state\":\"%s\",\"function\":", FORMAT, states[j->state]);
    px_buf_add_json_str(buf, j->options->function);
    px_buf_printf(buf,
                  ",\"from\":%lld,\"to\":%lld,\"step\":%zu,\"since_s\":%lld,\"began_ns\":%lld,"
                  "\"ended_ns\":%lld,\"reason\":",
                  (long long)j->from, (long long)j->to, j->step, (long long)j->since_s,
                  (long long)j->began_ns, (long long)j->ended_ns);
    px_buf_add_json_str(buf, px_str_c(j->reason));
    px_buf_printf(buf,
                  ",\"baseline\":{\"calls\":%llu,\"errors\":%llu,\"timed\":%llu,\"below\":%llu,"
                  "\"quantile_ms\":%.9g},\"ignored\":[",
                  (unsigned long long)j->baseline.calls, (unsigned long long)j->baseline.errors,
                  (unsigned long long)j->baseline.timed, (unsigned long long)j->baseline.below,
                  j->baseline.quantile_ms);
    for (size_t i = 0; i < j->ignored_count; i++) {
        if (i > 0) px_buf_add_c(buf, ",");
        px_buf_add_json_str(buf, j->ignored[i]);
    }
    px_buf_add_c(buf, "],\"plan\":");
    write_plan(&j->plan, buf);
    px_buf_add_c(buf, ",\"events\":[");
    px_buf_add_str(buf, px_buf_str(&j->events));
    px_buf_add_c(buf, "]");
}

int rollout_journal_save(struct rollout_journal *j)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    char began[40], name[64];
    px_buf_init(&text, BYTES_MAX);
    rollout_journal_write(j, &text);
    px_buf_add_c(&text, "}\n");
    PX_TRY(px_buf_fault(&text));
    struct px_str key = key_of(j->options, &j->arena, "current.json");
    if (!key.ptr) return px_arena_fault(&j->arena);
    PX_TRY(object_put(j->options->store, key, px_buf_str(&text)));
    if (j->state < ROLLOUT_DONE) return 0;
    (void)snprintf(name, sizeof name, "%.*s.json", PX_FMT(px_time_format(j->began_ns, 6, began)));
    key = key_of(j->options, &j->arena, name);
    if (!key.ptr) return px_arena_fault(&j->arena);
    return object_put(j->options->store, key, px_buf_str(&text));
}

void rollout_journal_tell(struct rollout_journal *j, const char *fmt, ...)
{
    char text[ROLLOUT_WHY_BYTES + 128], when[40];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (j->event_count == JOURNAL_EVENTS_MAX) return;
    if (j->event_count++ > 0) px_buf_add_c(&j->events, ",");
    px_buf_printf(&j->events, "{\"time\":\"%.*s\",\"what\":",
                  PX_FMT(px_time_format(px_wall_ns(j->options->clock), 3, when)));
    px_buf_add_json_str(&j->events, px_str_c(text));
    px_buf_add_c(&j->events, ",\"who\":");
    px_buf_add_json_str(&j->events, j->options->who);
    px_buf_add_c(&j->events, "}");
}

/* ---- wishes ---- */

int rollout_journal_wish(const struct rollout_options *options,
                         struct rollout_journal_wish *ret_wish)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    yyjson_val *root = NULL;
    px_buf_init(&text, 4096);
    px_arena_init(&arena, 65536);
    *ret_wish = (struct rollout_journal_wish){0};
    struct px_str key = key_of(options, &arena, "wish.json");
    if (!key.ptr) return px_arena_fault(&arena);
    int r = object_get(options->store, key, &text);
    if (r == OBJECT_ABSENT) return 0;
    PX_TRY(r == OBJECT_TOO_LARGE ? px_fault(PX_F_CORRUPT, "%.*s", PX_FMT(key)) : r);
    r = px_json_parse(px_buf_str(&text), &arena, &root, NULL);
    if (r == PX_JSON_INVALID) return px_fault(PX_F_CORRUPT, "%.*s is no JSON", PX_FMT(key));
    PX_TRY(r);
    ret_wish->paused = px_json_bool(root, "paused", false);
    (void)snprintf(ret_wish->controller, sizeof ret_wish->controller, "%.*s",
                   PX_FMT(px_json_str(root, "controller")));
    return 0;
}

int rollout_journal_set_wish(const struct rollout_options *options,
                             const struct rollout_journal_wish *wish)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 65536);
    struct px_str key = key_of(options, &arena, "wish.json");
    struct px_str text = px_arena_printf(&arena, "{\"paused\":%s,\"controller\":\"%s\"}\n",
                                         wish->paused ? "true" : "false", wish->controller);
    if (!key.ptr || !text.ptr) return px_arena_fault(&arena);
    return object_put(options->store, key, text);
}
