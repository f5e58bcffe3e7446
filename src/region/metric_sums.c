/* region/metric_sums.c - see metric_sums.h. */
#include "region/metric_sums.h"

#include <stdlib.h>

#include "base/px_json.h"
#include "observe/metrics.h"

#define OWNERS_MAX 64 /* functions, and chosen tenants (at most METRICS_TENANTS_MAX) */
#define NAME_BYTES 129
#define LINE_ARENA_BYTES_MAX ((size_t)2 << 20)

struct sum {
    uint64_t count;
    double sum, min, max, newest;
};
struct owner {
    char name[NAME_BYTES];
    bool is_tenant;
    struct sum sums[METRICS_TOTAL];
};
struct metric_sums {
    struct owner *owners[OWNERS_MAX];
    size_t count;
    struct px_arena arena; /* of the line in work */
    uint64_t dropped;
};

int metric_sums_new(struct metric_sums **ret_sums)
{
    struct metric_sums *sums = calloc(1, sizeof *sums);
    if (!sums) return px_fault(PX_F_OOM, "sums of metrics");
    px_arena_init(&sums->arena, LINE_ARENA_BYTES_MAX);
    *ret_sums = sums;
    return 0;
}

void metric_sums_free(struct metric_sums **psums)
{
    struct metric_sums *sums = *psums;
    if (!sums) return;
    for (size_t i = 0; i < sums->count; i++) free(sums->owners[i]);
    px_arena_deinit(&sums->arena);
    free(sums);
    *psums = NULL;
}

uint64_t metric_sums_dropped(const struct metric_sums *sums) { return sums->dropped; }

/* ---- taking ---- */

static struct owner *owner_of(struct metric_sums *sums, struct px_str name, bool is_tenant)
{
    for (size_t i = 0; i < sums->count; i++)
        if (sums->owners[i]->is_tenant == is_tenant &&
            px_str_eq(px_str_c(sums->owners[i]->name), name))
            return sums->owners[i];
    struct owner *owner = NULL;
    if (sums->count < OWNERS_MAX && name.len > 0 && name.len < NAME_BYTES)
        owner = calloc(1, sizeof *owner);
    if (!owner) return NULL;
    memcpy(owner->name, name.ptr, name.len);
    owner->is_tenant = is_tenant;
    return sums->owners[sums->count++] = owner;
}

static void take_number(struct sum *sum, yyjson_val *value)
{
    if (!yyjson_is_num(value)) return;
    double number = yyjson_get_num(value);
    sum->min = sum->count == 0 ? number : PX_MIN(sum->min, number);
    sum->max = sum->count == 0 ? number : PX_MAX(sum->max, number);
    sum->sum += number;
    sum->newest = number;
    sum->count++;
}

static void take_value(struct sum *sum, yyjson_val *value)
{
    size_t idx, max;
    yyjson_val *item;
    if (!yyjson_is_arr(value)) {
        take_number(sum, value);
        return;
    }
    px_json_arr_foreach(value, idx, max, item) take_number(sum, item);
}

/* A chosen tenant's line has the one dimension `tenant`. */
static bool is_of_tenant(yyjson_val *line)
{
    yyjson_val *directive = yyjson_arr_get_first(
        px_json_arr(px_json_obj(line, "_aws"), "CloudWatchMetrics"));
    yyjson_val *set = yyjson_arr_get_first(px_json_arr(directive, "Dimensions"));
    return px_str_eq(px_json_val_str(yyjson_arr_get_first(set)), S("tenant"));
}

static bool take_line(struct metric_sums *sums, const char *function, struct px_str text)
{
    yyjson_val *line = NULL;
    if (px_json_parse(text, &sums->arena, &line, NULL) != 0) return false;
    bool of_tenant = is_of_tenant(line);
    struct owner *owner = owner_of(
        sums, of_tenant ? px_json_str(line, "tenant") : px_str_c(function), of_tenant);
    if (!owner) return false;
    for (size_t i = 0; i < METRICS_TOTAL; i++)
        take_value(&owner->sums[i], yyjson_obj_get(line, metric_table[i].name));
    return true;
}

void metric_sums_take(struct metric_sums *sums, const char *function, struct px_str line)
{
    if (!take_line(sums, function, line)) sums->dropped++;
    px_arena_reset(&sums->arena);
}

/* ---- rows ---- */

/* The columns of OTLP's histograms beside `value`, which is the mean there. */
static void write_row(const struct owner *owner, size_t metric, struct px_str time,
                      struct px_buf *row)
{
    const struct metric_info *info = &metric_table[metric];
    const struct sum *sum = &owner->sums[metric];
    double value = info->kind == METRIC_COUNT   ? sum->sum
                   : info->kind == METRIC_GAUGE ? sum->newest
                                                : sum->sum / (double)sum->count;
    px_buf_printf(row, "{\"time\":\"%.*s\",\"metric_name\":\"%s\",\"value\":%.15g,\"unit\":\"%s\"",
                  PX_FMT(time), info->name, value, info->unit);
    if (info->kind == METRIC_VALUES)
        px_buf_printf(row, ",\"count\":%llu,\"sum\":%.15g,\"min\":%.15g,\"max\":%.15g",
                      (unsigned long long)sum->count, sum->sum, sum->min, sum->max);
    px_buf_printf(row, ",\"attributes.%s\":", owner->is_tenant ? "tenant" : "function");
    px_buf_add_json_str(row, px_str_c(owner->name));
    px_buf_add_c(row, "}\n");
}

void metric_sums_write(struct metric_sums *sums, struct px_str time,
                       struct px_buf *(*row)(void *ctx, bool begin), void *ctx)
{
    for (size_t i = 0; i < sums->count; i++) {
        struct owner *owner = sums->owners[i];
        for (size_t m = 0; m < METRICS_TOTAL; m++) {
            struct px_buf *place = owner->sums[m].count > 0 ? row(ctx, true) : NULL;
            if (!place) continue;
            write_row(owner, m, time, place);
            (void)row(ctx, false);
        }
        memset(owner->sums, 0, sizeof owner->sums);
    }
}
