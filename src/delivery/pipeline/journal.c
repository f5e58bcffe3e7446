/* delivery/pipeline/journal.c - see journal.h. Runs and entries are numbered without gaps, so the last run is found by
 * doubling and halving instead of listing all of them. */
#include "delivery/pipeline/journal.h"

#include <stdio.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_id.h"

#define KEY_BYTES 64

struct px_str journal_key(uint32_t run, uint32_t seq, char buf[64])
{
    int n = snprintf(buf, KEY_BYTES, "runs/%06u/%06u.json", run, seq);
    return px_str(buf, (size_t)n);
}

static int exists(struct object_store *store, uint32_t run, bool *ret_exists)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    struct object_info info;
    char key[KEY_BYTES];
    px_arena_init(&arena, 1u << 16);
    int r = object_head(store, journal_key(run, 1, key), &arena, &info);
    if (r != OBJECT_ABSENT) PX_TRY(r);
    *ret_exists = r == 0;
    return 0;
}

int journal_last(struct object_store *store, uint32_t *ret_run)
{
    uint32_t there = 0, absent = 1;
    bool is_there = true;
    for (;;) {
        PX_TRY(exists(store, absent, &is_there));
        if (!is_there || absent > JOURNAL_NUMBER_MAX / 2) break;
        there = absent;
        absent *= 2;
    }
    while (absent - there > 1) {
        uint32_t middle = there + (absent - there) / 2;
        PX_TRY(exists(store, middle, &is_there));
        if (is_there)
            there = middle;
        else
            absent = middle;
    }
    if (there == 0) return JOURNAL_NONE;
    *ret_run = there;
    return 0;
}

void journal_init(struct journal *journal, struct object_store *store, uint32_t run)
{
    *journal = (struct journal){.store = store, .run = run, .hash = ENTRY_NO_PREV};
}

static int read_at(struct object_store *store, uint32_t run, uint32_t seq, struct px_arena *arena,
                   struct entry *ret_entry)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    char key[KEY_BYTES];
    px_buf_init(&buf, ENTRY_BYTES_MAX);
    int r = object_get(store, journal_key(run, seq, key), &buf);
    if (r == OBJECT_ABSENT) return JOURNAL_NONE;
    if (r == OBJECT_TOO_LARGE) return px_fault(PX_F_CORRUPT, "%s is larger than any entry", key);
    PX_TRY(r);
    r = entry_read(px_buf_str(&buf), arena, ret_entry);
    if (r == PX_F_CORRUPT) {
        char why[400];
        (void)px_fault_text(r, why, sizeof why);
        return px_fault(PX_F_CORRUPT, "%s: %s", key, why);
    }
    PX_TRY(r);
    if (ret_entry->run != run || ret_entry->seq != seq)
        return px_fault(PX_F_CORRUPT, "%s holds entry %u of run %u", key, ret_entry->seq,
                        ret_entry->run);
    return 0;
}

int journal_next(struct journal *journal, struct px_arena *arena, struct entry *ret_entry)
{
    struct entry entry;
    int r = read_at(journal->store, journal->run, journal->seq + 1, arena, &entry);
    if (r == JOURNAL_NONE) return r;
    PX_TRY(r);
    if (journal->seq > 0 && !px_str_eq(entry.prev, px_str_c(journal->hash)))
        return px_fault(PX_F_CORRUPT,
                        "entry %u of run %u does not follow the one before it: one of them was "
                        "changed (prism pipeline history --check)",
                        entry.seq, entry.run);
    journal->seq++;
    memcpy(journal->hash, entry.hash, sizeof journal->hash);
    *ret_entry = entry;
    return 0;
}

int journal_put_new(struct object_store *store, struct px_str key, struct px_str bytes)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    struct px_str path = {0};
    px_arena_init(&arena, 1u << 16);
    PX_TRY(object_temp_path(store, &arena, &path));
    int r = px_file_write_new(path.ptr, bytes, 0600);
    PX_TRY(r);
    r = object_put_file(store, key, path, S(""));
    if (r != 0) (void)unlink(path.ptr);
    if (r == OBJECT_EXISTS) return JOURNAL_TAKEN;
    PX_TRY(r);
    return 0;
}

/* An answer of the store may be lost while the object was made: it is ours when it has our id. */
static int is_ours(struct journal *journal, struct px_arena *arena, const struct entry *entry,
                   bool *ret_ours)
{
    struct entry there;
    int r = read_at(journal->store, entry->run, entry->seq, arena, &there);
    if (r == JOURNAL_NONE)
        return px_fault(PX_F_CORRUPT, "entry %u is there and is not", entry->seq);
    PX_TRY(r);
    *ret_ours = px_str_eq(there.id, entry->id);
    return 0;
}

int journal_append(struct journal *journal, struct px_arena *arena, struct entry *entry,
                   struct px_str data)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    uint8_t random[(ENTRY_ID_BYTES - 1) / 2];
    char id[ENTRY_ID_BYTES], key[KEY_BYTES], prev[DIGEST_HEX_BYTES];
    px_buf_init(&buf, ENTRY_BYTES_MAX);
    if (journal->seq >= JOURNAL_NUMBER_MAX || journal->run > JOURNAL_NUMBER_MAX)
        return px_fault(PX_F_LIMIT, "run %u has %u entries", journal->run, journal->seq);
    px_random(random, sizeof random);
    px_hex(random, sizeof random, id);
    memcpy(prev, journal->hash, sizeof prev);
    entry->run = journal->run;
    entry->seq = journal->seq + 1;
    entry->prev = px_str_c(prev);
    entry->id = px_str_c(id);
    entry_write(&buf, entry, data);
    PX_TRY(px_buf_fault(&buf));
    int r = journal_put_new(journal->store, journal_key(entry->run, entry->seq, key),
                            px_buf_str(&buf));
    if (r == JOURNAL_TAKEN) {
        bool ours = false;
        PX_TRY(is_ours(journal, arena, entry, &ours));
        if (!ours) return JOURNAL_TAKEN;
        r = 0;
    }
    PX_TRY(r);
    PX_TRY(entry_read(px_buf_str(&buf), arena, entry)); /* its views are now in arena */
    journal->seq = entry->seq;
    memcpy(journal->hash, entry->hash, sizeof journal->hash);
    return 0;
}
