/* cli/audit_log.h - where `prism audit` reads from: the running region's API, or tables of its own choice, or those of a data folder
 * whose region does not run. What goes wrong has been said; answers are enum cli_exit. */
#pragma once

#include "cli/remote.h"
#include "svc/audit/verify.h"

struct audit_log_where {
    const char *store, *environment; /* either or none */
    bool tables;                     /* read them in any case */
};
struct audit_log_chain {
    struct px_str name;
    uint64_t last; /* number of its last entry, when the region told; 0: unknown */
};
struct audit_log {
    struct cli *cli;
    struct table_store *tables; /* NULL: served */
    struct remote remote;
    struct audit_log_chain *chains; /* that were asked for, by name */
    size_t chain_count;
};
PX_MUST_USE int audit_log_open(struct cli *cli, const struct audit_log_where *where,
                               struct audit_log *ret_log);
void audit_log_close(struct audit_log *log);
/* "REGION/TENANT" is one chain; "TENANT" those of all regions; NULL is all. */
PX_MUST_USE int audit_log_choose(struct audit_log *log, const char *argument);
/* Number of a chain's last entry; 0: unknown. */
PX_MUST_USE int audit_log_last(struct audit_log *log, const struct audit_log_chain *chain,
                               uint64_t *ret_seq);

struct audit_page {
    struct audit_entry *entries;
    struct px_str *texts; /* as they are stored */
    size_t count;         /* 0: there are no more */
};
/* Entries behind seq `after`, some of them, in the arena. */
PX_MUST_USE int audit_log_read(struct audit_log *log, struct px_str chain, uint64_t after,
                               struct px_arena *arena, struct audit_page *ret_page);
