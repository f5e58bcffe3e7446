/* cli/verb_workflow.c - `prism workflow VERB`: state machines, checked, drawn and run. */
#include "cli/verbs.h"
#include "cli/workflow.h"

static const struct cli_verb *const verbs[] = {&workflow_run,
                                               &workflow_validate,
                                               &workflow_graph,
                                               &workflow_start,
                                               &workflow_list,
                                               &workflow_show,
                                               &workflow_stop,
                                               &workflow_redrive,
                                               &workflow_approve,
                                               &workflow_reject,
                                               NULL};
const struct cli_verb verb_workflow = {
    .name = "workflow",
    .arguments = "VERB ...",
    .summary = "run state machines, here or in the region; check and draw them",
    .verbs = verbs,
};
