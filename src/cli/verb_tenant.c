/* cli/verb_tenant.c - `prism tenant create|list|show|suspend|resume|delete`, with the operator's key. */
#include "cli/remote.h"
#include "cli/table.h"
#include "cli/tenant.h"
#include "cli/verbs.h"

#define CALL_TIMEOUT_MS 30000
#define TENANTS "/v1/admin/tenants"
#define PAGE 1000

struct tenant_values {
    const char *tier, *quotas;
};

static struct px_str path_of(struct cli *cli, const char *name)
{
    struct px_str encoded = remote_encode(&cli->arena, px_str_c(name));
    return px_arena_printf(&cli->arena, TENANTS "/%.*s", PX_FMT(encoded));
}

static int call(struct cli *cli, const char *method, struct px_str path, struct px_str body,
                yyjson_val **ret_root, struct px_str *ret_text)
{
    struct remote remote;
    int exit = remote_open(cli, "admin.key", CALL_TIMEOUT_MS, &remote);
    if (exit != CLI_OK) return exit;
    struct remote_call request = {.method = method, .path = path, .body = body};
    exit = remote_json(&remote, &request, ret_root, ret_text);
    remote_close(&remote);
    return exit;
}

static void print_tenant(struct cli *cli, yyjson_val *tenant, struct px_str text)
{
    if (cli->json) {
        (void)fprintf(cli->out, "%.*s\n", PX_FMT(text));
        return;
    }
    static const char *const names[] = {"name",        "status", "tier",
                                        "home_region", "shard",  "created"};
    for (size_t i = 0; i < PX_COUNT(names); i++)
        (void)fprintf(cli->out, "%-12s %.*s\n", names[i], PX_FMT(px_json_str(tenant, names[i])));
    (void)fprintf(cli->out, "%-12s %lld\n%-12s %.*s\n", "epoch",
                  (long long)px_json_i64(tenant, "epoch", 0), "quotas",
                  PX_FMT(table_cell(&cli->arena, px_json_obj(tenant, "quotas"))));
}

/* ---- create ---- */

static const struct cli_option create_options[] = {
    {"tier", 't', CLI_TEXT, offsetof(struct tenant_values, tier), "TIER",
     "pooled or dedicated (default pooled)", "pooled dedicated", 0, 0},
    {"quotas", 'q', CLI_TEXT, offsetof(struct tenant_values, quotas), "JSON",
     "object of quota names and whole numbers", NULL, 0, 0},
};

static int run_create(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count;
    const struct tenant_values *v = values;
    yyjson_val *root = NULL;
    struct px_str text;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 1u << 20);
    px_buf_add_c(&body, "{\"name\":");
    px_buf_add_json_str(&body, px_str_c(args[0]));
    if (v->tier) px_buf_printf(&body, ",\"tier\":\"%s\"", v->tier);
    if (v->quotas) {
        yyjson_val *quotas = NULL;
        if (px_json_parse(px_str_c(v->quotas), &cli->arena, &quotas, NULL) != 0)
            return cli_fail(cli, CLI_USAGE, "--quotas is no JSON object: %s", v->quotas);
        px_buf_add_c(&body, ",\"quotas\":");
        px_buf_add_json(&body, quotas);
    }
    px_buf_add_char(&body, '}');
    int exit = call(cli, "POST", S(TENANTS), px_buf_str(&body), &root, &text);
    if (exit == CLI_OK && cli->json)
        print_tenant(cli, root, text);
    else if (exit == CLI_OK)
        (void)fprintf(cli->out,
                      "created tenant %s in %.*s, %.*s; make a key with: prism key create %s\n",
                      args[0], PX_FMT(px_json_str(root, "home_region")),
                      PX_FMT(px_json_str(root, "shard")), args[0]);
    return exit;
}

static const struct cli_verb create = {
    .name = "create",
    .arguments = "NAME",
    .summary = "create a tenant",
    CLI_OPTIONS(create_options),
    .values_bytes = sizeof(struct tenant_values),
    .args_min = 1,
    .args_max = 1,
    .run = run_create,
};

/* ---- list ---- */

static int add_rows(struct table *table, yyjson_val *tenants)
{
    static const char *const names[] = {"name", "status", "tier", "home_region", "created"};
    size_t i, n;
    yyjson_val *tenant;
    px_json_arr_foreach(tenants, i, n, tenant)
    {
        struct px_str *row = table_row(table);
        if (!row) return px_arena_fault(table->arena);
        for (size_t k = 0; k < PX_COUNT(names); k++) row[k] = px_json_str(tenant, names[k]);
    }
    return 0;
}

static void add_json(struct px_buf *json, yyjson_val *tenants)
{
    size_t i, n;
    yyjson_val *tenant;
    px_json_arr_foreach(tenants, i, n, tenant)
    {
        if (json->len > 0) px_buf_add_char(json, ',');
        px_buf_add_json(json, tenant);
    }
}

static int run_list(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)values, (void)arg_count, (void)args;
    static const char *const names[] = {"NAME", "STATUS", "TIER", "HOME REGION", "CREATED", NULL};
    struct table table;
    struct px_str after = {0}, text;
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 1u << 30);
    int r = table_init(&table, &cli->arena, names);
    do {
        yyjson_val *root = NULL;
        struct px_str path = px_arena_printf(&cli->arena, TENANTS "?limit=%d&after=%.*s", PAGE,
                                             PX_FMT(remote_encode(&cli->arena, after)));
        int exit = call(cli, "GET", path, (struct px_str){0}, &root, &text);
        if (exit != CLI_OK) return exit;
        yyjson_val *tenants = px_json_arr(root, "tenants");
        if (r == 0) r = add_rows(&table, tenants);
        if (cli->json) add_json(&json, tenants);
        if (r == 0) r = px_buf_fault(&json);
        after = px_json_str(root, "next");
    } while (after.len > 0 && r == 0);
    if (r != 0) return cli_fault(cli, r, "list of tenants");
    if (cli->json)
        (void)fprintf(cli->out, "{\"tenants\":[%.*s]}\n", PX_FMT(px_buf_str(&json)));
    else
        table_print(&table, table_terminal_width(cli->out), cli->out);
    return CLI_OK;
}

static const struct cli_verb list = {
    .name = "list", .summary = "list the tenants", .run = run_list};

/* ---- one tenant ---- */

static int run_show(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)values, (void)arg_count;
    yyjson_val *root = NULL;
    struct px_str text;
    int exit = call(cli, "GET", path_of(cli, args[0]), (struct px_str){0}, &root, &text);
    if (exit == CLI_OK) print_tenant(cli, root, text);
    return exit;
}

static int set_status(struct cli *cli, const char *name, struct px_str body)
{
    yyjson_val *root = NULL;
    struct px_str text;
    int exit = call(cli, "PATCH", path_of(cli, name), body, &root, &text);
    if (exit == CLI_OK) print_tenant(cli, root, text);
    return exit;
}

static int run_suspend(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)values, (void)arg_count;
    return set_status(cli, args[0], S("{\"status\":\"suspended\"}"));
}

static int run_resume(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)values, (void)arg_count;
    return set_status(cli, args[0], S("{\"status\":\"active\"}"));
}

static int run_delete(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)values, (void)arg_count;
    yyjson_val *root = NULL;
    struct px_str text;
    int exit = call(cli, "DELETE", path_of(cli, args[0]), (struct px_str){0}, &root, &text);
    if (exit != CLI_OK) return exit;
    if (cli->json)
        (void)fprintf(cli->out, "%.*s\n", PX_FMT(text));
    else
        (void)fprintf(cli->out, "deleted tenant %s: %.*s\n", args[0],
                      PX_FMT(px_json_str(root, "detail")));
    return CLI_OK;
}

#define ONE_TENANT(verb, text, function)                                                           \
    {                                                                                              \
        .name = (verb), .arguments = "NAME", .summary = (text), .args_min = 1, .args_max = 1,      \
        .run = (function)                                                                          \
    }
static const struct cli_verb show = ONE_TENANT("show", "show a tenant", run_show);
static const struct cli_verb suspend = ONE_TENANT(
    "suspend", "refuse a tenant's requests until it is resumed", run_suspend);
static const struct cli_verb resume = ONE_TENANT("resume", "serve a suspended tenant again",
                                                 run_resume);
static const struct cli_verb delete = ONE_TENANT(
    "delete", "delete a tenant: its keys end at once, its data with retention (see offboard)",
    run_delete);

static const struct cli_verb *const verbs[] = {&create,
                                               &list,
                                               &show,
                                               &suspend,
                                               &resume,
                                               &delete,
                                               &verb_tenant_usage,
                                               &verb_tenant_placement,
                                               &verb_tenant_shard,
                                               &verb_tenant_rebalance,
                                               &verb_tenant_migrate,
                                               &verb_tenant_offboard,
                                               NULL};
const struct cli_verb verb_tenant = {
    .name = "tenant",
    .arguments = "VERB ...",
    .summary =
        "create, list, show, suspend, resume, delete, offboard, place and move tenants; their usage",
    .verbs = verbs,
};
