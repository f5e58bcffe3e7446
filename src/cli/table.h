/* cli/table.h - rows of text as aligned columns. */
#pragma once

#include <stdio.h>

#include "base/px_arena.h"
#include "base/px_json.h"

struct table_column {
    struct px_str name;
    bool right; /* numbers */
    size_t width;
};
struct table {
    struct px_arena *arena;
    struct table_column *columns;
    size_t column_count;
    struct px_str *cells; /* row by row */
    size_t row_count, row_cap;
};
/* names: NULL-ended; a leading '>' aligns the column to the right. */
PX_MUST_USE int table_init(struct table *table, struct px_arena *arena, const char *const *names);
/* The next row, column_count cells for the caller to fill with views that live in the arena; NULL when
 * memory is out. */
struct px_str *table_row(struct table *table);
/* Lines with a head. width_max: columns of the terminal, 0: any; the widest columns are cut, with …,
 * until a line fits. Control characters are written out (glyph.h). */
void table_print(struct table *table, size_t width_max, FILE *to);
/* A JSON value as a cell: text without quotes, null empty, others as JSON. */
struct px_str table_cell(struct px_arena *arena, yyjson_val *val);
/* Width of the terminal behind a stream; 0 when it is none. */
size_t table_terminal_width(FILE *stream);
