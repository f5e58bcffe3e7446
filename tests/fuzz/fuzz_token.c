/* Any bytes as a token: first as they come, then as the claims of one that is signed well, so that what stands behind the
 * signature is reached. What is taken must be whole. */
// link: px_svc_security
#include <stdlib.h>

#include "svc/security/token.h"

#define ARENA_BYTES ((size_t)8 << 20)

static const struct px_str audience = {"prism:dev:local", 15};

static void check_claims(const struct token_claims *c)
{
    PX_ASSERT(c->tenant.len > 0 && c->key_id.len == KEY_ID_LEN && c->id.len == TOKEN_ID_LEN);
    PX_ASSERT(c->scopes != 0 && !(c->scopes & KEY_ADMIN));
    PX_ASSERT(c->until_s - c->issued_s <= TOKEN_LIFE_S_MAX);
}

/* The bytes as a JWS of ours: "<header>.<claims>", each in base64url already or not. */
static void sign_and_read(struct px_str text, const struct token_keys *keys, struct px_arena *arena)
{
    uint8_t signature[TOKEN_SIGNATURE_BYTES];
    struct px_buf buf;
    struct token_claims claims;
    const struct token_trust trust = {keys, audience, INT64_C(1767323045)};
    px_buf_init(&buf, 64 * 1024);
    token_add_base64url(
        &buf, S("{\"alg\":\"EdDSA\",\"kid\":\"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k\"}"));
    px_buf_add_char(&buf, '.');
    token_add_base64url(&buf, text);
    PX_ASSERT(token_key_sign(&keys->list[0], px_buf_str(&buf), signature) == 0);
    px_buf_add_char(&buf, '.');
    token_add_base64url(&buf, px_str((const char *)signature, sizeof signature));
    PX_ASSERT(px_buf_fault(&buf) == 0);
    int r = token_read(px_buf_str(&buf), &trust, arena, &claims);
    PX_ASSERT(r >= 0 && r != TOKEN_UNKNOWN_KEY && r != TOKEN_FORGED);
    if (r == 0) check_claims(&claims);
    px_buf_deinit(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct token_keys keys;
    struct px_arena arena;
    struct token_claims claims;
    struct token_parts parts;
    if (size > 16 * 1024) return 0;
    if (keys.count == 0 &&
        token_keys_parse(
            S("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\","
              "\"kid\":\"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k\",\"since\":\"2026-01-01T00:00:00Z\"}]}"),
            &keys) != 0)
        abort();
    const struct token_trust trust = {&keys, audience, INT64_C(1767323045)};
    char *exact = malloc(size ? size : 1); /* exactly as long, so that ASan sees a byte too far */
    if (!exact) abort();
    memcpy(exact, data, size);
    px_arena_init(&arena, ARENA_BYTES);
    struct px_str text = px_str(exact, size);
    if (token_split(text, &arena, &parts) == 0) PX_ASSERT(parts.signed_text.len < size);
    if (token_read(text, &trust, &arena, &claims) == 0) check_claims(&claims);
    if (size < 2000) sign_and_read(text, &keys, &arena);
    free(exact);
    px_arena_deinit(&arena);
    return 0;
}
