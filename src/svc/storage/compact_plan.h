/* svc/storage/compact_plan.h - which live segments of a dataset are worth rewriting together. A pure
 * function of the list, so that its rules are tested without data. */
#pragma once

#include "svc/catalog/catalog.h"
#include "svc/catalog/lifecycle.h"

#define COMPACT_INPUTS_MAX 256

struct compact_plan {
    struct segment inputs[COMPACT_INPUTS_MAX];
    size_t count;
};
/* Whatever was sealed is rewritten: the oldest first, as much as fits the target size of an object (at
 * least one). When nothing sealed is left: small objects of one day, whenever merge_files_min of about
 * one size have come together (a factor of four), so that each row is rewritten a bounded number of
 * times. False: nothing to do. */
bool compact_choose(const struct segment *segments, size_t count, const struct lifecycle *lifecycle,
                    struct compact_plan *ret_plan);
