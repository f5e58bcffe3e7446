/* The log of changes and its application: whatever is written where, arrives in whatever order and
 * however often, all regions end with the same items; and a log never loses a change that a peer lacks. */
#include "store/child.h"

#include "store/table_log.h"

#define REGIONS 3

static const struct px_str names[REGIONS] = {
    {"eu-west-1", 9}, {"us-east-1", 9}, {"ap-south-1", 10}};

static struct table_store *region_open(struct test *t, int i)
{
    static const struct px_str global[] = {{"tenants", 7}, {"keys", 4}};
    struct table_store *store = NULL;
    struct table_options options = {.clock = &t->clock};
    CHECK_OK(table_store_open(test_path(t, "%d.db", i), &options, &store));
    CHECK_OK(table_log_enable(store, names[i], global, PX_COUNT(global)));
    return store;
}

static struct table_put put_of(struct px_str partition, struct px_str document)
{
    return (struct table_put){.key = {S("tenants"), partition, S("")}, .document = document};
}

static void put(struct table_store *store, struct px_str partition, struct px_str document)
{
    struct table_put change = put_of(partition, document);
    CHECK_OK(table_put(store, &change, NULL, NULL, NULL));
}

/* All that one has and the other lacks. */
static size_t ship(struct test *t, struct table_store *from, int source, struct table_store *to)
{
    struct table_log_state state;
    struct table_log_cursor cursor;
    struct table_change *changes;
    size_t count, applied;
    CHECK_OK(table_log_state(from, &state));
    CHECK_OK(table_log_cursor(to, names[source], &cursor));
    if (strcmp(cursor.id, state.id) != 0) cursor.seq = 0;
    struct table_log_query query = {cursor.seq, INT64_MAX, 1000, SIZE_MAX};
    CHECK_OK(table_log_read(from, &query, &t->arena, &changes, &count));
    memcpy(cursor.id, state.id, sizeof cursor.id);
    if (count > 0) cursor.seq = changes[count - 1].seq;
    CHECK_OK(table_log_apply(to, names[source], &cursor, changes, count, t->now_ns, &applied));
    return applied;
}

static struct px_str at(struct test *t, struct table_store *store, struct px_str partition)
{
    struct table_item item;
    struct table_key key = {S("tenants"), partition, S("")};
    int r = table_get(store, &key, &t->arena, &item);
    if (r == TABLE_ABSENT) return S("absent");
    CHECK_OK(r);
    return item.document;
}

/* Every item of the table, as one text. */
static struct px_str all(struct test *t, struct table_store *store)
{
    struct table_item *items;
    size_t count;
    struct px_str text = S("");
    CHECK_OK(table_query(store,
                         &(struct table_query){.key = {S("tenants"), S(""), S("")}, .max = 1000},
                         &t->arena, &items, &count));
    for (size_t i = 0; i < count; i++)
        text = px_arena_printf(&t->arena, "%.*s%.*s=%.*s v%lld\n", PX_FMT(text),
                               PX_FMT(items[i].partition), PX_FMT(items[i].document),
                               (long long)items[i].version);
    return text;
}

TEST(a_change_arrives_whole_and_once)
{
    PX_AUTO(table_store_close) struct table_store *one = region_open(t, 0);
    PX_AUTO(table_store_close) struct table_store *other = region_open(t, 1);
    put(one, S("acme"), S("{\"n\":1}"));
    put(one, S("acme"), S("{\"n\":2}"));
    CHECK_STR(at(t, other, S("acme")), S("absent"));
    CHECK_INT(ship(t, one, 0, other), 2);
    CHECK_STR(all(t, other), S("acme={\"n\":2} v2\n"));
    CHECK_INT(ship(t, one, 0, other), 0);
    struct table_log_state state;
    CHECK_OK(table_log_state(other, &state));
    CHECK_INT(state.rows, 0); /* what was applied is not sent on */
}

TEST(only_global_tables_are_logged)
{
    PX_AUTO(table_store_close) struct table_store *one = region_open(t, 0);
    PX_AUTO(table_store_close) struct table_store *other = region_open(t, 1);
    struct table_put change = {.key = {S("breakers"), S("b"), S("")}, .document = S("{}")};
    struct table_log_state state;
    size_t applied;
    CHECK_OK(table_put(one, &change, NULL, NULL, NULL));
    CHECK_OK(table_log_state(one, &state));
    CHECK_INT(state.last_seq, 0);
    struct table_change foreign = {
        .key = change.key, .document = S("{}"), .version = 1, .stamp_ns = 1, .origin = names[0]};
    struct table_log_cursor cursor = {"x", 1};
    CHECK_INT(table_log_apply(other, names[0], &cursor, &foreign, 1, 0, &applied), PX_F_PROTOCOL);
    CHECK_OK(table_log_cursor(other, names[0], &cursor));
    CHECK_INT(cursor.seq, 0); /* nothing of a batch that is refused */
}

TEST(a_file_without_a_log_pays_nothing_and_has_none)
{
    struct table_store *plain = NULL;
    struct table_log_state state;
    CHECK_OK(table_store_open(test_path(t, "plain.db"), NULL, &plain));
    put(plain, S("acme"), S("{}"));
    CHECK(table_log_state(plain, &state) < 0);
    table_store_close(&plain);
}

TEST(a_log_is_one_regions)
{
    PX_AUTO(table_store_close) struct table_store *one = region_open(t, 0);
    CHECK_OK(table_log_enable(one, names[0], NULL, 0));
    CHECK_INT(table_log_enable(one, names[1], NULL, 0), PX_F_CONFIG);
}

TEST(of_two_writes_the_later_stands_in_both)
{
    PX_AUTO(table_store_close) struct table_store *one = region_open(t, 0);
    PX_AUTO(table_store_close) struct table_store *other = region_open(t, 1);
    put(one, S("acme"), S("\"first\""));
    test_advance(t, 5);
    put(other, S("acme"), S("\"second\""));
    CHECK_INT(ship(t, one, 0, other), 0);
    CHECK_INT(ship(t, other, 1, one), 1);
    CHECK_STR(at(t, one, S("acme")), S("\"second\""));
    CHECK_STR(at(t, other, S("acme")), S("\"second\""));
}

TEST(at_the_same_instant_the_regions_name_decides)
{
    PX_AUTO(table_store_close) struct table_store *one = region_open(t, 0);
    PX_AUTO(table_store_close) struct table_store *other = region_open(t, 1);
    put(one, S("acme"), S("\"eu\""));
    put(other, S("acme"), S("\"us\""));
    CHECK_INT(ship(t, one, 0, other), 0);
    CHECK_INT(ship(t, other, 1, one), 1);
    CHECK_STR(at(t, one, S("acme")), S("\"us\""));
    CHECK_STR(at(t, other, S("acme")), S("\"us\""));
}

TEST(a_write_over_what_came_from_a_clock_ahead_is_later)
{
    PX_AUTO(table_store_close) struct table_store *one = region_open(t, 0);
    PX_AUTO(table_store_close) struct table_store *other = region_open(t, 1);
    t->now_ns += PX_NS_PER_S;
    put(one, S("acme"), S("\"ahead\""));
    t->now_ns -= PX_NS_PER_S;
    CHECK_INT(ship(t, one, 0, other), 1);
    put(other, S("acme"), S("\"after\""));
    CHECK_INT(ship(t, other, 1, one), 1);
    CHECK_STR(at(t, one, S("acme")), S("\"after\""));
}

TEST(a_removal_is_not_undone_by_an_older_write)
{
    PX_AUTO(table_store_close) struct table_store *one = region_open(t, 0);
    PX_AUTO(table_store_close) struct table_store *other = region_open(t, 1);
    put(one, S("acme"), S("\"old\""));
    test_advance(t, 5);
    put(other, S("acme"), S("\"new\""));
    test_advance(t, 5);
    struct table_key key = {S("tenants"), S("acme"), S("")};
    CHECK_OK(table_delete(other, &key, TABLE_ANY, 0));
    CHECK_INT(ship(t, one, 0, other), 0);
    CHECK_STR(at(t, other, S("acme")), S("absent"));
    CHECK(ship(t, other, 1, one) > 0);
    CHECK_STR(at(t, one, S("acme")), S("absent"));
}

TEST(changes_of_one_transaction_arrive_in_order_and_alone)
{
    PX_AUTO(table_store_close) struct table_store *one = region_open(t, 0);
    PX_AUTO(table_store_close) struct table_store *other = region_open(t, 1);
    struct table_put both[] = {put_of(S("a"), S("1")), put_of(S("b"), S("2"))};
    CHECK_OK(table_put_all(one, both, 2, NULL));
    struct table_change *changes;
    size_t count, applied;
    CHECK_OK(table_log_read(one, &(struct table_log_query){0, INT64_MAX, 1, SIZE_MAX}, &t->arena,
                            &changes, &count));
    CHECK_INT(count, 1);
    struct table_log_cursor cursor = {"some", changes[0].seq};
    CHECK_OK(table_log_apply(other, names[0], &cursor, changes, 1, 0, &applied));
    CHECK_STR(at(t, other, S("a")), S("1"));
    CHECK_STR(at(t, other, S("b")), S("absent"));
}

TEST(a_failed_condition_logs_nothing)
{
    PX_AUTO(table_store_close) struct table_store *one = region_open(t, 0);
    put(one, S("a"), S("1"));
    struct table_put both[] = {put_of(S("b"), S("1")), put_of(S("a"), S("2"))};
    both[1].condition = TABLE_NEW;
    CHECK_INT(table_put_all(one, both, 2, NULL), TABLE_CONDITION_FAILED);
    struct table_log_state state;
    CHECK_OK(table_log_state(one, &state));
    CHECK_INT(state.rows, 1);
}

TEST(what_is_younger_than_asked_for_waits)
{
    PX_AUTO(table_store_close) struct table_store *one = region_open(t, 0);
    struct table_change *changes;
    size_t count;
    put(one, S("a"), S("1"));
    test_advance(t, 100);
    put(one, S("b"), S("1"));
    struct table_log_query query = {0, t->now_ns, 10, SIZE_MAX};
    CHECK_OK(table_log_read(one, &query, &t->arena, &changes, &count));
    CHECK_INT(count, 1);
    CHECK_STR(changes[0].key.partition, S("a"));
    query.before_ns = t->now_ns + 1;
    query.bytes_max = 1; /* the first comes whatever it weighs */
    CHECK_OK(table_log_read(one, &query, &t->arena, &changes, &count));
    CHECK_INT(count, 1);
}

TEST(trimmed_and_compacted_a_log_still_brings_what_stands)
{
    PX_AUTO(table_store_close) struct table_store *one = region_open(t, 0);
    PX_AUTO(table_store_close) struct table_store *other = region_open(t, 1);
    PX_AUTO(table_store_close) struct table_store *late = region_open(t, 2);
    for (int i = 0; i < 50; i++)
        put(one, px_arena_printf(&t->arena, "t%d", i % 5), px_arena_printf(&t->arena, "%d", i));
    CHECK_OK(table_log_compact(one));
    struct table_log_state state;
    CHECK_OK(table_log_state(one, &state));
    CHECK_INT(state.rows, 5);
    CHECK_INT(ship(t, one, 0, other), 5);
    CHECK_STR(all(t, other), all(t, one));
    CHECK_OK(table_log_trim(one, state.last_seq));
    CHECK_INT(ship(t, one, 0, late), 0); /* nothing is left for it ... */
    CHECK_OK(table_log_state(one, &state));
    CHECK_INT(state.trimmed_seq, state.last_seq); /* ... which can be seen */
    CHECK_OK(table_log_repeat(one));
    CHECK_INT(ship(t, one, 0, late), 5);
    CHECK_STR(all(t, late), all(t, one));
    CHECK_INT(ship(t, one, 0, other), 0); /* twice is once */
}

TEST(stamps_of_removed_items_go_when_nothing_older_can_come)
{
    PX_AUTO(table_store_close) struct table_store *one = region_open(t, 0);
    PX_AUTO(table_store_close) struct table_store *other = region_open(t, 1);
    const struct px_str peers[] = {names[0]};
    struct table_log_place place = {0};
    size_t removed;
    put(other, S("acme"), S("1"));
    struct table_key key = {S("tenants"), S("acme"), S("")};
    CHECK_OK(table_delete(other, &key, TABLE_ANY, 0));
    CHECK_OK(table_log_forget(other, peers, 1, 100, &place, &removed));
    CHECK_INT(removed, 0); /* nothing was ever heard of the peer */
    test_advance(t, 1000);
    (void)ship(t, one, 0, other);
    CHECK_OK(table_log_forget(other, peers, 1, 100, &place, &removed));
    CHECK_INT(removed, 1);
}

TEST(forgetting_goes_on_where_it_was)
{
    PX_AUTO(table_store_close) struct table_store *one = region_open(t, 0);
    PX_AUTO(table_store_close) struct table_store *other = region_open(t, 1);
    const struct px_str peers[] = {names[0]};
    struct table_log_place place = {0};
    size_t removed, all_removed = 0;
    for (int i = 0; i < 25; i++) {
        struct px_str partition = px_arena_printf(&t->arena, "p%02d", i);
        put(other, partition, S("1"));
        struct table_key key = {S("tenants"), partition, S("")};
        if (i % 5 != 0) CHECK_OK(table_delete(other, &key, TABLE_ANY, 0));
    }
    test_advance(t, 1000);
    (void)ship(t, one, 0, other);
    for (int turn = 0; turn < 3; turn++) {
        CHECK_OK(table_log_forget(other, peers, 1, 10, &place, &removed));
        CHECK(removed <= 10);
        all_removed += removed;
    }
    CHECK_INT(all_removed, 20);
    CHECK_INT(place.partition_bytes, 0); /* at the end it begins again */
}

static int write_many(struct test *t, int i)
{
    struct table_store *store = NULL;
    if (table_store_open(test_path(t, "0.db"), NULL, &store) != 0) return 1;
    for (int n = 0; n < 50; n++) {
        struct table_put change = put_of(px_arena_printf(&t->arena, "%d-%d", i, n), S("1"));
        if (table_put(store, &change, NULL, NULL, NULL) != 0) return 2;
    }
    table_store_close(&store);
    return 0;
}

TEST(every_process_that_writes_logs)
{
    PX_AUTO(table_store_close) struct table_store *one = region_open(t, 0);
    int status[4];
    in_children(t, 4, write_many, status);
    for (int i = 0; i < 4; i++) CHECK_INT(status[i], 0);
    struct table_log_state state;
    CHECK_OK(table_log_state(one, &state));
    CHECK_INT(state.rows, 200);
}

static uint32_t next(uint32_t *seed) { return *seed = *seed * 1664525u + 1013904223u, *seed >> 8; }

/* Random writes and removals in three regions, shipped in random directions, with repeats and trims. */
TEST(regions_converge_whatever_happens)
{
    for (uint32_t round = 0; round < 8; round++) {
        uint32_t seed = 7u + round;
        struct table_store *stores[REGIONS];
        for (int i = 0; i < REGIONS; i++) {
            (void)unlink(test_path(t, "%d.db", i).ptr);
            (void)unlink(test_path(t, "%d.db-wal", i).ptr);
            (void)unlink(test_path(t, "%d.db-shm", i).ptr);
            stores[i] = region_open(t, i);
        }
        for (int step = 0; step < 150; step++) {
            int r = (int)(next(&seed) % REGIONS), to = (int)(next(&seed) % REGIONS);
            struct px_str partition = px_arena_printf(&t->arena, "t%u", next(&seed) % 6);
            struct table_key key = {S("tenants"), partition, S("")};
            switch (next(&seed) % 5) {
            case 0: CHECK_OK(table_delete(stores[r], &key, TABLE_ANY, 0)); break;
            case 1:
                if (r != to) (void)ship(t, stores[r], r, stores[to]);
                break;
            case 2:
                if (next(&seed) % 4 == 0) CHECK_OK(table_log_repeat(stores[r]));
                CHECK_OK(table_log_compact(stores[r]));
                break;
            default: put(stores[r], partition, px_arena_printf(&t->arena, "%d", step));
            }
            test_advance(t, next(&seed) % 2);
        }
        for (int from = 0; from < REGIONS; from++)
            for (int to = 0; to < REGIONS; to++)
                if (from != to) (void)ship(t, stores[from], from, stores[to]);
        for (int i = 1; i < REGIONS; i++) CHECK_STR(all(t, stores[i]), all(t, stores[0]));
        for (int i = 0; i < REGIONS; i++) table_store_close(&stores[i]);
    }
}

TEST_MAIN
