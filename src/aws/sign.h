/* aws/sign.h - Signature Version 4 on a request of the Common Runtime. Inside aws and its tests only. */
#pragma once

#include <aws/auth/signing.h>
#include <aws/auth/signing_config.h>
#include <aws/http/request_response.h>

#include "aws/internal.h"

struct cloud_scope {
    struct px_str region, service;
    bool body_digest;   /* send x-amz-content-sha256 too, which S3 wants */
    bool unsigned_body; /* TLS and a checksum vouch for the body, so it is not hashed once more */
    uint32_t query_s;   /* not 0: the signature is in the query and holds so many seconds */
};
/* Add x-amz-date, x-amz-security-token and authorization (or the query's X-Amz-...) to the message,
 * whose body is read and rewound. Then, in any thread, perhaps before this returns: done(ctx, 0 or an error of the Runtime).
 * Everything lent lives until then. */
void cloud_sign(struct cloud *cloud, const struct cloud_scope *scope,
                struct aws_http_message *message, void (*done)(void *ctx, int error), void *ctx);
