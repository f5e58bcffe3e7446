/* delivery/pipeline/rollout_release.c - see rollout_release.h. */
#include "delivery/pipeline/rollout_release.h"

#include "base/px_file.h"
#include "base/px_json.h"
#include "delivery/pipeline/release.h"
#include "delivery/pipeline/signed.h"
#include "store/digest.h"
#include "store/objects.h"

#define ZIP_BYTES_MAX ((size_t)256 << 20) /* Lambda takes 250 MB, unpacked */
#define UPDATE_LOOKS_MAX 600
#define UPDATE_LOOK_MS 100

static struct px_str base64_of(struct px_arena *arena, struct px_str hex)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    char bytes[32] = {0};
    px_buf_init(&text, 64);
    for (size_t i = 0; i < hex.len && i < 2 * sizeof bytes; i++) {
        char c = hex.ptr[i];
        int digit = c >= 'a' ? c - 'a' + 10 : c - '0';
        bytes[i / 2] = (char)(bytes[i / 2] << 4 | digit);
    }
    px_buf_add_base64(&text, px_str(bytes, sizeof bytes));
    return px_buf_fault(&text) ? (struct px_str){0} : px_arena_dup(arena, px_buf_str(&text));
}

static struct px_str code_of(struct px_arena *arena, yyjson_val *artifact)
{
    struct px_str hex = px_json_str(artifact, "sha256");
    if (!digest_is_hex(hex)) return S("");
    return px_str_eq(px_json_str(artifact, "kind"), S("zip")) ? base64_of(arena, hex) : hex;
}

/* Where a ZIP was signed for the region, its functions may run the signed copy. */
static int add_signed(const struct action_context *ctx, struct px_str name, yyjson_val *artifact,
                      struct release_codes *codes)
{
    const struct deployed_shelf shelf = deployed_shelf_of(ctx);
    const struct signed_zip zip = {ctx->environment, ctx->region, name,
                                   px_json_str(artifact, "sha256")};
    struct signed_copy copy;
    if (ctx->region.len == 0 || !px_str_eq(px_json_str(artifact, "kind"), S("zip"))) return 0;
    int r = signed_read(&shelf, &zip, ctx->arena, &copy);
    if (r < 0) return px_fold(r, __FILE__, __LINE__);
    if (r > 0 || copy.sha256.len == 0) return 0;
    codes->items[codes->count] = base64_of(ctx->arena, copy.sha256);
    return codes->items[codes->count++].ptr ? 0 : px_arena_fault(ctx->arena);
}

int release_codes(const struct action_context *ctx, struct release_codes *ret_codes)
{
    size_t i, max;
    yyjson_val *key, *val, *artifacts = px_json_obj(ctx->release.document, "artifacts");
    struct release_codes codes = {0};
    if (artifacts) {
        codes.items = px_arena_array(ctx->arena, struct px_str, 2 * yyjson_obj_size(artifacts) + 1);
        if (!codes.items) return px_arena_fault(ctx->arena);
    }
    px_json_obj_foreach(artifacts, i, max, key, val)
    {
        codes.items[codes.count] = code_of(ctx->arena, val);
        if (!codes.items[codes.count++].ptr) return px_arena_fault(ctx->arena);
        PX_TRY(add_signed(ctx, px_json_val_str(key), val, &codes));
    }
    *ret_codes = codes;
    return 0;
}

static bool is_of(const struct release_codes *codes, struct px_str sha256)
{
    for (size_t i = 0; i < codes->count; i++)
        if (codes->items[i].len > 0 && px_str_eq(codes->items[i], sha256)) return true;
    return false;
}

int64_t release_version(const struct release_codes *codes, const struct target_version *versions,
                        size_t count)
{
    for (size_t i = count; i-- > 0;)
        if (is_of(codes, versions[i].sha256)) return versions[i].number;
    return count > 0 ? versions[count - 1].number : 0;
}

/* ---- publishing ---- */

struct publishing {
    const struct action_context *ctx;
    struct rollout_target *target;
    struct object_store *store;
};

static void deinit(struct publishing *p) { object_store_close(&p->store); }

static int refused(const struct publishing *p, struct px_str name, int r)
{
    return r > 0
               ? action_fail(p->ctx, ACTION_FAILED, "%.*s: %s", PX_FMT(name), target_why(p->target))
               : r;
}

/* The ZIP as a file of this step. */
static int fetch(struct publishing *p, struct px_str name, yyjson_val *artifact,
                 struct px_str *ret_path)
{
    PX_AUTO(px_buf_deinit) struct px_buf bytes;
    const struct action_context *ctx = p->ctx;
    struct px_str key = release_key(ctx->arena, name, artifact), prefix;
    struct px_str path = px_arena_printf(ctx->arena, "%s/%.*s.zip", ctx->work_dir, PX_FMT(name));
    px_buf_init(&bytes, ZIP_BYTES_MAX);
    if (!key.ptr || !path.ptr) return px_arena_fault(ctx->arena);
    if (!p->store)
        PX_TRY(release_open(ctx->release.place, ctx->cloud, ctx->arena, &p->store, &prefix));
    int r = release_get(ctx, p->store, key, px_json_str(artifact, "sha256"), &bytes);
    if (r != 0) return r;
    PX_TRY(px_file_write_atomic(path.ptr, px_buf_str(&bytes), 0600));
    *ret_path = path;
    return 0;
}

static int hand_over(struct publishing *p, struct px_str name, yyjson_val *artifact)
{
    struct px_arena *arena = p->ctx->arena;
    struct target_code code = {.bucket = S("file")};
    struct target_function function = {.updating = true};
    int r = fetch(p, name, artifact, &code.key);
    if (r != 0) return r;
    r = target_update(p->target, name, &code, arena);
    for (int i = 0; r == 0 && function.updating; i++) {
        if (action_cancelled(p->ctx)) return ACTION_CANCELLED;
        if (i == UPDATE_LOOKS_MAX)
            return action_fail(p->ctx, ACTION_FAILED, "%.*s: its code was not taken in",
                               PX_FMT(name));
        if (i > 0) action_pause(p->ctx, UPDATE_LOOK_MS);
        r = target_function(p->target, name, arena, &function);
    }
    return r != 0 ? refused(p, name, r) : 0;
}

static int publish(struct publishing *p, struct px_str name, yyjson_val *artifact)
{
    struct px_arena *arena = p->ctx->arena;
    struct target_version *versions = NULL;
    struct target_function function;
    struct px_str wanted = code_of(arena, artifact);
    size_t count = 0;
    int64_t number;
    if (!wanted.ptr) return px_arena_fault(arena);
    int r = target_function(p->target, name, arena, &function);
    if (r == TARGET_ABSENT) return 0; /* a region of one machine has not all functions */
    if (r == 0) r = target_versions(p->target, name, arena, &versions, &count);
    if (r != 0) return refused(p, name, r);
    for (size_t i = 0; i < count; i++)
        if (px_str_eq(versions[i].sha256, wanted)) return 0;
    if (!px_str_eq(function.sha256, wanted)) {
        r = hand_over(p, name, artifact);
        if (r != 0) return r;
    }
    action_say(p->ctx, "%.*s: its code becomes a version", PX_FMT(name));
    r = target_publish(p->target, name, wanted, arena, &number);
    return r != 0 ? refused(p, name, r) : 0;
}

int release_publish(const struct action_context *ctx, struct rollout_target *target)
{
    PX_AUTO(deinit) struct publishing p = {.ctx = ctx, .target = target};
    size_t i, max;
    yyjson_val *key, *val, *artifacts = px_json_obj(ctx->release.document, "artifacts");
    if (!artifacts)
        return action_fail(
            ctx, ACTION_REFUSED,
            "there is no release to publish; a step `release` makes one, or give --release");
    px_json_obj_foreach(artifacts, i, max, key, val)
    {
        if (!px_str_eq(px_json_str(val, "kind"), S("zip"))) continue;
        int r = publish(&p, px_json_val_str(key), val);
        if (r != 0) return r;
    }
    return 0;
}
