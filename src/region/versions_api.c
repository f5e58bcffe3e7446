/* region/versions_api.c - Lambda's REST API of versions, aliases and concurrency on the control socket, so that one client
 * drives a region on AWS and here.
 *
 * What changes something is answered when it is on stable storage. Code is taken in by a thread, one at a time for a
 * function (409 ResourceConflictException meanwhile, as on AWS). Beyond Lambda's own, UpdateFunctionCode takes
 * {"S3Bucket":"file","S3Key":"/a/folder/or.zip"}: whoever may open the socket may read the file.
 *
 * Sources: AWS Lambda API reference; developer guide, "Configuring provisioned concurrency" and "Create an alias":
 * provisioned concurrency of an alias does not change while the alias has weights. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/uri.h"
#include "base/px_id.h"
#include "region/elsewhere.h"
#include "region/versions_api.h"

#define REPLY_BYTES_MAX ((size_t)1 << 20)

/* ---- answers ---- */

static void call_free(struct api_call *call)
{
    px_buf_deinit(&call->reply);
    free(call);
}

void api_refuse(struct api_call *call, int status, const char *error, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    elsewhere_refuse(call->request, status, error, text);
    call_free(call);
}

void api_invalid(struct api_call *call, const char *what)
{
    api_refuse(call, 400, "InvalidParameterValueException", "%s", what);
}

void api_fail(struct api_call *call, int fault)
{
    px_log_fault(call->f->all->options.log, fault, "versions of %s", call->f->spec->name);
    api_refuse(call, 500, "ServiceException", "%s", px_fault_message(fault));
}

void api_answer(struct api_call *call, int status)
{
    const struct http_header header = {S("Content-Type"), S("application/json")};
    if (px_buf_fault(&call->reply)) {
        api_fail(call, px_buf_fault(&call->reply));
        return;
    }
    http_reply(call->request, status, &header, 1, px_buf_str(&call->reply));
    call_free(call);
}

const char *api_region(const struct api_call *call) { return call->f->all->options.region_name; }

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
        api_refuse(call, 503, "ServiceException", "the region is stopping");
    } else if (call->r == VERSION_CODE_INVALID) {
        api_invalid(call, call->code.why);
    } else if (call->r != 0) {
        api_fail(call, call->r);
    } else {
        if (call->freeze) freeze(call);
        call->then(call);
    }
}

void api_take_code(struct api_call *call, void (*then)(struct api_call *call))
{
    struct function_versions *f = call->f;
    call->then = then;
    call->freeze = !f->stored && !call->look;
    if (!call->freeze && !call->look && !call->source[0] && !call->zip.len) {
        then(call);
        return;
    }
    if (f->busy) {
        api_refuse(call, 409, "ResourceConflictException",
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
    api_fail(call, px_fault(PX_F_OOM, "a thread's work"));
}

/* ---- routes ---- */

/* Path behind the name; "/" at its end: one more part follows, the alias. */
static const struct route {
    enum http_method method;
    const char *date, *path;
    void (*serve)(struct api_call *call);
} routes[] = {
    {HTTP_GET_, "2015-03-31", "", api_get_function},
    {HTTP_DELETE_, "2015-03-31", "", api_delete_version},
    {HTTP_GET_, "2015-03-31", "configuration", api_get_function},
    {HTTP_PUT_, "2015-03-31", "code", api_update_code},
    {HTTP_GET_, "2015-03-31", "versions", api_list_versions},
    {HTTP_POST_, "2015-03-31", "versions", api_publish_version},
    {HTTP_GET_, "2015-03-31", "aliases", api_list_aliases},
    {HTTP_POST_, "2015-03-31", "aliases", api_create_alias},
    {HTTP_GET_, "2015-03-31", "aliases/", api_get_alias},
    {HTTP_PUT_, "2015-03-31", "aliases/", api_update_alias},
    {HTTP_DELETE_, "2015-03-31", "aliases/", api_delete_alias},
    {HTTP_GET_, "2019-09-30", "provisioned-concurrency", api_get_provisioned},
    {HTTP_PUT_, "2019-09-30", "provisioned-concurrency", api_put_provisioned},
    {HTTP_DELETE_, "2019-09-30", "provisioned-concurrency", api_put_provisioned},
    {HTTP_GET_, "2019-09-30", "concurrency", api_get_concurrency},
    {HTTP_PUT_, "2017-10-31", "concurrency", api_put_concurrency},
    {HTTP_DELETE_, "2017-10-31", "concurrency", api_put_concurrency},
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
        px_buf_printf(&reply, "%s{\"FunctionName\":\"%s\",\"FunctionArn\":\"" API_ARN "\"}",
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
