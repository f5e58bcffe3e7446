/* cli/sender.c - threads around two mutexes. One guards the input and is held while the next batch is
 * read, from a pipe for as long as that takes; the other guards the totals and the end and is held for
 * moments. Neither is held while a thread talks. */
#include "cli/sender.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/px_id.h"
#include "base/px_json.h"
#include "http/client.h"

#define LINE_BYTES_MAX (16u << 20) /* the region takes records of 1 MiB; far longer is no line */
#define EVENT_BYTES_MAX 5900000    /* a function's event is at most 6 MB, with headers */
#define CALL_TIMEOUT_MS 60000
#define BACKOFF_MS_FIRST 50
#define BACKOFF_MS_MAX 5000
#define RETRY_AFTER_S_MAX 60

struct worker {
    struct sender *sender;
    pthread_t thread;
    bool started;
    struct http_client *client;
    struct encoder encoder;
    struct px_buf text, wrapped;
    struct px_arena arena; /* one answer */
};
struct sender {
    struct sender_options options;
    struct lines lines;
    pthread_mutex_t input_lock; /* of lines; comes before lock */
    pthread_mutex_t lock;       /* of all below */
    pthread_cond_t ended;
    struct sender_totals totals;
    uint32_t running;
    int outcome;         /* 0, an answer or a fault; the first one stays */
    bool stop, answered; /* answered: the region has, ever */
    char why[512];
    struct worker workers[SENDER_CONNECTIONS_MAX];
};

/* ---- shared state ---- */

static bool stopped(struct sender *sender)
{
    pthread_mutex_lock(&sender->lock);
    bool stop = sender->stop;
    pthread_mutex_unlock(&sender->lock);
    return stop;
}

/* How long a batch may be repeated by now; 0: for ever. */
static int64_t time_limit_ms(struct sender *sender)
{
    pthread_mutex_lock(&sender->lock);
    bool greeting = !sender->answered && sender->options.greet_time_ms > 0;
    pthread_mutex_unlock(&sender->lock);
    return greeting ? sender->options.greet_time_ms : sender->options.max_time_ms;
}

/* The end for all threads, with its reason; -1 as the result of the thread's own calls. */
static int end_all(struct sender *sender, int outcome, struct px_str why)
{
    pthread_mutex_lock(&sender->lock);
    if (sender->outcome == 0) {
        sender->outcome = outcome;
        (void)snprintf(sender->why, sizeof sender->why, "%.*s", PX_FMT(why));
    }
    sender->stop = true;
    pthread_cond_broadcast(&sender->ended);
    pthread_mutex_unlock(&sender->lock);
    return -1;
}

static int end_by_fault(struct sender *sender, int fault)
{
    char text[400];
    return end_all(sender, fault, px_str_c(px_fault_text(fault, text, sizeof text)));
}

static void keep_refusal(struct sender *sender, uint64_t line, struct px_str reason)
{
    if (sender->totals.refusals_kept == SENDER_REFUSALS_KEPT) return;
    struct sender_refusal *refusal = &sender->totals.refusals[sender->totals.refusals_kept++];
    refusal->line = line;
    (void)snprintf(refusal->reason, sizeof refusal->reason, "%.*s", PX_FMT(reason));
}

/* Sleep, but wake when all is over. False: it is. */
static bool pause_ms(struct sender *sender, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (ms % 1000) * PX_NS_PER_MS;
    if (until.tv_nsec >= PX_NS_PER_S) until.tv_sec++, until.tv_nsec -= PX_NS_PER_S;
    pthread_mutex_lock(&sender->lock);
    sender->totals.repeats++;
    int r = 0;
    while (!sender->stop && r == 0)
        r = pthread_cond_timedwait(&sender->ended, &sender->lock, &until);
    bool go_on = !sender->stop;
    pthread_mutex_unlock(&sender->lock);
    return go_on;
}

/* ---- one request ---- */

struct request {
    struct px_str body, encoding, key;
};

static int call_once(struct worker *worker, const struct request *request,
                     struct http_response *ret_response)
{
    const struct sender_options *options = &worker->sender->options;
    struct http_header headers[] = {
        {S("Authorization"), options->authorization},
        {S("Content-Type"), S("application/x-ndjson")},
        {S("Idempotency-Key"), request->key},
        {S("Content-Encoding"), request->encoding},
    };
    struct http_call call = {.method = "POST",
                             .path = options->path,
                             .headers = headers,
                             .header_count = PX_COUNT(headers) - (request->encoding.len == 0),
                             .body = request->body};
    return http_client_call(worker->client, &call, 4u << 20, NULL, NULL, ret_response);
}

static bool worth_repeating(int status)
{
    return status == 408 || status == 409 || status == 425 || status == 429 || status >= 500;
}

/* Full jitter: many senders that were cut off at once do not come back at once. */
static int64_t backoff_ms(uint32_t attempt, struct px_str retry_after)
{
    int64_t ceiling = BACKOFF_MS_FIRST << PX_MIN(attempt, 12), seconds;
    ceiling = PX_MIN(ceiling, BACKOFF_MS_MAX);
    int64_t ms = ceiling / 4 + (int64_t)(px_random_u64() % (uint64_t)ceiling);
    if (px_str_to_i64(retry_after, &seconds) && seconds > 0)
        ms += PX_MIN(seconds, RETRY_AFTER_S_MAX) * 1000;
    return ms;
}

static struct px_str why_of(struct worker *worker, const struct http_response *response)
{
    yyjson_val *problem = NULL;
    struct px_str detail = {0};
    if (px_json_parse(response->body, &worker->arena, &problem, NULL) == 0)
        detail = px_json_str(problem, "detail");
    struct px_str why = px_arena_printf(&worker->arena, "%.*s (%d)", PX_FMT(detail),
                                        response->status);
    return why.ptr ? why : detail;
}

static void note_call(struct sender *sender, const struct request *request, bool sent,
                      bool answered)
{
    pthread_mutex_lock(&sender->lock);
    if (sent) sender->totals.wire_bytes += request->body.len;
    sender->answered |= answered;
    pthread_mutex_unlock(&sender->lock);
}

/* One that may be repeated: wait, or end it all when its time is over. -1: all is over. */
static int repeat_later(struct worker *worker, int r, const struct http_response *response,
                        uint32_t attempt, int64_t first_ns)
{
    struct sender *sender = worker->sender;
    char text[400];
    struct px_str after = {0};
    struct px_str why = px_str_c(r != 0 ? px_fault_text(r, text, sizeof text) : "");
    if (r == 0) {
        why = why_of(worker, response);
        after = http_response_header(response, S("Retry-After"));
    }
    int64_t limit_ms = time_limit_ms(sender);
    int64_t spent_ms = (px_mono_ns(sender->options.clock) - first_ns) / PX_NS_PER_MS;
    if (limit_ms > 0 && spent_ms >= limit_ms)
        return end_all(sender, r == PX_F_UNAVAILABLE ? SENDER_UNREACHABLE : SENDER_GAVE_UP, why);
    return pause_ms(sender, backoff_ms(attempt, after)) ? 0 : -1;
}

/* Send until there is an answer that repeating cannot change. -1: all is over. */
static int call_until_answered(struct worker *worker, const struct request *request,
                               struct http_response *ret_response)
{
    struct sender *sender = worker->sender;
    int64_t first_ns = px_mono_ns(sender->options.clock);
    for (uint32_t attempt = 0;; attempt++) {
        px_arena_reset(&worker->arena);
        if (stopped(sender)) return -1;
        int r = call_once(worker, request, ret_response);
        note_call(sender, request, r != PX_F_UNAVAILABLE, r == 0);
        if (r == 0 && !worth_repeating(ret_response->status)) return 0;
        if (r == PX_F_OOM || r == PX_F_CONFIG) return end_by_fault(sender, r);
        r = repeat_later(worker, r, ret_response, attempt, first_ns);
        if (r != 0) return r;
    }
}

/* ---- what the answer says ---- */

static void add_settled(struct sender *sender, const struct lines_batch *batch, uint64_t refused,
                        bool duplicate)
{
    uint64_t records = lines_records(batch->text);
    refused = PX_MIN(refused, records);
    sender->totals.bytes += batch->text.len;
    sender->totals.records += records;
    sender->totals.refused += refused;
    *(duplicate ? &sender->totals.duplicates : &sender->totals.accepted) += records - refused;
}

static void add_refusals(struct sender *sender, const struct lines_batch *batch, yyjson_val *errors)
{
    size_t i, n;
    yyjson_val *error;
    px_json_arr_foreach(errors, i, n, error)
    {
        int64_t index = px_json_i64(error, "record", -1);
        struct px_str reason = px_json_str(error, "reason");
        if (index >= 0) keep_refusal(sender, lines_of_record(batch, (uint64_t)index), reason);
    }
}

/* 2xx: counts and refused records. */
static int settle(struct worker *worker, const struct lines_batch *batch,
                  const struct http_response *response)
{
    struct sender *sender = worker->sender;
    yyjson_val *root = NULL;
    int r = px_json_parse(response->body, &worker->arena, &root, NULL);
    if (r != 0) return end_all(sender, SENDER_GAVE_UP, S("the region's answer is no JSON"));
    pthread_mutex_lock(&sender->lock);
    add_settled(sender, batch, (uint64_t)px_json_i64(root, "refused", 0),
                px_json_bool(root, "duplicate", false));
    add_refusals(sender, batch, px_json_arr(root, "errors"));
    pthread_mutex_unlock(&sender->lock);
    return 0;
}

/* 4xx for this batch: none of it was stored. */
static int settle_refused(struct worker *worker, const struct lines_batch *batch,
                          const struct http_response *response)
{
    struct sender *sender = worker->sender;
    yyjson_val *problem = NULL, *errors = NULL;
    struct px_str why = why_of(worker, response);
    if (px_json_parse(response->body, &worker->arena, &problem, NULL) == 0)
        errors = px_json_arr(problem, "errors");
    pthread_mutex_lock(&sender->lock);
    add_settled(sender, batch, UINT64_MAX, false);
    if (yyjson_arr_size(errors) > 0)
        add_refusals(sender, batch, errors);
    else
        keep_refusal(sender, batch->first_line, why);
    pthread_mutex_unlock(&sender->lock);
    return 0;
}

static int deliver(struct worker *worker, const struct lines_batch *batch);

static int deliver_halves(struct worker *worker, const struct lines_batch *batch)
{
    struct lines_batch halves[2];
    lines_halve(batch, halves);
    int r = deliver(worker, &halves[0]);
    return r == 0 ? deliver(worker, &halves[1]) : r;
}

static int make_request(struct worker *worker, const struct lines_batch *batch, char *key,
                        struct request *ret_request)
{
    const struct sender_options *options = &worker->sender->options;
    struct px_str text = batch->text;
    if (options->wrap) {
        px_buf_clear(&worker->wrapped);
        lines_wrap(text, &worker->wrapped);
        PX_TRY(px_buf_fault(&worker->wrapped));
        text = px_buf_str(&worker->wrapped);
    }
    PX_TRY(encoder_run(&worker->encoder, text, &ret_request->body, &ret_request->encoding));
    ret_request->key = lines_key(options->identity, batch, options->wrap, key);
    return 0;
}

/* A batch to its end. -1: all is over. */
static int deliver(struct worker *worker, const struct lines_batch *batch)
{
    struct sender *sender = worker->sender;
    char key[LINES_KEY_BYTES];
    struct request request = {0};
    struct http_response response;
    if (lines_records(batch->text) == 0) {
        pthread_mutex_lock(&sender->lock);
        sender->totals.bytes += batch->text.len;
        pthread_mutex_unlock(&sender->lock);
        return 0;
    }
    int r = make_request(worker, batch, key, &request);
    if (r != 0) return end_by_fault(sender, r);
    bool too_large = request.body.len / 3 * 4 > EVENT_BYTES_MAX; /* it travels as base64 */
    if (too_large && batch->line_count > 1) return deliver_halves(worker, batch);
    r = call_until_answered(worker, &request, &response);
    if (r != 0) return r;
    if (response.status / 100 == 2) return settle(worker, batch, &response);
    if (response.status == 413 && batch->line_count > 1) return deliver_halves(worker, batch);
    bool sender_is_refused = response.status == 401 || response.status == 403 ||
                             response.status == 404;
    if (sender_is_refused) return end_all(sender, SENDER_REFUSED, why_of(worker, &response));
    return settle_refused(worker, batch, &response);
}

/* ---- threads ---- */

/* The next batch of the input. LINES_END also when all is over. */
static int take(struct worker *worker, struct lines_batch *ret_batch)
{
    struct sender *sender = worker->sender;
    pthread_mutex_lock(&sender->input_lock);
    int r = stopped(sender) ? LINES_END : lines_next(&sender->lines, &worker->text, ret_batch);
    pthread_mutex_unlock(&sender->input_lock);
    pthread_mutex_lock(&sender->lock);
    if (r == LINES_TOO_LONG) {
        sender->totals.records++;
        sender->totals.refused++;
        keep_refusal(sender, ret_batch->first_line,
                     S("the line is longer than 16 MiB; it was not sent"));
    }
    pthread_mutex_unlock(&sender->lock);
    return r;
}

static void *run_worker(void *arg)
{
    struct worker *worker = arg;
    struct sender *sender = worker->sender;
    for (;;) {
        struct lines_batch batch;
        int r = take(worker, &batch);
        if (r == LINES_TOO_LONG) continue;
        if (r < 0) (void)end_by_fault(sender, r);
        if (r != 0 || deliver(worker, &batch) != 0) break;
    }
    pthread_mutex_lock(&sender->lock);
    sender->running--;
    pthread_cond_broadcast(&sender->ended);
    pthread_mutex_unlock(&sender->lock);
    return NULL;
}

static int start_worker(struct sender *sender, struct worker *worker)
{
    worker->sender = sender;
    PX_TRY(http_client_new(sender->options.endpoint, CALL_TIMEOUT_MS, &worker->client));
    if (pthread_create(&worker->thread, NULL, run_worker, worker) != 0)
        return px_fault(PX_F_OOM, "a thread");
    worker->started = true;
    return 0;
}

static void init_shared(struct sender *sender)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&sender->input_lock, NULL);
    pthread_mutex_init(&sender->lock, NULL);
    pthread_cond_init(&sender->ended, &attr);
    pthread_condattr_destroy(&attr);
}

int sender_start(const struct sender_options *options, struct sender **ret_sender)
{
    PX_ASSERT(options->connections >= 1 && options->connections <= SENDER_CONNECTIONS_MAX);
    struct sender *sender = calloc(1, sizeof *sender);
    if (!sender) return px_fault(PX_F_OOM, "sender");
    sender->options = *options;
    init_shared(sender);
    lines_init(&sender->lines, options->fd, options->batch_bytes, LINE_BYTES_MAX);
    sender->lines.linger_ms = options->linger_ms;
    for (uint32_t i = 0; i < options->connections; i++) {
        struct worker *worker = &sender->workers[i];
        encoder_init(&worker->encoder, options->encoding);
        px_buf_init(&worker->text, options->batch_bytes + 2 * LINE_BYTES_MAX);
        px_buf_init(&worker->wrapped, 256u << 20);
        px_arena_init(&worker->arena, 16u << 20);
    }
    sender->running = options->connections;
    for (uint32_t i = 0; i < options->connections; i++) {
        int r = start_worker(sender, &sender->workers[i]);
        if (r == 0) continue;
        sender_free(&sender);
        return r;
    }
    *ret_sender = sender;
    return 0;
}

void sender_totals(struct sender *sender, struct sender_totals *ret_totals)
{
    pthread_mutex_lock(&sender->lock);
    *ret_totals = sender->totals;
    pthread_mutex_unlock(&sender->lock);
}

int sender_wait(struct sender *sender, int wait_ms, const char **ret_why)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += (wait_ms % 1000) * PX_NS_PER_MS;
    if (until.tv_nsec >= PX_NS_PER_S) until.tv_sec++, until.tv_nsec -= PX_NS_PER_S;
    pthread_mutex_lock(&sender->lock);
    int timed_out = 0;
    while (sender->running > 0 && timed_out == 0)
        timed_out = pthread_cond_timedwait(&sender->ended, &sender->lock, &until);
    bool over = sender->running == 0 || sender->outcome != 0;
    int r = over ? sender->outcome : SENDER_RUNNING;
    *ret_why = sender->why;
    pthread_mutex_unlock(&sender->lock);
    return r;
}

bool sender_is_over(struct sender *sender)
{
    pthread_mutex_lock(&sender->lock);
    bool over = sender->running == 0;
    pthread_mutex_unlock(&sender->lock);
    return over;
}

void sender_free(struct sender **sender)
{
    struct sender *s = *sender;
    if (!s) return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_broadcast(&s->ended);
    pthread_mutex_unlock(&s->lock);
    for (uint32_t i = 0; i < s->options.connections; i++) {
        struct worker *worker = &s->workers[i];
        if (worker->started) pthread_join(worker->thread, NULL);
        http_client_free(&worker->client);
        encoder_deinit(&worker->encoder);
        px_buf_deinit(&worker->text);
        px_buf_deinit(&worker->wrapped);
        px_arena_deinit(&worker->arena);
    }
    lines_deinit(&s->lines);
    pthread_mutex_destroy(&s->input_lock);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->ended);
    free(s);
    *sender = NULL;
}
