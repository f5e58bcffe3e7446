/* svc/sharding/workflow_admin.h - state machines as operators run them: what there is, starting, looking, stopping, redriving, and
 * answers to what an execution asks. Function `workflows` is a client of Step Functions; in a local region of its own protocol.
 * docs/design/workflows.md#by-the-api */
#pragma once

#include "lambda/runtime.h"
#include "svc/audit/audit.h"
#include "svc/sharding/sfn.h"

struct workflow_admin {
    struct sfn sfn;
    struct px_str machines;    /* those that may be run, "a b c": Standard ones of workflows.json */
    struct px_str arn_prefix;  /* "arn:aws:states:eu-west-1:...:stateMachine:prism-dev-euw1-" */
    const struct audit *audit; /* NULL: changes are not recorded */
};
/* HTTP events only: who may call the function directly may call Step Functions himself. */
PX_MUST_USE int workflow_admin_handle(struct workflow_admin *admin,
                                      const struct lambda_event *event);
