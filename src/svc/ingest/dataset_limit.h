/* svc/ingest/dataset_limit.h - the ceiling on how many datasets a tenant has.
 *
 * Names are a client's, so that without one a loop over names fills the hot store with folders and the
 * catalog with rows. Asked when a writer meets a dataset for the first time; a tenant far below its
 * ceiling costs one listing of its folder then, and the catalog is asked only at the ceiling itself, to
 * leave out what was dropped. Two writers at once may go over it by one each. */
#pragma once

#include "base/px_arena.h"
#include "store/hot.h"
#include "svc/catalog/catalog.h"

struct dataset_limit {
    struct hot_store *hot;
    int (*catalog_of)(void *ctx, struct catalog **ret_catalog); /* opens it when it is needed */
    void *ctx;
    uint64_t datasets_max;
};
enum dataset_limit_answer { DATASET_REFUSED = 1 };
/* Answers: DATASET_REFUSED: the dataset is new, and the tenant has as many as it may. */
PX_MUST_USE int dataset_admit(const struct dataset_limit *limit, struct px_str tenant,
                              struct px_str dataset, struct px_arena *arena);
