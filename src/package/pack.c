/* package/pack.c - libarchive and libdeflate with everything left out that differs from run to run. */
#include "package/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <libdeflate.h>
#include <openssl/sha.h>

#include <stdlib.h>
#include <sys/stat.h>

#include "base/px_file.h"
#include "base/px_id.h"

#define GZIP_LEVEL 9 /* of libdeflate's 12; the last three cost many times more and bring 1 % */

/* ---- lists ---- */

int pack_list_add(struct pack_list *list, struct px_arena *arena, struct pack_file file)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 16;
        void *files = px_arena_realloc(arena, list->files, list->cap * sizeof file,
                                       cap * sizeof file);
        if (!files) return px_arena_fault(arena);
        list->files = files;
        list->cap = cap;
    }
    list->files[list->count++] = file;
    return 0;
}

static int add_folder(struct pack_list *list, struct px_arena *arena, struct px_str path)
{
    /* whoever may write there makes files of one's own in it, and removes none of others */
    unsigned mode = px_str_eq(path, S("tmp")) ? 01777 : 0755;
    return pack_list_add(list, arena,
                         (struct pack_file){.path = path, .is_dir = true, .mode = mode});
}

int pack_list_add_parents(struct pack_list *list, struct px_arena *arena, struct px_str path)
{
    for (size_t i = 1; i < path.len; i++)
        if (path.ptr[i] == '/') PX_TRY(add_folder(list, arena, px_str(path.ptr, i)));
    return 0;
}

int pack_read(const char *path, struct px_arena *arena, struct px_str *ret_content)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, PACK_BYTES_MAX);
    int r = px_file_read(path, &buf);
    if (r == PX_FILE_ABSENT) return px_fault(PX_F_IO, "%s does not exist", path);
    if (r == PX_FILE_TOO_LARGE)
        return px_fault(PX_F_LIMIT, "%s is larger than %zu MiB", path, PACK_BYTES_MAX >> 20);
    PX_TRY(r);
    struct px_str content = px_arena_dup(arena, px_buf_str(&buf));
    if (!content.ptr) return px_arena_fault(arena);
    *ret_content = content;
    return 0;
}

struct names {
    struct px_arena *arena;
    struct px_str *items;
    size_t count, cap;
};

static int note_name(void *ctx, const char *name, bool is_dir)
{
    struct names *names = ctx;
    (void)is_dir;
    if (names->count == names->cap) {
        size_t cap = names->cap ? 2 * names->cap : 16;
        void *items = px_arena_realloc(names->arena, names->items,
                                       names->cap * sizeof *names->items,
                                       cap * sizeof *names->items);
        if (!items) return px_arena_fault(names->arena);
        names->items = items;
        names->cap = cap;
    }
    struct px_str kept = px_arena_dup(names->arena, px_str_c(name));
    if (!kept.ptr) return px_arena_fault(names->arena);
    names->items[names->count++] = kept;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return px_str_cmp(*(const struct px_str *)a, *(const struct px_str *)b);
}

static int add_below(struct pack_list *list, struct px_arena *arena, const char *dir,
                     struct px_str path);

static int add_entry(struct pack_list *list, struct px_arena *arena, const char *file,
                     struct px_str path)
{
    struct stat st;
    if (lstat(file, &st) != 0) return px_fault_errno("%s", file);
    if (S_ISDIR(st.st_mode)) {
        PX_TRY(add_folder(list, arena, path));
        return add_below(list, arena, file, path);
    }
    if (!S_ISREG(st.st_mode))
        return px_fault(PX_F_CONFIG, "%s is no plain file and no folder", file);
    struct pack_file entry = {.path = path, .mode = st.st_mode & S_IXUSR ? 0755 : 0644};
    PX_TRY(pack_read(file, arena, &entry.content));
    return pack_list_add(list, arena, entry);
}

static int add_below(struct pack_list *list, struct px_arena *arena, const char *dir,
                     struct px_str path)
{
    struct names names = {.arena = arena};
    int r = px_dir_each(dir, note_name, &names);
    if (r == PX_FILE_ABSENT) return px_fault(PX_F_IO, "%s does not exist", dir);
    PX_TRY(r);
    if (names.count > 0) qsort(names.items, names.count, sizeof *names.items, by_name);
    for (size_t i = 0; i < names.count; i++) {
        struct px_str file = px_arena_printf(arena, "%s/%.*s", dir, PX_FMT(names.items[i]));
        struct px_str inside = px_arena_printf(arena, "%.*s%s%.*s", PX_FMT(path),
                                               path.len > 0 ? "/" : "", PX_FMT(names.items[i]));
        if (!file.ptr || !inside.ptr) return px_arena_fault(arena);
        PX_TRY(add_entry(list, arena, file.ptr, inside));
    }
    return 0;
}

int pack_list_add_tree(struct pack_list *list, struct px_arena *arena, const char *dir,
                       struct px_str path)
{
    PX_TRY(pack_list_add_parents(list, arena, path));
    if (path.len > 0) PX_TRY(add_folder(list, arena, path));
    return add_below(list, arena, dir, path);
}

/* ---- archives ---- */

static void writer_free(struct archive **writer)
{
    if (*writer) (void)archive_write_free(*writer);
    *writer = NULL;
}
static void entry_free(struct archive_entry **entry) { archive_entry_free(*entry); }

/* Never fails: libarchive leaks its own state when it does. A buffer that is full remembers it. */
static la_ssize_t write_out(struct archive *writer, void *ctx, const void *bytes, size_t n)
{
    (void)writer;
    px_buf_add(ctx, bytes, n);
    return (la_ssize_t)n;
}

static int writer_fault(struct archive *writer, const struct px_buf *out)
{
    if (px_buf_fault(out) != 0)
        return px_fault(px_buf_fault(out), "the archive does not fit into %zu MiB",
                        out->limit_bytes >> 20);
    return px_fault(PX_F_BUG, "libarchive: %s", archive_error_string(writer));
}

/* No time: in ZIP that is its first, 1980-01-01 in every time zone. */
static int write_entry(struct archive *writer, const struct pack_file *file,
                       const struct px_buf *out)
{
    PX_AUTO(entry_free) struct archive_entry *entry = archive_entry_new();
    char path[256];
    if (!entry) return px_fault(PX_F_OOM, "an entry of an archive");
    if (file->path.len >= sizeof path)
        return px_fault(PX_F_LIMIT, "a name of %zu bytes in an archive", file->path.len);
    (void)snprintf(path, sizeof path, "%.*s", PX_FMT(file->path));
    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, file->is_dir ? AE_IFDIR : AE_IFREG);
    archive_entry_set_perm(entry, (__LA_MODE_T)file->mode);
    archive_entry_set_size(entry, (la_int64_t)file->content.len);
    archive_entry_set_mtime(entry, 0, 0);
    archive_entry_set_uid(entry, 0);
    archive_entry_set_gid(entry, 0);
    if (archive_write_header(writer, entry) != ARCHIVE_OK) return writer_fault(writer, out);
    for (struct px_str rest = file->content; rest.len > 0;) {
        la_ssize_t n = archive_write_data(writer, rest.ptr, rest.len);
        if (n <= 0) return writer_fault(writer, out);
        rest = px_str_skip(rest, (size_t)n);
    }
    return archive_write_finish_entry(writer) == ARCHIVE_OK ? 0 : writer_fault(writer, out);
}

static int write_all(struct archive *writer, const struct pack_list *list, struct px_buf *out)
{
    if (archive_write_set_bytes_per_block(writer, 0) != ARCHIVE_OK ||
        archive_write_open(writer, out, NULL, write_out, NULL) != ARCHIVE_OK)
        return writer_fault(writer, out);
    for (size_t i = 0; i < list->count; i++) PX_TRY(write_entry(writer, &list->files[i], out));
    if (archive_write_close(writer) != ARCHIVE_OK || px_buf_fault(out) != 0)
        return writer_fault(writer, out);
    return 0;
}

int pack_zip(const struct pack_list *list, struct px_buf *zip)
{
    PX_AUTO(writer_free) struct archive *writer = archive_write_new();
    if (!writer) return px_fault(PX_F_OOM, "a ZIP");
    if (archive_write_set_format_zip(writer) != ARCHIVE_OK ||
        archive_write_set_options(writer, "zip:compression=deflate,zip:compression-level=9") !=
            ARCHIVE_OK)
        return writer_fault(writer, zip);
    return write_all(writer, list, zip);
}

int pack_tar(const struct pack_list *list, struct px_buf *tar)
{
    PX_AUTO(writer_free) struct archive *writer = archive_write_new();
    if (!writer) return px_fault(PX_F_OOM, "a tar");
    if (archive_write_set_format_ustar(writer) != ARCHIVE_OK) return writer_fault(writer, tar);
    return write_all(writer, list, tar);
}

int pack_gzip(struct px_str bytes, struct px_buf *gzip)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(GZIP_LEVEL);
    if (!compressor) return px_fault(PX_F_OOM, "a compressor");
    size_t bound = libdeflate_gzip_compress_bound(compressor, bytes.len);
    char *room = px_buf_reserve(gzip, bound);
    size_t n = room ? libdeflate_gzip_compress(compressor, bytes.ptr, bytes.len, room, bound) : 0;
    libdeflate_free_compressor(compressor);
    if (!room) return px_fault(px_buf_fault(gzip), "%zu bytes to compress", bytes.len);
    PX_ASSERT(n > 0); /* the bound is one */
    gzip->len += n;
    return 0;
}

void pack_sha256(struct px_str bytes, char ret_hex[PACK_HEX_BYTES])
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    (void)SHA256((const uint8_t *)bytes.ptr, bytes.len, digest);
    px_hex(digest, sizeof digest, ret_hex);
}
