/* svc/ingest/request.h - inside of ingest: what a request asks for, and the answers it can get, in the
 * form its route speaks: OTLP's messages in the encoding of the request, JSON and problem details. */
#pragma once

#include "lambda/apigw.h"
#include "svc/ingest/decode.h"
#include "svc/quota/told.h"

enum body_format { BODY_PROTOBUF, BODY_JSON, BODY_RECORDS };

struct ingest_request {
    bool is_otlp;
    enum otlp_signal signal; /* when is_otlp */
    enum body_format format;
    struct px_str tenant, dataset;
    struct px_str time_field;
    struct px_str key; /* Idempotency-Key; ptr NULL: none */
    struct px_str encoding;
    struct px_str request_id;
};
/* Why a request is not served. */
struct refusal {
    int status;
    int retry_after_s;         /* 0: no such header */
    struct quota_fields quota; /* what is told of it; zeros: nothing */
    struct px_str home_region; /* of the tenant, when it is elsewhere */
    struct px_where where;
};
int refuse(struct refusal *refusal, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

enum request_answer { REQUEST_REFUSED = 1 };
/* ret_request is filled as far as the refusal's form needs it, also when refused. */
PX_MUST_USE int request_read(const struct api_event *event, struct ingest_request *ret_request,
                             struct refusal *ret_refusal);

/* ---- answers, as Lambda proxy responses ---- */

struct ingest_outcome {
    uint64_t accepted, refused;
    const struct decode_result *result; /* reasons of refused records */
    bool duplicate;
    struct quota_fields quota; /* what is told of the tenant's day; zeros: nothing */
};
void reply_refused(const struct ingest_request *request, const struct refusal *refusal,
                   struct px_buf *buf);
/* 200, or 400 when a request with records had none that could be stored. */
void reply_outcome(const struct ingest_request *request, const struct ingest_outcome *outcome,
                   struct px_buf *buf);
