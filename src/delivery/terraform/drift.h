/* delivery/terraform/drift.h - how what is deployed differs from what should be, one attribute at a time.
 *
 * One plan answers both questions, for it refreshes first: `resource_drift` is what AWS says and the state did not know, so somebody
 * else than Terraform did it; `resource_changes` is what AWS has and the configuration says otherwise. What is in both was changed
 * outside; what is in the second alone is a release that is not applied yet, or not to its end; what is in the first alone nobody
 * wrote down, and no apply puts back.
 *
 * Attributes that rollouts and autoscaling move are theirs (platform/resources.json, "owned") and are no drift. */
#pragma once

#include "delivery/terraform/changes.h"
#include "delivery/terraform/words.h"

enum drift_by {
    DRIFT_OUTSIDE = 1, /* somebody changed it past Terraform */
    DRIFT_RELEASE,     /* what should be is not applied yet */
    DRIFT_UNMANAGED,   /* changed outside, and Terraform leaves it so: to know, not to mend */
    DRIFT_OWNED,       /* somebody moves it who may */
};
struct drift_finding {
    struct px_str address, type, word; /* "queue" */
    struct px_str attribute;           /* empty: the resource as a whole */
    struct px_str should, is;          /* as people read them; secrets as "(sensitive)" */
    struct px_str owner;               /* of DRIFT_OWNED: who */
    struct px_str todo;                /* what to do about it */
    enum drift_by by;
    enum words_weight weight;
};
struct drift {
    struct drift_finding *items; /* by address, attribute */
    size_t count;
    size_t counts[DRIFT_OWNED + 1];
    enum words_weight worst; /* of those that count; 0: there is none */
    bool absent;             /* nothing of the stack is deployed */
};

/*   command  that applies what should be: "prism pipeline run" */
PX_MUST_USE int drift_find(const struct changes *changes, const struct words *words,
                           const char *command, struct drift *ret_drift);
/* How many call for something to be done: outside and release. */
size_t drift_found(const struct drift *drift);
const char *drift_by_name(enum drift_by by); /* "outside" */
/* As lines for people; what is owned or unmanaged (AWS fills much in by itself) only when all is true. */
void drift_write_text(const struct drift *drift, struct px_str label, bool all, struct px_buf *buf);
/* [{"address","type","resource","attribute","should","is","by","weight","todo"}]; owned ones have "owner", too. */
void drift_write_json(const struct drift *drift, struct px_buf *buf);
