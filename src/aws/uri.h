/* aws/uri.h - percent-encoding as AWS wants it in paths and queries. */
#pragma once

#include "base/px_arena.h"

/* Everything but A-Z a-z 0-9 - _ . ~ becomes %XX; of a path, '/' stays. In arena; ptr NULL when that is
 * full. */
struct px_str cloud_uri_path(struct px_str text, struct px_arena *arena);
struct px_str cloud_uri_param(struct px_str text, struct px_arena *arena);
/* The reverse, with '+' for a space, as S3 encodes names in lists. False when it is not encoded text. */
PX_MUST_USE bool cloud_uri_plain(struct px_str text, struct px_arena *arena,
                                 struct px_str *ret_plain);
