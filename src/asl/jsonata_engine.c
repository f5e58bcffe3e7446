/* asl/jsonata_engine.c - a QuickJS runtime with the official module in it.
 *
 *   engine      runtime, context, the module and jsonata.js, from bytecode that the build made (jsonata_code.c); without
 *               eval(), Function(), files, processes or timers
 *   expression  what jsonata.js compiled: evaluate() and the names of its variables; kept by text, the least recently used
 *               goes first
 *   call        one check or evaluation: a stretch of processor time, after which the interrupt handler ends it
 *
 * States: closed, open. A call that meets its ceiling of memory or time leaves QuickJS by longjmp() and closes the engine: its
 * blocks are given back as they are. So QuickJS never sees an allocation fail (it would end the process in places), and
 * nothing half-done stays. The next call opens a new engine.
 * Invariants: no JavaScript object has anything outside of the engine's memory, so nothing needs finalizing; no job is pending
 * between calls, so nothing of one evaluation runs in the next. */
#include "asl/jsonata_engine.h"

#include <malloc.h>
#include <stdlib.h>
#include <time.h>

#include "asl/jsonata_code.h"

#define EXPRS_MAX 512
#define EXPR_BYTES_PART                                                                            \
    256 /* of the memory, for their text; a syntax tree takes some 50 times as much */
#define GC_BYTES_PART 8 /* of the memory, before garbage in circles is looked for */
#define STACK_BYTES ((size_t)512 << 10)

/* ---- ceilings ---- */

/* Leave QuickJS from within, wherever it is. Nothing of it is used again, only its memory given back. */
static _Noreturn void escape(struct asl_jsonata *jsonata, enum jsonata_end end)
{
    longjmp(jsonata->escape, (int)end);
}

/* Every block is on a list, so that closing is giving them all back. */
struct jsonata_block {
    struct jsonata_block *next, *previous;
};
static_assert(sizeof(struct jsonata_block) % 16 == 0, "what is behind it is aligned");

static void *linked(struct asl_jsonata *jsonata, struct jsonata_block *block)
{
    block->previous = NULL;
    block->next = jsonata->blocks;
    if (block->next) block->next->previous = block;
    jsonata->blocks = block;
    jsonata->bytes += malloc_usable_size(block);
    if (jsonata->bytes > jsonata->options.memory_bytes_max) escape(jsonata, JSONATA_MEMORY);
    return block + 1;
}

static void unlinked(struct asl_jsonata *jsonata, struct jsonata_block *block)
{
    if (block->next) block->next->previous = block->previous;
    if (block->previous)
        block->previous->next = block->next;
    else
        jsonata->blocks = block->next;
    jsonata->bytes -= malloc_usable_size(block);
}

static void *memory_calloc(void *opaque, size_t count, size_t bytes)
{
    struct asl_jsonata *jsonata = opaque;
    if (bytes > 0 && count > jsonata->options.memory_bytes_max / bytes)
        escape(jsonata, JSONATA_MEMORY);
    struct jsonata_block *block = calloc(1, sizeof *block + count * bytes);
    if (!block) escape(jsonata, JSONATA_REFUSED);
    return linked(jsonata, block);
}
static void *memory_malloc(void *opaque, size_t bytes)
{
    struct asl_jsonata *jsonata = opaque;
    if (bytes > jsonata->options.memory_bytes_max) escape(jsonata, JSONATA_MEMORY);
    struct jsonata_block *block = malloc(sizeof *block + bytes);
    if (!block) escape(jsonata, JSONATA_REFUSED);
    return linked(jsonata, block);
}
static void memory_free(void *opaque, void *memory)
{
    if (!memory) return;
    struct jsonata_block *block = (struct jsonata_block *)memory - 1;
    unlinked(opaque, block);
    free(block);
}
static void *memory_realloc(void *opaque, void *memory, size_t bytes)
{
    struct asl_jsonata *jsonata = opaque;
    if (!memory) return memory_malloc(jsonata, bytes);
    if (bytes > jsonata->options.memory_bytes_max) escape(jsonata, JSONATA_MEMORY);
    struct jsonata_block *block = (struct jsonata_block *)memory - 1;
    unlinked(jsonata, block);
    struct jsonata_block *grown = realloc(block, sizeof *block + bytes);
    if (grown) return linked(jsonata, grown);
    (void)linked(jsonata, block);
    escape(jsonata, JSONATA_REFUSED);
}
static size_t memory_size(const void *memory)
{
    if (!memory) return 0;
    struct jsonata_block *block = (struct jsonata_block *)(uintptr_t)memory - 1;
    return malloc_usable_size(block) - sizeof *block;
}

/* The thread's own, so that a busy machine does not make an expression fail. */
static int64_t cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Asked every so many calls and loops, within regular expressions too. */
static int interrupted(JSRuntime *runtime, void *opaque)
{
    (void)runtime;
    struct asl_jsonata *jsonata = opaque;
    if (cpu_ns() > jsonata->cpu_end_ns) escape(jsonata, JSONATA_EXPIRED);
    return 0;
}

enum jsonata_end jsonata_guard(struct asl_jsonata *jsonata, const struct asl_scope *scope,
                               jsonata_work *work, void *ctx)
{
    jsonata->scope = scope;
    enum jsonata_end end;
    switch (setjmp(jsonata->escape)) {
    case 0: end = work(jsonata, ctx); break;
    case JSONATA_EXPIRED: end = JSONATA_EXPIRED; break;
    case JSONATA_MEMORY: end = JSONATA_MEMORY; break;
    default: end = JSONATA_REFUSED; break;
    }
    jsonata->scope = NULL;
    if (end != JSONATA_OK && end != JSONATA_THREW) jsonata_close(jsonata);
    return end;
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
    JS_FreeValue(jsonata->context, expr->evaluate);
    memory_free(jsonata, expr);
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
    struct jsonata_expr *expr = memory_malloc(
        jsonata, sizeof *expr + name_count * sizeof *expr->names + name_bytes + text.len);
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
    JSContext *context = jsonata->context;
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
    JSContext *context = jsonata->context;
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
    JSContext *context = jsonata->context, *ran;
    if (JS_IsException(promise)) return JSONATA_THREW;
    while (JS_ExecutePendingJob(jsonata->runtime, &ran) > 0) {}
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
    return awaited(jsonata, JS_Call(jsonata->context, expr->evaluate, JS_UNDEFINED, 1, &bindings),
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
    JSContext *context = jsonata->context;
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

static JSValue loaded(JSContext *context, const uint8_t *code, size_t bytes)
{
    JSValue function = JS_ReadObject(context, code, bytes, JS_READ_OBJ_BYTECODE);
    return JS_IsException(function) ? function : JS_EvalFunction(context, function);
}

/* What jsonata.js says: before(host), the module, then after(), which promises compile(). */
static enum jsonata_end load(struct asl_jsonata *jsonata)
{
    JSContext *context = jsonata->context;
    JSValue after = JS_EXCEPTION, module = JS_EXCEPTION, promise = JS_EXCEPTION;
    JSValue before = loaded(context, jsonata_code_host, jsonata_code_host_bytes);
    JSValue host = JS_IsException(before) ? JS_EXCEPTION : jsonata_host(context);
    if (!JS_IsException(host)) after = JS_Call(context, before, JS_UNDEFINED, 1, &host);
    if (!JS_IsException(after))
        module = loaded(context, jsonata_code_module, jsonata_code_module_bytes);
    if (!JS_IsException(module)) promise = JS_Call(context, after, JS_UNDEFINED, 0, NULL);
    JS_FreeValue(context, module);
    JS_FreeValue(context, after);
    JS_FreeValue(context, host);
    JS_FreeValue(context, before);
    return awaited(jsonata, promise, &jsonata->compile);
}

static int add_intrinsics(JSContext *context)
{
    return JS_AddIntrinsicBaseObjects(context) < 0 || JS_AddIntrinsicDate(context) < 0 ||
                   JS_AddIntrinsicRegExp(context) < 0 || JS_AddIntrinsicJSON(context) < 0 ||
                   JS_AddIntrinsicMapSet(context) < 0 || JS_AddIntrinsicPromise(context) < 0 ||
                   JS_AddIntrinsicAToB(context) < 0
               ? -1
               : 0;
}

static enum jsonata_end open_engine(struct asl_jsonata *jsonata)
{
    static const JSMallocFunctions memory = {memory_calloc, memory_malloc, memory_free,
                                             memory_realloc, memory_size};
    jsonata->runtime = JS_NewRuntime2(&memory, jsonata);
    if (!jsonata->runtime) return JSONATA_REFUSED;
    JS_SetMaxStackSize(jsonata->runtime, STACK_BYTES);
    JS_SetGCThreshold(jsonata->runtime, jsonata->options.memory_bytes_max / GC_BYTES_PART);
    JS_SetInterruptHandler(jsonata->runtime, interrupted, jsonata);
    jsonata->context = JS_NewContextRaw(jsonata->runtime);
    if (!jsonata->context || add_intrinsics(jsonata->context) < 0) return JSONATA_REFUSED;
    JS_SetContextOpaque(jsonata->context, jsonata);
    jsonata->is_function = JS_NewAtom(jsonata->context, "_jsonata_function");
    jsonata->is_lambda = JS_NewAtom(jsonata->context, "_jsonata_lambda");
    if (jsonata_lazy_open(jsonata) < 0 || jsonata_states_open(jsonata) < 0) return JSONATA_THREW;
    return load(jsonata);
}

enum jsonata_end jsonata_open(struct asl_jsonata *jsonata)
{
    enum jsonata_end end = JSONATA_OK;
    jsonata->cpu_end_ns = INT64_MAX; /* opening is not the expression's time */
    if (jsonata->ready)
        JS_UpdateStackTop(jsonata->runtime); /* the depth that it is called from differs */
    else
        end = open_engine(jsonata);
    if (end == JSONATA_THREW) end = JSONATA_BROKEN;
    jsonata->ready = end == JSONATA_OK;
    jsonata->cpu_end_ns = cpu_ns() + jsonata->options.eval_ms_max * INT64_C(1000000);
    return end;
}

void jsonata_close(struct asl_jsonata *jsonata)
{
    while (jsonata->blocks) {
        struct jsonata_block *block = jsonata->blocks;
        jsonata->blocks = block->next;
        free(block);
    }
    memset(jsonata->buckets, 0, sizeof jsonata->buckets);
    jsonata->expr_count = jsonata->expr_bytes = jsonata->bytes = 0;
    jsonata->runtime = NULL;
    jsonata->context = NULL;
    jsonata->lazy_class = 0;
    jsonata->ready = false;
    jsonata->turn = 0;
}
