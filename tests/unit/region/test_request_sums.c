/* Requests by route and tenant, as the region adds them up. */
#include "support/support.h"

#include "region/request_sums.h"

struct rows {
    struct px_buf text;
    int count;
    bool full;
};
static struct px_buf *row(void *ctx, bool begin)
{
    struct rows *rows = ctx;
    rows->count += !begin;
    return begin && !rows->full ? &rows->text : NULL;
}
static void rows_init(struct rows *rows)
{
    *rows = (struct rows){0};
    px_buf_init(&rows->text, 4u << 20);
}
static void rows_deinit(struct rows *rows) { px_buf_deinit(&rows->text); }

static struct api_route routes[2];
static const struct api_contract *contract_of_two(void)
{
    static struct api_contract contract;
    routes[0] = (struct api_route){.method = S("GET"), .resource = S("/v1/datasets/{dataset}")};
    routes[1] = (struct api_route){.method = S("POST"), .resource = S("/v1/query")};
    contract = (struct api_contract){.routes = routes, .route_count = 2};
    return &contract;
}

#define WHEN S("2026-01-02T03:04:05.000000Z")
#define ROW(name, rest)                                                                            \
    "{\"time\":\"2026-01-02T03:04:05.000000Z\",\"metric_name\":\"" name "\"," rest "}\n"

TEST(requests_are_added_up_by_route_and_tenant)
{
    PX_AUTO(request_sums_free) struct request_sums *sums = NULL;
    PX_AUTO(rows_deinit) struct rows rows;
    rows_init(&rows);
    CHECK_OK(request_sums_new(contract_of_two(), &sums));
    request_sums_add(sums, &routes[1], S("acme"), 200, 1);
    request_sums_add(sums, &routes[1], S("acme"), 429, 3);
    request_sums_add(sums, &routes[1], S("acme"), 503, 8);
    request_sums_add(sums, &routes[0], S("beta"), 200, 2);
    request_sums_add(sums, NULL, (struct px_str){0}, 404, 5);
    request_sums_write(sums, WHEN, row, &rows);
    CHECK_STR(
        px_buf_str(&rows.text),
        S(ROW("request_ms", "\"value\":2,\"unit\":\"Milliseconds\",\"count\":1,\"sum\":2,"
                            "\"min\":2,\"max\":2,\"attributes.route\":\"GET "
                            "/v1/datasets/{dataset}\",\"attributes.tenant\":\"beta\"")
              ROW("request_ms", "\"value\":4,\"unit\":\"Milliseconds\",\"count\":3,\"sum\":12,"
                                "\"min\":1,\"max\":8,\"attributes.route\":\"POST /v1/query\","
                                "\"attributes.tenant\":\"acme\"")
                  ROW("requests_4xx", "\"value\":1,\"unit\":\"Count\",\"attributes.route\":"
                                      "\"POST /v1/query\",\"attributes.tenant\":\"acme\"")
                      ROW("requests_5xx", "\"value\":1,\"unit\":\"Count\",\"attributes.route\":"
                                          "\"POST /v1/query\",\"attributes.tenant\":\"acme\"")
                          ROW("request_ms", "\"value\":5,\"unit\":\"Milliseconds\",\"count\":1,"
                                            "\"sum\":5,\"min\":5,\"max\":5,"
                                            "\"attributes.route\":\"none\"")
                              ROW("requests_4xx", "\"value\":1,\"unit\":\"Count\","
                                                  "\"attributes.route\":\"none\"")));
    rows.count = 0;
    request_sums_write(sums, WHEN, row, &rows); /* each minute begins anew */
    CHECK_INT(rows.count, 0);
}

TEST(tenants_past_the_bound_are_one)
{
    PX_AUTO(request_sums_free) struct request_sums *sums = NULL;
    PX_AUTO(rows_deinit) struct rows rows;
    rows_init(&rows);
    CHECK_OK(request_sums_new(contract_of_two(), &sums));
    for (int minute = 0; minute < 2; minute++) {
        for (int i = 0; i < 1000; i++) {
            char name[32];
            (void)snprintf(name, sizeof name, "t%d-%d", minute, i);
            request_sums_add(sums, &routes[0], px_str_c(name), 200, 1);
        }
        rows.count = 0;
        px_buf_clear(&rows.text);
        request_sums_write(sums, WHEN, row, &rows);
        CHECK_INT(rows.count, REQUEST_TENANTS_MAX + 1);
        px_buf_add_char(&rows.text, '\0');
        CHECK(
            strstr(rows.text.ptr, minute ? "\"t1-63\"" : "\"t0-63\"")); /* others' turn next time */
        CHECK(!strstr(rows.text.ptr, minute ? "\"t1-64\"" : "\"t0-64\""));
        CHECK(strstr(rows.text.ptr, "\"count\":936,"));
        CHECK(strstr(rows.text.ptr, "\"attributes.tenant\":\"_other\""));
    }
}

TEST(a_row_without_a_place_is_left_out)
{
    PX_AUTO(request_sums_free) struct request_sums *sums = NULL;
    PX_AUTO(rows_deinit) struct rows rows;
    rows_init(&rows);
    rows.full = true;
    CHECK_OK(request_sums_new(contract_of_two(), &sums));
    request_sums_add(sums, &routes[0], S("acme"), 500, 1);
    request_sums_write(sums, WHEN, row, &rows);
    CHECK_INT(rows.count + (int)rows.text.len, 0);
}

TEST_MAIN
