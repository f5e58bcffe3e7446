/* cli/verb_config.c - `prism config`: the settings of environments. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/px_words.h"
#include "cli/config.h"
#include "cli/glyph.h"
#include "cli/settings.h"
#include "cli/verbs.h"

int config_find_places(struct cli *cli, const struct config_places *places,
                       const char **ret_platform, const char **ret_infra)
{
    char real[PATH_MAX];
    const char *platform = places->platform ? places->platform : settings_platform_dir(cli);
    const char *infra = places->infra;
    if (!platform)
        return cli_fail(cli, CLI_FAILED,
                        "platform files are missing beside the program; give --platform DIR");
    if (!realpath(platform, real))
        return cli_fail(cli, CLI_FAILED, "%s: %s", platform, strerror(errno));
    if (infra && access(infra, R_OK) != 0)
        return cli_fail(cli, CLI_FAILED, "%s: %s", infra, strerror(errno));
    if (!infra) {
        struct px_str beside = px_arena_printf(&cli->arena, "%s/../infra", real);
        struct px_str needed = px_arena_printf(&cli->arena, "%s/../infra/region/variables.tf",
                                               real);
        infra = needed.ptr && access(needed.ptr, R_OK) == 0 ? beside.ptr : NULL;
    }
    *ret_platform = px_arena_cstr(&cli->arena, px_str_c(real));
    *ret_infra = infra;
    return *ret_platform ? CLI_OK : cli_fault(cli, PX_F_OOM, "settings");
}

int config_find(struct cli *cli, const struct config_places *places,
                struct config_schema **ret_schema)
{
    const char *platform = NULL, *infra = NULL;
    int exit = config_find_places(cli, places, &platform, &infra);
    if (exit != CLI_OK) return exit;
    int r = config_schema_open(platform, infra, &cli->arena, ret_schema);
    return r == 0 ? CLI_OK : cli_fault(cli, r, "settings");
}

void config_say_faults(FILE *to, const struct config_report *report)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, (size_t)4 << 20);
    for (size_t i = 0; i < report->count; i++) {
        const struct config_fault *fault = &report->faults[i];
        px_buf_clear(&text);
        glyph_add(&text, fault->place.file, false);
        if (fault->place.line > 0)
            px_buf_printf(&text, ":%u:%u", fault->place.line, fault->place.column);
        px_buf_add_c(&text, ": ");
        if (fault->key.len > 0) {
            glyph_add(&text, fault->key, false);
            px_buf_add_c(&text, ": ");
        }
        glyph_add(&text, fault->message, false);
        px_buf_add_c(&text, "\n  fix: ");
        glyph_add(&text, fault->remedy, false);
        (void)fprintf(to, "%.*s\n", PX_FMT(px_buf_str(&text)));
    }
}

static void field(struct px_buf *json, const char *name, struct px_str text)
{
    px_buf_printf(json, "\"%s\":", name);
    px_buf_add_json_str(json, text);
}

void config_write_faults(struct px_buf *json, const struct config_report *report)
{
    px_buf_add_char(json, '[');
    for (size_t i = 0; i < report->count; i++) {
        const struct config_fault *fault = &report->faults[i];
        px_buf_add_c(json, i > 0 ? ",{" : "{");
        field(json, "environment", fault->environment);
        px_buf_add_char(json, ',');
        field(json, "file", fault->place.file);
        px_buf_printf(json, ",\"line\":%u,\"column\":%u,", fault->place.line, fault->place.column);
        field(json, "key", fault->key);
        px_buf_add_char(json, ',');
        field(json, "message", fault->message);
        px_buf_add_char(json, ',');
        field(json, "fix", fault->remedy);
        px_buf_add_char(json, '}');
    }
    px_buf_add_char(json, ']');
}

static int no_environment(struct cli *cli, const struct config_schema *schema, const char *name)
{
    struct px_str *names = NULL;
    const char *words[64];
    size_t count = 0, i;
    int r = config_environments(schema, &cli->arena, &names, &count);
    if (r != 0) return cli_fault(cli, r, "environments");
    for (i = 0; i < count && i < PX_COUNT(words); i++)
        words[i] = px_arena_cstr(&cli->arena, names[i]);
    const char *meant = px_words_nearest(px_str_c(name), words, i);
    return cli_fail(cli, CLI_USAGE, "there is no environment %s in %s/environments%s%s%s", name,
                    config_schema_platform(schema), meant ? "; did you mean " : "",
                    meant ? meant : "", meant ? "?" : "");
}

int config_find_environment(struct cli *cli, const struct config_schema *schema, const char *name,
                            struct config *ret_config)
{
    struct config_report report = {.arena = &cli->arena};
    int r = config_open(schema, px_str_c(name), &cli->arena, &report, ret_config);
    if (r == CONFIG_NO_ENVIRONMENT) return no_environment(cli, schema, name);
    if (r != 0) return cli_fault(cli, r, "environment %s", name);
    if (report.count == 0) return CLI_OK;
    config_say_faults(cli->err, &report);
    if (cli->json) {
        PX_AUTO(px_buf_deinit) struct px_buf json;
        px_buf_init(&json, (size_t)4 << 20);
        config_write_faults(&json, &report);
        (void)fprintf(cli->out, "{\"faults\":%.*s}\n", PX_FMT(px_buf_str(&json)));
    }
    (void)fprintf(cli->err, "prism: environment %s has %zu fault%s; nothing was touched\n", name,
                  report.count, report.count == 1 ? "" : "s");
    return CLI_REFUSED;
}

static const struct cli_verb *const verbs[] = {&config_check_verb, &config_render_verb,
                                               &config_diff_verb, &config_explain_verb, NULL};
const struct cli_verb verb_config = {
    .name = "config",
    .summary = "settings of environments: check them, render them for Terraform and functions",
    .verbs = verbs,
};
