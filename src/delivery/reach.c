/* delivery/reach.c - who can reach whom, from security groups and from network ACLs.
 *
 * Vocabulary:
 *   edge    one direction of one rule of a security group, however it was written
 *   flow    what platform/network.json allows: from a group to a group or prefix list, on a port
 *   entry   one line of a network ACL
 *
 * A flow needs an edge out of one group and an edge into the other; an edge that is no flow is too
 * much. Network ACLs keep no state, so they are played through in both directions, for each pair of
 * tiers and each port at which a decision can change. */
#include "delivery/reach.h"

#include "delivery/cidr.h"
#include "delivery/eval.h"

/* ---- rules of security groups, whatever way they were written ---- */

struct edge {
    struct plan_resource *holder;
    bool egress;
    struct plan_resource *group; /* whose rule it is; NULL: cannot be told */
    struct plan_resource *peer;  /* another group, or an endpoint with a prefix list */
    struct px_str cidr, prefix;  /* or one of these */
    struct px_str protocol;
    double from, to;
};
struct edges {
    struct edge *at;
    size_t count, cap;
};

static void add_edge(struct verify *v, struct edges *edges, struct edge edge)
{
    if (edges->count == edges->cap) {
        size_t cap = edges->cap > 0 ? edges->cap * 2 : 32;
        void *grown = px_arena_realloc(v->arena, edges->at, edges->cap * sizeof edge,
                                       cap * sizeof edge);
        if (!grown) return;
        edges->at = grown;
        edges->cap = cap;
    }
    edges->at[edges->count++] = edge;
}

/* "s3" of a prefix list: by the endpoint or the data source that it comes from. */
static struct px_str prefix_of(struct verify *v, const struct value *value)
{
    struct plan_resource *target = plan_target(v->plan, value);
    struct px_str name = {0}, text = value_str(value);
    for (plan_each(v->plan, "aws_vpc_endpoint", it))
        if (!target && text.len > 0 && px_str_eq(plan_text(it, "prefix_list_id"), text))
            target = it;
    if (target) name = plan_text(target, target->is_data ? "name" : "service_name");
    for (size_t i = name.len; i > 0; i--)
        if (name.ptr[i - 1] == '.') return px_str_skip(name, i);
    return text.len > 0 && name.len == 0 ? S("?") : name;
}

static void add_rule(struct verify *v, struct edges *edges, struct plan_resource *it, bool egress)
{
    struct edge edge = {.holder = it, .egress = egress};
    edge.group = plan_target(v->plan, plan_get(it, "security_group_id"));
    edge.peer = plan_target(v->plan, plan_get(it, "referenced_security_group_id"));
    edge.cidr = plan_text(it, "cidr_ipv4");
    if (edge.cidr.len == 0) edge.cidr = plan_text(it, "cidr_ipv6");
    if (!value_is_null(plan_get(it, "prefix_list_id")))
        edge.prefix = prefix_of(v, plan_get(it, "prefix_list_id"));
    edge.protocol = plan_text(it, "ip_protocol");
    edge.from = plan_number(it, "from_port", -1);
    edge.to = plan_number(it, "to_port", -1);
    add_edge(v, edges, edge);
}

static void add_blocks(struct verify *v, struct edges *edges, struct plan_resource *holder,
                       struct plan_resource *group, const struct value *blocks, bool egress)
{
    for (size_t i = 0; i < value_count(blocks); i++) {
        const struct value *block = value_item(blocks, i);
        static const char *const lists[] = {"cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids",
                                            "security_groups"};
        if (!value_is(block, VALUE_MAP)) continue;
        for (size_t l = 0; l < PX_COUNT(lists); l++) {
            const struct value *items = value_get(block, px_str_c(lists[l]));
            for (size_t k = 0; k < value_count(items); k++) {
                struct edge edge = {.holder = holder, .egress = egress, .group = group};
                edge.protocol = value_str(value_get(block, S("protocol")));
                edge.from = value_num(value_get(block, S("from_port")), -1);
                edge.to = value_num(value_get(block, S("to_port")), -1);
                if (l < 2) edge.cidr = value_str(value_item(items, k));
                if (l == 2) edge.prefix = prefix_of(v, value_item(items, k));
                if (l == 3) edge.peer = plan_target(v->plan, value_item(items, k));
                add_edge(v, edges, edge);
            }
        }
        if (!value_truth(value_get(block, S("self")))) continue;
        struct edge self = {.holder = holder, .egress = egress, .group = group, .peer = group};
        self.protocol = value_str(value_get(block, S("protocol")));
        self.from = value_num(value_get(block, S("from_port")), -1);
        self.to = value_num(value_get(block, S("to_port")), -1);
        add_edge(v, edges, self);
    }
}

/* aws_security_group_rule is like a block of its own. */
static void add_old_rule(struct verify *v, struct edges *edges, struct plan_resource *it)
{
    bool egress = rule_is(plan_text(it, "type"), "egress");
    struct plan_resource *group = plan_target(v->plan, plan_get(it, "security_group_id"));
    struct edge edge = {.holder = it, .egress = egress, .group = group};
    edge.protocol = plan_text(it, "protocol");
    edge.from = plan_number(it, "from_port", -1);
    edge.to = plan_number(it, "to_port", -1);
    edge.peer = plan_truth(it, "self")
                    ? group
                    : plan_target(v->plan, plan_get(it, "source_security_group_id"));
    edge.cidr = plan_text(it, "cidr_blocks.0");
    if (edge.cidr.len == 0) edge.cidr = plan_text(it, "ipv6_cidr_blocks.0");
    if (plan_is_set(it, "prefix_list_ids"))
        edge.prefix = prefix_of(v, plan_get(it, "prefix_list_ids.0"));
    add_edge(v, edges, edge);
}

static struct edges all_edges(struct verify *v)
{
    struct edges edges = {0};
    for (plan_each(v->plan, "aws_vpc_security_group_egress_rule", it))
        add_rule(v, &edges, it, true);
    for (plan_each(v->plan, "aws_vpc_security_group_ingress_rule", it))
        add_rule(v, &edges, it, false);
    for (plan_each(v->plan, "aws_security_group_rule", it)) add_old_rule(v, &edges, it);
    for (plan_each(v->plan, "aws_security_group", it)) {
        add_blocks(v, &edges, it, it, plan_get(it, "ingress"), false);
        add_blocks(v, &edges, it, it, plan_get(it, "egress"), true);
    }
    return edges;
}

void reach_no_world_ingress(struct verify *v)
{
    if (!rule_needs(v, "aws_security_group", "module network makes the security groups")) return;
    struct edges edges = all_edges(v);
    for (size_t i = 0; i < edges.count; i++) {
        if (edges.at[i].egress) continue;
        rule_look(v);
        if (cidr_is_world(edges.at[i].cidr))
            rule_find(v, edges.at[i].holder, "name the security group that may connect",
                      "ingress from %.*s", PX_FMT(edges.at[i].cidr));
    }
}

void reach_groups_only(struct verify *v)
{
    struct edges edges = all_edges(v);
    rule_look(v);
    for (size_t i = 0; i < edges.count; i++) {
        rule_look(v);
        if (edges.at[i].cidr.len > 0)
            rule_find(v, edges.at[i].holder,
                      "name a security group (or, towards a gateway endpoint, its prefix list)",
                      "%s %s addresses %.*s instead of a group",
                      edges.at[i].egress ? "egress" : "ingress", edges.at[i].egress ? "to" : "from",
                      PX_FMT(edges.at[i].cidr));
    }
}

/* ---- reachability against network.json ---- */

/* The name of a group in network.json: its AWS name without the prefix. */
struct px_str reach_group_name(struct verify *v, struct plan_resource *group)
{
    if (!group) return S("");
    struct px_str name = plan_text(group, "name");
    if (px_str_starts(name, v->plan->prefix) && name.len > v->plan->prefix.len)
        return px_str_skip(name, v->plan->prefix.len + 1);
    struct px_str key = value_str(group->key);
    return key.len > 0 ? key : group->name;
}

bool reach_proxy_is_on(struct verify *v)
{
    const struct value *given = eval_variable(v->plan->module, S("database"));
    const struct value *proxy = value_get(given, S("proxy"));
    if (value_is(proxy, VALUE_BOOL)) return proxy->truth;
    return plan_first(v->plan, "aws_db_proxy") != NULL;
}

static bool flow_holds(struct verify *v, const struct value *flow)
{
    struct px_str when = value_str(value_get(flow, S("when")));
    if (rule_is(when, "proxy")) return reach_proxy_is_on(v);
    if (rule_is(when, "no-proxy")) return !reach_proxy_is_on(v);
    return true;
}

static struct px_str flow_text(const struct value *flow, const char *name)
{
    return value_str(value_get(flow, px_str_c(name)));
}

static bool edge_is_flow(struct verify *v, const struct edge *edge, const struct value *flow)
{
    struct px_str from = flow_text(flow, "from"), to = flow_text(flow, "to");
    double port = value_num(value_get(flow, S("port")), -1);
    if (!rule_is(edge->protocol, "tcp") && !rule_is(edge->protocol, "6")) return false;
    if (edge->from != port || edge->to != port) return false;
    if (px_str_starts(to, S("prefix:")))
        return edge->egress && px_str_eq(reach_group_name(v, edge->group), from) &&
               px_str_eq(edge->prefix, px_str_skip(to, 7));
    struct plan_resource *begins = edge->egress ? edge->group : edge->peer;
    struct plan_resource *ends = edge->egress ? edge->peer : edge->group;
    return px_str_eq(reach_group_name(v, begins), from) && px_str_eq(reach_group_name(v, ends), to);
}

static void missing_flows(struct verify *v, const struct edges *edges, const struct value *flows)
{
    for (size_t f = 0; f < value_count(flows); f++) {
        const struct value *flow = value_item(flows, f);
        bool out = false, in = px_str_starts(flow_text(flow, "to"), S("prefix:"));
        if (!flow_holds(v, flow)) continue;
        rule_look(v);
        for (size_t i = 0; i < edges->count; i++) {
            if (!edge_is_flow(v, &edges->at[i], flow)) continue;
            *(edges->at[i].egress ? &out : &in) = true;
        }
        if (out && in) continue;
        rule_find(v, NULL, "add the rule that platform/network.json asks for",
                  "%.*s cannot reach %.*s on port %.0f: there is no %s rule",
                  PX_FMT(flow_text(flow, "from")), PX_FMT(flow_text(flow, "to")),
                  value_num(value_get(flow, S("port")), -1), out ? "ingress" : "egress");
    }
}

static struct px_str peer_name(struct verify *v, const struct edge *edge)
{
    if (edge->cidr.len > 0) return edge->cidr;
    if (edge->prefix.len > 0) return edge->prefix;
    return edge->peer ? reach_group_name(v, edge->peer)
                      : S("something that cannot be told before apply");
}

void reach_flows(struct verify *v)
{
    const struct value *flows = value_get(v->network, S("flows"));
    if (!rule_has(v, v->network, "network.json")) return;
    struct edges edges = all_edges(v);
    missing_flows(v, &edges, flows);
    for (size_t i = 0; i < edges.count; i++) {
        const struct edge *edge = &edges.at[i];
        bool wanted = false;
        rule_look(v);
        for (size_t f = 0; f < value_count(flows) && !wanted; f++)
            wanted = flow_holds(v, value_item(flows, f)) &&
                     edge_is_flow(v, edge, value_item(flows, f));
        if (!wanted)
            rule_find(v, edge->holder,
                      "remove the rule, or add the flow to platform/network.json with its reason",
                      "%.*s %s %.*s, %.*s %.0f-%.0f, is no flow of platform/network.json",
                      PX_FMT(reach_group_name(v, edge->group)), edge->egress ? "to" : "from",
                      PX_FMT(peer_name(v, edge)), PX_FMT(edge->protocol), edge->from, edge->to);
    }
}

void reach_groups_known(struct verify *v)
{
    const struct value *groups = value_get(v->network, S("groups"));
    if (!rule_has(v, v->network, "network.json")) return;
    for (size_t i = 0; value_is(groups, VALUE_MAP) && i < groups->map.count; i++) {
        bool found = false;
        rule_look(v);
        for (plan_each(v->plan, "aws_security_group", it))
            found = found || px_str_eq(reach_group_name(v, it), groups->map.fields[i].name);
        if (!found)
            rule_find(v, NULL, "make one security group for each group of network.json",
                      "there is no security group %.*s", PX_FMT(groups->map.fields[i].name));
    }
    for (plan_each(v->plan, "aws_security_group", it))
        if (!value_get(groups, reach_group_name(v, it)))
            rule_find(v, it, "add the group to platform/network.json, or remove it",
                      "the security group is not in platform/network.json");
}

/* ---- network ACLs ---- */

struct acl_entry {
    struct plan_resource *holder, *acl;
    bool egress, allow;
    double number, from, to;
    struct px_str protocol, cidr;
};
struct acl_entries {
    struct acl_entry at[512];
    size_t count;
};

static void add_entry(struct acl_entries *all, struct acl_entry entry)
{
    size_t i = all->count;
    if (i == PX_COUNT(all->at)) return;
    for (; i > 0 && all->at[i - 1].number > entry.number; i--) all->at[i] = all->at[i - 1];
    all->at[i] = entry; /* in the order in which AWS looks at them */
    all->count++;
}

static void add_inline(struct acl_entries *all, struct plan_resource *acl, const char *path)
{
    const struct value *blocks = plan_get(acl, path);
    for (size_t i = 0; i < value_count(blocks); i++) {
        const struct value *b = value_item(blocks, i);
        struct acl_entry entry = {.holder = acl, .acl = acl, .egress = path[0] == 'e'};
        entry.allow = rule_is(value_str(value_get(b, S("action"))), "allow");
        entry.number = value_num(value_get(b, S("rule_no")), 0);
        entry.from = value_num(value_get(b, S("from_port")), 0);
        entry.to = value_num(value_get(b, S("to_port")), 65535);
        entry.protocol = value_str(value_get(b, S("protocol")));
        entry.cidr = value_str(value_get(b, S("cidr_block")));
        if (entry.cidr.len == 0) entry.cidr = value_str(value_get(b, S("ipv6_cidr_block")));
        add_entry(all, entry);
    }
}

static struct acl_entries *all_entries(struct verify *v)
{
    struct acl_entries *all = px_arena_new(v->arena, struct acl_entries);
    if (!all) return NULL;
    for (plan_each(v->plan, "aws_network_acl_rule", it)) {
        struct acl_entry entry = {.holder = it};
        entry.acl = plan_target(v->plan, plan_get(it, "network_acl_id"));
        entry.egress = plan_truth(it, "egress");
        entry.allow = rule_is(plan_text(it, "rule_action"), "allow");
        entry.number = plan_number(it, "rule_number", 0);
        entry.from = plan_number(it, "from_port", 0);
        entry.to = plan_number(it, "to_port", 65535);
        entry.protocol = plan_text(it, "protocol");
        entry.cidr = plan_text(it, "cidr_block");
        if (entry.cidr.len == 0) entry.cidr = plan_text(it, "ipv6_cidr_block");
        add_entry(all, entry);
    }
    for (plan_each(v->plan, "aws_network_acl", it)) {
        add_inline(all, it, "egress");
        add_inline(all, it, "ingress");
    }
    return all;
}

struct px_str reach_tier_of(struct plan_resource *it)
{
    struct px_str tier = plan_text(it, "tags_all.Tier");
    return tier.len > 0 ? tier : plan_text(it, "tags.Tier");
}

static bool all_protocols(struct px_str protocol)
{
    return rule_is(protocol, "-1") || rule_is(protocol, "all");
}

/* What AWS would decide for a TCP packet: the first entry that fits, else no. */
static bool acl_allows(const struct acl_entries *all, struct px_str tier, bool egress,
                       struct cidr peer, double port)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct acl_entry *e = &all->at[i];
        if (e->egress != egress || !e->acl || !px_str_eq(reach_tier_of(e->acl), tier)) continue;
        bool every = all_protocols(e->protocol);
        if (!every && !rule_is(e->protocol, "tcp") && !rule_is(e->protocol, "6")) continue;
        if (!every && (port < e->from || port > e->to)) continue;
        if (!cidr_holds(cidr_parse(e->cidr), peer)) continue;
        return e->allow;
    }
    return false;
}

/* Whether all subnets of one tier can send to all of another on a port, past both ACLs. */
static int tiers_pass(struct verify *v, const struct acl_entries *all, struct px_str from,
                      struct px_str to, double port)
{
    int yes = 0, no = 0;
    for (plan_each(v->plan, "aws_subnet", a)) {
        if (!px_str_eq(reach_tier_of(a), from)) continue;
        for (plan_each(v->plan, "aws_subnet", b)) {
            if (!px_str_eq(reach_tier_of(b), to)) continue;
            bool out = acl_allows(all, from, true, cidr_parse(plan_text(b, "cidr_block")), port);
            bool in = acl_allows(all, to, false, cidr_parse(plan_text(a, "cidr_block")), port);
            *(out && in ? &yes : &no) += 1;
        }
    }
    return no == 0 && yes > 0 ? 1 : yes > 0 ? -1 : 0;
}

static struct px_str group_tier(struct verify *v, struct px_str group)
{
    const struct value *groups = value_get(v->network, S("groups"));
    return value_str(value_get(value_get(groups, group), S("tier")));
}

/* 1: a flow on that port; 2: answers to one the other way. */
static int tiers_wanted(struct verify *v, struct px_str from, struct px_str to, double port)
{
    const struct value *flows = value_get(v->network, S("flows"));
    int wanted = 0;
    for (size_t f = 0; f < value_count(flows); f++) {
        const struct value *flow = value_item(flows, f);
        struct px_str a = group_tier(v, flow_text(flow, "from")),
                      b = group_tier(v, flow_text(flow, "to"));
        if (!flow_holds(v, flow)) continue;
        if (px_str_eq(a, from) && px_str_eq(b, to) &&
            port == value_num(value_get(flow, S("port")), -1))
            return 1;
        if (px_str_eq(a, to) && px_str_eq(b, from) && port >= 1024) wanted = 2;
    }
    return wanted;
}

static void acls_let_flows(struct verify *v, const struct acl_entries *all)
{
    const struct value *flows = value_get(v->network, S("flows"));
    for (size_t f = 0; f < value_count(flows); f++) {
        const struct value *flow = value_item(flows, f);
        struct px_str from = group_tier(v, flow_text(flow, "from")),
                      to = group_tier(v, flow_text(flow, "to"));
        double port = value_num(value_get(flow, S("port")), -1);
        if (!flow_holds(v, flow) || to.len == 0) continue;
        rule_look(v);
        if (tiers_pass(v, all, from, to, port) != 1)
            rule_find(v, NULL, "add the pair of entries that the flow needs",
                      "network ACLs stop tier %.*s on its way to tier %.*s, port %.0f",
                      PX_FMT(from), PX_FMT(to), port);
        if (tiers_pass(v, all, to, from, 1024) != 1 || tiers_pass(v, all, to, from, 65535) != 1)
            rule_find(v, NULL, "let ports 1024-65535 back, since network ACLs keep no state",
                      "network ACLs stop the answers of tier %.*s to tier %.*s, port %.0f",
                      PX_FMT(to), PX_FMT(from), port);
    }
}

/* Ports at which the decision can change: the ends of every entry. */
static size_t interesting_ports(const struct acl_entries *all, double ports[], size_t max)
{
    static const double usual[] = {22, 80, 443, 2049, 3306, 5432, 1023, 1024, 8080, 65535};
    size_t count = 0;
    for (size_t i = 0; i < PX_COUNT(usual) && count < max; i++) ports[count++] = usual[i];
    for (size_t i = 0; i < all->count; i++) {
        double ends[] = {all->at[i].from, all->at[i].to};
        for (size_t e = 0; e < 2; e++) {
            bool known = ends[e] <= 0;
            for (size_t k = 0; k < count; k++) known = known || ports[k] == ends[e];
            if (!known && count < max) ports[count++] = ends[e];
        }
    }
    return count;
}

static void acls_let_no_more(struct verify *v, const struct acl_entries *all)
{
    const struct value *tiers = value_get(v->network, S("tiers"));
    double ports[64];
    size_t port_count = interesting_ports(all, ports, PX_COUNT(ports));
    if (!value_is(tiers, VALUE_MAP)) return;
    for (size_t a = 0; a < tiers->map.count; a++) {
        for (size_t b = 0; b < tiers->map.count; b++) {
            struct px_str from = tiers->map.fields[a].name, to = tiers->map.fields[b].name;
            rule_look(v);
            for (size_t p = 0; p < port_count; p++) {
                if (tiers_wanted(v, from, to, ports[p]) != 0 ||
                    tiers_pass(v, all, from, to, ports[p]) == 0)
                    continue;
                rule_find(
                    v, NULL, "narrow the entries to the flows of platform/network.json",
                    "network ACLs let tier %.*s reach tier %.*s on port %.0f, which no flow asks for",
                    PX_FMT(from), PX_FMT(to), ports[p]);
                break;
            }
        }
    }
}

static bool entry_meets_tier(struct verify *v, const struct acl_entry *e, struct px_str tier)
{
    struct cidr cidr = cidr_parse(e->cidr);
    for (plan_each(v->plan, "aws_subnet", it))
        if (px_str_eq(reach_tier_of(it), tier) &&
            cidr_holds(cidr, cidr_parse(plan_text(it, "cidr_block"))))
            return true;
    return false;
}

/* One side alone lets nothing pass, but half of a way is open that should not be. */
static void entries_are_narrow(struct verify *v, const struct acl_entries *all,
                               const struct acl_entry *e)
{
    const struct value *tiers = value_get(v->network, S("tiers"));
    struct px_str own = e->acl ? reach_tier_of(e->acl) : S("");
    double ports[64];
    size_t port_count = interesting_ports(all, ports, PX_COUNT(ports));
    for (size_t t = 0; value_is(tiers, VALUE_MAP) && t < tiers->map.count; t++) {
        struct px_str peer = tiers->map.fields[t].name;
        if (!entry_meets_tier(v, e, peer)) continue;
        rule_look(v);
        for (size_t p = 0; p < port_count; p++) {
            bool covered = all_protocols(e->protocol) || (ports[p] >= e->from && ports[p] <= e->to);
            bool wanted = tiers_wanted(v, e->egress ? own : peer, e->egress ? peer : own, ports[p]);
            if (!covered || wanted) continue;
            rule_find(v, e->holder, "narrow the entry to the flows of platform/network.json",
                      "tier %.*s %s tier %.*s is open on port %.0f, which no flow asks for",
                      PX_FMT(own), e->egress ? "to" : "from", PX_FMT(peer), ports[p]);
            return;
        }
    }
}

static bool has_prefix_flow(struct verify *v, struct px_str tier)
{
    const struct value *flows = value_get(v->network, S("flows"));
    for (size_t f = 0; f < value_count(flows); f++) {
        const struct value *flow = value_item(flows, f);
        if (px_str_starts(flow_text(flow, "to"), S("prefix:")) &&
            px_str_eq(group_tier(v, flow_text(flow, "from")), tier))
            return true;
    }
    return false;
}

void reach_acls(struct verify *v)
{
    if (!rule_has(v, v->network, "network.json")) return;
    if (!rule_needs(v, "aws_network_acl", "give each tier a network ACL")) return;
    const struct acl_entries *all = all_entries(v);
    if (!all) return;
    acls_let_flows(v, all);
    acls_let_no_more(v, all);
    for (size_t i = 0; i < all->count; i++) {
        const struct acl_entry *e = &all->at[i];
        if (e->allow && !cidr_is_world(e->cidr)) entries_are_narrow(v, all, e);
        if (!e->allow || !cidr_is_world(e->cidr)) continue;
        bool answers = !e->egress && e->from >= 1024 && !all_protocols(e->protocol);
        bool https = e->egress && e->from == 443 && e->to == 443;
        bool gateway = e->acl && has_prefix_flow(v, reach_tier_of(e->acl)) && (answers || https);
        if (!gateway)
            rule_find(v, e->holder, "name the tier's own addresses",
                      "a network ACL allows %.*s %s %.*s, ports %.0f-%.0f", PX_FMT(e->protocol),
                      e->egress ? "to" : "from", PX_FMT(e->cidr), e->from, e->to);
    }
}
