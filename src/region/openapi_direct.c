/* region/openapi_direct.c - direct integrations of the contract: type "aws", an action of Step Functions, mapping templates both ways.
 *
 * Known is what is evaluated alike here and on AWS: one request template, passthroughBehavior "never", credentials; responses by the beginning of
 * the service's status ("200", "4\d{2}", default), each with one template, none of which fits what another does. Anything else is refused.
 * Source: API Gateway developer guide, "x-amazon-apigateway-integration" and "x-amazon-apigateway-integration.responses". */
#include "region/openapi_internal.h"
#include "vtl/vtl.h"

#define TEMPLATE_BYTES_MAX 65536
#define TIMEOUT_MS 29000

static int bad(struct api_reader *rd, const struct api_route *route, const char *why)
{
    return contract_refuse(
        rd, px_arena_printf(rd->arena, "%.*s %.*s", PX_FMT(route->method), PX_FMT(route->resource)),
        why);
}

static bool is_text(yyjson_val *integration)
{
    return px_str_eq(px_json_str(integration, "contentHandling"), S("CONVERT_TO_TEXT"));
}

/* The one member of an object, a text. False: it has none, or several. */
static bool only_template(yyjson_val *templates, struct px_str *ret_media_type,
                          struct px_str *ret_text)
{
    size_t i, n;
    yyjson_val *key, *val;
    px_json_obj_foreach(templates, i, n, key, val)
    {
        *ret_media_type = px_json_val_str(key);
        *ret_text = px_json_val_str(val);
    }
    return yyjson_obj_size(templates) == 1 && ret_text->len > 0;
}

/* "200" -> "200", "4\d{2}" -> "4", "default" -> "". False: another pattern. */
static bool read_pattern(struct px_str pattern, struct px_str *ret_begins)
{
    size_t digits = 0;
    *ret_begins = (struct px_str){0};
    if (px_str_eq(pattern, S("default"))) return true;
    while (digits < pattern.len && pattern.ptr[digits] >= '0' && pattern.ptr[digits] <= '9')
        digits++;
    struct px_str rest = px_str_skip(pattern, digits);
    *ret_begins = px_str(pattern.ptr, digits);
    return (digits == 3 && rest.len == 0) || (digits == 1 && px_str_eq(rest, S("\\d{2}")));
}

static int read_reply(struct api_reader *rd, const struct api_route *route, struct px_str pattern,
                      yyjson_val *answer, struct api_direct_reply *reply)
{
    int64_t status = 0;
    if (!read_pattern(pattern, &reply->status_begins))
        return bad(rd, route, "responses are by \"200\", \"4\\d{2}\" or \"default\"");
    if (!px_str_to_i64(px_json_str(answer, "statusCode"), &status) || status < 200 || status > 599)
        return bad(rd, route, "a response needs a statusCode");
    reply->status = (int)status;
    if (!only_template(px_json_obj(answer, "responseTemplates"), &reply->media_type,
                       &reply->template_text))
        return bad(rd, route, "a response needs one template");
    if (!is_text(answer)) return bad(rd, route, "a response needs contentHandling CONVERT_TO_TEXT");
    if (!api_read_headers(px_json_obj(answer, "responseParameters"), S("method.response.header."),
                          reply->headers, &reply->header_count))
        return bad(
            rd, route,
            "responseParameters are at most 8 of method.response.header.X with 'words' in quotes");
    return 0;
}

static int read_replies(struct api_reader *rd, yyjson_val *integration, struct api_route *route)
{
    size_t i, n;
    yyjson_val *key, *val;
    struct api_direct *direct = route->direct;
    bool otherwise = false;
    px_json_obj_foreach(px_json_obj(integration, "responses"), i, n, key, val)
    {
        if (direct->reply_count == API_DIRECT_REPLIES_MAX)
            return bad(rd, route, "at most 4 responses");
        struct api_direct_reply *reply = &direct->replies[direct->reply_count++];
        int r = read_reply(rd, route, px_json_val_str(key), val, reply);
        if (r != 0) return r;
        struct px_str begins = reply->status_begins;
        otherwise = otherwise || begins.len == 0;
        for (size_t k = 0; k + 1 < direct->reply_count; k++) {
            struct px_str other = direct->replies[k].status_begins;
            bool both = begins.len && other.len &&
                        (px_str_starts(begins, other) || px_str_starts(other, begins));
            if (both) return bad(rd, route, "two responses fit one status");
        }
    }
    return otherwise ? 0 : bad(rd, route, "there is no response \"default\"");
}

/* arn:...:states:action/StartExecution -> StartExecution */
static struct px_str action_of(struct px_str uri)
{
    static const char mark[] = ":states:action/";
    const char *at = uri.len ? memmem(uri.ptr, uri.len, mark, sizeof mark - 1) : NULL;
    return at ? px_str_skip(uri, (size_t)(at - uri.ptr) + sizeof mark - 1) : (struct px_str){0};
}

int api_read_direct(struct api_reader *rd, yyjson_val *integration, struct api_route *route)
{
    struct api_direct *direct = px_arena_new(rd->arena, struct api_direct);
    if (!direct) return px_arena_fault(rd->arena);
    int64_t timeout = px_json_i64(integration, "timeoutInMillis", TIMEOUT_MS);
    route->integration = API_DIRECT;
    route->direct = direct;
    direct->action = action_of(px_json_str(integration, "uri"));
    if (!px_str_eq(direct->action, S("StartExecution")))
        return bad(rd, route, "a uri of type aws ends in :states:action/StartExecution");
    if (!px_str_eq(px_json_str(integration, "httpMethod"), S("POST")))
        return bad(rd, route, "Step Functions is asked by POST");
    if (px_json_str(integration, "credentials").len == 0)
        return bad(rd, route, "a service is asked with the credentials of a role");
    if (!px_str_eq(px_json_str(integration, "passthroughBehavior"), S("never")))
        return bad(rd, route, "passthroughBehavior of type aws must be never");
    if (!is_text(integration))
        return bad(rd, route, "type aws needs contentHandling CONVERT_TO_TEXT");
    if (!only_template(px_json_obj(integration, "requestTemplates"), &direct->media_type,
                       &direct->template_text))
        return bad(rd, route, "type aws needs one request template");
    if (timeout < 50 || timeout > 300000)
        return bad(rd, route, "timeoutInMillis must be 50 to 300000");
    route->timeout_ms = (uint32_t)timeout;
    return read_replies(rd, integration, route);
}

const struct api_direct_reply *api_direct_reply(const struct api_direct *direct, int status)
{
    char text[16];
    const struct api_direct_reply *otherwise = NULL;
    (void)snprintf(text, sizeof text, "%03d", status);
    for (size_t i = 0; i < direct->reply_count; i++) {
        const struct api_direct_reply *reply = &direct->replies[i];
        if (reply->status_begins.len == 0)
            otherwise = reply;
        else if (px_str_starts(px_str_c(text), reply->status_begins))
            return reply;
    }
    return otherwise;
}

/* ---- places ---- */

static int fill(struct px_str *text, const struct api_places *places, struct px_arena *arena)
{
    const struct {
        const char *name;
        struct px_str value;
    } known[] = {{"${partition}", places->partition},
                 {"${region}", places->region},
                 {"${account}", places->account},
                 {"${prefix}", places->prefix}};
    PX_AUTO(px_buf_deinit) struct px_buf out;
    px_buf_init(&out, TEMPLATE_BYTES_MAX);
    for (struct px_str rest = *text; rest.len > 0;) {
        size_t taken = 0;
        for (size_t i = 0; i < PX_COUNT(known); i++) {
            struct px_str name = px_str_c(known[i].name);
            if (!px_str_starts(rest, name)) continue;
            px_buf_add_str(&out, known[i].value);
            taken = name.len;
        }
        if (taken == 0) px_buf_add_char(&out, rest.ptr[taken++]);
        rest = px_str_skip(rest, taken);
    }
    PX_TRY(px_buf_fault(&out));
    *text = px_arena_dup(arena, px_buf_str(&out));
    return text->ptr ? 0 : px_arena_fault(arena);
}

struct settling {
    const struct api_places *places;
    struct vtl *vtl;
    struct px_arena *arena;
    struct px_where *where;
};

static int settle(const struct settling *s, const struct api_route *route, struct px_str *text)
{
    struct px_str why = {0};
    char place[96];
    PX_TRY(fill(text, s->places, s->arena));
    if (!s->vtl) return 0;
    int r = vtl_check(s->vtl, *text, s->arena, &why);
    if (r != VTL_REFUSED) return r;
    (void)snprintf(place, sizeof place, "%.*s %.*s", PX_FMT(route->method),
                   PX_FMT(route->resource));
    px_where_set(s->where, 0, place, "a mapping template: %.*s", PX_FMT(why));
    return API_CONTRACT_INVALID;
}

int api_direct_settle(struct api_contract *contract, const struct api_places *places,
                      struct vtl *vtl, struct px_arena *arena, struct px_where *ret_where)
{
    const struct settling s = {places, vtl, arena, ret_where};
    for (size_t i = 0; i < contract->route_count; i++) {
        struct api_route *route = &contract->routes[i];
        if (route->integration != API_DIRECT) continue;
        int r = settle(&s, route, &route->direct->template_text);
        for (size_t k = 0; r == 0 && k < route->direct->reply_count; k++)
            r = settle(&s, route, &route->direct->replies[k].template_text);
        if (r != 0) return r;
    }
    if (vtl) vtl_rest(vtl);
    return 0;
}
