/* svc/storage/retain_rules.h - the part of retain that looks into segments. */
#pragma once

#include "svc/storage/storage_internal.h"

/* Rows of the dataset that a rule of its retention says go by now. Its segments are taken oldest first; what cannot be read
 * ends it with a fault, and what comes after waits for the next run. counts: rows are those that went, segments_in the
 * segments that lost some, objects those written in their place. */
PX_MUST_USE int storage_retain_rules(struct storage *storage, const struct storage_scope *scope,
                                     const struct dataset_info *info,
                                     struct storage_counts *counts);
