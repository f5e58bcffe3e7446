/* svc/storage/move_spool.c - how a move ends when records may have been taken into a spool; see move.h.
 *
 * The source hands its spool over as it stands: each file an object below _moves/<tenant>/<epoch>/spool/, then one that names
 * them. The target puts the files where its own spool would be, so both sides tell on in one way. */
#include <stdio.h>

#include "base/px_file.h"
#include "store/hot_spool.h"
#include "svc/catalog/names.h"
#include "svc/ingest/spool.h"
#include "svc/storage/manifest.h"
#include "svc/storage/move.h"

#define FILE_BYTES_MAX                                                                             \
    (2 * SPOOL_BYTES_MAX) /* the last frame of a file may go beyond what a spool holds */

static bool stands(const struct hot_fence *fence, enum hot_fence_state state, int64_t epoch)
{
    return fence->state == state && fence->epoch == epoch;
}

static int raise(struct storage *storage, const struct storage_move *move,
                 const struct hot_fence *fence)
{
    int r = hot_fence_raise(storage->options.hot, move->tenant, fence, NULL);
    return r == HOT_FENCE_STALE ? MOVE_FENCED : r;
}

static int raise_state(struct storage *storage, const struct storage_move *move,
                       enum hot_fence_state state)
{
    const struct hot_fence fence = {.state = state, .epoch = move->epoch};
    return raise(storage, move, &fence);
}

/* ---- telling on ---- */

static int catalog_of(void *ctx, struct catalog **ret_catalog)
{
    const struct storage *storage = ctx;
    *ret_catalog = storage->options.catalog;
    return 0;
}

static int tell(struct storage *storage, const struct storage_move *move,
                const struct hot_spool *spool, struct storage_moved *moved)
{
    const struct storage_options *options = &storage->options;
    PX_AUTO(hot_writer_free) struct hot_writer *writer = NULL;
    struct spool_told told = {0};
    PX_TRY(hot_writer_new(options->hot, NULL, &writer));
    const struct claim_stores stores = {.hot = options->hot,
                                        .writer = writer,
                                        .tables = options->tables,
                                        .clock = options->clock,
                                        .catalog_of = catalog_of,
                                        .ctx = storage};
    PX_TRY(spool_tell(&stores, move->tenant, spool, move->deadline_mono_ns, &told));
    moved->spooled += told.stored + told.known;
    moved->more = told.more;
    return 0;
}

/* While the fence is held: nobody else tells on the same spool, and no later move begins. Answers: MOVE_FENCED. */
static int tell_held(struct storage *storage, const struct storage_move *move,
                     struct storage_moved *moved)
{
    PX_AUTO(px_close) int fd = -1;
    PX_AUTO(hot_spool_close) struct hot_spool spool = {0};
    struct hot_fence fence = {0};
    struct hot_store *hot = storage->options.hot;
    PX_TRY(hot_fence_hold(hot, move->tenant, &fence, &fd));
    if (stands(&fence, HOT_FENCE_HOME, move->epoch)) return 0;
    if (!stands(&fence, HOT_FENCE_TAKING, move->epoch)) return MOVE_FENCED;
    int r = hot_spool_open(hot, move->tenant, move->epoch, false, &spool);
    if (r == HOT_SPOOL_ABSENT) return 0;
    PX_TRY(r);
    PX_TRY(tell(storage, move, &spool, moved));
    return moved->more ? 0 : hot_spool_remove(hot, move->tenant);
}

/* From TAKING to HOME, when all that was spooled is where queries find it. */
static int open_home(struct storage *storage, const struct storage_move *move,
                     struct storage_moved *moved)
{
    int r = tell_held(storage, move, moved);
    if (r != 0 || moved->more) return r;
    return raise_state(storage, move, HOT_FENCE_HOME);
}

/* ---- keys ---- */

static int spool_key(const struct storage_move *move, struct px_str name, struct px_arena *arena,
                     struct px_str *ret_key)
{
    *ret_key = px_arena_printf(arena, MOVES_PREFIX "%.*s/%lld/" MOVE_SPOOL_FOLDER "%.*s",
                               PX_FMT(move->tenant), (long long)move->epoch, PX_FMT(name));
    return ret_key->ptr ? 0 : px_arena_fault(arena);
}

/* <dataset>/<writer>-<file_no>.wal */
static struct px_str name_of(const struct hot_file *file)
{
    const char *end = file->path.ptr + file->path.len;
    size_t base = (size_t)(end - file->writer.ptr) + 1 + file->dataset.len;
    return px_str_skip(file->path, file->path.len - base);
}

/* ---- the source's part ---- */

int storage_leave(struct storage *storage, const struct storage_move *move, struct px_str to)
{
    struct hot_fence fence;
    PX_TRY(hot_fence_read(storage->options.hot, move->tenant, &fence));
    if (stands(&fence, HOT_FENCE_LEFT, move->epoch)) return 0;
    bool closed = fence.epoch == move->epoch && fence.until_ms == 0;
    struct hot_fence left = {
        .state = HOT_FENCE_LEFT, .epoch = move->epoch, .spool_ms = closed ? fence.spool_ms : 0};
    if (to.len >= sizeof left.region) return px_fault(PX_F_LIMIT, "a region's name");
    memcpy(left.region, to.ptr, to.len);
    return raise(storage, move, &left);
}

static int put_file(struct storage *storage, const struct storage_move *move,
                    const struct hot_file *file, struct px_arena *arena, struct px_buf *names)
{
    PX_AUTO(px_buf_deinit) struct px_buf bytes;
    px_buf_init(&bytes, FILE_BYTES_MAX);
    struct px_str key;
    char *path = px_arena_cstr(arena, file->path);
    if (!path) return px_arena_fault(arena);
    int r = px_file_read(path, &bytes);
    if (r > 0) return px_fault(PX_F_IO, "%s cannot be handed over", path);
    PX_TRY(r);
    PX_TRY(spool_key(move, name_of(file), arena, &key));
    PX_TRY(object_put(storage->options.segments, key, px_buf_str(&bytes)));
    if (names->ptr[names->len - 1] != '[') px_buf_add_char(names, ',');
    px_buf_add_json_str(names, name_of(file));
    return 0;
}

static int hand_over(struct storage *storage, const struct storage_move *move,
                     const struct hot_spool *spool, struct storage_moved *moved)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    PX_AUTO(px_buf_deinit) struct px_buf names;
    struct hot_file *files = NULL;
    size_t count = 0;
    struct px_str key;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    px_buf_init(&names, MANIFEST_BYTES_MAX);
    px_buf_add_c(&names, "{\"files\":[");
    if (spool) PX_TRY(hot_spool_list(spool, &arena, &files, &count));
    for (size_t i = 0; i < count; i++) {
        PX_TRY(put_file(storage, move, &files[i], &arena, &names));
        moved->bytes += files[i].bytes;
    }
    px_buf_add_c(&names, "]}\n");
    PX_TRY(px_buf_fault(&names));
    PX_TRY(spool_key(move, S(MOVE_SPOOL_INDEX), &arena, &key));
    return object_put(storage->options.segments, key, px_buf_str(&names));
}

/* The fence first, then the listing. */
int storage_finish(struct storage *storage, const struct storage_move *move,
                   struct storage_moved *moved)
{
    PX_ASSERT(storage->magic == STORAGE_MAGIC);
    struct hot_fence fence;
    struct hot_store *hot = storage->options.hot;
    PX_AUTO(hot_spool_close) struct hot_spool spool = {0};
    PX_TRY(hot_fence_read(hot, move->tenant, &fence));
    if (!stands(&fence, HOT_FENCE_LEFT, move->epoch)) return MOVE_FENCED;
    fence.spool_ms = 0;
    int r = raise(storage, move, &fence);
    if (r != 0) return r;
    r = hot_spool_open(hot, move->tenant, move->epoch, false, &spool);
    if (r != HOT_SPOOL_ABSENT) PX_TRY(r);
    return hand_over(storage, move, r == 0 ? &spool : NULL, moved);
}

/* Given up, unless it has left. */
int storage_stay(struct storage *storage, const struct storage_move *move,
                 struct storage_moved *moved)
{
    PX_ASSERT(storage->magic == STORAGE_MAGIC);
    struct hot_fence fence;
    const struct hot_fence home = {.state = HOT_FENCE_HOME, .epoch = move->epoch};
    int r = hot_fence_raise(storage->options.hot, move->tenant, &home, &fence);
    if (r != HOT_FENCE_STALE) return r;
    if (stands(&fence, HOT_FENCE_LEFT, move->epoch)) return MOVE_DECIDED;
    if (stands(&fence, HOT_FENCE_SPOOLING, move->epoch))
        r = raise_state(storage, move, HOT_FENCE_TAKING);
    else
        r = stands(&fence, HOT_FENCE_TAKING, move->epoch) ? 0 : MOVE_FENCED;
    return r != 0 ? r : open_home(storage, move, moved);
}

/* ---- the target's part ---- */

int storage_receive(struct storage *storage, const struct storage_move *move)
{
    struct hot_fence fence;
    PX_TRY(hot_fence_read(storage->options.hot, move->tenant, &fence));
    if (stands(&fence, HOT_FENCE_HOME, move->epoch)) return 0; /* a repeat that comes late */
    return raise_state(storage, move, HOT_FENCE_TAKING);
}

static int corrupt(struct px_str key)
{
    return px_fault(PX_F_CORRUPT, "%.*s names what is no file of a spool", PX_FMT(key));
}

/* A file of the source's spool, under the name that it has there. */
static int get_file(const struct storage_move *move, const struct hot_spool *spool,
                    struct px_str folder, struct px_str name, struct px_arena *arena)
{
    PX_AUTO(px_buf_deinit) struct px_buf bytes;
    px_buf_init(&bytes, FILE_BYTES_MAX);
    struct px_str key, rest = name, dataset;
    bool sound = px_str_cut(&rest, '/', &dataset) && dataset_name_ok(dataset, NULL) &&
                 rest.len > 0 && rest.ptr[0] != '.' && !memchr(rest.ptr, '/', rest.len);
    if (!sound) return corrupt(name);
    PX_TRY(spool_key(move, name, arena, &key));
    int r = object_get(move->segments, key, &bytes);
    if (r > 0) return px_fault(PX_F_IO, "%.*s cannot be taken over", PX_FMT(key));
    PX_TRY(r);
    struct px_str place = px_arena_printf(arena, "%.*s/%s/%.*s", PX_FMT(folder), spool->name,
                                          PX_FMT(dataset));
    struct px_str path = px_arena_printf(arena, "%.*s/%.*s", PX_FMT(place), PX_FMT(rest));
    if (!path.ptr || !place.ptr) return px_arena_fault(arena);
    PX_TRY(px_dir_make(place.ptr));
    return px_file_write_atomic(path.ptr, px_buf_str(&bytes), 0640);
}

/* Answers: MOVE_UNPACKED: the source has not finished. */
static int take_over(struct storage *storage, const struct storage_move *move)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    PX_AUTO(hot_spool_close) struct hot_spool spool = {0};
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    yyjson_val *root = NULL, *name;
    struct px_str key;
    size_t i, n;
    PX_TRY(spool_key(move, S(MOVE_SPOOL_INDEX), &arena, &key));
    int r = manifest_get_json(move->segments, key, &arena, &root);
    if (r == OBJECT_ABSENT) return MOVE_UNPACKED;
    PX_TRY(r);
    yyjson_val *files = px_json_arr(root, "files");
    if (!files) return corrupt(key);
    if (yyjson_arr_size(files) == 0) return 0;
    struct px_str folder = px_arena_printf(&arena, "%.*s/%.*s/" HOT_SPOOL_FOLDER,
                                           PX_FMT(storage->options.hot_root), PX_FMT(move->tenant));
    if (!folder.ptr) return px_arena_fault(&arena);
    PX_TRY(hot_spool_open(storage->options.hot, move->tenant, move->epoch, true, &spool));
    yyjson_arr_foreach(files, i, n, name)
        PX_TRY(get_file(move, &spool, folder, px_json_val_str(name), &arena));
    return 0;
}

int storage_settle(struct storage *storage, const struct storage_move *move,
                   struct storage_moved *moved)
{
    PX_ASSERT(storage->magic == STORAGE_MAGIC);
    struct hot_fence fence;
    PX_TRY(hot_fence_read(storage->options.hot, move->tenant, &fence));
    if (stands(&fence, HOT_FENCE_HOME, move->epoch)) return 0;
    /* a machine of before asks for no spool, and its source has none */
    if (!move->segments)
        return stands(&fence, HOT_FENCE_ARRIVING, move->epoch)
                   ? raise_state(storage, move, HOT_FENCE_HOME)
                   : MOVE_FENCED;
    if (!stands(&fence, HOT_FENCE_TAKING, move->epoch)) return MOVE_FENCED;
    int r = take_over(storage, move);
    return r != 0 ? r : open_home(storage, move, moved);
}

/* ---- cleaning ---- */

int move_spool_clean(struct storage *storage, const struct storage_move *move)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    struct px_str folder;
    struct object_info *infos = NULL;
    size_t count = 0;
    PX_TRY(spool_key(move, S(""), &arena, &folder));
    do {
        PX_TRY(object_list(storage->options.segments, folder, S(""), 1000, &arena, &infos, &count));
        for (size_t i = 0; i < count; i++)
            PX_TRY(object_delete(storage->options.segments, infos[i].key));
    } while (count > 0);
    return 0;
}
