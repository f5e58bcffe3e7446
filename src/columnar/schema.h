/* columnar/schema.h - what columns a dataset has. A schema only grows.
 *
 * Merging a batch in: a new field becomes a new column of the batch's type (MIXED becomes STRING);
 * INT widened by a DOUBLE becomes DOUBLE; any other change of type leaves the column as it is, so
 * that a query which worked goes on working: at reading, a value that converts without loss is
 * converted, one that does not is NULL there and stands in `_other` under its name. Past the
 * ceiling on columns, of which one is kept for `_other`, further fields go to `_other` too. The
 * first column is always `time`. The rules with examples: docs/design/schema.md. */
#pragma once

#include "base/px_arena.h"
#include "base/px_buf.h"
#include "columnar/type.h"

#define SCHEMA_COLUMNS_MAX 2000

struct schema_column {
    struct px_str name; /* exact, case kept; SQL compares without case, so names that differ in case
                           only are one column */
    enum col_type type;
};
struct schema {
    struct schema_column *columns;
    uint32_t count, cap;
    uint32_t slot_count;
    uint32_t *slots;        /* hash index over lower-cased names */
    struct px_arena *arena; /* borrowed; holds all of it */
};

PX_MUST_USE int schema_init(struct schema *schema, struct px_arena *arena); /* with `time` */
/* Index of a column or -1. */
int schema_find(const struct schema *schema, struct px_str name);
/* Merge one field in. ret_changed is set true when the schema changed (never set false). Adds
 * `_other` when a value of this type, or after a widening an older one, may not fit. A field named
 * `_other` adds that column, whatever its type. name must be one that batch.h allows. */
PX_MUST_USE int schema_merge(struct schema *schema, struct px_str name, enum col_type type,
                             bool *ret_changed);
PX_MUST_USE int schema_add_other(struct schema *schema, bool *ret_changed);
/* JSON array [{"name":"time","type":"time"},...], in column order. */
void schema_to_json(const struct schema *schema, struct px_buf *buf);
enum schema_answer { SCHEMA_INVALID = 1 };
PX_MUST_USE int schema_from_json(struct px_str json, struct px_arena *arena,
                                 struct schema *ret_schema);
