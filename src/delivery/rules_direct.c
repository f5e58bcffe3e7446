/* delivery/rules_direct.c - templates and roles of integrations of type "aws".
 *
 * Known is one action, states:StartExecution. A template names the machines, each by its alias, as text: what a caller says must not
 * choose one. The role may start exactly these, and use the key of what executions are given. */
#include "delivery/rules_direct.h"

#define STARTED_MAX 16

struct started {
    struct px_str arns[STARTED_MAX]; /* of machines, without the alias */
    size_t count;
};

static bool is_started(const struct started *started, struct px_str arn)
{
    for (size_t i = 0; i < started->count; i++)
        if (px_str_eq(started->arns[i], arn)) return true;
    return false;
}

static bool is_machine(struct verify *v, struct px_str arn)
{
    struct px_str name = {0};
    while (arn.len > 0) (void)px_str_cut(&arn, ':', &name);
    for (plan_each(v->plan, "aws_sfn_state_machine", it))
        if (px_str_eq(plan_text(it, "name"), name)) return true;
    return false;
}

/* "arn:...:stateMachine:NAME:live" of a template; an empty one asks for no machine. */
static void check_named(struct verify *v, struct plan_resource *api, struct px_str what,
                        struct px_str arn, struct started *started)
{
    static const struct px_str alias = {":live", 5};
    if (arn.len == 0) return;
    if (!px_str_ends(arn, alias) || memchr(arn.ptr, '$', arn.len)) {
        rule_find(v, api, "write the ARN of the machine's alias live into the template",
                  "%.*s starts %.*s, which is no machine's alias", PX_FMT(what), PX_FMT(arn));
        return;
    }
    arn.len -= alias.len;
    if (!is_machine(v, arn))
        rule_find(v, api, "make the machine, or take the route out of the contract",
                  "%.*s starts %.*s, which the plan does not have", PX_FMT(what), PX_FMT(arn));
    if (started->count < STARTED_MAX && !is_started(started, arn))
        started->arns[started->count++] = arn;
}

static void check_template(struct verify *v, struct plan_resource *api, struct px_str what,
                           struct px_str text, struct started *started)
{
    static const char member[] = "\"stateMachineArn\":\"";
    const char *found;
    while (text.len > 0 && (found = text_find(text, px_str(member, sizeof member - 1)))) {
        struct px_str arn;
        text = px_str_skip(text, (size_t)(found - text.ptr) + sizeof member - 1);
        if (!px_str_cut(&text, '"', &arn)) return;
        check_named(v, api, what, arn, started);
    }
}

/* The key of what executions are given is the one thing besides. */
static void check_start_statement(struct verify *v, struct plan_resource *role, struct px_str what,
                                  const struct rule_statement *s, const struct started *started)
{
    bool starts = false;
    if (s->not_actions || s->not_resources)
        rule_find(v, role, "name the action and the machines",
                  "it may do more than %.*s does: all but what it names", PX_FMT(what));
    for (size_t a = 0; a < value_count(s->actions); a++) {
        struct px_str action = value_str(value_item(s->actions, a));
        starts = starts || px_str_ieq(action, S("states:StartExecution"));
        if (!px_str_ieq(action, S("states:StartExecution")) &&
            !px_str_ieq(action, S("kms:Decrypt")) && !px_str_ieq(action, S("kms:GenerateDataKey")))
            rule_find(v, role, "take it out of the role's policy",
                      "it may do more than %.*s does: %.*s", PX_FMT(what), PX_FMT(action));
    }
    for (size_t r = 0; starts && r < value_count(s->resources); r++) {
        struct px_str arn = value_str(value_item(s->resources, r));
        if (!is_started(started, arn))
            rule_find(v, role, "allow what the contract's templates name and nothing else",
                      "it may start %.*s, which %.*s does not", PX_FMT(arn), PX_FMT(what));
    }
}

static bool may_start(const struct rule_statement *s, struct px_str arn)
{
    bool found = false;
    for (size_t r = 0; r < value_count(s->resources); r++)
        found = found || px_str_eq(value_str(value_item(s->resources, r)), arn);
    return found && rule_in_list(s->actions, "states:StartExecution");
}

static void check_start_role(struct verify *v, struct plan_resource *role, struct px_str what,
                             const struct started *started)
{
    struct rule_policy policies[16];
    size_t n = rule_role_policies(v, role, policies, PX_COUNT(policies));
    bool may[STARTED_MAX] = {0};
    for (size_t p = 0; p < n; p++) {
        struct rule_statement *statements = NULL;
        int count = policies[p].text ? rule_statements(v, policies[p].text, &statements) : -1;
        if (count < 0)
            rule_find(v, role, "write its policy in the same stack",
                      "what it may do cannot be read from the plan");
        for (int i = 0; i < count; i++) {
            if (!statements[i].allow) continue;
            check_start_statement(v, role, what, &statements[i], started);
            for (size_t k = 0; k < started->count; k++)
                may[k] = may[k] || may_start(&statements[i], started->arns[k]);
        }
    }
    for (size_t k = 0; k < started->count; k++)
        if (!may[k])
            rule_find(v, role, "allow states:StartExecution on the machine's own ARN",
                      "%.*s starts %.*s, which it may not", PX_FMT(what), PX_FMT(started->arns[k]));
}

void direct_check(struct verify *v, struct plan_resource *api, struct px_str what,
                  const struct value *integration)
{
    const struct value *templates = value_get(integration, S("requestTemplates"));
    struct started started = {0};
    for (size_t i = 0; value_is(templates, VALUE_MAP) && i < templates->map.count; i++)
        check_template(v, api, what, value_str(templates->map.fields[i].value), &started);
    if (started.count == 0)
        rule_find(v, api, "have its template name the alias of a machine",
                  "%.*s calls AWS for something that the plan cannot tell", PX_FMT(what));
    struct px_str credentials = value_str(value_get(integration, S("credentials")));
    for (plan_each(v->plan, "aws_iam_role", it)) {
        struct px_str end = px_arena_printf(v->arena, ":role/%.*s", PX_FMT(plan_text(it, "name")));
        if (!px_str_ends(credentials, end)) continue;
        check_start_role(v, it, what, &started);
        return;
    }
    rule_find(v, api, "make the role that `credentials` names in the same stack",
              "%.*s calls AWS as %.*s, a role that the plan does not have", PX_FMT(what),
              PX_FMT(credentials));
}
