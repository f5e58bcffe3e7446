/* svc/ingest/spool_tell.c - a spool's requests to the tenant's hot files; see spool.h.
 *
 * Claims decide, as for any request. What was answered for is stored whatever they say: a key that came with one content into the
 * spool and with another to the tenant's new home has been answered for twice, so the spool's is stored under an id of its own. */
#include "svc/ingest/spool.h"

#include <xxhash.h>

#include "columnar/frame_layout.h"
#include "svc/ingest/spool_layout.h"

#define TELL_BYTES_MAX ((size_t)256 << 20)

struct telling {
    const struct claim_stores *stores;
    struct px_str tenant;
    struct claims claims;
    struct px_buf frame; /* the one that is told on */
    struct px_arena arena;
    struct spool_told *told;
};

static int corrupt(const struct hot_file *file, uint64_t seq)
{
    return px_fault(PX_F_CORRUPT, "%.*s: frame %llu of a spool", PX_FMT(file->path),
                    (unsigned long long)seq);
}

/* The wish as it was, and the frame into telling->frame. */
static int read_entry(struct telling *telling, const struct hot_file *file,
                      const struct hot_frame *entry, struct claim_wish *ret_wish)
{
    struct spool_header header;
    struct frame frame;
    if (entry->payload.len < sizeof header) return corrupt(file, entry->seq);
    memcpy(&header, entry->payload.ptr, sizeof header);
    bool whole = header.magic == SPOOL_MAGIC && header.version == SPOOL_VERSION &&
                 header.header_bytes == sizeof header && header.window_ns > 0 &&
                 header.lease_ns > 0;
    if (!whole) return corrupt(file, entry->seq);
    struct px_str payload = px_str_skip(entry->payload, sizeof header);
    PX_TRY(frame_open(payload, &telling->arena, &frame));
    if (memcmp(frame.header.request_id, header.request_id, 16) != 0)
        return corrupt(file, entry->seq);
    px_buf_clear(&telling->frame);
    px_buf_add(&telling->frame, payload.ptr, payload.len);
    *ret_wish = (struct claim_wish){.tenant = telling->tenant,
                                    .dataset = file->dataset,
                                    .has_key = header.has_key != 0,
                                    .window_ns = header.window_ns,
                                    .lease_ns = header.lease_ns,
                                    .accepted = header.accepted,
                                    .refused = header.refused};
    memcpy(ret_wish->request_id, header.request_id, 16);
    memcpy(ret_wish->content, header.content, 16);
    return px_buf_fault(&telling->frame);
}

/* Another id for the same content, the same one whenever it is asked for; the frame has it, too. */
static void rename_entry(struct telling *telling, struct claim_wish *wish)
{
    uint8_t both[32];
    XXH128_canonical_t canonical;
    memcpy(both, wish->request_id, 16);
    memcpy(both + 16, wish->content, 16);
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(both, sizeof both));
    memcpy(wish->request_id, canonical.digest, 16);
    memcpy(telling->frame.ptr + offsetof(struct frame_disk_header, request_id), wish->request_id,
           16);
}

static int append(struct telling *telling, const struct claim *claim)
{
    struct px_str payload = px_buf_str(&telling->frame);
    uint64_t seq = 0;
    if (!claim_may_append(claim, telling->stores->clock))
        return px_fault(PX_F_BUSY, "the lease ran out before the append");
    PX_TRY(hot_append(telling->stores->writer, claim->tenant, claim->dataset, &payload, 1, &seq));
    PX_ASSERT(seq == claim->seq);
    return 0;
}

static int tell_one(struct telling *telling, struct claim_wish *wish)
{
    struct claim claim;
    const struct claim_stores *stores = telling->stores;
    int r = claim_take(&telling->claims, stores, wish, &telling->arena, &claim);
    if (r == CLAIM_MISMATCH) {
        rename_entry(telling, wish);
        r = claim_take(&telling->claims, stores, wish, &telling->arena, &claim);
    }
    if (r == CLAIM_MISMATCH) return px_fault(PX_F_CORRUPT, "two requests of one id in a spool");
    PX_TRY(r < 0 ? r : 0);
    telling->told->known += r == CLAIM_REPEATED;
    telling->told->more = telling->told->more || r == CLAIM_BUSY;
    if (r != 0) return 0;
    r = append(telling, &claim);
    if (r != 0) claim_withdraw(&telling->claims, stores, &claim, &telling->arena);
    PX_TRY(r);
    claim_settle(&telling->claims, stores, &claim, &telling->arena);
    telling->told->stored++;
    return 0;
}

static bool is_over(int64_t deadline_mono_ns)
{
    return deadline_mono_ns != 0 && px_mono_ns(&px_clock_system) >= deadline_mono_ns;
}

static int tell_file(struct telling *telling, const struct hot_file *file, int64_t deadline_mono_ns)
{
    PX_AUTO(hot_reader_close) struct hot_reader *reader = NULL;
    int r = hot_reader_open(file, &reader);
    if (r == HOT_GONE) return px_fault(PX_F_IO, "%.*s is gone", PX_FMT(file->path));
    PX_TRY(r);
    for (;;) {
        struct hot_frame entry;
        struct claim_wish wish;
        r = hot_reader_next(reader, &entry);
        if (r == HOT_END) return 0;
        PX_TRY(r);
        if (is_over(deadline_mono_ns)) {
            telling->told->more = true;
            return 0;
        }
        px_arena_reset(&telling->arena);
        PX_TRY(read_entry(telling, file, &entry, &wish));
        PX_TRY(tell_one(telling, &wish));
    }
}

int spool_tell(const struct claim_stores *stores, struct px_str tenant,
               const struct hot_spool *place, int64_t deadline_mono_ns, struct spool_told *told)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    struct telling telling = {.stores = stores, .tenant = tenant, .told = told};
    struct hot_file *files = NULL;
    size_t count = 0;
    int r = 0;
    px_arena_init(&arena, TELL_BYTES_MAX);
    PX_TRY(hot_spool_list(place, &arena, &files, &count));
    claims_init(&telling.claims);
    px_arena_init(&telling.arena, TELL_BYTES_MAX);
    px_buf_init(&telling.frame, TELL_BYTES_MAX);
    for (size_t i = 0; i < count && r == 0; i++)
        r = tell_file(&telling, &files[i], deadline_mono_ns);
    px_buf_deinit(&telling.frame);
    px_arena_deinit(&telling.arena);
    return r;
}
