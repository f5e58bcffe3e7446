/* svc/storage/seal_gather.c - collect frames beyond the marks, file by file, up to a bound.
 *
 * Invariants: of each writer a prefix of its unsealed frames is taken, in order; a file counts as
 * closed only if it was so before its reading began, for otherwise a frame could be appended between
 * the end of reading and the removal. What cannot be read does not hold up the frames around it: a file
 * that fails its checksums is set aside when it is closed (every reading finds the failure again), the
 * bytes of a frame that does not decode are set aside before its mark moves. */
#include "svc/storage/seal_gather.h"

#include <stdlib.h>

enum { SOURCES_MAX = 512, FRAMES_MAX = 16384, COLUMNS_MAX = 2000000 };

static int grow(struct px_arena *arena, void *array, size_t *cap, size_t item_bytes)
{
    void **at = array;
    size_t cap_new = *cap ? *cap * 2 : 64;
    void *bigger = px_arena_realloc(arena, *at, *cap * item_bytes, cap_new * item_bytes);
    if (!bigger) return px_arena_fault(arena);
    *at = bigger;
    *cap = cap_new;
    return 0;
}
#define GROW(batch, array, count, cap)                                                             \
    ((batch)->count < (batch)->cap                                                                 \
         ? 0                                                                                       \
         : grow((batch)->arena, &(batch)->array, &(batch)->cap, sizeof *(batch)->array))

/* ---- which files ---- */

/* The highest file number of a writer in a listing ordered by writer; false: none. *at moves on. */
static bool highest_of(const struct seal_listing *listed, struct px_str writer, size_t *at,
                       uint32_t *ret_no)
{
    while (*at < listed->count && px_str_cmp(listed->files[*at].writer, writer) < 0) ++*at;
    bool found = false;
    for (size_t i = *at; i < listed->count && px_str_eq(listed->files[i].writer, writer); i++) {
        *ret_no = listed->files[i].file_no;
        found = true;
    }
    return found;
}

static uint64_t mark_of(const struct catalog_snapshot *snapshot, struct px_str writer)
{
    for (size_t i = 0; i < snapshot->mark_count; i++)
        if (px_str_eq(snapshot->marks[i].writer, writer)) return snapshot->marks[i].sealed_seq;
    return 0;
}

/* ---- one file ---- */

static int note_corrupt(struct seal_batch *batch, struct seal_source *source, int fault)
{
    char text[512];
    if (!source->corrupt)
        source->why = px_arena_dup(batch->arena, px_str_c(px_fault_text(fault, text, sizeof text)));
    source->corrupt = true;
    return source->why.ptr ? 0 : px_arena_fault(batch->arena);
}

static int note_bad(struct seal_batch *batch, const struct hot_file *file,
                    const struct hot_frame *frame, int fault)
{
    char text[512];
    PX_TRY(GROW(batch, bad, bad_count, bad_cap));
    struct seal_bad *bad = &batch->bad[batch->bad_count++];
    *bad = (struct seal_bad){
        file, frame->seq, frame->payload,
        px_arena_dup(batch->arena, px_str_c(px_fault_text(fault, text, sizeof text)))};
    return bad->why.ptr ? 0 : px_arena_fault(batch->arena);
}

static bool is_full(const struct storage *storage, const struct seal_batch *batch)
{
    const struct lifecycle *lifecycle = storage->options.lifecycle;
    return batch->rows >= (uint64_t)lifecycle->segment_rows_max ||
           batch->raw_bytes >= (uint64_t)lifecycle->segment_input_bytes_max ||
           batch->frame_count >= FRAMES_MAX || batch->columns >= COLUMNS_MAX;
}

static int add_frame(struct seal_batch *batch, const struct frame *frame, uint64_t seq)
{
    PX_TRY(GROW(batch, frames, frame_count, frame_cap));
    batch->frames[batch->frame_count++] = (struct seal_frame){
        *frame, (uint32_t)(batch->source_count - 1), seq, false};
    batch->rows += frame->header.rows;
    batch->columns += frame->header.columns;
    batch->hot_bytes += frame->payload.len;
    for (uint32_t c = 0; c < frame->header.columns; c++)
        batch->raw_bytes += frame->columns[c].raw_bytes;
    return 0;
}

/* The mark of the file's writer, made at its first frame. Files come ordered by writer. */
static int writer_mark(struct seal_batch *batch, struct px_str writer, uint64_t sealed,
                       struct seal_mark **ret_mark)
{
    struct seal_mark *last = batch->mark_count ? &batch->marks[batch->mark_count - 1] : NULL;
    if (!last || !px_str_eq(last->writer, writer)) {
        PX_TRY(GROW(batch, marks, mark_count, mark_cap));
        PX_ASSERT(batch->marks);
        last = &batch->marks[batch->mark_count++];
        *last = (struct seal_mark){writer, sealed, sealed};
    }
    *ret_mark = last;
    return 0;
}

/* A frame beyond the mark: taken, or noted as bad. */
static int take_frame(struct seal_batch *batch, struct seal_source *source, uint64_t sealed,
                      const struct hot_frame *hot)
{
    struct seal_mark *mark = NULL;
    PX_TRY(writer_mark(batch, source->file->writer, sealed, &mark));
    if (hot->seq <= mark->to)
        return note_bad(batch, source->file, hot,
                        px_fault(PX_F_CORRUPT, "frame %llu behind %llu",
                                 (unsigned long long)hot->seq, (unsigned long long)mark->to));
    struct frame frame;
    int r = frame_open(hot->payload, batch->arena, &frame);
    mark->to = hot->seq;
    if (r == PX_F_CORRUPT) return note_bad(batch, source->file, hot, r);
    PX_TRY(r);
    return add_frame(batch, &frame, hot->seq);
}

static int read_file(struct storage *storage, struct seal_batch *batch, struct seal_source *source,
                     uint64_t sealed)
{
    for (;;) {
        struct hot_frame hot;
        int r = hot_reader_next(source->reader, &hot);
        if (r == HOT_END) {
            source->ended = true;
            return 0;
        }
        if (r == PX_F_CORRUPT) {
            PX_TRY(note_corrupt(batch, source, r));
            continue;
        }
        PX_TRY(r);
        if (hot.seq <= sealed) continue;
        if (is_full(storage, batch)) {
            batch->full = true;
            return 0;
        }
        PX_TRY(take_frame(batch, source, sealed, &hot));
    }
}

/* Nothing new in a file that may still grow: it need not be kept open, and does not count. */
static void leave_idle_file(struct seal_batch *batch, size_t frames_before, size_t bad_before)
{
    struct seal_source *source = &batch->sources[batch->source_count - 1];
    bool idle = batch->frame_count == frames_before && batch->bad_count == bad_before;
    if (!idle || !source->ended || source->closed) return;
    hot_reader_close(&source->reader);
    batch->source_count--;
}

static int take_file(struct storage *storage, struct seal_batch *batch, const struct hot_file *file,
                     uint64_t sealed)
{
    bool live = true;
    PX_TRY(hot_file_is_live(storage->options.hot, file, &live)); /* before reading: see above */
    struct hot_reader *reader = NULL;
    int r = hot_reader_open(file, &reader);
    if (r == HOT_GONE) return 0; /* sealed by another; if it moved a mark of ours, we conflict */
    if (r != PX_F_CORRUPT) PX_TRY(r);
    if (batch->source_count == batch->source_cap) {
        int grown = GROW(batch, sources, source_count, source_cap);
        if (grown != 0) hot_reader_close(&reader);
        PX_TRY(grown);
    }
    PX_ASSERT(batch->sources);
    struct seal_source *source = &batch->sources[batch->source_count++];
    *source = (struct seal_source){.file = file, .reader = reader, .closed = !live};
    size_t frames_before = batch->frame_count, bad_before = batch->bad_count;
    if (r == 0) {
        PX_TRY(read_file(storage, batch, source, sealed));
    } else {
        source->ended = true;
        PX_TRY(note_corrupt(batch, source, r));
    }
    leave_idle_file(batch, frames_before, bad_before);
    return 0;
}

/* ---- the batch ---- */

/* Types of fields are settled in the order in which the frames were accepted. */
static int by_acceptance(const void *left, const void *right)
{
    const struct seal_frame *a = left, *b = right;
    int64_t ta = a->frame.header.accepted_ns, tb = b->frame.header.accepted_ns;
    if (ta != tb) return ta < tb ? -1 : 1;
    if (a->source != b->source) return a->source < b->source ? -1 : 1;
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* Marks that did not move are of no use to the catalog. */
static void drop_still_marks(struct seal_batch *batch)
{
    size_t kept = 0;
    for (size_t i = 0; i < batch->mark_count; i++)
        if (batch->marks[i].to > batch->marks[i].from) batch->marks[kept++] = batch->marks[i];
    batch->mark_count = kept;
}

static int gather(struct storage *storage, const struct seal_listing *listed,
                  const struct catalog_snapshot *snapshot, struct seal_batch *batch)
{
    struct hot_file *files = NULL;
    size_t count = 0, at = 0;
    PX_TRY(hot_list(storage->options.hot, listed->files[0].tenant, listed->files[0].dataset,
                    batch->arena, &files, &count));
    for (size_t i = 0; i < count && !batch->full; i++) {
        uint32_t highest = 0;
        if (!highest_of(listed, files[i].writer, &at, &highest) || files[i].file_no > highest)
            continue;
        if (batch->source_count >= SOURCES_MAX) {
            batch->full = true;
            break;
        }
        PX_TRY(take_file(storage, batch, &files[i], mark_of(snapshot, files[i].writer)));
    }
    drop_still_marks(batch);
    if (batch->frame_count > 1)
        qsort(batch->frames, batch->frame_count, sizeof *batch->frames, by_acceptance);
    return 0;
}

int seal_gather(struct storage *storage, const struct seal_listing *listed,
                const struct catalog_snapshot *snapshot, struct px_arena *arena,
                struct seal_batch *ret_batch)
{
    PX_ASSERT(listed->count > 0);
    struct seal_batch batch = {.arena = arena};
    int r = gather(storage, listed, snapshot, &batch);
    if (r != 0)
        seal_batch_deinit(&batch);
    else
        *ret_batch = batch;
    return r;
}

void seal_batch_deinit(struct seal_batch *batch)
{
    for (size_t i = 0; i < batch->source_count; i++) hot_reader_close(&batch->sources[i].reader);
    *batch = (struct seal_batch){0};
}

/* ---- weeding ---- */

static int decodes(const struct frame *frame, bool *ret_ok)
{
    *ret_ok = true;
    PX_AUTO(px_arena_deinit) struct px_arena scratch;
    px_arena_init(&scratch, STORAGE_ARENA_BYTES_MAX);
    for (uint32_t c = 0; c < frame->header.columns; c++) {
        struct frame_values values;
        int r = frame_read_column(frame, c, &scratch, &values);
        if (r == PX_F_CORRUPT) {
            *ret_ok = false;
            return 0;
        }
        PX_TRY(r);
        px_arena_reset(&scratch);
    }
    return 0;
}

int seal_condemn(struct seal_batch *batch, size_t index, int fault)
{
    struct seal_frame *frame = &batch->frames[index];
    PX_ASSERT(!frame->condemned);
    frame->condemned = true;
    const struct hot_frame hot = {frame->seq, frame->frame.payload};
    return note_bad(batch, batch->sources[frame->source].file, &hot, fault);
}

void seal_drop_condemned(struct seal_batch *batch)
{
    size_t kept = 0;
    for (size_t i = 0; i < batch->frame_count; i++) {
        if (batch->frames[i].condemned)
            batch->rows -= batch->frames[i].frame.header.rows;
        else
            batch->frames[kept++] = batch->frames[i];
    }
    batch->frame_count = kept;
}

int seal_weed(struct seal_batch *batch, size_t *ret_removed)
{
    size_t before = batch->frame_count;
    for (size_t i = 0; i < batch->frame_count; i++) {
        bool ok = false;
        PX_TRY(decodes(&batch->frames[i].frame, &ok));
        if (!ok)
            PX_TRY(seal_condemn(batch, i,
                                px_fault(PX_F_CORRUPT, "frame %llu does not decode",
                                         (unsigned long long)batch->frames[i].seq)));
    }
    seal_drop_condemned(batch);
    *ret_removed = before - batch->frame_count;
    return 0;
}
