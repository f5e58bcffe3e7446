/* Secrets: sealed, bound to their name, made once. */
#include "store/child.h"

#include "store/secrets.h"

#include <sys/stat.h>

static struct secret_store *secrets_open(struct test *t)
{
    struct secret_store *store = NULL;
    CHECK_OK(secret_store_open(test_path(t, "secrets"), &store));
    return store;
}

TEST(a_secret_comes_back_also_after_opening_again)
{
    PX_AUTO(secret_store_close) struct secret_store *store = secrets_open(t);
    struct px_str value = S("unwritten");
    CHECK_INT(secret_get(store, S("db/password"), &t->arena, &value), SECRET_ABSENT);
    CHECK_OK(secret_put(store, S("db/password"), S("hunter2")));
    CHECK_OK(secret_put(store, S("empty"), S("")));
    CHECK_OK(secret_put(store, S("../up"), S("dots")));
    secret_store_close(&store);
    store = secrets_open(t);
    CHECK_OK(secret_get(store, S("db/password"), &t->arena, &value));
    CHECK_STR(value, S("hunter2"));
    CHECK_OK(secret_put(store, S("db/password"), S("changed")));
    CHECK_OK(secret_get(store, S("db/password"), &t->arena, &value));
    CHECK_STR(value, S("changed"));
    CHECK_OK(secret_get(store, S("empty"), &t->arena, &value));
    CHECK_STR(value, S(""));
    CHECK_OK(secret_get(store, S("../up"), &t->arena, &value));
    CHECK(access(test_path(t, "up.sealed").ptr, F_OK) != 0);
    secret_wipe(value);
    CHECK_INT(value.ptr[0], 0);
}

static int check_file(void *ctx, const char *name, bool is_dir)
{
    struct test *t = ctx;
    PX_AUTO(px_buf_deinit) struct px_buf bytes;
    px_buf_init(&bytes, 10000);
    struct stat about = {0};
    struct px_str path = test_path(t, "secrets/%s", name);
    CHECK(!is_dir && stat(path.ptr, &about) == 0);
    CHECK_INT(about.st_mode & 0777, 0600);
    CHECK_OK(px_file_read(path.ptr, &bytes));
    CHECK(!memmem(bytes.ptr, bytes.len, "hunter2", 7));
    return 0;
}
TEST(nothing_on_the_disk_tells_the_value)
{
    PX_AUTO(secret_store_close) struct secret_store *store = secrets_open(t);
    CHECK_OK(secret_put(store, S("a"), S("hunter2hunter2")));
    CHECK_OK(px_dir_each(test_path(t, "secrets").ptr, check_file, t));
}

TEST(an_altered_file_does_not_open)
{
    PX_AUTO(secret_store_close) struct secret_store *store = secrets_open(t);
    CHECK_OK(secret_put(store, S("a"), S("value")));
    struct px_str path = test_path(t, "secrets/a.sealed"), value;
    PX_AUTO(px_buf_deinit) struct px_buf bytes;
    px_buf_init(&bytes, 10000);
    CHECK_OK(px_file_read(path.ptr, &bytes));
    for (size_t i = 0; i < bytes.len; i++) {
        bytes.ptr[i] ^= 1;
        CHECK_OK(px_file_write_atomic(path.ptr, px_buf_str(&bytes), 0600));
        CHECK_INT(secret_get(store, S("a"), &t->arena, &value), PX_F_CORRUPT);
        bytes.ptr[i] ^= 1;
        CHECK_OK(px_file_write_atomic(path.ptr, px_str(bytes.ptr, i), 0600));
        CHECK_INT(secret_get(store, S("a"), &t->arena, &value), PX_F_CORRUPT);
    }
    /* nor does one under another's name */
    CHECK_OK(px_file_write_atomic(test_path(t, "secrets/b.sealed").ptr, px_buf_str(&bytes), 0600));
    CHECK_INT(secret_get(store, S("b"), &t->arena, &value), PX_F_CORRUPT);
}

TEST(a_lost_or_open_key_is_told)
{
    PX_AUTO(secret_store_close) struct secret_store *store = secrets_open(t), *again = NULL;
    CHECK_OK(secret_put(store, S("a"), S("value")));
    CHECK_INT(chmod(test_path(t, "secrets/key").ptr, 0644), 0);
    CHECK_INT(secret_store_open(test_path(t, "secrets"), &again), PX_F_CONFIG);
    CHECK_INT(unlink(test_path(t, "secrets/key").ptr), 0);
    CHECK_INT(secret_store_open(test_path(t, "secrets"), &again), PX_F_CONFIG);
    CHECK(access(test_path(t, "secrets/key").ptr, F_OK) != 0);
    CHECK_OK(px_file_write_atomic(test_path(t, "secrets/key").ptr, S("short"), 0600));
    CHECK_INT(secret_store_open(test_path(t, "secrets"), &again), PX_F_CORRUPT);
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
    if (secret_store_open(test_path(t, "secrets"), &store) != 0) return 1;
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
    struct px_str large = px_str(px_arena_zalloc(&t->arena, 65537), 65536), back;
    CHECK_OK(secret_put(store, S("a"), large));
    CHECK_OK(secret_get(store, S("a"), &t->arena, &back));
    CHECK_STR(back, large);
    large.len++;
    CHECK_INT(secret_put(store, S("a"), large), PX_F_LIMIT);
}

TEST_MAIN
