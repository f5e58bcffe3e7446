/* tests/unit/svc/ingest/rows.h - what a batch holds, as text, by way of an encoded frame. */
#pragma once

#include "support/support.h"

#include <inttypes.h>

#include "base/px_buf.h"
#include "columnar/frame.h"

static void rows_add_value(struct px_buf *text, const struct frame_values *v, uint32_t row)
{
    struct px_str s;
    switch (v->type) {
    case COL_BOOL: px_buf_add_c(text, v->b[row] ? "true" : "false"); return;
    case COL_INT:
    case COL_TIME: px_buf_printf(text, "%" PRId64, v->i[row]); return;
    case COL_DOUBLE: px_buf_printf(text, "%.17g", v->d[row]); return;
    case COL_STRING:
    case COL_JSON:
    case COL_MIXED:
        s = v->codes ? v->dict[v->codes[row]] : v->s[row];
        if (v->type == COL_STRING)
            px_buf_add_json_str(text, s);
        else
            px_buf_add_str(text, s);
    }
}

static struct px_str rows_frame(const struct batch *batch, struct px_arena *arena)
{
    struct px_buf buf;
    uint8_t id[16] = {0};
    px_buf_init(&buf, 256u << 20);
    CHECK_OK(frame_encode(batch, 1, id, &buf));
    struct px_str payload = px_arena_dup(arena, px_buf_str(&buf));
    px_buf_deinit(&buf);
    return payload;
}

/* One line a row: name:type=value for each column that has one, ordered as the columns are. */
__attribute__((unused)) static struct px_str rows_text(const struct batch *batch,
                                                       struct px_arena *arena)
{
    struct frame frame;
    CHECK_OK(frame_open(rows_frame(batch, arena), arena, &frame));
    struct frame_values *values = px_arena_array(arena, struct frame_values, frame.header.columns);
    for (uint32_t c = 0; c < frame.header.columns; c++)
        CHECK_OK(frame_read_column(&frame, c, arena, &values[c]));
    struct px_buf text;
    px_buf_init(&text, 64u << 20);
    for (uint32_t r = 0; r < frame.header.rows; r++) {
        for (uint32_t c = 0; c < frame.header.columns; c++) {
            const struct frame_values *v = &values[c];
            if (v->validity && !(v->validity[r / 64] >> (r % 64) & 1)) continue;
            px_buf_printf(&text, " %.*s:%s=", PX_FMT(frame.columns[c].name),
                          col_type_name(v->type));
            rows_add_value(&text, v, r);
        }
        px_buf_add_char(&text, '\n');
    }
    CHECK_INT(px_buf_fault(&text), 0);
    struct px_str copy = px_arena_dup(arena, px_buf_str(&text));
    px_buf_deinit(&text);
    return copy;
}

/* The n-th line (from 0), without its end. */
__attribute__((unused)) static struct px_str rows_line(struct px_str text, size_t n)
{
    struct px_str line = {0};
    for (size_t i = 0; i <= n; i++) (void)px_str_cut(&text, '\n', &line);
    return line;
}

__attribute__((unused)) static bool rows_has(struct px_str text, const char *part)
{
    return text.len && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}
