/* svc/security/token_admin.c - see token_admin.h. */
#include "svc/security/token_admin.h"

#include "base/px_id.h"
#include "lambda/restriction.h"

struct wish {
    unsigned scopes;
    int64_t life_s;
    struct px_str restriction; /* JSON; empty: none */
};

static unsigned scopes_of(struct px_str text)
{
    unsigned scopes = 0;
    while (text.len > 0) {
        struct px_str word;
        enum key_scope scope;
        (void)px_str_cut(&text, ' ', &word);
        if (key_scope_parse(word, &scope)) scopes |= scope;
    }
    return scopes;
}

/* ---- what is asked; NULL, or what is wrong with it ---- */

static const char *read_scopes(yyjson_val *list, unsigned own, unsigned *ret_scopes)
{
    static const char *const why = "scopes is a list of ingest and query; at least one";
    unsigned scopes = 0;
    size_t i, n;
    yyjson_val *val;
    if (!list) { /* all that it has */
        *ret_scopes = own & ~(unsigned)KEY_ADMIN;
        return *ret_scopes ? NULL : "scopes are needed: the key has none that a token may have";
    }
    if (!yyjson_is_arr(list)) return why;
    px_json_arr_foreach(list, i, n, val)
    {
        enum key_scope scope;
        if (!yyjson_is_str(val) || !key_scope_parse(px_json_val_str(val), &scope) ||
            scope == KEY_ADMIN)
            return why;
        scopes |= scope;
    }
    *ret_scopes = scopes;
    return scopes ? NULL : why;
}

/* What the key is restricted to and what is asked for, both. 0, with a sentence in ret_why when it is refused. */
static int read_restriction(yyjson_val *value, struct px_str own_json, struct px_arena *arena,
                            struct wish *wish, const char **ret_why)
{
    const struct restriction *own = NULL;
    struct restriction asked = {0};
    PX_TRY(restriction_read(own_json, arena, &own));
    wish->restriction = own_json;
    if (!value) return 0;
    int r = key_restriction_take(value, wish->scopes, arena, &asked, &wish->restriction, ret_why);
    if (r == RESTRICTION_INVALID) return 0;
    PX_TRY(r);
    if (!own) return 0;
    r = restriction_narrow(own, &asked, arena, &wish->restriction);
    if (r == RESTRICTION_WIDER) *ret_why = "the key is restricted to other datasets";
    if (r == RESTRICTION_INVALID)
        *ret_why = "with the conditions of the key there are more than 8, or 2048 bytes";
    return r > 0 ? 0 : r;
}

static const char *read_wish(yyjson_val *body, unsigned own, struct wish *ret_wish)
{
    yyjson_val *life = yyjson_obj_get(body, "expires_in_s");
    ret_wish->life_s = life ? yyjson_get_sint(life) : TOKEN_LIFE_S_DEFAULT;
    if ((life && !yyjson_is_int(life)) || ret_wish->life_s < 1 ||
        ret_wish->life_s > TOKEN_LIFE_S_MAX)
        return "expires_in_s is 1 to 86400 seconds";
    return read_scopes(yyjson_obj_get(body, "scopes"), own, &ret_wish->scopes);
}

/* ---- the token ---- */

/* What signs; made where there is none yet, as on a machine whose first rotation is still to come. */
static int load_keys(const struct key_admin *admin, struct token_keys *ret_keys)
{
    struct secret_store *secrets = admin->keys.secrets;
    struct px_str name = admin->place.secret;
    int r = token_keys_load(secrets, name, ret_keys);
    if (r != SECRET_ABSENT) return r;
    PX_AUTO(px_buf_deinit_wiped) struct px_buf value;
    px_buf_init(&value, 64 * 1024);
    PX_TRY(token_keys_add(NULL, px_wall_ns(admin->keys.clock), &value));
    r = secret_create(secrets, name, px_buf_str(&value));
    if (r != SECRET_TAKEN) PX_TRY(r); /* taken: another was quicker, and its key is the one */
    (void)secret_doubt(secrets, name);
    r = token_keys_load(secrets, name, ret_keys);
    return r == SECRET_ABSENT ? px_fault(PX_F_BUSY, "no key to sign tokens with yet") : r;
}

static void write_answer(const struct token_claims *claims, struct px_str token,
                         struct px_buf *json)
{
    char until[32];
    px_buf_add_c(json, "{\"token\":");
    px_buf_add_json_str(json, token);
    px_buf_add_c(json, ",\"id\":");
    px_buf_add_json_str(json, claims->id);
    px_buf_add_c(json, ",\"tenant\":");
    px_buf_add_json_str(json, claims->tenant);
    px_buf_add_c(json, ",\"key_id\":");
    px_buf_add_json_str(json, claims->key_id);
    px_buf_add_c(json, ",\"scopes\":[");
    px_buf_add_c(json, claims->scopes & KEY_INGEST ? "\"ingest\"" : "");
    px_buf_add_c(json, claims->scopes == (KEY_INGEST | KEY_QUERY) ? "," : "");
    px_buf_add_c(json, claims->scopes & KEY_QUERY ? "\"query\"" : "");
    px_buf_add_char(json, ']');
    if (claims->restriction.len > 0) {
        px_buf_add_c(json, ",\"restriction\":");
        px_buf_add_str(json, claims->restriction);
    }
    px_buf_add_c(json, ",\"expires\":");
    px_buf_add_json_str(json, px_time_format(claims->until_s * PX_NS_PER_S, 0, until));
    px_buf_add_char(json, '}');
}

static int issue(const struct key_admin *admin, const struct token_claims *claims,
                 struct px_arena *arena, struct px_buf *json)
{
    PX_AUTO(token_keys_wipe) struct token_keys keys = {0};
    PX_AUTO(px_buf_deinit_wiped) struct px_buf token;
    struct px_str audience;
    px_buf_init(&token, 2 * TOKEN_BYTES_MAX);
    PX_TRY(load_keys(admin, &keys));
    PX_TRY(token_audience(&admin->place, arena, &audience));
    const struct token_key *key = token_keys_signing(&keys, px_wall_ns(admin->keys.clock));
    PX_TRY(token_write(claims, audience, key, &token));
    write_answer(claims, px_buf_str(&token), json);
    return px_buf_fault(json);
}

int token_admin_issue(const struct key_admin *admin, const struct admin_request *request,
                      struct px_arena *arena, struct admin_outcome *out)
{
    const struct api_caller *caller = &request->caller;
    unsigned own = scopes_of(caller->scopes);
    struct wish wish = {0};
    char id[TOKEN_ID_LEN + 1];
    if (request->direct)
        return admin_refuse(out, 400, "a key issues tokens, over HTTP: there is none here");
    if (caller->token.len > 0)
        return admin_refuse(out, 403, "a token issues no tokens: use the key");
    if (caller->tenant.len == 0 || caller->key_id.len != KEY_ID_LEN || own == 0)
        return admin_refuse(out, 403, "this needs a key");
    const char *why = read_wish(request->body, own, &wish);
    if (!why)
        PX_TRY(read_restriction(yyjson_obj_get(request->body, "restriction"), caller->restriction,
                                arena, &wish, &why));
    if (why) return admin_refuse(out, 400, why);
    if (!(own & KEY_ADMIN) && wish.scopes & ~own)
        return admin_refuse(out, 403, "the key lacks a scope that the token is to have");
    int64_t now_ns = px_wall_ns(admin->keys.clock), now_s = now_ns / PX_NS_PER_S;
    px_uuid7(now_ns, id);
    const struct token_claims claims = {
        .tenant = caller->tenant,
        .key_id = caller->key_id,
        .id = px_str(id, TOKEN_ID_LEN),
        .scopes = wish.scopes,
        .restriction = wish.restriction,
        .issued_s = now_s,
        .from_s = now_s,
        .until_s = now_s + wish.life_s,
    };
    PX_TRY(issue(admin, &claims, arena, out->json));
    out->status = 201;
    return 0;
}
