/* delivery/pipeline/signer.h - AWS Signer, as far as ZIPs for Lambda need it: a job signs one version of an object of a region's
 * bucket and writes a signed copy into that bucket. Profile and bucket are of the region that signs. */
#pragma once

#include "aws/shared.h"
#include "base/px_arena.h"

enum signer_answer { SIGNER_REFUSED = 1 }; /* signer_why() says it in AWS's words */

struct signer; /* opaque; of one thread */
/* region: whose Signer it is. Calls nothing. Faults: those of cloud_open(), cloud_client_new(). */
PX_MUST_USE int signer_open(struct cloud_shared *cloud, struct px_str region,
                            struct signer **ret_signer);
void signer_close(struct signer **signer);
const char *signer_why(const struct signer *signer);

/* What infra/global published for the region (infra/global/publish.tf). */
struct signer_place {
    struct px_str bucket;          /* of artifacts */
    struct px_str profile;         /* its name */
    struct px_str profile_version; /* the ARN that the region's functions take signatures of */
};
/* parameter: its name in Parameter Store. In arena. Answers: SIGNER_REFUSED. */
PX_MUST_USE int signer_place_read(struct signer *signer, struct px_str parameter,
                                  struct px_arena *arena, struct signer_place *ret_place);

struct signer_job {
    const struct signer_place *place;
    struct px_str key, version; /* of the ZIP in the place's bucket */
    struct px_str prefix;       /* the signed copy's key is this, the job's id and ".zip" */
    struct px_str token;        /* the same token is the same job, however often it is started */
};
/* Answers: SIGNER_REFUSED. */
PX_MUST_USE int signer_start(struct signer *signer, const struct signer_job *job,
                             struct px_arena *arena, struct px_str *ret_id);

enum signer_state { SIGNER_RUNS, SIGNER_DONE, SIGNER_FAILED };
struct signer_look {
    enum signer_state state;
    struct px_str reason;          /* of the state, in AWS's words; may be empty */
    struct px_str profile_version; /* the last part of its ARN; may be empty */
    struct px_str bucket, key;     /* of the signed copy, once it is done */
};
/* Answers: SIGNER_REFUSED. */
PX_MUST_USE int signer_look(struct signer *signer, struct px_str id, struct px_arena *arena,
                            struct signer_look *ret_look);
