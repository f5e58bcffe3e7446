/* svc/ingest/ingest.h - from a request body to a durable frame.
 *
 * Order of things for one request: name and size checks; decode into a batch; claim its idempotency key
 * (or content hash) by a conditional write; append one frame and wait for stable storage; note the
 * outcome under the claim; answer. A request without records, or with none that can be stored, is
 * answered without touching a store. Where the tenant's day is limited, its records are taken from that before the claim
 * (svc/quota/days.h); a repeated request gives them back, and is answered also when the day is spent. docs/design/ingest.md has the states of a claim and what happens
 * in each crash. */
#pragma once

#include "base/px_arena.h"
#include "base/px_clock.h"
#include "lambda/apigw.h"
#include "store/hot.h"
#include "store/tables.h"
#include "svc/home/home.h"

struct ingest; /* opaque; one per instance, one thread */
struct catalog;
struct rates; /* svc/quota/rates.h */

struct ingest_limits {
    size_t body_bytes_max;      /* after decompression; 0: 64 MiB */
    size_t record_bytes_max;    /* one record's text; 0: 1 MiB */
    uint32_t records_max;       /* per request; 0: 200,000 */
    uint32_t record_fields_max; /* 0: 1000 */
    uint32_t datasets_max;      /* of a tenant, besides those of OTLP; 0: 1000 */
    int64_t time_past_s;        /* accepted age; 0: 20 years */
    int64_t time_future_s;      /* 0: 1 day */
    int64_t key_window_s;       /* how long an Idempotency-Key is remembered; 0: 24 h */
    int64_t hash_window_s;      /* how long a body without key is; 0: 10 min */
    int64_t lease_s;            /* a claim without outcome may be taken over after; 0: 60 s */
};
enum ingest_store { INGEST_WRITER, INGEST_TABLES, INGEST_CATALOG };
struct ingest_options {
    struct hot_writer *writer; /* borrowed, all of them */
    struct hot_store *hot;
    struct table_store *tables;
    struct catalog *catalog; /* marks of other writers, for taking over a claim */
    struct rates *rates;     /* what tenants spend a second; NULL: a gateway holds them to it */
    /* Called when a store that is NULL above is needed for the first time; sets it (INGEST_WRITER: hot
     * as well) in `options`, ingest's own copy. May be NULL when all are given. */
    int (*open)(void *open_ctx, enum ingest_store store, struct ingest_options *options);
    void *open_ctx;
    const struct px_clock *clock;
    struct home home; /* whose records are taken; zeros: everybody's */
    struct ingest_limits limits;
    bool own_quotas; /* tiers' numbers do not hold here */
};
PX_MUST_USE int ingest_new(const struct ingest_options *options, struct ingest **ret_ingest);
void ingest_free(struct ingest **ingest);
/* Other limits from the next request on; zeros: the defaults. Those that a request's memory is made for
 * (records_max, record_fields_max) stay as they were. */
void ingest_set_limits(struct ingest *ingest, const struct ingest_limits *limits);
/* One HTTP event to a Lambda proxy response in ret_body (docs/api.md has the answers). Bad input is a
 * 4xx in the response, never a fault. Faults: PX_F_NO_SPACE, PX_F_IO ... : nothing was stored. */
PX_MUST_USE int ingest_handle(struct ingest *ingest, const struct api_event *event,
                              struct px_arena *arena, struct px_buf *ret_body);
/* The response for a fault of ingest_handle(): 503 or 507 in the route's own form, to be repeated. */
void ingest_reply_fault(const struct api_event *event, int fault, struct px_buf *ret_body);
