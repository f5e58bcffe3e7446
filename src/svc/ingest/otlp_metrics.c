/* svc/ingest/otlp_metrics.c - metrics to rows, one a data point. Columns: docs/design/ingest.md. */
#include "svc/ingest/otlp.h"

typedef Opentelemetry__Proto__Metrics__V1__ResourceMetrics resource_metrics;
typedef Opentelemetry__Proto__Metrics__V1__ScopeMetrics scope_metrics;
typedef Opentelemetry__Proto__Metrics__V1__Metric metric_data;
typedef Opentelemetry__Proto__Metrics__V1__NumberDataPoint number_point;
typedef Opentelemetry__Proto__Metrics__V1__HistogramDataPoint histogram_point;
typedef Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint exponential_point;
typedef Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint__Buckets buckets;
typedef Opentelemetry__Proto__Metrics__V1__SummaryDataPoint summary_point;
typedef Opentelemetry__Proto__Metrics__V1__Exemplar exemplar;

#define METRIC_CASE(name) OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_##name
#define NUMBER_CASE(name) OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_##name
#define EXEMPLAR_CASE(name) OPENTELEMETRY__PROTO__METRICS__V1__EXEMPLAR__VALUE_##name

static const char *const temporalities[] = {"UNSPECIFIED", "DELTA", "CUMULATIVE"};

/* A metric and one of its points, for the row writer. */
struct point {
    const metric_data *metric;
    const void *data;
};

/* ---- columns that several kinds share ---- */

static int put_metric(struct otlp_rows *rows, const metric_data *metric, const char *type)
{
    OTLP_TRY(otlp_put_str_set(rows, S("metric_name"), metric->name));
    OTLP_TRY(otlp_put_str_set(rows, S("description"), metric->description));
    OTLP_TRY(otlp_put_str_set(rows, S("unit"), metric->unit));
    return otlp_put_str(rows, S("type"), px_str_c(type));
}

static int put_times(struct otlp_rows *rows, uint64_t start_ns, uint64_t time_ns)
{
    OTLP_TRY(otlp_put_time(rows, "timeUnixNano", time_ns));
    OTLP_TRY(otlp_put_ns_set(rows, S("time_unix_nano"), "timeUnixNano", time_ns));
    return otlp_put_ns_set(rows, S("start_time_unix_nano"), "startTimeUnixNano", start_ns);
}

static int put_temporality(struct otlp_rows *rows, int temporality)
{
    return otlp_put_enum(rows, S("aggregation_temporality"), temporality, temporalities,
                         PX_COUNT(temporalities));
}

static int add_exemplar(struct px_buf *json, const exemplar *it)
{
    px_buf_printf(json, "{\"time_unix_nano\":%llu", (unsigned long long)it->time_unix_nano);
    if (it->value_case == EXEMPLAR_CASE(AS_INT))
        px_buf_printf(json, ",\"value\":%lld", (long long)it->as_int);
    if (it->value_case == EXEMPLAR_CASE(AS_DOUBLE)) {
        px_buf_add_c(json, ",\"value\":");
        otlp_add_double(json, it->as_double);
    }
    if (it->trace_id.len) {
        px_buf_add_c(json, ",\"trace_id\":");
        otlp_add_hex(json, it->trace_id);
    }
    if (it->span_id.len) {
        px_buf_add_c(json, ",\"span_id\":");
        otlp_add_hex(json, it->span_id);
    }
    if (it->n_filtered_attributes) {
        px_buf_add_c(json, ",\"attributes\":");
        OTLP_TRY(otlp_add_pairs(json, it->filtered_attributes, it->n_filtered_attributes, 1));
    }
    px_buf_add_char(json, '}');
    return 0;
}

static int put_exemplars(struct otlp_rows *rows, exemplar *const *exemplars, size_t count)
{
    if (count == 0) return 0;
    px_buf_clear(&rows->text);
    for (size_t i = 0; i < count; i++) {
        px_buf_add_char(&rows->text, i ? ',' : '[');
        int r = add_exemplar(&rows->text, exemplars[i]);
        if (r != 0)
            return otlp_refuse(rows, "exemplars", "values of at most %d levels",
                               OTLP_VALUE_DEPTH_MAX);
    }
    px_buf_add_char(&rows->text, ']');
    return otlp_put_json(rows, S("exemplars"));
}

static int put_u64s(struct otlp_rows *rows, struct px_str name, const uint64_t *values,
                    size_t count)
{
    if (count == 0) return 0;
    px_buf_clear(&rows->text);
    otlp_add_u64s(&rows->text, values, count);
    return otlp_put_json(rows, name);
}

static int put_doubles(struct otlp_rows *rows, struct px_str name, const double *values,
                       size_t count)
{
    if (count == 0) return 0;
    px_buf_clear(&rows->text);
    otlp_add_doubles(&rows->text, values, count);
    return otlp_put_json(rows, name);
}

/* sum, min, max: protobuf's case number is 0 when there is none. */
static int put_optional(struct otlp_rows *rows, struct px_str name, unsigned is_set, double value)
{
    return is_set ? otlp_put_double(rows, name, value) : 0;
}

/* Attributes last, so that points of one kind share the order of their columns. */
static int put_tail(struct otlp_rows *rows, const metric_data *metric, uint32_t flags,
                    otlp_pair *const *pairs, size_t count)
{
    OTLP_TRY(otlp_put_int_set(rows, S("flags"), flags));
    OTLP_TRY(otlp_put_pairs(rows, S("metadata."), metric->metadata, metric->n_metadata));
    return otlp_put_pairs(rows, S("attributes."), pairs, count);
}

/* ---- one row of each kind ---- */

static int put_number(struct otlp_rows *rows, const number_point *data)
{
    switch ((int)data->value_case) {
    case NUMBER_CASE(AS_DOUBLE): return otlp_put_double(rows, S("value"), data->as_double);
    case NUMBER_CASE(AS_INT):
        OTLP_TRY(otlp_put_double(rows, S("value"), (double)data->as_int));
        return otlp_put_int(rows, S("value_int"),
                            data->as_int); /* past 2^53 a double loses digits */
    default: return 0;
    }
}

static int fill_number(struct otlp_rows *rows, const void *of)
{
    const struct point *point = of;
    const metric_data *metric = point->metric;
    const number_point *data = point->data;
    bool is_sum = metric->data_case == METRIC_CASE(SUM);
    OTLP_TRY(put_times(rows, data->start_time_unix_nano, data->time_unix_nano));
    OTLP_TRY(put_metric(rows, metric, is_sum ? "sum" : "gauge"));
    OTLP_TRY(put_number(rows, data));
    if (is_sum) {
        OTLP_TRY(otlp_put_bool(rows, S("is_monotonic"), metric->sum->is_monotonic != 0));
        OTLP_TRY(put_temporality(rows, (int)metric->sum->aggregation_temporality));
    }
    OTLP_TRY(put_exemplars(rows, data->exemplars, data->n_exemplars));
    return put_tail(rows, metric, data->flags, data->attributes, data->n_attributes);
}

static int fill_histogram(struct otlp_rows *rows, const void *of)
{
    const struct point *point = of;
    const metric_data *metric = point->metric;
    const histogram_point *data = point->data;
    OTLP_TRY(put_times(rows, data->start_time_unix_nano, data->time_unix_nano));
    OTLP_TRY(put_metric(rows, metric, "histogram"));
    OTLP_TRY(put_temporality(rows, (int)metric->histogram->aggregation_temporality));
    OTLP_TRY(otlp_put_u64(rows, S("count"), data->count));
    OTLP_TRY(put_optional(rows, S("sum"), data->_sum_case, data->sum));
    OTLP_TRY(put_optional(rows, S("min"), data->_min_case, data->min));
    OTLP_TRY(put_optional(rows, S("max"), data->_max_case, data->max));
    OTLP_TRY(put_u64s(rows, S("bucket_counts"), data->bucket_counts, data->n_bucket_counts));
    OTLP_TRY(
        put_doubles(rows, S("explicit_bounds"), data->explicit_bounds, data->n_explicit_bounds));
    OTLP_TRY(put_exemplars(rows, data->exemplars, data->n_exemplars));
    return put_tail(rows, metric, data->flags, data->attributes, data->n_attributes);
}

static int put_buckets(struct otlp_rows *rows, struct px_str name, const buckets *side)
{
    if (!side) return 0;
    px_buf_clear(&rows->text);
    px_buf_printf(&rows->text, "{\"offset\":%d,\"bucket_counts\":", side->offset);
    otlp_add_u64s(&rows->text, side->bucket_counts, side->n_bucket_counts);
    px_buf_add_char(&rows->text, '}');
    return otlp_put_json(rows, name);
}

static int fill_exponential(struct otlp_rows *rows, const void *of)
{
    const struct point *point = of;
    const metric_data *metric = point->metric;
    const exponential_point *data = point->data;
    OTLP_TRY(put_times(rows, data->start_time_unix_nano, data->time_unix_nano));
    OTLP_TRY(put_metric(rows, metric, "exponential_histogram"));
    OTLP_TRY(put_temporality(rows, (int)metric->exponential_histogram->aggregation_temporality));
    OTLP_TRY(otlp_put_u64(rows, S("count"), data->count));
    OTLP_TRY(put_optional(rows, S("sum"), data->_sum_case, data->sum));
    OTLP_TRY(put_optional(rows, S("min"), data->_min_case, data->min));
    OTLP_TRY(put_optional(rows, S("max"), data->_max_case, data->max));
    OTLP_TRY(otlp_put_int(rows, S("scale"), data->scale));
    OTLP_TRY(otlp_put_u64(rows, S("zero_count"), data->zero_count));
    OTLP_TRY(
        put_optional(rows, S("zero_threshold"), data->zero_threshold != 0, data->zero_threshold));
    OTLP_TRY(put_buckets(rows, S("positive"), data->positive));
    OTLP_TRY(put_buckets(rows, S("negative"), data->negative));
    OTLP_TRY(put_exemplars(rows, data->exemplars, data->n_exemplars));
    return put_tail(rows, metric, data->flags, data->attributes, data->n_attributes);
}

static int put_quantiles(struct otlp_rows *rows, const summary_point *data)
{
    if (data->n_quantile_values == 0) return 0;
    struct px_buf *json = &rows->text;
    px_buf_clear(json);
    for (size_t i = 0; i < data->n_quantile_values; i++) {
        px_buf_add_c(json, i ? ",{\"quantile\":" : "[{\"quantile\":");
        otlp_add_double(json, data->quantile_values[i]->quantile);
        px_buf_add_c(json, ",\"value\":");
        otlp_add_double(json, data->quantile_values[i]->value);
        px_buf_add_char(json, '}');
    }
    px_buf_add_char(json, ']');
    return otlp_put_json(rows, S("quantile_values"));
}

static int fill_summary(struct otlp_rows *rows, const void *of)
{
    const struct point *point = of;
    const summary_point *data = point->data;
    OTLP_TRY(put_times(rows, data->start_time_unix_nano, data->time_unix_nano));
    OTLP_TRY(put_metric(rows, point->metric, "summary"));
    OTLP_TRY(otlp_put_u64(rows, S("count"), data->count));
    OTLP_TRY(otlp_put_double(rows, S("sum"), data->sum));
    OTLP_TRY(put_quantiles(rows, data));
    return put_tail(rows, point->metric, data->flags, data->attributes, data->n_attributes);
}

/* ---- the walk ---- */

/* The points of a metric, whatever its kind: an array of pointers. */
struct points {
    void *const *items;
    size_t count;
    otlp_fill *fill;
    const char *path_format;
};
#define POINTS_PATH(kind)                                                                          \
    "resourceMetrics[%zu].scopeMetrics[%zu].metrics[%zu]." kind ".dataPoints[%zu]"
#define POINTS_OF(kind, fill, name)                                                                \
    (struct points)                                                                                \
    {                                                                                              \
        (void *const *)(kind)->data_points, (kind)->n_data_points, fill, POINTS_PATH(name)         \
    }

static struct points points_of(const metric_data *metric)
{
    switch ((int)metric->data_case) {
    case METRIC_CASE(GAUGE): return POINTS_OF(metric->gauge, fill_number, "gauge");
    case METRIC_CASE(SUM): return POINTS_OF(metric->sum, fill_number, "sum");
    case METRIC_CASE(HISTOGRAM): return POINTS_OF(metric->histogram, fill_histogram, "histogram");
    case METRIC_CASE(EXPONENTIAL_HISTOGRAM):
        return POINTS_OF(metric->exponential_histogram, fill_exponential, "exponentialHistogram");
    case METRIC_CASE(SUMMARY): return POINTS_OF(metric->summary, fill_summary, "summary");
    default: return (struct points){0};
    }
}

uint64_t otlp_count_metrics(const otlp_metrics_request *request)
{
    uint64_t count = 0;
    for (size_t i = 0; i < request->n_resource_metrics; i++) {
        const resource_metrics *resource = request->resource_metrics[i];
        for (size_t j = 0; j < resource->n_scope_metrics; j++) {
            const scope_metrics *scope = resource->scope_metrics[j];
            for (size_t k = 0; k < scope->n_metrics; k++)
                count += points_of(scope->metrics[k]).count;
        }
    }
    return count;
}

static int write_metric(struct otlp_rows *rows, const metric_data *metric)
{
    struct points points = points_of(metric);
    rows->path_format = points.path_format;
    for (size_t i = 0; i < points.count; i++) {
        rows->at[3] = i;
        struct point point = {metric, points.items[i]};
        OTLP_TRY(otlp_write_row(rows, points.fill, &point));
    }
    return 0;
}

static int write_scope(struct otlp_rows *rows, const scope_metrics *scope)
{
    rows->path_format = "resourceMetrics[%zu].scopeMetrics[%zu]";
    OTLP_TRY(otlp_set_scope(rows, scope->scope));
    for (size_t i = 0; i < scope->n_metrics; i++) {
        rows->at[2] = i;
        OTLP_TRY(write_metric(rows, scope->metrics[i]));
    }
    return 0;
}

int otlp_write_metrics(struct otlp_rows *rows, const otlp_metrics_request *request)
{
    for (size_t i = 0; i < request->n_resource_metrics; i++) {
        const resource_metrics *resource = request->resource_metrics[i];
        rows->at[0] = i;
        rows->path_format = "resourceMetrics[%zu]";
        OTLP_TRY(otlp_set_resource(rows, resource->resource));
        for (size_t j = 0; j < resource->n_scope_metrics; j++) {
            rows->at[1] = j;
            OTLP_TRY(write_scope(rows, resource->scope_metrics[j]));
        }
    }
    return 0;
}
