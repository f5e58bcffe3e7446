/* svc/storage/move.c - see move.h. */
#include "svc/storage/move.h"

#include <xxhash.h>

#include "store/hot_spool.h"
#include "svc/storage/move_claims.h"

enum { SEAL_ROUNDS = 4 }; /* another sealer may win some */

/* ---- the fence ---- */

static bool stands(const struct hot_fence *fence, enum hot_fence_state state, int64_t epoch)
{
    return fence->state == state && fence->epoch == epoch;
}

static bool is_late(const struct storage_move *move)
{
    return move->deadline_mono_ns != 0 && px_mono_ns(&px_clock_system) >= move->deadline_mono_ns;
}

/* ---- pack ---- */

static int seal_all(struct storage *storage, const struct storage_move *move,
                    struct storage_moved *moved)
{
    const struct storage_scope scope = {.tenant = move->tenant,
                                        .deadline_mono_ns = move->deadline_mono_ns};
    for (int i = 0; i < SEAL_ROUNDS; i++) {
        struct storage_counts counts = {0};
        PX_TRY(storage_seal(storage, &scope, &counts));
        moved->frames += counts.frames;
        moved->more = counts.more || counts.failed > 0 || counts.conflicts > 0;
        if (!moved->more) return 0;
    }
    return 0;
}

/* info: NULL when it was dropped. listed: the claims of what was sealed before the move are written down already. */
static int pack_dataset(struct storage *storage, const struct storage_move *move,
                        struct px_str name, const struct dataset_info *info, bool listed,
                        struct px_arena *arena, struct storage_moved *moved)
{
    struct catalog_snapshot snapshot;
    int r = catalog_read(storage->options.catalog, move->tenant, name, INT64_MIN, INT64_MAX, arena,
                         &snapshot);
    if (r == CATALOG_ABSENT) return px_fault(PX_F_BUG, "a dataset that was listed is gone");
    PX_TRY(r);
    if (!listed) PX_TRY(move_claims_list(storage, move, name, snapshot.marks, snapshot.mark_count));
    const struct catalog_arrival arrival = {.tenant = move->tenant,
                                            .dataset = name,
                                            .schema_json = snapshot.schema_json,
                                            .retention_days = info ? info->retention_days : 0,
                                            .rules = info ? info->rules : S(""),
                                            .dropped = snapshot.dropped,
                                            .segments = snapshot.segments,
                                            .segment_count = snapshot.segment_count,
                                            .marks = snapshot.marks,
                                            .mark_count = snapshot.mark_count};
    moved->datasets++;
    moved->segments += snapshot.segment_count;
    for (size_t i = 0; i < snapshot.segment_count; i++) {
        moved->rows += (uint64_t)snapshot.segments[i].rows;
        moved->bytes += (uint64_t)snapshot.segments[i].bytes;
    }
    return manifest_put_dataset(storage->options.segments, move->epoch, &arrival, arena);
}

static int pack_all(struct storage *storage, const struct storage_move *move,
                    struct px_arena *arena, struct storage_moved *moved)
{
    struct dataset_info *infos = NULL;
    struct px_str *dropped = NULL;
    size_t count = 0, dropped_count = 0;
    struct catalog *catalog = storage->options.catalog;
    PX_TRY(catalog_list(catalog, move->tenant, arena, &infos, &count));
    PX_TRY(catalog_dropped(catalog, move->tenant, arena, &dropped, &dropped_count));
    struct manifest manifest = {.last = moved->last, .freeze = moved->freeze};
    bool listed = false;
    PX_TRY(catalog_tenant_retention(catalog, move->tenant, arena, &manifest.retention));
    PX_TRY(move_claims_listed(storage, move, &listed));
    manifest.datasets = px_arena_array(arena, struct px_str, count + dropped_count + 1);
    if (!manifest.datasets) return px_arena_fault(arena);
    for (size_t i = 0; i < count + dropped_count; i++) {
        PX_AUTO(px_arena_deinit) struct px_arena one;
        px_arena_init(&one, STORAGE_ARENA_BYTES_MAX);
        struct px_str name = i < count ? infos[i].name : dropped[i - count];
        manifest.datasets[manifest.count++] = name;
        PX_TRY(
            pack_dataset(storage, move, name, i < count ? &infos[i] : NULL, listed, &one, moved));
    }
    if (!listed) PX_TRY(move_claims_set_listed(storage, move));
    PX_TRY(move_claims_names(storage, move, arena, &manifest));
    return manifest_put(storage->options.segments, move->tenant, move->epoch, &manifest, arena);
}

/* From here on whoever seals writes down the claims of it (move_claims.h). Answers: MOVE_FENCED. */
static int announce(struct storage *storage, const struct storage_move *move,
                    struct hot_fence *ret_fence)
{
    const struct hot_fence fence = {.state = HOT_FENCE_THAWED, .epoch = move->epoch};
    PX_TRY(hot_fence_read(storage->options.hot, move->tenant, ret_fence));
    if (ret_fence->epoch >= move->epoch) return 0;
    int r = hot_fence_raise(storage->options.hot, move->tenant, &fence, ret_fence);
    return r == HOT_FENCE_STALE ? 0 : r; /* a freeze came first: it says as much */
}

/* The fence is looked at first and everything is sealed then: see docs/design/migration.md. */
int storage_pack(struct storage *storage, const struct storage_move *move,
                 struct storage_moved *moved)
{
    PX_ASSERT(storage->magic == STORAGE_MAGIC);
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    struct hot_fence fence = {0};
    PX_TRY(announce(storage, move, &fence));
    if (fence.epoch > move->epoch) return MOVE_FENCED;
    bool may_pack = fence.state == HOT_FENCE_LEAVING || fence.state == HOT_FENCE_THAWED;
    if (!may_pack) return MOVE_FENCED;
    bool fenced = stands(&fence, HOT_FENCE_LEAVING, move->epoch);
    PX_TRY(hot_refresh(storage->options.hot, move->tenant, &arena));
    PX_TRY(seal_all(storage, move, moved));
    if (moved->more) return 0; /* what is written down is whole or not there */
    moved->last = fenced;
    moved->freeze = fenced ? fence.until_ms : 0;
    return pack_all(storage, move, &arena, moved);
}

/* ---- fetch ---- */

static struct object_store *tier_of(const struct storage_move *move, enum segment_tier tier)
{
    return tier == TIER_ANALYTICS ? move->analytics : move->segments;
}

/* What an object is, in a few bytes. */
struct digest {
    XXH3_state_t *state; /* while it is read */
    uint64_t hash, bytes;
};

static void state_free(XXH3_state_t **state) { (void)XXH3_freeState(*state); }

static int digest_piece(void *ctx, struct px_str piece)
{
    struct digest *digest = ctx;
    (void)XXH3_64bits_update(digest->state, piece.ptr, piece.len);
    digest->bytes += piece.len;
    return 0;
}

/* Answers: OBJECT_ABSENT. */
static int digest_object(struct object_store *store, struct px_str key, struct digest *digest)
{
    PX_AUTO(state_free) XXH3_state_t *state = XXH3_createState();
    if (!state) return px_fault(PX_F_OOM, "a hash");
    (void)XXH3_64bits_reset(state);
    *digest = (struct digest){.state = state};
    int r = object_read(store, key, digest_piece, digest);
    if (r == 0) digest->hash = XXH3_64bits_digest(state);
    digest->state = NULL;
    return r;
}

static bool same_digest(const struct digest *a, const struct digest *b)
{
    return a->bytes == b->bytes && a->hash == b->hash;
}

static int gone(struct px_str key)
{
    return px_fault(PX_F_IO, "%.*s cannot be copied: it is not there", PX_FMT(key));
}

/* The stores copy among themselves; the bytes are compared as they stand in the target, in memory that does not grow
 * with them. One that an earlier run put there is whole, since objects are, and is compared by check. */
static int copy_object(struct storage *storage, const struct storage_move *move,
                       const struct segment *segment, struct px_str dataset, struct px_str key,
                       struct storage_moved *moved)
{
    struct object_store *from = tier_of(move, segment->tier);
    struct object_store *to = storage_tier(storage, segment->tier);
    struct digest read, written;
    int r = digest_object(from, segment->key, &read);
    if (r == OBJECT_ABSENT) return gone(segment->key);
    PX_TRY(r);
    if (read.bytes != (uint64_t)segment->bytes)
        return px_fault(PX_F_CORRUPT, "%.*s has %llu bytes, not %lld", PX_FMT(segment->key),
                        (unsigned long long)read.bytes, (long long)segment->bytes);
    struct px_str class =
        segment->tier == TIER_SEGMENT
            ? S("")
            : lifecycle_class_of(storage->options.lifecycle, move->tenant, dataset)->name;
    r = object_copy(from, segment->key, to, key, class);
    if (r == OBJECT_ABSENT) return gone(segment->key);
    PX_TRY(r);
    r = digest_object(to, key, &written);
    if (r == OBJECT_ABSENT || (r == 0 && !same_digest(&written, &read)))
        return px_fault(PX_F_CORRUPT, "%.*s is not what was copied", PX_FMT(key));
    PX_TRY(r);
    moved->copied++;
    moved->copied_bytes += written.bytes;
    return 0;
}

/* Whether the target has the object. */
static int has_object(struct storage *storage, const struct segment *segment, struct px_str key,
                      struct px_arena *arena, bool *ret_has)
{
    struct object_info info;
    int r = object_head(storage_tier(storage, segment->tier), key, arena, &info);
    if (r != OBJECT_ABSENT) PX_TRY(r);
    *ret_has = r == 0 && info.bytes == (uint64_t)segment->bytes;
    return 0;
}

/* In the target's catalog only while the fence says that this very move is under way, and goes on saying so. */
static int import(struct storage *storage, const struct storage_move *move,
                  const struct catalog_arrival *arrival)
{
    PX_AUTO(px_close) int fd = -1;
    struct hot_fence fence = {0};
    bool changed = false;
    PX_TRY(hot_fence_hold(storage->options.hot, move->tenant, &fence, &fd));
    if (!stands(&fence, HOT_FENCE_ARRIVING, move->epoch)) return MOVE_FENCED;
    int r = catalog_import(storage->options.catalog, arrival, &changed);
    if (r == CATALOG_CONFLICT)
        return px_fault(PX_F_CORRUPT, "%.*s/%.*s: an object of this move was given up here",
                        PX_FMT(arrival->tenant), PX_FMT(arrival->dataset));
    return r;
}

/* What the source says of all datasets, likewise. */
static int import_retention(struct storage *storage, const struct storage_move *move,
                            const struct tenant_retention *said)
{
    PX_AUTO(px_close) int fd = -1;
    struct hot_fence fence = {0};
    PX_TRY(hot_fence_hold(storage->options.hot, move->tenant, &fence, &fd));
    if (!stands(&fence, HOT_FENCE_ARRIVING, move->epoch)) return MOVE_FENCED;
    return catalog_say_retention(storage->options.catalog, move->tenant, S(""), said->days,
                                 said->rules);
}

/* A dataset as the source has it, with the target's keys. */
struct arriving {
    struct catalog_arrival source, target;
};
static int read_arriving(const struct storage_move *move, struct px_str dataset,
                         struct px_arena *arena, struct arriving *ret_arriving)
{
    struct arriving arriving = {0};
    PX_TRY(manifest_get_dataset(move->segments, move->tenant, move->epoch, dataset, arena,
                                &arriving.source));
    size_t count = arriving.source.segment_count;
    struct segment *segments = px_arena_array(arena, struct segment, count + 1);
    if (!segments) return px_arena_fault(arena);
    for (size_t i = 0; i < count; i++) {
        segments[i] = arriving.source.segments[i];
        PX_TRY(manifest_target_key(segments[i].key, move->epoch, arena, &segments[i].key));
    }
    arriving.target = arriving.source;
    PX_TRY(manifest_target_prefix(move->epoch, arena, &arriving.target.brought));
    arriving.target.segments = segments;
    *ret_arriving = arriving;
    return 0;
}

static int fetch_dataset(struct storage *storage, const struct storage_move *move,
                         struct px_str dataset, struct storage_moved *moved)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    struct arriving arriving = {0};
    PX_TRY(read_arriving(move, dataset, &arena, &arriving));
    for (size_t i = 0; i < arriving.source.segment_count; i++) {
        const struct segment *segment = &arriving.source.segments[i];
        struct px_str key = arriving.target.segments[i].key;
        bool has = false;
        PX_TRY(has_object(storage, segment, key, &arena, &has));
        moved->segments++;
        moved->rows += (uint64_t)segment->rows;
        moved->bytes += (uint64_t)segment->bytes;
        if (has) continue;
        moved->more = is_late(move);
        if (moved->more) return 0;
        PX_TRY(copy_object(storage, move, segment, dataset, key, moved));
    }
    moved->datasets++;
    return import(storage, move, &arriving.target);
}

/* What is to arrive, while the fence says that it may. Answers: MOVE_FENCED, MOVE_UNPACKED. */
static int arriving_manifest(struct storage *storage, const struct storage_move *move,
                             struct px_arena *arena, struct manifest *ret_manifest)
{
    struct hot_fence fence = {0};
    PX_TRY(hot_fence_read(storage->options.hot, move->tenant, &fence));
    if (!stands(&fence, HOT_FENCE_ARRIVING, move->epoch)) return MOVE_FENCED;
    int r = manifest_get(move->segments, move->tenant, move->epoch, arena, ret_manifest);
    if (r == OBJECT_ABSENT) return MOVE_UNPACKED;
    PX_TRY(r);
    return 0;
}

int storage_fetch(struct storage *storage, const struct storage_move *move,
                  struct storage_moved *moved)
{
    PX_ASSERT(storage->magic == STORAGE_MAGIC);
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    struct manifest manifest = {0};
    int r = arriving_manifest(storage, move, &arena, &manifest);
    if (r != 0) return r;
    for (size_t i = 0; i < manifest.count && !moved->more; i++) {
        r = fetch_dataset(storage, move, manifest.datasets[i], moved);
        if (r != 0) return r;
    }
    if (moved->more) return 0;
    r = import_retention(storage, move, &manifest.retention);
    if (r != 0) return r;
    bool all = false;
    PX_TRY(move_claims_wait(storage, move, &manifest, &arena, &all));
    moved->more = !all;
    moved->last = manifest.last && all;
    moved->freeze = manifest.freeze;
    return 0;
}

/* ---- check ---- */

static bool same_segment(const struct segment *a, const struct segment *b)
{
    return px_str_eq(a->key, b->key) && a->tier == b->tier && a->rows == b->rows &&
           a->bytes == b->bytes && a->time_min_us == b->time_min_us &&
           a->time_max_us == b->time_max_us;
}

/* What else the target has is its own: it stood in for the source at some time. */
static size_t count_brought(const struct catalog_snapshot *snapshot, struct px_str prefix)
{
    size_t count = 0;
    for (size_t i = 0; i < snapshot->segment_count; i++) {
        struct px_str key = snapshot->segments[i].key;
        const char *slash = memrchr(key.ptr, '/', key.len);
        struct px_str name = px_str_skip(key, slash ? (size_t)(slash - key.ptr) + 1 : 0);
        count += px_str_starts(name, prefix);
    }
    return count;
}

static const struct segment *find_segment(const struct catalog_snapshot *snapshot,
                                          const struct segment *wanted)
{
    for (size_t i = 0; i < snapshot->segment_count; i++)
        if (px_str_eq(snapshot->segments[i].key, wanted->key)) return &snapshot->segments[i];
    return NULL;
}

static bool has_mark(const struct catalog_snapshot *snapshot, const struct writer_mark *wanted)
{
    for (size_t i = 0; i < snapshot->mark_count; i++)
        if (px_str_eq(snapshot->marks[i].writer, wanted->writer))
            return snapshot->marks[i].sealed_seq >= wanted->sealed_seq;
    return false;
}

static int same_object(struct storage *storage, const struct storage_move *move,
                       const struct segment *source, const struct segment *target, bool *ret_same)
{
    struct digest there, here;
    *ret_same = false;
    int r = digest_object(tier_of(move, source->tier), source->key, &there);
    if (r == OBJECT_ABSENT) return 0;
    PX_TRY(r);
    r = digest_object(storage_tier(storage, target->tier), target->key, &here);
    if (r == OBJECT_ABSENT) return 0;
    PX_TRY(r);
    *ret_same = same_digest(&here, &there);
    return 0;
}

static int check_dataset(struct storage *storage, const struct storage_move *move,
                         struct px_str dataset, struct storage_moved *moved)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    struct arriving arriving = {0};
    struct catalog_snapshot here = {0};
    PX_TRY(read_arriving(move, dataset, &arena, &arriving));
    const struct catalog_arrival *wanted = &arriving.target;
    int r = catalog_read(storage->options.catalog, move->tenant, dataset, INT64_MIN, INT64_MAX,
                         &arena, &here);
    if (r != CATALOG_ABSENT) PX_TRY(r);
    bool same = r == 0 && count_brought(&here, wanted->brought) == wanted->segment_count &&
                here.dropped == wanted->dropped && px_str_eq(here.schema_json, wanted->schema_json);
    for (size_t i = 0; same && i < wanted->mark_count; i++)
        same = has_mark(&here, &wanted->marks[i]);
    moved->differ += !same;
    moved->datasets++;
    for (size_t i = 0; i < wanted->segment_count; i++) {
        const struct segment *found = find_segment(&here, &wanted->segments[i]);
        bool equal = found && same_segment(found, &wanted->segments[i]);
        if (equal) PX_TRY(same_object(storage, move, &arriving.source.segments[i], found, &equal));
        moved->differ += !equal;
        moved->segments++;
        moved->rows += (uint64_t)wanted->segments[i].rows;
        moved->bytes += (uint64_t)wanted->segments[i].bytes;
    }
    return 0;
}

int storage_check(struct storage *storage, const struct storage_move *move,
                  struct storage_moved *moved)
{
    PX_ASSERT(storage->magic == STORAGE_MAGIC);
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    struct manifest manifest = {0};
    int r = arriving_manifest(storage, move, &arena, &manifest);
    if (r != 0) return r;
    moved->last = manifest.last;
    struct tenant_retention here;
    PX_TRY(catalog_tenant_retention(storage->options.catalog, move->tenant, &arena, &here));
    moved->differ += here.days != manifest.retention.days ||
                     !px_str_eq(here.rules, manifest.retention.rules);
    for (size_t i = 0; i < manifest.count; i++)
        PX_TRY(check_dataset(storage, move, manifest.datasets[i], moved));
    return 0;
}

/* ---- clean ---- */

/* Frames beyond the mark of their writer: a straggler's, since what was acknowledged is sealed. */
static int has_straggler(struct storage *storage, const struct hot_file *file, bool *ret_has)
{
    uint64_t mark = 0;
    PX_AUTO(hot_reader_close) struct hot_reader *reader = NULL;
    *ret_has = false;
    PX_TRY(
        catalog_mark(storage->options.catalog, file->tenant, file->dataset, file->writer, &mark));
    int r = hot_reader_open(file, &reader);
    if (r == HOT_GONE) return 0;
    PX_TRY(r);
    hot_reader_skip(reader, mark);
    for (;;) {
        struct hot_frame frame;
        r = hot_reader_next(reader, &frame);
        if (r == HOT_END) return 0;
        if (r == PX_F_CORRUPT) continue;
        PX_TRY(r);
        *ret_has = *ret_has || frame.seq > mark;
    }
}

/* Under a fence that says that the tenant left. A file that its writer still holds may stay when all of it
 * is sealed; a straggler's must go, or the tenant would find it when it comes back. */
static int remove_hot_files(struct storage *storage, struct px_str tenant, struct px_arena *arena,
                            struct storage_moved *moved)
{
    struct hot_file *files = NULL;
    size_t count = 0;
    PX_TRY(hot_refresh(storage->options.hot, tenant, arena));
    PX_TRY(hot_list(storage->options.hot, tenant, S(""), arena, &files, &count));
    for (size_t i = 0; i < count; i++) {
        int r = hot_file_remove(storage->options.hot, &files[i]);
        if (r != PX_F_BUSY) {
            PX_TRY(r);
            continue;
        }
        bool straggler = false;
        PX_TRY(has_straggler(storage, &files[i], &straggler));
        moved->more = moved->more || straggler;
    }
    return 0;
}

static int forget(struct storage *storage, const struct storage_move *move,
                  struct storage_moved *moved)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    struct dataset_info *infos = NULL;
    size_t count = 0;
    PX_TRY(hot_spool_remove(storage->options.hot, move->tenant));
    PX_TRY(remove_hot_files(storage, move->tenant, &arena, moved));
    PX_TRY(catalog_list(storage->options.catalog, move->tenant, &arena, &infos, &count));
    for (size_t i = 0; i < count; i++) {
        moved->datasets++;
        moved->segments += (uint64_t)infos[i].segments;
        moved->rows += (uint64_t)infos[i].rows;
        moved->bytes += (uint64_t)infos[i].bytes;
    }
    return catalog_drop_tenant(storage->options.catalog, move->tenant);
}

int storage_clean(struct storage *storage, const struct storage_move *move,
                  struct storage_moved *moved)
{
    PX_ASSERT(storage->magic == STORAGE_MAGIC);
    PX_AUTO(px_close) int fd = -1;
    struct hot_fence fence = {0};
    PX_TRY(hot_fence_hold(storage->options.hot, move->tenant, &fence, &fd));
    if (!stands(&fence, HOT_FENCE_LEFT, move->epoch) || hot_fence_is_open(&fence))
        return MOVE_FENCED;
    PX_TRY(move_spool_clean(storage, move));
    return forget(storage, move, moved);
}

/* ---- greet, fence ---- */

static int fence_of(const struct storage_move *move, enum hot_fence_state state,
                    struct px_str region, struct hot_fence *ret_fence)
{
    struct hot_fence fence = {.state = state, .epoch = move->epoch};
    if (region.len >= sizeof fence.region)
        return px_fault(PX_F_LIMIT, "a region's name of %zu bytes", region.len);
    if (region.len > 0) memcpy(fence.region, region.ptr, region.len);
    *ret_fence = fence;
    return 0;
}

static int64_t now_ms(const struct storage *storage)
{
    return px_wall_ns(storage->options.clock) / PX_NS_PER_MS;
}

int storage_freeze(struct storage *storage, const struct storage_move *move, struct px_str to,
                   int64_t for_ms, struct storage_moved *moved)
{
    struct hot_fence fence;
    PX_ASSERT(for_ms > 0);
    PX_TRY(fence_of(move, HOT_FENCE_LEAVING, to, &fence));
    fence.until_ms = now_ms(storage) + for_ms;
    int r = hot_fence_freeze(storage->options.hot, move->tenant, &fence, &fence);
    if (r == 0) moved->freeze = fence.until_ms;
    return r == HOT_FENCE_STALE ? MOVE_FENCED : r;
}

int storage_close(struct storage *storage, const struct storage_move *move, int64_t freeze,
                  int64_t spool_after_ms)
{
    int64_t now = now_ms(storage);
    int r = hot_fence_close(storage->options.hot, move->tenant, move->epoch, freeze,
                            spool_after_ms > 0 ? now + spool_after_ms : 0, now);
    return r == HOT_FENCE_STALE ? MOVE_FENCED : r;
}

int storage_thaw(struct storage *storage, const struct storage_move *move)
{
    struct hot_fence fence;
    int r = hot_fence_thaw(storage->options.hot, move->tenant, move->epoch, true, &fence);
    return r == HOT_FENCE_STALE ? MOVE_FENCED : r;
}

int storage_fence(struct storage *storage, const struct storage_move *move,
                  enum hot_fence_state state, struct px_str region)
{
    struct hot_fence fence;
    PX_TRY(fence_of(move, state, region, &fence));
    int r = hot_fence_raise(storage->options.hot, move->tenant, &fence, NULL);
    return r == HOT_FENCE_STALE ? MOVE_FENCED : r;
}

/* Of an earlier stay, when nobody cleaned up behind it. */
static int forget_earlier_stay(struct storage *storage, const struct storage_move *move,
                               struct storage_moved *moved)
{
    PX_AUTO(px_close) int fd = -1;
    struct hot_fence fence = {0};
    PX_TRY(hot_fence_hold(storage->options.hot, move->tenant, &fence, &fd));
    bool open = fence.epoch < move->epoch && hot_fence_is_open(&fence);
    if (fence.epoch > move->epoch || open) return MOVE_FENCED;
    if (fence.state != HOT_FENCE_LEFT || fence.epoch == move->epoch) return 0;
    struct storage_moved forgotten = {0};
    int r = forget(storage, move, &forgotten);
    moved->more = forgotten.more;
    return r;
}

int storage_greet(struct storage *storage, const struct storage_move *move, struct px_str from,
                  struct storage_moved *moved)
{
    PX_ASSERT(storage->magic == STORAGE_MAGIC);
    int r = forget_earlier_stay(storage, move, moved);
    if (r != 0 || moved->more) return r;
    return storage_fence(storage, move, HOT_FENCE_ARRIVING, from);
}
