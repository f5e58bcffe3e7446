/* cli/verb_logs.c - `prism logs [-f] [FUNCTION]`. */
#include "cli/record.h"
#include "cli/remote.h"
#include "cli/settings.h"
#include "cli/verbs.h"

struct logs_values {
    bool follow;
    int64_t lines;
};
static const struct cli_option options[] = {
    {"follow", 'f', CLI_FLAG, offsetof(struct logs_values, follow), NULL, "go on with new lines",
     NULL, 0, 0},
    {"lines", 'n', CLI_NUMBER, offsetof(struct logs_values, lines), "N",
     "begin with the last N lines of each function (default 100)", NULL, 0, 1000000},
};
static const struct logs_values defaults = {.lines = 100};

static int on_line(void *ctx, struct px_str line)
{
    struct cli *cli = ctx;
    if (cli->json)
        (void)fprintf(cli->out, "%.*s\n", PX_FMT(line));
    else
        record_print(cli, line);
    return ferror(cli->out) ? CLI_FAILED : 0;
}

static int on_piece(void *ctx, struct px_str piece)
{
    struct record_lines *lines = ctx;
    int r = record_lines_feed(lines, piece);
    (void)fflush(((struct cli *)lines->ctx)->out);
    return r;
}

static int run_one(struct cli *cli, const void *values, int arg_count, char **args)
{
    const struct logs_values *v = values;
    struct remote remote;
    struct http_response response;
    struct px_str name = remote_encode(&cli->arena, px_str_c(arg_count > 0 ? args[0] : ""));
    struct px_str path = px_arena_printf(&cli->arena, "/logs?function=%.*s&lines=%lld%s",
                                         PX_FMT(name), (long long)v->lines,
                                         v->follow ? "&follow=1" : "");
    int exit = remote_open_control(cli, 0, &remote);
    if (exit != CLI_OK) return exit;
    PX_AUTO(record_lines_deinit) struct record_lines lines;
    record_lines_init(&lines, on_line, cli);
    struct remote_call call = {.method = "GET", .path = path, .on_body = on_piece, .ctx = &lines};
    exit = remote_run(&remote, &call, &response);
    if (exit == CLI_OK && record_lines_end(&lines) != 0) exit = CLI_FAILED;
    remote_close(&remote);
    return exit;
}

/* Of several regions one after the other, each behind its name. */
static int run_all(struct cli *cli, const void *values, int arg_count, char **args)
{
    yyjson_val *fleet = NULL, *region;
    size_t i, n;
    int r = px_json_load(settings_path(cli, "fleet.json"), 64 * 1024, &cli->arena, &fleet);
    if (r != 0) return cli_fault(cli, r, "logs");
    px_json_arr_foreach(px_json_arr(fleet, "regions"), i, n, region)
    {
        struct cli one = *cli;
        if (px_json_bool(region, "down", false)) continue;
        one.region = px_arena_cstr(&cli->arena, px_json_str(region, "name"));
        if (!one.region) return cli_fault(cli, PX_F_OOM, "logs");
        px_arena_init(&one.arena, 64u << 20);
        if (!cli->json) (void)fprintf(cli->out, "%s== %s ==\n", i > 0 ? "\n" : "", one.region);
        int exit = settings_of_region(&one);
        if (exit == CLI_OK) exit = run_one(&one, values, arg_count, args);
        px_arena_deinit(&one.arena);
        if (exit != CLI_OK) return exit;
    }
    return CLI_OK;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    const struct logs_values *v = values;
    if (!settings_is_fleet(cli)) return run_one(cli, values, arg_count, args);
    if (v->follow)
        return cli_fail(cli, CLI_USAGE,
                        "of several regions, follow one: prism logs -f --region NAME");
    return run_all(cli, values, arg_count, args);
}

const struct cli_verb verb_logs = {
    .name = "logs",
    .arguments = "[FUNCTION]",
    .summary = "show what the functions log",
    .complete = "function",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct logs_values),
    .defaults = &defaults,
    .args_max = 1,
    .run = run,
};
