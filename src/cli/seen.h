/* cli/seen.h - which records were shown already. Polls overlap and may be cut short, because records of
 * the same instant come one after the other; a record is told by its hash, and equal ones by their
 * number. It is known for as long as a poll can bring it again: until polls begin behind its time. */
#pragma once

#include "base/px.h"

struct seen_line {
    uint64_t hash;
    int64_t time_ns;
    uint32_t shown, now; /* how often at all and in this poll */
};
struct seen {
    struct seen_line *lines; /* hash table, a power of two; hash 0 is free */
    size_t cap, count;
};
void seen_deinit(struct seen *seen);
/* A poll begins, of records from from_ns on: older ones are forgotten. */
PX_MUST_USE int seen_begin(struct seen *seen, int64_t from_ns);
/* Whether this record is one more than were shown. */
PX_MUST_USE int seen_add(struct seen *seen, struct px_str line, int64_t time_ns, bool *ret_new);
