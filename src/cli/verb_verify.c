/* cli/verb_verify.c - `prism verify --plan PLAN.json`: the architecture's rules over Terraform plans. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/px_file.h"
#include "cli/settings.h"
#include "cli/verbs.h"
#include "delivery/verify.h"

#define PLAN_BYTES_MAX (256u << 20)
#define OUTPUT_BYTES_MAX (256u << 20)

struct verify_values {
    struct cli_list plans, rules, except;
    const char *platform, *infra, *wildcards, *format;
    bool list, verbose;
};
static const struct cli_option options[] = {
    {"plan", 'p', CLI_LIST, offsetof(struct verify_values, plans), "FILE",
     "a plan as `terraform show -json` prints it; - is standard input; give it once per stack",
     NULL, 0, 0},
    {"infra", 'i', CLI_TEXT, offsetof(struct verify_values, infra), "DIR",
     "sources of the stacks, from which values that are known after apply are followed (default infra "
     "beside platform)",
     NULL, 0, 0},
    {"platform", 0, CLI_TEXT, offsetof(struct verify_values, platform), "DIR",
     "functions.json, network.json and so on (default beside the program)", NULL, 0, 0},
    {"wildcards", 'w', CLI_TEXT, offsetof(struct verify_values, wildcards), "FILE",
     "reviewed wildcards of IAM policies (default wildcards.json of the sources)", NULL, 0, 0},
    {"format", 'f', CLI_TEXT, offsetof(struct verify_values, format), "FORMAT",
     "text, json or sarif (default text)", "text json sarif", 0, 0},
    {"rule", 'r', CLI_LIST, offsetof(struct verify_values, rules), "ID",
     "only this rule, or with PV-NET- all whose ids begin so; may be repeated", NULL, 0, 0},
    {"except", 'x', CLI_LIST, offsetof(struct verify_values, except), "ID",
     "not this rule, or not those that begin so; may be repeated", NULL, 0, 0},
    {"list", 'l', CLI_FLAG, offsetof(struct verify_values, list), NULL,
     "print the rules and what each proves", NULL, 0, 0},
    {"verbose", 'v', CLI_FLAG, offsetof(struct verify_values, verbose), NULL,
     "print which rules applied, and what each looked at", NULL, 0, 0},
};
static const struct verify_values defaults = {.format = "text"};

/* ---- where things are ---- */

static const char *beside(struct cli *cli, const char *dir, const char *name)
{
    struct px_str path = px_arena_printf(&cli->arena, "%s/%s", dir, name);
    char real[PATH_MAX];
    if (!path.ptr || !realpath(path.ptr, real)) return NULL;
    return px_arena_cstr(&cli->arena, px_str_c(real));
}

static int find_places(struct cli *cli, const struct verify_values *v, const char **ret_infra,
                       struct verify_options *what)
{
    char real[PATH_MAX];
    what->platform_dir = v->platform ? v->platform : settings_platform_dir(cli);
    if (v->platform && access(v->platform, R_OK) != 0)
        return cli_fail(cli, CLI_FAILED, "%s: %s", v->platform, strerror(errno));
    *ret_infra = v->infra;
    if (v->infra && access(v->infra, R_OK) != 0)
        return cli_fail(cli, CLI_FAILED, "%s: %s", v->infra, strerror(errno));
    if (!v->infra && what->platform_dir && realpath(what->platform_dir, real))
        *ret_infra = beside(cli, real, "../infra");
    what->wildcards = v->wildcards;
    if (v->wildcards && access(v->wildcards, R_OK) != 0)
        return cli_fail(cli, CLI_FAILED, "%s: %s", v->wildcards, strerror(errno));
    if (!v->wildcards && *ret_infra) what->wildcards = beside(cli, *ret_infra, "wildcards.json");
    what->only = v->rules.items;
    what->except = v->except.items;
    return CLI_OK;
}

static int check_ids(struct cli *cli, const struct cli_list *ids)
{
    for (size_t i = 0; i < ids->count; i++) {
        bool known = false;
        for (size_t r = 0; verify_rule_at(r) && !known; r++)
            known = px_str_starts(px_str_c(verify_rule_at(r)->id), px_str_c(ids->items[i]));
        if (!known)
            return cli_fail(cli, CLI_USAGE, "no rule begins with '%s'; see prism verify --list",
                            ids->items[i]);
    }
    return CLI_OK;
}

/* ---- plans ---- */

static int read_stdin(struct px_buf *text)
{
    for (;;) {
        char *room = px_buf_reserve(text, 64 * 1024);
        if (!room) return px_buf_fault(text);
        size_t n = fread(room, 1, 64 * 1024, stdin);
        text->len += n;
        if (n == 0) return ferror(stdin) ? px_fault(PX_F_IO, "standard input: %m") : 0;
    }
}

static int open_plan(struct cli *cli, const char *name, const char *infra, struct plan **ret_plan)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    struct px_where where = {0};
    bool from_stdin = strcmp(name, "-") == 0;
    px_buf_init(&text, PLAN_BYTES_MAX);
    int r = from_stdin ? read_stdin(&text) : px_file_read(name, &text);
    if (r == PX_FILE_ABSENT) return cli_fail(cli, CLI_FAILED, "%s does not exist", name);
    if (r == PX_FILE_TOO_LARGE)
        return cli_fail(cli, CLI_FAILED, "%s is larger than %u MiB", name, PLAN_BYTES_MAX >> 20);
    if (r == 0)
        r = plan_open(px_buf_str(&text), from_stdin ? "stdin" : name, infra, &cli->arena, ret_plan,
                      &where);
    if (r == PLAN_INVALID)
        return cli_fail(cli, CLI_FAILED, "%s is no plan: %s, at byte %zu", name, where.expected,
                        where.offset);
    return r == 0 ? CLI_OK : cli_fault(cli, r, "%s", name);
}

static int open_plans(struct cli *cli, const struct verify_values *v, const char *infra,
                      struct plan ***ret_plans)
{
    struct plan **plans = px_arena_array(&cli->arena, struct plan *, v->plans.count + 1);
    if (!plans) return cli_fault(cli, PX_F_OOM, "plans");
    for (size_t i = 0; i < v->plans.count; i++) {
        int exit = open_plan(cli, v->plans.items[i], infra, &plans[i]);
        if (exit != CLI_OK) return exit;
    }
    *ret_plans = plans;
    return CLI_OK;
}

/* ---- output ---- */

static int print_buf(struct cli *cli, struct px_buf *buf)
{
    if (px_buf_fault(buf) != 0) return cli_fault(cli, px_buf_fault(buf), "the findings do not fit");
    (void)fwrite(buf->ptr, 1, buf->len, cli->out);
    return CLI_OK;
}

static int print_list(struct cli *cli, const struct verify_options *what, bool json)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, OUTPUT_BYTES_MAX);
    if (!json) {
        verify_list(what, cli->out);
        return CLI_OK;
    }
    verify_list_json(what, &buf);
    return print_buf(cli, &buf);
}

static int print_findings(struct cli *cli, const struct verify_values *v,
                          const struct verify *found)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    bool sarif = strcmp(v->format, "sarif") == 0;
    px_buf_init(&buf, OUTPUT_BYTES_MAX);
    if (sarif) {
        verify_write_sarif(found, PRISM_VERSION, &buf);
    } else if (cli->json || strcmp(v->format, "json") == 0) {
        verify_write_json(found, &buf);
    } else {
        verify_write_text(found, v->verbose, cli->out);
        return CLI_OK;
    }
    return print_buf(cli, &buf);
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    const struct verify_values *v = values;
    struct verify_options what = {0};
    struct plan **plans = NULL;
    struct verify found;
    const char *infra = NULL;
    (void)arg_count, (void)args;
    int exit = check_ids(cli, &v->rules);
    if (exit == CLI_OK) exit = check_ids(cli, &v->except);
    if (exit == CLI_OK) exit = find_places(cli, v, &infra, &what);
    if (exit != CLI_OK) return exit;
    if (v->list) return print_list(cli, &what, cli->json || strcmp(v->format, "json") == 0);
    if (v->plans.count == 0)
        return cli_fail(cli, CLI_USAGE,
                        "no plan: terraform show -json plan.out > plan.json, then "
                        "prism verify --plan plan.json");
    exit = open_plans(cli, v, infra, &plans);
    if (exit != CLI_OK) return exit;
    int r = verify_run(&cli->arena, &what, plans, v->plans.count, &found);
    if (r != 0) return cli_fault(cli, r, "verify");
    exit = print_findings(cli, v, &found);
    if (exit != CLI_OK) return exit;
    return found.finding_count > 0 ? CLI_REFUSED : CLI_OK;
}

const struct cli_verb verb_verify = {
    .name = "verify",
    .arguments = "--plan PLAN.json...",
    .summary = "prove Terraform plans against the architecture's rules",
    .details =
        "Plans of the global stack and of regional stacks are verified together. Exit code 4: something "
        "breaks a rule. Each finding names the resource, what is wrong and what to do; --list tells what "
        "each rule proves.",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct verify_values),
    .defaults = &defaults,
    .without_data = true,
    .run = run,
};
