/* svc/sharding/residence.c - see residence.h: StartSyncExecution of an Express machine, and how it ended.
 *
 * Sources: Step Functions API reference, StartSyncExecution; botocore's description of its host ("sync-" before the service's name). */
#include "svc/sharding/residence.h"

#include "base/px_json.h"

#define DEADLINE_MS 8000 /* function `tenants` may run for 10 s */
#define ATTEMPTS_MAX 3
#define WHY_BYTES_MAX ((size_t)2000)

void residence_deinit(struct residence *residence) { cloud_client_free(&residence->client); }

/* "arn:<partition>:states:<region>:..." */
static int own_endpoint(struct px_str arn, struct px_arena *arena, struct px_str *ret_region,
                        struct px_str *ret_url)
{
    struct px_str rest = arn, part[4] = {0};
    for (size_t i = 0; i < PX_COUNT(part); i++) (void)px_str_cut(&rest, ':', &part[i]);
    if (!px_str_eq(part[0], S("arn")) || part[3].len == 0)
        return px_fault(PX_F_CONFIG, "the machine that places tenants is \"%.*s\", no ARN",
                        PX_FMT(arn));
    *ret_region = part[3];
    *ret_url = px_arena_printf(arena, "https://sync-states.%.*s.amazonaws.com%s", PX_FMT(part[3]),
                               px_str_eq(part[1], S("aws-cn")) ? ".cn" : "");
    return ret_url->ptr ? 0 : px_arena_fault(arena);
}

static int connect(struct residence *residence, struct px_arena *arena)
{
    struct px_str region, url;
    struct cloud *cloud = NULL;
    if (residence->client) return 0;
    PX_TRY(own_endpoint(residence->machine, arena, &region, &url));
    PX_TRY(cloud_shared_take(residence->cloud, &cloud));
    const struct cloud_client_options options = {
        .service = S("states"),
        .region = region,
        .endpoint = residence->endpoint.len > 0 ? residence->endpoint : url,
        .connections_max = 1,
        .attempts_max = ATTEMPTS_MAX,
        .attempt_ms = DEADLINE_MS,
        .retry_base_ms = 100};
    return cloud_client_new(cloud, &options, &residence->client);
}

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
    static const struct cloud_header headers[] = {
        {S("Content-Type"), S("application/x-amz-json-1.0")},
        {S("X-Amz-Target"), S("AWSStepFunctions.StartSyncExecution")},
    };
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 1u << 16);
    px_buf_add_c(&body, "{\"stateMachineArn\":");
    px_buf_add_json_str(&body, residence->machine);
    px_buf_add_c(&body, ",\"input\":");
    px_buf_add_json_str(&body, input);
    px_buf_add_char(&body, '}');
    PX_TRY(px_buf_fault(&body));
    PX_TRY(connect(residence, arena));
    struct cloud_response response = {0};
    const struct cloud_request request = {.what = "StartSyncExecution",
                                          .method = "POST",
                                          .path = S("/"),
                                          .headers = headers,
                                          .header_count = PX_COUNT(headers),
                                          .body = px_buf_str(&body),
                                          .deadline_ms = DEADLINE_MS};
    int r = cloud_call(residence->client, &request, arena, &response);
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
