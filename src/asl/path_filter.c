/* asl/path_filter.c - the inside of [?( ... )] to a tree. Grammar: Jayway's FilterCompiler.
 *
 *   or       = and { "||" and }
 *   and      = term { "&&" term }
 *   term     = "!" path | "!" term | "(" or ")" | value [ operator value ]
 *   value    = path | string | number | true | false | null | list | object */
#include "asl/path_tokens.h"

static int read_or(struct path_reader *reader, const struct filter **ret_filter);
static int read_value(struct path_reader *reader, yyjson_mut_val **ret_value);

static bool take_twice(struct path_reader *reader, char c)
{
    reader_blanks(reader);
    if (reader_peek(reader, 0) != c || reader_peek(reader, 1) != c) return false;
    reader->at += 2;
    return true;
}

/* ---- literals ---- */

static bool unicode_escape(struct path_reader *reader, char *out, size_t *n)
{
    uint32_t code = 0;
    for (int i = 0; i < 4; i++, reader->at++) {
        char c = reader_peek(reader, 0);
        if (c >= '0' && c <= '9')
            code = code * 16 + (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            code = code * 16 + (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return false;
    }
    if (code >= 0xD800 && code < 0xE000) return false; /* would not be UTF-8 */
    if (code < 0x80) {
        out[(*n)++] = (char)code;
    } else if (code < 0x800) {
        out[(*n)++] = (char)(0xC0 | code >> 6);
        out[(*n)++] = (char)(0x80 | (code & 0x3F));
    } else {
        out[(*n)++] = (char)(0xE0 | code >> 12);
        out[(*n)++] = (char)(0x80 | (code >> 6 & 0x3F));
        out[(*n)++] = (char)(0x80 | (code & 0x3F));
    }
    return true;
}

/* What stands behind a backslash. */
static bool escape(struct path_reader *reader, char *out, size_t *n)
{
    static const char from[] = "rftnb", to[] = "\r\f\t\n\b";
    char c = reader_peek(reader, 0);
    reader->at++;
    if (c == 'u') return unicode_escape(reader, out, n);
    const char *found = c ? strchr(from, c) : NULL;
    out[(*n)++] = found ? to[found - from] : c;
    return true;
}

static int read_text(struct path_reader *reader, struct px_str *ret_text)
{
    char quote = reader_peek(reader, 0);
    size_t n = 0;
    char *text = px_arena_alloc(reader->arena, reader->text.len - reader->at + 1);
    if (!text) return px_arena_fault(reader->arena);
    reader->at++;
    while (reader_more(reader) && reader_peek(reader, 0) != quote) {
        char c = reader_peek(reader, 0);
        reader->at++;
        if (c != '\\') {
            text[n++] = c;
        } else if (!reader_more(reader) || !escape(reader, text, &n)) {
            return reader_wrong(reader, "an escape of a string");
        }
    }
    text[n] = '\0';
    if (!reader_take(reader, quote)) return reader_wrong(reader, "a closing quote");
    *ret_text = px_str(text, n);
    return 0;
}

static int read_number(struct path_reader *reader, yyjson_mut_val *value)
{
    char digits[64];
    size_t n = 0;
    while (reader_more(reader) && n + 1 < sizeof digits &&
           strchr("0123456789.eE+-", reader_peek(reader, n)) && reader_peek(reader, n)) {
        digits[n] = reader_peek(reader, n);
        n++;
    }
    digits[n] = '\0';
    const char *end = n ? yyjson_mut_read_number(digits, value, YYJSON_READ_NOFLAG, NULL, NULL)
                        : NULL;
    if (!end || *end) return reader_wrong(reader, "a path or a value");
    reader->at += n;
    return 0;
}

static bool take_word(struct path_reader *reader, const char *word)
{
    size_t n = strlen(word);
    if (!px_str_starts(px_str_skip(reader->text, reader->at), px_str(word, n))) return false;
    reader->at += n;
    return true;
}

static yyjson_mut_val *value_new(struct path_reader *reader)
{
    return px_arena_new(reader->arena, yyjson_mut_val);
}

static int read_list(struct path_reader *reader, yyjson_mut_val *list)
{
    yyjson_mut_set_arr(list);
    reader->at++;
    reader_blanks(reader);
    if (reader_take(reader, ']')) return 0;
    do {
        yyjson_mut_val *element;
        int r = read_value(reader, &element);
        if (r) return r;
        (void)yyjson_mut_arr_append(list, element);
        reader_blanks(reader);
    } while (reader_take(reader, ','));
    return reader_take(reader, ']') ? 0 : reader_wrong(reader, "a comma or the end of the list");
}

static int read_object(struct path_reader *reader, yyjson_mut_val *object)
{
    yyjson_mut_set_obj(object);
    reader->at++;
    reader_blanks(reader);
    if (reader_take(reader, '}')) return 0;
    do {
        yyjson_mut_val *name, *value;
        reader_blanks(reader);
        if (reader_peek(reader, 0) != '"' && reader_peek(reader, 0) != '\'')
            return reader_wrong(reader, "a quoted name");
        int r = read_value(reader, &name);
        reader_blanks(reader);
        if (!r && !reader_take(reader, ':')) r = reader_wrong(reader, "a colon");
        if (!r) r = read_value(reader, &value);
        if (r) return r;
        if (asl_member(object, asl_value_str(name))) return reader_wrong(reader, "a name once");
        (void)yyjson_mut_obj_add(object, name, value);
        reader_blanks(reader);
    } while (reader_take(reader, ','));
    return reader_take(reader, '}') ? 0 : reader_wrong(reader, "a comma or the end of the object");
}

static int read_container(struct path_reader *reader, yyjson_mut_val *value)
{
    if (reader->depth == PATH_NEST_MAX) return reader_wrong(reader, "less lists in one another");
    reader->depth++;
    int r = reader_peek(reader, 0) == '[' ? read_list(reader, value) : read_object(reader, value);
    reader->depth--;
    return r;
}

static int read_value(struct path_reader *reader, yyjson_mut_val **ret_value)
{
    yyjson_mut_val *value = value_new(reader);
    struct px_str text = {0};
    int r = 0;
    if (!value) return px_arena_fault(reader->arena);
    reader_blanks(reader);
    char c = reader_peek(reader, 0);
    if (c == '\'' || c == '"') {
        r = read_text(reader, &text);
        if (!r) yyjson_mut_set_strn(value, text.ptr, text.len);
    } else if (c == '[' || c == '{') {
        r = read_container(reader, value);
    } else if (take_word(reader, "true")) {
        yyjson_mut_set_bool(value, true);
    } else if (take_word(reader, "false")) {
        yyjson_mut_set_bool(value, false);
    } else if (take_word(reader, "null")) {
        yyjson_mut_set_null(value);
    } else {
        r = read_number(reader, value);
    }
    if (!r) *ret_value = value;
    return r;
}

/* ---- comparisons ---- */

static const struct {
    const char *text;
    enum filter_op op;
} operators[] = {
    {"==", OP_EQ},       {"!=", OP_NE},         {"===", OP_SAME}, {"!==", OP_NOT_SAME},
    {"<", OP_LT},        {"<=", OP_LE},         {">", OP_GT},     {">=", OP_GE},
    {"=~", OP_MATCHES},  {"in", OP_IN},         {"nin", OP_NIN},  {"subsetof", OP_SUBSETOF},
    {"anyof", OP_ANYOF}, {"noneof", OP_NONEOF}, {"all", OP_ALL},  {"contains", OP_CONTAINS},
    {"size", OP_SIZE},   {"empty", OP_EMPTY},
};

static bool is_sign(char c) { return c != '\0' && strchr("<>=~!", c) != NULL; }
static bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

/* False: there is none, nothing was taken. */
static bool take_operator(struct path_reader *reader, enum filter_op *ret_op)
{
    reader_blanks(reader);
    size_t n = 0;
    if (is_sign(reader_peek(reader, 0)))
        while (is_sign(reader_peek(reader, n))) n++;
    else
        while (is_letter(reader_peek(reader, n))) n++;
    struct px_str word = px_str(reader->text.ptr + reader->at, n);
    for (size_t i = 0; i < PX_COUNT(operators); i++) {
        if (!px_str_ieq(word, px_str_c(operators[i].text))) continue;
        *ret_op = operators[i].op;
        reader->at += n;
        return true;
    }
    return false;
}

static bool at_path(const struct path_reader *reader)
{
    return reader_peek(reader, 0) == '@' || reader_peek(reader, 0) == '$';
}

static int read_operand(struct path_reader *reader, struct operand *operand)
{
    reader_blanks(reader);
    if (at_path(reader)) return reader_path(reader, &operand->path);
    return read_value(reader, &operand->value);
}

/* "/ab+c/i" */
static int read_pattern(struct path_reader *reader, const struct pattern **ret_pattern)
{
    reader_blanks(reader);
    if (!reader_take(reader, '/')) return reader_wrong(reader, "a pattern between slashes");
    size_t from = reader->at, wrong = 0;
    while (reader_more(reader) && reader_peek(reader, 0) != '/')
        reader->at += reader_peek(reader, 0) == '\\' ? 2 : 1;
    if (!reader_more(reader)) {
        reader->at = from;
        return reader_wrong(reader, "a slash behind the pattern");
    }
    struct px_str text = px_str(reader->text.ptr + from, reader->at - from);
    size_t flags = ++reader->at;
    while (is_letter(reader_peek(reader, 0))) reader->at++;
    int r = pattern_compile(text, px_str(reader->text.ptr + flags, reader->at - flags),
                            reader->arena, ret_pattern, &wrong);
    if (r != ASL_INVALID) return r;
    reader->at = from + wrong;
    return reader_wrong(reader, "a regular expression");
}

static int read_comparison(struct path_reader *reader, struct filter *filter)
{
    int r = read_operand(reader, &filter->a);
    if (r) return r;
    if (take_operator(reader, &filter->op)) {
        filter->kind = FILTER_COMPARE;
        if (filter->op == OP_MATCHES) return read_pattern(reader, &filter->pattern);
        return read_operand(reader, &filter->b);
    }
    filter->kind = FILTER_EXISTS;
    return filter->a.path ? 0 : reader_wrong(reader, "a comparison");
}

static int read_brackets(struct path_reader *reader, const struct filter **ret_filter)
{
    int r = read_or(reader, ret_filter);
    if (r) return r;
    reader_blanks(reader);
    return reader_take(reader, ')') ? 0 : reader_wrong(reader, "a closing bracket");
}

static int read_term(struct path_reader *reader, const struct filter **ret_filter)
{
    struct filter *filter = px_arena_new(reader->arena, struct filter);
    int r;
    if (!filter) return px_arena_fault(reader->arena);
    if (reader->depth == PATH_NEST_MAX) return reader_wrong(reader, "less brackets in one another");
    reader->depth++;
    reader_blanks(reader);
    if (reader_take(reader, '!')) {
        reader_blanks(reader);
        filter->kind = at_path(reader) ? FILTER_ABSENT : FILTER_NOT;
        r = at_path(reader) ? read_operand(reader, &filter->a) : read_term(reader, &filter->left);
    } else if (reader_take(reader, '(')) {
        const struct filter *inner = NULL;
        r = read_brackets(reader, &inner);
        if (!r) *filter = *inner;
    } else {
        r = read_comparison(reader, filter);
    }
    reader->depth--;
    if (!r) *ret_filter = filter;
    return r;
}

/* Terms with one sign between them; the chain leads to the right, so that evaluating needs no recursion for it. */
static int read_chain(struct path_reader *reader, enum filter_kind kind,
                      const struct filter **ret_filter)
{
    struct filter *last = NULL;
    const struct filter *first = NULL, *term = NULL;
    bool more;
    do {
        int r = kind == FILTER_OR ? read_chain(reader, FILTER_AND, &term)
                                  : read_term(reader, &term);
        if (r) return r;
        more = take_twice(reader, kind == FILTER_OR ? '|' : '&');
        if (!more && !last) break;
        struct filter *link = px_arena_new(reader->arena, struct filter);
        if (!link) return px_arena_fault(reader->arena);
        *link = (struct filter){.kind = kind, .left = term};
        if (last)
            last->right = link;
        else
            first = link;
        last = link;
    } while (more);
    *ret_filter = first ? first : term;
    return 0;
}
static int read_or(struct path_reader *reader, const struct filter **ret_filter)
{
    return read_chain(reader, FILTER_OR, ret_filter);
}

int reader_filter(struct path_reader *reader, const struct filter **ret_filter)
{
    int r = read_or(reader, ret_filter);
    reader_blanks(reader);
    return r;
}
