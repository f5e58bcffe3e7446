/* export/exporter.c - see exporter.h.
 *
 * Sources: OpenTelemetry protocol specification 1.x, "OTLP/HTTP"; CloudWatch user guide, "OTLP endpoints"
 * (protobuf or JSON, SigV4 for service xray, at most 5 MB and 10,000 spans a request: a batch of ours is
 * far smaller). */
#include "export/exporter.h"

#include <opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h>
#include <stdlib.h>

#include "aws/client.h"
#include "aws/shared.h"
#include "http/client.h"

#define CONTENT_TYPE "application/x-protobuf"
#define ANSWER_BYTES_MAX (64u * 1024u)
#define XRAY_PATH "/v1/traces"

struct exporter {
    /* X-Ray */
    struct cloud_client *xray;
    struct px_arena arena; /* of one answer */
    /* or a receiver on this machine */
    struct http_client *http;
    char path[300];
};

/* ---- life ---- */

static void exporter_free(struct exporter **pexporter)
{
    struct exporter *exporter = *pexporter;
    if (!exporter) return;
    cloud_client_free(&exporter->xray);
    http_client_free(&exporter->http);
    px_arena_deinit(&exporter->arena);
    free(exporter);
    *pexporter = NULL;
}

/* Another attempt within the deadline at most: spans may wait for the next batch instead. */
static int open_xray(struct exporter *exporter, struct cloud_shared *shared)
{
    struct cloud *cloud;
    struct cloud_client_options options = {
        .service = S("xray"), .connections_max = 1, .attempts_max = 2};
    PX_TRY(cloud_shared_take(shared, &cloud));
    PX_TRY(cloud_client_new(cloud, &options, &exporter->xray));
    return 0;
}

static int open_http(struct exporter *exporter, struct px_str url)
{
    struct px_str host = px_str_skip(url, sizeof "http://" - 1), path = S("/");
    const char *slash = host.len > 0 ? memchr(host.ptr, '/', host.len) : NULL;
    if (slash) {
        path = px_str(slash, host.len - (size_t)(slash - host.ptr));
        host.len = (size_t)(slash - host.ptr);
    }
    if (path.len >= sizeof exporter->path)
        return px_fault(PX_F_CONFIG, "PRISM_TRACES_URL has a path of %zu bytes", path.len);
    memcpy(exporter->path, path.ptr, path.len);
    PX_TRY(http_client_new(host, 0, &exporter->http));
    return 0;
}

static int exporter_open(void *ctx, struct px_str url, void **ret_exporter)
{
    PX_AUTO(exporter_free) struct exporter *exporter = calloc(1, sizeof *exporter);
    if (!exporter) return px_fault(PX_F_OOM, "an exporter");
    px_arena_init(&exporter->arena, 1u << 20);
    if (px_str_eq(url, S("xray")))
        PX_TRY(open_xray(exporter, ctx));
    else if (px_str_starts(url, S("http://")))
        PX_TRY(open_http(exporter, url));
    else
        return px_fault(PX_F_CONFIG, "PRISM_TRACES_URL is \"xray\" or http://..., not \"%.*s\"",
                        PX_FMT(url));
    *ret_exporter = PX_TAKE(exporter);
    return 0;
}

static void exporter_close(void **pexporter)
{
    struct exporter *exporter = *pexporter;
    exporter_free(&exporter);
    *pexporter = NULL;
}

/* ---- batches ---- */

/* Spans that the receiver says it did not take; an answer that cannot be read says nothing. */
static uint64_t refused_of(struct px_str body)
{
    Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceResponse *response =
        opentelemetry__proto__collector__trace__v1__export_trace_service_response__unpack(
            NULL, body.len, (const uint8_t *)body.ptr);
    if (!response) return 0;
    int64_t rejected = response->partial_success ? response->partial_success->rejected_spans : 0;
    opentelemetry__proto__collector__trace__v1__export_trace_service_response__free_unpacked(
        response, NULL);
    return rejected > 0 ? (uint64_t)rejected : 0;
}

static int send_xray(struct exporter *exporter, struct px_str otlp, uint32_t deadline_ms,
                     uint64_t *ret_refused)
{
    static const struct cloud_header type = {S("Content-Type"), S(CONTENT_TYPE)};
    struct cloud_request request = {.what = "PutSpans",
                                    .method = "POST",
                                    .path = S(XRAY_PATH),
                                    .headers = &type,
                                    .header_count = 1,
                                    .body = otlp,
                                    .deadline_ms = deadline_ms,
                                    .body_bytes_max = ANSWER_BYTES_MAX};
    struct cloud_response response;
    px_arena_reset(&exporter->arena);
    int r = cloud_call(exporter->xray, &request, &exporter->arena, &response);
    if (r == CLOUD_REFUSED) {
        *ret_refused = UINT64_MAX; /* it would refuse them again */
        return 0;
    }
    PX_TRY(r);
    *ret_refused = refused_of(response.body);
    return 0;
}

/* OTLP/HTTP: these may be sent again. */
static bool is_passing(int status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

static int send_http(struct exporter *exporter, struct px_str otlp, uint32_t deadline_ms,
                     uint64_t *ret_refused)
{
    static const struct http_header type = {S("Content-Type"), S(CONTENT_TYPE)};
    struct http_call call = {"POST", px_str_c(exporter->path), &type, 1, otlp};
    struct http_response response;
    http_client_timeout(exporter->http, (int)deadline_ms);
    PX_TRY(http_client_call(exporter->http, &call, ANSWER_BYTES_MAX, NULL, NULL, &response));
    if (is_passing(response.status))
        return px_fault(PX_F_UNAVAILABLE, "who takes the spans answered %d", response.status);
    *ret_refused = response.status / 100 == 2 ? refused_of(response.body) : UINT64_MAX;
    return 0;
}

static int exporter_send(void *ctx, struct px_str otlp, uint32_t deadline_ms, uint64_t *ret_refused)
{
    struct exporter *exporter = ctx;
    return exporter->xray ? send_xray(exporter, otlp, deadline_ms, ret_refused)
                          : send_http(exporter, otlp, deadline_ms, ret_refused);
}

const struct lambda_exporter span_exporter = {exporter_open, exporter_send, exporter_close};
