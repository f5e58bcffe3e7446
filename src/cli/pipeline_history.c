/* cli/pipeline_history.c - `prism pipeline history`: the audit log, and whether it is whole. */
#include "cli/pipeline.h"
#include "delivery/pipeline/journal.h"

struct history_values {
    struct pipeline_place place;
    const char *tip;
    bool check;
};
static const struct cli_option options[] = {
    {"check", 'c', CLI_FLAG, offsetof(struct history_values, check), NULL,
     "follow the chain of hashes through all runs; exit code 4 when an entry was changed or is missing",
     NULL, 0, 0},
    {"tip", 't', CLI_TEXT, offsetof(struct history_values, tip), "HASH",
     "with --check: this entry's hash, noted down before, must be in the chain still", NULL, 0, 0},
    PIPELINE_OPTIONS(struct history_values, place),
};

static int print_entry(void *ctx, const struct entry *entry)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    struct cli *cli = ctx;
    px_buf_init(&text, 2 * (size_t)ENTRY_BYTES_MAX);
    if (cli->json) {
        PX_AUTO(px_buf_deinit) struct px_buf data;
        px_buf_init(&data, ENTRY_BYTES_MAX);
        if (entry->data) px_buf_add_json(&data, entry->data);
        entry_write(&text, entry, px_buf_str(&data));
    } else {
        pipeline_view_line(entry, &text);
    }
    PX_TRY(px_buf_fault(&text));
    (void)fwrite(text.ptr, 1, text.len, cli->out);
    return 0;
}

static int check(struct pipeline_work *work, const struct history_values *v)
{
    PX_AUTO(px_buf_deinit) struct px_buf problems, json;
    struct cli *cli = work->cli;
    uint64_t entries = 0;
    unsigned count = 0;
    char tip[DIGEST_HEX_BYTES];
    px_buf_init(&problems, 1u << 20);
    px_buf_init(&json, 2u << 20);
    int r = pipeline_check(work->pipeline, px_str_c(v->tip), &problems, &entries, &count, tip);
    if (r != 0) return cli_fault(cli, r, "the log");
    if (cli->json) {
        struct px_str rest = px_buf_str(&problems), problem;
        px_buf_printf(&json, "{\"entries\":%llu,\"tip\":\"%s\",\"problems\":[",
                      (unsigned long long)entries, tip);
        for (bool first = true; px_str_cut(&rest, '\n', &problem); first = false) {
            if (!first) px_buf_add_char(&json, ',');
            px_buf_add_json_str(&json, problem);
        }
        px_buf_add_c(&json, "]}\n");
        (void)fwrite(json.ptr, 1, json.len, cli->out);
    } else {
        (void)fprintf(cli->out, "%.*s", PX_FMT(px_buf_str(&problems)));
        (void)fprintf(cli->out, "%llu entries, %u problem%s, tip %s\n", (unsigned long long)entries,
                      count, count == 1 ? "" : "s", tip);
    }
    return count == 0 ? CLI_OK : CLI_REFUSED;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    PX_AUTO(pipeline_work_close) struct pipeline_work work = {0};
    const struct history_values *v = values;
    uint64_t number = 0;
    if (arg_count > 0 &&
        (!px_str_to_u64(px_str_c(args[0]), &number) || number == 0 || number > 999999))
        return cli_fail(cli, CLI_USAGE, "'%s' is no run's number", args[0]);
    if (v->tip && (!v->check || !digest_is_hex(px_str_c(v->tip))))
        return cli_fail(cli, CLI_USAGE, "--tip goes with --check and is a hash of 64 hex digits");
    int exit = pipeline_work_open(&work, cli, &v->place);
    if (exit != CLI_OK) return exit;
    if (v->check) return check(&work, v);
    int answer = pipeline_history(work.pipeline, (uint32_t)number, print_entry, cli);
    return answer == 0 ? CLI_OK : pipeline_work_end(&work, answer);
}

const struct cli_verb pipeline_verb_history = {
    .name = "history",
    .arguments = "[RUN]",
    .summary = "the audit log: who did what, when, for which release and plan",
    .details =
        "Of all runs, or of one. With --json each entry is a line as it is stored. Every entry holds the hash of the one before it.",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct history_values),
    .args_max = 1,
    .without_data = true,
    .run = run,
};
