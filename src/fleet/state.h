/* fleet/state.h - what the supervisor of several regions remembers in <data>/fleet.json, which the regions read
 * (region/siblings.h) and whose parts the edge router gets in <data>/router.json. */
#pragma once

#include "base/px_arena.h"
#include "base/px_buf.h"
#include "http/tls_memory.h"

#define FLEET_REGIONS_MAX 20 /* infra/global/variables.tf: regions */
#define FLEET_LAG_MS_MAX 3600000
#define FLEET_SCATTER_MS_MAX 60000

struct fleet_region {
    const char *name;
    uint16_t port; /* 0: none yet */
    bool down;     /* killed on purpose: it stays so */
    bool out;      /* evacuated: the router sends nothing there */
    int standby;   /* index; -1: none */
};
struct fleet_state {
    const char *path;                               /* fleet.json */
    const char *folder;                             /* that it stands in, absolute */
    struct fleet_region regions[FLEET_REGIONS_MAX]; /* the first is the primary */
    size_t count;
    uint16_t port;                                   /* of the router; 0: none yet */
    struct tls_memory tls;                           /* of the router */
    uint32_t lag_ms, scatter_ms;                     /* of the registry */
    bool cuts[FLEET_REGIONS_MAX][FLEET_REGIONS_MAX]; /* both ways */
};
enum fleet_state_answer { FLEET_NONE = 1 };
/* folder is borrowed, all else in arena. Answers: FLEET_NONE. Faults: PX_F_CONFIG. */
PX_MUST_USE int fleet_state_load(const char *folder, struct px_arena *arena,
                                 struct fleet_state *ret_state);
/* Names, with commas: each becomes a region unless there is one of that name; none goes.
 * Faults: PX_F_CONFIG, for people, with the state unchanged. */
PX_MUST_USE int fleet_state_add(struct fleet_state *state, struct px_str names,
                                struct px_arena *arena);
PX_MUST_USE int fleet_state_save(const struct fleet_state *state);
/* The files of what the router shows over TLS. */
struct fleet_shown {
    const char *certificate, *key;
};
/* The router's part, into router.json; shown: NULL without TLS. */
PX_MUST_USE int fleet_state_save_router(const struct fleet_state *state, const char *host,
                                        const struct fleet_shown *shown);
/* Index of a region, or -1. */
int fleet_state_find(const struct fleet_state *state, struct px_str name);
/* Ports for the regions that have none: free now and no other region's. */
PX_MUST_USE int fleet_state_choose_ports(struct fleet_state *state);
/* Body of POST /replication for one region: lag, scatter and the names that it is cut from. */
void fleet_state_write_settings(const struct fleet_state *state, size_t region, struct px_buf *buf);
