/* svc/security/key_admin.c - operations on keys. An admin key manages the keys of its own tenant, the
 * operator's those of every tenant. */
#include "svc/security/key_admin.h"

#include "svc/security/token_admin.h"
#include "svc/sharding/admin.h"

#define COLLECTION "/v1/admin/tenants/{tenant}/keys"
#define ITEM "/v1/admin/tenants/{tenant}/keys/{key_id}"

enum { ISSUE, LIST, REVOKE, TOKEN };
static const struct admin_route routes[] = {
    [ISSUE] = {"POST", COLLECTION, "issue", " scopes label expires restriction ", "key.issue",
               "key"},
    [LIST] = {"GET", COLLECTION, "list", NULL, NULL, NULL},
    [REVOKE] = {"DELETE", ITEM, "revoke", NULL, "key.revoke", NULL},
    [TOKEN] = {"POST", "/v1/tokens", "token", " scopes expires_in_s restriction ", "token.issue",
               "token"},
};

struct operation {
    const struct key_admin *admin;
    const struct admin_request *request;
    struct px_arena *arena;
    struct admin_outcome *out;
};

/* NULL, or what is wrong with the list. */
static const char *read_scopes(yyjson_val *list, unsigned *ret_scopes)
{
    static const char *const why = "scopes is a list of ingest, query, admin; at least one";
    if (!list) {
        *ret_scopes = KEY_INGEST | KEY_QUERY;
        return NULL;
    }
    unsigned scopes = 0;
    size_t i, n;
    yyjson_val *val;
    if (!yyjson_is_arr(list)) return why;
    px_json_arr_foreach(list, i, n, val)
    {
        enum key_scope scope;
        if (!yyjson_is_str(val) || !key_scope_parse(px_json_val_str(val), &scope)) return why;
        scopes |= scope;
    }
    *ret_scopes = scopes;
    return scopes ? NULL : why;
}

static const char *read_spec(const struct operation *op, struct key_spec *spec)
{
    yyjson_val *body = op->request->body;
    const char *why = read_scopes(yyjson_obj_get(body, "scopes"), &spec->scopes);
    if (why) return why;
    yyjson_val *label = yyjson_obj_get(body, "label");
    if (label && (!yyjson_is_str(label) || yyjson_get_len(label) > KEY_LABEL_BYTES_MAX))
        return "label is text of at most 128 bytes";
    spec->label = px_json_val_str(label);
    yyjson_val *expires = yyjson_obj_get(body, "expires");
    if (!expires) return NULL;
    if (!px_time_parse(px_json_val_str(expires), &spec->expires_ns))
        return "expires is an RFC 3339 time such as 2027-01-31T00:00:00Z";
    if (spec->expires_ns <= px_wall_ns(op->admin->keys.clock)) return "expires has passed already";
    return NULL;
}

/* 0, with a sentence in ret_why when it is refused: with admin, it could make a key that has none. */
static int read_restriction(const struct operation *op, struct key_spec *spec, const char **ret_why)
{
    struct restriction restriction;
    yyjson_val *value = yyjson_obj_get(op->request->body, "restriction");
    if (!value) return 0;
    if (spec->scopes & KEY_ADMIN) {
        *ret_why = "a key with a restriction has not the scope admin";
        return 0;
    }
    int r = key_restriction_take(value, spec->scopes, op->arena, &restriction, &spec->restriction,
                                 ret_why);
    return r > 0 ? 0 : r;
}

static int run_issue(const struct operation *op)
{
    struct key_spec spec = {.tenant = op->request->tenant};
    const char *why = read_spec(op, &spec);
    if (!why) PX_TRY(read_restriction(op, &spec, &why));
    if (why) return admin_refuse(op->out, 400, why);
    char text[KEY_TEXT_LEN + 1];
    struct key_info key;
    int r = keys_issue(&op->admin->keys, &spec, op->arena, text, &key);
    if (r == KEYS_TOO_MANY)
        return admin_refuse(op->out, 409, "the tenant has the greatest number of keys, 1000");
    PX_TRY(r);
    px_buf_printf(op->out->json, "{\"key\":\"%s\",", text);
    key_write_members(&key, op->out->json);
    px_buf_add_char(op->out->json, '}');
    secret_wipe(px_str(text, sizeof text));
    op->out->status = 201;
    return 0;
}

static int run_list(const struct operation *op)
{
    struct key_info *list = NULL;
    size_t count = 0;
    PX_TRY(keys_list(&op->admin->keys, op->request->tenant, op->arena, &list, &count));
    px_buf_add_c(op->out->json, "{\"keys\":[");
    for (size_t i = 0; i < count; i++) {
        px_buf_add_c(op->out->json, i > 0 ? ",{" : "{");
        key_write_members(&list[i], op->out->json);
        px_buf_add_char(op->out->json, '}');
    }
    px_buf_add_c(op->out->json, "]}");
    op->out->status = 200;
    return 0;
}

static int run_revoke(const struct operation *op)
{
    struct key_info key;
    int r = keys_revoke(&op->admin->keys, op->request->tenant, op->request->key_id, op->arena,
                        &key);
    if (r == KEYS_ABSENT) return admin_refuse(op->out, 404, "the tenant has no such key");
    PX_TRY(r);
    px_buf_add_char(op->out->json, '{');
    key_write_members(&key, op->out->json);
    px_buf_add_char(op->out->json, '}');
    op->out->status = 200;
    return 0;
}

static int run(void *ctx, const struct admin_request *request, struct px_arena *arena,
               struct admin_outcome *out)
{
    static int (*const runs[])(const struct operation *) = {
        [ISSUE] = run_issue, [LIST] = run_list, [REVOKE] = run_revoke};
    static_assert(PX_COUNT(runs) == TOKEN, "one for each route of keys");
    struct operation op = {ctx, request, arena, out};
    if (request->route == &routes[TOKEN]) return token_admin_issue(op.admin, request, arena, out);
    if (!admin_may(request, true))
        return admin_refuse(out, 403, "this needs an admin key of the tenant or of the operator");
    struct tenant tenant;
    int r = registry_get(&op.admin->registry, request->tenant, arena, &tenant);
    if (r == REGISTRY_ABSENT) return admin_refuse(out, 404, "no such tenant");
    PX_TRY(r);
    if (tenant.status == TENANT_DELETED) return admin_refuse(out, 404, "no such tenant");
    bool changes = request->route != &routes[LIST];
    if (changes && !home_owns(&op.admin->registry.home, tenant.home_region))
        return admin_misdirected(out, tenant.home_region);
    return runs[request->route - routes](&op);
}

/* The key that is named, before it is changed. */
static int state(void *ctx, const struct admin_request *request, struct px_arena *arena,
                 struct px_buf *json)
{
    const struct key_admin *admin = ctx;
    struct key_info key;
    if (request->key_id.len == 0) return 0;
    int r = keys_get(&admin->keys, request->tenant, request->key_id, arena, &key);
    if (r == KEYS_ABSENT) return 0;
    PX_TRY(r);
    px_buf_add_char(json, '{');
    key_write_members(&key, json);
    px_buf_add_char(json, '}');
    return 0;
}

int key_admin_handle(const struct key_admin *admin, const struct lambda_event *event)
{
    const struct admin_service service = {.routes = routes,
                                          .route_count = PX_COUNT(routes),
                                          .run = run,
                                          .state = state,
                                          .ctx = (void *)(uintptr_t)admin,
                                          .audit = admin->audit};
    return admin_serve(event, &service);
}
