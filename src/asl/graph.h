/* asl/graph.h - a machine as a drawing (SVG 1.1): states in layers from start to end, Parallel and Map as boxes around their
 * flows, Catch as dashed lines; and with an execution's history, what became of each state. */
#pragma once

#include "asl/definition.h"
#include "base/px_buf.h"

enum asl_graph_answer { ASL_GRAPH_TOO_LARGE = 1 };
/* States and bends of lines, all flows together. */
#define ASL_GRAPH_NODES_MAX 20000

enum asl_mark {
    ASL_MARK_NONE,
    ASL_MARK_SUCCEEDED,
    ASL_MARK_CAUGHT,
    ASL_MARK_FAILED,
    ASL_MARK_RUNNING,
    ASL_MARKS
};
struct asl_marks; /* opaque, in an arena */

/* What a history says of a machine's states. Names decide, they are unique in a machine; a state that was entered several times
 * shows the worst that became of it.
 *   history  as GetExecutionHistory answers, an object with `events`, or the array itself
 * Answers: ASL_INVALID when it is neither. */
PX_MUST_USE int asl_marks_read(yyjson_val *history, const struct asl_machine *machine,
                               struct px_arena *arena, const struct asl_marks **ret_marks);
enum asl_mark asl_mark_of(const struct asl_marks *marks, const struct asl_state *state);

/* Append the drawing. marks may be NULL. The arena is scratch space. Answers: ASL_GRAPH_TOO_LARGE. */
PX_MUST_USE int asl_graph_svg(const struct asl_machine *machine, const struct asl_marks *marks,
                              struct px_arena *arena, struct px_buf *svg);
