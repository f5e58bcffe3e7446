/* region/request_sums.c - see request_sums.h. One cell for each route and tenant that there may be, allocated once. */
#include "region/request_sums.h"

#include <stdlib.h>

#define NAME_BYTES 64              /* a tenant's, see tenant_name_ok() */
#define NOBODY REQUEST_TENANTS_MAX /* columns behind those of tenants */
#define OTHER (REQUEST_TENANTS_MAX + 1)
#define COLUMNS (REQUEST_TENANTS_MAX + 2)

struct cell {
    uint64_t requests, refused, failed;
    double ms_sum, ms_min, ms_max;
};
struct request_sums {
    const struct api_contract *contract;
    char tenants[REQUEST_TENANTS_MAX][NAME_BYTES];
    size_t tenant_count;
    struct cell *cells; /* of a route side by side; the last row is of none */
};

static size_t row_count(const struct request_sums *sums) { return sums->contract->route_count + 1; }

int request_sums_new(const struct api_contract *contract, struct request_sums **ret_sums)
{
    struct request_sums *sums = calloc(1, sizeof *sums);
    struct cell *cells = calloc((contract->route_count + 1) * COLUMNS, sizeof *cells);
    if (!sums || !cells) {
        free(sums);
        free(cells);
        return px_fault(PX_F_OOM, "sums of requests");
    }
    sums->contract = contract;
    sums->cells = cells;
    *ret_sums = sums;
    return 0;
}

void request_sums_free(struct request_sums **psums)
{
    struct request_sums *sums = *psums;
    if (!sums) return;
    free(sums->cells);
    free(sums);
    *psums = NULL;
}

static size_t column_of(struct request_sums *sums, struct px_str tenant)
{
    if (tenant.len == 0) return NOBODY;
    for (size_t i = 0; i < sums->tenant_count; i++)
        if (px_str_eq(px_str_c(sums->tenants[i]), tenant)) return i;
    if (sums->tenant_count == REQUEST_TENANTS_MAX || tenant.len >= NAME_BYTES) return OTHER;
    memcpy(sums->tenants[sums->tenant_count], tenant.ptr, tenant.len);
    sums->tenants[sums->tenant_count][tenant.len] = '\0';
    return sums->tenant_count++;
}

void request_sums_add(struct request_sums *sums, const struct api_route *route,
                      struct px_str tenant, int status, double ms)
{
    size_t row = route ? (size_t)(route - sums->contract->routes) : sums->contract->route_count;
    PX_ASSERT(row < row_count(sums));
    struct cell *cell = &sums->cells[row * COLUMNS + column_of(sums, tenant)];
    cell->ms_min = cell->requests == 0 ? ms : PX_MIN(cell->ms_min, ms);
    cell->ms_max = cell->requests == 0 ? ms : PX_MAX(cell->ms_max, ms);
    cell->ms_sum += ms;
    cell->requests++;
    cell->refused += status >= 400 && status < 500;
    cell->failed += status >= 500;
}

/* ---- rows ---- */

struct writing {
    const struct request_sums *sums;
    struct px_str time;
    struct px_buf *(*row)(void *ctx, bool begin);
    void *ctx;
    size_t route, column; /* of the cell */
};

static void add_subject(const struct writing *w, struct px_buf *row)
{
    const struct request_sums *sums = w->sums;
    const struct api_route *route = &sums->contract->routes[w->route];
    px_buf_add_c(row, ",\"attributes.route\":");
    if (w->route == sums->contract->route_count) {
        px_buf_add_c(row, "\"none\"");
    } else {
        px_buf_add_char(row, '"');
        px_buf_printf(row, "%.*s %.*s", PX_FMT(route->method), PX_FMT(route->resource));
        px_buf_add_char(row, '"');
    }
    if (w->column != NOBODY) {
        px_buf_add_c(row, ",\"attributes.tenant\":");
        px_buf_add_json_str(row, w->column == OTHER ? S(REQUEST_TENANT_OTHER)
                                                    : px_str_c(sums->tenants[w->column]));
    }
    px_buf_add_c(row, "}\n");
}

static void write_count(const struct writing *w, const char *name, uint64_t count)
{
    struct px_buf *row = count > 0 ? w->row(w->ctx, true) : NULL;
    if (!row) return;
    px_buf_printf(row,
                  "{\"time\":\"%.*s\",\"metric_name\":\"%s\",\"value\":%llu,\"unit\":\"Count\"",
                  PX_FMT(w->time), name, (unsigned long long)count);
    add_subject(w, row);
    (void)w->row(w->ctx, false);
}

static void write_cell(const struct writing *w, const struct cell *cell)
{
    struct px_buf *row = w->row(w->ctx, true);
    if (row) {
        px_buf_printf(row,
                      "{\"time\":\"%.*s\",\"metric_name\":\"request_ms\",\"value\":%.6g,"
                      "\"unit\":\"Milliseconds\",\"count\":%llu,\"sum\":%.15g,\"min\":%.6g,"
                      "\"max\":%.6g",
                      PX_FMT(w->time), cell->ms_sum / (double)cell->requests,
                      (unsigned long long)cell->requests, cell->ms_sum, cell->ms_min, cell->ms_max);
        add_subject(w, row);
        (void)w->row(w->ctx, false);
    }
    write_count(w, "requests_4xx", cell->refused);
    write_count(w, "requests_5xx", cell->failed);
}

void request_sums_write(struct request_sums *sums, struct px_str time,
                        struct px_buf *(*row)(void *ctx, bool begin), void *ctx)
{
    struct writing w = {.sums = sums, .time = time, .row = row, .ctx = ctx};
    for (w.route = 0; w.route < row_count(sums); w.route++)
        for (w.column = 0; w.column < COLUMNS; w.column++) {
            const struct cell *cell = &sums->cells[w.route * COLUMNS + w.column];
            if (cell->requests > 0) write_cell(&w, cell);
        }
    memset(sums->cells, 0, row_count(sums) * COLUMNS * sizeof *sums->cells);
    sums->tenant_count = 0;
}
