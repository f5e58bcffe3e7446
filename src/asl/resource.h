/* asl/resource.h - what a Task's Resource may name: a function, an activity, an optimised integration with the actions and
 * patterns that it has, or an action of any service by AWS's SDK. */
#pragma once

#include "asl/definition.h"

enum asl_resource_answer {
    ASL_RESOURCE_NO_ARN = 1,
    ASL_RESOURCE_UNKNOWN, /* an ARN, but of nothing that a Task can call */
};
/* Views into arn. Answers: ASL_RESOURCE_NO_ARN, ASL_RESOURCE_UNKNOWN. */
PX_MUST_USE int asl_resource_parse(struct px_str arn, struct asl_resource *ret_resource);
/* ".sync", ".sync:2", ".waitForTaskToken"; "" for request and response. */
const char *asl_pattern_suffix(enum asl_pattern pattern);
/* The i-th member that the resource's call must have ("FunctionName"); NULL behind the last. */
const char *asl_resource_needs(const struct asl_resource *resource, size_t i);
/* The S3 calls of a distributed Map: "getObject" and the like, of any partition. */
bool asl_resource_is_s3(struct px_str arn, const char *action);
