/* Objects: whole or absent, once, in key order. One suite for both halves: in a directory by itself, in
 * S3 when PRISM_TEST_S3 names an endpoint that needs no real account (tests/sys/test_objects_s3.py). */
#include "aws/emulator.h"
#include "store/child.h"

#include "store/objects.h"

__attribute__((constructor)) static void reach(void) { emulator_init(); }

static struct px_str objects_url(struct test *t) { return emulator_url(t, "objects"); }

static struct object_store *objects_reopen(struct test *t)
{
    struct object_store *store = NULL;
    struct object_options options = {.temp_dir = test_path(t, "tmp"), .call_ms = 30000};
    CHECK_OK(object_store_open(objects_url(t), &options, &store));
    return store;
}
static struct object_store *objects_open(struct test *t)
{
    emulator_bucket(t);
    return objects_reopen(t);
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
    CHECK_OK(object_put_file(store, S("a/b"), one, S("logs")));
    CHECK(access(one.ptr, F_OK) != 0);
    CHECK_INT(object_put_file(store, S("a/b"), two, S("")), OBJECT_EXISTS);
    CHECK_STR(get(t, store, S("a/b")), S("one"));
    CHECK(access(two.ptr, F_OK) == 0);
    CHECK_INT(object_put_file(store, S("c"), test_path(t, "absent"), S("")), PX_F_IO);
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

/* ---- copies ---- */

struct pieces {
    struct px_buf all;
    size_t count, stop_at; /* stop_at: a fault with this piece; 0: never */
};

static int take_piece(void *ctx, struct px_str bytes)
{
    struct pieces *pieces = ctx;
    px_buf_add_str(&pieces->all, bytes);
    if (++pieces->count == pieces->stop_at) return px_fault(PX_F_NO_SPACE, "no more");
    return px_buf_fault(&pieces->all);
}

/* from: the same place, perhaps as if it were in another region. */
static void check_copy_from(struct test *t, struct object_store *from, struct object_store *store,
                            size_t bytes)
{
    char *text = px_arena_alloc(&t->arena, bytes + 1);
    struct pieces pieces = {0};
    CHECK(text);
    for (size_t i = 0; i < bytes; i++) text[i] = (char)(i * 2654435761u >> 13);
    px_buf_init(&pieces.all, bytes + 1);
    CHECK_OK(object_put(store, S("from/a b+%"), px_str(text, bytes)));
    CHECK_OK(object_put(store, S("to/c"), S("what stood there before")));
    CHECK_OK(object_copy(from, S("from/a b+%"), store, S("to/c"), S("logs")));
    CHECK_OK(object_copy(from, S("from/a b+%"), store, S("to/c"), S(""))); /* a repeat */
    CHECK_OK(object_read(store, S("to/c"), take_piece, &pieces));
    CHECK_STR(px_buf_str(&pieces.all), px_str(text, bytes));
    px_buf_deinit(&pieces.all);
}

static void check_copy(struct test *t, struct object_store *store, size_t bytes)
{
    check_copy_from(t, store, store, bytes);
}

TEST(an_object_of_another_region_is_copied_through_here)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    PX_AUTO(object_store_close) struct object_store *there = NULL;
    struct px_str url = objects_url(t);
    struct object_options options = {.temp_dir = test_path(t, "tmp"), .call_ms = 30000};
    if (px_str_starts(url, S("s3://"))) /* emulators do not look at what a request is signed for */
        url = px_arena_printf(&t->arena, "%.*s?region=ap-south-2", PX_FMT(url));
    CHECK_OK(object_store_open(url, &options, &there));
    check_copy_from(t, there, store, 0);
    check_copy_from(t, there, store, 200000);
    check_copy_from(t, there, store, (17u << 20) + 5); /* three parts */
    CHECK_INT(object_copy(there, S("none"), store, S("to/d"), S("")), OBJECT_ABSENT);
}

TEST(a_copy_has_the_same_bytes_and_stays_when_the_other_goes)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    struct pieces none = {0};
    check_copy(t, store, 0);
    check_copy(t, store, 200000);
    CHECK_OK(object_delete(store, S("from/a b+%")));
    CHECK_INT(get(t, store, S("to/c")).len, 200000);
    CHECK_INT(object_copy(store, S("from/a b+%"), store, S("to/d"), S("")), OBJECT_ABSENT);
    CHECK_INT(object_read(store, S("to/d"), take_piece, &none), OBJECT_ABSENT);
    CHECK_INT(none.count, 0);
}

TEST(a_large_object_is_copied_in_parts_and_read_in_pieces)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    struct pieces pieces = {.stop_at = 2};
    check_copy(t, store, (33u << 20) + 5); /* more than S3 copies in one call here */
    px_buf_init(&pieces.all, 64u << 20);
    CHECK_INT(object_read(store, S("to/c"), take_piece, &pieces), PX_F_NO_SPACE);
    CHECK_INT(pieces.count, 2);
    CHECK(pieces.all.len <= 16u << 20);
    px_buf_deinit(&pieces.all);
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

TEST(a_key_may_have_odd_characters)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    static const char *const keys[] = {
        "a b/c d",   "a+b",      "a%20b",      "\xc3\xa9/\xf0\x9f\x8c\x88", "q?x=1&y", "#h",
        "a:b@c,d;e", "(x)*'!~$", "\"<>\\|{}^`"};
    for (size_t i = 0; i < PX_COUNT(keys); i++)
        CHECK_OK(object_put(store, px_str_c(keys[i]), px_str_c(keys[i])));
    struct object_info *infos = NULL;
    size_t count = 0;
    CHECK_OK(object_list(store, S(""), S(""), 100, &t->arena, &infos, &count));
    CHECK_INT(count, PX_COUNT(keys));
    for (size_t i = 0; i < count; i++) {
        CHECK_STR(get(t, store, infos[i].key), infos[i].key);
        CHECK_INT(infos[i].bytes, infos[i].key.len);
        if (i > 0) CHECK(px_str_cmp(infos[i - 1].key, infos[i].key) < 0);
    }
    struct px_str rest = list(t, store, S("a"), S("a b/c d"), 100);
    CHECK_STR(rest, S("a%20b a+b a:b@c,d;e "));
    for (size_t i = 0; i < PX_COUNT(keys); i++) CHECK_OK(object_delete(store, px_str_c(keys[i])));
    CHECK_STR(list(t, store, S(""), S(""), 100), S(""));
}

TEST(lists_of_more_than_a_page_are_whole)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    char key[32];
    struct object_info *infos = NULL;
    size_t count = 0;
    for (int i = 0; i < 1030; i++) {
        (void)snprintf(key, sizeof key, "k/%04d", i);
        CHECK_OK(object_put(store, px_str_c(key), S("")));
    }
    CHECK_OK(object_list(store, S("k/"), S(""), 2000, &t->arena, &infos, &count));
    CHECK_INT(count, 1030);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(key, sizeof key, "k/%04zu", i);
        CHECK_STR(infos[i].key, px_str_c(key));
    }
    CHECK_OK(object_list(store, S("k/"), S("k/0004"), 1020, &t->arena, &infos, &count));
    CHECK_INT(count, 1020);
    CHECK_STR(infos[0].key, S("k/0005"));
}

/* Bytes that differ everywhere, so that a part in another's place is noticed. */
static struct px_str large_bytes(struct px_buf *buf, size_t bytes)
{
    px_buf_init(buf, bytes);
    uint32_t *words = (uint32_t *)px_buf_reserve(buf, bytes);
    CHECK(words);
    for (size_t i = 0; i < bytes / sizeof *words; i++) words[i] = (uint32_t)i * 2654435761u;
    buf->len = bytes;
    return px_buf_str(buf);
}
static void large_object_comes_back(struct test *t, size_t bytes)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    PX_AUTO(px_buf_deinit) struct px_buf made, back;
    struct px_str text = large_bytes(&made, bytes), path = temp_file(t, store, text);
    struct object_info info;
    px_buf_init(&back, bytes);
    CHECK_OK(object_put_file(store, S("large"), path, S("logs")));
    CHECK_OK(object_head(store, S("large"), &t->arena, &info));
    CHECK_INT(info.bytes, bytes);
    CHECK_OK(object_get(store, S("large"), &back));
    CHECK(px_str_eq(px_buf_str(&back), text));
    px_buf_deinit(&back);
    px_buf_init(&back, bytes - 1);
    CHECK_INT(object_get(store, S("large"), &back), OBJECT_TOO_LARGE);
    path = temp_file(t, store, S("small"));
    CHECK_INT(object_put_file(store, S("large"), path, S("")), OBJECT_EXISTS);
    CHECK_OK(object_delete(store, S("large")));
}
TEST(an_object_of_two_parts_comes_back) { large_object_comes_back(t, (9u << 20) + 12); }
TEST(an_object_of_100_mb_comes_back) { large_object_comes_back(t, 100u << 20); }

TEST(large_bytes_of_memory_are_an_object_too)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    PX_AUTO(px_buf_deinit) struct px_buf made, back;
    struct px_str text = large_bytes(&made, 10u << 20);
    px_buf_init(&back, text.len);
    CHECK_OK(object_put(store, S("k"), S("before")));
    CHECK_OK(object_put(store, S("k"), text));
    CHECK_OK(object_get(store, S("k"), &back));
    CHECK(px_str_eq(px_buf_str(&back), text));
}

static int put_own(struct test *t, int i)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_reopen(t);
    size_t bytes = i % 2 ? 10 : (size_t)9 << 20; /* whole ones and ones in parts */
    char *text = malloc(bytes);
    struct px_str path;
    if (!text || object_temp_path(store, &t->arena, &path) != 0) return 90;
    memset(text, 'a' + i, bytes);
    int r = px_file_write_atomic(path.ptr, px_str(text, bytes), 0600);
    if (r == 0) r = object_put_file(store, S("one/key"), path, S(""));
    free(text);
    return r == 0 ? 0 : r == OBJECT_EXISTS ? 1 : 91;
}
TEST(of_several_that_put_one_key_one_succeeds)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    object_store_close(&store); /* children begin without its threads */
    int status[6], winner = -1;
    in_children(t, 6, put_own, status);
    for (int i = 0; i < 6; i++) {
        CHECK(status[i] == 0 || status[i] == 1);
        if (status[i] == 0) CHECK_INT(winner, -1);
        if (status[i] == 0) winner = i;
    }
    CHECK(winner >= 0);
    store = objects_reopen(t);
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 10u << 20);
    CHECK_OK(object_get(store, S("one/key"), &buf));
    CHECK_INT(buf.ptr[0], 'a' + winner);
    CHECK_INT(buf.ptr[buf.len - 1], 'a' + winner);
}

TEST(an_url_says_where_the_object_is)
{
    PX_AUTO(object_store_close) struct object_store *store = objects_open(t);
    struct px_str url, where = objects_url(t), signed_url = {0};
    CHECK_OK(object_url(store, S("a/b"), &t->arena, &url));
    CHECK(px_str_ends(url, px_arena_printf(&t->arena, "%.*s/a/b", PX_FMT(where))));
    int r = object_presign(store, S("a/b"), OBJECT_READ, 60, &t->arena, &signed_url);
    CHECK_INT(r, on_s3() ? 0 : OBJECT_LOCAL);
}

TEST_MAIN
