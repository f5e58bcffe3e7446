/* svc/query/coder.h - an answer's body compressed as it goes, with gzip or zstd, at the level that costs least.
 *
 * The function compresses and not API Gateway: docs/design/gateway.md says why. */
#pragma once

#include "base/px_buf.h"

enum coding { CODING_IDENTITY, CODING_GZIP, CODING_ZSTD };
/* What Accept-Encoding names and wants most: zstd before gzip when alike; identity when it names neither or wants that more. */
enum coding coding_wanted(struct px_str accept_encoding);
struct px_str coding_name(enum coding coding); /* as in Content-Encoding */

struct coder; /* opaque; about 1.5 MB */
PX_MUST_USE int coder_new(enum coding coding, struct coder **ret_coder);
void coder_free(struct coder **coder);
/* Append to out what bytes become, all of it: whoever reads so far can decode so far. last: nothing follows. */
PX_MUST_USE int coder_add(struct coder *coder, struct px_str bytes, bool last, struct px_buf *out);
