/* A schema only grows: new fields, wider numbers, `_other`, the ceiling, JSON. */
#include "columnar/columnar_kit.h"

static struct schema new_schema(struct test *t)
{
    struct schema schema;
    CHECK_OK(schema_init(&schema, &t->arena));
    return schema;
}

static bool merge(struct schema *schema, struct px_str name, enum col_type type)
{
    bool changed = false;
    CHECK_OK(schema_merge(schema, name, type, &changed));
    return changed;
}

static struct px_str as_json(struct test *t, const struct schema *schema)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    schema_to_json(schema, &buf);
    CHECK_OK(px_buf_fault(&buf));
    return px_arena_dup(&t->arena, px_buf_str(&buf));
}

TEST(every_type_has_a_name_and_an_sql_name)
{
    for (int type = COL_BOOL; type <= COL_MIXED; type++) {
        enum col_type back;
        CHECK(col_type_parse(px_str_c(col_type_name((enum col_type)type)), &back));
        CHECK_INT(back, type);
        CHECK(col_type_sql((enum col_type)type)[0] != '\0');
    }
    enum col_type none;
    CHECK(!col_type_parse(S("blob"), &none));
    CHECK(!col_type_parse(S(""), &none));
}

TEST(a_new_field_becomes_a_column_and_keeps_its_spelling)
{
    struct schema schema = new_schema(t);
    CHECK(merge(&schema, S("Host"), COL_STRING));
    CHECK(!merge(&schema, S("host"), COL_STRING));
    CHECK(merge(&schema, S("mix"), COL_MIXED));
    CHECK_INT(schema.count, 3);
    CHECK_INT(schema_find(&schema, S("HOST")), 1);
    CHECK_INT(schema_find(&schema, S("hos")), -1);
    CHECK_STR(schema.columns[1].name, S("Host"));
    CHECK_INT(schema.columns[2].type, COL_STRING);
    CHECK_STR(schema.columns[0].name, S("time"));
}

TEST(int_widens_to_double_and_nothing_else_changes_a_type)
{
    for (int first = COL_BOOL; first < COL_MIXED; first++)
        for (int then = COL_BOOL; then <= COL_MIXED; then++) {
            struct schema schema = new_schema(t);
            CHECK(merge(&schema, S("x"), (enum col_type)first));
            bool changed = merge(&schema, S("x"), (enum col_type)then);
            bool widens = first == COL_INT && then == COL_DOUBLE;
            bool fits = first == then || first == COL_STRING || first == COL_JSON ||
                        (first == COL_DOUBLE && then == COL_INT);
            CHECK_INT(schema.columns[1].type, widens ? COL_DOUBLE : first);
            CHECK_INT(schema.count, fits ? 2 : 3); /* with `_other` when a value may not fit */
            CHECK_INT(changed, !fits);
        }
}

TEST(past_the_ceiling_fields_go_to_other)
{
    struct schema schema = new_schema(t);
    for (int i = 0; i < 3 * SCHEMA_COLUMNS_MAX; i++)
        (void)merge(&schema, px_arena_printf(&t->arena, "f%d", i), COL_INT);
    CHECK_INT(schema.count, SCHEMA_COLUMNS_MAX);
    CHECK_STR(schema.columns[SCHEMA_COLUMNS_MAX - 1].name, S("_other"));
    CHECK(!merge(&schema, S("one more"), COL_INT));
    struct schema back;
    CHECK_OK(schema_from_json(as_json(t, &schema), &t->arena, &back));
    CHECK_INT(back.count, SCHEMA_COLUMNS_MAX);
}

TEST(other_is_always_json)
{
    struct schema schema = new_schema(t);
    CHECK(merge(&schema, S("_OTHER"), COL_INT));
    CHECK_STR(as_json(t, &schema), S("[{\"name\":\"time\",\"type\":\"time\"},"
                                     "{\"name\":\"_other\",\"type\":\"json\"}]"));
    CHECK(!merge(&schema, S("_other"), COL_STRING));
}

TEST(json_comes_back)
{
    struct schema schema = new_schema(t), back;
    (void)merge(&schema, S("a \"b\" \xC3\xA4"), COL_DOUBLE);
    (void)merge(&schema, S("a.b"), COL_BOOL);
    (void)merge(&schema, S("at"), COL_TIME);
    (void)merge(&schema, S("_other"), COL_JSON);
    (void)merge(&schema, S("later"), COL_STRING);
    CHECK_OK(schema_from_json(as_json(t, &schema), &t->arena, &back));
    CHECK_STR(as_json(t, &back), as_json(t, &schema));
    CHECK_INT(schema_find(&back, S("A.B")), 2);
}

TEST(json_that_is_no_schema_is_an_answer)
{
    struct px_str bad[] = {
        S(""),
        S("[]"),
        S("{}"),
        S("[1]"),
        S("null"),
        S("[{\"name\":\"time\",\"type\":\"int\"}]"),
        S("[{\"name\":\"x\",\"type\":\"int\"}]"),
        S("[{\"name\":\"time\",\"type\":\"time\"},{\"name\":\"x\",\"type\":\"mixed\"}]"),
        S("[{\"name\":\"time\",\"type\":\"time\"},{\"name\":\"x\"}]"),
        S("[{\"name\":\"time\",\"type\":\"time\"},{\"name\":\"\",\"type\":\"int\"}]"),
        S("[{\"name\":\"time\",\"type\":\"time\"},{\"name\":\"_other\",\"type\":\"int\"}]"),
        S("[{\"name\":\"time\",\"type\":\"time\"},{\"name\":\"x\",\"type\":\"int\"},"
          "{\"name\":\"X\",\"type\":\"int\"}]"),
    };
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        struct schema schema;
        CHECK_INT(schema_from_json(bad[i], &t->arena, &schema), SCHEMA_INVALID);
    }
}

TEST(a_frame_adds_other_only_when_a_value_can_need_it)
{
    PX_AUTO(batch_free) struct batch *small = new_batch(), *big = NULL;
    CHECK_OK(batch_new(NULL, &big));
    ROW(small, T0, batch_put_int(small, S("ms"), 12), batch_put_int(small, S("s"), 1));
    ROW(big, T0, batch_put_int(big, S("ms"), INT64_C(9007199254740993)));
    struct schema schema = new_schema(t);
    (void)merge(&schema, S("ms"), COL_DOUBLE);
    (void)merge(&schema, S("s"), COL_STRING);
    bool changed = false;
    struct frame frame = open_batch(t, small);
    CHECK_OK(schema_merge_frame(&schema, &frame, &changed));
    CHECK(!changed);
    frame = open_batch(t, big);
    CHECK_OK(schema_merge_frame(&schema, &frame, &changed));
    CHECK(changed);
    CHECK_INT(schema_find(&schema, S("_other")), 3);
    batch_free(&big);
}

TEST_MAIN
