/* svc/storage/items_event.h - event of function `storage`: {"op":"items","store":"segments"|"analytics","key","after"?,"max"?} gives
 * {"op":"items","rows":[{..},..],"count":n,"total":n,"more":bool,"ms":n}. Function errors: "NoSuchKey", "Unreadable". */
#pragma once

#include "base/px_json.h"
#include "svc/storage/storage_event.h"

#define ITEMS_OP "items"

PX_MUST_USE int items_event(const struct storage_function *function, yyjson_val *root,
                            const struct lambda_event *event);
