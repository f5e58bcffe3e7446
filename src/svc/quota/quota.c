/* svc/quota/quota.c - see quota.h. */
#include "svc/quota/quota.h"

#include "base/px_buf.h"
#include "svc/quota/quota_builtin.h"

static const char *const names[QUOTA_COUNT_] = {
    [QUOTA_REQUESTS_PER_S] = "requests_per_s",
    [QUOTA_REQUESTS_BURST] = "requests_burst",
    [QUOTA_REQUESTS_PER_DAY] = "requests_per_day",
    [QUOTA_BYTES_PER_S] = "bytes_per_s",
    [QUOTA_INGEST_BODY_BYTES] = "ingest_body_bytes",
    [QUOTA_INGEST_RECORD_BYTES] = "ingest_record_bytes",
    [QUOTA_INGEST_RECORDS] = "ingest_records",
    [QUOTA_CONCURRENT_QUERIES] = "concurrent_queries",
    [QUOTA_DATASETS] = "datasets",
    [QUOTA_RECORDS_PER_DAY] = "records_per_day",
    [QUOTA_STORED_BYTES] = "stored_bytes",
};

/* Of one tier: a number here, or the usage plan's; null: none. */
static int read_number(yyjson_val *one, yyjson_val *plan, struct px_str tier, struct px_str name,
                       int64_t *ret_value)
{
    const char *member = px_json_str(one, "usage_plan").ptr;
    yyjson_val *tiers = px_json_obj(one, "tiers");
    yyjson_val *value = member ? yyjson_obj_get(plan, member)
                               : yyjson_obj_getn(tiers, tier.ptr, tier.len);
    *ret_value = QUOTA_NONE;
    if (yyjson_is_null(value)) return 0;
    if (!yyjson_is_uint(value) || yyjson_get_uint(value) > INT64_MAX)
        return px_fault(PX_F_CONFIG, "quotas.json: %.*s has no number for tier %.*s", PX_FMT(name),
                        PX_FMT(tier));
    *ret_value = (int64_t)yyjson_get_uint(value);
    return 0;
}

static int read_kind(yyjson_val *one, yyjson_val *plans, struct quota_book *book,
                     struct quota_kind *kind)
{
    size_t i, n, tier = 0;
    yyjson_val *key, *plan;
    kind->unit = px_json_str(one, "unit");
    kind->held = px_json_str(one, "held");
    kind->function = px_json_str(one, "function");
    kind->min = px_json_i64(one, "min", -1);
    kind->max = px_json_i64(one, "max", -1);
    if (!kind->unit.ptr || !kind->held.ptr || kind->min < 0 || kind->max < kind->min)
        return px_fault(PX_F_CONFIG, "quotas.json: %.*s needs unit, held, min and max",
                        PX_FMT(kind->name));
    px_json_obj_foreach(plans, i, n, key, plan)
    {
        PX_TRY(read_number(one, plan, px_json_val_str(key), kind->name, &kind->tiers[tier++]));
    }
    return book->tier_count == tier ? 0 : px_fault(PX_F_CONFIG, "quotas.json: tiers");
}

static int read_tiers(yyjson_val *plans, struct quota_book *book)
{
    size_t i, n;
    yyjson_val *key, *plan;
    px_json_obj_foreach(plans, i, n, key, plan)
    {
        if (book->tier_count == QUOTA_TIERS_MAX)
            return px_fault(PX_F_CONFIG, "x-prism-throttling.tiers: at most %d", QUOTA_TIERS_MAX);
        book->tiers[book->tier_count++] = px_json_val_str(key);
    }
    return 0;
}

int quota_book_read(struct px_arena *arena, struct quota_book *ret_book)
{
    yyjson_val *root = NULL, *plans = NULL;
    struct quota_book book = {0};
    if (px_json_parse(quota_text_quotas(), arena, &root, NULL) != 0 ||
        px_json_parse(quota_text_tiers(), arena, &plans, NULL) != 0)
        return px_fault(PX_F_CONFIG, "quotas.json: no JSON, or no memory to read it");
    yyjson_val *all = px_json_obj(root, "quotas");
    PX_TRY(read_tiers(plans, &book));
    for (size_t i = 0; i < QUOTA_COUNT_; i++) {
        book.kinds[i].name = px_str_c(names[i]);
        PX_TRY(read_kind(px_json_obj(all, names[i]), plans, &book, &book.kinds[i]));
    }
    if (yyjson_obj_size(all) != QUOTA_COUNT_)
        return px_fault(PX_F_CONFIG, "quotas.json names a quota that quota.h does not");
    *ret_book = book;
    return 0;
}

static const struct quota_kind *kind_of(const struct quota_book *book, struct px_str name)
{
    for (size_t i = 0; i < QUOTA_COUNT_; i++)
        if (px_str_eq(book->kinds[i].name, name)) return &book->kinds[i];
    return NULL;
}

static struct px_str unknown(const struct quota_book *book, struct px_arena *arena)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 4096);
    px_buf_add_c(&text, "there is no such quota; they are");
    for (size_t i = 0; i < QUOTA_COUNT_; i++) {
        px_buf_add_c(&text, i ? ", " : " ");
        px_buf_add_str(&text, book->kinds[i].name);
    }
    return px_arena_printf(arena, "%.*s", PX_FMT(px_buf_str(&text)));
}

static struct px_str refusal_of(const struct quota_book *book, yyjson_val *key,
                                struct px_arena *arena)
{
    const struct quota_kind *kind = kind_of(book, px_json_val_str(key));
    if (!kind) return unknown(book, arena);
    return px_arena_printf(
        arena, "%.*s is a whole number of %.*s, %lld to %lld, or null to remove it",
        PX_FMT(kind->name), PX_FMT(kind->unit), (long long)kind->min, (long long)kind->max);
}

int quota_refuse(const struct quota_book *book, yyjson_val *change, struct px_arena *arena,
                 const char **ret_why)
{
    size_t i, n;
    yyjson_val *key, *val;
    *ret_why = NULL;
    px_json_obj_foreach(change, i, n, key, val)
    {
        const struct quota_kind *kind = kind_of(book, px_json_val_str(key));
        /* One that nobody knows any more can still be removed. */
        if (yyjson_is_null(val)) continue;
        if (kind && yyjson_is_uint(val) && yyjson_get_uint(val) >= (uint64_t)kind->min &&
            yyjson_get_uint(val) <= (uint64_t)kind->max)
            continue;
        struct px_str why = refusal_of(book, key, arena);
        if (!why.ptr) return px_arena_fault(arena);
        *ret_why = why.ptr;
        return 0;
    }
    return 0;
}

int quota_limits_of(const struct quota_book *book, struct px_str tier, struct px_str own,
                    struct px_arena *arena, struct quota_limits *ret_limits)
{
    yyjson_val *root = NULL;
    size_t at = 0;
    if (own.len > 0) {
        int r = px_json_parse(own, arena, &root, NULL);
        if (r > 0) return QUOTA_NO_JSON;
        PX_TRY(r);
    }
    while (at < book->tier_count && !px_str_eq(book->tiers[at], tier)) at++;
    for (size_t i = 0; i < QUOTA_COUNT_; i++) {
        const struct quota_kind *kind = &book->kinds[i];
        int64_t otherwise = at < book->tier_count ? kind->tiers[at] : QUOTA_NONE;
        int64_t value = px_json_i64(root, names[i], -1);
        ret_limits->values[i] = value >= 0 ? value : otherwise;
    }
    return 0;
}
