/* region/async.c - jobs: waiting -> running -> (waiting for a retry -> running)* -> done | dead.
 *
 * A durable job is the file <data>/async/<function>~<request id>.json. It is written before the job is
 * accepted and removed after it is done or its dead letter is on stable storage, so a crash at any point
 * leaves the file, and the job runs again. */
#include "region/async.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_id.h"
#include "base/px_json.h"

struct job {
    struct async_queue *queue;
    struct job *next, **link;
    const struct function_spec *function;
    uv_timer_t timer;
    struct px_buf payload;
    size_t charged; /* of the queue's bytes */
    char request_id[37];
    int64_t accepted_ns;
    uint32_t attempts;
    bool durable, running;
    const char *error; /* "Unhandled" or a name of the outcome */
};
struct async_queue {
    struct async_options options;
    struct job *jobs;
    size_t count, bytes;
    bool stopped;
};

static void job_run(struct job *job);

static void job_path(const struct job *job, const char *folder, char *path, size_t bytes)
{
    snprintf(path, bytes, "%s/%s/%s~%s.json", job->queue->options.data_dir, folder,
             job->function->name, job->request_id);
}

static void on_closed(uv_handle_t *handle)
{
    struct job *job = handle->data;
    px_buf_deinit(&job->payload);
    free(job);
}

static void job_end(struct job *job)
{
    *job->link = job->next;
    if (job->next) job->next->link = job->link;
    job->queue->count--;
    job->queue->bytes -= job->charged;
    uv_close((uv_handle_t *)&job->timer, on_closed);
}

static void job_forget_file(const struct job *job)
{
    char path[4096];
    if (!job->durable) return;
    job_path(job, "async", path, sizeof(path));
    (void)!unlink(path);
}

static void write_dead_letter(const struct job *job, const char *condition, struct px_str answer,
                              struct px_buf *buf)
{
    char when[40];
    struct px_str time = px_time_format(px_wall_ns(job->queue->options.clock), 3, when);
    px_buf_printf(
        buf,
        "{\"version\":\"1.0\",\"timestamp\":\"%.*s\",\"requestContext\":{\"requestId\":\"%s\","
        "\"functionArn\":\"%s\",\"condition\":\"%s\",\"approximateInvokeCount\":%u},"
        "\"requestPayload\":",
        PX_FMT(time), job->request_id, job->function->name, condition, job->attempts);
    px_buf_add_str(buf, px_buf_str(&job->payload));
    px_buf_printf(buf,
                  ",\"responseContext\":{\"statusCode\":200,\"functionError\":\"%s\"},"
                  "\"responsePayload\":",
                  job->error);
    px_buf_add_str(buf, answer.len ? answer : S("null"));
    px_buf_add_c(buf, "}\n");
}

/* The job's file goes only when the dead letter is safe. */
static void job_die(struct job *job, const char *condition, struct px_str answer)
{
    const struct px_log *log = job->queue->options.log;
    char path[4096];
    PX_AUTO(px_buf_deinit) struct px_buf letter;
    px_buf_init(&letter, 4 * ASYNC_PAYLOAD_BYTES_MAX + (8 << 20));
    write_dead_letter(job, condition, answer, &letter);
    job_path(job, "dead-letter", path, sizeof(path));
    int r = px_buf_fault(&letter);
    if (r == 0) r = px_file_write_atomic(path, px_buf_str(&letter), 0600);
    if (r != 0)
        px_log_fault(log, r, "dead letter of %s %s", job->function->name, job->request_id);
    else
        job_forget_file(job);
    px_log(log, PX_ERROR, "%s %s gave up after %u attempts (%s): dead-letter/%s~%s.json",
           job->function->name, job->request_id, job->attempts, job->error, job->function->name,
           job->request_id);
    job_end(job);
}

static void on_timer(uv_timer_t *timer) { job_run(timer->data); }

/* Throttles and start failures do not count as attempts at Lambda until the event is too old. */
static void job_failed(struct job *job, const struct lambda_result *result)
{
    const struct async_options *o = &job->queue->options;
    bool counted = result->outcome != LAMBDA_THROTTLED;
    int64_t age_ns = px_wall_ns(o->clock) - job->accepted_ns;
    job->error = result->outcome == LAMBDA_THROTTLED ? "Throttled" : "Unhandled";
    job->attempts += counted;
    if (job->attempts > job->function->async_retries) {
        job_die(job, "RetriesExhausted", result->payload);
    } else if (age_ns > job->function->async_max_age_s * PX_NS_PER_S) {
        job_die(job, "EventAgeExceeded", result->payload);
    } else if (!job->queue->stopped) {
        uint32_t doublings = job->attempts > 1 ? job->attempts - 1 : 0;
        uv_timer_start(&job->timer, on_timer, (uint64_t)o->retry_ms << PX_MIN(doublings, 6u), 0);
    }
}

static void on_done(void *ctx, const struct lambda_result *result)
{
    struct job *job = ctx;
    job->running = false;
    if (result->outcome == LAMBDA_OK) {
        job_forget_file(job);
        job_end(job);
    } else if (job->queue->stopped) {
        job_end(job); /* the file stays and the job runs after the restart */
    } else {
        job_failed(job, result);
    }
}

static void job_run(struct job *job)
{
    const struct async_options *o = &job->queue->options;
    const struct lambda_call call = {.payload = px_buf_str(&job->payload),
                                     .request_id = px_str_c(job->request_id),
                                     .on_done = on_done,
                                     .ctx = job};
    job->running = true;
    (void)lambda_pool_invoke(o->pool(o->pool_ctx, px_str_c(job->function->name)), &call);
}

static int job_new(struct async_queue *queue, const struct function_spec *function,
                   struct px_str payload, struct job **ret_job)
{
    struct job *job = calloc(1, sizeof(*job));
    if (!job) return px_fault(PX_F_OOM, "asynchronous event");
    job->queue = queue;
    job->function = function;
    job->accepted_ns = px_wall_ns(queue->options.clock);
    px_buf_init(&job->payload, ASYNC_PAYLOAD_BYTES_MAX);
    px_buf_add_str(&job->payload, payload);
    uv_timer_init(queue->options.loop, &job->timer);
    job->timer.data = job;
    job->next = queue->jobs;
    job->link = &queue->jobs;
    if (queue->jobs) queue->jobs->link = &job->next;
    queue->jobs = job;
    queue->count++;
    queue->bytes += job->charged = payload.len;
    *ret_job = job;
    return 0;
}

int async_invoke(struct async_queue *queue, const struct function_spec *function,
                 struct px_str payload, bool durable, char ret_request_id[37])
{
    char path[4096];
    struct job *job = NULL;
    if (payload.len > ASYNC_PAYLOAD_BYTES_MAX) return ASYNC_TOO_LARGE;
    if (queue->stopped || queue->count >= queue->options.jobs_max ||
        queue->bytes + payload.len > queue->options.bytes_max)
        return ASYNC_FULL;
    PX_TRY(job_new(queue, function, payload, &job));
    px_uuid7(job->accepted_ns, job->request_id);
    int r = px_buf_fault(&job->payload);
    if (r == 0 && durable) {
        job_path(job, "async", path, sizeof(path));
        r = px_file_write_atomic(path, payload, 0600);
    }
    if (r != 0) {
        job_end(job);
        return px_fold(r, __FILE__, __LINE__);
    }
    job->durable = durable;
    memcpy(ret_request_id, job->request_id, 37);
    job_run(job);
    return 0;
}

/* ---- recovery ---- */

struct recovery {
    struct async_queue *queue;
    const struct function_catalogue *catalogue;
};

/* <function>~<request id>.json; leftovers of a crash go, anything else is left alone. */
/* ".name.tmp": a write that a crash cut short, before its event was accepted. */
static bool is_leftover(struct px_str name)
{
    return px_str_starts(name, S(".")) && px_str_ends(name, S(".tmp"));
}

static void remove_leftover(const struct async_queue *queue, const char *name)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/async/%s", queue->options.data_dir, name);
    (void)!unlink(path);
}

static int recover_one(void *ctx, const char *name, bool is_dir)
{
    struct recovery *rec = ctx;
    struct px_str rest = px_str_c(name), function_name;
    char path[4096];
    if (!is_dir && is_leftover(rest)) remove_leftover(rec->queue, name);
    if (is_dir || !px_str_ends(rest, S(".json")) || !px_str_cut(&rest, '~', &function_name) ||
        rest.len != 36 + 5)
        return 0;
    const struct function_spec *function = function_find(rec->catalogue, function_name);
    if (!function) return 0;
    PX_AUTO(px_buf_deinit) struct px_buf payload;
    px_buf_init(&payload, ASYNC_PAYLOAD_BYTES_MAX);
    snprintf(path, sizeof(path), "%s/async/%s", rec->queue->options.data_dir, name);
    int r = px_file_read(path, &payload);
    if (r > 0) return 0;
    PX_TRY(r);
    struct job *job = NULL;
    PX_TRY(job_new(rec->queue, function, px_buf_str(&payload), &job));
    memcpy(job->request_id, rest.ptr, 36);
    job->durable = true;
    job_run(job);
    return 0;
}

int async_recover(struct async_queue *queue, const struct function_catalogue *catalogue)
{
    char path[4096];
    struct recovery rec = {queue, catalogue};
    snprintf(path, sizeof(path), "%s/async", queue->options.data_dir);
    int r = px_dir_each(path, recover_one, &rec);
    return r == PX_FILE_ABSENT ? 0 : r;
}

int async_queue_new(const struct async_options *options, struct async_queue **ret_queue)
{
    static const char *const folders[] = {"async", "dead-letter"};
    char path[4096];
    for (size_t i = 0; i < PX_COUNT(folders); i++) {
        snprintf(path, sizeof(path), "%s/%s", options->data_dir, folders[i]);
        PX_TRY(px_dir_make(path));
    }
    struct async_queue *queue = calloc(1, sizeof(*queue));
    if (!queue) return px_fault(PX_F_OOM, "asynchronous queue");
    queue->options = *options;
    if (!queue->options.retry_ms) queue->options.retry_ms = 60000;
    if (!queue->options.jobs_max) queue->options.jobs_max = 10000;
    if (!queue->options.bytes_max) queue->options.bytes_max = 32 << 20;
    *ret_queue = queue;
    return 0;
}

/* Jobs that wait for a retry end here, their files stay; running ones end in on_done. */
void async_queue_stop(struct async_queue *queue)
{
    struct job *next;
    queue->stopped = true;
    for (struct job *job = queue->jobs; job; job = next) {
        next = job->next;
        if (!job->running) job_end(job);
    }
}

void async_queue_free(struct async_queue **queue)
{
    if (!*queue) return;
    PX_ASSERT((*queue)->count == 0);
    free(*queue);
    *queue = NULL;
}

size_t async_pending(const struct async_queue *queue) { return queue->count; }
