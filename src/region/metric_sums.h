/* region/metric_sums.h - what functions say in their metric lines (observe/metrics.h), added up until the
 * region writes its rows: one row for each metric of each function, and of each chosen tenant. What
 * CloudWatch does on AWS with the same lines. */
#pragma once

#include "base/px_buf.h"

struct metric_sums; /* opaque */
PX_MUST_USE int metric_sums_new(struct metric_sums **ret_sums);
void metric_sums_free(struct metric_sums **sums);
/* A line of the function; what is no metric line, or finds no room, is counted. */
void metric_sums_take(struct metric_sums *sums, const char *function, struct px_str line);
uint64_t metric_sums_dropped(const struct metric_sums *sums);
/* NDJSON rows of all since the last time, each between row(ctx, true), which gives it a place or NULL, and
 * row(ctx, false). */
void metric_sums_write(struct metric_sums *sums, struct px_str time,
                       struct px_buf *(*row)(void *ctx, bool begin), void *ctx);
