/* tests/unit/aws/reach.h - the environment of clients of AWS in tests: credentials that open nothing. */
#pragma once

#include "support/support.h"

#include <aws/common/device_random.h>

#include "aws/context.h"

/* Call it from a constructor: the Common Runtime keeps a file descriptor once it has begun, which
 * would be counted as a test's. */
static void reach_init(void)
{
    static const char *const unset[] = {"AWS_SESSION_TOKEN",
                                        "AWS_PROFILE",
                                        "AWS_CA_BUNDLE",
                                        "AWS_ENDPOINT_URL",
                                        "AWS_ENDPOINT_URL_DYNAMODB",
                                        "AWS_DEFAULT_REGION",
                                        "AWS_ROLE_ARN",
                                        "AWS_WEB_IDENTITY_TOKEN_FILE",
                                        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"};
    int r = 0;
    for (size_t i = 0; i < PX_COUNT(unset); i++) r |= unsetenv(unset[i]);
    r |= setenv("AWS_REGION", "eu-central-1", 1) | setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
    r |= setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 1);
    r |= setenv("AWS_CONFIG_FILE", "/nonexistent", 1);
    r |= setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent", 1);
    struct cloud *cloud = NULL;
    uint64_t random;
    PX_ASSERT(r == 0 && cloud_open(NULL, &cloud) == 0 && aws_device_random_u64(&random) == 0);
    cloud_close(&cloud);
}
