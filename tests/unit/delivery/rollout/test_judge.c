/* Whether a new version is worse. Tails were computed with exact fractions. */
#include "support/support.h"

#include <math.h>
#include <stdio.h>

#include "delivery/rollout/judge.h"

static const struct judge_limits limits = {
    .alpha = 0.01,
    .error_floor = 0.001,
    .latency_ratio = 1.25,
    .latency_floor_ms = 2,
    .quantile = 0.9,
    .errors_min = 10,
    .latency_min = 30,
};

static bool near(double a, double b) { return fabs(a - b) <= 1e-9 * fabs(b); }

TEST(tails_are_those_of_exact_fractions)
{
    CHECK(near(judge_tail(30, 3, 3, 3), 0.0002463054187192118));
    CHECK(near(judge_tail(20, 10, 10, 7), 0.08944770399878758));
    CHECK(near(judge_tail(1100, 12, 100, 6), 0.0002870783544004263));
    CHECK(near(judge_tail(2000, 1000, 1700, 900), 2.0731153112181953e-10));
    CHECK(near(judge_tail(60, 30, 51, 27), 0.23582227948275783));
    CHECK(near(judge_tail(500, 50, 30, 10), 0.0002639650131469329));
    CHECK(judge_tail(10, 5, 5, 0) == 1 && judge_tail(10, 5, 5, 6) == 0);
    CHECK(judge_tail(10, 8, 5, 3) == 1); /* at least three must be among them */
}

static enum judge_verdict look(struct judge *judge, struct judge_side o, struct judge_side n,
                               char *why)
{
    return judge_look(judge, &limits, &o, &n, why, 320);
}

TEST(errors_of_the_new_version_are_a_regression_when_chance_does_not_explain_them)
{
    char why[320];
    struct judge judge = {0};
    CHECK_INT(
        look(&judge, (struct judge_side){.calls = 900}, (struct judge_side){.calls = 100}, why),
        JUDGE_FINE);
    struct judge again = {0};
    CHECK_INT(look(&again, (struct judge_side){.calls = 900, .errors = 90},
                   (struct judge_side){.calls = 100, .errors = 12}, why),
              JUDGE_FINE); /* both fail alike */
    struct judge few = {0};
    CHECK_INT(look(&few, (struct judge_side){.calls = 80},
                   (struct judge_side){.calls = 9, .errors = 9}, why),
              JUDGE_FINE); /* below the floor of requests */
    struct judge bad = {0};
    CHECK_INT(look(&bad, (struct judge_side){.calls = 90},
                   (struct judge_side){.calls = 10, .errors = 4}, why),
              JUDGE_ERRORS);
    CHECK(strstr(why, "4 of 10 calls of the new version failed, 0 of 90 of the old one"));
}

TEST(a_certain_difference_that_is_too_small_to_matter_is_none)
{
    char why[320];
    struct judge judge = {0};
    CHECK_INT(look(&judge, (struct judge_side){.calls = 10000000, .errors = 1000},
                   (struct judge_side){.calls = 10000000, .errors = 8000}, why),
              JUDGE_FINE);
    struct judge slow = {0};
    struct judge_side o = {.calls = 100000, .timed = 100000, .below = 90000, .quantile_ms = 100},
                      n = {.calls = 100000, .timed = 100000, .below = 80000, .quantile_ms = 120};
    CHECK_INT(look(&slow, o, n, why), JUDGE_FINE);
}

TEST(a_new_version_that_takes_longer_is_a_regression)
{
    char why[320];
    struct judge judge = {0};
    struct judge_side o = {.calls = 400, .timed = 400, .below = 360, .quantile_ms = 20},
                      n = {.calls = 45, .timed = 45, .below = 10, .quantile_ms = 60};
    CHECK_INT(look(&judge, o, n, why), JUDGE_LATENCY);
    CHECK(strstr(why, "latency: p90 is 60 ms, of the old version 20 ms"));
    struct judge few = {0};
    n.timed = 29;
    CHECK_INT(look(&few, o, n, why), JUDGE_FINE);
    struct judge tiny = {0};
    o.quantile_ms = 0.5, n.quantile_ms = 1.5, n.timed = 45; /* three times, but a millisecond */
    CHECK_INT(look(&tiny, o, n, why), JUDGE_FINE);
}

static uint64_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* 300 rollouts of a version that is as good as the old one, watched all the time: one in a hundred may be taken for worse. */
/* Figures of a rollout's steps of 10 and 33 %, by which 100 % is judged: of the last one alone each would be judged wrongly. */
static enum judge_verdict at_full_weight(struct judge_side first, struct judge_side last,
                                         struct judge_side left, struct judge_side n)
{
    char why[320];
    struct judge judge = {0};
    struct judge_side before = {0};
    judge_add(&before, &first);
    judge_add(&before, &last);
    return look(&judge, judge_against(&left, &before, n.calls), n, why);
}

/* Seen on a busy machine: 50 calls over 6 instances, each of whose first ones opened its stores. */
TEST(first_calls_of_new_instances_are_no_regression)
{
    char why[256];
    struct judge_side o = {.calls = 100, .timed = 100, .below = 90, .quantile_ms = 20},
                      n = {.calls = 50, .timed = 50, .below = 30, .quantile_ms = 300};
    struct judge judge = {0};
    CHECK_INT(judge_look(&judge, &limits, &o, &n, why, sizeof why), JUDGE_LATENCY);
    judge = (struct judge){0};
    n.at_once = 16;
    CHECK_INT(judge_look(&judge, &limits, &o, &n, why, sizeof why), JUDGE_FINE);
    /* who is slow in all calls is so without the first ones as well */
    judge = (struct judge){0};
    n.below = 0;
    CHECK_INT(judge_look(&judge, &limits, &o, &n, why, sizeof why), JUDGE_LATENCY);
    CHECK(strstr(why, "of 34 calls"));
    /* left out are slow ones only, and what is left has to be enough to say anything */
    judge = (struct judge){0};
    n.at_once = 1000;
    CHECK_INT(judge_look(&judge, &limits, &o, &n, why, sizeof why), JUDGE_FINE);
    n.below = 50;
    CHECK_INT(judge_look(&judge, &limits, &o, &n, why, sizeof why), JUDGE_FINE);
}

TEST(at_full_weight_the_whole_rollout_is_compared_with)
{
    const struct judge_side none = {0};
    struct judge_side usual = {.calls = 9000, .errors = 10};
    char why[320];

    /* the last step was quiet: too few calls to compare with */
    struct judge_side quiet = {.calls = 4}, bad = {.calls = 100, .errors = 30};
    struct judge alone = {0};
    CHECK_INT(look(&alone, quiet, bad, why), JUDGE_FINE);
    CHECK_INT(at_full_weight(usual, quiet, none, bad), JUDGE_ERRORS);

    /* the old version failed for a while in the last step, and that hid the new one's errors */
    struct judge_side blip = {.calls = 300, .errors = 60}, worse = {.calls = 1000, .errors = 150};
    struct judge hidden = {0};
    CHECK_INT(look(&hidden, blip, worse, why), JUDGE_FINE);
    CHECK_INT(at_full_weight(usual, blip, none, worse), JUDGE_ERRORS);

    /* it was lucky in the last step, and the new one is not worse than usual */
    struct judge_side failing = {.calls = 9000, .errors = 150}, lucky = {.calls = 300},
                      alike = {.calls = 1000, .errors = 25};
    struct judge false_alarm = {0};
    CHECK_INT(look(&false_alarm, lucky, alike, why), JUDGE_ERRORS);
    CHECK_INT(at_full_weight(failing, lucky, none, alike), JUDGE_FINE);

    /* two calls that still reached the old version are not all that there is to compare with */
    struct judge_side left = {.calls = 2};
    CHECK_INT(at_full_weight(usual, quiet, left, bad), JUDGE_ERRORS);
}

TEST(durations_at_full_weight_are_compared_with_the_whole_rollouts)
{
    struct judge_side first = {.calls = 900, .timed = 900, .below = 810, .quantile_ms = 20},
                      quiet = {.calls = 3, .timed = 3, .below = 3, .quantile_ms = 400},
                      slow = {.calls = 90, .timed = 90, .below = 20, .quantile_ms = 60}, sum = {0};
    judge_add(&sum, &first);
    judge_add(&sum, &quiet);
    CHECK_INT(sum.timed, 903);
    CHECK(sum.quantile_ms > 20 && sum.quantile_ms < 22);
    CHECK_INT(at_full_weight(first, quiet, (struct judge_side){0}, slow), JUDGE_LATENCY);
    struct judge_side own = {.calls = 900, .timed = 900, .below = 810, .quantile_ms = 50};
    CHECK(near(judge_against(&own, &sum, 450).quantile_ms, 50)); /* it got more calls: its own */
}

TEST(looking_often_raises_no_false_alarms)
{
    uint64_t dice = 7;
    int alarms = 0;
    for (int run = 0; run < 300; run++) {
        struct judge judge = {0};
        struct judge_side o = {0}, n = {0};
        char why[320];
        bool alarm = false;
        for (int i = 0; i < 4000 && !alarm; i++) {
            struct judge_side *side = next(&dice) % 10 == 0 ? &n : &o;
            side->calls++, side->timed++;
            side->errors += next(&dice) % 100 < 3;
            side->below += next(&dice) % 10 < 9;
            o.quantile_ms = 10, n.quantile_ms = 100; /* only the count speaks */
            if (judge_is_due(&judge, n.calls)) alarm = look(&judge, o, n, why) != JUDGE_FINE;
        }
        alarms += alarm;
    }
    CHECK(alarms <= 6);
}

TEST(one_looks_again_when_there_is_a_quarter_more)
{
    struct judge judge = {.looked_calls = 100};
    CHECK(!judge_is_due(&judge, 100) && !judge_is_due(&judge, 124) && judge_is_due(&judge, 125));
    struct judge fresh = {0};
    CHECK(!judge_is_due(&fresh, 0) && judge_is_due(&fresh, 1));
}

TEST_MAIN
