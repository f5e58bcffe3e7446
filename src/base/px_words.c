/* base/px_words.c - optimal string alignment distance over short words. */
#include "base/px_words.h"

#define WORD_MAX 32

unsigned px_words_distance(struct px_str a, struct px_str b)
{
    if (a.len > WORD_MAX || b.len > WORD_MAX) return WORD_MAX + 1;
    unsigned rows[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= a.len; i++) rows[i][0] = (unsigned)i;
    for (size_t j = 0; j <= b.len; j++) rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a.len; i++) {
        for (size_t j = 1; j <= b.len; j++) {
            unsigned best = rows[i - 1][j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]);
            best = PX_MIN(best, rows[i - 1][j] + 1);
            best = PX_MIN(best, rows[i][j - 1] + 1);
            bool swapped = i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] &&
                           a.ptr[i - 2] == b.ptr[j - 1];
            rows[i][j] = swapped ? PX_MIN(best, rows[i - 2][j - 2] + 1) : best;
        }
    }
    return rows[a.len][b.len];
}

const char *px_words_nearest(struct px_str word, const char *const *words, size_t count)
{
    const char *nearest = NULL;
    unsigned least = word.len <= 3 ? 2 : 3; /* further away it is another word, not a slip */
    for (size_t i = 0; i < count; i++) {
        unsigned distance = px_words_distance(word, px_str_c(words[i]));
        bool begun = word.len >= 2 && px_str_starts(px_str_c(words[i]), word);
        if (begun) distance = 1;
        if (distance >= least) continue;
        least = distance;
        nearest = words[i];
    }
    return nearest;
}
