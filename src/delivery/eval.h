/* delivery/eval.h - the value of an expression in an instance of a module.
 *
 * NULL stands for an error, as try() and can() see it; value_unknown for what cannot be told, which
 * includes functions that are not known here. */
#pragma once

#include "delivery/plan.h"

struct eval_binding { /* of a for expression, a dynamic block, a template file */
    struct px_str name;
    const struct value *value;
    const struct eval_binding *outer;
};
struct eval_scope {
    struct plan_module *module;
    const struct value *each_key, *each_value; /* NULL: no for_each here */
    const struct eval_binding *bindings;
};
const struct value *eval(const struct eval_scope *scope, const struct hcl_expr *expr);
/* A call of a function whose arguments are values; try, can and templatefile are eval's. */
const struct value *eval_function(struct px_arena *arena, struct px_str name,
                                  const struct value *const *args, size_t count);

const struct value *eval_variable(struct plan_module *module, struct px_str name);
const struct value *eval_local(struct plan_module *module, struct px_str name);
const struct value *eval_output(struct plan_module *module, struct px_str name);
/* for_each or count of a block in a module; NULL when it has neither. */
const struct value *eval_repetition(struct plan_module *module, struct hcl_block *block);
/* What a resource's own block says of an attribute or of nested blocks; NULL: nothing. */
const struct value *eval_written(struct plan_resource *resource, struct px_str name);
