/* The function `storage`: events in, counts out, over the embedded stores. */
#include "svc/storage/storage_kit.h"

#include "base/px_json.h"
#include "svc/storage/storage_event.h"

struct fixture {
    struct storage_function fn;
    struct px_buf body;
    struct lambda_reply reply;
};

static void open_function(struct test *t, struct fixture *f)
{
    f->fn = (struct storage_function){
        .urls = {test_path(t, "hot"), test_path(t, "segments"), test_path(t, "analytics"),
                 test_path(t, "tables.db"), test_path(t, "meta.db")},
        .limits = {.memory_bytes = 512u << 20, .threads = 1, .temp_dir = test_path(t, "tmp")}};
    px_buf_init(&f->body, 1u << 20);
}

static int handle(struct test *t, struct fixture *f, const char *payload)
{
    px_buf_clear(&f->body);
    f->reply = (struct lambda_reply){.body = &f->body};
    const struct lambda_event event = {
        .payload = px_str_c(payload), .arena = &t->arena, .reply = &f->reply};
    return storage_handle(&f->fn, &event);
}

static int64_t count_of(struct test *t, struct fixture *f, const char *payload, const char *name)
{
    CHECK_OK(handle(t, f, payload));
    yyjson_val *root = NULL;
    CHECK_OK(px_json_parse(px_buf_str(&f->body), &t->arena, &root, NULL));
    CHECK(yyjson_obj_get(root, "more") && yyjson_obj_get(root, "ms"));
    return px_json_i64(root, name, -1);
}

TEST(each_operation_answers_with_its_counts)
{
    struct kit kit = {0};
    CHECK_OK(kit_open(&kit, t->dir));
    struct hot_writer *writer = NULL;
    CHECK_OK(hot_writer_new(kit.hot, NULL, &writer));
    uint64_t seq = 0;
    CHECK_OK(kit_append(writer, &(struct kit_rows){.count = 7}, &seq));
    hot_writer_free(&writer);
    kit_close(&kit);

    struct fixture f = {0};
    open_function(t, &f);
    CHECK_INT(count_of(t, &f, "{\"op\":\"seal\",\"tenant\":\"other\"}", "rows"), 0);
    CHECK_INT(count_of(t, &f, "{\"op\":\"seal\"}", "rows"), 7);
    CHECK_INT(
        count_of(t, &f, "{\"op\":\"compact\",\"tenant\":\"acme\",\"dataset\":\"logs\"}", "rows"),
        7);
    CHECK_INT(count_of(t, &f, "{\"op\":\"ttl\"}", "items_removed"), 0);
    CHECK_INT(count_of(t, &f, "{\"op\":\"retain\"}", "objects_removed"), 0);
    /* a year and more later the rows are past their retention */
    CHECK_INT(
        count_of(t, &f, "{\"op\":\"retain\",\"now\":\"2030-01-01T00:00:00Z\"}", "segments_in"), 1);
    CHECK_INT(
        count_of(t, &f, "{\"op\":\"retain\",\"now\":\"2030-01-02T00:00:00Z\"}", "objects_removed"),
        1);
    px_buf_deinit(&f.body);
}

TEST(a_wrong_event_is_a_function_error_that_says_why)
{
    static const char *const wrong[] = {"",
                                        "[]",
                                        "{}",
                                        "{\"op\":\"sael\"}",
                                        "{\"op\":7}",
                                        "{\"op\":\"seal\",\"tenant\":\"../up\"}",
                                        "{\"op\":\"seal\",\"dataset\":\"logs\"}",
                                        "{\"op\":\"seal\",\"tenant\":\"acme\",\"dataset\":\"a/b\"}",
                                        "{\"op\":\"retain\",\"now\":\"tomorrow\"}",
                                        "{\"op\":\"retain\",\"now\":5}"};
    struct fixture f = {0};
    open_function(t, &f);
    for (size_t i = 0; i < PX_COUNT(wrong); i++) {
        CHECK_INT(handle(t, &f, wrong[i]), LAMBDA_ERROR);
        CHECK_STR(f.reply.error_type, S("InvalidEvent"));
        CHECK(f.reply.error_message.len > 0);
    }
    px_buf_deinit(&f.body);
}

TEST(a_missing_store_or_a_wrong_lifecycle_is_a_configuration_fault)
{
    struct fixture f = {0};
    open_function(t, &f);
    CHECK_OK(px_file_write_atomic(test_path(t, "lifecycle.json").ptr, S("{\"version\":2}"), 0600));
    f.fn.lifecycle_path = test_path(t, "lifecycle.json");
    CHECK_INT(handle(t, &f, "{\"op\":\"seal\"}"), PX_F_CONFIG);
    f.fn.lifecycle_path = S("");
    f.fn.urls.analytics = S("");
    CHECK_INT(handle(t, &f, "{\"op\":\"seal\"}"), PX_F_CONFIG);
    px_buf_deinit(&f.body);
}

/* ---- a move, event by event ---- */

static int64_t moved_of(struct test *t, struct fixture *f, const char *name, const char *rest,
                        const char *member)
{
    struct px_str payload = px_arena_printf(
        &t->arena, "{\"op\":\"%s\",\"tenant\":\"acme\",\"epoch\":2%s}", name, rest);
    return count_of(t, f, payload.ptr, member);
}

static void check_error(struct test *t, struct fixture *f, const char *payload, const char *type)
{
    CHECK_INT(handle(t, f, payload), LAMBDA_ERROR);
    CHECK_STR(f->reply.error_type, px_str_c(type));
}

TEST(a_tenant_is_moved_by_events)
{
    struct kit kit = {0};
    struct hot_writer *writer = NULL;
    uint64_t seq = 0;
    CHECK_OK(kit_open(&kit, t->dir));
    CHECK_OK(hot_writer_new(kit.hot, NULL, &writer));
    CHECK_OK(kit_append(writer, &(struct kit_rows){.count = 7}, &seq));
    hot_writer_free(&writer);
    kit_close(&kit);
    struct fixture from = {0}, to = {0};
    open_function(t, &from);
    open_function(t, &to);
    to.fn.urls = (struct storage_urls){test_path(t, "west/hot"), test_path(t, "west/segments"),
                                       test_path(t, "west/analytics"), test_path(t, "tables.db"),
                                       test_path(t, "west/meta.db")};
    struct px_str source = px_arena_printf(
        &t->arena, ",\"source\":{\"segments\":\"%.*s\",\"analytics\":\"%.*s\"}",
        PX_FMT(from.fn.urls.segments), PX_FMT(from.fn.urls.analytics));
    CHECK_INT(moved_of(t, &to, "move-greet", ",\"region\":\"east\"", "rows"), 0);
    struct px_str early = px_arena_printf(
        &t->arena, "{\"op\":\"move-fetch\",\"tenant\":\"acme\",\"epoch\":2%.*s}", PX_FMT(source));
    check_error(t, &to, early.ptr, "Unpacked");
    CHECK_INT(moved_of(t, &from, "move-freeze", ",\"region\":\"west\"", "rows"), 0);
    CHECK_INT(moved_of(t, &from, "move-pack", "", "rows"), 7);
    CHECK_INT(moved_of(t, &to, "move-fetch", source.ptr, "copied"), 1);
    CHECK_INT(moved_of(t, &to, "move-check", source.ptr, "differ"), 0);
    CHECK_INT(moved_of(t, &from, "move-leave", ",\"region\":\"west\"", "rows"), 0);
    CHECK_INT(moved_of(t, &to, "move-settle", "", "rows"), 0);
    check_error(t, &to, early.ptr, "Fenced");
    CHECK_INT(moved_of(t, &from, "move-clean", "", "rows"), 7);
    px_buf_deinit(&from.body);
    px_buf_deinit(&to.body);
}

TEST(a_step_is_carried_out_in_the_region_that_it_is_meant_for)
{
    struct fixture f = {0};
    open_function(t, &f);
    f.fn.region = S("west");
    check_error(t, &f, "{\"op\":\"move-stay\",\"tenant\":\"acme\",\"epoch\":2,\"at\":\"east\"}",
                "WrongRegion");
    check_error(t, &f, "{\"op\":\"move-stay\",\"tenant\":\"acme\",\"epoch\":2}", "WrongRegion");
    CHECK_OK(
        handle(t, &f, "{\"op\":\"move-stay\",\"tenant\":\"acme\",\"epoch\":2,\"at\":\"west\"}"));
    px_buf_deinit(&f.body);
}

TEST(a_step_of_a_move_without_what_it_needs_is_refused)
{
    struct fixture f = {0};
    open_function(t, &f);
    static const char *const wrong[] = {
        "{\"op\":\"move-pack\",\"tenant\":\"acme\"}",
        "{\"op\":\"move-pack\",\"epoch\":2}",
        "{\"op\":\"move-freeze\",\"tenant\":\"acme\",\"epoch\":2}",
        "{\"op\":\"move-fetch\",\"tenant\":\"acme\",\"epoch\":2}",
        ("{\"op\":\"move-fetch\",\"tenant\":\"acme\",\"epoch\":2,\"source\":{\"segments\":\"a\","
         "\"analytics\":\"b\"}}"),
        "{\"op\":\"move-on\",\"tenant\":\"acme\",\"epoch\":2}"};
    for (size_t i = 0; i < PX_COUNT(wrong); i++) check_error(t, &f, wrong[i], "InvalidEvent");
    px_buf_deinit(&f.body);
}

TEST(a_step_of_an_offboarding_answers_or_says_why_not)
{
    static const char *const wrong[] = {
        "{\"op\":\"offboard-export\"}",
        "{\"op\":\"offboard-export\",\"tenant\":\"_system\"}",
        "{\"op\":\"offboard-prove\",\"tenant\":\"acme\",\"began\":\"2026-11-27T08:00:00Z\"}",
        "{\"op\":\"offboard-prove\",\"tenant\":\"acme\",\"execution\":\"a:../b\",\"began\":\"2026-11-27T08:00:00Z\"}",
        "{\"op\":\"offboard-prove\",\"tenant\":\"acme\",\"execution\":\"a:b\",\"began\":\"now\"}",
        "{\"op\":\"offboard-give-up\",\"tenant\":\"acme\"}"};
    struct fixture f = {0};
    open_function(t, &f);
    for (size_t i = 0; i < PX_COUNT(wrong); i++) check_error(t, &f, wrong[i], "InvalidEvent");
    PX_AUTO(table_store_close) struct table_store *tables = NULL;
    struct table_put put = {.key = {S("tenants"), S("acme"), S("")},
                            .document = S("{\"status\":\"active\",\"epoch\":1}")};
    CHECK_OK(table_store_open(f.fn.urls.tables, NULL, &tables));
    CHECK_OK(table_put(tables, &put, &t->arena, NULL, NULL));
    check_error(t, &f, "{\"op\":\"offboard-export\",\"tenant\":\"acme\"}", "NotStopped");
    check_error(t, &f, "{\"op\":\"offboard-check\",\"tenant\":\"acme\"}", "Unexported");
    put.document = S("{\"status\":\"suspended\",\"epoch\":1}");
    CHECK_OK(table_put(tables, &put, &t->arena, NULL, NULL));
    CHECK_INT(count_of(t, &f, "{\"op\":\"offboard-export\",\"tenant\":\"acme\"}", "objects"), 0);
    CHECK(px_str_starts(px_str_skip(px_buf_str(&f.body), 1), S("\"op\":\"offboard-export\"")));
    CHECK_INT(count_of(t, &f, "{\"op\":\"offboard-check\",\"tenant\":\"acme\"}", "checked"), 0);
    px_buf_deinit(&f.body);
}

TEST_MAIN
