/* The function `schema`: events in, one kind of answer out, with steps of the test's own. */
#include "support/support.h"

#include "base/px_json.h"
#include "store/meta_users.h"
#include "svc/catalog/migrate_event.h"

static const struct migrate_step steps[] = {
    {.number = 1,
     .kind = MIGRATE_EXPAND,
     .name = "things",
     .sql = "CREATE TABLE things (id BIGINT NOT NULL PRIMARY KEY, a BIGINT);"
            "INSERT INTO things (id) VALUES (1), (2), (3);"},
    {.number = 2,
     .kind = MIGRATE_BACKFILL,
     .name = "a of all",
     .sql =
         "UPDATE things SET a = id WHERE id IN (SELECT id FROM things WHERE a IS NULL ORDER BY id LIMIT $1)",
     .left = "SELECT count(*) FROM things WHERE a IS NULL"},
    {.number = 3,
     .kind = MIGRATE_CONTRACT,
     .name = "nowhere",
     .sql = "DROP TABLE IF EXISTS nowhere;",
     .unused_since = 3,
     .unsaid = true},
};
static const struct migrate_list list = {steps, 3, 2};

struct fixture {
    struct schema_function fn;
    struct px_buf body;
    struct lambda_reply reply;
};

static void open_function(struct test *t, struct fixture *f)
{
    f->fn = (struct schema_function){
        .list = &list, .meta_url = test_path(t, "meta.db"), .users = S("prism_x=read")};
    px_buf_init(&f->body, 1u << 16);
}

static int handle(struct test *t, struct fixture *f, const char *payload)
{
    px_buf_clear(&f->body);
    f->reply = (struct lambda_reply){.body = &f->body};
    const struct lambda_event event = {
        .payload = px_str_c(payload), .arena = &t->arena, .reply = &f->reply};
    return schema_handle(&f->fn, &event);
}

static yyjson_val *answer(struct test *t, struct fixture *f, const char *payload)
{
    yyjson_val *root = NULL;
    CHECK_OK(handle(t, f, payload));
    CHECK_OK(px_json_parse(px_buf_str(&f->body), &t->arena, &root, NULL));
    return root;
}

static void check_next(yyjson_val *root, const char *next, int number)
{
    CHECK_STR(px_json_str(root, "next"), px_str_c(next));
    CHECK_INT(px_json_i64(root, "next_number", -1), number);
}

TEST(a_driver_that_follows_next_comes_to_the_end)
{
    struct fixture f;
    open_function(t, &f);
    check_next(answer(t, &f, "{\"op\":\"status\"}"), "expand", 1);
    yyjson_val *root = answer(t, &f, "{\"op\":\"expand\"}");
    check_next(root, "backfill", 2);
    CHECK_INT(px_json_i64(root, "run", -1), 1);
    CHECK_INT(px_json_i64(root, "users_missing", -1), 0); /* SQLite has none */
    root = answer(t, &f, "{\"op\":\"backfill\",\"rows\":2}");
    check_next(root, "contract", 3);
    CHECK(px_json_i64(root, "rows", -1) == 3 && !px_json_bool(root, "more", true));
    CHECK_INT(px_json_i64(answer(t, &f, "{\"op\":\"verify\"}"), "unsound", -1), 0);
    root = answer(t, &f, "{\"op\":\"contract\"}");
    CHECK_STR(px_json_str(root, "held"), S("unsaid"));
    check_next(root, "contract", 3);
    root = answer(t, &f, "{\"op\":\"contract\",\"approved\":true}");
    CHECK_STR(px_json_str(root, "held"), S(""));
    check_next(root, "none", 0);
    CHECK(px_json_i64(root, "version", -1) == 2 && px_json_i64(root, "contracted", -1) == 3);
    px_buf_deinit(&f.body);
}

TEST(a_limit_ends_before_the_list_does)
{
    struct fixture f;
    open_function(t, &f);
    check_next(answer(t, &f, "{\"op\":\"expand\",\"to\":1}"), "none", 0);
    check_next(answer(t, &f, "{\"op\":\"status\"}"), "backfill", 2);
    px_buf_deinit(&f.body);
}

TEST(what_does_not_hold_is_told_and_filled_again)
{
    struct fixture f;
    PX_AUTO(meta_close) struct meta *meta = NULL;
    open_function(t, &f);
    (void)answer(t, &f, "{\"op\":\"expand\"}");
    (void)answer(t, &f, "{\"op\":\"backfill\"}");
    CHECK_OK(meta_open(test_path(t, "meta.db"), NULL, &meta));
    CHECK_OK(meta_exec(meta, "INSERT INTO things (id) VALUES (9)", NULL, 0, NULL));
    yyjson_val *root = answer(t, &f, "{\"op\":\"verify\"}");
    CHECK(px_json_i64(root, "unsound", -1) == 2 && px_json_i64(root, "left", -1) == 1);
    CHECK_INT(px_json_i64(answer(t, &f, "{\"op\":\"backfill\"}"), "rows", -1), 1);
    CHECK_INT(px_json_i64(answer(t, &f, "{\"op\":\"verify\"}"), "unsound", -1), 0);
    px_buf_deinit(&f.body);
}

TEST(wrong_events_are_refused)
{
    static const char *const wrong[] = {"nonsense",
                                        "[]",
                                        "{}",
                                        "{\"op\":\"drop\"}",
                                        "{\"op\":\"expand\",\"to\":-1}",
                                        "{\"op\":\"backfill\",\"rows\":1000001}"};
    struct fixture f;
    open_function(t, &f);
    for (size_t i = 0; i < PX_COUNT(wrong); i++) {
        CHECK_INT(handle(t, &f, wrong[i]), LAMBDA_ERROR);
        CHECK_STR(f.reply.error_type, S("InvalidEvent"));
    }
    f.fn.meta_url = S("");
    CHECK_INT(handle(t, &f, "{\"op\":\"status\"}"), PX_F_CONFIG);
    px_buf_deinit(&f.body);
}

TEST(users_are_named_and_nothing_else)
{
    static const char *const wrong[] = {"prism",     "prism=write",  "Prism=read",
                                        "=read",     "pg_x=read",    "rdsadmin=read",
                                        "a\"b=read", "prism=read,,", "prism=read;x=read"};
    struct meta_user users[2];
    size_t count = 9;
    CHECK_OK(meta_users_parse(S("prism_query=read,prism_storage=read-write"), users, 2, &count));
    CHECK_INT(count, 2);
    CHECK(strcmp(users[0].name, "prism_query") == 0 && !users[0].writes);
    CHECK(strcmp(users[1].name, "prism_storage") == 0 && users[1].writes);
    CHECK_OK(meta_users_parse(S(""), users, 2, &count));
    CHECK_INT(count, 0);
    for (size_t i = 0; i < PX_COUNT(wrong); i++)
        CHECK_INT(meta_users_parse(px_str_c(wrong[i]), users, 2, &count), PX_F_CONFIG);
    CHECK_INT(meta_users_parse(S("a=read,b=read,c=read"), users, 2, &count), PX_F_LIMIT);
}

TEST_MAIN
