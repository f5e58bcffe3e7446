/* cli/up_fleet.c - `prism up --regions`: several regions under one supervisor. */
#include <unistd.h>

#include "cli/settings.h"
#include "cli/up.h"
#include "fleet/fleet.h"

static void on_fleet_ready(void *ctx, const struct fleet_ready *ready)
{
    struct up *up = ctx;
    PX_AUTO(px_buf_deinit) struct px_buf regions;
    px_buf_init(&regions, UP_WORD_BYTES_MAX / 2);
    for (size_t i = 0; i < ready->state->count; i++)
        px_buf_printf(&regions, "%c{\"name\":\"%s\",\"endpoint\":\"http://127.0.0.1:%u\"}",
                      i ? ',' : '[', ready->state->regions[i].name, ready->state->regions[i].port);
    px_buf_add_char(&regions, ']');
    struct guide guide = {.pid = getpid(),
                          .port = ready->port,
                          .created = ready->created,
                          .tenant = ready->created ? ready->tenant : (struct px_str){0},
                          .key = ready->key,
                          .tls_port = ready->state->tls.port,
                          .tls_own = ready->state->tls.certificate.len == 0,
                          .regions = px_buf_str(&regions)};
    up_tell_ready(up, &guide);
}

int up_run_fleet(struct up *up)
{
    struct cli *cli = up->cli;
    const struct fleet_options fleet = {
        .data_dir = cli->data_dir,
        .program = settings_program(cli),
        .edge_dir = settings_edge_dir(cli),
        .node = fleet_find_node(&cli->arena),
        .host = up->values->host,
        .regions = up->values->regions,
        .port = (uint16_t)cli->port,
        .tls = up->tls,
        .lag_ms = up->values->lag_ms,
        .on_ready = on_fleet_ready,
        .ctx = up,
    };
    return fleet_run(&fleet, &cli->arena, &up->why);
}

int up_check_fleet(struct up *up)
{
    struct cli *cli = up->cli;
    if (up->values->aws_endpoint || up->values->aws_prefix)
        return cli_fail(cli, CLI_USAGE,
                        "several regions keep their stores in their folders: "
                        "--aws-endpoint is for one");
    if (!fleet_find_node(&cli->arena))
        return cli_fail(
            cli, CLI_FAILED,
            "the edge router in front of several regions needs Node.js 18 or later: "
            "install it (on Debian: apt-get install nodejs), or name it with PRISM_NODE");
    if (!settings_edge_dir(cli) || !settings_program(cli))
        return cli_fail(cli, CLI_FAILED,
                        "the edge router (edge/local.mjs) is missing beside the "
                        "program: build or install all of Prism");
    return CLI_OK;
}
