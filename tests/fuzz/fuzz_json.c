/* Arbitrary text as JSON: refused with a place inside the text, or read, written and read again to the
 * same. Strings of a document also go through px_buf_add_json_str(). */
// link: px_base
#include "base/px_json.h"

#include <stdlib.h>

#define ARENA_BYTES ((size_t)64 << 20)

static void write_value(yyjson_val *val, struct px_buf *buf)
{
    px_buf_clear(buf);
    px_buf_add_json(buf, val);
    PX_ASSERT(px_buf_fault(buf) == 0);
}

/* What px_buf_add_json_str writes of any bytes is JSON; of UTF-8 it is the same string. */
static void check_string(struct px_str bytes, bool is_utf8, struct px_arena *arena)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    yyjson_val *back;
    px_buf_init(&buf, ARENA_BYTES);
    px_buf_add_json_str(&buf, bytes);
    int r = px_json_parse(px_buf_str(&buf), arena, &back, NULL);
    PX_ASSERT(r == 0 && yyjson_is_str(back));
    PX_ASSERT(!is_utf8 || px_str_eq(px_json_val_str(back), bytes));
}

static void check_round_trip(yyjson_val *root, struct px_arena *arena)
{
    PX_AUTO(px_buf_deinit) struct px_buf once, twice;
    yyjson_val *again;
    px_buf_init(&once, ARENA_BYTES);
    px_buf_init(&twice, ARENA_BYTES);
    write_value(root, &once);
    int r = px_json_parse(px_buf_str(&once), arena, &again, NULL);
    PX_ASSERT(r == 0 && yyjson_equals(root, again));
    write_value(again, &twice);
    PX_ASSERT(px_str_eq(px_buf_str(&once), px_buf_str(&twice)));
    if (yyjson_is_str(root)) check_string(px_json_val_str(root), true, arena);
    (void)px_json_i64(root, "a", 0);
    (void)px_json_at(root, "a.b.c");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + !size); /* without anything behind it */
    if (!text) abort();
    if (size) memcpy(text, data, size);
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, ARENA_BYTES);
    struct px_where where = {.offset = SIZE_MAX};
    yyjson_val *root = NULL;
    int r = px_json_parse(px_str(text, size), &arena, &root, &where);
    PX_ASSERT(r == 0 || r == PX_JSON_INVALID);
    PX_ASSERT(r == 0 || (where.offset <= size && where.expected[0]));
    check_string(px_str(text, size), false, &arena);
    free(text);
    if (r == 0) check_round_trip(root, &arena);
    return 0;
}
