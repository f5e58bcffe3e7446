/* delivery/pipeline/deployed.h - what Terraform last put where, so that it can be put there again. In a pipeline's store:
 *
 *   deployed/<environment>/<unit>/head.json     which record stands there now; what has begun and has not ended
 *   deployed/<environment>/<unit>/000017.json   the record of run 17: release, configuration as rendered, plan, sources
 *   deployed/sources/<sha256>.json              sources of infra/ and platform/ as they were (sources.h)
 *
 * A unit is what has a state of its own: "global", or a region's name. A record is written once its apply is done and names the one that
 * stood before it; so records are a chain, and going back is to apply an earlier one again and to let the head point at it. */
#pragma once

#include "delivery/pipeline/action.h"

#define DEPLOYED_RUNS_MAX                                                                          \
    200 /* records that a head still names; sources and older records may go */

/* The store, for whoever is an action and for whoever is not. get(): OBJECT_ABSENT, OBJECT_TOO_LARGE. */
struct deployed_shelf {
    int (*get)(void *ctx, struct px_str key, struct px_buf *buf);
    int (*put)(void *ctx, struct px_str key, struct px_str bytes);
    void *ctx;
};
struct deployed_shelf deployed_shelf_of(const struct action_context *ctx);

struct deployed_unit {
    struct px_str environment, name;
};
struct deployed_head {
    uint32_t record;             /* run of the record that stands there; 0: nothing yet */
    uint32_t begun;              /* run whose apply began and has not ended; 0: none */
    struct px_str begun_release; /* its id */
    int64_t floor; /* what functions must know of the catalog's schema by now (contract.h) */
    uint32_t runs[DEPLOYED_RUNS_MAX]; /* that have records, ascending */
    size_t run_count;
};
struct deployed_record {
    uint32_t run, before; /* before: of the record that stood there; 0: none */
    struct px_str step, stack;
    struct action_release release;
    struct px_str plan;    /* digest */
    struct px_str sources; /* SHA-256 */
    yyjson_val *
        variables; /* [{"name","sha256","text"}] in Terraform's order; no text: it could not be kept */
    yyjson_val *withheld; /* names of variables that are sensitive: their values of now are used */
};

/* Zeros when there is none. */
PX_MUST_USE int deployed_head_read(const struct deployed_shelf *shelf,
                                   const struct deployed_unit *unit, struct px_arena *arena,
                                   struct deployed_head *ret_head);
PX_MUST_USE int deployed_head_write(const struct deployed_shelf *shelf,
                                    const struct deployed_unit *unit,
                                    const struct deployed_head *head);
/* Faults: PX_F_CORRUPT when it is not there, though a head names it. */
PX_MUST_USE int deployed_record_read(const struct deployed_shelf *shelf,
                                     const struct deployed_unit *unit, uint32_t run,
                                     struct px_arena *arena, struct deployed_record *ret_record);
PX_MUST_USE int deployed_record_write(const struct deployed_shelf *shelf,
                                      const struct deployed_unit *unit,
                                      const struct deployed_record *record);
/* The newest record of a release; an id of at least 4 digits may be shortened. Answers: OBJECT_ABSENT. */
PX_MUST_USE int deployed_find(const struct deployed_shelf *shelf, const struct deployed_unit *unit,
                              const struct deployed_head *head, struct px_str release,
                              struct px_arena *arena, struct deployed_record *ret_record);
/* The run whose record stood there before run `run` began. 0: none. */
PX_MUST_USE int deployed_before(const struct deployed_shelf *shelf,
                                const struct deployed_unit *unit, const struct deployed_head *head,
                                uint32_t run, struct px_arena *arena, uint32_t *ret_run);
void deployed_add_run(struct deployed_head *head, uint32_t run);
/* "deployed/sources/<sha256>.json" into key[128]. */
struct px_str deployed_sources_key(struct px_str sha256, char key[128]);
/* What the run rolled out in a unit, for action rollback: "deployed/<environment>/<unit>/rollout-000017.json" into key[256]. */
struct px_str deployed_rollout_key(const struct deployed_unit *unit, uint32_t run, char key[256]);
