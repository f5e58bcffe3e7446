/* What one process sees of the catalog. */
#include "svc/catalog/catalog_support.h"

TEST(an_unknown_dataset_is_absent_and_its_snapshot_empty)
{
    struct catalog_fixture f = {0};
    fixture_open(t, &f);
    struct catalog_snapshot snapshot = {.version = 9, .segment_count = 9};
    CHECK_INT(
        catalog_read(f.catalog, S("acme"), S("logs"), INT64_MIN, INT64_MAX, &t->arena, &snapshot),
        CATALOG_ABSENT);
    CHECK_INT(snapshot.version, 0);
    CHECK_INT(snapshot.segment_count, 0);
    int64_t version = 5;
    CHECK_OK(catalog_version(f.catalog, S("acme"), S("logs"), &version));
    CHECK_INT(version, 0);
    uint64_t seq = 5;
    CHECK_OK(catalog_mark(f.catalog, S("acme"), S("logs"), S("w1"), &seq));
    CHECK_INT(seq, 0);
    fixture_close(&f);
}

TEST(a_seal_moves_mark_schema_segment_and_version_together)
{
    struct catalog_fixture f = {0};
    fixture_open(t, &f);
    CHECK_OK(seal_one(
        f.catalog,
        &(struct one_sealing){.key = "k1", .to = 3, .rows = 7, .min_us = 100, .max_us = 200}));
    struct catalog_snapshot s;
    read_all(t, f.catalog, &s);
    CHECK_INT(s.version, 1);
    CHECK_STR(s.schema_json, S(SCHEMA_A));
    CHECK_INT(s.segment_count, 1);
    CHECK_STR(s.segments[0].key, S("k1"));
    CHECK_INT(s.segments[0].tier, TIER_SEGMENT);
    CHECK_INT(s.segments[0].rows, 7);
    CHECK_INT(s.segments[0].bytes, 70);
    CHECK_INT(s.segments[0].time_min_us, 100);
    CHECK_INT(s.segments[0].time_max_us, 200);
    CHECK_INT(s.segments[0].created_ns, t->now_ns);
    CHECK_STR(s.segments[0].stats_json, S("{}"));
    CHECK_INT(s.mark_count, 1);
    CHECK_STR(s.marks[0].writer, S("w1"));
    CHECK_INT(s.marks[0].sealed_seq, 3);
    bool known = false;
    CHECK_OK(catalog_knows(f.catalog, S("k1"), &known));
    CHECK(known);
    CHECK_OK(catalog_knows(f.catalog, S("k2"), &known));
    CHECK(!known);
    fixture_close(&f);
}

TEST(a_seal_from_the_wrong_mark_conflicts_and_changes_nothing)
{
    struct catalog_fixture f = {0};
    fixture_open(t, &f);
    CHECK_OK(seal_one(f.catalog, &(struct one_sealing){.key = "k1", .to = 3, .rows = 1}));
    struct one_sealing bad[] = {
        {.key = "k2", .from = 0, .to = 4, .rows = 1, .schema = SCHEMA_AB},
        {.key = "k2", .from = 2, .to = 4, .rows = 1, .schema = SCHEMA_AB},
        {.key = "k2", .from = 4, .to = 5, .rows = 1, .schema = SCHEMA_AB},
        {.key = "k2", .from = 1, .to = 5, .rows = 1, .writer = "w2", .schema = SCHEMA_AB},
    };
    for (size_t i = 0; i < PX_COUNT(bad); i++)
        CHECK_INT(seal_one(f.catalog, &bad[i]), CATALOG_CONFLICT);
    struct catalog_snapshot s;
    read_all(t, f.catalog, &s);
    CHECK_INT(s.version, 1);
    CHECK_INT(s.segment_count, 1);
    CHECK_INT(s.mark_count, 1);
    CHECK_INT(s.marks[0].sealed_seq, 3);
    CHECK_STR(s.schema_json, S(SCHEMA_A));
    CHECK_OK(
        seal_one(f.catalog, &(struct one_sealing){.key = "k2", .from = 3, .to = 4, .rows = 1}));
    CHECK_OK(seal_one(f.catalog,
                      &(struct one_sealing){.key = "k3", .to = 9, .rows = 1, .writer = "w2"}));
    read_all(t, f.catalog, &s);
    CHECK_INT(s.version, 3);
    CHECK_INT(s.mark_count, 2);
    fixture_close(&f);
}

TEST(a_schema_only_grows)
{
    struct catalog_fixture f = {0};
    fixture_open(t, &f);
    CHECK_OK(seal_one(f.catalog, &(struct one_sealing){.key = "k1", .to = 1, .rows = 1}));
    CHECK_OK(seal_one(
        f.catalog,
        &(struct one_sealing){
            .key = "k2", .from = 1, .to = 2, .rows = 1, .schema = SCHEMA_AB})); /* int to double */
    CHECK_INT(
        seal_one(f.catalog, &(struct one_sealing){.key = "k3", .to = 1, .rows = 1, .writer = "w2"}),
        CATALOG_CONFLICT); /* lacks b, narrows a */
    struct catalog_snapshot s;
    read_all(t, f.catalog, &s);
    CHECK_STR(s.schema_json, S(SCHEMA_AB));
    CHECK_INT(s.mark_count, 1);
    CHECK_STR(s.segments[0].schema_json, S(SCHEMA_A)); /* a file keeps its own */
    CHECK_STR(s.segments[1].schema_json, S(SCHEMA_AB));
    fixture_close(&f);
}

TEST(a_read_prunes_by_time_with_an_open_end)
{
    struct catalog_fixture f = {0};
    fixture_open(t, &f);
    CHECK_OK(seal_one(
        f.catalog,
        &(struct one_sealing){.key = "k1", .to = 1, .rows = 1, .min_us = 100, .max_us = 199}));
    CHECK_OK(seal_one(
        f.catalog, &(struct one_sealing){
                       .key = "k2", .from = 1, .to = 2, .rows = 1, .min_us = 200, .max_us = 299}));
    static const struct {
        int64_t start, end;
        size_t found;
    } cases[] = {{0, 100, 0},   {0, 101, 1},   {199, 200, 1}, {199, 201, 2},
                 {200, 201, 1}, {299, 300, 1}, {300, 400, 0}};
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct catalog_snapshot s;
        CHECK_OK(catalog_read(f.catalog, S("acme"), S("logs"), cases[i].start, cases[i].end,
                              &t->arena, &s));
        CHECK_INT(s.segment_count, cases[i].found);
        CHECK_INT(s.pruned, 2 - cases[i].found);
        CHECK_INT(s.mark_count, 1);
    }
    fixture_close(&f);
}

TEST(replace_is_all_or_nothing_and_keeps_the_row_count)
{
    struct catalog_fixture f = {0};
    fixture_open(t, &f);
    CHECK_OK(seal_one(f.catalog, &(struct one_sealing){.key = "k1", .to = 1, .rows = 3}));
    CHECK_OK(
        seal_one(f.catalog, &(struct one_sealing){.key = "k2", .from = 1, .to = 2, .rows = 4}));
    struct catalog_snapshot s;
    read_all(t, f.catalog, &s);
    int64_t ids[] = {s.segments[0].id, s.segments[1].id};
    struct segment merged = {.key = S("m"),
                             .tier = TIER_ANALYTICS,
                             .rows = 6,
                             .bytes = 5,
                             .time_max_us = 1,
                             .schema_json = S(SCHEMA_A),
                             .stats_json = S("{}")};
    CHECK_INT(catalog_replace(f.catalog, S("acme"), S("logs"), ids, 2, &merged, 1), PX_F_CORRUPT);
    merged.rows = 7;
    CHECK_INT(catalog_replace(f.catalog, S("acme"), S("other"), ids, 2, &merged, 1),
              CATALOG_CONFLICT);
    CHECK_INT(
        catalog_replace(f.catalog, S("acme"), S("logs"), (int64_t[]){ids[0], 99}, 2, &merged, 1),
        CATALOG_CONFLICT);
    read_all(t, f.catalog, &s);
    CHECK_INT(s.version, 2);
    CHECK_INT(s.segment_count, 2);
    CHECK_OK(catalog_replace(f.catalog, S("acme"), S("logs"), ids, 2, &merged, 1));
    CHECK_INT(catalog_replace(f.catalog, S("acme"), S("logs"), ids, 2, &merged, 1),
              CATALOG_CONFLICT); /* they are dead now */
    read_all(t, f.catalog, &s);
    CHECK_INT(s.version, 3);
    CHECK_INT(s.segment_count, 1);
    CHECK_INT(s.segments[0].tier, TIER_ANALYTICS);
    fixture_close(&f);
}

TEST(the_dead_wait_for_their_grace_and_are_known_until_forgotten)
{
    struct catalog_fixture f = {0};
    fixture_open(t, &f);
    CHECK_OK(seal_one(f.catalog, &(struct one_sealing){
                                     .key = "old", .to = 1, .rows = 1, .min_us = 1, .max_us = 10}));
    CHECK_OK(seal_one(f.catalog,
                      &(struct one_sealing){
                          .key = "new", .from = 1, .to = 2, .rows = 1, .min_us = 5, .max_us = 20}));
    size_t count = 9;
    CHECK_OK(catalog_expire(f.catalog, S("acme"), S("logs"), 10, &count));
    CHECK_INT(count, 0); /* 10 is not older than 10 */
    int64_t version = 0;
    CHECK_OK(catalog_version(f.catalog, S("acme"), S("logs"), &version));
    CHECK_INT(version, 2);
    CHECK_OK(catalog_expire(f.catalog, S("acme"), S("logs"), 11, &count));
    CHECK_INT(count, 1);
    CHECK_OK(catalog_version(f.catalog, S("acme"), S("logs"), &version));
    CHECK_INT(version, 3);

    struct segment *dead = NULL;
    CHECK_OK(catalog_dead(f.catalog, 60 * PX_NS_PER_S, 10, &t->arena, &dead, &count));
    CHECK_INT(count, 0);
    test_advance(t, 60 * PX_NS_PER_S);
    CHECK_OK(catalog_dead(f.catalog, 60 * PX_NS_PER_S, 10, &t->arena, &dead, &count));
    CHECK_INT(count, 1);
    CHECK_STR(dead[0].key, S("old"));
    bool known = false;
    CHECK_OK(catalog_knows(f.catalog, S("old"), &known));
    CHECK(known);
    struct catalog_snapshot s;
    read_all(t, f.catalog, &s);
    CHECK_OK(catalog_forget(f.catalog, (int64_t[]){dead[0].id, s.segments[0].id}, 2));
    CHECK_OK(catalog_knows(f.catalog, S("old"), &known));
    CHECK(!known);
    CHECK_OK(catalog_knows(f.catalog, S("new"), &known));
    CHECK(known); /* a live one is not forgotten whatever the caller says */
    fixture_close(&f);
}

TEST(list_and_find_add_up_the_live_segments)
{
    struct catalog_fixture f = {0};
    fixture_open(t, &f);
    CHECK_OK(seal_one(f.catalog, &(struct one_sealing){
                                     .key = "k1", .to = 1, .rows = 3, .min_us = -5, .max_us = 10}));
    CHECK_OK(seal_one(f.catalog,
                      &(struct one_sealing){
                          .key = "k2", .from = 1, .to = 2, .rows = 4, .min_us = 5, .max_us = 20}));
    CHECK_OK(seal_one(
        f.catalog,
        &(struct one_sealing){.key = "k3", .to = 1, .rows = 1, .dataset = "app", .max_us = 1}));
    CHECK_OK(seal_one(
        f.catalog,
        &(struct one_sealing){.key = "k4", .to = 1, .rows = 1, .tenant = "other", .max_us = 1}));
    struct catalog_snapshot s;
    read_all(t, f.catalog, &s);
    CHECK_OK(catalog_quarantine(f.catalog, S("acme"), S("logs"), s.segments[1].id, S("bad page")));
    CHECK_INT(catalog_quarantine(f.catalog, S("acme"), S("logs"), s.segments[1].id, S("again")),
              CATALOG_CONFLICT);

    struct dataset_info *infos = NULL;
    size_t count = 0;
    CHECK_OK(catalog_list(f.catalog, S("acme"), &t->arena, &infos, &count));
    CHECK_INT(count, 2);
    CHECK_STR(infos[0].name, S("app"));
    CHECK_STR(infos[1].name, S("logs"));
    CHECK_INT(infos[1].rows, 3);
    CHECK_INT(infos[1].bytes, 30);
    CHECK_INT(infos[1].segments, 1);
    CHECK_INT(infos[1].quarantined, 1);
    CHECK_INT(infos[1].time_min_us, -5);
    CHECK_INT(infos[1].time_max_us, 10);
    CHECK_OK(catalog_list(f.catalog, S(""), &t->arena, &infos, &count));
    CHECK_INT(count, 3);
    CHECK_STR(infos[2].tenant, S("other"));
    struct dataset_info info;
    CHECK_OK(catalog_find(f.catalog, S("other"), S("logs"), &t->arena, &info));
    CHECK_INT(info.rows, 1);
    CHECK_INT(catalog_find(f.catalog, S("other"), S("app"), &t->arena, &info), CATALOG_ABSENT);
    fixture_close(&f);
}

TEST(a_dropped_dataset_is_gone_and_begins_anew_with_a_higher_version)
{
    struct catalog_fixture f = {0};
    fixture_open(t, &f);
    CHECK_INT(catalog_drop_dataset(f.catalog, S("acme"), S("logs"), NULL, 0), CATALOG_ABSENT);
    CHECK_OK(seal_one(f.catalog,
                      &(struct one_sealing){.key = "k1", .to = 4, .rows = 3, .schema = SCHEMA_AB}));
    CHECK_OK(catalog_set_retention(f.catalog, S("acme"), S("logs"), 7));
    const struct seal_mark stale = {S("w1"), 3, 9}, fresh = {S("w1"), 4, 9};
    CHECK_INT(catalog_drop_dataset(f.catalog, S("acme"), S("logs"), &stale, 1), CATALOG_CONFLICT);
    CHECK_OK(catalog_drop_dataset(f.catalog, S("acme"), S("logs"), &fresh, 1));
    struct dataset_info info;
    CHECK_INT(catalog_find(f.catalog, S("acme"), S("logs"), &t->arena, &info), CATALOG_ABSENT);
    struct catalog_snapshot s;
    read_all(t, f.catalog, &s);
    CHECK_INT(s.segment_count, 0);
    CHECK_INT(s.marks[0].sealed_seq, 9);
    CHECK_INT(s.version, 3);
    CHECK_OK(
        seal_one(f.catalog, &(struct one_sealing){.key = "k2", .from = 9, .to = 10, .rows = 1}));
    CHECK_OK(catalog_find(f.catalog, S("acme"), S("logs"), &t->arena, &info));
    CHECK_INT(info.version, 4);
    CHECK_INT(info.rows, 1);
    CHECK_INT(info.retention_days, 0);
    CHECK_STR(info.schema_json, S(SCHEMA_A)); /* the old columns are gone with their rows */
    fixture_close(&f);
}

TEST(a_dataset_that_was_never_sealed_is_dropped_by_its_marks)
{
    struct catalog_fixture f = {0};
    fixture_open(t, &f);
    const struct seal_mark first = {S("w1"), 0, 4}, second = {S("w1"), 4, 6};
    struct catalog_snapshot s;
    CHECK_OK(catalog_drop_dataset(f.catalog, S("acme"), S("logs"), &first, 1));
    read_all(t, f.catalog, &s);
    CHECK(s.dropped);
    CHECK_INT(s.version, 1);
    CHECK_INT(s.mark_count, 1);
    CHECK_INT(s.marks[0].sealed_seq, 4);
    CHECK_OK(
        catalog_drop_dataset(f.catalog, S("acme"), S("logs"), &second, 1)); /* fresh rows again */
    read_all(t, f.catalog, &s);
    CHECK_INT(s.version, 2);
    CHECK_INT(s.marks[0].sealed_seq, 6);
    CHECK_OK(seal_one(f.catalog, &(struct one_sealing){.key = "k", .from = 6, .to = 7, .rows = 1}));
    read_all(t, f.catalog, &s);
    CHECK(!s.dropped);
    CHECK_INT(s.segment_count, 1);
    fixture_close(&f);
}

TEST(dropping_a_tenant_touches_no_other)
{
    struct catalog_fixture f = {0};
    fixture_open(t, &f);
    CHECK_OK(catalog_drop_tenant(f.catalog, S("acme")));
    CHECK_OK(seal_one(f.catalog, &(struct one_sealing){.key = "k1", .to = 1, .rows = 1}));
    CHECK_OK(seal_one(f.catalog,
                      &(struct one_sealing){.key = "k2", .to = 1, .rows = 1, .dataset = "app"}));
    CHECK_OK(seal_one(f.catalog,
                      &(struct one_sealing){.key = "k3", .to = 1, .rows = 1, .tenant = "other"}));
    CHECK_OK(catalog_drop_tenant(f.catalog, S("acme")));
    struct dataset_info *infos = NULL;
    size_t count = 0;
    CHECK_OK(catalog_list(f.catalog, S(""), &t->arena, &infos, &count));
    CHECK_INT(count, 1);
    CHECK_STR(infos[0].tenant, S("other"));
    struct segment *dead = NULL;
    CHECK_OK(catalog_dead(f.catalog, 0, 10, &t->arena, &dead, &count));
    CHECK_INT(count, 2);
    uint64_t seq = 0; /* its hot files are still there */
    CHECK_OK(catalog_mark(f.catalog, S("acme"), S("logs"), S("w1"), &seq));
    CHECK_INT(seq, 1);
    fixture_close(&f);
}

TEST(retention_may_be_set_before_the_first_seal)
{
    struct catalog_fixture f = {0};
    fixture_open(t, &f);
    CHECK_OK(catalog_set_retention(f.catalog, S("acme"), S("logs"), 7));
    struct catalog_snapshot s;
    read_all(t, f.catalog, &s);
    CHECK_INT(s.version, 1);
    CHECK_INT(s.segment_count + s.mark_count, 0);
    CHECK_OK(seal_one(f.catalog, &(struct one_sealing){.key = "k1", .to = 1, .rows = 1}));
    CHECK_OK(catalog_set_retention(f.catalog, S("acme"), S("app"), 9));
    struct dataset_info info;
    CHECK_OK(catalog_find(f.catalog, S("acme"), S("logs"), &t->arena, &info));
    CHECK_INT(info.retention_days, 7);
    CHECK_INT(info.version, 2);
    CHECK_INT(info.rows, 1);
    fixture_close(&f);
}

static int64_t days_of(struct test *t, struct catalog *catalog, struct px_str tenant)
{
    struct tenant_retention said;
    CHECK_OK(catalog_tenant_retention(catalog, tenant, &t->arena, &said));
    return said.days;
}

TEST(the_tenants_retention_counts_for_all_of_its_datasets_and_no_others)
{
    struct catalog_fixture f = {0};
    int64_t days = -1;
    struct dataset_info info;
    fixture_open(t, &f);
    days = days_of(t, f.catalog, S("acme"));
    CHECK_INT(days, 0);
    CHECK_OK(seal_one(f.catalog, &(struct one_sealing){.key = "k1", .to = 1, .rows = 1}));
    CHECK_OK(seal_one(f.catalog,
                      &(struct one_sealing){.key = "k2", .to = 1, .rows = 1, .tenant = "other"}));
    CHECK_OK(catalog_set_tenant_retention(f.catalog, S("acme"), 30));
    CHECK_OK(catalog_set_tenant_retention(f.catalog, S("acme"), 40));
    days = days_of(t, f.catalog, S("acme"));
    CHECK_INT(days, 40);
    CHECK_OK(catalog_find(f.catalog, S("acme"), S("logs"), &t->arena, &info));
    CHECK_INT(info.tenant_days, 40);
    CHECK_INT(info.retention_days, 0);
    CHECK_INT(info.rows, 1); /* counted once */
    CHECK_OK(catalog_find(f.catalog, S("other"), S("logs"), &t->arena, &info));
    CHECK_INT(info.tenant_days, 0);
    CHECK_OK(catalog_set_tenant_retention(f.catalog, S("acme"), 0));
    days = days_of(t, f.catalog, S("acme"));
    CHECK_INT(days, 0);
    fixture_close(&f);
}

TEST(a_tenant_that_goes_leaves_no_retention_behind)
{
    struct catalog_fixture f = {0};
    int64_t days = -1;
    struct catalog_remains remains;
    fixture_open(t, &f);
    CHECK_OK(catalog_set_tenant_retention(f.catalog, S("acme"), 30));
    CHECK_OK(catalog_set_tenant_retention(f.catalog, S("other"), 30));
    CHECK_OK(catalog_remains(f.catalog, S("acme"), &remains));
    CHECK_INT(remains.retention, 1);
    CHECK_OK(catalog_drop_tenant(f.catalog, S("acme"))); /* it has no dataset */
    days = days_of(t, f.catalog, S("acme"));
    CHECK_INT(days, 0);
    CHECK_OK(catalog_set_tenant_retention(f.catalog, S("acme"), 30));
    CHECK_OK(catalog_erase_tenant(f.catalog, S("acme")));
    CHECK_OK(catalog_remains(f.catalog, S("acme"), &remains));
    CHECK_INT(remains.retention, 0);
    days = days_of(t, f.catalog, S("other"));
    CHECK_INT(days, 30);
    fixture_close(&f);
}

#define RULES "[{\"attribute\":\"level\",\"equals\":\"debug\",\"days\":3}]"

TEST(rules_stand_beside_the_dataset_and_go_with_it)
{
    struct catalog_fixture f = {0};
    struct dataset_info info;
    fixture_open(t, &f);
    CHECK_OK(seal_one(f.catalog, &(struct one_sealing){.key = "k1", .to = 1, .rows = 1}));
    CHECK_OK(catalog_say_retention(f.catalog, S("acme"), S(""), 30, S(RULES)));
    CHECK_OK(catalog_say_retention(f.catalog, S("acme"), S("logs"), 7, S("[]")));
    CHECK_OK(catalog_find(f.catalog, S("acme"), S("logs"), &t->arena, &info));
    CHECK_STR(info.rules, S("[]"));
    CHECK_STR(info.tenant_rules, S(RULES));
    CHECK_INT(info.retention_days, 7);
    CHECK_INT(info.tenant_days, 30);
    CHECK_INT(info.rows, 1);
    CHECK_OK(catalog_say_retention(f.catalog, S("acme"), S("logs"), 0, S("")));
    CHECK_OK(catalog_find(f.catalog, S("acme"), S("logs"), &t->arena, &info));
    CHECK_INT(info.rules.len + (size_t)info.retention_days, 0);
    CHECK_OK(catalog_say_retention(f.catalog, S("acme"), S("logs"), 7, S(RULES)));
    const struct seal_mark mark = {S("w1"), 1, 2};
    CHECK_OK(catalog_drop_dataset(f.catalog, S("acme"), S("logs"), &mark, 1));
    CHECK_OK(catalog_set_retention(f.catalog, S("acme"), S("logs"), 9)); /* begins anew */
    CHECK_OK(catalog_find(f.catalog, S("acme"), S("logs"), &t->arena, &info));
    CHECK_INT(info.rules.len, 0);
    fixture_close(&f);
}

TEST(a_segment_is_reduced_by_just_the_rows_that_are_to_go)
{
    struct catalog_fixture f = {0};
    struct catalog_snapshot s;
    struct aged_segment *aged = NULL;
    size_t count = 0;
    fixture_open(t, &f);
    CHECK_OK(seal_one(f.catalog, &(struct one_sealing){.key = "k1", .to = 1, .rows = 10}));
    read_all(t, f.catalog, &s);
    struct segment kept = s.segments[0];
    kept.key = S("k2"), kept.rows = 7;
    struct catalog_reduction reduction = {
        {S("acme"), S("logs")}, s.segments[0].id, &kept, 2, S("d")};
    CHECK_INT(catalog_reduce(f.catalog, &reduction), PX_F_CORRUPT);
    reduction.removed = 3;
    CHECK_OK(catalog_reduce(f.catalog, &reduction));
    kept.key = S("k3");
    CHECK_INT(catalog_reduce(f.catalog, &reduction), CATALOG_CONFLICT);
    read_all(t, f.catalog, &s);
    CHECK_INT(s.segment_count, 1);
    CHECK_INT(s.segments[0].rows, 7);
    CHECK_STR(s.segments[0].key, S("k2"));
    const struct dataset_key key = {S("acme"), S("logs")};
    CHECK_OK(catalog_aged(f.catalog, &key, s.segments[0].time_max_us, &t->arena, &aged, &count));
    CHECK_INT(count, 0);
    CHECK_OK(
        catalog_aged(f.catalog, &key, s.segments[0].time_max_us + 1, &t->arena, &aged, &count));
    CHECK_INT(count, 1);
    CHECK_STR(aged[0].rules_done, S("d"));
    CHECK_OK(catalog_rules_done(f.catalog, s.segments[0].id, S("e")));
    reduction = (struct catalog_reduction){key, s.segments[0].id, NULL, 7, S("e")};
    CHECK_OK(catalog_reduce(f.catalog, &reduction));
    read_all(t, f.catalog, &s);
    CHECK_INT(s.segment_count, 0);
    fixture_close(&f);
}

TEST(an_idle_mark_is_forgotten_only_if_it_did_not_move)
{
    struct catalog_fixture f = {0};
    fixture_open(t, &f);
    CHECK_OK(seal_one(f.catalog, &(struct one_sealing){.key = "k1", .to = 1, .rows = 1}));
    CHECK_OK(seal_one(f.catalog,
                      &(struct one_sealing){.key = "k2", .to = 1, .rows = 1, .writer = "w2"}));
    test_advance(t, 10);
    struct idle_mark *marks = NULL;
    size_t count = 0;
    CHECK_OK(catalog_idle_marks(f.catalog, 10, 5, &t->arena, &marks, &count));
    CHECK_INT(count, 0);
    CHECK_OK(catalog_idle_marks(f.catalog, 9, 5, &t->arena, &marks, &count));
    CHECK_INT(count, 2);
    CHECK_OK(
        seal_one(f.catalog, &(struct one_sealing){.key = "k3", .from = 1, .to = 2, .rows = 1}));
    CHECK_OK(catalog_forget_mark(f.catalog, &marks[0]));
    CHECK_OK(catalog_forget_mark(f.catalog, &marks[1]));
    struct catalog_snapshot s;
    read_all(t, f.catalog, &s);
    CHECK_INT(s.mark_count, 1);
    CHECK_STR(s.marks[0].writer, S("w1"));
    CHECK_INT(s.marks[0].sealed_seq, 2);
    fixture_close(&f);
}

TEST(a_catalog_opens_again_with_everything_in_it)
{
    struct catalog_fixture f = {0};
    fixture_open(t, &f);
    CHECK_OK(seal_one(f.catalog, &(struct one_sealing){.key = "k1", .to = 1, .rows = 1}));
    fixture_close(&f);
    fixture_open(t, &f);
    struct catalog_snapshot s;
    read_all(t, f.catalog, &s);
    CHECK_INT(s.segment_count, 1);
    fixture_close(&f);
}

/* On PostgreSQL the replica is a database that does not follow. */
TEST(a_read_that_may_lag_is_told_by_its_version)
{
    struct catalog_fixture present = {0}, past = {0};
    struct catalog_snapshot snapshot;
    int64_t version = 0;
    fixture_open(t, &present);
    const char *name = on_postgres() ? "past" : "meta";
    CHECK_OK(meta_open(meta_url_make(t, name), NULL, &past.meta));
    CHECK_OK(catalog_new(past.meta, &t->clock, &past.catalog));
    CHECK_OK(seal_one(past.catalog, &(struct one_sealing){.key = "a", .to = 1, .rows = 1}));
    fixture_close(&past);
    if (on_postgres())
        CHECK_OK(seal_one(present.catalog, &(struct one_sealing){.key = "a", .to = 1, .rows = 1}));
    CHECK_OK(seal_one(present.catalog,
                      &(struct one_sealing){.key = "b", .from = 1, .to = 2, .rows = 1}));
    fixture_close(&present);
    const struct meta_options options = {.reader_url = meta_url(t, name)};
    CHECK_OK(meta_open(meta_url(t, "meta"), &options, &present.meta));
    CHECK_OK(catalog_new(present.meta, &t->clock, &present.catalog));
    CHECK_OK(catalog_read_lagging(present.catalog, S("acme"), S("logs"), INT64_MIN, INT64_MAX,
                                  &t->arena, &snapshot));
    CHECK_INT(snapshot.version, on_postgres() ? 1 : 2);
    CHECK_OK(catalog_version(present.catalog, S("acme"), S("logs"), &version));
    CHECK_INT(version, 2);
    read_all(t, present.catalog, &snapshot);
    CHECK_INT(snapshot.version, 2);
    CHECK_INT(catalog_read_lagging(present.catalog, S("acme"), S("none"), INT64_MIN, INT64_MAX,
                                   &t->arena, &snapshot),
              CATALOG_ABSENT);
    fixture_close(&present);
}

/* ---- versions of the tables (store/migrate.h has their own tests) ---- */

static void old_release(struct test *t, struct catalog_fixture *f)
{
    static const char *const sql[] = {
        "DELETE FROM schema_steps",
        "DROP TABLE schema_steps",
        "DROP TABLE schema_backfills",
        "DROP TABLE schema_functions",
        "DROP TABLE retention",
        "ALTER TABLE segments DROP COLUMN rules_done",
        "CREATE TABLE migrations (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_ns BIGINT NOT NULL)",
        "INSERT INTO migrations (number, name, applied_ns) VALUES (1, 'datasets, segments, marks', 5)",
    };
    fixture_open(t, f);
    for (size_t i = 0; i < PX_COUNT(sql); i++) CHECK_OK(meta_exec(f->meta, sql[i], NULL, 0, NULL));
}

TEST(a_catalog_of_before_is_taken_over_with_what_is_in_it)
{
    struct catalog_fixture f;
    struct catalog_snapshot s;
    struct migrate_state state;
    old_release(t, &f);
    CHECK_OK(seal_one(f.catalog, &(struct one_sealing){.key = "a", .to = 1, .rows = 3}));
    catalog_free(&f.catalog);
    CHECK_OK(catalog_new(f.meta, &t->clock, &f.catalog));
    const struct migrate m = {f.meta, &catalog_migrations, &t->clock};
    CHECK_OK(migrate_look(&m, &state));
    CHECK(state.has_home && state.items[0].applied_ns == 5 && state.edited == 0);
    CHECK_INT(state.removing, 1); /* the list of before stays until a person says so */
    read_all(t, f.catalog, &s);
    CHECK_INT(s.segment_count, 1);
    fixture_close(&f);
}

TEST(a_function_says_what_it_knows_and_holds_what_it_uses)
{
    struct catalog_fixture f;
    struct migrate_state state;
    size_t run;
    fixture_open(t, &f);
    CHECK_OK(catalog_say(f.catalog, S("query"), 0)); /* there is no time */
    CHECK_OK(catalog_say(f.catalog, S("query"), 2000));
    CHECK_OK(catalog_say(f.catalog, S("query"), 2000));
    const struct migrate m = {f.meta, &catalog_migrations, &t->clock};
    CHECK_OK(migrate_look(&m, &state));
    CHECK_INT(state.user_count, 1);
    CHECK_INT(state.users[0].knows, 3);
    CHECK_INT(migrate_contract(&m, 0, MIGRATE_NO_WORD, &run), MIGRATE_UNSAID);
    CHECK_OK(migrate_contract(&m, 0, MIGRATE_APPROVED, &run));
    CHECK_OK(seal_one(f.catalog, &(struct one_sealing){.key = "a", .to = 1, .rows = 3}));
    fixture_close(&f);
}

/* What was released is never changed: databases have these. */
TEST(the_steps_are_what_they_were)
{
    static const char *const released[] = {
        "2c163d89979335dec6134f6790e8fcf87acf1a918a4cd77823599a4a30485b30",
        "94ee147e504075b7250ad0e0d23dc1321a6ecab1954e2e3bda630c6ed70cc53f", /* 2 is not run by itself */
    };
    struct catalog_fixture f;
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    struct meta_value value;
    fixture_open(t, &f);
    CHECK_OK(
        meta_select(f.meta, "SELECT checksum FROM schema_steps ORDER BY number", NULL, 0, &rows));
    for (size_t i = 0; i < PX_COUNT(released); i++) {
        CHECK_OK(meta_rows_next(rows, &value, 1));
        CHECK_STR(value.s, px_str_c(released[i]));
    }
    meta_rows_close(&rows);
    fixture_close(&f);
}

TEST_MAIN
