/* Which Resource is a call, of what, by which pattern. */
#include "support/support.h"

#include "asl/resource.h"

static struct asl_resource of(const char *arn)
{
    struct asl_resource resource = {0};
    int r = asl_resource_parse(px_str_c(arn), &resource);
    if (r != 0) TEST_FAIL("%s gave %d", arn, r);
    CHECK_STR(resource.arn, px_str_c(arn));
    return resource;
}

static void check_unknown(const char *const *arns, int answer)
{
    for (; *arns; arns++) {
        struct asl_resource resource = {0};
        int r = asl_resource_parse(px_str_c(*arns), &resource);
        if (r != answer || resource.arn.ptr) TEST_FAIL("%s gave %d", *arns, r);
    }
}

TEST(functions_and_activities)
{
    struct asl_resource f = of("arn:aws:lambda:eu-west-1:123456789012:function:f:live");
    CHECK_INT(f.kind, ASL_RESOURCE_LAMBDA);
    CHECK_STR(f.service, S("lambda"));
    CHECK_STR(f.action, S("function"));
    CHECK_INT(of("arn:aws-cn:states:cn-north-1:1:activity:a").kind, ASL_RESOURCE_ACTIVITY);
}

TEST(optimised_integrations_have_patterns)
{
    struct asl_resource r = of("arn:aws:states:::lambda:invoke.waitForTaskToken");
    CHECK_INT(r.kind, ASL_RESOURCE_SERVICE);
    CHECK_INT(r.pattern, ASL_TASK_TOKEN);
    CHECK_STR(r.service, S("lambda"));
    CHECK_STR(r.action, S("invoke"));
    CHECK_INT(of("arn:aws:states:::states:startExecution.sync:2").pattern, ASL_SYNC2);
    CHECK_INT(of("arn:aws:states:::states:startExecution.sync").pattern, ASL_SYNC);
    CHECK_INT(of("arn:aws-us-gov:states:::dynamodb:getItem").pattern, ASL_REQUEST_RESPONSE);
    CHECK_INT(of("arn:aws:states:::ecs:runTask.sync").pattern, ASL_SYNC);
}

TEST(services_by_the_sdk)
{
    struct asl_resource r = of("arn:aws:states:::aws-sdk:efs:describeAccessPoints");
    CHECK_STR(r.service, S("aws-sdk:efs"));
    CHECK_STR(r.action, S("describeAccessPoints"));
    CHECK_STR(of("arn:aws:states:us-east-1:123456789012:aws-sdk:s3:getObject").service,
              S("aws-sdk:s3"));
    CHECK_INT(of("arn:aws:states:::aws-sdk:sfn:startExecution.waitForTaskToken").pattern,
              ASL_TASK_TOKEN);
}

TEST(other_arns_are_not_recognised)
{
    static const char *const unknown[] = {
        "arn:aws:states:::dynamodb:query", /* not of the optimised ones */
        "arn:aws:states:::dynamodb:getItem.sync",
        "arn:aws:states:::lambda:invoke.sync",
        "arn:aws:states:::glue:startJobRun.sync:2",
        "arn:aws:states:::aws-sdk:efs:describeAccessPoints.sync",
        "arn:aws:states:::aws-sdk:EFS:describeAccessPoints",
        "arn:aws:states:::aws-sdk:efs:DescribeAccessPoints",
        "arn:aws:states:::aws-sdk:efs",
        "arn:aws:states:::s3:getObject", /* of a Map's reader only */
        "arn:aws:states:::nothing",
        "arn:aws:states:us-east-1:1:stateMachine:m",
        "arn:aws:states:us-east-1:1:activity:",
        "arn:aws:states:::activity:a",
        "arn:aws:lambda:us-east-1:1:layer:l",
        "arn:aws:lambda:us-east-1:1:function:",
        "arn:aws:sns:us-east-1:1:topic",
        NULL,
    };
    static const char *const no_arns[] = {"",
                                          "f",
                                          "arn:aws:states",
                                          "urn:aws:states:::sns:publish",
                                          "arn:x:states:::sns:publish",
                                          "arn:aws:states:::",
                                          NULL};
    check_unknown(unknown, ASL_RESOURCE_UNKNOWN);
    check_unknown(no_arns, ASL_RESOURCE_NO_ARN);
}

TEST(what_calls_need)
{
    struct asl_resource r = of("arn:aws:states:::sqs:sendMessage");
    CHECK_STR(px_str_c(asl_resource_needs(&r, 0)), S("QueueUrl"));
    CHECK_STR(px_str_c(asl_resource_needs(&r, 1)), S("MessageBody"));
    CHECK(!asl_resource_needs(&r, 2));
    r = of("arn:aws:states:::aws-sdk:sqs:sendMessage");
    CHECK(!asl_resource_needs(&r, 0));
}

TEST(readers_and_writers_of_maps)
{
    CHECK(asl_resource_is_s3(S("arn:aws:states:::s3:getObject"), "getObject"));
    CHECK(asl_resource_is_s3(S("arn:aws-cn:states:::s3:putObject"), "putObject"));
    CHECK(!asl_resource_is_s3(S("arn:aws:states:::s3:getObject"), "putObject"));
    CHECK(!asl_resource_is_s3(S("arn:aws:states:eu:1:s3:getObject"), "getObject"));
    CHECK(!asl_resource_is_s3((struct px_str){0}, "getObject"));
}

TEST_MAIN
