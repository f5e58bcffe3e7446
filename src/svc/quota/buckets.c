/* svc/quota/buckets.c - see buckets.h. A bucket is the time at which it is full again (gcra.h). */
#include "svc/quota/buckets.h"

#include <aws/common/byte_buf.h>
#include <aws/common/hash_table.h>
#include <stdlib.h>

#include "svc/quota/gcra.h"
#include "svc/quota/seen.h"

#define DAY_S 86400
#define SCRATCH_BYTES_MAX (256 * 1024)

struct bucket {
    struct seen_tenant tenant;
    uint64_t limits_hash; /* of the words that its limits came from */
    int64_t requests_full_ns, bytes_full_ns;
    int64_t day, day_requests;
    int64_t day_kept_not; /* of these, taken by nobody yet */
    bool is_not_kept;     /* listed; not forgotten meanwhile */
    struct bucket *next_not_kept;
    int64_t running; /* queries; not forgotten meanwhile */
    struct quota_limits limits;
};
struct buckets {
    struct px_arena arena, scratch; /* the book's; of one reading */
    struct quota_book book;
    bool tiers;
    bool leaves_rates;
    struct quota_seen seen;
    struct bucket *not_kept;
    bool keeps; /* somebody takes them */
};

static uint64_t hash_of(struct px_str s)
{
    struct aws_byte_cursor bytes = aws_byte_cursor_from_array(s.ptr, s.len);
    return s.len > 0 ? aws_hash_byte_cursor_ptr(&bytes) : 0;
}

/* Not forgotten. Where all are needed these are no more than the gateway has calls, and had requests since a turn. */
static bool is_needed(const void *it)
{
    const struct bucket *bucket = it;
    return bucket->running > 0 || bucket->is_not_kept;
}

int buckets_new(bool tiers, struct buckets **ret_buckets)
{
    struct buckets *buckets = calloc(1, sizeof(*buckets));
    if (!buckets) return px_fault(PX_F_OOM, "buckets");
    buckets->tiers = tiers;
    px_arena_init(&buckets->arena, SCRATCH_BYTES_MAX);
    px_arena_init(&buckets->scratch, SCRATCH_BYTES_MAX);
    int r = quota_book_read(&buckets->arena, &buckets->book);
    if (r == 0) r = quota_seen_init(&buckets->seen, BUCKETS_MAX, sizeof(struct bucket), is_needed);
    if (r != 0) {
        buckets_free(&buckets);
        return r;
    }
    *ret_buckets = buckets;
    return 0;
}

void buckets_free(struct buckets **buckets_at)
{
    struct buckets *buckets = *buckets_at;
    if (!buckets) return;
    *buckets_at = NULL;
    quota_seen_deinit(&buckets->seen);
    px_arena_deinit(&buckets->arena);
    px_arena_deinit(&buckets->scratch);
    free(buckets);
}

void buckets_leave_rates(struct buckets *buckets) { buckets->leaves_rates = true; }

static struct bucket *find_or_make(struct buckets *buckets, struct px_str tenant)
{
    bool is_new;
    struct bucket *bucket = quota_seen_now(&buckets->seen, tenant, &is_new);
    if (bucket && is_new) bucket->requests_full_ns = bucket->bytes_full_ns = INT64_MIN;
    return bucket;
}

/* What is owed stays owed under other limits. */
static int read_limits(struct buckets *buckets, struct bucket *bucket,
                       const struct buckets_spend *spend)
{
    struct px_str tier = buckets->tiers ? spend->tier : S("");
    uint64_t hash = (hash_of(spend->own) * 31 + hash_of(tier)) | 1;
    if (bucket->limits_hash == hash) return 0;
    px_arena_reset(&buckets->scratch);
    int r = quota_limits_of(&buckets->book, tier, spend->own, &buckets->scratch, &bucket->limits);
    if (r == QUOTA_NO_JSON) return px_fault(PX_F_PROTOCOL, "the authorizer's quotas are no JSON");
    PX_TRY(r);
    if (buckets->leaves_rates)
        bucket->limits.values[QUOTA_REQUESTS_PER_S] = bucket->limits.values[QUOTA_BYTES_PER_S] =
            QUOTA_NONE;
    bucket->limits_hash = hash;
    return 0;
}

/* ---- spending ---- */

static int64_t window_s_of(enum quota_name which)
{
    if (which == QUOTA_CONCURRENT_QUERIES) return 0;
    return which == QUOTA_REQUESTS_PER_DAY ? DAY_S : 1;
}

static int refuse(const struct buckets *buckets, const struct bucket *bucket, enum quota_name which,
                  int64_t wait_ns, struct quota_refusal *ret_refusal)
{
    *ret_refusal = (struct quota_refusal){
        .which = which,
        .name = buckets->book.kinds[which].name,
        .limit = bucket->limits.values[which],
        .window_s = window_s_of(which),
        .wait_s = PX_MAX((wait_ns + PX_NS_PER_S - 1) / PX_NS_PER_S, 1),
    };
    return BUCKETS_OVER;
}

static void keep_later(struct buckets *buckets, struct bucket *bucket, int64_t requests)
{
    if (!bucket->is_not_kept) {
        bucket->is_not_kept = true;
        bucket->next_not_kept = buckets->not_kept;
        buckets->not_kept = bucket;
    }
    bucket->day_kept_not += requests;
}

size_t buckets_day_take(struct buckets *buckets, struct buckets_day *ret_days, size_t max)
{
    size_t count = 0;
    buckets->keeps = true;
    for (; buckets->not_kept && count < max; count++) {
        struct bucket *bucket = buckets->not_kept;
        ret_days[count] = (struct buckets_day){.day = bucket->day,
                                               .requests = bucket->day_kept_not};
        memcpy(ret_days[count].tenant, bucket->tenant.name, sizeof bucket->tenant.name);
        bucket->day_kept_not = 0;
        bucket->is_not_kept = false;
        buckets->not_kept = bucket->next_not_kept;
    }
    return count;
}

void buckets_day_put(struct buckets *buckets, const struct buckets_day *day)
{
    struct bucket *bucket = quota_seen_find(&buckets->seen, px_str_c(day->tenant));
    if (!bucket || bucket->day != day->day) return; /* forgotten, or the day is over */
    if (day->total < 0)
        keep_later(buckets, bucket, day->requests);
    else
        bucket->day_requests = day->total + bucket->day_kept_not;
}

static int take(struct buckets *buckets, struct bucket *bucket, const struct buckets_spend *spend,
                struct quota_refusal *ret_refusal)
{
    const struct quota_limits *limits = &bucket->limits;
    int64_t now_ns = spend->mono_ns, day_ns = DAY_S * PX_NS_PER_S;
    int64_t day = spend->wall_ns / day_ns, a_day = limits->values[QUOTA_REQUESTS_PER_DAY];
    const struct quota_price request = quota_price_request(limits);
    const struct quota_price bytes = quota_price_bytes(limits, spend->bytes);
    if (bucket->day != day) {
        bucket->day = day;
        bucket->day_requests = bucket->day_kept_not = 0;
    }
    if (a_day >= 0 && bucket->day_requests >= a_day)
        return refuse(buckets, bucket, QUOTA_REQUESTS_PER_DAY, (day + 1) * day_ns - spend->wall_ns,
                      ret_refusal);
    int64_t wait_ns = quota_lacking_ns(bucket->requests_full_ns, &request, now_ns);
    if (wait_ns > 0) return refuse(buckets, bucket, QUOTA_REQUESTS_PER_S, wait_ns, ret_refusal);
    wait_ns = quota_lacking_ns(bucket->bytes_full_ns, &bytes, now_ns);
    if (wait_ns > 0) return refuse(buckets, bucket, QUOTA_BYTES_PER_S, wait_ns, ret_refusal);
    bucket->day_requests++;
    if (a_day >= 0 && buckets->keeps) keep_later(buckets, bucket, 1);
    quota_pay(&bucket->requests_full_ns, &request, now_ns);
    quota_pay(&bucket->bytes_full_ns, &bytes, now_ns);
    return 0;
}

/* NULL: nothing limits the tenant. */
static int bucket_of(struct buckets *buckets, const struct buckets_spend *spend,
                     struct bucket **ret_bucket)
{
    PX_ASSERT(spend->tenant.len > 0);
    *ret_bucket = NULL;
    if (!buckets->tiers && spend->own.len == 0) return 0; /* nothing of its own: nothing to keep */
    if (spend->tenant.len > SEEN_TENANT_BYTES_MAX)
        return px_fault(PX_F_PROTOCOL, "the authorizer's tenant has a name too long");
    struct bucket *bucket = find_or_make(buckets, spend->tenant);
    if (!bucket) return px_fault(PX_F_OOM, "a bucket");
    PX_TRY(read_limits(buckets, bucket, spend));
    *ret_bucket = bucket;
    return 0;
}

int buckets_take(struct buckets *buckets, const struct buckets_spend *spend,
                 struct quota_refusal *ret_refusal)
{
    struct bucket *bucket;
    PX_TRY(bucket_of(buckets, spend, &bucket));
    return bucket ? take(buckets, bucket, spend, ret_refusal) : 0;
}

int buckets_enter(struct buckets *buckets, const struct buckets_spend *spend,
                  struct bucket **ret_place, struct quota_refusal *ret_refusal)
{
    struct bucket *bucket;
    if (!px_str_eq(spend->function, buckets->book.kinds[QUOTA_CONCURRENT_QUERIES].function))
        return 0;
    if (buckets->leaves_rates) return 0;
    PX_TRY(bucket_of(buckets, spend, &bucket));
    int64_t limit = bucket ? bucket->limits.values[QUOTA_CONCURRENT_QUERIES] : QUOTA_NONE;
    if (limit < 0) return 0;
    if (bucket->running >= limit)
        return refuse(buckets, bucket, QUOTA_CONCURRENT_QUERIES, 0, ret_refusal);
    bucket->running++;
    *ret_place = bucket;
    return 0;
}

void buckets_leave(struct bucket **place)
{
    if (!*place) return;
    PX_ASSERT((*place)->running > 0);
    (*place)->running--;
    *place = NULL;
}

/* ---- what is left ---- */

static int64_t to_s(int64_t ns) { return (ns + PX_NS_PER_S - 1) / PX_NS_PER_S; }

/* per_ns: one unit's share of the bucket; it may be no whole number. */
static struct quota_left left_of(enum quota_name which, const struct bucket *bucket,
                                 int64_t full_ns, int64_t now_ns, double depth_ns, double per_ns)
{
    int64_t owed_ns = full_ns > now_ns ? full_ns - now_ns : 0;
    double room_ns = PX_MAX(depth_ns - (double)owed_ns, 0.0);
    return (struct quota_left){.which = which,
                               .limit = bucket->limits.values[which],
                               .left = (int64_t)(room_ns / per_ns),
                               .window_s = 1,
                               .whole_s = to_s(owed_ns)};
}

size_t buckets_left(const struct buckets *buckets, const struct buckets_spend *spend,
                    struct quota_left ret_left[BUCKETS_LEFT_MAX])
{
    if (!buckets->tiers && spend->own.len == 0) return 0;
    const struct bucket *bucket = quota_seen_find(&buckets->seen, spend->tenant);
    if (!bucket) return 0;
    const int64_t *limits = bucket->limits.values;
    const struct quota_price request = quota_price_request(&bucket->limits);
    int64_t day_ns = DAY_S * PX_NS_PER_S, day = spend->wall_ns / day_ns;
    size_t count = 0;
    if (request.depth_ns > 0)
        ret_left[count++] = left_of(QUOTA_REQUESTS_PER_S, bucket, bucket->requests_full_ns,
                                    spend->mono_ns, (double)request.depth_ns,
                                    (double)request.cost_ns);
    if (limits[QUOTA_REQUESTS_PER_DAY] >= 0) {
        int64_t limit = limits[QUOTA_REQUESTS_PER_DAY];
        int64_t spent = bucket->day == day ? bucket->day_requests : 0;
        ret_left[count++] = (struct quota_left){
            .which = QUOTA_REQUESTS_PER_DAY,
            .limit = limit,
            .left = PX_MAX(limit - spent, 0),
            .window_s = DAY_S,
            .whole_s = to_s((day + 1) * day_ns - spend->wall_ns)};
    }
    if (limits[QUOTA_BYTES_PER_S] > 0)
        ret_left[count++] = left_of(QUOTA_BYTES_PER_S, bucket, bucket->bytes_full_ns,
                                    spend->mono_ns, (double)PX_NS_PER_S,
                                    (double)PX_NS_PER_S / (double)limits[QUOTA_BYTES_PER_S]);
    for (size_t i = 0; i < count; i++)
        ret_left[i].name = buckets->book.kinds[ret_left[i].which].name;
    return count;
}
