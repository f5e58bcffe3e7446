/* delivery/rules_direct.h - what an API starts without a function. */
#pragma once

#include "delivery/rule.h"

/* An integration of type "aws" of the route `what`: its template names machines that are there, and its role may start those and do nothing else. */
void direct_check(struct verify *v, struct plan_resource *api, struct px_str what,
                  const struct value *integration);
