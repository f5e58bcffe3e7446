/* store/pg_link.h - one connection to PostgreSQL through libpq's calls that do not block, each with a time to end by. Inside
 * store only.
 *
 * A call that answers PG_GONE or faults by PX_F_TIMEOUT has closed the connection: what it left behind
 * there is rolled back by the server. What PG_GONE was about stands in `trouble`, for the fault that
 * is raised in the end. */
#pragma once

#include "store/pg_state.h"
#include "store/pg_url.h"
#include "store/pg_value.h"

struct cloud_shared; /* aws/shared.h */
struct pg_link {
    struct pg_target target;
    PGconn *conn;               /* NULL: closed */
    struct cloud_shared *cloud; /* borrowed; signs, for target.iam */
    char trouble[320];
    char state[6]; /* PostgreSQL's code for the last error; empty when it gave none */
};
/* Connect, if it is not. Answers: PG_GONE.
 * Faults: PX_F_DENIED, PX_F_CONFIG, PX_F_UNAVAILABLE (the server is not who it should be), PX_F_TIMEOUT,
 * PX_F_OOM. */
PX_MUST_USE int pg_link_open(struct pg_link *link, int64_t until_ns);
void pg_link_close(struct pg_link *link);

/* All rows of a statement, read whole: the connection is free for others at once. */
struct pg_result {
    PGresult **parts;
    size_t count, room;
    size_t bytes;
};
void pg_result_free(struct pg_result *result);
int64_t pg_result_changed(const struct pg_result *result); /* rows; 0 for what changes none */

struct pg_statement {
    const char *sql;
    const struct pg_params *params; /* NULL: several statements without any; rows are text then */
    int64_t until_ns;
};
/* Answers: PG_GONE, PG_CONFLICT. Faults: those of pg_state_meaning(); PX_F_LIMIT when the rows are too many;
 * PX_F_TIMEOUT. ret_result: the last statement's. */
PX_MUST_USE int pg_link_run(struct pg_link *link, const struct pg_statement *statement,
                            struct pg_result *ret_result);
/* The fault for a PG_GONE that is the end. */
PX_MUST_USE int pg_link_fault(const struct pg_link *link, unsigned attempts);
