/* delivery/pipeline/action_terraform_apply.c - action terraform-apply: changes a stack as a plan said that was approved, or not at all.
 *
 * The plan is made again here, on the sources and the configuration of the run, and its document's digest is held against the approved
 * one. Equal: Terraform applies just that plan, and refuses when the state changed in between. Another one: refused, with what differs.
 * When this step had begun before (it was killed, it was stopped, Terraform failed half-way), a part of the changes is done already; then
 * the new plan may also be a part of the approved one (changes_within()), and what is left is done. */
#include <stdlib.h>
#include <unistd.h>

#include "base/px_json.h"
#include "delivery/pipeline/action_terraform.h"

#define RESULT_BYTES_MAX (1u << 20)
#define BEGINS "apply-begins"

static const struct action_field fields[] = {
    {"plan", ACTION_STEP, true, 0, 0, NULL}, /* the step that planned */
};

struct approved {
    struct px_str step, digest;
    yyjson_val *result, *document;
};

/* ---- what was approved ---- */

static int find_plan(struct action_context *ctx, yyjson_val *with, struct approved *a)
{
    struct px_str name = px_json_str(with, "plan");
    a->result = action_result_of(ctx, name, &a->step);
    a->digest = px_json_str(a->result, "digest");
    if (a->digest.len == 0)
        return action_fail(ctx, ACTION_REFUSED, "step %.*s made no plan", PX_FMT(name));
    return 0;
}

static int read_document(struct action_context *ctx, struct approved *a)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf = {0};
    char hex[CHANGES_HEX_BYTES];
    px_buf_init(&buf, CHANGES_TEXT_MAX);
    int r = action_kept(ctx, a->step, S("changes.json"), &buf);
    if (r > 0)
        return action_fail(ctx, ACTION_REFUSED, "what %.*s planned is not in the run's store",
                           PX_FMT(a->step));
    PX_TRY(r);
    changes_digest(px_buf_str(&buf), hex);
    if (!px_str_eq(px_str_c(hex), a->digest))
        return action_fail(
            ctx, ACTION_REFUSED,
            "what %.*s planned was changed in the run's store: its digest is %s, not "
            "%.*s",
            PX_FMT(a->step), hex, PX_FMT(a->digest));
    r = px_json_parse(px_buf_str(&buf), ctx->arena, &a->document, NULL);
    return r == 0 ? 0 : r < 0 ? r : px_fault(PX_F_CORRUPT, "changes.json");
}

static bool has_begun(struct action_context *ctx)
{
    size_t i, n;
    yyjson_val *note;
    px_json_arr_foreach(ctx->noted, i, n, note)
    {
        if (px_str_eq(px_json_str(note, "event"), S(BEGINS))) return true;
    }
    return false;
}

/* The variables come from the files that were planned with. */
static int check_files(struct action_context *ctx, const struct approved *a,
                       const struct terraform_stack *stack)
{
    PX_AUTO(px_buf_deinit) struct px_buf now = {0};
    size_t i, n;
    yyjson_val *file, *files;
    px_buf_init(&now, RESULT_BYTES_MAX);
    PX_TRY(terraform_files(stack, &now));
    PX_TRY(px_json_parse(px_buf_str(&now), ctx->arena, &files, NULL));
    yyjson_val *then = px_json_arr(a->result, "files");
    if (yyjson_arr_size(then) != yyjson_arr_size(files))
        return action_fail(ctx, ACTION_REFUSED, "other files of variables than were planned with");
    px_json_arr_foreach(files, i, n, file)
    {
        struct px_str was = px_json_str(yyjson_arr_get(then, i), "sha256");
        if (!px_str_eq(was, px_json_str(file, "sha256")))
            return action_fail(ctx, ACTION_REFUSED,
                               "%.*s changed after the plan was made: plan and approve again",
                               PX_FMT(px_json_str(file, "path")));
    }
    return 0;
}

/* ---- now ---- */

static int refuse(struct action_context *ctx, const struct approved *a, struct px_str now,
                  struct px_str differ, bool begun)
{
    if (differ.len == 0)
        return action_fail(
            ctx, ACTION_REFUSED,
            "a part of what was approved is done already, and not by this step (plan "
            "%.12s was approved, now it is %.12s): plan and approve again",
            a->digest.ptr, now.ptr);
    return action_fail(
        ctx, ACTION_REFUSED,
        "%s (plan %.12s was approved, now it is %.12s): plan and approve again. What "
        "differs:\n%.*s",
        begun ? "what is left to do is not what was approved"
              : "this is not the plan that was approved",
        a->digest.ptr, now.ptr, PX_FMT(differ));
}

/* 0: go on. */
static int hold_against(struct action_context *ctx, const struct approved *a,
                        const struct changes *changes)
{
    PX_AUTO(px_buf_deinit) struct px_buf differ = {0};
    struct px_str document, digest;
    yyjson_val *now;
    bool begun = has_begun(ctx);
    px_buf_init(&differ, 64 * 1024);
    PX_TRY(terraform_plan_document(ctx, changes, &document, &digest));
    if (px_str_eq(digest, a->digest) || !changes_any(changes)) return 0;
    PX_TRY(px_json_parse(document, ctx->arena, &now, NULL));
    int r = changes_within(now, a->document, ctx->arena, &differ);
    if (r == 0 && begun) return 0;
    if (r < 0) return r;
    return refuse(ctx, a, digest, px_buf_str(&differ), begun);
}

static int note_beginning(struct action_context *ctx, const struct approved *a)
{
    struct px_str note = px_arena_printf(
        ctx->arena, "{\"event\":\"" BEGINS "\",\"digest\":\"%.*s\"}", PX_FMT(a->digest));
    if (!note.ptr) return px_arena_fault(ctx->arena);
    return action_note(ctx, note);
}

static int give_result(struct action_context *ctx, const struct approved *a,
                       const struct terraform_stack *stack, const struct changes *changes,
                       yyjson_val **ret_result)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf = {0};
    px_buf_init(&buf, RESULT_BYTES_MAX);
    struct px_str summary = px_arena_printf(
        ctx->arena, "%.*s: %zu made, %zu changed in place, %zu replaced, %zu destroyed",
        PX_FMT(stack->label), changes->counts[CHANGE_CREATE], changes->counts[CHANGE_UPDATE],
        changes->counts[CHANGE_REPLACE], changes->counts[CHANGE_DESTROY]);
    if (!summary.ptr) return px_arena_fault(ctx->arena);
    px_buf_printf(&buf, "{\"plan\":\"%.*s\",\"summary\":", PX_FMT(a->digest));
    px_buf_add_json_str(&buf, summary);
    px_buf_add_str(&buf, S(",\"with\":"));
    px_buf_add_json(&buf, px_json_obj(a->result, "with"));
    px_buf_add_char(&buf, '}');
    PX_TRY(px_buf_fault(&buf));
    return action_result(ctx, &buf, ret_result);
}

static int apply_plan(struct action_context *ctx, const struct approved *a,
                      struct terraform_stack *stack, const struct changes *changes,
                      const char *path)
{
    PX_TRY(terraform_record_begin(ctx, stack, changes, a->digest));
    if (!changes_any(changes)) return 0; /* it ended, and only that was not told */
    PX_TRY(note_beginning(ctx, a));
    stack->tf.secrets = changes;
    stack->tf.total = changes->count;
    action_say(ctx, "%.*s: applying %zu changes", PX_FMT(stack->label), changes->count);
    return terraform_stack_answer(ctx, stack, terraform_apply(&stack->tf, path));
}

static int apply(struct action_context *ctx, const struct approved *a,
                 struct terraform_stack *stack, yyjson_val **ret_result)
{
    struct changes changes;
    struct px_str path = px_arena_printf(ctx->arena, "%s/apply.tfplan", stack->tf.data_dir);
    if (!path.ptr) return px_arena_fault(ctx->arena);
    int r = check_files(ctx, a, stack);
    if (r == 0) r = terraform_stack_answer(ctx, stack, terraform_init(&stack->tf));
    if (r != 0) return r;
    action_say(ctx, "%.*s: planning again", PX_FMT(stack->label));
    r = terraform_stack_answer(ctx, stack,
                               terraform_plan(&stack->tf, TERRAFORM_PLAN, path.ptr, &changes));
    if (r == 0) r = hold_against(ctx, a, &changes);
    if (r == 0) r = apply_plan(ctx, a, stack, &changes, path.ptr);
    if (r == 0) r = terraform_record_finish(ctx, stack);
    (void)unlink(path.ptr);
    PX_TRY(r < 0 ? r : action_keep(ctx, S("terraform.log"), px_buf_str(&stack->said)));
    return r != 0 ? r : give_result(ctx, a, stack, &changes, ret_result);
}

static int run(struct action_context *ctx, yyjson_val *with, yyjson_val **ret_result)
{
    PX_AUTO(terraform_stack_close) struct terraform_stack stack = {0};
    struct approved a = {0};
    int r = find_plan(ctx, with, &a);
    if (r == 0) r = read_document(ctx, &a);
    if (r == 0) r = terraform_stack_open(ctx, px_json_obj(a.result, "with"), &stack);
    if (r == 0) r = terraform_stack_check(ctx, &stack);
    return r != 0 ? r : apply(ctx, &a, &stack, ret_result);
}

static struct px_str describe(struct px_arena *arena, yyjson_val *with)
{
    return px_arena_printf(arena, "applies what %.*s planned", PX_FMT(px_json_str(with, "plan")));
}

const struct action action_terraform_apply = {
    .name = "terraform-apply",
    .summary = "changes a stack as a plan said that was approved, or not at all",
    ACTION_FIELDS(fields),
    .run = run,
    .describe = describe,
};
