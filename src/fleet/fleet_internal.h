/* fleet/fleet_internal.h - the parts of a running supervisor. */
#pragma once

#include <uv.h>

#include "fleet/child.h"
#include "fleet/fleet.h"
#include "http/certificates.h"
#include "http/server.h"

struct fleet;
struct fleet_part { /* a region's process */
    struct fleet *fleet;
    size_t index;
    struct child child;
};
struct fleet {
    const struct fleet_options *options;
    const struct px_clock *clock;
    struct px_log log;
    struct px_arena *arena;
    struct fleet_state state;
    const char *host, *node;
    uv_loop_t loop;
    uv_signal_t sigterm, sigint;
    uv_timer_t kill_timer, follow_timer;
    struct certificates *certificates; /* the router shows them; NULL: no TLS */
    bool shown_late;                   /* new ones came while the router started */
    struct http_server *control;
    struct fleet_part parts[FLEET_REGIONS_MAX];
    struct child router;
    int64_t started_wall_ns;
    unsigned pushes; /* settings on their way to the regions */
    bool ready_told, stopping, ended;
    const char *why; /* it does not start */
    bool created;
    struct px_buf key; /* of the first tenant, until it was told */
};
/* fleet.c */
void fleet_begin_stop(struct fleet *fleet);
PX_MUST_USE int fleet_save(
    struct fleet *fleet); /* fleet.json, router.json; the router reads it again */
/* fleet_control.c */
PX_MUST_USE int fleet_control_start(struct fleet *fleet);
/* Lag and cuts to all regions that serve; request may be NULL, else it is answered then. */
void fleet_push_settings(struct fleet *fleet, struct http_request *request);
void fleet_write_status(struct fleet *fleet, struct px_buf *buf);
