/* lambda/apigw.h - API Gateway's REST proxy event (payload format 1.0) as structs, both directions: the
 * function reads the event and writes the response, the region writes the event and reads the response.
 *
 * Source: API Gateway developer guide, "Set up Lambda proxy integrations", input and output format. */
#pragma once

#include "base/px_arena.h"
#include "base/px_buf.h"
#include "base/px_json.h"
#include "http/message.h"

/* What the authorizer says of the caller; the only source of the tenant. On the wire its fields are
 * strings in requestContext.authorizer. */
struct api_caller {
    struct px_str tenant; /* empty: no authorizer on the route */
    struct px_str key_id;
    struct px_str scopes; /* space separated: ingest query admin */
    struct px_str tier;
    struct px_str home_region, shard;
    struct px_str quotas; /* JSON object: the tenant's own limits; empty: the platform's */
    struct px_str
        restriction; /* JSON object (restriction.h): of its tenant's data, what it is limited to; empty: all */
    struct px_str token; /* id of the token that was shown; empty: it was the key itself */
    int64_t epoch;
};
bool api_caller_may(const struct api_caller *caller, struct px_str scope);
/* requestContext.authorizer, and the "context" of an authorizer's answer: an object of strings named
 * as the fields above (tenant, key_id, scopes, tier, home_region, shard, quotas, token, restriction, epoch). Reading takes what
 * is there, views into obj's document; obj may be NULL. */
void api_caller_read(yyjson_val *obj, struct api_caller *ret_caller);
void api_caller_write(const struct api_caller *caller, struct px_buf *buf);

struct api_event {
    struct px_str resource; /* "/v1/ingest/{dataset}" */
    struct px_str path;     /* as requested */
    struct px_str method;
    const struct http_header *headers;
    size_t header_count;
    const struct http_header *query; /* decoded pairs */
    size_t query_count;
    const struct http_header *path_params; /* decoded */
    size_t path_param_count;
    struct px_str request_id, source_ip, stage;
    /* Of the region's events; functions do not read them. */
    const struct http_header *stage_variables;
    size_t stage_variable_count;
    struct px_str domain;                         /* the name that was called */
    const struct http_client_certificate *client; /* that it showed; NULL: none was asked for */
    struct api_caller caller;
    struct px_str body; /* decoded from base64 */
};
enum api_answer { API_INVALID = 1 };
/* What is needed of the payload is copied into the arena.
 * Answers: API_INVALID (not a proxy event).
 * Faults: PX_F_OOM, PX_F_LIMIT from the arena. */
PX_MUST_USE int api_event_parse(struct px_str payload, struct px_arena *arena,
                                struct api_event *ret_event, struct px_where *ret_where);
/* The same without the copy: payload is written to, must be followed by
 * API_PADDING writable bytes, and must outlive the event. What the runtime (lambda_event.payload)
 * and the pool (lambda_result.payload) hand out is such memory. */
PX_MUST_USE int api_event_parse_in_place(struct px_str payload, struct px_arena *arena,
                                         struct api_event *ret_event, struct px_where *ret_where);
#define API_PADDING 8
/* Note of the event in hand what its request says of it: tenant, route, the caller's trace, and whether a browser asks (cors.h). */
void api_event_observe(const struct api_event *event);
struct px_str api_header(const struct api_event *event, struct px_str name);
struct px_str api_query(const struct api_event *event, struct px_str name);
struct px_str api_path_param(const struct api_event *event, struct px_str name);
void api_event_write(const struct api_event *event, struct px_buf *buf); /* body as base64 */
/* Members that the authorizer's event has as well: "stageVariables":..., and ,"clientCert":... of an identity. */
void api_stage_variables_write(const struct http_header *variables, size_t count,
                               struct px_buf *buf);
void api_client_write(const struct http_client_certificate *client, struct px_buf *buf);

/* The function's answer. body is UTF-8 unless binary is set, then it travels as base64. */
struct api_response {
    int status;
    const struct http_header *headers;
    size_t header_count;
    struct px_str body;
    bool binary;
};
void api_response_write(const struct api_response *response, struct px_buf *buf);
/* The status of an answer as api_response_write() begins it, or of a stream's prelude; 0: it is none. */
int api_response_status(struct px_str payload);
/* Answers: API_INVALID: API Gateway answers 502 "Internal server error". The body comes decoded. */
PX_MUST_USE int api_response_parse(struct px_str payload, struct px_arena *arena,
                                   struct api_response *ret_response);

/* Problem details (RFC 9457), the one error format: {"type","title","status","detail","requestId"} and
 * extra inner JSON (may be empty). Content type application/problem+json. */
void api_problem_write(int status, struct px_str detail, struct px_str request_id,
                       struct px_str extra_json, struct px_buf *buf);
/* A Lambda proxy response holding such a problem. */
void api_respond_problem(int status, struct px_str detail, struct px_str request_id,
                         struct px_str extra_json, struct px_buf *buf);
/* A Lambda proxy response with a body of text, and with a JSON body. */
void api_respond(int status, struct px_str content_type, struct px_str body, struct px_buf *buf);
void api_respond_json(int status, struct px_str json, struct px_buf *buf);
