/* aws/identity.h - credentials for somebody else: this process's own, or a role's with less. They are for
 * programs in this process that sign by themselves (DuckDB), never for a client. Wipe the arena. */
#pragma once

#include "aws/client.h"

struct cloud_keys {
    struct px_str id, secret, token; /* in arena; token may be empty */
    int64_t expires_ns;              /* wall time; 0: not told */
};
/* What signs this process's requests. Faults: PX_F_DENIED (none), PX_F_UNAVAILABLE (none in time). */
PX_MUST_USE int cloud_identity(struct cloud *cloud, struct px_arena *arena,
                               struct cloud_keys *ret_keys);

struct cloud_assumption {
    struct px_str role_arn;
    struct px_str session; /* shows in CloudTrail; [A-Za-z0-9+=,.@-]{2,64} */
    struct px_str tag,
        tag_value;        /* a session tag, by which the role's policy tells what is allowed */
    struct px_str policy; /* JSON; nothing but this, however much the role may; or empty */
    uint32_t duration_s;  /* 900 to 3600 where a role takes a role */
};
/* STS AssumeRole; client is of the service "sts".
 * Faults: those of cloud_call(); PX_F_DENIED when the role may not be taken. */
PX_MUST_USE int cloud_assume(struct cloud_client *client, const struct cloud_assumption *assumption,
                             struct px_arena *arena, struct cloud_keys *ret_keys);
/* The region that cloud signs for. */
struct px_str cloud_region(const struct cloud *cloud);
