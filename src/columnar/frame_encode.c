/* columnar/frame_encode.c - a batch to bytes. The format is in docs/design/frame.md.
 *
 * Each column is first laid out in `raw`, then compressed behind what the frame has already; its
 * directory entry is filled in last, because the directory comes before the blocks. */
#include <math.h>
#include <stdlib.h>
#include <zstd.h>

#include "columnar/batch_impl.h"
#include "columnar/frame_layout.h"
#include "columnar/pack.h"
#include "columnar/value_text.h"

#define ZSTD_LEVEL 1
/* A block that compression shrinks by less is stored as it is: reading it is then free. */
#define WORTH_PERCENT 95
/* Smaller blocks are stored, too: making zstd's state to read one costs more than its bytes. */
#define SMALL_BLOCK_BYTES 2048
#define DECIMAL_SAMPLE 64

struct frame_scratch {
    ZSTD_CCtx *zstd;
    struct px_buf raw;       /* the block being built */
    struct px_buf text;      /* MIXED: the values' JSON, end to end */
    struct values_vec words; /* int64 or double, or lengths */
};

struct frame_scratch *frame_scratch_new(void)
{
    struct frame_scratch *scratch = calloc(1, sizeof *scratch);
    if (!scratch) return NULL;
    px_buf_init(&scratch->raw, FRAME_BLOCK_RAW_MAX);
    px_buf_init(&scratch->text, FRAME_BLOCK_RAW_MAX);
    scratch->zstd = ZSTD_createCCtx();
    if (!scratch->zstd) frame_scratch_free(PX_TAKE(scratch));
    return scratch;
}

void frame_scratch_trim(struct frame_scratch *scratch)
{
    px_buf_deinit(&scratch->raw);
    px_buf_deinit(&scratch->text);
    free(scratch->words.ptr);
    scratch->words = (struct values_vec){0};
}

void frame_scratch_free(struct frame_scratch *scratch)
{
    if (!scratch) return;
    frame_scratch_trim(scratch);
    ZSTD_freeCCtx(scratch->zstd);
    free(scratch);
}

size_t frame_scratch_held_bytes(const struct frame_scratch *scratch)
{
    return scratch->raw.cap + scratch->text.cap + scratch->words.cap;
}

static int room_for_words(struct frame_scratch *scratch, size_t bytes)
{
    if (values_vec_room(&scratch->words, bytes)) return 0;
    return px_fault(PX_F_OOM, "%zu bytes to encode a column", bytes);
}

/* ---- which rows ---- */

static uint32_t count_values(const struct batch_column *column)
{
    uint32_t count = 0;
    for (const struct values *it = column->values; it; it = it->next) count += it->count;
    return count;
}

static void set_bits(unsigned char *bits, uint32_t from, uint32_t count)
{
    while (count > 0 && from % 8 != 0) {
        bits[from / 8] |= (unsigned char)(1u << from % 8);
        from++;
        count--;
    }
    memset(bits + from / 8, 0xFF, count / 8);
    from += count / 8 * 8;
    if (count % 8) bits[from / 8] |= (unsigned char)((1u << count % 8) - 1);
}

static void add_row_bitmap(const struct batch_column *column, uint32_t rows, struct px_buf *raw)
{
    size_t bytes = (rows + 7u) / 8;
    unsigned char *bits = (unsigned char *)px_buf_reserve(raw, bytes);
    if (!bits) return;
    memset(bits, 0, bytes);
    for (const struct values *it = column->values; it; it = it->next)
        for (uint32_t i = 0; i < it->run_count; i++)
            set_bits(bits, values_runs(it)[i].row, values_runs(it)[i].count);
    raw->len += bytes;
}

/* ---- numbers ---- */

static enum frame_encoding add_bools(const struct values *values, struct px_buf *raw)
{
    size_t bytes = (values->count + 7u) / 8;
    unsigned char *bits = (unsigned char *)px_buf_reserve(raw, bytes);
    if (!bits) return FRAME_BITS;
    memset(bits, 0, bytes);
    const uint8_t *bools = values_bools(values);
    for (uint32_t i = 0; i < values->count; i++) bits[i / 8] |= (unsigned char)(bools[i] << i % 8);
    raw->len += bytes;
    return FRAME_BITS;
}

static inline uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Whether value is exactly integer / 10^power as division rounds it; both are exact in a double, so
 * reading divides likewise and gets the same bits. -0.0 is not. */
static inline bool decimal_of(double value, unsigned power, int64_t *ret_integer)
{
    double scaled = value * frame_powers_of_ten[power];
    if (!(fabs(scaled) < 0x1p53)) return false;
    int64_t integer = (int64_t)(scaled + (scaled < 0 ? -0.5 : 0.5));
    double back = (double)integer / frame_powers_of_ten[power];
    *ret_integer = integer;
    return bits_of(back) == bits_of(value);
}

/* The least power that holds for the first values; false when there is none. */
static bool guess_power(const double *doubles, uint32_t n, unsigned *ret_power)
{
    unsigned power = 0;
    for (uint32_t i = 0; i < PX_MIN(n, (uint32_t)DECIMAL_SAMPLE); i++) {
        int64_t integer;
        while (!decimal_of(doubles[i], power, &integer))
            if (++power > FRAME_DECIMAL_POWER_MAX) return false;
    }
    *ret_power = power;
    return true;
}

/* All as decimals of one power; a value that needs more digits starts over with them. */
static bool all_decimals(const double *doubles, uint32_t n, int64_t *integers, unsigned *ret_power)
{
    unsigned power;
    if (!guess_power(doubles, n, &power)) return false;
    for (uint32_t i = 0; i < n; i++) {
        if (__builtin_expect(decimal_of(doubles[i], power, &integers[i]), 1)) continue;
        if (++power > FRAME_DECIMAL_POWER_MAX) return false;
        i = UINT32_MAX; /* from the first again */
    }
    *ret_power = power;
    return true;
}

static int add_doubles(const double *doubles, uint32_t n, struct frame_scratch *scratch,
                       struct px_buf *raw, enum frame_encoding *ret_encoding)
{
    size_t offset = (const char *)doubles == scratch->words.ptr ? n * sizeof(double) : 0;
    PX_ASSERT(offset == 0 || scratch->words.cap >= 2 * offset);
    if (offset == 0) PX_TRY(room_for_words(scratch, n * sizeof(int64_t)));
    int64_t *integers = (int64_t *)(void *)(scratch->words.ptr + offset);
    unsigned power = 0;
    *ret_encoding = all_decimals(doubles, n, integers, &power) ? FRAME_DECIMAL : FRAME_DOUBLES;
    if (*ret_encoding == FRAME_DECIMAL) {
        px_buf_add_char(raw, (char)power);
        pack_i64(integers, n, raw);
    } else {
        pack_i64((const int64_t *)(const void *)doubles, n, raw);
    }
    return 0;
}

/* INT and DOUBLE values of one column, as doubles in row order. */
static int merge_numbers(const struct batch *batch, const struct batch_column *column,
                         struct frame_scratch *scratch, uint32_t n)
{
    PX_TRY(room_for_words(scratch, 2 * n * sizeof(double)));
    double *doubles = (double *)(void *)scratch->words.ptr;
    struct values_cursor cursors[2] = {0};
    uint32_t lists = 0, done = 0;
    for (const struct values *it = column->values; it; it = it->next)
        if (it->count > 0) cursors[lists++].values = it;
    for (uint32_t row = 0; row < batch->rows; row++)
        for (uint32_t i = 0, at; i < lists; i++) {
            const struct values *values = cursors[i].values;
            if (!values_cursor_at(&cursors[i], row, &at)) continue;
            doubles[done++] = values->type == COL_DOUBLE ? values_doubles(values)[at]
                                                         : (double)values_ints(values)[at];
        }
    PX_ASSERT(done == n);
    return 0;
}

/* ---- text ---- */

static enum frame_encoding add_dict(const struct values *values, struct frame_scratch *scratch,
                                    struct px_buf *raw)
{
    px_buf_add(raw, &values->dict_count, sizeof values->dict_count);
    uint32_t *lens = (uint32_t *)(void *)scratch->words.ptr;
    for (uint32_t i = 0; i < values->dict_count; i++) lens[i] = values_entries(values)[i].len;
    pack_u32(lens, values->dict_count, raw);
    px_buf_add(raw, values->dict_text.ptr, values->text_bytes);
    pack_u32(values_lens(values), values->count, raw);
    return FRAME_DICT;
}

static enum frame_encoding add_text(const uint32_t *lens, uint32_t n, struct px_str text,
                                    struct px_buf *raw)
{
    pack_u32(lens, n, raw);
    px_buf_add_str(raw, text);
    return FRAME_TEXT;
}

#define EACH_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

/* Eight lower-case hex digits to four bytes; false when they are something else. A letter is told
 * by bit 6; turning the numbers back into digits shows whether all were digits. */
static bool pack_hex(const unsigned char *text, unsigned char *out)
{
    uint64_t chars;
    memcpy(&chars, text, sizeof chars);
    uint64_t digits = (chars & EACH_BYTE(0x0F)) + (chars >> 6 & EACH_BYTE(1)) * 9;
    uint64_t letters = (digits + EACH_BYTE(6)) >> 4 & EACH_BYTE(1);
    uint64_t back = digits + EACH_BYTE('0') + letters * ('a' - '0' - 10);
    if (back != chars || digits & EACH_BYTE(0xF0)) return false;
    uint64_t pairs = (digits << 4 | digits >> 8) & UINT64_C(0x00FF00FF00FF00FF);
    pairs = (pairs | pairs >> 8) & UINT64_C(0x0000FFFF0000FFFF);
    uint32_t bytes = (uint32_t)(pairs | pairs >> 16);
    memcpy(out, &bytes, sizeof bytes);
    return true;
}

/* n is even. The end is packed once more together with what stands before it; there are eight or
 * more. */
static bool pack_all_hex(const unsigned char *text, size_t n, unsigned char *out)
{
    size_t whole = n / 8 * 8;
    for (size_t i = 0; i < whole; i += 8)
        if (!pack_hex(text + i, out + i / 2)) return false;
    return whole == n || pack_hex(text + n - 8, out + (n - 8) / 2);
}

/* False, with raw as it was, when some value is not lower-case hex of the first one's length. */
static bool add_hex(const struct values *values, struct px_buf *raw)
{
    const uint32_t *lens = values_lens(values);
    uint32_t len = values->count ? lens[0] : 0;
    if (len < 8 || len > 254 || len % 2 != 0) return false;
    for (uint32_t i = 1; i < values->count; i++)
        if (lens[i] != len) return false;
    size_t bytes = values->text_bytes / 2;
    unsigned char *out = (unsigned char *)px_buf_reserve(raw, bytes + 1);
    if (!out) return false;
    *out++ = (unsigned char)len;
    const unsigned char *text = (const unsigned char *)values->text.ptr;
    if (!pack_all_hex(text, values->text_bytes, out)) return false;
    raw->len += bytes + 1;
    return true;
}

static int add_strings(const struct values *values, struct frame_scratch *scratch,
                       struct px_buf *raw, enum frame_encoding *ret_encoding)
{
    if (values->is_dict) {
        PX_TRY(room_for_words(scratch, values->dict_count * sizeof(uint32_t)));
        *ret_encoding = add_dict(values, scratch, raw);
    } else if (values->type == COL_STRING && add_hex(values, raw)) {
        *ret_encoding = FRAME_HEX;
    } else {
        struct px_str text = px_str(values->text.ptr, values->text_bytes);
        *ret_encoding = add_text(values_lens(values), values->count, text, raw);
    }
    return 0;
}

static void add_value_json(struct values_cursor *cursor, uint32_t at, struct px_buf *buf)
{
    const struct values *values = cursor->values;
    switch (values->type) {
    case COL_BOOL: px_buf_add_c(buf, values_bools(values)[at] ? "true" : "false"); return;
    case COL_INT: text_add_int(buf, values_ints(values)[at]); return;
    case COL_DOUBLE: json_add_double(buf, values_doubles(values)[at]); return;
    case COL_TIME: json_add_time(buf, values_ints(values)[at]); return;
    case COL_STRING: px_buf_add_json_str(buf, values_cursor_text(cursor, at)); return;
    default: px_buf_add_str(buf, values_cursor_text(cursor, at));
    }
}

/* Values of several types, as JSON text in row order. */
static int add_mixed(const struct batch *batch, const struct batch_column *column,
                     struct frame_scratch *scratch, struct px_buf *raw, uint32_t n)
{
    PX_TRY(room_for_words(scratch, n * sizeof(uint32_t)));
    uint32_t *lens = (uint32_t *)(void *)scratch->words.ptr, done = 0, lists = 0;
    struct values_cursor cursors[COL_MIXED] = {0};
    for (const struct values *it = column->values; it; it = it->next) cursors[lists++].values = it;
    struct px_buf *text = &scratch->text;
    px_buf_clear(text);
    for (uint32_t row = 0; row < batch->rows; row++)
        for (uint32_t i = 0, at; i < lists; i++) {
            if (!values_cursor_at(&cursors[i], row, &at)) continue;
            size_t before = text->len;
            add_value_json(&cursors[i], at, text);
            lens[done++] = (uint32_t)(text->len - before);
        }
    PX_ASSERT(done == n);
    PX_TRY(px_buf_fault(text));
    add_text(lens, n, px_buf_str(text), raw);
    return 0;
}

/* ---- columns ---- */

static const struct values *only_list(const struct batch_column *column)
{
    const struct values *it = column->values;
    while (it->count == 0 && it->next) it = it->next;
    return it;
}

static int lay_out_numbers(const struct batch *batch, const struct batch_column *column, uint32_t n,
                           enum frame_encoding *ret_encoding)
{
    struct frame_scratch *scratch = batch->scratch;
    const struct values *values = only_list(column);
    const double *doubles = values_doubles(values);
    if (values->count < n) {
        PX_TRY(merge_numbers(batch, column, scratch, n));
        doubles = (const double *)(const void *)scratch->words.ptr;
    }
    PX_TRY(add_doubles(doubles, n, scratch, &scratch->raw, ret_encoding));
    return 0;
}

/* The uncompressed block of a column into scratch->raw; fills type, encoding and flags. */
static int lay_out(const struct batch *batch, uint32_t number, struct frame_disk_column *entry)
{
    const struct batch_column *column = &batch->columns[number];
    struct frame_scratch *scratch = batch->scratch;
    enum col_type type = batch_column_type(batch, number);
    const struct values *values = only_list(column);
    enum frame_encoding encoding = FRAME_TEXT;
    uint32_t n = count_values(column);
    entry->type = (uint8_t)type;
    px_buf_clear(&scratch->raw);
    if (n < batch->rows) {
        entry->flags |= FRAME_HAS_NULLS;
        add_row_bitmap(column, batch->rows, &scratch->raw);
    }
    switch (type) {
    case COL_BOOL: encoding = add_bools(values, &scratch->raw); break;
    case COL_INT:
        if (!values_ints_fit_double(values)) entry->flags |= FRAME_BIG_INTS; /* fall through */
    case COL_TIME:
        encoding = FRAME_INTS;
        pack_i64(values_ints(values), n, &scratch->raw);
        break;
    case COL_DOUBLE: PX_TRY(lay_out_numbers(batch, column, n, &encoding)); break;
    case COL_MIXED: PX_TRY(add_mixed(batch, column, scratch, &scratch->raw, n)); break;
    default: PX_TRY(add_strings(values, scratch, &scratch->raw, &encoding));
    }
    entry->encoding = (uint8_t)encoding;
    return px_buf_fault(&scratch->raw);
}

/* Append scratch->raw, compressed when that pays. */
static int add_block(struct frame_scratch *scratch, struct frame_disk_column *entry,
                     struct px_buf *buf)
{
    struct px_str raw = px_buf_str(&scratch->raw);
    entry->raw_bytes = entry->block_bytes = (uint32_t)raw.len;
    entry->codec = FRAME_STORED;
    bool try_it = raw.len > SMALL_BLOCK_BYTES && entry->encoding != FRAME_HEX;
    if (try_it) {
        size_t bound = ZSTD_compressBound(raw.len);
        char *room = px_buf_reserve(buf, bound);
        if (!room) return px_buf_fault(buf);
        size_t bytes = ZSTD_compressCCtx(scratch->zstd, room, bound, raw.ptr, raw.len, ZSTD_LEVEL);
        if (ZSTD_isError(bytes)) return px_fault(PX_F_OOM, "zstd: %s", ZSTD_getErrorName(bytes));
        if (bytes <= raw.len / 100 * WORTH_PERCENT) {
            entry->codec = FRAME_ZSTD;
            entry->block_bytes = (uint32_t)bytes;
            buf->len += bytes;
            return 0;
        }
    }
    px_buf_add_str(buf, raw);
    return px_buf_fault(buf);
}

static int add_column(const struct batch *batch, uint32_t number, size_t *entry_offset,
                      struct px_buf *buf)
{
    struct px_str name = batch_column_name(batch, number);
    struct frame_disk_column entry = {.name_bytes = (uint16_t)name.len};
    PX_TRY(lay_out(batch, number, &entry));
    PX_TRY(add_block(batch->scratch, &entry, buf));
    char *at = buf->ptr + *entry_offset;
    memcpy(at, &entry, sizeof entry);
    memcpy(at + sizeof entry, name.ptr, name.len);
    *entry_offset += sizeof entry + name.len;
    return 0;
}

static size_t directory_bytes(const struct batch *batch)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < batch->column_count; i++)
        bytes += sizeof(struct frame_disk_column) + batch->columns[i].name_len;
    return bytes;
}

static struct frame_disk_header header_of(const struct batch *batch)
{
    const struct values *times = batch->columns[0].values;
    struct frame_disk_header header = {
        .magic = FRAME_MAGIC,
        .version = FRAME_VERSION,
        .header_bytes = sizeof header,
        .rows = batch->rows,
        .columns = batch->column_count,
        .directory_bytes = (uint32_t)directory_bytes(batch),
    };
    for (uint32_t i = 0; i < times->count; i++) {
        int64_t us = values_ints(times)[i];
        header.time_min_us = i == 0 ? us : PX_MIN(header.time_min_us, us);
        header.time_max_us = i == 0 ? us : PX_MAX(header.time_max_us, us);
    }
    return header;
}

int frame_encode(const struct batch *batch, int64_t accepted_ns, const uint8_t request_id[16],
                 struct px_buf *buf)
{
    PX_ASSERT(!batch->in_row);
    struct frame_disk_header header = header_of(batch);
    header.accepted_ns = accepted_ns;
    if (request_id) memcpy(header.request_id, request_id, sizeof header.request_id);
    size_t start = buf->len;
    px_buf_add(buf, &header, sizeof header);
    size_t entry_offset = buf->len;
    if (!px_buf_reserve(buf, header.directory_bytes)) return px_buf_fault(buf);
    buf->len += header.directory_bytes;
    for (uint32_t i = 0; i < batch->column_count; i++) {
        int r = add_column(batch, i, &entry_offset, buf);
        if (r == 0) continue;
        buf->len = start;
        return r;
    }
    return 0;
}
