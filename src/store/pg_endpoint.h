/* store/pg_endpoint.h - the name that RDS gave to what a private name leads to. Inside store and its tests only. */
#pragma once

#include "base/px.h"

#define PG_HOST_BYTES 256
/* The first name, from host on along its CNAMEs, that is RDS's own; host when there is none. Certificates
 * and IAM tokens are for that name. It asks the machine's name servers, for 4 s at most each. */
void pg_endpoint_find(const char *host, char ret_name[PG_HOST_BYTES]);
/* The same from an answer of a name server, which may be anything. */
void pg_endpoint_read(const uint8_t *answer, size_t len, const char *host,
                      char ret_name[PG_HOST_BYTES]);
