/* asl/intrinsic.c - calls: the text to a tree, arguments to values.
 *
 *   call = name "(" [ argument { "," argument } ] ")"      argument = call | path | 'text' | number | true | false | null */
#include "asl/intrinsic.h"

#include "asl/functions.h"

#define CALLS_DEEP_MAX 10u /* developer guide: at most 10 functions in one another */
#define ARGS_MAX 255u

enum arg_kind { ARG_VALUE, ARG_PATH, ARG_CALL };
struct arg {
    enum arg_kind kind;
    union {
        yyjson_mut_val *value;
        const struct asl_path *path;
        const struct asl_call *call;
    } of;
};
struct asl_call {
    const struct function *function;
    const struct arg *args;
    uint32_t arg_count;
};

/* ---- reading ---- */

struct call_reader {
    struct px_str text; /* ends with a NUL behind it */
    size_t at;
    struct px_arena *arena;
    struct px_where *where;
    unsigned depth;
};

static int wrong(struct call_reader *reader, const char *expected)
{
    px_where_set(reader->where, reader->at, NULL, "%s", expected);
    return ASL_INVALID;
}
static char peek(const struct call_reader *reader)
{
    return reader->at < reader->text.len ? reader->text.ptr[reader->at] : '\0';
}
static void blanks(struct call_reader *reader)
{
    while (peek(reader) == ' ' || peek(reader) == '\t' || peek(reader) == '\n' ||
           peek(reader) == '\r')
        reader->at++;
}
static bool take(struct call_reader *reader, char c)
{
    blanks(reader);
    if (reader->at == reader->text.len || peek(reader) != c) return false;
    reader->at++;
    return true;
}

/* A text between single quotes. Four characters may be escaped, no other backslash may stand. Escapes of a template stay: there
 * \{ is not {. */
static int read_text(struct call_reader *reader, bool is_template, yyjson_mut_val *value)
{
    char *text = px_arena_alloc(reader->arena, reader->text.len - reader->at + 1);
    size_t n = 0;
    if (!text) return px_arena_fault(reader->arena);
    for (reader->at++; reader->at < reader->text.len && peek(reader) != '\''; reader->at++) {
        if (peek(reader) == '\\') {
            reader->at++;
            char c = peek(reader);
            if (c != '\'' && c != '{' && c != '}' && c != '\\')
                return wrong(reader, "one of ' { } \\ behind a backslash");
            if (is_template) text[n++] = '\\';
        }
        text[n++] = peek(reader);
    }
    text[n] = '\0';
    if (!take(reader, '\'')) return wrong(reader, "a closing quote");
    yyjson_mut_set_strn(value, text, n);
    return 0;
}

static bool take_word(struct call_reader *reader, const char *word)
{
    if (!px_str_starts(px_str_skip(reader->text, reader->at), px_str_c(word))) return false;
    reader->at += strlen(word);
    return true;
}

static int read_literal(struct call_reader *reader, bool is_template, struct arg *arg)
{
    arg->kind = ARG_VALUE;
    arg->of.value = px_arena_new(reader->arena, yyjson_mut_val);
    if (!arg->of.value) return px_arena_fault(reader->arena);
    if (peek(reader) == '\'') return read_text(reader, is_template, arg->of.value);
    const char *from = reader->text.ptr + reader->at;
    if (take_word(reader, "true"))
        yyjson_mut_set_bool(arg->of.value, true);
    else if (take_word(reader, "false"))
        yyjson_mut_set_bool(arg->of.value, false);
    else if (take_word(reader, "null"))
        yyjson_mut_set_null(arg->of.value);
    else {
        const char *end = yyjson_mut_read_number(from, arg->of.value, YYJSON_READ_NOFLAG, NULL,
                                                 NULL);
        if (!end) return wrong(reader, "a path, a text in single quotes, a number or a function");
        reader->at += (size_t)(end - from);
    }
    return 0;
}

static int read_path(struct call_reader *reader, struct arg *arg)
{
    size_t used = 0;
    arg->kind = ARG_PATH;
    int r = asl_path_compile(px_str_skip(reader->text, reader->at), ASL_PATH_ARGUMENT,
                             reader->arena, &arg->of.path, &used, reader->where);
    if (r == ASL_INVALID) reader->where->offset += reader->at;
    reader->at += used;
    return r;
}

static int read_call(struct call_reader *reader, const struct asl_call **ret_call);

static int read_arg(struct call_reader *reader, bool is_template, struct arg *arg)
{
    blanks(reader);
    if (peek(reader) == '$') return read_path(reader, arg);
    if (peek(reader) != 'S') return read_literal(reader, is_template, arg);
    arg->kind = ARG_CALL;
    return read_call(reader, &arg->of.call);
}

static int read_args(struct call_reader *reader, const struct function *function,
                     struct asl_call *call)
{
    struct arg *args = NULL;
    uint32_t count = 0, cap = 0;
    bool format = function->call == call_format;
    if (take(reader, ')')) return 0;
    do {
        if (count == ARGS_MAX) return wrong(reader, "at most 255 arguments");
        if (count == cap) {
            uint32_t more = cap ? 2 * cap : 4;
            args = px_arena_realloc(reader->arena, args, cap * sizeof *args, more * sizeof *args);
            if (!args) return px_arena_fault(reader->arena);
            cap = more;
        }
        int r = read_arg(reader, format && count == 0, &args[count]);
        if (r) return r;
        count++;
    } while (take(reader, ','));
    call->args = args;
    call->arg_count = count;
    return take(reader, ')') ? 0 : wrong(reader, "a comma or a closing bracket");
}

static const struct function *function_named(struct px_str name)
{
    for (size_t i = 0; i < asl_function_count; i++)
        if (px_str_eq(name, px_str_c(asl_functions[i].name))) return &asl_functions[i];
    return NULL;
}

static int read_call(struct call_reader *reader, const struct asl_call **ret_call)
{
    struct px_str rest = px_str_skip(reader->text, reader->at), name;
    struct asl_call *call = px_arena_new(reader->arena, struct asl_call);
    if (!call) return px_arena_fault(reader->arena);
    if (!px_str_cut(&rest, '(', &name)) return wrong(reader, "the arguments of a function");
    call->function = function_named(px_str_trim(name));
    if (!call->function) return wrong(reader, "a function that there is");
    if (reader->depth == CALLS_DEEP_MAX)
        return wrong(reader, "at most 10 functions in one another");
    size_t from = reader->at;
    reader->depth++;
    reader->at += name.len + 1;
    int r = read_args(reader, call->function, call);
    reader->depth--;
    if (r) return r;
    if (call->arg_count < call->function->args_min || call->arg_count > call->function->args_max) {
        reader->at = from;
        return wrong(reader, "the function's number of arguments");
    }
    *ret_call = call;
    return 0;
}

int asl_call_compile(struct px_str text, struct px_arena *arena, const struct asl_call **ret_call,
                     struct px_where *ret_where)
{
    struct px_str kept = px_arena_dup(arena, text);
    if (!kept.ptr) return px_arena_fault(arena);
    struct call_reader reader = {.text = kept, .arena = arena, .where = ret_where};
    const struct asl_call *call = NULL;
    int r = read_call(&reader, &call);
    if (r) return r;
    if (reader.at < kept.len) return wrong(&reader, "the end of the function");
    *ret_call = call;
    return 0;
}

/* ---- calling ---- */

yyjson_mut_val *asl_scope_root(const struct asl_scope *scope, const struct asl_path *path)
{
    switch (asl_path_root(path)) {
    case ASL_ROOT_INPUT: return scope->input;
    case ASL_ROOT_CONTEXT: return scope->context;
    case ASL_ROOT_VARIABLE: break;
    }
    return scope->variables ? asl_member(scope->variables, asl_path_variable(path)) : NULL;
}

/* What is said of every failure of one call, however deep inside it. */
struct call_place {
    const struct asl_scope *scope;
    struct px_str text;
    struct asl_failure *failure;
};

static int path_missed(const struct call_place *place, const struct asl_path *path,
                       const struct asl_path_miss *miss)
{
    struct asl_values *values = place->scope->values;
    struct px_str input = {0}, text = asl_path_text(path);
    const char *cut = asl_path_root(path) == ASL_ROOT_CONTEXT ? text.ptr + 1 : text.ptr;
    if (miss && asl_path_miss_is_no_array(path, miss)) {
        struct px_str said = asl_path_miss_text(path, miss, values);
        if (!said.ptr) return px_arena_fault(values->arena);
        return asl_fail(values->arena, place->failure, ASL_E_RUNTIME,
                        "The function '%.*s' had the following error: %.*s", PX_FMT(place->text),
                        PX_FMT(said));
    }
    int r = asl_value_write(values, place->scope->input, &input);
    if (r < 0) return r;
    return asl_fail(
        values->arena, place->failure, ASL_E_RUNTIME,
        "The function '%.*s' had the following error: The JsonPath argument for the field "
        "'%.*s' could not be found in the input '%.*s'",
        PX_FMT(place->text), (int)(text.len - (size_t)(cut - text.ptr)), cut, PX_FMT(input));
}

static int path_value(const struct call_place *place, const struct asl_path *path,
                      yyjson_mut_val **ret_value)
{
    bool fresh;
    struct asl_path_miss miss = {0};
    yyjson_mut_val *value = NULL, *root = asl_scope_root(place->scope, path);
    if (!root) return path_missed(place, path, NULL);
    int r = asl_path_eval(path, place->scope->values, root, &value, &fresh, &miss, place->failure);
    if (r) return r;
    if (!value) return path_missed(place, path, &miss);
    *ret_value = value;
    return 0;
}

static int call_eval(const struct call_place *place, const struct asl_call *call,
                     yyjson_mut_val **ret_value, bool *ret_fresh);

static int arg_value(const struct call_place *place, const struct arg *arg,
                     yyjson_mut_val **ret_value)
{
    bool fresh;
    switch (arg->kind) {
    case ARG_VALUE: *ret_value = arg->of.value; return 0;
    case ARG_PATH: return path_value(place, arg->of.path, ret_value);
    case ARG_CALL: break;
    }
    return call_eval(place, arg->of.call, ret_value, &fresh);
}

static int call_eval(const struct call_place *place, const struct asl_call *call,
                     yyjson_mut_val **ret_value, bool *ret_fresh)
{
    struct px_arena *arena = place->scope->values->arena;
    yyjson_mut_val **list = px_arena_array(arena, yyjson_mut_val *, call->arg_count);
    if (!list) return px_arena_fault(arena);
    for (uint32_t i = 0; i < call->arg_count; i++) {
        int r = arg_value(place, &call->args[i], &list[i]);
        if (r) return r;
    }
    struct call_args args = {
        .scope = place->scope, .list = list, .count = call->arg_count, .fresh = true};
    int r = call->function->call(&args, ret_value);
    *ret_fresh = args.fresh;
    if (r != ASL_FAILED) return r;
    return asl_fail(arena, place->failure, ASL_E_RUNTIME,
                    "The function '%.*s' had the following error: %s in %s%s%s",
                    PX_FMT(place->text), args.what ? args.what : "Invalid arguments",
                    call->function->name, args.why ? ": " : "", args.why ? args.why : "");
}

int asl_call_eval(const struct asl_call *call, struct px_str text, const struct asl_scope *scope,
                  yyjson_mut_val **ret_value, bool *ret_fresh, struct asl_failure *ret_failure)
{
    struct call_place place = {scope, text, ret_failure};
    return call_eval(&place, call, ret_value, ret_fresh);
}
