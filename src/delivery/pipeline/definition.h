/* delivery/pipeline/definition.h - platform/pipeline.json, read and checked as a whole before anything is touched.
 *
 * Stages, lists and waves unfold into one row of steps: first a stage's `steps`, then wave by wave and region by region its
 * `region_steps` with a step `bake` behind each wave, then its `end_steps`. A step's path says where it stands:
 * "build/release", "prod/plan", "prod/second/us-east-1/apply", "prod/second/bake". */
#pragma once

#include "delivery/pipeline/action.h"

#define DEFINITION_BYTES_MAX (1u << 20)
#define DEFINITION_STEPS_MAX 1000
#define DEFINITION_PROBLEMS_MAX 50

enum definition_answer { DEFINITION_INVALID = 1 };

struct definition_environment {
    struct px_str name;
    bool by_starter;       /* who started the run may approve */
    int64_t expires_s;     /* of an approval, since it was asked for */
    yyjson_val *approvers; /* array of names; NULL: anybody */
    yyjson_val *
        signers; /* array of public keys, one of which signed what comes here; NULL: anything may come */
};
struct definition_act { /* an action with what it is given */
    const struct action *action;
    yyjson_val *with; /* an object; NULL: none was given */
    int64_t timeout_s, attempts, pause_s;
};
struct definition_step {
    struct px_str path, name, wave, region; /* wave and region: empty outside of waves */
    yyjson_val *regions;                    /* of the wave, for its bake */
    size_t stage;
    struct definition_act act;
    struct definition_act undo; /* action NULL: there is none */
    struct px_str undo_by_hand; /* what a person does instead; empty: there is nothing to undo */
};
/* Of its environment, when the stage is done: the release that it has; not all of it; what it had. */
enum definition_delivers { DEFINITION_WHOLE, DEFINITION_PART, DEFINITION_NOTHING };
struct definition_stage {
    struct px_str name;
    enum definition_delivers delivers;
    const struct definition_environment *environment; /* NULL: none */
    size_t first, count;                              /* of its steps */
};
struct definition {
    int64_t lease_s; /* who holds a run and is silent for so long has lost it */
    struct definition_environment *environments;
    struct definition_stage *stages;
    struct definition_step *steps;
    size_t environment_count, stage_count, step_count;
    yyjson_val *overlay; /* what the run does otherwise than the file says; NULL: nothing */
};
/* Everything is in arena.
 *   file      for messages
 *   problems  gets a line "FILE: PLACE: what is wrong; what to do" for each
 * Answers: DEFINITION_INVALID. */
PX_MUST_USE int definition_read(struct px_str text, const char *file,
                                const struct action_table *actions, struct px_arena *arena,
                                struct px_buf *problems, struct definition *ret_definition);
/* A pipeline's file, and over it an overlay's (definition_overlay.h; NULL: none).
 *   ret_text  what a run keeps of both: the text that definition_read() makes the same definition of
 * Answers: DEFINITION_INVALID. */
PX_MUST_USE int definition_load(const char *file, const char *overlay,
                                const struct action_table *actions, struct px_arena *arena,
                                struct px_buf *problems, struct px_buf *ret_text,
                                struct definition *ret_definition);
/* The step that `name`, given to step `at`, means; SIZE_MAX: none before it. */
size_t definition_step_before(const struct definition *definition, size_t at, struct px_str name);
PX_MUST_USE bool definition_name_is_ok(struct px_str name); /* [a-z0-9][a-z0-9-]{0,39} */

/* `with` with its variables filled in. */
struct definition_values {
    struct px_str environment, region, stage, wave, run, run_dir, release, place, root;
};
PX_MUST_USE int definition_fill(yyjson_val *with, const struct definition_values *values,
                                struct px_arena *arena, yyjson_val **ret_with);
