/* delivery/pipeline/release_machines.h - the state machines of a release: the digest of each definition, <platform>/workflows/<machine>.asl.json.
 *
 * Functions are artifacts, which lie with the release; definitions are sources, which Terraform reads where the pipeline stands. So that what is
 * delivered is what was released, whoever resumes the run and wherever, they are compared before a stack is planned or applied. */
#pragma once

#include "base/px_buf.h"
#include "delivery/pipeline/action.h"

/* {"<machine>":"<sha256>",...} by name; {} where there are none. */
PX_MUST_USE int release_machines_write(const char *platform, struct px_buf *json);
/* Whether a member `machines` is such an object; none is as well, of a release from before there was one. */
bool release_machines_are_ok(yyjson_val *machines);
/* The definitions there are those of the run's release, no more and no fewer; a run without a release, or one from before, has none to compare.
 * Answers: ACTION_REFUSED, said. */
PX_MUST_USE int release_machines_check(const struct action_context *ctx, const char *platform);
