/* Arbitrary bytes as a hot file: read to its end, with faults and answers only. Frames come with rising
 * numbers, from inside the file, and reading ends. */
// link: px_store
#include "store/hot.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static void read_all(const struct hot_file *file, size_t size)
{
    struct hot_reader *reader = NULL;
    struct hot_frame frame;
    uint64_t last_seq = 0;
    size_t steps = 0, sum = 0;
    int r = hot_reader_open(file, &reader);
    PX_ASSERT(r == 0);
    while ((r = hot_reader_next(reader, &frame)) != HOT_END) {
        PX_ASSERT(r == 0 || r == PX_F_CORRUPT);
        PX_ASSERT(++steps <= size / 8 + 2);
        if (r != 0) continue;
        PX_ASSERT(frame.seq > last_seq && frame.payload.len < size);
        last_seq = frame.seq;
        for (size_t i = 0; i < frame.payload.len; i++) sum += (unsigned char)frame.payload.ptr[i];
    }
    __asm__ volatile("" : : "r"(sum)); /* it was used */
    hot_reader_close(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    PX_AUTO(px_close) int fd = memfd_create("hot", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    /* the place of the corpus; any other would make every checksum wrong */
    struct hot_file file = {.tenant = S("acme"),
                            .dataset = S("logs"),
                            .writer = S("019b7ca9-8c89-7000-8000-000000000000"),
                            .path = px_str_c(path),
                            .file_no = 1};
    read_all(&file, size);
    return 0;
}
