/* store/hot_write.c - one writer's files.
 *
 * Vocabulary. A *lane* is what a writer keeps per (tenant, dataset): the next sequence number, the
 * number of the last file, and the open file if there is one.
 *
 * States of a lane:  closed --start--> open --extend--> open --too large, too old, unused,
 * or any failure--> closed. A closed file is never opened again; the next append starts a new one.
 *
 * Invariants
 *  - A file appears under its name locked, whole and synced: header and first frame are written to a
 *    hidden sibling, which is then renamed.
 *  - lane->bytes is the end of the last acknowledged frame; writes go there by offset.
 *  - A frame whose write or sync failed is *withdrawn* before anything else happens to the lane. If
 *    the disk does not confirm that, its number is skipped: a number never names two frames. */
#include "base/px_file.h"
#include "base/px_id.h"
#include "observe/observe.h"
#include "store/hot_disk.h"
#include "store/hot_format.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LANE_BUCKETS 256u

struct lane {
    struct lane *next; /* in its bucket */
    uint64_t next_seq;
    uint64_t used_at;  /* the writer's tick of the last append */
    uint64_t bytes;    /* of the open file */
    int64_t opened_ns; /* monotonic */
    uint32_t file_no;  /* of the last file; 0: none yet */
    uint32_t place_crc;
    int fd; /* -1: closed */
    size_t tenant_len, dataset_len;
    char names[]; /* tenant, dataset */
};

struct hot_writer {
    struct hot_store *store;
    const struct hot_disk *disk;
    struct hot_writer_options options;
    char id[HOT_WRITER_LEN + 1];
    uint64_t tick;
    uint32_t files_open;
    struct lane *buckets[LANE_BUCKETS];
};

/* ---- the writer and its lanes ---- */

static void options_complete(struct hot_writer_options *options)
{
    if (options->file_bytes_max == 0) options->file_bytes_max = 64u << 20;
    if (options->file_age_ms_max == 0) options->file_age_ms_max = 10 * 60 * 1000;
    if (options->files_open_max == 0) options->files_open_max = 256;
    if (!options->clock) options->clock = &px_clock_system;
}

int hot_writer_new(struct hot_store *store, const struct hot_writer_options *options,
                   struct hot_writer **ret_writer)
{
    struct hot_writer *writer = calloc(1, sizeof *writer);
    if (!writer) return px_fault(PX_F_OOM, "a hot writer");
    writer->store = store;
    writer->disk = store->disk;
    if (options) writer->options = *options;
    options_complete(&writer->options);
    px_uuid7(px_wall_ns(writer->options.clock), writer->id);
    *ret_writer = writer;
    return 0;
}

struct px_str hot_writer_id(const struct hot_writer *writer)
{
    return px_str(writer->id, HOT_WRITER_LEN);
}

static void lane_close(struct hot_writer *writer, struct lane *lane)
{
    if (lane->fd < 0) return;
    (void)writer->disk->close(writer->disk->ctx, lane->fd); /* all that counts is synced */
    lane->fd = -1;
    writer->files_open--;
}

void hot_writer_free(struct hot_writer **writer)
{
    if (!*writer) return;
    for (size_t i = 0; i < LANE_BUCKETS; i++) {
        struct lane *lane = (*writer)->buckets[i];
        while (lane) {
            struct lane *next = lane->next;
            lane_close(*writer, lane);
            free(lane);
            lane = next;
        }
    }
    free(*writer);
    *writer = NULL;
}

static struct px_str lane_tenant(const struct lane *lane)
{
    return px_str(lane->names, lane->tenant_len);
}
static struct px_str lane_dataset(const struct lane *lane)
{
    return px_str(lane->names + lane->tenant_len, lane->dataset_len);
}

static struct lane **lane_bucket(struct hot_writer *writer, struct px_str tenant,
                                 struct px_str dataset)
{
    uint32_t hash = hot_place_crc(tenant, dataset, S(""), 0);
    return &writer->buckets[hash % LANE_BUCKETS];
}

static struct lane *lane_find(struct hot_writer *writer, struct px_str tenant,
                              struct px_str dataset)
{
    struct lane *lane = *lane_bucket(writer, tenant, dataset);
    while (lane &&
           !(px_str_eq(lane_tenant(lane), tenant) && px_str_eq(lane_dataset(lane), dataset)))
        lane = lane->next;
    return lane;
}

static struct lane *lane_find_or_make(struct hot_writer *writer, struct px_str tenant,
                                      struct px_str dataset)
{
    struct lane *lane = lane_find(writer, tenant, dataset);
    if (lane) return lane;
    lane = malloc(sizeof *lane + tenant.len + dataset.len);
    if (!lane) return NULL;
    struct lane **bucket = lane_bucket(writer, tenant, dataset);
    *lane = (struct lane){.next = *bucket,
                          .next_seq = 1,
                          .fd = -1,
                          .tenant_len = tenant.len,
                          .dataset_len = dataset.len};
    memcpy(lane->names, tenant.ptr, tenant.len);
    memcpy(lane->names + tenant.len, dataset.ptr, dataset.len);
    *bucket = lane;
    return lane;
}

uint64_t hot_writer_next_seq(struct hot_writer *writer, struct px_str tenant, struct px_str dataset)
{
    const struct lane *lane = lane_find(writer, tenant, dataset);
    return lane ? lane->next_seq : 1;
}

bool hot_writer_knows(struct hot_writer *writer, struct px_str tenant, struct px_str dataset)
{
    return lane_find(writer, tenant, dataset) != NULL;
}

void hot_writer_retire(struct hot_writer *writer, struct px_str tenant, struct px_str dataset)
{
    struct lane *lane = lane_find(writer, tenant, dataset);
    if (lane) lane_close(writer, lane);
}

static void close_least_used(struct hot_writer *writer)
{
    struct lane *least = NULL;
    for (size_t i = 0; i < LANE_BUCKETS; i++)
        for (struct lane *lane = writer->buckets[i]; lane; lane = lane->next)
            if (lane->fd >= 0 && (!least || lane->used_at < least->used_at)) least = lane;
    PX_ASSERT(least);
    lane_close(writer, least);
}

/* ---- one frame as a list of pieces for pwritev ---- */

struct frame_out {
    struct hot_file_header file_header;
    struct hot_frame_header header;
    uint64_t bytes; /* of all pieces */
    int count;
    struct iovec pieces[HOT_PARTS_MAX + 3];
};
static_assert(HOT_PARTS_MAX + 3 <= IOV_MAX, "one pwritev takes the frame");

static void frame_add(struct frame_out *frame, const void *bytes, size_t n)
{
    if (n == 0) return;
    frame->pieces[frame->count++] = (struct iovec){.iov_base = (void *)(uintptr_t)bytes,
                                                   .iov_len = n};
    frame->bytes += n;
}

/* A frame that is the first of its file carries the file's header along. */
static void frame_build(const struct hot_writer *writer, const struct lane *lane, bool first,
                        const struct px_str *parts, size_t n_parts, struct frame_out *ret_frame)
{
    static const char zeros[8];
    struct frame_out *frame = ret_frame;
    frame->bytes = 0;
    frame->count = 0;
    if (first) {
        frame->file_header = hot_file_header_make(hot_writer_id(writer), lane->file_no,
                                                  lane->place_crc);
        frame_add(frame, &frame->file_header, sizeof frame->file_header);
    }
    frame->header = hot_frame_header_make(lane->next_seq, parts, n_parts, lane->place_crc);
    frame_add(frame, &frame->header, sizeof frame->header);
    for (size_t i = 0; i < n_parts; i++) frame_add(frame, parts[i].ptr, parts[i].len);
    frame_add(frame, zeros, hot_pad_bytes(frame->header.payload_bytes));
}

/* Drop what was written from the front of the pieces; they are ours to change. */
static struct iovec *pieces_skip(struct iovec *piece, int *count, size_t done)
{
    while (*count > 0 && done >= piece->iov_len) {
        done -= piece->iov_len;
        piece++;
        --*count;
    }
    if (*count > 0) {
        piece->iov_base = (char *)piece->iov_base + done;
        piece->iov_len -= done;
    }
    return piece;
}

/* Normally one call; the kernel may write less, and the next call then tells why. */
static int frame_write(const struct hot_writer *writer, int fd, struct frame_out *frame,
                       uint64_t offset)
{
    struct iovec *piece = frame->pieces;
    int count = frame->count;
    while (count > 0) {
        ssize_t done = writer->disk->pwritev(writer->disk->ctx, fd, piece, count, (int64_t)offset);
        if (done < 0)
            return px_fault_errno("write a frame of %llu bytes", (unsigned long long)frame->bytes);
        offset += (uint64_t)done;
        piece = pieces_skip(piece, &count, (size_t)done);
    }
    if (writer->disk->fdatasync(writer->disk->ctx, fd) != 0)
        return px_fault_errno("fdatasync of a hot file");
    return 0;
}

/* ---- a further frame in an open file ---- */

/* Make sure that no reader ever takes what lies behind lane->bytes for a frame: zero its header, and
 * if that is not confirmed cut it off (last, since a reader may have mapped it). */
static void frame_withdraw(const struct hot_writer *writer, const struct lane *lane)
{
    const struct hot_disk *disk = writer->disk;
    struct hot_frame_header void_header = {0};
    struct iovec piece = {&void_header, sizeof void_header};
    bool voided = disk->pwritev(disk->ctx, lane->fd, &piece, 1, (int64_t)lane->bytes) ==
                      (ssize_t)sizeof void_header &&
                  disk->fdatasync(disk->ctx, lane->fd) == 0;
    if (!voided && disk->ftruncate(disk->ctx, lane->fd, (int64_t)lane->bytes) == 0)
        (void)disk->fdatasync(disk->ctx, lane->fd);
}

static int check_still_linked(const struct hot_writer *writer, const struct lane *lane)
{
    int links = writer->disk->links(writer->disk->ctx, lane->fd);
    if (links < 0) return px_fault_errno("fstat of a hot file");
    if (links == 0) return px_fault(PX_F_IO, "a hot file was removed under its writer");
    return 0;
}

static int lane_extend(struct hot_writer *writer, struct lane *lane, struct frame_out *frame)
{
    int r = frame_write(writer, lane->fd, frame, lane->bytes);
    if (r == 0) r = check_still_linked(writer, lane);
    if (r == 0) {
        lane->bytes += frame->bytes;
        lane->next_seq++;
        return 0;
    }
    /* A sealer may have read the frame before it was withdrawn and hold its number for sealed. */
    frame_withdraw(writer, lane);
    lane->next_seq++;
    lane_close(writer, lane);
    PX_TRY(r);
    return 0;
}

/* ---- the first frame of a new file ---- */

struct file_paths {
    char folder[PATH_MAX];
    char hidden[PATH_MAX];
    char final[PATH_MAX];
};

static int path_format(char *path, const char *folder, const char *dot, const char *name,
                       const char *tail)
{
    int n = snprintf(path, PATH_MAX, "%s/%s%s%s", folder, dot, name, tail);
    return n > 0 && n < PATH_MAX ? 0 : px_fault(PX_F_LIMIT, "path too long below %s", folder);
}

static int paths_make(const struct hot_writer *writer, const struct lane *lane,
                      struct file_paths *ret_paths)
{
    char names[PATH_MAX], file_name[HOT_NAME_BYTES];
    int n = snprintf(names, sizeof names, "%.*s/%.*s", PX_FMT(lane_tenant(lane)),
                     PX_FMT(lane_dataset(lane)));
    PX_ASSERT(n > 0 && (size_t)n < sizeof names);
    hot_name_make(hot_writer_id(writer), lane->file_no, file_name);
    PX_TRY(path_format(ret_paths->folder, writer->store->root, "", names, ""));
    PX_TRY(path_format(ret_paths->hidden, ret_paths->folder, ".", file_name, ".new"));
    PX_TRY(path_format(ret_paths->final, ret_paths->folder, "", file_name, ""));
    return 0;
}

static int sync_folder(const struct hot_writer *writer, const char *path)
{
    if (writer->disk->sync_folder(writer->disk->ctx, path) == 0) return 0;
    return px_fault_errno("fsync folder %s", path);
}

/* Once per lane, and again when the folder of a dropped dataset was removed. Somebody else may have made the folders a moment ago and not synced them yet, so
 * their entries are synced here whoever made them. */
static int folder_prepare(const struct hot_writer *writer, const struct lane *lane,
                          const struct file_paths *paths)
{
    PX_TRY(px_dir_make(paths->folder));
    char tenant_folder[PATH_MAX];
    memcpy(tenant_folder, paths->folder, sizeof tenant_folder);
    tenant_folder[strlen(paths->folder) - lane->dataset_len - 1] = '\0';
    PX_TRY(sync_folder(writer, tenant_folder));
    PX_TRY(sync_folder(writer, writer->store->root));
    return 0;
}

/* Give the written file its name. When that is not confirmed it is taken away again; *ret_withdrawn
 * says whether that worked. */
static int file_publish(const struct hot_writer *writer, const struct file_paths *paths,
                        bool *ret_withdrawn)
{
    const struct hot_disk *disk = writer->disk;
    if (disk->rename(disk->ctx, paths->hidden, paths->final) != 0) {
        int r = px_fault_errno("rename %s", paths->hidden);
        /* an error over NFS does not tell that the server did nothing */
        *ret_withdrawn = disk->unlink(disk->ctx, paths->final) == 0 || errno == ENOENT;
        return r;
    }
    int r = sync_folder(writer, paths->folder);
    if (r != 0) *ret_withdrawn = disk->unlink(disk->ctx, paths->final) == 0;
    return r;
}

static int file_write_new(const struct hot_writer *writer, const struct file_paths *paths,
                          struct frame_out *frame, int *ret_fd, bool *ret_withdrawn)
{
    const struct hot_disk *disk = writer->disk;
    int fd = disk->create(disk->ctx, paths->hidden);
    if (fd < 0) return px_fault_errno("create %s", paths->hidden);
    int r = frame_write(writer, fd, frame, 0);
    if (r == 0) r = file_publish(writer, paths, ret_withdrawn);
    if (r == 0) {
        *ret_fd = fd;
        return 0;
    }
    (void)disk->unlink(disk->ctx,
                       paths->hidden); /* hidden from readers; else hot_sweep() finds it */
    (void)disk->close(disk->ctx, fd);
    PX_TRY(r);
    return 0;
}

static int lane_start(struct hot_writer *writer, struct lane *lane, const struct px_str *parts,
                      size_t n_parts, struct frame_out *frame)
{
    if (writer->files_open >= writer->options.files_open_max) close_least_used(writer);
    bool first_of_lane = lane->file_no == 0;
    lane->file_no++;
    struct file_paths paths;
    int r = paths_make(writer, lane, &paths);
    bool prepare = first_of_lane || (r == 0 && access(paths.folder, F_OK) != 0);
    if (r == 0 && prepare) r = folder_prepare(writer, lane, &paths);
    bool withdrawn = true;
    if (r == 0) {
        lane->place_crc = hot_place_crc(lane_tenant(lane), lane_dataset(lane),
                                        hot_writer_id(writer), lane->file_no);
        frame_build(writer, lane, true, parts, n_parts, frame);
        r = file_write_new(writer, &paths, frame, &lane->fd, &withdrawn);
    }
    if (r != 0) {
        if (first_of_lane && withdrawn) lane->file_no = 0; /* prepare the folders again */
        lane->next_seq++;                                  /* see lane_extend() */
        PX_TRY(r);
    }
    writer->files_open++;
    lane->bytes = frame->bytes;
    lane->opened_ns = px_mono_ns(writer->options.clock);
    lane->next_seq++;
    return 0;
}

/* ---- append ---- */

static bool name_is_path_safe(struct px_str name)
{
    if (name.len == 0 || name.len > 128) return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return true;
}

static bool file_is_used_up(const struct hot_writer *writer, const struct lane *lane)
{
    int64_t age_ns = px_mono_ns(writer->options.clock) - lane->opened_ns;
    return lane->bytes >= writer->options.file_bytes_max ||
           age_ns / PX_NS_PER_MS >= writer->options.file_age_ms_max;
}

static int check_payload(const struct px_str *parts, size_t n_parts)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < n_parts; i++) {
        bytes += parts[i].len;
        if (parts[i].len > HOT_PAYLOAD_BYTES_MAX || bytes > HOT_PAYLOAD_BYTES_MAX)
            return px_fault(PX_F_LIMIT, "a frame of more than %u bytes", HOT_PAYLOAD_BYTES_MAX);
    }
    return 0;
}

static int append(struct hot_writer *writer, struct px_str tenant, struct px_str dataset,
                  const struct px_str *parts, size_t n_parts, uint64_t *ret_seq)
{
    PX_ASSERT(name_is_path_safe(tenant) && name_is_path_safe(dataset));
    PX_ASSERT(n_parts <= HOT_PARTS_MAX);
    PX_TRY(check_payload(parts, n_parts));
    struct lane *lane = lane_find_or_make(writer, tenant, dataset);
    if (!lane) return px_fault(PX_F_OOM, "a hot lane");
    if (lane->fd >= 0 && file_is_used_up(writer, lane)) lane_close(writer, lane);

    lane->used_at = ++writer->tick;
    uint64_t seq = lane->next_seq;
    struct frame_out frame;
    if (lane->fd < 0) {
        PX_TRY(lane_start(writer, lane, parts, n_parts, &frame));
    } else {
        frame_build(writer, lane, false, parts, n_parts, &frame);
        PX_TRY(lane_extend(writer, lane, &frame));
    }
    *ret_seq = seq;
    return 0;
}

int hot_append(struct hot_writer *writer, struct px_str tenant, struct px_str dataset,
               const struct px_str *parts, size_t n_parts, uint64_t *ret_seq)
{
    struct observe_work work = observe_begin("hot append", SPAN_CLIENT);
    int r = append(writer, tenant, dataset, parts, n_parts, ret_seq);
    if (r < 0) observe_store_kind(r);
    observe_end_store(&work, r);
    return r;
}
