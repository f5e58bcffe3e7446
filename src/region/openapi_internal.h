/* region/openapi_internal.h - reading the contract; for openapi*.c only. */
#pragma once

#include "base/px_json.h"
#include "region/openapi.h"

struct api_reader {
    struct px_arena *arena;
    struct api_contract *contract;
    struct px_where *where;
    struct px_str text; /* the contract, and its document */
    yyjson_val *root;
    struct models *models; /* made when the first model is met */
};
/* API_CONTRACT_INVALID, with the place and why. */
int contract_refuse(struct api_reader *rd, struct px_str path, const char *why);
/* openapi_models.c: parameters and models that the route's validator looks at. method as the contract writes it. */
PX_MUST_USE int api_read_validation(struct api_reader *rd, struct api_route *route,
                                    struct px_str method, yyjson_val *item, yyjson_val *operation);
/* openapi_direct.c: an integration of type aws. */
PX_MUST_USE int api_read_direct(struct api_reader *rd, yyjson_val *integration,
                                struct api_route *route);
/* openapi_names.c */
PX_MUST_USE int api_read_names(struct api_reader *rd, yyjson_val *root);
/* openapi_replies.c */
/* Headers of responseParameters: `prefix` and a name to words in quotes; a mapping from elsewhere is not needed so far. False: they are none,
 * or over API_REPLY_HEADERS_MAX. */
bool api_read_headers(yyjson_val *parameters, struct px_str prefix,
                      struct http_header headers[API_REPLY_HEADERS_MAX], size_t *ret_count);
PX_MUST_USE int api_read_replies(struct api_reader *rd, yyjson_val *root);
