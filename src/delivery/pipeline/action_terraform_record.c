/* delivery/pipeline/action_terraform_record.c - what is applied to a stack is written down as a whole, and laid out again from that.
 *
 * Values of variables that are marked sensitive are kept nowhere, and do not go back: those of now are taken, from the
 * configuration of the step that planned or from TF_VAR_<name>. */
#include <stdlib.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_json.h"
#include "delivery/pipeline/action_terraform.h"
#include "delivery/pipeline/contract.h"
#include "delivery/pipeline/sources.h"
#include "store/digest.h"
#include "store/objects.h"

#define FILE_BYTES_MAX (16u << 20)

struct deployed_unit terraform_unit(const struct action_context *ctx, yyjson_val *with)
{
    struct px_str stack = px_json_str(with, "stack");
    return (struct deployed_unit){.environment = ctx->environment,
                                  .name = px_str_eq(stack, S("region")) ? ctx->region : stack};
}

uint32_t terraform_run(const struct action_context *ctx)
{
    uint64_t run = 0;
    return px_str_to_u64(ctx->run, &run) ? (uint32_t)run : 0;
}

/* ---- kept ---- */

static void add_filtered(struct px_buf *buf, yyjson_val *root, const struct changes *changes,
                         struct px_buf *withheld)
{
    size_t i, n;
    yyjson_val *name, *value;
    char sep = '{';
    yyjson_obj_foreach(root, i, n, name, value)
    {
        if (changes_is_secret(changes, px_json_val_str(name))) {
            if (withheld->len > 1) px_buf_add_char(withheld, ',');
            px_buf_add_json_str(withheld, px_json_val_str(name));
            continue;
        }
        px_buf_add_char(buf, sep);
        px_buf_add_json_str(buf, px_json_val_str(name));
        px_buf_add_char(buf, ':');
        px_buf_add_json(buf, value);
        sep = ',';
    }
    px_buf_add_c(buf, sep == '{' ? "{}\n" : "}\n");
}

static bool holds_secret(yyjson_val *root, const struct changes *changes)
{
    size_t i, n;
    yyjson_val *name, *value;
    yyjson_obj_foreach(root, i, n, name,
                       value) if (changes_is_secret(changes, px_json_val_str(name))) return true;
    return false;
}

/* A file of variables without those that are sensitive. One in another language than JSON is kept whole, or not at all. */
static int add_variables(struct action_context *ctx, const char *path,
                         const struct changes *changes, struct px_buf *list,
                         struct px_buf *withheld)
{
    PX_AUTO(px_buf_deinit_wiped) struct px_buf content, kept;
    yyjson_val *root = NULL;
    char hash[DIGEST_HEX_BYTES];
    px_buf_init(&content, FILE_BYTES_MAX);
    px_buf_init(&kept, FILE_BYTES_MAX);
    int r = px_file_read(path, &content);
    if (r > 0) return px_fault(PX_F_CONFIG, "%s is gone or too large", path);
    PX_TRY(r);
    digest_of(px_buf_str(&content), hash);
    px_buf_add_c(list, list->len > 1 ? ",{\"name\":" : "{\"name\":");
    px_buf_add_json_str(list, px_str_c(strrchr(path, '/') + 1));
    px_buf_printf(list, ",\"sha256\":\"%s\"", hash);
    r = px_json_parse(px_buf_str(&content), ctx->arena, &root, NULL);
    if (r < 0) return px_fold(r, __FILE__, __LINE__);
    bool is_json = r == 0 && yyjson_is_obj(root);
    bool secret = is_json ? holds_secret(root, changes) : changes_is_secret(changes, S(""));
    if (secret && is_json)
        add_filtered(&kept, root, changes, withheld);
    else if (!secret && px_utf8_ok(px_buf_str(&content)))
        px_buf_add_str(&kept, px_buf_str(&content)); /* byte by byte */
    PX_TRY(px_buf_fault(&kept));
    if (kept.len > 0) {
        px_buf_add_c(list, ",\"text\":");
        px_buf_add_json_str(list, px_buf_str(&kept));
    }
    px_buf_add_char(list, '}');
    return 0;
}

static int keep_variables(struct action_context *ctx, const struct terraform_stack *stack,
                          const struct changes *changes, struct deployed_record *record)
{
    PX_AUTO(px_buf_deinit) struct px_buf list, withheld;
    px_buf_init(&list, 2 * FILE_BYTES_MAX);
    px_buf_init(&withheld, 1u << 16);
    px_buf_add_char(&list, '[');
    px_buf_add_char(&withheld, '[');
    for (size_t i = 0; stack->tf.var_files[i]; i++)
        PX_TRY(add_variables(ctx, stack->tf.var_files[i], changes, &list, &withheld));
    px_buf_add_char(&list, ']');
    px_buf_add_char(&withheld, ']');
    PX_TRY(action_result(ctx, &list, &record->variables));
    return action_result(ctx, &withheld, &record->withheld);
}

static int keep_sources(struct action_context *ctx, const struct terraform_stack *stack,
                        struct deployed_record *record)
{
    PX_AUTO(px_buf_deinit) struct px_buf text, there;
    char hash[DIGEST_HEX_BYTES], key[128];
    px_buf_init(&text, SOURCES_BYTES_MAX);
    px_buf_init(&there, 1);
    PX_TRY(sources_gather(stack->infra, stack->platform, &text));
    digest_of(px_buf_str(&text), hash);
    record->sources = px_arena_dup(ctx->arena, px_str_c(hash));
    if (!record->sources.ptr) return px_arena_fault(ctx->arena);
    struct px_str name = deployed_sources_key(record->sources, key);
    int r = action_shelf_get(ctx, name, &there);
    if (r == OBJECT_TOO_LARGE) return 0; /* it is there */
    if (r < 0) return px_fold(r, __FILE__, __LINE__);
    return action_shelf_put(ctx, name, px_buf_str(&text));
}

int terraform_record_begin(struct action_context *ctx, const struct terraform_stack *stack,
                           const struct changes *changes, struct px_str plan)
{
    const struct deployed_shelf shelf = deployed_shelf_of(ctx);
    const uint32_t run = terraform_run(ctx);
    struct deployed_head head;
    PX_TRY(deployed_head_read(&shelf, &stack->unit, ctx->arena, &head));
    if (!stack->record) {
        struct deployed_record record = {.run = run,
                                         .step = ctx->step,
                                         .stack = stack->name,
                                         .release = ctx->release,
                                         .plan = plan};
        PX_TRY(deployed_before(&shelf, &stack->unit, &head, run, ctx->arena, &record.before));
        PX_TRY(keep_variables(ctx, stack, changes, &record));
        PX_TRY(keep_sources(ctx, stack, &record));
        PX_TRY(deployed_record_write(&shelf, &stack->unit, &record));
    }
    const struct action_release *release = stack->record ? &stack->record->release : &ctx->release;
    head.begun = run;
    head.begun_release = release->id;
    head.floor = contract_floor_after(release->document, head.floor);
    return deployed_head_write(&shelf, &stack->unit, &head);
}

int terraform_record_finish(struct action_context *ctx, const struct terraform_stack *stack)
{
    const struct deployed_shelf shelf = deployed_shelf_of(ctx);
    struct deployed_head head;
    PX_TRY(deployed_head_read(&shelf, &stack->unit, ctx->arena, &head));
    head.record = stack->record ? stack->record->run : terraform_run(ctx);
    head.begun = 0;
    head.begun_release = S("");
    deployed_add_run(&head, head.record);
    return deployed_head_write(&shelf, &stack->unit, &head);
}

/* ---- laid out ---- */

static int lay_sources(struct action_context *ctx, const struct deployed_record *record,
                       const char *dir)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    char hash[DIGEST_HEX_BYTES], key[128];
    px_buf_init(&text, SOURCES_BYTES_MAX);
    int r = action_shelf_get(ctx, deployed_sources_key(record->sources, key), &text);
    if (r > 0)
        return action_fail(ctx, ACTION_REFUSED,
                           "the sources of run %u are not in the pipeline's store any more (%s)",
                           record->run, key);
    PX_TRY(r);
    digest_of(px_buf_str(&text), hash);
    if (!px_str_eq(px_str_c(hash), record->sources))
        return action_fail(ctx, ACTION_REFUSED, "%s was changed in the pipeline's store", key);
    PX_TRY(px_dir_remove(dir));
    return sources_lay_out(px_buf_str(&text), dir);
}

static int lay_variables(struct action_context *ctx, struct terraform_stack *stack, const char *dir)
{
    const struct deployed_record *record = stack->record;
    size_t i, n;
    yyjson_val *file;
    px_json_arr_foreach(record->variables, i, n, file)
    {
        struct px_str name = px_json_str(file, "name"), text = px_json_str(file, "text");
        if (!text.ptr)
            return action_fail(
                ctx, ACTION_REFUSED,
                "%.*s of run %u holds sensitive values and is no JSON, so it was not kept; deliver that release again",
                PX_FMT(name), record->run);
        struct px_str path = px_arena_printf(ctx->arena, "%s/%02zu-%.*s", dir, i, PX_FMT(name));
        if (!path.ptr) return px_arena_fault(ctx->arena);
        if (memchr(name.ptr, '/', name.len) || i + 1 >= TERRAFORM_VAR_FILES_MAX)
            return px_fault(PX_F_CORRUPT, "a record with variables %.*s", PX_FMT(name));
        PX_TRY(px_file_write_atomic(path.ptr, text, 0600));
        stack->tf.var_files[i] = path.ptr;
    }
    return 0;
}

/* A variable's value of now, from the files that the step would plan with; NULL: they do not say. */
static yyjson_val *value_of_now(struct action_context *ctx, yyjson_val *with, struct px_str name)
{
    struct px_str config = px_json_str(with, "config");
    struct deployed_unit unit = terraform_unit(ctx, with);
    yyjson_val *files = px_json_arr(with, "var_files"), *all = NULL, *found = NULL, *file;
    size_t i, n;
    struct px_str paths[17] = {{0}};
    size_t count = 0;
    if (config.len > 0)
        paths[count++] = px_arena_printf(ctx->arena, "%.*s/%.*s.tfvars.json", PX_FMT(config),
                                         PX_FMT(unit.name));
    px_json_arr_foreach(files, i, n, file) if (count < PX_COUNT(paths))
        paths[count++] = px_json_val_str(file);
    for (i = 0; i < count; i++) {
        struct px_str path = paths[i].len > 0 && paths[i].ptr[0] == '/'
                                 ? px_arena_dup(ctx->arena, paths[i])
                                 : px_arena_printf(ctx->arena, "%s/%.*s", ctx->root,
                                                   PX_FMT(paths[i]));
        if (!path.ptr || access(path.ptr, R_OK) != 0) continue;
        if (px_json_load(path.ptr, FILE_BYTES_MAX, ctx->arena, &all) != 0) continue;
        yyjson_val *value = yyjson_obj_getn(all, name.ptr, name.len);
        if (value) found = value;
    }
    return found;
}

/* What was not kept is as it is now. Answers: ACTION_REFUSED. */
static int lay_withheld(struct action_context *ctx, yyjson_val *with, struct terraform_stack *stack,
                        const char *dir)
{
    const struct deployed_record *record = stack->record;
    PX_AUTO(px_buf_deinit_wiped) struct px_buf text;
    size_t i, n, at = yyjson_arr_size(record->variables);
    yyjson_val *name;
    px_buf_init(&text, FILE_BYTES_MAX);
    px_json_arr_foreach(record->withheld, i, n, name)
    {
        struct px_str plain = px_json_val_str(name);
        struct px_str variable = px_arena_printf(ctx->arena, "TF_VAR_%.*s", PX_FMT(plain));
        if (!variable.ptr) return px_arena_fault(ctx->arena);
        yyjson_val *value = value_of_now(ctx, with, plain);
        if (!value && getenv(variable.ptr)) continue;
        if (!value)
            return action_fail(
                ctx, ACTION_REFUSED,
                "variable %.*s is sensitive and was not kept with the release: set %s",
                PX_FMT(plain), variable.ptr);
        px_buf_add_char(&text, text.len > 0 ? ',' : '{');
        px_buf_add_json_str(&text, plain);
        px_buf_add_char(&text, ':');
        px_buf_add_json(&text, value);
    }
    if (text.len == 0) return 0;
    px_buf_add_c(&text, "}\n");
    PX_TRY(px_buf_fault(&text));
    struct px_str path = px_arena_printf(ctx->arena, "%s/now.tfvars.json", dir);
    if (!path.ptr) return px_arena_fault(ctx->arena);
    stack->secrets = path.ptr;
    PX_TRY(px_file_write_atomic(path.ptr, px_buf_str(&text), 0600));
    stack->tf.var_files[at] = path.ptr;
    return 0;
}

int terraform_record_lay_out(struct action_context *ctx, yyjson_val *with,
                             struct terraform_stack *stack)
{
    char real[4096];
    PX_TRY(px_dir_make(ctx->work_dir));
    if (!realpath(ctx->work_dir, real)) return px_fault_errno("%s", ctx->work_dir);
    struct px_str then = px_arena_printf(ctx->arena, "%s/then", real);
    struct px_str variables = px_arena_printf(ctx->arena, "%s/variables", real);
    struct px_str infra = px_arena_printf(ctx->arena, "%.*s/infra", PX_FMT(then));
    if (!then.ptr || !variables.ptr || !infra.ptr) return px_arena_fault(ctx->arena);
    stack->infra = infra.ptr;
    int r = lay_sources(ctx, stack->record, then.ptr);
    if (r != 0) return r;
    PX_TRY(px_dir_remove(variables.ptr));
    PX_TRY(px_dir_make(variables.ptr));
    r = lay_variables(ctx, stack, variables.ptr);
    return r == 0 ? lay_withheld(ctx, with, stack, variables.ptr) : r;
}
