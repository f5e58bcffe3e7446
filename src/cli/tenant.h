/* cli/tenant.h - verbs of `prism tenant` that have files of their own. */
#pragma once

#include "cli/cli.h"

extern const struct cli_verb verb_tenant_placement, verb_tenant_shard, verb_tenant_rebalance,
    verb_tenant_migrate, verb_tenant_offboard, verb_tenant_usage;
