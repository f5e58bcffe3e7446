/* Secrets: they come back, the one before too, and are made once. One suite for both halves: in a directory
 * by itself, in Secrets Manager when PRISM_TEST_SECRETS names an endpoint that needs no real account
 * (tests/sys/test_secrets_aws.py). */
#include "aws/reach.h"
#include "store/child.h"

#include "store/secrets.h"

#include <openssl/aead.h>

/* ---- where the secrets are ---- */

static bool on_aws(void) { return getenv("PRISM_TEST_SECRETS") != NULL; }

/* A test's secrets are below its scratch folder's name, so they are its own. */
static struct px_str secrets_url(struct test *t)
{
    if (!on_aws()) return test_path(t, "secrets");
    return px_arena_printf(&t->arena, "secretsmanager://test%s/", strrchr(t->dir, '/'));
}

__attribute__((constructor)) static void reach(void)
{
    const char *endpoint = getenv("PRISM_TEST_SECRETS");
    if (!endpoint) return;
    reach_init();
    PX_ASSERT(setenv("AWS_ENDPOINT_URL_SECRETSMANAGER", endpoint, 1) == 0);
}

static struct secret_store *secrets_open(struct test *t)
{
    struct secret_store *store = NULL;
    CHECK_OK(secret_store_open(secrets_url(t), NULL, &store));
    return store;
}

TEST(a_secret_comes_back_also_after_opening_again)
{
    PX_AUTO(secret_store_close) struct secret_store *store = secrets_open(t);
    struct px_str value = S("unwritten");
    CHECK_INT(secret_get(store, S("db/password"), SECRET_CURRENT, &t->arena, &value),
              SECRET_ABSENT);
    CHECK_STR(value, S("unwritten"));
    CHECK_OK(secret_put(store, S("db/password"), S("hunter2")));
    CHECK_OK(secret_put(store, S("../up"), S("dots")));
    CHECK_OK(secret_put(store, S("a_b+c=d.e@f-g"), S("\xff\x00 \"bytes")));
    secret_store_close(&store);
    store = secrets_open(t);
    CHECK_OK(secret_get(store, S("db/password"), SECRET_CURRENT, &t->arena, &value));
    CHECK_STR(value, S("hunter2"));
    CHECK_OK(secret_get(store, S("../up"), SECRET_CURRENT, &t->arena, &value));
    CHECK_STR(value, S("dots"));
    CHECK_OK(secret_get(store, S("a_b+c=d.e@f-g"), SECRET_CURRENT, &t->arena, &value));
    CHECK_STR(value, S("\xff\x00 \"bytes"));
    secret_wipe(value);
    CHECK_INT(value.ptr[0], 0);
}

TEST(the_value_before_the_current_one_is_kept)
{
    PX_AUTO(secret_store_close) struct secret_store *store = secrets_open(t);
    struct px_str value;
    CHECK_OK(secret_put(store, S("a"), S("one")));
    CHECK_INT(secret_get(store, S("a"), SECRET_PREVIOUS, &t->arena, &value), SECRET_ABSENT);
    CHECK_OK(secret_put(store, S("a"), S("two")));
    CHECK_OK(secret_get(store, S("a"), SECRET_CURRENT, &t->arena, &value));
    CHECK_STR(value, S("two"));
    CHECK_OK(secret_get(store, S("a"), SECRET_PREVIOUS, &t->arena, &value));
    CHECK_STR(value, S("one"));
    CHECK_OK(secret_put(store, S("a"), S("three")));
    CHECK_OK(secret_get(store, S("a"), SECRET_PREVIOUS, &t->arena, &value));
    CHECK_STR(value, S("two"));
    CHECK(!secret_doubt(store, S("a")));
}

TEST(made_secrets_are_made_once)
{
    PX_AUTO(secret_store_close) struct secret_store *store = secrets_open(t);
    struct px_str one, two;
    CHECK_OK(secret_get_or_make(store, S("token"), 32, &t->arena, &one));
    CHECK_INT(one.len, 64);
    CHECK_OK(secret_get_or_make(store, S("token"), 32, &t->arena, &two));
    CHECK_STR(two, one);
    CHECK_OK(secret_get_or_make(store, S("other"), 32, &t->arena, &two));
    CHECK(!px_str_eq(one, two));
}

static int make_token(struct test *t, int i)
{
    PX_AUTO(secret_store_close) struct secret_store *store = NULL;
    struct px_str value;
    if (secret_store_open(secrets_url(t), NULL, &store) != 0) return 1;
    if (secret_get_or_make(store, S("token"), 16, &t->arena, &value) != 0) return 2;
    return px_file_write_atomic(test_path(t, "seen-%d", i).ptr, value, 0600) == 0 ? 0 : 3;
}
TEST(many_processes_agree_on_key_and_secret)
{
    int status[12];
    in_children(t, 12, make_token, status);
    PX_AUTO(px_buf_deinit) struct px_buf first, other;
    px_buf_init(&first, 100);
    px_buf_init(&other, 100);
    for (int i = 0; i < 12; i++) {
        CHECK_INT(status[i], 0);
        px_buf_clear(&other);
        CHECK_OK(px_file_read(test_path(t, "seen-%d", i).ptr, i ? &other : &first));
        if (i) CHECK_STR(px_buf_str(&other), px_buf_str(&first));
    }
}

TEST(a_secret_that_is_too_large_is_refused)
{
    PX_AUTO(secret_store_close) struct secret_store *store = secrets_open(t);
    char *bytes = px_arena_alloc(&t->arena, 65537);
    CHECK(bytes);
    struct px_str large = px_str(memset(bytes, 'x', 65537), 65536), back;
    CHECK_OK(secret_put(store, S("a"), large));
    CHECK_OK(secret_get(store, S("a"), SECRET_CURRENT, &t->arena, &back));
    CHECK_STR(back, large);
    large.len++;
    CHECK_INT(secret_put(store, S("a"), large), PX_F_LIMIT);
    CHECK_INT(secret_put(store, S("a"), S("")), PX_F_LIMIT);
}

/* ---- rotation ---- */

#define ID_1 S("11111111-1111-4111-8111-111111111111")
#define ID_2 S("22222222-2222-4222-8222-222222222222")

static struct px_str value_of(struct test *t, struct secret_store *store, enum secret_version stage)
{
    struct px_str value = S("none");
    int r = secret_get(store, S("a"), stage, &t->arena, &value);
    if (r != SECRET_ABSENT) CHECK_OK(r);
    return value;
}
static struct secret_info describe(struct test *t, struct secret_store *store)
{
    struct secret_info info = {0};
    CHECK_OK(secret_describe(store, S("a"), SECRET_STAGES, &t->arena, &info));
    return info;
}

TEST(a_pending_value_is_nobodys_until_it_is_promoted)
{
    PX_AUTO(secret_store_close) struct secret_store *store = secrets_open(t);
    CHECK_OK(secret_create(store, S("a"), S("one")));
    CHECK_INT(secret_create(store, S("a"), S("other")), SECRET_TAKEN);
    CHECK_OK(secret_put_pending(store, S("a"), ID_1, S("two")));
    CHECK_STR(value_of(t, store, SECRET_CURRENT), S("one"));
    CHECK_STR(value_of(t, store, SECRET_PREVIOUS), S("none"));
    CHECK_STR(value_of(t, store, SECRET_PENDING), S("two"));
    struct secret_info info = describe(t, store);
    CHECK_INT(info.count, 2);
    CHECK_STR(secret_at(&info, SECRET_PENDING)->id, ID_1);
    CHECK(!secret_at(&info, SECRET_PREVIOUS));

    CHECK_OK(secret_promote(store, S("a"), ID_1));
    CHECK_STR(value_of(t, store, SECRET_CURRENT), S("two"));
    CHECK_STR(value_of(t, store, SECRET_PREVIOUS), S("one"));
    CHECK_STR(value_of(t, store, SECRET_PENDING), S("none"));
    info = describe(t, store);
    CHECK_STR(secret_at(&info, SECRET_CURRENT)->id, ID_1);
    CHECK(secret_at(&info, SECRET_PREVIOUS) && !secret_at(&info, SECRET_PENDING));
}

TEST(steps_of_a_rotation_may_be_repeated)
{
    PX_AUTO(secret_store_close) struct secret_store *store = secrets_open(t);
    CHECK_OK(secret_create(store, S("a"), S("one")));
    for (int i = 0; i < 2; i++) CHECK_OK(secret_put_pending(store, S("a"), ID_1, S("two")));
    if (!on_aws()) /* moto lets an id get another value; AWS's own answer: test_secrets_aws.c */
        CHECK_INT(secret_put_pending(store, S("a"), ID_1, S("three")), SECRET_TAKEN);
    for (int i = 0; i < 2; i++) CHECK_OK(secret_promote(store, S("a"), ID_1));
    CHECK_STR(value_of(t, store, SECRET_CURRENT), S("two"));
    CHECK_STR(value_of(t, store, SECRET_PREVIOUS), S("one"));
    CHECK_INT(secret_promote(store, S("a"), ID_2), SECRET_ABSENT);
    CHECK_INT(secret_promote(store, S("none"), ID_1), SECRET_ABSENT);
    CHECK_INT(secret_put_pending(store, S("none"), ID_1, S("x")), SECRET_ABSENT);
    CHECK_OK(secret_put_pending(store, S("a"), ID_2, S("three")));
    CHECK_OK(secret_promote(store, S("a"), ID_2));
    CHECK_STR(value_of(t, store, SECRET_PREVIOUS), S("two"));
}

TEST(an_abandoned_value_makes_room_for_another)
{
    PX_AUTO(secret_store_close) struct secret_store *store = secrets_open(t);
    CHECK_OK(secret_create(store, S("a"), S("one")));
    CHECK_OK(secret_put_pending(store, S("a"), ID_1, S("two")));
    if (!on_aws()) CHECK_INT(secret_put_pending(store, S("a"), ID_2, S("three")), SECRET_TAKEN);
    CHECK_INT(secret_abandon(store, S("a"), ID_2), SECRET_ABSENT);
    CHECK_OK(secret_abandon(store, S("a"), ID_1));
    CHECK_INT(secret_abandon(store, S("a"), ID_1), SECRET_ABSENT);
    CHECK_STR(value_of(t, store, SECRET_PENDING), S("none"));
    CHECK_OK(secret_put_pending(store, S("a"), ID_2, S("three")));
    CHECK_OK(secret_promote(store, S("a"), ID_2));
    CHECK_STR(value_of(t, store, SECRET_CURRENT), S("three"));
}

TEST(secrets_are_listed_and_so_is_what_they_were)
{
    PX_AUTO(secret_store_close) struct secret_store *store = secrets_open(t);
    struct px_str *names = NULL;
    size_t count = 9;
    CHECK_OK(secret_list(store, &t->arena, &names, &count));
    CHECK_INT(count, 0);
    CHECK_OK(secret_create(store, S("db/user"), S("one")));
    CHECK_OK(secret_create(store, S("a"), S("one")));
    CHECK_OK(secret_put(store, S("a"), S("two")));
    CHECK_OK(secret_list(store, &t->arena, &names, &count));
    CHECK_INT(count, 2);
    CHECK_STR(names[0], S("a"));
    CHECK_STR(names[1], S("db/user"));
    struct secret_info info;
    CHECK_OK(secret_describe(store, S("a"), SECRET_HISTORY, &t->arena, &info));
    CHECK_INT(info.count, 2);
    CHECK_INT(info.versions[0].stages, 1 << SECRET_CURRENT);
    CHECK(info.versions[0].created_ns >= info.versions[1].created_ns);
    CHECK(info.versions[1].created_ns > 0);
    CHECK_INT(secret_describe(store, S("b"), SECRET_STAGES, &t->arena, &info), SECRET_ABSENT);
}

/* Each adds a value; whoever is last, the one before it is the previous one, and nothing is torn. */
static int put_own(struct test *t, int i)
{
    PX_AUTO(secret_store_close) struct secret_store *store = NULL;
    if (secret_store_open(secrets_url(t), NULL, &store) != 0) return 1;
    for (int k = 0; k < 10; k++)
        if (secret_put(store, S("a"), px_arena_printf(&t->arena, "value-%d-%d", i, k)) != 0)
            return 2;
    return 0;
}
TEST(processes_that_change_a_secret_take_turns)
{
    int status[6];
    PX_AUTO(secret_store_close) struct secret_store *store = secrets_open(t);
    if (on_aws()) return; /* its own business */
    CHECK_OK(secret_create(store, S("a"), S("value-first")));
    in_children(t, 6, put_own, status);
    for (int i = 0; i < 6; i++) CHECK_INT(status[i], 0);
    struct secret_info info;
    CHECK_OK(secret_describe(store, S("a"), SECRET_HISTORY, &t->arena, &info));
    CHECK_INT(info.count, 32); /* as many as are remembered */
    struct px_str current = value_of(t, store, SECRET_CURRENT);
    CHECK(px_str_starts(current, S("value-")) && px_str_ends(current, S("-9")));
    CHECK(px_str_starts(value_of(t, store, SECRET_PREVIOUS), S("value-")));
}

/* As programs sealed before there were stages: "PXS1", nonce, one value. */
static void seal_before(struct test *t, const char *file, const char *name, const char *value)
{
    PX_AUTO(px_buf_deinit) struct px_buf key;
    char sealed[256] = "PXS1nonce-of-12b";
    size_t written = 0;
    EVP_AEAD_CTX ctx;
    px_buf_init(&key, 32);
    CHECK_OK(px_file_read(test_path(t, "secrets/key").ptr, &key));
    CHECK(EVP_AEAD_CTX_init(&ctx, EVP_aead_aes_256_gcm(), (const uint8_t *)key.ptr, 32, 16, NULL));
    CHECK(EVP_AEAD_CTX_seal(&ctx, (uint8_t *)sealed + 16, &written, sizeof sealed - 16,
                            (const uint8_t *)"nonce-of-12b", 12, (const uint8_t *)value,
                            strlen(value), (const uint8_t *)name, strlen(name)));
    EVP_AEAD_CTX_cleanup(&ctx);
    CHECK_OK(px_file_write_atomic(test_path(t, "secrets/%s", file).ptr,
                                  px_str(sealed, 16 + written), 0600));
}
TEST(what_older_programs_sealed_is_read_and_goes_with_the_first_change)
{
    if (on_aws()) return; /* has no files */
    PX_AUTO(secret_store_close) struct secret_store *store = secrets_open(t);
    seal_before(t, "a.sealed", "a", "current");
    seal_before(t, "a.sealed-before", "a", "previous");
    CHECK_STR(value_of(t, store, SECRET_CURRENT), S("current"));
    CHECK_STR(value_of(t, store, SECRET_PREVIOUS), S("previous"));
    CHECK_OK(secret_put_pending(store, S("a"), ID_1, S("next")));
    CHECK_STR(value_of(t, store, SECRET_PREVIOUS), S("previous"));
    CHECK(access(test_path(t, "secrets/a.sealed-before").ptr, F_OK) != 0);
    CHECK_OK(secret_promote(store, S("a"), ID_1));
    CHECK_STR(value_of(t, store, SECRET_PREVIOUS), S("current"));
}

TEST_MAIN
