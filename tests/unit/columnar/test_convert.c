/* A frame through a schema: every type into every type, and what stands in `_other`. */
#include "columnar/columnar_kit.h"

/* The values of field `x` that a type is tried with, one a row. */
static void put_samples(struct batch *batch, enum col_type type)
{
    struct px_str x = S("x");
    switch (type) {
    case COL_BOOL: ROW(batch, T0, batch_put_bool(batch, x, true)); break;
    case COL_INT:
        ROW(batch, T0, batch_put_int(batch, x, -12));
        ROW(batch, T0, batch_put_int(batch, x, INT64_C(9007199254740993)));
        break;
    case COL_DOUBLE:
        ROW(batch, T0, batch_put_double(batch, x, 12));
        ROW(batch, T0, batch_put_double(batch, x, 0.5));
        ROW(batch, T0, batch_put_double(batch, x, -0.0));
        ROW(batch, T0, batch_put_double(batch, x, __builtin_nan("")));
        ROW(batch, T0, batch_put_double(batch, x, 1e300));
        break;
    case COL_STRING: {
        struct px_str texts[] = {S("ab\"c"),
                                 S("12"),
                                 S("12.50"),
                                 S("007"),
                                 S("-0"),
                                 S("true"),
                                 S("NaN"),
                                 S(""),
                                 S("18446744073709551616"),
                                 S("0.12345678901234567"),
                                 S("2026-01-02T03:04:05+00:00"),
                                 S("2026-01-02T03:04:05.0000001Z")};
        for (size_t i = 0; i < PX_COUNT(texts); i++)
            ROW(batch, T0, batch_put_str(batch, x, texts[i]));
        break;
    }
    case COL_TIME:
        ROW(batch, T0, batch_put_time_field(batch, x, T0));
        ROW(batch, T0, batch_put_time_field(batch, x, INT64_MAX));
        break;
    case COL_JSON:
        ROW(batch, T0, batch_put_json(batch, x, S("[1,\"a\"]")));
        ROW(batch, T0, batch_put_json(batch, x, S("{}")));
        break;
    case COL_MIXED:
        ROW(batch, T0, batch_put_int(batch, x, 12));
        ROW(batch, T0, batch_put_str(batch, x, S("12")));
        ROW(batch, T0, batch_put_str(batch, x, S("a\nb")));
        ROW(batch, T0, batch_put_bool(batch, x, false));
        ROW(batch, T0, batch_put_double(batch, x, 2));
        ROW(batch, T0, batch_put_double(batch, x, __builtin_inf()));
        ROW(batch, T0, batch_put_json(batch, x, S("{\"k\":1}")));
        ROW(batch, T0, batch_put_time_field(batch, x, T0));
    }
    ROW(batch, T0, 0); /* a row without the field */
}

/* What the column becomes and what is left over, row by row; `-` is NULL. */
static const struct {
    enum col_type from, to;
    const char *column, *other;
} matrix[] = {
    {COL_BOOL, COL_BOOL, "true -", "- -"},
    {COL_BOOL, COL_INT, "- -", "{\"x\":true} -"},
    {COL_BOOL, COL_DOUBLE, "- -", "{\"x\":true} -"},
    {COL_BOOL, COL_STRING, "'true' -", "- -"},
    {COL_BOOL, COL_TIME, "- -", "{\"x\":true} -"},
    {COL_BOOL, COL_JSON, "true -", "- -"},
    {COL_INT, COL_BOOL, "- - -", "{\"x\":-12} {\"x\":9007199254740993} -"},
    {COL_INT, COL_INT, "-12 9007199254740993 -", "- - -"},
    {COL_INT, COL_DOUBLE, "-12 - -", "- {\"x\":9007199254740993} -"},
    {COL_INT, COL_STRING, "'-12' '9007199254740993' -", "- - -"},
    {COL_INT, COL_TIME, "- - -", "{\"x\":-12} {\"x\":9007199254740993} -"},
    {COL_INT, COL_JSON, "-12 9007199254740993 -", "- - -"},
    {COL_DOUBLE, COL_BOOL, "- - - - - -",
     "{\"x\":12.0} {\"x\":0.5} {\"x\":-0.0} {\"x\":\"NaN\"} {\"x\":1e300} -"},
    {COL_DOUBLE, COL_INT, "12 - - - - -",
     "- {\"x\":0.5} {\"x\":-0.0} {\"x\":\"NaN\"} {\"x\":1e300} -"},
    {COL_DOUBLE, COL_DOUBLE, "12 0.5 -0 nan 1.0000000000000001e+300 -", "- - - - - -"},
    {COL_DOUBLE, COL_STRING, "'12.0' '0.5' '-0.0' 'NaN' '1e300' -", "- - - - - -"},
    {COL_DOUBLE, COL_TIME, "- - - - - -",
     "{\"x\":12.0} {\"x\":0.5} {\"x\":-0.0} {\"x\":\"NaN\"} {\"x\":1e300} -"},
    {COL_DOUBLE, COL_JSON, "12.0 0.5 -0.0 \"NaN\" 1e300 -", "- - - - - -"},
    {COL_STRING, COL_BOOL, "- - - - - true - - - - - - -",
     "{\"x\":\"ab\\\"c\"} {\"x\":\"12\"} {\"x\":\"12.50\"} {\"x\":\"007\"} {\"x\":\"-0\"} "
     "- {\"x\":\"NaN\"} {\"x\":\"\"} {\"x\":\"18446744073709551616\"} "
     "{\"x\":\"0.12345678901234567\"} {\"x\":\"2026-01-02T03:04:05+00:00\"} "
     "{\"x\":\"2026-01-02T03:04:05.0000001Z\"} -"},
    {COL_STRING, COL_INT, "- 12 - - - - - - - - - - -",
     "{\"x\":\"ab\\\"c\"} - {\"x\":\"12.50\"} {\"x\":\"007\"} {\"x\":\"-0\"} "
     "{\"x\":\"true\"} {\"x\":\"NaN\"} {\"x\":\"\"} {\"x\":\"18446744073709551616\"} "
     "{\"x\":\"0.12345678901234567\"} {\"x\":\"2026-01-02T03:04:05+00:00\"} "
     "{\"x\":\"2026-01-02T03:04:05.0000001Z\"} -"},
    {COL_STRING, COL_DOUBLE, "- 12 12.5 - -0 - - - - - - - -",
     "{\"x\":\"ab\\\"c\"} - - {\"x\":\"007\"} - {\"x\":\"true\"} {\"x\":\"NaN\"} "
     "{\"x\":\"\"} {\"x\":\"18446744073709551616\"} {\"x\":\"0.12345678901234567\"} "
     "{\"x\":\"2026-01-02T03:04:05+00:00\"} {\"x\":\"2026-01-02T03:04:05.0000001Z\"} -"},
    {COL_STRING, COL_STRING,
     "'ab\"c' '12' '12.50' '007' '-0' 'true' 'NaN' '' '18446744073709551616' "
     "'0.12345678901234567' '2026-01-02T03:04:05+00:00' '2026-01-02T03:04:05.0000001Z' -",
     "- - - - - - - - - - - - -"},
    {COL_STRING, COL_TIME, "- - - - - - - - - - @0 - -",
     "{\"x\":\"ab\\\"c\"} {\"x\":\"12\"} {\"x\":\"12.50\"} {\"x\":\"007\"} {\"x\":\"-0\"} "
     "{\"x\":\"true\"} {\"x\":\"NaN\"} {\"x\":\"\"} {\"x\":\"18446744073709551616\"} "
     "{\"x\":\"0.12345678901234567\"} - {\"x\":\"2026-01-02T03:04:05.0000001Z\"} -"},
    {COL_STRING, COL_JSON,
     "\"ab\\\"c\" \"12\" \"12.50\" \"007\" \"-0\" \"true\" \"NaN\" \"\" "
     "\"18446744073709551616\" \"0.12345678901234567\" \"2026-01-02T03:04:05+00:00\" "
     "\"2026-01-02T03:04:05.0000001Z\" -",
     "- - - - - - - - - - - - -"},
    {COL_TIME, COL_BOOL, "- - -",
     "{\"x\":\"2026-01-02T03:04:05.000000Z\"} {\"x\":9223372036854775807} -"},
    {COL_TIME, COL_INT, "- - -",
     "{\"x\":\"2026-01-02T03:04:05.000000Z\"} {\"x\":9223372036854775807} -"},
    {COL_TIME, COL_DOUBLE, "- - -",
     "{\"x\":\"2026-01-02T03:04:05.000000Z\"} {\"x\":9223372036854775807} -"},
    {COL_TIME, COL_STRING, "'2026-01-02T03:04:05.000000Z' '9223372036854775807' -", "- - -"},
    {COL_TIME, COL_TIME, "@0 @9221604713809775807 -", "- - -"},
    {COL_TIME, COL_JSON, "\"2026-01-02T03:04:05.000000Z\" 9223372036854775807 -", "- - -"},
    {COL_JSON, COL_BOOL, "- - -", "{\"x\":[1,\"a\"]} {\"x\":{}} -"},
    {COL_JSON, COL_INT, "- - -", "{\"x\":[1,\"a\"]} {\"x\":{}} -"},
    {COL_JSON, COL_DOUBLE, "- - -", "{\"x\":[1,\"a\"]} {\"x\":{}} -"},
    {COL_JSON, COL_STRING, "'[1,\"a\"]' '{}' -", "- - -"},
    {COL_JSON, COL_TIME, "- - -", "{\"x\":[1,\"a\"]} {\"x\":{}} -"},
    {COL_JSON, COL_JSON, "[1,\"a\"] {} -", "- - -"},
    {COL_MIXED, COL_BOOL, "- - - false - - - - -",
     "{\"x\":12} {\"x\":\"12\"} {\"x\":\"a\\nb\"} - {\"x\":2.0} {\"x\":\"Infinity\"} "
     "{\"x\":{\"k\":1}} {\"x\":\"2026-01-02T03:04:05.000000Z\"} -"},
    {COL_MIXED, COL_INT, "12 12 - - 2 - - - -",
     "- - {\"x\":\"a\\nb\"} {\"x\":false} - {\"x\":\"Infinity\"} {\"x\":{\"k\":1}} "
     "{\"x\":\"2026-01-02T03:04:05.000000Z\"} -"},
    {COL_MIXED, COL_DOUBLE, "12 12 - - 2 - - - -",
     "- - {\"x\":\"a\\nb\"} {\"x\":false} - {\"x\":\"Infinity\"} {\"x\":{\"k\":1}} "
     "{\"x\":\"2026-01-02T03:04:05.000000Z\"} -"},
    {COL_MIXED, COL_STRING,
     "'12' '12' 'a\nb' 'false' '2.0' 'Infinity' '{\"k\":1}' '2026-01-02T03:04:05.000000Z' "
     "-",
     "- - - - - - - - -"},
    {COL_MIXED, COL_TIME, "- - - - - - - @0 -",
     "{\"x\":12} {\"x\":\"12\"} {\"x\":\"a\\nb\"} {\"x\":false} {\"x\":2.0} "
     "{\"x\":\"Infinity\"} {\"x\":{\"k\":1}} - -"},
    {COL_MIXED, COL_JSON,
     "12 \"12\" \"a\\nb\" false 2.0 \"Infinity\" {\"k\":1} \"2026-01-02T03:04:05.000000Z\" "
     "-",
     "- - - - - - - - -"},
};

static struct schema schema_with(struct test *t, enum col_type type)
{
    struct schema schema;
    bool changed;
    CHECK_OK(schema_init(&schema, &t->arena));
    CHECK_OK(schema_merge(&schema, S("x"), type, &changed));
    CHECK_OK(schema_add_other(&schema, &changed));
    return schema;
}

static struct px_str converted(struct test *t, const struct schema *schema, uint32_t column,
                               const struct frame *frame)
{
    struct frame_values values;
    CHECK_OK(convert_column(schema, column, frame, &t->arena, &values));
    CHECK_INT(values.type, schema->columns[column].type);
    return show_all(t, frame, &values);
}

TEST(every_type_into_every_type)
{
    for (size_t i = 0; i < PX_COUNT(matrix); i++) {
        PX_AUTO(batch_free) struct batch *batch = new_batch();
        put_samples(batch, matrix[i].from);
        struct frame frame = open_batch(t, batch);
        CHECK_INT(frame.columns[1].type, matrix[i].from);
        struct schema schema = schema_with(t, matrix[i].to);
        struct px_str column = converted(t, &schema, 1, &frame);
        struct px_str other = converted(t, &schema, 2, &frame);
        CHECK_STR(column, px_str_c(matrix[i].column));
        CHECK_STR(other, px_str_c(matrix[i].other));
    }
    CHECK_INT(PX_COUNT(matrix), 7 * 6);
}

TEST(a_value_is_in_its_column_or_in_other_never_in_both_or_neither)
{
    for (int from = COL_BOOL; from <= COL_MIXED; from++)
        for (int to = COL_BOOL; to < COL_MIXED; to++) {
            PX_AUTO(batch_free) struct batch *batch = new_batch();
            put_samples(batch, (enum col_type)from);
            struct frame frame = open_batch(t, batch);
            struct schema schema = schema_with(t, (enum col_type)to);
            struct frame_values column, other;
            CHECK_OK(convert_column(&schema, 1, &frame, &t->arena, &column));
            CHECK_OK(convert_column(&schema, 2, &frame, &t->arena, &other));
            uint32_t last = frame.header.rows - 1;
            for (uint32_t row = 0; row < last; row++) {
                bool in_column = !px_str_eq(show(t, &column, row), S("-"));
                bool in_other = !px_str_eq(show(t, &other, row), S("-"));
                CHECK(in_column != in_other);
            }
            CHECK_STR(show(t, &column, last), S("-"));
            CHECK_STR(show(t, &other, last), S("-"));
        }
}

TEST(merging_then_converting_loses_nothing_whatever_came_first)
{
    for (int first = COL_BOOL; first <= COL_MIXED; first++)
        for (int then = COL_BOOL; then <= COL_MIXED; then++) {
            PX_AUTO(batch_free) struct batch *a = new_batch();
            put_samples(a, (enum col_type)first);
            struct frame frames[2] = {open_batch(t, a)};
            batch_reset(a);
            put_samples(a, (enum col_type)then);
            frames[1] = open_batch(t, a);
            struct schema schema;
            bool changed;
            CHECK_OK(schema_init(&schema, &t->arena));
            CHECK_OK(schema_merge_frame(&schema, &frames[0], &changed));
            CHECK_OK(schema_merge_frame(&schema, &frames[1], &changed));
            int other = schema_find(&schema, S("_other"));
            for (int i = 0; i < 2; i++) {
                struct frame_values x, left = {.type = COL_JSON};
                static const uint64_t none[1];
                left.validity = none;
                CHECK_OK(convert_column(&schema, 1, &frames[i], &t->arena, &x));
                if (other >= 0)
                    CHECK_OK(
                        convert_column(&schema, (uint32_t)other, &frames[i], &t->arena, &left));
                for (uint32_t row = 0; row + 1 < frames[i].header.rows; row++)
                    CHECK(!px_str_eq(show(t, &x, row), S("-")) !=
                          !px_str_eq(show(t, &left, row), S("-")));
            }
        }
}

TEST(a_column_that_the_frame_lacks_is_null)
{
    PX_AUTO(batch_free) struct batch *batch = new_batch();
    ROW(batch, T0, batch_put_int(batch, S("y"), 1));
    ROW(batch, T0, 0);
    struct frame frame = open_batch(t, batch);
    for (int type = COL_BOOL; type < COL_MIXED; type++) {
        struct schema schema = schema_with(t, (enum col_type)type);
        CHECK_STR(converted(t, &schema, 1, &frame), S("- -"));
        CHECK_STR(converted(t, &schema, 2, &frame), S("{\"y\":1} -"));
    }
}

TEST(a_senders_own_other_is_merged_under_what_is_left_over)
{
    PX_AUTO(batch_free) struct batch *batch = new_batch();
    ROW(batch, T0, batch_put_json(batch, S("_other"), S("{\"a\":1,\"x\":2,\"b\":[3]}")),
        batch_put_str(batch, S("x"), S("left")));
    ROW(batch, T0,
        batch_put_json(batch, S("_other"), S("{\"big\":123456789012345678901234567890}")));
    ROW(batch, T0, batch_put_json(batch, S("_other"), S("[1]")), batch_put_int(batch, S("x"), 5));
    ROW(batch, T0, batch_put_json(batch, S("_other"), S("{}")));
    ROW(batch, T0, batch_put_str(batch, S("x"), S("left")));
    struct frame frame = open_batch(t, batch);
    struct schema schema = schema_with(t, COL_INT);
    CHECK_STR(converted(t, &schema, 1, &frame), S("- - 5 - -"));
    CHECK_STR(converted(t, &schema, 2, &frame),
              S("{\"x\":\"left\",\"a\":1,\"b\":[3]} {\"big\":123456789012345678901234567890} "
                "{\"_other\":[1]} - {\"x\":\"left\"}"));
}

TEST(a_senders_other_of_another_type_stands_under_its_own_name)
{
    PX_AUTO(batch_free) struct batch *batch = new_batch();
    ROW(batch, T0, batch_put_str(batch, S("_OTHER"), S("text")));
    ROW(batch, T0, batch_put_int(batch, S("_other"), 7));
    ROW(batch, T0, batch_put_str(batch, S("_other"), S("{\"not\":\"parsed\"}")));
    struct frame frame = open_batch(t, batch);
    struct schema schema;
    bool changed;
    CHECK_OK(schema_init(&schema, &t->arena));
    CHECK_OK(schema_merge_frame(&schema, &frame, &changed));
    CHECK_INT(schema.count, 2);
    CHECK_STR(converted(t, &schema, 1, &frame), S("{\"_other\":\"text\"} {\"_other\":7} "
                                                  "{\"_other\":\"{\\\"not\\\":\\\"parsed\\\"}\"}"));
}

TEST(fields_past_the_ceiling_are_in_other_under_their_names)
{
    struct schema schema;
    bool changed;
    CHECK_OK(schema_init(&schema, &t->arena));
    for (int i = 0; i < SCHEMA_COLUMNS_MAX; i++)
        CHECK_OK(schema_merge(&schema, px_arena_printf(&t->arena, "f%d", i), COL_INT, &changed));
    PX_AUTO(batch_free) struct batch *batch = new_batch();
    ROW(batch, T0, batch_put_bool(batch, S("new \"one\""), true), batch_put_int(batch, S("f1"), 1),
        batch_put_time_field(batch, S("at"), T0));
    struct frame frame = open_batch(t, batch);
    CHECK_OK(schema_merge_frame(&schema, &frame, &changed));
    CHECK_STR(converted(t, &schema, SCHEMA_COLUMNS_MAX - 1, &frame),
              S("{\"new \\\"one\\\"\":true,\"at\":\"2026-01-02T03:04:05.000000Z\"}"));
}

TEST_MAIN
