/* cli/pipeline_decide.c - `prism pipeline approve|reject`: what a person says to a plan. */
#include "cli/pipeline.h"

struct decide_values {
    struct pipeline_place place;
    const char *plan, *why;
};
static const struct cli_option options[] = {
    {"plan", 'p', CLI_TEXT, offsetof(struct decide_values, plan), "DIGEST",
     "the plan that was looked at, at least the first 8 digits; refused when another one waits",
     NULL, 0, 0},
    {"why", 0, CLI_TEXT, offsetof(struct decide_values, why), "TEXT", "for the audit log", NULL, 0,
     0},
    PIPELINE_OPTIONS(struct decide_values, place),
};

static int decide(struct cli *cli, const struct decide_values *v, bool approve)
{
    PX_AUTO(pipeline_work_close) struct pipeline_work work = {0};
    int exit = pipeline_work_open(&work, cli, &v->place);
    if (exit != CLI_OK) return exit;
    const struct pipeline_decision decision = {approve, px_str_c(v->plan), px_str_c(v->why)};
    return pipeline_work_end(&work, pipeline_decide(work.pipeline, &decision));
}

static int run_approve(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count, (void)args;
    return decide(cli, values, true);
}

static int run_reject(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count, (void)args;
    return decide(cli, values, false);
}

const struct cli_verb pipeline_verb_approve = {
    .name = "approve",
    .summary = "approve the plan that the last run waits with",
    .details =
        "The approval is for the plan's digest. It is refused when another plan waits, when you started the run and the environment wants somebody else, and when its "
        "time is over. The run goes on with `prism pipeline resume`, or by itself where somebody attends it.",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct decide_values),
    .without_data = true,
    .run = run_approve,
};
const struct cli_verb pipeline_verb_reject = {
    .name = "reject",
    .summary = "reject the plan that the last run waits with; its stage goes back",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct decide_values),
    .without_data = true,
    .run = run_reject,
};
