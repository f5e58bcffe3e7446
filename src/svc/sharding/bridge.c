/* svc/sharding/bridge.c - the call by Lambda's Invoke, signed for the other region, and what its answer means.
 *
 *   allowed   a list by region, which Terraform makes of the catalogue's `elsewhere` and the deployment's regions and shards, as it
 *             makes the role's policy; the local region makes the same of its siblings
 *   account   the function that is called is in the account and partition of this one, whose ARN the event tells: no event can
 *             name another
 *   at least once   a request whose answer was lost is sent again, as Step Functions does; what is called may be repeated
 *
 * Sources: Lambda API reference, Invoke; Step Functions developer guide, "Handle errors with Lambda" (names of errors). */
#include "svc/sharding/bridge.h"

#include <stdlib.h>

#include "aws/uri.h"
#include "base/px_json.h"

#define CONFIG_BYTES_MAX ((size_t)64 << 10)
#define CALL_MS_MAX (900u * 1000u)  /* the longest that a function of Lambda may run */
#define MARGIN_NS (2 * PX_NS_PER_S) /* to tell that there was no answer */
#define ATTEMPTS_MAX 4
#define SHOWN_BYTES_MAX ((size_t)3000)

struct target {
    struct px_str region;
    yyjson_val *functions;       /* an array of texts */
    struct cloud_client *client; /* NULL: not called so far */
};
struct bridge {
    struct bridge_options options;
    struct px_arena arena; /* the list */
    struct target *targets;
    size_t target_count;
};

/* ---- life ---- */

static bool are_names(yyjson_val *list)
{
    size_t i, max;
    yyjson_val *name;
    if (!yyjson_is_arr(list)) return false;
    yyjson_arr_foreach(list, i, max, name)
    {
        if (px_json_val_str(name).len == 0) return false;
    }
    return true;
}

static int read_targets(struct bridge *bridge)
{
    yyjson_val *root = NULL, *key, *val;
    size_t i, max;
    int r = px_json_parse(bridge->options.functions, &bridge->arena, &root, NULL);
    if (r == PX_JSON_INVALID || (r == 0 && !yyjson_is_obj(root)))
        return px_fault(PX_F_CONFIG, "the functions that may be called are no JSON object");
    PX_TRY(r);
    bridge->targets = px_arena_array(&bridge->arena, struct target, yyjson_obj_size(root));
    if (!bridge->targets && yyjson_obj_size(root) > 0) return px_arena_fault(&bridge->arena);
    yyjson_obj_foreach(root, i, max, key, val)
    {
        if (!are_names(val))
            return px_fault(PX_F_CONFIG, "the functions of %s that may be called are no list",
                            yyjson_get_str(key));
        bridge->targets[bridge->target_count++] = (struct target){px_json_val_str(key), val, NULL};
    }
    return 0;
}

int bridge_new(const struct bridge_options *options, struct bridge **ret_bridge)
{
    PX_AUTO(bridge_free) struct bridge *bridge = calloc(1, sizeof *bridge);
    if (!bridge) return px_fault(PX_F_OOM, "the bridge");
    bridge->options = *options;
    px_arena_init(&bridge->arena, CONFIG_BYTES_MAX);
    if (options->functions.len > 0) PX_TRY(read_targets(bridge));
    *ret_bridge = PX_TAKE(bridge);
    return 0;
}

void bridge_free(struct bridge **pbridge)
{
    struct bridge *bridge = *pbridge;
    if (!bridge) return;
    for (size_t i = 0; i < bridge->target_count; i++) cloud_client_free(&bridge->targets[i].client);
    px_arena_deinit(&bridge->arena);
    free(bridge);
    *pbridge = NULL;
}

/* ---- the event ---- */

struct passage {
    struct bridge *bridge;
    const struct lambda_event *event;
    struct px_str region, function;
    yyjson_val *payload;
    struct target *target;
};

static int fail(const struct passage *passage, const char *type, struct px_str message)
{
    passage->event->reply->error_type = px_str_c(type);
    passage->event->reply->error_message = message;
    return LAMBDA_ERROR;
}

static int read_event(struct passage *passage)
{
    yyjson_val *root = NULL;
    int r = px_json_parse(passage->event->payload, passage->event->arena, &root, NULL);
    PX_TRY(r == PX_JSON_INVALID ? 0 : r);
    passage->region = px_json_str(root, "region");
    passage->function = px_json_str(root, "function");
    passage->payload = yyjson_obj_get(root, "event");
    if (yyjson_obj_size(root) != 3 || passage->region.len == 0 || passage->function.len == 0 ||
        !passage->payload)
        return fail(passage, "InvalidEvent",
                    S("the event is {\"region\",\"function\",\"event\"} and nothing else"));
    return 0;
}

static bool names(const struct target *target, struct px_str function)
{
    size_t i, max;
    yyjson_val *name;
    yyjson_arr_foreach(target->functions, i, max, name)
    {
        if (px_str_eq(px_json_val_str(name), function)) return true;
    }
    return false;
}

static int find_target(struct passage *passage)
{
    const struct bridge *bridge = passage->bridge;
    struct px_arena *arena = passage->event->arena;
    for (size_t i = 0; !passage->target && i < bridge->target_count; i++)
        if (px_str_eq(bridge->targets[i].region, passage->region))
            passage->target = &bridge->targets[i];
    if (!passage->target)
        return fail(passage, "NotAllowed",
                    px_arena_printf(arena, "no function of region %.*s may be called from here",
                                    PX_FMT(px_str(passage->region.ptr,
                                                  PX_MIN(passage->region.len, (size_t)64)))));
    if (!names(passage->target, passage->function))
        return fail(
            passage, "NotAllowed",
            px_arena_printf(
                arena, "function %.*s of region %.*s may not be called from here",
                PX_FMT(px_str(passage->function.ptr, PX_MIN(passage->function.len, (size_t)140))),
                PX_FMT(passage->region)));
    return 0;
}

/* ---- the call ---- */

/* "arn:aws:lambda:<region>:<account>:function:<name>:live", partition and account from this function's own. */
static struct px_str arn_of(const struct passage *passage)
{
    struct px_str rest = passage->event->function_arn, part[5] = {0};
    for (size_t i = 0; i < PX_COUNT(part); i++) (void)px_str_cut(&rest, ':', &part[i]);
    if (!px_str_eq(part[0], S("arn")) || part[4].len == 0) return (struct px_str){0};
    return px_arena_printf(passage->event->arena, "arn:%.*s:lambda:%.*s:%.*s:function:%.*s:live",
                           PX_FMT(part[1]), PX_FMT(passage->region), PX_FMT(part[4]),
                           PX_FMT(passage->function));
}

static int path_of(const struct passage *passage, struct px_str *ret_path)
{
    struct px_arena *arena = passage->event->arena;
    struct px_str arn = arn_of(passage);
    if (!arn.ptr && px_arena_full(arena)) return px_arena_fault(arena);
    if (!arn.ptr)
        return px_fault(PX_F_PROTOCOL, "the event's function is \"%.*s\", no ARN",
                        PX_FMT(passage->event->function_arn));
    struct px_str encoded = cloud_uri_param(arn, arena);
    *ret_path = px_arena_printf(arena, "/2015-03-31/functions/%.*s/invocations", PX_FMT(encoded));
    return encoded.ptr && ret_path->ptr ? 0 : px_arena_fault(arena);
}

static int connect(const struct passage *passage)
{
    struct target *target = passage->target;
    const struct bridge_options *options = &passage->bridge->options;
    struct cloud *cloud = NULL;
    if (target->client) return 0;
    PX_TRY(cloud_shared_take(options->cloud, &cloud));
    const struct cloud_client_options client = {
        .service = S("lambda"),
        .region = target->region,
        .connections_max = 1,
        .attempts_max = ATTEMPTS_MAX,
        .attempt_ms = CALL_MS_MAX,
        .retry_base_ms = options->retry_base_ms > 0 ? options->retry_base_ms : 100};
    return cloud_client_new(cloud, &client, &target->client);
}

static uint32_t time_left_ms(const struct lambda_event *event)
{
    int64_t until_ns = lambda_deadline_mono_ns(event, MARGIN_NS);
    if (until_ns == 0) return CALL_MS_MAX;
    int64_t left_ms = (until_ns - px_mono_ns(&px_clock_system)) / PX_NS_PER_MS;
    return (uint32_t)PX_MAX(PX_MIN(left_ms, (int64_t)CALL_MS_MAX), INT64_C(1));
}

static int call(const struct passage *passage, struct cloud_response *ret_response)
{
    static const struct cloud_header headers[] = {
        {S("Content-Type"), S("application/json")},
        {S("X-Amz-Invocation-Type"), S("RequestResponse")},
    };
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, LAMBDA_PAYLOAD_BYTES_MAX);
    px_buf_add_json(&text, passage->payload);
    PX_TRY(px_buf_fault(&text));
    struct px_str path;
    PX_TRY(path_of(passage, &path));
    PX_TRY(connect(passage));
    const struct cloud_request request = {.what = "Invoke",
                                          .method = "POST",
                                          .path = path,
                                          .headers = headers,
                                          .header_count = PX_COUNT(headers),
                                          .body = px_buf_str(&text),
                                          .deadline_ms = time_left_ms(passage->event),
                                          .body_bytes_max = LAMBDA_PAYLOAD_BYTES_MAX,
                                          .may_be_larger = true,
                                          .called_off = passage->bridge->options.called_off};
    int r = cloud_call(passage->target->client, &request, passage->event->arena, ret_response);
    return r < 0 ? px_fold(r, __FILE__, __LINE__) : r;
}

/* ---- the answer ---- */

/* The function failed: with its own words. */
static int pass_error(const struct passage *passage, struct px_str body)
{
    yyjson_val *root = NULL;
    struct px_str type = {0};
    struct px_arena *arena = passage->event->arena;
    if (px_json_parse(body, arena, &root, NULL) == 0) type = px_json_str(root, "errorType");
    if (type.len == 0)
        return fail(passage, "Lambda.Unknown",
                    px_arena_printf(arena,
                                    "The cause could not be determined because Lambda did not "
                                    "return an error type. Returned payload: %.*s",
                                    PX_FMT(px_str(body.ptr, PX_MIN(body.len, SHOWN_BYTES_MAX)))));
    passage->event->reply->error_type = type;
    passage->event->reply->error_message = px_json_str(root, "errorMessage");
    return LAMBDA_ERROR;
}

/* Lambda refused the call: the name of its error, as Step Functions has it. */
static int pass_refusal(const struct passage *passage, const struct cloud_response *response)
{
    struct px_arena *arena = passage->event->arena;
    struct px_str error = response->error.len > 0 ? response->error : S("ServiceException");
    struct px_str type = px_arena_printf(arena, "Lambda.%.*s", PX_FMT(error));
    if (!type.ptr) return px_arena_fault(arena);
    return fail(passage, type.ptr,
                px_arena_printf(arena, "Lambda in %.*s answers %d to a call of %.*s",
                                PX_FMT(passage->region), response->status,
                                PX_FMT(passage->function)));
}

static const char *name_of(int fault)
{
    switch (fault) {
    case PX_F_BUSY: return "Lambda.TooManyRequestsException";
    case PX_F_UNAVAILABLE: return "Lambda.SdkClientException";
    case PX_F_TIMEOUT: return "Sandbox.Timedout"; /* the function used up its time */
    case PX_F_DENIED: return "Lambda.AccessDeniedException";
    default: return NULL;
    }
}

/* The way there failed. What is left is this function's own fault. */
static int pass_fault(const struct passage *passage, int fault)
{
    char text[1024];
    const char *name = name_of(fault);
    if (!name) return px_fold(fault, __FILE__, __LINE__);
    px_log_fault(passage->event->log, fault, "no answer from region %.*s", PX_FMT(passage->region));
    (void)px_fault_text(fault, text, sizeof text);
    return fail(passage, name, px_arena_dup(passage->event->arena, px_str_c(text)));
}

static int pass_answer(const struct passage *passage, int r, const struct cloud_response *response)
{
    if (r < 0) return pass_fault(passage, r);
    if (r == CLOUD_REFUSED) return pass_refusal(passage, response);
    if (r == CLOUD_TOO_LARGE)
        return fail(passage, "Function.ResponseSizeTooLarge",
                    S("the function's answer is larger than 6 MB"));
    if (cloud_response_header(response, S("X-Amz-Function-Error")).len > 0)
        return pass_error(passage, response->body);
    px_buf_add_str(passage->event->reply->body,
                   response->body.len > 0 ? response->body : S("null"));
    return 0;
}

int bridge_handle(struct bridge *bridge, const struct lambda_event *event)
{
    struct passage passage = {.bridge = bridge, .event = event};
    struct cloud_response response = {0};
    int r = read_event(&passage);
    if (r == 0) r = find_target(&passage);
    if (r != 0) return r;
    return pass_answer(&passage, call(&passage, &response), &response);
}
