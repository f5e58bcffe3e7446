/* store/secrets.c - sealed files; docs: secrets.h.
 *
 * <root>/key        32 random bytes, mode 0600; made once, by whoever comes first
 * <root>/<name>.sealed   magic, nonce, then the value under AES-256-GCM with its tag; the secret's name
 *                   is authenticated too, so that one file put in another's place does not open
 *
 * The key stays in memory while the store is open and is wiped when it closes. */
#include "store/secrets.h"

#include "base/px_file.h"
#include "base/px_id.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <openssl/aead.h>

#define KEY_BYTES 32u
#define NONCE_BYTES 12u
#define TAG_BYTES 16u
#define VALUE_BYTES_MAX 65536u /* as Secrets Manager */
static const char magic[4] = {'P', 'X', 'S', '1'};
#define HEAD_BYTES (sizeof magic + NONCE_BYTES)

struct secret_store {
    char *root;
    unsigned char key[KEY_BYTES];
};

void secret_wipe(struct px_str value)
{
    if (value.len) explicit_bzero((char *)(uintptr_t)value.ptr, value.len);
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

static int key_read_or_make(struct secret_store *store)
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

/* ---- opening ---- */

int secret_store_open(struct px_str url, struct secret_store **ret_store)
{
    if (url.len == 0) return px_fault(PX_F_CONFIG, "the secret store's folder has no name");
    PX_AUTO(secret_store_close) struct secret_store *store = calloc(1, sizeof *store);
    if (!store) return px_fault(PX_F_OOM, "the secret store");
    store->root = strndup(url.ptr, url.len);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): PX_AUTO frees it */
    if (!store->root) return px_fault(PX_F_OOM, "the secret store");
    PX_TRY(px_dir_make(store->root));
    PX_TRY(key_read_or_make(store));
    *ret_store = PX_TAKE(store);
    return 0;
}

void secret_store_close(struct secret_store **store)
{
    if (!*store) return;
    explicit_bzero((*store)->key, sizeof(*store)->key);
    free((*store)->root);
    free(*store);
    *store = NULL;
}

/* Secrets Manager's characters, 1 to 200 of them; '/' is escaped as %2F, and '.' in front as %2E. */
static int path_of(const struct secret_store *store, struct px_str name, char *path)
{
    PX_ASSERT(name.len >= 1 && name.len <= 200);
    PX_AUTO(px_buf_deinit) struct px_buf file;
    px_buf_init(&file, 1024);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        PX_ASSERT(plain || (c != '\0' && strchr("/_+=.@-", c)));
        if (c == '/' || (c == '.' && i == 0))
            px_buf_add_c(&file, c == '/' ? "%2F" : "%2E");
        else
            px_buf_add_char(&file, c);
    }
    PX_TRY(px_buf_fault(&file));
    int n = snprintf(path, PATH_MAX, "%s/%.*s.sealed", store->root, PX_FMT(px_buf_str(&file)));
    if (n < 0 || n >= PATH_MAX || file.len + 7 > NAME_MAX)
        return px_fault(PX_F_LIMIT, "path of %d bytes", n);
    return 0;
}

/* ---- sealing ---- */

static int cipher_init(const struct secret_store *store, EVP_AEAD_CTX *ctx)
{
    EVP_AEAD_CTX_zero(ctx);
    if (EVP_AEAD_CTX_init(ctx, EVP_aead_aes_256_gcm(), store->key, KEY_BYTES, TAG_BYTES, NULL))
        return 0;
    return px_fault(PX_F_OOM, "AES-GCM");
}

static int seal(const struct secret_store *store, struct px_str name, struct px_str value,
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

static int unseal(const struct secret_store *store, struct px_str name, struct px_str sealed,
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

int secret_get(struct secret_store *store, struct px_str name, struct px_arena *arena,
               struct px_str *ret_value)
{
    char path[PATH_MAX];
    PX_TRY(path_of(store, name, path));
    PX_AUTO(px_buf_deinit) struct px_buf sealed;
    px_buf_init(&sealed, HEAD_BYTES + VALUE_BYTES_MAX + TAG_BYTES);
    int r = px_file_read(path, &sealed);
    if (r == PX_FILE_ABSENT) return SECRET_ABSENT;
    if (r == PX_FILE_TOO_LARGE) return px_fault(PX_F_CORRUPT, "%s is too large", path);
    PX_TRY(r);
    PX_TRY(unseal(store, name, px_buf_str(&sealed), arena, ret_value));
    return 0;
}

/* write: px_file_write_atomic or px_file_write_new, whose answer is returned. */
static int put_with(struct secret_store *store, struct px_str name, struct px_str value,
                    int (*write)(const char *path, struct px_str bytes, unsigned mode))
{
    char path[PATH_MAX];
    if (value.len > VALUE_BYTES_MAX)
        return px_fault(PX_F_LIMIT, "a secret of %zu bytes", value.len);
    PX_TRY(path_of(store, name, path));
    PX_AUTO(px_buf_deinit) struct px_buf sealed;
    px_buf_init(&sealed, HEAD_BYTES + VALUE_BYTES_MAX + TAG_BYTES);
    PX_TRY(seal(store, name, value, &sealed));
    return write(path, px_buf_str(&sealed), 0600);
}

int secret_put(struct secret_store *store, struct px_str name, struct px_str value)
{
    PX_TRY(put_with(store, name, value, px_file_write_atomic));
    return 0;
}

static int make_random(struct secret_store *store, struct px_str name, size_t bytes)
{
    unsigned char raw[128];
    char hex[2 * sizeof raw + 1];
    PX_ASSERT(bytes > 0 && bytes <= sizeof raw);
    px_random(raw, bytes);
    px_hex(raw, bytes, hex);
    int r = put_with(store, name, px_str(hex, 2 * bytes), px_file_write_new);
    explicit_bzero(raw, sizeof raw);
    explicit_bzero(hex, sizeof hex);
    if (r != PX_FILE_EXISTS) PX_TRY(r); /* else somebody was faster, and theirs counts */
    return 0;
}

int secret_get_or_make(struct secret_store *store, struct px_str name, size_t bytes,
                       struct px_arena *arena, struct px_str *ret_value)
{
    int r = secret_get(store, name, arena, ret_value);
    if (r != SECRET_ABSENT) {
        PX_TRY(r);
        return 0;
    }
    PX_TRY(make_random(store, name, bytes));
    PX_TRY(secret_get(store, name, arena, ret_value));
    return 0;
}
