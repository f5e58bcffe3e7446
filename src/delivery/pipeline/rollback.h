/* delivery/pipeline/rollback.h - between the files of `prism rollback`: which units go back, to what, and the pipeline that does it. */
#pragma once

#include "delivery/pipeline/deployed.h"
#include "delivery/pipeline/engine.h"
#include "delivery/pipeline/environment.h"

#define ROLLBACK_UNITS_MAX 256

/* A unit of the environment, with the steps of the pipeline that deliver it. */
struct rollback_unit {
    struct px_str name;
    bool is_region;
    const struct definition_step *plan, *apply, *rollout; /* the last two may be NULL */
    struct deployed_head head;
    struct px_str has; /* the release that stands there, or that began to */
    uint32_t has_run;  /* and the run that brought it */
    struct deployed_record target;
    bool next; /* the target stood there just before */
};
struct rollback {
    struct pipeline *pipeline;
    const struct pipeline_way_back *way;
    struct px_arena *arena;
    struct deployed_shelf shelf;
    const struct definition *definition; /* of platform/pipeline.json now */
    yyjson_val *file;                    /* its text */
    struct px_str environment;
    struct environment stands;
    struct rollback_unit *units; /* in the order in which the pipeline delivers them */
    size_t count;
    bool whole;                    /* all that the pipeline delivers to the environment */
    struct action_release release; /* that is gone back to */
};

/* ---- rollback_find.c ---- */
/* Fill in everything from `environment` on. Answers: PIPELINE_NONE, PIPELINE_REFUSED, said: nothing may be touched. */
PX_MUST_USE int rollback_find(struct rollback *back);
/* ---- rollback_check.c ---- */
/* Whether it may be gone: the catalog's schema, the release's artifacts. Answers: PIPELINE_REFUSED, said. Fills in release. */
PX_MUST_USE int rollback_check(struct rollback *back);
/* ---- rollback_write.c ---- */
/* The pipeline that does it. */
PX_MUST_USE int rollback_write(const struct rollback *back, struct px_buf *text);
