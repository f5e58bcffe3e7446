/* region/replicator.h - this region's tables and those of its siblings become the same: what DynamoDB's global
 * tables do on AWS (docs/design/regions.md).
 *
 * A thread per sibling reads this region's log and posts what the sibling lacks to its control socket, in order,
 * again until it is taken. The sibling applies a batch and moves its cursor in one transaction, so a kill
 * on either side loses nothing and doubles nothing. Writers of the tables are never waited for. */
#pragma once

#include "base/px_log.h"
#include "http/server.h"
#include "region/functions.h"
#include "region/siblings.h"

struct replicator; /* opaque */

struct replicator_options {
    uv_loop_t *loop;                            /* borrowed, as all here */
    const struct siblings *siblings;            /* at least one */
    const struct function_catalogue *catalogue; /* its tables are the global ones */
    struct px_str region;
    const char *tables_path; /* SQLite */
    const struct px_clock *clock;
    const struct px_log *log;
};
/* Make the log, before any function writes, and start sending. */
PX_MUST_USE int replicator_new(const struct replicator_options *options,
                               struct replicator **ret_replicator);
/* Stops the threads. What the loop still does for it must be done. */
void replicator_free(struct replicator **replicator);

/* POST /replication {"lag_ms":200,"scatter_ms":0,"cut":["eu-west-1"]}: from now on. */
void replicator_serve_settings(struct replicator *replicator, struct http_request *request);
/* POST /replication/changes: a sibling's batch. */
void replicator_serve_changes(struct replicator *replicator, struct http_request *request);
/* GET /registry/{table}/{partition}: the document of an item of tables keys and tenants, as this region has it: what
 * the edge router reads. 404: none. */
void replicator_serve_item(struct replicator *replicator, struct http_request *request,
                           struct px_str rest);
/* {"lag_ms":0,"scatter_ms":0,"siblings":[{"name","state","behind","sent","received","error"}]} */
void replicator_write_status(struct replicator *replicator, struct px_buf *buf);
/* Whether objects may be copied to a sibling now: it is there, and nothing is cut. */
bool replicator_reaches(struct replicator *replicator, const char *sibling);
