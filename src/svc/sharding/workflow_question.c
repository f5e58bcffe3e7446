/* svc/sharding/workflow_question.c - see workflow_question.h.
 *
 * TaskScheduled <- TaskStarted <- TaskSubmitted <- TaskSucceeded | TaskFailed | TaskTimedOut, each naming the one before it. Read from
 * the end, an end notes the one before it, and so on down to the TaskScheduled, which then has ended. What waits is known by its
 * message's token: every machine of workflows.json that asks says it as task_token. A task that waited when the execution ended has no
 * end of its own; what a redrive goes on with is asked anew, so nothing before an ExecutionRedriven waits. Source: Step Functions API
 * reference, HistoryEvent. */
#include "svc/sharding/workflow_question.h"

#define TOKEN "task_token"

static bool is_end(struct px_str type)
{
    static const char *const ends[] = {"TaskSucceeded",   "TaskFailed",       "TaskTimedOut",
                                       "TaskStartFailed", "TaskSubmitFailed", "TaskStateAborted"};
    for (size_t i = 0; i < PX_COUNT(ends); i++)
        if (px_str_eq(type, px_str_c(ends[i]))) return true;
    return false;
}

static int note(struct question_walk *walk, int64_t id, struct px_arena *arena)
{
    if (walk->ended_count == walk->ended_room) {
        size_t room = walk->ended_room ? walk->ended_room * 2 : 64;
        void *list = px_arena_realloc(arena, walk->ended, walk->ended_room * sizeof *walk->ended,
                                      room * sizeof *walk->ended);
        if (!list) return px_arena_fault(arena);
        walk->ended = list;
        walk->ended_room = room;
    }
    walk->ended[walk->ended_count++] = id;
    return 0;
}

static bool take_note(struct question_walk *walk, int64_t id)
{
    for (size_t i = walk->ended_count; i-- > 0;) {
        if (walk->ended[i] != id) continue;
        walk->ended[i] = walk->ended[--walk->ended_count];
        return true;
    }
    return false;
}

/* The parameters of what waits: text in the protocol, with a body that is an object or a text again. */
static int read_question(struct px_str parameters, int64_t id, struct question_walk *walk,
                         struct px_arena *arena)
{
    yyjson_val *root = NULL;
    int r = px_json_parse(parameters, arena, &root, NULL);
    if (r > 0) return 0;
    PX_TRY(r);
    yyjson_val *message = yyjson_obj_get(root, "MessageBody");
    if (yyjson_is_str(message)) {
        r = px_json_parse(px_json_val_str(message), arena, &message, NULL);
        if (r > 0) return 0;
        PX_TRY(r);
    }
    struct px_str token = px_json_str(message, TOKEN);
    if (token.len == 0) return 0; /* nobody could answer it */
    if (walk->found_count == QUESTIONS_MAX)
        walk->too_many = true;
    else
        walk->found[walk->found_count++] = (struct question){id, token, message};
    return 0;
}

int question_take(struct question_walk *walk, yyjson_val *event, struct px_arena *arena)
{
    struct px_str type = px_json_str(event, "type");
    int64_t id = px_json_i64(event, "id", 0), before = px_json_i64(event, "previousEventId", 0);
    walk->over = walk->over || px_str_eq(type, S("ExecutionRedriven"));
    if (walk->over) return 0;
    if (is_end(type)) return note(walk, before, arena);
    if (px_str_eq(type, S("TaskSubmitted")) || px_str_eq(type, S("TaskStarted")))
        return take_note(walk, id) ? note(walk, before, arena) : 0;
    if (!px_str_eq(type, S("TaskScheduled")) || take_note(walk, id)) return 0;
    yyjson_val *details = px_json_obj(event, "taskScheduledEventDetails");
    return read_question(px_json_str(details, "parameters"), id, walk, arena);
}

void question_write(const struct question *question, struct px_buf *json)
{
    size_t i, n, kept = 0;
    yyjson_val *key, *val;
    px_buf_printf(json, "{\"event\":%lld,\"message\":{", (long long)question->event);
    px_json_obj_foreach(question->message, i, n, key, val)
    {
        if (px_str_eq(px_json_val_str(key), S(TOKEN))) continue;
        if (kept++ > 0) px_buf_add_char(json, ',');
        px_buf_add_json_str(json, px_json_val_str(key));
        px_buf_add_char(json, ':');
        px_buf_add_json(json, val);
    }
    px_buf_add_c(json, "}}");
}
