/* store/secrets_file.c - sealed files; docs: secrets.h.
 *
 * <root>/key        32 random bytes, mode 0600; made once, by whoever comes first
 * <root>/<name>.sealed   magic, nonce, then the value under AES-256-GCM with its tag; the secret's name
 *                   is authenticated too, so that one file put in another's place does not open
 * <root>/<name>.sealed-before   the same with the previous value
 *
 * The key stays in memory while the store is open and is wiped when it closes. */
#include "base/px_file.h"
#include "base/px_id.h"
#include "store/secrets_half.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <openssl/aead.h>

#define KEY_BYTES 32u
#define NONCE_BYTES 12u
#define TAG_BYTES 16u
static const char magic[4] = {'P', 'X', 'S', '1'};
#define HEAD_BYTES (sizeof magic + NONCE_BYTES)

struct secret_files {
    struct secret_store store; /* first: the header's functions know only this */
    char *root;
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
static int path_of(const struct secret_files *files, struct px_str name,
                   enum secret_version version, char *path)
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
    px_buf_add_c(&file, version == SECRET_CURRENT ? ".sealed" : ".sealed-before");
    PX_TRY(px_buf_fault(&file));
    int n = snprintf(path, PATH_MAX, "%s/%.*s", files->root, PX_FMT(px_buf_str(&file)));
    if (n < 0 || n >= PATH_MAX || file.len > NAME_MAX)
        return px_fault(PX_F_LIMIT, "path of %d bytes", n);
    return 0;
}

/* ---- sealing ---- */

static int cipher_init(const struct secret_files *store, EVP_AEAD_CTX *ctx)
{
    EVP_AEAD_CTX_zero(ctx);
    if (EVP_AEAD_CTX_init(ctx, EVP_aead_aes_256_gcm(), store->key, KEY_BYTES, TAG_BYTES, NULL))
        return 0;
    return px_fault(PX_F_OOM, "AES-GCM");
}

static int seal(const struct secret_files *store, struct px_str name, struct px_str value,
                struct px_buf *sealed)
{
    char nonce[NONCE_BYTES];
    px_random(nonce, sizeof nonce);
    px_buf_add(sealed, magic, sizeof magic);
    px_buf_add(sealed, nonce, sizeof nonce);
    size_t room = value.len + TAG_BYTES, written = 0;
    unsigned char *out = (unsigned char *)px_buf_reserve(sealed, room);
    PX_TRY(px_buf_fault(sealed));

    PX_AUTO(EVP_AEAD_CTX_cleanup) EVP_AEAD_CTX ctx;
    PX_TRY(cipher_init(store, &ctx));
    int done = EVP_AEAD_CTX_seal(&ctx, out, &written, room, (const unsigned char *)nonce,
                                 NONCE_BYTES, (const unsigned char *)value.ptr, value.len,
                                 (const unsigned char *)name.ptr, name.len);
    PX_ASSERT(done && written == room);
    sealed->len += written;
    return 0;
}

static int unseal(const struct secret_files *store, struct px_str name, struct px_str sealed,
                  struct px_arena *arena, struct px_str *ret_value)
{
    if (sealed.len < HEAD_BYTES + TAG_BYTES || memcmp(sealed.ptr, magic, sizeof magic) != 0)
        return px_fault(PX_F_CORRUPT, "secret %.*s is no sealed file", PX_FMT(name));
    const unsigned char *nonce = (const unsigned char *)sealed.ptr + sizeof magic;
    struct px_str body = px_str_skip(sealed, HEAD_BYTES);
    unsigned char *out = px_arena_zalloc(arena, body.len);
    if (!out) return px_arena_fault(arena);

    PX_AUTO(EVP_AEAD_CTX_cleanup) EVP_AEAD_CTX ctx;
    PX_TRY(cipher_init(store, &ctx));
    size_t written = 0;
    if (!EVP_AEAD_CTX_open(&ctx, out, &written, body.len, nonce, NONCE_BYTES,
                           (const unsigned char *)body.ptr, body.len,
                           (const unsigned char *)name.ptr, name.len))
        return px_fault(PX_F_CORRUPT, "secret %.*s was altered", PX_FMT(name));
    *ret_value = px_str((char *)out, written);
    return 0;
}

/* ---- the calls ---- */

static int file_get(struct secret_store *store, struct px_str name, enum secret_version version,
                    struct px_arena *arena, struct px_str *ret_value)
{
    char path[PATH_MAX];
    PX_TRY(path_of(files_of(store), name, version, path));
    PX_AUTO(px_buf_deinit) struct px_buf sealed;
    px_buf_init(&sealed, HEAD_BYTES + SECRET_BYTES_MAX + TAG_BYTES);
    int r = px_file_read(path, &sealed);
    if (r == PX_FILE_ABSENT) return SECRET_ABSENT;
    if (r == PX_FILE_TOO_LARGE) return px_fault(PX_F_CORRUPT, "%s is too large", path);
    PX_TRY(r);
    PX_TRY(unseal(files_of(store), name, px_buf_str(&sealed), arena, ret_value));
    return 0;
}

/* Every get reads the file. */
static bool file_doubt(struct secret_store *store, struct px_str name)
{
    (void)store, (void)name;
    return false;
}

/* The current value becomes the previous one, if there is one. */
static int keep_before(const struct secret_files *files, struct px_str name)
{
    char path[PATH_MAX], before[PATH_MAX];
    PX_TRY(path_of(files, name, SECRET_CURRENT, path));
    PX_TRY(path_of(files, name, SECRET_PREVIOUS, before));
    PX_AUTO(px_buf_deinit) struct px_buf sealed;
    px_buf_init(&sealed, HEAD_BYTES + SECRET_BYTES_MAX + TAG_BYTES);
    int r = px_file_read(path, &sealed);
    if (r == PX_FILE_ABSENT) return 0;
    if (r == PX_FILE_TOO_LARGE) return px_fault(PX_F_CORRUPT, "%s is too large", path);
    PX_TRY(r);
    PX_TRY(px_file_write_atomic(before, px_buf_str(&sealed), 0600));
    return 0;
}

/* write: px_file_write_atomic or px_file_write_new, whose answer is returned. */
static int put_with(struct secret_files *files, struct px_str name, struct px_str value,
                    int (*write)(const char *path, struct px_str bytes, unsigned mode))
{
    char path[PATH_MAX];
    PX_TRY(path_of(files, name, SECRET_CURRENT, path));
    PX_AUTO(px_buf_deinit) struct px_buf sealed;
    px_buf_init(&sealed, HEAD_BYTES + SECRET_BYTES_MAX + TAG_BYTES);
    PX_TRY(seal(files, name, value, &sealed));
    return write(path, px_buf_str(&sealed), 0600);
}

static int file_put(struct secret_store *store, struct px_str name, struct px_str value)
{
    PX_TRY(keep_before(files_of(store), name));
    PX_TRY(put_with(files_of(store), name, value, px_file_write_atomic));
    return 0;
}

static int file_make(struct secret_store *store, struct px_str name, struct px_str value)
{
    int r = put_with(files_of(store), name, value, px_file_write_new);
    if (r == PX_FILE_EXISTS) return SECRET_EXISTS;
    PX_TRY(r);
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

static const struct secret_half half = {
    .get = file_get, .doubt = file_doubt, .put = file_put, .make = file_make, .close = file_close};

int secrets_file_open(struct px_str folder, struct secret_store **ret_store)
{
    if (folder.len == 0) return px_fault(PX_F_CONFIG, "the secret store's folder has no name");
    struct secret_files *files = calloc(1, sizeof *files);
    if (!files) return px_fault(PX_F_OOM, "the secret store");
    PX_AUTO(secret_store_close) struct secret_store *store = &files->store;
    store->half = &half;
    files->root = strndup(folder.ptr, folder.len);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): PX_AUTO frees it */
    if (!files->root) return px_fault(PX_F_OOM, "the secret store");
    PX_TRY(px_dir_make(files->root));
    PX_TRY(key_read_or_make(files));
    *ret_store = PX_TAKE(store);
    return 0;
}
