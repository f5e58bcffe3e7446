/* Rows of a Parquet object as JSON, page by page; what is none, or is over Step Functions' limits, is refused with the reason. */
#include "svc/storage/storage_kit.h"

#include "base/px_json.h"
#include "svc/storage/items.h"
#include "svc/storage/parquet.h"
#include "svc/storage/storage_event.h"

struct fixture {
    struct storage_function fn;
    struct px_buf body;
    struct lambda_reply reply;
    struct sql_engine *engine;
};

static void begin(struct test *t, struct fixture *f)
{
    const struct sql_limits limits = {.memory_bytes = 512u << 20, .threads = 1};
    f->fn = (struct storage_function){
        .urls = {.segments = test_path(t, "segments"), .analytics = test_path(t, "analytics")},
        .limits = {.memory_bytes = 512u << 20, .threads = 1}};
    CHECK_OK(px_dir_make(test_path(t, "analytics/a").ptr));
    CHECK_OK(sql_engine_new(&limits, &f->engine));
    px_buf_init(&f->body, 6u << 20);
}

static void end(struct fixture *f)
{
    sql_engine_free(&f->engine);
    px_buf_deinit(&f->body);
}

static void put_rows(struct test *t, struct fixture *f, const char *select, const char *name)
{
    CHECK_OK(sql_exec(f->engine, "COPY (%s) TO '%s' (FORMAT parquet)", select,
                      test_path(t, "analytics/%s", name).ptr));
}

static int ask(struct test *t, struct fixture *f, const char *event, yyjson_val **ret_root)
{
    px_buf_clear(&f->body);
    f->reply = (struct lambda_reply){.body = &f->body};
    const struct lambda_event call = {
        .payload = px_str_c(event), .arena = &t->arena, .reply = &f->reply};
    int r = storage_handle(&f->fn, &call);
    if (r == 0) CHECK_OK(px_json_parse(px_buf_str(&f->body), &t->arena, ret_root, NULL));
    return r;
}

static struct px_str refusal(struct test *t, struct fixture *f, const char *event)
{
    yyjson_val *root = NULL;
    CHECK_INT(ask(t, f, event, &root), LAMBDA_ERROR);
    return px_arena_printf(&t->arena, "%.*s: %.*s", PX_FMT(f->reply.error_type),
                           PX_FMT(f->reply.error_message));
}

TEST(values_are_written_as_the_query_api_writes_them)
{
    struct fixture f = {0};
    yyjson_val *root = NULL;
    begin(t, &f);
    put_rows(
        t, &f,
        "SELECT 1::BIGINT i, 'a\"b' s, 'nan'::DOUBLE d, TIMESTAMP '2026-01-02 03:04:05.5' \"at\", "
        "{'x': [1, NULL]} n, 1.50::DECIMAL(9,2) p, 'ab'::BLOB b, true o, NULL::INTEGER u",
        "a/one.parquet");
    CHECK_OK(
        ask(t, &f, "{\"op\":\"items\",\"store\":\"analytics\",\"key\":\"a/one.parquet\"}", &root));
    PX_AUTO(px_buf_deinit) struct px_buf rows;
    px_buf_init(&rows, 4096);
    px_buf_add_json(&rows, px_json_arr(root, "rows"));
    CHECK_STR(px_buf_str(&rows),
              S("[{\"i\":1,\"s\":\"a\\\"b\",\"d\":null,\"at\":\"2026-01-02T03:04:05.500Z\",\"n\":{"
                "\"x\":[1,null]},\"p\":1.5,\"b\":\"YWI=\",\"o\":true,\"u\":null}]"));
    CHECK_INT(px_json_i64(root, "total", 0), 1);
    CHECK(!px_json_bool(root, "more", true));
    end(&f);
}

TEST(pages_follow_one_another_until_the_last_row)
{
    struct fixture f = {0};
    int64_t after = 0, pages = 0;
    begin(t, &f);
    put_rows(t, &f, "SELECT range AS n, repeat('x', 90) AS pad FROM range(60000)",
             "a/many.parquet");
    for (bool more = true; more; pages++) {
        yyjson_val *root = NULL;
        struct px_str event = px_arena_printf(&t->arena,
                                              "{\"op\":\"items\",\"store\":\"analytics\",\"key\":"
                                              "\"a/many.parquet\",\"after\":%lld}",
                                              (long long)after);
        CHECK_OK(ask(t, &f, event.ptr, &root));
        CHECK(f.body.len < ITEMS_PAGE_BYTES + ITEMS_ROW_BYTES_MAX);
        yyjson_val *first = yyjson_arr_get_first(px_json_arr(root, "rows"));
        CHECK_INT(px_json_i64(first, "n", -1), after);
        CHECK_INT(yyjson_arr_size(px_json_arr(root, "rows")), px_json_i64(root, "count", -1));
        after += px_json_i64(root, "count", 0);
        more = px_json_bool(root, "more", false);
    }
    CHECK_INT(after, 60000);
    CHECK(pages > 2);
    end(&f);
}

TEST(no_more_rows_come_than_are_wanted)
{
    struct fixture f = {0};
    yyjson_val *root = NULL;
    begin(t, &f);
    put_rows(t, &f, "SELECT range AS n FROM range(10)", "a/ten.parquet");
    CHECK_OK(ask(t, &f,
                 "{\"op\":\"items\",\"store\":\"analytics\",\"key\":\"a/ten.parquet\",\"after\":7,"
                 "\"max\":2}",
                 &root));
    CHECK_INT(px_json_i64(root, "count", 0), 2);
    CHECK_INT(px_json_i64(root, "total", 0), 10);
    CHECK(!px_json_bool(root, "more", true));
    CHECK_OK(ask(
        t, &f, "{\"op\":\"items\",\"store\":\"analytics\",\"key\":\"a/ten.parquet\",\"after\":10}",
        &root));
    CHECK_INT(px_json_i64(root, "count", 1), 0);
    CHECK(!px_json_bool(root, "more", true));
    end(&f);
}

TEST(what_cannot_be_read_is_refused_with_the_reason)
{
    struct fixture f = {0};
    begin(t, &f);
    CHECK_OK(px_file_write_atomic(test_path(t, "analytics/a/text.parquet").ptr,
                                  S("PAR1 is not all that a Parquet file needs PAR1"), 0600));
    CHECK_OK(px_file_write_atomic(test_path(t, "analytics/a/empty.parquet").ptr, S(""), 0600));
    put_rows(t, &f, "SELECT repeat('x', 2000000) AS big", "a/row.parquet");
    const char *damaged = "Unreadable: the object is no Parquet file, or is damaged";
    CHECK_STR(
        refusal(t, &f, "{\"op\":\"items\",\"store\":\"analytics\",\"key\":\"a/text.parquet\"}"),
        px_str_c(damaged));
    CHECK_STR(
        refusal(t, &f, "{\"op\":\"items\",\"store\":\"analytics\",\"key\":\"a/empty.parquet\"}"),
        px_str_c(damaged));
    CHECK_STR(
        refusal(t, &f, "{\"op\":\"items\",\"store\":\"analytics\",\"key\":\"a/row.parquet\"}"),
        S("Unreadable: a row of the Parquet file is larger than 1 MiB"));
    CHECK_STR(refusal(t, &f, "{\"op\":\"items\",\"store\":\"analytics\",\"key\":\"a/none\"}"),
              S("NoSuchKey: The specified key does not exist."));
    CHECK_STR(refusal(t, &f, "{\"op\":\"items\",\"store\":\"hot\",\"key\":\"a/none\"}"),
              S("InvalidEvent: store is segments or analytics"));
    CHECK_STR(refusal(t, &f, "{\"op\":\"items\",\"store\":\"segments\",\"key\":\"a\",\"max\":-1}"),
              S("InvalidEvent: key is an object's; after and max are not negative"));
    end(&f);
}

TEST(a_footer_of_5_mb_is_read_and_a_larger_one_refused)
{
    struct fixture f = {0};
    yyjson_val *root = NULL;
    begin(t, &f);
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, (size_t)8 << 20);
    while (text.len < 4990000) px_buf_add_char(&text, 'x');
    for (int larger = 0; larger < 2; larger++) {
        CHECK_OK(sql_exec(
            f.engine, "COPY (SELECT 1 AS n) TO '%s' (FORMAT parquet, KV_METADATA {note: '%.*s'})",
            test_path(t, "analytics/a/footer.parquet").ptr, PX_FMT(px_buf_str(&text))));
        const char *event =
            "{\"op\":\"items\",\"store\":\"analytics\",\"key\":\"a/footer.parquet\"}";
        if (larger)
            CHECK_STR(refusal(t, &f, event),
                      S("Unreadable: the Parquet file's footer is larger than 5 MB"));
        else
            CHECK_OK(ask(t, &f, event, &root));
        while (text.len < ITEMS_FOOTER_BYTES_MAX) px_buf_add_char(&text, 'x');
    }
    CHECK_INT(px_json_i64(root, "count", 0), 1);
    end(&f);
}

/* A zigzag varint, as Thrift's compact protocol writes an integer. */
static size_t varint(int64_t value, uint8_t *to)
{
    size_t len = 0;
    uint64_t rest = (uint64_t)value << 1;
    for (; rest >= 128; rest >>= 7) to[len++] = (uint8_t)(rest | 128);
    to[len++] = (uint8_t)rest;
    return len;
}

/* Fields 2 and 3 of a row group, its bytes and rows (parquet.thrift, RowGroup); each is an i64 behind the one before it: 0x16. */
static size_t group_fields(int64_t bytes, int64_t rows, uint8_t *to)
{
    size_t len = 0;
    to[len++] = 0x16;
    len += varint(bytes, to + len);
    to[len++] = 0x16;
    return len + varint(rows, to + len);
}

/* The file, whose one row group has `rows`, as if that had so many bytes: its footer says so. */
static void claim_bytes(const char *path, int64_t rows, int64_t had, int64_t bytes)
{
    uint8_t before[24], after[24];
    size_t old = group_fields(had, rows, before), new = group_fields(bytes, rows, after);
    PX_AUTO(px_buf_deinit) struct px_buf whole;
    px_buf_init(&whole, (size_t)1 << 20);
    CHECK_OK(px_file_read(path, &whole));
    struct px_str file = px_buf_str(&whole);
    const char *at = memmem(file.ptr, file.len, before, old);
    CHECK(at != NULL);
    CHECK(!memmem(at + 1, file.len - (size_t)(at + 1 - file.ptr), before, old));
    PX_AUTO(px_buf_deinit) struct px_buf out;
    px_buf_init(&out, (size_t)1 << 20);
    px_buf_add(&out, file.ptr, (size_t)(at - file.ptr));
    px_buf_add(&out, after, new);
    px_buf_add(&out, at + old, (size_t)(file.ptr + file.len - 8 - (at + old)));
    uint32_t footer;
    memcpy(&footer, file.ptr + file.len - 8, sizeof(footer)); /* little endian, as the machine is */
    footer += (uint32_t)(new - old);
    px_buf_add(&out, &footer, sizeof(footer));
    px_buf_add_c(&out, "PAR1");
    CHECK_OK(px_buf_fault(&out));
    CHECK_OK(px_file_write_atomic(path, px_buf_str(&out), 0600));
}

TEST(a_row_group_of_256_mb_is_read_and_a_larger_one_refused)
{
    struct fixture f = {0};
    yyjson_val *root = NULL;
    const char *event = "{\"op\":\"items\",\"store\":\"analytics\",\"key\":\"a/group.parquet\"}";
    const char *path = test_path(t, "analytics/a/group.parquet").ptr;
    int64_t had = 0;
    size_t groups = 0;
    begin(t, &f);
    put_rows(t, &f, "SELECT range AS n FROM range(77)", "a/group.parquet");
    struct px_str ask_bytes = px_arena_printf(
        &t->arena, "SELECT DISTINCT row_group_bytes FROM parquet_metadata('%s')", path);
    CHECK_OK(parquet_select_ints(f.engine, ask_bytes, 1, 1, &had, &groups));
    CHECK_INT(groups, 1);
    claim_bytes(path, 77, had, ITEMS_ROW_GROUP_BYTES_MAX);
    CHECK_OK(ask(t, &f, event, &root));
    CHECK_INT(px_json_i64(root, "count", 0), 77);
    claim_bytes(path, 77, ITEMS_ROW_GROUP_BYTES_MAX, ITEMS_ROW_GROUP_BYTES_MAX + 1);
    CHECK_STR(refusal(t, &f, event),
              S("Unreadable: a row group of the Parquet file is larger than 256 MB"));
    end(&f);
}

TEST_MAIN
