/* region/control.c - the control socket (<data>/region.sock, mode 0600): whoever can open it owns the
 * region. HTTP, so that curl --unix-socket works; invocation has Lambda's own path and headers.
 * Source: AWS Lambda API reference, Invoke. */
#include <stdio.h>
#include <stdlib.h>

#include "aws/uri.h"
#include "base/px_id.h"
#include "base/px_json.h"
#include "lambda/answer.h"
#include "region/region_internal.h"

#define CONTROL_BODY_BYTES_MAX (6 * 1024 * 1024)

struct invoke_call {
    struct region *region;
    struct http_request *request;
    char request_id[37];
    char executed[16];
    struct px_str payload;
};

static const char *outcome_name(enum lambda_outcome outcome)
{
    static const char *const names[] = {"",          "Unhandled", "Unhandled", "Unhandled",
                                        "Unhandled", "Throttled", "Unhandled"};
    return names[outcome];
}

static void on_invoked(void *ctx, const struct lambda_result *result)
{
    struct invoke_call *call = ctx;
    struct http_header headers[5] = {
        {S("Content-Type"), S("application/json")},
        {S("X-Amz-Executed-Version"), px_str_c(call->executed)},
        {S("x-amzn-RequestId"), px_str_c(call->request_id)},
    };
    size_t count = 3;
    bool throttled = result->outcome == LAMBDA_THROTTLED;
    if (throttled) /* no function's error, but Lambda's: SDKs take its name from here */
        headers[count++] = (struct http_header){S("x-amzn-ErrorType"),
                                                S("TooManyRequestsException")};
    if (result->outcome != LAMBDA_OK)
        headers[count++] = (struct http_header){S("X-Amz-Function-Error"),
                                                px_str_c(outcome_name(result->outcome))};
    http_reply(call->request, throttled ? 429 : 200, headers, count, result->payload);
    free(call);
}

static void invoke_sync(struct region *region, struct http_request *request,
                        const struct function_spec *function, struct px_str qualifier,
                        struct px_str payload)
{
    const char *executed = NULL;
    struct lambda_pool *pool = versions_qualified(
        region->versions, (size_t)(function - region->catalogue.functions), qualifier, &executed);
    if (!pool) {
        elsewhere_refuse(request, 404, "ResourceNotFoundException",
                         "no such version or alias of the function");
        return;
    }
    struct invoke_call *call = calloc(1, sizeof(*call));
    if (!call) {
        answer_problem(request, 503, "out of memory");
        return;
    }
    call->region = region;
    call->request = request;
    call->payload = payload;
    (void)snprintf(call->executed, sizeof call->executed, "%s", executed);
    px_uuid7(px_wall_ns(region->clock), call->request_id);
    const struct lambda_call invoke = {.payload = call->payload,
                                       .request_id = px_str_c(call->request_id),
                                       .on_done = on_invoked,
                                       .ctx = call};
    (void)lambda_pool_invoke(pool, &invoke);
}

static void invoke_async(struct region *region, struct http_request *request,
                         const struct function_spec *function)
{
    char id[37];
    struct px_str payload = request->body.len ? request->body : S("{}");
    int r = async_invoke(region->async, function, payload, true, id);
    if (r == ASYNC_FULL)
        answer_problem(request, 429, "the asynchronous queue is full");
    else if (r == ASYNC_TOO_LARGE)
        answer_problem(request, 413, "an asynchronous event may have 1 MiB");
    else if (r < 0) {
        px_log_fault(&region->log, r, "asynchronous event for %s", function->name);
        answer_problem(request, px_fault_http(r), px_fault_message(r));
    } else {
        const struct http_header header = {S("x-amzn-RequestId"), px_str_c(id)};
        http_reply(request, 202, &header, 1, S(""));
    }
}

/* Whose region the ARN of a function names: NULL for this one. */
static bool region_of(const struct region *region, struct px_str name,
                      const struct sibling **ret_sibling)
{
    struct px_str rest = name, part = {0};
    *ret_sibling = elsewhere_find(region->elsewhere, name);
    if (*ret_sibling || !px_str_starts(name, S("arn:"))) return true;
    for (int i = 0; i < 4; i++) (void)px_str_cut(&rest, ':', &part);
    return px_str_eq(part, region->data.region_name);
}

static struct px_str qualifier_of(const struct http_request *request)
{
    struct px_str rest = request->query, pair, key;
    while (rest.len > 0) {
        (void)px_str_cut(&rest, '&', &pair);
        (void)px_str_cut(&pair, '=', &key);
        if (px_str_eq(key, S("Qualifier"))) return pair;
    }
    return S("");
}

/* POST /2015-03-31/functions/{name or ARN}/invocations */
static void serve_invoke(struct region *region, struct http_request *request, struct px_str rest)
{
    struct px_str name, encoded;
    const struct sibling *sibling = NULL;
    yyjson_val *root = NULL;
    (void)px_str_cut(&rest, '/', &encoded);
    bool known = cloud_uri_plain(encoded, request->arena, &name) &&
                 region_of(region, name, &sibling);
    const struct function_spec *function = known ? workflows_function(region->workflows, name)
                                                 : NULL;
    bool later = px_str_ieq(http_header_get(request, S("X-Amz-Invocation-Type")), S("Event"));
    if (!function || !px_str_eq(rest, S("invocations"))) {
        elsewhere_refuse(request, 404, "ResourceNotFoundException",
                         "no such function; see prism status");
        return;
    }
    if (request->body.len && px_json_parse(request->body, request->arena, &root, NULL) != 0) {
        elsewhere_refuse(request, 400, "InvalidRequestContentException",
                         "the event is not valid JSON");
        return;
    }
    if (sibling && later)
        elsewhere_refuse(request, 400, "InvalidParameterValueException",
                         "functions of other regions are called with an answer only");
    else if (sibling)
        elsewhere_invoke(region->elsewhere, sibling, function->name, request);
    else if (later)
        invoke_async(region, request, function);
    else
        invoke_sync(region, request, function, qualifier_of(request),
                    request->body.len ? request->body : S("{}"));
}

/* POST /tick/{op}: run a schedule's event now and wait for what it says. */
static void serve_tick(struct region *region, struct http_request *request, struct px_str op)
{
    for (size_t i = 0; i < region->catalogue.count; i++) {
        const struct function_spec *f = &region->catalogue.functions[i];
        for (size_t k = 0; k < f->schedule_count; k++) {
            if (px_str_eq(px_str_c(f->schedules[k].name), op)) {
                invoke_sync(region, request, f, S(""), f->schedules[k].input);
                return;
            }
        }
    }
    answer_problem(request, 404, "no such schedule; see platform/functions.json");
}

/* What siblings, their supervisor and the edge router ask; false: it is something else. */
static bool serve_siblings(struct region *region, struct http_request *request)
{
    const struct px_str item = S("/registry/");
    bool post = request->method == HTTP_POST_;
    if (!region->replicator) return false;
    if (post && px_str_eq(request->path, S("/replication/changes")))
        replicator_serve_changes(region->replicator, request);
    else if (post && px_str_eq(request->path, S("/replication")))
        replicator_serve_settings(region->replicator, request);
    else if (request->method == HTTP_GET_ && px_str_starts(request->path, item))
        replicator_serve_item(region->replicator, request, px_str_skip(request->path, item.len));
    else
        return false;
    return true;
}

static const struct function_spec *function_of(void *ctx, struct px_str name)
{
    const struct region *region = ctx;
    const struct sibling *sibling = NULL;
    bool own = region_of(region, name, &sibling) && !sibling;
    return own ? workflows_function(region->workflows, name) : NULL;
}

static void on_request(void *ctx, struct http_request *request)
{
    struct region *region = ctx;
    const struct px_str invoke = S("/2015-03-31/functions/"), tick = S("/tick/");
    bool serving = region->phase == REGION_SERVING;
    bool get = request->method == HTTP_GET_, post = request->method == HTTP_POST_;
    if (serve_siblings(region, request)) return;
    if (get && px_str_eq(request->path, S("/status"))) {
        status_serve(region, request);
    } else if (get && px_str_eq(request->path, S("/logs"))) {
        logs_serve(region, request);
    } else if (get && px_str_eq(request->path, S("/workflows/interventions"))) {
        workflows_serve_interventions(region->workflows, request);
    } else if (post && px_str_eq(request->path, S("/drain"))) {
        answer_json(request, 202, S("{\"draining\":true}"));
        region_begin_drain(region);
    } else if (post && !serving) {
        answer_problem(request, 503, "the region is draining");
    } else if (post && px_str_eq(request->path, S("/")) &&
               (watch_serve(region->watch, request) ||
                workflows_serve(region->workflows, request))) {
        return;
    } else if (serving && versions_serve(region->versions, request, function_of, region)) {
        return;
    } else if (post && px_str_starts(request->path, invoke)) {
        serve_invoke(region, request, px_str_skip(request->path, invoke.len));
    } else if (post && px_str_starts(request->path, tick)) {
        serve_tick(region, request, px_str_skip(request->path, tick.len));
    } else {
        answer_problem(
            request, 404,
            "GET /status, GET /logs, POST /drain, POST /tick/{schedule}, "
            "POST /2015-03-31/functions/{name}/invocations, "
            "GET /workflows/interventions, POST / with X-Amz-Target: AWSStepFunctions.*");
    }
}

static void on_gone(void *ctx, struct http_request *request)
{
    struct region *region = ctx;
    logs_gone(region, request);
    elsewhere_gone(region->elsewhere, request);
}

int control_start(struct region *region)
{
    const char *path = data_dir_sub(&region->data, &region->arena, "region.sock");
    const struct http_server_options options = {.body_bytes_max = CONTROL_BODY_BYTES_MAX,
                                                .connections_max = 64,
                                                .on_request = on_request,
                                                .on_gone = on_gone,
                                                .ctx = region};
    if (!path) return px_arena_fault(&region->arena);
    PX_TRY(http_server_new(&region->loop, &options, &region->control));
    PX_TRY(http_server_listen_unix(region->control, path));
    return 0;
}
