/* svc/storage/move_claims_internal.h - what both sides of a move know of a claim. */
#pragma once

#include "svc/storage/move_claims.h"

#define MOVE_CLAIMS_TABLE "idempotency"

struct move_claim {
    struct px_str sort, writer; /* (writer, seq): the frame that it names */
    uint64_t seq;
    int64_t started_ns, expires_ns;
    struct px_str document; /* as it stands in the source; empty in a list of an earlier release */
    int64_t version;        /* of the item that stands in its place in the target; 0: none */
};
/* As function ingest wrote it (svc/ingest/claim.c). What is read lives in arena or is the item's. */
PX_MUST_USE int move_claim_read(const struct table_item *item, struct px_arena *arena,
                                struct move_claim *ret_claim);
/* In the target, in place of what was found there (`version`): those that it may put itself, at most TABLE_KEYS_MAX.
 * One that moved meanwhile keeps all of them from being put: look again. */
PX_MUST_USE int move_claims_put(struct storage *storage, struct px_str tenant,
                                const struct move_claim *claims, size_t count);
PX_MUST_USE int move_claims_key(struct px_str tenant, int64_t epoch, struct px_str name,
                                struct px_arena *arena, struct px_str *ret_key);
