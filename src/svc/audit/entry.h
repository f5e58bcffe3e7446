/* svc/audit/entry.h - one line of the audit log, as JSON text. Two for each administrative call: what was about to be done,
 * and what came of it. Each holds the SHA-256 of the line before it, so that one that was changed or taken out shows.
 *
 *   {"chain":"eu-west-1/acme","seq":7,"at":"2026-11-27T11:20:31.123456Z","prev":"<hex>","id":"<random>","event":"intent",
 *    "operation":"tenant.change","target":"acme","who":{"tenant":"_system","key_id":"...","source":"10.0.0.7",
 *    "request_id":"..."},"asked":{...},"before":{...}}
 *   {"chain":"eu-west-1/acme","seq":8,"at":"...","prev":"<hex>","id":"<random>","event":"outcome","of":7,"status":200,"after":{...}} */
#pragma once

#include "base/px_arena.h"
#include "base/px_json.h"
#include "store/digest.h"

#define AUDIT_CHAIN_BYTES_MAX 256
#define AUDIT_NO_PREV "0000000000000000000000000000000000000000000000000000000000000000"

enum audit_event { AUDIT_INTENT, AUDIT_OUTCOME };

struct audit_who {
    struct px_str tenant, key_id, source, request_id;
    bool
        direct; /* not by the API: the owner of the control socket, or whom IAM lets call the function */
};
struct audit_entry {
    struct px_str chain;
    uint64_t seq; /* 1, 2, 3, ... */
    int64_t at_ns;
    struct px_str prev;
    struct px_str id; /* by which who wrote it knows it again, when an answer was lost */
    enum audit_event event;
    /* of an intent */
    struct px_str operation, target;
    struct audit_who who;
    /* of an outcome */
    uint64_t of; /* the intent's seq */
    int status;  /* HTTP's meaning */
    struct px_str detail;
    /* Read: objects or NULL. */
    yyjson_val *asked, *before, *after;
};
/* JSON texts, each may be empty; what is larger than AUDIT_STATE_BYTES_MAX is replaced by its size. */
#define AUDIT_STATE_BYTES_MAX (48u << 10)
struct audit_states {
    struct px_str asked, before, after;
};

void audit_entry_write(struct px_buf *buf, const struct audit_entry *entry,
                       const struct audit_states *states);
/* Faults: PX_F_CORRUPT, with what is wrong. */
PX_MUST_USE int audit_entry_read(struct px_str text, struct px_arena *arena,
                                 struct audit_entry *ret_entry);
