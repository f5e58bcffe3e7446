/* region/worker.c - jobs that gather while others run go together, to the thread and back. */
#include "region/worker.h"

void worker_init(struct worker *worker, uv_loop_t *loop)
{
    *worker = (struct worker){.loop = loop};
    worker->last = &worker->first;
    worker->work.data = worker;
}

static void on_run(uv_work_t *work)
{
    struct worker *worker = work->data;
    for (struct worker_job *job = worker->running; job; job = job->next) job->run(job);
}

static void finish(struct worker_job *list)
{
    for (struct worker_job *next; list; list = next) {
        next = list->next;
        list->done(list);
    }
}

static struct worker_job *take(struct worker *worker)
{
    struct worker_job *list = worker->first;
    worker->first = NULL;
    worker->last = &worker->first;
    return list;
}

static void begin(struct worker *worker);

static void on_ran(uv_work_t *work, int status)
{
    struct worker *worker = work->data;
    struct worker_job *list = worker->running;
    (void)status; /* it is never cancelled */
    worker->running = NULL;
    worker->busy = false;
    finish(list);
    begin(worker);
}

static void begin(struct worker *worker)
{
    if (worker->busy || !worker->first || worker->stopped) return;
    worker->running = take(worker);
    worker->busy = true;
    int r = uv_queue_work(worker->loop, &worker->work, on_run, on_ran);
    PX_ASSERT(r == 0); /* it fails for a missing callback only */
}

void worker_add(struct worker *worker, struct worker_job *job)
{
    job->next = NULL;
    *worker->last = job;
    worker->last = &job->next;
    if (worker->stopped)
        finish(take(worker));
    else
        begin(worker);
}

void worker_stop(struct worker *worker)
{
    worker->stopped = true;
    finish(take(worker));
}
