/* store/secrets_sealed.c - see secrets_sealed.h. At most three versions have stages, so one without can always make room. */
#include "store/secrets_sealed.h"

#include "base/px_id.h"

#include <openssl/aead.h>

#define NONCE_BYTES 12u
#define TAG_BYTES 16u
#define MAGIC_BYTES 4u
static const char magic[] = "PXS2", magic_before[] = "PXS1";
#define HEAD_BYTES (MAGIC_BYTES + NONCE_BYTES)

struct plain_head {
    int64_t rotated_ns;
    uint32_t count, unused;
};
struct plain_version {
    char id[SECRET_ID_MAX]; /* padded with NULs */
    int64_t created_ns;
    uint32_t stages, bytes;
};
static_assert(sizeof(struct plain_head) == 16 && sizeof(struct plain_version) == 80, "on-disk");

/* ---- versions ---- */

struct sealed_version *sealed_at(struct sealed_secret *secret, enum secret_version stage)
{
    for (size_t i = 0; i < secret->count; i++)
        if (secret->versions[i].stages & SECRET_BIT(stage)) return &secret->versions[i];
    return NULL;
}

struct sealed_version *sealed_by_id(struct sealed_secret *secret, struct px_str id)
{
    for (size_t i = 0; i < secret->count; i++)
        if (px_str_eq(px_str_c(secret->versions[i].id), id)) return &secret->versions[i];
    return NULL;
}

static void forget_oldest(struct sealed_secret *secret)
{
    size_t i = secret->count;
    while (i > 0 && secret->versions[i - 1].stages != 0) i--;
    PX_ASSERT(i > 0);
    for (; i < secret->count; i++) secret->versions[i - 1] = secret->versions[i];
    secret->count--;
}

struct sealed_version *sealed_add(struct sealed_secret *secret, struct px_str id,
                                  struct px_str value, int64_t now_ns)
{
    PX_ASSERT(id.len <= SECRET_ID_MAX);
    if (secret->count == SEALED_VERSIONS_MAX) forget_oldest(secret);
    for (size_t i = secret->count; i > 0; i--) secret->versions[i] = secret->versions[i - 1];
    secret->count++;
    struct sealed_version *version = &secret->versions[0];
    *version = (struct sealed_version){.created_ns = now_ns, .value = value};
    memcpy(version->id, id.ptr, id.len);
    return version;
}

void sealed_move(struct sealed_secret *secret, enum secret_version stage, struct sealed_version *to)
{
    for (size_t i = 0; i < secret->count; i++) secret->versions[i].stages &= ~SECRET_BIT(stage);
    if (to) to->stages |= SECRET_BIT(stage);
}

void sealed_make_current(struct sealed_secret *secret, struct sealed_version *to)
{
    struct sealed_version *before = sealed_at(secret, SECRET_CURRENT);
    if (before == to) return;
    sealed_move(secret, SECRET_PREVIOUS, before);
    sealed_move(secret, SECRET_CURRENT, to);
    to->stages &= ~SECRET_BIT(SECRET_PREVIOUS);
}

/* ---- plain form ---- */

static void plain_write(const struct sealed_secret *secret, struct px_buf *plain)
{
    struct plain_head head = {.rotated_ns = secret->rotated_ns, .count = (uint32_t)secret->count};
    px_buf_add(plain, &head, sizeof head);
    for (size_t i = 0; i < secret->count; i++) {
        const struct sealed_version *version = &secret->versions[i];
        struct px_str value = version->stages ? version->value : (struct px_str){0};
        struct plain_version about = {.created_ns = version->created_ns,
                                      .stages = version->stages,
                                      .bytes = (uint32_t)value.len};
        memcpy(about.id, version->id, sizeof about.id);
        px_buf_add(plain, &about, sizeof about);
        px_buf_add(plain, value.ptr, value.len);
    }
}

static size_t plain_bytes(const struct sealed_secret *secret)
{
    size_t bytes = sizeof(struct plain_head);
    for (size_t i = 0; i < secret->count; i++)
        bytes += sizeof(struct plain_version) + secret->versions[i].value.len;
    return bytes;
}

static bool plain_read(struct px_str plain, struct sealed_secret *ret_secret)
{
    struct plain_head head;
    if (plain.len < sizeof head) return false;
    memcpy(&head, plain.ptr, sizeof head);
    plain = px_str_skip(plain, sizeof head);
    if (head.count > SEALED_VERSIONS_MAX) return false;
    *ret_secret = (struct sealed_secret){.count = head.count, .rotated_ns = head.rotated_ns};
    for (size_t i = 0; i < head.count; i++) {
        struct sealed_version *version = &ret_secret->versions[i];
        struct plain_version about;
        if (plain.len < sizeof about) return false;
        memcpy(&about, plain.ptr, sizeof about);
        plain = px_str_skip(plain, sizeof about);
        if (plain.len < about.bytes) return false;
        memcpy(version->id, about.id, sizeof about.id);
        version->created_ns = about.created_ns;
        version->stages = about.stages;
        version->value = px_str(plain.ptr, about.bytes);
        plain = px_str_skip(plain, about.bytes);
    }
    return plain.len == 0;
}

/* ---- sealing ---- */

static void buf_wipe(struct px_buf *buf)
{
    secret_wipe(px_str(buf->ptr, buf->cap));
    px_buf_deinit(buf);
}

static int cipher_init(const unsigned char *key, EVP_AEAD_CTX *ctx)
{
    EVP_AEAD_CTX_zero(ctx);
    if (EVP_AEAD_CTX_init(ctx, EVP_aead_aes_256_gcm(), key, SEALING_KEY_BYTES, TAG_BYTES, NULL))
        return 0;
    return px_fault(PX_F_OOM, "AES-GCM");
}

int sealed_write(const unsigned char *key, struct px_str name, const struct sealed_secret *secret,
                 struct px_buf *sealed)
{
    PX_AUTO(buf_wipe) struct px_buf plain;
    px_buf_init(&plain, SEALED_BYTES_MAX);
    (void)px_buf_reserve(&plain,
                         plain_bytes(secret)); /* at once: growing would leave copies behind */
    plain_write(secret, &plain);
    PX_TRY(px_buf_fault(&plain));
    char nonce[NONCE_BYTES];
    px_random(nonce, sizeof nonce);
    px_buf_add(sealed, magic, MAGIC_BYTES);
    px_buf_add(sealed, nonce, sizeof nonce);
    size_t room = plain.len + TAG_BYTES, written = 0;
    unsigned char *out = (unsigned char *)px_buf_reserve(sealed, room);
    PX_TRY(px_buf_fault(sealed));

    PX_AUTO(EVP_AEAD_CTX_cleanup) EVP_AEAD_CTX ctx;
    PX_TRY(cipher_init(key, &ctx));
    int done = EVP_AEAD_CTX_seal(&ctx, out, &written, room, (const unsigned char *)nonce,
                                 NONCE_BYTES, (const unsigned char *)plain.ptr, plain.len,
                                 (const unsigned char *)name.ptr, name.len);
    PX_ASSERT(done && written == room);
    sealed->len += written;
    return 0;
}

/* The value alone, under an id that says so. */
static void take_before(struct px_str value, struct sealed_secret *ret_secret)
{
    *ret_secret = (struct sealed_secret){.is_old = true};
    struct sealed_version *version = sealed_add(
        ret_secret, S("00000000-0000-0000-0000-000000000001"), value, 0);
    sealed_move(ret_secret, SECRET_CURRENT, version);
}

int sealed_read(const unsigned char *key, struct px_str name, struct px_str sealed,
                struct px_arena *arena, struct sealed_secret *ret_secret)
{
    bool is_old = px_str_starts(sealed, px_str(magic_before, MAGIC_BYTES));
    bool known = is_old || px_str_starts(sealed, px_str(magic, MAGIC_BYTES));
    if (sealed.len < HEAD_BYTES + TAG_BYTES || !known)
        return px_fault(PX_F_CORRUPT, "secret %.*s is no sealed file", PX_FMT(name));
    const unsigned char *nonce = (const unsigned char *)sealed.ptr + MAGIC_BYTES;
    struct px_str body = px_str_skip(sealed, HEAD_BYTES);
    unsigned char *out = px_arena_zalloc(arena, body.len);
    if (!out) return px_arena_fault(arena);

    PX_AUTO(EVP_AEAD_CTX_cleanup) EVP_AEAD_CTX ctx;
    PX_TRY(cipher_init(key, &ctx));
    size_t written = 0;
    if (!EVP_AEAD_CTX_open(&ctx, out, &written, body.len, nonce, NONCE_BYTES,
                           (const unsigned char *)body.ptr, body.len,
                           (const unsigned char *)name.ptr, name.len))
        return px_fault(PX_F_CORRUPT, "secret %.*s was altered", PX_FMT(name));
    if (is_old)
        take_before(px_str((char *)out, written), ret_secret);
    else if (!plain_read(px_str((char *)out, written), ret_secret))
        return px_fault(PX_F_CORRUPT, "secret %.*s has another form", PX_FMT(name));
    return 0;
}
