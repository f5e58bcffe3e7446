/* cli/workflow_served.c - see workflow_served.h. */
#include "cli/workflow_served.h"

#define CALL_TIMEOUT_MS 60000
#define MACHINES "/v1/admin/workflows"

void workflow_served_close(struct workflow_served *served)
{
    if (served->machine) remote_close(&served->remote);
    served->machine = NULL;
}

/* With the key of operators. Of a change that fails for lack of functions the other way is named. */
static int call_api(struct remote *remote, const struct remote_call *call, bool changes,
                    yyjson_val **ret_root)
{
    struct px_str text;
    int exit = remote_json(remote, call, ret_root, &text);
    if (exit == CLI_REGION_ERROR && changes)
        (void)fprintf(remote->cli->err,
                      "prism: with --socket, an execution by its name or ARN, it goes without "
                      "functions; the audit log then tells nothing of it\n");
    return exit;
}

/* The list's name of what is called so, or has this ARN; of nothing, NULL. */
static int find_machine(struct remote *remote, struct px_str name, struct px_str arn,
                        const char **ret_machine)
{
    const struct remote_call call = {.method = "GET", .path = S(MACHINES)};
    yyjson_val *root = NULL, *one;
    size_t i, n;
    *ret_machine = NULL;
    int exit = call_api(remote, &call, true, &root);
    if (exit != CLI_OK) return exit;
    px_json_arr_foreach(px_json_arr(root, "machines"), i, n, one)
    {
        struct px_str machine = px_json_str(one, "machine");
        bool same = arn.len > 0 ? px_str_eq(px_json_str(one, "arn"), arn)
                                : px_str_eq(machine, name);
        if (!same) continue;
        *ret_machine = px_arena_cstr(&remote->cli->arena, machine);
        if (!*ret_machine) return cli_fault(remote->cli, PX_F_OOM, "a machine");
    }
    return CLI_OK;
}

/* A region that does not run is left to the socket, which says so. */
static int find_served(struct cli *cli, struct px_str name, struct px_str arn,
                       struct workflow_served *served)
{
    if (!remote_is_running(cli)) return CLI_OK;
    int exit = remote_open(cli, "admin.key", CALL_TIMEOUT_MS, &served->remote);
    if (exit != CLI_OK) return exit;
    exit = find_machine(&served->remote, name, arn, &served->machine);
    if (!served->machine) remote_close(&served->remote);
    return exit;
}

int workflow_served_machine(struct cli *cli, const char *machine,
                            struct workflow_served *ret_served)
{
    *ret_served = (struct workflow_served){0};
    if (strchr(machine, ':')) return CLI_OK; /* a version, an alias, an ARN */
    return find_served(cli, px_str_c(machine), S(""), ret_served);
}

bool workflow_is_path(const char *execution)
{
    return strncmp(execution, "arn:", 4) != 0 && strchr(execution, '/');
}

static int open_path(struct cli *cli, const char *path, struct workflow_served *served)
{
    struct px_str rest = px_str_c(path), machine;
    (void)px_str_cut(&rest, '/', &machine);
    const char *name = px_arena_cstr(&cli->arena, remote_encode(&cli->arena, machine));
    if (!name) return cli_fault(cli, PX_F_OOM, "an execution");
    if (machine.len == 0 || rest.len == 0)
        return cli_fail(cli, CLI_USAGE, "%s is no MACHINE/EXECUTION", path);
    int exit = remote_open(cli, "admin.key", CALL_TIMEOUT_MS, &served->remote);
    if (exit != CLI_OK) return exit;
    served->machine = name;
    served->execution = rest;
    return CLI_OK;
}

/* "arn:...:execution:<full name>:<name>" to the machine's ARN and the name; false: it is none of a Standard machine's. */
static bool split(struct cli *cli, struct px_str arn, struct px_str *ret_machine,
                  struct px_str *ret_name)
{
    struct px_str mark = S(":execution:"), full;
    const char *at = memmem(arn.ptr, arn.len, mark.ptr, mark.len);
    if (!at) return false;
    struct px_str rest = px_str_skip(arn, (size_t)(at - arn.ptr) + mark.len);
    if (!px_str_cut(&rest, ':', &full) || rest.len == 0) return false;
    *ret_machine = px_arena_printf(&cli->arena, "%.*s:stateMachine:%.*s", (int)(at - arn.ptr),
                                   arn.ptr, PX_FMT(full));
    *ret_name = rest;
    return ret_machine->ptr != NULL;
}

/* A bare name's ARN: Step Functions knows none by its name alone, the socket does. */
static int look_up(struct cli *cli, const char *execution, struct px_str *ret_arn)
{
    PX_AUTO(px_buf_deinit) struct px_buf body;
    yyjson_val *root = NULL;
    struct px_str text;
    px_buf_init(&body, 65536);
    workflow_add(&body, "executionArn", execution);
    px_buf_add_char(&body, '}');
    if (px_buf_fault(&body)) return cli_fault(cli, px_buf_fault(&body), "an execution's name");
    int exit = workflow_call(cli, "DescribeExecution", px_buf_str(&body), &root, &text);
    if (exit == CLI_OK) *ret_arn = px_json_str(root, "executionArn");
    return exit;
}

int workflow_served_execution(struct cli *cli, const char *execution,
                              struct workflow_served *ret_served)
{
    struct px_str arn = px_str_c(execution), machine = {0};
    *ret_served = (struct workflow_served){0};
    if (workflow_is_path(execution)) return open_path(cli, execution, ret_served);
    if (!px_str_starts(arn, S("arn:"))) {
        int exit = look_up(cli, execution, &arn);
        if (exit != CLI_OK) return exit;
    }
    if (!split(cli, arn, &machine, &ret_served->execution)) return CLI_OK;
    return find_served(cli, S(""), machine, ret_served);
}

int workflow_served_call(struct workflow_served *served, const char *what, struct px_str body,
                         yyjson_val **ret_root)
{
    struct px_arena *arena = &served->remote.cli->arena;
    const struct remote_call call = {
        .method = body.len > 0 ? "POST" : "GET",
        .path = px_arena_printf(arena, MACHINES "/%s/executions%s%.*s%s", served->machine,
                                served->execution.len > 0 ? "/" : "",
                                PX_FMT(remote_encode(arena, served->execution)), what),
        .body = body};
    if (!call.path.ptr) return cli_fault(served->remote.cli, PX_F_OOM, "an execution");
    return call_api(&served->remote, &call, body.len > 0, ret_root);
}

const char *workflow_seconds(struct cli *cli, const char *name, yyjson_val *object,
                             const char *from)
{
    int64_t at_ns = 0;
    if (!px_time_parse(px_json_str(object, from), &at_ns)) return "{}";
    int64_t ms = at_ns / PX_NS_PER_MS;
    return px_arena_printf(&cli->arena, "{\"%s\":%lld.%03d}", name, (long long)(ms / 1000),
                           (int)(ms % 1000))
        .ptr;
}

/* ---- starting ---- */

static int start_served(struct workflow_served *served, const struct workflow_wish *wish,
                        struct px_str *ret_arn, struct px_str *ret_text)
{
    struct cli *cli = served->remote.cli;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    yyjson_val *root = NULL, *input = NULL;
    px_buf_init(&body, 2u << 20);
    int r = px_json_parse(wish->input.len > 0 ? wish->input : S("{}"), &cli->arena, &input, NULL);
    if (r < 0) return cli_fault(cli, r, "the execution's input");
    if (r > 0 || !yyjson_is_obj(input))
        return cli_fail(cli, CLI_REFUSED, "the input of %s is a JSON object", wish->machine);
    workflow_add(&body, "name", wish->name);
    px_buf_printf(&body, "%s\"input\":", body.len > 0 ? "," : "{");
    px_buf_add_str(&body, wish->input.len > 0 ? wish->input : S("{}"));
    px_buf_add_char(&body, '}');
    if (px_buf_fault(&body)) return cli_fault(cli, px_buf_fault(&body), "the execution's input");
    int exit = workflow_served_call(served, "", px_buf_str(&body), &root);
    if (exit != CLI_OK) return exit;
    const char *since = workflow_seconds(cli, "startDate", root, "started");
    *ret_arn = px_json_str(root, "arn");
    if (since)
        *ret_text = px_arena_printf(&cli->arena, "{\"executionArn\":\"%.*s\"%s%s", PX_FMT(*ret_arn),
                                    since[1] == '}' ? "" : ",", since + 1);
    return since && ret_text->ptr ? CLI_OK : cli_fault(cli, PX_F_OOM, "an execution");
}

static int start_on_socket(struct cli *cli, const struct workflow_wish *wish,
                           struct px_str *ret_arn, struct px_str *ret_text)
{
    PX_AUTO(px_buf_deinit) struct px_buf body;
    yyjson_val *root = NULL;
    px_buf_init(&body, 2u << 20);
    workflow_add(&body, "stateMachineArn", workflow_live(cli, wish->machine));
    workflow_add(&body, "name", wish->name);
    if (wish->input.len) workflow_add(&body, "input", px_arena_cstr(&cli->arena, wish->input));
    px_buf_add_char(&body, '}');
    if (px_buf_fault(&body)) return cli_fault(cli, px_buf_fault(&body), "the execution's input");
    int exit = workflow_call(cli, "StartExecution", px_buf_str(&body), &root, ret_text);
    *ret_arn = px_json_str(root, "executionArn");
    return exit;
}

int workflow_start_wish(struct cli *cli, const struct workflow_wish *wish, struct px_str *ret_arn,
                        struct px_str *ret_text)
{
    struct workflow_served served = {0};
    int exit = wish->socket ? CLI_OK : workflow_served_machine(cli, wish->machine, &served);
    if (exit != CLI_OK) return exit;
    if (!served.machine) return start_on_socket(cli, wish, ret_arn, ret_text);
    exit = start_served(&served, wish, ret_arn, ret_text);
    workflow_served_close(&served);
    return exit;
}
