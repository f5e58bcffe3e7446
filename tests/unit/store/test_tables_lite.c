/* Tables in SQLite: what the embedded half promises beyond test_tables.c; crashes and a full disk. */
#include "store/child.h"
#include "support/support_alloc.h"

#include "store/tables.h"

#include <sqlite3.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static struct table_store *tables_open(struct test *t)
{
    struct table_store *store = NULL;
    struct table_options options = {.clock = &t->clock};
    CHECK_OK(table_store_open(test_path(t, "tables.db"), &options, &store));
    return store;
}
static struct table_key key_of(struct px_str partition, struct px_str sort)
{
    return (struct table_key){S("things"), partition, sort};
}
static struct table_put put_of(struct px_str partition, struct px_str sort, struct px_str document)
{
    return (struct table_put){.key = key_of(partition, sort), .document = document};
}

TEST(the_file_is_its_owners_alone)
{
    PX_AUTO(table_store_close) struct table_store *store = tables_open(t);
    struct stat about;
    CHECK_INT(stat(test_path(t, "tables.db").ptr, &about), 0);
    CHECK_INT(about.st_mode & 0777, 0600);
}

/* Whether somebody else holds a lock on the file: what a connection that closes asks before it removes the WAL. */
static int is_locked(struct test *t, int i)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(test_path(t, "tables.db").ptr, O_RDWR | O_CLOEXEC);
    return i == 0 && fd >= 0 && fcntl(fd, F_GETLK, &all) == 0 && all.l_type == F_RDLCK;
}

TEST(another_connection_of_a_process_leaves_the_first_ones_locks)
{
    int locked = 0;
    PX_AUTO(table_store_close) struct table_store *first = tables_open(t);
    struct table_put put = put_of(S("p"), S("s"), S("x"));
    CHECK_OK(table_put(first, &put, NULL, NULL, NULL));
    in_children(t, 1, is_locked, &locked);
    CHECK_INT(locked, 1);
    PX_AUTO(table_store_close) struct table_store *second = tables_open(t);
    in_children(t, 1, is_locked, &locked);
    CHECK_INT(locked, 1);
}

TEST(keys_are_bytes)
{
    PX_AUTO(table_store_close) struct table_store *store = tables_open(t);
    struct px_str odd[] = {px_str("a\0b", 3), px_str("a\0c", 3), S("a"), S("\xff\xfe"), S("A"),
                           S("'\"%")};
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

TEST(expired_items_are_removed_in_portions)
{
    PX_AUTO(table_store_close) struct table_store *store = tables_open(t);
    for (int i = 0; i < 10; i++) {
        struct table_put put = put_of(S("p"), px_arena_printf(&t->arena, "%d", i), S("x"));
        put.expires_ns = i < 7 ? t->now_ns + 1 : 0;
        put.relaxed = true;
        CHECK_OK(table_put(store, &put, NULL, NULL, NULL));
    }
    size_t removed;
    CHECK_OK(table_expire(store, 5, &removed));
    CHECK_INT(removed, 0);
    test_advance(t, 1);
    CHECK_OK(table_expire(store, 5, &removed));
    CHECK_INT(removed, 5);
    CHECK_OK(table_expire(store, 5, &removed));
    CHECK_INT(removed, 2);
}

TEST(an_item_expires_to_the_nanosecond)
{
    PX_AUTO(table_store_close) struct table_store *store = tables_open(t);
    struct table_put put = put_of(S("p"), S("s"), S("x"));
    put.expires_ns = t->now_ns + 10;
    CHECK_OK(table_put(store, &put, NULL, NULL, NULL));
    struct table_item item;
    test_advance(t, 9);
    CHECK_OK(table_get(store, &put.key, &t->arena, &item));
    CHECK_INT(item.expires_ns, put.expires_ns);
    test_advance(t, 1);
    CHECK_INT(table_get(store, &put.key, &t->arena, &item), TABLE_ABSENT);
}

TEST(waiting_for_another_process_has_an_end)
{
    PX_AUTO(table_store_close) struct table_store *other = NULL;
    struct table_options options = {.busy_ms = 50};
    CHECK_OK(table_store_open(test_path(t, "tables.db"), &options, &other));
    sqlite3 *holder = NULL;
    CHECK_INT(sqlite3_open(test_path(t, "tables.db").ptr, &holder), SQLITE_OK);
    CHECK_INT(sqlite3_exec(holder, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    struct table_put put = put_of(S("p"), S(""), S("x"));
    CHECK_INT(table_put(other, &put, NULL, NULL, NULL), PX_F_BUSY);
    struct table_item item; /* readers do not wait */
    CHECK_INT(table_get(other, &put.key, &t->arena, &item), TABLE_ABSENT);
    CHECK_INT(sqlite3_close(holder), SQLITE_OK);
    CHECK_OK(table_put(other, &put, NULL, NULL, NULL));
}

/* ---- crashes and a full disk ---- */

static struct table_store *open_in_child(struct test *t)
{
    struct table_store *store = NULL;
    return table_store_open(test_path(t, "tables.db"), NULL, &store) == 0 ? store : NULL;
}

static void put_and_report(struct test *t, int out)
{
    struct table_store *store = open_in_child(t);
    for (uint64_t i = 1; store; i++) {
        char name[24];
        (void)snprintf(name, sizeof name, "%08llu", (unsigned long long)i);
        struct table_put put = put_of(S("p"), px_str_c(name), S("{\"some\":\"document\"}"));
        put.relaxed = i % 3 == 0; /* survives a crash of the process all the same */
        put.condition = TABLE_NEW;
        if (table_put(store, &put, NULL, NULL, NULL) < 0) return;
        if (write(out, &i, sizeof i) != sizeof i) return;
    }
}
TEST(whatever_was_acknowledged_survives_kill_9)
{
    uint64_t most = 0;
    for (unsigned round = 0; round < 20; round++) {
        uint64_t acked = killed_child(t, round * 907 % 9000, put_and_report);
        most = PX_MAX(most, acked);
        PX_AUTO(table_store_close) struct table_store *store = tables_open(t);
        PX_AUTO(px_arena_deinit) struct px_arena arena;
        px_arena_init(&arena, 64u << 20);
        struct table_query query = {.key = key_of(S("p"), S("")), .max = SIZE_MAX};
        struct table_item *items;
        size_t count;
        CHECK_OK(table_query(store, &query, &arena, &items, &count));
        CHECK(count >= most && count <= most + 1); /* one may be unreported */
        most = count;
    }
}

static int put_until_full(struct test *t, int i)
{
    (void)i;
    PX_AUTO(table_store_close) struct table_store *store = open_in_child(t);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {200000, 200000};
    if (!store || setrlimit(RLIMIT_FSIZE, &limit) != 0) return 200;
    char document[2000];
    memset(document, 'x', sizeof document);
    for (int acked = 0; acked < 199; acked++) {
        char name[16];
        (void)snprintf(name, sizeof name, "%04d", acked);
        struct table_put put = put_of(S("p"), px_str_c(name), px_str(document, sizeof document));
        int r = table_put(store, &put, NULL, NULL, NULL);
        if (r != 0) return r == PX_F_NO_SPACE ? acked : 201;
    }
    return 202;
}
TEST(a_full_disk_refuses_and_keeps_what_it_has)
{
    int acked;
    in_children(t, 1, put_until_full, &acked);
    CHECK(acked > 5 && acked < 199);
    PX_AUTO(table_store_close) struct table_store *store = tables_open(t);
    struct table_query query = {.key = key_of(S("p"), S("")), .max = SIZE_MAX};
    struct table_item *items;
    size_t count;
    CHECK_OK(table_query(store, &query, &t->arena, &items, &count));
    CHECK_INT(count, acked);
}

TEST(a_file_that_is_no_database_is_corrupt)
{
    struct table_store *store = NULL;
    struct px_str path = test_path(t, "rubbish.db");
    char *rubbish = px_arena_alloc(&t->arena, 8192);
    memset(rubbish, 'r', 8192);
    CHECK_OK(px_file_write_atomic(path.ptr, px_str(rubbish, 8192), 0600));
    CHECK_INT(table_store_open(path, NULL, &store), PX_F_CORRUPT);
    CHECK_INT(table_store_open(test_path(t, "no/such/folder/x.db"), NULL, &store), PX_F_IO);
    CHECK(!store);
}

static int open_put_get(struct test *t)
{
    PX_AUTO(table_store_close) struct table_store *store = NULL;
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 1u << 20);
    PX_TRY(table_store_open(px_arena_printf(&arena, "%s/sweep.db", t->dir), NULL, &store));
    struct table_put put = put_of(S("p"), S("s"), S("x"));
    PX_TRY(table_put(store, &put, NULL, NULL, NULL));
    struct table_item item;
    PX_TRY(table_get(store, &put.key, &arena, &item));
    return 0;
}
TEST(memory_running_out_is_a_fault_at_every_allocation)
{
    SWEEP_ALLOCATIONS(open_put_get(t), (void)0);
}

TEST_MAIN
