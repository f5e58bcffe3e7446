/* store/objects_dir.h - what the files of the embedded object store share. Inside store only. */
#pragma once

#include "store/objects_half.h"

struct object_folder {
    struct object_store store; /* first: the header's functions know only this */
    char *root;                /* absolute */
    char *temp;                /* <root>/.tmp */
};
static inline struct object_folder *object_folder_of(struct object_store *store)
{
    return (struct object_folder *)store;
}
PX_MUST_USE int object_folder_list(struct object_store *store, struct px_str prefix,
                                   struct px_str after, size_t max, struct px_arena *arena,
                                   struct object_info **ret_infos, size_t *ret_count);
