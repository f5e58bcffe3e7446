/* region/worker.h - jobs that may wait for a disk, away from the loop: one after the other in a thread of libuv's pool, so that what
 * they use needs no lock. Several workers run beside each other. */
#pragma once

#include <uv.h>

#include "base/px.h"

struct worker_job {
    void (*run)(struct worker_job *job);  /* in the thread */
    void (*done)(struct worker_job *job); /* in the loop, later; it may free the job */
    struct worker_job *next;              /* the worker's own */
};
struct worker {
    uv_loop_t *loop;
    uv_work_t work;
    struct worker_job *first, **last;
    struct worker_job *running;
    bool busy, stopped;
};
void worker_init(struct worker *worker, uv_loop_t *loop);
/* In order. Every job's done is called, also after worker_stop(). */
void worker_add(struct worker *worker, struct worker_job *job);
/* Jobs that have not begun are done without being run; what runs ends. */
void worker_stop(struct worker *worker);
