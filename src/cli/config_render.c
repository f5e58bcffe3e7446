/* cli/config_render.c - `prism config render`: what Terraform, functions and parameters get of an environment. */
#include "base/px_file.h"
#include "cli/config.h"
#include "cli/output.h"

#define OUTPUT_BYTES_MAX ((size_t)64 << 20)

struct render_values {
    struct config_places places;
    const char *environment, *as, *out;
};
static const struct cli_option options[] = {
    {"environment", 'e', CLI_TEXT, offsetof(struct render_values, environment), "NAME",
     "dev, staging, prod or local", NULL, 0, 0},
    {"as", 'a', CLI_TEXT, offsetof(struct render_values, as), "WHAT",
     "tfvars: variables of the stacks; environment: of functions; parameters: as in SSM; json: the whole (default tfvars)",
     "tfvars environment parameters json", 0, 0},
    {"out", 'o', CLI_TEXT, offsetof(struct render_values, out), "DIR",
     "a file for each stack or region in this folder, which is made: global.tfvars.json, eu-west-1.tfvars.json",
     NULL, 0, 0},
    CONFIG_PLACE_OPTIONS(struct render_values),
};
static const struct render_values defaults = {.as = "tfvars"};

static const struct {
    const char *name;
    enum config_output output;
} outputs[] = {{"tfvars", CONFIG_TFVARS},
               {"environment", CONFIG_ENVIRONMENT},
               {"parameters", CONFIG_PARAMETERS},
               {"json", CONFIG_JSON}};

struct render {
    struct cli *cli;
    const struct render_values *values;
    const struct config *config;
    enum config_output output;
    bool quiet;            /* files are written, and not named */
    struct px_str *stacks; /* regions, and "global" before them */
    size_t count;
};

static int find_stacks(struct render *render)
{
    struct cli *cli = render->cli;
    struct px_str *regions = NULL;
    size_t count = 0, at = 0;
    bool global = render->output == CONFIG_TFVARS && !config_is_local(render->config);
    int r = config_regions(render->config, &cli->arena, &regions, &count);
    if (r != 0) return cli_fault(cli, r, "regions");
    render->stacks = px_arena_array(&cli->arena, struct px_str, count + 1);
    if (!render->stacks) return cli_fault(cli, PX_F_OOM, "regions");
    if (global && (!cli->region || strcmp(cli->region, "global") == 0))
        render->stacks[at++] = S("global");
    for (size_t i = 0; i < count; i++)
        if (!cli->region || px_str_eq(regions[i], px_str_c(cli->region)) ||
            config_is_local(render->config))
            render->stacks[at++] = regions[i];
    if (at == 0)
        return cli_fail(cli, CLI_USAGE, "environment %.*s has no region %s",
                        PX_FMT(render->config->name), cli->region);
    render->count = at;
    return CLI_OK;
}

static int render_into(struct render *render, struct px_str stack, struct px_buf *text)
{
    int r = config_render(render->config, render->output, stack, text);
    return r == 0 ? CLI_OK : cli_fault(render->cli, r < 0 ? r : PX_F_BUG, "%.*s", PX_FMT(stack));
}

static int write_files(struct render *render)
{
    struct cli *cli = render->cli;
    const char *dir = render->values->out;
    int made = px_dir_make(dir);
    if (made != 0) return cli_fault(cli, made, "%s", dir);
    for (size_t i = 0; i < render->count; i++) {
        PX_AUTO(px_buf_deinit) struct px_buf text;
        px_buf_init(&text, OUTPUT_BYTES_MAX);
        bool whole = render->output == CONFIG_JSON;
        struct px_str name = whole ? render->config->name : render->stacks[i];
        struct px_str path = px_arena_printf(&cli->arena, "%s/%.*s%s%s.json", dir, PX_FMT(name),
                                             whole ? "" : ".", whole ? "" : render->values->as);
        if (!path.ptr) return cli_fault(cli, PX_F_OOM, "%s", dir);
        int exit = render_into(render, render->stacks[i], &text);
        if (exit == CLI_OK) exit = output_write(cli, path.ptr, px_buf_str(&text));
        if (exit != CLI_OK) return exit;
        if (!cli->json && !render->quiet) (void)fprintf(cli->out, "%s\n", path.ptr);
        if (whole) break;
    }
    return CLI_OK;
}

/* One as it is, several as {"<stack>": ...}. */
static int print(struct render *render)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, OUTPUT_BYTES_MAX);
    bool several = render->count > 1 && render->output != CONFIG_JSON;
    int exit = CLI_OK;
    for (size_t i = 0; i < (several ? render->count : 1) && exit == CLI_OK; i++) {
        if (several) {
            px_buf_add_c(&text, i > 0 ? "," : "{");
            px_buf_add_json_str(&text, render->stacks[i]);
            px_buf_add_c(&text, ": ");
        }
        exit = render_into(render, render->stacks[i], &text);
    }
    if (several) px_buf_add_c(&text, "}\n");
    if (exit == CLI_OK) (void)fwrite(text.ptr, 1, text.len, render->cli->out);
    return exit;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count, (void)args;
    const struct render_values *v = values;
    struct config_schema *schema = NULL;
    struct config config;
    if (!v->environment)
        return cli_fail(cli, CLI_USAGE, "prism config render takes --environment NAME");
    int exit = config_find(cli, &v->places, &schema);
    if (exit == CLI_OK) exit = config_find_environment(cli, schema, v->environment, &config);
    if (exit != CLI_OK) return exit;
    struct render render = {.cli = cli, .values = v, .config = &config};
    for (size_t i = 0; i < PX_COUNT(outputs); i++)
        if (strcmp(outputs[i].name, v->as) == 0) render.output = outputs[i].output;
    if (config_is_local(&config) && render.output == CONFIG_TFVARS)
        return cli_fail(
            cli, CLI_USAGE,
            "the environment local has no Terraform: take --as environment or --as parameters");
    exit = find_stacks(&render);
    if (exit != CLI_OK) return exit;
    return v->out ? write_files(&render) : print(&render);
}

int config_render_tfvars(struct cli *cli, const struct config_places *places,
                         const char *environment, const char *dir)
{
    const struct render_values v = {.as = "tfvars", .out = dir, .environment = environment};
    struct config_schema *schema = NULL;
    struct config config;
    int exit = config_find(cli, places, &schema);
    if (exit == CLI_OK) exit = config_find_environment(cli, schema, environment, &config);
    if (exit != CLI_OK) return exit;
    if (config_is_local(&config))
        return cli_fail(cli, CLI_USAGE, "the environment local has no Terraform");
    struct render render = {.cli = cli, .values = &v, .config = &config, .quiet = true};
    exit = find_stacks(&render);
    return exit == CLI_OK ? write_files(&render) : exit;
}

const struct cli_verb config_render_verb = {
    .name = "render",
    .arguments = "--environment NAME",
    .summary = "print or write what Terraform, functions and parameters get",
    .details =
        "Only an environment without faults is rendered; else they are told, as prism config check does, and nothing is written. "
        "--region takes one region, or global.",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct render_values),
    .defaults = &defaults,
    .without_data = true,
    .run = run,
};
