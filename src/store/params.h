/* store/params.h - settings that change without a deploy: a set of named texts, read as a whole.
 *
 * Embedded half: a JSON file that holds one object of texts, numbers and booleans; no file is an empty set.
 * AWS half: the parameters below a path of SSM's Parameter Store, decrypted.
 * A set is kept, and read anew by param_refresh() once it is old. While it cannot be read the set before
 * stands, however old: a setting that worked is better than none.
 * Names are as they stand below the path or in the file, with slashes inside where it has levels. */
#pragma once

#include "base/px.h"
#include "base/px_clock.h"

#define PARAMS_MAX 256u       /* in a set */
#define PARAM_BYTES_MAX 8192u /* of a value: an advanced parameter's */

struct cloud_shared; /* aws/shared.h */
struct param_store;  /* opaque; one per thread */
enum param_answer {
    PARAM_YOUNG = 1, /* nothing was read */
    PARAM_SAME,      /* it was read, and nothing is changed */
};

struct param_options {
    struct cloud_shared *cloud;   /* for SSM; borrowed; NULL: the store makes its own */
    const struct px_clock *clock; /* borrowed; NULL: the machine's */
    uint32_t keep_ms;             /* a set younger than this is not read anew; 0: a minute */
};
/* url: the path of a file, or "ssm://a/b" for the parameters below /a/b. Reads nothing, connects to nothing.
 * options may be NULL. Faults: PX_F_CONFIG, PX_F_OOM. */
PX_MUST_USE int param_store_open(struct px_str url, const struct param_options *options,
                                 struct param_store **ret_store);
void param_store_close(struct param_store **store);

/* Reads the set when it is old, which it is at first. After a fault it is young for a sixth of keep_ms.
 *
 *   within_ms  for all of it; 0: nothing is done
 *
 * Answers: PARAM_YOUNG, PARAM_SAME. 0: another set than before.
 * Faults, with the set before still there: PX_F_CONFIG (a file that is no such object, with the place),
 * PX_F_LIMIT (more or longer than a set holds), and those of cloud_call(). */
PX_MUST_USE int param_refresh(struct param_store *store, uint32_t within_ms);
/* ptr NULL: there is none. The view is good until the next param_refresh(). */
struct px_str param_get(const struct param_store *store, struct px_str name);
