/* aws/client.c - attempts until one is answered, the time is up or the budget is empty.
 *
 * Faults name the service, the operation, what happened and why it was not tried (again). They never
 * hold what AWS sent besides the error's name: messages of failed signatures quote the request. */
#include "aws/client.h"

#include <aws/auth/auth.h>
#include <aws/checksums/crc.h>
#include <aws/common/date_time.h>
#include <aws/io/io.h>
#include <aws/io/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "aws/attempt.h"
#include "aws/checksum.h"
#include "aws/error_text.h"
#include "aws/retry.h"
#include "aws/verdict.h"
#include "base/px_id.h"
#include "observe/observe.h"

#define DEADLINE_MS_DEFAULT 5000
#define CONNECT_MS 1000
#define PRESIGN_MAX_S 604800u /* a week, AWS's limit */
#define IDLE_MS (20 * 1000)   /* peers close later: DynamoDB after a minute or more */
#define LONG_MS                                                                                    \
    (60 * 1000) /* an attempt that may take longer asks now and then who is still there */
#define CALLED_OFF_LOOK_MS 100

struct cloud_client {
    struct cloud *cloud;
    struct cloud_client_options options; /* with the defaults filled in; service is below */
    struct cloud_endpoint endpoint;
    char service[32];
    char region[64];
    char url[sizeof(((struct cloud_endpoint *)0)->authority) + 8];
    struct aws_http_connection_manager *connections;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct retry_budget budget;
    bool connections_ended;
};

/* ---- life ---- */

static void connections_ended(void *ctx)
{
    struct cloud_client *client = ctx;
    (void)pthread_mutex_lock(&client->lock);
    client->connections_ended = true;
    (void)pthread_cond_signal(&client->changed);
    (void)pthread_mutex_unlock(&client->lock);
}

static int connections_make(struct cloud_client *client)
{
    struct cloud *cloud = client->cloud;
    struct aws_byte_cursor name = aws_byte_cursor_from_c_str(client->endpoint.host);
    bool is_socket = client->endpoint.is_socket;
    struct aws_socket_options socket = {
        .type = AWS_SOCKET_STREAM,
        .domain = is_socket ? AWS_SOCKET_LOCAL : AWS_SOCKET_IPV4, /* else the address's own */
        .connect_timeout_ms = CONNECT_MS,
        .keepalive = client->options.attempt_ms > LONG_MS && !is_socket,
        .keep_alive_interval_sec = 30,
        .keep_alive_timeout_sec = 60,
        .tcp_nodelay = AWS_SOCKET_TCP_NODELAY_ON};
    struct aws_tls_connection_options tls;
    aws_tls_connection_options_init_from_ctx(&tls, cloud->tls);
    (void)aws_tls_connection_options_set_server_name(&tls, cloud->allocator, &name);
    struct aws_http_connection_manager_options options = {
        .bootstrap = cloud->bootstrap,
        .initial_window_size = SIZE_MAX,
        .socket_options = &socket,
        .tls_connection_options = client->endpoint.tls ? &tls : NULL,
        .host = name,
        .port = client->endpoint.port,
        .max_connections = client->options.connections_max,
        .max_connection_idle_in_milliseconds = IDLE_MS,
        .shutdown_complete_user_data = client,
        .shutdown_complete_callback = connections_ended};
    client->connections = aws_http_connection_manager_new(cloud->allocator, &options);
    aws_tls_connection_options_clean_up(&tls);
    if (client->connections) return 0;
    return px_fault(PX_F_CONFIG, "connections to %s: %s", client->service,
                    aws_error_str(aws_last_error()));
}

static struct px_str endpoint_url(const struct cloud_client *client)
{
    if (client->options.endpoint.len > 0) return client->options.endpoint;
    char name[64];
    int n = snprintf(name, sizeof name, "AWS_ENDPOINT_URL_%s", client->service);
    PX_ASSERT(n > 0 && (size_t)n < sizeof name);
    for (char *c = name; *c; c++) *c = *c == '-' ? '_' : *c >= 'a' && *c <= 'z' ? *c - 32 : *c;
    struct px_str url = px_str_c(getenv(name));
    return url.len > 0 ? url : px_str_c(getenv("AWS_ENDPOINT_URL"));
}

static uint32_t or_else(uint32_t given, uint32_t otherwise) { return given ? given : otherwise; }

static int region_keep(struct cloud_client *client, struct px_str given)
{
    struct px_str region = given.len > 0 ? given : px_str_c(client->cloud->region);
    if (region.len >= sizeof client->region)
        return px_fault(PX_F_CONFIG, "the region \"%.*s\" is none", PX_FMT(region));
    memcpy(client->region, region.ptr, region.len);
    return 0;
}

int cloud_client_new(struct cloud *cloud, const struct cloud_client_options *options,
                     struct cloud_client **ret_client)
{
    PX_AUTO(cloud_client_free) struct cloud_client *client = calloc(1, sizeof *client);
    if (!client) return px_fault(PX_F_OOM, "a client of AWS");
    client->cloud = cloud;
    client->options = (struct cloud_client_options){
        .endpoint = options->endpoint,
        .connections_max = or_else(options->connections_max, 8),
        .attempts_max = or_else(options->attempts_max, 8),
        .attempt_ms = or_else(options->attempt_ms, 3000),
        .retry_base_ms = or_else(options->retry_base_ms, 25),
        .retry_cap_ms = or_else(options->retry_cap_ms, 2000)};
    PX_ASSERT(options->service.len > 0 && options->service.len < sizeof client->service);
    memcpy(client->service, options->service.ptr, options->service.len);
    (void)pthread_mutex_init(&client->lock, NULL);
    (void)pthread_cond_init(&client->changed, NULL);
    retry_budget_init(&client->budget);
    PX_TRY(region_keep(client, options->region));
    PX_TRY(cloud_endpoint_init(endpoint_url(client), options->subdomain, px_str_c(client->service),
                               px_str_c(client->region), &client->endpoint));
    (void)snprintf(client->url, sizeof client->url, "%s%s",
                   client->endpoint.is_socket ? "unix:"
                   : client->endpoint.tls     ? "https://"
                                              : "http://",
                   client->endpoint.is_socket ? client->endpoint.host : client->endpoint.authority);
    client->options.endpoint = (struct px_str){0}; /* borrowed until here */
    PX_TRY(connections_make(client));
    *ret_client = PX_TAKE(client);
    return 0;
}

void cloud_client_free(struct cloud_client **pclient)
{
    struct cloud_client *client = *pclient;
    if (!client) return;
    if (client->connections) {
        aws_http_connection_manager_release(client->connections);
        (void)pthread_mutex_lock(&client->lock);
        while (!client->connections_ended) (void)pthread_cond_wait(&client->changed, &client->lock);
        (void)pthread_mutex_unlock(&client->lock);
    }
    (void)pthread_cond_destroy(&client->changed);
    (void)pthread_mutex_destroy(&client->lock);
    free(client);
    *pclient = NULL;
}

/* ---- one call ---- */

struct call {
    struct cloud_client *client;
    const struct cloud_request *request;
    struct px_arena *arena;
    int64_t begin_ns, deadline_ns;
    unsigned attempts;
    int last_cost; /* of the last retry */
    bool unsure;   /* an attempt that failed may have been carried out */
    bool too_large;
    /* the last attempt */
    enum verdict verdict;
    const char *detail; /* of the Common Runtime or of the edge; or NULL */
    struct cloud_response response;
};

struct px_str cloud_response_header(const struct cloud_response *response, struct px_str name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (px_str_ieq(response->headers[i].name, name)) return response->headers[i].value;
    return (struct px_str){0};
}

static int64_t now_ns(void) { return px_mono_ns(&px_clock_system); } /* real waits, real time */

static int head_keep(struct call *call, struct px_str head)
{
    struct px_str kept = px_arena_dup(call->arena, head), text;
    size_t count = 0;
    for (size_t i = 0; i < kept.len; i++) count += kept.ptr[i] == '\0';
    count /= 2;
    struct cloud_header *headers = px_arena_array(call->arena, struct cloud_header, count);
    if (!kept.ptr || !headers) return px_arena_fault(call->arena);
    for (size_t i = 0; i < count; i++) {
        (void)px_str_cut(&kept, '\0', &headers[i].name);
        (void)px_str_cut(&kept, '\0', &text);
        headers[i].value = text;
    }
    call->response.headers = headers;
    call->response.header_count = count;
    return 0;
}

/* AWS's time minus this machine's, by the answer's Date field. */
static int64_t skew_s(const struct call *call)
{
    struct px_str date = cloud_response_header(&call->response, S("Date"));
    struct aws_byte_cursor text = cloud_cursor(date);
    struct aws_date_time time;
    if (date.len == 0 ||
        aws_date_time_init_from_str_cursor(&time, &text, AWS_DATE_FORMAT_RFC822) != 0)
        return 0;
    int64_t here_s = px_wall_ns(call->client->cloud->clock) / PX_NS_PER_S;
    return (int64_t)aws_date_time_as_epoch_secs(&time) - here_s;
}

/* S3 tells the checksum of an object, not of a part of it, and of a put's object, too. */
static bool object_is_whole(const struct call *call)
{
    const struct cloud_response *response = &call->response;
    if (response->status != 200 || strcmp(call->request->method, "GET") != 0) return true;
    for (size_t i = 0; i < response->header_count; i++)
        if (!cloud_checksum_fits(response->body, response->headers[i].name,
                                 response->headers[i].value))
            return false;
    return true;
}

/* DynamoDB says what its body's CRC-32 is. */
static bool body_is_whole(const struct call *call)
{
    const struct cloud_response *response = &call->response;
    if (!object_is_whole(call)) return false;
    struct px_str text = cloud_response_header(response, S("x-amz-crc32"));
    uint64_t want = 0;
    if (text.len == 0 || !px_str_to_u64(text, &want)) return true;
    return want ==
           aws_checksums_crc32_ex((const uint8_t *)response->body.ptr, response->body.len, 0);
}

static int judge_response(struct call *call)
{
    struct cloud_response *response = &call->response;
    struct px_str message = {0}, code = cloud_response_header(response, S("x-amzn-errortype"));
    if (!body_is_whole(call)) {
        call->verdict = VERDICT_LOST;
        call->detail = "the body does not match its checksum";
        return 0;
    }
    if (response->status < 200 || response->status >= 300) {
        struct error_text text = {.arena = call->arena};
        PX_TRY(error_text_read(response->body, &text));
        if (code.len == 0) code = text.code;
        message = text.message;
    }
    response->error = verdict_code(code);
    response->unsure = call->unsure;
    call->verdict = verdict_of(response->status, response->error, message, skew_s(call));
    if (call->request->anonymous && call->verdict == VERDICT_DENIED)
        call->verdict = VERDICT_REFUSED;
    if (call->verdict == VERDICT_REFUSED && call->request->is_passing &&
        call->request->is_passing(response))
        call->verdict = VERDICT_THROTTLED;
    return 0;
}

static int judge_signing(struct call *call, int error)
{
    if (error == AWS_AUTH_SIGNING_NO_CREDENTIALS ||
        error == AWS_AUTH_CREDENTIALS_PROVIDER_INVALID_ENVIRONMENT ||
        error == AWS_AUTH_CREDENTIALS_PROVIDER_PROFILE_SOURCE_FAILURE)
        return px_fault(PX_F_DENIED,
                        "%s %s in %s: no credentials in the environment, a profile, web identity "
                        "or the container's endpoint",
                        call->client->service, call->request->what, call->client->region);
    return px_fault(PX_F_DENIED, "%s %s: credentials: %s", call->client->service,
                    call->request->what, aws_error_str(error));
}

static int judge(struct call *call, const struct attempt_outcome *outcome)
{
    call->response = (struct cloud_response){.status = outcome->status};
    call->detail = NULL;
    if (outcome->too_large && call->request->may_be_larger && outcome->status == 200) {
        call->too_large = true;
        call->verdict = VERDICT_OK;
        PX_TRY(head_keep(call, outcome->head));
        return 0;
    }
    if (outcome->too_large)
        return px_fault(PX_F_LIMIT, "%s %s: the answer is too large", call->client->service,
                        call->request->what);
    if (outcome->error != 0 && outcome->stage == STAGE_SIGNING)
        return judge_signing(call, outcome->error);
    if (outcome->error != 0) {
        call->verdict = outcome->stage == STAGE_CONNECTING ? VERDICT_UNREACHABLE : VERDICT_LOST;
        call->detail = aws_error_str(outcome->error);
        return 0;
    }
    call->response.body = px_arena_dup(call->arena, outcome->body);
    if (!call->response.body.ptr) return px_arena_fault(call->arena);
    PX_TRY(head_keep(call, outcome->head));
    PX_TRY(judge_response(call));
    return 0;
}

/* TLS hides why a handshake failed behind a pause of seconds, so that a certificate that is not trusted
 * looks like this, too (s2n's blinding). */
static int judge_silence(struct call *call, enum attempt_stage stage)
{
    call->response = (struct cloud_response){0};
    call->detail = stage == STAGE_CONNECTING ? "none in time, or TLS failed" : NULL;
    call->verdict = stage == STAGE_CONNECTING ? VERDICT_UNREACHABLE : VERDICT_SILENT;
    if (stage != STAGE_SIGNING) return 0;
    return px_fault(PX_F_UNAVAILABLE, "%s %s: no credentials in time", call->client->service,
                    call->request->what);
}

static int called_off(const struct call *call)
{
    if (!call->request->called_off || !*call->request->called_off) return 0;
    return px_fault(PX_F_UNAVAILABLE, "%s %s in %s: called off", call->client->service,
                    call->request->what, call->client->region);
}

static bool wait_for(const struct call *call, struct attempt *attempt, int64_t until_ns,
                     enum attempt_stage *ret_stage)
{
    const _Atomic bool *flag = call->request->called_off;
    int64_t look_ns = now_ns();
    bool done = false;
    while (flag && !*flag && !done && look_ns < until_ns) {
        look_ns = PX_MIN(look_ns + CALLED_OFF_LOOK_MS * PX_NS_PER_MS, until_ns);
        done = attempt_look(attempt, look_ns);
    }
    return attempt_wait(attempt, flag && *flag ? now_ns() : until_ns, ret_stage);
}

static int attempt_once(struct call *call)
{
    struct cloud_client *client = call->client;
    PX_AUTO(attempt_unref) struct attempt *attempt = NULL;
    struct attempt_terms terms = {.cloud = client->cloud,
                                  .connections = client->connections,
                                  .endpoint = &client->endpoint,
                                  .service = px_str_c(client->service),
                                  .region = px_str_c(client->region),
                                  .request = call->request};
    enum attempt_stage stage;
    call->attempts++;
    PX_TRY(attempt_new(&terms, &attempt));
    int64_t until_ns = now_ns() + client->options.attempt_ms * PX_NS_PER_MS;
    if (!wait_for(call, attempt, PX_MIN(until_ns, call->deadline_ns), &stage)) {
        PX_TRY(called_off(call));
        PX_TRY(judge_silence(call, stage));
        return 0;
    }
    struct attempt_outcome outcome = attempt_outcome(attempt);
    PX_TRY(judge(call, &outcome));
    return 0;
}

/* ---- again? ---- */

static void sleep_until(int64_t at_ns)
{
    struct timespec at = {at_ns / PX_NS_PER_S, at_ns % PX_NS_PER_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {}
}

static bool budget_take(struct cloud_client *client, int cost)
{
    (void)pthread_mutex_lock(&client->lock);
    bool taken = retry_budget_take(&client->budget, cost);
    (void)pthread_mutex_unlock(&client->lock);
    return taken;
}

static void budget_refund(struct cloud_client *client, int cost)
{
    (void)pthread_mutex_lock(&client->lock);
    retry_budget_refund(&client->budget, cost);
    (void)pthread_mutex_unlock(&client->lock);
}

static int call_fault(const struct call *call, const char *why)
{
    int64_t took_ms = (now_ns() - call->begin_ns) / PX_NS_PER_MS;
    struct px_str error = call->response.error;
    const struct cloud_client *client = call->client;
    char status[16] = "";
    if (call->response.status != 0)
        (void)snprintf(status, sizeof status, " %d", call->response.status);
    return px_fault(verdict_fault(call->verdict),
                    "%s %s in %s: %s%s%s%.*s%s%s, %u attempts in %lld ms%s", client->service,
                    call->request->what, client->region, verdict_text(call->verdict), status,
                    error.len > 0 ? " " : "", PX_FMT(error), call->detail ? ": " : "",
                    call->detail ? call->detail : "", call->attempts, (long long)took_ms, why);
}

/* Wait for the next attempt, or the fault that ends the call. */
static int retry_wait(struct call *call)
{
    struct cloud_client *client = call->client;
    PX_TRY(called_off(call));
    if (!verdict_retries(call->verdict)) return call_fault(call, "");
    if (call->attempts >= client->options.attempts_max) return call_fault(call, "");
    struct retry_pace pace = {client->options.retry_base_ms, client->options.retry_cap_ms};
    uint32_t delay_ms = retry_delay_ms(&pace, call->attempts - 1, px_random_u64());
    int64_t at_ns = now_ns() + delay_ms * PX_NS_PER_MS;
    if (at_ns >= call->deadline_ns) return call_fault(call, ": no time is left");
    int cost = call->verdict == VERDICT_SILENT ? RETRY_COST_TIMEOUT : RETRY_COST;
    if (!budget_take(client, cost)) return call_fault(call, ": the budget for retries is empty");
    call->last_cost = cost;
    sleep_until(at_ns);
    return 0;
}

static int call_run(struct call *call)
{
    for (;;) {
        PX_TRY(attempt_once(call));
        if (call->verdict == VERDICT_OK || call->verdict == VERDICT_REFUSED) break;
        call->unsure = call->unsure || verdict_is_unsure(call->verdict);
        observe_store_kind(verdict_fault(call->verdict));
        PX_TRY(retry_wait(call));
        observe_add(METRIC_STORE_RETRIES, 1);
    }
    budget_refund(call->client, call->last_cost);
    if (call->verdict == VERDICT_REFUSED) return CLOUD_REFUSED;
    return call->too_large ? CLOUD_TOO_LARGE : 0;
}

static struct observe_work observe_call(const struct call *call)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s %s", call->client->service, call->request->what);
    struct observe_work work = observe_begin(name, SPAN_CLIENT);
    observe_text(&work, "rpc.system", S("aws-api"));
    observe_text(&work, "rpc.service", px_str_c(call->client->service));
    observe_text(&work, "rpc.method", px_str_c(call->request->what));
    return work;
}

int cloud_call(struct cloud_client *client, const struct cloud_request *request,
               struct px_arena *arena, struct cloud_response *ret_response)
{
    struct call call = {.client = client, .request = request, .arena = arena, .begin_ns = now_ns()};
    uint32_t deadline_ms = or_else(request->deadline_ms, DEADLINE_MS_DEFAULT);
    call.deadline_ns = call.begin_ns + deadline_ms * PX_NS_PER_MS;
    struct observe_work work = observe_call(&call);
    int r = call_run(&call);
    observe_number(&work, "http.response.status_code", call.response.status);
    observe_text(&work, "error.type", call.response.error);
    observe_number(&work, "prism.attempts", call.attempts);
    observe_end_store(&work, r);
    if (r >= 0) *ret_response = call.response;
    return r;
}

/* ---- requests for others ---- */

int cloud_presign(struct cloud_client *client, const char *method, struct px_str path,
                  uint32_t expires_s, struct px_arena *arena, struct px_str *ret_url)
{
    PX_ASSERT(expires_s >= 1 && expires_s <= PRESIGN_MAX_S);
    struct cloud_request request = {.what = "Presign", .method = method, .path = path};
    struct call call = {.client = client, .request = &request, .arena = arena};
    PX_AUTO(attempt_unref) struct attempt *attempt = NULL;
    struct attempt_terms terms = {.cloud = client->cloud,
                                  .connections = client->connections,
                                  .endpoint = &client->endpoint,
                                  .service = px_str_c(client->service),
                                  .region = px_str_c(client->region),
                                  .request = &request,
                                  .presign_s = expires_s};
    enum attempt_stage stage;
    PX_TRY(attempt_new(&terms, &attempt));
    if (!attempt_wait(attempt, now_ns() + client->options.attempt_ms * PX_NS_PER_MS, &stage))
        return judge_silence(&call, stage);
    struct attempt_outcome outcome = attempt_outcome(attempt);
    if (outcome.error != 0) return judge_signing(&call, outcome.error);
    struct px_str url = px_arena_printf(arena, "%s%.*s", client->url, PX_FMT(outcome.path));
    if (!url.ptr) return px_arena_fault(arena);
    *ret_url = url;
    return 0;
}

struct px_str cloud_client_url(const struct cloud_client *client) { return px_str_c(client->url); }

bool cloud_client_is_own(const struct cloud_client *client) { return client->endpoint.is_own; }

struct px_str cloud_client_region(const struct cloud_client *client)
{
    return px_str_c(client->region);
}

bool cloud_client_has_subdomain(const struct cloud_client *client)
{
    return client->endpoint.has_subdomain;
}
