/* cli/table.c - aligned text. Widths are counted in terminal columns, not bytes. */
#include "cli/table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/px_buf.h"
#include "cli/glyph.h"

#define GAP 2
#define COLUMN_WIDTH_MIN 8 /* a column is not cut below this */

int table_init(struct table *table, struct px_arena *arena, const char *const *names)
{
    size_t count = 0;
    while (names[count]) count++;
    struct table_column *columns = px_arena_array(arena, struct table_column, count);
    if (!columns) return px_arena_fault(arena);
    for (size_t i = 0; i < count; i++) {
        columns[i].right = names[i][0] == '>';
        columns[i].name = px_str_c(names[i] + columns[i].right);
    }
    *table = (struct table){.arena = arena, .columns = columns, .column_count = count};
    return 0;
}

struct px_str *table_row(struct table *table)
{
    if (table->row_count == table->row_cap) {
        size_t cap = PX_MAX(table->row_cap * 2, 64),
               row = table->column_count * sizeof(struct px_str);
        struct px_str *cells = px_arena_realloc(table->arena, table->cells, table->row_cap * row,
                                                cap * row);
        if (!cells) return NULL;
        table->cells = cells;
        table->row_cap = cap;
    }
    struct px_str *row = table->cells + table->row_count++ * table->column_count;
    memset(row, 0, table->column_count * sizeof *row);
    return row;
}

/* Prints at most `width` columns of it and returns how many. */
static size_t print_cut(struct px_str text, size_t width, FILE *to)
{
    bool fits = glyph_width(text) <= width;
    size_t room = fits || width == 0 ? width : width - 1, used = 0;
    while (text.len > 0) {
        struct glyph glyph = glyph_next(text);
        if (used + glyph.width > room) break;
        (void)fwrite(glyph.text, 1, glyph.text_bytes, to);
        used += glyph.width;
        text = px_str_skip(text, glyph.bytes);
    }
    if (fits || width == 0) return used;
    (void)fputs("\xe2\x80\xa6", to); /* … */
    return used + 1;
}

/* ---- lines ---- */

static void measure(struct table *table)
{
    for (size_t c = 0; c < table->column_count; c++) {
        size_t width = glyph_width(table->columns[c].name);
        for (size_t r = 0; r < table->row_count; r++)
            width = PX_MAX(width, glyph_width(table->cells[r * table->column_count + c]));
        table->columns[c].width = width;
    }
}

/* Take from the widest until a line fits or nothing more is to be had. */
static void squeeze(struct table *table, size_t width_max)
{
    for (;;) {
        size_t total = 0, widest = 0, second = COLUMN_WIDTH_MIN;
        for (size_t c = 0; c < table->column_count; c++) {
            total += table->columns[c].width + (c > 0 ? GAP : 0);
            if (table->columns[c].width > table->columns[widest].width) widest = c;
        }
        if (total <= width_max || table->columns[widest].width <= COLUMN_WIDTH_MIN) return;
        for (size_t c = 0; c < table->column_count; c++)
            if (table->columns[c].width < table->columns[widest].width)
                second = PX_MAX(second, table->columns[c].width);
        size_t width = table->columns[widest].width;
        size_t take = PX_MIN(total - width_max, width > second ? width - second : 1);
        table->columns[widest].width = width - take;
    }
}

static void print_line(const struct table *table, const struct px_str *cells, FILE *to)
{
    size_t owed = 0; /* spaces that only matter when something follows */
    for (size_t c = 0; c < table->column_count; c++) {
        const struct table_column *column = &table->columns[c];
        struct px_str cell = cells ? cells[c] : column->name;
        size_t pad = column->width - PX_MIN(glyph_width(cell), column->width);
        if (column->right) owed += pad;
        if (cell.len > 0) {
            (void)fprintf(to, "%*s", (int)owed, "");
            size_t printed = print_cut(cell, column->width, to);
            pad = column->width - PX_MIN(printed, column->width);
            owed = 0;
        }
        if (!column->right) owed += pad;
        owed += GAP;
    }
    (void)fputc('\n', to);
}

void table_print(struct table *table, size_t width_max, FILE *to)
{
    if (table->column_count == 0) return;
    measure(table);
    if (width_max > 0) squeeze(table, width_max);
    print_line(table, NULL, to);
    for (size_t r = 0; r < table->row_count && !ferror(to); r++)
        print_line(table, table->cells + r * table->column_count, to);
}

struct px_str table_cell(struct px_arena *arena, yyjson_val *val)
{
    if (!val || yyjson_is_null(val)) return (struct px_str){0};
    if (yyjson_is_str(val)) return px_json_val_str(val);
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 64u << 20);
    px_buf_add_json(&text, val);
    return px_arena_dup(arena, px_buf_str(&text));
}

size_t table_terminal_width(FILE *stream)
{
    struct winsize size;
    int fd = fileno(stream);
    if (fd < 0 || !isatty(fd) || ioctl(fd, TIOCGWINSZ, &size) != 0) return 0;
    return size.ws_col;
}
