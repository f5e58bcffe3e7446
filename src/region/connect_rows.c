/* region/connect_rows.c - getObject for a distributed Map with InputType PARQUET: the object's rows, a JSON value a line.
 *
 * DuckDB reads Parquet, and stands in functions: `storage` is invoked for page after page (svc/storage/items.h), so that memory of this
 * process is bounded by what a Map may have for items. Which buckets, the machine's own rights say, as for any other object.
 * Source of the limits: Step Functions developer guide, "ItemReader (Map)": footer 5 MB, row group 256 MB, no VersionId. */
#include "base/px_id.h"
#include "region/workflows_internal.h"

#define FUNCTION S("storage")
#define ROWS_BYTES_MAX ((size_t)48 << 20)
#define PAGE_ARENA_BYTES_MAX ((size_t)256 << 20)
#define EVENT_BYTES_MAX ((size_t)16 << 10)

struct rows {
    struct lambda_invocation *handle;
    char request_id[37];
    const char *store;
    struct px_str key;
    uint64_t got;
};

static void invoke(struct connection *c);

static void end_with_fault(struct connection *c, int fault)
{
    connection_fault(c, "S3.SdkClientException", fault);
    connection_end(c);
}

/* ---- a page ---- */

/* Whether there is another; a fault: the answer is none. */
static int take(struct connection *c, struct px_str answer, bool *ret_more)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    struct rows *rows = c->own;
    yyjson_val *root = NULL, *row;
    size_t i, n;
    px_arena_init(&arena, PAGE_ARENA_BYTES_MAX);
    int r = px_json_parse(answer, &arena, &root, NULL);
    if (r > 0) return px_fault(PX_F_PROTOCOL, "storage's answer is no JSON");
    PX_TRY(r);
    px_json_arr_foreach(px_json_arr(root, "rows"), i, n, row)
    {
        px_buf_add_json(&c->output, row);
        px_buf_add_char(&c->output, '\n');
        rows->got++;
    }
    PX_TRY(px_buf_fault(&c->output));
    bool enough = c->rows_max > 0 && rows->got >= c->rows_max;
    *ret_more = px_json_bool(root, "more", false) && !enough && px_json_i64(root, "count", 0) > 0;
    return 0;
}

static void fail(struct connection *c, const struct lambda_result *result)
{
    yyjson_val *root = NULL;
    if (result->outcome == LAMBDA_FUNCTION_ERROR)
        (void)!px_json_parse(result->payload, &c->arena, &root, NULL);
    struct px_str type = px_json_str(root, "errorType"), why = px_json_str(root, "errorMessage");
    if (px_str_eq(type, S("NoSuchKey")))
        connection_fail(c, "S3.NoSuchKey", "%.*s", PX_FMT(why));
    else if (px_str_eq(type, S("Unreadable")))
        connection_fail(c, "S3.SdkClientException", "%.*s", PX_FMT(why));
    else
        connection_fail_function(c, result);
}

static void on_page(void *ctx, const struct lambda_result *result)
{
    struct connection *c = ctx;
    struct rows *rows = c->own;
    bool more = false;
    rows->handle = NULL;
    if (connection_waits_for_restart(c, result->outcome)) return;
    if (result->outcome != LAMBDA_OK) {
        fail(c, result);
        connection_end(c);
        return;
    }
    int r = take(c, result->payload, &more);
    if (r == PX_F_LIMIT || (r == 0 && c->output.len > ROWS_BYTES_MAX)) {
        connection_fail(c, "S3.SdkClientException", "The rows of the object are over %zu MiB",
                        ROWS_BYTES_MAX >> 20);
        connection_end(c);
    } else if (r != 0) {
        end_with_fault(c, r);
    } else if (more && !c->cancelled) {
        invoke(c);
    } else {
        connection_succeed(c);
        connection_end(c);
    }
}

/* ---- the calls ---- */

static int write_event(const struct connection *c, struct px_buf *event)
{
    const struct rows *rows = c->own;
    px_buf_printf(event, "{\"op\":\"items\",\"store\":\"%s\",\"key\":", rows->store);
    px_buf_add_json_str(event, rows->key);
    px_buf_printf(event, ",\"after\":%llu", (unsigned long long)rows->got);
    if (c->rows_max > 0)
        px_buf_printf(event, ",\"max\":%llu", (unsigned long long)(c->rows_max - rows->got));
    px_buf_add_char(event, '}');
    return px_buf_fault(event);
}

static void invoke(struct connection *c)
{
    struct workflows *w = c->workflows;
    struct rows *rows = c->own;
    PX_AUTO(px_buf_deinit) struct px_buf event;
    px_buf_init(&event, EVENT_BYTES_MAX);
    int r = write_event(c, &event);
    struct px_str payload = r == 0 ? px_arena_dup(&c->arena, px_buf_str(&event)) : S("");
    if (!payload.ptr) r = px_arena_fault(&c->arena);
    if (r != 0) {
        end_with_fault(c, r);
        return;
    }
    px_uuid7(px_wall_ns(w->options.clock), rows->request_id);
    const struct lambda_call call = {
        .payload = payload, .request_id = px_str_c(rows->request_id), .on_done = on_page, .ctx = c};
    rows->handle = lambda_pool_invoke(w->options.pool(w->options.pool_ctx, FUNCTION), &call);
}

static void begin(struct connection *c)
{
    struct rows *rows = px_arena_new(&c->arena, struct rows);
    if (!rows) {
        end_with_fault(c, px_arena_fault(&c->arena));
        return;
    }
    c->own = rows;
    if (px_json_str(c->payload, "VersionId").len > 0)
        connection_fail(c, "S3.InvalidArgument", "VersionId is not supported for Parquet files");
    if (!connect_s3_object(c, &rows->store, &rows->key))
        connection_end(c);
    else
        invoke(c);
}

static void cancel(struct connection *c)
{
    struct rows *rows = c->own;
    if (rows && rows->handle) lambda_invocation_cancel(rows->handle);
}

const struct connector connect_rows[] = {
    {.service = "s3", .action = CONNECT_ROWS, .begin = begin, .cancel = cancel},
    {0},
};
