/* delivery/pipeline/sources.c - see sources.h. */
#include "delivery/pipeline/sources.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_json.h"

#define LOCK_FILE ".terraform.lock.hcl"
#define DEPTH_MAX 16

struct gathering {
    struct px_arena *arena;
    struct px_str dir, prefix; /* of the folder at hand: where it is, what it is called */
    unsigned depth;
    struct px_str paths[SOURCES_FILES_MAX], files[SOURCES_FILES_MAX];
    size_t order[SOURCES_FILES_MAX], count;
};

static int walk(struct gathering *g, struct px_str dir, struct px_str prefix);

static int add(void *ctx, const char *name, bool is_dir)
{
    struct gathering *g = ctx;
    struct stat about;
    (void)is_dir; /* links are followed */
    if (name[0] == '.' && strcmp(name, LOCK_FILE) != 0) return 0;
    if (strstr(name, ".tfstate")) return 0; /* of somebody who worked in the sources */
    struct px_str file = px_arena_printf(g->arena, "%.*s/%s", PX_FMT(g->dir), name);
    struct px_str path = px_arena_printf(g->arena, "%.*s/%s", PX_FMT(g->prefix), name);
    if (!file.ptr || !path.ptr) return px_arena_fault(g->arena);
    if (stat(file.ptr, &about) != 0) return 0; /* a link to nowhere */
    if (S_ISDIR(about.st_mode)) return walk(g, file, path);
    if (!S_ISREG(about.st_mode)) return 0;
    if (g->count == SOURCES_FILES_MAX)
        return px_fault(PX_F_LIMIT, "more than %d files of sources", SOURCES_FILES_MAX);
    g->files[g->count] = file;
    g->paths[g->count] = path;
    g->order[g->count] = g->count;
    g->count++;
    return 0;
}

static int walk(struct gathering *g, struct px_str dir, struct px_str prefix)
{
    const struct px_str old_dir = g->dir, old_prefix = g->prefix;
    if (g->depth == DEPTH_MAX)
        return px_fault(PX_F_LIMIT, "%.*s is more than %d folders deep", PX_FMT(dir), DEPTH_MAX);
    g->dir = dir;
    g->prefix = prefix;
    g->depth++;
    int r = px_dir_each(dir.ptr, add, g);
    g->depth--;
    g->dir = old_dir;
    g->prefix = old_prefix;
    return r == PX_FILE_ABSENT ? 0 : r;
}

static int by_path(const void *a, const void *b, void *ctx)
{
    const struct gathering *g = ctx;
    return px_str_cmp(g->paths[*(const size_t *)a], g->paths[*(const size_t *)b]);
}

static int write_files(const struct gathering *g, struct px_buf *text)
{
    PX_AUTO(px_buf_deinit) struct px_buf content;
    px_buf_init(&content, SOURCES_BYTES_MAX);
    px_buf_add_c(text, "{\"files\":[");
    for (size_t i = 0; i < g->count; i++) {
        size_t at = g->order[i];
        px_buf_clear(&content);
        int r = px_file_read(g->files[at].ptr, &content);
        if (r > 0) return px_fault(PX_F_CONFIG, "%s is gone or too large", g->files[at].ptr);
        PX_TRY(r);
        if (!px_utf8_ok(px_buf_str(&content)))
            return px_fault(PX_F_CONFIG, "%s is no text; sources of stacks are", g->files[at].ptr);
        px_buf_add_c(text, i > 0 ? ",{\"path\":" : "{\"path\":");
        px_buf_add_json_str(text, g->paths[at]);
        px_buf_add_c(text, ",\"text\":");
        px_buf_add_json_str(text, px_buf_str(&content));
        px_buf_add_char(text, '}');
    }
    px_buf_add_c(text, "]}\n");
    return px_buf_fault(text);
}

int sources_gather(const char *infra, const char *platform, struct px_buf *text)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 16u << 20);
    struct gathering *g = px_arena_new(&arena, struct gathering);
    if (!g) return px_arena_fault(&arena);
    g->arena = &arena;
    PX_TRY(walk(g, px_str_c(infra), S("infra")));
    PX_TRY(walk(g, px_str_c(platform), S("platform")));
    qsort_r(g->order, g->count, sizeof g->order[0], by_path, g);
    return write_files(g, text);
}

/* ---- again ---- */

static bool path_is_ok(struct px_str path)
{
    struct px_str part;
    if (!px_str_starts(path, S("infra/")) && !px_str_starts(path, S("platform/"))) return false;
    if (memchr(path.ptr, '\0', path.len)) return false;
    for (bool more = true; more;) {
        more = px_str_cut(&path, '/', &part);
        if (part.len == 0 || px_str_eq(part, S(".")) || px_str_eq(part, S(".."))) return false;
    }
    return true;
}

/* For this machine and this step: nothing needs to last. */
static int write_one(const char *path, struct px_str text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return px_fault_errno("%s", path);
    int r = px_file_write_all(fd, text.ptr, text.len);
    if (close(fd) != 0 && r == 0) r = px_fault_errno("%s", path);
    return r;
}

int sources_lay_out(struct px_str text, const char *dir)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    yyjson_val *root = NULL, *file;
    size_t i, max;
    px_arena_init(&arena, 4 * (size_t)SOURCES_BYTES_MAX);
    int r = px_json_parse(text, &arena, &root, NULL);
    if (r > 0 || (r == 0 && !px_json_arr(root, "files")))
        return px_fault(PX_F_CORRUPT, "these are no sources");
    PX_TRY(r);
    px_json_arr_foreach(px_json_arr(root, "files"), i, max, file)
    {
        struct px_str path = px_json_str(file, "path");
        if (!path_is_ok(path))
            return px_fault(PX_F_CORRUPT, "sources with a file %.*s", PX_FMT(path));
        struct px_str target = px_arena_printf(&arena, "%s/%.*s", dir, PX_FMT(path));
        char *folder = target.ptr ? px_arena_cstr(&arena, target) : NULL;
        if (!folder) return px_arena_fault(&arena);
        *strrchr(folder, '/') = '\0';
        PX_TRY(px_dir_make(folder));
        PX_TRY(write_one(target.ptr, px_json_str(file, "text")));
    }
    return 0;
}
