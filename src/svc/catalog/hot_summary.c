/* svc/catalog/hot_summary.c */
#include "svc/catalog/hot_summary.h"

#include "columnar/convert.h"
#include "columnar/frame.h"

struct summing {
    struct schema *schema;
    struct px_arena *arena;
    uint64_t bytes_max;
    struct hot_summary summary;
    uint64_t last_seq; /* of the current writer */
};

static uint64_t mark_of(const struct writer_mark *marks, size_t count, struct px_str writer)
{
    for (size_t i = 0; i < count; i++)
        if (px_str_eq(marks[i].writer, writer)) return marks[i].sealed_seq;
    return 0;
}

/* A frame that cannot be read is not counted; sealing sets it aside and says so. */
static int add_frame(struct summing *summing, const struct hot_frame *hot)
{
    struct hot_summary *summary = &summing->summary;
    struct frame frame;
    int r = frame_open(hot->payload, summing->arena, &frame);
    if (r == PX_F_CORRUPT) return 0;
    PX_TRY(r);
    if (frame.header.rows == 0) return 0;
    bool first = summary->rows == 0;
    summary->rows += frame.header.rows;
    summary->bytes += hot->payload.len;
    if (first || frame.header.time_min_us < summary->time_min_us)
        summary->time_min_us = frame.header.time_min_us;
    if (first || frame.header.time_max_us > summary->time_max_us)
        summary->time_max_us = frame.header.time_max_us;
    bool changed = false;
    return summing->schema ? schema_merge_frame(summing->schema, &frame, &changed) : 0;
}

static int add_file(struct summing *summing, const struct hot_file *file, uint64_t sealed)
{
    PX_AUTO(hot_reader_close) struct hot_reader *reader = NULL;
    int r = hot_reader_open(file, &reader);
    if (r == HOT_GONE || r == PX_F_CORRUPT) return 0;
    PX_TRY(r);
    for (;;) {
        struct hot_frame hot;
        r = hot_reader_next(reader, &hot);
        if (r == HOT_END) return 0;
        if (r == PX_F_CORRUPT) continue;
        PX_TRY(r);
        if (hot.seq <= sealed) continue;
        PX_TRY(add_frame(summing, &hot));
        summing->last_seq = PX_MAX(summing->last_seq, hot.seq);
        if (summing->summary.bytes < summing->bytes_max) continue;
        summing->summary.partial = true;
        return 0;
    }
}

int hot_summarize(const struct hot_file *files, size_t count, const struct writer_mark *marks,
                  size_t mark_count, uint64_t bytes_max, struct schema *schema,
                  struct px_arena *arena, struct hot_summary *ret_summary)
{
    struct summing summing = {.schema = schema, .arena = arena, .bytes_max = bytes_max};
    summing.summary.marks = px_arena_array(arena, struct seal_mark,
                                           count); /* a file each at most */
    if (!summing.summary.marks) return px_arena_fault(arena);
    for (size_t i = 0; i < count && !summing.summary.partial;) {
        struct px_str writer = files[i].writer;
        uint64_t sealed = mark_of(marks, mark_count, writer);
        summing.last_seq = sealed;
        for (; i < count && px_str_eq(files[i].writer, writer) && !summing.summary.partial; i++)
            PX_TRY(add_file(&summing, &files[i], sealed));
        if (summing.last_seq == sealed) continue;
        summing.summary.marks[summing.summary.mark_count++] = (struct seal_mark){writer, sealed,
                                                                                 summing.last_seq};
    }
    *ret_summary = summing.summary;
    return 0;
}
