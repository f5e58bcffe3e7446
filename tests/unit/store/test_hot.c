/* The hot store when all goes well: numbers, files, listing, lives. */
#include "store/hot_kit.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct hot_store *store_open(struct test *t)
{
    struct hot_store *store = NULL;
    CHECK_OK(hot_store_open(test_path(t, "hot"), &store));
    return store;
}

TEST(appended_frames_come_back_in_order_with_their_numbers)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    PX_AUTO(hot_writer_free) struct hot_writer *writer = NULL;
    CHECK_OK(hot_writer_new(store, NULL, &writer));
    for (uint64_t i = 1; i <= 100; i++) {
        struct px_str parts[3] = {S("head "), px_arena_printf(&t->arena, "%*d", (int)i, (int)i),
                                  S("")};
        uint64_t seq = 0;
        CHECK_INT(hot_writer_next_seq(writer, ACME, LOGS), i);
        CHECK_OK(hot_append(writer, ACME, LOGS, parts, 3, &seq));
        CHECK_INT(seq, i);
    }
    struct readback *rb = read_all(t, store);
    CHECK_INT(rb->files, 1);
    CHECK_INT(rb->frames, 100);
    CHECK_INT(rb->corrupt, 0);
    for (size_t i = 0; i < 100; i++) {
        CHECK_INT(rb->seqs[i], i + 1);
        CHECK_STR(rb->payloads[i], px_arena_printf(&t->arena, "head %*d", (int)i + 1, (int)i + 1));
    }
}

TEST(empty_and_large_payloads_are_frames_too)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    PX_AUTO(hot_writer_free) struct hot_writer *writer = NULL;
    CHECK_OK(hot_writer_new(store, NULL, &writer));
    size_t large_bytes = 9u << 20;
    struct px_str large = px_str(px_arena_zalloc(&t->arena, large_bytes), large_bytes);
    uint64_t seq;
    CHECK_OK(hot_append(writer, ACME, LOGS, NULL, 0, &seq));
    CHECK_OK(append_text(writer, large, &seq));
    CHECK_OK(append_text(writer, S(""), &seq));
    struct readback *rb = read_all(t, store);
    CHECK_INT(rb->frames, 3);
    CHECK_INT(rb->payloads[0].len, 0);
    CHECK_STR(rb->payloads[1], large);
    struct px_str too_much[2] = {px_str(large.ptr, HOT_PAYLOAD_BYTES_MAX), S("x")};
    CHECK_INT(hot_append(writer, ACME, LOGS, too_much, 2, &seq), PX_F_LIMIT);
    CHECK_INT(hot_writer_next_seq(writer, ACME, LOGS), 4);
}

TEST(a_payload_that_looks_like_a_frame_is_only_a_payload)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    PX_AUTO(hot_writer_free) struct hot_writer *writer = NULL, *foreign = NULL;
    CHECK_OK(hot_writer_new(store, NULL, &foreign));
    uint64_t seq;
    CHECK_OK(hot_append(foreign, S("evil"), LOGS, &S("stolen"), 1, &seq));
    struct hot_file *files;
    size_t count;
    CHECK_OK(hot_list(store, S("evil"), LOGS, &t->arena, &files, &count));
    struct px_buf bytes;
    px_buf_init(&bytes, 4096);
    CHECK_OK(px_file_read(files[0].path.ptr, &bytes));

    CHECK_OK(hot_writer_new(store, NULL, &writer));
    CHECK_OK(append_text(writer, S("first"), &seq));
    CHECK_OK(append_text(writer, px_buf_str(&bytes), &seq));
    px_buf_deinit(&bytes);
    /* even when the frame around it is damaged */
    CHECK_OK(hot_list(store, ACME, LOGS, &t->arena, &files, &count));
    PX_AUTO(px_close) int fd = open(files[0].path.ptr, O_WRONLY | O_CLOEXEC);
    CHECK_INT(pwrite(fd, "X", 1, 64 + (int)hot_frame_bytes(5)), 1);
    struct readback *rb = read_all(t, store);
    CHECK_INT(rb->frames, 1);
    CHECK_STR(rb->payloads[0], S("first"));
}

TEST(large_and_old_files_are_followed_by_new_ones)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    PX_AUTO(hot_writer_free) struct hot_writer *writer = NULL;
    struct hot_writer_options options = {
        .file_bytes_max = 300, .file_age_ms_max = 1000, .clock = &t->clock};
    CHECK_OK(hot_writer_new(store, &options, &writer));
    struct px_str text = px_str(px_arena_zalloc(&t->arena, 100), 100);
    uint64_t seq;
    for (int i = 0; i < 6; i++)
        CHECK_OK(append_text(writer, text, &seq)); /* 64 + 136 + 136: two a file */
    CHECK_INT(read_all(t, store)->files, 3);
    CHECK_OK(append_text(writer, S("x"), &seq));
    test_advance(t, 999 * PX_NS_PER_MS);
    CHECK_OK(append_text(writer, S("y"), &seq));
    CHECK_INT(read_all(t, store)->files, 4);
    test_advance(t, 1 * PX_NS_PER_MS);
    CHECK_OK(append_text(writer, S("z"), &seq));
    struct readback *rb = read_all(t, store);
    CHECK_INT(rb->files, 5);
    CHECK_INT(rb->frames, 9);
    for (size_t i = 0; i < rb->frames; i++) CHECK_INT(rb->seqs[i], i + 1);
}

TEST(the_least_recently_used_file_is_closed_first)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    PX_AUTO(hot_writer_free) struct hot_writer *writer = NULL;
    struct hot_writer_options options = {.files_open_max = 2};
    CHECK_OK(hot_writer_new(store, &options, &writer));
    struct px_str text = S("text");
    uint64_t seq;
    CHECK_OK(hot_append(writer, ACME, S("a"), &text, 1, &seq));
    CHECK_OK(hot_append(writer, ACME, S("b"), &text, 1, &seq));
    CHECK_OK(hot_append(writer, ACME, S("a"), &text, 1, &seq));
    CHECK_OK(hot_append(writer, ACME, S("c"), &text, 1, &seq)); /* closes b */
    CHECK_OK(hot_append(writer, ACME, S("a"), &text, 1, &seq));
    CHECK_INT(seq, 3);
    CHECK_OK(
        hot_append(writer, ACME, S("b"), &text, 1, &seq)); /* closes c, b goes on in a new file */
    CHECK_INT(seq, 2);
    struct hot_file *files;
    size_t count;
    CHECK_OK(hot_list(store, ACME, S(""), &t->arena, &files, &count));
    CHECK_INT(count, 4);
    static const struct {
        const char *dataset;
        uint32_t file_no;
        bool live;
    } want[] = {{"a", 1, true}, {"b", 1, false}, {"b", 2, true}, {"c", 1, false}};
    for (size_t i = 0; i < count; i++) {
        bool live;
        CHECK_STR(files[i].dataset, px_str_c(want[i].dataset));
        CHECK_INT(files[i].file_no, want[i].file_no);
        CHECK_OK(hot_file_is_live(store, &files[i], &live));
        CHECK_INT(live, want[i].live);
    }
}

static void flip_byte(const char *path, long offset)
{
    FILE *file = fopen(path, "r+b");
    CHECK(file && fseek(file, offset, SEEK_SET) == 0);
    int byte = fgetc(file);
    CHECK(fseek(file, offset, SEEK_SET) == 0 && fputc(byte ^ 0x10, file) != EOF);
    CHECK(fclose(file) == 0);
}

TEST(a_listing_is_ordered_and_takes_only_hot_files)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    struct hot_file *files;
    size_t count;
    CHECK_OK(hot_list(store, S("nobody"), S("nothing"), &t->arena, &files, &count));
    CHECK_INT(count, 0);
    static const char *const tenants[] = {"zeta", "acme", "beta"};
    PX_AUTO(hot_writer_free) struct hot_writer *one = NULL, *two = NULL;
    CHECK_OK(hot_writer_new(store, NULL, &one));
    CHECK_OK(hot_writer_new(store, NULL, &two));
    uint64_t seq;
    for (size_t i = 0; i < PX_COUNT(tenants); i++) {
        CHECK_OK(hot_append(two, px_str_c(tenants[i]), LOGS, &S("x"), 1, &seq));
        CHECK_OK(hot_append(one, px_str_c(tenants[i]), LOGS, &S("x"), 1, &seq));
        CHECK_OK(hot_append(one, px_str_c(tenants[i]), S("metrics"), &S("x"), 1, &seq));
    }
    static const char *const others[] = {"note.txt", ".hidden.wal", "short-000001.wal"};
    for (size_t i = 0; i < PX_COUNT(others); i++)
        CHECK_OK(
            px_file_write_atomic(test_path(t, "hot/acme/logs/%s", others[i]).ptr, S("x"), 0600));
    CHECK_OK(hot_list(store, S(""), S(""), &t->arena, &files, &count));
    CHECK_INT(count, 9);
    for (size_t i = 1; i < count; i++) {
        int order = px_str_cmp(files[i - 1].tenant, files[i].tenant);
        if (order == 0) order = px_str_cmp(files[i - 1].dataset, files[i].dataset);
        if (order == 0) order = px_str_cmp(files[i - 1].writer, files[i].writer);
        CHECK(order < 0);
    }
    CHECK_INT(files[0].bytes, 64 + hot_frame_bytes(1));
    CHECK_OK(hot_list(store, S("beta"), S(""), &t->arena, &files, &count));
    CHECK_INT(count, 3);
    CHECK_OK(hot_list(store, S("beta"), LOGS, &t->arena, &files, &count));
    CHECK_INT(count, 2);
}

TEST(a_file_lives_as_long_as_its_writer)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    PX_AUTO(hot_writer_free) struct hot_writer *writer = NULL;
    CHECK_OK(hot_writer_new(store, NULL, &writer));
    uint64_t seq;
    CHECK_OK(append_text(writer, S("x"), &seq));
    struct hot_file *files;
    size_t count;
    bool live = false;
    CHECK_OK(hot_list(store, ACME, LOGS, &t->arena, &files, &count));
    CHECK_OK(hot_file_is_live(store, &files[0], &live));
    CHECK(live);
    CHECK_INT(hot_file_remove(store, &files[0]), PX_F_BUSY);
    hot_writer_free(&writer);
    CHECK_OK(hot_file_is_live(store, &files[0], &live));
    CHECK(!live);

    PX_AUTO(hot_reader_close) struct hot_reader *reader = NULL, *late = NULL;
    CHECK_OK(hot_reader_open(&files[0], &reader));
    CHECK_OK(hot_file_remove(store, &files[0]));
    CHECK_OK(hot_file_remove(store, &files[0]));
    CHECK_INT(hot_reader_open(&files[0], &late), HOT_GONE);
    CHECK_OK(hot_file_is_live(store, &files[0], &live));
    CHECK(!live);
    struct hot_frame frame; /* an open one stays readable */
    CHECK_OK(hot_reader_next(reader, &frame));
    CHECK_STR(frame.payload, S("x"));
}

TEST(a_file_removed_under_its_writer_takes_no_acknowledged_frame_along)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    PX_AUTO(hot_writer_free) struct hot_writer *writer = NULL;
    CHECK_OK(hot_writer_new(store, NULL, &writer));
    uint64_t seq;
    CHECK_OK(append_text(writer, S("one"), &seq));
    struct hot_file *files;
    size_t count;
    CHECK_OK(hot_list(store, ACME, LOGS, &t->arena, &files, &count));
    CHECK_INT(unlink(files[0].path.ptr), 0);
    CHECK_INT(append_text(writer, S("two"), &seq), PX_F_IO);
    CHECK_OK(append_text(writer, S("two"), &seq));
    struct readback *rb = read_all(t, store);
    CHECK_INT(rb->frames, 1);
    CHECK_STR(rb->payloads[0], S("two"));
}

TEST(a_reader_sees_the_file_as_it_was_when_opened)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    PX_AUTO(hot_writer_free) struct hot_writer *writer = NULL;
    CHECK_OK(hot_writer_new(store, NULL, &writer));
    uint64_t seq;
    CHECK_OK(append_text(writer, S("one"), &seq));
    struct hot_file *files;
    size_t count;
    CHECK_OK(hot_list(store, ACME, LOGS, &t->arena, &files, &count));
    PX_AUTO(hot_reader_close) struct hot_reader *reader = NULL;
    CHECK_OK(hot_reader_open(&files[0], &reader));
    CHECK_OK(append_text(writer, S("two"), &seq));
    struct hot_frame frame;
    CHECK_OK(hot_reader_next(reader, &frame));
    CHECK_INT(hot_reader_next(reader, &frame), HOT_END);
    CHECK_INT(read_all(t, store)->frames, 2);
}

TEST(skipped_frames_are_not_read_and_those_behind_them_are_checked)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    PX_AUTO(hot_writer_free) struct hot_writer *writer = NULL;
    CHECK_OK(hot_writer_new(store, NULL, &writer));
    uint64_t seq;
    CHECK_OK(append_text(writer, S("sealed and then damaged"), &seq));
    CHECK_OK(append_text(writer, S("sealed"), &seq));
    CHECK_OK(append_text(writer, S("fresh"), &seq));
    struct hot_file *files;
    size_t count;
    CHECK_OK(hot_list(store, ACME, LOGS, &t->arena, &files, &count));
    FILE *file = fopen(files[0].path.ptr, "r+b");
    CHECK(file && fseek(file, 64 + 32, SEEK_SET) == 0 && fputc('X', file) == 'X');
    CHECK_INT(fclose(file), 0);
    PX_AUTO(hot_reader_close) struct hot_reader *reader = NULL;
    struct hot_frame frame;
    CHECK_OK(hot_reader_open(&files[0], &reader));
    hot_reader_skip(reader, 2);
    CHECK_OK(hot_reader_next(reader, &frame));
    CHECK_INT(frame.seq, 3);
    CHECK_STR(frame.payload, S("fresh"));
    CHECK_INT(hot_reader_next(reader, &frame), HOT_END);
    hot_reader_close(&reader);
    CHECK_OK(hot_reader_open(&files[0], &reader));
    hot_reader_skip(reader, 0);
    CHECK_INT(hot_reader_next(reader, &frame), PX_F_CORRUPT);
}

TEST(a_bookmark_stands_behind_the_frames_passed_over)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    PX_AUTO(hot_writer_free) struct hot_writer *writer = NULL;
    PX_AUTO(hot_reader_close) struct hot_reader *reader = NULL;
    struct hot_file *files;
    size_t count;
    uint64_t seq;
    struct hot_frame frame;
    CHECK_OK(hot_writer_new(store, NULL, &writer));
    static const char *const texts[] = {"one", "two", "three"};
    for (size_t i = 0; i < PX_COUNT(texts); i++)
        CHECK_OK(append_text(writer, px_str_c(texts[i]), &seq));
    CHECK_OK(hot_list(store, ACME, LOGS, &t->arena, &files, &count));
    CHECK_OK(hot_reader_open(&files[0], &reader));
    CHECK_INT(hot_reader_bookmark(reader).seq, 0);
    hot_reader_skip(reader, 2);
    CHECK_OK(hot_reader_next(reader, &frame));
    CHECK_INT(frame.seq, 3);
    CHECK_INT(hot_reader_next(reader, &frame), HOT_END);
    struct hot_bookmark behind_two = hot_reader_bookmark(reader);
    CHECK_INT(behind_two.seq, 2);
    CHECK(behind_two.offset > 0 && behind_two.offset < files[0].bytes);
    hot_reader_close(&reader);

    CHECK_OK(append_text(writer, S("four"), &seq)); /* the file has grown since */
    CHECK_OK(hot_reader_open(&files[0], &reader));
    hot_reader_resume(reader, behind_two);
    hot_reader_skip(reader, 3);
    CHECK_OK(hot_reader_next(reader, &frame));
    CHECK_STR(frame.payload, S("four"));
    CHECK_INT(hot_reader_next(reader, &frame), HOT_END);
    CHECK_INT(hot_reader_bookmark(reader).seq, 3);
    hot_reader_close(&reader);

    CHECK_OK(hot_reader_open(&files[0], &reader)); /* one that cannot be right is not taken */
    hot_reader_resume(reader, (struct hot_bookmark){1 << 20, 2});
    CHECK_OK(hot_reader_next(reader, &frame));
    CHECK_INT(frame.seq, 1);
    hot_reader_close(&reader);

    flip_byte(files[0].path.ptr, (long)behind_two.offset - 9); /* in the payload of two */
    CHECK_OK(hot_reader_open(&files[0], &reader));
    int r;
    while ((r = hot_reader_next(reader, &frame)) != HOT_END) CHECK(r == 0 || r == PX_F_CORRUPT);
    CHECK_INT(hot_reader_bookmark(reader).seq, 0);
}

/* retain removes the folder of a dropped dataset when it is empty; a writer may still know it. */
TEST(datasets_are_folders_and_a_removed_one_is_made_again)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    PX_AUTO(hot_writer_free) struct hot_writer *writer = NULL;
    const struct hot_writer_options options = {.file_bytes_max = 1}; /* a file for each frame */
    struct px_str *names = NULL, part = S("x");
    size_t count = 99;
    uint64_t seq = 0;
    CHECK_OK(hot_writer_new(store, &options, &writer));
    CHECK_OK(hot_datasets(store, ACME, &t->arena, &names, &count));
    CHECK_INT(count, 0);
    CHECK(!hot_writer_knows(writer, ACME, LOGS));
    CHECK_OK(append_text(writer, part, &seq));
    CHECK_OK(hot_append(writer, ACME, S("other"), &part, 1, &seq));
    CHECK(hot_writer_knows(writer, ACME, LOGS));
    CHECK_OK(px_dir_make(test_path(t, "hot/acme/.hidden").ptr));
    CHECK_OK(hot_datasets(store, ACME, &t->arena, &names, &count));
    CHECK_INT(count, 2);
    CHECK_OK(px_dir_remove(test_path(t, "hot/acme/logs").ptr));
    CHECK_OK(hot_datasets(store, ACME, &t->arena, &names, &count));
    CHECK_INT(count, 1);
    CHECK_STR(names[0], S("other"));
    CHECK_OK(append_text(writer, part, &seq));
    CHECK_INT(seq, 2);
    CHECK_OK(hot_datasets(store, ACME, &t->arena, &names, &count));
    CHECK_INT(count, 2);
}

TEST(what_died_writers_left_half_made_is_swept_when_old)
{
    PX_AUTO(hot_store_close) struct hot_store *store = store_open(t);
    struct px_str litter = test_path(
        t, "hot/acme/logs/.019b7ca9-8c89-7000-8000-000000000000-000001.wal.new");
    CHECK_OK(px_dir_make(test_path(t, "hot/acme/logs").ptr));
    CHECK_OK(px_file_write_atomic(litter.ptr, S("half"), 0600));
    size_t removed = 99;
    CHECK_OK(hot_sweep(store, 60000, &removed));
    CHECK_INT(removed, 0);
    CHECK_OK(hot_sweep(store, 0, &removed));
    CHECK_INT(removed, 1);
}

TEST_MAIN
