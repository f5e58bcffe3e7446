/* Tables in DynamoDB when answers are lost, late or strange: a service that answers as told. What the
 * half does with a service that works: test_tables.c. */
#include "aws/fake.h"
#include "aws/reach.h"

#include "store/tables.h"

__attribute__((constructor)) static void reach(void) { reach_init(); }

struct rig {
    struct fake fake;
    struct table_store *store;
};
#define RIG_START(rig, ...)                                                                        \
    static const struct fake_step steps_[] = {__VA_ARGS__};                                        \
    rig_start(t, rig, steps_, PX_COUNT(steps_))
static void rig_start(struct test *t, struct rig *rig, const struct fake_step *steps, size_t count)
{
    memset(rig, 0, sizeof *rig);
    fake_start_as_aws(&rig->fake, steps, count);
    struct table_options options = {.clock = &t->clock, .busy_ms = 3000};
    CHECK_OK(table_store_open(S("dynamodb://prism-dev"), &options, &rig->store));
}
static void rig_stop(struct rig *rig)
{
    table_store_close(&rig->store);
    fake_stop(&rig->fake);
}
static const struct table_put some_put = {
    .key = {S("things"), S("p"), S("s")}, .document = S("{}"), .condition = TABLE_NEW};

#define ITEM(id, version)                                                                          \
    "{\"pk\":{\"S\":\"p\"},\"sk\":{\"S\":\"#s\"},\"document\":{\"S\":\"{}\"},\"version\":{\"N\":"  \
    "\"" version "\"},\"put_id\":{\"S\":\"" id "\"}}"
#define FAILED_ON(id)                                                                              \
    {                                                                                              \
        .status = 400,                                                                             \
        .body = "{\"__type\":\"x#ConditionalCheckFailedException\",\"Item\":" ITEM(id, "5") "}"    \
    }

TEST(a_put_whose_answer_was_lost_knows_its_own_item)
{
    struct rig rig;
    RIG_START(&rig, {.kind = FAKE_HALF, .status = 200, .body = "{ }"}, FAILED_ON("$ID"));
    int64_t version = 0;
    CHECK_OK(table_put(rig.store, &some_put, &t->arena, &version, NULL));
    CHECK_INT(version, 5);
    CHECK_INT(rig.fake.requests, 2);
    rig_stop(&rig);
}

TEST(a_put_that_meets_anothers_item_fails_even_when_an_answer_was_lost)
{
    struct rig rig;
    RIG_START(&rig, {.kind = FAKE_RESET}, FAILED_ON("another's"));
    struct table_item current = {0};
    CHECK_INT(table_put(rig.store, &some_put, &t->arena, NULL, &current), TABLE_CONDITION_FAILED);
    CHECK_INT(current.version, 5);
    CHECK_STR(current.document, S("{}"));
    rig_stop(&rig);
}

/* The value of a JSON member of the request, up to its quote. */
static struct px_str member(const char *request, const char *name)
{
    const char *at = strstr(request, name);
    CHECK(at);
    at += strlen(name);
    return px_str(at, strcspn(at, "\""));
}

TEST(a_transaction_keeps_its_token_when_it_is_sent_again)
{
    struct rig rig;
    RIG_START(&rig, {.kind = FAKE_RESET}, {.status = 500},
              {.status = 400,
               .body = "{\"__type\":\"x#TransactionCanceledException\",\"CancellationReasons\":[{"
                       "\"Code\":\"None\"},{\"Code\":\"TransactionConflict\"}]}"},
              FAKE_OK("{}"));
    struct table_put puts[2] = {some_put, some_put};
    puts[1].key.sort = S("t");
    puts[1].document = (struct px_str){0};
    CHECK_OK(table_put_all(rig.store, puts, 2, NULL));
    CHECK_INT(rig.fake.requests, 4);
    struct px_str token = member(rig.fake.first, "\"ClientRequestToken\":\"");
    CHECK_INT(token.len, 32);
    CHECK_STR(member(rig.fake.request, "\"ClientRequestToken\":\""), token);
    CHECK(strstr(rig.fake.request, "\"TableName\":\"prism-dev-things\""));
    rig_stop(&rig);
}

TEST(a_transaction_says_which_change_failed)
{
    struct rig rig;
    RIG_START(&rig, {.status = 400,
                     .body = "{\"__type\":\"x#TransactionCanceledException\","
                             "\"CancellationReasons\":[{\"Code\":\"TransactionConflict\"},{"
                             "\"Code\":\"ConditionalCheckFailed\",\"Item\":" ITEM("x", "1") "}]}"});
    struct table_put puts[2] = {some_put, some_put};
    puts[1].key.sort = S("t");
    size_t failed = 9;
    CHECK_INT(table_put_all(rig.store, puts, 2, &failed), TABLE_CONDITION_FAILED);
    CHECK_INT(failed, 1);
    CHECK_INT(rig.fake.requests, 1);
    rig_stop(&rig);
}

TEST(a_delete_with_a_condition_is_a_transaction_and_one_without_is_not)
{
    struct rig rig;
    RIG_START(&rig, FAKE_OK("{}"));
    CHECK_OK(table_delete(rig.store, &some_put.key, TABLE_VERSION, 3));
    CHECK(strstr(rig.fake.request, "TransactWriteItems"));
    CHECK_OK(table_delete(rig.store, &some_put.key, TABLE_ANY, 0));
    CHECK(strstr(rig.fake.request, "DynamoDB_20120810.DeleteItem"));
    rig_stop(&rig);
}

TEST(an_unconditional_put_that_only_meets_expired_items_ends)
{
    struct rig rig;
    RIG_START(&rig,
              {.status = 400,
               .body = "{\"__type\":\"x#ConditionalCheckFailedException\",\"Item\":"
                       "{\"pk\":{\"S\":\"p\"},\"sk\":{\"S\":\"#s\"},\"document\":{\"S\":\"\"},"
                       "\"version\":{\"N\":\"1\"},\"expires_at\":{\"N\":\"1\"}}}"});
    struct table_put put = some_put;
    put.condition = TABLE_ANY;
    CHECK_INT(table_put(rig.store, &put, NULL, NULL, NULL), PX_F_BUSY);
    CHECK_INT(rig.fake.requests, 8);
    rig_stop(&rig);
}

#define LEFT "{\"pk\":{\"S\":\"p\"},\"sk\":{\"S\":\"#s\"}}"

TEST(keys_that_are_not_answered_are_asked_for_again_and_not_for_ever)
{
    struct rig rig;
    RIG_START(
        &rig,
        {.status = 200,
         .body = "{\"Responses\":{\"prism-dev-things\":[]},\"UnprocessedKeys\":"
                 "{\"prism-dev-things\":{\"Keys\":[" LEFT "]}}}"},
        {.status = 200,
         .body = "{\"Responses\":{\"prism-dev-things\":[" ITEM("x", "5") "]},"
                                                                         "\"UnprocessedKeys\":{}}"},
        {.status = 200,
         .body = "{\"UnprocessedKeys\":{\"prism-dev-things\":{\"Keys\":[" LEFT "]}}}"});
    const struct table_key keys[] = {
        {S("things"), S("p"), S("r")}, some_put.key, {S("things"), S("p"), S("s")}};
    struct table_item *items = NULL;
    CHECK_OK(table_get_all(rig.store, keys, PX_COUNT(keys), &t->arena, &items));
    CHECK_INT(rig.fake.requests, 2);
    CHECK_INT(items[0].version, 0);
    CHECK_INT(items[1].version, 5);
    CHECK_INT(items[2].version, 5);
    CHECK_INT(table_get_all(rig.store, keys, 2, &t->arena, &items), PX_F_UNAVAILABLE);
    rig_stop(&rig);
}

TEST(items_that_prism_did_not_write_are_corrupt)
{
    static const char *const items[] = {
        "{\"pk\":{\"S\":\"p\"}}",
        "{\"pk\":{\"S\":\"p\"},\"sk\":{\"S\":\"s\"},\"document\":{\"S\":\"\"},\"version\":{\"N\":"
        "\"1\"}}",
        "{\"pk\":{\"S\":\"p\"},\"sk\":{\"S\":\"#s\"},\"document\":{\"S\":\"\"},\"version\":{\"N\":"
        "\"0\"}}",
        "{\"pk\":{\"S\":\"p\"},\"sk\":{\"S\":\"#s\"},\"document\":{\"S\":\"\"},\"version\":{\"N\":"
        "\"1\"},\"expires_at\":{\"N\":\"1.5\"}}",
        "{\"pk\":{\"S\":\"p\"},\"sk\":{\"S\":\"#s\"},\"document\":{\"S\":\"\"},\"version\":{\"S\":"
        "\"1\"}}"};
    for (size_t i = 0; i < PX_COUNT(items); i++) {
        struct rig rig;
        struct fake_step step = FAKE_OK(px_arena_printf(&t->arena, "{\"Item\":%s}", items[i]).ptr);
        rig_start(t, &rig, &step, 1);
        struct table_item item;
        CHECK_INT(table_get(rig.store, &some_put.key, &t->arena, &item), PX_F_CORRUPT);
        rig_stop(&rig);
    }
}

TEST(what_the_caller_cannot_help_is_a_fault)
{
    struct rig rig;
    RIG_START(&rig, FAKE_ERROR(400, "ResourceNotFoundException"),
              FAKE_ERROR(400, "ValidationException"), FAKE_OK("no JSON"),
              FAKE_ERROR(400, "AccessDeniedException"));
    struct table_item item;
    CHECK_INT(table_get(rig.store, &some_put.key, &t->arena, &item), PX_F_CONFIG);
    CHECK_INT(table_get(rig.store, &some_put.key, &t->arena, &item), PX_F_PROTOCOL);
    CHECK_INT(table_get(rig.store, &some_put.key, &t->arena, &item), PX_F_PROTOCOL);
    CHECK_INT(table_get(rig.store, &some_put.key, &t->arena, &item), PX_F_DENIED);
    rig_stop(&rig);
}

TEST(text_that_is_not_utf_8_is_refused_before_it_is_sent)
{
    struct rig rig;
    RIG_START(&rig, FAKE_OK("{}"));
    struct table_put put = some_put;
    struct table_item item;
    put.key.partition = S("\xff");
    CHECK_INT(table_get(rig.store, &put.key, &t->arena, &item), PX_F_LIMIT);
    CHECK_INT(table_put(rig.store, &put, NULL, NULL, NULL), PX_F_LIMIT);
    CHECK_INT(table_put_all(rig.store, &put, 1, NULL), PX_F_LIMIT);
    put = some_put;
    put.document = S("\xc3");
    CHECK_INT(table_put(rig.store, &put, NULL, NULL, NULL), PX_F_LIMIT);
    CHECK_INT(rig.fake.requests, 0);
    rig_stop(&rig);
}

TEST(expiry_is_rounded_up_to_a_second_and_removed_by_dynamodb_itself)
{
    struct rig rig;
    RIG_START(&rig, FAKE_OK("{}"));
    struct table_put put = some_put;
    put.expires_ns = 7 * PX_NS_PER_S + 1;
    CHECK_OK(table_put(rig.store, &put, NULL, NULL, NULL));
    CHECK_STR(member(rig.fake.request, "\"expires_at\":{\"N\":\""), S("8"));
    size_t removed = 9;
    CHECK_OK(table_expire(rig.store, 100, &removed));
    CHECK_INT(removed, 0);
    CHECK_INT(rig.fake.requests, 1);
    rig_stop(&rig);
}

TEST(an_url_that_names_no_tables_is_refused)
{
    struct table_store *store = NULL;
    CHECK_INT(table_store_open(S("dynamodb://"), NULL, &store), PX_F_CONFIG);
    CHECK_INT(table_store_open(S("dynamodb://a/b"), NULL, &store), PX_F_CONFIG);
    CHECK(!store);
}

TEST_MAIN
