/* svc/audit/audit.h - the audit log of administrative calls: append only, chained by hash, in the tables store.
 *
 *   table audit        partition = chain "<region>/<tenant>", sort = seq in 12 digits: an entry, written once
 *   table audit_heads  partition = chain: {"seq","hash","at"} of its last entry
 *
 * An entry and the head behind it are one transaction: the entry only where none is, the head only as it was read. So two
 * writers cannot fork a chain, whichever instances they are, and one that took entries off the end does not fit the head.
 *
 * The order of a call: intent, effect, outcome, answer. A call whose intent cannot be written is not done; one whose
 * outcome cannot be written was done and is answered with a fault. A crash leaves an intent without outcome, which
 * says that the effect may or may not be there. docs/design/audit.md */
#pragma once

#include "store/tables.h"
#include "svc/audit/entry.h"

#define AUDIT_TABLE "audit"
#define AUDIT_HEADS "audit_heads"
#define AUDIT_SEQ_DIGITS 12
#define AUDIT_SEQ_MAX 999999999999u

struct audit {
    struct table_store *tables;   /* borrowed */
    const struct px_clock *clock; /* borrowed */
    struct px_str region;         /* of the chains that are written; empty: "local" */
};
struct audit_call {
    struct px_str tenant; /* whose chain: 1..128 bytes without '/' */
    struct audit_who who;
    struct px_str operation, target;
    struct px_str asked, before; /* JSON objects without secrets, or empty */
};
/* What was written; for the outcome. */
struct audit_intent {
    char chain[AUDIT_CHAIN_BYTES_MAX + 1];
    uint64_t seq; /* 0: nothing was */
};
struct audit_outcome {
    int status;
    struct px_str detail, after; /* after: a JSON object, or empty */
};
/* Faults, here and below: those of the tables; PX_F_BUSY when others were always faster; PX_F_CORRUPT when the head does
 * not fit its chain. */
PX_MUST_USE int audit_intend(const struct audit *audit, const struct audit_call *call,
                             struct audit_intent *ret_intent);
PX_MUST_USE int audit_conclude(const struct audit *audit, const struct audit_intent *intent,
                               const struct audit_outcome *outcome);
/* The outcome of a call that ended with this fault, which is what stays to be told: an outcome that cannot be written either is
 * missing. */
void audit_conclude_fault(const struct audit *audit, const struct audit_intent *intent, int fault);

/* ---- what reading needs as well ---- */

struct audit_head {
    uint64_t seq; /* 0: the chain has no entry */
    char hash[DIGEST_HEX_BYTES];
    int64_t at_ns;
    int64_t version; /* of the head's item */
};
PX_MUST_USE int audit_head_read(struct table_store *tables, struct px_str chain,
                                struct audit_head *ret_head);
/* A head's document. Faults: PX_F_CORRUPT. */
PX_MUST_USE int audit_head_parse(struct px_str document, struct audit_head *ret_head);
/* "000000000007" into buf. */
struct px_str audit_sort(uint64_t seq, char buf[24]);
