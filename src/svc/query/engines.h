/* svc/query/engines.h - the engines of one function instance: one kept for the tenant that asked last,
 * and a fresh one ahead for the next tenant.
 *
 * A kept engine is locked to its tenant's folders and never serves another tenant; each query has a
 * connection of its own on it, and finds the views that the ones before it made. A query that must
 * write a file has an engine for itself, which its caller locks to exact files. Opening (6 ms of CPU)
 * and closing happen in threads, since no request should wait for them. */
#pragma once

#include "sql/engine.h"
#include "sql/hot_table.h"
#include "store/objects.h"
#include "store/readers.h"
#include "svc/query/copies.h"
#include "svc/query/views.h"

struct engines; /* opaque */
struct engines_options {
    struct sql_limits limits;                  /* copied */
    struct object_store *segments, *analytics; /* borrowed */
    struct object_readers *readers;            /* borrowed; NULL where both are folders */
    const struct copies *copies;               /* borrowed; NULL: there are none */
};
/* Opens the first engine at once. */
PX_MUST_USE int engines_new(const struct engines_options *options, struct engines **ret_engines);
void engines_free(struct engines **engines);

struct engine_lease {
    struct sql_engine *engine;
    struct views *views;       /* of the engine */
    struct hot_sets *hot_sets; /* what prism_hot() shows; empty, to be filled */
    bool exact;                /* unlocked: the caller locks it */
    bool broken;               /* set by the caller after a fault: the engine is not kept */
    bool forgetful;            /* set by the caller: its views are not kept */
};
/* One lease at a time. */
PX_MUST_USE int engines_take(struct engines *engines, struct px_str tenant, bool exact,
                             struct engine_lease *ret_lease);
/* Ends whatever runs; an empty lease is a no-op. */
void engines_give(struct engines *engines, struct engine_lease *lease);
