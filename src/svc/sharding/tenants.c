/* svc/sharding/tenants.c - operations on tenants.
 *
 * Deleting: the status comes first, because the authorizer looks at it at every key; a crash before
 * the keys are revoked leaves keys of a deleted tenant, which open nothing, and repeating the request
 * ends them. */
#include "svc/sharding/tenants.h"

#include "svc/sharding/admin.h"
#include "svc/sharding/shards.h"

#define COLLECTION "/v1/admin/tenants"
#define ITEM "/v1/admin/tenants/{tenant}"
#define SHARDS "/v1/admin/shards"
#define SHARD "/v1/admin/shards/{shard}"
#define RECOUNT "/v1/admin/placement/recount"
#define PROPOSALS "/v1/admin/placement/proposals"
#define FORBIDDEN "this needs an admin key of the operator's tenant"
#define TAKEN "the name is taken; a deleted tenant's name is not given again"
#define NO_TENANT "no such tenant"
#define NOT_MEANT "epoch is the move's, and at this region: the step is meant for another"

static const struct admin_route routes[] = {
    {"POST", COLLECTION, "create", " name tier quotas shard ", "tenant.create", NULL},
    {"GET", COLLECTION, "list", NULL, NULL, NULL},
    {"GET", ITEM, "get", NULL, NULL, NULL},
    {"PATCH", ITEM, "change", " status tier quotas ", "tenant.change", NULL},
    {"DELETE", ITEM, "delete", NULL, "tenant.delete", NULL},
    {NULL, NULL, "ensure", " name tier quotas shard ", "tenant.ensure", NULL},
    {NULL, NULL, "move-begin", " to shard move ", "tenant.move", NULL},
    {NULL, NULL, "move-ready", " to shard ", NULL, NULL}, /* the same, for who has begun it */
    {NULL, NULL, "move-commit", " epoch shard ", NULL, NULL},
    {NULL, NULL, "move-abort", " epoch ", NULL, NULL},
    {NULL, NULL, "move-place", " epoch shard tier at ", NULL, NULL},
    {NULL, NULL, "move-vacate", " epoch at ", NULL, NULL},
    {"GET", SHARDS, "shards", " ", NULL, NULL},
    {"PATCH", SHARD, "shard", " shard kind state bounds ", "shard.change", NULL},
    {"POST", RECOUNT, "recount", " ", NULL, NULL},
    {NULL, NULL, "observe", " loads ", NULL, NULL},
    {"GET", PROPOSALS, "rebalance", " limit ", NULL, NULL},
};

struct operation {
    const struct tenants *tenants;
    const struct admin_request *request;
    struct px_arena *arena;
    struct admin_outcome *out;
};

static int answer(const struct operation *op, int status, const struct tenant *tenant)
{
    op->out->status = status;
    tenant_write(tenant, op->out->json);
    return 0;
}

/* A field that is there has the right type; a mistake must not pass as an absent field. */
static const char *refuse_types(yyjson_val *body)
{
    static const char *const texts[] = {"name", "tier", "shard", "status"};
    if (!body) return "a JSON object is needed as body";
    for (size_t i = 0; i < PX_COUNT(texts); i++) {
        yyjson_val *val = yyjson_obj_get(body, texts[i]);
        if (val && !yyjson_is_str(val)) return "name, tier, shard and status are text";
    }
    yyjson_val *quotas = yyjson_obj_get(body, "quotas");
    if (quotas && !yyjson_is_obj(quotas)) return "quotas is an object of whole numbers";
    return NULL;
}

static struct placement placement_of(const struct operation *op)
{
    return (struct placement){op->tenants->registry, op->tenants->shards};
}

static int refuse_place(const struct operation *op, int answer)
{
    if (answer == PLACEMENT_NO_SHARD)
        return admin_refuse(op->out, 400, "this region has no such shard");
    if (answer == PLACEMENT_FULL)
        return admin_refuse(
            op->out, 409,
            "no shard of this region may take it: all are full, closed or others' own");
    PX_ASSERT(answer == PLACEMENT_BUSY);
    return admin_refuse(op->out, 409, "too many tenants are placed at once; repeat");
}

/* *ret_why NULL: it has all that it needs here. */
static int enter(const struct operation *op, const struct tenant *tenant, const char **ret_why)
{
    const char *how = NULL;
    struct residence *residence = op->tenants->residence;
    *ret_why = NULL;
    int r = residence ? residence_enter(residence, tenant->name, tenant->shard, tenant->tier,
                                        op->arena, &how)
                      : 0;
    if (r != RESIDENCE_REFUSED) return r;
    struct px_str why = px_arena_printf(
        op->arena,
        "the tenant was made, its access point was not (%s): start workflow tenant-onboarding "
        "with {\"tenant\":\"%.*s\"}, which makes what is missing",
        how, PX_FMT(tenant->name));
    if (!why.ptr) return px_arena_fault(op->arena);
    *ret_why = why.ptr;
    return 0;
}

static int run_create(const struct operation *op)
{
    yyjson_val *body = op->request->body;
    const char *why = refuse_types(body);
    if (why) return admin_refuse(op->out, 400, why);
    struct tenant_spec spec = {
        .name = px_json_str(body, "name"),
        .home_region = op->tenants->registry.home.region,
        .shard = px_json_str(body, "shard"),
        .tier = px_json_str(body, "tier"),
        .quotas = px_json_obj(body, "quotas"),
    };
    const struct registry *registry = &op->tenants->registry;
    struct tenant tenant;
    const struct placement placement = placement_of(op);
    int r = placement_create(&placement, &spec, op->arena, &tenant, &why);
    if (r == REGISTRY_INVALID) return admin_refuse(op->out, 400, why);
    if (r == REGISTRY_EXISTS && px_str_eq(px_str_c(op->request->route->op), S("ensure"))) {
        PX_TRY(registry_get(registry, spec.name, op->arena, &tenant));
        if (tenant.status != TENANT_DELETED) return answer(op, 200, &tenant);
    }
    if (r == REGISTRY_EXISTS) return admin_refuse(op->out, 409, TAKEN);
    if (r >= PLACEMENT_FULL) return refuse_place(op, r);
    PX_TRY(r);
    if (!op->request
             ->direct) { /* a direct event is a step of tenant-onboarding itself, or its like */
        PX_TRY(enter(op, &tenant, &why));
        if (why) return admin_refuse(op->out, 500, why);
    }
    return answer(op, 201, &tenant);
}

static int run_list(const struct operation *op)
{
    struct tenant *list = NULL;
    size_t count = 0;
    PX_TRY(registry_list(&op->tenants->registry, op->request->after, op->request->limit, false,
                         op->arena, &list, &count));
    struct px_buf *json = op->out->json;
    px_buf_add_c(json, "{\"tenants\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) px_buf_add_char(json, ',');
        tenant_write(&list[i], json);
    }
    px_buf_add_char(json, ']');
    if (count == op->request->limit) {
        px_buf_add_c(json, ",\"next\":");
        px_buf_add_json_str(json, list[count - 1].name);
    }
    px_buf_add_char(json, '}');
    op->out->status = 200;
    return 0;
}

static int run_get(const struct operation *op)
{
    struct tenant tenant;
    int r = registry_get(&op->tenants->registry, op->request->tenant, op->arena, &tenant);
    if (r == REGISTRY_ABSENT) return admin_refuse(op->out, 404, NO_TENANT);
    PX_TRY(r);
    return answer(op, 200, &tenant);
}

/* The refusal names the home, and the change was refused for what stood there a moment ago. */
static int refuse_elsewhere(const struct operation *op)
{
    struct tenant tenant;
    int r = registry_get(&op->tenants->registry, op->request->tenant, op->arena, &tenant);
    if (r == REGISTRY_ABSENT) return admin_refuse(op->out, 404, NO_TENANT);
    PX_TRY(r);
    return admin_misdirected(op->out, tenant.home_region);
}

static int run_change(const struct operation *op)
{
    yyjson_val *body = op->request->body;
    const char *why = refuse_types(body);
    if (why) return admin_refuse(op->out, 400, why);
    struct tenant_change change = {
        .status = px_json_str(body, "status"),
        .tier = px_json_str(body, "tier"),
        .quotas = px_json_obj(body, "quotas"),
    };
    struct tenant tenant;
    int r = registry_change(&op->tenants->registry, op->request->tenant, &change, op->arena,
                            &tenant, &why);
    if (r == REGISTRY_ABSENT) return admin_refuse(op->out, 404, NO_TENANT);
    if (r == REGISTRY_ELSEWHERE) return refuse_elsewhere(op);
    if (r == REGISTRY_INVALID) return admin_refuse(op->out, 400, why);
    if (r == REGISTRY_CONFLICT)
        return admin_refuse(op->out, 409, "the tenant was changed meanwhile; read it and repeat");
    PX_TRY(r);
    return answer(op, 200, &tenant);
}

static int run_delete(const struct operation *op)
{
    struct tenant tenant;
    const char *why = NULL;
    const struct placement placement = placement_of(op);
    int r = placement_delete(&placement, op->request->tenant, op->arena, &tenant, &why);
    if (r == REGISTRY_ABSENT) return admin_refuse(op->out, 404, NO_TENANT);
    if (r == REGISTRY_ELSEWHERE) return refuse_elsewhere(op);
    if (r == REGISTRY_INVALID) return admin_refuse(op->out, 400, why);
    if (r == REGISTRY_CONFLICT)
        return admin_refuse(op->out, 409, "the tenant was changed meanwhile; repeat");
    if (r >= PLACEMENT_FULL) return refuse_place(op, r);
    PX_TRY(r);
    size_t revoked = 0;
    PX_TRY(op->tenants->revoke_keys(op->tenants->ctx, tenant.name, op->arena, &revoked));
    px_buf_add_c(op->out->json, "{\"name\":");
    px_buf_add_json_str(op->out->json, tenant.name);
    px_buf_printf(op->out->json,
                  ",\"status\":\"deleted\",\"keys_revoked\":%zu,\"detail\":"
                  "\"its keys ended now; its data is removed by the next runs of retain\"}",
                  revoked);
    op->out->status = 200;
    return 0;
}

/* ---- moves ---- */

static int answer_move(const struct operation *op, int r, const struct tenant *tenant,
                       const char *why)
{
    if (r == REGISTRY_ABSENT) return admin_refuse(op->out, 404, NO_TENANT);
    if (r == REGISTRY_ELSEWHERE) return refuse_elsewhere(op);
    if (r == REGISTRY_INVALID) return admin_refuse(op->out, 400, why);
    if (r == REGISTRY_CONFLICT && why) return admin_refuse(op->out, 412, why);
    if (r == REGISTRY_CONFLICT)
        return admin_refuse(op->out, 409, "the tenant was changed meanwhile; repeat");
    PX_TRY(r);
    return answer(op, 200, tenant);
}

static int run_move_begin(const struct operation *op)
{
    struct tenant tenant;
    const char *why = NULL;
    yyjson_val *body = op->request->body;
    int r = registry_move_begin(&op->tenants->registry, op->request->tenant,
                                px_json_str(body, "to"), px_json_str(body, "shard"), op->arena,
                                &tenant, &why);
    return answer_move(op, r, &tenant, why);
}

static int64_t epoch_of(const struct operation *op)
{
    return px_json_i64(op->request->body, "epoch", 0);
}

static int run_move_commit(const struct operation *op)
{
    struct tenant tenant;
    const char *why = NULL;
    if (epoch_of(op) < 1) return admin_refuse(op->out, 400, "epoch is the move's, as begun");
    const struct placement placement = placement_of(op);
    int r = placement_move_commit(&placement, op->request->tenant, epoch_of(op),
                                  px_json_str(op->request->body, "shard"), op->arena, &tenant,
                                  &why);
    if (r >= PLACEMENT_FULL) return refuse_place(op, r);
    return answer_move(op, r, &tenant, why);
}

static int run_move_abort(const struct operation *op)
{
    struct tenant tenant;
    const char *why = NULL;
    if (epoch_of(op) < 1) return admin_refuse(op->out, 400, "epoch is the move's, as begun");
    int r = registry_move_abort(&op->tenants->registry, op->request->tenant, epoch_of(op),
                                op->arena, &tenant, &why);
    return answer_move(op, r, &tenant, why);
}

/* ---- what a region has ready for who comes, and keeps of who left ---- */

/* A step that is meant for another region does nothing here. */
static bool is_meant(const struct operation *op)
{
    return px_str_eq(px_json_str(op->request->body, "at"), op->tenants->registry.home.region) &&
           epoch_of(op) >= 1;
}

static int refuse_residence(const struct operation *op, const char *how)
{
    struct px_str why = px_arena_printf(op->arena, "tenant-onboarding: %s", how);
    if (!why.ptr) return px_arena_fault(op->arena);
    return admin_refuse(op->out, 500, why.ptr);
}

static int run_move_place(const struct operation *op)
{
    struct px_str shard = {0};
    const char *how = NULL;
    yyjson_val *body = op->request->body;
    struct px_str tier = px_json_str(body, "tier");
    const struct placement placement = placement_of(op);
    if (!is_meant(op)) return admin_refuse(op->out, 400, NOT_MEANT);
    const struct tenant_spec spec = {.name = op->request->tenant,
                                     .home_region = placement.registry.home.region,
                                     .tier = tier.len > 0 ? tier : S("pooled"),
                                     .shard = px_json_str(body, "shard")};
    int r = registry_check(&spec, op->arena, &how);
    if (r == REGISTRY_INVALID) return admin_refuse(op->out, 400, how);
    PX_TRY(r);
    r = placement_expect(&placement, &spec, epoch_of(op), op->arena, &shard);
    if (r == PLACEMENT_FULL)
        return admin_refuse(op->out, 507,
                            "no shard of this region may take it: all are full, closed or others' "
                            "own");
    if (r == PLACEMENT_LATE) return admin_refuse(op->out, 412, "a later move of it is under way");
    if (r >= PLACEMENT_FULL) return refuse_place(op, r);
    PX_TRY(r);
    if (op->tenants->residence)
        r = residence_enter(op->tenants->residence, spec.name, shard, spec.tier, op->arena, &how);
    if (r == RESIDENCE_REFUSED) return refuse_residence(op, how);
    PX_TRY(r);
    px_buf_add_c(op->out->json, "{\"shard\":");
    px_buf_add_json_str(op->out->json, shard);
    px_buf_add_char(op->out->json, '}');
    op->out->status = 200;
    return 0;
}

static int run_move_vacate(const struct operation *op)
{
    const char *how = NULL;
    const struct placement placement = placement_of(op);
    if (!is_meant(op)) return admin_refuse(op->out, 400, NOT_MEANT);
    int r = placement_part(&placement, op->request->tenant, epoch_of(op), op->arena);
    bool stays = r == PLACEMENT_STAYS;
    if (stays) r = 0;
    if (r >= PLACEMENT_FULL) return refuse_place(op, r);
    PX_TRY(r);
    if (!stays && op->tenants->residence) {
        r = residence_leave(op->tenants->residence, op->request->tenant, op->arena, &how);
        if (r == RESIDENCE_REFUSED) return refuse_residence(op, how);
        PX_TRY(r);
    }
    if (!stays) PX_TRY(placement_parted(&placement, op->request->tenant, op->arena));
    px_buf_printf(op->out->json, "{\"vacated\":%s}", stays ? "false" : "true");
    op->out->status = 200;
    return 0;
}

static int run_shards(const struct operation *op)
{
    const struct placement placement = placement_of(op);
    return shards_run(&placement, op->request, op->arena, op->out);
}

static int run(void *ctx, const struct admin_request *request, struct px_arena *arena,
               struct admin_outcome *out)
{
    static int (*const runs[])(const struct operation *) = {
        run_create,     run_list,        run_get,        run_change,      run_delete,
        run_create,     run_move_begin,  run_move_begin, run_move_commit, run_move_abort,
        run_move_place, run_move_vacate, run_shards,     run_shards,      run_shards,
        run_shards,     run_shards,
    };
    static_assert(PX_COUNT(runs) == PX_COUNT(routes), "one for each route");
    bool reads_one = px_str_eq(px_str_c(request->route->op), S("get"));
    if (!admin_may(request, reads_one)) return admin_refuse(out, 403, FORBIDDEN);
    struct operation op = {ctx, request, arena, out};
    return runs[request->route - routes](&op);
}

static int state(void *ctx, const struct admin_request *request, struct px_arena *arena,
                 struct px_buf *json)
{
    const struct tenants *tenants = ctx;
    struct tenant tenant;
    if (strcmp(request->route->op, "shard") == 0) {
        const struct placement placement = {tenants->registry, tenants->shards};
        return shards_state(&placement, request->shard, arena, json);
    }
    if (request->tenant.len == 0) return 0;
    int r = registry_get(&tenants->registry, request->tenant, arena, &tenant);
    if (r == REGISTRY_ABSENT) return 0;
    PX_TRY(r);
    tenant_write(&tenant, json);
    return 0;
}

int tenants_handle(const struct tenants *tenants, const struct lambda_event *event)
{
    const struct admin_service service = {.routes = routes,
                                          .route_count = PX_COUNT(routes),
                                          .run = run,
                                          .state = state,
                                          .ctx = (void *)(uintptr_t)tenants,
                                          .audit = tenants->audit};
    return admin_serve(event, &service);
}
