/* Files and objects that cannot be read: they are set aside with a reason, everything else goes on. */
#include "svc/storage/storage_kit.h"

#include <fcntl.h>

static const struct storage_scope everything = {0};

static void open_kit(struct test *t, struct kit *kit, struct hot_writer **writer)
{
    *kit = (struct kit){0};
    CHECK_OK(kit_open(kit, t->dir));
    CHECK_OK(hot_writer_new(kit->hot, NULL, writer));
}

static void append(struct hot_writer *writer, struct kit_rows rows)
{
    uint64_t seq = 0;
    CHECK_OK(kit_append(writer, &rows, &seq));
}

static void append_bytes(struct hot_writer *writer, struct px_str bytes)
{
    uint64_t seq = 0;
    CHECK_OK(hot_append(writer, S("acme"), S("logs"), &bytes, 1, &seq));
}

static void flip(const char *path, off_t offset)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    unsigned char byte = 0;
    CHECK(fd >= 0);
    CHECK_INT(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x5a;
    CHECK_INT(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

/* Ids seen once, twice ... among live data. */
static uint64_t rows_visible(struct kit *kit, size_t ids)
{
    struct kit_tally tally = {.seen = calloc(ids + 1, 1), .ids = ids};
    CHECK(tally.seen);
    CHECK_OK(kit_tally(kit, &tally));
    uint64_t sum = 0;
    for (size_t i = 0; i < ids; i++) {
        CHECK(tally.seen[i] <= 1);
        sum += tally.seen[i];
    }
    free(tally.seen);
    return sum;
}

TEST(a_frame_that_does_not_decode_is_set_aside_and_its_neighbours_are_sealed)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    append(writer, (struct kit_rows){.count = 10});
    append_bytes(writer, S("this is no frame but its checksum is right"));
    append(writer, (struct kit_rows){.first_id = 10, .count = 10});
    struct storage_counts counts = {0};
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_INT(counts.failed, 0);
    CHECK_INT(counts.rows, 20);
    CHECK_INT(counts.set_aside, 1);
    CHECK(strstr(kit.last_notice, "set aside acme/logs _quarantine/frames/acme/logs/"));
    CHECK_INT(kit_objects(kit.segments, S("_quarantine/frames/acme/logs/")), 1);
    kit_check_all(&kit, 20, NULL);
    hot_writer_free(&writer);
    counts = (struct storage_counts){0};
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_INT(counts.files_removed, 1);
    CHECK_INT(counts.set_aside, 0); /* its bytes are safe already */
    kit_close(&kit);
}

TEST(a_frame_whose_columns_do_not_decode_is_found_and_set_aside)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    append(writer, (struct kit_rows){.count = 1000});
    struct batch *batch = NULL;
    struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    CHECK_OK(batch_new(NULL, &batch));
    const struct kit_rows rows = {.first_id = 1000, .count = 1000};
    for (int i = 0; i < rows.count; i++) CHECK_OK(kit_put_row(batch, &rows, i));
    CHECK_OK(frame_encode(batch, 1, (const uint8_t[16]){0}, &buf));
    struct frame frame;
    CHECK_OK(frame_open(px_buf_str(&buf), &t->arena, &frame));
    const struct frame_column *column = &frame.columns[frame_find(&frame, S("name"))];
    for (uint32_t i = 0; i < column->block_bytes; i++) buf.ptr[column->block_offset + i] ^= 0x77;
    append_bytes(writer, px_buf_str(&buf));
    px_buf_deinit(&buf);
    batch_free(&batch);
    append(writer, (struct kit_rows){.first_id = 1000, .count = 1000});
    struct storage_counts counts = {0};
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_INT(counts.failed, 0);
    CHECK_INT(counts.set_aside, 1);
    CHECK_INT(counts.rows, 2000);
    kit_check_all(&kit, 2000, NULL);
    hot_writer_free(&writer);
    kit_close(&kit);
}

/* It decodes, and yet DuckDB refuses it: the dataset goes on without it, and its bytes are kept. */
TEST(a_frame_that_cannot_be_written_is_set_aside_and_its_neighbours_are_sealed)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    kit.unwritable_rows = 7;
    kit.write_fault = PX_F_CORRUPT;
    for (int i = 0; i < 20; i++) append(writer, (struct kit_rows){.first_id = i * 10, .count = 10});
    append(writer, (struct kit_rows){.count = 7});
    for (int i = 20; i < 30; i++)
        append(writer, (struct kit_rows){.first_id = i * 10, .count = 10});
    append_bytes(writer, S("and one that does not decode"));
    append(writer, (struct kit_rows){.count = 7});
    struct storage_counts counts = {0};
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_INT(counts.failed, 0);
    CHECK_INT(counts.set_aside, 3);
    CHECK_INT(counts.rows, 300);
    CHECK_INT(counts.objects, 1);
    CHECK_INT(kit_objects(kit.segments, S("_quarantine/frames/acme/logs/")), 3);
    CHECK(strstr(kit.last_notice,
                 "cannot be written: CORRUPT: DuckDB: a frame that it does not like"));
    kit_check_all(&kit, 300, NULL);
    append(writer, (struct kit_rows){.first_id = 300, .count = 10}); /* nothing is held up */
    counts = (struct storage_counts){0};
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_INT(counts.rows, 10);
    CHECK_INT(counts.set_aside + counts.failed, 0);
    kit_check_all(&kit, 310, NULL);
    hot_writer_free(&writer);
    kit_close(&kit);
}

TEST(only_such_frames_move_the_marks_alone)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    kit.unwritable_rows = 7;
    kit.write_fault = PX_F_BUG;
    for (int i = 0; i < 3; i++) append(writer, (struct kit_rows){.count = 7});
    hot_writer_free(&writer);
    struct storage_counts counts = {0};
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_INT(counts.set_aside, 3);
    CHECK_INT(counts.objects + counts.failed, 0);
    CHECK_INT(counts.files_removed, 1);
    CHECK_INT(kit_hot_files(&kit), 0);
    kit_close(&kit);
}

TEST(memory_and_disk_are_not_a_frames_fault)
{
    static const int faults[] = {PX_F_OOM, PX_F_NO_SPACE, PX_F_IO};
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    append(writer, (struct kit_rows){.first_id = 0, .count = 10});
    append(writer, (struct kit_rows){.first_id = 10, .count = 7});
    kit.unwritable_rows = 7;
    for (size_t i = 0; i < PX_COUNT(faults); i++) {
        kit.write_fault = faults[i];
        struct storage_counts counts = {0};
        CHECK_OK(storage_seal(kit.storage, &everything, &counts));
        CHECK_INT(counts.failed, 1);
        CHECK_INT(counts.set_aside + counts.objects, 0);
    }
    kit.unwritable_rows = 0; /* it is better now: all of it is sealed */
    struct storage_counts counts = {0};
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_INT(counts.rows, 17);
    kit_check_all(&kit, 17, NULL);
    hot_writer_free(&writer);
    kit_close(&kit);
}

TEST(a_file_that_fails_its_checksum_is_set_aside_once_closed)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    open_kit(t, &kit, &writer);
    for (int i = 0; i < 3; i++) append(writer, (struct kit_rows){.first_id = i * 10, .count = 10});
    append(writer, (struct kit_rows){.count = 1, .dataset = "app"});
    struct hot_file *files = NULL;
    size_t count = 0;
    CHECK_OK(hot_list(kit.hot, S("acme"), S("logs"), &t->arena, &files, &count));
    CHECK_INT(count, 1);
    char *path = px_arena_cstr(&t->arena, files[0].path);
    flip(path, (off_t)(files[0].bytes / 2)); /* in the second frame */
    struct storage_counts counts = {0};
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_INT(counts.failed, 0);
    CHECK_INT(counts.rows, 21);
    CHECK_INT(counts.set_aside, 0); /* its writer lives */
    hot_writer_free(&writer);
    counts = (struct storage_counts){0};
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    CHECK_INT(counts.set_aside, 1);
    CHECK_INT(counts.files_removed, 2);
    CHECK_INT(kit_objects(kit.segments, S("_quarantine/hot/acme/logs/")), 1);
    CHECK_INT(rows_visible(&kit, 30), 20);
    struct px_buf copy;
    px_buf_init(&copy, 1u << 20);
    struct object_info *infos = NULL;
    CHECK_OK(object_list(kit.segments, S("_quarantine/"), S(""), 10, &t->arena, &infos, &count));
    CHECK_OK(object_get(kit.segments, infos[0].key, &copy));
    CHECK_INT(copy.len, files[0].bytes);
    px_buf_deinit(&copy);
    kit_close(&kit);
}

/* Three segments of ten rows, and one of another dataset. */
static void make_segments(struct test *t, struct kit *kit, struct hot_writer **writer,
                          struct catalog_snapshot *s)
{
    open_kit(t, kit, writer);
    struct storage_counts counts = {0};
    for (int i = 0; i < 3; i++) {
        append(*writer, (struct kit_rows){.first_id = i * 10, .count = 10});
        if (i == 0) append(*writer, (struct kit_rows){.count = 10, .dataset = "app"});
        CHECK_OK(storage_seal(kit->storage, &everything, &counts));
    }
    CHECK_OK(catalog_read(kit->catalog, S("acme"), S("logs"), INT64_MIN, INT64_MAX, &t->arena, s));
    CHECK_INT(s->segment_count, 3);
}

static char *object_path(struct test *t, struct kit *kit, const struct segment *segment)
{
    struct px_str url;
    CHECK_OK(object_url(kit->segments, segment->key, &t->arena, &url));
    return px_arena_cstr(&t->arena, url);
}

/* The second segment is at fault: it is set aside, the others are compacted. */
static void check_set_aside(struct test *t, struct kit *kit, const struct catalog_snapshot *s)
{
    struct storage_counts counts = {0};
    CHECK_OK(storage_compact(kit->storage, &everything, &counts));
    CHECK_INT(counts.failed, 0);
    CHECK_INT(counts.set_aside, 1);
    CHECK_INT(counts.datasets, 2);
    CHECK_INT(rows_visible(kit, 30), 20);
    struct dataset_info info;
    CHECK_OK(catalog_find(kit->catalog, S("acme"), S("logs"), &t->arena, &info));
    CHECK_INT(info.quarantined, 1);
    kit->lifecycle.orphan_age_s = 0;
    kit->lifecycle.dead_grace_s = 0;
    CHECK_OK(storage_retain(kit->storage, &everything, &counts));
    bool known = false;
    CHECK_OK(catalog_knows(kit->catalog, s->segments[1].key, &known));
    CHECK(known);
}

TEST(an_object_with_a_broken_footer_is_set_aside)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    struct catalog_snapshot s;
    make_segments(t, &kit, &writer, &s);
    char *path = object_path(t, &kit, &s.segments[1]);
    flip(path, (off_t)s.segments[1].bytes - 2); /* the magic at the end */
    check_set_aside(t, &kit, &s);
    CHECK(access(path, F_OK) == 0); /* never removed silently */
    hot_writer_free(&writer);
    kit_close(&kit);
}

TEST(an_object_with_a_broken_page_is_set_aside)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    struct catalog_snapshot s;
    make_segments(t, &kit, &writer, &s);
    char *path = object_path(t, &kit, &s.segments[1]);
    for (off_t at = 4; at < 60; at++) flip(path, at);
    check_set_aside(t, &kit, &s);
    CHECK(access(path, F_OK) == 0);
    hot_writer_free(&writer);
    kit_close(&kit);
}

TEST(an_object_cut_short_or_gone_is_set_aside)
{
    for (int gone = 0; gone < 2; gone++) {
        struct kit kit;
        struct hot_writer *writer = NULL;
        struct catalog_snapshot s;
        make_segments(t, &kit, &writer, &s);
        char *path = object_path(t, &kit, &s.segments[1]);
        CHECK_INT(gone ? unlink(path) : truncate(path, (off_t)s.segments[1].bytes - 1), 0);
        check_set_aside(t, &kit, &s);
        hot_writer_free(&writer);
        kit_close(&kit);
        CHECK_OK(px_dir_remove(t->dir));
        CHECK_OK(px_dir_make(t->dir));
    }
}

TEST(an_object_with_other_rows_than_the_catalog_has_changes_nothing)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    struct catalog_snapshot s;
    make_segments(t, &kit, &writer, &s);
    /* another good object of the same size in its place: only the row count can tell */
    append(writer, (struct kit_rows){.count = 11, .dataset = "app"});
    struct storage_counts counts = {0};
    CHECK_OK(storage_seal(kit.storage, &everything, &counts));
    struct catalog_snapshot app;
    CHECK_OK(catalog_read(kit.catalog, S("acme"), S("app"), INT64_MIN, INT64_MAX, &t->arena, &app));
    CHECK_INT(app.segments[1].rows, 11);
    CHECK_INT(rename(object_path(t, &kit, &app.segments[1]), object_path(t, &kit, &s.segments[1])),
              0);
    counts = (struct storage_counts){0};
    CHECK_OK(storage_compact(kit.storage, &everything, &counts));
    CHECK(counts.set_aside >= 1);
    CHECK_INT(rows_visible(&kit, 30), 20);
    hot_writer_free(&writer);
    kit_close(&kit);
}

TEST(a_store_that_is_away_sets_nothing_aside)
{
    struct kit kit;
    struct hot_writer *writer = NULL;
    struct catalog_snapshot s;
    make_segments(t, &kit, &writer, &s);
    CHECK_INT(rename(test_path(t, "segments").ptr, test_path(t, "elsewhere").ptr), 0);
    CHECK_OK(px_dir_make(test_path(t, "segments").ptr));
    struct storage_counts counts = {0};
    CHECK_OK(storage_compact(kit.storage, &everything, &counts));
    CHECK_INT(counts.failed, 2);
    CHECK_INT(counts.set_aside, 0);
    CHECK(strstr(kit.last_notice, "failed acme/logs"));
    CHECK_INT(rmdir(test_path(t, "segments").ptr), 0);
    CHECK_INT(rename(test_path(t, "elsewhere").ptr, test_path(t, "segments").ptr), 0);
    kit_check_all(&kit, 30, NULL);
    hot_writer_free(&writer);
    kit_close(&kit);
}

TEST_MAIN
