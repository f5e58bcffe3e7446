/* cli/workflow_source.c - definitions from files: read, their template's values put in, parsed, their problems shown. */
#include "asl/jsonata.h"
#include "asl/render.h"
#include "base/px_file.h"
#include "cli/glyph.h"
#include "cli/workflow.h"

/* More than a definition may have, so that one that is too large is told as such. */
#define SOURCE_BYTES_MAX (4u << 20)
#define VALUES_MAX 128

/* Values of the kind that infra/modules/workflows puts in (docs/design/workflows.md). */
static const struct asl_value_of_name plausible[] = {
    {S("partition"), S("aws")},
    {S("region"), S("us-east-1")},
    {S("account"), S("123456789012")},
    {S("dns_suffix"), S("amazonaws.com")},
    {S("prefix"), S("prism-dev-use1")},
    {S("environment"), S("dev")},
    {S("shards"), S("[\"shard-0\",\"shard-1\"]")},
    {S("file_system_id"), S("fs-0123456789abcdef0")},
    {S("shard_gid_first"), S("10000")},
    {S("tenant_uid_first"), S("100000")},
    {S("usage_plan_pooled"), S("pooled")},
    {S("usage_plan_dedicated"), S("dedicated")},
};

static int read_stdin(struct px_buf *text)
{
    for (;;) {
        char *room = px_buf_reserve(text, 64 * 1024);
        if (!room) return px_buf_fault(text) == PX_F_LIMIT ? PX_FILE_TOO_LARGE : px_buf_fault(text);
        size_t n = fread(room, 1, 64 * 1024, stdin);
        text->len += n;
        if (n == 0) return ferror(stdin) ? px_fault(PX_F_IO, "standard input: %m") : 0;
    }
}

int workflow_read(struct cli *cli, const char *path, size_t bytes_max, struct px_str *ret_text)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, bytes_max);
    int r = strcmp(path, "-") == 0 ? read_stdin(&text) : px_file_read(path, &text);
    if (r == PX_FILE_ABSENT) return cli_fail(cli, CLI_FAILED, "%s does not exist", path);
    if (r == PX_FILE_TOO_LARGE)
        return cli_fail(cli, CLI_FAILED, "%s is larger than %zu bytes", path, bytes_max);
    if (r != 0) return cli_fault(cli, r, "%s", path);
    *ret_text = px_arena_dup(&cli->arena, px_buf_str(&text));
    return ret_text->ptr ? CLI_OK : cli_fault(cli, PX_F_OOM, "%s", path);
}

static size_t line_of(struct px_str text, size_t offset)
{
    size_t line = 1;
    for (size_t i = 0; i < offset && i < text.len; i++) line += text.ptr[i] == '\n';
    return line;
}

static int take_values(struct cli *cli, const struct workflow_source *source,
                       struct asl_value_of_name values[VALUES_MAX], size_t *ret_count)
{
    size_t count = 0;
    for (size_t i = 0; source->template && i < PX_COUNT(plausible); i++)
        values[count++] = plausible[i];
    for (size_t i = 0; i < source->set.count; i++) {
        struct px_str rest = px_str_c(source->set.items[i]), name;
        if (!px_str_cut(&rest, '=', &name) || name.len == 0)
            return cli_fail(cli, CLI_USAGE, "--set takes NAME=VALUE, not '%s'",
                            source->set.items[i]);
        values[count++] = (struct asl_value_of_name){name, rest};
    }
    *ret_count = count;
    return CLI_OK;
}

static int render(struct cli *cli, const struct workflow_source *source, struct workflow_file *file)
{
    static_assert(VALUES_MAX >= PX_COUNT(plausible) + CLI_LIST_MAX, "all that can be given");
    struct asl_value_of_name values[VALUES_MAX];
    struct px_where where = {0};
    size_t count = 0;
    if (!source->template && source->set.count == 0) return CLI_OK;
    int exit = take_values(cli, source, values, &count);
    if (exit != CLI_OK) return exit;
    struct px_str template = file->text;
    int r = asl_render(template, values, count, &cli->arena, &file->text, &where);
    if (r == ASL_INVALID)
        return cli_fail(cli, CLI_REFUSED, "%s:%zu: expected %s", file->name,
                        line_of(template, where.offset), where.expected);
    return r == 0 ? CLI_OK : cli_fault(cli, r, "%s", file->name);
}

/* The engine is made for those that need it; what is kept of an expression is its text. */
static int parse(struct cli *cli, struct workflow_file *file, enum asl_machine_type type)
{
    PX_AUTO(asl_jsonata_free) struct asl_jsonata *jsonata = NULL;
    if (file->text.ptr && memmem(file->text.ptr, file->text.len, "JSONata", strlen("JSONata")))
        PX_TRY(asl_jsonata_new(NULL, &jsonata));
    return asl_machine_parse(file->text, type, jsonata, &cli->arena, &file->machine,
                             &file->problems);
}

enum asl_machine_type workflow_type(const struct workflow_source *source)
{
    return source->type && strcmp(source->type, "EXPRESS") == 0 ? ASL_EXPRESS : ASL_STANDARD;
}

int workflow_text(struct cli *cli, const char *path, const struct workflow_source *source,
                  struct workflow_file *ret_file)
{
    struct workflow_file file = {.name = strcmp(path, "-") == 0 ? "stdin" : path};
    int exit = workflow_read(cli, path, SOURCE_BYTES_MAX, &file.text);
    if (exit == CLI_OK) exit = render(cli, source, &file);
    if (exit == CLI_OK) *ret_file = file;
    return exit;
}

int workflow_open(struct cli *cli, const char *path, const struct workflow_source *source,
                  struct workflow_file *ret_file)
{
    struct workflow_file file;
    int exit = workflow_text(cli, path, source, &file);
    if (exit != CLI_OK) return exit;
    int r = parse(cli, &file, workflow_type(source));
    if (r < 0) return cli_fault(cli, r, "%s", path);
    *ret_file = file;
    return CLI_OK;
}

void workflow_print_problems(const struct workflow_file *file, FILE *to)
{
    PX_AUTO(px_buf_deinit) struct px_buf line;
    px_buf_init(&line, 64 * 1024);
    for (size_t i = 0; i < file->problems.count; i++) {
        const struct asl_problem *problem = &file->problems.list[i];
        px_buf_clear(&line);
        glyph_add(&line, px_str_c(file->name), false);
        if (problem->line > 0) px_buf_printf(&line, ":%zu:%zu", problem->line, problem->column);
        px_buf_printf(&line, ": %s: %s: ", problem->warning ? "warning" : "error", problem->code);
        glyph_add(&line, px_str_trim(problem->message), false);
        px_buf_add_c(&line, " at ");
        glyph_add(&line, problem->place, false);
        (void)fprintf(to, "%.*s\n", PX_FMT(px_buf_str(&line)));
    }
}
