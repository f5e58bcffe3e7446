/* region/dynamo_expression.h - condition and update expressions of DynamoDB over an item in its JSON ({"name":{"S":"..."}}), as far
 * as platform/workflows uses them; what is beyond is refused and never misread.
 *
 *   condition  = and { OR and }            and = not { AND not }           not = NOT not | "(" condition ")" | test
 *   test       = operand ("=" | "<>" | "<" | "<=" | ">" | ">=") operand
 *              | operand BETWEEN operand AND operand
 *              | operand IN "(" operand { "," operand } ")"
 *              | attribute_exists "(" name ")" | attribute_not_exists "(" name ")"
 *              | begins_with "(" name "," operand ")" | contains "(" name "," operand ")"
 *   update     = clause { clause }
 *   clause     = SET name "=" sum { "," name "=" sum } | REMOVE name { "," name } | ADD name :value { "," name :value }
 *   sum        = part [ ("+" | "-") part ]
 *   part       = operand | if_not_exists "(" name "," operand ")"
 *   operand    = name | :value             name = identifier | #alias      (of the item itself, no paths into it)
 *
 * Keywords in any case. Numbers are compared and added as 64-bit integers where they are, else as doubles; DynamoDB has 38 digits.
 * DynamoDB's reserved words are not looked for. Source: DynamoDB developer guide, "Update expressions", "Condition expressions". */
#pragma once

#include "base/px_json.h"

enum dynamo_answer { DYNAMO_INVALID = 1 };

/* What an expression may name: ExpressionAttributeNames and ExpressionAttributeValues; NULL: none. */
struct dynamo_words {
    yyjson_val *names, *values;
    uint64_t names_used, values_used; /* bits, by place; kept over the expressions of a request */
};
/* Whether the item (an object; of none, an empty one) meets the condition.
 * Answers: DYNAMO_INVALID, ret_why in arena is the sentence for a ValidationException. */
PX_MUST_USE int dynamo_condition(struct px_str text, struct dynamo_words *words,
                                 yyjson_mut_val *item, struct px_arena *arena, bool *ret_holds,
                                 struct px_str *ret_why);

#define DYNAMO_CHANGES_MAX 32
struct dynamo_changes {
    struct px_str names[DYNAMO_CHANGES_MAX];
    size_t count;
};
/* Change the item, which belongs to doc. Right-hand sides see it as it was before.
 * Answers: DYNAMO_INVALID likewise, and then the item may be changed in part: throw it away. */
PX_MUST_USE int dynamo_update(struct px_str text, struct dynamo_words *words, yyjson_mut_doc *doc,
                              yyjson_mut_val *item, struct px_arena *arena,
                              struct dynamo_changes *ret_changes, struct px_str *ret_why);
/* DynamoDB refuses names and values that no expression uses. Answers: DYNAMO_INVALID likewise. */
PX_MUST_USE int dynamo_words_check(const struct dynamo_words *words, struct px_arena *arena,
                                   struct px_str *ret_why);
/* Whether a JSON value is an attribute value: an object with one member of a known type. */
bool dynamo_value_ok(yyjson_val *value);
