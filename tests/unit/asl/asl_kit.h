/* tests/unit/asl/asl_kit.h - a step to evaluate in, JSON with single quotes, and an engine for JSONata that answers as told. */
#pragma once

#include "support/support_alloc.h"

#include "asl/expr.h"
#include "asl/jsonata.h"

struct kit {
    struct test *t;
    struct asl_values values;
    struct asl_scope scope;
    struct asl_failure failure;
    uint64_t dice; /* the next random number; counts up by `dice_step` */
    uint64_t dice_step;
};

__attribute__((unused)) static uint64_t kit_random(void *ctx)
{
    struct kit *kit = ctx;
    return kit->dice += kit->dice_step;
}

/* {'a':1} with the quotes of JSON. */
__attribute__((unused)) static struct px_str kit_quoted(struct px_arena *arena, const char *text)
{
    struct px_str copy = px_arena_dup(arena, px_str_c(text));
    char *bytes = (char *)(uintptr_t)copy.ptr;
    for (size_t i = 0; bytes && i < copy.len; i++)
        if (bytes[i] == '\'') bytes[i] = '"';
    return copy;
}

__attribute__((unused)) static yyjson_val *kit_fixed(struct kit *kit, const char *text)
{
    yyjson_val *value = NULL;
    CHECK_OK(px_json_parse(kit_quoted(&kit->t->arena, text), &kit->t->arena, &value, NULL));
    return value;
}
__attribute__((unused)) static yyjson_mut_val *kit_value(struct kit *kit, const char *text)
{
    yyjson_mut_val *value = NULL;
    CHECK_OK(asl_value_parse(&kit->values, kit_quoted(&kit->t->arena, text), &value, NULL));
    return value;
}
/* As text, with single quotes for the eye. */
__attribute__((unused)) static struct px_str kit_text(struct kit *kit, yyjson_mut_val *value)
{
    struct px_str text = {0};
    CHECK_OK(asl_value_write(&kit->values, value, &text));
    char *bytes = (char *)(uintptr_t)text.ptr;
    for (size_t i = 0; i < text.len; i++)
        if (bytes[i] == '"') bytes[i] = '\'';
    return text;
}

__attribute__((unused)) static void kit_init(struct kit *kit, struct test *t, const char *input)
{
    *kit = (struct kit){.t = t, .dice_step = 1};
    CHECK_OK(asl_values_init(&kit->values, &t->arena));
    kit->scope = (struct asl_scope){
        .values = &kit->values, .random = kit_random, .random_ctx = kit};
    kit->scope.input = kit_value(kit, input);
    kit->scope.context = kit_value(
        kit,
        "{'Execution':{'Id':'arn:1','Input':{'n':7}},'State':{'Name':'Pass'},'Map':{'Item':{'Index':2}}}");
    kit->scope.variables = kit_value(kit, "{'name':'Ada','list':[1,2,3],'deep':{'er':[{'x':9}]}}");
}

/* ---- JSONata, as told: the last text and field; an answer or an error ---- */

static struct {
    char text[256], field[256];
    const char *answer; /* JSON with single quotes; NULL: fails */
} kit_jsonata __attribute__((unused));

int asl_jsonata_check(struct asl_jsonata *jsonata, struct px_str text, struct px_where *ret_where)
{
    (void)jsonata;
    if (!px_str_eq(text, S("1 +"))) return 0;
    px_where_set(ret_where, 3, NULL, "Unexpected end of expression");
    return ASL_INVALID;
}
int asl_jsonata_eval(struct asl_jsonata *jsonata, struct px_str text, const struct asl_scope *scope,
                     const char *field, yyjson_mut_val **ret_value, struct asl_failure *ret_failure)
{
    (void)jsonata;
    (void)snprintf(kit_jsonata.text, sizeof kit_jsonata.text, "%.*s", PX_FMT(text));
    (void)snprintf(kit_jsonata.field, sizeof kit_jsonata.field, "%s", field);
    if (!kit_jsonata.answer)
        return asl_fail(scope->values->arena, ret_failure, ASL_E_QUERY, "of '%s'", field);
    struct px_str answer = kit_quoted(scope->values->arena, kit_jsonata.answer);
    if (!answer.ptr) return px_arena_fault(scope->values->arena);
    int r = asl_value_parse(scope->values, answer, ret_value, NULL);
    return r == ASL_INVALID ? PX_F_BUG : r;
}
/* An engine is there; nothing looks into it. */
#define KIT_ENGINE ((struct asl_jsonata *)(uintptr_t)&kit_jsonata)
