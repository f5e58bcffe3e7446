/* svc/query/snapshot.c - a consistent view without a lock.
 *
 * Sealing moves frames into a segment, advances the writers' marks and adds 1 to the dataset's version
 * in one transaction; the hot file goes later. So: read the catalog at version v, open the hot files
 * and take the frames beyond the marks, look at the version again. Still v: every frame was seen
 * exactly once. Else all of it again. A file that vanishes while being opened was sealed, and the
 * version tells. So does it of a replica of the catalog that lags: the first attempt may read one. */
#include "svc/query/snapshot.h"

#include <stdlib.h>
#include <xxhash.h>

#define ATTEMPTS 8
#define FRESH_ARENA_BYTES_MAX ((size_t)64 << 20)

struct taken_frame {
    struct frame frame;
    struct px_str writer;
    uint64_t seq;
};
struct taking {
    const struct snapshot_stores *stores;
    struct px_arena *arena;
    int64_t start_us, end_us;
    struct catalog_snapshot catalog;
    struct taken_frame *frames;
    size_t frame_count, frame_cap;
    bool seen; /* the dataset exists */
    struct snapshot snapshot;
};

/* ---- hot files ---- */

static uint64_t mark_of(const struct catalog_snapshot *catalog, struct px_str writer)
{
    for (size_t i = 0; i < catalog->mark_count; i++) {
        if (px_str_eq(catalog->marks[i].writer, writer)) return catalog->marks[i].sealed_seq;
    }
    return 0;
}

static int add_frame(struct taking *taking, struct px_str writer, const struct hot_frame *hot)
{
    if (taking->frame_count == taking->frame_cap) {
        size_t cap = taking->frame_cap ? taking->frame_cap * 2 : 64;
        struct taken_frame *grown = px_arena_realloc(taking->arena, taking->frames,
                                                     taking->frame_cap * sizeof(*grown),
                                                     cap * sizeof(*grown));
        if (!grown) return px_fault(px_arena_fault(taking->arena), "frames");
        taking->frames = grown;
        taking->frame_cap = cap;
    }
    struct taken_frame *frame = &taking->frames[taking->frame_count];
    *frame = (struct taken_frame){.writer = writer, .seq = hot->seq};
    int r = frame_open(hot->payload, taking->arena, &frame->frame);
    if (r == PX_F_CORRUPT) {
        taking->snapshot.damaged++;
        return 0;
    }
    PX_TRY(r);
    taking->frame_count++;
    return 0;
}

static bool in_range(const struct taking *taking, const struct frame *frame)
{
    return frame->header.time_max_us >= taking->start_us &&
           frame->header.time_min_us < taking->end_us;
}

/* The frames beyond the mark. Those outside the time range go, too: they still count for the schema,
 * so that a query's columns do not depend on its range. */
static int read_file(struct taking *taking, const struct hot_file *file, struct hot_reader *reader)
{
    uint64_t mark = mark_of(&taking->catalog, file->writer);
    size_t first = taking->frame_count;
    hot_reader_skip(reader, mark);
    for (;;) {
        struct hot_frame hot;
        int r = hot_reader_next(reader, &hot);
        if (r == HOT_END) break;
        if (r == PX_F_CORRUPT) {
            taking->snapshot.damaged++;
            continue;
        }
        PX_TRY(r);
        PX_TRY(add_frame(taking, file->writer, &hot));
    }
    bool used = false;
    for (size_t i = first; i < taking->frame_count; i++)
        used = used || in_range(taking, &taking->frames[i].frame);
    if (used)
        taking->snapshot.hot_files_read++;
    else if (taking->frame_count > first)
        taking->snapshot.pruned++;
    return 0;
}

static int keep_reader(struct taking *taking, struct hot_reader *reader)
{
    struct snapshot *snapshot = &taking->snapshot;
    if (snapshot->reader_count == snapshot->reader_cap) {
        size_t cap = snapshot->reader_cap ? snapshot->reader_cap * 2 : 16;
        struct hot_reader **grown = realloc(snapshot->readers, cap * sizeof(struct hot_reader *));
        if (!grown) {
            hot_reader_close(&reader);
            return px_fault(PX_F_OOM, "hot readers");
        }
        snapshot->readers = grown;
        snapshot->reader_cap = cap;
    }
    snapshot->readers[snapshot->reader_count++] = reader;
    return 0;
}

/* The place of a file in the memory: *ret_bookmark is what is known of it, zeros when nothing is. */
static struct hot_bookmark *recall(const struct taking *taking, const struct hot_file *file,
                                   struct hot_bookmark *ret_bookmark)
{
    struct snapshot_memory *memory = taking->stores->memory;
    *ret_bookmark = (struct hot_bookmark){0};
    if (!memory) return NULL;
    XXH128_hash_t hash = XXH3_128bits(file->path.ptr, file->path.len);
    size_t at = hash.low64 % SNAPSHOT_MEMORY_FILES;
    bool same = memory->files[at].path[0] == hash.low64 && memory->files[at].path[1] == hash.high64;
    if (same) *ret_bookmark = memory->files[at].bookmark;
    memory->files[at].path[0] = hash.low64;
    memory->files[at].path[1] = hash.high64;
    memory->files[at].bookmark = *ret_bookmark;
    return &memory->files[at].bookmark;
}

static int read_one(struct taking *taking, const struct hot_file *file)
{
    struct hot_reader *reader = NULL;
    struct hot_bookmark known;
    struct hot_bookmark *place = recall(taking, file, &known);
    bool sealed = known.seq > 0 && known.seq <= mark_of(&taking->catalog, file->writer);
    if (sealed && known.offset == file->bytes) return 0; /* to its end */
    int r = hot_reader_open(file, &reader);
    if (r == HOT_GONE) return 0;
    PX_TRY(r);
    if (sealed) hot_reader_resume(reader, known);
    PX_TRY(keep_reader(taking, reader));
    PX_TRY(read_file(taking, file, reader));
    if (place) *place = hot_reader_bookmark(reader);
    return 0;
}

static int read_hot(struct taking *taking, struct px_str tenant, struct px_str dataset)
{
    struct hot_file *files = NULL;
    size_t count = 0;
    PX_TRY(hot_list(taking->stores->hot, tenant, dataset, taking->arena, &files, &count));
    for (size_t i = 0; i < count; i++) PX_TRY(read_one(taking, &files[i]));
    /* what is sealed or was dropped is none of the dataset's any more, though its file is still there */
    taking->seen = taking->seen || taking->frame_count > 0 || taking->snapshot.damaged > 0;
    return 0;
}

/* ---- schema ---- */

static int by_acceptance(const void *left, const void *right)
{
    const struct taken_frame *a = left, *b = right;
    if (a->frame.header.accepted_ns != b->frame.header.accepted_ns)
        return a->frame.header.accepted_ns < b->frame.header.accepted_ns ? -1 : 1;
    int order = px_str_cmp(a->writer, b->writer);
    return order != 0 ? order : a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* The catalog's schema, grown by every frame in the order in which they were accepted: what sealing
 * will make of it. */
static int build_schema(struct taking *taking, struct schema *schema)
{
    struct px_str json = taking->catalog.schema_json;
    int r = json.len > 0 ? schema_from_json(json, taking->arena, schema)
                         : schema_init(schema, taking->arena);
    if (r == SCHEMA_INVALID) return px_fault(PX_F_CORRUPT, "schema in the catalog");
    PX_TRY(r);
    bool changed = false;
    for (size_t i = 0; i < taking->frame_count; i++)
        PX_TRY(schema_merge_frame(schema, &taking->frames[i].frame, &changed));
    return 0;
}

static int build_hot_set(struct taking *taking)
{
    struct hot_set *set = &taking->snapshot.hot;
    struct frame *frames = px_arena_array(taking->arena, struct frame, taking->frame_count + 1);
    if (!frames) return px_fault(px_arena_fault(taking->arena), "frames");
    if (taking->frame_count > 1)
        qsort(taking->frames, taking->frame_count, sizeof(*taking->frames), by_acceptance);
    PX_TRY(build_schema(taking, &set->schema));
    for (size_t i = 0; i < taking->frame_count; i++) {
        if (!in_range(taking, &taking->frames[i].frame)) continue;
        set->rows += taking->frames[i].frame.header.rows;
        frames[set->frame_count++] = taking->frames[i].frame;
    }
    set->frames = frames;
    set->start_us = taking->start_us;
    set->end_us = taking->end_us;
    return 0;
}

/* ---- segments ---- */

static int name_files(struct taking *taking)
{
    struct snapshot *snapshot = &taking->snapshot;
    size_t count = taking->catalog.segment_count;
    snapshot->files = px_arena_array(taking->arena, struct snapshot_file, count + 1);
    if (!snapshot->files) return px_fault(px_arena_fault(taking->arena), "files");
    for (size_t i = 0; i < count; i++) {
        const struct segment *segment = &taking->catalog.segments[i];
        struct object_store *store = segment->tier == TIER_ANALYTICS ? taking->stores->analytics
                                                                     : taking->stores->segments;
        struct snapshot_file *file = &snapshot->files[i];
        *file = (struct snapshot_file){.store = store,
                                       .key = segment->key,
                                       .bytes = (uint64_t)segment->bytes,
                                       .schema_json = segment->schema_json,
                                       .rows = segment->rows};
        PX_TRY(object_url(store, segment->key, taking->arena, &file->url));
    }
    snapshot->file_count = count;
    snapshot->pruned += taking->catalog.pruned;
    return 0;
}

/* ---- attempts ---- */

/* ret_same: nothing moved meanwhile. */
static int attempt(struct taking *taking, struct px_str tenant, struct px_str dataset, bool lagging,
                   bool *ret_same)
{
    int r = (lagging ? catalog_read_lagging
                     : catalog_read)(taking->stores->catalog, tenant, dataset, taking->start_us,
                                     taking->end_us, taking->arena, &taking->catalog);
    if (r == CATALOG_ABSENT)
        taking->catalog = (struct catalog_snapshot){0};
    else
        PX_TRY(r);
    taking->seen = r == 0 && !taking->catalog.dropped;
    PX_TRY(read_hot(taking, tenant, dataset));
    int64_t version = 0;
    PX_TRY(catalog_version(taking->stores->catalog, tenant, dataset, &version));
    *ret_same = version == taking->catalog.version;
    return 0;
}

static int finish(struct taking *taking, struct px_str dataset, struct snapshot *ret_snapshot)
{
    if (!taking->seen) {
        snapshot_release(&taking->snapshot);
        return SNAPSHOT_ABSENT;
    }
    taking->snapshot.dataset = dataset;
    int r = build_hot_set(taking);
    if (r == 0) r = name_files(taking);
    if (r != 0) {
        snapshot_release(&taking->snapshot);
        return px_fold(r, __FILE__, __LINE__);
    }
    *ret_snapshot = taking->snapshot;
    return 0;
}

int snapshot_take(const struct snapshot_stores *stores, struct px_str tenant, struct px_str dataset,
                  int64_t start_us, int64_t end_us, struct px_arena *arena,
                  struct snapshot *ret_snapshot)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        struct taking taking = {
            .stores = stores, .arena = arena, .start_us = start_us, .end_us = end_us};
        bool same = false;
        int r = attempt(&taking, tenant, dataset, i == 0, &same);
        if (r == 0 && same) return finish(&taking, dataset, ret_snapshot);
        snapshot_release(&taking.snapshot);
        if (r != 0) return px_fold(r, __FILE__, __LINE__);
    }
    return px_fault(PX_F_BUSY, "dataset %.*s changed during each of %d attempts", PX_FMT(dataset),
                    ATTEMPTS);
}

void snapshot_release(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->reader_count; i++) hot_reader_close(&snapshot->readers[i]);
    free(snapshot->readers);
    snapshot->readers = NULL;
    snapshot->reader_count = snapshot->reader_cap = 0;
}

/* ---- names ---- */

static int by_name(const void *left, const void *right)
{
    return px_str_cmp(*(const struct px_str *)left, *(const struct px_str *)right);
}

/* Whether a name that only hot files have is a dataset: they may hold nothing but what was dropped. */
static int has_fresh(const struct snapshot_stores *stores, struct px_str tenant,
                     struct px_str dataset, bool *ret_fresh)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, FRESH_ARENA_BYTES_MAX);
    struct snapshot snapshot = {0};
    int r = snapshot_take(stores, tenant, dataset, INT64_MIN, INT64_MAX, &arena, &snapshot);
    snapshot_release(&snapshot);
    if (r != SNAPSHOT_ABSENT) PX_TRY(r);
    *ret_fresh = r == 0;
    return 0;
}

static bool is_sealed(const struct dataset_info *sealed, size_t count, struct px_str name)
{
    for (size_t i = 0; i < count; i++)
        if (px_str_eq(sealed[i].name, name)) return true;
    return false;
}

int snapshot_datasets(const struct snapshot_stores *stores, struct px_str tenant,
                      struct px_arena *arena, struct px_str **ret_names, size_t *ret_count)
{
    struct dataset_info *sealed = NULL;
    struct hot_file *files = NULL;
    size_t sealed_count = 0, file_count = 0, n = 0;
    PX_TRY(catalog_list(stores->catalog, tenant, arena, &sealed, &sealed_count));
    PX_TRY(hot_list(stores->hot, tenant, (struct px_str){0}, arena, &files, &file_count));
    struct px_str *names = px_arena_array(arena, struct px_str, sealed_count + file_count + 1);
    if (!names) return px_fault(px_arena_fault(arena), "dataset names");
    for (size_t i = 0; i < sealed_count; i++) names[n++] = sealed[i].name;
    for (size_t i = 0; i < file_count; i++) { /* files of a dataset follow each other */
        struct px_str name = files[i].dataset;
        bool fresh = false;
        if (i > 0 && px_str_eq(files[i - 1].dataset, name)) continue;
        if (is_sealed(sealed, sealed_count, name)) continue;
        PX_TRY(has_fresh(stores, tenant, name, &fresh));
        if (fresh) names[n++] = name;
    }
    if (n > 1) qsort(names, n, sizeof(*names), by_name);
    *ret_names = names;
    *ret_count = n;
    return 0;
}
