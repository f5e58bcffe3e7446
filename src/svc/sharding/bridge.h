/* svc/sharding/bridge.h - function `bridge`: a call of a workflow to a function in another region, since Step Functions calls
 * functions of its own region only (docs/design/migration.md, "To the other region").
 *
 * Event {"region","function","event"}; the answer is that function's own, result or error, as if Step Functions had called it there.
 * What Lambda or the way to it fails with has the name that Step Functions gives it ("Lambda.TooManyRequestsException"). */
#pragma once

#include "aws/client.h"
#include "aws/shared.h"
#include "lambda/runtime.h"

struct bridge; /* opaque */
struct bridge_options {
    struct cloud_shared *cloud; /* borrowed, opened with the first call */
    /* JSON: {"<region>": ["<function>", ...]}, names as Lambda has them, without alias; empty: none. Nothing else is ever called. */
    struct px_str functions;
    const _Atomic bool *called_off; /* may be NULL; true: the caller of the event is gone */
    uint32_t retry_base_ms;         /* 0: 100 */
};
/* Faults: PX_F_CONFIG (functions is not that JSON), PX_F_OOM. */
PX_MUST_USE int bridge_new(const struct bridge_options *options, struct bridge **ret_bridge);
void bridge_free(struct bridge **bridge);
/* A lambda_handler's handle. */
PX_MUST_USE int bridge_handle(struct bridge *bridge, const struct lambda_event *event);
