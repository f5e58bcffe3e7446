/* columnar/names.h - column names: what is allowed, and equality without case.
 *
 * SQL compares identifiers without case, and DuckDB folds ASCII only; so do we. An index maps
 * folded names to numbers by open addressing; who holds the names also holds the slots. */
#pragma once

#include "base/px.h"

/* 1..COL_NAME_BYTES_MAX bytes of UTF-8 without control characters (C0, DEL, C1). */
bool name_is_valid(struct px_str name);
/* Equal without ASCII case. */
bool name_eq(struct px_str a, struct px_str b);
uint32_t name_hash(struct px_str name);

/* A slot holds number + 1; 0 is empty. `slot_count` is a power of two and more than twice the names
 * held. name_at gives the name of a number. */
struct name_index {
    uint32_t *slots, slot_count;
    struct px_str (*name_at)(const void *holder, uint32_t number);
    const void *holder;
};
/* The slot that holds name, or the empty one where it would go. */
uint32_t *name_index_slot(const struct name_index *index, struct px_str name);
/* Slots for `count` names. */
uint32_t name_index_slots_for(uint32_t count);
