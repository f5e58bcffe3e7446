/* cli/sender.h - deliver a file's records over several connections, exactly once.
 *
 * Each connection is a thread that takes the next batch from the shared input, compresses it and sends
 * it until it is answered. Every batch has the same Idempotency-Key each time the same input is sent,
 * so repeating is always safe: after a lost answer, after a crash of either side, by hand. */
#pragma once

#include "base/px_arena.h"
#include "base/px_clock.h"
#include "cli/encode.h"
#include "cli/lines.h"

#define SENDER_CONNECTIONS_MAX 64
#define SENDER_REFUSALS_KEPT 100
#define SENDER_REASON_BYTES 200

struct sender_options {
    struct px_str endpoint;      /* "127.0.0.1:4318" */
    struct px_str authorization; /* header value */
    struct px_str path;          /* "/v1/ingest/app" */
    int fd;                      /* the input */
    struct px_str identity;      /* of the input, part of every key */
    size_t batch_bytes;
    uint32_t connections;
    enum encoding encoding;
    bool wrap;             /* lines of text instead of NDJSON */
    int linger_ms;         /* lines.h */
    int64_t max_time_ms;   /* how long one batch is repeated; 0: for ever */
    int64_t greet_time_ms; /* the same before the region has answered at all; 0: like max_time_ms */
    const struct px_clock *clock;
};
struct sender_refusal {
    uint64_t line;
    char reason[SENDER_REASON_BYTES];
};
struct sender_totals {
    uint64_t bytes;    /* of the input, settled */
    uint64_t records;  /* not blank lines in them */
    uint64_t accepted; /* stored now */
    uint64_t refused;
    uint64_t duplicates; /* were stored before */
    uint64_t wire_bytes; /* sent, compressed, with repeats */
    uint64_t repeats;
    size_t refusals_kept; /* the region names the first 20 of each request */
    struct sender_refusal refusals[SENDER_REFUSALS_KEPT];
};
struct sender; /* opaque */
enum sender_answer {
    SENDER_RUNNING = 1,
    SENDER_REFUSED,     /* the region refuses this sender altogether: no key, no right */
    SENDER_GAVE_UP,     /* a batch got no good answer in its time */
    SENDER_UNREACHABLE, /* nor even a connection */
};
PX_MUST_USE int sender_start(const struct sender_options *options, struct sender **ret_sender);
/* What was settled so far. */
void sender_totals(struct sender *sender, struct sender_totals *ret_totals);
/* Wait at most wait_ms for the end. Answers: see above; ret_why (except for RUNNING) gets a sentence
 * that lives as long as the sender. Faults: the input could not be read, memory. After a bad end
 * sender_is_over() tells whether all threads have ended, too; one may wait for a pipe. */
PX_MUST_USE int sender_wait(struct sender *sender, int wait_ms, const char **ret_why);
bool sender_is_over(struct sender *sender);
void sender_free(struct sender **sender); /* ends it */
