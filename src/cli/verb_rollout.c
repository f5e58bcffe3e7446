/* cli/verb_rollout.c - `prism rollout VERB [FUNCTION]`: versions of a function, or of a state machine, get calls step by step, in the
 * region of this machine or on AWS. What it does is delivery/rollout; here are its options and what people see. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_json.h"
#include "cli/glyph.h"
#include "cli/interrupt.h"
#include "cli/remote.h"
#include "cli/settings.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "delivery/rollout/rollout.h"

#define ZIP_BYTES_MAX ((size_t)50 << 20)       /* Lambda's limit of a ZIP in a request */
#define DEFINITION_BYTES_MAX ((size_t)1 << 20) /* Step Functions' */
#define STATUS_BYTES_MAX ((size_t)2 << 20)
#define STORE_DEFAULT ".prism/delivery"

struct rollout_values {
    const char *aws, *endpoint, *store, *reason;
    /* start */
    const char *code, *s3, *image, *steps, *alarms;
    bool machine;
    int64_t version, bake_ms, requests, patience_ms, poll_ms, contact_ms, calm_ms, period, slower,
        keep;
    bool force;
};
static const struct rollout_values defaults = {.bake_ms = -1,
                                               .requests = -1,
                                               .patience_ms = -1,
                                               .poll_ms = -1,
                                               .contact_ms = -1,
                                               .slower = 25,
                                               .keep = 5,
                                               .reason = "on the operator's word"};

#define WHERE_OPTIONS                                                                              \
    {"machine", 0,                                                                                 \
     CLI_FLAG,  offsetof(struct rollout_values, machine),                                          \
     NULL,      "the name is a state machine's, not a function's",                                 \
     NULL,      0,                                                                                 \
     0},                                                                                           \
        {"aws",    0,                                                                              \
         CLI_TEXT, offsetof(struct rollout_values, aws),                                           \
         "REGION", "functions of AWS in that region, not of the region on this machine",           \
         NULL,     0,                                                                              \
         0},                                                                                       \
        {"endpoint", 0,                                                                            \
         CLI_TEXT,   offsetof(struct rollout_values, endpoint),                                    \
         "URL",      "where Lambda or Step Functions, and CloudWatch, answer, for an emulator",    \
         NULL,       0,                                                                            \
         0},                                                                                       \
    {                                                                                              \
        "store", 0, CLI_TEXT, offsetof(struct rollout_values, store), "URL",                       \
            "where the journal is: a folder or s3://bucket/prefix (default: " STORE_DEFAULT ")",   \
            NULL, 0, 0                                                                             \
    }

static const struct cli_option where_options[] = {WHERE_OPTIONS};
static const struct cli_option back_options[] = {
    WHERE_OPTIONS,
    {"reason", 0, CLI_TEXT, offsetof(struct rollout_values, reason), "TEXT",
     "for the story (default: on the operator's word)", NULL, 0, 0},
};
static const struct cli_option start_options[] = {
    WHERE_OPTIONS,
    {"version", 0, CLI_NUMBER, offsetof(struct rollout_values, version), "N",
     "a version that is published already", NULL, 1, INT32_MAX},
    {"code", 0, CLI_TEXT, offsetof(struct rollout_values, code), "FILE",
     "a ZIP or, in a region of this machine, a folder with bootstrap (there by default: what was built); of a state machine its "
     "definition (by default what it is now)",
     NULL, 0, 0},
    {"s3", 0, CLI_TEXT, offsetof(struct rollout_values, s3), "BUCKET/KEY", "a ZIP in a bucket",
     NULL, 0, 0},
    {"image", 0, CLI_TEXT, offsetof(struct rollout_values, image), "URI", "a container image", NULL,
     0, 0},
    {"steps", 0, CLI_TEXT, offsetof(struct rollout_values, steps), "LIST",
     "per cent of the calls, one step after the other (default: 10,33,100)", NULL, 0, 0},
    {"bake", 0, CLI_TIME, offsetof(struct rollout_values, bake_ms), "TIME",
     "of each step, at least (default: 1h, here 30s)", NULL, 0, 0},
    {"requests", 0, CLI_NUMBER, offsetof(struct rollout_values, requests), "N",
     "that the new version must have had in each step (default: 100)", NULL, 0, 0},
    {"patience", 0, CLI_TIME, offsetof(struct rollout_values, patience_ms), "TIME",
     "a step without them goes back after that (default: 6h, here 1h)", NULL, 0, 0},
    {"slower", 0, CLI_NUMBER, offsetof(struct rollout_values, slower), "PERCENT",
     "that the new version may be in its p90 (default: 25)", NULL, 0, 100000},
    {"alarms", 0, CLI_TEXT, offsetof(struct rollout_values, alarms), "PREFIX",
     "alarms that count, by the beginning of their names (default: the function's and the API's)",
     NULL, 0, 0},
    {"poll", 0, CLI_TIME, offsetof(struct rollout_values, poll_ms), "TIME",
     "between two looks (default: 15s, here 1s)", NULL, 0, 0},
    {"calm", 0, CLI_TIME, offsetof(struct rollout_values, calm_ms), "TIME",
     "while alarms fire wait so long for the beginning (default: it is refused at once)", NULL, 0,
     0},
    {"period", 0, CLI_NUMBER, offsetof(struct rollout_values, period), "SECONDS",
     "of one figure: 1, 5, 10, 20, 30 or whole minutes (default: 60, which is what Lambda has; here 1)",
     NULL, 1, 3600},
    {"contact", 0, CLI_TIME, offsetof(struct rollout_values, contact_ms), "TIME",
     "out of reach for longer, it goes back (default: 10m, here 1m)", NULL, 0, 0},
    {"keep", 0, CLI_NUMBER, offsetof(struct rollout_values, keep), "N",
     "versions that stay afterwards (default: 5; 0: all)", NULL, 0, 1000},
    {"force", 0, CLI_FLAG, offsetof(struct rollout_values, force), NULL,
     "begin although alarms fire; those are not looked at", NULL, 0, 0},
};

/* The one flag of the process. */
static _Atomic bool called_off;
static volatile sig_atomic_t came;

static void on_signal(int number)
{
    came = number;
    called_off = true;
}

/* One command. */
struct command {
    struct cli *cli;
    const struct rollout_values *v;
    struct cloud_shared cloud;
    struct rollout_target *target;
    struct object_store *store;
    struct rollout_options options;
    bool shown; /* a line that is rewritten */
};

static void command_close(struct command *c)
{
    target_close(&c->target);
    object_store_close(&c->store);
    cloud_shared_close(&c->cloud);
}

/* ---- what people see ---- */

static void clear_line(struct command *c)
{
    if (c->shown) (void)fputs("\r\033[K", c->cli->out);
    c->shown = false;
}

static void say_json(struct command *c, const struct rollout_view *v)
{
    PX_AUTO(px_buf_deinit) struct px_buf line;
    px_buf_init(&line, 65536);
    px_buf_add_c(&line, "{\"function\":");
    px_buf_add_json_str(&line, v->function);
    px_buf_printf(
        &line,
        ",\"state\":\"%s\",\"from\":%lld,\"to\":%lld,\"weight\":%.6g,\"step\":%zu,"
        "\"steps\":%zu,\"paused\":%s,\"left_s\":%lld,\"requests\":%llu,\"requests_min\":%llu,"
        "\"alarms\":%zu,\"note\":",
        rollout_state_name(v->state), (long long)v->from, (long long)v->to, v->weight, v->step,
        v->steps, v->paused ? "true" : "false", (long long)v->left_s,
        (unsigned long long)v->requests, (unsigned long long)v->requests_min, v->alarms);
    px_buf_add_json_str(&line, v->note);
    px_buf_add_c(&line, "}\n");
    (void)fwrite(line.ptr, 1, line.len, c->cli->out);
    (void)fflush(c->cli->out);
}

static void say_note(struct command *c, const struct rollout_view *v)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 8192);
    glyph_add(&text, v->note, false);
    clear_line(c);
    (void)fprintf(c->cli->out, "%.*s: %.*s\n", PX_FMT(v->function), PX_FMT(px_buf_str(&text)));
    (void)fflush(c->cli->out);
}

static void say_line(struct command *c, const struct rollout_view *v)
{
    const struct target_figures *f = v->figures;
    (void)fprintf(
        c->cli->out,
        "\r\033[K%.*s  %lld -> %lld  %3.0f %%  step %zu of %zu%s  %lld s left  %llu/%llu calls  "
        "errors %llu (old %llu of %llu)  p90 %.3g ms (old %.3g)",
        PX_FMT(v->function), (long long)v->from, (long long)v->to, v->weight * 100, v->step + 1,
        v->steps, v->paused ? "  paused" : "", (long long)v->left_s,
        (unsigned long long)v->requests, (unsigned long long)v->requests_min,
        (unsigned long long)f[1].errors, (unsigned long long)f[0].errors,
        (unsigned long long)f[0].calls, f[1].quantile_ms, f[0].quantile_ms);
    (void)fflush(c->cli->out);
    c->shown = true;
}

static void on_progress(void *ctx, const struct rollout_view *view)
{
    struct command *c = ctx;
    if (c->cli->json && view->note.len)
        say_json(c, view);
    else if (!c->cli->json && view->note.len)
        say_note(c, view);
    else if (!c->cli->json && c->cli->out_is_tty)
        say_line(c, view);
}

/* ---- where ---- */

static int open_command(struct cli *cli, const struct rollout_values *v, const char *function,
                        struct command *c)
{
    *c = (struct command){.cli = cli, .v = v};
    bool local = !v->aws && !v->endpoint;
    struct px_str socket = local ? px_arena_printf(&cli->arena, "unix:%s",
                                                   settings_path(cli, "region.sock"))
                                 : px_str_c(v->endpoint);
    if (local && !remote_is_running(cli))
        return cli_fail(cli, CLI_NOT_RUNNING, "no region runs on %s; prism up starts one",
                        cli->data_dir);
    c->cloud.options.region = px_str_c(v->aws ? v->aws : local ? "us-east-1" : NULL);
    const struct target_options target = {
        .cloud = &c->cloud, .machines = v->machine, .endpoint = socket, .called_off = &called_off};
    const struct object_options objects = {.cloud = &c->cloud};
    int r = target_open(&target, &c->target);
    if (r == 0)
        r = object_store_open(px_str_c(v->store ? v->store : STORE_DEFAULT), &objects, &c->store);
    if (r != 0) return cli_fault(cli, r, "rollout");
    const char *user = getenv("USER");
    c->options = (struct rollout_options){
        .target = c->target,
        .store = c->store,
        .region = px_str_c(v->aws  ? v->aws
                           : local ? "local"
                                   : "endpoint"),
        .function = px_str_c(function),
        .who = px_str_c(user && *user ? user : "operator"),
        .clock = cli->clock,
        .called_off = &called_off,
        .progress = on_progress,
        .ctx = c,
    };
    return CLI_OK;
}

static int conclude(struct command *c, int r, const char *why)
{
    clear_line(c);
    if (r < 0 && !came) return cli_fault(c->cli, r, "rollout of %.*s", PX_FMT(c->options.function));
    if (r == 0) return CLI_OK;
    if (came) {
        (void)fprintf(
            c->cli->err,
            "prism: stopped; the rollout stands where it stood, and prism rollout resume goes on\n");
        (void)fflush(c->cli->out);
        command_close(c);
        interrupt_end(came);
    }
    if (r == ROLLOUT_WENT_BACK)
        return cli_fail(c->cli, CLI_FAILED, "%.*s is back on the old version: %s",
                        PX_FMT(c->options.function), why);
    return cli_fail(c->cli, r == ROLLOUT_REFUSED ? CLI_REFUSED : CLI_FAILED, "%.*s: %s",
                    PX_FMT(c->options.function), why);
}

static void watch_signals(void)
{
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < PX_COUNT(numbers); i++) {
        struct sigaction old;
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            (void)sigaction(numbers[i], &action, NULL);
    }
}

/* ---- start ---- */

static int read_steps(struct cli *cli, const char *text, struct rollout_plan *plan)
{
    struct px_str rest = px_str_c(text), part;
    plan->count = 0;
    bool more = true;
    double last = 0;
    while (more) {
        more = px_str_cut(&rest, ',', &part);
        char number[32], *end;
        (void)snprintf(number, sizeof number, "%.*s", PX_FMT(px_str_trim(part)));
        double percent = strtod(number, &end);
        if (*end || end == number || !(percent > last && percent <= 100) ||
            plan->count == ROLLOUT_STEPS_MAX)
            return cli_fail(
                cli, CLI_USAGE,
                "--steps takes up to %d ascending percentages to 100, such as 10,33,100",
                ROLLOUT_STEPS_MAX);
        plan->weights[plan->count++] = percent / 100;
        last = percent;
    }
    return last == 100 ? CLI_OK : cli_fail(cli, CLI_USAGE, "--steps must end with 100");
}

static int read_plan(struct command *c, struct rollout_plan *plan)
{
    const struct rollout_values *v = c->v;
    rollout_plan_default(target_is_local(c->target), plan);
    if (v->bake_ms >= 0) plan->bake_s = (v->bake_ms + 999) / 1000;
    if (v->requests >= 0) plan->requests_min = (uint64_t)v->requests;
    if (v->patience_ms >= 0) plan->patience_s = (v->patience_ms + 999) / 1000;
    if (v->poll_ms >= 0) plan->poll_ms = PX_MAX(v->poll_ms, INT64_C(50));
    if (v->contact_ms >= 0) plan->contact_s = (v->contact_ms + 999) / 1000;
    if (v->period > 0) plan->period_s = (uint32_t)v->period;
    plan->keep = (uint32_t)v->keep;
    plan->force = v->force;
    plan->calm_s = (v->calm_ms + 999) / 1000;
    plan->alarms = px_str_c(v->alarms);
    plan->limits.latency_ratio = 1 + (double)v->slower / 100;
    return v->steps ? read_steps(c->cli, v->steps, plan) : CLI_OK;
}

/* A path of this machine, for a region of it; the bytes of a ZIP for all others. */
static int read_code_file(struct command *c, const char *path, struct rollout_code *code,
                          struct px_buf *zip)
{
    char *whole = target_is_local(c->target) ? realpath(path, NULL) : NULL;
    if (whole) {
        code->code.bucket = S("file");
        code->code.key = px_arena_dup(&c->cli->arena, px_str_c(whole));
        free(whole);
        return code->code.key.ptr ? CLI_OK : cli_fault(c->cli, PX_F_OOM, "%s", path);
    }
    int r = px_file_read(path, zip);
    if (r == PX_FILE_ABSENT) return cli_fail(c->cli, CLI_FAILED, "%s does not exist", path);
    if (r == PX_FILE_TOO_LARGE)
        return cli_fail(c->cli, CLI_FAILED,
                        "%s has more than 50 MB; put it into a bucket and give --s3", path);
    if (r != 0) return cli_fault(c->cli, r, "%s", path);
    code->code.zip = px_buf_str(zip);
    return CLI_OK;
}

/* Whole and with the region's names in it, as UpdateStateMachine takes it. */
static int read_definition(struct command *c, struct rollout_code *code, struct px_buf *text)
{
    const struct rollout_values *v = c->v;
    if (v->s3 || v->image) return cli_fail(c->cli, CLI_USAGE, "--s3 and --image are for functions");
    code->version = v->version;
    if (!v->code) return CLI_OK;
    int r = px_file_read(v->code, text);
    if (r == PX_FILE_ABSENT) return cli_fail(c->cli, CLI_FAILED, "%s does not exist", v->code);
    if (r == PX_FILE_TOO_LARGE || (r == 0 && text->len > DEFINITION_BYTES_MAX))
        return cli_fail(c->cli, CLI_FAILED, "%s is over 1 MiB, Step Functions' limit", v->code);
    if (r == 0 && text->len == 0) return cli_fail(c->cli, CLI_FAILED, "%s is empty", v->code);
    if (r != 0) return cli_fault(c->cli, r, "%s", v->code);
    code->code.definition = px_buf_str(text);
    return CLI_OK;
}

static int read_code(struct command *c, struct rollout_code *code, struct px_buf *zip)
{
    const struct rollout_values *v = c->v;
    if ((v->version > 0) + (v->code != NULL) + (v->s3 != NULL) + (v->image != NULL) > 1)
        return cli_fail(c->cli, CLI_USAGE,
                        "--version, --code, --s3 and --image exclude each other");
    if (v->machine) return read_definition(c, code, zip);
    code->version = v->version;
    if (v->s3) {
        code->code.key = px_str_c(v->s3);
        if (!px_str_cut(&code->code.key, '/', &code->code.bucket) || !code->code.bucket.len)
            return cli_fail(c->cli, CLI_USAGE, "--s3 takes BUCKET/KEY");
    }
    code->code.image = px_str_c(v->image);
    if (v->code) return read_code_file(c, v->code, code, zip);
    if (v->version || v->s3 || v->image || !target_is_local(c->target)) return CLI_OK;
    const char *built = settings_functions_dir(c->cli);
    struct px_str path = px_arena_printf(&c->cli->arena, "%s/%.*s", built ? built : "",
                                         PX_FMT(c->options.function));
    if (!built || !path.ptr)
        return cli_fail(c->cli, CLI_FAILED, "nothing was built here; give --code or --version");
    return read_code_file(c, path.ptr, code, zip);
}

static int run_start(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count;
    PX_AUTO(command_close) struct command c;
    PX_AUTO(px_buf_deinit) struct px_buf zip;
    struct rollout_plan plan;
    struct rollout_code code = {0};
    char why[ROLLOUT_WHY_BYTES];
    px_buf_init(&zip, ZIP_BYTES_MAX);
    int exit = open_command(cli, values, args[0], &c);
    if (exit == CLI_OK) exit = read_plan(&c, &plan);
    if (exit == CLI_OK) exit = read_code(&c, &code, &zip);
    if (exit != CLI_OK) return exit;
    watch_signals();
    return conclude(&c, rollout_start(&c.options, &plan, &code, why), why);
}

/* ---- the others ---- */

static int act(struct cli *cli, const void *values, char **args,
               int (*what)(struct command *c, char *why))
{
    PX_AUTO(command_close) struct command c;
    char why[ROLLOUT_WHY_BYTES];
    int exit = open_command(cli, values, args[0], &c);
    if (exit != CLI_OK) return exit;
    watch_signals();
    return conclude(&c, what(&c, why), why);
}

static int do_resume(struct command *c, char *why) { return rollout_resume(&c->options, why); }
static int do_pause(struct command *c, char *why) { return rollout_pause(&c->options, why); }
static int do_promote(struct command *c, char *why) { return rollout_promote(&c->options, why); }
static int do_rollback(struct command *c, char *why)
{
    return rollout_back(&c->options, px_str_c(c->v->reason), why);
}

static int run_resume(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count;
    return act(cli, values, args, do_resume);
}

static int run_pause(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count;
    return act(cli, values, args, do_pause);
}

static int run_promote(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count;
    return act(cli, values, args, do_promote);
}

static int run_rollback(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count;
    return act(cli, values, args, do_rollback);
}

/* ---- status ---- */

static void print_status(struct cli *cli, yyjson_val *root)
{
    yyjson_val *alias = px_json_obj(root, "alias"), *event;
    size_t i, n;
    struct px_str reason = px_json_str(root, "reason");
    (void)fprintf(cli->out, "%.*s: ", PX_FMT(px_json_str(root, "function")));
    if (alias && px_json_i64(alias, "other", 0))
        (void)fprintf(cli->out, "version %lld, and %lld with %.4g %% of the calls; ",
                      (long long)px_json_i64(alias, "main", 0),
                      (long long)px_json_i64(alias, "other", 0),
                      100 * px_json_f64(alias, "weight", 0));
    else if (alias)
        (void)fprintf(cli->out, "version %lld; ", (long long)px_json_i64(alias, "main", 0));
    if (px_str_eq(px_json_str(root, "state"), S("none"))) {
        (void)fprintf(cli->out, "no rollout so far\n");
        return;
    }
    (void)fprintf(cli->out, "rollout of %lld after %lld is %.*s%s%s%.*s\n",
                  (long long)px_json_i64(root, "to", 0), (long long)px_json_i64(root, "from", 0),
                  PX_FMT(px_json_str(root, "state")),
                  px_json_bool(root, "paused", false) ? ", paused" : "", reason.len ? ": " : "",
                  PX_FMT(reason));
    px_json_arr_foreach(px_json_arr(root, "events"), i, n, event)
    {
        PX_AUTO(px_buf_deinit) struct px_buf text;
        px_buf_init(&text, 8192);
        glyph_add(&text, px_json_str(event, "what"), false);
        (void)fprintf(cli->out, "  %.*s  %.*s\n", PX_FMT(px_json_str(event, "time")),
                      PX_FMT(px_buf_str(&text)));
    }
}

static int run_status(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count;
    PX_AUTO(command_close) struct command c;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    yyjson_val *root = NULL;
    px_buf_init(&text, STATUS_BYTES_MAX);
    int exit = open_command(cli, values, args[0], &c);
    if (exit != CLI_OK) return exit;
    int r = rollout_status(&c.options, &text);
    if (r == 0) r = px_json_parse(px_buf_str(&text), &cli->arena, &root, NULL);
    if (r != 0) return cli_fault(cli, r, "status of a rollout");
    if (cli->json)
        (void)fprintf(cli->out, "%.*s\n", PX_FMT(px_buf_str(&text)));
    else
        print_status(cli, root);
    return CLI_OK;
}

static const struct cli_verb start = {
    .name = "start",
    .arguments = "FUNCTION [--version N | --code FILE | --s3 BUCKET/KEY | --image URI]",
    .summary = "give a version the calls of a function step by step, until it has all",
    .details =
        "It shows that the version starts, gives it 10, 33 and 100 % of the calls and waits between: for time, for requests, for "
        "alarms that stay quiet, and while it is not worse than the old version in the same window. Else it goes back by itself "
        "and says why. Stopped or killed, it stands where it stood; start with the same version, or resume, goes on. "
        "With --machine it is a state machine, whose executions are the calls. docs/design/rollout.md",
    .complete = "function",
    CLI_OPTIONS(start_options),
    .values_bytes = sizeof(struct rollout_values),
    .defaults = &defaults,
    .args_min = 1,
    .args_max = 1,
    .run = run_start,
};
#define SHORT_VERB(variable, word, what, table, function)                                          \
    static const struct cli_verb variable = {                                                      \
        .name = word,                                                                              \
        .arguments = "FUNCTION",                                                                   \
        .summary = what,                                                                           \
        .complete = "function",                                                                    \
        CLI_OPTIONS(table),                                                                        \
        .values_bytes = sizeof(struct rollout_values),                                             \
        .defaults = &defaults,                                                                     \
        .args_min = 1,                                                                             \
        .args_max = 1,                                                                             \
        .run = function,                                                                           \
    }
SHORT_VERB(status, "status", "where the alias stands, and the story of the last rollout",
           where_options, run_status);
SHORT_VERB(pause_verb, "pause", "no further step until resume; going back is not held up",
           where_options, run_pause);
SHORT_VERB(resume, "resume", "go on with a rollout that was paused, stopped or killed",
           where_options, run_resume);
SHORT_VERB(promote, "promote", "all calls to the new version, now", where_options, run_promote);
SHORT_VERB(rollback, "rollback",
           "all calls to the old version, now; also of a rollout that is done", back_options,
           run_rollback);

static const struct cli_verb *const verbs[] = {&start,   &status,   &pause_verb, &resume,
                                               &promote, &rollback, NULL};
const struct cli_verb verb_rollout = {
    .name = "rollout",
    .arguments = "VERB FUNCTION",
    .summary =
        "give a new version of a function or state machine calls step by step, here or on AWS",
    .verbs = verbs,
};
