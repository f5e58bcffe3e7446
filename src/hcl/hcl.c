/* hcl/hcl.c - recursive descent over the text itself.
 *
 * Newlines end attributes and object items; inside parentheses and brackets they are space (`loose`).
 * Recursion is bounded, so a hostile file is refused rather than followed. */
#include "hcl/hcl.h"

#include <stdlib.h>

#define DEPTH_MAX 160

struct parser {
    struct px_str text;
    size_t at;
    struct px_arena *arena;
    unsigned loose, depth;
    struct px_where *where;
    int result; /* 0, HCL_INVALID or a fault: the first that came */
};

static void *fail(struct parser *p, const char *expected)
{
    if (p->result != 0) return NULL;
    p->result = HCL_INVALID;
    px_where_set(p->where, p->at, NULL, "HCL: %s", expected);
    return NULL;
}

static bool refuse(struct parser *p, const char *expected)
{
    (void)fail(p, expected);
    return false;
}

static void *lost(struct parser *p)
{
    if (p->result == 0) p->result = px_arena_fault(p->arena);
    return NULL;
}

static struct hcl_expr *expr_new(struct parser *p, enum hcl_kind kind)
{
    struct hcl_expr *e = px_arena_new(p->arena, struct hcl_expr);
    if (!e) return lost(p);
    e->kind = kind;
    return e;
}

static struct hcl_expr *text_expr(struct parser *p, struct px_str text)
{
    struct hcl_expr *e = expr_new(p, HCL_VALUE);
    struct px_str copy = px_arena_dup(p->arena, text);
    if (!e || !copy.ptr) return lost(p);
    e->value = value_text(p->arena, copy);
    return e->value ? e : lost(p);
}

/* ---- characters ---- */

static int peek_at(const struct parser *p, size_t ahead)
{
    return p->at + ahead < p->text.len ? (unsigned char)p->text.ptr[p->at + ahead] : -1;
}
static int peek(const struct parser *p) { return peek_at(p, 0); }

static bool is_letter(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}
static bool is_digit(int c) { return c >= '0' && c <= '9'; }

static void skip_line(struct parser *p)
{
    while (peek(p) >= 0 && peek(p) != '\n') p->at++;
}

static void skip_comment(struct parser *p)
{
    p->at += 2;
    while (peek(p) >= 0 && !(peek(p) == '*' && peek_at(p, 1) == '/')) p->at++;
    p->at = PX_MIN(p->at + 2, p->text.len);
}

static void space(struct parser *p)
{
    for (;;) {
        int c = peek(p);
        if (c == ' ' || c == '\t' || c == '\r' || (c == '\n' && p->loose > 0))
            p->at++;
        else if (c == '#' || (c == '/' && peek_at(p, 1) == '/'))
            skip_line(p);
        else if (c == '/' && peek_at(p, 1) == '*')
            skip_comment(p);
        else
            return;
    }
}

static void lines(struct parser *p)
{
    p->loose++;
    space(p);
    p->loose--;
}

static bool accept(struct parser *p, const char *token)
{
    space(p);
    size_t n = strlen(token);
    if (p->text.len - p->at < n || memcmp(p->text.ptr + p->at, token, n) != 0) return false;
    p->at += n;
    return true;
}

static struct px_str name_view(struct parser *p)
{
    size_t from = p->at;
    if (is_letter(peek(p)))
        while (is_letter(peek(p)) || is_digit(peek(p)) || peek(p) == '-') p->at++;
    return px_str(p->text.ptr + from, p->at - from);
}

static struct px_str name_copy(struct parser *p)
{
    struct px_str copy = px_arena_dup(p->arena, name_view(p));
    if (!copy.ptr) (void)lost(p);
    return copy;
}

static bool word(struct parser *p, const char *want)
{
    space(p);
    size_t from = p->at;
    if (px_str_eq(name_view(p), px_str_c(want))) return true;
    p->at = from;
    return false;
}

/* ---- expressions ---- */

static struct hcl_expr *expression(struct parser *p);
static struct hcl_expr *quoted(struct parser *p);
static struct hcl_expr *template(struct parser *p, bool is_quoted);

static struct hcl_expr *number(struct parser *p)
{
    char text[64];
    size_t n = 0;
    while (n + 1 < sizeof text) {
        int c = peek(p);
        bool sign = (c == '+' || c == '-') && n > 0 && (text[n - 1] == 'e' || text[n - 1] == 'E');
        bool point = c == '.' && is_digit(peek_at(p, 1));
        if (!is_digit(c) && !sign && !point && c != 'e' && c != 'E') break;
        text[n++] = (char)c;
        p->at++;
    }
    text[n] = '\0';
    struct hcl_expr *e = expr_new(p, HCL_VALUE);
    if (!e) return NULL;
    e->value = value_number(p->arena, strtod(text, NULL));
    return e->value ? e : lost(p);
}

static void append(struct hcl_expr *list, struct hcl_expr ***tail, struct hcl_expr *item)
{
    if (!*tail) *tail = &list->first;
    **tail = item;
    *tail = &item->next;
}

/* Items up to `end`, separated by commas; newlines are space. */
static struct hcl_expr *items(struct parser *p, struct hcl_expr *list, const char *end)
{
    struct hcl_expr **tail = NULL;
    p->loose++;
    while (p->result == 0 && !accept(p, end)) {
        struct hcl_expr *item = expression(p);
        if (!item) break;
        append(list, &tail, item);
        if (accept(p, "...")) list->expand = true;
        if (accept(p, ",")) continue;
        if (!accept(p, end)) return fail(p, "a comma or the end of a list");
        break;
    }
    p->loose--;
    return p->result == 0 ? list : NULL;
}

/* Behind `for`, which was read; `object` says which bracket ends it. */
static struct hcl_expr *for_expr(struct parser *p, bool object)
{
    struct hcl_expr *e = expr_new(p, HCL_FOR);
    if (!e) return NULL;
    p->loose++;
    space(p);
    e->name = name_copy(p);
    if (accept(p, ",")) {
        e->key_name = e->name;
        space(p);
        e->name = name_copy(p);
    }
    if (!word(p, "in")) return fail(p, "`in` of a for expression");
    e->a = expression(p);
    if (!accept(p, ":")) return fail(p, "`:` of a for expression");
    e->c = expression(p);
    if (object) {
        e->b = e->c;
        if (!accept(p, "=>")) return fail(p, "`=>` of a for expression");
        e->c = expression(p);
        if (accept(p, "...")) e->expand = true;
    }
    if (word(p, "if")) e->first = expression(p);
    if (!accept(p, object ? "}" : "]")) return fail(p, "the end of a for expression");
    p->loose--;
    return p->result == 0 ? e : NULL;
}

static bool begins_for(struct parser *p)
{
    size_t from = p->at;
    lines(p);
    if (word(p, "for") && !is_letter(peek(p)) && (peek(p) == ' ' || peek(p) == '\n')) return true;
    p->at = from;
    return false;
}

static struct hcl_expr *tuple(struct parser *p)
{
    if (begins_for(p)) return for_expr(p, false);
    struct hcl_expr *e = expr_new(p, HCL_TUPLE);
    return e ? items(p, e, "]") : NULL;
}

/* A bare name is a key of that name; anything else is an expression. */
static struct hcl_expr *object_key(struct parser *p)
{
    size_t from = p->at;
    struct px_str name = name_view(p);
    space(p);
    bool bare = name.len > 0 && (peek(p) == ':' || (peek(p) == '=' && peek_at(p, 1) != '='));
    if (bare) return text_expr(p, name);
    p->at = from;
    return expression(p);
}

static struct hcl_expr *object(struct parser *p)
{
    if (begins_for(p)) return for_expr(p, true);
    struct hcl_expr *e = expr_new(p, HCL_OBJECT), **tail = NULL;
    unsigned loose = p->loose;
    p->loose = 0; /* a newline ends an item, also between parentheses */
    while (e && p->result == 0) {
        lines(p);
        if (accept(p, "}")) break;
        struct hcl_expr *key = object_key(p);
        if (!key) break;
        if (!accept(p, "=") && !accept(p, ":")) return fail(p, "`=` behind a key");
        lines(p);
        struct hcl_expr *item = expression(p);
        if (!item) break;
        append(e, &tail, key);
        append(e, &tail, item);
        space(p);
        if (!accept(p, ",") && peek(p) != '\n' && peek(p) != '}')
            return fail(p, "a newline or comma behind an item");
    }
    p->loose = loose;
    return p->result == 0 ? e : NULL;
}

static struct hcl_expr *name_or_call(struct parser *p)
{
    struct px_str name = name_copy(p);
    while (peek(p) == ':' && peek_at(p, 1) == ':') { /* provider::aws::arn_parse */
        p->at += 2;
        struct px_str more = name_view(p);
        name = px_arena_printf(p->arena, "%.*s::%.*s", PX_FMT(name), PX_FMT(more));
    }
    struct hcl_expr *e = expr_new(p, HCL_NAME);
    if (!e || !name.ptr) return lost(p);
    e->name = name;
    if (px_str_eq(name, S("true")) || px_str_eq(name, S("false")) || px_str_eq(name, S("null"))) {
        e->kind = HCL_VALUE;
        e->value = name.ptr[0] == 't'   ? &value_true
                   : name.ptr[0] == 'f' ? &value_false
                                        : &value_null;
        return e;
    }
    if (peek(p) != '(') return e;
    p->at++;
    e->kind = HCL_CALL;
    return items(p, e, ")");
}

static struct hcl_expr *heredoc(struct parser *p);

static struct hcl_expr *primary(struct parser *p)
{
    space(p);
    int c = peek(p);
    if (c == '"') return quoted(p);
    if (c == '<' && peek_at(p, 1) == '<') return heredoc(p);
    if (is_digit(c)) return number(p);
    if (is_letter(c)) return name_or_call(p);
    p->at++;
    if (c == '[') return tuple(p);
    if (c == '{') return object(p);
    if (c == '(') {
        p->loose++;
        struct hcl_expr *e = expression(p);
        if (!accept(p, ")")) return fail(p, "a closing parenthesis");
        p->loose--;
        return e;
    }
    p->at--;
    return fail(p, "an expression");
}

static struct hcl_expr *step(struct parser *p, enum hcl_kind kind, struct hcl_expr *base)
{
    struct hcl_expr *e = expr_new(p, kind);
    if (e) e->a = base;
    return e;
}

static struct hcl_expr *steps(struct parser *p, struct hcl_expr *e, bool attrs_only);

/* `*` was read: what follows is taken of every item. */
static struct hcl_expr *splat(struct parser *p, struct hcl_expr *base, bool attrs_only)
{
    struct hcl_expr *e = step(p, HCL_SPLAT, base), *item = expr_new(p, HCL_NAME);
    if (!e || !item) return NULL;
    item->name = S("*");
    e->b = steps(p, item, attrs_only);
    return e->b ? e : NULL;
}

static struct hcl_expr *dot_step(struct parser *p, struct hcl_expr *base)
{
    if (is_digit(peek(p))) { /* list.0: not a fraction */
        struct hcl_expr *e = step(p, HCL_INDEX, base), *index = expr_new(p, HCL_VALUE);
        double n = 0;
        for (; is_digit(peek(p)) && n < 1e9; p->at++) n = n * 10 + (peek(p) - '0');
        if (!e || !index) return NULL;
        index->value = value_number(p->arena, n);
        e->b = index;
        return index->value ? e : lost(p);
    }
    struct hcl_expr *e = step(p, HCL_ATTR, base);
    if (!e) return NULL;
    e->name = name_copy(p);
    return e->name.len > 0 ? e : fail(p, "a name behind a dot");
}

static struct hcl_expr *index_step(struct parser *p, struct hcl_expr *base)
{
    struct hcl_expr *e = step(p, HCL_INDEX, base);
    if (!e) return NULL;
    p->loose++;
    e->b = expression(p);
    if (!accept(p, "]")) return fail(p, "a closing bracket");
    p->loose--;
    return e;
}

static struct hcl_expr *steps(struct parser *p, struct hcl_expr *e, bool attrs_only)
{
    unsigned count = 0;
    while (e && p->result == 0) {
        if (++count > DEPTH_MAX) return fail(p, "fewer steps in a reference");
        bool dots = peek(p) == '.' && peek_at(p, 1) == '.';
        if (peek(p) == '.' && peek_at(p, 1) == '*') {
            p->at += 2;
            e = splat(p, e, true);
        } else if (peek(p) == '.' && !dots) {
            p->at++;
            e = dot_step(p, e);
        } else if (peek(p) == '[' && !attrs_only) {
            p->at++;
            e = accept(p, "*]") ? splat(p, e, false) : index_step(p, e);
        } else {
            return e;
        }
    }
    return NULL;
}

static struct hcl_expr *unary(struct parser *p)
{
    space(p);
    int c = peek(p);
    if (c != '!' && c != '-') return steps(p, primary(p), false);
    if (p->depth >= DEPTH_MAX) return fail(p, "less nesting");
    p->at++;
    struct hcl_expr *e = expr_new(p, HCL_UNARY);
    if (!e) return NULL;
    e->op = c == '!' ? HCL_NOT : HCL_NEG;
    p->depth++;
    e->a = unary(p);
    p->depth--;
    return e->a ? e : NULL;
}

static const struct {
    const char *token;
    enum hcl_op op;
    unsigned level;
} operators[] = {
    {"||", HCL_OR, 1}, {"&&", HCL_AND, 2}, {"==", HCL_EQ, 3}, {"!=", HCL_NE, 3}, {"<=", HCL_LE, 4},
    {">=", HCL_GE, 4}, {"<", HCL_LT, 4},   {">", HCL_GT, 4},  {"+", HCL_ADD, 5}, {"-", HCL_SUB, 5},
    {"*", HCL_MUL, 6}, {"/", HCL_DIV, 6},  {"%", HCL_MOD, 6},
};

static bool next_operator(struct parser *p, unsigned level, enum hcl_op *ret_op,
                          unsigned *ret_level)
{
    space(p);
    if (peek(p) == '=' && peek_at(p, 1) == '>') return false;
    for (size_t i = 0; i < PX_COUNT(operators); i++) {
        if (operators[i].level < level) continue;
        bool template_end = operators[i].op == HCL_MOD && peek_at(p, 1) == '{';
        if (template_end || !accept(p, operators[i].token)) continue;
        *ret_op = operators[i].op;
        *ret_level = operators[i].level;
        return true;
    }
    return false;
}

static struct hcl_expr *binary(struct parser *p, unsigned level)
{
    struct hcl_expr *left = unary(p);
    enum hcl_op op;
    unsigned found;
    while (left && next_operator(p, level, &op, &found)) {
        struct hcl_expr *e = expr_new(p, HCL_BINARY);
        if (!e) return NULL;
        if (p->depth >= DEPTH_MAX) return fail(p, "less nesting");
        e->op = op;
        e->a = left;
        p->depth++;
        e->b = binary(p, found + 1);
        p->depth--;
        left = e->b ? e : NULL;
    }
    return left;
}

static struct hcl_expr *expression(struct parser *p)
{
    if (p->result != 0) return NULL;
    if (p->depth >= DEPTH_MAX) return fail(p, "less nesting");
    p->depth++;
    struct hcl_expr *e = binary(p, 1);
    if (e && accept(p, "?")) {
        struct hcl_expr *cond = step(p, HCL_COND, e);
        if (!cond) return NULL;
        lines(p);
        cond->b = expression(p);
        lines(p);
        if (!accept(p, ":")) return fail(p, "`:` of a condition");
        lines(p);
        cond->c = expression(p);
        e = cond;
    }
    p->depth--;
    return p->result == 0 ? e : NULL;
}

/* ---- templates ---- */

static void escape(struct parser *p, struct px_buf *literal)
{
    static const char from[] = "nrt\"\\", to[] = "\n\r\t\"\\";
    int c = peek_at(p, 1);
    const char *found = c > 0 ? strchr(from, c) : NULL;
    p->at = PX_MIN(p->at + 2, p->text.len);
    if (found) {
        px_buf_add_char(literal, to[found - from]);
        return;
    }
    if (c != 'u' && c != 'U') return;
    unsigned long code = 0;
    for (int digits = c == 'u' ? 4 : 8; digits > 0 && peek(p) >= 0; digits--, p->at++) {
        char hex[2] = {(char)peek(p), '\0'};
        code = code * 16 + strtoul(hex, NULL, 16);
    }
    if (code >= 0x20 && code < 0x80)
        px_buf_add_char(literal, (char)code);
    else
        px_buf_add_char(literal, '?'); /* no rule looks at other characters */
}

/* Control characters are symbols' marks; a literal has none. */
static void plain(struct parser *p, struct px_buf *literal)
{
    int c = peek(p);
    if (c != VALUE_SYMBOL_BEGIN && c != VALUE_SYMBOL_END) px_buf_add_char(literal, (char)c);
    p->at++;
}

static bool flush(struct parser *p, struct px_buf *literal, struct hcl_expr *e,
                  struct hcl_expr ***tail)
{
    if (literal->len == 0) return true;
    struct hcl_expr *part = text_expr(p, px_buf_str(literal));
    if (!part || px_buf_fault(literal) != 0) {
        (void)lost(p);
        return false;
    }
    append(e, tail, part);
    px_buf_clear(literal);
    return true;
}

/* ${...} or %{...}; the latter makes the whole template opaque. */
static bool interpolation(struct parser *p, struct hcl_expr *e, struct hcl_expr ***tail)
{
    if (peek(p) == '%') {
        e->kind = HCL_OPAQUE;
        while (peek(p) >= 0 && peek(p) != '}') p->at++;
        p->at = PX_MIN(p->at + 1, p->text.len);
        return true;
    }
    p->at += 2;
    if (peek(p) == '~') p->at++;
    unsigned loose = p->loose;
    p->loose = 1;
    struct hcl_expr *part = expression(p);
    bool ended = part && (accept(p, "}") || accept(p, "~}"));
    p->loose = loose;
    if (!ended) return refuse(p, "the end of an interpolation");
    if (part->next) return refuse(p, "one expression");
    append(e, tail, part);
    return true;
}

static bool is_doubled(const struct parser *p)
{
    int c = peek(p);
    return (c == '$' || c == '%') && peek_at(p, 1) == c && peek_at(p, 2) == '{';
}

static struct hcl_expr *template_parts(struct parser *p, bool is_quoted, struct px_buf *literal)
{
    struct hcl_expr *e = expr_new(p, HCL_TEMPLATE), **tail = NULL;
    while (e && p->result == 0) {
        int c = peek(p);
        if (c < 0 && is_quoted) return fail(p, "the end of a string");
        if (c < 0 || (c == '"' && is_quoted)) break;
        if (is_doubled(p)) {
            px_buf_add(literal, p->text.ptr + p->at + 1, 2);
            p->at += 3;
        } else if ((c == '$' || c == '%') && peek_at(p, 1) == '{') {
            if (!flush(p, literal, e, &tail) || !interpolation(p, e, &tail)) return NULL;
        } else if (c == '\\' && is_quoted) {
            escape(p, literal);
        } else {
            plain(p, literal);
        }
    }
    if (!e || p->result != 0 || !flush(p, literal, e, &tail)) return NULL;
    if (!e->first && e->kind == HCL_TEMPLATE) return text_expr(p, S(""));
    bool single = e->kind == HCL_TEMPLATE && e->first && !e->first->next;
    return single && e->first->kind == HCL_VALUE ? e->first : e;
}

static struct hcl_expr *template(struct parser *p, bool is_quoted)
{
    PX_AUTO(px_buf_deinit) struct px_buf literal;
    px_buf_init(&literal, 16u << 20);
    return template_parts(p, is_quoted, &literal);
}

static struct hcl_expr *quoted(struct parser *p)
{
    p->at++;
    struct hcl_expr *e = template(p, true);
    if (e) p->at++; /* the closing quote */
    return e;
}

static size_t indent_of(struct px_str line)
{
    size_t n = 0;
    while (n < line.len && (line.ptr[n] == ' ' || line.ptr[n] == '\t')) n++;
    return n;
}

/* The lines up to the one that is only the marker; *ret_indent is the least indentation. */
static bool heredoc_lines(struct parser *p, struct px_str marker, struct px_str *ret_lines,
                          size_t *ret_indent)
{
    size_t from = p->at, least = SIZE_MAX;
    while (p->at < p->text.len) {
        size_t begin = p->at;
        skip_line(p);
        struct px_str line = px_str(p->text.ptr + begin, p->at - begin);
        if (px_str_eq(px_str_trim(line), marker)) {
            *ret_lines = px_str(p->text.ptr + from, begin - from);
            *ret_indent = least == SIZE_MAX ? 0 : least;
            return true;
        }
        if (px_str_trim(line).len > 0) least = PX_MIN(least, indent_of(line));
        if (p->at < p->text.len) p->at++;
    }
    return refuse(p, "the end of a heredoc");
}

static struct hcl_expr *heredoc(struct parser *p)
{
    p->at += 2;
    bool strip = peek(p) == '-';
    if (strip) p->at++;
    struct px_str marker = name_view(p), rest, line;
    size_t indent = 0;
    skip_line(p);
    if (p->at < p->text.len) p->at++;
    if (marker.len == 0) return fail(p, "a heredoc's marker");
    if (!heredoc_lines(p, marker, &rest, &indent)) return NULL;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 16u << 20);
    while (rest.len > 0) {
        (void)px_str_cut(&rest, '\n', &line);
        px_buf_add_str(&text, px_str_skip(line, strip ? PX_MIN(indent, indent_of(line)) : 0));
        px_buf_add_char(&text, '\n');
    }
    struct parser inner = *p;
    inner.text = px_buf_str(&text);
    inner.at = 0;
    struct hcl_expr *e = px_buf_fault(&text) == 0 ? template(&inner, false) : lost(p);
    p->result = inner.result;
    return e;
}

/* ---- bodies ---- */

static void add_attr(struct hcl_body *body, struct hcl_attr *attr)
{
    struct hcl_attr **tail = &body->attrs;
    while (*tail) tail = &(*tail)->next;
    *tail = attr;
}

static void add_block(struct hcl_body *body, struct hcl_block *block, struct hcl_block **last)
{
    if (*last)
        (*last)->next = block;
    else
        body->blocks = block;
    *last = block;
}

static void body_items(struct parser *p, struct hcl_body *body, bool nested);

static struct px_str label(struct parser *p)
{
    space(p);
    if (peek(p) != '"') return name_copy(p);
    struct hcl_expr *e = quoted(p);
    return e && e->kind == HCL_VALUE ? value_str(e->value) : (struct px_str){0};
}

static void block_item(struct parser *p, struct hcl_body *body, struct px_str type,
                       struct hcl_block **last)
{
    struct hcl_block *block = px_arena_new(p->arena, struct hcl_block);
    if (!block) {
        (void)lost(p);
        return;
    }
    block->type = type;
    for (unsigned i = 0; p->result == 0 && !accept(p, "{"); i++) {
        struct px_str text = label(p);
        if (text.len == 0 || i > 3) {
            (void)fail(p, "a label or the body of a block");
            return;
        }
        *(i == 0 ? &block->label : &block->name) = text;
    }
    if (p->depth >= DEPTH_MAX) (void)fail(p, "less nesting");
    p->depth++;
    body_items(p, &block->body, true);
    p->depth--;
    if (p->result == 0) add_block(body, block, last);
}

static void attr_item(struct parser *p, struct hcl_body *body, struct px_str name)
{
    struct hcl_attr *attr = px_arena_new(p->arena, struct hcl_attr);
    if (!attr) {
        (void)lost(p);
        return;
    }
    attr->name = name;
    attr->expr = expression(p);
    if (attr->expr) add_attr(body, attr);
    space(p);
    bool ended = peek(p) < 0 || peek(p) == '\n' || peek(p) == '}';
    if (!ended) (void)fail(p, "a newline behind an attribute");
}

static void body_items(struct parser *p, struct hcl_body *body, bool nested)
{
    struct hcl_block *last = body->blocks;
    while (last && last->next) last = last->next;
    while (p->result == 0) {
        lines(p);
        if (nested && accept(p, "}")) return;
        if (peek(p) < 0) {
            if (nested) (void)fail(p, "the end of a block");
            return;
        }
        struct px_str name = name_copy(p);
        if (name.len == 0) {
            (void)fail(p, "a name");
            return;
        }
        space(p);
        if (peek(p) == '=' && peek_at(p, 1) != '=') {
            p->at++;
            attr_item(p, body, name);
        } else {
            block_item(p, body, name, &last);
        }
    }
}

int hcl_parse(struct px_str text, struct px_arena *arena, struct hcl_body *body,
              struct px_where *ret_where)
{
    struct px_where where = {0};
    struct parser p = {.text = text, .arena = arena, .where = ret_where ? ret_where : &where};
    if (px_str_starts(text, S("\xef\xbb\xbf"))) p.at = 3;
    body_items(&p, body, false);
    return p.result;
}

static int parse_whole(struct parser *p, struct hcl_expr *e, struct hcl_expr **ret_expr)
{
    if (p->result == 0 && p->at < p->text.len) (void)fail(p, "the end");
    if (p->result == 0) *ret_expr = e;
    return p->result;
}

int hcl_parse_expr(struct px_str text, struct px_arena *arena, struct hcl_expr **ret_expr,
                   struct px_where *ret_where)
{
    struct px_where where = {0};
    struct parser p = {
        .text = text, .arena = arena, .loose = 1, .where = ret_where ? ret_where : &where};
    struct hcl_expr *e = expression(&p);
    space(&p);
    return parse_whole(&p, e, ret_expr);
}

int hcl_parse_template(struct px_str text, struct px_arena *arena, struct hcl_expr **ret_expr,
                       struct px_where *ret_where)
{
    struct px_where where = {0};
    struct parser p = {.text = text, .arena = arena, .where = ret_where ? ret_where : &where};
    return parse_whole(&p, template(&p, false), ret_expr);
}

/* ---- asking ---- */

struct hcl_expr *hcl_attr_of(const struct hcl_body *body, struct px_str name)
{
    for (struct hcl_attr *attr = body ? body->attrs : NULL; attr; attr = attr->next)
        if (px_str_eq(attr->name, name)) return attr->expr;
    return NULL;
}

struct hcl_block *hcl_block_of(const struct hcl_body *body, struct px_str type, struct px_str label,
                               struct px_str name)
{
    for (struct hcl_block *block = body ? body->blocks : NULL; block; block = block->next)
        if (px_str_eq(block->type, type) && px_str_eq(block->label, label) &&
            px_str_eq(block->name, name))
            return block;
    return NULL;
}
