/* delivery/pipeline/action_terraform.c - one stack of the run's environment, opened from a step's parameters. */
#include "delivery/pipeline/action_terraform.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_json.h"
#include "delivery/pipeline/release_machines.h"
#include "delivery/pipeline/signed.h"

#define SAID_BYTES_MAX (4u << 20)
#define GRACE_MS 600000 /* for what runs when it is stopped: a database takes minutes */
#define FILE_BYTES_MAX (16u << 20)

/* ---- looking on ---- */

static bool stop(void *ctx) { return action_cancelled(ctx); }

static void said(void *ctx, struct px_str line) { action_say(ctx, "%.*s", PX_FMT(line)); }

/* ---- where things are ---- */

static const char *text(struct action_context *ctx, const char *fmt, struct px_str a,
                        struct px_str b)
{
    return px_arena_printf(ctx->arena, fmt, PX_FMT(a), PX_FMT(b)).ptr;
}

/* Absolute, for Terraform runs in its stack's folder. */
static const char *absolute(struct action_context *ctx, struct px_str path)
{
    char here[PATH_MAX];
    if (px_str_starts(path, S("/"))) return px_arena_cstr(ctx->arena, path);
    const char *root = ctx->root ? ctx->root : ".";
    if (root[0] == '/') return text(ctx, "%.*s/%.*s", px_str_c(root), path);
    if (!getcwd(here, sizeof here)) return NULL;
    const char *base = strcmp(root, ".") == 0
                           ? here
                           : text(ctx, "%.*s/%.*s", px_str_c(here), px_str_c(root));
    return base ? text(ctx, "%.*s/%.*s", px_str_c(base), path) : NULL;
}

static bool is_region(struct px_str stack) { return px_str_eq(stack, S("region")); }

static int set_place(struct action_context *ctx, yyjson_val *with, struct terraform_stack *stack)
{
    struct px_str name = px_json_str(with, "stack"), infra = px_json_str(with, "infra");
    const char *folder = stack->infra ? stack->infra
                                      : absolute(ctx, infra.len > 0 ? infra : S("infra"));
    const char *work = absolute(ctx, px_str_c(ctx->work_dir));
    if (!folder || !work) return px_arena_fault(ctx->arena);
    if (memchr(name.ptr, '/', name.len) || name.ptr[0] == '.')
        return action_fail(ctx, ACTION_REFUSED, "stack: \"%.*s\" is no name of a folder",
                           PX_FMT(name));
    if (is_region(name) && ctx->region.len == 0)
        return action_fail(ctx, ACTION_REFUSED,
                           "the stack of a region is for steps of a wave (region_steps)");
    stack->infra = folder;
    stack->name = name;
    stack->unit = terraform_unit(ctx, with);
    const char *sources = text(ctx, "%.*s/%.*s", px_str_c(folder), name);
    const char *view = text(ctx, "%.*s/%.*s", px_str_c(work), S("sources"));
    stack->tf.data_dir = text(ctx, "%.*s/%.*s", px_str_c(work), S("terraform"));
    stack->platform = absolute(ctx, S("platform"));
    stack->label = is_region(name) ? px_arena_printf(ctx->arena, "region %.*s of %.*s",
                                                     PX_FMT(ctx->region), PX_FMT(ctx->environment))
                                   : px_arena_printf(ctx->arena, "%.*s of %.*s", PX_FMT(name),
                                                     PX_FMT(ctx->environment));
    const char *stack_name = px_arena_cstr(ctx->arena, name);
    if (!sources || !view || !stack->tf.data_dir || !stack->platform || !stack->label.ptr ||
        !stack_name)
        return px_arena_fault(ctx->arena);
    if (access(sources, R_OK | X_OK) != 0)
        return action_fail(ctx, ACTION_REFUSED, "%s: %m", sources);
    PX_TRY(px_dir_make(view));
    return terraform_view(folder, stack_name, view, ctx->arena, &stack->tf.dir);
}

/* ---- backend ---- */

static int add_setting(struct action_context *ctx, struct terraform *tf, struct px_str name,
                       struct px_str value)
{
    size_t n = 0;
    while (tf->backend[n]) n++;
    if (n == TERRAFORM_SETTINGS_MAX)
        return action_fail(ctx, ACTION_REFUSED, "backend: more than %d settings",
                           TERRAFORM_SETTINGS_MAX);
    tf->backend[n] = text(ctx, "%.*s=%.*s", name, value);
    return tf->backend[n] ? 0 : px_arena_fault(ctx->arena);
}

static int set_backend(struct action_context *ctx, yyjson_val *with, struct terraform_stack *stack)
{
    static const struct {
        const char *name, *variable;
    } usual[] = {{"bucket", "PRISM_STATE_BUCKET"}, {"region", "PRISM_STATE_REGION"}};
    yyjson_val *backend = px_json_obj(with, "backend"), *key, *value;
    struct px_str name = px_json_str(with, "stack");
    size_t i, n;
    px_json_obj_foreach(backend, i, n, key, value)
    {
        if (!yyjson_is_str(value))
            return action_fail(ctx, ACTION_REFUSED, "backend.%s: needs to be a text",
                               yyjson_get_str(key));
        int r = add_setting(ctx, &stack->tf, px_json_val_str(key), px_json_val_str(value));
        if (r != 0) return r;
    }
    if (backend && yyjson_obj_get(backend, "path")) return 0; /* a file: it is none of S3 */
    for (i = 0; i < PX_COUNT(usual); i++) {
        const char *set = getenv(usual[i].variable);
        if (backend && yyjson_obj_get(backend, usual[i].name)) continue;
        if (!set || !set[0])
            return action_fail(
                ctx, ACTION_REFUSED,
                "where Terraform's state is must be said: set %s, or backend.%s of the "
                "step",
                usual[i].variable, usual[i].name);
        int r = add_setting(ctx, &stack->tf, px_str_c(usual[i].name), px_str_c(set));
        if (r != 0) return r;
    }
    if (backend && yyjson_obj_get(backend, "key")) return 0;
    struct px_str state = px_arena_printf(ctx->arena, "prism/%.*s/%.*s.tfstate",
                                          PX_FMT(ctx->environment),
                                          PX_FMT(is_region(name) ? ctx->region : name));
    if (!state.ptr) return px_arena_fault(ctx->arena);
    return add_setting(ctx, &stack->tf, S("key"), state);
}

/* ---- variables ---- */

static int add_file(struct action_context *ctx, struct terraform *tf, const char *path)
{
    size_t n = 0;
    while (tf->var_files[n]) n++;
    if (!path) return px_arena_fault(ctx->arena);
    if (n == TERRAFORM_VAR_FILES_MAX)
        return action_fail(ctx, ACTION_REFUSED, "more than %d files of variables",
                           TERRAFORM_VAR_FILES_MAX);
    if (access(path, R_OK) != 0) return action_fail(ctx, ACTION_REFUSED, "%s: %m", path);
    tf->var_files[n] = path;
    return 0;
}

/* Of a region that takes signed ZIPs only. Answers: ACTION_REFUSED, said. */
static int add_signed(struct action_context *ctx, yyjson_val *artifacts, struct px_buf *buf)
{
    const struct deployed_shelf shelf = deployed_shelf_of(ctx);
    struct px_str missing = {0};
    int r = signed_artifacts(&shelf, ctx->environment, ctx->region, artifacts, ctx->arena, buf,
                             &missing);
    if (r == SIGNED_ABSENT)
        return action_fail(ctx, ACTION_REFUSED,
                           "%.*s takes signed code only (code_signing), and %.*s of release %.*s "
                           "is not signed for it: a step `sign` before this one does that",
                           PX_FMT(ctx->region), PX_FMT(missing), PX_FMT(ctx->release.id));
    return r;
}

/* What the release brings: the digests of what functions run. tfvars: the region's rendered variables; NULL: none are known. */
static int add_artifacts(struct action_context *ctx, const char *tfvars, struct terraform *tf)
{
    bool is_signed = false;
    PX_AUTO(px_buf_deinit) struct px_buf buf = {0};
    yyjson_val *artifacts = px_json_obj(ctx->release.document, "artifacts");
    const char *path = absolute(ctx, px_str_c(ctx->work_dir));
    if (!artifacts) return 0;
    path = path ? text(ctx, "%.*s/%.*s", px_str_c(path), S("artifacts.tfvars.json")) : NULL;
    if (!path) return px_arena_fault(ctx->arena);
    px_buf_init(&buf, FILE_BYTES_MAX);
    if (tfvars) PX_TRY(signed_is_wanted(tfvars, ctx->arena, &is_signed));
    px_buf_add_str(&buf, S("{\"artifacts\":"));
    int r = is_signed ? add_signed(ctx, artifacts, &buf) : 0;
    if (r != 0) return r;
    if (!is_signed) px_buf_add_json(&buf, artifacts);
    px_buf_add_str(&buf, S("}\n"));
    PX_TRY(px_buf_fault(&buf));
    PX_TRY(px_file_write_atomic(path, px_buf_str(&buf), 0600));
    return add_file(ctx, tf, path);
}

static int set_variables(struct action_context *ctx, yyjson_val *with,
                         struct terraform_stack *stack)
{
    struct px_str config = px_json_str(with, "config"), name = px_json_str(with, "stack");
    const char *tfvars = NULL;
    yyjson_val *file;
    size_t i, n;
    int r = 0;
    if (config.len > 0) {
        struct px_str path = px_arena_printf(ctx->arena, "%.*s/%.*s.tfvars.json", PX_FMT(config),
                                             PX_FMT(is_region(name) ? ctx->region : name));
        if (!path.ptr) return px_arena_fault(ctx->arena);
        tfvars = absolute(ctx, path);
        r = add_file(ctx, &stack->tf, tfvars);
    }
    if (r == 0 && is_region(name)) r = add_artifacts(ctx, tfvars, &stack->tf);
    px_json_arr_foreach(px_json_arr(with, "var_files"), i, n, file)
    {
        if (r == 0) r = add_file(ctx, &stack->tf, absolute(ctx, px_json_val_str(file)));
    }
    return r;
}

/* ---- the stack ---- */

static int open_stack(struct action_context *ctx, yyjson_val *with, struct deployed_record *record,
                      struct terraform_stack *ret_stack)
{
    struct px_str program = px_json_str(with, "program"), cache = px_json_str(with, "plugin_cache");
    *ret_stack = (struct terraform_stack){
        .record = record,
        .host = {.stop = stop, .said = said, .ctx = ctx},
        .tf = {.program = program.len > 0 ? px_arena_cstr(ctx->arena, program) : "terraform",
               .plugin_cache = cache.len > 0 ? absolute(ctx, cache) : NULL,
               .lock_timeout_s = px_json_i64(with, "lock_timeout_s", 300),
               .parallelism = (int)px_json_i64(with, "parallelism", 0),
               .deadline_ns = ctx->deadline_ns,
               .grace_ms = GRACE_MS,
               .clock = ctx->clock,
               .arena = ctx->arena}};
    px_buf_init(&ret_stack->said, SAID_BYTES_MAX);
    px_buf_init(&ret_stack->error, SAID_BYTES_MAX);
    if (!ret_stack->tf.program || (cache.len > 0 && !ret_stack->tf.plugin_cache))
        return px_arena_fault(ctx->arena);
    int r = record ? terraform_record_lay_out(ctx, with, ret_stack) : 0;
    if (r == 0) r = set_place(ctx, with, ret_stack);
    if (r == 0) r = set_backend(ctx, with, ret_stack);
    if (r == 0 && !record) r = set_variables(ctx, with, ret_stack);
    ret_stack->tf.host = &ret_stack->host;
    ret_stack->tf.said = &ret_stack->said;
    ret_stack->tf.error = &ret_stack->error;
    return r;
}

int terraform_stack_open_record(struct action_context *ctx, yyjson_val *with,
                                struct deployed_record *record, struct terraform_stack *ret_stack)
{
    return open_stack(ctx, with, record, ret_stack);
}

int terraform_stack_open(struct action_context *ctx, yyjson_val *with,
                         struct terraform_stack *ret_stack)
{
    const struct deployed_shelf shelf = deployed_shelf_of(ctx);
    const struct deployed_unit unit = terraform_unit(ctx, with);
    struct px_str release = px_json_str(with, "release");
    struct deployed_head head;
    *ret_stack = (struct terraform_stack){.record = NULL};
    if (release.len == 0) return open_stack(ctx, with, NULL, ret_stack);
    struct deployed_record *record = px_arena_new(ctx->arena, struct deployed_record);
    if (!record) return px_arena_fault(ctx->arena);
    PX_TRY(deployed_head_read(&shelf, &unit, ctx->arena, &head));
    int r = deployed_find(&shelf, &unit, &head, release, ctx->arena, record);
    if (r > 0)
        return action_fail(ctx, ACTION_REFUSED, "release %.*s was never applied to %.*s of %.*s",
                           PX_FMT(release), PX_FMT(unit.name), PX_FMT(unit.environment));
    return r == 0 ? open_stack(ctx, with, record, ret_stack) : r;
}

int terraform_stack_check(struct action_context *ctx, const struct terraform_stack *stack)
{
    if (stack->record || !is_region(stack->name)) return 0;
    return release_machines_check(ctx, stack->platform);
}

void terraform_stack_close(struct terraform_stack *stack)
{
    if (stack->secrets) (void)unlink(stack->secrets);
    px_buf_deinit(&stack->said);
    px_buf_deinit(&stack->error);
}

int terraform_stack_answer(struct action_context *ctx, struct terraform_stack *stack, int answer)
{
    struct px_str error = px_buf_str(&stack->error);
    switch (answer) {
    case TERRAFORM_CANCELLED: return ACTION_CANCELLED;
    case TERRAFORM_LATE:
        return action_fail(ctx, ACTION_FAILED, "%.*s: Terraform did not end in time",
                           PX_FMT(stack->label));
    case TERRAFORM_LOCKED:
        return action_fail(
            ctx, ACTION_FAILED,
            "%.*s: somebody else is at work on its state. When nobody is (a machine "
            "was lost), `terraform force-unlock ID` with the lock's ID frees it. %.*s",
            PX_FMT(stack->label), PX_FMT(error));
    case TERRAFORM_STALE:
        return action_fail(ctx, ACTION_FAILED,
                           "%.*s: its state was changed while the plan was made; try again",
                           PX_FMT(stack->label));
    case TERRAFORM_FAILED:
        return action_fail(ctx, ACTION_FAILED, "%.*s: %.*s", PX_FMT(stack->label), PX_FMT(error));
    default: return answer;
    }
}

/* ---- parts ---- */

int terraform_plan_document(struct action_context *ctx, const struct changes *changes,
                            struct px_str *ret_document, struct px_str *ret_digest)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf = {0};
    char hex[CHANGES_HEX_BYTES];
    px_buf_init(&buf, CHANGES_TEXT_MAX);
    PX_TRY(changes_document(changes, &buf));
    changes_digest(px_buf_str(&buf), hex);
    struct px_str document = px_arena_dup(ctx->arena, px_buf_str(&buf));
    struct px_str digest = px_arena_dup(ctx->arena, px_str_c(hex));
    if (!document.ptr || !digest.ptr) return px_arena_fault(ctx->arena);
    *ret_document = document;
    *ret_digest = digest;
    return 0;
}

int terraform_files(const struct terraform_stack *stack, struct px_buf *buf)
{
    px_buf_add_char(buf, '[');
    for (size_t i = 0; stack->tf.var_files[i]; i++) {
        PX_AUTO(px_buf_deinit) struct px_buf content = {0};
        char hex[CHANGES_HEX_BYTES];
        px_buf_init(&content, FILE_BYTES_MAX);
        int r = px_file_read(stack->tf.var_files[i], &content);
        if (r > 0)
            return px_fault(PX_F_CONFIG, "%s is gone, or larger than %u MiB",
                            stack->tf.var_files[i], FILE_BYTES_MAX >> 20);
        PX_TRY(r);
        changes_digest(px_buf_str(&content), hex);
        px_buf_add_str(buf, i > 0 ? S(",{\"path\":") : S("{\"path\":"));
        px_buf_add_json_str(buf, px_str_c(stack->tf.var_files[i]));
        px_buf_printf(buf, ",\"sha256\":\"%s\"}", hex);
    }
    px_buf_add_char(buf, ']');
    return 0;
}
