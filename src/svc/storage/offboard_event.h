/* svc/storage/offboard_event.h - events of function `storage` about a tenant that goes: read, run, answered. */
#pragma once

#include "base/px_json.h"
#include "lambda/runtime.h"
#include "svc/storage/offboard.h"

struct offboard_kind; /* which step */
/* NULL: none of them. */
const struct offboard_kind *offboard_find(struct px_str op);
/* NULL: fine; else what is wrong. */
const char *offboard_read(yyjson_val *root, const struct offboard_kind *kind,
                          struct offboard *offboard);
PX_MUST_USE int offboard_run(const struct offboard_kind *kind, const struct offboard *offboard,
                             struct storage *storage, const struct lambda_event *event);
