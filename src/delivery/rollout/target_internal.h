/* delivery/rollout/target_internal.h - what the files of a target share: target.c (functions, figures, alarms), target_machine.c. */
#pragma once

#include "base/px_json.h"
#include "delivery/rollout/target.h"

#define TARGET_ARN_BYTES 256

struct rollout_target {
    struct cloud_client *service, *cloudwatch; /* Lambda or Step Functions */
    uint32_t deadline_ms;
    const _Atomic bool *called_off;
    bool is_local, is_machine;
    char why[512];
    /* of machines: the last that was looked up */
    char machine[TARGET_ARN_BYTES], arn[TARGET_ARN_BYTES];
};

/* One call of a JSON protocol. ret_root is NULL for an empty answer. Answers: enum target_answer. */
PX_MUST_USE int target_json_call(struct rollout_target *target, struct cloud_client *client,
                                 const char *service, const char *action, struct px_str body,
                                 struct px_arena *arena, yyjson_val **ret_root);
int target_by_number(const void *a, const void *b); /* of two struct target_version, for qsort() */
/* {"<key>":"<text>"}; ptr NULL: no memory. */
struct px_str target_json_object(struct px_arena *arena, const char *key, struct px_str text);

/* The same as target_...() of machines. */
PX_MUST_USE int machine_arn(struct rollout_target *target, struct px_str name,
                            struct px_arena *arena, struct px_str *ret_arn);
PX_MUST_USE int machine_names(struct rollout_target *target, struct px_str prefix,
                              struct px_arena *arena, struct px_str **ret_names, size_t *ret_count);
PX_MUST_USE int machine_versions(struct rollout_target *target, struct px_str name,
                                 struct px_arena *arena, struct target_version **ret_versions,
                                 size_t *ret_count);
PX_MUST_USE int machine_update(struct rollout_target *target, struct px_str name,
                               struct px_str definition, struct px_arena *arena);
PX_MUST_USE int machine_publish(struct rollout_target *target, struct px_str name,
                                struct px_arena *arena, int64_t *ret_number);
PX_MUST_USE int machine_delete_version(struct rollout_target *target, struct px_str name,
                                       int64_t number, struct px_arena *arena);
PX_MUST_USE int machine_alias(struct rollout_target *target, struct px_str name,
                              struct px_str alias, struct px_arena *arena,
                              struct target_alias *ret_alias);
PX_MUST_USE int machine_set_alias(struct rollout_target *target, struct px_str name,
                                  struct px_str alias, const struct target_alias *wanted,
                                  struct px_arena *arena);
