/* The writers: every type of DuckDB in every text format, Arrow read back by DuckDB's own import. */
#include "support/support.h"

#include <nanoarrow/nanoarrow_ipc.h>

#include "sql/engine.h"
#include "svc/query/result.h"

static const struct query_cost cost = {
    .bytes_scanned = 10, .files_read = 1, .rows = 3, .cpu_ms = 1.5};

static int fill_out(struct test *t, struct result_out *out, const struct result_format *format)
{
    out->column_count = duckdb_column_count(out->result);
    struct px_str *names = px_arena_array(&t->arena, struct px_str, out->column_count + 1);
    struct cell_type *types = px_arena_array(&t->arena, struct cell_type, out->column_count + 1);
    int r = 0;
    for (idx_t i = 0; i < out->column_count && r == 0; i++) {
        names[i] = px_str_c(duckdb_column_name(out->result, i));
        duckdb_logical_type type = duckdb_column_logical_type(out->result, i);
        if (format->needs_types) r = cell_type_init(type, &t->arena, &types[i]);
        duckdb_destroy_logical_type(&type);
    }
    out->names = names;
    out->types = types;
    return r;
}

/* The statement's result in a format; streamed, as query_handle() does. */
static int write_result(struct test *t, const char *sql, const struct result_format *format,
                        struct px_buf *buf)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = NULL;
    struct sql_limits limits = {.memory_bytes = 256u << 20, .threads = 2};
    CHECK_OK(sql_engine_new(&limits, &engine));
    CHECK_OK(sql_engine_lock(engine, NULL, 0));
    struct sql_leash leash = {&px_clock_system, INT64_MAX, NULL};
    struct result_out out = {.buf = buf, .arena = &t->arena};
    struct px_str why = {0};
    int r = sql_run(engine, px_str_c(sql), &leash, &t->arena, &out.result, &why);
    if (r != 0) TEST_FAIL("%s gave %d %.*s", sql, r, PX_FMT(why));
    r = fill_out(t, &out, format);
    if (r == 0) r = format->begin(&out);
    if (r != 0) return r;
    for (;;) {
        duckdb_data_chunk chunk = NULL;
        CHECK_OK(sql_fetch(engine, &t->arena, &chunk, &why));
        if (!chunk) break;
        idx_t rows = duckdb_data_chunk_get_size(chunk);
        CHECK_OK(format->chunk(&out, chunk, rows));
        out.rows += rows;
        duckdb_destroy_data_chunk(&chunk);
    }
    CHECK_OK(format->end(&out, &cost, false));
    if (format->free) format->free(&out);
    CHECK_OK(px_buf_fault(buf));
    return 0;
}

static const struct {
    const char *sql, *json, *text; /* one value; text NULL: as json */
} values[] = {
    {"NULL", "null", ""},
    {"true", "true", NULL},
    {"42::TINYINT", "42", NULL},
    {"(-42)::SMALLINT", "-42", NULL},
    {"(-2147483648)::INTEGER", "-2147483648", NULL},
    {"(-9223372036854775808)::BIGINT", "-9223372036854775808", NULL},
    {"9223372036854775807", "9223372036854775807", NULL},
    {"255::UTINYINT", "255", NULL},
    {"65535::USMALLINT", "65535", NULL},
    {"4294967295::UINTEGER", "4294967295", NULL},
    {"18446744073709551615::UBIGINT", "18446744073709551615", NULL},
    {"(-170141183460469231731687303715884105728)::HUGEINT",
     "\"-170141183460469231731687303715884105728\"", "-170141183460469231731687303715884105728"},
    {"340282366920938463463374607431768211455::UHUGEINT",
     "\"340282366920938463463374607431768211455\"", "340282366920938463463374607431768211455"},
    {"sum(42)", "42", NULL},
    {"'-9223372036854775809'::HUGEINT", "\"-9223372036854775809\"", "-9223372036854775809"},
    {"'18446744073709551615'::UHUGEINT", "18446744073709551615", NULL},
    {"0.1::FLOAT", "0.1", NULL},
    {"0.1::DOUBLE", "0.1", NULL},
    {"1e300::DOUBLE", "1e300", NULL},
    {"3::DOUBLE", "3.0", NULL},
    {"'nan'::DOUBLE", "null", "NaN"},
    {"'inf'::FLOAT", "null", "Infinity"},
    {"'-inf'::DOUBLE", "null", "-Infinity"},
    {"1.50::DECIMAL(4,2)", "1.50", NULL},
    {"(-0.05)::DECIMAL(9,2)", "-0.05", NULL},
    {"12345678901234.5678::DECIMAL(18,4)", "12345678901234.5678", NULL},
    {"7::DECIMAL(3,0)", "7", NULL},
    {"(-99999999999999999999999999999999999.999)::DECIMAL(38,3)",
     "-99999999999999999999999999999999999.999", NULL},
    {"TIMESTAMP '2026-01-02 03:04:05'", "\"2026-01-02T03:04:05Z\"", "2026-01-02T03:04:05Z"},
    {"TIMESTAMP '2026-01-02 03:04:05.120'", "\"2026-01-02T03:04:05.120Z\"",
     "2026-01-02T03:04:05.120Z"},
    {"TIMESTAMP '1900-01-02 03:04:05.000001'", "\"1900-01-02T03:04:05.000001Z\"",
     "1900-01-02T03:04:05.000001Z"},
    {"TIMESTAMP '9999-12-31 23:59:59'", "\"9999-12-31T23:59:59Z\"", "9999-12-31T23:59:59Z"},
    {"'infinity'::TIMESTAMP", "\"infinity\"", "infinity"},
    {"'2026-01-02 03:04:05+01'::TIMESTAMPTZ", "\"2026-01-02T02:04:05Z\"", "2026-01-02T02:04:05Z"},
    {"TIMESTAMP_NS '2026-01-02 03:04:05.123456789'", "\"2026-01-02T03:04:05.123456789Z\"",
     "2026-01-02T03:04:05.123456789Z"},
    {"TIMESTAMP_MS '2026-01-02 03:04:05.123'", "\"2026-01-02T03:04:05.123Z\"",
     "2026-01-02T03:04:05.123Z"},
    {"TIMESTAMP_S '2026-01-02 03:04:05'", "\"2026-01-02T03:04:05Z\"", "2026-01-02T03:04:05Z"},
    {"DATE '2026-01-02'", "\"2026-01-02\"", "2026-01-02"},
    {"'-infinity'::DATE", "\"-infinity\"", "-infinity"},
    {"TIME '03:04:05.5'", "\"03:04:05.500\"", "03:04:05.500"},
    {"'03:04:05+05:30'::TIMETZ", "\"03:04:05+05:30\"", "03:04:05+05:30"},
    {"INTERVAL '1 year 2 days 3 seconds'", "{\"months\":12,\"days\":2,\"micros\":3000000}",
     "\"{\"\"months\"\":12,\"\"days\"\":2,\"\"micros\"\":3000000}\""},
    {"''", "\"\"", "\"\""},
    {"'a\"b\nc'", "\"a\\\"b\\nc\"", "\"a\"\"b\nc\""},
    {"'a,b'", "\"a,b\"", "\"a,b\""},
    {"'a text that is longer than twelve bytes, ä€𝄞'",
     "\"a text that is longer than twelve bytes, ä€𝄞\"",
     "\"a text that is longer than twelve bytes, ä€𝄞\""},
    {"'{\"a\": [1, null]}'::JSON", "{\"a\": [1, null]}", "\"{\"\"a\"\": [1, null]}\""},
    {"'[1,\n2]'::JSON", "\"[1,\\n2]\"", "\"[1,\n2]\""},
    {"'\\xAA\\x01'::BLOB", "\"qgE=\"", "qgE="},
    {"'0101010111'::BIT", "\"0101010111\"", "0101010111"},
    {"'0f4a7c9e-1234-5678-9abc-def012345678'::UUID", "\"0f4a7c9e-1234-5678-9abc-def012345678\"",
     "0f4a7c9e-1234-5678-9abc-def012345678"},
    {"'b'::ENUM('a', 'b')", "\"b\"", "b"},
    {"[1, NULL, 3]", "[1,null,3]", "\"[1,null,3]\""},
    {"[]", "[]", "[]"},
    {"[[1], [], NULL, [2, 3]]", "[[1],[],null,[2,3]]", "\"[[1],[],null,[2,3]]\""},
    {"[1, 2]::INTEGER[2]", "[1,2]", "\"[1,2]\""},
    {"{'a': 1, 'b': NULL, 'c': ['x']}", "{\"a\":1,\"b\":null,\"c\":[\"x\"]}",
     "\"{\"\"a\"\":1,\"\"b\"\":null,\"\"c\"\":[\"\"x\"\"]}\""},
    {"MAP {'k': 1, 'l': 2}", "{\"k\":1,\"l\":2}", "\"{\"\"k\"\":1,\"\"l\"\":2}\""},
    {"MAP {1: 'a'}", "[{\"key\":1,\"value\":\"a\"}]",
     "\"[{\"\"key\"\":1,\"\"value\"\":\"\"a\"\"}]\""},
    {"union_value(num := 2)", "2", NULL},
};

TEST(every_type_has_its_form)
{
    for (size_t i = 0; i < PX_COUNT(values); i++) {
        PX_AUTO(px_buf_deinit) struct px_buf buf;
        px_buf_init(&buf, 1u << 20);
        struct px_str sql = px_arena_printf(&t->arena, "SELECT %s AS v", values[i].sql);
        CHECK_OK(write_result(t, sql.ptr, &result_ndjson, &buf));
        CHECK_STR(px_buf_str(&buf), px_arena_printf(&t->arena, "{\"v\":%s}\n", values[i].json));
        px_buf_clear(&buf);
        CHECK_OK(write_result(t, sql.ptr, &result_csv, &buf));
        CHECK_STR(px_buf_str(&buf),
                  px_arena_printf(&t->arena, "v\r\n%s\r\n",
                                  values[i].text ? values[i].text : values[i].json));
    }
}

TEST(the_json_document)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    CHECK_OK(write_result(t, "SELECT i AS a, 'x' AS \"a b\", [i] AS l FROM range(2) r(i)",
                          &result_json, &buf));
    CHECK_STR(
        px_buf_str(&buf),
        S("{\"columns\":[{\"name\":\"a\",\"type\":\"BIGINT\"},{\"name\":\"a b\",\"type\":\"VARCHAR\"},"
          "{\"name\":\"l\",\"type\":\"BIGINT[]\"}],\n\"rows\":[\n[0,\"x\",[0]],\n[1,\"x\",[1]]],\n"
          "\"row_count\":2,\"truncated\":false,\"cost\":{\"bytes_scanned\":10,\"files_read\":1,"
          "\"files_pruned\":0,\"rows\":3,\"cpu_ms\":1.5,\"wall_ms\":0.0}}\n"));
}

TEST(an_empty_result_is_a_document)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    CHECK_OK(write_result(t, "SELECT 1 AS a WHERE false", &result_json, &buf));
    struct px_str rows = S("\"rows\":[],\n\"row_count\":0");
    CHECK(memmem(buf.ptr, buf.len, rows.ptr, rows.len));
    px_buf_clear(&buf);
    CHECK_OK(write_result(t, "SELECT 1 AS a WHERE false", &result_csv, &buf));
    CHECK_STR(px_buf_str(&buf), S("a\r\n"));
}

TEST(ndjson_keys_are_unique)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    CHECK_OK(write_result(t, "SELECT 1 AS a, 2 AS a, 3 AS a_2, 4 AS a", &result_ndjson, &buf));
    CHECK_STR(px_buf_str(&buf), S("{\"a\":1,\"a_2\":2,\"a_2_2\":3,\"a_3\":4}\n"));
}

/* Nested vectors of many rows, through joins and filters that leave dictionaries behind. */
TEST(nested_rows_beyond_the_first_are_right)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 16u << 20);
    CHECK_OK(
        write_result(t,
                     "SELECT [b.s, a.i::VARCHAR] AS l, {'s': b.s} AS st FROM range(5000) a(i) JOIN "
                     "(SELECT i, 'text of row '||i AS s FROM range(7) t(i)) b ON a.i % 7 = b.i "
                     "WHERE a.i % 3 = 0 ORDER BY a.i",
                     &result_ndjson, &buf));
    struct px_str rest = px_buf_str(&buf), line;
    for (int i = 0; i < 5000; i += 3) {
        (void)px_str_cut(&rest, '\n', &line);
        CHECK_STR(line, px_arena_printf(
                            &t->arena,
                            "{\"l\":[\"text of row %d\",\"%d\"],\"st\":{\"s\":\"text of row %d\"}}",
                            i % 7, i, i % 7));
    }
    CHECK_INT(rest.len, 0);
}

/* ---- Arrow ---- */

static int64_t read_arrow(struct px_str bytes, int64_t *ret_sum)
{
    struct ArrowBuffer buffer;
    ArrowBufferInit(&buffer);
    CHECK_INT(ArrowBufferAppend(&buffer, bytes.ptr, (int64_t)bytes.len), NANOARROW_OK);
    struct ArrowIpcInputStream input;
    CHECK_INT(ArrowIpcInputStreamInitBuffer(&input, &buffer), NANOARROW_OK);
    struct ArrowArrayStream stream;
    CHECK_INT(ArrowIpcArrayStreamReaderInit(&stream, &input, NULL), NANOARROW_OK);
    struct ArrowSchema schema;
    CHECK_INT(stream.get_schema(&stream, &schema), 0);
    CHECK(strcmp(schema.children[0]->name, "n") == 0 &&
          strcmp(schema.children[0]->format, "l") == 0);
    CHECK(strcmp(schema.children[1]->name, "s") == 0 &&
          strcmp(schema.children[1]->format, "u") == 0);
    int64_t rows = 0;
    for (;;) {
        struct ArrowArray array;
        CHECK_INT(stream.get_next(&stream, &array), 0);
        if (!array.release) break;
        const int64_t *numbers = array.children[0]->buffers[1];
        for (int64_t i = 0; i < array.length; i++) *ret_sum += numbers[i];
        rows += array.length;
        array.release(&array);
    }
    schema.release(&schema);
    stream.release(&stream);
    return rows;
}

TEST(arrow_streams_read_back)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 16u << 20);
    CHECK_OK(write_result(t,
                          "SELECT i AS n, 'row '||i AS s, [i] AS l, TIMESTAMP '2026-01-01' AS ts, "
                          "{'a': i} AS st FROM range(5000) r(i)",
                          &result_arrow, &buf));
    int64_t sum = 0;
    CHECK_INT(read_arrow(px_buf_str(&buf), &sum), 5000);
    CHECK_INT(sum, 5000 * 4999 / 2);
    sum = 0;
    px_buf_clear(&buf);
    CHECK_OK(write_result(t, "SELECT 1::BIGINT AS n, 'x' AS s WHERE false", &result_arrow, &buf));
    CHECK_INT(read_arrow(px_buf_str(&buf), &sum), 0);
}

TEST(arrow_of_every_type_is_written_or_refused)
{
    for (size_t i = 0; i < PX_COUNT(values); i++) {
        PX_AUTO(px_buf_deinit) struct px_buf buf;
        px_buf_init(&buf, 1u << 20);
        struct px_str sql = px_arena_printf(&t->arena, "SELECT %s AS v", values[i].sql);
        int r = write_result(t, sql.ptr, &result_arrow, &buf);
        if (r != 0 && r != RESULT_UNSUPPORTED) TEST_FAIL("%s gave %d", sql.ptr, r);
    }
}

TEST_MAIN
