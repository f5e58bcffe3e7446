/* region/versions.h - versions of functions, their aliases with weights, and the pools that run them: what Lambda has.
 *
 * A function that nobody ever rolled out has version 1, what was built, and alias `live` on it; nothing is written down
 * and nothing is spent on it. The first publication keeps its code and its state under <data>/functions/<name>/:
 *
 *   state.json     versions, aliases, provisioned and reserved concurrency; replaced as a whole
 *   <digest>/      the code of versions, never changed (version_code.h)
 *
 * Everybody who calls a function gets its pool here, so that weights hold for the gateway, schedules, asynchronous
 * events, workflows, the authorizer and the region's own telemetry alike. docs/design/rollout.md */
#pragma once

#include <uv.h>

#include "base/px_clock.h"
#include "base/px_log.h"
#include "lambda/pool.h"
#include "region/figures.h"
#include "region/functions.h"

#define VERSIONS_MAX 16 /* of one function */
#define VERSIONS_LIVE "live"

struct versions; /* opaque */
struct versions_options {
    uv_loop_t *loop;
    const struct function_catalogue *catalogue;
    const char *data_dir, *region_name;
    const char *functions_dir; /* holds <name>/bootstrap, as built */
    const struct px_clock *clock;
    const struct px_log *log;
    /* Everything of a function's pool but its executable, version and minimum; lives as long as the region. */
    int (*pool_options)(void *ctx, const struct function_spec *spec,
                        struct lambda_pool_options *ret_options);
    void *ctx;
    uint64_t (*random)(void *random_ctx); /* NULL: the kernel's */
    void *random_ctx;
};
/* Reads what stands in the data folder and starts the warm instances. Faults: PX_F_CONFIG: a function without
 * bootstrap, a state that cannot be. */
PX_MUST_USE int versions_new(const struct versions_options *options,
                             struct versions **ret_versions);
/* The pool for the next call of a function, by the index of the catalogue: alias `live`. */
struct lambda_pool *versions_pool(struct versions *versions, size_t function);
/* By number, alias or "$LATEST"; empty: alias `live`. ret_executed: the version's number as text.
 * NULL: there is none, or it cannot be run. */
struct lambda_pool *versions_qualified(struct versions *versions, size_t function,
                                       struct px_str qualifier, const char **ret_executed);
/* Of all versions together. */
void versions_stats(const struct versions *versions, size_t function,
                    struct lambda_pool_stats *ret_stats);
/* A JSON array: for each version that runs or is pointed to its weight, instances and what it did in the last five minutes. */
void versions_write(const struct versions *versions, size_t function, struct px_buf *buf);
bool versions_stored(const struct versions *versions, size_t function); /* somebody rolled it out */

/* What ended in [from_s, to_s) of the wall clock; executed 0: all versions. False: no such version. */
bool versions_figures(const struct versions *versions, size_t function, uint32_t executed,
                      int64_t from_s, int64_t to_s, struct figures_sum *ret_sum);
uint32_t versions_reserved(const struct versions *versions, size_t function);

/* Stop all pools; done is called once when they have. A second call hurries, as lambda_pool_stop() does. No pool: done is
 * not called. */
void versions_stop(struct versions *versions, uint32_t grace_ms, void (*done)(void *ctx),
                   void *ctx);
bool versions_running(const struct versions *versions);
void versions_free_pools(struct versions *versions);
void versions_free(struct versions **versions); /* once the loop has run dry */

/* ---- Lambda's API ---- */

/* Serve /2015-03-31/functions/{name}/... and its kin but invocations. name_of: the function of a name or ARN, NULL: none.
 * False: it is something else. */
bool versions_serve(struct versions *versions, struct http_request *request,
                    const struct function_spec *(*name_of)(void *ctx, struct px_str name),
                    void *ctx);
