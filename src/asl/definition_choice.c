/* asl/definition_choice.c - Choices. The shape of a rule in JSONPath is checked here, its values where it is compiled (choice.h):
 * a rule is one of And, Or, Not and Variable, and a Variable has one comparison.
 *
 * Sources: states-language.net, "Choice State"; developer guide, "Choice workflow state". */
#include <stdio.h>

#include "asl/fields.h"

#define LIST_BYTES 256

/* ---- the shape of a rule ---- */

static bool takes(struct px_str *rest, const char *word)
{
    struct px_str head = px_str_c(word);
    if (!px_str_starts(*rest, head)) return false;
    *rest = px_str_skip(*rest, head.len);
    return true;
}

/* <type>Equals, or of an ordered type also LessThan, GreaterThanEquals and so on, each with Path for a value of the input;
 * Is<type>; StringMatches. */
static bool is_comparison(struct px_str name)
{
    static const char *const kinds[] = {"String",    "Numeric", "Boolean",
                                        "Timestamp", "Null",    "Present"};
    struct px_str rest = name;
    if (takes(&rest, "Is")) {
        for (size_t i = 0; i < PX_COUNT(kinds); i++)
            if (px_str_eq(rest, px_str_c(kinds[i]))) return true;
        return false;
    }
    bool ordered = takes(&rest, "String") || takes(&rest, "Numeric") || takes(&rest, "Timestamp");
    if (!ordered && !takes(&rest, "Boolean")) return false;
    if (px_str_eq(name, S("StringMatches"))) return true;
    bool compares = ordered && (takes(&rest, "LessThan") || takes(&rest, "GreaterThan"));
    compares = takes(&rest, "Equals") || compares;
    (void)takes(&rest, "Path");
    return compares && rest.len == 0;
}

static bool is_one_of(struct px_str name, const char *const *names)
{
    for (; *names; names++)
        if (px_str_eq(name, px_str_c(*names))) return true;
    return false;
}

static const char *const selectors[] = {"And", "Or", "Not", "Variable", NULL};
/* In a rule of Choices itself; what is wrong with their values the table of fields tells. */
static const char *const top_members[] = {"Next", "Assign", "Condition", "Output", NULL};

struct counts {
    size_t selectors, comparisons;
    char list[LIST_BYTES]; /* the comparisons */
};

static void count_member(struct asl_check *check, const struct asl_place *place, struct px_str name,
                         bool top, struct counts *counts)
{
    if (is_one_of(name, selectors)) {
        counts->selectors++;
    } else if (is_comparison(name)) {
        size_t used = strlen(counts->list);
        counts->comparisons++;
        (void)snprintf(counts->list + used, LIST_BYTES - used, "%s%.*s", used > 0 ? ", " : "",
                       PX_FMT(name));
    } else if (!px_str_eq(name, S("Comment")) && !(top && is_one_of(name, top_members))) {
        asl_problem(check, place, ASL_C_SCHEMA, "Field '%.*s' is not supported", PX_FMT(name));
    }
}

static void check_counts(struct asl_check *check, const struct asl_place *place, bool compares,
                         const struct counts *counts)
{
    if (counts->selectors != 1)
        asl_problem(
            check, place, ASL_C_SCHEMA,
            "The object must have only one of the following fields, [And, Or, Not, Variable, "
            "Condition]");
    else if (compares && counts->comparisons == 0)
        asl_problem(check, place, ASL_C_SCHEMA,
                    "This object should have only one of the comparison operators");
    else if (compares && counts->comparisons > 1)
        asl_problem(check, place, ASL_C_SCHEMA,
                    "There should only be one of the following fields: [%s]", counts->list);
    else if (!compares && counts->comparisons > 0)
        asl_problem(check, place, ASL_C_SCHEMA, "Field '%s' is not supported", counts->list);
}

/* As deep as the JSON parser lets a definition be. */
static void check_shape(struct asl_check *check, const struct asl_place *place, yyjson_val *rule,
                        bool top)
{
    struct counts counts = {0};
    size_t i, n;
    yyjson_val *key, *val, *each;
    if (!yyjson_is_obj(rule)) return; /* told when it is compiled */
    yyjson_obj_foreach(rule, i, n, key, val)
        count_member(check, place, px_json_val_str(key), top, &counts);
    check_counts(check, place, yyjson_obj_get(rule, "Variable") != NULL, &counts);
    for (size_t k = 0; k < 2; k++) {
        struct asl_place list = asl_named_place(place, rule, selectors[k]);
        px_json_arr_foreach(px_json_arr(rule, selectors[k]), i, n, each)
        {
            struct asl_place at = asl_element_place(&list, i, each);
            check_shape(check, &at, each, false);
        }
    }
    struct asl_place not = asl_named_place(place, rule, "Not");
    check_shape(check, &not, yyjson_obj_get(rule, "Not"), false);
}

/* ---- rules ---- */

static const struct asl_rule *read_comparison(const struct asl_reader *r)
{
    bool before = r->check->refused;
    r->check->refused = false;
    check_shape(r->check, r->place, r->object, true);
    bool fine = !r->check->refused;
    r->check->refused = r->check->refused || before;
    return fine ? asl_read_rule(r) : NULL;
}

static void read_rule(const struct asl_reader *r, const struct asl_flow *flow,
                      struct asl_choice_rule *rule)
{
    if (!asl_check_object(r, ASL_O_RULE)) return;
    rule->next = asl_read_target(r, flow, "Next");
    rule->assign = asl_read_assign(r);
    if (r->language == ASL_JSONATA) {
        rule->condition = asl_read_field(r, "Condition", NULL);
        rule->output = asl_read_template(r, "Output");
    } else if (!yyjson_obj_get(r->object, "Condition")) {
        rule->rule = read_comparison(r);
    }
}

void asl_read_choice(const struct asl_reader *r, struct asl_state *state)
{
    yyjson_val *list = px_json_arr(r->object, "Choices"), *object;
    struct asl_place list_place = asl_named_place(r->place, r->object, "Choices");
    size_t i, n = yyjson_arr_size(list);
    struct asl_choice_rule *rules = asl_check_array(r->check, struct asl_choice_rule, n);
    if (!rules) return;
    px_json_arr_foreach(list, i, n, object)
    {
        struct asl_place place = asl_element_place(&list_place, i, object);
        struct asl_reader at = {r->check, &place, object, r->language};
        read_rule(&at, state->flow, &rules[i]);
    }
    state->of.choice.rules = rules;
    state->of.choice.rule_count = n;
    state->of.choice.otherwise = asl_read_target(r, state->flow, "Default");
}
