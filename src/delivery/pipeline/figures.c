/* delivery/pipeline/figures.c - see figures.h. Metrics come late: a bake's last look finds what was counted until then, so
 * a floor of requests is reached late rather than early. */
#include "delivery/pipeline/figures.h"

#include "base/px_json.h"
#include "delivery/rollout/rollout.h"

#define PERIOD_S_AWS 60 /* Lambda's metrics have one value a minute */
#define PERIOD_S_LOCAL 1
#define NAMES_BYTES_MAX 4096

bool figures_is_watched(yyjson_val *names, struct px_str name)
{
    size_t i, max;
    yyjson_val *val;
    px_json_arr_foreach(names, i, max, val)
    {
        struct px_str wanted = px_json_val_str(val);
        if (px_str_eq(wanted, S("*")) || px_str_eq(wanted, name)) return true;
        bool behind = wanted.len > 0 && name.len > wanted.len && px_str_ends(name, wanted);
        if (behind && name.ptr[name.len - wanted.len - 1] == '-') return true;
    }
    return false;
}

struct looking {
    struct action_context *ctx;
    yyjson_val *with;
    int64_t since_ns;
    struct action_figures figures;
    struct px_buf names;
    struct cloud_shared *cloud;
};

static int open_target(struct looking *l, struct px_str region, struct rollout_target **ret_target)
{
    const struct target_options options = {
        .cloud = l->cloud, .region = region, .endpoint = px_json_str(l->with, "endpoint")};
    return target_open(&options, ret_target);
}

static int look_at_alarms(struct looking *l, struct px_str region)
{
    PX_AUTO(target_close) struct rollout_target *target = NULL;
    struct action_context *ctx = l->ctx;
    yyjson_val *wanted = px_json_arr(l->with, "alarms");
    struct px_str prefix = px_json_str(l->with, "alarm_prefix");
    struct target_alarm *alarms = NULL;
    size_t count = 0;
    if (yyjson_arr_size(wanted) == 0) return 0;
    if (prefix.len == 0 && ctx->environment.len > 0) {
        prefix = px_arena_printf(ctx->arena, "prism-%.*s-", PX_FMT(ctx->environment));
        if (!prefix.ptr) return px_arena_fault(ctx->arena);
    }
    PX_TRY(open_target(l, region, &target));
    int r = target_alarms(target, prefix, ctx->arena, &alarms, &count);
    if (r > 0)
        return px_fault(PX_F_UNAVAILABLE, "alarms of %.*s: %s", PX_FMT(region), target_why(target));
    PX_TRY(r);
    for (size_t i = 0; i < count; i++) {
        if (!figures_is_watched(wanted, alarms[i].name)) continue;
        if (l->figures.fire++ > 0) px_buf_add_c(&l->names, ", ");
        px_buf_add_str(&l->names, alarms[i].name);
    }
    return 0;
}

/* Calls of whatever the alias points to: a rollout that is under way counts as well. */
static int look_at_requests(struct looking *l, struct px_str name)
{
    PX_AUTO(target_close) struct rollout_target *target = NULL;
    struct target_figures figures[2] = {0};
    struct target_alias alias = {0};
    struct px_str region = {0}, function = name;
    if (!px_str_cut(&function, '/', &region))
        return px_fault(PX_F_CONFIG, "requests_of: %.*s is no <region>/<function>", PX_FMT(name));
    PX_TRY(open_target(l, region, &target));
    int r = target_alias(target, function, S(ROLLOUT_ALIAS), l->ctx->arena, &alias);
    if (r == 0) {
        const int64_t versions[2] = {alias.main, alias.other ? alias.other : alias.main};
        uint32_t period_s = target_is_local(target) ? PERIOD_S_LOCAL : PERIOD_S_AWS;
        const struct target_window window = {
            .function = function,
            .alias = S(ROLLOUT_ALIAS),
            .from_s = l->since_ns / PX_NS_PER_S / period_s * period_s,
            .to_s = px_wall_ns(l->ctx->clock) / PX_NS_PER_S + period_s,
            .period_s = period_s,
            .quantile = 0.5,
        };
        r = target_figures(target, &window, versions, l->ctx->arena, figures);
        if (!alias.other) figures[1].calls = 0;
    }
    if (r > 0)
        return px_fault(PX_F_UNAVAILABLE, "%.*s: %s", PX_FMT(name),
                        r == TARGET_ABSENT ? "there is no such function, or it has no alias live"
                                           : target_why(target));
    PX_TRY(r);
    l->figures.requests += figures[0].calls + figures[1].calls;
    return 0;
}

static int look(struct looking *l)
{
    size_t i, max;
    yyjson_val *val, *regions = l->ctx->regions;
    px_json_arr_foreach(regions, i, max, val) PX_TRY(look_at_alarms(l, px_json_val_str(val)));
    if (yyjson_arr_size(regions) == 0) PX_TRY(look_at_alarms(l, l->ctx->region));
    px_json_arr_foreach(px_json_arr(l->with, "requests_of"), i, max, val)
        PX_TRY(look_at_requests(l, px_json_val_str(val)));
    return 0;
}

int figures_of_cloudwatch(struct action_context *ctx, yyjson_val *with, int64_t since_ns,
                          struct action_figures *ret_figures)
{
    /* a local region is in none of AWS's, and asks nobody who he is */
    PX_AUTO(cloud_shared_close) struct cloud_shared local = {.options = {.region = S("us-east-1")}};
    bool is_local = px_str_starts(px_json_str(with, "endpoint"), S("unix:"));
    struct looking l = {
        .ctx = ctx, .with = with, .since_ns = since_ns, .cloud = is_local ? &local : ctx->cloud};
    px_buf_init(&l.names, NAMES_BYTES_MAX);
    int r = look(&l);
    if (r == 0) {
        l.figures.fire_names = px_arena_dup(ctx->arena, px_buf_str(&l.names));
        *ret_figures = l.figures;
    }
    px_buf_deinit(&l.names);
    PX_TRY(r);
    return ret_figures->fire_names.ptr ? 0 : px_arena_fault(ctx->arena);
}
