/* svc/security/authorizer.h - API Gateway's Lambda authorizer: whose request is this?
 *
 * Event of type REQUEST (headers) or TOKEN (authorizationToken) to a policy and a context. The policy
 * allows or denies the whole stage, because API Gateway caches it by key for every method; what the
 * key may do stands in the context's scopes and is checked by each function.
 * Source: API Gateway developer guide, "Use API Gateway Lambda authorizers", input and output. */
#pragma once

#include "lambda/runtime.h"
#include "svc/security/keys.h"
#include "svc/security/token.h"
#include "svc/sharding/registry.h"

struct authorizer {
    struct keys keys;
    struct registry registry;
    struct px_str environment; /* dev, staging, prod; empty on a single machine */
    struct token_place place;  /* whose tokens are taken */
};
/* usageIdentifierKey: by what a usage plan counts, one for each tenant, whichever of its keys is used.
 * "prism" and the SHA-256 of "<environment>/<tenant>" in hex: API Gateway wants 20 to 128 letters and
 * digits, unique in an account and region. The workflow tenant-onboarding computes the same.
 *
 * What is shown is a key, or a token that a key issued (token.h), which is good as long as that key is.
 * Unknown, revoked, expired, malformed or missing key or token, deleted tenant: the error "Unauthorized" and
 * nothing more (401). Suspended tenant: a policy that denies (403). */
PX_MUST_USE int authorizer_handle(const struct authorizer *authorizer,
                                  const struct lambda_event *event);
