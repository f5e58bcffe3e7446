/* svc/catalog/usage.c - see usage.h. */
#include "svc/catalog/usage.h"

#include "svc/quota/days.h"
#include "svc/quota/quota.h"

static int write_limits(const struct usage_of *of, struct px_arena *arena, struct px_buf *json)
{
    struct quota_book book;
    struct quota_limits limits;
    PX_TRY(quota_book_read(arena, &book));
    int r = quota_limits_of(&book, of->tier, of->own, arena, &limits);
    if (r == QUOTA_NO_JSON) return px_fault(PX_F_PROTOCOL, "the authorizer's quotas are no JSON");
    PX_TRY(r);
    px_buf_add_c(json, ",\"limits\":[");
    for (size_t i = 0; i < QUOTA_COUNT_; i++) {
        px_buf_add_c(json, i > 0 ? ",{\"name\":" : "{\"name\":");
        px_buf_add_json_str(json, book.kinds[i].name);
        px_buf_add_c(json, ",\"unit\":");
        px_buf_add_json_str(json, book.kinds[i].unit);
        px_buf_add_c(json, ",\"held\":");
        px_buf_add_json_str(json, book.kinds[i].held);
        if (limits.values[i] != QUOTA_NONE)
            px_buf_printf(json, ",\"limit\":%lld", (long long)limits.values[i]);
        px_buf_add_char(json, '}');
    }
    px_buf_add_char(json, ']');
    return 0;
}

/* This release may come before its table or the role's right to it, and what a tenant has stored is told all the same. */
static bool is_not_there_yet(int fault) { return fault == PX_F_CONFIG || fault == PX_F_DENIED; }

static int write_today(const struct usage_of *of, struct px_arena *arena, struct px_buf *json)
{
    static const struct px_str kinds[] = {S("requests"), S("records")};
    bool begun = false;
    for (size_t i = 0; i < PX_COUNT(kinds); i++) {
        struct days_used today;
        int r = days_read(of->tables, &px_clock_system, kinds[i], of->tenant, arena, &today);
        if (r == DAYS_NONE || is_not_there_yet(r)) continue;
        PX_TRY(r);
        if (!begun) px_buf_printf(json, ",\"today\":{\"date\":\"%s\"", today.date);
        px_buf_printf(json, ",\"%.*s\":%lld", PX_FMT(kinds[i]), (long long)today.count);
        begun = true;
    }
    if (begun) px_buf_add_char(json, '}');
    return 0;
}

int usage_write(struct catalog *catalog, const struct usage_of *of, struct px_arena *arena,
                struct px_buf *json)
{
    struct dataset_info *datasets = NULL;
    size_t count = 0;
    int64_t rows = 0, bytes = 0;
    PX_ASSERT(of->tenant.len > 0); /* an empty one would be everybody */
    PX_TRY(catalog_list(catalog, of->tenant, arena, &datasets, &count));
    for (size_t i = 0; i < count; i++) {
        rows += datasets[i].rows;
        bytes += datasets[i].bytes;
    }
    px_buf_add_c(json, "{\"tenant\":");
    px_buf_add_json_str(json, of->tenant);
    if (of->limits) PX_TRY(write_limits(of, arena, json));
    px_buf_printf(json, ",\"stored\":{\"datasets\":%zu,\"rows\":%lld,\"bytes\":%lld}", count,
                  (long long)rows, (long long)bytes);
    if (of->tables) PX_TRY(write_today(of, arena, json));
    px_buf_add_char(json, '}');
    return px_buf_fault(json);
}
