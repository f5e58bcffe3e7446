/* region/siblings.c - see siblings.h. */
#include "region/siblings.h"

#include <string.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_json.h"

#define FLEET_BYTES_MAX (64u << 10)
#define SECRET_BYTES_MAX (256u << 10) /* three values of 64 KiB and what they are called */

static bool is_cut(yyjson_val *cuts, struct px_str a, struct px_str b)
{
    size_t i, n;
    yyjson_val *pair;
    px_json_arr_foreach(cuts, i, n, pair)
    {
        struct px_str one = px_json_val_str(yyjson_arr_get(pair, 0)),
                      other = px_json_val_str(yyjson_arr_get(pair, 1));
        if ((px_str_eq(one, a) && px_str_eq(other, b)) ||
            (px_str_eq(one, b) && px_str_eq(other, a)))
            return true;
    }
    return false;
}

/* The folder that a path's last part stands in. */
static struct px_str parent_of(struct px_str path)
{
    while (path.len > 0 && path.ptr[path.len - 1] != '/') path.len--;
    return px_str(path.ptr, path.len > 0 ? path.len - 1 : 0);
}

struct reading {
    struct px_str self, folder;
    yyjson_val *root;
    struct px_arena *arena;
};

static int read_one(const struct reading *in, size_t index, struct px_str name,
                    struct siblings *siblings)
{
    const char *folder =
        px_arena_printf(in->arena, "%.*s/regions/%.*s", PX_FMT(in->folder), PX_FMT(name)).ptr;
    const char *copy = px_arena_cstr(in->arena, name);
    if (!folder || !copy) return px_arena_fault(in->arena);
    if (px_str_eq(name, in->self)) return 0;
    if (index == 0) {
        siblings->keys_from = siblings->primary_folder = folder;
        siblings->primary = copy;
    }
    siblings->at[siblings->count++] = (struct sibling){
        copy, folder, is_cut(px_json_arr(in->root, "cuts"), name, in->self)};
    return 0;
}

/* Regions stand in a ring: each keeps the copies of the one before it. */
static void find_replica(struct siblings *siblings, size_t own_index)
{
    if (siblings->count == 0) return;
    siblings->replica = siblings->at[own_index % siblings->count].name;
}

/* Whoever has them: also the primary takes them back when it has lost its folder. */
static void find_keys(struct siblings *siblings)
{
    char path[4096];
    for (size_t i = 0; i < siblings->count; i++) {
        (void)snprintf(path, sizeof path, "%s/tenant.key", siblings->at[i].folder);
        if (access(path, F_OK) != 0) continue;
        siblings->keys_from = siblings->at[i].folder;
        return;
    }
}

static int read_all(const struct reading *in, struct siblings *siblings)
{
    size_t i, n, own_index = SIZE_MAX;
    yyjson_val *entry;
    yyjson_val *regions = px_json_arr(in->root, "regions");
    if (yyjson_arr_size(regions) > SIBLINGS_MAX)
        return px_fault(PX_F_CONFIG, "fleet.json: more than %u regions", SIBLINGS_MAX);
    px_json_arr_foreach(regions, i, n, entry)
    {
        struct px_str name = px_json_str(entry, "name");
        if (px_str_eq(name, in->self)) own_index = i;
        PX_TRY(read_one(in, i, name, siblings));
    }
    if (own_index == SIZE_MAX)
        return px_fault(PX_F_CONFIG, "fleet.json: there is no region %.*s", PX_FMT(in->self));
    find_replica(siblings, own_index);
    find_keys(siblings);
    siblings->lag_ms = (uint32_t)px_json_i64(in->root, "lag_ms", 0);
    siblings->scatter_ms = (uint32_t)px_json_i64(in->root, "scatter_ms", 0);
    return 0;
}

int siblings_load(const char *fleet_file, struct px_str self, struct px_arena *arena,
                  struct siblings *ret_siblings)
{
    *ret_siblings = (struct siblings){0};
    if (!fleet_file) return 0;
    struct reading in = {.self = self, .folder = parent_of(px_str_c(fleet_file)), .arena = arena};
    PX_TRY(px_json_load(fleet_file, FLEET_BYTES_MAX, arena, &in.root));
    return read_all(&in, ret_siblings);
}

/* ---- the first start of a region that is not the primary ---- */

struct taking {
    const char *from, *to;
    size_t count;
};

static int take_file(const char *from, const char *to)
{
    PX_AUTO(px_buf_deinit) struct px_buf bytes;
    px_buf_init(&bytes, SECRET_BYTES_MAX);
    int r = px_file_read(from, &bytes);
    if (r == PX_FILE_ABSENT)
        return px_fault(PX_F_CONFIG, "%s is missing: the first region starts first", from);
    if (r == PX_FILE_TOO_LARGE) return px_fault(PX_F_CONFIG, "%s is no secret of Prism", from);
    PX_TRY(r);
    r = px_file_write_atomic(to, px_buf_str(&bytes), 0600);
    explicit_bzero(bytes.ptr, bytes.len);
    return r;
}

static int take_secret(void *ctx, const char *name, bool is_dir)
{
    struct taking *taking = ctx;
    char from[4096], to[4096];
    if (is_dir || name[0] == '.') return 0;
    (void)snprintf(from, sizeof from, "%s/%s", taking->from, name);
    (void)snprintf(to, sizeof to, "%s/%s", taking->to, name);
    taking->count++;
    return take_file(from, to);
}

static int take_secrets(const struct siblings *siblings, const struct data_dir *dir,
                        struct px_arena *arena)
{
    struct taking taking = {.from = px_arena_printf(arena, "%s/secrets", siblings->keys_from).ptr,
                            .to = data_dir_sub(dir, arena, "secrets")};
    if (!taking.from || !taking.to) return px_arena_fault(arena);
    PX_TRY(px_dir_make(taking.to));
    int r = px_dir_each(taking.from, take_secret, &taking);
    PX_TRY(r < 0 ? r : 0);
    if (taking.count > 0) return 0;
    return px_fault(PX_F_CONFIG, "%s has no secrets yet: the first region starts first",
                    siblings->keys_from);
}

int siblings_join(const struct siblings *siblings, const struct data_dir *dir,
                  struct px_arena *arena)
{
    static const char *const keys[] = {"admin.key",
                                       "tenant.key"}; /* the last says that all is here */
    const char *last = data_dir_sub(dir, arena, "tenant.key");
    if (!last) return px_arena_fault(arena);
    if (!siblings->keys_from || access(last, F_OK) == 0) return 0;
    PX_TRY(take_secrets(siblings, dir, arena));
    for (size_t i = 0; i < PX_COUNT(keys); i++) {
        const char *from = px_arena_printf(arena, "%s/%s", siblings->keys_from, keys[i]).ptr;
        const char *to = data_dir_sub(dir, arena, keys[i]);
        if (!from || !to) return px_arena_fault(arena);
        PX_TRY(take_file(from, to));
    }
    return 0;
}

/* ---- later ---- */

static int read_sealed(const char *path, struct px_buf *bytes)
{
    px_buf_init(bytes, SECRET_BYTES_MAX);
    int r = px_file_read(path, bytes);
    if (r == PX_FILE_TOO_LARGE) return px_fault(PX_F_CORRUPT, "%s is no secret of Prism", path);
    if (r != PX_FILE_ABSENT) PX_TRY(r);
    return 0;
}

int siblings_follow_secrets(const struct siblings *siblings, const struct data_dir *dir)
{
    static const char *const shared[] = {"api-key-pepper.sealed"};
    char from[4096], to[4096];
    if (!siblings->primary) return 0;
    for (size_t i = 0; i < PX_COUNT(shared); i++) {
        PX_AUTO(px_buf_deinit) struct px_buf theirs = {0};
        PX_AUTO(px_buf_deinit) struct px_buf own = {0};
        (void)snprintf(from, sizeof from, "%s/secrets/%s", siblings->primary_folder, shared[i]);
        (void)snprintf(to, sizeof to, "%.*s/secrets/%s", PX_FMT(dir->path), shared[i]);
        PX_TRY(read_sealed(from, &theirs));
        PX_TRY(read_sealed(to, &own));
        bool same = px_str_eq(px_buf_str(&theirs), px_buf_str(&own));
        if (theirs.len == 0 || same) continue; /* it has lost its folder, or has said nothing new */
        PX_TRY(px_file_write_atomic(to, px_buf_str(&theirs), 0600));
    }
    return 0;
}
