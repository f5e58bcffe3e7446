/* Batches to bytes and back; bytes that are no frame. */
#include "columnar/columnar_kit.h"

TEST(the_header_comes_back)
{
    PX_AUTO(batch_free) struct batch *batch = new_batch();
    ROW(batch, T0 + 5, batch_put_int(batch, S("n"), 1));
    ROW(batch, T0 - 5, batch_put_int(batch, S("n"), 1));
    struct frame frame = open_batch(t, batch);
    CHECK_INT(frame.header.rows, 2);
    CHECK_INT(frame.header.columns, 2);
    CHECK_INT(frame.header.time_min_us, T0 - 5);
    CHECK_INT(frame.header.time_max_us, T0 + 5);
    CHECK_INT(frame.header.accepted_ns, 7);
    CHECK(memcmp(frame.header.request_id, "0123456789abcdef", 16) == 0);
    CHECK_INT(frame_find(&frame, S("N")), 1);
    CHECK_INT(frame_find(&frame, S("nn")), -1);
}

TEST(an_empty_batch_is_a_frame)
{
    PX_AUTO(batch_free) struct batch *batch = new_batch();
    struct frame frame = open_batch(t, batch);
    CHECK_INT(frame.header.rows, 0);
    CHECK_COLUMN(t, &frame, S("time"), S(""));
}

static void check_doubles(struct test *t, const double *values, size_t n)
{
    PX_AUTO(batch_free) struct batch *batch = new_batch();
    for (size_t i = 0; i < n; i++) ROW(batch, T0, batch_put_double(batch, S("d"), values[i]));
    struct frame frame = open_batch(t, batch);
    struct frame_values got = read_named(t, &frame, S("d"));
    const int64_t *bits = (const int64_t *)(const void *)values;
    for (size_t i = 0; i < n; i++) CHECK_INT(got.i[i], bits[i]);
}

TEST(doubles_come_back_bit_for_bit)
{
    double odd[] = {0.0,    -0.0, 0.0 / 0.0, 1 / 0.0, -1 / 0.0, 5e-324, 1.7976931348623157e308,
                    1.0 / 3};
    double decimal[] = {12.5, 0.25, -3, 1e6, 0.1, 0.001, 123456.789};
    double long_decimal[] = {1, 2, 0.123456789012, 3.5, 0.1234567890123};
    double late[300];
    for (int i = 0; i < 300; i++) late[i] = i < 299 ? i / 10.0 : 0.12345;
    check_doubles(t, odd, PX_COUNT(odd));
    for (size_t i = 0; i < PX_COUNT(odd); i++) check_doubles(t, &odd[i], 1);
    check_doubles(t, decimal, PX_COUNT(decimal));
    check_doubles(t, long_decimal, PX_COUNT(long_decimal));
    check_doubles(t, late, PX_COUNT(late));
}

/* ---- a model: every field of every row, compared after a round trip ---- */

#define FIELDS 12
#define MODEL_ROWS_MAX 1500

/* The text of field f in row r, "" for none; what kind it is follows from f. */
static struct px_str model_text(struct test *t, uint32_t f, uint32_t r)
{
    uint64_t state = f * UINT64_C(7919) + r;
    (void)next_random(&state);
    uint32_t random = next_random(&state);
    switch (f) {
    case 0: return px_arena_printf(&t->arena, "service-%u", random % 7);
    case 1: return px_arena_printf(&t->arena, "%08x%08x", random, r);
    case 2: return px_arena_printf(&t->arena, "line %u of %u", r, random);
    case 3: return random % 3 ? S("") : px_arena_printf(&t->arena, "%u", random % 100);
    case 4: return px_arena_printf(&t->arena, "%08X", random); /* hex, but not lower case */
    case 5: return r % 64 == 63 ? px_arena_printf(&t->arena, "rare %u", r) : S("");
    default:
        return px_arena_printf(&t->arena, "%.*s", (int)(random % 60),
                               "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz01234567");
    }
}

static void put_model_row(struct test *t, struct batch *batch, uint32_t row)
{
    batch_row_begin(batch);
    CHECK_OK(batch_put_time(batch, T0 + row));
    for (uint32_t f = 0; f < FIELDS; f++) {
        struct px_str name = px_arena_printf(&t->arena, "f%u", f);
        struct px_str text = model_text(t, f, row);
        if (text.len == 0 && (f == 3 || f == 5)) continue;
        int r = f == 8               ? batch_put_int(batch, name, (int64_t)text.len * row)
                : f == 9             ? batch_put_bool(batch, name, text.len % 2)
                : f == 10 && row % 5 ? batch_put_double(batch, name, (double)row / 4)
                : f == 11            ? batch_put_json(batch, name, S("[1]"))
                                     : batch_put_str(batch, name, text);
        CHECK_OK(r);
    }
    CHECK_OK(batch_row_end(batch));
}

static void check_model_row(struct test *t, const struct frame_values *values, uint32_t row)
{
    for (uint32_t f = 0; f < FIELDS; f++) {
        struct px_str text = model_text(t, f, row), want;
        if (text.len == 0 && (f == 3 || f == 5))
            want = S("-");
        else if (f == 8)
            want = px_arena_printf(&t->arena, "%lld", (long long)text.len * row);
        else if (f == 9)
            want = text.len % 2 ? S("true") : S("false");
        else if (f == 10 && row % 5)
            continue; /* text of doubles is test_batch.c's business */
        else if (f == 11)
            want = S("[1]");
        else if (f == 10 && values[f].type == COL_MIXED)
            want = px_arena_printf(&t->arena, "\"%.*s\"", PX_FMT(text));
        else
            want = px_arena_printf(&t->arena, "'%.*s'", PX_FMT(text));
        CHECK_STR(show(t, &values[f], row), want);
    }
}

static void check_model(struct test *t, uint32_t rows)
{
    px_arena_reset(&t->arena);
    PX_AUTO(batch_free) struct batch *batch = new_batch();
    for (uint32_t row = 0; row < rows; row++) {
        put_model_row(t, batch, row);
        if (row % 3) continue;
        batch_row_begin(batch); /* rows that come to nothing, in between */
        CHECK_OK(batch_put_str(batch, S("f0"), px_arena_printf(&t->arena, "gone %u", row)));
        CHECK_OK(batch_put_str(batch, S("f2"), S("gone")));
        CHECK_OK(batch_put_bool(batch, S("f8"), true));
        CHECK_OK(batch_put_bool(batch, S("gone"), true));
        batch_row_abort(batch);
    }
    struct frame frame = open_batch(t, batch);
    CHECK_INT(frame.header.rows, rows);
    CHECK_INT(frame_find(&frame, S("gone")), -1);
    struct frame_values values[FIELDS] = {0};
    for (uint32_t f = 0; f < FIELDS; f++) {
        int column = frame_find(&frame, px_arena_printf(&t->arena, "f%u", f));
        static const uint64_t none[MODEL_ROWS_MAX / 64 + 1];
        values[f].validity = none;
        if (column >= 0)
            CHECK_OK(frame_read_column(&frame, (uint32_t)column, &t->arena, &values[f]));
    }
    for (uint32_t row = 0; row < rows; row++) check_model_row(t, values, row);
}

TEST(all_kinds_of_columns_come_back)
{
    const uint32_t sizes[] = {1, 2, 7, 8, 9, 63, 64, 65, 127, 128, 129, 300, MODEL_ROWS_MAX};
    for (size_t i = 0; i < PX_COUNT(sizes); i++) check_model(t, sizes[i]);
}

TEST(few_distinct_strings_are_a_dictionary_hex_takes_half)
{
    PX_AUTO(batch_free) struct batch *batch = new_batch();
    for (uint32_t row = 0; row < 1000; row++) put_model_row(t, batch, row);
    struct frame frame = open_batch(t, batch);
    struct frame_values service = read_named(t, &frame, S("f0"));
    CHECK_INT(service.dict_count, 7);
    struct frame_values id = read_named(t, &frame, S("f1"));
    CHECK(!id.codes && id.s);
    CHECK_INT(frame.columns[frame_find(&frame, S("f1"))].block_bytes, 1 + 8 * 1000);
}

/* ---- bytes that are no frame ---- */

static void read_whatever(struct test *t, struct px_str bytes, bool must_fail)
{
    struct px_arena arena;
    px_arena_init(&arena, 16u << 20);
    struct frame frame;
    int r = frame_open(bytes, &arena, &frame);
    if (must_fail) CHECK_INT(r, PX_F_CORRUPT);
    for (uint32_t i = 0; r == 0 && i < frame.header.columns; i++) {
        struct frame_values values;
        int read = frame_read_column(&frame, i, &arena, &values);
        CHECK(read == 0 || read == PX_F_CORRUPT || read == PX_F_LIMIT);
        for (uint32_t row = 0; read == 0 && row < frame.header.rows; row++)
            (void)show(t, &values, row);
    }
    px_arena_deinit(&arena);
}

TEST(damaged_bytes_are_a_fault_or_other_values_never_worse)
{
    PX_AUTO(batch_free) struct batch *batch = new_batch();
    for (uint32_t row = 0; row < 66; row++) put_model_row(t, batch, row);
    struct px_str bytes = encode(t, batch);
    for (size_t len = 0; len < bytes.len; len++) read_whatever(t, px_str(bytes.ptr, len), true);
    char *copy = (char *)(uintptr_t)bytes.ptr;
    struct px_arena keep = t->arena;
    for (size_t at = 0; at < bytes.len; at++) {
        char was = copy[at];
        const char tries[] = {0, (char)0xFF, (char)(was ^ 1), (char)(was ^ 0x80)};
        for (size_t i = 0; i < PX_COUNT(tries); i++) {
            copy[at] = tries[i];
            struct test scratch = {.dir = ""};
            px_arena_init(&scratch.arena, 64u << 20);
            read_whatever(&scratch, bytes, false);
            px_arena_deinit(&scratch.arena);
        }
        copy[at] = was;
    }
    CHECK(keep.used_bytes == t->arena.used_bytes);
}

TEST_MAIN
