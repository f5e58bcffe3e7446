/* vtl/vtl.c - calls of vtl.js: check(template), render(template, input as JSON).
 *
 * Everything crosses as text, so no value of a request is an object of the engine before its own JSON.parse() made it one. */
#include "vtl/vtl.h"

#include <stdlib.h>

#include "base/px_buf.h"
#include "js/cell.h"
#include "vtl/vtl_code.h"

#define MEMORY_BYTES ((size_t)32 << 20)
#define EVAL_MS 500
#define INPUT_BYTES_MAX ((size_t)4 << 20)

struct vtl {
    struct js_cell cell;
    JSValue check, render; /* while the cell is open */
    bool ready;
};

int vtl_new(const struct vtl_options *options, struct vtl **ret_vtl)
{
    struct vtl *vtl = calloc(1, sizeof *vtl);
    if (!vtl) return px_fault(PX_F_OOM, "an engine for mapping templates");
    vtl->cell.memory_bytes_max = options && options->memory_bytes_max ? options->memory_bytes_max
                                                                      : MEMORY_BYTES;
    vtl->cell.call_ms_max = options && options->eval_ms_max ? options->eval_ms_max : EVAL_MS;
    *ret_vtl = vtl;
    return 0;
}

void vtl_rest(struct vtl *vtl)
{
    js_cell_close(&vtl->cell);
    vtl->ready = false;
}

void vtl_free(struct vtl **vtl)
{
    if (!*vtl) return;
    vtl_rest(*vtl);
    free(*vtl);
    *vtl = NULL;
}

struct call {
    struct vtl *vtl;
    struct px_str text;
    const struct px_buf *input; /* NULL: a check */
    struct px_arena *arena;
    struct px_str result, why; /* in the arena; result is not there after a check */
    int status;
    bool broken; /* the module cannot be loaded: a mistake of ours */
};

/* ---- the engine ---- */

/* vtl.js is a function; called when the module is there, it gives [check, render]. */
static bool load(struct vtl *vtl)
{
    JSContext *context = vtl->cell.context;
    JSValue pair = JS_EXCEPTION;
    JSValue module = js_cell_load(context, vtl_code_module, vtl_code_module_bytes);
    JSValue own = JS_IsException(module) ? JS_EXCEPTION
                                         : js_cell_load(context, vtl_code_own, vtl_code_own_bytes);
    if (!JS_IsException(own)) pair = JS_Call(context, own, JS_UNDEFINED, 0, NULL);
    if (!JS_IsException(pair)) {
        vtl->check = JS_GetPropertyUint32(context, pair, 0);
        vtl->render = JS_GetPropertyUint32(context, pair, 1);
    }
    bool loaded = !JS_IsException(pair);
    JS_FreeValue(context, pair);
    JS_FreeValue(context, own);
    JS_FreeValue(context, module);
    return loaded;
}

static struct px_str text_of(struct call *call, JSValueConst value)
{
    JSContext *context = call->vtl->cell.context;
    struct px_str text = {0};
    size_t len;
    const char *found = JS_ToCStringLen(context, &len, value);
    if (found) text = px_arena_dup(call->arena, px_str(found, len));
    JS_FreeCString(context, found);
    return text;
}

static void take_exception(struct call *call)
{
    JSContext *context = call->vtl->cell.context;
    JSValue exception = JS_GetException(context);
    JSValue message = JS_GetPropertyStr(context, exception, "message");
    if (JS_IsString(message)) call->why = text_of(call, message);
    if (JS_IsException(message)) JS_FreeValue(context, JS_GetException(context));
    if (call->why.len == 0) call->why = S("the template cannot be evaluated");
    JS_FreeValue(context, message);
    JS_FreeValue(context, exception);
}

static void take_result(struct call *call, JSValueConst result)
{
    JSContext *context = call->vtl->cell.context;
    JSValue text = JS_GetPropertyUint32(context, result, 0);
    JSValue status = JS_GetPropertyUint32(context, result, 1);
    int32_t number = 0;
    if (!JS_IsException(text)) call->result = text_of(call, text);
    if (JS_ToInt32(context, &number, status) == 0) call->status = number;
    JS_FreeValue(context, status);
    JS_FreeValue(context, text);
}

static enum js_end work(void *ctx)
{
    struct call *call = ctx;
    struct vtl *vtl = call->vtl;
    if (!vtl->ready) {
        enum js_end end = js_cell_open(&vtl->cell);
        if (end != JS_END_OK) return end;
        vtl->ready = load(vtl);
        call->broken = !vtl->ready;
        if (call->broken) {
            take_exception(call);
            return JS_END_THREW;
        }
    }
    js_cell_begin(&vtl->cell);
    JSContext *context = vtl->cell.context;
    JSValue given[2] = {
        JS_NewStringLen(context, call->text.ptr ? call->text.ptr : "", call->text.len),
        JS_UNDEFINED};
    if (call->input) given[1] = JS_NewStringLen(context, call->input->ptr, call->input->len);
    JSValue result = JS_Call(context, call->input ? vtl->render : vtl->check, JS_UNDEFINED, 2,
                             given);
    enum js_end end = JS_IsException(result) ? JS_END_THREW : JS_END_OK;
    if (end == JS_END_THREW)
        take_exception(call);
    else if (call->input)
        take_result(call, result);
    JS_FreeValue(context, result);
    JS_FreeValue(context, given[1]);
    JS_FreeValue(context, given[0]);
    return end;
}

/* `answer`: what it is called when the template, or what it was given, is to blame. */
static int run(struct call *call, int answer)
{
    enum js_end end = js_cell_guard(&call->vtl->cell, work, call);
    if (end != JS_END_OK && end != JS_END_THREW) call->vtl->ready = false;
    if (call->broken) {
        vtl_rest(call->vtl);
        return px_fault(PX_F_BUG, "velocityjs cannot be loaded: %.*s", PX_FMT(call->why));
    }
    if (px_arena_full(call->arena)) return px_arena_fault(call->arena);
    switch (end) {
    case JS_END_OK: return 0;
    case JS_END_THREW: return answer;
    case JS_END_EXPIRED: call->why = S("it takes too long"); return answer;
    case JS_END_MEMORY: call->why = S("it takes too much memory"); return answer;
    case JS_END_REFUSED: break;
    }
    return px_fault(PX_F_OOM, "an engine for mapping templates");
}

/* ---- calls ---- */

int vtl_check(struct vtl *vtl, struct px_str text, struct px_arena *arena, struct px_str *ret_why)
{
    struct call call = {.vtl = vtl, .text = text, .arena = arena};
    int r = run(&call, VTL_REFUSED);
    *ret_why = call.why;
    return r;
}

static void add_pairs(struct px_buf *out, const char *name, const struct vtl_pair *pairs,
                      size_t count)
{
    px_buf_printf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        px_buf_add_c(out, i ? ",[" : "[");
        px_buf_add_json_str(out, pairs[i].name);
        px_buf_add_char(out, ',');
        px_buf_add_json_str(out, pairs[i].value);
        px_buf_add_char(out, ']');
    }
    px_buf_add_char(out, ']');
}

static void add_input(struct px_buf *out, const struct vtl_input *input)
{
    px_buf_add_c(out, "{\"body\":");
    px_buf_add_json_str(out, input->body);
    add_pairs(out, "path", input->path, input->path_count);
    add_pairs(out, "query", input->query, input->query_count);
    add_pairs(out, "headers", input->headers, input->header_count);
    add_pairs(out, "context", input->context, input->context_count);
    add_pairs(out, "stageVariables", input->stage_variables, input->stage_variable_count);
    px_buf_add_char(out, '}');
}

int vtl_render(struct vtl *vtl, struct px_str text, const struct vtl_input *input,
               struct px_arena *arena, struct vtl_result *ret_result, struct px_str *ret_why)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, INPUT_BYTES_MAX);
    add_input(&json, input);
    struct call call = {.vtl = vtl, .text = text, .input = &json, .arena = arena};
    int r = px_buf_fault(&json);
    if (r == PX_F_LIMIT) {
        *ret_why = S("the request is too large for a template");
        return VTL_FAILED;
    }
    PX_TRY(r);
    r = run(&call, VTL_FAILED);
    if (r == 0 &&
        !px_utf8_ok(call.result)) { /* half of a surrogate pair, which a JSON text may name */
        call.why = S("a text is not Unicode");
        r = VTL_FAILED;
    }
    if (r == 0) *ret_result = (struct vtl_result){.text = call.result, .status = call.status};
    *ret_why = call.why;
    return r;
}
