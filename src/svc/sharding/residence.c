/* svc/sharding/residence.c - see residence.h: StartSyncExecution of an Express machine, and how it ended.
 */
#include "svc/sharding/residence.h"

#define DEADLINE_MS 8000 /* function `tenants` may run for 10 s */
#define WHY_BYTES_MAX ((size_t)2000)

void residence_deinit(struct residence *residence) { sfn_deinit(&residence->sfn); }

static int refuse(struct px_arena *arena, struct px_str error, struct px_str cause,
                  const char **ret_why)
{
    struct px_str why = px_arena_printf(
        arena, "%.*s: %.*s", PX_FMT(error),
        PX_FMT(px_str(cause.ptr, PX_MIN(cause.len, WHY_BYTES_MAX))));
    if (!why.ptr) return px_arena_fault(arena);
    *ret_why = why.ptr;
    return RESIDENCE_REFUSED;
}

static int read_end(const struct cloud_response *response, struct px_arena *arena,
                    const char **ret_why)
{
    yyjson_val *root = NULL;
    int r = px_json_parse(response->body, arena, &root, NULL);
    PX_TRY(r == PX_JSON_INVALID ? 0 : r);
    struct px_str status = px_json_str(root, "status");
    if (px_str_eq(status, S("SUCCEEDED"))) return 0;
    if (status.len == 0) return px_fault(PX_F_PROTOCOL, "StartSyncExecution: no status");
    struct px_str error = px_json_str(root, "error");
    return refuse(arena, error.len > 0 ? error : status, px_json_str(root, "cause"), ret_why);
}

static int run(struct residence *residence, struct px_str input, struct px_arena *arena,
               const char **ret_why)
{
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 1u << 16);
    px_buf_add_c(&body, "{\"stateMachineArn\":");
    px_buf_add_json_str(&body, residence->machine);
    px_buf_add_c(&body, ",\"input\":");
    px_buf_add_json_str(&body, input);
    px_buf_add_char(&body, '}');
    PX_TRY(px_buf_fault(&body));
    struct cloud_response response = {0};
    const struct sfn_call call = {.action = "StartSyncExecution",
                                  .body = px_buf_str(&body),
                                  .sync = true,
                                  .deadline_ms = DEADLINE_MS};
    int r = sfn_ask(&residence->sfn, residence->machine, &call, arena, &response);
    if (r == CLOUD_REFUSED)
        return refuse(arena, response.error.len > 0 ? response.error : S("States.Refused"),
                      S("Step Functions refused to start tenant-onboarding"), ret_why);
    PX_TRY(r);
    return read_end(&response, arena, ret_why);
}

/* Names of tenants and shards, and tiers, were checked before they came here; they need no escapes. */
int residence_enter(struct residence *residence, struct px_str tenant, struct px_str shard,
                    struct px_str tier, struct px_arena *arena, const char **ret_why)
{
    struct px_str input = px_arena_printf(
        arena, "{\"only\":\"enter\",\"tenant\":\"%.*s\",\"shard\":\"%.*s\",\"tier\":\"%.*s\"}",
        PX_FMT(tenant), PX_FMT(shard), PX_FMT(tier));
    return input.ptr ? run(residence, input, arena, ret_why) : px_arena_fault(arena);
}

int residence_leave(struct residence *residence, struct px_str tenant, struct px_arena *arena,
                    const char **ret_why)
{
    struct px_str input = px_arena_printf(arena, "{\"only\":\"leave\",\"tenant\":\"%.*s\"}",
                                          PX_FMT(tenant));
    return input.ptr ? run(residence, input, arena, ret_why) : px_arena_fault(arena);
}
