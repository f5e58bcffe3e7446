/* svc/ingest/claim.c - claims: taking, judging what others left, settling, withdrawing.
 *
 * Invariant: the number (writer, seq) that a standing claim names is used for that claim's request or
 * never. A writer whose append failed withdraws the claim before it uses the number again; while it
 * cannot (`debt`), it makes no claim at all. So a sealed number proves that the request is stored. */
#include "svc/ingest/claim.h"

#include <stdio.h>

#include "base/px_id.h"
#include "base/px_json.h"
#include "columnar/frame.h"
#include "svc/catalog/catalog.h"

#define TAKE_TRIES 4 /* each further one means that another process moved the claim meanwhile */

static const struct px_str state_pending = {"pending", 7}, state_done = {"done", 4};

void claims_init(struct claims *claims)
{
    *claims = (struct claims){0};
    process_name(claims->process);
    if (claims->process[0] == '\0') memcpy(claims->process, "?", 2);
}

/* ---- the item ---- */

static struct table_key key_of(const struct claim *claim)
{
    return (struct table_key){S("idempotency"), claim->tenant, px_str_c(claim->sort)};
}

static struct px_str document(const struct claims *claims, const struct claim *claim,
                              struct px_str state, struct px_arena *arena)
{
    char id[33], content[33];
    px_hex(claim->request_id, 16, id);
    px_hex(claim->content, 16, content);
    return px_arena_printf(
        arena,
        "{\"state\":\"%.*s\",\"writer\":\"%s\",\"seq\":%llu,\"id\":\"%s\",\"content\":\"%s\","
        "\"process\":\"%s\",\"started_ns\":%lld,\"lease_end_ns\":%lld,"
        "\"accepted\":%llu,\"refused\":%llu}",
        PX_FMT(state), claim->writer, (unsigned long long)claim->seq, id, content, claims->process,
        (long long)claim->started_ns, (long long)claim->lease_end_ns,
        (unsigned long long)claim->accepted, (unsigned long long)claim->refused);
}

/* What somebody wrote, read back. */
struct standing {
    bool is_done;
    struct px_str writer, process;
    uint64_t seq;
    int64_t lease_end_ns;
    uint8_t request_id[16], content[16];
    uint64_t accepted, refused;
};

static int standing_read(struct px_str text, struct px_arena *arena, struct standing *ret_standing)
{
    yyjson_val *root;
    int r = px_json_parse(text, arena, &root, NULL);
    if (r < 0) return r;
    struct standing it = {0};
    bool fine = r == 0 && px_unhex(px_json_str(root, "id"), it.request_id, 16) &&
                px_unhex(px_json_str(root, "content"), it.content, 16);
    if (!fine) return px_fault(PX_F_CORRUPT, "a claim in table idempotency");
    it.is_done = px_str_eq(px_json_str(root, "state"), state_done);
    it.writer = px_json_str(root, "writer");
    it.process = px_json_str(root, "process");
    it.seq = (uint64_t)px_json_i64(root, "seq", 0);
    it.lease_end_ns = px_json_i64(root, "lease_end_ns", 0);
    it.accepted = (uint64_t)px_json_i64(root, "accepted", 0);
    it.refused = (uint64_t)px_json_i64(root, "refused", 0);
    *ret_standing = it;
    return 0;
}

/* ---- is the frame that a claim names there? ---- */

/* Frames of one file; a damaged one cannot be the answer, so the search goes on behind it. */
static int file_has_frame(const struct hot_file *file, const struct standing *standing,
                          struct px_arena *arena, bool *ret_found)
{
    PX_AUTO(hot_reader_close) struct hot_reader *reader = NULL;
    int r = hot_reader_open(file, &reader);
    if (r == HOT_GONE) return 0; /* sealed meanwhile: the catalog knows */
    PX_TRY(r);
    for (;;) {
        struct hot_frame frame;
        r = hot_reader_next(reader, &frame);
        if (r == HOT_END) return 0;
        if (r == PX_F_CORRUPT) continue;
        PX_TRY(r);
        if (frame.seq != standing->seq) continue;
        struct frame opened;
        PX_TRY(frame_open(frame.payload, arena, &opened));
        *ret_found = memcmp(opened.header.request_id, standing->request_id, 16) == 0;
        return 0;
    }
}

static int hot_has_frame(const struct claim_stores *stores, const struct claim *claim,
                         const struct standing *standing, struct px_arena *arena, bool *ret_found)
{
    struct hot_file *files;
    size_t count;
    PX_TRY(hot_list(stores->hot, claim->tenant, claim->dataset, arena, &files, &count));
    for (size_t i = 0; i < count && !*ret_found; i++)
        if (px_str_eq(files[i].writer, standing->writer))
            PX_TRY(file_has_frame(&files[i], standing, arena, ret_found));
    return 0;
}

/* Hot before sealed: a frame moves only that way, so it cannot slip past. */
static int frame_exists(const struct claim_stores *stores, const struct claim *claim,
                        const struct standing *standing, struct px_arena *arena, bool *ret_exists)
{
    bool found = false;
    PX_TRY(hot_has_frame(stores, claim, standing, arena, &found));
    if (!found) {
        struct catalog *catalog;
        uint64_t mark;
        PX_TRY(stores->catalog_of(stores->ctx, &catalog));
        PX_TRY(catalog_mark(catalog, claim->tenant, claim->dataset, standing->writer, &mark));
        found = mark >= standing->seq;
    }
    *ret_exists = found;
    return 0;
}

enum verdict { VERDICT_STORED, VERDICT_FREE, VERDICT_HELD };

static int judge(const struct claim_stores *stores, const struct claim *claim,
                 const struct standing *standing, struct px_arena *arena, enum verdict *ret_verdict)
{
    bool stored = standing->is_done;
    bool is_own = px_str_eq(standing->writer, px_str_c(claim->writer));
    /* asked before looking, for the holder may store and end between the two */
    bool is_over = is_own || px_wall_ns(stores->clock) >= standing->lease_end_ns ||
                   process_is_gone(standing->process);
    if (is_own && !stored)
        stored = claim->seq > standing->seq; /* one event at a time: ours is not under way */
    else if (!stored)
        PX_TRY(frame_exists(stores, claim, standing, arena, &stored));
    *ret_verdict = stored ? VERDICT_STORED : is_over ? VERDICT_FREE : VERDICT_HELD;
    return 0;
}

/* ---- taking ---- */

static int withdraw(const struct claim_stores *stores, const struct claim *claim,
                    struct px_arena *arena)
{
    struct table_item item;
    struct standing standing;
    struct table_key key = key_of(claim);
    int r = table_get(stores->tables, &key, arena, &item);
    if (r == TABLE_ABSENT) return 0;
    PX_TRY(r);
    PX_TRY(standing_read(item.document, arena, &standing));
    bool is_ours = !standing.is_done && standing.seq == claim->seq &&
                   px_str_eq(standing.writer, px_str_c(claim->writer));
    if (!is_ours) return 0;
    r = table_delete(stores->tables, &key, TABLE_VERSION, item.version);
    if (r == TABLE_CONDITION_FAILED) return 0; /* taken over: it names another number now */
    PX_TRY(r);
    return 0;
}

static void debt_note(struct claims *claims, const struct claim *claim)
{
    PX_ASSERT(!claims->has_debt && claim->tenant.len < sizeof claims->debt_tenant);
    claims->has_debt = true;
    claims->debt = *claim;
    memcpy(claims->debt_tenant, claim->tenant.ptr, claim->tenant.len);
    claims->debt.tenant = px_str(claims->debt_tenant, claim->tenant.len);
    claims->debt.dataset = (struct px_str){0};
}

static int debt_pay(struct claims *claims, const struct claim_stores *stores,
                    struct px_arena *arena)
{
    if (!claims->has_debt) return 0;
    PX_TRY(withdraw(stores, &claims->debt, arena));
    claims->has_debt = false;
    return 0;
}

static struct claim claim_make(const struct claim_stores *stores, const struct claim_wish *wish)
{
    struct claim claim = {
        .tenant = wish->tenant, .dataset = wish->dataset, .relaxed = !wish->has_key};
    char id[33];
    px_hex(wish->request_id, 16, id);
    (void)snprintf(claim.sort, sizeof claim.sort, "%.*s/%s", PX_FMT(wish->dataset), id);
    struct px_str writer = hot_writer_id(stores->writer);
    PX_ASSERT(writer.len == HOT_WRITER_LEN);
    memcpy(claim.writer, writer.ptr, writer.len);
    claim.seq = hot_writer_next_seq(stores->writer, wish->tenant, wish->dataset);
    claim.started_ns = px_wall_ns(stores->clock);
    claim.lease_end_ns = claim.started_ns + wish->lease_ns;
    claim.expires_ns = claim.started_ns + wish->window_ns;
    claim.accepted = wish->accepted;
    claim.refused = wish->refused;
    memcpy(claim.request_id, wish->request_id, 16);
    memcpy(claim.content, wish->content, 16);
    return claim;
}

/* Put the claim. Without a key the repeat of a request across a power failure may be stored again, so
 * such a claim does not wait for the disk; its frame does. */
static int put(struct claims *claims, const struct claim_stores *stores, struct claim *claim,
               struct px_str state, enum table_condition condition, struct px_arena *arena,
               struct table_item *ret_current)
{
    struct table_put put = {.key = key_of(claim),
                            .document = document(claims, claim, state, arena),
                            .expires_ns = claim->expires_ns,
                            .condition = condition,
                            .version = claim->version,
                            .relaxed = claim->relaxed || px_str_eq(state, state_done)};
    if (!put.document.ptr) return px_arena_fault(arena);
    return table_put(stores->tables, &put, arena, &claim->version, ret_current);
}

static int repeated(const struct standing *standing, struct claim *claim, struct claim *ret_claim)
{
    claim->accepted = standing->accepted;
    claim->refused = standing->refused;
    *ret_claim = *claim;
    return CLAIM_REPEATED;
}

/* A claim stands in the way: what is it worth? 0: `claim` may replace it, its version is set. */
static int contest(const struct claim_stores *stores, struct claim *claim,
                   const struct table_item *item, struct px_arena *arena, struct claim *ret_claim)
{
    struct standing standing;
    enum verdict verdict;
    PX_TRY(standing_read(item->document, arena, &standing));
    if (memcmp(standing.content, claim->content, 16) != 0) return CLAIM_MISMATCH;
    PX_TRY(judge(stores, claim, &standing, arena, &verdict));
    claim->version = item->version;
    if (verdict == VERDICT_FREE) return 0;
    if (verdict == VERDICT_HELD) return CLAIM_BUSY;
    if (!standing.is_done) { /* once noted, the next repeat need not look for the frame */
        (void)snprintf(claim->writer, sizeof claim->writer, "%.*s", PX_FMT(standing.writer));
        claim->seq = standing.seq;
        claim->unnoted = true;
    }
    return repeated(&standing, claim, ret_claim);
}

int claim_take(struct claims *claims, const struct claim_stores *stores,
               const struct claim_wish *wish, struct px_arena *arena, struct claim *ret_claim)
{
    PX_TRY(debt_pay(claims, stores, arena));
    struct claim claim = claim_make(stores, wish);
    enum table_condition condition = TABLE_NEW;
    for (int i = 0; i < TAKE_TRIES; i++) {
        struct table_item item = {0};
        int r = put(claims, stores, &claim, state_pending, condition, arena, &item);
        if (r == 0) {
            *ret_claim = claim;
            return 0;
        }
        if (r < 0) debt_note(claims, &claim); /* it may stand all the same */
        if (r < 0) return r;
        condition = TABLE_NEW; /* gone again, or never there */
        if (item.version == 0) continue;
        r = contest(stores, &claim, &item, arena, ret_claim);
        if (r != 0) return r;
        condition = TABLE_VERSION;
    }
    return CLAIM_BUSY;
}

int claim_look(const struct claim_stores *stores, const struct claim_wish *wish,
               struct px_arena *arena, struct claim *ret_claim)
{
    struct claim claim = claim_make(stores, wish);
    struct table_key key = key_of(&claim);
    struct table_item item;
    struct standing standing;
    int r = table_get(stores->tables, &key, arena, &item);
    if (r == TABLE_ABSENT) return 0;
    PX_TRY(r);
    PX_TRY(standing_read(item.document, arena, &standing));
    if (memcmp(standing.content, claim.content, 16) != 0) return CLAIM_MISMATCH;
    return standing.is_done ? repeated(&standing, &claim, ret_claim) : 0;
}

int claim_find(const struct claim_stores *stores, const struct claim_wish *wish,
               struct px_arena *arena, struct claim *ret_claim)
{
    struct claim claim = claim_make(stores, wish);
    struct table_key key = key_of(&claim);
    struct table_item item;
    int r = table_get(stores->tables, &key, arena, &item);
    if (r == TABLE_ABSENT) return 0;
    PX_TRY(r);
    return contest(stores, &claim, &item, arena, ret_claim);
}

/* ---- ending ---- */

/* Half of the lease is the append's own: a function's timeout is shorter, so an append that began in
 * time has ended one way or the other when the lease does. */
bool claim_may_append(const struct claim *claim, const struct px_clock *clock)
{
    int64_t now_ns = px_wall_ns(clock), half_ns = (claim->lease_end_ns - claim->started_ns) / 2;
    return now_ns >= claim->started_ns - half_ns && now_ns < claim->lease_end_ns - half_ns;
}

void claim_settle(struct claims *claims, const struct claim_stores *stores,
                  const struct claim *claim, struct px_arena *arena)
{
    struct claim done = *claim;
    int r = put(claims, stores, &done, state_done, TABLE_VERSION, arena, NULL);
    (void)r; /* see the header */
}

void claim_release(struct claims *claims, const struct claim_stores *stores,
                   const struct claim *claim, struct px_arena *arena)
{
    struct claim released = *claim;
    released.lease_end_ns = released.started_ns;
    int r = put(claims, stores, &released, state_pending, TABLE_VERSION, arena, NULL);
    (void)r; /* without it the repeat waits for the lease */
}

void claim_withdraw(struct claims *claims, const struct claim_stores *stores,
                    const struct claim *claim, struct px_arena *arena)
{
    if (withdraw(stores, claim, arena) != 0) debt_note(claims, claim);
}
