/* delivery/pipeline/action_release.c - action `release`: what `prism package` left becomes a release.
 *
 * The time of its making is the step's first beginning, so that a step that is run again makes the same release. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_json.h"
#include "delivery/pipeline/builtin.h"
#include "delivery/pipeline/exec.h"
#include "delivery/pipeline/release.h"
#include "delivery/pipeline/release_machines.h"
#include "delivery/pipeline/signature.h"
#include "store/digest.h"
#include "store/secrets.h"

#define TEXT_BYTES_MAX (1u << 20)
#define GIT_S_MAX 60

struct making {
    struct action_context *ctx;
    const char *dir, *platform;
    yyjson_val *artifacts;
    struct px_str source, key_variable, machines;
    bool is_signed;
    char platform_sha256[DIGEST_HEX_BYTES], config_sha256[DIGEST_HEX_BYTES];
};

static int below_root(struct action_context *ctx, struct px_str path, const char **ret_path)
{
    bool absolute = path.len > 0 && path.ptr[0] == '/';
    struct px_str whole = absolute
                              ? path
                              : px_arena_printf(ctx->arena, "%s/%.*s", ctx->root, PX_FMT(path));
    const char *copy = whole.ptr ? px_arena_cstr(ctx->arena, whole) : NULL;
    if (!copy) return px_arena_fault(ctx->arena);
    *ret_path = copy;
    return 0;
}

/* ---- artifacts ---- */

static int check_artifact(struct making *m, struct px_str name, yyjson_val *artifact)
{
    char hash[DIGEST_HEX_BYTES];
    struct px_str key = release_key(m->ctx->arena, name, artifact);
    struct px_str path = px_arena_printf(m->ctx->arena, "%s/%.*s", m->dir, PX_FMT(key));
    if (!key.ptr || !path.ptr) return px_arena_fault(m->ctx->arena);
    if (access(path.ptr, R_OK) != 0)
        return action_fail(m->ctx, ACTION_REFUSED, "%s: %m; package again", path.ptr);
    PX_TRY(digest_of_file(path.ptr, hash));
    if (px_str_eq(px_str_c(hash), px_json_str(artifact, "sha256"))) return 0;
    return action_fail(
        m->ctx, ACTION_REFUSED,
        "%s has the digest %s and not the one that its packaging printed; package again", path.ptr,
        hash);
}

static int read_artifacts(struct making *m)
{
    size_t i, max;
    yyjson_val *root = NULL, *key, *val;
    struct px_str path = px_arena_printf(m->ctx->arena, "%s/artifacts.tfvars.json", m->dir);
    if (!path.ptr) return px_arena_fault(m->ctx->arena);
    if (access(path.ptr, R_OK) != 0)
        return action_fail(m->ctx, ACTION_REFUSED, "%s: %m; prism package makes it", path.ptr);
    PX_TRY(px_json_load(path.ptr, TEXT_BYTES_MAX, m->ctx->arena, &root));
    m->artifacts = px_json_obj(root, "artifacts");
    if (!m->artifacts || yyjson_obj_size(m->artifacts) == 0)
        return action_fail(m->ctx, ACTION_REFUSED, "%s names no artifacts", path.ptr);
    yyjson_obj_foreach(m->artifacts, i, max, key, val)
    {
        int r = check_artifact(m, px_json_val_str(key), val);
        if (r != 0) return r;
    }
    return 0;
}

/* ---- where it comes from ---- */

static void on_output(void *ctx, struct px_str piece, bool is_error)
{
    if (!is_error) px_buf_add_str(ctx, piece);
}

static int ask_git(struct making *m)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    char path[4096], home[4096];
    struct exec_result ended;
    (void)snprintf(path, sizeof path, "PATH=%s",
                   getenv("PATH") ? getenv("PATH") : "/usr/local/bin:/usr/bin:/bin");
    (void)snprintf(home, sizeof home, "HOME=%s", getenv("HOME") ? getenv("HOME") : "/");
    static const char *const argv[] = {"git",         "describe",    "--always", "--dirty",
                                       "--abbrev=40", "--exclude=*", NULL};
    const char *const env[] = {path, home, NULL};
    px_buf_init(&text, 4096);
    const struct exec_options options = {
        .argv = argv,
        .env = env,
        .dir = m->ctx->root,
        .clock = m->ctx->clock,
        .deadline_ns = PX_MIN(m->ctx->deadline_ns,
                              px_mono_ns(m->ctx->clock) + GIT_S_MAX * PX_NS_PER_S),
        .on_output = on_output,
        .ctx = &text};
    int r = exec_run(&options, &ended);
    struct px_str commit = px_str_trim(px_buf_str(&text));
    if (r != 0 || ended.ending != EXEC_EXITED || ended.code != 0 || commit.len == 0)
        return action_fail(m->ctx, ACTION_REFUSED,
                           "git does not tell which commit %s is; give `source`", m->ctx->root);
    m->source = px_arena_dup(m->ctx->arena, commit);
    return m->source.ptr ? 0 : px_arena_fault(m->ctx->arena);
}

/* ---- the document ---- */

static void write_document(const struct making *m, const char *id, struct px_buf *json)
{
    char created[32];
    const struct action_table *table = m->ctx->table;
    (void)px_time_format(m->ctx->began_ns, 0, created);
    px_buf_add_char(json, '{');
    if (id) px_buf_printf(json, "\"release\":\"%s\",", id);
    px_buf_add_c(json, "\"source\":");
    px_buf_add_json_str(json, m->source);
    px_buf_printf(json, ",\"created\":\"%s\",\"artifacts\":", created);
    px_buf_add_json(json, m->artifacts);
    px_buf_printf(json, ",\"platform_sha256\":\"%s\",\"config_sha256\":\"%s\",\"machines\":%.*s",
                  m->platform_sha256, m->config_sha256, PX_FMT(m->machines));
    px_buf_printf(
        json,
        ",\"schema\":{\"expands_to\":%lld,\"contracts_to\":%lld,\"needs\":%lld,\"floor\":%lld}}",
        (long long)table->schema_expands_to, (long long)table->schema_contracts_to,
        (long long)table->schema_needs, (long long)table->schema_floor);
}

/* Beside release.json; one of before is gone, for it is another release's. */
static int sign(struct making *m, struct px_str document)
{
    struct px_str pem = {0}, text = {0};
    struct px_str path = px_arena_printf(m->ctx->arena, "%s/" SIGNATURE_FILE, m->dir);
    if (!path.ptr) return px_arena_fault(m->ctx->arena);
    (void)unlink(path.ptr);
    if (m->key_variable.len == 0) return 0;
    int r = signature_private_key(m->ctx, m->key_variable, &pem);
    if (r != 0 || pem.len == 0) return r;
    r = signature_make(pem, document, m->ctx->arena, &text);
    secret_wipe(pem);
    if (r == SIGNATURE_WRONG)
        return action_fail(m->ctx, ACTION_REFUSED,
                           "what %.*s leads to is no private key of Ed25519",
                           PX_FMT(m->key_variable));
    PX_TRY(r);
    m->is_signed = true;
    return px_file_write_atomic(path.ptr, text, 0644);
}

static int write_release(struct making *m, yyjson_val **ret_result)
{
    PX_AUTO(px_buf_deinit) struct px_buf json, result;
    yyjson_val *document = NULL;
    char id[13];
    struct px_str path = px_arena_printf(m->ctx->arena, "%s/release.json", m->dir);
    px_buf_init(&json, TEXT_BYTES_MAX);
    px_buf_init(&result, 2 * TEXT_BYTES_MAX);
    write_document(m, NULL, &json);
    PX_TRY(px_buf_fault(&json));
    PX_TRY(px_json_parse(px_buf_str(&json), m->ctx->arena, &document, NULL));
    PX_TRY(release_id(document, id));
    px_buf_clear(&json);
    write_document(m, id, &json);
    PX_TRY(px_buf_fault(&json));
    if (!path.ptr) return px_arena_fault(m->ctx->arena);
    int r = sign(m, px_buf_str(&json));
    if (r != 0) return r;
    PX_TRY(px_file_write_atomic(path.ptr, px_buf_str(&json), 0644));
    px_buf_printf(
        &result,
        "{\"summary\":\"release %s of %zu artifacts%s\",\"release\":{\"id\":\"%s\",\"place\":", id,
        yyjson_obj_size(m->artifacts), m->is_signed ? ", signed" : "", id);
    px_buf_add_json_str(&result, px_str_c(m->dir));
    px_buf_printf(&result, ",\"document\":%.*s}}", PX_FMT(px_buf_str(&json)));
    PX_TRY(action_result(m->ctx, &result, ret_result));
    return 0;
}

static int digests(struct making *m)
{
    PX_AUTO(px_buf_deinit) struct px_buf machines;
    struct px_str config = px_arena_printf(m->ctx->arena, "%s/environments", m->platform);
    px_buf_init(&machines, TEXT_BYTES_MAX);
    if (!config.ptr) return px_arena_fault(m->ctx->arena);
    PX_TRY(release_digest_tree(m->platform, "environments", m->platform_sha256));
    PX_TRY(release_digest_tree(config.ptr, NULL, m->config_sha256));
    PX_TRY(release_machines_write(m->platform, &machines));
    m->machines = px_arena_dup(m->ctx->arena, px_buf_str(&machines));
    return m->machines.ptr ? 0 : px_arena_fault(m->ctx->arena);
}

static int run(struct action_context *ctx, yyjson_val *with, yyjson_val **ret_result)
{
    struct making m = {.ctx = ctx,
                       .source = px_json_str(with, "source"),
                       .key_variable = px_json_str(with, "key_variable")};
    struct px_str platform = px_json_str(with, "platform");
    PX_TRY(below_root(ctx, px_json_str(with, "package"), &m.dir));
    PX_TRY(below_root(ctx, platform.len > 0 ? platform : S("platform"), &m.platform));
    int r = read_artifacts(&m);
    if (r == 0 && m.source.len == 0) r = ask_git(&m);
    if (r != 0) return r;
    PX_TRY(digests(&m));
    PX_TRY(write_release(&m, ret_result));
    return 0;
}

static const struct action_field fields[] = {
    {"package", ACTION_TEXT, true, 0, 0, NULL},   /* the folder that prism package left */
    {"source", ACTION_TEXT, false, 0, 0, NULL},   /* the commit; else git is asked */
    {"platform", ACTION_TEXT, false, 0, 0, NULL}, /* default platform */
    {"key_variable", ACTION_TEXT, false, 0, 0,
     NULL}, /* name of a variable that leads to the key it is signed with; not set: it is not signed */
};
const struct action action_release = {
    .name = "release",
    .summary = "make a release of what was packaged",
    ACTION_FIELDS(fields),
    .run = run,
    .can_be_skipped = true,
};
