/* store/tables_dynamo.h - what the files of the DynamoDB half share. Inside store only. */
#pragma once

#include "aws/client.h"
#include "aws/shared.h"
#include "store/dynamo_item.h"

#define DYNAMO_TURNS_MAX                                                                           \
    8 /* of an unconditional put that meets an item about to expire, or just expired */

struct dynamo_tables {
    struct table_store store; /* first: the header's functions know only this */
    struct cloud_shared own;  /* where nobody shares */
    struct cloud_client *client;
    uint32_t deadline_ms;
    struct px_str prefix; /* "<prefix>" of "<prefix>-<table>" */
    char prefix_text[200];
    struct px_arena scratch; /* of one call */
    struct px_buf request;
};
static inline struct dynamo_tables *dynamo_of(struct table_store *store)
{
    return (struct dynamo_tables *)store;
}
static inline int64_t dynamo_now_s(const struct dynamo_tables *tables)
{
    return px_wall_ns(tables->store.clock) / PX_NS_PER_S;
}

/* A request begins with '{'. */
void dynamo_begin(struct dynamo_tables *tables);
/* Send what stands in tables->request; what is read lives in tables->scratch.
 * Answers: DYNAMO_CONDITION_FAILED, with ret_root written. */
enum dynamo_answer { DYNAMO_CONDITION_FAILED = 1 };
PX_MUST_USE int dynamo_exchange(struct dynamo_tables *tables, const char *what,
                                yyjson_val **ret_root);
/* DynamoDB's text is UTF-8, while the header's keys are bytes. */
PX_MUST_USE int dynamo_text_check(const struct table_key *key, struct px_str document);

/* As table_half.get_all. */
PX_MUST_USE int dynamo_get_all(struct table_store *store, const struct table_key *keys,
                               size_t count, struct px_arena *arena, struct table_item *items);
