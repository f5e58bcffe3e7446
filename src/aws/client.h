/* aws/client.h - signed requests to one service: HTTP/1.1 with kept connections, retries, a deadline.
 * A call blocks; several threads may call at once.
 *
 * What is tried again, how often and what a fault then says: docs/design/aws.md. */
#pragma once

#include "aws/context.h"
#include "base/px_arena.h"

struct cloud_client; /* opaque */
struct cloud_client_options {
    struct px_str service;   /* the name in signatures and host names: "dynamodb" */
    struct px_str region;    /* whose service it is; empty: the cloud's own */
    struct px_str endpoint;  /* "http://host:port", or "unix:/path" of a socket, to which nothing is
                                 signed, since whoever may open it may call; empty:
                                 AWS_ENDPOINT_URL_<SERVICE>, else AWS_ENDPOINT_URL, else the service's
                                 own in the region */
    struct px_str subdomain; /* of the service's own name: a bucket's; not of other endpoints */
    uint32_t connections_max; /* 0: 8 */
    uint32_t attempts_max;    /* of one call; 0: 8 */
    uint32_t attempt_ms;      /* without a whole answer after this it is given up; 0: 3000 */
    uint32_t retry_base_ms;   /* pause before the n-th retry: up to base * 2^n; 0: 25 */
    uint32_t retry_cap_ms;    /* and at most this; 0: 2000 */
};
/* cloud is borrowed and outlives the client. Connects with the first call.
 * Faults: PX_F_CONFIG (an endpoint that is none), PX_F_OOM. */
PX_MUST_USE int cloud_client_new(struct cloud *cloud, const struct cloud_client_options *options,
                                 struct cloud_client **ret_client);
/* No call may be running. Waits for its connections to close. */
void cloud_client_free(struct cloud_client **client);

struct cloud_header {
    struct px_str name, value;
};
struct cloud_response {
    int status;
    const struct cloud_header *headers;
    size_t header_count;
    struct px_str body;
    struct px_str error; /* the name of AWS's error: "ConditionalCheckFailedException"; or empty */
    bool unsure;         /* an earlier attempt of this call may have been carried out as well */
};
struct px_str cloud_response_header(const struct cloud_response *response, struct px_str name);

enum cloud_answer { CLOUD_REFUSED = 1, CLOUD_TOO_LARGE };

struct cloud_request {
    const char *what;                   /* for people, in faults: "PutItem" */
    const char *method;                 /* "POST" */
    struct px_str path;                 /* with query, encoded once */
    const struct cloud_header *headers; /* without Host, Content-Length and what signing adds */
    size_t header_count;
    struct px_str body;
    bool
        anonymous; /* not signed; 401 and 403 are the caller's to handle: what is asked is no service of AWS */
    uint32_t deadline_ms;  /* for the whole call with its retries; 0: 5000 */
    size_t body_bytes_max; /* of the answer; 0: 1 MiB */
    bool may_be_larger;    /* than that, and then it is an answer, not a fault */
    bool secret;           /* what the Runtime's side kept of bodies is overwritten in the end */
    /* May be NULL. Looked at ten times a second while the call waits: once it is true, the call ends
     * with PX_F_UNAVAILABLE and its connection is closed. A signal's handler may set it. */
    const _Atomic bool *called_off;
    /* May be NULL. A refusal that is worth trying again as if it were throttling. */
    bool (*is_passing)(const struct cloud_response *response);
};
/* The response is in arena.
 * Answers, with ret_response written: CLOUD_REFUSED: AWS understood, and the caller has to handle it;
 * CLOUD_TOO_LARGE: status and headers only.
 * Faults: PX_F_BUSY (throttled to the end), PX_F_UNAVAILABLE, PX_F_TIMEOUT, PX_F_DENIED (credentials,
 * permissions, this machine's clock), PX_F_CONFIG (wrong region), PX_F_LIMIT, PX_F_OOM. */
PX_MUST_USE int cloud_call(struct cloud_client *client, const struct cloud_request *request,
                           struct px_arena *arena, struct cloud_response *ret_response);

/* An URL for a request that whoever has it may send until it expires, with the rights of this client's
 * credentials.
 *   path        encoded once
 *   expires_s   1 to 604800; temporary credentials may end sooner
 * Faults: PX_F_DENIED (no credentials), PX_F_TIMEOUT, PX_F_OOM. */
PX_MUST_USE int cloud_presign(struct cloud_client *client, const char *method, struct px_str path,
                              uint32_t expires_s, struct px_arena *arena, struct px_str *ret_url);
/* "https://host[:port]" */
struct px_str cloud_client_url(const struct cloud_client *client);
/* No endpoint was given or set. */
bool cloud_client_is_own(const struct cloud_client *client);
/* Whose service it is. */
struct px_str cloud_client_region(const struct cloud_client *client);
/* Its host begins with the subdomain. */
bool cloud_client_has_subdomain(const struct cloud_client *client);
