/* svc/ingest/ingest.c - one request from event to answer.
 *
 * Decoding comes before the claim, so a request that cannot be stored touches no store, and the claim
 * knows what the answer will be. From the claim on every way out either settles or withdraws it. */
#include "svc/ingest/ingest.h"

#include <stdio.h>
#include <stdlib.h>

#include "columnar/frame.h"
#include "lambda/restriction.h"
#include "observe/observe.h"
#include "svc/ingest/claim.h"
#include "svc/ingest/dataset_limit.h"
#include "svc/ingest/day_limit.h"
#include "svc/ingest/request.h"
#include "svc/ingest/spool.h"
#include "svc/ingest/stored_limit.h"
#include "svc/ingest/tenant_limits.h"
#include "svc/ingest/turn.h"
#include "svc/ingest/wish.h"
#include "svc/quota/rates.h"

#define INGEST_MAGIC UINT64_C(0x747365676e495850)
#define INFLATED_BYTES_KEPT ((size_t)16 << 20) /* more is given back after the request */
#define FRAME_BYTES_MAX ((size_t)256 << 20)
#define CLAIM_BYTES_MAX ((size_t)64 << 20) /* a listing of hot files, when a claim is judged */

struct ingest {
    uint64_t magic;
    struct ingest_options options;
    struct batch *batch;
    struct px_buf inflated, frame;
    struct px_arena claim_arena; /* of its own: the invocation's may be full of records */
    struct claims claims;
    struct spool spool;
    struct day_limit *day;
    struct stored_limit stored;
};

/* ---- life ---- */

static void limits_default(struct ingest_limits *limits)
{
    if (limits->body_bytes_max == 0) limits->body_bytes_max = (size_t)64 << 20;
    if (limits->record_bytes_max == 0) limits->record_bytes_max = (size_t)1 << 20;
    if (limits->records_max == 0) limits->records_max = 200000;
    if (limits->record_fields_max == 0) limits->record_fields_max = 1000;
    if (limits->datasets_max == 0) limits->datasets_max = 1000;
    if (limits->time_past_s == 0) limits->time_past_s = INT64_C(20) * 365 * 86400;
    if (limits->time_future_s == 0) limits->time_future_s = 86400;
    if (limits->key_window_s == 0) limits->key_window_s = 86400;
    if (limits->hash_window_s == 0) limits->hash_window_s = 600;
    if (limits->lease_s == 0) limits->lease_s = 60;
}

int ingest_new(const struct ingest_options *options, struct ingest **ret_ingest)
{
    PX_AUTO(ingest_free) struct ingest *ingest = calloc(1, sizeof *ingest);
    if (!ingest) return px_fault(PX_F_OOM, "ingest");
    ingest->magic = INGEST_MAGIC;
    ingest->options = *options;
    struct ingest_limits *limits = &ingest->options.limits;
    limits_default(limits);
    struct batch_limits batch = {.rows_max = limits->records_max,
                                 .row_columns_max = limits->record_fields_max};
    PX_TRY(batch_new(&batch, &ingest->batch));
    px_buf_init(&ingest->inflated, limits->body_bytes_max);
    px_buf_init(&ingest->frame, FRAME_BYTES_MAX);
    px_arena_init(&ingest->claim_arena, CLAIM_BYTES_MAX);
    PX_TRY(day_limit_new(options->clock, !options->own_quotas, &ingest->day));
    *ret_ingest = PX_TAKE(ingest);
    return 0;
}

void ingest_set_limits(struct ingest *ingest, const struct ingest_limits *limits)
{
    PX_ASSERT(ingest->magic == INGEST_MAGIC);
    struct ingest_limits wanted = *limits, *ours = &ingest->options.limits;
    limits_default(&wanted);
    wanted.records_max = ours->records_max;
    wanted.record_fields_max = ours->record_fields_max;
    if (wanted.body_bytes_max != ours->body_bytes_max) {
        px_buf_deinit(&ingest->inflated);
        px_buf_init(&ingest->inflated, wanted.body_bytes_max);
    }
    *ours = wanted;
}

void ingest_free(struct ingest **ingest)
{
    struct ingest *it = *ingest;
    if (!it) return;
    PX_ASSERT(it->magic == INGEST_MAGIC);
    batch_free(&it->batch);
    px_buf_deinit(&it->inflated);
    px_buf_deinit(&it->frame);
    px_arena_deinit(&it->claim_arena);
    spool_close(&it->spool);
    day_limit_free(&it->day);
    free(it);
    *ingest = NULL;
}

static int need(struct ingest *ingest, enum ingest_store store, const void *have)
{
    if (have) return 0;
    struct ingest_options *options = &ingest->options;
    if (!options->open) return px_fault(PX_F_BUG, "ingest was made without store %d", (int)store);
    PX_TRY(options->open(options->open_ctx, store, options));
    return 0;
}

static int catalog_of(void *ctx, struct catalog **ret_catalog)
{
    struct ingest *ingest = ctx;
    PX_TRY(need(ingest, INGEST_CATALOG, ingest->options.catalog));
    *ret_catalog = ingest->options.catalog;
    return 0;
}

/* ---- decoding ---- */

static struct decode_limits decode_limits_at(const struct ingest_limits *limits, int64_t now_ns)
{
    int64_t now_s = now_ns / PX_NS_PER_S;
    return (struct decode_limits){
        .record_bytes_max = limits->record_bytes_max,
        .records_max = limits->records_max,
        .fields_max = limits->record_fields_max,
        .time_min_us = (now_s - limits->time_past_s) * 1000000,
        .time_max_us = (now_s + limits->time_future_s) * 1000000,
        .now_ns = now_ns,
    };
}

static int decoded(int r, struct refusal *refusal)
{
    if (r <= 0) return r;
    refusal->status = r == DECODE_TOO_LARGE ? 413 : 400;
    return REQUEST_REFUSED;
}

static int decode_records(struct ingest *ingest, const struct ingest_limits *tenants,
                          const struct ingest_request *request, struct px_str body,
                          struct px_arena *arena, struct decode_result *ret_result,
                          struct refusal *refusal)
{
    struct decode_limits limits = decode_limits_at(tenants, px_wall_ns(ingest->options.clock));
    batch_reset(ingest->batch);
    int r = request->is_otlp
                ? decode_otlp(request->signal, request->format == BODY_JSON, body, &limits, arena,
                              ingest->batch, ret_result, &refusal->where)
                : decode_json_records(body, request->time_field, &limits, arena, ingest->batch,
                                      ret_result, &refusal->where);
    return decoded(r, refusal);
}

/* ---- where the tenant is ---- */

/* Asked before the claim, to spare the work, and again once the frame is on stable storage, which is what
 * counts: see store/hot_fence.h. Answers: those of turn_ask(). */
static int check_fence(struct ingest *ingest, const struct api_caller *caller,
                       struct px_arena *arena, struct refusal *refusal, int64_t *ret_spool_epoch)
{
    struct ingest_options *options = &ingest->options;
    PX_TRY(need(ingest, INGEST_WRITER, options->writer));
    return turn_ask(options, caller, arena, refusal, ret_spool_epoch);
}

/* ---- storing ---- */

struct storing {
    const struct api_caller *caller;
    struct px_arena *arena; /* of the reply */
    struct refusal *refusal;
    struct day_taken *taken; /* used as soon as a frame may stand */
};

static int append(struct ingest *ingest, const struct claim *claim)
{
    const struct ingest_options *options = &ingest->options;
    if (!claim_may_append(claim, options->clock))
        return px_fault(PX_F_BUSY, "the lease ran out before the append");
    struct px_str payload = px_buf_str(&ingest->frame);
    uint64_t seq;
    PX_TRY(hot_append(options->writer, claim->tenant, claim->dataset, &payload, 1, &seq));
    PX_ASSERT(seq == claim->seq); /* one event at a time: nobody else took the number */
    return 0;
}

/* A request under way elsewhere. OTLP's exporters repeat after 503, never after 409. */
static int refuse_busy(const struct ingest_request *request, struct refusal *refusal)
{
    int r = refuse(refusal, request->is_otlp ? 503 : 409,
                   "the same request is being stored; repeat it soon");
    refusal->retry_after_s = 1;
    return r;
}

/* What stands behind an answer: a frame that was appended now or by an earlier request, and a fence that did
 * not stand yet when the frame did. So a frame that is answered for goes along with the tenant. */
static int confirm(struct ingest *ingest, const struct storing *storing,
                   const struct claim_stores *stores, const struct claim *claim, bool repeated)
{
    struct px_arena *arena = &ingest->claim_arena;
    int64_t spool_epoch;
    int r = check_fence(ingest, storing->caller, storing->arena, storing->refusal, &spool_epoch);
    if (r == TURN_SPOOL) r = turn_refuse(storing->refusal); /* its repeat may go there */
    if (r == 0 && (!repeated || claim->unnoted))
        claim_settle(&ingest->claims, stores, claim, arena);
    if (r == 0 || repeated) return r;
    claim_release(&ingest->claims, stores, claim, arena);
    hot_writer_retire(stores->writer, claim->tenant,
                      claim->dataset); /* a straggler's file can go */
    return r;
}

static struct claim_stores stores_of(struct ingest *ingest)
{
    const struct ingest_options *options = &ingest->options;
    return (struct claim_stores){options->hot,   options->writer, options->tables,
                                 options->clock, catalog_of,      ingest};
}

static int encode(struct ingest *ingest, const struct claim_wish *wish)
{
    px_buf_clear(&ingest->frame);
    return frame_encode(ingest->batch, px_wall_ns(ingest->options.clock), wish->request_id,
                        &ingest->frame);
}

/* Into the spool of that move, unless it was noted as stored before. Answered for when the spool has not ended by then. */
static int spool(struct ingest *ingest, const struct storing *storing,
                 const struct claim_wish *wish, int64_t epoch, struct claim *ret_claim,
                 int *ret_answer)
{
    struct px_arena *arena = &ingest->claim_arena;
    int64_t now_epoch = 0;
    PX_TRY(need(ingest, INGEST_TABLES, ingest->options.tables));
    PX_TRY(encode(ingest, wish));
    px_arena_reset(arena);
    const struct claim_stores stores = stores_of(ingest);
    int r = claim_look(&stores, wish, arena, ret_claim);
    if (r == CLAIM_MISMATCH) *ret_answer = r;
    if (r != 0 && r != CLAIM_REPEATED) return PX_MIN(r, 0);
    *ret_answer = r;
    if (r == 0) storing->taken->count = 0;
    if (r == 0)
        r = spool_append(&ingest->spool, stores.hot, wish, epoch, px_buf_str(&ingest->frame),
                         arena);
    PX_TRY(PX_MIN(r, 0));
    if (r == SPOOL_FULL && *ret_answer == 0) return turn_refuse(storing->refusal);
    r = check_fence(ingest, storing->caller, storing->arena, storing->refusal, &now_epoch);
    if (r == TURN_SPOOL && now_epoch == epoch) return 0;
    return r < 0 || r == REQUEST_REFUSED ? r : turn_refuse(storing->refusal);
}

/* The frame is made before the claim, so that as little as possible happens while it stands. Answers: those
 * of claim_take(), with *ret_answer; REQUEST_REFUSED by the fence. */
static int store(struct ingest *ingest, const struct storing *storing,
                 const struct claim_wish *wish, struct claim *ret_claim, int *ret_answer)
{
    struct ingest_options *options = &ingest->options;
    struct px_arena *arena = &ingest->claim_arena;
    PX_TRY(need(ingest, INGEST_WRITER, options->writer));
    PX_TRY(need(ingest, INGEST_TABLES, options->tables));
    if (ingest->claims.process[0] == '\0') claims_init(&ingest->claims);
    PX_TRY(encode(ingest, wish));
    px_arena_reset(arena);
    const struct claim_stores stores = stores_of(ingest);
    int r = claim_take(&ingest->claims, &stores, wish, arena, ret_claim);
    if (r < 0) return r;
    *ret_answer = r;
    if (r == CLAIM_REPEATED) return confirm(ingest, storing, &stores, ret_claim, true);
    if (r != 0) return 0;
    r = append(ingest, ret_claim);
    if (r != 0) {
        claim_withdraw(&ingest->claims, &stores, ret_claim, arena);
        PX_TRY(r);
    }
    storing->taken->count = 0;
    return confirm(ingest, storing, &stores, ret_claim, false);
}

static int answer_of(enum claim_answer answer, const struct ingest_request *request,
                     const struct claim *claim, struct refusal *refusal,
                     struct ingest_outcome *outcome)
{
    switch (answer) {
    case CLAIM_MISMATCH:
        return refuse(refusal, 422, "this Idempotency-Key was used with another body");
    case CLAIM_BUSY: return refuse_busy(request, refusal);
    case CLAIM_REPEATED:
        outcome->accepted = claim->accepted;
        outcome->refused = claim->refused;
        outcome->duplicate = true;
        return 0;
    }
    return px_fault(PX_F_BUG, "a claim answered %d", (int)answer);
}

static int store_once(struct ingest *ingest, const struct ingest_request *request,
                      const struct storing *storing, const struct claim_wish *wish,
                      struct ingest_outcome *outcome)
{
    struct claim claim;
    struct refusal *refusal = storing->refusal;
    int answer = 0;
    int64_t spool_epoch = 0;
    int r = check_fence(ingest, storing->caller, storing->arena, refusal, &spool_epoch);
    if (r == TURN_SPOOL)
        r = spool(ingest, storing, wish, spool_epoch, &claim, &answer);
    else if (r == 0)
        r = store(ingest, storing, wish, &claim, &answer);
    if (spool_epoch == 0 && px_str_eq(px_str_c(ingest->spool.tenant), wish->tenant))
        spool_close(&ingest->spool); /* it has ended */
    if (r != 0 || answer == 0) return r;
    return answer_of((enum claim_answer)answer, request, &claim, refusal, outcome);
}

/* The datasets of OTLP are always there to be sent to, whatever else a tenant has made. */
static int admit(struct ingest *ingest, const struct ingest_limits *limits,
                 const struct ingest_request *request, struct refusal *refusal)
{
    struct ingest_options *options = &ingest->options;
    if (request->is_otlp) return 0;
    PX_TRY(need(ingest, INGEST_WRITER, options->writer));
    if (hot_writer_knows(options->writer, request->tenant, request->dataset)) return 0;
    const struct dataset_limit limit = {options->hot, catalog_of, ingest, limits->datasets_max};
    px_arena_reset(&ingest->claim_arena);
    int r = dataset_admit(&limit, request->tenant, request->dataset, &ingest->claim_arena);
    if (r == DATASET_REFUSED)
        return refuse(refusal, 403,
                      "%.*s would be a new dataset, and the tenant has %u, as many as it may: drop "
                      "one or send to one that exists",
                      PX_FMT(request->dataset), limits->datasets_max);
    PX_TRY(r);
    return 0;
}

/* Nothing more of the tenant is taken: what is stored is told again, as ever. */
static int repeat_only(struct ingest *ingest, const struct ingest_request *request,
                       const struct storing *storing, const struct claim_wish *wish,
                       struct ingest_outcome *outcome)
{
    struct claim claim;
    PX_TRY(need(ingest, INGEST_WRITER, ingest->options.writer));
    PX_TRY(need(ingest, INGEST_TABLES, ingest->options.tables));
    px_arena_reset(&ingest->claim_arena);
    const struct claim_stores stores = stores_of(ingest);
    int r = claim_find(&stores, wish, &ingest->claim_arena, &claim);
    if (r == 0) return REQUEST_REFUSED;
    PX_TRY(PX_MIN(r, 0));
    *storing->refusal = (struct refusal){.status = 400};
    if (r == CLAIM_REPEATED) return store_once(ingest, request, storing, wish, outcome);
    return answer_of((enum claim_answer)r, request, &claim, storing->refusal, outcome);
}

static int store_of_day(struct ingest *ingest, const struct ingest_request *request,
                        const struct storing *storing, const struct claim_wish *wish, int64_t limit,
                        struct ingest_outcome *outcome)
{
    struct ingest_options *options = &ingest->options;
    const struct days_ask ask = {wish->tenant, (int64_t)outcome->accepted, limit};
    PX_TRY(need(ingest, INGEST_TABLES, options->tables));
    int r = day_limit_take(ingest->day, options->tables, &ask, storing->arena, storing->taken,
                           storing->refusal);
    if (r == REQUEST_REFUSED) {
        r = repeat_only(ingest, request, storing, wish, outcome);
    } else {
        PX_TRY(r);
        r = store_once(ingest, request, storing, wish, outcome);
        day_limit_return(ingest->day, storing->taken);
    }
    if (r == 0) outcome->quota = day_limit_told(ingest->day, &ask, storing->arena);
    return r;
}

/* Answers: REQUEST_REFUSED. */
static int check_stored(struct ingest *ingest, struct px_str tenant, int64_t limit,
                        struct refusal *refusal)
{
    const struct stored_ask ask = {tenant, limit, ingest->options.clock, catalog_of, ingest};
    if (limit == QUOTA_NONE) return 0;
    int r = stored_limit_check(&ingest->stored, &ask);
    if (r != STORED_FULL) return r;
    return refuse(refusal, 507,
                  "stored_bytes: the tenant may have %lld bytes stored, and has them: drop a "
                  "dataset, or keep less long",
                  (long long)limit);
}

/* Of what the tenant may have stored and may send on this day, where it may not send as much as it likes. */
static int store_within(struct ingest *ingest, const struct ingest_request *request,
                        const struct storing *storing, const struct claim_wish *wish,
                        struct ingest_outcome *outcome)
{
    struct quota_limits limits;
    PX_TRY(day_limit_all(ingest->day, storing->caller, storing->arena, &limits));
    int64_t a_day = limits.values[QUOTA_RECORDS_PER_DAY];
    int r = check_stored(ingest, wish->tenant, limits.values[QUOTA_STORED_BYTES], storing->refusal);
    if (r == REQUEST_REFUSED) return repeat_only(ingest, request, storing, wish, outcome);
    PX_TRY(r);
    if (a_day == QUOTA_NONE) return store_once(ingest, request, storing, wish, outcome);
    return store_of_day(ingest, request, storing, wish, a_day, outcome);
}

/* ---- the request ---- */

/* A restriction to rows is for reading: who has one sends nothing. */
static int check_restriction(const struct api_event *event, const struct ingest_request *request,
                             struct px_arena *arena, struct refusal *refusal)
{
    const struct restriction *restriction;
    PX_TRY(restriction_read(event->caller.restriction, arena, &restriction));
    if (!restriction ||
        (restriction_allows(restriction, request->dataset) && restriction->row_count == 0))
        return 0;
    return refuse(refusal, 403, "a restriction does not let this dataset be written");
}

/* What the tenant may send a second, where no gateway has seen to it. */
static int check_rate(struct ingest *ingest, const struct api_event *event, struct px_arena *arena,
                      struct refusal *refusal)
{
    const struct rates_ask ask = {event->caller.tenant, event->caller.tier, event->caller.quotas,
                                  event->body.len};
    struct quota_refusal over;
    if (!ingest->options.rates) return 0;
    int r = rates_take(ingest->options.rates, &ask, &over);
    if (r != RATES_OVER) return r;
    observe_add(METRIC_QUOTA_REFUSALS, 1);
    observe_event_text("prism.quota", over.name);
    r = refuse(refusal, 429, "%s", RATES_DETAIL);
    refusal->retry_after_s = (int)PX_MIN(over.wait_s, INT32_MAX);
    refusal->quota = quota_fields_of_refusal(arena, &over);
    return r;
}

static int serve(struct ingest *ingest, const struct api_event *event, struct px_arena *arena,
                 struct ingest_request *request, struct decode_result *result,
                 struct ingest_outcome *outcome, struct refusal *refusal)
{
    int r = request_read(event, request, refusal);
    if (r == 0) r = check_rate(ingest, event, arena, refusal);
    if (r == 0) r = check_restriction(event, request, arena, refusal);
    if (r != 0) return r;
    if (!home_serves(&ingest->options.home, event->caller.home_region)) {
        /* what the gateway knows may be older than the tenant's move here */
        int64_t spool_epoch;
        r = check_fence(ingest, &event->caller, arena, refusal, &spool_epoch);
        if (r != 0 && r != TURN_SPOOL) return r;
    }
    struct ingest_limits limits;
    struct px_str body;
    PX_TRY(tenant_limits(&ingest->options.limits, &event->caller, arena, &limits));
    r = decode_content(request->encoding, event->body, limits.body_bytes_max, &ingest->inflated,
                       &body, &refusal->where);
    if (r != 0) return decoded(r, refusal);
    r = decode_records(ingest, &limits, request, body, arena, result, refusal);
    if (r != 0) return r;
    *outcome = (struct ingest_outcome){
        result->accepted, result->refused, result, false, {{0}, {0}}};
    if (result->accepted == 0) return 0; /* nothing to store: no claim, no frame */
    r = admit(ingest, &limits, request, refusal);
    if (r != 0) return r;

    struct claim_wish wish = wish_for(&ingest->options.limits, request, body, result);
    struct day_taken taken = {0};
    const struct storing storing = {&event->caller, arena, refusal, &taken};
    return store_within(ingest, request, &storing, &wish, outcome);
}

static void count_outcome(const struct ingest_outcome *outcome, size_t body_bytes)
{
    observe_add(METRIC_RECORDS_REFUSED, (double)outcome->refused);
    if (outcome->duplicate) {
        observe_add(METRIC_BATCHES_REPEATED, 1);
    } else if (outcome->accepted > 0) {
        observe_add(METRIC_RECORDS_ACCEPTED, (double)outcome->accepted);
        observe_add(METRIC_INGEST_BYTES, (double)body_bytes);
    }
}

int ingest_handle(struct ingest *ingest, const struct api_event *event, struct px_arena *arena,
                  struct px_buf *ret_body)
{
    PX_ASSERT(ingest->magic == INGEST_MAGIC);
    struct ingest_request request;
    struct decode_result result = {0};
    struct ingest_outcome outcome = {0};
    struct refusal refusal = {.status = 400};
    int r = serve(ingest, event, arena, &request, &result, &outcome, &refusal);
    if (ingest->inflated.cap > INFLATED_BYTES_KEPT) px_buf_deinit(&ingest->inflated);
    if (r == 0) count_outcome(&outcome, event->body.len);
    if (r == 0)
        reply_outcome(&request, &outcome, ret_body);
    else if (r == REQUEST_REFUSED)
        reply_refused(&request, &refusal, ret_body);
    else
        PX_TRY(r);
    return px_buf_fault(ret_body);
}

void ingest_reply_fault(const struct api_event *event, int fault, struct px_buf *ret_body)
{
    struct ingest_request request;
    struct refusal refusal;
    int r = request_read(event, &request, &refusal);
    (void)r; /* it was read before */
    int status = px_fault_http(fault);
    if (request.is_otlp && status >= 500)
        status = 503; /* the one that OTLP's exporters repeat after */
    (void)refuse(&refusal, status, "nothing was stored: %s", px_fault_message(fault));
    refusal.retry_after_s = status == 503 ? 1 : 0;
    reply_refused(&request, &refusal, ret_body);
}
