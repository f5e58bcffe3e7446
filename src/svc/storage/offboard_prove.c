/* svc/storage/offboard_prove.c - remove and prove (offboard.h).
 *
 * When these run, the tenant is deleted, its requests have ended, and retain has removed what the catalog names. So whatever
 * stands under the tenant's name is nobody's. The catalog's rows go last: as long as they are there, everything can be found. */
#include "svc/storage/offboard_internal.h"

#include <sys/stat.h>

#include "base/px_json.h"
#include "store/hot_fence.h"
#include "svc/quota/days.h"
#include "svc/storage/manifest.h"

enum { PAGE = 256 };

static int must_be_deleted(struct storage *storage, const struct offboard *offboard,
                           struct px_arena *arena, struct offboard_registry *registry,
                           struct offboarded *ret)
{
    PX_TRY(offboard_registry(storage, offboard->tenant, arena, registry));
    if (registry->status == OFFBOARD_DELETED) return 0;
    ret->why = S("the registry does not say that the tenant is deleted");
    return OFFBOARD_NOT_STOPPED;
}

/* ---- where objects of a tenant may be ---- */

struct place {
    const char *name, *before; /* the tenant's name in its keys */
    bool analytics;
};
static const struct place places[] = {
    {"segments", "", false},
    {"analytics", "", true},
    {"moves", MOVES_PREFIX, false},
    {"set_aside_files", QUARANTINE_PREFIX "hot/", false},
    {"set_aside_frames", QUARANTINE_PREFIX "frames/", false},
};

static struct object_store *store_of(struct storage *storage, const struct place *place)
{
    return place->analytics ? storage->options.analytics : storage->options.segments;
}

static int prefix_of(const struct place *place, struct px_str tenant, struct px_arena *arena,
                     struct px_str *ret_prefix)
{
    *ret_prefix = px_arena_printf(arena, "%s%.*s/", place->before, PX_FMT(tenant));
    return ret_prefix->ptr ? 0 : px_arena_fault(arena);
}

/* ---- remove ---- */

static int remove_objects(struct storage *storage, const struct offboard *offboard,
                          const struct place *place, struct offboarded *ret)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    struct object_store *store = store_of(storage, place);
    for (size_t count = PAGE; count == PAGE;) {
        struct object_info *infos = NULL;
        struct px_str prefix;
        px_arena_reset(&arena);
        PX_TRY(prefix_of(place, offboard->tenant, &arena, &prefix));
        PX_TRY(object_list(store, prefix, S(""), PAGE, &arena, &infos, &count));
        for (size_t i = 0; i < count; i++) {
            if (offboard_late(offboard)) ret->more = true;
            if (ret->more) return 0;
            PX_TRY(object_delete(store, infos[i].key));
            ret->removed++;
        }
    }
    return 0;
}

/* Items expire by themselves (claims of requests, what was counted of days); there is no reason to keep them so long. */
static int remove_items(struct storage *storage, const struct offboard *offboard,
                        struct px_str table, struct offboarded *ret)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    const struct table_query query = {.key = {.table = table, .partition = offboard->tenant},
                                      .max = PAGE};
    for (size_t count = PAGE; count == PAGE;) {
        struct table_item *items = NULL;
        px_arena_reset(&arena);
        PX_TRY(table_query(storage->options.tables, &query, &arena, &items, &count));
        for (size_t i = 0; i < count; i++) {
            const struct table_key key = {query.key.table, items[i].partition, items[i].sort};
            if (offboard_late(offboard)) ret->more = true;
            if (ret->more) return 0;
            PX_TRY(table_delete(storage->options.tables, &key, TABLE_ANY, 0));
            ret->removed++;
        }
    }
    return 0;
}

int offboard_remove(struct storage *storage, const struct offboard *offboard,
                    struct px_arena *arena, struct offboarded *ret)
{
    PX_ASSERT(storage->magic == STORAGE_MAGIC);
    struct offboard_registry registry;
    struct storage_counts counts = {0};
    struct catalog_remains rows;
    int r = must_be_deleted(storage, offboard, arena, &registry, ret);
    if (r != 0) return r;
    PX_TRY(catalog_drop_tenant(storage->options.catalog, offboard->tenant));
    PX_TRY(storage_remove_hot(storage, offboard->tenant, true, arena, &counts));
    ret->removed += counts.files_removed;
    for (size_t i = 0; i < PX_COUNT(places) && !ret->more; i++)
        PX_TRY(remove_objects(storage, offboard, &places[i], ret));
    if (!ret->more) PX_TRY(remove_items(storage, offboard, S("idempotency"), ret));
    if (!ret->more) PX_TRY(remove_items(storage, offboard, S(DAYS_TABLE), ret));
    if (ret->more) return 0;
    PX_TRY(catalog_remains(storage->options.catalog, offboard->tenant, &rows));
    PX_TRY(catalog_erase_tenant(storage->options.catalog, offboard->tenant));
    ret->removed += (uint64_t)(rows.datasets + rows.segments + rows.marks + rows.retention);
    return 0;
}

/* ---- look ---- */

struct look {
    struct offboard_sum objects[PX_COUNT(places)];
    struct catalog_remains rows;
    uint64_t hot_files, claims, counts;
    bool hot_folder;
};

static int look_at_hot(struct storage *storage, struct px_str tenant, struct px_arena *arena,
                       struct look *look)
{
    struct hot_file *files = NULL;
    size_t count = 0;
    struct stat about;
    PX_TRY(hot_refresh(storage->options.hot, tenant, arena));
    PX_TRY(hot_list(storage->options.hot, tenant, S(""), arena, &files, &count));
    struct px_str folder = px_arena_printf(arena, "%.*s/%.*s", PX_FMT(storage->options.hot_root),
                                           PX_FMT(tenant));
    if (!folder.ptr) return px_arena_fault(arena);
    look->hot_files = count;
    look->hot_folder = stat(folder.ptr, &about) == 0;
    return 0;
}

static int look_at_items(struct storage *storage, struct px_str table, struct px_str tenant,
                         struct px_arena *arena, uint64_t *ret_count)
{
    struct table_item *items = NULL;
    size_t count = 0;
    const struct table_query query = {.key = {.table = table, .partition = tenant}, .max = PAGE};
    PX_TRY(table_query(storage->options.tables, &query, arena, &items, &count));
    *ret_count = count;
    return 0;
}

static int look_everywhere(struct storage *storage, struct px_str tenant, struct px_arena *arena,
                           struct look *look)
{
    PX_TRY(look_at_hot(storage, tenant, arena, look));
    for (size_t i = 0; i < PX_COUNT(places); i++) {
        struct px_str prefix;
        PX_TRY(prefix_of(&places[i], tenant, arena, &prefix));
        PX_TRY(offboard_sum(store_of(storage, &places[i]), prefix, &look->objects[i]));
    }
    PX_TRY(look_at_items(storage, S("idempotency"), tenant, arena, &look->claims));
    PX_TRY(look_at_items(storage, S(DAYS_TABLE), tenant, arena, &look->counts));
    return catalog_remains(storage->options.catalog, tenant, &look->rows);
}

struct count {
    const char *where;
    uint64_t count;
};
enum { COUNTS = PX_COUNT(places) + 8 };

static void counts_of(const struct look *look, struct count counts[COUNTS])
{
    size_t n = 0;
    counts[n++] = (struct count){"hot_files", look->hot_files};
    counts[n++] = (struct count){"hot_folder", look->hot_folder};
    for (size_t i = 0; i < PX_COUNT(places); i++)
        counts[n++] = (struct count){places[i].name, look->objects[i].objects};
    counts[n++] = (struct count){"catalog_datasets", (uint64_t)look->rows.datasets};
    counts[n++] = (struct count){"catalog_segments", (uint64_t)look->rows.segments};
    counts[n++] = (struct count){"catalog_marks", (uint64_t)look->rows.marks};
    counts[n++] = (struct count){"catalog_retention", (uint64_t)look->rows.retention};
    counts[n++] = (struct count){"idempotency", look->claims};
    counts[n++] = (struct count){"usage", look->counts};
    PX_ASSERT(n == COUNTS);
}

/* Answers: OFFBOARD_REMAINS. */
static int nothing_may_be_left(const struct look *look, struct px_arena *arena,
                               struct offboarded *ret)
{
    struct count counts[COUNTS];
    PX_AUTO(px_buf_deinit) struct px_buf why;
    px_buf_init(&why, 4096);
    counts_of(look, counts);
    for (size_t i = 0; i < COUNTS; i++)
        if (counts[i].count > 0)
            px_buf_printf(&why, "%s%s %llu", why.len > 0 ? ", " : "still there: ", counts[i].where,
                          (unsigned long long)counts[i].count);
    if (why.len == 0) return 0;
    ret->why = px_arena_dup(arena, px_buf_str(&why));
    return ret->why.ptr ? OFFBOARD_REMAINS : px_arena_fault(arena);
}

/* ---- the proof ---- */

struct proof {
    struct storage *storage;
    const struct offboard *offboard;
    const struct offboard_registry *registry;
    const struct offboard_manifest *manifest; /* NULL: none */
    const struct look *look;
    const struct offboarded *sums;
};

static void add_before(const struct proof *proof, struct px_buf *text)
{
    yyjson_val *dataset;
    size_t i, n;
    if (!proof->manifest) {
        px_buf_add_c(text, "\"before\":null");
        return;
    }
    px_buf_add_c(text, "\"before\":{\"manifest\":{\"key\":");
    px_buf_add_json_str(text, proof->manifest->key);
    px_buf_printf(text,
                  ",\"sha256\":\"%s\"},\"after_deletion\":%s,\"objects\":%llu,\"rows\":%llu,"
                  "\"bytes\":%llu,\"datasets\":[",
                  proof->manifest->sha256,
                  px_json_bool(proof->manifest->root, "after_deletion", false) ? "true" : "false",
                  (unsigned long long)proof->sums->objects, (unsigned long long)proof->sums->rows,
                  (unsigned long long)proof->sums->bytes);
    px_json_arr_foreach(px_json_arr(proof->manifest->root, "datasets"), i, n, dataset)
    {
        px_buf_add_c(text, i > 0 ? ",{\"name\":" : "{\"name\":");
        px_buf_add_json_str(text, px_json_str(dataset, "name"));
        px_buf_printf(text, ",\"objects\":%zu,\"rows\":%lld,\"bytes\":%lld}",
                      yyjson_arr_size(px_json_arr(dataset, "objects")),
                      (long long)px_json_i64(dataset, "rows", 0),
                      (long long)px_json_i64(dataset, "bytes", 0));
    }
    px_buf_add_c(text, "],\"set_aside\":");
    px_buf_add_json(text, px_json_obj(proof->manifest->root, "set_aside"));
    px_buf_add_char(text, '}');
}

static void add_looked(const struct proof *proof, struct px_buf *text)
{
    struct count counts[COUNTS];
    counts_of(proof->look, counts);
    px_buf_add_c(text, "\"left\":{");
    for (size_t i = 0; i < COUNTS; i++)
        px_buf_printf(text, "%s\"%s\":%llu", i > 0 ? "," : "", counts[i].where,
                      (unsigned long long)counts[i].count);
    px_buf_add_char(text, '}');
}

static void add_remaining(struct px_buf *text, const char *what, int64_t count, const char *why,
                          const char *until)
{
    px_buf_printf(text, "%s{\"what\":\"%s\",\"count\":%lld,\"why\":\"%s\",\"until\":\"%s\"}",
                  text->len > 0 && text->ptr[text->len - 1] == '[' ? "" : ",", what,
                  (long long)count, why, until);
}

static bool is_remote(struct storage *storage, struct px_arena *arena)
{
    struct px_str url;
    return object_url(storage->options.analytics, S("x"), arena, &url) == 0 &&
           px_str_starts(url, S("s3://"));
}

/* What stays and is meant to. */
static void add_remains(const struct proof *proof, struct px_arena *arena, struct px_buf *text)
{
    char until[64];
    px_buf_add_c(text, "\"remains\":[");
    add_remaining(text, "registry: the tenant's item, status deleted", 1,
                  "its name is never given again", "for good");
    add_remaining(text, "keys: records of revoked keys", proof->offboard->keys,
                  "a revoked key stays known as revoked; they hold no key", "for good");
    add_remaining(text, "executions: names and inputs", 1, "history of what was done",
                  "90 days after they end");
    if (proof->offboard->copy) {
        (void)snprintf(until, sizeof until, "%lld days after it was made",
                       (long long)proof->storage->options.lifecycle->export_days);
        add_remaining(text, "export: " EXPORTS_PREFIX, (int64_t)proof->sums->objects,
                      "it was asked for", until);
    }
    if (is_remote(proof->storage, arena)) {
        add_remaining(text, "buckets: earlier versions of removed objects, here and in the replica",
                      0, "versioning; not counted here",
                      "noncurrent_version_expiration of each bucket");
        add_remaining(text, "functions: copies of small objects in their temporary folders", 0,
                      "queries that ran before; not counted here", "each function's instance ends");
        add_remaining(text, "backups of the file system, the tables and the catalog", 0,
                      "recovery; not counted here", "the retention of each backup");
    }
    px_buf_add_char(text, ']');
}

static void add_proof(const struct proof *proof, struct px_arena *arena, struct px_buf *text)
{
    char now[32];
    px_buf_add_c(text, "{\"format\":\"prism-proof-of-deletion\",\"version\":1,\"tenant\":");
    px_buf_add_json_str(text, proof->offboard->tenant);
    px_buf_printf(text, ",\"epoch\":%lld,\"execution\":", (long long)proof->registry->epoch);
    px_buf_add_json_str(text, proof->offboard->execution);
    px_buf_add_c(text, ",\"began\":");
    px_buf_add_json_str(text, proof->offboard->began);
    px_buf_add_c(text, ",\"proved\":\"");
    px_buf_add_str(text, px_time_format(px_wall_ns(proof->storage->options.clock), 3, now));
    px_buf_printf(text, "\",\"exported\":%s,", proof->offboard->copy ? "true" : "false");
    add_before(proof, text);
    px_buf_add_char(text, ',');
    add_looked(proof, text);
    px_buf_add_char(text, ',');
    add_remains(proof, arena, text);
    px_buf_add_c(text, "}\n");
}

/* The name of an execution is the last part of its ARN. */
static int proof_key(const struct offboard *offboard, struct px_arena *arena,
                     struct px_str *ret_key)
{
    const char *colon = memrchr(offboard->execution.ptr, ':', offboard->execution.len);
    struct px_str name = px_str_skip(offboard->execution,
                                     colon ? (size_t)(colon - offboard->execution.ptr) + 1 : 0);
    *ret_key = px_arena_printf(arena, PROOFS_PREFIX "%.*s/%.*s.json", PX_FMT(offboard->tenant),
                               PX_FMT(name));
    return ret_key->ptr ? 0 : px_arena_fault(arena);
}

/* One that is there is the answer: a step whose answer was lost proves nothing else. */
static int put_proof(const struct proof *proof, struct px_arena *arena, struct offboarded *ret)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    struct object_store *store = proof->storage->options.analytics;
    px_buf_init(&text, OFFBOARD_JSON_BYTES_MAX);
    PX_TRY(proof_key(proof->offboard, arena, &ret->key));
    int r = object_get(store, ret->key, &text);
    if (r == OBJECT_ABSENT) {
        add_proof(proof, arena, &text);
        PX_TRY(px_buf_fault(&text));
        r = object_put(store, ret->key, px_buf_str(&text));
    }
    if (r > 0) return px_fault(PX_F_LIMIT, "%.*s", PX_FMT(ret->key));
    PX_TRY(r);
    offboard_hash(px_buf_str(&text), ret->sha256);
    return 0;
}

int offboard_prove(struct storage *storage, const struct offboard *offboard, struct px_arena *arena,
                   struct offboarded *ret)
{
    PX_ASSERT(storage->magic == STORAGE_MAGIC);
    struct offboard_registry registry;
    struct offboard_manifest manifest;
    struct look look = {0};
    int r = must_be_deleted(storage, offboard, arena, &registry, ret);
    if (r != 0) return r;
    PX_TRY(look_everywhere(storage, offboard->tenant, arena, &look));
    r = nothing_may_be_left(&look, arena, ret);
    if (r != 0) return r;
    struct proof proof = {storage, offboard, &registry, NULL, &look, ret};
    r = offboard_manifest_read(storage, offboard->tenant, offboard->copy, arena, &manifest);
    if (r == OBJECT_ABSENT && offboard->copy) {
        ret->why = S("there is no export of the tenant");
        return OFFBOARD_UNEXPORTED;
    }
    if (r != OBJECT_ABSENT) PX_TRY(r);
    if (r == 0) {
        proof.manifest = &manifest;
        offboard_manifest_sums(&manifest, ret);
    }
    return put_proof(&proof, arena, ret);
}
