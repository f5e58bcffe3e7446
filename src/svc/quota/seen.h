/* svc/quota/seen.h - something about each tenant that was seen of late: of at most so many, and the least recently seen is forgotten first.
 * One thread.
 *
 * What is kept begins with its struct seen_tenant, is zeroed when it is new and belongs to the list. */
#pragma once

#include <aws/common/byte_buf.h>
#include <aws/common/linked_hash_table.h>

#include "base/px.h"

#define SEEN_TENANT_BYTES_MAX 63

struct seen_tenant {
    struct aws_byte_cursor key; /* of `name` */
    char name[SEEN_TENANT_BYTES_MAX + 1];
};
struct quota_seen {
    struct aws_linked_hash_table table; /* the least recently seen first */
    size_t max, bytes;                  /* how many; of each */
    bool (*is_needed)(const void *it);  /* and not forgotten; NULL: none is */
};

/* Faults: PX_F_OOM. */
PX_MUST_USE int quota_seen_init(struct quota_seen *seen, size_t max, size_t bytes,
                                bool (*is_needed)(const void *it));
void quota_seen_deinit(struct quota_seen *seen); /* of a zeroed one: a no-op */

/* NULL: it was not seen, or is forgotten. Finding it is not seeing it. */
void *quota_seen_find(const struct quota_seen *seen, struct px_str tenant);
/* It is the newest now. Where max are needed, there are more than max. NULL: no memory. tenant: 1 to SEEN_TENANT_BYTES_MAX bytes. */
void *quota_seen_now(struct quota_seen *seen, struct px_str tenant, bool *ret_new);
