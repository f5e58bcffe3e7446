/* store/readers.h - what DuckDB needs to read a tenant's objects by itself: where they are, and
 * credentials that reach that tenant's objects only.
 *
 * In folders nothing is needed. In S3 a role is assumed for the tenant, with the session tag `tenant` and
 * a policy that allows reading below "<tenant>/" and nothing else; so a statement that got past all
 * other walls still meets AWS's. Credentials are kept and renewed in time. */
#pragma once

#include "base/px_clock.h"
#include "store/objects.h"

struct object_readers; /* opaque; one per thread */
struct object_readers_options {
    struct cloud_shared *cloud;     /* borrowed; NULL: they make their own */
    struct object_store *stores[2]; /* borrowed */
    struct px_str role_arn;         /* empty: this process's own credentials are lent */
    const struct px_clock *clock;   /* borrowed; NULL: the machine's */
    int64_t good_ms;                /* how long credentials last at least; 0: 20 minutes */
};
/* Faults: PX_F_CONFIG (stores at different endpoints), those of the cloud. */
PX_MUST_USE int object_readers_new(const struct object_readers_options *options,
                                   struct object_readers **ret_readers);
void object_readers_free(struct object_readers **readers);
/* Whether any store is in S3; NULL: none. */
bool object_readers_remote(const struct object_readers *readers);

struct object_reader {
    uint64_t serial;    /* another one: other credentials than before */
    struct px_str host; /* "host[:port]"; empty: AWS's own */
    bool tls, path_style;
    struct px_str region;
    struct px_str key_id, secret, token; /* valid until the next call */
};
/* Faults: those of cloud_call(), PX_F_DENIED. */
PX_MUST_USE int object_readers_get(struct object_readers *readers, struct px_str tenant,
                                   struct object_reader *ret_reader);
