/* svc/ingest/day_limit.c - see day_limit.h. */
#include "svc/ingest/day_limit.h"

#include <stdlib.h>

#define BOOK_BYTES_MAX ((size_t)256 << 10)
#define DAY_S 86400

struct day_limit {
    struct px_arena arena; /* the book's */
    struct quota_book book;
    const struct px_clock *clock;
    struct days *days;
    bool tiers;
};

int day_limit_new(const struct px_clock *clock, bool tiers, struct day_limit **ret_limit)
{
    PX_AUTO(day_limit_free) struct day_limit *limit = calloc(1, sizeof *limit);
    if (!limit) return px_fault(PX_F_OOM, "a limit of days");
    limit->tiers = tiers;
    limit->clock = clock;
    px_arena_init(&limit->arena, BOOK_BYTES_MAX);
    PX_TRY(quota_book_read(&limit->arena, &limit->book));
    PX_TRY(days_new(clock, S("records"), &limit->days));
    *ret_limit = PX_TAKE(limit);
    return 0;
}

void day_limit_free(struct day_limit **limit_at)
{
    struct day_limit *limit = *limit_at;
    if (!limit) return;
    *limit_at = NULL;
    days_free(&limit->days);
    px_arena_deinit(&limit->arena);
    free(limit);
}

int day_limit_all(const struct day_limit *limit, const struct api_caller *caller,
                  struct px_arena *arena, struct quota_limits *ret_limits)
{
    struct px_str tier = limit->tiers ? caller->tier : S("");
    int r = quota_limits_of(&limit->book, tier, caller->quotas, arena, ret_limits);
    if (r == QUOTA_NO_JSON) return px_fault(PX_F_PROTOCOL, "the authorizer's quotas are no JSON");
    return r;
}

int day_limit_take(struct day_limit *limit, struct table_store *tables, const struct days_ask *ask,
                   struct px_arena *arena, struct day_taken *ret_taken, struct refusal *refusal)
{
    int64_t wait_s = 0;
    int r = days_take(limit->days, tables, ask, arena, &wait_s);
    if (r == 0) *ret_taken = (struct day_taken){ask->tenant, ask->count};
    if (r != DAYS_OVER) return r;
    r = refuse(refusal, 429,
               "records_per_day: the tenant may send %lld records a day, and %lld are more than "
               "are left until midnight UTC",
               (long long)ask->limit, (long long)ask->count);
    refusal->retry_after_s = (int)wait_s;
    refusal->quota = day_limit_told(limit, ask, arena);
    return r;
}

struct quota_fields day_limit_told(const struct day_limit *limit, const struct days_ask *ask,
                                   struct px_arena *arena)
{
    int64_t now_s = px_wall_ns(limit->clock) / PX_NS_PER_S;
    const struct quota_left left = {
        .which = QUOTA_RECORDS_PER_DAY,
        .name = limit->book.kinds[QUOTA_RECORDS_PER_DAY].name,
        .limit = ask->limit,
        .left = PX_MAX(ask->limit - days_seen(limit->days, ask->tenant), 0),
        .window_s = DAY_S,
        .whole_s = DAY_S - now_s % DAY_S,
    };
    return quota_fields_add(arena, (struct quota_fields){{0}, {0}}, &left);
}

void day_limit_return(struct day_limit *limit, struct day_taken *taken)
{
    if (taken->count > 0) days_return(limit->days, taken->tenant, taken->count);
    taken->count = 0;
}
