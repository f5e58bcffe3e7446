/* lambda/instance.h - one process of a function and what the pool's files share. Inside lambda only.
 *
 * States and what ends them:
 *   STARTING  exec'd, no `next` yet; its first `next`, its exit, or INIT_MS
 *   IDLE      its `next` waits; an event, or idle_ms above concurrency_min
 *   BUSY      has an event; its answer (then STARTING's successor IDLE with its next `next`), its exit,
 *             or timeout_ms
 *   BETWEEN   has answered and not asked again yet
 *   STOPPING  was sent SIGTERM or SIGKILL and gets nothing more; its exit
 *   DEAD      reaped; its handles are closing
 */
#pragma once

#include <uv.h>

#include "base/px_buf.h"
#include "lambda/log_file.h"
#include "lambda/pool.h"
#include "lambda/queue.h"
#include "lambda/runtime.h"

#define INSTANCE_INIT_MS 10000 /* Lambda's limit of the init phase */
#define INSTANCE_KILL_MS 2000  /* from SIGTERM to SIGKILL */
#define INSTANCE_SETTLE_MS 10  /* from the exit to its burial: what it had sent is read first */
#define ANSWER_BYTES_MAX ((size_t)LAMBDA_PAYLOAD_BYTES_MAX)

enum instance_state {
    INSTANCE_STARTING,
    INSTANCE_IDLE,
    INSTANCE_BUSY,
    INSTANCE_BETWEEN,
    INSTANCE_STOPPING,
    INSTANCE_DEAD,
};

struct lambda_invocation {
    struct lambda_invocation *next; /* in the queue or among those to be told */
    struct lambda_pool *pool;
    struct lambda_call call;
    struct instance *instance; /* that has it */
    uint64_t queued_ms, begun_ns;
    bool cold, queued, cancelled;
    enum lambda_outcome outcome; /* of one to be told */
};

/* A streamed answer on its way. */
struct instance_stream {
    struct http_request *request; /* NULL: none */
    bool has_prelude;             /* the content type promises one */
    bool prelude_done;
    struct px_buf prelude; /* up to its eight NULs */
    struct px_buf body;    /* only when the call takes no pieces */
    uint64_t bytes, begun_ns;
    uint64_t go_on_ms; /* before that its pace holds it back; 0: it does not */
    bool unread;       /* the caller has too much of it */
};

struct instance {
    struct instance *next; /* of the pool */
    struct lambda_pool *pool;
    enum instance_state state;
    uv_process_t process;
    uv_pipe_t output; /* stdout and stderr, in the order they were written */
    bool exited, process_closed;
    int statm_fd;
    struct http_server *server;  /* its Runtime API */
    struct http_request *parked; /* its `next` */
    struct lambda_invocation *invocation;
    struct instance_stream stream;
    struct px_buf line; /* of output, without its end yet */
    uint64_t spawned_ns;
    uint64_t deadline_ms; /* of the state, in uv_now(); UINT64_MAX: none */
    uint64_t bury_ms;     /* once its process is closed; else UINT64_MAX */
    double init_ms;
    bool ready;    /* has asked for an event */
    bool fresh;    /* has had none */
    bool answered; /* one */
    bool provisioned;
    int exit_signal;
    int64_t exit_status;
    uint64_t rss_bytes, rss_max_bytes;
};

struct lambda_pool {
    uv_loop_t *loop;
    struct lambda_pool_options options;
    struct instance *instances;
    struct lambda_queue queue;
    struct lambda_invocation *to_tell,
        **to_tell_end; /* outcomes that must not be told inside invoke */
    char arn[112];     /* what events say was invoked */
    uv_timer_t timer;
    uint64_t timer_due_ms; /* UINT64_MAX: not running */
    uint64_t sample_due_ms;
    struct log_file log;
    char *scratch; /* where output is read */
    /* init failures */
    uint32_t init_failures; /* in a row */
    uint64_t spawn_after_ms;
    struct px_buf init_error; /* JSON of the newest */
    char last_error[256];
    struct lambda_pool_stats stats;
    double usual_ms; /* moving average of how long an event takes */
    bool stopping, freed, timer_closed;
    uint64_t stop_due_ms;
    void (*on_stopped)(void *ctx);
    void *stopped_ctx;
};

/* pool.c */
/* Tell the caller; the invocation is gone then. */
void pool_finish(struct lambda_invocation *invocation, enum lambda_outcome outcome,
                 struct px_str payload);
void pool_finish_error(struct lambda_invocation *invocation, enum lambda_outcome outcome,
                       const char *type, const char *message);
void pool_error_json(struct px_buf *buf, const char *type, struct px_str request_id,
                     const char *message);
/* It asks for an event: the next of the queue, or it waits. */
void pool_instance_asks(struct instance *instance);
void pool_instance_dead(struct instance *instance, bool in_init);
void pool_wake(struct lambda_pool *pool, uint64_t at_ms); /* look at everything then, or earlier */
void pool_unref(struct lambda_pool *pool); /* frees it once all that it had is closed */

/* instance.c */
PX_MUST_USE int instance_spawn(struct lambda_pool *pool, bool provisioned);
void instance_set_state(struct instance *instance, enum instance_state state, uint64_t limit_ms);
void instance_give(struct instance *instance, struct lambda_invocation *invocation);
/* The invocation of a BUSY instance ends; the instance is then BETWEEN. */
struct lambda_invocation *instance_take(struct instance *instance);
void instance_stop(struct instance *instance, int signal);      /* gets nothing more */
void instance_tick(struct instance *instance, uint64_t now_ms); /* its deadline, if it passed */
void instance_abandon(struct instance *instance);               /* its pool is going */
void instance_sample(struct instance *instance); /* memory; over the limit it is killed */
static inline bool instance_is_live(const struct instance *instance)
{
    return instance->state < INSTANCE_STOPPING && !instance->exited;
}

/* instance_env.c */
#define INSTANCE_SOCKET_FD 3 /* behind input and outputs */
PX_MUST_USE int instance_environment(const struct lambda_pool *pool, uint16_t port,
                                     bool provisioned, struct px_arena *arena, char ***ret_env);

/* instance_api.c */
/* ret_fd: the process's end of a socket that leads to it too; the caller's. */
PX_MUST_USE int instance_api_listen(struct instance *instance, uint16_t *ret_port, int *ret_fd);

/* instance_stream.c */
bool instance_stream_wanted(const struct http_request *request);
void instance_stream_begin(struct instance *instance, struct http_request *request);
void instance_stream_piece(struct instance *instance, struct px_str piece);
void instance_stream_end(struct instance *instance);
void instance_stream_drop(struct instance *instance); /* cuts its connection */
void instance_stream_tick(struct instance *instance, uint64_t now_ms);

/* instance_output.c */
/* Takes the descriptor, also when it fails. */
PX_MUST_USE int instance_output_open(struct instance *instance, int fd);
void instance_output_flush(struct instance *instance);
/* A platform event of Lambda's logs about this instance, into its log. request_id empty: its init. */
void instance_report(struct instance *instance, struct px_str request_id, const char *status,
                     const char *message);
