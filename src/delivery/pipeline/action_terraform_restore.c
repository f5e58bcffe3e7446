/* delivery/pipeline/action_terraform_restore.c - action terraform-restore, the undo of terraform-apply: what stood there before the
 * run is planned and applied again, release, configuration and sources of the stack together.
 *
 * Nobody is asked, so it does less than a person may: where nothing stood before, nothing is destroyed; where the way back would
 * lose data, or cross a contract of the catalog's schema, it is not gone. `prism rollback` shows such a way and asks.
 * Run again it ends the same: once the head points at the record of before, there is nothing to do. */
#include <unistd.h>

#include "base/px_json.h"
#include "delivery/pipeline/action_terraform.h"
#include "delivery/pipeline/contract.h"
#include "delivery/terraform/summary.h"
#include "delivery/terraform/words.h"

#define RESULT_BYTES_MAX (1u << 20)

static const struct action_field fields[] = {
    {"plan", ACTION_STEP, true, 0, 0, NULL}, /* the step that planned what was applied */
};

static int give(struct action_context *ctx, const char *name, struct px_str text,
                yyjson_val **ret_result)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, RESULT_BYTES_MAX);
    px_buf_printf(&json, "{\"%s\":", name);
    px_buf_add_json_str(&json, text);
    px_buf_add_char(&json, '}');
    return action_result(ctx, &json, ret_result);
}

/* ---- what is in the way ---- */

static int check_contract(struct action_context *ctx, const struct deployed_head *head,
                          const struct deployed_record *record)
{
    if (contract_allows(record->release.document, head->floor)) return 0;
    return action_fail(
        ctx, ACTION_REFUSED,
        "the catalog's schema may have been contracted so that functions must know its step %lld, and release %.*s knows step %lld: roll "
        "forward with a release that knows it",
        (long long)head->floor, PX_FMT(record->release.id),
        (long long)contract_of(record->release.document).knows);
}

static int check_loss(struct action_context *ctx, const struct terraform_stack *stack,
                      const struct changes *changes)
{
    PX_AUTO(px_buf_deinit) struct px_buf warnings;
    struct words words;
    px_buf_init(&warnings, RESULT_BYTES_MAX);
    PX_TRY(words_load(stack->platform, ctx->arena, &words));
    PX_TRY(summary_warnings(changes, &words, &warnings));
    PX_TRY(px_buf_fault(&warnings));
    if (px_str_eq(px_str_trim(px_buf_str(&warnings)), S("[]"))) return 0;
    return action_fail(
        ctx, ACTION_REFUSED,
        "%.*s: the way back would lose data, and nobody was asked: %.*s; prism rollback shows it and asks, after prism pipeline abort --leave",
        PX_FMT(stack->label), PX_FMT(px_buf_str(&warnings)));
}

/* ---- back ---- */

static int note_beginning(struct action_context *ctx, const struct terraform_stack *stack,
                          const struct changes *changes)
{
    struct px_str document, digest;
    PX_TRY(terraform_plan_document(ctx, changes, &document, &digest));
    struct px_str note = px_arena_printf(
        ctx->arena,
        "{\"event\":\"restore-begins\",\"of_run\":%u,\"release\":\"%.*s\",\"digest\":\"%.*s\"}",
        stack->record->run, PX_FMT(stack->record->release.id), PX_FMT(digest));
    if (!note.ptr) return px_arena_fault(ctx->arena);
    PX_TRY(action_keep(ctx, S("restore.json"), document));
    return action_note(ctx, note);
}

static int apply(struct action_context *ctx, struct terraform_stack *stack,
                 const struct changes *changes, const char *path)
{
    if (!changes_any(changes)) return 0;
    int r = check_loss(ctx, stack, changes);
    if (r != 0) return r;
    PX_TRY(note_beginning(ctx, stack, changes));
    stack->tf.secrets = changes;
    stack->tf.total = changes->count;
    action_say(ctx, "%.*s: going back to release %.*s with %zu changes", PX_FMT(stack->label),
               PX_FMT(stack->record->release.id), changes->count);
    return terraform_stack_answer(ctx, stack, terraform_apply(&stack->tf, path));
}

static int restore(struct action_context *ctx, struct terraform_stack *stack,
                   yyjson_val **ret_result)
{
    struct changes changes;
    struct px_str path = px_arena_printf(ctx->arena, "%s/restore.tfplan", stack->tf.data_dir);
    if (!path.ptr) return px_arena_fault(ctx->arena);
    int r = terraform_stack_answer(ctx, stack, terraform_init(&stack->tf));
    if (r != 0) return r;
    action_say(ctx, "%.*s: planning the way back to release %.*s", PX_FMT(stack->label),
               PX_FMT(stack->record->release.id));
    r = terraform_stack_answer(ctx, stack,
                               terraform_plan(&stack->tf, TERRAFORM_PLAN, path.ptr, &changes));
    if (r == 0) r = apply(ctx, stack, &changes, path.ptr);
    (void)unlink(path.ptr);
    PX_TRY(r < 0 ? r : action_keep(ctx, S("restore.log"), px_buf_str(&stack->said)));
    if (r != 0) return r;
    PX_TRY(terraform_record_finish(ctx, stack));
    struct px_str summary = px_arena_printf(
        ctx->arena, "%.*s is back at release %.*s of run %u: %zu changes", PX_FMT(stack->label),
        PX_FMT(stack->record->release.id), stack->record->run, changes.count);
    return summary.ptr ? give(ctx, "summary", summary, ret_result) : px_arena_fault(ctx->arena);
}

static int run(struct action_context *ctx, yyjson_val *with, yyjson_val **ret_result)
{
    PX_AUTO(terraform_stack_close) struct terraform_stack stack = {0};
    const struct deployed_shelf shelf = deployed_shelf_of(ctx);
    struct px_str step = {0};
    struct deployed_head head;
    struct deployed_record record;
    uint32_t before = 0;
    yyjson_val *planned = action_result_of(ctx, px_json_str(with, "plan"), &step);
    yyjson_val *as = px_json_obj(planned, "with");
    if (!as)
        return give(ctx, "summary", S("nothing was planned, and so nothing applied"), ret_result);
    const struct deployed_unit unit = terraform_unit(ctx, as);
    PX_TRY(deployed_head_read(&shelf, &unit, ctx->arena, &head));
    if (head.begun != terraform_run(ctx) && head.record != terraform_run(ctx))
        return give(ctx, "summary", S("nothing was applied"), ret_result);
    PX_TRY(deployed_before(&shelf, &unit, &head, terraform_run(ctx), ctx->arena, &before));
    if (before == 0)
        return give(
            ctx, "left",
            S("it is the first delivery there, so there is nothing to go back to, and nothing is destroyed: mend the release and deliver it, or take down by hand what stands"),
            ret_result);
    PX_TRY(deployed_record_read(&shelf, &unit, before, ctx->arena, &record));
    int r = check_contract(ctx, &head, &record);
    if (r == 0) r = terraform_stack_open_record(ctx, as, &record, &stack);
    return r == 0 ? restore(ctx, &stack, ret_result) : r;
}

static struct px_str describe(struct px_arena *arena, yyjson_val *with)
{
    (void)with, (void)arena;
    return S("applies again what stood there before the run");
}

const struct action action_terraform_restore = {
    .name = "terraform-restore",
    .summary = "undo of terraform-apply: what stood there before is applied again",
    ACTION_FIELDS(fields),
    .run = run,
    .describe = describe,
};
