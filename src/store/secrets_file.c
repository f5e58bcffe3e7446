/* store/secrets_file.c - sealed files; docs: secrets.h.
 *
 * <root>/key            32 random bytes, mode 0600; made once, by whoever comes first
 * <root>/<name>.sealed  the versions of a secret (secrets_sealed.h); the secret's name is authenticated too, so that one
 *                       file put in another's place does not open
 * <root>/<name>.sealed-before   what older programs left: the previous value. It goes with the next change
 * <root>/turn           locked while a secret is changed; readers need no lock, for a change is one rename
 *
 * The key stays in memory while the store is open and is wiped when it closes. */
#include "base/px_file.h"
#include "base/px_id.h"
#include "store/secrets_sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_BYTES SEALING_KEY_BYTES
#define SCRATCH_BYTES_MAX ((size_t)4 << 20)
#define ID_BEFORE S("00000000-0000-0000-0000-000000000000")

struct secret_files {
    struct secret_store store; /* first: the header's functions know only this */
    char *root;
    const struct px_clock *clock;
    unsigned char key[KEY_BYTES];
};

static struct secret_files *files_of(struct secret_store *store)
{
    return (struct secret_files *)store;
}

static void buf_wipe(struct px_buf *buf)
{
    secret_wipe(px_str(buf->ptr, buf->cap));
    px_buf_deinit(buf);
}

/* ---- the key ---- */

static int key_read(const char *path, unsigned char *key)
{
    PX_AUTO(buf_wipe) struct px_buf bytes;
    px_buf_init(&bytes, KEY_BYTES);
    int r = px_file_read(path, &bytes);
    if (r == PX_FILE_ABSENT) return SECRET_ABSENT;
    if (r == PX_FILE_TOO_LARGE || (r == 0 && bytes.len != KEY_BYTES))
        return px_fault(PX_F_CORRUPT, "%s is no key", path);
    PX_TRY(r);
    struct stat about;
    if (stat(path, &about) != 0) return px_fault_errno("stat %s", path);
    if (about.st_mode & 077)
        return px_fault(PX_F_CONFIG, "%s may be read by others; chmod 600 it", path);
    memcpy(key, bytes.ptr, KEY_BYTES);
    return 0;
}

static int find_sealed(void *ctx, const char *name, bool is_dir)
{
    (void)is_dir;
    if (px_str_ends(px_str_c(name), S(".sealed"))) *(bool *)ctx = true;
    return 0;
}

/* A new key beside sealed files would make them look altered; better to say what is missing. */
static int key_make(const char *root, const char *path)
{
    bool any_sealed = false;
    PX_TRY(px_dir_each(root, find_sealed, &any_sealed));
    if (any_sealed)
        return px_fault(PX_F_CONFIG, "%s is missing, but secrets are sealed with it", path);
    char key[KEY_BYTES];
    px_random(key, sizeof key);
    int r = px_file_write_new(path, px_str(key, sizeof key), 0600);
    secret_wipe(px_str(key, sizeof key));
    if (r != PX_FILE_EXISTS) PX_TRY(r);
    return 0;
}

static int key_read_or_make(struct secret_files *store)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/key", store->root);
    if (n < 0 || n >= PATH_MAX) return px_fault(PX_F_LIMIT, "path of %d bytes", n);
    int r = key_read(path, store->key);
    if (r == SECRET_ABSENT) {
        r = key_make(store->root, path);
        /* somebody else may have made the key and sealed with it since we looked */
        if (r == 0 || r == PX_F_CONFIG) {
            int again = key_read(path, store->key);
            if (again != SECRET_ABSENT) r = again;
        }
    }
    PX_TRY(r);
    return 0;
}

/* '/' is escaped as %2F, and '.' in front as %2E. */
static int path_of(const struct secret_files *files, struct px_str name, const char *ending,
                   char *path)
{
    PX_AUTO(px_buf_deinit) struct px_buf file;
    px_buf_init(&file, 1024);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (c == '/' || (c == '.' && i == 0))
            px_buf_add_c(&file, c == '/' ? "%2F" : "%2E");
        else
            px_buf_add_char(&file, c);
    }
    px_buf_add_c(&file, ending);
    PX_TRY(px_buf_fault(&file));
    int n = snprintf(path, PATH_MAX, "%s/%.*s", files->root, PX_FMT(px_buf_str(&file)));
    if (n < 0 || n >= PATH_MAX || file.len > NAME_MAX)
        return px_fault(PX_F_LIMIT, "path of %d bytes", n);
    return 0;
}

/* ---- reading and writing ---- */

/* Answers: SECRET_ABSENT. */
static int load_file(const struct secret_files *files, struct px_str name, const char *ending,
                     struct px_arena *arena, struct sealed_secret *ret_secret)
{
    char path[PATH_MAX];
    PX_TRY(path_of(files, name, ending, path));
    PX_AUTO(px_buf_deinit) struct px_buf sealed;
    px_buf_init(&sealed, SEALED_BYTES_MAX);
    int r = px_file_read(path, &sealed);
    if (r == PX_FILE_ABSENT) return SECRET_ABSENT;
    if (r == PX_FILE_TOO_LARGE) return px_fault(PX_F_CORRUPT, "%s is too large", path);
    PX_TRY(r);
    PX_TRY(sealed_read(files->key, name, px_buf_str(&sealed), arena, ret_secret));
    return 0;
}

/* Answers: SECRET_ABSENT. */
static int load(const struct secret_files *files, struct px_str name, struct px_arena *arena,
                struct sealed_secret *ret_secret)
{
    struct sealed_secret before;
    int r = load_file(files, name, ".sealed", arena, ret_secret);
    if (r == SECRET_ABSENT) return r;
    PX_TRY(r);
    if (!ret_secret->is_old) return 0;
    r = load_file(files, name, ".sealed-before", arena, &before);
    if (r == SECRET_ABSENT) return 0;
    PX_TRY(r);
    struct sealed_version *version = sealed_add(ret_secret, ID_BEFORE, before.versions[0].value,
                                                before.versions[0].created_ns);
    sealed_move(ret_secret, SECRET_PREVIOUS, version);
    return 0;
}

/* write: px_file_write_atomic or px_file_write_new, whose answer is returned. */
static int save_with(const struct secret_files *files, struct px_str name,
                     const struct sealed_secret *secret,
                     int (*write)(const char *path, struct px_str bytes, unsigned mode))
{
    char path[PATH_MAX];
    PX_TRY(path_of(files, name, ".sealed", path));
    PX_AUTO(px_buf_deinit) struct px_buf sealed;
    px_buf_init(&sealed, SEALED_BYTES_MAX);
    PX_TRY(sealed_write(files->key, name, secret, &sealed));
    int r = write(path, px_buf_str(&sealed), 0600);
    if (r != 0 || !secret->is_old) return r;
    PX_TRY(path_of(files, name, ".sealed-before", path));
    if (unlink(path) != 0 && errno != ENOENT) return px_fault_errno("unlink %s", path);
    return 0;
}

static int save(const struct secret_files *files, struct px_str name,
                const struct sealed_secret *secret)
{
    return save_with(files, name, secret, px_file_write_atomic);
}

/* Until the descriptor closes. */
static int turn_take(const struct secret_files *files, int *ret_fd)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/turn", files->root);
    if (n < 0 || n >= PATH_MAX) return px_fault(PX_F_LIMIT, "path of %d bytes", n);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return px_fault_errno("open %s", path);
    if (TEMP_FAILURE_RETRY(flock(fd, LOCK_EX)) != 0) {
        int r = px_fault_errno("flock %s", path);
        px_close(&fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

static struct sealed_version *add_new(const struct secret_files *files,
                                      struct sealed_secret *secret, struct px_str value)
{
    char id[37];
    int64_t now_ns = px_wall_ns(files->clock);
    px_uuid7(now_ns, id);
    return sealed_add(secret, px_str_c(id), value, now_ns);
}

/* ---- the calls ---- */

static int file_get(struct secret_store *store, struct px_str name, enum secret_version version,
                    struct px_arena *arena, struct px_str *ret_value)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, SCRATCH_BYTES_MAX);
    struct sealed_secret secret;
    int r = load(files_of(store), name, &scratch, &secret);
    if (r == SECRET_ABSENT) return r;
    PX_TRY(r);
    const struct sealed_version *found = sealed_at(&secret, version);
    if (!found) return SECRET_ABSENT;
    struct px_str copy = px_arena_dup(arena, found->value);
    if (!copy.ptr) return px_arena_fault(arena);
    *ret_value = copy;
    return 0;
}

/* Every get reads the file. */
static bool file_doubt(struct secret_store *store, struct px_str name)
{
    (void)store, (void)name;
    return false;
}

static int file_put(struct secret_store *store, struct px_str name, struct px_str value)
{
    struct secret_files *files = files_of(store);
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, SCRATCH_BYTES_MAX);
    PX_AUTO(px_close) int turn = -1;
    PX_TRY(turn_take(files, &turn));
    struct sealed_secret secret = {0};
    int r = load(files, name, &scratch, &secret);
    if (r != SECRET_ABSENT) PX_TRY(r);
    sealed_make_current(&secret, add_new(files, &secret, value));
    PX_TRY(save(files, name, &secret));
    return 0;
}

static int file_make(struct secret_store *store, struct px_str name, struct px_str value)
{
    struct secret_files *files = files_of(store);
    struct sealed_secret secret = {0};
    sealed_make_current(&secret, add_new(files, &secret, value));
    int r = save_with(files, name, &secret, px_file_write_new);
    if (r == PX_FILE_EXISTS) return SECRET_EXISTS;
    PX_TRY(r);
    return 0;
}

/* ---- rotation ---- */

static int file_describe(struct secret_store *store, struct px_str name, enum secret_detail detail,
                         struct px_arena *arena, struct secret_info *ret_info)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, SCRATCH_BYTES_MAX);
    struct sealed_secret secret;
    int r = load(files_of(store), name, &scratch, &secret);
    if (r == SECRET_ABSENT) return r;
    PX_TRY(r);
    struct secret_info info = {.rotated_ns = secret.rotated_ns};
    info.versions = px_arena_array(arena, struct secret_state, secret.count);
    if (!info.versions) return px_arena_fault(arena);
    for (size_t i = 0; i < secret.count; i++) {
        const struct sealed_version *version = &secret.versions[i];
        if (version->stages == 0 && detail == SECRET_STAGES) continue;
        struct secret_state *state = &info.versions[info.count++];
        *state = (struct secret_state){.id = px_arena_dup(arena, px_str_c(version->id)),
                                       .stages = version->stages,
                                       .created_ns = version->created_ns};
        if (!state->id.ptr) return px_arena_fault(arena);
    }
    *ret_info = info;
    return 0;
}

struct change { /* of an existing secret */
    struct px_str id, value;
    int64_t now_ns;
    bool changed;
};
typedef int change_fn(struct sealed_secret *secret, struct change *change);

static int change_with(struct secret_store *store, struct px_str name, change_fn *fn,
                       struct change change)
{
    struct secret_files *files = files_of(store);
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, SCRATCH_BYTES_MAX);
    PX_AUTO(px_close) int turn = -1;
    PX_TRY(turn_take(files, &turn));
    struct sealed_secret secret;
    change.now_ns = px_wall_ns(files->clock);
    int r = load(files, name, &scratch, &secret);
    if (r == SECRET_ABSENT) return r;
    PX_TRY(r);
    r = fn(&secret, &change);
    if (r != 0 || !change.changed) return r;
    PX_TRY(save(files, name, &secret));
    return 0;
}

static int add_pending(struct sealed_secret *secret, struct change *change)
{
    struct sealed_version *version = sealed_by_id(secret, change->id);
    const struct sealed_version *pending = sealed_at(secret, SECRET_PENDING);
    if (version && version->stages)
        return px_secret_eq(version->value, change->value) ? 0 : SECRET_TAKEN;
    if (version || pending) return SECRET_TAKEN;
    version = sealed_add(secret, change->id, change->value, change->now_ns);
    sealed_move(secret, SECRET_PENDING, version);
    change->changed = true;
    return 0;
}

static int file_put_pending(struct secret_store *store, struct px_str name, struct px_str id,
                            struct px_str value)
{
    return change_with(store, name, add_pending, (struct change){.id = id, .value = value});
}

static int promote(struct sealed_secret *secret, struct change *change)
{
    struct sealed_version *version = sealed_by_id(secret, change->id);
    if (!version || version->stages == 0) return SECRET_ABSENT;
    if (version->stages & SECRET_BIT(SECRET_CURRENT)) return 0;
    sealed_make_current(secret, version);
    sealed_move(secret, SECRET_PENDING, NULL);
    secret->rotated_ns = change->now_ns;
    change->changed = true;
    return 0;
}

static int file_promote(struct secret_store *store, struct px_str name, struct px_str id)
{
    return change_with(store, name, promote, (struct change){.id = id});
}

static int abandon(struct sealed_secret *secret, struct change *change)
{
    const struct sealed_version *version = sealed_by_id(secret, change->id);
    if (!version || !(version->stages & SECRET_BIT(SECRET_PENDING))) return SECRET_ABSENT;
    sealed_move(secret, SECRET_PENDING, NULL);
    change->changed = true;
    return 0;
}

static int file_abandon(struct secret_store *store, struct px_str name, struct px_str id)
{
    return change_with(store, name, abandon, (struct change){.id = id});
}

static int file_rotate(struct secret_store *store, struct px_str name, struct px_str id)
{
    (void)store, (void)id;
    return px_fault(PX_F_CONFIG, "nobody rotates secrets of a folder by itself: %.*s",
                    PX_FMT(name));
}

struct listing {
    struct px_arena *arena;
    struct px_str *names;
    size_t count;
};

static int list_one(void *ctx, const char *file, bool is_dir)
{
    struct listing *listing = ctx;
    struct px_str text = px_str_c(file);
    if (is_dir || !px_str_ends(text, S(".sealed"))) return 0;
    if (listing->count == SECRETS_MAX)
        return px_fault(PX_F_LIMIT, "more than %u secrets", SECRETS_MAX);
    char name[SECRET_NAME_MAX + 1];
    size_t len = 0;
    for (text.len -= sizeof ".sealed" - 1; text.len > 0 && len < SECRET_NAME_MAX;) {
        bool slash = px_str_starts(text, S("%2F")), dot = px_str_starts(text, S("%2E"));
        name[len++] = slash ? '/' : dot ? '.' : text.ptr[0];
        text = px_str_skip(text, slash || dot ? 3 : 1);
    }
    struct px_str copy = px_arena_dup(listing->arena, px_str(name, len));
    if (!copy.ptr) return px_arena_fault(listing->arena);
    listing->names[listing->count++] = copy;
    return 0;
}

static int file_list(struct secret_store *store, struct px_arena *arena, struct px_str **ret_names,
                     size_t *ret_count)
{
    struct listing listing = {.arena = arena,
                              .names = px_arena_array(arena, struct px_str, SECRETS_MAX)};
    if (!listing.names) return px_arena_fault(arena);
    int r = px_dir_each(files_of(store)->root, list_one, &listing);
    if (r != PX_FILE_ABSENT) PX_TRY(r);
    *ret_names = listing.names;
    *ret_count = listing.count;
    return 0;
}

/* ---- opening ---- */

static void file_close(struct secret_store *store)
{
    struct secret_files *files = files_of(store);
    explicit_bzero(files->key, sizeof files->key);
    free(files->root);
    free(files);
}

static const struct secret_half half = {.get = file_get,
                                        .doubt = file_doubt,
                                        .put = file_put,
                                        .make = file_make,
                                        .describe = file_describe,
                                        .put_pending = file_put_pending,
                                        .promote = file_promote,
                                        .abandon = file_abandon,
                                        .list = file_list,
                                        .rotate = file_rotate,
                                        .close = file_close};

int secrets_file_open(struct px_str folder, const struct secret_options *options,
                      struct secret_store **ret_store)
{
    if (folder.len == 0) return px_fault(PX_F_CONFIG, "the secret store's folder has no name");
    struct secret_files *files = calloc(1, sizeof *files);
    if (!files) return px_fault(PX_F_OOM, "the secret store");
    PX_AUTO(secret_store_close) struct secret_store *store = &files->store;
    store->half = &half;
    files->clock = options->clock ? options->clock : &px_clock_system;
    files->root = strndup(folder.ptr, folder.len);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): PX_AUTO frees it */
    if (!files->root) return px_fault(PX_F_OOM, "the secret store");
    PX_TRY(px_dir_make(files->root));
    PX_TRY(key_read_or_make(files));
    *ret_store = PX_TAKE(store);
    return 0;
}
