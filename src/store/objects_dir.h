/* store/objects_dir.h - what the files of the embedded object store share. */
#pragma once

#include "store/objects.h"

#include <sys/stat.h>

struct object_store {
    char *root; /* absolute */
};
int64_t object_modified_ns(const struct stat *about);
