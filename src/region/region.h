/* region/region.h - a whole region in one process tree: gateway, function pools, schedules, telemetry.
 *
 * region_run() opens the data folder (one region at a time holds its lock), starts the pools, listens,
 * reports readiness and serves until SIGTERM, SIGINT or POST /drain on the control socket; then it
 * drains: no new connection, running requests end, instances stop. Killing the process at any moment
 * loses nothing that was answered. docs/design/region.md */
#pragma once

#include "base/px_json.h"
#include "region/data_dir.h"

struct region_ready;
struct region_options {
    const char *data_dir;      /* created when absent */
    const char *platform_dir;  /* holds functions.json and api.openapi.json */
    const char *functions_dir; /* holds <name>/bootstrap */
    const char *host;          /* numeric; NULL: 127.0.0.1 */
    uint16_t port;             /* 0: as remembered in the data folder, else 4318 */
    struct data_dir_wish wish; /* name of the region, where its stores are */
    /* By function, {"<variable>": "<text>"}: its settings, over the catalogue's; NULL: the catalogue's. Kept as long as the region. */
    yyjson_val *settings;
    const char *fleet_file; /* of the supervisor of several regions (siblings.h); NULL: none */
    /* Called once when requests are served. */
    void (*on_ready)(void *ctx, const struct region_ready *ready);
    void *ctx;
};
/* What `prism up` prints. Views live during the callback only. */
struct region_ready {
    uint16_t port;
    bool created;         /* the first tenant was made now: its key is shown once */
    struct px_str tenant; /* the first tenant */
    struct px_str key;    /* its key; empty unless created */
    uint16_t tls_port;    /* 0: no TLS */
    bool tls_own;         /* signed by the data folder's own authority */
};
enum region_answer {
    REGION_RUNNING = 1, /* another process holds this data folder */
    REGION_PORT_TAKEN,
    REGION_TLS_PORT_TAKEN,
};
/* Answers as above, with nothing changed. Faults: the data folder cannot be used, a platform file is
 * wrong (detail names file and place), a function is missing. */
PX_MUST_USE int region_run(const struct region_options *options);
