/* delivery/pipeline/engine_hold.c - who drives a run. */
#include <stdio.h>
#include <time.h>

#include "delivery/pipeline/engine.h"

#define LOOK_MS 200
#define TOLD_MS 5000 /* how often who waits is told of it */

static void since_text(int64_t ns, char text[32]) { (void)px_time_format(ns, 0, text); }

void engine_say_holder(struct pipeline *p)
{
    const struct state_holder *holder = &p->state.holder;
    char since[32];
    since_text(holder->since_ns, since);
    engine_say(
        p,
        "run %u is driven by %.*s on %.*s (process %lld) since %s; wait for it with --wait, or follow it with prism pipeline status --follow",
        p->state.run, PX_FMT(holder->who), PX_FMT(holder->host), (long long)holder->pid, since);
}

/* Gone: dead on this machine, or silent for two leases by the store's clock. */
static int is_gone(struct pipeline *p, bool *ret_gone)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    struct lease_seen seen = {0};
    px_arena_init(&arena, 1u << 20);
    *ret_gone = true;
    if (lease_holder_is_dead(&p->state.holder)) return 0;
    int r = lease_look(p->store, p->state.run, p->state.fence, &arena, &seen);
    if (r == OBJECT_ABSENT)
        seen.modified_ns = p->state.holder.since_ns; /* it held it a moment ago */
    else
        PX_TRY(r);
    int64_t silent_ns = px_wall_ns(p->options->clock) - seen.modified_ns;
    *ret_gone = silent_ns > 2 * p->definition.lease_s * PX_NS_PER_S;
    return 0;
}

static int write_held(struct pipeline *p)
{
    PX_AUTO(px_buf_deinit) struct px_buf data;
    struct lease_self self;
    struct entry entry = {.event = ENTRY_HELD, .fence = p->state.fence + 1};
    px_buf_init(&data, 4096);
    lease_self(&self);
    px_buf_add_c(&data, "{\"host\":");
    px_buf_add_json_str(&data, px_str_c(self.host));
    px_buf_add_c(&data, ",\"boot\":");
    px_buf_add_json_str(&data, px_str_c(self.boot));
    px_buf_printf(&data, ",\"pid\":%lld,\"started\":%lld}", (long long)self.pid,
                  (long long)self.started);
    PX_TRY(px_buf_fault(&data));
    return engine_append_once(p, &entry, px_buf_str(&data));
}

static int begin_lease(struct pipeline *p)
{
    p->fence = p->state.fence;
    p->holds = true;
    p->lease.store = p->lease_store;
    p->lease.clock = p->options->clock;
    p->lease.lease_ns = p->definition.lease_s * PX_NS_PER_S;
    p->lease.run = p->state.run;
    p->lease.fence = p->fence;
    PX_TRY(lease_start(&p->lease));
    return 0;
}

/* A look at the world while somebody else drives. */
static int wait_for_holder(struct pipeline *p, int64_t *told_ns)
{
    int64_t now_ns = px_mono_ns(p->options->clock);
    if (engine_is_interrupted(p)) return PIPELINE_INTERRUPTED;
    if (p->options->on_wait && (*told_ns == 0 || now_ns - *told_ns > TOLD_MS * PX_NS_PER_MS)) {
        engine_say_holder(p);
        p->options->on_wait(p->options->ctx, px_buf_str(&p->said));
        *told_ns = now_ns;
    }
    (void)nanosleep(&(struct timespec){0, LOOK_MS * PX_NS_PER_MS}, NULL);
    PX_TRY(engine_catch_up(p));
    return 0;
}

int engine_take(struct pipeline *p)
{
    int64_t told_ns = 0;
    for (;;) {
        bool gone = true;
        if (p->state.ended) {
            engine_say(p, "run %u has ended: %.*s", p->state.run, PX_FMT(p->state.outcome));
            return PIPELINE_NONE;
        }
        if (p->state.holder.held) PX_TRY(is_gone(p, &gone));
        if (gone) {
            int r = write_held(p);
            if (r == JOURNAL_TAKEN) continue;
            PX_TRY(r);
            PX_TRY(begin_lease(p));
            return 0;
        }
        engine_say_holder(p);
        if (!p->options->wait) return PIPELINE_BUSY;
        int r = wait_for_holder(p, &told_ns);
        if (r == PIPELINE_INTERRUPTED) return r;
        PX_TRY(r);
    }
}

void engine_release(struct pipeline *p, const char *why)
{
    PX_AUTO(px_buf_deinit) struct px_buf data;
    struct entry entry = {.event = ENTRY_RELEASED};
    px_buf_init(&data, 4096);
    if (!p->holds) return;
    px_buf_add_c(&data, "{\"why\":");
    px_buf_add_json_str(&data, px_str_c(why));
    px_buf_add_char(&data, '}');
    /* where it cannot be written, the lease runs out */
    int r = p->state.ended || engine_is_lost(p) ? 0 : engine_append(p, &entry, px_buf_str(&data));
    (void)r;
    lease_stop(&p->lease);
    p->holds = false;
}
