/* delivery/pipeline/release_machines.c - see release_machines.h. */
#include "delivery/pipeline/release_machines.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/px_file.h"
#include "base/px_json.h"
#include "store/digest.h"

#define MACHINES_MAX 256
#define NAME_BYTES 96 /* Step Functions takes 80 */
#define ENDING ".asl.json"

struct machine {
    char name[NAME_BYTES], sha256[DIGEST_HEX_BYTES];
};
struct machines {
    const char *dir; /* of the definitions */
    size_t count;
    struct machine at[MACHINES_MAX];
};

static int add(void *ctx, const char *name, bool is_dir)
{
    struct machines *m = ctx;
    char path[4096];
    struct px_str file = px_str_c(name), ending = S(ENDING);
    if (is_dir || !px_str_ends(file, ending) || file.len == ending.len) return 0;
    if (m->count == MACHINES_MAX || file.len - ending.len >= NAME_BYTES)
        return px_fault(PX_F_LIMIT, "%s: more than %d definitions, or a longer name than %d",
                        m->dir, MACHINES_MAX, NAME_BYTES - 1);
    struct machine *it = &m->at[m->count++];
    (void)snprintf(it->name, sizeof it->name, "%.*s", (int)(file.len - ending.len), name);
    (void)snprintf(path, sizeof path, "%s/%s", m->dir, name);
    return digest_of_file(path, it->sha256);
}

static int by_name(const void *a, const void *b)
{
    const struct machine *left = a, *right = b;
    return strcmp(left->name, right->name);
}

static int look(const char *platform, struct px_arena *arena, struct machines **ret_machines)
{
    struct px_str dir = px_arena_printf(arena, "%s/workflows", platform);
    struct machines *m = px_arena_new(arena, struct machines);
    if (!dir.ptr || !m) return px_arena_fault(arena);
    m->dir = dir.ptr;
    int r = px_dir_each(m->dir, add, m);
    if (r != PX_FILE_ABSENT) PX_TRY(r);
    qsort(m->at, m->count, sizeof m->at[0], by_name);
    *ret_machines = m;
    return 0;
}

int release_machines_write(const char *platform, struct px_buf *json)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    struct machines *m = NULL;
    px_arena_init(&arena, 1u << 20);
    PX_TRY(look(platform, &arena, &m));
    px_buf_add_char(json, '{');
    for (size_t i = 0; i < m->count; i++) {
        px_buf_add_c(json, i > 0 ? "," : "");
        px_buf_add_json_str(json, px_str_c(m->at[i].name));
        px_buf_printf(json, ":\"%s\"", m->at[i].sha256);
    }
    px_buf_add_char(json, '}');
    return px_buf_fault(json);
}

bool release_machines_are_ok(yyjson_val *machines)
{
    size_t i, max;
    yyjson_val *key, *val;
    if (!machines) return true;
    if (!yyjson_is_obj(machines)) return false;
    yyjson_obj_foreach(machines, i, max, key, val)
    {
        if (!digest_is_hex(px_json_val_str(val))) return false;
    }
    return true;
}

static int refuse(const struct action_context *ctx, struct px_str name, const char *what)
{
    return action_fail(
        ctx, ACTION_REFUSED,
        "state machine %.*s %s release %.*s: deliver from the sources of that release "
        "(%.*s), or make a release of these",
        PX_FMT(name), what, PX_FMT(ctx->release.id),
        PX_FMT(px_json_str(ctx->release.document, "source")));
}

int release_machines_check(const struct action_context *ctx, const char *platform)
{
    yyjson_val *machines = px_json_obj(ctx->release.document, "machines"), *key, *val;
    struct machines *m = NULL;
    size_t i, max;
    if (!machines) return 0;
    PX_TRY(look(platform, ctx->arena, &m));
    for (i = 0; i < m->count; i++) {
        struct px_str name = px_str_c(m->at[i].name);
        val = yyjson_obj_getn(machines, name.ptr, name.len);
        if (!val) return refuse(ctx, name, "is not in");
        if (!px_str_eq(px_json_val_str(val), px_str_c(m->at[i].sha256)))
            return refuse(ctx, name, "is defined otherwise than in");
    }
    yyjson_obj_foreach(machines, i, max, key, val)
    {
        bool there = false;
        for (size_t k = 0; k < m->count; k++)
            there = there || px_str_eq(px_str_c(m->at[k].name), px_json_val_str(key));
        if (!there)
            return refuse(ctx, px_json_val_str(key), "has no definition here, as it has in");
    }
    return 0;
}
