/* aws/verdict.h - what an answer of AWS, or the lack of one, means. Inside aws and its tests only.
 *
 * AWS names its errors; the names say more than the status. A name that no table has is judged by
 * the status: 429 throttles, 5xx is the service's trouble, the rest is refused. */
#pragma once

#include "base/px.h"

enum verdict {
    VERDICT_OK,
    VERDICT_REFUSED,     /* the caller's to handle: a condition, a missing table, a bad request */
    VERDICT_THROTTLED,   /* tried again */
    VERDICT_SERVER,      /* tried again; may have been carried out */
    VERDICT_LOST,        /* no whole answer: tried again; may have been carried out */
    VERDICT_UNREACHABLE, /* not sent: tried again */
    VERDICT_SILENT,      /* nothing came in time: tried again; may have been carried out */
    VERDICT_EXPIRED,     /* the credentials have */
    VERDICT_CLOCK,       /* this machine's is wrong */
    VERDICT_REGION,      /* signed for another */
    VERDICT_DENIED
};
bool verdict_retries(enum verdict verdict);
/* The request may have been carried out. */
bool verdict_is_unsure(enum verdict verdict);
int verdict_fault(enum verdict verdict);
const char *verdict_text(enum verdict verdict); /* "throttled" */

/* code: the error's name, empty when there was none
 *   message   what AWS adds; looked at, never shown, since it may quote what was signed
 *   skew_s    AWS's time minus this machine's; 0 when not known */
enum verdict verdict_of(int status, struct px_str code, struct px_str message, int64_t skew_s);

/* From "x-amzn-errortype: Name:http://..." or "com.amazonaws.dynamodb.v20120810#Name". */
struct px_str verdict_code(struct px_str raw);
