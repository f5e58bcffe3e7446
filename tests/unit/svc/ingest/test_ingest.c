/* ingest_handle(): answers of every route, limits, and each request stored once. */
#include "harness.h"

#include "svc/ingest/stored_limit.h"
#include "svc/quota/days.h"

#include <libdeflate.h>
#include <opentelemetry/proto/collector/logs/v1/logs_service.pb-c.h>
// link: prism::deflate prism::otlp

typedef Opentelemetry__Proto__Collector__Logs__V1__ExportLogsServiceResponse export_response;
typedef Opentelemetry__Proto__Collector__Logs__V1__ExportLogsPartialSuccess counted_text;

#define TWO_RECORDS                                                                                \
    S("{\"time\":\"2026-01-02T03:00:00Z\",\"m\":\"a\"}\n{\"time\":\"2026-01-02T03:00:01Z\",\"m\":\"b\"}\n")
#define ONE_LOG                                                                                    \
    S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"hi\"}}]}]}]}")
#define ONE_GOOD_ONE_BAD_LOG                                                                       \
    S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":\"5\"},{\"severityNumber\":9}]}]}]}")
#define ONE_BAD_LOG                                                                                \
    S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":\"5\"}]}]}]}")

/* ---- answers ---- */

TEST(records_are_stored_and_counted)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    struct reply reply = send_to(t, it.ingest, &(struct request){.body = TWO_RECORDS});
    CHECK_STATUS(200, reply);
    CHECK_STR(reply.type, S("application/json"));
    CHECK_STR(reply.body, S("{\"accepted\":2,\"refused\":0,\"errors\":[],\"duplicate\":false}"));
    struct stored stored = stored_in(t, it.hot, "events");
    CHECK_INT(stored.frames, 1);
    CHECK_INT(stored.rows, 2);
    static const uint8_t zero[16];
    CHECK(memcmp(stored.ids[0], zero, 16) != 0);
}

TEST(refused_records_are_named_and_the_others_stored)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    struct reply reply = send_to(
        t, it.ingest,
        &(struct request){
            .body = S("{\"m\":1}\n{\"time\":\"1900-01-01T00:00:00Z\",\"m\":2}\n{\"m\":\n")});
    CHECK_STATUS(200, reply);
    CHECK_INT(px_json_i64(reply.json, "accepted", -1), 1);
    CHECK_INT(px_json_i64(reply.json, "refused", -1), 2);
    yyjson_val *errors = px_json_arr(reply.json, "errors");
    CHECK_INT(yyjson_arr_size(errors), 2);
    CHECK_INT(px_json_i64(yyjson_arr_get(errors, 0), "record", -1), 1);
    CHECK(px_json_str(yyjson_arr_get(errors, 0), "reason").len > 0);
    CHECK_INT(px_json_i64(yyjson_arr_get(errors, 1), "record", -1), 2);
}

TEST(nothing_that_can_be_stored_is_a_400_with_the_reasons)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    struct reply reply = send_to(t, it.ingest, &(struct request){.body = S("nonsense\nmore\n")});
    CHECK_STATUS(400, reply);
    CHECK_STR(reply.type, S("application/problem+json"));
    CHECK_INT(yyjson_arr_size(px_json_arr(reply.json, "errors")), 2);
    CHECK_INT(stored_in(t, it.hot, "events").frames, 0);
}

TEST(otlp_json_is_answered_in_json)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    struct request request = {.resource = "/v1/logs", .type = "application/json; charset=utf-8"};
    request.body = ONE_LOG;
    struct reply reply = send_to(t, it.ingest, &request);
    CHECK_STATUS(200, reply);
    CHECK_STR(reply.body, S("{}"));
    CHECK_INT(stored_in(t, it.hot, "logs").rows, 1);

    request.body = ONE_GOOD_ONE_BAD_LOG;
    reply = send_to(t, it.ingest, &request);
    CHECK_STATUS(200, reply);
    yyjson_val *partial = px_json_obj(reply.json, "partialSuccess");
    CHECK_STR(px_json_str(partial, "rejectedLogRecords"), S("1"));
    CHECK(strstr(px_json_str(partial, "errorMessage").ptr, "logRecords[0].timeUnixNano"));

    request.body = ONE_BAD_LOG;
    reply = send_to(t, it.ingest, &request);
    CHECK_STATUS(400, reply);
    CHECK_INT(px_json_i64(reply.json, "code", -1), 3); /* INVALID_ARGUMENT */
    CHECK(px_json_str(reply.json, "message").len > 0);
    CHECK_INT(stored_in(t, it.hot, "logs").rows, 2);
}

TEST(otlp_protobuf_is_answered_in_protobuf)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    struct request request = {.resource = "/v1/logs", .type = "application/x-protobuf"};
    request.body = S("\x0a\x06\x12\x04\x12\x02\x10\x09");
    struct reply reply = send_to(t, it.ingest, &request);
    CHECK_STATUS(200, reply);
    CHECK_STR(reply.type, S("application/x-protobuf"));
    CHECK_INT(reply.body.len, 0);

    request.body = S(
        "\x0a\x11\x12\x0f\x12\x02\x10\x09\x12\x09\x09\x05\x00\x00\x00\x00\x00\x00\x00");
    reply = send_to(t, it.ingest, &request);
    CHECK_STATUS(200, reply);
    export_response *response =
        opentelemetry__proto__collector__logs__v1__export_logs_service_response__unpack(
            NULL, reply.body.len, (const uint8_t *)reply.body.ptr);
    CHECK(response && response->partial_success);
    CHECK_INT(response->partial_success->rejected_log_records, 1);
    CHECK(response->partial_success->error_message.len > 0);
    opentelemetry__proto__collector__logs__v1__export_logs_service_response__free_unpacked(response,
                                                                                           NULL);
    CHECK_INT(stored_in(t, it.hot, "logs").rows, 2);
}

TEST(otlp_errors_are_a_status_in_the_requests_encoding)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    struct request request = {
        .resource = "/v1/traces", .type = "application/x-protobuf", .body = S("\xff")};
    struct reply reply = send_to(t, it.ingest, &request);
    CHECK_STATUS(400, reply);
    CHECK_STR(reply.type, S("application/x-protobuf"));
    counted_text *status =
        opentelemetry__proto__collector__logs__v1__export_logs_partial_success__unpack(
            NULL, reply.body.len,
            (const uint8_t *)reply.body.ptr); /* google.rpc.Status has the same fields */
    CHECK(status);
    CHECK_INT(status->rejected_log_records, 3);
    CHECK(memmem(status->error_message.data, status->error_message.len, "ExportTraceServiceRequest",
                 25));
    opentelemetry__proto__collector__logs__v1__export_logs_partial_success__free_unpacked(status,
                                                                                          NULL);
}

/* No store is given and none can be opened: touching one would be a fault. */
TEST(requests_without_records_touch_no_store)
{
    struct ingest *ingest;
    struct ingest_options options = {.clock = &t->clock};
    CHECK_OK(ingest_new(&options, &ingest));
    struct request request = {.resource = "/v1/logs", .type = "application/json", .body = S("{}")};
    struct reply reply = send_to(t, ingest, &request);
    CHECK_STATUS(200, reply);
    CHECK_STR(reply.body, S("{}"));
    reply = send_to(t, ingest,
                    &(struct request){.resource = "/v1/metrics", .type = "application/x-protobuf"});
    CHECK_STATUS(200, reply);
    reply = send_to(
        t, ingest,
        &(struct request){.resource = "/v1/logs", .type = "application/json", .body = ONE_BAD_LOG});
    CHECK_STATUS(400, reply);
    reply = send_to(t, ingest, &(struct request){.body = TWO_RECORDS});
    CHECK_INT(reply.r, PX_F_BUG);
    ingest_free(&ingest);
}

static void check_refused(struct test *t, struct ingest *ingest, struct request request, int status,
                          const char *why)
{
    if (!request.body.ptr) request.body = TWO_RECORDS;
    struct reply reply = send_to(t, ingest, &request);
    CHECK_STATUS(status, reply);
    struct px_str detail = px_json_str(reply.json, request.resource ? "message" : "detail");
    if (!memmem(detail.ptr, detail.len, why, strlen(why)))
        TEST_FAIL("\"%.*s\" lacks \"%s\"", PX_FMT(detail), why);
}

TEST(requests_are_refused_with_status_and_reason)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    struct ingest *in = it.ingest;
    char long_key[257];
    memset(long_key, 'k', 256);
    long_key[256] = '\0';
    check_refused(t, in, (struct request){.scopes = "query"}, 403, "scope");
    check_refused(t, in, (struct request){.tenant = ""}, 403, "tenant");
    check_refused(t, in, (struct request){.tenant = "../etc"}, 403, "tenant");
    check_refused(t, in, (struct request){.type = "application/xml"}, 415, "application/x-ndjson");
    check_refused(t, in, (struct request){.resource = "/v1/logs", .type = "text/plain"}, 415,
                  "application/x-protobuf");
    check_refused(t, in, (struct request){.dataset = "Bad-Name"}, 400, "letter a to z");
    check_refused(t, in, (struct request){.dataset = ""}, 400, "at least one");
    check_refused(t, in, (struct request){.method = "GET"}, 405, "POST");
    check_refused(t, in, (struct request){.key = ""}, 400, "Idempotency-Key");
    check_refused(t, in, (struct request){.key = "\x7f"}, 400, "Idempotency-Key");
    check_refused(t, in, (struct request){.key = long_key}, 400, "255");
    check_refused(t, in, (struct request){.encoding = "br"}, 400, "gzip");
    check_refused(t, in, (struct request){.encoding = "gzip"}, 400, "gzip");
    CHECK_INT(stored_in(t, it.hot, "events").frames, 0);
}

TEST(records_of_a_tenant_of_another_region_are_refused_with_its_home)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    struct request request = {.home_region = "elsewhere", .body = S("{\"n\":1}")};
    struct reply reply = send_to(t, it.ingest, &request);
    CHECK_STATUS(421, reply);
    CHECK_STR(px_json_str(reply.json, "home_region"), S("elsewhere"));
    request.resource = "/v1/logs"; /* google.rpc.Status has a text only */
    request.type = "application/json";
    reply = send_to(t, it.ingest, &request);
    CHECK_STATUS(421, reply);
    CHECK_INT(px_json_i64(reply.json, "code", 0), 9);
    struct px_str message = px_json_str(reply.json, "message");
    CHECK(px_str_ends(message, S("elsewhere")));
    CHECK_INT(stored_in(t, it.hot, "events").frames, 0);
    const char *const served[] = {"here", "neighbour"}; /* which this one stands in for */
    for (size_t i = 0; i < PX_COUNT(served); i++) {
        request = (struct request){.home_region = served[i],
                                   .body = i ? S("{\"n\":1}") : S("{\"n\":2}")};
        CHECK_STATUS(200, send_to(t, it.ingest, &request));
    }
    CHECK_INT(stored_in(t, it.hot, "events").frames, 2);
}

TEST(bodies_over_the_limit_are_413_also_when_they_are_bombs)
{
    struct ingest_limits limits = {.body_bytes_max = 100000};
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, &limits);
    char *zeros = px_arena_zalloc(&t->arena, 4u << 20);
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    char packed[65536];
    size_t n = libdeflate_gzip_compress(c, zeros, 4u << 20, packed, sizeof packed);
    libdeflate_free_compressor(c);
    CHECK(n > 0);
    check_refused(t, it.ingest, (struct request){.encoding = "gzip", .body = px_str(packed, n)},
                  413, "100000 bytes");
    check_refused(t, it.ingest, (struct request){.body = px_str(zeros, 100001)}, 413,
                  "100000 bytes");
}

TEST(more_records_than_allowed_are_413)
{
    struct ingest_limits limits = {.records_max = 1};
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, &limits);
    check_refused(t, it.ingest, (struct request){.body = TWO_RECORDS}, 413, "1");
    CHECK_INT(stored_in(t, it.hot, "events").frames, 0);
}

/* ---- once ---- */

TEST(a_repeated_key_is_answered_again_and_stored_once)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    PX_AUTO(instance_free) struct instance other = instance_new(t, &t->clock, NULL);
    struct request request = {.key = "k1", .body = S("{\"m\":1}\n{\"m\":\n")};
    CHECK_STATUS(200, send_to(t, it.ingest, &request));
    struct ingest *repeaters[] = {it.ingest, other.ingest, it.ingest};
    for (size_t i = 0; i < PX_COUNT(repeaters); i++) {
        struct reply reply = send_to(t, repeaters[i], &request);
        CHECK_STATUS(200, reply);
        CHECK_INT(px_json_i64(reply.json, "accepted", -1), 1);
        CHECK_INT(px_json_i64(reply.json, "refused", -1), 1);
        CHECK(px_json_bool(reply.json, "duplicate", false));
        CHECK_STR(reply.replayed, S("true"));
    }
    CHECK_INT(stored_in(t, it.hot, "events").frames, 1);
}

TEST(a_key_with_another_body_is_422)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    CHECK_STATUS(200, send_to(t, it.ingest, &(struct request){.key = "k1", .body = TWO_RECORDS}));
    check_refused(t, it.ingest, (struct request){.key = "k1", .body = S("{\"m\":7}")}, 422,
                  "Idempotency-Key");
    CHECK_INT(stored_in(t, it.hot, "events").frames, 1);
}

TEST(a_key_is_of_one_dataset_route_and_tenant)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    CHECK_STATUS(200, send_to(t, it.ingest, &(struct request){.key = "k1", .body = TWO_RECORDS}));
    CHECK_STATUS(200,
                 send_to(t, it.ingest,
                         &(struct request){.key = "k1", .dataset = "logs", .body = TWO_RECORDS}));
    CHECK_STATUS(200,
                 send_to(t, it.ingest,
                         &(struct request){.key = "k1", .tenant = "other", .body = TWO_RECORDS}));
    struct request otlp = {
        .key = "k1", .resource = "/v1/logs", .type = "application/json", .body = ONE_LOG};
    CHECK_STATUS(200, send_to(t, it.ingest, &otlp));
    CHECK_INT(stored_in(t, it.hot, "events").frames, 1);
    CHECK_INT(stored_in(t, it.hot, "logs").frames, 2);
}

TEST(the_same_body_without_key_is_stored_once_within_its_window)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    struct request request = {.resource = "/v1/logs", .type = "application/json", .body = ONE_LOG};
    CHECK_STATUS(200, send_to(t, it.ingest, &request));
    struct reply reply = send_to(t, it.ingest, &request);
    CHECK_STATUS(200, reply);
    CHECK_STR(reply.replayed, S("true"));
    CHECK_INT(stored_in(t, it.hot, "logs").frames, 1);
    test_advance(t, 601 * PX_NS_PER_S);
    reply = send_to(t, it.ingest, &request);
    CHECK_STATUS(200, reply);
    CHECK_INT(reply.replayed.len, 0);
    CHECK_INT(stored_in(t, it.hot, "logs").frames, 2);
}

TEST(the_same_body_with_another_time_field_is_another_request)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    struct request request = {.body = S("{\"a\":1767323000,\"b\":1767323001}")};
    CHECK_STATUS(200, send_to(t, it.ingest, &request));
    request.time_field = "b";
    struct reply reply = send_to(t, it.ingest, &request);
    CHECK_STATUS(200, reply);
    CHECK(!px_json_bool(reply.json, "duplicate", true));
    CHECK_INT(stored_in(t, it.hot, "events").frames, 2);
}

TEST(a_compressed_repeat_is_the_same_content)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    char packed[512];
    size_t n = libdeflate_gzip_compress(c, TWO_RECORDS.ptr, TWO_RECORDS.len, packed, sizeof packed);
    libdeflate_free_compressor(c);
    CHECK_STATUS(200, send_to(t, it.ingest, &(struct request){.key = "k", .body = TWO_RECORDS}));
    struct request request = {.key = "k", .encoding = "gzip", .body = px_str(packed, n)};
    struct reply reply = send_to(t, it.ingest, &request);
    CHECK_STATUS(200, reply);
    CHECK(px_json_bool(reply.json, "duplicate", false));
}

TEST(faults_become_an_answer_to_repeat)
{
    struct http_header headers[4], param, query;
    struct api_event event;
    struct px_buf buf;
    px_buf_init(&buf, 1u << 16);
    struct request request = {.resource = "/v1/logs", .type = "application/json", .body = ONE_LOG};
    request_event(&request, headers, &param, &query, &event);
    ingest_reply_fault(&event, PX_F_NO_SPACE, &buf);
    struct reply reply = reply_read(t, px_buf_str(&buf));
    CHECK_STATUS(503, reply); /* what OTLP's exporters repeat after */
    CHECK_STR(reply.retry_after, S("1"));
    px_buf_clear(&buf);
    request_event(&(struct request){.body = TWO_RECORDS}, headers, &param, &query, &event);
    ingest_reply_fault(&event, PX_F_NO_SPACE, &buf);
    reply = reply_read(t, px_buf_str(&buf));
    CHECK_STATUS(507, reply);
    px_buf_deinit(&buf);
}

/* ---- how many datasets ---- */

static int send_named(struct test *t, struct instance *it, const char *dataset, const char *tenant)
{
    struct reply reply = send_to(
        t, it->ingest,
        &(struct request){.dataset = dataset, .tenant = tenant, .body = TWO_RECORDS});
    CHECK_INT(reply.r, 0);
    if (reply.status == 403) CHECK(strstr(reply.body.ptr, "as many as it may"));
    return reply.status;
}

TEST(a_tenant_has_a_ceiling_of_datasets)
{
    const struct ingest_limits limits = {.datasets_max = 2};
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, &limits);
    CHECK_INT(send_named(t, &it, "a", "acme"), 200);
    CHECK_INT(send_named(t, &it, "b", "acme"), 200);
    CHECK_INT(send_named(t, &it, "c", "acme"), 403);
    CHECK_INT(stored_in(t, it.hot, "c").frames, 0);
    CHECK_INT(send_named(t, &it, "b", "acme"), 200);  /* one that exists */
    CHECK_INT(send_named(t, &it, "c", "other"), 200); /* another tenant's are its own */
    struct request otlp = {.resource = "/v1/logs", .type = "application/json", .body = ONE_LOG};
    CHECK_STATUS(200, send_to(t, it.ingest, &otlp)); /* always */
    PX_AUTO(instance_free) struct instance second = instance_new(t, &t->clock, &limits);
    CHECK_INT(send_named(t, &second, "c", "acme"), 403); /* whichever instance is asked */
    CHECK_INT(send_named(t, &second, "a", "acme"), 200);
}

TEST(a_dropped_dataset_makes_room_and_is_new_again)
{
    const struct ingest_limits limits = {.datasets_max = 2};
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, &limits);
    CHECK_INT(send_named(t, &it, "a", "acme"), 200);
    CHECK_INT(send_named(t, &it, "b", "acme"), 200);
    const struct seal_mark mark = {hot_writer_id(it.writer), 0, 1};
    CHECK_OK(catalog_drop_dataset(it.catalog, S("acme"), S("a"), &mark, 1));
    CHECK_INT(send_named(t, &it, "c", "acme"), 200); /* its folder is still there */
    CHECK_INT(send_named(t, &it, "d", "acme"), 403);
    PX_AUTO(instance_free) struct instance second = instance_new(t, &t->clock, &limits);
    CHECK_INT(send_named(t, &second, "a", "acme"), 403);
    CHECK_INT(send_named(t, &second, "c", "acme"), 200);
}

static int64_t taken_today(struct test *t, const struct instance *it)
{
    struct days_used used;
    int r = days_read(it->tables, &t->clock, S("records"), S("acme"), &t->arena, &used);
    return r == 0 ? used.count : r == DAYS_NONE ? 0 : -1;
}

static const char three_a_day[] = "{\"records_per_day\":3}";
static const struct request two_records = {
    .body = S("{\"n\":1}\n{\"n\":2}\n"), .key = "two", .quotas = three_a_day};
static const struct request two_others = {
    .body = S("{\"n\":3}\n{\"n\":4}\n"), .key = "other", .quotas = three_a_day};
static const struct request one_record = {
    .body = S("{\"n\":5}\n"), .key = "one", .quotas = three_a_day};

TEST(a_tenant_has_so_many_records_a_day)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    struct reply first = send_to(t, it.ingest, &two_records);
    CHECK_STATUS(200, first);
    CHECK(px_str_starts(first.left, S("\"records_per_day\";r=1;t=")));
    CHECK_STR(send_to(t, it.ingest, &two_records).left, first.left); /* a repeat */
    struct reply refused = send_to(t, it.ingest, &two_others);
    CHECK_STATUS(429, refused);
    CHECK_STR(refused.left, first.left);
    CHECK(refused.retry_after.len > 0 && refused.retry_after.ptr[0] != '0');
    CHECK(px_str_starts(px_json_str(refused.json, "detail"), S("records_per_day: ")));
    CHECK_INT(stored_in(t, it.hot, "events").frames, 1);
    PX_AUTO(instance_free) struct instance second = instance_new(t, &t->clock, NULL);
    CHECK_STATUS(200, send_to(t, second.ingest, &one_record));
    CHECK_INT(taken_today(t, &it), 3);
    struct request otlp = {
        .resource = "/v1/logs", .type = "application/json", .body = ONE_LOG, .quotas = three_a_day};
    CHECK_STATUS(429, send_to(t, it.ingest, &otlp));
    otlp.quotas = "{\"records_per_day\":4}";
    CHECK_STATUS(200, send_to(t, it.ingest, &otlp));
    test_advance(t, 86400 * PX_NS_PER_S);
    CHECK_STATUS(200, send_to(t, it.ingest, &two_others));
    CHECK_INT(taken_today(t, &it), 2);
}

TEST(a_repeat_is_answered_as_one_also_when_the_day_is_spent_and_takes_nothing)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    CHECK_STATUS(200, send_to(t, it.ingest, &two_records));
    CHECK_STATUS(200, send_to(t, it.ingest, &one_record));
    PX_AUTO(instance_free) struct instance second = instance_new(t, &t->clock, NULL);
    struct ingest *const instances[] = {it.ingest, second.ingest};
    for (size_t i = 0; i < 2 * PX_COUNT(instances); i++) {
        struct reply again = send_to(t, instances[i / 2], &two_records);
        CHECK_STATUS(200, again);
        CHECK(px_json_bool(again.json, "duplicate", false));
        CHECK_INT(px_json_i64(again.json, "accepted", -1), 2);
    }
    CHECK_STATUS(429, send_to(t, second.ingest, &two_others));
    struct request mismatch = two_others;
    mismatch.key = "two";
    CHECK_STATUS(422, send_to(t, second.ingest, &mismatch));
    /* While there is some, a repeat takes it and gives it back. */
    struct request repeat = two_records;
    repeat.quotas = "{\"records_per_day\":5}";
    for (int i = 0; i < 5; i++) CHECK_STATUS(200, send_to(t, it.ingest, &repeat));
    CHECK_INT(taken_today(t, &it), 5);
    struct request other = two_others;
    other.quotas = repeat.quotas;
    CHECK_STATUS(200, send_to(t, it.ingest, &other));
    CHECK_INT(taken_today(t, &it), 5);
    CHECK_INT(stored_in(t, it.hot, "events").frames, 3);
}

TEST(who_has_no_limit_of_days_is_not_counted)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    struct request free_of_it = two_records;
    free_of_it.quotas = "{\"ingest_records\":9}";
    struct reply uncounted = send_to(t, it.ingest, &free_of_it);
    CHECK_STATUS(200, uncounted);
    CHECK_INT(uncounted.left.len, 0);
    CHECK_INT(taken_today(t, &it), 0);
    free_of_it.quotas = "{\"records_per_day\":null}";
    CHECK_STATUS(200,
                 send_to(t, it.ingest, &free_of_it)); /* and a repeat of it gives nothing back */
    CHECK_STATUS(200, send_to(t, it.ingest, &one_record));
    CHECK_STATUS(200, send_to(t, it.ingest, &two_others));
    CHECK_INT(taken_today(t, &it), 3);
}

static void seal_bytes(struct instance *it, const char *tenant, const char *dataset, int64_t bytes)
{
    static const struct px_str schema = S("[{\"name\":\"time\",\"type\":\"time\"}]");
    char key[128];
    (void)snprintf(key, sizeof key, "%s/%s/%lld.parquet", tenant, dataset, (long long)bytes);
    const struct segment segment = {.key = px_str_c(key),
                                    .rows = 1,
                                    .bytes = bytes,
                                    .schema_json = schema,
                                    .stats_json = S("{}")};
    const struct seal_mark mark = {.writer = px_str_c(key), .from = 0, .to = 1};
    const struct catalog_sealing sealing = {.tenant = px_str_c(tenant),
                                            .dataset = px_str_c(dataset),
                                            .schema_json = schema,
                                            .segments = &segment,
                                            .segment_count = 1,
                                            .marks = &mark,
                                            .mark_count = 1};
    CHECK_OK(catalog_seal(it->catalog, &sealing));
}

TEST(a_tenant_has_so_many_bytes_stored)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    static const char quotas[] = "{\"stored_bytes\":1000}";
    const struct request first = {.body = S("{\"n\":1}\n"), .key = "first", .quotas = quotas};
    const struct request second = {.body = S("{\"n\":2}\n"), .key = "second", .quotas = quotas};
    struct request free_of_it = second, more = second;
    free_of_it.quotas = NULL;
    more.quotas = "{\"stored_bytes\":1001}";
    seal_bytes(&it, "acme", "logs", 400);
    seal_bytes(&it, "acme", "more", 599);
    seal_bytes(&it, "acme2", "logs", 5000); /* somebody else's */
    CHECK_STATUS(200, send_to(t, it.ingest, &first));
    seal_bytes(&it, "acme", "logs", 1);
    /* what it may be late by, and no more */
    test_advance(t, STORED_LIMIT_S * PX_NS_PER_S - 1);
    CHECK_STATUS(200, send_to(t, it.ingest,
                              &(struct request){
                                  .body = S("{\"n\":3}\n"), .key = "third", .quotas = quotas}));
    test_advance(t, 1);
    struct reply refused = send_to(t, it.ingest, &second);
    CHECK_STATUS(507, refused);
    CHECK(px_str_starts(px_json_str(refused.json, "detail"), S("stored_bytes: ")));
    struct reply again = send_to(t, it.ingest, &first);
    CHECK_STATUS(200, again);
    CHECK(px_json_bool(again.json, "duplicate", false));
    CHECK_INT(stored_in(t, it.hot, "events").frames, 2);
    CHECK_STATUS(200, send_to(t, it.ingest, &more));
    CHECK_STATUS(200, send_to(t, it.ingest, &free_of_it));
    CHECK_OK(catalog_drop_dataset(it.catalog, S("acme"), S("more"), NULL, 0));
    const struct request fourth = {.body = S("{\"n\":4}\n"), .key = "fourth", .quotas = quotas};
    CHECK_STATUS(507, send_to(t, it.ingest, &fourth));
    test_advance(t, STORED_LIMIT_S * PX_NS_PER_S);
    CHECK_STATUS(200, send_to(t, it.ingest, &fourth));
}

static int open_what_is_asked(void *ctx, enum ingest_store store, struct ingest_options *options)
{
    const struct instance *it = ctx;
    options->hot = it->hot;
    if (store == INGEST_WRITER) options->writer = it->writer;
    if (store == INGEST_TABLES) options->tables = it->tables;
    if (store == INGEST_CATALOG) options->catalog = it->catalog;
    return 0;
}

TEST(an_instance_begins_with_a_tenant_that_is_full)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    const struct request request = {.body = TWO_RECORDS, .quotas = "{\"stored_bytes\":1}"};
    const struct ingest_options options = {
        .clock = &t->clock, .open = open_what_is_asked, .open_ctx = &it};
    struct ingest *ingest = NULL;
    seal_bytes(&it, "acme", "logs", 400);
    CHECK_OK(ingest_new(&options, &ingest));
    CHECK_STATUS(507, send_to(t, ingest, &request));
    ingest_free(&ingest);
}

static int catalog_or_fault(void *ctx, struct catalog **ret_catalog)
{
    struct catalog *const *catalog = ctx;
    if (!*catalog) return px_fault(PX_F_BUSY, "the catalog is away");
    *ret_catalog = *catalog;
    return 0;
}

TEST(stored_bytes_as_last_known_hold_while_the_catalog_gives_no_answer)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    struct stored_limit limit = {0};
    struct catalog *there = it.catalog;
    const struct stored_ask ask = {S("acme"), 10, &t->clock, catalog_or_fault, &there};
    const struct stored_ask other = {S("beta"), 10, &t->clock, catalog_or_fault, &there};
    seal_bytes(&it, "acme", "logs", 10);
    CHECK_INT(stored_limit_check(&limit, &ask), STORED_FULL);
    there = NULL;
    test_advance(t, 10 * STORED_LIMIT_S * PX_NS_PER_S);
    CHECK_INT(stored_limit_check(&limit, &ask), STORED_FULL);
    CHECK_OK(stored_limit_check(&limit, &other)); /* nothing is known of it */
}

TEST_MAIN
