/* asl/definition_jsonata.c - what an expression of JSONata may not name where it stands: '$$' nowhere, because there is no
 * document around an expression, and $states.errorOutput in what a Catch makes only. Their syntax is the engine's to check.
 *
 * The expression is read as tokens, not parsed: names in texts, comments, regular expressions and between backticks are none.
 * Source: answers of CreateStateMachine, as others wrote them down; docs.jsonata.org, "Expressions". */
#include "asl/check.h"

enum token_kind { TOKEN_END, TOKEN_VARIABLE /* with its $ */, TOKEN_OPERAND, TOKEN_OPERATOR };
struct token {
    enum token_kind kind;
    struct px_str text;
};

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (c & 0x80);
}

/* The length of what begins with `close` and ends with the next one that no backslash escapes. */
static size_t quoted_bytes(struct px_str text, char close)
{
    for (size_t i = 1; i < text.len; i++) {
        if (text.ptr[i] == close) return i + 1;
        if (text.ptr[i] == '\\') i++;
    }
    return text.len;
}

static struct px_str skip_blanks(struct px_str text)
{
    for (;;) {
        while (text.len > 0 && strchr(" \t\n\r\v", text.ptr[0])) text = px_str_skip(text, 1);
        if (!px_str_starts(text, S("/*"))) return text;
        const char *end = memmem(text.ptr + 2, text.len - 2, "*/", 2);
        text = end ? px_str_skip(text, (size_t)(end + 2 - text.ptr)) : px_str_skip(text, text.len);
    }
}

static bool ends_operand(struct token token)
{
    return token.kind == TOKEN_VARIABLE || token.kind == TOKEN_OPERAND ||
           (token.kind == TOKEN_OPERATOR && strchr(")]}", token.text.ptr[0]));
}

/* The token that begins the text; a '/' behind an operand divides, any other begins a regular expression. */
static struct token token_at(struct px_str text, struct token before)
{
    if (text.len == 0) return (struct token){TOKEN_END, text};
    char c = text.ptr[0];
    size_t n = 1;
    if (c == '"' || c == '\'' || c == '`')
        return (struct token){TOKEN_OPERAND, px_str(text.ptr, quoted_bytes(text, c))};
    if (c == '/' && !ends_operand(before))
        return (struct token){TOKEN_OPERAND, px_str(text.ptr, quoted_bytes(text, '/'))};
    if (c == '$') {
        if (text.len > 1 && text.ptr[1] == '$') n = 2;
        while (n < text.len && is_name_char(text.ptr[n])) n++;
        return (struct token){TOKEN_VARIABLE, px_str(text.ptr, n)};
    }
    if (!is_name_char(c)) return (struct token){TOKEN_OPERATOR, px_str(text.ptr, 1)};
    while (n < text.len && is_name_char(text.ptr[n])) n++;
    return (struct token){TOKEN_OPERAND, px_str(text.ptr, n)};
}

static void check_expression(struct asl_check *check, const struct asl_place *place,
                             struct px_str text, bool in_catch)
{
    struct token before[2] = {{0}}, token = {0};
    do {
        before[0] = before[1];
        before[1] = token;
        text = skip_blanks(text);
        token = token_at(text, before[1]);
        text = px_str_skip(text, token.text.len);
        if (token.kind == TOKEN_VARIABLE && px_str_starts(token.text, S("$$")))
            asl_problem(check, place, ASL_C_UNSUPPORTED, "Reference to '$$' is not supported.");
        else if (!in_catch && px_str_eq(token.text, S("errorOutput")) &&
                 px_str_eq(before[1].text, S(".")) && px_str_eq(before[0].text, S("$states")))
            asl_problem(check, place, ASL_C_UNSUPPORTED,
                        "Field '$states.errorOutput' does not exist.");
    } while (token.kind != TOKEN_END);
}

/* Fields in which "{% ... %}" is text, and flows, whose states are looked at by themselves. */
static bool is_left_out(struct px_str name)
{
    static const char *const names[] = {"Comment",     "Next",     "Default",      "Resource",
                                        "ErrorEquals", "Retry",    "Credentials",  "CSVHeaders",
                                        "Branches",    "Iterator", "ItemProcessor"};
    for (size_t i = 0; i < PX_COUNT(names); i++)
        if (px_str_eq(name, px_str_c(names[i]))) return true;
    return false;
}

/* What a field holds is a payload, in which names mean nothing; of these the members are fields again. */
static bool holds_fields(struct px_str name)
{
    static const char *const names[] = {"Choices",      "Catch",       "ItemReader",
                                        "ReaderConfig", "ItemBatcher", "ResultWriter",
                                        "WriterConfig"};
    for (size_t i = 0; i < PX_COUNT(names); i++)
        if (px_str_eq(name, px_str_c(names[i]))) return true;
    return false;
}

struct walk {
    bool fields;   /* members are fields of the language */
    bool in_catch; /* below Catch */
};

/* As deep as the JSON parser lets a definition be. */
static void check_value(struct asl_check *check, const struct asl_place *place, yyjson_val *val,
                        struct walk walk)
{
    size_t i, n;
    yyjson_val *key, *member;
    if (asl_is_expression(val)) {
        struct px_str text = px_json_val_str(val);
        check_expression(check, place, px_str(text.ptr + 2, text.len - 4), walk.in_catch);
    }
    px_json_arr_foreach(yyjson_is_arr(val) ? val : NULL, i, n, member)
    {
        struct asl_place at = asl_element_place(place, i, member);
        check_value(check, &at, member, walk);
    }
    px_json_obj_foreach(yyjson_is_obj(val) ? val : NULL, i, n, key, member)
    {
        struct asl_place at = asl_member_place(place, key);
        if (walk.fields && is_left_out(at.name)) continue;
        struct walk below = {walk.fields && holds_fields(at.name),
                             walk.in_catch || (walk.fields && px_str_eq(at.name, S("Catch")))};
        check_value(check, &at, member, below);
    }
}

void asl_check_references(const struct asl_reader *r)
{
    check_value(r->check, r->place, r->object, (struct walk){.fields = true});
}
