/* Copies of objects: a folder becomes like another, and only a comparison that may delete does. */
#include "support/support.h"

#include "region/copies.h"

static struct object_store *store_of(struct test *t, const char *name)
{
    struct object_store *store = NULL;
    CHECK_OK(object_store_open(test_path(t, "%s", name), NULL, &store));
    return store;
}

static struct px_str all(struct test *t, struct object_store *store)
{
    struct object_info *infos;
    size_t count;
    struct px_str text = S("");
    CHECK_OK(object_list(store, S(""), S(""), 10000, &t->arena, &infos, &count));
    for (size_t i = 0; i < count; i++) {
        PX_AUTO(px_buf_deinit) struct px_buf bytes;
        px_buf_init(&bytes, 1 << 20);
        CHECK_OK(object_get(store, infos[i].key, &bytes));
        text = px_arena_printf(&t->arena, "%.*s%.*s=%.*s\n", PX_FMT(text), PX_FMT(infos[i].key),
                               PX_FMT(px_buf_str(&bytes)));
    }
    return text;
}

TEST(what_is_new_changed_and_gone_is_followed)
{
    PX_AUTO(object_store_close) struct object_store *from = store_of(t, "from");
    PX_AUTO(object_store_close) struct object_store *to = store_of(t, "to");
    struct copies_sum sum = {0};
    CHECK_OK(object_put(from, S("acme/a/1.parquet"), S("one")));
    CHECK_OK(object_put(from, S("acme/b/2.parquet"), S("two")));
    CHECK_OK(copies_make_alike(from, to, true, NULL, NULL, &sum));
    CHECK_INT(sum.copied, 2);
    CHECK_STR(all(t, to), all(t, from));
    CHECK_OK(object_put(from, S("acme/a/1.parquet"), S("three")));
    CHECK_OK(object_delete(from, S("acme/b/2.parquet")));
    CHECK_OK(object_put(from, S("z"), S("")));
    sum = (struct copies_sum){0};
    CHECK_OK(copies_make_alike(from, to, true, NULL, NULL, &sum));
    CHECK_INT(sum.copied, 2);
    CHECK_INT(sum.deleted, 1);
    CHECK_STR(all(t, to), all(t, from));
    sum = (struct copies_sum){0};
    CHECK_OK(copies_make_alike(from, to, true, NULL, NULL, &sum));
    CHECK_INT(sum.copied + sum.deleted, 0);
}

TEST(without_the_right_nothing_is_deleted)
{
    PX_AUTO(object_store_close) struct object_store *from = store_of(t, "from");
    PX_AUTO(object_store_close) struct object_store *to = store_of(t, "to");
    struct copies_sum sum = {0};
    CHECK_OK(object_put(to, S("old"), S("kept")));
    CHECK_OK(object_put(from, S("new"), S("copied")));
    CHECK_OK(copies_make_alike(from, to, false, NULL, NULL, &sum));
    CHECK_STR(all(t, to), S("new=copied\nold=kept\n"));
}

TEST(more_objects_than_a_page_has)
{
    PX_AUTO(object_store_close) struct object_store *from = store_of(t, "from");
    PX_AUTO(object_store_close) struct object_store *to = store_of(t, "to");
    struct copies_sum sum = {0};
    for (int i = 0; i < 1201; i++) {
        struct px_str key = px_arena_printf(&t->arena, "%d/%d", i % 7, i);
        CHECK_OK(object_put(i % 3 == 0 ? to : from, key, S("x")));
    }
    CHECK_OK(copies_make_alike(from, to, true, NULL, NULL, &sum));
    CHECK_INT(sum.deleted, 401);
    CHECK_INT(sum.copied, 800);
    CHECK_STR(all(t, to), all(t, from));
}

TEST_MAIN
