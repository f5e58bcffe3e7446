/* delivery/pipeline/journal.h - the entries of runs as objects that are written once:
 *
 *   runs/000017/000004.json     entry 4 of run 17; the first one of a run holds the hash of the last one of the run before
 *   runs/000017/lease-00002     signs of life of who holds the run under fence 2 (lease.h)
 *   runs/000017/kept/<step>/<name>   files of steps
 *   definitions/<sha256>.json   the pipelines that runs began with
 *   environments/<name>.json    what an environment got last
 *
 * An entry's object is made only where none is. So of two writers one wins, the other learns what was written instead, and
 * who lost a run cannot write behind who took it: the order of the journal is the lock. */
#pragma once

#include "delivery/pipeline/entry.h"
#include "store/objects.h"

#define JOURNAL_NUMBER_MAX 999999

struct journal {
    struct object_store *store; /* borrowed */
    uint32_t run, seq;          /* of the last entry that was read or written; run 0: none */
    char hash[DIGEST_HEX_BYTES];
};
enum journal_answer { JOURNAL_NONE = 1, JOURNAL_TAKEN };

/* The last run that there is. Answers: JOURNAL_NONE. */
PX_MUST_USE int journal_last(struct object_store *store, uint32_t *ret_run);
/* Before the first entry of a run. */
void journal_init(struct journal *journal, struct object_store *store, uint32_t run);
/* The entry behind the last one, with its place in the chain checked; the first of a run is checked against `prev` by the caller.
 * Answers: JOURNAL_NONE: there is no more. Faults: PX_F_CORRUPT. */
PX_MUST_USE int journal_next(struct journal *journal, struct px_arena *arena,
                             struct entry *ret_entry);
/* Write the entry behind the last one; run, seq, prev, id and hash of entry are filled in.
 * Answers: JOURNAL_TAKEN: somebody else wrote there; journal_next() reads it. */
PX_MUST_USE int journal_append(struct journal *journal, struct px_arena *arena, struct entry *entry,
                               struct px_str data);
/* The key of an entry, "runs/000017/000004.json", into buf[64]. */
struct px_str journal_key(uint32_t run, uint32_t seq, char buf[64]);
/* An object that is made only where none is: JOURNAL_TAKEN otherwise. */
PX_MUST_USE int journal_put_new(struct object_store *store, struct px_str key, struct px_str bytes);

/* Whether the whole log is what was written: every entry there, in its place, with the hash of the one before.
 *   problems  gets a line for each thing that is wrong
 *   tip       empty, or the hash of an entry that somebody noted down: it must be in the chain still */
struct journal_check {
    uint64_t runs, entries;
    char tip[DIGEST_HEX_BYTES]; /* hash of the last entry */
    unsigned problems;
};
PX_MUST_USE int journal_verify(struct object_store *store, struct px_str tip,
                               struct px_buf *problems, struct journal_check *ret_check);
