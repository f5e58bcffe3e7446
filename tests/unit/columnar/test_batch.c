/* Rows into columns: names, types, limits, and rows that are aborted. */
#include "support/support_alloc.h"

#include "columnar/columnar_kit.h"
#include "columnar/schema.h"

TEST(rows_become_typed_columns)
{
    PX_AUTO(batch_free) struct batch *batch = new_batch();
    ROW(batch, T0, batch_put_str(batch, S("a"), S("x")), batch_put_int(batch, S("n"), 1));
    ROW(batch, T0 + 1, batch_put_int(batch, S("n"), 2), batch_put_bool(batch, S("b"), true));
    CHECK_INT(batch_rows(batch), 2);
    CHECK_INT(batch_columns(batch), 4);
    CHECK_STR(batch_column_name(batch, 0), S("time"));
    CHECK_STR(batch_column_name(batch, 3), S("b"));
    CHECK_INT(batch_column_type(batch, 2), COL_INT);
    struct frame frame = open_batch(t, batch);
    CHECK_COLUMN(t, &frame, S("time"), S("@0 @1"));
    CHECK_COLUMN(t, &frame, S("a"), S("'x' -"));
    CHECK_COLUMN(t, &frame, S("n"), S("1 2"));
    CHECK_COLUMN(t, &frame, S("b"), S("- true"));
}

TEST(names_that_differ_in_case_only_are_one_column_named_as_first_seen)
{
    PX_AUTO(batch_free) struct batch *batch = new_batch();
    ROW(batch, T0, batch_put_int(batch, S("Status"), 1));
    ROW(batch, T0, batch_put_int(batch, S("status"), 2));
    CHECK_INT(batch_columns(batch), 2);
    struct frame frame = open_batch(t, batch);
    CHECK_STR(frame.columns[1].name, S("Status"));
    CHECK_COLUMN(t, &frame, S("STATUS"), S("1 2"));
}

TEST(a_name_put_twice_keeps_the_last_value_and_its_type)
{
    PX_AUTO(batch_free) struct batch *batch = new_batch();
    ROW(batch, T0, batch_put_int(batch, S("a"), 1), batch_put_str(batch, S("a"), S("x")),
        batch_put_str(batch, S("A"), S("y")));
    CHECK_INT(batch_column_type(batch, 1), COL_STRING);
    struct frame frame = open_batch(t, batch);
    CHECK_COLUMN(t, &frame, S("a"), S("'y'"));
}

TEST(int_and_double_become_double_unless_an_int_would_lose_digits)
{
    PX_AUTO(batch_free) struct batch *batch = new_batch();
    ROW(batch, T0, batch_put_int(batch, S("a"), 1), batch_put_int(batch, S("b"), INT64_MAX));
    ROW(batch, T0, batch_put_double(batch, S("a"), 0.5), batch_put_double(batch, S("b"), 0.5));
    ROW(batch, T0, batch_put_int(batch, S("a"), -7));
    CHECK_INT(batch_column_type(batch, 1), COL_DOUBLE);
    CHECK_INT(batch_column_type(batch, 2), COL_MIXED);
    struct frame frame = open_batch(t, batch);
    CHECK_COLUMN(t, &frame, S("a"), S("1 0.5 -7"));
    CHECK_COLUMN(t, &frame, S("b"), S("9223372036854775807 0.5 -"));
}

TEST(values_of_several_types_become_json_text)
{
    PX_AUTO(batch_free) struct batch *batch = new_batch();
    ROW(batch, T0, batch_put_int(batch, S("a"), -12));
    ROW(batch, T0, batch_put_str(batch, S("a"), S("say \"hi\"\n")));
    ROW(batch, T0, batch_put_bool(batch, S("a"), false));
    ROW(batch, T0, batch_put_int(batch, S("z"), 1));
    ROW(batch, T0, batch_put_json(batch, S("a"), S("[1,2]")));
    ROW(batch, T0, batch_put_double(batch, S("a"), 3));
    ROW(batch, T0, batch_put_double(batch, S("a"), -1.0 / 0.0));
    ROW(batch, T0, batch_put_time_field(batch, S("a"), T0));
    ROW(batch, T0, batch_put_int(batch, S("a"), INT64_MIN));
    struct frame frame = open_batch(t, batch);
    CHECK_COLUMN(t, &frame, S("a"),
                 S("-12 \"say \\\"hi\\\"\\n\" false - [1,2] 3.0 \"-Infinity\" "
                   "\"2026-01-02T03:04:05.000000Z\" -9223372036854775808"));
}

TEST(an_aborted_row_leaves_no_trace)
{
    PX_AUTO(batch_free) struct batch *batch = new_batch();
    ROW(batch, T0, batch_put_str(batch, S("a"), S("x")), batch_put_int(batch, S("n"), 1));
    struct px_str before = encode(t, batch);
    size_t bytes = batch_bytes(batch);
    for (int i = 0; i < 1000; i++) {
        batch_row_begin(batch);
        CHECK_OK(batch_put_int(batch, S("a"), 1)); /* another type */
        CHECK_OK(batch_put_str(batch, S("a"), S("new in the dictionary")));
        CHECK_OK(batch_put_double(batch, S("n"), 0.5)); /* would widen */
        CHECK_OK(batch_put_bool(batch, px_arena_printf(&t->arena, "new%d", i), true));
        CHECK_OK(batch_put_time(batch, T0));
        batch_row_abort(batch);
    }
    CHECK_INT(batch_bytes(batch), bytes);
    CHECK_INT(batch_columns(batch), 3);
    CHECK_STR(encode(t, batch), before);
    ROW(batch, T0, batch_put_str(batch, S("a"), S("y")));
    struct frame frame = open_batch(t, batch);
    CHECK_COLUMN(t, &frame, S("a"), S("'x' 'y'"));
    CHECK_COLUMN(t, &frame, S("n"), S("1 -"));
}

TEST(names_are_checked)
{
    PX_AUTO(batch_free) struct batch *batch = new_batch();
    char longest[COL_NAME_BYTES_MAX + 1];
    memset(longest, 'n', sizeof longest);
    struct px_str bad[] = {
        S(""),         S("a\nb"), S("a\x7F"), S("\xC2\x85"),     S("\xFF"),
        S("\xE2\x82"), S("time"), S("TIME"),  px_str("a\0b", 3), px_str(longest, sizeof longest)};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        batch_row_begin(batch);
        CHECK_INT(batch_put_int(batch, bad[i], 1), BATCH_BAD_NAME);
        batch_row_abort(batch);
    }
    ROW(batch, T0, batch_put_int(batch, px_str(longest, COL_NAME_BYTES_MAX), 1),
        batch_put_int(batch, S("k\xC3\xA4se 1"), 1), batch_put_int(batch, S("_other"), 1));
    CHECK_INT(batch_columns(batch), 4);
}

TEST(limits_are_answers_and_the_batch_goes_on)
{
    struct batch_limits limits = {
        .bytes_max = 1000, .rows_max = 3, .columns_max = 4, .row_columns_max = 2};
    PX_AUTO(batch_free) struct batch *batch = NULL;
    CHECK_OK(batch_new(&limits, &batch));
    char text[1000] = {0};
    batch_row_begin(batch);
    CHECK_INT(batch_put_str(batch, S("a"), px_str(text, sizeof text)), BATCH_FULL);
    batch_row_abort(batch);

    batch_row_begin(batch);
    CHECK_OK(batch_put_int(batch, S("a"), 1));
    CHECK_OK(batch_put_int(batch, S("b"), 1));
    CHECK_OK(batch_put_int(batch, S("a"), 2)); /* not a third field */
    CHECK_INT(batch_put_int(batch, S("c"), 1), BATCH_TOO_MANY_COLUMNS);
    batch_row_abort(batch);
    CHECK_INT(batch_columns(batch), 1);

    ROW(batch, T0, batch_put_int(batch, S("a"), 1), batch_put_int(batch, S("b"), 1));
    ROW(batch, T0, batch_put_int(batch, S("c"), 1));
    batch_row_begin(batch);
    CHECK_INT(batch_put_int(batch, S("d"), 1), BATCH_TOO_MANY_COLUMNS);
    batch_row_abort(batch);
    ROW(batch, T0, 0);
    batch_row_begin(batch);
    CHECK_OK(batch_put_time(batch, T0));
    CHECK_INT(batch_row_end(batch), BATCH_FULL);
    CHECK_INT(batch_rows(batch), 3);
}

TEST(rows_times_columns_have_a_ceiling)
{
    PX_AUTO(batch_free) struct batch *batch = NULL;
    const struct batch_limits limits = {.cells_max = 12};
    CHECK_OK(batch_new(&limits, &batch));
    ROW(batch, T0, batch_put_int(batch, S("a"), 1));
    ROW(batch, T0, batch_put_int(batch, S("b"), 1)); /* time, a and b in two rows: 6 */
    ROW(batch, T0, 0);
    ROW(batch, T0, 0);
    batch_row_begin(batch);
    CHECK_OK(batch_put_time(batch, T0));
    CHECK_INT(batch_row_end(batch), BATCH_FULL); /* 15 */
    CHECK_INT(batch_rows(batch), 4);
    batch_reset(batch);
    for (int i = 0; i < 3; i++)
        ROW(batch, T0, batch_put_int(batch, S("a"), 1), batch_put_int(batch, S("b"), 1));
    batch_row_begin(batch);
    CHECK_OK(batch_put_time(batch, T0));
    CHECK_OK(batch_put_int(batch, S("c"), 1));
    CHECK_INT(batch_row_end(batch), BATCH_FULL); /* a new column counts for every row */
    CHECK_INT(batch_columns(batch), 3);
}

TEST(values_with_their_names_have_a_ceiling)
{
    PX_AUTO(batch_free) struct batch *batch = NULL;
    const struct batch_limits limits = {.named_bytes_max = 100};
    const struct px_str name = S("a_name_of_thirty_characters_yes");
    CHECK_OK(batch_new(&limits, &batch));
    for (int round = 0; round < 2; round++) {
        ROW(batch, T0, batch_put_bool(batch, name, true));
        ROW(batch, T0, batch_put_bool(batch, name, true));
        batch_row_begin(batch);
        CHECK_INT(batch_put_bool(batch, name, true), BATCH_FULL);
        batch_row_abort(batch); /* gives back what it had */
        CHECK_INT(batch_rows(batch), 2);
        batch_reset(batch);
    }
}

TEST(a_reset_batch_is_empty_and_reuses_its_memory)
{
    PX_AUTO(batch_free) struct batch *batch = new_batch();
    for (int round = 0; round < 3; round++) {
        CHECK_INT(batch_rows(batch), 0);
        CHECK_INT(batch_columns(batch), 1);
        for (int i = 0; i < 500; i++) {
            struct px_str text = px_arena_printf(&t->arena, "%d/%d", round, i);
            ROW(batch, T0 + i, batch_put_str(batch, S("a"), text),
                batch_put_int(batch, px_arena_printf(&t->arena, "n%d", round), i));
        }
        struct frame frame = open_batch(t, batch);
        struct frame_values a = read_named(t, &frame, S("a"));
        CHECK_STR(show(t, &a, 499), px_arena_printf(&t->arena, "'%d/499'", round));
        CHECK_INT(frame.header.columns, 3);
        batch_reset(batch);
    }
}

/* Everything that can allocate, in one go. */
static int use_it_all(struct px_buf *buf)
{
    PX_AUTO(batch_free) struct batch *batch = NULL;
    int r = batch_new(NULL, &batch);
    char text[32];
    for (int i = 0; i < 600 && r == 0; i++) {
        struct px_str name = px_str(text, (size_t)snprintf(text, sizeof text, "f%d", i % 90));
        struct px_str value = px_str(text,
                                     (size_t)snprintf(text, sizeof text, "f%d v%d", i % 90, i));
        batch_row_begin(batch);
        r = batch_put_time(batch, i);
        if (r == 0) r = batch_put_str(batch, S("s"), value);
        if (r == 0) r = batch_put_double(batch, S("d"), i / 3.0);
        if (r == 0 && i > 300) r = batch_put_int(batch, S("d"), i);
        if (r == 0)
            r = i % 2 ? batch_put_bool(batch, S("m"), true) : batch_put_int(batch, S("m"), i);
        if (r == 0) r = batch_put_int(batch, px_str(value.ptr, name.len), i);
        if (r == 0 && i % 7 != 0)
            r = batch_row_end(batch);
        else
            batch_row_abort(batch);
    }
    if (r == 0) r = frame_encode(batch, 0, NULL, buf);
    return r;
}

TEST(running_out_of_memory_is_a_fault_and_leaks_nothing)
{
    struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    SWEEP_ALLOCATIONS(use_it_all(&buf), px_buf_deinit(&buf));
}

TEST_MAIN
