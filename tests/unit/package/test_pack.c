/* Archives: the same bytes from the same files, and folders before what is in them. */
#include "support/support.h"

#include "package/pack.h"

static void put(struct test *t, const char *name, const char *content, unsigned mode)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", t->dir, name);
    CHECK_OK(px_file_write_atomic(path, px_str_c(content), mode));
}

static void put_folder(struct test *t, const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", t->dir, name);
    CHECK_OK(px_dir_make(path));
}

TEST(a_tree_is_listed_in_order_with_modes_by_kind)
{
    static const struct {
        const char *path;
        unsigned mode;
    } want[] = {
        {"a", 0755}, {"a/b", 0755}, {"a/b/lib", 0755}, {"a/b/lib/x", 0644}, {"a/b/run", 0755}};
    struct pack_list list = {0};
    put(t, "run", "1", 0700);
    put_folder(t, "lib");
    put(t, "lib/x", "2", 0600);
    CHECK_OK(pack_list_add_tree(&list, &t->arena, t->dir, S("a/b")));
    CHECK_INT(list.count, PX_COUNT(want));
    for (size_t i = 0; i < list.count; i++) {
        CHECK_STR(list.files[i].path, px_str_c(want[i].path));
        CHECK_INT(list.files[i].mode, want[i].mode);
    }
    CHECK_STR(list.files[3].content, S("2"));
}

TEST(a_folder_for_everybodys_files_is_sticky)
{
    struct pack_list list = {0};
    put_folder(t, "tmp");
    CHECK_OK(pack_list_add_tree(&list, &t->arena, t->dir, S("")));
    CHECK_INT(list.files[0].mode, 01777);
}

TEST(a_link_is_not_packed)
{
    struct pack_list list = {0};
    char path[128];
    (void)snprintf(path, sizeof path, "%s/link", t->dir);
    CHECK_INT(symlink("/etc/passwd", path), 0);
    CHECK_INT(pack_list_add_tree(&list, &t->arena, t->dir, S("")), PX_F_CONFIG);
}

TEST(an_absent_tree_is_a_fault)
{
    struct pack_list list = {0};
    CHECK_INT(pack_list_add_tree(&list, &t->arena, "/nonexistent/tree", S("")), PX_F_IO);
}

TEST(the_same_files_make_the_same_archives_in_every_time_zone)
{
    struct pack_file files[] = {{.path = S("d"), .is_dir = true, .mode = 0755},
                                {.path = S("d/f"), .content = S("content"), .mode = 0755}};
    struct pack_list list = {.files = files, .count = 2, .cap = 2};
    static const char *const zones[] = {"UTC", "Pacific/Kiritimati", "America/Anchorage"};
    char zip_is[PACK_HEX_BYTES] = "", tar_is[PACK_HEX_BYTES] = "", now[PACK_HEX_BYTES];
    for (size_t i = 0; i < PX_COUNT(zones); i++) {
        PX_AUTO(px_buf_deinit) struct px_buf zip;
        PX_AUTO(px_buf_deinit) struct px_buf tar;
        px_buf_init(&zip, 1u << 20);
        px_buf_init(&tar, 1u << 20);
        CHECK_INT(setenv("TZ", zones[i], 1), 0);
        CHECK_OK(pack_zip(&list, &zip));
        CHECK_OK(pack_tar(&list, &tar));
        pack_sha256(px_buf_str(&zip), now);
        if (i > 0) CHECK_STR(px_str_c(now), px_str_c(zip_is));
        memcpy(zip_is, now, sizeof now);
        pack_sha256(px_buf_str(&tar), now);
        if (i > 0) CHECK_STR(px_str_c(now), px_str_c(tar_is));
        memcpy(tar_is, now, sizeof now);
        CHECK_INT(tar.len % 512, 0);
    }
}

TEST(an_archive_above_its_ceiling_is_a_fault)
{
    PX_AUTO(px_buf_deinit) struct px_buf zip;
    struct pack_file file = {.path = S("f"), .content = S("content"), .mode = 0644};
    struct pack_list list = {.files = &file, .count = 1, .cap = 1};
    px_buf_init(&zip, 16);
    CHECK_INT(pack_zip(&list, &zip), PX_F_LIMIT);
}

TEST(a_digest_is_sha_256)
{
    char hex[PACK_HEX_BYTES];
    pack_sha256(S("abc"), hex); /* FIPS 180-2, appendix B.1 */
    CHECK_STR(px_str_c(hex), S("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
}

TEST_MAIN
