/* delivery/pipeline/contract.h - which release's functions work on which version of the catalog's schema.
 *
 * The steps of the schema are numbered (docs/design/catalog-schema.md). release.json says of its functions:
 *   expands_to    they know all steps up to this one
 *   needs         they need those that add up to this one
 *   contracts_to  the last step of their list that takes something away
 *   floor         who works behind such a step must know this one or a later one
 *
 * A release works on a catalog whose steps that add have been run up to its `needs`, and from which nothing was taken away that its
 * functions use: floor of the catalog <= expands_to. Steps that add are never undone, so on the way back only the second can fail.
 * When a step that takes away is run is not known here, a person says so at some time after the release that brings it; so from that
 * release's first function on the catalog counts as contracted, also when that release went back again. */
#pragma once

#include "base/px_json.h"

struct contract {
    int64_t knows, needs, floor;
};
/* Of a release.json; one without `schema` uses no catalog. One without `floor` is of before: its last step that takes away stands in. */
struct contract contract_of(yyjson_val *release);
/* What a catalog that was at `floor` may be at once functions of `release` have run. */
int64_t contract_floor_after(yyjson_val *release, int64_t floor);
/* Whether functions of `release` work on a catalog that may have been contracted up to floor. */
static inline bool contract_allows(yyjson_val *release, int64_t floor)
{
    return contract_of(release).knows >= floor;
}
