/* asl/choice.c - rules as trees. Developer guide, "Choice workflow state"; a value of another type than the operator's is no error
 * but no match. */
#include "asl/choice.h"

#include <stdio.h>

#include "asl/timestamp.h"

enum rule_kind { RULE_AND, RULE_OR, RULE_NOT, RULE_COMPARE, RULE_IS, RULE_MATCHES };
enum rule_type { TYPE_STRING, TYPE_NUMERIC, TYPE_BOOLEAN, TYPE_TIMESTAMP, TYPE_NULL, TYPE_PRESENT };
enum rule_order { ORDER_EQ, ORDER_LT, ORDER_LE, ORDER_GT, ORDER_GE };

struct comparison {
    const char *name;
    enum rule_kind kind;
    enum rule_type type;
    enum rule_order order;
    bool path; /* the other value is one of the input */
};

#define ORDERED(name, type)                                                                        \
    {name "LessThan", RULE_COMPARE, type, ORDER_LT, false},                                        \
        {name "LessThanPath", RULE_COMPARE, type, ORDER_LT, true},                                 \
        {name "LessThanEquals", RULE_COMPARE, type, ORDER_LE, false},                              \
        {name "LessThanEqualsPath", RULE_COMPARE, type, ORDER_LE, true},                           \
        {name "GreaterThan", RULE_COMPARE, type, ORDER_GT, false},                                 \
        {name "GreaterThanPath", RULE_COMPARE, type, ORDER_GT, true},                              \
        {name "GreaterThanEquals", RULE_COMPARE, type, ORDER_GE, false},                           \
    {                                                                                              \
        name "GreaterThanEqualsPath", RULE_COMPARE, type, ORDER_GE, true                           \
    }
#define EQUALS(name, type)                                                                         \
    {name "Equals", RULE_COMPARE, type, ORDER_EQ, false},                                          \
    {                                                                                              \
        name "EqualsPath", RULE_COMPARE, type, ORDER_EQ, true                                      \
    }
#define IS(name, type)                                                                             \
    {                                                                                              \
        "Is" name, RULE_IS, type, ORDER_EQ, false                                                  \
    }

static const struct comparison operators[] = {
    EQUALS("String", TYPE_STRING),
    ORDERED("String", TYPE_STRING),
    {"StringMatches", RULE_MATCHES, TYPE_STRING, ORDER_EQ, false},
    EQUALS("Numeric", TYPE_NUMERIC),
    ORDERED("Numeric", TYPE_NUMERIC),
    EQUALS("Boolean", TYPE_BOOLEAN),
    EQUALS("Timestamp", TYPE_TIMESTAMP),
    ORDERED("Timestamp", TYPE_TIMESTAMP),
    IS("String", TYPE_STRING),
    IS("Numeric", TYPE_NUMERIC),
    IS("Boolean", TYPE_BOOLEAN),
    IS("Timestamp", TYPE_TIMESTAMP),
    IS("Null", TYPE_NULL),
    IS("Present", TYPE_PRESENT),
};

/* StringMatches: texts with a star between each two. */
struct pattern {
    const struct px_str *texts;
    size_t count;
};
struct asl_rule {
    enum rule_kind kind;
    const struct comparison *comparison;
    const struct asl_expr *variable, *other_path;
    yyjson_mut_val *other;
    struct asl_timestamp timestamp; /* of other */
    struct pattern pattern;
    const struct asl_rule **rules; /* AND, OR, NOT */
    size_t rule_count;
};

/* ---- compiling ---- */

struct compiler {
    struct px_arena *arena;
    const struct asl_template_error *error;
    bool wrong;
};

static int tell(struct compiler *compiler, struct px_str place, const char *member,
                const char *expected)
{
    struct px_str whole = px_arena_printf(compiler->arena, "%.*s%s%s", PX_FMT(place),
                                          member ? "/" : "", member ? member : "");
    if (!whole.ptr) return px_arena_fault(compiler->arena);
    compiler->wrong = true;
    compiler->error->told(compiler->error->ctx, whole, px_str_c(expected));
    return 0;
}

static int compile_path(struct compiler *compiler, struct px_str place, const char *member,
                        yyjson_val *written, const struct asl_expr **ret_expr)
{
    struct px_where where;
    if (!yyjson_is_str(written))
        return tell(compiler, place, member, "Expected value of type [STRING]");
    int r = asl_expr_path(px_json_val_str(written), compiler->arena, ret_expr, &where);
    if (r == ASL_INVALID || (r == 0 && asl_expr_is_intrinsic(*ret_expr)))
        return tell(compiler, place, member, "Value is not a Reference Path");
    return r;
}

/* "\*" is a star, "\\" a backslash; another backslash stands for itself. */
static int compile_pattern(struct compiler *compiler, struct px_str text, struct pattern *pattern)
{
    size_t stars = 0, n = 0, count = 0;
    for (size_t i = 0; i < text.len; i++) stars += text.ptr[i] == '*';
    struct px_str *texts = px_arena_array(compiler->arena, struct px_str, stars + 1);
    char *bytes = px_arena_alloc(compiler->arena, text.len + 1);
    if (!texts || !bytes) return px_arena_fault(compiler->arena);
    texts[0] = px_str(bytes, 0);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '*') {
            texts[++count] = px_str(bytes + n, 0);
            continue;
        }
        bool escapes = text.ptr[i] == '\\' && i + 1 < text.len &&
                       (text.ptr[i + 1] == '*' || text.ptr[i + 1] == '\\');
        if (escapes) i++;
        bytes[n++] = text.ptr[i];
        texts[count].len++;
    }
    *pattern = (struct pattern){texts, count + 1};
    return 0;
}

/* The value that a definition gives to compare with. */
static int compile_other(struct compiler *compiler, struct px_str place, yyjson_val *written,
                         struct asl_rule *rule)
{
    const struct comparison *comparison = rule->comparison;
    enum rule_type type = comparison->kind == RULE_IS ? TYPE_BOOLEAN : comparison->type;
    struct asl_values values = {.arena = compiler->arena};
    if (type == TYPE_NUMERIC && !yyjson_is_num(written))
        return tell(compiler, place, comparison->name, "Expected value of type [NUMBER]");
    if (type == TYPE_BOOLEAN && !yyjson_is_bool(written))
        return tell(compiler, place, comparison->name, "Expected value of type [BOOLEAN]");
    if ((type == TYPE_STRING || type == TYPE_TIMESTAMP) && !yyjson_is_str(written))
        return tell(compiler, place, comparison->name, "Expected value of type [STRING]");
    struct px_str text = px_json_val_str(written);
    if (type == TYPE_TIMESTAMP && !asl_timestamp_read(text, &rule->timestamp))
        return tell(compiler, place, comparison->name, "String does not match RFC3339 timestamp");
    if (comparison->kind == RULE_MATCHES) PX_TRY(compile_pattern(compiler, text, &rule->pattern));
    rule->other = asl_copy_fixed(&values, written);
    return rule->other ? 0 : px_arena_fault(compiler->arena);
}

static const struct comparison *comparison_named(struct px_str name)
{
    for (size_t i = 0; i < PX_COUNT(operators); i++)
        if (px_str_eq(name, px_str_c(operators[i].name))) return &operators[i];
    return NULL;
}

static int compile_comparison(struct compiler *compiler, struct px_str place, yyjson_val *written,
                              struct asl_rule *rule)
{
    yyjson_val *key, *value, *variable = yyjson_obj_get(written, "Variable"), *other = NULL;
    size_t i, n, found = 0;
    yyjson_obj_foreach(written, i, n, key, value)
    {
        const struct comparison *comparison = comparison_named(px_json_val_str(key));
        if (!comparison) continue;
        rule->comparison = comparison;
        other = value;
        found++;
    }
    if (found != 1)
        return tell(compiler, place, NULL,
                    "A choice rule must have exactly one comparison operator");
    if (!variable)
        return tell(compiler, place, NULL, "The field 'Variable' is required but was missing");
    rule->kind = rule->comparison->kind;
    PX_TRY(compile_path(compiler, place, "Variable", variable, &rule->variable));
    if (rule->comparison->path)
        return compile_path(compiler, place, rule->comparison->name, other, &rule->other_path);
    return compile_other(compiler, place, other, rule);
}

static int compile_rule(struct compiler *compiler, struct px_str place, yyjson_val *written,
                        const struct asl_rule **ret_rule);

static int compile_all(struct compiler *compiler, struct px_str place, const char *name,
                       yyjson_val *written, struct asl_rule *rule)
{
    if (!yyjson_is_arr(written) || yyjson_arr_size(written) == 0)
        return tell(compiler, place, name, "Expected a non-empty array");
    rule->rule_count = yyjson_arr_size(written);
    rule->rules = px_arena_array(compiler->arena, const struct asl_rule *, rule->rule_count);
    if (!rule->rules) return px_arena_fault(compiler->arena);
    size_t i, n;
    yyjson_val *each;
    yyjson_arr_foreach(written, i, n, each)
    {
        struct px_str inside = px_arena_printf(compiler->arena, "%.*s/%s/%zu", PX_FMT(place), name,
                                               i);
        if (!inside.ptr) return px_arena_fault(compiler->arena);
        PX_TRY(compile_rule(compiler, inside, each, &rule->rules[i]));
    }
    return 0;
}

static int compile_not(struct compiler *compiler, struct px_str place, yyjson_val *written,
                       struct asl_rule *rule)
{
    rule->kind = RULE_NOT;
    rule->rule_count = 1;
    rule->rules = px_arena_array(compiler->arena, const struct asl_rule *, 1);
    struct px_str inside = px_arena_printf(compiler->arena, "%.*s/Not", PX_FMT(place));
    if (!rule->rules || !inside.ptr) return px_arena_fault(compiler->arena);
    return compile_rule(compiler, inside, written, &rule->rules[0]);
}

/* Recursion is bounded by PX_JSON_DEPTH_MAX, which the definition was parsed with. */
static int compile_rule(struct compiler *compiler, struct px_str place, yyjson_val *written,
                        const struct asl_rule **ret_rule)
{
    struct asl_rule *rule = px_arena_new(compiler->arena, struct asl_rule);
    if (!rule) return px_arena_fault(compiler->arena);
    *ret_rule = rule;
    if (!yyjson_is_obj(written))
        return tell(compiler, place, NULL, "Expected value of type [OBJECT]");
    yyjson_val *all = yyjson_obj_get(written, "And"), *any = yyjson_obj_get(written, "Or"),
               *not = yyjson_obj_get(written, "Not");
    if ((all != NULL) + (any != NULL) + (not != NULL) > 1)
        return tell(compiler, place, NULL, "Only one of the fields And, Or and Not may be there");
    if (not ) return compile_not(compiler, place, not, rule);
    rule->kind = all ? RULE_AND : RULE_OR;
    if (all || any) return compile_all(compiler, place, all ? "And" : "Or", all ? all : any, rule);
    return compile_comparison(compiler, place, written, rule);
}

int asl_rule_compile(yyjson_val *written, struct px_arena *arena,
                     const struct asl_template_error *error, const struct asl_rule **ret_rule)
{
    struct compiler compiler = {arena, error, false};
    const struct asl_rule *rule = NULL;
    PX_TRY(compile_rule(&compiler, S(""), written, &rule));
    if (compiler.wrong) return ASL_INVALID;
    *ret_rule = rule;
    return 0;
}

/* ---- matching ---- */

/* Java's order of strings, by UTF-16 units: what is beyond U+FFFF comes before U+E000. */
static int text_cmp(struct px_str a, struct px_str b)
{
    size_t i = 0, n = PX_MIN(a.len, b.len);
    while (i < n && a.ptr[i] == b.ptr[i]) i++;
    if (i == n) return a.len < b.len ? -1 : a.len > b.len;
    unsigned char x = (unsigned char)a.ptr[i], y = (unsigned char)b.ptr[i];
    bool swapped = (x >= 0xF0) != (y >= 0xF0) && x >= 0xEE && y >= 0xEE;
    return (x < y) != swapped ? -1 : 1;
}

static bool pattern_matches(const struct pattern *pattern, struct px_str text)
{
    struct px_str first = pattern->texts[0], last = pattern->texts[pattern->count - 1];
    if (pattern->count == 1) return px_str_eq(first, text);
    if (text.len < first.len + last.len || !px_str_starts(text, first) || !px_str_ends(text, last))
        return false;
    struct px_str rest = px_str(text.ptr + first.len, text.len - first.len - last.len);
    for (size_t i = 1; i + 1 < pattern->count; i++) {
        struct px_str part = pattern->texts[i];
        if (part.len == 0) continue;
        const char *found = rest.len ? memmem(rest.ptr, rest.len, part.ptr, part.len) : NULL;
        if (!found) return false;
        rest = px_str_skip(rest, (size_t)(found - rest.ptr) + part.len);
    }
    return true;
}

static bool timestamp_of(yyjson_mut_val *value, struct asl_timestamp *ret_timestamp)
{
    struct px_str text = asl_value_str(value);
    return text.ptr && asl_timestamp_read(text, ret_timestamp);
}

static bool is_type(yyjson_mut_val *value, enum rule_type type)
{
    struct asl_timestamp timestamp;
    switch (type) {
    case TYPE_STRING: return yyjson_mut_is_str(value);
    case TYPE_NUMERIC: return yyjson_mut_is_num(value);
    case TYPE_BOOLEAN: return yyjson_mut_is_bool(value);
    case TYPE_NULL: return yyjson_mut_is_null(value);
    case TYPE_TIMESTAMP: return timestamp_of(value, &timestamp);
    case TYPE_PRESENT: break;
    }
    return value != NULL;
}

static bool order_holds(enum rule_order order, int cmp)
{
    switch (order) {
    case ORDER_EQ: return cmp == 0;
    case ORDER_LT: return cmp < 0;
    case ORDER_LE: return cmp <= 0;
    case ORDER_GT: return cmp > 0;
    case ORDER_GE: break;
    }
    return cmp >= 0;
}

static int timestamp_cmp(struct asl_timestamp a, struct asl_timestamp b)
{
    if (a.s != b.s) return a.s < b.s ? -1 : 1;
    return a.ns < b.ns ? -1 : a.ns > b.ns;
}

static bool compare(const struct asl_rule *rule, yyjson_mut_val *value, yyjson_mut_val *other)
{
    enum rule_type type = rule->comparison->type;
    enum rule_order order = rule->comparison->order;
    struct asl_timestamp a, b = rule->timestamp;
    switch (type) {
    case TYPE_NUMERIC:
        return yyjson_mut_is_num(value) && yyjson_mut_is_num(other) &&
               order_holds(order, asl_number_cmp(value, other));
    case TYPE_STRING:
        return yyjson_mut_is_str(value) && yyjson_mut_is_str(other) &&
               order_holds(order, text_cmp(asl_value_str(value), asl_value_str(other)));
    case TYPE_TIMESTAMP:
        return timestamp_of(value, &a) && (!rule->other_path || timestamp_of(other, &b)) &&
               order_holds(order, timestamp_cmp(a, b));
    default:
        return yyjson_mut_is_bool(value) && yyjson_mut_is_bool(other) &&
               yyjson_mut_get_bool(value) == yyjson_mut_get_bool(other);
    }
}

static int path_missed(const struct asl_expr *expr, const struct asl_scope *scope,
                       struct asl_failure *ret_failure)
{
    return asl_fail(scope->values->arena, ret_failure, ASL_E_RUNTIME,
                    "Invalid path '%.*s': The choice state's condition path references an invalid "
                    "value.",
                    PX_FMT(asl_expr_source(expr)));
}

static int comparison_matches(const struct asl_rule *rule, const struct asl_scope *scope,
                              bool *ret_matches, struct asl_failure *ret_failure)
{
    yyjson_mut_val *value = NULL, *other = rule->other;
    int r = asl_expr_find(rule->variable, scope, &value, ret_failure);
    if (r) return r;
    if (rule->kind == RULE_IS && (value || rule->comparison->type == TYPE_PRESENT)) {
        *ret_matches = is_type(value, rule->comparison->type) == yyjson_mut_get_bool(other);
        return 0;
    }
    if (!value) return path_missed(rule->variable, scope, ret_failure);
    if (rule->kind == RULE_MATCHES) {
        struct px_str text = asl_value_str(value);
        *ret_matches = text.ptr && pattern_matches(&rule->pattern, text);
        return 0;
    }
    if (rule->other_path) {
        r = asl_expr_find(rule->other_path, scope, &other, ret_failure);
        if (r) return r;
        if (!other) return path_missed(rule->other_path, scope, ret_failure);
    }
    *ret_matches = compare(rule, value, other);
    return 0;
}

int asl_rule_matches(const struct asl_rule *rule, const struct asl_scope *scope, bool *ret_matches,
                     struct asl_failure *ret_failure)
{
    if (rule->kind != RULE_AND && rule->kind != RULE_OR && rule->kind != RULE_NOT)
        return comparison_matches(rule, scope, ret_matches, ret_failure);
    bool matches = rule->kind == RULE_AND;
    for (size_t i = 0; i < rule->rule_count; i++) {
        int r = asl_rule_matches(rule->rules[i], scope, &matches, ret_failure);
        if (r) return r;
        if (matches == (rule->kind == RULE_OR)) break;
    }
    *ret_matches = rule->kind == RULE_NOT ? !matches : matches;
    return 0;
}
