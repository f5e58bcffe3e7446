/* delivery/pipeline/lease.h - signs of life of who holds a run, and what of it others see.
 *
 * A thread of the holder writes a beat every third of the lease, with what is going on; whoever cannot any more has lost the
 * run and stops before another may begin, for that one waits twice as long. Who may write is settled by the journal alone; the
 * lease only settles when somebody tries. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/px_clock.h"
#include "delivery/pipeline/state.h"
#include "store/objects.h"

#define LEASE_TEXT_BYTES 4096

struct lease {
    struct object_store *store; /* of the thread alone; borrowed */
    const struct px_clock *clock;
    int64_t lease_ns;
    uint32_t run, fence;
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stop, said;             /* under mutex, as is: */
    char text[LEASE_TEXT_BYTES]; /* progress as JSON */
    _Atomic uint32_t seq;        /* of the last entry that the holder knows */
    atomic_bool news;            /* there is another one behind it */
    atomic_bool lost;
    _Atomic int64_t beat_ns; /* monotonic, of the last beat that was stored */
};
/* Writes the first beat, then goes on by itself. lease is not moved until it is stopped. */
PX_MUST_USE int lease_start(struct lease *lease);
/* What others shall see: JSON text, cut off when it is too long. */
void lease_say(struct lease *lease, struct px_str json);
void lease_stop(struct lease *lease);
bool lease_is_lost(struct lease *lease);

/* What the last beat under a fence was. Answers: OBJECT_ABSENT. */
struct lease_seen {
    int64_t modified_ns; /* the store's wall time */
    int64_t beat;
    struct px_str progress; /* JSON text, may be empty */
};
PX_MUST_USE int lease_look(struct object_store *store, uint32_t run, uint32_t fence,
                           struct px_arena *arena, struct lease_seen *ret_seen);

/* This process, for entry `held`. */
struct lease_self {
    char host[256], boot[64];
    int64_t pid, started;
};
void lease_self(struct lease_self *ret_self);
/* Whether the holder's process was one of this machine and is gone. */
bool lease_holder_is_dead(const struct state_holder *holder);
