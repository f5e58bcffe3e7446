/* region/openapi.h - the regional API contract (platform/api.openapi.json) as a routing table: what the
 * local gateway needs of OpenAPI 3.0 with API Gateway's extensions.
 * Source: API Gateway developer guide, "OpenAPI extensions for API Gateway". */
#pragma once

#include "base/px_arena.h"
#include "http/server.h"
#include "region/model.h"

#define API_PATH_PARTS_MAX 16

enum api_integration { API_LAMBDA, API_MOCK, API_DIRECT };

struct api_part {
    struct px_str text; /* literal, or the parameter's name */
    bool param;
};
#define API_REQUIRED_MAX 8
#define API_MODELS_MAX 4
#define API_REPLY_HEADERS_MAX 8
struct api_required {
    struct px_str name;
    bool header; /* else of the query */
};
struct api_model {
    struct px_str media_type;
    const struct model *model;
};
/* An action of a service, without a function between: what is sent and what is answered are made by mapping templates (vtl/vtl.h). */
#define API_DIRECT_REPLIES_MAX 4
struct api_direct_reply {
    struct px_str status_begins; /* of the service's answer: "4"; empty: of any other */
    int status;
    struct px_str media_type, template_text;
    struct http_header headers[API_REPLY_HEADERS_MAX]; /* beside its Content-Type */
    size_t header_count;
};
struct api_direct {
    struct px_str action;                    /* of Step Functions: "StartExecution" */
    struct px_str media_type, template_text; /* other bodies are 415 */
    struct api_direct_reply replies[API_DIRECT_REPLIES_MAX];
    size_t reply_count;
};
struct api_route {
    struct px_str resource; /* "/v1/ingest/{dataset}" */
    struct px_str method;   /* "POST" */
    struct px_str operation_id;
    struct api_part parts[API_PATH_PARTS_MAX];
    size_t part_count;
    enum api_integration integration;
    struct px_str function; /* API_LAMBDA: name in the function catalogue */
    uint32_t timeout_ms;    /* integration timeout */
    bool streams;
    struct api_direct *direct; /* API_DIRECT */
    int mock_status;
    struct px_str mock_body;
    struct http_header mock_headers[API_REPLY_HEADERS_MAX]; /* beside its Content-Type */
    size_t mock_header_count;
    struct px_str mock_media_type; /* what a request may be, else 415; empty: anything */
    struct api_required
        required[API_REQUIRED_MAX]; /* parameters, where a validator looks at them */
    size_t required_count;
    struct api_model models[API_MODELS_MAX]; /* of its body, likewise */
    size_t model_count;
    bool authorized; /* needs the authorizer */
    bool flushes_authorizer_cache;
};
/* Gateway responses that are given here; the contract has more, which only AWS can give. */
enum api_gateway_response {
    API_GW_UNAUTHORIZED,
    API_GW_ACCESS_DENIED,
    API_GW_AUTHORIZER_FAILURE,
    API_GW_NOT_FOUND,
    API_GW_REQUEST_TOO_LARGE,
    API_GW_UNSUPPORTED_MEDIA_TYPE,
    API_GW_BAD_REQUEST_PARAMETERS,
    API_GW_BAD_REQUEST_BODY,
    API_GW_THROTTLED,
    API_GW_QUOTA_EXCEEDED,
    API_GW_INTEGRATION_FAILURE,
    API_GW_INTEGRATION_TIMEOUT,
    API_GW_COUNT_,
};
struct api_gateway_reply {
    int status;
    struct px_str type;    /* "THROTTLED" */
    struct px_str message; /* API Gateway's own words for it */
    struct px_str media_type, template_text;
    struct http_header headers[API_REPLY_HEADERS_MAX]; /* the contract's own */
    size_t header_count;
};
/* What a template of a gateway response may name. */
enum api_variable {
    API_VARIABLE_REQUEST_ID,
    API_VARIABLE_MESSAGE_STRING, /* in quotes */
    API_VARIABLE_MESSAGE,
    API_VARIABLE_RESPONSE_TYPE,
    API_VARIABLE_VALIDATION, /* of a body, escaped for JSON */
    API_VARIABLE_COUNT_,     /* none: the end */
};
/* Take the text up to the next variable off a template, and the variable. False at its end. */
bool api_template_next(struct px_str *text, struct px_str *ret_before,
                       enum api_variable *ret_variable);
/* x-prism-names: the custom domain names of the API, and of the stage that each shard has the base path and the variables. Texts
 * hold {code} of the region, {domain} of the environment, and {shard}. */
#define API_DOMAINS_MAX 8
#define API_STAGE_VARIABLES_MAX 8
struct api_names {
    struct px_str domains[API_DOMAINS_MAX];
    size_t domain_count;
    struct px_str base_path; /* empty: stages have none */
    struct http_header variables[API_STAGE_VARIABLES_MAX];
    size_t variable_count;
};
struct api_contract {
    struct api_names names;
    struct api_route *routes;
    size_t route_count;
    struct api_gateway_reply replies[API_GW_COUNT_];
    struct px_str authorizer_function;
    uint32_t authorizer_ttl_s;
    struct px_str identity_header; /* of method.request.header.X */
};
enum api_contract_answer { API_CONTRACT_INVALID = 1 };
/* text must be JSON; all views live in arena. Answers: API_CONTRACT_INVALID, ret_where says what. */
PX_MUST_USE int api_contract_parse(struct px_str text, struct px_arena *arena,
                                   struct api_contract *ret_contract, struct px_where *ret_where);
PX_MUST_USE int api_contract_load(const char *path, struct px_arena *arena,
                                  struct api_contract *ret_contract);

/* What Terraform puts in the place of ${partition} and so on, which are no references of a template. */
struct api_places {
    struct px_str partition, region, account, prefix;
};
struct vtl;
/* Fill in the places of all mapping templates, which then must be of the subset that is known. Before the first request. vtl: NULL: that is
 * looked at when they are used (vtl_render()), for it takes some 25 ms, most of it in velocityjs' regular expressions.
 * Answers: API_CONTRACT_INVALID, ret_where says what. */
PX_MUST_USE int api_direct_settle(struct api_contract *contract, const struct api_places *places,
                                  struct vtl *vtl, struct px_arena *arena,
                                  struct px_where *ret_where);
/* By the status that the service answered. */
const struct api_direct_reply *api_direct_reply(const struct api_direct *direct, int status);

struct api_match {
    const struct api_route *route;
    struct http_header params[API_PATH_PARTS_MAX]; /* values percent-decoded, in arena */
    size_t param_count;
    bool path_known; /* the path exists, the method does not */
};
/* Find the route of a request path (without query). Literal parts win over parameters. NULL route when
 * there is none. A path whose percent-encoding is broken has none. */
PX_MUST_USE int api_route_find(const struct api_contract *contract, struct px_str method,
                               struct px_str path, struct px_arena *arena,
                               struct api_match *ret_match);

/* Percent-decode (RFC 3986); in a query, + stands for a space. False when an escape is broken or gives
 * a NUL, or the arena is full. */
bool url_decode(struct px_str text, bool plus_is_space, struct px_arena *arena,
                struct px_str *ret_text);
