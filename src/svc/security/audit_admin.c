/* svc/security/audit_admin.c - see audit_admin.h. */
#include "svc/security/audit_admin.h"

#include <inttypes.h>

#include "svc/catalog/names.h"
#include "svc/sharding/admin.h"

#define CHAINS "/v1/admin/audit"
#define ENTRIES "/v1/admin/audit/{tenant}"
/* A line is doubled at worst, as text in an answer that Lambda takes 6 MB of. */
#define PAGE_BYTES_MAX ((size_t)2 << 20)
#define TURN_ENTRIES 16u /* 16 of the largest entries, parsed, are within what the function has */
#define TURN_BYTES_MAX ((size_t)48 << 20)
#define REGION_BYTES_MAX 64u

enum { LIST, READ };
static const struct admin_route routes[] = {
    [LIST] = {"GET", CHAINS, "chains", NULL, NULL, NULL},
    [READ] = {"GET", ENTRIES, "entries", NULL, NULL, NULL},
};

struct operation {
    const struct audit_admin *admin;
    const struct admin_request *request;
    struct px_arena *arena;
    struct admin_outcome *out;
};

/* ---- chains ---- */

static int add_chain(struct px_buf *json, const struct table_item *item)
{
    struct audit_head head = {0};
    char at[32];
    px_buf_add_c(json, "{\"chain\":");
    px_buf_add_json_str(json, item->partition);
    int r = audit_head_parse(item->document, &head);
    if (r != 0 && r != PX_F_CORRUPT) return r;
    px_buf_printf(json, ",\"seq\":%" PRIu64, head.seq);
    if (r == 0) { /* else it is spoilt, which verify tells of */
        (void)px_time_format(head.at_ns, 6, at);
        px_buf_printf(json, ",\"tip\":\"%s\",\"at\":\"%s\"", head.hash, at);
    }
    px_buf_add_char(json, '}');
    return 0;
}

static int run_chains(const struct operation *op)
{
    const struct table_query query = {.key = {.table = S(AUDIT_HEADS)},
                                      .after_partition = op->request->after,
                                      .max = op->request->limit};
    struct table_item *items = NULL;
    struct px_buf *json = op->out->json;
    size_t count = 0;
    if (op->request->after.len > AUDIT_CHAIN_BYTES_MAX)
        return admin_refuse(op->out, 400, "after is the chain that a page ended with");
    PX_TRY(table_query(op->admin->tables, &query, op->arena, &items, &count));
    px_buf_add_c(json, "{\"chains\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) px_buf_add_char(json, ',');
        PX_TRY(add_chain(json, &items[i]));
    }
    px_buf_add_char(json, ']');
    if (count == op->request->limit) {
        px_buf_add_c(json, ",\"next\":");
        px_buf_add_json_str(json, items[count - 1].partition);
    }
    px_buf_add_char(json, '}');
    op->out->status = 200;
    return 0;
}

/* ---- entries ---- */

static bool region_ok(struct px_str region)
{
    if (region.len == 0 || region.len > REGION_BYTES_MAX) return false;
    for (size_t i = 0; i < region.len; i++) {
        char c = region.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-') return false;
    }
    return true;
}

/* NULL, or what is wrong with the request. */
static const char *read_place(const struct operation *op, struct px_str *ret_chain,
                              uint64_t *ret_after)
{
    const struct admin_request *request = op->request;
    struct px_str region = request->region.ptr ? request->region : op->admin->region;
    if (!region.ptr || region.len == 0) region = S("local");
    if (request->region.ptr && !region_ok(request->region)) return "region is a region's name";
    if (!tenant_name_ok(request->tenant)) return "no tenant has such a name";
    *ret_after = 0;
    if (request->after.ptr &&
        (!px_str_to_u64(request->after, ret_after) || *ret_after > AUDIT_SEQ_MAX))
        return "after is the number of an entry";
    *ret_chain = px_arena_printf(op->arena, "%.*s/%.*s", PX_FMT(region), PX_FMT(request->tenant));
    return NULL;
}

/* Entries in turns, until there are as many as asked for or as much as a page holds; one at least, when there is one. */
static int add_entries(const struct operation *op, struct px_str chain, uint64_t after)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    struct px_buf *lines = op->out->json;
    size_t left = op->request->limit;
    px_arena_init(&arena, TURN_BYTES_MAX);
    while (left > 0) {
        struct audit_entry *entries = NULL;
        struct px_str *texts = NULL;
        size_t asked = PX_MIN(left, TURN_ENTRIES), count = 0;
        px_arena_reset(&arena);
        PX_TRY(
            audit_read(op->admin->tables, chain, after, asked, &arena, &entries, &texts, &count));
        for (size_t i = 0; i < count; i++) {
            if (lines->len > 0 && lines->len + texts[i].len > PAGE_BYTES_MAX) return 0;
            px_buf_add_str(lines, texts[i]);
            px_buf_add_char(lines, '\n');
        }
        if (count < asked) return 0;
        left -= count;
        after = entries[count - 1].seq;
    }
    return 0;
}

static int run_entries(const struct operation *op)
{
    struct px_str chain = {0};
    struct audit_head head;
    uint64_t after = 0;
    const char *why = read_place(op, &chain, &after);
    if (why) return admin_refuse(op->out, 400, why);
    if (!chain.ptr) return px_arena_fault(op->arena);
    if (op->request->direct) return admin_refuse(op->out, 400, "entries are read over HTTP");
    PX_TRY(add_entries(op, chain, after));
    if (op->out->json->len == 0) {
        int r = audit_head_read(op->admin->tables, chain, &head);
        if (r == 0 && head.seq == 0)
            return admin_refuse(op->out, 404, "no administrative call was ever made about it");
        if (r != PX_F_CORRUPT) PX_TRY(r);
    }
    op->out->content_type = "application/x-ndjson";
    op->out->status = 200;
    return 0;
}

/* ---- both ---- */

static int run(void *ctx, const struct admin_request *request, struct px_arena *arena,
               struct admin_outcome *out)
{
    static int (*const runs[])(const struct operation *) = {
        [LIST] = run_chains, [READ] = run_entries};
    static_assert(PX_COUNT(runs) == PX_COUNT(routes), "one for each route");
    const struct operation op = {ctx, request, arena, out};
    /* A tenant's chain holds the operator's addresses and keys, and cannot leave them out without ceasing to be one. */
    if (!admin_may(request, false))
        return admin_refuse(out, 403, "this needs an admin key of the operator's tenant");
    return runs[request->route - routes](&op);
}

int audit_admin_handle(const struct audit_admin *admin, const struct lambda_event *event)
{
    const struct admin_service service = {.routes = routes,
                                          .route_count = PX_COUNT(routes),
                                          .run = run,
                                          .ctx = (void *)(uintptr_t)admin};
    return admin_serve(event, &service);
}
