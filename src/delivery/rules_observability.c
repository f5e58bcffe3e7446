/* delivery/rules_observability.c - alarms, logs, traces, dashboards. */
#include "delivery/rule.h"

#define ALARMS                                                                                     \
    "CloudWatch Alarms monitor critical metrics with appropriate thresholds and notification "     \
    "channels."
#define ESCALATION                                                                                 \
    "Alert escalation policies ensure that critical issues receive immediate attention while "     \
    "minimizing false positive notifications."
#define ALL_PARTS                                                                                  \
    "Comprehensive CloudWatch integration provides metrics, logs, and alarms for all "             \
    "infrastructure components."
#define RETENTION                                                                                  \
    "CloudWatch Logs centralizes log data from all services with standardized log formats and "    \
    "retention policies."
#define QUERIES                                                                                    \
    "Log groups are organized by service and region to facilitate efficient querying and analysis."
#define TRACES                                                                                     \
    "Trace collection captures request flows through the system, enabling performance analysis "   \
    "and bottleneck identification."

#define THINGS_MAX 256

/* ---- which alarm is for what ---- */

/* Whether a dimension's value is a thing: its name, its id, or a symbol of it. */
static bool is_thing(struct verify *v, const struct value *value, struct plan_resource *thing)
{
    static const char *const own[] = {
        "function_name",        "name", "bucket", "cluster_identifier", "id", "arn", "stage_name",
        "db_cluster_identifier"};
    struct px_str text = value_str(value);
    if (text.len == 0) return false;
    for (size_t i = 0; i < PX_COUNT(own); i++) {
        struct px_str name = plan_text(thing, own[i]);
        if (name.len > 0 && !text_is_open(name) && px_str_eq(name, text)) return true;
    }
    struct px_str address, path;
    return text_symbol(text, &address) && plan_of_symbol(v->plan, address, &path) == thing;
}

static bool dimensions_have(struct verify *v, const struct value *dimensions,
                            struct plan_resource *thing)
{
    for (size_t i = 0; i < value_count(dimensions); i++)
        if (is_thing(v, value_item(dimensions, i), thing)) return true;
    return false;
}

/* What an alarm is on: a resource of the plan, or a name that another stack made. */
struct thing {
    struct plan_resource *resource;
    struct px_str name;
};

static bool metric_fits(struct verify *v, const struct value *namespace_, const struct value *name,
                        const struct value *dimensions, struct px_str want_namespace,
                        struct px_str want_name, const struct thing *thing)
{
    if (!px_str_eq(value_str(namespace_), want_namespace)) return false;
    if (!px_str_eq(value_str(name), want_name)) return false;
    if (!thing) return true;
    if (thing->resource) return dimensions_have(v, dimensions, thing->resource);
    for (size_t i = 0; i < value_count(dimensions); i++)
        if (px_str_eq(value_str(value_item(dimensions, i)), thing->name)) return true;
    return false;
}

static bool alarm_is_on(struct verify *v, struct plan_resource *alarm, struct px_str namespace_,
                        struct px_str name, const struct thing *thing)
{
    if (metric_fits(v, plan_get(alarm, "namespace"), plan_get(alarm, "metric_name"),
                    plan_get(alarm, "dimensions"), namespace_, name, thing))
        return true;
    const struct value *queries = plan_get(alarm, "metric_query");
    for (size_t i = 0; i < value_count(queries); i++) {
        const struct value *metric = value_item(value_get(value_item(queries, i), S("metric")), 0);
        if (metric_fits(v, value_get(metric, S("namespace")), value_get(metric, S("metric_name")),
                        value_get(metric, S("dimensions")), namespace_, name, thing))
            return true;
    }
    return false;
}

/* The alarm of a template, by its tag; without tags any on the metric will do. */
static struct plan_resource *alarm_on(struct verify *v, struct px_str id, struct px_str namespace_,
                                      struct px_str name, const struct thing *thing)
{
    for (plan_each(v->plan, "aws_cloudwatch_metric_alarm", it)) {
        struct px_str tag = plan_text(it, "tags_all.Alarm");
        if (id.len > 0 && tag.len > 0 && !px_str_eq(tag, id)) continue;
        if (alarm_is_on(v, it, namespace_, name, thing)) return it;
    }
    return NULL;
}

static void functions_watched(struct verify *v)
{
    static const char *const metrics[] = {"Errors", "Throttles", "Duration"};
    rule_look(v);
    for (plan_each(v->plan, "aws_lambda_function", it))
        for (size_t m = 0; m < PX_COUNT(metrics); m++) {
            struct thing function = {.resource = it};
            rule_look(v);
            if (!alarm_on(v, S(""), S("AWS/Lambda"), px_str_c(metrics[m]), &function))
                rule_find(v, it, "add the alarm in platform/alarms.json, scope function",
                          "nobody is told of its %s: there is no alarm", metrics[m]);
        }
}

/* ---- alarms.json ---- */

static size_t all_of(struct verify *v, const char *type, struct thing things[], size_t n)
{
    for (plan_each(v->plan, type, it))
        if (n < THINGS_MAX) things[n++] = (struct thing){.resource = it};
    return n;
}

static bool in_region(struct verify *v, struct plan_resource *it)
{
    struct px_str region = plan_text(it, "region");
    return region.len == 0 || v->plan->region.len == 0 || px_str_eq(region, v->plan->region);
}

static size_t buckets_of_data(struct verify *v, struct thing things[])
{
    size_t n = 0;
    for (plan_each(v->plan, "aws_s3_bucket_metric", it)) {
        struct plan_resource *bucket = plan_target(v->plan, plan_get(it, "bucket"));
        if (bucket && in_region(v, bucket) && n < THINGS_MAX)
            things[n++] = (struct thing){.resource = bucket};
    }
    return n;
}

static size_t queues_of_dead(struct verify *v, struct thing things[])
{
    size_t n = 0;
    for (plan_each(v->plan, "aws_sqs_queue", it))
        if (px_str_ends(plan_text(it, "name"), S("-dead-letter")) && n < THINGS_MAX)
            things[n++] = (struct thing){.resource = it};
    return n;
}

static size_t file_systems(struct verify *v, struct thing things[])
{
    size_t n = 0;
    for (plan_each(v->plan, "aws_efs_file_system", it))
        if (in_region(v, it) && n < THINGS_MAX) things[n++] = (struct thing){.resource = it};
    return n;
}

/* The stack's own tables, and the catalogue's, which the global stack makes. */
static size_t tables(struct verify *v, struct thing things[])
{
    const struct value *list = value_get(
        value_get(value_get(v->functions, S("stores")), S("tables")), S("tables"));
    size_t n = all_of(v, "aws_dynamodb_table", things, 0);
    for (size_t i = 0; i < value_count(list) && n < THINGS_MAX; i++)
        things[n++].name = px_arena_printf(v->arena, "%.*s-%.*s-%.*s", PX_FMT(v->plan->project),
                                           PX_FMT(v->plan->environment),
                                           PX_FMT(value_str(value_item(list, i))));
    return n;
}

/* The things of a scope; SIZE_MAX: the scope is of no thing, one alarm is enough. */
static size_t things_of(struct verify *v, struct px_str scope, struct thing things[THINGS_MAX])
{
    memset(things, 0, THINGS_MAX * sizeof *things);
    if (rule_is(scope, "function")) return all_of(v, "aws_lambda_function", things, 0);
    if (rule_is(scope, "dead_letter")) return queues_of_dead(v, things);
    if (rule_is(scope, "api")) return all_of(v, "aws_api_gateway_stage", things, 0);
    if (rule_is(scope, "cluster")) return all_of(v, "aws_rds_cluster", things, 0);
    if (rule_is(scope, "proxy")) return all_of(v, "aws_db_proxy", things, 0);
    if (rule_is(scope, "file_system")) return file_systems(v, things);
    if (rule_is(scope, "bucket")) return buckets_of_data(v, things);
    if (rule_is(scope, "table")) return tables(v, things);
    if (rule_is(scope, "machine")) return all_of(v, "aws_sfn_state_machine", things, 0);
    return SIZE_MAX;
}

/* Which function of the catalogue it is; NULL: none. */
static const struct rule_function *function_of(struct verify *v, const struct thing *thing)
{
    struct rule_function *all = NULL;
    size_t count = rule_functions(v, &all);
    for (size_t i = 0; i < count; i++)
        if (all[i].resource && all[i].resource == thing->resource) return &all[i];
    return NULL;
}

static bool is_replicated(struct verify *v, const struct thing *thing)
{
    if (!thing->resource) { /* a table of the catalogue: its replicas are the global stack's */
        for (plan_each(v->plan, "aws_cloudwatch_metric_alarm", it))
            if (plan_is_set(it, "dimensions.ReceivingRegion")) return true;
        return false;
    }
    struct px_str name = plan_text(thing->resource, "bucket");
    for (plan_each(v->plan, "aws_s3_bucket_replication_configuration", it))
        if (rule_names(v, plan_get(it, "bucket"), thing->resource) ||
            (name.len > 0 && px_str_eq(plan_text(it, "bucket"), name)))
            return true;
    return false;
}

/* `only` of a template: what a thing must be. */
static bool is_meant(struct verify *v, const struct value *template, const struct thing *thing)
{
    const struct value *only = value_get(template, S("only"));
    for (size_t i = 0; value_is(only, VALUE_MAP) && i < only->map.count; i++) {
        struct px_str field = only->map.fields[i].name, want = value_str(only->map.fields[i].value);
        const struct rule_function *function = function_of(v, thing);
        if (rule_is(field, "class")) {
            const struct value *class = function
                                            ? value_get(value_get(function->spec, S("concurrency")),
                                                        S("class"))
                                            : NULL;
            if (!px_str_eq(value_str(class), want)) return false;
        } else if (rule_is(field, "catalogue")) {
            if (!function || !px_str_eq(function->name, want)) return false;
        } else if (rule_is(field, "asynchronous")) {
            bool queued = thing->resource &&
                          value_count(plan_get(thing->resource, "dead_letter_config")) > 0;
            if (queued != rule_is(want, "true")) return false;
        } else if (rule_is(field, "replicated")) {
            if (is_replicated(v, thing) != rule_is(want, "true")) return false;
        }
    }
    return true;
}

/* A threshold of a figure that only some things have is no alarm for the others. */
static bool needs_figure(const struct value *template)
{
    static const char *const figures[] = {"read_ceiling", "write_ceiling"};
    struct px_str of = value_str(value_get(template, S("threshold_of")));
    for (size_t i = 0; i < PX_COUNT(figures); i++)
        if (rule_is(of, figures[i])) return true;
    return false;
}

static struct px_str namespace_of(struct verify *v, const struct value *metric)
{
    struct px_str text = value_str(value_get(metric, S("namespace")));
    const char *hole = text.len > 0 ? text_find(text, S("{prefix}")) : NULL;
    if (!hole) return text;
    return px_arena_printf(v->arena, "%.*s%.*s%.*s", (int)(hole - text.ptr), text.ptr,
                           PX_FMT(v->plan->prefix), (int)(text.ptr + text.len - hole - 8),
                           hole + 8);
}

static void check_numbers(struct verify *v, const struct value *template,
                          struct plan_resource *alarm)
{
    static const struct {
        const char *field, *path;
    } numbers[] = {{"threshold", "threshold"},
                   {"periods", "evaluation_periods"},
                   {"datapoints", "datapoints_to_alarm"},
                   {"comparison", "comparison_operator"},
                   {"missing", "treat_missing_data"}};
    for (size_t i = 0; i < PX_COUNT(numbers); i++) {
        const struct value *want = value_get(template, px_str_c(numbers[i].field));
        if (want && value_equal(want, plan_get(alarm, numbers[i].path)) == 0)
            rule_find(v, alarm, "take it from platform/alarms.json",
                      "%s is %.*s, but platform/alarms.json says %.*s", numbers[i].path,
                      PX_FMT(rule_shown(v, alarm, numbers[i].path)),
                      PX_FMT(value_shown(v->arena, want)));
    }
}

/* An alarm on one metric, or by arithmetic on several. */
static struct plan_resource *alarm_of(struct verify *v, const struct value *template,
                                      const struct thing *thing)
{
    struct px_str id = value_str(value_get(template, S("id")));
    const struct value *metrics = value_get(template, S("metrics"));
    if (!value_is(metrics, VALUE_MAP))
        return alarm_on(v, id, namespace_of(v, template),
                        value_str(value_get(template, S("metric"))), thing);
    struct plan_resource *found = NULL;
    for (size_t i = 0; i < metrics->map.count; i++) {
        const struct value *metric = metrics->map.fields[i].value;
        found = alarm_on(v, id, namespace_of(v, metric), value_str(value_get(metric, S("metric"))),
                         thing);
        if (!found) return NULL;
    }
    return found;
}

static void check_template(struct verify *v, const struct value *template)
{
    struct px_str id = value_str(value_get(template, S("id"))),
                  scope = value_str(value_get(template, S("scope")));
    struct thing things[THINGS_MAX];
    size_t count = things_of(v, scope, things);
    bool one = count == SIZE_MAX;
    for (size_t i = 0; i < (one ? 1 : count); i++) {
        if (!one && (!is_meant(v, template, &things[i]) || needs_figure(template))) continue;
        struct plan_resource *alarm = alarm_of(v, template, one ? NULL : &things[i]);
        rule_look(v);
        if (alarm)
            check_numbers(v, template, alarm);
        else if (one || !things[i].resource)
            rule_find(v, NULL,
                      "make every alarm of platform/alarms.json for every thing of its scope",
                      "alarm %.*s of platform/alarms.json is not there%s%.*s", PX_FMT(id),
                      one ? "" : " for ", PX_FMT(one ? S("") : things[i].name));
        else
            rule_find(v, things[i].resource,
                      "make every alarm of platform/alarms.json for every thing of its scope",
                      "alarm %.*s of platform/alarms.json is not there for it", PX_FMT(id));
    }
}

static void templates(struct verify *v)
{
    const struct value *list = value_get(v->alarms, S("alarms"));
    if (!rule_has(v, v->alarms, "alarms.json")) return;
    for (size_t i = 0; i < value_count(list); i++) check_template(v, value_item(list, i));
}

/* ---- actions ---- */

/* Whether the rule of a composite names an alarm: ALARM("name"), or ALARM(name). */
static bool watches(struct verify *v, struct plan_resource *composite, struct px_str name)
{
    struct px_str rule = plan_text(composite, "alarm_rule");
    return rule.len > 0 && name.len > 0 &&
           (text_find(rule, px_arena_printf(v->arena, "\"%.*s\"", PX_FMT(name))) ||
            text_find(rule, px_arena_printf(v->arena, "(%.*s)", PX_FMT(name))));
}

/* It tells somebody through a composite, or is what one waits for. */
static bool in_composite(struct verify *v, struct plan_resource *alarm)
{
    struct px_str name = plan_text(alarm, "alarm_name");
    for (plan_each(v->plan, "aws_cloudwatch_composite_alarm", it)) {
        if (watches(v, it, name) && plan_is_set(it, "alarm_actions")) return true;
        bool suppresses = name.len > 0 &&
                          px_str_eq(plan_text(it, "actions_suppressor.alarm"), name);
        if (suppresses) return true; /* an acknowledgement: it keeps others from telling */
    }
    return false;
}

static void acted_on(struct verify *v)
{
    static const char *const types[] = {"aws_cloudwatch_metric_alarm",
                                        "aws_cloudwatch_composite_alarm"};
    if (!rule_needs(v, "aws_cloudwatch_metric_alarm", "module observability makes the alarms"))
        return;
    for (size_t t = 0; t < PX_COUNT(types); t++)
        for (plan_each(v->plan, types[t], it)) {
            const struct value *enabled = plan_get(it, "actions_enabled");
            bool off = value_is(enabled, VALUE_BOOL) && !enabled->truth;
            rule_look(v);
            if (off) rule_find(v, it, "set actions_enabled = true", "the alarm is switched off");
            if (!plan_is_set(it, "alarm_actions") && !in_composite(v, it))
                rule_find(v, it, "name the topic of its severity in alarm_actions",
                          "the alarm tells nobody");
        }
}

static void sane(struct verify *v)
{
    rule_look(v);
    for (plan_each(v->plan, "aws_cloudwatch_metric_alarm", it)) {
        double periods = plan_number(it, "evaluation_periods", 0),
               points = plan_number(it, "datapoints_to_alarm", periods),
               seconds = plan_number(it, "period", 60);
        rule_look(v);
        if (points > periods)
            rule_find(v, it, "let datapoints be at most periods",
                      "it wants %.0f points of %.0f periods: it never goes off", points, periods);
        if (periods * seconds > 604800 || (seconds < 3600 && periods * seconds > 86400))
            rule_find(v, it, "look at a day at most, or at a week with periods of an hour",
                      "AWS refuses to look back %.0f s", periods * seconds);
        if (!plan_is_set(it, "treat_missing_data"))
            rule_find(v, it, "set treat_missing_data", "it does not say what no data means");
    }
}

/* ---- escalation ---- */

#define TOPICS_MAX 16

static struct plan_resource *composite_of(struct verify *v, struct px_str id)
{
    struct px_str end = px_arena_printf(v->arena, "-%.*s", PX_FMT(id));
    for (plan_each(v->plan, "aws_cloudwatch_composite_alarm", it))
        if (id.len > 0 && px_str_ends(plan_text(it, "alarm_name"), end)) return it;
    return NULL;
}

static bool tells(struct verify *v, struct plan_resource *alarm, struct px_str severity)
{
    struct plan_resource *topics[TOPICS_MAX];
    size_t count = plan_targets(v->plan, plan_get(alarm, "alarm_actions"), topics, TOPICS_MAX);
    struct px_str end = px_arena_printf(v->arena, "-%.*s", PX_FMT(severity));
    for (size_t i = 0; i < count; i++)
        if (rule_is(topics[i]->type, "aws_sns_topic") &&
            px_str_ends(plan_text(topics[i], "name"), end))
            return true;
    return false;
}

static struct plan_resource *alarm_named(struct verify *v, struct px_str name)
{
    for (plan_each(v->plan, "aws_cloudwatch_metric_alarm", it))
        if (name.len > 0 && px_str_eq(plan_text(it, "alarm_name"), name)) return it;
    return NULL;
}

/* The next severity is told after the wait, unless an acknowledgement holds that back. */
static void check_wait(struct verify *v, const struct value *severity,
                       struct plan_resource *escalated)
{
    const struct value *want = value_get(severity, S("escalate_after_s"));
    rule_look(v);
    if (!plan_is_set(escalated, "actions_suppressor"))
        rule_find(v, escalated, "set actions_suppressor to the acknowledgement",
                  "it does not wait for an acknowledgement before it tells the next severity");
    else if (!alarm_named(v, plan_text(escalated, "actions_suppressor.alarm")))
        rule_find(v, escalated, "name an alarm of the plan in actions_suppressor",
                  "its acknowledgement %.*s is no alarm",
                  PX_FMT(rule_shown(v, escalated, "actions_suppressor.alarm")));
    else if (value_equal(want, plan_get(escalated, "actions_suppressor.wait_period")) != 1)
        rule_find(v, escalated, "take escalate_after_s of platform/alarms.json",
                  "it waits %.*s s, but platform/alarms.json says %.*s",
                  PX_FMT(rule_shown(v, escalated, "actions_suppressor.wait_period")),
                  PX_FMT(value_shown(v->arena, want)));
}

/* Another composite stands over the first and tells the severity that its own leads to. */
static void check_escalation(struct verify *v, const struct value *severity,
                             struct plan_resource *composite)
{
    struct px_str next = value_str(value_get(severity, S("escalate_to"))),
                  name = plan_text(composite, "alarm_name");
    if (next.len == 0) return; /* nobody stands above it */
    rule_look(v);
    for (plan_each(v->plan, "aws_cloudwatch_composite_alarm", it)) {
        if (it == composite || !watches(v, it, name) || !tells(v, it, next)) continue;
        check_wait(v, severity, it);
        return;
    }
    rule_find(v, composite, "add a composite alarm over it that tells the severity of escalate_to",
              "nobody of severity %.*s is told when it is not acknowledged", PX_FMT(next));
}

static void escalation(struct verify *v)
{
    const struct value *list = value_get(v->alarms, S("composites"));
    if (!rule_has(v, v->alarms, "alarms.json")) return;
    if (value_count(list) > 0 &&
        !rule_needs(v, "aws_cloudwatch_composite_alarm", "module observability makes them"))
        return;
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *entry = value_item(list, i);
        struct px_str id = value_str(value_get(entry, S("id"))),
                      severity = value_str(value_get(entry, S("severity")));
        struct plan_resource *composite = composite_of(v, id);
        rule_look(v);
        if (composite)
            check_escalation(v, value_get(value_get(v->alarms, S("severities")), severity),
                             composite);
        else
            rule_find(v, NULL, "make every composite of platform/alarms.json",
                      "composite alarm %.*s is not there", PX_FMT(id));
    }
}

/* The topic or queue of a severity, by the end of its name. */
static struct plan_resource *of_severity(struct verify *v, const char *type, struct px_str severity)
{
    struct px_str end = px_arena_printf(v->arena, "-%.*s", PX_FMT(severity));
    for (plan_each(v->plan, type, it))
        if (px_str_ends(plan_text(it, "name"), end)) return it;
    return NULL;
}

static bool is_subscribed(struct verify *v, const struct plan_resource *queue,
                          const struct plan_resource *topic)
{
    for (plan_each(v->plan, "aws_sns_topic_subscription", it))
        if (plan_target(v->plan, plan_get(it, "topic_arn")) == topic &&
            plan_target(v->plan, plan_get(it, "endpoint")) == queue)
            return true;
    return false;
}

static void check_channels(struct verify *v, const struct value_field *severity)
{
    static const struct {
        const char *field, *type;
    } kinds[] = {{"topic", "aws_sns_topic"}, {"queue", "aws_sqs_queue"}};
    struct plan_resource *found[PX_COUNT(kinds)] = {NULL};
    for (size_t k = 0; k < PX_COUNT(kinds); k++) {
        if (!value_truth(value_get(severity->value, px_str_c(kinds[k].field)))) continue;
        rule_look(v);
        found[k] = of_severity(v, kinds[k].type, severity->name);
        if (!found[k])
            rule_find(v, NULL, "module observability makes one per severity",
                      "severity %.*s has no %s", PX_FMT(severity->name), kinds[k].field);
    }
    if (found[0] && found[1] && !is_subscribed(v, found[1], found[0]))
        rule_find(v, found[0], "subscribe the severity's queue to its topic",
                  "what the topic is told does not reach the severity's queue");
}

static void channels(struct verify *v)
{
    const struct value *severities = value_get(v->alarms, S("severities"));
    if (!rule_has(v, v->alarms, "alarms.json")) return;
    for (size_t i = 0; value_is(severities, VALUE_MAP) && i < severities->map.count; i++)
        check_channels(v, &severities->map.fields[i]);
}

/* ---- logs, dashboards, traces ---- */

static bool is_period(double days)
{
    /* docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html */
    static const int periods[] = {1,   3,   5,   7,   14,   30,   60,   90,   120,  150,  180,
                                  365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};
    for (size_t i = 0; i < PX_COUNT(periods); i++)
        if (days == periods[i]) return true;
    return false;
}

static void retention(struct verify *v)
{
    if (!rule_needs(v, "aws_cloudwatch_log_group", "make log groups before what writes to them"))
        return;
    for (plan_each(v->plan, "aws_cloudwatch_log_group", it)) {
        double days = plan_number(it, "retention_in_days", 0);
        double least = rule_is_prod(v) ? 30 : 14;
        rule_look(v);
        if (days == 0)
            rule_find(v, it, "set retention_in_days", "its events are kept for ever");
        else if (!is_period(days))
            rule_find(v, it, "use a period of CloudWatch Logs",
                      "CloudWatch Logs does not know a retention of %.0f days", days);
        else if (days < least)
            rule_find(v, it, "take the stack's log_retention_days",
                      "its events are gone after %.0f days; an investigation needs %.0f", days,
                      least);
    }
}

static bool is_dashboard(struct plan_resource *it, struct px_str name)
{
    struct px_str own = plan_text(it, "dashboard_name");
    return name.len > 0 && own.len >= name.len && text_find(own, name);
}

static void dashboards(struct verify *v)
{
    const struct value *list = value_get(v->alarms, S("dashboards"));
    if (!rule_needs(v, "aws_cloudwatch_dashboard", "module observability makes them")) return;
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *entry = value_item(list, i);
        struct px_str name = value_is(entry, VALUE_TEXT) ? entry->text
                                                         : value_str(value_get(entry, S("name")));
        bool found = false;
        rule_look(v);
        for (plan_each(v->plan, "aws_cloudwatch_dashboard", it))
            found = found || is_dashboard(it, name);
        if (!found && name.len > 0)
            rule_find(v, NULL, "make every dashboard of platform/alarms.json",
                      "dashboard %.*s is not there", PX_FMT(name));
    }
}

static void saved_queries(struct verify *v)
{
    const struct value *list = value_get(v->alarms, S("queries"));
    size_t count = plan_count(v->plan, "aws_cloudwatch_query_definition");
    if (!rule_has(v, v->alarms, "alarms.json")) return;
    rule_look(v);
    if (count < value_count(list))
        rule_find(v, NULL, "make every query of platform/alarms.json",
                  "%zu of %zu saved queries are there", count, value_count(list));
}

static void sampling(struct verify *v)
{
    if (!rule_needs(v, "aws_xray_sampling_rule", "module observability makes it")) return;
    (void)rule_needs(v, "aws_xray_group", "module observability makes it");
    for (plan_each(v->plan, "aws_xray_sampling_rule", it)) {
        double rate = plan_number(it, "fixed_rate", -1);
        rule_look(v);
        if (rate < 0 || rate > 1)
            rule_find(v, it, "use 0 to 1", "it samples a share of %.2f", rate);
    }
}

#define BOTH (VERIFY_GLOBAL | VERIFY_REGION)
const struct verify_rule rules_observability[] = {
    {"PV-OBS-01", "Every function has alarms", ALL_PARTS,
     "alarms on errors, throttles and duration of each function", VERIFY_REGION, VERIFY_ERROR,
     functions_watched},
    {"PV-OBS-02", "Every alarm of alarms.json is there for everything of its scope", ALARMS,
     "templates of platform/alarms.json are looked for by metric and dimension", VERIFY_REGION,
     VERIFY_ERROR, templates},
    {"PV-OBS-03", "Every alarm tells somebody", ALARMS,
     "each alarm has an action, or a composite that has one stands over it", BOTH, VERIFY_ERROR,
     acted_on},
    {"PV-OBS-04", "Alarms can go off", ALARMS,
     "points within periods, look-back within AWS's limit", BOTH, VERIFY_ERROR, sane},
    {"PV-OBS-05", "Alarms escalate", ESCALATION,
     "composites of platform/alarms.json, and over each one that tells the next severity, after "
     "the wait, unless somebody acknowledged",
     VERIFY_REGION, VERIFY_ERROR, escalation},
    {"PV-OBS-06", "Every severity has its channels", ALARMS,
     "topics, queues and subscriptions by severity", VERIFY_REGION, VERIFY_ERROR, channels},
    {"PV-OBS-07", "Logs are kept for a time", RETENTION,
     "retention of every log group, a period of CloudWatch Logs, 14 days or more (30 in prod)",
     BOTH, VERIFY_ERROR, retention},
    {"PV-OBS-08", "There are dashboards", ALL_PARTS, "dashboards of platform/alarms.json",
     VERIFY_REGION, VERIFY_ERROR, dashboards},
    {"PV-OBS-09", "Questions to the logs are saved", QUERIES, "queries of platform/alarms.json",
     VERIFY_REGION, VERIFY_ERROR, saved_queries},
    {"PV-OBS-10", "Traces are sampled and grouped", TRACES, "sampling rule and group",
     VERIFY_REGION, VERIFY_ERROR, sampling},
    {0},
};
