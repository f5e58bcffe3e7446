/* store/hot_read.c - frames out of a mapped file.
 *
 * The mapping has the file's size at opening; what is appended later is seen by the next reader. At
 * each position stands a whole valid frame, or a torn tail, or damage. Damage is told from a torn tail
 * by looking for a valid frame behind it, at multiples of 8. Frame headers are copied out before they
 * are checked, because a writer may void one meanwhile. */
#include "store/hot_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct hot_reader {
    const char *bytes; /* NULL for an empty file */
    size_t size;
    size_t at;
    uint64_t last_seq; /* 0: none yet */
    uint64_t skip_seq; /* frames up to it are not wanted */
    uint32_t place_crc;
    bool header_checked;
    bool gap_reported; /* the frame at `at` may follow a gap */
    bool damaged;      /* something was no frame: the bookmark stays where it is */
    struct hot_bookmark bookmark;
    char *path; /* for faults */
};

static int reader_map(struct hot_reader *reader, int fd, const char *path)
{
    struct stat about;
    if (fstat(fd, &about) != 0) return px_fault_errno("fstat %s", path);
    if (about.st_size == 0) return 0;
    void *bytes = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED) return px_fault_errno("mmap %s", path);
    (void)madvise(bytes, (size_t)about.st_size, MADV_SEQUENTIAL);
    reader->bytes = bytes;
    reader->size = (size_t)about.st_size;
    return 0;
}

int hot_reader_open(const struct hot_file *file, struct hot_reader **ret_reader)
{
    PX_AUTO(hot_reader_close) struct hot_reader *reader = calloc(1, sizeof *reader);
    if (!reader) return px_fault(PX_F_OOM, "a hot reader");
    reader->place_crc = hot_place_crc(file->tenant, file->dataset, file->writer, file->file_no);
    reader->path = strndup(file->path.ptr, file->path.len);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): PX_AUTO frees it */
    if (!reader->path) return px_fault(PX_F_OOM, "a hot reader");
    PX_AUTO(px_close) int fd = open(reader->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ESTALE)) return HOT_GONE;
    if (fd < 0) return px_fault_errno("open %s", reader->path);
    PX_TRY(reader_map(reader, fd, reader->path));
    *ret_reader = PX_TAKE(reader);
    return 0;
}

void hot_reader_close(struct hot_reader **reader)
{
    if (!*reader) return;
    if ((*reader)->bytes) (void)munmap((void *)(uintptr_t)(*reader)->bytes, (*reader)->size);
    free((*reader)->path);
    free(*reader);
    *reader = NULL;
}

/* A whole valid frame at `at`, newer than the last one. Of one that is not wanted, the header is enough. */
static bool frame_at(const struct hot_reader *reader, size_t at, struct hot_frame *ret_frame)
{
    struct hot_frame_header header;
    if (at > reader->size || reader->size - at < sizeof header) return false;
    memcpy(&header, reader->bytes + at, sizeof header);
    if (!hot_frame_header_is_valid(&header, reader->place_crc)) return false;
    if (header.seq <= reader->last_seq) return false;
    if (hot_frame_bytes(header.payload_bytes) > reader->size - at) return false;
    struct px_str payload = px_str(reader->bytes + at + sizeof header,
                                   (size_t)header.payload_bytes);
    if (header.seq > reader->skip_seq &&
        hot_payload_crc(payload, reader->place_crc) != header.payload_crc)
        return false;
    *ret_frame = (struct hot_frame){header.seq, payload};
    return true;
}

/* A file of all zeros up to here was never acknowledged: its size reached the disk, its data not. */
static bool header_is_torn(const struct hot_reader *reader)
{
    static const struct hot_file_header zeros;
    return reader->size < sizeof zeros || memcmp(reader->bytes, &zeros, sizeof zeros) == 0;
}

/* Once per file: step over the file header. */
static int header_check(struct hot_reader *reader)
{
    reader->header_checked = true;
    if (reader->size < sizeof(struct hot_file_header)) {
        reader->at = reader->size;
        return 0;
    }
    struct hot_file_header header;
    memcpy(&header, reader->bytes, sizeof header);
    reader->at = sizeof header;
    if (hot_file_header_is_valid(&header, reader->place_crc) || header_is_torn(reader)) return 0;
    return px_fault(PX_F_CORRUPT, "%s: file header fails its check", reader->path);
}

static int step_over_damage(struct hot_reader *reader)
{
    struct hot_frame ignored;
    size_t from = reader->at;
    for (size_t at = from + 8; at < reader->size; at += 8) {
        if (!frame_at(reader, at, &ignored)) continue;
        reader->at = at;
        reader->gap_reported = true;
        return px_fault(PX_F_CORRUPT, "%s: %zu bytes at offset %zu are no frame", reader->path,
                        at - from, from);
    }
    reader->at = reader->size;
    return HOT_END;
}

void hot_reader_skip(struct hot_reader *reader, uint64_t seq) { reader->skip_seq = seq; }

struct hot_bookmark hot_reader_bookmark(const struct hot_reader *reader)
{
    return reader->bookmark;
}

void hot_reader_resume(struct hot_reader *reader, struct hot_bookmark bookmark)
{
    PX_ASSERT(!reader->header_checked);
    if (bookmark.seq == 0 || bookmark.offset > reader->size) return;
    reader->header_checked = true;
    reader->at = (size_t)bookmark.offset;
    reader->last_seq = bookmark.seq;
    reader->bookmark = bookmark;
}

static int next_frame(struct hot_reader *reader, struct hot_frame *ret_frame)
{
    if (!reader->header_checked) PX_TRY(header_check(reader));
    if (reader->at >= reader->size) return HOT_END;
    struct hot_frame frame;
    if (!frame_at(reader, reader->at, &frame)) return step_over_damage(reader);

    bool gap = reader->last_seq != 0 && frame.seq != reader->last_seq + 1;
    if (gap && !reader->gap_reported) {
        reader->gap_reported = true;
        return px_fault(PX_F_CORRUPT, "%s: frames %llu to %llu are missing at offset %zu",
                        reader->path, (unsigned long long)reader->last_seq + 1,
                        (unsigned long long)frame.seq - 1, reader->at);
    }
    reader->gap_reported = false;
    reader->last_seq = frame.seq;
    reader->at += (size_t)hot_frame_bytes(frame.payload.len);
    *ret_frame = frame;
    return 0;
}

int hot_reader_next(struct hot_reader *reader, struct hot_frame *ret_frame)
{
    struct hot_frame frame = {0};
    do {
        int r = next_frame(reader, &frame);
        reader->damaged = reader->damaged || r < 0;
        if (r != 0) return r; /* HOT_END, or a fault of this file */
        if (frame.seq <= reader->skip_seq && !reader->damaged)
            reader->bookmark = (struct hot_bookmark){reader->at, frame.seq};
    } while (frame.seq <= reader->skip_seq);
    *ret_frame = frame;
    return 0;
}
