/* aws/attempt.h - one request, sent once. Inside aws only.
 *
 * It is shared by the caller, who waits with a deadline, and by the event loop's callbacks, which may
 * come when the caller has gone. So it owns copies of all that it sends, and whoever lets go last
 * frees it. */
#pragma once

#include <aws/http/connection_manager.h>

#include "aws/client.h"
#include "aws/endpoint.h"
#include "aws/internal.h"
#include "base/px_buf.h"

/* How far it came tells what its failing means. */
enum attempt_stage { STAGE_SIGNING, STAGE_CONNECTING, STAGE_EXCHANGING };

struct attempt; /* opaque */
struct attempt_terms {
    struct cloud *cloud;
    struct aws_http_connection_manager *connections;
    const struct cloud_endpoint *endpoint;
    struct px_str service, region;
    const struct cloud_request *request;
    uint32_t presign_s; /* not 0: only sign, for so long, with the signature in the path */
};
/* Start; the callbacks run from now on. */
PX_MUST_USE int attempt_new(const struct attempt_terms *terms, struct attempt **ret_attempt);
/* Wait until it is done; false: the time (monotonic) has come, it has been called off, and ret_stage says
 * how far it had come. */
PX_MUST_USE bool attempt_look(struct attempt *attempt, int64_t until_ns); /* calls nothing off */
PX_MUST_USE bool attempt_wait(struct attempt *attempt, int64_t until_ns,
                              enum attempt_stage *ret_stage);
void attempt_unref(struct attempt **attempt);

/* Of one that is done. */
struct attempt_outcome {
    int error; /* of the Common Runtime; 0: there is an answer */
    enum attempt_stage stage;
    bool too_large; /* the answer's body or head */
    int status;
    struct px_str head; /* name NUL value NUL ... */
    struct px_str body;
    struct px_str path; /* as it was signed */
};
struct attempt_outcome attempt_outcome(const struct attempt *attempt);
