/* svc/quota/places.c - see places.h. */
#include "svc/quota/places.h"

#include <stdlib.h>

#include "base/px_id.h"
#include "base/px_json.h"
#include "svc/quota/days.h"

#define SORT "places"
#define TRIES 32 /* each further one means that another process was there meanwhile */
#define ITEM_KEPT_NS (60 * PX_NS_PER_S)
#define SCRATCH_BYTES_MAX (8 * 1024 * 1024)
#define NAME_BYTES 16

struct places {
    struct places_options options;
    struct px_arena arena, scratch; /* the book's; of one call */
    struct quota_book book;
    struct table_store *tables; /* NULL: not opened yet */
    int64_t alone_until_ns;     /* monotonic */

    /* the place that is held; its name is empty when none is */
    char tenant[64];
    char name[NAME_BYTES + 1];
    struct px_buf document; /* the item as it was put, and its version */
    int64_t version;
};

int places_new(const struct places_options *options, struct places **ret_places)
{
    PX_AUTO(places_free) struct places *places = calloc(1, sizeof *places);
    if (!places) return px_fault(PX_F_OOM, "places");
    places->options = *options;
    px_arena_init(&places->arena, SCRATCH_BYTES_MAX);
    px_arena_init(&places->scratch, SCRATCH_BYTES_MAX);
    px_buf_init(&places->document, SCRATCH_BYTES_MAX);
    PX_TRY(quota_book_read(&places->arena, &places->book));
    *ret_places = PX_TAKE(places);
    return 0;
}

void places_free(struct places **places_at)
{
    struct places *places = *places_at;
    if (!places) return;
    *places_at = NULL;
    px_buf_deinit(&places->document);
    px_arena_deinit(&places->arena);
    px_arena_deinit(&places->scratch);
    free(places);
}

static int read_limit(struct places *places, const struct places_ask *ask, int64_t *ret_limit)
{
    struct quota_limits limits;
    struct px_str tier = places->options.tiers ? ask->tier : S("");
    int r = quota_limits_of(&places->book, tier, ask->own, &places->scratch, &limits);
    if (r == QUOTA_NO_JSON) return px_fault(PX_F_PROTOCOL, "the authorizer's quotas are no JSON");
    PX_TRY(r);
    *ret_limit = PX_MIN(limits.values[QUOTA_CONCURRENT_QUERIES], PLACES_MAX);
    return 0;
}

static int refuse(const struct places *places, int64_t limit, struct quota_refusal *ret_refusal)
{
    *ret_refusal = (struct quota_refusal){
        .which = QUOTA_CONCURRENT_QUERIES,
        .name = places->book.kinds[QUOTA_CONCURRENT_QUERIES].name,
        .limit = limit,
        .wait_s = 1,
    };
    return PLACES_OVER;
}

/* ---- the item ---- */

/* {"<name>": <its end, wall ns>, ...} */
struct edit {
    struct places *places;
    struct px_str without; /* the name of a place that is given back; empty: none is */
    int64_t now_ns;        /* wall */
    size_t count;          /* of places that are left */
    int64_t last_ns;       /* when the last of them ends */
};

static int add(struct edit *edit, struct px_str name, int64_t end_ns)
{
    struct px_buf *document = &edit->places->document;
    px_buf_printf(document, "%s\"%.*s\":%lld", edit->count ? "," : "", PX_FMT(name),
                  (long long)end_ns);
    edit->count++;
    edit->last_ns = PX_MAX(edit->last_ns, end_ns);
    return px_buf_fault(document);
}

/* The places of the item that have not ended, into the document, which is left open. */
static int keep_living(struct edit *edit, const struct table_item *item)
{
    struct places *places = edit->places;
    yyjson_val *root = NULL, *name;
    yyjson_obj_iter it;
    px_buf_clear(&places->document);
    px_buf_add_c(&places->document, "{");
    places->version = item->version;
    if (item->version == 0) return px_buf_fault(&places->document);
    int r = px_json_parse(item->document, &places->scratch, &root, NULL);
    if (r < 0) return r;
    if (r > 0 || !yyjson_is_obj(root))
        return px_fault(PX_F_CORRUPT, "a tenant's places in table " DAYS_TABLE);
    yyjson_obj_iter_init(root, &it);
    while ((name = yyjson_obj_iter_next(&it))) {
        struct px_str text = px_json_val_str(name);
        int64_t end_ns = yyjson_get_sint(yyjson_obj_iter_get_val(name));
        bool lives = end_ns > edit->now_ns &&
                     end_ns - edit->now_ns <= PLACES_HOLD_MS_MAX * PX_NS_PER_MS;
        if (lives && text.len == NAME_BYTES && !px_str_eq(text, edit->without))
            PX_TRY(add(edit, text, end_ns));
    }
    return 0;
}

static int put(struct edit *edit, struct table_item *ret_current)
{
    struct places *places = edit->places;
    px_buf_add_c(&places->document, "}");
    PX_TRY(px_buf_fault(&places->document));
    const struct table_put put = {.key = {S(DAYS_TABLE), px_str_c(places->tenant), S(SORT)},
                                  .document = px_buf_str(&places->document),
                                  .expires_ns = PX_MAX(edit->last_ns, edit->now_ns) + ITEM_KEPT_NS,
                                  .version = places->version,
                                  .condition = places->version > 0 ? TABLE_VERSION : TABLE_NEW,
                                  .relaxed = true};
    return table_put(places->tables, &put, &places->scratch, &places->version, ret_current);
}

/* ---- in and out ---- */

static int open_tables(struct places *places)
{
    if (places->tables) return 0;
    return places->options.open(places->options.ctx, &places->tables);
}

static bool is_late(const struct places *places, int64_t began_ns)
{
    return px_mono_ns(places->options.clock) - began_ns > PLACES_WAIT_MS * PX_NS_PER_MS;
}

/* Answers: PLACES_OVER. Faults: PX_F_BUSY when others were first each time. */
static int take(struct places *places, int64_t limit, int64_t hold_ms)
{
    struct table_item item = {0};
    const struct table_key key = {S(DAYS_TABLE), px_str_c(places->tenant), S(SORT)};
    int64_t began_ns = px_mono_ns(places->options.clock);
    PX_TRY(open_tables(places));
    int r = table_get(places->tables, &key, &places->scratch, &item);
    if (r == TABLE_ABSENT) item = (struct table_item){0};
    if (r < 0) return px_fold(r, __FILE__, __LINE__);
    for (int i = 0; i < TRIES && !is_late(places, began_ns); i++) {
        struct edit edit = {.places = places, .now_ns = px_wall_ns(places->options.clock)};
        PX_TRY(keep_living(&edit, &item));
        if ((int64_t)edit.count >= limit) return PLACES_OVER;
        PX_TRY(add(&edit, px_str_c(places->name), edit.now_ns + hold_ms * PX_NS_PER_MS));
        r = put(&edit, &item);
        if (r != TABLE_CONDITION_FAILED) return r;
    }
    return px_fault(PX_F_BUSY, "others took places first each time");
}

int places_enter(struct places *places, const struct places_ask *ask,
                 struct quota_refusal *ret_refusal)
{
    unsigned char random[NAME_BYTES / 2];
    int64_t limit = QUOTA_NONE, now_ns = px_mono_ns(places->options.clock);
    PX_ASSERT(places->name[0] == '\0' && ask->hold_ms > 0 && ask->hold_ms <= PLACES_HOLD_MS_MAX);
    px_arena_reset(&places->scratch);
    PX_TRY(read_limit(places, ask, &limit));
    if (limit < 0 || now_ns < places->alone_until_ns) return 0;
    if (ask->tenant.len >= sizeof places->tenant)
        return px_fault(PX_F_PROTOCOL, "the authorizer's tenant has a name too long");
    memcpy(places->tenant, ask->tenant.ptr, ask->tenant.len);
    places->tenant[ask->tenant.len] = '\0';
    px_random(random, sizeof random);
    px_hex(random, sizeof random, places->name);
    int r = take(places, limit, ask->hold_ms);
    if (r == 0) return 0;
    places->name[0] = '\0';
    if (r == PLACES_OVER) return refuse(places, limit, ret_refusal);
    places->alone_until_ns = px_mono_ns(places->options.clock) + PLACES_ALONE_S * PX_NS_PER_S;
    if (places->options.alone) places->options.alone(places->options.ctx, r);
    return 0;
}

void places_leave(struct places *places)
{
    int64_t began_ns = px_mono_ns(places->options.clock);
    if (places->name[0] == '\0') return;
    px_arena_reset(&places->scratch);
    struct table_item item = {
        .document = px_arena_dup(&places->scratch, px_buf_str(&places->document)),
        .version = places->version};
    int r = item.document.ptr ? TABLE_CONDITION_FAILED : px_arena_fault(&places->scratch);
    for (int i = 0; i < TRIES && r == TABLE_CONDITION_FAILED && !is_late(places, began_ns); i++) {
        struct edit edit = {.places = places,
                            .without = px_str_c(places->name),
                            .now_ns = px_wall_ns(places->options.clock)};
        if (item.version == 0) break; /* it is gone, with all places */
        r = keep_living(&edit, &item);
        if (r == 0) r = put(&edit, &item);
    }
    places->name[0] = '\0'; /* whatever came of it */
}
