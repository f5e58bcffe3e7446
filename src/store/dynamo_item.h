/* store/dynamo_item.h - items and changes in DynamoDB's JSON. Inside store only.
 *
 * Attributes are infra/global/README.md's, and put_id: the id of the put that wrote the item. When a
 * put's condition fails and the item in its way carries the put's own id, an earlier attempt whose
 * answer was lost has written it. */
#pragma once

#include "base/px_json.h"
#include "store/tables_half.h"

#define DYNAMO_ID_BYTES 32 /* hex digits */

/* A whole put, with its version known, or an update that adds 1 to whatever version stands there. The
 * latter cannot begin again at 1 over an expired item, so that its condition is that none is there. */
enum dynamo_change { DYNAMO_PUT, DYNAMO_UPDATE, DYNAMO_DELETE };

struct dynamo_op {
    const struct table_put *put;
    struct px_str prefix; /* of tables' names */
    const char *id;       /* put_id */
    int64_t now_s;
    bool fresh; /* TABLE_ANY over an expired item: put as new */
};
enum dynamo_change dynamo_op_change(const struct dynamo_op *op);
/* The version that a DYNAMO_PUT writes. */
int64_t dynamo_op_version(const struct dynamo_op *op);
/* Members of a request, or of an action of a transaction, without its braces. */
void dynamo_add_op(struct px_buf *buf, const struct dynamo_op *op);

/* "TableName":"<prefix>-<table>" */
void dynamo_add_table(struct px_buf *buf, struct px_str prefix, struct px_str table);
/* {"pk":{"S":...},"sk":{"S":"#..."}} */
void dynamo_add_key(struct px_buf *buf, struct px_str partition, struct px_str sort);
void dynamo_add_text(struct px_buf *buf, struct px_str text); /* {"S":...} */
void dynamo_add_sort(struct px_buf *buf, struct px_str sort); /* {"S":"#..."} */
/* {"N":"..."} */
void dynamo_add_number(struct px_buf *buf, int64_t value);

#define DYNAMO_ALIVE "(attribute_not_exists(expires_at) OR expires_at > :now)"
#define DYNAMO_GONE "(attribute_not_exists(pk) OR expires_at <= :now)"

struct dynamo_read {
    struct table_item item; /* text is the JSON's */
    struct px_str put_id;   /* empty when another program wrote the item */
    bool expired;
};
/* attributes NULL: absent, version 0.
 * Faults: PX_F_CORRUPT when they are not an item of ours. */
PX_MUST_USE int dynamo_read_item(yyjson_val *attributes, int64_t now_s,
                                 struct dynamo_read *ret_read);
PX_MUST_USE int dynamo_read_number(yyjson_val *attributes, const char *name, int64_t *ret_value);
