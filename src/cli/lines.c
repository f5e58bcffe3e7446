/* cli/lines.c - cutting at line ends.
 *
 * A batch is what was left over, then what read(2) gives until batch_bytes are there or the input ends,
 * up to the last line end in it. What follows that goes to `ahead` for the next. */
#include "cli/lines.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/px_clock.h"

#define READ_BYTES (1u << 20)

void lines_init(struct lines *lines, int fd, size_t batch_bytes, size_t line_bytes_max)
{
    *lines = (struct lines){.fd = fd,
                            .batch_bytes = batch_bytes,
                            .line_bytes_max = PX_MAX(line_bytes_max, batch_bytes),
                            .line = 1};
    px_buf_init(&lines->ahead, lines->line_bytes_max + READ_BYTES);
}

void lines_deinit(struct lines *lines) { px_buf_deinit(&lines->ahead); }

static int read_some(struct lines *lines, struct px_buf *buf, size_t bytes)
{
    char *at = px_buf_reserve(buf, bytes);
    if (!at) return px_buf_fault(buf);
    ssize_t got;
    do got = read(lines->fd, at, bytes);
    while (got < 0 && errno == EINTR);
    if (got < 0) return px_fault_errno("reading the input");
    if (got == 0) lines->at_end = true;
    buf->len += (size_t)got;
    return 0;
}

/* Bytes up to and with the last line end among the first `bytes`; 0: there is none. */
static size_t last_end(const struct px_buf *buf, size_t bytes)
{
    const char *end = bytes > 0 ? memrchr(buf->ptr, '\n', bytes) : NULL;
    return end ? (size_t)(end - buf->ptr) + 1 : 0;
}

/* Whether whole lines are there and nothing follows them in time. */
static bool is_idle(const struct lines *lines, const struct px_buf *buf, int64_t start_ns)
{
    if (lines->linger_ms == 0 || last_end(buf, buf->len) == 0) return false;
    int64_t spent_ms = (px_mono_ns(&px_clock_system) - start_ns) / PX_NS_PER_MS;
    struct pollfd input = {.fd = lines->fd, .events = POLLIN};
    return poll(&input, 1, (int)PX_MAX(lines->linger_ms - spent_ms, 0)) == 0;
}

/* Read until a batch is full, the input ends, or what came has waited long enough. */
static int fill(struct lines *lines, struct px_buf *buf)
{
    int64_t start_ns = px_mono_ns(&px_clock_system);
    while (buf->len < lines->batch_bytes && !lines->at_end && !is_idle(lines, buf, start_ns))
        PX_TRY(read_some(lines, buf, PX_MIN(lines->batch_bytes - buf->len, READ_BYTES)));
    return 0;
}

static size_t first_end(const struct px_buf *buf, size_t from)
{
    const char *end = buf->len > from ? memchr(buf->ptr + from, '\n', buf->len - from) : NULL;
    return end ? (size_t)(end - buf->ptr) + 1 : 0;
}

/* One line is longer than a batch: read on to its end. ret_cut 0: it is longer than a line may be. */
static int find_far_end(struct lines *lines, struct px_buf *buf, size_t *ret_cut)
{
    size_t cut = 0, looked = 0;
    while ((cut = first_end(buf, looked)) == 0) {
        looked = buf->len;
        if (lines->at_end) {
            cut = buf->len;
            break;
        }
        if (buf->len > lines->line_bytes_max) break;
        PX_TRY(read_some(lines, buf, READ_BYTES));
    }
    *ret_cut = cut > lines->line_bytes_max ? 0 : cut;
    return 0;
}

/* Read to the end of the line and forget it; what follows goes ahead. */
static int pass_over(struct lines *lines, struct px_buf *buf)
{
    size_t cut;
    while ((cut = first_end(buf, 0)) == 0 && !lines->at_end) {
        lines->offset += buf->len;
        px_buf_clear(buf);
        PX_TRY(read_some(lines, buf, READ_BYTES));
    }
    if (cut == 0) cut = buf->len;
    lines->offset += cut;
    px_buf_clear(&lines->ahead);
    px_buf_add(&lines->ahead, buf->ptr + cut, buf->len - cut);
    px_buf_clear(buf);
    return px_buf_fault(&lines->ahead);
}

static uint64_t count_lines(struct px_str text)
{
    uint64_t count = 0;
    struct px_str line;
    while (text.len > 0) {
        px_str_cut(&text, '\n', &line);
        count++;
    }
    return count;
}

int lines_next(struct lines *lines, struct px_buf *buf, struct lines_batch *ret_batch)
{
    px_buf_clear(buf);
    px_buf_add_str(buf, px_buf_str(&lines->ahead));
    px_buf_clear(&lines->ahead);
    PX_TRY(px_buf_fault(buf));
    PX_TRY(fill(lines, buf));
    if (buf->len == 0) return LINES_END;

    bool is_last = lines->at_end && buf->len <= lines->batch_bytes;
    size_t cut = is_last ? buf->len : last_end(buf, PX_MIN(buf->len, lines->batch_bytes));
    if (cut == 0) PX_TRY(find_far_end(lines, buf, &cut));
    struct lines_batch batch = {
        .offset = lines->offset, .first_line = lines->line, .line_count = 1};
    if (cut == 0) {
        PX_TRY(pass_over(lines, buf));
        lines->line++;
        *ret_batch = batch;
        return LINES_TOO_LONG;
    }
    px_buf_add(&lines->ahead, buf->ptr + cut, buf->len - cut);
    PX_TRY(px_buf_fault(&lines->ahead));
    buf->len = cut;
    batch.text = px_buf_str(buf);
    batch.line_count = count_lines(batch.text);
    lines->offset += cut;
    lines->line += batch.line_count;
    *ret_batch = batch;
    return 0;
}

void lines_halve(const struct lines_batch *batch, struct lines_batch ret_halves[2])
{
    PX_ASSERT(batch->line_count > 1);
    const char *middle = memchr(batch->text.ptr + batch->text.len / 2, '\n',
                                batch->text.len - batch->text.len / 2);
    size_t cut = middle ? (size_t)(middle - batch->text.ptr) + 1 : batch->text.len;
    if (cut == batch->text.len) { /* the second half is the end of one long line */
        const char *end = memrchr(batch->text.ptr, '\n', batch->text.len / 2);
        PX_ASSERT(end);
        cut = (size_t)(end - batch->text.ptr) + 1;
    }
    struct px_str first = px_str(batch->text.ptr, cut);
    ret_halves[0] = (struct lines_batch){first, batch->offset, batch->first_line,
                                         count_lines(first)};
    ret_halves[1] = (struct lines_batch){px_str_skip(batch->text, cut), batch->offset + cut,
                                         batch->first_line + ret_halves[0].line_count,
                                         batch->line_count - ret_halves[0].line_count};
}

uint64_t lines_records(struct px_str text)
{
    uint64_t count = 0;
    struct px_str line;
    while (text.len > 0) {
        px_str_cut(&text, '\n', &line);
        count += px_str_trim(line).len > 0;
    }
    return count;
}

uint64_t lines_of_record(const struct lines_batch *batch, uint64_t index)
{
    struct px_str rest = batch->text, line;
    uint64_t number = batch->first_line;
    for (; rest.len > 0; number++) {
        px_str_cut(&rest, '\n', &line);
        if (px_str_trim(line).len > 0 && index-- == 0) break;
    }
    return number;
}

void lines_wrap(struct px_str text, struct px_buf *ret_ndjson)
{
    struct px_str line;
    while (text.len > 0) {
        px_str_cut(&text, '\n', &line);
        if (px_str_trim(line).len == 0) continue;
        if (px_str_ends(line, S("\r"))) line.len--;
        px_buf_add_c(ret_ndjson, "{\"message\":");
        px_buf_add_json_str(ret_ndjson, line);
        px_buf_add_c(ret_ndjson, "}\n");
    }
}

struct px_str lines_key(struct px_str identity, const struct lines_batch *batch, bool wrapped,
                        char buf[LINES_KEY_BYTES])
{
    XXH64_hash_t who = XXH3_64bits(identity.ptr, identity.len);
    XXH128_hash_t what = XXH3_128bits_withSeed(batch->text.ptr, batch->text.len, wrapped);
    int n = snprintf(buf, LINES_KEY_BYTES, "send-%016llx-%llx-%016llx%016llx",
                     (unsigned long long)who, (unsigned long long)batch->offset,
                     (unsigned long long)what.high64, (unsigned long long)what.low64);
    return px_str(buf, (size_t)n);
}
