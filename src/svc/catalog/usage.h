/* svc/catalog/usage.h - what a tenant may use and has stored, for GET /v1/usage and its like for the operator. */
#pragma once

#include "store/tables.h"
#include "svc/catalog/catalog.h"

struct usage_of {
    struct px_str tenant;
    /* As the authorizer says; tier empty: the platform's numbers do not hold here. */
    struct px_str tier, own;
    bool limits;                /* they are known: it is the caller itself */
    struct table_store *tables; /* NULL: today is not told */
};
/* {"tenant","limits":[{"name","unit","held","limit"}...],"stored":{"datasets","rows","bytes"},"today":{"date",
 * "requests","records"}}: without limit where there is none; stored is what is sealed, today what was taken of the day
 * (svc/quota/days.h), without what was not counted or may not be read (a table that is not there yet). Faults: PX_F_PROTOCOL when own is no JSON; those of the catalog and the tables. */
PX_MUST_USE int usage_write(struct catalog *catalog, const struct usage_of *of,
                            struct px_arena *arena, struct px_buf *json);
