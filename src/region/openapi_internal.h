/* region/openapi_internal.h - reading the contract; for openapi*.c only. */
#pragma once

#include "base/px_json.h"
#include "region/openapi.h"

struct api_reader {
    struct px_arena *arena;
    struct api_contract *contract;
    struct px_where *where;
};
/* API_CONTRACT_INVALID, with the place and why. */
int contract_refuse(struct api_reader *rd, struct px_str path, const char *why);
/* openapi_replies.c */
PX_MUST_USE int api_read_replies(struct api_reader *rd, yyjson_val *root);
