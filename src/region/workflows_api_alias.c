/* region/workflows_api_alias.c - aliases of machines with one or two versions, in Step Functions' protocol.
 *
 * Not as on AWS: alias `live` is what the callers of this region start, so that it is always there and cannot be deleted.
 * Words of errors are the service's as far as they are known. Sources: Step Functions API reference (CreateStateMachineAlias,
 * UpdateStateMachineAlias, DescribeStateMachineAlias, ListStateMachineAliases, DeleteStateMachineAlias). */
#include "region/workflows_api.h"

#define ALIASES_MAX 100 /* Step Functions' quota */
#define ALIAS_NAME_MAX (MACHINE_ALIAS_BYTES - 1)
#define DESCRIPTION_MAX 256

static void invalid_routes(struct api_call *call, const char *what, struct px_str received)
{
    call->reason = "INVALID_ROUTING_CONFIGURATION";
    sfn_fail(call, 400, "ValidationException", "%s Received: [%.*s]", what, PX_FMT(received));
}

static bool absent(struct api_call *call)
{
    sfn_fail(call, 400, "ResourceNotFound", "Request references a resource that does not exist.");
    return false;
}

/* Letters, digits, '-', '_', '.', and not digits alone, which would be a version. */
static bool name_ok(struct px_str name)
{
    size_t digits = 0;
    for (size_t i = 0; i < name.len; i++) digits += name.ptr[i] >= '0' && name.ptr[i] <= '9';
    return name.len <= ALIAS_NAME_MAX && execution_name_ok(name) && digits < name.len;
}

/* ---- routes ---- */

struct routes {
    struct machine_route list[MACHINE_ROUTES_MAX];
    size_t count;
};

/* One version of the call's machine. False: the ARN is of something else. */
static bool read_route(struct api_call *call, yyjson_val *item, struct machine_route *ret_route)
{
    struct px_str qualifier, arn = px_json_str(item, "stateMachineVersionArn");
    const struct workflow_machine *machine = workflow_machine_qualified(&call->workflows->catalogue,
                                                                        arn, &qualifier);
    uint64_t number;
    if (!machine || (call->machine && machine != call->machine)) return false;
    if (!px_str_to_u64(qualifier, &number) || number < 1 || number > UINT32_MAX) return false;
    call->machine = machine;
    ret_route->version = (uint32_t)number;
    return true;
}

static bool read_weight(struct api_call *call, yyjson_val *item, size_t i,
                        struct machine_route *ret_route)
{
    yyjson_val *weight = yyjson_obj_get(item, "weight");
    int64_t value = yyjson_is_int(weight) ? yyjson_get_sint(weight) : -1;
    if (value < 0 || value > 100)
        sfn_fail(call, 400, "ValidationException",
                 "1 validation error detected: Value '%lld' at 'routingConfiguration.%zu.member."
                 "weight' failed to satisfy constraint: Member must have value %s",
                 (long long)value, i + 1,
                 value < 0 ? "greater than or equal to 0" : "less than or equal to 100");
    ret_route->weight = (uint32_t)PX_MAX(value, INT64_C(0));
    return !call->error;
}

/* What they name and how much of it, for the words of a refusal. */
static void list_routes(yyjson_val *list, struct px_buf *arns, struct px_buf *weights)
{
    size_t i, n;
    yyjson_val *item;
    px_json_arr_foreach(list, i, n, item)
    {
        px_buf_printf(arns, "%s%.*s", i ? ", " : "",
                      PX_FMT(px_json_str(item, "stateMachineVersionArn")));
        px_buf_printf(weights, "%s%lld", i ? ", " : "", (long long)px_json_i64(item, "weight", 0));
    }
}

/* Whether the versions are there is seen in the thread. */
static bool read_routes(struct api_call *call, struct routes *routes)
{
    size_t i, n;
    yyjson_val *list = px_json_arr(call->input, "routingConfiguration"), *item;
    PX_AUTO(px_buf_deinit) struct px_buf arns;
    PX_AUTO(px_buf_deinit) struct px_buf weights;
    uint32_t sum = 0;
    px_buf_init(&arns, 4096);
    px_buf_init(&weights, 4096);
    n = yyjson_arr_size(list);
    if (n < 1 || n > MACHINE_ROUTES_MAX) {
        sfn_fail(call, 400, "ValidationException",
                 "1 validation error detected: Value at 'routingConfiguration' failed to satisfy "
                 "constraint: Member must have length %s",
                 n < 1 ? "greater than or equal to 1" : "less than or equal to 2");
        return false;
    }
    list_routes(list, &arns, &weights);
    px_json_arr_foreach(list, i, n, item)
    {
        struct machine_route *route = &routes->list[routes->count++];
        if (!read_route(call, item, route))
            invalid_routes(call, "Routing configuration must contain state machine version ARNs.",
                           px_buf_str(&arns));
        if (!call->error && !read_weight(call, item, i, route)) return false;
        sum += route->weight;
    }
    if (!call->error && n == 2 && routes->list[0].version == routes->list[1].version)
        invalid_routes(call,
                       "Routing configuration must contain distinct state machine version ARNs.",
                       px_buf_str(&arns));
    if (!call->error && sum != 100)
        invalid_routes(call, "Sum of routing configuration weights must equal 100.",
                       px_buf_str(&weights));
    return !call->error;
}

static bool routes_there(struct api_call *call, const struct machine_record *record,
                         const struct routes *routes)
{
    PX_AUTO(px_buf_deinit) struct px_buf arns;
    PX_AUTO(px_buf_deinit) struct px_buf weights;
    px_buf_init(&arns, 4096);
    px_buf_init(&weights, 4096);
    list_routes(px_json_arr(call->input, "routingConfiguration"), &arns, &weights);
    for (size_t i = 0; i < routes->count; i++)
        if (!machine_version_find(record, routes->list[i].version))
            invalid_routes(call, "Routing configuration must contain state machine version ARNs.",
                           px_buf_str(&arns));
    return !call->error;
}

static bool same_routes(const struct machine_alias *alias, const struct routes *routes)
{
    return alias->route_count == routes->count &&
           memcmp(alias->routes, routes->list, routes->count * sizeof *routes->list) == 0;
}

static void set_routes(struct machine_alias *alias, const struct routes *routes)
{
    alias->route_count = routes->count;
    memcpy(alias->routes, routes->list, sizeof alias->routes);
}

/* ---- creating ---- */

static struct px_str alias_arn(struct api_call *call, struct px_str name)
{
    return px_arena_printf(&call->arena, "%.*s:%.*s", PX_FMT(call->machine->arn), PX_FMT(name));
}

static void say_created(struct api_call *call, const struct machine_alias *alias)
{
    sfn_add_first(&call->reply, "stateMachineAliasArn", alias_arn(call, alias->name));
    sfn_add_time(&call->reply, "creationDate", alias->created_ms);
    px_buf_add_char(&call->reply, '}');
}

static bool add_alias(struct api_call *call, struct machine_record *record,
                      const struct routes *routes)
{
    if (record->alias_count >= ALIASES_MAX) {
        sfn_fail(call, 402, "ServiceQuotaExceededException",
                 "The state machine has %d aliases, and that is the maximum", ALIASES_MAX);
        return false;
    }
    struct machine_alias *aliases = px_arena_array(&call->kept->arena, struct machine_alias,
                                                   record->alias_count + 1);
    if (!aliases) {
        sfn_fail_fault(call, px_arena_fault(&call->kept->arena));
        return false;
    }
    if (record->alias_count)
        memcpy(aliases, record->aliases, record->alias_count * sizeof *aliases);
    struct machine_alias *alias = &aliases[record->alias_count++];
    *alias = (struct machine_alias){
        .name = sfn_keep(call, px_json_str(call->input, "name")),
        .description = sfn_keep(call, px_json_str(call->input, "description")),
        .created_ms = sfn_now_ms(call),
        .updated_ms = sfn_now_ms(call)};
    set_routes(alias, routes);
    record->aliases = aliases;
    if (!call->error) say_created(call, alias);
    return true;
}

static bool change_create(struct api_call *call, struct machine_record *record)
{
    struct routes routes = {0};
    if (!read_routes(call, &routes) || !routes_there(call, record, &routes)) return false;
    const struct machine_alias *there = machine_alias_find(record,
                                                           px_json_str(call->input, "name"));
    if (!there) return add_alias(call, record, &routes);
    if (same_routes(there, &routes) &&
        px_str_eq(there->description, px_json_str(call->input, "description")))
        say_created(call, there);
    else
        sfn_fail(call, 409, "ConflictException",
                 "Failed to create alias because an alias with the same name and a different "
                 "routing configuration already exists.");
    return false;
}

static void check_description(struct api_call *call)
{
    if (px_json_str(call->input, "description").len > DESCRIPTION_MAX)
        sfn_fail(call, 400, "ValidationException", "A description has at most %d characters",
                 DESCRIPTION_MAX);
}

void sfn_create_alias(struct api_call *call)
{
    struct routes routes = {0};
    struct px_str name = px_json_str(call->input, "name");
    if (!name_ok(name))
        sfn_fail(call, 400, "InvalidName",
                 "Invalid Name: 1 to 80 of a-z, A-Z, 0-9, '-', '_' and '.', and not only digits, "
                 "not '%.*s'",
                 PX_FMT(name));
    check_description(call);
    if (!call->error) (void)read_routes(call, &routes);
    sfn_change(call, call->machine, change_create);
}

/* ---- updating, deleting ---- */

static struct machine_alias *alias_of(struct api_call *call, struct machine_record *record)
{
    const struct machine_alias *alias = machine_alias_find(record, call->qualifier);
    return alias ? &record->aliases[alias - record->aliases] : NULL;
}

static bool change_alias(struct api_call *call, struct machine_record *record)
{
    struct routes routes = {0};
    yyjson_val *description = yyjson_obj_get(call->input, "description");
    struct machine_alias *alias = alias_of(call, record);
    if (!alias) return absent(call);
    if (yyjson_obj_get(call->input, "routingConfiguration")) {
        if (!read_routes(call, &routes) || !routes_there(call, record, &routes)) return false;
        set_routes(alias, &routes);
    }
    if (description) alias->description = sfn_keep(call, px_json_val_str(description));
    alias->updated_ms = sfn_now_ms(call);
    px_buf_printf(&call->reply, "{\"updateDate\":%lld.%03d}", (long long)(alias->updated_ms / 1000),
                  (int)(alias->updated_ms % 1000));
    return true;
}

/* An ARN of no machine here is of no alias either. */
static void find_alias(struct api_call *call)
{
    struct px_str arn = px_json_str(call->input, "stateMachineAliasArn");
    call->machine = workflow_machine_qualified(&call->workflows->catalogue, arn, &call->qualifier);
    if (call->machine && call->qualifier.len) return;
    if (!call->machine && px_str_starts(arn, S("arn:")))
        (void)absent(call);
    else
        sfn_fail(call, 400, "InvalidArn", "Invalid Arn: '%.*s'", PX_FMT(arn));
}

void sfn_update_alias(struct api_call *call)
{
    find_alias(call);
    if (!yyjson_obj_get(call->input, "description") &&
        !yyjson_obj_get(call->input, "routingConfiguration")) {
        if (!call->error) call->reason = "MISSING_REQUIRED_PARAMETER";
        sfn_fail(call, 400, "ValidationException",
                 "Either description or routingConfiguration must be specified");
    }
    check_description(call);
    sfn_change(call, call->machine, change_alias);
}

static bool change_remove(struct api_call *call, struct machine_record *record)
{
    const struct machine_alias *alias = alias_of(call, record);
    if (!alias) return absent(call);
    size_t at = (size_t)(alias - record->aliases);
    record->alias_count--;
    memmove(&record->aliases[at], &record->aliases[at + 1],
            (record->alias_count - at) * sizeof *record->aliases);
    px_buf_add_c(&call->reply, "{}");
    return true;
}

void sfn_delete_alias(struct api_call *call)
{
    find_alias(call);
    if (px_str_eq(call->qualifier, S(WORKFLOW_LIVE)))
        sfn_fail(call, 409, "ConflictException",
                 "alias " WORKFLOW_LIVE " is what callers of this region start");
    sfn_change(call, call->machine, change_remove);
}

/* ---- reading ---- */

static bool record_of(struct api_call *call, struct machine_record *ret_record)
{
    int r = call->error
                ? 0
                : machine_record_now(call->workflows, call->machine, &call->arena, ret_record);
    if (r != 0) sfn_fail_fault(call, r);
    if (call->error) sfn_answer(call);
    return r == 0 && !call->error;
}

void sfn_describe_alias(struct api_call *call)
{
    struct machine_record record = {0};
    struct px_buf *buf = &call->reply;
    find_alias(call);
    if (!call->error && machine_record_now(call->workflows, call->machine, &call->arena, &record))
        sfn_fail(call, 500, "InternalServerError", "out of memory");
    const struct machine_alias *alias = machine_alias_find(&record, call->qualifier);
    if (!alias) (void)absent(call);
    if (alias && !call->error) {
        sfn_add_first(buf, "stateMachineAliasArn", alias_arn(call, alias->name));
        sfn_add_text(buf, "name", alias->name);
        if (alias->description.len) sfn_add_text(buf, "description", alias->description);
        px_buf_add_c(buf, ",\"routingConfiguration\":[");
        for (size_t i = 0; i < alias->route_count; i++) {
            if (i > 0) px_buf_add_char(buf, ',');
            sfn_add_first(buf, "stateMachineVersionArn",
                          sfn_version_arn(call, alias->routes[i].version));
            px_buf_printf(buf, ",\"weight\":%u}", alias->routes[i].weight);
        }
        px_buf_add_char(buf, ']');
        sfn_add_time(buf, "creationDate", alias->created_ms);
        sfn_add_time(buf, "updateDate", alias->updated_ms);
        px_buf_add_char(buf, '}');
    }
    sfn_answer(call);
}

/* Newest first; of a version's ARN those that point to it. */
void sfn_list_aliases(struct api_call *call)
{
    struct machine_record record = {0};
    struct px_str qualifier = S("");
    uint64_t below = 0, version = 0;
    size_t size = sfn_page_size(call), given = 0;
    call->machine = sfn_machine(call, &qualifier);
    if (qualifier.len && (!px_str_to_u64(qualifier, &version) || version > UINT32_MAX))
        sfn_fail(call, 400, "InvalidArn", "Invalid Arn: '%.*s'",
                 PX_FMT(px_json_str(call->input, "stateMachineArn")));
    (void)sfn_token(call, &below);
    if (!record_of(call, &record)) return;
    px_buf_add_c(&call->reply, "{\"stateMachineAliases\":[");
    size_t i = below && below < record.alias_count ? (size_t)below : record.alias_count;
    for (; i > 0 && given < size; i--) {
        const struct machine_alias *alias = &record.aliases[i - 1];
        if (qualifier.len && !machine_alias_leads_to(alias, (uint32_t)version)) continue;
        if (given++ > 0) px_buf_add_char(&call->reply, ',');
        say_created(call, alias);
    }
    px_buf_add_char(&call->reply, ']');
    if (i > 0) px_buf_printf(&call->reply, ",\"nextToken\":\"%zu\"", i);
    px_buf_add_char(&call->reply, '}');
    sfn_answer(call);
}
