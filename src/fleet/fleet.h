/* fleet/fleet.h - several regions on one machine under one supervisor, and the edge router in front of them
 * (`prism up --regions`). docs/design/regions.md
 *
 *   <data>/region.lock, region.sock   the supervisor's, as a region has them
 *   <data>/fleet.json                 the regions, their ports, what is rehearsed
 *   <data>/router.json                the router's part of it
 *   <data>/regions/<name>/            each region's own data folder
 *   <data>/tls/                       authority and certificate of the router, unless it shows files of others
 *   <data>/logs/router.log
 *
 * Each region is a process of its own, started as `prism up --region NAME`; the router is Node.js. What ends
 * by itself is started again: at once, or where it ends again and again after a pause that doubles. Regions and router end when the supervisor ends,
 * whatever ended it. */
#pragma once

#include "fleet/state.h"

struct fleet_ready {
    uint16_t port; /* of the router */
    const struct fleet_state *state;
    bool created;         /* the first tenant was made now */
    struct px_str tenant; /* views live during the callback */
    struct px_str key;
};
struct fleet_options {
    const char *data_dir; /* absolute, exists */
    const char *program;  /* prism itself */
    const char *edge_dir; /* holds local.mjs */
    const char *node;     /* NULL: found in PATH */
    const char *host;     /* numeric; NULL: 127.0.0.1 */
    const char *regions;  /* names with commas; NULL: those that are remembered */
    uint16_t port;        /* of the router; 0: as remembered, else 4318 */
    struct tls_wish tls;  /* of the router; paths are absolute, no clients */
    int64_t lag_ms;       /* -1: as remembered */
    void (*on_ready)(void *ctx, const struct fleet_ready *ready); /* once, when all serve */
    void *ctx;
};
enum fleet_answer {
    FLEET_RUNNING = 1, /* another process holds this data folder */
    FLEET_FAILED, /* a part did not start; px_fault_text() has nothing, the log of it has, and ret_why */
};
/* ret_why: with FLEET_FAILED a sentence in arena. */
PX_MUST_USE int fleet_run(const struct fleet_options *options, struct px_arena *arena,
                          const char **ret_why);
/* Node.js in PATH, or NULL. */
const char *fleet_find_node(struct px_arena *arena);
