/* delivery/pipeline/image_blobs.c - see image_blobs.h. */
#include "delivery/pipeline/image_blobs.h"

#include "base/px_json.h"
#include "store/digest.h"

static void add(struct image_blobs *blobs, yyjson_val *part)
{
    struct px_str digest = px_json_str(part, "digest");
    if (!px_str_starts(digest, S("sha256:")) || !digest_is_hex(px_str_skip(digest, 7))) return;
    if (blobs->count < IMAGE_BLOBS_MAX) blobs->sha256[blobs->count++] = px_str_skip(digest, 7);
}

int image_blobs_of(struct px_str manifest, struct px_arena *arena, struct image_blobs *ret_blobs)
{
    struct image_blobs blobs = {.count = 0};
    size_t i, max;
    yyjson_val *root = NULL, *layer;
    int r = px_json_parse(manifest, arena, &root, NULL);
    PX_TRY(r < 0 ? r : 0);
    if (r == 0 && px_json_obj(root, "config")) add(&blobs, px_json_obj(root, "config"));
    if (blobs.count > 0)
        px_json_arr_foreach(px_json_arr(root, "layers"), i, max, layer) add(&blobs, layer);
    *ret_blobs = blobs;
    return 0;
}
