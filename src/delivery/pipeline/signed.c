/* delivery/pipeline/signed.c - see signed.h. */
#include "delivery/pipeline/signed.h"

#include <stdio.h>

#include "base/px_json.h"
#include "store/digest.h"
#include "store/objects.h"

#define RECORD_BYTES_MAX ((size_t)16 << 10)
#define TFVARS_BYTES_MAX ((size_t)16 << 20)

/* ---- records ---- */

static struct px_str key_of(const struct signed_zip *zip, struct px_arena *arena)
{
    return px_arena_printf(arena, "signed/%.*s/%.*s/%.*s/%.*s.json", PX_FMT(zip->environment),
                           PX_FMT(zip->region), PX_FMT(zip->name), PX_FMT(zip->sha256));
}

int signed_read(const struct deployed_shelf *shelf, const struct signed_zip *zip,
                struct px_arena *arena, struct signed_copy *ret_copy)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    yyjson_val *root = NULL;
    struct px_str key = key_of(zip, arena);
    px_buf_init(&text, RECORD_BYTES_MAX);
    if (!key.ptr) return px_arena_fault(arena);
    int r = shelf->get(shelf->ctx, key, &text);
    if (r == OBJECT_ABSENT) return SIGNED_ABSENT;
    if (r < 0) return px_fold(r, __FILE__, __LINE__);
    if (r == 0) r = px_json_parse(px_buf_str(&text), arena, &root, NULL);
    if (r < 0) return px_fold(r, __FILE__, __LINE__);
    struct signed_copy copy = {.profile_version = px_json_str(root, "profile_version"),
                               .job = px_json_str(root, "job"),
                               .sha256 = px_json_str(root, "signed_sha256"),
                               .failed = px_json_str(root, "failed")};
    if (r > 0 || (copy.failed.len == 0 && !digest_is_hex(copy.sha256)))
        return px_fault(PX_F_CORRUPT, "%.*s in the pipeline's store", PX_FMT(key));
    *ret_copy = copy;
    return 0;
}

static void add_text(struct px_buf *buf, const char *before, struct px_str value)
{
    if (value.len == 0) return;
    px_buf_add_c(buf, before);
    px_buf_add_json_str(buf, value);
}

int signed_write(const struct deployed_shelf *shelf, const struct signed_zip *zip,
                 const struct signed_copy *copy)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    PX_ASSERT(copy->failed.len > 0 || digest_is_hex(copy->sha256));
    px_arena_init(&arena, RECORD_BYTES_MAX);
    px_buf_init(&text, RECORD_BYTES_MAX);
    struct px_str key = key_of(zip, &arena);
    if (!key.ptr) return px_arena_fault(&arena);
    px_buf_add_c(&text, "{\"profile_version\":");
    px_buf_add_json_str(&text, copy->profile_version);
    add_text(&text, ",\"job\":", copy->job);
    add_text(&text, ",\"signed_sha256\":", copy->sha256);
    add_text(&text, ",\"failed\":", copy->failed);
    px_buf_add_c(&text, "}\n");
    PX_TRY(px_buf_fault(&text));
    return shelf->put(shelf->ctx, key, px_buf_str(&text));
}

/* ---- who wants it ---- */

int signed_is_wanted(const char *tfvars, struct px_arena *arena, bool *ret_wanted)
{
    yyjson_val *root = NULL;
    PX_TRY(px_json_load(tfvars, TFVARS_BYTES_MAX, arena, &root));
    *ret_wanted = px_json_bool(root, "code_signing", true);
    return 0;
}

/* An artifact with another digest. */
static void add_artifact(struct px_buf *buf, yyjson_val *artifact, struct px_str sha256)
{
    size_t i, max;
    yyjson_val *key, *val;
    char sep = '{';
    yyjson_obj_foreach(artifact, i, max, key, val)
    {
        px_buf_add_char(buf, sep);
        px_buf_add_json(buf, key);
        px_buf_add_char(buf, ':');
        if (px_str_eq(px_json_val_str(key), S("sha256")))
            px_buf_add_json_str(buf, sha256);
        else
            px_buf_add_json(buf, val);
        sep = ',';
    }
    px_buf_add_char(buf, '}');
}

int signed_artifacts(const struct deployed_shelf *shelf, struct px_str environment,
                     struct px_str region, yyjson_val *artifacts, struct px_arena *arena,
                     struct px_buf *buf, struct px_str *ret_missing)
{
    size_t i, max;
    yyjson_val *key, *val;
    char sep = '{';
    px_json_obj_foreach(artifacts, i, max, key, val)
    {
        struct signed_zip zip = {environment, region, px_json_val_str(key),
                                 px_json_str(val, "sha256")};
        struct signed_copy copy = {.sha256 = zip.sha256};
        bool is_zip = px_str_eq(px_json_str(val, "kind"), S("zip"));
        int r = is_zip ? signed_read(shelf, &zip, arena, &copy) : 0;
        if (r < 0) return px_fold(r, __FILE__, __LINE__);
        if (r > 0 || copy.sha256.len == 0) {
            *ret_missing = zip.name;
            return SIGNED_ABSENT;
        }
        px_buf_add_char(buf, sep);
        px_buf_add_json(buf, key);
        px_buf_add_char(buf, ':');
        add_artifact(buf, val, copy.sha256);
        sep = ',';
    }
    px_buf_add_c(buf, sep == '{' ? "{}" : "}");
    return px_buf_fault(buf);
}
