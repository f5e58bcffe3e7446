/* asl/resource.c - the optimised integrations as a table.
 *
 * Source: Step Functions developer guide, "Integrating optimized services" with its table of patterns, and the page of each
 * service with its list of actions; "Integrating with AWS services" (aws-sdk: the service's name in lower case, the action's
 * in camel case, request and response or a task token). */
#include "asl/resource.h"

enum patterns {
    CALL = 1u << ASL_REQUEST_RESPONSE,
    SYNC = 1u << ASL_SYNC,
    SYNC2 = 1u << ASL_SYNC2,
    TOKEN = 1u << ASL_TASK_TOKEN,
};
struct integration {
    const char *service;
    const char *actions; /* separated by spaces */
    unsigned patterns;
};
static const struct integration integrations[] = {
    {"apigateway", "invoke", CALL | TOKEN},
    {"athena", "startQueryExecution", CALL | SYNC},
    {"athena", "stopQueryExecution getQueryExecution getQueryResults", CALL},
    {"batch", "submitJob", CALL | SYNC},
    {"bedrock", "invokeModel", CALL | TOKEN},
    {"bedrock", "createModelCustomizationJob", CALL | SYNC | TOKEN},
    {"bedrock-agentcore", "invokeHarness", CALL},
    {"codebuild", "startBuild startBuildBatch retryBuild retryBuildBatch", CALL | SYNC},
    {"codebuild", "stopBuild stopBuildBatch batchDeleteBuilds batchGetReports deleteBuildBatch",
     CALL},
    {"databrew", "startJobRun", CALL | SYNC},
    {"dynamodb", "getItem putItem updateItem deleteItem", CALL},
    {"ecs", "runTask", CALL | SYNC | TOKEN},
    {"eks",
     "createCluster deleteCluster createFargateProfile deleteFargateProfile createNodegroup "
     "deleteNodegroup",
     CALL | SYNC},
    {"eks", "runJob", CALL | SYNC | TOKEN},
    {"eks", "call", CALL | TOKEN},
    {"elasticmapreduce", "createCluster terminateCluster addStep", CALL | SYNC},
    {"elasticmapreduce",
     "cancelStep setClusterTerminationProtection modifyInstanceFleetByName "
     "modifyInstanceGroupByName",
     CALL},
    {"emr-containers", "createVirtualCluster", CALL},
    {"emr-containers", "deleteVirtualCluster startJobRun", CALL | SYNC},
    {"emr-serverless",
     "createApplication startApplication stopApplication deleteApplication startJobRun cancelJobRun",
     CALL | SYNC},
    {"events", "putEvents", CALL | TOKEN},
    {"glue", "startJobRun", CALL | SYNC},
    {"http", "invoke", CALL},
    {"lambda", "invoke", CALL | TOKEN},
    {"mediaconvert", "createJob", CALL | SYNC},
    {"sagemaker",
     "createHyperParameterTuningJob createLabelingJob createProcessingJob createTrainingJob "
     "createTransformJob",
     CALL | SYNC},
    {"sagemaker", "createEndpoint createEndpointConfig createModel updateEndpoint", CALL},
    {"sns", "publish", CALL | TOKEN},
    {"sqs", "sendMessage", CALL | TOKEN},
    {"states", "startExecution", CALL | SYNC | SYNC2 | TOKEN},
};

/* Members without which the service is not called; measured by others with ValidateStateMachineDefinition, not complete. */
static const struct {
    const char *service, *action;
    const char *members[4]; /* NULL-ended */
} needs[] = {
    {"lambda", "invoke", {"FunctionName"}},
    {"sqs", "sendMessage", {"QueueUrl", "MessageBody"}},
    {"sns", "publish", {"Message"}},
    {"dynamodb", "putItem", {"TableName", "Item"}},
    {"dynamodb", "getItem", {"TableName", "Key"}},
    {"states", "startExecution", {"StateMachineArn"}},
    {"events", "putEvents", {"Entries"}},
    {"ecs", "runTask", {"TaskDefinition"}},
    {"glue", "startJobRun", {"JobName"}},
};

static const struct {
    enum asl_pattern pattern;
    const char *suffix;
} suffixes[] = {
    {ASL_SYNC2, ".sync:2"},
    {ASL_SYNC, ".sync"},
    {ASL_TASK_TOKEN, ".waitForTaskToken"},
};

const char *asl_pattern_suffix(enum asl_pattern pattern)
{
    for (size_t i = 0; i < PX_COUNT(suffixes); i++)
        if (suffixes[i].pattern == pattern) return suffixes[i].suffix;
    return "";
}

static bool has_word(const char *words, struct px_str word)
{
    struct px_str rest = px_str_c(words), one;
    bool more = true;
    while (more) {
        more = px_str_cut(&rest, ' ', &one);
        if (px_str_eq(one, word)) return true;
    }
    return false;
}

static bool is_optimised(const struct asl_resource *resource)
{
    for (size_t i = 0; i < PX_COUNT(integrations); i++)
        if (px_str_eq(px_str_c(integrations[i].service), resource->service) &&
            has_word(integrations[i].actions, resource->action))
            return (integrations[i].patterns & (1u << resource->pattern)) != 0;
    return false;
}

/* Lower-case letters, digits and hyphens; of an action letters and digits, a lower-case one first. */
static bool is_service_name(struct px_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (i > 0 && ((c >= '0' && c <= '9') || c == '-'))))
            return false;
    }
    return name.len > 0;
}
static bool is_action_name(struct px_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool lower = c >= 'a' && c <= 'z';
        bool other = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!lower && !(i > 0 && other)) return false;
    }
    return name.len > 0;
}

static void take_pattern(struct px_str *name, enum asl_pattern *ret_pattern)
{
    *ret_pattern = ASL_REQUEST_RESPONSE;
    for (size_t i = 0; i < PX_COUNT(suffixes); i++) {
        struct px_str suffix = px_str_c(suffixes[i].suffix);
        if (!px_str_ends(*name, suffix)) continue;
        name->len -= suffix.len;
        *ret_pattern = suffixes[i].pattern;
        return;
    }
}

/* rest: "lambda:invoke.waitForTaskToken" or "aws-sdk:efs:describeAccessPoints". */
static int parse_service(struct px_str rest, struct asl_resource *resource)
{
    resource->kind = ASL_RESOURCE_SERVICE;
    take_pattern(&rest, &resource->pattern);
    struct px_str service, all = rest;
    if (!px_str_cut(&rest, ':', &service)) return ASL_RESOURCE_UNKNOWN;
    if (px_str_eq(service, S("aws-sdk"))) {
        struct px_str name;
        if (!px_str_cut(&rest, ':', &name) || !is_service_name(name) || !is_action_name(rest))
            return ASL_RESOURCE_UNKNOWN;
        resource->service = px_str(all.ptr, service.len + 1 + name.len);
        resource->action = rest;
        bool has = resource->pattern == ASL_REQUEST_RESPONSE || resource->pattern == ASL_TASK_TOKEN;
        return has ? 0 : ASL_RESOURCE_UNKNOWN;
    }
    resource->service = service;
    resource->action = rest;
    return is_optimised(resource) ? 0 : ASL_RESOURCE_UNKNOWN;
}

/* rest: "function:name" with an optional qualifier. */
static int parse_function(struct px_str rest, struct asl_resource *resource)
{
    struct px_str head;
    resource->kind = ASL_RESOURCE_LAMBDA;
    resource->service = S("lambda");
    resource->action = S("function");
    bool fine = px_str_cut(&rest, ':', &head) && px_str_eq(head, S("function")) && rest.len > 0;
    return fine ? 0 : ASL_RESOURCE_UNKNOWN;
}

static int parse_activity(struct px_str rest, struct asl_resource *resource)
{
    resource->kind = ASL_RESOURCE_ACTIVITY;
    resource->service = S("states");
    resource->action = S("activity");
    return rest.len > strlen("activity:") ? 0 : ASL_RESOURCE_UNKNOWN;
}

/* arn:partition:service:region:account:rest */
static bool cut_arn(struct px_str arn, struct px_str parts[5], struct px_str *ret_rest)
{
    *ret_rest = arn;
    for (size_t i = 0; i < 5; i++)
        if (!px_str_cut(ret_rest, ':', &parts[i])) return false;
    return px_str_eq(parts[0], S("arn")) && px_str_starts(parts[1], S("aws")) && ret_rest->len > 0;
}

int asl_resource_parse(struct px_str arn, struct asl_resource *ret_resource)
{
    struct px_str parts[5], rest;
    struct asl_resource resource = {.arn = arn};
    if (!cut_arn(arn, parts, &rest)) return ASL_RESOURCE_NO_ARN;
    int r = ASL_RESOURCE_UNKNOWN;
    bool nowhere = parts[3].len == 0 && parts[4].len == 0;
    if (px_str_eq(parts[2], S("lambda")))
        r = parse_function(rest, &resource);
    else if (px_str_eq(parts[2], S("states")) && !nowhere && px_str_starts(rest, S("activity:")))
        r = parse_activity(rest, &resource);
    else if (px_str_eq(parts[2],
                       S("states"))) /* some tools write region and account, and it is taken */
        r = parse_service(rest, &resource);
    if (r == 0) *ret_resource = resource;
    return r;
}

const char *asl_resource_needs(const struct asl_resource *resource, size_t i)
{
    if (resource->kind != ASL_RESOURCE_SERVICE) return NULL;
    for (size_t n = 0; n < PX_COUNT(needs); n++) {
        if (!px_str_eq(px_str_c(needs[n].service), resource->service) ||
            !px_str_eq(px_str_c(needs[n].action), resource->action))
            continue;
        for (size_t k = 0; k < i; k++)
            if (!needs[n].members[k]) return NULL;
        return needs[n].members[i];
    }
    return NULL;
}

bool asl_resource_is_s3(struct px_str arn, const char *action)
{
    struct px_str parts[5], rest, service;
    return cut_arn(arn, parts, &rest) && px_str_eq(parts[2], S("states")) && parts[3].len == 0 &&
           parts[4].len == 0 && px_str_cut(&rest, ':', &service) && px_str_eq(service, S("s3")) &&
           px_str_eq(rest, px_str_c(action));
}
