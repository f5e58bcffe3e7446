/* base/px_arena.h - memory by lifetime: allocate as long as the process, the invocation or the step
 * lives, then free all of it at once. An arena belongs to one thread.
 *
 * Every arena has a ceiling. Reaching it returns NULL and px_arena_full() tells it from the
 * operating system refusing memory, so that a caller can answer "too large" rather than fault. */
#pragma once

#include "base/px.h"

struct px_arena_block;
struct px_arena {
    struct px_arena_block *first; /* newest first */
    char *cursor, *end;
    size_t used_bytes;  /* handed out, without slack */
    size_t limit_bytes; /* ceiling over all blocks */
    size_t held_bytes;  /* taken from malloc */
    bool full;          /* the ceiling was reached since the last reset */
};

/* No memory is taken until the first allocation. */
void px_arena_init(struct px_arena *arena, size_t limit_bytes);
void px_arena_deinit(struct px_arena *arena);
/* Overwritten first: for what held secrets. */
void px_arena_deinit_wiped(struct px_arena *arena);
/* Forget all allocations but keep the largest block for the next invocation. */
void px_arena_reset(struct px_arena *arena);

/* Aligned to 16 bytes, not cleared; NULL when full or out of memory. bytes 0 is valid. */
void *px_arena_alloc(struct px_arena *arena, size_t bytes);
void *px_arena_zalloc(struct px_arena *arena, size_t bytes);
#define px_arena_new(arena, type) ((type *)px_arena_zalloc((arena), sizeof(type)))
#define px_arena_array(arena, type, n) ((type *)px_arena_zalloc_array((arena), sizeof(type), (n)))
void *px_arena_zalloc_array(struct px_arena *arena, size_t item_bytes, size_t n);
/* Grow (or keep) an allocation of old_bytes: in place when it is the newest, else by copying. ptr NULL
 * allocates. On NULL the old allocation stands. */
void *px_arena_realloc(struct px_arena *arena, void *ptr, size_t old_bytes, size_t bytes);
/* Copy, with a NUL behind it that the view does not count. ptr NULL on failure. */
struct px_str px_arena_dup(struct px_arena *arena, struct px_str s);
char *px_arena_cstr(struct px_arena *arena, struct px_str s);
struct px_str px_arena_printf(struct px_arena *arena, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static inline bool px_arena_full(const struct px_arena *arena) { return arena->full; }
/* The fault for a NULL from this arena: PX_F_LIMIT when full, else PX_F_OOM. */
int px_arena_fault(const struct px_arena *arena);
