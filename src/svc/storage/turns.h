/* svc/storage/turns.h - whose turn it is: tenants take turns, so that one with very many or very large
 * datasets holds up nobody else.
 *
 * Tenants stand in the order in which they were served last, the longest ago first, and so do the
 * datasets of each. A turn is one dataset's step that wrote something, or TURN_MS of steps that did not;
 * then it is the next tenant's, round after round, until nothing is left or time is up. What was served
 * when is read from the catalog, so that the next run begins where this one stopped. */
#pragma once

#include "svc/storage/storage_internal.h"

#define TURN_MS 2000
enum { CONFLICTS_MAX = 3 }; /* of one dataset that another process keeps winning */

struct turn {
    struct px_str tenant, dataset;
    int64_t served_ns; /* 0: never */
    size_t index;      /* the caller's */
    int conflicts;     /* turns.c's, and so is the rest */
    bool begun, ended;
};
enum turn_answer { TURN_MORE = 1, TURN_CONFLICT };
/* One step of a dataset. 0: nothing is left to do. Answers: TURN_MORE, TURN_CONFLICT. A fault ends this
 * dataset only; it is counted and told. */
typedef int turn_step(void *ctx, const struct turn *turn);

/* served: ordered by (tenant, dataset), as the catalog gives them. turns come in any order, and are
 * sorted. */
void turns_set_served(struct turn *turns, size_t count, const struct dataset_served *served,
                      size_t served_count);
void turns_take(struct storage *storage, const struct storage_scope *scope, struct turn *turns,
                size_t count, turn_step *step, void *ctx, struct storage_counts *counts);
