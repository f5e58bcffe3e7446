/* cli/glyph.h - text as a terminal may be given it: what would move its cursor, colour it, turn its
 * direction or break its line is written out, "\n", "\x1b", "\u{202e}". Data comes from strangers. */
#pragma once

#include "base/px_buf.h"

#define GLYPH_BYTES 12
struct glyph {
    char text[GLYPH_BYTES]; /* as it is shown */
    size_t text_bytes;
    size_t width; /* columns on the terminal: two for wide characters, none for combining marks */
    size_t bytes; /* that it takes of the text it comes from */
};
/* The first character of a text that is not empty; a byte that is not UTF-8 is one of its own. */
struct glyph glyph_next(struct px_str text);
/* All of a text; keep_lines leaves its line ends alone. */
void glyph_add(struct px_buf *to, struct px_str text, bool keep_lines);
size_t glyph_width(struct px_str text);
