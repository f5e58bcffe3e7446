/* Objects: whole or absent, in key order, never outside the root. */
#include "store/child.h"

#include "store/objects.h"

#include <sys/resource.h>
#include <sys/stat.h>

static struct object_store *objects_open(struct test *t)
{
    struct object_store *store = NULL;
    CHECK_OK(object_store_open(test_path(t, "objects"), &store));
    return store;
}
static struct px_str get(struct test *t, struct object_store *store, struct px_str key)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    CHECK_OK(object_get(store, key, &buf));
    return px_arena_dup(&t->arena, px_buf_str(&buf));
}
static struct px_str temp_file(struct test *t, struct object_store *store, struct px_str text)
{
    struct px_str path;
    CHECK_OK(object_temp_path(store, &t->arena, &path));
    CHECK_OK(px_file_write_atomic(path.ptr, text, 0600));
    return path;
}

TEST(an_object_comes_back_whole)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    PX_AUTO(px_buf_deinit) struct px_buf small;
    px_buf_init(&small, 4);
    struct px_str key = S("acme/logs/2026-01-02/part.parquet");
    CHECK_INT(object_get(store, key, &small), OBJECT_ABSENT);
    CHECK_OK(object_put(store, key, S("12345")));
    CHECK_STR(get(t, store, key), S("12345"));
    CHECK_INT(object_get(store, key, &small), OBJECT_TOO_LARGE);
    CHECK_OK(object_put(store, key, S("other")));
    CHECK_STR(get(t, store, key), S("other"));
    CHECK_OK(object_put(store, S("empty"), S("")));
    CHECK_STR(get(t, store, S("empty")), S(""));
    struct object_info info;
    CHECK_OK(object_head(store, key, &t->arena, &info));
    CHECK_STR(info.key, key);
    CHECK_INT(info.bytes, 5);
    CHECK(info.modified_ns > INT64_C(1700000000) * PX_NS_PER_S);
    CHECK_INT(object_head(store, S("acme/logs"), &t->arena, &info), OBJECT_ABSENT);
    CHECK_INT(object_get(store, S("acme/logs"), &small), OBJECT_ABSENT);
    CHECK_INT(object_get(store, S("empty/below"), &small), OBJECT_ABSENT);
}

TEST(a_file_becomes_an_object_once)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    struct px_str one = temp_file(t, store, S("one")), two = temp_file(t, store, S("two"));
    CHECK_OK(object_put_file(store, S("a/b"), one));
    CHECK(access(one.ptr, F_OK) != 0);
    CHECK_INT(object_put_file(store, S("a/b"), two), OBJECT_EXISTS);
    CHECK_STR(get(t, store, S("a/b")), S("one"));
    CHECK(access(two.ptr, F_OK) == 0);
    struct px_str url;
    CHECK_OK(object_url(store, S("a/b"), &t->arena, &url));
    CHECK(url.ptr[0] == '/');
    struct stat about;
    CHECK_INT(stat(url.ptr, &about), 0);
    CHECK_INT(about.st_nlink, 1);
    CHECK_INT(object_put_file(store, S("c"), test_path(t, "absent")), PX_F_IO);
}

TEST(a_file_from_another_file_system_is_copied)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    char path[] = "/dev/shm/prism-object-XXXXXX";
    struct stat here, there;
    int fd = mkstemp(path);
    if (fd < 0 || fstat(fd, &there) != 0 || stat(t->dir, &here) != 0 ||
        here.st_dev == there.st_dev) {
        print_message("no second file system\n");
        px_close(&fd);
        return;
    }
    size_t bytes = 200000;
    struct px_str text = px_str(memset(px_arena_alloc(&t->arena, bytes), 'x', bytes), bytes);
    CHECK_OK(px_file_write_all(fd, text.ptr, text.len));
    px_close(&fd);
    CHECK_OK(object_put(store, S("taken"), S("x")));
    CHECK_INT(object_put_file(store, S("taken"), px_str_c(path)), OBJECT_EXISTS);
    CHECK_OK(object_put_file(store, S("free"), px_str_c(path)));
    CHECK(access(path, F_OK) != 0);
    CHECK_STR(get(t, store, S("free")), text);
}

TEST(deleting_takes_empty_folders_along)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    CHECK_OK(object_delete(store, S("a/b/c")));
    CHECK_OK(object_put(store, S("a/b/c"), S("x")));
    CHECK_OK(object_put(store, S("a/d"), S("x")));
    CHECK_OK(object_delete(store, S("a/b"))); /* a folder is no object */
    CHECK_OK(object_delete(store, S("a/b/c")));
    CHECK(access(test_path(t, "objects/a/b").ptr, F_OK) != 0);
    CHECK_OK(object_delete(store, S("a/d")));
    CHECK(access(test_path(t, "objects/a").ptr, F_OK) != 0);
    CHECK_OK(object_put(store, S("a/d"), S("x")));
}

static struct px_str list(struct test *t, struct object_store *store, struct px_str prefix,
                          struct px_str after, size_t max)
{
    struct object_info *infos;
    size_t count;
    CHECK_OK(object_list(store, prefix, after, max, &t->arena, &infos, &count));
    struct px_str text = S("");
    for (size_t i = 0; i < count; i++)
        text = px_arena_printf(&t->arena, "%.*s%.*s ", PX_FMT(text), PX_FMT(infos[i].key));
    return text;
}
TEST(lists_are_in_key_order_and_go_on_after_a_key)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    static const char *const keys[] = {"a0", "a/y", "a-b", "a/x/1", "a/x.1", "b", "a/x/2", "a!/z"};
    for (size_t i = 0; i < PX_COUNT(keys); i++)
        CHECK_OK(object_put(store, px_str_c(keys[i]), S("x")));
    (void)temp_file(t, store, S("never listed"));
    const char *all[] = {"a!/z", "a-b", "a/x.1", "a/x/1", "a/x/2", "a/y", "a0", "b"};
    CHECK_STR(list(t, store, S(""), S(""), 100), S("a!/z a-b a/x.1 a/x/1 a/x/2 a/y a0 b "));
    for (size_t i = 0; i < PX_COUNT(all); i++) { /* page by page, each size */
        struct px_str after = S(""), joined = S("");
        for (size_t size = i + 1;;) {
            struct object_info *infos;
            size_t count;
            CHECK_OK(object_list(store, S(""), after, size, &t->arena, &infos, &count));
            for (size_t k = 0; k < count; k++)
                joined = px_arena_printf(&t->arena, "%.*s%.*s ", PX_FMT(joined),
                                         PX_FMT(infos[k].key));
            if (count < size) break;
            after = infos[count - 1].key;
        }
        CHECK_STR(joined, S("a!/z a-b a/x.1 a/x/1 a/x/2 a/y a0 b "));
    }
    CHECK_STR(list(t, store, S("a/"), S(""), 100), S("a/x.1 a/x/1 a/x/2 a/y "));
    CHECK_STR(list(t, store, S("a/x"), S(""), 100), S("a/x.1 a/x/1 a/x/2 "));
    CHECK_STR(list(t, store, S("a/x/"), S("a/x/1"), 100), S("a/x/2 "));
    CHECK_STR(list(t, store, S("a"), S("a/x/1"), 2), S("a/x/2 a/y "));
    CHECK_STR(list(t, store, S(""), S("a/x/99"), 100), S("a/y a0 b "));
    CHECK_STR(list(t, store, S("none/of/these"), S(""), 100), S(""));
}

static int put_bad_key(struct test *t, int i)
{
    static const char *const bad[] = {"", "/a", "a/", "a//b", "..", "a/../b", ".", ".tmp/x"};
    struct object_store *store = NULL;
    if ((size_t)i >= PX_COUNT(bad) || object_store_open(test_path(t, "objects"), &store) != 0)
        return 1;
    (void)!freopen("/dev/null", "w", stderr);
    signal(SIGABRT, SIG_DFL);
    struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    int r = object_put(store, px_str_c(bad[i]), S("x"));
    return r == 0 ? 0 : 2;
}
TEST(no_key_leads_out_of_the_root)
{
    for (int i = 0; i < 8; i++) {
        pid_t child = fork();
        if (child == 0) _exit(put_bad_key(t, i));
        int status = 0;
        CHECK_INT(waitpid(child, &status, 0), child);
        CHECK(WIFSIGNALED(status)); /* keys are made by Prism, so this is an assertion */
    }
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    char key[1100];
    memset(key, 'k', sizeof key);
    CHECK(object_put(store, px_str(key, 300), S("x")) < 0); /* a part over 255 bytes */
}

TEST(litter_is_swept_when_old)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    (void)temp_file(t, store, S("x"));
    size_t removed = 9;
    CHECK_OK(object_store_sweep(store, 60000, &removed));
    CHECK_INT(removed, 0);
    CHECK_OK(object_store_sweep(store, 0, &removed));
    CHECK_INT(removed, 1);
}

/* Half of them put and delete in one folder, so that it comes and goes under the others. */
static int churn(struct test *t, int i)
{
    struct object_store *store = NULL;
    if (object_store_open(test_path(t, "objects"), &store) != 0) return 1;
    int r = 0;
    for (int round = 0; round < 60 && r == 0; round++) {
        char key[32];
        (void)snprintf(key, sizeof key, "x/y/%d-%d", i, round);
        r = object_put(store, px_str_c(key), S("text"));
        if (r == 0 && i % 2) r = object_delete(store, px_str_c(key));
    }
    object_store_close(&store);
    return r == 0 ? 0 : 2;
}
TEST(folders_may_come_and_go_under_a_put)
{
    int status[6];
    in_children(t, 6, churn, status);
    for (int i = 0; i < 6; i++) CHECK_INT(status[i], 0);
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    struct object_info *infos;
    size_t count;
    CHECK_OK(object_list(store, S("x/y/"), S(""), 1000, &t->arena, &infos, &count));
    CHECK_INT(count, 180);
}

static int put_too_large(struct test *t, int i)
{
    (void)i;
    static char large[100000];
    struct object_store *store = NULL;
    if (object_store_open(test_path(t, "objects"), &store) != 0) return 1;
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {4096, 4096};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
    int r = object_put(store, S("a/b"), px_str(large, sizeof large));
    object_store_close(&store);
    return r == PX_F_NO_SPACE ? 0 : 3;
}
TEST(a_full_disk_keeps_the_old_object_and_no_litter)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    CHECK_OK(object_put(store, S("a/b"), S("old")));
    int status;
    in_children(t, 1, put_too_large, &status);
    CHECK_INT(status, 0);
    CHECK_STR(get(t, store, S("a/b")), S("old"));
    size_t removed;
    CHECK_OK(object_store_sweep(store, 0, &removed));
    CHECK_INT(removed, 0);
}

static void put_and_report(struct test *t, int out)
{
    struct object_store *store = NULL;
    if (object_store_open(test_path(t, "objects"), &store) != 0) return;
    char text[5000];
    memset(text, 'x', sizeof text);
    for (uint64_t i = 1;; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "k/%d/%08llu", (int)getpid(), (unsigned long long)i);
        if (object_put(store, px_str_c(key), px_str(text, sizeof text)) != 0) return;
        if (write(out, &i, sizeof i) != sizeof i) return;
    }
}
TEST(what_kill_9_leaves_is_whole)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    size_t at_least = 0;
    for (unsigned round = 0; round < 10; round++) {
        at_least += killed_child(t, round * 907 % 9000, put_and_report);
        struct object_info *infos;
        size_t count;
        CHECK_OK(object_list(store, S(""), S(""), 1000000, &t->arena, &infos, &count));
        CHECK(count >= at_least && count <= at_least + round + 1);
        for (size_t i = 0; i < count; i++) CHECK_INT(infos[i].bytes, 5000);
    }
}

TEST_MAIN
