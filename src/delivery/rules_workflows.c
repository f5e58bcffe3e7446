/* delivery/rules_workflows.c - state machines as platform/workflows.json says. */
#include "delivery/rule.h"

#define MACHINES                                                                                   \
    "State machine definitions are deployed through infrastructure templates that ensure "         \
    "consistency across regions."
#define RETRIES                                                                                     \
    "State machines include comprehensive error handling with exponential backoff retry policies, " \
    "circuit breaker patterns, and fallback procedures for failed operations."
#define PATTERNS                                                                                   \
    "State machines utilize both synchronous and asynchronous integration patterns based on "      \
    "operation requirements."
#define DEFINITION_BYTES_MAX                                                                       \
    1048576 /* docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html */
#define STATES_DEPTH_MAX 16

static struct plan_resource *machine_of(struct verify *v, struct px_str name)
{
    struct px_str full = px_arena_printf(v->arena, "%.*s-%.*s", PX_FMT(v->plan->prefix),
                                         PX_FMT(name));
    for (plan_each(v->plan, "aws_sfn_state_machine", it))
        if (px_str_eq(plan_text(it, "name"), full)) return it;
    return NULL;
}

static const struct value *machines_of(struct verify *v)
{
    if (!rule_has(v, v->workflows, "workflows.json")) return NULL;
    const struct value *all = value_get(v->workflows, S("machines"));
    if (!all) all = value_get(v->workflows, S("workflows"));
    return value_is(all, VALUE_MAP) ? all : NULL;
}

static void exist(struct verify *v)
{
    const struct value *all = machines_of(v);
    for (size_t i = 0; all && i < all->map.count; i++) {
        struct plan_resource *machine = machine_of(v, all->map.fields[i].name);
        struct px_str type = value_str(value_get(all->map.fields[i].value, S("type")));
        rule_look(v);
        if (!machine) {
            rule_find(v, NULL, "make it in module workflows", "there is no state machine %.*s",
                      PX_FMT(all->map.fields[i].name));
            continue;
        }
        struct px_str own = plan_text(machine, "type");
        if (!px_str_eq(own.len > 0 ? own : S("STANDARD"), type))
            rule_find(v, machine, "take the type from platform/workflows.json",
                      "it is %.*s, but platform/workflows.json says %.*s", PX_FMT(own),
                      PX_FMT(type));
    }
    for (plan_each(v->plan, "aws_sfn_state_machine", it)) {
        bool known = !all;
        for (size_t i = 0; all && i < all->map.count; i++)
            known = known || machine_of(v, all->map.fields[i].name) == it;
        if (!known)
            rule_find(v, it, "add it to platform/workflows.json, or remove it",
                      "the state machine is not in platform/workflows.json");
    }
}

static bool needs_machines(struct verify *v)
{
    return rule_needs(v, "aws_sfn_state_machine", "module workflows makes the state machines");
}

static void logged(struct verify *v)
{
    if (!needs_machines(v)) return;
    for (plan_each(v->plan, "aws_sfn_state_machine", it)) {
        struct px_str level = plan_text(it, "logging_configuration.level");
        rule_look(v);
        if (level.len == 0 || rule_is(level, "OFF") ||
            !plan_is_set(it, "logging_configuration.log_destination"))
            rule_find(v, it, "set logging_configuration with level ERROR or more",
                      "what it does is not logged");
    }
}

static void traced(struct verify *v)
{
    if (!needs_machines(v)) return;
    for (plan_each(v->plan, "aws_sfn_state_machine", it)) {
        rule_look(v);
        if (!plan_truth(it, "tracing_configuration.enabled"))
            rule_find(v, it, "set tracing_configuration { enabled = true }", "it is not traced");
    }
}

static void aliased(struct verify *v)
{
    if (!needs_machines(v)) return;
    for (plan_each(v->plan, "aws_sfn_state_machine", it)) {
        rule_look(v);
        if (!plan_truth(it, "publish"))
            rule_find(v, it, "set publish = true", "no version is published");
        if (!rule_companion(v, "aws_sfn_alias", "routing_configuration.state_machine_version_arn",
                            it))
            rule_find(v, it, "add an aws_sfn_alias that callers start",
                      "it has no alias: a new definition would be live at once");
    }
}

/* ---- definitions ---- */

typedef void each_state(struct verify *v, struct plan_resource *machine, struct px_str name,
                        const struct value *state);

static void walk_states(struct verify *v, struct plan_resource *machine, const struct value *scope,
                        each_state *fn, unsigned depth)
{
    const struct value *states = value_get(scope, S("States"));
    if (depth > STATES_DEPTH_MAX) return;
    for (size_t i = 0; value_is(states, VALUE_MAP) && i < states->map.count; i++) {
        const struct value *state = states->map.fields[i].value;
        static const char *const inner[] = {"ItemProcessor", "Iterator"};
        const struct value *branches = value_get(state, S("Branches"));
        fn(v, machine, states->map.fields[i].name, state);
        for (size_t k = 0; k < PX_COUNT(inner); k++)
            walk_states(v, machine, value_get(state, px_str_c(inner[k])), fn, depth + 1);
        for (size_t b = 0; b < value_count(branches); b++)
            walk_states(v, machine, value_item(branches, b), fn, depth + 1);
    }
}

static const struct value *definition_of(struct verify *v, struct plan_resource *machine)
{
    const struct value *text = plan_get(machine, "definition");
    return value_is(text, VALUE_TEXT) ? value_parse(v->arena, text->text) : &value_unknown;
}

static void for_states(struct verify *v, each_state *fn)
{
    if (!needs_machines(v)) return;
    for (plan_each(v->plan, "aws_sfn_state_machine", it))
        walk_states(v, it, definition_of(v, it), fn, 0);
}

static void defined(struct verify *v)
{
    if (!needs_machines(v)) return;
    for (plan_each(v->plan, "aws_sfn_state_machine", it)) {
        const struct value *definition = definition_of(v, it);
        rule_look(v);
        if (!value_is(definition, VALUE_MAP)) {
            rule_find(v, it, "take it from platform/workflows/<name>.asl.json",
                      "its definition cannot be read from the plan");
            continue;
        }
        if (plan_text(it, "definition").len > DEFINITION_BYTES_MAX)
            rule_find(v, it, "split it", "its definition is over 1 MB");
        struct px_str start = value_str(value_get(definition, S("StartAt")));
        if (!value_get(value_get(definition, S("States")), start))
            rule_find(v, it, "name a state in StartAt", "it starts at %.*s, which is no state",
                      PX_FMT(start));
    }
}

static bool is_task(const struct value *state)
{
    return rule_is(value_str(value_get(state, S("Type"))), "Task");
}

/* A state may say why it does not retry or catch: "No retry: ..." in its Comment. */
static bool says_why(const struct value *state, const char *what)
{
    struct px_str comment = value_str(value_get(state, S("Comment")));
    struct px_str marker = px_str_c(what);
    for (size_t i = 0; i + marker.len <= comment.len; i++)
        if (px_str_ieq(px_str(comment.ptr + i, marker.len), marker)) return true;
    return false;
}

static void check_handling(struct verify *v, struct plan_resource *machine, struct px_str name,
                           const struct value *state)
{
    if (!is_task(state)) return;
    rule_look(v);
    if (value_count(value_get(state, S("Retry"))) == 0 && !says_why(state, "no retry"))
        rule_find(v, machine, "add Retry with BackoffRate, or say \"No retry: ...\" in its Comment",
                  "state %.*s gives up at the first error", PX_FMT(name));
    if (value_count(value_get(state, S("Catch"))) == 0 && !says_why(state, "no catch"))
        rule_find(v, machine, "add Catch, or say \"No catch: ...\" in its Comment",
                  "an error of state %.*s ends the execution with nobody told", PX_FMT(name));
    const struct value *retries = value_get(state, S("Retry"));
    for (size_t i = 0; i < value_count(retries); i++) {
        double rate = value_num(value_get(value_item(retries, i), S("BackoffRate")), 2);
        double attempts = value_num(value_get(value_item(retries, i), S("MaxAttempts")), 3);
        if (attempts > 0 && rate <= 1)
            rule_find(v, machine, "set BackoffRate over 1",
                      "state %.*s retries without growing pauses", PX_FMT(name));
    }
}

static void handled(struct verify *v) { for_states(v, check_handling); }

static void check_time(struct verify *v, struct plan_resource *machine, struct px_str name,
                       const struct value *state)
{
    if (!is_task(state)) return;
    struct px_str resource = value_str(value_get(state, S("Resource")));
    bool waits = px_str_ends(resource, S(".waitForTaskToken")) ||
                 px_str_ends(resource, S(".sync")) || px_str_ends(resource, S(".sync:2"));
    bool bounded = value_get(state, S("TimeoutSeconds")) ||
                   value_get(state, S("TimeoutSecondsPath"));
    rule_look(v);
    if (waits && !bounded)
        rule_find(v, machine, "set TimeoutSeconds on the state",
                  "state %.*s may wait for an answer for a year", PX_FMT(name));
}

static void bounded(struct verify *v)
{
    if (!needs_machines(v)) return;
    for (plan_each(v->plan, "aws_sfn_state_machine", it)) {
        const struct value *definition = definition_of(v, it);
        double seconds = value_num(value_get(definition, S("TimeoutSeconds")), -1);
        bool express = rule_is(plan_text(it, "type"), "EXPRESS");
        rule_look(v);
        if (seconds <= 0)
            rule_find(v, it, "set TimeoutSeconds in its definition",
                      "an execution that hangs is never ended");
        else if (express && seconds > 300)
            rule_find(v, it, "use 300 or less", "an express workflow ends after 300 s, not %.0f",
                      seconds);
    }
    for_states(v, check_time);
}

static void check_express(struct verify *v, struct plan_resource *machine, struct px_str name,
                          const struct value *state)
{
    struct px_str resource = value_str(value_get(state, S("Resource")));
    if (!rule_is(plan_text(machine, "type"), "EXPRESS")) return;
    rule_look(v);
    if (px_str_ends(resource, S(".waitForTaskToken")) || px_str_ends(resource, S(".sync")) ||
        px_str_ends(resource, S(".sync:2")))
        rule_find(v, machine, "use STANDARD, or do not wait",
                  "state %.*s waits, which express workflows cannot", PX_FMT(name));
}

static void express(struct verify *v) { for_states(v, check_express); }

/* ---- what the role must allow ---- */

struct called {
    const char *resource; /* how the state's Resource goes on behind states::: */
    const char *action;
};
static const struct called calls[] = {
    {"lambda:invoke", "lambda:InvokeFunction"},
    {"sns:publish", "sns:Publish"},
    {"sqs:sendMessage", "sqs:SendMessage"},
    {"dynamodb:getItem", "dynamodb:GetItem"},
    {"dynamodb:putItem", "dynamodb:PutItem"},
    {"dynamodb:updateItem", "dynamodb:UpdateItem"},
    {"dynamodb:deleteItem", "dynamodb:DeleteItem"},
    {"states:startExecution", "states:StartExecution"},
    {"events:putEvents", "events:PutEvents"},
    {"aws-sdk:s3:getObject", "s3:GetObject"},
    {"aws-sdk:s3:putObject", "s3:PutObject"},
    {"aws-sdk:s3:listObjectsV2", "s3:ListBucket"},
    {"aws-sdk:efs:createAccessPoint", "elasticfilesystem:CreateAccessPoint"},
    {"aws-sdk:efs:deleteAccessPoint", "elasticfilesystem:DeleteAccessPoint"},
    {"aws-sdk:efs:describeAccessPoints", "elasticfilesystem:DescribeAccessPoints"},
    {"aws-sdk:apigateway:createApiKey", "apigateway:POST"},
    {"aws-sdk:apigateway:createUsagePlanKey", "apigateway:POST"},
    {"aws-sdk:apigateway:deleteApiKey", "apigateway:DELETE"},
    {"aws-sdk:apigateway:deleteUsagePlanKey", "apigateway:DELETE"},
    {"aws-sdk:apigateway:getApiKeys", "apigateway:GET"},
};

static struct px_str action_of(struct px_str resource)
{
    if (text_find(resource, S(":function:"))) return S("lambda:InvokeFunction");
    const char *found = resource.len > 0 ? text_find(resource, S(":states:::")) : NULL;
    if (!found) return S("");
    struct px_str rest = px_str_skip(resource, (size_t)(found + 10 - resource.ptr));
    for (size_t i = 0; i < PX_COUNT(calls); i++) {
        struct px_str want = px_str_c(calls[i].resource);
        bool whole = rest.len == want.len || (rest.len > want.len && rest.ptr[want.len] == '.');
        if (px_str_starts(rest, want) && whole) return px_str_c(calls[i].action);
    }
    return S("");
}

static bool role_allows(struct verify *v, struct plan_resource *role, struct px_str action)
{
    struct rule_policy policies[16];
    size_t n = rule_role_policies(v, role, policies, PX_COUNT(policies));
    for (size_t p = 0; p < n; p++) {
        struct rule_statement *statements = NULL;
        int count = policies[p].text ? rule_statements(v, policies[p].text, &statements) : 0;
        for (int i = 0; i < count; i++)
            for (size_t a = 0; statements[i].allow && a < value_count(statements[i].actions); a++)
                if (px_str_ieq(value_str(value_item(statements[i].actions, a)), action))
                    return true;
    }
    return false;
}

static void check_allowed(struct verify *v, struct plan_resource *machine, struct px_str name,
                          const struct value *state)
{
    struct px_str action = action_of(value_str(value_get(state, S("Resource"))));
    struct plan_resource *role = plan_target(v->plan, plan_get(machine, "role_arn"));
    if (!is_task(state) || action.len == 0) return;
    rule_look(v);
    if (!role)
        rule_find(v, machine, "make its role in the same stack", "its role is not in the plan");
    else if (!role_allows(v, role, action))
        rule_find(v, machine, "add what it may touch to platform/workflows.json",
                  "state %.*s needs %.*s, which its role does not allow", PX_FMT(name),
                  PX_FMT(action));
}

static void allowed(struct verify *v) { for_states(v, check_allowed); }

/* The machine that a schedule starts, by itself or through its alias. */
static struct plan_resource *started_by(struct verify *v, struct plan_resource *schedule)
{
    struct plan_resource *target = plan_target(v->plan, plan_get(schedule, "target.arn"));
    if (!target || !rule_is(target->type, "aws_sfn_alias")) return target;
    return plan_target(v->plan,
                       plan_get(target, "routing_configuration.state_machine_version_arn"));
}

static bool is_started(struct verify *v, struct plan_resource *machine,
                       const struct value *expression)
{
    for (plan_each(v->plan, "aws_scheduler_schedule", it))
        if (started_by(v, it) == machine &&
            value_equal(plan_get(it, "schedule_expression"), expression) == 1)
            return true;
    return false;
}

static void scheduled(struct verify *v)
{
    const struct value *all = machines_of(v);
    for (size_t i = 0; all && i < all->map.count; i++) {
        const struct value *schedules = value_get(all->map.fields[i].value, S("schedules"));
        struct plan_resource *machine = machine_of(v, all->map.fields[i].name);
        for (size_t k = 0; machine && value_is(schedules, VALUE_MAP) && k < schedules->map.count;
             k++) {
            const struct value *expression = value_get(schedules->map.fields[k].value,
                                                       S("expression"));
            rule_look(v);
            if (!is_started(v, machine, expression))
                rule_find(v, machine, "make the schedules of platform/workflows.json",
                          "nothing starts it at %.*s, its schedule %.*s",
                          PX_FMT(value_shown(v->arena, expression)),
                          PX_FMT(schedules->map.fields[k].name));
        }
    }
}

/* ---- everybody starts the alias ---- */

#define QUALIFIER "states:StateMachineQualifier"

static void check_start(struct verify *v, struct plan_resource *machine, struct px_str name,
                        const struct value *state)
{
    struct px_str action = action_of(value_str(value_get(state, S("Resource"))));
    if (!is_task(state) || !px_str_eq(action, S("states:StartExecution"))) return;
    const struct value *given = value_get(state, S("Parameters"));
    if (!given) given = value_get(state, S("Arguments"));
    rule_look(v);
    if (!px_str_ends(value_str(value_get(given, S("StateMachineArn"))), S(":live")))
        rule_find(v, machine, "end its StateMachineArn with :live",
                  "state %.*s starts a machine past its alias", PX_FMT(name));
}

/* Step Functions asks for a permission on the machine's own ARN, whatever is named behind it, which a condition can tell.
 * Source: Step Functions developer guide, "Authorization for versions and aliases". */
static void check_starter(struct verify *v, struct plan_resource *role,
                          const struct rule_policy *policy)
{
    struct rule_statement *statements = NULL;
    int count = policy->text ? rule_statements(v, policy->text, &statements) : 0;
    for (int i = 0; i < count; i++) {
        const struct rule_statement *s = &statements[i];
        if (!s->allow || (!rule_in_list(s->actions, "states:StartExecution") &&
                          !rule_in_list(s->actions, "states:StartSyncExecution")))
            continue;
        rule_look(v);
        if (!rule_has_condition(s, QUALIFIER))
            rule_find(v, role, "add the condition " QUALIFIER " = live",
                      "it may start machines past their aliases");
        for (size_t r = 0; r < value_count(s->resources); r++)
            if (px_str_ends(value_str(value_item(s->resources, r)), S(":live")))
                rule_find(v, role, "name the machine's own ARN",
                          "a permission on an alias's ARN lets nobody start it");
    }
}

static void by_alias(struct verify *v)
{
    if (!needs_machines(v)) return;
    for (plan_each(v->plan, "aws_scheduler_schedule", it)) {
        struct plan_resource *target = plan_target(v->plan, plan_get(it, "target.arn"));
        if (!target || !px_str_starts(target->type, S("aws_sfn_"))) continue;
        rule_look(v);
        if (!rule_is(target->type, "aws_sfn_alias"))
            rule_find(v, it, "target the alias of the machine",
                      "the schedule starts a machine past its alias");
    }
    for_states(v, check_start);
    for (plan_each(v->plan, "aws_iam_role", it)) {
        struct rule_policy policies[16];
        size_t n = rule_role_policies(v, it, policies, PX_COUNT(policies));
        for (size_t p = 0; p < n; p++) check_starter(v, it, &policies[p]);
    }
}

const struct verify_rule rules_workflows[] = {
    {"PV-WF-01", "The state machines are those of workflows.json", MACHINES,
     "names and types are compared with platform/workflows.json", VERIFY_REGION, VERIFY_ERROR,
     exist},
    {"PV-WF-02", "State machines log", MACHINES, "level and destination of each machine's log",
     VERIFY_REGION, VERIFY_ERROR, logged},
    {"PV-WF-03", "State machines are traced",
     "AWS X-Ray provides distributed tracing capabilities across Lambda functions and AWS services.",
     "tracing of each machine", VERIFY_REGION, VERIFY_ERROR, traced},
    {"PV-WF-04", "State machines have versions and aliases", MACHINES, "publish and aws_sfn_alias",
     VERIFY_REGION, VERIFY_ERROR, aliased},
    {"PV-WF-05", "Definitions are whole and fit", MACHINES, "JSON, StartAt, under 1 MB",
     VERIFY_REGION, VERIFY_ERROR, defined},
    {"PV-WF-06", "Every task retries and catches", RETRIES,
     "Retry with growing pauses and Catch on each Task, or a reason in its Comment", VERIFY_REGION,
     VERIFY_ERROR, handled},
    {"PV-WF-07", "Nothing waits for ever",
     "Long-running operations use asynchronous patterns to avoid timeout issues, while critical path "
     "operations use synchronous patterns for immediate feedback.",
     "TimeoutSeconds of machines and of tasks that wait for an answer", VERIFY_REGION, VERIFY_ERROR,
     bounded},
    {"PV-WF-08", "Roles allow what definitions call", PATTERNS,
     "actions of each Task are looked for in the role's policies", VERIFY_REGION, VERIFY_ERROR,
     allowed},
    {"PV-WF-09", "Express workflows do not wait", PATTERNS,
     "no .sync and no task tokens in express", VERIFY_REGION, VERIFY_ERROR, express},
    {"PV-WF-10", "Schedules are those of workflows.json",
     "Step Functions state machines coordinate complex multi-step operations including tenant "
     "migrations, data lifecycle management, and cross-service orchestration.",
     "schedules are compared and followed to the machines that they start", VERIFY_REGION,
     VERIFY_ERROR, scheduled},
    {"PV-WF-11", "Everybody starts a machine's alias", MACHINES,
     "targets of schedules, StateMachineArn of tasks, and a condition in each role that may start",
     VERIFY_REGION, VERIFY_ERROR, by_alias},
    {0},
};
