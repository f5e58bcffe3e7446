/* cli/tenant_usage.c - `prism tenant usage [NAME]`: what a tenant may use and has stored. Without a name it is asked with the
 * tenant's own key; of another the operator is told what is stored, and the limits that it was given. */
#include "cli/remote.h"
#include "cli/table.h"
#include "cli/tenant.h"

#define CALL_TIMEOUT_MS 30000

static int get(struct cli *cli, const char *key_file, struct px_str path, yyjson_val **ret_root,
               struct px_str *ret_text)
{
    struct remote remote;
    int exit = remote_open(cli, key_file, CALL_TIMEOUT_MS, &remote);
    if (exit != CLI_OK) return exit;
    const struct remote_call request = {.method = "GET", .path = path};
    exit = remote_json(&remote, &request, ret_root, ret_text);
    remote_close(&remote);
    return exit;
}

static void print_stored(struct cli *cli, yyjson_val *root)
{
    static const char *const names[] = {"datasets", "rows", "bytes"};
    yyjson_val *stored = px_json_obj(root, "stored");
    struct px_str tenant = px_json_str(root, "tenant");
    (void)fprintf(cli->out, "%-20s %.*s\n", "tenant", PX_FMT(tenant));
    for (size_t i = 0; i < PX_COUNT(names); i++)
        (void)fprintf(cli->out, "stored %-13s %lld\n", names[i],
                      (long long)px_json_i64(stored, names[i], 0));
    yyjson_val *today = px_json_obj(root, "today"); /* a region of an older release has none */
    static const char *const kinds[] = {"requests", "records"};
    for (size_t i = 0; i < PX_COUNT(kinds); i++) {
        int64_t count = px_json_i64(today, kinds[i], -1);
        int width = 14 - (int)strlen(kinds[i]);
        if (count >= 0)
            (void)fprintf(cli->out, "%s %-*s %lld\n", kinds[i], width + 5, "today",
                          (long long)count);
    }
}

static void print_limits(struct cli *cli, yyjson_val *limits)
{
    size_t i, n;
    yyjson_val *one;
    px_json_arr_foreach(limits, i, n, one)
    {
        struct px_str name = px_json_str(one, "name"), unit = px_json_str(one, "unit");
        if (yyjson_obj_get(one, "limit"))
            (void)fprintf(cli->out, "limit %-20.*s %lld %.*s\n", PX_FMT(name),
                          (long long)px_json_i64(one, "limit", 0), PX_FMT(unit));
        else
            (void)fprintf(cli->out, "limit %-20.*s none\n", PX_FMT(name));
    }
}

static int show_own(struct cli *cli)
{
    yyjson_val *root = NULL;
    struct px_str text;
    int exit = get(cli, "tenant.key", S("/v1/usage"), &root, &text);
    if (exit != CLI_OK) return exit;
    if (cli->json) {
        (void)fprintf(cli->out, "%.*s\n", PX_FMT(text));
        return CLI_OK;
    }
    print_stored(cli, root);
    print_limits(cli, px_json_arr(root, "limits"));
    return CLI_OK;
}

static int show_other(struct cli *cli, const char *name)
{
    yyjson_val *tenant = NULL, *root = NULL;
    struct px_str text, encoded = remote_encode(&cli->arena, px_str_c(name));
    struct px_str path = px_arena_printf(&cli->arena, "/v1/admin/tenants/%.*s", PX_FMT(encoded));
    int exit = get(cli, "admin.key", path, &tenant, &text);
    if (exit != CLI_OK) return exit;
    path = px_arena_printf(&cli->arena, "/v1/admin/tenants/%.*s/usage", PX_FMT(encoded));
    exit = get(cli, "admin.key", path, &root, &text);
    if (exit != CLI_OK) return exit;
    if (cli->json) {
        (void)fprintf(cli->out, "%.*s\n", PX_FMT(text));
        return CLI_OK;
    }
    print_stored(cli, root);
    (void)fprintf(cli->out, "%-20s %.*s\n%-20s %.*s\n", "tier", PX_FMT(px_json_str(tenant, "tier")),
                  "own quotas", PX_FMT(table_cell(&cli->arena, px_json_obj(tenant, "quotas"))));
    return CLI_OK;
}

static int run_usage(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)values;
    return arg_count > 0 ? show_other(cli, args[0]) : show_own(cli);
}

const struct cli_verb verb_tenant_usage = {
    .name = "usage",
    .arguments = "[NAME]",
    .summary = "show what a tenant may use and has stored; without NAME the one of tenant.key",
    .args_min = 0,
    .args_max = 1,
    .run = run_usage,
};
