/* svc/security/authorizer.c - from a request's key to the caller's context. */
#include "svc/security/authorizer.h"

#include <openssl/sha.h>

#include "base/px_id.h"
#include "base/px_json.h"
#include "observe/observe.h"
#include "svc/sharding/registry.h"

/* arn:aws:execute-api:<region>:<account>:<api>/<stage>/<method>/<path> up to and with the stage. */
static bool stage_of(struct px_str method_arn, struct px_str *ret_stage)
{
    if (!px_str_starts(method_arn, S("arn:"))) return false;
    size_t slashes = 0;
    for (size_t i = 0; i < method_arn.len; i++) {
        if (method_arn.ptr[i] != '/' || ++slashes < 2) continue;
        *ret_stage = px_str(method_arn.ptr, i);
        return true;
    }
    return false;
}

static struct px_str header_of(yyjson_val *headers, struct px_str name)
{
    size_t i, n;
    yyjson_val *key, *val;
    px_json_obj_foreach(headers, i, n, key, val)
    {
        if (px_str_ieq(px_json_val_str(key), name)) return px_json_val_str(val);
    }
    return (struct px_str){0};
}

/* The scheme is case-insensitive (RFC 9110 section 11.1). */
static struct px_str bearer_of(struct px_str authorization)
{
    struct px_str rest = px_str_trim(authorization), scheme;
    if (!px_str_cut(&rest, ' ', &scheme) || !px_str_ieq(scheme, S("bearer")))
        return (struct px_str){0};
    return px_str_trim(rest);
}

static struct px_str key_of(yyjson_val *event)
{
    if (px_str_eq(px_json_str(event, "type"), S("TOKEN")))
        return bearer_of(px_json_str(event, "authorizationToken"));
    yyjson_val *headers = px_json_obj(event, "headers");
    struct px_str authorization = header_of(headers, S("authorization"));
    if (authorization.len > 0) return bearer_of(authorization);
    return px_str_trim(header_of(headers, S("x-api-key")));
}

static void write_policy(struct px_buf *buf, const struct tenant *tenant, const char *effect,
                         struct px_str resource)
{
    px_buf_add_c(buf, "{\"principalId\":");
    px_buf_add_json_str(buf, tenant->name);
    px_buf_printf(buf,
                  ",\"policyDocument\":{\"Version\":\"2012-10-17\",\"Statement\":[{\"Action\":"
                  "\"execute-api:Invoke\",\"Effect\":\"%s\",\"Resource\":[",
                  effect);
    px_buf_add_json_str(buf, resource);
    px_buf_add_c(buf, "]}]}");
}

static void write_usage_key(struct px_buf *buf, struct px_str environment, struct px_str tenant)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    char hex[2 * SHA256_DIGEST_LENGTH + 1];
    SHA256_CTX sha;
    SHA256_Init(&sha);
    SHA256_Update(&sha, environment.ptr, environment.len);
    SHA256_Update(&sha, "/", 1);
    SHA256_Update(&sha, tenant.ptr, tenant.len);
    SHA256_Final(digest, &sha);
    px_hex(digest, sizeof digest, hex);
    px_buf_printf(buf, ",\"usageIdentifierKey\":\"prism%s\"", hex);
}

static void write_context(struct px_buf *buf, const struct tenant *tenant,
                          const struct key_info *key)
{
    const struct {
        const char *name;
        struct px_str value;
    } texts[] = {
        {"tenant", tenant->name},
        {"key_id", key->id},
        {"scopes", key_scopes_text(key->scopes)},
        {"tier", tenant->tier},
        {"home_region", tenant->home_region},
        {"shard", tenant->shard},
    };
    px_buf_add_c(buf, ",\"context\":{");
    for (size_t i = 0; i < PX_COUNT(texts); i++) {
        px_buf_printf(buf, "\"%s\":", texts[i].name);
        px_buf_add_json_str(buf, texts[i].value);
        px_buf_add_char(buf, ',');
    }
    if (!px_str_eq(tenant->quotas_json, S("{}"))) { /* a context holds texts only */
        px_buf_add_c(buf, "\"quotas\":");
        px_buf_add_json_str(buf, tenant->quotas_json);
        px_buf_add_char(buf, ',');
    }
    px_buf_printf(buf, "\"epoch\":\"%lld\"}", (long long)tenant->epoch);
}

static int unauthorized(const struct lambda_event *event)
{
    event->reply->error_type = S("Unauthorized");
    event->reply->error_message = S("Unauthorized"); /* exactly this makes API Gateway answer 401 */
    return LAMBDA_ERROR;
}

static int decide(const struct authorizer *authorizer, const struct lambda_event *event,
                  yyjson_val *doc, struct px_str stage)
{
    struct key_info key;
    struct tenant tenant;
    int r = keys_verify(&authorizer->keys, key_of(doc), event->arena, &key);
    if (r > 0) return unauthorized(event);
    PX_TRY(r);
    observe_tenant(key.tenant);
    r = registry_get(&authorizer->registry, key.tenant, event->arena, &tenant);
    if (r == REGISTRY_ABSENT || (r == 0 && tenant.status == TENANT_DELETED))
        return unauthorized(event);
    PX_TRY(r);

    struct px_str resource = px_arena_printf(event->arena, "%.*s/*", PX_FMT(stage));
    if (!resource.ptr) return px_arena_fault(event->arena);
    struct px_buf *body = event->reply->body;
    bool active = tenant.status == TENANT_ACTIVE;
    write_policy(body, &tenant, active ? "Allow" : "Deny", resource);
    if (active) {
        write_context(body, &tenant, &key);
        write_usage_key(body, authorizer->environment, tenant.name);
    }
    px_buf_add_char(body, '}');
    PX_TRY(px_buf_fault(body));
    return 0;
}

int authorizer_handle(const struct authorizer *authorizer, const struct lambda_event *event)
{
    yyjson_val *doc = NULL;
    struct px_str stage;
    int r = px_json_parse(event->payload, event->arena, &doc, NULL);
    if (r < 0) PX_TRY(r);
    if (r > 0 || !stage_of(px_json_str(doc, "methodArn"), &stage)) {
        event->reply->error_type = S("InvalidEvent");
        event->reply->error_message = S("not an event of a Lambda authorizer");
        return LAMBDA_ERROR;
    }
    return decide(authorizer, event, doc, stage);
}
