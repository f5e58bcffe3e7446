/* svc/catalog/retention.h - how long a dataset's rows stay, and who said so.
 *
 *   days    of all rows. The first that says it counts: the dataset itself, its tenant, the class of platform/lifecycle.json.
 *   rules   of rows with a value in an attribute, which go earlier: those of the dataset if it has said any (also that it
 *           wants none), else its tenant's.
 *
 *   [{"attribute": "level", "equals": "debug", "days": 3}]
 *
 * A value is a text, a whole number or a boolean: never SQL. */
#pragma once

#include "base/px_json.h"
#include "svc/catalog/catalog.h"
#include "svc/catalog/lifecycle.h"

#define RETENTION_DAYS_MAX 36500
#define RETENTION_RULES_MAX 16u
#define RETENTION_TEXT_MAX 256u /* of an attribute, and of a value */

struct retention {
    int64_t days;
    const char *from;       /* "dataset", "tenant", "class" */
    struct px_str rules;    /* JSON as above; empty: none */
    const char *rules_from; /* "dataset", "tenant"; NULL: nobody */
};
/* info: as the catalog lists it; of a dataset that it does not know only names and what is its tenant's are looked at. */
struct retention retention_of(const struct lifecycle *lifecycle, const struct dataset_info *info);

struct retention_rule {
    struct px_str attribute; /* a column, whatever its case */
    struct px_str value;     /* as text: 7, true, debug */
    int64_t days;
};
struct retention_rules {
    struct retention_rule at[RETENTION_RULES_MAX];
    size_t count;
};
enum retention_answer { RETENTION_INVALID = 1 };
/* Views of the list's document and arena. Answers: RETENTION_INVALID, with a sentence in ret_why. */
PX_MUST_USE int retention_rules_parse(yyjson_val *list, struct px_arena *arena,
                                      struct retention_rules *ret_rules, const char **ret_why);
/* Text of the catalog; empty: none. Faults: PX_F_CORRUPT: it is there and cannot be understood. */
PX_MUST_USE int retention_rules_read(struct px_str json, struct px_arena *arena,
                                     struct retention_rules *ret_rules);
