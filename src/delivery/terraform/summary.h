/* delivery/terraform/summary.h - what a plan would change, in people's words. */
#pragma once

#include "delivery/terraform/changes.h"
#include "delivery/terraform/cost.h"
#include "delivery/terraform/words.h"

#define SUMMARY_LINES_MAX 200 /* of single resources; the rest is counted */

struct summary_options {
    const char *stack; /* "region eu-west-1 of prod" */
    const struct words *words;
    const struct cost *cost; /* NULL: nothing about it */
};
/* Lines:
 *   STACK: 2 made, 1 changed in place, ...
 *     + queue ADDRESS           ~ queue ADDRESS: ATTRIBUTE OLD -> NEW     -/+ replaced     - destroyed
 *     ! what is lost            drift: ...           cost: ... */
PX_MUST_USE int summary_write(const struct changes *changes, const struct summary_options *options,
                              struct px_buf *buf);
/* What is lost with a change: an array of texts for machines. Empty when nothing is. */
PX_MUST_USE int summary_warnings(const struct changes *changes, const struct words *words,
                                 struct px_buf *buf);
/* {"before","after","difference","currency","date","region","counted","not_counted":[types]} */
void summary_cost(const struct cost *cost, struct px_buf *buf);
