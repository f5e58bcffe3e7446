/* svc/audit/verify.c - see verify.h. Entries come in pages, so a chain may have any length. Entries are read before their head:
 * both move at once, so the head is never behind what was read, and what it has more must still come. */
#include "svc/audit/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE_ITEMS 64u
#define PAGE_BYTES_MAX ((size_t)64 << 20)
#define CHAINS_BYTES_MAX ((size_t)256 << 20)

/* ---- chains ---- */

struct names {
    struct px_arena *arena;
    struct px_str *list;
    size_t count, room;
};

static int names_add(struct names *names, struct px_str name)
{
    if (names->count > 0 && px_str_eq(names->list[names->count - 1], name)) return 0;
    if (names->count == names->room) {
        size_t room = names->room ? names->room * 2 : 64;
        void *list = px_arena_realloc(names->arena, names->list, names->room * sizeof *names->list,
                                      room * sizeof *names->list);
        if (!list) return px_arena_fault(names->arena);
        names->list = list;
        names->room = room;
    }
    struct px_str kept = px_arena_dup(names->arena, name);
    if (!kept.ptr) return px_arena_fault(names->arena);
    names->list[names->count++] = kept;
    return 0;
}

static int names_of_table(struct table_store *tables, struct px_str table, struct names *names)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    char partition[512] = "", sort[512] = "";
    struct table_query query = {.key = {.table = table}, .max = PAGE_ITEMS};
    px_arena_init(&arena, PAGE_BYTES_MAX);
    for (;;) {
        struct table_item *items = NULL;
        size_t count = 0;
        px_arena_reset(&arena);
        PX_TRY(table_query(tables, &query, &arena, &items, &count));
        for (size_t i = 0; i < count; i++) PX_TRY(names_add(names, items[i].partition));
        if (count < PAGE_ITEMS) return 0;
        const struct table_item *last = &items[count - 1];
        memcpy(partition, last->partition.ptr, last->partition.len);
        memcpy(sort, last->sort.ptr, last->sort.len);
        query.after_partition = px_str(partition, last->partition.len);
        query.after_sort = px_str(sort, last->sort.len);
    }
}

static int compare_names(const void *a, const void *b)
{
    const struct px_str *one = a, *other = b;
    return px_str_cmp(*one, *other);
}

int audit_chains(struct table_store *tables, struct px_arena *arena, struct px_str **ret_chains,
                 size_t *ret_count)
{
    struct names names = {.arena = arena};
    PX_TRY(names_of_table(tables, S(AUDIT_HEADS), &names));
    PX_TRY(names_of_table(tables, S(AUDIT_TABLE), &names));
    if (names.count > 1) qsort(names.list, names.count, sizeof *names.list, compare_names);
    size_t kept = 0;
    for (size_t i = 0; i < names.count; i++)
        if (kept == 0 || !px_str_eq(names.list[kept - 1], names.list[i]))
            names.list[kept++] = names.list[i];
    *ret_chains = names.list;
    *ret_count = kept;
    return 0;
}

static int page_of(struct table_store *tables, struct px_str chain, struct px_str after_sort,
                   size_t max, struct px_arena *arena, struct table_item **ret_items,
                   size_t *ret_count)
{
    const struct table_query query = {.key = {.table = S(AUDIT_TABLE), .partition = chain},
                                      .after_partition = after_sort.len > 0 ? chain : S(""),
                                      .after_sort = after_sort,
                                      .max = max};
    return table_query(tables, &query, arena, ret_items, ret_count);
}

int audit_read(struct table_store *tables, struct px_str chain, uint64_t after, size_t max,
               struct px_arena *arena, struct audit_entry **ret_entries, struct px_str **ret_texts,
               size_t *ret_count)
{
    struct table_item *items = NULL;
    size_t count = 0;
    char sort[24];
    PX_TRY(page_of(tables, chain, after > 0 ? audit_sort(after, sort) : S(""), max, arena, &items,
                   &count));
    struct audit_entry *entries = px_arena_array(arena, struct audit_entry, count + 1);
    struct px_str *texts = px_arena_array(arena, struct px_str, count + 1);
    if (!entries || !texts) return px_arena_fault(arena);
    for (size_t i = 0; i < count; i++) {
        PX_TRY(audit_entry_read(items[i].document, arena, &entries[i]));
        texts[i] = items[i].document;
    }
    *ret_entries = entries;
    *ret_texts = texts;
    *ret_count = count;
    return 0;
}

/* ---- one chain ---- */

struct walk {
    const struct audit_check *check;
    struct audit_report *report;
    struct px_str chain;
    uint64_t seq; /* of the last place that was looked at */
    char hash[DIGEST_HEX_BYTES];
    bool known; /* hash is that of the entry at seq */
    char sort[512];
    size_t sort_len;
    uint64_t *open; /* intents without outcome so far */
    size_t open_count, open_room;
};

static void walk_end(struct walk *walk)
{
    free(walk->open);
    walk->open = NULL;
    walk->open_count = walk->open_room = 0;
}

__attribute__((format(printf, 4, 5))) static void say(struct walk *walk, uint64_t seq,
                                                      const char *kind, const char *fmt, ...)
{
    char text[600];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    const struct audit_problem problem = {walk->chain, seq, kind, px_str_c(text)};
    walk->report->problems++;
    if (walk->check->on_problem) walk->check->on_problem(walk->check->ctx, &problem);
}

static int open_add(struct walk *walk, uint64_t seq)
{
    if (walk->open_count == walk->open_room) {
        size_t room = walk->open_room ? walk->open_room * 2 : 64;
        uint64_t *open = realloc(walk->open, room * sizeof *open);
        if (!open) return px_fault(PX_F_OOM, "intents of an audit log");
        walk->open = open;
        walk->open_room = room;
    }
    walk->open[walk->open_count++] = seq;
    return 0;
}

static bool open_take(struct walk *walk, uint64_t seq)
{
    for (size_t i = walk->open_count; i-- > 0;) {
        if (walk->open[i] != seq) continue;
        walk->open[i] = walk->open[--walk->open_count];
        return true;
    }
    return false;
}

static int look_at_event(struct walk *walk, const struct audit_entry *entry)
{
    if (entry->event == AUDIT_INTENT) return open_add(walk, entry->seq);
    if (!open_take(walk, entry->of))
        say(walk, entry->seq, "outcome",
            "entry %" PRIu64 " is the outcome of entry %" PRIu64
            ", which is no call that waits for one",
            entry->seq, entry->of);
    return 0;
}

static void look_at_prev(struct walk *walk, const struct audit_entry *entry)
{
    if (!walk->known || px_str_eq(entry->prev, px_str_c(walk->hash))) return;
    if (entry->seq == 1)
        say(walk, 1, "changed", "entry 1 says that something stood before it");
    else
        say(walk, entry->seq - 1, "changed",
            "entry %" PRIu64 " is not what entry %" PRIu64
            " was written behind: one of them was changed, or put there by somebody else",
            entry->seq - 1, entry->seq);
}

static bool read_place(struct px_str sort, uint64_t *ret_seq)
{
    return sort.len == AUDIT_SEQ_DIGITS && px_str_to_u64(sort, ret_seq) && *ret_seq > 0;
}

static void look_for_gap(struct walk *walk, uint64_t seq)
{
    if (seq == walk->seq + 1) return;
    if (seq == walk->seq + 2)
        say(walk, walk->seq + 1, "removed", "entry %" PRIu64 " is missing", walk->seq + 1);
    else
        say(walk, walk->seq + 1, "removed", "entries %" PRIu64 " to %" PRIu64 " are missing",
            walk->seq + 1, seq - 1);
    walk->known = false;
}

static int look_at_item(struct walk *walk, const struct table_item *item, struct px_arena *arena)
{
    struct audit_entry entry;
    uint64_t seq = 0;
    if (!read_place(item->sort, &seq)) {
        say(walk, 0, "foreign", "an item \"%.*s\" is no entry's", (int)PX_MIN(item->sort.len, 64),
            item->sort.ptr);
        return 0;
    }
    walk->report->entries++;
    look_for_gap(walk, seq);
    if (item->version != 1)
        say(walk, seq, "rewritten", "entry %" PRIu64 " was written %lld times", seq,
            (long long)item->version);
    int r = audit_entry_read(item->document, arena, &entry);
    if (r == PX_F_CORRUPT) {
        char why[300];
        (void)px_fault_text(r, why, sizeof why);
        say(walk, seq, "unreadable", "entry %" PRIu64 " cannot be read: %s", seq, why);
    } else {
        PX_TRY(r);
        if (entry.seq != seq || !px_str_eq(entry.chain, walk->chain)) {
            say(walk, seq, "moved",
                "in place of entry %" PRIu64 " stands what was entry %" PRIu64 " of %.*s", seq,
                entry.seq, PX_FMT(entry.chain));
        } else {
            look_at_prev(walk, &entry);
            PX_TRY(look_at_event(walk, &entry));
        }
    }
    walk->seq = seq;
    walk->known = true;
    digest_of(item->document, walk->hash);
    if (walk->check->tip.len > 0 && px_str_eq(walk->check->tip, px_str_c(walk->hash)))
        walk->report->tip_found = true;
    return 0;
}

/* From where the walk stands to the end. */
static int walk_on(struct walk *walk)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, PAGE_BYTES_MAX);
    for (;;) {
        struct table_item *items = NULL;
        size_t count = 0;
        px_arena_reset(&arena);
        PX_TRY(page_of(walk->check->tables, walk->chain, px_str(walk->sort, walk->sort_len),
                       PAGE_ITEMS, &arena, &items, &count));
        for (size_t i = 0; i < count; i++) PX_TRY(look_at_item(walk, &items[i], &arena));
        if (count > 0) {
            walk->sort_len = items[count - 1].sort.len;
            memcpy(walk->sort, items[count - 1].sort.ptr, walk->sort_len);
        }
        if (count < PAGE_ITEMS) return 0;
    }
}

/* ret_more: the chain has grown while it was read. */
static int look_at_head(struct walk *walk, uint64_t walked_before, bool *ret_more)
{
    struct audit_head head;
    *ret_more = false;
    int r = audit_head_read(walk->check->tables, walk->chain, &head);
    if (r == PX_F_CORRUPT) {
        say(walk, 0, "head", "the head cannot be read");
        return 0;
    }
    PX_TRY(r);
    if (head.seq > walk->seq && walk->seq != walked_before) {
        *ret_more = true;
        return 0;
    }
    if (head.seq > walk->seq)
        say(walk, walk->seq + 1, "truncated",
            "the head tells of entry %" PRIu64 ", entries end at %" PRIu64, head.seq, walk->seq);
    else if (head.version == 0)
        say(walk, 0, "head", "the chain has no head");
    else if (head.seq < walk->seq)
        say(walk, head.seq + 1, "head",
            "the head tells of entry %" PRIu64 ", but entries go on to %" PRIu64, head.seq,
            walk->seq);
    else if (!px_str_eq(px_str_c(head.hash), px_str_c(walk->hash)))
        say(walk, walk->seq, "changed", "entry %" PRIu64 " is not the one that the head tells of",
            walk->seq);
    return 0;
}

static int verify_chain(const struct audit_check *check, struct px_str chain,
                        struct audit_report *report)
{
    PX_AUTO(walk_end)
    struct walk walk = {
        .check = check, .report = report, .chain = chain, .hash = AUDIT_NO_PREV, .known = true};
    report->chains++;
    bool more = true;
    for (uint64_t before = UINT64_MAX; more; before = walk.seq) {
        PX_TRY(walk_on(&walk));
        PX_TRY(look_at_head(&walk, before, &more));
    }
    report->unfinished += walk.open_count;
    return 0;
}

int audit_verify(const struct audit_check *check, struct audit_report *ret_report)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    struct audit_report report = {0};
    struct px_str *chains = NULL;
    size_t count = 0;
    px_arena_init(&arena, CHAINS_BYTES_MAX);
    if (check->chain.len > 0)
        PX_TRY(verify_chain(check, check->chain, &report));
    else
        PX_TRY(audit_chains(check->tables, &arena, &chains, &count));
    for (size_t i = 0; i < count; i++) PX_TRY(verify_chain(check, chains[i], &report));
    *ret_report = report;
    return 0;
}

/* ---- lines ---- */

struct ended {
    struct px_str chain;
    uint64_t seq;
    char hash[DIGEST_HEX_BYTES];
};
struct audit_lines {
    struct audit_check check;
    struct audit_report report;
    struct walk walk; /* of the chain in hand; its chain is empty before the first line */
    struct px_arena arena;
    struct ended *ended;
    size_t ended_count, ended_room;
};

int audit_lines_new(const struct audit_check *check, struct audit_lines **ret_lines)
{
    struct audit_lines *lines = calloc(1, sizeof *lines);
    if (!lines) return px_fault(PX_F_OOM, "lines of an audit log");
    lines->check = *check;
    px_arena_init(&lines->arena, CHAINS_BYTES_MAX);
    *ret_lines = lines;
    return 0;
}

void audit_lines_free(struct audit_lines **lines)
{
    if (!*lines) return;
    walk_end(&(*lines)->walk);
    px_arena_deinit(&(*lines)->arena);
    free(*lines);
    *lines = NULL;
}

static int end_chain(struct audit_lines *lines)
{
    struct walk *walk = &lines->walk;
    if (walk->chain.len == 0) return 0;
    if (lines->ended_count == lines->ended_room) {
        size_t room = lines->ended_room ? lines->ended_room * 2 : 64;
        void *list = px_arena_realloc(&lines->arena, lines->ended,
                                      lines->ended_room * sizeof *lines->ended,
                                      room * sizeof *lines->ended);
        if (!list) return px_arena_fault(&lines->arena);
        lines->ended = list;
        lines->ended_room = room;
    }
    struct ended *ended = &lines->ended[lines->ended_count++];
    *ended = (struct ended){.chain = walk->chain, .seq = walk->seq};
    memcpy(ended->hash, walk->hash, sizeof ended->hash);
    lines->report.unfinished += walk->open_count;
    walk_end(walk);
    return 0;
}

static int begin_chain(struct audit_lines *lines, struct px_str chain)
{
    PX_TRY(end_chain(lines));
    lines->walk = (struct walk){.check = &lines->check,
                                .report = &lines->report,
                                .chain = px_arena_dup(&lines->arena, chain),
                                .hash = AUDIT_NO_PREV,
                                .known = true};
    if (!lines->walk.chain.ptr) return px_arena_fault(&lines->arena);
    lines->report.chains++;
    for (size_t i = 0; i < lines->ended_count; i++)
        if (px_str_eq(lines->ended[i].chain, chain)) {
            say(&lines->walk, 0, "moved", "the chain goes on behind another's entries");
            break;
        }
    return 0;
}

int audit_lines_take(struct audit_lines *lines, struct px_str line)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    struct audit_entry entry;
    char sort[24];
    px_arena_init(&arena, PAGE_BYTES_MAX);
    int r = audit_entry_read(line, &arena, &entry);
    if (r != 0 && r != PX_F_CORRUPT) return r;
    if (r == 0 && !px_str_eq(entry.chain, lines->walk.chain))
        PX_TRY(begin_chain(lines, entry.chain));
    uint64_t seq = r == 0 ? entry.seq : lines->walk.seq + 1;
    if (lines->walk.chain.len == 0) PX_TRY(begin_chain(lines, S("?")));
    if (seq <= lines->walk.seq || seq > AUDIT_SEQ_MAX) {
        lines->report.entries++;
        if (seq > AUDIT_SEQ_MAX)
            say(&lines->walk, 0, "foreign", "a number %" PRIu64 " is no entry's", seq);
        else
            say(&lines->walk, seq, "moved", "entry %" PRIu64 " stands behind entry %" PRIu64, seq,
                lines->walk.seq);
        return 0;
    }
    const struct table_item item = {.sort = audit_sort(seq, sort), .document = line, .version = 1};
    return look_at_item(&lines->walk, &item, &arena);
}

int audit_lines_end(struct audit_lines *lines, struct audit_report *ret_report,
                    void (*on_end)(void *ctx, struct px_str chain, uint64_t seq, const char *hash),
                    void *ctx)
{
    PX_TRY(end_chain(lines));
    lines->walk = (struct walk){0};
    for (size_t i = 0; on_end && i < lines->ended_count; i++)
        on_end(ctx, lines->ended[i].chain, lines->ended[i].seq, lines->ended[i].hash);
    *ret_report = lines->report;
    return 0;
}
