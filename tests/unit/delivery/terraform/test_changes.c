/* Plans of the real provider (in plans/: `terraform show -json` of a small stack on an emulator of AWS, without its state and
 * sources): what changes, what is secret, what the digest depends on, and what of an apply that broke off is left. */
#include "support/support.h"

#include "base/px_json.h"
#include "delivery/terraform/changes.h"
#include "delivery/terraform/cost.h"
#include "delivery/terraform/summary.h"
#include "delivery/terraform/words.h"

#define PLANS PX_SOURCE_DIR "/tests/unit/delivery/terraform/plans/"
#define PLATFORM PX_SOURCE_DIR "/platform"

struct plans {
    struct test *t;
    struct px_arena arena;
    struct px_buf text;
};
static void plans_open(struct plans *p, struct test *t)
{
    p->t = t;
    px_arena_init(&p->arena, 256u << 20);
    px_buf_init(&p->text, 16u << 20);
}
static void plans_close(struct plans *p)
{
    px_buf_deinit(&p->text);
    px_arena_deinit(&p->arena);
}

static struct px_str text_of(struct plans *p, const char *path)
{
    px_buf_clear(&p->text);
    CHECK_OK(px_file_read(path, &p->text));
    return px_buf_str(&p->text);
}

static struct changes changes_of_text(struct plans *p, struct px_str text)
{
    struct changes changes;
    struct px_where where = {0};
    int r = changes_open(text, &p->arena, &changes, &where);
    if (r != 0) TEST_FAIL("%d at %zu: %s", r, where.offset, where.expected);
    return changes;
}
#define changes_of(p, name) changes_of_text((p), text_of((p), PLANS name))

static struct px_str document_of(struct plans *p, const struct changes *changes)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 16u << 20);
    CHECK_OK(changes_document(changes, &buf));
    struct px_str text = px_arena_dup(&p->arena, px_buf_str(&buf));
    CHECK(text.ptr);
    return text;
}

static yyjson_val *json_of(struct plans *p, struct px_str text)
{
    yyjson_val *root = NULL;
    CHECK_OK(px_json_parse(text, &p->arena, &root, NULL));
    return root;
}

static bool holds(struct px_str text, const char *part)
{
    return text.len > 0 && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

/* The plan's text with one part of it replaced everywhere. */
static struct px_str replaced(struct plans *p, struct px_str text, const char *old, const char *new)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 16u << 20);
    bool found = false;
    for (const char *at; (at = memmem(text.ptr, text.len, old, strlen(old))); found = true) {
        px_buf_add(&buf, text.ptr, (size_t)(at - text.ptr));
        px_buf_add_c(&buf, new);
        text = px_str_skip(text, (size_t)(at - text.ptr) + strlen(old));
    }
    px_buf_add_str(&buf, text);
    CHECK(found);
    struct px_str all = px_arena_dup(&p->arena, px_buf_str(&buf));
    CHECK(all.ptr);
    return all;
}

TEST(a_first_plan_makes_everything)
{
    PX_AUTO(plans_close) struct plans p = {0};
    plans_open(&p, t);
    struct changes changes = changes_of(&p, "create.json");
    CHECK_INT(changes.count, 6);
    CHECK_INT(changes.counts[CHANGE_CREATE], 6);
    CHECK_INT(changes.drift_count, 0);
    CHECK_INT(changes.outputs, 1);
    CHECK_STR(changes.items[0].address, S("aws_dynamodb_table.tenants"));
    CHECK(changes_any(&changes));
}

TEST(kinds_are_told_apart_and_what_replaces_is_named)
{
    PX_AUTO(plans_close) struct plans p = {0};
    plans_open(&p, t);
    struct changes changes = changes_of(&p, "replace.json");
    CHECK_INT(changes.counts[CHANGE_REPLACE], 1);
    CHECK_INT(changes.counts[CHANGE_CREATE], 1);
    CHECK_INT(changes.counts[CHANGE_UPDATE], 3);
    CHECK_INT(changes.counts[CHANGE_DESTROY], 0); /* the queue that went is gone already */
    struct change_attribute *items;
    size_t count, replaces = 0;
    CHECK_OK(changes_attributes(&changes, &changes.items[0], &items, &count));
    for (size_t i = 0; i < count; i++)
        if (items[i].replaces) {
            replaces++;
            CHECK_STR(items[i].name, S("hash_key"));
        }
    CHECK_INT(replaces, 1);
}

TEST(the_document_is_the_same_for_the_same_changes)
{
    PX_AUTO(plans_close) struct plans p = {0};
    plans_open(&p, t);
    struct px_str text = px_arena_dup(&p.arena, text_of(&p, PLANS "drift.json"));
    struct changes one = changes_of_text(&p, text);
    struct px_str first = document_of(&p, &one);
    /* made at another time, by another version, with a state that is another serial */
    struct changes two = changes_of_text(
        &p, replaced(&p, replaced(&p, text, "2026-11-27T", "2027-01-01T"),
                     "\"terraform_version\": \"1.11.4\"", "\"terraform_version\": \"1.12.0\""));
    CHECK_STR(document_of(&p, &two), first);
    struct changes three = changes_of_text(&p,
                                           replaced(&p, text, "\"visibility_timeout_seconds\": 30",
                                                    "\"visibility_timeout_seconds\": 31"));
    char a[CHANGES_HEX_BYTES], b[CHANGES_HEX_BYTES];
    changes_digest(first, a);
    changes_digest(document_of(&p, &three), b);
    CHECK(strcmp(a, b) != 0);
    CHECK_INT(strlen(a), 64);
    CHECK(json_of(&p, first)); /* and it is JSON */
}

TEST(what_is_sensitive_is_in_nothing_that_is_kept_or_shown)
{
    static const char *const names[] = {"create", "drift", "replace", "approved", "left"};
    PX_AUTO(plans_close) struct plans p = {0};
    struct words words;
    plans_open(&p, t);
    CHECK_OK(words_load(PLATFORM, &p.arena, &words));
    for (size_t i = 0; i < PX_COUNT(names); i++) {
        PX_AUTO(px_buf_deinit) struct px_buf shown;
        char path[512];
        (void)snprintf(path, sizeof path, PLANS "%s.json", names[i]);
        CHECK(holds(text_of(&p, path), "planted"));
        struct changes changes = changes_of_text(&p, px_buf_str(&p.text));
        px_buf_init(&shown, 1u << 20);
        CHECK_OK(summary_write(
            &changes, &(struct summary_options){.stack = "test", .words = &words}, &shown));
        CHECK(!holds(px_buf_str(&shown), "planted"));
        CHECK(!holds(document_of(&p, &changes), "planted"));
    }
}

TEST(a_secret_in_an_attribute_that_nobody_marked_is_found_by_its_value)
{
    PX_AUTO(plans_close) struct plans p = {0};
    plans_open(&p, t);
    struct px_str text = px_arena_dup(&p.arena, text_of(&p, PLANS "create.json"));
    struct changes changes = changes_of_text(
        &p, replaced(&p, text, "\"display_name\": \"Alarms\"",
                     "\"display_name\": \"user=x password=planted-secret-1;\""));
    CHECK(!holds(document_of(&p, &changes), "planted-secret"));
    PX_AUTO(px_buf_deinit) struct px_buf said;
    px_buf_init(&said, 4096);
    changes_scrub(&changes, S("the value planted-secret-1 is wrong, planted-secret-1"), &said);
    CHECK_STR(px_buf_str(&said), S("the value (sensitive) is wrong, (sensitive)"));
}

TEST(that_a_secret_changes_is_part_of_the_digest_its_value_is_not)
{
    PX_AUTO(plans_close) struct plans p = {0};
    plans_open(&p, t);
    struct px_str text = px_arena_dup(&p.arena, text_of(&p, PLANS "drift.json"));
    struct changes one = changes_of_text(&p, text);
    struct px_str first = document_of(&p, &one);
    struct changes other = changes_of_text(
        &p, replaced(&p, text, "planted-outside", "planted-elsewhere"));
    CHECK_STR(document_of(&p, &other), first);
    struct changes same = changes_of_text(
        &p, replaced(&p, text, "planted-outside", "planted-secret-1"));
    CHECK(!px_str_eq(document_of(&p, &same), first));
}

TEST(what_an_apply_that_broke_off_left_is_part_of_what_was_approved)
{
    PX_AUTO(plans_close) struct plans p = {0};
    PX_AUTO(px_buf_deinit) struct px_buf differ;
    plans_open(&p, t);
    px_buf_init(&differ, 64 * 1024);
    struct changes before = changes_of(&p, "approved.json"), after = changes_of(&p, "left.json");
    yyjson_val *approved = json_of(&p, document_of(&p, &before)),
               *left = json_of(&p, document_of(&p, &after));
    int r = changes_within(left, approved, &p.arena, &differ);
    if (r != 0) TEST_FAIL("%d: %.*s", r, PX_FMT(px_buf_str(&differ)));
    CHECK_OK(changes_within(approved, approved, &p.arena, &differ));
    /* and not the other way round */
    CHECK_INT(changes_within(approved, left, &p.arena, &differ), CHANGES_DIFFER);
    CHECK(holds(px_buf_str(&differ), "aws_sns_topic.alarms"));
}

static int within(struct plans *p, const char *name, const char *old, const char *new,
                  struct px_buf *differ)
{
    char path[512];
    (void)snprintf(path, sizeof path, PLANS "%s.json", name);
    struct px_str text = px_arena_dup(&p->arena, text_of(p, path));
    struct changes before = changes_of_text(p, text);
    struct changes after = changes_of_text(p, replaced(p, text, old, new));
    px_buf_clear(differ);
    return changes_within(json_of(p, document_of(p, &after)), json_of(p, document_of(p, &before)),
                          &p->arena, differ);
}

TEST(what_was_not_approved_is_named)
{
    PX_AUTO(plans_close) struct plans p = {0};
    PX_AUTO(px_buf_deinit) struct px_buf differ;
    plans_open(&p, t);
    px_buf_init(&differ, 64 * 1024);
    /* another value */
    CHECK_INT(within(&p, "replace", "\"visibility_timeout_seconds\": 60",
                     "\"visibility_timeout_seconds\": 61", &differ),
              CHANGES_DIFFER);
    CHECK(holds(px_buf_str(&differ), "visibility_timeout_seconds"));
    /* another resource */
    CHECK_INT(within(&p, "create", "aws_sns_topic.alarms", "aws_sns_topic.others", &differ),
              CHANGES_DIFFER);
    CHECK(holds(px_buf_str(&differ), "aws_sns_topic.others: is no part of it"));
    /* what was to be changed in place is to be replaced */
    CHECK_INT(within(&p, "drift", "\"update\"", "\"delete\", \"create\"", &differ), CHANGES_DIFFER);
    CHECK(holds(px_buf_str(&differ), "in another way"));
}

TEST(the_summary_warns_of_what_is_lost)
{
    PX_AUTO(plans_close) struct plans p = {0};
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    struct words words;
    struct cost cost;
    plans_open(&p, t);
    px_buf_init(&buf, 1u << 20);
    CHECK_OK(words_load(PLATFORM, &p.arena, &words));
    struct changes changes = changes_of(&p, "replace.json");
    CHECK_OK(cost_of(&changes, PLATFORM, &cost));
    CHECK_OK(summary_write(&changes,
                           &(struct summary_options){
                               .stack = "region us-east-1 of prod", .words = &words, .cost = &cost},
                           &buf));
    struct px_str text = px_buf_str(&buf);
    CHECK(holds(text,
                "region us-east-1 of prod: 1 made, 3 changed in place, 1 replaced, 0 destroyed\n"));
    CHECK(holds(text, "  -/+ table aws_dynamodb_table.tenants: for hash_key \"id\" -> \"pk\"\n"));
    CHECK(holds(text,
                "  ~ queue aws_sqs_queue.work[\"seal\"]: visibility_timeout_seconds 77 -> 60\n"));
    CHECK(holds(text, "  ! aws_dynamodb_table.tenants is replaced: the items in it are lost\n"));
    CHECK(holds(text, "drift: 2 of these were changed outside"));
    CHECK(holds(text, "without a price here: aws_dynamodb_table"));
    px_buf_clear(&buf);
    CHECK_OK(summary_warnings(&changes, &words, &buf));
    CHECK_INT(yyjson_arr_size(json_of(&p, px_buf_str(&buf))), 1);
}

TEST(costs_count_what_is_paid_for_being_there)
{
    PX_AUTO(plans_close) struct plans p = {0};
    struct cost cost;
    plans_open(&p, t);
    struct changes changes = changes_of_text(
        &p,
        S("{\"format_version\":\"1.2\",\"resource_changes\":["
          "{\"address\":\"aws_vpc_endpoint.a\",\"type\":\"aws_vpc_endpoint\",\"change\":{\"actions\":[\"create\"],\"before\":null,"
          "\"after\":{\"vpc_endpoint_type\":\"Interface\",\"subnet_ids\":[\"a\",\"b\",\"c\"]}}},"
          "{\"address\":\"aws_vpc_endpoint.g\",\"type\":\"aws_vpc_endpoint\",\"change\":{\"actions\":[\"create\"],\"before\":null,"
          "\"after\":{\"vpc_endpoint_type\":\"Gateway\",\"subnet_ids\":[\"a\"]}}},"
          "{\"address\":\"aws_rds_cluster.c\",\"type\":\"aws_rds_cluster\",\"change\":{\"actions\":[\"update\"],"
          "\"before\":{\"serverlessv2_scaling_configuration\":[{\"min_capacity\":2}]},"
          "\"after\":{\"serverlessv2_scaling_configuration\":[{\"min_capacity\":1}]}}},"
          "{\"address\":\"aws_kms_key.k\",\"type\":\"aws_kms_key\",\"change\":{\"actions\":[\"delete\"],\"before\":{},\"after\":null}},"
          "{\"address\":\"aws_efs_file_system.f\",\"type\":\"aws_efs_file_system\",\"change\":{\"actions\":[\"create\"],\"after\":{}}}]}"));
    CHECK_OK(cost_of(&changes, PLATFORM, &cost));
    CHECK_INT(cost.counted, 4);
    CHECK_INT((int64_t)(cost.before_month * 100 + 0.5), 17620); /* 2 x 0.12 x 730 + 1 */
    CHECK_INT((int64_t)(cost.after_month * 100 + 0.5), 10950);  /* 3 x 0.01 x 730 + 0.12 x 730 */
    CHECK_INT(cost.open_count, 1);
    CHECK_STR(cost.open[0], S("aws_efs_file_system"));
}

TEST(what_is_no_plan_is_refused_and_odd_shapes_are_absent)
{
    static const char *const refused[] = {"", "[]", "null", "{}", "{\"format_version\":"};
    static const char *const odd[] = {
        "{\"format_version\":1,\"resource_changes\":{}}",
        "{\"format_version\":1,\"resource_changes\":[1,null,{\"address\":3},{\"address\":\"a\",\"change\":[]},"
        "{\"address\":\"a\",\"change\":{\"actions\":\"create\"}},"
        "{\"address\":\"b\",\"change\":{\"actions\":[\"create\",7],\"before\":[],\"after\":\"x\",\"after_unknown\":[true],"
        "\"before_sensitive\":5,\"replace_paths\":[[],3]}}],\"output_changes\":[],\"variables\":{\"a\":1},"
        "\"configuration\":{\"root_module\":{\"variables\":{\"a\":{\"sensitive\":true}}}}}"};
    PX_AUTO(plans_close) struct plans p = {0};
    plans_open(&p, t);
    for (size_t i = 0; i < PX_COUNT(refused); i++) {
        struct changes changes;
        struct px_where where = {0};
        CHECK_INT(changes_open(px_str_c(refused[i]), &p.arena, &changes, &where), CHANGES_INVALID);
        CHECK(where.expected[0] != 0);
    }
    for (size_t i = 0; i < PX_COUNT(odd); i++) {
        struct changes changes = changes_of_text(&p, px_str_c(odd[i]));
        CHECK(json_of(&p, document_of(&p, &changes)));
    }
}

TEST(a_set_of_blocks_with_one_secret_is_hidden_as_a_whole)
{
    PX_AUTO(plans_close) struct plans p = {0};
    plans_open(&p, t);
    struct changes changes = changes_of_text(
        &p,
        S("{\"format_version\":\"1.2\",\"resource_changes\":[{\"address\":\"a\",\"type\":\"t\",\"change\":{\"actions\":[\"update\"],"
          "\"before\":{\"list\":[\"hidden-1\",\"hidden-2\"],\"deep\":{\"a\":\"hidden-3\",\"b\":1}},"
          "\"after\":{\"list\":[\"hidden-2\"],\"deep\":{\"a\":\"hidden-4\",\"b\":1}},\"after_unknown\":{},"
          "\"before_sensitive\":{\"list\":[true,true],\"deep\":{\"a\":true}},\"after_sensitive\":{\"list\":[true]}}}]}"));
    struct px_str document = document_of(&p, &changes);
    CHECK(!holds(document, "hidden"));
    CHECK(holds(document, "\"secrets\":[\"deep\",\"list\"]"));
}

TEST_MAIN
