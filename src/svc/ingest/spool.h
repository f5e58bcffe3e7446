/* svc/ingest/spool.h - requests that are taken while nobody knows whether their tenant moved or stays.
 *
 * A spool has no claims: between two regions that are cut off from each other they could not be compared. It keeps with each frame
 * what its claim would have said, and the claim is taken when the request is told on, in the region that the tenant is at home in
 * then: by the ordinary way, so that what was stored there meanwhile, or stands in the spool twice, is a duplicate.
 * docs/design/migration.md, "The spool". */
#pragma once

#include "store/hot_spool.h"
#include "svc/ingest/claim.h"

#define SPOOL_BYTES_MAX ((uint64_t)64 << 20) /* of a tenant */

/* One per instance of ingest: the spool that it wrote to last. Zeros are none. */
struct spool {
    char tenant[64];
    int64_t epoch;
    struct hot_spool place;
    struct hot_writer *writer;
};
void spool_close(struct spool *spool);
enum spool_answer { SPOOL_FULL = 1 };
/* One request, on stable storage when the call returns; the caller looks at the fence then. Answers: SPOOL_FULL. */
PX_MUST_USE int spool_append(struct spool *spool, struct hot_store *hot,
                             const struct claim_wish *wish, int64_t epoch, struct px_str frame,
                             struct px_arena *arena);

struct spool_told {
    uint64_t stored, known; /* requests */
    bool more;              /* some are under way elsewhere, or the time is over: repeat */
};
/* Every request of a spool that has ended, to the tenant's hot files with its claim. May be repeated: what was told on is known.
 * Nobody else may do the same meanwhile.
 *   deadline_mono_ns  0: none
 * Faults: PX_F_CORRUPT: a frame cannot be read, and all before it were told on. */
PX_MUST_USE int spool_tell(const struct claim_stores *stores, struct px_str tenant,
                           const struct hot_spool *place, int64_t deadline_mono_ns,
                           struct spool_told *told);
