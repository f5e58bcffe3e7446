/* svc/storage/seal_gather.h - which frames one segment is made of. */
#pragma once

#include "svc/storage/storage_internal.h"

/* A hot file that was looked at in this step. */
struct seal_source {
    const struct hot_file *file;
    struct hot_reader *reader; /* NULL when it could not be opened for its content */
    bool closed;               /* already nobody could append when reading began */
    bool ended;                /* read to its end: all its frames are sealed after this step */
    bool corrupt;              /* fails its checksums somewhere; `why` */
    struct px_str why;
};
/* A frame whose checksum holds but whose content cannot be read: once its mark has moved nobody looks at
 * it again, so its bytes are set aside before. */
struct seal_bad {
    const struct hot_file *file;
    uint64_t seq;
    struct px_str payload, why;
};
struct seal_frame {
    struct frame frame;
    uint32_t source;
    uint64_t seq;
    bool condemned; /* among the bad ones, too */
};
struct seal_batch {
    struct seal_source *sources;
    size_t source_count, source_cap;
    struct seal_frame *frames; /* in order of acceptance */
    size_t frame_count, frame_cap;
    struct seal_bad *bad;
    size_t bad_count, bad_cap;
    struct seal_mark *marks; /* of the writers that frames came from */
    size_t mark_count, mark_cap;
    uint64_t rows, raw_bytes, hot_bytes, columns;
    bool full; /* there may be more */
    struct px_arena *arena;
};
/* listed: the dataset's files as they were listed before the snapshot was read or at any earlier time;
 * only files up to the highest number of each writer in it are looked at. Since a writer numbers its
 * files upwards, every lower number existed by then and is in a listing made now: so no frame in the
 * middle can be missed because its file appeared while the folder was being read. */
struct seal_listing {
    const struct hot_file *files;
    size_t count;
};
PX_MUST_USE int seal_gather(struct storage *storage, const struct seal_listing *listed,
                            const struct catalog_snapshot *snapshot, struct px_arena *arena,
                            struct seal_batch *ret_batch);
/* Take out frames whose columns do not decode and add them to the bad ones. */
PX_MUST_USE int seal_weed(struct seal_batch *batch, size_t *ret_removed);
/* Put a frame among the bad ones because of `fault`; it stays where it is, so that the others keep their
 * places, until seal_drop_condemned(). */
PX_MUST_USE int seal_condemn(struct seal_batch *batch, size_t index, int fault);
void seal_drop_condemned(struct seal_batch *batch);
void seal_batch_deinit(struct seal_batch *batch); /* closes readers */
