/* region/versions_state.c - state.json of a function: read at start, replaced as a whole with each change, so that after
 * kill -9 a rollout stands where its last answered step put it. */
#include <stdio.h>
#include <string.h>

#include "base/px_file.h"
#include "base/px_json.h"
#include "region/versions_internal.h"

#define STATE_FORMAT 1
#define STATE_BYTES_MAX (256u << 10)

static void state_path(const struct function_versions *f, char *path, size_t bytes)
{
    (void)snprintf(path, bytes, "%s/functions/%s/state.json", f->all->options.data_dir,
                   f->spec->name);
}

static void keep(struct px_str text, char *kept, size_t bytes)
{
    (void)snprintf(kept, bytes, "%.*s", PX_FMT(text));
}

static bool number_of(yyjson_val *obj, const char *key, int64_t min, int64_t max, uint32_t *ret)
{
    int64_t n = px_json_i64(obj, key, -1);
    if (n < min || n > max) return false;
    *ret = (uint32_t)n;
    return true;
}

static int broken(const struct function_versions *f, const char *what)
{
    return px_fault(PX_F_CORRUPT, "functions/%s/state.json: %s", f->spec->name, what);
}

static int read_version(struct function_versions *f, yyjson_val *obj)
{
    uint32_t number, provisioned;
    struct px_str digest = px_json_str(obj, "digest");
    char hex[VERSION_DIGEST_BYTES];
    if (!number_of(obj, "version", 1, UINT32_MAX, &number) || digest.len != sizeof hex - 1 ||
        !number_of(obj, "provisioned", 0, 1000, &provisioned))
        return broken(f, "a version needs version, digest and provisioned");
    keep(digest, hex, sizeof hex);
    struct version *v = version_add(f, number, hex);
    if (!v) return px_fault(PX_F_OOM, "a version");
    v->provisioned = provisioned;
    v->bytes = (uint64_t)px_json_i64(obj, "bytes", 0);
    v->created_ns = px_json_i64(obj, "created_ns", 0);
    keep(px_json_str(obj, "description"), v->description, sizeof v->description);
    return 0;
}

static int read_alias(struct function_versions *f, yyjson_val *obj)
{
    if (f->alias_count == ALIASES_MAX) return broken(f, "too many aliases");
    struct version_alias *a = &f->aliases[f->alias_count++];
    *a = (struct version_alias){.weight = px_json_f64(obj, "weight", 0)};
    keep(px_json_str(obj, "name"), a->name, sizeof a->name);
    keep(px_json_str(obj, "revision"), a->revision, sizeof a->revision);
    keep(px_json_str(obj, "description"), a->description, sizeof a->description);
    if (!number_of(obj, "main", 1, UINT32_MAX, &a->main) ||
        !number_of(obj, "other", 0, UINT32_MAX, &a->other) ||
        !number_of(obj, "provisioned", 0, 1000, &a->provisioned) ||
        !(a->weight >= 0 && a->weight <= 1) || !version_find(f, a->main) ||
        (a->other && !version_find(f, a->other)))
        return broken(f, "an alias names no version, or a weight that is none");
    return 0;
}

static int read_state(struct function_versions *f, yyjson_val *root)
{
    size_t i, n;
    yyjson_val *item;
    if (px_json_i64(root, "format", 0) != STATE_FORMAT) return broken(f, "an unknown format");
    keep(px_json_str(root, "latest"), f->latest, sizeof f->latest);
    f->latest_bytes = (uint64_t)px_json_i64(root, "latest_bytes", 0);
    uint32_t reserved;
    if (!number_of(root, "next", 2, UINT32_MAX, &f->next) ||
        !number_of(root, "reserved", 1, 1000, &reserved) ||
        strlen(f->latest) != sizeof f->latest - 1)
        return broken(f, "next, reserved or latest is wrong");
    f->reserved = PX_MIN(reserved, f->spec->concurrency_max); /* another machine may hold less */
    px_json_arr_foreach(px_json_arr(root, "versions"), i, n, item) PX_TRY(read_version(f, item));
    f->alias_count = 0;
    px_json_arr_foreach(px_json_arr(root, "aliases"), i, n, item) PX_TRY(read_alias(f, item));
    if (!alias_find(f, S(VERSIONS_LIVE))) return broken(f, "no alias " VERSIONS_LIVE);
    f->stored = true;
    return 0;
}

int versions_load(struct function_versions *f)
{
    char path[3200];
    PX_AUTO(px_buf_deinit) struct px_buf text;
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    yyjson_val *root = NULL;
    struct px_where where;
    state_path(f, path, sizeof path);
    px_buf_init(&text, STATE_BYTES_MAX);
    px_arena_init(&arena, 4u << 20);
    int r = px_file_read(path, &text);
    if (r == PX_FILE_ABSENT) return 0;
    if (r == PX_FILE_TOO_LARGE) return broken(f, "too large");
    PX_TRY(r);
    r = px_json_parse(px_buf_str(&text), &arena, &root, &where);
    if (r == PX_JSON_INVALID) return broken(f, where.expected);
    PX_TRY(r);
    return read_state(f, root);
}

static void write_version(const struct version *v, struct px_buf *buf)
{
    px_buf_printf(buf,
                  "{\"version\":%u,\"digest\":\"%s\",\"bytes\":%llu,\"created_ns\":%lld,"
                  "\"provisioned\":%u,\"description\":",
                  v->number, v->digest, (unsigned long long)v->bytes, (long long)v->created_ns,
                  v->provisioned);
    px_buf_add_json_str(buf, px_str_c(v->description));
    px_buf_add_c(buf, "}");
}

static void write_alias(const struct version_alias *a, struct px_buf *buf)
{
    px_buf_add_c(buf, "{\"name\":");
    px_buf_add_json_str(buf, px_str_c(a->name));
    px_buf_printf(buf,
                  ",\"main\":%u,\"other\":%u,\"weight\":%.17g,\"provisioned\":%u,"
                  "\"revision\":\"%s\",\"description\":",
                  a->main, a->other, a->weight, a->provisioned, a->revision);
    px_buf_add_json_str(buf, px_str_c(a->description));
    px_buf_add_c(buf, "}");
}

int versions_save(struct function_versions *f)
{
    char path[3200];
    bool first = true;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, STATE_BYTES_MAX);
    px_buf_printf(&text,
                  "{\"format\":%d,\"latest\":\"%s\",\"latest_bytes\":%llu,\"next\":%u,"
                  "\"reserved\":%u,\"versions\":[",
                  STATE_FORMAT, f->latest, (unsigned long long)f->latest_bytes, f->next,
                  f->reserved);
    for (const struct version *v = f->versions; v; v = v->next) {
        if (v->leaving) continue;
        if (!first) px_buf_add_c(&text, ",");
        first = false;
        write_version(v, &text);
    }
    px_buf_add_c(&text, "],\"aliases\":[");
    for (size_t i = 0; i < f->alias_count; i++) {
        if (i > 0) px_buf_add_c(&text, ",");
        write_alias(&f->aliases[i], &text);
    }
    px_buf_add_c(&text, "]}\n");
    PX_TRY(px_buf_fault(&text));
    state_path(f, path, sizeof path);
    PX_TRY(px_file_write_atomic(path, px_buf_str(&text), 0600));
    f->stored = true;
    return 0;
}
