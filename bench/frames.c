/* bench/frames.c - CPU time from NDJSON to frames and back: the hot path of ingest without network and
 * disk.
 *
 *   frames FILE.ndjson [RECORDS_PER_BODY]   (8000)
 *
 * docs/design/frame.md has its figures. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/px_file.h"
#include "columnar/convert.h"
#include "svc/ingest/decode.h"

#define FILE_BYTES_MAX ((size_t)2 << 30)
#define COLUMNS_SHOWN 32

struct column_sum {
    size_t bytes;
    double read_s;
};
struct bench {
    struct batch *batch;
    struct px_arena decoding, reading;
    struct px_buf frame;
    struct decode_limits limits;
    uint64_t records, bytes;
    double parse_s, encode_s, read_s;
    struct column_sum columns[COLUMNS_SHOWN];
};

static double cpu_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void must(int result)
{
    char text[512];
    if (result == 0) return;
    fprintf(stderr, "frames: %s\n", px_fault_text(result, text, sizeof text));
    exit(1);
}

static void read_all(struct bench *bench, struct frame *ret_frame)
{
    px_arena_reset(&bench->reading);
    must(frame_open(px_buf_str(&bench->frame), &bench->reading, ret_frame));
    for (uint32_t i = 0; i < ret_frame->header.columns; i++) {
        struct frame_values values;
        must(frame_read_column(ret_frame, i, &bench->reading, &values));
    }
}

/* Once more with a clock around each column; the calls to the clock cost as much as a small column. */
static void measure_columns(struct bench *bench, const struct frame *frame)
{
    for (uint32_t i = 0; i < PX_MIN(frame->header.columns, (uint32_t)COLUMNS_SHOWN); i++) {
        struct frame_values values;
        double begin = cpu_s();
        must(frame_read_column(frame, i, &bench->reading, &values));
        bench->columns[i].read_s += cpu_s() - begin;
        bench->columns[i].bytes += frame->columns[i].block_bytes;
    }
}

static void one_body(struct bench *bench, struct px_str body, struct frame *ret_frame)
{
    struct decode_result result;
    struct px_where where = {0};
    double begin = cpu_s();
    batch_reset(bench->batch);
    px_arena_reset(&bench->decoding);
    must(decode_json_records(body, S(""), &bench->limits, &bench->decoding, bench->batch, &result,
                             &where));
    double parsed = cpu_s();
    px_buf_clear(&bench->frame);
    must(frame_encode(bench->batch, 0, NULL, &bench->frame));
    double encoded = cpu_s();
    read_all(bench, ret_frame);
    double read = cpu_s();
    bench->parse_s += parsed - begin;
    bench->encode_s += encoded - parsed;
    bench->read_s += read - encoded;
    bench->records += result.accepted;
    bench->bytes += bench->frame.len;
    measure_columns(bench, ret_frame);
}

static size_t bytes_of_lines(struct px_str text, size_t lines)
{
    size_t at = 0;
    for (size_t i = 0; i < lines && at < text.len; i++) {
        const char *end = memchr(text.ptr + at, '\n', text.len - at);
        at = end ? (size_t)(end - text.ptr) + 1 : text.len;
    }
    return at;
}

static void report(const struct bench *bench, const struct frame *frame, size_t per_body)
{
    double us = 1e6 / (double)bench->records;
    printf("%llu records, %zu a frame: parse %.3f + encode %.3f = %.3f us a record, read %.3f, "
           "%.1f bytes a record\n",
           (unsigned long long)bench->records, per_body, bench->parse_s * us, bench->encode_s * us,
           (bench->parse_s + bench->encode_s) * us, bench->read_s * us,
           (double)bench->bytes / (double)bench->records);
    for (uint32_t i = 0; i < PX_MIN(frame->header.columns, (uint32_t)COLUMNS_SHOWN); i++)
        printf("  %-16.*s %-7s %6.2f bytes, read in %4.0f ns\n", PX_FMT(frame->columns[i].name),
               col_type_name(frame->columns[i].type),
               (double)bench->columns[i].bytes / (double)bench->records,
               bench->columns[i].read_s * us * 1e3);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: frames FILE.ndjson [RECORDS_PER_BODY]\n");
        return 2;
    }
    size_t per_body = argc > 2 ? strtoul(argv[2], NULL, 10) : 8000;
    struct bench bench = {.limits = {.record_bytes_max = 1 << 20,
                                     .records_max = UINT32_MAX,
                                     .fields_max = 1000,
                                     .time_min_us = 0,
                                     .time_max_us = INT64_MAX}};
    struct px_buf file;
    struct frame frame = {0};
    px_buf_init(&file, FILE_BYTES_MAX);
    px_buf_init(&bench.frame, (size_t)512 << 20);
    px_arena_init(&bench.decoding, (size_t)256 << 20);
    px_arena_init(&bench.reading, (size_t)1 << 30);
    must(batch_new(NULL, &bench.batch));
    must(px_file_read(argv[1], &file));
    for (struct px_str rest = px_buf_str(&file); rest.len > 0;) {
        size_t bytes = bytes_of_lines(rest, PX_MAX(per_body, (size_t)1));
        one_body(&bench, px_str(rest.ptr, bytes), &frame);
        rest = px_str_skip(rest, bytes);
    }
    report(&bench, &frame, per_body);
    batch_free(&bench.batch);
    px_arena_deinit(&bench.decoding);
    px_arena_deinit(&bench.reading);
    px_buf_deinit(&bench.frame);
    px_buf_deinit(&file);
    return 0;
}
