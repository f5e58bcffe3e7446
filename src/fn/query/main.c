/* fn/query/main.c - function `query`: SQL over one tenant's data. Wiring only.
 *
 * Every answer is a streamed response, as the route's responseTransferMode STREAM asks for on AWS; a
 * small one is the prelude and one piece. */
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "aws/shared.h"
#include "export/exporter.h"
#include "lambda/cors.h"
#include "lambda/runtime.h"
#include "settings/settings.h"
#include "svc/lending/lending.h"
#include "svc/query/query.h"
#include "svc/quota/places.h"
#include "svc/quota/rates.h"

#define ARENA_BYTES_MAX ((size_t)512 << 20)
#define PARAMETERS_MS 2000 /* at start; without them the environment's values hold */
#define DEADLINE_MARGIN_NS (500 * PX_NS_PER_MS) /* for telling the caller that time is up */

struct function {
    struct cloud_shared cloud;
    struct hot_store *hot;
    struct object_store *segments, *analytics;
    struct object_readers *readers;
    struct px_arena arena; /* paths */
    struct meta *meta;
    struct catalog *catalog;
    struct query *query;
    struct table_store *tables; /* for rates and places */
    struct rates *rates;
    struct places *places;
    const struct px_log *log; /* of the running event */
    struct settings settings;
};

/* The one flag of the process: the region signals SIGUSR1 when the caller is gone. */
static _Atomic bool cancelled;

static void on_cancel(int signal)
{
    (void)signal;
    cancelled = true;
}

/* ---- environment ---- */

static int read_text(const char *name, struct px_str *ret_text)
{
    struct px_str text = px_str_c(getenv(name));
    if (text.len == 0) return px_fault(PX_F_CONFIG, "%s is not set", name);
    *ret_text = text;
    return 0;
}

enum { MEMORY, TEMP, THREADS, TIMEOUT, ROWS, RESULT, COPIES, COPY, SETTINGS };
static const struct setting_spec specs[SETTINGS] = {
    [MEMORY] = {"PRISM_QUERY_MEMORY_BYTES", "query/memory_bytes", UINT64_C(1) << 40, false},
    [TEMP] = {"PRISM_QUERY_TEMP_BYTES_MAX", "query/temp_bytes_max", UINT64_C(1) << 42, false},
    [THREADS] = {"PRISM_QUERY_THREADS", "query/threads", 256, false},
    [TIMEOUT] = {"PRISM_QUERY_TIMEOUT_MS", "query/timeout_ms", 900000, true},
    [ROWS] = {"PRISM_QUERY_ROWS_MAX", "query/rows_max", UINT64_C(1) << 40, true},
    [RESULT] = {"PRISM_QUERY_RESULT_BYTES_MAX", "query/result_bytes_max", UINT64_C(1) << 40, true},
    [COPIES] = {"PRISM_QUERY_COPIES_BYTES_MAX", "query/copies_bytes_max", UINT64_C(1) << 34, false},
    [COPY] = {"PRISM_QUERY_COPY_BYTES_MAX", "query/copy_bytes_max", UINT64_C(1) << 30, false},
};

static struct query_limits limits_of(const struct settings *settings)
{
    const uint64_t *value = settings->values;
    return (struct query_limits){.memory_bytes = value[MEMORY],
                                 .temp_bytes_max = value[TEMP],
                                 .threads = (uint32_t)value[THREADS],
                                 .timeout_ms = (int64_t)value[TIMEOUT],
                                 .rows_max = value[ROWS],
                                 .result_bytes_max = value[RESULT],
                                 .copies_bytes_max = value[COPIES],
                                 .copy_bytes_max = value[COPY]};
}

static int open_settings(struct function *fn, const struct px_log *log)
{
    const struct param_options parameters = {.cloud = &fn->cloud};
    PX_TRY(settings_open(&fn->settings, "query", specs, SETTINGS, &parameters));
    (void)settings_refresh(&fn->settings, log, PARAMETERS_MS);
    return 0;
}

static void after(void *ctx, struct px_log *log, uint32_t within_ms)
{
    struct function *fn = ctx;
    if (settings_refresh(&fn->settings, log, within_ms)) {
        const struct query_limits limits = limits_of(&fn->settings);
        query_set_limits(fn->query, &limits);
    }
    log->level = fn->settings.level;
    catalog_say_after(fn->catalog, px_str_c(getenv("AWS_LAMBDA_FUNCTION_NAME")), within_ms, log);
}

/* DuckDB's own limit does not see every allocation (the texts of one vector, say). With this, the
 * function runs out of memory by an error of malloc, which is an answer, before the sandbox kills it. */
static int bound_memory(void)
{
    const char *text = getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
    uint64_t mb = 0;
    if (text && *text && (!px_str_to_u64(px_str_c(text), &mb) || mb == 0 || mb > 1u << 20))
        return px_fault(PX_F_CONFIG, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE is megabytes, not \"%s\"",
                        text);
    struct rlimit limit = {mb << 20, mb << 20};
#if !defined(__SANITIZE_ADDRESS__) &&                                                              \
    !defined(__SANITIZE_THREAD__) /* they map terabytes of shadow */
    if (mb > 0 && setrlimit(RLIMIT_DATA, &limit) != 0) return px_fault_errno("setrlimit");
#endif
    (void)limit;
    return 0;
}

/* ---- the function ---- */

static int open_stores(struct function *fn, struct query_options *options)
{
    struct px_str hot, segments, analytics, meta;
    PX_TRY(read_text("PRISM_HOT_URL", &hot));
    PX_TRY(read_text("PRISM_SEGMENTS_URL", &segments));
    PX_TRY(read_text("PRISM_ANALYTICS_URL", &analytics));
    PX_TRY(read_text("PRISM_META_URL", &meta));
    PX_TRY(read_text("PRISM_TMP", &options->temp_dir));
    PX_TRY(hot_store_open(hot, &fn->hot));
    const struct object_options objects = {.cloud = &fn->cloud, .temp_dir = options->temp_dir};
    const struct meta_options metadata = {.reader_url = px_str_c(getenv("PRISM_META_READER_URL")),
                                          .cloud = &fn->cloud};
    PX_TRY(object_store_open(segments, &objects, &fn->segments));
    PX_TRY(object_store_open(analytics, &objects, &fn->analytics));
    PX_TRY(meta_open(meta, &metadata, &fn->meta));
    PX_TRY(catalog_new(fn->meta, options->clock, &fn->catalog));
    options->hot = fn->hot;
    options->segments = fn->segments;
    options->analytics = fn->analytics;
    options->catalog = fn->catalog;
    return 0;
}

static int open_readers(struct function *fn, struct query_options *options)
{
    const struct lending_settings lending = {
        .extensions = px_str_c(getenv("PRISM_DUCKDB_EXTENSIONS")),
        .role_arn = px_str_c(getenv("PRISM_TENANT_ROLE_ARN")),
        .ca_file = px_str_c(getenv("AWS_CA_BUNDLE")),
        .cloud = &fn->cloud};
    px_arena_init(&fn->arena, 1u << 16);
    PX_TRY(lending_open(&lending, fn->segments, fn->analytics, &fn->arena, &fn->readers,
                        &options->remote));
    options->readers = fn->readers;
    return 0;
}

/* The tables are opened by the first request of a tenant with such a limit. */
static int open_tables(void *ctx, struct table_store **ret_tables)
{
    struct function *fn = ctx;
    struct px_str url;
    const struct table_options options = {.cloud = &fn->cloud, .busy_ms = RATES_WAIT_MS};
    PX_TRY(read_text("PRISM_TABLES_URL", &url));
    if (!fn->tables) PX_TRY(table_store_open(url, &options, &fn->tables));
    *ret_tables = fn->tables;
    return 0;
}

static void rates_alone(void *ctx, int fault)
{
    struct function *fn = ctx;
    px_log_fault(fn->log, fault, "this instance holds tenants to their rates by itself");
}

static void places_alone(void *ctx, int fault)
{
    struct function *fn = ctx;
    px_log_fault(fn->log, fault, "queries are let in, however many of their tenant run");
}

static int open_quotas(struct function *fn, struct query_options *options)
{
    bool own = px_str_eq(px_str_c(getenv("PRISM_QUOTAS")), S("own"));
    const struct rates_options rates = {options->clock, !own, open_tables, rates_alone, fn};
    const struct places_options places = {options->clock, !own, open_tables, places_alone, fn};
    if (px_str_eq(px_str_c(getenv("PRISM_RATES")), S("gateway"))) return 0;
    PX_TRY(rates_new(&rates, &fn->rates));
    PX_TRY(places_new(&places, &fn->places));
    options->rates = fn->rates;
    options->places = fn->places;
    return 0;
}

static int init(void *ctx, const struct px_log *log)
{
    struct function *fn = ctx;
    struct query_options options = {
        .clock = &px_clock_system,
        .home = {px_str_c(getenv("PRISM_REGION")), px_str_c(getenv("PRISM_STANDS_IN_FOR"))}};
    struct sigaction action = {.sa_handler = on_cancel, .sa_flags = SA_RESTART};
    PX_TRY(open_settings(fn, log));
    options.limits = limits_of(&fn->settings);
    PX_TRY(bound_memory());
    PX_TRY(open_stores(fn, &options));
    PX_TRY(open_readers(fn, &options));
    PX_TRY(open_quotas(fn, &options));
    PX_TRY(query_new(&options, &fn->query));
    if (sigaction(SIGUSR1, &action, NULL) != 0) return px_fault_errno("sigaction");
    return 0;
}

/* ---- answers ---- */

struct answering {
    const struct lambda_event *event;
    bool begun;
};

static void add_headers(const struct http_header *headers, size_t count, bool more,
                        struct px_buf *prelude)
{
    for (size_t i = 0; i < count; i++) {
        if (more || i > 0) px_buf_add_char(prelude, ',');
        px_buf_add_json_str(prelude, headers[i].name);
        px_buf_add_char(prelude, ':');
        px_buf_add_json_str(prelude, headers[i].value);
    }
}

static int send(const struct lambda_event *event, const struct query_answer *answer)
{
    struct http_header cors[CORS_HEADERS_MAX];
    PX_AUTO(px_buf_deinit) struct px_buf prelude;
    px_buf_init(&prelude, 1u << 16);
    px_buf_printf(&prelude, "{\"statusCode\":%d,\"headers\":{", answer->status);
    add_headers(answer->headers, answer->header_count, false, &prelude);
    add_headers(cors, cors_headers(cors), answer->header_count > 0, &prelude);
    px_buf_add_c(&prelude, "}}");
    PX_TRY(px_buf_fault(&prelude));
    PX_TRY(lambda_stream_begin(event, px_buf_str(&prelude)));
    return answer->whole ? lambda_stream_last(event, answer->body)
                         : lambda_stream_write(event, answer->body);
}

static int sink_begin(void *ctx, const struct query_answer *answer)
{
    struct answering *answering = ctx;
    answering->begun = true;
    return send(answering->event, answer);
}

static int sink_more(void *ctx, struct px_str piece)
{
    return lambda_stream_write(((struct answering *)ctx)->event, piece);
}

/* The caller learns the kind of fault, the log its path. */
static int answer_fault(const struct lambda_event *event, struct px_str request_id, int fault)
{
    px_log_fault(event->log, fault, "a query failed");
    PX_AUTO(px_buf_deinit) struct px_buf problem;
    px_buf_init(&problem, 1u << 16);
    api_problem_write(px_fault_http(fault), px_str_c(px_fault_message(fault)), request_id,
                      (struct px_str){0}, &problem);
    PX_TRY(px_buf_fault(&problem));
    struct http_header header = {S("Content-Type"), S("application/problem+json")};
    return send(event, &(struct query_answer){.status = px_fault_http(fault),
                                              .headers = &header,
                                              .header_count = 1,
                                              .body = px_buf_str(&problem),
                                              .whole = true});
}

static int fail(const struct lambda_event *event, struct px_str type, struct px_str message)
{
    event->reply->error_type = type;
    event->reply->error_message = message;
    return LAMBDA_ERROR;
}

static int handle(void *ctx, const struct lambda_event *event)
{
    struct function *fn = ctx;
    struct api_event api;
    struct px_where where;
    cancelled = false;
    fn->log = event->log;
    int r = api_event_parse_in_place(event->payload, event->arena, &api, &where);
    if (r == API_INVALID)
        return fail(event, S("InvalidEvent"), px_arena_dup(event->arena, px_str_c(where.expected)));
    PX_TRY(r);
    api_event_observe(&api);
    struct answering answering = {.event = event};
    struct query_sink sink = {sink_begin, sink_more, &answering};
    struct px_str why = {0};
    int64_t until_ns = lambda_deadline_mono_ns(event, DEADLINE_MARGIN_NS);
    meta_set_deadline(fn->meta, until_ns);
    r = query_handle(fn->query, &api, event->arena, until_ns, &cancelled, &sink, &why);
    if (r == QUERY_CUT) {
        px_log(event->log, PX_WARN, "an answer was cut: %.*s", PX_FMT(why));
        return fail(event, S("QueryCut"), why);
    }
    return r < 0 && !answering.begun ? answer_fault(event, api.request_id, r) : r;
}

static void stop(void *ctx)
{
    struct function *fn = ctx;
    query_free(&fn->query);
    settings_close(&fn->settings);
    rates_free(&fn->rates);
    places_free(&fn->places);
    table_store_close(&fn->tables);
    catalog_free(&fn->catalog);
    meta_close(&fn->meta);
    hot_store_close(&fn->hot);
    object_readers_free(&fn->readers);
    object_store_close(&fn->segments);
    object_store_close(&fn->analytics);
    cloud_shared_close(&fn->cloud);
    px_arena_deinit(&fn->arena);
}

int main(void)
{
    struct function fn = {0};
    struct lambda_handler handler = {.init = init,
                                     .handle = handle,
                                     .after = after,
                                     .stop = stop,
                                     .ctx = &fn,
                                     .arena_bytes_max = ARENA_BYTES_MAX,
                                     .exporter = &span_exporter,
                                     .exporter_ctx = &fn.cloud};
    return lambda_run(&handler);
}
