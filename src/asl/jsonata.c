/* asl/jsonata.c - checking and evaluating JSONata, and the words for what goes wrong.
 *
 * The causes are Step Functions' where one is recorded ("returned nothing (undefined)", "threw an error during evaluation"),
 * in their style where none is. */
#include "asl/jsonata.h"

#include <stdlib.h>

#include "asl/jsonata_engine.h"

#define MAGIC UINT32_C(0x4a534e41)
#define MEMORY_BYTES ((size_t)64 << 20)
#define EVAL_MS 1000
#define LAZY_MIN 16
#define WORDS_BYTES ((size_t)64 << 10) /* what an error of a check may say */

int asl_jsonata_new(const struct asl_jsonata_options *options, struct asl_jsonata **ret_jsonata)
{
    struct asl_jsonata *jsonata = calloc(1, sizeof *jsonata);
    if (!jsonata) return px_fault(PX_F_OOM, "an engine for JSONata");
    jsonata->magic = MAGIC;
    if (options) jsonata->options = *options;
    if (jsonata->options.memory_bytes_max == 0) jsonata->options.memory_bytes_max = MEMORY_BYTES;
    if (jsonata->options.eval_ms_max == 0) jsonata->options.eval_ms_max = EVAL_MS;
    jsonata->cell.memory_bytes_max = jsonata->options.memory_bytes_max;
    jsonata->cell.call_ms_max = (uint32_t)jsonata->options.eval_ms_max;
    jsonata->lazy_min = LAZY_MIN;
    *ret_jsonata = jsonata;
    return 0;
}

void asl_jsonata_free(struct asl_jsonata **jsonata)
{
    if (!*jsonata) return;
    PX_ASSERT((*jsonata)->magic == MAGIC);
    jsonata_close(*jsonata);
    free(*jsonata);
    *jsonata = NULL;
}

/* ---- a call ---- */

struct call {
    struct px_str text;
    const struct asl_scope *scope; /* NULL: a check */
    const char *field;
    struct px_arena *arena;

    struct jsonata_error error; /* JSONATA_THREW */
    enum jsonata_shape shape;
    yyjson_mut_val *value; /* JSONATA_SHAPE_FINE */
};

static int bind(JSContext *context, JSValueConst bindings, struct px_str name, JSValue value)
{
    if (JS_IsException(value)) return -1;
    JSAtom atom = JS_NewAtomLen(context, name.ptr, name.len);
    int r = JS_DefinePropertyValue(context, bindings, atom, value, JS_PROP_C_W_E);
    JS_FreeAtom(context, atom);
    return r < 0 ? -1 : 0;
}

/* $states, and those of the variables that the expression names. */
static JSValue bindings_of(struct asl_jsonata *jsonata, const struct jsonata_expr *expr,
                           const struct asl_scope *scope)
{
    JSContext *context = jsonata->cell.context;
    JSValue bindings = JS_NewObjectProto(context, JS_NULL);
    for (size_t i = 0; i < expr->name_count; i++) {
        struct px_str name = expr->names[i];
        bool states = px_str_eq(name, S("states"));
        yyjson_mut_val *value = states ? NULL
                                       : yyjson_mut_obj_getn(scope->variables, name.ptr, name.len);
        if (!states && !value) continue;
        if (bind(context, bindings, name,
                 states ? jsonata_states(jsonata) : jsonata_to_js(context, value)) == 0)
            continue;
        JS_FreeValue(context, bindings);
        return JS_EXCEPTION;
    }
    return bindings;
}

static enum jsonata_end evaluate(struct asl_jsonata *jsonata, const struct jsonata_expr *expr,
                                 struct call *call)
{
    JSValue value, bindings = bindings_of(jsonata, expr, call->scope);
    if (JS_IsException(bindings)) return JSONATA_THREW;
    enum jsonata_end end = jsonata_run(jsonata, expr, bindings, &value);
    JS_FreeValue(jsonata->cell.context, bindings);
    if (end != JSONATA_OK) return end;
    call->shape = jsonata_from_js(jsonata, value, call->scope->values, &call->value);
    JS_FreeValue(jsonata->cell.context, value);
    return call->shape == JSONATA_SHAPE_EXCEPTION ? JSONATA_THREW : JSONATA_OK;
}

static enum jsonata_end work(struct asl_jsonata *jsonata, void *ctx)
{
    struct call *call = ctx;
    const struct jsonata_expr *expr;
    enum jsonata_end end = jsonata_open(jsonata);
    if (end == JSONATA_OK) end = jsonata_compiled(jsonata, call->text, &expr);
    if (end == JSONATA_OK && call->scope) end = evaluate(jsonata, expr, call);
    if (end == JSONATA_THREW) jsonata_caught(jsonata, call->arena, &call->error);
    return end;
}

/* What earlier calls left (expressions, and garbage in circles) may be what fills the memory: then once more in a new engine. */
static enum jsonata_end run(struct asl_jsonata *jsonata, struct call *call)
{
    const struct call fresh = *call;
    bool was_used = jsonata->turn > 0;
    enum jsonata_end end = jsonata_guard(jsonata, call->scope, work, call);
    if (end != JSONATA_MEMORY || !was_used) return end;
    *call = fresh;
    return jsonata_guard(jsonata, call->scope, work, call);
}

/* ---- words ---- */

/* The module's errors have a code. What only an engine runs into is said in our words. */
static struct px_str words_of(const struct asl_jsonata *jsonata, enum jsonata_end end,
                              const struct call *call)
{
    struct px_str code = call->error.code, message = call->error.message;
    if (end == JSONATA_EXPIRED)
        return px_arena_printf(call->arena,
                               "Expression evaluation timeout: more than %lld ms of processor time",
                               (long long)jsonata->options.eval_ms_max);
    if (end == JSONATA_MEMORY)
        return px_arena_printf(call->arena,
                               "Expression evaluation needs more than %zu MiB of memory",
                               jsonata->options.memory_bytes_max >> 20);
    if (px_str_eq(message, S("Maximum call stack size exceeded")))
        return S("Stack overflow: check for a recursive function that does not end");
    return code.len == 0
               ? message
               : px_arena_printf(call->arena, "%.*s: %.*s", PX_FMT(code), PX_FMT(message));
}

/* The fault of a call that ended by none of the expression's doing; 0: there is none. */
static int fault_of(enum jsonata_end end)
{
    if (end == JSONATA_REFUSED) return px_fault(PX_F_OOM, "an engine for JSONata");
    if (end == JSONATA_BROKEN) return px_fault(PX_F_BUG, "JSONata's module cannot be loaded");
    return 0;
}

/* ---- check ---- */

/* JavaScript counts UTF-16 units. */
static size_t offset_of(struct px_str text, int64_t units)
{
    size_t at = 0;
    while (at < text.len && units > 0) {
        unsigned char first = (unsigned char)text.ptr[at];
        units -= first >= 0xf0 ? 2 : 1;
        at += first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    }
    return PX_MIN(at, text.len);
}

int asl_jsonata_check(struct asl_jsonata *jsonata, struct px_str text, struct px_where *ret_where)
{
    PX_ASSERT(jsonata->magic == MAGIC);
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, WORDS_BYTES);
    struct call call = {.text = text, .arena = &arena};
    enum jsonata_end end = run(jsonata, &call);
    if (end == JSONATA_OK) return 0;
    PX_TRY(fault_of(end));
    px_where_set(ret_where, offset_of(text, call.error.position), NULL, "%.*s",
                 PX_FMT(words_of(jsonata, end, &call)));
    return ASL_INVALID;
}

/* ---- evaluate ---- */

#define BEGINNING "The JSONata expression '%.*s' specified for the field '%s' "

static int failed(struct px_arena *arena, struct asl_failure *ret_failure, const char *error,
                  struct px_str cause)
{
    if (!cause.ptr) return px_arena_fault(arena);
    *ret_failure = (struct asl_failure){px_str_c(error), cause};
    return ASL_FAILED;
}

static int threw(const struct asl_jsonata *jsonata, enum jsonata_end end, const struct call *call,
                 struct asl_failure *ret_failure)
{
    return failed(call->arena, ret_failure, ASL_E_QUERY,
                  px_arena_printf(call->arena, BEGINNING "threw an error during evaluation. %.*s",
                                  PX_FMT(call->text), call->field,
                                  PX_FMT(words_of(jsonata, end, call))));
}

static int misshapen(const struct call *call, struct asl_failure *ret_failure)
{
    static const struct {
        const char *error, *words;
    } all[] = {
        [JSONATA_SHAPE_NOTHING] = {ASL_E_QUERY, "returned nothing (undefined)."},
        [JSONATA_SHAPE_FUNCTION] = {ASL_E_QUERY, "returned a function, which is no JSON value."},
        [JSONATA_SHAPE_DEEP] = {ASL_E_QUERY, "returned a value with too many levels of nesting."},
        [JSONATA_SHAPE_LARGE] = {ASL_E_DATA_LIMIT,
                                 "returned a value that exceeds the maximum number of "
                                 "bytes service limit."},
    };
    if (call->shape == JSONATA_SHAPE_ARENA) return px_arena_fault(call->arena);
    return failed(call->arena, ret_failure, all[call->shape].error,
                  px_arena_printf(call->arena, BEGINNING "%s", PX_FMT(call->text), call->field,
                                  all[call->shape].words));
}

int asl_jsonata_eval(struct asl_jsonata *jsonata, struct px_str text, const struct asl_scope *scope,
                     const char *field, yyjson_mut_val **ret_value, struct asl_failure *ret_failure)
{
    PX_ASSERT(jsonata->magic == MAGIC);
    yyjson_mut_val *plain = jsonata->always_runs ? NULL : jsonata_path(text, scope);
    if (plain) {
        *ret_value = plain;
        return 0;
    }
    struct call call = {
        .text = text, .scope = scope, .field = field, .arena = scope->values->arena};
    enum jsonata_end end = run(jsonata, &call);
    PX_TRY(fault_of(end));
    if (end != JSONATA_OK) return threw(jsonata, end, &call, ret_failure);
    if (call.shape != JSONATA_SHAPE_FINE) return misshapen(&call, ret_failure);
    *ret_value = call.value;
    return 0;
}
