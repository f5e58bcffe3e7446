/* lambda/apigw.c - API Gateway's REST proxy event and response, payload format 1.0. */
#include "lambda/apigw.h"

#include <stdio.h>

#include "lambda/apigw_json.h"
#include "lambda/cors.h"
#include "observe/observe.h"

/* ---- the caller ---- */

bool api_caller_may(const struct api_caller *caller, struct px_str scope)
{
    struct px_str rest = caller->scopes, one;
    while (rest.len > 0) {
        (void)px_str_cut(&rest, ' ', &one);
        if (px_str_eq(one, scope)) return true;
    }
    return false;
}

void api_caller_read(yyjson_val *obj, struct api_caller *ret_caller)
{
    struct px_str epoch = px_json_str(obj, "epoch");
    struct api_caller caller = {
        .tenant = px_json_str(obj, "tenant"),
        .key_id = px_json_str(obj, "key_id"),
        .scopes = px_json_str(obj, "scopes"),
        .tier = px_json_str(obj, "tier"),
        .home_region = px_json_str(obj, "home_region"),
        .shard = px_json_str(obj, "shard"),
        .quotas = px_json_str(obj, "quotas"),
        .token = px_json_str(obj, "token"),
        .restriction = px_json_str(obj, "restriction"),
    };
    if (!px_str_to_i64(epoch, &caller.epoch)) caller.epoch = px_json_i64(obj, "epoch", 0);
    *ret_caller = caller;
}

void api_caller_write(const struct api_caller *caller, struct px_buf *buf)
{
    const struct {
        const char *name;
        struct px_str value;
    } fields[] = {
        {"{\"tenant\":", caller->tenant},           {",\"key_id\":", caller->key_id},
        {",\"scopes\":", caller->scopes},           {",\"tier\":", caller->tier},
        {",\"home_region\":", caller->home_region}, {",\"shard\":", caller->shard},
    };
    for (size_t i = 0; i < PX_COUNT(fields); i++) {
        px_buf_add_c(buf, fields[i].name);
        px_buf_add_json_str(buf, fields[i].value);
    }
    const struct {
        const char *name;
        struct px_str value;
    } some[] = {{",\"quotas\":", caller->quotas},
                {",\"token\":", caller->token},
                {",\"restriction\":", caller->restriction}};
    for (size_t i = 0; i < PX_COUNT(some); i++) {
        if (some[i].value.len == 0) continue;
        px_buf_add_c(buf, some[i].name);
        px_buf_add_json_str(buf, some[i].value);
    }
    px_buf_add_c(buf, ",\"epoch\":\"");
    px_buf_add_i64(buf, caller->epoch);
    px_buf_add_c(buf, "\"}");
}

/* ---- the event ---- */

static bool text_read(yyjson_val *obj, const char *key, bool required, struct px_str *ret_text,
                      struct px_where *ret_where)
{
    yyjson_val *val = yyjson_obj_get(obj, key);
    if (yyjson_is_str(val)) {
        *ret_text = px_json_val_str(val);
        return true;
    }
    if (!required && (!val || yyjson_is_null(val))) return true;
    px_where_set(ret_where, 0, key, "a string, as in an API Gateway proxy event");
    return false;
}

static bool context_read(yyjson_val *root, struct api_event *event, struct px_where *ret_where)
{
    yyjson_val *context = px_json_obj(root, "requestContext");
    yyjson_val *identity = px_json_obj(context, "identity");
    api_caller_read(px_json_obj(context, "authorizer"), &event->caller);
    return text_read(context, "requestId", false, &event->request_id, ret_where) &&
           text_read(context, "stage", false, &event->stage, ret_where) &&
           text_read(identity, "sourceIp", false, &event->source_ip, ret_where);
}

static int maps_read(yyjson_val *root, struct px_arena *arena, struct api_event *event,
                     struct px_where *ret_where)
{
    static const struct {
        const char *single, *multi;
    } names[] = {{"headers", "multiValueHeaders"},
                 {"queryStringParameters", "multiValueQueryStringParameters"},
                 {"pathParameters", NULL}};
    struct api_pairs pairs[PX_COUNT(names)];
    for (size_t i = 0; i < PX_COUNT(names); i++) {
        yyjson_val *single = yyjson_obj_get(root, names[i].single);
        yyjson_val *multi = names[i].multi ? yyjson_obj_get(root, names[i].multi) : NULL;
        int r = api_pairs_read(single, multi, arena, &pairs[i], ret_where);
        if (r == API_INVALID && ret_where)
            (void)snprintf(ret_where->path, sizeof ret_where->path, "%s", names[i].single);
        if (r != 0) return r;
    }
    event->headers = pairs[0].at, event->header_count = pairs[0].count;
    event->query = pairs[1].at, event->query_count = pairs[1].count;
    event->path_params = pairs[2].at, event->path_param_count = pairs[2].count;
    return 0;
}

static int event_of(struct px_str text, const struct api_cut *cut, struct px_arena *arena,
                    struct api_event *ret_event, struct px_where *ret_where)
{
    PX_AUTO(api_json_free) yyjson_doc *doc = NULL;
    int r = api_json_parse(text, &doc, ret_where);
    if (r != 0) return r;
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct api_event event = {0};
    if (!text_read(root, "httpMethod", true, &event.method, ret_where) ||
        !text_read(root, "path", true, &event.path, ret_where) ||
        !text_read(root, "resource", false, &event.resource, ret_where) ||
        !context_read(root, &event, ret_where))
        return API_INVALID;
    r = maps_read(root, arena, &event, ret_where);
    if (r != 0) return r;
    bool was_base64;
    r = api_body_read(root, cut, arena, &event.body, &was_base64, ret_where);
    if (r != 0) return r;
    *ret_event = event;
    return 0;
}

static int event_of_cut(struct px_str payload, struct px_arena *arena, struct api_event *ret_event)
{
    struct api_cut cut;
    int r = api_json_cut(payload, arena, &cut);
    return r == 0 ? event_of(cut.rest, &cut, arena, ret_event, NULL) : r;
}

int api_event_parse_in_place(struct px_str payload, struct px_arena *arena,
                             struct api_event *ret_event, struct px_where *ret_where)
{
    int r = event_of_cut(payload, arena, ret_event);
    return r == API_INVALID ? event_of(payload, NULL, arena, ret_event, ret_where) : r;
}

int api_event_parse(struct px_str payload, struct px_arena *arena, struct api_event *ret_event,
                    struct px_where *ret_where)
{
    int r = event_of_cut(payload, arena, ret_event);
    if (r != API_INVALID) return r;
    struct px_str copy;
    PX_TRY(api_json_dup(payload, arena, &copy));
    return event_of(copy, NULL, arena, ret_event, ret_where);
}

void api_event_observe(const struct api_event *event)
{
    observe_tenant(event->caller.tenant);
    cors_note(api_header(event, S("origin")));
    if (!observe_is_recorded()) return;
    observe_event_text("http.request.method", event->method);
    observe_event_text("http.route", event->resource);
    observe_event_link(api_header(event, S("traceparent")), api_header(event, S("tracestate")));
}

struct px_str api_header(const struct api_event *event, struct px_str name)
{
    return http_headers_find(event->headers, event->header_count, name);
}

static struct px_str pair_value(const struct http_header *pairs, size_t count, struct px_str name)
{
    for (size_t i = 0; i < count; i++)
        if (px_str_eq(pairs[i].name, name)) return pairs[i].value;
    return (struct px_str){0};
}

struct px_str api_query(const struct api_event *event, struct px_str name)
{
    return pair_value(event->query, event->query_count, name);
}

struct px_str api_path_param(const struct api_event *event, struct px_str name)
{
    return pair_value(event->path_params, event->path_param_count, name);
}

static void add_field(struct px_buf *buf, const char *lead, struct px_str text)
{
    px_buf_add_c(buf, lead);
    px_buf_add_json_str(buf, text);
}

void api_stage_variables_write(const struct http_header *variables, size_t count,
                               struct px_buf *buf)
{
    if (count == 0) {
        px_buf_add_c(buf, "\"stageVariables\":null");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        px_buf_add_c(buf, i ? "," : "\"stageVariables\":{");
        px_buf_add_json_str(buf, variables[i].name);
        add_field(buf, ":", variables[i].value);
    }
    px_buf_add_char(buf, '}');
}

void api_client_write(const struct http_client_certificate *client, struct px_buf *buf)
{
    add_field(buf, ",\"clientCert\":{\"clientCertPem\":", client->pem);
    add_field(buf, ",\"subjectDN\":", client->subject);
    add_field(buf, ",\"issuerDN\":", client->issuer);
    add_field(buf, ",\"serialNumber\":", client->serial);
    add_field(buf, ",\"validity\":{\"notBefore\":", client->not_before);
    add_field(buf, ",\"notAfter\":", client->not_after);
    px_buf_add_c(buf, "}}");
}

/* domainPrefix is the name's first label, as on AWS. */
static void domain_write(struct px_str domain, struct px_buf *buf)
{
    struct px_str rest = domain, first;
    if (domain.len == 0) return;
    (void)px_str_cut(&rest, '.', &first);
    add_field(buf, ",\"domainName\":", domain);
    add_field(buf, ",\"domainPrefix\":", first);
}

static void context_write(const struct api_event *event, struct px_buf *buf)
{
    add_field(buf, ",\"requestContext\":{\"resourcePath\":", event->resource);
    add_field(buf, ",\"httpMethod\":", event->method);
    add_field(buf, ",\"path\":", event->path);
    add_field(buf, ",\"protocol\":\"HTTP/1.1\",\"stage\":", event->stage);
    domain_write(event->domain, buf);
    add_field(buf, ",\"requestId\":", event->request_id);
    add_field(buf, ",\"identity\":{\"sourceIp\":", event->source_ip);
    if (event->client) api_client_write(event->client, buf);
    px_buf_add_char(buf, '}');
    if (event->caller.tenant.len > 0) {
        px_buf_add_c(buf, ",\"authorizer\":");
        api_caller_write(&event->caller, buf);
    }
    px_buf_add_char(buf, '}');
}

void api_event_write(const struct api_event *event, struct px_buf *buf)
{
    struct api_pairs headers = {event->headers, event->header_count};
    struct api_pairs query = {event->query, event->query_count};
    struct api_pairs params = {event->path_params, event->path_param_count};
    (void)px_buf_reserve(buf,
                         event->body.len / 3 * 4 + 4096); /* so that a large body moves nothing */
    add_field(buf, "{\"resource\":", event->resource);
    add_field(buf, ",\"path\":", event->path);
    add_field(buf, ",\"httpMethod\":", event->method);
    px_buf_add_char(buf, ',');
    api_pairs_write_single("headers", headers, buf);
    px_buf_add_char(buf, ',');
    api_pairs_write_multi("multiValueHeaders", headers, buf);
    px_buf_add_char(buf, ',');
    api_pairs_write_single("queryStringParameters", query, buf);
    px_buf_add_char(buf, ',');
    api_pairs_write_multi("multiValueQueryStringParameters", query, buf);
    px_buf_add_char(buf, ',');
    api_pairs_write_single("pathParameters", params, buf);
    px_buf_add_char(buf, ',');
    api_stage_variables_write(event->stage_variables, event->stage_variable_count, buf);
    context_write(event, buf);
    if (event->body.len == 0) {
        px_buf_add_c(buf, ",\"body\":null,\"isBase64Encoded\":false}");
        return;
    }
    px_buf_add_c(buf, ",\"body\":\"");
    px_buf_add_base64(buf, event->body);
    px_buf_add_c(buf, "\",\"isBase64Encoded\":true}");
}
