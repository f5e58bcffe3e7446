/* Secrets in a directory: sealed, bound to their name, told when damaged. What holds for both halves:
 * test_secrets.c. */
#include "support/support.h"

#include "store/secrets.h"

#include <sys/stat.h>

static struct secret_store *secrets_open(struct test *t)
{
    struct secret_store *store = NULL;
    CHECK_OK(secret_store_open(test_path(t, "secrets"), NULL, &store));
    return store;
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
        CHECK_INT(secret_get(store, S("a"), SECRET_CURRENT, &t->arena, &value), PX_F_CORRUPT);
        bytes.ptr[i] ^= 1;
        CHECK_OK(px_file_write_atomic(path.ptr, px_str(bytes.ptr, i), 0600));
        CHECK_INT(secret_get(store, S("a"), SECRET_CURRENT, &t->arena, &value), PX_F_CORRUPT);
    }
    /* nor does one under another's name */
    CHECK_OK(px_file_write_atomic(test_path(t, "secrets/b.sealed").ptr, px_buf_str(&bytes), 0600));
    CHECK_INT(secret_get(store, S("b"), SECRET_CURRENT, &t->arena, &value), PX_F_CORRUPT);
}

TEST(a_lost_or_open_key_is_told)
{
    PX_AUTO(secret_store_close) struct secret_store *store = secrets_open(t), *again = NULL;
    CHECK_OK(secret_put(store, S("a"), S("value")));
    CHECK_INT(chmod(test_path(t, "secrets/key").ptr, 0644), 0);
    CHECK_INT(secret_store_open(test_path(t, "secrets"), NULL, &again), PX_F_CONFIG);
    CHECK_INT(unlink(test_path(t, "secrets/key").ptr), 0);
    CHECK_INT(secret_store_open(test_path(t, "secrets"), NULL, &again), PX_F_CONFIG);
    CHECK(access(test_path(t, "secrets/key").ptr, F_OK) != 0);
    CHECK_OK(px_file_write_atomic(test_path(t, "secrets/key").ptr, S("short"), 0600));
    CHECK_INT(secret_store_open(test_path(t, "secrets"), NULL, &again), PX_F_CORRUPT);
}

TEST_MAIN
