/* delivery/pipeline/definition_overlay.h - what one run does otherwise than the pipeline's file says: a rehearsal that bakes for
 * seconds, a release that was built elsewhere, regions of one machine instead of AWS's.
 *
 *   {"why": "rehearsal", "skip": ["validate", "build/package"],
 *    "actions": {"wait": {"time_s": 2}}, "steps": {"prod/first/bake": {"requests_min": 10, "alarms": null}}}
 *
 * It becomes member `overlay` of the definition that the run keeps, so that the audit log holds it and a resumed run has it still. What
 * is asked, what is promoted and what a command runs it cannot touch, and of steps it can leave out commands and the making of the
 * release alone, and none that stands in an environment's stage: a run with an overlay passes the same gates, for the same release, with every way back. */
#pragma once

#include "delivery/pipeline/definition_internal.h"

#define OVERLAY_BYTES_MAX (64u << 10)

/* The overlay's own members; once, before the first step is read. */
void definition_overlay_check(struct reading *reading);
/* Whether this step, or its stage, is left out. It is a problem when the step is none that may be. */
bool definition_overlay_skips(struct reading *reading, struct px_str path, struct px_str place,
                              const struct action *action);
/* The parameters of a step (or "<path>!undo") with the overlay's over them. */
yyjson_val *definition_overlay_with(struct reading *reading, struct px_str path,
                                    const struct action *action, yyjson_val *with);
/* A part that named nothing is a problem; once, behind the last step. */
void definition_overlay_check_used(struct reading *reading);
