/* region/figures.h - what one version of a function or a state machine did of late: invocations, errors, throttles, cold starts, how
 * long it took, in bounded memory over a sliding window. What CloudWatch keeps on AWS, as far as the rollout of a version
 * and the alarms of functions ask for it. An execution of a machine is an invocation when it ends.
 *
 * Two rings of slots: FIGURES_FINE_SLOTS of a second and FIGURES_COARSE_SLOTS of a minute. Durations are counted in
 * classes whose bounds grow by the fourth root of two from 0.1 ms to 16 minutes, so that a percentile is off by at most
 * 19 %, and as a rule by far less, since within a class values are taken to be spread evenly. */
#pragma once

#include "base/px.h"

#define FIGURES_FINE_SLOTS 180
#define FIGURES_COARSE_SLOTS 60
#define FIGURES_CLASSES 94

struct figures; /* opaque; about 100 KB, most of it untouched in a function that is called seldom */

/* Of some time; also the sum of several. */
struct figures_sum {
    uint64_t invocations, errors, throttles, cold_starts, spilled, refused, running_max;
    uint64_t started, timed_out, aborted; /* executions; the latter two are no errors here */
    uint64_t timed;                       /* how many have a duration */
    double duration_sum_ms, duration_min_ms, duration_max_ms;
    uint64_t classes[FIGURES_CLASSES]; /* of durations */
};
struct figures_event {
    bool error, throttled, cold, spilled;
    bool refused; /* the gateway's: an answer with 400 to 499 */
    bool started; /* an execution's start, and nothing else of it */
    bool timed_out, aborted;
    double duration_ms; /* negative: none */
    uint32_t running;   /* instances that are busy */
};
PX_MUST_USE int figures_new(struct figures **ret_figures);
void figures_free(struct figures **figures);
void figures_add(struct figures *figures, int64_t wall_ns, const struct figures_event *event);
/* Add what ended in [from_s, to_s), in seconds of wall time, to sum. Seconds older than the fine ring are told by whole
 * minutes: a minute counts when it begins in the range. figures may be NULL. */
void figures_sum(const struct figures *figures, int64_t now_s, int64_t from_s, int64_t to_s,
                 struct figures_sum *sum);
/* The q-quantile of durations, 0 < q < 1; 0 of none. */
double figures_quantile_ms(const struct figures_sum *sum, double q);
/* The share of durations in (above_ms, to_ms], 0 to 1; 0 of none. */
double figures_share(const struct figures_sum *sum, double above_ms, double to_ms);
