/* delivery/rollout/target.c - see target.h.
 *
 * Percentiles of several periods cannot be added up, but counts can: the bound is the mean of the old version's percentile of
 * each period, and how many of either version lie above it is asked for by percentile rank, period by period.
 *
 * A machine's execution is a call that ends when it does: it counts for the version that it was started on, whenever that was. One that
 * somebody stopped is no call.
 *
 * Sources: AWS Lambda API reference; Amazon CloudWatch API reference and user guide, "Statistics definitions" (PR); Step Functions
 * developer guide, "Step Functions metrics for CloudWatch" (dimensions for executions with version). */
#include "delivery/rollout/target_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/uri.h"

#define DEADLINE_MS 10000
#define ANSWER_BYTES_MAX ((size_t)8 << 20)
#define REQUEST_BYTES_MAX ((size_t)96 << 20) /* a ZIP of 50 MB as base64 */
#define ALARMS_MAX 100
#define CLOUDWATCH_TARGET "GraniteServiceVersion20100801."

static int client_new(const struct target_options *o, const char *service, const char *variable,
                      struct cloud_client **ret_client)
{
    struct cloud *cloud = NULL;
    PX_TRY(cloud_shared_take(o->cloud, &cloud));
    struct px_str endpoint = o->endpoint.len ? o->endpoint : px_str_c(getenv(variable));
    const struct cloud_client_options options = {
        .service = px_str_c(service), .region = o->region, .endpoint = endpoint, .attempts_max = 4};
    return cloud_client_new(cloud, &options, ret_client);
}

int target_open(const struct target_options *options, struct rollout_target **ret_target)
{
    struct rollout_target *target = calloc(1, sizeof *target);
    if (!target) return px_fault(PX_F_OOM, "a target");
    target->deadline_ms = options->deadline_ms ? options->deadline_ms : DEADLINE_MS;
    target->called_off = options->called_off;
    target->is_local = px_str_starts(options->endpoint, S("unix:"));
    target->is_machine = options->machines;
    int r = options->machines
                ? client_new(options, "states", "AWS_ENDPOINT_URL_SFN", &target->service)
                : client_new(options, "lambda", "AWS_ENDPOINT_URL_LAMBDA", &target->service);
    if (r == 0)
        r = client_new(options, "monitoring", "AWS_ENDPOINT_URL_CLOUDWATCH", &target->cloudwatch);
    if (r != 0) {
        target_close(&target);
        return r;
    }
    *ret_target = target;
    return 0;
}

void target_close(struct rollout_target **ptarget)
{
    struct rollout_target *target = *ptarget;
    if (!target) return;
    cloud_client_free(&target->service);
    cloud_client_free(&target->cloudwatch);
    free(target);
    *ptarget = NULL;
}

bool target_is_local(const struct rollout_target *target) { return target->is_local; }
bool target_is_machine(const struct rollout_target *target) { return target->is_machine; }
const char *target_why(const struct rollout_target *target) { return target->why; }

/* ---- one call ---- */

static int refusal(struct rollout_target *target, const char *what,
                   const struct cloud_response *response, struct px_arena *arena)
{
    yyjson_val *root = NULL;
    struct px_str message = {0};
    if (px_json_parse(response->body, arena, &root, NULL) == 0) {
        message = px_json_str(root, "message");
        if (!message.ptr) message = px_json_str(root, "Message");
    }
    (void)snprintf(target->why, sizeof target->why, "%s: %.*s: %.*s", what, PX_FMT(response->error),
                   PX_FMT(message));
    if (px_str_starts(response->error, S("ResourceNotFound")) ||
        px_str_starts(response->error, S("StateMachineDoesNotExist")) ||
        px_str_starts(response->error, S("ProvisionedConcurrencyConfigNotFound")))
        return TARGET_ABSENT;
    if (px_str_starts(response->error, S("PreconditionFailed"))) return TARGET_CHANGED;
    if (px_str_starts(response->error, S("ResourceConflict")) ||
        px_str_starts(response->error, S("ConflictException")))
        return TARGET_BUSY;
    return response->status == 404 ? TARGET_ABSENT : TARGET_REFUSED;
}

static int exchange(struct rollout_target *target, struct cloud_client *client,
                    const struct cloud_request *what, struct px_arena *arena, yyjson_val **ret_root)
{
    struct cloud_request request = *what;
    struct cloud_response response;
    request.deadline_ms = target->deadline_ms;
    request.body_bytes_max = ANSWER_BYTES_MAX;
    request.called_off = target->called_off;
    int r = cloud_call(client, &request, arena, &response);
    if (r == CLOUD_REFUSED) return refusal(target, what->what, &response, arena);
    PX_TRY(r);
    *ret_root = NULL;
    if (response.body.len == 0) return 0;
    r = px_json_parse(response.body, arena, ret_root, NULL);
    return r == PX_JSON_INVALID ? px_fault(PX_F_PROTOCOL, "%s: the answer is no JSON", what->what)
                                : r;
}

/* The path's texts are encoded here; rest NULL: nothing behind the name. */
static int lambda_call(struct rollout_target *target, const char *what, const char *method,
                       const char *date, struct px_str name, struct px_str rest, struct px_str body,
                       struct px_arena *arena, yyjson_val **ret_root)
{
    static const struct cloud_header json = {{"Content-Type", 12}, {"application/json", 16}};
    struct px_str encoded = cloud_uri_param(name, arena);
    struct px_str path = px_arena_printf(arena, "/%s/functions/%.*s%.*s", date, PX_FMT(encoded),
                                         PX_FMT(rest));
    if (!encoded.ptr || !path.ptr) return px_arena_fault(arena);
    const struct cloud_request request = {.what = what,
                                          .method = method,
                                          .path = path,
                                          .headers = &json,
                                          .header_count = body.len > 0,
                                          .body = body};
    return exchange(target, target->service, &request, arena, ret_root);
}

int target_json_call(struct rollout_target *target, struct cloud_client *client,
                     const char *service, const char *action, struct px_str body,
                     struct px_arena *arena, yyjson_val **ret_root)
{
    struct px_str name = px_arena_printf(arena, "%s%s", service, action);
    if (!name.ptr) return px_arena_fault(arena);
    const struct cloud_header headers[] = {
        {S("Content-Type"), S("application/x-amz-json-1.0")},
        {S("X-Amz-Target"), name},
    };
    const struct cloud_request request = {.what = action,
                                          .method = "POST",
                                          .path = S("/"),
                                          .headers = headers,
                                          .header_count = PX_COUNT(headers),
                                          .body = body};
    return exchange(target, client, &request, arena, ret_root);
}

static int cloudwatch_call(struct rollout_target *target, const char *action, struct px_str body,
                           struct px_arena *arena, yyjson_val **ret_root)
{
    return target_json_call(target, target->cloudwatch, CLOUDWATCH_TARGET, action, body, arena,
                            ret_root);
}

/* ---- versions ---- */

int target_function(struct rollout_target *target, struct px_str name, struct px_arena *arena,
                    struct target_function *ret_function)
{
    if (target->is_machine) { /* a change of it is whole when it is answered */
        *ret_function = (struct target_function){.reserved = -1};
        return 0;
    }
    yyjson_val *root = NULL;
    int r = lambda_call(target, "GetFunction", "GET", "2015-03-31", name, S(""), S(""), arena,
                        &root);
    if (r != 0) return r;
    yyjson_val *config = px_json_obj(root, "Configuration");
    *ret_function = (struct target_function){
        .sha256 = px_json_str(config, "CodeSha256"),
        .revision = px_json_str(config, "RevisionId"),
        .updating = px_str_eq(px_json_str(config, "LastUpdateStatus"), S("InProgress")) ||
                    px_str_eq(px_json_str(config, "State"), S("Pending")),
        .reserved = px_json_i64(px_json_obj(root, "Concurrency"), "ReservedConcurrentExecutions",
                                -1),
    };
    return ret_function->sha256.len ? 0 : px_fault(PX_F_PROTOCOL, "GetFunction: no CodeSha256");
}

#define FUNCTIONS_MAX 1000

int target_functions(struct rollout_target *target, struct px_str prefix, struct px_arena *arena,
                     struct px_str **ret_names, size_t *ret_count)
{
    if (target->is_machine) return machine_names(target, prefix, arena, ret_names, ret_count);
    struct px_str *names = px_arena_array(arena, struct px_str, FUNCTIONS_MAX), marker = {0};
    size_t count = 0, i, n;
    if (!names) return px_arena_fault(arena);
    do {
        yyjson_val *root = NULL, *item;
        struct px_str encoded = marker.len ? cloud_uri_param(marker, arena) : S("");
        struct px_str path = px_arena_printf(arena, "/2015-03-31/functions/%s%.*s",
                                             marker.len ? "?Marker=" : "", PX_FMT(encoded));
        if (!path.ptr) return px_arena_fault(arena);
        const struct cloud_request request = {
            .what = "ListFunctions", .method = "GET", .path = path};
        int r = exchange(target, target->service, &request, arena, &root);
        if (r != 0) return r;
        px_json_arr_foreach(px_json_arr(root, "Functions"), i, n, item)
        {
            struct px_str name = px_json_str(item, "FunctionName");
            if (px_str_starts(name, prefix) && count < FUNCTIONS_MAX) names[count++] = name;
        }
        marker = px_json_str(root, "NextMarker");
    } while (marker.len > 0);
    *ret_names = names;
    *ret_count = count;
    return 0;
}

static int read_versions(yyjson_val *list, struct px_arena *arena, struct target_version **versions,
                         size_t *count, size_t *room)
{
    size_t i, n;
    yyjson_val *item;
    px_json_arr_foreach(list, i, n, item)
    {
        int64_t number;
        if (!px_str_to_i64(px_json_str(item, "Version"), &number)) continue; /* $LATEST */
        if (*count == *room) {
            size_t more = *room ? 2 * *room : 32;
            *versions = px_arena_realloc(arena, *versions, *room * sizeof **versions,
                                         more * sizeof **versions);
            if (!*versions) return px_arena_fault(arena);
            *room = more;
        }
        struct px_str state = px_json_str(item, "State");
        (*versions)[(*count)++] = (struct target_version){
            .number = number,
            .sha256 = px_json_str(item, "CodeSha256"),
            .pending = px_str_eq(state, S("Pending")),
            .failed = px_str_eq(state, S("Failed")),
        };
    }
    return 0;
}

int target_by_number(const void *a, const void *b)
{
    int64_t x = ((const struct target_version *)a)->number,
            y = ((const struct target_version *)b)->number;
    return (x > y) - (x < y);
}

int target_versions(struct rollout_target *target, struct px_str name, struct px_arena *arena,
                    struct target_version **ret_versions, size_t *ret_count)
{
    if (target->is_machine) return machine_versions(target, name, arena, ret_versions, ret_count);
    struct target_version *versions = NULL;
    size_t count = 0, room = 0;
    struct px_str marker = {0};
    do {
        yyjson_val *root = NULL;
        struct px_str encoded = marker.len ? cloud_uri_param(marker, arena) : S("");
        struct px_str rest = px_arena_printf(arena, "/versions%s%.*s", marker.len ? "?Marker=" : "",
                                             PX_FMT(encoded));
        if (!rest.ptr) return px_arena_fault(arena);
        int r = lambda_call(target, "ListVersionsByFunction", "GET", "2015-03-31", name, rest,
                            S(""), arena, &root);
        if (r != 0) return r;
        PX_TRY(read_versions(px_json_arr(root, "Versions"), arena, &versions, &count, &room));
        marker = px_json_str(root, "NextMarker");
    } while (marker.len > 0);
    if (count > 1) qsort(versions, count, sizeof *versions, target_by_number);
    *ret_versions = versions;
    *ret_count = count;
    return 0;
}

int target_update(struct rollout_target *target, struct px_str name, const struct target_code *code,
                  struct px_arena *arena)
{
    if (target->is_machine) return machine_update(target, name, code->definition, arena);
    yyjson_val *root = NULL;
    struct px_buf body;
    px_buf_init(&body, REQUEST_BYTES_MAX);
    if (code->image.len) {
        px_buf_add_c(&body, "{\"ImageUri\":");
        px_buf_add_json_str(&body, code->image);
    } else if (code->bucket.len) {
        px_buf_add_c(&body, "{\"S3Bucket\":");
        px_buf_add_json_str(&body, code->bucket);
        px_buf_add_c(&body, ",\"S3Key\":");
        px_buf_add_json_str(&body, code->key);
    } else {
        px_buf_add_c(&body, "{\"ZipFile\":\"");
        px_buf_add_base64(&body, code->zip);
        px_buf_add_c(&body, "\"");
    }
    px_buf_add_c(&body, "}");
    int r = px_buf_fault(&body);
    if (r == 0)
        r = lambda_call(target, "UpdateFunctionCode", "PUT", "2015-03-31", name, S("/code"),
                        px_buf_str(&body), arena, &root);
    px_buf_deinit(&body);
    return r;
}

struct px_str target_json_object(struct px_arena *arena, const char *key, struct px_str text)
{
    struct px_buf body;
    px_buf_init(&body, 8192);
    px_buf_printf(&body, "{\"%s\":", key);
    px_buf_add_json_str(&body, text);
    px_buf_add_c(&body, "}");
    struct px_str kept = px_buf_fault(&body) ? (struct px_str){0}
                                             : px_arena_dup(arena, px_buf_str(&body));
    px_buf_deinit(&body);
    return kept;
}

int target_publish(struct rollout_target *target, struct px_str name, struct px_str sha256,
                   struct px_arena *arena, int64_t *ret_number)
{
    if (target->is_machine) return machine_publish(target, name, arena, ret_number);
    yyjson_val *root = NULL;
    struct px_str body = sha256.len ? target_json_object(arena, "CodeSha256", sha256) : S("{}");
    if (!body.ptr) return px_arena_fault(arena);
    int r = lambda_call(target, "PublishVersion", "POST", "2015-03-31", name, S("/versions"), body,
                        arena, &root);
    if (r != 0) return r;
    return px_str_to_i64(px_json_str(root, "Version"), ret_number)
               ? 0
               : px_fault(PX_F_PROTOCOL, "PublishVersion: no version's number");
}

int target_delete_version(struct rollout_target *target, struct px_str name, int64_t number,
                          struct px_arena *arena)
{
    if (target->is_machine) return machine_delete_version(target, name, number, arena);
    yyjson_val *root = NULL;
    struct px_str rest = px_arena_printf(arena, "?Qualifier=%lld", (long long)number);
    if (!rest.ptr) return px_arena_fault(arena);
    return lambda_call(target, "DeleteFunction", "DELETE", "2015-03-31", name, rest, S(""), arena,
                       &root);
}

/* ---- alias ---- */

static struct px_str alias_path(struct px_str alias, struct px_arena *arena)
{
    struct px_str encoded = cloud_uri_param(alias, arena);
    return px_arena_printf(arena, "/aliases/%.*s", PX_FMT(encoded));
}

int target_alias(struct rollout_target *target, struct px_str name, struct px_str alias,
                 struct px_arena *arena, struct target_alias *ret_alias)
{
    if (target->is_machine) return machine_alias(target, name, alias, arena, ret_alias);
    yyjson_val *root = NULL;
    struct px_str rest = alias_path(alias, arena);
    if (!rest.ptr) return px_arena_fault(arena);
    int r = lambda_call(target, "GetAlias", "GET", "2015-03-31", name, rest, S(""), arena, &root);
    if (r != 0) return r;
    struct target_alias found = {.revision = px_json_str(root, "RevisionId")};
    if (!px_str_to_i64(px_json_str(root, "FunctionVersion"), &found.main))
        return px_fault(PX_F_CONFIG, "alias %.*s of %.*s points to $LATEST, not to a version",
                        PX_FMT(alias), PX_FMT(name));
    yyjson_val *weights = px_json_obj(px_json_obj(root, "RoutingConfig"),
                                      "AdditionalVersionWeights");
    if (yyjson_obj_size(weights) > 0) {
        yyjson_obj_iter iter = yyjson_obj_iter_with(weights);
        yyjson_val *key = yyjson_obj_iter_next(&iter);
        found.weight = yyjson_get_num(yyjson_obj_iter_get_val(key));
        if (!px_str_to_i64(px_json_val_str(key), &found.other))
            return px_fault(PX_F_PROTOCOL, "GetAlias: a weight of no version");
    }
    *ret_alias = found;
    return 0;
}

int target_set_alias(struct rollout_target *target, struct px_str name, struct px_str alias,
                     const struct target_alias *wanted, struct px_arena *arena)
{
    if (target->is_machine) return machine_set_alias(target, name, alias, wanted, arena);
    yyjson_val *root = NULL;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 8192);
    px_buf_printf(&body,
                  "{\"FunctionVersion\":\"%lld\",\"RoutingConfig\":{\"AdditionalVersionWeights\":{",
                  (long long)wanted->main);
    if (wanted->other)
        px_buf_printf(&body, "\"%lld\":%.6g", (long long)wanted->other, wanted->weight);
    px_buf_add_c(&body, "}}");
    if (wanted->revision.len) {
        px_buf_add_c(&body, ",\"RevisionId\":");
        px_buf_add_json_str(&body, wanted->revision);
    }
    px_buf_add_c(&body, "}");
    PX_TRY(px_buf_fault(&body));
    struct px_str rest = alias_path(alias, arena);
    if (!rest.ptr) return px_arena_fault(arena);
    return lambda_call(target, "UpdateAlias", "PUT", "2015-03-31", name, rest, px_buf_str(&body),
                       arena, &root);
}

/* ---- provisioned concurrency ---- */

static int warm_call(struct rollout_target *target, const char *what, const char *method,
                     struct px_str name, struct px_str qualifier, struct px_str body,
                     struct px_arena *arena, yyjson_val **ret_root)
{
    PX_ASSERT(!target->is_machine); /* nothing of a machine is warm */
    struct px_str encoded = cloud_uri_param(qualifier, arena);
    struct px_str rest = px_arena_printf(arena, "/provisioned-concurrency?Qualifier=%.*s",
                                         PX_FMT(encoded));
    if (!encoded.ptr || !rest.ptr) return px_arena_fault(arena);
    return lambda_call(target, what, method, "2019-09-30", name, rest, body, arena, ret_root);
}

int target_warm(struct rollout_target *target, struct px_str name, struct px_str qualifier,
                struct px_arena *arena, struct target_warm *ret_warm)
{
    yyjson_val *root = NULL;
    int r = warm_call(target, "GetProvisionedConcurrencyConfig", "GET", name, qualifier, S(""),
                      arena, &root);
    if (r != 0) return r;
    struct px_str status = px_json_str(root, "Status");
    *ret_warm = (struct target_warm){
        .requested = px_json_i64(root, "RequestedProvisionedConcurrentExecutions", 0),
        .available = px_json_i64(root, "AvailableProvisionedConcurrentExecutions", 0),
        .ready = px_str_eq(status, S("READY")),
        .failed = px_str_eq(status, S("FAILED")),
        .reason = px_json_str(root, "StatusReason"),
    };
    return 0;
}

int target_set_warm(struct rollout_target *target, struct px_str name, struct px_str qualifier,
                    int64_t count, struct px_arena *arena)
{
    yyjson_val *root = NULL;
    struct px_str body = px_arena_printf(arena, "{\"ProvisionedConcurrentExecutions\":%lld}",
                                         (long long)count);
    if (!body.ptr) return px_arena_fault(arena);
    return warm_call(target, "PutProvisionedConcurrencyConfig", "PUT", name, qualifier, body, arena,
                     &root);
}

int target_delete_warm(struct rollout_target *target, struct px_str name, struct px_str qualifier,
                       struct px_arena *arena)
{
    yyjson_val *root = NULL;
    return warm_call(target, "DeleteProvisionedConcurrencyConfig", "DELETE", name, qualifier, S(""),
                     arena, &root);
}

/* ---- figures ---- */

struct query {
    char id[48];
    const char *metric;
    int64_t version;
    char stat[64];
};
/* What counts as a call, and which of them failed. */
struct counted {
    const char *metric;
    bool call, error;
};
#define COUNTED_MAX 3
static const struct kind {
    const char *name_space, *time;
    const char *at_once; /* NULL: executions share nothing that a first one would make */
    struct counted counted[COUNTED_MAX];
} kinds[] = {
    {"AWS/Lambda",
     "Duration",
     "ConcurrentExecutions",
     {{"Invocations", true, false}, {"Errors", false, true}}},
    {"AWS/States",
     "ExecutionTime",
     NULL,
     {{"ExecutionsSucceeded", true, false},
      {"ExecutionsFailed", true, true},
      {"ExecutionsTimedOut", true, true}}},
};

static void add_dimension(struct px_buf *body, const char *name, struct px_str value, bool last)
{
    px_buf_printf(body, "{\"Name\":\"%s\",\"Value\":", name);
    px_buf_add_json_str(body, value);
    px_buf_add_c(body, last ? "}" : "},");
}

/* w->function is the machine's ARN for machines. */
static void write_query(const struct rollout_target *target, const struct target_window *w,
                        const struct query *q, struct px_buf *body)
{
    char version[24], resource[512];
    (void)snprintf(version, sizeof version, "%lld", (long long)q->version);
    (void)snprintf(resource, sizeof resource, "%.*s:%.*s", PX_FMT(w->function), PX_FMT(w->alias));
    px_buf_printf(
        body,
        "{\"Id\":\"%s\",\"ReturnData\":true,\"MetricStat\":{\"Stat\":\"%s\",\"Period\":%u,"
        "\"Metric\":{\"Namespace\":\"%s\",\"MetricName\":\"%s\",\"Dimensions\":[",
        q->id, q->stat, w->period_s, kinds[target->is_machine].name_space, q->metric);
    add_dimension(body, target->is_machine ? "StateMachineArn" : "FunctionName", w->function,
                  false);
    if (!target->is_machine) add_dimension(body, "Resource", px_str_c(resource), false);
    add_dimension(body, target->is_machine ? "Version" : "ExecutedVersion", px_str_c(version),
                  true);
    px_buf_add_c(body, "]}}}");
}

static int get_data(struct rollout_target *target, const struct target_window *w,
                    const struct query *queries, size_t count, struct px_arena *arena,
                    yyjson_val **ret_results)
{
    yyjson_val *root = NULL;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 65536);
    px_buf_printf(&body,
                  "{\"StartTime\":%lld,\"EndTime\":%lld,\"ScanBy\":\"TimestampAscending\","
                  "\"MetricDataQueries\":[",
                  (long long)w->from_s, (long long)w->to_s);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) px_buf_add_c(&body, ",");
        write_query(target, w, &queries[i], &body);
    }
    px_buf_add_c(&body, "]}");
    PX_TRY(px_buf_fault(&body));
    int r = cloudwatch_call(target, "GetMetricData", px_buf_str(&body), arena, &root);
    if (r != 0) return r;
    *ret_results = px_json_arr(root, "MetricDataResults");
    if (!*ret_results) return px_fault(PX_F_PROTOCOL, "GetMetricData: no MetricDataResults");
    if (px_json_str(root, "NextToken").len)
        return px_fault(PX_F_LIMIT, "GetMetricData: a window of more than one page");
    return 0;
}

static yyjson_val *result_of(yyjson_val *results, const char *id)
{
    size_t i, n;
    yyjson_val *item;
    px_json_arr_foreach(results, i, n, item)
    {
        if (px_str_eq(px_json_str(item, "Id"), px_str_c(id))) return item;
    }
    return NULL;
}

static double sum_of(yyjson_val *result)
{
    size_t i, n;
    yyjson_val *item;
    double sum = 0;
    px_json_arr_foreach(px_json_arr(result, "Values"), i, n, item) sum += yyjson_get_num(item);
    return sum;
}

static double most_of(yyjson_val *result)
{
    size_t i, n;
    yyjson_val *item;
    double most = 0;
    px_json_arr_foreach(px_json_arr(result, "Values"), i, n, item)
    {
        most = PX_MAX(most, yyjson_get_num(item));
    }
    return most;
}

/* The value at that time of another series; has: there is one. */
static double value_at(yyjson_val *result, double when, bool *has)
{
    yyjson_val *times = px_json_arr(result, "Timestamps"), *values = px_json_arr(result, "Values");
    size_t i, n;
    yyjson_val *item;
    *has = false;
    px_json_arr_foreach(times, i, n, item)
    {
        if (yyjson_get_num(item) != when) continue;
        *has = true;
        return yyjson_get_num(yyjson_arr_get(values, i));
    }
    return 0;
}

/* Sum of value x weight over the periods that have both, and the sum of the weights. */
static double weighted(yyjson_val *values, yyjson_val *weights, double *ret_weight)
{
    size_t i, n;
    yyjson_val *item;
    double sum = 0, all = 0;
    px_json_arr_foreach(px_json_arr(values, "Timestamps"), i, n, item)
    {
        bool has;
        double weight = value_at(weights, yyjson_get_num(item), &has);
        if (!has) continue;
        sum += weight * yyjson_get_num(yyjson_arr_get(px_json_arr(values, "Values"), i));
        all += weight;
    }
    *ret_weight = all;
    return sum;
}

static struct query query_of(const char *kind, int side, const char *metric, int64_t version,
                             const char *stat)
{
    struct query q = {.metric = metric, .version = version};
    (void)snprintf(q.id, sizeof q.id, "%s%d", kind, side);
    (void)snprintf(q.stat, sizeof q.stat, "%s", stat);
    return q;
}

static void count_of(const struct kind *kind, yyjson_val *results, int side,
                     struct target_figures *figures)
{
    for (size_t k = 0; k < COUNTED_MAX && kind->counted[k].metric; k++) {
        char id[48];
        (void)snprintf(id, sizeof id, "counted%zu%d", k, side);
        uint64_t sum = (uint64_t)sum_of(result_of(results, id));
        if (kind->counted[k].call) figures->calls += sum;
        if (kind->counted[k].error) figures->errors += sum;
    }
}

/* How many of each version's durations are at most the bound. */
static int count_below(struct rollout_target *target, const struct target_window *w,
                       const int64_t versions[2], double bound_ms, yyjson_val *const timed[2],
                       struct px_arena *arena, struct target_figures figures[2])
{
    struct query ranks[2];
    yyjson_val *ranked = NULL;
    char rank[64];
    (void)snprintf(rank, sizeof rank, "PR(:%.6g)", bound_ms);
    for (int side = 0; side < 2; side++)
        ranks[side] = query_of("rank", side, kinds[target->is_machine].time, versions[side], rank);
    int r = get_data(target, w, ranks, 2, arena, &ranked);
    if (r != 0) return r;
    for (int side = 0; side < 2; side++) {
        double weight = 0;
        double below = weighted(result_of(ranked, ranks[side].id), timed[side], &weight);
        figures[side].timed = (uint64_t)llround(weight);
        figures[side].below = PX_MIN((uint64_t)llround(below / 100), figures[side].timed);
    }
    return 0;
}

int target_figures(struct rollout_target *target, const struct target_window *window,
                   const int64_t versions[2], struct px_arena *arena,
                   struct target_figures ret_figures[2])
{
    const struct kind *kind = &kinds[target->is_machine];
    struct query queries[2 * (COUNTED_MAX + 3)];
    struct target_figures figures[2] = {0};
    struct target_window of = *window, *w = &of;
    yyjson_val *results = NULL, *timed[2];
    char quantile[32];
    size_t count = 0;
    int r = target_subject(target, window->function, arena, &of.function);
    if (r != 0) return r;
    (void)snprintf(quantile, sizeof quantile, "p%.6g", w->quantile * 100);
    for (int side = 0; side < 2; side++) {
        for (size_t k = 0; k < COUNTED_MAX && kind->counted[k].metric; k++) {
            char id[32];
            (void)snprintf(id, sizeof id, "counted%zu", k);
            queries[count++] = query_of(id, side, kind->counted[k].metric, versions[side], "Sum");
        }
        queries[count++] = query_of("timed", side, kind->time, versions[side], "SampleCount");
        queries[count++] = query_of("quantile", side, kind->time, versions[side], quantile);
        if (kind->at_once)
            queries[count++] = query_of("atonce", side, kind->at_once, versions[side], "Maximum");
    }
    r = get_data(target, w, queries, count, arena, &results);
    if (r != 0) return r;
    for (int side = 0; side < 2; side++) {
        double weight = 0;
        count_of(kind, results, side, &figures[side]);
        timed[side] = result_of(results, side ? "timed1" : "timed0");
        double sum = weighted(result_of(results, side ? "quantile1" : "quantile0"), timed[side],
                              &weight);
        figures[side].quantile_ms = weight > 0 ? sum / weight : 0;
        figures[side].at_once = (uint64_t)most_of(result_of(results, side ? "atonce1" : "atonce0"));
    }
    bool own = figures[0].quantile_ms > 0 && figures[0].calls >= figures[1].calls;
    double bound_ms = own || w->bound_ms <= 0 ? figures[0].quantile_ms : w->bound_ms;
    if (bound_ms > 0 && figures[1].quantile_ms > 0) {
        r = count_below(target, w, versions, bound_ms, timed, arena, figures);
        if (r != 0) return r;
    }
    ret_figures[0] = figures[0];
    ret_figures[1] = figures[1];
    return 0;
}

/* ---- alarms ---- */

int target_subject(struct rollout_target *target, struct px_str name, struct px_arena *arena,
                   struct px_str *ret_subject)
{
    if (target->is_machine) return machine_arn(target, name, arena, ret_subject);
    *ret_subject = name;
    return 0;
}

static struct px_str subject_of(yyjson_val *alarm)
{
    size_t i, n;
    yyjson_val *item;
    px_json_arr_foreach(px_json_arr(alarm, "Dimensions"), i, n, item)
    {
        struct px_str name = px_json_str(item, "Name");
        if (px_str_eq(name, S("FunctionName")) || px_str_eq(name, S("StateMachineArn")))
            return px_json_str(item, "Value");
    }
    return S("");
}

static void read_alarms(yyjson_val *list, struct target_alarm *alarms, size_t *count)
{
    size_t i, n;
    yyjson_val *item;
    px_json_arr_foreach(list, i, n, item)
    {
        if (*count == ALARMS_MAX) return;
        if (!px_str_eq(px_json_str(item, "StateValue"), S("ALARM"))) continue;
        alarms[(*count)++] = (struct target_alarm){.name = px_json_str(item, "AlarmName"),
                                                   .reason = px_json_str(item, "StateReason"),
                                                   .subject = subject_of(item),
                                                   .name_space = px_json_str(item, "Namespace")};
    }
}

int target_alarms(struct rollout_target *target, struct px_str prefix, struct px_arena *arena,
                  struct target_alarm **ret_alarms, size_t *ret_count)
{
    yyjson_val *root = NULL;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 8192);
    px_buf_add_c(&body,
                 "{\"StateValue\":\"ALARM\",\"MaxRecords\":100,\"AlarmTypes\":[\"MetricAlarm\","
                 "\"CompositeAlarm\"]");
    if (prefix.len) {
        px_buf_add_c(&body, ",\"AlarmNamePrefix\":");
        px_buf_add_json_str(&body, prefix);
    }
    px_buf_add_c(&body, "}");
    PX_TRY(px_buf_fault(&body));
    int r = cloudwatch_call(target, "DescribeAlarms", px_buf_str(&body), arena, &root);
    if (r != 0) return r;
    struct target_alarm *alarms = px_arena_array(arena, struct target_alarm, ALARMS_MAX);
    if (!alarms) return px_arena_fault(arena);
    *ret_count = 0;
    read_alarms(px_json_arr(root, "MetricAlarms"), alarms, ret_count);
    read_alarms(px_json_arr(root, "CompositeAlarms"), alarms, ret_count);
    *ret_alarms = alarms;
    return 0;
}
