/* asl/path_compile.c - the text of a path to tokens. Grammar: Jayway's PathCompiler, with two differences that Step Functions
 * shows: a backslash in a quoted name stands for itself (but before the quote), and paths may begin with $$ or $variable. */
#include "asl/path_tokens.h"

#define VARIABLE_BYTES_MAX 80u /* developer guide, "Passing data between states with variables" */

int reader_wrong(struct path_reader *reader, const char *expected)
{
    px_where_set(reader->where, reader->at, NULL, "%s", expected);
    return ASL_INVALID;
}

struct tokens {
    struct token *list;
    uint32_t count, cap;
};

static int token_add(struct path_reader *reader, struct tokens *tokens, struct token token)
{
    if (tokens->count == PATH_TOKENS_MAX)
        return reader_wrong(reader, "a path of at most 256 parts");
    if (tokens->count == tokens->cap) {
        uint32_t cap = tokens->cap ? 2 * tokens->cap : 4;
        struct token *list = px_arena_realloc(reader->arena, tokens->list,
                                              tokens->cap * sizeof token, cap * sizeof token);
        if (!list) return px_arena_fault(reader->arena);
        tokens->list = list;
        tokens->cap = cap;
    }
    tokens->list[tokens->count++] = token;
    return 0;
}

/* Whether a name that is not in brackets ends here. */
static bool name_ends(const struct path_reader *reader)
{
    char c = reader_peek(reader, 0);
    if (!reader_more(reader) || c == '.' || c == '[' || c == '(') return true;
    if (reader->in_filter)
        return strchr(" \t\r\n<>=~!),", c) != NULL ||
               ((c == '&' || c == '|') && reader_peek(reader, 1) == c);
    return reader->place == ASL_PATH_ARGUMENT && strchr(" \t\r\n,)", c) != NULL;
}

/* "length()" and what else stands between the brackets. */
static int read_call(struct path_reader *reader, struct px_str name, struct tokens *tokens)
{
    if (reader->in_filter && !path_function_known(name))
        return reader_wrong(reader, "one of the functions length, size, min, max, sum, avg");
    unsigned open = 0;
    do {
        char c = reader_peek(reader, 0);
        if (!reader_more(reader)) return reader_wrong(reader, "a closing bracket of the function");
        open += c == '(';
        open -= c == ')';
        reader->at++;
    } while (open > 0);
    return token_add(reader, tokens, (struct token){.kind = TOKEN_FUNCTION, .of.name = name});
}

static int read_dotted_name(struct path_reader *reader, struct tokens *tokens)
{
    size_t from = reader->at;
    while (!name_ends(reader)) {
        if (reader_peek(reader, 0) == ' ')
            return reader_wrong(reader, "no blank in a name without brackets and quotes");
        reader->at++;
    }
    struct px_str name = px_str(reader->text.ptr + from, reader->at - from);
    if (name.len == 0) return reader_wrong(reader, "a name");
    if (reader_peek(reader, 0) == '(' && reader_more(reader))
        return read_call(reader, name, tokens);
    return token_add(reader, tokens,
                     (struct token){.kind = TOKEN_MEMBER, .quote = '\'', .of.name = name});
}

/* The text behind an opening quote, up to the closing one. */
static int read_quoted_name(struct path_reader *reader, char quote, struct px_str *ret_name)
{
    size_t from = reader->at, n = 0;
    char *name = px_arena_alloc(reader->arena, reader->text.len - from + 1);
    if (!name) return px_arena_fault(reader->arena);
    while (reader_more(reader) && reader_peek(reader, 0) != quote) {
        if (reader_peek(reader, 0) == '\\' && reader_peek(reader, 1) == quote) reader->at++;
        name[n++] = reader->text.ptr[reader->at++];
    }
    if (!reader_take(reader, quote)) return reader_wrong(reader, "a closing quote of the name");
    *ret_name = px_str(name, n);
    return 0;
}

static int read_names(struct path_reader *reader, struct tokens *tokens)
{
    struct px_str names[PATH_TOKENS_MAX];
    uint32_t count = 0;
    char quote = reader_peek(reader, 0);
    do {
        reader_blanks(reader);
        if (count == PATH_TOKENS_MAX) return reader_wrong(reader, "at most 256 names in brackets");
        if (!reader_take(reader, quote)) return reader_wrong(reader, "a name in the same quotes");
        int r = read_quoted_name(reader, quote, &names[count]);
        if (r) return r;
        count++;
        reader_blanks(reader);
    } while (reader_take(reader, ','));
    if (count == 1)
        return token_add(reader, tokens,
                         (struct token){.kind = TOKEN_MEMBER, .quote = quote, .of.name = names[0]});
    struct px_str *list = px_arena_array(reader->arena, struct px_str, count);
    if (!list) return px_arena_fault(reader->arena);
    memcpy(list, names, count * sizeof *list);
    return token_add(
        reader, tokens,
        (struct token){.kind = TOKEN_MEMBERS, .quote = quote, .count = count, .of.names = list});
}

/* Java's int. */
static bool read_number(struct path_reader *reader, int32_t *ret_number)
{
    bool negative = reader_take(reader, '-');
    int64_t number = 0;
    size_t from = reader->at;
    for (; reader_peek(reader, 0) >= '0' && reader_peek(reader, 0) <= '9'; reader->at++) {
        number = number * 10 + (reader_peek(reader, 0) - '0');
        if (number > INT32_MAX) return false;
    }
    *ret_number = (int32_t)(negative ? -number : number);
    return reader->at > from;
}

static int read_slice(struct path_reader *reader, struct slice slice, struct tokens *tokens)
{
    reader_blanks(reader);
    if (reader_peek(reader, 0) != ']') {
        if (!read_number(reader, &slice.to)) return reader_wrong(reader, "the end of a slice");
        slice.has_to = true;
        reader_blanks(reader);
    }
    if (!slice.has_from && !slice.has_to) return reader_wrong(reader, "a start or end of a slice");
    return token_add(reader, tokens, (struct token){.kind = TOKEN_SLICE, .of.slice = slice});
}

static int read_indexes(struct path_reader *reader, struct tokens *tokens)
{
    int32_t indexes[PATH_TOKENS_MAX];
    uint32_t count = 0;
    if (reader_take(reader, ':')) return read_slice(reader, (struct slice){0}, tokens);
    do {
        reader_blanks(reader);
        if (count == PATH_TOKENS_MAX) return reader_wrong(reader, "at most 256 indices");
        if (!read_number(reader, &indexes[count])) return reader_wrong(reader, "an index");
        count++;
        reader_blanks(reader);
        if (count == 1 && reader_take(reader, ':'))
            return read_slice(reader, (struct slice){.from = indexes[0], .has_from = true}, tokens);
    } while (reader_take(reader, ','));
    if (count == 1)
        return token_add(reader, tokens,
                         (struct token){.kind = TOKEN_INDEX, .of.index = indexes[0]});
    int32_t *list = px_arena_array(reader->arena, int32_t, count);
    if (!list) return px_arena_fault(reader->arena);
    memcpy(list, indexes, count * sizeof *list);
    return token_add(reader, tokens,
                     (struct token){.kind = TOKEN_INDEXES, .count = count, .of.indexes = list});
}

/* "?(@.a > 1)" */
static int read_filter(struct path_reader *reader, struct tokens *tokens)
{
    const struct filter *filter;
    reader_blanks(reader);
    if (reader_peek(reader, 0) != '(')
        return reader_wrong(reader, "an opening bracket of the filter");
    if (reader->depth == PATH_NEST_MAX) return reader_wrong(reader, "less filters in one another");
    bool outer = reader->in_filter;
    reader->in_filter = true;
    reader->depth++;
    reader->at++;
    int r = reader_filter(reader, &filter);
    reader->depth--;
    reader->in_filter = outer;
    if (r) return r;
    if (!reader_take(reader, ')')) return reader_wrong(reader, "a closing bracket of the filter");
    reader_blanks(reader);
    return token_add(reader, tokens, (struct token){.kind = TOKEN_FILTER, .of.filter = filter});
}

static int read_brackets(struct path_reader *reader, struct tokens *tokens)
{
    int r;
    reader->at++;
    reader_blanks(reader);
    char c = reader_peek(reader, 0);
    if (c == '\'' || c == '"') {
        r = read_names(reader, tokens);
    } else if (c == '*') {
        reader->at++;
        reader_blanks(reader);
        r = token_add(reader, tokens, (struct token){.kind = TOKEN_WILDCARD});
    } else if (c == '?') {
        reader->at++;
        r = read_filter(reader, tokens);
    } else if (c == '-' || c == ':' || (c >= '0' && c <= '9')) {
        r = read_indexes(reader, tokens);
    } else {
        return reader_wrong(reader, "a quoted name, an index, a slice, * or ?( in brackets");
    }
    if (r) return r;
    return reader_take(reader, ']') ? 0 : reader_wrong(reader, "a closing bracket");
}

/* What stands behind a dot or two. */
static int read_step(struct path_reader *reader, struct tokens *tokens)
{
    char c = reader_peek(reader, 0);
    if (c == '[' && reader_more(reader)) return read_brackets(reader, tokens);
    if (c == '*') {
        reader->at++;
        return token_add(reader, tokens, (struct token){.kind = TOKEN_WILDCARD});
    }
    return read_dotted_name(reader, tokens);
}

static int read_tokens(struct path_reader *reader, struct tokens *tokens)
{
    while (reader_more(reader)) {
        char c = reader_peek(reader, 0);
        int r = 0;
        if (c == '.') {
            reader->at++;
            if (reader_take(reader, '.'))
                r = token_add(reader, tokens, (struct token){.kind = TOKEN_SCAN});
            if (!r) r = read_step(reader, tokens);
        } else if (c == '[') {
            r = read_brackets(reader, tokens);
        } else if (name_ends(reader)) {
            return 0; /* the filter or the function goes on */
        } else {
            r = reader_wrong(reader, "a dot or an opening bracket");
        }
        if (r) return r;
    }
    return 0;
}

static bool variable_character(char c, bool first)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
    return letter || (!first && c >= '0' && c <= '9');
}

/* "$", "$$", "$name" or "@" */
static int read_root(struct path_reader *reader, struct asl_path *path)
{
    if (reader->in_filter && reader_take(reader, '@')) {
        path->item = true;
        return 0;
    }
    if (!reader_take(reader, '$')) return reader_wrong(reader, "a path that begins with $");
    if (reader->in_filter) return 0;
    path->root = reader_take(reader, '$') ? ASL_ROOT_CONTEXT : ASL_ROOT_INPUT;
    if (path->root == ASL_ROOT_CONTEXT) return 0;
    size_t from = reader->at;
    while (reader_more(reader) && variable_character(reader_peek(reader, 0), reader->at == from))
        reader->at++;
    path->variable = px_str(reader->text.ptr + from, reader->at - from);
    if (path->variable.len > 0) path->root = ASL_ROOT_VARIABLE;
    if (path->variable.len > VARIABLE_BYTES_MAX)
        return reader_wrong(reader, "a variable's name of at most 80 characters");
    return 0;
}

static bool token_is_definite(const struct token *token, bool last)
{
    switch (token->kind) {
    case TOKEN_MEMBER:
    case TOKEN_INDEX:
    case TOKEN_FUNCTION: return true;
    case TOKEN_MEMBERS: return last; /* then they become one object */
    default: return false;
    }
}

int reader_path(struct path_reader *reader, const struct asl_path **ret_path)
{
    size_t from = reader->at;
    struct tokens tokens = {0};
    struct asl_path *path = px_arena_new(reader->arena, struct asl_path);
    if (!path) return px_arena_fault(reader->arena);
    int r = read_root(reader, path);
    if (!r) r = read_tokens(reader, &tokens);
    if (r) return r;

    path->in_filter = reader->in_filter;
    path->tokens = tokens.list;
    path->count = tokens.count;
    path->text = px_str(reader->text.ptr + from, reader->at - from);
    path->definite = true;
    for (uint32_t i = 0; i < path->count; i++)
        path->definite &= token_is_definite(&path->tokens[i], i + 1 == path->count);
    *ret_path = path;
    return 0;
}

int asl_path_compile(struct px_str text, enum asl_path_place place, struct px_arena *arena,
                     const struct asl_path **ret_path, size_t *ret_used, struct px_where *ret_where)
{
    struct px_str kept = px_arena_dup(arena, text);
    if (!kept.ptr) return px_arena_fault(arena);
    struct path_reader reader = {.text = kept, .arena = arena, .where = ret_where, .place = place};
    const struct asl_path *path = NULL;
    int r = reader_path(&reader, &path);
    if (r) return r;
    if (place == ASL_PATH_ALONE && reader_more(&reader))
        return reader_wrong(&reader, "the end of the path");
    *ret_path = path;
    *ret_used = reader.at;
    return 0;
}

enum asl_path_root asl_path_root(const struct asl_path *path) { return path->root; }
struct px_str asl_path_variable(const struct asl_path *path) { return path->variable; }
bool asl_path_is_definite(const struct asl_path *path) { return path->definite; }
struct px_str asl_path_text(const struct asl_path *path) { return path->text; }

bool asl_path_is_reference(const struct asl_path *path)
{
    if (path->root != ASL_ROOT_INPUT) return false;
    for (uint32_t i = 0; i < path->count; i++)
        if (path->tokens[i].kind != TOKEN_MEMBER && path->tokens[i].kind != TOKEN_INDEX)
            return false;
    return true;
}
