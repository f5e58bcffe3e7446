/* store/objects_dir_list.c - listing in key order.
 *
 * Folder by folder. In a folder, names are ordered with a '/' behind those of folders, which is the order
 * of the keys below: "a-b" < "a/x" < "a0". A folder is skipped when no key below it can start with the
 * prefix or stand behind `after`. */
#include "store/objects_dir.h"

#include "base/px_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

struct listing {
    const struct object_folder *store;
    struct px_str prefix, after;
    struct object_listing found;
    size_t max;
};

/* ---- one folder ---- */

struct entry {
    struct entry *next;
    struct px_str name; /* with '/' behind when it is a folder */
};
struct folder {
    struct listing *listing;
    struct px_str key; /* of the folder, with '/' behind; empty for the root */
    struct px_arena arena;
    struct entry *first;
    size_t count;
};

/* key ends with '/' and stands for all keys below it, or is a whole key. */
static bool is_wanted(const struct listing *listing, struct px_str key, bool is_dir)
{
    bool prefix_fits = px_str_starts(key, listing->prefix) ||
                       (is_dir && px_str_starts(listing->prefix, key));
    bool is_behind = px_str_cmp(key, listing->after) > 0 ||
                     (is_dir && px_str_starts(listing->after, key));
    return prefix_fits && is_behind;
}

static int entry_look(void *ctx, const char *name, bool is_dir)
{
    struct folder *folder = ctx;
    if (folder->key.len == 0 && strcmp(name, ".tmp") == 0) return 0;
    struct px_str full = px_arena_printf(&folder->arena, "%.*s%s%s", PX_FMT(folder->key), name,
                                         is_dir ? "/" : "");
    struct entry *entry = px_arena_new(&folder->arena, struct entry);
    if (!full.ptr || !entry) return px_arena_fault(&folder->arena);
    if (!is_wanted(folder->listing, full, is_dir)) return 0;
    *entry = (struct entry){folder->first, px_str_skip(full, folder->key.len)};
    folder->first = entry;
    folder->count++;
    return 0;
}

static int entry_order(const void *left, const void *right)
{
    const struct entry *const *a = left, *const *b = right;
    return px_str_cmp((*a)->name, (*b)->name);
}

static int list_folder(struct listing *listing, struct px_str key);

static int list_entry(struct listing *listing, struct px_str key)
{
    if (px_str_ends(key, S("/"))) return list_folder(listing, key);
    char path[PATH_MAX];
    struct stat about;
    int n = snprintf(path, sizeof path, "%s/%.*s", listing->store->root, PX_FMT(key));
    if (n < 0 || n >= PATH_MAX) return px_fault(PX_F_LIMIT, "path of %d bytes", n);
    if (stat(path, &about) != 0) return errno == ENOENT ? 0 : px_fault_errno("stat %s", path);
    return object_listing_add(&listing->found, key, (uint64_t)about.st_size,
                              object_modified_ns(&about));
}

static int list_sorted(struct folder *folder)
{
    struct entry **entries = px_arena_array(&folder->arena, struct entry *, folder->count);
    if (!entries) return px_arena_fault(&folder->arena);
    size_t at = 0;
    for (struct entry *entry = folder->first; entry; entry = entry->next) entries[at++] = entry;
    if (at > 1) qsort(entries, at, sizeof(struct entry *), entry_order);
    for (size_t i = 0; i < at && folder->listing->found.count < folder->listing->max; i++) {
        struct px_str key = px_str(entries[i]->name.ptr - folder->key.len,
                                   folder->key.len + entries[i]->name.len);
        PX_TRY(list_entry(folder->listing, key));
    }
    return 0;
}

static void folder_deinit(struct folder *folder) { px_arena_deinit(&folder->arena); }

static int list_folder(struct listing *listing, struct px_str key)
{
    PX_AUTO(folder_deinit) struct folder folder = {.listing = listing, .key = key};
    px_arena_init(&folder.arena, listing->found.arena->limit_bytes);
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%.*s", listing->store->root, PX_FMT(key));
    if (n < 0 || n >= PATH_MAX) return px_fault(PX_F_LIMIT, "path of %d bytes", n);
    int r = px_dir_each(path, entry_look, &folder);
    if (r == PX_FILE_ABSENT) return 0; /* removed meanwhile */
    PX_TRY(r);
    PX_TRY(list_sorted(&folder));
    return 0;
}

int object_folder_list(struct object_store *store, struct px_str prefix, struct px_str after,
                       size_t max, struct px_arena *arena, struct object_info **ret_infos,
                       size_t *ret_count)
{
    struct listing listing = {.store = object_folder_of(store),
                              .prefix = prefix,
                              .after = after,
                              .found = {.arena = arena},
                              .max = max};
    PX_TRY(list_folder(&listing, S("")));
    *ret_infos = listing.found.infos;
    *ret_count = listing.found.count;
    return 0;
}
