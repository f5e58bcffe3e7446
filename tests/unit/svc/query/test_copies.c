/* Local copies of small objects: which there are, how many, and that a damaged one is none. The store is a folder, so
 * that objects can be looked at; copies do not know the difference. */
#include "support/support.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/px_file.h"
#include "svc/query/copies.h"

#define OBJECT 1000

struct rig {
    struct test *t;
    struct object_store *store;
    struct copies *copies;
    struct copy_wish wishes[128];
    uint64_t got; /* by the last want() */
};

static void rig_open(struct test *t, struct rig *rig, uint64_t bytes_max)
{
    memset(rig, 0, sizeof *rig);
    rig->t = t;
    CHECK_OK(object_store_open(test_path(t, "objects"), NULL, &rig->store));
    const struct copies_options options = {
        .folder = test_path(t, "copies"), .bytes_max = bytes_max, .object_bytes_max = 2 * OBJECT};
    CHECK_OK(copies_new(&options, &rig->copies));
}
static void rig_close(struct rig *rig)
{
    copies_free(&rig->copies);
    object_store_close(&rig->store);
}

static struct px_str key_of(const struct rig *rig, const char *tenant, int n)
{
    return px_arena_printf(&rig->t->arena, "%s/logs/%d.parquet", tenant, n);
}

/* An object whose bytes are its key's, over and over. */
static void put(struct rig *rig, struct px_str key, size_t bytes)
{
    char *text = px_arena_alloc(&rig->t->arena, bytes);
    CHECK(text);
    for (size_t i = 0; i < bytes; i++) text[i] = key.ptr[i % key.len];
    CHECK_OK(object_put(rig->store, key, px_str(text, bytes)));
}

/* Objects from..to of a tenant are wanted; how many have a path. */
static int want(struct rig *rig, const char *tenant, int from, int to)
{
    int paths = 0;
    for (int n = from; n <= to; n++)
        rig->wishes[n - from] = (struct copy_wish){
            .store = rig->store, .key = key_of(rig, tenant, n), .bytes = OBJECT};
    CHECK_OK(copies_want(rig->copies, px_str_c(tenant), rig->wishes, (size_t)(to - from + 1),
                         INT64_MAX, &rig->t->arena, &rig->got));
    for (int n = from; n <= to; n++) paths += rig->wishes[n - from].path.ptr != NULL;
    return paths;
}

/* The copy holds what the object holds. */
static void check_copy(struct rig *rig, const struct copy_wish *wish)
{
    PX_AUTO(px_buf_deinit) struct px_buf copy, object;
    px_buf_init(&copy, 1u << 20);
    px_buf_init(&object, 1u << 20);
    CHECK(wish->path.ptr);
    CHECK_OK(px_file_read(wish->path.ptr, &copy));
    CHECK_OK(object_get(rig->store, wish->key, &object));
    CHECK(px_str_eq(px_buf_str(&copy), px_buf_str(&object)));
}

static int count_file(void *ctx, const char *name, bool is_dir)
{
    (void)name;
    if (!is_dir) ++*(int *)ctx;
    return 0;
}
static int files_of(struct rig *rig, const char *tenant)
{
    int count = 0;
    struct px_str folder;
    CHECK_OK(copies_folder(rig->copies, px_str_c(tenant), &rig->t->arena, &folder));
    CHECK_OK(px_dir_each(folder.ptr, count_file, &count));
    return count;
}

TEST(what_is_wanted_is_got_once)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig, 200 * OBJECT);
    for (int n = 0; n < 100; n++) put(&rig, key_of(&rig, "acme", n), OBJECT);
    CHECK_INT(want(&rig, "acme", 0, 99), 100);
    CHECK_INT(rig.got, 100 * OBJECT);
    for (int n = 0; n < 100; n++) check_copy(&rig, &rig.wishes[n]);
    CHECK_INT(want(&rig, "acme", 50, 99), 50);
    CHECK_INT(rig.got, 0);
    check_copy(&rig, &rig.wishes[49]);
}

TEST(large_objects_and_those_of_another_tenant_have_no_copy)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig, 100 * OBJECT);
    put(&rig, S("acme/large"), 2 * OBJECT + 1);
    put(&rig, S("acme/fits"), 2 * OBJECT);
    put(&rig, S("other/x"), OBJECT);
    put(&rig, S("acmes/x"), OBJECT);
    struct copy_wish wishes[] = {{rig.store, S("acme/large"), 2 * OBJECT + 1, {0}},
                                 {rig.store, S("acme/fits"), 2 * OBJECT, {0}},
                                 {rig.store, S("other/x"), OBJECT, {0}},
                                 {rig.store, S("acmes/x"), OBJECT, {0}},
                                 {rig.store, S("acme/fits"), 0, {0}}};
    CHECK_OK(copies_want(rig.copies, S("acme"), wishes, PX_COUNT(wishes), INT64_MAX, &t->arena,
                         &rig.got));
    for (size_t i = 0; i < PX_COUNT(wishes); i++) CHECK((wishes[i].path.ptr != NULL) == (i == 1));
    CHECK_INT(rig.got, 2 * OBJECT);
}

TEST(copies_of_tenants_are_in_folders_of_their_own)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig, 100 * OBJECT);
    struct px_str folder;
    const char *const tenants[] = {"acme", "beta"};
    for (size_t i = 0; i < PX_COUNT(tenants); i++) {
        put(&rig, key_of(&rig, tenants[i], 1), OBJECT);
        CHECK_INT(want(&rig, tenants[i], 1, 1), 1);
        check_copy(&rig, &rig.wishes[0]);
        CHECK_OK(copies_folder(rig.copies, px_str_c(tenants[i]), &t->arena, &folder));
        CHECK(px_str_starts(rig.wishes[0].path, folder));
        struct stat about;
        CHECK(stat(folder.ptr, &about) == 0 && (about.st_mode & 077) == 0);
    }
}

TEST(the_ceiling_holds_and_what_was_not_wanted_for_the_longest_goes_first)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig, 10 * OBJECT);
    for (int n = 0; n < 30; n++) put(&rig, key_of(&rig, "acme", n), OBJECT);
    CHECK_INT(want(&rig, "acme", 0, 9), 10);
    CHECK_INT(want(&rig, "acme", 0, 4), 5); /* 5 to 9 are the older ones now */
    CHECK_INT(want(&rig, "acme", 20, 23), 4);
    CHECK_INT(files_of(&rig, "acme"), 10);
    CHECK_INT(want(&rig, "acme", 0, 4), 5);
    CHECK_INT(rig.got, 0);
    CHECK_INT(want(&rig, "acme", 5, 8), 4);
    CHECK(rig.got >= 3 * OBJECT);
    CHECK_INT(files_of(&rig, "acme"), 10);
    CHECK_INT(want(&rig, "acme", 0, 29), 10); /* none of them makes room for another of them */
    CHECK_INT(files_of(&rig, "acme"), 10);
    for (int n = 0; n < 30; n++)
        if (rig.wishes[n].path.ptr) check_copy(&rig, &rig.wishes[n]);
}

TEST(a_copy_that_is_cut_or_gone_is_got_again)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig, 10 * OBJECT);
    put(&rig, key_of(&rig, "acme", 1), OBJECT);
    CHECK_INT(want(&rig, "acme", 1, 1), 1);
    CHECK_INT(truncate(rig.wishes[0].path.ptr, OBJECT / 2), 0);
    CHECK_INT(want(&rig, "acme", 1, 1), 1);
    CHECK_INT(rig.got, OBJECT);
    check_copy(&rig, &rig.wishes[0]);
    CHECK_INT(unlink(rig.wishes[0].path.ptr), 0);
    CHECK_INT(want(&rig, "acme", 1, 1), 1);
    check_copy(&rig, &rig.wishes[0]);
    CHECK_INT(files_of(&rig, "acme"), 1);
}

TEST(what_cannot_be_got_has_no_copy_and_takes_no_room)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig, 2 * OBJECT);
    put(&rig, key_of(&rig, "acme", 1), OBJECT);
    put(&rig, key_of(&rig, "acme", 3), OBJECT / 2); /* the catalog knows another length */
    CHECK_INT(want(&rig, "acme", 2, 2), 0);
    CHECK_INT(want(&rig, "acme", 3, 3), 0);
    put(&rig, key_of(&rig, "acme", 2), OBJECT);
    CHECK_INT(want(&rig, "acme", 1, 2), 2);
    CHECK_INT(files_of(&rig, "acme"), 2);
}

TEST(one_object_that_is_wanted_twice_is_got_once)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig, 10 * OBJECT);
    struct px_str key = key_of(&rig, "acme", 1);
    put(&rig, key, OBJECT);
    struct copy_wish wishes[] = {{rig.store, key, OBJECT, {0}}, {rig.store, key, OBJECT, {0}}};
    CHECK_OK(copies_want(rig.copies, S("acme"), wishes, 2, INT64_MAX, &t->arena, &rig.got));
    CHECK_INT(rig.got, OBJECT);
    CHECK(wishes[0].path.ptr && px_str_eq(wishes[0].path, wishes[1].path));
}

TEST(nothing_is_begun_when_time_is_up_or_where_nothing_can_be_written)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig, 10 * OBJECT);
    struct px_str key = key_of(&rig, "acme", 1);
    put(&rig, key, OBJECT);
    struct copy_wish wish = {rig.store, key, OBJECT, {0}};
    CHECK_OK(copies_want(rig.copies, S("acme"), &wish, 1, 0, &t->arena, &rig.got));
    CHECK(!wish.path.ptr && rig.got == 0);
    CHECK_OK(px_dir_remove(test_path(t, "copies").ptr));
    CHECK_OK(px_file_write_new(test_path(t, "copies").ptr, S("a file"), 0600));
    CHECK_OK(copies_want(rig.copies, S("acme"), &wish, 1, INT64_MAX, &t->arena, &rig.got));
    CHECK(!wish.path.ptr);
}

TEST_MAIN
