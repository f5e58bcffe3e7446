/* svc/storage/temp.h - a temporary file that goes with its scope unless it was moved away. */
#pragma once

#include <unistd.h>

#include "base/px.h"

/* For PX_AUTO; the path is NUL-terminated behind its view. An absent file is fine. */
static inline void temp_remove(struct px_str *path)
{
    if (path->ptr) (void)unlink(path->ptr);
    *path = (struct px_str){0};
}
