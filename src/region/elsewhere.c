/* region/elsewhere.c - see elsewhere.h.
 *
 * Life of a call: made in the loop -> its thread posts and waits -> uv_async -> joined, answered and freed in the loop. Its request
 * stays the server's until it is answered, so the thread may read the body. */
#include "region/elsewhere.h"

#include <stdlib.h>
#include <sys/eventfd.h>

#include "http/client.h"
#include "lambda/answer.h"
#include "lambda/apigw.h"
#include "lambda/runtime.h"
#include "region/replicator.h"

#define CALL_TIMEOUT_MS (16 * 60 * 1000) /* a function may run for 15 minutes */

struct elsewhere_call {
    struct elsewhere_call *next;
    struct elsewhere *elsewhere;
    struct http_request *request;
    const struct sibling *sibling;
    const char *function;
    uv_thread_t thread;
    uv_async_t done;
    int interrupt_fd;
    /* the thread's, then the loop's */
    int status; /* 0: there was no answer */
    struct px_buf body;
    char error[32]; /* X-Amz-Function-Error; or empty */
    char request_id[64];
    char why[600];
};
struct elsewhere {
    uv_loop_t *loop;
    const struct siblings *siblings;
    struct replicator *replicator;
    struct elsewhere_call *calls;
    size_t count;
};

int elsewhere_new(uv_loop_t *loop, const struct siblings *siblings, struct replicator *replicator,
                  struct elsewhere **ret_elsewhere)
{
    struct elsewhere *elsewhere = calloc(1, sizeof *elsewhere);
    if (!elsewhere) return px_fault(PX_F_OOM, "calls to other regions");
    *elsewhere = (struct elsewhere){.loop = loop, .siblings = siblings, .replicator = replicator};
    *ret_elsewhere = elsewhere;
    return 0;
}

void elsewhere_free(struct elsewhere **pelsewhere)
{
    if (*pelsewhere) PX_ASSERT((*pelsewhere)->count == 0);
    free(*pelsewhere);
    *pelsewhere = NULL;
}

const struct sibling *elsewhere_find(const struct elsewhere *elsewhere, struct px_str arn)
{
    struct px_str rest = arn, region = {0};
    if (!px_str_starts(arn, S("arn:"))) return NULL;
    for (int i = 0; i < 4; i++) (void)px_str_cut(&rest, ':', &region);
    for (size_t i = 0; i < elsewhere->siblings->count; i++)
        if (px_str_eq(px_str_c(elsewhere->siblings->at[i].name), region))
            return &elsewhere->siblings->at[i];
    return NULL;
}

/* Source: Lambda API reference, Invoke, "Errors"; SDKs take the name from the header. */
void elsewhere_refuse(struct http_request *request, int status, const char *error,
                      const char *detail)
{
    PX_AUTO(px_buf_deinit) struct px_buf extra, body;
    px_buf_init(&extra, 16384);
    px_buf_init(&body, 32768);
    px_buf_add_c(&extra, "\"Type\":");
    px_buf_add_json_str(&extra, status < 500 ? S("User") : S("Service"));
    px_buf_add_c(&extra, ",\"message\":");
    px_buf_add_json_str(&extra, px_str_c(detail));
    api_problem_write(status, px_str_c(detail), S(""), px_buf_str(&extra), &body);
    const struct http_header headers[] = {{S("Content-Type"), S("application/problem+json")},
                                          {S("x-amzn-ErrorType"), px_str_c(error)}};
    http_reply(request, status, headers, PX_COUNT(headers), px_buf_str(&body));
}

/* ---- in the thread ---- */

static void keep(struct px_str text, char *kept, size_t bytes)
{
    (void)snprintf(kept, bytes, "%.*s", PX_FMT(text));
}

static int exchange(struct elsewhere_call *call)
{
    char socket[4200], path[256];
    PX_AUTO(http_client_free) struct http_client *client = NULL;
    (void)snprintf(socket, sizeof socket, "unix:%s/region.sock", call->sibling->folder);
    (void)snprintf(path, sizeof path, "/2015-03-31/functions/%s/invocations", call->function);
    PX_TRY(http_client_new(px_str_c(socket), CALL_TIMEOUT_MS, &client));
    http_client_interrupt_fd(client, call->interrupt_fd);
    const struct http_header type = {S("Content-Type"), S("application/json")};
    const struct http_call http = {"POST", px_str_c(path), &type, 1, call->request->body};
    struct http_response response;
    int r = http_client_call(client, &http, LAMBDA_PAYLOAD_BYTES_MAX, NULL, NULL, &response);
    if (r == HTTP_CLIENT_INTERRUPTED) return px_fault(PX_F_UNAVAILABLE, "the call was ended");
    PX_TRY(r);
    keep(http_response_header(&response, S("X-Amz-Function-Error")), call->error,
         sizeof call->error);
    keep(http_response_header(&response, S("x-amzn-RequestId")), call->request_id,
         sizeof call->request_id);
    px_buf_add_str(&call->body, response.body);
    PX_TRY(px_buf_fault(&call->body));
    call->status = response.status;
    return 0;
}

static void on_thread(void *ctx)
{
    struct elsewhere_call *call = ctx;
    int r = exchange(call);
    if (r != 0) (void)px_fault_text(r, call->why, sizeof call->why);
    (void)uv_async_send(&call->done);
}

/* ---- in the loop ---- */

static void on_closed(uv_handle_t *handle)
{
    struct elsewhere_call *call = handle->data;
    px_close(&call->interrupt_fd);
    px_buf_deinit(&call->body);
    call->elsewhere->count--;
    free(call);
}

static void answer(struct elsewhere_call *call)
{
    struct http_header headers[4] = {{S("Content-Type"), S("application/json")},
                                     {S("X-Amz-Executed-Version"), S("$LATEST")},
                                     {S("x-amzn-RequestId"), px_str_c(call->request_id)}};
    size_t count = 3;
    if (call->error[0])
        headers[count++] = (struct http_header){S("X-Amz-Function-Error"), px_str_c(call->error)};
    if (call->status == 200)
        http_reply(call->request, 200, headers, count, px_buf_str(&call->body));
    else if (call->status == 429)
        elsewhere_refuse(call->request, 429, "TooManyRequestsException", "Rate Exceeded.");
    else if (call->status == 404)
        elsewhere_refuse(call->request, 404, "ResourceNotFoundException",
                         "the other region has no such function");
    else
        elsewhere_refuse(call->request, 503, "ServiceUnavailableException",
                         call->status ? "the other region does not serve" : call->why);
}

static void on_done(uv_async_t *async)
{
    struct elsewhere_call *call = async->data;
    struct elsewhere_call **link = &call->elsewhere->calls;
    while (*link != call) link = &(*link)->next;
    *link = call->next;
    PX_ASSERT(uv_thread_join(&call->thread) == 0);
    answer(call);
    uv_close((uv_handle_t *)&call->done, on_closed);
}

static bool begin(struct elsewhere *elsewhere, struct elsewhere_call *call)
{
    px_buf_init(&call->body, LAMBDA_PAYLOAD_BYTES_MAX);
    call->interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (call->interrupt_fd < 0) return false;
    if (uv_async_init(elsewhere->loop, &call->done, on_done) != 0) return false;
    call->done.data = call;
    elsewhere->count++; /* until its handle is closed */
    if (uv_thread_create(&call->thread, on_thread, call) == 0) return true;
    uv_close((uv_handle_t *)&call->done, on_closed);
    return false;
}

void elsewhere_invoke(struct elsewhere *elsewhere, const struct sibling *sibling,
                      const char *function, struct http_request *request)
{
    if (elsewhere->replicator && !replicator_reaches(elsewhere->replicator, sibling->name)) {
        elsewhere_refuse(request, 503, "ServiceUnavailableException",
                         "the other region is out of reach");
        return;
    }
    if (elsewhere->count >= ELSEWHERE_CALLS_MAX) {
        elsewhere_refuse(request, 429, "TooManyRequestsException", "Rate Exceeded.");
        return;
    }
    struct elsewhere_call *call = calloc(1, sizeof *call);
    if (call)
        *call = (struct elsewhere_call){.elsewhere = elsewhere,
                                        .request = request,
                                        .sibling = sibling,
                                        .function = function,
                                        .interrupt_fd = -1};
    if (!call || !begin(elsewhere, call)) {
        elsewhere_refuse(request, 503, "ServiceUnavailableException", "no room for another call");
        if (call && call->done.data) return; /* its handle is closing */
        if (call) px_close(&call->interrupt_fd);
        free(call);
        return;
    }
    call->next = elsewhere->calls;
    elsewhere->calls = call;
}

void elsewhere_gone(struct elsewhere *elsewhere, struct http_request *request)
{
    for (struct elsewhere_call *call = elsewhere->calls; call; call = call->next)
        if (call->request == request) (void)eventfd_write(call->interrupt_fd, 1);
}

void elsewhere_close(struct elsewhere *elsewhere)
{
    if (!elsewhere) return;
    for (struct elsewhere_call *call = elsewhere->calls; call; call = call->next)
        (void)eventfd_write(call->interrupt_fd, 1);
}
