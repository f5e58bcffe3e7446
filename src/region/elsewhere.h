/* region/elsewhere.h - Lambda's Invoke for functions of the other regions that one supervisor runs: what is posted to this region's
 * control socket under such a function's ARN goes on to that region's control socket, and the answer comes back. On AWS the two have
 * endpoints of their own; here the way leads through the region, which knows of rehearsed partitions.
 *
 * A call has a thread of its own, for it may take as long as the function may. */
#pragma once

#include <uv.h>

#include "http/server.h"
#include "region/siblings.h"

#define ELSEWHERE_CALLS_MAX 32

struct elsewhere; /* opaque */
struct replicator;
/* All borrowed. Faults: PX_F_OOM. */
PX_MUST_USE int elsewhere_new(uv_loop_t *loop, const struct siblings *siblings,
                              struct replicator *replicator, struct elsewhere **ret_elsewhere);
/* The sibling whose region "arn:aws:lambda:<region>:..." names; NULL: none. */
const struct sibling *elsewhere_find(const struct elsewhere *elsewhere, struct px_str arn);
/* Answers the request, later; its body is the event. function: its name in the catalogue, which all regions share. */
void elsewhere_invoke(struct elsewhere *elsewhere, const struct sibling *sibling,
                      const char *function, struct http_request *request);
/* Whoever asked is gone: the call ends. Not every request need be one of these. */
void elsewhere_gone(struct elsewhere *elsewhere, struct http_request *request);
/* End what runs; its threads are done when the loop has run dry. */
void elsewhere_close(struct elsewhere *elsewhere);
void elsewhere_free(struct elsewhere **elsewhere);

/* An answer in the form of Lambda's own errors, with problem details besides. */
void elsewhere_refuse(struct http_request *request, int status, const char *error,
                      const char *detail);
