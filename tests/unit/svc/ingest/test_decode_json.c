/* JSON bodies to rows, and what is refused: where, and why. */
#include "support/support_alloc.h"

#include "columnar/columnar_kit.h"
#include "svc/ingest/decode.h"
#include "svc/ingest/decode_time.h"

#define YEAR_US (INT64_C(31557600) * 1000000)

struct decoded {
    struct decode_result result;
    struct px_where where;
    struct batch *batch;
    struct frame frame;
};

static struct decode_limits test_limits(const struct test *t)
{
    return (struct decode_limits){
        .record_bytes_max = 4096,
        .records_max = 1000,
        .fields_max = 20,
        .time_min_us = T0 - 20 * YEAR_US,
        .time_max_us = T0 + YEAR_US,
        .now_ns = t->now_ns,
    };
}

static int decode_with(struct test *t, struct px_str body, struct px_str time_field,
                       const struct decode_limits *limits, struct decoded *ret)
{
    *ret = (struct decoded){.batch = new_batch()};
    /* a copy of its own size, so that the sanitizer sees reads past the end */
    char *copy = malloc(body.len + 1);
    CHECK(copy);
    memcpy(copy + 1, body.ptr, body.len);
    int r = decode_json_records(px_str(copy + 1, body.len), time_field, limits, &t->arena,
                                ret->batch, &ret->result, &ret->where);
    free(copy);
    if (r == 0) ret->frame = open_batch(t, ret->batch);
    if (r != 0) CHECK_INT(batch_rows(ret->batch), 0);
    return r;
}
static void done(struct decoded *it) { batch_free(&it->batch); }

static int decode(struct test *t, struct px_str body, struct decoded *ret)
{
    struct decode_limits limits = test_limits(t);
    return decode_with(t, body, px_str(NULL, 0), &limits, ret);
}

#define CHECK_ROWS(it, n_accepted, n_refused)                                                      \
    do {                                                                                           \
        CHECK_INT((it).result.accepted, n_accepted);                                               \
        CHECK_INT((it).result.refused, n_refused);                                                 \
        CHECK_INT(batch_rows((it).batch), n_accepted);                                             \
    } while (0)

/* ---- shapes of a body ---- */

TEST(lines_an_array_and_one_object_are_told_by_the_first_byte)
{
    struct px_str bodies[] = {
        S("{\"a\":1}\n{\"a\":2}\n"),
        S("\xEF\xBB\xBF{\"a\":1}\r\n \r\n\n{\"a\":2}"),
        S("[{\"a\":1},{\"a\":2}]"),
        S("  [\n {\"a\":1} ,\n{ \"a\" : 2 } ]\n "),
    };
    for (size_t i = 0; i < PX_COUNT(bodies); i++) {
        PX_AUTO(done) struct decoded it;
        CHECK_OK(decode(t, bodies[i], &it));
        CHECK_ROWS(it, 2, 0);
        CHECK_COLUMN(t, &it.frame, S("a"), S("1 2"));
    }
    PX_AUTO(done) struct decoded one;
    CHECK_OK(decode(t, S("{\n  \"a\": 1,\n  \"b\": {\n \"c\": true }\n}\n"), &one));
    CHECK_ROWS(one, 1, 0);
    CHECK_COLUMN(t, &one.frame, S("b.c"), S("true"));
}

TEST(an_empty_array_is_fine_an_empty_body_is_not)
{
    PX_AUTO(done) struct decoded array, body, blank;
    CHECK_OK(decode(t, S(" [ ] "), &array));
    CHECK_ROWS(array, 0, 0);
    CHECK_INT(decode(t, S(""), &body), DECODE_INVALID);
    CHECK_INT(decode(t, S(" \n\t"), &blank), DECODE_INVALID);
}

TEST(a_broken_line_is_refused_alone_with_its_place)
{
    PX_AUTO(done) struct decoded it;
    CHECK_OK(decode(t, S("{\"a\":1}\n{\"a\":tru}\n[1]\n12\n{\"a\":2}\n{\"a\":"), &it));
    CHECK_ROWS(it, 2, 4);
    CHECK_INT(it.result.refusals_kept, 4);
    CHECK_INT(it.result.refusals[0].record, 1);
    CHECK_INT(it.result.refusals[0].where.offset, 13);
    CHECK(strstr(it.result.refusals[0].where.expected, "JSON"));
    CHECK_INT(it.result.refusals[1].where.offset, 18);
    CHECK(strstr(it.result.refusals[1].where.expected, "object"));
    CHECK_INT(it.result.refusals[3].record, 5);
    CHECK_COLUMN(t, &it.frame, S("a"), S("1 2"));
}

TEST(only_the_first_refusals_are_kept_all_are_counted)
{
    char body[200];
    memset(body, '\n', sizeof body);
    for (size_t i = 0; i < sizeof body; i += 2) body[i] = '7';
    PX_AUTO(done) struct decoded it;
    CHECK_OK(decode(t, px_str(body, sizeof body), &it));
    CHECK_ROWS(it, 0, 100);
    CHECK_INT(it.result.refusals_kept, DECODE_REFUSALS_KEPT);
}

TEST(an_array_cut_anywhere_is_invalid_as_a_whole)
{
    struct px_str whole = S(
        "[{\"a\":\"x\\u00e4\\ud83d\\ude00\",\"b\":[1,{\"c\":null}]},{\"a\":-1.5e3},7]");
    for (size_t len = 1; len < whole.len; len++) {
        PX_AUTO(done) struct decoded it;
        CHECK_INT(decode(t, px_str(whole.ptr, len), &it), DECODE_INVALID);
        CHECK(it.where.offset <= len && it.where.expected[0]);
    }
    PX_AUTO(done) struct decoded it, more;
    CHECK_OK(decode(t, whole, &it));
    CHECK_ROWS(it, 2, 1);
    CHECK_INT(it.result.refusals[0].where.offset, whole.len - 2);
    CHECK_INT(decode(t, S("[{}] {}"), &more), DECODE_INVALID);
    CHECK_INT(more.where.offset, 5);
}

TEST(elements_larger_than_a_window_are_found)
{
    char *body = px_arena_alloc(&t->arena, 100000);
    size_t len = 0;
    body[len++] = '[';
    for (int i = 0; i < 40; i++)
        len += (size_t)sprintf(body + len, "%s{\"n\":%d,\"s\":\"%0*d\"}", i ? "," : "", i,
                               1 + i * 90, i);
    body[len++] = ']';
    PX_AUTO(done) struct decoded it;
    CHECK_OK(decode(t, px_str(body, len), &it));
    CHECK_ROWS(it, 40, 0);
}

/* ---- limits ---- */

TEST(a_record_over_the_limit_is_refused_in_lines_and_too_large_elsewhere)
{
    char *body = px_arena_alloc(&t->arena, 20000);
    PX_AUTO(done) struct decoded lines, array;
    size_t len = (size_t)sprintf(body, "{\"a\":1}\n{\"a\":\"%05000d\"}\n{\"a\":2}", 7);
    CHECK_OK(decode(t, px_str(body, len), &lines));
    CHECK_ROWS(lines, 2, 1);
    CHECK_INT(lines.result.refusals[0].where.offset, 8);
    len = (size_t)sprintf(body, "[{\"a\":1},{\"a\":\"%09000d\"},{\"a\":2}]", 7);
    CHECK_INT(decode(t, px_str(body, len), &array), DECODE_TOO_LARGE);
    CHECK_INT(array.where.offset, 9);
}

TEST(more_records_than_allowed_are_too_large)
{
    struct decode_limits limits = test_limits(t);
    limits.records_max = 2;
    PX_AUTO(done) struct decoded two, lines, array;
    CHECK_OK(decode_with(t, S("{}\n{}\n\n"), S(""), &limits, &two));
    CHECK_INT(decode_with(t, S("{}\n{}\n{}"), S(""), &limits, &lines), DECODE_TOO_LARGE);
    CHECK_INT(decode_with(t, S("[{},{},{}]"), S(""), &limits, &array), DECODE_TOO_LARGE);
    CHECK_INT(array.where.offset, 7);
}

TEST(too_many_fields_and_too_deep_nesting_are_refused)
{
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 1u << 20);
    for (int fields = 20; fields <= 21; fields++) {
        for (int i = 0; i < fields; i++) px_buf_printf(&body, "%s\"f%d\":%d", i ? "," : "{", i, i);
        px_buf_add_c(&body, "}\n");
    }
    for (int depth = 31; depth <= 32; depth++) {
        px_buf_add_c(&body, "{\"a\":");
        for (int i = 0; i < depth; i++) px_buf_add_char(&body, '[');
        for (int i = 0; i < depth; i++) px_buf_add_char(&body, ']');
        px_buf_add_c(&body, "}\n");
    }
    for (int depth = 32; depth <= 33; depth++) {
        for (int i = 0; i < depth; i++) px_buf_add_c(&body, "{\"o\":");
        px_buf_add_char(&body, '1');
        for (int i = 0; i < depth; i++) px_buf_add_char(&body, '}');
        px_buf_add_char(&body, '\n');
    }
    PX_AUTO(done) struct decoded it;
    CHECK_OK(decode(t, px_buf_str(&body), &it));
    CHECK_ROWS(it, 3, 3);
    CHECK(strstr(it.result.refusals[0].where.expected, "20 fields"));
    CHECK_STR(px_str_c(it.result.refusals[0].where.path), S("f20"));
    CHECK(strstr(it.result.refusals[1].where.expected, "32 levels"));
    CHECK_INT(it.result.refusals[2].record, 5);
}

TEST(a_full_batch_is_too_large)
{
    struct batch_limits small = {.rows_max = 2};
    PX_AUTO(batch_free) struct batch *batch = NULL;
    CHECK_OK(batch_new(&small, &batch));
    struct decode_limits limits = test_limits(t);
    struct decode_result result;
    struct px_where where;
    CHECK_INT(
        decode_json_records(S("{}\n{}\n{}"), S(""), &limits, &t->arena, batch, &result, &where),
        DECODE_TOO_LARGE);
    CHECK_INT(batch_rows(batch), 0);
}

/* ---- fields ---- */

TEST(objects_flatten_arrays_are_json_null_is_absent)
{
    PX_AUTO(done) struct decoded it;
    CHECK_OK(
        decode(t,
               S("{\"a\":{\"b\":{\"c\":1},\"d\":null,\"e\":\"x\"},\"f\":[1,{\"g\":[]},\"\\n\"],"
                 "\"h\":null,\"i\":{},\"j\":[],\"k\":{\"l\":{}}}"),
               &it));
    CHECK_INT(it.frame.header.columns, 7);
    CHECK_COLUMN(t, &it.frame, S("a.b.c"), S("1"));
    CHECK_COLUMN(t, &it.frame, S("a.e"), S("'x'"));
    CHECK_COLUMN(t, &it.frame, S("f"), S("[1,{\"g\":[]},\"\\n\"]"));
    CHECK_COLUMN(t, &it.frame, S("i"), S("{}"));
    CHECK_COLUMN(t, &it.frame, S("j"), S("[]"));
    CHECK_COLUMN(t, &it.frame, S("k.l"), S("{}"));
}

TEST(numbers_keep_their_digits)
{
    PX_AUTO(done) struct decoded it;
    CHECK_OK(
        decode(t,
               S("{\"a\":9223372036854775807,\"b\":-9223372036854775808,\"c\":9223372036854775808,"
                 "\"d\":18446744073709551615,\"e\":123456789012345678901234567890,\"f\":1e400,"
                 "\"g\":0.1,\"h\":1.0,\"i\":-0.0,\"j\":[123456789012345678901234567890,1e400]}"),
               &it));
    CHECK_COLUMN(t, &it.frame, S("a"), S("9223372036854775807"));
    CHECK_COLUMN(t, &it.frame, S("b"), S("-9223372036854775808"));
    CHECK_COLUMN(t, &it.frame, S("c"), S("'9223372036854775808'"));
    CHECK_COLUMN(t, &it.frame, S("d"), S("'18446744073709551615'"));
    CHECK_COLUMN(t, &it.frame, S("e"), S("'123456789012345678901234567890'"));
    CHECK_COLUMN(t, &it.frame, S("f"), S("'1e400'"));
    CHECK_COLUMN(t, &it.frame, S("g"), S("0.10000000000000001"));
    CHECK_COLUMN(t, &it.frame, S("h"), S("1"));
    CHECK_COLUMN(t, &it.frame, S("i"), S("-0"));
    CHECK_COLUMN(t, &it.frame, S("j"), S("[123456789012345678901234567890,1e400]"));
    CHECK_INT(it.frame.columns[frame_find(&it.frame, S("h"))].type, COL_DOUBLE);
}

TEST(what_is_no_json_is_refused_with_its_place)
{
    struct px_str bad[] = {
        S("{\"a\":NaN}"),
        S("{\"a\":\"\xFF\"}"),
        S("{\"a\":\"\\ud800\"}"),
        S("{\"a\":\"\\udc00x\"}"),
        S("{\"a\":\"\xED\xA0\x80\"}"),
        S("{\"a\":01}"),
        S("{\"a\":1,}"),
        S("{'a':1}"),
        S("{\"a\":\"\t\"}"),
        S("{\"a\":1}}"),
        S("{\"a\" 1}"),
        S("{\"a\":1} {\"a\":2}"),
    };
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        PX_AUTO(done) struct decoded it;
        CHECK_OK(decode(t, bad[i], &it));
        CHECK_ROWS(it, 0, 1);
        CHECK(it.result.refusals[0].where.offset <= bad[i].len);
        CHECK(strstr(it.result.refusals[0].where.expected, "JSON"));
    }
}

TEST(names_that_no_column_can_have_are_refused)
{
    char longest[300];
    (void)snprintf(longest, sizeof longest, "{\"x\":1,\"%0257d\":2}", 0);
    struct px_str bad[] = {S("{\"\":1}"), S("{\"a\\u0001\":1}"), S("{\"a\":{\"\\u007f\":1}}"),
                           px_str_c(longest)};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        PX_AUTO(done) struct decoded it;
        CHECK_OK(decode(t, bad[i], &it));
        CHECK_ROWS(it, 0, 1);
        CHECK_INT(batch_columns(it.batch), 1);
        CHECK(strstr(it.result.refusals[0].where.expected, "name of 1 to 256 bytes"));
    }
    PX_AUTO(done) struct decoded it;
    CHECK_OK(decode(t, S("{\"x\":1,\"\":2}"), &it));
    CHECK_INT(it.result.refusals[0].where.offset, 8);
    PX_AUTO(done) struct decoded nested;
    CHECK_OK(decode(t, S("{\"a\":{\"\":1}}"), &nested)); /* "a." is a name */
    CHECK_COLUMN(t, &nested.frame, S("a."), S("1"));
}

TEST(a_key_given_twice_keeps_the_last_value)
{
    PX_AUTO(done) struct decoded it;
    CHECK_OK(decode(t, S("{\"a\":1,\"A\":\"x\",\"b\":{\"c\":1},\"b.c\":2,\"a\":3}"), &it));
    CHECK_COLUMN(t, &it.frame, S("a"), S("3"));
    CHECK_COLUMN(t, &it.frame, S("b.c"), S("2"));
}

TEST(a_refused_record_leaves_no_column_behind)
{
    PX_AUTO(done) struct decoded it;
    CHECK_OK(decode(t, S("{\"n\":1}\n{\"n\":\"x\",\"new\":1,\"\":0}\n{\"n\":2}"), &it));
    CHECK_ROWS(it, 2, 1);
    CHECK_INT(it.frame.header.columns, 2);
    CHECK_COLUMN(t, &it.frame, S("n"), S("1 2"));
}

TEST(a_field_named_other_is_a_field)
{
    PX_AUTO(done) struct decoded it;
    CHECK_OK(decode(t, S("{\"_other\":\"x\"}\n{\"_other\":{\"k\":1}}"), &it));
    CHECK_ROWS(it, 2, 0);
    CHECK_COLUMN(t, &it.frame, S("_other"), S("'x' -"));
    CHECK_COLUMN(t, &it.frame, S("_other.k"), S("- 1"));
}

/* ---- memory ---- */

static int decode_once(const struct decode_limits *limits, size_t arena_bytes)
{
    PX_AUTO(batch_free) struct batch *batch = NULL;
    struct px_arena arena;
    struct decode_result result;
    struct px_where where;
    px_arena_init(&arena, arena_bytes);
    int r = batch_new(NULL, &batch);
    if (r == 0)
        r = decode_json_records(S("{\"a\":{\"b\":[1,2]},\"c\":\"x\"}\n{\"c\":1}\n"
                                  "{\"a\":{\"b\":{}},\"d\":1}\n{\"\":1}"),
                                S(""), limits, &arena, batch, &result, &where);
    if (r == 0) CHECK_INT(result.accepted, 3);
    px_arena_deinit(&arena);
    return r;
}

TEST(running_out_of_memory_is_a_fault_and_leaks_nothing)
{
    struct decode_limits limits = test_limits(t);
    SWEEP_ALLOCATIONS(decode_once(&limits, 1u << 20), (void)0);
    CHECK_INT(decode_once(&limits, 1000), PX_F_LIMIT);
}

/* ---- time ---- */

static void check_time(struct test *t, const char *value, const char *want)
{
    char body[200];
    PX_AUTO(done) struct decoded it;
    int len = snprintf(body, sizeof body, "{\"time\":%s}", value);
    CHECK_OK(decode(t, px_str(body, (size_t)len), &it));
    CHECK_ROWS(it, 1, 0);
    CHECK_COLUMN(t, &it.frame, S("time"), px_str_c(want));
}

TEST(time_is_read_in_all_its_forms)
{
    static const char *const forms[][2] = {
        {"\"2026-01-02T03:04:05Z\"", "@0"},
        {"\"2026-01-02T03:04:05.5z\"", "@500000"},
        {"\"2026-01-02 03:04:05.000001Z\"", "@1"},
        {"\"2026-01-02T04:34:05+01:30\"", "@0"},
        {"\"2026-01-01T22:04:05.25-05:00\"", "@250000"},
        {"\"2026-01-02T03:04:05\"", "@0"},
        {"\"2026-01-02\"", "@-11045000000"},
        {"\"2026-01-02T03:04:05.123456000000Z\"", "@123456"},
        {"1767323045", "@0"},
        {"1767323045000", "@0"},
        {"1767323045000000", "@0"},
        {"1767323045000000000", "@0"},
        {"1767323045.25", "@250000"},
        {"1767323045000.5", "@500"},
        {"1.767323045e9", "@0"},
        {"\"1767323045000\"", "@0"},
        {"\"2024-02-29T00:00:00Z\"", "@-58158245000000"},
    };
    for (size_t i = 0; i < PX_COUNT(forms); i++) check_time(t, forms[i][0], forms[i][1]);
}

TEST(times_agree_with_the_slow_reading_over_four_centuries)
{
    char text[31];
    for (int64_t day = -100000; day < 106000; day += 13) {
        int64_t ns = day * 86400 * PX_NS_PER_S + (day & 0xFFFF) * 1000003000;
        struct decode_time time;
        CHECK(decode_time_text(px_time_format(ns, 9, text), &time));
        CHECK_INT(time.us, ns / 1000 - (ns % 1000 < 0));
        CHECK_INT(time.has_ns, ns % 1000 != 0);
    }
}

TEST(nanoseconds_are_kept_beside_microseconds)
{
    struct decode_time time;
    CHECK(decode_time_text(S("1969-12-31T23:59:59.999999999Z"), &time));
    CHECK_INT(time.us, -1);
    CHECK(time.has_ns);
    CHECK_INT(time.ns, -1);
    PX_AUTO(done) struct decoded it;
    CHECK_OK(
        decode(t,
               S("{\"time\":1767323045000000001}\n{\"time\":\"2026-01-02T03:04:05.000000002Z\"}\n"
                 "{\"time\":\"2026-01-02T03:04:05.000001000Z\"}"),
               &it));
    CHECK_COLUMN(t, &it.frame, S("time"), S("@0 @0 @1"));
    CHECK_COLUMN(t, &it.frame, S("time_unix_nano"), S("1767323045000000001 1767323045000000002 -"));
}

TEST(what_is_no_time_or_out_of_range_is_refused)
{
    static const char *const bad[] = {"\"1900-01-01T00:00:00Z\"",
                                      "\"2900-01-01T00:00:00Z\"",
                                      "-2208988800",
                                      "29348006400",
                                      "\"2900-01-01\"",
                                      "\"yesterday\"",
                                      "true",
                                      "[1]",
                                      "{\"a\":1}",
                                      "\"\"",
                                      "1e300",
                                      "18446744073709551615",
                                      "\"2026-02-30T00:00:00Z\"",
                                      "\"2026-01-02T24:00:00Z\"",
                                      "\"2026-01-02T03:04:05.Z\"",
                                      "\"2026-1-2T03:04:05Z\"",
                                      "\"2026-01-02T03:04:05+1\"",
                                      "\"2026-01-02T03:04:05+25:00\""};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        char body[200];
        PX_AUTO(done) struct decoded it;
        int len = snprintf(body, sizeof body, "{\"a\":1,\"time\":%s}", bad[i]);
        CHECK_OK(decode(t, px_str(body, (size_t)len), &it));
        CHECK_ROWS(it, 0, 1);
        CHECK(strstr(it.result.refusals[0].where.expected, "time"));
        CHECK_INT(it.result.refusals[0].where.offset, 8);
        CHECK_STR(px_str_c(it.result.refusals[0].where.path), S("time"));
        if (i < 4) CHECK(strstr(it.result.refusals[0].where.expected, "range"));
    }
}

TEST(the_first_of_its_names_is_the_time_the_others_stay_fields)
{
    PX_AUTO(done) struct decoded it;
    CHECK_OK(decode(t,
                    S("{\"_time\":1767323049,\"ts\":1767323048,\"@timestamp\":1767323047,"
                      "\"Timestamp\":1767323046}\n{\"ts\":1767323048,\"time\":null}\n{\"a\":1}"),
                    &it));
    CHECK_COLUMN(t, &it.frame, S("time"), S("@1000000 @3000000 @0")); /* arrival is now */
    CHECK_COLUMN(t, &it.frame, S("@timestamp"), S("1767323047 - -"));
    CHECK_COLUMN(t, &it.frame, S("ts"), S("1767323048 - -"));
    CHECK_INT(frame_find(&it.frame, S("Timestamp")), -1);
}

TEST(the_time_field_of_the_request_comes_first_wherever_it_stands)
{
    struct decode_limits limits = test_limits(t);
    PX_AUTO(done) struct decoded it;
    CHECK_OK(decode_with(t,
                         S("{\"time\":\"midnight\",\"event\":{\"at\":1767323046,\"n\":1}}\n"
                           "{\"time\":1767323047}"),
                         S("event.at"), &limits, &it));
    CHECK_ROWS(it, 2, 0);
    CHECK_COLUMN(t, &it.frame, S("time"), S("@1000000 @2000000"));
    CHECK_COLUMN(t, &it.frame, S("time_original"), S("'midnight' -"));
    CHECK_COLUMN(t, &it.frame, S("event.n"), S("1 -"));
    CHECK_INT(frame_find(&it.frame, S("event.at")), -1);
}

TEST_MAIN
