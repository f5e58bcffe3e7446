/* delivery/pipeline/action_rollout.h - actions `rollout` and `rollback`: functions of one region whose newest version is not live get
 * its calls step by step (delivery/rollout), all of them at once; when one goes back, all go back. */
#pragma once

#include "delivery/pipeline/action.h"

extern const struct action action_rollout, action_rollback;
