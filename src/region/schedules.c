/* region/schedules.c - see schedules.h. First ticks are spread: after one rate, at most a minute, plus a
 * second a schedule, so that a restart does not start everything at once. */
#include "region/schedules.h"

#include <stdlib.h>

struct entry {
    struct schedules *owner;
    uv_timer_t timer;
    const struct function_spec *function;
    const struct function_schedule *schedule;
};
struct schedules {
    struct async_queue *async;
    const struct px_log *log;
    size_t count;
    struct entry entries[];
};

static void on_tick(uv_timer_t *timer)
{
    struct entry *e = timer->data;
    char id[37];
    int r = async_invoke(e->owner->async, e->function, e->schedule->input, false, id);
    if (r > 0)
        px_log(e->owner->log, PX_WARN, "schedule %s of %s skipped: queue is full",
               e->schedule->name, e->function->name);
    else if (r < 0)
        px_log_fault(e->owner->log, r, "schedule %s of %s", e->schedule->name, e->function->name);
}

int schedules_new(uv_loop_t *loop, const struct function_catalogue *catalogue,
                  struct async_queue *async, const struct workflows *workflows,
                  const struct px_log *log, struct schedules **ret_schedules)
{
    size_t count = 0;
    for (size_t i = 0; i < catalogue->count; i++) count += catalogue->functions[i].schedule_count;
    struct schedules *s = calloc(1, sizeof(*s) + count * sizeof(struct entry));
    if (!s) return px_fault(PX_F_OOM, "schedules");
    s->async = async;
    s->log = log;
    for (size_t i = 0; i < catalogue->count; i++) {
        const struct function_spec *f = &catalogue->functions[i];
        for (size_t k = 0; k < f->schedule_count; k++) {
            if (workflows_take_over(workflows, f->schedules[k].workflow)) continue;
            struct entry *e = &s->entries[s->count++];
            uint64_t rate_ms = (uint64_t)f->schedules[k].rate_s * 1000;
            *e = (struct entry){.owner = s, .function = f, .schedule = &f->schedules[k]};
            uv_timer_init(loop, &e->timer);
            e->timer.data = e;
            uv_timer_start(&e->timer, on_tick, PX_MIN(rate_ms, 60000u) + s->count * 1000, rate_ms);
        }
    }
    *ret_schedules = s;
    return 0;
}

void schedules_stop(struct schedules *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (!uv_is_closing((uv_handle_t *)&s->entries[i].timer))
            uv_close((uv_handle_t *)&s->entries[i].timer, NULL);
}

void schedules_free(struct schedules **schedules)
{
    free(*schedules);
    *schedules = NULL;
}
