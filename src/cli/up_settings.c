/* cli/up_settings.c - what `prism up` finds out before it starts anything: TLS as it was asked for, settings of functions. */
#include <limits.h>
#include <stdlib.h>

#include "cli/config.h"
#include "cli/settings.h"
#include "cli/up.h"
#include "config/local.h"

/* ---- TLS ---- */

static const char *absolute(struct cli *cli, const char *path)
{
    char real[PATH_MAX];
    return realpath(path, real) ? px_arena_cstr(&cli->arena, px_str_c(real)) : path;
}

/* NAME=FILE,NAME=FILE with whole paths. */
static int settle_clients(struct up *up)
{
    struct cli *cli = up->cli;
    struct px_str left = px_str_c(up->values->tls_clients), one, name, text = S("");
    while (left.len > 0) {
        (void)px_str_cut(&left, ',', &one);
        if (!px_str_cut(&one, '=', &name) || name.len == 0 || one.len == 0)
            return cli_fail(cli, CLI_USAGE, "--tls-clients is NAME=FILE, with commas between them");
        const char *path = px_arena_cstr(&cli->arena, one);
        text = px_arena_printf(&cli->arena, "%.*s%s%.*s=%s", PX_FMT(text), text.len ? "," : "",
                               PX_FMT(name), path ? absolute(cli, path) : "");
    }
    up->tls.clients = px_arena_cstr(&cli->arena, text);
    return up->tls.clients ? CLI_OK : cli_fault(cli, PX_F_OOM, "--tls-clients");
}

int up_settle_tls(struct up *up)
{
    struct cli *cli = up->cli;
    const struct up_values *values = up->values;
    up->tls = (struct tls_wish){.on = values->tls || values->tls_port || values->tls_certificate ||
                                      values->tls_key || values->tls_names || values->tls_clients,
                                .off = values->no_tls,
                                .port = (uint16_t)values->tls_port,
                                .names = values->tls_names};
    if (up->tls.on && up->tls.off)
        return cli_fail(cli, CLI_USAGE, "--no-tls goes with no other option of TLS");
    if (!values->tls_certificate != !values->tls_key)
        return cli_fail(cli, CLI_USAGE, "--tls-cert and --tls-key go together");
    if (up->several && values->tls_clients)
        return cli_fail(
            cli, CLI_USAGE,
            "--tls-clients is for one region: the edge router in front of several asks no "
            "client for a certificate");
    if (values->tls_clients) {
        int exit = settle_clients(up);
        if (exit != CLI_OK) return exit;
    }
    if (!values->tls_certificate) return CLI_OK;
    up->tls.certificate = absolute(cli, values->tls_certificate);
    up->tls.key = absolute(cli, values->tls_key);
    return CLI_OK;
}

/* ---- settings of functions ---- */

static struct px_str region_name(struct cli *cli)
{
    yyjson_val *memory = NULL;
    if (cli->region) return px_str_c(cli->region);
    int r = px_json_load(settings_path(cli, "prism.json"), 64 * 1024, &cli->arena, &memory);
    struct px_str name = r == 0 ? px_json_str(memory, "region") : S("");
    return name.len > 0 ? name : S("local");
}

int up_find_settings(struct up *up)
{
    struct cli *cli = up->cli;
    struct config_report report = {.arena = &cli->arena};
    const char *given = up->values->environment, *ours = getenv("PRISM_ENVIRONMENT");
    bool chosen = given || (ours && ours[0]);
    const char *name = given ? given : chosen ? ours : "local";
    struct config_local of = {.data_dir = cli->data_dir,
                              .environment = px_str_c(name),
                              .region = region_name(cli),
                              .report = &report};
    if (strcmp(name, "local") == 0) {
        of.region = S("local");
        of.built = settings_built(cli);
    }
    const struct config_places places = {0};
    int exit = config_find_places(cli, &places, &of.platform_dir, &of.infra_dir);
    if (exit != CLI_OK) return exit;
    if (given && setenv("PRISM_ENVIRONMENT", given, 1) != 0)
        return cli_fault(cli, PX_F_OOM, "settings");
    if (up->several && strcmp(name, "local") != 0) return CLI_OK;
    int r = config_local_settings(&of, &cli->arena, &up->settings, &up->keep);
    if (r == 0 || (r == CONFIG_LOCAL_NONE && !chosen)) return CLI_OK;
    if (r == CONFIG_LOCAL_NONE)
        return cli_fail(cli, CLI_USAGE, "there is no environment %s in %s/environments", name,
                        of.platform_dir);
    if (r == CONFIG_LOCAL_NO_REGION)
        return cli_fail(
            cli, CLI_USAGE,
            "environment %s has no region %.*s: name one of its with --region, or take --environment local",
            name, PX_FMT(of.region));
    if (r != CONFIG_LOCAL_REFUSED) return cli_fault(cli, r, "settings of %s", name);
    config_say_faults(cli->err, &report);
    return cli_fail(cli, CLI_REFUSED, "environment %s has %zu fault%s; nothing was started", name,
                    report.count, report.count == 1 ? "" : "s");
}
