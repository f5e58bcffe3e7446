/* asl/functions.c - the intrinsic functions of arrays, objects and numbers, and the table of all.
 *
 * Fractions: MathAdd rounds as Java's Math.round does; where a count, a bound or an index is asked for, Step Functions was seen
 * to cut them off, though the guide says that it rounds. */
#include "asl/functions.h"

#include <math.h>

#define RANGE_ITEMS_MAX 1000 /* developer guide, States.ArrayRange */

static int fault_of(const struct call_args *args)
{
    return px_arena_fault(args->scope->values->arena);
}
static yyjson_mut_doc *doc_of(const struct call_args *args) { return args->scope->values->doc; }

/* A number without its fraction; false when there is none that fits. */
static bool whole(yyjson_mut_val *value, int64_t *ret_whole)
{
    double number;
    if (!asl_value_number(value, &number) || fabs(number) > 9007199254740992.0) return false;
    *ret_whole = (int64_t)number;
    return true;
}

static int append_copy(struct call_args *args, yyjson_mut_val *array, yyjson_mut_val *value)
{
    yyjson_mut_val *copy = asl_share(args->scope->values, value);
    if (!copy) return fault_of(args);
    (void)yyjson_mut_arr_append(array, copy);
    return 0;
}

static int new_array(struct call_args *args, yyjson_mut_val **ret_array)
{
    *ret_array = yyjson_mut_arr(doc_of(args));
    return *ret_array ? 0 : fault_of(args);
}
static int new_integer(struct call_args *args, int64_t number, yyjson_mut_val **ret_value)
{
    *ret_value = number < 0 ? yyjson_mut_sint(doc_of(args), number)
                            : yyjson_mut_uint(doc_of(args), (uint64_t)number);
    return *ret_value ? 0 : fault_of(args);
}
static int new_bool(struct call_args *args, bool yes, yyjson_mut_val **ret_value)
{
    *ret_value = yyjson_mut_bool(doc_of(args), yes);
    return *ret_value ? 0 : fault_of(args);
}

/* ---- arrays ---- */

static int call_array(struct call_args *args, yyjson_mut_val **ret_value)
{
    yyjson_mut_val *array = NULL;
    PX_TRY(new_array(args, &array));
    for (size_t i = 0; i < args->count; i++) PX_TRY(append_copy(args, array, args->list[i]));
    *ret_value = array;
    return 0;
}

static int call_array_partition(struct call_args *args, yyjson_mut_val **ret_value)
{
    int64_t size;
    if (!yyjson_mut_is_arr(args->list[0]) || !whole(args->list[1], &size) || size < 1)
        return ASL_FAILED;
    yyjson_mut_val *chunks = NULL, *chunk = NULL, *each;
    size_t i, n;
    PX_TRY(new_array(args, &chunks));
    yyjson_mut_arr_foreach(args->list[0], i, n, each)
    {
        if (i % (uint64_t)size == 0) {
            PX_TRY(new_array(args, &chunk));
            (void)yyjson_mut_arr_append(chunks, chunk);
        }
        PX_TRY(append_copy(args, chunk, each));
    }
    *ret_value = chunks;
    return 0;
}

static int call_array_contains(struct call_args *args, yyjson_mut_val **ret_value)
{
    if (!yyjson_mut_is_arr(args->list[0])) return ASL_FAILED;
    size_t i, n;
    yyjson_mut_val *each;
    bool found = false;
    yyjson_mut_arr_foreach(args->list[0], i, n, each)
    {
        found = asl_value_equal(each, args->list[1]);
        if (found) break;
    }
    return new_bool(args, found, ret_value);
}

static int call_array_range(struct call_args *args, yyjson_mut_val **ret_value)
{
    int64_t first, last, by;
    if (!whole(args->list[0], &first) || !whole(args->list[1], &last) ||
        !whole(args->list[2], &by) || by == 0)
        return ASL_FAILED;
    bool empty = by > 0 ? first > last : first < last;
    if (!empty && (last - first) / by >= RANGE_ITEMS_MAX) return ASL_FAILED;
    yyjson_mut_val *array = NULL, *number = NULL;
    PX_TRY(new_array(args, &array));
    int64_t count = empty ? 0 : (last - first) / by + 1;
    for (int64_t i = 0; i < count; i++) {
        PX_TRY(new_integer(args, first + i * by, &number));
        (void)yyjson_mut_arr_append(array, number);
    }
    *ret_value = array;
    return 0;
}

static int call_array_get_item(struct call_args *args, yyjson_mut_val **ret_value)
{
    int64_t index;
    if (!yyjson_mut_is_arr(args->list[0]) || !whole(args->list[1], &index) || index < 0 ||
        index >= (int64_t)yyjson_mut_arr_size(args->list[0]))
        return ASL_FAILED;
    *ret_value = yyjson_mut_arr_get(args->list[0], (size_t)index);
    args->fresh = false;
    return 0;
}

static int call_array_length(struct call_args *args, yyjson_mut_val **ret_value)
{
    if (!yyjson_mut_is_arr(args->list[0])) return ASL_FAILED;
    return new_integer(args, (int64_t)yyjson_mut_arr_size(args->list[0]), ret_value);
}

/* Values by their hash. */
struct seen {
    struct {
        uint64_t hash;
        yyjson_mut_val *value;
    } * slots;
    size_t mask;
};
static bool seen_before(struct seen *seen, yyjson_mut_val *value)
{
    uint64_t hash = asl_value_hash(value);
    size_t at = (size_t)hash & seen->mask;
    for (; seen->slots[at].value; at = (at + 1) & seen->mask)
        if (seen->slots[at].hash == hash && asl_value_equal(seen->slots[at].value, value))
            return true;
    seen->slots[at].hash = hash;
    seen->slots[at].value = value;
    return false;
}

static int call_array_unique(struct call_args *args, yyjson_mut_val **ret_value)
{
    if (!yyjson_mut_is_arr(args->list[0])) return ASL_FAILED;
    size_t i, n, cap = 16;
    while (cap < 2 * yyjson_mut_arr_size(args->list[0])) cap *= 2;
    struct seen seen = {.mask = cap - 1};
    seen.slots = px_arena_zalloc_array(args->scope->values->arena, sizeof *seen.slots, cap);
    if (!seen.slots) return fault_of(args);
    yyjson_mut_val *array = NULL, *each;
    PX_TRY(new_array(args, &array));
    yyjson_mut_arr_foreach(args->list[0], i, n, each)
    {
        if (!seen_before(&seen, each)) PX_TRY(append_copy(args, array, each));
    }
    *ret_value = array;
    return 0;
}

/* ---- objects ---- */

/* The guide: only shallow merging is supported so far. */
static int call_json_merge(struct call_args *args, yyjson_mut_val **ret_value)
{
    if (!yyjson_mut_is_obj(args->list[0]) || !yyjson_mut_is_obj(args->list[1]) ||
        !yyjson_mut_is_false(args->list[2]))
        return ASL_FAILED;
    yyjson_mut_val *merged = asl_share(args->scope->values, args->list[0]), *name, *value;
    if (!merged) return fault_of(args);
    size_t i, n;
    yyjson_mut_obj_foreach(args->list[1], i, n, name, value)
    {
        yyjson_mut_val *copy = asl_share(args->scope->values, value);
        if (!copy) return fault_of(args);
        PX_TRY(asl_member_set(args->scope->values, merged, asl_value_str(name), copy));
    }
    *ret_value = merged;
    return 0;
}

/* ---- numbers ---- */

static bool rounded(yyjson_mut_val *value, int64_t *ret_rounded)
{
    double number;
    if (!asl_value_number(value, &number)) return false;
    number = floor(number + 0.5);
    if (!(number >= INT32_MIN && number <= INT32_MAX)) return false;
    *ret_rounded = (int64_t)number;
    return true;
}

static int call_math_add(struct call_args *args, yyjson_mut_val **ret_value)
{
    int64_t a, b;
    if (!rounded(args->list[0], &a) || !rounded(args->list[1], &b) || a + b < INT32_MIN ||
        a + b > INT32_MAX)
        return ASL_FAILED;
    return new_integer(args, a + b, ret_value);
}

/* java.util.Random, whose numbers of a seed its documentation fixes: next(31). */
static int32_t java_next_31(uint64_t *state)
{
    *state = (*state * 0x5DEECE66DULL + 0xBULL) & ((1ULL << 48) - 1);
    return (int32_t)(*state >> 17);
}
/* nextInt(bound) */
static int64_t java_below(uint64_t *state, int32_t bound)
{
    if ((bound & (bound - 1)) == 0) return (int64_t)bound * java_next_31(state) >> 31;
    while (true) {
        int32_t bits = java_next_31(state), value = bits % bound;
        if (bits - value <= INT32_MAX - (bound - 1)) return value;
    }
}

static uint64_t random_below(const struct asl_scope *scope, uint64_t bound)
{
    uint64_t least = -bound % bound, number; /* numbers below would favour some values */
    do number = scope->random(scope->random_ctx);
    while (number < least);
    return number % bound;
}

static int call_math_random(struct call_args *args, yyjson_mut_val **ret_value)
{
    int64_t start, end, seed;
    if (!whole(args->list[0], &start) || !whole(args->list[1], &end) || start >= end)
        return ASL_FAILED;
    if (args->count < 3)
        return new_integer(
            args, start + (int64_t)random_below(args->scope, (uint64_t)(end - start)), ret_value);
    if (!whole(args->list[2], &seed) || end - start > INT32_MAX) return ASL_FAILED;
    uint64_t state = ((uint64_t)seed ^ 0x5DEECE66DULL) & ((1ULL << 48) - 1);
    return new_integer(args, start + java_below(&state, (int32_t)(end - start)), ret_value);
}

const struct function asl_functions[] = {
    {"States.Format", 1, UINT8_MAX, call_format},
    {"States.StringToJson", 1, 1, call_string_to_json},
    {"States.JsonToString", 1, 1, call_json_to_string},
    {"States.Array", 0, UINT8_MAX, call_array},
    {"States.ArrayPartition", 2, 2, call_array_partition},
    {"States.ArrayContains", 2, 2, call_array_contains},
    {"States.ArrayRange", 3, 3, call_array_range},
    {"States.ArrayGetItem", 2, 2, call_array_get_item},
    {"States.ArrayLength", 1, 1, call_array_length},
    {"States.ArrayUnique", 1, 1, call_array_unique},
    {"States.Base64Encode", 1, 1, call_base64_encode},
    {"States.Base64Decode", 1, 1, call_base64_decode},
    {"States.Hash", 2, 2, call_hash},
    {"States.JsonMerge", 3, 3, call_json_merge},
    {"States.MathRandom", 2, 3, call_math_random},
    {"States.MathAdd", 2, 2, call_math_add},
    {"States.StringSplit", 2, 2, call_string_split},
    {"States.UUID", 0, 0, call_uuid},
};
const size_t asl_function_count = PX_COUNT(asl_functions);
