/* store/hot.h - the hot store: append-only write-ahead files of checksummed frames.
 *
 * Layout: <root>/<tenant>/<dataset>/<writer>-<file_no>.wal. A writer is one function instance; only
 * it appends to its files (appending from two writers is unsafe on NFS), and it holds an advisory
 * lock (flock) on each open file, so that a reader can tell a live writer from a dead one. A file is
 * closed for good when the writer has opened a higher file_no or its lock can be taken.
 * What a frame holds is the columnar layer's business; here it is bytes with a sequence number.
 *
 * File: a 64-byte file header, then frames. Frame: a 32-byte frame header {magic, version, seq,
 * payload bytes, payload crc32c, header crc32c}, payload, padding to 8. Little endian. A torn tail
 * (crash in the middle of an append) ends the file for readers and is never an error; a frame that
 * fails its checksum with valid frames behind it is PX_F_CORRUPT.
 *
 * Embedded half: a directory (local disk or an EFS mount). docs/design/hot.md has the invariants. */
#pragma once

#include "base/px.h"
#include "base/px_arena.h"
#include "base/px_clock.h"

#define HOT_WRITER_LEN 36                  /* a UUIDv7 */
#define HOT_PAYLOAD_BYTES_MAX (256u << 20) /* of one frame; more is PX_F_LIMIT */
#define HOT_PARTS_MAX 1000                 /* pieces of one payload; asserted */

struct hot_store;  /* opaque */
struct hot_writer; /* opaque: one per function instance; owns its open files */

/* Open the store in `root` (created when absent). */
PX_MUST_USE int hot_store_open(struct px_str root, struct hot_store **ret_store);
void hot_store_close(struct hot_store **store);

struct hot_writer_options {
    uint64_t file_bytes_max;      /* a larger file is closed before the next frame; 0: 64 MiB */
    int64_t file_age_ms_max;      /* likewise older; 0: 10 minutes */
    uint32_t files_open_max;      /* least recently used is closed first; 0: 256 */
    const struct px_clock *clock; /* borrowed; NULL: the machine's */
};
/* The writer gets a fresh UUIDv7. `store` must outlive it. options may be NULL. */
PX_MUST_USE int hot_writer_new(struct hot_store *store, const struct hot_writer_options *options,
                               struct hot_writer **ret_writer);
void hot_writer_free(struct hot_writer **writer);
struct px_str hot_writer_id(const struct hot_writer *writer);
/* The sequence number that the next append to this dataset by this writer will carry: 1, 2, 3, ...
 * over all files of (writer, tenant, dataset). A failed append uses its number up: a reader may have
 * seen the frame before it was withdrawn, and no other frame may ever be taken for a repeat of it. */
uint64_t hot_writer_next_seq(struct hot_writer *writer, struct px_str tenant,
                             struct px_str dataset);

/* Append one frame and return once it is on stable storage (fdatasync; for a new file also its
 * folder).
 *   tenant, dataset  path-safe names: [a-z0-9_-], see names in svc/catalog/names.h; asserted
 *   parts, n_parts   the payload in pieces, borrowed
 *   ret_seq          the frame's number
 * Faults: PX_F_NO_SPACE, PX_F_IO: the frame is voided, the file is closed for good and the next
 * append opens another; nothing of the frame will be seen by a reader. */
PX_MUST_USE int hot_append(struct hot_writer *writer, struct px_str tenant, struct px_str dataset,
                           const struct px_str *parts, size_t n_parts, uint64_t *ret_seq);

/* Whether this writer has appended to the dataset, or tried to, before. */
bool hot_writer_knows(struct hot_writer *writer, struct px_str tenant, struct px_str dataset);

/* Close the file of a dataset for good, so that it can be removed; the next append opens another. */
void hot_writer_retire(struct hot_writer *writer, struct px_str tenant, struct px_str dataset);

/* ---- reading ---- */

/* The names of the tenant's datasets that were ever written to and whose folder is still there, in no
 * order; sealing empties a folder and leaves it. */
PX_MUST_USE int hot_datasets(struct hot_store *store, struct px_str tenant, struct px_arena *arena,
                             struct px_str **ret_names, size_t *ret_count);

struct hot_file {
    struct px_str tenant, dataset, writer, path; /* in the listing's arena */
    uint32_t file_no;
    uint64_t bytes;
};
/* All files of one dataset, or of all datasets when dataset is empty, or of all tenants when tenant
 * is empty too, ordered by (tenant, dataset, writer, file_no). An absent folder gives none. */
PX_MUST_USE int hot_list(struct hot_store *store, struct px_str tenant, struct px_str dataset,
                         struct px_arena *arena, struct hot_file **ret_files, size_t *ret_count);

struct hot_reader; /* an open file, mapped read-only; stays readable after hot_file_remove() */
enum hot_answer { HOT_GONE = 1, HOT_END };
/* Answers: HOT_GONE when the file was removed meanwhile. */
PX_MUST_USE int hot_reader_open(const struct hot_file *file, struct hot_reader **ret_reader);
void hot_reader_close(struct hot_reader **reader);
struct hot_frame {
    uint64_t seq;
    struct px_str payload; /* in the mapping; valid until hot_reader_close() */
};
/* Next whole frame, checksum verified. Answers: HOT_END at the end or at a torn tail.
 * Faults: PX_F_CORRUPT with file and offset in the detail; the reader can go on behind it. */
PX_MUST_USE int hot_reader_next(struct hot_reader *reader, struct hot_frame *ret_frame);

/* From here on, frames up to and including seq are passed over by their headers alone, their payload
 * unread: for a reader who knows that they are sealed. */
void hot_reader_skip(struct hot_reader *reader, uint64_t seq);

/* Where a reader stands behind the frames that it passed over. A file only grows and a frame stays where
 * it is, so a later reader of the same file may begin there. seq 0: none, because nothing was passed
 * over or something in between was damaged. */
struct hot_bookmark {
    uint64_t offset, seq; /* the end of frame seq */
};
struct hot_bookmark hot_reader_bookmark(const struct hot_reader *reader);
/* Begin behind a bookmark of this file whose frames are sealed; before the first hot_reader_next(). One
 * beyond the end of the file is not taken. */
void hot_reader_resume(struct hot_reader *reader, struct hot_bookmark bookmark);

/* Whether its writer can still append to this file: a higher file_no of the same writer exists, or
 * the lock can be taken -> false. */
PX_MUST_USE int hot_file_is_live(struct hot_store *store, const struct hot_file *file,
                                 bool *ret_live);
/* Remove a closed file; absent is fine. Faults: PX_F_BUSY when its writer still holds it. */
PX_MUST_USE int hot_file_remove(struct hot_store *store, const struct hot_file *file);
/* Remove a file also when its writer still holds it, whose further frames nobody finds: for a deleted tenant. */
PX_MUST_USE int hot_file_discard(struct hot_store *store, const struct hot_file *file);
/* Remove what writers left that died while making a file, once older than age_ms. */
PX_MUST_USE int hot_sweep(struct hot_store *store, int64_t age_ms, size_t *ret_removed);
