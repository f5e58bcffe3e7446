/* region/versions.c - which version's pool gets the next call, and how warm each is.
 *
 * Weights are drawn at random for each call, as Lambda does it. An alias's provisioned concurrency is divided as its
 * weights say while it has some: the newcomer's part is rounded up, so that it has an instance before its first call. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_id.h"
#include "region/versions_internal.h"

#define ARENA_BYTES_MAX ((size_t)4 << 20)
#define STATUS_S 300

struct version *version_find(const struct function_versions *f, uint32_t number)
{
    struct version *v = f->versions;
    while (v && (v->number != number || v->leaving)) v = v->next;
    return v;
}

struct version_alias *alias_find(struct function_versions *f, struct px_str name)
{
    for (size_t i = 0; i < f->alias_count; i++)
        if (px_str_eq(px_str_c(f->aliases[i].name), name)) return &f->aliases[i];
    return NULL;
}

void version_place(const struct function_versions *f, const char *digest, char *path, size_t bytes)
{
    const struct versions_options *o = &f->all->options;
    if (*digest)
        (void)snprintf(path, bytes, "%s/functions/%s/%s", o->data_dir, f->spec->name, digest);
    else
        (void)snprintf(path, bytes, "%s/%s", o->functions_dir, f->spec->name);
}

struct version *version_add(struct function_versions *f, uint32_t number, const char *digest)
{
    struct version **end = &f->versions, *v = calloc(1, sizeof *v);
    if (!v) return NULL;
    while (*end) end = &(*end)->next;
    v->owner = f;
    v->number = number;
    v->created_ns = px_wall_ns(f->all->options.clock);
    (void)snprintf(v->text, sizeof v->text, "%u", number);
    (void)snprintf(v->digest, sizeof v->digest, "%s", digest);
    *end = v;
    return v;
}

/* ---- pools ---- */

static void on_ended(void *ctx, const struct lambda_result *result, bool spilled)
{
    struct version *v = ctx;
    bool throttled = result->outcome == LAMBDA_THROTTLED;
    if (!v->figures && figures_new(&v->figures) != 0) return; /* no memory: not counted */
    const struct figures_event event = {
        .error = !throttled && result->outcome != LAMBDA_OK,
        .throttled = throttled,
        .cold = result->cold,
        .spilled = spilled,
        .duration_ms = result->duration_ms > 0 ? result->duration_ms : -1,
        .running = lambda_pool_busy(v->pool),
    };
    figures_add(v->figures, px_wall_ns(v->owner->all->options.clock), &event);
}

/* What the function's other versions have; give: one of them shall let an idle instance go, those with more than their
 * minimum first, and one of the minimum when this version has none at all. */
static uint32_t others(void *ctx, bool give)
{
    struct version *own = ctx;
    struct version *warm = NULL, *spare = NULL;
    uint32_t live = 0;
    for (struct version *v = own->owner->versions; v; v = v->next) {
        if (v == own || !v->pool) continue;
        uint32_t has = lambda_pool_live(v->pool);
        live += has;
        if (has > version_warm(v->owner, v))
            spare = v;
        else if (has > 0)
            warm = v;
    }
    if (give && spare && lambda_pool_shed(spare->pool)) return live;
    if (give && warm && lambda_pool_live(own->pool) == 0) (void)lambda_pool_shed(warm->pool);
    return live;
}

static void on_pool_stopped(void *ctx)
{
    struct version *v = ctx;
    struct versions *all = v->owner->all;
    v->stopped = true;
    all->running--;
    if (!all->stopping) { /* a deleted one; its memory stays until the region ends */
        lambda_pool_free(&v->pool);
        return;
    }
    if (all->running == 0 && all->on_stopped) all->on_stopped(all->stopped_ctx);
}

static int start_pool(struct version *v)
{
    struct function_versions *f = v->owner;
    struct versions *all = f->all;
    struct lambda_pool_options options = {0};
    char place[3072];
    version_place(f, v->digest, place, sizeof place);
    int n = snprintf(v->executable, sizeof v->executable, "%s/bootstrap", place);
    if (n < 0 || (size_t)n >= sizeof v->executable)
        return px_fault(PX_F_LIMIT, "a path of %d bytes", n);
    if (access(v->executable, X_OK) != 0)
        return px_fault(PX_F_CONFIG, "function %s: %s cannot be executed: %m", f->spec->name,
                        v->executable);
    PX_TRY(all->options.pool_options(all->options.ctx, f->spec, &options));
    options.executable = v->executable;
    options.version = v->digest[0] ? v->text : NULL;
    options.concurrency_min = PX_MIN(version_warm(f, v), f->reserved);
    options.concurrency_max = f->reserved;
    options.on_ended = on_ended;
    options.ended_ctx = v;
    options.others = others;
    options.others_ctx = v;
    PX_TRY(lambda_pool_new(all->options.loop, &options, &v->pool));
    v->stopped = false;
    all->running++;
    return 0;
}

uint32_t version_warm(const struct function_versions *f, const struct version *v)
{
    uint32_t warm = v->leaving ? 0 : v->provisioned;
    for (size_t i = 0; i < f->alias_count && !v->leaving; i++) {
        const struct version_alias *a = &f->aliases[i];
        uint32_t part = a->other ? (uint32_t)ceil(a->provisioned * a->weight) : 0;
        if (a->other == v->number) warm += part;
        if (a->main == v->number) warm += a->provisioned - part;
    }
    return warm;
}

static bool is_pointed_to(const struct function_versions *f, uint32_t number)
{
    for (size_t i = 0; i < f->alias_count; i++)
        if (f->aliases[i].main == number || f->aliases[i].other == number) return true;
    return false;
}

int versions_apply(struct function_versions *f)
{
    struct version_alias *live = alias_find(f, S(VERSIONS_LIVE));
    PX_ASSERT(live); /* it can be changed, not deleted */
    for (struct version *v = f->versions; v; v = v->next) {
        if (!v->pool && !v->leaving && !f->all->stopping &&
            (is_pointed_to(f, v->number) || v->provisioned > 0))
            PX_TRY(start_pool(v));
        if (!v->pool) continue;
        lambda_pool_limit(v->pool, f->reserved);
        lambda_pool_keep(v->pool, version_warm(f, v));
    }
    f->live = version_find(f, live->main);
    f->live_other = live->other ? version_find(f, live->other) : NULL;
    f->live_weight = live->weight;
    return 0;
}

void version_leave(struct version *v)
{
    v->leaving = true;
    v->provisioned = 0;
    if (v->pool && !v->stopped)
        lambda_pool_stop(v->pool, v->owner->spec->timeout_ms, on_pool_stopped, v);
}

/* ---- calls ---- */

static uint64_t draw(const struct versions *all)
{
    return all->options.random ? all->options.random(all->options.random_ctx) : px_random_u64();
}

/* 53 bits, as a double has them. */
static bool falls_to_other(const struct versions *all, double weight)
{
    return (double)(draw(all) >> 11) * 0x1p-53 < weight;
}

struct lambda_pool *versions_pool(struct versions *versions, size_t function)
{
    const struct function_versions *f = &versions->functions[function];
    if (f->live_other && falls_to_other(versions, f->live_weight)) return f->live_other->pool;
    return f->live->pool;
}

struct lambda_pool *versions_qualified(struct versions *versions, size_t function,
                                       struct px_str qualifier, const char **ret_executed)
{
    struct function_versions *f = &versions->functions[function];
    struct version_alias *alias = alias_find(f, qualifier.len ? qualifier : S(VERSIONS_LIVE));
    struct version *v = NULL;
    int64_t number;
    if (alias)
        v = version_find(f, alias->other && falls_to_other(versions, alias->weight) ? alias->other
                                                                                    : alias->main);
    else if (px_str_to_i64(qualifier, &number) && number > 0 && number <= UINT32_MAX)
        v = version_find(f, (uint32_t)number);
    if (!v || versions->stopping) return v ? v->pool : NULL;
    if (!v->pool) {
        int r = start_pool(v);
        if (r != 0)
            px_log_fault(versions->options.log, r, "version %u of %s", v->number, f->spec->name);
    }
    *ret_executed = v->digest[0] ? v->text : "$LATEST";
    return v->pool;
}

/* ---- what they did ---- */

void versions_stats(const struct versions *versions, size_t function,
                    struct lambda_pool_stats *ret_stats)
{
    struct lambda_pool_stats all = {.last_error = ""};
    for (const struct version *v = versions->functions[function].versions; v; v = v->next) {
        struct lambda_pool_stats one;
        if (!v->pool) continue;
        lambda_pool_stats(v->pool, &one);
        all.starting += one.starting;
        all.idle += one.idle;
        all.busy += one.busy;
        all.queued += one.queued;
        all.invocations += one.invocations;
        all.errors += one.errors;
        all.throttles += one.throttles;
        all.timeouts += one.timeouts;
        all.crashes += one.crashes;
        all.cold_starts += one.cold_starts;
        all.rss_bytes += one.rss_bytes;
        if (one.last_error[0]) all.last_error = one.last_error;
    }
    *ret_stats = all;
}

static double weight_of(const struct function_versions *f, const struct version *v)
{
    double other = f->live_other ? f->live_weight : 0;
    return v == f->live_other ? other : v == f->live ? 1 - other : 0;
}

void versions_write(const struct versions *versions, size_t function, struct px_buf *buf)
{
    const struct function_versions *f = &versions->functions[function];
    int64_t now_s = px_wall_ns(versions->options.clock) / PX_NS_PER_S;
    px_buf_add_c(buf, "[");
    bool first = true;
    for (const struct version *v = f->versions; v; v = v->next) {
        struct figures_sum sum = {0};
        struct lambda_pool_stats s = {0};
        if (v->leaving) continue;
        if (v->pool) lambda_pool_stats(v->pool, &s);
        figures_sum(v->figures, now_s, now_s - STATUS_S, now_s + 1, &sum);
        px_buf_printf(buf,
                      "%s{\"version\":%u,\"digest\":\"%s\",\"weight\":%.6g,\"warm\":%u,"
                      "\"instances\":%u,\"starting\":%u,\"busy\":%u,"
                      "\"queued\":%u,\"recent\":{\"seconds\":%d,\"invocations\":%llu,"
                      "\"errors\":%llu,\"throttles\":%llu,\"cold_starts\":%llu,\"p50_ms\":%.4g,"
                      "\"p90_ms\":%.4g,\"p99_ms\":%.4g}}",
                      first ? "" : ",", v->number, v->digest, weight_of(f, v), version_warm(f, v),
                      s.starting + s.idle + s.busy, s.starting, s.busy, s.queued, STATUS_S,
                      (unsigned long long)sum.invocations, (unsigned long long)sum.errors,
                      (unsigned long long)sum.throttles, (unsigned long long)sum.cold_starts,
                      figures_quantile_ms(&sum, 0.5), figures_quantile_ms(&sum, 0.9),
                      figures_quantile_ms(&sum, 0.99));
        first = false;
    }
    px_buf_add_c(buf, "]");
}

bool versions_stored(const struct versions *versions, size_t function)
{
    return versions->functions[function].stored;
}

bool versions_figures(const struct versions *versions, size_t function, uint32_t executed,
                      int64_t from_s, int64_t to_s, struct figures_sum *ret_sum)
{
    const struct function_versions *f = &versions->functions[function];
    int64_t now_s = px_wall_ns(versions->options.clock) / PX_NS_PER_S;
    struct figures_sum sum = {0};
    if (executed && !version_find(f, executed)) return false;
    for (const struct version *v = f->versions; v; v = v->next)
        if (!executed || v->number == executed) figures_sum(v->figures, now_s, from_s, to_s, &sum);
    *ret_sum = sum;
    return true;
}

uint32_t versions_reserved(const struct versions *versions, size_t function)
{
    return versions->functions[function].reserved;
}

/* ---- life ---- */

static int begin_function(struct function_versions *f)
{
    char store[3072];
    (void)snprintf(store, sizeof store, "%s/functions/%s", f->all->options.data_dir, f->spec->name);
    f->reserved = f->spec->concurrency_max;
    f->next = 2;
    f->alias_count = 1;
    f->aliases[0] = (struct version_alias){
        .name = VERSIONS_LIVE, .main = 1, .provisioned = f->spec->concurrency_min};
    PX_TRY(versions_load(f));
    if (!f->stored) {
        if (!version_add(f, 1, "")) return px_fault(PX_F_OOM, "a version");
    } else {
        PX_TRY(version_code_clean(store));
        px_log(f->all->options.log, PX_INFO,
               "%s: version %u as published, not what was built; prism rollout changes that",
               f->spec->name, f->aliases[0].main);
    }
    return versions_apply(f);
}

int versions_new(const struct versions_options *options, struct versions **ret_versions)
{
    size_t count = options->catalogue->count;
    struct versions *all = calloc(1, sizeof *all + count * sizeof all->functions[0]);
    if (!all) return px_fault(PX_F_OOM, "versions of functions");
    all->options = *options;
    px_arena_init(&all->arena, ARENA_BYTES_MAX);
    *ret_versions = all; /* also when it fails: pools that run have to be stopped */
    for (size_t i = 0; i < count; i++) {
        all->functions[i].all = all;
        all->functions[i].spec = &options->catalogue->functions[i];
        PX_TRY(begin_function(&all->functions[i]));
    }
    return 0;
}

bool versions_running(const struct versions *versions) { return versions->running > 0; }

void versions_stop(struct versions *versions, uint32_t grace_ms, void (*done)(void *ctx), void *ctx)
{
    if (!versions) return;
    versions->stopping = true;
    versions->on_stopped = done;
    versions->stopped_ctx = ctx;
    for (size_t i = 0; versions->running > 0 && i < versions->options.catalogue->count; i++)
        for (struct version *v = versions->functions[i].versions; v; v = v->next)
            if (v->pool && !v->stopped) lambda_pool_stop(v->pool, grace_ms, on_pool_stopped, v);
}

void versions_free_pools(struct versions *versions)
{
    for (size_t i = 0; versions && i < versions->options.catalogue->count; i++)
        for (struct version *v = versions->functions[i].versions; v; v = v->next)
            lambda_pool_free(&v->pool);
}

void versions_free(struct versions **pversions)
{
    struct versions *all = *pversions;
    if (!all) return;
    *pversions = NULL;
    for (size_t i = 0; i < all->options.catalogue->count; i++)
        for (struct version *v = all->functions[i].versions, *next; v; v = next) {
            next = v->next;
            figures_free(&v->figures);
            free(v);
        }
    px_arena_deinit(&all->arena);
    free(all);
}
