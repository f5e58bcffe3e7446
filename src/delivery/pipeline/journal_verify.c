/* delivery/pipeline/journal_verify.c - the chain of all entries of all runs, followed from the first to the last.
 *
 * What is there is listed, not counted: so a gap is seen however large it is. Entries that were cut off at the very end leave no
 * trace in the chain; who noted the tip down finds that, too. */
#include <stdarg.h>
#include <stdio.h>

#include "delivery/pipeline/journal.h"

#define PAGE 500

struct checking {
    struct object_store *store;
    struct px_buf *problems;
    struct journal_check *check;
    struct px_str tip;
    bool tip_found, ended;
    uint32_t run, seq; /* of the last entry */
    char hash[DIGEST_HEX_BYTES];
    bool known; /* hash is that of the last entry; false behind one that cannot be read */
};

__attribute__((format(printf, 2, 3))) static void problem(struct checking *c, const char *fmt, ...)
{
    char text[512];
    va_list args;
    if (++c->check->problems > 100) return;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    px_buf_printf(c->problems, "%s\n", text);
}

static void check_gap(struct checking *c, uint32_t run, uint32_t seq)
{
    if (run == c->run && seq > c->seq + 1)
        problem(c, "run %u: entries %u to %u are missing", run, c->seq + 1, seq - 1);
    if (run == c->run) return;
    if (run > c->run + 1) problem(c, "runs %u to %u are missing", c->run + 1, run - 1);
    if (c->run > 0 && c->known && !c->ended)
        problem(c, "run %u: its last entries are missing: run %u began and it had not ended",
                c->run, run);
    if (seq > 1) problem(c, "run %u: entries 1 to %u are missing", run, seq - 1);
    c->check->runs++;
}

static int check_entry(struct checking *c, struct px_str key, uint32_t run, uint32_t seq)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    struct entry entry;
    char why[300];
    px_arena_init(&arena, 64u << 20);
    px_buf_init(&buf, ENTRY_BYTES_MAX);
    check_gap(c, run, seq);
    bool follows = c->known &&
                   ((run == c->run && seq == c->seq + 1) || (run == c->run + 1 && seq == 1));
    c->run = run;
    c->seq = seq;
    c->check->entries++;
    int r = object_get(c->store, key, &buf);
    if (r == OBJECT_TOO_LARGE) r = px_fault(PX_F_CORRUPT, "it is larger than any entry");
    if (r == 0) r = entry_read(px_buf_str(&buf), &arena, &entry);
    if (r == OBJECT_ABSENT) r = px_fault(PX_F_CORRUPT, "it went while it was read");
    c->known = r == 0;
    if (r == PX_F_CORRUPT) {
        problem(c, "run %u entry %u cannot be read: %s", run, seq,
                px_fault_text(r, why, sizeof why));
        return 0;
    }
    PX_TRY(r);
    if (entry.run != run || entry.seq != seq)
        problem(c, "run %u entry %u says that it is entry %u of run %u", run, seq, entry.seq,
                entry.run);
    if (follows && !px_str_eq(entry.prev, px_str_c(c->hash)))
        problem(
            c,
            "run %u entry %u does not follow the one before it: that one was changed, or this one",
            run, seq);
    memcpy(c->hash, entry.hash, sizeof c->hash);
    c->ended = entry.event == ENTRY_RUN_ENDED;
    c->tip_found |= px_str_eq(c->tip, px_str_c(c->hash));
    return 0;
}

/* "runs/000017/000004.json"; other objects of a run are none of it. */
static bool is_entry(struct px_str key, uint32_t *ret_run, uint32_t *ret_seq)
{
    char again[64];
    int64_t run, seq;
    if (key.len < 23 || !px_str_to_i64(px_str(key.ptr + 5, 6), &run) ||
        !px_str_to_i64(px_str(key.ptr + 12, 6), &seq) || run < 1 || seq < 1)
        return false;
    *ret_run = (uint32_t)run;
    *ret_seq = (uint32_t)seq;
    return px_str_eq(journal_key(*ret_run, *ret_seq, again), key);
}

static int check_page(struct checking *c, struct px_arena *arena, struct px_str *after,
                      bool *ret_more)
{
    struct object_info *infos = NULL;
    size_t count = 0;
    PX_TRY(object_list(c->store, S("runs/"), *after, PAGE, arena, &infos, &count));
    for (size_t i = 0; i < count; i++) {
        uint32_t run = 0, seq = 0;
        if (is_entry(infos[i].key, &run, &seq)) PX_TRY(check_entry(c, infos[i].key, run, seq));
    }
    if (count > 0) *after = infos[count - 1].key;
    *ret_more = count == PAGE;
    return 0;
}

int journal_verify(struct object_store *store, struct px_str tip, struct px_buf *problems,
                   struct journal_check *ret_check)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    struct journal_check check = {0};
    struct checking c = {.store = store,
                         .problems = problems,
                         .check = &check,
                         .tip = tip,
                         .hash = ENTRY_NO_PREV,
                         .known = true};
    struct px_str after = {0};
    px_arena_init(&arena, 512u << 20);
    for (bool more = true; more;) PX_TRY(check_page(&c, &arena, &after, &more));
    if (tip.len > 0 && !c.tip_found)
        problem(&c, "no entry has the hash %.*s: the log was cut off, or written anew",
                PX_FMT(tip));
    memcpy(check.tip, c.hash, sizeof check.tip);
    *ret_check = check;
    return 0;
}
