/* A Map's items from CSV: any bytes, any delimiter; every item is an object of strings. */
// link: px_asl
#include <stdlib.h>

#include "asl/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char delimiters[] = ",|; \t";
    struct px_arena arena;
    struct asl_values values;
    yyjson_mut_val *items = NULL, *item, *name;
    if (size < 2 || size > 65536) return 0;
    const struct px_str given[] = {S("a"), S("b"), S("a")};
    const struct asl_csv_options options = {.delimiter = delimiters[data[0] % 5],
                                            .headers = data[1] & 1 ? given : NULL,
                                            .header_count = data[1] & 1 ? PX_COUNT(given) : 0};
    char *text = malloc(size - 1); /* exactly as long, so that ASan sees a byte too far */
    px_arena_init(&arena, 64u << 20);
    if (text && asl_values_init(&values, &arena) == 0) {
        memcpy(text, data + 2, size - 2);
        if (asl_csv_parse(px_str(text, size - 2), &options, &values, &items) == 0) {
            yyjson_mut_arr_iter iter = yyjson_mut_arr_iter_with(items);
            while ((item = yyjson_mut_arr_iter_next(&iter))) {
                yyjson_mut_obj_iter members = yyjson_mut_obj_iter_with(item);
                while ((name = yyjson_mut_obj_iter_next(&members)))
                    PX_ASSERT(yyjson_mut_is_str(yyjson_mut_obj_iter_get_val(name)));
            }
        }
    }
    free(text);
    px_arena_deinit(&arena);
    return 0;
}
