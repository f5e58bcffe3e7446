/* region/replicator_serve.c - what comes in: batches of siblings, settings, questions of the edge router. Tables
 * are touched in libuv's threads, never in the loop's. */
#include "region/replicator_internal.h"

#include <stdlib.h>

#include "lambda/answer.h"

#define LAG_MS_MAX 3600000
#define SCATTER_MS_MAX 60000

/* ---- work in a thread, the answer from the loop ---- */

struct job {
    uv_work_t work;
    struct replicator *replicator;
    struct http_request *request;
    int (*run)(struct job *job); /* 0, or an HTTP status, or a fault */
    struct px_str rest;
    int outcome;
    char fault[256];
    struct px_arena arena;
    struct px_str answer; /* in arena */
};

static void job_free(struct job *job)
{
    px_arena_deinit(&job->arena);
    free(job);
}

static void on_work(uv_work_t *work)
{
    struct job *job = work->data;
    job->outcome = job->run(job);
    if (job->outcome < 0) (void)px_fault_text(job->outcome, job->fault, sizeof job->fault);
}

static void on_worked(uv_work_t *work, int error)
{
    struct job *job = work->data;
    if (error != 0) {
        answer_problem(job->request, 503, "stopping");
    } else if (job->outcome < 0) {
        px_log(job->replicator->options.log, PX_ERROR, "replication: %s", job->fault);
        answer_problem(job->request, px_fault_http(job->outcome), px_fault_message(job->outcome));
    } else if (job->answer.ptr) {
        answer_json(job->request, job->outcome ? job->outcome : 200, job->answer);
    } else {
        answer_problem(job->request, job->outcome,
                       job->outcome == 404 ? "no such item"
                                           : "these are no changes, or of no sibling");
    }
    job_free(job);
}

static void job_start(struct replicator *replicator, struct http_request *request,
                      int (*run)(struct job *job), struct px_str rest)
{
    struct job *job = calloc(1, sizeof *job);
    if (job) {
        job->work.data = job;
        job->replicator = replicator;
        job->request = request;
        job->run = run;
        job->rest = rest;
        px_arena_init(&job->arena, 64u << 20);
        if (uv_queue_work(replicator->options.loop, &job->work, on_work, on_worked) == 0) return;
        job_free(job);
    }
    answer_problem(request, 503, "out of memory");
}

/* ---- batches ---- */

static int answer_cursor(struct job *job, const struct table_log_cursor *cursor, size_t applied)
{
    job->answer = px_arena_printf(&job->arena, "{\"id\":\"%s\",\"seq\":%lld,\"applied\":%zu}",
                                  cursor->id, (long long)cursor->seq, applied);
    return job->answer.ptr ? 0 : px_arena_fault(&job->arena);
}

static int apply(struct job *job, const struct changes *batch)
{
    struct table_store *store = job->replicator->apply_store;
    struct table_log_cursor cursor;
    size_t applied = 0;
    PX_TRY(table_log_cursor(store, batch->origin, &cursor));
    if (strcmp(cursor.id, batch->known.id) != 0 || cursor.seq != batch->known.seq) {
        PX_TRY(answer_cursor(job, &cursor, 0));
        return 409;
    }
    memcpy(cursor.id, batch->id, sizeof cursor.id);
    cursor.seq = batch->upto;
    PX_TRY(table_log_apply(store, batch->origin, &cursor, batch->changes, batch->count,
                           batch->complete_ns, &applied));
    return answer_cursor(job, &cursor, applied);
}

static bool may_send(struct replicator *replicator, const struct changes *batch)
{
    (void)pthread_mutex_lock(&replicator->mutex);
    struct sender *sender = replicator_sender(replicator, batch->origin);
    bool may = sender && !sender->cut;
    if (may) sender->received += batch->count;
    (void)pthread_mutex_unlock(&replicator->mutex);
    return may;
}

static int run_changes(struct job *job)
{
    struct changes batch;
    int r = changes_read(job->request->body, &job->arena, &batch);
    if (r > 0) return 400;
    PX_TRY(r);
    if (!may_send(job->replicator, &batch)) return 403;
    (void)pthread_mutex_lock(&job->replicator->apply_mutex);
    r = apply(job, &batch);
    (void)pthread_mutex_unlock(&job->replicator->apply_mutex);
    return r;
}

void replicator_serve_changes(struct replicator *replicator, struct http_request *request)
{
    job_start(replicator, request, run_changes, (struct px_str){0});
}

/* ---- the router's questions ---- */

static int run_item(struct job *job)
{
    struct table_key key = {.sort = S("")};
    struct table_item item;
    struct px_str rest = job->rest;
    bool two = px_str_cut(&rest, '/', &key.table);
    bool open = px_str_eq(key.table, S("keys")) || px_str_eq(key.table, S("tenants"));
    if (!two || !open || rest.len == 0) return 404;
    key.partition = rest; /* ids and names have no character that is escaped */
    (void)pthread_mutex_lock(&job->replicator->read_mutex);
    int r = table_get(job->replicator->read_store, &key, &job->arena, &item);
    (void)pthread_mutex_unlock(&job->replicator->read_mutex);
    if (r == TABLE_ABSENT) return 404;
    PX_TRY(r);
    job->answer = item.document;
    return 0;
}

void replicator_serve_item(struct replicator *replicator, struct http_request *request,
                           struct px_str rest)
{
    job_start(replicator, request, run_item, rest);
}

/* ---- settings and status ---- */

static bool cuts_known(struct replicator *replicator, yyjson_val *cut)
{
    size_t i, n;
    yyjson_val *name;
    px_json_arr_foreach(cut, i, n, name)
    {
        if (!replicator_sender(replicator, px_json_val_str(name))) return false;
    }
    return true;
}

static bool is_listed(yyjson_val *cut, const char *name)
{
    size_t i, n;
    yyjson_val *entry;
    px_json_arr_foreach(cut, i, n, entry)
    {
        if (px_str_eq(px_json_val_str(entry), px_str_c(name))) return true;
    }
    return false;
}

void replicator_serve_settings(struct replicator *replicator, struct http_request *request)
{
    yyjson_val *root = NULL;
    bool parsed = px_json_parse(request->body, request->arena, &root, NULL) == 0;
    int64_t lag_ms = px_json_i64(root, "lag_ms", -1);
    int64_t scatter_ms = px_json_i64(root, "scatter_ms", 0);
    yyjson_val *cut = px_json_arr(root, "cut");
    if (!parsed || lag_ms < 0 || lag_ms > LAG_MS_MAX || scatter_ms < 0 ||
        scatter_ms > SCATTER_MS_MAX || !cut || !cuts_known(replicator, cut)) {
        answer_problem(
            request, 400,
            "{\"lag_ms\":0..3600000,\"scatter_ms\":0..60000,\"cut\":[names of siblings]}");
        return;
    }
    (void)pthread_mutex_lock(&replicator->mutex);
    replicator->lag_ms = (uint32_t)lag_ms;
    replicator->scatter_ms = (uint32_t)scatter_ms;
    for (size_t i = 0; i < replicator->count; i++)
        replicator->senders[i].cut = is_listed(cut, replicator->senders[i].sibling->name);
    (void)pthread_cond_broadcast(&replicator->wake);
    (void)pthread_mutex_unlock(&replicator->mutex);
    answer_json(request, 200, S("{}"));
}

static void write_sender(const struct sender *sender, struct px_buf *buf)
{
    static const char *const states[] = {"away", "sending", "even", "cut"};
    px_buf_add_c(buf, "{\"name\":");
    px_buf_add_json_str(buf, px_str_c(sender->sibling->name));
    px_buf_printf(buf,
                  ",\"state\":\"%s\",\"behind\":%lld,\"sent\":%llu,\"received\":%llu,\"error\":",
                  states[sender->cut ? SENDER_CUT : sender->state], (long long)sender->behind,
                  (unsigned long long)sender->sent, (unsigned long long)sender->received);
    px_buf_add_json_str(buf, px_str_c(sender->error));
    px_buf_add_char(buf, '}');
}

void replicator_write_status(struct replicator *replicator, struct px_buf *buf)
{
    (void)pthread_mutex_lock(&replicator->mutex);
    px_buf_printf(buf, "{\"lag_ms\":%u,\"scatter_ms\":%u,\"siblings\":[", replicator->lag_ms,
                  replicator->scatter_ms);
    for (size_t i = 0; i < replicator->count; i++) {
        if (i > 0) px_buf_add_char(buf, ',');
        write_sender(&replicator->senders[i], buf);
    }
    px_buf_add_c(buf, "]}");
    (void)pthread_mutex_unlock(&replicator->mutex);
}

bool replicator_reaches(struct replicator *replicator, const char *sibling)
{
    (void)pthread_mutex_lock(&replicator->mutex);
    struct sender *sender = replicator_sender(replicator, px_str_c(sibling));
    bool reaches = sender && !sender->cut && sender->acked_seq >= 0 && sender->state != SENDER_AWAY;
    (void)pthread_mutex_unlock(&replicator->mutex);
    return reaches;
}
