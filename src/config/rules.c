/* config/rules.c - what concerns several keys at once: see config.h.
 *
 * A rule asks for values that may be missing or wrong; the check of the single key has said so, and the rule passes over them. What
 * Terraform's modules would refuse in the middle of a plan is refused here at its place; both get the
 * wrong values of tests/infra/wrong_variables.py. */
#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>

#include "config/config.h"

struct rules {
    const struct config *config;
    struct config_report *report;
    struct px_arena *arena;
    yyjson_val *global, *regions, *global_regions;
    struct px_str region; /* of the regional rules */
    yyjson_val *node;
};

/* ---- values with their defaults ---- */

static const struct value *default_of(const struct config_type *type, struct px_str path)
{
    struct px_str name;
    const struct config_member *member = NULL;
    bool more = true;
    while (more) {
        more = px_str_cut(&path, '.', &name);
        member = config_type_member(type, name);
        if (!member) return NULL;
        type = member->type;
    }
    return member->otherwise;
}

static double number_of(const struct rules *r, const char *path)
{
    yyjson_val *node = config_at(r->node, path);
    if (node) return config_number(node, NAN);
    return value_num(default_of(config_schema_stack(r->config->schema, false), px_str_c(path)),
                     NAN);
}

static bool truth_of(const struct rules *r, const char *path)
{
    yyjson_val *node = config_at(r->node, path);
    if (node) return config_truth(node, false);
    return value_truth(default_of(config_schema_stack(r->config->schema, false), px_str_c(path)));
}

/* Where a value that may be a default is told of: its own node, else the nearest around it. */
static yyjson_val *place_of(const struct rules *r, const char *path)
{
    yyjson_val *at = r->node;
    struct px_str rest = px_str_c(path), name;
    while (rest.len > 0) {
        (void)px_str_cut(&rest, '.', &name);
        yyjson_val *next = config_field(at, name);
        if (!next) break;
        at = next;
    }
    return at;
}

static void refuse(struct rules *r, const char *path, struct px_str message, const char *remedy)
{
    if (!path) return; /* the arena is full, and remembers */
    struct px_str key = px_arena_printf(r->arena, "regions.%.*s.%s", PX_FMT(r->region), path);
    config_report_add(r->report, r->config, place_of(r, path), key, message, px_str_c(remedy));
}

static bool is_environment(const struct rules *r, const char *name)
{
    return px_str_eq(r->config->name, px_str_c(name));
}

/* ---- a region ---- */

static void replica(struct rules *r)
{
    struct px_str to = config_text(config_at(r->node, "replica_region"));
    if (to.len == 0 && !is_environment(r, "dev"))
        refuse(r, "replica_region",
               S("without replica_region nothing outlives the loss of the region"),
               "name another region of this environment");
    if (to.len > 0 && px_str_eq(to, r->region))
        refuse(r, "replica_region", S("the copies would lie in the region itself"),
               "name another region of this environment");
    if (truth_of(r, "hot.replicate") && to.len == 0)
        refuse(r, "hot.replicate", S("hot.replicate needs replica_region"),
               "name another region, or set hot.replicate to false");
}

static void database(struct rules *r)
{
    double min = number_of(r, "database.capacity_min"), max = number_of(r, "database.capacity_max");
    double readers = number_of(r, "database.readers_min"),
           days = number_of(r, "database.backup_days");
    bool proxy = truth_of(r, "database.proxy");
    if (min > max)
        refuse(r, "database.capacity_min",
               px_arena_printf(r->arena, "capacity_min %.15g is over capacity_max %.15g", min, max),
               "lower database.capacity_min or raise database.capacity_max");
    if (readers > number_of(r, "database.readers_max"))
        refuse(r, "database.readers_min", S("readers_min is over readers_max"),
               "lower database.readers_min or raise database.readers_max");
    /* https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2-auto-pause.html */
    if (proxy && min == 0)
        refuse(r, "database.capacity_min",
               S("a cluster with a proxy never pauses: the proxy keeps connections open"),
               "set database.proxy to false, or database.capacity_min to 0.5 or more");
    if (!is_environment(r, "prod")) return;
    if (!proxy || min < 0.5 || readers < 1)
        refuse(
            r, "database", S("in prod the loss of a zone would be an outage"),
            "set database.proxy to true, capacity_min to 0.5 or more and readers_min to 1 or more");
    if (!truth_of(r, "database.deletion_protection") || days < 7)
        refuse(r, "database",
               S("in prod the database must be protected, with backups of 7 days or more"),
               "set database.deletion_protection to true and backup_days to 7 or more");
}

/* What module storage computes, throughput.tf. */
static void hot(struct rules *r)
{
    double in = number_of(r, "hot.ingest_mib_per_s"), out = number_of(r, "hot.query_mib_per_s");
    double needed = ceil((in + (in + out) / 3) / 0.7);
    if (needed > 3414)
        refuse(
            r, "hot",
            px_arena_printf(
                r->arena,
                "hot needs %.15g MiB/s, and EFS provisions at most 3414 for a file system", needed),
            "lower hot.ingest_mib_per_s or hot.query_mib_per_s, and place tenants in another region");
}

static void code_signing(struct rules *r)
{
    if (!truth_of(r, "code_signing") && !is_environment(r, "dev"))
        refuse(r, "code_signing", S("unsigned packages run in dev only"),
               "set code_signing to true");
}

static void zones(struct rules *r)
{
    yyjson_val *items = config_items(config_at(r->node, "availability_zones")), *zone, *other;
    size_t i, n, k, m;
    size_t count = yyjson_arr_size(items);
    if (count != 0 && count != 3)
        refuse(r, "availability_zones", S("there are exactly three zones"),
               "name three zones, or none to take the region's first three");
    px_json_arr_foreach(items, i, n, zone)
    {
        if (!px_str_starts(config_text(zone), r->region))
            refuse(r, "availability_zones",
                   px_arena_printf(r->arena, "%.*s is no zone of %.*s", PX_FMT(config_text(zone)),
                                   PX_FMT(r->region)),
                   "name zones of the region itself");
        yyjson_arr_foreach(items, k, m, other)
        {
            if (k < i && px_str_eq(config_text(zone), config_text(other)))
                refuse(
                    r, "availability_zones",
                    px_arena_printf(r->arena, "%.*s stands there twice", PX_FMT(config_text(zone))),
                    "name three different zones");
        }
    }
}

static double or_else(yyjson_val *node, const char *name, double otherwise)
{
    yyjson_val *field = config_at(node, name);
    return field && config_kind_of(field) != CONFIG_NULL ? config_number(field, NAN) : otherwise;
}

/* As module function has it: what is not said here is the catalogue's. */
static void concurrency(struct rules *r)
{
    size_t i, n, k, m;
    yyjson_val *field, *one, *name, *times;
    px_json_obj_foreach(config_fields(config_at(r->node, "concurrency")), i, n, field, one)
    {
        struct px_str function = px_json_val_str(field);
        yyjson_val *spec = config_schema_function(r->config->schema, function);
        const char *path = px_arena_printf(r->arena, "concurrency.%.*s", PX_FMT(function)).ptr;
        if (!path) return;
        if (!spec) {
            refuse(r, path,
                   px_arena_printf(r->arena, "platform/functions.json has no function %.*s",
                                   PX_FMT(function)),
                   "correct the name, or take it out");
            continue;
        }
        double least = px_json_f64(yyjson_obj_get(spec, "concurrency"), "min", 0);
        double most = px_json_f64(yyjson_obj_get(spec, "concurrency"), "max", 0);
        bool warm = px_str_eq(px_json_str(yyjson_obj_get(spec, "concurrency"), "class"), S("warm"));
        double reserved = or_else(one, "reserved", most),
               min = warm ? or_else(one, "provisioned_min", least) : 0;
        double max = min == 0 ? 0
                              : or_else(one, "provisioned_max", fmax(min, fmin(most, reserved)));
        if (min > max || max > reserved)
            refuse(
                r,
                px_arena_printf(r->arena, "%s.%s", path,
                                min > max ? "provisioned_min" : "provisioned_max")
                    .ptr,
                px_arena_printf(
                    r->arena,
                    "provisioned concurrency %.15g to %.15g does not fit into the reserved %.15g",
                    min, max, reserved),
                "keep provisioned_min <= provisioned_max <= reserved: Lambda refuses the rest");
        px_json_obj_foreach(config_fields(config_at(one, "schedule")), k, m, name, times)
        {
            double from = config_number(config_at(times, "min"), NAN),
                   to = config_number(config_at(times, "max"), NAN);
            if (from > to || to > reserved)
                refuse(r,
                       px_arena_printf(r->arena, "%s.schedule.%.*s", path,
                                       PX_FMT(px_json_val_str(name)))
                           .ptr,
                       px_arena_printf(
                           r->arena, "schedule %.*s asks for %.15g to %.15g of the reserved %.15g",
                           PX_FMT(px_json_val_str(name)), from, to, reserved),
                       "keep a schedule's min <= max <= reserved");
        }
    }
}

/* A function may not be given more than its own memory and time. */
static void settings(struct rules *r)
{
    size_t i, n;
    yyjson_val *field, *one;
    px_json_obj_foreach(config_fields(config_at(r->node, "settings")), i, n, field, one)
    {
        struct px_str function = px_json_val_str(field);
        yyjson_val *spec = config_schema_function(r->config->schema, function);
        double memory = px_json_f64(spec, "memory_mb", INFINITY) * 1048576,
               time = px_json_f64(spec, "timeout_s", INFINITY) * 1000;
        const char *path = px_arena_printf(r->arena, "settings.%.*s", PX_FMT(function)).ptr;
        if (!path) return;
        if (or_else(one, "memory_bytes", 0) >= memory)
            refuse(
                r, px_arena_printf(r->arena, "%s.memory_bytes", path).ptr,
                px_arena_printf(r->arena, "%.*s has %.15g bytes in all", PX_FMT(function), memory),
                "leave a quarter of memory_mb (platform/functions.json) to the rest of the function");
        if (or_else(one, "timeout_ms", 0) >= time)
            refuse(
                r, px_arena_printf(r->arena, "%s.timeout_ms", path).ptr,
                px_arena_printf(r->arena, "%.*s ends after %.15g ms", PX_FMT(function), time),
                "stay below timeout_s (platform/functions.json), so that the function answers itself");
    }
}

/* ---- address ranges ---- */

struct range {
    uint32_t first, last;
    unsigned bits;
};

static bool range_of(struct px_str text, struct range *ret)
{
    char address[32];
    struct px_str head, rest = text;
    struct in_addr in;
    int64_t bits = 0;
    if (!px_str_cut(&rest, '/', &head) || !px_str_to_i64(rest, &bits) || bits < 0 || bits > 32)
        return false;
    if (head.len >= sizeof address) return false;
    (void)snprintf(address, sizeof address, "%.*s", PX_FMT(head));
    if (inet_pton(AF_INET, address, &in) != 1) return false;
    uint32_t size = bits == 0 ? UINT32_MAX : (uint32_t)((UINT64_C(1) << (32 - bits)) - 1);
    *ret = (struct range){.first = ntohl(in.s_addr), .bits = (unsigned)bits};
    ret->last = ret->first | size;
    return (ret->first & size) == 0;
}

static bool is_private(const struct range *range) /* RFC 1918 */
{
    static const struct range all[] = {
        {0x0a000000, 0x0affffff, 8}, {0xac100000, 0xac1fffff, 12}, {0xc0a80000, 0xc0a8ffff, 16}};
    for (size_t i = 0; i < PX_COUNT(all); i++)
        if (range->first >= all[i].first && range->last <= all[i].last) return true;
    return false;
}

static void cidr(struct rules *r)
{
    struct range own, other;
    size_t i, n;
    yyjson_val *field, *region;
    struct px_str text = config_text(config_at(r->node, "cidr"));
    if (!config_at(r->node, "cidr")) return;
    if (!range_of(text, &own)) {
        refuse(r, "cidr",
               px_arena_printf(r->arena, "%.*s is no IPv4 range that begins at its first address",
                               PX_FMT(text)),
               "write one such as 10.16.0.0/16");
        return;
    }
    /* https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html */
    if (own.bits < 16 || own.bits > 20)
        refuse(
            r, "cidr",
            S("a VPC here is /16 to /20: AWS takes none larger, and below /20 subnets get too small"),
            "choose for example 10.16.0.0/16");
    if (!is_private(&own))
        refuse(r, "cidr", S("the range is not private (RFC 1918)"),
               "choose one in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16");
    px_json_obj_foreach(config_fields(r->regions), i, n, field, region)
    {
        if (px_str_cmp(px_json_val_str(field), r->region) <= 0 ||
            !range_of(config_text(config_at(region, "cidr")), &other))
            continue;
        if (own.first <= other.last && other.first <= own.last)
            refuse(r, "cidr",
                   px_arena_printf(r->arena, "the range overlaps that of %.*s",
                                   PX_FMT(px_json_val_str(field))),
                   "give each region a range of its own, so that they can be connected later");
    }
}

/* ---- the global stack ---- */

static void refuse_global(struct rules *r, yyjson_val *node, const char *key, struct px_str message,
                          const char *remedy)
{
    config_report_add(r->report, r->config, node ? node : r->global, px_str_c(key), message,
                      px_str_c(remedy));
}

static void roles_of_regions(struct rules *r)
{
    size_t i, n, primary = 0, secondary = 0;
    yyjson_val *field, *one;
    px_json_obj_foreach(config_fields(r->global_regions), i, n, field, one)
    {
        bool first = config_truth(config_at(one, "primary"), false),
             second = config_truth(config_at(one, "secondary"), false);
        bool active = config_truth(config_at(one, "active"), true);
        struct px_str standby = config_text(config_at(one, "standby"));
        yyjson_val *other = config_field(r->global_regions, standby);
        primary += first, secondary += second;
        const char *key =
            px_arena_printf(r->arena, "global.regions.%.*s", PX_FMT(px_json_val_str(field))).ptr;
        if (!key) return;
        if (first && second)
            refuse_global(r, one, key, S("a region is primary or secondary, not both"),
                          "take one of the two away");
        if ((first || second) && !active)
            refuse_global(r, one, key, S("the primary and the secondary region must be active"),
                          "give the role to another region first");
        if (standby.len > 0 && (px_str_eq(standby, px_json_val_str(field)) || !other ||
                                !config_truth(config_at(other, "active"), true)))
            refuse_global(r, config_at(one, "standby"), key,
                          px_arena_printf(r->arena, "%.*s cannot stand in for it", PX_FMT(standby)),
                          "standby is another active region of this environment, or null");
    }
    if (r->global_regions && primary != 1)
        refuse_global(r, r->global_regions, "global.regions",
                      px_arena_printf(r->arena, "%zu regions are primary", primary),
                      "exactly one region has primary: true");
    if (secondary > 1)
        refuse_global(r, r->global_regions, "global.regions", S("several regions are secondary"),
                      "Route 53's failover records come in pairs: leave one");
}

static void same_regions(struct rules *r)
{
    size_t i, n;
    yyjson_val *field, *one;
    px_json_obj_foreach(config_fields(r->global_regions), i, n, field, one)
    {
        if (!config_field(r->regions, px_json_val_str(field)))
            refuse_global(r, one, "global.regions",
                          px_arena_printf(r->arena, "%.*s has no settings of its own",
                                          PX_FMT(px_json_val_str(field))),
                          "add it to regions, or take it out here");
    }
    px_json_obj_foreach(config_fields(r->regions), i, n, field, one)
    {
        if (r->global_regions && !config_field(r->global_regions, px_json_val_str(field)))
            config_report_add(
                r->report, r->config, one,
                px_arena_printf(r->arena, "regions.%.*s", PX_FMT(px_json_val_str(field))),
                S("the global stack does not know this region"),
                S("add it to global.regions, or take it out here"));
    }
}

static bool has_text(yyjson_val *texts, struct px_str text)
{
    size_t i, n;
    yyjson_val *one;
    px_json_arr_foreach(texts, i, n, one)
    {
        if (px_str_eq(px_json_val_str(one), text)) return true;
    }
    return false;
}

static void global_rest(struct rules *r)
{
    struct px_str domain = config_text(config_at(r->global, "domain"));
    bool prod = is_environment(r, "prod");
    /* RFC 5280's bound on a common name: <code>.api.<domain> has 64. */
    if (domain.len > 54)
        refuse_global(r, config_at(r->global, "domain"), "global.domain",
                      S("domain is longer than 54 characters"),
                      "certificates are for <code>.api.<domain>, which may have 64");
    if (prod && config_truth(config_at(r->global, "disposable"), false))
        refuse_global(r, config_at(r->global, "disposable"), "global.disposable",
                      S("prod is not disposable"), "leave it out");
    yyjson_val *days = config_at(r->global, "secrets.recovery_days");
    if (days && config_kind_of(days) == CONFIG_NUMBER) {
        double d = config_number(days, 0);
        if (!(d == 0 && !prod) && (d < 7 || d > 30))
            refuse_global(
                r, days, "global.secrets.recovery_days",
                px_arena_printf(r->arena, "Secrets Manager keeps no secret for %.15g days", d),
                prod ? "choose 7 to 30" : "choose 0, or 7 to 30");
    }
    size_t i, n;
    yyjson_val *field, *table;
    px_json_obj_foreach(config_fields(config_at(r->global, "tables.provisioned")), i, n, field,
                        table)
    {
        static const char *const ways[] = {"read", "write"};
        struct px_str name = px_json_val_str(field);
        if (!has_text(config_schema_tables(r->config->schema), name))
            refuse_global(r, table, "global.tables.provisioned",
                          px_arena_printf(r->arena, "platform/functions.json has no table %.*s",
                                          PX_FMT(name)),
                          "correct the name, or take it out");
        for (size_t w = 0; w < PX_COUNT(ways); w++) {
            yyjson_val *units = config_at(table, ways[w]);
            if (config_number(config_at(units, "min"), 1) >
                config_number(config_at(units, "max"), 40000))
                refuse_global(r, units, "global.tables.provisioned", S("min is over max"),
                              "keep min <= max");
        }
    }
}

void config_check_rules(const struct config *config, struct config_report *report)
{
    static void (*const regional[])(struct rules *) = {replica, database,    hot,      code_signing,
                                                       zones,   concurrency, settings, cidr};
    yyjson_val *root = config->tree.root, *field, *node;
    size_t i, n;
    struct rules r = {.config = config,
                      .report = report,
                      .arena = config->arena,
                      .global = config_field(root, S("global")),
                      .regions = config_field(root, S("regions"))};
    r.global_regions = config_field(r.global, S("regions"));
    px_json_obj_foreach(config_fields(r.regions), i, n, field, node)
    {
        r.region = px_json_val_str(field);
        r.node = node;
        if (config_is_local(config))
            settings(&r);
        else if (config_kind_of(node) == CONFIG_MAP)
            for (size_t k = 0; k < PX_COUNT(regional); k++) regional[k](&r);
    }
    if (config_is_local(config) || config_kind_of(r.global) != CONFIG_MAP) return;
    roles_of_regions(&r);
    same_regions(&r);
    global_rest(&r);
}
