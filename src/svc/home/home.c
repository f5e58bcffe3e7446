/* svc/home/home.c - see home.h. */
#include "svc/home/home.h"

#include "base/px_buf.h"

#define HINT_BYTES_MAX 1024u

bool home_owns(const struct home *home, struct px_str home_region)
{
    if (home->region.len == 0 || home_region.len == 0) return true;
    return px_str_eq(home->region, home_region);
}

bool home_serves(const struct home *home, struct px_str home_region)
{
    if (home_owns(home, home_region)) return true;
    struct px_str rest = home->stands_in_for, one;
    while (rest.len > 0) {
        (void)px_str_cut(&rest, ',', &one);
        if (px_str_eq(px_str_trim(one), home_region)) return true;
    }
    return false;
}

enum home_verdict home_decide(const struct home *home, const struct hot_fence *fence,
                              const struct home_claim *claim, enum home_purpose purpose,
                              struct px_str *ret_region)
{
    bool at_home = home_serves(home, claim->home_region);
    *ret_region = claim->home_region;
    if (fence->state == HOT_FENCE_NONE || fence->epoch < claim->epoch)
        return at_home ? HOME_HERE : HOME_ELSEWHERE;
    switch (fence->state) {
    case HOT_FENCE_HOME:
    case HOT_FENCE_THAWED: return HOME_HERE;
    case HOT_FENCE_LEAVING: return purpose == HOME_READ ? HOME_HERE : HOME_MOVING;
    case HOT_FENCE_SPOOLING: return purpose == HOME_WRITE ? HOME_SPOOL : HOME_MOVING;
    case HOT_FENCE_TAKING: return purpose == HOME_WRITE ? HOME_HERE : HOME_MOVING;
    case HOT_FENCE_LEFT: /* also for whom this region stands in: what it took would be cleaned away */
        if (purpose == HOME_WRITE && fence->spool_ms != 0) return HOME_SPOOL;
        *ret_region = px_str_c(fence->region);
        return HOME_ELSEWHERE;
    case HOT_FENCE_ARRIVING: return at_home ? HOME_MOVING : HOME_ELSEWHERE;
    case HOT_FENCE_NONE: break;
    }
    return HOME_HERE;
}

struct px_str home_hint(struct px_str home_region, struct px_arena *arena)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, HINT_BYTES_MAX);
    px_buf_add_c(&json, "\"home_region\":");
    px_buf_add_json_str(&json, home_region);
    if (px_buf_fault(&json)) return (struct px_str){0};
    return px_arena_dup(arena, px_buf_str(&json));
}
