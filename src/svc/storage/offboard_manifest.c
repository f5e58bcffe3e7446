/* svc/storage/offboard_manifest.c - see offboard_internal.h. */
#include "svc/storage/offboard_internal.h"

#include <openssl/sha.h>

#include "base/px_json.h"

enum { PAGE = 1000 };

void offboard_hash(struct px_str bytes, char ret_hex[OFFBOARD_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_DIGEST_LENGTH];
    static_assert(2 * sizeof digest + 1 == OFFBOARD_HEX_BYTES, "hex");
    SHA256((const uint8_t *)(bytes.len ? bytes.ptr : ""), bytes.len, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        ret_hex[2 * i] = digits[digest[i] >> 4];
        ret_hex[2 * i + 1] = digits[digest[i] & 15];
    }
    ret_hex[2 * sizeof digest] = '\0';
}

bool offboard_late(const struct offboard *offboard)
{
    return offboard->deadline_mono_ns != 0 &&
           px_mono_ns(&px_clock_system) >= offboard->deadline_mono_ns;
}

/* A tenant that the registry does not know was never there: nobody may speak for it. */
int offboard_registry(struct storage *storage, struct px_str tenant, struct px_arena *arena,
                      struct offboard_registry *ret)
{
    const struct table_key key = {S("tenants"), tenant, S("")};
    struct table_item item;
    yyjson_val *root = NULL;
    int r = table_get(storage->options.tables, &key, arena, &item);
    if (r == TABLE_ABSENT)
        return px_fault(PX_F_CONFIG, "the registry has no tenant %.*s", PX_FMT(tenant));
    PX_TRY(r);
    r = px_json_parse(item.document, arena, &root, NULL);
    if (r == PX_JSON_INVALID) return px_fault(PX_F_CORRUPT, "the tenant's item is not JSON");
    PX_TRY(r);
    struct px_str status = px_json_str(root, "status");
    *ret = (struct offboard_registry){
        .status = px_str_eq(status, S("deleted"))     ? OFFBOARD_DELETED
                  : px_str_eq(status, S("suspended")) ? OFFBOARD_SUSPENDED
                                                      : OFFBOARD_ACTIVE,
        .epoch = px_json_i64(root, "epoch", 0),
        .moving = px_json_obj(root, "moving") != NULL,
        .document = item.document,
    };
    return 0;
}

int offboard_key(struct px_arena *arena, struct px_str tenant, struct px_str name,
                 struct px_str *ret_key)
{
    *ret_key = px_arena_printf(arena, EXPORTS_PREFIX "%.*s/%.*s", PX_FMT(tenant), PX_FMT(name));
    return ret_key->ptr ? 0 : px_arena_fault(arena);
}

static int corrupt(struct px_str key)
{
    return px_fault(PX_F_CORRUPT, "%.*s is not what an export wrote", PX_FMT(key));
}

/* A name becomes a part of a key. */
static bool name_ok(struct px_str name)
{
    return px_str_starts(name, S("data/")) && !memmem(name.ptr, name.len, "..", 2);
}

static int read_objects(yyjson_val *root, struct px_str key, struct px_arena *arena,
                        struct offboard_manifest *manifest)
{
    yyjson_val *dataset, *object;
    size_t i, n, k, m, total = 0;
    px_json_arr_foreach(px_json_arr(root, "datasets"), i, n, dataset)
        total += yyjson_arr_size(px_json_arr(dataset, "objects"));
    manifest->objects = px_arena_array(arena, struct offboard_object, total + 1);
    if (!manifest->objects) return px_arena_fault(arena);
    px_json_arr_foreach(px_json_arr(root, "datasets"), i, n, dataset)
    {
        px_json_arr_foreach(px_json_arr(dataset, "objects"), k, m, object)
        {
            struct offboard_object *at = &manifest->objects[manifest->count++];
            *at = (struct offboard_object){
                .name = px_json_str(object, "key"),
                .bytes = px_json_i64(object, "bytes", -1),
                .rows = px_json_i64(object, "rows", -1),
                .sha256 = px_json_str(object, "sha256"),
            };
            if (!name_ok(at->name) || at->bytes < 0 || at->rows < 0) return corrupt(key);
        }
    }
    return 0;
}

int offboard_manifest_read(struct storage *storage, struct px_str tenant, bool copied,
                           struct px_arena *arena, struct offboard_manifest *ret)
{
    struct offboard_manifest manifest = {0};
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, OFFBOARD_JSON_BYTES_MAX);
    PX_TRY(offboard_key(arena, tenant, copied ? S("manifest.json") : S("inventory.json"),
                        &manifest.key));
    int r = object_get(storage->options.analytics, manifest.key, &text);
    if (r == OBJECT_ABSENT) return r;
    if (r == OBJECT_TOO_LARGE) return px_fault(PX_F_LIMIT, "%.*s", PX_FMT(manifest.key));
    PX_TRY(r);
    r = px_json_parse(px_buf_str(&text), arena, &manifest.root, NULL);
    if (r == PX_JSON_INVALID || (r == 0 && !px_json_arr(manifest.root, "datasets")) ||
        (r == 0 && !px_str_eq(px_json_str(manifest.root, "tenant"), tenant)))
        return corrupt(manifest.key);
    PX_TRY(r);
    PX_TRY(read_objects(manifest.root, manifest.key, arena, &manifest));
    offboard_hash(px_buf_str(&text), manifest.sha256);
    *ret = manifest;
    return 0;
}

void offboard_manifest_sums(const struct offboard_manifest *manifest, struct offboarded *ret)
{
    ret->datasets = yyjson_arr_size(px_json_arr(manifest->root, "datasets"));
    ret->objects = manifest->count;
    for (size_t i = 0; i < manifest->count; i++) {
        ret->rows += (uint64_t)manifest->objects[i].rows;
        ret->bytes += (uint64_t)manifest->objects[i].bytes;
    }
    ret->key = manifest->key;
    memcpy(ret->sha256, manifest->sha256, sizeof ret->sha256);
}

int offboard_sum(struct object_store *store, struct px_str prefix, struct offboard_sum *sum)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    char after_text[1025];
    struct px_str after = {0};
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    for (size_t count = PAGE; count == PAGE;) {
        struct object_info *infos = NULL;
        px_arena_reset(&arena);
        PX_TRY(object_list(store, prefix, after, PAGE, &arena, &infos, &count));
        for (size_t i = 0; i < count; i++) sum->bytes += infos[i].bytes;
        sum->objects += count;
        if (count == 0) break;
        struct px_str last = infos[count - 1].key;
        PX_ASSERT(last.len < sizeof after_text);
        memcpy(after_text, last.ptr, last.len);
        after = px_str(after_text, last.len);
    }
    return 0;
}
