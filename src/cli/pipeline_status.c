/* cli/pipeline_status.c - `prism pipeline status`: a run as it stands, and as it goes on. */
#include <time.h>

#include "cli/interrupt.h"
#include "cli/pipeline.h"
#include "cli/table.h"

#define LOOK_MS 400

struct status_values {
    struct pipeline_place place;
    bool follow;
};
static const struct cli_option options[] = {
    {"follow", 'f', CLI_FLAG, offsetof(struct status_values, follow), NULL,
     "go on until the run has ended", NULL, 0, 0},
    PIPELINE_OPTIONS(struct status_values, place),
};

static int print_json(struct pipeline_work *work, struct px_str progress)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 64u << 20);
    state_write_json(pipeline_state(work->pipeline), px_wall_ns(work->cli->clock), progress, &json);
    if (px_buf_fault(&json) != 0) return cli_fault(work->cli, px_buf_fault(&json), "the run");
    (void)fwrite(json.ptr, 1, json.len, work->cli->out);
    return CLI_OK;
}

static int print_once(struct pipeline_work *work)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    struct cli *cli = work->cli;
    struct px_str progress = {0};
    px_arena_init(&arena, 1u << 20);
    px_buf_init(&text, 1u << 20);
    int r = pipeline_progress(work->pipeline, &arena, &progress);
    if (r != 0) return cli_fault(cli, r, "what the run is doing");
    if (cli->json) return print_json(work, progress);
    pipeline_view_init(&work->view, cli, NULL, cli->out_is_tty);
    work->view.live = false;
    pipeline_view_take(&work->view, pipeline_state(work->pipeline), progress);
    (void)pipeline_view_render(&work->view, px_wall_ns(cli->clock), table_terminal_width(cli->out),
                               &text);
    (void)fwrite(text.ptr, 1, text.len, cli->out);
    return CLI_OK;
}

/* Those that the state holds; later ones come by on_change. */
static int on_line(void *ctx, const struct entry *entry)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    struct pipeline_work *work = ctx;
    struct cli *cli = work->cli;
    px_buf_init(&text, 1u << 16);
    if (entry->seq > pipeline_state(work->pipeline)->seq) return 0;
    pipeline_view_line(entry, &text);
    (void)fwrite(text.ptr, 1, text.len, cli->out);
    return 0;
}

static void on_change(void *ctx, const struct state *state, const struct entry *entry,
                      const struct action_progress *progress)
{
    struct pipeline_work *work = ctx;
    pipeline_view_change(&work->view, state, entry, progress);
}

/* On a terminal the picture, elsewhere the log's lines; with --json the state whenever it is another one. */
static int follow(struct pipeline_work *work)
{
    struct cli *cli = work->cli;
    uint32_t seen = 0;
    int signal_number = 0;
    interrupt_hold(&work->held);
    pipeline_view_init(&work->view, cli, cli->json ? NULL : cli->out, cli->out_is_tty);
    work->options.on_change = on_change;
    work->options.ctx = work;
    if (!cli->json && !work->view.live) {
        int r = pipeline_history(work->pipeline, pipeline_state(work->pipeline)->run, on_line,
                                 work);
        if (r != 0) return cli_fault(cli, r, "the log");
    }
    for (;;) {
        PX_AUTO(px_arena_deinit) struct px_arena arena;
        struct px_str progress = {0};
        px_arena_init(&arena, 1u << 20);
        const struct state *state = pipeline_state(work->pipeline);
        int r = pipeline_progress(work->pipeline, &arena, &progress);
        if (r != 0) return cli_fault(cli, r, "what the run is doing");
        pipeline_view_take(&work->view, state, progress);
        pipeline_view_tick(&work->view);
        if (cli->json && state->seq != seen && print_json(work, progress) != CLI_OK)
            return CLI_FAILED;
        seen = state->seq;
        (void)fflush(cli->out);
        if (state->ended) break;
        (void)nanosleep(&(struct timespec){0, LOOK_MS * PX_NS_PER_MS}, NULL);
        signal_number = interrupt_came(&work->held);
        if (signal_number != 0) break;
        r = pipeline_load(work->pipeline, state->run);
        if (r != 0) return cli_fault(cli, r, "the run");
    }
    pipeline_view_end(&work->view);
    (void)fflush(cli->out);
    if (signal_number != 0) interrupt_end(signal_number);
    return CLI_OK;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    PX_AUTO(pipeline_work_close) struct pipeline_work work = {0};
    const struct status_values *v = values;
    uint64_t number = 0;
    if (arg_count > 0 &&
        (!px_str_to_u64(px_str_c(args[0]), &number) || number == 0 || number > 999999))
        return cli_fail(cli, CLI_USAGE, "'%s' is no run's number", args[0]);
    int exit = pipeline_work_open(&work, cli, &v->place);
    if (exit != CLI_OK) return exit;
    int answer = pipeline_load(work.pipeline, (uint32_t)number);
    if (answer != 0) return pipeline_work_end(&work, answer);
    return v->follow ? follow(&work) : print_once(&work);
}

const struct cli_verb pipeline_verb_status = {
    .name = "status",
    .arguments = "[RUN]",
    .summary = "show a run: stage, region, weights, alarms, time left",
    .details =
        "Of the last run, or of the one with that number. --follow shows it as it goes on: on a terminal as a picture, elsewhere as lines of the log, with --json as one "
        "document a line. Colours are for terminals, and not with NO_COLOR.",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct status_values),
    .args_max = 1,
    .without_data = true,
    .run = run,
};
