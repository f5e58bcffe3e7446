/* cli/seen.h - which lines a poll has shown already. Polls overlap, because records of the same instant
 * may come one after the other; a line is told by its hash, and equal lines by their number. */
#pragma once

#include "base/px.h"

struct seen_line {
    uint64_t hash;
    uint32_t before, now; /* how often in the last poll and in this one */
};
struct seen {
    struct seen_line *lines; /* hash table, a power of two; hash 0 is free */
    size_t cap, count;
};
void seen_deinit(struct seen *seen);
/* A poll begins: what the last one held is `before`, what it did not hold is forgotten. */
PX_MUST_USE int seen_begin(struct seen *seen);
/* Whether this line is one more than the last poll held. */
PX_MUST_USE int seen_add(struct seen *seen, struct px_str line, bool *ret_new);
