/* region/versions_api_code.c - a function's code and the versions that are made of it. */
#include <aws/common/encoding.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/px_id.h"
#include "region/versions_api.h"

static void add_time(struct px_buf *buf, int64_t ns)
{
    char when[40];
    px_buf_printf(buf, "\"%.*s\"", PX_FMT(px_time_format(ns, 3, when)));
}

static void add_digest(struct px_buf *buf, const char *hex)
{
    unsigned char bytes[(VERSION_DIGEST_BYTES - 1) / 2];
    if (px_unhex(px_str_c(hex), bytes, sizeof bytes))
        px_buf_add_base64(buf, px_str((const char *)bytes, sizeof bytes));
}

/* The newest code's revision is the code. */
static void revision_of(const char *digest, char *revision)
{
    (void)snprintf(revision, REVISION_BYTES, "%.8s-%.4s-%.4s-%.4s-%.12s", digest, digest + 8,
                   digest + 12, digest + 16, digest + 20);
}

/* v NULL: $LATEST. */
static void write_config(struct api_call *call, const struct version *v, const char *digest,
                         uint64_t bytes)
{
    const struct function_spec *spec = call->f->spec;
    struct px_buf *buf = &call->reply;
    char revision[REVISION_BYTES];
    revision_of(digest, revision);
    px_buf_printf(buf,
                  "{\"FunctionName\":\"%s\",\"FunctionArn\":\"" API_ARN "%s%s\",\"Version\":\"%s\"",
                  spec->name, api_region(call), spec->name, v ? ":" : "", v ? v->text : "",
                  v ? v->text : "$LATEST");
    px_buf_add_c(buf, ",\"CodeSha256\":\"");
    add_digest(buf, digest);
    px_buf_printf(
        buf,
        "\",\"CodeSize\":%llu,\"RevisionId\":\"%s\",\"MemorySize\":%u,\"Timeout\":%u,"
        "\"PackageType\":\"Zip\",\"Runtime\":\"provided.al2023\",\"Handler\":\"bootstrap\","
        "\"State\":\"Active\",\"LastUpdateStatus\":\"Successful\",\"Description\":",
        (unsigned long long)bytes, revision, spec->memory_mb, spec->timeout_ms / 1000);
    px_buf_add_json_str(buf, px_str_c(v ? v->description : ""));
    if (v) {
        px_buf_add_c(buf, ",\"LastModified\":");
        add_time(buf, v->created_ns);
    }
    px_buf_add_c(buf, "}");
}

static void then_configuration(struct api_call *call)
{
    struct function_versions *f = call->f;
    const struct version_alias *a = alias_find(f, call->qualifier);
    bool latest = call->qualifier.len == 0 || px_str_eq(call->qualifier, S("$LATEST"));
    int64_t number = a ? a->main : 0;
    if (!a && !latest && !px_str_to_i64(call->qualifier, &number)) number = -1;
    const struct version *v = number > 0 && number <= UINT32_MAX ? version_find(f, (uint32_t)number)
                                                                 : NULL;
    if (!latest && !v) {
        api_refuse(call, 404, "ResourceNotFoundException", "Function not found: %s:%.*s",
                   f->spec->name, PX_FMT(call->qualifier));
        return;
    }
    const char *digest = call->look ? call->built.digest : v ? v->digest : f->latest;
    uint64_t bytes = call->look ? call->built.bytes : v ? v->bytes : f->latest_bytes;
    bool whole = px_str_eq(call->sub, S("")); /* GetFunction, not GetFunctionConfiguration */
    if (whole) px_buf_add_c(&call->reply, "{\"Configuration\":");
    write_config(call, v, digest, bytes);
    if (whole)
        px_buf_printf(&call->reply,
                      ",\"Code\":{\"RepositoryType\":\"" API_FILE_BUCKET "\"},"
                      "\"Concurrency\":{\"ReservedConcurrentExecutions\":%u}}",
                      f->reserved);
    api_answer(call, 200);
}

void api_get_function(struct api_call *call)
{
    call->look = !call->f->stored;
    api_take_code(call, then_configuration);
}

static void then_list(struct api_call *call)
{
    struct function_versions *f = call->f;
    bool look = call->look;
    px_buf_add_c(&call->reply, "{\"Versions\":[");
    write_config(call, NULL, look ? call->built.digest : f->latest,
                 look ? call->built.bytes : f->latest_bytes);
    for (const struct version *v = f->versions; v; v = v->next) {
        if (v->leaving) continue;
        px_buf_add_c(&call->reply, ",");
        write_config(call, v, look ? call->built.digest : v->digest,
                     look ? call->built.bytes : v->bytes);
    }
    px_buf_add_c(&call->reply, "]}");
    api_answer(call, 200);
}

void api_list_versions(struct api_call *call)
{
    call->look = !call->f->stored;
    api_take_code(call, then_list);
}

/* What a caller thinks $LATEST is. False: the call is answered. */
static bool latest_is(struct api_call *call)
{
    char revision[REVISION_BYTES], text[64];
    struct px_buf digest;
    struct px_str wanted = px_json_str(call->input, "CodeSha256"),
                  known = px_json_str(call->input, "RevisionId");
    px_buf_init(&digest, sizeof text);
    add_digest(&digest, call->f->latest);
    bool same = wanted.len == 0 || px_str_eq(wanted, px_buf_str(&digest));
    px_buf_deinit(&digest);
    revision_of(call->f->latest, revision);
    if (!same)
        api_refuse(call, 400, "InvalidParameterValueException",
                   "CodeSHA256 (%.*s) is different from current CodeSHA256 in $LATEST",
                   PX_FMT(wanted));
    else if (known.len && !px_str_eq(known, px_str_c(revision)))
        api_refuse(call, 412, "PreconditionFailedException",
                   "The RevisionId provided does not match the latest one; read it again");
    else
        return true;
    return false;
}

static struct version *newest(const struct function_versions *f)
{
    struct version *last = NULL;
    for (struct version *v = f->versions; v; v = v->next)
        if (!v->leaving) last = v;
    return last;
}

static void version_undo(struct function_versions *f, struct version *added)
{
    struct version **at = &f->versions;
    while (*at != added) at = &(*at)->next;
    *at = added->next;
    free(added);
}

/* $LATEST becomes a version, unless the newest one is it. NULL: answered. */
static struct version *publish(struct api_call *call)
{
    struct function_versions *f = call->f;
    struct version *v = newest(f);
    size_t count = 0;
    bool is_new = !v || strcmp(v->digest, f->latest) != 0;
    for (const struct version *each = f->versions; each; each = each->next) count += !each->leaving;
    if (is_new && count >= VERSIONS_MAX) {
        api_refuse(call, 400, "CodeStorageExceededException",
                   "%s has %zu versions; delete those that nobody needs", f->spec->name, count);
        return NULL;
    }
    if (is_new) {
        v = version_add(f, f->next, f->latest);
        if (!v) {
            api_fail(call, px_fault(PX_F_OOM, "a version"));
            return NULL;
        }
        f->next++;
        v->bytes = f->latest_bytes;
        (void)snprintf(v->description, sizeof v->description, "%.*s",
                       PX_FMT(px_json_str(call->input, "Description")));
    }
    int r = versions_save(f);
    if (r == 0) return v;
    if (is_new) {
        version_undo(f, v);
        f->next--;
    }
    api_fail(call, r);
    return NULL;
}

static void then_publish(struct api_call *call)
{
    if (!latest_is(call)) return;
    const struct version *v = publish(call);
    if (!v) return;
    write_config(call, v, v->digest, v->bytes);
    api_answer(call, 201);
}

void api_publish_version(struct api_call *call) { api_take_code(call, then_publish); }

static void then_update_code(struct api_call *call)
{
    struct function_versions *f = call->f;
    char old[VERSION_DIGEST_BYTES];
    uint64_t old_bytes = f->latest_bytes;
    char revision[REVISION_BYTES];
    struct px_str known = px_json_str(call->input, "RevisionId");
    revision_of(f->latest, revision);
    if (known.len && !px_str_eq(known, px_str_c(revision))) {
        api_refuse(call, 412, "PreconditionFailedException",
                   "The RevisionId provided does not match the latest one; read it again");
        return;
    }
    (void)snprintf(old, sizeof old, "%s", f->latest);
    (void)snprintf(f->latest, sizeof f->latest, "%s", call->code.digest);
    f->latest_bytes = call->code.bytes;
    const struct version *v = NULL;
    int r = 0;
    if (px_json_bool(call->input, "Publish", false)) {
        v = publish(call);
        if (!v) { /* answered */
            (void)snprintf(f->latest, sizeof f->latest, "%s", old);
            f->latest_bytes = old_bytes;
            return;
        }
    } else {
        r = versions_save(f);
    }
    if (r != 0) {
        (void)snprintf(f->latest, sizeof f->latest, "%s", old);
        f->latest_bytes = old_bytes;
        api_fail(call, r);
        return;
    }
    write_config(call, v, f->latest, f->latest_bytes);
    api_answer(call, 200);
}

/* base64 into the request's arena. */
static bool decode(struct api_call *call, struct px_str base64)
{
    struct aws_byte_cursor in = aws_byte_cursor_from_array(base64.ptr, base64.len);
    size_t bytes = 0;
    if (aws_base64_compute_decoded_len(&in, &bytes) != AWS_OP_SUCCESS || bytes == 0) return false;
    char *room = px_arena_alloc(call->request->arena, bytes);
    if (!room) return false;
    struct aws_byte_buf out = aws_byte_buf_from_empty_array(room, bytes);
    if (aws_base64_decode(&in, &out) != AWS_OP_SUCCESS) return false;
    call->zip = px_str(room, out.len);
    return true;
}

void api_update_code(struct api_call *call)
{
    struct px_str zip = px_json_str(call->input, "ZipFile"),
                  bucket = px_json_str(call->input, "S3Bucket"),
                  key = px_json_str(call->input, "S3Key");
    bool file = px_str_eq(bucket, S(API_FILE_BUCKET)) && px_str_starts(key, S("/")) &&
                key.len < sizeof call->source;
    if (zip.len ? !decode(call, zip) : !file) {
        api_invalid(call, "ZipFile, or S3Bucket \"" API_FILE_BUCKET
                          "\" with an absolute path as S3Key, is "
                          "needed here");
        return;
    }
    if (!zip.len) (void)snprintf(call->source, sizeof call->source, "%.*s", PX_FMT(key));
    api_take_code(call, then_update_code);
}

void api_delete_version(struct api_call *call)
{
    struct function_versions *f = call->f;
    int64_t number = 0;
    struct version *v = px_str_to_i64(call->qualifier, &number) && number > 0 &&
                                number <= UINT32_MAX
                            ? version_find(f, (uint32_t)number)
                            : NULL;
    if (call->qualifier.len == 0) {
        api_refuse(call, 403, "AccessDeniedException",
                   "a function of the catalogue is not deleted; name a version by ?Qualifier=");
        return;
    }
    if (!v) {
        api_refuse(call, 404, "ResourceNotFoundException", "no version %.*s",
                   PX_FMT(call->qualifier));
        return;
    }
    for (size_t i = 0; i < f->alias_count; i++)
        if (f->aliases[i].main == v->number || f->aliases[i].other == v->number) {
            api_refuse(call, 409, "ResourceConflictException", "alias %s points to version %u",
                       f->aliases[i].name, v->number);
            return;
        }
    if (!f->stored) { /* version 1 has its alias */
        api_invalid(call, "nothing was ever published");
        return;
    }
    v->leaving = true;
    int r = versions_save(f);
    if (r != 0) {
        v->leaving = false;
        api_fail(call, r);
        return;
    }
    version_leave(v);
    api_answer(call, 204);
}
