/* svc/quota/told.c - see told.h. */
#include "svc/quota/told.h"

static const char *const units[QUOTA_COUNT_] = {[QUOTA_BYTES_PER_S] = ";qu=\"content-bytes\""};

struct quota_fields quota_fields_add(struct px_arena *arena, struct quota_fields before,
                                     const struct quota_left *item)
{
    const char *comma = before.state.len ? ", " : "";
    const char *unit = units[item->which] ? units[item->which] : "";
    struct px_str window = S("");
    if (item->window_s > 0) window = px_arena_printf(arena, ";w=%lld", (long long)item->window_s);
    return (struct quota_fields){
        px_arena_printf(arena, "%.*s%s\"%.*s\";r=%lld;t=%lld", PX_FMT(before.state), comma,
                        PX_FMT(item->name), (long long)item->left, (long long)item->whole_s),
        px_arena_printf(arena, "%.*s%s\"%.*s\";q=%lld%s%.*s", PX_FMT(before.policy), comma,
                        PX_FMT(item->name), (long long)item->limit, unit, PX_FMT(window))};
}

struct quota_fields quota_fields_of_refusal(struct px_arena *arena,
                                            const struct quota_refusal *over)
{
    const struct quota_left none = {over->which, over->name,     over->limit,
                                    0,           over->window_s, over->wait_s};
    return quota_fields_add(arena, (struct quota_fields){{0}, {0}}, &none);
}
