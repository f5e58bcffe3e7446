/* delivery/pipeline/figures.h - what a bake looks at, from CloudWatch, or from a local region that speaks its protocol.
 *
 * Parameters of action `wait` that are for this:
 *   alarms        names behind the prefix, or "*": those that fire in the wave's regions
 *   alarm_prefix  of the environment's alarms; default "prism-<environment>-"
 *   requests_of   "<region>/<function>": calls of their alias `live` since the bake began, added up
 *   endpoint      "unix:<folder>/region.sock" of a local region; default AWS's */
#pragma once

#include "delivery/pipeline/action.h"

/* For action_table.figures. Faults: those of target.h. */
PX_MUST_USE int figures_of_cloudwatch(struct action_context *ctx, yyjson_val *with,
                                      int64_t since_ns, struct action_figures *ret_figures);
/* Whether a list of names, or "*", means this one; a name may stand behind its prefix. */
bool figures_is_watched(yyjson_val *names, struct px_str name);
