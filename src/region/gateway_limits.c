/* region/gateway_limits.c - what API Gateway would not take, though this server does. PRISM_AWS_LIMITS (tuning.h) turns it off.
 *
 * The others of AWS's limits are the local ones too, since memory is bounded by them: docs/design/gateway.md has the table.
 * Source: API Gateway developer guide, "Quotas for configuring and running a REST API": 10,240 bytes of header values in total. The status is the one
 * that its users report for it. */
#include "region/gateway_internal.h"

#define HEADER_VALUES_BYTES_MAX 10240u
#define PROBLEM_BYTES_MAX 1024u

bool gateway_fits_aws(struct gateway_call *call)
{
    const struct http_request *request = call->request;
    size_t bytes = 0;
    if (!call->gateway->options.aws_limits) return true;
    for (size_t i = 0; i < request->header_count; i++) bytes += request->headers[i].value.len;
    if (bytes <= HEADER_VALUES_BYTES_MAX) return true;

    PX_AUTO(px_buf_deinit) struct px_buf problem;
    px_buf_init(&problem, PROBLEM_BYTES_MAX);
    api_problem_write(431, S("the header values have more than 10240 bytes in total"),
                      px_str_c(call->request_id), S(""), &problem);
    gateway_reply_problem(call, 431, px_buf_str(&problem),
                          "header values over API Gateway's 10,240 bytes");
    return false;
}
