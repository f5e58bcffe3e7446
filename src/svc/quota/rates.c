/* svc/quota/rates.c - see rates.h.
 *
 * Two buckets a tenant, of requests and of bytes, each the time at which it is full (gcra.h), by the wall clock, which processes have in
 * common. A part of a bucket is told as the time that it takes to fill it, so leases of both are alike.
 *
 * Invariants: what an item says is no less than what was spent and what is held; `held_ns` of requests is a whole number of them; a
 * time that no spending could have come to (a clock was wrong) counts as an empty bucket, so nobody waits for a wrong clock. */
#include "svc/quota/rates.h"

#include <stdlib.h>

#include "base/px_json.h"
#include "svc/quota/days.h"
#include "svc/quota/gcra.h"
#include "svc/quota/seen.h"

#define SORT "rates"
#define AHEAD_NS (PX_NS_PER_S / RATES_AHEAD_PART)
#define LEASE_NS (RATES_LEASE_S * PX_NS_PER_S)
#define WRITES_ALONE 4u /* of a tenant in a second, before more is taken than is needed */
#define TRIES 32        /* each further one means that another process took meanwhile */
#define ITEM_KEPT_NS (60 * PX_NS_PER_S) /* once its buckets are full */
#define BODY_BYTES_MAX (UINT64_C(64) << 20)
#define SCRATCH_BYTES_MAX (256 * 1024)

enum { REQUESTS, BYTES, SHARES };
static const enum quota_name limit_of[SHARES] = {QUOTA_REQUESTS_PER_S, QUOTA_BYTES_PER_S};
static const char *const member_of[SHARES] = {"requests", "bytes"};

struct share {
    bool is_shared;
    int64_t full_ns;                 /* wall; as last seen in the item */
    int64_t held_ns;                 /* taken there, not used yet */
    int64_t wait_ns;                 /* monotonic; it was short: not asked before */
    int64_t alone_ns;                /* monotonic; when this process's own bucket is full */
    int64_t used_ns, used_before_ns; /* in this second, and in the one before */
};
struct rate {
    struct seen_tenant tenant;
    uint64_t limits_hash; /* of the words that its limits came from */
    struct quota_limits limits;
    struct share shares[SHARES];
    int64_t version;   /* of the item as last seen; 0: absent */
    int64_t second;    /* monotonic */
    int64_t leased_ns; /* monotonic */
    uint32_t writes;   /* in `second` */
};
struct rates {
    struct rates_options options;
    struct px_arena arena, scratch; /* the book's; of one reading */
    struct quota_book book;
    struct quota_seen seen;
    struct table_store *tables; /* NULL: not opened yet */
    int64_t alone_until_ns;     /* monotonic */
};
struct taking {
    struct rates *rates;
    struct rate *it;
    struct quota_price prices[SHARES];
    int64_t mono_ns, wall_ns;
    struct quota_refusal *refusal;
};

int rates_new(const struct rates_options *options, struct rates **ret_rates)
{
    PX_AUTO(rates_free) struct rates *rates = calloc(1, sizeof *rates);
    if (!rates) return px_fault(PX_F_OOM, "rates");
    rates->options = *options;
    px_arena_init(&rates->arena, SCRATCH_BYTES_MAX);
    px_arena_init(&rates->scratch, SCRATCH_BYTES_MAX);
    PX_TRY(quota_book_read(&rates->arena, &rates->book));
    PX_TRY(quota_seen_init(&rates->seen, RATES_TENANTS_MAX, sizeof(struct rate), NULL));
    *ret_rates = PX_TAKE(rates);
    return 0;
}

void rates_free(struct rates **rates_at)
{
    struct rates *rates = *rates_at;
    if (!rates) return;
    *rates_at = NULL;
    quota_seen_deinit(&rates->seen);
    px_arena_deinit(&rates->arena);
    px_arena_deinit(&rates->scratch);
    free(rates);
}

/* ---- limits ---- */

static uint64_t hash_of(uint64_t hash, struct px_str s)
{
    for (size_t i = 0; i < s.len; i++) hash = (hash ^ (uint8_t)s.ptr[i]) * UINT64_C(1099511628211);
    return hash;
}

/* Its own numbers are shared. The usage plan holds the requests of its tier; the burst of those may be its tier's. */
static int read_limits(struct rates *rates, struct rate *it, const struct rates_ask *ask)
{
    struct px_str tier = rates->options.tiers ? ask->tier : S("");
    uint64_t hash = hash_of(hash_of(UINT64_C(14695981039346656037), ask->own) * 31, tier) | 1;
    struct quota_limits own;
    if (it->limits_hash == hash) return 0;
    px_arena_reset(&rates->scratch);
    int r = quota_limits_of(&rates->book, S(""), ask->own, &rates->scratch, &own);
    if (r == QUOTA_NO_JSON) return px_fault(PX_F_PROTOCOL, "the authorizer's quotas are no JSON");
    PX_TRY(r);
    PX_TRY(quota_limits_of(&rates->book, tier, ask->own, &rates->scratch, &it->limits));
    it->limits_hash = hash;
    for (int i = 0; i < SHARES; i++) {
        it->shares[i].is_shared = own.values[limit_of[i]] > 0;
        it->shares[i].held_ns = it->shares[i].wait_ns = 0; /* of other limits */
    }
    if (!it->shares[REQUESTS].is_shared) it->limits.values[QUOTA_REQUESTS_PER_S] = QUOTA_NONE;
    return 0;
}

/* Who takes leases has at least two of them in a full bucket. */
static void read_prices(struct taking *t, uint64_t bytes)
{
    struct quota_price *request = &t->prices[REQUESTS];
    *request = quota_price_request(&t->it->limits);
    if (request->depth_ns > 0 && request->cost_ns <= AHEAD_NS)
        request->depth_ns = PX_MAX(request->depth_ns, 2 * AHEAD_NS);
    t->prices[BYTES] = quota_price_bytes(&t->it->limits, bytes);
}

/* ---- refusals ---- */

static int refuse(const struct taking *t, int which, int64_t wait_ns)
{
    *t->refusal = (struct quota_refusal){
        .which = limit_of[which],
        .name = t->rates->book.kinds[limit_of[which]].name,
        .limit = t->it->limits.values[limit_of[which]],
        .window_s = 1,
        .wait_s = PX_MAX((wait_ns + PX_NS_PER_S - 1) / PX_NS_PER_S, 1),
    };
    return RATES_OVER;
}

/* The item is not asked for a while: whoever is short would ask it for each request. Requests that are
 * further apart than that ask when there is one. */
static void pause_asking(const struct taking *t, int which, int64_t lacking_ns)
{
    const struct quota_price *price = &t->prices[which];
    bool apart = !price->in_debt && price->cost_ns > AHEAD_NS;
    t->it->shares[which].wait_ns = t->mono_ns + (apart ? lacking_ns : PX_MAX(lacking_ns, AHEAD_NS));
}

/* ---- the item ---- */

static int read_item(struct rate *it, const struct table_item *item, struct px_arena *arena)
{
    yyjson_val *root = NULL;
    it->version = 0;
    for (int i = 0; i < SHARES; i++) it->shares[i].full_ns = 0;
    if (item->version == 0) return 0; /* it is gone */
    int r = px_json_parse(item->document, arena, &root, NULL);
    if (r < 0) return r;
    if (r > 0) return px_fault(PX_F_CORRUPT, "a tenant's rates in table " DAYS_TABLE);
    for (int i = 0; i < SHARES; i++)
        it->shares[i].full_ns = PX_MAX(px_json_i64(root, member_of[i], 0), 0);
    it->version = item->version;
    return 0;
}

/* No more is missing in a bucket than can be. */
static void believe_no_more(struct taking *t)
{
    struct share *requests = &t->it->shares[REQUESTS], *bytes = &t->it->shares[BYTES];
    int64_t debt_ns = quota_price_bytes(&t->it->limits, BODY_BYTES_MAX).cost_ns;
    requests->full_ns = PX_MIN(requests->full_ns, t->wall_ns + t->prices[REQUESTS].depth_ns);
    bytes->full_ns = PX_MIN(bytes->full_ns, t->wall_ns + PX_NS_PER_S + debt_ns);
}

static bool is_wanted(const struct taking *t, int which)
{
    const struct share *share = &t->it->shares[which];
    const struct quota_price *price = &t->prices[which];
    return price->depth_ns > 0 && share->is_shared && share->held_ns < price->cost_ns;
}

/* What this process takes of one bucket: what it needs, and ahead as far as there is. */
static int64_t part_of(const struct taking *t, int which)
{
    const struct share *share = &t->it->shares[which];
    const struct quota_price *price = &t->prices[which];
    int64_t need_ns = price->cost_ns - share->held_ns, ahead_ns = 0;
    if (t->it->writes >= WRITES_ALONE)
        ahead_ns = PX_MIN((share->used_ns + share->used_before_ns) / RATES_AHEAD_PART, AHEAD_NS);
    int64_t owed_ns = PX_MAX(share->full_ns - t->wall_ns, 0);
    int64_t room_ns = PX_MAX(price->depth_ns - owed_ns - need_ns, 0);
    if (ahead_ns > room_ns) pause_asking(t, which, 0);
    ahead_ns = PX_MIN(ahead_ns, room_ns);
    if (!price->in_debt) ahead_ns -= ahead_ns % price->cost_ns;
    return need_ns + ahead_ns;
}

static int put_item(struct taking *t, const int64_t full_ns[SHARES], struct table_item *ret_current)
{
    struct rate *it = t->it;
    struct px_arena *arena = &t->rates->scratch;
    const struct table_put put = {
        .key = {S(DAYS_TABLE), px_str_c(it->tenant.name), S(SORT)},
        .document = px_arena_printf(arena, "{\"requests\":%lld,\"bytes\":%lld}",
                                    (long long)full_ns[REQUESTS], (long long)full_ns[BYTES]),
        .expires_ns = PX_MAX(PX_MAX(full_ns[REQUESTS], full_ns[BYTES]), t->wall_ns) + ITEM_KEPT_NS,
        .version = it->version,
        .condition = it->version > 0 ? TABLE_VERSION : TABLE_NEW,
        .relaxed = true};
    if (!put.document.ptr) return px_arena_fault(arena);
    int64_t version = 0;
    int r = table_put(t->rates->tables, &put, arena, &version, ret_current);
    if (r == 0) it->version = version;
    return r;
}

/* Answers: RATES_OVER; TAKE_AGAIN (another process was there first); TAKE_ALONE, others were each time. */
enum { TAKE_AGAIN = RATES_OVER + 1, TAKE_ALONE };
static int lease_once(struct taking *t)
{
    struct rate *it = t->it;
    int64_t full_ns[SHARES], parts_ns[SHARES] = {0};
    struct table_item current = {0};
    px_arena_reset(&t->rates->scratch);
    believe_no_more(t);
    for (int i = 0; i < SHARES; i++) {
        if (!is_wanted(t, i)) continue;
        int64_t lacking_ns = quota_lacking_ns(it->shares[i].full_ns, &t->prices[i], t->wall_ns);
        if (lacking_ns > 0) pause_asking(t, i, lacking_ns);
        if (lacking_ns > 0) return refuse(t, i, lacking_ns);
    }
    for (int i = 0; i < SHARES; i++) {
        if (is_wanted(t, i)) parts_ns[i] = part_of(t, i);
        full_ns[i] = it->shares[i].full_ns;
        if (parts_ns[i] > 0) full_ns[i] = PX_MAX(full_ns[i], t->wall_ns) + parts_ns[i];
    }
    int r = put_item(t, full_ns, &current);
    it->writes++;
    if (r == TABLE_CONDITION_FAILED) {
        it->writes = PX_MAX(it->writes, WRITES_ALONE);
        PX_TRY(read_item(it, &current, &t->rates->scratch));
        return TAKE_AGAIN;
    }
    PX_TRY(r);
    it->leased_ns = t->mono_ns;
    for (int i = 0; i < SHARES; i++) {
        it->shares[i].full_ns = full_ns[i];
        it->shares[i].held_ns += parts_ns[i];
    }
    return 0;
}

static int open_tables(struct rates *rates)
{
    if (rates->tables) return 0;
    return rates->options.open(rates->options.ctx, &rates->tables);
}

static int lease(struct taking *t)
{
    bool asks = false;
    const struct px_clock *clock = t->rates->options.clock;
    for (int i = 0; i < SHARES; i++) {
        if (!is_wanted(t, i)) continue;
        int64_t wait_ns = t->it->shares[i].wait_ns - t->mono_ns;
        if (wait_ns > 0) return refuse(t, i, wait_ns);
        asks = true;
    }
    if (!asks) return 0;
    PX_TRY(open_tables(t->rates));
    for (int i = 0; i < TRIES; i++) {
        int r = lease_once(t);
        if (r != TAKE_AGAIN) return r;
        if (px_mono_ns(clock) - t->mono_ns > RATES_WAIT_MS * PX_NS_PER_MS) break;
    }
    return TAKE_ALONE;
}

/* ---- taking ---- */

static void begin_second(struct taking *t)
{
    struct rate *it = t->it;
    int64_t second = t->mono_ns / PX_NS_PER_S;
    bool is_old = t->mono_ns - it->leased_ns > LEASE_NS;
    for (int i = 0; i < SHARES; i++) {
        struct share *share = &it->shares[i];
        if (is_old) share->held_ns = 0;
        if (it->second == second) continue;
        share->used_before_ns = it->second == second - 1 ? share->used_ns : 0;
        share->used_ns = 0;
    }
    if (it->second != second) it->writes = 0;
    it->second = second;
}

static bool is_ours(const struct taking *t, int which, bool alone)
{
    return t->prices[which].depth_ns > 0 && (alone || !t->it->shares[which].is_shared);
}

static int check_ours(const struct taking *t, bool alone)
{
    for (int i = 0; i < SHARES; i++) {
        if (!is_ours(t, i, alone)) continue;
        int64_t lacking_ns = quota_lacking_ns(t->it->shares[i].alone_ns, &t->prices[i], t->mono_ns);
        if (lacking_ns > 0) return refuse(t, i, lacking_ns);
    }
    return 0;
}

static void pay(const struct taking *t, bool alone)
{
    for (int i = 0; i < SHARES; i++) {
        struct share *share = &t->it->shares[i];
        const struct quota_price *price = &t->prices[i];
        if (price->depth_ns == 0) continue;
        if (is_ours(t, i, alone))
            quota_pay(&share->alone_ns, price, t->mono_ns);
        else
            share->held_ns -= price->cost_ns;
        share->used_ns = PX_MIN(share->used_ns + price->cost_ns, PX_NS_PER_S);
    }
}

static void go_alone(struct rates *rates, int64_t now_ns, int fault)
{
    rates->alone_until_ns = now_ns + RATES_ALONE_S * PX_NS_PER_S;
    if (rates->options.alone) rates->options.alone(rates->options.ctx, fault);
}

int rates_take(struct rates *rates, const struct rates_ask *ask, struct quota_refusal *ret_refusal)
{
    PX_ASSERT(ask->tenant.len > 0);
    if (!rates->options.tiers && ask->own.len == 0) return 0;
    if (ask->tenant.len > SEEN_TENANT_BYTES_MAX)
        return px_fault(PX_F_PROTOCOL, "the authorizer's tenant has a name too long");
    bool is_new;
    struct taking t = {.rates = rates,
                       .it = quota_seen_now(&rates->seen, ask->tenant, &is_new),
                       .mono_ns = px_mono_ns(rates->options.clock),
                       .wall_ns = px_wall_ns(rates->options.clock),
                       .refusal = ret_refusal};
    if (!t.it) return px_fault(PX_F_OOM, "a tenant's rate");
    PX_TRY(read_limits(rates, t.it, ask));
    read_prices(&t, ask->bytes);
    begin_second(&t);
    bool alone = t.mono_ns < rates->alone_until_ns;
    int r = alone ? 0 : lease(&t);
    if (r < 0) go_alone(rates, px_mono_ns(rates->options.clock), r);
    if (r == RATES_OVER) return r;
    alone = alone || r != 0;
    r = check_ours(&t, alone);
    if (r == 0) pay(&t, alone);
    return r;
}
