/* Figures of a version over a sliding window. */
#include "support/support.h"

#include "base/px_clock.h"
#include "region/figures.h"

#define T0 INT64_C(1800000000) /* a whole minute */

static void add(struct figures *figures, int64_t second, double ms, bool error)
{
    const struct figures_event event = {.error = error, .duration_ms = ms, .running = 2};
    figures_add(figures, second * PX_NS_PER_S, &event);
}

TEST(a_window_has_what_ended_in_it)
{
    PX_AUTO(figures_free) struct figures *figures = NULL;
    CHECK_OK(figures_new(&figures));
    for (int i = 0; i < 120; i++) add(figures, T0 + i, 10, i % 4 == 0);
    struct figures_sum sum = {0};
    figures_sum(figures, T0 + 119, T0 + 20, T0 + 60, &sum);
    CHECK_INT(sum.invocations, 40);
    CHECK_INT(sum.errors, 10);
    CHECK_INT(sum.running_max, 2);
    figures_sum(figures, T0 + 119, T0, T0 + 120, &sum); /* added to what is there */
    CHECK_INT(sum.invocations, 160);
    struct figures_sum none = {0};
    figures_sum(figures, T0 + 119, T0 + 500, T0 + 600, &none);
    figures_sum(NULL, T0, T0, T0 + 9, &none);
    CHECK_INT(none.invocations, 0);
    CHECK(figures_quantile_ms(&none, 0.5) == 0 && figures_share(&none, 0, 1) == 0);
}

TEST(older_seconds_are_told_by_whole_minutes_and_then_forgotten)
{
    PX_AUTO(figures_free) struct figures *figures = NULL;
    CHECK_OK(figures_new(&figures));
    for (int m = 0; m < 90; m++) add(figures, T0 + 60 * m + 7, 5, false);
    int64_t now = T0 + 60 * 90 - 1;
    struct figures_sum all = {0}, ten = {0}, edge = {0};
    figures_sum(figures, now, T0, now + 1, &all);
    CHECK_INT(all.invocations, FIGURES_COARSE_SLOTS);
    figures_sum(figures, now, now + 1 - 600, now + 1, &ten);
    CHECK_INT(ten.invocations, 10); /* none is counted in both rings */
    figures_sum(figures, now, now + 1 - 600, now + 1 - 300, &edge);
    CHECK_INT(edge.invocations, 5);
}

TEST(throttles_are_no_invocations)
{
    PX_AUTO(figures_free) struct figures *figures = NULL;
    CHECK_OK(figures_new(&figures));
    const struct figures_event event = {.throttled = true, .duration_ms = -1};
    figures_add(figures, T0 * PX_NS_PER_S, &event);
    struct figures_sum sum = {0};
    figures_sum(figures, T0, T0, T0 + 1, &sum);
    CHECK(sum.invocations == 0 && sum.throttles == 1 && sum.timed == 0);
}

TEST(quantiles_and_shares_are_within_a_class)
{
    PX_AUTO(figures_free) struct figures *figures = NULL;
    CHECK_OK(figures_new(&figures));
    for (int i = 1; i <= 1000; i++) add(figures, T0, i, false); /* 1 to 1000 ms */
    struct figures_sum sum = {0};
    figures_sum(figures, T0, T0, T0 + 1, &sum);
    for (int percent = 10; percent < 100; percent += 10) {
        double q = figures_quantile_ms(&sum, percent / 100.0), exact = percent * 10.0;
        CHECK(q > exact / 1.06 && q < exact * 1.06);
        double share = figures_share(&sum, q, 1e9);
        CHECK(share > 1 - percent / 100.0 - 1e-9 && share < 1 - percent / 100.0 + 1e-9);
    }
    CHECK(figures_quantile_ms(&sum, 0.9999) <= 1000 && figures_quantile_ms(&sum, 0.0001) >= 1);
    CHECK(sum.duration_min_ms == 1 && sum.duration_max_ms == 1000);
    add(figures, T0, 0.0001, false);
    add(figures, T0, 3e6, false);
    struct figures_sum wide = {0};
    figures_sum(figures, T0, T0, T0 + 1, &wide);
    CHECK_INT(wide.classes[0] + wide.classes[FIGURES_CLASSES - 1], 2);
}

TEST(an_execution_is_counted_when_it_begins_and_again_when_it_ends)
{
    PX_AUTO(figures_free) struct figures *figures = NULL;
    static const struct figures_event events[] = {
        {.started = true, .duration_ms = -1},
        {.started = true, .duration_ms = -1},
        {.duration_ms = 10},
        {.error = true, .duration_ms = 20},
        {.timed_out = true, .duration_ms = 30},
        {.aborted = true, .duration_ms = 40},
    };
    CHECK_OK(figures_new(&figures));
    for (size_t i = 0; i < PX_COUNT(events); i++)
        figures_add(figures, T0 * PX_NS_PER_S, &events[i]);
    struct figures_sum sum = {0};
    figures_sum(figures, T0, T0, T0 + 1, &sum);
    CHECK(sum.started == 2 && sum.invocations == 4 && sum.timed == 4);
    CHECK(sum.errors == 1 && sum.timed_out == 1 && sum.aborted == 1);
}

TEST_MAIN
