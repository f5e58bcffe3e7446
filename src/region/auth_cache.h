/* region/auth_cache.h - results of the authorizer by identity (the Authorization header), for the time
 * that the contract says, as API Gateway keeps them: only policies are kept, never failures.
 * One thread. Bounded: the least recently used goes first. */
#pragma once

#include "base/px_clock.h"
#include "lambda/apigw.h"

struct auth_cache; /* opaque */

#define AUTH_POLICY_STATEMENTS_MAX 8

/* What the authorizer said: statements for the gateway to weigh and the caller for the function. */
struct auth_result {
    struct {
        bool allow;
        struct px_str resource; /* ARN pattern with * and ? */
    } statements[AUTH_POLICY_STATEMENTS_MAX];
    size_t statement_count;
    struct api_caller caller;
};

PX_MUST_USE int auth_cache_new(const struct px_clock *clock, uint32_t ttl_s, size_t entries_max,
                               struct auth_cache **ret_cache);
void auth_cache_free(struct auth_cache **cache);
/* NULL when there is none or it has expired. Valid until the next call of this cache. */
const struct auth_result *auth_cache_find(struct auth_cache *cache, struct px_str identity);
/* Keep a copy. */
PX_MUST_USE int auth_cache_put(struct auth_cache *cache, struct px_str identity,
                               const struct auth_result *result);
void auth_cache_clear(struct auth_cache *cache);

/* Read an authorizer function's answer; views in arena. false: not a policy document. */
bool auth_result_parse(struct px_str payload, struct px_arena *arena,
                       struct auth_result *ret_result);
/* IAM's evaluation: an explicit Deny that matches wins, then an Allow, else no. */
bool auth_result_allows(const struct auth_result *result, const char *method_arn);
