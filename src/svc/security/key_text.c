/* svc/security/key_text.c - written form and hash of keys, on AWS-LC's SHA-256 and HMAC. */
#include "svc/security/key_text.h"

#include <openssl/hmac.h>
#include <openssl/mem.h>
#include <openssl/sha.h>
#include <stdio.h>

#include "base/px_id.h"

#define SECRET_BYTES 24
#define SECRET_LEN (2 * SECRET_BYTES)
#define ID_AT 6
#define SECRET_AT (ID_AT + KEY_ID_LEN + 1)

static_assert(SECRET_AT + SECRET_LEN == KEY_TEXT_LEN, "parts of a key");

static void id_of(const uint8_t secret[SECRET_BYTES], char ret_id[KEY_ID_LEN + 1])
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256(secret, SECRET_BYTES, digest);
    px_hex(digest, KEY_ID_LEN / 2, ret_id);
    OPENSSL_cleanse(digest, sizeof digest);
}

void key_text_make(char ret_text[KEY_TEXT_LEN + 1])
{
    uint8_t secret[SECRET_BYTES];
    char id[KEY_ID_LEN + 1];
    char hex[SECRET_LEN + 1];
    px_random(secret, sizeof secret);
    id_of(secret, id);
    px_hex(secret, sizeof secret, hex);
    (void)snprintf(ret_text, KEY_TEXT_LEN + 1, "prism_%s_%s", id, hex);
    OPENSSL_cleanse(secret, sizeof secret);
    OPENSSL_cleanse(hex, sizeof hex);
}

static bool lower_hex(struct px_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
    }
    return true;
}

bool key_text_parse(struct px_str text, struct px_str *ret_id)
{
    if (text.len != KEY_TEXT_LEN || !px_str_starts(text, S("prism_"))) return false;
    struct px_str id = px_str(text.ptr + ID_AT, KEY_ID_LEN);
    struct px_str hex = px_str(text.ptr + SECRET_AT, SECRET_LEN);
    /* one spelling only, so that the hash of the text is the hash of the key */
    if (text.ptr[SECRET_AT - 1] != '_' || !lower_hex(id) || !lower_hex(hex)) return false;
    uint8_t secret[SECRET_BYTES];
    if (!px_unhex(hex, secret, sizeof secret)) return false;
    char want[KEY_ID_LEN + 1];
    id_of(secret, want);
    OPENSSL_cleanse(secret, sizeof secret);
    if (!px_secret_eq(id, px_str(want, KEY_ID_LEN))) return false;
    *ret_id = id;
    return true;
}

_Thread_local uint64_t key_text_hashes, key_text_bytes;

/* A key has no line feed, so no other text and restriction come to the same bytes. */
static bool mac_of(HMAC_CTX *ctx, struct px_str pepper, struct px_str text, struct px_str bound,
                   uint8_t *mac, unsigned *mac_bytes)
{
    if (!HMAC_Init_ex(ctx, pepper.ptr, pepper.len, EVP_sha256(), NULL)) return false;
    if (!HMAC_Update(ctx, (const uint8_t *)text.ptr, text.len)) return false;
    if (bound.len > 0 && !HMAC_Update(ctx, (const uint8_t *)"\n", 1)) return false;
    if (bound.len > 0 && !HMAC_Update(ctx, (const uint8_t *)bound.ptr, bound.len)) return false;
    return HMAC_Final(ctx, mac, mac_bytes);
}

int key_text_hash(struct px_str pepper, struct px_str text, struct px_str bound,
                  char ret_hex[KEY_HASH_LEN + 1])
{
    uint8_t mac[SHA256_DIGEST_LENGTH];
    unsigned mac_bytes = 0;
    HMAC_CTX ctx;
    key_text_hashes++;
    key_text_bytes += text.len + bound.len;
    HMAC_CTX_init(&ctx);
    bool made = mac_of(&ctx, pepper, text, bound, mac, &mac_bytes);
    HMAC_CTX_cleanup(&ctx);
    if (!made || mac_bytes != sizeof mac) return px_fault(PX_F_OOM, "HMAC of a key");
    px_hex(mac, sizeof mac, ret_hex);
    return 0;
}
