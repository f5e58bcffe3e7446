/* cli/pipeline_run.c - `prism pipeline run|resume|abort`: verbs that drive a run. */
#include <stdlib.h>

#include "base/px_file.h"
#include "cli/pipeline.h"
#include "cli/signers.h"

struct drive_values {
    struct pipeline_place place;
    const char *file, *overlay, *release, *until, *pause, *key, *why;
    bool wait, attend, dry_run, leave;
};
#define OPTION_FLAG(name, letter, member, help)                                                    \
    {                                                                                              \
        name, letter, CLI_FLAG, offsetof(struct drive_values, member), NULL, help, NULL, 0, 0      \
    }
#define OPTION_WAIT                                                                                \
    OPTION_FLAG("wait", 'w', wait,                                                                 \
                "when somebody else drives a run, wait for its end instead of being refused")
#define OPTION_ATTEND                                                                              \
    OPTION_FLAG("attend", 0, attend,                                                               \
                "stay while an approval is waited for, instead of leaving with exit code 6")

#define OPTION_PAUSE                                                                               \
    {                                                                                              \
        "pause-behind", 0, CLI_TEXT, offsetof(struct drive_values, pause), "STAGE",                \
            "leave the run, resumable, when this stage is done", NULL, 0, 0                        \
    }

static const struct cli_option run_options[] = {
    {"key", 'k', CLI_TEXT, offsetof(struct drive_values, key), "KEY",
     "when the last run began with this key, drive that one on instead of beginning another", NULL,
     0, 0},
    {"file", 'f', CLI_TEXT, offsetof(struct drive_values, file), "FILE",
     "the pipeline (default platform/pipeline.json in the sources)", NULL, 0, 0},
    {"overlay", 'o', CLI_TEXT, offsetof(struct drive_values, overlay), "FILE",
     "what this run does otherwise, for the audit log as well: parameters of steps, commands that are left out",
     NULL, 0, 0},
    {"release", 'r', CLI_TEXT, offsetof(struct drive_values, release), "DIR|URL",
     "what is delivered: a folder or s3://... with release.json (default: what a step of the run makes)",
     NULL, 0, 0},
    {"until", 'u', CLI_TEXT, offsetof(struct drive_values, until), "STAGE", "end behind this stage",
     NULL, 0, 0},
    OPTION_FLAG("dry-run", 'n', dry_run, "check the pipeline and print its steps; nothing is run"),
    OPTION_PAUSE,
    OPTION_WAIT,
    OPTION_ATTEND,
    PIPELINE_OPTIONS(struct drive_values, place),
};
static const struct cli_option resume_options[] = {
    OPTION_PAUSE,
    OPTION_WAIT,
    OPTION_ATTEND,
    PIPELINE_OPTIONS(struct drive_values, place),
};
static const struct cli_option abort_options[] = {
    {"why", 0, CLI_TEXT, offsetof(struct drive_values, why), "TEXT", "for the audit log", NULL, 0,
     0},
    OPTION_FLAG("leave", 0, leave,
                "end the run as it stands and take nothing back: for one that is stuck"),
    OPTION_WAIT,
    PIPELINE_OPTIONS(struct drive_values, place),
};

/* ---- the plan of a run ---- */

static void print_step(struct cli *cli, const struct definition_step *step)
{
    const struct definition_act *act = &step->act, *undo = &step->undo;
    struct px_str what = act->action->describe ? act->action->describe(&cli->arena, act->with)
                                               : px_str_c(act->action->summary);
    (void)fprintf(cli->out, "%-40.*s %-16s %.*s\n", PX_FMT(step->path), act->action->name,
                  PX_FMT(what));
    if (undo->action) {
        what = undo->action->describe ? undo->action->describe(&cli->arena, undo->with)
                                      : px_str_c(undo->action->summary);
        (void)fprintf(cli->out, "%-40s %-16s %.*s\n", "", "  taken back by", PX_FMT(what));
    }
    if (step->undo_by_hand.len > 0)
        (void)fprintf(cli->out, "%-40s %-16s %.*s\n", "", "  by hand", PX_FMT(step->undo_by_hand));
}

static void print_steps_json(struct cli *cli, const struct definition *definition)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 8u << 20);
    px_buf_add_c(&json, "{\"steps\":[");
    for (size_t i = 0; i < definition->step_count; i++) {
        const struct definition_step *step = &definition->steps[i];
        px_buf_printf(
            &json,
            "%s{\"step\":\"%.*s\",\"action\":\"%s\",\"timeout_s\":%lld,\"attempts\":%lld,\"undo\":",
            i ? "," : "", PX_FMT(step->path), step->act.action->name,
            (long long)step->act.timeout_s, (long long)step->act.attempts);
        if (step->undo.action)
            px_buf_printf(&json, "\"%s\"}", step->undo.action->name);
        else
            px_buf_add_c(&json, "null}");
    }
    px_buf_add_c(&json, "]}\n");
    if (px_buf_fault(&json) == 0) (void)fwrite(json.ptr, 1, json.len, cli->out);
}

static int dry_run(struct pipeline_work *work)
{
    PX_AUTO(px_buf_deinit) struct px_buf text, problems;
    struct cli *cli = work->cli;
    struct definition definition;
    px_buf_init(&text, DEFINITION_BYTES_MAX);
    px_buf_init(&problems, 1u << 16);
    int r = definition_load(work->options.file, work->options.overlay, &work->table, &cli->arena,
                            &problems, &text, &definition);
    if (r == DEFINITION_INVALID)
        return cli_fail(cli, CLI_REFUSED, "%.*s", PX_FMT(px_str_trim(px_buf_str(&problems))));
    if (r != 0) return cli_fault(cli, r, "%s", work->options.file);
    if (cli->json)
        print_steps_json(cli, &definition);
    else
        for (size_t i = 0; i < definition.step_count; i++) print_step(cli, &definition.steps[i]);
    return CLI_OK;
}

/* ---- verbs ---- */

static int open_work(struct pipeline_work *work, struct cli *cli, const struct drive_values *v)
{
    work->options.wait = v->wait;
    work->options.attend = v->attend;
    work->options.until = v->until;
    work->options.pause_behind = v->pause;
    work->options.key = v->key;
    int exit = pipeline_work_open(work, cli, &v->place);
    if (exit != CLI_OK) return exit;
    if (v->file) work->options.file = v->file;
    work->options.overlay = v->overlay;
    if (v->release && strstr(v->release, "://")) {
        work->options.release = v->release;
    } else if (v->release) { /* steps run elsewhere */
        char *real = realpath(v->release, NULL);
        if (!real) return cli_fail(cli, CLI_FAILED, "%s: %m", v->release);
        work->options.release = px_arena_cstr(&cli->arena, px_str_c(real));
        free(real);
        if (!work->options.release) return cli_fault(cli, PX_F_OOM, "the release");
    }
    return CLI_OK;
}

static int run_run(struct cli *cli, const void *values, int arg_count, char **args)
{
    PX_AUTO(pipeline_work_close) struct pipeline_work work = {0};
    const struct drive_values *v = values;
    (void)arg_count, (void)args;
    int exit = open_work(&work, cli, v);
    if (exit != CLI_OK) return exit;
    signers_warn(cli, work.options.file, (struct px_str){0});
    if (v->dry_run) return dry_run(&work);
    pipeline_work_follow(&work);
    return pipeline_work_end(&work, pipeline_run(work.pipeline));
}

static int run_resume(struct cli *cli, const void *values, int arg_count, char **args)
{
    PX_AUTO(pipeline_work_close) struct pipeline_work work = {0};
    (void)arg_count, (void)args;
    int exit = open_work(&work, cli, values);
    if (exit != CLI_OK) return exit;
    pipeline_work_follow(&work);
    return pipeline_work_end(&work, pipeline_resume(work.pipeline));
}

static int run_abort(struct cli *cli, const void *values, int arg_count, char **args)
{
    PX_AUTO(pipeline_work_close) struct pipeline_work work = {0};
    const struct drive_values *v = values;
    (void)arg_count, (void)args;
    int exit = open_work(&work, cli, v);
    if (exit != CLI_OK) return exit;
    pipeline_work_follow(&work);
    int answer = pipeline_abort(work.pipeline, px_str_c(v->why ? v->why : "asked for"), v->leave);
    exit = pipeline_work_end(&work, answer);
    /* what was asked for came about, or whoever drives the run was told */
    return answer == PIPELINE_ABORTED || (answer == PIPELINE_BUSY && !v->leave) ? CLI_OK : exit;
}

const struct cli_verb pipeline_verb_run = {
    .name = "run",
    .summary = "begin a run and drive it to its end, or to where a person is needed",
    .details =
        "One run at a time: the next one begins when the last one has ended. On a terminal a picture of it is kept up to date; elsewhere each transition "
        "is a line. Ctrl-C, a crash or a lost machine leave a run that `resume` drives on. Exit codes: 0 succeeded, 3 failed or aborted and its stage "
        "taken back, 4 refused, 6 an approval is waited for or a step could not be taken back.",
    CLI_OPTIONS(run_options),
    .values_bytes = sizeof(struct drive_values),
    .without_data = true,
    .run = run_run,
};
const struct cli_verb pipeline_verb_resume = {
    .name = "resume",
    .summary = "drive the last run on",
    .details =
        "The step that was at work is run again, all others are as they were; the run keeps the pipeline and the release that it began with. "
        "Whoever drove it and is silent for twice its lease has lost it.",
    CLI_OPTIONS(resume_options),
    .values_bytes = sizeof(struct drive_values),
    .without_data = true,
    .run = run_resume,
};
const struct cli_verb pipeline_verb_abort = {
    .name = "abort",
    .summary = "take the stage at work of the last run back and end it",
    .details = "When somebody drives the run, they are told and do it; else this command does.",
    CLI_OPTIONS(abort_options),
    .values_bytes = sizeof(struct drive_values),
    .without_data = true,
    .run = run_abort,
};
