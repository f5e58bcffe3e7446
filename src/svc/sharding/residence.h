/* svc/sharding/residence.h - what a tenant has in a region besides the registry: POSIX ids, access point, key of its usage plan.
 *
 * Machine tenant-onboarding alone makes and removes them (docs/design/workflows.md); function `tenants` asks it to, for who comes
 * by the API or by a move, and for who leaves. Each may be repeated. */
#pragma once

#include "lambda/runtime.h"
#include "svc/sharding/sfn.h"

struct residence {
    struct sfn sfn;
    struct px_str machine; /* ARN of tenant-onboarding, with an alias or without */
};
enum residence_answer { RESIDENCE_REFUSED = 1 };
void residence_deinit(struct residence *residence);

/* Answers: RESIDENCE_REFUSED: the machine ended otherwise; ret_why says how, in arena. Faults: those of cloud_call(). */
PX_MUST_USE int residence_enter(struct residence *residence, struct px_str tenant,
                                struct px_str shard, struct px_str tier, struct px_arena *arena,
                                const char **ret_why);
PX_MUST_USE int residence_leave(struct residence *residence, struct px_str tenant,
                                struct px_arena *arena, const char **ret_why);
