/* columnar/type.h - the column types of telemetry, from ingest to Parquet. */
#pragma once

#include "base/px.h"

/* On-disk numbers: never renumber. */
enum col_type {
    COL_BOOL = 1,   /* 1 byte, 0 or 1                       SQL BOOLEAN   */
    COL_INT = 2,    /* int64                                SQL BIGINT    */
    COL_DOUBLE = 3, /* IEEE 754 binary64                    SQL DOUBLE    */
    COL_STRING = 4, /* UTF-8 text                           SQL VARCHAR   */
    COL_TIME = 5,   /* microseconds since 1970, UTC         SQL TIMESTAMP */
    COL_JSON = 6,   /* JSON text of an array or object      SQL JSON (VARCHAR in Parquet) */
    COL_MIXED = 7,  /* JSON text of values of several types in one batch; never in a schema */
};

#define COL_NAME_BYTES_MAX 256
/* The time column every dataset has, and the column that holds what has no column of its own: a
 * JSON object of field name to value. */
#define COL_TIME_NAME "time"
#define COL_OTHER_NAME "_other"

const char *col_type_name(enum col_type type); /* "bool", "int", ... as in the catalog and API */
bool col_type_parse(struct px_str name, enum col_type *ret_type);
const char *col_type_sql(enum col_type type);
