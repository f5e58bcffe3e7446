/* store/pg_token.h - IAM tokens, which sign in to PostgreSQL in place of a password. Inside store and its tests only.
 * https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.html */
#pragma once

#include "base/px_arena.h"
#include "store/pg_url.h"

struct cloud; /* aws/context.h */
/* A token for the target's user at `host`, good for 15 minutes to begin a connection with. It opens the
 * database: not for logs or faults.
 * Faults: those of cloud_client_new() and cloud_presign(). */
PX_MUST_USE int pg_token_make(struct cloud *cloud, const struct pg_target *target, const char *host,
                              struct px_arena *arena, struct px_str *ret_token);
