/* Torn tails at every byte and damage at every byte: nothing wrong is read, nothing else is lost. */
#include "store/hot_kit.h"

#include <fcntl.h>

#define FRAMES 4

struct sample {
    struct hot_store *store;
    struct hot_file file;
    struct px_str bytes; /* of the whole file */
    size_t ends[FRAMES + 1];
};

static const struct px_str texts[FRAMES] = {
    {"first", 5}, {"", 0}, {"the third one", 13}, {"12345678", 8}};

static void sample_close(struct sample *s) { hot_store_close(&s->store); }

static struct sample sample_make(struct test *t)
{
    struct sample s = {0};
    CHECK_OK(hot_store_open(test_path(t, "hot"), &s.store));
    struct hot_writer *writer = NULL;
    CHECK_OK(hot_writer_new(s.store, NULL, &writer));
    s.ends[0] = 64;
    for (size_t i = 0; i < FRAMES; i++) {
        uint64_t seq;
        CHECK_OK(append_text(writer, texts[i], &seq));
        s.ends[i + 1] = s.ends[i] + (size_t)hot_frame_bytes(texts[i].len);
    }
    hot_writer_free(&writer);
    struct hot_file *files;
    size_t count;
    CHECK_OK(hot_list(s.store, ACME, LOGS, &t->arena, &files, &count));
    CHECK_INT(count, 1);
    s.file = files[0];
    struct px_buf buf;
    px_buf_init(&buf, 4096);
    CHECK_OK(px_file_read(s.file.path.ptr, &buf));
    s.bytes = px_arena_dup(&t->arena, px_buf_str(&buf));
    px_buf_deinit(&buf);
    CHECK_INT(s.bytes.len, s.ends[FRAMES]);
    return s;
}

static struct readback *read_bytes(struct test *t, const struct sample *s, struct px_str bytes)
{
    PX_AUTO(px_close) int fd = open(s->file.path.ptr, O_WRONLY | O_TRUNC | O_CLOEXEC);
    CHECK_OK(px_file_write_all(fd, bytes.ptr, bytes.len));
    struct readback *rb = px_arena_new(&t->arena, struct readback);
    read_file(t, &s->file, rb);
    return rb;
}

TEST(a_tail_torn_at_any_byte_ends_the_file_silently)
{
    PX_AUTO(sample_close) struct sample s = sample_make(t);
    for (size_t cut = 0; cut <= s.bytes.len; cut++) {
        struct px_arena keep = t->arena; /* give each round's memory back */
        t->arena = (struct px_arena){.limit_bytes = keep.limit_bytes};
        struct readback *rb = read_bytes(t, &s, px_str(s.bytes.ptr, cut));
        size_t whole = 0;
        while (whole < FRAMES && s.ends[whole + 1] <= cut) whole++;
        CHECK_INT(rb->frames, whole);
        CHECK_INT(rb->corrupt, 0);
        for (size_t i = 0; i < whole; i++) CHECK_STR(rb->payloads[i], texts[i]);
        px_arena_deinit(&t->arena);
        t->arena = keep;
    }
}

TEST(a_tail_of_zeros_or_rubbish_is_torn_too)
{
    PX_AUTO(sample_close) struct sample s = sample_make(t);
    for (int fill = 0; fill < 256; fill += 85) {
        char *longer = px_arena_alloc(&t->arena, s.bytes.len + 5000);
        memcpy(longer, s.bytes.ptr, s.bytes.len);
        memset(longer + s.bytes.len, fill, 5000);
        struct readback *rb = read_bytes(t, &s, px_str(longer, s.bytes.len + 5000));
        CHECK_INT(rb->frames, FRAMES);
        CHECK_INT(rb->corrupt, 0);
    }
}

/* Which frame the byte belongs to; FRAMES for the file header. */
static size_t frame_of_byte(const struct sample *s, size_t at)
{
    if (at < 64) return FRAMES;
    size_t frame = 0;
    while (s->ends[frame + 1] <= at) frame++;
    return frame;
}
/* Padding carries nothing and is not checked. */
static bool is_padding(const struct sample *s, size_t frame, size_t at)
{
    return frame < FRAMES && at >= s->ends[frame] + 32 + texts[frame].len;
}

TEST(one_wrong_byte_costs_at_most_its_own_frame_and_is_reported)
{
    PX_AUTO(sample_close) struct sample s = sample_make(t);
    for (size_t at = 0; at < s.bytes.len; at++) {
        struct px_arena keep = t->arena;
        t->arena = (struct px_arena){.limit_bytes = keep.limit_bytes};
        struct px_str bad = px_arena_dup(&t->arena, s.bytes);
        ((char *)(uintptr_t)bad.ptr)[at] ^= 0x10;
        struct readback *rb = read_bytes(t, &s, bad);
        size_t hit = frame_of_byte(&s, at);
        bool harmless = is_padding(&s, hit, at);
        CHECK_INT(rb->frames, hit == FRAMES || harmless ? FRAMES : FRAMES - 1);
        /* damage of the last frame cannot be told from a torn tail */
        CHECK_INT(rb->corrupt, !harmless && hit != FRAMES - 1);
        for (size_t i = 0; i < rb->frames; i++) CHECK_STR(rb->payloads[i], texts[rb->seqs[i] - 1]);
        px_arena_deinit(&t->arena);
        t->arena = keep;
    }
}

TEST(a_missing_frame_is_reported_as_a_gap)
{
    PX_AUTO(sample_close) struct sample s = sample_make(t);
    char *bytes = px_arena_alloc(&t->arena, s.bytes.len);
    size_t gap = s.ends[2] - s.ends[1];
    memcpy(bytes, s.bytes.ptr, s.ends[1]);
    memcpy(bytes + s.ends[1], s.bytes.ptr + s.ends[2], s.bytes.len - s.ends[2]);
    struct readback *rb = read_bytes(t, &s, px_str(bytes, s.bytes.len - gap));
    CHECK_INT(rb->frames, FRAMES - 1);
    CHECK_INT(rb->corrupt, 1);
}

TEST(a_file_under_another_tenants_name_gives_nothing)
{
    PX_AUTO(sample_close) struct sample s = sample_make(t);
    s.file.tenant = S("other");
    struct readback *rb = px_arena_new(&t->arena, struct readback);
    read_file(t, &s.file, rb);
    CHECK_INT(rb->frames, 0);
    CHECK_INT(rb->corrupt, 1);
}

TEST_MAIN
