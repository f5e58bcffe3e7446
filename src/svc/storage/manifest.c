/* svc/storage/manifest.c - see manifest.h. */
#include "svc/storage/manifest.h"

#include "svc/catalog/names.h"

/* ---- keys ---- */

static int index_key(struct px_str tenant, int64_t epoch, struct px_arena *arena,
                     struct px_str *ret_key)
{
    *ret_key = px_arena_printf(arena, MOVES_PREFIX "%.*s/%lld/index.json", PX_FMT(tenant),
                               (long long)epoch);
    return ret_key->ptr ? 0 : px_arena_fault(arena);
}

static int dataset_key(struct px_str tenant, int64_t epoch, struct px_str dataset,
                       struct px_arena *arena, struct px_str *ret_key)
{
    *ret_key = px_arena_printf(arena, MOVES_PREFIX "%.*s/%lld/datasets/%.*s.json", PX_FMT(tenant),
                               (long long)epoch, PX_FMT(dataset));
    return ret_key->ptr ? 0 : px_arena_fault(arena);
}

/* "m<digits>-" in front of a name, made by an earlier move; 0: none. */
static size_t epoch_prefix(struct px_str name)
{
    size_t i = 1;
    if (name.len < 3 || name.ptr[0] != 'm') return 0;
    while (i < name.len && name.ptr[i] >= '0' && name.ptr[i] <= '9') i++;
    return i > 1 && i < name.len && name.ptr[i] == '-' ? i + 1 : 0;
}

int manifest_target_prefix(int64_t epoch, struct px_arena *arena, struct px_str *ret_prefix)
{
    *ret_prefix = px_arena_printf(arena, "m%lld-", (long long)epoch);
    return ret_prefix->ptr ? 0 : px_arena_fault(arena);
}

int manifest_target_key(struct px_str key, int64_t epoch, struct px_arena *arena,
                        struct px_str *ret_key)
{
    const char *slash = memrchr(key.ptr, '/', key.len);
    size_t folder = slash ? (size_t)(slash - key.ptr) + 1 : 0;
    struct px_str name = px_str_skip(key, folder);
    name = px_str_skip(name, epoch_prefix(name));
    *ret_key = px_arena_printf(arena, "%.*sm%lld-%.*s", (int)folder, key.ptr, (long long)epoch,
                               PX_FMT(name));
    return ret_key->ptr ? 0 : px_arena_fault(arena);
}

/* ---- writing ---- */

static int put(struct object_store *store, struct px_str key, struct px_buf *text)
{
    PX_TRY(px_buf_fault(text));
    return object_put(store, key, px_buf_str(text));
}

static void add_names(struct px_buf *text, const struct px_str *names, size_t count)
{
    px_buf_add_char(text, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0) px_buf_add_char(text, ',');
        px_buf_add_json_str(text, names[i]);
    }
    px_buf_add_char(text, ']');
}

int manifest_put(struct object_store *store, struct px_str tenant, int64_t epoch,
                 const struct manifest *manifest, struct px_arena *arena)
{
    struct px_str key;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, MANIFEST_BYTES_MAX);
    PX_TRY(index_key(tenant, epoch, arena, &key));
    px_buf_printf(&text, "{\"last\":%s,\"freeze\":%lld,\"retention_days\":%lld,\"rules\":",
                  manifest->last ? "true" : "false", (long long)manifest->freeze,
                  (long long)manifest->retention.days);
    px_buf_add_json_str(&text, manifest->retention.rules);
    px_buf_add_c(&text, ",\"datasets\":");
    add_names(&text, manifest->datasets, manifest->count);
    px_buf_add_c(&text, ",\"claims\":");
    add_names(&text, manifest->claims, manifest->claim_count);
    px_buf_add_c(&text, "}\n");
    return put(store, key, &text);
}

static void add_segment(struct px_buf *text, const struct segment *segment)
{
    px_buf_add_c(text, "{\"key\":");
    px_buf_add_json_str(text, segment->key);
    px_buf_printf(text,
                  ",\"tier\":%d,\"time_min_us\":%lld,\"time_max_us\":%lld,\"rows\":%lld,"
                  "\"bytes\":%lld,\"schema\":",
                  (int)segment->tier, (long long)segment->time_min_us,
                  (long long)segment->time_max_us, (long long)segment->rows,
                  (long long)segment->bytes);
    px_buf_add_json_str(text, segment->schema_json);
    px_buf_add_c(text, ",\"stats\":");
    px_buf_add_json_str(text, segment->stats_json);
    px_buf_add_char(text, '}');
}

int manifest_put_dataset(struct object_store *store, int64_t epoch,
                         const struct catalog_arrival *dataset, struct px_arena *arena)
{
    struct px_str key;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, MANIFEST_BYTES_MAX);
    PX_TRY(dataset_key(dataset->tenant, epoch, dataset->dataset, arena, &key));
    px_buf_add_c(&text, "{\"schema\":");
    px_buf_add_json_str(&text, dataset->schema_json);
    px_buf_printf(&text, ",\"retention_days\":%lld,\"dropped\":%s,\"rules\":",
                  (long long)dataset->retention_days, dataset->dropped ? "true" : "false");
    px_buf_add_json_str(&text, dataset->rules);
    px_buf_add_c(&text, ",\"marks\":[");
    for (size_t i = 0; i < dataset->mark_count; i++) {
        px_buf_add_c(&text, i > 0 ? ",{\"writer\":" : "{\"writer\":");
        px_buf_add_json_str(&text, dataset->marks[i].writer);
        px_buf_printf(&text, ",\"seq\":%llu}", (unsigned long long)dataset->marks[i].sealed_seq);
    }
    px_buf_add_c(&text, "],\"segments\":[");
    for (size_t i = 0; i < dataset->segment_count; i++) {
        if (i > 0) px_buf_add_c(&text, ",\n");
        add_segment(&text, &dataset->segments[i]);
    }
    px_buf_add_c(&text, "]}\n");
    return put(store, key, &text);
}

/* ---- reading ---- */

static int corrupt(struct px_str key)
{
    return px_fault(PX_F_CORRUPT, "%.*s is not what a move wrote", PX_FMT(key));
}

int manifest_get_json(struct object_store *store, struct px_str key, struct px_arena *arena,
                      yyjson_val **ret_root)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, MANIFEST_BYTES_MAX);
    int r = object_get(store, key, &text);
    if (r == OBJECT_ABSENT) return r;
    if (r == OBJECT_TOO_LARGE) return px_fault(PX_F_LIMIT, "%.*s", PX_FMT(key));
    PX_TRY(r);
    r = px_json_parse(px_buf_str(&text), arena, ret_root, NULL);
    if (r == PX_JSON_INVALID) return corrupt(key);
    return r;
}

static int get_names(yyjson_val *root, const char *member, struct px_str key,
                     struct px_arena *arena, struct px_str **ret_names, size_t *ret_count)
{
    yyjson_val *list = px_json_arr(root, member), *name;
    size_t i, n, count = 0;
    struct px_str *names = px_arena_array(arena, struct px_str, yyjson_arr_size(list) + 1);
    if (!list) return corrupt(key);
    if (!names) return px_arena_fault(arena);
    yyjson_arr_foreach(list, i, n, name) names[count++] = px_json_val_str(name);
    *ret_names = names;
    *ret_count = count;
    return 0;
}

int manifest_get(struct object_store *store, struct px_str tenant, int64_t epoch,
                 struct px_arena *arena, struct manifest *ret_manifest)
{
    struct px_str key;
    yyjson_val *root = NULL;
    PX_TRY(index_key(tenant, epoch, arena, &key));
    int r = manifest_get_json(store, key, arena, &root);
    if (r != 0) return r;
    struct manifest manifest = {
        .last = px_json_bool(root, "last", false),
        .freeze = px_json_i64(root, "freeze", 0),
        .retention = {px_json_i64(root, "retention_days", 0), px_json_str(root, "rules")}};
    if (manifest.retention.days < 0) return corrupt(key);
    PX_TRY(get_names(root, "datasets", key, arena, &manifest.datasets, &manifest.count));
    for (size_t i = 0; i < manifest.count; i++)
        if (!dataset_name_ok(manifest.datasets[i], NULL)) return corrupt(key);
    PX_TRY(get_names(root, "claims", key, arena, &manifest.claims, &manifest.claim_count));
    *ret_manifest = manifest;
    return 0;
}

static bool read_segment(yyjson_val *val, struct segment *segment)
{
    *segment = (struct segment){.key = px_json_str(val, "key"),
                                .tier = (enum segment_tier)px_json_i64(val, "tier", 0),
                                .time_min_us = px_json_i64(val, "time_min_us", 0),
                                .time_max_us = px_json_i64(val, "time_max_us", 0),
                                .rows = px_json_i64(val, "rows", 0),
                                .bytes = px_json_i64(val, "bytes", 0),
                                .schema_json = px_json_str(val, "schema"),
                                .stats_json = px_json_str(val, "stats")};
    bool tier_ok = segment->tier == TIER_SEGMENT || segment->tier == TIER_ANALYTICS;
    return segment->key.len > 0 && tier_ok && segment->rows > 0 && segment->bytes > 0 &&
           segment->time_min_us <= segment->time_max_us && segment->schema_json.len > 0;
}

int manifest_get_dataset(struct object_store *store, struct px_str tenant, int64_t epoch,
                         struct px_str dataset, struct px_arena *arena,
                         struct catalog_arrival *ret_dataset)
{
    struct px_str key;
    yyjson_val *root = NULL, *val;
    PX_TRY(dataset_key(tenant, epoch, dataset, arena, &key));
    int r = manifest_get_json(store, key, arena, &root);
    if (r == OBJECT_ABSENT) return corrupt(key);
    PX_TRY(r);
    yyjson_val *list = px_json_arr(root, "segments"), *marks = px_json_arr(root, "marks");
    struct px_str schema = px_json_str(root, "schema");
    if (!list || !marks || schema.len == 0) return corrupt(key);
    struct segment *segments = px_arena_array(arena, struct segment, yyjson_arr_size(list) + 1);
    struct writer_mark *seqs = px_arena_array(arena, struct writer_mark,
                                              yyjson_arr_size(marks) + 1);
    if (!segments || !seqs) return px_arena_fault(arena);
    struct catalog_arrival arrival = {.tenant = tenant,
                                      .dataset = dataset,
                                      .schema_json = schema,
                                      .retention_days = px_json_i64(root, "retention_days", 0),
                                      .rules = px_json_str(root, "rules"),
                                      .dropped = px_json_bool(root, "dropped", false),
                                      .segments = segments,
                                      .marks = seqs};
    size_t i, n;
    yyjson_arr_foreach(
        list, i, n,
        val) if (!read_segment(val, &segments[arrival.segment_count++])) return corrupt(key);
    yyjson_arr_foreach(marks, i, n, val) seqs[arrival.mark_count++] = (struct writer_mark){
        px_json_str(val, "writer"), (uint64_t)px_json_i64(val, "seq", 0)};
    *ret_dataset = arrival;
    return 0;
}
