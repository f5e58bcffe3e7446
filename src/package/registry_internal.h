/* package/registry_internal.h - the insides of struct registry. Inside package only. */
#pragma once

#include "aws/client.h"
#include "package/registry.h"

struct registry {
    struct px_arena *arena;
    struct cloud *cloud;
    struct cloud_client *client;  /* tries again */
    struct cloud_client *uploads; /* does not: an upload that broke is begun anew */
    struct px_str origin;         /* "https://host" */
    struct px_str host;           /* with its port */
    struct px_str repository;     /* what stands before an image's name */
    struct px_str basic;          /* base64 of user:password; empty: none is known */
    struct px_str
        authorization; /* the header's value, once the registry has asked for it; empty: none */
};

/* Credentials for the host; none is no fault. Faults: PX_F_IO, PX_F_DENIED, PX_F_UNAVAILABLE, PX_F_OOM. */
PX_MUST_USE int registry_find_credentials(struct registry *registry,
                                          const struct registry_options *options);
/* After a 401: what its WWW-Authenticate asks for, as registry->authorization.
 * Faults: PX_F_DENIED (no credentials; refused), PX_F_PROTOCOL (a challenge that is none), and those of a call. */
PX_MUST_USE int registry_authorize(struct registry *registry, const struct cloud_response *refusal);
