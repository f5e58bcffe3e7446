/* Definitions written with ' for ", and what is told of them. */
#pragma once

#include "support/support.h"

#include "asl/definition.h"

struct rule {
    const char *what, *text;
    enum asl_machine_type type;
    const char *code, *place, *message; /* NULL: accepted */
};

/* One state, A, of a machine. */
#define ONE(state) "{'StartAt':'A','States':{'A':" state "}}"
#define ONE_JSONATA(state) "{'QueryLanguage':'JSONata','StartAt':'A','States':{'A':" state "}}"
#define FLOW(state) "{'StartAt':'B','States':{'B':" state "}}"
#define PASS_B "{'StartAt':'B','States':{'B':{'Type':'Pass','End':true}}}"

__attribute__((unused)) static struct px_str quoted(struct test *t, const char *text)
{
    struct px_str copy = px_arena_dup(&t->arena, px_str_c(text));
    char *at = (char *)(uintptr_t)copy.ptr;
    for (size_t i = 0; i < copy.len; i++)
        if (at[i] == '\'') at[i] = '"';
    return copy;
}

static void show(const struct asl_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct asl_problem *p = &problems->list[i];
        print_error("  %s: %s: %.*s at %.*s\n", p->warning ? "warning" : "error", p->code,
                    PX_FMT(p->message), PX_FMT(p->place));
    }
}

__attribute__((unused)) static const struct asl_machine *parsed(struct test *t, const char *text,
                                                                enum asl_machine_type type,
                                                                struct asl_problems *problems)
{
    const struct asl_machine *machine = NULL;
    int r = asl_machine_parse(quoted(t, text), type, NULL, &t->arena, &machine, problems);
    if (r < 0) TEST_FAIL("fault %d", r);
    CHECK((r == 0) == (machine != NULL));
    return machine;
}

static const struct asl_problem *find_problem(const struct asl_problems *problems,
                                              const struct rule *rule)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct asl_problem *p = &problems->list[i];
        if (strcmp(p->code, rule->code) == 0 && px_str_eq(p->place, px_str_c(rule->place)) &&
            px_str_starts(p->message, px_str_c(rule->message)))
            return p;
    }
    return NULL;
}

__attribute__((unused)) static void check_rules(struct test *t, const struct rule *rules,
                                                size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct rule *rule = &rules[i];
        struct asl_problems problems = {0};
        const struct asl_machine *machine = parsed(t, rule->text, rule->type, &problems);
        bool fine = rule->code ? !machine && find_problem(&problems, rule) : machine != NULL;
        if (fine) continue;
        show(&problems);
        TEST_FAIL("%s: %s, expected %s at %s", rule->what, machine ? "accepted" : "refused",
                  rule->code ? rule->message : "none", rule->code ? rule->place : "");
    }
}
#define CHECK_RULES(rules) check_rules(t, (rules), PX_COUNT(rules))
