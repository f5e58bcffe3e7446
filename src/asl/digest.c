/* asl/digest.c - hashes and UUIDs. */
#include "asl/digest.h"

#include <openssl/md5.h>
#include <openssl/sha.h>
#include <stdio.h>

#include "base/px_id.h"

static const struct {
    const char *name;
    uint8_t *(*of)(const uint8_t *data, size_t len, uint8_t *out);
    size_t bytes;
} digests[] = {
    {"MD5", MD5, MD5_DIGEST_LENGTH},           {"SHA-1", SHA1, SHA_DIGEST_LENGTH},
    {"SHA-256", SHA256, SHA256_DIGEST_LENGTH}, {"SHA-384", SHA384, SHA384_DIGEST_LENGTH},
    {"SHA-512", SHA512, SHA512_DIGEST_LENGTH},
};
static_assert(ASL_DIGEST_HEX_BYTES == 2 * SHA512_DIGEST_LENGTH + 1, "the longest");

int asl_digest(struct px_str text, struct px_str algorithm, char *hex)
{
    uint8_t digest[SHA512_DIGEST_LENGTH];
    for (size_t i = 0; i < PX_COUNT(digests); i++) {
        if (!px_str_eq(algorithm, px_str_c(digests[i].name))) continue;
        (void)digests[i].of((const uint8_t *)text.ptr, text.len, digest);
        px_hex(digest, digests[i].bytes, hex);
        return 0;
    }
    return ASL_INVALID;
}

void asl_uuid(const struct asl_scope *scope, char *text)
{
    uint64_t high = scope->random(scope->random_ctx), low = scope->random(scope->random_ctx);
    high = (high & ~UINT64_C(0xf000)) | UINT64_C(0x4000);
    low = (low & ~(UINT64_C(3) << 62)) | UINT64_C(2) << 62;
    (void)snprintf(text, ASL_UUID_BYTES, "%08llx-%04llx-%04llx-%04llx-%012llx",
                   (unsigned long long)(high >> 32), (unsigned long long)(high >> 16 & 0xffff),
                   (unsigned long long)(high & 0xffff), (unsigned long long)(low >> 48),
                   (unsigned long long)(low & UINT64_C(0xffffffffffff)));
}
