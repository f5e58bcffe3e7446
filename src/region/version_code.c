/* region/version_code.c - see version_code.h. A version comes into being by a rename of a whole folder whose files are on
 * stable storage, so that a digest's folder is complete or absent. */
#include "region/version_code.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_id.h"

#define FILES_MAX 4096u
#define DEPTH_MAX 8
#define COPY_BYTES ((size_t)256 << 10)
#define ARENA_BYTES_MAX ((size_t)8 << 20)
#define BOOTSTRAP "bootstrap"

struct file {
    const char *name; /* below the folder */
    unsigned mode;
};
struct tree {
    struct px_arena arena;
    struct file *files;
    size_t count;
};

static int invalid(struct version_code *code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static int invalid(struct version_code *code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(code->why, sizeof code->why, fmt, args);
    va_end(args);
    return VERSION_CODE_INVALID;
}

static void tree_init(struct tree *tree)
{
    *tree = (struct tree){0};
    px_arena_init(&tree->arena, ARENA_BYTES_MAX);
}
static void tree_deinit(struct tree *tree)
{
    free(tree->files);
    px_arena_deinit(&tree->arena);
}

static int tree_add(struct tree *tree, const char *name, mode_t mode, struct version_code *code)
{
    if (tree->count == FILES_MAX) return invalid(code, "more than %u files", FILES_MAX);
    if (!tree->files) tree->files = calloc(FILES_MAX, sizeof *tree->files);
    char *kept = px_arena_cstr(&tree->arena, px_str_c(name));
    if (!tree->files || !kept) return px_fault(PX_F_OOM, "a list of files");
    tree->files[tree->count++] = (struct file){kept, mode & 0100 ? 0755 : 0644};
    return 0;
}

static int list_into(struct tree *tree, const char *dir, const char *below, int depth,
                     struct version_code *code);

static int list_entry(struct tree *tree, const char *dir, const char *name, int depth,
                      struct version_code *code)
{
    char path[4096];
    struct stat what;
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= sizeof path) return invalid(code, "%s: the name is too long", name);
    if (stat(path, &what) != 0) return px_fault_errno("look at %s", path); /* a link's target */
    if (S_ISDIR(what.st_mode)) return list_into(tree, dir, name, depth + 1, code);
    if (!S_ISREG(what.st_mode)) return invalid(code, "%s is no plain file", name);
    return tree_add(tree, name, what.st_mode, code);
}

static int list_into(struct tree *tree, const char *dir, const char *below, int depth,
                     struct version_code *code)
{
    char path[4096], name[4096];
    int r = 0;
    if (depth > DEPTH_MAX) return invalid(code, "folders deeper than %d", DEPTH_MAX);
    int n = snprintf(path, sizeof path, "%s/%s", dir, below);
    if (n < 0 || (size_t)n >= sizeof path) return invalid(code, "%s: the name is too long", below);
    DIR *open_dir = opendir(path);
    if (!open_dir) return px_fault_errno("open %s", path);
    for (struct dirent *entry; r == 0 && (entry = readdir(open_dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        n = snprintf(name, sizeof name, "%s%s%s", below, *below ? "/" : "", entry->d_name);
        r = n < 0 || (size_t)n >= sizeof name ? invalid(code, "%s: the name is too long", below)
                                              : list_entry(tree, dir, name, depth, code);
    }
    (void)closedir(open_dir);
    return r;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static int make_parents(const char *root, const char *name)
{
    char path[4096];
    const char *slash = strrchr(name, '/');
    if (!slash) return 0;
    (void)snprintf(path, sizeof path, "%s/%.*s", root, (int)(slash - name), name);
    return px_dir_make(path);
}

/* From source_fd to the end, into target_fd unless that is -1, and into sha. */
static int copy_bytes(int source_fd, int target_fd, SHA256_CTX *sha, uint64_t *bytes,
                      struct version_code *code)
{
    PX_AUTO(px_free_mem) char *room = malloc(COPY_BYTES);
    if (!room) return px_fault(PX_F_OOM, "room to copy");
    for (ssize_t n; (n = read(source_fd, room, COPY_BYTES)) != 0;) {
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return px_fault_errno("read a file of a version");
        *bytes += (uint64_t)n;
        if (*bytes > VERSION_CODE_BYTES_MAX)
            return invalid(code, "more than %u MiB, Lambda's limit", VERSION_CODE_BYTES_MAX >> 20);
        (void)SHA256_Update(sha, room, (size_t)n);
        if (target_fd >= 0) PX_TRY(px_file_write_all(target_fd, room, (size_t)n));
    }
    if (target_fd >= 0 && fsync(target_fd) != 0) return px_fault_errno("fsync");
    return 0;
}

static int open_target(const char *target, const struct file *file, int *ret_fd)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", target, file->name);
    if (n < 0 || (size_t)n >= sizeof path) return px_fault(PX_F_LIMIT, "a path of %d bytes", n);
    PX_TRY(make_parents(target, file->name));
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file->mode);
    if (fd < 0) return px_fault_errno("make %s", path);
    *ret_fd = fd;
    return 0;
}

/* One file into the digest over all, and into target unless that is NULL. */
static int take_file(const char *dir, const struct file *file, const char *target, SHA256_CTX *all,
                     struct version_code *code)
{
    char path[4096], hex[VERSION_DIGEST_BYTES];
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256_CTX sha;
    (void)snprintf(path, sizeof path, "%s/%s", dir, file->name);
    PX_AUTO(px_close) int source_fd = open(path, O_RDONLY | O_CLOEXEC);
    PX_AUTO(px_close) int target_fd = -1;
    if (source_fd < 0) return px_fault_errno("open %s", path);
    if (target) PX_TRY(open_target(target, file, &target_fd));
    (void)SHA256_Init(&sha);
    int r = copy_bytes(source_fd, target_fd, &sha, &code->bytes, code);
    if (r != 0) return r;
    (void)SHA256_Final(digest, &sha);
    px_hex(digest, sizeof digest, hex);
    (void)SHA256_Update(all, file->name, strlen(file->name) + 1);
    (void)SHA256_Update(all, file->mode == 0755 ? "x" : "-", 1);
    (void)SHA256_Update(all, hex, sizeof hex);
    return 0;
}

static int take_dir(const char *dir, const char *target, struct version_code *code)
{
    PX_AUTO(tree_deinit) struct tree tree;
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256_CTX all;
    tree_init(&tree);
    int r = list_into(&tree, dir, "", 0, code);
    if (r != 0) return r;
    bool has = false;
    for (size_t i = 0; i < tree.count; i++)
        has |= strcmp(tree.files[i].name, BOOTSTRAP) == 0 && tree.files[i].mode == 0755;
    if (!has) return invalid(code, "%s has no executable file " BOOTSTRAP, dir);
    qsort(tree.files, tree.count, sizeof *tree.files, by_name);
    (void)SHA256_Init(&all);
    for (size_t i = 0; i < tree.count; i++) {
        r = take_file(dir, &tree.files[i], target, &all, code);
        if (r != 0) return r;
    }
    (void)SHA256_Final(digest, &all);
    px_hex(digest, sizeof digest, code->digest);
    return 0;
}

/* ---- ZIP ---- */

static void reader_free(struct archive **reader)
{
    if (*reader) (void)archive_read_free(*reader);
    *reader = NULL;
}

/* Relative, without "." and "..", as a name of pack.h. */
static bool is_inside(const char *name)
{
    struct px_str rest = px_str_c(name), part;
    if (rest.len == 0 || rest.len > 1024) return false;
    do {
        bool more = px_str_cut(&rest, '/', &part);
        if (part.len == 0 || px_str_eq(part, S(".")) || px_str_eq(part, S(".."))) return false;
        if (!more) return true;
    } while (true);
}

static int unpack_bytes(struct archive *reader, int fd, uint64_t *bytes, struct version_code *code)
{
    PX_AUTO(px_free_mem) char *room = malloc(COPY_BYTES);
    if (!room) return px_fault(PX_F_OOM, "room to unpack");
    for (la_ssize_t n; (n = archive_read_data(reader, room, COPY_BYTES)) != 0;) {
        if (n < 0) return invalid(code, "the ZIP is broken: %s", archive_error_string(reader));
        *bytes += (uint64_t)n;
        if (*bytes > VERSION_CODE_BYTES_MAX)
            return invalid(code, "more than %u MiB unpacked, Lambda's limit",
                           VERSION_CODE_BYTES_MAX >> 20);
        PX_TRY(px_file_write_all(fd, room, (size_t)n));
    }
    return fsync(fd) == 0 ? 0 : px_fault_errno("fsync");
}

static int unpack_entry(struct archive *reader, struct archive_entry *entry, const char *target,
                        uint64_t *bytes, bool *has, struct version_code *code)
{
    const char *name = archive_entry_pathname_utf8(entry);
    if (archive_entry_filetype(entry) == AE_IFDIR) return 0;
    if (!name || !is_inside(name) || archive_entry_filetype(entry) != AE_IFREG)
        return invalid(code, "the ZIP has an entry that is no plain file below its root");
    bool is_bootstrap = strcmp(name, BOOTSTRAP) == 0;
    const struct file file = {name, archive_entry_perm(entry) & 0100 ? 0755 : 0644};
    if (is_bootstrap && file.mode != 0755)
        return invalid(code, BOOTSTRAP " is not executable in the ZIP");
    *has |= is_bootstrap;
    PX_AUTO(px_close) int fd = -1;
    PX_TRY(open_target(target, &file, &fd));
    return unpack_bytes(reader, fd, bytes, code);
}

static int unpack(struct px_str zip, const char *target, struct version_code *code)
{
    PX_AUTO(reader_free) struct archive *reader = archive_read_new();
    struct archive_entry *entry;
    uint64_t bytes = 0;
    bool has = false;
    size_t count = 0;
    int r;
    if (!reader) return px_fault(PX_F_OOM, "a reader of ZIP");
    if (archive_read_support_format_zip(reader) != ARCHIVE_OK ||
        archive_read_open_memory(reader, zip.ptr, zip.len) != ARCHIVE_OK)
        return invalid(code, "no ZIP: %s", archive_error_string(reader));
    while ((r = archive_read_next_header(reader, &entry)) == ARCHIVE_OK) {
        if (++count > FILES_MAX) return invalid(code, "more than %u files", FILES_MAX);
        r = unpack_entry(reader, entry, target, &bytes, &has, code);
        if (r != 0) return r;
    }
    if (r != ARCHIVE_EOF) return invalid(code, "no ZIP: %s", archive_error_string(reader));
    return has ? 0 : invalid(code, "the ZIP has no file " BOOTSTRAP);
}

/* ---- taking in ---- */

static int settle(const char *temporary, const char *store, const struct version_code *code)
{
    char place[4096];
    int n = snprintf(place, sizeof place, "%s/%s", store, code->digest);
    if (n < 0 || (size_t)n >= sizeof place) return px_fault(PX_F_LIMIT, "a path of %d bytes", n);
    PX_TRY(px_dir_sync(temporary));
    if (rename(temporary, place) != 0 && errno != ENOTEMPTY && errno != EEXIST)
        return px_fault_errno("rename to %s", place);
    return px_dir_sync(store);
}

static int begin(const char *store, char *temporary, size_t bytes)
{
    unsigned char random[8];
    char hex[17];
    px_random(random, sizeof random);
    px_hex(random, sizeof random, hex);
    int n = snprintf(temporary, bytes, "%s/tmp-%s", store, hex);
    if (n < 0 || (size_t)n >= bytes) return px_fault(PX_F_LIMIT, "a path of %d bytes", n);
    return px_dir_make(temporary);
}

int version_code_take_zip(struct px_str zip, const char *store, struct version_code *ret_code)
{
    char temporary[4096];
    unsigned char digest[SHA256_DIGEST_LENGTH];
    *ret_code = (struct version_code){.bytes = zip.len};
    (void)SHA256((const uint8_t *)zip.ptr, zip.len, digest);
    px_hex(digest, sizeof digest, ret_code->digest);
    PX_TRY(begin(store, temporary, sizeof temporary));
    int r = unpack(zip, temporary, ret_code);
    if (r == 0) r = settle(temporary, store, ret_code);
    int removed = px_dir_remove(temporary);
    return r != 0 ? r : removed;
}

static int take_zip_file(const char *path, const char *store, struct version_code *ret_code)
{
    struct px_buf zip;
    px_buf_init(&zip, VERSION_CODE_BYTES_MAX);
    int r = px_file_read(path, &zip);
    if (r == PX_FILE_TOO_LARGE)
        r = invalid(ret_code, "%s has more than %u MiB", path, VERSION_CODE_BYTES_MAX >> 20);
    else if (r == PX_FILE_ABSENT)
        r = invalid(ret_code, "%s is not there", path);
    else if (r == 0)
        r = version_code_take_zip(px_buf_str(&zip), store, ret_code);
    px_buf_deinit(&zip);
    return r;
}

int version_code_take(const char *path, const char *store, struct version_code *ret_code)
{
    char temporary[4096];
    struct stat what;
    *ret_code = (struct version_code){0};
    if (stat(path, &what) != 0) return invalid(ret_code, "%s: %s", path, strerror(errno));
    if (S_ISREG(what.st_mode)) return take_zip_file(path, store, ret_code);
    if (!S_ISDIR(what.st_mode)) return invalid(ret_code, "%s is neither folder nor file", path);
    PX_TRY(begin(store, temporary, sizeof temporary));
    int r = take_dir(path, temporary, ret_code);
    if (r == 0) r = settle(temporary, store, ret_code);
    int removed = px_dir_remove(temporary);
    return r != 0 ? r : removed;
}

int version_code_look(const char *dir, struct version_code *ret_code)
{
    *ret_code = (struct version_code){0};
    return take_dir(dir, NULL, ret_code);
}

static int clean_one(void *ctx, const char *name, bool is_dir)
{
    char path[4096];
    if (!is_dir || strncmp(name, "tmp-", 4) != 0) return 0;
    (void)snprintf(path, sizeof path, "%s/%s", (const char *)ctx, name);
    return px_dir_remove(path);
}

int version_code_clean(const char *store)
{
    int r = px_dir_each(store, clean_one, (void *)(uintptr_t)store);
    return r == PX_FILE_ABSENT ? 0 : r;
}
