/* Changes on their way between regions: what is written is read again, and nothing else is taken. */
#include "support/support.h"

#include "region/changes.h"

static const char id[] = "0123456789abcdef0123456789abcdef";

static struct changes batch_of(const struct table_change *changes, size_t count)
{
    struct changes batch = {
        .origin = S("us-east-1"), .upto = 7, .complete_ns = 5, .changes = changes, .count = count};
    memcpy(batch.id, id, sizeof batch.id);
    batch.known.seq = 3;
    return batch;
}

static struct px_str written(struct test *t, const struct changes *batch)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, CHANGES_MESSAGE_BYTES_MAX);
    changes_write(batch, &buf);
    CHECK_OK(px_buf_fault(&buf));
    return px_arena_dup(&t->arena, px_buf_str(&buf));
}

TEST(what_is_written_is_read)
{
    const struct table_change changes[] = {
        {.key = {S("tenants"), S("acme"), S("")},
         .document = S("{\"a\":\"\\u0000 \xc3\xa9\"}"),
         .version = 4,
         .expires_ns = 9,
         .stamp_ns = INT64_MAX,
         .origin = S("eu-west-1")},
        {.key = {S("keys"), px_str("\0\xff", 2), S("s")}, .stamp_ns = 1, .origin = S("us-east-1")},
    };
    struct changes batch = batch_of(changes, 2), read;
    CHECK_OK(changes_read(written(t, &batch), &t->arena, &read));
    CHECK_STR(read.origin, batch.origin);
    CHECK_STR(px_str_c(read.id), px_str_c(id));
    CHECK_INT(read.known.seq, 3);
    CHECK_INT(read.upto, 7);
    CHECK_INT(read.complete_ns, 5);
    CHECK_INT(read.count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct table_change *got = &read.changes[i], *want = &changes[i];
        CHECK_STR(got->key.table, want->key.table);
        CHECK_STR(got->key.partition, want->key.partition);
        CHECK_STR(got->key.sort, want->key.sort);
        CHECK_STR(got->document, want->document);
        CHECK(!got->document.ptr == !want->document.ptr);
        CHECK_INT(got->version, want->version);
        CHECK_INT(got->expires_ns, want->expires_ns);
        CHECK_INT(got->stamp_ns, want->stamp_ns);
        CHECK_STR(got->origin, want->origin);
    }
}

TEST(a_batch_of_nothing_is_one)
{
    struct changes batch = batch_of(NULL, 0), read;
    CHECK_OK(changes_read(written(t, &batch), &t->arena, &read));
    CHECK_INT(read.count, 0);
}

#define HEAD                                                                                           \
    "{\"origin\":\"a\",\"id\":\"0123456789abcdef0123456789abcdef\",\"known\":{\"id\":\"\",\"seq\":0}," \
    "\"upto\":1,\"complete_ns\":0,\"changes\":["
#define ITEM(more)                                                                                 \
    HEAD "{\"table\":\"keys\",\"pk\":\"61\",\"sk\":\"\",\"document\":\"{}\",\"version\":1,"        \
         "\"expires_ns\":0,\"stamp_ns\":1,\"region\":\"a\"" more "}]}"

TEST(what_is_not_whole_is_refused)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{}",
        HEAD "1]}",
        HEAD
        "{\"table\":\"Keys\",\"pk\":\"61\",\"sk\":\"\",\"version\":0,\"expires_ns\":0,\"stamp_ns\":1,\"region\":\"a\"}]}",
        HEAD
        "{\"table\":\"keys\",\"pk\":\"\",\"sk\":\"\",\"version\":0,\"expires_ns\":0,\"stamp_ns\":1,\"region\":\"a\"}]}",
        HEAD
        "{\"table\":\"keys\",\"pk\":\"6\",\"sk\":\"\",\"version\":0,\"expires_ns\":0,\"stamp_ns\":1,\"region\":\"a\"}]}",
        HEAD
        "{\"table\":\"keys\",\"pk\":\"61\",\"sk\":\"\",\"version\":0,\"expires_ns\":0,\"stamp_ns\":0,\"region\":\"a\"}]}",
        HEAD
        "{\"table\":\"keys\",\"pk\":\"61\",\"sk\":\"\",\"document\":\"{}\",\"version\":0,\"expires_ns\":0,\"stamp_ns\":1,\"region\":\"a\"}]}",
    };
    struct changes read;
    for (size_t i = 0; i < PX_COUNT(wrong); i++)
        CHECK_INT(changes_read(px_str_c(wrong[i]), &t->arena, &read), PX_JSON_INVALID);
    CHECK_OK(changes_read(px_str_c(ITEM("")), &t->arena, &read));
}

TEST_MAIN
