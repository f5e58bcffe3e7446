/* store/objects.c - which half an URL means, and what holds for both; docs: objects.h. */
#include "base/px_clock.h"
#include "base/px_file.h"
#include "base/px_id.h"
#include "store/objects_half.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define SCHEME "s3://"
#define CLASS_BYTES_MAX 64u
#define EXPIRES_S_MAX 604800u

int object_store_open(struct px_str url, const struct object_options *options,
                      struct object_store **ret_store)
{
    struct object_options given = options ? *options : (struct object_options){0};
    if (!px_str_starts(url, S(SCHEME))) return objects_dir_open(url, ret_store);
    return objects_s3_open(px_str_skip(url, sizeof SCHEME - 1), &given, ret_store);
}

void object_store_close(struct object_store **store)
{
    if (!*store) return;
    (*store)->half->close(*store);
    *store = NULL;
}

/* ---- what may be stored ---- */

bool object_key_is_valid(struct px_str key)
{
    if (key.len == 0 || key.len > 1024 || memchr(key.ptr, '\0', key.len)) return false;
    struct px_str rest = key, part;
    bool first = true, more = true;
    while (more) {
        more = px_str_cut(&rest, '/', &part);
        if (part.len == 0 || px_str_eq(part, S(".")) || px_str_eq(part, S(".."))) return false;
        if (first && px_str_eq(part, S(OBJECT_TEMP_FOLDER))) return false;
        first = false;
    }
    return true;
}

static bool class_is_valid(struct px_str class)
{
    for (size_t i = 0; i < class.len; i++) {
        char c = class.ptr[i];
        if (c != '-' && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')) return false;
    }
    return class.len <= CLASS_BYTES_MAX;
}

/* ---- calls ----
 * Keys are made by Prism from names it has checked; a bad one is our mistake. */

int object_put(struct object_store *store, struct px_str key, struct px_str bytes)
{
    PX_ASSERT(object_key_is_valid(key));
    return store->half->put(store, key, bytes);
}

int object_put_file(struct object_store *store, struct px_str key, struct px_str local_path,
                    struct px_str class)
{
    PX_ASSERT(object_key_is_valid(key));
    PX_ASSERT(class_is_valid(class));
    if (local_path.len >= PATH_MAX)
        return px_fault(PX_F_LIMIT, "path of %zu bytes", local_path.len);
    return store->half->put_file(store, key, local_path, class);
}

int object_get(struct object_store *store, struct px_str key, struct px_buf *buf)
{
    PX_ASSERT(object_key_is_valid(key));
    return store->half->get(store, key, buf);
}

int object_read(struct object_store *store, struct px_str key, object_piece *piece, void *ctx)
{
    PX_ASSERT(object_key_is_valid(key));
    return store->half->read(store, key, piece, ctx);
}

int object_copy(struct object_store *from, struct px_str from_key, struct object_store *to,
                struct px_str to_key, struct px_str class)
{
    PX_ASSERT(object_key_is_valid(from_key) && object_key_is_valid(to_key));
    PX_ASSERT(class_is_valid(class));
    if (from->half != to->half)
        return px_fault(PX_F_CONFIG, "an object is copied between two buckets or two folders");
    return from->half->copy(from, from_key, to, to_key, class);
}

int object_head(struct object_store *store, struct px_str key, struct px_arena *arena,
                struct object_info *ret_info)
{
    PX_ASSERT(object_key_is_valid(key));
    return store->half->head(store, key, arena, ret_info);
}

int object_delete(struct object_store *store, struct px_str key)
{
    PX_ASSERT(object_key_is_valid(key));
    return store->half->delete (store, key);
}

int object_list(struct object_store *store, struct px_str prefix, struct px_str after, size_t max,
                struct px_arena *arena, struct object_info **ret_infos, size_t *ret_count)
{
    return store->half->list(store, prefix, after, max, arena, ret_infos, ret_count);
}

int object_url(struct object_store *store, struct px_str key, struct px_arena *arena,
               struct px_str *ret_url)
{
    PX_ASSERT(object_key_is_valid(key));
    return store->half->url(store, key, arena, ret_url);
}

int object_presign(struct object_store *store, struct px_str key, enum object_right right,
                   uint32_t expires_s, struct px_arena *arena, struct px_str *ret_url)
{
    PX_ASSERT(object_key_is_valid(key));
    PX_ASSERT(expires_s >= 1 && expires_s <= EXPIRES_S_MAX);
    return store->half->presign(store, key, right, expires_s, arena, ret_url);
}

int object_listing_add(struct object_listing *listing, struct px_str key, uint64_t bytes,
                       int64_t modified_ns)
{
    if (listing->count == listing->room) {
        size_t room = listing->room ? listing->room * 2 : 32;
        struct object_info *infos = px_arena_realloc(
            listing->arena, listing->infos, listing->room * sizeof *infos, room * sizeof *infos);
        if (!infos) return px_arena_fault(listing->arena);
        listing->infos = infos;
        listing->room = room;
    }
    struct px_str copy = px_arena_dup(listing->arena, key);
    if (!copy.ptr) return px_arena_fault(listing->arena);
    listing->infos[listing->count++] = (struct object_info){
        .key = copy, .bytes = bytes, .modified_ns = modified_ns};
    return 0;
}

/* ---- temporary files and litter ---- */

int object_temp_name(const struct object_store *store, char *path)
{
    char id[37];
    px_uuid7(px_wall_ns(&px_clock_system), id);
    int n = snprintf(path, PATH_MAX, "%s/%s", store->temp_folder, id);
    return n > 0 && n < PATH_MAX ? 0 : px_fault(PX_F_LIMIT, "path of %d bytes", n);
}

int object_temp_path(struct object_store *store, struct px_arena *arena, struct px_str *ret_path)
{
    char path[PATH_MAX];
    PX_TRY(object_temp_name(store, path));
    struct px_str copy = px_arena_dup(arena, px_str_c(path));
    if (!copy.ptr) return px_arena_fault(arena);
    *ret_path = copy;
    return 0;
}

int64_t object_modified_ns(const struct stat *about)
{
    return about->st_mtim.tv_sec * PX_NS_PER_S + about->st_mtim.tv_nsec;
}

struct sweep {
    const struct object_store *store;
    int64_t older_than_ns;
    size_t removed;
};

static int sweep_entry(void *ctx, const char *name, bool is_dir)
{
    struct sweep *sweep = ctx;
    char path[PATH_MAX + NAME_MAX];
    struct stat about;
    if (is_dir) return 0;
    (void)snprintf(path, sizeof path, "%s/%s", sweep->store->temp_folder, name);
    if (stat(path, &about) != 0) return errno == ENOENT ? 0 : px_fault_errno("stat %s", path);
    if (object_modified_ns(&about) > sweep->older_than_ns) return 0;
    if (unlink(path) != 0) return errno == ENOENT ? 0 : px_fault_errno("remove %s", path);
    sweep->removed++;
    return 0;
}

int object_store_sweep(struct object_store *store, int64_t age_ms, size_t *ret_removed)
{
    struct sweep sweep = {store, px_wall_ns(&px_clock_system) - age_ms * PX_NS_PER_MS, 0};
    int r = px_dir_each(store->temp_folder, sweep_entry, &sweep);
    if (r != 0 && r != PX_FILE_ABSENT) PX_TRY(r);
    *ret_removed = sweep.removed;
    return 0;
}
