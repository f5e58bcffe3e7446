/* delivery/pipeline/rollout_release.h - what a release means to functions: which of their versions are its code, and for regions that
 * no Terraform deploys to, how its code gets there. */
#pragma once

#include "delivery/pipeline/action.h"
#include "delivery/rollout/target.h"

/* Digests as Lambda tells them (CodeSha256): of a ZIP in base64, of an image in hex. */
struct release_codes {
    struct px_str *items;
    size_t count;
};
/* Of the run's release, signed copies for the run's region (signed.h) besides; none when it has none. */
PX_MUST_USE int release_codes(const struct action_context *ctx, struct release_codes *ret_codes);
/* The newest version that is code of the release, else the newest of all; 0: there is none. What was published last is not always what
 * is delivered: a release that went back leaves its version there. */
int64_t release_version(const struct release_codes *codes, const struct target_version *versions,
                        size_t count);
/* Each ZIP of the release becomes a version of the function of its name, where there is that function and no such version.
 * Local regions only: the ZIP is handed over as a file of this machine.
 * Answers: said with action_fail(). */
PX_MUST_USE int release_publish(const struct action_context *ctx, struct rollout_target *target);
