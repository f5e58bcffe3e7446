/* region/siblings.h - the other regions that one supervisor runs beside this one, as <fleet>/fleet.json names
 * them (docs/design/regions.md). A region by itself has none. */
#pragma once

#include "region/data_dir.h"

#define SIBLINGS_MAX 20u /* infra/global/variables.tf: regions */

struct sibling {
    const char *name;
    const char *folder; /* its data folder */
    bool cut;           /* no word between it and this region, for rehearsals */
};
struct siblings {
    struct sibling at[SIBLINGS_MAX];
    size_t count;
    /* Folder of a sibling that has the secrets and keys that all share; NULL: none has, make them. */
    const char *keys_from;
    const char *primary; /* name of the first region, where shared secrets rotate; NULL: this one */
    const char *primary_folder;
    const char *replica; /* the sibling that keeps copies of this region's objects; NULL: none */
    uint32_t lag_ms;     /* changes are sent when they are so old */
    uint32_t scatter_ms; /* and each by up to so much older, in no order */
};
/* fleet_file NULL: none. Everything lives in arena. Faults: PX_F_CONFIG. */
PX_MUST_USE int siblings_load(const char *fleet_file, struct px_str self, struct px_arena *arena,
                              struct siblings *ret_siblings);
/* A region that is not the primary takes over secrets and key files of the primary, which has been started
 * before, once: a key opens in all regions, or in none. So does the primary when it
 * has lost its folder. Faults: PX_F_CONFIG when nobody has any yet. */
PX_MUST_USE int siblings_join(const struct siblings *siblings, const struct data_dir *dir,
                              struct px_arena *arena);
/* The secrets that all regions share as the primary has them now: what Secrets Manager's replicas do on AWS. */
PX_MUST_USE int siblings_follow_secrets(const struct siblings *siblings,
                                        const struct data_dir *dir);
