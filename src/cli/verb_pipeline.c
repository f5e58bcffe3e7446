/* cli/verb_pipeline.c - `prism pipeline VERB`: how a change reaches every environment and region. */
#include "cli/pipeline.h"
#include "cli/verbs.h"

static const struct cli_verb *const verbs[] = {
    &pipeline_verb_run,    &pipeline_verb_status, &pipeline_verb_approve, &pipeline_verb_reject,
    &pipeline_verb_resume, &pipeline_verb_abort,  &pipeline_verb_history, NULL};
const struct cli_verb verb_pipeline = {
    .name = "pipeline",
    .arguments = "VERB ...",
    .summary = "deliver a change to every environment and region, step by step",
    .verbs = verbs,
};
