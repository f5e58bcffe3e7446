/* store/pg_value.h - the dialect's values as libpq sends and receives them, in binary. Inside store only. */
#pragma once

#include <libpq-fe.h>

#include "store/meta.h"

#define PG_PARAMS_MAX 32

struct pg_params {
    Oid types[PG_PARAMS_MAX];
    const char *values[PG_PARAMS_MAX];
    int lengths[PG_PARAMS_MAX], formats[PG_PARAMS_MAX];
    char numbers[PG_PARAMS_MAX][8];
    int count;
};
/* Text and bytes are borrowed. Faults: PX_F_LIMIT (2 GiB). */
PX_MUST_USE int pg_params_set(struct pg_params *params, const struct meta_value *values,
                              size_t count);
/* Text and bytes are views into the result. Faults: PX_F_BUG: a column that the statement must cast. */
PX_MUST_USE int pg_column(const PGresult *result, int row, int column,
                          struct meta_value *ret_value);
