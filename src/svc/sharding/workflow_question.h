/* svc/sharding/workflow_question.h - what an execution asks, found in its history from the end: a task that waits for a token and has
 * no end yet. */
#pragma once

#include "base/px_json.h"

#define QUESTIONS_MAX 16u /* that wait at once */

struct question {
    int64_t event; /* id of its TaskScheduled */
    struct px_str token;
    yyjson_val *message; /* with the token in task_token */
};
struct question_walk {
    int64_t *ended; /* ids of events of tasks whose end was seen */
    size_t ended_count, ended_room;
    struct question found[QUESTIONS_MAX];
    size_t found_count;
    bool too_many;
    bool over; /* what is before was given up when the execution ended: it was redriven */
};
/* One event of GetExecutionHistory with reverseOrder, each after the one behind it. What is found lives in arena. */
PX_MUST_USE int question_take(struct question_walk *walk, yyjson_val *event,
                              struct px_arena *arena);
/* The message without its token. */
void question_write(const struct question *question, struct px_buf *json);
