/* svc/storage/offboard.h - what happens to the data of a tenant that goes for good. docs/design/workflows.md has the order.
 *
 *   export  seal what is hot, copy every object to _exports/<tenant>/ of the analytics store, name all of them in a manifest
 *   check   read the copies back and compare them with the manifest
 *   remove  everything of a deleted tenant that retain leaves: orphans however young, packed moves, what was set aside, claims of
 *           requests, rows of the catalog
 *   prove   look everywhere, and write down that nothing is left, or say what is
 *
 * Each may be killed at any instruction and repeated; one that stopped at its deadline says `more`. */
#pragma once

#include "svc/storage/storage_internal.h"

/* In the analytics store. No tenant's name begins with '_'. Exports go after lifecycle's export_days, proofs stay. */
#define EXPORTS_PREFIX "_exports/"
#define PROOFS_PREFIX "_proofs/"
#define OFFBOARD_HEX_BYTES 65 /* of SHA-256, with NUL */

struct offboard {
    struct px_str tenant;
    bool copy; /* export, prove: false: only an inventory is written, and no data copied */
    struct px_str after;     /* check: where the last round ended; empty: at the beginning */
    struct px_str execution; /* prove: its ARN */
    struct px_str began;     /* prove: when it began, RFC 3339 */
    int64_t keys;            /* prove: records of revoked keys, which the registry keeps */
    int64_t deadline_mono_ns;
};
struct offboarded {
    uint64_t datasets, objects, rows, bytes; /* export, check, prove: of the manifest */
    uint64_t copied, copied_bytes;           /* export: by this call */
    uint64_t checked;                        /* check: by this call */
    uint64_t removed;  /* remove: objects, files, items and rows, by this call */
    struct px_str key; /* of the manifest, or of the proof; in arena */
    char sha256[OFFBOARD_HEX_BYTES];
    struct px_str after;
    bool more;
    struct px_str why; /* of an answer: a sentence */
};
enum offboard_answer {
    OFFBOARD_NOT_STOPPED = 1, /* the tenant may still be written to, or moves */
    OFFBOARD_UNEXPORTED,      /* it was deleted before it was exported */
    OFFBOARD_DIFFERS,         /* a copy is not what the manifest says */
    OFFBOARD_REMAINS,         /* prove: something is left that should not be */
};
PX_MUST_USE int offboard_export(struct storage *storage, const struct offboard *offboard,
                                struct px_arena *arena, struct offboarded *ret);
PX_MUST_USE int offboard_check(struct storage *storage, const struct offboard *offboard,
                               struct px_arena *arena, struct offboarded *ret);
PX_MUST_USE int offboard_remove(struct storage *storage, const struct offboard *offboard,
                                struct px_arena *arena, struct offboarded *ret);
PX_MUST_USE int offboard_prove(struct storage *storage, const struct offboard *offboard,
                               struct px_arena *arena, struct offboarded *ret);
