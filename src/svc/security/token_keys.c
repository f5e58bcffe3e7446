/* svc/security/token_keys.c - Ed25519 on AWS-LC; see token_keys.h. */
#include "svc/security/token_keys.h"

#include <openssl/curve25519.h>
#include <openssl/mem.h>
#include <openssl/sha.h>

#include "base/px_id.h"
#include "base/px_json.h"

#define ARENA_BYTES_MAX ((size_t)1 << 20)
#define SEED_BYTES 32

/* ---- base64url without padding, RFC 4648 section 5 ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* out has room for 4 characters per 3 bytes and a NUL. */
static void encode(const uint8_t *bytes, size_t n, char *out)
{
    for (size_t i = 0; i < n; i += 3) {
        size_t left = PX_MIN(n - i, (size_t)3);
        uint32_t v = (uint32_t)bytes[i] << 16;
        if (left > 1) v |= (uint32_t)bytes[i + 1] << 8;
        if (left > 2) v |= bytes[i + 2];
        for (size_t k = 0; k < left + 1; k++) *out++ = alphabet[v >> (18 - 6 * k) & 63];
    }
    *out = '\0';
}

static bool decode_32(struct px_str text, uint8_t ret_bytes[32])
{
    uint8_t bytes[33] = {0};
    char again[45];
    if (text.len != 43) return false;
    for (size_t i = 0; i < text.len; i++) {
        const char *at = text.ptr[i] ? strchr(alphabet, text.ptr[i]) : NULL;
        if (!at) return false;
        uint32_t bit = (uint32_t)i * 6, v = (uint32_t)(at - alphabet) << (10 - bit % 8);
        bytes[bit / 8] |= (uint8_t)(v >> 8);
        bytes[bit / 8 + 1] |= (uint8_t)v;
    }
    encode(bytes, 32, again); /* one spelling only */
    bool whole = px_secret_eq(px_str_c(again), text);
    if (whole) memcpy(ret_bytes, bytes, 32);
    OPENSSL_cleanse(bytes, sizeof bytes);
    OPENSSL_cleanse(again, sizeof again);
    return whole;
}

/* ---- one key ---- */

static void key_from_seed(const uint8_t seed[SEED_BYTES], int64_t since_ns, struct token_key *key)
{
    char x[45], text[128];
    uint8_t digest[SHA256_DIGEST_LENGTH];
    *key = (struct token_key){.since_ns = since_ns};
    ED25519_keypair_from_seed(key->public_key, key->private_key, seed);
    encode(key->public_key, sizeof key->public_key, x);
    int n = snprintf(text, sizeof text, "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"%s\"}", x);
    SHA256((const uint8_t *)text, (size_t)n, digest);
    encode(digest, sizeof digest, key->id);
}

/* Not a key set: every bit of the text counts. */
static void key_from_text(struct px_str text, struct token_key *key)
{
    static const char what[] = "prism token-signing-key";
    uint8_t seed[SHA256_DIGEST_LENGTH];
    SHA256_CTX sha;
    SHA256_Init(&sha);
    SHA256_Update(&sha, what, sizeof what);
    SHA256_Update(&sha, text.ptr, text.len);
    SHA256_Final(seed, &sha);
    key_from_seed(seed, 0, key);
    OPENSSL_cleanse(seed, sizeof seed);
    OPENSSL_cleanse(&sha, sizeof sha);
}

void token_keys_wipe(struct token_keys *keys) { OPENSSL_cleanse(keys, sizeof *keys); }

static bool read_key(yyjson_val *jwk, struct token_key *key)
{
    uint8_t seed[SEED_BYTES];
    int64_t since_ns;
    if (!px_str_eq(px_json_str(jwk, "kty"), S("OKP")) ||
        !px_str_eq(px_json_str(jwk, "crv"), S("Ed25519")) ||
        !px_time_parse(px_json_str(jwk, "since"), &since_ns) ||
        !decode_32(px_json_str(jwk, "d"), seed))
        return false;
    key_from_seed(seed, since_ns, key);
    OPENSSL_cleanse(seed, sizeof seed);
    return px_str_eq(px_json_str(jwk, "kid"), px_str_c(key->id));
}

static bool read_set(yyjson_val *root, struct token_keys *keys)
{
    size_t i, n;
    yyjson_val *jwk;
    px_json_arr_foreach(px_json_arr(root, "keys"), i, n, jwk)
    {
        if (keys->count == TOKEN_KEYS_MAX || !read_key(jwk, &keys->list[keys->count++]))
            return false;
    }
    return keys->count > 0;
}

int token_keys_parse(struct px_str value, struct token_keys *ret_keys)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, ARENA_BYTES_MAX);
    yyjson_val *root = NULL;
    ret_keys->count = 0;
    if (!px_str_starts(value, S("{"))) {
        key_from_text(value, &ret_keys->list[ret_keys->count++]);
        return 0;
    }
    int r = px_json_parse(value, &scratch, &root, NULL);
    if (r < 0) PX_TRY(r);
    if (r > 0 || !read_set(root, ret_keys)) {
        token_keys_wipe(ret_keys);
        return px_fault(PX_F_CORRUPT, "the secret of token keys is not whole");
    }
    return 0;
}

static int load_one(struct secret_store *secrets, struct px_str name, enum secret_version version,
                    struct token_keys *ret_keys)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, ARENA_BYTES_MAX);
    struct px_str value;
    int r = secret_get(secrets, name, version, &scratch, &value);
    if (r == SECRET_ABSENT) return r;
    PX_TRY(r);
    PX_TRY(token_keys_parse(value, ret_keys));
    return 0;
}

int token_keys_load(struct secret_store *secrets, struct px_str name, struct token_keys *ret_keys)
{
    PX_AUTO(token_keys_wipe) struct token_keys before = {0};
    int r = load_one(secrets, name, SECRET_CURRENT, ret_keys);
    if (r == SECRET_ABSENT) return r;
    PX_TRY(r);
    r = load_one(secrets, name, SECRET_PREVIOUS, &before);
    if (r == SECRET_ABSENT) return 0;
    PX_TRY(r);
    for (size_t i = 0; i < before.count && ret_keys->count < TOKEN_KEYS_MAX; i++)
        if (!token_keys_find(ret_keys, px_str_c(before.list[i].id)))
            ret_keys->list[ret_keys->count++] = before.list[i];
    return 0;
}

/* ---- a set ---- */

static void write_key(const struct token_key *key, bool with_private, struct px_buf *buf)
{
    char x[45], d[45], since[32];
    encode(key->public_key, sizeof key->public_key, x);
    px_buf_printf(
        buf,
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"sig\",\"alg\":\"EdDSA\",\"kid\":\"%s\","
        "\"x\":\"%s\"",
        key->id, x);
    if (with_private) {
        encode(key->private_key, SEED_BYTES, d);
        px_buf_printf(buf, ",\"d\":\"%s\",\"since\":", d);
        px_buf_add_json_str(buf, px_time_format(key->since_ns, 3, since));
        OPENSSL_cleanse(d, sizeof d);
    }
    px_buf_add_char(buf, '}');
}

int token_keys_add(const struct token_keys *before, int64_t now_ns, struct px_buf *value)
{
    uint8_t seed[SEED_BYTES];
    PX_AUTO(token_keys_wipe) struct token_keys made = {.count = 1};
    px_random(seed, sizeof seed);
    key_from_seed(seed, now_ns, &made.list[0]);
    OPENSSL_cleanse(seed, sizeof seed);
    px_buf_add_c(value, "{\"keys\":[");
    write_key(&made.list[0], true, value);
    size_t count = 1;
    for (size_t i = 0; before && i < before->count && count < TOKEN_KEYS_MAX; i++) {
        bool superseded = i > 0 && before->list[i - 1].since_ns <=
                                       now_ns - TOKEN_KEY_KEEP_NS - TOKEN_KEY_SETTLE_NS;
        if (superseded) continue;
        px_buf_add_char(value, ',');
        write_key(&before->list[i], true, value);
        count++;
    }
    px_buf_add_c(value, "]}");
    return px_buf_fault(value);
}

const struct token_key *token_keys_signing(const struct token_keys *keys, int64_t now_ns)
{
    for (size_t i = 0; i + 1 < keys->count; i++)
        if (keys->list[i].since_ns <= now_ns - TOKEN_KEY_SETTLE_NS) return &keys->list[i];
    return keys->count > 0 ? &keys->list[keys->count - 1] : NULL;
}

const struct token_key *token_keys_find(const struct token_keys *keys, struct px_str id)
{
    for (size_t i = 0; i < keys->count; i++)
        if (px_str_eq(px_str_c(keys->list[i].id), id)) return &keys->list[i];
    return NULL;
}

int token_key_sign(const struct token_key *key, struct px_str text,
                   uint8_t ret_signature[TOKEN_SIGNATURE_BYTES])
{
    if (ED25519_sign(ret_signature, (const uint8_t *)text.ptr, text.len, key->private_key))
        return 0;
    return px_fault(PX_F_OOM, "a signature");
}

bool token_key_verify(const struct token_key *key, struct px_str text, struct px_str signature)
{
    return signature.len == TOKEN_SIGNATURE_BYTES &&
           ED25519_verify((const uint8_t *)text.ptr, text.len, (const uint8_t *)signature.ptr,
                          key->public_key) == 1;
}

void token_keys_write_public(const struct token_keys *keys, struct px_buf *buf)
{
    px_buf_add_c(buf, "{\"keys\":[");
    for (size_t i = 0; i < keys->count; i++) {
        if (i > 0) px_buf_add_char(buf, ',');
        write_key(&keys->list[i], false, buf);
    }
    px_buf_add_c(buf, "]}");
}
