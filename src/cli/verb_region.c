/* cli/verb_region.c - `prism region ...`: several regions on this machine, and failures to rehearse. All of it
 * goes to the supervisor's control socket (fleet/fleet_control.c). */
#include <time.h>

#include "cli/options.h"
#include "cli/remote.h"
#include "cli/settings.h"
#include "cli/status.h"
#include "cli/verbs.h"
#include "fleet/state.h"

#define CALL_TIMEOUT_MS 10000
#define LOOK_MS 20
#define WAIT_MS 90000

static int open_fleet(struct cli *cli, struct remote *ret_remote)
{
    if (!settings_is_fleet(cli))
        return cli_fail(cli, CLI_NOT_RUNNING,
                        "%s is not the folder of several regions: start some with prism up "
                        "--regions NAME,NAME",
                        cli->data_dir);
    return remote_open_control(cli, CALL_TIMEOUT_MS, ret_remote);
}

static int ask(struct cli *cli, const char *method, struct px_str path, struct px_str body,
               yyjson_val **ret_root, struct px_str *ret_text)
{
    struct remote remote;
    int exit = open_fleet(cli, &remote);
    if (exit != CLI_OK) return exit;
    exit = remote_json(&remote, &(struct remote_call){.method = method, .path = path, .body = body},
                       ret_root, ret_text);
    remote_close(&remote);
    return exit;
}

static int post(struct cli *cli, struct px_str path, struct px_str body)
{
    yyjson_val *root = NULL;
    struct px_str text;
    if (!path.ptr || (!body.ptr && body.len > 0)) return cli_fault(cli, PX_F_OOM, "region");
    return ask(cli, "POST", path, body, &root, &text);
}

static struct px_str path_of(struct cli *cli, const char *region, const char *what)
{
    struct px_str name = remote_encode(&cli->arena, px_str_c(region));
    return px_arena_printf(&cli->arena, "/regions/%.*s/%s", PX_FMT(name), what);
}

/* {"region":...} for programs, a sentence for people. */
static int say(struct cli *cli, const char *region, const char *sentence)
{
    if (cli->json)
        (void)fprintf(cli->out, "{\"region\":\"%s\"}\n", region);
    else
        (void)fprintf(cli->out, "%s %s\n", region, sentence);
    return CLI_OK;
}

/* ---- waiting for a state ---- */

static yyjson_val *find_region(yyjson_val *status, const char *name)
{
    size_t i, n;
    yyjson_val *region;
    px_json_arr_foreach(px_json_arr(status, "regions"), i, n, region)
    {
        if (px_str_eq(px_json_str(region, "name"), px_str_c(name))) return region;
    }
    return NULL;
}

static int wait_state(struct cli *cli, const char *name, const char *state, int64_t restarts_max)
{
    int64_t end_ns = px_mono_ns(cli->clock) + WAIT_MS * PX_NS_PER_MS, restarts_before = -1;
    for (;;) {
        yyjson_val *status = NULL;
        struct px_str text;
        int exit = ask(cli, "GET", S("/status"), S(""), &status, &text);
        if (exit != CLI_OK) return exit;
        yyjson_val *region = find_region(status, name);
        if (px_str_eq(px_json_str(region, "state"), px_str_c(state))) return CLI_OK;
        int64_t restarts = px_json_i64(region, "restarts", 0);
        if (restarts_before < 0) restarts_before = restarts;
        if (restarts - restarts_before > restarts_max || px_mono_ns(cli->clock) > end_ns)
            return cli_fail(cli, CLI_FAILED, "%s is %.*s: %.*s", name,
                            PX_FMT(px_json_str(region, "state")),
                            PX_FMT(px_json_str(region, "last_error")));
        const struct timespec pause = {.tv_nsec = LOOK_MS * PX_NS_PER_MS};
        (void)nanosleep(&pause, NULL);
    }
}

/* Until all that are wanted serve. */
static int wait_all(struct cli *cli)
{
    yyjson_val *status = NULL, *region;
    struct px_str text;
    size_t i, n;
    int exit = ask(cli, "GET", S("/status"), S(""), &status, &text);
    if (exit != CLI_OK) return exit;
    px_json_arr_foreach(px_json_arr(status, "regions"), i, n, region)
    {
        const char *name = yyjson_get_str(yyjson_obj_get(region, "name"));
        if (!px_json_bool(region, "killed", false) && exit == CLI_OK)
            exit = wait_state(cli, name, "ready", 3);
    }
    return exit;
}

/* ---- verbs ---- */

static int run_list(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)values, (void)arg_count, (void)args;
    yyjson_val *status = NULL;
    struct px_str text;
    int exit = ask(cli, "GET", S("/status"), S(""), &status, &text);
    if (exit != CLI_OK) return exit;
    if (cli->json) {
        (void)fprintf(cli->out, "%.*s\n", PX_FMT(text));
        return CLI_OK;
    }
    int r = status_print_fleet(cli, status);
    return r == 0 ? CLI_OK : cli_fault(cli, r, "regions");
}
static const struct cli_verb list = {
    .name = "list", .summary = "show the regions of the data folder", .run = run_list};

static int run_kill(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)values, (void)arg_count;
    int exit = post(cli, path_of(cli, args[0], "kill"), S(""));
    if (exit == CLI_OK) exit = wait_state(cli, args[0], "down", INT64_MAX / 2);
    return exit == CLI_OK
               ? say(cli, args[0], "is killed and stays down; prism region heal starts it")
               : exit;
}
static const struct cli_verb kill_verb = {
    .name = "kill",
    .arguments = "REGION",
    .summary = "lose a region: SIGKILL, and it stays down",
    .details =
        "Its tenants get 503 with Retry-After from the router; those of other regions notice "
        "nothing. What was answered is on its disk and there again when it is healed.",
    .args_min = 1,
    .args_max = 1,
    .run = run_kill};

static int set_cut(struct cli *cli, char **args, bool cut)
{
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 4096);
    px_buf_add_c(&body, "{\"between\":[");
    px_buf_add_json_str(&body, px_str_c(args[0]));
    px_buf_add_char(&body, ',');
    px_buf_add_json_str(&body, px_str_c(args[1]));
    px_buf_printf(&body, "],\"cut\":%s}", cut ? "true" : "false");
    int exit = post(cli, S("/partition"), px_buf_str(&body));
    if (exit != CLI_OK) return exit;
    if (cli->json)
        (void)fprintf(cli->out, "{\"cut\":%s}\n", cut ? "true" : "false");
    else
        (void)fprintf(cli->out, "%s and %s %s\n", args[0], args[1],
                      cut ? "hear nothing of each other now" : "hear of each other again");
    return CLI_OK;
}

static int run_heal(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)values;
    if (arg_count == 2) return set_cut(cli, args, false);
    int exit = post(cli, path_of(cli, args[0], "heal"), S(""));
    if (exit == CLI_OK) exit = wait_state(cli, args[0], "ready", 3);
    return exit == CLI_OK ? say(cli, args[0], "serves again") : exit;
}
static const struct cli_verb heal = {
    .name = "heal",
    .arguments = "REGION [REGION]",
    .summary = "start a killed region again; of two: end their partition",
    .args_min = 1,
    .args_max = 2,
    .run = run_heal};

static int run_partition(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)values, (void)arg_count;
    return set_cut(cli, args, true);
}
static const struct cli_verb partition = {
    .name = "partition",
    .arguments = "REGION REGION",
    .summary = "cut two regions off from each other",
    .details = "No change of the registry and no object passes between them until they are healed. "
               "Both go on serving, and the router reaches both.",
    .args_min = 2,
    .args_max = 2,
    .run = run_partition};

struct lag_values {
    int64_t scatter_ms;
};
static const struct cli_option lag_options[] = {
    {"scatter", 's', CLI_TIME, offsetof(struct lag_values, scatter_ms), "TIME",
     "each change up to so much later, in no order", NULL, 0, FLEET_SCATTER_MS_MAX},
};

static int run_lag(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count;
    const struct lag_values *v = values;
    int64_t ms = 0;
    if (!options_time_ms(args[0], &ms) || ms > FLEET_LAG_MS_MAX)
        return cli_fail(cli, CLI_USAGE, "a lag is a time up to 1h, such as 200ms, not '%s'",
                        args[0]);
    int exit = post(cli, S("/lag"),
                    px_arena_printf(&cli->arena, "{\"lag_ms\":%lld,\"scatter_ms\":%lld}",
                                    (long long)ms, (long long)v->scatter_ms));
    if (exit != CLI_OK) return exit;
    if (cli->json)
        (void)fprintf(cli->out, "{\"registry_lag_ms\":%lld,\"registry_scatter_ms\":%lld}\n",
                      (long long)ms, (long long)v->scatter_ms);
    else if (v->scatter_ms == 0)
        (void)fprintf(cli->out,
                      "a change of the registry reaches the other regions after %lld ms\n",
                      (long long)ms);
    else
        (void)fprintf(cli->out,
                      "a change of the registry reaches the other regions after %lld to %lld ms, "
                      "in no order\n",
                      (long long)ms, (long long)ms + v->scatter_ms);
    return CLI_OK;
}
static const struct cli_verb lag = {
    .name = "lag",
    .arguments = "TIME",
    .summary = "how old a change of the registry is when the other regions get it",
    .details = "DynamoDB's global tables promise no order between items: --scatter lets changes "
               "overtake each other as they may on AWS.",
    CLI_OPTIONS(lag_options),
    .values_bytes = sizeof(struct lag_values),
    .args_min = 1,
    .args_max = 1,
    .run = run_lag};

struct evacuate_values {
    const char *to;
    bool undo;
};
static const struct cli_option evacuate_options[] = {
    {"to", 't', CLI_TEXT, offsetof(struct evacuate_values, to), "REGION",
     "the region that stands in for it", NULL, 0, 0},
    {"undo", 'u', CLI_FLAG, offsetof(struct evacuate_values, undo), NULL,
     "the region serves its tenants itself again", NULL, 0, 0},
};

static int run_evacuate(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count;
    const struct evacuate_values *v = values;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 4096);
    if (!v->to == !v->undo)
        return cli_fail(cli, CLI_USAGE, "prism region evacuate takes --to REGION or --undo");
    px_buf_add_c(&body, "{\"to\":");
    if (v->to)
        px_buf_add_json_str(&body, px_str_c(v->to));
    else
        px_buf_add_c(&body, "null");
    px_buf_add_char(&body, '}');
    int exit = post(cli, path_of(cli, args[0], "standby"), px_buf_str(&body));
    if (exit == CLI_OK) exit = wait_all(cli);
    if (exit != CLI_OK) return exit;
    if (!v->to) return say(cli, args[0], "serves its tenants itself again");
    if (!cli->json)
        (void)fprintf(
            cli->err,
            "Tenants are not moved: %s takes what they send and answers of that alone. What %s "
            "holds is seen again when this is undone, and what %s took meanwhile then is not.\n",
            v->to, args[0], v->to);
    return say(cli, args[0], "gets no requests any more; its standby does");
}
static const struct cli_verb evacuate = {
    .name = "evacuate",
    .arguments = "REGION --to REGION|--undo",
    .summary = "send a region's tenants to its standby",
    .details =
        "What an operator does with `standby` and `active = false` in infra/global: the router "
        "sends requests to the standby, which takes them. It moves no tenant and no data.",
    CLI_OPTIONS(evacuate_options),
    .values_bytes = sizeof(struct evacuate_values),
    .args_min = 1,
    .args_max = 1,
    .run = run_evacuate};

static const struct cli_verb *const verbs[] = {&list, &kill_verb, &heal, &partition,
                                               &lag,  &evacuate,  NULL};
const struct cli_verb verb_region = {
    .name = "region",
    .summary = "several regions on this machine: show them, lose one, cut two apart",
    .verbs = verbs,
};
