/* delivery/rules_machines.c - see rules_machines.h. A machine's name is made of the prefix and its name in workflows.json, both known
 * before an apply; so is the region in its ARN.
 *
 * `operates` of a function are the machines that it runs for operators, `starts` the Express one that it starts and waits for. What
 * StartExecution starts is the alias: PV-WF-11. Which action asks for which kind of resource: Service Authorization Reference, "Actions,
 * resources, and condition keys for AWS Step Functions". */
#include "delivery/rules_machines.h"

#define MACHINE "stateMachine"
#define EXECUTION "execution"

struct use {
    const char *action, *kind; /* of what it is asked for */
};
static const struct use operating[] = {
    {"states:StartExecution", MACHINE},      {"states:ListExecutions", MACHINE},
    {"states:SendTaskFailure", MACHINE},     {"states:SendTaskSuccess", MACHINE},
    {"states:DescribeExecution", EXECUTION}, {"states:GetExecutionHistory", EXECUTION},
    {"states:RedriveExecution", EXECUTION},  {"states:StopExecution", EXECUTION},
};
static const struct use starting[] = {{"states:StartSyncExecution", MACHINE}};

static const struct use *use_of(struct px_str action, const struct use *uses, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (px_str_ieq(action, px_str_c(uses[i].action))) return &uses[i];
    return NULL;
}

/* The catalogue's name of the one machine of this region that an ARN is of, itself or all of its executions; empty: it is none. */
static struct px_str machine_of(struct verify *v, struct px_str arn, const char *kind)
{
    struct px_str rest = arn, part[7];
    struct px_str prefix = px_arena_printf(v->arena, "%.*s-", PX_FMT(v->plan->prefix));
    for (size_t i = 0; i < PX_COUNT(part); i++) (void)px_str_cut(&rest, ':', &part[i]);
    struct px_str head = px_str(arn.ptr, arn.len - rest.len - (rest.len > 0));
    bool whole = rule_is(px_str_c(kind), EXECUTION) ? rule_is(rest, "*") : rest.len == 0;
    bool named = rule_is(part[0], "arn") && rule_is(part[2], "states") &&
                 px_str_eq(part[3], v->plan->region) && px_str_eq(part[5], px_str_c(kind)) &&
                 px_str_starts(part[6], prefix) && !memchr(head.ptr, '*', head.len) &&
                 !memchr(head.ptr, '?', head.len);
    return whole && named ? px_str_skip(part[6], prefix.len) : (struct px_str){0};
}

static bool is_operated(const struct rule_function *f, struct px_str machine)
{
    const struct value *list = value_get(f->spec, S("operates"));
    for (size_t i = 0; i < value_count(list); i++)
        if (px_str_eq(value_str(value_item(list, i)), machine)) return true;
    return false;
}

/* ---- no more than the catalogue says ---- */

static void check_use(struct verify *v, const struct rule_function *f, struct plan_resource *holder,
                      struct px_str action, struct px_str resource)
{
    const struct use *use = use_of(action, operating, PX_COUNT(operating));
    const struct use *start = use_of(action, starting, PX_COUNT(starting));
    rule_look(v);
    if (!use && !start) {
        rule_find(v, holder, "remove the action: functions run machines, they do not change them",
                  "function %.*s may %.*s", PX_FMT(f->name), PX_FMT(action));
        return;
    }
    struct px_str machine = machine_of(v, resource, use ? use->kind : start->kind);
    bool may = use ? is_operated(f, machine)
                   : px_str_eq(value_str(value_get(f->spec, S("starts"))), machine);
    if (machine.len == 0 || !may)
        rule_find(
            v, holder,
            "name the machine, and name it in `operates` or `starts` of the function in platform/functions.json",
            "function %.*s may %.*s on %.*s, which the catalogue does not let it", PX_FMT(f->name),
            PX_FMT(action), PX_FMT(resource));
}

static void check_statement(struct verify *v, const struct rule_function *f,
                            struct plan_resource *holder, const struct rule_statement *s)
{
    for (size_t a = 0; s->allow && a < value_count(s->actions); a++) {
        struct px_str action = value_str(value_item(s->actions, a)), rest = action, service;
        (void)px_str_cut(&rest, ':', &service);
        if (!px_str_ieq(service, S("states"))) continue;
        for (size_t r = 0; r < PX_MAX(value_count(s->resources), 1); r++)
            check_use(v, f, holder, action, value_str(value_item(s->resources, r)));
    }
}

/* ---- and no less ---- */

static bool grants(struct verify *v, const struct rule_statement *s, const struct use *use,
                   struct px_str machine)
{
    if (!s->allow || !rule_in_list(s->actions, use->action)) return false;
    for (size_t r = 0; r < value_count(s->resources); r++)
        if (px_str_eq(machine_of(v, value_str(value_item(s->resources, r)), use->kind), machine))
            return true;
    return false;
}

struct role {
    const struct rule_function *f;
    struct rule_statement *statements[16];
    int counts[16];
    size_t policy_count;
};

static bool is_granted(struct verify *v, const struct role *role, const struct use *use,
                       struct px_str machine)
{
    rule_look(v);
    for (size_t p = 0; p < role->policy_count; p++)
        for (int i = 0; i < role->counts[p]; i++)
            if (grants(v, &role->statements[p][i], use, machine)) return true;
    return false;
}

static void find_missing(struct verify *v, const struct role *role, const struct use *use,
                         struct px_str machine)
{
    rule_find(v, role->f->resource,
              "add the statements to the role (infra/modules/sharding/functions.tf)",
              "no statement lets the function %s on %.*s, which the catalogue gives it",
              use->action, PX_FMT(machine));
}

/* Each action of each machine; of an action the first machine is told. */
static void check_granted(struct verify *v, const struct role *role)
{
    const struct value *list = value_get(role->f->spec, S("operates"));
    struct px_str started = value_str(value_get(role->f->spec, S("starts")));
    for (size_t u = 0; u < PX_COUNT(operating); u++)
        for (size_t i = 0; i < value_count(list); i++) {
            struct px_str machine = value_str(value_item(list, i));
            if (is_granted(v, role, &operating[u], machine)) continue;
            find_missing(v, role, &operating[u], machine);
            break;
        }
    for (size_t u = 0; started.len > 0 && u < PX_COUNT(starting); u++)
        if (!is_granted(v, role, &starting[u], started))
            find_missing(v, role, &starting[u], started);
}

static void check_function(struct verify *v, const struct rule_function *f,
                           struct plan_resource *aws_role)
{
    struct rule_policy policies[16];
    struct role role = {.f = f};
    role.policy_count = rule_role_policies(v, aws_role, policies, PX_COUNT(policies));
    for (size_t p = 0; p < role.policy_count; p++) {
        if (!policies[p].text) continue;
        role.counts[p] = rule_statements(v, policies[p].text, &role.statements[p]);
        for (int i = 0; i < role.counts[p]; i++)
            check_statement(v, f, policies[p].holder, &role.statements[p][i]);
    }
    check_granted(v, &role);
}

void runs_machines(struct verify *v)
{
    struct rule_function *all = NULL;
    if (!rule_has(v, v->functions, "functions.json")) return;
    size_t count = rule_functions(v, &all);
    for (size_t i = 0; i < count; i++) {
        struct plan_resource *role = all[i].resource
                                         ? plan_target(v->plan, plan_get(all[i].resource, "role"))
                                         : NULL;
        rule_look(v);
        if (role) check_function(v, &all[i], role); /* PV-IAM-07 says when there is none */
    }
}
