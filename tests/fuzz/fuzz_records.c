/* Arbitrary bytes as a JSON body: to rows, to a frame, back, and through a schema. What was
 * accepted must come back; what was refused must say where. */
// link: px_svc_ingest px_columnar
#include <stdlib.h>

#include "columnar/convert.h"
#include "svc/ingest/decode.h"

#define ARENA_BYTES ((size_t)32 << 20)

static const struct decode_limits limits = {
    .record_bytes_max = 4096,
    .records_max = 200,
    .fields_max = 50,
    .time_min_us = 0,
    .time_max_us = INT64_C(4102444800000000),
    .now_ns = INT64_C(1767323045000000000),
};

static void check_frame(const struct batch *batch, struct px_arena *arena)
{
    struct px_buf buf;
    struct frame frame;
    struct schema schema;
    bool changed = false;
    px_buf_init(&buf, ARENA_BYTES);
    PX_ASSERT(frame_encode(batch, 0, NULL, &buf) == 0);
    PX_ASSERT(frame_open(px_buf_str(&buf), arena, &frame) == 0);
    PX_ASSERT(frame.header.rows == batch_rows(batch));
    PX_ASSERT(schema_init(&schema, arena) == 0);
    PX_ASSERT(schema_merge(&schema, S("a"), COL_INT, &changed) == 0);
    PX_ASSERT(schema_merge_frame(&schema, &frame, &changed) == 0);
    for (uint32_t i = 0; i < schema.count; i++) {
        struct frame_values values;
        PX_ASSERT(convert_column(&schema, i, &frame, arena, &values) == 0);
        PX_ASSERT(values.type == schema.columns[i].type);
    }
    px_buf_deinit(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_arena arena;
    struct batch *batch = NULL;
    struct decode_result result;
    struct px_where where = {0};
    px_arena_init(&arena, ARENA_BYTES);
    if (batch_new(NULL, &batch) != 0) abort();
    struct px_str body = px_str((const char *)data, size);
    int r = decode_json_records(body, S(""), &limits, &arena, batch, &result, &where);
    PX_ASSERT(r == 0 || r == DECODE_INVALID || r == DECODE_TOO_LARGE);
    if (r == 0) {
        PX_ASSERT(result.accepted == batch_rows(batch));
        for (uint32_t i = 0; i < result.refusals_kept; i++)
            PX_ASSERT(result.refusals[i].where.offset <= size &&
                      result.refusals[i].where.expected[0]);
        check_frame(batch, &arena);
    } else {
        PX_ASSERT(where.offset <= size && where.expected[0] && batch_rows(batch) == 0);
    }
    batch_free(&batch);
    px_arena_deinit(&arena);
    return 0;
}
