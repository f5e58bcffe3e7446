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

/* Into a new table, without what is older than from_ns. */
static int rebuild(struct seen *seen, size_t cap, int64_t from_ns)
{
    struct seen_line *lines = calloc(cap, sizeof *lines);
    if (!lines) return px_fault(PX_F_OOM, "lines seen");
    size_t count = 0;
    for (size_t i = 0; i < seen->cap; i++) {
        struct seen_line line = seen->lines[i];
        if (line.hash == 0 || line.time_ns < from_ns) continue;
        *slot_of(lines, cap, line.hash) = line;
        count++;
    }
    free(seen->lines);
    *seen = (struct seen){lines, cap, count};
    return 0;
}

int seen_begin(struct seen *seen, int64_t from_ns)
{
    PX_TRY(rebuild(seen, PX_MAX(seen->cap, CAP_MIN), from_ns));
    for (size_t i = 0; i < seen->cap; i++) seen->lines[i].now = 0;
    return 0;
}

int seen_add(struct seen *seen, struct px_str line, int64_t time_ns, bool *ret_new)
{
    PX_ASSERT(seen->cap > 0);
    if (seen->count * 4 >= seen->cap * 3) PX_TRY(rebuild(seen, seen->cap * 2, INT64_MIN));
    uint64_t hash = XXH3_64bits(line.ptr, line.len) | 1; /* 0 is a free place */
    struct seen_line *slot = slot_of(seen->lines, seen->cap, hash);
    if (slot->hash == 0) {
        *slot = (struct seen_line){.hash = hash, .time_ns = time_ns};
        seen->count++;
    }
    *ret_new = ++slot->now > slot->shown;
    slot->shown = PX_MAX(slot->shown, slot->now);
    return 0;
}
