/* Two restrictions, a line each: what was understood is within its bounds and is the same when it is read again; what is
 * wished within another is within both. */
// link: px_lambda
#include <stdlib.h>

#include "lambda/restriction.h"

#define ARENA_BYTES ((size_t)8 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_bounds(const struct restriction *r)
{
    PX_ASSERT(r->dataset_count + r->row_count > 0);
    PX_ASSERT(r->dataset_count <= RESTRICTION_DATASETS_MAX && r->row_count <= RESTRICTION_ROWS_MAX);
    for (size_t i = 0; i < r->dataset_count; i++) PX_ASSERT(restriction_allows(r, r->datasets[i]));
    for (size_t i = 0; i < r->row_count; i++) {
        const struct restriction_row *row = &r->rows[i];
        PX_ASSERT(row->column.len > 0 && !memchr(row->column.ptr, '\0', row->column.len));
        PX_ASSERT(row->value_count > 0 && row->value_count <= RESTRICTION_VALUES_MAX);
        for (size_t k = 0; k < row->value_count; k++) PX_ASSERT(row->values[k].ptr);
    }
}

/* NULL: it is none. */
static const struct restriction *understand(struct px_str text, struct px_arena *arena)
{
    yyjson_val *root = NULL;
    struct restriction taken;
    const struct restriction *read = NULL;
    struct px_str json;
    const char *why = NULL;
    if (px_json_parse(text, arena, &root, NULL) != 0) return NULL;
    int r = restriction_take(root, arena, &taken, &json, &why);
    PX_ASSERT(r == 0 || (r == RESTRICTION_INVALID && why));
    if (r != 0) return NULL;
    check_bounds(&taken);
    PX_ASSERT(json.len <= RESTRICTION_BYTES_MAX && restriction_read(json, arena, &read) == 0);
    PX_ASSERT(restriction_within(&taken, read) && restriction_within(read, &taken));
    return read;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_arena arena;
    struct px_str first, rest = px_str((const char *)data, size), both;
    if (size == 0 || size > 16 * 1024) return 0;
    px_arena_init(&arena, ARENA_BYTES);
    (void)px_str_cut(&rest, '\n', &first);
    const struct restriction *outer = understand(first, &arena), *narrow = NULL;
    const struct restriction *wish = rest.len > 0 ? understand(rest, &arena) : NULL;
    int r = outer && wish ? restriction_narrow(outer, wish, &arena, &both) : RESTRICTION_INVALID;
    PX_ASSERT(r >= 0);
    if (r == 0) {
        PX_ASSERT(restriction_read(both, &arena, &narrow) == 0);
        check_bounds(narrow);
        PX_ASSERT(restriction_within(narrow, outer) && restriction_within(narrow, wish));
    }
    px_arena_deinit(&arena);
    return 0;
}
