/* svc/storage/offboard_export.c - export and check (offboard.h).
 *
 * The tenant is suspended, so that nothing is added; what seal and compact do meanwhile changes files, not rows. A round takes
 * each dataset as the catalog has it in one snapshot and copies what is not there yet. The round in which nothing was left to
 * copy writes the manifest, and then removes copies of files that were compacted since an earlier round, so that whoever reads
 * the whole folder reads each row once.
 *
 * The manifest says nothing of when it was made: a repeat writes the same bytes. */
#include "svc/storage/offboard_internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_json.h"
#include "store/hot_fence.h"
#include "svc/storage/temp.h"

#define OBJECT_BYTES_MAX ((size_t)1 << 30)
enum { SEAL_ROUNDS = 4, PAGE = 256 };

/* A copy and what was read of it when it was made. */
struct copy {
    struct px_str name;
    int64_t bytes;
    struct px_str sha256;
};
struct exporting {
    struct storage *storage;
    const struct offboard *offboard;
    struct px_arena *arena;
    struct offboarded *out;
    struct copy *known; /* of earlier rounds, by name */
    size_t known_count;
    struct copy *made; /* and found: those that the manifest names */
    size_t made_count, made_cap;
    struct px_buf *text; /* of the manifest */
    bool late;           /* the tenant was deleted before: retain may have removed a part */
};

/* ---- what earlier rounds made ---- */

static int by_name(const void *left, const void *right)
{
    const struct copy *a = left, *b = right;
    return px_str_cmp(a->name, b->name);
}

static const struct copy *find(const struct copy *copies, size_t count, struct px_str name)
{
    const struct copy key = {.name = name};
    return count ? bsearch(&key, copies, count, sizeof *copies, by_name) : NULL;
}

/* Of a round that stopped at its deadline. Copies of one that was killed are there, but not their hashes: those are read again. */
static int read_progress(struct exporting *x)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    struct px_str key;
    yyjson_val *root = NULL, *one;
    size_t i, n;
    px_buf_init(&text, OFFBOARD_JSON_BYTES_MAX);
    PX_TRY(offboard_key(x->arena, x->offboard->tenant, S("progress.json"), &key));
    int r = object_get(x->storage->options.analytics, key, &text);
    if (r == OBJECT_ABSENT) return 0;
    if (r > 0) return px_fault(PX_F_LIMIT, "%.*s", PX_FMT(key));
    PX_TRY(r);
    r = px_json_parse(px_buf_str(&text), x->arena, &root, NULL);
    if (r == PX_JSON_INVALID) return px_fault(PX_F_CORRUPT, "%.*s is not JSON", PX_FMT(key));
    PX_TRY(r);
    x->known = px_arena_array(x->arena, struct copy, yyjson_arr_size(root) + 1);
    if (!x->known) return px_arena_fault(x->arena);
    px_json_arr_foreach(root, i, n, one) x->known[x->known_count++] = (struct copy){
        px_json_str(one, "key"), px_json_i64(one, "bytes", -1), px_json_str(one, "sha256")};
    if (x->known_count > 1) qsort(x->known, x->known_count, sizeof *x->known, by_name);
    return 0;
}

static int write_progress(const struct exporting *x)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    struct px_str key;
    px_buf_init(&text, OFFBOARD_JSON_BYTES_MAX);
    for (size_t i = 0; i < x->made_count; i++) {
        px_buf_add_c(&text, i > 0 ? ",\n{\"key\":" : "[{\"key\":");
        px_buf_add_json_str(&text, x->made[i].name);
        px_buf_printf(&text, ",\"bytes\":%lld,\"sha256\":\"%.*s\"}", (long long)x->made[i].bytes,
                      PX_FMT(x->made[i].sha256));
    }
    px_buf_add_c(&text, x->made_count > 0 ? "]\n" : "[]\n");
    PX_TRY(px_buf_fault(&text));
    PX_TRY(offboard_key(x->arena, x->offboard->tenant, S("progress.json"), &key));
    return object_put(x->storage->options.analytics, key, px_buf_str(&text));
}

static int keep(struct exporting *x, const struct copy *copy)
{
    if (x->made_count == x->made_cap) {
        size_t grown = x->made_cap ? x->made_cap * 2 : 64;
        x->made = px_arena_realloc(x->arena, x->made, x->made_cap * sizeof *x->made,
                                   grown * sizeof *x->made);
        if (!x->made) return px_arena_fault(x->arena);
        x->made_cap = grown;
    }
    x->made[x->made_count++] = *copy;
    return 0;
}

/* ---- one object ---- */

static int write_temp(const char *path, struct px_str bytes)
{
    PX_AUTO(px_close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return px_fault_errno("create %s", path);
    return px_file_write_all(fd, bytes.ptr, bytes.len);
}

static int copy_object(struct exporting *x, const struct segment *segment, struct px_str name,
                       struct copy *copy)
{
    struct object_store *to = x->storage->options.analytics;
    PX_AUTO(px_buf_deinit) struct px_buf bytes;
    struct px_str key;
    char hex[OFFBOARD_HEX_BYTES];
    px_buf_init(&bytes, OBJECT_BYTES_MAX);
    int r = object_get(storage_tier(x->storage, segment->tier), segment->key, &bytes);
    if (r > 0) return px_fault(PX_F_IO, "%.*s cannot be copied", PX_FMT(segment->key));
    PX_TRY(r);
    if (bytes.len != (uint64_t)segment->bytes)
        return px_fault(PX_F_CORRUPT, "%.*s has %zu bytes, not %lld", PX_FMT(segment->key),
                        bytes.len, (long long)segment->bytes);
    offboard_hash(px_buf_str(&bytes), hex);
    PX_TRY(offboard_key(x->arena, x->offboard->tenant, name, &key));
    PX_AUTO(temp_remove) struct px_str path = {0};
    PX_TRY(object_temp_path(to, x->arena, &path));
    PX_TRY(write_temp(path.ptr, px_buf_str(&bytes)));
    r = object_put_file(to, key, path, S(""));
    if (r != OBJECT_EXISTS) PX_TRY(r); /* of a round that was killed; check compares it */
    *copy = (struct copy){name, segment->bytes, px_arena_dup(x->arena, px_str_c(hex))};
    if (!copy->sha256.ptr) return px_arena_fault(x->arena);
    x->out->copied++;
    x->out->copied_bytes += bytes.len;
    return 0;
}

static int export_object(struct exporting *x, const struct segment *segment, struct px_str name,
                         struct copy *copy)
{
    const struct copy *known = find(x->known, x->known_count, name);
    *copy = (struct copy){name, segment->bytes, {0}};
    if (!x->offboard->copy) return 0;
    if (known && known->bytes == segment->bytes) {
        struct object_info info;
        struct px_str key;
        PX_TRY(offboard_key(x->arena, x->offboard->tenant, name, &key));
        int r = object_head(x->storage->options.analytics, key, x->arena, &info);
        if (r != OBJECT_ABSENT) PX_TRY(r);
        if (r == 0) *copy = *known;
    }
    if (copy->sha256.len == 0) PX_TRY(copy_object(x, segment, name, copy));
    return keep(x, copy);
}

/* ---- one dataset ---- */

static void add_time(struct px_buf *text, const char *name, int64_t time_us)
{
    char buf[32];
    px_buf_printf(text, ",\"%s\":\"", name);
    px_buf_add_str(text, px_time_format(time_us * PX_NS_PER_US, 6, buf));
    px_buf_add_char(text, '"');
}

static void add_object(struct px_buf *text, const struct segment *segment, const struct copy *copy)
{
    px_buf_add_c(text, "{\"key\":");
    px_buf_add_json_str(text, copy->name);
    px_buf_printf(text, ",\"bytes\":%lld,\"rows\":%lld", (long long)copy->bytes,
                  (long long)segment->rows);
    add_time(text, "time_min", segment->time_min_us);
    add_time(text, "time_max", segment->time_max_us);
    if (copy->sha256.len > 0) px_buf_printf(text, ",\"sha256\":\"%.*s\"", PX_FMT(copy->sha256));
    px_buf_add_char(text, '}');
}

/* Names of objects are unique in a dataset; folders of days are left out, because readers would take them for a column. */
static int name_of(const struct segment *segment, struct px_str dataset, struct px_arena *arena,
                   struct px_str *ret_name)
{
    const char *slash = memrchr(segment->key.ptr, '/', segment->key.len);
    struct px_str last = px_str_skip(segment->key,
                                     slash ? (size_t)(slash - segment->key.ptr) + 1 : 0);
    *ret_name = px_arena_printf(arena, "data/%.*s/%.*s", PX_FMT(dataset), PX_FMT(last));
    return ret_name->ptr ? 0 : px_arena_fault(arena);
}

static int export_dataset(struct exporting *x, const struct dataset_info *info)
{
    struct catalog_snapshot snapshot;
    int64_t rows = 0, bytes = 0;
    int r = catalog_read(x->storage->options.catalog, info->tenant, info->name, INT64_MIN,
                         INT64_MAX, x->arena, &snapshot);
    if (r == CATALOG_ABSENT) return px_fault(PX_F_BUG, "a dataset that was listed is gone");
    PX_TRY(r);
    if (x->out->datasets++ > 0) px_buf_add_c(x->text, ",\n");
    px_buf_add_c(x->text, "{\"name\":");
    px_buf_add_json_str(x->text, info->name);
    px_buf_add_c(x->text, ",\"columns\":");
    px_buf_add_str(x->text, snapshot.schema_json);
    px_buf_printf(x->text, ",\"retention_days\":%lld,\"unreadable\":%lld,\"objects\":[",
                  (long long)info->retention_days, (long long)info->quarantined);
    for (size_t i = 0; i < snapshot.segment_count; i++) {
        const struct segment *segment = &snapshot.segments[i];
        struct copy copy;
        struct px_str name;
        x->out->more = x->out->more || offboard_late(x->offboard);
        if (x->out->more) return 0;
        PX_TRY(name_of(segment, info->name, x->arena, &name));
        PX_TRY(export_object(x, segment, name, &copy));
        px_buf_add_c(x->text, i > 0 ? ",\n" : "\n");
        add_object(x->text, segment, &copy);
        rows += segment->rows;
        bytes += segment->bytes;
    }
    px_buf_printf(x->text, "],\"rows\":%lld,\"bytes\":%lld", (long long)rows, (long long)bytes);
    px_buf_add_char(x->text, '}');
    x->out->objects += snapshot.segment_count;
    x->out->rows += (uint64_t)rows;
    x->out->bytes += (uint64_t)bytes;
    return 0;
}

/* ---- all of it ---- */

/* Bytes that could not be read when they were sealed or compacted are told, and not taken along. */
static int add_set_aside(struct exporting *x)
{
    struct offboard_sum sum = {0};
    static const char *const kinds[] = {"hot", "frames"};
    for (size_t i = 0; i < PX_COUNT(kinds); i++) {
        struct px_str prefix = px_arena_printf(x->arena, QUARANTINE_PREFIX "%s/%.*s/", kinds[i],
                                               PX_FMT(x->offboard->tenant));
        if (!prefix.ptr) return px_arena_fault(x->arena);
        PX_TRY(offboard_sum(x->storage->options.segments, prefix, &sum));
    }
    px_buf_printf(x->text, "\"set_aside\":{\"objects\":%llu,\"bytes\":%llu}",
                  (unsigned long long)sum.objects, (unsigned long long)sum.bytes);
    return 0;
}

static int export_all(struct exporting *x)
{
    struct dataset_info *infos = NULL;
    size_t count = 0;
    PX_TRY(
        catalog_list(x->storage->options.catalog, x->offboard->tenant, x->arena, &infos, &count));
    px_buf_add_c(x->text, "{\"format\":\"prism-export\",\"version\":1,\"tenant\":");
    px_buf_add_json_str(x->text, x->offboard->tenant);
    px_buf_printf(x->text,
                  ",\"copied\":%s,\"after_deletion\":%s,\"files\":\"parquet\",\"datasets\":[",
                  x->offboard->copy ? "true" : "false", x->late ? "true" : "false");
    for (size_t i = 0; i < count && !x->out->more; i++) PX_TRY(export_dataset(x, &infos[i]));
    if (x->out->more) return x->offboard->copy ? write_progress(x) : 0;
    px_buf_add_c(x->text, "],");
    PX_TRY(add_set_aside(x));
    px_buf_printf(x->text, ",\"objects\":%llu,\"rows\":%llu,\"bytes\":%llu}\n",
                  (unsigned long long)x->out->objects, (unsigned long long)x->out->rows,
                  (unsigned long long)x->out->bytes);
    PX_TRY(px_buf_fault(x->text));
    PX_TRY(offboard_key(x->arena, x->offboard->tenant,
                        x->offboard->copy ? S("manifest.json") : S("inventory.json"),
                        &x->out->key));
    offboard_hash(px_buf_str(x->text), x->out->sha256);
    return object_put(x->storage->options.analytics, x->out->key, px_buf_str(x->text));
}

/* Copies that the manifest does not name. */
static int remove_strays(struct exporting *x)
{
    struct px_str prefix, after = {0};
    char after_text[1025];
    struct object_store *store = x->storage->options.analytics;
    PX_AUTO(px_arena_deinit) struct px_arena page;
    px_arena_init(&page, STORAGE_ARENA_BYTES_MAX);
    PX_TRY(offboard_key(x->arena, x->offboard->tenant, S("data/"), &prefix));
    size_t folder = prefix.len - strlen("data/");
    if (x->made_count > 1) qsort(x->made, x->made_count, sizeof *x->made, by_name);
    for (size_t count = PAGE; count == PAGE;) {
        struct object_info *infos = NULL;
        px_arena_reset(&page);
        PX_TRY(object_list(store, prefix, after, PAGE, &page, &infos, &count));
        for (size_t i = 0; i < count; i++)
            if (!find(x->made, x->made_count, px_str_skip(infos[i].key, folder)))
                PX_TRY(object_delete(store, infos[i].key));
        if (count == 0) break;
        struct px_str last = infos[count - 1].key;
        PX_ASSERT(last.len < sizeof after_text);
        memcpy(after_text, last.ptr, last.len);
        after = px_str(after_text, last.len);
    }
    PX_TRY(offboard_key(x->arena, x->offboard->tenant, S("progress.json"), &prefix));
    return object_delete(store, prefix);
}

static int seal_all(struct storage *storage, const struct offboard *offboard,
                    struct px_arena *arena, bool *ret_more)
{
    const struct storage_scope scope = {.tenant = offboard->tenant,
                                        .deadline_mono_ns = offboard->deadline_mono_ns};
    PX_TRY(hot_refresh(storage->options.hot, offboard->tenant, arena));
    *ret_more = true;
    for (int i = 0; i < SEAL_ROUNDS && *ret_more; i++) {
        struct storage_counts counts = {0};
        PX_TRY(storage_seal(storage, &scope, &counts));
        *ret_more = counts.more || counts.conflicts > 0;
        if (counts.failed > 0)
            return px_fault(PX_F_IO, "a dataset of %.*s cannot be sealed: the log says why",
                            PX_FMT(offboard->tenant));
    }
    return 0;
}

static int not_stopped(struct offboarded *ret, const char *why)
{
    ret->why = px_str_c(why);
    return OFFBOARD_NOT_STOPPED;
}

/* 0: go on. */
static int may_export(struct storage *storage, const struct offboard *offboard,
                      const struct offboard_registry *registry, struct offboarded *ret)
{
    bool settled = false;
    if (registry->status == OFFBOARD_ACTIVE)
        return not_stopped(ret, "the tenant is active: suspend it first, or records may be "
                                "written behind the export");
    PX_TRY(storage_is_settled(storage, offboard->tenant, &settled));
    if (!settled || registry->moving)
        return not_stopped(ret, "the tenant moves to another region, or left for one");
    return 0;
}

/* Behind its deletion the data goes at any time: only an export from before counts. An inventory says what is still there. */
static int of_deleted(struct storage *storage, const struct offboard *offboard,
                      struct px_arena *arena, struct offboarded *ret)
{
    struct offboard_manifest manifest;
    int r = offboard_manifest_read(storage, offboard->tenant, offboard->copy, arena, &manifest);
    if (r == 0) offboard_manifest_sums(&manifest, ret);
    if (r != OBJECT_ABSENT) return r;
    ret->why = S("the tenant was deleted before it was exported, and its data goes since then: "
                 "offboard it without an export");
    return OFFBOARD_UNEXPORTED;
}

int offboard_export(struct storage *storage, const struct offboard *offboard,
                    struct px_arena *arena, struct offboarded *ret)
{
    PX_ASSERT(storage->magic == STORAGE_MAGIC);
    struct offboard_registry registry;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    struct exporting x = {
        .storage = storage, .offboard = offboard, .arena = arena, .out = ret, .text = &text};
    px_buf_init(&text, OFFBOARD_JSON_BYTES_MAX);
    PX_TRY(offboard_registry(storage, offboard->tenant, arena, &registry));
    x.late = registry.status == OFFBOARD_DELETED;
    if (x.late) {
        int r = of_deleted(storage, offboard, arena, ret);
        if (r != OFFBOARD_UNEXPORTED || offboard->copy) return r;
    } else {
        int r = may_export(storage, offboard, &registry, ret);
        if (r != 0) return r;
        PX_TRY(seal_all(storage, offboard, arena, &ret->more));
        if (ret->more) return 0;
    }
    if (offboard->copy) PX_TRY(read_progress(&x));
    PX_TRY(export_all(&x));
    return ret->more || !offboard->copy ? 0 : remove_strays(&x);
}

/* ---- check ---- */

static int differs(struct px_arena *arena, const struct offboard_object *object, const char *how,
                   struct offboarded *ret)
{
    ret->why = px_arena_printf(arena, "the copy %.*s %s", PX_FMT(object->name), how);
    return ret->why.ptr ? OFFBOARD_DIFFERS : px_arena_fault(arena);
}

static int check_object(struct storage *storage, const struct offboard *offboard,
                        const struct offboard_object *object, struct px_arena *arena,
                        struct offboarded *ret)
{
    PX_AUTO(px_buf_deinit) struct px_buf bytes;
    struct px_str key;
    char hex[OFFBOARD_HEX_BYTES];
    px_buf_init(&bytes, OBJECT_BYTES_MAX);
    PX_TRY(offboard_key(arena, offboard->tenant, object->name, &key));
    int r = object_get(storage->options.analytics, key, &bytes);
    if (r > 0) return differs(arena, object, "is not there", ret);
    PX_TRY(r);
    offboard_hash(px_buf_str(&bytes), hex);
    if (bytes.len != (uint64_t)object->bytes || !px_str_eq(px_str_c(hex), object->sha256))
        return differs(arena, object, "has other bytes than were copied", ret);
    ret->checked++;
    return 0;
}

int offboard_check(struct storage *storage, const struct offboard *offboard, struct px_arena *arena,
                   struct offboarded *ret)
{
    PX_ASSERT(storage->magic == STORAGE_MAGIC);
    struct offboard_manifest manifest;
    int r = offboard_manifest_read(storage, offboard->tenant, true, arena, &manifest);
    if (r == OBJECT_ABSENT) {
        ret->why = S("there is no export of the tenant");
        return OFFBOARD_UNEXPORTED;
    }
    PX_TRY(r);
    offboard_manifest_sums(&manifest, ret);
    bool begun = offboard->after.len == 0;
    for (size_t i = 0; i < manifest.count; i++) {
        const struct offboard_object *object = &manifest.objects[i];
        if (!begun) {
            begun = px_str_eq(object->name, offboard->after);
            continue;
        }
        if (offboard_late(offboard) && ret->checked > 0) {
            ret->more = true;
            return 0;
        }
        r = check_object(storage, offboard, object, arena, ret);
        if (r != 0) return r;
        ret->after = object->name;
    }
    if (begun) return 0;
    ret->why = S("the export changed since the check began");
    return OFFBOARD_DIFFERS;
}
