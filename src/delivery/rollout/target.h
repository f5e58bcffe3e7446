/* delivery/rollout/target.h - where functions and state machines run: Lambda's REST API or Step Functions' JSON protocol, and
 * CloudWatch's, on the AWS Common Runtime, of AWS, of an emulator or of a local region's control socket alike. One target has either
 * functions or machines; what is said of functions here holds for machines where they have it.
 *
 * Each call looks or makes one change; a change that was made before ends the same. Calls block. */
#pragma once

#include "aws/client.h"
#include "aws/shared.h"
#include "base/px_clock.h"

struct rollout_target; /* opaque */
struct target_options {
    struct cloud_shared *cloud; /* borrowed */
    bool machines;              /* state machines, not functions */
    struct px_str region;       /* empty: the cloud's own */
    struct px_str
        endpoint; /* of both services: "unix:/data/region.sock", an emulator; empty: AWS's, or what
                                   AWS_ENDPOINT_URL_LAMBDA and AWS_ENDPOINT_URL_CLOUDWATCH say */
    uint32_t deadline_ms;           /* of one call; 0: 10 s */
    const _Atomic bool *called_off; /* may be NULL */
};
/* Faults: those of cloud_client_new(). */
PX_MUST_USE int target_open(const struct target_options *options,
                            struct rollout_target **ret_target);
void target_close(struct rollout_target **target);
bool target_is_local(const struct rollout_target *target); /* a control socket */
bool target_is_machine(const struct rollout_target *target);

enum target_answer {
    TARGET_ABSENT = 1, /* no such function, version or alias */
    TARGET_CHANGED,    /* somebody changed it meanwhile: read it again */
    TARGET_BUSY,       /* an update is under way: try again */
    TARGET_REFUSED,    /* target_why() says why */
};
const char *target_why(const struct rollout_target *target); /* of the last refusal */

/* Everything that is returned lies in arena. Faults: those of cloud_call(), PX_F_PROTOCOL. */

struct target_function {
    struct px_str sha256;   /* of $LATEST, base64 */
    struct px_str revision; /* the same */
    bool updating;          /* LastUpdateStatus is InProgress */
    int64_t reserved;       /* -1: none */
};
PX_MUST_USE int target_function(struct rollout_target *target, struct px_str name,
                                struct px_arena *arena, struct target_function *ret_function);

/* Names of functions that begin with prefix. */
PX_MUST_USE int target_functions(struct rollout_target *target, struct px_str prefix,
                                 struct px_arena *arena, struct px_str **ret_names,
                                 size_t *ret_count);

struct target_version {
    int64_t number;
    struct px_str sha256;
    bool pending, failed; /* State */
};
/* Ascending, without $LATEST. */
PX_MUST_USE int target_versions(struct rollout_target *target, struct px_str name,
                                struct px_arena *arena, struct target_version **ret_versions,
                                size_t *ret_count);
struct target_code { /* one of them */
    struct px_str zip;
    struct px_str bucket,
        key;             /* bucket "file": a folder or ZIP of this machine, in a local region */
    struct px_str image; /* URI of an image */
    struct px_str definition; /* a machine's */
};
PX_MUST_USE int target_update(struct rollout_target *target, struct px_str name,
                              const struct target_code *code, struct px_arena *arena);
/* sha256 empty: whatever $LATEST is; else TARGET_REFUSED when it is another. The same code again is the same version. */
PX_MUST_USE int target_publish(struct rollout_target *target, struct px_str name,
                               struct px_str sha256, struct px_arena *arena, int64_t *ret_number);
PX_MUST_USE int target_delete_version(struct rollout_target *target, struct px_str name,
                                      int64_t number, struct px_arena *arena);

struct target_alias {
    int64_t main, other; /* other 0: none */
    double weight;       /* of other */
    struct px_str revision;
};
PX_MUST_USE int target_alias(struct rollout_target *target, struct px_str name, struct px_str alias,
                             struct px_arena *arena, struct target_alias *ret_alias);
/* Only if it still has wanted->revision, unless that is empty. Answers: TARGET_CHANGED and others. */
PX_MUST_USE int target_set_alias(struct rollout_target *target, struct px_str name,
                                 struct px_str alias, const struct target_alias *wanted,
                                 struct px_arena *arena);

struct target_warm {
    int64_t requested, available;
    bool ready, failed;
    struct px_str reason;
};
/* TARGET_ABSENT: it has none. */
PX_MUST_USE int target_warm(struct rollout_target *target, struct px_str name,
                            struct px_str qualifier, struct px_arena *arena,
                            struct target_warm *ret_warm);
PX_MUST_USE int target_set_warm(struct rollout_target *target, struct px_str name,
                                struct px_str qualifier, int64_t count, struct px_arena *arena);
PX_MUST_USE int target_delete_warm(struct rollout_target *target, struct px_str name,
                                   struct px_str qualifier, struct px_arena *arena);

/* What a version did, called by the alias, in [from_s, to_s). */
struct target_figures {
    uint64_t calls, errors, timed, below; /* below: durations of at most bound_ms */
    double quantile_ms;                   /* mean of the periods', by their durations */
    uint64_t at_once;                     /* calls of a function at most; 0: not told */
};
struct target_window {
    struct px_str function, alias;
    int64_t from_s, to_s;
    uint32_t period_s;
    double quantile;
    double
        bound_ms; /* in place of the old version's quantile, when that got fewer calls than the new one; 0: none */
};
/* Of two versions at once, [0] the old one; the bound is the old one's quantile. */
PX_MUST_USE int target_figures(struct rollout_target *target, const struct target_window *window,
                               const int64_t versions[2], struct px_arena *arena,
                               struct target_figures ret_figures[2]);

struct target_alarm {
    struct px_str name, reason;
    struct px_str subject; /* of dimension FunctionName or StateMachineArn; empty: another kind */
    struct px_str name_space;
};
/* What an alarm of it has for subject: a function's name, a machine's ARN. */
PX_MUST_USE int target_subject(struct rollout_target *target, struct px_str name,
                               struct px_arena *arena, struct px_str *ret_subject);
/* Those that fire, at most 100. */
PX_MUST_USE int target_alarms(struct rollout_target *target, struct px_str prefix,
                              struct px_arena *arena, struct target_alarm **ret_alarms,
                              size_t *ret_count);
