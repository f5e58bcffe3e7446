/* Metric lines of functions, as the region adds them up. */
#include "support/support.h"

#include "base/px_json.h"
#include "region/metric_sums.h"

struct rows {
    struct px_buf text;
    int begun, done;
    bool full;
};
static struct px_buf *row(void *ctx, bool begin)
{
    struct rows *rows = ctx;
    *(begin ? &rows->begun : &rows->done) += 1;
    return begin && !rows->full ? &rows->text : NULL;
}
static void rows_init(struct rows *rows)
{
    *rows = (struct rows){0};
    px_buf_init(&rows->text, 1u << 20);
}
static void rows_deinit(struct rows *rows) { px_buf_deinit(&rows->text); }

#define EMF(dimensions, rest)                                                                      \
    S("{\"_aws\":{\"Timestamp\":1,\"CloudWatchMetrics\":[{\"Namespace\":\"n\",\"Dimensions\":"     \
      "" dimensions ",\"Metrics\":[]}]}," rest "}")
#define WHEN S("2026-01-02T03:04:05.000000Z")

TEST(values_of_lines_become_one_row_a_metric)
{
    PX_AUTO(metric_sums_free) struct metric_sums *sums = NULL;
    PX_AUTO(rows_deinit) struct rows rows;
    rows_init(&rows);
    CHECK_OK(metric_sums_new(&sums));
    metric_sums_take(sums, "ingest",
                     EMF("[[],[\"function\"]]", "\"answers_2xx\":2,\"event_ms\":[1,3],"
                                                "\"memory_peak\":100,\"unknown\":7"));
    metric_sums_take(
        sums, "ingest",
        EMF("[[],[\"function\"]]", "\"answers_2xx\":3,\"event_ms\":[8],\"memory_peak\":90"));
    metric_sums_write(sums, WHEN, row, &rows);
    CHECK_STR(
        px_buf_str(&rows.text),
        S("{\"time\":\"2026-01-02T03:04:05.000000Z\",\"metric_name\":\"answers_2xx\",\"value\":5,"
          "\"unit\":\"Count\",\"attributes.function\":\"ingest\"}\n"
          "{\"time\":\"2026-01-02T03:04:05.000000Z\",\"metric_name\":\"event_ms\",\"value\":4,"
          "\"unit\":\"Milliseconds\",\"count\":3,\"sum\":12,\"min\":1,\"max\":8,"
          "\"attributes.function\":\"ingest\"}\n"
          "{\"time\":\"2026-01-02T03:04:05.000000Z\",\"metric_name\":\"memory_peak\",\"value\":90,"
          "\"unit\":\"Bytes\",\"attributes.function\":\"ingest\"}\n"));
    CHECK(rows.begun == 3 && rows.done == 3 && metric_sums_dropped(sums) == 0);
    metric_sums_write(sums, WHEN, row, &rows); /* each minute begins anew */
    CHECK_INT(rows.begun, 3);
}

TEST(a_chosen_tenants_line_is_its_own)
{
    PX_AUTO(metric_sums_free) struct metric_sums *sums = NULL;
    PX_AUTO(rows_deinit) struct rows rows;
    rows_init(&rows);
    CHECK_OK(metric_sums_new(&sums));
    metric_sums_take(sums, "ingest",
                     EMF("[[\"tenant\"]]", "\"tenant\":\"a\\\"b\",\"answers_2xx\":1"));
    metric_sums_take(sums, "query",
                     EMF("[[\"tenant\"]]", "\"tenant\":\"a\\\"b\",\"answers_2xx\":1"));
    metric_sums_write(sums, WHEN, row, &rows);
    CHECK_INT(rows.begun, 1);
    CHECK(px_str_ends(px_buf_str(&rows.text),
                      S("\"value\":2,\"unit\":\"Count\",\"attributes.tenant\":\"a\\\"b\"}\n")));
}

TEST(what_is_no_line_or_finds_no_room_is_counted)
{
    PX_AUTO(metric_sums_free) struct metric_sums *sums = NULL;
    PX_AUTO(rows_deinit) struct rows rows;
    rows_init(&rows);
    CHECK_OK(metric_sums_new(&sums));
    metric_sums_take(sums, "ingest", S("{\"_aws\":{"));
    metric_sums_take(sums, "ingest", S(""));
    CHECK_INT(metric_sums_dropped(sums), 2);
    metric_sums_take(sums, "ingest", S("[1]"));
    metric_sums_take(sums, "ingest",
                     EMF("[]", "\"answers_2xx\":\"x\",\"event_ms\":[null,\"y\",{}]"));
    metric_sums_take(sums, "ingest", EMF("[[\"tenant\"]]", "\"answers_2xx\":1")); /* whose? */
    CHECK_INT(metric_sums_dropped(sums), 3);
    for (int i = 0; i < 100; i++) {
        char line[256];
        (void)snprintf(line, sizeof line,
                       "{\"_aws\":{\"CloudWatchMetrics\":[{\"Dimensions\":[[\"tenant\"]]}]},"
                       "\"tenant\":\"t%d\",\"answers_2xx\":1}",
                       i);
        metric_sums_take(sums, "ingest", px_str_c(line));
    }
    CHECK_INT(metric_sums_dropped(sums), 3 + 37); /* 64 owners, one is the function */
    rows.full = true;
    metric_sums_write(sums, WHEN, row, &rows); /* nobody takes them */
    CHECK(rows.text.len == 0 && rows.done == 0);
}

TEST_MAIN
