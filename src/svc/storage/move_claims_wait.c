/* svc/storage/move_claims_wait.c - the target's part; docs: move_claims.h.
 *
 * A claim is there when the item names the frame that the source's named. One that names another was made for the same
 * request before, and the source's is still on its way, or later, and then it stands in both regions in the end (the last
 * write wins), so that there is nothing to wait for.
 *
 * One that does not come is put here as the source wrote it down: it is final, so what comes later says the same. */
#include <stdlib.h>
#include <unistd.h>

#include "svc/storage/move_claims_internal.h"

#define WAIT_NS (5 * PX_NS_PER_S) /* of one fetch; the next one waits on */
#define COMES_NS PX_NS_PER_S /* what replication takes as a rule: until then it is left to it */
#define LOOK_US 10000
#define SEEN_BYTES_MAX ((size_t)64 << 20)

int move_claims_key(struct px_str tenant, int64_t epoch, struct px_str name, struct px_arena *arena,
                    struct px_str *ret_key)
{
    *ret_key = px_arena_printf(arena, MOVES_PREFIX "%.*s/%lld/claims/%.*s", PX_FMT(tenant),
                               (long long)epoch, PX_FMT(name));
    return ret_key->ptr ? 0 : px_arena_fault(arena);
}

int move_claim_read(const struct table_item *item, struct px_arena *arena,
                    struct move_claim *ret_claim)
{
    yyjson_val *root = NULL;
    int r = px_json_parse(item->document, arena, &root, NULL);
    if (r == PX_JSON_INVALID) return px_fault(PX_F_CORRUPT, "a claim in table idempotency");
    PX_TRY(r);
    *ret_claim = (struct move_claim){.sort = item->sort,
                                     .writer = px_json_str(root, "writer"),
                                     .seq = (uint64_t)px_json_i64(root, "seq", 0),
                                     .started_ns = px_json_i64(root, "started_ns", 0),
                                     .expires_ns = item->expires_ns,
                                     .document = item->document};
    return 0;
}

/* ---- one list of claims ---- */

static int read_claims(const struct storage_move *move, struct px_str name, struct px_arena *arena,
                       struct move_claim **ret_claims, size_t *ret_count)
{
    struct px_str key;
    yyjson_val *root = NULL, *entry;
    PX_TRY(move_claims_key(move->tenant, move->epoch, name, arena, &key));
    int r = manifest_get_json(move->segments, key, arena, &root);
    if (r == OBJECT_ABSENT) return px_fault(PX_F_IO, "%.*s is gone", PX_FMT(key));
    PX_TRY(r);
    yyjson_val *list = px_json_arr(root, "claims");
    struct move_claim *claims = px_arena_array(arena, struct move_claim, yyjson_arr_size(list) + 1);
    if (!claims) return px_arena_fault(arena);
    size_t i, n, count = 0;
    px_json_arr_foreach(list, i, n, entry)
    {
        claims[count++] = (struct move_claim){.sort = px_json_str(entry, "sort"),
                                              .writer = px_json_str(entry, "writer"),
                                              .seq = (uint64_t)px_json_i64(entry, "seq", 0),
                                              .started_ns = px_json_i64(entry, "started_ns", 0),
                                              .expires_ns = px_json_i64(entry, "expires_ns", 0),
                                              .document = px_json_str(entry, "document")};
    }
    *ret_claims = claims;
    *ret_count = count;
    return 0;
}

static int is_there(const struct storage *storage, const struct move_claim *claim,
                    const struct table_item *item, struct px_arena *arena, bool *ret_there)
{
    struct move_claim found;
    *ret_there = claim->expires_ns > 0 && px_wall_ns(storage->options.clock) >= claim->expires_ns;
    if (*ret_there || item->version == 0) return 0;
    PX_TRY(move_claim_read(item, arena, &found));
    *ret_there = (found.seq == claim->seq && px_str_eq(found.writer, claim->writer)) ||
                 found.started_ns > claim->started_ns;
    return 0;
}

/* Those of at most TABLE_KEYS_MAX claims that are not there move to *left of all. */
static int look_at_some(struct storage *storage, const struct storage_move *move,
                        struct move_claim *all, const struct move_claim *some, size_t count,
                        size_t *left)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    struct table_key keys[TABLE_KEYS_MAX];
    struct table_item *items = NULL;
    for (size_t i = 0; i < count; i++)
        keys[i] = (struct table_key){S(MOVE_CLAIMS_TABLE), move->tenant, some[i].sort};
    PX_TRY(table_get_all(storage->options.tables, keys, count, &arena, &items));
    for (size_t i = 0; i < count; i++) {
        bool there = false;
        PX_TRY(is_there(storage, &some[i], &items[i], &arena, &there));
        if (there) continue;
        all[*left] = some[i];
        all[(*left)++].version = items[i].version;
    }
    return 0;
}

/* *count: of those that are still to come. */
static int look(struct storage *storage, const struct storage_move *move, struct move_claim *claims,
                size_t *count)
{
    size_t left = 0;
    for (size_t i = 0; i < *count; i += TABLE_KEYS_MAX)
        PX_TRY(look_at_some(storage, move, claims, &claims[i],
                            PX_MIN(*count - i, (size_t)TABLE_KEYS_MAX), &left));
    *count = left;
    return 0;
}

static int put(struct storage *storage, const struct storage_move *move,
               const struct move_claim *claims, size_t count)
{
    for (size_t i = 0; i < count; i += TABLE_KEYS_MAX)
        PX_TRY(move_claims_put(storage, move->tenant, &claims[i],
                               PX_MIN(count - i, (size_t)TABLE_KEYS_MAX)));
    return 0;
}

struct patience {
    int64_t put_ns,
        end_ns; /* of the monotonic clock: what is missing is put then; it is given up */
};

static bool is_over(const struct storage_move *move, const struct patience *patience)
{
    int64_t now_ns = px_mono_ns(&px_clock_system);
    return now_ns >= patience->end_ns ||
           (move->deadline_mono_ns != 0 && now_ns >= move->deadline_mono_ns);
}

static int wait_for(struct storage *storage, const struct storage_move *move, struct px_str name,
                    const struct patience *patience, bool *ret_all)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    struct move_claim *claims = NULL;
    size_t count = 0;
    PX_TRY(read_claims(move, name, &arena, &claims, &count));
    for (;;) {
        PX_TRY(look(storage, move, claims, &count));
        *ret_all = count == 0;
        if (*ret_all || is_over(move, patience)) return 0;
        if (px_mono_ns(&px_clock_system) >= patience->put_ns)
            PX_TRY(put(storage, move, claims, count));
        else
            (void)usleep(LOOK_US);
    }
}

/* ---- what was found complete before ---- */

static int seen_key(const struct storage_move *move, struct px_arena *arena, struct px_str *ret_key)
{
    *ret_key = px_arena_printf(arena, MOVES_PREFIX "%.*s/%lld/seen.json", PX_FMT(move->tenant),
                               (long long)move->epoch);
    return ret_key->ptr ? 0 : px_arena_fault(arena);
}

static int by_name(const void *a, const void *b)
{
    return px_str_cmp(*(const struct px_str *)a, *(const struct px_str *)b);
}

/* In order. */
static int read_seen(struct storage *storage, const struct storage_move *move,
                     struct px_arena *arena, struct px_str **ret_seen, size_t *ret_count)
{
    struct px_str key;
    yyjson_val *root = NULL, *name;
    PX_TRY(seen_key(move, arena, &key));
    int r = manifest_get_json(storage->options.segments, key, arena, &root);
    if (r == OBJECT_ABSENT) return 0;
    PX_TRY(r);
    yyjson_val *list = px_json_arr(root, "seen");
    struct px_str *seen = px_arena_array(arena, struct px_str, yyjson_arr_size(list) + 1);
    if (!seen) return px_arena_fault(arena);
    size_t i, n, count = 0;
    px_json_arr_foreach(list, i, n, name) seen[count++] = px_json_val_str(name);
    qsort(seen, count, sizeof *seen, by_name);
    *ret_seen = seen;
    *ret_count = count;
    return 0;
}

static int write_seen(struct storage *storage, const struct storage_move *move,
                      const struct px_str *names, size_t count, struct px_arena *arena)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, SEEN_BYTES_MAX);
    struct px_str key;
    PX_TRY(seen_key(move, arena, &key));
    px_buf_add_c(&text, "{\"seen\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) px_buf_add_char(&text, ',');
        px_buf_add_json_str(&text, names[i]);
    }
    px_buf_add_c(&text, "]}\n");
    PX_TRY(px_buf_fault(&text));
    return object_put(storage->options.segments, key, px_buf_str(&text));
}

int move_claims_wait(struct storage *storage, const struct storage_move *move,
                     const struct manifest *manifest, struct px_arena *arena, bool *ret_all)
{
    int64_t now_ns = px_mono_ns(&px_clock_system);
    /* behind the freeze writers wait, so nothing else does */
    const struct patience patience = {now_ns + (manifest->last ? 0 : COMES_NS), now_ns + WAIT_NS};
    struct px_str *seen = NULL, *now = NULL;
    size_t seen_count = 0, now_count = 0, found = 0;
    bool all = true;
    now = px_arena_array(arena, struct px_str, manifest->claim_count + 1);
    if (!now) return px_arena_fault(arena);
    PX_TRY(read_seen(storage, move, arena, &seen, &seen_count));
    for (size_t i = 0; i < manifest->claim_count && all; i++) {
        struct px_str name = manifest->claims[i];
        bool before = seen_count > 0 && bsearch(&name, seen, seen_count, sizeof name, by_name);
        if (!before) PX_TRY(wait_for(storage, move, name, &patience, &all));
        found += !before && all;
        if (all) now[now_count++] = name;
    }
    *ret_all = all;
    if (found == 0 || manifest->last) return 0; /* nothing new, or nothing comes after it */
    return write_seen(storage, move, now, now_count, arena);
}
