/* delivery/pipeline/action_promote.c - action `promote`: the very same artifacts go on to the next environment.
 *
 * What `from` runs by a stage that ended is what this run delivers, or it is refused; and each artifact's bytes have the digest that
 * the release names. With `copy_to` they are copied to another place (the next account's bucket) under the release's id. */
#include "base/px_json.h"
#include "delivery/pipeline/builtin.h"
#include "delivery/pipeline/digest.h"
#include "delivery/pipeline/release.h"
#include "store/objects.h"

#define ARTIFACT_BYTES_MAX ((size_t)1 << 30)

struct promotion {
    struct action_context *ctx;
    struct object_store *from, *to; /* to: NULL: nothing is copied */
    unsigned checked;
};

static void deinit(struct promotion *p)
{
    object_store_close(&p->from);
    object_store_close(&p->to);
}

static int take_artifact(struct promotion *p, struct px_str name, yyjson_val *artifact)
{
    PX_AUTO(px_buf_deinit) struct px_buf bytes;
    char hash[DIGEST_HEX_BYTES];
    struct px_str key = release_key(p->ctx->arena, name, artifact);
    px_buf_init(&bytes, ARTIFACT_BYTES_MAX);
    if (!key.ptr) return px_arena_fault(p->ctx->arena);
    int r = object_get(p->from, key, &bytes);
    if (r == OBJECT_ABSENT)
        return action_fail(p->ctx, ACTION_REFUSED, "%.*s lacks %.*s", PX_FMT(p->ctx->release.place),
                           PX_FMT(key));
    if (r == OBJECT_TOO_LARGE)
        return action_fail(p->ctx, ACTION_REFUSED, "%.*s is too large", PX_FMT(key));
    PX_TRY(r);
    digest_of(px_buf_str(&bytes), hash);
    if (!px_str_eq(px_str_c(hash), px_json_str(artifact, "sha256")))
        return action_fail(p->ctx, ACTION_REFUSED,
                           "%.*s of %.*s is not what was released: its digest is %s", PX_FMT(key),
                           PX_FMT(p->ctx->release.place), hash);
    p->checked++;
    if (p->to) PX_TRY(object_put(p->to, key, px_buf_str(&bytes)));
    return 0;
}

static int take_all(struct promotion *p)
{
    size_t i, max;
    yyjson_val *key, *val, *artifacts = px_json_obj(p->ctx->release.document, "artifacts");
    px_json_obj_foreach(artifacts, i, max, key, val)
    {
        if (action_cancelled(p->ctx)) return ACTION_CANCELLED;
        int r = take_artifact(p, px_json_val_str(key), val);
        if (r != 0) return r;
        action_say(p->ctx, "%u of %zu artifacts", p->checked, yyjson_obj_size(artifacts));
    }
    return 0;
}

/* The same release stands where it is said to stand. */
static int check_place(struct promotion *p)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    yyjson_val *document = NULL;
    px_buf_init(&text, 1u << 20);
    int r = object_get(p->from, S("release.json"), &text);
    if (r == 0) r = release_parse(px_buf_str(&text), p->ctx->arena, &document);
    if (r < 0) return px_fold(r, __FILE__, __LINE__);
    if (r > 0 || !px_str_eq(px_json_str(document, "release"), p->ctx->release.id))
        return action_fail(p->ctx, ACTION_REFUSED, "%.*s does not hold release %.*s",
                           PX_FMT(p->ctx->release.place), PX_FMT(p->ctx->release.id));
    if (p->to)
        PX_TRY(object_put(
            p->to, S("release.json"),
            px_buf_str(&text))); /* for who looks; again at the end it would be the same */
    return 0;
}

static int check_delivered(struct action_context *ctx, struct px_str from)
{
    struct action_release there;
    PX_TRY(action_delivered(ctx, from, &there));
    if (ctx->release.id.len == 0)
        return action_fail(
            ctx, ACTION_REFUSED,
            "there is no release to promote; a step `release` makes one, or give --release");
    if (there.id.len == 0)
        return action_fail(ctx, ACTION_REFUSED,
                           "environment %.*s has no release yet; deliver it there first",
                           PX_FMT(from));
    if (!px_str_eq(there.id, ctx->release.id))
        return action_fail(
            ctx, ACTION_REFUSED,
            "environment %.*s has release %.*s and this run delivers %.*s; only what %.*s runs is promoted",
            PX_FMT(from), PX_FMT(there.id), PX_FMT(ctx->release.id), PX_FMT(from));
    return 0;
}

static int give_result(struct promotion *p, struct px_str place, yyjson_val **ret_result)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 2u << 20);
    px_buf_printf(&json, "{\"artifacts\":%u,\"release\":{\"id\":", p->checked);
    px_buf_add_json_str(&json, p->ctx->release.id);
    px_buf_add_c(&json, ",\"place\":");
    px_buf_add_json_str(&json, place);
    px_buf_add_c(&json, ",\"document\":");
    px_buf_add_json(&json, p->ctx->release.document);
    px_buf_add_c(&json, "}}");
    PX_TRY(action_result(p->ctx, &json, ret_result));
    return 0;
}

static int run(struct action_context *ctx, yyjson_val *with, yyjson_val **ret_result)
{
    PX_AUTO(deinit) struct promotion p = {.ctx = ctx};
    const struct object_options options = {.cloud = ctx->cloud};
    struct px_str place = ctx->release.place, copy_to = px_json_str(with, "copy_to");
    int r = check_delivered(ctx, px_json_str(with, "from"));
    if (r != 0) return r;
    PX_TRY(object_store_open(place, &options, &p.from));
    if (copy_to.len > 0) {
        place = px_arena_printf(ctx->arena, "%.*s/%.*s", PX_FMT(copy_to), PX_FMT(ctx->release.id));
        if (!place.ptr) return px_arena_fault(ctx->arena);
        PX_TRY(object_store_open(place, &options, &p.to));
    }
    r = take_all(&p);
    if (r == 0) r = check_place(&p);
    if (r != 0) return r;
    PX_TRY(give_result(&p, place, ret_result));
    return 0;
}

static struct px_str describe(struct px_arena *arena, yyjson_val *with)
{
    return px_arena_printf(arena, "promote what %.*s runs to %.*s",
                           PX_FMT(px_json_str(with, "from")), PX_FMT(px_json_str(with, "to")));
}

static const struct action_field fields[] = {
    {"from", ACTION_TEXT, true, 0, 0, NULL}, /* environment */
    {"to", ACTION_TEXT, true, 0, 0, NULL},   /* likewise, for people */
    {"copy_to", ACTION_TEXT, false, 0, 0, NULL},
};
const struct action action_promote = {
    .name = "promote",
    .summary = "hand the very same artifacts on to the next environment",
    ACTION_FIELDS(fields),
    .run = run,
    .describe = describe,
};
