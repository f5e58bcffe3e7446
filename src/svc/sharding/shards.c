/* svc/sharding/shards.c - see shards.h. */
#include "svc/sharding/shards.h"

#define BUSY "too many tenants are placed at once; repeat"

struct work {
    const struct placement *placement;
    const struct admin_request *request;
    struct px_arena *arena;
    struct admin_outcome *out;
};

static void add_shards(struct px_buf *json, const char *name, const struct shard *shards,
                       size_t count)
{
    px_buf_printf(json, "\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) px_buf_add_char(json, ',');
        shard_write(&shards[i], json);
    }
    px_buf_add_char(json, ']');
}

static int list(const struct work *work)
{
    struct shard *shards = NULL;
    size_t count = 0;
    PX_TRY(placement_shards(work->placement, work->arena, &shards, &count));
    px_buf_add_c(work->out->json, "{\"region\":");
    px_buf_add_json_str(work->out->json, work->placement->registry.home.region);
    px_buf_add_char(work->out->json, ',');
    add_shards(work->out->json, "shards", shards, count);
    px_buf_add_char(work->out->json, '}');
    work->out->status = 200;
    return 0;
}

/* A mistake must not pass as an absent field. */
static const char *refuse_change(yyjson_val *body)
{
    static const char *const texts[] = {"shard", "kind", "state"};
    for (size_t i = 0; i < PX_COUNT(texts); i++) {
        yyjson_val *val = yyjson_obj_get(body, texts[i]);
        if (val && !yyjson_is_str(val)) return "shard, kind and state are text";
    }
    yyjson_val *bounds = yyjson_obj_get(body, "bounds"), *key, *val;
    size_t i, n;
    if (bounds && !yyjson_is_obj(bounds)) return "bounds is an object";
    px_json_obj_foreach(bounds, i, n, key, val)
    {
        struct px_str name = px_json_val_str(key);
        bool known = px_str_eq(name, S("tenants")) || px_str_eq(name, S("bytes")) ||
                     px_str_eq(name, S("requests"));
        if (!known || !yyjson_is_uint(val) || yyjson_get_uint(val) > INT64_MAX)
            return "bounds are tenants, bytes and requests, whole numbers of 0 or more";
    }
    return NULL;
}

static int set(const struct work *work)
{
    yyjson_val *body = work->request->body, *bounds = px_json_obj(body, "bounds");
    struct px_str name = work->request->shard;
    const char *why = refuse_change(body);
    struct shard shard;
    if (!why && !work->request->direct && yyjson_obj_get(body, "shard"))
        why = "which shard stands in the path";
    if (why) return admin_refuse(work->out, 400, why);
    const struct shard_change change = {
        .kind = px_json_str(body, "kind"),
        .state = px_json_str(body, "state"),
        .bounds = {px_json_i64(bounds, "tenants", -1), px_json_i64(bounds, "bytes", -1),
                   px_json_i64(bounds, "requests", -1)},
    };
    int r = placement_set(work->placement, name, &change, work->arena, &shard, &why);
    if (r == PLACEMENT_NO_SHARD)
        return admin_refuse(work->out, 404, "this region has no such shard");
    if (r == REGISTRY_INVALID) return admin_refuse(work->out, 400, why);
    if (r == PLACEMENT_BUSY) return admin_refuse(work->out, 409, BUSY);
    PX_TRY(r);
    shard_write(&shard, work->out->json);
    work->out->status = 200;
    return 0;
}

static int recount(const struct work *work)
{
    struct shard *shards = NULL;
    size_t count = 0, mended = 0;
    int r = placement_recount(work->placement, work->arena, &mended);
    if (r == PLACEMENT_BUSY) return admin_refuse(work->out, 409, BUSY);
    PX_TRY(r);
    PX_TRY(placement_shards(work->placement, work->arena, &shards, &count));
    px_buf_printf(work->out->json, "{\"mended\":%zu,", mended);
    add_shards(work->out->json, "shards", shards, count);
    px_buf_add_char(work->out->json, '}');
    work->out->status = 200;
    return 0;
}

static int observe(const struct work *work)
{
    const char *why = NULL;
    yyjson_val *loads = yyjson_obj_get(work->request->body, "loads");
    int r = placement_observe(work->placement, loads, work->arena, &why);
    if (r == REGISTRY_INVALID) return admin_refuse(work->out, 400, why);
    PX_TRY(r);
    px_buf_printf(work->out->json, "{\"noted\":%zu}", yyjson_arr_size(loads));
    work->out->status = 200;
    return 0;
}

static int rebalance(const struct work *work)
{
    struct shard *shards = NULL;
    struct placed *placed = NULL;
    struct proposal *proposals = NULL;
    struct px_buf *json = work->out->json;
    size_t count = 0, tenants = 0, proposed = 0;
    PX_TRY(placement_shards(work->placement, work->arena, &shards, &count));
    PX_TRY(placement_tenants(work->placement, work->arena, &placed, &tenants));
    px_buf_add_char(json, '{');
    add_shards(json, "shards", shards, count);
    PX_TRY(rebalance_propose(shards, count, placed, tenants, work->request->limit, work->arena,
                             &proposals, &proposed));
    px_buf_add_c(json, ",\"proposals\":[");
    for (size_t i = 0; i < proposed; i++) {
        px_buf_add_c(json, i > 0 ? ",{\"tenant\":" : "{\"tenant\":");
        px_buf_add_json_str(json, proposals[i].tenant);
        px_buf_add_c(json, ",\"from\":");
        px_buf_add_json_str(json, proposals[i].from);
        px_buf_add_c(json, ",\"to\":");
        px_buf_add_json_str(json, proposals[i].to);
        px_buf_printf(json, ",\"why\":\"%s\"}", proposals[i].why);
    }
    px_buf_add_c(json, "],");
    add_shards(json, "after", shards, count);
    px_buf_add_char(json, '}');
    work->out->status = 200;
    return 0;
}

int shards_state(const struct placement *placement, struct px_str name, struct px_arena *arena,
                 struct px_buf *json)
{
    struct shard *shards = NULL;
    size_t count = 0;
    PX_TRY(placement_shards(placement, arena, &shards, &count));
    for (size_t i = 0; i < count; i++)
        if (px_str_eq(shards[i].name, name)) shard_write(&shards[i], json);
    return 0;
}

int shards_run(const struct placement *placement, const struct admin_request *request,
               struct px_arena *arena, struct admin_outcome *outcome)
{
    static const struct {
        const char *op;
        int (*run)(const struct work *work);
    } runs[] = {{"shards", list},
                {"shard", set},
                {"recount", recount},
                {"observe", observe},
                {"rebalance", rebalance}};
    const struct work work = {placement, request, arena, outcome};
    for (size_t i = 0; i < PX_COUNT(runs); i++)
        if (strcmp(runs[i].op, request->route->op) == 0) return runs[i].run(&work);
    return px_fault(PX_F_BUG, "no operation %s", request->route->op);
}
