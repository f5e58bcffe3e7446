/* cli/workflow_run.c - `prism workflow run`: one execution here and now, without a region; functions and services are stand-ins. */
#include <time.h>
#include <unistd.h>

#include "asl/jsonata.h"
#include "base/px_file.h"
#include "base/px_id.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "cli/workflow.h"
#include "cli/workflow_stub.h"

#define POLL_MS 200 /* how soon Ctrl-C is seen in a long Wait */

struct run_values {
    const char *input, *input_file, *name, *history;
    struct workflow_source source;
    struct cli_list stubs;
};
static const struct cli_option options[] = {
    {"input", 'i', CLI_TEXT, offsetof(struct run_values, input), "JSON",
     "the execution's input (default: {})", NULL, 0, 0},
    {"input-file", 'f', CLI_TEXT, offsetof(struct run_values, input_file), "FILE",
     "the input from a file", NULL, 0, 0},
    WORKFLOW_SOURCE_OPTIONS(struct run_values, source),
    {"name", 'n', CLI_TEXT, offsetof(struct run_values, name), "NAME",
     "the execution's name (default: a new UUID)", NULL, 0, 0},
    {"stub", 0, CLI_LIST, offsetof(struct run_values, stubs), "NAME=BEHAVIOUR",
     "stand-in for a function, or a service by service:action: echo, const:JSON, file:PATH, raise:TYPE:MSG, large:BYTES, "
     "sleep:SECONDS; of several with one name each call takes the next",
     NULL, 0, 0},
    {"history", 0, CLI_TEXT, offsetof(struct run_values, history), "FILE",
     "write the history there, as GetExecutionHistory gives it", NULL, 0, 0},
};

struct run {
    struct cli *cli;
    struct stubs *stubs;
    struct px_buf history;
    bool ended;
    enum asl_status status;
    struct px_str output, error, cause;
};

static void ended(void *ctx, struct asl_execution *execution)
{
    struct run *run = ctx;
    const struct asl_execution_info *info = asl_execution_info(execution);
    if (info->parent) return;
    run->ended = true;
    run->status = info->status;
    if (info->output.ptr) run->output = px_arena_dup(&run->cli->arena, info->output);
    if (info->failure.error.ptr) run->error = px_arena_dup(&run->cli->arena, info->failure.error);
    if (info->failure.cause.ptr) run->cause = px_arena_dup(&run->cli->arena, info->failure.cause);
}

static void task(void *ctx, const struct asl_task_call *call)
{
    stubs_task(((struct run *)ctx)->stubs, call);
}
static void cancel(void *ctx, struct px_str token)
{
    stubs_cancel(((struct run *)ctx)->stubs, token);
}

/* Events are kept in the order of their turns; those of a distributed Map's children are theirs. */
static int turn(void *ctx, const struct asl_turn *turn)
{
    struct run *run = ctx;
    if (asl_execution_info(turn->execution)->parent) return 0;
    px_buf_add_str(&run->history, turn->events);
    return px_buf_fault(&run->history);
}

static int write_history(struct run *run, const char *path)
{
    PX_AUTO(px_buf_deinit) struct px_buf shown;
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    struct px_str rest = px_buf_str(&run->history), line;
    bool first = true;
    px_buf_init(&shown, 1u << 30);
    px_arena_init(&arena, 64u << 20);
    px_buf_add_c(&shown, "{\"events\":[");
    while (px_str_cut(&rest, '\n', &line)) {
        px_arena_reset(&arena);
        px_buf_add_c(&shown, first ? "\n" : ",\n");
        first = false;
        int r = asl_event_show(line, &arena, &shown);
        if (r != 0) return cli_fault(run->cli, r, "the history");
    }
    px_buf_add_c(&shown, "\n]}\n");
    int r = px_buf_fault(&shown);
    return r == 0 ? output_write(run->cli, path, px_buf_str(&shown))
                  : cli_fault(run->cli, r, "%s", path);
}

static void nap(int64_t ms)
{
    struct timespec wait = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&wait, NULL);
}

static int go(struct run *run, struct asl_engine *engine)
{
    sigset_t held;
    interrupt_hold(&held);
    while (!run->ended) {
        bool more = false;
        int64_t now_ms = px_wall_ns(run->cli->clock) / PX_NS_PER_MS, next_ms;
        int came = interrupt_came(&held);
        if (came) interrupt_end(came);
        int r = asl_engine_run(engine, 100000, &more);
        if (r == 0) asl_engine_committed(engine, asl_engine_turns(engine));
        if (r == 0) r = stubs_answer(run->stubs, engine, now_ms, &next_ms);
        if (r != 0) return cli_fault(run->cli, r, "the execution");
        next_ms = PX_MIN(next_ms, asl_engine_next_ms(engine));
        now_ms = px_wall_ns(run->cli->clock) / PX_NS_PER_MS;
        if (run->ended || more || next_ms <= now_ms) continue;
        nap(PX_MIN(next_ms - now_ms, POLL_MS));
    }
    return CLI_OK;
}

static int say_end(struct run *run)
{
    struct px_buf buf;
    if (run->status == ASL_SUCCEEDED) {
        (void)fprintf(run->cli->out, "%.*s\n", PX_FMT(run->output));
        return CLI_OK;
    }
    px_buf_init(&buf, 8u << 20);
    px_buf_add_char(&buf, '{');
    if (run->error.ptr) {
        px_buf_add_c(&buf, "\"Error\":");
        px_buf_add_json_str(&buf, run->error);
    }
    if (run->cause.ptr) {
        px_buf_add_c(&buf, run->error.ptr ? ",\"Cause\":" : "\"Cause\":");
        px_buf_add_json_str(&buf, run->cause);
    }
    px_buf_add_char(&buf, '}');
    (void)fprintf(run->cli->out, "%.*s\n", PX_FMT(px_buf_str(&buf)));
    px_buf_deinit(&buf);
    return CLI_EXECUTION_FAILED;
}

static int execute(struct run *run, const struct run_values *v, struct asl_program *program,
                   struct asl_jsonata *jsonata, struct px_str input)
{
    const struct asl_host host = {.ctx = run, .task = task, .cancel = cancel, .ended = ended};
    const struct asl_journal journal = {.ctx = run, .turn = turn};
    const struct asl_engine_options engine_options = {
        .host = &host, .journal = &journal, .clock = run->cli->clock, .jsonata = jsonata};
    struct asl_engine *engine = NULL;
    struct asl_execution *execution = NULL;
    char uuid[37];
    px_uuid7(px_wall_ns(run->cli->clock), uuid);
    struct px_str name = px_str_c(v->name ? v->name : uuid);
    struct px_str arn = px_arena_printf(&run->cli->arena,
                                        "arn:aws:states:us-east-1:123456789012:execution:%.*s:%.*s",
                                        PX_FMT(program->name), PX_FMT(name));
    int r = asl_engine_new(&engine_options, &engine);
    if (r == 0)
        r = asl_engine_start(engine, &(struct asl_start){program, name, arn, input}, &execution);
    int exit;
    if (r == ASL_ENGINE_INVALID)
        exit = cli_fail(run->cli, CLI_USAGE, "the input is not JSON of at most 256 KiB%s",
                        v->input && access(v->input, R_OK) == 0 ? ": --input-file reads a file"
                                                                : "");
    else if (r != 0)
        exit = cli_fault(run->cli, r < 0 ? r : PX_F_LIMIT, "the execution");
    else
        exit = go(run, engine);
    if (exit == CLI_OK && v->history) exit = write_history(run, v->history);
    if (exit == CLI_OK) exit = say_end(run);
    asl_engine_free(&engine);
    return exit;
}

static int read_input(struct cli *cli, const struct run_values *v, struct px_buf *buf)
{
    if (v->input && v->input_file)
        return cli_fail(cli, CLI_USAGE, "--input and --input-file: one of them");
    if (!v->input_file) {
        px_buf_add_c(buf, v->input ? v->input : "{}");
        return CLI_OK;
    }
    int r = px_file_read(v->input_file, buf);
    if (r == PX_FILE_ABSENT) return cli_fail(cli, CLI_FAILED, "%s does not exist", v->input_file);
    if (r == PX_FILE_TOO_LARGE)
        return cli_fail(cli, CLI_USAGE, "the input is not JSON of at most 256 KiB");
    return r == 0 ? CLI_OK : cli_fault(cli, r, "%s", v->input_file);
}

/* The file's name without its endings: what $$.StateMachine.Name shows. */
static struct px_str machine_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct px_str rest = px_str_c(slash ? slash + 1 : path), name;
    (void)px_str_cut(&rest, '.', &name);
    return name.len ? name : S("machine");
}

static int load(struct cli *cli, const char *path, const struct workflow_source *source,
                struct asl_jsonata *jsonata, struct asl_program **ret_program)
{
    struct workflow_file file;
    int exit = workflow_text(cli, path, source, &file);
    if (exit != CLI_OK) return exit;
    struct px_str name = machine_name(path);
    const struct asl_program_options program = {
        .name = name,
        .arn = px_arena_printf(
            &cli->arena, "arn:aws:states:us-east-1:123456789012:stateMachine:%.*s", PX_FMT(name)),
        .role_arn = S("arn:aws:iam::123456789012:role/local"),
        .type = workflow_type(source),
        .jsonata = jsonata,
    };
    int r = asl_program_new(file.text, &program, &cli->arena, ret_program, &file.problems);
    if (r != ASL_INVALID) return r == 0 ? CLI_OK : cli_fault(cli, r, "%s", file.name);
    workflow_print_problems(&file, cli->err);
    return cli_fail(cli, CLI_REFUSED, "%s is no state machine that can run", file.name);
}

static int run_with(struct cli *cli, const struct run_values *v, const char *path,
                    struct px_str input)
{
    struct run run = {.cli = cli};
    PX_AUTO(asl_jsonata_free) struct asl_jsonata *jsonata = NULL;
    PX_AUTO(asl_program_unref) struct asl_program *program = NULL;
    int r = asl_jsonata_new(NULL, &jsonata);
    if (r != 0) return cli_fault(cli, r, "JSONata");
    int exit = load(cli, path, &v->source, jsonata, &program);
    if (exit != CLI_OK) return exit;
    exit = stubs_init(cli, &v->stubs, &run.stubs);
    if (exit != CLI_OK) return exit;
    px_buf_init(&run.history, 1u << 30);
    exit = execute(&run, v, program, jsonata, input);
    px_buf_deinit(&run.history);
    stubs_deinit(run.stubs);
    return exit;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count;
    PX_AUTO(px_buf_deinit) struct px_buf input;
    px_buf_init(&input, ASL_DATA_BYTES_MAX + 1);
    int exit = read_input(cli, values, &input);
    return exit == CLI_OK ? run_with(cli, values, args[0], px_buf_str(&input)) : exit;
}

const struct cli_verb workflow_run = {
    .name = "run",
    .arguments = "FILE",
    .summary = "run a state machine here and show its output",
    .details =
        "No region is needed. Functions and services that the machine calls are stand-ins, given by --stub; a function "
        "without one is not found. Waits, retries and timeouts take their time.\n\n"
        "Prints the output and exits 0, or prints {\"Error\",\"Cause\"} and exits 3.",
    .complete = "file",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct run_values),
    .args_min = 1,
    .args_max = 1,
    .without_data = true,
    .run = run,
};
