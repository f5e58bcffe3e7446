/* cli/verb_key.c - `prism key create|list|revoke`. Without a tenant, the first one, `default`. */
#include "cli/remote.h"
#include "cli/restrict.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "region/first_start.h"

#define CALL_TIMEOUT_MS 30000

struct key_values {
    const char *tenant, *scopes, *label, *expires, *restrict_to;
};
#define TENANT_OPTION                                                                              \
    {                                                                                              \
        "tenant", 't', CLI_TEXT, offsetof(struct key_values, tenant), "TENANT",                    \
            "whose key (default: " FIRST_TENANT ")", NULL, 0, 0                                    \
    }

static struct px_str path_of(struct cli *cli, const char *tenant, const char *id)
{
    struct px_str name = remote_encode(&cli->arena, px_str_c(tenant));
    struct px_str encoded = remote_encode(&cli->arena, px_str_c(id ? id : ""));
    return px_arena_printf(&cli->arena, "/v1/admin/tenants/%.*s/keys%s%.*s", PX_FMT(name),
                           id ? "/" : "", PX_FMT(encoded));
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

/* The tenant given as argument, by --tenant, or the first one. */
static const char *tenant_of(const struct key_values *v, const char *argument)
{
    return argument ? argument : v->tenant ? v->tenant : FIRST_TENANT;
}

static struct px_str scopes_of(struct cli *cli, yyjson_val *key)
{
    struct px_str text = {0};
    size_t i, n;
    yyjson_val *scope;
    px_json_arr_foreach(px_json_arr(key, "scopes"), i, n, scope)
    {
        text = px_arena_printf(&cli->arena, "%.*s%s%.*s", PX_FMT(text), i > 0 ? "," : "",
                               PX_FMT(px_json_val_str(scope)));
    }
    return text;
}

/* ---- create ---- */

static const struct cli_option create_options[] = {
    TENANT_OPTION,
    {"scopes", 's', CLI_TEXT, offsetof(struct key_values, scopes), "LIST",
     "what it may: ingest, query, admin, with commas (default ingest,query)", NULL, 0, 0},
    {"label", 'l', CLI_TEXT, offsetof(struct key_values, label), "TEXT", "what it is for", NULL, 0,
     0},
    {"expires", 'e', CLI_TEXT, offsetof(struct key_values, expires), "TIME",
     "when it ends, such as 2027-01-31T00:00:00Z (default never)", NULL, 0, 0},
    RESTRICT_OPTION(struct key_values),
};

static int write_key_request(struct cli *cli, const struct key_values *v, struct px_buf *body)
{
    struct px_str rest = px_str_c(v->scopes), scope;
    const char *comma = "";
    px_buf_add_c(body, "{\"scopes\":[");
    while (rest.len > 0) {
        px_str_cut(&rest, ',', &scope);
        px_buf_add_c(body, comma);
        px_buf_add_json_str(body, px_str_trim(scope));
        comma = ",";
    }
    px_buf_add_char(body, ']');
    if (v->label) {
        px_buf_add_c(body, ",\"label\":");
        px_buf_add_json_str(body, px_str_c(v->label));
    }
    if (v->expires) {
        px_buf_add_c(body, ",\"expires\":");
        px_buf_add_json_str(body, px_str_c(v->expires));
    }
    int exit = restrict_write(cli, v->restrict_to, body);
    px_buf_add_char(body, '}');
    return exit;
}

static int run_create(struct cli *cli, const void *values, int arg_count, char **args)
{
    const struct key_values *v = values;
    yyjson_val *root = NULL;
    struct px_str text;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 64 * 1024);
    struct px_str path = path_of(cli, tenant_of(v, arg_count > 0 ? args[0] : NULL), NULL);
    int exit = write_key_request(cli, v, &body);
    if (exit == CLI_OK) exit = call(cli, "POST", path, px_buf_str(&body), &root, &text);
    if (exit != CLI_OK) return exit;
    if (cli->json) {
        (void)fprintf(cli->out, "%.*s\n", PX_FMT(text));
        return CLI_OK;
    }
    (void)fprintf(cli->out, "%.*s\n", PX_FMT(px_json_str(root, "key")));
    (void)fprintf(cli->err, "This key of tenant %.*s (%.*s) is shown now and never again.\n",
                  PX_FMT(px_json_str(root, "tenant")), PX_FMT(scopes_of(cli, root)));
    return CLI_OK;
}

static const struct key_values create_defaults = {.scopes = "ingest,query"};
static const struct cli_verb create = {
    .name = "create",
    .arguments = "[TENANT]",
    .summary = "create a key and show it, once",
    CLI_OPTIONS(create_options),
    .values_bytes = sizeof(struct key_values),
    .defaults = &create_defaults,
    .args_max = 1,
    .run = run_create,
};

/* ---- list, revoke ---- */

static const struct cli_option tenant_options[] = {TENANT_OPTION};

static int run_list(struct cli *cli, const void *values, int arg_count, char **args)
{
    static const char *const names[] = {"ID",      "STATUS",  "SCOPES",     "LABEL",
                                        "CREATED", "EXPIRES", "RESTRICTED", NULL};
    yyjson_val *root = NULL, *key;
    struct px_str text;
    struct table table;
    size_t i, n;
    struct px_str path = path_of(cli, tenant_of(values, arg_count > 0 ? args[0] : NULL), NULL);
    int exit = call(cli, "GET", path, (struct px_str){0}, &root, &text);
    if (exit != CLI_OK) return exit;
    if (cli->json) {
        (void)fprintf(cli->out, "%.*s\n", PX_FMT(text));
        return CLI_OK;
    }
    int r = table_init(&table, &cli->arena, names);
    px_json_arr_foreach(px_json_arr(root, "keys"), i, n, key)
    {
        struct px_str *row = r == 0 ? table_row(&table) : NULL;
        if (!row) return cli_fault(cli, PX_F_OOM, "list of keys");
        row[0] = px_json_str(key, "id");
        row[1] = px_json_str(key, "status");
        row[2] = scopes_of(cli, key);
        row[3] = px_json_str(key, "label");
        row[4] = px_json_str(key, "created");
        row[5] = px_json_str(key, "expires");
        row[6] = table_cell(&cli->arena, yyjson_obj_get(key, "restriction"));
    }
    table_print(&table, table_terminal_width(cli->out), cli->out);
    return CLI_OK;
}

static const struct cli_verb list = {
    .name = "list",
    .arguments = "[TENANT]",
    .summary = "list a tenant's keys",
    CLI_OPTIONS(tenant_options),
    .values_bytes = sizeof(struct key_values),
    .args_max = 1,
    .run = run_list,
};

/* A whole key is accepted where its id is wanted: it is what people have at hand. */
static const char *id_of(struct cli *cli, const char *text)
{
    struct px_str id = px_str_c(text);
    if (px_str_starts(id, S("prism_")) && id.len > 22) id = px_str(id.ptr + 6, 16);
    return px_arena_cstr(&cli->arena, id);
}

static int run_revoke(struct cli *cli, const void *values, int arg_count, char **args)
{
    yyjson_val *root = NULL;
    struct px_str text;
    const char *tenant = tenant_of(values, arg_count > 1 ? args[0] : NULL);
    const char *id = id_of(cli, args[arg_count - 1]);
    if (!id) return cli_fault(cli, PX_F_OOM, "key");
    int exit = call(cli, "DELETE", path_of(cli, tenant, id), (struct px_str){0}, &root, &text);
    if (exit != CLI_OK) return exit;
    if (cli->json)
        (void)fprintf(cli->out, "%.*s\n", PX_FMT(text));
    else
        (void)fprintf(cli->out, "revoked key %s of tenant %s\n", id, tenant);
    return CLI_OK;
}

static const struct cli_verb revoke_verb = {
    .name = "revoke",
    .arguments = "[TENANT] KEY_ID",
    .summary = "end a key",
    CLI_OPTIONS(tenant_options),
    .values_bytes = sizeof(struct key_values),
    .args_min = 1,
    .args_max = 2,
    .run = run_revoke,
};

static const struct cli_verb *const verbs[] = {&create, &list, &revoke_verb, NULL};
const struct cli_verb verb_key = {
    .name = "key",
    .arguments = "VERB ...",
    .summary = "create, list and revoke API keys",
    .verbs = verbs,
};
