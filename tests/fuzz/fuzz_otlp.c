/* OTLP requests in both encodings, all signals. The first byte chooses; the rest is the body. What decodes must
 * encode into a frame that opens again with the same number of rows. */
// link: px_svc_ingest
#include "svc/ingest/decode.h"

#include "base/px_clock.h"
#include "columnar/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_frame(const struct batch *batch, struct px_arena *arena)
{
    struct px_buf buf;
    struct frame frame;
    const uint8_t id[16] = {1};
    px_buf_init(&buf, 64u << 20);
    PX_ASSERT(frame_encode(batch, 1, id, &buf) == 0);
    PX_ASSERT(frame_open(px_buf_str(&buf), arena, &frame) == 0);
    PX_ASSERT(frame.header.rows == batch_rows(batch));
    px_buf_deinit(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    const struct decode_limits limits = {.record_bytes_max = 4096,
                                         .records_max = 500,
                                         .fields_max = 50,
                                         .time_min_us = INT64_C(1000000000) * 1000000,
                                         .time_max_us = INT64_C(2000000000) * 1000000,
                                         .now_ns = INT64_C(1767323045) * PX_NS_PER_S};
    const struct batch_limits batch_limits = {.bytes_max = 1u << 20, .row_columns_max = 50};
    struct px_arena arena;
    struct batch *batch;
    struct decode_result result = {0};
    struct px_where where = {0};
    px_arena_init(&arena, 16u << 20);
    PX_ASSERT(batch_new(&batch_limits, &batch) == 0);
    enum otlp_signal signal = (enum otlp_signal)(data[0] / 2 % 3);
    struct px_str body = {(const char *)data + 1, size - 1};
    int r = decode_otlp(signal, data[0] % 2, body, &limits, &arena, batch, &result, &where);
    PX_ASSERT(r >= 0);
    if (r == 0) {
        PX_ASSERT(result.accepted == batch_rows(batch));
        PX_ASSERT(result.refusals_kept <= result.refused);
        check_frame(batch, &arena);
    } else {
        PX_ASSERT(where.expected[0] != '\0');
    }
    batch_free(&batch);
    px_arena_deinit(&arena);
    return 0;
}
