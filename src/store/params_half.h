/* store/params_half.h - what a half of the parameters implements. Inside store only. */
#pragma once

#include "base/px_arena.h"
#include "store/params.h"

struct param {
    struct px_str name, value;
};
struct param_set {
    struct px_arena arena; /* of all that is below */
    struct param *params;
    size_t count;
};
/* Append; both texts are copied. Faults: PX_F_LIMIT, PX_F_OOM. */
PX_MUST_USE int param_set_add(struct param_set *set, struct px_str name, struct px_str value);

struct param_half {
    /* All parameters, in any order, into an empty set. */
    int (*read)(struct param_store *store, uint32_t within_ms, struct param_set *set);
    void (*close)(struct param_store *store); /* and free */
};
/* Each half's own struct begins with one; what stands here is params.c's own. */
struct param_store {
    const struct param_half *half;
    const struct px_clock *clock;
    int64_t keep_ns, due_ns; /* monotonic; due at once in the beginning */
    bool is_read;
    struct param_set set;
};

PX_MUST_USE int params_file_open(struct px_str path, struct param_store **ret_store);
PX_MUST_USE int params_aws_open(struct px_str path, const struct param_options *options,
                                struct param_store **ret_store);
