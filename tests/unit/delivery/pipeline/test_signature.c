/* A release is signed, and an environment that names its signers takes no other: keys and the first signature are those of RFC 8032, 7.1. */
// link: px_delivery_pipeline
#include "delivery/pipeline/pipeline_support.h"

#include "delivery/pipeline/release.h"
#include "delivery/pipeline/signature.h"

#define PRIVATE                                                                                    \
    "-----BEGIN PRIVATE KEY-----\n"                                                                \
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"                           \
    "-----END PRIVATE KEY-----\n"
#define PUBLIC "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define OTHER "MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw="
#define OF_NOTHING                                                                                 \
    "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc+bRr0lv18FlbviRlUUFDjnoQCw=="

static yyjson_val *signers_of(struct test *t, const char *json)
{
    yyjson_val *root = NULL;
    CHECK_OK(px_json_parse(px_str_c(json), &t->arena, &root, NULL));
    return root;
}

TEST(the_signature_is_the_standard_s)
{
    struct px_str text;
    yyjson_val *root = NULL;
    CHECK_OK(signature_make(S(PRIVATE), S(""), &t->arena, &text));
    CHECK_OK(px_json_parse(text, &t->arena, &root, NULL));
    CHECK_STR(px_json_str(root, "signature"), S(OF_NOTHING));
    CHECK_INT(px_json_str(root, "key").len, 16);
    CHECK_INT(signature_make(S("no key"), S(""), &t->arena, &text), SIGNATURE_WRONG);
}

TEST(only_what_a_signer_signed_fits)
{
    struct px_str text;
    const char *why = NULL;
    struct px_arena *arena = &t->arena;
    yyjson_val *both = signers_of(t, "[\"" OTHER "\",\"" PUBLIC "\"]"),
               *other = signers_of(t, "[\"" OTHER "\"]");
    CHECK_OK(signature_make(S(PRIVATE), S("a release"), arena, &text));
    CHECK_OK(signature_check(text, S("a release"), both, arena, &why));
    CHECK_INT(signature_check(text, S("another"), both, arena, &why), SIGNATURE_WRONG);
    CHECK(strstr(why, "none of the environment's signers"));
    CHECK_INT(signature_check(text, S("a release"), other, arena, &why), SIGNATURE_WRONG);
    static const char *const none[] = {"", "{}",
                                       "{\"algorithm\":\"ed25519\",\"signature\":\"AA==\"}",
                                       "{\"algorithm\":\"none\",\"signature\":\"" OF_NOTHING "\"}"};
    for (size_t i = 0; i < PX_COUNT(none); i++) {
        CHECK_INT(signature_check(px_str_c(none[i]), S(""), both, arena, &why), SIGNATURE_WRONG);
        CHECK(strstr(why, "is no signature"));
    }
}

TEST(a_public_key_is_what_openssl_prints)
{
    uint8_t key[SIGNATURE_KEY_BYTES];
    CHECK_OK(signature_key(S(PUBLIC), key));
    CHECK_INT(key[0], 0xd7);
    static const char *const wrong[] = {"", "x", "AAAA",
                                        "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg=="};
    for (size_t i = 0; i < PX_COUNT(wrong); i++)
        CHECK_INT(signature_key(px_str_c(wrong[i]), key), SIGNATURE_WRONG);
}

/* ---- runs ---- */

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define REST                                                                                       \
    "\"source\":\"x\",\"artifacts\":{\"f\":{\"kind\":\"zip\",\"sha256\":\"" HASH                   \
    "\"}},\"platform_sha256\":\"" HASH "\"}"
#define WITH(signers)                                                                              \
    "{\"version\":1,\"defaults\":{\"pause_s\":0},\"environments\":{\"dev\":{\"signers\":" signers  \
    "}},\"stages\":[{\"name\":\"free\",\"steps\":[" STEP_MAKE(                                     \
        "a") "]},{\"name\":\"dev\",\"environment\":\"dev\",\"steps\":[" STEP_MAKE("b") "]}]}"

/* A release beside the run, with a signature over `over`, or none. */
static void put_release(struct bench *bench, struct px_str *ret_text)
{
    struct px_arena *arena = &bench->t->arena;
    char id[13];
    yyjson_val *document = NULL;
    CHECK_OK(px_json_parse(S("{" REST), arena, &document, NULL));
    CHECK_OK(release_id(document, id));
    *ret_text = px_arena_printf(arena, "{\"release\":\"%s\",%s", id, REST);
    bench_tell(bench, "release.json", ret_text->ptr);
    bench->options.release = bench->options.root;
}

static int run_with(struct test *t, const char *name, struct px_str over, bool is_signed)
{
    struct bench bench;
    struct px_str text, signature;
    bench_init(&bench, t, name, WITH("[\"" PUBLIC "\"]"));
    put_release(&bench, &text);
    if (is_signed) {
        CHECK_OK(signature_make(S(PRIVATE), over.len ? over : text, &t->arena, &signature));
        bench_tell(&bench, SIGNATURE_FILE, signature.ptr);
    }
    int r = bench_do(&bench, BENCH_RUN);
    struct px_str made = bench_made(&bench);
    CHECK(memmem(made.ptr, made.len, "made-a-", 7));
    CHECK(!memmem(made.ptr, made.len, "made-b-", 7) == (r != 0));
    return r;
}

TEST(nothing_is_done_to_an_environment_for_a_release_of_others)
{
    CHECK_OK(run_with(t, "signed", S(""), true));
    CHECK_INT(run_with(t, "unsigned", S(""), false), PIPELINE_FAILED);
    CHECK_INT(run_with(t, "another", S("another release"), true), PIPELINE_FAILED);
}

TEST(an_environment_with_signers_wants_a_release)
{
    struct bench bench;
    bench_init(&bench, t, "none", WITH("[\"" PUBLIC "\"]"));
    CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_FAILED);
}

TEST(signers_that_are_no_keys_are_refused)
{
    static const char *const wrong[] = {WITH("[]"), WITH("\"" PUBLIC "\""), WITH("[\"AAAA\"]"),
                                        WITH("[1]")};
    for (size_t i = 0; i < PX_COUNT(wrong); i++) {
        struct bench bench;
        bench_init(&bench, t, px_arena_printf(&t->arena, "wrong-%zu", i).ptr, wrong[i]);
        CHECK_INT(bench_do(&bench, BENCH_RUN), PIPELINE_INVALID);
    }
}

TEST_MAIN
