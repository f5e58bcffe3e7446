/* region/connect.h - what a workflow's tasks call: services by "service:action", each a line of a connector's table in its file
 * connect_<service>.c. Names of errors and shapes of answers are AWS's, as Step Functions passes them on.
 *
 * Life of a connection: made from a task call -> begin (in the loop) -> work (in the worker's thread, where disks are waited for) ->
 * ended in the loop, where its outcome goes to the engine. A connector has one of begin and work, or both. What changes a store
 * writes a note of its outcome in the same transaction, under the task's token; a task that is called again after a crash finds
 * the note and does nothing twice. Functions are called at least once, as Lambda's callers do. */
#pragma once

#include "asl/engine.h"
#include "lambda/pool.h"
#include "region/worker.h"
#include "region/workflow_catalogue.h"
#include "store/tables.h"

struct workflows;
struct connection;

struct connector {
    const char *service, *action;
    void (*begin)(struct connection *c); /* in the loop; NULL: work at once */
    void (*work)(struct connection *c);  /* in the thread; NULL: begin sees to the end */
    void (*cancel)(
        struct connection *c); /* in the loop: nobody waits any more; NULL: it comes to its end */
    bool notes;                /* it changes something: look for a note first when called again */
};
enum connection_outcome { CONNECTION_OPEN, CONNECTION_SUCCEEDED, CONNECTION_FAILED };

struct connection {
    struct worker_job job;
    struct connection *next, **link;
    struct workflows *workflows;
    const struct workflow_catalogue *catalogue;
    const struct connector *connector;
    const struct workflow_machine *machine;       /* NULL: its execution's machine is no more */
    struct px_arena arena;                        /* as long as the connection */
    struct px_str token, execution_arn, resource; /* resource: its ARN */
    uint64_t execution;
    enum asl_pattern pattern;
    yyjson_val *payload;
    struct px_str payload_text;
    bool reader;       /* of a distributed Map: wants the file's bytes */
    bool rows;         /* ... or, of Parquet, its rows, a JSON value a line */
    uint64_t rows_max; /* 0: all */
    bool durable;      /* of a journaled execution */
    bool again;        /* it may have been called before a crash */
    bool cancelled;    /* nobody waits any more */
    enum connection_outcome outcome;
    struct px_buf output; /* JSON; of a reader any bytes */
    struct px_str error, cause;
    struct px_buf event; /* a row of _system's workflow_events; empty: none */
    void *own;           /* of begin */
};

/* ---- for connectors ---- */

/* The outcome; the first one counts. Then, in the loop, connection_end(). */
void connection_succeed(struct connection *c); /* `output` was written */
void connection_fail(struct connection *c, const char *error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A fault of the machine, as the service's own error. */
void connection_fault(struct connection *c, const char *error, int fault);
/* In the loop: tell the engine and free. */
void connection_end(struct connection *c);
/* Members behind others: ,"SdkHttpMetadata":{...},"SdkResponseMetadata":{...} */
void connection_add_metadata(struct connection *c);
/* In the thread: the region's tables; NULL with the outcome set when they cannot be opened. */
struct table_store *connection_tables(struct connection *c, const char *error);
/* Put all in one transaction, and with them the note that `output` is this token's; at most 8 puts.
 * Answers: TABLE_CONDITION_FAILED. */
PX_MUST_USE int connection_put(struct connection *c, struct table_store *store,
                               const struct table_put *puts, size_t count);
/* Path of something in the data folder, in the connection's arena. */
const char *connection_path(struct connection *c, const char *name);

/* What a drain did to a function is no error of the function's: it is invoked again after the restart, and the connection freed with
 * the workflows. */
bool connection_waits_for_restart(const struct connection *c, enum lambda_outcome outcome);
/* Error and cause of a function that failed, as Step Functions has them. */
void connection_fail_function(struct connection *c, const struct lambda_result *result);

/* connect_s3.c: the bucket ("segments", "analytics") and key of the payload's object. False: refused, with the outcome set. */
bool connect_s3_object(struct connection *c, const char **ret_bucket, struct px_str *ret_key);

/* The action in the tables that stands for getObject of Parquet. */
#define CONNECT_ROWS "getObject rows"

extern const struct connector connect_lambda[], connect_dynamodb[], connect_messages[],
    connect_s3[], connect_rows[], connect_states[], connect_efs[],
    connect_apigateway[]; /* each ends with an empty one */
const struct connector *connector_find(struct px_str service, struct px_str action);
