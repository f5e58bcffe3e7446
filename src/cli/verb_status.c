/* cli/verb_status.c - `prism status`. */
#include "cli/remote.h"
#include "cli/status.h"
#include "cli/table.h"
#include "cli/verbs.h"

#define CALL_TIMEOUT_MS 10000

static struct px_str number_of(struct cli *cli, yyjson_val *obj, const char *name)
{
    char text[32];
    return px_arena_dup(&cli->arena,
                        px_str_c(cli_count((uint64_t)px_json_i64(obj, name, 0), text)));
}

static struct px_str bytes_of(struct cli *cli, yyjson_val *obj, const char *name)
{
    char text[24];
    return px_arena_dup(&cli->arena,
                        px_str_c(cli_bytes((uint64_t)px_json_i64(obj, name, 0), text)));
}

static int print_functions(struct cli *cli, yyjson_val *functions)
{
    static const char *const names[] = {"FUNCTION", ">INSTANCES", ">BUSY",    ">QUEUED",
                                        ">CALLS",   ">ERRORS",    ">CRASHES", ">COLD STARTS",
                                        ">MEMORY",  NULL};
    static const char *const numbers[] = {"instances", "busy",    "queued",     "invocations",
                                          "errors",    "crashes", "cold_starts"};
    struct table table;
    size_t i, n;
    yyjson_val *function;
    PX_TRY(table_init(&table, &cli->arena, names));
    px_json_arr_foreach(functions, i, n, function)
    {
        struct px_str *row = table_row(&table);
        if (!row) return px_arena_fault(&cli->arena);
        row[0] = px_json_str(function, "name");
        for (size_t k = 0; k < PX_COUNT(numbers); k++)
            row[1 + k] = number_of(cli, function, numbers[k]);
        row[8] = bytes_of(cli, function, "rss_bytes");
    }
    (void)fputc('\n', cli->out);
    table_print(&table, table_terminal_width(cli->out), cli->out);
    return 0;
}

/* Fewer instances than the catalogue asks for. */
static void print_lowered(struct cli *cli, yyjson_val *status)
{
    size_t i, n;
    yyjson_val *f;
    px_json_arr_foreach(px_json_arr(status, "functions"), i, n, f)
    {
        int64_t max = px_json_i64(f, "max", 0), wanted = px_json_i64(f, "max_wanted", max);
        if (max >= wanted) continue;
        (void)fprintf(
            cli->out,
            "%.*s: at most %lld instances of %lld MB instead of %lld, for the machine has "
            "%lld MB\n",
            PX_FMT(px_json_str(f, "name")), (long long)max,
            (long long)px_json_i64(f, "memory_mb", 0), (long long)wanted,
            (long long)px_json_i64(status, "memory_mb", 0));
    }
}

static void print_alarms(struct cli *cli, yyjson_val *alarms)
{
    size_t i, n;
    yyjson_val *alarm;
    px_json_arr_foreach(px_json_arr(alarms, "firing"), i, n, alarm)
    {
        (void)fprintf(cli->out, "%salarm %.*s: %.*s\n", i == 0 ? "\n" : "",
                      PX_FMT(px_json_str(alarm, "name")), PX_FMT(px_json_str(alarm, "reason")));
    }
}

/* Only of functions whose calls go to other code than what was built. */
static int print_versions(struct cli *cli, yyjson_val *functions)
{
    static const char *const names[] = {"ROLLED OUT", ">VERSION", ">WEIGHT", ">INSTANCES", ">CALLS",
                                        ">ERRORS",    ">P50 ms",  ">P99 ms", NULL};
    struct table table;
    size_t i, n, k, m, count = 0;
    yyjson_val *function, *version;
    PX_TRY(table_init(&table, &cli->arena, names));
    px_json_arr_foreach(functions, i, n, function)
    {
        px_json_arr_foreach(px_json_arr(function, "versions"), k, m, version)
        {
            double weight = px_json_f64(version, "weight", 0);
            yyjson_val *recent = px_json_obj(version, "recent");
            if (px_json_str(version, "digest").len == 0 ||
                (weight <= 0 && px_json_i64(version, "instances", 0) == 0))
                continue;
            struct px_str *row = table_row(&table);
            if (!row) return px_arena_fault(&cli->arena);
            row[0] = px_json_str(function, "name");
            row[1] = number_of(cli, version, "version");
            row[2] = px_arena_printf(&cli->arena, "%.4g %%", weight * 100);
            row[3] = number_of(cli, version, "instances");
            row[4] = number_of(cli, recent, "invocations");
            row[5] = number_of(cli, recent, "errors");
            row[6] = px_arena_printf(&cli->arena, "%.3g", px_json_f64(recent, "p50_ms", 0));
            row[7] = px_arena_printf(&cli->arena, "%.3g", px_json_f64(recent, "p99_ms", 0));
            count++;
        }
    }
    if (count == 0) return 0;
    (void)fputc('\n', cli->out);
    table_print(&table, table_terminal_width(cli->out), cli->out);
    return 0;
}

static int print_data(struct cli *cli, yyjson_val *data)
{
    static const char *const names[] = {"DATA", ">FILES", ">SIZE", NULL};
    struct table table;
    size_t i, n;
    yyjson_val *key, *val;
    PX_TRY(table_init(&table, &cli->arena, names));
    px_json_obj_foreach(data, i, n, key, val)
    {
        struct px_str *row = table_row(&table);
        if (!row) return px_arena_fault(&cli->arena);
        row[0] = px_json_val_str(key);
        row[1] = number_of(cli, val, "files");
        row[2] = bytes_of(cli, val, "bytes");
    }
    (void)fputc('\n', cli->out);
    table_print(&table, table_terminal_width(cli->out), cli->out);
    return 0;
}

static void print_head(struct cli *cli, yyjson_val *status)
{
    char requests[32];
    yyjson_val *gateway = px_json_obj(status, "gateway"), *queues = px_json_obj(status, "queues");
    (void)fprintf(cli->out, "region %.*s is %.*s at http://127.0.0.1:%lld (pid %lld) since %.*s\n",
                  PX_FMT(px_json_str(status, "region")), PX_FMT(px_json_str(status, "phase")),
                  (long long)px_json_i64(status, "port", 0),
                  (long long)px_json_i64(status, "pid", 0), PX_FMT(px_json_str(status, "started")));
    (void)fprintf(cli->out, "data in %.*s\n", PX_FMT(px_json_str(status, "data_dir")));
    (void)fprintf(cli->out,
                  "%s requests, %lld connections, %lld active; %lld asynchronous events queued\n",
                  cli_count((uint64_t)px_json_i64(gateway, "requests", 0), requests),
                  (long long)px_json_i64(gateway, "connections", 0),
                  (long long)px_json_i64(gateway, "active", 0),
                  (long long)px_json_i64(queues, "asynchronous", 0));
}

/* ---- several regions ---- */

static struct px_str notes_of(struct cli *cli, yyjson_val *region)
{
    size_t i, n;
    yyjson_val *name;
    struct px_str text = S("");
    if (px_json_bool(region, "killed", false)) text = S("killed");
    if (px_json_bool(region, "evacuated", false))
        text = px_arena_printf(&cli->arena, "evacuated to %.*s",
                               PX_FMT(px_json_str(region, "standby")));
    px_json_arr_foreach(px_json_arr(region, "cut_from"), i, n, name)
        text = px_arena_printf(&cli->arena, "%.*s%scut from %.*s", PX_FMT(text),
                               text.len ? ", " : "", PX_FMT(px_json_val_str(name)));
    struct px_str error = px_json_str(region, "last_error");
    bool ready = px_str_eq(px_json_str(region, "state"), S("ready"));
    return text.len == 0 && !ready ? error : text;
}

int status_print_fleet(struct cli *cli, yyjson_val *status)
{
    static const char *const names[] = {"REGION",    "STATE", ">PORT", ">PID",
                                        ">RESTARTS", "NOTES", NULL};
    struct table table;
    size_t i, n;
    yyjson_val *region, *router = px_json_obj(status, "router");
    (void)fprintf(
        cli->out,
        "regions are %.*s behind http://127.0.0.1:%lld (supervisor pid %lld) since %.*s\n",
        PX_FMT(px_json_str(status, "phase")), (long long)px_json_i64(status, "port", 0),
        (long long)px_json_i64(status, "pid", 0), PX_FMT(px_json_str(status, "started")));
    (void)fprintf(cli->out, "data in %.*s\n", PX_FMT(px_json_str(status, "data_dir")));
    (void)fprintf(cli->out,
                  "the router is %.*s (pid %lld, %lld restarts); registry lag %lld ms\n\n",
                  PX_FMT(px_json_str(router, "state")), (long long)px_json_i64(router, "pid", 0),
                  (long long)px_json_i64(router, "restarts", 0),
                  (long long)px_json_i64(status, "registry_lag_ms", 0));
    PX_TRY(table_init(&table, &cli->arena, names));
    px_json_arr_foreach(px_json_arr(status, "regions"), i, n, region)
    {
        struct px_str *row = table_row(&table);
        if (!row) return px_arena_fault(&cli->arena);
        row[0] = px_json_str(region, "name");
        row[1] = px_json_str(region, "state");
        row[2] = px_arena_printf(&cli->arena, "%lld", (long long)px_json_i64(region, "port", 0));
        row[3] = px_arena_printf(&cli->arena, "%lld", (long long)px_json_i64(region, "pid", 0));
        row[4] = number_of(cli, region, "restarts");
        row[5] = notes_of(cli, region);
    }
    table_print(&table, table_terminal_width(cli->out), cli->out);
    return 0;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)values, (void)arg_count, (void)args;
    struct remote remote;
    yyjson_val *status = NULL;
    struct px_str text;
    int exit = remote_open_control(cli, CALL_TIMEOUT_MS, &remote);
    if (exit != CLI_OK) return exit;
    exit = remote_json(&remote, &(struct remote_call){.method = "GET", .path = S("/status")},
                       &status, &text);
    remote_close(&remote);
    if (exit != CLI_OK) return exit;
    if (cli->json) {
        (void)fprintf(cli->out, "%.*s\n", PX_FMT(text));
        return CLI_OK;
    }
    if (px_json_arr(status, "regions")) {
        int printed = status_print_fleet(cli, status);
        return printed == 0 ? CLI_OK : cli_fault(cli, printed, "status");
    }
    print_head(cli, status);
    int r = print_functions(cli, px_json_arr(status, "functions"));
    if (r == 0) print_lowered(cli, status);
    if (r == 0) r = print_versions(cli, px_json_arr(status, "functions"));
    if (r == 0) print_alarms(cli, px_json_obj(status, "alarms"));
    if (r == 0) r = print_data(cli, px_json_obj(status, "data"));
    return r == 0 ? CLI_OK : cli_fault(cli, r, "status");
}

const struct cli_verb verb_status = {
    .name = "status",
    .summary =
        "show the region: functions with their instances, queues, data sizes; of several: their states",
    .run = run,
};
