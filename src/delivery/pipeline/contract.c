/* delivery/pipeline/contract.c - see contract.h. */
#include "delivery/pipeline/contract.h"

struct contract contract_of(yyjson_val *release)
{
    yyjson_val *schema = px_json_obj(release, "schema");
    return (struct contract){
        .knows = px_json_i64(schema, "expands_to", 0),
        .needs = px_json_i64(schema, "needs", 0),
        .floor = px_json_i64(schema, "floor", px_json_i64(schema, "contracts_to", 0)),
    };
}

int64_t contract_floor_after(yyjson_val *release, int64_t floor)
{
    return PX_MAX(floor, contract_of(release).floor);
}
