/* cli/tenant_placement.c - `prism tenant placement|rebalance`: shards of the region, how full they are, and which moves would
 * help. Function tenants is asked by direct events, which only the owner of the data folder can send. */
#include "cli/remote.h"
#include "cli/table.h"
#include "cli/tenant.h"

#define CALL_TIMEOUT_MS 60000
#define TENANTS "/2015-03-31/functions/tenants/invocations"

static int ask(struct cli *cli, struct px_str event, yyjson_val **ret_root, struct px_str *ret_text)
{
    struct remote remote;
    struct http_response response;
    int exit = remote_open_control(cli, CALL_TIMEOUT_MS, &remote);
    if (exit != CLI_OK) return exit;
    const struct remote_call call = {.method = "POST", .path = S(TENANTS), .body = event};
    exit = remote_run(&remote, &call, &response);
    if (exit == CLI_OK) {
        struct px_str error = http_response_header(&response, S("X-Amz-Function-Error"));
        *ret_text = px_arena_dup(&cli->arena, response.body);
        if (!ret_text->ptr)
            exit = cli_fault(cli, PX_F_OOM, "the answer");
        else if (px_json_parse(*ret_text, &cli->arena, ret_root, NULL) != 0)
            exit = cli_fail(cli, CLI_REGION_ERROR, "function tenants answered no JSON");
        else if (error.len > 0)
            exit = cli_fail(cli, CLI_REFUSED, "refused: %.*s",
                            PX_FMT(px_json_str(*ret_root, "errorMessage")));
    }
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
    int exit = ask(cli, v->recount ? S("{\"op\":\"recount\"}") : S("{\"op\":\"shards\"}"), &root,
                   &text);
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
    int exit = ask(
        cli,
        px_arena_printf(&cli->arena, "{\"op\":\"rebalance\",\"limit\":%lld}", (long long)v->max),
        &root, &text);
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
