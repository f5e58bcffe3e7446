/* delivery/pipeline/signed.h - which signed copy of a release's ZIP a region's functions run. In a pipeline's store:
 *
 *   signed/<environment>/<region>/<function>/<sha256>.json   of the ZIP with that digest, as it was released:
 *     {"profile_version":"<ARN>","job":"<id>","signed_sha256":"<hex>"}   its signed copy, and which job of AWS Signer made it
 *     {"profile_version":"<ARN>","failed":"<id>"}                        the last job, which failed
 *
 * Signing changes a ZIP's bytes and no two signatures are alike, so a copy is made once and found again by the digest of what was
 * released: a function that a release leaves as it was keeps its code. A release's own digests are those of the unsigned ZIPs, in
 * every environment. What signs is action `sign`; plans, drift and rollouts read. */
#pragma once

#include "delivery/pipeline/deployed.h"

enum signed_answer { SIGNED_ABSENT = 1 };

struct signed_zip { /* whose copy */
    struct px_str environment, region, name, sha256;
};
struct signed_copy {
    struct px_str profile_version;
    struct px_str job, sha256; /* sha256: of the signed copy; empty: there is none */
    struct px_str failed;      /* the last job, when it failed */
};
/* Answers: SIGNED_ABSENT: nothing is known of it. In arena. */
PX_MUST_USE int signed_read(const struct deployed_shelf *shelf, const struct signed_zip *zip,
                            struct px_arena *arena, struct signed_copy *ret_copy);
PX_MUST_USE int signed_write(const struct deployed_shelf *shelf, const struct signed_zip *zip,
                             const struct signed_copy *copy);

/* Whether a region's functions take signed ZIPs only: `code_signing` of its rendered variables. As in infra/region it is true where the
 * file does not say. Faults: PX_F_CONFIG for a file that cannot be read. */
PX_MUST_USE int signed_is_wanted(const char *tfvars, struct px_arena *arena, bool *ret_wanted);
/* Append the artifacts of a release as Terraform takes them in a region that signs: ZIPs by the digests of their signed copies.
 * Answers: SIGNED_ABSENT, with ret_missing written: the name of one that was not signed. */
PX_MUST_USE int signed_artifacts(const struct deployed_shelf *shelf, struct px_str environment,
                                 struct px_str region, yyjson_val *artifacts,
                                 struct px_arena *arena, struct px_buf *buf,
                                 struct px_str *ret_missing);
