/* svc/audit/verify.h - whether the audit log is what was written, and reading it.
 *
 * Found, each with its chain and place: an entry that was changed, taken out, put elsewhere or written again, one that two
 * writers made, one that cannot be read, an outcome of nothing, a head that does not fit, and ends that were cut off. */
#pragma once

#include "svc/audit/audit.h"

struct audit_problem {
    struct px_str chain;
    uint64_t seq; /* where; 0: the chain as a whole */
    const char *
        kind; /* "changed", "removed", "moved", "rewritten", "unreadable", "outcome", "head", "truncated", "foreign" */
    struct px_str text;
};
struct audit_check {
    struct table_store *tables; /* borrowed */
    struct px_str chain;        /* empty: all */
    struct px_str
        tip; /* a hash that somebody noted down and that must be in a chain; empty: none */
    void (*on_problem)(void *ctx, const struct audit_problem *problem);
    void *ctx;
};
struct audit_report {
    uint64_t chains, entries, problems;
    uint64_t unfinished; /* intents without outcome: calls under way, or that a crash ended */
    bool tip_found;
};
PX_MUST_USE int audit_verify(const struct audit_check *check, struct audit_report *ret_report);

/* The same of lines that were exported, one entry each as it is stored, chain by chain: what was changed, taken out or put elsewhere
 * among them. An end that was cut off shows by a tip alone, since heads are not in an export; nor does how often an item was written. */
struct audit_lines;
PX_MUST_USE int audit_lines_new(const struct audit_check *check, struct audit_lines **ret_lines);
void audit_lines_free(struct audit_lines **lines);
/* A line without its newline; nothing of it is kept. */
PX_MUST_USE int audit_lines_take(struct audit_lines *lines, struct px_str line);
/* After the last line. on_end: may be NULL; each chain with the number and the hash of its last entry. */
PX_MUST_USE int audit_lines_end(struct audit_lines *lines, struct audit_report *ret_report,
                                void (*on_end)(void *ctx, struct px_str chain, uint64_t seq,
                                               const char *hash),
                                void *ctx);

/* Names of all chains, in order, each once: those with a head and those with entries. */
PX_MUST_USE int audit_chains(struct table_store *tables, struct px_arena *arena,
                             struct px_str **ret_chains, size_t *ret_count);
/* Entries of a chain behind seq `after`, at most max; with ret_texts[i] as it was stored.
 * Faults: PX_F_CORRUPT for one that cannot be read. */
PX_MUST_USE int audit_read(struct table_store *tables, struct px_str chain, uint64_t after,
                           size_t max, struct px_arena *arena, struct audit_entry **ret_entries,
                           struct px_str **ret_texts, size_t *ret_count);
