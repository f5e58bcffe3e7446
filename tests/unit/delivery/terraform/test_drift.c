/* How what is deployed differs from what should be, found in plans of the real provider: who did it, how bad it is. */
#include "support/support.h"

#include "base/px_json.h"
#include "delivery/terraform/drift.h"

#define PLANS PX_SOURCE_DIR "/tests/unit/delivery/terraform/plans/"

struct seen {
    struct px_arena arena;
    struct changes changes;
    struct words words;
    struct drift drift;
};
static void seen_close(struct seen *s) { px_arena_deinit(&s->arena); }
static void look(struct seen *s, struct px_str text)
{
    struct px_where where = {0};
    px_arena_init(&s->arena, 256u << 20);
    CHECK_OK(words_load(PX_SOURCE_DIR "/platform", &s->arena, &s->words));
    CHECK_INT(changes_open(text, &s->arena, &s->changes, &where), 0);
    CHECK_OK(drift_find(&s->changes, &s->words, "prism pipeline run", &s->drift));
}
static void look_at_file(struct seen *s, const char *path)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 16u << 20);
    CHECK_OK(px_file_read(path, &text));
    look(s, px_buf_str(&text));
}

static const struct drift_finding *of(const struct seen *s, const char *address,
                                      const char *attribute)
{
    for (size_t i = 0; i < s->drift.count; i++)
        if (px_str_eq(s->drift.items[i].address, px_str_c(address)) &&
            px_str_eq(s->drift.items[i].attribute, px_str_c(attribute)))
            return &s->drift.items[i];
    TEST_FAIL("no finding of %s %s", address, attribute);
}

TEST(what_was_changed_outside_is_told_with_both_values)
{
    PX_AUTO(seen_close) struct seen s;
    look_at_file(&s, PLANS "drift.json");
    CHECK_INT(s.drift.counts[DRIFT_OUTSIDE], 3);
    CHECK_INT(s.drift.counts[DRIFT_RELEASE], 0);
    CHECK_INT(drift_found(&s.drift), 3);
    const struct drift_finding *queue = of(&s, "aws_sqs_queue.work[\"seal\"]",
                                           "visibility_timeout_seconds");
    CHECK_STR(queue->should, S("30"));
    CHECK_STR(queue->is, S("77"));
    CHECK_STR(queue->word, S("queue"));
    CHECK_INT(queue->by, DRIFT_OUTSIDE);
    const struct drift_finding *gone = of(&s, "aws_sqs_queue.work[\"compact\"]", "");
    CHECK_STR(gone->is, S("gone"));
    const struct drift_finding *secret = of(&s, "aws_ssm_parameter.secret", "value");
    CHECK_STR(secret->should, S("(sensitive)"));
    CHECK_STR(secret->is, S("(sensitive)"));
    CHECK_INT(secret->weight, WORDS_HIGH);
    CHECK_INT(s.drift.worst, WORDS_HIGH);
    CHECK(!s.drift.absent);
}

TEST(what_is_not_applied_is_told_from_what_was_changed_outside)
{
    PX_AUTO(seen_close) struct seen s;
    look_at_file(&s, PLANS "replace.json");
    CHECK_INT(of(&s, "aws_sqs_queue.work[\"index\"]", "")->by, DRIFT_RELEASE);
    CHECK_INT(of(&s, "aws_sqs_queue.work[\"seal\"]", "visibility_timeout_seconds")->by,
              DRIFT_OUTSIDE);
    const struct drift_finding *table = of(&s, "aws_dynamodb_table.tenants", "hash_key");
    CHECK_INT(table->by, DRIFT_RELEASE);
    CHECK_INT(table->weight, WORDS_CRITICAL); /* it would be replaced */
    CHECK(memmem(table->todo.ptr, table->todo.len, "the items in it are lost", 24));
    CHECK_INT(s.drift.worst, WORDS_CRITICAL);
}

TEST(a_stack_that_was_never_applied_is_absent)
{
    PX_AUTO(seen_close) struct seen s;
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    look_at_file(&s, PLANS "create.json");
    px_buf_init(&buf, 1u << 20);
    CHECK(s.drift.absent);
    drift_write_text(&s.drift, S("region x of y"), false, &buf);
    CHECK_STR(px_buf_str(&buf), S("region x of y: nothing of it is deployed\n"));
}

TEST(what_was_not_finished_is_no_outsiders_doing)
{
    PX_AUTO(seen_close) struct seen s;
    look_at_file(&s, PLANS "left.json");
    CHECK_STR(of(&s, "aws_dynamodb_table.tenants", "")->is, S("not finished"));
    CHECK_INT(s.drift.counts[DRIFT_OUTSIDE], 0);
}

#define ALIAS(before, after)                                                                                     \
    "{\"address\":\"aws_lambda_alias.live\",\"type\":\"aws_lambda_alias\",\"change\":{\"actions\":[\"update\"]," \
    "\"before\":" before ",\"after\":" after ",\"after_unknown\":{}}}"

TEST(what_rollouts_move_is_theirs)
{
    PX_AUTO(seen_close) struct seen s;
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    look(
        &s,
        S("{\"format_version\":\"1.2\",\"resource_drift\":[" ALIAS(
            "{\"function_version\":\"3\",\"description\":\"a\"}",
            "{\"function_version\":\"4\",\"description\":\"b\"}") "],\"resource_changes\":[" ALIAS("{\"function_version\":\"4\",\"description\":\"b\"}",
                                                                                                   "{\"function_version\":\"3\",\"description\":\"a\"}") "]}"));
    CHECK_INT(s.drift.counts[DRIFT_OWNED], 1);
    CHECK_INT(s.drift.counts[DRIFT_OUTSIDE], 1);
    CHECK_STR(of(&s, "aws_lambda_alias.live", "function_version")->owner, S("the rollout"));
    CHECK_INT(s.drift.worst, WORDS_LOW); /* a description */
    px_buf_init(&buf, 1u << 20);
    drift_write_text(&s.drift, S("x"), false, &buf);
    CHECK(!memmem(buf.ptr, buf.len, "function_version", 16));
    drift_write_json(&s.drift, &buf);
    CHECK_INT(px_buf_fault(&buf), 0);
    CHECK(memmem(buf.ptr, buf.len, "\"owner\":\"the rollout\"", 21));
}

TEST(what_nothing_manages_is_told_and_does_not_count)
{
    PX_AUTO(seen_close) struct seen s;
    look(
        &s,
        S("{\"format_version\":\"1.2\",\"resource_drift\":["
          "{\"address\":\"aws_sqs_queue.q\",\"type\":\"aws_sqs_queue\",\"change\":{\"actions\":[\"update\"],"
          "\"before\":{\"policy\":\"a\",\"tags\":null},\"after\":{\"policy\":\"b\",\"tags\":{}},\"after_unknown\":{}}}],"
          "\"resource_changes\":[]}"));
    CHECK_INT(s.drift.count, 1);
    CHECK_INT(of(&s, "aws_sqs_queue.q", "policy")->by, DRIFT_UNMANAGED);
    CHECK_INT(drift_found(&s.drift), 0);
}

TEST_MAIN
