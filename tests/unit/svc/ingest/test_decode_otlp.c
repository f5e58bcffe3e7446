/* decode_otlp(): the same rows from both encodings, what each column holds, and bad input. The requests
 * in otlp/ were written by Google's protobuf runtime. */
#include "support/support.h"

#include "rows.h"
#include "svc/ingest/decode.h"

#define NOW_NS (INT64_C(1767323100) * PX_NS_PER_S)

struct decoding {
    struct batch *batch;
    struct decode_limits limits;
    struct decode_result result;
    struct px_where where;
    int r;
};

static void decoding_deinit(struct decoding *it) { batch_free(&it->batch); }

static struct decoding decoding_begin(void)
{
    struct decoding it = {.limits = {.record_bytes_max = 1u << 20,
                                     .records_max = 1000,
                                     .fields_max = 100,
                                     .time_min_us = INT64_C(1500000000) * 1000000,
                                     .time_max_us = INT64_C(1900000000) * 1000000,
                                     .now_ns = NOW_NS}};
    struct batch_limits batch = {.row_columns_max = 100};
    CHECK_OK(batch_new(&batch, &it.batch));
    return it;
}

static void decode(struct test *t, struct decoding *it, enum otlp_signal signal, bool json,
                   struct px_str body)
{
    struct px_arena arena;
    px_arena_init(&arena, 32u << 20);
    batch_reset(it->batch);
    it->result = (struct decode_result){0};
    it->r = decode_otlp(signal, json, body, &it->limits, &arena, it->batch, &it->result,
                        &it->where);
    px_arena_deinit(&arena);
    (void)t;
}

static struct px_str fixture(struct test *t, const char *name)
{
    struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    const char *path =
        px_arena_printf(&t->arena, PX_SOURCE_DIR "/tests/unit/svc/ingest/otlp/%s", name).ptr;
    CHECK_OK(px_file_read(path, &buf));
    struct px_str copy = px_arena_dup(&t->arena, px_buf_str(&buf));
    px_buf_deinit(&buf);
    return copy;
}

static struct px_str fixture_rows(struct test *t, enum otlp_signal signal, const char *name,
                                  uint64_t rows)
{
    PX_AUTO(decoding_deinit) struct decoding it = decoding_begin();
    decode(t, &it, signal, !px_str_ends(px_str_c(name), S(".pb")), fixture(t, name));
    if (it.r != 0) TEST_FAIL("%s: %d %s %s", name, it.r, it.where.path, it.where.expected);
    CHECK_INT(it.result.accepted, rows);
    CHECK_INT(it.result.refused, 0);
    CHECK_INT(batch_rows(it.batch), rows);
    return rows_text(it.batch, &t->arena);
}

static void check_same_rows(struct test *t, enum otlp_signal signal, const char *name,
                            uint64_t rows)
{
    struct px_str pb = fixture_rows(t, signal, px_arena_printf(&t->arena, "%s.pb", name).ptr, rows);
    CHECK_STR(fixture_rows(t, signal, px_arena_printf(&t->arena, "%s.json", name).ptr, rows), pb);
    CHECK_STR(fixture_rows(t, signal, px_arena_printf(&t->arena, "%s.snake.json", name).ptr, rows),
              pb);
}

TEST(logs_are_the_same_rows_in_all_encodings) { check_same_rows(t, OTLP_LOGS, "logs", 12); }
TEST(traces_are_the_same_rows_in_all_encodings) { check_same_rows(t, OTLP_TRACES, "traces", 3); }
TEST(metrics_are_the_same_rows_in_all_encodings) { check_same_rows(t, OTLP_METRICS, "metrics", 9); }

#define CHECK_HAS(text, part)                                                                      \
    do {                                                                                           \
        struct px_str check_text_value_ = (text);                                                  \
        if (!rows_has(check_text_value_, (part)))                                                  \
            TEST_FAIL("no %s in %.*s", (part), PX_FMT(check_text_value_));                         \
    } while (0)
#define CHECK_LACKS(text, part)                                                                    \
    do {                                                                                           \
        struct px_str check_text_value_ = (text);                                                  \
        if (rows_has(check_text_value_, (part)))                                                   \
            TEST_FAIL("%s in %.*s", (part), PX_FMT(check_text_value_));                            \
    } while (0)

TEST(a_log_record_has_opentelemetry_names)
{
    struct px_str row = rows_line(fixture_rows(t, OTLP_LOGS, "logs.pb", 12), 0);
    const char *const parts[] = {" time:time=1767323045123456 ",
                                 "time_unix_nano:int=1767323045123456789 ",
                                 "observed_time_unix_nano:int=1767323045000000005 ",
                                 "severity_number:int=17 ",
                                 "severity_text:string=\"ERROR\" ",
                                 "body:string=\"connection refused\" ",
                                 "trace_id:string=\"0102030405060708090a0b0c0d0e0f10\" ",
                                 "span_id:string=\"0102030405060708\" ",
                                 "flags:int=1 ",
                                 "event_name:string=\"boom\" ",
                                 "dropped_attributes_count:int=2 ",
                                 "resource.service.name:string=\"checkout\" ",
                                 "resource.host.cpus:int=8 ",
                                 "resource.tags:json=[\"a\",\"b\"] ",
                                 "scope.name:string=\"my.library\" ",
                                 "scope.version:string=\"1.2.3\" ",
                                 "scope.attributes.scope.key:double=1.5"};
    for (size_t i = 0; i < PX_COUNT(parts); i++) CHECK_HAS(row, parts[i]);
}

TEST(attribute_values_keep_their_types_and_digits)
{
    struct px_str row = rows_line(fixture_rows(t, OTLP_LOGS, "logs.json", 12), 0);
    const char *const parts[] = {"attributes.text:string=\"Grüße \U0001F680 \\\"quoted\\\"\\n\"",
                                 "attributes.nul:string=\"before\\u0000after\"",
                                 "attributes.empty:string=\"\"",
                                 "attributes.yes:bool=true",
                                 "attributes.no:bool=false",
                                 "attributes.int:int=9007199254740993",
                                 "attributes.negative:int=-9223372036854775808",
                                 "attributes.double:double=0.1000000000000000",
                                 "attributes.whole:double=3 ",
                                 "attributes.huge:double=1.797693134862315",
                                 "attributes.bytes:string=\"AP/+fg==\"",
                                 "attributes.array:json=[\"a\",1,2.5,null,true,\"AQ==\"]",
                                 "attributes.map:json={\"k\":{\"nested\":[1,[2]]}}",
                                 "attributes.empty_array:json=[]"};
    for (size_t i = 0; i < PX_COUNT(parts); i++) CHECK_HAS(row, parts[i]);
    CHECK_LACKS(row, "attributes.null");
}

TEST(bodies_that_are_no_text_become_json_text)
{
    struct px_str rows = fixture_rows(t, OTLP_LOGS, "logs.pb", 12);
    CHECK_LACKS(rows_line(rows, 1), "body");
    const char *const bodies[] = {
        "\"42\"",           "\"true\"",
        "\"0.5\"",          "\"{\\\"msg\\\":\\\"hi\\\",\\\"n\\\":[1,2]}\"",
        "\"\\\"cmF3\\\"\"", "\"\"",
        "\"a\\u0000b\""};
    for (size_t i = 0; i < PX_COUNT(bodies); i++)
        CHECK_HAS(rows_line(rows, 2 + i),
                  px_arena_printf(&t->arena, "body:string=%s", bodies[i]).ptr);
}

TEST(a_log_without_time_gets_the_observed_one_or_the_arrival)
{
    struct px_str rows = fixture_rows(t, OTLP_LOGS, "logs.pb", 12);
    CHECK_HAS(rows_line(rows, 1), " time:time=1767323045000001 ");
    CHECK_HAS(rows_line(rows, 9), " time:time=1767323100000000 ");
    CHECK_LACKS(rows_line(rows, 9), "time_unix_nano");
}

TEST(invalid_ids_of_a_log_are_absent_and_groups_do_not_leak)
{
    struct px_str rows = fixture_rows(t, OTLP_LOGS, "logs.pb", 12);
    CHECK_LACKS(rows_line(rows, 10), "trace_id");
    CHECK_LACKS(rows_line(rows, 10), "span_id");
    CHECK_STR(rows_line(rows, 11),
              S(" time:time=1767323045000000 time_unix_nano:int=1767323045000000009"
                " body:string=\"no resource, no scope\""));
}

TEST(a_span_has_opentelemetry_names)
{
    struct px_str rows = fixture_rows(t, OTLP_TRACES, "traces.pb", 3);
    CHECK_STR(
        rows_line(rows, 0),
        S(" time:time=1767323045000000 start_time_unix_nano:int=1767323045000000000"
          " end_time_unix_nano:int=1767323045001500000 duration_ns:int=1500000"
          " trace_id:string=\"0102030405060708090a0b0c0d0e0f10\" span_id:string=\"0102030405060708\""
          " parent_span_id:string=\"0807060504030201\" trace_state:string=\"a=b\" name:string=\"GET /cart\""
          " kind:string=\"SERVER\" status_code:string=\"ERROR\" status_message:string=\"it broke\" flags:int=257"
          " events:json=[{\"time_unix_nano\":1767323045000000010,\"name\":\"exception\",\"attributes\":"
          "{\"exception.message\":\"no \\\"luck\\\"\",\"depth\":{\"a\":[1]}},\"dropped_attributes_count\":4},"
          "{\"time_unix_nano\":1767323045000000011,\"name\":\"plain\"}]"
          " links:json=[{\"trace_id\":\"100f0e0d0c0b0a090807060504030201\",\"span_id\":\"0102030405060708\","
          "\"trace_state\":\"x=y\",\"flags\":1,\"attributes\":{\"why\":\"batch\"}}]"
          " dropped_attributes_count:int=1 dropped_events_count:int=2 dropped_links_count:int=3"
          " attributes.http.status_code:int=500 attributes.ok:bool=false"
          " resource.service.name:string=\"frontend\" scope.name:string=\"tracer\""));
    CHECK_HAS(rows_line(rows, 1), "kind:string=\"UNSPECIFIED\" status_code:string=\"UNSET\"");
    CHECK_HAS(rows_line(rows, 2), "duration_ns:int=-9 ");
    CHECK_HAS(rows_line(rows, 2), "kind:string=\"CONSUMER\" status_code:string=\"OK\"");
}

TEST(metrics_have_a_row_for_each_point)
{
    struct px_str rows = fixture_rows(t, OTLP_METRICS, "metrics.pb", 9);
    CHECK_HAS(
        rows_line(rows, 0),
        "metric_name:string=\"temperature\" description:string=\"of the room\" unit:string=\"Cel\""
        " type:string=\"gauge\" value:double=21.5");
    CHECK_HAS(rows_line(rows, 0), "metadata.origin:string=\"test\"");
    CHECK_HAS(rows_line(rows, 0), "attributes.room:string=\"a\"");
    CHECK_HAS(rows_line(rows, 1), "value:double=nan");
    CHECK_HAS(rows_line(rows, 2), "value:double=-inf");
    CHECK_LACKS(rows_line(rows, 3), "value");
    CHECK_HAS(rows_line(rows, 3), "flags:int=1");
    CHECK_HAS(rows_line(rows, 4), "type:string=\"sum\" value:double=9007199254740992 ");
    const char *const sum[] = {"value_int:int=9007199254740993", "is_monotonic:bool=true",
                               "aggregation_temporality:string=\"CUMULATIVE\"",
                               "start_time_unix_nano:int=1767323044999999995"};
    for (size_t i = 0; i < PX_COUNT(sum); i++) CHECK_HAS(rows_line(rows, 4), sum[i]);
    CHECK_HAS(
        rows_line(rows, 4),
        "exemplars:json=[{\"time_unix_nano\":1767323045000000000,\"value\":0.25,\"trace_id\":"
        "\"0102030405060708090a0b0c0d0e0f10\",\"span_id\":\"0102030405060708\",\"attributes\":"
        "{\"user\":\"x\"}},{\"time_unix_nano\":1767323045000000001,\"value\":7}]");
}

TEST(histograms_and_summaries_keep_their_buckets)
{
    struct px_str rows = fixture_rows(t, OTLP_METRICS, "metrics.pb", 9);
    const char *const histogram[] = {"type:string=\"histogram\"",
                                     "aggregation_temporality:string=\"DELTA\"",
                                     "sum:double=10.5",
                                     "min:double=0 ",
                                     "max:double=4 ",
                                     "bucket_counts:json=[1,2,3]",
                                     "explicit_bounds:json=[0.1,2.0]"};
    for (size_t i = 0; i < PX_COUNT(histogram); i++) CHECK_HAS(rows_line(rows, 5), histogram[i]);
    CHECK_LACKS(rows_line(rows, 6), "sum:");
    const char *const exponential[] = {
        "type:string=\"exponential_histogram\"",
        "scale:int=-3",
        "zero_count:int=4",
        "zero_threshold:double=0.001",
        "count:double=9.2233720368547758e+18",
        "positive:json={\"offset\":-7,\"bucket_counts\":[1,0,18446744073709551615]}",
        "negative:json={\"offset\":2,\"bucket_counts\":[9]}"};
    for (size_t i = 0; i < PX_COUNT(exponential); i++)
        CHECK_HAS(rows_line(rows, 7), exponential[i]);
    CHECK_HAS(
        rows_line(rows, 8),
        "quantile_values:json=[{\"quantile\":0.5,\"value\":1.0},{\"quantile\":0.99,\"value\":3.75}]");
}

/* ---- refused records ---- */

TEST(a_bad_record_is_refused_with_its_place_and_the_others_stay)
{
    PX_AUTO(decoding_deinit) struct decoding it = decoding_begin();
    decode(
        t, &it, OTLP_LOGS, true,
        S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":["
          "{\"timeUnixNano\":\"1767323045000000000\",\"body\":{\"stringValue\":\"good\"}},"
          "{\"timeUnixNano\":\"1000\",\"body\":{\"stringValue\":\"1970\"}},"
          "{\"timeUnixNano\":\"18446744073709551615\"},"
          "{\"timeUnixNano\":\"1767323045000000000\",\"attributes\":[{\"key\":\"\",\"value\":{\"intValue\":1}}]},"
          "{\"timeUnixNano\":\"1767323045000000000\",\"attributes\":[{\"key\":\"a\\u0007b\",\"value\":{\"intValue\":1}}]},"
          "{\"timeUnixNano\":\"1767323045000000000\",\"body\":{\"stringValue\":\"good too\"}}]}]}]}"));
    CHECK_OK(it.r);
    CHECK_INT(it.result.accepted, 2);
    CHECK_INT(it.result.refused, 4);
    CHECK_INT(it.result.refusals_kept, 4);
    CHECK_INT(it.result.refusals[0].record, 1);
    CHECK_STR(px_str_c(it.result.refusals[0].where.path),
              S("resourceLogs[0].scopeLogs[0].logRecords[1].timeUnixNano"));
    CHECK_STR(px_str_c(it.result.refusals[0].where.expected),
              S("a time from 2017-07-14T02:40:00Z to 2030-03-17T17:46:40Z"));
    CHECK_INT(it.result.refusals[3].record, 4);
    CHECK_HAS(rows_line(rows_text(it.batch, &t->arena), 1), "body:string=\"good too\"");
}

TEST(a_bad_resource_refuses_only_its_own_records)
{
    PX_AUTO(decoding_deinit) struct decoding it = decoding_begin();
    decode(
        t, &it, OTLP_LOGS, true,
        S("{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"\",\"value\":{\"intValue\":1}}]},"
          "\"scopeLogs\":[{\"logRecords\":[{\"severityNumber\":1},{\"severityNumber\":2}]}]},"
          "{\"scopeLogs\":[{\"logRecords\":[{\"severityNumber\":3}]}]}]}"));
    CHECK_OK(it.r);
    CHECK_INT(it.result.accepted, 1);
    CHECK_INT(it.result.refused, 2);
}

TEST(a_span_without_ids_is_refused)
{
    PX_AUTO(decoding_deinit) struct decoding it = decoding_begin();
    decode(t, &it, OTLP_TRACES, true,
           S("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"a\",\"traceId\":\"00\"},"
             "{\"name\":\"b\",\"traceId\":\"0102030405060708090A0B0C0D0E0F10\"}]}]}]}"));
    CHECK_OK(it.r);
    CHECK_INT(it.result.refused, 2);
    CHECK_STR(px_str_c(it.result.refusals[0].where.path),
              S("resourceSpans[0].scopeSpans[0].spans[0].traceId"));
    CHECK_STR(px_str_c(it.result.refusals[1].where.path),
              S("resourceSpans[0].scopeSpans[0].spans[1].spanId"));
}

TEST(a_record_with_too_many_fields_or_too_much_text_is_refused)
{
    PX_AUTO(decoding_deinit) struct decoding it = decoding_begin();
    struct px_buf body;
    px_buf_init(&body, 16u << 20);
    px_buf_add_c(&body, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"attributes\":[");
    for (int i = 0; i < 101; i++)
        px_buf_printf(&body, "%s{\"key\":\"k%d\",\"value\":{\"intValue\":1}}", i ? "," : "", i);
    px_buf_add_c(&body, "]},{\"body\":{\"stringValue\":\"");
    for (int i = 0; i < (1 << 20) + 1; i++) px_buf_add_char(&body, 'x');
    px_buf_add_c(&body, "\"}},{\"body\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"");
    for (int i = 0; i < (3 << 20); i++) px_buf_add_char(&body, 'x');
    px_buf_add_c(&body, "\"}]}}},{\"body\":{\"stringValue\":\"fine\"}}]}]}]}");
    decode(t, &it, OTLP_LOGS, true, px_buf_str(&body));
    px_buf_deinit(&body);
    CHECK_OK(it.r);
    CHECK_INT(it.result.accepted, 1);
    CHECK_INT(it.result.refused, 3);
    CHECK(strstr(it.result.refusals[0].where.expected, "fewer fields"));
    CHECK(strstr(it.result.refusals[1].where.expected, "1048576 bytes"));
    CHECK(strstr(it.result.refusals[2].where.expected, "1048576 bytes"));
}

/* ---- invalid requests ---- */

static void check_invalid(struct test *t, enum otlp_signal signal, bool json, struct px_str body,
                          int answer, const char *path, const char *expected)
{
    PX_AUTO(decoding_deinit) struct decoding it = decoding_begin();
    decode(t, &it, signal, json, body);
    CHECK_INT(it.r, answer);
    CHECK_INT(batch_rows(it.batch), 0);
    CHECK_STR(px_str_c(it.where.path), px_str_c(path));
    if (!strstr(it.where.expected, expected))
        TEST_FAIL("\"%s\" lacks \"%s\"", it.where.expected, expected);
}

TEST(json_of_wrong_types_is_invalid_with_the_path)
{
    check_invalid(t, OTLP_LOGS, true, S("[]"), DECODE_INVALID, "", "an object");
    check_invalid(t, OTLP_LOGS, true, S(""), DECODE_INVALID, "", "empty");
    check_invalid(t, OTLP_LOGS, true, S("{\"resourceLogs\":{}}"), DECODE_INVALID, "resourceLogs",
                  "an array");
    check_invalid(
        t, OTLP_LOGS, true,
        S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{},{\"timeUnixNano\":\"x\"}]}]}]}"),
        DECODE_INVALID, "resourceLogs[0].scopeLogs[0].logRecords[1].timeUnixNano", "64-bit");
    check_invalid(t, OTLP_TRACES, true,
                  S("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"xyz\"}]}]}]}"),
                  DECODE_INVALID, "resourceSpans[0].scopeSpans[0].spans[0].traceId", "hex");
    check_invalid(t, OTLP_TRACES, true,
                  S("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"kind\":\"BEST\"}]}]}]}"),
                  DECODE_INVALID, "resourceSpans[0].scopeSpans[0].spans[0].kind", "enum");
    check_invalid(t, OTLP_LOGS, true, S("{\"resourceLogs\":[{\"scopeLogs\":["), DECODE_INVALID, "",
                  "JSON");
}

TEST(damaged_protobuf_is_invalid)
{
    check_invalid(t, OTLP_LOGS, false, S("\xff\xff\xff"), DECODE_INVALID, "",
                  "ExportLogsServiceRequest");
    struct px_str whole = fixture(t, "logs.pb");
    for (size_t n = 1; n < whole.len; n += 7) {
        PX_AUTO(decoding_deinit) struct decoding it = decoding_begin();
        decode(t, &it, OTLP_LOGS, false, px_str(whole.ptr, n));
        CHECK(it.r == DECODE_INVALID || it.r == 0);
    }
}

TEST(no_records_is_fine)
{
    PX_AUTO(decoding_deinit) struct decoding it = decoding_begin();
    decode(t, &it, OTLP_LOGS, false, S(""));
    CHECK_OK(it.r);
    decode(t, &it, OTLP_METRICS, true, S("{\"resourceMetrics\":null,\"unknown\":{\"x\":[1]}}"));
    CHECK_OK(it.r);
    CHECK_INT(it.result.accepted + it.result.refused, 0);
}

TEST(more_records_than_allowed_is_too_large)
{
    PX_AUTO(decoding_deinit) struct decoding it = decoding_begin();
    it.limits.records_max = 11;
    decode(t, &it, OTLP_LOGS, false, fixture(t, "logs.pb"));
    CHECK_INT(it.r, DECODE_TOO_LARGE);
    CHECK(strstr(it.where.expected, "at most 11 records"));
}

/* ---- hostile requests ---- */

static void prepend(struct px_buf *reversed, struct px_str bytes)
{
    for (size_t i = bytes.len; i-- > 0;) px_buf_add_char(reversed, bytes.ptr[i]);
}
/* tag and length of what was written so far, in a buffer that is written from its end */
static void wrap(struct px_buf *reversed, unsigned field)
{
    char head[8];
    size_t n = 0, length = reversed->len;
    head[n++] = (char)(field << 3 | 2);
    for (; length >= 128; length >>= 7) head[n++] = (char)(length & 127) | (char)128;
    head[n++] = (char)length;
    prepend(reversed, px_str(head, n));
}

/* body = AnyValue holding `levels` lists in one another */
static struct px_str nested_body(struct test *t, int levels, bool kvlist)
{
    struct px_buf reversed;
    px_buf_init(&reversed, 8u << 20);
    for (int i = 0; i < levels; i++) {
        if (kvlist) wrap(&reversed, 2);  /* KeyValue.value */
        wrap(&reversed, 1);              /* values[] */
        wrap(&reversed, kvlist ? 6 : 5); /* AnyValue.kvlist_value or array_value */
    }
    const unsigned path[] = {5, 2, 2, 1}; /* body, logRecords, scopeLogs, resourceLogs */
    for (size_t i = 0; i < PX_COUNT(path); i++) wrap(&reversed, path[i]);
    CHECK_INT(px_buf_fault(&reversed), 0);
    struct px_str body = px_arena_dup(&t->arena, px_buf_str(&reversed));
    char *at = (char *)(uintptr_t)body.ptr;
    for (size_t i = 0; i < body.len; i++) at[i] = reversed.ptr[body.len - 1 - i];
    px_buf_deinit(&reversed);
    return body;
}

TEST(a_hundred_thousand_levels_do_not_overflow_the_stack)
{
    check_invalid(t, OTLP_LOGS, false, nested_body(t, 100000, false), DECODE_INVALID, "",
                  "nested less deeply");
    check_invalid(t, OTLP_LOGS, false, nested_body(t, 100000, true), DECODE_INVALID, "",
                  "nested less deeply");
}

TEST(a_value_of_32_levels_is_stored_and_one_of_33_is_refused)
{
    PX_AUTO(decoding_deinit) struct decoding it = decoding_begin();
    for (int kvlist = 0; kvlist < 2; kvlist++) {
        decode(t, &it, OTLP_LOGS, false, nested_body(t, 32, kvlist));
        CHECK_OK(it.r);
        CHECK_INT(it.result.accepted, 1);
        decode(t, &it, OTLP_LOGS, false, nested_body(t, 33, kvlist));
        CHECK_OK(it.r);
        CHECK_INT(it.result.refused, 1);
        CHECK(strstr(it.result.refusals[0].where.expected, "32 levels"));
    }
}

TEST(json_nested_a_hundred_thousand_levels_is_invalid)
{
    struct px_buf body;
    px_buf_init(&body, 8u << 20);
    px_buf_add_c(&body, "{\"resourceLogs\":");
    for (int i = 0; i < 100000; i++) px_buf_add_char(&body, '[');
    for (int i = 0; i < 100000; i++) px_buf_add_char(&body, ']');
    px_buf_add_char(&body, '}');
    check_invalid(t, OTLP_LOGS, true, px_buf_str(&body), DECODE_INVALID, "", "nesting");
    px_buf_deinit(&body);
}

TEST(records_that_unpack_into_too_much_memory_are_too_large)
{
    struct px_buf reversed;
    px_buf_init(&reversed, 8u << 20);
    for (int i = 0; i < 2000000; i++) px_buf_add(&reversed, "\x00\x12", 2); /* empty log records */
    wrap(&reversed, 2);
    wrap(&reversed, 1);
    struct px_str body = px_buf_str(&reversed);
    for (size_t i = 0; i < body.len / 2; i++) {
        char swap = reversed.ptr[i];
        reversed.ptr[i] = reversed.ptr[body.len - 1 - i];
        reversed.ptr[body.len - 1 - i] = swap;
    }
    check_invalid(t, OTLP_LOGS, false, body, DECODE_TOO_LARGE, "", "bytes of memory");
    px_buf_deinit(&reversed);
}

TEST(text_that_is_not_utf8_is_repaired)
{
    PX_AUTO(decoding_deinit) struct decoding it = decoding_begin();
    /* body "a\xffb", attribute "k" = "\xc3" */
    decode(t, &it, OTLP_LOGS, false,
           S("\x0a\x17\x12\x15\x12\x13\x2a\x05\x0a\x03"
             "a\xff"
             "b"
             "\x32\x08\x0a\x01"
             "k\x12\x03\x0a\x01\xc3"
             "\x10\x09"));
    CHECK_OK(it.r);
    CHECK_INT(it.result.accepted, 1);
    struct px_str rows = rows_text(it.batch, &t->arena);
    CHECK_HAS(rows, "body:string=\"a\xEF\xBF\xBD"
                    "b\"");
    CHECK_HAS(rows, "attributes.k:string=\"\xEF\xBF\xBD\"");
}

TEST_MAIN
