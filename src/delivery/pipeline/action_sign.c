/* delivery/pipeline/action_sign.c - action `sign`: AWS Signer signs the release's ZIPs for a region whose functions take no others.
 *
 *   waiting   the ZIP has come to the region's bucket: functions/<name>/<sha256>.zip, with the digest that was released
 *   job       Signer writes a signed copy to signed/<name>/<sha256>-<job>.zip
 *   placed    the copy lies where functions are deployed from, under its own digest: functions/<name>/<signed sha256>.zip
 *   recorded  signed.h ties both digests; from now on nothing more is done for this ZIP
 *
 * Each is found out anew when the step is run again. A job's token is made of what is signed, so that the job that was started before is
 * the one that is got; a job that failed is part of it, so that another attempt is another job. The copy's key names what it holds, and the
 * bucket lets nobody replace it.
 *
 * Where `code_signing` of the region's variables is false nothing is done, and nothing is asked of AWS. */
#include "base/px_json.h"
#include "delivery/pipeline/builtin.h"
#include "delivery/pipeline/release.h"
#include "delivery/pipeline/signed.h"
#include "delivery/pipeline/signer.h"
#include "store/digest.h"
#include "store/objects.h"

#define ZIP_BYTES_MAX ((size_t)256 << 20) /* Lambda takes 250 MB, unpacked */
#define ZIPS_MAX 64
#define TOKEN_BYTES 32
#define EVERY_S 2

static const struct action_field fields[] = {
    {"config", ACTION_TEXT, true, 0, 0, NULL},    /* folder of rendered variables */
    {"parameter", ACTION_TEXT, true, 0, 0, NULL}, /* that infra/global published in the region */
    {"every_s", ACTION_NUMBER, false, 1, 600, NULL},
};

struct zip {
    struct signed_zip of;
    struct signed_copy copy; /* copy.sha256 empty: not signed yet */
    struct px_str job;
};
struct signing {
    struct action_context *ctx;
    struct deployed_shelf shelf;
    struct signer *signer;
    struct signer_place place;
    struct object_store *store; /* the region's bucket */
    int64_t every_ms;
    struct zip zips[ZIPS_MAX];
    size_t count, jobs;
};

static void deinit(struct signing *s)
{
    object_store_close(&s->store);
    signer_close(&s->signer);
}

static int refused(struct signing *s, struct px_str name, int r)
{
    return r > 0
               ? action_fail(s->ctx, ACTION_FAILED, "%.*s: %s", PX_FMT(name), signer_why(s->signer))
               : r;
}

static int wait_on(struct signing *s, const struct zip *zip, const char *what)
{
    if (action_cancelled(s->ctx)) return ACTION_CANCELLED;
    if (action_late(s->ctx))
        return action_fail(s->ctx, ACTION_FAILED, "%.*s: %s did not come in time",
                           PX_FMT(zip->of.name), what);
    action_say(s->ctx, "%.*s: waiting for %s", PX_FMT(zip->of.name), what);
    action_pause(s->ctx, s->every_ms);
    return 0;
}

/* ---- what is signed ---- */

static struct px_str key_of(struct signing *s, const struct zip *zip, struct px_str sha256)
{
    return px_arena_printf(s->ctx->arena, "functions/%.*s/%.*s.zip", PX_FMT(zip->of.name),
                           PX_FMT(sha256));
}

/* Replication brings it from the home region. Answers: ACTION_REFUSED and others, said. */
static int find_source(struct signing *s, const struct zip *zip, struct px_str key,
                       struct px_str *ret_version)
{
    PX_AUTO(px_buf_deinit) struct px_buf bytes;
    struct object_info info;
    char hash[DIGEST_HEX_BYTES];
    px_buf_init(&bytes, ZIP_BYTES_MAX);
    int r;
    while ((r = object_head(s->store, key, s->ctx->arena, &info)) == OBJECT_ABSENT) {
        r = wait_on(s, zip, "its ZIP in the region's bucket");
        if (r != 0) return r;
    }
    PX_TRY(r);
    if (info.version.len == 0)
        return action_fail(s->ctx, ACTION_REFUSED, "%.*s keeps no versions, which AWS Signer needs",
                           PX_FMT(s->place.bucket));
    r = object_get(s->store, key, &bytes);
    if (r > 0)
        return action_fail(s->ctx, ACTION_REFUSED, "%.*s: %.*s is gone or too large",
                           PX_FMT(s->place.bucket), PX_FMT(key));
    PX_TRY(r);
    digest_of(px_buf_str(&bytes), hash);
    if (!px_str_eq(px_str_c(hash), zip->of.sha256))
        return action_fail(s->ctx, ACTION_REFUSED,
                           "%.*s: %.*s is not what was released: its digest is %s",
                           PX_FMT(s->place.bucket), PX_FMT(key), hash);
    *ret_version = info.version;
    return 0;
}

static int note_job(struct signing *s, const struct zip *zip)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 4096);
    px_buf_add_c(&json, "{\"about\":\"signing\",\"function\":");
    px_buf_add_json_str(&json, zip->of.name);
    px_buf_printf(&json, ",\"sha256\":\"%.*s\",\"job\":", PX_FMT(zip->of.sha256));
    px_buf_add_json_str(&json, zip->job);
    px_buf_add_char(&json, '}');
    PX_TRY(px_buf_fault(&json));
    return action_note(s->ctx, px_buf_str(&json));
}

static int start_job(struct signing *s, struct zip *zip)
{
    struct px_arena *arena = s->ctx->arena;
    char hash[DIGEST_HEX_BYTES];
    struct signer_job job = {.place = &s->place, .key = key_of(s, zip, zip->of.sha256)};
    if (!job.key.ptr) return px_arena_fault(arena);
    int r = find_source(s, zip, job.key, &job.version);
    if (r != 0) return r;
    struct px_str what = px_arena_printf(
        arena, "%.*s\n%.*s\n%.*s\n%.*s\n%.*s", PX_FMT(s->place.profile_version),
        PX_FMT(s->place.bucket), PX_FMT(job.key), PX_FMT(job.version), PX_FMT(zip->copy.failed));
    job.prefix = px_arena_printf(arena, "signed/%.*s/%.*s-", PX_FMT(zip->of.name),
                                 PX_FMT(zip->of.sha256));
    if (!what.ptr || !job.prefix.ptr) return px_arena_fault(arena);
    digest_of(what, hash);
    job.token = px_str(hash, TOKEN_BYTES);
    r = signer_start(s->signer, &job, arena, &zip->job);
    if (r != 0) return refused(s, zip->of.name, r);
    s->jobs++;
    return note_job(s, zip);
}

/* ---- what came of it ---- */

static int job_failed(struct signing *s, struct zip *zip, struct px_str reason)
{
    const struct signed_copy copy = {.profile_version = s->place.profile_version,
                                     .failed = zip->job};
    PX_TRY(signed_write(&s->shelf, &zip->of, &copy));
    return action_fail(s->ctx, ACTION_FAILED, "%.*s: job %.*s of AWS Signer failed: %.*s",
                       PX_FMT(zip->of.name), PX_FMT(zip->job), PX_FMT(reason));
}

static int await_job(struct signing *s, struct zip *zip, struct signer_look *ret_look)
{
    for (;;) {
        int r = signer_look(s->signer, zip->job, s->ctx->arena, ret_look);
        if (r != 0) return refused(s, zip->of.name, r);
        if (ret_look->state == SIGNER_DONE) return 0;
        if (ret_look->state == SIGNER_FAILED) return job_failed(s, zip, ret_look->reason);
        r = wait_on(s, zip, "AWS Signer");
        if (r != 0) return r;
    }
}

/* A signature of another version of the profile would be refused by Lambda, later and for all functions. */
static int check_job(struct signing *s, const struct zip *zip, const struct signer_look *look)
{
    struct px_str version = look->profile_version;
    if (!px_str_eq(look->bucket, s->place.bucket))
        return action_fail(s->ctx, ACTION_REFUSED, "%.*s: AWS Signer wrote to bucket %.*s",
                           PX_FMT(zip->of.name), PX_FMT(look->bucket));
    if (version.len == 0 || px_str_ends(s->place.profile_version, version)) return 0;
    return action_fail(s->ctx, ACTION_REFUSED,
                       "%.*s: signed by version %.*s of profile %.*s, and the region takes %.*s: "
                       "apply infra/global first",
                       PX_FMT(zip->of.name), PX_FMT(version), PX_FMT(s->place.profile),
                       PX_FMT(s->place.profile_version));
}

static int place_copy(struct signing *s, struct zip *zip, struct px_str signed_key)
{
    PX_AUTO(px_buf_deinit) struct px_buf bytes;
    struct action_context *ctx = s->ctx;
    char hash[DIGEST_HEX_BYTES];
    px_buf_init(&bytes, ZIP_BYTES_MAX);
    int r = object_get(s->store, signed_key, &bytes);
    if (r > 0) return job_failed(s, zip, S("its copy is gone, or too large"));
    PX_TRY(r);
    digest_of(px_buf_str(&bytes), hash);
    if (px_str_eq(px_str_c(hash), zip->of.sha256))
        return action_fail(ctx, ACTION_REFUSED, "%.*s: AWS Signer's copy %.*s is not signed",
                           PX_FMT(zip->of.name), PX_FMT(signed_key));
    zip->copy.sha256 = px_arena_dup(ctx->arena, px_str_c(hash));
    struct px_str key = key_of(s, zip, zip->copy.sha256);
    if (!zip->copy.sha256.ptr || !key.ptr) return px_arena_fault(ctx->arena);
    return release_put_new(ctx, s->store, key, px_buf_str(&bytes));
}

static int finish(struct signing *s, struct zip *zip)
{
    struct signer_look look;
    int r = await_job(s, zip, &look);
    if (r == 0) r = check_job(s, zip, &look);
    if (r == 0) r = place_copy(s, zip, look.key);
    if (r != 0) return r;
    zip->copy.profile_version = s->place.profile_version;
    zip->copy.job = zip->job;
    zip->copy.failed = S("");
    return signed_write(&s->shelf, &zip->of, &zip->copy);
}

/* ---- all of them ---- */

/* A copy that another version of the profile signed is none any more, nor one whose object is gone: another job makes another. */
static int look_up(struct signing *s, struct zip *zip)
{
    struct object_info info;
    int r = signed_read(&s->shelf, &zip->of, s->ctx->arena, &zip->copy);
    if (r < 0) return px_fold(r, __FILE__, __LINE__);
    if (zip->copy.sha256.len == 0) return 0;
    bool stands = px_str_eq(zip->copy.profile_version, s->place.profile_version);
    if (stands) {
        struct px_str key = key_of(s, zip, zip->copy.sha256);
        if (!key.ptr) return px_arena_fault(s->ctx->arena);
        r = object_head(s->store, key, s->ctx->arena, &info);
        if (r < 0) return px_fold(r, __FILE__, __LINE__);
    }
    if (!stands || r > 0) zip->copy = (struct signed_copy){.failed = zip->copy.job};
    return 0;
}

static int gather(struct signing *s)
{
    const struct action_context *ctx = s->ctx;
    size_t i, max;
    yyjson_val *key, *val, *artifacts = px_json_obj(ctx->release.document, "artifacts");
    px_json_obj_foreach(artifacts, i, max, key, val)
    {
        if (!px_str_eq(px_json_str(val, "kind"), S("zip"))) continue;
        if (s->count == ZIPS_MAX)
            return px_fault(PX_F_LIMIT, "a release of more than %d ZIPs", ZIPS_MAX);
        s->zips[s->count++].of = (struct signed_zip){
            ctx->environment, ctx->region, px_json_val_str(key), px_json_str(val, "sha256")};
    }
    return 0;
}

/* Jobs run side by side: all are started before the first is waited for. */
static int sign_all(struct signing *s)
{
    int r = gather(s);
    for (size_t i = 0; r == 0 && i < s->count; i++) {
        r = look_up(s, &s->zips[i]);
        if (r == 0 && s->zips[i].copy.sha256.len == 0) r = start_job(s, &s->zips[i]);
    }
    for (size_t i = 0; r == 0 && i < s->count; i++)
        if (s->zips[i].copy.sha256.len == 0) r = finish(s, &s->zips[i]);
    return r;
}

static int open_place(struct signing *s, struct px_str parameter)
{
    struct action_context *ctx = s->ctx;
    const struct object_options options = {.cloud = ctx->cloud};
    PX_TRY(signer_open(ctx->cloud, ctx->region, &s->signer));
    int r = signer_place_read(s->signer, parameter, ctx->arena, &s->place);
    if (r != 0) return refused(s, ctx->region, r);
    struct px_str url = px_arena_printf(ctx->arena, "s3://%.*s?region=%.*s",
                                        PX_FMT(s->place.bucket), PX_FMT(ctx->region));
    if (!url.ptr) return px_arena_fault(ctx->arena);
    PX_TRY(object_store_open(url, &options, &s->store));
    return 0;
}

static int give_result(struct signing *s, yyjson_val **ret_result)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 1u << 20);
    px_buf_printf(
        &json, "{\"summary\":\"%zu of %zu ZIPs were signed now\",\"jobs\":%zu,\"signed\":", s->jobs,
        s->count, s->jobs);
    for (size_t i = 0; i < s->count; i++) {
        const struct zip *zip = &s->zips[i];
        px_buf_add_char(&json, i == 0 ? '{' : ',');
        px_buf_add_json_str(&json, zip->of.name);
        px_buf_printf(&json, ":{\"sha256\":\"%.*s\",\"signed_sha256\":\"%.*s\",\"job\":",
                      PX_FMT(zip->of.sha256), PX_FMT(zip->copy.sha256));
        px_buf_add_json_str(&json, zip->copy.job);
        px_buf_add_char(&json, '}');
    }
    px_buf_add_c(&json, s->count == 0 ? "{}}" : "}}");
    PX_TRY(px_buf_fault(&json));
    return action_result(s->ctx, &json, ret_result);
}

static int is_wanted(struct action_context *ctx, yyjson_val *with, bool *ret_wanted)
{
    struct px_str config = px_json_str(with, "config");
    bool whole = config.ptr[0] == '/';
    struct px_str file = px_arena_printf(ctx->arena, "%s%s%.*s/%.*s.tfvars.json",
                                         whole ? "" : ctx->root, whole ? "" : "/", PX_FMT(config),
                                         PX_FMT(ctx->region));
    if (!file.ptr) return px_arena_fault(ctx->arena);
    return signed_is_wanted(file.ptr, ctx->arena, ret_wanted);
}

static int run(struct action_context *ctx, yyjson_val *with, yyjson_val **ret_result)
{
    PX_AUTO(deinit)
    struct signing s = {.ctx = ctx,
                        .shelf = deployed_shelf_of(ctx),
                        .every_ms = px_json_i64(with, "every_s", EVERY_S) * 1000};
    PX_AUTO(px_buf_deinit) struct px_buf skipped;
    bool wanted = true;
    px_buf_init(&skipped, 256);
    if (ctx->region.len == 0)
        return action_fail(ctx, ACTION_REFUSED, "sign is for steps of a wave (region_steps)");
    if (ctx->release.id.len == 0)
        return action_fail(
            ctx, ACTION_REFUSED,
            "there is no release yet; a step `release` makes one, or give --release");
    PX_TRY(is_wanted(ctx, with, &wanted));
    px_buf_add_c(&skipped, "{\"skipped\":\"code_signing is off\"}");
    if (!wanted) return action_result(ctx, &skipped, ret_result);
    int r = open_place(&s, px_json_str(with, "parameter"));
    if (r == 0) r = sign_all(&s);
    return r == 0 ? give_result(&s, ret_result) : r;
}

const struct action action_sign = {
    .name = "sign",
    .summary = "have AWS Signer sign the release's ZIPs for a region that takes no others",
    ACTION_FIELDS(fields),
    .run = run,
};
