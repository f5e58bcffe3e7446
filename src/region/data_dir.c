/* region/data_dir.c - see data_dir.h. */
#include "region/data_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_json.h"

const char *data_dir_sub(const struct data_dir *dir, struct px_arena *arena, const char *name)
{
    return px_arena_printf(arena, "%.*s/%s", PX_FMT(dir->path), name).ptr;
}

static int take_lock(struct data_dir *dir, struct px_arena *arena)
{
    const char *path = data_dir_sub(dir, arena, "region.lock");
    if (!path) return px_arena_fault(arena);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return px_fault_errno("%s: %m", path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        dir->lock_fd = fd;
        return 0;
    }
    int r = errno == EWOULDBLOCK ? DATA_DIR_BUSY : px_fault_errno("lock %s: %m", path);
    px_close(&fd);
    return r;
}

static int note_foreign(void *ctx, const char *name, bool is_dir)
{
    (void)is_dir;
    /* copies may stand there before the region that lost its folder does again (copies.h) */
    *(bool *)ctx |= strcmp(name, "region.lock") != 0 && strcmp(name, "logs") != 0 &&
                    strcmp(name, "replicas") != 0;
    return 0;
}

/* dir says what is asked for, or nothing. */
static int settle_stores(struct data_dir *dir, const char *path, struct px_str endpoint,
                         struct px_str prefix)
{
    if (dir->aws_endpoint.len > 0 && endpoint.len == 0)
        return px_fault(PX_F_CONFIG,
                        "%s: the stores of this region are in the folder; AWS takes a folder of "
                        "its own (--data)",
                        path);
    if (dir->aws_prefix.len > 0 && !px_str_eq(dir->aws_prefix, prefix))
        return px_fault(PX_F_CONFIG, "%s: this region's stores are named %.*s-..., not %.*s-...",
                        path, PX_FMT(prefix), PX_FMT(dir->aws_prefix));
    dir->moved = dir->aws_endpoint.len > 0 && !px_str_eq(dir->aws_endpoint, endpoint);
    if (!dir->moved) dir->aws_endpoint = endpoint;
    dir->aws_prefix = prefix;
    return 0;
}

static int read_memory(struct data_dir *dir, struct px_arena *arena)
{
    const char *path = data_dir_sub(dir, arena, "prism.json");
    if (!path) return px_arena_fault(arena);
    if (access(path, F_OK) != 0) {
        char *folder = px_arena_cstr(arena, dir->path);
        bool foreign = false;
        if (!folder) return px_arena_fault(arena);
        PX_TRY(px_dir_each(folder, note_foreign, &foreign));
        if (foreign)
            return px_fault(PX_F_CONFIG,
                            "%s is not empty and holds no prism.json: not a data folder", folder);
        dir->created = true;
        return 0;
    }
    yyjson_val *root = NULL;
    PX_TRY(px_json_load(path, 1 << 16, arena, &root));
    int64_t format = px_json_i64(root, "format", 0);
    if (format < 1 || format > DATA_DIR_FORMAT)
        return px_fault(PX_F_CONFIG, "%s: format %lld, this prism knows up to %d", path,
                        (long long)format, DATA_DIR_FORMAT);
    dir->port = (uint16_t)px_json_i64(root, "port", 0);
    if (dir->region_name.len == 0) dir->region_name = px_json_str(root, "region");
    dir->tls = tls_memory_read(px_json_obj(root, "tls"));
    yyjson_val *aws = px_json_obj(root, "aws");
    return settle_stores(dir, path, px_json_str(aws, "endpoint"), px_json_str(aws, "prefix"));
}

static int make_folders(const struct data_dir *dir, struct px_arena *arena)
{
    static const char *const names[] = {"logs", "tmp", "hot", "segments", "analytics", "secrets"};
    bool made = false; /* synced once for all */
    for (size_t i = 0; i < PX_COUNT(names); i++) {
        const char *path = data_dir_sub(dir, arena, names[i]);
        if (!path) return px_arena_fault(arena);
        if (mkdir(path, 0700) == 0)
            made = true;
        else
            PX_TRY(px_dir_make(path)); /* it says what is wrong, if anything */
    }
    if (!made) return 0;
    const char *root = data_dir_sub(dir, arena, ".");
    return root ? px_dir_sync(root) : px_arena_fault(arena);
}

void data_dir_close(struct data_dir *dir) { px_close(&dir->lock_fd); }

int data_dir_remember(struct data_dir *dir, uint16_t port, const struct px_clock *clock)
{
    char path[4096], when[40];
    if (!dir->created && !dir->moved && !dir->tls_changed && dir->port == port) return 0;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 64 * 1024);
    struct px_str now = px_time_format(px_wall_ns(clock), 0, when);
    px_buf_printf(&text, "{\"format\":%d,\"region\":", DATA_DIR_FORMAT);
    px_buf_add_json_str(&text, dir->region_name);
    if (dir->aws_endpoint.len > 0) {
        px_buf_add_c(&text, ",\"aws\":{\"endpoint\":");
        px_buf_add_json_str(&text, dir->aws_endpoint);
        px_buf_add_c(&text, ",\"prefix\":");
        px_buf_add_json_str(&text, dir->aws_prefix);
        px_buf_add_char(&text, '}');
    }
    tls_memory_write(&dir->tls, &text);
    px_buf_printf(&text, ",\"port\":%u,\"written\":\"%.*s\"}\n", port, PX_FMT(now));
    PX_TRY(px_buf_fault(&text));
    snprintf(path, sizeof(path), "%.*s/prism.json", PX_FMT(dir->path));
    PX_TRY(px_file_write_atomic(path, px_buf_str(&text), 0600));
    dir->port = port;
    dir->tls_changed = false;
    return 0;
}

/* Whoever may write here could lay links in the place of our files. */
static int check_folder(const char *path)
{
    struct stat about;
    if (stat(path, &about) != 0) return px_fault_errno("%s: %m", path);
    if (!(about.st_mode & (S_IWGRP | S_IWOTH))) return 0;
    return px_fault(PX_F_CONFIG, "%s can be written by others: chmod go-w %s", path, path);
}

static struct px_str dup_or_empty(struct px_arena *arena, const char *text)
{
    return px_arena_dup(arena, px_str_c(text ? text : ""));
}

/* What neither the caller nor the folder says. */
static int settle_defaults(struct data_dir *dir, struct px_arena *arena)
{
    if (dir->region_name.len == 0) dir->region_name = S("local");
    if (dir->aws_endpoint.len == 0 && dir->aws_prefix.len > 0)
        return px_fault(PX_F_CONFIG, "a prefix of names on AWS needs an endpoint (--aws-endpoint)");
    if (dir->aws_endpoint.len > 0 && dir->aws_prefix.len == 0)
        dir->aws_prefix = px_arena_printf(arena, "prism-%.*s", PX_FMT(dir->region_name));
    return px_arena_full(arena) ? px_arena_fault(arena) : 0;
}

static int take(struct data_dir *dir, const struct data_dir_wish *wish, struct px_arena *arena,
                const struct px_clock *clock)
{
    PX_TRY(read_memory(dir, arena));
    dir->tls_changed = tls_memory_settle(&dir->tls, &wish->tls, arena);
    PX_TRY(settle_defaults(dir, arena));
    if (dir->created) PX_TRY(data_dir_remember(dir, 0, clock)); /* ours from here on */
    return make_folders(dir, arena);
}

int data_dir_open(const char *path, const struct data_dir_wish *wish, struct px_arena *arena,
                  const struct px_clock *clock, struct data_dir *ret_dir)
{
    struct data_dir dir = {.lock_fd = -1};
    char real[4096];
    PX_TRY(px_dir_make(path));
    if (!realpath(path, real)) return px_fault_errno("%s: %m", path);
    PX_TRY(check_folder(real));
    dir.path = px_arena_dup(arena, px_str_c(real));
    dir.region_name = dup_or_empty(arena, wish->region_name);
    dir.aws_endpoint = dup_or_empty(arena, wish->aws_endpoint);
    dir.aws_prefix = dup_or_empty(arena, wish->aws_prefix);
    if (px_arena_full(arena)) return px_arena_fault(arena);
    int r = take_lock(&dir, arena);
    if (r == DATA_DIR_BUSY) return r;
    PX_TRY(r);
    r = take(&dir, wish, arena, clock);
    if (r != 0) {
        data_dir_close(&dir);
        return px_fold(r, __FILE__, __LINE__);
    }
    *ret_dir = dir;
    return 0;
}
