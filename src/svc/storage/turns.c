/* svc/storage/turns.c - see turns.h. */
#include "svc/storage/turns.h"

#include <stdlib.h>

static int by_name(const void *left, const void *right)
{
    const struct turn *a = left, *b = right;
    int order = px_str_cmp(a->tenant, b->tenant);
    return order != 0 ? order : px_str_cmp(a->dataset, b->dataset);
}

void turns_set_served(struct turn *turns, size_t count, const struct dataset_served *served,
                      size_t served_count)
{
    if (count > 1) qsort(turns, count, sizeof(*turns), by_name);
    for (size_t i = 0, s = 0; i < count; i++) {
        int order = 1;
        for (; s < served_count; s++) {
            order = px_str_cmp(served[s].tenant, turns[i].tenant);
            if (order == 0) order = px_str_cmp(served[s].dataset, turns[i].dataset);
            if (order >= 0) break;
        }
        if (order == 0) turns[i].served_ns = served[s].at_ns;
    }
}

/* ---- order ---- */

/* The datasets of one tenant. */
struct tenant {
    struct turn *turns;
    size_t count, next; /* next: the first one that may have something left */
    int64_t served_ns;  /* of any of them */
};

static int by_time(const void *left, const void *right)
{
    const struct turn *a = left, *b = right;
    if (a->served_ns != b->served_ns) return a->served_ns < b->served_ns ? -1 : 1;
    return by_name(a, b);
}

static int tenant_by_time(const void *left, const void *right)
{
    const struct tenant *a = left, *b = right;
    if (a->served_ns != b->served_ns) return a->served_ns < b->served_ns ? -1 : 1;
    return px_str_cmp(a->turns->tenant, b->turns->tenant);
}

/* turns stand by name. */
static size_t group(struct turn *turns, size_t count, struct tenant *tenants)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        struct tenant *last = n > 0 ? &tenants[n - 1] : NULL;
        if (!last || !px_str_eq(last->turns->tenant, turns[i].tenant)) {
            last = &tenants[n++];
            *last = (struct tenant){.turns = &turns[i]};
        }
        last->count++;
        last->served_ns = PX_MAX(last->served_ns, turns[i].served_ns);
    }
    for (size_t i = 0; i < n; i++)
        if (tenants[i].count > 1)
            qsort(tenants[i].turns, tenants[i].count, sizeof(*turns), by_time);
    if (n > 1) qsort(tenants, n, sizeof(*tenants), tenant_by_time);
    return n;
}

/* ---- turns ---- */

struct taking {
    struct storage *storage;
    const struct storage_scope *scope;
    turn_step *step;
    void *ctx;
    struct storage_counts *counts;
};

/* Whether the step wrote something. */
static bool step(const struct taking *taking, struct turn *turn)
{
    uint64_t frames = taking->counts->frames, objects = taking->counts->objects;
    int r = taking->step(taking->ctx, turn);
    if (r < 0) storage_failed(taking->storage, turn->tenant, turn->dataset, r, taking->counts);
    if (r == TURN_CONFLICT) {
        taking->counts->conflicts++;
        turn->conflicts++;
    }
    turn->ended = r <= 0 || turn->conflicts == CONFLICTS_MAX;
    bool wrote = taking->counts->frames > frames || taking->counts->objects > objects;
    if (wrote && !turn->begun) taking->counts->datasets++;
    turn->begun = turn->begun || wrote;
    return wrote;
}

/* One turn of a tenant. False when time is up. */
static bool serve(const struct taking *taking, struct tenant *tenant)
{
    int64_t until_ns = px_mono_ns(&px_clock_system) + TURN_MS * PX_NS_PER_MS;
    while (tenant->next < tenant->count) {
        struct turn *turn = &tenant->turns[tenant->next];
        if (storage_late(taking->scope, taking->counts)) return false;
        bool wrote = step(taking, turn);
        if (turn->ended) tenant->next++;
        if (wrote || px_mono_ns(&px_clock_system) >= until_ns) break;
    }
    return true;
}

void turns_take(struct storage *storage, const struct storage_scope *scope, struct turn *turns,
                size_t count, turn_step *step_of, void *ctx, struct storage_counts *counts)
{
    const struct taking taking = {storage, scope, step_of, ctx, counts};
    PX_AUTO(px_free_mem) struct tenant *tenants = calloc(count + 1, sizeof(*tenants));
    if (!tenants) { /* without an order, then, but done */
        struct tenant all = {turns, count, 0, 0};
        while (all.next < count && serve(&taking, &all)) continue;
        return;
    }
    size_t left = group(turns, count, tenants);
    while (left > 0) {
        size_t kept = 0;
        for (size_t i = 0; i < left; i++) {
            if (!serve(&taking, &tenants[i])) return;
            if (tenants[i].next < tenants[i].count) tenants[kept++] = tenants[i];
        }
        left = kept;
    }
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): PX_AUTO frees it */
}
