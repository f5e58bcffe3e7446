/* columnar/frame_read.c - one column of a frame as arrays, without trust.
 *
 * A block decompresses into `raw`, which the decoded strings point into. Values stand in the block
 * without gaps; where a column has NULLs they are decoded into the front of the array and then
 * spread to their rows from the last to the first, in place. */
#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_initStaticDCtx(); zstd is linked as an archive */
#include <zstd.h>

#include "columnar/frame_layout.h"
#include "columnar/pack.h"
#include "columnar/values.h"

struct reading {
    const struct frame *frame;
    const struct frame_column *column;
    struct px_arena *arena;
    struct px_str rest;   /* of the raw block */
    uint32_t rows, count; /* count: values, the rest is NULL */
    const uint64_t *validity;
};

#define corrupt(reading, what)                                                                     \
    px_fault(PX_F_CORRUPT, "frame, column %.*s: %s", PX_FMT((reading)->column->name), (what))

static void *room(const struct reading *reading, size_t item_bytes, size_t n)
{
    return px_arena_alloc(reading->arena, PX_MAX(item_bytes * n, (size_t)1));
}

/* ---- the block ---- */

/* zstd's working memory (94 KiB) comes from the arena for the length of the call: malloc() would
 * hand as much back to the system after every column. What was taken is given back by setting the
 * arena to what it was, unless it began a new block meanwhile. */
static int run_zstd(const struct reading *reading, struct px_str block, char *raw, size_t raw_bytes)
{
    struct px_arena *arena = reading->arena, before = *arena;
    size_t workspace_bytes = ZSTD_estimateDCtxSize();
    void *workspace = px_arena_alloc(arena, workspace_bytes);
    if (!workspace) return frame_no_room(arena);
    ZSTD_DCtx *zstd = ZSTD_initStaticDCtx(workspace, workspace_bytes);
    PX_ASSERT(zstd);
    size_t bytes = ZSTD_decompressDCtx(zstd, raw, raw_bytes, block.ptr, block.len);
    if (arena->first == before.first) {
        arena->cursor = before.cursor;
        arena->used_bytes = before.used_bytes;
    }
    return bytes == raw_bytes ? 0 : corrupt(reading, "does not decompress");
}

static int decompress(struct reading *reading)
{
    const struct frame_column *column = reading->column;
    struct px_str block = px_str(reading->frame->payload.ptr + column->block_offset,
                                 column->block_bytes);
    if (column->codec == FRAME_STORED) {
        reading->rest = block;
        return 0;
    }
    if (ZSTD_getFrameContentSize(block.ptr, block.len) != column->raw_bytes)
        return corrupt(reading, "size in the block differs from the directory");
    char *raw = room(reading, 1, column->raw_bytes);
    if (!raw) return frame_no_room(reading->arena);
    PX_TRY(run_zstd(reading, block, raw, column->raw_bytes));
    reading->rest = px_str(raw, column->raw_bytes);
    return 0;
}

/* The bitmap of rows with a value. */
static int read_validity(struct reading *reading)
{
    reading->count = reading->rows;
    if (!reading->column->has_nulls) return 0;
    size_t bytes = (reading->rows + 7u) / 8, words = (reading->rows + 63u) / 64;
    if (reading->rest.len < bytes) return corrupt(reading, "cut off in its row bitmap");
    uint64_t *validity = room(reading, sizeof *validity, words);
    if (!validity) return frame_no_room(reading->arena);
    memset(validity, 0, words * sizeof *validity);
    memcpy(validity, reading->rest.ptr, bytes);
    reading->rest = px_str_skip(reading->rest, bytes);
    if (reading->rows % 64 && validity[words - 1] >> reading->rows % 64)
        return corrupt(reading, "row bitmap has bits past the last row");
    reading->count = 0;
    for (size_t i = 0; i < words; i++)
        reading->count += (uint32_t)__builtin_popcountll(validity[i]);
    reading->validity = validity;
    return 0;
}

static bool row_has_value(const struct reading *reading, uint32_t row)
{
    return reading->validity[row / 64] >> row % 64 & 1;
}

/* Values at the front of an array of `rows`, moved to their rows; NULL rows get zero bytes. */
#define SPREAD(reading, array)                                                                     \
    do {                                                                                           \
        if (!(reading)->validity) break;                                                           \
        uint32_t from_ = (reading)->count;                                                         \
        for (uint32_t row_ = (reading)->rows; row_-- > 0;) {                                       \
            if (row_has_value((reading), row_))                                                    \
                (array)[row_] = (array)[--from_];                                                  \
            else                                                                                   \
                (array)[row_] = (__typeof__(*(array))){0};                                         \
        }                                                                                          \
    } while (0)

/* ---- numbers ---- */

static int read_bools(struct reading *reading, struct frame_values *values)
{
    if (reading->rest.len != (reading->count + 7u) / 8) return corrupt(reading, "size of its bits");
    uint8_t *b = room(reading, 1, reading->rows);
    if (!b) return frame_no_room(reading->arena);
    const unsigned char *bits = (const unsigned char *)reading->rest.ptr;
    for (uint32_t i = 0; i < reading->count; i++) b[i] = bits[i / 8] >> i % 8 & 1;
    SPREAD(reading, b);
    values->b = b;
    return 0;
}

static int read_words(struct reading *reading, int64_t **ret_words)
{
    int64_t *words = room(reading, sizeof *words, reading->rows);
    if (!words) return frame_no_room(reading->arena);
    if (!unpack_i64(&reading->rest, reading->count, words) || reading->rest.len != 0)
        return corrupt(reading, "packed integers");
    *ret_words = words;
    return 0;
}

static int read_ints(struct reading *reading, struct frame_values *values)
{
    int64_t *words;
    PX_TRY(read_words(reading, &words));
    SPREAD(reading, words);
    values->i = words;
    return 0;
}

static int read_doubles(struct reading *reading, struct frame_values *values)
{
    int64_t *words;
    PX_TRY(read_words(reading, &words));
    SPREAD(reading, words);
    values->d = (const double *)(const void *)words; /* the bits are the value */
    return 0;
}

static int read_decimals(struct reading *reading, struct frame_values *values)
{
    unsigned power = reading->rest.len ? (unsigned char)reading->rest.ptr[0] : UINT32_MAX;
    if (power > FRAME_DECIMAL_POWER_MAX) return corrupt(reading, "power of ten");
    reading->rest = px_str_skip(reading->rest, 1);
    int64_t *words;
    PX_TRY(read_words(reading, &words));
    double *doubles = (double *)(void *)words;
    for (uint32_t i = 0; i < reading->count; i++)
        doubles[i] = (double)words[i] / frame_powers_of_ten[power];
    SPREAD(reading, doubles);
    values->d = doubles;
    return 0;
}

/* ---- text ---- */

/* n lengths and their bytes off the front of the block, as views. */
static int read_views(struct reading *reading, uint32_t n, uint32_t room_for,
                      struct px_str **ret_views)
{
    struct px_str *views = room(reading, sizeof *views, room_for);
    uint32_t *lens = room(reading, sizeof *lens, n);
    if (!views || !lens) return frame_no_room(reading->arena);
    if (!unpack_u32(&reading->rest, n, lens)) return corrupt(reading, "packed lengths");
    const char *at = reading->rest.ptr;
    size_t left = reading->rest.len;
    for (uint32_t i = 0; i < n; i++) {
        if (lens[i] > left) return corrupt(reading, "text past the end of its block");
        views[i] = px_str(at, lens[i]);
        at += lens[i];
        left -= lens[i];
    }
    reading->rest = px_str(at, left);
    *ret_views = views;
    return 0;
}

static int read_text(struct reading *reading, struct frame_values *values)
{
    struct px_str *views;
    PX_TRY(read_views(reading, reading->count, reading->rows, &views));
    if (reading->rest.len != 0) return corrupt(reading, "text longer than its lengths");
    SPREAD(reading, views);
    values->s = views;
    return 0;
}

/* Codes of NULL rows are 0, so that whoever looks them up unasked stays in the dictionary. */
static int read_dict(struct reading *reading, struct frame_values *values)
{
    uint32_t n;
    if (reading->rest.len < sizeof n) return corrupt(reading, "dictionary cut off");
    memcpy(&n, reading->rest.ptr, sizeof n);
    reading->rest = px_str_skip(reading->rest, sizeof n);
    if (n > reading->count || (n == 0 && reading->rows > 0))
        return corrupt(reading, "size of the dictionary");
    struct px_str *dict;
    PX_TRY(read_views(reading, n, n, &dict));
    uint32_t *codes = room(reading, sizeof *codes, reading->rows);
    if (!codes) return frame_no_room(reading->arena);
    if (!unpack_u32(&reading->rest, reading->count, codes) || reading->rest.len != 0)
        return corrupt(reading, "packed codes");
    uint32_t largest = 0;
    for (uint32_t i = 0; i < reading->count; i++) largest = PX_MAX(largest, codes[i]);
    if (reading->count > 0 && largest >= n) return corrupt(reading, "code past the dictionary");
    SPREAD(reading, codes);
    values->dict = dict;
    values->dict_count = n;
    values->codes = codes;
    return 0;
}

static void write_hex(const unsigned char *from, size_t bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes; i++) {
        out[2 * i] = digits[from[i] >> 4];
        out[2 * i + 1] = digits[from[i] & 15];
    }
}

static int read_hex(struct reading *reading, struct frame_values *values)
{
    size_t len = reading->rest.len ? (unsigned char)reading->rest.ptr[0] : 0;
    if (len == 0 || len % 2 != 0) return corrupt(reading, "length of its hex text");
    size_t bytes = (size_t)reading->count * (len / 2);
    if (reading->rest.len != 1 + bytes) return corrupt(reading, "size of its hex text");
    struct px_str *views = room(reading, sizeof *views, reading->rows);
    char *text = room(reading, 2, bytes);
    if (!views || !text) return frame_no_room(reading->arena);
    write_hex((const unsigned char *)reading->rest.ptr + 1, bytes, text);
    for (uint32_t i = 0; i < reading->count; i++) views[i] = px_str(text + i * len, len);
    SPREAD(reading, views);
    values->s = views;
    return 0;
}

/* ---- the call ---- */

static int read_values(struct reading *reading, struct frame_values *values)
{
    switch ((enum frame_encoding)reading->column->encoding) {
    case FRAME_BITS: return read_bools(reading, values);
    case FRAME_INTS: return read_ints(reading, values);
    case FRAME_DECIMAL: return read_decimals(reading, values);
    case FRAME_DOUBLES: return read_doubles(reading, values);
    case FRAME_TEXT: return read_text(reading, values);
    case FRAME_DICT: return read_dict(reading, values);
    case FRAME_HEX: return read_hex(reading, values);
    }
    return corrupt(reading, "encoding is not known");
}

int frame_read_column(const struct frame *frame, uint32_t column, struct px_arena *arena,
                      struct frame_values *ret_values)
{
    PX_ASSERT(column < frame->header.columns);
    struct reading reading = {
        .frame = frame,
        .column = &frame->columns[column],
        .arena = arena,
        .rows = frame->header.rows,
    };
    PX_TRY(decompress(&reading));
    PX_TRY(read_validity(&reading));
    struct frame_values values = {.type = reading.column->type, .validity = reading.validity};
    PX_TRY(read_values(&reading, &values));
    *ret_values = values;
    return 0;
}
