/* delivery/pipeline/engine_load.c - a run read from its journal, and entries written behind it. */
#include <stdarg.h>
#include <stdio.h>

#include "delivery/pipeline/engine.h"

void engine_say(struct pipeline *p, const char *fmt, ...)
{
    char text[2048];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    px_buf_clear(&p->said);
    px_buf_add_c(&p->said, text);
}

static int load_definition(struct pipeline *p)
{
    PX_AUTO(px_buf_deinit) struct px_buf text, problems;
    char key[96], hash[DIGEST_HEX_BYTES];
    px_buf_init(&text, DEFINITION_BYTES_MAX);
    px_buf_init(&problems, 1u << 16);
    (void)snprintf(key, sizeof key, "definitions/%.*s.json", PX_FMT(p->state.definition_sha256));
    int r = object_get(p->store, px_str_c(key), &text);
    if (r > 0) return px_fault(PX_F_CORRUPT, "%s is not in the store", key);
    PX_TRY(r);
    digest_of(px_buf_str(&text), hash);
    if (!px_str_eq(px_str_c(hash), p->state.definition_sha256))
        return px_fault(PX_F_CORRUPT, "%s was changed", key);
    r = definition_read(px_buf_str(&text), key, p->options->actions, &p->arena, &problems,
                        &p->definition);
    if (r == DEFINITION_INVALID)
        return px_fault(PX_F_CONFIG, "this prism does not know the run's pipeline: %.*s",
                        PX_FMT(px_buf_str(&problems)));
    PX_TRY(r);
    PX_TRY(state_set_definition(&p->state, &p->definition));
    return 0;
}

int engine_load(struct pipeline *p, uint32_t run)
{
    struct entry entry;
    px_arena_deinit(&p->arena);
    px_arena_init(&p->arena, ENGINE_ARENA_BYTES);
    journal_init(&p->journal, p->store, run);
    state_init(&p->state, &p->arena);
    p->loaded = false;
    int r = journal_next(&p->journal, &p->arena, &entry);
    if (r == JOURNAL_NONE) return PIPELINE_NONE;
    PX_TRY(r);
    PX_TRY(state_apply(&p->state, &entry));
    PX_TRY(load_definition(p));
    PX_TRY(engine_catch_up(p));
    p->loaded = true;
    return 0;
}

static int apply(struct pipeline *p, const struct entry *entry)
{
    PX_TRY(state_apply(&p->state, entry));
    atomic_store(&p->lease.seq, p->state.seq);
    if (p->options->on_change && p->loaded)
        p->options->on_change(p->options->ctx, &p->state, entry, NULL);
    return 0;
}

int engine_catch_up(struct pipeline *p)
{
    struct entry entry;
    atomic_store(&p->lease.news, false);
    for (;;) {
        int r = journal_next(&p->journal, &p->arena, &entry);
        if (r == JOURNAL_NONE) return 0;
        PX_TRY(r);
        PX_TRY(apply(p, &entry));
    }
}

bool engine_is_lost(struct pipeline *p)
{
    if (!p->holds) return true;
    bool other = !p->state.holder.held || p->state.fence != p->fence;
    return other || lease_is_lost(&p->lease);
}

bool engine_is_interrupted(struct pipeline *p)
{
    if (!p->interrupted && p->options->on_interrupt)
        p->interrupted = p->options->on_interrupt(p->options->ctx);
    return p->interrupted;
}

int engine_append_once(struct pipeline *p, struct entry *entry, struct px_str data)
{
    entry->at_ns = px_wall_ns(p->options->clock);
    entry->who = px_str_c(p->options->who);
    if (entry->release.len == 0) entry->release = p->state.release.id;
    int r = journal_append(&p->journal, &p->arena, entry, data);
    if (r == JOURNAL_TAKEN) {
        PX_TRY(engine_catch_up(p));
        return JOURNAL_TAKEN;
    }
    PX_TRY(r);
    PX_TRY(apply(p, entry));
    return 0;
}

int engine_append(struct pipeline *p, struct entry *entry, struct px_str data)
{
    for (;;) {
        struct entry copy = *entry;
        if (engine_is_lost(p))
            return px_fault(PX_F_BUSY, "run %u is driven by %.*s on %.*s now", p->state.run,
                            PX_FMT(p->state.holder.who), PX_FMT(p->state.holder.host));
        copy.fence = p->fence;
        int r = engine_append_once(p, &copy, data);
        if (r == JOURNAL_TAKEN) continue;
        PX_TRY(r);
        return 0;
    }
}
