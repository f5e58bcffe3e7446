/* svc/quota/quota.h - what a tenant may use: names, units, ranges and numbers by tier, from platform/quotas.json and the
 * usage plans of the contract (docs/design/quotas.md). The files are in the program; reading them is checked by a test. */
#pragma once

#include "base/px_arena.h"
#include "base/px_json.h"

/* In the order of platform/quotas.json. */
enum quota_name {
    QUOTA_REQUESTS_PER_S,
    QUOTA_REQUESTS_BURST,
    QUOTA_REQUESTS_PER_DAY,
    QUOTA_BYTES_PER_S,
    QUOTA_INGEST_BODY_BYTES,
    QUOTA_INGEST_RECORD_BYTES,
    QUOTA_INGEST_RECORDS,
    QUOTA_CONCURRENT_QUERIES,
    QUOTA_DATASETS,
    QUOTA_RECORDS_PER_DAY,
    QUOTA_STORED_BYTES,
    QUOTA_COUNT_,
};
#define QUOTA_NONE INT64_C(-1) /* no limit */
#define QUOTA_TIERS_MAX 4

struct quota_kind {
    struct px_str name, unit, held;
    struct px_str function; /* whose calls are counted; empty: it is not about one */
    int64_t min, max;
    int64_t tiers[QUOTA_TIERS_MAX]; /* as quota_book.tiers */
};
struct quota_book {
    struct px_str tiers[QUOTA_TIERS_MAX];
    size_t tier_count;
    struct quota_kind kinds[QUOTA_COUNT_];
};
/* Views live in arena. Faults: PX_F_CONFIG, PX_F_OOM, PX_F_LIMIT. */
PX_MUST_USE int quota_book_read(struct px_arena *arena, struct quota_book *ret_book);

/* NULL when change, an object of names and whole numbers or null, may be made; else why not, in arena. */
PX_MUST_USE int quota_refuse(const struct quota_book *book, yyjson_val *change,
                             struct px_arena *arena, const char **ret_why);

struct quota_limits {
    int64_t values[QUOTA_COUNT_]; /* QUOTA_NONE: no limit */
};
/* own: JSON object or empty; what is no number in it counts as not there. tier: empty or unknown: no numbers but its own.
 * Answers: QUOTA_NO_JSON. */
enum quota_answer { QUOTA_NO_JSON = 1 };
PX_MUST_USE int quota_limits_of(const struct quota_book *book, struct px_str tier,
                                struct px_str own, struct px_arena *arena,
                                struct quota_limits *ret_limits);
