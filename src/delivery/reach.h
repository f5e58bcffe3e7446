/* delivery/reach.h - who can reach whom in a plan's network, held against platform/network.json. */
#pragma once

#include "delivery/rule.h"

/* What a group is called in network.json: its AWS name without the prefix. Of NULL: empty. */
struct px_str reach_group_name(struct verify *v, struct plan_resource *group);
/* The tier of a subnet, route table or network ACL, by its tag. */
struct px_str reach_tier_of(struct plan_resource *it);
/* Whether functions go through a proxy: flows of network.json depend on it. */
bool reach_proxy_is_on(struct verify *v);

/* Checks of rules_network.c. */
void reach_no_world_ingress(struct verify *v);
void reach_groups_only(struct verify *v);
void reach_flows(struct verify *v);
void reach_groups_known(struct verify *v);
void reach_acls(struct verify *v);
