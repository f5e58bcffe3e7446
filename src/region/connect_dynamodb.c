/* region/connect_dynamodb.c - dynamodb:getItem, putItem, updateItem, deleteItem and query on the tables of workflows.json.
 *
 * An item is one row of the region's tables, its document the item in DynamoDB's JSON. A write reads the row, decides, and puts with
 * the version that it read as condition; who was overtaken begins again. Source of shapes and errors: DynamoDB API reference. */
#include "region/dynamo_expression.h"

#include "region/workflows_internal.h"

#define ROUNDS_MAX 100
#define NAME_MAX_BYTES 33

#define E_VALIDATION "DynamoDB.ValidationException"
#define E_NOT_FOUND "DynamoDB.ResourceNotFoundException"
#define E_CONDITION "DynamoDB.ConditionalCheckFailedException"
#define E_SERVER "DynamoDB.InternalServerErrorException"

/* Where a call's item is. */
struct place {
    struct table_store *store;
    char table[NAME_MAX_BYTES]; /* in the store */
    struct px_str key;          /* name of its key */
    struct px_str partition;
};
/* What a write does to an item. */
struct change {
    struct connection *c;
    struct place place;
    struct dynamo_words words;
    struct px_str condition;
    yyjson_mut_doc *doc;
    yyjson_mut_val *old, *item; /* old NULL: absent; item NULL: it goes */
    int64_t version;            /* of old; 0: absent */
    struct dynamo_changes changes;
};

/* "tenant-resources" is "wf_tenant_resources": the store's names have no '-'. */
static void store_name(struct px_str name, char table[NAME_MAX_BYTES])
{
    size_t len = 3;
    memcpy(table, "wf_", 3);
    for (size_t i = 0; i < name.len && len < NAME_MAX_BYTES - 1; i++)
        table[len++] = name.ptr[i] >= 'a' && name.ptr[i] <= 'z' ? name.ptr[i] : '_';
    table[len] = '\0';
}

static bool open_table(struct connection *c, struct place *place)
{
    struct px_str name = px_json_str(c->payload, "TableName"),
                  own = workflow_own_name(c->catalogue, name);
    const struct workflow_table *table = NULL;
    for (size_t i = 0; own.ptr && i < c->catalogue->table_count; i++)
        if (px_str_eq(c->catalogue->tables[i].name, own)) table = &c->catalogue->tables[i];
    if (!table) {
        connection_fail(c, E_NOT_FOUND, "Requested resource not found: Table: %.*s not found",
                        PX_FMT(name));
        return false;
    }
    if (!workflow_may(c->machine, "tables", own)) {
        connection_fail(c, "DynamoDB.AccessDeniedException",
                        "The machine may not use table %.*s (may.tables of workflows.json)",
                        PX_FMT(own));
        return false;
    }
    store_name(own, place->table);
    place->key = table->key;
    place->store = connection_tables(c, E_SERVER);
    return place->store != NULL;
}

/* The key's text in {"<key>":{"S":"..."}}; extra members make no key. */
static bool read_key(struct connection *c, yyjson_val *key, bool alone, struct place *place)
{
    yyjson_val *value = yyjson_obj_getn(key, place->key.ptr, place->key.len);
    place->partition = px_json_str(value, "S");
    if (place->partition.len && dynamo_value_ok(value) && (!alone || yyjson_obj_size(key) == 1))
        return true;
    connection_fail(c, E_VALIDATION,
                    "The provided key element does not match the schema (the key is %.*s, a text)",
                    PX_FMT(place->key));
    return false;
}

static struct table_key row_key(const struct place *place)
{
    return (struct table_key){px_str_c(place->table), place->partition, S("")};
}

/* ---- getItem, query ---- */

static void get_item(struct connection *c)
{
    struct place place = {0};
    struct table_item row;
    if (!open_table(c, &place) || !read_key(c, px_json_obj(c->payload, "Key"), true, &place))
        return;
    const struct table_key key = row_key(&place);
    int r = table_get(place.store, &key, &c->arena, &row);
    if (r < 0) {
        connection_fault(c, E_SERVER, r);
        return;
    }
    px_buf_add_char(&c->output, '{');
    if (r == 0) {
        px_buf_add_c(&c->output, "\"Item\":");
        px_buf_add_str(&c->output, row.document);
    }
    size_t begin = c->output.len;
    connection_add_metadata(c);
    if (r != 0 && !px_buf_fault(&c->output)) c->output.ptr[begin] = ' '; /* no comma at first */
    px_buf_add_char(&c->output, '}');
    connection_succeed(c);
}

/* These tables have a partition key only, so a query gives its one item or none. */
static void query(struct connection *c)
{
    struct place place = {0};
    struct dynamo_words words = {px_json_obj(c->payload, "ExpressionAttributeNames"),
                                 px_json_obj(c->payload, "ExpressionAttributeValues"), 0, 0};
    struct px_str text = px_json_str(c->payload, "KeyConditionExpression"), name, rest = text;
    if (!open_table(c, &place)) return;
    bool shaped = px_str_cut(&rest, '=', &name);
    name = px_str_trim(name);
    rest = px_str_trim(rest);
    struct px_str stands = px_json_val_str(yyjson_obj_getn(words.names, name.ptr, name.len));
    yyjson_val *value = yyjson_obj_getn(words.values, rest.ptr, rest.len);
    place.partition = px_json_str(value, "S");
    if (!shaped || !px_str_eq(stands.ptr ? stands : name, place.key) || !place.partition.len) {
        connection_fail(c, E_VALIDATION,
                        "Invalid KeyConditionExpression: here it is \"%.*s = :value\"",
                        PX_FMT(place.key));
        return;
    }
    struct table_item row;
    const struct table_key key = row_key(&place);
    int r = table_get(place.store, &key, &c->arena, &row);
    if (r < 0) {
        connection_fault(c, E_SERVER, r);
        return;
    }
    px_buf_printf(&c->output, "{\"Count\":%d,\"ScannedCount\":%d,\"Items\":[", r == 0, r == 0);
    if (r == 0) px_buf_add_str(&c->output, row.document);
    px_buf_add_char(&c->output, ']');
    connection_add_metadata(c);
    px_buf_add_char(&c->output, '}');
    connection_succeed(c);
}

/* ---- writes ---- */

static bool refused(struct change *change, int r, struct px_str why)
{
    if (r == 0) return false;
    if (r == DYNAMO_INVALID)
        connection_fail(change->c, E_VALIDATION, "%.*s", PX_FMT(why));
    else
        connection_fault(change->c, E_SERVER, r);
    return true;
}

static int read_old(struct change *change)
{
    struct table_item row;
    yyjson_val *root = NULL;
    const struct table_key key = row_key(&change->place);
    change->old = NULL;
    change->version = 0;
    int r = table_get(change->place.store, &key, &change->c->arena, &row);
    if (r == TABLE_ABSENT) return 0;
    PX_TRY(r);
    r = px_json_parse(row.document, &change->c->arena, &root, NULL);
    if (r > 0) return px_fault(PX_F_CORRUPT, "an item of table %s", change->place.table);
    PX_TRY(r);
    change->old = yyjson_val_mut_copy(change->doc, root);
    change->version = row.version;
    return change->old ? 0 : px_fault(PX_F_OOM, "an item");
}

static bool meets_condition(struct change *change)
{
    struct connection *c = change->c;
    struct px_str why = {0};
    bool holds = true;
    if (change->condition.ptr) {
        yyjson_mut_val *item = change->old ? change->old : yyjson_mut_obj(change->doc);
        if (refused(
                change,
                dynamo_condition(change->condition, &change->words, item, &c->arena, &holds, &why),
                why))
            return false;
    }
    if (refused(change, dynamo_words_check(&change->words, &c->arena, &why), why)) return false;
    if (!holds) connection_fail(c, E_CONDITION, "The conditional request failed");
    return holds;
}

static bool is_changed(const struct change *change, yyjson_mut_val *key)
{
    struct px_str name = px_str(yyjson_mut_get_str(key), yyjson_mut_get_len(key));
    for (size_t i = 0; i < change->changes.count; i++)
        if (px_str_eq(change->changes.names[i], name)) return true;
    return false;
}

static void add_item(struct px_buf *buf, yyjson_mut_val *item)
{
    size_t len = 0;
    char *text = yyjson_mut_val_write(item, 0, &len);
    if (!text) {
        buf->fault = PX_F_OOM;
        return;
    }
    px_buf_add(buf, text, len);
    free(text);
}

static void add_attributes(struct change *change, yyjson_mut_val *item, bool changed_only)
{
    struct px_buf *buf = &change->c->output;
    bool first = true;
    if (!item) return;
    px_buf_add_c(buf, "\"Attributes\":{");
    yyjson_mut_obj_iter iter = yyjson_mut_obj_iter_with(item);
    yyjson_mut_val *key;
    while ((key = yyjson_mut_obj_iter_next(&iter))) {
        if (changed_only && !is_changed(change, key)) continue;
        if (!first) px_buf_add_char(buf, ',');
        first = false;
        px_buf_add_json_str(buf, px_str(yyjson_mut_get_str(key), yyjson_mut_get_len(key)));
        px_buf_add_char(buf, ':');
        add_item(buf, yyjson_mut_obj_iter_get_val(key));
    }
    px_buf_add_char(buf, '}');
}

static void write_output(struct change *change)
{
    struct connection *c = change->c;
    struct px_str want = px_json_str(c->payload, "ReturnValues");
    px_buf_clear(&c->output);
    px_buf_add_char(&c->output, '{');
    if (px_str_eq(want, S("ALL_OLD"))) add_attributes(change, change->old, false);
    if (px_str_eq(want, S("ALL_NEW"))) add_attributes(change, change->item, false);
    if (px_str_eq(want, S("UPDATED_OLD"))) add_attributes(change, change->old, true);
    if (px_str_eq(want, S("UPDATED_NEW"))) add_attributes(change, change->item, true);
    size_t begin = c->output.len;
    connection_add_metadata(c);
    if (begin == 1 && !px_buf_fault(&c->output)) c->output.ptr[begin] = ' ';
    px_buf_add_char(&c->output, '}');
}

static int put_row(struct change *change)
{
    struct px_str document = {0};
    if (change->item) {
        PX_AUTO(px_buf_deinit) struct px_buf text;
        px_buf_init(&text, 1u << 20);
        add_item(&text, change->item);
        PX_TRY(px_buf_fault(&text));
        document = px_arena_dup(&change->c->arena, px_buf_str(&text));
        if (!document.ptr) return px_arena_fault(&change->c->arena);
    }
    const struct table_put put = {
        .key = row_key(&change->place),
        .document = document,
        .condition = change->version == 0 ? (change->item ? TABLE_NEW : TABLE_ANY) : TABLE_VERSION,
        .version = change->version,
    };
    return connection_put(change->c, change->place.store, &put, 1);
}

/* `make` sets change->item from change->old; false when it refused. */
static void write_item(struct connection *c, bool (*make)(struct change *change), bool key_alone,
                       yyjson_val *key)
{
    struct change change = {.c = c,
                            .words = {px_json_obj(c->payload, "ExpressionAttributeNames"),
                                      px_json_obj(c->payload, "ExpressionAttributeValues"), 0, 0},
                            .condition = px_json_str(c->payload, "ConditionExpression")};
    int r = TABLE_CONDITION_FAILED;
    if (!open_table(c, &change.place) || !read_key(c, key, key_alone, &change.place)) return;
    for (int round = 0; r == TABLE_CONDITION_FAILED && round < ROUNDS_MAX; round++) {
        change.doc = yyjson_mut_doc_new(NULL);
        r = change.doc ? read_old(&change) : px_fault(PX_F_OOM, "an item");
        if (r == 0 && make(&change) && meets_condition(&change)) {
            write_output(&change);
            r = put_row(&change);
        }
        yyjson_mut_doc_free(change.doc);
        if (c->outcome != CONNECTION_OPEN) return;
    }
    if (r == TABLE_CONDITION_FAILED)
        connection_fail(c, "DynamoDB.ThrottlingException", "The item changes all the time.");
    else if (r != 0)
        connection_fault(c, E_SERVER, r);
    else
        connection_succeed(c);
}

static bool make_update(struct change *change)
{
    struct connection *c = change->c;
    struct place *place = &change->place;
    struct px_str why = {0}, text = px_json_str(c->payload, "UpdateExpression");
    yyjson_mut_doc *doc = change->doc;
    change->item = change->old ? yyjson_mut_val_mut_copy(doc, change->old) : yyjson_mut_obj(doc);
    yyjson_mut_val *value = change->item && !change->old ? yyjson_mut_obj(doc) : NULL;
    bool fine = change->item != NULL;
    if (fine && !change->old)
        fine = value &&
               yyjson_mut_obj_add_strncpy(doc, value, "S", place->partition.ptr,
                                          place->partition.len) &&
               yyjson_mut_obj_add(change->item,
                                  yyjson_mut_strncpy(doc, place->key.ptr, place->key.len), value);
    if (!fine) {
        connection_fault(c, E_SERVER, px_fault(PX_F_OOM, "an item"));
        return false;
    }
    change->changes.count = 0;
    if (!text.ptr) return true; /* an item of its key alone */
    if (refused(change,
                dynamo_update(text, &change->words, doc, change->item, &c->arena, &change->changes,
                              &why),
                why))
        return false;
    for (size_t i = 0; i < change->changes.count; i++) {
        if (!px_str_eq(change->changes.names[i], place->key)) continue;
        connection_fail(c, E_VALIDATION,
                        "Cannot update attribute %.*s. This attribute is part of the "
                        "key",
                        PX_FMT(place->key));
        return false;
    }
    return true;
}

static bool make_put(struct change *change)
{
    yyjson_val *item = px_json_obj(change->c->payload, "Item"), *key, *val;
    size_t i, n;
    px_json_obj_foreach(item, i, n, key, val)
    {
        if (dynamo_value_ok(val)) continue;
        connection_fail(change->c, E_VALIDATION, "%s is no attribute value", yyjson_get_str(key));
        return false;
    }
    change->item = yyjson_val_mut_copy(change->doc, item);
    if (!change->item) connection_fault(change->c, E_SERVER, px_fault(PX_F_OOM, "an item"));
    return change->item != NULL;
}

static bool make_delete(struct change *change)
{
    change->item = NULL;
    return true;
}

static void update_item(struct connection *c)
{
    write_item(c, make_update, true, px_json_obj(c->payload, "Key"));
}
static void put_item(struct connection *c)
{
    write_item(c, make_put, false, px_json_obj(c->payload, "Item"));
}
static void delete_item(struct connection *c)
{
    write_item(c, make_delete, true, px_json_obj(c->payload, "Key"));
}

const struct connector connect_dynamodb[] = {
    {.service = "dynamodb", .action = "getItem", .work = get_item},
    {.service = "dynamodb", .action = "putItem", .work = put_item, .notes = true},
    {.service = "dynamodb", .action = "updateItem", .work = update_item, .notes = true},
    {.service = "dynamodb", .action = "deleteItem", .work = delete_item, .notes = true},
    {.service = "aws-sdk:dynamodb", .action = "query", .work = query},
    {0},
};
