/* svc/sharding/workflow_admin.c - see workflow_admin.h.
 *
 * Names are checked before they are put behind the prefix of this region's machines, so nothing else can be meant. Tokens of tasks never
 * leave the function: an answer names the execution, and the token is read from its history. */
#include "svc/sharding/workflow_admin.h"

#include "base/px_clock.h"
#include "svc/sharding/admin.h"
#include "svc/sharding/workflow_question.h"

#define MACHINES "/v1/admin/workflows"
#define EXECUTIONS "/v1/admin/workflows/{machine}/executions"
#define EXECUTION "/v1/admin/workflows/{machine}/executions/{execution}"

#define DEADLINE_MS 20000 /* the function may run for 28 s */
#define ANSWER_BYTES_MAX ((size_t)16 << 20)
#define HISTORY_PAGE 100 /* of 256 KiB at most each, parsed: what the function has */
#define HISTORY_ANSWER_MAX                                                                         \
    ((size_t)2 << 20) /* and an event more; twice that in an answer, whose 6 MiB are Lambda's */
#define NAME_BYTES_MAX 80u
#define NO_MACHINE "there is no such machine"
#define BODY_BYTES_MAX ((size_t)1 << 20)

enum { LIST, START, RUNS, SHOW, HISTORY, STOP, REDRIVE, ANSWER };
static const struct admin_route routes[] = {
    [LIST] = {"GET", MACHINES, "machines", NULL, NULL, NULL},
    [START] = {"POST", EXECUTIONS, "start", " name input ", "workflow.start", NULL},
    [RUNS] = {"GET", EXECUTIONS, "executions", NULL, NULL, NULL},
    [SHOW] = {"GET", EXECUTION, "execution", NULL, NULL, NULL},
    [HISTORY] = {"GET", EXECUTION "/history", "history", NULL, NULL, NULL},
    [STOP] = {"POST", EXECUTION "/stop", "stop", " error cause ", "workflow.stop", NULL},
    [REDRIVE] = {"POST", EXECUTION "/redrive", "redrive", " ", "workflow.redrive", NULL},
    [ANSWER] = {"POST", EXECUTION "/answer", "answer", " event output error cause ",
                "workflow.answer", NULL},
};

struct operation {
    struct workflow_admin *admin;
    const struct admin_request *request;
    struct px_arena *arena;
    struct admin_outcome *out;
    struct px_str machine, execution; /* of the path */
    struct px_str machine_arn, execution_arn;
};

/* ---- names ---- */

static bool is_listed(struct px_str machines, struct px_str name)
{
    while (machines.len > 0) {
        struct px_str one;
        (void)px_str_cut(&machines, ' ', &one);
        if (one.len > 0 && px_str_eq(one, name)) return true;
    }
    return false;
}

/* What Step Functions takes as a name without trouble elsewhere. */
static bool name_ok(struct px_str name)
{
    if (name.len == 0 || name.len > NAME_BYTES_MAX) return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_' || c == '.';
        if (!fine) return false;
    }
    return true;
}

/* ".../stateMachine:prefix-" with machine and name behind it, as an execution's. */
static struct px_str execution_arn(const struct operation *op)
{
    struct px_str mark = S(":stateMachine:"), prefix = op->admin->arn_prefix;
    const char *at = memmem(prefix.ptr, prefix.len, mark.ptr, mark.len);
    if (!at) return (struct px_str){0};
    size_t head = (size_t)(at - prefix.ptr);
    return px_arena_printf(op->arena, "%.*s:execution:%.*s%.*s:%.*s", (int)head, prefix.ptr,
                           PX_FMT(px_str_skip(prefix, head + mark.len)), PX_FMT(op->machine),
                           PX_FMT(op->execution));
}

/* 0 with the ARNs, or the outcome refused. */
static int resolve(struct operation *op)
{
    const struct admin_request *request = op->request;
    op->machine = api_path_param(request->http, S("machine"));
    op->execution = api_path_param(request->http, S("execution"));
    if (request->route == &routes[LIST]) return 0;
    if (!is_listed(op->admin->machines, op->machine)) return admin_refuse(op->out, 404, NO_MACHINE);
    op->machine_arn = px_arena_printf(op->arena, "%.*s%.*s", PX_FMT(op->admin->arn_prefix),
                                      PX_FMT(op->machine));
    if (!op->machine_arn.ptr) return px_arena_fault(op->arena);
    if (request->route == &routes[START] || request->route == &routes[RUNS]) return 0;
    if (!name_ok(op->execution)) return admin_refuse(op->out, 404, "there is no such execution");
    op->execution_arn = execution_arn(op);
    return op->execution_arn.ptr ? 0 : px_fault(PX_F_CONFIG, "PRISM_MACHINES_ARN is none");
}

/* ---- asking ---- */

static void add_text(struct px_buf *body, const char *name, struct px_str text)
{
    px_buf_printf(body, "%s\"%s\":", body->len > 0 ? "," : "{", name);
    px_buf_add_json_str(body, text);
}

/* The refusals that are the caller's; others are faults of ours. */
static int refuse(const struct operation *op, const struct cloud_response *response)
{
    static const struct {
        const char *error;
        int status;
        const char *detail;
    } known[] = {
        {"ExecutionDoesNotExist", 404, "there is no such execution"},
        {"StateMachineDoesNotExist", 404, NO_MACHINE},
        {"ExecutionAlreadyExists", 409, "an execution of this name was started with another input"},
        {"ExecutionNotRedrivable", 409, "the execution cannot be redriven"},
        {"TaskTimedOut", 409, "the execution waits for no answer any more"},
        {"TaskDoesNotExist", 409, "the execution waits for no answer any more"},
        {"InvalidToken", 400, "after is the next of a page before"},
        {"InvalidName", 400, "name is 1 to 80 of a-z, A-Z, 0-9, -, _ and ."},
        {"InvalidExecutionInput", 400, "input is JSON of at most 256 KiB"},
        {"InvalidOutput", 400, "output is JSON of at most 256 KiB"},
        {"ValidationException", 400, "Step Functions takes no such request"},
        {"ExecutionLimitExceeded", 429, "there are too many executions; repeat later"},
    };
    for (size_t i = 0; i < PX_COUNT(known); i++)
        if (px_str_eq(response->error, px_str_c(known[i].error)))
            return admin_refuse(op->out, known[i].status, known[i].detail);
    return px_fault(PX_F_PROTOCOL, "Step Functions: %d %.*s", response->status,
                    PX_FMT(response->error));
}

/* 0 with *ret_root, or with the outcome refused and *ret_root NULL. */
static int ask(const struct operation *op, const char *action, struct px_buf *body,
               yyjson_val **ret_root)
{
    struct cloud_response response = {0};
    *ret_root = NULL;
    px_buf_add_char(body, '}');
    PX_TRY(px_buf_fault(body));
    const struct sfn_call call = {.action = action,
                                  .body = px_buf_str(body),
                                  .body_bytes_max = ANSWER_BYTES_MAX,
                                  .deadline_ms = DEADLINE_MS};
    int r = sfn_ask(&op->admin->sfn, op->admin->arn_prefix, &call, op->arena, &response);
    if (r == CLOUD_REFUSED) return refuse(op, &response);
    PX_TRY(r);
    r = px_json_parse(response.body.len > 0 ? response.body : S("{}"), op->arena, ret_root, NULL);
    return r > 0 ? px_fault(PX_F_PROTOCOL, "%s: no JSON", action) : r;
}

static int ask_of_execution(const struct operation *op, const char *action, yyjson_val **ret_root)
{
    PX_AUTO(px_buf_deinit) struct px_buf body = {0};
    px_buf_init(&body, BODY_BYTES_MAX);
    add_text(&body, "executionArn", op->execution_arn);
    return ask(op, action, &body, ret_root);
}

/* ---- what is shown ---- */

static void add_time(struct px_buf *json, const char *name, yyjson_val *object, const char *from)
{
    char at[40];
    double seconds = px_json_f64(object, from, -1);
    if (seconds < 0) return;
    (void)px_time_format((int64_t)(seconds * 1000 + 0.5) * PX_NS_PER_MS, 3, at);
    px_buf_printf(json, ",\"%s\":\"%s\"", name, at);
}

/* JSON in a text, as what it is; else the text. */
static void add_document(const struct operation *op, const char *name, struct px_str text)
{
    yyjson_val *root = NULL;
    struct px_buf *json = op->out->json;
    if (!text.ptr) return;
    px_buf_printf(json, ",\"%s\":", name);
    if (px_json_parse(text, op->arena, &root, NULL) == 0)
        px_buf_add_json(json, root);
    else
        px_buf_add_json_str(json, text);
}

static void add_plain(struct px_buf *json, const char *name, struct px_str text)
{
    if (!text.ptr) return;
    px_buf_printf(json, ",\"%s\":", name);
    px_buf_add_json_str(json, text);
}

static void add_execution(const struct operation *op, yyjson_val *execution)
{
    struct px_buf *json = op->out->json;
    px_buf_add_c(json, "{\"machine\":");
    px_buf_add_json_str(json, op->machine);
    px_buf_add_c(json, ",\"execution\":");
    px_buf_add_json_str(json, px_json_str(execution, "name"));
    px_buf_add_c(json, ",\"status\":");
    px_buf_add_json_str(json, px_json_str(execution, "status"));
    add_time(json, "started", execution, "startDate");
    add_time(json, "stopped", execution, "stopDate");
    px_buf_printf(json, ",\"redrives\":%lld", (long long)px_json_i64(execution, "redriveCount", 0));
    add_plain(json, "arn", px_json_str(execution, "executionArn"));
}

/* ---- operations that read ---- */

static int run_machines(const struct operation *op)
{
    struct px_str rest = op->admin->machines, one;
    size_t count = 0;
    px_buf_add_c(op->out->json, "{\"machines\":[");
    while (rest.len > 0) {
        (void)px_str_cut(&rest, ' ', &one);
        if (one.len == 0) continue;
        if (count++ > 0) px_buf_add_char(op->out->json, ',');
        px_buf_add_c(op->out->json, "{\"machine\":");
        px_buf_add_json_str(op->out->json, one);
        add_plain(
            op->out->json, "arn",
            px_arena_printf(op->arena, "%.*s%.*s", PX_FMT(op->admin->arn_prefix), PX_FMT(one)));
        px_buf_add_char(op->out->json, '}');
    }
    px_buf_add_c(op->out->json, "]}");
    op->out->status = 200;
    return 0;
}

static bool status_ok(struct px_str status)
{
    static const char *const all[] = {"RUNNING",   "SUCCEEDED", "FAILED",
                                      "TIMED_OUT", "ABORTED",   "PENDING_REDRIVE"};
    for (size_t i = 0; i < PX_COUNT(all); i++)
        if (px_str_eq(status, px_str_c(all[i]))) return true;
    return false;
}

/* Which page is wanted. */
static void add_page(const struct operation *op, size_t limit, struct px_buf *body)
{
    if (op->request->after.len > 0) add_text(body, "nextToken", op->request->after);
    px_buf_printf(body, ",\"maxResults\":%zu", limit);
}

/* Where the next one begins, if there is one. */
static void add_next(yyjson_val *root, struct px_buf *json)
{
    struct px_str next = px_json_str(root, "nextToken");
    if (next.len > 0) px_buf_add_c(json, ",\"next\":");
    if (next.len > 0) px_buf_add_json_str(json, next);
}

static int run_executions(const struct operation *op)
{
    PX_AUTO(px_buf_deinit) struct px_buf body = {0};
    struct px_buf *json = op->out->json;
    struct px_str status = api_query(op->request->http, S("status"));
    yyjson_val *root = NULL, *execution;
    size_t i, n;
    if (status.ptr && !status_ok(status))
        return admin_refuse(op->out, 400,
                            "status is RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED or "
                            "PENDING_REDRIVE");
    px_buf_init(&body, BODY_BYTES_MAX);
    add_text(&body, "stateMachineArn", op->machine_arn);
    if (status.ptr) add_text(&body, "statusFilter", status);
    add_page(op, op->request->limit, &body);
    PX_TRY(ask(op, "ListExecutions", &body, &root));
    if (!root) return 0;
    px_buf_add_c(json, "{\"executions\":[");
    px_json_arr_foreach(px_json_arr(root, "executions"), i, n, execution)
    {
        if (i > 0) px_buf_add_char(json, ',');
        add_execution(op, execution);
        px_buf_add_char(json, '}');
    }
    px_buf_add_char(json, ']');
    add_next(root, json);
    px_buf_add_char(json, '}');
    op->out->status = 200;
    return 0;
}

/* Questions of an execution that runs, from the end of its history. */
static int find_questions(const struct operation *op, struct question_walk *walk)
{
    struct px_str next = {0};
    do {
        PX_AUTO(px_buf_deinit) struct px_buf body = {0};
        yyjson_val *root = NULL, *event;
        size_t i, n;
        px_buf_init(&body, BODY_BYTES_MAX);
        add_text(&body, "executionArn", op->execution_arn);
        if (next.len > 0) add_text(&body, "nextToken", next);
        px_buf_printf(&body, ",\"reverseOrder\":true,\"maxResults\":%d", HISTORY_PAGE);
        PX_TRY(ask(op, "GetExecutionHistory", &body, &root));
        if (!root) return 0;
        px_json_arr_foreach(px_json_arr(root, "events"), i, n, event)
            PX_TRY(question_take(walk, event, op->arena));
        next = px_json_str(root, "nextToken");
    } while (next.len > 0 && !walk->over);
    return 0;
}

static int run_show(const struct operation *op)
{
    struct px_buf *json = op->out->json;
    struct question_walk walk = {0};
    yyjson_val *root = NULL;
    PX_TRY(ask_of_execution(op, "DescribeExecution", &root));
    if (!root) return 0;
    if (px_str_eq(px_json_str(root, "status"), S("RUNNING"))) PX_TRY(find_questions(op, &walk));
    if (op->out->status != 0) return 0;
    add_execution(op, root);
    add_document(op, "input", px_json_str(root, "input"));
    add_document(op, "output", px_json_str(root, "output"));
    add_plain(json, "error", px_json_str(root, "error"));
    add_plain(json, "cause", px_json_str(root, "cause"));
    px_buf_add_c(json, ",\"questions\":[");
    for (size_t i = 0; i < walk.found_count; i++) {
        if (i > 0) px_buf_add_char(json, ',');
        question_write(&walk.found[i], json);
    }
    px_buf_add_c(json, "]}");
    op->out->status = 200;
    return 0;
}

static bool holds_token(struct px_str parameters)
{
    struct px_str mark = S("task_token");
    return parameters.len > 0 && memmem(parameters.ptr, parameters.len, mark.ptr, mark.len);
}

/* An event as it is, without the parameters of what waits for an answer: they hold its token. */
static void add_event(struct px_buf *json, yyjson_val *event)
{
    size_t i, n, k, m, kept;
    yyjson_val *key, *val, *name, *member;
    px_buf_add_char(json, '{');
    px_json_obj_foreach(event, i, n, key, val)
    {
        if (i > 0) px_buf_add_char(json, ',');
        px_buf_add_json_str(json, px_json_val_str(key));
        px_buf_add_char(json, ':');
        bool holds = px_str_eq(px_json_val_str(key), S("taskScheduledEventDetails")) &&
                     holds_token(px_json_str(val, "parameters"));
        if (!holds) {
            px_buf_add_json(json, val);
            continue;
        }
        px_buf_add_char(json, '{');
        kept = 0;
        px_json_obj_foreach(val, k, m, name, member)
        {
            if (px_str_eq(px_json_val_str(name), S("parameters"))) continue;
            if (kept++ > 0) px_buf_add_char(json, ',');
            px_buf_add_json_str(json, px_json_val_str(name));
            px_buf_add_char(json, ':');
            px_buf_add_json(json, member);
        }
        px_buf_add_char(json, '}');
    }
    px_buf_add_char(json, '}');
}

static int run_history(const struct operation *op)
{
    PX_AUTO(px_buf_deinit) struct px_buf body = {0};
    struct px_buf *json = op->out->json;
    yyjson_val *root = NULL, *event;
    size_t i, n;
    px_buf_init(&body, BODY_BYTES_MAX);
    add_text(&body, "executionArn", op->execution_arn);
    add_page(op, PX_MIN(op->request->limit, (size_t)HISTORY_PAGE), &body);
    PX_TRY(ask(op, "GetExecutionHistory", &body, &root));
    if (!root) return 0;
    px_buf_add_c(json, "{\"events\":[");
    px_json_arr_foreach(px_json_arr(root, "events"), i, n, event)
    {
        if (i > 0) px_buf_add_char(json, ',');
        add_event(json, event);
        if (json->len > HISTORY_ANSWER_MAX)
            return admin_refuse(op->out, 413, "these events are too large: ask for fewer");
    }
    px_buf_add_char(json, ']');
    add_next(root, json);
    px_buf_add_char(json, '}');
    op->out->status = 200;
    return 0;
}

/* ---- operations that change ---- */

static bool text_or_absent(yyjson_val *body, const char *name, size_t bytes_max)
{
    yyjson_val *val = yyjson_obj_get(body, name);
    return !val || (yyjson_is_str(val) && yyjson_get_len(val) <= bytes_max);
}

/* What was given, and who gave it: a machine's steps may have that told in the audit log (admin.h, behalf_tenant). */
static void add_input(const struct operation *op, yyjson_val *given, struct px_buf *input)
{
    const struct api_caller *caller = &op->request->caller;
    size_t i, n;
    yyjson_val *key, *val;
    px_buf_add_char(input, '{');
    px_json_obj_foreach(given, i, n, key, val)
    {
        px_buf_add_json_str(input, px_json_val_str(key));
        px_buf_add_char(input, ':');
        px_buf_add_json(input, val);
        px_buf_add_char(input, ',');
    }
    px_buf_add_c(input, "\"by\":{\"tenant\":");
    px_buf_add_json_str(input, caller->tenant);
    px_buf_add_c(input, ",\"key_id\":");
    px_buf_add_json_str(input, caller->key_id);
    px_buf_add_c(input, "}}");
}

static int run_start(const struct operation *op)
{
    PX_AUTO(px_buf_deinit) struct px_buf body = {0}, input = {0};
    yyjson_val *root = NULL, *given = op->request->body;
    struct px_str name = px_json_str(given, "name");
    yyjson_val *document = yyjson_obj_get(given, "input");
    if (yyjson_obj_get(given, "name") && !name_ok(name))
        return admin_refuse(op->out, 400, "name is 1 to 80 of a-z, A-Z, 0-9, -, _ and .");
    if (document && !yyjson_is_obj(document))
        return admin_refuse(op->out, 400, "input is a JSON object");
    if (yyjson_obj_get(document, "by"))
        return admin_refuse(op->out, 400, "input has no by: it is told whose key asks");
    px_buf_init(&body, 2 * BODY_BYTES_MAX);
    px_buf_init(&input, BODY_BYTES_MAX);
    add_input(op, document, &input);
    PX_TRY(px_buf_fault(&input));
    struct px_str alias = px_arena_printf(op->arena, "%.*s:live", PX_FMT(op->machine_arn));
    if (!alias.ptr) return px_arena_fault(op->arena);
    add_text(&body, "stateMachineArn", alias);
    add_text(&body, "input", px_buf_str(&input));
    /* always one: a call that has to be made again starts nothing twice */
    if (name.len == 0 && name_ok(op->request->request_id)) name = op->request->request_id;
    if (name.len > 0) add_text(&body, "name", name);
    PX_TRY(ask(op, "StartExecution", &body, &root));
    if (!root) return 0;
    struct px_str arn = px_json_str(root, "executionArn");
    const char *colon = arn.ptr ? memrchr(arn.ptr, ':', arn.len) : NULL;
    if (!colon) return px_fault(PX_F_PROTOCOL, "StartExecution: no ARN");
    px_buf_add_c(op->out->json, "{\"machine\":");
    px_buf_add_json_str(op->out->json, op->machine);
    px_buf_add_c(op->out->json, ",\"execution\":");
    px_buf_add_json_str(op->out->json, px_str_skip(arn, (size_t)(colon - arn.ptr) + 1));
    add_plain(op->out->json, "arn", arn);
    add_time(op->out->json, "started", root, "startDate");
    px_buf_add_char(op->out->json, '}');
    op->out->status = 202;
    return 0;
}

/* answer: what the change was answered with, or NULL. */
static int describe_again(const struct operation *op, yyjson_val *answer)
{
    yyjson_val *root = NULL;
    PX_TRY(ask_of_execution(op, "DescribeExecution", &root));
    if (!root) return 0;
    add_execution(op, root);
    add_time(op->out->json, "redriven", answer, "redriveDate");
    px_buf_add_char(op->out->json, '}');
    op->out->status = 200;
    return 0;
}

static int run_stop(const struct operation *op)
{
    PX_AUTO(px_buf_deinit) struct px_buf body = {0};
    yyjson_val *root = NULL, *given = op->request->body;
    if (!text_or_absent(given, "error", 256) || !text_or_absent(given, "cause", 32768))
        return admin_refuse(op->out, 400,
                            "error and cause are texts of at most 256 and 32768 bytes");
    px_buf_init(&body, BODY_BYTES_MAX);
    add_text(&body, "executionArn", op->execution_arn);
    if (px_json_str(given, "error").len > 0) add_text(&body, "error", px_json_str(given, "error"));
    if (px_json_str(given, "cause").len > 0) add_text(&body, "cause", px_json_str(given, "cause"));
    PX_TRY(ask(op, "StopExecution", &body, &root));
    return root ? describe_again(op, root) : 0;
}

static int run_redrive(const struct operation *op)
{
    yyjson_val *root = NULL;
    PX_TRY(ask_of_execution(op, "RedriveExecution", &root));
    return root ? describe_again(op, root) : 0;
}

/* The question that is meant: the only one, or that of the event which is named. */
static const struct question *meant(const struct operation *op, const struct question_walk *walk)
{
    int64_t event = px_json_i64(op->request->body, "event", 0);
    if (event == 0 && walk->found_count == 1 && !walk->too_many) return &walk->found[0];
    for (size_t i = 0; i < walk->found_count; i++)
        if (walk->found[i].event == event) return &walk->found[i];
    (void)admin_refuse(op->out, 409,
                       walk->found_count == 0 || event != 0
                           ? "the execution waits for no such answer"
                           : "the execution asks several questions: name one by its event");
    return NULL;
}

static int run_answer(const struct operation *op)
{
    PX_AUTO(px_buf_deinit_wiped) struct px_buf body = {0};
    PX_AUTO(px_buf_deinit) struct px_buf output = {0};
    struct question_walk walk = {0};
    yyjson_val *root = NULL, *given = op->request->body;
    yyjson_val *answer = yyjson_obj_get(given, "output"), *event = yyjson_obj_get(given, "event");
    bool fails = yyjson_obj_get(given, "error") || yyjson_obj_get(given, "cause");
    if ((answer != NULL) == fails)
        return admin_refuse(op->out, 400, "an answer has output, or error and cause");
    if (event && !yyjson_is_uint(event))
        return admin_refuse(op->out, 400, "event is a question's number");
    if (!text_or_absent(given, "error", 256) || !text_or_absent(given, "cause", 32768))
        return admin_refuse(op->out, 400,
                            "error and cause are texts of at most 256 and 32768 bytes");
    PX_TRY(find_questions(op, &walk));
    if (op->out->status != 0) return 0;
    const struct question *question = meant(op, &walk);
    if (!question) return 0;
    px_buf_init(&body, 2 * BODY_BYTES_MAX);
    px_buf_init(&output, BODY_BYTES_MAX);
    add_text(&body, "taskToken", question->token);
    if (answer) {
        px_buf_add_json(&output, answer);
        PX_TRY(px_buf_fault(&output));
        add_text(&body, "output", px_buf_str(&output));
    } else {
        add_text(&body, "error", px_json_str(given, "error"));
        add_text(&body, "cause", px_json_str(given, "cause"));
    }
    PX_TRY(ask(op, answer ? "SendTaskSuccess" : "SendTaskFailure", &body, &root));
    if (!root) return 0;
    px_buf_printf(op->out->json, "{\"answered\":%lld}", (long long)question->event);
    op->out->status = 200;
    return 0;
}

/* ---- all ---- */

static int run(void *ctx, const struct admin_request *request, struct px_arena *arena,
               struct admin_outcome *out)
{
    static int (*const runs[])(const struct operation *) = {
        [LIST] = run_machines,   [START] = run_start,     [RUNS] = run_executions,
        [SHOW] = run_show,       [HISTORY] = run_history, [STOP] = run_stop,
        [REDRIVE] = run_redrive, [ANSWER] = run_answer};
    static_assert(PX_COUNT(runs) == PX_COUNT(routes), "one for each route");
    struct operation op = {.admin = ctx, .request = request, .arena = arena, .out = out};
    if (request->direct) return admin_refuse(out, 400, "workflows are run over HTTP");
    if (!admin_may(request, false))
        return admin_refuse(out, 403, "this needs an admin key of the operator's tenant");
    PX_TRY(resolve(&op));
    return out->status != 0 ? 0 : runs[request->route - routes](&op);
}

/* Before a change: how the execution stands. */
static int state(void *ctx, const struct admin_request *request, struct px_arena *arena,
                 struct px_buf *json)
{
    struct admin_outcome scratch = {.json = json};
    struct operation op = {.admin = ctx, .request = request, .arena = arena, .out = &scratch};
    if (request->direct || request->route == &routes[START]) return 0;
    PX_TRY(resolve(&op));
    if (scratch.status == 0) PX_TRY(describe_again(&op, NULL));
    if (scratch.status >= 300) px_buf_clear(json);
    return 0;
}

static struct px_str target(const struct admin_request *request, struct px_arena *arena)
{
    struct px_str machine = request->http ? api_path_param(request->http, S("machine")) : S("");
    struct px_str execution = request->http ? api_path_param(request->http, S("execution")) : S("");
    if (execution.len == 0) return machine;
    return px_arena_printf(arena, "%.*s/%.*s", PX_FMT(machine), PX_FMT(execution));
}

int workflow_admin_handle(struct workflow_admin *admin, const struct lambda_event *event)
{
    const struct admin_service service = {.routes = routes,
                                          .route_count = PX_COUNT(routes),
                                          .run = run,
                                          .state = state,
                                          .target = target,
                                          .ctx = admin,
                                          .audit = admin->audit};
    return admin_serve(event, &service);
}
