/* vtl/vtl.h - mapping templates of API Gateway's direct integrations, evaluated by the npm module velocityjs.
 *
 * A subset of VTL, refused beyond it (vtl.js says what it is): what velocityjs and API Gateway's own Velocity would read differently, and
 * whatever could let a value break out of the JSON that the template makes. Values are never read as VTL.
 * Source: API Gateway developer guide, "Mapping template transformations for REST APIs" and "Variables for data transformations". */
#pragma once

#include "base/px_arena.h"

struct vtl; /* opaque; its engine is opened by the first call */

struct vtl_options {
    size_t memory_bytes_max; /* 0: 32 MiB */
    uint32_t eval_ms_max;    /* of processor time; 0: 500 */
};
PX_MUST_USE int vtl_new(const struct vtl_options *options, struct vtl **ret_vtl);
void vtl_free(struct vtl **vtl);
/* Give the engine's memory back; the next call opens it again. */
void vtl_rest(struct vtl *vtl);

struct vtl_pair {
    struct px_str name, value;
};
struct vtl_input {      /* borrowed for the call; UTF-8, other bytes become U+FFFD */
    struct px_str body; /* of the request, or of the integration's answer */
    const struct vtl_pair *path, *query, *headers; /* $input.params(): looked for in this order */
    size_t path_count, query_count, header_count;
    const struct vtl_pair *context; /* dotted: "authorizer.tenant" */
    size_t context_count;
    const struct vtl_pair *stage_variables;
    size_t stage_variable_count;
};
struct vtl_result {
    struct px_str text; /* in the arena */
    int status;         /* $context.responseOverride.status; 0: not set */
};
enum vtl_answer {
    VTL_REFUSED = 1, /* check: outside the subset */
    VTL_FAILED,      /* render: what the template asks for is not there, or beyond the ceilings */
};
/* Answers: VTL_REFUSED. ret_why: why not, in the arena. */
PX_MUST_USE int vtl_check(struct vtl *vtl, struct px_str text, struct px_arena *arena,
                          struct px_str *ret_why);
/* A template that vtl_check() took. Answers: VTL_FAILED, ret_why says why. */
PX_MUST_USE int vtl_render(struct vtl *vtl, struct px_str text, const struct vtl_input *input,
                           struct px_arena *arena, struct vtl_result *ret_result,
                           struct px_str *ret_why);
