/* delivery/terraform/words.h - what the types of resources are to people: platform/resources.json.
 *
 * A type that is not in the file has its own name as its word, holds no data and is of middle weight. */
#pragma once

#include "base/px_arena.h"

#include <yyjson.h>

enum words_weight { WORDS_LOW = 1, WORDS_MIDDLE, WORDS_HIGH, WORDS_CRITICAL };
struct words {
    yyjson_val *types; /* of the file; NULL: none */
};
struct word {
    struct px_str name;       /* "queue" */
    struct px_str holds;      /* what is lost with it; empty: nothing */
    enum words_weight weight; /* of a difference in it */
};
/* Faults: PX_F_CONFIG with file and place. */
PX_MUST_USE int words_load(const char *platform_dir, struct px_arena *arena,
                           struct words *ret_words);
struct word words_of(const struct words *words, struct px_arena *arena, struct px_str type);
/* Who moves an attribute outside of Terraform and may: "the rollout"; empty: nobody. */
struct px_str words_owner(const struct words *words, struct px_str type, struct px_str attribute);
const char *words_weight_name(enum words_weight weight); /* "critical" */
