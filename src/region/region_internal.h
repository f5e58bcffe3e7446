/* region/region_internal.h - the parts of a running region; for region*.c and control*.c only. */
#pragma once

#include <uv.h>

#include "base/px_log.h"
#include "http/certificates.h"
#include "region/async.h"
#include "region/copies.h"
#include "region/data_dir.h"
#include "region/elsewhere.h"
#include "region/functions.h"
#include "region/gateway.h"
#include "region/metric_sums.h"
#include "region/names.h"
#include "region/openapi.h"
#include "region/region.h"
#include "region/replicator.h"
#include "region/schedules.h"
#include "region/telemetry.h"
#include "region/tuning.h"
#include "region/versions.h"
#include "region/watch.h"
#include "region/workflows.h"
#include "vtl/vtl.h"

/* Phases: STARTING -> SERVING -> DRAINING (no new requests) -> STOPPING (instances end) -> gone. */
enum region_phase { REGION_STARTING, REGION_SERVING, REGION_DRAINING, REGION_STOPPING };

struct log_follower {
    struct log_follower *next;
    struct http_request *request;
    struct px_str function; /* empty: all */
    size_t queued_bytes;
};
struct region {
    const struct region_options *options;
    struct region_tuning tuning;
    const struct px_clock *clock;
    struct px_log log;
    struct px_arena arena; /* lives as long as the process */
    uv_loop_t loop;
    struct data_dir data;
    struct function_catalogue catalogue;
    uint64_t memory_mb; /* of the machine */
    struct api_contract contract;
    const struct names *names;
    struct versions *versions; /* and the pools that run them */
    struct figures *figures;   /* of the gateway */
    struct request_sums *requests;
    struct watch *watch;
    /* by index of the catalogue; made with a function's first pool */
    const char *const **environments;
    const char **log_paths;
    struct telemetry *telemetry;
    struct metric_sums *sums;          /* of the functions' metric lines */
    struct certificates *certificates; /* NULL: no TLS */
    struct gateway *gateway;
    struct async_queue *async;
    struct schedules *schedules;
    struct workflows *workflows;
    struct vtl *vtl; /* of the gateway's direct integrations */
    struct elsewhere *elsewhere;
    struct http_server *control;
    struct siblings siblings;
    struct replicator *replicator; /* NULL: a region by itself */
    struct copies *copies;         /* likewise */
    struct log_follower *followers;
    uv_signal_t sigterm, sigint;
    uv_timer_t metrics_timer, drain_timer;
    uint16_t port;
    int64_t started_wall_ns;
    enum region_phase phase;
    int64_t drain_until_ns; /* monotonic */
};

/* region.c */
struct lambda_pool *region_pool(void *ctx, struct px_str function); /* ctx: struct region */
/* region_names.c: by which names the gateway is called, and what it shows to them */
PX_MUST_USE int region_find_names(struct region *region);
/* drain.c */
void region_watch(struct region *region); /* signals and timers, from now to the end of the drain */
void region_begin_drain(struct region *region);
void region_abandon(struct region *region); /* a start that failed */
/* process.c */
void region_process_prepare(void);
/* control.c */
PX_MUST_USE int control_start(struct region *region);
/* status.c */
void status_serve(struct region *region, struct http_request *request); /* GET /status */
void status_metrics(struct region *region);                             /* rows into `metrics` */
/* logs.c */
void logs_serve(struct region *region, struct http_request *request);
void logs_gone(struct region *region, struct http_request *request);
void logs_line(struct region *region, const char *function, struct px_str line);
void logs_close_all(struct region *region);
