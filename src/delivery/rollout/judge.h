/* delivery/rollout/judge.h - whether a new version is worse than the old one, by what both did in the same window.
 *
 * Two tests, both exact, one-sided and without any assumption about distributions:
 *   errors    Fisher's exact test on answered and failed calls of the two versions
 *   latency   an exceedance test (Nelson 1963): how many calls of the new version take longer than a quantile of the old
 *             one's. Under equal distributions that count is negative hypergeometric, whose tail is the very sum that
 *             Fisher's test has.
 * Both need figures that CloudWatch can tell: counts, and shares above a bound (PR). Exact tests hold for the few requests
 * that a canary of a quiet function gets, where a normal approximation does not.
 *
 * Looking again and again would make a false alarm certain in the end. So the k-th look may claim alpha * 6 / (pi * k)^2 only,
 * which sums up to alpha however often one looks (Bonferroni; alpha spending, Lan and DeMets 1983), and there is a look only when
 * the new version's calls have grown by a quarter. A difference that is certain but too small to matter is no regression:
 * there are floors of effect.
 *
 * Sources: NIST/SEMATECH e-Handbook of Statistical Methods, 7.3.3 (Fisher); N. Balakrishnan, H. K. T. Ng, Precedence-Type
 * Tests and Applications, 2006 (exceedances). */
#pragma once

#include "base/px.h"

/* P(X >= hits) when `drawn` are taken without replacement from `all`, `marked` of which are marked. */
double judge_tail(uint64_t all, uint64_t marked, uint64_t drawn, uint64_t hits);

struct judge_limits {
    double alpha;            /* of one step, both tests together */
    double error_floor;      /* of the difference of error rates, 0 to 1 */
    double latency_ratio;    /* of the quantile, more than 1 */
    double latency_floor_ms; /* of its difference */
    double quantile;         /* which; 0.9 */
    uint64_t errors_min;     /* calls of either version before errors are weighed */
    uint64_t latency_min;    /* the same of durations */
};
/* One version in the window. */
struct judge_side {
    uint64_t calls, errors;
    uint64_t timed, below; /* durations, and how many are at most the old version's quantile */
    double quantile_ms;
    /* Calls that ran at once at most. Each was in an instance of its own, whose first call opened what the later ones find open; so many of the new
     * version's slow calls are left out. 0: not known, or there is no such thing. */
    uint64_t at_once;
};
/* Of a step, so far; all zero at its start. */
struct judge {
    uint32_t looks;
    uint64_t looked_calls; /* of the new version at the last look */
};
enum judge_verdict { JUDGE_FINE, JUDGE_ERRORS, JUDGE_LATENCY };

/* The old version's figures of one more step, added to those of the steps before. Quantiles do not add up: it is their mean by durations. */
void judge_add(struct judge_side *sum, const struct judge_side *step);
/* What the new version's figures of a step are compared with. The old version's own of the same step, as long as it got at least as many
 * calls; where it got fewer, most of all at 100 %, those of the rollout's steps before (judge_add) with them: one step alone may have been
 * quiet, lucky or unlucky. Durations are then those of the steps before, whose quantile was the bound of `below`. */
struct judge_side judge_against(const struct judge_side *step, const struct judge_side *before,
                                uint64_t new_calls);

/* Whether it is time to look: asking costs the caller figures that it would have to fetch. */
bool judge_is_due(const struct judge *judge, uint64_t new_calls);
/* why: at least 256 bytes, for people; written for a regression. */
enum judge_verdict judge_look(struct judge *judge, const struct judge_limits *limits,
                              const struct judge_side *old_side, const struct judge_side *new_side,
                              char *why, size_t why_bytes);
