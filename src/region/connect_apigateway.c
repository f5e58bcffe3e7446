/* region/connect_apigateway.c - aws-sdk:apigateway: keys of usage plans, which here are records; the gateway counts by tenant itself.
 *
 * A key's value is unique. A key may be in any number of the two plans; deleting it takes it out of them.
 * Source of shapes and errors: API Gateway API reference, CreateApiKey, CreateUsagePlanKey and others. */
#include <stdio.h>

#include "base/px_id.h"
#include "region/workflows_internal.h"

#define TABLE "wf_usage_keys"
#define KEYS S("keys")
#define VALUES S("values")
#define LIST_MAX 500
#define E_SERVER "ApiGateway.InternalServerErrorException"
#define E_NOT_FOUND "ApiGateway.NotFoundException"

static const struct px_str plans[] = {
    {WORKFLOW_PLAN_POOLED, sizeof WORKFLOW_PLAN_POOLED - 1},
    {WORKFLOW_PLAN_DEDICATED, sizeof WORKFLOW_PLAN_DEDICATED - 1}};

static struct table_store *open_tables(struct connection *c, const char *what)
{
    if (workflow_may(c->machine, "usage_keys", px_str_c(what)))
        return connection_tables(c, E_SERVER);
    connection_fail(c, "ApiGateway.ApiGatewayException",
                    "The machine may not %s usage keys (may.usage_keys of workflows.json)", what);
    return NULL;
}

static void finish(struct connection *c, int r)
{
    if (r != 0)
        connection_fault(c, E_SERVER, r);
    else
        connection_succeed(c);
}

static void create_key(struct connection *c)
{
    char id[11];
    uint8_t bytes[5];
    struct px_str value = px_json_str(c->payload, "Value"), name = px_json_str(c->payload, "Name");
    struct table_store *store = open_tables(c, "create");
    if (!store) return;
    if (value.len < 20 || value.len > 128) {
        connection_fail(c, "ApiGateway.BadRequestException",
                        "API Key value should be at least 20 characters");
        return;
    }
    px_random(bytes, sizeof bytes);
    px_hex(bytes, sizeof bytes, id);
    px_buf_printf(&c->output, "{\"Id\":\"%s\",\"Name\":", id);
    px_buf_add_json_str(&c->output, name);
    px_buf_add_c(&c->output, ",\"Description\":");
    px_buf_add_json_str(&c->output, px_json_str(c->payload, "Description"));
    px_buf_printf(&c->output, ",\"Enabled\":%s,\"Value\":",
                  px_json_bool(c->payload, "Enabled", false) ? "true" : "false");
    px_buf_add_json_str(&c->output, value);
    px_buf_add_char(&c->output, '}');
    struct px_str quoted = px_arena_printf(&c->arena, "\"%s\"", id);
    const struct table_put puts[] = {
        {.key = {S(TABLE), VALUES, value}, .document = quoted, .condition = TABLE_NEW},
        {.key = {S(TABLE), KEYS, px_str_c(id)},
         .document = px_buf_str(&c->output),
         .condition = TABLE_NEW},
    };
    int r = quoted.ptr ? px_buf_fault(&c->output) : px_arena_fault(&c->arena);
    if (r == 0) r = connection_put(c, store, puts, PX_COUNT(puts));
    if (r == TABLE_CONDITION_FAILED)
        connection_fail(c, "ApiGateway.ConflictException", "API Key already exists");
    else
        finish(c, r);
}

/* Names that begin with NameQuery, in pages; values are told only when asked for. */
static void get_keys(struct connection *c)
{
    struct px_str prefix = px_json_str(c->payload, "NameQuery"),
                  after = px_json_str(c->payload, "Position");
    bool values = px_json_bool(c->payload, "IncludeValues", false);
    int64_t most = px_json_i64(c->payload, "Limit", 25);
    struct table_item *items;
    size_t count, shown = 0;
    struct table_store *store = open_tables(c, "describe");
    if (!store) return;
    if (most < 1 || most > LIST_MAX) most = LIST_MAX;
    px_buf_add_c(&c->output, "{\"Items\":[");
    for (bool more = true; more && shown < (size_t)most;) {
        const struct table_query query = {
            .key = {S(TABLE), KEYS, S("")}, .after_sort = after, .max = LIST_MAX};
        int r = table_query(store, &query, &c->arena, &items, &count);
        if (r != 0) {
            connection_fault(c, E_SERVER, r);
            return;
        }
        more = count == LIST_MAX;
        for (size_t i = 0; i < count && shown < (size_t)most; i++) {
            yyjson_val *key = NULL;
            after = items[i].sort;
            if (px_json_parse(items[i].document, &c->arena, &key, NULL) != 0 ||
                !px_str_starts(px_json_str(key, "Name"), prefix))
                continue;
            px_buf_printf(&c->output, "%s{\"Id\":", shown++ ? "," : "");
            px_buf_add_json_str(&c->output, px_json_str(key, "Id"));
            px_buf_add_c(&c->output, ",\"Name\":");
            px_buf_add_json_str(&c->output, px_json_str(key, "Name"));
            if (values) {
                px_buf_add_c(&c->output, ",\"Value\":");
                px_buf_add_json_str(&c->output, px_json_str(key, "Value"));
            }
            px_buf_printf(&c->output, ",\"Enabled\":%s}",
                          px_json_bool(key, "Enabled", false) ? "true" : "false");
        }
    }
    px_buf_add_char(&c->output, ']');
    if (shown == (size_t)most) {
        px_buf_add_c(&c->output, ",\"Position\":");
        px_buf_add_json_str(&c->output, after);
    }
    px_buf_add_char(&c->output, '}');
    connection_succeed(c);
}

/* The key's record; absent: the outcome is set. */
static bool read_key(struct connection *c, struct table_store *store, struct px_str id,
                     yyjson_val **ret_key)
{
    struct table_item item;
    const struct table_key key = {S(TABLE), KEYS, id.len ? id : S("-")};
    int r = table_get(store, &key, &c->arena, &item);
    if (r == 0 && px_json_parse(item.document, &c->arena, ret_key, NULL) != 0)
        r = px_fault(PX_F_CORRUPT, "usage key %.*s", PX_FMT(id));
    if (r == TABLE_ABSENT)
        connection_fail(c, E_NOT_FOUND, "Invalid API Key identifier specified");
    else if (r != 0)
        connection_fault(c, E_SERVER, r);
    return r == 0;
}

static struct table_key member_key(struct px_str plan, struct px_str id)
{
    return (struct table_key){S(TABLE), plan, id};
}

static void delete_key(struct connection *c)
{
    struct px_str id = px_json_str(c->payload, "ApiKey");
    yyjson_val *key = NULL;
    struct table_store *store = open_tables(c, "delete");
    if (!store || !read_key(c, store, id, &key)) return;
    px_buf_add_c(&c->output, "{}");
    const struct table_put puts[] = {
        {.key = {S(TABLE), KEYS, id}},
        {.key = {S(TABLE), VALUES, px_json_str(key, "Value")}},
        {.key = member_key(plans[0], id)},
        {.key = member_key(plans[1], id)},
    };
    finish(c, connection_put(c, store, puts, PX_COUNT(puts)));
}

static bool read_plan(struct connection *c, struct px_str *ret_plan)
{
    struct px_str plan = px_json_str(c->payload, "UsagePlanId");
    for (size_t i = 0; i < PX_COUNT(plans); i++) {
        if (!px_str_eq(plan, plans[i])) continue;
        *ret_plan = plans[i];
        return true;
    }
    connection_fail(c, E_NOT_FOUND, "Invalid Usage Plan identifier specified");
    return false;
}

static void join_plan(struct connection *c)
{
    struct px_str id = px_json_str(c->payload, "KeyId"), plan;
    yyjson_val *key = NULL;
    struct table_store *store = open_tables(c, "plan");
    if (!store || !read_plan(c, &plan) || !read_key(c, store, id, &key)) return;
    px_buf_add_c(&c->output, "{\"Id\":");
    px_buf_add_json_str(&c->output, id);
    px_buf_add_c(&c->output, ",\"Type\":\"API_KEY\",\"Name\":");
    px_buf_add_json_str(&c->output, px_json_str(key, "Name"));
    px_buf_add_char(&c->output, '}');
    const struct table_put put = {
        .key = member_key(plan, id), .document = S("{}"), .condition = TABLE_NEW};
    int r = connection_put(c, store, &put, 1);
    if (r == TABLE_CONDITION_FAILED)
        connection_fail(c, "ApiGateway.ConflictException", "Usage Plan Key already exists for %.*s",
                        PX_FMT(id));
    else
        finish(c, r);
}

static void leave_plan(struct connection *c)
{
    struct px_str id = px_json_str(c->payload, "KeyId"), plan;
    struct table_item item;
    struct table_store *store = open_tables(c, "plan");
    if (!store || !read_plan(c, &plan)) return;
    const struct table_key key = member_key(plan, id.len ? id : S("-"));
    const struct table_put put = {.key = key};
    int r = table_get(store, &key, &c->arena, &item);
    px_buf_add_c(&c->output, "{}");
    if (r == 0) r = connection_put(c, store, &put, 1);
    if (r == TABLE_ABSENT)
        connection_fail(c, E_NOT_FOUND, "Invalid Usage Plan Key identifier specified");
    else
        finish(c, r);
}

const struct connector connect_apigateway[] = {
    {.service = "aws-sdk:apigateway", .action = "createApiKey", .work = create_key, .notes = true},
    {.service = "aws-sdk:apigateway", .action = "getApiKeys", .work = get_keys},
    {.service = "aws-sdk:apigateway", .action = "deleteApiKey", .work = delete_key, .notes = true},
    {.service = "aws-sdk:apigateway",
     .action = "createUsagePlanKey",
     .work = join_plan,
     .notes = true},
    {.service = "aws-sdk:apigateway",
     .action = "deleteUsagePlanKey",
     .work = leave_plan,
     .notes = true},
    {0},
};
