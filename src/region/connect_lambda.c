/* region/connect_lambda.c - lambda:invoke and functions by ARN, in the region's own pools, as `prism invoke` does it.
 *
 * Errors: a function's own errorType, else Lambda's. */
#include <stdlib.h>

#include "base/px_id.h"
#include "region/workflows_internal.h"

struct invocation {
    struct lambda_invocation *handle;
    char request_id[37];
    bool whole; /* a function's ARN: the answer is the result, without lambda:invoke's frame */
};

void connection_fail_function(struct connection *c, const struct lambda_result *result)
{
    yyjson_val *root = NULL;
    struct px_str type = {0};
    if (result->outcome == LAMBDA_THROTTLED) {
        connection_fail(c, "Lambda.TooManyRequestsException", "Rate Exceeded.");
        return;
    }
    if (px_json_parse(result->payload, &c->arena, &root, NULL) == 0)
        type = px_json_str(root, "errorType");
    if (type.len == 0) {
        connection_fail(
            c, "Lambda.Unknown",
            "The cause could not be determined because Lambda did not return an error "
            "type. Returned payload: %.*s",
            PX_FMT(px_str(result->payload.ptr, PX_MIN(result->payload.len, (size_t)3000))));
        return;
    }
    connection_fail(c, px_arena_cstr(&c->arena, type), "%s", "");
    c->cause = px_arena_dup(
        &c->arena, px_str(result->payload.ptr, PX_MIN(result->payload.len, (size_t)32768)));
}

static void succeed(struct connection *c, const struct invocation *call,
                    const struct lambda_result *result)
{
    yyjson_val *root = NULL;
    if (px_json_parse(result->payload, &c->arena, &root, NULL) != 0) {
        connection_fail(c, "Lambda.Unknown", "The function's answer is no JSON.");
        return;
    }
    if (call->whole) {
        px_buf_add_str(&c->output, result->payload);
    } else {
        px_buf_add_c(&c->output, "{\"ExecutedVersion\":\"$LATEST\",\"Payload\":");
        px_buf_add_str(&c->output, result->payload);
        px_buf_printf(&c->output,
                      ",\"SdkHttpMetadata\":{\"HttpStatusCode\":200},\"SdkResponseMetadata\":"
                      "{\"RequestId\":\"%s\"},\"StatusCode\":200}",
                      call->request_id);
    }
    connection_succeed(c);
}

bool connection_waits_for_restart(const struct connection *c, enum lambda_outcome outcome)
{
    return c->workflows->draining && c->durable && outcome != LAMBDA_OK &&
           outcome != LAMBDA_FUNCTION_ERROR;
}

static void on_invoked(void *ctx, const struct lambda_result *result)
{
    struct connection *c = ctx;
    struct invocation *call = c->own;
    call->handle = NULL;
    if (connection_waits_for_restart(c, result->outcome)) return;
    if (result->outcome == LAMBDA_OK)
        succeed(c, call, result);
    else
        connection_fail_function(c, result);
    connection_end(c);
}

static void cancel(struct connection *c)
{
    struct invocation *call = c->own;
    if (call && call->handle) lambda_invocation_cancel(call->handle);
}

static void invoke(struct connection *c, const struct function_spec *function, struct px_str event,
                   bool whole)
{
    struct workflows *w = c->workflows;
    struct invocation *call = px_arena_new(&c->arena, struct invocation);
    if (!call) {
        connection_fault(c, "Lambda.SdkClientException", px_arena_fault(&c->arena));
        connection_end(c);
        return;
    }
    c->own = call;
    call->whole = whole;
    px_uuid7(px_wall_ns(w->options.clock), call->request_id);
    const struct lambda_call lambda = {.payload = event,
                                       .request_id = px_str_c(call->request_id),
                                       .on_done = on_invoked,
                                       .ctx = c};
    call->handle = lambda_pool_invoke(
        w->options.pool(w->options.pool_ctx, px_str_c(function->name)), &lambda);
}

/* Step Functions calls functions of its own region only; function `bridge` calls those of others. */
static bool is_elsewhere(const struct connection *c, struct px_str name)
{
    struct px_str rest = name, part = {0};
    if (!px_str_starts(name, S("arn:"))) return false;
    for (int i = 0; i < 4; i++) (void)px_str_cut(&rest, ':', &part);
    return !px_str_eq(part, c->catalogue->region);
}

/* NULL: refused, and ended. */
static const struct function_spec *callee(struct connection *c, struct px_str name)
{
    const struct function_spec *function = workflows_function(c->workflows, name);
    if (!function || is_elsewhere(c, name))
        connection_fail(c, "Lambda.ResourceNotFoundException", "Function not found: %.*s",
                        PX_FMT(name));
    else if (!workflow_may(c->machine, "invoke", px_str_c(function->name)))
        connection_fail(c, "Lambda.AWSLambdaException",
                        "The machine may not invoke %s (may.invoke of workflows.json)",
                        function->name);
    if (c->outcome == CONNECTION_OPEN) return function;
    connection_end(c);
    return NULL;
}

static void begin_function(struct connection *c)
{
    const struct function_spec *function = callee(c, c->resource);
    if (function) invoke(c, function, c->payload_text, true);
}

static void queue_event(struct connection *c, const struct function_spec *function,
                        struct px_str event)
{
    char id[37];
    int r = async_invoke(c->workflows->options.async, function, event, true, id);
    if (r == ASYNC_FULL) {
        connection_fail(c, "Lambda.TooManyRequestsException", "Rate Exceeded.");
    } else if (r == ASYNC_TOO_LARGE) {
        connection_fail(c, "Lambda.RequestTooLargeException",
                        "An asynchronous event may have 1 MiB");
    } else if (r != 0) {
        connection_fault(c, "Lambda.ServiceException", r);
    } else {
        px_buf_printf(&c->output,
                      "{\"Payload\":\"\",\"SdkHttpMetadata\":{\"HttpStatusCode\":202},"
                      "\"SdkResponseMetadata\":{\"RequestId\":\"%s\"},\"StatusCode\":202}",
                      id);
        connection_succeed(c);
    }
    connection_end(c);
}

static void begin_invoke(struct connection *c)
{
    yyjson_val *payload = yyjson_obj_get(c->payload, "Payload");
    struct px_str type = px_json_str(c->payload, "InvocationType"), event = S("{}");
    const struct function_spec *function = callee(c, px_json_str(c->payload, "FunctionName"));
    if (!function) return;
    if (payload) {
        PX_AUTO(px_buf_deinit) struct px_buf text;
        px_buf_init(&text, 8u << 20);
        px_buf_add_json(&text, payload);
        event = px_buf_fault(&text) ? (struct px_str){0}
                                    : px_arena_dup(&c->arena, px_buf_str(&text));
    }
    if (!event.ptr) {
        connection_fault(c, "Lambda.SdkClientException", px_fault(PX_F_OOM, "a function's event"));
        connection_end(c);
    } else if (px_str_eq(type, S("Event"))) {
        queue_event(c, function, event);
    } else {
        invoke(c, function, event, false);
    }
}

const struct connector connect_lambda[] = {
    {.service = "lambda", .action = "invoke", .begin = begin_invoke, .cancel = cancel},
    {.service = "lambda", .action = "function", .begin = begin_function, .cancel = cancel},
    {0},
};
