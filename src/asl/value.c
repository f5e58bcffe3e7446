/* asl/value.c - values over yyjson's mutable documents.
 *
 * What yyjson.h says of them and what is used here: a mutable value has tag and payload of an immutable one and a pointer to
 * the next; the values of a container (in an object name, value, name, ...) form a ring, and the container points to the last
 * of it, in an object to the last name. So a container is copied as one block of memory, without recursion. */
#include "asl/value.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define EQUAL_DEPTH_MAX 1000u
#define PAIRWISE_MAX 16u /* names of an object that are compared with a further one */

static void *alc_malloc(void *ctx, size_t bytes) { return px_arena_alloc(ctx, bytes); }
static void *alc_realloc(void *ctx, void *ptr, size_t old_bytes, size_t bytes)
{
    return px_arena_realloc(ctx, ptr, old_bytes, bytes);
}
static void alc_free(void *ctx, void *ptr) { (void)ctx, (void)ptr; }
static yyjson_alc alc_of(struct px_arena *arena)
{
    return (yyjson_alc){alc_malloc, alc_realloc, alc_free, arena};
}

int asl_values_init(struct asl_values *values, struct px_arena *arena)
{
    yyjson_alc alc = alc_of(arena);
    *values = (struct asl_values){yyjson_mut_doc_new(&alc), arena};
    return values->doc ? 0 : px_arena_fault(arena);
}

/* ---- rings ---- */

static bool is_container(yyjson_mut_val *value) { return yyjson_mut_is_ctn(value); }
static bool is_text(yyjson_mut_val *value)
{
    return yyjson_mut_is_str(value) || yyjson_mut_is_raw(value);
}
static size_t length(yyjson_mut_val *container) { return unsafe_yyjson_get_len(container); }
/* Values in the ring: of an object, names count too. */
static size_t ring_size(yyjson_mut_val *container)
{
    return yyjson_mut_is_obj(container) ? 2 * length(container) : length(container);
}
static yyjson_mut_val *ring_first(yyjson_mut_val *container)
{
    yyjson_mut_val *last = container->uni.ptr;
    return yyjson_mut_is_obj(container) ? last->next->next : last->next;
}
/* Make the ring of `n` values that stand side by side; n > 0. */
static void ring_close(yyjson_mut_val *container, yyjson_mut_val *block, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++) block[i].next = &block[i + 1];
    block[n - 1].next = block;
    container->uni.ptr = yyjson_mut_is_obj(container) ? &block[n - 2] : &block[n - 1];
}

/* ---- names stand once ---- */

struct member_table {
    yyjson_mut_val **slots;
    size_t mask;
    uint64_t seed;
};

static bool same_text(yyjson_mut_val *a, yyjson_mut_val *b)
{
    return length(a) == length(b) && memcmp(a->uni.str, b->uni.str, length(a)) == 0;
}
/* The name in the table that is the same, or NULL after putting this one in. */
static yyjson_mut_val *table_find_or_put(struct member_table *table, yyjson_mut_val *name)
{
    size_t at = XXH3_64bits_withSeed(name->uni.str, length(name), table->seed) & table->mask;
    for (; table->slots[at]; at = (at + 1) & table->mask)
        if (same_text(table->slots[at], name)) return table->slots[at];
    table->slots[at] = name;
    return NULL;
}

/* Keep the first name of several and give it the last value, as Jackson does. False: arena fault. The seed is an address, which
 * nobody who sends names knows. */
static bool members_unique(struct px_arena *arena, yyjson_mut_val *object)
{
    size_t n = length(object), cap = 16;
    while (cap < 2 * n) cap *= 2;
    struct member_table table = {px_arena_array(arena, yyjson_mut_val *, cap), cap - 1,
                                 (uint64_t)(uintptr_t)object};
    if (!table.slots) return false;

    yyjson_mut_val *first = ring_first(object), *name = first, *kept = NULL;
    size_t kept_count = 0;
    for (size_t i = 0; i < n; i++) {
        yyjson_mut_val *value = name->next, *after = value->next;
        yyjson_mut_val *same = table_find_or_put(&table, name);
        if (same) { /* copying the value keeps the links of both rings right */
            same->next->tag = value->tag;
            same->next->uni = value->uni;
        } else {
            if (kept) kept->next->next = name;
            kept = name;
            kept_count++;
        }
        name = after;
    }
    kept->next->next = first;
    object->uni.ptr = kept;
    unsafe_yyjson_set_len(object, kept_count);
    return true;
}

/* ---- copies ---- */

static bool text_copy(struct px_arena *arena, yyjson_mut_val *value)
{
    value->uni.str = px_arena_cstr(arena, px_str(value->uni.str, length(value)));
    return value->uni.str != NULL;
}

/* A container whose ring is still to be copied waits for its turn: no recursion, so no bound of depth. */
struct copier {
    struct px_arena *arena;
    bool texts; /* copy them too */
    struct waiting {
        struct waiting *next;
        yyjson_mut_val *copy, *source;
    } * first;
};

static bool copy_one(struct copier *copier, yyjson_mut_val *source, yyjson_mut_val *copy)
{
    copy->tag = source->tag;
    copy->uni = source->uni;
    if (is_text(source)) return !copier->texts || text_copy(copier->arena, copy);
    if (!is_container(source) || length(source) == 0) return true;
    struct waiting *waiting = px_arena_alloc(copier->arena, sizeof *waiting);
    if (!waiting) return false;
    *waiting = (struct waiting){copier->first, copy, source};
    copier->first = waiting;
    return true;
}

static bool copy_ring(struct copier *copier, yyjson_mut_val *source, yyjson_mut_val *copy)
{
    size_t n = ring_size(source);
    yyjson_mut_val *block = px_arena_alloc(copier->arena, n * sizeof *block);
    if (!block) return false;
    yyjson_mut_val *each = ring_first(source);
    for (size_t i = 0; i < n; i++, each = each->next)
        if (!copy_one(copier, each, &block[i])) return false;
    ring_close(copy, block, n);
    return true;
}

static yyjson_mut_val *copy_of(struct px_arena *arena, yyjson_mut_val *value, bool texts)
{
    struct copier copier = {.arena = arena, .texts = texts};
    yyjson_mut_val *copy = px_arena_alloc(arena, sizeof *copy);
    if (!copy) return NULL;
    copy->next = NULL;
    if (!copy_one(&copier, value, copy)) return NULL;
    while (copier.first) {
        struct waiting *waiting = copier.first;
        copier.first = waiting->next;
        if (!copy_ring(&copier, waiting->source, waiting->copy)) return NULL;
    }
    return copy;
}
yyjson_mut_val *asl_copy(struct asl_values *values, yyjson_mut_val *value)
{
    return copy_of(values->arena, value, true);
}
yyjson_mut_val *asl_share(struct asl_values *values, yyjson_mut_val *value)
{
    return copy_of(values->arena, value, false);
}

/* A container whose values are being linked. */
struct open {
    yyjson_mut_val *container, *last;
    size_t left; /* values of its ring to come */
    bool object;
    bool twice;     /* some name may stand twice */
    uint64_t names; /* a bit for each name, by its ends and length */
};

/* Most names have a bit of their own; the others are compared. */
static void name_note(struct open *open, yyjson_mut_val *name)
{
    size_t len = length(name);
    const unsigned char *text = (const unsigned char *)name->uni.str;
    uint32_t ends = len ? (uint32_t)text[0] << 16 | (uint32_t)text[len / 2] << 8 | text[len - 1]
                        : 0;
    uint64_t bit = 1ULL << ((ends + (uint32_t)len * 0x10001u) * 0x9E3779B1u >> 26);
    if (!(open->names & bit)) {
        open->names |= bit;
        return;
    }
    yyjson_mut_val *each = open->container + 1;
    for (size_t i = 0; i < PAIRWISE_MAX && each != name; i++, each = each->next->next)
        if (same_text(each, name)) break;
    open->twice |= each != name;
}

/* The next value of an object is a name when an even number is to come. */
static void link_next(struct open *open, yyjson_mut_val *value)
{
    if (open->last) open->last->next = value;
    open->last = value;
    if (open->object && open->left % 2 == 0) name_note(open, value);
    open->left--;
    if (open->left == open->object)
        open->container->uni.ptr = value; /* of an object the last name */
}

/* Immutable values stand side by side in the order of the text, and so do their copies: the first value of a container is behind
 * it. px_json_parse() bounds the depth. */
static yyjson_mut_val *copy_of_fixed(struct px_arena *arena, yyjson_val *value, bool texts)
{
    struct open stack[PX_JSON_DEPTH_MAX], *top = NULL;
    size_t n = yyjson_is_ctn(value) ? (size_t)(unsafe_yyjson_get_next(value) - value) : 1;
    yyjson_mut_val *copies = px_arena_alloc(arena, n * sizeof *copies);
    if (!copies) return NULL;
    copies->next = NULL;
    for (size_t i = 0; i < n; i++) {
        yyjson_mut_val *copy = &copies[i];
        copy->tag = value[i].tag;
        copy->uni.u64 = value[i].uni.u64;
        if (texts && is_text(copy) && !text_copy(arena, copy)) return NULL;
        if (top) link_next(top, copy);
        if (is_container(copy) && length(copy) > 0) {
            top = top ? top + 1 : stack;
            PX_ASSERT(top < stack + PX_JSON_DEPTH_MAX);
            *top = (struct open){copy, NULL, ring_size(copy), yyjson_mut_is_obj(copy), false, 0};
        }
        while (top && top->left == 0) {
            top->last->next = top->container + 1;
            if (top->twice && !members_unique(arena, top->container)) return NULL;
            top = top == stack ? NULL : top - 1;
        }
    }
    return copies;
}
yyjson_mut_val *asl_copy_fixed(struct asl_values *values, yyjson_val *value)
{
    return copy_of_fixed(values->arena, value, true);
}
yyjson_mut_val *asl_share_fixed(struct asl_values *values, yyjson_val *value)
{
    return copy_of_fixed(values->arena, value, false);
}

int asl_value_parse(struct asl_values *values, struct px_str text, yyjson_mut_val **ret_value,
                    struct px_where *ret_where)
{
    yyjson_val *root;
    int r = px_json_parse(text, values->arena, &root, ret_where);
    if (r == PX_JSON_INVALID) return ASL_INVALID;
    PX_TRY(r);
    yyjson_mut_val *value = asl_share_fixed(values, root); /* its texts are in the arena already */
    if (!value) return px_arena_fault(values->arena);
    *ret_value = value;
    return 0;
}

yyjson_mut_val *asl_text(struct asl_values *values, struct px_str text)
{
    char *copy = px_arena_cstr(values->arena, text);
    return copy ? yyjson_mut_strn(values->doc, copy, text.len) : NULL;
}

/* ---- writing ---- */

bool asl_value_depth_is_fine(yyjson_mut_val *value)
{
    struct {
        yyjson_mut_val *next;
        size_t left;
    } open[ASL_DEPTH_MAX];
    size_t depth = 0;
    while (true) {
        if (is_container(value)) {
            if (depth == ASL_DEPTH_MAX) return false;
            open[depth].left = ring_size(value);
            if (open[depth].left) open[depth].next = ring_first(value);
            depth++;
        }
        while (depth > 0 && open[depth - 1].left == 0) depth--;
        if (depth == 0) return true;
        value = open[depth - 1].next;
        open[depth - 1].next = value->next;
        open[depth - 1].left--;
    }
}

int asl_value_write(struct asl_values *values, yyjson_mut_val *value, struct px_str *ret_text)
{
    if (!asl_value_depth_is_fine(value)) return ASL_INVALID;
    yyjson_alc alc = alc_of(values->arena);
    yyjson_write_err err = {0};
    size_t len;
    char *text = yyjson_mut_val_write_opts(value, YYJSON_WRITE_NOFLAG, &alc, &len, &err);
    if (!text && err.code != YYJSON_WRITE_ERROR_MEMORY_ALLOCATION) return ASL_INVALID;
    if (!text) return px_arena_fault(values->arena);
    *ret_text = px_str(text, len);
    return 0;
}

/* ---- comparing ---- */

static bool is_whole(double number) { return number == (double)(int64_t)number; }

/* yyjson has signed numbers that are none: -0 of a text, and what was made as such. */
static bool is_negative(yyjson_mut_val *integer)
{
    return yyjson_mut_is_sint(integer) && integer->uni.i64 < 0;
}

/* A whole number and a double, exactly. */
static int integer_real_cmp(yyjson_mut_val *integer, double real)
{
    if (real >= 0x1p64) return -1;
    if (real < -0x1p63) return 1;
    if (is_negative(integer)) {
        if (real >= 0) return -1;
        int64_t floor = (int64_t)real, value = integer->uni.i64;
        if (value != floor) return value < floor ? -1 : 1;
        return is_whole(real) ? 0 : 1; /* towards zero is up, below zero */
    }
    if (real < 0) return 1;
    uint64_t floor = (uint64_t)real, value = integer->uni.u64;
    if (value != floor) return value < floor ? -1 : 1;
    return real > (double)floor ? -1 : 0;
}

int asl_number_cmp(yyjson_mut_val *a, yyjson_mut_val *b)
{
    bool a_real = yyjson_mut_is_real(a), b_real = yyjson_mut_is_real(b);
    if (a_real && b_real) {
        double x = yyjson_mut_get_real(a), y = yyjson_mut_get_real(b);
        return x < y ? -1 : x > y;
    }
    if (b_real) return integer_real_cmp(a, yyjson_mut_get_real(b));
    if (a_real) return -integer_real_cmp(b, yyjson_mut_get_real(a));
    bool a_negative = is_negative(a), b_negative = is_negative(b);
    if (a_negative != b_negative) return a_negative ? -1 : 1;
    if (a_negative) {
        int64_t x = a->uni.i64, y = b->uni.i64;
        return x < y ? -1 : x > y;
    }
    uint64_t x = a->uni.u64, y = b->uni.u64;
    return x < y ? -1 : x > y;
}

static bool equal(yyjson_mut_val *a, yyjson_mut_val *b, unsigned depth);

/* The names often stand in the same order: the search goes on where the last one ended. */
static bool objects_equal(yyjson_mut_val *a, yyjson_mut_val *b, unsigned depth)
{
    size_t n = length(a);
    if (n != length(b)) return false;
    if (n == 0) return true;
    yyjson_mut_val *name = ring_first(a), *at = ring_first(b);
    for (size_t i = 0; i < n; i++, name = name->next->next) {
        size_t tried = 0;
        while (tried < n && !same_text(name, at)) {
            at = at->next->next;
            tried++;
        }
        if (tried == n || !equal(name->next, at->next, depth + 1)) return false;
        at = at->next->next;
    }
    return true;
}

static bool arrays_equal(yyjson_mut_val *a, yyjson_mut_val *b, unsigned depth)
{
    size_t n = length(a);
    if (n != length(b)) return false;
    if (n == 0) return true;
    yyjson_mut_val *x = ring_first(a), *y = ring_first(b);
    for (size_t i = 0; i < n; i++, x = x->next, y = y->next)
        if (!equal(x, y, depth + 1)) return false;
    return true;
}

static bool equal(yyjson_mut_val *a, yyjson_mut_val *b, unsigned depth)
{
    yyjson_type type = yyjson_mut_get_type(a);
    if (type != yyjson_mut_get_type(b) || depth > EQUAL_DEPTH_MAX) return false;
    switch (type) {
    case YYJSON_TYPE_OBJ: return objects_equal(a, b, depth);
    case YYJSON_TYPE_ARR: return arrays_equal(a, b, depth);
    case YYJSON_TYPE_NUM: return asl_number_cmp(a, b) == 0;
    case YYJSON_TYPE_STR: return same_text(a, b);
    default: return yyjson_mut_get_tag(a) == yyjson_mut_get_tag(b);
    }
}
bool asl_value_equal(yyjson_mut_val *a, yyjson_mut_val *b) { return equal(a, b, 0); }

static uint64_t mix(uint64_t a, uint64_t b) { return XXH3_64bits_withSeed(&b, sizeof b, a); }

static uint64_t hash(yyjson_mut_val *value, unsigned depth)
{
    uint64_t sum = yyjson_mut_get_type(value);
    if (yyjson_mut_is_str(value)) return XXH3_64bits_withSeed(value->uni.str, length(value), sum);
    if (yyjson_mut_is_num(value)) {
        double number = yyjson_mut_get_num(value) + 0.0; /* -0 is 0 */
        uint64_t bits;
        memcpy(&bits, &number, sizeof bits);
        return mix(sum, bits);
    }
    if (yyjson_mut_is_bool(value)) return mix(sum, yyjson_mut_get_bool(value));
    if (!is_container(value) || length(value) == 0 || depth > EQUAL_DEPTH_MAX) return sum;
    yyjson_mut_val *each = ring_first(value);
    for (size_t i = 0; i < length(value); i++, each = each->next) {
        if (yyjson_mut_is_arr(value)) {
            sum = mix(sum, hash(each, depth + 1));
        } else { /* in any order */
            uint64_t name = XXH3_64bits(each->uni.str, length(each));
            each = each->next;
            sum += mix(name, hash(each, depth + 1));
        }
    }
    return sum;
}
uint64_t asl_value_hash(yyjson_mut_val *value) { return hash(value, 0); }

/* ---- looking ---- */

struct px_str asl_value_str(yyjson_mut_val *value)
{
    return yyjson_mut_is_str(value) ? px_str(value->uni.str, length(value)) : px_str(NULL, 0);
}

bool asl_value_number(yyjson_mut_val *value, double *ret_number)
{
    if (!yyjson_mut_is_num(value)) return false;
    *ret_number = yyjson_mut_get_num(value);
    return true;
}

static yyjson_mut_val *name_in(yyjson_mut_val *object, struct px_str name)
{
    if (!yyjson_mut_is_obj(object)) return NULL;
    size_t n = length(object);
    if (n == 0) return NULL;
    yyjson_mut_val *each = ring_first(object);
    for (size_t i = 0; i < n; i++, each = each->next->next)
        if (length(each) == name.len &&
            (name.len == 0 ||
             (each->uni.str[0] == name.ptr[0] && memcmp(each->uni.str, name.ptr, name.len) == 0)))
            return each;
    return NULL;
}

yyjson_mut_val *asl_member(yyjson_mut_val *value, struct px_str name)
{
    yyjson_mut_val *found = name_in(value, name);
    return found ? found->next : NULL;
}

int asl_member_set(struct asl_values *values, yyjson_mut_val *object, struct px_str name,
                   yyjson_mut_val *value)
{
    PX_ASSERT(yyjson_mut_is_obj(object));
    yyjson_mut_val *found = name_in(object, name);
    if (found) {
        value->next = found->next->next;
        found->next = value;
        return 0;
    }
    yyjson_mut_val *key = asl_text(values, name);
    if (!key) return px_arena_fault(values->arena);
    return yyjson_mut_obj_add(object, key, value) ? 0 : px_fault(PX_F_BUG, "a member's name");
}

const char *asl_type_name(yyjson_mut_val *value)
{
    if (yyjson_mut_is_arr(value)) return "array";
    if (yyjson_mut_is_obj(value)) return "object";
    if (yyjson_mut_is_str(value)) return "string";
    if (yyjson_mut_is_num(value)) return "number";
    return yyjson_mut_is_bool(value) ? "boolean" : "null";
}
