/* Whose turn it is: the order, one step that wrote something a turn, what ends a dataset. */
#include "support/support.h"

#include "svc/storage/turns.h"

struct fake {
    struct storage_counts *counts;
    int *left;        /* steps that write, by turn.index; then one that does not */
    int fault_at;     /* index of a dataset whose first step faults; -1: none */
    int conflict_at;  /* index of a dataset that always conflicts; -1: none */
    char order[4096]; /* "tenant/dataset " for each step that wrote */
    int steps, late_after;
    struct storage_scope *scope;
};

static int fake_step(void *ctx, const struct turn *turn)
{
    struct fake *fake = ctx;
    if (++fake->steps == fake->late_after) fake->scope->deadline_mono_ns = 1;
    if ((int)turn->index == fake->fault_at) return px_fault(PX_F_IO, "this one");
    if ((int)turn->index == fake->conflict_at) return TURN_CONFLICT;
    if (fake->left[turn->index] == 0) return 0;
    size_t used = strlen(fake->order);
    (void)snprintf(fake->order + used, sizeof fake->order - used, "%.*s/%.*s ",
                   PX_FMT(turn->tenant), PX_FMT(turn->dataset));
    fake->counts->objects++;
    return --fake->left[turn->index] > 0 ? TURN_MORE : 0;
}

static struct storage *storage_for(struct test *t)
{
    struct storage *storage = NULL;
    (void)t;
    CHECK_OK(storage_new(&(struct storage_options){0}, &storage));
    return storage;
}

TEST(tenants_take_turns_and_the_longest_waiting_begins)
{
    struct storage *storage = storage_for(t);
    struct turn turns[] = {{S("big"), S("b"), .index = 0},
                           {S("small"), S("x"), .index = 1},
                           {S("big"), S("a"), .index = 2},
                           {S("never"), S("y"), .index = 3}};
    const struct dataset_served served[] = {{S("big"), S("a"), 30},
                                            {S("big"), S("b"), 10},
                                            {S("gone"), S("a"), 1},
                                            {S("small"), S("x"), 20}};
    int left[] = {2, 1, 3, 1};
    struct storage_counts counts = {0};
    struct storage_scope scope = {0};
    struct fake fake = {&counts, left, -1, -1, "", 0, 0, &scope};
    turns_set_served(turns, PX_COUNT(turns), served, PX_COUNT(served));
    turns_take(storage, &scope, turns, PX_COUNT(turns), fake_step, &fake, &counts);
    CHECK_STR(px_str_c(fake.order), S("never/y small/x big/b big/b big/a big/a big/a "));
    CHECK_INT(counts.datasets, 4);
    CHECK(!counts.more);
    storage_free(&storage);
}

TEST(a_tenant_with_a_thousand_datasets_holds_up_nobody)
{
    struct storage *storage = storage_for(t);
    static struct turn turns[1003];
    static int left[1003];
    static char names[1003][16];
    for (size_t i = 0; i < PX_COUNT(turns); i++) {
        (void)snprintf(names[i], sizeof names[i], "d%zu", i);
        struct px_str tenant = i < 1000 ? S("aaa") : i == 1000 ? S("bbb") : S("ccc");
        turns[i] = (struct turn){.tenant = tenant, .dataset = px_str_c(names[i]), .index = i};
        left[i] = 1;
    }
    struct storage_counts counts = {0};
    struct storage_scope scope = {0};
    struct fake fake = {&counts, left, -1, -1, "", 0, 5, &scope}; /* time for five steps */
    turns_set_served(turns, PX_COUNT(turns), NULL, 0);
    turns_take(storage, &scope, turns, PX_COUNT(turns), fake_step, &fake, &counts);
    CHECK_STR(px_str_c(fake.order), S("aaa/d0 bbb/d1000 ccc/d1001 aaa/d1 ccc/d1002 "));
    CHECK(counts.more);
    storage_free(&storage);
}

TEST(a_fault_or_a_rival_ends_one_dataset_only)
{
    struct storage *storage = storage_for(t);
    struct turn turns[] = {{S("a"), S("bad"), .index = 0},
                           {S("a"), S("contested"), .index = 1},
                           {S("a"), S("good"), .index = 2}};
    int left[] = {1, 1, 2};
    struct storage_counts counts = {0};
    struct storage_scope scope = {0};
    struct fake fake = {&counts, left, 0, 1, "", 0, 0, &scope};
    turns_set_served(turns, PX_COUNT(turns), NULL, 0);
    turns_take(storage, &scope, turns, PX_COUNT(turns), fake_step, &fake, &counts);
    CHECK_STR(px_str_c(fake.order), S("a/good a/good "));
    CHECK_INT(counts.failed, 1);
    CHECK_INT(counts.conflicts, CONFLICTS_MAX);
    CHECK_INT(counts.datasets, 1);
    storage_free(&storage);
}

TEST_MAIN
