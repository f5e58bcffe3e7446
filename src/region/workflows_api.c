/* region/workflows_api.c - Step Functions' JSON protocol (X-Amz-Target: AWSStepFunctions.<Action>) on the control socket, so that its
 * own clients work through a tunnel and the command has one form to know.
 *
 * Beyond Step Functions, an execution may be named by its bare name and a machine by its short one, and ListExecutions needs no
 * machine. What changes something is answered when it is on stable storage. Source: Step Functions API reference. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "region/workflows_api.h"

#define REPLY_BYTES_MAX (256u << 20)
#define ARENA_BYTES_MAX (256u << 20)
#define PAGE_DEFAULT 100
#define PAGE_MAX 1000
#define REDRIVE_MS (INT64_C(14) * 86400 * 1000)
#define REDRIVES_MAX 1000

static void call_free(struct api_call *call)
{
    px_buf_deinit(&call->reply);
    px_arena_deinit(&call->arena);
    px_arena_deinit(&call->plan.arena);
    machine_kept_free(&call->kept);
    free(call);
}

void sfn_answer(struct api_call *call)
{
    const struct http_header header = {S("Content-Type"), S("application/x-amz-json-1.0")};
    bool lost = px_buf_fault(&call->reply) != 0;
    int status = lost ? 500 : call->error ? call->status : 200;
    struct px_str body =
        lost ? S("{\"__type\":\"InternalServerError\",\"message\":\"out of memory\"}")
             : px_buf_str(&call->reply);
    if (call->request)
        http_reply(call->request, status, &header, 1, body);
    else
        call->done(call->done_ctx, status, body);
    call_free(call);
}

void sfn_fail(struct api_call *call, int status, const char *error, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    if (call->error) return;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    call->error = error;
    call->status = status;
    px_buf_clear(&call->reply);
    px_buf_printf(&call->reply, "{\"__type\":\"%s\",\"message\":", error);
    px_buf_add_json_str(&call->reply, px_str_c(text));
    if (call->reason) px_buf_printf(&call->reply, ",\"reason\":\"%s\"", call->reason);
    px_buf_add_char(&call->reply, '}');
}

void sfn_fail_fault(struct api_call *call, int fault)
{
    char why[512];
    sfn_fail(call, 500, "InternalServerError", "%s", px_fault_text(fault, why, sizeof why));
}

/* ---- writing ---- */

/* An object's first member, and another one. */
void sfn_add_first(struct px_buf *buf, const char *name, struct px_str text)
{
    px_buf_printf(buf, "{\"%s\":", name);
    px_buf_add_json_str(buf, text);
}

void sfn_add_text(struct px_buf *buf, const char *name, struct px_str text)
{
    if (!text.ptr) return;
    px_buf_printf(buf, ",\"%s\":", name);
    px_buf_add_json_str(buf, text);
}

void sfn_add_time(struct px_buf *buf, const char *name, int64_t ms)
{
    px_buf_printf(buf, ",\"%s\":%lld.%03d", name, (long long)(ms / 1000), (int)(ms % 1000));
}

static void add_machine_arn(struct api_call *call, const char *member, struct px_str machine)
{
    px_buf_printf(&call->reply,
                  ",\"%s\":\"arn:aws:states:%.*s:" WORKFLOW_ACCOUNT ":stateMachine:%.*s", member,
                  PX_FMT(call->workflows->catalogue.region), PX_FMT(machine));
}

static void add_machine_arns(struct api_call *call, const struct execution_row *row)
{
    struct px_buf *buf = &call->reply;
    add_machine_arn(call, "stateMachineArn", row->machine);
    px_buf_add_char(buf, '"');
    if (row->version) {
        add_machine_arn(call, "stateMachineVersionArn", row->machine);
        px_buf_printf(buf, ":%u\"", row->version);
    }
    if (row->alias.len) {
        add_machine_arn(call, "stateMachineAliasArn", row->machine);
        px_buf_printf(buf, ":%.*s\"", PX_FMT(row->alias));
    }
}

static const char *why_not_redrivable(const struct api_call *call, const struct execution_row *row)
{
    int64_t age_ms = px_wall_ns(call->workflows->options.clock) / PX_NS_PER_MS - row->stop_ms;
    if (row->status == EXECUTION_RUNNING) return "Execution is RUNNING and cannot be redriven";
    if (row->status == EXECUTION_SUCCEEDED) return "Execution is SUCCEEDED and cannot be redriven";
    if (row->parent) return "Execution was started by a MapRun and cannot be redriven individually";
    if (age_ms > REDRIVE_MS) return "Execution has exceeded its redrive period of 14 days";
    if (row->event_count >= ASL_HISTORY_EVENTS_MAX - 1) /* of ExecutionRedriven and an end */
        return "Execution history event limit exceeded";
    if (row->redrive_count >= REDRIVES_MAX) return "Execution has been redriven too often";
    return NULL;
}

static void add_execution(struct api_call *call, const struct execution_row *row)
{
    struct px_buf *buf = &call->reply;
    sfn_add_first(buf, "executionArn", row->arn);
    add_machine_arns(call, row);
    sfn_add_text(buf, "name", row->name);
    sfn_add_text(buf, "status", px_str_c(asl_status_name((enum asl_status)row->status)));
    sfn_add_time(buf, "startDate", row->start_ms);
    if (row->status != EXECUTION_RUNNING) sfn_add_time(buf, "stopDate", row->stop_ms);
    px_buf_printf(buf, ",\"redriveCount\":%u", row->redrive_count);
}

static void add_details(struct api_call *call, const struct execution_row *row)
{
    struct px_buf *buf = &call->reply;
    const char *why = why_not_redrivable(call, row);
    sfn_add_text(buf, "input", row->input);
    px_buf_add_c(buf, ",\"inputDetails\":{\"included\":true}");
    if (row->output.ptr) {
        sfn_add_text(buf, "output", row->output);
        px_buf_add_c(buf, ",\"outputDetails\":{\"included\":true}");
    }
    sfn_add_text(buf, "error", row->error);
    sfn_add_text(buf, "cause", row->cause);
    px_buf_printf(buf, ",\"redriveStatus\":\"%s\"", why ? "NOT_REDRIVABLE" : "REDRIVABLE");
    if (why) sfn_add_text(buf, "redriveStatusReason", px_str_c(why));
}

/* ---- finding ---- */

/* "arn:...:execution:prism-m[/label]:name" to machine and name; false: it is no such ARN. */
static bool split_arn(struct px_str arn, struct px_str *ret_machine, struct px_str *ret_name)
{
    struct px_str mark = S(":execution:");
    const char *at = memmem(arn.ptr, arn.len, mark.ptr, mark.len);
    if (!at) return false;
    struct px_str rest = px_str_skip(arn, (size_t)(at - arn.ptr) + mark.len), machine;
    if (!px_str_cut(&rest, ':', &machine)) return false;
    *ret_name = rest;
    (void)px_str_cut(&machine, '/', ret_machine);
    return true;
}

/* By bare name: the only one of that name. */
static int find_by_name(struct api_call *call, struct px_str name, struct execution_row *ret_row)
{
    struct execution_row *rows;
    size_t count;
    const struct execution_filter filter = {
        .name = name, .status = EXECUTION_ANY_STATUS, .with_children = true, .max = 2};
    PX_TRY(execution_list(call->workflows->reader, &filter, true, &call->arena, &rows, &count));
    if (count == 0) return EXECUTION_ABSENT;
    if (count > 1)
        sfn_fail(call, 400, "InvalidArn", "several machines have an execution %.*s: give its ARN",
                 PX_FMT(name));
    *ret_row = rows[0];
    return 0;
}

static bool find_execution(struct api_call *call, struct execution_row *ret_row)
{
    *ret_row = (struct execution_row){0};
    struct px_str arn = px_json_str(call->input, "executionArn"), machine, name;
    if (!arn.len) {
        sfn_fail(call, 400, "InvalidArn", "Invalid Arn: executionArn is missing");
        return false;
    }
    int r = split_arn(arn, &machine, &name)
                ? execution_find(call->workflows->reader, machine, name, &call->arena, ret_row)
                : find_by_name(call, arn, ret_row);
    if (r == EXECUTION_ABSENT)
        sfn_fail(call, 400, "ExecutionDoesNotExist", "Execution Does Not Exist: '%.*s'",
                 PX_FMT(arn));
    else if (r != 0)
        sfn_fail_fault(call, r);
    return !call->error;
}

const struct workflow_machine *sfn_machine(struct api_call *call, struct px_str *ret_qualifier)
{
    struct px_str arn = px_json_str(call->input, "stateMachineArn");
    const struct workflow_machine *machine = workflow_machine_qualified(&call->workflows->catalogue,
                                                                        arn, ret_qualifier);
    if (!machine)
        sfn_fail(call, 400, "StateMachineDoesNotExist", "State Machine Does Not Exist: '%.*s'",
                 PX_FMT(arn));
    return machine;
}

size_t sfn_page_size(const struct api_call *call)
{
    int64_t size = px_json_i64(call->input, "maxResults", 0);
    return size < 1 ? PAGE_DEFAULT : (size_t)PX_MIN(size, PAGE_MAX);
}

/* ---- the thread and back ---- */

static void on_read(struct worker_job *job)
{
    struct api_call *call = (struct api_call *)job;
    call->read(call);
}

static void on_was_read(struct worker_job *job)
{
    struct api_call *call = (struct api_call *)job;
    if (call->workflows->closed) sfn_fail(call, 503, "ServiceUnavailable", "the region is closing");
    if (call->error || !call->then)
        sfn_answer(call);
    else
        call->then(call);
}

void sfn_read_then(struct api_call *call, void (*read)(struct api_call *call),
                   void (*then)(struct api_call *call))
{
    call->read = read;
    call->then = then;
    call->job.run = on_read;
    call->job.done = on_was_read;
    worker_add(&call->workflows->reading, &call->job);
}

/* A change that waits for the journal. */
static void on_stable(void *ctx, bool committed)
{
    struct api_call *call = ctx;
    if (!committed) sfn_fail(call, 503, "ServiceUnavailable", "the region is closing");
    sfn_answer(call);
}

static void answer_when_stable(struct api_call *call, uint64_t number)
{
    int r = answer_later(call->workflows, number, on_stable, call);
    if (r == 0) return;
    sfn_fail_fault(call, r);
    sfn_answer(call);
}

/* ---- starting ---- */

static void fail_start(struct api_call *call, const struct start_result *result)
{
    switch (result->outcome) {
    case START_OK: return;
    case START_ABSENT:
        sfn_fail(call, 400, "StateMachineDoesNotExist", "State Machine Does Not Exist: '%.*s'",
                 PX_FMT(px_json_str(call->input, "stateMachineArn")));
        return;
    case START_EXISTS:
        sfn_fail(call, 400, "ExecutionAlreadyExists", "Execution Already Exists: '%.*s'",
                 PX_FMT(px_json_str(call->input, "name")));
        return;
    case START_BAD_NAME:
        sfn_fail(call, 400, "InvalidName",
                 "Invalid Name: 1 to 80 of a-z, A-Z, 0-9, '-', '_' and '.', not '%.*s'",
                 PX_FMT(px_json_str(call->input, "name")));
        return;
    case START_BAD_INPUT:
        sfn_fail(call, 400, "InvalidExecutionInput",
                 "Invalid State Machine Execution Input: JSON of at most 256 KiB");
        return;
    case START_FULL:
        sfn_fail(call, 400, "ExecutionLimitExceeded", "There are too many executions");
        return;
    case START_CLOSING: sfn_fail(call, 503, "ServiceUnavailable", "the region is draining"); return;
    case START_FAULT:
        sfn_fail(call, 500, "InternalServerError",
                 "The execution could not be started; see prism logs");
        return;
    }
}

static void on_start(void *ctx, const struct start_result *result)
{
    struct api_call *call = ctx;
    sfn_add_first(&call->reply, "executionArn", result->arn);
    if (result->outcome == START_OK) sfn_add_time(&call->reply, "startDate", result->start_ms);
    px_buf_add_char(&call->reply, '}');
    fail_start(call, result);
    sfn_answer(call);
}

/* StartSyncExecution: the end of an Express execution. */
static void on_start_sync(void *ctx, const struct start_result *result)
{
    struct api_call *call = ctx;
    struct px_buf *buf = &call->reply;
    const struct asl_execution_info *info = result->info;
    fail_start(call, result);
    if (!info) sfn_fail(call, 503, "ServiceUnavailable", "the region is closing");
    if (info && !call->error) {
        sfn_add_first(buf, "executionArn", info->arn);
        sfn_add_text(buf, "stateMachineArn", info->program->arn);
        sfn_add_text(buf, "name", info->name);
        sfn_add_time(buf, "startDate", info->start_ms);
        sfn_add_time(buf, "stopDate", info->stop_ms);
        /* the API knows no ABORTED here */
        sfn_add_text(
            buf, "status",
            px_str_c(info->status == ASL_ABORTED ? "FAILED" : asl_status_name(info->status)));
        sfn_add_text(buf, "input", info->input);
        px_buf_add_c(buf, ",\"inputDetails\":{\"included\":true}");
        if (info->output.ptr) {
            sfn_add_text(buf, "output", info->output);
            px_buf_add_c(buf, ",\"outputDetails\":{\"included\":true}");
        }
        sfn_add_text(buf, "error", info->failure.error);
        sfn_add_text(buf, "cause", info->failure.cause);
        px_buf_add_char(buf, '}');
    }
    sfn_answer(call);
}

static void start(struct api_call *call, bool sync)
{
    struct px_str input = px_json_str(call->input, "input"), qualifier;
    const struct workflow_machine *machine = sfn_machine(call, &qualifier);
    if (machine && sync && machine->type != ASL_EXPRESS)
        sfn_fail(call, 400, "StateMachineTypeNotSupported",
                 "This operation is not supported by this type of state machine");
    if (call->error) {
        sfn_answer(call);
        return;
    }
    const struct start_request request = {.machine = machine,
                                          .qualifier = qualifier,
                                          .name = px_json_str(call->input, "name"),
                                          .input = input.ptr ? input : S("{}"),
                                          .until_end = sync,
                                          .done = sync ? on_start_sync : on_start,
                                          .ctx = call};
    workflows_start(call->workflows, &request);
}

static void do_start(struct api_call *call) { start(call, false); }
static void do_start_sync(struct api_call *call) { start(call, true); }

/* ---- reading ---- */

static void read_describe(struct api_call *call)
{
    struct execution_row row = {0};
    if (!find_execution(call, &row)) return;
    add_execution(call, &row);
    add_details(call, &row);
    px_buf_add_char(&call->reply, '}');
}
static void do_describe(struct api_call *call) { sfn_read_then(call, read_describe, NULL); }

static int status_of(struct px_str name)
{
    for (int i = EXECUTION_RUNNING; i <= EXECUTION_ABORTED; i++)
        if (px_str_eq(name, px_str_c(asl_status_name((enum asl_status)i)))) return i;
    return EXECUTION_ANY_STATUS;
}

static void read_list(struct api_call *call)
{
    struct execution_row *rows = NULL;
    struct px_str arn = px_json_str(call->input, "stateMachineArn"),
                  status = px_json_str(call->input, "statusFilter"),
                  token = px_json_str(call->input, "nextToken"), qualifier = S("");
    const struct workflow_machine *machine = arn.len ? sfn_machine(call, &qualifier) : NULL;
    size_t count, size = sfn_page_size(call);
    uint64_t before = 0, version = 0;
    if (arn.len && !machine) return;
    bool numbered = px_str_to_u64(qualifier, &version) && version <= UINT32_MAX;
    if (machine && machine->type == ASL_EXPRESS) {
        sfn_fail(call, 400, "StateMachineTypeNotSupported",
                 "Executions of Express machines are not kept");
        return;
    }
    if (status.len && status_of(status) == EXECUTION_ANY_STATUS) {
        sfn_fail(call, 400, "ValidationException", "there is no status %.*s", PX_FMT(status));
        return;
    }
    if (token.len && !px_str_to_u64(token, &before)) {
        sfn_fail(call, 400, "InvalidToken", "Invalid Token: '%.*s'", PX_FMT(token));
        return;
    }
    const struct execution_filter filter = {.machine = machine ? machine->full_name : S(""),
                                            .status = status_of(status),
                                            .version = numbered ? (uint32_t)version : 0,
                                            .alias = numbered ? S("") : qualifier,
                                            .before = before,
                                            .max = size + 1};
    int r = execution_list(call->workflows->reader, &filter, false, &call->arena, &rows, &count);
    if (r != 0) {
        sfn_fail_fault(call, r);
        return;
    }
    bool more = count > size;
    if (more) count = size;
    px_buf_add_c(&call->reply, "{\"executions\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) px_buf_add_char(&call->reply, ',');
        add_execution(call, &rows[i]);
        px_buf_add_char(&call->reply, '}');
    }
    px_buf_add_char(&call->reply, ']');
    if (more)
        px_buf_printf(&call->reply, ",\"nextToken\":\"%llu\"",
                      (unsigned long long)rows[count - 1].number);
    px_buf_add_char(&call->reply, '}');
}
static void do_list(struct api_call *call) { sfn_read_then(call, read_list, NULL); }

static void read_history(struct api_call *call)
{
    struct execution_row row = {0};
    struct px_str *lines = NULL, token = px_json_str(call->input, "nextToken");
    bool backwards = px_json_bool(call->input, "reverseOrder", false);
    size_t count = 0, size = sfn_page_size(call);
    uint64_t from = 0;
    if (token.len && (!px_str_to_u64(token, &from) || from > UINT32_MAX)) {
        sfn_fail(call, 400, "InvalidToken", "Invalid Token: '%.*s'", PX_FMT(token));
        return;
    }
    if (!find_execution(call, &row)) return;
    int r = execution_history(call->workflows->reader, row.number, (uint32_t)from, backwards, size,
                              &call->arena, &lines, &count);
    px_buf_add_c(&call->reply, "{\"events\":[");
    for (size_t i = 0; r == 0 && i < count; i++) {
        if (i > 0) px_buf_add_char(&call->reply, ',');
        r = asl_event_show(lines[i], &call->arena, &call->reply);
    }
    if (r != 0) {
        sfn_fail_fault(call, r);
        return;
    }
    px_buf_add_char(&call->reply, ']');
    uint64_t first = from ? from : backwards ? row.event_count : 1;
    uint64_t next = backwards ? first - count : first + count;
    if (count == size && next >= 1 && next <= row.event_count)
        px_buf_printf(&call->reply, ",\"nextToken\":\"%llu\"", (unsigned long long)next);
    px_buf_add_char(&call->reply, '}');
}
static void do_history(struct api_call *call) { sfn_read_then(call, read_history, NULL); }

void sfn_add_machine(struct api_call *call, const struct workflow_machine *m, struct px_str arn,
                     int64_t created_ms)
{
    struct px_buf *buf = &call->reply;
    sfn_add_first(buf, "stateMachineArn", arn);
    sfn_add_text(buf, "name", m->full_name);
    sfn_add_text(buf, "type", m->type == ASL_EXPRESS ? S("EXPRESS") : S("STANDARD"));
    sfn_add_time(buf, "creationDate", created_ms);
}

static void do_list_machines(struct api_call *call)
{
    const struct workflow_catalogue *c = &call->workflows->catalogue;
    px_buf_add_c(&call->reply, "{\"stateMachines\":[");
    for (size_t i = 0; i < c->count; i++) {
        if (i > 0) px_buf_add_char(&call->reply, ',');
        sfn_add_machine(call, &c->machines[i], c->machines[i].arn, 0);
        px_buf_add_char(&call->reply, '}');
    }
    px_buf_add_c(&call->reply, "]}");
    sfn_answer(call);
}

/* ---- stopping, redriving ---- */

static void read_row(struct api_call *call) { (void)find_execution(call, &call->row); }

static void then_stop(struct api_call *call)
{
    struct workflows *w = call->workflows;
    const struct asl_failure why = {px_json_str(call->input, "error"),
                                    px_json_str(call->input, "cause")};
    int64_t now_ms = px_wall_ns(w->options.clock) / PX_NS_PER_MS;
    int r = asl_engine_stop(w->engine, call->row.number, &why);
    px_buf_printf(&call->reply, "{\"stopDate\":%lld.%03d}",
                  (long long)((r == 0 ? now_ms : call->row.stop_ms) / 1000),
                  (int)((r == 0 ? now_ms : call->row.stop_ms) % 1000));
    if (r == 0) {
        answer_when_stable(call, call->row.number);
        return;
    }
    if (r < 0) sfn_fail_fault(call, r);
    sfn_answer(call); /* it had ended */
}
static void do_stop(struct api_call *call) { sfn_read_then(call, read_row, then_stop); }

static void read_redrive(struct api_call *call)
{
    if (!find_execution(call, &call->row)) return;
    const char *why = why_not_redrivable(call, &call->row);
    if (why) {
        sfn_fail(call, 400, "ExecutionNotRedrivable", "%s", why);
        return;
    }
    int r = redrive_read(call->workflows->reader, call->row.machine, call->row.name, &call->plan);
    if (r < 0) sfn_fail_fault(call, r);
}

static void then_redrive(struct api_call *call)
{
    struct workflows *w = call->workflows;
    int64_t now_ms = px_wall_ns(w->options.clock) / PX_NS_PER_MS;
    bool runs = asl_engine_find(w->engine, call->row.number) != NULL;
    if (w->draining)
        sfn_fail(call, 503, "ServiceUnavailable", "the region is draining");
    else if (runs)
        sfn_fail(call, 400, "ExecutionNotRedrivable",
                 "Execution is RUNNING and cannot be redriven");
    int r = call->error ? 0 : redrive_apply(w, &call->plan);
    if (r != 0) sfn_fail_fault(call, r);
    if (!call->error)
        px_buf_printf(&call->reply, "{\"redriveDate\":%lld.%03d}", (long long)(now_ms / 1000),
                      (int)(now_ms % 1000));
    if (call->error)
        sfn_answer(call);
    else
        answer_when_stable(call, call->row.number);
}
static void do_redrive(struct api_call *call) { sfn_read_then(call, read_redrive, then_redrive); }

/* ---- tokens ---- */

/* The execution of a token that somebody may answer. */
static bool take_token(struct api_call *call, struct px_str *ret_token, uint64_t *ret_number)
{
    struct px_str token = px_json_str(call->input, "taskToken");
    char head[17] = "";
    const struct asl_resource *resource = asl_engine_task_resource(call->workflows->engine, token);
    if (token.len == 0) {
        sfn_fail(call, 400, "InvalidToken", "Invalid Token: 'Invalid token'");
    } else if (!resource ||
               (resource->pattern != ASL_TASK_TOKEN && resource->kind != ASL_RESOURCE_ACTIVITY)) {
        sfn_fail(call, 400, "TaskTimedOut",
                 "Task Timed Out: 'Provided task does not exist anymore'");
    } else {
        const char *end = memchr(token.ptr, '-', token.len);
        memcpy(head, token.ptr, PX_MIN((size_t)(end ? end - token.ptr : 0), sizeof head - 1));
        *ret_number = strtoull(head, NULL, 16);
        *ret_token = token;
    }
    return !call->error;
}

static void told(struct api_call *call, int r, uint64_t number)
{
    if (r == ASL_ENGINE_UNKNOWN)
        sfn_fail(call, 400, "TaskTimedOut",
                 "Task Timed Out: 'Provided task does not exist anymore'");
    else if (r == ASL_ENGINE_INVALID)
        sfn_fail(call, 400, "InvalidOutput", "Invalid Output: JSON of at most 256 KiB is needed");
    else if (r != 0)
        sfn_fail_fault(call, r);
    px_buf_add_c(&call->reply, call->error ? "" : "{}");
    if (call->error || number == 0)
        sfn_answer(call);
    else
        answer_when_stable(call, number);
}

static void do_success(struct api_call *call)
{
    struct px_str token = {0}, output = px_json_str(call->input, "output");
    uint64_t number = 0;
    if (!take_token(call, &token, &number))
        sfn_answer(call);
    else
        told(call,
             output.ptr ? asl_engine_task_succeeded(call->workflows->engine, token, output)
                        : ASL_ENGINE_INVALID,
             number);
}

static void do_failure(struct api_call *call)
{
    struct px_str token = {0};
    uint64_t number = 0;
    const struct asl_failure failure = {px_json_str(call->input, "error"),
                                        px_json_str(call->input, "cause")};
    if (!take_token(call, &token, &number))
        sfn_answer(call);
    else
        told(call, asl_engine_task_failed(call->workflows->engine, token, &failure), number);
}

static void do_heartbeat(struct api_call *call)
{
    struct px_str token = {0};
    uint64_t number = 0;
    if (!take_token(call, &token, &number))
        sfn_answer(call);
    else
        told(call, asl_engine_task_heartbeat(call->workflows->engine, token), 0);
}

/* ---- the protocol ---- */

static const struct {
    const char *action;
    void (*run)(struct api_call *call);
} actions[] = {
    {"StartExecution", do_start},
    {"StartSyncExecution", do_start_sync},
    {"DescribeExecution", do_describe},
    {"ListExecutions", do_list},
    {"GetExecutionHistory", do_history},
    {"StopExecution", do_stop},
    {"RedriveExecution", do_redrive},
    {"ListStateMachines", do_list_machines},
    {"DescribeStateMachine", sfn_describe_machine},
    {"UpdateStateMachine", sfn_update_machine},
    {"PublishStateMachineVersion", sfn_publish_version},
    {"ListStateMachineVersions", sfn_list_versions},
    {"DeleteStateMachineVersion", sfn_delete_version},
    {"CreateStateMachineAlias", sfn_create_alias},
    {"UpdateStateMachineAlias", sfn_update_alias},
    {"DescribeStateMachineAlias", sfn_describe_alias},
    {"ListStateMachineAliases", sfn_list_aliases},
    {"DeleteStateMachineAlias", sfn_delete_alias},
    {"SendTaskSuccess", do_success},
    {"SendTaskFailure", do_failure},
    {"SendTaskHeartbeat", do_heartbeat},
};

static struct api_call *call_new(struct workflows *w)
{
    struct api_call *call = calloc(1, sizeof *call);
    if (!call) return NULL;
    call->workflows = w;
    px_arena_init(&call->arena, ARENA_BYTES_MAX);
    px_buf_init(&call->reply, REPLY_BYTES_MAX);
    return call;
}

static void run(struct api_call *call, struct px_str action, struct px_str body)
{
    if (px_json_parse(body.len ? body : S("{}"), &call->arena, &call->input, NULL) != 0 ||
        !yyjson_is_obj(call->input)) {
        sfn_fail(call, 400, "SerializationException", "the body is no JSON object");
        sfn_answer(call);
        return;
    }
    for (size_t i = 0; i < PX_COUNT(actions); i++) {
        if (!px_str_eq(action, px_str_c(actions[i].action))) continue;
        actions[i].run(call);
        return;
    }
    sfn_fail(call, 400, "UnknownOperationException", "there is no action %.*s here",
             PX_FMT(action));
    sfn_answer(call);
}

bool workflows_serve(struct workflows *w, struct http_request *request)
{
    struct px_str target = http_header_get(request, S("X-Amz-Target")),
                  service = S("AWSStepFunctions.");
    if (!px_str_starts(target, service)) return false;
    struct api_call *call = call_new(w);
    if (!call) {
        http_reply(request, 503, NULL, 0, S(""));
        return true;
    }
    call->request = request;
    run(call, px_str_skip(target, service.len), request->body);
    return true;
}

void workflows_call(struct workflows *w, struct px_str action, struct px_str body,
                    void (*done)(void *ctx, int status, struct px_str body), void *ctx)
{
    struct api_call *call = call_new(w);
    if (!call) {
        done(ctx, 503, S("{}"));
        return;
    }
    call->done = done;
    call->done_ctx = ctx;
    struct px_str own = px_arena_dup(&call->arena,
                                     body); /* the caller may be gone before the end */
    if (own.ptr) {
        run(call, action, own);
        return;
    }
    sfn_fail(call, 503, "ServiceUnavailable", "out of memory");
    sfn_answer(call);
}
