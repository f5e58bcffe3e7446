/* cli/verb_rollback.c - `prism rollback`: an environment back to a release that it had, as a run of the pipeline. */
#include "base/px_json.h"
#include "cli/pipeline.h"
#include "cli/verbs.h"

struct rollback_values {
    struct pipeline_place place;
    const char *environment, *to, *emergency, *file, *overlay;
    bool plan_only, yes, wait, attend;
};
static const struct cli_option options[] = {
    {"environment", 'e', CLI_TEXT, offsetof(struct rollback_values, environment), "NAME",
     "what goes back (default: the only one that got something); --region takes regions of it, NAME,NAME",
     NULL, 0, 0},
    {"to", 't', CLI_TEXT, offsetof(struct rollback_values, to), "RELEASE",
     "a release that it had, at least the first 4 digits (default: the one before)", NULL, 0, 0},
    {"plan-only", 'n', CLI_FLAG, offsetof(struct rollback_values, plan_only), NULL,
     "say what would change, and change nothing", NULL, 0, 0},
    {"yes", 'y', CLI_FLAG, offsetof(struct rollback_values, yes), NULL,
     "approve the plans, where the environment lets who starts the run do so", NULL, 0, 0},
    {"emergency", 0, CLI_TEXT, offsetof(struct rollback_values, emergency), "WHY",
     "ask nobody; for the audit log. A plan that loses data is refused then", NULL, 0, 0},
    {"file", 'f', CLI_TEXT, offsetof(struct rollback_values, file), "FILE",
     "the pipeline that delivered it (default platform/pipeline.json in the sources)", NULL, 0, 0},
    {"overlay", 0, CLI_TEXT, offsetof(struct rollback_values, overlay), "FILE",
     "what it was delivered with besides (prism pipeline run --overlay)", NULL, 0, 0},
    {"wait", 'w', CLI_FLAG, offsetof(struct rollback_values, wait), NULL,
     "when somebody else drives a run, wait for its end instead of being refused", NULL, 0, 0},
    {"attend", 0, CLI_FLAG, offsetof(struct rollback_values, attend), NULL,
     "stay while an approval is waited for, instead of leaving with exit code 6", NULL, 0, 0},
    PIPELINE_OPTIONS(struct rollback_values, place),
};

static int find_way(struct cli *cli, const struct rollback_values *v, struct pipeline_way_back *way)
{
    struct px_str rest = px_str_c(cli->region), name;
    *way = (struct pipeline_way_back){.environment = px_str_c(v->environment),
                                      .to = px_str_c(v->to),
                                      .emergency = px_str_c(v->emergency),
                                      .plan_only = v->plan_only};
    if (v->to && way->to.len < 4)
        return cli_fail(cli, CLI_USAGE, "--to takes at least the first 4 digits of a release");
    if (v->emergency && px_str_trim(way->emergency).len == 0)
        return cli_fail(cli, CLI_USAGE, "--emergency takes the reason, for the audit log");
    for (bool more = rest.len > 0; more;) {
        more = px_str_cut(&rest, ',', &name);
        if (way->region_count == PX_COUNT(way->regions))
            return cli_fail(cli, CLI_USAGE, "--region takes at most %zu regions",
                            PX_COUNT(way->regions));
        way->regions[way->region_count++] = name;
    }
    return CLI_OK;
}

/* What the plans that were made say, for who has to decide. */
static void print_plans(struct pipeline_work *work)
{
    const struct state *state = pipeline_state(work->pipeline);
    if (!state || work->cli->json) return;
    for (size_t i = 0; i < state->definition->step_count; i++) {
        struct px_str summary = px_json_str(state->steps[i].result, "summary");
        bool plans = px_json_str(state->steps[i].result, "digest").len > 0;
        if (plans && summary.len > 0)
            (void)fprintf(work->cli->out, "%.*s\n", PX_FMT(px_str_trim(summary)));
    }
}

static int drive(struct pipeline_work *work, const struct rollback_values *v,
                 const struct pipeline_way_back *way)
{
    const struct pipeline_decision yes = {.approve = true, .why = S("prism rollback --yes")};
    int answer = pipeline_rollback(work->pipeline, way);
    while (answer == PIPELINE_WAITS && v->yes) {
        int r = pipeline_decide(work->pipeline, &yes);
        if (r < 0) return r;
        if (r != 0) break; /* somebody else has to; it is said */
        answer = pipeline_resume(work->pipeline);
    }
    return answer;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    PX_AUTO(pipeline_work_close) struct pipeline_work work = {0};
    const struct rollback_values *v = values;
    struct pipeline_way_back way;
    (void)arg_count, (void)args;
    int exit = find_way(cli, v, &way);
    if (exit != CLI_OK) return exit;
    work.options.wait = v->wait;
    work.options.attend = v->attend;
    work.options.overlay = v->overlay;
    exit = pipeline_work_open(&work, cli, &v->place);
    if (exit != CLI_OK) return exit;
    if (v->file) work.options.file = v->file;
    pipeline_work_follow(&work);
    int answer = drive(&work, v, &way);
    if (answer == PIPELINE_WAITS || (answer == 0 && v->plan_only)) print_plans(&work);
    return pipeline_work_end(&work, answer);
}

const struct cli_verb verb_rollback = {
    .name = "rollback",
    .summary = "take an environment back to a release that it had",
    .details =
        "Artifacts, configuration and infrastructure come back together, as they were when that release was last delivered. It is a run of the pipeline: "
        "one at a time, in the audit log, resumable (`prism pipeline resume`), and asked for where the environment asks (`prism pipeline approve`, then resume). "
        "Refused before anything is touched when a release since may have contracted the catalog's schema beyond what the old functions know, and when its "
        "artifacts are gone. Exit codes as of `prism pipeline run`.",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct rollback_values),
    .without_data = true,
    .run = run,
};
