/* A tenant that goes: its export holds each row once and is checked by hash, nothing is exported or removed at the wrong time, and
 * the proof is written only when nothing is left. Steps are killed with SIGKILL at random moments and repeated. */
#include "svc/storage/storage_kit.h"

#include "base/px_json.h"
#include "svc/quota/days.h"
#include "svc/storage/manifest.h"
#include "svc/storage/offboard.h"

#define ACME S("acme")
enum { ROWS = 100 };

static int put_status(struct kit *kit, const char *tenant, const char *status)
{
    char text[160];
    (void)snprintf(text, sizeof text, "{\"name\":\"%s\",\"status\":\"%s\",\"epoch\":7}", tenant,
                   status);
    const struct table_put put = {.key = {S("tenants"), px_str_c(tenant), S("")},
                                  .document = px_str_c(text)};
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 1u << 20);
    return table_put(kit->tables, &put, &arena, NULL, NULL);
}

static int write_frames(struct kit *kit, const char *tenant, int64_t first, int count)
{
    PX_AUTO(hot_writer_free) struct hot_writer *writer = NULL;
    PX_TRY(hot_writer_new(kit->hot, NULL, &writer));
    for (int i = 0; i < count; i++) {
        uint64_t seq;
        const struct kit_rows rows = {.tenant = tenant,
                                      .first_id = (first + i) * ROWS,
                                      .count = ROWS,
                                      .time_us = KIT_EPOCH_US + (first + i) * 1000000};
        PX_TRY(kit_append(writer, &rows, &seq));
    }
    return 0;
}

static void open_with_data(struct test *t, struct kit *kit)
{
    const struct storage_scope everything = {0};
    struct storage_counts counts = {0};
    CHECK_OK(kit_open(kit, t->dir));
    CHECK_OK(write_frames(kit, "acme", 0, 3));
    CHECK_OK(storage_seal(kit->storage, &everything, &counts));
    CHECK_OK(storage_compact(kit->storage, &everything, &counts));
    CHECK_OK(write_frames(kit, "acme", 3, 2));
    CHECK_OK(storage_seal(kit->storage, &everything, &counts));
    CHECK_OK(write_frames(kit, "acme", 5, 1)); /* stays hot */
    CHECK_OK(write_frames(kit, "acmes", 0, 1));
    CHECK_OK(put_status(kit, "acmes", "active"));
    CHECK_OK(put_status(kit, "acme", "suspended"));
}

static const struct offboard with_export = {
    .tenant = {"acme", 4},
    .copy = true,
    .execution = {"arn:aws:states:r:0:execution:m:off-1", 36},
    .began = {"2026-11-27T08:00:00Z", 20},
    .keys = 2};

/* Each id of the exported files once, as the manifest names them. */
static size_t count_exported(struct test *t, struct kit *kit, size_t ids)
{
    PX_AUTO(px_buf_deinit) struct px_buf text, sql;
    yyjson_val *root = NULL, *dataset, *object;
    size_t i, n, k, m, rows = 0;
    px_buf_init(&text, 1u << 20);
    px_buf_init(&sql, 1u << 20);
    CHECK_OK(object_get(kit->analytics, S("_exports/acme/manifest.json"), &text));
    CHECK_OK(px_json_parse(px_buf_str(&text), &t->arena, &root, NULL));
    px_buf_add_c(&sql, "SELECT CAST(id AS BIGINT) FROM read_parquet([");
    px_json_arr_foreach(px_json_arr(root, "datasets"), i, n, dataset)
    {
        px_json_arr_foreach(px_json_arr(dataset, "objects"), k, m, object)
        {
            struct px_str key = px_json_str(object, "key"), url;
            key = px_arena_printf(&t->arena, "_exports/acme/%.*s", PX_FMT(key));
            CHECK_OK(object_url(kit->analytics, key, &t->arena, &url));
            if (k > 0) px_buf_add_char(&sql, ',');
            sql_add_literal(&sql, url);
        }
    }
    px_buf_add_c(&sql, "], hive_partitioning = false, union_by_name = true)");
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    CHECK_OK(kit_engine(kit, &engine));
    int64_t *seen = px_arena_array(&t->arena, int64_t, ids * 2 + 1);
    CHECK_OK(parquet_select_ints(engine, px_buf_str(&sql), 1, ids * 2 + 1, seen, &rows));
    uint8_t *times = px_arena_array(&t->arena, uint8_t, ids + 1);
    for (i = 0; i < rows; i++) {
        CHECK(seen[i] >= 0 && (size_t)seen[i] < ids);
        times[seen[i]]++;
    }
    for (i = 0; i < ids; i++) CHECK_INT(times[i], 1);
    return rows;
}

TEST(an_export_holds_each_row_once_and_is_the_same_when_repeated)
{
    struct kit kit = {0};
    struct offboarded first = {0}, again = {0}, checked = {0};
    struct storage_counts counts = {0};
    open_with_data(t, &kit);
    CHECK_OK(offboard_export(kit.storage, &with_export, &t->arena, &first));
    CHECK(!first.more);
    CHECK_INT(first.rows, 6 * ROWS);
    CHECK_INT(first.copied, first.objects);
    CHECK_INT(count_exported(t, &kit, 6 * ROWS), 6 * ROWS);
    CHECK_OK(offboard_check(kit.storage, &with_export, &t->arena, &checked));
    CHECK_INT(checked.checked, first.objects);
    CHECK(strcmp(checked.sha256, first.sha256) == 0);
    CHECK_OK(offboard_export(kit.storage, &with_export, &t->arena, &again));
    CHECK(strcmp(again.sha256, first.sha256) == 0);
    /* compacted meanwhile: what an earlier round copied goes */
    CHECK_OK(storage_compact(kit.storage, &(struct storage_scope){0}, &counts));
    again = (struct offboarded){0};
    CHECK_OK(offboard_export(kit.storage, &with_export, &t->arena, &again));
    CHECK_INT(again.rows, 6 * ROWS);
    CHECK_INT(kit_objects(kit.analytics, S("_exports/acme/data/")), again.objects);
    CHECK_INT(count_exported(t, &kit, 6 * ROWS), 6 * ROWS);
    kit_close(&kit);
}

TEST(a_round_that_is_late_says_more_and_the_next_goes_on)
{
    struct kit kit = {0};
    struct offboarded done = {0};
    open_with_data(t, &kit);
    struct offboard late = with_export;
    late.deadline_mono_ns = 1;
    CHECK_OK(offboard_export(kit.storage, &late, &t->arena, &done));
    CHECK(done.more);
    int r = offboard_check(kit.storage, &with_export, &t->arena, &done);
    CHECK_INT(r, OFFBOARD_UNEXPORTED);
    done = (struct offboarded){0};
    CHECK_OK(offboard_export(kit.storage, &with_export, &t->arena, &done));
    CHECK(!done.more);
    /* one object a round */
    size_t rounds = 0;
    struct offboarded checked = {.more = true};
    while (checked.more) {
        late.after = checked.after;
        checked = (struct offboarded){0};
        CHECK_OK(offboard_check(kit.storage, &late, &t->arena, &checked));
        CHECK_INT(checked.checked, 1);
        rounds++;
    }
    CHECK_INT(rounds, done.objects);
    kit_close(&kit);
}

TEST(a_copy_that_was_changed_is_found)
{
    struct kit kit = {0};
    struct offboarded done = {0};
    struct object_info *infos = NULL;
    size_t count = 0;
    open_with_data(t, &kit);
    CHECK_OK(offboard_export(kit.storage, &with_export, &t->arena, &done));
    CHECK_OK(
        object_list(kit.analytics, S("_exports/acme/data/"), S(""), 10, &t->arena, &infos, &count));
    CHECK(count > 1);
    CHECK_OK(object_put(kit.analytics, infos[1].key, S("PAR1")));
    CHECK_INT(offboard_check(kit.storage, &with_export, &t->arena, &done), OFFBOARD_DIFFERS);
    CHECK_OK(object_delete(kit.analytics, infos[1].key));
    CHECK_INT(offboard_check(kit.storage, &with_export, &t->arena, &done), OFFBOARD_DIFFERS);
    CHECK(done.why.len > 0);
    kit_close(&kit);
}

TEST(each_step_has_its_time)
{
    struct kit kit = {0};
    struct offboarded done = {0};
    open_with_data(t, &kit);
    CHECK_OK(put_status(&kit, "acme", "active"));
    CHECK_INT(offboard_export(kit.storage, &with_export, &t->arena, &done), OFFBOARD_NOT_STOPPED);
    CHECK_INT(offboard_remove(kit.storage, &with_export, &t->arena, &done), OFFBOARD_NOT_STOPPED);
    CHECK_OK(put_status(&kit, "acme", "suspended"));
    CHECK_INT(offboard_remove(kit.storage, &with_export, &t->arena, &done), OFFBOARD_NOT_STOPPED);
    CHECK_INT(offboard_prove(kit.storage, &with_export, &t->arena, &done), OFFBOARD_NOT_STOPPED);
    kit_check_all(&kit, 6 * ROWS, NULL);
    CHECK_OK(put_status(&kit, "acme", "deleted"));
    CHECK_INT(offboard_export(kit.storage, &with_export, &t->arena, &done), OFFBOARD_UNEXPORTED);
    CHECK_INT(offboard_prove(kit.storage, &with_export, &t->arena, &done), OFFBOARD_REMAINS);
    CHECK(px_str_starts(done.why, S("still there: hot_files")));
    kit_close(&kit);
}

/* What a move, damage and a crash may have left besides. */
static void leave_more(struct test *t, struct kit *kit)
{
    const struct table_put claim = {.key = {S("idempotency"), ACME, S("x")}, .document = S("{}")};
    const struct table_put day = {.key = {S(DAYS_TABLE), ACME, S("records/2026-11-28")},
                                  .document = S("{\"taken\":7}")};
    CHECK_OK(table_put(kit->tables, &day, &t->arena, NULL, NULL));
    CHECK_OK(object_put(kit->segments, S(MOVES_PREFIX "acme/3/index.json"), S("{}")));
    CHECK_OK(object_put(kit->segments, S("_quarantine/hot/acme/logs/w-1.wal"), S("x")));
    CHECK_OK(object_put(kit->segments, S("_quarantine/frames/acme/logs/w-1"), S("x")));
    CHECK_OK(object_put(kit->segments, S("acme/logs/young-orphan.parquet"), S("x")));
    CHECK_OK(object_put(kit->analytics, S("acme/logs/date=2026-01-01/young.parquet"), S("x")));
    CHECK_OK(table_put(kit->tables, &claim, &t->arena, NULL, NULL));
}

TEST(the_proof_is_written_when_nothing_is_left_and_once)
{
    struct kit kit = {0};
    struct offboarded done = {0}, proof = {0}, again = {0};
    PX_AUTO(px_buf_deinit) struct px_buf text;
    yyjson_val *root = NULL;
    px_buf_init(&text, 1u << 20);
    open_with_data(t, &kit);
    leave_more(t, &kit);
    struct hot_writer *held = NULL; /* a writer that lives on */
    uint64_t seq;
    CHECK_OK(hot_writer_new(kit.hot, NULL, &held));
    CHECK_OK(kit_append(held, &(struct kit_rows){.first_id = 6 * ROWS, .count = ROWS}, &seq));
    CHECK_OK(offboard_export(kit.storage, &with_export, &t->arena, &done));
    CHECK_INT(done.rows, 7 * ROWS);
    CHECK_OK(put_status(&kit, "acme", "deleted"));
    CHECK_INT(offboard_prove(kit.storage, &with_export, &t->arena, &done), OFFBOARD_REMAINS);
    done = (struct offboarded){0};
    CHECK_OK(offboard_remove(kit.storage, &with_export, &t->arena, &done));
    CHECK(!done.more && done.removed > 6);
    CHECK_OK(offboard_prove(kit.storage, &with_export, &t->arena, &proof));
    CHECK_STR(proof.key, S("_proofs/acme/off-1.json"));
    CHECK_OK(object_get(kit.analytics, proof.key, &text));
    CHECK_OK(px_json_parse(px_buf_str(&text), &t->arena, &root, NULL));
    CHECK_STR(px_json_str(root, "format"), S("prism-proof-of-deletion"));
    CHECK_INT(px_json_i64(px_json_obj(root, "before"), "rows", -1), 7 * ROWS);
    CHECK_INT(px_json_i64(root, "epoch", 0), 7);
    CHECK_INT(px_json_i64(px_json_obj(root, "left"), "idempotency", -1), 0);
    CHECK_INT(px_json_i64(px_json_obj(root, "left"), "usage", -1), 0);
    CHECK_OK(offboard_prove(kit.storage, &with_export, &t->arena, &again));
    CHECK(strcmp(again.sha256, proof.sha256) == 0);
    /* of the others everything is there, and so is the export */
    CHECK_INT(kit_objects(kit.segments, S("acme/")), 0);
    CHECK_INT(kit_objects(kit.segments, S("_")), 0);
    CHECK_INT(count_exported(t, &kit, 7 * ROWS), 7 * ROWS);
    CHECK_INT(kit_hot_files(&kit), 1);
    hot_writer_free(&held);
    kit_close(&kit);
}

TEST(an_inventory_stands_for_an_export_that_is_not_wanted)
{
    struct kit kit = {0};
    struct offboarded done = {0};
    struct offboard without = with_export;
    without.copy = false;
    open_with_data(t, &kit);
    CHECK_OK(offboard_export(kit.storage, &without, &t->arena, &done));
    CHECK_INT(done.rows, 6 * ROWS);
    CHECK_INT(done.copied, 0);
    CHECK_STR(done.key, S("_exports/acme/inventory.json"));
    CHECK_INT(kit_objects(kit.analytics, S("_exports/")), 1);
    CHECK_OK(put_status(&kit, "acme", "deleted"));
    CHECK_OK(offboard_remove(kit.storage, &without, &t->arena, &done));
    CHECK_INT(offboard_prove(kit.storage, &with_export, &t->arena, &done), OFFBOARD_UNEXPORTED);
    done = (struct offboarded){0};
    CHECK_OK(offboard_prove(kit.storage, &without, &t->arena, &done));
    CHECK_INT(done.rows, 6 * ROWS);
    kit_close(&kit);
}

TEST(retain_keeps_exports_for_their_days_and_proofs_for_good)
{
    struct kit kit = {0};
    const struct storage_scope everything = {0};
    struct storage_counts counts = {0};
    CHECK_OK(kit_open(&kit, t->dir));
    kit.lifecycle.orphan_age_s = 0;
    CHECK_OK(object_put(kit.analytics, S("_exports/acme/manifest.json"), S("{}")));
    CHECK_OK(object_put(kit.analytics, S("_proofs/acme/x.json"), S("{}")));
    CHECK_OK(storage_retain(kit.storage, &everything, &counts));
    CHECK_INT(kit_objects(kit.analytics, S("_")), 2);
    kit.lifecycle.export_days = 0;
    CHECK_OK(storage_retain(kit.storage, &everything, &counts));
    CHECK_INT(kit_objects(kit.analytics, S("_exports/")), 0);
    CHECK_INT(kit_objects(kit.analytics, S("_proofs/")), 1);
    kit_close(&kit);
}

/* ---- kills ---- */

static int run_step(struct kit *kit, int step)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    struct offboarded done = {0};
    px_arena_init(&arena, 256u << 20);
    if (step == 0) return offboard_export(kit->storage, &with_export, &arena, &done);
    if (step == 1) return offboard_check(kit->storage, &with_export, &arena, &done);
    if (step == 2) return offboard_remove(kit->storage, &with_export, &arena, &done);
    return offboard_prove(kit->storage, &with_export, &arena, &done);
}

static int child_main(char **argv)
{
    struct kit kit = {0};
    int r = kit_open(&kit, argv[2]);
    if (r == 0) r = run_step(&kit, (int)strtol(argv[3], NULL, 10));
    if (r == 0) kit_close(&kit);
    return r != 0;
}

/* True when it ended before it was killed. */
static bool killed_or_done(const char *dir, int step, unsigned after_us)
{
    char number[16];
    (void)snprintf(number, sizeof number, "%d", step);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        /* this program again, so that DuckDB's threads never cross a fork */
        execl("/proc/self/exe", "child", "--child", dir, number, NULL);
        _exit(127);
    }
    int status = 0;
    (void)usleep(after_us);
    (void)kill(pid, SIGKILL);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(steps_that_are_killed_are_repeated_and_end_the_same)
{
    struct kit kit = {0};
    struct offboarded done = {0};
    unsigned seed = 4711;
    open_with_data(t, &kit);
    for (int step = 0; step < 4; step++) {
        if (step == 2) CHECK_OK(put_status(&kit, "acme", "deleted"));
        for (int i = 0; i < 4 && !killed_or_done(t->dir, step, (unsigned)rand_r(&seed) % 250000);)
            i++;
        CHECK_OK(run_step(&kit, step));
        if (step == 0) CHECK_INT(count_exported(t, &kit, 6 * ROWS), 6 * ROWS);
    }
    CHECK_INT(kit_objects(kit.segments, S("acme/")), 0);
    CHECK_INT(kit_objects(kit.analytics, S("acme/")), 0);
    CHECK_OK(offboard_prove(kit.storage, &with_export, &t->arena, &done));
    CHECK_INT(done.rows, 6 * ROWS);
    kit_close(&kit);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--child") == 0) return child_main(argv);
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    return _cmocka_run_group_tests(argv[0], test_list, test_count, NULL, NULL);
}
