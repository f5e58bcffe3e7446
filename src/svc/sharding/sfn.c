/* svc/sharding/sfn.c - see sfn.h.
 *
 * Sources: Step Functions API reference; botocore's description of the host of synchronous starts ("sync-" before the service's name). */
#include "svc/sharding/sfn.h"

#define ATTEMPTS_MAX 3

void sfn_deinit(struct sfn *sfn) { cloud_client_free(&sfn->client); }

/* "arn:<partition>:states:<region>:..." */
static int own_endpoint(struct px_str arn, bool sync, struct px_arena *arena,
                        struct px_str *ret_region, struct px_str *ret_url)
{
    struct px_str rest = arn, part[4] = {0};
    for (size_t i = 0; i < PX_COUNT(part); i++) (void)px_str_cut(&rest, ':', &part[i]);
    if (!px_str_eq(part[0], S("arn")) || part[3].len == 0)
        return px_fault(PX_F_CONFIG, "\"%.*s\" is no machine's ARN", PX_FMT(arn));
    *ret_region = part[3];
    *ret_url = px_arena_printf(arena, "https://%sstates.%.*s.amazonaws.com%s", sync ? "sync-" : "",
                               PX_FMT(part[3]), px_str_eq(part[1], S("aws-cn")) ? ".cn" : "");
    return ret_url->ptr ? 0 : px_arena_fault(arena);
}

static int connect(struct sfn *sfn, struct px_str arn, const struct sfn_call *call,
                   struct px_arena *arena)
{
    struct px_str region, url;
    struct cloud *cloud = NULL;
    if (sfn->client) return 0;
    PX_TRY(own_endpoint(arn, call->sync, arena, &region, &url));
    PX_TRY(cloud_shared_take(sfn->cloud, &cloud));
    const struct cloud_client_options options = {.service = S("states"),
                                                 .region = region,
                                                 .endpoint = sfn->endpoint.len > 0 ? sfn->endpoint
                                                                                   : url,
                                                 .connections_max = 1,
                                                 .attempts_max = ATTEMPTS_MAX,
                                                 .attempt_ms = call->deadline_ms,
                                                 .retry_base_ms = 100};
    return cloud_client_new(cloud, &options, &sfn->client);
}

int sfn_ask(struct sfn *sfn, struct px_str arn, const struct sfn_call *call, struct px_arena *arena,
            struct cloud_response *ret_response)
{
    struct px_str target = px_arena_printf(arena, "AWSStepFunctions.%s", call->action);
    const struct cloud_header headers[] = {
        {S("Content-Type"), S("application/x-amz-json-1.0")},
        {S("X-Amz-Target"), target},
    };
    if (!target.ptr) return px_arena_fault(arena);
    PX_TRY(connect(sfn, arn, call, arena));
    const struct cloud_request request = {.what = call->action,
                                          .method = "POST",
                                          .path = S("/"),
                                          .headers = headers,
                                          .header_count = PX_COUNT(headers),
                                          .body = call->body,
                                          .deadline_ms = call->deadline_ms,
                                          .body_bytes_max = call->body_bytes_max};
    return cloud_call(sfn->client, &request, arena, ret_response);
}
