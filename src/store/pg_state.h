/* store/pg_state.h - what PostgreSQL's error codes mean. Inside store and its tests only.
 * Codes: https://www.postgresql.org/docs/15/errcodes-appendix.html */
#pragma once

#include "base/px.h"

enum pg_answer {
    PG_GONE =
        1, /* the connection is of no use: broken, its server going, not yet there, or read-only
                    since a failover. What was not committed is gone; on another one it may work */
    PG_CONFLICT /* a unique or foreign key */
};
/* A pg_answer or a fault. state: five characters, or NULL when the connection broke. */
int pg_state_meaning(const char *state);
/* The code in a connection's message, when it was made with PQERRORS_VERBOSE: "FATAL:  28P01: ...". */
bool pg_state_find(struct px_str message, char ret_state[6]);
