/* tests/unit/store/hot_kit.h - reading a hot store back, and a disk that fails on demand. */
#pragma once

#include "support/support.h"

#include <errno.h>

#include "store/hot_disk.h"
#include "store/hot_format.h"

#define ACME S("acme")
#define LOGS S("logs")

static __attribute__((unused)) int append_text(struct hot_writer *writer, struct px_str text,
                                               uint64_t *ret_seq)
{
    return hot_append(writer, ACME, LOGS, &text, 1, ret_seq);
}

/* What a reader finds in all files of acme/logs. */
struct readback {
    size_t files, frames, corrupt;
    uint64_t seqs[4096];
    struct px_str payloads[4096]; /* in t->arena */
};

static __attribute__((unused)) void read_file(struct test *t, const struct hot_file *file,
                                              struct readback *rb)
{
    PX_AUTO(hot_reader_close) struct hot_reader *reader = NULL;
    CHECK_OK(hot_reader_open(file, &reader));
    for (;;) {
        struct hot_frame frame;
        int r = hot_reader_next(reader, &frame);
        if (r == HOT_END) break;
        if (r == PX_F_CORRUPT) {
            rb->corrupt++;
            continue;
        }
        CHECK_OK(r);
        CHECK(rb->frames < PX_COUNT(rb->seqs));
        rb->seqs[rb->frames] = frame.seq;
        rb->payloads[rb->frames++] = px_arena_dup(&t->arena, frame.payload);
    }
    struct hot_frame ignored;
    CHECK_INT(hot_reader_next(reader, &ignored), HOT_END); /* and stays so */
}

static __attribute__((unused)) struct readback *read_all(struct test *t, struct hot_store *store)
{
    struct readback *rb = px_arena_new(&t->arena, struct readback);
    struct hot_file *files;
    CHECK_OK(hot_list(store, ACME, LOGS, &t->arena, &files, &rb->files));
    for (size_t i = 0; i < rb->files; i++) read_file(t, &files[i], rb);
    return rb;
}

static __attribute__((unused)) bool has_payload(const struct readback *rb, struct px_str payload)
{
    for (size_t i = 0; i < rb->frames; i++)
        if (px_str_eq(rb->payloads[i], payload)) return true;
    return false;
}

/* ---- a disk whose n-th call fails; short writes first put half of the bytes there ---- */

struct bad_disk {
    struct hot_disk table;
    long calls;      /* so far */
    long fail_from;  /* 0: never; 1: the first */
    long fail_count; /* how many in a row */
    int error;
    bool failed_now; /* any call failed since cleared */
};

static bool bad_disk_fails(struct bad_disk *bad)
{
    bad->calls++;
    bool fails = bad->fail_from > 0 && bad->calls >= bad->fail_from &&
                 bad->calls - bad->fail_from < bad->fail_count;
    if (fails) {
        bad->failed_now = true;
        errno = bad->error;
    }
    return fails;
}
static int bad_create(void *ctx, const char *path)
{
    return bad_disk_fails(ctx) ? -1 : hot_disk_system.create(NULL, path);
}
static ssize_t bad_pwritev(void *ctx, int fd, const struct iovec *parts, int n_parts,
                           int64_t offset)
{
    if (!bad_disk_fails(ctx)) return hot_disk_system.pwritev(NULL, fd, parts, n_parts, offset);
    int error = errno;
    (void)hot_disk_system.pwritev(NULL, fd, parts, (n_parts + 1) / 2, offset);
    errno = error;
    return -1;
}
static int bad_fdatasync(void *ctx, int fd)
{
    (void)fd; /* syncing for real would only make the sweeps slow */
    return bad_disk_fails(ctx) ? -1 : 0;
}
static int bad_ftruncate(void *ctx, int fd, int64_t bytes)
{
    return bad_disk_fails(ctx) ? -1 : hot_disk_system.ftruncate(NULL, fd, bytes);
}
static int bad_links(void *ctx, int fd)
{
    return bad_disk_fails(ctx) ? -1 : hot_disk_system.links(NULL, fd);
}
static int bad_rename(void *ctx, const char *from, const char *to)
{
    return bad_disk_fails(ctx) ? -1 : hot_disk_system.rename(NULL, from, to);
}
static int bad_unlink(void *ctx, const char *path)
{
    return bad_disk_fails(ctx) ? -1 : hot_disk_system.unlink(NULL, path);
}
static int bad_sync_folder(void *ctx, const char *path)
{
    (void)path;
    return bad_disk_fails(ctx) ? -1 : 0;
}
static int bad_close(void *ctx, int fd) /* an error of close(2) still closes */
{
    int r = hot_disk_system.close(NULL, fd);
    return bad_disk_fails(ctx) ? -1 : r;
}

static __attribute__((unused)) void bad_disk_init(struct bad_disk *bad, long fail_from,
                                                  long fail_count, int error)
{
    *bad = (struct bad_disk){.fail_from = fail_from, .fail_count = fail_count, .error = error};
    bad->table = (struct hot_disk){bad_create, bad_pwritev, bad_fdatasync, bad_ftruncate,
                                   bad_links,  bad_rename,  bad_unlink,    bad_sync_folder,
                                   bad_close,  bad};
}
