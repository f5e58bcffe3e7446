/* aws/context.h - what all clients of AWS in a process share: one event loop thread, names' addresses,
 * trust in certificates, credentials, the region. Made by the wiring of a program and passed down.
 *
 * Names of this library start with cloud_, because aws_ is the AWS Common Runtime's own. Settings
 * come from where AWS's tools look for them (docs/design/aws.md): AWS_REGION, AWS_CA_BUNDLE, and for
 * credentials, in this order: the environment, a profile, web identity, the container's endpoint.
 * They are fetched at the first request and again before they expire. */
#pragma once

#include "base/px.h"
#include "base/px_clock.h"

struct cloud; /* opaque; a thread lives in it, so make it after fork(2), not before */
struct cloud_options {
    const struct px_clock *clock; /* borrowed; the time in signatures; NULL: the machine's */
    struct px_str region;         /* empty: AWS_REGION, else AWS_DEFAULT_REGION */
    struct px_str ca_file;        /* PEM; empty: AWS_CA_BUNDLE, else the system's certificates */
};
/* options may be NULL.
 * Faults: PX_F_CONFIG (no region, certificates that cannot be read), PX_F_OOM. Later, the Common
 * Runtime aborts when the operating system refuses memory. */
PX_MUST_USE int cloud_open(const struct cloud_options *options, struct cloud **ret_cloud);
/* Its clients must be freed. Waits for the thread to end. */
void cloud_close(struct cloud **cloud);
