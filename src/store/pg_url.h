/* store/pg_url.h - where a PostgreSQL is and how to connect, from an URL. Inside store and its tests only.
 *
 *   postgresql://user[:password]@host[:port]/database[?name=value&...]
 *
 *     sslmode      verify-full (the default), or disable: for this machine alone
 *     sslrootcert  certificates to trust, PEM; else AWS_CA_BUNDLE, else the system's
 *     iam          1: sign in with an IAM token in place of a password; the host may be a private name for RDS's
 *     secret       name of a secret with {"username","password"}, asked for with each connection; no user stands in the URL then
 *     secrets      where secrets are (secrets.h): an URL or a folder
 *     host         folder of a Unix socket, when the URL names no host
 *
 * Parts are percent-encoded. Other parameters are refused, so that none is mistaken for being heeded. */
#pragma once

#include <limits.h>

#include "base/px.h"

struct pg_target {
    char host[256];
    char port[8];
    char user[128], password[256], database[128];
    char secret[201], secrets[PATH_MAX]; /* empty: user and password are above */
    char ca_file[PATH_MAX];              /* empty without TLS */
    bool tls, iam;
};
/* Faults: PX_F_CONFIG, which never quotes the URL. */
PX_MUST_USE int pg_target_init(struct px_str url, struct pg_target *ret_target);
