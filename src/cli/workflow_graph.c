/* cli/workflow_graph.c - `prism workflow graph FILE`: the machine, and an execution of it, as SVG. */
#include "asl/graph.h"
#include "cli/output.h"
#include "cli/workflow.h"

#define SVG_BYTES_MAX (64u << 20)
#define HISTORY_BYTES_MAX (256u << 20) /* 25,000 events with their data */

struct graph_values {
    struct workflow_source source;
    const char *output, *execution;
};
static const struct cli_option options[] = {
    {"output", 'o', CLI_TEXT, offsetof(struct graph_values, output), "FILE",
     "where to write it (default standard output)", NULL, 0, 0},
    {"execution", 'e', CLI_TEXT, offsetof(struct graph_values, execution), "FILE",
     "history of an execution as GetExecutionHistory answers; its states are coloured by what "
     "became of them",
     NULL, 0, 0},
    WORKFLOW_SOURCE_OPTIONS(struct graph_values, source),
};

static int read_marks(struct cli *cli, const char *path, const struct asl_machine *machine,
                      const struct asl_marks **ret_marks)
{
    struct px_str text;
    struct px_where where = {0};
    yyjson_val *history = NULL;
    int exit = workflow_read(cli, path, HISTORY_BYTES_MAX, &text);
    if (exit != CLI_OK) return exit;
    int r = px_json_parse(text, &cli->arena, &history, &where);
    if (r == PX_JSON_INVALID)
        return cli_fail(cli, CLI_FAILED, "%s: %s, at byte %zu", path, where.expected, where.offset);
    if (r == 0) r = asl_marks_read(history, machine, &cli->arena, ret_marks);
    if (r == ASL_INVALID)
        return cli_fail(cli, CLI_FAILED, "%s is no history: it has no list of events", path);
    return r == 0 ? CLI_OK : cli_fault(cli, r, "%s", path);
}

static int write_svg(struct cli *cli, const char *path, const struct px_buf *svg)
{
    if (!path) {
        (void)fwrite(svg->ptr, 1, svg->len, cli->out);
        return CLI_OK;
    }
    return output_write(cli, path, px_buf_str(svg));
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    const struct graph_values *v = values;
    struct workflow_file file;
    const struct asl_marks *marks = NULL;
    PX_AUTO(px_buf_deinit) struct px_buf svg;
    (void)arg_count;
    px_buf_init(&svg, SVG_BYTES_MAX);
    int exit = workflow_open(cli, args[0], &v->source, &file);
    if (exit != CLI_OK) return exit;
    if (!file.machine) {
        workflow_print_problems(&file, cli->err);
        return cli_fail(cli, CLI_REFUSED, "%s is no definition that could be drawn", file.name);
    }
    if (v->execution) exit = read_marks(cli, v->execution, file.machine, &marks);
    if (exit != CLI_OK) return exit;
    int r = asl_graph_svg(file.machine, marks, &cli->arena, &svg);
    if (r == ASL_GRAPH_TOO_LARGE)
        return cli_fail(cli, CLI_REFUSED, "%s is too large to be drawn: over %d states and bends",
                        file.name, ASL_GRAPH_NODES_MAX);
    if (r != 0) return cli_fault(cli, r, "%s", file.name);
    return write_svg(cli, v->output, &svg);
}

const struct cli_verb workflow_graph = {
    .name = "graph",
    .arguments = "FILE|-",
    .summary = "draw a state machine, or an execution of it, as SVG",
    .details =
        "Lines that are dashed are taken after an error. The colours follow the reader's light or "
        "dark mode.",
    .complete = "file",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct graph_values),
    .args_min = 1,
    .args_max = 1,
    .without_data = true,
    .run = run,
};
