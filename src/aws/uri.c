/* aws/uri.c - the Common Runtime's encoders, on arenas; docs: uri.h. */
#include "aws/uri.h"

#include <aws/common/uri.h>

#include "aws/internal.h"

static struct px_str encoded(struct px_str text, struct px_arena *arena,
                             int (*append)(struct aws_byte_buf *, const struct aws_byte_cursor *))
{
    struct aws_byte_cursor in = cloud_cursor(text);
    struct aws_byte_buf out;
    (void)aws_byte_buf_init(&out, aws_default_allocator(), 3 * text.len + 1);
    struct px_str kept = {0};
    if (append(&out, &in) == 0)
        kept = px_arena_dup(arena, cloud_str(aws_byte_cursor_from_buf(&out)));
    aws_byte_buf_clean_up(&out);
    return kept;
}

struct px_str cloud_uri_path(struct px_str text, struct px_arena *arena)
{
    return encoded(text, arena, aws_byte_buf_append_encoding_uri_path);
}

struct px_str cloud_uri_param(struct px_str text, struct px_arena *arena)
{
    return encoded(text, arena, aws_byte_buf_append_encoding_uri_param);
}

bool cloud_uri_plain(struct px_str text, struct px_arena *arena, struct px_str *ret_plain)
{
    char *spaced = px_arena_cstr(arena, text);
    if (!spaced) return false;
    for (size_t i = 0; i < text.len; i++)
        if (spaced[i] == '+') spaced[i] = ' ';
    struct px_str plain = encoded(px_str(spaced, text.len), arena,
                                  aws_byte_buf_append_decoding_uri);
    if (!plain.ptr) return false;
    *ret_plain = plain;
    return true;
}
