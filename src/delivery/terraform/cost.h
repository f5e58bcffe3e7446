/* delivery/terraform/cost.h - what a plan changes of the monthly bill, as far as that can be said: platform/prices.json.
 *
 * Only what is paid for being there is counted, at the list price of one region, the same all month. What is paid by use (requests,
 * bytes, capacity that follows the load) is not known from a plan; what has no price in the file is named. */
#pragma once

#include "delivery/terraform/changes.h"

#define COST_OPEN_MAX 16

struct cost {
    double before_month, after_month; /* of what changes */
    struct px_str currency, date, region;
    struct px_str open[COST_OPEN_MAX]; /* types that change and have no price */
    size_t open_count;
    bool open_more;
    size_t counted;
};
/* Faults: PX_F_CONFIG with file and place. */
PX_MUST_USE int cost_of(const struct changes *changes, const char *platform_dir,
                        struct cost *ret_cost);
