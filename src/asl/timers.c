/* asl/timers.c - a binary heap of timers that live in what they wake: set, moved and unset in O(log n), without allocation
 * beyond the heap's own array. */
#include <stdlib.h>

#include "asl/engine_internal.h"

static void place(struct timers *timers, size_t at, struct timer *timer)
{
    timers->heap[at - 1] = timer;
    timer->at = at;
}

static void up(struct timers *timers, size_t at)
{
    struct timer *timer = timers->heap[at - 1];
    while (at > 1 && timers->heap[at / 2 - 1]->due_ms > timer->due_ms) {
        place(timers, at, timers->heap[at / 2 - 1]);
        at /= 2;
    }
    place(timers, at, timer);
}

static void down(struct timers *timers, size_t at)
{
    struct timer *timer = timers->heap[at - 1];
    for (;;) {
        size_t child = at * 2;
        if (child > timers->count) break;
        if (child < timers->count && timers->heap[child]->due_ms < timers->heap[child - 1]->due_ms)
            child++;
        if (timers->heap[child - 1]->due_ms >= timer->due_ms) break;
        place(timers, at, timers->heap[child - 1]);
        at = child;
    }
    place(timers, at, timer);
}

int timers_set(struct timers *timers, struct timer *timer, int64_t due_ms)
{
    timers_unset(timers, timer);
    if (timers->count == timers->cap) {
        size_t cap = timers->cap ? timers->cap * 2 : 64;
        struct timer **heap = realloc(timers->heap, cap * sizeof(struct timer *));
        if (!heap) return px_fault(PX_F_OOM, "%zu timers", cap);
        timers->heap = heap;
        timers->cap = cap;
    }
    timer->due_ms = due_ms;
    timers->heap[timers->count++] = timer;
    up(timers, timers->count);
    return 0;
}

void timers_unset(struct timers *timers, struct timer *timer)
{
    size_t at = timer->at;
    if (at == 0) return;
    PX_ASSERT(at <= timers->count && timers->heap[at - 1] == timer);
    struct timer *last = timers->heap[--timers->count];
    timer->at = 0;
    if (last == timer) return;
    place(timers, at, last);
    up(timers, at);
    down(timers, last->at);
}

struct timer *timers_due(struct timers *timers, int64_t now_ms)
{
    if (timers->count == 0 || timers->heap[0]->due_ms > now_ms) return NULL;
    struct timer *timer = timers->heap[0];
    timers_unset(timers, timer);
    return timer;
}
