/* asl/render.h - a definition's template with its values put in, as Terraform's templatefile() does it: "${name}" becomes the
 * value as it stands, "$${" is "${" and "%%{" is "%{". Expressions and directives ("%{ if ... }") are not for definitions
 * that more than Terraform reads, and are refused. */
#pragma once

#include "asl/failure.h"

struct asl_value_of_name {
    struct px_str name, value;
};
/* The text into the arena. Answers: ASL_INVALID with the place in the template and what was expected; ret_where not NULL. */
PX_MUST_USE int asl_render(struct px_str template, const struct asl_value_of_name *values,
                           size_t count, struct px_arena *arena, struct px_str *ret_text,
                           struct px_where *ret_where);
