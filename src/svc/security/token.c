/* svc/security/token.c - see token.h. */
#include "svc/security/token.h"

#include <aws/common/encoding.h>
#include <stdio.h>

#include "base/px_id.h"
#include "base/px_json.h"
#include "lambda/restriction.h"

#define ISSUER S("prism")
#define JSON_BYTES_MAX 4096u

bool token_is_like(struct px_str text) { return text.len > 0 && memchr(text.ptr, '.', text.len); }

int token_audience(const struct token_place *place, struct px_arena *arena,
                   struct px_str *ret_audience)
{
    *ret_audience = px_arena_printf(arena, "prism:%.*s:%.*s", PX_FMT(place->environment),
                                    PX_FMT(place->region));
    return ret_audience->ptr ? 0 : px_fault(px_arena_fault(arena), "audience");
}

/* ---- base64url without padding (RFC 7515, appendix C), one spelling only ---- */

void token_add_base64url(struct px_buf *buf, struct px_str bytes)
{
    size_t room = 0;
    struct aws_byte_cursor from = aws_byte_cursor_from_array(bytes.ptr, bytes.len);
    (void)aws_base64_url_compute_encoded_len(bytes.len, &room);
    char *at = px_buf_reserve(buf, room);
    if (!at) return; /* the buffer knows */
    struct aws_byte_buf to = aws_byte_buf_from_empty_array(at, room);
    if (aws_base64_url_encode(&from, &to) != AWS_OP_SUCCESS) abort();
    while (to.len > 0 && (at[to.len - 1] == '\0' || at[to.len - 1] == '=')) to.len--;
    buf->len += to.len;
}

static bool is_base64url(struct px_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool fine = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                    c == '-' || c == '_';
        if (!fine) return false;
    }
    return text.len > 0;
}

/* Unused bits of the last character are zero, or one signature would have several spellings. */
static bool is_spelled_so(struct px_str bytes, struct px_str text)
{
    PX_AUTO(px_buf_deinit) struct px_buf again;
    px_buf_init(&again, 2 * TOKEN_BYTES_MAX);
    token_add_base64url(&again, bytes);
    return px_buf_fault(&again) == 0 && px_str_eq(px_buf_str(&again), text);
}

static int decode(struct px_str text, struct px_arena *arena, struct px_str *ret_bytes)
{
    size_t room = 0;
    if (!is_base64url(text)) return TOKEN_MALFORMED;
    struct aws_byte_cursor from = aws_byte_cursor_from_array(text.ptr, text.len);
    if (aws_base64_compute_decoded_len(&from, &room) != AWS_OP_SUCCESS) return TOKEN_MALFORMED;
    char *bytes = px_arena_alloc(arena, room + 1);
    if (!bytes) return px_fault(px_arena_fault(arena), "token");
    struct aws_byte_buf to = aws_byte_buf_from_empty_array(bytes, room);
    if (aws_base64_decode(&from, &to) != AWS_OP_SUCCESS) return TOKEN_MALFORMED;
    if (!is_spelled_so(px_str(bytes, to.len), text)) return TOKEN_MALFORMED;
    *ret_bytes = px_str(bytes, to.len);
    return 0;
}

int token_split(struct px_str text, struct px_arena *arena, struct token_parts *ret_parts)
{
    struct px_str rest = text, header, claims;
    struct token_parts parts = {0};
    if (text.len == 0 || text.len > TOKEN_BYTES_MAX) return TOKEN_MALFORMED;
    if (!px_str_cut(&rest, '.', &header) || !px_str_cut(&rest, '.', &claims))
        return TOKEN_MALFORMED;
    parts.signed_text = px_str(text.ptr, header.len + 1 + claims.len);
    const struct {
        struct px_str text, *bytes;
    } each[] = {{header, &parts.header}, {claims, &parts.claims}, {rest, &parts.signature}};
    for (size_t i = 0; i < PX_COUNT(each); i++) {
        int r = decode(each[i].text, arena, each[i].bytes);
        if (r != 0) return r;
    }
    *ret_parts = parts;
    return 0;
}

/* ---- objects whose members are known, once each ---- */

enum member_kind { TEXT, NUMBER, OBJECT };
struct member {
    const char *name;
    enum member_kind kind;
    bool optional;
};

static bool is_kind(yyjson_val *val, enum member_kind kind)
{
    switch (kind) {
    case TEXT: return yyjson_is_str(val);
    case NUMBER: return yyjson_is_int(val);
    default: return yyjson_is_obj(val);
    }
}

static bool is_whole(yyjson_val *obj, const struct member *members, size_t count)
{
    size_t i, n, found = 0, needed = 0;
    unsigned seen = 0;
    yyjson_val *key, *val;
    if (!yyjson_is_obj(obj)) return false;
    px_json_obj_foreach(obj, i, n, key, val)
    {
        size_t k = 0;
        while (k < count && !px_str_eq(px_json_val_str(key), px_str_c(members[k].name))) k++;
        if (k == count || seen & 1u << k) return false;
        if (!is_kind(val, members[k].kind)) return false;
        seen |= 1u << k;
        found += !members[k].optional;
    }
    for (size_t k = 0; k < count; k++) needed += !members[k].optional;
    return found == needed;
}

static const struct member header_members[] = {{"alg"}, {"kid"}, {"typ", TEXT, true}};
static const struct member claim_members[] = {
    {"iss"},   {"aud"},         {"sub"},         {"key"},         {"jti"},
    {"scope"}, {"iat", NUMBER}, {"nbf", NUMBER}, {"exp", NUMBER}, {"restriction", OBJECT, true}};

/* ---- reading ---- */

/* RFC 8725, section 3.1: the algorithm is ours to choose, not the token's. */
static int find_key(const struct token_parts *parts, const struct token_trust *trust,
                    struct px_arena *arena, const struct token_key **ret_key)
{
    yyjson_val *header = NULL;
    int r = px_json_parse(parts->header, arena, &header, NULL);
    if (r < 0) PX_TRY(r);
    if (r > 0 || !is_whole(header, header_members, PX_COUNT(header_members)))
        return TOKEN_MALFORMED;
    struct px_str type = px_json_str(header, "typ");
    if (!px_str_eq(px_json_str(header, "alg"), S("EdDSA")) ||
        (type.ptr && !px_str_eq(type, S("JWT"))))
        return TOKEN_MALFORMED;
    *ret_key = token_keys_find(trust->keys, px_json_str(header, "kid"));
    return *ret_key ? 0 : TOKEN_UNKNOWN_KEY;
}

static bool scopes_read(struct px_str text, unsigned *ret_scopes)
{
    unsigned scopes = 0;
    while (text.len > 0) {
        struct px_str word;
        enum key_scope scope;
        (void)px_str_cut(&text, ' ', &word);
        if (!key_scope_parse(word, &scope) || scope == KEY_ADMIN || scopes & scope) return false;
        scopes |= scope;
    }
    *ret_scopes = scopes;
    return scopes != 0;
}

static bool times_fit(const struct token_claims *c)
{
    return c->issued_s > 0 && c->from_s >= c->issued_s && c->until_s > c->from_s &&
           c->until_s - c->issued_s <= TOKEN_LIFE_S_MAX;
}

/* Answers: TOKEN_FOREIGN. */
static int read_restriction(yyjson_val *value, struct px_arena *arena, struct px_str *ret_json)
{
    struct restriction restriction;
    if (!value) return 0;
    int r = restriction_take(value, arena, &restriction, ret_json, NULL);
    if (r == RESTRICTION_INVALID) return TOKEN_FOREIGN;
    PX_TRY(r);
    return 0;
}

static int read_claims(struct px_str json, const struct token_trust *trust, struct px_arena *arena,
                       struct token_claims *ret_claims)
{
    yyjson_val *root = NULL;
    int r = px_json_parse(json, arena, &root, NULL);
    if (r < 0) PX_TRY(r);
    if (r > 0 || !is_whole(root, claim_members, PX_COUNT(claim_members))) return TOKEN_FOREIGN;
    struct token_claims claims = {
        .tenant = px_json_str(root, "sub"),
        .key_id = px_json_str(root, "key"),
        .id = px_json_str(root, "jti"),
        .issued_s = px_json_i64(root, "iat", 0),
        .from_s = px_json_i64(root, "nbf", 0),
        .until_s = px_json_i64(root, "exp", 0),
    };
    bool ours = px_str_eq(px_json_str(root, "iss"), ISSUER) &&
                px_str_eq(px_json_str(root, "aud"), trust->audience) && claims.tenant.len > 0 &&
                claims.key_id.len == KEY_ID_LEN && claims.id.len == TOKEN_ID_LEN &&
                scopes_read(px_json_str(root, "scope"), &claims.scopes) && times_fit(&claims);
    if (!ours) return TOKEN_FOREIGN;
    r = read_restriction(yyjson_obj_get(root, "restriction"), arena, &claims.restriction);
    if (r != 0) return r;
    if (trust->now_s < claims.from_s - TOKEN_SKEW_S) return TOKEN_EARLY;
    if (trust->now_s >= claims.until_s) return TOKEN_EXPIRED;
    *ret_claims = claims;
    return 0;
}

int token_read(struct px_str text, const struct token_trust *trust, struct px_arena *arena,
               struct token_claims *ret_claims)
{
    struct token_parts parts;
    const struct token_key *key = NULL;
    int r = token_split(text, arena, &parts);
    if (r == 0) r = find_key(&parts, trust, arena, &key);
    if (r > 0) return r;
    PX_TRY(r);
    if (!token_key_verify(key, parts.signed_text, parts.signature)) return TOKEN_FORGED;
    r = read_claims(parts.claims, trust, arena, ret_claims);
    if (r > 0) return r;
    PX_TRY(r);
    return 0;
}

/* ---- writing ---- */

static void add_member(struct px_buf *json, const char *lead, struct px_str text)
{
    px_buf_add_c(json, lead);
    px_buf_add_json_str(json, text);
}

static void write_claims(const struct token_claims *claims, struct px_str audience,
                         struct px_buf *json)
{
    add_member(json, "{\"iss\":", ISSUER);
    add_member(json, ",\"aud\":", audience);
    add_member(json, ",\"sub\":", claims->tenant);
    add_member(json, ",\"key\":", claims->key_id);
    add_member(json, ",\"jti\":", claims->id);
    add_member(json, ",\"scope\":", key_scopes_text(claims->scopes));
    if (claims->restriction.len > 0) {
        px_buf_add_c(json, ",\"restriction\":");
        px_buf_add_str(json, claims->restriction);
    }
    px_buf_printf(json, ",\"iat\":%lld,\"nbf\":%lld,\"exp\":%lld}", (long long)claims->issued_s,
                  (long long)claims->from_s, (long long)claims->until_s);
}

int token_write(const struct token_claims *claims, struct px_str audience,
                const struct token_key *key, struct px_buf *buf)
{
    PX_ASSERT(claims->scopes != 0 && !(claims->scopes & KEY_ADMIN) && times_fit(claims));
    PX_ASSERT(claims->id.len == TOKEN_ID_LEN && claims->key_id.len == KEY_ID_LEN);
    PX_AUTO(px_buf_deinit) struct px_buf json, text;
    uint8_t signature[TOKEN_SIGNATURE_BYTES];
    px_buf_init(&json, JSON_BYTES_MAX);
    px_buf_init(&text, 2 * JSON_BYTES_MAX);
    px_buf_printf(&json, "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"JWT\"}", key->id);
    token_add_base64url(&text, px_buf_str(&json));
    px_buf_add_char(&text, '.');
    px_buf_clear(&json);
    write_claims(claims, audience, &json);
    token_add_base64url(&text, px_buf_str(&json));
    PX_TRY(px_buf_fault(&json));
    PX_TRY(px_buf_fault(&text));
    PX_TRY(token_key_sign(key, px_buf_str(&text), signature));
    px_buf_add_char(&text, '.');
    token_add_base64url(&text, px_str((const char *)signature, sizeof signature));
    PX_TRY(px_buf_fault(&text));
    if (text.len > TOKEN_BYTES_MAX) return px_fault(PX_F_LIMIT, "a token of %zu bytes", text.len);
    px_buf_add_str(buf, px_buf_str(&text));
    return px_buf_fault(buf);
}
