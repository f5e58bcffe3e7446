/* delivery/pipeline/builtin.h - the actions that come with the engine. */
#pragma once

#include "delivery/pipeline/action.h"

extern const struct action action_publish, action_images,
    action_sign; /* images and sign are not in action_builtins either */
extern const struct action
    action_config_render; /* not in action_builtins: it brings the evaluator of templates along */
extern const struct action action_command, action_wait, action_approval, action_promote,
    action_release;
