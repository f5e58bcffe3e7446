/* cli/audit_log.c - see audit_log.h. */
#include "cli/audit_log.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cli/own_store.h"

#define PAGE_ENTRIES 64u
#define SERVED_ENTRIES 1000u
#define CALL_TIMEOUT_MS 60000

void audit_log_close(struct audit_log *log)
{
    table_store_close(&log->tables);
    remote_close(&log->remote);
}

int audit_log_open(struct cli *cli, const struct audit_log_where *where, struct audit_log *ret_log)
{
    struct px_str url = px_str_c(where->store);
    bool own = !where->store && !where->environment;
    int exit = CLI_OK;
    *ret_log = (struct audit_log){.cli = cli};
    if (where->store && where->environment)
        return cli_fail(cli, CLI_USAGE, "--store or --environment, not both");
    if (where->environment)
        url = px_arena_printf(&cli->arena, "dynamodb://prism-%s", where->environment);
    if (own) exit = own_store_url(cli, "tables.db", "dynamodb", "tables", &url);
    if (exit != CLI_OK) return exit;
    if (own && !where->tables && remote_is_running(cli))
        return remote_open(cli, "admin.key", CALL_TIMEOUT_MS, &ret_log->remote);
    int r = table_store_open(url, NULL, &ret_log->tables);
    return r == 0 ? CLI_OK : cli_fault(cli, r, "%.*s", PX_FMT(url));
}

/* ---- chains ---- */

static int served_page(struct audit_log *log, struct px_str after, yyjson_val **ret_root)
{
    struct px_arena *arena = &log->cli->arena;
    struct px_str text;
    const struct remote_call call = {
        .method = "GET",
        .path = px_arena_printf(arena, "/v1/admin/audit?limit=%u%s%.*s", SERVED_ENTRIES,
                                after.len > 0 ? "&after=" : "",
                                PX_FMT(remote_encode(arena, after)))};
    if (!call.path.ptr) return cli_fault(log->cli, PX_F_OOM, "the audit log");
    return remote_json(&log->remote, &call, ret_root, &text);
}

static int compare_chains(const void *a, const void *b)
{
    const struct audit_log_chain *one = a, *other = b;
    return px_str_cmp(one->name, other->name);
}

static int served_chains(struct audit_log *log)
{
    struct px_arena *arena = &log->cli->arena;
    struct audit_log_chain *list = NULL;
    struct px_str after = {0};
    size_t count = 0;
    do {
        yyjson_val *root = NULL, *chain;
        size_t i, n;
        int exit = served_page(log, after, &root);
        if (exit != CLI_OK) return exit;
        yyjson_val *chains = px_json_arr(root, "chains");
        size_t room = count + yyjson_arr_size(chains) + 1;
        list = px_arena_realloc(arena, list, count * sizeof *list, room * sizeof *list);
        if (!list) return cli_fault(log->cli, PX_F_OOM, "the audit log");
        px_json_arr_foreach(chains, i, n, chain)
        {
            int64_t seq = px_json_i64(chain, "seq", 0);
            list[count++] = (struct audit_log_chain){px_json_str(chain, "chain"),
                                                     seq > 0 ? (uint64_t)seq : 0};
        }
        after = px_json_str(root, "next");
    } while (after.len > 0);
    qsort(list, count, sizeof *list, compare_chains);
    log->chains = list;
    log->chain_count = count;
    return CLI_OK;
}

static int stored_chains(struct audit_log *log)
{
    struct px_arena *arena = &log->cli->arena;
    struct px_str *names = NULL;
    int r = audit_chains(log->tables, arena, &names, &log->chain_count);
    if (r == 0) {
        log->chains = px_arena_zalloc_array(arena, sizeof *log->chains, log->chain_count + 1);
        if (!log->chains) r = px_arena_fault(arena);
    }
    if (r != 0) return cli_fault(log->cli, r, "the audit log");
    for (size_t i = 0; i < log->chain_count; i++) log->chains[i].name = names[i];
    return CLI_OK;
}

static bool is_asked(struct px_str chain, const char *argument)
{
    struct px_str asked = px_str_c(argument), rest = chain, region;
    if (asked.len == 0 || px_str_eq(chain, asked)) return true;
    (void)px_str_cut(&rest, '/', &region);
    return px_str_eq(rest, asked);
}

int audit_log_choose(struct audit_log *log, const char *argument)
{
    size_t kept = 0;
    int exit = log->tables ? stored_chains(log) : served_chains(log);
    if (exit != CLI_OK) return exit;
    for (size_t i = 0; i < log->chain_count; i++)
        if (is_asked(log->chains[i].name, argument)) log->chains[kept++] = log->chains[i];
    log->chain_count = kept;
    if (kept > 0 || !argument) return CLI_OK;
    return cli_fail(log->cli, CLI_REFUSED, "no administrative call was ever made about '%s'",
                    argument);
}

int audit_log_last(struct audit_log *log, const struct audit_log_chain *chain, uint64_t *ret_seq)
{
    struct audit_head head = {.seq = chain->last};
    int r = log->tables ? audit_head_read(log->tables, chain->name, &head) : 0;
    if (r != 0) return cli_fault(log->cli, r, "chain %.*s", PX_FMT(chain->name));
    *ret_seq = head.seq;
    return CLI_OK;
}

/* ---- entries ---- */

static struct px_str entries_path(struct audit_log *log, struct px_str chain, uint64_t after)
{
    struct px_arena *arena = &log->cli->arena;
    struct px_str tenant = chain, region;
    (void)px_str_cut(&tenant, '/', &region);
    return px_arena_printf(arena, "/v1/admin/audit/%.*s?region=%.*s&limit=%u&after=%" PRIu64,
                           PX_FMT(remote_encode(arena, tenant)),
                           PX_FMT(remote_encode(arena, region)), SERVED_ENTRIES, after);
}

static int read_lines(struct px_str body, struct px_arena *arena, struct audit_page *page)
{
    size_t room = 0;
    for (size_t i = 0; i < body.len; i++) room += body.ptr[i] == '\n';
    page->entries = px_arena_array(arena, struct audit_entry, room + 1);
    page->texts = px_arena_array(arena, struct px_str, room + 1);
    if (!page->entries || !page->texts) return px_arena_fault(arena);
    while (body.len > 0 && page->count < room) {
        struct px_str line;
        (void)px_str_cut(&body, '\n', &line);
        struct px_str kept = px_arena_dup(arena, line);
        if (!kept.ptr) return px_arena_fault(arena);
        PX_TRY(audit_entry_read(kept, arena, &page->entries[page->count]));
        page->texts[page->count++] = kept;
    }
    return 0;
}

static int served_read(struct audit_log *log, struct px_str chain, uint64_t after,
                       struct px_arena *arena, struct audit_page *page)
{
    struct http_response response = {0};
    const struct remote_call call = {
        .method = "GET", .path = entries_path(log, chain, after), .accept = "application/x-ndjson"};
    if (!call.path.ptr) return cli_fault(log->cli, PX_F_OOM, "the audit log");
    int exit = remote_run(&log->remote, &call, &response);
    if (exit != CLI_OK) return exit;
    int r = read_lines(response.body, arena, page);
    return r == 0 ? CLI_OK : cli_fault(log->cli, r, "chain %.*s", PX_FMT(chain));
}

int audit_log_read(struct audit_log *log, struct px_str chain, uint64_t after,
                   struct px_arena *arena, struct audit_page *ret_page)
{
    *ret_page = (struct audit_page){0};
    if (!log->tables) return served_read(log, chain, after, arena, ret_page);
    int r = audit_read(log->tables, chain, after, PAGE_ENTRIES, arena, &ret_page->entries,
                       &ret_page->texts, &ret_page->count);
    return r == 0 ? CLI_OK : cli_fault(log->cli, r, "chain %.*s", PX_FMT(chain));
}
