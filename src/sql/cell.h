/* sql/cell.h - one value of a DuckDB result as JSON or as text. docs/design/query.md has the table
 * of forms. Types are looked at once per result; a cell then costs a switch. */
#pragma once

#include <duckdb.h>

#include "base/px_arena.h"
#include "base/px_buf.h"

struct cell_type {
    duckdb_type id;
    bool is_json;                /* VARCHAR that holds JSON text */
    struct px_str name;          /* as SQL spells it: "BIGINT", "DECIMAL(10,2)", "VARCHAR[]" */
    duckdb_type storage;         /* DECIMAL, ENUM: what the vector holds */
    uint8_t scale;               /* DECIMAL */
    uint64_t array_size;         /* ARRAY */
    const struct px_str *labels; /* ENUM values; STRUCT and UNION member names */
    struct cell_type *children;  /* LIST, ARRAY: 1; MAP: key, value; STRUCT, UNION: members */
    uint32_t child_count;
};
enum cell_answer { CELL_UNSUPPORTED = 1 };
/* Answers: CELL_UNSUPPORTED: a type without a form here (ret_type->name is set). */
PX_MUST_USE int cell_type_init(duckdb_logical_type type, struct px_arena *arena,
                               struct cell_type *ret_type);
/* row is below the size of the chunk that the vector belongs to. */
void cell_add_json(struct px_buf *buf, const struct cell_type *type, duckdb_vector vector,
                   idx_t row);
/* Plain text without quotes, for CSV; nested values are JSON. False for NULL, where nothing is added. */
bool cell_add_text(struct px_buf *buf, const struct cell_type *type, duckdb_vector vector,
                   idx_t row);
