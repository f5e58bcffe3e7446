/* region/names.h - what a request is for: the name that it calls, the base path below it, the stage of the API that answers there.
 *
 * Names are those of the contract (x-prism-names), with the region's name as {code} and NAMES_DOMAIN as {domain}, and the
 * operator's own. Each leads to every shard's stage by its base path, and without one to the first. A region that has names of
 * its own answers to no other, but to localhost and addresses, which stand for AWS's own endpoint of an API; one without answers to
 * any. Some of its own are for clients with certificates only (docs/design/tls.md).
 * Source: API Gateway developer guide, "Custom domain name for public REST APIs", "Use API mappings". */
#pragma once

#include "base/px_arena.h"
#include "http/server.h"
#include "region/openapi.h"

#define NAMES_DOMAIN "localhost" /* below it every name is this machine: RFC 6761 section 6.3 */
#define NAMES_OWN_MAX 64

struct names; /* opaque; lives in its arena */

struct names_stage {
    struct px_str name, base_path; /* both the shard's; the second may be empty */
    struct http_header variables[API_STAGE_VARIABLES_MAX];
    size_t variable_count;
};
struct names_own {
    struct px_str name;
    bool asks_client; /* for a certificate, by TLS, which was told so as well */
};
struct names_options {
    const struct api_names *contract;
    const char *const *shards; /* NULL behind the last; one at the least */
    struct px_str code;
    const struct names_own *own;
    size_t own_count;
};
/* Faults: PX_F_CONFIG: too many, or what is no name. */
PX_MUST_USE int names_new(const struct names_options *options, struct px_arena *arena,
                          const struct names **ret_names);

/* The names that clients without certificates call; returns how many, at most `max`. */
size_t names_each(const struct names *names, struct px_str *ret_names, size_t max);

struct names_place {
    const struct names_stage *stage;
    struct px_str domain; /* as it was called, without the port */
    struct px_str path;   /* below the base path */
};
enum names_answer { NAMES_FORBIDDEN = 1 };
/* Views of the request and of names. Answers: NAMES_FORBIDDEN: nothing has that name, or not for this client. */
PX_MUST_USE int names_find(const struct names *names, const struct http_request *request,
                           struct names_place *ret_place);
