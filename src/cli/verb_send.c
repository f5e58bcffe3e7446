/* cli/verb_send.c - `prism send FILE|- --dataset D`: sender.h with a progress bar and a summary. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/px_buf.h"
#include "base/px_id.h"
#include "cli/glyph.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/remote.h"
#include "cli/sender.h"
#include "cli/settings.h"
#include "cli/verbs.h"
#include "svc/catalog/names.h"

#define REFRESH_MS 100
#define REFUSALS_SHOWN 20
#define MAX_TIME_MS 120000
#define LINGER_MS 1000 /* a pipe may be a program that logs now and then */
#define GREET_TIME_MS                                                                              \
    2000 /* without --max-time nobody waits long for a region that never was there */

struct send_values {
    const char *dataset, *compress, *source, *time_field;
    int64_t batch_bytes, concurrency, max_time_ms;
    bool raw, repeat_on_error, quiet;
};
static const struct cli_option options[] = {
    {"dataset", 'd', CLI_TEXT, offsetof(struct send_values, dataset), "DATASET",
     "where the records go", NULL, 0, 0},
    {"raw", 'r', CLI_FLAG, offsetof(struct send_values, raw), NULL,
     "lines of text, not NDJSON: each becomes {\"message\": line}", NULL, 0, 0},
    {"time-field", 0, CLI_TEXT, offsetof(struct send_values, time_field), "NAME",
     "field that holds a record's time (default time, timestamp, @timestamp, ts or _time)", NULL, 0,
     0},
    {"batch-bytes", 'b', CLI_BYTES, offsetof(struct send_values, batch_bytes), "SIZE",
     "bytes of records in one request, before compression (default 4M)", NULL, 1000, 64 << 20},
    {"concurrency", 'c', CLI_NUMBER, offsetof(struct send_values, concurrency), "N",
     "connections at once (default 4)", NULL, 1, SENDER_CONNECTIONS_MAX},
    {"compress", 'z', CLI_TEXT, offsetof(struct send_values, compress), "KIND",
     "zstd, gzip or none (default zstd)", "zstd gzip none", 0, 0},
    {"max-time", 'm', CLI_TIME, offsetof(struct send_values, max_time_ms), "TIME",
     "how long a request without a good answer is repeated (default 2m)", NULL, 0, 0},
    {"repeat-on-error", 0, CLI_FLAG, offsetof(struct send_values, repeat_on_error), NULL,
     "repeat for ever, for example until a region is started again", NULL, 0, 0},
    {"source", 0, CLI_TEXT, offsetof(struct send_values, source), "NAME",
     "identity of the input in its Idempotency-Keys (default the file's path; for - a new one each time)",
     NULL, 0, 0},
    {"quiet", 'q', CLI_FLAG, offsetof(struct send_values, quiet), NULL, "no progress, no summary",
     NULL, 0, 0},
};
static const struct send_values defaults = {
    .compress = "zstd", .batch_bytes = 4000000, .concurrency = 4};

/* ---- the input ---- */

struct input {
    const char *name;
    int fd;
    uint64_t bytes; /* 0: not known */
    struct px_str identity;
    bool again; /* the same input can be sent again with the same keys */
};

static int open_stdin(struct cli *cli, struct input *input)
{
    char id[33];
    uint64_t random[2];
    px_random(random, sizeof random);
    px_hex(random, sizeof random, id);
    input->fd = dup(STDIN_FILENO);
    input->identity = px_arena_dup(&cli->arena, px_str_c(id));
    if (input->fd < 0) return cli_fault(cli, px_fault_errno("standard input"), "cannot read");
    return CLI_OK;
}

static int open_file(struct cli *cli, struct input *input)
{
    char real[PATH_MAX];
    struct stat st;
    input->fd = open(input->name, O_RDONLY | O_CLOEXEC);
    if (input->fd < 0 || !realpath(input->name, real) || fstat(input->fd, &st) != 0)
        return cli_fail(cli, CLI_FAILED, "%s: %s", input->name, strerror(errno));
    if (S_ISDIR(st.st_mode)) return cli_fail(cli, CLI_FAILED, "%s is a folder", input->name);
    input->bytes = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    input->identity = px_arena_dup(&cli->arena, px_str_c(real));
    return CLI_OK;
}

/* One JSON array over many lines is no NDJSON; every line of it would be refused. */
static int look_inside(struct cli *cli, const struct input *input, const struct send_values *v)
{
    char head[64];
    ssize_t n = input->bytes > 0 && !v->raw ? pread(input->fd, head, sizeof head, 0) : 0;
    struct px_str text = px_str_trim(px_str(head, n > 0 ? (size_t)n : 0));
    if (text.len == 0 || text.ptr[0] != '[') return CLI_OK;
    return cli_fail(
        cli, CLI_USAGE,
        "%s is a JSON array; send takes one object a line: jq -c '.[]' %s | prism send - "
        "--dataset %s (or --raw for lines of text)",
        input->name, input->name, v->dataset);
}

static int open_input(struct cli *cli, const struct send_values *v, struct input *input)
{
    bool is_stdin = strcmp(input->name, "-") == 0;
    int exit = is_stdin ? open_stdin(cli, input) : open_file(cli, input);
    if (exit == CLI_OK && v->source) input->identity = px_str_c(v->source);
    input->again = input->bytes > 0 || v->source;
    return exit == CLI_OK ? look_inside(cli, input, v) : exit;
}

/* ---- the end ---- */

static double seconds_since(struct cli *cli, int64_t start_ns)
{
    return (double)(px_mono_ns(cli->clock) - start_ns) / (double)PX_NS_PER_S;
}

static void print_json(struct cli *cli, const struct sender_totals *t, double seconds,
                       bool complete)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 1u << 20);
    px_buf_printf(
        &json,
        "{\"records\":%llu,\"accepted\":%llu,\"refused\":%llu,\"duplicates\":%llu,"
        "\"bytes\":%llu,\"wire_bytes\":%llu,\"repeats\":%llu,\"seconds\":%.3f,\"complete\":%s,"
        "\"errors\":[",
        (unsigned long long)t->records, (unsigned long long)t->accepted,
        (unsigned long long)t->refused, (unsigned long long)t->duplicates,
        (unsigned long long)t->bytes, (unsigned long long)t->wire_bytes,
        (unsigned long long)t->repeats, seconds, complete ? "true" : "false");
    for (size_t i = 0; i < t->refusals_kept; i++) {
        px_buf_printf(&json, "%s{\"line\":%llu,\"reason\":", i > 0 ? "," : "",
                      (unsigned long long)t->refusals[i].line);
        px_buf_add_json_str(&json, px_str_c(t->refusals[i].reason));
        px_buf_add_char(&json, '}');
    }
    px_buf_add_c(&json, "]}\n");
    (void)fwrite(json.ptr, 1, json.len, cli->out);
}

static void print_summary(struct cli *cli, const struct sender_totals *t, double seconds)
{
    char records[32], bytes[24], wire[24], rate[32];
    (void)fprintf(
        cli->out, "%s record%s stored (%s, %s on the wire) in %.1f s, %s records/s\n",
        cli_count(t->accepted, records), t->accepted == 1 ? "" : "s", cli_bytes(t->bytes, bytes),
        cli_bytes(t->wire_bytes, wire), seconds,
        cli_count((uint64_t)((double)t->accepted / (seconds > 0 ? seconds : 1e-9)), rate));
    if (t->duplicates > 0)
        (void)fprintf(cli->out, "%s record%s stored before; nothing is there twice\n",
                      cli_count(t->duplicates, records), t->duplicates == 1 ? " was" : "s were");
    if (t->repeats > 0)
        (void)fprintf(cli->out, "%llu request%s repeated\n", (unsigned long long)t->repeats,
                      t->repeats == 1 ? " was" : "s were");
}

static int by_line(const void *a, const void *b)
{
    uint64_t x = ((const struct sender_refusal *)a)->line,
             y = ((const struct sender_refusal *)b)->line;
    return (x > y) - (x < y);
}

static void print_refusals(struct cli *cli, const char *name, const struct sender_totals *t)
{
    size_t shown = PX_MIN(t->refusals_kept, REFUSALS_SHOWN);
    PX_AUTO(px_buf_deinit) struct px_buf line;
    px_buf_init(&line, 64 * 1024);
    for (size_t i = 0; i < shown; i++) {
        px_buf_printf(&line, "%s:%llu: ", name, (unsigned long long)t->refusals[i].line);
        glyph_add(&line, px_str_c(t->refusals[i].reason), false);
        px_buf_add_char(&line, '\n');
    }
    if (line.len > 0) (void)fwrite(line.ptr, 1, line.len, cli->err);
    if (t->refused > shown)
        (void)fprintf(cli->err, "... and %llu more\n", (unsigned long long)(t->refused - shown));
}

/* How to go on with an input that was not sent to its end. */
static const char *advice(const struct input *input)
{
    return input->again
               ? "send the same input again to go on, nothing is stored twice"
               : "sending it again stores it again (a --source NAME from the start avoids that)";
}

static int report(struct cli *cli, const struct send_values *v, const struct input *input,
                  const struct sender_totals *t, double seconds, int outcome, const char *why)
{
    if (cli->json)
        print_json(cli, t, seconds, outcome == 0);
    else if (!v->quiet)
        print_summary(cli, t, seconds);
    (void)fflush(cli->out);
    print_refusals(cli, input->name, t);
    struct cli told = *cli;
    told.json = false; /* the summary is the one document on standard output */
    if (outcome == SENDER_RUNNING)
        return cli_fail(&told, CLI_FAILED, "interrupted: %s", advice(input));
    if (outcome == SENDER_REFUSED) return cli_fail(&told, CLI_REFUSED, "refused: %s", why);
    if (outcome == SENDER_UNREACHABLE)
        return cli_fail(
            &told, CLI_NOT_RUNNING,
            "nothing answers on port %d (data folder %s): start a region with prism up, then %s",
            (int)settings_port(cli), cli->data_dir, advice(input));
    if (outcome == SENDER_GAVE_UP)
        return cli_fail(&told, CLI_REGION_ERROR, "gave up after %.1f s: %s; %s", seconds, why,
                        advice(input));
    if (outcome != 0) return cli_fail(&told, CLI_FAILED, "%s", why);
    if (t->refused > 0)
        return cli_fail(&told, CLI_REFUSED, "%llu record%s refused", (unsigned long long)t->refused,
                        t->refused == 1 ? " was" : "s were");
    return CLI_OK;
}

/* ---- the verb ---- */

static int deliver(struct cli *cli, const struct send_values *v, const struct input *input,
                   const struct sender_options *request)
{
    struct sender *sender = NULL;
    struct sender_totals *totals = px_arena_new(&cli->arena, struct sender_totals);
    struct progress progress;
    const char *why = "";
    int64_t start_ns = px_mono_ns(cli->clock);
    int outcome, came = 0;
    sigset_t held;
    if (!totals) return cli_fault(cli, PX_F_OOM, "send");
    interrupt_hold(&held);
    outcome = sender_start(request, &sender);
    if (outcome != 0) return cli_fault(cli, outcome, "send");
    progress_init(&progress, cli->err_is_tty && !cli->json && !v->quiet ? cli->err : NULL,
                  input->bytes);
    while ((outcome = sender_wait(sender, REFRESH_MS, &why)) == SENDER_RUNNING) {
        sender_totals(sender, totals);
        progress_show(&progress, totals->bytes, totals->records, seconds_since(cli, start_ns));
        if ((came = interrupt_came(&held)) != 0) break;
    }
    progress_clear(&progress);
    sender_totals(sender, totals);
    qsort(totals->refusals, totals->refusals_kept, sizeof totals->refusals[0], by_line);
    int exit = report(cli, v, input, totals, seconds_since(cli, start_ns), outcome, why);
    if (came != 0) interrupt_end(came);
    if (sender_is_over(sender))
        sender_free(&sender); /* else a thread waits for input: the process ends */
    return exit;
}

static int fill_options(struct cli *cli, const struct send_values *v, const struct input *input,
                        struct sender_options *ret_options)
{
    struct px_str key, field = {0};
    int exit = settings_key(cli, "tenant.key", &key);
    if (exit != CLI_OK) return exit;
    if (v->time_field) field = remote_encode(&cli->arena, px_str_c(v->time_field));
    *ret_options = (struct sender_options){
        .endpoint = px_arena_printf(&cli->arena, "127.0.0.1:%d", (int)settings_port(cli)),
        .authorization = px_arena_printf(&cli->arena, "Bearer %.*s", PX_FMT(key)),
        .path = px_arena_printf(&cli->arena, "/v1/ingest/%s%s%.*s", v->dataset,
                                field.len > 0 ? "?time_field=" : "", PX_FMT(field)),
        .fd = input->fd,
        .identity = input->identity,
        .batch_bytes = (size_t)v->batch_bytes,
        .connections = (uint32_t)v->concurrency,
        .wrap = v->raw,
        .linger_ms = input->again ? 0 : LINGER_MS,
        .max_time_ms = v->repeat_on_error   ? 0
                       : v->max_time_ms > 0 ? v->max_time_ms
                                            : MAX_TIME_MS,
        .greet_time_ms = v->repeat_on_error || v->max_time_ms > 0 ? 0 : GREET_TIME_MS,
        .clock = cli->clock,
    };
    bool known = encoding_parse(px_str_c(v->compress), &ret_options->encoding);
    PX_ASSERT(known); /* one of the option's choices */
    return CLI_OK;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count;
    const struct send_values *v = values;
    const char *why = NULL;
    struct input input = {.name = args[0], .fd = -1};
    struct sender_options sender;
    if (!v->dataset)
        return cli_fail(cli, CLI_USAGE, "--dataset is needed: prism send %s --dataset NAME",
                        args[0]);
    if (!dataset_name_ok(px_str_c(v->dataset), &why))
        return cli_fail(cli, CLI_USAGE, "--dataset %s: %s", v->dataset, why);
    int exit = open_input(cli, v, &input);
    if (exit == CLI_OK) exit = fill_options(cli, v, &input, &sender);
    if (exit == CLI_OK) exit = deliver(cli, v, &input, &sender);
    px_close(&input.fd);
    return exit;
}

const struct cli_verb verb_send = {
    .name = "send",
    .arguments = "FILE|-",
    .summary = "send a file's records to a dataset, exactly once",
    .details =
        "FILE holds one JSON object a line (NDJSON). It is cut into requests at line ends, each with a key "
        "made of the file's path, the place in it and its content: after a crash of either side send the "
        "same file again with the same --batch-bytes, and only what is missing is stored. Refused records "
        "are named by line. With --json a summary: records, accepted, refused, duplicates, bytes, seconds.",
    .complete = "file",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct send_values),
    .defaults = &defaults,
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
