/* svc/query/copies.c - see copies.h.
 *
 * An entry stands for a file, and for its room from before it is got. Those that this call wants are not evicted, so
 * what the running query reads stays. A file that is missing or has another length is got again. */
#include "svc/query/copies.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/px_clock.h"
#include "base/px_file.h"

#define ENTRIES_MAX 2048u
#define GETTERS_MAX 8u /* they wait more than they work */

struct entry {
    char *path; /* NULL: free */
    uint64_t hash, bytes;
    uint64_t turn; /* of the call that wanted it last */
    bool whole;    /* the file was written */
};
struct copies {
    struct px_arena arena; /* the folder's name */
    struct copies_options options;
    struct entry entries[ENTRIES_MAX];
    uint64_t bytes, turn;
};

int copies_new(const struct copies_options *options, struct copies **ret_copies)
{
    PX_AUTO(copies_free) struct copies *copies = calloc(1, sizeof *copies);
    if (!copies) return px_fault(PX_F_OOM, "copies");
    px_arena_init(&copies->arena, 1u << 16);
    copies->options = *options;
    copies->options.folder = px_arena_dup(&copies->arena, options->folder);
    if (!copies->options.folder.ptr) return px_fault(px_arena_fault(&copies->arena), "copies");
    *ret_copies = PX_TAKE(copies);
    return 0;
}

void copies_free(struct copies **copies)
{
    if (!*copies) return;
    for (size_t i = 0; i < ENTRIES_MAX; i++) free((*copies)->entries[i].path);
    px_arena_deinit(&(*copies)->arena);
    free(*copies);
    *copies = NULL;
}

/* ---- names ---- */

int copies_folder(const struct copies *copies, struct px_str tenant, struct px_arena *arena,
                  struct px_str *ret_folder)
{
    struct px_str folder = px_arena_printf(arena, "%.*s/%.*s/", PX_FMT(copies->options.folder),
                                           PX_FMT(tenant));
    if (!folder.ptr) return px_fault(px_arena_fault(arena), "folder of copies");
    *ret_folder = folder;
    return 0;
}

/* By the object's URL, so that objects of two stores differ. */
static int path_of(struct px_str folder, const struct copy_wish *wish, struct px_arena *arena,
                   struct px_str *ret_path)
{
    struct px_str url;
    PX_TRY(object_url(wish->store, wish->key, arena, &url));
    XXH128_hash_t hash = XXH3_128bits(url.ptr, url.len);
    *ret_path = px_arena_printf(arena, "%.*s%016llx%016llx.parquet", PX_FMT(folder),
                                (unsigned long long)hash.high64, (unsigned long long)hash.low64);
    return ret_path->ptr ? 0 : px_fault(px_arena_fault(arena), "path of a copy");
}

/* ---- entries ---- */

static struct entry *find(struct copies *copies, struct px_str path)
{
    uint64_t hash = XXH3_64bits(path.ptr, path.len);
    for (size_t i = 0; i < ENTRIES_MAX; i++) {
        struct entry *entry = &copies->entries[i];
        if (entry->path && entry->hash == hash && px_str_eq(px_str_c(entry->path), path))
            return entry;
    }
    return NULL;
}

static void drop(struct copies *copies, struct entry *entry)
{
    (void)unlink(entry->path); /* it may be gone already */
    free(entry->path);
    copies->bytes -= entry->bytes;
    *entry = (struct entry){0};
}

/* Drops the one that was not wanted for the longest; false: all are wanted now. */
static bool evict(struct copies *copies)
{
    struct entry *oldest = NULL;
    for (size_t i = 0; i < ENTRIES_MAX; i++) {
        struct entry *entry = &copies->entries[i];
        if (!entry->path || entry->turn == copies->turn) continue;
        if (!oldest || entry->turn < oldest->turn) oldest = entry;
    }
    if (oldest) drop(copies, oldest);
    return oldest != NULL;
}

static struct entry *free_entry(struct copies *copies)
{
    for (size_t i = 0; i < ENTRIES_MAX; i++)
        if (!copies->entries[i].path) return &copies->entries[i];
    return NULL;
}

/* NULL: there is no room beside what is wanted now. */
static struct entry *reserve(struct copies *copies, struct px_str path, uint64_t bytes)
{
    while (copies->bytes + bytes > copies->options.bytes_max)
        if (!evict(copies)) return NULL;
    struct entry *entry = free_entry(copies);
    if (!entry && evict(copies)) entry = free_entry(copies);
    char *name = entry ? strndup(path.ptr, path.len) : NULL;
    if (!name) return NULL;
    *entry = (struct entry){.path = name,
                            .hash = XXH3_64bits(path.ptr, path.len),
                            .bytes = bytes,
                            .turn = copies->turn};
    copies->bytes += bytes;
    return entry;
}

static bool is_whole(const struct entry *entry)
{
    struct stat about;
    return entry->whole && stat(entry->path, &about) == 0 && S_ISREG(about.st_mode) &&
           (uint64_t)about.st_size == entry->bytes;
}

/* ---- getting ---- */

struct fetch {
    const struct copy_wish *wish;
    struct entry *entry;
};
struct fetching {
    struct fetch *fetches;
    size_t count;
    int64_t until_mono_ns;
    _Atomic size_t next;
    _Atomic uint64_t got_bytes;
    _Atomic bool failed; /* then nothing more is begun */
};

static int write_copy(const char *path, struct px_str bytes)
{
    PX_AUTO(px_close) int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) return px_fault_errno("open %s", path);
    return px_file_write_all(fd, bytes.ptr, bytes.len);
}

static int get_copy(struct fetching *fetching, const struct fetch *fetch)
{
    PX_AUTO(px_buf_deinit) struct px_buf bytes;
    px_buf_init(&bytes, fetch->entry->bytes);
    int r = object_get(fetch->wish->store, fetch->wish->key, &bytes);
    fetching->got_bytes += bytes.len;
    if (r != 0) return r;
    if (bytes.len != fetch->entry->bytes)
        return px_fault(PX_F_CORRUPT, "%.*s has %zu bytes", PX_FMT(fetch->wish->key), bytes.len);
    return write_copy(fetch->entry->path, px_buf_str(&bytes));
}

static void *get_some(void *arg)
{
    struct fetching *fetching = arg;
    for (;;) {
        size_t i = fetching->next++;
        if (i >= fetching->count || fetching->failed ||
            px_mono_ns(&px_clock_system) >= fetching->until_mono_ns)
            return NULL;
        struct fetch *fetch = &fetching->fetches[i];
        fetch->entry->whole = get_copy(fetching, fetch) == 0;
        if (!fetch->entry->whole) fetching->failed = true;
    }
}

static void get_all(struct fetching *fetching)
{
    pthread_t threads[GETTERS_MAX];
    size_t count = 0;
    while (count + 1 < PX_MIN(fetching->count, GETTERS_MAX) &&
           pthread_create(&threads[count], NULL, get_some, fetching) == 0)
        count++;
    (void)get_some(fetching);
    for (size_t i = 0; i < count; i++) pthread_join(threads[i], NULL);
}

/* ---- wishes ---- */

static bool may_have_copy(const struct copies *copies, struct px_str tenant,
                          const struct copy_wish *wish)
{
    bool own = px_str_starts(wish->key, tenant) && wish->key.len > tenant.len &&
               wish->key.ptr[tenant.len] == '/';
    return own && wish->bytes > 0 && wish->bytes <= copies->options.object_bytes_max;
}

/* What is there already comes first, so that room for others is not made of it. */
static int look(struct copies *copies, struct px_str tenant, struct px_str folder,
                struct copy_wish *wishes, size_t count, struct px_str *paths,
                struct px_arena *arena)
{
    for (size_t i = 0; i < count; i++) {
        wishes[i].path = (struct px_str){0};
        if (!may_have_copy(copies, tenant, &wishes[i])) continue;
        PX_TRY(path_of(folder, &wishes[i], arena, &paths[i]));
        struct entry *entry = find(copies, paths[i]);
        if (!entry) continue;
        entry->turn = copies->turn;
        if (entry->bytes == wishes[i].bytes && is_whole(entry))
            wishes[i].path = paths[i];
        else
            drop(copies, entry);
    }
    return 0;
}

static bool made(const char *folder) { return mkdir(folder, 0700) == 0 || errno == EEXIST; }

static void fetch_missing(struct copies *copies, const char *folder, struct copy_wish *wishes,
                          size_t count, const struct px_str *paths, struct fetching *fetching)
{
    for (size_t i = 0; i < count; i++) {
        if (!paths[i].ptr || wishes[i].path.ptr || find(copies, paths[i])) continue;
        struct entry *entry = reserve(copies, paths[i], wishes[i].bytes);
        if (entry) fetching->fetches[fetching->count++] = (struct fetch){&wishes[i], entry};
    }
    if (fetching->count > 0 && made(copies->options.folder.ptr) && made(folder)) get_all(fetching);
    for (size_t i = 0; i < fetching->count; i++)
        if (!fetching->fetches[i].entry->whole) drop(copies, fetching->fetches[i].entry);
    for (size_t i = 0; i < count; i++)
        if (paths[i].ptr && find(copies, paths[i])) wishes[i].path = paths[i];
}

int copies_want(struct copies *copies, struct px_str tenant, struct copy_wish *wishes, size_t count,
                int64_t until_mono_ns, struct px_arena *arena, uint64_t *ret_got_bytes)
{
    struct px_str folder;
    PX_TRY(copies_folder(copies, tenant, arena, &folder));
    struct px_str *paths = px_arena_array(arena, struct px_str, count + 1);
    struct fetching fetching = {.fetches = px_arena_array(arena, struct fetch, count + 1),
                                .until_mono_ns = until_mono_ns};
    if (!paths || !fetching.fetches) return px_fault(px_arena_fault(arena), "copies");
    copies->turn++;
    PX_TRY(look(copies, tenant, folder, wishes, count, paths, arena));
    fetch_missing(copies, folder.ptr, wishes, count, paths, &fetching);
    *ret_got_bytes = fetching.got_bytes;
    return 0;
}
