/* Cutting an input into batches, the keys of batches, which poll lines are new. */
#include "support/support.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/px_id.h"
#include "cli/encode.h"
#include "cli/lines.h"
#include "cli/record.h"
#include "cli/seen.h"

#include <zlib.h>
#include <zstd.h>

static int file_of(struct test *t, struct px_str text)
{
    struct px_str path = test_path(t, "input");
    CHECK_OK(px_file_write_atomic(path.ptr, text, 0600));
    int fd = open(path.ptr, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

/* All batches of a text; checks that together they are the text. */
static size_t cut(struct test *t, struct px_str text, size_t batch_bytes,
                  struct lines_batch *batches, size_t max)
{
    int fd = file_of(t, text);
    struct lines lines;
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    size_t count = 0, at = 0;
    px_buf_init(&buf, 16u << 20);
    lines_init(&lines, fd, batch_bytes, 1u << 20);
    for (;;) {
        struct lines_batch batch;
        int r = lines_next(&lines, &buf, &batch);
        if (r == LINES_END) break;
        CHECK_OK(r);
        CHECK(count < max);
        CHECK_INT(batch.offset, at);
        CHECK_STR(batch.text, px_str(text.ptr + at, batch.text.len));
        at += batch.text.len;
        batch.text = px_arena_dup(&t->arena, batch.text);
        batches[count++] = batch;
    }
    CHECK_INT(at, text.len);
    lines_deinit(&lines);
    px_close(&fd);
    return count;
}

TEST(batches_end_at_line_ends_and_hold_everything)
{
    struct lines_batch got[8];
    CHECK_INT(cut(t, S("aa\nbb\ncc\ndd\n"), 7, got, 8), 2);
    CHECK_STR(got[0].text, S("aa\nbb\n"));
    CHECK_INT(got[0].line_count, 2);
    CHECK_INT(got[1].first_line, 3);
    CHECK_INT(cut(t, S("aa\nbb"), 100, got, 8), 1); /* no line end at the end */
    CHECK_INT(got[0].line_count, 2);
    CHECK_INT(cut(t, S("\n\n\n"), 2, got, 8), 2);
    CHECK_INT(cut(t, S(""), 10, got, 8), 0);
    CHECK_INT(cut(t, S("a line longer than a batch\nb\n"), 5, got, 8), 2);
    CHECK_STR(got[1].text, S("b\n"));
    CHECK_INT(cut(t, S("no end at all"), 5, got, 8), 1);
}

TEST(cuts_depend_on_content_only_not_on_how_reads_come)
{
    static char text[200000];
    static struct lines_batch whole[400], pieces[400];
    uint64_t seed = 7;
    for (size_t i = 0; i < sizeof text; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        text[i] = (seed >> 60) == 0 ? '\n' : 'x';
    }
    size_t count = cut(t, px_str(text, sizeof text), 1000, whole, 400);
    CHECK(count > 150);
    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    struct lines lines;
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 16u << 20);
    lines_init(&lines, ends[0], 1000, 1u << 20);
    size_t written = 0, n = 0;
    for (;; n++) {
        while (written < sizeof text && written < (n + 2) * 1000) { /* in pieces of 77 bytes */
            size_t bytes = PX_MIN(77, sizeof text - written);
            CHECK_OK(px_file_write_all(ends[1], text + written, bytes));
            written += bytes;
        }
        if (written == sizeof text) px_close(&ends[1]);
        if (lines_next(&lines, &buf, &pieces[n]) == LINES_END) break;
        CHECK_STR(pieces[n].text, whole[n].text);
        CHECK_INT(pieces[n].offset, whole[n].offset);
        CHECK_INT(pieces[n].first_line, whole[n].first_line);
    }
    CHECK_INT(n, count);
    lines_deinit(&lines);
    px_close(&ends[0]);
}

TEST(a_line_that_is_too_long_is_passed_over_and_named)
{
    static char text[6u << 20];
    memset(text, 'x', sizeof text);
    struct px_str first = S("one\n"), last = S("\nthree\n");
    memcpy(text, first.ptr, first.len);
    memcpy(text + sizeof text - last.len, last.ptr, last.len);
    int fd = file_of(t, px_str(text, sizeof text));
    struct lines lines;
    struct lines_batch batch;
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 16u << 20);
    lines_init(&lines, fd, 1000, 100000);
    CHECK_OK(lines_next(&lines, &buf, &batch));
    CHECK_STR(batch.text, S("one\n"));
    CHECK_INT(lines_next(&lines, &buf, &batch), LINES_TOO_LONG);
    CHECK_INT(batch.first_line, 2);
    CHECK_OK(lines_next(&lines, &buf, &batch));
    CHECK_STR(batch.text, S("three\n"));
    CHECK_INT(batch.first_line, 3);
    CHECK_INT(batch.offset, sizeof text - 6);
    CHECK_INT(lines_next(&lines, &buf, &batch), LINES_END);
    lines_deinit(&lines);
    px_close(&fd);
}

TEST(records_are_lines_that_are_not_blank)
{
    struct lines_batch batch = {S("{1}\n\n  \r\n{2}\n{3}"), 0, 10, 5};
    CHECK_INT(lines_records(batch.text), 3);
    CHECK_INT(lines_of_record(&batch, 0), 10);
    CHECK_INT(lines_of_record(&batch, 1), 13);
    CHECK_INT(lines_of_record(&batch, 2), 14);
}

TEST(halves_are_the_whole)
{
    const char *const texts[] = {"a\nb\n", "a\nbbbbbbbbbbbbbbbbbbbbb\n",
                                 "aaaaaaaaaaaaaaaaaaaaa\nb\n", "a\nb\nc\nd\ne", "\n\n"};
    for (size_t i = 0; i < PX_COUNT(texts); i++) {
        struct lines_batch halves[2], batch = {px_str_c(texts[i]), 100, 1, 0};
        for (const char *c = texts[i]; *c; c++) batch.line_count += *c == '\n' || !c[1];
        lines_halve(&batch, halves);
        CHECK(halves[0].text.len > 0 && halves[1].text.len > 0);
        CHECK_INT(halves[0].text.len + halves[1].text.len, batch.text.len);
        CHECK_INT(halves[1].offset, 100 + halves[0].text.len);
        CHECK_INT(halves[0].line_count + halves[1].line_count, batch.line_count);
        CHECK_INT(halves[1].first_line, 1 + halves[0].line_count);
        CHECK(halves[0].text.ptr[halves[0].text.len - 1] == '\n');
    }
}

TEST(a_key_changes_with_source_place_content_and_form_only)
{
    char a[LINES_KEY_BYTES], b[LINES_KEY_BYTES];
    struct lines_batch batch = {S("{}\n"), 500, 7, 1}, other = batch;
    struct px_str key = lines_key(S("/f"), &batch, false, a);
    other.first_line = 9; /* follows from the place */
    CHECK_STR(lines_key(S("/f"), &other, false, b), key);
    CHECK(!px_str_eq(lines_key(S("/g"), &batch, false, b), key));
    CHECK(!px_str_eq(lines_key(S("/f"), &batch, true, b), key));
    other.offset = 501;
    CHECK(!px_str_eq(lines_key(S("/f"), &other, false, b), key));
    other = batch;
    other.text = S("[]\n");
    CHECK(!px_str_eq(lines_key(S("/f"), &other, false, b), key));
    for (size_t i = 0; i < key.len; i++) CHECK(key.ptr[i] > ' ' && key.ptr[i] < 0x7f);
}

TEST(raw_lines_become_records)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 4096);
    lines_wrap(S("plain\r\n\na \"quote\"\\\nlast"), &buf);
    CHECK_STR(px_buf_str(&buf), S("{\"message\":\"plain\"}\n"
                                  "{\"message\":\"a \\\"quote\\\"\\\\\"}\n"
                                  "{\"message\":\"last\"}\n"));
}

TEST(bodies_are_what_their_encoding_says)
{
    static char text[100000];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)('a' + i % 17);
    struct px_str body, name;
    static char back[sizeof text];
    struct encoder encoder;
    encoder_init(&encoder, ENCODING_ZSTD);
    for (int i = 0; i < 2; i++) { /* the context is used again */
        CHECK_OK(encoder_run(&encoder, px_str(text, sizeof text), &body, &name));
        CHECK_STR(name, S("zstd"));
        CHECK_INT(ZSTD_decompress(back, sizeof back, body.ptr, body.len), sizeof text);
        CHECK(memcmp(back, text, sizeof text) == 0);
    }
    encoder_deinit(&encoder);
    encoder_init(&encoder, ENCODING_GZIP);
    CHECK_OK(encoder_run(&encoder, px_str(text, sizeof text), &body, &name));
    CHECK_STR(name, S("gzip"));
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)body.ptr,
                  .avail_in = (unsigned)body.len,
                  .next_out = (unsigned char *)back,
                  .avail_out = sizeof back};
    CHECK_INT(inflateInit2(&z, 15 + 16), Z_OK);
    CHECK_INT(inflate(&z, Z_FINISH), Z_STREAM_END);
    CHECK_INT(z.total_out, sizeof text);
    CHECK_INT(inflateEnd(&z), Z_OK);
    encoder_deinit(&encoder);
    encoder_init(&encoder, ENCODING_NONE);
    CHECK_OK(encoder_run(&encoder, S("x"), &body, &name));
    CHECK_STR(body, S("x"));
    CHECK_INT(name.len, 0);
    encoder_deinit(&encoder);
}

TEST(lines_of_a_pipe_do_not_wait_for_a_full_batch)
{
    int ends[2];
    struct lines lines;
    struct lines_batch batch;
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
    lines_init(&lines, ends[0], 100000, 1u << 20);
    lines.linger_ms = 20;
    CHECK_INT(write(ends[1], "one\ntwo\nthr", 11), 11);
    CHECK_OK(lines_next(&lines, &buf, &batch));
    CHECK_STR(batch.text, S("one\ntwo\n"));
    CHECK_INT(write(ends[1], "ee\n", 3), 3);
    CHECK_OK(lines_next(&lines, &buf, &batch));
    CHECK_STR(batch.text, S("three\n"));
    CHECK_INT(batch.first_line, 3);
    CHECK_INT(batch.offset, 8);
    px_close(&ends[1]);
    CHECK_INT(lines_next(&lines, &buf, &batch), LINES_END);
    lines_deinit(&lines);
    px_close(&ends[0]);
}

TEST(a_record_is_new_once_and_known_while_a_poll_can_bring_it)
{
    struct seen seen = {0};
    bool is_new = false;
    CHECK_OK(seen_begin(&seen, 0));
    CHECK_OK(seen_add(&seen, S("a"), 5, &is_new));
    CHECK(is_new);
    CHECK_OK(seen_add(&seen, S("a"), 5, &is_new)); /* two records that are equal are two */
    CHECK(is_new);
    CHECK_OK(seen_begin(&seen, 5)); /* a poll that was cut short before it came to them */
    CHECK_OK(seen_begin(&seen, 5));
    CHECK_OK(seen_add(&seen, S("a"), 5, &is_new));
    CHECK(!is_new);
    CHECK_OK(seen_add(&seen, S("a"), 5, &is_new));
    CHECK(!is_new);
    CHECK_OK(seen_add(&seen, S("a"), 5, &is_new)); /* the third is new */
    CHECK(is_new);
    for (int i = 0; i < 5000; i++) {
        char line[16];
        (void)snprintf(line, sizeof line, "l%d", i);
        CHECK_OK(seen_add(&seen, px_str_c(line), 6 + i, &is_new));
        CHECK(is_new);
    }
    CHECK_OK(seen_begin(&seen, 5005));
    CHECK_INT(seen.count, 1); /* older ones are forgotten */
    CHECK_OK(seen_add(&seen, S("l4999"), 5005, &is_new));
    CHECK(!is_new);
    seen_deinit(&seen);
}

static int collect(void *ctx, struct px_str line)
{
    struct px_buf *buf = ctx;
    px_buf_add_str(buf, line);
    px_buf_add_char(buf, '|');
    return px_str_eq(line, S("stop")) ? 7 : 0;
}

TEST(lines_are_put_together_from_pieces)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    PX_AUTO(record_lines_deinit) struct record_lines lines;
    px_buf_init(&buf, 4096);
    record_lines_init(&lines, collect, &buf);
    CHECK_OK(record_lines_feed(&lines, S("on")));
    CHECK_OK(record_lines_feed(&lines, S("e\ntwo\nth")));
    CHECK_OK(record_lines_feed(&lines, S("ree")));
    CHECK_OK(record_lines_end(&lines));
    CHECK_OK(record_lines_end(&lines));
    CHECK_STR(px_buf_str(&buf), S("one|two|three|"));
    CHECK_INT(record_lines_feed(&lines, S("stop\nmore\n")), 7);
}

static struct px_str record_text(struct test *t, const char *json)
{
    char *text = NULL;
    size_t bytes = 0;
    struct cli cli = {.out = open_memstream(&text, &bytes)};
    record_print(&cli, px_str_c(json));
    (void)fclose(cli.out);
    struct px_str copy = px_arena_dup(&t->arena, px_str(text, bytes));
    free(text);
    return copy;
}

TEST(a_record_is_one_line_for_people)
{
    CHECK_STR(record_text(t,
                          "{\"service\":\"web\",\"time\":\"T\",\"body\":\"hello\\nworld\",\"n\":1,"
                          "\"severity_text\":\"WARN\",\"x\":null,\"note\":\"a b\"}"),
              S("T WARN hello\\nworld service=web n=1 note=\"a b\"\n"));
    CHECK_STR(record_text(t, "{\"a\":{\"b\":[1]}}"), S("a={\"b\":[1]}\n"));
    CHECK_STR(record_text(t, "no json \033[1m"), S("no json \\x1b[1m\n"));
}

TEST_MAIN
