/* svc/sharding/sfn.h - Step Functions' protocol, as functions ask it: JSON 1.0 with X-Amz-Target. In a local region the endpoint is its
 * control socket. */
#pragma once

#include "aws/client.h"
#include "aws/shared.h"
#include "base/px_json.h"

struct sfn {
    struct cloud_shared *cloud; /* borrowed, opened with the first call */
    struct px_str endpoint;     /* empty: the service's own in the ARN's region */
    struct cloud_client *client;
};
struct sfn_call {
    const char *action; /* "StartExecution" */
    struct px_str body;
    bool sync;             /* of the host for synchronous starts */
    size_t body_bytes_max; /* of the answer; 0: 1 MiB */
    uint32_t deadline_ms;
};
void sfn_deinit(struct sfn *sfn);
/* arn: of a machine, or its beginning: partition and region are read from it. One sfn asks one host.
 * Answers: CLOUD_REFUSED, with the error's name in ret_response->error. Faults: those of cloud_call(); PX_F_CONFIG: it is no ARN. */
PX_MUST_USE int sfn_ask(struct sfn *sfn, struct px_str arn, const struct sfn_call *call,
                        struct px_arena *arena, struct cloud_response *ret_response);
