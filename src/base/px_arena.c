/* base/px_arena.c - bump allocation from a list of blocks.
 *
 * held_bytes counts the room of all blocks and never exceeds limit_bytes. Blocks double in size up to
 * BLOCK_BYTES_MAX; a request larger than the next block gets a block of its own size. Under
 * AddressSanitizer what is not handed out is poisoned, so that overruns inside a block are seen. */
#include "base/px_arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__has_feature) /* clang */
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(ptr, n) ASAN_POISON_MEMORY_REGION((ptr), (n))
#define UNPOISON(ptr, n) ASAN_UNPOISON_MEMORY_REGION((ptr), (n))
#else
#define POISON(ptr, n) ((void)(ptr), (void)(n))
#define UNPOISON(ptr, n) ((void)(ptr), (void)(n))
#endif

#define ALIGN_BYTES 16u
#define BLOCK_BYTES_MIN 4096u
#define BLOCK_BYTES_MAX (1024u * 1024u)

struct px_arena_block {
    struct px_arena_block *next; /* older */
    size_t room_bytes;
    _Alignas(ALIGN_BYTES) char room[];
};

void px_arena_init(struct px_arena *arena, size_t limit_bytes)
{
    *arena = (struct px_arena){.limit_bytes = limit_bytes};
}

static void block_use(struct px_arena *arena, struct px_arena_block *block)
{
    block->next = arena->first;
    arena->first = block;
    arena->cursor = block->room;
    arena->end = block->room + block->room_bytes;
    arena->held_bytes += block->room_bytes;
    POISON(block->room, block->room_bytes);
}

static void block_free(struct px_arena_block *block)
{
    UNPOISON(block->room, block->room_bytes);
    free(block);
}

/* Free all blocks but `keep`, which may be NULL. */
static void blocks_drop(struct px_arena *arena, struct px_arena_block *keep)
{
    struct px_arena_block *block = arena->first;
    while (block) {
        struct px_arena_block *next = block->next;
        if (block != keep) block_free(block);
        block = next;
    }
    px_arena_init(arena, arena->limit_bytes);
    if (keep) block_use(arena, keep);
}

void px_arena_deinit(struct px_arena *arena) { blocks_drop(arena, NULL); }

void px_arena_deinit_wiped(struct px_arena *arena)
{
    for (struct px_arena_block *block = arena->first; block; block = block->next) {
        UNPOISON(block->room, block->room_bytes);
        explicit_bzero(block->room, block->room_bytes);
    }
    blocks_drop(arena, NULL);
}

void px_arena_reset(struct px_arena *arena)
{
    struct px_arena_block *largest = arena->first;
    for (struct px_arena_block *block = arena->first; block; block = block->next)
        if (block->room_bytes > largest->room_bytes) largest = block;
    blocks_drop(arena, largest);
}

static bool arena_grow(struct px_arena *arena, size_t need_bytes)
{
    size_t left = arena->limit_bytes - arena->held_bytes;
    if (need_bytes > left) { /* stays noted: who builds several things asks once, at the end */
        arena->full = true;
        return false;
    }

    size_t doubled = arena->first ? arena->first->room_bytes * 2 : BLOCK_BYTES_MIN;
    size_t room = PX_MAX(PX_MIN(doubled, (size_t)BLOCK_BYTES_MAX), need_bytes);
    room = PX_MIN(room, left);
    if (room > SIZE_MAX - sizeof(struct px_arena_block)) return false;
    struct px_arena_block *block = malloc(sizeof *block + room);
    if (!block) return false;
    block->room_bytes = room;
    block_use(arena, block);
    return true;
}

static size_t round_up(size_t bytes)
{
    return bytes == 0 ? ALIGN_BYTES : (bytes + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1);
}

void *px_arena_alloc(struct px_arena *arena, size_t bytes)
{
    size_t need = round_up(bytes);
    if (need < bytes) {
        arena->full = true;
        return NULL;
    }
    if (need > (size_t)(arena->end - arena->cursor) && !arena_grow(arena, need)) return NULL;
    char *ptr = arena->cursor;
    arena->cursor += need;
    arena->used_bytes += bytes;
    UNPOISON(ptr, bytes);
    return ptr;
}

void *px_arena_realloc(struct px_arena *arena, void *ptr, size_t old_bytes, size_t bytes)
{
    if (!ptr) return px_arena_alloc(arena, bytes);
    if (bytes <= old_bytes) return ptr;
    size_t need = round_up(bytes);
    bool is_last = arena->cursor && (char *)ptr + round_up(old_bytes) == arena->cursor;
    if (is_last && need >= bytes && need <= (size_t)(arena->end - (char *)ptr)) {
        arena->cursor = (char *)ptr + need;
        arena->used_bytes += bytes - old_bytes;
        UNPOISON(ptr, bytes);
        return ptr;
    }
    void *moved = px_arena_alloc(arena, bytes);
    if (moved) memcpy(moved, ptr, old_bytes);
    return moved;
}

void *px_arena_zalloc(struct px_arena *arena, size_t bytes)
{
    void *ptr = px_arena_alloc(arena, bytes);
    return ptr ? memset(ptr, 0, bytes) : NULL;
}

void *px_arena_zalloc_array(struct px_arena *arena, size_t item_bytes, size_t n)
{
    size_t bytes;
    if (__builtin_mul_overflow(item_bytes, n, &bytes)) bytes = SIZE_MAX;
    return px_arena_zalloc(arena, bytes);
}

struct px_str px_arena_dup(struct px_arena *arena, struct px_str s)
{
    return px_str(px_arena_cstr(arena, s), s.len);
}

char *px_arena_cstr(struct px_arena *arena, struct px_str s)
{
    char *copy = px_arena_alloc(arena, s.len + 1);
    if (!copy) return NULL;
    if (s.len) memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}

struct px_str px_arena_printf(struct px_arena *arena, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    PX_ASSERT(n >= 0);
    char *text = px_arena_alloc(arena, (size_t)n + 1);
    if (text) (void)vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return px_str(text, text ? (size_t)n : 0);
}

int px_arena_fault(const struct px_arena *arena)
{
    if (arena->full)
        return px_fault(PX_F_LIMIT, "an arena reached its ceiling of %zu bytes",
                        arena->limit_bytes);
    return px_fault(PX_F_OOM, "an arena holding %zu bytes could not grow", arena->held_bytes);
}
