/* columnar/type.c - names of the column types: one table. */
#include "columnar/type.h"

static const struct {
    const char *name, *sql;
} types[] = {
    [COL_BOOL] = {"bool", "BOOLEAN"},    [COL_INT] = {"int", "BIGINT"},
    [COL_DOUBLE] = {"double", "DOUBLE"}, [COL_STRING] = {"string", "VARCHAR"},
    [COL_TIME] = {"time", "TIMESTAMP"},  [COL_JSON] = {"json", "JSON"},
    [COL_MIXED] = {"mixed", "VARCHAR"},
};

const char *col_type_name(enum col_type type)
{
    PX_ASSERT(type >= COL_BOOL && type <= COL_MIXED);
    return types[type].name;
}

bool col_type_parse(struct px_str name, enum col_type *ret_type)
{
    for (int type = COL_BOOL; type <= COL_MIXED; type++) {
        if (!px_str_eq(name, px_str_c(types[type].name))) continue;
        *ret_type = (enum col_type)type;
        return true;
    }
    return false;
}

const char *col_type_sql(enum col_type type)
{
    PX_ASSERT(type >= COL_BOOL && type <= COL_MIXED);
    return types[type].sql;
}
