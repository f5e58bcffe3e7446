/* Parameters in SSM: pages, refusals, silence. What the half does with a service that works: test_params.c. */
#include "aws/fake.h"
#include "aws/reach.h"

#include "store/params.h"

__attribute__((constructor)) static void reach(void) { reach_init(); }

struct rig {
    struct fake fake;
    struct param_store *store;
};
#define RIG_START(rig, ...)                                                                        \
    static const struct fake_step steps_[] = {__VA_ARGS__};                                        \
    rig_start(t, rig, steps_, PX_COUNT(steps_))
static void rig_start(struct test *t, struct rig *rig, const struct fake_step *steps, size_t count)
{
    memset(rig, 0, sizeof *rig);
    fake_start_as_aws(&rig->fake, steps, count);
    const struct param_options options = {.clock = &t->clock, .keep_ms = 60000};
    CHECK_OK(param_store_open(S("ssm://prism/dev/"), &options, &rig->store));
}
static void rig_stop(struct rig *rig)
{
    param_store_close(&rig->store);
    fake_stop(&rig->fake);
}
#define ONE(name, value)                                                                           \
    "{\"Name\":\"/prism/dev/" name "\",\"Type\":\"String\",\"Value\":\"" value "\"}"
#define SET(list) FAKE_OK("{\"Parameters\":[" list "]}")
#define PAGE(list, next) FAKE_OK("{\"Parameters\":[" list "],\"NextToken\":\"" next "\"}")

TEST(pages_are_followed_also_empty_ones)
{
    struct rig rig;
    RIG_START(&rig, PAGE(ONE("a", "1"), "t1"), PAGE("", "t\\\"2"), SET(ONE("x/b", "2")));
    CHECK_OK(param_refresh(rig.store, 5000));
    CHECK(strstr(rig.fake.first, "X-Amz-Target: AmazonSSM.GetParametersByPath\r\n"));
    CHECK(strstr(rig.fake.first, "{\"Path\":\"/prism/dev\",\"Recursive\":true,"
                                 "\"WithDecryption\":true,\"MaxResults\":10}"));
    CHECK(strstr(rig.fake.request, ",\"NextToken\":\"t\\\"2\"}"));
    CHECK_INT(rig.fake.requests, 3);
    CHECK_STR(param_get(rig.store, S("a")), S("1"));
    CHECK_STR(param_get(rig.store, S("x/b")), S("2"));
    rig_stop(&rig);
}

TEST(what_cannot_be_read_leaves_the_set_that_stands_and_is_asked_for_again_sooner)
{
    struct rig rig;
    RIG_START(&rig, SET(ONE("a", "1")), PAGE(ONE("a", "2"), "t"),
              FAKE_ERROR(400, "AccessDeniedException"), SET(ONE("a", "3")));
    CHECK_OK(param_refresh(rig.store, 5000));
    test_advance(t, 60 * PX_NS_PER_S);
    CHECK_INT(param_refresh(rig.store, 5000), PX_F_DENIED); /* at its second page */
    CHECK_STR(param_get(rig.store, S("a")), S("1"));
    CHECK_INT(param_refresh(rig.store, 5000), PARAM_YOUNG);
    CHECK_INT(rig.fake.requests, 3);
    test_advance(t, 10 * PX_NS_PER_S);
    CHECK_OK(param_refresh(rig.store, 5000));
    CHECK_STR(param_get(rig.store, S("a")), S("3"));
    rig_stop(&rig);
}

TEST(a_service_that_is_silent_costs_no_more_than_it_may)
{
    struct rig rig;
    RIG_START(&rig, {.kind = FAKE_SILENT});
    int r = param_refresh(rig.store, 50);
    CHECK(r == PX_F_TIMEOUT || r == PX_F_UNAVAILABLE);
    rig_stop(&rig);
}

TEST(answers_that_are_none_are_faults)
{
    struct rig rig;
    RIG_START(&rig, FAKE_OK("no JSON"),
              FAKE_OK("{\"Parameters\":[{\"Name\":\"/other/a\",\"Value\":\"1\"}]}"),
              FAKE_OK("{\"Parameters\":[{\"Name\":\"/prism/devil\",\"Value\":\"1\"}]}"),
              FAKE_OK("{\"Parameters\":[{\"Name\":\"/prism/dev/a\",\"Value\":7}]}"),
              FAKE_ERROR(400, "ValidationException"));
    for (int i = 0; i < 5; i++) {
        CHECK_INT(param_refresh(rig.store, 5000), PX_F_PROTOCOL);
        test_advance(t, 60 * PX_NS_PER_S);
    }
    rig_stop(&rig);
}

TEST(a_walk_without_end_is_ended)
{
    struct rig rig;
    RIG_START(&rig, PAGE("", "again"));
    CHECK_INT(param_refresh(rig.store, 60000), PX_F_PROTOCOL);
    CHECK_INT(rig.fake.requests, PARAMS_MAX);
    rig_stop(&rig);
}

TEST_MAIN
