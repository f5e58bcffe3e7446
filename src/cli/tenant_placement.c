/* cli/tenant_placement.c - `prism tenant placement|shard|rebalance`: shards of the region, how full they are, what they may take, and
 * which moves would help. A client of /v1/admin/shards and /v1/admin/placement. */
#include "cli/remote.h"
#include "cli/table.h"
#include "cli/tenant.h"

#define CALL_TIMEOUT_MS 60000

static int ask(struct cli *cli, const struct remote_call *call, yyjson_val **ret_root,
               struct px_str *ret_text)
{
    struct remote remote;
    if (!call->path.ptr) return cli_fault(cli, PX_F_OOM, "the call");
    int exit = remote_open(cli, "admin.key", CALL_TIMEOUT_MS, &remote);
    if (exit != CLI_OK) return exit;
    exit = remote_json(&remote, call, ret_root, ret_text);
    remote_close(&remote);
    return exit;
}

/* "3 of 2000", "3" without a bound */
static struct px_str of(struct cli *cli, yyjson_val *shard, const char *what)
{
    long long load = px_json_i64(px_json_obj(shard, "load"), what, 0);
    long long bound = px_json_i64(px_json_obj(shard, "bounds"), what, 0);
    if (bound == 0) return px_arena_printf(&cli->arena, "%lld", load);
    return px_arena_printf(&cli->arena, "%lld of %lld", load, bound);
}

static int print_shards(struct cli *cli, yyjson_val *shards)
{
    static const char *const names[] = {"SHARD",  "STATE",     "KIND",  "OWNER", ">TENANTS",
                                        ">BYTES", ">REQUESTS", ">FULL", NULL};
    struct table table;
    size_t i, n;
    yyjson_val *shard;
    PX_TRY(table_init(&table, &cli->arena, names));
    px_json_arr_foreach(shards, i, n, shard)
    {
        struct px_str *row = table_row(&table);
        if (!row) return px_arena_fault(&cli->arena);
        long long full = px_json_i64(shard, "fullness", 0);
        row[0] = px_json_str(shard, "shard");
        row[1] = px_json_str(shard, "state");
        row[2] = px_json_str(shard, "kind");
        row[3] = px_json_str(shard, "owner");
        row[4] = of(cli, shard, "tenants");
        row[5] = of(cli, shard, "bytes");
        row[6] = of(cli, shard, "requests");
        row[7] = px_arena_printf(&cli->arena, "%lld.%lld %%", full / 10, full % 10);
    }
    table_print(&table, table_terminal_width(cli->out), cli->out);
    return 0;
}

/* ---- placement ---- */

struct placement_values {
    bool recount;
};
static const struct cli_option placement_options[] = {
    {"recount", 'r', CLI_FLAG, offsetof(struct placement_values, recount), NULL,
     "count the tenants of each shard again, and add up their loads", NULL, 0, 0},
};

static int run_placement(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count, (void)args;
    const struct placement_values *v = values;
    yyjson_val *root = NULL;
    struct px_str text = {0};
    const struct remote_call shards = {.method = "GET", .path = S("/v1/admin/shards")};
    const struct remote_call recount = {.method = "POST", .path = S("/v1/admin/placement/recount")};
    int exit = ask(cli, v->recount ? &recount : &shards, &root, &text);
    if (exit != CLI_OK) return exit;
    if (cli->json) {
        (void)fprintf(cli->out, "%.*s\n", PX_FMT(text));
        return CLI_OK;
    }
    int r = print_shards(cli, px_json_arr(root, "shards"));
    if (r != 0) return cli_fault(cli, r, "table of shards");
    long long mended = px_json_i64(root, "mended", 0);
    if (v->recount && mended > 0)
        (void)fprintf(cli->err, "prism: the count of %lld shards was wrong and is mended\n",
                      mended);
    return CLI_OK;
}

const struct cli_verb verb_tenant_placement = {
    .name = "placement",
    .summary = "show the region's shards: tenants, load and bounds",
    CLI_OPTIONS(placement_options),
    .values_bytes = sizeof(struct placement_values),
    .run = run_placement,
};

/* ---- shard ---- */

struct shard_values {
    const char *state, *kind;
    int64_t tenants, bytes, requests;
};
static const struct cli_option shard_options[] = {
    {"state", 's', CLI_TEXT, offsetof(struct shard_values, state), "STATE",
     "a closed one takes nobody, and those who are there stay", "open closed", 0, 0},
    {"kind", 'k', CLI_TEXT, offsetof(struct shard_values, kind), "KIND", "which tiers may come",
     "any pooled dedicated", 0, 0},
    {"tenants", 't', CLI_NUMBER, offsetof(struct shard_values, tenants), "N",
     "it takes at most so many tenants", NULL, 0, 0},
    {"bytes", 'b', CLI_BYTES, offsetof(struct shard_values, bytes), "N",
     "of so many bytes stored; 0: no bound", NULL, 0, 0},
    {"requests", 'r', CLI_NUMBER, offsetof(struct shard_values, requests), "N",
     "and so many requests a day; 0: no bound", NULL, 0, 0},
};
static const struct shard_values shard_defaults = {.tenants = -1, .bytes = -1, .requests = -1};

static void add_text(struct px_buf *body, const char *name, const char *text)
{
    if (!text) return;
    px_buf_printf(body, "%s\"%s\":", body->len > 1 ? "," : "", name);
    px_buf_add_json_str(body, px_str_c(text));
}

static void add_bounds(struct px_buf *body, const struct shard_values *v)
{
    const struct {
        const char *name;
        int64_t bound;
    } all[] = {{"tenants", v->tenants}, {"bytes", v->bytes}, {"requests", v->requests}};
    size_t count = 0;
    for (size_t i = 0; i < PX_COUNT(all); i++) {
        if (all[i].bound < 0) continue;
        if (count++ == 0) px_buf_printf(body, "%s\"bounds\":{", body->len > 1 ? "," : "");
        px_buf_printf(body, "%s\"%s\":%lld", count > 1 ? "," : "", all[i].name,
                      (long long)all[i].bound);
    }
    if (count > 0) px_buf_add_char(body, '}');
}

static int run_shard(struct cli *cli, const void *values, int arg_count, char **args)
{
    const struct shard_values *v = values;
    yyjson_val *root = NULL;
    struct px_str text = {0}, name = remote_encode(&cli->arena, px_str_c(args[0]));
    PX_AUTO(px_buf_deinit) struct px_buf body;
    (void)arg_count;
    px_buf_init(&body, 65536);
    px_buf_add_char(&body, '{');
    add_text(&body, "state", v->state);
    add_text(&body, "kind", v->kind);
    add_bounds(&body, v);
    if (body.len == 1)
        return cli_fail(cli, CLI_USAGE, "say what of %s is to change: see prism tenant placement",
                        args[0]);
    px_buf_add_char(&body, '}');
    if (px_buf_fault(&body)) return cli_fault(cli, px_buf_fault(&body), "the call");
    const struct remote_call call = {
        .method = "PATCH",
        .path = px_arena_printf(&cli->arena, "/v1/admin/shards/%.*s", PX_FMT(name)),
        .body = px_buf_str(&body)};
    int exit = ask(cli, &call, &root, &text);
    if (exit == CLI_OK) (void)fprintf(cli->out, "%.*s\n", PX_FMT(text));
    return exit;
}

const struct cli_verb verb_tenant_shard = {
    .name = "shard",
    .arguments = "SHARD",
    .summary = "change which tenants a shard takes, and how many",
    CLI_OPTIONS(shard_options),
    .defaults = &shard_defaults,
    .values_bytes = sizeof(struct shard_values),
    .args_min = 1,
    .args_max = 1,
    .run = run_shard,
};

/* ---- rebalance ---- */

struct rebalance_values {
    bool dry_run;
    int64_t max;
};
static const struct cli_option rebalance_options[] = {
    {"dry-run", 'd', CLI_FLAG, offsetof(struct rebalance_values, dry_run), NULL,
     "only propose; needed, because a move is a migration that somebody starts", NULL, 0, 0},
    {"max", 'm', CLI_NUMBER, offsetof(struct rebalance_values, max), "N",
     "at most so many moves (default 100)", NULL, 1, 1000},
};
static const struct rebalance_values rebalance_defaults = {.max = 100};

static int print_proposals(struct cli *cli, yyjson_val *proposals)
{
    static const char *const names[] = {"TENANT", "FROM", "TO", "WHY", NULL};
    static const char *const fields[] = {"tenant", "from", "to", "why"};
    struct table table;
    size_t i, n;
    yyjson_val *proposal;
    PX_TRY(table_init(&table, &cli->arena, names));
    px_json_arr_foreach(proposals, i, n, proposal)
    {
        struct px_str *row = table_row(&table);
        if (!row) return px_arena_fault(&cli->arena);
        for (size_t k = 0; k < PX_COUNT(fields); k++) row[k] = px_json_str(proposal, fields[k]);
    }
    table_print(&table, table_terminal_width(cli->out), cli->out);
    return 0;
}

static int run_rebalance(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count, (void)args;
    const struct rebalance_values *v = values;
    yyjson_val *root = NULL;
    struct px_str text = {0};
    if (!v->dry_run)
        return cli_fail(cli, CLI_USAGE, "rebalance only proposes moves: give --dry-run");
    const struct remote_call call = {
        .method = "GET",
        .path = px_arena_printf(&cli->arena, "/v1/admin/placement/proposals?limit=%lld",
                                (long long)v->max)};
    int exit = ask(cli, &call, &root, &text);
    if (exit != CLI_OK) return exit;
    yyjson_val *proposals = px_json_arr(root, "proposals");
    if (cli->json)
        (void)fprintf(cli->out, "%.*s\n", PX_FMT(text));
    else if (yyjson_arr_size(proposals) == 0)
        (void)fprintf(cli->out, "the shards are even enough; nothing to move\n");
    else {
        int r = print_proposals(cli, proposals);
        if (r != 0) return cli_fault(cli, r, "table of proposals");
    }
    return CLI_OK;
}

const struct cli_verb verb_tenant_rebalance = {
    .name = "rebalance",
    .summary = "propose moves of tenants between shards; nothing is moved",
    CLI_OPTIONS(rebalance_options),
    .defaults = &rebalance_defaults,
    .values_bytes = sizeof(struct rebalance_values),
    .run = run_rebalance,
};
