/* svc/ingest/turn.c - see turn.h. */
#include "svc/ingest/turn.h"

static int refuse_elsewhere(struct px_str region, struct refusal *refusal)
{
    int r = refuse(refusal, HOME_MISDIRECTED, HOME_DETAIL ", %.*s", PX_FMT(region));
    refusal->home_region = region;
    return r;
}

int turn_refuse(struct refusal *refusal)
{
    int r = refuse(refusal, 503, HOME_MOVING_DETAIL);
    refusal->retry_after_s = 1;
    return r;
}

/* A freeze whose time is over is nobody's any more, and a decision that takes long is not waited for: whoever meets the one
 * or the other lets writers on, so they wait for no function and no region that the move may have lost. */
static int read_fence(const struct ingest_options *options, struct px_str tenant, int64_t now_ms,
                      struct hot_fence *ret_fence)
{
    int r = 0;
    PX_TRY(hot_fence_read(options->hot, tenant, ret_fence));
    if (hot_fence_is_over(ret_fence, now_ms))
        r = hot_fence_thaw(options->hot, tenant, ret_fence->epoch, false, ret_fence);
    else if (ret_fence->state == HOT_FENCE_LEAVING && hot_fence_may_spool(ret_fence, now_ms))
        r = hot_fence_spool(options->hot, tenant, now_ms, ret_fence);
    return PX_MIN(r, 0);
}

int turn_ask(const struct ingest_options *options, const struct api_caller *caller,
             struct px_arena *arena, struct refusal *refusal, int64_t *ret_spool_epoch)
{
    struct hot_fence fence;
    struct px_str region;
    int64_t now_ms = px_wall_ns(options->clock) / PX_NS_PER_MS;
    PX_TRY(read_fence(options, caller->tenant, now_ms, &fence));
    const struct home_claim claim = {caller->home_region, caller->epoch};
    switch (home_decide(&options->home, &fence, &claim, HOME_WRITE, &region)) {
    case HOME_HERE: return 0;
    case HOME_ELSEWHERE:
        region = px_arena_dup(arena, region);
        if (!region.ptr) return px_arena_fault(arena);
        return refuse_elsewhere(region, refusal);
    case HOME_SPOOL:
        if (!hot_fence_may_spool(&fence, now_ms)) break;
        *ret_spool_epoch = fence.epoch;
        return TURN_SPOOL;
    case HOME_MOVING: break;
    }
    return turn_refuse(refusal);
}
