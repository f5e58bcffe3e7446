/* delivery/pipeline/action_approval.c - action `approval`: nothing goes on until somebody has looked at the plan.
 *
 * The decision is for one digest. It is looked at again when the gate is passed: by whom, in time, and whether the plan's files
 * are those that were approved. */
#include <unistd.h>

#include "base/px_json.h"
#include "delivery/pipeline/builtin.h"
#include "store/digest.h"

/* Files that are on another machine are checked by who applies them. Answers: ACTION_REFUSED. */
static int check_files(struct action_context *ctx, yyjson_val *plan)
{
    size_t i, max;
    yyjson_val *file;
    char hash[DIGEST_HEX_BYTES];
    px_json_arr_foreach(px_json_arr(plan, "files"), i, max, file)
    {
        const char *path = px_arena_cstr(ctx->arena, px_json_str(file, "path"));
        if (!path) return px_arena_fault(ctx->arena);
        if (access(path, R_OK) != 0) continue;
        PX_TRY(digest_of_file(path, hash));
        if (!px_str_eq(px_str_c(hash), px_json_str(file, "sha256")))
            return action_fail(ctx, ACTION_REFUSED,
                               "the plan has changed since it was made: %s; begin a new run", path);
    }
    return 0;
}

/* Answers: ACTION_REFUSED, ACTION_WAITS. */
static int check_decision(struct action_context *ctx, struct px_str digest)
{
    const struct action_gate *gate = ctx->gate;
    if (gate->asked && !px_str_eq(gate->plan, digest))
        return action_fail(ctx, ACTION_REFUSED,
                           "the plan has changed since it was approved; begin a new run");
    if (gate->rejected)
        return action_fail(ctx, ACTION_REFUSED, "rejected by %.*s%s%.*s", PX_FMT(gate->by),
                           gate->why.len ? ": " : "", PX_FMT(gate->why));
    if (gate->asked && px_wall_ns(ctx->clock) >= gate->expires_ns)
        return action_fail(ctx, ACTION_REFUSED, "%s within %lld s",
                           gate->approved ? "it was approved, but the run did not go on"
                                          : "nobody approved it",
                           (long long)gate->expires_s);
    if (!gate->approved) return ACTION_WAITS;
    if (!gate->by_starter && px_str_eq(gate->by, ctx->who))
        return action_fail(
            ctx, ACTION_REFUSED,
            "%.*s started the run and approved it; this environment wants somebody else",
            PX_FMT(gate->by));
    return 0;
}

static int give_result(struct action_context *ctx, struct px_str digest, yyjson_val **ret_result)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 1u << 16);
    px_buf_add_c(&json, "{\"approved_by\":");
    px_buf_add_json_str(&json, ctx->gate->by);
    px_buf_add_c(&json, ",\"plan\":");
    px_buf_add_json_str(&json, digest);
    px_buf_add_char(&json, '}');
    PX_TRY(action_result(ctx, &json, ret_result));
    return 0;
}

static int run(struct action_context *ctx, yyjson_val *with, yyjson_val **ret_result)
{
    struct px_str name = px_json_str(with, "plan"), step = {0}, digest = {0};
    yyjson_val *plan = name.len > 0 ? action_result_of(ctx, name, &step) : NULL;
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 256);
    digest = px_json_str(plan, "digest");
    if (name.len > 0 && digest.len == 0)
        return action_fail(ctx, ACTION_REFUSED, "step %.*s gave no digest of a plan", PX_FMT(name));
    if (plan && !px_json_bool(plan, "changes", true)) { /* nobody is asked about nothing */
        px_buf_add_c(&json, "{\"skipped\":\"the plan changes nothing\"}");
        PX_TRY(action_result(ctx, &json, ret_result));
        return 0;
    }
    int r = check_files(ctx, plan);
    if (r == 0) r = check_decision(ctx, digest);
    if (r == ACTION_WAITS) {
        struct px_str summary = px_json_str(plan, "summary");
        return action_fail(ctx, ACTION_WAITS, "%.*s", PX_FMT(summary));
    }
    if (r != 0) return r;
    PX_TRY(give_result(ctx, digest, ret_result));
    return 0;
}

static const struct action_field fields[] = {
    {"plan", ACTION_STEP, false, 0, 0, NULL}, /* whose digest is approved */
};
const struct action action_approval = {
    .name = "approval",
    .summary = "wait until somebody approves the plan",
    ACTION_FIELDS(fields),
    .run = run,
    .is_fixed = true,
};
