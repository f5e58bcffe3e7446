/* delivery/terraform/changes_internal.h - between the files of changes. */
#pragma once

#include "delivery/terraform/changes.h"

#define CHANGES_HIDDEN "(sensitive)"
#define CHANGES_LATER "(known after apply)"

bool changes_holds_secret(const struct changes *changes, struct px_str text);
/* Whether a mask (true where it is so, or an object or array of masks) is true anywhere. */
bool changes_mask_any(yyjson_val *mask);
/* The part of a mask for a member or an element; a mask that is true as a whole is true in all its parts. */
yyjson_val *changes_mask_at(yyjson_val *mask, yyjson_val *key, size_t index);
bool changes_mask_all(yyjson_val *mask);
/* Members of an object sorted by name; NULL ended pairs key, value in arena. Of two with one name the first counts. */
PX_MUST_USE int changes_sorted(struct px_arena *arena, yyjson_val *object, yyjson_val ***ret_keys,
                               size_t *ret_count);
