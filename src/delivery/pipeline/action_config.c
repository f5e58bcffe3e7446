/* delivery/pipeline/action_config.c - action config-render: an environment's settings, as files of variables for Terraform.
 *
 * An environment with a fault is not rendered: the step is refused with all that is wrong, and no file is there. What is rendered is
 * kept with the run as well, since a run that waited for an approval may go on on another machine. */
#include "base/px_file.h"
#include "base/px_json.h"
#include "config/config.h"
#include "delivery/pipeline/builtin.h"
#include "store/digest.h"

#define FILE_BYTES_MAX ((size_t)16 << 20)
#define SAID_BYTES_MAX 4000u

static const struct action_field fields[] = {
    {"out", ACTION_TEXT, true, 0, 0, NULL},          /* folder; made */
    {"environment", ACTION_TEXT, false, 0, 0, NULL}, /* default: the stage's */
    {"platform", ACTION_TEXT, false, 0, 0, NULL},    /* default platform */
    {"infra", ACTION_TEXT, false, 0, 0, NULL},       /* default infra */
};

static const char *below_root(struct action_context *ctx, struct px_str given, struct px_str usual)
{
    struct px_str path = given.len > 0 ? given : usual;
    if (path.ptr[0] == '/') return px_arena_cstr(ctx->arena, path);
    return px_arena_printf(ctx->arena, "%s/%.*s", ctx->root, PX_FMT(path)).ptr;
}

/* ---- faults ---- */

static int refuse(struct action_context *ctx, const struct config_report *report)
{
    PX_AUTO(px_buf_deinit) struct px_buf said;
    px_buf_init(&said, SAID_BYTES_MAX);
    for (size_t i = 0; i < report->count; i++) {
        const struct config_fault *fault = &report->faults[i];
        px_buf_printf(&said, "%s%.*s:%u:%u: %.*s: %.*s; fix: %.*s", i > 0 ? "\n" : "",
                      PX_FMT(fault->place.file), fault->place.line, fault->place.column,
                      PX_FMT(fault->key), PX_FMT(fault->message), PX_FMT(fault->remedy));
    }
    return action_fail(ctx, ACTION_REFUSED, "%zu faults in the configuration:\n%.*s%s",
                       report->count, PX_FMT(px_buf_str(&said)),
                       px_buf_fault(&said) != 0 ? "... (prism config check tells all)" : "");
}

/* ---- files ---- */

struct rendering {
    struct action_context *ctx;
    const struct config *config;
    const char *out;
    struct px_buf files; /* of the result */
    size_t count;
};

static int render_stack(struct rendering *r, struct px_str stack)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    char hash[DIGEST_HEX_BYTES];
    struct action_context *ctx = r->ctx;
    struct px_str name = px_arena_printf(ctx->arena, "%.*s.tfvars.json", PX_FMT(stack));
    struct px_str path = px_arena_printf(ctx->arena, "%s/%.*s", r->out, PX_FMT(name));
    px_buf_init(&text, FILE_BYTES_MAX);
    if (!name.ptr || !path.ptr) return px_arena_fault(ctx->arena);
    int rendered = config_render(r->config, CONFIG_TFVARS, stack, &text);
    if (rendered > 0) return px_fault(PX_F_BUG, "no stack %.*s", PX_FMT(stack));
    PX_TRY(rendered);
    digest_of(px_buf_str(&text), hash);
    PX_TRY(px_file_write_atomic(path.ptr, px_buf_str(&text), 0600));
    PX_TRY(action_keep(ctx, name, px_buf_str(&text)));
    px_buf_add_c(&r->files, r->count++ > 0 ? ",{\"path\":" : "{\"path\":");
    px_buf_add_json_str(&r->files, path);
    px_buf_add_c(&r->files, ",\"name\":");
    px_buf_add_json_str(&r->files, name);
    px_buf_printf(&r->files, ",\"sha256\":\"%s\"}", hash);
    return 0;
}

static int render_all(struct rendering *r, yyjson_val **ret_result)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    struct px_str *regions = NULL;
    size_t count = 0;
    px_buf_init(&json, 2u << 20);
    PX_TRY(px_dir_make(r->out));
    PX_TRY(config_regions(r->config, r->ctx->arena, &regions, &count));
    PX_TRY(render_stack(r, S("global")));
    for (size_t i = 0; i < count; i++) PX_TRY(render_stack(r, regions[i]));
    px_buf_printf(&json, "{\"summary\":\"%zu stacks of %.*s\",\"rendered\":[%.*s]}", r->count,
                  PX_FMT(r->config->name), PX_FMT(px_buf_str(&r->files)));
    return action_result(r->ctx, &json, ret_result);
}

static int run(struct action_context *ctx, yyjson_val *with, yyjson_val **ret_result)
{
    struct config_schema *schema = NULL;
    struct config config = {0};
    struct config_report report = {.arena = ctx->arena};
    struct px_str name = px_json_str(with, "environment");
    const char *platform = below_root(ctx, px_json_str(with, "platform"), S("platform"));
    const char *infra = below_root(ctx, px_json_str(with, "infra"), S("infra"));
    const char *out = below_root(ctx, px_json_str(with, "out"), S("."));
    if (!platform || !infra || !out) return px_arena_fault(ctx->arena);
    if (name.len == 0) name = ctx->environment;
    if (name.len == 0)
        return action_fail(ctx, ACTION_REFUSED,
                           "whose configuration? the stage has no environment; give `environment`");
    if (px_str_eq(name, S("local")))
        return action_fail(ctx, ACTION_REFUSED, "the environment local has no Terraform");
    PX_TRY(config_schema_open(platform, infra, ctx->arena, &schema));
    int r = config_open(schema, name, ctx->arena, &report, &config);
    if (r == CONFIG_NO_ENVIRONMENT)
        return action_fail(ctx, ACTION_REFUSED, "there is no environment %.*s in %s/environments",
                           PX_FMT(name), platform);
    PX_TRY(r);
    if (report.count > 0) return refuse(ctx, &report);
    struct rendering rendering = {.ctx = ctx, .config = &config, .out = out};
    px_buf_init(&rendering.files, 1u << 20);
    r = render_all(&rendering, ret_result);
    px_buf_deinit(&rendering.files);
    return r;
}

static struct px_str describe(struct px_arena *arena, yyjson_val *with)
{
    struct px_str name = px_json_str(with, "environment");
    return name.len > 0 ? px_arena_printf(arena, "render the configuration of %.*s", PX_FMT(name))
                        : S("render the environment's configuration");
}

const struct action action_config_render = {
    .name = "config-render",
    .summary = "render the environment's configuration for Terraform",
    ACTION_FIELDS(fields),
    .run = run,
    .describe = describe,
    .is_fixed = true,
};
