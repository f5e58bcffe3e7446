/* store/pg_ddl.c - column types get a collation; docs: pg_ddl.h. */
#include "store/pg_ddl.h"

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The length of what begins at `at` and is taken as it is: a quoted text, a word, or one character. */
static size_t piece_len(struct px_str sql, size_t at)
{
    char first = sql.ptr[at];
    size_t end = at + 1;
    if (first == '\'' || first == '"') {
        while (end < sql.len && sql.ptr[end] != first) end++;
        return PX_MIN(end + 1, sql.len) - at;
    }
    if (is_word(first))
        while (end < sql.len && is_word(sql.ptr[end])) end++;
    return end - at;
}

void pg_ddl_write(struct px_str sql, struct px_buf *buf)
{
    for (size_t at = 0; at < sql.len;) {
        struct px_str piece = px_str(sql.ptr + at, piece_len(sql, at));
        px_buf_add_str(buf, piece);
        if (px_str_ieq(piece, S("TEXT"))) px_buf_add_c(buf, " COLLATE \"C\"");
        at += piece.len;
    }
    px_buf_add_char(buf, '\0');
}
