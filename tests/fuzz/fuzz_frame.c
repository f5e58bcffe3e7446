/* Arbitrary bytes as a frame: opened, every column read, merged into a schema and converted.
 * Nothing worse than a fault may come of it. */
// link: px_columnar
#include "columnar/convert.h"

#define ARENA_BYTES ((size_t)32 << 20)
#define COLUMNS_READ 64 /* a directory of thousands tries the same code over and over */

static bool is_allowed(int result)
{
    return result == 0 || result == PX_F_CORRUPT || result == PX_F_LIMIT;
}

/* Touch all that the values promise, so that the sanitizer sees what is not there. */
static size_t touch(const struct frame *frame, const struct frame_values *values)
{
    size_t sum = 0;
    for (uint32_t row = 0; row < frame->header.rows; row++) {
        if (values->validity && !(values->validity[row / 64] >> row % 64 & 1)) continue;
        switch (values->type) {
        case COL_BOOL: sum += values->b[row]; break;
        case COL_INT:
        case COL_TIME:
        case COL_DOUBLE: sum += (size_t)values->i[row]; break;
        default: {
            struct px_str text = values->codes ? values->dict[values->codes[row]] : values->s[row];
            if (text.len) sum += (unsigned char)text.ptr[0] + (unsigned char)text.ptr[text.len - 1];
        }
        }
    }
    return sum;
}

static void read_frame(struct px_str bytes, struct px_arena *arena)
{
    struct frame frame;
    struct schema schema;
    bool changed;
    int r = frame_open(bytes, arena, &frame);
    PX_ASSERT(is_allowed(r));
    if (r != 0 || schema_init(&schema, arena) != 0) return;
    r = schema_merge(&schema, S("n"), COL_INT, &changed);
    if (r == 0) r = schema_merge(&schema, S("t"), COL_TIME, &changed);
    if (r == 0) r = schema_merge_frame(&schema, &frame, &changed);
    PX_ASSERT(is_allowed(r));
    size_t sum = 0;
    for (uint32_t i = 0; r == 0 && i < PX_MIN(frame.header.columns, COLUMNS_READ + 0u); i++) {
        struct frame_values values;
        int read = frame_read_column(&frame, i, arena, &values);
        PX_ASSERT(is_allowed(read));
        if (read == 0) sum += touch(&frame, &values);
    }
    for (uint32_t i = 0; r == 0 && i < PX_MIN(schema.count, COLUMNS_READ + 0u); i++) {
        struct frame_values values;
        int converted = convert_column(&schema, i, &frame, arena, &values);
        PX_ASSERT(is_allowed(converted));
        if (converted == 0) sum += touch(&frame, &values);
    }
    __asm__ volatile("" : : "r"(sum)); /* it was used */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_arena arena;
    px_arena_init(&arena, ARENA_BYTES);
    read_frame(px_str((const char *)data, size), &arena);
    px_arena_deinit(&arena);
    return 0;
}
