/* store/executions_batch.c - turns in memory until they are committed. */
#include "store/executions_batch.h"

void execution_batch_init(struct execution_batch *batch, size_t bytes_max)
{
    *batch = (struct execution_batch){0};
    px_arena_init(&batch->arena, bytes_max);
    batch->last = &batch->first;
}

void execution_batch_deinit(struct execution_batch *batch)
{
    px_arena_deinit(&batch->arena);
    *batch = (struct execution_batch){0};
}

void execution_batch_clear(struct execution_batch *batch)
{
    px_arena_reset(&batch->arena);
    batch->first = NULL;
    batch->last = &batch->first;
    batch->turns = 0;
}

/* Absent stays absent. */
static void keep(struct px_arena *arena, struct px_str *text, bool *lost)
{
    if (!text->ptr) return;
    *text = px_arena_dup(arena, *text);
    *lost = *lost || !text->ptr;
}

static void keep_turn(struct px_arena *arena, struct batched_turn *kept,
                      struct execution_frame *frames, bool *lost)
{
    struct execution_turn *turn = &kept->turn;
    struct execution_row *row = &turn->row;
    struct px_str *const texts[] = {&row->machine, &row->name,   &row->arn,   &row->input,
                                    &row->output,  &row->error,  &row->cause, &row->waiter,
                                    &row->alias,   &turn->events};
    for (size_t i = 0; i < PX_COUNT(texts); i++) keep(arena, texts[i], lost);
    for (size_t i = 0; i < turn->frame_count; i++) {
        frames[i] = turn->frames[i];
        keep(arena, &frames[i].record, lost);
    }
    turn->frames = frames;
}

int execution_batch_add(struct execution_batch *batch, const struct execution_turn *turn)
{
    struct px_arena *arena = &batch->arena;
    struct batched_turn *kept = px_arena_new(arena, struct batched_turn);
    struct execution_frame *frames = px_arena_array(arena, struct execution_frame,
                                                    turn->frame_count);
    bool lost = !kept || !frames;
    if (!lost) {
        kept->turn = *turn;
        keep_turn(arena, kept, frames, &lost);
    }
    if (lost && px_arena_full(arena)) {
        arena->full = false; /* what was copied of this turn lies idle until the batch is cleared */
        return EXECUTION_BATCH_FULL;
    }
    if (lost) return px_fault(PX_F_OOM, "a batch of workflow turns");
    *batch->last = kept;
    batch->last = &kept->next;
    batch->turns++;
    return 0;
}
