/* svc/ingest/stored_limit.h - how many bytes of a tenant may be stored: quota stored_bytes, of what the catalog says is sealed (as
 * GET /v1/usage tells). What is fresh is not counted, and the sum is asked at most every STORED_LIMIT_S seconds by each instance: so a
 * tenant can be over by what it sends in those seconds and until the next seal, and what retain removes makes room as late.
 *
 * While the catalog does not answer, what it said last holds, and nothing is refused where it never did: what is
 * sealed cannot grow meanwhile either, for that needs the catalog. Who has no such limit costs nothing. */
#pragma once

#include "base/px_clock.h"
#include "svc/catalog/catalog.h"

#define STORED_LIMIT_S 5
#define STORED_TENANTS_MAX 512u

struct stored_seen {
    uint8_t tenant_len; /* 0: nobody */
    char tenant[63];
    int64_t asked_ns; /* monotonic */
    int64_t bytes;
};
/* Zeros are a fresh one. A tenant has one place, by its name; who comes to the same takes it over and asks anew. */
struct stored_limit {
    struct stored_seen seen[STORED_TENANTS_MAX];
};
struct stored_ask {
    struct px_str tenant; /* 1 to 63 bytes */
    int64_t limit;        /* 0 or more */
    const struct px_clock *clock;
    int (*catalog_of)(void *ctx, struct catalog **ret_catalog); /* opens it when it is needed */
    void *ctx;
};
/* Answers: STORED_FULL, there is as much as may be. Faults: PX_F_PROTOCOL. */
enum stored_answer { STORED_FULL = 1 };
PX_MUST_USE int stored_limit_check(struct stored_limit *limit, const struct stored_ask *ask);
