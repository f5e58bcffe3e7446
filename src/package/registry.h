/* package/registry.h - images of a layout to a registry of containers, over HTTPS (HTTP on loopback addresses only).
 *
 * Sources: OCI distribution specification 1.0.1; distribution project, "Token Authentication Specification";
 * Amazon ECR user guide, "Registry authentication". */
#pragma once

#include "base/px_arena.h"
#include "package/image.h"

struct registry; /* opaque */
struct registry_options {
    struct px_str
        address; /* "host[:port]/repository", "https://...", "http://127.0.0.1:5000/repository" */
    /* Empty: PRISM_REGISTRY_USER and PRISM_REGISTRY_PASSWORD, else `auths` of Docker's configuration, else, for a registry of
     * Amazon ECR, a token that is asked for with AWS's credentials, else none. */
    struct px_str user, password;
};
/* Everything is in arena, which is borrowed. Nothing is sent yet, but for ECR's token.
 * Faults: PX_F_CONFIG (an address that is none; plain HTTP to another machine), PX_F_DENIED, PX_F_UNAVAILABLE, PX_F_OOM. */
PX_MUST_USE int registry_open(const struct registry_options *options, struct px_arena *arena,
                              struct registry **ret_registry);
void registry_close(struct registry **registry);

struct registry_pushed {
    struct px_str reference; /* "host/repository/name@sha256:..." */
    struct px_str tag;
    size_t blobs_sent, blobs_there;
};
/* Push one image of a layout to <repository>/<name>, under its digest and the tag <version>-<architecture>-<12 digits of the
 * digest>: a tag of its own where tags cannot be moved, and what is tagged is no leftover. What the registry has already is
 * not sent.
 * Faults: PX_F_DENIED, PX_F_UNAVAILABLE, PX_F_TIMEOUT, PX_F_PROTOCOL (refused), PX_F_IO, PX_F_CORRUPT (a blob that is not
 * what its name says), PX_F_LIMIT, PX_F_OOM. */
PX_MUST_USE int registry_push(struct registry *registry, const char *layout,
                              const struct image *image, struct registry_pushed *ret_pushed);
/* An index of one function's images, all of them pushed, under a tag, for those who run them elsewhere: Lambda takes none. */
PX_MUST_USE int registry_push_index(struct registry *registry, const struct image *images,
                                    size_t count, struct px_str tag);
