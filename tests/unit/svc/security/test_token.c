/* Tokens: the standard's example, what is written comes back, and everything else is refused, each for its reason. */
#include "support/support.h"

#include "base/px_json.h"
#include "svc/security/token.h"

#define AUDIENCE S("prism:dev:local")
#define NOW_S INT64_C(1767323045)
/* RFC 8037, appendix A.1 and A.4. */
#define STANDARD_D "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
#define STANDARD_KID "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
#define STANDARD_JWS                                                                               \
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."                                    \
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"

static void load_standard(__attribute__((unused)) struct test *t, struct token_keys *keys)
{
    CHECK_OK(
        token_keys_parse(S("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"" STANDARD_D
                           "\",\"kid\":\"" STANDARD_KID "\",\"since\":\"2026-01-01T00:00:00Z\"}]}"),
                         keys));
}

static const struct token_claims fine = {
    .tenant = {"acme", 4},
    .key_id = {"0123456789abcdef", 16},
    .id = {"019fc9d5-2d3e-7c11-a1f0-5b1e6d1f2a3c", 36},
    .scopes = KEY_QUERY,
    .issued_s = NOW_S,
    .from_s = NOW_S,
    .until_s = NOW_S + 900,
};

static struct px_str write_token(struct test *t, const struct token_claims *claims,
                                 const struct token_keys *keys)
{
    struct px_buf buf;
    px_buf_init(&buf, 64 * 1024);
    CHECK_OK(token_write(claims, AUDIENCE, &keys->list[0], &buf));
    struct px_str copy = px_arena_dup(&t->arena, px_buf_str(&buf));
    px_buf_deinit(&buf);
    return copy;
}

static int read_at(struct test *t, struct px_str text, const struct token_keys *keys, int64_t now_s)
{
    struct token_claims claims;
    const struct token_trust trust = {keys, AUDIENCE, now_s};
    return token_read(text, &trust, &t->arena, &claims);
}

TEST(the_standards_example_verifies)
{
    PX_AUTO(token_keys_wipe) struct token_keys keys = {0};
    struct token_parts parts;
    load_standard(t, &keys);
    CHECK_OK(token_split(S(STANDARD_JWS), &t->arena, &parts));
    CHECK_STR(parts.header, S("{\"alg\":\"EdDSA\"}"));
    CHECK_STR(parts.claims, S("Example of Ed25519 signing"));
    CHECK(token_key_verify(&keys.list[0], parts.signed_text, parts.signature));
    uint8_t made[TOKEN_SIGNATURE_BYTES];
    CHECK_OK(token_key_sign(&keys.list[0], parts.signed_text, made));
    CHECK_STR(px_str((const char *)made, sizeof made), parts.signature);
    /* good as it is, it is no token: it names no key */
    CHECK_INT(read_at(t, S(STANDARD_JWS), &keys, NOW_S), TOKEN_MALFORMED);
}

TEST(what_is_written_comes_back)
{
    PX_AUTO(token_keys_wipe) struct token_keys keys = {0};
    struct token_claims claims;
    load_standard(t, &keys);
    struct px_str text = write_token(t, &fine, &keys);
    const struct token_trust trust = {&keys, AUDIENCE, NOW_S};
    CHECK(token_is_like(text) && text.len < 800);
    CHECK_OK(token_read(text, &trust, &t->arena, &claims));
    CHECK_STR(claims.tenant, fine.tenant);
    CHECK_STR(claims.key_id, fine.key_id);
    CHECK_STR(claims.id, fine.id);
    CHECK_INT(claims.scopes, KEY_QUERY);
    CHECK_INT(claims.until_s, NOW_S + 900);
}

TEST(a_token_is_good_in_its_time_alone)
{
    PX_AUTO(token_keys_wipe) struct token_keys keys = {0};
    load_standard(t, &keys);
    struct px_str text = write_token(t, &fine, &keys);
    CHECK_INT(read_at(t, text, &keys, NOW_S - TOKEN_SKEW_S - 1), TOKEN_EARLY);
    CHECK_OK(read_at(t, text, &keys, NOW_S - TOKEN_SKEW_S));
    CHECK_OK(read_at(t, text, &keys, NOW_S + 899));
    CHECK_INT(read_at(t, text, &keys, NOW_S + 900), TOKEN_EXPIRED);
    const struct token_trust elsewhere = {&keys, S("prism:prod:local"), NOW_S};
    struct token_claims claims;
    CHECK_INT(token_read(text, &elsewhere, &t->arena, &claims), TOKEN_FOREIGN);
}

TEST(no_bit_of_a_token_can_change)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    PX_AUTO(token_keys_wipe) struct token_keys keys = {0};
    load_standard(t, &keys);
    struct px_str text = write_token(t, &fine, &keys);
    char *bytes = px_arena_cstr(&t->arena, text);
    for (size_t i = 0; i < text.len; i++) {
        struct px_arena scratch;
        struct token_claims claims;
        const struct token_trust trust = {&keys, AUDIENCE, NOW_S};
        const char *at = strchr(alphabet, bytes[i]);
        char was = bytes[i];
        px_arena_init(&scratch, 1u << 20);
        for (unsigned bit = 1; at && bit < 64;
             bit <<= 1) { /* the last character's spare bits, too */
            bytes[i] = alphabet[(size_t)(at - alphabet) ^ bit];
            CHECK(token_read(px_str(bytes, text.len), &trust, &scratch, &claims) > 0);
        }
        bytes[i] = '=';
        CHECK(token_read(px_str(bytes, text.len), &trust, &scratch, &claims) > 0);
        bytes[i] = was;
        CHECK(token_read(px_str(bytes, i), &trust, &scratch, &claims) > 0); /* cut */
        px_arena_deinit(&scratch);
    }
    CHECK_OK(read_at(t, px_str(bytes, text.len), &keys, NOW_S));
}

/* Signed by the region's own key, whatever it says. */
static struct px_str sign(struct test *t, const struct token_keys *keys, const char *header,
                          const char *claims)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct px_buf buf;
    uint8_t signature[TOKEN_SIGNATURE_BYTES];
    px_buf_init(&buf, 64 * 1024);
    for (int part = 0; part < 3; part++) {
        struct px_str bytes = px_str_c(part == 0 ? header : claims);
        if (part == 2) {
            CHECK_OK(token_key_sign(&keys->list[0], px_buf_str(&buf), signature));
            bytes = px_str((const char *)signature, sizeof signature);
        }
        if (part > 0) px_buf_add_char(&buf, '.');
        for (size_t i = 0; i < bytes.len * 8; i += 6) {
            unsigned v = 0;
            for (size_t k = 0; k < 6; k++) {
                size_t at = i + k;
                bool one = at / 8 < bytes.len &&
                           (unsigned char)bytes.ptr[at / 8] >> (7 - at % 8) & 1;
                v = v << 1 | one;
            }
            px_buf_add_char(&buf, digits[v]);
        }
    }
    struct px_str copy = px_arena_dup(&t->arena, px_buf_str(&buf));
    px_buf_deinit(&buf);
    return copy;
}

#define HEADER "{\"alg\":\"EdDSA\",\"kid\":\"" STANDARD_KID "\",\"typ\":\"JWT\"}"
#define PLACE "\"iss\":\"prism\",\"aud\":\"prism:dev:local\",\"sub\":\"acme\","
#define WHO "\"key\":\"0123456789abcdef\",\"jti\":\"019fc9d5-2d3e-7c11-a1f0-5b1e6d1f2a3c\","
#define SCOPE "\"scope\":\"query\","
#define TIMES "\"iat\":1767323045,\"nbf\":1767323045,\"exp\":1767323945"

TEST(headers_choose_nothing)
{
    static const char *const refused[] = {
        "{\"alg\":\"none\",\"kid\":\"" STANDARD_KID "\"}",
        "{\"alg\":\"None\",\"kid\":\"" STANDARD_KID "\"}",
        "{\"alg\":\"HS256\",\"kid\":\"" STANDARD_KID "\"}",
        "{\"alg\":\"RS256\",\"kid\":\"" STANDARD_KID "\"}",
        "{\"alg\":\"ES256\",\"kid\":\"" STANDARD_KID "\"}",
        "{\"alg\":\"eddsa\",\"kid\":\"" STANDARD_KID "\"}",
        "{\"alg\":\"Ed25519\",\"kid\":\"" STANDARD_KID "\"}",
        "{\"alg\":[\"EdDSA\"],\"kid\":\"" STANDARD_KID "\"}",
        "{\"alg\":\"EdDSA\"}",
        "{\"kid\":\"" STANDARD_KID "\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"" STANDARD_KID "\",\"typ\":\"at+jwt\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"" STANDARD_KID "\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"EdDSA\",\"kid\":\"" STANDARD_KID "\",\"jwk\":{}}",
        "{\"alg\":\"EdDSA\",\"kid\":\"" STANDARD_KID "\",\"jku\":\"http://x\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"" STANDARD_KID "\",\"zip\":\"DEF\"}",
        "{\"alg\":\"EdDSA\",\"alg\":\"none\",\"kid\":\"" STANDARD_KID "\"}",
        "[]",
        "\"EdDSA\"",
        "{}",
        "x"};
    PX_AUTO(token_keys_wipe) struct token_keys keys = {0};
    load_standard(t, &keys);
    CHECK_OK(read_at(t, sign(t, &keys, HEADER, "{" PLACE WHO SCOPE TIMES "}"), &keys, NOW_S));
    for (size_t i = 0; i < PX_COUNT(refused); i++)
        CHECK_INT(
            read_at(t, sign(t, &keys, refused[i], "{" PLACE WHO SCOPE TIMES "}"), &keys, NOW_S),
            TOKEN_MALFORMED);
    CHECK_INT(read_at(t, sign(t, &keys, "{\"alg\":\"EdDSA\",\"kid\":\"x\"}", "{}"), &keys, NOW_S),
              TOKEN_UNKNOWN_KEY);
}

TEST(claims_that_are_not_whole_are_refused_though_signed)
{
    static const char *const refused[] = {
        "{" WHO SCOPE TIMES "}",
        "{" PLACE SCOPE TIMES "}",
        "{" PLACE WHO TIMES "}",
        "{" PLACE WHO SCOPE "\"iat\":1767323045,\"nbf\":1767323045}",
        "{" PLACE WHO SCOPE TIMES ",\"admin\":true}",
        "{" PLACE WHO SCOPE TIMES ",\"sub\":\"other\"}",
        "{" PLACE WHO SCOPE TIMES ",\"restriction\":{}}",
        "{" PLACE WHO SCOPE TIMES ",\"restriction\":\"\"}",
        "{" PLACE WHO SCOPE TIMES ",\"restriction\":null}",
        "{" PLACE WHO SCOPE TIMES ",\"restriction\":{\"rows\":[{\"column\":\"a\"}]}}",
        "{" PLACE WHO "\"scope\":\"admin\"," TIMES "}",
        "{" PLACE WHO "\"scope\":\"query admin\"," TIMES "}",
        "{" PLACE WHO "\"scope\":\"query query\"," TIMES "}",
        "{" PLACE WHO "\"scope\":\"\"," TIMES "}",
        "{" PLACE WHO "\"scope\":[\"query\"]," TIMES "}",
        "{" PLACE WHO SCOPE "\"iat\":1767323045,\"nbf\":1767323045,\"exp\":\"1767323945\"}",
        "{" PLACE WHO SCOPE "\"iat\":1767323045,\"nbf\":1767323045,\"exp\":1767323945.5}",
        "{" PLACE WHO SCOPE
        "\"iat\":1767323045,\"nbf\":1767323045,\"exp\":1767409446}", /* a day and 1 s */
        "{" PLACE WHO SCOPE "\"iat\":1,\"nbf\":1767323045,\"exp\":1767323945}",
        "{" PLACE WHO SCOPE "\"iat\":-9223372036854775808,\"nbf\":1767323045,\"exp\":1767323945}",
        "{" PLACE WHO SCOPE "\"iat\":1767323045,\"nbf\":1767323045,\"exp\":18446744073709551615}",
        "{" PLACE WHO SCOPE "\"iat\":1767323045,\"nbf\":1767323000,\"exp\":1767323945}",
        "{\"iss\":\"other\",\"aud\":\"prism:dev:local\",\"sub\":\"acme\"," WHO SCOPE TIMES "}",
        "{\"iss\":\"prism\",\"aud\":\"prism:prod:local\",\"sub\":\"acme\"," WHO SCOPE TIMES "}",
        "{\"iss\":\"prism\",\"aud\":[\"prism:dev:local\"],\"sub\":\"acme\"," WHO SCOPE TIMES "}",
        "{\"iss\":\"prism\",\"aud\":\"prism:dev:local\",\"sub\":\"\"," WHO SCOPE TIMES "}",
        "[]",
        "null",
        "x"};
    PX_AUTO(token_keys_wipe) struct token_keys keys = {0};
    load_standard(t, &keys);
    for (size_t i = 0; i < PX_COUNT(refused); i++)
        CHECK_INT(read_at(t, sign(t, &keys, HEADER, refused[i]), &keys, NOW_S), TOKEN_FOREIGN);
}

TEST(what_is_no_token_at_all)
{
    static const char *const refused[] = {".",       "..",   "...",        "a.b",      "a.b.c",
                                          "a.b.c.d", "a..c", "YQ==.YQ.YQ", "Y+.YQ.YQ", " YQ.YQ.YQ"};
    PX_AUTO(token_keys_wipe) struct token_keys keys = {0};
    load_standard(t, &keys);
    for (size_t i = 0; i < PX_COUNT(refused); i++)
        CHECK_INT(read_at(t, px_str_c(refused[i]), &keys, NOW_S), TOKEN_MALFORMED);
    struct px_str text = write_token(t, &fine, &keys);
    struct px_str longer = px_arena_printf(&t->arena, "%.*s.YQ", PX_FMT(text));
    CHECK_INT(read_at(t, longer, &keys, NOW_S), TOKEN_MALFORMED);
    char *long_text = px_arena_alloc(&t->arena, TOKEN_BYTES_MAX + 1);
    memset(long_text, 'A', TOKEN_BYTES_MAX + 1);
    CHECK_INT(read_at(t, px_str(long_text, TOKEN_BYTES_MAX + 1), &keys, NOW_S), TOKEN_MALFORMED);
    struct token_keys none = {0};
    CHECK_INT(read_at(t, text, &none, NOW_S), TOKEN_UNKNOWN_KEY);
}

TEST_MAIN
