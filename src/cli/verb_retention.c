/* cli/verb_retention.c - `prism retention show|set|clear`: how long rows stay, of one dataset or of all that do not say it themselves. */
#include "cli/remote.h"
#include "cli/table.h"
#include "cli/verbs.h"

#define CALL_TIMEOUT_MS 30000

static struct px_str path_of(struct cli *cli, const char *dataset)
{
    if (!dataset) return S("/v1/retention");
    return px_arena_printf(&cli->arena, "/v1/datasets/%.*s/retention",
                           PX_FMT(remote_encode(&cli->arena, px_str_c(dataset))));
}

static void print_rules(struct cli *cli, yyjson_val *root)
{
    size_t i, n;
    yyjson_val *rule;
    px_json_arr_foreach(px_json_arr(root, "rules"), i, n, rule)
    {
        struct px_str attribute = px_json_str(rule, "attribute");
        struct px_str value = table_cell(&cli->arena, yyjson_obj_get(rule, "equals"));
        (void)fprintf(cli->out, "  %.*s = %.*s: %lld days\n", PX_FMT(attribute), PX_FMT(value),
                      (long long)px_json_i64(rule, "days", 0));
    }
}

static void print(struct cli *cli, yyjson_val *root, const char *dataset)
{
    struct px_str from = px_json_str(root, "from");
    const char *what = dataset ? dataset : "datasets that do not say it themselves";
    if (!yyjson_obj_get(root, "days"))
        (void)fprintf(cli->out, "%s: as %s\n", what,
                      dataset ? "its tenant or class says" : "the class of each says");
    else
        (void)fprintf(cli->out, "%s: %lld days%s%.*s\n", what,
                      (long long)px_json_i64(root, "days", 0), from.len > 0 ? ", by the " : "",
                      PX_FMT(from));
    print_rules(cli, root);
}

static int call(struct cli *cli, const char *method, const char *dataset, struct px_str body)
{
    struct remote remote;
    yyjson_val *root = NULL;
    struct px_str text;
    int exit = remote_open(cli, "tenant.key", CALL_TIMEOUT_MS, &remote);
    if (exit != CLI_OK) return exit;
    const struct remote_call request = {
        .method = method, .path = path_of(cli, dataset), .body = body};
    exit = remote_json(&remote, &request, &root, &text);
    remote_close(&remote);
    if (exit != CLI_OK) return exit;
    if (cli->json)
        (void)fprintf(cli->out, "%.*s\n", PX_FMT(text));
    else
        print(cli, root, dataset);
    return CLI_OK;
}

static int run_show(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)values;
    return call(cli, "GET", arg_count > 0 ? args[0] : NULL, (struct px_str){0});
}

static int run_clear(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)values;
    return call(cli, "DELETE", arg_count > 0 ? args[0] : NULL, (struct px_str){0});
}

struct set_values {
    int64_t days;
    const char *rules;
};
static const struct cli_option set_options[] = {
    {"days", 'n', CLI_NUMBER, offsetof(struct set_values, days), "N", "how many days", NULL, 1,
     36500},
    {"rules", 'r', CLI_TEXT, offsetof(struct set_values, rules), "JSON",
     "rows that go earlier: [{\"attribute\":\"level\",\"equals\":\"debug\",\"days\":3}]", NULL, 0,
     0},
};

static int run_set(struct cli *cli, const void *values, int arg_count, char **args)
{
    const struct set_values *v = values;
    yyjson_val *rules = NULL;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 1u << 20);
    if (v->days == 0 && !v->rules) return cli_fail(cli, CLI_USAGE, "--days or --rules is needed");
    int r = v->rules ? px_json_parse(px_str_c(v->rules), &cli->arena, &rules, NULL) : 0;
    if (r == PX_JSON_INVALID) return cli_fail(cli, CLI_USAGE, "'%s' is no JSON", v->rules);
    if (r != 0) return cli_fault(cli, r, "retention");
    px_buf_add_char(&body, '{');
    if (v->days > 0) px_buf_printf(&body, "\"days\":%lld", (long long)v->days);
    if (rules) px_buf_add_c(&body, v->days > 0 ? ",\"rules\":" : "\"rules\":");
    if (rules) px_buf_add_json(&body, rules);
    px_buf_add_char(&body, '}');
    r = px_buf_fault(&body);
    if (r != 0) return cli_fault(cli, r, "retention");
    return call(cli, "PUT", arg_count > 0 ? args[0] : NULL, px_buf_str(&body));
}

static const struct cli_verb show = {
    .name = "show",
    .arguments = "[DATASET]",
    .summary = "show how many days rows are kept, and who says so",
    .complete = "dataset",
    .args_max = 1,
    .run = run_show,
};
static const struct cli_verb set = {
    .name = "set",
    .arguments = "[DATASET]",
    .summary = "keep rows for so many days, in DATASET or in all that do not say it themselves",
    .complete = "dataset",
    .options = set_options,
    .option_count = PX_COUNT(set_options),
    .values_bytes = sizeof(struct set_values),
    .args_max = 1,
    .run = run_set,
};
static const struct cli_verb clear = {
    .name = "clear",
    .arguments = "[DATASET]",
    .summary = "keep rows as the tenant's others, or without DATASET as the class of each says",
    .complete = "dataset",
    .args_max = 1,
    .run = run_clear,
};

static const struct cli_verb *const verbs[] = {&show, &set, &clear, NULL};
const struct cli_verb verb_retention = {
    .name = "retention",
    .arguments = "VERB ...",
    .summary = "show, set and clear how long rows are kept",
    .verbs = verbs,
};
