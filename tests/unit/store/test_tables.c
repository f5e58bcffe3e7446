/* Tables: conditions, expiry, queries, many processes. One suite for both halves: on SQLite by itself,
 * on DynamoDB when PRISM_TEST_DYNAMODB names an endpoint that needs no real account
 * (tests/sys/test_tables_dynamodb.py). */
#include "store/tables_kit.h"

static struct table_store *tables_reopen(struct test *t)
{
    struct table_store *store = NULL;
    struct table_options options = {.clock = &t->clock};
    CHECK_OK(table_store_open(tables_url(t), &options, &store));
    return store;
}
static struct table_store *tables_open(struct test *t)
{
    static const char *const names[] = {"things", "others"};
    tables_prepare(t, names, PX_COUNT(names));
    return tables_reopen(t);
}
static struct table_key key_of(struct px_str partition, struct px_str sort)
{
    return (struct table_key){S("things"), partition, sort};
}
static struct table_put put_of(struct px_str partition, struct px_str sort, struct px_str document)
{
    return (struct table_put){.key = key_of(partition, sort), .document = document};
}

TEST(an_item_comes_back_as_put_and_counts_its_versions)
{
    PX_AUTO(table_store_close) struct table_store *store = tables_open(t);
    struct table_put put = put_of(S("p"), S("s"), S("{\"a\":1}"));
    struct table_item item = {0};
    int64_t version = 0;
    CHECK_INT(table_get(store, &put.key, &t->arena, &item), TABLE_ABSENT);
    CHECK_OK(table_put(store, &put, NULL, &version, NULL));
    CHECK_INT(version, 1);
    put.document = S("{\"a\":2}");
    CHECK_OK(table_put(store, &put, NULL, &version, NULL));
    CHECK_INT(version, 2);
    CHECK_OK(table_get(store, &put.key, &t->arena, &item));
    CHECK_STR(item.partition, S("p"));
    CHECK_STR(item.sort, S("s"));
    CHECK_STR(item.document, S("{\"a\":2}"));
    CHECK_INT(item.version, 2);
    struct table_key other = {S("others"), S("p"), S("s")};
    CHECK_INT(table_get(store, &other, &t->arena, &item), TABLE_ABSENT);
    table_store_close(&store); /* and after opening again */
    store = tables_reopen(t);
    CHECK_OK(table_get(store, &put.key, &t->arena, &item));
    CHECK_INT(item.version, 2);
}

TEST(several_items_come_at_once_each_where_its_key_stands)
{
    PX_AUTO(table_store_close) struct table_store *store = tables_open(t);
    struct table_key keys[TABLE_KEYS_MAX];
    struct table_item *items = NULL;
    for (size_t i = 0; i < TABLE_KEYS_MAX; i++) {
        keys[i] = key_of(S("p"), px_arena_printf(&t->arena, "%zu", i));
        struct table_put put = put_of(S("p"), keys[i].sort, keys[i].sort);
        if (i % 3 == 1) put.expires_ns = px_wall_ns(&t->clock) + PX_NS_PER_S;
        if (i % 3 > 0) CHECK_OK(table_put(store, &put, NULL, NULL, NULL));
    }
    keys[TABLE_KEYS_MAX - 1] = keys[2]; /* twice */
    test_advance(t, 10 * PX_NS_PER_S);
    CHECK_OK(table_get_all(store, keys, TABLE_KEYS_MAX, &t->arena, &items));
    for (size_t i = 0; i < TABLE_KEYS_MAX - 1; i++) {
        CHECK_INT(items[i].version, i % 3 == 2); /* what has expired is not there, either */
        if (i % 3 == 2) CHECK_STR(items[i].document, keys[i].sort);
    }
    CHECK_STR(items[TABLE_KEYS_MAX - 1].document, S("2"));
    CHECK_OK(table_get_all(store, keys, 0, &t->arena, &items));
}

TEST(keys_are_any_text)
{
    PX_AUTO(table_store_close) struct table_store *store = tables_open(t);
    struct px_str odd[] = {
        px_str("a\0b", 3), px_str("a\0c", 3), S("a"), S("\xc3\xa9\xf0\x9f\x8c\x88"), S("A"),
        S("'\"%\\#\n")};
    for (size_t i = 0; i < PX_COUNT(odd); i++) {
        struct table_put put = put_of(odd[i], odd[i], px_arena_printf(&t->arena, "%zu", i));
        put.condition = TABLE_NEW;
        CHECK_OK(table_put(store, &put, NULL, NULL, NULL));
    }
    for (size_t i = 0; i < PX_COUNT(odd); i++) {
        struct table_item item;
        struct table_key key = key_of(odd[i], odd[i]);
        CHECK_OK(table_get(store, &key, &t->arena, &item));
        CHECK_STR(item.document, px_arena_printf(&t->arena, "%zu", i));
        CHECK_STR(item.sort, odd[i]);
    }
}

TEST(a_failed_condition_shows_what_stood_in_the_way)
{
    PX_AUTO(table_store_close) struct table_store *store = tables_open(t);
    struct table_put put = put_of(S("p"), S(""), S("one"));
    struct table_item current = {0};
    int64_t version = -7;
    put.condition = TABLE_VERSION;
    put.version = 1;
    CHECK_INT(table_put(store, &put, &t->arena, &version, &current), TABLE_CONDITION_FAILED);
    CHECK_INT(current.version, 0);
    CHECK_INT(current.document.len, 0);
    CHECK_INT(version, -7);
    put.condition = TABLE_NEW;
    CHECK_OK(table_put(store, &put, &t->arena, &version, &current));
    put.document = S("two");
    CHECK_INT(table_put(store, &put, &t->arena, &version, &current), TABLE_CONDITION_FAILED);
    CHECK_STR(current.document, S("one"));
    CHECK_INT(current.version, 1);
    put.condition = TABLE_VERSION;
    CHECK_OK(table_put(store, &put, &t->arena, &version, &current));
    CHECK_INT(version, 2);
    CHECK_INT(table_put(store, &put, &t->arena, &version, &current), TABLE_CONDITION_FAILED);
    CHECK_INT(current.version, 2);
}

TEST(deletes_have_conditions_too)
{
    PX_AUTO(table_store_close) struct table_store *store = tables_open(t);
    struct table_put put = put_of(S("p"), S("s"), S("x"));
    CHECK_OK(table_delete(store, &put.key, TABLE_ANY, 0));
    CHECK_INT(table_delete(store, &put.key, TABLE_VERSION, 1), TABLE_CONDITION_FAILED);
    CHECK_OK(table_put(store, &put, NULL, NULL, NULL));
    CHECK_INT(table_delete(store, &put.key, TABLE_VERSION, 2), TABLE_CONDITION_FAILED);
    CHECK_OK(table_delete(store, &put.key, TABLE_VERSION, 1));
    struct table_item item;
    CHECK_INT(table_get(store, &put.key, &t->arena, &item), TABLE_ABSENT);
}

TEST(an_expired_item_is_absent_in_every_call)
{
    PX_AUTO(table_store_close) struct table_store *store = tables_open(t);
    struct table_put put = put_of(S("p"), S("s"), S("x"));
    put.expires_ns = t->now_ns + 10 * PX_NS_PER_S;
    put.condition = TABLE_NEW;
    CHECK_OK(table_put(store, &put, NULL, NULL, NULL));
    CHECK_INT(table_put(store, &put, NULL, NULL, NULL), TABLE_CONDITION_FAILED);
    test_advance(t, 9 * PX_NS_PER_S);
    struct table_item item, *items;
    size_t count;
    CHECK_OK(table_get(store, &put.key, &t->arena, &item));
    CHECK_INT(item.expires_ns, put.expires_ns);
    test_advance(t, 1 * PX_NS_PER_S);
    struct table_query query = {.key = key_of(S("p"), S("")), .max = 10};
    CHECK_INT(table_get(store, &put.key, &t->arena, &item), TABLE_ABSENT);
    CHECK_OK(table_query(store, &query, &t->arena, &items, &count));
    CHECK_INT(count, 0);
    CHECK_INT(table_delete(store, &put.key, TABLE_VERSION, 1), TABLE_CONDITION_FAILED);
    int64_t version;
    put.expires_ns = 0;
    CHECK_OK(table_put(store, &put, NULL, &version, NULL)); /* new again */
    CHECK_INT(version, 1);
}

TEST(an_unconditional_put_over_an_expired_item_begins_again)
{
    PX_AUTO(table_store_close) struct table_store *store = tables_open(t);
    struct table_put puts[2] = {put_of(S("p"), S("s"), S("x")), put_of(S("q"), S(""), S("x"))};
    int64_t version = 0;
    for (int i = 0; i < 2; i++) {
        puts[i].expires_ns = t->now_ns + PX_NS_PER_S;
        CHECK_OK(table_put(store, &puts[i], NULL, NULL, NULL));
        CHECK_OK(table_put(store, &puts[i], NULL, &version, NULL));
        CHECK_INT(version, 2);
        puts[i].expires_ns = 0;
    }
    test_advance(t, PX_NS_PER_S);
    CHECK_OK(table_put(store, &puts[0], NULL, &version, NULL));
    CHECK_INT(version, 1);
    CHECK_OK(table_put_all(store, puts, 2, NULL)); /* one stands there, one has expired */
    struct table_item item;
    CHECK_OK(table_get(store, &puts[0].key, &t->arena, &item));
    CHECK_INT(item.version, 2);
    CHECK_OK(table_get(store, &puts[1].key, &t->arena, &item));
    CHECK_INT(item.version, 1);
    CHECK_INT(item.expires_ns, 0);
}

TEST(all_of_several_changes_or_none)
{
    PX_AUTO(table_store_close) struct table_store *store = tables_open(t);
    struct table_put puts[3] = {put_of(S("a"), S(""), S("1")), put_of(S("b"), S(""), S("1")),
                                put_of(S("c"), S(""), S("1"))};
    puts[2].condition = TABLE_NEW;
    CHECK_OK(table_put_all(store, puts, 3, NULL));
    puts[0].document = S("2");
    puts[1].document = (struct px_str){0}; /* delete */
    size_t failed = 99;
    CHECK_INT(table_put_all(store, puts, 3, &failed), TABLE_CONDITION_FAILED);
    CHECK_INT(failed, 2);
    struct table_item item;
    CHECK_OK(table_get(store, &puts[0].key, &t->arena, &item));
    CHECK_STR(item.document, S("1"));
    CHECK_OK(table_get(store, &puts[1].key, &t->arena, &item));
    puts[2].condition = TABLE_ANY;
    CHECK_OK(table_put_all(store, puts, 3, &failed));
    CHECK_INT(table_get(store, &puts[1].key, &t->arena, &item), TABLE_ABSENT);
    CHECK_OK(table_put_all(store, puts, 0, &failed));
}

static size_t ask(struct test *t, struct table_store *store, struct table_query query,
                  char *ret_text)
{
    struct table_item *items;
    size_t count;
    CHECK_OK(table_query(store, &query, &t->arena, &items, &count));
    *ret_text = '\0';
    for (size_t i = 0; i < count; i++)
        sprintf(ret_text + strlen(ret_text), "%.*s/%.*s ", PX_FMT(items[i].partition),
                PX_FMT(items[i].sort));
    return count;
}
TEST(queries_come_in_key_order_and_go_on_after_a_key)
{
    PX_AUTO(table_store_close) struct table_store *store = tables_open(t);
    static const char *const keys[][2] = {{"b", "x1"}, {"a", "x2"}, {"a", ""},  {"a", "x1"},
                                          {"ab", "x"}, {"b", "y"},  {"a", "w"}, {"a", "y"}};
    for (size_t i = 0; i < PX_COUNT(keys); i++) {
        struct table_put put = put_of(px_str_c(keys[i][0]), px_str_c(keys[i][1]), S("{}"));
        CHECK_OK(table_put(store, &put, NULL, NULL, NULL));
    }
    char text[256];
    struct table_query q = {.key = key_of(S("a"), S("")), .max = 100};
#define ASK(query, want)                                                                           \
    do {                                                                                           \
        (void)ask(t, store, query, text);                                                          \
        CHECK_STR(px_str_c(text), S(want));                                                        \
    } while (0)
    ASK(q, "a/ a/w a/x1 a/x2 a/y ");
    q.max = 2;
    ASK(q, "a/ a/w ");
    q.after_partition = S("a");
    ASK(q, "a/w a/x1 "); /* behind the empty sort key */
    q.after_sort = S("w");
    ASK(q, "a/x1 a/x2 ");
    q = (struct table_query){.key = key_of(S("a"), S("x")), .max = 100};
    ASK(q, "a/x1 a/x2 ");
    q.after_partition = S("a"), q.after_sort = S("x1");
    ASK(q, "a/x2 ");
    q.after_sort = S("a");
    ASK(q, "a/x1 a/x2 ");
    q.after_partition = S("b"), q.after_sort = S("");
    ASK(q, "");
    q = (struct table_query){.key = key_of(S("none"), S("")), .max = 3};
    ASK(q, "");
}

/* Page by page; a bit for each item that came, and none may come twice. */
static unsigned walk(struct test *t, struct table_store *store, struct px_str sort_prefix,
                     size_t page, bool *ret_ordered)
{
    struct table_query query = {.key = key_of(S(""), sort_prefix), .max = page};
    struct table_item last = {0}, *items;
    unsigned seen = 0;
    *ret_ordered = true;
    for (size_t count = page; count == page;) {
        CHECK_OK(table_query(store, &query, &t->arena, &items, &count));
        CHECK(count <= page);
        for (size_t i = 0; i < count; i++) {
            int64_t number = 0;
            CHECK(px_str_to_i64(items[i].document, &number));
            CHECK_INT(seen >> number & 1, 0);
            seen |= 1u << number;
            int order = px_str_cmp(last.partition, items[i].partition);
            *ret_ordered = *ret_ordered && order <= 0;
            CHECK(order != 0 || px_str_cmp(last.sort, items[i].sort) < 0);
            last = items[i];
        }
        query.after_partition = last.partition, query.after_sort = last.sort;
    }
    return seen;
}
TEST(a_walk_over_a_table_meets_each_item_once)
{
    PX_AUTO(table_store_close) struct table_store *store = tables_open(t);
    static const char *const keys[][2] = {{"b", "x1"}, {"a", "x2"}, {"a", ""},  {"a", "x1"},
                                          {"ab", "x"}, {"b", "y"},  {"a", "w"}, {"a", "y"}};
    for (size_t i = 0; i < PX_COUNT(keys); i++) {
        struct table_put put = put_of(px_str_c(keys[i][0]), px_str_c(keys[i][1]),
                                      px_arena_printf(&t->arena, "%zu", i));
        CHECK_OK(table_put(store, &put, NULL, NULL, NULL));
    }
    for (size_t page = 1; page <= 9; page++) {
        bool ordered = false;
        CHECK_INT(walk(t, store, S(""), page, &ordered), 0xff);
        CHECK(ordered || on_dynamodb());
        CHECK_INT(walk(t, store, S("x"), page, &ordered), 0x1b);
        CHECK(ordered || on_dynamodb());
    }
}

/* More than a page of DynamoDB's (1 MB), and expired items among them. */
TEST(queries_go_on_over_pages)
{
    PX_AUTO(table_store_close) struct table_store *store = tables_open(t);
    struct px_str document = px_str(px_arena_alloc(&t->arena, 200000), 200000);
    memset((char *)document.ptr, 'x', document.len);
    for (int i = 0; i < 12; i++) {
        struct table_put put = put_of(S("p"), px_arena_printf(&t->arena, "%02d", i), document);
        put.expires_ns = i % 3 == 1 ? t->now_ns + PX_NS_PER_S : 0;
        put.relaxed = true;
        CHECK_OK(table_put(store, &put, NULL, NULL, NULL));
    }
    test_advance(t, PX_NS_PER_S);
    struct table_query query = {.key = key_of(S("p"), S("")), .max = SIZE_MAX};
    char text[256];
    CHECK_INT(ask(t, store, query, text), 8);
    CHECK_STR(px_str_c(text), S("p/00 p/02 p/03 p/05 p/06 p/08 p/09 p/11 "));
    query.max = 3;
    query.after_partition = S("p"), query.after_sort = S("03");
    CHECK_INT(ask(t, store, query, text), 3);
    CHECK_STR(px_str_c(text), S("p/05 p/06 p/08 "));
}

TEST(what_is_too_large_is_refused)
{
    PX_AUTO(table_store_close) struct table_store *store = tables_open(t);
    struct px_str large = px_str(px_arena_zalloc(&t->arena, 300000), 256 * 1024);
    struct table_put put = put_of(S("p"), S(""), large);
    CHECK_OK(table_put(store, &put, NULL, NULL, NULL));
    put.document.len++;
    CHECK_INT(table_put(store, &put, NULL, NULL, NULL), PX_F_LIMIT);
    put = put_of(px_str(large.ptr, 513), S(""), S("x"));
    CHECK_INT(table_put(store, &put, NULL, NULL, NULL), PX_F_LIMIT);
    put = put_of(px_str(large.ptr, 512), px_str(large.ptr, 512), S("x"));
    CHECK_OK(table_put(store, &put, NULL, NULL, NULL));
    PX_AUTO(px_arena_deinit) struct px_arena small;
    px_arena_init(&small, 100);
    struct table_item item;
    CHECK_INT(table_get(store, &put.key, &small, &item), PX_F_LIMIT);
}

/* ---- several processes ---- */

#define PROCESSES 8
#define ROUNDS 20

static struct table_store *open_in_child(struct test *t)
{
    struct table_store *store = NULL;
    return table_store_open(tables_url(t), NULL, &store) == 0 ? store : NULL;
}

/* Everybody tries to be first on each of ROUNDS keys; returns how often it won. */
static int race_for_keys(struct test *t, int i)
{
    PX_AUTO(table_store_close) struct table_store *store = open_in_child(t);
    int won = 0;
    for (int round = 0; store && round < ROUNDS; round++) {
        char name[16], document[16];
        (void)snprintf(name, sizeof name, "%d", round);
        (void)snprintf(document, sizeof document, "%d", i);
        struct table_put put = put_of(px_str_c(name), S(""), px_str_c(document));
        put.condition = TABLE_NEW;
        int r = table_put(store, &put, NULL, NULL, NULL);
        if (r != 0 && r != TABLE_CONDITION_FAILED) return 200;
        won += r == 0;
    }
    return store ? won : 201;
}
TEST(of_many_processes_exactly_one_makes_a_new_item)
{
    int won[PROCESSES], all = 0;
    static const char *const names[] = {"things", "others"};
    tables_prepare(t, names, PX_COUNT(names));
    in_children(t, PROCESSES, race_for_keys, won); /* they also make the file all at once */
    for (int i = 0; i < PROCESSES; i++) {
        CHECK(won[i] < 200);
        all += won[i];
    }
    CHECK_INT(all, ROUNDS);
}

/* Add 1 to a counter ROUNDS times, by version. */
static int count_up(struct test *t, int i)
{
    (void)i;
    PX_AUTO(table_store_close) struct table_store *store = open_in_child(t);
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 64u << 20);
    for (int done = 0; store && done < ROUNDS;) {
        struct table_item item = {0};
        struct table_key key = key_of(S("counter"), S(""));
        int r = table_get(store, &key, &arena, &item);
        int64_t value = 0;
        if (r < 0 || (r == 0 && !px_str_to_i64(item.document, &value))) return 1;
        struct table_put put = put_of(S("counter"), S(""),
                                      px_arena_printf(&arena, "%d", (int)value + 1));
        put.condition = r == 0 ? TABLE_VERSION : TABLE_NEW;
        put.version = item.version;
        r = table_put(store, &put, NULL, NULL, NULL);
        if (r < 0) return 2;
        done += r == 0;
    }
    return store ? 0 : 3;
}
TEST(versions_make_read_and_write_one_step)
{
    int status[PROCESSES];
    static const char *const names[] = {"things", "others"};
    tables_prepare(t, names, PX_COUNT(names));
    in_children(t, PROCESSES, count_up, status);
    for (int i = 0; i < PROCESSES; i++) CHECK_INT(status[i], 0);
    PX_AUTO(table_store_close) struct table_store *store = tables_reopen(t);
    struct table_key key = key_of(S("counter"), S(""));
    struct table_item item;
    CHECK_OK(table_get(store, &key, &t->arena, &item));
    CHECK_STR(item.document, px_arena_printf(&t->arena, "%d", PROCESSES * ROUNDS));
    CHECK_INT(item.version, PROCESSES * ROUNDS);
}

TEST_MAIN
