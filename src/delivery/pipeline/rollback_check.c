/* delivery/pipeline/rollback_check.c - whether a way back may be gone, before anything is touched. */
#include "base/px_json.h"
#include "delivery/pipeline/contract.h"
#include "delivery/pipeline/release.h"
#include "delivery/pipeline/rollback.h"

static int check_contract(struct rollback *back)
{
    yyjson_val *document = back->units[0].target.release.document;
    int64_t floor = back->stands.floor;
    for (size_t i = 0; i < back->count; i++) floor = PX_MAX(floor, back->units[i].head.floor);
    if (contract_allows(document, floor)) return 0;
    engine_say(
        back->pipeline,
        "refused: a release that %.*s had may have contracted the catalog's schema so that functions must know its step %lld, and release "
        "%.*s knows step %lld: its functions would refuse to start. Roll forward: mend what is wrong and deliver a release that knows "
        "step %lld (docs/design/pipeline.md, \"Never over a contract\")",
        PX_FMT(back->environment), (long long)floor, PX_FMT(back->units[0].target.release.id),
        (long long)contract_of(document).knows, (long long)floor);
    return PIPELINE_REFUSED;
}

/* ---- artifacts ---- */

/* Answers: OBJECT_ABSENT, with the key. */
static int look_for_artifacts(struct rollback *back, const struct action_release *release,
                              struct px_str *ret_key)
{
    PX_AUTO(object_store_close) struct object_store *store = NULL;
    struct px_str prefix, key;
    struct object_info info;
    size_t i, max;
    yyjson_val *name, *artifact;
    PX_TRY(
        release_open(release->place, back->pipeline->options->cloud, back->arena, &store, &prefix));
    px_json_obj_foreach(px_json_obj(release->document, "artifacts"), i, max, name, artifact)
    {
        if (!px_str_eq(px_json_str(artifact, "kind"), S("zip"))) continue; /* in a registry */
        key = release_key(back->arena, px_json_val_str(name), artifact);
        if (!key.ptr) return px_arena_fault(back->arena);
        int r = object_head(store, key, back->arena, &info);
        if (r == OBJECT_ABSENT) *ret_key = key;
        if (r != 0) return r;
    }
    return 0;
}

/* The release may have stood in several places, some of which hold another one by now. */
static int find_release(struct rollback *back)
{
    struct px_str where = {0}, lacks = S("release.json");
    for (size_t i = back->count; i-- > 0;) {
        const struct action_release *kept = &back->units[i].target.release;
        struct action_release there;
        if (kept->place.len == 0 || px_str_eq(kept->place, where)) continue;
        where = kept->place;
        int r = release_read(where, back->pipeline->options->cloud, back->arena, &there);
        if (r == RELEASE_INVALID || (r == 0 && !px_str_eq(there.id, kept->id))) continue;
        PX_TRY(r);
        r = look_for_artifacts(back, &there, &lacks);
        if (r == OBJECT_ABSENT) continue;
        PX_TRY(r);
        back->release = there;
        return 0;
    }
    engine_say(
        back->pipeline,
        "refused: release %.*s is not whole any more: %.*s lacks %.*s. Put it there again, or go "
        "back to another one with --to",
        PX_FMT(back->units[0].target.release.id), PX_FMT(where), PX_FMT(lacks));
    return PIPELINE_REFUSED;
}

int rollback_check(struct rollback *back)
{
    int r = check_contract(back);
    return r == 0 ? find_release(back) : r;
}
