/* region/region.c - wiring and life of a region. See region.h and docs/design/region.md. */
#include "region/region.h"

#include <stdlib.h>
#include <unistd.h>

#include "region/environment.h"
#include "region/first_start.h"
#include "region/homes.h"
#include "region/machine.h"
#include "region/region_internal.h"

#define PROCESS_ARENA_BYTES_MAX (8 << 20)

struct lambda_pool *region_pool(void *ctx, struct px_str function)
{
    struct region *region = ctx;
    const struct function_spec *spec = function_find(&region->catalogue, function);
    PX_ASSERT(spec); /* region_check_contract() saw to it */
    return versions_pool(region->versions, (size_t)(spec - region->catalogue.functions));
}

/* Of a buffered integration, where the account's quota was not raised. */
#define AWS_TIMEOUT_MS_MAX 29000

static int check_timeouts(const struct api_contract *c)
{
    for (size_t i = 0; i < c->route_count; i++)
        if (!c->routes[i].streams && c->routes[i].timeout_ms > AWS_TIMEOUT_MS_MAX)
            return px_fault(PX_F_CONFIG,
                            "api.openapi.json: %.*s waits %u ms, and API Gateway at most %d unless "
                            "the quota is raised; PRISM_AWS_LIMITS=off lets it",
                            PX_FMT(c->routes[i].resource), c->routes[i].timeout_ms,
                            AWS_TIMEOUT_MS_MAX);
    return 0;
}

static int check_contract(const struct region *region)
{
    const struct api_contract *c = &region->contract;
    if (region->tuning.aws_limits) PX_TRY(check_timeouts(c));
    for (size_t i = 0; i < c->route_count; i++)
        if (c->routes[i].integration == API_LAMBDA &&
            !function_find(&region->catalogue, c->routes[i].function))
            return px_fault(PX_F_CONFIG,
                            "api.openapi.json: %.*s names function '%.*s', which "
                            "functions.json has not",
                            PX_FMT(c->routes[i].resource), PX_FMT(c->routes[i].function));
    if (c->authorizer_function.len && !function_find(&region->catalogue, c->authorizer_function))
        return px_fault(PX_F_CONFIG, "api.openapi.json: authorizer '%.*s' is not in functions.json",
                        PX_FMT(c->authorizer_function));
    if (!function_find(&region->catalogue, S("ingest")))
        return px_fault(PX_F_CONFIG, "functions.json: 'ingest' is missing");
    return 0;
}

static int fit_to_machine(struct region *region)
{
    PX_TRY(machine_memory_mb(&region->memory_mb));
    machine_fit(&region->catalogue, region->memory_mb);
    for (size_t i = 0; i < region->catalogue.count; i++) {
        const struct function_spec *f = &region->catalogue.functions[i];
        if (f->concurrency_max == f->concurrency_wanted) continue;
        px_log(&region->log, PX_WARN,
               "%s: at most %u instances of %u MB instead of %u, for the machine has %llu MB",
               f->name, f->concurrency_max, f->memory_mb, f->concurrency_wanted,
               (unsigned long long)region->memory_mb);
    }
    return 0;
}

static int load_platform(struct region *region)
{
    const char *dir = region->options->platform_dir;
    const char *functions = px_arena_printf(&region->arena, "%s/functions.json", dir).ptr;
    const char *api = px_arena_printf(&region->arena, "%s/api.openapi.json", dir).ptr;
    if (!functions || !api) return px_arena_fault(&region->arena);
    PX_TRY(function_catalogue_load(functions, &region->arena, &region->catalogue));
    PX_TRY(fit_to_machine(region));
    PX_TRY(api_contract_load(api, &region->arena, &region->contract));
    return check_contract(region);
}

/* A line of a function: to those who follow, and to _system. Lines of the ingest function that stores
 * telemetry are no loop: it writes lines only when something is wrong, at most a few a second. */
static void on_log(void *ctx, const char *function, struct px_str line)
{
    struct region *region = ctx;
    char when[40];
    logs_line(region, function, line);
    struct px_buf *row = region->telemetry ? telemetry_row(region->telemetry, TELEMETRY_FUNCTION)
                                           : NULL; /* a start that failed */
    if (!row) return;
    struct px_str now = px_time_format(px_wall_ns(region->clock), 6, when);
    px_buf_printf(row, "{\"time\":\"%.*s\",\"function\":\"%s\",\"message\":", PX_FMT(now),
                  function);
    px_buf_add_json_str(row, px_str(line.ptr, PX_MIN(line.len, (size_t)16384)));
    px_buf_add_c(row, "}\n");
    telemetry_done(region->telemetry, TELEMETRY_FUNCTION);
}

/* Metrics are rows of the minute, not lines of the log. */
static void on_metrics(void *ctx, const char *function, struct px_str line)
{
    metric_sums_take(((struct region *)ctx)->sums, function, line);
}

static void on_spans(void *ctx, const char *function, struct px_str otlp)
{
    struct region *region = ctx;
    (void)function; /* the spans say so themselves */
    struct px_buf *row = region->telemetry ? telemetry_row(region->telemetry, TELEMETRY_SPAN)
                                           : NULL;
    if (!row) return;
    px_buf_add_str(row, otlp);
    telemetry_done(region->telemetry, TELEMETRY_SPAN);
}

/* All of a pool but which version it runs. */
static int pool_options(void *ctx, const struct function_spec *f,
                        struct lambda_pool_options *ret_options)
{
    struct region *region = ctx;
    struct px_arena *arena = &region->arena;
    size_t index = (size_t)(f - region->catalogue.functions);
    const char *const *env = region->environments[index];
    const struct environment_of of = {&region->catalogue, &region->data, &region->siblings,
                                      region->options->settings};
    if (!env) PX_TRY(environment_build(&of, f, arena, &env));
    region->environments[index] = env;
    if (!region->log_paths[index])
        region->log_paths[index] =
            px_arena_printf(arena, "%.*s/logs/%s.log", PX_FMT(region->data.path), f->name).ptr;
    if (!region->log_paths[index]) return px_arena_fault(arena);
    *ret_options = (struct lambda_pool_options){
        .name = f->name,
        .env = env,
        .log_path = region->log_paths[index],
        .memory_mb = f->memory_mb,
        .timeout_ms = f->timeout_ms,
        .queue_max = f->queue_max,
        .idle_ms = region->tuning.idle_ms,
        .stream_pace = region->tuning.aws_pace ? LAMBDA_STREAM_PACE
                                               : (struct lambda_stream_pace){0},
        .cancel_on_gone = f->cancel_on_gone,
        .on_log = on_log,
        .on_metrics = on_metrics,
        .on_spans = on_spans,
        .ctx = region,
    };
    return 0;
}

static int start_pools(struct region *region)
{
    size_t count = region->catalogue.count;
    const struct versions_options options = {
        .loop = &region->loop,
        .catalogue = &region->catalogue,
        .data_dir = px_arena_cstr(&region->arena, region->data.path),
        .region_name = px_arena_cstr(&region->arena, region->data.region_name),
        .functions_dir = region->options->functions_dir,
        .clock = region->clock,
        .log = &region->log,
        .pool_options = pool_options,
        .ctx = region,
    };
    /* NOLINTBEGIN(bugprone-sizeof-expression): arrays of pointers */
    region->environments = px_arena_array(&region->arena, const char *const *, count);
    region->log_paths = px_arena_array(&region->arena, const char *, count);
    /* NOLINTEND(bugprone-sizeof-expression) */
    if (!region->environments || !region->log_paths || !options.data_dir || !options.region_name)
        return px_arena_fault(&region->arena);
    return versions_new(&options, &region->versions);
}

static void ask_workflows(void *ctx, struct px_str action, struct px_str body,
                          void (*done)(void *ctx, int status, struct px_str body), void *done_ctx)
{
    struct region *region = ctx;
    workflows_call(region->workflows, action, body, done, done_ctx);
}

/* What stands for Terraform's variables here; the machines are found by such names (workflow_catalogue.h). */
static int settle_templates(struct region *region)
{
    struct px_where where = {0};
    const struct api_places places = {.partition = S("aws"),
                                      .region = region->data.region_name,
                                      .account = S("000000000000"),
                                      .prefix = workflows_prefix(region->workflows)};
    PX_TRY(vtl_new(NULL, &region->vtl));
    return api_direct_settle(&region->contract, &places, NULL, &region->arena, &where);
}

static int start_gateway(struct region *region)
{
    PX_TRY(settle_templates(region));
    PX_TRY(region_find_names(region));
    const struct region_options *o = region->options;
    uint16_t port = o->port ? o->port : region->data.port;
    struct gateway_options gateway = {
        .wrong_keys_max = region->tuning.wrong_keys_max,
        .loop = &region->loop,
        .contract = &region->contract,
        .names = region->names,
        .pool = region_pool,
        .pool_ctx = region,
        .service = ask_workflows,
        .service_ctx = region,
        .vtl = region->vtl,
        .telemetry = region->telemetry,
        .figures = region->figures,
        .requests = region->requests,
        .slow_ms = region->tuning.slow_ms,
        .clock = region->clock,
        .log = &region->log,
        .aws_limits = region->tuning.aws_limits,
        .region_name = px_arena_cstr(&region->arena, region->data.region_name),
        .host = o->host ? o->host : "127.0.0.1",
        .port = port ? port : 4318,
        .certificates = region->certificates,
        .tls_port = region->data.tls.port,
        .quota_tiers = region->tuning.quota_tiers,
        .functions_hold_rates = region->tuning.functions_hold_rates,
    };
    const char *tables = homes_url(&region->data, "tables", &region->arena);
    if (!gateway.region_name || !tables) return px_arena_fault(&region->arena);
    gateway.tables_url = px_str_c(tables);
    return gateway_new(&gateway, &region->gateway, &region->port);
}

static int start_services(struct region *region)
{
    const struct telemetry_options telemetry = {.loop = &region->loop,
                                                .pool = region_pool,
                                                .pool_ctx = region,
                                                .clock = region->clock,
                                                .log = &region->log};
    const struct async_options async = {
        .loop = &region->loop,
        .data_dir = px_arena_cstr(&region->arena, region->data.path),
        .clock = region->clock,
        .log = &region->log,
        .pool = region_pool,
        .pool_ctx = region,
        .retry_ms = region->tuning.retry_ms};
    PX_TRY(telemetry_new(&telemetry, &region->telemetry));
    PX_TRY(async_queue_new(&async, &region->async));
    const struct workflows_options workflows = {.loop = &region->loop,
                                                .data = &region->data,
                                                .platform_dir = region->options->platform_dir,
                                                .functions = &region->catalogue,
                                                .pool = region_pool,
                                                .pool_ctx = region,
                                                .async = region->async,
                                                .telemetry = region->telemetry,
                                                .clock = region->clock,
                                                .log = &region->log};
    PX_TRY(workflows_new(&workflows, &region->workflows));
    PX_TRY(elsewhere_new(&region->loop, &region->siblings, region->replicator, &region->elsewhere));
    const struct watch_options watch = {.catalogue = &region->catalogue,
                                        .versions = region->versions,
                                        .workflows = region->workflows,
                                        .gateway = region->figures,
                                        .platform_dir = region->options->platform_dir,
                                        .prefix = workflows_prefix(region->workflows),
                                        .clock = region->clock};
    PX_TRY(watch_new(&watch, &region->watch));
    return control_start(region);
}

/* Before any function writes the tables. */
static int start_replicator(struct region *region)
{
    const struct replicator_options options = {
        .loop = &region->loop,
        .siblings = &region->siblings,
        .catalogue = &region->catalogue,
        .region = region->data.region_name,
        .tables_path = homes_url(&region->data, "tables", &region->arena),
        .clock = region->clock,
        .log = &region->log};
    if (region->siblings.count == 0) return 0;
    if (!options.tables_path) return px_arena_fault(&region->arena);
    if (region->data.aws_endpoint.len > 0)
        return px_fault(PX_F_CONFIG, "regions whose stores are on AWS have AWS's replication");
    PX_TRY(replicator_new(&options, &region->replicator));
    const struct copies_options copies = {.dir = &region->data,
                                          .siblings = &region->siblings,
                                          .replicator = region->replicator,
                                          .clock = region->clock,
                                          .log = &region->log,
                                          .every_ms = region->tuning.copy_ms};
    return copies_new(&copies, &region->copies);
}

static int join_siblings(struct region *region)
{
    PX_TRY(siblings_load(region->options->fleet_file, region->data.region_name, &region->arena,
                         &region->siblings));
    return siblings_join(&region->siblings, &region->data, &region->arena);
}

/* Everything up to serving. Answers: REGION_PORT_TAKEN. */
static int start(struct region *region, struct px_str *ret_key)
{
    PX_TRY(load_platform(region));
    PX_TRY(homes_prepare(&region->data, &region->catalogue, &region->arena, region->clock));
    PX_TRY(join_siblings(region));
    PX_TRY(start_replicator(region));
    PX_TRY(first_start(&region->data, &region->arena, region->clock, ret_key));
    PX_TRY(figures_new(&region->figures));
    PX_TRY(request_sums_new(&region->contract, &region->requests));
    PX_TRY(start_pools(region));
    PX_TRY(start_services(region));
    int r = start_gateway(region);
    if (r == GATEWAY_PORT_TAKEN) return REGION_PORT_TAKEN;
    if (r == GATEWAY_TLS_PORT_TAKEN) return REGION_TLS_PORT_TAKEN;
    PX_TRY(r);
    PX_TRY(data_dir_remember(&region->data, region->port, region->clock));
    PX_TRY(schedules_new(&region->loop, &region->catalogue, region->async, region->workflows,
                         &region->log, &region->schedules));
    workflows_go(region->workflows);
    return async_recover(region->async, &region->catalogue);
}

static void serve(struct region *region, struct px_str key)
{
    const struct region_ready ready = {.port = region->port,
                                       .created = key.len > 0,
                                       .tenant = S(FIRST_TENANT),
                                       .key = key,
                                       .tls_port = region->data.tls.port,
                                       .tls_own = region->data.tls.certificate.len == 0};
    region->phase = REGION_SERVING;
    px_log(&region->log, PX_INFO, "serving on port %u", region->port);
    if (region->options->on_ready) region->options->on_ready(region->options->ctx, &ready);
    if (key.len) explicit_bzero((void *)key.ptr, key.len);
    workflows_enter_residents(region->workflows);
    uv_run(&region->loop, UV_RUN_DEFAULT);
    async_queue_free(&region->async);
    schedules_free(&region->schedules);
    workflows_free(&region->workflows);
    vtl_free(&region->vtl);
}

/* With the data folder's lock held. */
static int run(struct region *region)
{
    struct px_str key = {0};
    if (uv_loop_init(&region->loop) != 0) return px_fault(PX_F_OOM, "event loop");
    region_watch(region); /* a signal that comes while it starts ends it as soon as it serves */
    int r = start(region, &key);
    if (r == 0)
        serve(region, key);
    else
        region_abandon(region);
    elsewhere_free(&region->elsewhere);
    copies_free(&region->copies);
    replicator_free(&region->replicator);
    watch_free(&region->watch);
    versions_free(&region->versions);
    figures_free(&region->figures);
    request_sums_free(&region->requests);
    certificates_free(&region->certificates);
    PX_ASSERT(uv_loop_close(&region->loop) == 0); /* nothing is left open */
    return r;
}

int region_run(const struct region_options *options)
{
    struct region *region = calloc(1, sizeof(*region));
    if (!region) return px_fault(PX_F_OOM, "region");
    region->options = options;
    region->clock = &px_clock_system;
    region->log = (struct px_log){
        .fd = STDOUT_FILENO, .level = PX_INFO, .service = S("region"), .clock = region->clock};
    region->started_wall_ns = px_wall_ns(region->clock);
    px_arena_init(&region->arena, PROCESS_ARENA_BYTES_MAX);
    region_process_prepare();
    int r = region_tuning_read(&region->tuning);
    if (r == 0) r = metric_sums_new(&region->sums);
    if (r == 0)
        r = data_dir_open(options->data_dir, &options->wish, &region->arena, region->clock,
                          &region->data);
    if (r == 0) {
        r = run(region);
        data_dir_close(&region->data);
    }
    metric_sums_free(&region->sums);
    px_arena_deinit(&region->arena);
    free(region);
    return r == DATA_DIR_BUSY ? REGION_RUNNING : r;
}
