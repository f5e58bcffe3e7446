/* region/replicator_internal.h - what replicator.c (threads that send) and replicator_serve.c (what comes in)
 * share. */
#pragma once

#include <pthread.h>

#include "region/changes.h"
#include "region/replicator.h"

enum sender_state { SENDER_AWAY, SENDER_SENDING, SENDER_EVEN, SENDER_CUT };

struct sender {
    struct replicator *replicator;
    const struct sibling *sibling;
    pthread_t thread;
    bool started;
    /* guarded by the replicator's mutex */
    bool cut;
    enum sender_state state;
    int64_t acked_seq;       /* -1: not known yet */
    uint64_t sent, received; /* changes, since the start */
    int64_t behind;
    char error[128];
};
struct replicator {
    struct replicator_options options;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stop;
    uint32_t lag_ms, scatter_ms;
    int stop_fd; /* readable once stop is set */
    struct sender senders[SIBLINGS_MAX];
    size_t count;
    /* for what comes in, each with one user at a time */
    pthread_mutex_t apply_mutex, read_mutex;
    struct table_store *apply_store, *read_store;
};
/* NULL: there is none of that name. */
struct sender *replicator_sender(struct replicator *replicator, struct px_str name);
