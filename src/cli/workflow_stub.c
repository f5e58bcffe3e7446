/* cli/workflow_stub.c - calls that are out, each with the time when it answers and what. */
#include "cli/workflow_stub.h"

#include <stdlib.h>

#include "asl/blob.h"
#include "base/px_file.h"
#include "base/px_id.h"
#include "base/px_json.h"

#define CALLS_MAX 100000
#define LARGE_BYTES_MAX (64 << 20)

enum behaviour { STUB_ECHO, STUB_CONST, STUB_RAISE, STUB_LARGE, STUB_SLEEP };
struct stub {
    struct px_str name;
    enum behaviour behaviour;
    struct px_str text, message; /* of const and raise */
    int64_t number;              /* bytes of large, seconds of sleep */
    bool used;
};
struct out_call {
    struct px_str token; /* owned, as text_token */
    char token_text[64];
    int64_t due_ms;
    struct asl_blob *output, *error, *cause;
};
struct stubs {
    struct cli *cli;
    struct stub *list;
    size_t count;
    struct out_call *out;
    size_t out_count, out_cap;
    int fault;
};

/* What a reader gets from s3:getObject need not be JSON. */
static int read_answer(struct cli *cli, struct px_str path, struct stub *stub)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    char *name = px_arena_cstr(&cli->arena, path);
    if (!name) return cli_fault(cli, PX_F_OOM, "stubs");
    px_buf_init(&text, LARGE_BYTES_MAX);
    int r = px_file_read(name, &text);
    if (r > 0) return cli_fail(cli, CLI_FAILED, "--stub: %s is absent or over 64 MiB", name);
    if (r < 0) return cli_fault(cli, r, "%s", name);
    stub->behaviour = STUB_CONST;
    stub->text = px_arena_dup(&cli->arena, px_buf_str(&text));
    return stub->text.ptr ? CLI_OK : cli_fault(cli, PX_F_OOM, "stubs");
}

static int parse_stub(struct cli *cli, const char *written, struct stub *ret_stub)
{
    struct px_str rest = px_str_c(written), head;
    yyjson_val *value;
    if (!px_str_cut(&rest, '=', &ret_stub->name) || ret_stub->name.len == 0)
        return cli_fail(cli, CLI_USAGE,
                        "--stub %s: NAME=echo|const:JSON|file:PATH|raise:TYPE:MSG|large:N|sleep:N",
                        written);
    bool more = px_str_cut(&rest, ':', &head);
    if (px_str_eq(head, S("echo")) && !more) return CLI_OK;
    if (px_str_eq(head, S("const")) && px_json_parse(rest, &cli->arena, &value, NULL) == 0) {
        ret_stub->behaviour = STUB_CONST;
        ret_stub->text = rest;
        return CLI_OK;
    }
    if (px_str_eq(head, S("file")) && more) return read_answer(cli, rest, ret_stub);
    if (px_str_eq(head, S("raise")) && more) {
        ret_stub->behaviour = STUB_RAISE;
        (void)px_str_cut(&rest, ':', &ret_stub->text);
        ret_stub->message = rest;
        return CLI_OK;
    }
    ret_stub->behaviour = px_str_eq(head, S("large")) ? STUB_LARGE : STUB_SLEEP;
    if ((px_str_eq(head, S("large")) || px_str_eq(head, S("sleep"))) &&
        px_str_to_i64(rest, &ret_stub->number) && ret_stub->number >= 0 &&
        ret_stub->number <= LARGE_BYTES_MAX)
        return CLI_OK;
    return cli_fail(cli, CLI_USAGE,
                    "--stub %s: NAME=echo|const:JSON|file:PATH|raise:TYPE:MSG|large:N|sleep:N",
                    written);
}

int stubs_init(struct cli *cli, const struct cli_list *list, struct stubs **ret_stubs)
{
    struct stubs *stubs = px_arena_new(&cli->arena, struct stubs);
    if (!stubs) return cli_fault(cli, PX_F_OOM, "stubs");
    stubs->cli = cli;
    stubs->list = px_arena_array(&cli->arena, struct stub, list->count);
    if (list->count && !stubs->list) return cli_fault(cli, PX_F_OOM, "stubs");
    for (size_t i = 0; i < list->count; i++) {
        int exit = parse_stub(cli, list->items[i], &stubs->list[i]);
        if (exit != CLI_OK) return exit;
        stubs->count++;
    }
    *ret_stubs = stubs;
    return CLI_OK;
}

static void call_free(struct out_call *call)
{
    asl_blob_unref(&call->output);
    asl_blob_unref(&call->error);
    asl_blob_unref(&call->cause);
}

void stubs_deinit(struct stubs *stubs)
{
    for (size_t i = 0; i < stubs->out_count; i++) call_free(&stubs->out[i]);
    free(stubs->out);
}

/* ---- what a call asks for ---- */

/* "arn:aws:lambda:eu-west-1:123456789012:function:name:alias", "name:alias", "name" */
static struct px_str function_name(struct px_str written)
{
    struct px_str head, rest = written;
    if (px_str_starts(written, S("arn:")))
        for (int i = 0; i < 6; i++) (void)px_str_cut(&rest, ':', &head);
    (void)px_str_cut(&rest, ':', &head);
    return head;
}

/* Of several with one name each call takes the next, and the last one stays. */
static const struct stub *find(struct stubs *stubs, struct px_str name)
{
    struct stub *last = NULL;
    for (size_t i = 0; i < stubs->count; i++) {
        if (!px_str_eq(stubs->list[i].name, name)) continue;
        last = &stubs->list[i];
        if (!last->used) break;
    }
    if (last) last->used = true;
    return last;
}

/* lambda:invoke sends a text that is JSON as it stands, and nothing as {}. */
static struct px_str invoke_event(yyjson_val *payload, struct px_arena *arena, struct px_buf *buf)
{
    yyjson_val *ignored;
    struct px_str text = px_json_val_str(payload);
    if (text.ptr && px_json_parse(text, arena, &ignored, NULL) == 0) return text;
    if (!payload || yyjson_is_null(payload)) return S("{}");
    px_buf_add_json(buf, payload);
    return px_buf_str(buf);
}

static void add_invoke_result(struct px_buf *buf, struct px_str payload)
{
    char id[37];
    px_uuid7(px_wall_ns(&px_clock_system), id);
    px_buf_add_c(buf, "{\"ExecutedVersion\":\"$LATEST\",\"Payload\":");
    px_buf_add_str(buf, payload);
    px_buf_printf(
        buf,
        ",\"SdkHttpMetadata\":{\"AllHttpHeaders\":{\"x-amzn-RequestId\":[\"%s\"]},\"HttpHeaders\":{},"
        "\"HttpStatusCode\":200},\"SdkResponseMetadata\":{\"RequestId\":\"%s\"},\"StatusCode\":200}",
        id, id);
}

static struct asl_blob *blob(struct stubs *stubs, struct px_str text)
{
    struct asl_blob *made = asl_blob_new(text);
    if (!made) stubs->fault = px_fault(PX_F_OOM, "a stub's answer");
    return made;
}

static void fail(struct stubs *stubs, struct out_call *call, struct px_str error,
                 struct px_str cause)
{
    call->error = blob(stubs, error);
    call->cause = blob(stubs, cause);
}

static void raise(struct stubs *stubs, struct out_call *call, const struct stub *stub)
{
    char id[37];
    struct px_buf buf;
    px_uuid7(px_wall_ns(&px_clock_system), id);
    px_buf_init(&buf, 1u << 20);
    px_buf_add_c(&buf, "{\"errorMessage\":");
    px_buf_add_json_str(&buf, stub->message);
    px_buf_add_c(&buf, ",\"errorType\":");
    px_buf_add_json_str(&buf, stub->text);
    px_buf_printf(&buf, ",\"requestId\":\"%s\",\"stackTrace\":[]}", id);
    fail(stubs, call, stub->text, px_buf_str(&buf));
    px_buf_deinit(&buf);
}

static void behave(struct stubs *stubs, struct out_call *call, const struct stub *stub,
                   struct px_str event, bool invoke)
{
    struct px_buf text, whole;
    px_buf_init(&text, LARGE_BYTES_MAX + 16);
    px_buf_init(&whole, LARGE_BYTES_MAX + 4096);
    struct px_str payload = stub->behaviour == STUB_CONST ? stub->text : event;
    if (stub->behaviour == STUB_LARGE) {
        px_buf_add_char(&text, '"');
        for (int64_t i = 0; i < stub->number; i++) px_buf_add_char(&text, 'a');
        px_buf_add_char(&text, '"');
        payload = px_buf_str(&text);
    }
    if (stub->behaviour == STUB_SLEEP) call->due_ms += stub->number * 1000;
    if (stub->behaviour == STUB_RAISE) {
        raise(stubs, call, stub);
    } else {
        if (invoke) {
            add_invoke_result(&whole, payload);
            payload = px_buf_str(&whole);
        }
        call->output = blob(stubs, payload);
    }
    px_buf_deinit(&text);
    px_buf_deinit(&whole);
}

static void no_such_function(struct stubs *stubs, struct out_call *call, struct px_str name)
{
    char cause[512];
    (void)snprintf(
        cause, sizeof(cause),
        "Function not found: arn:aws:lambda:us-east-1:123456789012:function:%.*s:$LATEST (Service: AWSLambda; Status "
        "Code: 404; Error Code: ResourceNotFoundException; Request ID: none; Proxy: null)",
        PX_FMT(name));
    fail(stubs, call, S("Lambda.ResourceNotFoundException"), px_str_c(cause));
}

static void answer(struct stubs *stubs, struct out_call *call, const struct asl_task_call *task)
{
    struct px_arena arena;
    struct px_buf text;
    yyjson_val *payload = NULL;
    px_arena_init(&arena, 16u << 20);
    px_buf_init(&text, 1u << 20);
    bool invoke = task->resource->kind == ASL_RESOURCE_SERVICE &&
                  px_str_eq(task->resource->service, S("lambda"));
    struct px_str name, event = task->payload;
    if (invoke && px_json_parse(task->payload, &arena, &payload, NULL) == 0) {
        name = function_name(px_json_str(payload, "FunctionName"));
        event = invoke_event(yyjson_obj_get(payload, "Payload"), &arena, &text);
    } else if (task->resource->kind == ASL_RESOURCE_LAMBDA) {
        name = function_name(task->resource->arn);
    } else { /* a service by "dynamodb:getItem" */
        name = px_arena_printf(&arena, "%.*s:%.*s", PX_FMT(task->resource->service),
                               PX_FMT(task->resource->action));
    }
    const struct stub *stub = find(stubs, name);
    if (stub) {
        behave(stubs, call, stub, event, invoke);
    } else if (invoke || task->resource->kind == ASL_RESOURCE_LAMBDA) {
        no_such_function(stubs, call, name);
    } else {
        struct px_str cause = px_arena_printf(
            &arena, "there is no stand-in for %.*s: give --stub '%.*s=const:{}'", PX_FMT(name),
            PX_FMT(name));
        fail(stubs, call, S("States.TaskFailed"), cause);
    }
    px_buf_deinit(&text);
    px_arena_deinit(&arena);
}

void stubs_task(void *ctx, const struct asl_task_call *call)
{
    struct stubs *stubs = ctx;
    if (stubs->out_count == stubs->out_cap) {
        size_t cap = stubs->out_cap ? stubs->out_cap * 2 : 16;
        struct out_call *more = cap <= CALLS_MAX ? realloc(stubs->out, cap * sizeof(*more)) : NULL;
        if (!more) {
            stubs->fault = px_fault(PX_F_LIMIT, "more than %d calls are out", CALLS_MAX);
            return;
        }
        stubs->out = more;
        stubs->out_cap = cap;
    }
    struct out_call *out = &stubs->out[stubs->out_count++];
    *out = (struct out_call){.due_ms = px_wall_ns(stubs->cli->clock) / PX_NS_PER_MS};
    PX_ASSERT(call->token.len < sizeof(out->token_text));
    memcpy(out->token_text, call->token.ptr, call->token.len);
    out->token.len = call->token.len;
    answer(stubs, out, call);
}

static struct px_str token_of(const struct out_call *call)
{
    return px_str(call->token_text, call->token.len);
}

void stubs_cancel(void *ctx, struct px_str token)
{
    struct stubs *stubs = ctx;
    for (size_t i = 0; i < stubs->out_count; i++) {
        if (!px_str_eq(token_of(&stubs->out[i]), token)) continue;
        call_free(&stubs->out[i]);
        stubs->out[i] = stubs->out[--stubs->out_count];
        return;
    }
}

static int tell(struct asl_engine *engine, const struct out_call *call)
{
    const struct asl_failure failure = {asl_blob_str(call->error), asl_blob_str(call->cause)};
    int r = call->error
                ? asl_engine_task_failed(engine, token_of(call), &failure)
                : asl_engine_task_succeeded(engine, token_of(call), asl_blob_str(call->output));
    const struct asl_failure nonsense = {S(ASL_E_TASK_FAILED),
                                         S("The stand-in's answer is no JSON.")};
    if (r == ASL_ENGINE_INVALID) r = asl_engine_task_failed(engine, token_of(call), &nonsense);
    return r == ASL_ENGINE_UNKNOWN ? 0 : r;
}

int stubs_answer(struct stubs *stubs, struct asl_engine *engine, int64_t now_ms,
                 int64_t *ret_next_ms)
{
    *ret_next_ms = INT64_MAX;
    PX_TRY(stubs->fault);
    for (size_t i = 0; i < stubs->out_count;) {
        if (stubs->out[i].due_ms > now_ms) {
            *ret_next_ms = PX_MIN(*ret_next_ms, stubs->out[i].due_ms);
            i++;
            continue;
        }
        struct out_call call = stubs->out[i];
        stubs->out[i] = stubs->out[--stubs->out_count];
        int r = tell(engine, &call);
        call_free(&call);
        PX_TRY(r);
    }
    return 0;
}
