/* lambda/queue.h - invocations that wait for an instance, a line for each group. Inside lambda only.
 *
 * Lines take turns: who is taken from goes behind all others, so whoever has one invocation waiting is served after at most one of
 * each other line, however long these are. Within a line it is first come, first served. */
#pragma once

#include "base/px.h"

struct lambda_invocation;
struct waiting_line; /* opaque; there only while something waits in it */

struct lambda_queue {
    struct waiting_line *first, *last;
    uint32_t count; /* invocations in all lines */
};
void lambda_queue_put(struct lambda_queue *queue, struct lambda_invocation *invocation);
/* Take out this one, from wherever it stands. */
void lambda_queue_remove(struct lambda_queue *queue, struct lambda_invocation *invocation);
/* The first of the first line whose group may have another, else NULL. */
struct lambda_invocation *lambda_queue_first(const struct lambda_queue *queue,
                                             bool (*may)(const void *ctx,
                                                         const struct lambda_invocation *first),
                                             const void *ctx);
/* Take it out, and its line is the last to have its turn. */
void lambda_queue_take(struct lambda_queue *queue, struct lambda_invocation *first);
uint32_t lambda_queue_waiting(const struct lambda_queue *queue, uint64_t group);
/* Which one leaves so that one more of `group` finds a place: the newest of the longest line, if that is longer than the group's
 * would be; NULL: none. Group 0 is nobody's and makes no room. It stays in the queue. */
struct lambda_invocation *lambda_queue_crowding(const struct lambda_queue *queue, uint64_t group);
/* All of them in one list, in no order. */
struct lambda_invocation *lambda_queue_empty(struct lambda_queue *queue);
