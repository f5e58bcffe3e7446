/* delivery/pipeline/signature.c - see signature.h. */
#include "delivery/pipeline/signature.h"

#include <openssl/base64.h>
#include <openssl/bytestring.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "base/px_file.h"
#include "base/px_json.h"
#include "delivery/pipeline/release.h"
#include "store/objects.h"
#include "store/secrets.h"

#define SIGNATURE_BYTES 64
#define PEM_BYTES_MAX 4096
#define TEXT_BYTES_MAX 4096
#define DOCUMENT_BYTES_MAX (1u << 20)
#define ID_HEX 16

static void free_pkey(EVP_PKEY **pkey)
{
    EVP_PKEY_free(*pkey);
    *pkey = NULL;
}
static void free_bio(BIO **bio)
{
    BIO_free(*bio);
    *bio = NULL;
}
static void free_ctx(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
    *ctx = NULL;
}

/* ---- keys ---- */

static void id_of(const uint8_t key[SIGNATURE_KEY_BYTES], char ret_id[ID_HEX + 1])
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    (void)SHA256(key, SIGNATURE_KEY_BYTES, hash);
    for (size_t i = 0; i < ID_HEX / 2; i++) (void)snprintf(ret_id + 2 * i, 3, "%02x", hash[i]);
}

static bool decode(struct px_str base64, uint8_t *bytes, size_t room, size_t *ret_len)
{
    return EVP_DecodeBase64(bytes, ret_len, room, (const uint8_t *)base64.ptr, base64.len) == 1;
}

static bool raw_key(EVP_PKEY *pkey, uint8_t ret_key[SIGNATURE_KEY_BYTES])
{
    size_t len = SIGNATURE_KEY_BYTES;
    return pkey && EVP_PKEY_id(pkey) == EVP_PKEY_ED25519 &&
           EVP_PKEY_get_raw_public_key(pkey, ret_key, &len) == 1 && len == SIGNATURE_KEY_BYTES;
}

int signature_key(struct px_str base64, uint8_t ret_key[SIGNATURE_KEY_BYTES])
{
    uint8_t der[256];
    size_t len = 0;
    CBS cbs;
    if (base64.len == 0 || base64.len > 256 || !decode(base64, der, sizeof der, &len))
        return SIGNATURE_WRONG;
    CBS_init(&cbs, der, len);
    PX_AUTO(free_pkey) EVP_PKEY *pkey = EVP_parse_public_key(&cbs);
    return raw_key(pkey, ret_key) && CBS_len(&cbs) == 0 ? 0 : SIGNATURE_WRONG;
}

int signature_private_key(const struct action_context *ctx, struct px_str variable,
                          struct px_str *ret_pem)
{
    PX_AUTO(secret_store_close) struct secret_store *store = NULL;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    const struct secret_options options = {.cloud = ctx->cloud};
    const char *name = px_arena_cstr(ctx->arena, variable);
    px_buf_init(&text, PEM_BYTES_MAX);
    *ret_pem = px_str(NULL, 0);
    if (!name) return px_arena_fault(ctx->arena);
    const char *place = getenv(name);
    if (!place || !*place) return 0;
    const char *slash = strrchr(place, '/');
    if (strncmp(place, "secretsmanager://", strlen("secretsmanager://")) == 0) {
        PX_TRY(secret_store_open(px_str(place, (size_t)(slash - place)), &options, &store));
        int r = secret_get(store, px_str_c(slash + 1), SECRET_CURRENT, ctx->arena, ret_pem);
        return r > 0
                   ? action_fail(ctx, ACTION_REFUSED, "%s: there is no secret %s", name, slash + 1)
                   : r;
    }
    int r = px_file_read(place, &text);
    if (r > 0)
        return action_fail(ctx, ACTION_REFUSED, "%s: %s does not exist, or is no key", name, place);
    PX_TRY(r);
    *ret_pem = px_arena_dup(ctx->arena, px_buf_str(&text));
    secret_wipe(px_buf_str(&text));
    return ret_pem->ptr ? 0 : px_arena_fault(ctx->arena);
}

/* ---- signing ---- */

int signature_make(struct px_str pem, struct px_str document, struct px_arena *arena,
                   struct px_str *ret_text)
{
    PX_AUTO(free_bio) BIO *bio = BIO_new_mem_buf(pem.ptr, (ossl_ssize_t)pem.len);
    PX_AUTO(free_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    PX_AUTO(px_buf_deinit) struct px_buf text;
    uint8_t key[SIGNATURE_KEY_BYTES], signature[SIGNATURE_BYTES];
    char id[ID_HEX + 1];
    size_t len = sizeof signature;
    px_buf_init(&text, TEXT_BYTES_MAX);
    if (!bio || !ctx) return px_fault(PX_F_OOM, "a signature");
    PX_AUTO(free_pkey)
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t) "");
    if (!raw_key(pkey, key)) return SIGNATURE_WRONG;
    if (EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) != 1 ||
        EVP_DigestSign(ctx, signature, &len, (const uint8_t *)document.ptr, document.len) != 1)
        return px_fault(PX_F_OOM, "a signature");
    id_of(key, id);
    px_buf_printf(&text, "{\"algorithm\":\"ed25519\",\"key\":\"%s\",\"signature\":\"", id);
    px_buf_add_base64(&text, px_str((const char *)signature, len));
    px_buf_add_c(&text, "\"}\n");
    PX_TRY(px_buf_fault(&text));
    *ret_text = px_arena_dup(arena, px_buf_str(&text));
    return ret_text->ptr ? 0 : px_arena_fault(arena);
}

/* ---- checking ---- */

static bool fits(const uint8_t key[SIGNATURE_KEY_BYTES], const uint8_t *signature, size_t len,
                 struct px_str document)
{
    PX_AUTO(free_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    PX_AUTO(free_pkey)
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, SIGNATURE_KEY_BYTES);
    return ctx && pkey && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
           EVP_DigestVerify(ctx, signature, len, (const uint8_t *)document.ptr, document.len) == 1;
}

int signature_check(struct px_str text, struct px_str document, yyjson_val *signers,
                    struct px_arena *arena, const char **ret_why)
{
    uint8_t key[SIGNATURE_KEY_BYTES], signature[SIGNATURE_BYTES + 8];
    size_t i, max, len = 0;
    yyjson_val *root = NULL, *signer;
    *ret_why = SIGNATURE_FILE " is no signature";
    int r = px_json_parse(text, arena, &root, NULL);
    if (r == PX_JSON_INVALID) return SIGNATURE_WRONG;
    PX_TRY(r);
    struct px_str base64 = px_json_str(root, "signature");
    if (!px_str_eq(px_json_str(root, "algorithm"), S("ed25519")) || base64.len == 0 ||
        !decode(base64, signature, sizeof signature, &len) || len != SIGNATURE_BYTES)
        return SIGNATURE_WRONG;
    *ret_why = "none of the environment's signers signed what it says now";
    px_json_arr_foreach(signers, i, max, signer)
    {
        if (signature_key(px_json_val_str(signer), key) != 0) continue;
        if (fits(key, signature, len, document)) return 0;
    }
    return SIGNATURE_WRONG;
}

static int read_part(struct object_store *store, struct px_str prefix, const char *name,
                     struct px_arena *arena, struct px_buf *buf)
{
    struct px_str key = px_arena_printf(arena, "%.*s%s", PX_FMT(prefix), name);
    if (!key.ptr) return px_arena_fault(arena);
    return object_get(store, key, buf);
}

int signature_check_release(const struct action_context *ctx, yyjson_val *signers)
{
    PX_AUTO(object_store_close) struct object_store *store = NULL;
    PX_AUTO(px_buf_deinit) struct px_buf document;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    struct px_str prefix = {0};
    yyjson_val *root = NULL;
    const char *why = "it has no " SIGNATURE_FILE;
    px_buf_init(&document, DOCUMENT_BYTES_MAX);
    px_buf_init(&text, TEXT_BYTES_MAX);
    PX_TRY(release_open(ctx->release.place, ctx->cloud, ctx->arena, &store, &prefix));
    int r = read_part(store, prefix, "release.json", ctx->arena, &document);
    if (r == 0) r = release_parse(px_buf_str(&document), ctx->arena, &root);
    PX_TRY(r < 0 ? r : 0);
    if (r > 0 || !px_str_eq(px_json_str(root, "release"), ctx->release.id))
        return action_fail(ctx, ACTION_REFUSED, "%.*s does not hold release %.*s",
                           PX_FMT(ctx->release.place), PX_FMT(ctx->release.id));
    r = read_part(store, prefix, SIGNATURE_FILE, ctx->arena, &text);
    if (r == 0)
        r = signature_check(px_buf_str(&text), px_buf_str(&document), signers, ctx->arena, &why);
    PX_TRY(r < 0 ? r : 0);
    if (r == 0) return 0;
    return action_fail(
        ctx, ACTION_REFUSED,
        "release %.*s is not one for environment %.*s: %s; it wants a signature of one of "
        "its signers over release.json",
        PX_FMT(ctx->release.id), PX_FMT(ctx->environment), why);
}
