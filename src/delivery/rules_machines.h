/* delivery/rules_machines.h - what functions may do with state machines: PV-IAM-15. Inside delivery only. */
#pragma once

#include "delivery/rule.h"

void runs_machines(struct verify *v);
