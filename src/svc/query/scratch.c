/* svc/query/scratch.c - see scratch.h. A folder whose lock can be had is nobody's; one made a moment ago
 * may not be locked yet, so only older ones are looked at. */
#include "svc/query/scratch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/px_clock.h"
#include "base/px_file.h"
#include "base/px_id.h"

#define SCRATCH_PREFIX "query-"
#define UNLOCKED_S_MAX 60

struct sweep {
    struct px_arena *arena;
    struct px_str parent;
};

static int lock_folder(const char *path, int *ret_fd)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) px_close(&fd);
    *ret_fd = fd;
    return fd < 0;
}

static int remove_if_dead(void *ctx, const char *name, bool is_dir)
{
    const struct sweep *sweep = ctx;
    struct stat about;
    if (!is_dir || !px_str_starts(px_str_c(name), S(SCRATCH_PREFIX))) return 0;
    struct px_str path = px_arena_printf(sweep->arena, "%.*s/%s", PX_FMT(sweep->parent), name);
    if (!path.ptr) return px_arena_fault(sweep->arena);
    int64_t now_s = px_wall_ns(&px_clock_system) / PX_NS_PER_S;
    if (lstat(path.ptr, &about) != 0 || about.st_mtime > now_s - UNLOCKED_S_MAX) return 0;
    PX_AUTO(px_close) int fd = -1;
    if (lock_folder(path.ptr, &fd) != 0) return 0;
    return px_dir_remove(path.ptr);
}

static int sweep_dead(struct px_str parent)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, (size_t)4 << 20);
    struct sweep sweep = {&arena, parent};
    int r = px_dir_each(parent.ptr, remove_if_dead, &sweep);
    return r == PX_FILE_ABSENT ? 0 : r;
}

/* Absolute, because DuckDB compares names of files. */
static int make_parent(struct px_str given, struct px_arena *arena, struct px_str *ret_parent)
{
    char *plain = px_arena_cstr(arena, given);
    if (!plain) return px_fault(px_arena_fault(arena), "temp dir");
    PX_TRY(px_dir_make(plain));
    PX_AUTO(px_free_mem) char *path = realpath(plain, NULL);
    if (!path) return px_fault_errno("realpath %s", plain);
    *ret_parent = px_arena_dup(arena, px_str_c(path));
    return ret_parent->ptr ? 0 : px_fault(px_arena_fault(arena), "temp dir");
}

int scratch_open(struct px_str parent, struct px_arena *arena, struct scratch *ret_scratch)
{
    char id[37];
    struct scratch scratch = {.lock_fd = -1};
    PX_TRY(make_parent(parent, arena, &parent));
    PX_TRY(sweep_dead(parent));
    px_uuid7(px_wall_ns(&px_clock_system), id);
    scratch.path = px_arena_printf(arena, "%.*s/" SCRATCH_PREFIX "%s", PX_FMT(parent), id);
    if (!scratch.path.ptr) return px_fault(px_arena_fault(arena), "temp dir");
    PX_TRY(px_dir_make(scratch.path.ptr));
    if (lock_folder(scratch.path.ptr, &scratch.lock_fd) != 0)
        return px_fault_errno("lock %s", scratch.path.ptr);
    *ret_scratch = scratch;
    return 0;
}

void scratch_close(struct scratch *scratch)
{
    if (scratch->lock_fd < 0) return;
    (void)!px_dir_remove(scratch->path.ptr); /* else the next process does */
    px_close(&scratch->lock_fd);
}
