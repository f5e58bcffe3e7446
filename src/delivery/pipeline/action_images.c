/* delivery/pipeline/action_images.c - action `images`: the release's images go to the registry that an environment's functions are started
 * from, under their digests. The release may lie in a folder or in S3; `publish` takes the blobs along. */
#include <stdlib.h>

#include "base/px_file.h"
#include "base/px_json.h"
#include "delivery/pipeline/builtin.h"
#include "delivery/pipeline/image_blobs.h"
#include "delivery/pipeline/release.h"
#include "package/registry.h"
#include "store/objects.h"

#define BLOB_BYTES_MAX ((size_t)1 << 30)

struct pushing {
    struct action_context *ctx;
    struct object_store *store;
    struct registry *registry;
    const char *layout; /* blobs as files, of this step */
    size_t images, sent, there;
};

static void deinit(struct pushing *p)
{
    registry_close(&p->registry);
    object_store_close(&p->store);
}

/* A blob as a file of the layout; what is there from a time before is as its name says, or registry_push() refuses it.
 * text: NULL, or gets it. */
static int take_blob(struct pushing *p, struct px_str sha256, struct px_buf *text)
{
    PX_AUTO(px_buf_deinit) struct px_buf bytes;
    struct action_context *ctx = p->ctx;
    struct px_str key = px_arena_printf(ctx->arena, "images/blobs/sha256/%.*s", PX_FMT(sha256));
    struct px_str path = px_arena_printf(ctx->arena, "%s/blobs/sha256/%.*s", p->layout,
                                         PX_FMT(sha256));
    px_buf_init(&bytes, BLOB_BYTES_MAX);
    if (!key.ptr || !path.ptr) return px_arena_fault(ctx->arena);
    int r = release_get(ctx, p->store, key, sha256, &bytes);
    if (r != 0) return r;
    if (text) px_buf_add_str(text, px_buf_str(&bytes));
    return px_file_write_atomic(path.ptr, px_buf_str(&bytes), 0600);
}

static void set_hex(char to[PACK_HEX_BYTES], struct px_str hex)
{
    memcpy(to, hex.ptr, PACK_HEX_BYTES - 1);
    to[PACK_HEX_BYTES - 1] = '\0';
}

static int push_image(struct pushing *p, struct px_str name, struct px_str sha256)
{
    PX_AUTO(px_buf_deinit) struct px_buf manifest;
    struct action_context *ctx = p->ctx;
    struct image_blobs blobs;
    struct image_layer layers[IMAGE_BLOBS_MAX] = {0};
    struct registry_pushed pushed;
    struct image image = {
        .name = name, .version = ctx->release.id, .architecture = S("image"), .layers = layers};
    px_buf_init(&manifest, 1u << 20);
    int r = take_blob(p, sha256, &manifest);
    if (r != 0) return r;
    PX_TRY(image_blobs_of(px_buf_str(&manifest), ctx->arena, &blobs));
    if (blobs.count == 0)
        return action_fail(ctx, ACTION_REFUSED, "%.*s: %.*s is no manifest of an image",
                           PX_FMT(name), PX_FMT(sha256));
    set_hex(image.manifest.sha256, sha256);
    set_hex(image.config.sha256, blobs.sha256[0]);
    for (size_t i = 0; i < blobs.count; i++) {
        if (action_cancelled(ctx)) return ACTION_CANCELLED;
        r = take_blob(p, blobs.sha256[i], NULL);
        if (r != 0) return r;
        if (i > 0) set_hex(layers[image.layer_count++].blob.sha256, blobs.sha256[i]);
    }
    PX_TRY(registry_push(p->registry, p->layout, &image, &pushed));
    p->images++;
    p->sent += pushed.blobs_sent;
    p->there += pushed.blobs_there;
    action_say(ctx, "%.*s", PX_FMT(pushed.reference));
    return 0;
}

static int push_all(struct pushing *p)
{
    size_t i, max;
    yyjson_val *key, *val, *artifacts = px_json_obj(p->ctx->release.document, "artifacts");
    px_json_obj_foreach(artifacts, i, max, key, val)
    {
        if (!px_str_eq(px_json_str(val, "kind"), S("image"))) continue;
        int r = push_image(p, px_json_val_str(key), px_json_str(val, "sha256"));
        if (r != 0) return r;
    }
    return 0;
}

/* Answers: ACTION_REFUSED. Empty: nowhere. */
static int find_registry(struct action_context *ctx, yyjson_val *with, struct px_str *ret_address)
{
    struct px_str variable = px_json_str(with, "to_variable");
    *ret_address = px_json_str(with, "to");
    if (variable.len == 0) return 0;
    const char *name = px_arena_cstr(ctx->arena, variable);
    if (!name) return px_arena_fault(ctx->arena);
    *ret_address = px_str_c(getenv(name));
    if (ret_address->len > 0) return 0;
    return action_fail(
        ctx, ACTION_REFUSED,
        "the environment has no variable %s; set it to the registry and repository that "
        "images go to",
        name);
}

static int give_result(struct pushing *p, yyjson_val **ret_result)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 4096);
    px_buf_printf(&json, "{\"summary\":\"%zu images, %zu blobs sent, %zu there\"}", p->images,
                  p->sent, p->there);
    return action_result(p->ctx, &json, ret_result);
}

static int run(struct action_context *ctx, yyjson_val *with, yyjson_val **ret_result)
{
    PX_AUTO(deinit) struct pushing p = {.ctx = ctx};
    PX_AUTO(px_buf_deinit) struct px_buf json;
    struct registry_options where = {0};
    struct px_str prefix,
        layout = px_arena_printf(ctx->arena, "%s/images", ctx->work_dir),
        blobs = px_arena_printf(ctx->arena, "%s/images/blobs/sha256", ctx->work_dir);
    px_buf_init(&json, 256);
    if (!layout.ptr || !blobs.ptr) return px_arena_fault(ctx->arena);
    if (ctx->release.id.len == 0)
        return action_fail(ctx, ACTION_REFUSED, "there is no release yet");
    int r = find_registry(ctx, with, &where.address);
    if (r != 0) return r;
    if (where.address.len == 0) {
        px_buf_add_c(&json, "{\"skipped\":\"no registry is named\"}");
        return action_result(ctx, &json, ret_result);
    }
    p.layout = layout.ptr;
    PX_TRY(px_dir_make(blobs.ptr));
    PX_TRY(release_open(ctx->release.place, ctx->cloud, ctx->arena, &p.store, &prefix));
    PX_TRY(registry_open(&where, ctx->arena, &p.registry));
    r = push_all(&p);
    PX_TRY(px_dir_remove(layout.ptr));
    return r != 0 ? r : give_result(&p, ret_result);
}

static const struct action_field fields[] = {
    {"to", ACTION_TEXT, false, 0, 0,
     NULL}, /* "<registry>/<repository>"; neither: nothing is pushed */
    {"to_variable", ACTION_TEXT, false, 0, 0, NULL}, /* name of a variable that holds it */
};
const struct action action_images = {
    .name = "images",
    .summary = "push the release's images to the registry that functions are started from",
    ACTION_FIELDS(fields),
    .run = run,
};
