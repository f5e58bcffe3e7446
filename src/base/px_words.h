/* base/px_words.h - "did you mean ...?" */
#pragma once

#include "base/px.h"

/* Edits (insert, remove, replace, swap neighbours) from a to b; words over 32 bytes are far away. */
unsigned px_words_distance(struct px_str a, struct px_str b);
/* The word of a list that was most likely meant, or NULL when none is near. */
const char *px_words_nearest(struct px_str word, const char *const *words, size_t count);
