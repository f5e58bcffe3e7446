/* delivery/rules_network.c - no way in or out but those of platform/network.json. */
#include "delivery/cidr.h"
#include "delivery/eval.h"
#include "delivery/reach.h"

#define PRIVATE                                                                                    \
    "Private subnets host all Lambda functions and data storage resources, with no public "        \
    "subnets required for the serverless architecture."
#define ENDPOINTS                                                                                  \
    "Interface endpoints for AWS services (DynamoDB, S3, KMS, CloudWatch) eliminate internet "     \
    "gateway dependencies and reduce network latency."
#define GROUPS                                                                                     \
    "Lambda security groups allow outbound HTTPS for AWS API access, database security groups "    \
    "restrict access to Lambda functions only, and EFS security groups permit NFS access from "    \
    "authorized Lambda functions."
#define DEPTH "Hierarchical security groups provide defense-in-depth network security."
#define TIERS                                                                                      \
    "Each availability zone contains dedicated subnets for different service tiers, enabling "     \
    "granular network ACL policies and traffic flow control."

/* ---- ways out ---- */

static void no_gateways(struct verify *v)
{
    static const char *const types[] = {
        "aws_internet_gateway",    "aws_internet_gateway_attachment",
        "aws_nat_gateway",         "aws_egress_only_internet_gateway",
        "aws_ec2_carrier_gateway", "aws_vpn_gateway",
    };
    rule_look(v);
    for (size_t i = 0; i < PX_COUNT(types); i++)
        for (plan_each(v->plan, types[i], it))
            rule_find(v, it, "remove it: AWS is reached through the VPC's endpoints",
                      "%s is a way to the internet", types[i]);
}

static void no_public_subnets(struct verify *v)
{
    if (!rule_needs(v, "aws_subnet", "module network makes the subnets")) return;
    for (plan_each(v->plan, "aws_subnet", it)) {
        rule_look(v);
        if (plan_truth(it, "map_public_ip_on_launch"))
            rule_find(v, it, "set map_public_ip_on_launch = false", "the subnet is public");
        if (plan_truth(it, "assign_ipv6_address_on_creation"))
            rule_find(v, it, "remove assign_ipv6_address_on_creation",
                      "interfaces in the subnet get public IPv6 addresses");
    }
    for (plan_each(v->plan, "aws_default_subnet", it))
        rule_find(v, it, "use the subnets of module network",
                  "the account's default subnets are public");
}

static bool leaves(struct verify *v, const struct value *gateway)
{
    struct plan_resource *target = plan_target(v->plan, gateway);
    struct px_str text = value_str(gateway);
    if (target && px_str_starts(target->type, S("aws_internet_gateway"))) return true;
    return px_str_starts(text, S("igw-")) || px_str_starts(text, S("eigw-"));
}

static void check_route(struct verify *v, struct plan_resource *holder, struct px_str destination,
                        const struct value *gateway, bool nat)
{
    rule_look(v);
    if (cidr_is_world(destination) || nat || leaves(v, gateway))
        rule_find(v, holder, "remove the route; endpoints add the routes that are needed",
                  "a route to %.*s leads out of the VPC",
                  PX_FMT(destination.len > 0 ? destination : S("a gateway")));
}

static void no_routes_out(struct verify *v)
{
    static const char *const tables[] = {"aws_route_table", "aws_default_route_table"};
    if (!rule_needs(v, "aws_route_table", "give each tier a route table of its own")) return;
    for (plan_each(v->plan, "aws_route", it)) {
        struct px_str to = plan_text(it, "destination_cidr_block");
        check_route(v, it, to.len > 0 ? to : plan_text(it, "destination_ipv6_cidr_block"),
                    plan_get(it, "gateway_id"),
                    plan_is_set(it, "nat_gateway_id") || plan_is_set(it, "egress_only_gateway_id"));
    }
    for (size_t t = 0; t < PX_COUNT(tables); t++) {
        for (plan_each(v->plan, tables[t], it)) {
            const struct value *routes = plan_get(it, "route");
            rule_look(v);
            for (size_t i = 0; i < value_count(routes); i++) {
                const struct value *route = value_item(routes, i);
                bool nat = value_str(value_get(route, S("nat_gateway_id"))).len > 0 ||
                           value_str(value_get(route, S("egress_only_gateway_id"))).len > 0;
                check_route(v, it, value_str(value_get(route, S("cidr_block"))),
                            value_get(route, S("gateway_id")), nat);
            }
        }
    }
}

static void no_public_addresses(struct verify *v)
{
    static const char *const types[] = {"aws_eip", "aws_eip_association", "aws_instance", "aws_lb",
                                        "aws_lambda_function_url"};
    rule_look(v);
    for (size_t i = 0; i < PX_COUNT(types); i++)
        for (plan_each(v->plan, types[i], it))
            rule_find(v, it, "remove it: tenants come through API Gateway only",
                      "%s is an address of its own in the network", types[i]);
}

static void databases_private(struct verify *v)
{
    static const char *const types[] = {"aws_rds_cluster_instance", "aws_db_instance"};
    rule_look(v);
    for (size_t i = 0; i < PX_COUNT(types); i++)
        for (plan_each(v->plan, types[i], it)) {
            rule_look(v);
            if (plan_truth(it, "publicly_accessible"))
                rule_find(v, it, "set publicly_accessible = false",
                          "the database has a public address");
        }
}

/* ---- shape ---- */

static void defaults_locked(struct verify *v)
{
    static const struct {
        const char *type, *what, *in, *out;
    } locked[] = {
        {"aws_default_security_group", "default security group", "ingress", "egress"},
        {"aws_default_network_acl", "default network ACL", "ingress", "egress"},
        {"aws_default_route_table", "default route table", "route", "route"},
    };
    for (size_t i = 0; i < PX_COUNT(locked); i++) {
        struct plan_resource *first = plan_first(v->plan, locked[i].type);
        rule_look(v);
        if (!first)
            rule_find(v, NULL, "take it over with no rules, so that nobody uses it by accident",
                      "the VPC's %s is left as AWS makes it", locked[i].what);
        for (struct plan_resource *it = first; it; it = plan_after(v->plan, it))
            if (value_count(plan_get(it, locked[i].in)) > 0 ||
                value_count(plan_get(it, locked[i].out)) > 0)
                rule_find(v, it, "remove all of its rules", "the %s lets something through",
                          locked[i].what);
    }
}

static size_t subnets_in(struct verify *v, struct px_str tier, struct px_str zone)
{
    size_t count = 0;
    for (plan_each(v->plan, "aws_subnet", it))
        count += px_str_eq(reach_tier_of(it), tier) &&
                 (zone.len == 0 || px_str_eq(plan_text(it, "availability_zone"), zone));
    return count;
}

static void tiers_and_zones(struct verify *v)
{
    const struct value *tiers = value_get(v->network, S("tiers"));
    struct px_str zones[16];
    size_t zone_count = 0;
    if (!rule_has(v, v->network, "network.json") || !value_is(tiers, VALUE_MAP)) return;
    for (plan_each(v->plan, "aws_subnet", it)) {
        struct px_str zone = plan_text(it, "availability_zone");
        bool known = false;
        for (size_t i = 0; i < zone_count; i++) known = known || px_str_eq(zones[i], zone);
        if (!known && zone_count < PX_COUNT(zones)) zones[zone_count++] = zone;
        if (!value_get(tiers, reach_tier_of(it)))
            rule_find(v, it, "tag it Tier with a tier of platform/network.json",
                      "the subnet belongs to no tier");
    }
    rule_look(v);
    if (zone_count != 3)
        rule_find(v, NULL, "use exactly three zones", "subnets are in %zu zones, not three",
                  zone_count);
    for (size_t t = 0; t < tiers->map.count; t++) {
        struct px_str tier = tiers->map.fields[t].name;
        for (size_t z = 0; z < zone_count; z++) {
            rule_look(v);
            if (subnets_in(v, tier, zones[z]) != 1)
                rule_find(v, NULL, "make one subnet per tier and zone",
                          "tier %.*s has %zu subnets in zone %.*s, not one", PX_FMT(tier),
                          subnets_in(v, tier, zones[z]), PX_FMT(zones[z]));
        }
    }
}

/* What is associated, directly or through an association, is of the same tier. */
static void check_tier(struct verify *v, struct plan_resource *subnet, struct plan_resource *own,
                       const char *what)
{
    static const char *const paths[] = {"route_table_id", "network_acl_id"};
    struct plan_resource *target = own;
    for (size_t i = 0; i < PX_COUNT(paths); i++) {
        struct plan_resource *found = plan_target(v->plan, plan_get(own, paths[i]));
        if (found) target = found;
    }
    struct px_str tier = reach_tier_of(target);
    if (tier.len > 0 && !px_str_eq(tier, reach_tier_of(subnet)))
        rule_find(v, own, "associate the subnet with that of its own tier",
                  "%.*s of tier %.*s has the %s of tier %.*s", PX_FMT(subnet->address),
                  PX_FMT(reach_tier_of(subnet)), what, PX_FMT(tier));
}

static void subnets_have_tables(struct verify *v)
{
    static const struct {
        const char *type, *path, *what;
    } needed[] = {{"aws_route_table_association", "subnet_id", "route table"},
                  {"aws_network_acl", "subnet_ids", "network ACL"}};
    for (plan_each(v->plan, "aws_subnet", it))
        for (size_t i = 0; i < PX_COUNT(needed); i++) {
            rule_look(v);
            struct plan_resource *own = rule_companion(v, needed[i].type, needed[i].path, it);
            if (!own && i == 1)
                own = rule_companion(v, "aws_network_acl_association", "subnet_id", it);
            if (own) check_tier(v, it, own, needed[i].what);
            if (!own)
                rule_find(v, it, "associate it with that of its tier",
                          "the subnet falls back on the VPC's default %s", needed[i].what);
        }
}

/* ---- endpoints ---- */

static struct px_str service_of(struct plan_resource *endpoint)
{
    struct px_str name = plan_text(endpoint, "service_name");
    for (size_t i = name.len; i > 0; i--)
        if (name.ptr[i - 1] == '.') return px_str_skip(name, i);
    return name;
}

static bool is_kind(struct plan_resource *endpoint, const char *kind)
{
    struct px_str type = plan_text(endpoint, "vpc_endpoint_type");
    return px_str_ieq(type, px_str_c(kind)) || (type.len == 0 && kind[0] == 'g');
}

/* Of the service's name: what the provider fills in as service_region is not known before an apply. */
static struct px_str service_region(struct plan_resource *endpoint)
{
    struct px_str rest = plan_text(endpoint, "service_name"), label, before = {0}, last = {0};
    while (rest.len > 0) {
        (void)px_str_cut(&rest, '.', &label);
        before = last;
        last = label;
    }
    return before;
}

/* Of a service of another region. */
static bool is_peers(struct verify *v, struct plan_resource *endpoint)
{
    struct px_str region = service_region(endpoint);
    return region.len > 0 && !px_str_eq(region, v->plan->region);
}

static struct plan_resource *endpoint_of(struct verify *v, struct px_str service, const char *kind)
{
    for (plan_each(v->plan, "aws_vpc_endpoint", it))
        if (is_kind(it, kind) && !is_peers(v, it) && px_str_eq(service_of(it), service)) return it;
    return NULL;
}

static struct plan_resource *peer_endpoint(struct verify *v, struct px_str service,
                                           struct px_str region)
{
    for (plan_each(v->plan, "aws_vpc_endpoint", it))
        if (px_str_eq(service_region(it), region) && px_str_eq(service_of(it), service)) return it;
    return NULL;
}

/* Those to other regions: each that tenants may move to and from has each of them, and no other region has any. */
static void peer_endpoints(struct verify *v, const struct value *services)
{
    const struct value *peers = eval_variable(v->plan->module, S("peer_shards"));
    for (size_t p = 0; value_is(peers, VALUE_MAP) && p < peers->map.count; p++)
        for (size_t i = 0; value_is(services, VALUE_MAP) && i < services->map.count; i++) {
            rule_look(v);
            if (!peer_endpoint(v, services->map.fields[i].name, peers->map.fields[p].name))
                rule_find(v, NULL, "make the endpoint that platform/network.json asks for",
                          "there is no endpoint for %.*s of %.*s, where tenants may move to",
                          PX_FMT(services->map.fields[i].name), PX_FMT(peers->map.fields[p].name));
        }
    for (plan_each(v->plan, "aws_vpc_endpoint", it)) {
        if (!is_peers(v, it)) continue;
        rule_look(v);
        if (!value_get(services, service_of(it)) || !value_get(peers, service_region(it)))
            rule_find(v, it, "remove it, or name service and region: network.json, peer_shards",
                      "the endpoint leads to %.*s of %.*s, where no tenant moves to",
                      PX_FMT(service_of(it)), PX_FMT(service_region(it)));
    }
}

static void endpoints(struct verify *v)
{
    static const char *const kinds[] = {"interface", "gateway"};
    const struct value *wanted = value_get(v->network, S("endpoints"));
    if (!rule_has(v, v->network, "network.json")) return;
    peer_endpoints(v, value_get(wanted, S("peer")));
    for (size_t k = 0; k < PX_COUNT(kinds); k++) {
        const struct value *services = value_get(wanted, px_str_c(kinds[k]));
        for (size_t i = 0; value_is(services, VALUE_MAP) && i < services->map.count; i++) {
            rule_look(v);
            if (!endpoint_of(v, services->map.fields[i].name, kinds[k]))
                rule_find(v, NULL, "make the endpoint that platform/network.json asks for",
                          "there is no %s endpoint for %.*s", kinds[k],
                          PX_FMT(services->map.fields[i].name));
        }
        for (plan_each(v->plan, "aws_vpc_endpoint", it))
            if (is_kind(it, kinds[k]) && !is_peers(v, it) && !value_get(services, service_of(it)))
                rule_find(v, it, "remove it, or add it to platform/network.json with its reason",
                          "the %s endpoint for %.*s is not in platform/network.json", kinds[k],
                          PX_FMT(service_of(it)));
    }
}

static bool for_anybody(const struct rule_statement *s)
{
    return s->allow && rule_in_list(s->principals, "AWS:*") && value_count(s->conditions) == 0;
}

static void endpoint_policies(struct verify *v)
{
    rule_look(v);
    for (plan_each(v->plan, "aws_vpc_endpoint", it)) {
        struct rule_statement *statements = NULL;
        rule_look(v);
        if (!plan_is_set(it, "policy")) {
            rule_find(v, it, "give it a policy that names actions, resources and the account",
                      "the endpoint has AWS's own policy, which allows everything to everybody");
            continue;
        }
        int count = rule_statements(v, plan_get(it, "policy"), &statements);
        if (count < 0)
            rule_find(v, it, "write the policy so that a plan shows it",
                      "its policy cannot be read before apply");
        for (int i = 0; i < count; i++) {
            const struct rule_statement *s = &statements[i];
            if (for_anybody(s) || (s->allow && rule_in_list(s->actions, "*")))
                rule_find(v, it, "name actions, and callers or resources of the own account",
                          "the endpoint's policy allows %s",
                          for_anybody(s) ? "anybody" : "any action");
        }
    }
}

static void endpoint_places(struct verify *v)
{
    const struct value *wanted = value_get(v->network, S("endpoints"));
    rule_look(v);
    for (plan_each(v->plan, "aws_vpc_endpoint", it)) {
        struct plan_resource *found[32];
        rule_look(v);
        if (is_kind(it, "gateway")) {
            size_t tables = plan_targets(v->plan, plan_get(it, "route_table_ids"), found, 32);
            if (tables == 0)
                rule_find(v, it, "name the route tables of the tiers that use it",
                          "no route table leads to the gateway endpoint");
            continue;
        }
        size_t count = plan_targets(v->plan, plan_get(it, "subnet_ids"), found, 32);
        for (size_t i = 0; i < count; i++)
            if (!rule_is(reach_tier_of(found[i]), "endpoint"))
                rule_find(v, it, "put it into the endpoint tier",
                          "the endpoint stands in tier %.*s", PX_FMT(reach_tier_of(found[i])));
        if (count != 3)
            rule_find(v, it, "give it the endpoint subnet of each zone",
                      "the endpoint is in %zu zones, not three", count);
        count = plan_targets(v->plan, plan_get(it, "security_group_ids"), found, 32);
        if (count != 1 || !rule_is(reach_group_name(v, found[0]), "endpoint"))
            rule_find(v, it, "give it security group endpoint alone",
                      "the endpoint is not in security group endpoint");
        struct px_str list = is_peers(v, it) ? S("peer") : S("interface");
        const struct value *entry = value_get(value_get(wanted, list), service_of(it));
        const struct value *private_dns = value_get(entry, S("private_dns"));
        bool without = value_is(private_dns, VALUE_BOOL) && !private_dns->truth;
        if (!without && !plan_truth(it, "private_dns_enabled"))
            rule_find(v, it, "set private_dns_enabled = true",
                      "the service's usual name does not lead to the endpoint");
    }
}

/* ---- logs, names, ranges ---- */

static void flow_logs(struct verify *v)
{
    for (plan_each(v->plan, "aws_vpc", vpc)) {
        rule_look(v);
        struct plan_resource *log = rule_companion(v, "aws_flow_log", "vpc_id", vpc);
        if (!log)
            rule_find(v, vpc, "add an aws_flow_log of all traffic", "the VPC has no flow logs");
        else if (!rule_is(plan_text(log, "traffic_type"), "ALL"))
            rule_find(v, log, "set traffic_type = \"ALL\"", "flow logs hold %.*s traffic only",
                      PX_FMT(plan_text(log, "traffic_type")));
        else if (!plan_is_set(log, "log_destination"))
            rule_find(v, log, "name a log group or bucket", "the flow log leads nowhere");
    }
    (void)rule_needs(v, "aws_vpc", "module network makes the VPC");
}

static bool is_private_zone(struct plan_resource *zone)
{
    return value_count(plan_get(zone, "vpc")) > 0;
}

static void private_zone(struct verify *v)
{
    struct plan_resource *zone = NULL;
    rule_look(v);
    for (plan_each(v->plan, "aws_route53_zone", it))
        if (is_private_zone(it)) zone = it;
    if (!zone) {
        rule_find(v, NULL, "make a private zone in the VPC", "the region has no private zone");
        return;
    }
    const char *names[3] = {"files", "reader", "proxy"};
    size_t count = reach_proxy_is_on(v) ? 3 : 2;
    for (size_t i = 0; i < count; i++) {
        bool found = false;
        rule_look(v);
        for (plan_each(v->plan, "aws_route53_record", it)) {
            struct px_str name = plan_text(it, "name");
            found = found || px_str_eq(name, px_str_c(names[i])) ||
                    (px_str_starts(name, px_str_c(names[i])) && name.len > strlen(names[i]) &&
                     name.ptr[strlen(names[i])] == '.');
        }
        if (!found)
            rule_find(v, zone, "add the record in the module that owns its target",
                      "the private zone has no name %s", names[i]);
    }
}

static void vpc_names(struct verify *v)
{
    for (plan_each(v->plan, "aws_vpc", it)) {
        rule_look(v);
        if (!plan_truth(it, "enable_dns_support") || !plan_truth(it, "enable_dns_hostnames"))
            rule_find(v, it, "set enable_dns_support and enable_dns_hostnames",
                      "names of the private zone and of endpoints do not resolve in the VPC");
        struct cidr cidr = cidr_parse(plan_text(it, "cidr_block"));
        if (!cidr.valid || cidr.bits < 16 || cidr.bits > 20)
            rule_find(v, it, "use a range from /16 to /20",
                      "the VPC's range %.*s does not hold the tiers",
                      PX_FMT(rule_shown(v, it, "cidr_block")));
    }
}

static void no_overlap(struct verify *v)
{
    rule_look(v);
    for (size_t a = 0; a < v->plan_count; a++)
        for (size_t b = a; b < v->plan_count; b++)
            for (plan_each(v->plans[a], "aws_vpc", x))
                for (plan_each(v->plans[b], "aws_vpc", y)) {
                    if (a == b && x->order >= y->order) continue;
                    rule_look(v);
                    if (cidr_overlaps(cidr_parse(plan_text(x, "cidr_block")),
                                      cidr_parse(plan_text(y, "cidr_block"))))
                        rule_find(v, y, "give each region a range of its own",
                                  "its range %.*s overlaps %.*s of %s",
                                  PX_FMT(plan_text(y, "cidr_block")),
                                  PX_FMT(plan_text(x, "cidr_block")), v->plans[a]->name);
                }
}

/* ---- who stands where ---- */

static void check_place(struct verify *v, struct plan_resource *it, const char *subnets,
                        const char *groups, const char *tier, const char *group)
{
    struct plan_resource *found[32];
    size_t count = plan_targets(v->plan, plan_get(it, subnets), found, 32);
    rule_look(v);
    if (count == 0)
        rule_find(v, it, "put it into the private subnets of its tier",
                  "its subnets cannot be found in the plan");
    for (size_t i = 0; i < count; i++)
        if (rule_is(found[i]->type, "aws_subnet") &&
            !px_str_eq(reach_tier_of(found[i]), px_str_c(tier))) {
            rule_find(v, it, "put it into the private subnets of its tier",
                      "it stands in tier %.*s, not %s", PX_FMT(reach_tier_of(found[i])), tier);
            break;
        }
    if (!groups) return;
    count = plan_targets(v->plan, plan_get(it, groups), found, 32);
    if (count != 1 || !rule_is(reach_group_name(v, found[0]), group))
        rule_find(v, it, "give it that group alone", "it is not in security group %s", group);
}

/* A function that network.json has a group for stands there, all others in `function`. */
static const char *group_of_function(struct verify *v, struct plan_resource *it)
{
    const struct value *groups = value_get(v->network, S("groups"));
    struct px_str name = plan_text(it, "function_name");
    for (size_t i = 0; value_is(groups, VALUE_MAP) && i < groups->map.count; i++) {
        struct px_str group = groups->map.fields[i].name;
        struct px_str end = px_arena_printf(v->arena, "-%.*s", PX_FMT(group));
        if (px_str_ends(name, end) &&
            rule_is(value_str(value_get(groups->map.fields[i].value, S("tier"))), "function"))
            return px_arena_cstr(v->arena, group);
    }
    return "function";
}

static void places(struct verify *v)
{
    for (plan_each(v->plan, "aws_lambda_function", it))
        if (value_count(plan_get(it, "vpc_config")) > 0)
            check_place(v, it, "vpc_config.subnet_ids", "vpc_config.security_group_ids", "function",
                        group_of_function(v, it));
    for (plan_each(v->plan, "aws_efs_mount_target", it))
        check_place(v, it, "subnet_id", "security_groups", "data", "efs");
    for (plan_each(v->plan, "aws_db_subnet_group", it))
        check_place(v, it, "subnet_ids", NULL, "data", NULL);
    for (plan_each(v->plan, "aws_rds_cluster", it)) {
        struct plan_resource *found[8];
        rule_look(v);
        size_t count = plan_targets(v->plan, plan_get(it, "vpc_security_group_ids"), found, 8);
        if (count != 1 || !rule_is(reach_group_name(v, found[0]), "cluster"))
            rule_find(v, it, "give it security group cluster alone",
                      "it is not in security group cluster");
    }
    for (plan_each(v->plan, "aws_db_proxy", it))
        check_place(v, it, "vpc_subnet_ids", "vpc_security_group_ids", "data", "proxy");
    rule_look(v);
}

static void api_is_regional(struct verify *v)
{
    if (!rule_needs(v, "aws_api_gateway_rest_api", "module api makes it")) return;
    for (plan_each(v->plan, "aws_api_gateway_rest_api", it)) {
        rule_look(v);
        if (!rule_is(plan_text(it, "endpoint_configuration.types.0"), "REGIONAL"))
            rule_find(v, it, "set endpoint_configuration { types = [\"REGIONAL\"] }",
                      "the API's endpoint is %.*s, not regional",
                      PX_FMT(rule_shown(v, it, "endpoint_configuration.types.0")));
        if (!plan_truth(it, "disable_execute_api_endpoint"))
            rule_find(v, it, "set disable_execute_api_endpoint = true",
                      "the API can be reached past its domain, its certificate and the edge");
    }
}

const struct verify_rule rules_network[] = {
    {"PV-NET-01", "No gateway to the internet", ENDPOINTS,
     "no internet, NAT, egress-only, carrier or VPN gateway is planned",
     VERIFY_GLOBAL | VERIFY_REGION, VERIFY_ERROR, no_gateways},
    {"PV-NET-02", "No public subnet", PRIVATE, "no subnet gives public addresses", VERIFY_REGION,
     VERIFY_ERROR, no_public_subnets},
    {"PV-NET-03", "No route out of the VPC", PRIVATE,
     "no route leads to every address or to a gateway", VERIFY_REGION, VERIFY_ERROR, no_routes_out},
    {"PV-NET-04", "Nobody from everywhere gets in", GROUPS,
     "no security group takes 0.0.0.0/0 or ::/0", VERIFY_REGION, VERIFY_ERROR,
     reach_no_world_ingress},
    {"PV-NET-05", "Security groups name groups, not addresses", DEPTH,
     "rules go to and from security groups and prefix lists only", VERIFY_REGION, VERIFY_ERROR,
     reach_groups_only},
    {"PV-NET-06", "What AWS makes with a VPC is locked", PRIVATE,
     "default security group, network ACL and route table are taken over and empty", VERIFY_REGION,
     VERIFY_ERROR, defaults_locked},
    {"PV-NET-07", "Security groups open exactly the flows of network.json", GROUPS,
     "the pairs that can connect, from both groups' rules, are those of platform/network.json",
     VERIFY_REGION, VERIFY_ERROR, reach_flows},
    {"PV-NET-08", "Network ACLs let the same pairs through and no more", TIERS,
     "entries are played through, in their order, for each pair of tiers and port, answers included",
     VERIFY_REGION, VERIFY_ERROR, reach_acls},
    {"PV-NET-09", "Three zones, one subnet per tier and zone", TIERS,
     "subnets are counted by tier and zone", VERIFY_REGION, VERIFY_ERROR, tiers_and_zones},
    {"PV-NET-10", "The endpoints are those of network.json", ENDPOINTS,
     "endpoints, also those to the regions of peer_shards, are compared with platform/network.json",
     VERIFY_REGION, VERIFY_ERROR, endpoints},
    {"PV-NET-11", "Each endpoint has a narrow policy", ENDPOINTS,
     "no endpoint's policy allows everything, or anybody without a condition", VERIFY_REGION,
     VERIFY_ERROR, endpoint_policies},
    {"PV-NET-12", "Endpoints stand in each zone and answer to the usual names", ENDPOINTS,
     "subnets, group, private DNS and route tables of each endpoint", VERIFY_REGION, VERIFY_ERROR,
     endpoint_places},
    {"PV-NET-13", "The VPC has flow logs",
     "Each regional deployment utilizes a dedicated VPC with multi-AZ private subnets for Lambda "
     "functions and database resources.",
     "each VPC has a flow log of all traffic with a destination", VERIFY_REGION, VERIFY_ERROR,
     flow_logs},
    {"PV-NET-14", "A private zone names the region's services",
     "Each region maintains its own private zone for internal service endpoints, while global "
     "routing logic in Lambda@Edge directs traffic to appropriate regional origins based on tenant "
     "home region configuration.",
     "there is a zone in the VPC with the names of proxy, reader and files", VERIFY_REGION,
     VERIFY_ERROR, private_zone},
    {"PV-NET-15", "No public address", PRIVATE,
     "no elastic address, machine, load balancer or function URL is planned", VERIFY_REGION,
     VERIFY_ERROR, no_public_addresses},
    {"PV-NET-16", "Ranges of regions do not overlap",
     "Each regional module operates independently while conforming to global naming conventions "
     "and security policies.",
     "VPC ranges of all plans are compared", VERIFY_REGION | VERIFY_TOGETHER, VERIFY_ERROR,
     no_overlap},
    {"PV-NET-17", "Databases are private", PRIVATE, "no instance is publicly accessible",
     VERIFY_REGION, VERIFY_ERROR, databases_private},
    {"PV-NET-18", "The API is regional and reached by its domain only",
     "Custom domain names provide stable endpoints for client applications while supporting "
     "regional routing and failover scenarios.",
     "endpoint type and the execute-api switch of the REST API", VERIFY_REGION, VERIFY_ERROR,
     api_is_regional},
    {"PV-NET-19", "Everything stands in its tier and its group", DEPTH,
     "subnets and groups of functions, mount targets, database and proxy are followed to where "
     "they come from",
     VERIFY_REGION, VERIFY_ERROR, places},
    {"PV-NET-20", "Each subnet has its tier's route table and network ACL", TIERS,
     "associations of every subnet", VERIFY_REGION, VERIFY_ERROR, subnets_have_tables},
    {"PV-NET-21", "The security groups are those of network.json", DEPTH,
     "groups are compared with platform/network.json", VERIFY_REGION, VERIFY_ERROR,
     reach_groups_known},
    {"PV-NET-22", "Names resolve in the VPC",
     "Route 53 private hosted zones provide internal DNS resolution for regional services.",
     "DNS support and host names are on, and the range is /16 to /20", VERIFY_REGION, VERIFY_ERROR,
     vpc_names},
    {0},
};
