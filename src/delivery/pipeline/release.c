/* delivery/pipeline/release.c - see release.h. */
#include "delivery/pipeline/release.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_json.h"
#include "delivery/pipeline/release_machines.h"
#include "store/digest.h"
#include "store/objects.h"

#define RELEASE_BYTES_MAX (1u << 20)
#define TREE_FILES_MAX 4096
#define ID_BYTES 13

int release_id(yyjson_val *document, char ret_id[ID_BYTES])
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    size_t i, max;
    yyjson_val *key, *val;
    char hash[DIGEST_HEX_BYTES], sep = '{';
    px_buf_init(&buf, RELEASE_BYTES_MAX);
    px_json_obj_foreach(document, i, max, key, val)
    {
        if (px_str_eq(px_json_val_str(key), S("release"))) continue;
        px_buf_add_char(&buf, sep);
        px_buf_add_json(&buf, key);
        px_buf_add_char(&buf, ':');
        px_buf_add_json(&buf, val);
        sep = ',';
    }
    px_buf_add_char(&buf, '}');
    PX_TRY(px_buf_fault(&buf));
    digest_of(px_buf_str(&buf), hash);
    memcpy(ret_id, hash, ID_BYTES - 1);
    ret_id[ID_BYTES - 1] = '\0';
    return 0;
}

static bool artifacts_are_ok(yyjson_val *artifacts)
{
    size_t i, max;
    yyjson_val *key, *val;
    if (!artifacts || yyjson_obj_size(artifacts) == 0) return false;
    yyjson_obj_foreach(artifacts, i, max, key, val)
    {
        struct px_str kind = px_json_str(val, "kind"), name = px_json_val_str(key);
        if (!px_str_eq(kind, S("zip")) && !px_str_eq(kind, S("image"))) return false;
        if (!digest_is_hex(px_json_str(val, "sha256"))) return false;
        if (name.len == 0 || memchr(name.ptr, '/', name.len) || name.ptr[0] == '.') return false;
    }
    return true;
}

int release_parse(struct px_str text, struct px_arena *arena, yyjson_val **ret_document)
{
    yyjson_val *root = NULL;
    char id[ID_BYTES];
    int r = px_json_parse(text, arena, &root, NULL);
    if (r == PX_JSON_INVALID) return RELEASE_INVALID;
    PX_TRY(r);
    if (!artifacts_are_ok(px_json_obj(root, "artifacts"))) return RELEASE_INVALID;
    if (!digest_is_hex(px_json_str(root, "platform_sha256"))) return RELEASE_INVALID;
    if (!release_machines_are_ok(yyjson_obj_get(root, "machines"))) return RELEASE_INVALID;
    PX_TRY(release_id(root, id));
    if (!px_str_eq(px_json_str(root, "release"), px_str_c(id))) return RELEASE_INVALID;
    *ret_document = root;
    return 0;
}

int release_open(struct px_str place, struct cloud_shared *cloud, struct px_arena *arena,
                 struct object_store **ret_store, struct px_str *ret_prefix)
{
    const struct object_options options = {.cloud = cloud};
    const size_t tail = strlen("/releases/") + ID_BYTES - 1;
    struct px_str base = place, prefix = S("");
    if (place.len > tail && px_str_starts(px_str_skip(place, place.len - tail), S("/releases/"))) {
        base = px_str(place.ptr, place.len - tail);
        prefix = px_arena_printf(arena, "releases/%.*s/", ID_BYTES - 1,
                                 place.ptr + place.len - ID_BYTES + 1);
        if (!prefix.ptr) return px_arena_fault(arena);
    }
    PX_TRY(object_store_open(base, &options, ret_store));
    *ret_prefix = prefix;
    return 0;
}

int release_read(struct px_str place, struct cloud_shared *cloud, struct px_arena *arena,
                 struct action_release *ret_release)
{
    PX_AUTO(object_store_close) struct object_store *store = NULL;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    yyjson_val *document = NULL;
    struct px_str prefix = {0};
    px_buf_init(&text, RELEASE_BYTES_MAX);
    PX_TRY(release_open(place, cloud, arena, &store, &prefix));
    struct px_str key = px_arena_printf(arena, "%.*srelease.json", PX_FMT(prefix));
    if (!key.ptr) return px_arena_fault(arena);
    int r = object_get(store, key, &text);
    if (r > 0) return RELEASE_INVALID;
    PX_TRY(r);
    r = release_parse(px_buf_str(&text), arena, &document);
    if (r != 0) return r;
    struct px_str copy = px_arena_dup(arena, place);
    if (!copy.ptr) return px_arena_fault(arena);
    *ret_release = (struct action_release){
        .id = px_json_str(document, "release"), .place = copy, .document = document};
    return 0;
}

struct px_str release_key(struct px_arena *arena, struct px_str name, yyjson_val *artifact)
{
    struct px_str sha256 = px_json_str(artifact, "sha256");
    if (px_str_eq(px_json_str(artifact, "kind"), S("zip")))
        return px_arena_printf(arena, "functions/%.*s/%.*s.zip", PX_FMT(name), PX_FMT(sha256));
    return px_arena_printf(arena, "images/blobs/sha256/%.*s", PX_FMT(sha256));
}

int release_get(const struct action_context *ctx, struct object_store *store, struct px_str key,
                struct px_str sha256, struct px_buf *bytes)
{
    char hash[DIGEST_HEX_BYTES];
    int r = object_get(store, key, bytes);
    if (r == OBJECT_ABSENT)
        return action_fail(ctx, ACTION_REFUSED, "%.*s lacks %.*s", PX_FMT(ctx->release.place),
                           PX_FMT(key));
    if (r == OBJECT_TOO_LARGE)
        return action_fail(ctx, ACTION_REFUSED, "%.*s is too large", PX_FMT(key));
    PX_TRY(r);
    digest_of(px_buf_str(bytes), hash);
    if (px_str_eq(px_str_c(hash), sha256)) return 0;
    return action_fail(ctx, ACTION_REFUSED,
                       "%.*s of %.*s is not what was released: its digest is %s", PX_FMT(key),
                       PX_FMT(ctx->release.place), hash);
}

int release_put_new(const struct action_context *ctx, struct object_store *store, struct px_str key,
                    struct px_str bytes)
{
    struct px_str file = px_arena_printf(ctx->arena, "%s/put", ctx->work_dir);
    if (!file.ptr) return px_arena_fault(ctx->arena);
    PX_TRY(px_file_write_atomic(file.ptr, bytes, 0600));
    int r = object_put_file(store, key, file, S(""));
    if (r != OBJECT_EXISTS) return r;
    (void)unlink(file.ptr);
    return 0;
}

/* ---- trees ---- */

struct tree {
    struct px_arena *arena;
    const char *dir, *except;
    struct px_str prefix; /* of the folder at hand */
    struct px_str files[TREE_FILES_MAX];
    size_t count;
};

static int add_file(void *ctx, const char *name, bool is_dir)
{
    struct tree *tree = ctx;
    struct px_str prefix = tree->prefix;
    struct px_str path = px_arena_printf(tree->arena, "%.*s%s", PX_FMT(prefix), name);
    if (!path.ptr) return px_arena_fault(tree->arena);
    if (prefix.len == 0 && tree->except && strcmp(name, tree->except) == 0) return 0;
    if (!is_dir) {
        if (tree->count == TREE_FILES_MAX)
            return px_fault(PX_F_LIMIT, "%s has more than %d files", tree->dir, TREE_FILES_MAX);
        tree->files[tree->count++] = path;
        return 0;
    }
    struct px_str folder = px_arena_printf(tree->arena, "%s/%.*s", tree->dir, PX_FMT(path));
    tree->prefix = px_arena_printf(tree->arena, "%.*s/", PX_FMT(path));
    if (!folder.ptr || !tree->prefix.ptr) return px_arena_fault(tree->arena);
    int r = px_dir_each(folder.ptr, add_file, tree);
    tree->prefix = prefix;
    return r == PX_FILE_ABSENT ? 0 : r;
}

static int by_name(const void *a, const void *b)
{
    const struct px_str *left = a, *right = b;
    return px_str_cmp(*left, *right);
}

static int add_digests(const struct tree *tree, struct px_buf *list)
{
    char path[4096], hash[DIGEST_HEX_BYTES];
    for (size_t i = 0; i < tree->count; i++) {
        (void)snprintf(path, sizeof path, "%s/%.*s", tree->dir, PX_FMT(tree->files[i]));
        PX_TRY(digest_of_file(path, hash));
        px_buf_printf(list, "%s  %.*s\n", hash, PX_FMT(tree->files[i]));
    }
    return px_buf_fault(list);
}

int release_digest_tree(const char *dir, const char *except, char ret_hex[DIGEST_HEX_BYTES])
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    PX_AUTO(px_buf_deinit) struct px_buf list;
    px_arena_init(&arena, 16u << 20);
    px_buf_init(&list, 4u << 20);
    struct tree *tree = px_arena_new(&arena, struct tree);
    if (!tree) return px_arena_fault(&arena);
    tree->arena = &arena;
    tree->dir = dir;
    tree->except = except;
    int r = px_dir_each(dir, add_file, tree);
    if (r != PX_FILE_ABSENT) PX_TRY(r);
    qsort(tree->files, tree->count, sizeof tree->files[0], by_name);
    PX_TRY(add_digests(tree, &list));
    digest_of(px_buf_str(&list), ret_hex);
    return 0;
}
