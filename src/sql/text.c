/* sql/text.c - names and literals on their way into SQL, and DuckDB's texts on their way out. */
#include <string.h>

#include "sql/engine_impl.h"

static void add_quoted(struct px_buf *buf, struct px_str s, char quote)
{
    px_buf_add_char(buf, quote);
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == quote) px_buf_add_char(buf, quote);
        px_buf_add_char(buf, s.ptr[i]);
    }
    px_buf_add_char(buf, quote);
}

void sql_add_identifier(struct px_buf *buf, struct px_str name) { add_quoted(buf, name, '"'); }

void sql_add_literal(struct px_buf *buf, struct px_str text) { add_quoted(buf, text, '\''); }

/* The hidden name that stands at the start of text, the longest of them; its length or 0. */
static size_t hidden_at(const struct sql_engine *engine, struct px_str text)
{
    size_t longest = 0;
    for (size_t i = 0; i < engine->hidden_count; i++) {
        if (engine->hidden[i].len > longest && px_str_starts(text, engine->hidden[i]))
            longest = engine->hidden[i].len;
    }
    return longest;
}

/* The rest of a path behind a hidden folder goes with it. */
static size_t path_rest(struct px_str text)
{
    size_t n = 0;
    while (n < text.len && !strchr(" \t\n\"')],;", text.ptr[n])) n++;
    return n;
}

struct px_str sql_scrub(const struct sql_engine *engine, const char *text, struct px_arena *arena,
                        bool *ret_found)
{
    *ret_found = false;
    struct px_str rest = px_str_c(text ? text : "unknown error");
    char *out = px_arena_alloc(arena, rest.len * 6 + 1); /* "[file]" for a name of one byte */
    if (!out) return (struct px_str){0};
    size_t n = 0;
    while (rest.len > 0) {
        size_t hide = hidden_at(engine, rest);
        if (hide == 0) {
            out[n++] = *rest.ptr;
            rest = px_str_skip(rest, 1);
            continue;
        }
        *ret_found = true;
        rest = px_str_skip(rest, hide);
        rest = px_str_skip(rest, path_rest(rest));
        memcpy(out + n, "[file]", 6);
        n += 6;
    }
    out[n] = '\0';
    return px_str(out, n);
}
