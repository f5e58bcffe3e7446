/* cli/verb_workflow.c - `prism workflow VERB`: state machines, checked, drawn and run. */
#include "cli/verbs.h"
#include "cli/workflow.h"

static const struct cli_verb *const verbs[] = {&workflow_run, &workflow_validate, &workflow_graph, NULL};
const struct cli_verb verb_workflow = {
    .name = "workflow",
    .arguments = "VERB ...",
    .summary = "run, check and draw state machines",
    .verbs = verbs,
};
