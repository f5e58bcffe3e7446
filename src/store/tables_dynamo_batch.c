/* store/tables_dynamo_batch.c - several items at once; docs: tables.h.
 *
 * BatchGetItem may leave keys unanswered when there is much to read or too much is asked for; what it left is asked for
 * again. It refuses a key that stands in one request twice.
 * Source: DynamoDB API reference, BatchGetItem. */
#include "store/tables_dynamo.h"

#include <stdio.h>
#include <unistd.h>

#define PAUSE_US 10000 /* before what was left is asked for again; doubled each time */

static bool same_key(const struct table_key *a, const struct table_key *b)
{
    return px_str_eq(a->partition, b->partition) && px_str_eq(a->sort, b->sort);
}

static bool stands_before(const struct table_key *keys, const bool *wanted, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (wanted[k] && same_key(&keys[k], &keys[i])) return true;
    return false;
}

struct asking {
    struct dynamo_tables *tables;
    const struct table_key *keys;
    size_t count;
    struct px_str name; /* of the table */
    bool wanted[TABLE_KEYS_MAX];
};

static int ask(struct asking *asking, yyjson_val **ret_root)
{
    struct px_buf *buf = &asking->tables->request;
    const char *comma = "";
    dynamo_begin(asking->tables);
    px_buf_printf(buf, "\"RequestItems\":{\"%.*s\":{\"ConsistentRead\":true,\"Keys\":[",
                  PX_FMT(asking->name));
    for (size_t i = 0; i < asking->count; i++) {
        if (!asking->wanted[i] || stands_before(asking->keys, asking->wanted, i)) continue;
        px_buf_add_c(buf, comma);
        dynamo_add_key(buf, asking->keys[i].partition, asking->keys[i].sort);
        comma = ",";
    }
    px_buf_add_c(buf, "]}}}");
    PX_TRY(dynamo_exchange(asking->tables, "BatchGetItem", ret_root));
    return 0;
}

/* The items of an answer, to wherever their keys stand. */
static int take_items(const struct asking *asking, yyjson_val *root, struct px_arena *arena,
                      struct table_item *items)
{
    yyjson_val *attributes;
    size_t at, n;
    px_json_arr_foreach(px_json_arr(px_json_obj(root, "Responses"), asking->name.ptr), at, n,
                        attributes)
    {
        struct dynamo_read read;
        PX_TRY(dynamo_read_item(attributes, dynamo_now_s(asking->tables), &read));
        if (read.item.version == 0 || read.expired) continue;
        const struct table_key found = {asking->keys[0].table, read.item.partition, read.item.sort};
        for (size_t i = 0; i < asking->count; i++)
            if (same_key(&asking->keys[i], &found))
                PX_TRY(table_item_keep(&read.item, arena, &items[i]));
    }
    return 0;
}

/* What is still wanted. */
static size_t keep_unanswered(struct asking *asking, yyjson_val *root)
{
    yyjson_val *left = px_json_obj(px_json_obj(root, "UnprocessedKeys"), asking->name.ptr), *key;
    bool still[TABLE_KEYS_MAX] = {false};
    size_t at, n, count = 0;
    px_json_arr_foreach(px_json_arr(left, "Keys"), at, n, key)
    {
        const struct table_key unanswered = {
            .partition = px_json_str(px_json_obj(key, "pk"), "S"),
            .sort = px_str_skip(px_json_str(px_json_obj(key, "sk"), "S"), 1)};
        for (size_t i = 0; i < asking->count; i++)
            still[i] = still[i] || same_key(&asking->keys[i], &unanswered);
        count++;
    }
    memcpy(asking->wanted, still, sizeof still);
    return count;
}

int dynamo_get_all(struct table_store *store, const struct table_key *keys, size_t count,
                   struct px_arena *arena, struct table_item *items)
{
    struct asking asking = {.tables = dynamo_of(store), .keys = keys, .count = count};
    char name[256];
    int bytes = snprintf(name, sizeof name, "%.*s-%.*s", PX_FMT(asking.tables->prefix),
                         PX_FMT(keys[0].table));
    asking.name = px_str(name, (size_t)bytes);
    for (size_t i = 0; i < count; i++) {
        PX_TRY(dynamo_text_check(&keys[i], S("")));
        asking.wanted[i] = true;
    }
    for (int turn = 0; turn < DYNAMO_TURNS_MAX; turn++) {
        yyjson_val *root = NULL;
        if (turn > 0) (void)usleep(PAUSE_US << (turn - 1));
        PX_TRY(ask(&asking, &root));
        PX_TRY(take_items(&asking, root, arena, items));
        if (keep_unanswered(&asking, root) == 0) return 0;
    }
    return px_fault(PX_F_UNAVAILABLE, "BatchGetItem: some keys are never answered");
}
