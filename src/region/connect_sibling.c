/* region/connect_sibling.c - see connect_sibling.h. */
#include "region/connect_sibling.h"

#include "base/px_id.h"
#include "http/client.h"
#include "region/replicator.h"
#include "region/workflows_internal.h"

#define CALL_TIMEOUT_MS (16 * 60 * 1000) /* a function may run for 15 minutes */
#define ANSWER_BYTES_MAX ((size_t)8 << 20)

struct sibling_call {
    const struct sibling *sibling;
    const char *function;
    struct px_str event;
};

const struct sibling *connect_sibling_of(const struct connection *c, struct px_str name)
{
    const struct siblings *siblings = c->workflows->options.siblings;
    struct px_str rest = name, region = {0};
    if (!siblings || !px_str_starts(name, S("arn:"))) return NULL;
    for (int i = 0; i < 4; i++) (void)px_str_cut(&rest, ':', &region);
    for (size_t i = 0; i < siblings->count; i++)
        if (px_str_eq(px_str_c(siblings->at[i].name), region)) return &siblings->at[i];
    return NULL;
}

static void take_failure(struct connection *c, struct px_str payload)
{
    yyjson_val *root = NULL;
    struct px_str type = {0};
    if (px_json_parse(payload, &c->arena, &root, NULL) == 0) type = px_json_str(root, "errorType");
    const char *error = type.len > 0 ? px_arena_cstr(&c->arena, type) : NULL;
    connection_fail(c, error ? error : "Lambda.Unknown", "%.*s",
                    PX_FMT(px_str(payload.ptr, PX_MIN(payload.len, (size_t)3000))));
}

static void take_answer(struct connection *c, const struct http_response *response)
{
    yyjson_val *root = NULL;
    if (response->status == 429) {
        connection_fail(c, "Lambda.TooManyRequestsException", "Rate Exceeded.");
    } else if (response->status != 200) {
        connection_fail(c, "Lambda.ServiceException", "The other region answers %d.",
                        response->status);
    } else if (http_response_header(response, S("X-Amz-Function-Error")).len > 0) {
        take_failure(c, response->body);
    } else if (px_json_parse(response->body, &c->arena, &root, NULL) != 0) {
        connection_fail(c, "Lambda.Unknown", "The function's answer is no JSON.");
    } else {
        struct px_str id = http_response_header(response, S("x-amzn-RequestId"));
        px_buf_add_c(&c->output, "{\"ExecutedVersion\":\"$LATEST\",\"Payload\":");
        px_buf_add_str(&c->output, response->body);
        px_buf_printf(&c->output,
                      ",\"SdkHttpMetadata\":{\"HttpStatusCode\":200},\"SdkResponseMetadata\":"
                      "{\"RequestId\":\"%.*s\"},\"StatusCode\":200}",
                      PX_FMT(id));
        connection_succeed(c);
    }
}

static int call_sibling(struct connection *c, const struct sibling_call *call)
{
    PX_AUTO(http_client_free) struct http_client *client = NULL;
    struct px_str socket = px_arena_printf(&c->arena, "unix:%s/region.sock", call->sibling->folder);
    struct px_str path = px_arena_printf(&c->arena, "/2015-03-31/functions/%s/invocations",
                                         call->function);
    if (!socket.ptr || !path.ptr) return px_arena_fault(&c->arena);
    PX_TRY(http_client_new(socket, CALL_TIMEOUT_MS, &client));
    http_client_interrupt_fd(client, c->workflows->closing_fd);
    const struct http_header type = {S("Content-Type"), S("application/json")};
    const struct http_call http = {"POST", path, &type, 1, call->event};
    struct http_response response;
    int r = http_client_call(client, &http, ANSWER_BYTES_MAX, NULL, NULL, &response);
    if (r == HTTP_CLIENT_INTERRUPTED) return px_fault(PX_F_UNAVAILABLE, "the region is closing");
    PX_TRY(r);
    take_answer(c, &response);
    return 0;
}

static void on_run(struct worker_job *job)
{
    struct connection *c = (struct connection *)job;
    const struct sibling_call *call = c->own;
    int r = call_sibling(c, call);
    if (r != 0) connection_fault(c, "Lambda.SdkClientException", r);
}

static void on_done(struct worker_job *job)
{
    struct connection *c = (struct connection *)job;
    if (c->outcome == CONNECTION_OPEN)
        connection_fail(c, "Lambda.SdkClientException", "The region is closing.");
    c->own = NULL;
    connection_end(c);
}

void connect_sibling_invoke(struct connection *c, const struct sibling *sibling,
                            const char *function, struct px_str event)
{
    struct replicator *replicator = c->workflows->options.replicator;
    struct sibling_call *call = px_arena_new(&c->arena, struct sibling_call);
    if (!call) {
        connection_fault(c, "Lambda.SdkClientException", px_arena_fault(&c->arena));
        connection_end(c);
    } else if (replicator && !replicator_reaches(replicator, sibling->name)) {
        connection_fail(c, "Lambda.SdkClientException", "Region %s is out of reach.",
                        sibling->name);
        connection_end(c);
    } else {
        *call = (struct sibling_call){sibling, function, event};
        c->own = call;
        c->job.run = on_run;
        c->job.done = on_done;
        worker_add(&c->workflows->calling, &c->job);
    }
}
