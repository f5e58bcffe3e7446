/* delivery/pipeline/image_blobs.h - what an image's manifest names: its configuration and its layers, as blobs by digest. */
#pragma once

#include "base/px_arena.h"

#define IMAGE_BLOBS_MAX 16 /* the configuration first, then the layers */

struct image_blobs {
    struct px_str sha256[IMAGE_BLOBS_MAX];
    size_t count;
};
/* Everything is in arena. No manifest of an image: none. */
PX_MUST_USE int image_blobs_of(struct px_str manifest, struct px_arena *arena,
                               struct image_blobs *ret_blobs);
