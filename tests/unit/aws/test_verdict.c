/* What errors of AWS mean; and endpoints. */
#include "support/support.h"

#include "aws/endpoint.h"
#include "aws/verdict.h"

TEST(errors_have_their_names_in_several_spellings)
{
    CHECK_STR(verdict_code(S("com.amazonaws.dynamodb.v20120810#ThrottlingException")),
              S("ThrottlingException"));
    CHECK_STR(verdict_code(S("AccessDenied:http://internal.amazon.com/coral/")), S("AccessDenied"));
    CHECK_STR(verdict_code(S("SlowDown")), S("SlowDown"));
    CHECK_STR(verdict_code(S("")), S(""));
}

TEST(the_name_says_more_than_the_status)
{
    static const struct {
        int64_t status;
        const char *code, *message;
        int64_t skew_s, verdict;
    } cases[] = {
        {200, "", "", 0, VERDICT_OK},
        {400, "ConditionalCheckFailedException", "", 0, VERDICT_REFUSED},
        {400, "ProvisionedThroughputExceededException", "", 0, VERDICT_THROTTLED},
        {400, "ReplicatedWriteConflictException", "", 0, VERDICT_THROTTLED},
        {503, "SlowDown", "", 0, VERDICT_THROTTLED},
        {429, "", "", 0, VERDICT_THROTTLED},
        {500, "InternalServerError", "", 0, VERDICT_SERVER},
        {502, "", "", 0, VERDICT_SERVER},
        {400, "ExpiredTokenException", "", 0, VERDICT_EXPIRED},
        {403, "RequestTimeTooSkewed", "", 0, VERDICT_CLOCK},
        {400, "InvalidSignatureException", "", 3600, VERDICT_CLOCK},
        {400, "InvalidSignatureException", "", -3600, VERDICT_CLOCK},
        {400, "InvalidSignatureException", "Signature expired: 2015 is now earlier than", 0,
         VERDICT_CLOCK},
        {400, "InvalidSignatureException",
         "Credential should be scoped to a valid region, not 'us-east-1'.", 0, VERDICT_REGION},
        {403, "SignatureDoesNotMatch", "", 10, VERDICT_DENIED},
        {400, "UnrecognizedClientException", "", 0, VERDICT_DENIED},
        {403, "", "", 0, VERDICT_DENIED},
        {404, "", "", 0, VERDICT_REFUSED},
        {400, "ValidationException", "", 0, VERDICT_REFUSED},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++)
        CHECK_INT(verdict_of((int)cases[i].status, px_str_c(cases[i].code),
                             px_str_c(cases[i].message), cases[i].skew_s),
                  cases[i].verdict);
}

static void endpoint_is(const char *url, bool tls, const char *host, int port,
                        const char *authority)
{
    struct cloud_endpoint endpoint;
    CHECK_OK(
        cloud_endpoint_init(px_str_c(url), S(""), S("dynamodb"), S("eu-central-1"), &endpoint));
    CHECK_INT(endpoint.tls, tls);
    CHECK_STR(px_str_c(endpoint.host), px_str_c(host));
    CHECK_INT(endpoint.port, port);
    CHECK_STR(px_str_c(endpoint.authority), px_str_c(authority));
}
TEST(endpoints_come_from_urls_and_from_names)
{
    endpoint_is("", true, "dynamodb.eu-central-1.amazonaws.com", 443,
                "dynamodb.eu-central-1.amazonaws.com");
    endpoint_is("http://127.0.0.1:8000", false, "127.0.0.1", 8000, "127.0.0.1:8000");
    endpoint_is("http://localhost", false, "localhost", 80, "localhost");
    endpoint_is("https://vpce-1.example.com/", true, "vpce-1.example.com", 443,
                "vpce-1.example.com");
    endpoint_is("http://[::1]:8000", false, "::1", 8000, "[::1]:8000");
    struct cloud_endpoint china;
    CHECK_OK(cloud_endpoint_init(S(""), S(""), S("dynamodb"), S("cn-north-1"), &china));
    CHECK_STR(px_str_c(china.host), S("dynamodb.cn-north-1.amazonaws.com.cn"));
}
TEST(what_is_no_endpoint_is_refused)
{
    static const char *const urls[] = {
        "dynamodb",  "ftp://x",       "http://",    "http://x:0",  "http://x:65536",
        "http://x:", "http://x/path", "http://u@x", "http://[::1", "http://[::1]x",
        "http://?",  "unix:",         "unix:x",     "unix:/"};
    for (size_t i = 0; i < PX_COUNT(urls); i++) {
        struct cloud_endpoint endpoint;
        CHECK_INT(cloud_endpoint_init(px_str_c(urls[i]), S(""), S("s3"), S("eu-west-1"), &endpoint),
                  PX_F_CONFIG);
    }
}

TEST_MAIN
