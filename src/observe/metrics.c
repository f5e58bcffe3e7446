/* observe/metrics.c - see metrics.h.
 *
 * A *sheet* holds sums and values of everything, or of one chosen tenant; a flush writes one line for
 * each that has any. The line of everything goes into two sets of dimensions: none (for a region's
 * alarms) and the function. A chosen tenant's goes into its own.
 *
 * One event may bring more values than a line takes: then those that are kept are a fair sample of
 * all (reservoir sampling), so that percentiles stay true; how many there were, a COUNT says. */
#include "observe/metrics.h"

#include <math.h>
#include <stdlib.h>

#include "base/px_id.h"

#define NAME_BYTES_MAX 128 /* of tenants and functions */
#define ID_BYTES_MAX 64

const struct metric_info metric_table[METRICS_TOTAL] = {
#define X(id, name, unit, kind, tenant, about)                                                     \
    [METRIC_##id] = {name, unit, about, METRIC_##kind, tenant},
    METRICS(X)
#undef X
};
static_assert(METRICS_TOTAL <= EMF_METRICS_MAX, "one directive holds them all");

struct sheet {
    double sum[METRICS_TOTAL]; /* or the newest, of a GAUGE */
    uint64_t count[METRICS_TOTAL];
    double values[METRICS_TOTAL]
                 [EMF_VALUES_MAX]; /* pages of those that are no VALUES stay untouched */
    bool any, full;
};
struct text {
    char at[NAME_BYTES_MAX];
    size_t len;
};
struct metrics {
    struct text name_space, function;
    struct text tenants[METRICS_TENANTS_MAX];
    size_t tenant_count;
    struct sheet
        *sheets[1 + METRICS_TENANTS_MAX]; /* of everything; of the chosen, once they have any */
    struct sheet *of_tenant;              /* of the current event's; NULL: not a chosen one */
    struct text tenant;                   /* the current event's; empty: nobody's */
    char request_id[ID_BYTES_MAX + 1], trace_id[ID_BYTES_MAX + 1]; /* of the first event */
    size_t request_id_bytes, trace_id_bytes;
    struct text first_tenant;
    uint64_t events, with_tenant, random;
    bool tenants_differ;
};

/* ---- life ---- */

static bool text_set(struct text *text, struct px_str s)
{
    if (s.len > sizeof text->at) return false;
    if (s.len > 0) memcpy(text->at, s.ptr, s.len);
    text->len = s.len;
    return true;
}
static struct px_str text_str(const struct text *text) { return px_str(text->at, text->len); }

/* Source: CloudWatch API reference, MetricDatum and PutMetricData (Namespace). */
static bool name_space_fits(struct px_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '.' || c == '_' || c == '/' || c == '#' || c == ':' || c == '-';
        if (!fine) return false;
    }
    return s.len > 0 && !px_str_starts(s, S("AWS/")) && s.ptr[0] != ':';
}

static int tenants_read(struct metrics *metrics, struct px_str list)
{
    while (list.len > 0) {
        struct px_str name;
        (void)px_str_cut(&list, ',', &name);
        name = px_str_trim(name);
        if (name.len == 0) continue;
        if (metrics->tenant_count == METRICS_TENANTS_MAX)
            return px_fault(PX_F_CONFIG, "at most %d tenants have metrics of their own",
                            METRICS_TENANTS_MAX);
        if (!text_set(&metrics->tenants[metrics->tenant_count++], name))
            return px_fault(PX_F_CONFIG, "a tenant's name of %zu bytes", name.len);
    }
    return 0;
}

static int names_read(struct metrics *metrics, const struct metrics_options *options)
{
    if (!name_space_fits(options->name_space) ||
        !text_set(&metrics->name_space, options->name_space))
        return px_fault(PX_F_CONFIG, "CloudWatch takes no namespace \"%.*s\"",
                        PX_FMT(options->name_space));
    if (options->function.len == 0 || !text_set(&metrics->function, options->function))
        return px_fault(PX_F_CONFIG, "a function's name of %zu bytes", options->function.len);
    PX_TRY(tenants_read(metrics, options->tenants));
    return 0;
}

static int sheet_make(struct sheet **sheet)
{
    *sheet = calloc(1, sizeof **sheet);
    return *sheet ? 0 : px_fault(PX_F_OOM, "metrics");
}

int metrics_new(const struct metrics_options *options, struct metrics **ret_metrics)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    if (!metrics) return px_fault(PX_F_OOM, "metrics");
    metrics->random = px_random_u64() | 1;
    int r = names_read(metrics, options);
    if (r == 0) r = sheet_make(&metrics->sheets[0]);
    if (r == 0)
        *ret_metrics = metrics;
    else
        metrics_free(&metrics);
    return r;
}

void metrics_free(struct metrics **pmetrics)
{
    struct metrics *metrics = *pmetrics;
    if (!metrics) return;
    for (size_t i = 0; i < PX_COUNT(metrics->sheets); i++) free(metrics->sheets[i]);
    free(metrics);
    *pmetrics = NULL;
}

/* ---- whose ---- */

void metrics_set_tenant(struct metrics *metrics, struct px_str tenant)
{
    if (tenant.len == 0 || metrics->tenant.len > 0 || !text_set(&metrics->tenant, tenant)) return;
    if (metrics->with_tenant++ == 0)
        (void)text_set(&metrics->first_tenant, tenant);
    else if (!px_str_eq(text_str(&metrics->first_tenant), tenant))
        metrics->tenants_differ = true;
    for (size_t i = 0; i < metrics->tenant_count; i++) {
        if (!px_str_eq(text_str(&metrics->tenants[i]), tenant)) continue;
        struct sheet **sheet = &metrics->sheets[1 + i];
        if (!*sheet)
            *sheet = calloc(1, sizeof **sheet); /* without memory: a property, as others are */
        metrics->of_tenant = *sheet;
    }
}

static size_t id_set(char *at, struct px_str id)
{
    size_t len = id.len <= ID_BYTES_MAX ? id.len : 0;
    if (len > 0) memcpy(at, id.ptr, len);
    return len;
}

void metrics_set_event(struct metrics *metrics, struct px_str request_id, struct px_str trace_id)
{
    metrics->of_tenant = NULL;
    metrics->tenant.len = 0;
    if (metrics->events++ > 0) return;
    metrics->request_id_bytes = id_set(metrics->request_id, request_id);
    metrics->trace_id_bytes = id_set(metrics->trace_id, trace_id);
}

/* ---- sums and values ---- */

/* xorshift64: which values a full reservoir keeps is no secret. */
static uint64_t next_random(struct metrics *metrics)
{
    metrics->random ^= metrics->random << 13;
    metrics->random ^= metrics->random >> 7;
    metrics->random ^= metrics->random << 17;
    return metrics->random;
}

static void sheet_add(struct metrics *metrics, struct sheet *sheet, enum metric metric,
                      double amount)
{
    uint64_t seen = sheet->count[metric]++;
    sheet->any = true;
    switch (metric_table[metric].kind) {
    case METRIC_COUNT: sheet->sum[metric] += amount; break;
    case METRIC_GAUGE: sheet->sum[metric] = amount; break;
    case METRIC_VALUES:
        if (seen >= EMF_VALUES_MAX) seen = next_random(metrics) % (seen + 1);
        if (seen < EMF_VALUES_MAX) sheet->values[metric][seen] = amount;
        sheet->full |= sheet->count[metric] >= EMF_VALUES_MAX;
        break;
    }
}

void metrics_add(struct metrics *metrics, enum metric metric, double amount)
{
    if (!isfinite(amount)) return;
    sheet_add(metrics, metrics->sheets[0], metric, amount);
    if (metrics->of_tenant && metric_table[metric].of_tenants)
        sheet_add(metrics, metrics->of_tenant, metric, amount);
}

bool metrics_any(const struct metrics *metrics) { return metrics->sheets[0]->any; }
bool metrics_full(const struct metrics *metrics) { return metrics->sheets[0]->full; }

/* ---- lines ---- */

/* Nothing is told of what did not happen. */
static bool is_told(const struct sheet *sheet, size_t metric)
{
    return sheet->count[metric] > 0 &&
           (metric_table[metric].kind != METRIC_COUNT || sheet->sum[metric] != 0);
}

/* Most numbers are whole or have three digits behind the point: those are written without printf, which takes
 * a thousand instructions and more for each of a hundred values. */
static void write_number(struct px_buf *buf, double value)
{
    char digits[24];
    size_t at = sizeof digits;
    if (!(value >= 0 && value < 1e12)) {
        px_buf_printf(buf, "%.15g", value);
        return;
    }
    uint64_t thousandths = (uint64_t)(value * 1000 + 0.5), rest = thousandths % 1000;
    if (fabs((double)thousandths / 1000 - value) > 1e-9 * value) {
        px_buf_printf(buf, "%.15g", value);
        return;
    }
    if (rest > 0) {
        for (int i = 0; i < 3; i++, rest /= 10) digits[--at] = (char)('0' + rest % 10);
        digits[--at] = '.';
    }
    uint64_t whole = thousandths / 1000;
    do digits[--at] = (char)('0' + whole % 10);
    while (whole /= 10);
    px_buf_add(buf, digits + at, sizeof digits - at);
}

static void write_value(const struct sheet *sheet, size_t metric, struct px_buf *buf)
{
    px_buf_printf(buf, ",\"%s\":", metric_table[metric].name);
    if (metric_table[metric].kind != METRIC_VALUES) {
        write_number(buf, sheet->sum[metric]);
        return;
    }
    uint64_t kept = PX_MIN(sheet->count[metric], (uint64_t)EMF_VALUES_MAX);
    for (uint64_t i = 0; i < kept; i++) {
        px_buf_add_char(buf, i ? ',' : '[');
        write_number(buf, sheet->values[metric][i]);
    }
    px_buf_add_char(buf, ']');
}

static void write_directive(const struct metrics *metrics, const struct sheet *sheet,
                            const char *dimensions, struct px_buf *buf)
{
    px_buf_add_c(buf, "\"CloudWatchMetrics\":[{\"Namespace\":");
    px_buf_add_json_str(buf, text_str(&metrics->name_space));
    px_buf_printf(buf, ",\"Dimensions\":%s,\"Metrics\":[", dimensions);
    const char *comma = "";
    for (size_t i = 0; i < METRICS_TOTAL; i++) {
        if (!is_told(sheet, i)) continue;
        px_buf_printf(buf, "%s{\"Name\":\"%s\",\"Unit\":\"%s\"}", comma, metric_table[i].name,
                      metric_table[i].unit);
        comma = ",";
    }
    px_buf_add_c(buf, "]}]");
}

static void write_text(struct px_buf *buf, const char *name, struct px_str value)
{
    if (value.len == 0) return;
    px_buf_printf(buf, ",\"%s\":", name);
    px_buf_add_json_str(buf, value);
}

/* What may stand beside the metrics: names, never contents. */
static void write_properties(const struct metrics *metrics, const struct text *tenant,
                             struct px_buf *buf)
{
    write_text(buf, "function", text_str(&metrics->function));
    if (tenant)
        write_text(buf, "tenant", text_str(tenant));
    else if (!metrics->tenants_differ && metrics->with_tenant == metrics->events)
        write_text(buf, "tenant", text_str(&metrics->first_tenant));
    if (metrics->events == 1) {
        write_text(buf, "requestId", px_str(metrics->request_id, metrics->request_id_bytes));
        write_text(buf, "traceId", px_str(metrics->trace_id, metrics->trace_id_bytes));
    }
    px_buf_printf(buf, ",\"events\":%llu", (unsigned long long)metrics->events);
}

static void write_line(const struct metrics *metrics, const struct sheet *sheet,
                       const struct text *tenant, int64_t wall_ns, struct px_buf *buf)
{
    px_buf_printf(buf, EMF_BEGIN "\"Timestamp\":%lld,", (long long)(wall_ns / PX_NS_PER_MS));
    write_directive(metrics, sheet, tenant ? "[[\"tenant\"]]" : "[[],[\"function\"]]", buf);
    px_buf_add_char(buf, '}');
    write_properties(metrics, tenant, buf);
    for (size_t i = 0; i < METRICS_TOTAL; i++)
        if (is_told(sheet, i)) write_value(sheet, i, buf);
    px_buf_add_c(buf, "}\n");
}

static void sheet_clear(struct sheet *sheet)
{
    memset(sheet->sum, 0, sizeof sheet->sum);
    memset(sheet->count, 0, sizeof sheet->count);
    sheet->any = sheet->full = false;
}

static bool any_told(const struct sheet *sheet)
{
    for (size_t i = 0; i < METRICS_TOTAL; i++)
        if (is_told(sheet, i)) return true;
    return false;
}

int metrics_flush(struct metrics *metrics, int64_t wall_ns, struct px_buf *buf)
{
    for (size_t i = 0; i < PX_COUNT(metrics->sheets); i++) {
        struct sheet *sheet = metrics->sheets[i];
        if (!sheet || !sheet->any) continue;
        if (any_told(sheet))
            write_line(metrics, sheet, i ? &metrics->tenants[i - 1] : NULL, wall_ns, buf);
        sheet_clear(sheet);
    }
    metrics->events = metrics->with_tenant = 0;
    metrics->request_id_bytes = metrics->trace_id_bytes = metrics->first_tenant.len = 0;
    metrics->tenants_differ = false;
    return px_buf_fault(buf);
}
