/* svc/ingest/tenant_limits.c - see tenant_limits.h. */
#include "svc/ingest/tenant_limits.h"

#include "base/px_json.h"

static uint64_t lowered(yyjson_val *quotas, const char *name, uint64_t platform)
{
    int64_t quota = px_json_i64(quotas, name, -1);
    return quota < 0 ? platform : PX_MIN((uint64_t)quota, platform);
}

int tenant_limits(const struct ingest_limits *platform, const struct api_caller *caller,
                  struct px_arena *arena, struct ingest_limits *ret_limits)
{
    yyjson_val *quotas = NULL;
    struct ingest_limits limits = *platform;
    if (caller->quotas.len > 0) {
        int r = px_json_parse(caller->quotas, arena, &quotas, NULL);
        if (r == PX_JSON_INVALID)
            return px_fault(PX_F_PROTOCOL, "the authorizer's quotas are no JSON");
        PX_TRY(r);
    }
    limits.body_bytes_max = lowered(quotas, "ingest_body_bytes", limits.body_bytes_max);
    limits.record_bytes_max = lowered(quotas, "ingest_record_bytes", limits.record_bytes_max);
    limits.records_max = (uint32_t)lowered(quotas, "ingest_records", limits.records_max);
    limits.datasets_max = (uint32_t)lowered(quotas, "datasets", limits.datasets_max);
    *ret_limits = limits;
    return 0;
}
