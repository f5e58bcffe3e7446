/* cli/config_check.c - `prism config check`: all that is wrong with the environments, before anything is touched. */
#include "base/px_json.h"
#include "cli/config.h"
#include "cli/signers.h"

struct check_values {
    struct config_places places;
    const char *environment;
};
static const struct cli_option options[] = {
    {"environment", 'e', CLI_TEXT, offsetof(struct check_values, environment), "NAME",
     "only this one (default all)", NULL, 0, 0},
    CONFIG_PLACE_OPTIONS(struct check_values),
};

#define TFVARS_BYTES_MAX ((size_t)4 << 20)

/* Whether a region of it takes signed code only, which is so where nothing is said. */
static int takes_signed(struct cli *cli, const struct config *config, bool *ret_takes)
{
    struct px_str *regions = NULL;
    size_t count = 0;
    *ret_takes = false;
    if (config_is_local(config)) return 0;
    PX_TRY(config_regions(config, &cli->arena, &regions, &count));
    for (size_t i = 0; i < count; i++) {
        PX_AUTO(px_buf_deinit) struct px_buf text;
        yyjson_val *root = NULL;
        px_buf_init(&text, TFVARS_BYTES_MAX);
        int r = config_render(config, CONFIG_TFVARS, regions[i], &text);
        if (r == 0) r = px_json_parse(px_buf_str(&text), &cli->arena, &root, NULL);
        if (r < 0) return px_fold(r, __FILE__, __LINE__);
        *ret_takes = *ret_takes || (r == 0 && px_json_bool(root, "code_signing", true));
    }
    return 0;
}

static const char *pipeline_file(struct cli *cli, const struct check_values *v)
{
    const char *platform = NULL, *infra = NULL;
    if (config_find_places(cli, &v->places, &platform, &infra) != CLI_OK) return NULL;
    return px_arena_printf(&cli->arena, "%s/pipeline.json", platform).ptr;
}

static int check_one(struct cli *cli, const struct check_values *v,
                     const struct config_schema *schema, struct px_str name,
                     struct config_report *report)
{
    struct config config;
    size_t before = report->count;
    int r = config_open(schema, name, &cli->arena, report, &config);
    if (r == CONFIG_NO_ENVIRONMENT)
        return cli_fail(cli, CLI_USAGE, "there is no environment %.*s", PX_FMT(name));
    if (r != 0) return cli_fault(cli, r, "environment %.*s", PX_FMT(name));
    if (report->count > before) return CLI_OK;
    if (!cli->json) (void)fprintf(cli->out, "%.*s: fine\n", PX_FMT(name));
    bool takes = false;
    const char *file = pipeline_file(cli, v);
    r = takes_signed(cli, &config, &takes);
    if (r != 0) return cli_fault(cli, r, "environment %.*s", PX_FMT(name));
    if (takes && file) signing_warn(cli, file, name);
    return CLI_OK;
}

/* What the pipeline that stands beside the environments leaves open. */
static int warn(struct cli *cli, const struct check_values *v)
{
    const char *file = pipeline_file(cli, v);
    if (!file) return cli_fault(cli, PX_F_CONFIG, "the pipeline");
    signers_warn(cli, file, px_str_c(v->environment));
    return CLI_OK;
}

static int finish(struct cli *cli, const struct config_report *report, size_t environments)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, (size_t)4 << 20);
    if (cli->json) {
        config_write_faults(&json, report);
        if (px_buf_fault(&json) != 0) return cli_fault(cli, px_buf_fault(&json), "faults");
        (void)fprintf(cli->out, "{\"environments\":%zu,\"faults\":%.*s}\n", environments,
                      PX_FMT(px_buf_str(&json)));
    } else {
        config_say_faults(cli->out, report);
        if (report->count > 0)
            (void)fprintf(cli->out, "%zu fault%s in %zu environment%s\n", report->count,
                          report->count == 1 ? "" : "s", environments,
                          environments == 1 ? "" : "s");
    }
    return report->count > 0 ? CLI_REFUSED : CLI_OK;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count, (void)args;
    const struct check_values *v = values;
    struct config_schema *schema = NULL;
    struct px_str one = px_str_c(v->environment), *names = &one;
    size_t count = 1;
    struct config_report report = {.arena = &cli->arena};
    int exit = config_find(cli, &v->places, &schema);
    if (exit != CLI_OK) return exit;
    int r = v->environment ? 0 : config_environments(schema, &cli->arena, &names, &count);
    if (r != 0) return cli_fault(cli, r, "environments");
    for (size_t i = 0; i < count && exit == CLI_OK; i++)
        exit = check_one(cli, v, schema, names[i], &report);
    if (exit == CLI_OK) exit = warn(cli, v);
    return exit == CLI_OK ? finish(cli, &report, count) : exit;
}

const struct cli_verb config_check_verb = {
    .name = "check",
    .summary = "find all that is wrong with environments, with file, line and what to do",
    .details =
        "Templates that do not evaluate, keys that there are not, values of a wrong type or out of AWS's limits, missing values, values that "
        "do not go together. All of them are told, not the first. Exit code 4: there is at least one. "
        "Environments without signers in pipeline.json are a warning on stderr, and so are those whose "
        "regions take signed code that the pipeline does not sign.",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct check_values),
    .without_data = true,
    .run = run,
};
