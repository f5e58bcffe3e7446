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

TEST_MAIN
