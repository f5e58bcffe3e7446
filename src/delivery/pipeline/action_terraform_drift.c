/* delivery/pipeline/action_terraform_drift.c - action drift: how what is deployed differs from what should be; nothing is changed.
 *
 * Kept in the run's store: drift.json, drift.txt. `refuse` says what ends the step badly: what was changed outside, or anything that is found. */
#include "base/px_json.h"
#include "delivery/pipeline/action_terraform.h"
#include "delivery/terraform/drift.h"
#include "delivery/terraform/words.h"

#define RESULT_BYTES_MAX (8u << 20)

static const struct action_field fields[] = {
    TERRAFORM_STACK_FIELDS,
    {"refuse", ACTION_CHOICE, false, 0, 0, "nothing outside any"},
};

static bool is_refused(const struct drift *drift, struct px_str refuse)
{
    if (px_str_eq(refuse, S("any"))) return drift_found(drift) > 0;
    return px_str_eq(refuse, S("outside")) && drift->counts[DRIFT_OUTSIDE] > 0;
}

static int give_result(struct action_context *ctx, const struct drift *drift, struct px_str text,
                       yyjson_val **ret_result)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf = {0};
    px_buf_init(&buf, RESULT_BYTES_MAX);
    px_buf_printf(
        &buf,
        "{\"found\":%zu,\"outside\":%zu,\"release\":%zu,\"unmanaged\":%zu,\"worst\":\"%s\","
        "\"summary\":",
        drift_found(drift), drift->counts[DRIFT_OUTSIDE], drift->counts[DRIFT_RELEASE],
        drift->counts[DRIFT_UNMANAGED],
        drift->worst > 0 ? words_weight_name(drift->worst) : "none");
    px_buf_add_json_str(&buf, text);
    px_buf_add_char(&buf, '}');
    PX_TRY(px_buf_fault(&buf));
    return action_result(ctx, &buf, ret_result);
}

static int tell(struct action_context *ctx, yyjson_val *with, const struct terraform_stack *stack,
                const struct changes *changes, yyjson_val **ret_result)
{
    PX_AUTO(px_buf_deinit) struct px_buf text = {0};
    PX_AUTO(px_buf_deinit) struct px_buf json = {0};
    struct words words;
    struct drift drift;
    px_buf_init(&text, RESULT_BYTES_MAX / 4);
    px_buf_init(&json, CHANGES_TEXT_MAX);
    PX_TRY(words_load(stack->platform, ctx->arena, &words));
    PX_TRY(drift_find(changes, &words, "prism pipeline run", &drift));
    drift_write_text(&drift, stack->label, false, &text);
    drift_write_json(&drift, &json);
    PX_TRY(px_buf_fault(&text));
    PX_TRY(px_buf_fault(&json));
    PX_TRY(action_keep(ctx, S("drift.txt"), px_buf_str(&text)));
    PX_TRY(action_keep(ctx, S("drift.json"), px_buf_str(&json)));
    if (is_refused(&drift, px_json_str(with, "refuse")))
        return action_fail(ctx, ACTION_REFUSED, "%.*s", PX_FMT(px_str_trim(px_buf_str(&text))));
    return give_result(ctx, &drift, px_buf_str(&text), ret_result);
}

static int run(struct action_context *ctx, yyjson_val *with, yyjson_val **ret_result)
{
    PX_AUTO(terraform_stack_close) struct terraform_stack stack = {0};
    struct changes changes;
    int r = terraform_stack_open(ctx, with, &stack);
    if (r == 0) r = terraform_stack_answer(ctx, &stack, terraform_init(&stack.tf));
    if (r != 0) return r;
    action_say(ctx, "%.*s: looking", PX_FMT(stack.label));
    r = terraform_stack_answer(ctx, &stack,
                               terraform_plan(&stack.tf, TERRAFORM_PLAN, NULL, &changes));
    return r != 0 ? r : tell(ctx, with, &stack, &changes, ret_result);
}

static struct px_str describe(struct px_arena *arena, yyjson_val *with)
{
    return px_arena_printf(arena, "looks for drift in stack %.*s",
                           PX_FMT(px_json_str(with, "stack")));
}

const struct action action_drift = {
    .name = "drift",
    .summary = "says how what is deployed differs from what should be; nothing is changed",
    ACTION_FIELDS(fields),
    .run = run,
    .describe = describe,
};
