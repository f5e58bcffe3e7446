/* svc/security/authorizer.c - from a request's key or token to the caller's context. */
#include "svc/security/authorizer.h"

#include <openssl/sha.h>

#include "base/px_id.h"
#include "base/px_json.h"
#include "lambda/restriction.h"
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

/* Who asks, by a key or by a token of one. */
struct shown {
    struct key_info key;
    unsigned scopes;
    struct px_str token; /* its id; empty: the key itself was shown */
    struct px_str restriction;
};

static void write_context(struct px_buf *buf, const struct tenant *tenant,
                          const struct shown *shown)
{
    const struct key_info *key = &shown->key;
    const struct {
        const char *name;
        struct px_str value;
    } texts[] = {
        {"tenant", tenant->name},
        {"key_id", key->id},
        {"scopes", key_scopes_text(shown->scopes)},
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
    const struct {
        const char *name;
        struct px_str value; /* empty: not there */
    } some[] = {
        {"quotas",
         px_str_eq(tenant->quotas_json, S("{}")) ? (struct px_str){0} : tenant->quotas_json},
        {"token", shown->token},
        {"restriction", shown->restriction},
    };
    for (size_t i = 0; i < PX_COUNT(some); i++) { /* a context holds texts only */
        if (some[i].value.len == 0) continue;
        px_buf_printf(buf, "\"%s\":", some[i].name);
        px_buf_add_json_str(buf, some[i].value);
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

/* Answers: REFUSED. Why is told to nobody. */
enum { REFUSED = 1 };

/* Answers: those of token_read(); no keys at all: nobody could have signed it. */
static int read_token(const struct authorizer *authorizer, struct px_str text,
                      struct px_arena *arena, struct token_claims *ret_claims)
{
    PX_AUTO(token_keys_wipe) struct token_keys keys = {0};
    struct token_trust trust = {.keys = &keys,
                                .now_s = px_wall_ns(authorizer->keys.clock) / PX_NS_PER_S};
    PX_TRY(token_audience(&authorizer->place, arena, &trust.audience));
    int r = token_keys_load(authorizer->keys.secrets, authorizer->place.secret, &keys);
    if (r == SECRET_ABSENT) return TOKEN_UNKNOWN_KEY;
    PX_TRY(r);
    return token_read(text, &trust, arena, ret_claims);
}

/* A token says less than its key, never more, whoever signed it: a key with the scope admin may issue what it could make
 * keys for. */
static int check_within(const struct token_claims *claims, const struct key_info *key,
                        struct px_arena *arena)
{
    const struct restriction *inner = NULL, *outer = NULL;
    if (!px_str_eq(claims->tenant, key->tenant) ||
        (!(key->scopes & KEY_ADMIN) && claims->scopes & ~key->scopes))
        return REFUSED;
    PX_TRY(restriction_read(key->restriction, arena, &outer));
    PX_TRY(restriction_read(claims->restriction, arena, &inner));
    return restriction_within(inner, outer) ? 0 : REFUSED;
}

static int show_token(const struct authorizer *authorizer, struct px_str text,
                      struct px_arena *arena, struct shown *ret_shown)
{
    struct token_claims claims;
    int r = read_token(authorizer, text, arena, &claims);
    if (r == TOKEN_UNKNOWN_KEY && secret_doubt(authorizer->keys.secrets, authorizer->place.secret))
        r = read_token(authorizer, text, arena, &claims); /* of a key not seen here yet */
    if (r > 0) return REFUSED;
    PX_TRY(r);
    r = keys_find(&authorizer->keys, claims.key_id, arena, &ret_shown->key);
    if (r == 0) r = check_within(&claims, &ret_shown->key, arena);
    if (r > 0) return REFUSED;
    PX_TRY(r);
    ret_shown->scopes = claims.scopes;
    ret_shown->token = claims.id;
    ret_shown->restriction = claims.restriction;
    return 0;
}

static int show(const struct authorizer *authorizer, struct px_str text, struct px_arena *arena,
                struct shown *ret_shown)
{
    *ret_shown = (struct shown){0};
    if (token_is_like(text)) return show_token(authorizer, text, arena, ret_shown);
    int r = keys_verify(&authorizer->keys, text, arena, &ret_shown->key);
    if (r > 0) return REFUSED;
    PX_TRY(r);
    ret_shown->scopes = ret_shown->key.scopes;
    ret_shown->restriction = ret_shown->key.restriction;
    return 0;
}

static int decide(const struct authorizer *authorizer, const struct lambda_event *event,
                  yyjson_val *doc, struct px_str stage)
{
    struct shown shown;
    struct tenant tenant;
    int r = show(authorizer, key_of(doc), event->arena, &shown);
    if (r > 0) return unauthorized(event);
    PX_TRY(r);
    observe_tenant(shown.key.tenant);
    r = registry_get(&authorizer->registry, shown.key.tenant, event->arena, &tenant);
    if (r == REGISTRY_ABSENT || (r == 0 && tenant.status == TENANT_DELETED))
        return unauthorized(event);
    PX_TRY(r);

    struct px_str resource = px_arena_printf(event->arena, "%.*s/*", PX_FMT(stage));
    if (!resource.ptr) return px_arena_fault(event->arena);
    struct px_buf *body = event->reply->body;
    bool active = tenant.status == TENANT_ACTIVE;
    write_policy(body, &tenant, active ? "Allow" : "Deny", resource);
    if (active) {
        write_context(body, &tenant, &shown);
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
