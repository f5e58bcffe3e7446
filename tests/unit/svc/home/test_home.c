/* Whether a tenant is at home. */
#include "support/support.h"

#include "svc/home/home.h"

static const struct home west = {.region = {"eu-west-1", 9},
                                 .stands_in_for = {"us-east-1, ap-south-1", 21}};

TEST(a_tenant_is_changed_at_home_only)
{
    CHECK(home_owns(&west, S("eu-west-1")));
    CHECK(!home_owns(&west, S("us-east-1")));
    CHECK(!home_owns(&west, S("eu-west-2")));
    CHECK(!home_owns(&west, S("eu-west")));
}

TEST(a_standby_serves_the_regions_that_it_stands_in_for_and_no_other)
{
    CHECK(home_serves(&west, S("eu-west-1")));
    CHECK(home_serves(&west, S("us-east-1")));
    CHECK(home_serves(&west, S("ap-south-1")));
    CHECK(!home_serves(&west, S("us-east")));
    CHECK(!home_serves(&west, S("us-west-2")));
    const struct home alone = {.region = S("eu-west-1")};
    CHECK(!home_serves(&alone, S("us-east-1")));
}

TEST(where_a_region_is_not_known_everybody_is_at_home)
{
    const struct home unknown = {0};
    CHECK(home_owns(&unknown, S("us-east-1")) && home_serves(&unknown, S("us-east-1")));
    CHECK(home_owns(&west, S("")) && home_serves(&west, S("")));
}

TEST(the_hint_is_a_member_of_a_json_object)
{
    CHECK_STR(home_hint(S("us-east-1"), &t->arena), S("\"home_region\":\"us-east-1\""));
    CHECK_STR(home_hint(S("a\"b"), &t->arena), S("\"home_region\":\"a\\\"b\""));
}

static enum home_verdict decide(struct px_str region, int64_t epoch, enum hot_fence_state state,
                                int64_t fence_epoch, enum home_purpose purpose,
                                struct px_str *ret_region)
{
    static struct hot_fence fence; /* ret_region may be a view into it */
    fence = (struct hot_fence){
        .state = state, .epoch = state == HOT_FENCE_NONE ? 0 : fence_epoch, .region = "us-west-2"};
    const struct home_claim claim = {region, epoch};
    return home_decide(&west, &fence, &claim, purpose, ret_region);
}
#define HERE S("eu-west-1")
#define THERE S("us-west-2")

TEST(without_a_fence_or_with_an_older_one_the_registry_says_where_a_tenant_is)
{
    struct px_str region;
    for (int state = HOT_FENCE_NONE; state <= HOT_FENCE_TAKING; state++) {
        enum hot_fence_state fence = (enum hot_fence_state)state;
        CHECK_INT(decide(HERE, 5, fence, 4, HOME_WRITE, &region), HOME_HERE);
        CHECK_INT(decide(THERE, 5, fence, 4, HOME_READ, &region), HOME_ELSEWHERE);
        CHECK_STR(region, THERE);
    }
}

TEST(a_fence_that_is_as_new_overrules_what_a_gateway_remembers)
{
    struct px_str region;
    const struct {
        enum hot_fence_state state;
        struct px_str claimed;
        enum home_verdict write, read;
    } cases[] = {
        {HOT_FENCE_HOME, HERE, HOME_HERE, HOME_HERE},
        {HOT_FENCE_HOME, THERE, HOME_HERE, HOME_HERE},
        {HOT_FENCE_LEAVING, HERE, HOME_MOVING, HOME_HERE},
        {HOT_FENCE_LEFT, HERE, HOME_ELSEWHERE, HOME_ELSEWHERE},
        {HOT_FENCE_LEFT, THERE, HOME_ELSEWHERE, HOME_ELSEWHERE},
        {HOT_FENCE_ARRIVING, HERE, HOME_MOVING, HOME_MOVING},
        {HOT_FENCE_ARRIVING, THERE, HOME_ELSEWHERE, HOME_ELSEWHERE},
        {HOT_FENCE_THAWED, HERE, HOME_HERE, HOME_HERE},
        {HOT_FENCE_SPOOLING, HERE, HOME_SPOOL, HOME_MOVING},
        {HOT_FENCE_SPOOLING, THERE, HOME_SPOOL, HOME_MOVING},
        {HOT_FENCE_TAKING, HERE, HOME_HERE, HOME_MOVING},
        {HOT_FENCE_TAKING, THERE, HOME_HERE, HOME_MOVING},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        for (int64_t epoch = 3; epoch <= 4; epoch++) {
            CHECK_INT(decide(cases[i].claimed, epoch, cases[i].state, 4, HOME_WRITE, &region),
                      cases[i].write);
            CHECK_INT(decide(cases[i].claimed, epoch, cases[i].state, 4, HOME_READ, &region),
                      cases[i].read);
            if (cases[i].read == HOME_ELSEWHERE) CHECK_STR(region, THERE);
        }
    }
}

TEST(a_tenant_that_left_is_not_served_even_where_the_region_stands_in_for_its_home)
{
    struct hot_fence fence = {.state = HOT_FENCE_LEFT, .epoch = 4, .region = "us-east-1"};
    const struct home_claim claim = {S("us-east-1"), 4};
    struct px_str region;
    CHECK_INT(home_decide(&west, &fence, &claim, HOME_WRITE, &region), HOME_ELSEWHERE);
    CHECK_STR(region, S("us-east-1"));
}

TEST(
    records_go_into_a_spool_until_the_old_home_knows_that_the_new_one_takes_them_and_datasets_stay_as_they_are)
{
    struct hot_fence fence = {
        .state = HOT_FENCE_LEFT, .epoch = 4, .region = "us-east-1", .spool_ms = 1};
    const struct home_claim claim = {HERE, 4};
    struct px_str region;
    CHECK_INT(home_decide(&west, &fence, &claim, HOME_WRITE, &region), HOME_SPOOL);
    CHECK_INT(home_decide(&west, &fence, &claim, HOME_READ, &region), HOME_ELSEWHERE);
    CHECK_INT(home_decide(&west, &fence, &claim, HOME_CHANGE, &region), HOME_ELSEWHERE);
    fence.state = HOT_FENCE_TAKING;
    CHECK_INT(home_decide(&west, &fence, &claim, HOME_CHANGE, &region), HOME_MOVING);
    fence.state = HOT_FENCE_HOME;
    CHECK_INT(home_decide(&west, &fence, &claim, HOME_CHANGE, &region), HOME_HERE);
}

TEST_MAIN
