/* svc/audit/audit.c - see audit.h.
 *
 * Who loses a race for a place reads the head anew and tries behind it; unless the place holds what he wrote himself, and
 * only the answer to that was lost. The time of an entry is never before that of the
 * one before it, whatever the clock says, so that a time can be looked for by halving. */
#include "svc/audit/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/px_id.h"

#define TURNS_MAX 200
#define PAUSE_NS_MAX (8 * PX_NS_PER_MS)
#define DOCUMENT_BYTES_MAX (240u << 10)
#define SCRATCH_BYTES_MAX ((size_t)2 << 20)

struct px_str audit_sort(uint64_t seq, char buf[24])
{
    int n = snprintf(buf, 24, "%012" PRIu64, seq);
    return px_str(buf, (size_t)n);
}

/* ---- heads ---- */

int audit_head_parse(struct px_str document, struct audit_head *ret_head)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 1u << 16);
    yyjson_val *root = NULL;
    struct audit_head head = {0};
    int r = px_json_parse(document, &arena, &root, NULL);
    if (r == PX_JSON_INVALID) return px_fault(PX_F_CORRUPT, "a head is no JSON");
    PX_TRY(r);
    int64_t seq = px_json_i64(root, "seq", 0);
    struct px_str hash = px_json_str(root, "hash");
    if (seq < 1 || !digest_is_hex(hash) || !px_time_parse(px_json_str(root, "at"), &head.at_ns))
        return px_fault(PX_F_CORRUPT, "a head without seq, hash or time");
    head.seq = (uint64_t)seq;
    memcpy(head.hash, hash.ptr, hash.len);
    *ret_head = head;
    return 0;
}

int audit_head_read(struct table_store *tables, struct px_str chain, struct audit_head *ret_head)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, SCRATCH_BYTES_MAX);
    const struct table_key key = {.table = S(AUDIT_HEADS), .partition = chain};
    struct table_item item = {0};
    struct audit_head head = {.hash = AUDIT_NO_PREV};
    int r = table_get(tables, &key, &arena, &item);
    if (r == 0) {
        PX_TRY(audit_head_parse(item.document, &head));
        head.version = item.version;
        r = TABLE_ABSENT;
    }
    if (r != TABLE_ABSENT) PX_TRY(r);
    *ret_head = head;
    return 0;
}

static void head_write(struct px_buf *buf, const struct audit_head *head)
{
    char at[32];
    (void)px_time_format(head->at_ns, 9, at);
    px_buf_printf(buf, "{\"seq\":%" PRIu64 ",\"hash\":\"%s\",\"at\":\"%s\"}", head->seq, head->hash,
                  at);
}

/* ---- one entry behind the last ---- */

struct writing {
    const struct audit *audit;
    struct audit_entry *entry; /* chain, event and what it tells; the rest is filled in */
    const struct audit_states *states;
};

/* Answers: TABLE_CONDITION_FAILED: the place holds something else, or nothing. */
static int look_whether_ours(const struct writing *w, struct px_str document)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    char sort[24];
    px_arena_init(&arena, SCRATCH_BYTES_MAX);
    const struct table_key key = {S(AUDIT_TABLE), w->entry->chain, audit_sort(w->entry->seq, sort)};
    struct table_item item = {0};
    int r = table_get(w->audit->tables, &key, &arena, &item);
    if (r == TABLE_ABSENT) return TABLE_CONDITION_FAILED;
    PX_TRY(r);
    return px_str_eq(item.document, document) ? 0 : TABLE_CONDITION_FAILED;
}

/* Answers: TABLE_CONDITION_FAILED with ret_failed: 0 the entry's place is taken, 1 the head has moved on. */
static int write_behind(const struct writing *w, const struct audit_head *head, size_t *ret_failed)
{
    PX_AUTO(px_buf_deinit) struct px_buf document, tip;
    struct audit_head next = {.seq = head->seq + 1};
    char sort[24];
    px_buf_init(&document, DOCUMENT_BYTES_MAX);
    px_buf_init(&tip, 4096);
    w->entry->seq = next.seq;
    w->entry->prev = px_str_c(head->hash);
    w->entry->at_ns = PX_MAX(px_wall_ns(w->audit->clock), head->at_ns);
    next.at_ns = w->entry->at_ns;
    audit_entry_write(&document, w->entry, w->states);
    PX_TRY(px_buf_fault(&document));
    digest_of(px_buf_str(&document), next.hash);
    head_write(&tip, &next);
    PX_TRY(px_buf_fault(&tip));
    const struct table_put puts[] = {
        {.key = {S(AUDIT_TABLE), w->entry->chain, audit_sort(next.seq, sort)},
         .document = px_buf_str(&document),
         .condition = TABLE_NEW},
        {.key = {.table = S(AUDIT_HEADS), .partition = w->entry->chain},
         .document = px_buf_str(&tip),
         .condition = head->version > 0 ? TABLE_VERSION : TABLE_NEW,
         .version = head->version}};
    int r = table_put_all(w->audit->tables, puts, PX_COUNT(puts), ret_failed);
    return r == TABLE_CONDITION_FAILED ? look_whether_ours(w, px_buf_str(&document)) : r;
}

/* Longer with each turn, and never the same for two. */
static void pause_before(int turn)
{
    int64_t most = PX_MIN(PX_NS_PER_MS * (turn + 1), PAUSE_NS_MAX);
    struct timespec pause = {.tv_nsec = (long)(px_random_u64() % (uint64_t)most)};
    (void)nanosleep(&pause, NULL);
}

static int append(const struct writing *w)
{
    struct audit_head head = {0}, before = {.version = -1};
    size_t failed = 0;
    uint8_t random[8];
    char id[2 * sizeof random + 1];
    px_random(random, sizeof random);
    px_hex(random, sizeof random, id);
    w->entry->id = px_str_c(id);
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        PX_TRY(audit_head_read(w->audit->tables, w->entry->chain, &head));
        if (failed == 0 && head.version == before.version)
            return px_fault(PX_F_CORRUPT,
                            "audit log %.*s: an entry %" PRIu64 " stands behind the head, which "
                            "does not tell of it (prism audit verify)",
                            PX_FMT(w->entry->chain), head.seq + 1);
        int r = write_behind(w, &head, &failed);
        if (r == 0) return 0;
        if (r != TABLE_CONDITION_FAILED) PX_TRY(r);
        before = head;
        pause_before(turn);
    }
    return px_fault(PX_F_BUSY, "audit log %.*s: others were always faster",
                    PX_FMT(w->entry->chain));
}

/* ---- a call ---- */

int audit_intend(const struct audit *audit, const struct audit_call *call,
                 struct audit_intent *ret_intent)
{
    struct audit_intent intent = {0};
    struct px_str region = audit->region.len > 0 ? audit->region : S("local");
    int n = snprintf(intent.chain, sizeof intent.chain, "%.*s/%.*s", PX_FMT(region),
                     PX_FMT(call->tenant));
    PX_ASSERT(call->tenant.len > 0 && n > 0 && n < (int)sizeof intent.chain);
    struct audit_entry entry = {.chain = px_str_c(intent.chain),
                                .event = AUDIT_INTENT,
                                .operation = call->operation,
                                .target = call->target,
                                .who = call->who};
    const struct audit_states states = {.asked = call->asked, .before = call->before};
    const struct writing writing = {audit, &entry, &states};
    PX_TRY(append(&writing));
    intent.seq = entry.seq;
    *ret_intent = intent;
    return 0;
}

int audit_conclude(const struct audit *audit, const struct audit_intent *intent,
                   const struct audit_outcome *outcome)
{
    PX_ASSERT(intent->seq > 0);
    struct audit_entry entry = {.chain = px_str_c(intent->chain),
                                .event = AUDIT_OUTCOME,
                                .of = intent->seq,
                                .status = outcome->status,
                                .detail = outcome->detail};
    const struct audit_states states = {.after = outcome->after};
    const struct writing writing = {audit, &entry, &states};
    return append(&writing);
}

void audit_conclude_fault(const struct audit *audit, const struct audit_intent *intent, int fault)
{
    const struct audit_outcome outcome = {.status = px_fault_http(fault),
                                          .detail = px_str_c(px_fault_message(fault))};
    int r = audit_conclude(audit, intent, &outcome);
    (void)r;
}
