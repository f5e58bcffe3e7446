/* delivery/pipeline/action_promote.c - actions `promote` and `publish`: the very same artifacts go on to the next environment.
 *
 * promote  what `from` got by a stage that ended is what this run delivers, or it is refused
 * publish  puts the release where an environment's functions are deployed from: <to>/functions/<name>/<sha256>.zip
 *
 * Both look at each artifact's bytes: they have the digest that the release names. Images go along where they lie beside, for action
 * `images`, which pushes them from there. */
#include <stdlib.h>

#include "base/px_json.h"
#include "delivery/pipeline/builtin.h"
#include "delivery/pipeline/image_blobs.h"
#include "delivery/pipeline/release.h"
#include "delivery/pipeline/signature.h"
#include "store/digest.h"
#include "store/objects.h"

#define ARTIFACT_BYTES_MAX ((size_t)1 << 30)

struct promotion {
    struct action_context *ctx;
    struct object_store *from, *to; /* to: NULL: nothing is copied */
    struct px_str prefix;           /* of release.json in from */
    struct px_str place;            /* of the release from now on */
    unsigned checked;
};

static void deinit(struct promotion *p)
{
    object_store_close(&p->from);
    object_store_close(&p->to);
}

/* ---- where to ---- */

static int open_target(struct promotion *p, struct px_str url)
{
    const struct object_options options = {.cloud = p->ctx->cloud};
    struct action_context *ctx = p->ctx;
    while (url.len > 1 && url.ptr[url.len - 1] == '/') url.len--;
    p->place = px_arena_printf(ctx->arena, "%.*s/releases/%.*s", PX_FMT(url),
                               PX_FMT(ctx->release.id));
    if (!p->place.ptr) return px_arena_fault(ctx->arena);
    PX_TRY(object_store_open(url, &options, &p->to));
    return 0;
}

/* An URL, or the name of a variable of the environment that holds it: buckets' names have an account's number in them.
 * Answers: ACTION_REFUSED. */
static int find_target(struct promotion *p, yyjson_val *with, const char *name)
{
    char variable[64];
    (void)snprintf(variable, sizeof variable, "%s_variable", name);
    struct px_str url = px_json_str(with, name), from = px_json_str(with, variable);
    if (from.len > 0) {
        const char *key = px_arena_cstr(p->ctx->arena, from);
        if (!key) return px_arena_fault(p->ctx->arena);
        url = px_str_c(getenv(key));
        if (url.len == 0)
            return action_fail(
                p->ctx, ACTION_REFUSED,
                "the environment has no variable %s; set it to the folder or s3://bucket that artifacts go to",
                key);
    }
    if (url.len > 0) PX_TRY(open_target(p, url));
    return 0;
}

/* ---- artifacts ---- */

/* What a manifest names goes before it. */
static int take_blobs(struct promotion *p, struct px_str manifest)
{
    struct image_blobs blobs;
    PX_TRY(image_blobs_of(manifest, p->ctx->arena, &blobs));
    for (size_t i = 0; i < blobs.count; i++) {
        PX_AUTO(px_buf_deinit) struct px_buf bytes;
        struct px_str key = px_arena_printf(p->ctx->arena, "images/blobs/sha256/%.*s",
                                            PX_FMT(blobs.sha256[i]));
        px_buf_init(&bytes, ARTIFACT_BYTES_MAX);
        if (!key.ptr) return px_arena_fault(p->ctx->arena);
        int r = release_get(p->ctx, p->from, key, blobs.sha256[i], &bytes);
        if (r != 0) return r;
        PX_TRY(object_put(p->to, key, px_buf_str(&bytes)));
    }
    return 0;
}

static int take_artifact(struct promotion *p, struct px_str name, yyjson_val *artifact)
{
    PX_AUTO(px_buf_deinit) struct px_buf bytes;
    char hash[DIGEST_HEX_BYTES];
    struct px_str key = release_key(p->ctx->arena, name, artifact);
    bool image = px_str_eq(px_json_str(artifact, "kind"), S("image"));
    px_buf_init(&bytes, ARTIFACT_BYTES_MAX);
    if (!key.ptr) return px_arena_fault(p->ctx->arena);
    int r = object_get(p->from, key, &bytes);
    if (r == OBJECT_ABSENT && image) return 0;
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
    if (p->to && image) {
        r = take_blobs(p, px_buf_str(&bytes));
        if (r != 0) return r;
    }
    if (!p->to) return 0;
    return image ? object_put(p->to, key, px_buf_str(&bytes))
                 : release_put_new(p->ctx, p->to, key, px_buf_str(&bytes));
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

static int take_signature(struct promotion *p)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    struct px_arena *arena = p->ctx->arena;
    struct px_str from = px_arena_printf(arena, "%.*s" SIGNATURE_FILE, PX_FMT(p->prefix));
    struct px_str to = px_arena_printf(arena, "releases/%.*s/" SIGNATURE_FILE,
                                       PX_FMT(p->ctx->release.id));
    px_buf_init(&text, 1u << 16);
    if (!from.ptr || !to.ptr) return px_arena_fault(arena);
    int r = object_get(p->from, from, &text);
    if (r == OBJECT_ABSENT) return 0; /* not signed */
    if (r > 0)
        return px_fault(PX_F_CORRUPT, SIGNATURE_FILE " of %.*s is too large",
                        PX_FMT(p->ctx->release.place));
    PX_TRY(r);
    return object_put(p->to, to, px_buf_str(&text));
}

/* The same release stands where it is said to stand; it is there in the new place once all its artifacts are. */
static int take_document(struct promotion *p)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    yyjson_val *document = NULL;
    struct action_context *ctx = p->ctx;
    struct px_str from = px_arena_printf(ctx->arena, "%.*srelease.json", PX_FMT(p->prefix));
    struct px_str to = px_arena_printf(ctx->arena, "releases/%.*s/release.json",
                                       PX_FMT(ctx->release.id));
    px_buf_init(&text, 1u << 20);
    if (!from.ptr || !to.ptr) return px_arena_fault(ctx->arena);
    int r = object_get(p->from, from, &text);
    if (r == 0) r = release_parse(px_buf_str(&text), ctx->arena, &document);
    if (r < 0) return px_fold(r, __FILE__, __LINE__);
    if (r > 0 || !px_str_eq(px_json_str(document, "release"), ctx->release.id))
        return action_fail(ctx, ACTION_REFUSED, "%.*s does not hold release %.*s",
                           PX_FMT(ctx->release.place), PX_FMT(ctx->release.id));
    if (!p->to) return 0;
    PX_TRY(take_signature(p));
    return object_put(p->to, to, px_buf_str(&text));
}

static int give_result(struct promotion *p, yyjson_val **ret_result)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 2u << 20);
    px_buf_printf(&json, "{\"artifacts\":%u,\"release\":{\"id\":", p->checked);
    px_buf_add_json_str(&json, p->ctx->release.id);
    px_buf_add_c(&json, ",\"place\":");
    px_buf_add_json_str(&json, p->place);
    px_buf_add_c(&json, ",\"document\":");
    px_buf_add_json(&json, p->ctx->release.document);
    px_buf_add_c(&json, "}}");
    PX_TRY(action_result(p->ctx, &json, ret_result));
    return 0;
}

static int hand_on(struct action_context *ctx, yyjson_val *with, const char *target,
                   yyjson_val **ret_result)
{
    PX_AUTO(deinit) struct promotion p = {.ctx = ctx, .place = ctx->release.place};
    if (ctx->release.id.len == 0)
        return action_fail(
            ctx, ACTION_REFUSED,
            "there is no release yet; a step `release` makes one, or give --release");
    int r = find_target(&p, with, target);
    if (r != 0) return r;
    PX_TRY(release_open(ctx->release.place, ctx->cloud, ctx->arena, &p.from, &p.prefix));
    r = take_all(&p);
    if (r == 0) r = take_document(&p);
    if (r != 0) return r;
    PX_TRY(give_result(&p, ret_result));
    return 0;
}

/* ---- promote ---- */

static int check_delivered(struct action_context *ctx, struct px_str from)
{
    struct action_release there;
    PX_TRY(action_delivered(ctx, from, &there));
    if (there.id.len == 0)
        return action_fail(ctx, ACTION_REFUSED,
                           "environment %.*s has no release yet; deliver it there first",
                           PX_FMT(from));
    if (!px_str_eq(there.id, ctx->release.id))
        return action_fail(
            ctx, ACTION_REFUSED,
            "environment %.*s has release %.*s and this run delivers %.*s; only what %.*s runs is promoted",
            PX_FMT(from), PX_FMT(there.id), PX_FMT(ctx->release.id), PX_FMT(from));
    if (there.mixed)
        return action_fail(
            ctx, ACTION_REFUSED,
            "a region of %.*s was taken back to another release; deliver to all of %.*s, or take all of it back, first",
            PX_FMT(from), PX_FMT(from));
    return 0;
}

static int run_promote(struct action_context *ctx, yyjson_val *with, yyjson_val **ret_result)
{
    int r = check_delivered(ctx, px_json_str(with, "from"));
    return r == 0 ? hand_on(ctx, with, "copy_to", ret_result) : r;
}

static struct px_str describe_promote(struct px_arena *arena, yyjson_val *with)
{
    return px_arena_printf(arena, "promote what %.*s runs to %.*s",
                           PX_FMT(px_json_str(with, "from")), PX_FMT(px_json_str(with, "to")));
}

static const struct action_field promote_fields[] = {
    {"from", ACTION_TEXT, true, 0, 0, NULL}, /* environment */
    {"to", ACTION_TEXT, true, 0, 0, NULL},   /* likewise, for people */
    {"copy_to", ACTION_TEXT, false, 0, 0, NULL},
    {"copy_to_variable", ACTION_TEXT, false, 0, 0, NULL},
};
const struct action action_promote = {
    .name = "promote",
    .summary = "hand the very same artifacts on to the next environment",
    ACTION_FIELDS(promote_fields),
    .run = run_promote,
    .describe = describe_promote,
    .is_fixed = true,
};

/* ---- publish ---- */

static int run_publish(struct action_context *ctx, yyjson_val *with, yyjson_val **ret_result)
{
    if (!yyjson_obj_get(with, "to") && !yyjson_obj_get(with, "to_variable"))
        return action_fail(ctx, ACTION_REFUSED, "publish where? give `to` or `to_variable`");
    return hand_on(ctx, with, "to", ret_result);
}

static const struct action_field publish_fields[] = {
    {"to", ACTION_TEXT, false, 0, 0, NULL},
    {"to_variable", ACTION_TEXT, false, 0, 0, NULL},
};
const struct action action_publish = {
    .name = "publish",
    .summary = "put the release's artifacts where functions are deployed from",
    ACTION_FIELDS(publish_fields),
    .run = run_publish,
};
