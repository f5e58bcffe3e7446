/* store/dynamo_item.c - DynamoDB's JSON, both ways; docs: dynamo_item.h.
 *
 * #v and #d stand for names that may be among DynamoDB's reserved words. Every name and value that a
 * request declares must be used in it, so each change lists exactly its own. */
#include "store/dynamo_item.h"

#include <inttypes.h>

/* ---- writing ---- */

void dynamo_add_number(struct px_buf *buf, int64_t value)
{
    px_buf_printf(buf, "{\"N\":\"%" PRId64 "\"}", value);
}

void dynamo_add_text(struct px_buf *buf, struct px_str text)
{
    px_buf_add_c(buf, "{\"S\":");
    px_buf_add_json_str(buf, text);
    px_buf_add_char(buf, '}');
}

/* The sort key's '#' and what it begins with are one JSON string. */
void dynamo_add_sort(struct px_buf *buf, struct px_str sort)
{
    char text[1 + 512];
    PX_ASSERT(sort.len < sizeof text);
    text[0] = '#';
    if (sort.len > 0) memcpy(text + 1, sort.ptr, sort.len);
    dynamo_add_text(buf, px_str(text, 1 + sort.len));
}

void dynamo_add_table(struct px_buf *buf, struct px_str prefix, struct px_str table)
{
    px_buf_printf(buf, "\"TableName\":\"%.*s-%.*s\"", PX_FMT(prefix), PX_FMT(table));
}

static void add_key_members(struct px_buf *buf, struct px_str partition, struct px_str sort)
{
    px_buf_add_c(buf, "\"pk\":");
    dynamo_add_text(buf, partition);
    px_buf_add_c(buf, ",\"sk\":");
    dynamo_add_sort(buf, sort);
}

void dynamo_add_key(struct px_buf *buf, struct px_str partition, struct px_str sort)
{
    px_buf_add_char(buf, '{');
    add_key_members(buf, partition, sort);
    px_buf_add_char(buf, '}');
}

/* Up, so that nothing expires before its time. */
static int64_t expiry_s(const struct table_put *put)
{
    return put->expires_ns / PX_NS_PER_S + (put->expires_ns % PX_NS_PER_S > 0);
}

enum dynamo_change dynamo_op_change(const struct dynamo_op *op)
{
    if (!op->put->document.ptr) return DYNAMO_DELETE;
    return op->put->condition == TABLE_ANY && !op->fresh ? DYNAMO_UPDATE : DYNAMO_PUT;
}

int64_t dynamo_op_version(const struct dynamo_op *op)
{
    return op->put->condition == TABLE_VERSION ? op->put->version + 1 : 1;
}

static void add_item(struct px_buf *buf, const struct dynamo_op *op)
{
    const struct table_put *put = op->put;
    px_buf_add_c(buf, ",\"Item\":{");
    add_key_members(buf, put->key.partition, put->key.sort);
    px_buf_add_c(buf, ",\"document\":");
    dynamo_add_text(buf, put->document);
    px_buf_add_c(buf, ",\"version\":");
    dynamo_add_number(buf, dynamo_op_version(op));
    px_buf_printf(buf, ",\"put_id\":{\"S\":\"%s\"}", op->id);
    if (put->expires_ns > 0) {
        px_buf_add_c(buf, ",\"expires_at\":");
        dynamo_add_number(buf, expiry_s(put));
    }
    px_buf_add_char(buf, '}');
}

static void add_update(struct px_buf *buf, const struct dynamo_op *op)
{
    px_buf_add_c(buf, ",\"Key\":");
    dynamo_add_key(buf, op->put->key.partition, op->put->key.sort);
    px_buf_add_c(buf, ",\"UpdateExpression\":\"SET #d = :d, #v = if_not_exists(#v, :zero) + :one,"
                      " put_id = :id");
    px_buf_add_c(buf, op->put->expires_ns > 0 ? ", expires_at = :e\"" : " REMOVE expires_at\"");
    px_buf_add_c(buf, ",\"ConditionExpression\":\"" DYNAMO_ALIVE "\""
                      ",\"ExpressionAttributeNames\":{\"#d\":\"document\",\"#v\":\"version\"}"
                      ",\"ExpressionAttributeValues\":{\":zero\":{\"N\":\"0\"},\":one\":{\"N\":"
                      "\"1\"},\":d\":");
    dynamo_add_text(buf, op->put->document);
    px_buf_printf(buf, ",\":id\":{\"S\":\"%s\"}", op->id);
    if (op->put->expires_ns > 0) {
        px_buf_add_c(buf, ",\":e\":");
        dynamo_add_number(buf, expiry_s(op->put));
    }
    px_buf_add_c(buf, ",\":now\":");
    dynamo_add_number(buf, op->now_s);
    px_buf_add_char(buf, '}');
}

static void add_condition(struct px_buf *buf, const struct dynamo_op *op)
{
    if (op->put->condition == TABLE_VERSION) {
        px_buf_add_c(buf, ",\"ConditionExpression\":\"#v = :v AND " DYNAMO_ALIVE "\""
                          ",\"ExpressionAttributeNames\":{\"#v\":\"version\"}"
                          ",\"ExpressionAttributeValues\":{\":v\":");
        dynamo_add_number(buf, op->put->version);
        px_buf_add_char(buf, ',');
    } else {
        px_buf_add_c(buf, ",\"ConditionExpression\":\"" DYNAMO_GONE "\""
                          ",\"ExpressionAttributeValues\":{");
    }
    px_buf_add_c(buf, "\":now\":");
    dynamo_add_number(buf, op->now_s);
    px_buf_add_char(buf, '}');
}

void dynamo_add_op(struct px_buf *buf, const struct dynamo_op *op)
{
    enum dynamo_change change = dynamo_op_change(op);
    dynamo_add_table(buf, op->prefix, op->put->key.table);
    if (change == DYNAMO_UPDATE) {
        add_update(buf, op);
    } else if (change == DYNAMO_PUT) {
        add_item(buf, op);
        add_condition(buf, op);
    } else {
        px_buf_add_c(buf, ",\"Key\":");
        dynamo_add_key(buf, op->put->key.partition, op->put->key.sort);
        if (op->put->condition == TABLE_ANY) return; /* cannot fail */
        add_condition(buf, op);
    }
    px_buf_add_c(buf, ",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\"");
}

/* ---- reading ---- */

static int corrupt(const char *name)
{
    return px_fault(PX_F_CORRUPT, "an item's %s is not what Prism writes", name);
}

int dynamo_read_number(yyjson_val *attributes, const char *name, int64_t *ret_value)
{
    struct px_str digits = px_json_str(px_json_obj(attributes, name), "N");
    return px_str_to_i64(digits, ret_value) ? 0 : corrupt(name);
}

static int read_text(yyjson_val *attributes, const char *name, struct px_str *ret_text)
{
    *ret_text = px_json_str(px_json_obj(attributes, name), "S");
    return ret_text->ptr ? 0 : corrupt(name);
}

int dynamo_read_item(yyjson_val *attributes, int64_t now_s, struct dynamo_read *ret_read)
{
    struct dynamo_read read = {.expired = false};
    if (attributes) {
        struct table_item *item = &read.item;
        int64_t expires_s = 0;
        PX_TRY(read_text(attributes, "pk", &item->partition));
        PX_TRY(read_text(attributes, "sk", &item->sort));
        PX_TRY(read_text(attributes, "document", &item->document));
        PX_TRY(dynamo_read_number(attributes, "version", &item->version));
        if (px_json_obj(attributes, "expires_at"))
            PX_TRY(dynamo_read_number(attributes, "expires_at", &expires_s));
        if (!px_str_starts(item->sort, S("#"))) return corrupt("sk");
        if (item->version < 1) return corrupt("version");
        if (expires_s < 0 || expires_s > INT64_MAX / PX_NS_PER_S) return corrupt("expires_at");
        item->sort = px_str_skip(item->sort, 1);
        item->expires_ns = expires_s * PX_NS_PER_S;
        read.expired = expires_s > 0 && expires_s <= now_s;
        read.put_id = px_json_str(px_json_obj(attributes, "put_id"), "S");
    }
    *ret_read = read;
    return 0;
}
