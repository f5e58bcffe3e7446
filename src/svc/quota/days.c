/* svc/quota/days.c - see days.h.
 *
 * Invariants: an item's number is the sum of what was used and of what processes hold (or held when they ended); `held` of a tenant
 * is of the day in `day` and is gone when that is over. */
#include "svc/quota/days.h"

#include <stdlib.h>

#include "base/px_json.h"
#include "svc/quota/seen.h"

#define DAY_S 86400
#define TRIES 64        /* each further one means that another process took meanwhile */
#define AHEAD_PART 16   /* of what is left of a limit, at most */
#define WRITES_ALONE 8u /* of a tenant in a second, before more is taken than is needed */

struct holding {
    struct seen_tenant tenant;
    int64_t day;
    int64_t held;
    int64_t second, used, used_before; /* monotonic; used in it, and in the one before */
    uint32_t writes;                   /* in it */
    int64_t version; /* of the item as last seen; 0: absent, negative: not known */
    int64_t taken;   /* the largest number that was seen there: it grows only */
};
struct days {
    const struct px_clock *clock;
    struct px_str kind;
    struct quota_seen seen;
};

int days_new(const struct px_clock *clock, struct px_str kind, struct days **ret_days)
{
    struct days *days = calloc(1, sizeof *days);
    if (!days) return px_fault(PX_F_OOM, "days");
    days->clock = clock;
    days->kind = kind;
    int r = quota_seen_init(&days->seen, DAYS_TENANTS_MAX, sizeof(struct holding), NULL);
    if (r == 0)
        *ret_days = days;
    else
        free(days);
    return r;
}

void days_free(struct days **days_at)
{
    struct days *days = *days_at;
    if (!days) return;
    *days_at = NULL;
    quota_seen_deinit(&days->seen);
    free(days);
}

static struct holding *find_or_make(struct days *days, struct px_str tenant)
{
    bool is_new;
    struct holding *it = quota_seen_now(&days->seen, tenant, &is_new);
    if (it && is_new) it->day = -1;
    return it;
}

/* ---- the item ---- */

static void date_of(int64_t day, char ret_date[11])
{
    char text[32];
    struct px_str date = px_time_format(day * DAY_S * PX_NS_PER_S, 0, text);
    PX_ASSERT(date.len > 10);
    memcpy(ret_date, date.ptr, 10);
    ret_date[10] = '\0';
}

static struct px_str sort_of(struct px_str kind, const char *date, struct px_arena *arena)
{
    return px_arena_printf(arena, "%.*s/%s", PX_FMT(kind), date);
}

static int read_document(struct px_str document, struct px_arena *arena, int64_t *ret_taken)
{
    yyjson_val *root = NULL;
    int r = px_json_parse(document, arena, &root, NULL);
    if (r < 0) return r;
    int64_t taken = r == 0 ? px_json_i64(root, "taken", -1) : -1;
    if (taken < 0) return px_fault(PX_F_CORRUPT, "a count of a day in table " DAYS_TABLE);
    *ret_taken = taken;
    return 0;
}

/* What stands there now, when it is not known. */
static int look(struct holding *it, struct table_store *tables, const struct table_key *key,
                struct px_arena *arena)
{
    struct table_item item;
    if (it->version >= 0) return 0;
    int r = table_get(tables, key, arena, &item);
    if (r < 0) return r;
    it->version = 0;
    if (r == TABLE_ABSENT) return 0;
    PX_TRY(read_document(item.document, arena, &it->taken));
    it->version = item.version;
    return 0;
}

static bool is_over(const struct holding *it, const struct days_ask *ask)
{
    return ask->count - it->held > ask->limit - it->taken;
}

/* Who comes often, or meets others, takes as much besides as it used of late. */
static int64_t ahead_of(struct holding *it, const struct days_ask *ask)
{
    if (it->writes++ < WRITES_ALONE) return 0;
    return PX_MIN(it->used + it->used_before,
                  (ask->limit - it->taken - (ask->count - it->held)) / AHEAD_PART);
}

/* Answers: DAYS_OVER; TAKE_AGAIN (another process was there first). */
enum { TAKE_AGAIN = DAYS_NONE + 1 };
static int take_once(struct holding *it, struct table_store *tables, const struct table_key *key,
                     const struct days_ask *ask, struct px_arena *arena)
{
    PX_TRY(look(it, tables, key, arena));
    if (is_over(it, ask)) return DAYS_OVER;
    int64_t more = ask->count - it->held, version = 0;
    more += ahead_of(it, ask);
    const struct table_put put = {
        .key = *key,
        .document = px_arena_printf(arena, "{\"taken\":%lld}", (long long)(it->taken + more)),
        .expires_ns = ((it->day + 1) * DAY_S + DAYS_KEPT_S) * PX_NS_PER_S,
        .version = it->version,
        .condition = it->version > 0 ? TABLE_VERSION : TABLE_NEW,
        .relaxed = true}; /* a claim that waits for the disk takes it there */
    if (!put.document.ptr) return px_arena_fault(arena);
    it->version = -1; /* whatever comes of it */
    int r = table_put(tables, &put, arena, &version, NULL);
    if (r == TABLE_CONDITION_FAILED) it->writes = WRITES_ALONE;
    if (r == TABLE_CONDITION_FAILED) return TAKE_AGAIN;
    PX_TRY(r);
    it->version = version;
    it->taken += more;
    it->held += more;
    return 0;
}

static int take_more(struct days *days, struct holding *it, struct table_store *tables,
                     const struct days_ask *ask, struct px_arena *arena)
{
    char date[11];
    if (is_over(it, ask)) return DAYS_OVER; /* as it was seen; it is no less now */
    date_of(it->day, date);
    const struct table_key key = {S(DAYS_TABLE), ask->tenant, sort_of(days->kind, date, arena)};
    if (!key.sort.ptr) return px_arena_fault(arena);
    for (int i = 0; i < TRIES; i++) {
        int r = take_once(it, tables, &key, ask, arena);
        if (r != TAKE_AGAIN) return r;
    }
    return px_fault(PX_F_BUSY, "others count the same tenant's day all the time");
}

static void begin_day(struct holding *it, int64_t day)
{
    if (it->day == day) return;
    it->day = day;
    it->held = it->taken = 0;
    it->version = -1;
}

static void begin_second(struct holding *it, int64_t second)
{
    if (it->second == second) return;
    it->used_before = it->second == second - 1 ? it->used : 0;
    it->second = second;
    it->used = 0;
    it->writes = 0;
}

int days_take(struct days *days, struct table_store *tables, const struct days_ask *ask,
              struct px_arena *arena, int64_t *ret_wait_s)
{
    PX_ASSERT(ask->tenant.len > 0 && ask->count >= 0 && ask->limit >= 0);
    if (ask->tenant.len > SEEN_TENANT_BYTES_MAX)
        return px_fault(PX_F_PROTOCOL, "the authorizer's tenant has a name too long");
    struct holding *it = find_or_make(days, ask->tenant);
    if (!it) return px_fault(PX_F_OOM, "a tenant's day");
    int64_t now_s = px_wall_ns(days->clock) / PX_NS_PER_S;
    begin_day(it, now_s / DAY_S);
    begin_second(it, px_mono_ns(days->clock) / PX_NS_PER_S);
    int r = ask->count > it->held ? take_more(days, it, tables, ask, arena) : 0;
    if (r == DAYS_OVER) *ret_wait_s = (it->day + 1) * DAY_S - now_s;
    if (r != 0) return r;
    it->held -= ask->count;
    it->used += ask->count;
    return 0;
}

int64_t days_seen(const struct days *days, struct px_str tenant)
{
    const struct holding *it = quota_seen_find(&days->seen, tenant);
    return it ? it->taken - it->held : 0;
}

void days_return(struct days *days, struct px_str tenant, int64_t count)
{
    struct holding *it = quota_seen_find(&days->seen, tenant);
    if (!it || it->day != px_wall_ns(days->clock) / PX_NS_PER_S / DAY_S) return;
    it->held += count;
    it->used = PX_MAX(it->used - count, 0);
}

int days_read(struct table_store *tables, const struct px_clock *clock, struct px_str kind,
              struct px_str tenant, struct px_arena *arena, struct days_used *ret_used)
{
    struct days_used used = {0};
    struct table_item item;
    date_of(px_wall_ns(clock) / PX_NS_PER_S / DAY_S, used.date);
    const struct table_key key = {S(DAYS_TABLE), tenant, sort_of(kind, used.date, arena)};
    if (!key.sort.ptr) return px_arena_fault(arena);
    int r = table_get(tables, &key, arena, &item);
    if (r < 0) return r;
    if (r == TABLE_ABSENT) return DAYS_NONE;
    PX_TRY(read_document(item.document, arena, &used.count));
    *ret_used = used;
    return 0;
}
