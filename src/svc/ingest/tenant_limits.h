/* svc/ingest/tenant_limits.h - a tenant's own ceilings, from the quotas that the authorizer names. */
#pragma once

#include "lambda/apigw.h"
#include "svc/ingest/ingest.h"

/* The platform's limits, lowered by the tenant's quotas ingest_body_bytes, ingest_record_bytes,
 * ingest_records and datasets. A quota cannot raise a limit, since the function's memory is made for the platform's;
 * one that is absent or no number changes nothing. */
PX_MUST_USE int tenant_limits(const struct ingest_limits *platform, const struct api_caller *caller,
                              struct px_arena *arena, struct ingest_limits *ret_limits);
