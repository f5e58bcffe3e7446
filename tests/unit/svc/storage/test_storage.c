/* Data on its way from hot frames to analytics and out. */
#include "svc/storage/storage_kit.h"

static const struct storage_scope everything = {0};

static void open_kit(struct test *t, struct kit *kit, struct hot_writer **writer)
{
    *kit = (struct kit){0};
    emulator_bucket(t);
    CHECK_OK(kit_open(kit, t->dir));
    CHECK_OK(hot_writer_new(kit->hot, NULL, writer));
}

static void append(struct hot_writer *writer, struct kit_rows rows)
{
    uint64_t seq = 0;
    CHECK_OK(kit_append(writer, &rows, &seq));
}

TEST(sealing_moves_frames_into_one_segment_and_removes_closed_files)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    for (int i = 0; i < 10; i++)
        append(writer, (struct kit_rows){.first_id = i * 100, .count = 100});
    struct storage_counts counts = {0};
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_INT(counts.frames, 10);
    CHECK_INT(counts.rows, 1000);
    CHECK_INT(counts.objects, 1);
    CHECK_INT(counts.datasets, 1);
    CHECK_INT(counts.failed + counts.conflicts + counts.set_aside, 0);
    CHECK_INT(counts.files_removed, 0); /* its writer lives */
    struct kit_tally tally;
    kit_check_all(&kit, 1000, &tally);
    CHECK_INT(tally.parquet_rows, 1000);

    append(writer, (struct kit_rows){.first_id = 1000, .count = 1});
    hot_writer_free(&writer);
    counts = (struct storage_counts){0};
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_INT(counts.frames, 1);
    CHECK_INT(counts.files_removed, 1);
    CHECK_INT(kit_hot_files(&kit), 0);
    kit_check_all(&kit, 1001, &tally);
    CHECK_INT(tally.hot_rows, 0);

    counts = (struct storage_counts){0};
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_INT(counts.datasets + counts.objects + counts.frames, 0); /* a repeat does nothing */
    kit_close(&kit);
}

TEST(a_segment_tells_the_catalog_its_bounds_and_statistics)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    append(writer, (struct kit_rows){.first_id = 5, .count = 3, .time_us = KIT_EPOCH_US + 7});
    append(writer, (struct kit_rows){.first_id = 1, .count = 2, .time_us = KIT_EPOCH_US});
    struct storage_counts counts = {0};
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    struct catalog_snapshot s;
    CHECK_OK(catalog_read(kit.catalog, S("acme"), S("logs"), INT64_MIN, INT64_MAX, &t->arena, &s));
    CHECK_INT(s.segment_count, 1);
    CHECK_INT(s.segments[0].time_min_us, KIT_EPOCH_US);
    CHECK_INT(s.segments[0].time_max_us, KIT_EPOCH_US + 2007);
    CHECK_STR(s.segments[0].stats_json,
              S("{\"id\":{\"min\":1,\"max\":7,\"nulls\":0},\"maybe\":{\"min\":1.5,\"max\":1.5,"
                "\"nulls\":4},\"name\":{\"min\":\"row 1\",\"max\":\"row 7\",\"nulls\":0},"
                "\"time\":{\"min\":1767225600000000,\"max\":1767225600002007,\"nulls\":0}}"));
    struct object_info info;
    CHECK_OK(object_head(kit.segments, s.segments[0].key, &t->arena, &info));
    CHECK_INT(info.bytes, s.segments[0].bytes);
    hot_writer_free(&writer);
    kit_close(&kit);
}

TEST(a_large_backlog_becomes_several_bounded_segments)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    kit.lifecycle.segment_rows_max = 250;
    for (int i = 0; i < 10; i++)
        append(writer, (struct kit_rows){.first_id = i * 100, .count = 100});
    struct storage_counts counts = {0};
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_INT(counts.objects, 4); /* 300, 300, 300, 100 */
    kit_check_all(&kit, 1000, NULL);
    hot_writer_free(&writer);
    kit_close(&kit);
}

TEST(a_deadline_ends_a_seal_between_steps_and_says_so)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    append(writer, (struct kit_rows){.count = 10});
    struct storage_counts counts = {0};
    CHECK_OK(storage_seal(kit.storage, &(struct storage_scope){.deadline_mono_ns = 1}, &counts));
    CHECK(counts.more);
    CHECK_INT(counts.frames, 0);
    kit_check_all(&kit, 10, NULL);
    hot_writer_free(&writer);
    kit_close(&kit);
}

/* The tenants of segments in the order in which they were made. */
static struct px_str order_made(struct test *t, struct kit *kit, enum segment_tier tier,
                                int64_t *after)
{
    static const char *const tenants[] = {"aaa", "bbb", "zzz"};
    PX_AUTO(px_buf_deinit) struct px_buf order;
    px_buf_init(&order, 4096);
    char by_id[4096] = {0};
    int64_t highest = *after;
    for (size_t i = 0; i < PX_COUNT(tenants); i++) {
        struct dataset_info *infos = NULL;
        size_t count = 0;
        CHECK_OK(catalog_list(kit->catalog, px_str_c(tenants[i]), &t->arena, &infos, &count));
        for (size_t k = 0; k < count; k++) {
            struct catalog_snapshot s;
            CHECK_OK(catalog_read(kit->catalog, infos[k].tenant, infos[k].name, INT64_MIN,
                                  INT64_MAX, &t->arena, &s));
            for (size_t n = 0; n < s.segment_count; n++) {
                if (s.segments[n].id <= *after || s.segments[n].tier != tier) continue;
                by_id[s.segments[n].id - *after] = tenants[i][0];
                highest = PX_MAX(highest, s.segments[n].id);
            }
        }
    }
    for (int64_t i = 1; i <= highest - *after; i++)
        if (by_id[i]) px_buf_add_char(&order, by_id[i]);
    *after = highest;
    return px_arena_dup(&t->arena, px_buf_str(&order));
}

/* A tenant with many datasets that have much each, one with one, one that is new. */
TEST(tenants_take_turns_at_sealing_and_compaction)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    kit.lifecycle.segment_rows_max = 10;
    int64_t after = 0;
    for (int d = 0; d < 4; d++) {
        char name[16];
        (void)snprintf(name, sizeof name, "d%d", d);
        for (int i = 0; i < 2; i++)
            append(writer, (struct kit_rows){.tenant = "aaa", .dataset = name, .count = 10});
    }
    for (int i = 0; i < 2; i++) append(writer, (struct kit_rows){.tenant = "zzz", .count = 10});
    struct storage_counts counts = {0};
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_INT(counts.datasets, 5);
    CHECK_STR(order_made(t, &kit, TIER_SEGMENT, &after), S("azazaaaaaa"));

    append(writer, (struct kit_rows){.tenant = "aaa", .dataset = "d0", .count = 10});
    append(writer, (struct kit_rows){.tenant = "bbb", .count = 10});
    append(writer, (struct kit_rows){.tenant = "zzz", .count = 10});
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_STR(order_made(t, &kit, TIER_SEGMENT, &after), S("bza")); /* who waited longest begins */

    CHECK_OK(storage_compact(kit.storage, &everything, &counts));
    CHECK_STR(order_made(t, &kit, TIER_ANALYTICS, &after), S("abzaaa"));
    hot_writer_free(&writer);
    kit_close(&kit);
}

TEST(a_scope_leaves_other_tenants_and_datasets_alone)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    append(writer, (struct kit_rows){.count = 1});
    append(writer, (struct kit_rows){.count = 1, .dataset = "app"});
    append(writer, (struct kit_rows){.count = 1, .tenant = "other"});
    struct storage_counts counts = {0};
    CHECK_OK(storage_seal(kit.storage, &(struct storage_scope){S("acme"), S("app"), 0}, &counts));
    CHECK_INT(counts.datasets, 1);
    CHECK_OK(storage_seal(kit.storage, &(struct storage_scope){S("acme"), S(""), 0}, &counts));
    CHECK_INT(counts.datasets, 2);
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_INT(counts.datasets, 3);
    hot_writer_free(&writer);
    kit_close(&kit);
}

TEST(compaction_sorts_by_time_and_splits_by_day)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    /* each segment crosses midnight: 50 rows before it, 50 after */
    for (int i = 0; i < 3; i++) {
        append(writer, (struct kit_rows){.first_id = i * 100,
                                         .count = 100,
                                         .time_us = KIT_EPOCH_US + KIT_DAY_US - 50 * 1000 + i});
        struct storage_counts counts = {0};
        CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    }
    struct storage_counts counts = {0};
    CHECK_OK(storage_compact(kit.storage, &everything, &counts));
    CHECK_INT(counts.segments_in, 3);
    CHECK_INT(counts.objects, 2);
    CHECK_INT(counts.rows, 300);
    CHECK_INT(counts.failed, 0);
    kit_check_all(&kit, 300, NULL);
    CHECK_INT(kit_objects(kit.analytics, S("acme/logs/date=2026-01-01/")), 1);
    CHECK_INT(kit_objects(kit.analytics, S("acme/logs/date=2026-01-02/")), 1);
    CHECK_INT(kit_objects(kit.segments, S("")), 3); /* dead, in their grace */

    struct catalog_snapshot s;
    CHECK_OK(catalog_read(kit.catalog, S("acme"), S("logs"), INT64_MIN, INT64_MAX, &t->arena, &s));
    CHECK_INT(s.segment_count, 2);
    CHECK_INT(s.segments[0].tier, TIER_ANALYTICS);
    CHECK_INT(s.segments[0].time_min_us, KIT_EPOCH_US + KIT_DAY_US - 50000);
    CHECK_INT(s.segments[0].time_max_us, KIT_EPOCH_US + KIT_DAY_US - 1000 + 2);
    CHECK_INT(s.segments[1].time_min_us, KIT_EPOCH_US + KIT_DAY_US);

    struct sql_engine *engine = NULL;
    CHECK_OK(kit_engine(&kit, &engine));
    struct px_str url;
    CHECK_OK(object_url(kit.analytics, s.segments[0].key, &t->arena, &url));
    struct px_str sql = px_arena_printf(
        &t->arena,
        "SELECT CAST(count(*) AS BIGINT) FROM (SELECT \"time\" < lag(\"time\") OVER () AS back "
        "FROM read_parquet('%.*s')) WHERE back",
        PX_FMT(url));
    int64_t backward = -1;
    size_t rows = 0;
    CHECK_OK(parquet_select_ints(engine, sql, 1, 1, &backward, &rows));
    CHECK_INT(backward, 0);
    sql_engine_free(&engine);

    counts = (struct storage_counts){0};
    CHECK_OK(storage_compact(kit.storage, &everything, &counts));
    CHECK_INT(counts.objects, 0); /* a repeat does nothing */
    hot_writer_free(&writer);
    kit_close(&kit);
}

TEST(rows_scattered_over_many_days_are_taken_in_bounded_steps)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    append(writer, (struct kit_rows){.count = 150, .step_us = KIT_DAY_US});
    struct storage_counts counts = {0};
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_OK(storage_compact(kit.storage, &everything, &counts));
    CHECK_INT(counts.failed, 0);
    CHECK_INT(kit_objects(kit.analytics, S("")), 150);
    kit_check_all(&kit, 150, NULL);
    hot_writer_free(&writer);
    kit_close(&kit);
}

TEST(small_objects_of_a_day_are_merged_and_the_dead_go_after_their_grace)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    kit.now_ns = px_wall_ns(&px_clock_system);
    struct storage_counts counts = {0};
    for (int i = 0; i < 4; i++) {
        append(writer, (struct kit_rows){.first_id = i * 10, .count = 10});
        CHECK_OK(storage_seal(kit.storage, &everything, &counts));
        CHECK_OK(storage_compact(kit.storage, &everything, &counts));
    }
    struct dataset_info info;
    CHECK_OK(catalog_find(kit.catalog, S("acme"), S("logs"), &t->arena, &info));
    CHECK_INT(info.segments, 1);
    CHECK_INT(kit_objects(kit.analytics, S("")), 5);
    CHECK_INT(kit_objects(kit.segments, S("")), 4);
    counts = (struct storage_counts){0};
    CHECK_OK(storage_retain(kit.storage, &everything, &counts));
    CHECK_INT(counts.objects_removed, 0);
    kit.now_ns += (kit.lifecycle.dead_grace_s + 1) * PX_NS_PER_S;
    CHECK_OK(storage_retain(kit.storage, &everything, &counts));
    CHECK_INT(counts.objects_removed, 8);
    CHECK_INT(kit_objects(kit.analytics, S("")), 1);
    CHECK_INT(kit_objects(kit.segments, S("")), 0);
    kit_check_all(&kit, 40, NULL);
    hot_writer_free(&writer);
    kit_close(&kit);
}

TEST(retention_takes_whole_segments_that_are_too_old)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    kit.now_ns = (KIT_EPOCH_US + 40 * KIT_DAY_US) * 1000;
    struct storage_counts counts = {0};
    append(writer, (struct kit_rows){.first_id = 5, .count = 5, .time_us = KIT_EPOCH_US});
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    append(writer, (struct kit_rows){.count = 5, .time_us = KIT_EPOCH_US + 39 * KIT_DAY_US});
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    counts = (struct storage_counts){0};
    CHECK_OK(storage_retain(kit.storage, &everything, &counts));
    CHECK_INT(counts.segments_in, 0); /* the class keeps logs for longer */
    CHECK_OK(catalog_set_retention(kit.catalog, S("acme"), S("logs"), 30));
    CHECK_OK(storage_retain(kit.storage, &everything, &counts));
    CHECK_INT(counts.segments_in, 1);
    kit_check_all(&kit, 5, NULL);
    hot_writer_free(&writer);
    kit_close(&kit);
}

TEST(the_tenants_retention_expires_what_has_none_of_its_own)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    kit.now_ns = (KIT_EPOCH_US + 40 * KIT_DAY_US) * 1000;
    struct storage_counts counts = {0};
    append(writer, (struct kit_rows){.count = 5, .time_us = KIT_EPOCH_US});
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    counts = (struct storage_counts){0};
    CHECK_OK(catalog_set_tenant_retention(kit.catalog, S("other"), 1));
    CHECK_OK(catalog_set_tenant_retention(kit.catalog, S("acme"), 30));
    CHECK_OK(catalog_set_retention(kit.catalog, S("acme"), S("logs"), 50));
    CHECK_OK(storage_retain(kit.storage, &everything, &counts));
    CHECK_INT(counts.segments_in, 0);
    CHECK_OK(catalog_set_retention(kit.catalog, S("acme"), S("logs"), 0));
    CHECK_OK(storage_retain(kit.storage, &everything, &counts));
    CHECK_INT(counts.segments_in, 1);
    kit_check_all(&kit, 0, NULL);
    hot_writer_free(&writer);
    kit_close(&kit);
}

/* ---- rules ---- */

#define RULE(name, value, days)                                                                    \
    "{\"attribute\":\"" name "\",\"equals\":" value ",\"days\":" #days "}"

static void say_rules(struct kit *kit, const char *dataset, const char *rules)
{
    CHECK_OK(catalog_say_retention(kit->catalog, S("acme"), px_str_c(dataset), 0, px_str_c(rules)));
}

/* Which of the first ids are left, after a retain. */
static struct storage_counts retained(struct kit *kit, uint8_t *seen, size_t ids)
{
    struct storage_counts counts = {0};
    struct kit_tally tally = {.seen = seen, .ids = ids};
    struct dataset_info info;
    CHECK_OK(storage_retain(kit->storage, &everything, &counts));
    CHECK_INT(counts.failed, 0);
    memset(seen, 0, ids);
    CHECK_OK(kit_tally(kit, &tally));
    CHECK_OK(catalog_find(kit->catalog, S("acme"), S("logs"), &kit->arena, &info));
    CHECK_INT(info.rows, tally.parquet_rows);
    return counts;
}

TEST(rows_go_by_the_value_of_an_attribute_once_their_segment_is_old_enough)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    uint8_t seen[80];
    open_kit(t, &kit, &writer);
    kit.now_ns = (KIT_EPOCH_US + 40 * KIT_DAY_US) * 1000;
    struct storage_counts counts = {0};
    append(writer, (struct kit_rows){.count = 40});
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_OK(storage_compact(kit.storage, &everything, &counts));
    append(writer, (struct kit_rows){
                       .first_id = 40, .count = 40, .time_us = KIT_EPOCH_US + 30 * KIT_DAY_US});
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    say_rules(&kit, "logs", "[" RULE("name", "\"row 3\"", 20) "," RULE("nosuch", "1", 1) "]");
    counts = retained(&kit, seen, 80);
    CHECK_INT(counts.rows, 3); /* 3, 20, 37 */
    CHECK_INT(counts.segments_in, 1);
    CHECK_INT(counts.objects, 1);
    for (int i = 0; i < 80; i++) CHECK_INT(seen[i], i < 40 && i % 17 == 3 ? 0 : 1);
    counts = retained(&kit, seen, 80);
    CHECK_INT(counts.rows + counts.segments_in, 0);
    CHECK_INT(counts.objects_removed, 0); /* within the grace of the dead */
    kit.now_ns += 15 * KIT_DAY_US * 1000; /* the other segment is of age */
    counts = retained(&kit, seen, 80);
    CHECK_INT(counts.rows, 2);                                                 /* 54, 71 */
    CHECK_INT(kit_objects(kit.analytics, S("acme/logs/date=2026-01-01/")), 1); /* in its day */
    hot_writer_free(&writer);
    kit_close(&kit);
}

TEST(a_rule_that_is_new_looks_at_segments_that_others_were_held_against)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    uint8_t seen[40];
    open_kit(t, &kit, &writer);
    kit.now_ns = (KIT_EPOCH_US + 40 * KIT_DAY_US) * 1000;
    struct storage_counts counts = {0};
    append(writer, (struct kit_rows){.count = 40});
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    say_rules(&kit, "logs", "[" RULE("NAME", "\"row 3\"", 1) "]"); /* names as in SQL */
    CHECK_INT(retained(&kit, seen, 40).rows, 3);
    say_rules(&kit, "logs", "[" RULE("name", "\"row 3\"", 1) "," RULE("id", "7", 5) "]");
    CHECK_INT(retained(&kit, seen, 40).rows, 1);
    CHECK_INT(seen[7], 0);
    say_rules(&kit, "logs", "[" RULE("id", "\"x') OR true --\"", 1) "," RULE("id", "true", 1) "]");
    CHECK_INT(retained(&kit, seen, 40).rows,
              0); /* a value is no SQL, and what does not convert equals nothing */
    hot_writer_free(&writer);
    kit_close(&kit);
}

TEST(the_tenants_rules_count_unless_the_dataset_has_its_own)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    uint8_t seen[40];
    open_kit(t, &kit, &writer);
    kit.now_ns = (KIT_EPOCH_US + 40 * KIT_DAY_US) * 1000;
    struct storage_counts counts = {0};
    append(writer, (struct kit_rows){.count = 40});
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    say_rules(&kit, "", "[" RULE("name", "\"row 3\"", 1) "]");
    say_rules(&kit, "logs", "[]");
    CHECK_INT(retained(&kit, seen, 40).rows, 0);
    say_rules(&kit, "logs", "");
    CHECK_INT(retained(&kit, seen, 40).rows, 3);
    hot_writer_free(&writer);
    kit_close(&kit);
}

TEST(a_segment_of_which_all_rows_go_is_gone)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    uint8_t seen[4];
    open_kit(t, &kit, &writer);
    kit.now_ns = (KIT_EPOCH_US + 40 * KIT_DAY_US) * 1000;
    struct storage_counts counts = {0};
    append(writer, (struct kit_rows){.first_id = 3, .count = 1});
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    say_rules(&kit, "logs", "[" RULE("name", "\"row 3\"", 1) "]");
    counts = retained(&kit, seen, 4);
    CHECK_INT(counts.rows, 1);
    CHECK_INT(counts.objects + seen[3], 0);
    hot_writer_free(&writer);
    kit_close(&kit);
}

TEST(orphans_and_leftovers_go_and_the_quarantine_stays)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    append(writer, (struct kit_rows){.count = 5});
    struct storage_counts counts = {0};
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_OK(object_put(kit.segments, S("acme/logs/orphan.parquet"), S("x")));
    CHECK_OK(object_put(kit.analytics, S("acme/logs/date=2026-01-01/orphan.parquet"), S("x")));
    CHECK_OK(object_put(kit.segments, S("_quarantine/hot/acme/logs/w-1.wal"), S("x")));
    char *hidden = px_arena_cstr(&t->arena, test_path(t, "hot/acme/logs/.w-000001.wal.new"));
    char *spill = px_arena_cstr(&t->arena, test_path(t, "tmp/storage-spill-killed"));
    CHECK_OK(px_file_write_atomic(hidden, S("x"), 0600));
    CHECK_OK(px_dir_make(spill));
    CHECK_OK(storage_retain(kit.storage, &everything, &counts));
    CHECK_INT(counts.objects_removed + counts.files_removed, 0); /* too young to be sure */
    CHECK_INT(access(hidden, F_OK), 0);
    kit.lifecycle.orphan_age_s = 0;
    CHECK_OK(storage_retain(kit.storage, &everything, &counts));
    CHECK_INT(counts.objects_removed, 3); /* two objects, one folder */
    CHECK_INT(counts.files_removed, 1);
    CHECK(access(hidden, F_OK) != 0 && access(spill, F_OK) != 0);
    CHECK_INT(kit_objects(kit.segments, S("_quarantine/")), 1);
    kit_check_all(&kit, 5, NULL);
    hot_writer_free(&writer);
    kit_close(&kit);
}

TEST(a_mark_is_pruned_only_when_its_writer_has_no_file_left)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    kit.now_ns = px_wall_ns(&px_clock_system);
    append(writer, (struct kit_rows){.count = 5});
    struct storage_counts counts = {0};
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    kit.now_ns += (kit.lifecycle.mark_idle_days + 1) * 86400 * PX_NS_PER_S;
    CHECK_OK(storage_retain(kit.storage, &everything, &counts));
    CHECK_INT(counts.items_removed, 0); /* the file is live and holds the sealed frame */
    kit_check_all(&kit, 5, NULL);
    hot_writer_free(&writer);
    CHECK_OK(storage_seal(kit.storage, &everything, &counts)); /* removes the file */
    CHECK_OK(storage_retain(kit.storage, &everything, &counts));
    CHECK_INT(counts.items_removed, 1);
    kit_check_all(&kit, 5, NULL);
    kit_close(&kit);
}

TEST(the_folder_of_a_dropped_dataset_goes_once_it_is_empty_and_old)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    append(writer, (struct kit_rows){.count = 10});
    append(writer, (struct kit_rows){.count = 10, .dataset = "kept"});
    struct storage_counts counts = {0};
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_OK(catalog_drop_dataset(kit.catalog, S("acme"), S("logs"), NULL, 0));
    struct px_str *names = NULL;
    size_t count = 0;
    CHECK_OK(storage_retain(kit.storage, &everything, &counts));
    kit.lifecycle.orphan_age_s = 0;
    CHECK_OK(storage_retain(kit.storage, &everything, &counts));
    CHECK_OK(hot_datasets(kit.hot, S("acme"), &t->arena, &names, &count));
    CHECK_INT(count, 2); /* its writer still has the file */
    hot_writer_free(&writer);
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_OK(storage_retain(kit.storage, &everything, &counts));
    CHECK_OK(hot_datasets(kit.hot, S("acme"), &t->arena, &names, &count));
    CHECK_INT(count, 1);
    CHECK_STR(names[0], S("kept"));
    kit_close(&kit);
}

TEST(a_deleted_tenant_leaves_nothing_and_an_unknown_one_keeps_all)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    append(writer, (struct kit_rows){.count = 5});
    append(writer, (struct kit_rows){.count = 5, .tenant = "gone"});
    struct storage_counts counts = {0};
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    append(writer, (struct kit_rows){.count = 5, .tenant = "gone"});
    hot_writer_free(&writer);
    const struct table_put put = {.key = {S("tenants"), S("gone"), S("")},
                                  .document = S("{\"name\":\"gone\",\"status\":\"deleted\"}")};
    CHECK_OK(table_put(kit.tables, &put, &t->arena, NULL, NULL));
    CHECK_OK(storage_retain(kit.storage, &everything, &counts));
    struct dataset_info info;
    CHECK_INT(catalog_find(kit.catalog, S("gone"), S("logs"), &t->arena, &info), CATALOG_ABSENT);
    CHECK(access(test_path(t, "hot/gone").ptr, F_OK) != 0);
    CHECK(access(test_path(t, "hot/acme").ptr, F_OK) == 0);
    kit_check_all(&kit, 5, NULL);
    kit_close(&kit);
}

TEST(a_field_that_changes_its_type_fails_neither_seal_nor_compaction)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    struct storage_counts counts = {0};
    append(writer, (struct kit_rows){.count = 10});
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    append(writer, (struct kit_rows){.count = 10, .id_is_text = true});
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_OK(storage_compact(kit.storage, &everything, &counts));
    CHECK_INT(counts.failed, 0);
    struct catalog_snapshot s;
    CHECK_OK(catalog_read(kit.catalog, S("acme"), S("logs"), INT64_MIN, INT64_MAX, &t->arena, &s));
    CHECK_INT(s.segment_count, 1);
    struct px_str url;
    CHECK_OK(object_url(kit.analytics, s.segments[0].key, &t->arena, &url));
    struct sql_engine *engine = NULL;
    CHECK_OK(kit_engine(&kit, &engine));
    struct px_str sql = px_arena_printf(
        &t->arena,
        "SELECT count(id), CAST(count(_other) AS BIGINT), CAST(sum(CASE WHEN "
        "json_extract_string(_other, '$.id') LIKE 'row %%' THEN 1 ELSE 0 END) AS BIGINT) FROM "
        "read_parquet('%.*s')",
        PX_FMT(url));
    int64_t values[3] = {0};
    size_t rows = 0;
    CHECK_OK(parquet_select_ints(engine, sql, 3, 1, values, &rows));
    CHECK_INT(values[0], 10);
    CHECK_INT(values[1], 10);
    CHECK_INT(values[2], 10);
    sql_engine_free(&engine);
    hot_writer_free(&writer);
    kit_close(&kit);
}

TEST(ttl_removes_expired_items)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    kit.now_ns = px_wall_ns(&px_clock_system);
    for (int i = 0; i < 300; i++) {
        struct px_str key = px_arena_printf(&t->arena, "k%d", i);
        const struct table_put put = {.key = {S("idempotency"), key, S("")},
                                      .document = S("{}"),
                                      .expires_ns = kit.now_ns + (i < 290 ? 1 : 1000)};
        CHECK_OK(table_put(kit.tables, &put, &t->arena, NULL, NULL));
    }
    kit.now_ns += 10;
    struct storage_counts counts = {0};
    CHECK_OK(storage_ttl(kit.storage, &everything, &counts));
    CHECK_INT(counts.items_removed, 290);
    hot_writer_free(&writer);
    kit_close(&kit);
}

TEST_MAIN
