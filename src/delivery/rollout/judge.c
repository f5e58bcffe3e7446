/* delivery/rollout/judge.c - see judge.h. */
#include "delivery/rollout/judge.h"

#include <math.h>
#include <stdio.h>

#define GROWTH 1.25
#define BASEL 0.6079271018540267 /* 6 / pi^2, so that the sum of BASEL / k^2 is 1 */

static double log_choose(uint64_t n, uint64_t k)
{
    return lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1);
}

double judge_tail(uint64_t all, uint64_t marked, uint64_t drawn, uint64_t hits)
{
    uint64_t most = PX_MIN(marked, drawn), least = marked + drawn > all ? marked + drawn - all : 0;
    if (hits <= least) return 1;
    if (hits > most) return 0;
    double sum = 0, below = log_choose(all, drawn);
    for (uint64_t x = hits; x <= most; x++) {
        double term = exp(log_choose(marked, x) + log_choose(all - marked, drawn - x) - below);
        sum += term;
        if (term < sum * 1e-17) break; /* the terms fall from here on, or fell long ago */
    }
    return fmin(sum, 1);
}

void judge_add(struct judge_side *sum, const struct judge_side *step)
{
    uint64_t timed = sum->timed + step->timed;
    if (timed > 0)
        sum->quantile_ms = (sum->quantile_ms * (double)sum->timed +
                            step->quantile_ms * (double)step->timed) /
                           (double)timed;
    sum->calls += step->calls;
    sum->errors += step->errors;
    sum->timed = timed;
    sum->below += step->below;
}

struct judge_side judge_against(const struct judge_side *step, const struct judge_side *before,
                                uint64_t new_calls)
{
    struct judge_side side = *step;
    if (step->calls >= new_calls) return side;
    side.calls += before->calls;
    side.errors += before->errors;
    if (before->timed > 0) {
        side.timed = before->timed;
        side.below = before->below;
        side.quantile_ms = before->quantile_ms;
    }
    return side;
}

bool judge_is_due(const struct judge *judge, uint64_t new_calls)
{
    return (double)new_calls >= GROWTH * (double)judge->looked_calls &&
           new_calls > judge->looked_calls;
}

static double rate(uint64_t part, uint64_t all) { return all ? (double)part / (double)all : 0; }

/* How likely the new version has so many of all errors when both fail alike. */
static double errors_p(const struct judge_side *o, const struct judge_side *n)
{
    return judge_tail(o->calls + n->calls, o->errors + n->errors, n->calls, n->errors);
}

/* How likely so many of the old version's are among the quickest when both are alike. */
static double latency_p(const struct judge_side *o, const struct judge_side *n)
{
    return judge_tail(o->timed + n->timed, o->timed, o->below + n->below, o->below);
}

/* Without the first calls of its instances: the old version's are long over. That many at least there were, and where calls that follow are as
 * slow, they are far more. */
static struct judge_side warmed(const struct judge_side *n)
{
    struct judge_side side = *n;
    side.timed -= PX_MIN(n->at_once, n->timed - PX_MIN(n->below, n->timed));
    return side;
}

enum judge_verdict judge_look(struct judge *judge, const struct judge_limits *limits,
                              const struct judge_side *o, const struct judge_side *n, char *why,
                              size_t why_bytes)
{
    judge->looks++;
    judge->looked_calls = n->calls;
    double k = judge->looks, level = limits->alpha / 2 * BASEL / (k * k);
    double worse = rate(n->errors, n->calls) - rate(o->errors, o->calls);
    bool enough = n->calls >= limits->errors_min && o->calls >= limits->errors_min;
    if (enough && worse > limits->error_floor && errors_p(o, n) < level) {
        (void)snprintf(
            why, why_bytes,
            "errors: %llu of %llu calls of the new version failed, %llu of %llu of the old "
            "one (p = %.2g, below %.2g of look %u)",
            (unsigned long long)n->errors, (unsigned long long)n->calls,
            (unsigned long long)o->errors, (unsigned long long)o->calls, errors_p(o, n), level,
            judge->looks);
        return JUDGE_ERRORS;
    }
    const struct judge_side later = warmed(n);
    bool timed = later.timed >= limits->latency_min && o->timed >= limits->latency_min;
    bool slower = n->quantile_ms > o->quantile_ms * limits->latency_ratio &&
                  n->quantile_ms > o->quantile_ms + limits->latency_floor_ms;
    if (timed && slower && latency_p(o, &later) < level) {
        (void)snprintf(
            why, why_bytes,
            "latency: p%.3g is %.4g ms, of the old version %.4g ms; %.3g %% of %llu calls take "
            "longer than that, of the old one %.3g %% of %llu (p = %.2g, below %.2g of look %u)",
            limits->quantile * 100, n->quantile_ms, o->quantile_ms,
            100 * (1 - rate(later.below, later.timed)), (unsigned long long)later.timed,
            100 * (1 - rate(o->below, o->timed)), (unsigned long long)o->timed,
            latency_p(o, &later), level, judge->looks);
        return JUDGE_LATENCY;
    }
    return JUDGE_FINE;
}
