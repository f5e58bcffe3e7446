/* svc/query/query.c - the steps of one request; see query.h for their order.
 *
 * A step gives 0 to go on, HANDLED when the caller has an answer, or a fault. */
#include "svc/query/query.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_id.h"
#include "observe/observe.h"
#include "sql/remote.h"
#include "svc/catalog/names.h"
#include "svc/query/query_impl.h"
#include "svc/query/view.h"
#include "svc/quota/places.h"
#include "svc/quota/rates.h"

/* ---- answers that are not results ---- */

/* What was not given yet goes: whole rows, and perhaps what broke the limit. */
static int end_with_reason(struct job *job, int status, struct px_str why)
{
    const struct result_failure failure = {status, why};
    px_buf_clear(&job->reply.body);
    job->out->rows = job->rows_given;
    PX_TRY(job->format->fail(job->out, &failure));
    PX_TRY(px_buf_fault(&job->reply.body));
    PX_TRY(reply_last(&job->reply));
    return HANDLED;
}

int job_refuse(struct job *job, int status, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (job->reply.begun && job->format && job->format->fail)
        return end_with_reason(job, status, px_str_c(text));
    if (job->reply.begun) {
        job->cut_why = px_arena_dup(job->arena, px_str_c(text));
        return HANDLED;
    }
    PX_TRY(reply_problem(&job->reply, status, px_str_c(text), (struct px_str){0}));
    return HANDLED;
}

/* A fault of the hot scan shows as a failed statement. */
static int scan_fault(struct job *job)
{
    int fault = job->lease.hot_sets->fault;
    return fault == 0 ? 0 : px_fault(fault, "hot frames: %s", job->lease.hot_sets->fault_text);
}

int job_sql_answer(struct job *job, int answer, struct px_str why)
{
    PX_TRY(scan_fault(job));
    switch (answer) {
    case SQL_TIMEOUT:
        return job_refuse(job, 504,
                          "the query ran longer than its limit of %lld ms: narrow \"start\" and "
                          "\"end\", or read less",
                          (long long)job->timeout_ms);
    case SQL_CANCELLED: return job_refuse(job, 499, "the query was cancelled: its caller is gone");
    case SQL_MEMORY:
        return job_refuse(job, 400,
                          "the query needs more memory than its limit of %llu MiB: narrow "
                          "\"start\" and \"end\", or aggregate earlier",
                          (unsigned long long)(job->query->options.limits.memory_bytes >> 20));
    default: return job_refuse(job, 400, "%.*s", PX_FMT(why));
    }
}

void job_measure(struct job *job)
{
    job->cost.bytes_scanned = job->lease.hot_sets->bytes_read +
                              (sql_remote_bytes(job->engine) - job->remote_bytes) +
                              job->copied_bytes;
    cost_since(&job->mark, job->query->options.clock, &job->cost);
}

struct px_str job_warning(struct job *job)
{
    size_t damaged = 0;
    for (size_t i = 0; i < job->snapshot_count; i++) damaged += job->snapshots[i].damaged;
    if (damaged == 0) return (struct px_str){0};
    return px_arena_printf(job->arena, "%zu damaged batches of fresh records were left out",
                           damaged);
}

/* ---- who asks, and what ---- */

/* While a tenant moves its old home answers, until the moment from which the new one does: see
 * store/hot_fence.h. A query that passed here sees what was acknowledged before it began. */
static int check_fence(struct job *job, const struct hot_fence *fence)
{
    const struct api_caller *caller = &job->event->caller;
    const struct home_claim claim = {caller->home_region, caller->epoch};
    struct px_str region;
    switch (home_decide(&job->query->options.home, fence, &claim, HOME_READ, &region)) {
    case HOME_HERE: return 0;
    case HOME_SPOOL: /* of records alone */
    case HOME_MOVING: return job_refuse(job, 503, HOME_MOVING_DETAIL);
    case HOME_ELSEWHERE: break;
    }
    PX_TRY(reply_problem(&job->reply, HOME_MISDIRECTED, S(HOME_DETAIL),
                         home_hint(region, job->arena)));
    return HANDLED;
}

static int check_home(struct job *job)
{
    const struct query_options *options = &job->query->options;
    PX_TRY(hot_fence_read(options->hot, job->event->caller.tenant, &job->fence));
    return check_fence(job, &job->fence);
}

/* Once what is read is pinned down, or found absent. The tenant may have left meanwhile, and its data have been
 * removed here, wholly or in part; it may even be back, which the epoch tells. A move that was given up looks
 * the same, and a repeat does no harm. */
static int check_still_home(struct job *job)
{
    const struct query_options *options = &job->query->options;
    struct hot_fence now;
    PX_TRY(hot_fence_read(options->hot, job->event->caller.tenant, &now));
    if (now.state == job->fence.state && now.epoch == job->fence.epoch) return 0;
    int r = check_fence(job, &now);
    if (r != 0) return r;
    bool stayed = now.state == HOT_FENCE_LEAVING || now.epoch == job->fence.epoch;
    return stayed ? 0 : job_refuse(job, 503, HOME_MOVING_DETAIL);
}

/* ---- quotas, where no gateway has seen to them ---- */

static int refuse_over(struct job *job, const struct quota_refusal *over)
{
    observe_add(METRIC_QUOTA_REFUSALS, 1);
    observe_event_text("prism.quota", over->name);
    PX_TRY(reply_over(&job->reply, over, S(RATES_DETAIL), job->arena));
    return HANDLED;
}

/* What the tenant may send a second. */
static int check_rate(struct job *job)
{
    const struct api_caller *caller = &job->event->caller;
    const struct rates_ask ask = {caller->tenant, caller->tier, caller->quotas,
                                  job->event->body.len};
    struct quota_refusal over;
    if (!job->query->options.rates) return 0;
    int r = rates_take(job->query->options.rates, &ask, &over);
    return r == RATES_OVER ? refuse_over(job, &over) : r;
}

/* How many queries it may have running. The place is given back before the answer's last bytes (reply.h). */
static int check_place(struct job *job)
{
    const struct api_caller *caller = &job->event->caller;
    const struct query_options *options = &job->query->options;
    int64_t left_ms = (job->ends_mono_ns - px_mono_ns(options->clock)) / PX_NS_PER_MS;
    const struct places_ask ask = {
        caller->tenant, caller->tier, caller->quotas,
        PX_MIN(PX_MAX(left_ms, 0) + PLACE_MARGIN_MS, PLACES_HOLD_MS_MAX)};
    struct quota_refusal over;
    if (!options->places) return 0;
    int r = places_enter(options->places, &ask, &over);
    return r == PLACES_OVER ? refuse_over(job, &over) : r;
}

static void leave_place(void *ctx)
{
    struct query *query = ctx;
    if (query->options.places) places_leave(query->options.places);
}

static int authorise(struct job *job)
{
    const struct api_caller *caller = &job->event->caller;
    if (caller->tenant.len == 0 || !api_caller_may(caller, S("query")))
        return job_refuse(job, 403, "the key lacks the scope \"query\"");
    int r = check_rate(job);
    if (r == 0) r = check_place(job);
    if (r != 0) return r;
    PX_TRY(restriction_read(caller->restriction, job->arena, &job->restriction));
    return check_home(job);
}

static int read_request(struct job *job)
{
    struct px_str why = {0};
    int r = query_request_read(job->event, px_wall_ns(job->query->options.clock), job->arena,
                               &job->request, &why);
    if (r == REQUEST_INVALID) return job_refuse(job, 400, "%.*s", PX_FMT(why));
    if (r == REQUEST_NOT_ACCEPTABLE) return job_refuse(job, 406, "%.*s", PX_FMT(why));
    PX_TRY(r);
    return 0;
}

static int check_statement(struct job *job)
{
    struct px_str why = {0};
    bool exact = job->request.format == QUERY_PARQUET;
    PX_TRY(engines_take(job->query->engines, job->event->caller.tenant, exact, &job->lease));
    job->engine = job->lease.engine;
    job->remote_bytes = sql_remote_bytes(job->engine);
    int r = sql_check(job->engine, job->request.sql, job->arena, &job->statement, &why);
    if (r == SQL_REFUSED) return job_refuse(job, 400, "%.*s", PX_FMT(why));
    PX_TRY(r);
    return 0;
}

/* ---- datasets ---- */

static struct snapshot_stores stores_of(struct query *query)
{
    const struct query_options *options = &query->options;
    return (struct snapshot_stores){options->hot, options->segments, options->analytics,
                                    options->catalog, &query->memory};
}

/* The tenant's datasets that the caller may know of. */
static int list_datasets(struct job *job, struct px_str **ret_names, size_t *ret_count)
{
    struct snapshot_stores stores = stores_of(job->query);
    size_t count = 0, kept = 0;
    PX_TRY(snapshot_datasets(&stores, job->event->caller.tenant, job->arena, ret_names, &count));
    for (size_t i = 0; i < count; i++)
        if (restriction_allows(job->restriction, (*ret_names)[i]))
            (*ret_names)[kept++] = (*ret_names)[i];
    *ret_count = kept;
    return 0;
}

/* 404, naming what there is. */
static int refuse_dataset(struct job *job, struct px_str name)
{
    int r = check_still_home(job);
    if (r != 0) return r;
    struct px_str *names = NULL;
    size_t count = 0;
    PX_TRY(list_datasets(job, &names, &count));
    PX_AUTO(px_buf_deinit) struct px_buf extra;
    px_buf_init(&extra, 1u << 20);
    px_buf_add_c(&extra, "\"datasets\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) px_buf_add_char(&extra, ',');
        px_buf_add_json_str(&extra, names[i]);
    }
    px_buf_add_char(&extra, ']');
    PX_TRY(px_buf_fault(&extra));
    struct px_str detail = px_arena_printf(
        job->arena, "there is no dataset \"%.*s\"%s", PX_FMT(name),
        count > 0 ? "; \"datasets\" lists those that exist" : ": nothing was sent yet");
    if (!detail.ptr) return px_fault(px_arena_fault(job->arena), "problem");
    PX_TRY(reply_problem(&job->reply, 404, detail, px_buf_str(&extra)));
    return HANDLED;
}

static int take_snapshots(struct job *job)
{
    struct snapshot_stores stores = stores_of(job->query);
    size_t count = job->statement.table_count;
    job->snapshots = px_arena_array(job->arena, struct snapshot, count + 1);
    if (!job->snapshots) return px_fault(px_arena_fault(job->arena), "snapshots");
    for (size_t i = 0; i < count; i++) {
        const struct sql_table *table = &job->statement.tables[i];
        int r = SNAPSHOT_ABSENT;
        if (dataset_name_ok(table->name, NULL) && restriction_allows(job->restriction, table->name))
            r = snapshot_take(&stores, job->event->caller.tenant, table->name,
                              job->request.start_us, job->request.end_us, job->arena,
                              &job->snapshots[job->snapshot_count]);
        if (r == SNAPSHOT_ABSENT && table->defined) { /* one that was kept is not what it names */
            PX_TRY(views_drop(job->lease.views, job->engine, table->name));
            continue;
        }
        if (r == SNAPSHOT_ABSENT) return refuse_dataset(job, table->name);
        PX_TRY(r);
        job->snapshot_count++;
        if (job->snapshot_count > HOT_SETS_MAX)
            return job_refuse(job, 400, "the statement names more than %d datasets", HOT_SETS_MAX);
    }
    return 0;
}

/* Small objects of S3 are read from local copies. */
static int use_copies(struct job *job)
{
    if (!job->query->copies) return 0;
    size_t count = 0, n = 0;
    for (size_t i = 0; i < job->snapshot_count; i++) count += job->snapshots[i].file_count;
    struct copy_wish *wishes = px_arena_array(job->arena, struct copy_wish, count + 1);
    if (!wishes) return px_fault(px_arena_fault(job->arena), "copies");
    for (size_t i = 0; i < job->snapshot_count; i++)
        for (size_t k = 0; k < job->snapshots[i].file_count; k++) {
            const struct snapshot_file *file = &job->snapshots[i].files[k];
            bool remote = px_str_starts(file->url, S("s3://"));
            wishes[n++] = (struct copy_wish){file->store, file->key, remote ? file->bytes : 0, {0}};
        }
    PX_TRY(copies_want(job->query->copies, job->event->caller.tenant, wishes, count,
                       job->leash.deadline_mono_ns, job->arena, &job->copied_bytes));
    n = 0;
    for (size_t i = 0; i < job->snapshot_count; i++)
        for (size_t k = 0; k < job->snapshots[i].file_count; k++, n++)
            if (wishes[n].path.ptr) job->snapshots[i].files[k].url = wishes[n].path;
    return 0;
}

/* SHOW TABLES: names are enough, and exactly those that exist. The lease's views go before and after. */
static int show_tables(struct job *job)
{
    struct views *views = job->lease.views;
    struct px_str *names = NULL;
    size_t count = 0;
    PX_TRY(list_datasets(job, &names, &count));
    PX_TRY(views_drop_all(views, job->engine));
    job->lease.forgetful = true;
    PX_AUTO(px_buf_deinit) struct px_buf sql;
    px_buf_init(&sql, 4096);
    for (size_t i = 0; i < count; i++) {
        px_buf_clear(&sql);
        px_buf_add_c(&sql, "CREATE OR REPLACE VIEW ");
        sql_add_identifier(&sql, names[i]);
        px_buf_add_c(&sql, " AS SELECT 1");
        PX_TRY(px_buf_fault(&sql));
        PX_TRY(views_put(views, job->engine, names[i], px_buf_str(&sql), S("")));
    }
    return 0;
}

/* The view's text names columns, and their types only where a file's differ. */
static int make_view(struct job *job, const struct snapshot *snapshot, size_t slot)
{
    PX_AUTO(px_buf_deinit) struct px_buf sql, shape;
    px_buf_init(&sql, 64u << 20);
    px_buf_init(&shape, 64u << 20);
    PX_TRY(view_add(snapshot, job->restriction, slot, job->arena, &sql));
    schema_to_json(&snapshot->hot.schema, &shape);
    PX_TRY(px_buf_fault(&shape));
    PX_TRY(views_put(job->lease.views, job->engine, snapshot->dataset, px_buf_str(&sql),
                     px_buf_str(&shape)));
    return 0;
}

static int make_views(struct job *job)
{
    struct hot_sets *sets = job->lease.hot_sets;
    if (job->restriction) { /* views of one that has another restriction, or none, go before and after */
        PX_TRY(views_drop_all(job->lease.views, job->engine));
        job->lease.forgetful = true;
    }
    if (job->statement.shows_tables) PX_TRY(show_tables(job));
    for (size_t i = 0; i < job->snapshot_count; i++) {
        const struct snapshot *snapshot = &job->snapshots[i];
        sets->sets[sets->count++] = &snapshot->hot;
        PX_TRY(make_view(job, snapshot, i));
        job->cost.files_read += snapshot->file_count + snapshot->hot_files_read;
        job->cost.files_pruned += snapshot->pruned;
    }
    return 0;
}

/* ---- lock ---- */

static int name_parquet(struct job *job)
{
    struct query *query = job->query;
    job->parquet_path = px_arena_printf(job->arena, "%.*s/answer-%llu.parquet",
                                        PX_FMT(query->scratch.path),
                                        (unsigned long long)++query->serial);
    return job->parquet_path.ptr ? 0 : px_fault(px_arena_fault(job->arena), "temporary file");
}

/* A kept engine is locked to its tenant's folders already; one that writes a Parquet answer gets
 * exactly the files that it reads and the one that it writes. */
static int lock(struct job *job)
{
    if (!job->lease.exact) return 0;
    size_t count = 0;
    for (size_t i = 0; i < job->snapshot_count; i++) count += job->snapshots[i].file_count;
    struct px_str *files = px_arena_array(job->arena, struct px_str, count + 1);
    if (!files) return px_fault(px_arena_fault(job->arena), "files");
    count = 0;
    for (size_t i = 0; i < job->snapshot_count; i++) {
        for (size_t k = 0; k < job->snapshots[i].file_count; k++)
            files[count++] = job->snapshots[i].files[k].url;
    }
    PX_TRY(name_parquet(job));
    files[count++] = job->parquet_path;
    PX_TRY(sql_engine_lock(job->engine, files, count));
    return 0;
}

static int write_answer(struct job *job)
{
    static const struct result_format *const formats[] = {
        [QUERY_JSON] = &result_json,
        [QUERY_NDJSON] = &result_ndjson,
        [QUERY_CSV] = &result_csv,
        [QUERY_ARROW] = &result_arrow,
    };
    if (job->request.format == QUERY_PARQUET) return job_write_parquet(job);
    return job_write_result(job, formats[job->request.format]);
}

static int run_steps(struct job *job)
{
    static const struct {
        int (*run)(struct job *);
        const char *span; /* NULL: too quick for one of its own */
    } steps[] = {
        {authorise, NULL},
        {read_request, NULL},
        {check_statement, "check"},
        {take_snapshots, "snapshots"},
        {use_copies, "copies"},
        {make_views, "views"},
        {check_still_home, NULL},
        {lock, NULL},
        {write_answer, "DuckDB run"},
    };
    for (size_t i = 0; i < PX_COUNT(steps); i++) {
        struct observe_work work = {0};
        if (steps[i].span) work = observe_begin(steps[i].span, SPAN_INTERNAL);
        int r = steps[i].run(job);
        observe_end(&work, r);
        if (r < 0) return px_fold(r, __FILE__, __LINE__);
        if (r == HANDLED) return 0;
    }
    return px_fault(PX_F_BUG, "a query without an answer");
}

static void job_deinit(struct job *job)
{
    engines_give(job->query->engines, &job->lease); /* before the frames that it scans go */
    for (size_t i = 0; i < job->snapshot_count; i++) snapshot_release(&job->snapshots[i]);
    if (job->parquet_path.len > 0) (void)unlink(job->parquet_path.ptr);
    leave_place(job->query); /* that of an answer without an end */
    reply_deinit(&job->reply);
}

int query_handle(struct query *query, const struct api_event *event, struct px_arena *arena,
                 int64_t deadline_mono_ns, const _Atomic bool *cancelled,
                 const struct query_sink *sink, struct px_str *ret_why)
{
    PX_ASSERT(query->magic == QUERY_MAGIC);
    const struct px_clock *clock = query->options.clock;
    int64_t now = px_mono_ns(clock);
    int64_t limit = now + query->options.limits.timeout_ms * PX_NS_PER_MS;
    PX_AUTO(job_deinit) struct job job = {.query = query, .event = event, .arena = arena};
    job.leash = (struct sql_leash){clock, PX_MIN(limit, deadline_mono_ns), cancelled};
    job.ends_mono_ns = deadline_mono_ns;
    job.timeout_ms = (job.leash.deadline_mono_ns - now) / PX_NS_PER_MS;
    reply_init(&job.reply, sink, event->request_id, query->options.limits.result_bytes_max);
    job.reply.ending = leave_place;
    job.reply.ending_ctx = query;
    cost_mark_set(&job.mark, clock);
    int r = run_steps(&job);
    observe_add(METRIC_ROWS_RETURNED, (double)job.cost.rows);
    if (r < 0) job.lease.broken = true;
    if (r < 0) return r;
    if (job.cut_why.len == 0) return 0;
    *ret_why = job.cut_why;
    return QUERY_CUT;
}

/* ---- life ---- */

static void set_defaults(struct query_limits *limits)
{
    if (limits->memory_bytes == 0) limits->memory_bytes = UINT64_C(1536) << 20;
    if (limits->temp_bytes_max == 0) limits->temp_bytes_max = UINT64_C(1) << 30;
    if (limits->threads == 0) limits->threads = 2;
    if (limits->timeout_ms == 0) limits->timeout_ms = 25000;
    if (limits->rows_max == 0) limits->rows_max = 1000000;
    if (limits->result_bytes_max == 0) limits->result_bytes_max = UINT64_C(200) << 20;
    if (limits->copies_bytes_max == 0) limits->copies_bytes_max = UINT64_C(128) << 20;
    if (limits->copy_bytes_max == 0) limits->copy_bytes_max = UINT64_C(1) << 20;
}

static int open_copies(struct query *query)
{
    const struct query_limits *limits = &query->options.limits;
    if (!query->options.readers) return 0;
    const struct copies_options options = {
        .folder = px_arena_printf(&query->arena, "%.*s/copies", PX_FMT(query->scratch.path)),
        .bytes_max = limits->copies_bytes_max,
        .object_bytes_max = limits->copy_bytes_max};
    if (!options.folder.ptr) return px_fault(px_arena_fault(&query->arena), "copies");
    PX_TRY(copies_new(&options, &query->copies));
    return 0;
}

int query_new(const struct query_options *options, struct query **ret_query)
{
    PX_AUTO(query_free) struct query *query = calloc(1, sizeof(*query));
    if (!query) return px_fault(PX_F_OOM, "query");
    query->magic = QUERY_MAGIC;
    query->options = *options;
    set_defaults(&query->options.limits);
    px_arena_init(&query->arena, 1u << 16);
    query->scratch.lock_fd = -1;
    PX_TRY(scratch_open(options->temp_dir, &query->arena, &query->scratch));
    const struct query_limits *limits = &query->options.limits;
    PX_TRY(open_copies(query));
    struct engines_options engines = {.copies = query->copies,
                                      .segments = options->segments,
                                      .analytics = options->analytics,
                                      .readers = options->readers,
                                      .limits = {.remote = options->remote,
                                                 .memory_bytes = limits->memory_bytes,
                                                 .threads = limits->threads,
                                                 .temp_dir = query->scratch.path,
                                                 .temp_bytes_max = limits->temp_bytes_max}};
    PX_TRY(engines_new(&engines, &query->engines));
    *ret_query = PX_TAKE(query);
    return 0;
}

void query_set_limits(struct query *query, const struct query_limits *limits)
{
    PX_ASSERT(query->magic == QUERY_MAGIC);
    struct query_limits wanted = *limits, *ours = &query->options.limits;
    set_defaults(&wanted);
    ours->timeout_ms = wanted.timeout_ms;
    ours->rows_max = wanted.rows_max;
    ours->result_bytes_max = wanted.result_bytes_max;
}

void query_free(struct query **query)
{
    struct query *q = *query;
    if (!q) return;
    PX_ASSERT(q->magic == QUERY_MAGIC);
    engines_free(&q->engines);
    copies_free(&q->copies);
    scratch_close(&q->scratch);
    px_arena_deinit(&q->arena);
    free(q);
    *query = NULL;
}
