/* store/tables_dynamo.c - items in DynamoDB; docs: tables.h, docs/design/aws.md.
 *
 * One change is one request with a condition, which DynamoDB checks and carries out as one step. What
 * has expired may still stand there, so that every condition and every filter compares expires_at
 * with the time. Requests are sent again when an answer is lost:
 *   puts          are known by their put_id when they find themselves
 *   transactions  carry a token by which DynamoDB knows them (for 10 minutes)
 *   deletes       without a condition may happen twice; those with one are transactions */
#include <stdlib.h>

#include "base/px_id.h"
#include "store/tables_dynamo.h"

#define ANSWER_BYTES_MAX                                                                           \
    (16u << 20) /* a page is 1 MB of items, and escapes are up to 6 times that */
#define REQUEST_BYTES_MAX (32u << 20) /* a transaction of 4 MB, likewise */
#define SCRATCH_BYTES_MAX (96u << 20)
#define PAGE_ITEMS_MAX 1000u

/* ---- one request ---- */

/* The whole of a transaction is refused because another was at one of its items just then. */
static bool is_passing(const struct cloud_response *response)
{
    if (!px_str_eq(response->error, S("TransactionCanceledException"))) return false;
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, SCRATCH_BYTES_MAX);
    yyjson_val *root = NULL, *reason;
    if (px_json_parse(response->body, &arena, &root, NULL) != 0) return false;
    size_t at, count;
    bool conflict = false;
    px_json_arr_foreach(px_json_arr(root, "CancellationReasons"), at, count, reason)
    {
        struct px_str code = px_json_str(reason, "Code");
        if (px_str_eq(code, S("ConditionalCheckFailed"))) return false;
        conflict = conflict || px_str_eq(code, S("TransactionConflict")) ||
                   px_str_eq(code, S("ThrottlingError")) ||
                   px_str_eq(code, S("ProvisionedThroughputExceeded"));
    }
    return conflict;
}

static int refusal(const struct dynamo_tables *tables, const char *what,
                   const struct cloud_response *response)
{
    if (px_str_eq(response->error, S("ConditionalCheckFailedException")) ||
        px_str_eq(response->error, S("TransactionCanceledException")))
        return DYNAMO_CONDITION_FAILED;
    if (px_str_eq(response->error, S("ResourceNotFoundException")))
        return px_fault(PX_F_CONFIG, "%s: a table %.*s-... does not exist", what,
                        PX_FMT(tables->prefix));
    return px_fault(PX_F_PROTOCOL, "%s: %d %.*s", what, response->status, PX_FMT(response->error));
}

int dynamo_exchange(struct dynamo_tables *tables, const char *what, yyjson_val **ret_root)
{
    if (px_buf_fault(&tables->request))
        return px_fault(px_buf_fault(&tables->request), "%s: a request", what);
    char target[64];
    (void)snprintf(target, sizeof target, "DynamoDB_20120810.%s", what);
    struct cloud_header headers[] = {{S("X-Amz-Target"), px_str_c(target)},
                                     {S("Content-Type"), S("application/x-amz-json-1.0")}};
    struct cloud_request request = {.what = what,
                                    .method = "POST",
                                    .path = S("/"),
                                    .headers = headers,
                                    .header_count = PX_COUNT(headers),
                                    .body = px_buf_str(&tables->request),
                                    .deadline_ms = tables->deadline_ms,
                                    .body_bytes_max = ANSWER_BYTES_MAX,
                                    .is_passing = is_passing};
    struct cloud_response response = {0};
    int sent = cloud_call(tables->client, &request, &tables->scratch, &response);
    if (sent < 0) PX_TRY(sent);
    int answer = sent == CLOUD_REFUSED ? refusal(tables, what, &response) : 0;
    if (answer < 0) PX_TRY(answer);
    int r = px_json_parse(response.body, &tables->scratch, ret_root, NULL);
    if (r == PX_JSON_INVALID) return px_fault(PX_F_PROTOCOL, "%s: the answer is not JSON", what);
    PX_TRY(r);
    return answer;
}

void dynamo_begin(struct dynamo_tables *tables)
{
    px_arena_reset(&tables->scratch);
    px_buf_clear(&tables->request);
    px_buf_add_char(&tables->request, '{');
}

int dynamo_text_check(const struct table_key *key, struct px_str document)
{
    if (px_utf8_ok(key->partition) && px_utf8_ok(key->sort) && px_utf8_ok(document)) return 0;
    return px_fault(PX_F_LIMIT, "DynamoDB takes no text that is not UTF-8");
}

/* ---- get ---- */

static int dynamo_get(struct table_store *store, const struct table_key *key,
                      struct px_arena *arena, struct table_item *ret_item)
{
    struct dynamo_tables *tables = dynamo_of(store);
    PX_TRY(dynamo_text_check(key, S("")));
    dynamo_begin(tables);
    dynamo_add_table(&tables->request, tables->prefix, key->table);
    px_buf_add_c(&tables->request, ",\"ConsistentRead\":true,\"Key\":");
    dynamo_add_key(&tables->request, key->partition, key->sort);
    px_buf_add_char(&tables->request, '}');
    yyjson_val *root = NULL;
    PX_TRY(dynamo_exchange(tables, "GetItem", &root));
    struct dynamo_read read;
    PX_TRY(dynamo_read_item(px_json_obj(root, "Item"), dynamo_now_s(tables), &read));
    if (read.item.version == 0 || read.expired) return TABLE_ABSENT;
    PX_TRY(table_item_keep(&read.item, arena, ret_item));
    return 0;
}

/* ---- one change ---- */

struct put_result {
    int64_t version;
    struct dynamo_read found; /* when the condition failed */
};

/* Answers: DYNAMO_CONDITION_FAILED, with ret_result->found written. */
static int put_once(struct dynamo_tables *tables, const struct dynamo_op *op,
                    struct put_result *ret_result)
{
    bool update = dynamo_op_change(op) == DYNAMO_UPDATE;
    dynamo_begin(tables);
    dynamo_add_op(&tables->request, op);
    px_buf_add_c(&tables->request, update ? ",\"ReturnValues\":\"UPDATED_NEW\"}" : "}");
    yyjson_val *root = NULL;
    int r = dynamo_exchange(tables, update ? "UpdateItem" : "PutItem", &root);
    if (r == DYNAMO_CONDITION_FAILED) {
        PX_TRY(dynamo_read_item(px_json_obj(root, "Item"), op->now_s, &ret_result->found));
        return r;
    }
    PX_TRY(r);
    ret_result->version = dynamo_op_version(op);
    if (update)
        PX_TRY(
            dynamo_read_number(px_json_obj(root, "Attributes"), "version", &ret_result->version));
    return 0;
}

static void id_make(char id[DYNAMO_ID_BYTES + 1])
{
    unsigned char bytes[DYNAMO_ID_BYTES / 2];
    px_random(bytes, sizeof bytes);
    px_hex(bytes, sizeof bytes, id);
}

/* What stood in the way, into the caller's arena. */
static int current_keep(const struct dynamo_read *found, struct px_arena *arena,
                        struct table_item *ret_current)
{
    if (!ret_current) return 0;
    *ret_current = (struct table_item){.version = 0};
    if (found->item.version == 0 || found->expired) return 0;
    PX_TRY(table_item_keep(&found->item, arena, ret_current));
    return 0;
}

static int dynamo_put(struct table_store *store, const struct table_put *put,
                      struct px_arena *arena, int64_t *ret_version, struct table_item *ret_current)
{
    struct dynamo_tables *tables = dynamo_of(store);
    char id[DYNAMO_ID_BYTES + 1];
    PX_TRY(dynamo_text_check(&put->key, put->document));
    id_make(id);
    struct dynamo_op op = {.put = put, .prefix = tables->prefix, .id = id};
    for (int turn = 0; turn < DYNAMO_TURNS_MAX; turn++) {
        struct put_result result = {.version = 0};
        op.now_s = dynamo_now_s(tables);
        int r = put_once(tables, &op, &result);
        bool mine = r == DYNAMO_CONDITION_FAILED && px_str_eq(result.found.put_id, px_str_c(id));
        if (mine) result.version = result.found.item.version;
        if (r == 0 || mine) {
            if (ret_version) *ret_version = result.version;
            return 0;
        }
        if (r != DYNAMO_CONDITION_FAILED) PX_TRY(r);
        if (put->condition != TABLE_ANY) {
            PX_TRY(current_keep(&result.found, arena, ret_current));
            return TABLE_CONDITION_FAILED;
        }
        op.fresh = result.found.expired;
    }
    return px_fault(PX_F_BUSY, "PutItem: the item comes and goes");
}

/* ---- several changes ---- */

static void add_action(struct px_buf *buf, const struct dynamo_op *op)
{
    static const char *const names[] = {
        [DYNAMO_PUT] = "Put", [DYNAMO_UPDATE] = "Update", [DYNAMO_DELETE] = "Delete"};
    px_buf_printf(buf, "{\"%s\":{", names[dynamo_op_change(op)]);
    dynamo_add_op(buf, op);
    px_buf_add_c(buf, "}}");
}

/* Answers: DYNAMO_CONDITION_FAILED, with ret_reasons, one for each change. */
static int transact(struct dynamo_tables *tables, const struct dynamo_op *ops, size_t count,
                    yyjson_val **ret_reasons)
{
    char token[DYNAMO_ID_BYTES + 1];
    id_make(token);
    dynamo_begin(tables);
    px_buf_printf(&tables->request, "\"ClientRequestToken\":\"%s\",\"TransactItems\":[", token);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) px_buf_add_char(&tables->request, ',');
        add_action(&tables->request, &ops[i]);
    }
    px_buf_add_c(&tables->request, "]}");
    yyjson_val *root = NULL;
    int r = dynamo_exchange(tables, "TransactWriteItems", &root);
    if (r == DYNAMO_CONDITION_FAILED) {
        *ret_reasons = px_json_arr(root, "CancellationReasons");
        return r;
    }
    PX_TRY(r);
    return 0;
}

/* Which change failed for good? TABLE_CONDITION_FAILED says ret_failed does; 0: unconditional puts
 * met expired items, or new ones, and are to be sent the other way. */
static int reasons_read(struct dynamo_op *ops, size_t count, yyjson_val *reasons,
                        size_t *ret_failed)
{
    size_t turned = 0;
    for (size_t i = 0; i < count; i++) {
        yyjson_val *reason = yyjson_arr_get(reasons, i);
        if (!px_str_eq(px_json_str(reason, "Code"), S("ConditionalCheckFailed"))) continue;
        if (ops[i].put->condition != TABLE_ANY) {
            if (ret_failed) *ret_failed = i;
            return TABLE_CONDITION_FAILED;
        }
        struct dynamo_read found;
        PX_TRY(dynamo_read_item(px_json_obj(reason, "Item"), ops[i].now_s, &found));
        ops[i].fresh = found.expired;
        turned++;
    }
    if (turned == 0) return px_fault(PX_F_PROTOCOL, "TransactWriteItems: cancelled for no reason");
    return 0;
}

static int ops_transact(struct dynamo_tables *tables, struct dynamo_op *ops, size_t count,
                        size_t *ret_failed)
{
    for (int turn = 0; turn < DYNAMO_TURNS_MAX; turn++) {
        yyjson_val *reasons = NULL;
        int64_t at_s = dynamo_now_s(tables);
        for (size_t i = 0; i < count; i++) ops[i].now_s = at_s;
        int r = transact(tables, ops, count, &reasons);
        if (r == 0) return 0;
        if (r != DYNAMO_CONDITION_FAILED) PX_TRY(r);
        r = reasons_read(ops, count, reasons, ret_failed);
        if (r == TABLE_CONDITION_FAILED) return r;
        PX_TRY(r);
    }
    return px_fault(PX_F_BUSY, "TransactWriteItems: an item comes and goes");
}

static int delete_any(struct dynamo_tables *tables, const struct dynamo_op *op)
{
    dynamo_begin(tables);
    dynamo_add_op(&tables->request, op);
    px_buf_add_char(&tables->request, '}');
    yyjson_val *root = NULL;
    PX_TRY(dynamo_exchange(tables, "DeleteItem", &root));
    return 0;
}

static int dynamo_put_all(struct table_store *store, const struct table_put *puts, size_t count,
                          size_t *ret_failed)
{
    struct dynamo_tables *tables = dynamo_of(store);
    struct dynamo_op ops[TABLE_PUTS_MAX];
    char id[DYNAMO_ID_BYTES + 1];
    id_make(id);
    PX_ASSERT(count <= TABLE_PUTS_MAX);
    for (size_t i = 0; i < count; i++) {
        PX_TRY(dynamo_text_check(&puts[i].key, puts[i].document));
        ops[i] = (struct dynamo_op){.put = &puts[i], .prefix = tables->prefix, .id = id};
    }
    if (count == 1 && !puts[0].document.ptr && puts[0].condition == TABLE_ANY)
        return delete_any(tables, &ops[0]);
    return ops_transact(tables, ops, count, ret_failed);
}

/* ---- queries ---- */

/* Where a query begins: behind a key, or at its first item. */
struct query_start {
    bool nothing; /* the key lies behind all that fits */
    bool behind;
    struct px_str partition, sort;
};

static struct query_start query_start(const struct table_query *query)
{
    struct px_str partition = query->after_partition, sort = query->after_sort;
    struct px_str own = query->key.partition, prefix = query->key.sort;
    if (partition.len == 0 && sort.len > 0) partition = own;
    struct query_start start = {.behind = partition.len > 0, .partition = partition, .sort = sort};
    if (!start.behind || own.len == 0) return start;
    int order = px_str_cmp(partition, own);
    if (order < 0 || (order == 0 && px_str_cmp(sort, prefix) < 0)) start.behind = false;
    /* DynamoDB refuses to begin outside of what the query asks for */
    start.nothing = start.behind && (order > 0 || !px_str_starts(sort, prefix));
    return start;
}

static void add_query_values(struct px_buf *buf, const struct table_query *query, int64_t at_s)
{
    px_buf_add_c(buf, ",\"FilterExpression\":\"" DYNAMO_ALIVE);
    if (query->key.partition.len == 0) px_buf_add_c(buf, " AND begins_with(sk, :s)");
    px_buf_add_c(buf, "\",\"ExpressionAttributeValues\":{\":now\":");
    dynamo_add_number(buf, at_s);
    px_buf_add_c(buf, ",\":s\":");
    dynamo_add_sort(buf, query->key.sort);
    if (query->key.partition.len > 0) {
        px_buf_add_c(buf, ",\":p\":");
        dynamo_add_text(buf, query->key.partition);
    }
    px_buf_add_char(buf, '}');
}

static int page_read(struct dynamo_tables *tables, const struct table_query *query,
                     const struct query_start *start, size_t left, yyjson_val **ret_root)
{
    struct px_buf *buf = &tables->request;
    bool one_partition = query->key.partition.len > 0;
    dynamo_add_table(buf, tables->prefix, query->key.table);
    px_buf_printf(buf, ",\"ConsistentRead\":true,\"Limit\":%zu",
                  PX_MIN(left, (size_t)PAGE_ITEMS_MAX));
    if (one_partition)
        px_buf_add_c(buf, ",\"KeyConditionExpression\":\"pk = :p AND begins_with(sk, :s)\"");
    add_query_values(buf, query, dynamo_now_s(tables));
    if (start->behind) {
        px_buf_add_c(buf, ",\"ExclusiveStartKey\":");
        dynamo_add_key(buf, start->partition, start->sort);
    }
    px_buf_add_char(buf, '}');
    PX_TRY(dynamo_exchange(tables, one_partition ? "Query" : "Scan", ret_root));
    return 0;
}

static int page_take(struct dynamo_tables *tables, yyjson_val *root, struct table_list *list)
{
    yyjson_val *attributes;
    size_t at, count;
    px_json_arr_foreach(px_json_arr(root, "Items"), at, count, attributes)
    {
        struct dynamo_read read;
        PX_TRY(dynamo_read_item(attributes, dynamo_now_s(tables), &read));
        if (!read.expired) PX_TRY(table_list_add(list, &read.item));
    }
    return 0;
}

/* Where the next page begins; its text is copied out of the scratch memory, which is reset. */
struct page_end {
    char partition[512], sort[512];
};
static int page_next(yyjson_val *root, struct page_end *end, struct query_start *ret_start)
{
    yyjson_val *last = px_json_obj(root, "LastEvaluatedKey");
    if (!last) {
        ret_start->nothing = true;
        return 0;
    }
    struct px_str partition = px_json_str(px_json_obj(last, "pk"), "S");
    struct px_str sort = px_str_skip(px_json_str(px_json_obj(last, "sk"), "S"), 1);
    if (partition.len > sizeof end->partition || sort.len > sizeof end->sort)
        return px_fault(PX_F_CORRUPT, "a key that is too long");
    if (partition.len > 0) memcpy(end->partition, partition.ptr, partition.len);
    if (sort.len > 0) memcpy(end->sort, sort.ptr, sort.len);
    *ret_start = (struct query_start){.behind = true,
                                      .partition = px_str(end->partition, partition.len),
                                      .sort = px_str(end->sort, sort.len)};
    return 0;
}

static int dynamo_query(struct table_store *store, const struct table_query *query,
                        struct px_arena *arena, struct table_item **ret_items, size_t *ret_count)
{
    struct dynamo_tables *tables = dynamo_of(store);
    PX_TRY(dynamo_text_check(&query->key, S("")));
    struct table_list list = {.arena = arena};
    struct query_start start = query_start(query);
    struct page_end end;
    while (!start.nothing && list.count < query->max) {
        yyjson_val *root = NULL;
        dynamo_begin(tables);
        PX_TRY(page_read(tables, query, &start, query->max - list.count, &root));
        PX_TRY(page_take(tables, root, &list));
        PX_TRY(page_next(root, &end, &start));
    }
    *ret_items = list.items;
    *ret_count = list.count;
    return 0;
}

static int dynamo_expire(struct table_store *store, size_t max, size_t *ret_removed)
{
    (void)store, (void)max;
    *ret_removed = 0;
    return 0;
}

/* ---- opening ---- */

static void dynamo_close(struct table_store *store)
{
    struct dynamo_tables *tables = dynamo_of(store);
    cloud_client_free(&tables->client);
    cloud_shared_close(&tables->own);
    px_arena_deinit(&tables->scratch);
    px_buf_deinit(&tables->request);
    free(tables);
}

static const struct table_half half = {.get = dynamo_get,
                                       .get_all = dynamo_get_all,
                                       .put = dynamo_put,
                                       .put_all = dynamo_put_all,
                                       .query = dynamo_query,
                                       .expire = dynamo_expire,
                                       .close = dynamo_close};

static int prefix_set(struct dynamo_tables *tables, struct px_str prefix)
{
    bool valid = prefix.len > 0 && prefix.len <= sizeof tables->prefix_text;
    for (size_t i = 0; valid && i < prefix.len; i++) {
        char c = prefix.ptr[i];
        valid = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                c == '-' || c == '_' || c == '.';
    }
    if (!valid)
        return px_fault(PX_F_CONFIG, "dynamodb://%.*s: not the beginning of a table's name",
                        PX_FMT(prefix));
    memcpy(tables->prefix_text, prefix.ptr, prefix.len);
    tables->prefix = px_str(tables->prefix_text, prefix.len);
    return 0;
}

int tables_dynamo_open(struct px_str prefix, const struct table_options *options,
                       struct table_store **ret_store)
{
    struct dynamo_tables *tables = calloc(1, sizeof *tables);
    if (!tables) return px_fault(PX_F_OOM, "the tables");
    PX_AUTO(table_store_close) struct table_store *store = &tables->store;
    store->half = &half;
    store->clock = options->clock;
    px_arena_init(&tables->scratch, SCRATCH_BYTES_MAX);
    px_buf_init(&tables->request, REQUEST_BYTES_MAX);
    tables->deadline_ms = options->busy_ms > 0 ? (uint32_t)options->busy_ms : 0;
    PX_TRY(prefix_set(tables, prefix));
    struct cloud *cloud = NULL;
    PX_TRY(cloud_shared_take(options->cloud ? options->cloud : &tables->own, &cloud));
    struct cloud_client_options client = {.service = S("dynamodb")};
    PX_TRY(cloud_client_new(cloud, &client, &tables->client));
    *ret_store = PX_TAKE(store);
    return 0;
}
