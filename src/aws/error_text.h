/* aws/error_text.h - what AWS says of an error: in JSON, or in XML by S3 and services with the query
 * protocol. Inside aws only. */
#pragma once

#include "base/px_arena.h"

struct error_text {
    struct px_arena *arena;
    struct px_str code, message; /* in arena; empty when it says none */
};
/* Text that is neither says nothing. Faults: PX_F_OOM, PX_F_LIMIT. */
PX_MUST_USE int error_text_read(struct px_str body, struct error_text *error);
