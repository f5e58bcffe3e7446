/* Objects in a directory: what only files have. What holds for both halves: test_objects.c. */
#include "store/child.h"

#include "store/objects.h"

#include <sys/resource.h>
#include <sys/stat.h>

static struct object_store *objects_open(struct test *t)
{
    struct object_store *store = NULL;
    CHECK_OK(object_store_open(test_path(t, "objects"), NULL, &store));
    return store;
}
static struct px_str get(struct test *t, struct object_store *store, struct px_str key)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    CHECK_OK(object_get(store, key, &buf));
    return px_arena_dup(&t->arena, px_buf_str(&buf));
}

TEST(an_object_is_a_file_of_its_own)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    struct px_str path, url;
    CHECK_OK(object_temp_path(store, &t->arena, &path));
    CHECK_OK(px_file_write_atomic(path.ptr, S("x"), 0600));
    CHECK_OK(object_put_file(store, S("a/b"), path, S("")));
    CHECK_OK(object_url(store, S("a/b"), &t->arena, &url));
    CHECK(url.ptr[0] == '/');
    struct stat about;
    CHECK_INT(stat(url.ptr, &about), 0);
    CHECK_INT(about.st_nlink, 1);
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
    CHECK_INT(object_put_file(store, S("taken"), px_str_c(path), S("")), OBJECT_EXISTS);
    CHECK_OK(object_put_file(store, S("free"), px_str_c(path), S("")));
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

/* Half of them put and delete in one folder, so that it comes and goes under the others. */
static int churn(struct test *t, int i)
{
    struct object_store *store = NULL;
    if (object_store_open(test_path(t, "objects"), NULL, &store) != 0) return 1;
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
    if (object_store_open(test_path(t, "objects"), NULL, &store) != 0) return 1;
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
    if (object_store_open(test_path(t, "objects"), NULL, &store) != 0) return;
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

static int copy_too_large(struct test *t, int i)
{
    struct object_store *store = NULL;
    (void)i;
    if (object_store_open(test_path(t, "objects"), NULL, &store) != 0) return 1;
    struct rlimit small = {4096, 4096};
    (void)signal(SIGXFSZ, SIG_IGN); /* EFBIG instead */
    if (setrlimit(RLIMIT_FSIZE, &small) != 0) return 2;
    return object_copy(store, S("large"), store, S("a/b"), S("")) < 0 ? 0 : 3;
}
TEST(a_copy_that_finds_no_room_keeps_the_old_object_and_no_litter)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    char text[50000];
    memset(text, 'x', sizeof text);
    CHECK_OK(object_put(store, S("large"), px_str(text, sizeof text)));
    CHECK_OK(object_put(store, S("a/b"), S("old")));
    int status;
    in_children(t, 1, copy_too_large, &status);
    CHECK_INT(status, 0);
    CHECK_STR(get(t, store, S("a/b")), S("old"));
    size_t removed;
    CHECK_OK(object_store_sweep(store, 0, &removed));
    CHECK_INT(removed, 0);
}

static void copy_and_report(struct test *t, int out)
{
    struct object_store *store = NULL;
    if (object_store_open(test_path(t, "objects"), NULL, &store) != 0) return;
    for (uint64_t i = 1;; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "k/%d/%08llu", (int)getpid(), (unsigned long long)i);
        if (object_copy(store, S("large"), store, px_str_c(key), S("")) != 0) return;
        if (write(out, &i, sizeof i) != sizeof i) return;
    }
}
TEST(a_copy_that_kill_9_interrupts_is_whole_or_not_there)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    char text[50000];
    size_t at_least = 0;
    memset(text, 'x', sizeof text);
    CHECK_OK(object_put(store, S("large"), px_str(text, sizeof text)));
    for (unsigned round = 0; round < 10; round++) {
        at_least += killed_child(t, round * 907 % 9000, copy_and_report);
        struct object_info *infos;
        size_t count;
        CHECK_OK(object_list(store, S("k/"), S(""), 1000000, &t->arena, &infos, &count));
        CHECK(count >= at_least && count <= at_least + round + 1);
        for (size_t i = 0; i < count; i++) CHECK_INT(infos[i].bytes, sizeof text);
    }
}

TEST(a_copy_goes_to_another_folder)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    PX_AUTO(object_store_close) struct object_store *other = NULL;
    CHECK_OK(object_store_open(test_path(t, "others"), NULL, &other));
    CHECK_OK(object_put(store, S("k"), S("x")));
    CHECK_OK(object_copy(store, S("k"), other, S("deep/er"), S("")));
    CHECK_STR(get(t, other, S("deep/er")), S("x"));
}

static int put_bad_key(struct test *t, int i)
{
    static const char *const bad[] = {"", "/a", "a/", "a//b", "..", "a/../b", ".", ".tmp/x"};
    struct object_store *store = NULL;
    if ((size_t)i >= PX_COUNT(bad) || object_store_open(test_path(t, "objects"), NULL, &store) != 0)
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

TEST_MAIN
