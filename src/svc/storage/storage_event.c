/* svc/storage/storage_event.c - one event. The stores are opened for it and closed after it: it comes
 * once a minute at most, and a function between events holds no lock, mapping or cached schema. */
#include "svc/storage/storage_event.h"

#include "base/px_file.h"
#include "base/px_json.h"
#include "lambda/event.h"
#include "svc/catalog/names.h"
#include "svc/storage/items_event.h"
#include "svc/storage/move.h"
#include "svc/storage/offboard_event.h"

/* What is left of the event's time when no new step is begun. A step takes seconds. */
#define STEP_MARGIN_NS (60 * PX_NS_PER_S)
#define SAY_MS 2000
#define FREEZE_MS_MAX 60000
#define META_MARGIN_NS (2 * PX_NS_PER_S) /* for telling that the catalog gave no answer */

typedef int operation(struct storage *storage, const struct storage_scope *scope,
                      struct storage_counts *counts);
static const struct {
    const char *name;
    operation *run;
} operations[] = {
    {"seal", storage_seal},
    {"compact", storage_compact},
    {"retain", storage_retain},
    {"ttl", storage_ttl},
};

/* ---- steps of a move ---- */

struct step {
    struct storage_move move;
    struct px_str region;
    struct px_str at;                          /* where the step is meant to run */
    struct px_str segments_url, analytics_url; /* of the source */
    int64_t for_ms, freeze;                    /* how long at most; the number of a freeze */
    int64_t spool_after_ms;                    /* close: 0: never */
};
typedef int step_run(struct storage *storage, const struct step *step, struct storage_moved *moved);

static int run_greet(struct storage *storage, const struct step *step, struct storage_moved *moved)
{
    return storage_greet(storage, &step->move, step->region, moved);
}
static int run_pack(struct storage *storage, const struct step *step, struct storage_moved *moved)
{
    return storage_pack(storage, &step->move, moved);
}
static int run_fetch(struct storage *storage, const struct step *step, struct storage_moved *moved)
{
    return storage_fetch(storage, &step->move, moved);
}
static int run_check(struct storage *storage, const struct step *step, struct storage_moved *moved)
{
    return storage_check(storage, &step->move, moved);
}
static int run_clean(struct storage *storage, const struct step *step, struct storage_moved *moved)
{
    return storage_clean(storage, &step->move, moved);
}
/* Without an end where none is asked for, as machines of before do. */
static int run_freeze(struct storage *storage, const struct step *step, struct storage_moved *moved)
{
    if (step->for_ms == 0)
        return storage_fence(storage, &step->move, HOT_FENCE_LEAVING, step->region);
    return storage_freeze(storage, &step->move, step->region, step->for_ms, moved);
}
static int run_close(struct storage *storage, const struct step *step, struct storage_moved *moved)
{
    moved->freeze = step->freeze;
    return storage_close(storage, &step->move, step->freeze, step->spool_after_ms);
}
static int run_thaw(struct storage *storage, const struct step *step, struct storage_moved *moved)
{
    (void)moved;
    return storage_thaw(storage, &step->move);
}
static int run_leave(struct storage *storage, const struct step *step, struct storage_moved *moved)
{
    (void)moved;
    return storage_leave(storage, &step->move, step->region);
}
static int run_receive(struct storage *storage, const struct step *step,
                       struct storage_moved *moved)
{
    (void)moved;
    return storage_receive(storage, &step->move);
}
static int run_finish(struct storage *storage, const struct step *step, struct storage_moved *moved)
{
    return storage_finish(storage, &step->move, moved);
}
static int run_settle(struct storage *storage, const struct step *step, struct storage_moved *moved)
{
    return storage_settle(storage, &step->move, moved);
}
static int run_stay(struct storage *storage, const struct step *step, struct storage_moved *moved)
{
    return storage_stay(storage, &step->move, moved);
}
static int run_part(struct storage *storage, const struct step *step, struct storage_moved *moved)
{
    (void)moved;
    return storage_fence(storage, &step->move, HOT_FENCE_LEFT, step->region);
}

static const struct step_kind {
    const char *name;
    step_run *run;
    bool region, source; /* needed */
} step_kinds[] = {
    {"move-greet", run_greet, true, false},      {"move-pack", run_pack, false, false},
    {"move-fetch", run_fetch, false, true},      {"move-freeze", run_freeze, true, false},
    {"move-check", run_check, false, true},      {"move-leave", run_leave, true, false},
    {"move-settle", run_settle, false, false},   {"move-stay", run_stay, false, false},
    {"move-part", run_part, true, false},        {"move-clean", run_clean, false, false},
    {"move-close", run_close, false, false},     {"move-thaw", run_thaw, false, false},
    {"move-receive", run_receive, false, false}, {"move-finish", run_finish, false, false},
};

static const struct step_kind *find_step(struct px_str name)
{
    for (size_t i = 0; i < PX_COUNT(step_kinds); i++)
        if (px_str_eq(px_str_c(step_kinds[i].name), name)) return &step_kinds[i];
    return NULL;
}

static bool store_url_ok(struct px_str url)
{
    return px_str_starts(url, S("s3://")) || px_str_starts(url, S("/"));
}

/* NULL: fine. */
static const char *read_step(yyjson_val *root, const struct step_kind *kind, struct step *step)
{
    yyjson_val *source = px_json_obj(root, "source");
    step->move.epoch = px_json_i64(root, "epoch", 0);
    step->region = px_json_str(root, "region");
    step->at = px_json_str(root, "at");
    step->segments_url = px_json_str(source, "segments");
    step->analytics_url = px_json_str(source, "analytics");
    step->for_ms = px_json_i64(root, "for_ms", 0);
    step->freeze = px_json_i64(root, "freeze", 0);
    step->spool_after_ms = px_json_i64(root, "spool_after_ms", 0);
    if (step->for_ms < 0 || step->for_ms > FREEZE_MS_MAX) return "for_ms is at most a minute";
    if (step->spool_after_ms < 0 || step->spool_after_ms > FREEZE_MS_MAX)
        return "spool_after_ms is at most a minute";
    if (step->move.epoch < 1) return "epoch is the move's, as function tenants began it";
    if (kind->region && (step->region.len == 0 || step->region.len >= HOT_FENCE_REGION_BYTES))
        return "region is the other region of the move";
    bool wants = kind->source || source; /* settle: of a machine that knows spools */
    if (wants && (!store_url_ok(step->segments_url) || !store_url_ok(step->analytics_url)))
        return "source.segments and source.analytics are URLs of stores";
    return NULL;
}

/* ---- the event ---- */

struct request {
    struct px_str op;
    operation *run;               /* or: */
    const struct step_kind *kind; /* with its step; or: */
    struct step step;
    const struct offboard_kind *leaving;
    struct offboard offboard;
    yyjson_val *items; /* the event, of items_event.h */
    struct storage_scope scope;
    int64_t now_ns; /* 0: the machine's */
};

static operation *find_operation(struct px_str name)
{
    for (size_t i = 0; i < PX_COUNT(operations); i++)
        if (px_str_eq(px_str_c(operations[i].name), name)) return operations[i].run;
    return NULL;
}

/* Names become parts of paths. */
static const char *read_scope(yyjson_val *root, struct storage_scope *scope)
{
    const char *why = "dataset is not a name of a dataset";
    scope->tenant = px_json_str(root, "tenant");
    scope->dataset = px_json_str(root, "dataset");
    if (scope->tenant.len > 0 && !tenant_name_ok(scope->tenant))
        return "tenant is not a name of a tenant";
    if (scope->dataset.len > 0 && !dataset_name_ok(scope->dataset, NULL)) return why;
    if (scope->dataset.len > 0 && scope->tenant.len == 0) return "a dataset needs its tenant";
    return NULL;
}

static int read_event(const struct lambda_event *event, struct request *request)
{
    yyjson_val *root = NULL;
    int r = lambda_event_object(event, &root);
    if (r != 0) return r;
    request->op = px_json_str(root, "op");
    request->items = px_str_eq(request->op, S(ITEMS_OP)) ? root : NULL;
    if (request->items) return 0;
    request->run = find_operation(request->op);
    request->kind = find_step(request->op);
    request->leaving = offboard_find(request->op);
    if (!request->run && !request->kind && !request->leaving)
        return lambda_event_refuse(
            event, "op is one of seal, compact, retain, ttl, items, or a step of a move "
                   "or of an offboarding");
    const char *why = read_scope(root, &request->scope);
    if (!why && request->kind) why = read_step(root, request->kind, &request->step);
    if (!why && request->kind && request->scope.tenant.len == 0) why = "a move needs its tenant";
    request->offboard.tenant = request->scope.tenant;
    if (!why && request->leaving) why = offboard_read(root, request->leaving, &request->offboard);
    if (why) return lambda_event_refuse(event, why);
    yyjson_val *now = yyjson_obj_get(root, "now");
    if (now && !px_time_parse(px_json_val_str(now), &request->now_ns))
        return lambda_event_refuse(event, "now is an RFC 3339 time");
    request->scope.deadline_mono_ns = lambda_deadline_mono_ns(event, STEP_MARGIN_NS);
    request->step.move.tenant = request->scope.tenant;
    request->step.move.deadline_mono_ns = request->scope.deadline_mono_ns;
    request->offboard.deadline_mono_ns = request->scope.deadline_mono_ns;
    return 0;
}

/* ---- stores ---- */

struct open_stores {
    struct hot_store *hot;
    struct object_store *segments, *analytics;
    struct object_store *source_segments, *source_analytics; /* of a move */
    struct object_readers *readers;
    struct table_store *tables;
    struct meta *meta;
    struct catalog *catalog;
    struct storage *storage;
};

static void close_stores(struct open_stores *s)
{
    storage_free(&s->storage);
    catalog_free(&s->catalog);
    meta_close(&s->meta);
    table_store_close(&s->tables);
    object_readers_free(&s->readers);
    object_store_close(&s->source_analytics);
    object_store_close(&s->source_segments);
    object_store_close(&s->analytics);
    object_store_close(&s->segments);
    hot_store_close(&s->hot);
}

static int check_urls(const struct storage_urls *urls)
{
    const struct {
        struct px_str url;
        const char *name;
    } needed[] = {{urls->hot, "PRISM_HOT_URL"},
                  {urls->segments, "PRISM_SEGMENTS_URL"},
                  {urls->analytics, "PRISM_ANALYTICS_URL"},
                  {urls->tables, "PRISM_TABLES_URL"},
                  {urls->meta, "PRISM_META_URL"}};
    for (size_t i = 0; i < PX_COUNT(needed); i++)
        if (needed[i].url.len == 0) return px_fault(PX_F_CONFIG, "%s is not set", needed[i].name);
    return 0;
}

static int open_stores(const struct storage_function *function, const struct px_clock *clock,
                       struct open_stores *s)
{
    const struct storage_urls *urls = &function->urls;
    const struct object_options objects = {.cloud = function->cloud,
                                           .temp_dir = function->limits.temp_dir};
    const struct table_options tables = {.clock = clock, .cloud = function->cloud};
    const struct meta_options meta = {.cloud = function->cloud};
    PX_TRY(check_urls(urls));
    PX_TRY(hot_store_open(urls->hot, &s->hot));
    PX_TRY(object_store_open(urls->segments, &objects, &s->segments));
    PX_TRY(object_store_open(urls->analytics, &objects, &s->analytics));
    PX_TRY(table_store_open(urls->tables, &tables, &s->tables));
    PX_TRY(meta_open(urls->meta, &meta, &s->meta));
    return catalog_new(s->meta, clock, &s->catalog);
}

static int load_lifecycle(const struct storage_function *function, struct px_arena *arena,
                          struct lifecycle *lifecycle)
{
    struct px_where where = {0};
    struct px_str text = lifecycle_builtin();
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, (size_t)1 << 20);
    if (function->lifecycle_path.len > 0) {
        char *path = px_arena_cstr(arena, function->lifecycle_path);
        if (!path) return px_arena_fault(arena);
        int r = px_file_read(path, &buf);
        if (r > 0) return px_fault(PX_F_CONFIG, "%s cannot be read", path);
        PX_TRY(r);
        text = px_buf_str(&buf);
    }
    int r = lifecycle_parse(text, arena, lifecycle, &where);
    if (r == LIFECYCLE_INVALID)
        return px_fault(PX_F_CONFIG, "lifecycle: %s: %s expected", where.path, where.expected);
    return r;
}

/* ---- running ---- */

static void log_notice(void *ctx, const struct storage_notice *notice)
{
    const struct px_log *log = ctx;
    PX_AUTO(px_buf_deinit) struct px_buf fields;
    px_buf_init(&fields, (size_t)64 << 10);
    px_buf_add_c(&fields, "\"tenant\":");
    px_buf_add_json_str(&fields, notice->tenant);
    px_buf_add_c(&fields, ",\"dataset\":");
    px_buf_add_json_str(&fields, notice->dataset);
    px_buf_add_c(&fields, ",\"object\":");
    px_buf_add_json_str(&fields, notice->what);
    px_buf_add_c(&fields, ",\"reason\":");
    px_buf_add_json_str(&fields, notice->why);
    bool aside = notice->event == STORAGE_SET_ASIDE;
    px_log_fields(log, aside ? PX_WARN : PX_ERROR, px_buf_str(&fields),
                  aside ? "set aside: cannot be read" : "a dataset failed; the others go on");
}

static void write_counts(const struct request *request, const struct storage_counts *counts,
                         int64_t ms, struct px_buf *body)
{
    const struct {
        const char *name;
        uint64_t value;
    } members[] = {{"datasets", counts->datasets},
                   {"frames", counts->frames},
                   {"rows", counts->rows},
                   {"bytes_in", counts->bytes_in},
                   {"bytes_out", counts->bytes_out},
                   {"segments_in", counts->segments_in},
                   {"objects", counts->objects},
                   {"objects_removed", counts->objects_removed},
                   {"files_removed", counts->files_removed},
                   {"items_removed", counts->items_removed},
                   {"set_aside", counts->set_aside},
                   {"conflicts", counts->conflicts},
                   {"failed", counts->failed}};
    px_buf_add_c(body, "{\"op\":");
    px_buf_add_json_str(body, request->op);
    for (size_t i = 0; i < PX_COUNT(members); i++)
        px_buf_printf(body, ",\"%s\":%llu", members[i].name, (unsigned long long)members[i].value);
    px_buf_printf(body, ",\"more\":%s,\"ms\":%lld}", counts->more ? "true" : "false",
                  (long long)ms);
}

static int64_t moved_wall(void *ctx)
{
    const int64_t *now_ns = ctx;
    return *now_ns != 0 ? *now_ns : px_wall_ns(&px_clock_system);
}

static int open_sources(const struct storage_function *function, struct request *request,
                        struct open_stores *s)
{
    const struct object_options objects = {.cloud = function->cloud,
                                           .temp_dir = function->limits.temp_dir};
    struct step *step = &request->step;
    if (!request->kind || step->segments_url.len == 0) return 0;
    PX_TRY(object_store_open(step->segments_url, &objects, &s->source_segments));
    PX_TRY(object_store_open(step->analytics_url, &objects, &s->source_analytics));
    step->move.segments = s->source_segments;
    step->move.analytics = s->source_analytics;
    return 0;
}

/* As the other region reads it: a bucket's name alone does not say where it is. */
static void write_source(const struct storage_function *function, struct px_str url,
                         struct px_arena *arena, struct px_buf *body)
{
    bool bucket = px_str_starts(url, S("s3://")) && function->region.len > 0;
    bool more = memchr(url.ptr, '?', url.len) != NULL;
    struct px_str whole = url;
    if (bucket)
        whole = px_arena_printf(arena, "%.*s%cregion=%.*s", PX_FMT(url), more ? '&' : '?',
                                PX_FMT(function->region));
    px_buf_add_json_str(body, whole);
}

static void write_moved(const struct storage_function *function, const struct request *request,
                        const struct storage_moved *moved, int64_t ms, struct px_arena *arena,
                        struct px_buf *body)
{
    const struct {
        const char *name;
        uint64_t value;
    } members[] = {{"datasets", moved->datasets}, {"segments", moved->segments},
                   {"rows", moved->rows},         {"bytes", moved->bytes},
                   {"copied", moved->copied},     {"copied_bytes", moved->copied_bytes},
                   {"frames", moved->frames},     {"differ", moved->differ},
                   {"spooled", moved->spooled}};
    px_buf_add_c(body, "{\"op\":");
    px_buf_add_json_str(body, request->op);
    px_buf_printf(body, ",\"epoch\":%lld", (long long)request->step.move.epoch);
    for (size_t i = 0; i < PX_COUNT(members); i++)
        px_buf_printf(body, ",\"%s\":%llu", members[i].name, (unsigned long long)members[i].value);
    px_buf_add_c(body, ",\"source\":{\"segments\":");
    write_source(function, function->urls.segments, arena, body);
    px_buf_add_c(body, ",\"analytics\":");
    write_source(function, function->urls.analytics, arena, body);
    px_buf_printf(body, "},\"freeze\":%lld,\"last\":%s,\"more\":%s,\"ms\":%lld}",
                  (long long)moved->freeze, moved->last ? "true" : "false",
                  moved->more ? "true" : "false", (long long)ms);
}

static int answer_wrong_time(const struct lambda_event *event, int r)
{
    struct lambda_reply *reply = event->reply;
    reply->error_type = S("Unpacked");
    reply->error_message = S("the source has not packed, or not finished, for this epoch");
    if (r == MOVE_FENCED) {
        reply->error_type = S("Fenced");
        reply->error_message = S(
            "the tenant's fence here is not what this step needs: it comes too "
            "early or too late");
    } else if (r == MOVE_DECIDED) {
        reply->error_type = S("Decided");
        reply->error_message = S("the tenant has left: this move goes forward");
    }
    return LAMBDA_ERROR;
}

/* A step that reached the other region's function, by whatever mistake in between, must not be carried out. */
static bool is_here(const struct storage_function *function, const struct step *step)
{
    return function->region.len == 0 || px_str_eq(step->at, function->region);
}

static int refuse_region(const struct storage_function *function, const struct lambda_event *event)
{
    event->reply->error_type = S("WrongRegion");
    event->reply->error_message = px_arena_printf(event->arena, "the step is not meant for %.*s",
                                                  PX_FMT(function->region));
    return LAMBDA_ERROR;
}

static int run_step(const struct storage_function *function, const struct request *request,
                    struct storage *storage, const struct lambda_event *event)
{
    struct storage_moved moved = {0};
    int64_t begun_ns = px_mono_ns(&px_clock_system);
    int r = request->kind->run(storage, &request->step, &moved);
    if (r > 0) return answer_wrong_time(event, r);
    PX_TRY(r);
    write_moved(function, request, &moved, (px_mono_ns(&px_clock_system) - begun_ns) / PX_NS_PER_MS,
                event->arena, event->reply->body);
    return px_buf_fault(event->reply->body);
}

int storage_handle(const struct storage_function *function, const struct lambda_event *event)
{
    struct request request = {0};
    int r = read_event(event, &request);
    if (r != 0) return r;
    if (request.items) return items_event(function, request.items, event);
    const struct px_clock clock = {moved_wall, px_clock_system.mono_ns, &request.now_ns};
    if (request.kind && !is_here(function, &request.step)) return refuse_region(function, event);
    struct lifecycle lifecycle;
    PX_TRY(load_lifecycle(function, event->arena, &lifecycle));
    PX_AUTO(close_stores) struct open_stores stores = {0};
    PX_TRY(open_stores(function, &clock, &stores));
    catalog_say_after(stores.catalog, function->name, SAY_MS, event->log);
    meta_set_deadline(stores.meta, lambda_deadline_mono_ns(event, META_MARGIN_NS));
    struct lending_settings lending = function->lending;
    struct sql_remote remote;
    lending.cloud = function->cloud;
    PX_TRY(lending_open(&lending, stores.segments, stores.analytics, event->arena, &stores.readers,
                        &remote));
    const struct storage_options options = {.hot = stores.hot,
                                            .hot_root = function->urls.hot,
                                            .segments = stores.segments,
                                            .analytics = stores.analytics,
                                            .readers = stores.readers,
                                            .remote = remote,
                                            .tables = stores.tables,
                                            .catalog = stores.catalog,
                                            .lifecycle = &lifecycle,
                                            .clock = &clock,
                                            .limits = function->limits,
                                            .notify = event->log ? log_notice : NULL,
                                            .notify_ctx = (void *)(uintptr_t)event->log};
    PX_TRY(storage_new(&options, &stores.storage));
    PX_TRY(open_sources(function, &request, &stores));
    if (request.kind) return run_step(function, &request, stores.storage, event);
    if (request.leaving)
        return offboard_run(request.leaving, &request.offboard, stores.storage, event);
    struct storage_counts counts = {0};
    int64_t begun_ns = px_mono_ns(&px_clock_system);
    PX_TRY(request.run(stores.storage, &request.scope, &counts));
    write_counts(&request, &counts, (px_mono_ns(&px_clock_system) - begun_ns) / PX_NS_PER_MS,
                 event->reply->body);
    return px_buf_fault(event->reply->body);
}
