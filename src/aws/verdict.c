/* aws/verdict.c - tables of errors; docs: verdict.h. */
#include "aws/verdict.h"

#define SKEW_MAX_S 240 /* AWS takes 5 minutes; the SDKs call a clock wrong from 4 */

static const struct {
    bool retries, unsure;
    int fault;
    const char *text;
} verdicts[] = {
    [VERDICT_OK] = {false, false, 0, "fine"},
    [VERDICT_REFUSED] = {false, false, PX_F_PROTOCOL, "refused"},
    [VERDICT_THROTTLED] = {true, false, PX_F_BUSY, "throttled"},
    [VERDICT_SERVER] = {true, true, PX_F_UNAVAILABLE, "the service failed"},
    [VERDICT_LOST] = {true, true, PX_F_UNAVAILABLE, "the connection broke"},
    [VERDICT_UNREACHABLE] = {true, false, PX_F_UNAVAILABLE, "no connection"},
    [VERDICT_SILENT] = {true, true, PX_F_TIMEOUT, "no answer in time"},
    [VERDICT_EXPIRED] = {false, false, PX_F_DENIED, "the credentials have expired"},
    [VERDICT_CLOCK] = {false, false, PX_F_DENIED, "this machine's clock is wrong"},
    [VERDICT_REGION] = {false, false, PX_F_CONFIG, "signed for the wrong region"},
    [VERDICT_DENIED] = {false, false, PX_F_DENIED, "denied"},
};

bool verdict_retries(enum verdict verdict) { return verdicts[verdict].retries; }
bool verdict_is_unsure(enum verdict verdict) { return verdicts[verdict].unsure; }
int verdict_fault(enum verdict verdict) { return verdicts[verdict].fault; }
const char *verdict_text(enum verdict verdict) { return verdicts[verdict].text; }

/* Names as botocore's and the Rust SDK's retry tables and the services' references have them. */
static const struct {
    const char *code;
    enum verdict verdict;
} codes[] = {
    {"Throttling", VERDICT_THROTTLED},
    {"ThrottlingException", VERDICT_THROTTLED},
    {"ThrottledException", VERDICT_THROTTLED},
    {"RequestThrottled", VERDICT_THROTTLED},
    {"RequestThrottledException", VERDICT_THROTTLED},
    {"TooManyRequestsException", VERDICT_THROTTLED},
    {"ProvisionedThroughputExceededException", VERDICT_THROTTLED},
    {"RequestLimitExceeded", VERDICT_THROTTLED},
    {"BandwidthLimitExceeded", VERDICT_THROTTLED},
    {"SlowDown", VERDICT_THROTTLED},
    {"PriorRequestNotComplete", VERDICT_THROTTLED},
    {"TransactionInProgressException", VERDICT_THROTTLED},
    {"TransactionConflictException", VERDICT_THROTTLED},
    {"ConditionalRequestConflict", VERDICT_THROTTLED}, /* S3: another writes this key just now */
    {"OperationAborted", VERDICT_THROTTLED},           /* S3, likewise */
    {"ReplicatedWriteConflictException", VERDICT_THROTTLED},
    {"InternalError", VERDICT_SERVER},
    {"InternalFailure", VERDICT_SERVER},
    {"InternalServerError", VERDICT_SERVER},
    {"ServiceUnavailable", VERDICT_SERVER},
    {"ServiceUnavailableException", VERDICT_SERVER},
    {"RequestTimeout", VERDICT_SERVER},
    {"RequestTimeoutException", VERDICT_SERVER},
    {"ExpiredToken", VERDICT_EXPIRED},
    {"ExpiredTokenException", VERDICT_EXPIRED},
    {"TokenRefreshRequired", VERDICT_EXPIRED},
    {"RequestTimeTooSkewed", VERDICT_CLOCK},
    {"RequestInTheFuture", VERDICT_CLOCK},
    {"RequestExpired", VERDICT_CLOCK},
    {"AuthorizationHeaderMalformed", VERDICT_REGION},
    {"PermanentRedirect", VERDICT_REGION},
    {"AccessDenied", VERDICT_DENIED},
    {"AccessDeniedException", VERDICT_DENIED},
    {"IncompleteSignature", VERDICT_DENIED},
    {"IncompleteSignatureException", VERDICT_DENIED},
    {"InvalidAccessKeyId", VERDICT_DENIED},
    {"InvalidClientTokenId", VERDICT_DENIED},
    {"MissingAuthenticationToken", VERDICT_DENIED},
    {"MissingAuthenticationTokenException", VERDICT_DENIED},
    {"OptInRequired", VERDICT_DENIED},
    {"UnrecognizedClientException", VERDICT_DENIED},
};

static bool contains(struct px_str text, struct px_str part)
{
    return text.len >= part.len && memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
}

/* A signature does not fit for many reasons, and the service tells two of them in words. */
static enum verdict verdict_of_signature(struct px_str message, int64_t skew_s)
{
    if (skew_s > SKEW_MAX_S || skew_s < -SKEW_MAX_S) return VERDICT_CLOCK;
    if (contains(message, S("valid region"))) return VERDICT_REGION;
    if (contains(message, S("Signature expired")) || contains(message, S("not yet current")))
        return VERDICT_CLOCK;
    return VERDICT_DENIED;
}

enum verdict verdict_of(int status, struct px_str code, struct px_str message, int64_t skew_s)
{
    if (status >= 200 && status < 300) return VERDICT_OK;
    if (px_str_eq(code, S("InvalidSignatureException")) ||
        px_str_eq(code, S("SignatureDoesNotMatch")))
        return verdict_of_signature(message, skew_s);
    for (size_t i = 0; i < PX_COUNT(codes); i++)
        if (px_str_eq(code, px_str_c(codes[i].code))) return codes[i].verdict;
    if (status == 429) return VERDICT_THROTTLED;
    if (status >= 500) return VERDICT_SERVER;
    if (code.len == 0 && (status == 401 || status == 403)) return VERDICT_DENIED;
    if (code.len == 0 && status == 301) return VERDICT_REGION; /* S3 to HEAD, which has no body */
    return VERDICT_REFUSED;
}

struct px_str verdict_code(struct px_str raw)
{
    struct px_str head, rest = raw;
    (void)px_str_cut(&rest, ':', &head);
    rest = head;
    return px_str_cut(&rest, '#', &head) ? rest : head;
}
