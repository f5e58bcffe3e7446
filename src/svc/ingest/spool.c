/* svc/ingest/spool.c - writing; see spool.h. A frame of a spool is a header, then the frame that is to be stored. */
#include "svc/ingest/spool.h"

#include <stdio.h>

#include "svc/ingest/spool_layout.h"

void spool_close(struct spool *spool)
{
    hot_writer_free(&spool->writer);
    hot_spool_close(&spool->place);
    *spool = (struct spool){0};
}

static int open_for(struct spool *spool, struct hot_store *hot, struct px_str tenant, int64_t epoch)
{
    if (spool->writer && spool->epoch == epoch && px_str_eq(px_str_c(spool->tenant), tenant))
        return 0;
    spool_close(spool);
    PX_ASSERT(tenant.len < sizeof spool->tenant);
    PX_TRY(hot_spool_open(hot, tenant, epoch, true, &spool->place));
    PX_TRY(hot_writer_new(spool->place.files, NULL, &spool->writer));
    memcpy(spool->tenant, tenant.ptr, tenant.len);
    spool->epoch = epoch;
    return 0;
}

static int has_room(const struct spool *spool, uint64_t bytes, struct px_arena *arena,
                    bool *ret_room)
{
    struct hot_file *files = NULL;
    size_t count = 0;
    PX_TRY(hot_list(spool->place.files, px_str_c(spool->place.name), S(""), arena, &files, &count));
    for (size_t i = 0; i < count; i++) bytes += files[i].bytes;
    *ret_room = bytes <= SPOOL_BYTES_MAX;
    return 0;
}

int spool_append(struct spool *spool, struct hot_store *hot, const struct claim_wish *wish,
                 int64_t epoch, struct px_str frame, struct px_arena *arena)
{
    struct spool_header header = {.magic = SPOOL_MAGIC,
                                  .version = SPOOL_VERSION,
                                  .header_bytes = sizeof header,
                                  .window_ns = wish->window_ns,
                                  .lease_ns = wish->lease_ns,
                                  .accepted = wish->accepted,
                                  .refused = wish->refused,
                                  .has_key = wish->has_key};
    memcpy(header.request_id, wish->request_id, 16);
    memcpy(header.content, wish->content, 16);
    const struct px_str parts[] = {px_str((const char *)&header, sizeof header), frame};
    uint64_t seq;
    bool room = false;
    PX_TRY(open_for(spool, hot, wish->tenant, epoch));
    PX_TRY(has_room(spool, frame.len, arena, &room));
    if (!room) return SPOOL_FULL;
    return hot_append(spool->writer, px_str_c(spool->place.name), wish->dataset, parts,
                      PX_COUNT(parts), &seq);
}
