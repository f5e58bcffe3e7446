/* region/watch.c - see watch.h. An alarm looks at its newest `periods` windows of period_s, the last of which ends now; it
 * fires when `datapoints` of them breach. That is CloudWatch's "M out of N", without its fixed minutes.
 *
 * Sources: Amazon CloudWatch API reference (GetMetricData, DescribeAlarms) and user guide, "Evaluating an alarm" and
 * "Statistics definitions" (pNN, PR); AWS Lambda developer guide, "Types of metrics for Lambda functions"; AWS Step
 * Functions developer guide, "Step Functions metrics for CloudWatch". */
#include "region/watch.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/px_json.h"
#include "region/workflow_catalogue.h"

#define ALARMS_BYTES_MAX (1u << 20)
#define REPLY_BYTES_MAX ((size_t)4 << 20)
#define QUERIES_MAX 500u  /* CloudWatch's limit */
#define POINTS_MAX 10080u /* of one query */
#define TARGET "GraniteServiceVersion20100801."
#define STAGE "v1"

/* One value of figures; `every` is how many there are of it, for averages. */
enum value {
    VALUE_INVOCATIONS,
    VALUE_ERRORS,
    VALUE_THROTTLES,
    VALUE_DURATION,
    VALUE_CONCURRENT,
    VALUE_SPILLED,
    VALUE_REFUSED,
    VALUE_STARTED,
    VALUE_SUCCEEDED,
    VALUE_TIMED_OUT,
    VALUE_ABORTED,
};
struct metric {
    const char *name_space, *name;
    enum value value;
};
static const struct metric metrics[] = {
    {"AWS/Lambda", "Invocations", VALUE_INVOCATIONS},
    {"AWS/Lambda", "Errors", VALUE_ERRORS},
    {"AWS/Lambda", "Throttles", VALUE_THROTTLES},
    {"AWS/Lambda", "Duration", VALUE_DURATION},
    {"AWS/Lambda", "ConcurrentExecutions", VALUE_CONCURRENT},
    {"AWS/Lambda", "ProvisionedConcurrencySpilloverInvocations", VALUE_SPILLED},
    {"AWS/ApiGateway", "Count", VALUE_INVOCATIONS},
    {"AWS/ApiGateway", "4XXError", VALUE_REFUSED},
    {"AWS/ApiGateway", "5XXError", VALUE_ERRORS},
    {"AWS/ApiGateway", "Latency", VALUE_DURATION},
    {"AWS/States", "ExecutionsStarted", VALUE_STARTED},
    {"AWS/States", "ExecutionsSucceeded", VALUE_SUCCEEDED},
    {"AWS/States", "ExecutionsFailed", VALUE_ERRORS},
    {"AWS/States", "ExecutionsTimedOut", VALUE_TIMED_OUT},
    {"AWS/States", "ExecutionsAborted", VALUE_ABORTED},
    {"AWS/States", "ExecutionTime", VALUE_DURATION},
    {"AWS/States", "ExecutionThrottled", VALUE_THROTTLES},
};

/* Whose. */
struct subject {
    bool is_gateway;
    size_t function;
    struct px_str machine; /* ARN or name; empty: none */
    struct px_str alias;   /* a machine's; empty: whichever led to the version */
    uint32_t executed;     /* 0: all versions */
};
enum comparison { COMPARE_GREATER, COMPARE_GREATER_EQUAL, COMPARE_LESS, COMPARE_LESS_EQUAL };
static const char *const comparisons[] = {"GreaterThanThreshold", "GreaterThanOrEqualToThreshold",
                                          "LessThanThreshold", "LessThanOrEqualToThreshold"};
struct alarm {
    struct px_str name, summary, statistic, severity;
    const struct metric *metric;
    struct subject subject;
    uint32_t period_s, periods, datapoints;
    enum comparison comparison;
    double threshold;
    bool is_reserved; /* the threshold is a share of reserved concurrency, which may change */
};
struct alarm_state {
    bool fires;
    char reason[192];
};
struct watch {
    struct watch_options options;
    struct px_arena arena;
    struct alarm *alarms;
    size_t count, room;
};

/* ---- values ---- */

static bool sum_of(const struct watch *w, const struct subject *subject, int64_t from_s,
                   int64_t to_s, struct figures_sum *sum)
{
    int64_t now_s = px_wall_ns(w->options.clock) / PX_NS_PER_S;
    const struct workflows_subject machine = {
        .machine = subject->machine, .version = subject->executed, .alias = subject->alias};
    if (subject->machine.len)
        return workflows_figures(w->options.workflows, &machine, from_s, to_s, sum);
    if (!subject->is_gateway)
        return versions_figures(w->options.versions, subject->function, subject->executed, from_s,
                                to_s, sum);
    figures_sum(w->options.gateway, now_s, from_s, to_s, sum);
    return true;
}

static uint64_t total_of(const struct figures_sum *s, enum value value)
{
    switch (value) {
    case VALUE_INVOCATIONS: return s->invocations;
    case VALUE_ERRORS: return s->errors;
    case VALUE_THROTTLES: return s->throttles;
    case VALUE_SPILLED: return s->spilled;
    case VALUE_REFUSED: return s->refused;
    case VALUE_STARTED: return s->started;
    case VALUE_SUCCEEDED: return s->invocations - s->errors - s->timed_out - s->aborted;
    case VALUE_TIMED_OUT: return s->timed_out;
    case VALUE_ABORTED: return s->aborted;
    case VALUE_CONCURRENT: return s->running_max;
    case VALUE_DURATION: break;
    }
    return 0;
}

/* "p99.9": 0.999; "PR(10:200)": a share of 0 to 100. False: another statistic. */
static bool rank_of(const struct figures_sum *s, struct px_str statistic, double *ret_value)
{
    char text[64], *end;
    if (statistic.len < 2 || statistic.len >= sizeof text) return false;
    (void)snprintf(text, sizeof text, "%.*s", PX_FMT(statistic));
    if (text[0] == 'p') {
        double p = strtod(text + 1, &end);
        if (*end || !(p > 0 && p < 100)) return false;
        *ret_value = figures_quantile_ms(s, p / 100);
        return true;
    }
    if (strncmp(text, "PR(", 3) != 0) return false;
    double from = text[3] == ':' ? 0 : strtod(text + 3, &end);
    const char *colon = strchr(text, ':');
    if (!colon) return false;
    double to = colon[1] == ')' ? INFINITY : strtod(colon + 1, &end);
    *ret_value = 100 * figures_share(s, from, to);
    return true;
}

/* Answers by ret_has whether there is a value at all: what nobody called has none. False: no such statistic. */
static bool value_of(const struct metric *metric, struct px_str statistic,
                     const struct figures_sum *s, double *ret_value, bool *ret_has)
{
    uint64_t every = s->invocations;
    double total = (double)total_of(s, metric->value);
    bool timed = metric->value == VALUE_DURATION, whole = metric->value == VALUE_CONCURRENT;
    if (metric->value == VALUE_THROTTLES) every += s->throttles;
    if (metric->value == VALUE_STARTED) every = s->started;
    if (timed) {
        every = s->timed;
        total = s->duration_sum_ms;
    }
    *ret_has = every > 0;
    if (timed && rank_of(s, statistic, ret_value)) return true;
    if (px_str_eq(statistic, S("SampleCount")))
        *ret_value = (double)every;
    else if (px_str_eq(statistic, S("Sum")))
        *ret_value = total;
    else if (px_str_eq(statistic, S("Average")))
        *ret_value = whole ? total : every ? total / (double)every : 0;
    else if (px_str_eq(statistic, S("Maximum")))
        *ret_value = timed ? s->duration_max_ms : whole ? total : total > 0;
    else if (px_str_eq(statistic, S("Minimum")))
        *ret_value = timed ? s->duration_min_ms : whole ? 0 : every > 0 && total >= (double)every;
    else
        return false;
    return true;
}

static const struct metric *metric_find(struct px_str name_space, struct px_str name)
{
    for (size_t i = 0; i < PX_COUNT(metrics); i++)
        if (px_str_eq(px_str_c(metrics[i].name_space), name_space) &&
            px_str_eq(px_str_c(metrics[i].name), name))
            return &metrics[i];
    return NULL;
}

/* ---- alarms ---- */

static bool breaches(const struct watch *w, const struct alarm *a, double value, double threshold)
{
    (void)w;
    switch (a->comparison) {
    case COMPARE_GREATER: return value > threshold;
    case COMPARE_GREATER_EQUAL: return value >= threshold;
    case COMPARE_LESS: return value < threshold;
    case COMPARE_LESS_EQUAL: return value <= threshold;
    }
    return false;
}

static double threshold_of(const struct watch *w, const struct alarm *a)
{
    return a->is_reserved
               ? a->threshold * versions_reserved(w->options.versions, a->subject.function)
               : a->threshold;
}

static void weigh(const struct watch *w, const struct alarm *a, struct alarm_state *ret_state)
{
    int64_t to_s = px_wall_ns(w->options.clock) / PX_NS_PER_S + 1;
    double threshold = threshold_of(w, a), worst = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < a->periods; i++) {
        struct figures_sum sum = {0};
        double value = 0;
        bool has = false;
        int64_t end_s = to_s - (int64_t)i * a->period_s;
        if (!sum_of(w, &a->subject, end_s - a->period_s, end_s, &sum) ||
            !value_of(a->metric, a->statistic, &sum, &value, &has) || !has ||
            !breaches(w, a, value, threshold))
            continue;
        worst = count++ ? fmax(worst, value) : value;
    }
    ret_state->fires = count >= a->datapoints;
    (void)snprintf(ret_state->reason, sizeof ret_state->reason,
                   "%u of the last %u datapoints of %us breach %.6g (%s %s up to %.6g)", count,
                   a->periods, a->period_s, threshold, a->metric->name,
                   ret_state->fires ? "was" : "is", worst);
}

/* ---- reading alarms.json ---- */

static bool whole_of(yyjson_val *obj, const char *key, uint32_t max, uint32_t *ret)
{
    int64_t n = px_json_i64(obj, key, 0);
    if (n < 1 || n > max) return false;
    *ret = (uint32_t)n;
    return true;
}

static struct alarm *alarm_room(struct watch *w)
{
    if (w->count == w->room) {
        size_t room = w->room ? 2 * w->room : 64;
        struct alarm *more = px_arena_realloc(&w->arena, w->alarms, w->room * sizeof *w->alarms,
                                              room * sizeof *w->alarms);
        if (!more) return NULL;
        w->alarms = more;
        w->room = room;
    }
    struct alarm *a = &w->alarms[w->count];
    *a = (struct alarm){0};
    return a;
}

/* What an alarm's name ends with. */
static struct px_str name_of(const struct watch *w, const struct subject *subject)
{
    if (subject->is_gateway) return S("shard-0");
    const struct workflow_machine *machine = NULL;
    for (size_t i = 0;
         subject->machine.len && (machine = workflows_machine_at(w->options.workflows, i)); i++)
        if (px_str_eq(machine->arn, subject->machine)) return machine->name;
    return px_str_c(w->options.catalogue->functions[subject->function].name);
}

static int add_alarm(struct watch *w, yyjson_val *obj, const struct subject *subject,
                     const struct metric *metric)
{
    const struct function_spec *f = subject->is_gateway || subject->machine.len
                                        ? NULL
                                        : &w->options.catalogue->functions[subject->function];
    struct px_str id = px_json_str(obj, "id"), of = px_json_str(obj, "threshold_of"),
                  comparison = px_json_str(obj, "comparison");
    struct alarm *a = alarm_room(w);
    if (!a) return px_arena_fault(&w->arena);
    a->metric = metric;
    a->subject = *subject;
    a->statistic = px_json_str(obj, "statistic");
    a->severity = px_json_str(obj, "severity");
    a->threshold = px_json_f64(obj, "threshold", 0);
    double factor = px_json_f64(obj, "threshold_factor", 1);
    a->is_reserved = px_str_eq(of, S("reserved"));
    if (a->is_reserved)
        a->threshold = factor;
    else if (f && px_str_eq(of, S("timeout_ms")))
        a->threshold = factor * f->timeout_ms;
    else if (of.len)
        return 0; /* a figure that this machine does not have */
    size_t c = 0;
    while (c < PX_COUNT(comparisons) && !px_str_eq(px_str_c(comparisons[c]), comparison)) c++;
    a->comparison = (enum comparison)c;
    struct figures_sum none = {0};
    double value;
    bool has;
    if (c == PX_COUNT(comparisons) || !whole_of(obj, "period_s", 86400, &a->period_s) ||
        !whole_of(obj, "periods", 1440, &a->periods) ||
        !whole_of(obj, "datapoints", a->periods, &a->datapoints) ||
        !value_of(metric, a->statistic, &none, &value, &has))
        return px_fault(PX_F_CONFIG,
                        "alarms.json: %.*s: statistic, comparison, period_s, periods or datapoints "
                        "is none",
                        PX_FMT(id));
    a->name = px_arena_printf(&w->arena, "%.*s-%.*s-%.*s", PX_FMT(w->options.prefix), PX_FMT(id),
                              PX_FMT(name_of(w, subject)));
    a->summary = px_arena_printf(&w->arena, "%.*s", PX_FMT(px_json_str(obj, "summary")));
    if (!a->name.ptr || !a->summary.ptr) return px_arena_fault(&w->arena);
    w->count++;
    return 0;
}

static int add_to_machines(struct watch *w, yyjson_val *obj, const struct metric *metric)
{
    const struct workflow_machine *machine;
    for (size_t i = 0; (machine = workflows_machine_at(w->options.workflows, i)); i++) {
        const struct subject subject = {.machine = machine->arn};
        PX_TRY(add_alarm(w, obj, &subject, metric));
    }
    return 0;
}

static int read_alarm(struct watch *w, yyjson_val *obj)
{
    struct px_str scope = px_json_str(obj, "scope");
    const struct metric *metric = metric_find(px_json_str(obj, "namespace"),
                                              px_json_str(obj, "metric"));
    struct subject subject = {.is_gateway = px_str_eq(scope, S("api"))};
    yyjson_val *only = px_json_obj(obj, "only");
    bool warm = px_str_eq(px_json_str(only, "class"), S("warm"));
    struct px_str named = px_json_str(only, "catalogue");
    if (!metric || yyjson_obj_get(obj, "band")) return 0;
    if (subject.is_gateway) return add_alarm(w, obj, &subject, metric);
    if (px_str_eq(scope, S("machine"))) return add_to_machines(w, obj, metric);
    if (!px_str_eq(scope, S("function"))) return 0;
    for (size_t i = 0; i < w->options.catalogue->count; i++) {
        const struct function_spec *function = &w->options.catalogue->functions[i];
        if (warm && function->concurrency_min == 0) continue;
        if (named.len > 0 && !px_str_eq(named, px_str_c(function->name))) continue;
        subject.function = i;
        PX_TRY(add_alarm(w, obj, &subject, metric));
    }
    return 0;
}

int watch_new(const struct watch_options *options, struct watch **ret_watch)
{
    char path[4096];
    yyjson_val *root = NULL, *item;
    size_t i, n;
    struct watch *w = calloc(1, sizeof *w);
    if (!w) return px_fault(PX_F_OOM, "alarms");
    w->options = *options;
    px_arena_init(&w->arena, 8u << 20);
    (void)snprintf(path, sizeof path, "%s/alarms.json", options->platform_dir);
    int r = px_json_load(path, ALARMS_BYTES_MAX, &w->arena, &root);
    px_json_arr_foreach(px_json_arr(root, "alarms"), i, n, item)
    {
        if (r == 0) r = read_alarm(w, item);
    }
    if (r != 0)
        watch_free(&w);
    else
        *ret_watch = w;
    return r;
}

void watch_free(struct watch **pwatch)
{
    struct watch *w = *pwatch;
    if (!w) return;
    *pwatch = NULL;
    px_arena_deinit(&w->arena);
    free(w);
}

/* ---- the protocol ---- */

struct api_call {
    struct watch *watch;
    struct http_request *request;
    yyjson_val *input;
    struct px_buf reply;
    char error[32]; /* empty: `reply` is the answer */
};

static void fail(struct api_call *call, const char *error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void fail(struct api_call *call, const char *error, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    (void)snprintf(call->error, sizeof call->error, "%s", error);
    px_buf_clear(&call->reply);
    px_buf_printf(&call->reply,
                  "{\"__type\":\"com.amazonaws.cloudwatch.v2010_08_01#%s\",\"message\":", error);
    px_buf_add_json_str(&call->reply, px_str_c(text));
    px_buf_add_c(&call->reply, "}");
}

static struct px_str dimension(yyjson_val *metric, const char *name)
{
    size_t i, n;
    yyjson_val *item;
    px_json_arr_foreach(px_json_arr(metric, "Dimensions"), i, n, item)
    {
        if (px_str_eq(px_json_str(item, "Name"), px_str_c(name))) return px_json_str(item, "Value");
    }
    return (struct px_str){0};
}

static size_t function_index(const struct watch *w, struct px_str name)
{
    const struct function_spec *spec = function_find(w->options.catalogue, name);
    if (!spec && px_str_starts(name, w->options.prefix) && name.len > w->options.prefix.len)
        spec = function_find(w->options.catalogue, px_str_skip(name, w->options.prefix.len + 1));
    return spec ? (size_t)(spec - w->options.catalogue->functions) : SIZE_MAX;
}

/* False: there is no such series, and so it has no datapoints. */
static bool find_series(const struct watch *w, yyjson_val *obj, const struct metric **ret_metric,
                        struct subject *ret_subject)
{
    bool states = px_str_eq(px_json_str(obj, "Namespace"), S("AWS/States"));
    struct px_str executed = dimension(obj, states ? "Version" : "ExecutedVersion");
    int64_t number = 0;
    *ret_metric = metric_find(px_json_str(obj, "Namespace"), px_json_str(obj, "MetricName"));
    if (!*ret_metric) return false;
    *ret_subject = (struct subject){
        .is_gateway = px_str_eq(px_json_str(obj, "Namespace"), S("AWS/ApiGateway"))};
    if (ret_subject->is_gateway) return true;
    ret_subject->function = states ? 0 : function_index(w, dimension(obj, "FunctionName"));
    if (states) {
        ret_subject->machine = dimension(obj, "StateMachineArn");
        ret_subject->alias = dimension(obj, "Alias");
        /* of a version or by an alias: there is no series of both */
        if (!ret_subject->machine.len || (ret_subject->alias.len && executed.len)) return false;
    }
    if (executed.ptr && (!px_str_to_i64(executed, &number) || number < 1 || number > UINT32_MAX))
        return false;
    ret_subject->executed = (uint32_t)number;
    return ret_subject->function != SIZE_MAX;
}

static int64_t seconds_of(yyjson_val *input, const char *key)
{
    yyjson_val *val = yyjson_obj_get(input, key);
    int64_t ns;
    if (yyjson_is_num(val)) return (int64_t)yyjson_get_num(val);
    return px_time_parse(px_json_val_str(val), &ns) ? ns / PX_NS_PER_S : -1;
}

static bool is_period(int64_t period_s)
{
    return period_s == 1 || period_s == 5 || period_s == 10 || period_s == 20 || period_s == 30 ||
           (period_s > 0 && period_s % 60 == 0 && period_s <= 86400);
}

/* Newest first, as CloudWatch has it by default; periods begin at multiples of their length. */
static void write_series(struct api_call *call, yyjson_val *query, int64_t from_s, int64_t to_s)
{
    yyjson_val *stat = px_json_obj(query, "MetricStat");
    struct px_str statistic = px_json_str(stat, "Stat");
    int64_t period_s = px_json_i64(stat, "Period", 0);
    const struct metric *metric = NULL;
    struct subject subject;
    struct px_buf values, *reply = &call->reply;
    size_t count = 0;
    bool there = find_series(call->watch, px_json_obj(stat, "Metric"), &metric, &subject);
    if (!is_period(period_s) || (to_s - from_s) / period_s > POINTS_MAX) {
        fail(call, "InvalidParameterValue",
             "Period is 1, 5, 10, 20, 30 or a multiple of 60 seconds, and at most %u fit",
             POINTS_MAX);
        return;
    }
    px_buf_init(&values, REPLY_BYTES_MAX);
    px_buf_add_c(reply, "{\"Id\":");
    px_buf_add_json_str(reply, px_json_str(query, "Id"));
    px_buf_add_c(reply, ",\"Label\":");
    px_buf_add_json_str(reply, px_str_c(metric ? metric->name : "unknown"));
    px_buf_add_c(reply, ",\"StatusCode\":\"Complete\",\"Timestamps\":[");
    int64_t first = from_s / period_s * period_s;
    for (int64_t s = (to_s - 1) / period_s * period_s; there && s >= first; s -= period_s) {
        struct figures_sum sum = {0};
        double value = 0;
        bool has = false;
        if (!sum_of(call->watch, &subject, s, s + period_s, &sum)) break;
        if (!value_of(metric, statistic, &sum, &value, &has)) {
            fail(call, "InvalidParameterValue", "no statistic %.*s of %s", PX_FMT(statistic),
                 metric->name);
            px_buf_deinit(&values);
            return;
        }
        if (!has) continue;
        px_buf_printf(reply, "%s%lld", count ? "," : "", (long long)s);
        px_buf_printf(&values, "%s%.17g", count++ ? "," : "", value);
    }
    px_buf_add_c(reply, "],\"Values\":[");
    px_buf_add_str(reply, px_buf_str(&values));
    px_buf_add_c(reply, "]}");
    if (px_buf_fault(&values)) reply->fault = px_buf_fault(&values);
    px_buf_deinit(&values);
}

static void get_metric_data(struct api_call *call)
{
    size_t i, n;
    yyjson_val *queries = px_json_arr(call->input, "MetricDataQueries"), *query;
    int64_t from_s = seconds_of(call->input, "StartTime"),
            to_s = seconds_of(call->input, "EndTime");
    if (from_s < 0 || to_s <= from_s || yyjson_arr_size(queries) == 0 ||
        yyjson_arr_size(queries) > QUERIES_MAX) {
        fail(call, "InvalidParameterValue",
             "StartTime before EndTime and 1 to %u MetricDataQueries", QUERIES_MAX);
        return;
    }
    px_buf_add_c(&call->reply, "{\"MetricDataResults\":[");
    px_json_arr_foreach(queries, i, n, query)
    {
        if (!px_json_obj(query, "MetricStat")) {
            fail(call, "InvalidParameterValue", "metric math is not done here");
            return;
        }
        if (i > 0) px_buf_add_c(&call->reply, ",");
        write_series(call, query, from_s, to_s);
        if (call->error[0]) return;
    }
    px_buf_add_c(&call->reply, "],\"Messages\":[]}");
}

static void write_dimensions(const struct watch *w, const struct alarm *a, struct px_buf *buf)
{
    if (a->subject.is_gateway) {
        px_buf_add_c(buf,
                     "[{\"Name\":\"ApiName\",\"Value\":\"prism\"},{\"Name\":\"Stage\",\"Value\":"
                     "\"" STAGE "\"}]");
        return;
    }
    if (a->subject.machine.len) {
        px_buf_add_c(buf, "[{\"Name\":\"StateMachineArn\",\"Value\":");
        px_buf_add_json_str(buf, a->subject.machine);
        px_buf_add_c(buf, "}]");
        return;
    }
    const char *name = w->options.catalogue->functions[a->subject.function].name;
    px_buf_printf(buf,
                  "[{\"Name\":\"FunctionName\",\"Value\":\"%s\"},{\"Name\":\"Resource\",\"Value\":"
                  "\"%s:" VERSIONS_LIVE "\"}]",
                  name, name);
}

static void write_alarm(const struct watch *w, const struct alarm *a,
                        const struct alarm_state *state, struct px_buf *buf)
{
    bool extended = a->statistic.ptr[0] == 'p';
    px_buf_add_c(buf, "{\"AlarmName\":");
    px_buf_add_json_str(buf, a->name);
    px_buf_add_c(buf, ",\"AlarmDescription\":");
    px_buf_add_json_str(buf, a->summary);
    px_buf_printf(buf, ",\"ActionsEnabled\":false,\"StateValue\":\"%s\",\"StateReason\":",
                  state->fires ? "ALARM" : "OK");
    px_buf_add_json_str(buf, px_str_c(state->reason));
    px_buf_printf(
        buf,
        ",\"StateUpdatedTimestamp\":%lld,\"Namespace\":\"%s\",\"MetricName\":\"%s\",\"%s\":"
        "\"%.*s\",\"Dimensions\":",
        (long long)(px_wall_ns(w->options.clock) / PX_NS_PER_S), a->metric->name_space,
        a->metric->name, extended ? "ExtendedStatistic" : "Statistic", PX_FMT(a->statistic));
    write_dimensions(w, a, buf);
    px_buf_printf(
        buf,
        ",\"Period\":%u,\"EvaluationPeriods\":%u,\"DatapointsToAlarm\":%u,\"Threshold\":%.17g,"
        "\"ComparisonOperator\":\"%s\",\"TreatMissingData\":\"notBreaching\"}",
        a->period_s, a->periods, a->datapoints, threshold_of(w, a), comparisons[a->comparison]);
}

static bool is_named(yyjson_val *names, struct px_str name)
{
    size_t i, n;
    yyjson_val *item;
    if (!names) return true;
    px_json_arr_foreach(names, i, n, item)
    {
        if (px_str_eq(px_json_val_str(item), name)) return true;
    }
    return false;
}

static void describe_alarms(struct api_call *call)
{
    struct watch *w = call->watch;
    yyjson_val *names = px_json_arr(call->input, "AlarmNames");
    struct px_str prefix = px_json_str(call->input, "AlarmNamePrefix"),
                  wanted = px_json_str(call->input, "StateValue");
    bool first = true;
    px_buf_add_c(&call->reply, "{\"MetricAlarms\":[");
    for (size_t i = 0; i < w->count; i++) {
        const struct alarm *a = &w->alarms[i];
        struct alarm_state state;
        if (!is_named(names, a->name) || !px_str_starts(a->name, prefix)) continue;
        weigh(w, a, &state);
        if (wanted.len && !px_str_eq(wanted, state.fires ? S("ALARM") : S("OK"))) continue;
        if (!first) px_buf_add_c(&call->reply, ",");
        first = false;
        write_alarm(w, a, &state, &call->reply);
    }
    px_buf_add_c(&call->reply, "],\"CompositeAlarms\":[]}");
}

bool watch_serve(struct watch *w, struct http_request *request)
{
    struct px_str target = http_header_get(request, S("X-Amz-Target"));
    struct api_call call = {.watch = w, .request = request};
    const struct http_header header = {S("Content-Type"), S("application/x-amz-json-1.0")};
    if (!px_str_starts(target, S(TARGET))) return false;
    target = px_str_skip(target, S(TARGET).len);
    px_buf_init(&call.reply, REPLY_BYTES_MAX);
    if (px_json_parse(request->body, request->arena, &call.input, NULL) != 0)
        fail(&call, "SerializationException", "the body is no JSON");
    else if (px_str_eq(target, S("GetMetricData")))
        get_metric_data(&call);
    else if (px_str_eq(target, S("DescribeAlarms")))
        describe_alarms(&call);
    else
        fail(&call, "UnknownOperationException",
             "GetMetricData and DescribeAlarms are served here");
    bool lost = px_buf_fault(&call.reply) != 0;
    http_reply(request,
               lost            ? 500
               : call.error[0] ? 400
                               : 200,
               &header, 1,
               lost ? S("{\"__type\":\"InternalServiceFault\"}") : px_buf_str(&call.reply));
    px_buf_deinit(&call.reply);
    return true;
}

void watch_write_status(struct watch *w, struct px_buf *buf)
{
    size_t fine = 0;
    bool first = true;
    px_buf_add_c(buf, "{\"firing\":[");
    for (size_t i = 0; i < w->count; i++) {
        struct alarm_state state;
        weigh(w, &w->alarms[i], &state);
        fine += !state.fires;
        if (!state.fires) continue;
        px_buf_add_c(buf, first ? "{\"name\":" : ",{\"name\":");
        first = false;
        px_buf_add_json_str(buf, w->alarms[i].name);
        px_buf_add_c(buf, ",\"severity\":");
        px_buf_add_json_str(buf, w->alarms[i].severity);
        px_buf_add_c(buf, ",\"reason\":");
        px_buf_add_json_str(buf, px_str_c(state.reason));
        px_buf_add_c(buf, "}");
    }
    px_buf_printf(buf, "],\"ok\":%zu}", fine);
}
