/* region/figures.c - see figures.h. A slot knows which second or minute it counts; one that comes round again begins
 * anew, so that nothing needs a timer. */
#include "region/figures.h"

#include <math.h>
#include <stdlib.h>

#include "base/px_clock.h"
#include "base/px_fault.h"

#define CLASS_MS_MIN 0.1
#define CLASSES_PER_DOUBLING 4.0
#define MINUTE_S 60

struct slot {
    int64_t number; /* second or minute since 1970; 0: none */
    uint32_t invocations, errors, throttles, cold_starts, spilled, refused, running_max, timed;
    uint32_t started, timed_out, aborted;
    double sum_ms, min_ms, max_ms;
    uint32_t classes[FIGURES_CLASSES];
};
struct figures {
    struct slot fine[FIGURES_FINE_SLOTS], coarse[FIGURES_COARSE_SLOTS];
};

int figures_new(struct figures **ret_figures)
{
    struct figures *figures = calloc(1, sizeof *figures);
    if (!figures) return px_fault(PX_F_OOM, "figures of a version");
    *ret_figures = figures;
    return 0;
}

void figures_free(struct figures **figures)
{
    free(*figures);
    *figures = NULL;
}

/* Class 0 is up to CLASS_MS_MIN, class n up to upper(n). */
static double upper_ms(size_t class)
{
    return CLASS_MS_MIN * exp2((double)class / CLASSES_PER_DOUBLING);
}

static size_t class_of(double ms)
{
    if (!(ms > CLASS_MS_MIN)) return 0;
    double class = ceil(log2(ms / CLASS_MS_MIN) * CLASSES_PER_DOUBLING);
    return class >= FIGURES_CLASSES ? FIGURES_CLASSES - 1 : (size_t) class;
}

static void count(struct slot *slot, int64_t number, const struct figures_event *event)
{
    if (slot->number != number) *slot = (struct slot){.number = number};
    slot->started += event->started;
    if (event->started) return;
    slot->invocations += !event->throttled; /* Lambda counts none of these as an invocation */
    slot->timed_out += event->timed_out;
    slot->aborted += event->aborted;
    slot->throttles += event->throttled;
    slot->errors += event->error;
    slot->cold_starts += event->cold;
    slot->spilled += event->spilled;
    slot->refused += event->refused;
    slot->running_max = PX_MAX(slot->running_max, event->running);
    if (event->duration_ms < 0) return;
    slot->min_ms = slot->timed ? fmin(slot->min_ms, event->duration_ms) : event->duration_ms;
    slot->max_ms = fmax(slot->max_ms, event->duration_ms);
    slot->sum_ms += event->duration_ms;
    slot->timed++;
    slot->classes[class_of(event->duration_ms)]++;
}

void figures_add(struct figures *figures, int64_t wall_ns, const struct figures_event *event)
{
    int64_t second = wall_ns / PX_NS_PER_S, minute = second / MINUTE_S;
    if (second <= 0) return;
    count(&figures->fine[second % FIGURES_FINE_SLOTS], second, event);
    count(&figures->coarse[minute % FIGURES_COARSE_SLOTS], minute, event);
}

static void take(const struct slot *slot, struct figures_sum *sum)
{
    sum->invocations += slot->invocations;
    sum->errors += slot->errors;
    sum->throttles += slot->throttles;
    sum->cold_starts += slot->cold_starts;
    sum->spilled += slot->spilled;
    sum->refused += slot->refused;
    sum->started += slot->started;
    sum->timed_out += slot->timed_out;
    sum->aborted += slot->aborted;
    sum->running_max = PX_MAX(sum->running_max, (uint64_t)slot->running_max);
    if (slot->timed == 0) return;
    sum->duration_min_ms = sum->timed ? fmin(sum->duration_min_ms, slot->min_ms) : slot->min_ms;
    sum->duration_max_ms = fmax(sum->duration_max_ms, slot->max_ms);
    sum->duration_sum_ms += slot->sum_ms;
    sum->timed += slot->timed;
    for (size_t i = 0; i < FIGURES_CLASSES; i++) sum->classes[i] += slot->classes[i];
}

void figures_sum(const struct figures *figures, int64_t now_s, int64_t from_s, int64_t to_s,
                 struct figures_sum *sum)
{
    if (!figures || from_s >= to_s) return;
    int64_t fine_s = now_s - FIGURES_FINE_SLOTS + 1;
    /* The first whole minute that the fine ring has; what is before comes from the coarse one. */
    int64_t whole_s = (fine_s + MINUTE_S - 1) / MINUTE_S * MINUTE_S;
    int64_t begin_s = from_s >= fine_s ? from_s : PX_MAX(from_s, whole_s);
    for (int64_t s = begin_s; s < PX_MIN(to_s, now_s + 1); s++)
        if (s > 0 && figures->fine[s % FIGURES_FINE_SLOTS].number == s)
            take(&figures->fine[s % FIGURES_FINE_SLOTS], sum);
    if (from_s >= fine_s) return;
    int64_t first = PX_MAX((from_s + MINUTE_S - 1) / MINUTE_S,
                           now_s / MINUTE_S - FIGURES_COARSE_SLOTS + 1);
    for (int64_t m = PX_MAX(first, INT64_C(1)); m * MINUTE_S < PX_MIN(to_s, whole_s); m++)
        if (figures->coarse[m % FIGURES_COARSE_SLOTS].number == m)
            take(&figures->coarse[m % FIGURES_COARSE_SLOTS], sum);
}

/* The bounds of a class, narrowed to what was seen. */
static double low_ms(const struct figures_sum *sum, size_t class)
{
    return fmax(class == 0 ? 0.0 : upper_ms(class - 1), sum->duration_min_ms);
}
static double high_ms(const struct figures_sum *sum, size_t class)
{
    bool last = class + 1 == FIGURES_CLASSES;
    return last ? sum->duration_max_ms : fmin(upper_ms(class), sum->duration_max_ms);
}

double figures_quantile_ms(const struct figures_sum *sum, double q)
{
    double rank = q * (double)sum->timed, before = 0;
    for (size_t i = 0; i < FIGURES_CLASSES; i++) {
        double here = (double)sum->classes[i];
        if (here > 0 && before + here >= rank) {
            double low = low_ms(sum, i), high = high_ms(sum, i);
            return low + (high - low) * (rank - before) / here;
        }
        before += here;
    }
    return 0;
}

/* How many are at most ms. */
static double up_to(const struct figures_sum *sum, double ms)
{
    double total = 0;
    for (size_t i = 0; i < FIGURES_CLASSES; i++) {
        double low = low_ms(sum, i), high = high_ms(sum, i), here = (double)sum->classes[i];
        if (here <= 0) continue;
        if (ms >= high)
            total += here;
        else if (ms > low)
            total += here * (ms - low) / (high - low);
    }
    return total;
}

double figures_share(const struct figures_sum *sum, double above_ms, double to_ms)
{
    if (sum->timed == 0) return 0;
    double above = above_ms > 0 ? up_to(sum, above_ms) : 0; /* nothing takes less than no time */
    return (up_to(sum, to_ms) - above) / (double)sum->timed;
}
