/* asl/jsonata_engine.c - a QuickJS runtime with the official module in it.
 *
 *   engine      a js_cell with the module and jsonata.js in it, from bytecode that the build made (jsonata_code.c)
 *   expression  what jsonata.js compiled: evaluate() and the names of its variables; kept by text, the least recently used
 *               goes first
 *   call        one check or evaluation: a stretch of processor time, after which the cell is closed
 *
 * Invariant: no job is pending between calls, so nothing of one evaluation runs in the next. */
#include "asl/jsonata_engine.h"

#include "asl/jsonata_code.h"

#define EXPRS_MAX 512
#define EXPR_BYTES_PART                                                                            \
    256 /* of the memory, for their text; a syntax tree takes some 50 times as much */

/* ---- a call ---- */

struct guarded {
    struct asl_jsonata *jsonata;
    jsonata_work *work;
    void *ctx;
    bool broken;
};

static enum js_end run_guarded(void *ctx)
{
    struct guarded *call = ctx;
    enum jsonata_end end = call->work(call->jsonata, call->ctx);
    call->broken = end == JSONATA_BROKEN;
    return call->broken ? JS_END_REFUSED : (enum js_end)end;
}

enum jsonata_end jsonata_guard(struct asl_jsonata *jsonata, const struct asl_scope *scope,
                               jsonata_work *work, void *ctx)
{
    struct guarded call = {.jsonata = jsonata, .work = work, .ctx = ctx};
    jsonata->scope = scope;
    enum jsonata_end end = (enum jsonata_end)js_cell_guard(&jsonata->cell, run_guarded, &call);
    jsonata->scope = NULL;
    if (end != JSONATA_OK && end != JSONATA_THREW) jsonata_close(jsonata);
    return call.broken ? JSONATA_BROKEN : end;
}

/* ---- expressions ---- */

static uint64_t hash_of(struct px_str text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.ptr[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static struct jsonata_expr **place_of(struct asl_jsonata *jsonata, struct px_str text,
                                      uint64_t hash)
{
    struct jsonata_expr **at = &jsonata->buckets[hash % JSONATA_BUCKETS];
    while (*at && ((*at)->hash != hash || !px_str_eq((*at)->text, text))) at = &(*at)->next;
    return at;
}

static void expr_remove(struct asl_jsonata *jsonata, struct jsonata_expr **at)
{
    struct jsonata_expr *expr = *at;
    *at = expr->next;
    jsonata->expr_count--;
    jsonata->expr_bytes -= expr->text.len;
    JS_FreeValue(jsonata->cell.context, expr->evaluate);
    js_free_rt(jsonata->cell.runtime, expr);
}

static void expr_remove_oldest(struct asl_jsonata *jsonata)
{
    struct jsonata_expr **oldest = NULL;
    for (size_t i = 0; i < JSONATA_BUCKETS; i++)
        for (struct jsonata_expr **at = &jsonata->buckets[i]; *at; at = &(*at)->next)
            if (!oldest || (*at)->used < (*oldest)->used) oldest = at;
    expr_remove(jsonata, oldest);
}

/* One block: the expression, its names, their texts, its own text. */
static struct jsonata_expr *expr_alloc(struct asl_jsonata *jsonata, struct px_str text,
                                       size_t name_count, size_t name_bytes)
{
    struct jsonata_expr *expr = js_malloc_rt(jsonata->cell.runtime,
                                             sizeof *expr + name_count * sizeof *expr->names +
                                                 name_bytes + text.len);
    *expr = (struct jsonata_expr){.names = (struct px_str *)(expr + 1), .name_count = name_count};
    char *tail = (char *)(expr->names + name_count) + name_bytes;
    if (text.ptr) memcpy(tail, text.ptr, text.len);
    expr->text = px_str(tail, text.len);
    return expr;
}

/* compile() answers [evaluate, names of variables, joined by line feeds]. */
static struct jsonata_expr *expr_read(struct asl_jsonata *jsonata, struct px_str text,
                                      JSValueConst answer)
{
    JSContext *context = jsonata->cell.context;
    struct jsonata_expr *expr = NULL;
    size_t len = 0, count = 0;
    JSValue joined = JS_GetPropertyUint32(context, answer, 1);
    const char *names = JS_IsException(joined) ? NULL : JS_ToCStringLen(context, &len, joined);
    for (size_t i = 0; names && i < len; i++) count += names[i] == '\n';
    if (names) {
        expr = expr_alloc(jsonata, text, count, len);
        char *copy = (char *)(expr->names + count);
        if (len > 0) memcpy(copy, names, len);
        struct px_str rest = px_str(copy, len);
        for (size_t i = 0; i < count; i++) (void)px_str_cut(&rest, '\n', &expr->names[i]);
        expr->evaluate = JS_GetPropertyUint32(context, answer, 0);
    }
    JS_FreeCString(context, names);
    JS_FreeValue(context, joined);
    return expr;
}

static struct jsonata_expr *expr_compile(struct asl_jsonata *jsonata, struct px_str text)
{
    JSContext *context = jsonata->cell.context;
    JSValue source = JS_NewStringLen(context, text.ptr ? text.ptr : "", text.len);
    if (JS_IsException(source)) return NULL;
    JSValue answer = JS_Call(context, jsonata->compile, JS_UNDEFINED, 1, &source);
    JS_FreeValue(context, source);
    if (JS_IsException(answer)) return NULL;
    struct jsonata_expr *expr = expr_read(jsonata, text, answer);
    JS_FreeValue(context, answer);
    return expr;
}

enum jsonata_end jsonata_compiled(struct asl_jsonata *jsonata, struct px_str text,
                                  const struct jsonata_expr **ret_expr)
{
    uint64_t hash = hash_of(text);
    size_t text_max = jsonata->options.memory_bytes_max / EXPR_BYTES_PART;
    struct jsonata_expr **at = place_of(jsonata, text, hash);
    if (!*at) {
        struct jsonata_expr *expr = expr_compile(jsonata, text);
        if (!expr) return JSONATA_THREW;
        while (jsonata->expr_count > 0 &&
               (jsonata->expr_count >= EXPRS_MAX || jsonata->expr_bytes + text.len > text_max))
            expr_remove_oldest(jsonata);
        at = &jsonata->buckets[hash % JSONATA_BUCKETS];
        expr->hash = hash;
        expr->next = *at;
        *at = expr;
        jsonata->expr_count++;
        jsonata->expr_bytes += text.len;
    }
    (*at)->used = ++jsonata->turn;
    *ret_expr = *at;
    return JSONATA_OK;
}

/* ---- running ---- */

/* Take the value of a promise, running every job, those included that a rejected promise did not wait for. */
static enum jsonata_end awaited(struct asl_jsonata *jsonata, JSValue promise, JSValue *ret_value)
{
    JSContext *context = jsonata->cell.context, *ran;
    if (JS_IsException(promise)) return JSONATA_THREW;
    while (JS_ExecutePendingJob(jsonata->cell.runtime, &ran) > 0) {}
    JSPromiseStateEnum state = JS_PromiseState(context, promise);
    JSValue result = JS_PromiseResult(context, promise);
    JS_FreeValue(context, promise);
    if (state == JS_PROMISE_FULFILLED) {
        *ret_value = result;
        return JSONATA_OK;
    }
    if (state == JS_PROMISE_REJECTED)
        (void)JS_Throw(context, result);
    else
        (void)JS_ThrowInternalError(context, "the evaluation did not come to an end");
    return JSONATA_THREW;
}

enum jsonata_end jsonata_run(struct asl_jsonata *jsonata, const struct jsonata_expr *expr,
                             JSValueConst bindings, JSValue *ret_value)
{
    return awaited(jsonata,
                   JS_Call(jsonata->cell.context, expr->evaluate, JS_UNDEFINED, 1, &bindings),
                   ret_value);
}

/* ---- what went wrong ---- */

/* A string member of an object; empty for anything else. */
static struct px_str member_text(JSContext *context, JSValueConst object, const char *name,
                                 struct px_arena *arena)
{
    struct px_str text = {0};
    size_t len;
    JSValue member = JS_GetPropertyStr(context, object, name);
    const char *found = JS_IsString(member) ? JS_ToCStringLen(context, &len, member) : NULL;
    if (found) text = px_arena_dup(arena, px_str(found, len));
    JS_FreeCString(context, found);
    JS_FreeValue(context, member);
    return text;
}

static int64_t member_number(JSContext *context, JSValueConst object, const char *name)
{
    int64_t number = -1;
    JSValue member = JS_GetPropertyStr(context, object, name);
    if (JS_IsNumber(member) && JS_ToInt64(context, &number, member) < 0) number = -1;
    JS_FreeValue(context, member);
    return number;
}

void jsonata_caught(struct asl_jsonata *jsonata, struct px_arena *arena,
                    struct jsonata_error *ret_error)
{
    JSContext *context = jsonata->cell.context;
    JSValue exception = JS_GetException(context);
    *ret_error = (struct jsonata_error){.position = -1};
    if (JS_IsObject(exception)) {
        ret_error->code = member_text(context, exception, "code", arena);
        ret_error->message = member_text(context, exception, "message", arena);
        ret_error->position = member_number(context, exception, "position");
    }
    JS_FreeValue(context, exception);
}

/* ---- opening ---- */

/* What jsonata.js says: before(host), the module, then after(), which promises compile(). */
static enum jsonata_end load(struct asl_jsonata *jsonata)
{
    JSContext *context = jsonata->cell.context;
    JSValue after = JS_EXCEPTION, module = JS_EXCEPTION, promise = JS_EXCEPTION;
    JSValue before = js_cell_load(context, jsonata_code_host, jsonata_code_host_bytes);
    JSValue host = JS_IsException(before) ? JS_EXCEPTION : jsonata_host(context);
    if (!JS_IsException(host)) after = JS_Call(context, before, JS_UNDEFINED, 1, &host);
    if (!JS_IsException(after))
        module = js_cell_load(context, jsonata_code_module, jsonata_code_module_bytes);
    if (!JS_IsException(module)) promise = JS_Call(context, after, JS_UNDEFINED, 0, NULL);
    JS_FreeValue(context, module);
    JS_FreeValue(context, after);
    JS_FreeValue(context, host);
    JS_FreeValue(context, before);
    return awaited(jsonata, promise, &jsonata->compile);
}

static enum jsonata_end open_engine(struct asl_jsonata *jsonata)
{
    if (js_cell_open(&jsonata->cell) != JS_END_OK) return JSONATA_REFUSED;
    JSContext *context = jsonata->cell.context;
    if (JS_AddIntrinsicDate(context) < 0 || JS_AddIntrinsicPromise(context) < 0)
        return JSONATA_REFUSED;
    JS_SetContextOpaque(context, jsonata);
    jsonata->is_function = JS_NewAtom(context, "_jsonata_function");
    jsonata->is_lambda = JS_NewAtom(context, "_jsonata_lambda");
    if (jsonata_lazy_open(jsonata) < 0 || jsonata_states_open(jsonata) < 0) return JSONATA_THREW;
    return load(jsonata);
}

enum jsonata_end jsonata_open(struct asl_jsonata *jsonata)
{
    enum jsonata_end end = JSONATA_OK;
    if (!jsonata->ready) end = open_engine(jsonata);
    if (end == JSONATA_THREW) end = JSONATA_BROKEN;
    jsonata->ready = end == JSONATA_OK;
    if (jsonata->ready) js_cell_begin(&jsonata->cell); /* opening is not the expression's time */
    return end;
}

void jsonata_close(struct asl_jsonata *jsonata)
{
    js_cell_close(&jsonata->cell);
    memset(jsonata->buckets, 0, sizeof jsonata->buckets);
    jsonata->expr_count = jsonata->expr_bytes = 0;
    jsonata->lazy_class = 0;
    jsonata->ready = false;
    jsonata->turn = 0;
}
