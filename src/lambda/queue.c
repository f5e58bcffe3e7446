/* lambda/queue.c - see queue.h. Lines are few: as many as tenants wait at once. */
#include "lambda/queue.h"

#include <stdlib.h>

#include "lambda/instance.h"

struct waiting_line {
    struct waiting_line *next;
    uint64_t group;
    uint32_t count;
    struct lambda_invocation *first, *last;
};

static struct waiting_line *line_of(const struct lambda_queue *queue, uint64_t group)
{
    struct waiting_line *line = queue->first;
    while (line && line->group != group) line = line->next;
    return line;
}

static void append(struct lambda_queue *queue, struct waiting_line *line)
{
    line->next = NULL;
    *(queue->last ? &queue->last->next : &queue->first) = line;
    queue->last = line;
}

static void unlink_line(struct lambda_queue *queue, struct waiting_line *line)
{
    struct waiting_line **at = &queue->first, *before = NULL;
    while (*at != line) {
        before = *at;
        at = &before->next;
    }
    *at = line->next;
    if (queue->last == line) queue->last = before;
}

void lambda_queue_put(struct lambda_queue *queue, struct lambda_invocation *invocation)
{
    struct waiting_line *line = line_of(queue, invocation->call.group);
    if (!line) {
        line = calloc(1, sizeof(*line));
        PX_ASSERT(line); /* a few dozen bytes, as the invocation itself */
        line->group = invocation->call.group;
        append(queue, line);
    }
    invocation->next = NULL;
    *(line->last ? &line->last->next : &line->first) = invocation;
    line->last = invocation;
    line->count++;
    queue->count++;
}

void lambda_queue_remove(struct lambda_queue *queue, struct lambda_invocation *invocation)
{
    struct waiting_line *line = line_of(queue, invocation->call.group);
    struct lambda_invocation **at = &line->first, *before = NULL;
    while (*at != invocation) {
        before = *at;
        at = &before->next;
    }
    *at = invocation->next;
    if (line->last == invocation) line->last = before;
    invocation->next = NULL;
    queue->count--;
    if (--line->count > 0) return;
    unlink_line(queue, line);
    free(line);
}

struct lambda_invocation *lambda_queue_first(const struct lambda_queue *queue,
                                             bool (*may)(const void *ctx,
                                                         const struct lambda_invocation *first),
                                             const void *ctx)
{
    struct waiting_line *line = queue->first;
    while (line && !may(ctx, line->first)) line = line->next;
    return line ? line->first : NULL;
}

void lambda_queue_take(struct lambda_queue *queue, struct lambda_invocation *first)
{
    struct waiting_line *line = line_of(queue, first->call.group);
    bool more = line->count > 1;
    lambda_queue_remove(queue, first);
    if (!more || queue->last == line) return;
    unlink_line(queue, line);
    append(queue, line);
}

uint32_t lambda_queue_waiting(const struct lambda_queue *queue, uint64_t group)
{
    const struct waiting_line *line = line_of(queue, group);
    return line ? line->count : 0;
}

struct lambda_invocation *lambda_queue_crowding(const struct lambda_queue *queue, uint64_t group)
{
    const struct waiting_line *longest = NULL;
    for (const struct waiting_line *line = queue->first; line; line = line->next)
        if (line->group != 0 && (!longest || line->count > longest->count)) longest = line;
    bool crowds = longest && longest->group != group &&
                  longest->count > lambda_queue_waiting(queue, group) + 1;
    return crowds ? longest->last : NULL;
}

struct lambda_invocation *lambda_queue_empty(struct lambda_queue *queue)
{
    struct lambda_invocation *all = NULL;
    while (queue->first) {
        struct waiting_line *line = queue->first;
        line->last->next = all;
        all = line->first;
        queue->first = line->next;
        free(line);
    }
    *queue = (struct lambda_queue){0};
    return all;
}
