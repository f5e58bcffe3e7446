/* svc/ingest/claim.h - the right to store one request, so that its repeats are stored once.
 *
 * A claim is one item of the table "idempotency". It is put before the frame is appended and names the
 * (writer, number) that the frame will have; whoever finds it left behind looks whether that frame
 * exists. docs/design/ingest.md has the states and what each crash leaves. */
#pragma once

#include "base/px_clock.h"
#include "svc/ingest/ingest.h"
#include "svc/ingest/process.h"

struct claim_stores { /* what ingest lends; catalog is opened by `catalog_of` when needed */
    struct hot_store *hot;
    struct hot_writer *writer;
    struct table_store *tables;
    const struct px_clock *clock;
    int (*catalog_of)(void *ctx, struct catalog **ret_catalog);
    void *ctx;
};
struct claim_wish {
    struct px_str tenant, dataset;
    uint8_t request_id[16]; /* of the Idempotency-Key, or of the content without one */
    uint8_t content[16];    /* hash of the content */
    bool has_key;
    int64_t window_ns, lease_ns;
    uint64_t accepted, refused; /* what the answer will say */
};
/* A held claim. Plain data; small enough to be copied. */
struct claim {
    struct px_str tenant, dataset; /* borrowed from the wish */
    char sort[128];
    char writer[HOT_WRITER_LEN + 1];
    uint64_t seq;
    int64_t version, started_ns, lease_end_ns, expires_ns;
    uint64_t accepted, refused;
    uint8_t request_id[16], content[16];
    bool relaxed;
    bool
        unnoted; /* with CLAIM_REPEATED: nobody noted yet that the frame is stored; claim_settle() does */
};
/* One per instance. `debt` is a claim that could not be withdrawn: its number must not go to another
 * request, so no claim is made before the debt is paid. */
struct claims {
    char process[PROCESS_NAME_BYTES];
    bool has_debt;
    char debt_tenant[64];
    struct claim debt;
};
enum claim_answer {
    CLAIM_REPEATED = 1, /* the request is stored; ret_claim has the counts of its answer */
    CLAIM_BUSY,         /* somebody else may be storing it right now */
    CLAIM_MISMATCH,     /* the key stands for another content */
};
void claims_init(struct claims *claims);
PX_MUST_USE int claim_take(struct claims *claims, const struct claim_stores *stores,
                           const struct claim_wish *wish, struct px_arena *arena,
                           struct claim *ret_claim);
/* What stands for this request, without taking anything. 0: nothing that says that it is stored. Answers:
 * CLAIM_REPEATED when it was noted as stored, CLAIM_MISMATCH. */
PX_MUST_USE int claim_look(const struct claim_stores *stores, const struct claim_wish *wish,
                           struct px_arena *arena, struct claim *ret_claim);
/* What claim_take() would answer, without taking anything. 0: it would take. */
PX_MUST_USE int claim_find(const struct claim_stores *stores, const struct claim_wish *wish,
                           struct px_arena *arena, struct claim *ret_claim);
/* Whether there is time enough to append; false: withdraw. */
bool claim_may_append(const struct claim *claim, const struct px_clock *clock);
/* The frame is stored. Failing to note it does no harm: the frame itself tells. */
void claim_settle(struct claims *claims, const struct claim_stores *stores,
                  const struct claim *claim, struct px_arena *arena);
/* The frame is on the disk, but the tenant is leaving: whether it goes along is for the last seal to say. The
 * claim stays and its lease ends now, so that the repeat, here or in the tenant's new home, looks whether the
 * frame is sealed and else stores it. */
void claim_release(struct claims *claims, const struct claim_stores *stores,
                   const struct claim *claim, struct px_arena *arena);
/* The frame is not stored and will not be under this claim. */
void claim_withdraw(struct claims *claims, const struct claim_stores *stores,
                    const struct claim *claim, struct px_arena *arena);
