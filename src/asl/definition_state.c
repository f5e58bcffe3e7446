/* asl/definition_state.c - a state by its type. */
#include <stdio.h>

#include "asl/fields.h"
#include "asl/resource.h"

/* ---- Task ---- */

static void check_pattern(struct asl_check *check, const struct asl_place *place,
                          const struct asl_resource *resource)
{
    if (check->type != ASL_EXPRESS) return;
    if (resource->kind == ASL_RESOURCE_ACTIVITY)
        asl_problem(check, place, ASL_C_SCHEMA,
                    "Express state machine does not support Activity ARN");
    else if (resource->pattern == ASL_TASK_TOKEN) /* the blank at its end is theirs */
        asl_problem(check, place, ASL_C_SCHEMA,
                    "Express state machine does not support '.waitForTaskToken' service "
                    "integration ");
    else if (resource->pattern != ASL_REQUEST_RESPONSE)
        asl_problem(check, place, ASL_C_SCHEMA,
                    "Express state machine does not support '%s' service integration",
                    asl_pattern_suffix(resource->pattern));
}

static bool has_member(yyjson_val *object, const char *name)
{
    char computed[64];
    (void)snprintf(computed, sizeof computed, "%s.$", name);
    return yyjson_obj_get(object, name) || yyjson_obj_get(object, computed);
}

static void check_payload(const struct asl_reader *r, const struct asl_resource *resource)
{
    const char *name = r->language == ASL_JSONATA ? "Arguments" : "Parameters";
    yyjson_val *payload = yyjson_obj_get(r->object, name);
    const char *need;
    if (resource->kind != ASL_RESOURCE_SERVICE) return;
    if (!payload)
        asl_problem(r->check, r->place, ASL_C_SCHEMA, "%s field is required for resource ARN: %.*s",
                    name, PX_FMT(resource->arn));
    if (!yyjson_is_obj(payload)) return;
    struct asl_place place = asl_named_place(r->place, r->object, name);
    for (size_t i = 0; (need = asl_resource_needs(resource, i)) != NULL; i++)
        if (!has_member(payload, need))
            asl_problem(r->check, &place, ASL_C_SCHEMA,
                        "The field '%s' is required but was missing", need);
}

static void read_resource(const struct asl_reader *r, struct asl_resource *resource)
{
    yyjson_val *val = yyjson_obj_get(r->object, "Resource");
    struct px_str arn = px_json_val_str(val);
    struct asl_place place = asl_named_place(r->place, r->object, "Resource");
    if (!yyjson_is_str(val)) return;
    int answer = asl_resource_parse(arn, resource);
    if (answer == ASL_RESOURCE_NO_ARN)
        asl_problem(r->check, &place, ASL_C_SCHEMA, "Value is not a valid resource ARN");
    else if (answer == ASL_RESOURCE_UNKNOWN)
        asl_problem(r->check, &place, ASL_C_SCHEMA,
                    "The resource provided %.*s is not recognized. The value is not a valid "
                    "resource ARN, or the resource is not available in this region.",
                    PX_FMT(arn));
    if (answer != 0) return;
    check_pattern(r->check, &place, resource);
    check_payload(r, resource);
}

static void read_credentials(const struct asl_reader *r, struct asl_task *task)
{
    yyjson_val *credentials = px_json_obj(r->object, "Credentials");
    struct asl_place place = asl_named_place(r->place, r->object, "Credentials");
    struct asl_reader at = {r->check, &place, credentials, r->language};
    if (!credentials) return;
    if (task->resource.kind == ASL_RESOURCE_ACTIVITY && task->resource.arn.len > 0)
        asl_problem(r->check, r->place, ASL_C_SCHEMA,
                    "The field 'Credentials' is not supported for activities");
    (void)asl_check_object(&at, ASL_O_CREDENTIALS);
    if (!has_member(credentials, "RoleArn"))
        asl_problem(r->check, &place, ASL_C_SCHEMA,
                    "The field 'RoleArn' is required but was missing");
    task->role = asl_read_field(&at, "RoleArn", "RoleArn.$");
}

static bool written_seconds(const struct asl_field *field, int64_t *ret_seconds)
{
    if (field->kind != ASL_FIELD_WRITTEN || !yyjson_is_int(field->written)) return false;
    *ret_seconds = yyjson_get_sint(field->written);
    return true;
}

static void read_task(const struct asl_reader *r, struct asl_state *state)
{
    struct asl_task *task = &state->of.task;
    int64_t timeout_s, heartbeat_s;
    read_resource(r, &task->resource);
    read_credentials(r, task);
    task->payload = asl_read_payload(r);
    task->timeout_s = asl_read_field(r, "TimeoutSeconds", "TimeoutSecondsPath");
    task->heartbeat_s = asl_read_field(r, "HeartbeatSeconds", "HeartbeatSecondsPath");
    struct asl_place place = asl_named_place(r->place, r->object, "HeartbeatSeconds");
    if (written_seconds(&task->timeout_s, &timeout_s) &&
        written_seconds(&task->heartbeat_s, &heartbeat_s) && heartbeat_s >= timeout_s)
        asl_problem(r->check, &place, ASL_C_SCHEMA,
                    "HeartbeatSeconds must be smaller than TimeoutSeconds");
}

/* ---- the others ---- */

static void read_pass(const struct asl_reader *r, struct asl_state *state)
{
    if (r->language == ASL_JSONATA) return;
    state->of.pass.result = yyjson_obj_get(r->object, "Result");
    state->of.pass.parameters = asl_read_payload(r);
    asl_warn_of_paths(r, "Result");
}

static void read_wait(const struct asl_reader *r, struct asl_state *state)
{
    state->of.wait.seconds = asl_read_field(r, "Seconds", "SecondsPath");
    state->of.wait.timestamp = asl_read_field(r, "Timestamp", "TimestampPath");
}

static void read_fail(const struct asl_reader *r, struct asl_state *state)
{
    state->of.fail.error = asl_read_field(r, "Error", "ErrorPath");
    state->of.fail.cause = asl_read_field(r, "Cause", "CausePath");
}

static struct asl_flow *read_branch(const struct asl_reader *r, const struct asl_state *owner,
                                    uint32_t branch)
{
    struct asl_flow *flow = asl_check_array(r->check, struct asl_flow, 1);
    if (!flow) return NULL;
    flow->owner = owner;
    flow->branch = branch;
    /* a block of states has no language of its own: nothing of it can be of the wrong one */
    if (asl_check_object(r, ASL_O_BRANCH)) asl_read_flow(r->check, r->place, r->object, flow);
    return flow;
}

static void read_parallel(const struct asl_reader *r, struct asl_state *state)
{
    yyjson_val *list = px_json_arr(r->object, "Branches"), *object;
    struct asl_place list_place = asl_named_place(r->place, r->object, "Branches");
    size_t i, n = yyjson_arr_size(list);
    const struct asl_flow **branches = asl_check_array(r->check, const struct asl_flow *, n);
    state->of.parallel.payload = asl_read_payload(r);
    if (!branches) return;
    px_json_arr_foreach(list, i, n, object)
    {
        struct asl_place place = asl_element_place(&list_place, i, object);
        struct asl_reader at = {r->check, &place, object, r->language};
        branches[i] = read_branch(&at, state, (uint32_t)i);
    }
    state->of.parallel.branches = branches;
    state->of.parallel.branch_count = n;
}

static void read_nothing(const struct asl_reader *r, struct asl_state *state)
{
    (void)r, (void)state;
}

static const struct {
    const char *name;
    void (*read)(const struct asl_reader *r, struct asl_state *state);
} types[] = {
    [ASL_TASK] = {"Task", read_task},
    [ASL_PASS] = {"Pass", read_pass},
    [ASL_CHOICE] = {"Choice", asl_read_choice},
    [ASL_WAIT] = {"Wait", read_wait},
    [ASL_SUCCEED] = {"Succeed", read_nothing},
    [ASL_FAIL] = {"Fail", read_fail},
    [ASL_PARALLEL] = {"Parallel", read_parallel},
    [ASL_MAP] = {"Map", asl_read_map},
};
const char *asl_state_type_name(enum asl_state_type type) { return types[type].name; }

static bool read_type(const struct asl_reader *r, enum asl_state_type *ret_type)
{
    yyjson_val *val = yyjson_obj_get(r->object, "Type");
    struct asl_place place = asl_named_place(r->place, r->object, "Type");
    if (!val) {
        asl_problem(r->check, r->place, ASL_C_SCHEMA, "These fields are required: [Type]");
        return false;
    }
    for (size_t i = 0; i < PX_COUNT(types); i++) {
        if (!px_str_eq(px_json_val_str(val), px_str_c(types[i].name))) continue;
        *ret_type = (enum asl_state_type)i;
        return true;
    }
    asl_problem(r->check, &place, ASL_C_SCHEMA,
                "Value should be one of the following: [Task, Pass, Choice, Wait, Succeed, Fail, "
                "Parallel, Map]");
    return false;
}

/* What is not the word JSONPath is JSONata, as Step Functions has it; a wrong word is told by the table. */
static enum asl_language read_language(const struct asl_check *check, yyjson_val *object)
{
    yyjson_val *val = yyjson_obj_get(object, "QueryLanguage");
    if (!val) return check->language;
    return px_str_eq(px_json_val_str(val), S("JSONPath")) ? ASL_JSONPATH : ASL_JSONATA;
}

static void read_data_flow(const struct asl_reader *r, struct asl_state *state)
{
    state->input_path = asl_read_path(r, "InputPath");
    state->output_path = asl_read_path(r, "OutputPath");
    state->result_path = asl_read_path(r, "ResultPath");
    if (r->language == ASL_JSONPATH)
        state->result_selector = asl_read_template(r, "ResultSelector");
    else
        state->output = asl_read_template(r, "Output");
    state->assign = asl_read_assign(r);
}

bool asl_read_state(struct asl_check *check, const struct asl_place *place, yyjson_val *object,
                    struct asl_state *state)
{
    struct asl_reader r = {check, place, object, ASL_JSONPATH};
    if (!yyjson_is_obj(object)) {
        asl_problem(check, place, ASL_C_SCHEMA, "Expected value of type [OBJECT]");
        return false;
    }
    if (!read_type(&r, &state->type)) return false;
    state->language = r.language = read_language(check, object);
    if (check->language == ASL_JSONATA && state->language == ASL_JSONPATH) {
        /* the whole answer for this state: its fields are right in the language that it may not have */
        asl_problem(check, place, ASL_C_SCHEMA,
                    "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state "
                    "machine");
        return false;
    }
    (void)asl_check_object(&r, (enum asl_object)(1u << state->type));
    state->next = asl_read_target(&r, state->flow, "Next");
    read_data_flow(&r, state);
    asl_read_retriers(&r, state);
    asl_read_catchers(&r, state);
    types[state->type].read(&r, state);
    if (r.language == ASL_JSONATA) asl_check_references(&r);
    return true;
}

bool asl_state_edge(const struct asl_state *state, size_t i, struct asl_edge *ret_edge)
{
    size_t rules = state->type == ASL_CHOICE ? state->of.choice.rule_count : 0;
    if (i == 0) {
        *ret_edge = (struct asl_edge){ASL_EDGE_NEXT, 0, state->next};
    } else if (i <= rules) {
        *ret_edge = (struct asl_edge){ASL_EDGE_RULE, i - 1, state->of.choice.rules[i - 1].next};
    } else if (i == rules + 1) {
        *ret_edge = (struct asl_edge){ASL_EDGE_DEFAULT, 0, NULL};
        if (state->type == ASL_CHOICE) ret_edge->to = state->of.choice.otherwise;
    } else {
        size_t catcher = i - rules - 2;
        if (catcher >= state->catcher_count) return false;
        *ret_edge = (struct asl_edge){ASL_EDGE_CATCH, catcher, state->catchers[catcher].next};
    }
    return true;
}
