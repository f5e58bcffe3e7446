/* bench/queries.c - time and CPU of one statement inside the function `query`: the service alone, on a region's data,
 * without HTTP, gateway and event.
 *
 *   queries DATA-FOLDER TENANT SQL [TIMES]   (200)
 *
 * bench/query.py measures what a client sees; the difference is the way through the region. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "svc/query/query.h"

#define TIMES_MAX 100000

struct bench {
    struct hot_store *hot;
    struct object_store *segments, *analytics;
    struct meta *meta;
    struct catalog *catalog;
    struct query *query;
    struct px_arena arena;
    char folder[4096];
};

static void must(int result)
{
    char text[512];
    if (result == 0) return;
    fprintf(stderr, "queries: %s\n", px_fault_text(result, text, sizeof text));
    exit(1);
}

static struct px_str in(struct bench *bench, const char *name)
{
    return px_arena_printf(&bench->arena, "%s/%s", bench->folder, name);
}

static void open_all(struct bench *bench)
{
    px_arena_init(&bench->arena, (size_t)1 << 20);
    must(hot_store_open(in(bench, "hot"), &bench->hot));
    must(object_store_open(in(bench, "segments"), NULL, &bench->segments));
    must(object_store_open(in(bench, "analytics"), NULL, &bench->analytics));
    must(meta_open(in(bench, "meta.db"), NULL, &bench->meta));
    must(catalog_new(bench->meta, &px_clock_system, &bench->catalog));
    struct query_options options = {.hot = bench->hot,
                                    .segments = bench->segments,
                                    .analytics = bench->analytics,
                                    .catalog = bench->catalog,
                                    .clock = &px_clock_system,
                                    .temp_dir = in(bench, "tmp")};
    must(query_new(&options, &bench->query));
}

static void close_all(struct bench *bench)
{
    query_free(&bench->query);
    catalog_free(&bench->catalog);
    meta_close(&bench->meta);
    hot_store_close(&bench->hot);
    object_store_close(&bench->segments);
    object_store_close(&bench->analytics);
    px_arena_deinit(&bench->arena);
}

static double now_us(clockid_t id)
{
    struct timespec now;
    (void)clock_gettime(id, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

static int begin(void *ctx, const struct query_answer *answer)
{
    *(double *)ctx = now_us(CLOCK_MONOTONIC);
    if (answer->status == 200) return 0;
    fprintf(stderr, "queries: %d %.*s\n", answer->status, PX_FMT(answer->body));
    exit(1);
}

static int more(void *ctx, struct px_str piece)
{
    (void)piece;
    *(double *)ctx = now_us(CLOCK_MONOTONIC);
    return 0;
}

/* Until the answer is given, and until the function is ready for the next. */
static void ask(struct bench *bench, const struct api_event *event, double *ret_answered_us,
                double *ret_done_us)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, (size_t)256 << 20);
    double answered = 0, started = now_us(CLOCK_MONOTONIC);
    struct query_sink sink = {begin, more, &answered};
    struct px_str why;
    must(query_handle(bench->query, event, &arena, INT64_MAX, NULL, &sink, &why));
    *ret_answered_us = answered - started;
    *ret_done_us = now_us(CLOCK_MONOTONIC) - started;
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void print(const char *what, double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    printf("%-8s us: least %.0f, tenth %.0f, median %.0f\n", what, values[0], values[count / 10],
           values[count / 2]);
}

static void measure(struct bench *bench, const struct api_event *event, int times)
{
    static double answered[TIMES_MAX], done[TIMES_MAX], cpu[TIMES_MAX];
    for (int i = 0; i < 3; i++) ask(bench, event, &answered[0], &done[0]); /* warm */
    for (int i = 0; i < times; i++) {
        double before = now_us(CLOCK_PROCESS_CPUTIME_ID);
        ask(bench, event, &answered[i], &done[i]);
        cpu[i] = now_us(CLOCK_PROCESS_CPUTIME_ID) - before;
    }
    print("answered", answered, times);
    print("done", done, times);
    print("cpu", cpu, times);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    uint64_t times = 200;
    bool fine = argc < 5 || px_str_to_u64(px_str_c(argv[4]), &times);
    if (argc < 4 || !fine || times < 1 || times > TIMES_MAX) {
        fprintf(stderr, "usage: queries DATA-FOLDER TENANT SQL [TIMES]\n");
        return 2;
    }
    (void)snprintf(bench.folder, sizeof bench.folder, "%s", argv[1]);
    open_all(&bench);
    px_buf_init(&body, (size_t)1 << 20);
    px_buf_add_c(&body, "{\"sql\":");
    px_buf_add_json_str(&body, px_str_c(argv[3]));
    px_buf_add_char(&body, '}');
    struct api_event event = {.resource = S("/v1/query"),
                              .path = S("/v1/query"),
                              .method = S("POST"),
                              .request_id = S("bench"),
                              .caller = {.tenant = px_str_c(argv[2]), .scopes = S("query")},
                              .body = px_buf_str(&body)};
    measure(&bench, &event, (int)times);
    close_all(&bench);
    return 0;
}
