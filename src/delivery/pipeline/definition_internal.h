/* delivery/pipeline/definition_internal.h - between the files that read a pipeline. */
#pragma once

#include "delivery/pipeline/definition.h"

struct reading {
    const char *file;
    const struct action_table *actions;
    struct px_arena *arena;
    struct px_buf *problems;
    unsigned problem_count;
    int fault;                            /* memory */
    int64_t timeout_s, attempts, pause_s; /* defaults */
    yyjson_val *lists;
    struct definition *definition;
    size_t step_cap;
    yyjson_val *overlay;                    /* NULL: none */
    uint64_t overlay_skipped, overlay_used; /* parts that named something */
    bool overlay_took;                      /* a step of the stage at hand away */
};

/* place: printf'ed by the caller into the arena */
void definition_problem(struct reading *reading, struct px_str place, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
struct px_str definition_place(struct reading *reading, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The line of a byte, from 1. */
size_t definition_line_of(struct px_str text, size_t offset);
/* Members other than those named are problems; so is a repeated one. known: NULL-ended. False for what is no object. */
bool definition_check_members(struct reading *reading, yyjson_val *object, struct px_str place,
                              const char *const *known);
struct definition_number {
    const char *name;
    int64_t min, max, otherwise;
};
int64_t definition_number(struct reading *reading, yyjson_val *object, struct px_str place,
                          const struct definition_number *number);
/* An action with its parameters. path: of the step, or "<path>!undo"; known: the members that there may be. */
void definition_read_act(struct reading *reading, yyjson_val *object, struct px_str place,
                         struct px_str path, const char *const *known, struct definition_act *act);
void definition_check_with(struct reading *reading, const struct action *action, yyjson_val *with,
                           struct px_str place);
