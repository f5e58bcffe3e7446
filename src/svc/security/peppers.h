/* svc/security/peppers.h - the secret "api-key-pepper": the peppers that API keys were hashed with, newest first.
 *
 * A hash cannot be made anew without its key, so a new pepper is added and old ones stay as long as keys need them: a
 * rotation ends no key. Forms of the value: a text (one pepper, as Terraform and the first key make it), or
 * {"peppers":[{"value":"<hex>","since":"<time>"},...]}. docs/design/secrets.md */
#pragma once

#include "base/px_arena.h"
#include "base/px_buf.h"
#include "base/px_clock.h"
#include "store/secrets.h"
#include "store/tables.h"

#define PEPPER_SECRET S("api-key-pepper")
#define PEPPERS_MAX 32u
#define PEPPER_ID_LEN 16
/* New keys wait for this long, so that whoever verifies has the new pepper before there is a key made with it: values are kept
 * for five minutes, and replicas of other regions lag. */
#define PEPPER_SETTLE_NS (INT64_C(600) * PX_NS_PER_S)
/* A pepper goes a day after the next one came, when no key needs it any more. */
#define PEPPER_KEEP_NS (INT64_C(86400) * PX_NS_PER_S)

struct pepper {
    struct px_str value;
    char id[PEPPER_ID_LEN + 1]; /* of its SHA-256; stands in keys' items */
    int64_t since_ns;
};
struct peppers {
    struct px_arena arena; /* holds the values; overwritten in the end */
    struct pepper list[PEPPERS_MAX];
    size_t count; /* 1 at least */
};
/* Faults: PX_F_CORRUPT. */
PX_MUST_USE int peppers_parse(struct px_str value, struct peppers *ret_peppers);
void peppers_deinit(struct peppers *peppers);
/* Answers: SECRET_ABSENT. */
PX_MUST_USE int peppers_load(struct secret_store *secrets, enum secret_version version,
                             struct peppers *ret_peppers);
/* NULL: not one of them. */
const struct pepper *peppers_find(const struct peppers *peppers, struct px_str id);
/* What a new key is hashed with: the newest that everybody has. */
const struct pepper *peppers_for_new(const struct peppers *peppers, int64_t now_ns);

/* A new one and those of before, without the old ones that no key in the table `keys` needs; before: NULL when there is
 * none. Faults: PX_F_LIMIT: PEPPERS_MAX are needed. */
PX_MUST_USE int peppers_add(const struct peppers *before, struct table_store *tables,
                            int64_t now_ns, struct px_buf *value);
