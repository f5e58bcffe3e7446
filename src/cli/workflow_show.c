/* cli/workflow_show.c - `prism workflow show EXECUTION`: what became of it, and its history event by event. */
#include <time.h>

#include "cli/table.h"
#include "cli/workflow.h"
#include "cli/workflow_served.h"

#define FOLLOW_MS 300
#define PAGE "1000"

struct show_values {
    bool history, follow;
};
static const struct cli_option options[] = {
    {"history", 'H', CLI_FLAG, offsetof(struct show_values, history), NULL,
     "all its events, as GetExecutionHistory gives them", NULL, 0, 0},
    {"follow", 'f', CLI_FLAG, offsetof(struct show_values, follow), NULL,
     "the events as they come, until it ends; with --json an event a line", NULL, 0, 0},
};

/* One walk through a history. */
struct walk {
    struct remote remote;
    const char *execution;
    uint64_t next; /* the event to come */
    bool lines;    /* JSON, an event a line */
    bool first;
};

static void print_member(struct cli *cli, const char *name, struct px_str text)
{
    if (text.len) (void)fprintf(cli->out, "%-10s %.*s\n", name, PX_FMT(text));
}

static void print_execution(struct cli *cli, yyjson_val *e)
{
    print_member(cli, "name", px_json_str(e, "name"));
    print_member(cli, "machine", workflow_machine_of(px_json_str(e, "stateMachineArn")));
    print_member(cli, "status", px_json_str(e, "status"));
    print_member(cli, "started", workflow_time(cli, e, "startDate"));
    print_member(cli, "stopped", workflow_time(cli, e, "stopDate"));
    print_member(cli, "duration", workflow_duration(cli, e));
    if (px_json_i64(e, "redriveCount", 0) > 0)
        (void)fprintf(cli->out, "%-10s %lld\n", "redriven",
                      (long long)px_json_i64(e, "redriveCount", 0));
    print_member(cli, "input", px_json_str(e, "input"));
    print_member(cli, "output", px_json_str(e, "output"));
    print_member(cli, "error", px_json_str(e, "error"));
    print_member(cli, "cause", px_json_str(e, "cause"));
}

/* The name, resource or error in an event's details. */
static struct px_str gist(yyjson_val *event)
{
    static const char *const members[] = {"error", "name", "resource"};
    size_t i, n;
    yyjson_val *key, *val;
    px_json_obj_foreach(event, i, n, key, val)
    {
        for (size_t m = 0; yyjson_is_obj(val) && m < PX_COUNT(members); m++)
            if (px_json_str(val, members[m]).len) return px_json_str(val, members[m]);
    }
    return S("");
}

static void print_event(struct walk *walk, yyjson_val *event)
{
    struct cli *cli = walk->remote.cli;
    if (cli->json) {
        PX_AUTO(px_buf_deinit) struct px_buf text;
        px_buf_init(&text, 4u << 20);
        px_buf_add_json(&text, event);
        (void)fprintf(cli->out, "%s%.*s%s", walk->lines || walk->first ? "" : ",\n",
                      PX_FMT(px_buf_str(&text)), walk->lines ? "\n" : "");
        walk->first = false;
        return;
    }
    struct px_str when = workflow_time(cli, event, "timestamp");
    (void)fprintf(cli->out, "%5lld %5lld  %.*s  %-24.*s %.*s\n",
                  (long long)px_json_i64(event, "id", 0),
                  (long long)px_json_i64(event, "previousEventId", 0), PX_FMT(when),
                  PX_FMT(px_json_str(event, "type")), PX_FMT(gist(event)));
}

/* Events that there are now. */
static int walk_on(struct walk *walk)
{
    struct cli *cli = walk->remote.cli;
    for (bool more = true; more;) {
        yyjson_val *root = NULL, *event;
        struct px_str text;
        size_t i, n;
        PX_AUTO(px_buf_deinit) struct px_buf body;
        px_buf_init(&body, 65536);
        px_buf_printf(&body, "{\"maxResults\":" PAGE ",\"nextToken\":\"%llu\"",
                      (unsigned long long)walk->next);
        workflow_add(&body, "executionArn", walk->execution);
        px_buf_add_char(&body, '}');
        if (px_buf_fault(&body)) return cli_fault(cli, px_buf_fault(&body), "an execution's name");
        int exit = workflow_call_on(&walk->remote, "GetExecutionHistory", px_buf_str(&body), &root,
                                    &text);
        if (exit != CLI_OK) return exit;
        px_json_arr_foreach(px_json_arr(root, "events"), i, n, event)
        {
            print_event(walk, event);
            walk->next = (uint64_t)px_json_i64(event, "id", 0) + 1;
        }
        more = px_json_str(root, "nextToken").len > 0;
    }
    (void)fflush(cli->out);
    return CLI_OK;
}

static int describe(struct walk *walk, yyjson_val **ret_execution, struct px_str *ret_text)
{
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 65536);
    workflow_add(&body, "executionArn", walk->execution);
    px_buf_add_char(&body, '}');
    if (px_buf_fault(&body))
        return cli_fault(walk->remote.cli, px_buf_fault(&body), "an execution's name");
    return workflow_call_on(&walk->remote, "DescribeExecution", px_buf_str(&body), ret_execution,
                            ret_text);
}

static int follow(struct walk *walk)
{
    for (;;) {
        yyjson_val *execution = NULL;
        struct px_str text;
        int exit = describe(walk, &execution, &text); /* first: what came until now belongs to it */
        if (exit == CLI_OK) exit = walk_on(walk);
        if (exit != CLI_OK) return exit;
        if (!px_str_eq(px_json_str(execution, "status"), S("RUNNING"))) return CLI_OK;
        const struct timespec pause = {0, FOLLOW_MS * PX_NS_PER_MS};
        (void)nanosleep(&pause, NULL);
    }
}

static int show(struct walk *walk, const struct show_values *v)
{
    struct cli *cli = walk->remote.cli;
    yyjson_val *execution = NULL;
    struct px_str text = {0};
    if (v->follow) return follow(walk);
    if (v->history && cli->json) {
        int exit = describe(walk, &execution,
                            &text); /* a wrong name is told before anything else */
        if (exit != CLI_OK) return exit;
        (void)fputs("{\"events\":[", cli->out);
        exit = walk_on(walk);
        (void)fputs("]}\n", cli->out);
        return exit;
    }
    int exit = describe(walk, &execution, &text);
    if (exit != CLI_OK) return exit;
    if (cli->json)
        (void)fprintf(cli->out, "%.*s\n", PX_FMT(text));
    else
        print_execution(cli, execution);
    return v->history ? walk_on(walk) : CLI_OK;
}

/* ---- by the API ---- */

static void print_document(struct cli *cli, const char *name, yyjson_val *val)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 4u << 20);
    if (!val) return;
    px_buf_add_json(&text, val);
    print_member(cli, name, px_buf_str(&text));
}

static void print_served(struct cli *cli, yyjson_val *e)
{
    size_t i, n;
    yyjson_val *question;
    print_member(cli, "name", px_json_str(e, "execution"));
    print_member(cli, "machine", px_json_str(e, "machine"));
    print_member(cli, "status", px_json_str(e, "status"));
    print_member(cli, "started", px_json_str(e, "started"));
    print_member(cli, "stopped", px_json_str(e, "stopped"));
    if (px_json_i64(e, "redrives", 0) > 0)
        (void)fprintf(cli->out, "%-10s %lld\n", "redriven",
                      (long long)px_json_i64(e, "redrives", 0));
    print_document(cli, "input", yyjson_obj_get(e, "input"));
    print_document(cli, "output", yyjson_obj_get(e, "output"));
    print_member(cli, "error", px_json_str(e, "error"));
    print_member(cli, "cause", px_json_str(e, "cause"));
    px_json_arr_foreach(px_json_arr(e, "questions"), i, n, question)
        print_document(cli, "asks", yyjson_obj_get(question, "message"));
}

static int print_pages(struct workflow_served *served, struct walk *walk)
{
    struct cli *cli = walk->remote.cli;
    struct px_str next = {0};
    do {
        yyjson_val *root = NULL, *event;
        size_t i, n;
        struct px_str what = px_arena_printf(&cli->arena, "/history?limit=100%s%.*s",
                                             next.len > 0 ? "&after=" : "",
                                             PX_FMT(remote_encode(&cli->arena, next)));
        if (!what.ptr) return cli_fault(cli, PX_F_OOM, "a history");
        int exit = workflow_served_call(served, what.ptr, S(""), &root);
        if (exit != CLI_OK) return exit;
        px_json_arr_foreach(px_json_arr(root, "events"), i, n, event) print_event(walk, event);
        next = px_json_str(root, "next");
    } while (next.len > 0);
    return CLI_OK;
}

static int show_served(struct workflow_served *served, const struct show_values *v)
{
    struct cli *cli = served->remote.cli;
    struct walk walk = {.remote = {.cli = cli}, .first = true};
    yyjson_val *execution = NULL;
    int exit = workflow_served_call(served, "", S(""), &execution);
    if (exit != CLI_OK) return exit;
    if (v->history && cli->json) (void)fputs("{\"events\":[", cli->out);
    if (!cli->json) print_served(cli, execution);
    if (v->history) exit = print_pages(served, &walk);
    if (v->history && cli->json) (void)fputs("]}\n", cli->out);
    if (v->history || !cli->json) return exit;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 16u << 20);
    px_buf_add_json(&text, execution);
    if (px_buf_fault(&text)) return cli_fault(cli, px_buf_fault(&text), "an execution");
    (void)fprintf(cli->out, "%.*s\n", PX_FMT(px_buf_str(&text)));
    return CLI_OK;
}

static int run_path(struct cli *cli, const char *path, const struct show_values *v)
{
    struct workflow_served served = {0};
    if (v->follow) /* pages of the API go on from a page, not from an event */
        return cli_fail(cli, CLI_USAGE,
                        "--follow looks by the control socket: name the execution "
                        "without its machine");
    int exit = workflow_served_execution(cli, path, &served);
    if (exit != CLI_OK) return exit;
    exit = show_served(&served, v);
    workflow_served_close(&served);
    return exit;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    const struct show_values *v = values;
    struct walk walk = {.execution = args[0], .next = 1, .lines = v->follow, .first = true};
    (void)arg_count;
    if (workflow_is_path(args[0])) return run_path(cli, args[0], v);
    int exit = remote_open_control(cli, 0, &walk.remote);
    if (exit != CLI_OK) return exit;
    exit = show(&walk, v);
    remote_close(&walk.remote);
    return exit;
}

const struct cli_verb workflow_show = {
    .name = "show",
    .arguments = "EXECUTION",
    .summary = "what became of an execution, and how",
    .details =
        "EXECUTION is an ARN, or a name that only one machine has an execution of; or MACHINE/NAME, which is asked of the API: then "
        "port and key are enough, --json shows the API's answer, and histories show no tokens.",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct show_values),
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
