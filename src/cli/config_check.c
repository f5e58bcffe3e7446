/* cli/config_check.c - `prism config check`: all that is wrong with the environments, before anything is touched. */
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

static int check_one(struct cli *cli, const struct config_schema *schema, struct px_str name,
                     struct config_report *report)
{
    struct config config;
    size_t before = report->count;
    int r = config_open(schema, name, &cli->arena, report, &config);
    if (r == CONFIG_NO_ENVIRONMENT)
        return cli_fail(cli, CLI_USAGE, "there is no environment %.*s", PX_FMT(name));
    if (r != 0) return cli_fault(cli, r, "environment %.*s", PX_FMT(name));
    if (!cli->json && report->count == before)
        (void)fprintf(cli->out, "%.*s: fine\n", PX_FMT(name));
    return CLI_OK;
}

/* What the pipeline that stands beside the environments leaves open. */
static int warn(struct cli *cli, const struct check_values *v)
{
    const char *platform = NULL, *infra = NULL;
    int exit = config_find_places(cli, &v->places, &platform, &infra);
    if (exit != CLI_OK) return exit;
    struct px_str file = px_arena_printf(&cli->arena, "%s/pipeline.json", platform);
    if (!file.ptr) return cli_fault(cli, px_arena_fault(&cli->arena), "the pipeline");
    signers_warn(cli, file.ptr, px_str_c(v->environment));
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
        exit = check_one(cli, schema, names[i], &report);
    if (exit == CLI_OK) exit = warn(cli, v);
    return exit == CLI_OK ? finish(cli, &report, count) : exit;
}

const struct cli_verb config_check_verb = {
    .name = "check",
    .summary = "find all that is wrong with environments, with file, line and what to do",
    .details =
        "Templates that do not evaluate, keys that there are not, values of a wrong type or out of AWS's limits, missing values, values that "
        "do not go together. All of them are told, not the first. Exit code 4: there is at least one. "
        "Environments without signers in pipeline.json are a warning on stderr.",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct check_values),
    .without_data = true,
    .run = run,
};
