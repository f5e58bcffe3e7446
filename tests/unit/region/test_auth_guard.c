/* Sources that are wrong too often wait; nobody else does. */
#include "support/support.h"

#include "region/auth_guard.h"

static struct auth_guard *guard_new(struct test *t, uint32_t max, size_t sources)
{
    struct auth_guard *guard = NULL;
    CHECK_OK(auth_guard_new(&t->clock, max, sources, &guard));
    return guard;
}

static void blame(struct auth_guard *guard, const char *source, int times)
{
    for (int i = 0; i < times; i++) auth_guard_blame(guard, px_str_c(source));
}

TEST(a_source_may_be_wrong_so_often_and_then_waits_its_turn)
{
    struct auth_guard *guard = guard_new(t, 10, 100); /* one more every 30 s */
    CHECK_INT(auth_guard_wait_s(guard, S("192.0.2.1")), 0);
    blame(guard, "192.0.2.1", 9);
    CHECK_INT(auth_guard_wait_s(guard, S("192.0.2.1")), 0);
    blame(guard, "192.0.2.1", 1);
    CHECK_INT(auth_guard_wait_s(guard, S("192.0.2.1")), 30);
    CHECK_INT(auth_guard_wait_s(guard, S("192.0.2.2")), 0);
    test_advance(t, 29 * PX_NS_PER_S);
    CHECK_INT(auth_guard_wait_s(guard, S("192.0.2.1")), 1);
    test_advance(t, PX_NS_PER_S);
    CHECK_INT(auth_guard_wait_s(guard, S("192.0.2.1")), 0);
    blame(guard, "192.0.2.1", 1000); /* many that were under way at once put it off no further */
    CHECK_INT(auth_guard_wait_s(guard, S("192.0.2.1")), 30);
    test_advance(t, AUTH_GUARD_WINDOW_S * PX_NS_PER_S);
    blame(guard, "192.0.2.1", 9);
    CHECK_INT(auth_guard_wait_s(guard, S("192.0.2.1")), 0);
    auth_guard_free(&guard);
    CHECK(!guard);
    auth_guard_free(&guard);
}

TEST(an_address_is_one_source_however_it_is_written_and_a_network_of_ipv6_too)
{
    struct auth_guard *guard = guard_new(t, 1, 100);
    blame(guard, "192.0.2.1", 1);
    CHECK(auth_guard_wait_s(guard, S("::ffff:192.0.2.1")) > 0);
    CHECK_INT(auth_guard_wait_s(guard, S("::ffff:192.0.2.2")), 0);
    blame(guard, "2001:db8:0:1::1", 1);
    CHECK(auth_guard_wait_s(guard, S("2001:db8:0:1:ffff::2")) > 0);
    CHECK_INT(auth_guard_wait_s(guard, S("2001:db8:0:2::1")), 0);
    blame(guard, "", 1); /* what is no address is one source as well */
    CHECK(auth_guard_wait_s(guard, S("nonsense")) > 0);
    auth_guard_free(&guard);
}

TEST(sources_are_bounded_and_the_oldest_is_forgotten)
{
    struct auth_guard *guard = guard_new(t, 1, 4);
    char source[32];
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(source, sizeof source, "10.0.%d.%d", i / 250, i % 250);
        blame(guard, source, 1);
    }
    CHECK(auth_guard_wait_s(guard, px_str_c(source)) > 0);
    CHECK_INT(auth_guard_wait_s(guard, S("10.0.0.0")), 0);
    auth_guard_free(&guard);
}

TEST(without_a_bound_nobody_waits)
{
    struct auth_guard *guard = guard_new(t, 0, 4);
    blame(guard, "192.0.2.1", 100000);
    CHECK_INT(auth_guard_wait_s(guard, S("192.0.2.1")), 0);
    auth_guard_free(&guard);
}

TEST_MAIN
