/* The function `catalog`: HTTP events about datasets, sealed and hot. */
#include "svc/catalog/catalog_support.h"

#include "columnar/batch.h"
#include "columnar/frame.h"
#include "svc/catalog/datasets.h"
#include "svc/quota/days.h"

struct function {
    struct catalog_fixture catalog;
    struct hot_store *hot;
    struct hot_writer *writer;
    struct lifecycle lifecycle;
    struct table_store *tables;
    struct px_buf body;
    struct lambda_reply reply;
    struct api_response response; /* the last */
    yyjson_val *json;
};

static void open_function(struct test *t, struct function *f)
{
    fixture_open(t, &f->catalog);
    CHECK_OK(hot_store_open(test_path(t, "hot"), &f->hot));
    CHECK_OK(hot_writer_new(f->hot, NULL, &f->writer));
    CHECK_OK(lifecycle_parse(lifecycle_builtin(), &t->arena, &f->lifecycle, NULL));
    CHECK_OK(table_store_open(test_path(t, "tables.db"), NULL, &f->tables));
    px_buf_init(&f->body, 6u << 20);
}

static int open_tables(void *ctx, struct table_store **ret_tables)
{
    struct function *f = ctx;
    *ret_tables = f->tables;
    return 0;
}

static void close_function(struct function *f)
{
    px_buf_deinit(&f->body);
    table_store_close(&f->tables);
    hot_writer_free(&f->writer);
    hot_store_close(&f->hot);
    fixture_close(&f->catalog);
}

/* One hot frame with a row per time; field `a` is a number. */
static void append(struct function *f, const char *tenant, const char *dataset, int rows)
{
    struct batch *batch = NULL;
    struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    CHECK_OK(batch_new(NULL, &batch));
    for (int i = 0; i < rows; i++) {
        batch_row_begin(batch);
        CHECK_OK(batch_put_time(batch, INT64_C(1767225600000000) + i));
        CHECK_OK(batch_put_int(batch, S("a"), i));
        CHECK_OK(batch_row_end(batch));
    }
    CHECK_OK(frame_encode(batch, 1, (const uint8_t[16]){0}, &buf));
    struct px_str payload = px_buf_str(&buf);
    uint64_t seq = 0;
    CHECK_OK(hot_append(f->writer, px_str_c(tenant), px_str_c(dataset), &payload, 1, &seq));
    px_buf_deinit(&buf);
    batch_free(&batch);
}

struct call {
    const char *method, *dataset; /* dataset NULL: the collection */
    const char *scopes, *tenant, *body;
    bool retention;
    const char *home_region;
    int64_t epoch;
    const char *resource, *other; /* {tenant} in it */
    const char *quotas;
};

/* The response's status; its body is parsed into f->json. */
static int call(struct test *t, struct function *f, struct call c)
{
    const struct http_header param = {c.other ? S("tenant") : S("dataset"),
                                      px_str_c(c.other ? c.other : c.dataset)};
    const struct api_event http = {.resource = c.resource    ? px_str_c(c.resource)
                                               : c.retention ? S("/v1/datasets/{dataset}/retention")
                                               : c.dataset   ? S("/v1/datasets/{dataset}")
                                                             : S("/v1/datasets"),
                                   .path = S("/v1/datasets"),
                                   .method = px_str_c(c.method),
                                   .path_params = &param,
                                   .path_param_count = c.dataset || c.other,
                                   .request_id = S("r-1"),
                                   .caller = {.tenant = px_str_c(c.tenant ? c.tenant : "acme"),
                                              .key_id = S("k"),
                                              .scopes = px_str_c(c.scopes ? c.scopes : "query"),
                                              .home_region = px_str_c(c.home_region),
                                              .tier = S("pooled"),
                                              .quotas = px_str_c(c.quotas),
                                              .epoch = c.epoch},
                                   .body = px_str_c(c.body ? c.body : "")};
    struct px_buf payload;
    px_buf_init(&payload, 1u << 20);
    api_event_write(&http, &payload);
    px_buf_clear(&f->body);
    f->reply = (struct lambda_reply){.body = &f->body};
    const struct lambda_event event = {
        .payload = px_buf_str(&payload), .arena = &t->arena, .reply = &f->reply};
    const struct datasets datasets = {.catalog = f->catalog.catalog,
                                      .hot = f->hot,
                                      .lifecycle = &f->lifecycle,
                                      .home = {S("here"), S("neighbour")},
                                      .open_tables = open_tables,
                                      .ctx = f};
    CHECK_OK(datasets_handle(&datasets, &event));
    px_buf_deinit(&payload);
    CHECK_OK(api_response_parse(px_buf_str(&f->body), &t->arena, &f->response));
    CHECK_OK(px_json_parse(f->response.body, &t->arena, &f->json, NULL));
    return f->response.status;
}

TEST(datasets_of_a_tenant_of_another_region_are_there)
{
    struct function f = {0};
    open_function(t, &f);
    CHECK_INT(call(t, &f, (struct call){"GET", .home_region = "elsewhere"}), 421);
    CHECK_STR(px_json_str(f.json, "home_region"), S("elsewhere"));
    CHECK_INT(call(t, &f, (struct call){"DELETE", "logs", "admin", .home_region = "elsewhere"}),
              421);
    CHECK_INT(call(t, &f, (struct call){"GET", .home_region = "neighbour"}), 200);
    CHECK_INT(call(t, &f, (struct call){"GET", .home_region = "here"}), 200);
    close_function(&f);
}

/* ---- a tenant that moves ---- */

static int raise_fence(struct hot_store *hot, enum hot_fence_state state, int64_t epoch)
{
    struct hot_fence fence = {state, epoch, "west"};
    if (state == HOT_FENCE_HOME) fence.region[0] = '\0';
    return hot_fence_raise(hot, S("acme"), &fence, NULL);
}

static struct px_str retry_after(const struct function *f)
{
    for (size_t i = 0; i < f->response.header_count; i++)
        if (px_str_eq(f->response.headers[i].name, S("Retry-After")))
            return f->response.headers[i].value;
    return (struct px_str){0};
}

static const struct call drop_logs = {"DELETE", "logs", "admin", .home_region = "here", .epoch = 1};
static const struct call keep_logs = {
    "PUT",     "logs", "admin", .body = "{\"days\":7}", .retention = true, .home_region = "here",
    .epoch = 1};
static const struct call show_logs = {"GET", "logs", .home_region = "here", .epoch = 1};

TEST(changes_wait_while_their_tenant_leaves_and_go_where_it_went)
{
    struct function f = {0};
    open_function(t, &f);
    append(&f, "acme", "logs", 3);
    CHECK_OK(raise_fence(f.hot, HOT_FENCE_LEAVING, 2));
    CHECK_INT(call(t, &f, drop_logs), 503);
    CHECK_STR(retry_after(&f), S("1"));
    CHECK_INT(call(t, &f, keep_logs), 503);
    CHECK_INT(call(t, &f, show_logs), 200); /* as queries are */
    CHECK_INT(px_json_i64(f.json, "rows", -1), 3);
    CHECK_INT(px_json_i64(f.json, "retention_days", -1), 365);
    CHECK_OK(raise_fence(f.hot, HOT_FENCE_LEFT, 2));
    CHECK_INT(call(t, &f, drop_logs), 421);
    CHECK_STR(px_json_str(f.json, "home_region"), S("west"));
    CHECK_INT(call(t, &f, show_logs), 421);
    close_function(&f);
}

TEST(changes_wait_until_their_tenant_has_arrived)
{
    struct function f = {0};
    open_function(t, &f);
    append(&f, "acme", "logs", 3);
    struct call of_late = drop_logs, early = drop_logs;
    of_late.home_region = "west"; /* a gateway that remembers the old home */
    early.epoch = 2;
    CHECK_OK(raise_fence(f.hot, HOT_FENCE_ARRIVING, 2));
    CHECK_INT(call(t, &f, of_late), 421);
    CHECK_INT(call(t, &f, early), 503);
    CHECK_OK(raise_fence(f.hot, HOT_FENCE_HOME, 2));
    CHECK_INT(call(t, &f, of_late), 200);
    CHECK_INT(call(t, &f, early), 404);
    close_function(&f);
}

/* The catalog asks for the time in the middle of a change: the moment for somebody else's fence. */
struct raising {
    struct px_clock clock;
    struct hot_store *hot;
    enum hot_fence_state state;
};
static int64_t raise_and_tell(void *ctx)
{
    const struct raising *raising = ctx;
    CHECK_OK(raise_fence(raising->hot, raising->state, 2));
    return px_wall_ns(&px_clock_system);
}

static void check_raised_within(struct test *t, struct call change, enum hot_fence_state state,
                                int status)
{
    struct function f = {0};
    open_function(t, &f);
    append(&f, "acme", "logs", 3);
    struct raising raising = {px_clock_system, f.hot, state};
    raising.clock.wall_ns = raise_and_tell;
    raising.clock.ctx = &raising;
    struct catalog *other = f.catalog.catalog;
    CHECK_OK(catalog_new(f.catalog.meta, &raising.clock, &f.catalog.catalog));
    CHECK_INT(call(t, &f, change), status);
    catalog_free(&f.catalog.catalog);
    f.catalog.catalog = other;
    close_function(&f);
}

TEST(a_drop_during_which_its_tenant_begins_to_leave_is_not_acknowledged)
{
    check_raised_within(t, drop_logs, HOT_FENCE_LEAVING, 503);
}

TEST(a_retention_during_which_its_tenant_begins_to_leave_is_not_acknowledged)
{
    check_raised_within(t, keep_logs, HOT_FENCE_LEAVING, 503);
}

TEST(a_drop_during_which_its_tenant_left_is_told_where_it_went)
{
    check_raised_within(t, drop_logs, HOT_FENCE_LEFT, 421);
}

TEST(a_retention_during_which_its_tenant_came_back_counts)
{
    check_raised_within(t, keep_logs, HOT_FENCE_HOME, 200);
}

TEST(a_dataset_is_listed_from_its_first_accepted_row_on)
{
    struct function f = {0};
    open_function(t, &f);
    CHECK_INT(call(t, &f, (struct call){"GET"}), 200);
    CHECK_INT(yyjson_arr_size(px_json_arr(f.json, "datasets")), 0);
    CHECK_INT(call(t, &f, (struct call){"GET", "logs"}), 404);
    CHECK_INT(call(t, &f, (struct call){"GET", .scopes = "ingest"}), 403);
    CHECK_INT(call(t, &f, (struct call){"GET", "logs", .scopes = "ingest"}), 403);
    CHECK_INT(call(t, &f, (struct call){"GET", .scopes = "admin"}), 200);

    append(&f, "acme", "logs", 3);
    append(&f, "other", "secret", 3);
    CHECK_OK(seal_one(
        f.catalog.catalog,
        &(struct one_sealing){.key = "k", .dataset = "app", .to = 1, .rows = 5, .max_us = 9}));
    CHECK_INT(call(t, &f, (struct call){"GET"}), 200);
    yyjson_val *list = px_json_arr(f.json, "datasets");
    CHECK_INT(yyjson_arr_size(list), 2);
    yyjson_val *app = yyjson_arr_get(list, 0), *logs = yyjson_arr_get(list, 1);
    CHECK_STR(px_json_str(app, "name"), S("app"));
    CHECK_INT(px_json_i64(app, "rows", -1), 5);
    CHECK_INT(px_json_i64(app, "sealed_rows", -1), 5);
    CHECK_INT(px_json_i64(app, "hot_bytes", -1), 0);
    CHECK_STR(px_json_str(logs, "name"), S("logs"));
    CHECK_INT(px_json_i64(logs, "rows", -1), 3);
    CHECK_INT(px_json_i64(logs, "sealed_rows", -1), 0);
    CHECK(px_json_i64(logs, "hot_bytes", -1) > 0);
    CHECK_INT(px_json_i64(logs, "bytes", -1), px_json_i64(logs, "hot_bytes", 0));
    CHECK_INT(px_json_i64(app, "bytes", -1), 50);
    CHECK_STR(px_json_str(logs, "time_min"), S("2026-01-01T00:00:00.000000Z"));
    CHECK_STR(px_json_str(logs, "time_max"), S("2026-01-01T00:00:00.000002Z"));
    CHECK_INT(px_json_i64(logs, "retention_days", -1), 365);

    CHECK_INT(call(t, &f, (struct call){"GET", "logs"}), 200);
    CHECK_INT(px_json_i64(f.json, "rows", -1), 3);
    yyjson_val *columns = px_json_arr(f.json, "columns");
    CHECK_INT(yyjson_arr_size(columns), 2);
    CHECK_STR(px_json_str(yyjson_arr_get(columns, 1), "name"), S("a"));
    CHECK_STR(px_json_str(yyjson_arr_get(columns, 1), "type"), S("int"));
    close_function(&f);
}

TEST(sealed_frames_are_not_counted_twice)
{
    struct function f = {0};
    open_function(t, &f);
    append(&f, "acme", "logs", 3);
    append(&f, "acme", "logs", 4);
    char writer[HOT_WRITER_LEN + 1] = {0};
    memcpy(writer, hot_writer_id(f.writer).ptr, HOT_WRITER_LEN);
    CHECK_OK(seal_one(f.catalog.catalog,
                      &(struct one_sealing){.key = "k", .writer = writer, .to = 1, .rows = 3}));
    CHECK_INT(call(t, &f, (struct call){"GET", "logs"}), 200);
    CHECK_INT(px_json_i64(f.json, "rows", -1), 7);
    CHECK_INT(px_json_i64(f.json, "sealed_rows", -1), 3);
    close_function(&f);
}

TEST(the_tenant_is_the_callers_and_changes_need_the_scope_admin)
{
    struct function f = {0};
    open_function(t, &f);
    append(&f, "acme", "logs", 3);
    CHECK_INT(call(t, &f, (struct call){"GET", "logs", .tenant = "other"}), 404);
    CHECK_INT(call(t, &f, (struct call){"GET", NULL, .tenant = ""}), 403);
    CHECK_INT(call(t, &f, (struct call){"DELETE", "logs", .scopes = "ingest query"}), 403);
    CHECK_INT(call(t, &f, (struct call){"PUT", "logs", .body = "{\"days\":3}", .retention = true}),
              403);
    CHECK_INT(call(t, &f, (struct call){"DELETE", "logs", .scopes = "admin", .tenant = "other"}),
              404);
    CHECK_INT(call(t, &f, (struct call){"GET", "no/name"}), 400);
    CHECK_STR(px_json_str(f.json, "requestId"), S("r-1"));
    CHECK_INT(px_json_i64(f.json, "status", 0), 400);
    CHECK_INT(call(t, &f, (struct call){"POST", "logs", .scopes = "admin"}), 404);
    CHECK_INT(call(t, &f, (struct call){"GET", "logs"}), 200);
    close_function(&f);
}

TEST(a_dropped_dataset_is_gone_at_once_hot_rows_included)
{
    struct function f = {0};
    open_function(t, &f);
    append(&f, "acme", "logs", 3);
    append(&f, "acme", "app", 1);
    CHECK_OK(seal_one(
        f.catalog.catalog,
        &(struct one_sealing){.key = "k", .writer = "w0", .to = 1, .rows = 5, .max_us = 9}));
    CHECK_INT(call(t, &f, (struct call){"GET", "logs"}), 200);
    CHECK_INT(px_json_i64(f.json, "rows", -1), 8);
    CHECK_INT(call(t, &f, (struct call){"DELETE", "logs", .scopes = "admin"}), 200);
    CHECK(px_json_bool(f.json, "dropped", false));
    CHECK_INT(call(t, &f, (struct call){"GET", "logs"}), 404);
    CHECK_INT(call(t, &f, (struct call){"DELETE", "logs", .scopes = "admin"}), 404);
    CHECK_INT(call(t, &f, (struct call){"GET"}), 200);
    CHECK_INT(yyjson_arr_size(px_json_arr(f.json, "datasets")), 1);
    append(&f, "acme", "logs", 2); /* begins anew */
    CHECK_INT(call(t, &f, (struct call){"GET", "logs"}), 200);
    CHECK_INT(px_json_i64(f.json, "rows", -1), 2);
    CHECK_INT(call(t, &f, (struct call){"DELETE", "app", .scopes = "admin"}),
              200); /* never sealed */
    CHECK_INT(call(t, &f, (struct call){"GET", "app"}), 404);
    append(&f, "acme", "app", 4);
    CHECK_INT(call(t, &f, (struct call){"GET", "app"}), 200);
    CHECK_INT(px_json_i64(f.json, "rows", -1), 4);
    close_function(&f);
}

TEST(retention_is_set_shown_and_checked)
{
    static const char *const bad[] = {"",
                                      "{",
                                      "7",
                                      "{}",
                                      "{\"days\":0}",
                                      "{\"days\":36501}",
                                      "{\"days\":1.5}",
                                      "{\"days\":\"7\"}",
                                      "{\"days\":-1}",
                                      "{\"days\":18446744073709551615}",
                                      "{\"days\":7,\"more\":1}"};
    struct function f = {0};
    open_function(t, &f);
    struct call put = {"PUT", "logs", .scopes = "admin", .body = "{\"days\":7}", .retention = true};
    CHECK_INT(call(t, &f, put), 404);
    append(&f, "acme", "logs", 3);
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        put.body = bad[i];
        CHECK_INT(call(t, &f, put), 400);
        CHECK(px_json_str(f.json, "detail").len > 0);
    }
    put.body = "{\"days\":7}";
    CHECK_INT(call(t, &f, put), 200);
    CHECK_INT(px_json_i64(f.json, "days", -1), 7);
    CHECK_INT(call(t, &f, (struct call){"GET", "logs"}), 200);
    CHECK_INT(px_json_i64(f.json, "retention_days", -1), 7);
    CHECK_INT(px_json_i64(f.json, "rows", -1), 3);
    close_function(&f);
}

static void retention_is(struct test *t, struct function *f, const char *from, int64_t days)
{
    CHECK_INT(call(t, f, (struct call){"GET", "logs", .retention = true}), 200);
    CHECK_STR(px_json_str(f->json, "from"), px_str_c(from));
    CHECK_INT(px_json_i64(f->json, "days", -1), days);
    CHECK_INT(call(t, f, (struct call){"GET", "logs"}), 200);
    CHECK_INT(px_json_i64(f->json, "retention_days", -1), days);
}

TEST(a_dataset_says_how_long_rows_stay_then_its_tenant_then_its_class)
{
    const struct call tenant = {"GET", .scopes = "admin", .resource = "/v1/retention"};
    struct call put = tenant, clear = tenant;
    struct function f = {0};
    open_function(t, &f);
    CHECK_INT(call(t, &f, tenant), 200);
    CHECK_STR(px_json_str(f.json, "from"), S("class"));
    CHECK(!yyjson_obj_get(f.json, "days"));
    put.method = "PUT", put.body = "{\"days\":30}";
    clear.method = "DELETE";
    CHECK_INT(call(t, &f, put), 200);
    CHECK_INT(px_json_i64(f.json, "days", -1), 30);
    append(&f, "acme", "logs", 3);
    append(&f, "other", "logs", 3);
    retention_is(t, &f, "tenant", 30); /* the catalog does not know the dataset yet */
    CHECK_INT(call(t, &f, (struct call){"GET", "logs", .tenant = "other"}), 200);
    CHECK_INT(px_json_i64(f.json, "retention_days", -1), 365);
    struct call own = {"PUT", "logs", .scopes = "admin", .body = "{\"days\":7}", .retention = true};
    CHECK_INT(call(t, &f, own), 200);
    retention_is(t, &f, "dataset", 7);
    own.method = "DELETE", own.body = NULL;
    CHECK_INT(call(t, &f, own), 200);
    CHECK_STR(px_json_str(f.json, "from"), S("tenant"));
    CHECK_INT(px_json_i64(f.json, "days", -1), 30);
    retention_is(t, &f, "tenant", 30);
    CHECK_INT(call(t, &f, clear), 200);
    CHECK_STR(px_json_str(f.json, "from"), S("class"));
    retention_is(t, &f, "class", 365);
    CHECK_INT(call(t, &f, own), 200); /* there was nothing to clear */
    close_function(&f);
}

static int64_t days_of(struct test *t, struct catalog *catalog, struct px_str tenant)
{
    struct tenant_retention said;
    CHECK_OK(catalog_tenant_retention(catalog, tenant, &t->arena, &said));
    return said.days;
}

#define DEBUG_RULE "{\"attribute\":\"level\",\"equals\":\"debug\",\"days\":3}"

TEST(rules_are_the_datasets_or_else_the_tenants)
{
    struct call all = {"PUT", .scopes = "admin", .resource = "/v1/retention",
                       .body = "{\"rules\":[" DEBUG_RULE "]}"};
    struct call own = {"PUT", "logs", .scopes = "admin", .retention = true,
                       .body = "{\"days\":7,\"rules\":[]}"};
    const struct call show = {"GET", "logs", .retention = true};
    struct function f = {0};
    open_function(t, &f);
    append(&f, "acme", "logs", 3);
    CHECK_INT(call(t, &f, all), 200);
    CHECK_INT(yyjson_arr_size(px_json_arr(f.json, "rules")), 1);
    CHECK(!yyjson_obj_get(f.json, "days"));
    CHECK_INT(call(t, &f, show), 200);
    CHECK_STR(px_json_str(f.json, "rules_from"), S("tenant"));
    CHECK_STR(px_json_str(f.json, "from"), S("class"));
    CHECK_STR(px_json_str(yyjson_arr_get_first(px_json_arr(f.json, "rules")), "equals"),
              S("debug"));
    CHECK_INT(call(t, &f, own), 200);
    CHECK_INT(call(t, &f, show), 200);
    CHECK_STR(px_json_str(f.json, "rules_from"), S("dataset"));
    CHECK_INT(yyjson_arr_size(px_json_arr(f.json, "rules")), 0);
    CHECK_INT(px_json_i64(f.json, "days", -1), 7);
    own.body = "{\"days\":8}"; /* in place of all that was said */
    CHECK_INT(call(t, &f, own), 200);
    CHECK_INT(call(t, &f, show), 200);
    CHECK_STR(px_json_str(f.json, "rules_from"), S("tenant"));
    all.method = "DELETE", all.body = NULL;
    CHECK_INT(call(t, &f, all), 200);
    CHECK(!yyjson_obj_get(f.json, "rules"));
    close_function(&f);
}

TEST(rules_that_are_none_are_refused_and_change_nothing)
{
    static const char *const bad[] = {
        "{\"rules\":1}",
        "{\"rules\":[1]}",
        "{\"rules\":[{}]}",
        "{\"rules\":[{\"attribute\":\"\",\"equals\":\"x\",\"days\":1}]}",
        "{\"rules\":[{\"attribute\":\"a\",\"equals\":null,\"days\":1}]}",
        "{\"rules\":[{\"attribute\":\"a\",\"equals\":1.5,\"days\":1}]}",
        "{\"rules\":[{\"attribute\":\"a\",\"equals\":[\"x\"],\"days\":1}]}",
        "{\"rules\":[{\"attribute\":\"a\",\"equals\":\"x\",\"days\":0}]}",
        "{\"rules\":[{\"attribute\":\"a\",\"equals\":\"x\",\"days\":36501}]}",
        "{\"rules\":[{\"attribute\":\"a\",\"equals\":\"x\",\"days\":1,\"sql\":1}]}",
        "{\"rules\":[{\"attribute\":\"a\\u0000\",\"equals\":\"x\",\"days\":1}]}",
        "{\"days\":7,\"days\":8}",
        "{\"days\":7,\"rules\":[" DEBUG_RULE "],\"tenant\":\"other\"}",
    };
    struct function f = {0};
    struct px_buf many;
    open_function(t, &f);
    struct call put = {"PUT", .scopes = "admin", .resource = "/v1/retention"};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        put.body = bad[i];
        CHECK_INT(call(t, &f, put), 400);
        CHECK(px_json_str(f.json, "detail").len > 0);
    }
    px_buf_init(&many, 1u << 20);
    px_buf_add_c(&many, "{\"rules\":[");
    for (int i = 0; i < 17; i++) px_buf_add_c(&many, i ? "," DEBUG_RULE : DEBUG_RULE);
    px_buf_add_c(&many, "]}");
    px_buf_add_char(&many, '\0');
    put.body = many.ptr;
    CHECK_INT(call(t, &f, put), 400);
    px_buf_deinit(&many);
    put = (struct call){"GET", .scopes = "admin", .resource = "/v1/retention"};
    CHECK_INT(call(t, &f, put), 200);
    CHECK(!yyjson_obj_get(f.json, "rules"));
    close_function(&f);
}

TEST(the_tenants_retention_is_checked_and_needs_the_scope_admin)
{
    static const char *const bad[] = {"", "{}", "{\"days\":0}", "{\"days\":36501}",
                                      "{\"days\":7,\"tenant\":\"other\"}"};
    struct call put = {"PUT", .scopes = "admin", .resource = "/v1/retention"};
    int64_t days = -1;
    struct function f = {0};
    open_function(t, &f);
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        put.body = bad[i];
        CHECK_INT(call(t, &f, put), 400);
    }
    put.body = "{\"days\":7}", put.scopes = "ingest query";
    CHECK_INT(call(t, &f, put), 403);
    put.method = "DELETE", put.body = NULL;
    CHECK_INT(call(t, &f, put), 403);
    put.method = "GET", put.scopes = "ingest";
    CHECK_INT(call(t, &f, put), 403);
    CHECK_INT(call(t, &f, (struct call){"GET", "nosuch", .retention = true}), 404);
    CHECK_INT(call(t, &f, (struct call){"DELETE", "nosuch", .scopes = "admin", .retention = true}),
              404);
    days = days_of(t, f.catalog.catalog, S("acme"));
    CHECK_INT(days, 0);
    close_function(&f);
}

static int64_t limit_of(const struct function *f, const char *name)
{
    size_t i, n;
    yyjson_val *one;
    px_json_arr_foreach(px_json_arr(f->json, "limits"), i, n, one)
    {
        if (px_str_eq(px_json_str(one, "name"), px_str_c(name)))
            return px_json_i64(one, "limit", -1);
    }
    return -2;
}

TEST(usage_tells_limits_and_what_is_sealed)
{
    struct function f = {0};
    open_function(t, &f);
    append(&f, "acme", "logs", 3); /* not sealed */
    const struct call own = {"GET", .resource = "/v1/usage", .quotas = "{\"datasets\":7}"};
    CHECK_INT(call(t, &f, own), 200);
    CHECK_STR(px_json_str(f.json, "tenant"), S("acme"));
    CHECK_INT(limit_of(&f, "datasets"), 7);
    CHECK(limit_of(&f, "requests_per_s") > 0); /* the tier's */
    CHECK_INT(limit_of(&f, "ingest_records"), -1);
    CHECK_INT(px_json_i64(px_json_obj(f.json, "stored"), "rows", -1), 0);
    CHECK(!px_json_obj(f.json, "today")); /* nothing is counted of who has no limit */
    close_function(&f);
}

TEST(usage_tells_what_was_taken_of_the_day)
{
    struct function f = {0};
    struct days *days = NULL;
    int64_t wait_s;
    open_function(t, &f);
    CHECK_OK(days_new(&px_clock_system, S("records"), &days));
    const struct days_ask mine = {S("acme"), 7, 10}, others = {S("beta"), 9, 10};
    CHECK_OK(days_take(days, f.tables, &others, &t->arena, &wait_s));
    CHECK_OK(days_take(days, f.tables, &mine, &t->arena, &wait_s));
    CHECK_INT(call(t, &f, (struct call){"GET", .resource = "/v1/usage"}), 200);
    yyjson_val *today = px_json_obj(f.json, "today");
    CHECK_INT(px_json_i64(today, "records", 7), 7); /* there is none when midnight was meanwhile */
    CHECK(!today || px_json_str(today, "date").len == 10);
    days_free(&days);
    close_function(&f);
}

#define OTHERS "/v1/admin/tenants/{tenant}/usage"
TEST(usage_of_another_is_told_to_the_operator_alone)
{
    struct function f = {0};
    open_function(t, &f);
    struct call ask = {"GET", .scopes = "admin", .resource = OTHERS, .other = "acme"};
    CHECK_INT(call(t, &f, ask), 200); /* its own */
    CHECK(!px_json_arr(f.json, "limits"));
    ask.scopes = "query";
    CHECK_INT(call(t, &f, ask), 403);
    ask.scopes = "admin";
    ask.tenant = "beta";
    CHECK_INT(call(t, &f, ask), 403);
    ask.tenant = "_system";
    CHECK_INT(call(t, &f, ask), 200);
    CHECK_STR(px_json_str(f.json, "tenant"), S("acme"));
    ask.other = "../acme";
    CHECK_INT(call(t, &f, ask), 400);
    ask.scopes = "query,ingest";
    CHECK_INT(call(t, &f, ask), 403);
    close_function(&f);
}

TEST(an_event_that_is_no_http_event_is_a_function_error)
{
    struct function f = {0};
    open_function(t, &f);
    f.reply = (struct lambda_reply){.body = &f.body};
    const struct lambda_event event = {
        .payload = S("{\"op\":\"seal\"}"), .arena = &t->arena, .reply = &f.reply};
    const struct datasets datasets = {f.catalog.catalog, f.hot, &f.lifecycle};
    CHECK_INT(datasets_handle(&datasets, &event), LAMBDA_ERROR);
    CHECK_STR(f.reply.error_type, S("InvalidEvent"));
    close_function(&f);
}

TEST_MAIN
