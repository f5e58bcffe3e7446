/* asl/path_eval.c - what a path finds. Semantics: Jayway's path tokens and evaluators.
 *
 * Every value that is looked at costs one of the walk's visits, so a definition cannot keep the machine; what recurses goes down
 * the data or along the tokens and is bounded by both. */
#include "asl/path_tokens.h"

#include <stdio.h>

#include "asl/text.h"

#define VISITS_MAX 10000000u
#define EVAL_DEPTH_MAX 1000u

static bool step(struct walk *walk, const struct asl_path *path, uint32_t at, yyjson_mut_val *value,
                 struct hits *hits);

static bool walk_failed(const struct walk *walk) { return walk->exhausted || walk->fault; }
static bool visit(struct walk *walk)
{
    if (walk_failed(walk)) return false;
    if (walk->visits_left-- > 0) return true;
    walk->exhausted = true;
    return false;
}

static bool hit_add(struct walk *walk, struct hits *hits, yyjson_mut_val *value)
{
    const size_t each = sizeof(void *);
    if (hits->count == hits->cap) {
        size_t cap = hits->cap ? 2 * hits->cap : 8;
        yyjson_mut_val **list = px_arena_realloc(walk->values->arena, hits->list, hits->cap * each,
                                                 cap * each);
        if (!list) {
            walk->fault = px_arena_fault(walk->values->arena);
            return false;
        }
        hits->list = list;
        hits->cap = cap;
    }
    hits->list[hits->count++] = value;
    return true;
}

yyjson_mut_val *path_list(struct walk *walk, const struct hits *hits)
{
    yyjson_mut_val *list = yyjson_mut_arr(walk->values->doc);
    for (size_t i = 0; list && i < hits->count; i++) {
        yyjson_mut_val *copy = asl_share(walk->values, hits->list[i]);
        if (!copy || !yyjson_mut_arr_append(list, copy)) list = NULL;
    }
    if (!list) walk->fault = px_arena_fault(walk->values->arena);
    return list;
}

/* ---- functions, in filters ---- */

static yyjson_mut_val *aggregate(struct walk *walk, struct px_str name, yyjson_mut_val *list)
{
    double sum = 0, least = 0, most = 0, number;
    size_t count = 0, i, n;
    yyjson_mut_val *each;
    yyjson_mut_arr_foreach(list, i, n, each)
    {
        if (!asl_value_number(each, &number)) continue;
        sum += number;
        least = count == 0 || number < least ? number : least;
        most = count == 0 || number > most ? number : most;
        count++;
    }
    if (count == 0) return NULL;
    double result = px_str_eq(name, S("sum"))   ? sum
                    : px_str_eq(name, S("min")) ? least
                    : px_str_eq(name, S("max")) ? most
                                                : sum / (double)count;
    yyjson_mut_val *value = yyjson_mut_real(walk->values->doc, result);
    if (!value) walk->fault = px_arena_fault(walk->values->arena);
    return value;
}

bool path_function_known(struct px_str name)
{
    static const char *const names[] = {"length", "size", "min", "max", "sum", "avg"};
    for (size_t i = 0; i < PX_COUNT(names); i++)
        if (px_str_eq(name, px_str_c(names[i]))) return true;
    return false;
}

/* Step Functions takes functions in a path and finds nothing by them; in filters they work. */
static yyjson_mut_val *call(struct walk *walk, const struct asl_path *path, struct px_str name,
                            yyjson_mut_val *value)
{
    if (!path->in_filter) return NULL;
    if (px_str_eq(name, S("length")) || px_str_eq(name, S("size"))) {
        if (!yyjson_mut_is_ctn(value)) return NULL;
        yyjson_mut_val *count = yyjson_mut_uint(walk->values->doc, unsafe_yyjson_get_len(value));
        if (!count) walk->fault = px_arena_fault(walk->values->arena);
        return count;
    }
    return yyjson_mut_is_arr(value) ? aggregate(walk, name, value) : NULL;
}

/* ---- single tokens ---- */

static yyjson_mut_val *element(yyjson_mut_val *value, int64_t index)
{
    int64_t n = (int64_t)yyjson_mut_arr_size(value); /* 0 for what is no array */
    if (index < 0) index += n;
    return index >= 0 && index < n ? yyjson_mut_arr_get(value, (size_t)index) : NULL;
}

/* ['a','b'] at the end of a path: an object of what is there of them. */
static yyjson_mut_val *merged(struct walk *walk, const struct token *token, yyjson_mut_val *value)
{
    if (!yyjson_mut_is_obj(value)) return NULL;
    yyjson_mut_val *object = yyjson_mut_obj(walk->values->doc);
    for (uint32_t i = 0; object && i < token->count; i++) {
        yyjson_mut_val *member = asl_member(value, token->of.names[i]);
        if (!member) continue;
        yyjson_mut_val *copy = asl_share(walk->values, member);
        if (!copy || asl_member_set(walk->values, object, token->of.names[i], copy)) object = NULL;
    }
    if (!object) walk->fault = px_arena_fault(walk->values->arena);
    return object;
}

yyjson_mut_val *path_definite(struct walk *walk, const struct asl_path *path, yyjson_mut_val *from,
                              struct asl_path_miss *miss)
{
    yyjson_mut_val *value = from;
    for (uint32_t i = 0; i < path->count; i++) {
        const struct token *token = &path->tokens[i];
        yyjson_mut_val *found;
        switch (token->kind) {
        case TOKEN_MEMBER: found = asl_member(value, token->of.name); break;
        case TOKEN_INDEX: found = element(value, token->of.index); break;
        case TOKEN_MEMBERS: found = merged(walk, token, value); break;
        case TOKEN_FUNCTION: found = call(walk, path, token->of.name, value); break;
        default: PX_ASSERT(false);
        }
        if (!found) {
            *miss = (struct asl_path_miss){i, value};
            return NULL;
        }
        value = found;
    }
    return value;
}

/* ---- walking ---- */

static bool walk_children(struct walk *walk, const struct asl_path *path, uint32_t at,
                          yyjson_mut_val *value, struct hits *hits)
{
    yyjson_mut_obj_iter names;
    yyjson_mut_arr_iter elements;
    yyjson_mut_val *each;
    if (yyjson_mut_obj_iter_init(value, &names)) {
        while ((each = yyjson_mut_obj_iter_next(&names)))
            if (!step(walk, path, at, yyjson_mut_obj_iter_get_val(each), hits)) return false;
    } else if (yyjson_mut_arr_iter_init(value, &elements)) {
        while ((each = yyjson_mut_arr_iter_next(&elements)))
            if (!step(walk, path, at, each, hits)) return false;
    }
    return true;
}

static bool walk_range(struct walk *walk, const struct asl_path *path, uint32_t at,
                       yyjson_mut_val *value, int64_t from, int64_t to, struct hits *hits)
{
    size_t i, n;
    yyjson_mut_val *each;
    yyjson_mut_arr_foreach(value, i, n, each)
    {
        if ((int64_t)i >= to) break;
        if ((int64_t)i >= from && !step(walk, path, at + 1, each, hits)) return false;
    }
    return true;
}

/* Elements from..to (without it), as Jayway counts: with both given, each index between them that is negative is one from the
 * end by itself. */
static bool walk_slice(struct walk *walk, const struct asl_path *path, uint32_t at,
                       yyjson_mut_val *value, struct hits *hits)
{
    struct slice slice = path->tokens[at].of.slice;
    int64_t n = (int64_t)yyjson_mut_arr_size(value), from = slice.from, to = slice.to;
    if (n == 0 || !yyjson_mut_is_arr(value)) return true;
    if (!slice.has_to)
        return walk_range(walk, path, at, value, from < 0 ? n + from : from, n, hits);
    if (!slice.has_from) return walk_range(walk, path, at, value, 0, to < 0 ? n + to : to, hits);
    if (from < 0 && !walk_range(walk, path, at, value, n + from, n + PX_MIN(to, (int64_t)0), hits))
        return false;
    return walk_range(walk, path, at, value, PX_MAX(from, (int64_t)0), to, hits);
}

static bool walk_filter(struct walk *walk, const struct asl_path *path, uint32_t at,
                        yyjson_mut_val *value, struct hits *hits)
{
    const struct filter *filter = path->tokens[at].of.filter;
    if (yyjson_mut_is_obj(value))
        return !filter_accepts(walk, filter, value) || step(walk, path, at + 1, value, hits);
    size_t i, n;
    yyjson_mut_val *each;
    if (yyjson_mut_is_arr(value)) {
        yyjson_mut_arr_foreach(value, i, n, each)
        {
            if (filter_accepts(walk, filter, each) && !step(walk, path, at + 1, each, hits))
                return false;
        }
    }
    return !walk_failed(walk);
}

/* Everything below value, itself included; the token behind the dots is asked of each object and array. A filter is asked of
 * objects only: their array would ask it once more. */
static bool walk_scan(struct walk *walk, const struct asl_path *path, uint32_t at,
                      yyjson_mut_val *value, struct hits *hits)
{
    if (!yyjson_mut_is_ctn(value)) return visit(walk);
    if (walk->depth == EVAL_DEPTH_MAX) walk->exhausted = true;
    if (!visit(walk)) return false;
    bool asks = path->tokens[at + 1].kind != TOKEN_FILTER || yyjson_mut_is_obj(value);
    if (asks && !step(walk, path, at + 1, value, hits)) return false;
    walk->depth++;
    bool goes_on = walk_children(walk, path, at, value, hits);
    walk->depth--;
    return goes_on;
}

static bool walk_names(struct walk *walk, const struct asl_path *path, uint32_t at,
                       yyjson_mut_val *value, struct hits *hits)
{
    const struct token *token = &path->tokens[at];
    if (at + 1 == path->count) {
        yyjson_mut_val *object = merged(walk, token, value);
        return object ? hit_add(walk, hits, object) : !walk_failed(walk);
    }
    for (uint32_t i = 0; i < token->count; i++) {
        yyjson_mut_val *each = asl_member(value, token->of.names[i]);
        if (each && !step(walk, path, at + 1, each, hits)) return false;
    }
    return true;
}

static bool walk_indexes(struct walk *walk, const struct asl_path *path, uint32_t at,
                         yyjson_mut_val *value, struct hits *hits)
{
    const struct token *token = &path->tokens[at];
    for (uint32_t i = 0; i < token->count; i++) {
        yyjson_mut_val *each = element(value, token->of.indexes[i]);
        if (each && !step(walk, path, at + 1, each, hits)) return false;
    }
    return true;
}

/* False: the walk is over. */
static bool step(struct walk *walk, const struct asl_path *path, uint32_t at, yyjson_mut_val *value,
                 struct hits *hits)
{
    yyjson_mut_val *found = NULL;
    if (!visit(walk)) return false;
    if (at == path->count) return hit_add(walk, hits, value);
    const struct token *token = &path->tokens[at];
    switch (token->kind) {
    case TOKEN_MEMBER: found = asl_member(value, token->of.name); break;
    case TOKEN_INDEX: found = element(value, token->of.index); break;
    case TOKEN_FUNCTION: found = call(walk, path, token->of.name, value); break;
    case TOKEN_MEMBERS: return walk_names(walk, path, at, value, hits);
    case TOKEN_INDEXES: return walk_indexes(walk, path, at, value, hits);
    case TOKEN_SLICE: return walk_slice(walk, path, at, value, hits);
    case TOKEN_WILDCARD: return walk_children(walk, path, at + 1, value, hits);
    case TOKEN_SCAN: return walk_scan(walk, path, at, value, hits);
    case TOKEN_FILTER: return walk_filter(walk, path, at, value, hits);
    }
    return found ? step(walk, path, at + 1, found, hits) : !walk_failed(walk);
}

bool path_collect(struct walk *walk, const struct asl_path *path, yyjson_mut_val *from,
                  struct hits *hits)
{
    return step(walk, path, 0, from, hits);
}

int asl_path_eval(const struct asl_path *path, struct asl_values *values, yyjson_mut_val *root,
                  yyjson_mut_val **ret_value, bool *ret_fresh, struct asl_path_miss *ret_miss,
                  struct asl_failure *ret_failure)
{
    struct walk walk = {.values = values, .root = root, .visits_left = VISITS_MAX};
    yyjson_mut_val *value = NULL;
    if (path->definite) {
        value = path_definite(&walk, path, root, ret_miss);
        *ret_fresh = path->count > 0 && path->tokens[path->count - 1].kind == TOKEN_MEMBERS;
    } else {
        struct hits hits = {0};
        if (path_collect(&walk, path, root, &hits)) value = path_list(&walk, &hits);
        *ret_fresh = true;
    }
    if (walk.fault) return walk.fault;
    if (walk.exhausted)
        return asl_fail(values->arena, ret_failure, ASL_E_RUNTIME,
                        "The JSONPath '%.*s' visits more than %u values, or more than %u levels.",
                        PX_FMT(path->text), VISITS_MAX, EVAL_DEPTH_MAX);
    *ret_value = value;
    return 0;
}

/* ---- putting ---- */

/* Objects can be made on the way, arrays cannot. */
static bool only_members_from(const struct asl_path *path, uint32_t at)
{
    for (; at < path->count; at++)
        if (path->tokens[at].kind != TOKEN_MEMBER) return false;
    return true;
}

/* The object or array that holds the last token's place; NULL with `fault` 0: something in the way. */
static yyjson_mut_val *holder_of(const struct asl_path *path, struct asl_values *values,
                                 yyjson_mut_val *root, int *fault)
{
    yyjson_mut_val *value = root;
    for (uint32_t i = 0; value && i + 1 < path->count; i++) {
        const struct token *token = &path->tokens[i];
        yyjson_mut_val *next = token->kind == TOKEN_INDEX ? element(value, token->of.index)
                                                          : asl_member(value, token->of.name);
        if (!next && yyjson_mut_is_obj(value) && only_members_from(path, i)) {
            next = yyjson_mut_obj(values->doc);
            *fault = next ? asl_member_set(values, value, token->of.name, next)
                          : px_arena_fault(values->arena);
            if (*fault) return NULL;
        }
        value = next;
    }
    return value;
}

int asl_path_put(const struct asl_path *path, struct asl_values *values, yyjson_mut_val **root,
                 yyjson_mut_val *value, bool *ret_done)
{
    int fault = 0;
    *ret_done = true;
    if (path->count == 0) {
        *root = value;
        return 0;
    }
    yyjson_mut_val *holder = holder_of(path, values, *root, &fault);
    if (fault) return fault;
    const struct token *last = &path->tokens[path->count - 1];
    if (last->kind == TOKEN_MEMBER && yyjson_mut_is_obj(holder))
        return asl_member_set(values, holder, last->of.name, value);
    int64_t index = last->of.index, n = (int64_t)yyjson_mut_arr_size(holder);
    if (last->kind == TOKEN_INDEX && index < 0) index += n;
    *ret_done = last->kind == TOKEN_INDEX && index >= 0 && index < n &&
                yyjson_mut_arr_replace(holder, (size_t)index, value);
    return 0;
}

/* ---- texts ---- */

bool asl_path_miss_is_past_end(const struct asl_path *path, const struct asl_path_miss *miss)
{
    return miss->token + 1 == path->count && path->tokens[miss->token].kind == TOKEN_INDEX &&
           yyjson_mut_is_arr(miss->value);
}

bool asl_path_miss_is_no_array(const struct asl_path *path, const struct asl_path_miss *miss)
{
    return path->tokens[miss->token].kind == TOKEN_INDEX && !yyjson_mut_is_arr(miss->value) &&
           !yyjson_mut_is_null(miss->value);
}

static struct px_str tokens_text(const struct asl_path *path, size_t count, struct px_arena *arena)
{
    struct asl_text_buf text = {.arena = arena};
    asl_text_add(&text, S("$"));
    for (size_t i = 0; i < count; i++) {
        const struct token *token = &path->tokens[i];
        char index[16];
        if (token->kind == TOKEN_INDEX) {
            (void)snprintf(index, sizeof index, "[%d]", (int)token->of.index);
            asl_text_add(&text, px_str_c(index));
        } else {
            asl_text_add(&text, token->kind == TOKEN_FUNCTION ? S(".") : S("['"));
            asl_text_add(&text, token->kind == TOKEN_MEMBERS ? token->of.names[0] : token->of.name);
            asl_text_add(&text, token->kind == TOKEN_FUNCTION  ? S("()")
                                : token->kind == TOKEN_MEMBERS ? S("',...]")
                                                               : S("']"));
        }
    }
    return text.failed ? px_str(NULL, 0) : asl_text_of(&text);
}

static const char *kind_name(yyjson_mut_val *value)
{
    return yyjson_mut_is_null(value)  ? "null"
           : yyjson_mut_is_str(value) ? "a string"
           : yyjson_mut_is_num(value) ? "a number"
           : yyjson_mut_is_arr(value) ? "an array"
                                      : "a boolean";
}

struct px_str asl_path_miss_text(const struct asl_path *path, const struct asl_path_miss *miss,
                                 struct asl_values *values)
{
    struct px_arena *arena = values->arena;
    const struct token *token = &path->tokens[miss->token];
    bool last = miss->token + 1 == path->count;
    struct px_str here = tokens_text(path, miss->token, arena), text = {0};
    if (!here.ptr) return here;
    if (token->kind == TOKEN_INDEX && yyjson_mut_is_null(miss->value))
        return px_arena_printf(arena, "The path %.*s is null", PX_FMT(here));
    if (asl_path_miss_is_no_array(path, miss)) {
        int r = asl_value_write(values, miss->value, &text);
        if (r < 0) return px_str(NULL, 0);
        return px_arena_printf(
            arena, "Filter: [%d] can only be applied to arrays. Current context is: %.*s",
            (int)token->of.index, PX_FMT(text));
    }
    if (token->kind != TOKEN_INDEX && token->kind != TOKEN_FUNCTION &&
        !yyjson_mut_is_obj(miss->value)) {
        struct px_str name = token->kind == TOKEN_MEMBER ? token->of.name : token->of.names[0];
        return px_arena_printf(
            arena, "Expected to find an object with property ['%.*s'] in path %.*s but found %s",
            PX_FMT(name), PX_FMT(here), kind_name(miss->value));
    }
    bool missing = token->kind == TOKEN_MEMBER && !last;
    here = tokens_text(path, missing ? miss->token + 1 : path->count, arena);
    if (!here.ptr) return here;
    return px_arena_printf(
        arena, "%s%.*s",
        missing ? "Missing property in path " : "No results for path: ", PX_FMT(here));
}

/* ---- filters ---- */

/* NULL: undefined, which is equal to nothing. */
static yyjson_mut_val *operand_value(struct walk *walk, const struct operand *operand,
                                     yyjson_mut_val *item)
{
    const struct asl_path *path = operand->path;
    if (!path) return operand->value;
    yyjson_mut_val *from = path->item ? item : walk->root;
    struct asl_path_miss miss;
    struct hits hits = {0};
    if (path->definite) return path_definite(walk, path, from, &miss);
    return path_collect(walk, path, from, &hits) ? path_list(walk, &hits) : NULL;
}

/* A number as a string's digits would be compared with it. */
static bool text_is_number(yyjson_mut_val *text, yyjson_mut_val *number)
{
    yyjson_mut_val read = {0};
    struct px_str view = asl_value_str(text);
    char digits[64];
    if (view.len == 0 || view.len >= sizeof digits) return false;
    memcpy(digits, view.ptr, view.len);
    digits[view.len] = '\0';
    const char *end = yyjson_mut_read_number(digits, &read, YYJSON_READ_NOFLAG, NULL, NULL);
    return end == digits + view.len && asl_number_cmp(&read, number) == 0;
}

static bool loosely_equal(yyjson_mut_val *a, yyjson_mut_val *b)
{
    if (yyjson_mut_is_str(a) && yyjson_mut_is_num(b)) return text_is_number(a, b);
    if (yyjson_mut_is_num(a) && yyjson_mut_is_str(b)) return text_is_number(b, a);
    return asl_value_equal(a, b);
}

/* False in ret_comparable: neither numbers nor strings. */
static int order(yyjson_mut_val *a, yyjson_mut_val *b, bool *ret_comparable)
{
    *ret_comparable = true;
    if (yyjson_mut_is_num(a) && yyjson_mut_is_num(b)) return asl_number_cmp(a, b);
    if (yyjson_mut_is_str(a) && yyjson_mut_is_str(b))
        return px_str_cmp(asl_value_str(a), asl_value_str(b));
    *ret_comparable = false;
    return 0;
}

static bool ordered(enum filter_op op, yyjson_mut_val *a, yyjson_mut_val *b)
{
    bool comparable;
    int cmp = order(a, b, &comparable);
    if (!comparable) return false;
    return op == OP_LT ? cmp < 0 : op == OP_LE ? cmp <= 0 : op == OP_GT ? cmp > 0 : cmp >= 0;
}

static bool list_has(struct walk *walk, yyjson_mut_val *list, yyjson_mut_val *value)
{
    size_t i, n;
    yyjson_mut_val *each;
    yyjson_mut_arr_foreach(list, i, n, each)
    {
        if (!visit(walk)) return false;
        if (loosely_equal(each, value)) return true;
    }
    return false;
}
/* How many of `these` are in the list. */
static size_t list_count(struct walk *walk, yyjson_mut_val *list, yyjson_mut_val *these)
{
    size_t i, n, count = 0;
    yyjson_mut_val *each;
    yyjson_mut_arr_foreach(these, i, n, each) count += list_has(walk, list, each);
    return count;
}

static bool contains(struct walk *walk, yyjson_mut_val *a, yyjson_mut_val *b)
{
    if (yyjson_mut_is_arr(a)) return list_has(walk, a, b);
    struct px_str text = asl_value_str(a), part = asl_value_str(b);
    if (!text.ptr || !part.ptr) return false;
    return part.len == 0 || memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
}

static bool has_size(yyjson_mut_val *a, yyjson_mut_val *b)
{
    double size;
    if (!asl_value_number(b, &size)) return false;
    if (!yyjson_mut_is_str(a) && !yyjson_mut_is_arr(a)) return false;
    return (double)unsafe_yyjson_get_len(a) == size;
}

static bool is_empty(yyjson_mut_val *a, yyjson_mut_val *b)
{
    if (!yyjson_mut_is_bool(b) || (!yyjson_mut_is_str(a) && !yyjson_mut_is_ctn(a))) return false;
    return (unsafe_yyjson_get_len(a) == 0) == yyjson_mut_get_bool(b);
}

/* Both are there. */
static bool compare_lists(struct walk *walk, enum filter_op op, yyjson_mut_val *a,
                          yyjson_mut_val *b)
{
    if (op == OP_IN) return list_has(walk, b, a);
    if (op == OP_NIN) return !list_has(walk, b, a);
    if (!yyjson_mut_is_arr(a) || !yyjson_mut_is_arr(b)) return false;
    if (op == OP_ALL) return list_count(walk, a, b) == yyjson_mut_arr_size(b);
    size_t shared = list_count(walk, b, a);
    if (op == OP_SUBSETOF) return shared == yyjson_mut_arr_size(a);
    return op == OP_ANYOF ? shared > 0 : shared == 0;
}

static bool compare(struct walk *walk, const struct filter *filter, yyjson_mut_val *a,
                    yyjson_mut_val *b)
{
    enum filter_op op = filter->op;
    if (!a || !b) return op == OP_NE || op == OP_NOT_SAME || (op == OP_NIN && b);
    switch (op) {
    case OP_EQ: return loosely_equal(a, b);
    case OP_NE: return !loosely_equal(a, b);
    case OP_SAME: return asl_value_equal(a, b);
    case OP_NOT_SAME: return !asl_value_equal(a, b);
    case OP_LT:
    case OP_LE:
    case OP_GT:
    case OP_GE: return ordered(op, a, b);
    case OP_MATCHES: return false; /* has a pattern, not a value */
    case OP_CONTAINS: return contains(walk, a, b);
    case OP_SIZE: return has_size(a, b);
    case OP_EMPTY: return is_empty(a, b);
    default: return compare_lists(walk, op, a, b);
    }
}

/* What a pattern is asked of: texts, numbers and booleans as they are written, of all else the empty text. */
static bool text_matches(struct walk *walk, const struct pattern *pattern, yyjson_mut_val *value)
{
    struct px_str text = asl_value_str(value);
    if (!text.ptr && (yyjson_mut_is_num(value) || yyjson_mut_is_bool(value))) {
        int r = asl_value_write(walk->values, value, &text);
        if (r < 0) walk->fault = r;
        if (r) return false;
    }
    return pattern_is(walk, pattern, text);
}

/* Of a list some element. */
static bool matches(struct walk *walk, const struct pattern *pattern, yyjson_mut_val *value)
{
    yyjson_mut_arr_iter elements;
    yyjson_mut_val *each;
    if (!yyjson_mut_is_arr(value)) return text_matches(walk, pattern, value);
    (void)yyjson_mut_arr_iter_init(value, &elements);
    while (!walk_failed(walk) && (each = yyjson_mut_arr_iter_next(&elements)))
        if (text_matches(walk, pattern, each)) return true;
    return false;
}

bool filter_accepts(struct walk *walk, const struct filter *filter, yyjson_mut_val *item)
{
    if (!visit(walk)) return false;
    for (; filter->kind == FILTER_OR && filter->right; filter = filter->right)
        if (filter_accepts(walk, filter->left, item)) return true;
    for (; filter->kind == FILTER_AND && filter->right; filter = filter->right)
        if (!filter_accepts(walk, filter->left, item)) return false;
    switch (filter->kind) {
    case FILTER_OR:
    case FILTER_AND: return filter_accepts(walk, filter->left, item);
    case FILTER_NOT: return !filter_accepts(walk, filter->left, item);
    case FILTER_EXISTS: return operand_value(walk, &filter->a, item) != NULL;
    case FILTER_ABSENT: return operand_value(walk, &filter->a, item) == NULL && !walk_failed(walk);
    case FILTER_COMPARE: break;
    }
    yyjson_mut_val *a = operand_value(walk, &filter->a, item);
    if (filter->pattern) return !walk_failed(walk) && matches(walk, filter->pattern, a);
    yyjson_mut_val *b = walk_failed(walk) ? NULL : operand_value(walk, &filter->b, item);
    return !walk_failed(walk) && compare(walk, filter, a, b);
}
