/* cli/verb_query.c - `prism query 'SQL'`: a table for people, the region's own formats for programs. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "cli/remote.h"
#include "cli/table.h"
#include "cli/verbs.h"

#define CALL_TIMEOUT_MS 120000
#define SQL_BYTES_MAX (1u << 20)

struct query_values {
    const char *format, *start, *end, *output;
};
static const struct cli_option options[] = {
    {"format", 'f', CLI_TEXT, offsetof(struct query_values, format), "FORMAT",
     "table, json, ndjson, csv, arrow or parquet (default table)",
     "table json ndjson csv arrow parquet", 0, 0},
    {"start", 's', CLI_TEXT, offsetof(struct query_values, start), "TIME",
     "only records from then on: RFC 3339, or relative such as -15m, -2h, -7d", NULL, 0, 0},
    {"end", 'e', CLI_TEXT, offsetof(struct query_values, end), "TIME", "only records before then",
     NULL, 0, 0},
    {"output", 'o', CLI_TEXT, offsetof(struct query_values, output), "FILE",
     "write the result to a file", NULL, 0, 0},
};
static const struct query_values defaults = {.format = "table"};

static int write_request(const struct query_values *v, const char *sql, const char *format,
                         struct px_buf *body)
{
    const struct {
        const char *name, *value;
    } fields[] = {{"start", v->start}, {"end", v->end}, {"format", format}};
    px_buf_add_c(body, "{\"sql\":");
    px_buf_add_json_str(body, px_str_c(sql));
    for (size_t i = 0; i < PX_COUNT(fields); i++) {
        if (!fields[i].value) continue;
        px_buf_printf(body, ",\"%s\":", fields[i].name);
        px_buf_add_json_str(body, px_str_c(fields[i].value));
    }
    px_buf_add_char(body, '}');
    return px_buf_fault(body);
}

/* ---- table ---- */

static bool is_number_type(struct px_str type)
{
    static const char *const numbers[] = {
        "TINYINT",   "SMALLINT", "INTEGER", "BIGINT",   "HUGEINT", "UTINYINT",
        "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT", "FLOAT",   "DOUBLE",
    };
    if (px_str_starts(type, S("DECIMAL(")) && px_str_ends(type, S(")"))) return true;
    for (size_t i = 0; i < PX_COUNT(numbers); i++)
        if (px_str_eq(type, px_str_c(numbers[i]))) return true;
    return false;
}

static int fill_table(struct cli *cli, yyjson_val *root, struct table *table)
{
    static const char *const none[] = {NULL};
    yyjson_val *columns = px_json_arr(root, "columns"), *rows = px_json_arr(root, "rows"), *column,
               *cells;
    size_t i, n, c, m;
    PX_TRY(table_init(table, &cli->arena, none));
    table->column_count = yyjson_arr_size(columns);
    table->columns = px_arena_array(&cli->arena, struct table_column, table->column_count);
    if (!table->columns) return px_arena_fault(&cli->arena);
    px_json_arr_foreach(columns, i, n, column)
    {
        table->columns[i].name = px_json_str(column, "name");
        table->columns[i].right = is_number_type(px_json_str(column, "type"));
    }
    px_json_arr_foreach(rows, i, n, cells)
    {
        yyjson_val *cell;
        struct px_str *row = table_row(table);
        if (!row) return px_arena_fault(&cli->arena);
        px_json_arr_foreach(cells, c, m, cell)
        {
            if (c >= table->column_count) continue;
            row[c] = yyjson_is_null(cell) ? S("NULL") : table_cell(&cli->arena, cell);
        }
    }
    return 0;
}

/* An answer of status 200 that could not go on says so at its end. */
static int say_reason(struct cli *cli, yyjson_val *error)
{
    struct px_str detail = px_json_str(error, "detail");
    return cli_fail(cli, CLI_REGION_ERROR, "the result is not whole: %.*s", PX_FMT(detail));
}

static int print_table(struct cli *cli, const struct http_response *response, FILE *to,
                       bool is_file)
{
    yyjson_val *root = NULL;
    struct table table;
    int r = px_json_parse(response->body, &cli->arena, &root, NULL);
    if (r > 0) return cli_fail(cli, CLI_REGION_ERROR, "the region's answer is no JSON");
    if (r == 0 && yyjson_obj_get(root, "error")) return say_reason(cli, px_json_obj(root, "error"));
    if (r == 0) r = fill_table(cli, root, &table);
    if (r != 0) return cli_fault(cli, r, "the result does not fit; use --format ndjson or csv");
    table_print(&table, is_file ? 0 : table_terminal_width(to), to);
    if (cli->err_is_tty) {
        char rows[32];
        (void)fflush(to);
        (void)fprintf(cli->err, "%s rows  %.*s\n", cli_count(table.row_count, rows),
                      PX_FMT(http_response_header(response, S("Prism-Query-Cost"))));
    }
    return CLI_OK;
}

/* ---- streams ---- */

#define TAIL_BYTES 8192u /* a reason is shorter */

struct sink {
    struct cli *cli;
    FILE *to;
    char last;
    size_t tail_bytes;
    char tail[TAIL_BYTES]; /* what came last */
};

static void keep_tail(struct sink *sink, struct px_str piece)
{
    if (piece.len > TAIL_BYTES) piece = px_str_skip(piece, piece.len - TAIL_BYTES);
    size_t kept = PX_MIN(sink->tail_bytes, TAIL_BYTES - piece.len);
    memmove(sink->tail, sink->tail + sink->tail_bytes - kept, kept);
    memcpy(sink->tail + kept, piece.ptr, piece.len);
    sink->tail_bytes = kept + piece.len;
}

/* The reason's JSON, where one stands at the end of what came; else empty. */
static struct px_str reason_in(const char *format, struct px_str tail)
{
    static const struct px_str json = {"\"truncated\":true,\"error\":", 25},
                               line = {"{\"prism_error\":", 15};
    tail = px_str_trim(tail);
    if (!px_str_ends(tail, S("}}"))) return (struct px_str){0};
    struct px_str mark = strcmp(format, "ndjson") == 0 ? line : json;
    for (size_t at = tail.len; at-- > 0;) {
        struct px_str rest = px_str_skip(tail, at);
        if (px_str_starts(rest, S("\n"))) break; /* both stand in the last line */
        if (px_str_starts(rest, mark)) return px_str(rest.ptr + mark.len, rest.len - mark.len - 1);
    }
    return (struct px_str){0};
}

static int check_tail(const struct sink *sink, const char *format)
{
    yyjson_val *error = NULL;
    struct px_str reason = reason_in(format, px_str(sink->tail, sink->tail_bytes));
    if (reason.len == 0 || px_json_parse(reason, &sink->cli->arena, &error, NULL) != 0)
        return CLI_OK;
    return say_reason(sink->cli, error);
}

static int on_piece(void *ctx, struct px_str piece)
{
    struct sink *sink = ctx;
    if (piece.len == 0) return 0;
    sink->last = piece.ptr[piece.len - 1];
    keep_tail(sink, piece);
    if (fwrite(piece.ptr, 1, piece.len, sink->to) == piece.len) return 0;
    if (sink->to == sink->cli->out) return CLI_FAILED; /* main says why */
    return cli_fail(sink->cli, CLI_FAILED, "cannot write the result: %s", strerror(errno));
}

static int run_query(struct cli *cli, const struct query_values *v, struct px_str body, FILE *to)
{
    struct remote remote;
    struct http_response response;
    bool as_table = strcmp(v->format, "table") == 0 && !cli->json;
    struct sink sink = {.cli = cli, .to = to, .last = '\n'};
    struct remote_call call = {.method = "POST",
                               .path = S("/v1/query"),
                               .body = body,
                               .on_body = as_table ? NULL : on_piece,
                               .ctx = &sink};
    int exit = remote_open(cli, "tenant.key", CALL_TIMEOUT_MS, &remote);
    if (exit != CLI_OK) return exit;
    exit = remote_run(&remote, &call, &response);
    if (exit == CLI_OK && as_table) exit = print_table(cli, &response, to, to != cli->out);
    bool is_text = strcmp(v->format, "arrow") != 0 && strcmp(v->format, "parquet") != 0;
    if (exit == CLI_OK && is_text && sink.last != '\n') (void)fputc('\n', to);
    if (exit == CLI_OK && is_text && !as_table)
        exit = check_tail(&sink, cli->json && strcmp(v->format, "table") == 0 ? "json" : v->format);
    remote_close(&remote);
    return exit;
}

/* /dev/null, a pipe: written as they are, never replaced. */
static int run_to_device(struct cli *cli, const struct query_values *v, struct px_str body)
{
    FILE *to = fopen(v->output, "we");
    if (!to) return cli_fail(cli, CLI_FAILED, "%s: %s", v->output, strerror(errno));
    int exit = run_query(cli, v, body, to);
    if (fclose(to) != 0 && exit == CLI_OK)
        exit = cli_fail(cli, CLI_FAILED, "%s: %s", v->output, strerror(errno));
    return exit;
}

/* A result that failed half-way must not look like a file. */
static int run_to_file(struct cli *cli, const struct query_values *v, struct px_str body)
{
    char real[PATH_MAX];
    struct stat st;
    bool exists = stat(v->output, &st) == 0;
    if (exists && S_ISDIR(st.st_mode))
        return cli_fail(cli, CLI_FAILED, "%s is a folder", v->output);
    if (exists && !S_ISREG(st.st_mode)) return run_to_device(cli, v, body);
    const char *path = exists && realpath(v->output, real) ? real : v->output; /* links stay */
    struct px_str part = px_arena_printf(&cli->arena, "%s.%d.part", path, (int)getpid());
    struct interrupt_guard guard = {0};
    if (part.ptr) interrupt_guard_start(&guard, part.ptr);
    FILE *to = part.ptr ? fopen(part.ptr, "we") : NULL;
    int exit = to ? run_query(cli, v, body, to) : CLI_FAILED;
    bool written = to && fclose(to) == 0;
    if (!to || (exit == CLI_OK && (!written || rename(part.ptr, path) != 0)))
        exit = cli_fail(cli, CLI_FAILED, "%s: %s", v->output, strerror(errno));
    if (to && exit != CLI_OK) (void)unlink(part.ptr);
    interrupt_guard_stop(&guard);
    return exit;
}

/* The statement given, or for - that of standard input. NULL: it cannot be had, which was said. */
static const char *statement(struct cli *cli, const char *argument)
{
    if (strcmp(argument, "-") != 0) return argument;
    char *text = px_arena_alloc(&cli->arena, SQL_BYTES_MAX + 1);
    size_t bytes = text ? fread(text, 1, SQL_BYTES_MAX + 1, stdin) : 0;
    if (!text || ferror(stdin) || bytes > SQL_BYTES_MAX || memchr(text, '\0', bytes)) {
        (void)cli_fail(cli, CLI_FAILED, "standard input holds no statement");
        return NULL;
    }
    text[bytes] = '\0';
    return text;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count;
    const struct query_values *v = values;
    bool as_table = strcmp(v->format, "table") == 0;
    bool binary = strcmp(v->format, "arrow") == 0 || strcmp(v->format, "parquet") == 0;
    if (binary && !v->output && cli->out_is_tty)
        return cli_fail(cli, CLI_USAGE, "%s is no text for a terminal: use -o FILE or a pipe",
                        v->format);
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 4u << 20);
    const char *sql = statement(cli, args[0]);
    if (!sql) return CLI_FAILED;
    if (write_request(v, sql, as_table ? "json" : v->format, &body) != 0)
        return cli_fail(cli, CLI_USAGE, "the SQL is too long");
    if (v->output) return run_to_file(cli, v, px_buf_str(&body));
    return run_query(cli, v, px_buf_str(&body), cli->out);
}

const struct cli_verb verb_query = {
    .name = "query",
    .arguments = "SQL|-",
    .summary = "ask in SQL, over fresh and sealed records alike",
    .details =
        "Any DuckDB SELECT, given or with - from standard input; each dataset is a table with a column `time`. --json is --format json. "
        "Without --key it asks as the data folder's first tenant.",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct query_values),
    .defaults = &defaults,
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
