/* Turns of groups that wait for an instance. */
#include "support/support.h"

#include "lambda/instance.h"

static struct lambda_invocation calls[64];

static struct lambda_invocation *put(struct lambda_queue *queue, size_t at, uint64_t group)
{
    calls[at] = (struct lambda_invocation){.call = {.group = group}};
    lambda_queue_put(queue, &calls[at]);
    return &calls[at];
}

static bool anybody(const void *ctx, const struct lambda_invocation *first)
{
    return !ctx || *(const uint64_t *)ctx != first->call.group;
}

static size_t take(struct lambda_queue *queue, const uint64_t *but)
{
    struct lambda_invocation *first = lambda_queue_first(queue, anybody, but);
    CHECK(first);
    lambda_queue_take(queue, first);
    return (size_t)(first - calls);
}

TEST(who_has_one_waiting_is_served_after_one_of_each_other)
{
    struct lambda_queue queue = {0};
    for (size_t i = 0; i < 10; i++) (void)put(&queue, i, 7);
    (void)put(&queue, 10, 8);
    (void)put(&queue, 11, 9);
    (void)put(&queue, 12, 9);
    static const size_t order[] = {0, 10, 11, 1, 12, 2, 3, 4, 5, 6, 7, 8, 9};
    for (size_t i = 0; i < PX_COUNT(order); i++) CHECK_INT(take(&queue, NULL), order[i]);
    CHECK_INT(queue.count, 0);
    CHECK(!queue.first && !queue.last);
    (void)t;
}

TEST(a_group_that_may_not_run_is_passed_over_and_keeps_its_turn)
{
    struct lambda_queue queue = {0};
    uint64_t not = 7;
    for (size_t i = 0; i < 2; i++) (void)put(&queue, i, 7);
    for (size_t i = 2; i < 4; i++) (void)put(&queue, i, 8);
    CHECK_INT(take(&queue, &not ), 2);
    CHECK_INT(take(&queue, &not ), 3);
    CHECK(!lambda_queue_first(&queue, anybody, &not ));
    CHECK_INT(take(&queue, NULL), 0);
    CHECK_INT(take(&queue, NULL), 1);
    (void)t;
}

TEST(one_that_leaves_from_anywhere_leaves_the_others_in_order)
{
    struct lambda_queue queue = {0};
    for (size_t i = 0; i < 4; i++) (void)put(&queue, i, 7);
    (void)put(&queue, 4, 8);
    lambda_queue_remove(&queue, &calls[1]);
    lambda_queue_remove(&queue, &calls[3]);
    lambda_queue_remove(&queue, &calls[4]);
    CHECK_INT(lambda_queue_waiting(&queue, 7), 2);
    CHECK_INT(lambda_queue_waiting(&queue, 8), 0);
    (void)put(&queue, 5, 7);
    CHECK_INT(take(&queue, NULL), 0);
    CHECK_INT(take(&queue, NULL), 2);
    CHECK_INT(take(&queue, NULL), 5);
    CHECK(!queue.first && !queue.last);
    (void)t;
}

TEST(who_has_most_makes_room_for_who_has_less_but_nobodys_stay)
{
    struct lambda_queue queue = {0};
    for (size_t i = 0; i < 3; i++) (void)put(&queue, i, 7);
    for (size_t i = 3; i < 5; i++) (void)put(&queue, i, 8);
    for (size_t i = 5; i < 15; i++) (void)put(&queue, i, 0);
    CHECK(lambda_queue_crowding(&queue, 9) == &calls[2]);
    CHECK(!lambda_queue_crowding(&queue, 7));
    CHECK(!lambda_queue_crowding(&queue, 8)); /* it would have as many then */
    struct lambda_invocation *all = lambda_queue_empty(&queue);
    size_t count = 0;
    for (; all; all = all->next) count++;
    CHECK_INT(count, 15);
    CHECK_INT(queue.count, 0);
    CHECK(!queue.first && !lambda_queue_crowding(&queue, 9));
    (void)t;
}

TEST_MAIN
