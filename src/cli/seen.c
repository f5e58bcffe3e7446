/* cli/seen.c - open addressing over line hashes. */
#include "cli/seen.h"

#include <stdlib.h>
#include <xxhash.h>

#define CAP_MIN 1024

void seen_deinit(struct seen *seen)
{
    free(seen->lines);
    *seen = (struct seen){0};
}

static struct seen_line *slot_of(struct seen_line *lines, size_t cap, uint64_t hash)
{
    size_t at = hash & (cap - 1);
    while (lines[at].hash != 0 && lines[at].hash != hash) at = (at + 1) & (cap - 1);
    return &lines[at];
}

/* Into a new table; keep says which. */
static int rebuild(struct seen *seen, size_t cap, bool new_poll)
{
    struct seen_line *lines = calloc(cap, sizeof *lines);
    if (!lines) return px_fault(PX_F_OOM, "lines seen");
    size_t count = 0;
    for (size_t i = 0; i < seen->cap; i++) {
        struct seen_line line = seen->lines[i];
        if (line.hash == 0 || (new_poll && line.now == 0)) continue;
        if (new_poll) line = (struct seen_line){line.hash, line.now, 0};
        *slot_of(lines, cap, line.hash) = line;
        count++;
    }
    free(seen->lines);
    *seen = (struct seen){lines, cap, count};
    return 0;
}

int seen_begin(struct seen *seen) { return rebuild(seen, PX_MAX(seen->cap, CAP_MIN), true); }

int seen_add(struct seen *seen, struct px_str line, bool *ret_new)
{
    PX_ASSERT(seen->cap > 0);
    if (seen->count * 4 >= seen->cap * 3) PX_TRY(rebuild(seen, seen->cap * 2, false));
    uint64_t hash = XXH3_64bits(line.ptr, line.len) | 1; /* 0 is a free place */
    struct seen_line *slot = slot_of(seen->lines, seen->cap, hash);
    if (slot->hash == 0) {
        slot->hash = hash;
        seen->count++;
    }
    *ret_new = ++slot->now > slot->before;
    return 0;
}
