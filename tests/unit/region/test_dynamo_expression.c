/* Condition and update expressions of DynamoDB. */
#include "support/support.h"

#include "region/dynamo_expression.h"

static yyjson_val *json(struct test *t, const char *text)
{
    yyjson_val *root = NULL;
    CHECK_OK(px_json_parse(px_str_c(text), &t->arena, &root, NULL));
    return root;
}

#define ITEM                                                                                       \
    "{\"breaker\":{\"S\":\"seal/shard-0\"},\"skips\":{\"N\":\"3\"},\"big\":{\"N\":\"1e40\"},"      \
    "\"open\":{\"BOOL\":true},\"list\":{\"L\":[{\"N\":\"1\"}]}}"
#define VALUES                                                                                     \
    "{\":three\":{\"N\":\"3\"},\":four\":{\"N\":\"4.0\"},\":s\":{\"S\":\"seal\"},"                 \
    "\":true\":{\"BOOL\":true},\":l\":{\"L\":[{\"N\":\"1\"}]},\":text\":{\"S\":\"3\"},"            \
    "\":bad\":{\"S\":1}}"

/* 1 holds, 0 does not, -1 refused. */
static int holds(struct test *t, const char *text)
{
    struct dynamo_words words = {.names = json(t, "{\"#b\":\"breaker\"}"),
                                 .values = json(t, VALUES)};
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *item = yyjson_val_mut_copy(doc, json(t, ITEM));
    struct px_str why = {0};
    bool yes = false;
    int r = dynamo_condition(px_str_c(text), &words, item, &t->arena, &yes, &why);
    yyjson_mut_doc_free(doc);
    CHECK(r == 0 ||
          (r == DYNAMO_INVALID && px_str_starts(why, S("Invalid ConditionExpression: "))));
    return r == 0 ? yes : -1;
}

TEST(conditions_hold_or_not)
{
    static const struct {
        const char *text;
        int holds;
    } cases[] = {
        {"skips >= :three", 1},
        {"skips > :three", 0},
        {"skips < :four", 1},
        {"skips <= :three AND skips = :three", 1},
        {"skips = :text", 0}, /* a number is no text */
        {"skips <> :text", 1},
        {"skips > :s", 0}, /* of different types: never */
        {"nothing = :three", 0},
        {"nothing <> :three", 1},
        {"big > :four", 1},
        {"open = :true", 1},
        {"list = :l", 1},
        {"attribute_exists(skips)", 1},
        {"attribute_not_exists(skips)", 0},
        {"attribute_not_exists (nothing)", 1},
        {"begins_with(#b, :s)", 1},
        {"contains(#b, :s) and not contains(#b, :text)", 1},
        {"begins_with(skips, :text)", 0},
        {"skips BETWEEN :three AND :four", 1},
        {"skips between :four and :four", 0},
        {"skips IN (:text, :three)", 1},
        {"skips IN (:text)", 0},
        {"nothing = :s OR skips = :three AND open = :true", 1},
        {"(nothing = :s OR skips = :three) AND NOT open = :true", 0},
        {":three = :three", 1},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++)
        if (holds(t, cases[i].text) != cases[i].holds)
            TEST_FAIL("%s is not %d", cases[i].text, cases[i].holds);
}

TEST(what_is_no_condition_is_refused)
{
    static const char *const wrong[] = {
        "",
        " ",
        "skips",
        "skips =",
        "= :three",
        "skips >= :three extra",
        "skips == :three",
        "skips >= :unknown",
        "#unknown = :three",
        "(skips = :three",
        "skips = :three)",
        "attribute_exists skips",
        "attribute_exists(:three)",
        "begins_with(skips)",
        "a.b = :three",
        "a[0] = :three",
        "size(skips) > :three",
        "NOT",
        "skips = :three AND",
        "skips IN ()",
        "skips BETWEEN :three :four",
        "AND = :three",
        "skips = :bad",
        "3 = :three",
        "skips ! :three",
        "# = :three",
        "skips = :",
        "nothing = :three OR skips",
    };
    for (size_t i = 0; i < PX_COUNT(wrong); i++)
        if (holds(t, wrong[i]) != -1) TEST_FAIL("'%s' was not refused", wrong[i]);
    char deep[401];
    memset(deep, '(', 400);
    deep[400] = '\0';
    CHECK_INT(holds(t, deep), -1);
}

/* The item afterwards; ptr NULL: refused, with why in ret_why. */
static struct px_str updated(struct test *t, const char *text, struct dynamo_changes *ret_changes,
                             struct px_str *ret_why)
{
    struct dynamo_words words = {.names = json(t, "{\"#b\":\"breaker\"}"),
                                 .values = json(t, VALUES)};
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *item = yyjson_val_mut_copy(doc, json(t, "{\"skips\":{\"N\":\"3\"},\"x\":{\"S\":"
                                                            "\"y\"}}"));
    int r = dynamo_update(px_str_c(text), &words, doc, item, &t->arena, ret_changes, ret_why);
    struct px_str after = {0};
    size_t len = 0;
    if (r == 0) {
        char *written = yyjson_mut_val_write(item, 0, &len);
        after = px_arena_dup(&t->arena, px_str(written, len));
        free(written);
    } else {
        CHECK_INT(r, DYNAMO_INVALID);
    }
    for (size_t i = 0; i < ret_changes->count; i++)
        ret_changes->names[i] = px_arena_dup(&t->arena, ret_changes->names[i]);
    yyjson_mut_doc_free(doc);
    return after;
}

TEST(updates_change_the_item)
{
    static const struct {
        const char *text, *after;
    } cases[] = {
        {"ADD skips :three", "{\"skips\":{\"N\":\"6\"},\"x\":{\"S\":\"y\"}}"},
        {"ADD fresh :three",
         "{\"skips\":{\"N\":\"3\"},\"x\":{\"S\":\"y\"},\"fresh\":{\"N\":\"3\"}}"},
        {"SET x = :s REMOVE skips", "{\"x\":{\"S\":\"seal\"}}"},
        {"remove nothing, x", "{\"skips\":{\"N\":\"3\"}}"},
        {"SET x = if_not_exists(x, :s), #b = if_not_exists(#b, :s)",
         "{\"skips\":{\"N\":\"3\"},\"x\":{\"S\":\"y\"},\"breaker\":{\"S\":\"seal\"}}"},
        {"SET skips = skips + :three, x = skips",
         "{\"skips\":{\"N\":\"6\"},\"x\":{\"N\":\"3\"}}"}, /* the item as it was before */
        {"SET skips = if_not_exists(nothing, :three) - :three",
         "{\"skips\":{\"N\":\"0\"},\"x\":{\"S\":\"y\"}}"},
        {"SET skips = skips + :four", "{\"skips\":{\"N\":\"7\"},\"x\":{\"S\":\"y\"}}"},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct dynamo_changes changes;
        struct px_str why, after = updated(t, cases[i].text, &changes, &why);
        CHECK_STR(after, px_str_c(cases[i].after));
    }
}

TEST(what_is_no_update_is_refused_in_words)
{
    static const char *const wrong[] = {
        "",
        "SET",
        "SET x",
        "SET x :s",
        "SET x = ",
        "SET x = nothing",
        "SET x = nothing + :three",
        "SET x = x + :three",
        "ADD x :three",
        "ADD skips :s",
        "ADD skips x",
        "REMOVE",
        "REMOVE :s",
        "DELETE x :s",
        "SET x = :s SET y = :s",
        "SET x = :s, x = :s",
        "SET x = :s REMOVE x",
        "SET x.y = :s",
        "SET x = list_append(x, :l)",
        "x = :s",
        "SET set = :s",
        "SET x = :s garbage",
    };
    for (size_t i = 0; i < PX_COUNT(wrong); i++) {
        struct dynamo_changes changes;
        struct px_str why = {0};
        if (updated(t, wrong[i], &changes, &why).ptr) TEST_FAIL("'%s' was not refused", wrong[i]);
        CHECK(px_str_starts(why, S("Invalid UpdateExpression: ")));
    }
}

TEST(changed_names_are_told)
{
    struct dynamo_changes changes;
    struct px_str why;
    CHECK(updated(t, "SET #b = :s ADD skips :three REMOVE x", &changes, &why).ptr);
    CHECK_INT(changes.count, 3);
    CHECK_STR(changes.names[0], S("breaker"));
    CHECK_STR(changes.names[2], S("x"));
}

TEST(words_that_nobody_uses_are_refused)
{
    struct dynamo_words words = {.values = json(t, "{\":a\":{\"N\":\"1\"},\":b\":{\"N\":\"1\"}}")};
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *item = yyjson_mut_obj(doc);
    struct dynamo_changes changes;
    struct px_str why = {0};
    bool yes;
    CHECK_OK(dynamo_update(S("ADD x :a"), &words, doc, item, &t->arena, &changes, &why));
    CHECK_INT(dynamo_words_check(&words, &t->arena, &why), DYNAMO_INVALID);
    CHECK_STR(why,
              S("Value provided in ExpressionAttributeValues unused in expressions: keys: {:b}"));
    CHECK_OK(dynamo_condition(S("x < :b"), &words, item, &t->arena, &yes, &why));
    CHECK_OK(dynamo_words_check(&words, &t->arena, &why));
    yyjson_mut_doc_free(doc);
}

TEST(attribute_values_have_one_known_type)
{
    static const char *const good[] = {"{\"S\":\"\"}",    "{\"N\":\"1\"}", "{\"BOOL\":false}",
                                       "{\"NULL\":true}", "{\"L\":[]}",    "{\"M\":{}}",
                                       "{\"SS\":[\"a\"]}"};
    static const char *const bad[] = {"{}",    "{\"N\":1}",     "{\"S\":\"a\",\"N\":\"1\"}",
                                      "\"a\"", "{\"X\":\"a\"}", "{\"L\":{}}"};
    for (size_t i = 0; i < PX_COUNT(good); i++) CHECK(dynamo_value_ok(json(t, good[i])));
    for (size_t i = 0; i < PX_COUNT(bad); i++) CHECK(!dynamo_value_ok(json(t, bad[i])));
}

TEST_MAIN
