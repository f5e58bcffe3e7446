/* delivery/pipeline/action_terraform_plan.c - action terraform-plan: what a stack's apply would change, for a person to approve.
 *
 * Kept in the run's store: changes.json, the document that the digest is of, plan.txt and terraform.log. Not the saved plan itself: it
 * holds the state and every secret in the clear, and fits this machine's sources alone. terraform-apply makes it again and goes on only
 * when the digest is the same (delivery/terraform/changes.h). */
#include "base/px_json.h"
#include "delivery/pipeline/action_terraform.h"
#include "delivery/terraform/cost.h"
#include "delivery/terraform/drift.h"
#include "delivery/terraform/summary.h"
#include "delivery/terraform/words.h"

#define RESULT_BYTES_MAX (8u << 20)

static const struct action_field fields[] = {
    TERRAFORM_STACK_FIELDS,
    {"lossless", ACTION_BOOL, false, 0, 0, NULL}, /* refuse a plan by which data is lost */
};

struct planned {
    const struct terraform_stack *stack;
    const struct changes *changes;
    struct words words;
    struct cost cost;
    struct px_str digest;
    size_t outside; /* changed outside, and put back by this plan */
};

static int write_result(const struct planned *p, yyjson_val *with, struct px_str summary,
                        struct px_buf *buf)
{
    const size_t *counts = p->changes->counts;
    bool any = changes_any(p->changes); /* nobody is asked about a plan that changes nothing */
    px_buf_printf(buf, "{\"digest\":\"%.*s\",\"summary\":", PX_FMT(p->digest));
    px_buf_add_json_str(buf, summary);
    px_buf_printf(buf,
                  ",\"changes\":%s,\"made\":%zu,\"changed\":%zu,\"replaced\":%zu,\"destroyed\":%zu,"
                  "\"outputs\":%zu,\"drift\":%zu,\"warnings\":",
                  any ? "true" : "false", counts[CHANGE_CREATE], counts[CHANGE_UPDATE],
                  counts[CHANGE_REPLACE], counts[CHANGE_DESTROY], p->changes->outputs, p->outside);
    PX_TRY(summary_warnings(p->changes, &p->words, buf));
    px_buf_add_str(buf, S(",\"cost\":"));
    summary_cost(&p->cost, buf);
    px_buf_add_str(buf, S(",\"files\":"));
    PX_TRY(terraform_files(p->stack, buf));
    px_buf_add_str(buf, S(",\"with\":"));
    px_buf_add_json(buf, with);
    px_buf_add_char(buf, '}');
    return px_buf_fault(buf);
}

static int finish(struct action_context *ctx, yyjson_val *with, struct planned *p,
                  struct px_str document, yyjson_val **ret_result)
{
    PX_AUTO(px_buf_deinit) struct px_buf summary, result;
    px_buf_init(&summary, RESULT_BYTES_MAX / 4);
    px_buf_init(&result, RESULT_BYTES_MAX);
    PX_TRY(words_load(p->stack->platform, ctx->arena, &p->words));
    struct drift drift;
    PX_TRY(drift_find(p->changes, &p->words, "prism pipeline run", &drift));
    p->outside = drift.counts[DRIFT_OUTSIDE];
    PX_TRY(cost_of(p->changes, p->stack->platform, &p->cost));
    PX_TRY(summary_write(p->changes,
                         &(struct summary_options){
                             .stack = p->stack->label.ptr, .words = &p->words, .cost = &p->cost},
                         &summary));
    PX_TRY(write_result(p, with, px_buf_str(&summary), &result));
    yyjson_val *lost = NULL;
    PX_TRY(px_json_parse(px_buf_str(&result), ctx->arena, &lost, NULL));
    if (px_json_bool(with, "lossless", false) && yyjson_arr_size(px_json_arr(lost, "warnings")) > 0)
        return action_fail(ctx, ACTION_REFUSED, "data would be lost, and nobody is asked:\n%.*s",
                           PX_FMT(px_buf_str(&summary)));
    PX_TRY(action_keep(ctx, S("changes.json"), document));
    PX_TRY(action_keep(ctx, S("plan.txt"), px_buf_str(&summary)));
    return action_result(ctx, &result, ret_result);
}

static int plan(struct action_context *ctx, yyjson_val *with, struct terraform_stack *stack,
                yyjson_val **ret_result)
{
    struct changes changes;
    struct planned p = {.stack = stack, .changes = &changes};
    struct px_str document;
    action_say(ctx, "%.*s: preparing", PX_FMT(stack->label));
    int r = terraform_stack_answer(ctx, stack, terraform_init(&stack->tf));
    if (r != 0) return r;
    action_say(ctx, "%.*s: planning", PX_FMT(stack->label));
    r = terraform_stack_answer(ctx, stack,
                               terraform_plan(&stack->tf, TERRAFORM_PLAN, NULL, &changes));
    PX_TRY(r < 0 ? r : action_keep(ctx, S("terraform.log"), px_buf_str(&stack->said)));
    if (r != 0) return r;
    if (changes.errored)
        return action_fail(ctx, ACTION_FAILED, "%.*s: the plan was not made to its end",
                           PX_FMT(stack->label));
    PX_TRY(terraform_plan_document(ctx, &changes, &document, &p.digest));
    return finish(ctx, with, &p, document, ret_result);
}

static int run(struct action_context *ctx, yyjson_val *with, yyjson_val **ret_result)
{
    PX_AUTO(terraform_stack_close) struct terraform_stack stack;
    int r = terraform_stack_open(ctx, with, &stack);
    if (r == 0) r = terraform_stack_check(ctx, &stack);
    return r != 0 ? r : plan(ctx, with, &stack, ret_result);
}

static struct px_str describe(struct px_arena *arena, yyjson_val *with)
{
    return px_arena_printf(arena, "plans stack %.*s with Terraform",
                           PX_FMT(px_json_str(with, "stack")));
}

const struct action action_terraform_plan = {
    .name = "terraform-plan",
    .summary = "says what applying a stack would change; its digest is what is approved",
    ACTION_FIELDS(fields),
    .run = run,
    .describe = describe,
};
