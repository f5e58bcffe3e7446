/* region/replicator.c - the threads that send. See replicator.h.
 *
 *   AWAY     the sibling does not answer; tried again every RETRY_MS
 *   SENDING  it lacks changes that are old enough to be sent
 *   EVEN     it has them all
 *   CUT      a rehearsed partition: nothing is sent, nothing is taken
 *
 * A sender knows the sibling's cursor from its answers. A cursor that is another log's, or stands where this log was
 * trimmed already (a folder was lost, restored or is new), is met by the log repeating all that stands. */
#include "region/replicator_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xxhash.h>

#include "http/client.h"

#define LOOK_MS 20   /* between two looks at the log */
#define RETRY_MS 200 /* before a sibling that did not answer is tried again */
#define TELL_MS 2000 /* between two words to a sibling that has everything */
#define TEND_MS 1000 /* between two trims */
#define CALL_TIMEOUT_MS 5000
#define ARENA_BYTES_MAX (32u << 20)
#define LOG_ROWS_MAX 20000 /* then it is compacted, however long a sibling is away */
#define TRIM_ROWS 2000     /* of the log, in one transaction: writers wait for it */
#define LOOK_STAMPS 2000   /* likewise */
/* A change may be stamped and not yet be committed; no transaction is open for so long. */
#define COMPLETE_MARGIN_NS (3600 * PX_NS_PER_S)

struct sender *replicator_sender(struct replicator *replicator, struct px_str name)
{
    for (size_t i = 0; i < replicator->count; i++)
        if (px_str_eq(px_str_c(replicator->senders[i].sibling->name), name))
            return &replicator->senders[i];
    return NULL;
}

/* What a thread has for itself. */
struct work {
    struct sender *sender;
    struct table_store *store;
    struct http_client *client;
    struct px_arena arena;
    struct table_log_state log;
    struct table_log_cursor known; /* the sibling's, as it said last */
    int64_t told_ns, tended_ns;    /* monotonic */
    int64_t compacted_rows;
    struct table_log_place forgetting;
};

static struct replicator *replicator_of(const struct work *work)
{
    return work->sender->replicator;
}

static void note(struct work *work, enum sender_state state, int fault)
{
    struct replicator *r = replicator_of(work);
    (void)pthread_mutex_lock(&r->mutex);
    bool changed = (work->sender->state == SENDER_AWAY) != (state == SENDER_AWAY);
    work->sender->state = state;
    (void)snprintf(work->sender->error, sizeof work->sender->error, "%s",
                   fault ? px_fault_message(fault) : "");
    (void)pthread_mutex_unlock(&r->mutex);
    if (changed)
        px_log(r->options.log, PX_INFO, "replication to %s: %s", work->sender->sibling->name,
               state == SENDER_AWAY ? px_fault_message(fault) : "it is there");
}

/* ---- one exchange ---- */

enum exchange { EXCHANGE_TAKEN = 0, EXCHANGE_CURSOR = 1 /* the sibling's cursor is another one */ };

static int read_cursor(struct work *work, struct px_str body, struct table_log_cursor *ret_cursor)
{
    yyjson_val *root = NULL;
    int r = px_json_parse(body, &work->arena, &root, NULL);
    if (r < 0) return r;
    struct px_str id = px_json_str(root, "id");
    if (r > 0 || id.len >= sizeof ret_cursor->id)
        return px_fault(PX_F_PROTOCOL, "a cursor of %s", work->sender->sibling->name);
    *ret_cursor = (struct table_log_cursor){.seq = px_json_i64(root, "seq", 0)};
    if (id.len > 0) memcpy(ret_cursor->id, id.ptr, id.len);
    return 0;
}

/* Answers: EXCHANGE_CURSOR. */
static int post(struct work *work, const struct changes *batch, struct table_log_cursor *ret_cursor)
{
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, CHANGES_MESSAGE_BYTES_MAX);
    changes_write(batch, &body);
    PX_TRY(px_buf_fault(&body));
    const struct http_header type = {S("Content-Type"), S("application/json")};
    const struct http_call call = {"POST", S("/replication/changes"), &type, 1, px_buf_str(&body)};
    struct http_response response;
    int r = http_client_call(work->client, &call, 64 << 10, NULL, NULL, &response);
    if (r == HTTP_CLIENT_INTERRUPTED) return px_fault(PX_F_UNAVAILABLE, "stopping");
    PX_TRY(r);
    if (response.status != 200 && response.status != 409)
        return px_fault(PX_F_UNAVAILABLE, "%s answers %d", work->sender->sibling->name,
                        response.status);
    PX_TRY(read_cursor(work, response.body, ret_cursor));
    return response.status == 409 ? EXCHANGE_CURSOR : EXCHANGE_TAKEN;
}

static void set_acked(struct work *work, int64_t seq, size_t sent)
{
    struct replicator *r = replicator_of(work);
    (void)pthread_mutex_lock(&r->mutex);
    work->sender->acked_seq = seq;
    work->sender->sent += sent;
    work->sender->behind = PX_MAX(work->log.last_seq - seq, (int64_t)0);
    (void)pthread_mutex_unlock(&r->mutex);
}

/* Where the sibling stands, from what it says. One that knows nothing of this log may have lost its folder, and
 * with it what it wrote itself, which only others' tables still have: so all that stands is sent. */
static int adopt(struct work *work, const struct table_log_cursor *cursor)
{
    int64_t seq = cursor->seq;
    PX_TRY(table_log_state(work->store, &work->log));
    if (strcmp(cursor->id, work->log.id) != 0 || seq < work->log.trimmed_seq) {
        seq = work->log.last_seq;
        PX_TRY(table_log_repeat(work->store));
        PX_TRY(table_log_state(work->store, &work->log));
    }
    work->known = *cursor;
    set_acked(work, PX_MIN(seq, work->log.last_seq), 0);
    return 0;
}

static void begin_batch(struct work *work, struct changes *ret_batch)
{
    *ret_batch = (struct changes){.origin = replicator_of(work)->options.region,
                                  .known = work->known,
                                  .upto = PX_MAX(work->sender->acked_seq, (int64_t)0)};
    memcpy(ret_batch->id, work->log.id, sizeof ret_batch->id);
}

static int64_t send_before_ns(struct work *work)
{
    struct replicator *r = replicator_of(work);
    (void)pthread_mutex_lock(&r->mutex);
    int64_t lag_ns = (int64_t)r->lag_ms * PX_NS_PER_MS;
    (void)pthread_mutex_unlock(&r->mutex);
    return lag_ns > 0 ? px_wall_ns(r->options.clock) - lag_ns : INT64_MAX;
}

static bool is_time(struct work *work, int64_t *since_ns, int64_t every_ms)
{
    int64_t now = px_mono_ns(replicator_of(work)->options.clock);
    if (*since_ns != 0 && now - *since_ns < every_ms * PX_NS_PER_MS) return false;
    *since_ns = now;
    return true;
}

static int64_t scatter_ns(struct work *work)
{
    struct replicator *r = replicator_of(work);
    (void)pthread_mutex_lock(&r->mutex);
    int64_t ns = (int64_t)r->scatter_ms * PX_NS_PER_MS;
    (void)pthread_mutex_unlock(&r->mutex);
    return ns;
}

/* How much longer than others a change is kept: the same at each look, and nothing to do with its place in the log. */
static int64_t delay_ns(const struct table_change *change, int64_t most_ns)
{
    uint64_t hash = XXH3_64bits_withSeed(change->key.partition.ptr, change->key.partition.len,
                                         (uint64_t)change->stamp_ns);
    hash = XXH3_64bits_withSeed(change->key.sort.ptr, change->key.sort.len, hash);
    return (int64_t)(hash % (uint64_t)most_ns);
}

/* Take out what is kept back, and say no more than what stands before it: the cursor stays there, so what overtook it is
 * sent again with it, which changes nothing. */
static void scatter(struct changes *batch, struct table_change *found, int64_t due_ns,
                    int64_t most_ns)
{
    size_t sent = 0;
    bool kept = false;
    for (size_t i = 0; i < batch->count; i++) {
        bool keep = found[i].stamp_ns + delay_ns(&found[i], most_ns) > due_ns;
        kept = kept || keep;
        if (!kept) batch->upto = found[i].seq;
        if (!keep) found[sent++] = found[i];
    }
    batch->count = sent;
}

/* Send what is due. ret_more: there is more. */
static int send_due(struct work *work, bool *ret_more)
{
    struct changes batch;
    struct table_log_cursor cursor = {0};
    struct table_change *found = NULL;
    int64_t before_ns = send_before_ns(work),
            now_ns = px_wall_ns(replicator_of(work)->options.clock);
    begin_batch(work, &batch);
    const struct table_log_query query = {batch.upto, before_ns, CHANGES_MAX, CHANGES_BYTES_MAX};
    PX_TRY(table_log_read(work->store, &query, &work->arena, &found, &batch.count));
    int64_t from = batch.upto, most_ns = scatter_ns(work);
    if (batch.count > 0) batch.upto = found[batch.count - 1].seq;
    if (most_ns > 0) {
        batch.upto = from;
        scatter(&batch, found, PX_MIN(before_ns, now_ns), most_ns);
    }
    *ret_more = batch.upto > from;
    if (batch.count == 0 && !is_time(work, &work->told_ns, TELL_MS)) return 0;
    PX_TRY(table_log_state(work->store, &work->log));
    batch.changes = found;
    if (batch.count == 0) batch.complete_ns = PX_MIN(before_ns, now_ns) - COMPLETE_MARGIN_NS;
    int r = post(work, &batch, &cursor);
    if (r == EXCHANGE_CURSOR) return adopt(work, &cursor);
    PX_TRY(r);
    work->known = cursor;
    set_acked(work, batch.upto, batch.count);
    return 0;
}

/* Ask where the sibling stands, by a batch that follows no log. */
static int meet(struct work *work)
{
    struct changes batch;
    struct table_log_cursor cursor = {0};
    PX_TRY(table_log_state(work->store, &work->log));
    begin_batch(work, &batch);
    batch.known = (struct table_log_cursor){.id = "?"};
    int r = post(work, &batch, &cursor);
    if (r < 0) return r;
    return adopt(work, &cursor);
}

/* ---- the log's size ---- */

static int64_t acked_by_all(struct replicator *replicator)
{
    int64_t least = INT64_MAX;
    (void)pthread_mutex_lock(&replicator->mutex);
    for (size_t i = 0; i < replicator->count; i++)
        least = PX_MIN(least, replicator->senders[i].acked_seq);
    (void)pthread_mutex_unlock(&replicator->mutex);
    return least;
}

static int tend(struct work *work)
{
    struct replicator *r = replicator_of(work);
    struct px_str peers[SIBLINGS_MAX];
    int64_t acked = acked_by_all(r);
    size_t removed;
    PX_TRY(table_log_state(work->store, &work->log));
    for (int64_t seq = work->log.trimmed_seq; seq < acked && acked <= work->log.last_seq;) {
        seq = PX_MIN(seq + TRIM_ROWS, acked);
        PX_TRY(table_log_trim(work->store, seq));
    }
    if (work->log.rows > LOG_ROWS_MAX && work->log.rows > 2 * work->compacted_rows) {
        PX_TRY(table_log_compact(work->store));
        PX_TRY(table_log_state(work->store, &work->log));
        work->compacted_rows = work->log.rows;
    }
    for (size_t i = 0; i < r->count; i++) peers[i] = px_str_c(r->senders[i].sibling->name);
    return table_log_forget(work->store, peers, r->count, LOOK_STAMPS, &work->forgetting, &removed);
}

/* ---- a thread's life ---- */

static bool pause_ms(struct replicator *replicator, int64_t ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + ms * PX_NS_PER_MS;
    until.tv_sec += ns / PX_NS_PER_S;
    until.tv_nsec = ns % PX_NS_PER_S;
    (void)pthread_mutex_lock(&replicator->mutex);
    if (!replicator->stop && ms > 0)
        (void)pthread_cond_timedwait(&replicator->wake, &replicator->mutex, &until);
    bool goes_on = !replicator->stop;
    (void)pthread_mutex_unlock(&replicator->mutex);
    return goes_on;
}

static bool is_cut(struct work *work)
{
    struct replicator *r = replicator_of(work);
    (void)pthread_mutex_lock(&r->mutex);
    bool cut = work->sender->cut;
    (void)pthread_mutex_unlock(&r->mutex);
    return cut;
}

/* Returns how long to pause. */
static int64_t turn(struct work *work)
{
    bool more = false;
    int r = 0;
    px_arena_reset(&work->arena);
    if (work->sender == &replicator_of(work)->senders[0] && /* one of the threads does it */
        is_time(work, &work->tended_ns, TEND_MS) && (r = tend(work)) != 0)
        px_log_fault(replicator_of(work)->options.log, r, "the log of the tables");
    if (is_cut(work)) {
        note(work, SENDER_CUT, 0);
        return RETRY_MS;
    }
    r = work->sender->acked_seq < 0 ? meet(work) : 0;
    if (r == 0) r = send_due(work, &more);
    if (r != 0) {
        note(work, SENDER_AWAY, r);
        return RETRY_MS;
    }
    note(work, more ? SENDER_SENDING : SENDER_EVEN, 0);
    return more ? 0 : LOOK_MS;
}

static int open_work(struct sender *sender, struct work *work)
{
    const struct replicator_options *o = &sender->replicator->options;
    const struct table_options tables = {.clock = o->clock};
    *work = (struct work){.sender = sender};
    px_arena_init(&work->arena, ARENA_BYTES_MAX);
    struct px_str socket = px_arena_printf(&work->arena, "unix:%s/region.sock",
                                           sender->sibling->folder);
    if (!socket.ptr) return px_arena_fault(&work->arena);
    PX_TRY(http_client_new(socket, CALL_TIMEOUT_MS, &work->client));
    http_client_interrupt_fd(work->client, sender->replicator->stop_fd);
    return table_store_open(px_str_c(o->tables_path), &tables, &work->store);
}

static void *run(void *arg)
{
    struct sender *sender = arg;
    struct work work;
    int r = open_work(sender, &work);
    if (r != 0) {
        px_log_fault(sender->replicator->options.log, r, "replication to %s",
                     sender->sibling->name);
        note(&work, SENDER_AWAY, r);
    } else {
        int64_t pause = 0;
        while (pause_ms(sender->replicator, pause)) pause = turn(&work);
    }
    http_client_free(&work.client);
    table_store_close(&work.store);
    px_arena_deinit(&work.arena);
    return NULL;
}

/* ---- start and end ---- */

static int make_log(struct replicator *replicator)
{
    const struct function_catalogue *c = replicator->options.catalogue;
    struct px_str tables[TABLE_LOG_TABLES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < c->store_count; i++) {
        if (strcmp(c->stores[i].kind, "tables") != 0) continue;
        for (size_t k = 0; k < c->stores[i].table_count; k++) {
            if (count == PX_COUNT(tables))
                return px_fault(PX_F_CONFIG, "functions.json: more than %zu tables", count);
            tables[count++] = px_str_c(c->stores[i].tables[k]);
        }
    }
    return table_log_enable(replicator->apply_store, replicator->options.region, tables, count);
}

static int open_all(struct replicator *replicator)
{
    const struct table_options tables = {.clock = replicator->options.clock};
    struct px_str path = px_str_c(replicator->options.tables_path);
    replicator->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (replicator->stop_fd < 0) return px_fault_errno("eventfd");
    PX_TRY(table_store_open(path, &tables, &replicator->apply_store));
    PX_TRY(make_log(replicator));
    return table_store_open(path, &tables, &replicator->read_store);
}

static void add_sender(struct replicator *replicator, const struct sibling *sibling)
{
    struct sender *sender = &replicator->senders[replicator->count++];
    *sender = (struct sender){.replicator = replicator,
                              .sibling = sibling,
                              .cut = sibling->cut,
                              .state = SENDER_EVEN,
                              .acked_seq = -1};
}

static void init_sync(struct replicator *replicator)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&replicator->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&replicator->mutex, NULL);
    (void)pthread_mutex_init(&replicator->apply_mutex, NULL);
    (void)pthread_mutex_init(&replicator->read_mutex, NULL);
}

int replicator_new(const struct replicator_options *options, struct replicator **ret_replicator)
{
    PX_AUTO(replicator_free) struct replicator *replicator = calloc(1, sizeof *replicator);
    if (!replicator) return px_fault(PX_F_OOM, "replication");
    replicator->options = *options;
    replicator->lag_ms = options->siblings->lag_ms;
    replicator->scatter_ms = options->siblings->scatter_ms;
    replicator->stop_fd = -1;
    init_sync(replicator);
    PX_TRY(open_all(replicator));
    for (size_t i = 0; i < options->siblings->count; i++)
        add_sender(replicator, &options->siblings->at[i]);
    for (size_t i = 0; i < replicator->count; i++) { /* each may look at all of them */
        struct sender *sender = &replicator->senders[i];
        if (pthread_create(&sender->thread, NULL, run, sender) != 0)
            return px_fault(PX_F_UNAVAILABLE, "a thread for replication");
        sender->started = true;
    }
    *ret_replicator = PX_TAKE(replicator);
    return 0;
}

static void stop(struct replicator *replicator)
{
    const uint64_t one = 1;
    (void)pthread_mutex_lock(&replicator->mutex);
    replicator->stop = true;
    (void)pthread_cond_broadcast(&replicator->wake);
    (void)pthread_mutex_unlock(&replicator->mutex);
    if (replicator->stop_fd >= 0 && write(replicator->stop_fd, &one, sizeof one) < 0)
        px_log(replicator->options.log, PX_WARN, "eventfd: %s", strerror(errno));
    for (size_t i = 0; i < replicator->count; i++)
        if (replicator->senders[i].started) (void)pthread_join(replicator->senders[i].thread, NULL);
}

void replicator_free(struct replicator **replicator)
{
    struct replicator *r = PX_TAKE(*replicator);
    if (!r) return;
    stop(r);
    table_store_close(&r->apply_store);
    table_store_close(&r->read_store);
    px_close(&r->stop_fd);
    (void)pthread_mutex_destroy(&r->mutex);
    (void)pthread_mutex_destroy(&r->apply_mutex);
    (void)pthread_mutex_destroy(&r->read_mutex);
    (void)pthread_cond_destroy(&r->wake);
    free(r);
}
