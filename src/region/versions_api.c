/* region/versions_api.c - Lambda's REST API of versions, aliases and concurrency on the control socket, so that one client
 * drives a region on AWS and here.
 *
 * What changes something is answered when it is on stable storage. Code is taken in by a thread, one at a time for a
 * function (409 ResourceConflictException meanwhile, as on AWS). Beyond Lambda's own, UpdateFunctionCode takes
 * {"S3Bucket":"file","S3Key":"/a/folder/or.zip"}: whoever may open the socket may read the file.
 *
 * Sources: AWS Lambda API reference; developer guide, "Configuring provisioned concurrency" and "Create an alias":
 * provisioned concurrency of an alias does not change while the alias has weights. */
#include <aws/common/encoding.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/uri.h"
#include "base/px_id.h"
#include "base/px_json.h"
#include "region/elsewhere.h"
#include "region/versions_internal.h"

#define REPLY_BYTES_MAX ((size_t)1 << 20)
#define FILE_BUCKET "file"
#define ARN "arn:aws:lambda:%s:000000000000:function:%s"

struct api_call {
    uv_work_t work;
    struct function_versions *f;
    struct http_request *request;
    yyjson_val *input;            /* of a PUT or POST; an empty object else */
    struct px_str qualifier, sub; /* decoded; sub: the alias of the path */
    struct px_buf reply;
    int status;
    void (*then)(struct api_call *call); /* in the loop, when what was to be taken in is there */
    /* for the thread */
    bool freeze, look;
    char source[4096];
    struct px_str zip;
    char store[3200], build[3072];
    struct version_code built, code;
    int r;
};

/* ---- answers ---- */

static void call_free(struct api_call *call)
{
    px_buf_deinit(&call->reply);
    free(call);
}

static void refuse(struct api_call *call, int status, const char *error, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void refuse(struct api_call *call, int status, const char *error, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    elsewhere_refuse(call->request, status, error, text);
    call_free(call);
}

static void invalid(struct api_call *call, const char *what)
{
    refuse(call, 400, "InvalidParameterValueException", "%s", what);
}

static void fail(struct api_call *call, int fault)
{
    px_log_fault(call->f->all->options.log, fault, "versions of %s", call->f->spec->name);
    refuse(call, 500, "ServiceException", "%s", px_fault_message(fault));
}

static void answer(struct api_call *call, int status)
{
    const struct http_header header = {S("Content-Type"), S("application/json")};
    if (px_buf_fault(&call->reply)) {
        fail(call, px_buf_fault(&call->reply));
        return;
    }
    http_reply(call->request, status, &header, 1, px_buf_str(&call->reply));
    call_free(call);
}

static const char *region_of(const struct api_call *call)
{
    return call->f->all->options.region_name;
}

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
                  "{\"FunctionName\":\"%s\",\"FunctionArn\":\"" ARN "%s%s\",\"Version\":\"%s\"",
                  spec->name, region_of(call), spec->name, v ? ":" : "", v ? v->text : "",
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

static void write_alias(struct api_call *call, const struct version_alias *a)
{
    struct px_buf *buf = &call->reply;
    px_buf_printf(buf, "{\"AliasArn\":\"" ARN ":%s\",\"Name\":\"%s\",\"FunctionVersion\":\"%u\"",
                  region_of(call), call->f->spec->name, a->name, a->name, a->main);
    if (a->other)
        px_buf_printf(buf, ",\"RoutingConfig\":{\"AdditionalVersionWeights\":{\"%u\":%.17g}}",
                      a->other, a->weight);
    px_buf_printf(buf, ",\"RevisionId\":\"%s\",\"Description\":", a->revision);
    px_buf_add_json_str(buf, px_str_c(a->description));
    px_buf_add_c(buf, "}");
}

/* ---- code, in a thread ---- */

static void on_work(uv_work_t *work)
{
    struct api_call *call = work->data;
    int r = 0;
    if (call->look)
        r = version_code_look(call->build, &call->built);
    else if (call->freeze)
        r = version_code_take(call->build, call->store, &call->built);
    if (r == VERSION_CODE_INVALID)
        r = px_fault(PX_F_CONFIG, "%s: %s", call->build, call->built.why);
    if (r == 0 && call->zip.len)
        r = version_code_take_zip(call->zip, call->store, &call->code);
    else if (r == 0 && call->source[0])
        r = version_code_take(call->source, call->store, &call->code);
    call->r = r;
}

/* What was built until now is version 1 from now on. */
static void freeze(struct api_call *call)
{
    struct function_versions *f = call->f;
    struct version *first = version_find(f, 1);
    char place[3200];
    (void)snprintf(first->digest, sizeof first->digest, "%s", call->built.digest);
    (void)snprintf(f->latest, sizeof f->latest, "%s", call->built.digest);
    first->bytes = f->latest_bytes = call->built.bytes;
    version_place(f, first->digest, place, sizeof place);
    (void)snprintf(first->executable, sizeof first->executable, "%s/bootstrap", place);
    for (size_t i = 0; i < f->alias_count; i++)
        px_uuid7(px_wall_ns(f->all->options.clock), f->aliases[i].revision);
}

static void on_worked(uv_work_t *work, int error)
{
    struct api_call *call = work->data;
    call->f->busy = false;
    if (error != 0 || call->f->all->stopping) {
        refuse(call, 503, "ServiceException", "the region is stopping");
    } else if (call->r == VERSION_CODE_INVALID) {
        invalid(call, call->code.why);
    } else if (call->r != 0) {
        fail(call, call->r);
    } else {
        if (call->freeze) freeze(call);
        call->then(call);
    }
}

/* Go on with `then` once the code is there: what was built, before the first change, and what the call brings. */
static void take_code(struct api_call *call, void (*then)(struct api_call *call))
{
    struct function_versions *f = call->f;
    call->then = then;
    call->freeze = !f->stored && !call->look;
    if (!call->freeze && !call->look && !call->source[0] && !call->zip.len) {
        then(call);
        return;
    }
    if (f->busy) {
        refuse(call, 409, "ResourceConflictException",
               "an update is in progress for function %s; try again", f->spec->name);
        return;
    }
    (void)snprintf(call->store, sizeof call->store, "%s/functions/%s", f->all->options.data_dir,
                   f->spec->name);
    version_place(f, "", call->build, sizeof call->build);
    call->work.data = call;
    f->busy = true;
    if (uv_queue_work(f->all->options.loop, &call->work, on_work, on_worked) == 0) return;
    f->busy = false;
    fail(call, px_fault(PX_F_OOM, "a thread's work"));
}

/* ---- versions ---- */

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
        refuse(call, 404, "ResourceNotFoundException", "Function not found: %s:%.*s", f->spec->name,
               PX_FMT(call->qualifier));
        return;
    }
    const char *digest = call->look ? call->built.digest : v ? v->digest : f->latest;
    uint64_t bytes = call->look ? call->built.bytes : v ? v->bytes : f->latest_bytes;
    bool whole = px_str_eq(call->sub, S("")); /* GetFunction, not GetFunctionConfiguration */
    if (whole) px_buf_add_c(&call->reply, "{\"Configuration\":");
    write_config(call, v, digest, bytes);
    if (whole)
        px_buf_printf(&call->reply,
                      ",\"Code\":{\"RepositoryType\":\"" FILE_BUCKET "\"},"
                      "\"Concurrency\":{\"ReservedConcurrentExecutions\":%u}}",
                      f->reserved);
    answer(call, 200);
}

static void get_function(struct api_call *call)
{
    call->look = !call->f->stored;
    take_code(call, then_configuration);
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
    answer(call, 200);
}

static void list_versions(struct api_call *call)
{
    call->look = !call->f->stored;
    take_code(call, then_list);
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
        refuse(call, 400, "InvalidParameterValueException",
               "CodeSHA256 (%.*s) is different from current CodeSHA256 in $LATEST", PX_FMT(wanted));
    else if (known.len && !px_str_eq(known, px_str_c(revision)))
        refuse(call, 412, "PreconditionFailedException",
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
        refuse(call, 400, "CodeStorageExceededException",
               "%s has %zu versions; delete those that nobody needs", f->spec->name, count);
        return NULL;
    }
    if (is_new) {
        v = version_add(f, f->next, f->latest);
        if (!v) {
            fail(call, px_fault(PX_F_OOM, "a version"));
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
    fail(call, r);
    return NULL;
}

static void then_publish(struct api_call *call)
{
    if (!latest_is(call)) return;
    const struct version *v = publish(call);
    if (!v) return;
    write_config(call, v, v->digest, v->bytes);
    answer(call, 201);
}

static void publish_version(struct api_call *call) { take_code(call, then_publish); }

static void then_update_code(struct api_call *call)
{
    struct function_versions *f = call->f;
    char old[VERSION_DIGEST_BYTES];
    uint64_t old_bytes = f->latest_bytes;
    char revision[REVISION_BYTES];
    struct px_str known = px_json_str(call->input, "RevisionId");
    revision_of(f->latest, revision);
    if (known.len && !px_str_eq(known, px_str_c(revision))) {
        refuse(call, 412, "PreconditionFailedException",
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
        fail(call, r);
        return;
    }
    write_config(call, v, f->latest, f->latest_bytes);
    answer(call, 200);
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

static void update_code(struct api_call *call)
{
    struct px_str zip = px_json_str(call->input, "ZipFile"),
                  bucket = px_json_str(call->input, "S3Bucket"),
                  key = px_json_str(call->input, "S3Key");
    bool file = px_str_eq(bucket, S(FILE_BUCKET)) && px_str_starts(key, S("/")) &&
                key.len < sizeof call->source;
    if (zip.len ? !decode(call, zip) : !file) {
        invalid(call, "ZipFile, or S3Bucket \"" FILE_BUCKET "\" with an absolute path as S3Key, is "
                      "needed here");
        return;
    }
    if (!zip.len) (void)snprintf(call->source, sizeof call->source, "%.*s", PX_FMT(key));
    take_code(call, then_update_code);
}

static void delete_version(struct api_call *call)
{
    struct function_versions *f = call->f;
    int64_t number = 0;
    struct version *v = px_str_to_i64(call->qualifier, &number) && number > 0 &&
                                number <= UINT32_MAX
                            ? version_find(f, (uint32_t)number)
                            : NULL;
    if (call->qualifier.len == 0) {
        refuse(call, 403, "AccessDeniedException",
               "a function of the catalogue is not deleted; name a version by ?Qualifier=");
        return;
    }
    if (!v) {
        refuse(call, 404, "ResourceNotFoundException", "no version %.*s", PX_FMT(call->qualifier));
        return;
    }
    for (size_t i = 0; i < f->alias_count; i++)
        if (f->aliases[i].main == v->number || f->aliases[i].other == v->number) {
            refuse(call, 409, "ResourceConflictException", "alias %s points to version %u",
                   f->aliases[i].name, v->number);
            return;
        }
    if (!f->stored) { /* version 1 has its alias */
        invalid(call, "nothing was ever published");
        return;
    }
    v->leaving = true;
    int r = versions_save(f);
    if (r != 0) {
        v->leaving = false;
        fail(call, r);
        return;
    }
    version_leave(v);
    answer(call, 204);
}

/* ---- aliases ---- */

static void get_alias(struct api_call *call)
{
    const struct version_alias *a = alias_find(call->f, call->sub);
    if (!a) {
        refuse(call, 404, "ResourceNotFoundException", "Cannot find alias %.*s", PX_FMT(call->sub));
        return;
    }
    write_alias(call, a);
    answer(call, 200);
}

static void list_aliases(struct api_call *call)
{
    px_buf_add_c(&call->reply, "{\"Aliases\":[");
    for (size_t i = 0; i < call->f->alias_count; i++) {
        if (i > 0) px_buf_add_c(&call->reply, ",");
        write_alias(call, &call->f->aliases[i]);
    }
    px_buf_add_c(&call->reply, "]}");
    answer(call, 200);
}

/* The wanted alias, from what the call says over what is there. NULL: fine; else what is wrong. */
static const char *wanted_alias(const struct api_call *call, struct version_alias *a)
{
    const struct function_versions *f = call->f;
    struct px_str main = px_json_str(call->input, "FunctionVersion");
    yyjson_val *routing = px_json_obj(call->input, "RoutingConfig");
    yyjson_val *weights = px_json_obj(routing, "AdditionalVersionWeights");
    int64_t number = a->main;
    if (main.ptr && (!px_str_to_i64(main, &number) || number < 1 || number > UINT32_MAX))
        return "FunctionVersion must be a published version's number";
    a->main = (uint32_t)number;
    if (!version_find(f, a->main)) return "FunctionVersion is no version of the function";
    if (routing) a->other = 0, a->weight = 0;
    if (yyjson_obj_size(weights) > 1) return "one additional version is all that an alias takes";
    if (yyjson_obj_size(weights) == 1) {
        yyjson_obj_iter iter = yyjson_obj_iter_with(weights);
        yyjson_val *key = yyjson_obj_iter_next(&iter), *value = yyjson_obj_iter_get_val(key);
        if (!px_str_to_i64(px_json_val_str(key), &number) || number < 1 || number > UINT32_MAX ||
            !version_find(f, (uint32_t)number))
            return "AdditionalVersionWeights names no version of the function";
        a->weight = yyjson_is_num(value) ? yyjson_get_num(value) : -1;
        if (!(a->weight >= 0 && a->weight <= 1)) return "a weight is 0 to 1";
        a->other = (uint32_t)number;
    }
    if (a->other == a->main && a->other)
        return "the additional version must be another than FunctionVersion";
    const struct version *m = version_find(f, a->main), *o = version_find(f, a->other);
    if (a->provisioned && (m->provisioned || (o && o->provisioned)))
        return "Invalid alias configuration for Provisioned Concurrency: the version has some of "
               "its own";
    struct px_str description = px_json_str(call->input, "Description");
    if (description.len >= sizeof a->description) return "Description has at most 256 bytes";
    if (description.ptr)
        (void)snprintf(a->description, sizeof a->description, "%.*s", PX_FMT(description));
    return NULL;
}

/* `after` takes the place of *a, or of a new alias; on stable storage, then in the pools. */
static void settle_alias(struct api_call *call, struct version_alias *a,
                         const struct version_alias *after, int status)
{
    struct function_versions *f = call->f;
    struct version_alias before = *a;
    bool is_new = a == &f->aliases[f->alias_count];
    *a = *after;
    px_uuid7(px_wall_ns(f->all->options.clock), a->revision);
    f->alias_count += is_new;
    int r = versions_save(f);
    if (r != 0) {
        *a = before;
        f->alias_count -= is_new;
        fail(call, r);
        return;
    }
    r = versions_apply(f);
    if (r != 0) {
        fail(call, r);
        return;
    }
    write_alias(call, a);
    answer(call, status);
}

static void then_update_alias(struct api_call *call)
{
    struct version_alias *a = alias_find(call->f, call->sub);
    struct px_str known = px_json_str(call->input, "RevisionId");
    if (!a) {
        refuse(call, 404, "ResourceNotFoundException", "Cannot find alias %.*s", PX_FMT(call->sub));
        return;
    }
    if (known.len && !px_str_eq(known, px_str_c(a->revision))) {
        refuse(call, 412, "PreconditionFailedException",
               "The RevisionId provided does not match the latest one; read it again");
        return;
    }
    struct version_alias after = *a;
    const char *wrong = wanted_alias(call, &after);
    if (wrong)
        invalid(call, wrong);
    else
        settle_alias(call, a, &after, 200);
}

static void update_alias(struct api_call *call) { take_code(call, then_update_alias); }

static bool is_alias_name(struct px_str name)
{
    bool digits = true;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool digit = c >= '0' && c <= '9';
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!digit && !letter && c != '-' && c != '_') return false;
        digits &= digit;
    }
    return name.len > 0 && name.len < ALIAS_NAME_BYTES && !digits;
}

static void then_create_alias(struct api_call *call)
{
    struct function_versions *f = call->f;
    struct px_str name = px_json_str(call->input, "Name");
    struct version_alias after = {0};
    if (alias_find(f, name)) {
        refuse(call, 409, "ResourceConflictException", "Alias already exists: %.*s", PX_FMT(name));
        return;
    }
    const char *wrong = f->alias_count == ALIASES_MAX ? "too many aliases"
                        : !is_alias_name(name)        ? "Name: letters, digits, - and _, no number"
                                                      : wanted_alias(call, &after);
    if (wrong) {
        invalid(call, wrong);
        return;
    }
    (void)snprintf(after.name, sizeof after.name, "%.*s", PX_FMT(name));
    settle_alias(call, &f->aliases[f->alias_count], &after, 201);
}

static void create_alias(struct api_call *call) { take_code(call, then_create_alias); }

static void delete_alias(struct api_call *call)
{
    struct function_versions *f = call->f;
    struct version_alias *a = alias_find(f, call->sub);
    if (a && px_str_eq(call->sub, S(VERSIONS_LIVE))) {
        refuse(call, 409, "ResourceConflictException",
               "alias " VERSIONS_LIVE " is what callers of this region use");
        return;
    }
    if (a) {
        struct version_alias gone = *a;
        size_t at = (size_t)(a - f->aliases);
        memmove(a, a + 1, (f->alias_count - at - 1) * sizeof *a);
        f->alias_count--;
        int r = versions_save(f);
        if (r == 0) r = versions_apply(f);
        if (r != 0) {
            f->aliases[f->alias_count++] = gone;
            fail(call, r);
            return;
        }
    }
    answer(call, 204);
}

/* ---- concurrency ---- */

/* Where the qualifier's provisioned concurrency stands. NULL: answered. */
static uint32_t *provisioned_of(struct api_call *call, const struct version_alias **ret_alias,
                                const struct version **ret_version)
{
    struct version_alias *a = alias_find(call->f, call->qualifier);
    int64_t number = 0;
    struct version *v = NULL;
    if (!a && px_str_to_i64(call->qualifier, &number) && number > 0 && number <= UINT32_MAX)
        v = version_find(call->f, (uint32_t)number);
    *ret_alias = a;
    *ret_version = v;
    if (a || v) return a ? &a->provisioned : &v->provisioned;
    if (px_str_eq(call->qualifier, S("$LATEST")) || call->qualifier.len == 0)
        invalid(call, "Provisioned Concurrency Configs cannot be applied to unpublished function "
                      "versions");
    else
        refuse(call, 404, "ResourceNotFoundException", "no version or alias %.*s",
               PX_FMT(call->qualifier));
    return NULL;
}

static uint32_t all_provisioned(const struct function_versions *f)
{
    uint32_t all = 0;
    for (size_t i = 0; i < f->alias_count; i++) all += f->aliases[i].provisioned;
    for (const struct version *v = f->versions; v; v = v->next) all += v->provisioned;
    return all;
}

static void warm_of(const struct function_versions *f, uint32_t number, uint32_t *ready,
                    uint32_t *wanted, bool *failed)
{
    struct lambda_pool_stats s = {0};
    const struct version *v = version_find(f, number);
    if (!v) return;
    if (v->pool) lambda_pool_stats(v->pool, &s);
    uint32_t warm = version_warm(f, v);
    *ready += PX_MIN(s.idle + s.busy, warm);
    *wanted += warm;
    *failed |= s.init_failures >= 3 && s.idle + s.busy < warm;
}

static void write_provisioned(struct api_call *call, const struct version_alias *a,
                              const struct version *v)
{
    struct function_versions *f = call->f;
    uint32_t ready = 0, wanted = 0, requested = a ? a->provisioned : v->provisioned;
    bool failed = false;
    warm_of(f, a ? a->main : v->number, &ready, &wanted, &failed);
    if (a && a->other) warm_of(f, a->other, &ready, &wanted, &failed);
    bool is_ready = ready >= wanted;
    px_buf_printf(&call->reply,
                  "{\"RequestedProvisionedConcurrentExecutions\":%u,"
                  "\"AvailableProvisionedConcurrentExecutions\":%u,"
                  "\"AllocatedProvisionedConcurrentExecutions\":%u,\"Status\":\"%s\"",
                  requested, PX_MIN(ready, requested), PX_MIN(ready, requested),
                  is_ready ? "READY"
                  : failed ? "FAILED"
                           : "IN_PROGRESS");
    if (!is_ready && failed)
        px_buf_add_c(&call->reply, ",\"StatusReason\":\"FUNCTION_ERROR_INIT_FAILURE\"");
    px_buf_add_c(&call->reply, "}");
}

static void get_provisioned(struct api_call *call)
{
    const struct version_alias *a;
    const struct version *v;
    const uint32_t *has = provisioned_of(call, &a, &v);
    if (!has) return;
    if (*has == 0) {
        refuse(call, 404, "ProvisionedConcurrencyConfigNotFoundException",
               "No Provisioned Concurrency Config found for this function");
        return;
    }
    write_provisioned(call, a, v);
    answer(call, 200);
}

static const char *why_not_provisioned(const struct api_call *call, const struct version_alias *a,
                                       const struct version *v, uint32_t has, int64_t wanted)
{
    const struct function_versions *f = call->f;
    if (wanted < 0 || wanted > 1000) return "ProvisionedConcurrentExecutions is at least 1";
    if (a && a->other) return "Alias with weights can not be used with Provisioned Concurrency";
    if (a && wanted > 0 && version_find(f, a->main)->provisioned > 0)
        return "Alias can't be used for provisioned concurrency configuration on an already "
               "provisioned version";
    for (size_t i = 0; v && wanted > 0 && i < f->alias_count; i++)
        if (f->aliases[i].provisioned > 0 &&
            (f->aliases[i].main == v->number || f->aliases[i].other == v->number))
            return "Version is pointed to by an alias with Provisioned Concurrency";
    if (all_provisioned(f) - has + (uint32_t)wanted > f->reserved)
        return "Requested Provisioned Concurrency should not be greater than the "
               "reservedConcurrentExecution for function";
    return NULL;
}

static void then_provision(struct api_call *call)
{
    const struct version_alias *a;
    const struct version *v;
    uint32_t *has = provisioned_of(call, &a, &v), before = has ? *has : 0;
    if (!has) return;
    bool delete = call->request->method == HTTP_DELETE_;
    int64_t wanted = delete ? 0 : px_json_i64(call->input, "ProvisionedConcurrentExecutions", 0);
    const char *wrong = why_not_provisioned(call, a, v, before,
                                            !delete &&wanted == 0 ? -1 : wanted);
    if (wrong) {
        invalid(call, wrong);
        return;
    }
    *has = (uint32_t)wanted;
    int r = versions_save(call->f);
    if (r != 0) *has = before;
    if (r == 0) r = versions_apply(call->f);
    if (r != 0) {
        fail(call, r);
        return;
    }
    if (!delete) write_provisioned(call, a, v);
    answer(call, delete ? 204 : 202);
}

static void put_provisioned(struct api_call *call) { take_code(call, then_provision); }

static void get_concurrency(struct api_call *call)
{
    px_buf_printf(&call->reply, "{\"ReservedConcurrentExecutions\":%u}", call->f->reserved);
    answer(call, 200);
}

static void then_reserve(struct api_call *call)
{
    struct function_versions *f = call->f;
    uint32_t before = f->reserved, most = f->spec->concurrency_max;
    bool delete = call->request->method == HTTP_DELETE_;
    int64_t wanted = delete ? most : px_json_i64(call->input, "ReservedConcurrentExecutions", -1);
    if (wanted < 1 || wanted > most) {
        refuse(call, 400, "InvalidParameterValueException",
               "ReservedConcurrentExecutions is 1 to %u of this function on this machine", most);
        return;
    }
    if ((uint32_t)wanted < all_provisioned(f)) {
        invalid(call, "ReservedConcurrentExecutions cannot be less than what is provisioned");
        return;
    }
    f->reserved = (uint32_t)wanted;
    int r = versions_save(f);
    if (r != 0) f->reserved = before;
    if (r == 0) r = versions_apply(f);
    if (r != 0)
        fail(call, r);
    else if (delete)
        answer(call, 204);
    else
        get_concurrency(call);
}

static void put_concurrency(struct api_call *call) { take_code(call, then_reserve); }

/* ---- routes ---- */

/* Path behind the name; "/" at its end: one more part follows, the alias. */
static const struct route {
    enum http_method method;
    const char *date, *path;
    void (*serve)(struct api_call *call);
} routes[] = {
    {HTTP_GET_, "2015-03-31", "", get_function},
    {HTTP_DELETE_, "2015-03-31", "", delete_version},
    {HTTP_GET_, "2015-03-31", "configuration", get_function},
    {HTTP_PUT_, "2015-03-31", "code", update_code},
    {HTTP_GET_, "2015-03-31", "versions", list_versions},
    {HTTP_POST_, "2015-03-31", "versions", publish_version},
    {HTTP_GET_, "2015-03-31", "aliases", list_aliases},
    {HTTP_POST_, "2015-03-31", "aliases", create_alias},
    {HTTP_GET_, "2015-03-31", "aliases/", get_alias},
    {HTTP_PUT_, "2015-03-31", "aliases/", update_alias},
    {HTTP_DELETE_, "2015-03-31", "aliases/", delete_alias},
    {HTTP_GET_, "2019-09-30", "provisioned-concurrency", get_provisioned},
    {HTTP_PUT_, "2019-09-30", "provisioned-concurrency", put_provisioned},
    {HTTP_DELETE_, "2019-09-30", "provisioned-concurrency", put_provisioned},
    {HTTP_GET_, "2019-09-30", "concurrency", get_concurrency},
    {HTTP_PUT_, "2017-10-31", "concurrency", put_concurrency},
    {HTTP_DELETE_, "2017-10-31", "concurrency", put_concurrency},
};

static const struct route *find_route(enum http_method method, struct px_str date,
                                      struct px_str path, struct px_str *ret_sub)
{
    for (size_t i = 0; i < PX_COUNT(routes); i++) {
        struct px_str own = px_str_c(routes[i].path);
        bool more = px_str_ends(own, S("/"));
        if (routes[i].method != method || !px_str_eq(px_str_c(routes[i].date), date)) continue;
        if (more ? !px_str_starts(path, own) : !px_str_eq(path, own)) continue;
        *ret_sub = more ? px_str_skip(path, own.len) : own;
        return &routes[i];
    }
    return NULL;
}

static struct px_str parameter(const struct http_request *request, struct px_str name)
{
    struct px_str rest = request->query, pair, key, value = S("");
    while (rest.len > 0) {
        (void)px_str_cut(&rest, '&', &pair);
        (void)px_str_cut(&pair, '=', &key);
        if (px_str_eq(key, name) && cloud_uri_plain(pair, request->arena, &value)) return value;
    }
    return S("");
}

static void begin_call(struct function_versions *f, struct http_request *request,
                       const struct route *route, struct px_str sub, yyjson_val *input)
{
    struct api_call *call = calloc(1, sizeof *call);
    if (!call) {
        elsewhere_refuse(request, 500, "ServiceException", "out of memory");
        return;
    }
    call->f = f;
    call->request = request;
    call->input = input;
    call->sub = sub;
    call->qualifier = parameter(request, S("Qualifier"));
    px_buf_init(&call->reply, REPLY_BYTES_MAX);
    route->serve(call);
}

static void list_functions(const struct versions *versions, struct http_request *request)
{
    const struct http_header header = {S("Content-Type"), S("application/json")};
    PX_AUTO(px_buf_deinit) struct px_buf reply;
    px_buf_init(&reply, REPLY_BYTES_MAX);
    px_buf_add_c(&reply, "{\"Functions\":[");
    for (size_t i = 0; i < versions->options.catalogue->count; i++) {
        const char *name = versions->options.catalogue->functions[i].name;
        px_buf_printf(&reply, "%s{\"FunctionName\":\"%s\",\"FunctionArn\":\"" ARN "\"}",
                      i ? "," : "", name, versions->options.region_name, name);
    }
    px_buf_add_c(&reply, "]}");
    http_reply(request, px_buf_fault(&reply) ? 500 : 200, &header, 1, px_buf_str(&reply));
}

bool versions_serve(struct versions *versions, struct http_request *request,
                    const struct function_spec *(*name_of)(void *ctx, struct px_str name),
                    void *ctx)
{
    struct px_str rest = px_str_skip(request->path, 1), date, word, encoded, name, sub;
    yyjson_val *input = NULL;
    (void)px_str_cut(&rest, '/', &date);
    (void)px_str_cut(&rest, '/', &word);
    (void)px_str_cut(&rest, '/', &encoded);
    if (!px_str_eq(word, S("functions"))) return false;
    if (encoded.len == 0) {
        if (request->method != HTTP_GET_) return false;
        list_functions(versions, request);
        return true;
    }
    const struct route *route = find_route(request->method, date, rest, &sub);
    if (!route) return false;
    const struct function_spec *spec = cloud_uri_plain(encoded, request->arena, &name)
                                           ? name_of(ctx, name)
                                           : NULL;
    if (!spec) {
        elsewhere_refuse(request, 404, "ResourceNotFoundException",
                         "no such function; see prism status");
        return true;
    }
    if (request->body.len && px_json_parse(request->body, request->arena, &input, NULL) != 0) {
        elsewhere_refuse(request, 400, "InvalidRequestContentException", "the body is no JSON");
        return true;
    }
    size_t index = (size_t)(spec - versions->options.catalogue->functions);
    begin_call(&versions->functions[index], request, route, sub, input);
    return true;
}
