/* svc/storage/move_claims.c - the source's part; docs: move_claims.h.
 *
 * Objects below _moves/<tenant>/<epoch>/claims/ of the segments store, each a list of claims: where it stands, which
 * frame it names, when it was made, when it ends and what it says. A claim whose frame is sealed stays as it is until it ends
 * (docs/design/ingest.md), and one that does not stand in the source would not be met there, either: it is left out. */
#include <stdio.h>
#include <stdlib.h>

#include "base/px_id.h"
#include "svc/storage/move_claims_internal.h"

#define PAGE 1000u
#define OBJECT_BYTES ((size_t)1 << 20) /* then another one begins */

/* ---- writing ---- */

static void add_claim(struct px_buf *text, const struct move_claim *claim)
{
    px_buf_add_c(text, text->len > 0 ? ",\n{\"sort\":" : "{\"claims\":[{\"sort\":");
    px_buf_add_json_str(text, claim->sort);
    px_buf_add_c(text, ",\"writer\":");
    px_buf_add_json_str(text, claim->writer);
    px_buf_printf(text, ",\"seq\":%llu,\"started_ns\":%lld,\"expires_ns\":%lld,\"document\":",
                  (unsigned long long)claim->seq, (long long)claim->started_ns,
                  (long long)claim->expires_ns);
    px_buf_add_json_str(text, claim->document);
    px_buf_add_char(text, '}');
}

/* name: behind the folder of claims. Nothing when there is none. */
static int put_claims(struct storage *storage, struct px_str tenant, int64_t epoch,
                      struct px_str name, struct px_buf *text)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, (size_t)64 << 10);
    struct px_str key;
    if (text->len == 0) return px_buf_fault(text);
    px_buf_add_c(text, "]}\n");
    PX_TRY(px_buf_fault(text));
    PX_TRY(move_claims_key(tenant, epoch, name, &arena, &key));
    PX_TRY(object_put(storage->options.segments, key, px_buf_str(text)));
    px_buf_clear(text);
    return 0;
}

/* ---- of a seal ---- */

static const uint8_t no_id[16];

/* Those of at most TABLE_KEYS_MAX frames that name exactly these. */
static int note_some(struct storage *storage, struct px_str tenant, struct px_str dataset,
                     const struct seal_batch *batch, const struct seal_frame *const *frames,
                     size_t count, struct px_buf *text)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    struct table_key keys[TABLE_KEYS_MAX];
    struct table_item *items = NULL;
    for (size_t i = 0; i < count; i++) {
        char id[33];
        px_hex(frames[i]->frame.header.request_id, 16, id);
        struct px_str sort = px_arena_printf(&arena, "%.*s/%s", PX_FMT(dataset), id);
        if (!sort.ptr) return px_arena_fault(&arena);
        keys[i] = (struct table_key){S(MOVE_CLAIMS_TABLE), tenant, sort};
    }
    PX_TRY(table_get_all(storage->options.tables, keys, count, &arena, &items));
    for (size_t i = 0; i < count; i++) {
        struct move_claim claim;
        if (items[i].version == 0) continue;
        PX_TRY(move_claim_read(&items[i], &arena, &claim));
        if (claim.seq == frames[i]->seq &&
            px_str_eq(claim.writer, batch->sources[frames[i]->source].file->writer))
            add_claim(text, &claim);
    }
    return px_buf_fault(text);
}

/* The fence is read when the frames have been: one that was raised later finds them in its pack's first listing. */
int move_claims_note(struct storage *storage, struct px_str tenant, struct px_str dataset,
                     const struct seal_batch *batch)
{
    struct hot_fence fence;
    const struct seal_frame *frames[TABLE_KEYS_MAX];
    size_t count = 0;
    PX_TRY(hot_fence_read(storage->options.hot, tenant, &fence));
    if (fence.state != HOT_FENCE_THAWED && fence.state != HOT_FENCE_LEAVING) return 0;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, MANIFEST_BYTES_MAX);
    for (size_t i = 0; i < batch->frame_count; i++) {
        const struct seal_frame *frame = &batch->frames[i];
        if (memcmp(frame->frame.header.request_id, no_id, 16) != 0) frames[count++] = frame;
        if (count < TABLE_KEYS_MAX && i + 1 < batch->frame_count) continue;
        PX_TRY(note_some(storage, tenant, dataset, batch, frames, count, &text));
        count = 0;
    }
    char name[37];
    px_uuid7(px_wall_ns(&px_clock_system), name);
    return put_claims(storage, tenant, fence.epoch, px_str_c(name), &text);
}

/* ---- of what was sealed before ---- */

static int by_writer(const void *a, const void *b)
{
    return px_str_cmp(((const struct writer_mark *)a)->writer,
                      ((const struct writer_mark *)b)->writer);
}

struct listing {
    struct storage *storage;
    const struct storage_move *move;
    struct px_str dataset;
    const struct writer_mark *marks; /* in order */
    size_t mark_count;
    unsigned objects;
    struct px_buf text;
};

static bool is_sealed(const struct listing *listing, const struct move_claim *claim)
{
    const struct writer_mark wanted = {.writer = claim->writer};
    const struct writer_mark *mark = listing->mark_count == 0
                                         ? NULL
                                         : bsearch(&wanted, listing->marks, listing->mark_count,
                                                   sizeof wanted, by_writer);
    return mark && claim->seq <= mark->sealed_seq;
}

static int put_listed(struct listing *listing)
{
    char name[300];
    (void)snprintf(name, sizeof name, "before/%.*s/%06u", PX_FMT(listing->dataset),
                   listing->objects++);
    return put_claims(listing->storage, listing->move->tenant, listing->move->epoch, px_str_c(name),
                      &listing->text);
}

/* One page; ret_last is the sort key of its last item, cut to nothing at the end. */
static int list_page(struct listing *listing, struct px_str prefix, char after[513], size_t *length)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    struct table_item *items = NULL;
    size_t count = 0;
    const struct table_query query = {.key = {S(MOVE_CLAIMS_TABLE), listing->move->tenant, prefix},
                                      .after_partition = *length > 0 ? listing->move->tenant
                                                                     : S(""),
                                      .after_sort = px_str(after, *length),
                                      .max = PAGE};
    PX_TRY(table_query(listing->storage->options.tables, &query, &arena, &items, &count));
    for (size_t i = 0; i < count; i++) {
        struct move_claim claim;
        PX_TRY(move_claim_read(&items[i], &arena, &claim));
        if (is_sealed(listing, &claim)) add_claim(&listing->text, &claim);
    }
    *length = count < PAGE ? 0 : items[count - 1].sort.len;
    if (*length > 0) memcpy(after, items[count - 1].sort.ptr, *length);
    return px_buf_fault(&listing->text);
}

static int list_all(struct listing *listing, struct px_str prefix)
{
    char after[513];
    size_t length = 0;
    do {
        PX_TRY(list_page(listing, prefix, after, &length));
        if (listing->text.len >= OBJECT_BYTES) PX_TRY(put_listed(listing));
    } while (length > 0);
    return put_listed(listing);
}

int move_claims_list(struct storage *storage, const struct storage_move *move,
                     struct px_str dataset, const struct writer_mark *marks, size_t mark_count)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    struct writer_mark *sorted = px_arena_array(&arena, struct writer_mark, mark_count + 1);
    struct px_str prefix = px_arena_printf(&arena, "%.*s/", PX_FMT(dataset));
    if (!sorted || !prefix.ptr) return px_arena_fault(&arena);
    if (mark_count > 0) memcpy(sorted, marks, mark_count * sizeof *sorted);
    qsort(sorted, mark_count, sizeof *sorted, by_writer);
    struct listing listing = {.storage = storage,
                              .move = move,
                              .dataset = dataset,
                              .marks = sorted,
                              .mark_count = mark_count};
    px_buf_init(&listing.text, MANIFEST_BYTES_MAX);
    int r = list_all(&listing, prefix);
    px_buf_deinit(&listing.text);
    return r;
}

static int listed_key(const struct storage_move *move, struct px_arena *arena,
                      struct px_str *ret_key)
{
    *ret_key = px_arena_printf(arena, MOVES_PREFIX "%.*s/%lld/listed", PX_FMT(move->tenant),
                               (long long)move->epoch);
    return ret_key->ptr ? 0 : px_arena_fault(arena);
}

int move_claims_listed(struct storage *storage, const struct storage_move *move, bool *ret_listed)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, (size_t)1 << 20);
    struct px_str key;
    struct object_info info;
    PX_TRY(listed_key(move, &arena, &key));
    int r = object_head(storage->options.segments, key, &arena, &info);
    if (r != OBJECT_ABSENT) PX_TRY(r);
    *ret_listed = r == 0;
    return 0;
}

int move_claims_set_listed(struct storage *storage, const struct storage_move *move)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, (size_t)64 << 10);
    struct px_str key;
    PX_TRY(listed_key(move, &arena, &key));
    return object_put(storage->options.segments, key, S("{}\n"));
}

/* ---- what there is ---- */

static int add_names(const struct object_info *infos, size_t count, size_t folder,
                     struct px_arena *arena, struct manifest *manifest)
{
    size_t bytes = manifest->claim_count * sizeof *manifest->claims;
    struct px_str *names = px_arena_realloc(arena, manifest->claims, bytes,
                                            bytes + count * sizeof *names);
    if (!names) return px_arena_fault(arena);
    manifest->claims = names;
    for (size_t i = 0; i < count; i++)
        names[manifest->claim_count++] = px_str_skip(infos[i].key, folder);
    return 0;
}

int move_claims_names(struct storage *storage, const struct storage_move *move,
                      struct px_arena *arena, struct manifest *manifest)
{
    struct px_str folder, after = {0};
    PX_TRY(move_claims_key(move->tenant, move->epoch, S(""), arena, &folder));
    for (size_t count = PAGE; count == PAGE;) {
        struct object_info *infos = NULL;
        PX_TRY(object_list(storage->options.segments, folder, after, PAGE, arena, &infos, &count));
        if (count == 0) return 0;
        after = infos[count - 1].key;
        PX_TRY(add_names(infos, count, folder.len, arena, manifest));
    }
    return 0;
}
