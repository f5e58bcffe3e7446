/* svc/storage/move_claims_put.c - claims that the target of a move puts itself, because replication is late.
 *
 * A claim that was written down names a frame on stable storage, so nobody withdraws it or takes it over as long as it
 * lasts: whichever of the two writes stands in the end, the source's or this one, names that frame. Only one that ends soon
 * is left to replication: the source may make another for the same key then, and this write might come behind it. */
#include "svc/storage/move_claims_internal.h"

#define SOON_NS                                                                                    \
    (120 * PX_NS_PER_S) /* more than clocks differ, or a process sleeps between look and put */

static bool may_put(const struct storage *storage, const struct move_claim *claim)
{
    if (claim->document.len == 0) return false;
    return claim->expires_ns == 0 ||
           claim->expires_ns - px_wall_ns(storage->options.clock) > SOON_NS;
}

int move_claims_put(struct storage *storage, struct px_str tenant, const struct move_claim *claims,
                    size_t count)
{
    struct table_put puts[TABLE_KEYS_MAX];
    size_t put_count = 0;
    PX_ASSERT(count <= TABLE_KEYS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (!may_put(storage, &claims[i])) continue;
        puts[put_count++] = (struct table_put){
            .key = {S(MOVE_CLAIMS_TABLE), tenant, claims[i].sort},
            .document = claims[i].document,
            .expires_ns = claims[i].expires_ns,
            .condition = claims[i].version == 0 ? TABLE_NEW : TABLE_VERSION,
            .version = claims[i].version};
    }
    int r = table_put_all(storage->options.tables, puts, put_count, NULL);
    return PX_MIN(r, 0);
}
