/* store/digest.c - see digest.h; the hash is AWS-LC's. */
#include "store/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <unistd.h>

#include "base/px_id.h"

#define PIECE_BYTES 65536

void digest_of(struct px_str bytes, char ret_hex[DIGEST_HEX_BYTES])
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    (void)SHA256((const uint8_t *)bytes.ptr, bytes.len, digest);
    px_hex(digest, sizeof digest, ret_hex);
}

int digest_of_file(const char *path, char ret_hex[DIGEST_HEX_BYTES])
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    char piece[PIECE_BYTES];
    SHA256_CTX hash;
    PX_AUTO(px_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return px_fault_errno("%s", path);
    (void)SHA256_Init(&hash);
    for (;;) {
        ssize_t n = TEMP_FAILURE_RETRY(read(fd, piece, sizeof piece));
        if (n < 0) return px_fault_errno("read %s", path);
        if (n == 0) break;
        (void)SHA256_Update(&hash, piece, (size_t)n);
    }
    (void)SHA256_Final(digest, &hash);
    px_hex(digest, sizeof digest, ret_hex);
    return 0;
}

bool digest_is_hex(struct px_str text)
{
    uint8_t bytes[SHA256_DIGEST_LENGTH];
    if (!px_unhex(text, bytes, sizeof bytes)) return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] >= 'A' && text.ptr[i] <= 'F') return false;
    return true;
}
