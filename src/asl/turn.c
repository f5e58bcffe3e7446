/* asl/turn.c - what one execution did in one go, written for the journal: events as lines, records of the frames that changed.
 *
 * Invariant: between turn_begin() and turn_end() one execution writes. A frame's record is written once a turn however often it
 * moved, so a chain of states that ends in the same turn leaves events and no records at all. */
#include <stdlib.h>

#include "asl/engine_internal.h"

const char *asl_event_name(enum asl_event_type type)
{
    static const char *const names[] = {
#define X(name, details) #name,
        ASL_EVENTS(X)
#undef X
    };
    return type < ASL_EV_COUNT ? names[type] : "?";
}

void turn_begin(struct asl_engine *engine)
{
    px_buf_clear(&engine->events);
    px_buf_clear(&engine->record_text);
    engine->event_first = engine->event_count = 0;
    engine->event_kept = SIZE_MAX;
}

/* The last event that there may be is the execution's end. Anything else that would be it is not written, and the execution fails of
 * it. Source: developer guide, "Starting new executions to avoid reaching the history quota"; so recorded on AWS, too: ExecutionFailed
 * is event 25,000, and event 24,999 the last of the machine's own. */
static bool is_beyond(const struct asl_execution *execution, enum asl_event_type type)
{
    bool end = type == ASL_EV_ExecutionSucceeded || type == ASL_EV_ExecutionFailed ||
               type == ASL_EV_ExecutionAborted || type == ASL_EV_ExecutionTimedOut;
    return execution->type == ASL_STANDARD && execution->next_event >= ASL_HISTORY_EVENTS_MAX &&
           !end;
}

struct px_buf *turn_event(struct asl_execution *execution, struct frame *frame,
                          enum asl_event_type type)
{
    struct asl_engine *engine = execution->engine;
    struct px_buf *buf = &engine->events;
    if (is_beyond(execution, type)) {
        execution->overflowing = true;
        engine->event_kept = buf->len;
        px_buf_add_char(buf, '{');
        return buf;
    }
    uint32_t id = execution->next_event++, previous = frame ? frame->last_event : id - 1;
    if (engine->event_count++ == 0) engine->event_first = id;
    if (frame) frame->last_event = id;
    execution->info.event_count = id;
    px_buf_printf(buf, "{\"id\":%u,\"p\":%u,\"t\":%lld,\"y\":\"%s\",\"d\":{", id, previous,
                  (long long)engine_now_ms(engine), asl_event_name(type));
    return buf;
}

static void comma(struct px_buf *buf)
{
    if (buf->len && buf->ptr[buf->len - 1] != '{') px_buf_add_char(buf, ',');
}

void turn_member(struct px_buf *buf, const char *name, struct px_str text)
{
    comma(buf);
    px_buf_printf(buf, "\"%s\":", name);
    px_buf_add_json_str(buf, text);
}

void turn_member_json(struct px_buf *buf, const char *name, struct px_str json)
{
    comma(buf);
    px_buf_printf(buf, "\"%s\":", name);
    /* An event is a line. In JSON a line feed stands between values only, where a space means the same. */
    struct px_str line;
    while (px_str_cut(&json, '\n', &line)) {
        px_buf_add_str(buf, line);
        px_buf_add_char(buf, ' ');
    }
    px_buf_add_str(buf, line);
}

void turn_failure(struct px_buf *buf, struct px_str error, struct px_str cause)
{
    if (error.ptr) turn_member(buf, "error", error);
    if (cause.ptr) turn_member(buf, "cause", cause);
}

void turn_event_end(struct asl_execution *execution)
{
    struct asl_engine *engine = execution->engine;
    px_buf_add(&engine->events, "}}\n", 3);
    if (engine->event_kept != SIZE_MAX) engine->events.len = engine->event_kept;
    engine->event_kept = SIZE_MAX;
}

void turn_bare(struct asl_execution *execution, struct frame *frame, enum asl_event_type type)
{
    turn_event(execution, frame, type);
    turn_event_end(execution);
}

void turn_touch(struct frame *frame) { frame->dirty = true; }

static int reserve_records(struct asl_engine *engine, size_t count)
{
    if (count <= engine->record_cap) return 0;
    struct asl_frame_record *records = realloc(engine->records, count * 2 * sizeof(*records));
    if (!records) return px_fault(PX_F_OOM, "%zu frame records", count);
    engine->records = records;
    engine->record_cap = count * 2;
    return 0;
}

/* Where each record ends in record_text; the views are set when the buffer moves no more. */
static int write_records(struct asl_execution *execution, struct asl_turn *turn)
{
    struct asl_engine *engine = execution->engine;
    struct px_buf *buf = &engine->record_text;
    size_t count = 0, at = 0;
    PX_TRY(reserve_records(engine, execution->frame_count + execution->gone_count));
    for (size_t i = 0; i < execution->gone_count; i++)
        engine->records[count++] = execution->gone[i];
    size_t first = count;
    for (size_t i = 0; i < execution->frame_count; i++) {
        struct frame *frame = execution->frames[i];
        if (!frame->dirty) continue;
        frame->dirty = false;
        size_t before = buf->len;
        frame_write(frame, buf);
        engine->records[count++] = (struct asl_frame_record){
            .frame = frame->id,
            .parent = frame->parent ? frame->parent->id : 0,
            .record = {NULL, buf->len - before},
        };
    }
    PX_TRY(px_buf_fault(buf));
    for (size_t i = first; i < count; i++) {
        engine->records[i].record.ptr = buf->ptr + at;
        at += engine->records[i].record.len;
    }
    turn->frames = engine->records;
    turn->frame_count = count;
    return 0;
}

int turn_end(struct asl_execution *execution)
{
    struct asl_engine *engine = execution->engine;
    struct asl_turn turn = {
        .execution = execution,
        .first = execution->first_turn,
        .ended = execution->ended,
        .event_first = engine->event_first,
        .event_count = engine->event_count,
    };
    PX_TRY(px_buf_fault(&engine->events));
    turn.events = px_buf_str(&engine->events);
    if (engine->has_journal) {
        PX_TRY(write_records(execution, &turn));
        PX_TRY(engine->journal.turn(engine->journal.ctx, &turn));
    }
    execution->gone_count = 0;
    if (turn.first) PX_TRY(engine_effect(execution, EFFECT_STARTED, NULL));
    execution->first_turn = false;
    if (execution->ended) PX_TRY(engine_effect(execution, EFFECT_ENDED, NULL));
    engine->turns++; /* what came before waits for this number */
    return 0;
}
