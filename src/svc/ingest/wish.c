/* svc/ingest/wish.c - see wish.h. */
#include "svc/ingest/wish.h"

#include <stdio.h>
#include <xxhash.h>

/* Everything that makes two requests the same, in one hash; the seed keeps routes, datasets, and keys
 * from contents, apart. The same records read with another time_field are other content. */
static void hash_request(const struct ingest_request *request, char kind, struct px_str text,
                         uint8_t hash[16])
{
    char context[80];
    int n = snprintf(context, sizeof context, "%c%c%.*s", kind, request->is_otlp ? 'o' : 'r',
                     PX_FMT(request->dataset));
    uint64_t seed = XXH3_64bits(context, (size_t)n);
    if (kind == 'c' && request->time_field.len > 0)
        seed = XXH3_64bits_withSeed(request->time_field.ptr, request->time_field.len, seed);
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical,
                             XXH3_128bits_withSeed(text.len ? text.ptr : "", text.len, seed));
    memcpy(hash, canonical.digest, 16);
}

struct claim_wish wish_for(const struct ingest_limits *limits, const struct ingest_request *request,
                           struct px_str body, const struct decode_result *result)
{
    bool has_key = request->key.ptr != NULL;
    struct claim_wish wish = {
        .tenant = request->tenant,
        .dataset = request->dataset,
        .has_key = has_key,
        .window_ns = (has_key ? limits->key_window_s : limits->hash_window_s) * PX_NS_PER_S,
        .lease_ns = limits->lease_s * PX_NS_PER_S,
        .accepted = result->accepted,
        .refused = result->refused,
    };
    hash_request(request, 'c', body, wish.content);
    if (has_key)
        hash_request(request, 'k', request->key, wish.request_id);
    else
        memcpy(wish.request_id, wish.content, 16);
    return wish;
}
