/* region/dynamo_expression.c - a recursive descent over tokens that evaluates as it reads; docs: dynamo_expression.h.
 *
 * Both sides of AND and OR are read always, so that a mistake is found whatever the item holds. */
#include "region/dynamo_expression.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define NESTING_MAX 20
#define EXPRESSION_BYTES_MAX 4096 /* DynamoDB's limit */

enum token { TOKEN_END, TOKEN_WORD, TOKEN_ALIAS, TOKEN_VALUE, TOKEN_MARK, TOKEN_WRONG };

struct reader {
    const char *what; /* "UpdateExpression" */
    struct px_str text;
    size_t at; /* behind the current token */
    enum token token;
    struct px_str here; /* the current token */
    struct dynamo_words *words;
    yyjson_mut_doc *doc;
    yyjson_mut_val *item; /* as it was before */
    struct px_arena *arena;
    struct px_str *why;
    int depth;
};

static int refuse(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int refuse(struct reader *r, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    *r->why = px_arena_printf(r->arena, "Invalid %s: %s", r->what, text);
    return r->why->ptr ? DYNAMO_INVALID : px_arena_fault(r->arena);
}

static int syntax(struct reader *r)
{
    size_t begin = r->here.ptr ? (size_t)(r->here.ptr - r->text.ptr) : r->text.len;
    struct px_str near = px_str_skip(r->text, begin > 8 ? begin - 8 : 0);
    near.len = PX_MIN(near.len, (size_t)24);
    return refuse(r, "Syntax error; token: \"%.*s\", near: \"%.*s\"",
                  r->token == TOKEN_END ? 5 : (int)r->here.len,
                  r->token == TOKEN_END ? "<EOF>" : r->here.ptr, PX_FMT(near));
}

/* ---- tokens ---- */

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static void next(struct reader *r)
{
    const char *t = r->text.ptr;
    size_t n = r->text.len;
    while (r->at < n &&
           (t[r->at] == ' ' || t[r->at] == '\t' || t[r->at] == '\n' || t[r->at] == '\r'))
        r->at++;
    size_t begin = r->at;
    if (begin == n) {
        r->token = TOKEN_END;
        r->here = px_str(t + n, 0);
        return;
    }
    char c = t[r->at++];
    bool sign = c == '#' || c == ':';
    if (sign || is_name_char(c)) {
        while (r->at < n && is_name_char(t[r->at])) r->at++;
        bool digit = c >= '0' && c <= '9';
        r->token = c == '#' ? TOKEN_ALIAS : c == ':' ? TOKEN_VALUE : TOKEN_WORD;
        if (digit || (sign && r->at == begin + 1)) r->token = TOKEN_WRONG;
    } else {
        r->token = c && strchr("=<>(),+-", c) ? TOKEN_MARK : TOKEN_WRONG;
        if (r->at < n &&
            ((c == '<' && (t[r->at] == '>' || t[r->at] == '=')) || (c == '>' && t[r->at] == '=')))
            r->at++;
    }
    r->here = px_str(t + begin, r->at - begin);
}

static bool is_word(const struct reader *r, const char *word)
{
    return r->token == TOKEN_WORD && px_str_ieq(r->here, px_str_c(word));
}

static bool is_mark(const struct reader *r, const char *mark)
{
    return r->token == TOKEN_MARK && px_str_eq(r->here, px_str_c(mark));
}

static int expect(struct reader *r, const char *mark)
{
    if (!is_mark(r, mark)) return syntax(r);
    next(r);
    return 0;
}

/* ---- operands ---- */

static int lookup(struct reader *r, yyjson_val *words, uint64_t *used, const char *list,
                  yyjson_val **ret_val)
{
    size_t i, n;
    yyjson_val *key, *val;
    px_json_obj_foreach(words, i, n, key, val)
    {
        if (!px_str_eq(px_json_val_str(key), r->here) || i >= 64) continue;
        *used |= UINT64_C(1) << i;
        *ret_val = val;
        return 0;
    }
    return refuse(r, "An %s used in expression is not defined; %s: %.*s", list,
                  r->token == TOKEN_ALIAS ? "attribute name" : "attribute value", PX_FMT(r->here));
}

/* Words with a meaning of their own are no names here; in DynamoDB they are reserved as well. */
static bool is_keyword(const struct reader *r)
{
    static const char *const words[] = {"AND", "OR",  "NOT",    "BETWEEN",
                                        "IN",  "SET", "REMOVE", "ADD"};
    for (size_t i = 0; i < PX_COUNT(words); i++)
        if (is_word(r, words[i])) return true;
    return false;
}

static int read_name(struct reader *r, struct px_str *ret_name)
{
    yyjson_val *val = NULL;
    *ret_name = r->here;
    if (r->token == TOKEN_ALIAS) {
        int s = lookup(r, r->words->names, &r->words->names_used, "expression attribute name",
                       &val);
        if (s != 0) return s;
        *ret_name = px_json_val_str(val);
        if (!ret_name->len) return refuse(r, "%.*s stands for no name", PX_FMT(r->here));
    } else if (r->token != TOKEN_WORD || is_keyword(r)) {
        return syntax(r);
    }
    next(r);
    return 0;
}

static yyjson_mut_val *attribute(const struct reader *r, struct px_str name)
{
    return yyjson_mut_obj_getn(r->item, name.ptr, name.len);
}

/* ret_value NULL: the attribute is not there. */
static int read_operand(struct reader *r, yyjson_mut_val **ret_value)
{
    struct px_str name;
    yyjson_val *val = NULL;
    if (r->token != TOKEN_VALUE) {
        int s = read_name(r, &name);
        if (s == 0) *ret_value = attribute(r, name);
        return s;
    }
    int s = lookup(r, r->words->values, &r->words->values_used, "expression attribute value", &val);
    if (s != 0) return s;
    if (!dynamo_value_ok(val)) return refuse(r, "%.*s is no attribute value", PX_FMT(r->here));
    *ret_value = yyjson_val_mut_copy(r->doc, val);
    if (!*ret_value) return px_fault(PX_F_OOM, "an expression's value");
    next(r);
    return 0;
}

/* ---- values ---- */

static const char *const types[] = {"S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"};

bool dynamo_value_ok(yyjson_val *value)
{
    if (!yyjson_is_obj(value) || yyjson_obj_size(value) != 1) return false;
    yyjson_obj_iter iter = yyjson_obj_iter_with(value);
    yyjson_val *key = yyjson_obj_iter_next(&iter), *val = yyjson_obj_iter_get_val(key);
    struct px_str type = px_json_val_str(key);
    for (size_t i = 0; i < PX_COUNT(types); i++) {
        if (!px_str_eq(type, px_str_c(types[i]))) continue;
        if (i <= 2) return yyjson_is_str(val);
        if (i <= 4) return yyjson_is_bool(val);
        return i == 6 ? yyjson_is_obj(val) : yyjson_is_arr(val);
    }
    return false;
}

static struct px_str member(yyjson_mut_val *value, const char *type)
{
    yyjson_mut_val *val = yyjson_mut_obj_get(value, type);
    const char *text = yyjson_mut_get_str(val);
    return px_str(text, text ? yyjson_mut_get_len(val) : 0);
}

struct number {
    bool whole;
    int64_t i;
    double d;
};
static bool to_number(struct px_str text, struct number *ret_number)
{
    char buf[64], *rest;
    struct number n = {0};
    if (text.len == 0 || text.len >= sizeof buf) return false;
    memcpy(buf, text.ptr, text.len);
    buf[text.len] = '\0';
    for (size_t i = 0; i < text.len; i++)
        if (!strchr("0123456789+-.eE", buf[i])) return false; /* no nan, inf or hexadecimal */
    n.whole = px_str_to_i64(text, &n.i);
    n.d = strtod(buf, &rest);
    if (*rest) return false;
    *ret_number = n;
    return true;
}

/* <0, 0, >0 in *ret_order; false when the two cannot be compared. */
static bool order(yyjson_mut_val *a, yyjson_mut_val *b, int *ret_order)
{
    struct px_str x = member(a, "S"), y = member(b, "S");
    struct number m, n;
    if (x.ptr && y.ptr) {
        *ret_order = px_str_cmp(x, y);
        return true;
    }
    if (!to_number(member(a, "N"), &m) || !to_number(member(b, "N"), &n)) return false;
    *ret_order = m.whole && n.whole ? (m.i > n.i) - (m.i < n.i) : (m.d > n.d) - (m.d < n.d);
    return true;
}

static bool equal(yyjson_mut_val *a, yyjson_mut_val *b)
{
    int o;
    if (!a || !b) return false;
    return order(a, b, &o) ? o == 0 : yyjson_mut_equals(a, b);
}

static int add_numbers(struct reader *r, yyjson_mut_val *a, yyjson_mut_val *b, bool minus,
                       yyjson_mut_val **ret_sum)
{
    struct number m, n;
    struct px_str text;
    int64_t sum;
    if (!a || !b)
        return refuse(r,
                      "The provided expression refers to an attribute that does not exist in the "
                      "item");
    if (!to_number(member(a, "N"), &m) || !to_number(member(b, "N"), &n))
        return refuse(r, "Incorrect operand type for operator or function; operator: %c",
                      minus ? '-' : '+');
    if (m.whole && n.whole &&
        !(minus ? __builtin_sub_overflow(m.i, n.i, &sum) : __builtin_add_overflow(m.i, n.i, &sum)))
        text = px_arena_printf(r->arena, "%lld", (long long)sum);
    else
        text = px_arena_printf(r->arena, "%.17g", minus ? m.d - n.d : m.d + n.d);
    yyjson_mut_val *value = text.ptr ? yyjson_mut_obj(r->doc) : NULL;
    if (!value || !yyjson_mut_obj_add_strn(r->doc, value, "N", text.ptr, text.len))
        return px_fault(PX_F_OOM, "a number of an item");
    *ret_sum = value;
    return 0;
}

/* ---- conditions ---- */

static int read_condition(struct reader *r, bool *ret_holds);

static int test_function(struct reader *r, bool *ret_holds)
{
    bool exists = is_word(r, "attribute_exists"), absent = is_word(r, "attribute_not_exists"),
         begins = is_word(r, "begins_with");
    struct px_str name;
    yyjson_mut_val *value, *operand = NULL;
    next(r);
    int s = expect(r, "(");
    if (s == 0) s = read_name(r, &name);
    if (s != 0) return s;
    value = attribute(r, name);
    if (!exists && !absent) {
        s = expect(r, ",");
        if (s == 0) s = read_operand(r, &operand);
        if (s != 0) return s;
    }
    struct px_str text = member(value, "S"), part = member(operand, "S");
    if (exists || absent)
        *ret_holds = (value != NULL) == exists;
    else if (begins)
        *ret_holds = text.ptr && part.ptr && px_str_starts(text, part);
    else
        *ret_holds = text.ptr && part.ptr && memmem(text.ptr, text.len, part.ptr, part.len);
    return expect(r, ")");
}

static bool is_function(const struct reader *r)
{
    return is_word(r, "attribute_exists") || is_word(r, "attribute_not_exists") ||
           is_word(r, "begins_with") || is_word(r, "contains");
}

static int test_between(struct reader *r, yyjson_mut_val *value, bool *ret_holds)
{
    yyjson_mut_val *low = NULL, *high = NULL;
    int a, b;
    next(r);
    int s = read_operand(r, &low);
    if (s != 0) return s;
    if (!is_word(r, "AND")) return syntax(r);
    next(r);
    s = read_operand(r, &high);
    if (s != 0) return s;
    *ret_holds = value && low && high && order(value, low, &a) && order(value, high, &b) &&
                 a >= 0 && b <= 0;
    return 0;
}

static int test_in(struct reader *r, yyjson_mut_val *value, bool *ret_holds)
{
    yyjson_mut_val *one = NULL;
    bool found = false;
    next(r);
    if (!is_mark(r, "(")) return syntax(r);
    do {
        next(r);
        int s = read_operand(r, &one);
        if (s != 0) return s;
        found = found || equal(value, one);
    } while (is_mark(r, ","));
    *ret_holds = found;
    return expect(r, ")");
}

static int test_compare(struct reader *r, yyjson_mut_val *left, bool *ret_holds)
{
    static const char *const marks[] = {"=", "<>", "<", "<=", ">", ">="};
    yyjson_mut_val *right = NULL;
    size_t m = 0;
    int o;
    while (m < PX_COUNT(marks) && !is_mark(r, marks[m])) m++;
    if (m == PX_COUNT(marks)) return syntax(r);
    next(r);
    int s = read_operand(r, &right);
    if (s != 0) return s;
    if (m == 0) {
        *ret_holds = equal(left, right);
    } else if (m == 1) {
        *ret_holds = !equal(left, right);
    } else {
        bool known = left && right && order(left, right, &o);
        *ret_holds = known && (m == 2 ? o < 0 : m == 3 ? o <= 0 : m == 4 ? o > 0 : o >= 0);
    }
    return 0;
}

static int read_not(struct reader *r, bool *ret_holds)
{
    yyjson_mut_val *value = NULL;
    int s;
    if (++r->depth > NESTING_MAX) return refuse(r, "it is nested too deeply");
    if (is_word(r, "NOT")) {
        next(r);
        s = read_not(r, ret_holds);
        *ret_holds = !*ret_holds;
    } else if (is_mark(r, "(")) {
        next(r);
        s = read_condition(r, ret_holds);
        if (s == 0) s = expect(r, ")");
    } else if (is_function(r)) {
        s = test_function(r, ret_holds);
    } else {
        s = read_operand(r, &value);
        if (s != 0) return s;
        s = is_word(r, "BETWEEN") ? test_between(r, value, ret_holds)
            : is_word(r, "IN")    ? test_in(r, value, ret_holds)
                                  : test_compare(r, value, ret_holds);
    }
    r->depth--;
    return s;
}

static int read_and(struct reader *r, bool *ret_holds)
{
    bool all = true, one = false;
    for (;;) {
        int s = read_not(r, &one);
        if (s != 0) return s;
        all = all && one;
        if (!is_word(r, "AND")) break;
        next(r);
    }
    *ret_holds = all;
    return 0;
}

static int read_condition(struct reader *r, bool *ret_holds)
{
    bool any = false, one = false;
    for (;;) {
        int s = read_and(r, &one);
        if (s != 0) return s;
        any = any || one;
        if (!is_word(r, "OR")) break;
        next(r);
    }
    *ret_holds = any;
    return 0;
}

static int open_reader(struct reader *r)
{
    if (r->text.len > EXPRESSION_BYTES_MAX)
        return refuse(r, "Expression size has exceeded the maximum allowed size");
    next(r);
    return r->token == TOKEN_END ? refuse(r, "The expression can not be empty;") : 0;
}

int dynamo_condition(struct px_str text, struct dynamo_words *words, yyjson_mut_val *item,
                     struct px_arena *arena, bool *ret_holds, struct px_str *ret_why)
{
    bool holds = false;
    struct reader r = {.what = "ConditionExpression",
                       .text = text,
                       .words = words,
                       .doc = yyjson_mut_doc_new(NULL),
                       .item = item,
                       .arena = arena,
                       .why = ret_why};
    if (!r.doc) return px_fault(PX_F_OOM, "a condition");
    int s = open_reader(&r);
    if (s == 0) s = read_condition(&r, &holds);
    if (s == 0 && r.token != TOKEN_END) s = syntax(&r);
    yyjson_mut_doc_free(r.doc);
    if (s == 0) *ret_holds = holds;
    return s;
}

/* ---- updates ---- */

struct update {
    struct reader reader;
    yyjson_mut_val *item; /* as it becomes */
    struct dynamo_changes *changes;
};

static int note_change(struct update *u, struct px_str name)
{
    struct dynamo_changes *c = u->changes;
    for (size_t i = 0; i < c->count; i++)
        if (px_str_eq(c->names[i], name))
            return refuse(
                &u->reader,
                "Two document paths overlap with each other; must remove or rewrite one of "
                "these paths; path one: [%.*s], path two: [%.*s]",
                PX_FMT(name), PX_FMT(name));
    if (c->count == DYNAMO_CHANGES_MAX)
        return refuse(&u->reader, "it changes more than %d attributes", DYNAMO_CHANGES_MAX);
    c->names[c->count++] = name;
    return 0;
}

static int put(struct update *u, struct px_str name, yyjson_mut_val *value)
{
    yyjson_mut_doc *doc = u->reader.doc;
    yyjson_mut_val *key = yyjson_mut_strncpy(doc, name.ptr, name.len),
                   *copy = yyjson_mut_val_mut_copy(doc, value);
    if (!key || !copy || !yyjson_mut_obj_put(u->item, key, copy))
        return px_fault(PX_F_OOM, "an attribute of an item");
    return 0;
}

static int read_part(struct reader *r, yyjson_mut_val **ret_value)
{
    struct px_str name;
    yyjson_mut_val *otherwise = NULL;
    if (!is_word(r, "if_not_exists")) return read_operand(r, ret_value);
    next(r);
    int s = expect(r, "(");
    if (s == 0) s = read_name(r, &name);
    if (s == 0) s = expect(r, ",");
    if (s == 0) s = read_operand(r, &otherwise);
    if (s == 0) s = expect(r, ")");
    if (s != 0) return s;
    yyjson_mut_val *there = attribute(r, name);
    *ret_value = there ? there : otherwise;
    return 0;
}

static int read_set(struct update *u)
{
    struct reader *r = &u->reader;
    struct px_str name;
    yyjson_mut_val *value = NULL, *more = NULL;
    int s = read_name(r, &name);
    if (s == 0) s = expect(r, "=");
    if (s == 0) s = read_part(r, &value);
    if (s != 0) return s;
    if (is_mark(r, "+") || is_mark(r, "-")) {
        bool minus = is_mark(r, "-");
        next(r);
        s = read_part(r, &more);
        if (s == 0) s = add_numbers(r, value, more, minus, &value);
        if (s != 0) return s;
    }
    if (!value)
        return refuse(r,
                      "The provided expression refers to an attribute that does not exist in the "
                      "item");
    s = note_change(u, name);
    return s == 0 ? put(u, name, value) : s;
}

static int read_remove(struct update *u)
{
    struct px_str name;
    int s = read_name(&u->reader, &name);
    if (s == 0) s = note_change(u, name);
    if (s != 0) return s;
    (void)yyjson_mut_obj_remove_keyn(u->item, name.ptr, name.len);
    return 0;
}

static int read_add(struct update *u)
{
    struct reader *r = &u->reader;
    struct px_str name;
    struct number number;
    yyjson_mut_val *value = NULL;
    int s = read_name(r, &name);
    if (s != 0) return s;
    if (r->token != TOKEN_VALUE) return syntax(r);
    s = read_operand(r, &value);
    if (s != 0) return s;
    if (!to_number(member(value, "N"), &number))
        return refuse(r, "Incorrect operand type for operator or function; operator: ADD");
    yyjson_mut_val *there = attribute(r, name);
    if (there) {
        s = add_numbers(r, there, value, false, &value);
        if (s != 0) return s;
    }
    s = note_change(u, name);
    return s == 0 ? put(u, name, value) : s;
}

static int read_update(struct update *u)
{
    static const struct {
        const char *word;
        int (*read)(struct update *u);
    } clauses[] = {{"SET", read_set}, {"REMOVE", read_remove}, {"ADD", read_add}};
    struct reader *r = &u->reader;
    unsigned seen = 0;
    while (r->token != TOKEN_END) {
        size_t c = 0;
        while (c < PX_COUNT(clauses) && !is_word(r, clauses[c].word)) c++;
        if (c == PX_COUNT(clauses)) return syntax(r);
        if (seen & 1u << c)
            return refuse(r, "The \"%s\" section can only be used once in an update expression;",
                          clauses[c].word);
        seen |= 1u << c;
        do {
            next(r);
            int s = clauses[c].read(u);
            if (s != 0) return s;
        } while (is_mark(r, ","));
    }
    return 0;
}

int dynamo_update(struct px_str text, struct dynamo_words *words, yyjson_mut_doc *doc,
                  yyjson_mut_val *item, struct px_arena *arena, struct dynamo_changes *ret_changes,
                  struct px_str *ret_why)
{
    struct update u = {.reader = {.what = "UpdateExpression",
                                  .text = text,
                                  .words = words,
                                  .doc = doc,
                                  .item = yyjson_mut_val_mut_copy(doc, item),
                                  .arena = arena,
                                  .why = ret_why},
                       .item = item,
                       .changes = ret_changes};
    *ret_changes = (struct dynamo_changes){0};
    if (!u.reader.item) return px_fault(PX_F_OOM, "an item");
    int s = open_reader(&u.reader);
    return s == 0 ? read_update(&u) : s;
}

static int all_used(yyjson_val *words, uint64_t used, const char *list, struct px_arena *arena,
                    struct px_str *ret_why)
{
    size_t i, n;
    yyjson_val *key, *val;
    px_json_obj_foreach(words, i, n, key, val)
    {
        (void)val;
        if (i < 64 && (used & UINT64_C(1) << i)) continue;
        *ret_why = px_arena_printf(arena,
                                   "Value provided in %s unused in expressions: keys: {%.*s}", list,
                                   PX_FMT(px_json_val_str(key)));
        return ret_why->ptr ? DYNAMO_INVALID : px_arena_fault(arena);
    }
    return 0;
}

int dynamo_words_check(const struct dynamo_words *words, struct px_arena *arena,
                       struct px_str *ret_why)
{
    int s = all_used(words->names, words->names_used, "ExpressionAttributeNames", arena, ret_why);
    return s == 0 ? all_used(words->values, words->values_used, "ExpressionAttributeValues", arena,
                             ret_why)
                  : s;
}
