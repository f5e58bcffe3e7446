/* asl/text.h - text that grows in an arena. The first fault stays; who writes asks once, at the end. */
#pragma once

#include "base/px_arena.h"

struct asl_text_buf {
    struct px_arena *arena;
    char *ptr;
    size_t len, cap;
    bool failed; /* px_arena_fault() */
};

static inline void asl_text_add(struct asl_text_buf *buf, struct px_str s)
{
    if (s.len > buf->cap - buf->len) {
        size_t cap = PX_MAX(2 * buf->cap, buf->len + s.len);
        cap = PX_MAX(cap, (size_t)64);
        char *ptr = px_arena_realloc(buf->arena, buf->ptr, buf->cap, cap);
        if (!ptr) {
            buf->failed = true;
            return;
        }
        buf->ptr = ptr;
        buf->cap = cap;
    }
    if (s.len) memcpy(buf->ptr + buf->len, s.ptr, s.len);
    buf->len += s.len;
}
static inline struct px_str asl_text_of(const struct asl_text_buf *buf)
{
    return px_str(buf->ptr ? buf->ptr : "", buf->len);
}
