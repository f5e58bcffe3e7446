/* Metric lines, within the limits of CloudWatch's embedded metric format; and that code, alarms.json and the
 * page that explains them name the same metrics. */
#include "support/support.h"

#include <math.h>

#include "base/px_json.h"
#include "base/px_log.h"
#include "observe/metrics.h"

static struct metrics *metrics_of(struct px_str tenants)
{
    struct metrics *metrics = NULL;
    struct metrics_options options = {S("Prism/prism-dev"), S("prism-dev-ingest"), tenants};
    CHECK_OK(metrics_new(&options, &metrics));
    return metrics;
}

/* The lines of one flush, parsed; each must keep the format's limits. */
static size_t flush(struct test *t, struct metrics *metrics, yyjson_val *lines[4])
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    CHECK_OK(metrics_flush(metrics, t->now_ns, &buf));
    struct px_str rest = px_buf_str(&buf), line;
    size_t count = 0;
    while (rest.len > 0) {
        CHECK(px_str_cut(&rest, '\n', &line)); /* each has its end */
        CHECK(px_str_starts(line, S(EMF_BEGIN)));
        CHECK(line.len < PX_LOG_LINE_BYTES_MAX);
        CHECK(count < 4);
        CHECK_OK(px_json_parse(line, &t->arena, &lines[count++], NULL));
    }
    return count;
}
static yyjson_val *directive(yyjson_val *line)
{
    return yyjson_arr_get_first(px_json_arr(px_json_obj(line, "_aws"), "CloudWatchMetrics"));
}
static struct px_str json(struct test *t, yyjson_val *val)
{
    struct px_buf buf;
    px_buf_init(&buf, 1u << 16);
    px_buf_add_json(&buf, val);
    struct px_str text = px_arena_dup(&t->arena, px_buf_str(&buf));
    px_buf_deinit(&buf);
    return text;
}

TEST(one_event_is_one_line_with_its_names)
{
    PX_AUTO(metrics_free) struct metrics *metrics = metrics_of(S(""));
    yyjson_val *lines[4];
    metrics_set_event(metrics, S("r-1"), S("4bf92f3577b34da6a3ce929d0e0e4736"));
    metrics_set_tenant(metrics, S("acme"));
    metrics_add(metrics, METRIC_ANSWERS_2XX, 1);
    metrics_add(metrics, METRIC_EVENT_MS, 1.25);
    metrics_add(metrics, METRIC_EVENT_MS, 3);
    metrics_add(metrics, METRIC_RECORDS_REFUSED, 0);
    CHECK(metrics_any(metrics));
    CHECK_INT(flush(t, metrics, lines), 1);
    CHECK_STR(json(t, lines[0]),
              S("{\"_aws\":{\"Timestamp\":1767323045000,\"CloudWatchMetrics\":[{\"Namespace\":"
                "\"Prism/prism-dev\",\"Dimensions\":[[],[\"function\"]],\"Metrics\":[{\"Name\":"
                "\"answers_2xx\",\"Unit\":\"Count\"},{\"Name\":\"event_ms\",\"Unit\":"
                "\"Milliseconds\"}]}]},\"function\":\"prism-dev-ingest\",\"tenant\":\"acme\","
                "\"requestId\":\"r-1\",\"traceId\":\"4bf92f3577b34da6a3ce929d0e0e4736\","
                "\"events\":1,\"answers_2xx\":1,\"event_ms\":[1.25,3]}"));
    CHECK(!metrics_any(metrics));
    CHECK_INT(flush(t, metrics, lines), 0);
}

TEST(several_events_add_up_and_name_none)
{
    PX_AUTO(metrics_free) struct metrics *metrics = metrics_of(S(""));
    yyjson_val *lines[4];
    for (int i = 0; i < 3; i++) {
        metrics_set_event(metrics, S("r"), S(""));
        metrics_set_tenant(metrics, i < 2 ? S("acme") : S("globex"));
        metrics_add(metrics, METRIC_STORE_CALLS, 2);
    }
    CHECK_INT(flush(t, metrics, lines), 1);
    CHECK_INT(px_json_i64(lines[0], "store_calls", 0), 6);
    CHECK_INT(px_json_i64(lines[0], "events", 0), 3);
    CHECK(!yyjson_obj_get(lines[0], "requestId") && !yyjson_obj_get(lines[0], "tenant"));
    for (int i = 0; i < 2; i++) {
        metrics_set_event(metrics, S("r"), S(""));
        metrics_set_tenant(metrics, S("acme"));
        metrics_add(metrics, METRIC_STORE_CALLS, 1);
    }
    CHECK_INT(flush(t, metrics, lines), 1);
    CHECK_STR(px_json_str(lines[0], "tenant"), S("acme")); /* all of them were */
    metrics_set_event(metrics, S("r"), S(""));
    metrics_set_tenant(metrics, S("acme"));
    metrics_set_event(metrics, S("r"), S(""));
    metrics_add(metrics, METRIC_STORE_CALLS, 1); /* of nobody */
    CHECK_INT(flush(t, metrics, lines), 1);
    CHECK(!yyjson_obj_get(lines[0], "tenant"));
}

TEST(only_chosen_tenants_are_a_dimension)
{
    PX_AUTO(metrics_free) struct metrics *metrics = metrics_of(S("acme, globex"));
    yyjson_val *lines[4];
    static const struct px_str tenants[] = {S("acme"), S("initech"), S("globex"), S("acme")};
    for (size_t i = 0; i < PX_COUNT(tenants); i++) {
        metrics_set_event(metrics, S("r"), S(""));
        metrics_set_tenant(metrics, tenants[i]);
        metrics_add(metrics, METRIC_ANSWERS_2XX, 1);
        metrics_add(metrics, METRIC_STORE_CALLS, 1); /* no tenant's */
    }
    CHECK_INT(flush(t, metrics, lines), 3);
    CHECK_INT(px_json_i64(lines[0], "answers_2xx", 0), 4);
    CHECK_STR(json(t, px_json_arr(directive(lines[0]), "Dimensions")), S("[[],[\"function\"]]"));
    CHECK_STR(px_json_str(lines[1], "tenant"), S("acme"));
    CHECK_INT(px_json_i64(lines[1], "answers_2xx", 0), 2);
    CHECK(!yyjson_obj_get(lines[1], "store_calls"));
    CHECK_STR(json(t, px_json_arr(directive(lines[1]), "Dimensions")), S("[[\"tenant\"]]"));
    CHECK_STR(px_json_str(lines[2], "tenant"), S("globex"));
    CHECK_INT(px_json_i64(lines[2], "answers_2xx", 0), 1);
    CHECK_INT(flush(t, metrics, lines), 0);
}

TEST(the_cardinality_of_dimensions_is_bounded)
{
    struct metrics *metrics = NULL;
    struct metrics_options options = {S("Prism/x"), S("f"), S("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q")};
    CHECK_INT(metrics_new(&options, &metrics), PX_F_CONFIG);
    options.tenants = S("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p");
    CHECK_OK(metrics_new(&options, &metrics));
    metrics_free(&metrics);
}

TEST(namespaces_that_cloudwatch_refuses_are_a_wrong_setting)
{
    static const char *const bad[] = {"",           "AWS/Lambda", ":x",
                                      "Prism prod", "a\"b",       "Prism/\xc3\xa9"};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        struct metrics *metrics = NULL;
        struct metrics_options options = {px_str_c(bad[i]), S("f"), {0}};
        CHECK_INT(metrics_new(&options, &metrics), PX_F_CONFIG);
        CHECK(!metrics);
    }
}

TEST(more_values_than_a_line_takes_are_a_fair_sample)
{
    PX_AUTO(metrics_free) struct metrics *metrics = metrics_of(S(""));
    yyjson_val *lines[4];
    metrics_set_event(metrics, S("r"), S(""));
    for (int i = 0; i < 99; i++) metrics_add(metrics, METRIC_STORE_MS, 1);
    CHECK(!metrics_full(metrics));
    metrics_add(metrics, METRIC_STORE_MS, 1);
    CHECK(metrics_full(metrics));
    for (int i = 0; i < 9900; i++) metrics_add(metrics, METRIC_STORE_MS, i < 4900 ? 1 : 2);
    CHECK_INT(flush(t, metrics, lines), 1);
    yyjson_val *values = px_json_arr(lines[0], "store_ms"), *value;
    CHECK_INT(yyjson_arr_size(values), EMF_VALUES_MAX);
    size_t idx, max, twos = 0;
    px_json_arr_foreach(values, idx, max, value) twos += yyjson_get_num(value) == 2;
    CHECK(twos > 20 && twos < 80); /* half of all; further off once in ten million runs */
    CHECK(!metrics_full(metrics));
}

TEST(numbers_are_written_as_they_are)
{
    static const double numbers[] = {0.001,    0.01,   0.1,     1,         1.5,   12.25,
                                     999.999,  1000,   4096,    1e11,      1e12,  1e15,
                                     123456.7, 0.0005, 1.0 / 3, 2.0 / 3,   1e-7,  99.99,
                                     0.999,    0.995,  65536,   3.9999999, 1e300, 7.007};
    PX_AUTO(metrics_free) struct metrics *metrics = metrics_of(S(""));
    yyjson_val *lines[4];
    for (size_t i = 0; i < PX_COUNT(numbers); i++)
        metrics_add(metrics, METRIC_EVENT_MS, numbers[i]);
    CHECK_INT(flush(t, metrics, lines), 1);
    yyjson_val *values = px_json_arr(lines[0], "event_ms"), *value;
    size_t idx, max;
    px_json_arr_foreach(values, idx, max, value)
    {
        double off = fabs(yyjson_get_num(value) - numbers[idx]);
        if (off > 1e-9 * numbers[idx])
            TEST_FAIL("%.17g was written as %.17g", numbers[idx], yyjson_get_num(value));
    }
}

TEST(what_is_no_number_is_passed_over)
{
    PX_AUTO(metrics_free) struct metrics *metrics = metrics_of(S(""));
    metrics_add(metrics, METRIC_EVENT_MS, NAN);
    metrics_add(metrics, METRIC_STORE_CALLS, INFINITY);
    CHECK(!metrics_any(metrics));
}

TEST(every_metric_at_once_is_within_all_limits)
{
    PX_AUTO(metrics_free) struct metrics *metrics = metrics_of(S("acme"));
    yyjson_val *lines[4];
    metrics_set_event(metrics, S("r"), S(""));
    metrics_set_tenant(metrics, S("acme"));
    for (size_t i = 0; i < METRICS_TOTAL; i++)
        for (int n = 0; n < 300; n++) metrics_add(metrics, (enum metric)i, 123456789.123456789);
    CHECK_INT(flush(t, metrics, lines), 2);
    for (size_t l = 0; l < 2; l++) {
        yyjson_val *list = px_json_arr(directive(lines[l]), "Metrics"), *item, *set;
        size_t idx, max;
        CHECK(yyjson_arr_size(list) <= EMF_METRICS_MAX);
        px_json_arr_foreach(list, idx, max, item)
        {
            yyjson_val *value = yyjson_obj_getn(lines[l], px_json_str(item, "Name").ptr,
                                                px_json_str(item, "Name").len);
            CHECK(yyjson_is_num(value) || yyjson_arr_size(value) <= EMF_VALUES_MAX);
        }
        px_json_arr_foreach(px_json_arr(directive(lines[l]), "Dimensions"), idx, max, set)
            CHECK(yyjson_arr_size(set) <= EMF_DIMENSIONS_MAX);
    }
}

/* ---- one description ---- */

static yyjson_val *alarms(struct test *t)
{
    yyjson_val *root = NULL;
    CHECK_OK(px_json_load(PX_SOURCE_DIR "/platform/alarms.json", 1u << 20, &t->arena, &root));
    return root;
}

/* Those without a pattern are printed by functions; the others CloudWatch makes out of log lines. */
TEST(alarms_json_lists_exactly_what_is_printed)
{
    size_t idx, max, found = 0;
    yyjson_val *item;
    px_json_arr_foreach(px_json_arr(alarms(t), "metrics"), idx, max, item)
    {
        struct px_str name = px_json_str(item, "name");
        if (px_json_str(item, "pattern").len > 0) {
            for (size_t i = 0; i < METRICS_TOTAL; i++) /* else it would count twice */
                CHECK(!px_str_eq(name, px_str_c(metric_table[i].name)));
            continue;
        }
        CHECK(found < METRICS_TOTAL);
        const struct metric_info *info = &metric_table[found++];
        CHECK_STR(name, px_str_c(info->name));
        CHECK_STR(px_json_str(item, "unit"), px_str_c(info->unit));
        CHECK_STR(px_json_str(item, "description"), px_str_c(info->about));
        CHECK_STR(json(t, px_json_arr(item, "dimensions")),
                  info->of_tenants ? S("[[],[\"function\"],[\"tenant\"]]")
                                   : S("[[],[\"function\"]]"));
    }
    CHECK_INT(found, METRICS_TOTAL);
}

TEST(alarms_and_pictures_look_at_metrics_with_dimensions_that_are_printed)
{
    yyjson_val *root = alarms(t), *item, *key;
    size_t idx, max, looked = 0;
    px_json_arr_foreach(px_json_arr(root, "alarms"), idx, max, item)
    {
        if (!px_str_starts(px_json_str(item, "namespace"), S("Prism/"))) continue;
        CHECK_STR(px_json_str(item, "namespace"), S("Prism/{prefix}"));
        CHECK_INT(yyjson_obj_size(px_json_obj(item, "dimensions")), 0); /* the set without any */
        looked++;
    }
    px_json_obj_foreach(px_json_obj(root, "widgets"), idx, max, key, item)
    {
        if (!px_str_starts(px_json_str(item, "namespace"), S("Prism/"))) continue;
        CHECK_INT(yyjson_obj_size(px_json_obj(item, "dimensions")), 0);
        looked++;
    }
    CHECK(looked >= 8);
}

TEST(the_page_about_them_has_the_same_table)
{
    PX_AUTO(px_buf_deinit) struct px_buf page;
    px_buf_init(&page, 1u << 20);
    CHECK_OK(px_file_read(PX_SOURCE_DIR "/docs/design/observability.md", &page));
    static const char *const kinds[] = {"sum", "newest", "values"};
    for (size_t i = 0; i < METRICS_TOTAL; i++) {
        const struct metric_info *info = &metric_table[i];
        struct px_str row = px_arena_printf(&t->arena, "\n| `%s` | %s | %s | %s | %s |\n",
                                            info->name, info->unit, kinds[info->kind],
                                            info->of_tenants ? "yes" : "", info->about);
        if (!memmem(page.ptr, page.len, row.ptr, row.len))
            TEST_FAIL("docs/design/observability.md lacks the row%s", row.ptr);
    }
}

TEST_MAIN
