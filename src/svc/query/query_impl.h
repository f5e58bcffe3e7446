/* svc/query/query_impl.h - one request in hand, for the files of this folder. */
#pragma once

#include "lambda/restriction.h"
#include "sql/engine.h"
#include "svc/query/engines.h"
#include "svc/query/reply.h"
#include "svc/query/request.h"
#include "svc/query/result.h"
#include "svc/query/scratch.h"
#include "svc/query/snapshot.h"

#define QUERY_MAGIC 0x51554552u

struct query {
    uint32_t magic;
    struct px_arena arena; /* the name of scratch */
    struct scratch scratch;
    struct query_options options;
    struct copies *copies; /* NULL where stores are folders */
    struct engines *engines;
    struct snapshot_memory memory;
    uint64_t serial; /* names temporary files */
};

/* A request on its way. Steps answer HANDLED when they have given the caller an answer. */
#define HANDLED 1
#define PLACE_MARGIN_MS 2000 /* for an answer that is under way at the deadline */
struct job {
    struct query *query;
    const struct api_event *event;
    struct px_arena *arena;
    struct hot_fence fence;                /* as it was found at first */
    const struct restriction *restriction; /* of the caller; NULL: none */
    struct query_request request;
    struct sql_leash leash;
    int64_t timeout_ms;   /* what the leash was made of, for its message */
    int64_t ends_mono_ns; /* its event's deadline */
    struct engine_lease lease;
    uint64_t remote_bytes;     /* of the lease's engine, before this query */
    uint64_t copied_bytes;     /* got from S3 for local copies */
    struct sql_engine *engine; /* the lease's */
    struct sql_statement statement;
    struct snapshot *snapshots; /* of the datasets that are named */
    size_t snapshot_count;
    struct px_str parquet_path; /* of a Parquet answer, else empty */
    struct cost_mark mark;
    struct query_cost cost;
    struct reply reply;
    const struct result_format *format; /* while rows are written, else NULL */
    struct result_out *out;
    uint64_t rows_given;   /* of them, how many the caller has */
    struct px_str cut_why; /* set when an answer was cut */
};

/* Answer with a problem; a streamed answer that has begun is ended with its reason in it, or cut where its
 * format has no place for one. Gives HANDLED or a fault. */
int job_refuse(struct job *job, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* What an SQL_* answer means for the caller. why: DuckDB's words, for SQL_FAILED. */
int job_sql_answer(struct job *job, int answer, struct px_str why);
/* Files, hot blocks, time. */
void job_measure(struct job *job);
/* Damaged frames that were left out, as a sentence; empty when none. */
struct px_str job_warning(struct job *job);

/* Run and write, once the engine is locked. */
PX_MUST_USE int job_write_result(struct job *job, const struct result_format *format);
PX_MUST_USE int job_write_parquet(struct job *job);
