/* cli/pipeline_work.c - what all verbs of `prism pipeline` begin and end with. */
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "cli/pipeline.h"
#include "delivery/pipeline/action_rollout.h"
#include "delivery/pipeline/action_terraform.h"
#include "delivery/pipeline/builtin.h"
#include "delivery/pipeline/figures.h"
#include "svc/catalog/catalog.h"

/* ---- actions ---- */

static const struct action *const actions[] = {
    &action_command, &action_wait,    &action_approval,          &action_promote,
    &action_release, &action_publish, &action_terraform_plan,    &action_terraform_apply,
    &action_drift,   &action_rollout, &action_rollback,          &action_config_render,
    &action_images,  &action_sign,    &action_terraform_restore, NULL,
};

void pipeline_actions(struct action_table *ret_table)
{
    *ret_table = (struct action_table){.actions = actions, .figures = figures_of_cloudwatch};
    for (size_t i = 0; i < catalog_migrations.count; i++) {
        const struct migrate_step *step = &catalog_migrations.steps[i];
        ret_table->schema_expands_to = step->number;
        if (step->kind != MIGRATE_CONTRACT) continue;
        ret_table->schema_contracts_to = step->number;
        ret_table->schema_floor = PX_MAX(ret_table->schema_floor, (int64_t)step->unused_since);
    }
    ret_table->schema_needs = catalog_migrations.needs;
}

/* ---- options ---- */

static const char *from_environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static const char *who_acts(struct cli *cli, const struct pipeline_place *place)
{
    const char *who = place->who ? place->who : from_environment("PRISM_ACTOR");
    if (!who) who = from_environment("GITHUB_ACTOR");
    if (who) return who;
    const struct passwd *user = getpwuid(getuid());
    struct px_str name = user ? px_str_c(user->pw_name)
                              : px_arena_printf(&cli->arena, "%u", (unsigned)getuid());
    return name.ptr ? px_arena_cstr(&cli->arena, name) : "nobody";
}

static const char *below(struct cli *cli, const char *root, const char *name)
{
    return px_arena_printf(&cli->arena, "%s/%s", root, name).ptr;
}

static int find_places(struct pipeline_work *work, const struct pipeline_place *place)
{
    struct cli *cli = work->cli;
    char real[PATH_MAX];
    if (!realpath(place->root ? place->root : ".", real))
        return cli_fail(cli, CLI_FAILED, "%s: %m", place->root);
    const char *root = px_arena_cstr(&cli->arena, px_str_c(real));
    const char *state = place->state ? place->state : from_environment("PRISM_PIPELINE_STATE");
    if (!root) return cli_fault(cli, PX_F_OOM, "the pipeline");
    work->options.root = root;
    work->options.state_url = state ? state : below(cli, root, ".prism/delivery");
    work->options.work_dir = below(cli, root, ".prism/work");
    work->options.file = below(cli, root, "platform/pipeline.json");
    if (!work->options.state_url || !work->options.work_dir || !work->options.file)
        return cli_fault(cli, PX_F_OOM, "the pipeline");
    return CLI_OK;
}

int pipeline_work_open(struct pipeline_work *work, struct cli *cli,
                       const struct pipeline_place *place)
{
    work->cli = cli;
    pipeline_actions(&work->table);
    work->options.clock = cli->clock;
    work->options.cloud = &work->cloud;
    work->options.actions = &work->table;
    work->options.who = who_acts(cli, place);
    pipeline_view_init(&work->view, cli, NULL, false);
    int exit = find_places(work, place);
    if (exit != CLI_OK) return exit;
    int r = pipeline_open(&work->options, &work->pipeline);
    return r == 0 ? CLI_OK : cli_fault(cli, r, "%s", work->options.state_url);
}

void pipeline_work_close(struct pipeline_work *work)
{
    pipeline_close(&work->pipeline);
    cloud_shared_close(&work->cloud);
}

/* ---- driving ---- */

static void on_change(void *ctx, const struct state *state, const struct entry *entry,
                      const struct action_progress *progress)
{
    struct pipeline_work *work = ctx;
    pipeline_view_change(&work->view, state, entry, progress);
}

static bool on_interrupt(void *ctx)
{
    struct pipeline_work *work = ctx;
    pipeline_view_tick(&work->view);
    if (work->signal_number == 0) work->signal_number = interrupt_came(&work->held);
    return work->signal_number != 0;
}

static void on_wait(void *ctx, struct px_str why)
{
    struct pipeline_work *work = ctx;
    (void)fprintf(work->cli->err, "waiting: %.*s\n", PX_FMT(why));
}

void pipeline_work_follow(struct pipeline_work *work)
{
    interrupt_hold(&work->held);
    pipeline_view_init(&work->view, work->cli, work->cli->err, work->cli->err_is_tty);
    work->options.on_change = on_change;
    work->options.on_interrupt = on_interrupt;
    work->options.on_wait = on_wait;
    work->options.ctx = work;
}

/* ---- the end ---- */

static enum cli_exit exit_of(int answer)
{
    switch (answer) {
    case 0:
    case PIPELINE_PAUSED: return CLI_OK;
    case PIPELINE_FAILED:
    case PIPELINE_ABORTED: return CLI_EXECUTION_FAILED;
    case PIPELINE_WAITS:
    case PIPELINE_STUCK: return CLI_ASKS;
    case PIPELINE_LOST:
    case PIPELINE_INTERRUPTED: return CLI_FAILED;
    default: return CLI_REFUSED;
    }
}

static const char *word_of(int answer)
{
    static const char *const words[] = {"done",        "failed",  "aborted", "waits",
                                        "interrupted", "stuck",   "lost",    "busy",
                                        "none",        "refused", "invalid", "paused"};
    return words[answer];
}

/* One document: how it ended, and the run. */
static void print_json(struct pipeline_work *work, int answer)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    const struct state *state = pipeline_state(work->pipeline);
    px_buf_init(&json, 64u << 20);
    px_buf_printf(&json, "{\"answer\":\"%s\",\"message\":", word_of(answer));
    px_buf_add_json_str(&json, px_str_trim(pipeline_said(work->pipeline)));
    if (state) {
        px_buf_add_c(&json, ",\"run\":");
        state_write_json(state, px_wall_ns(work->cli->clock), S(""), &json);
        json.len--; /* its line end */
    }
    px_buf_add_c(&json, "}\n");
    if (px_buf_fault(&json) == 0) (void)fwrite(json.ptr, 1, json.len, work->cli->out);
}

int pipeline_work_end(struct pipeline_work *work, int answer)
{
    struct cli *cli = work->cli;
    pipeline_view_end(&work->view);
    if (answer < 0) {
        const struct state *state = pipeline_state(work->pipeline);
        bool open_run = state && !state->ended;
        return cli_fault(cli, answer,
                         open_run ? "the run stopped, and prism pipeline resume goes on"
                                  : "the pipeline");
    }
    struct px_str said = px_str_trim(pipeline_said(work->pipeline));
    if (cli->json) print_json(work, answer);
    if (said.len > 0) {
        bool good = exit_of(answer) == CLI_OK;
        FILE *to = good && !cli->json ? cli->out : cli->err;
        (void)fprintf(to, "%s%.*s\n", good ? "" : "prism: ", PX_FMT(said));
    }
    if (answer == PIPELINE_INTERRUPTED && work->signal_number != 0) {
        (void)fflush(NULL);
        pipeline_work_close(work);
        interrupt_end(work->signal_number);
    }
    return exit_of(answer);
}
