/* svc/ingest/wish.h - what a request asks a claim for. */
#pragma once

#include "svc/ingest/claim.h"
#include "svc/ingest/request.h"

/* Borrows from the request. */
struct claim_wish wish_for(const struct ingest_limits *limits, const struct ingest_request *request,
                           struct px_str body, const struct decode_result *result);
