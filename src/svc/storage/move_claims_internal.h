/* svc/storage/move_claims_internal.h - what both sides of a move know of a claim. */
#pragma once

#include "svc/storage/move_claims.h"

#define MOVE_CLAIMS_TABLE "idempotency"

struct move_claim {
    struct px_str sort, writer; /* (writer, seq): the frame that it names */
    uint64_t seq;
    int64_t started_ns, expires_ns;
};
/* As function ingest wrote it (svc/ingest/claim.c). What is read lives in arena or is the item's. */
PX_MUST_USE int move_claim_read(const struct table_item *item, struct px_arena *arena,
                                struct move_claim *ret_claim);
PX_MUST_USE int move_claims_key(struct px_str tenant, int64_t epoch, struct px_str name,
                                struct px_arena *arena, struct px_str *ret_key);
