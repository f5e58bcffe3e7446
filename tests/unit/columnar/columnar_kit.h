/* tests/unit/columnar/columnar_kit.h - rows in, frames out, values as text to compare. */
#pragma once

#include "support/support.h"

#include "columnar/convert.h"

#define T0 INT64_C(1767323045000000) /* 2026-01-02T03:04:05Z in microseconds */

/* One row: ROW(batch, us, batch_put_int(batch, S("a"), 1), ...) */
#define ROW(batch, us, ...)                                                                        \
    do {                                                                                           \
        batch_row_begin(batch);                                                                    \
        CHECK_OK(batch_put_time((batch), (us)));                                                   \
        int row_results_[] = {__VA_ARGS__};                                                        \
        for (size_t row_i_ = 0; row_i_ < PX_COUNT(row_results_); row_i_++)                         \
            CHECK_OK(row_results_[row_i_]);                                                        \
        CHECK_OK(batch_row_end(batch));                                                            \
    } while (0)

static __attribute__((unused)) struct batch *new_batch(void)
{
    struct batch *batch = NULL;
    CHECK_OK(batch_new(NULL, &batch));
    return batch;
}

static __attribute__((unused)) struct px_str encode(struct test *t, const struct batch *batch)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 64u << 20);
    CHECK_OK(frame_encode(batch, 7, (const uint8_t *)"0123456789abcdef", &buf));
    return px_arena_dup(&t->arena, px_buf_str(&buf));
}

static __attribute__((unused)) struct frame open_batch(struct test *t, const struct batch *batch)
{
    struct frame frame;
    CHECK_OK(frame_open(encode(t, batch), &t->arena, &frame));
    return frame;
}

static __attribute__((unused)) struct frame_values read_named(struct test *t,
                                                              const struct frame *frame,
                                                              struct px_str name)
{
    struct frame_values values;
    int column = frame_find(frame, name);
    CHECK(column >= 0);
    CHECK_OK(frame_read_column(frame, (uint32_t)column, &t->arena, &values));
    return values;
}

/* "-" for NULL; text in quotes as it is. */
static __attribute__((unused)) struct px_str show(struct test *t, const struct frame_values *values,
                                                  uint32_t row)
{
    if (values->validity && !(values->validity[row / 64] >> row % 64 & 1)) return S("-");
    switch (values->type) {
    case COL_BOOL: return values->b[row] ? S("true") : S("false");
    case COL_INT: return px_arena_printf(&t->arena, "%lld", (long long)values->i[row]);
    case COL_TIME: return px_arena_printf(&t->arena, "@%lld", (long long)(values->i[row] - T0));
    case COL_DOUBLE: return px_arena_printf(&t->arena, "%.17g", values->d[row]);
    default: break;
    }
    struct px_str text = values->codes ? values->dict[values->codes[row]] : values->s[row];
    const char *fmt = values->type == COL_STRING ? "'%.*s'" : "%.*s";
    return px_arena_printf(&t->arena, fmt, PX_FMT(text));
}

/* A whole column: "1 2 - 4". */
static __attribute__((unused)) struct px_str show_all(struct test *t, const struct frame *frame,
                                                      const struct frame_values *values)
{
    struct px_str all = S("");
    for (uint32_t row = 0; row < frame->header.rows; row++) {
        struct px_str one = show(t, values, row);
        all = px_arena_printf(&t->arena, "%.*s%s%.*s", PX_FMT(all), row ? " " : "", PX_FMT(one));
    }
    return all;
}
#define CHECK_COLUMN(t, frame, name, want)                                                         \
    do {                                                                                           \
        struct frame_values column_ = read_named((t), (frame), (name));                            \
        CHECK_STR(show_all((t), (frame), &column_), (want));                                       \
    } while (0)

/* A small generator, the same on every run. */
static __attribute__((unused)) uint32_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}
