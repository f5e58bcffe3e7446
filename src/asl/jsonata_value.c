/* asl/jsonata_value.c - values between yyjson and JavaScript, without text in between.
 *
 * Numbers are doubles on the way in, and integers where they are whole on the way out, as JSON.stringify writes them: -0 is 0,
 * what is not finite is null. Objects come without a prototype, so that `toString` is a name as any other (a transform whose own
 * $clone copies nothing then fails; it would change the input).
 *
 * A member that is a large array or object is converted when it is first asked for: until then it is an accessor. So a step with
 * a large input, whose expressions look at a few members, does not pay for the rest each time. */
#include "asl/jsonata_engine.h"

#include <math.h>

/* ---- in ---- */

static JSValue to_js(JSContext *context, yyjson_mut_val *value, int depth);

static JSValue array_to_js(JSContext *context, yyjson_mut_val *value, int depth)
{
    JSValue array = JS_NewArray(context);
    size_t i, count;
    yyjson_mut_val *item;
    if (JS_IsException(array)) return array;
    yyjson_mut_arr_foreach(value, i, count, item)
    {
        JSValue element = to_js(context, item, depth);
        if (JS_IsException(element) ||
            JS_DefinePropertyValueUint32(context, array, (uint32_t)i, element, JS_PROP_C_W_E) < 0) {
            JS_FreeValue(context, array);
            return JS_EXCEPTION;
        }
    }
    return array;
}

/* The getter and setter of a member, called with the object: the member becomes an ordinary one. Its opaque is the member's name in
 * the document, which has the value behind it. */
static JSValue lazy_call(JSContext *context, JSValueConst function, JSValueConst object, int count,
                         JSValueConst *given, int flags)
{
    (void)flags;
    const struct asl_jsonata *jsonata = JS_GetContextOpaque(context);
    yyjson_mut_val *key = JS_GetOpaque(function, jsonata->lazy_class);
    if (!jsonata->scope || !JS_IsObject(object)) return JS_UNDEFINED;
    JSValue value = count > 0 ? JS_DupValue(context, given[0])
                              : jsonata_to_js(context, yyjson_mut_obj_iter_get_val(key));
    if (JS_IsException(value)) return value;
    JSAtom name = JS_NewAtomLen(context, yyjson_mut_get_str(key), yyjson_mut_get_len(key));
    int r = JS_DefinePropertyValue(context, object, name, JS_DupValue(context, value),
                                   JS_PROP_C_W_E);
    JS_FreeAtom(context, name);
    if (r >= 0) return value;
    JS_FreeValue(context, value);
    return JS_EXCEPTION;
}

int jsonata_lazy_open(struct asl_jsonata *jsonata)
{
    static const JSClassDef class = {"member", .call = lazy_call};
    (void)JS_NewClassID(jsonata->cell.runtime, &jsonata->lazy_class);
    return JS_NewClass(jsonata->cell.runtime, jsonata->lazy_class, &class);
}

static int lazy_define(JSContext *context, JSValueConst object, JSAtom name, yyjson_mut_val *key)
{
    const struct asl_jsonata *jsonata = JS_GetContextOpaque(context);
    JSValue accessor = JS_NewObjectProtoClass(context, JS_NULL, jsonata->lazy_class);
    if (JS_IsException(accessor)) return -1;
    (void)JS_SetOpaque(accessor, key);
    return JS_DefinePropertyGetSet(context, object, name, accessor, JS_DupValue(context, accessor),
                                   JS_PROP_CONFIGURABLE | JS_PROP_ENUMERABLE);
}

static int member_to_js(JSContext *context, JSValueConst object, yyjson_mut_val *key,
                        yyjson_mut_val *value, int depth)
{
    const struct asl_jsonata *jsonata = JS_GetContextOpaque(context);
    int r = -1;
    JSAtom name = JS_NewAtomLen(context, yyjson_mut_get_str(key), yyjson_mut_get_len(key));
    if (name == JS_ATOM_NULL) return -1;
    if (yyjson_mut_is_ctn(value) && yyjson_mut_get_len(value) >= jsonata->lazy_min) {
        r = lazy_define(context, object, name, key);
    } else {
        JSValue member = to_js(context, value, depth);
        if (!JS_IsException(member))
            r = JS_DefinePropertyValue(context, object, name, member, JS_PROP_C_W_E);
    }
    JS_FreeAtom(context, name);
    return r;
}

static JSValue object_to_js(JSContext *context, yyjson_mut_val *value, int depth)
{
    JSValue object = JS_NewObjectProto(context, JS_NULL);
    size_t i, count;
    yyjson_mut_val *key, *member;
    if (JS_IsException(object)) return object;
    yyjson_mut_obj_foreach(value, i, count, key, member)
    {
        if (member_to_js(context, object, key, member, depth) >= 0) continue;
        JS_FreeValue(context, object);
        return JS_EXCEPTION;
    }
    return object;
}

static JSValue number_to_js(JSContext *context, yyjson_mut_val *value)
{
    if (yyjson_mut_is_real(value)) return JS_NewFloat64(context, yyjson_mut_get_real(value));
    if (yyjson_mut_is_sint(value)) return JS_NewInt64(context, yyjson_mut_get_sint(value));
    uint64_t number = yyjson_mut_get_uint(value);
    return number <= INT32_MAX ? JS_NewInt32(context, (int32_t)number)
                               : JS_NewFloat64(context, (double)number);
}

static JSValue to_js(JSContext *context, yyjson_mut_val *value, int depth)
{
    if (depth > PX_JSON_DEPTH_MAX)
        return JS_ThrowRangeError(context, "more than %d levels of nesting", PX_JSON_DEPTH_MAX);
    switch (yyjson_mut_get_type(value)) {
    case YYJSON_TYPE_OBJ: return object_to_js(context, value, depth + 1);
    case YYJSON_TYPE_ARR: return array_to_js(context, value, depth + 1);
    case YYJSON_TYPE_STR:
        return JS_NewStringLen(context, yyjson_mut_get_str(value), yyjson_mut_get_len(value));
    case YYJSON_TYPE_NUM: return number_to_js(context, value);
    case YYJSON_TYPE_BOOL: return JS_NewBool(context, yyjson_mut_get_bool(value));
    default: return JS_NULL;
    }
}

JSValue jsonata_to_js(JSContext *context, yyjson_mut_val *value)
{
    return to_js(context, value, 0);
}

/* ---- $states ---- */

static const char *const states_names[JSONATA_STATES] = {"input", "context", "result",
                                                         "errorOutput"};

static yyjson_mut_val *states_value(const struct asl_scope *scope, int member)
{
    yyjson_mut_val *const values[JSONATA_STATES] = {scope->input, scope->context, scope->result,
                                                    scope->error_output};
    return values[member];
}

/* Most expressions want one member, and the context is large. What was converted once stays. */
static JSValue states_get(JSContext *context, JSValueConst self, int member)
{
    struct asl_jsonata *jsonata = JS_GetContextOpaque(context);
    if (!jsonata->scope) return JS_UNDEFINED;
    JSValue value = jsonata_to_js(context, states_value(jsonata->scope, member));
    if (JS_IsException(value)) return value;
    if (JS_DefinePropertyValue(context, self, jsonata->states[member].name,
                               JS_DupValue(context, value), JS_PROP_C_W_E) < 0) {
        JS_FreeValue(context, value);
        return JS_EXCEPTION;
    }
    return value;
}

int jsonata_states_open(struct asl_jsonata *jsonata)
{
    JSContext *context = jsonata->cell.context;
    for (int i = 0; i < JSONATA_STATES; i++) {
        const JSCFunctionType get = {.getter_magic = states_get};
        jsonata->states[i].name = JS_NewAtom(context, states_names[i]);
        jsonata->states[i].getter = JS_NewCFunction2(context, get.generic, states_names[i], 0,
                                                     JS_CFUNC_getter_magic, i);
        if (jsonata->states[i].name == JS_ATOM_NULL || JS_IsException(jsonata->states[i].getter))
            return -1;
    }
    return 0;
}

JSValue jsonata_states(struct asl_jsonata *jsonata)
{
    JSContext *context = jsonata->cell.context;
    JSValue states = JS_NewObjectProto(context, JS_NULL);
    for (int i = 0; i < JSONATA_STATES && !JS_IsException(states); i++) {
        if (!states_value(jsonata->scope, i)) continue;
        if (JS_DefinePropertyGetSet(context, states, jsonata->states[i].name,
                                    JS_DupValue(context, jsonata->states[i].getter), JS_UNDEFINED,
                                    JS_PROP_CONFIGURABLE | JS_PROP_ENUMERABLE) >= 0)
            continue;
        JS_FreeValue(context, states);
        states = JS_EXCEPTION;
    }
    return states;
}

/* ---- out ---- */

/* Text of a value that is refused before its size is: an expression can share one array a billion times. */
#define TEXT_BYTES_MAX ((size_t)4 * ASL_DATA_BYTES_MAX)

struct reading {
    struct asl_jsonata *jsonata;
    struct asl_values *values;
    size_t text_bytes;
    int depth;
};

static enum jsonata_shape from_js(struct reading *reading, JSValueConst value,
                                  yyjson_mut_val **ret_value);

static enum jsonata_shape made(yyjson_mut_val *value, yyjson_mut_val **ret_value)
{
    if (!value) return JSONATA_SHAPE_ARENA;
    *ret_value = value;
    return JSONATA_SHAPE_FINE;
}

static enum jsonata_shape grown(struct reading *reading, size_t bytes)
{
    reading->text_bytes += bytes;
    return reading->text_bytes > TEXT_BYTES_MAX ? JSONATA_SHAPE_LARGE : JSONATA_SHAPE_FINE;
}

/* JavaScript's strings may have halves of a surrogate pair, which are no UTF-8. */
static struct px_str repaired(struct px_arena *arena, struct px_str text)
{
    char *out = px_arena_alloc(arena, text.len);
    if (!out) return (struct px_str){0};
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char *at = (const unsigned char *)text.ptr + i;
        bool half = at[0] == 0xed && i + 2 < text.len && at[1] >= 0xa0;
        memcpy(out + i, half ? "\xef\xbf\xbd" : text.ptr + i, half ? 3 : 1);
        i += half ? 2 : 0;
    }
    return px_str(out, text.len);
}

static enum jsonata_shape text_from_js(struct reading *reading, JSValueConst value,
                                       yyjson_mut_val **ret_value)
{
    size_t len;
    JSContext *context = reading->jsonata->cell.context;
    const char *text = JS_ToCStringLen(context, &len, value);
    if (!text) return JSONATA_SHAPE_EXCEPTION;
    enum jsonata_shape shape = grown(reading, len);
    if (shape == JSONATA_SHAPE_FINE) {
        struct px_str kept = px_str(text, len);
        if (!px_utf8_ok(kept)) kept = repaired(reading->values->arena, kept);
        shape = kept.ptr
                    ? made(yyjson_mut_strncpy(reading->values->doc, kept.ptr, kept.len), ret_value)
                    : JSONATA_SHAPE_ARENA;
    }
    JS_FreeCString(context, text);
    return shape;
}

static yyjson_mut_val *number_from_js(yyjson_mut_doc *doc, double number)
{
    if (!isfinite(number)) return yyjson_mut_null(doc);
    if (number != trunc(number) || !(fabs(number) < 0x1p63)) return yyjson_mut_real(doc, number);
    return number < 0 ? yyjson_mut_sint(doc, (int64_t)number)
                      : yyjson_mut_uint(doc, (uint64_t)number);
}

static enum jsonata_shape element_from_js(struct reading *reading, JSValueConst array, int64_t i,
                                          yyjson_mut_val *out)
{
    JSContext *context = reading->jsonata->cell.context;
    yyjson_mut_val *item = NULL;
    JSValue element = JS_GetPropertyInt64(context, array, i);
    if (JS_IsException(element)) return JSONATA_SHAPE_EXCEPTION;
    /* as JSON.stringify: something must stand there */
    enum jsonata_shape shape = from_js(reading, JS_IsUndefined(element) ? JS_NULL : element, &item);
    JS_FreeValue(context, element);
    if (shape == JSONATA_SHAPE_FINE) (void)yyjson_mut_arr_append(out, item);
    return shape;
}

static enum jsonata_shape array_from_js(struct reading *reading, JSValueConst array,
                                        yyjson_mut_val **ret_value)
{
    int64_t count;
    yyjson_mut_val *out = yyjson_mut_arr(reading->values->doc);
    if (!out) return JSONATA_SHAPE_ARENA;
    if (JS_GetLength(reading->jsonata->cell.context, array, &count) < 0)
        return JSONATA_SHAPE_EXCEPTION;
    for (int64_t i = 0; i < count; i++) {
        enum jsonata_shape shape = element_from_js(reading, array, i, out);
        if (shape != JSONATA_SHAPE_FINE) return shape;
    }
    return made(out, ret_value);
}

/* The module tells its functions by a member, and takes an object with one as a function, too. */
static enum jsonata_shape member_from_js(struct reading *reading, JSValueConst object, JSAtom name,
                                         yyjson_mut_val *out)
{
    struct asl_jsonata *jsonata = reading->jsonata;
    JSContext *context = jsonata->cell.context;
    yyjson_mut_val *key = NULL, *value = NULL;
    JSValue member = JS_GetProperty(context, object, name);
    if (JS_IsException(member)) return JSONATA_SHAPE_EXCEPTION;
    enum jsonata_shape shape = JSONATA_SHAPE_FINE;
    if ((name == jsonata->is_function || name == jsonata->is_lambda) && JS_IsBool(member) &&
        JS_VALUE_GET_BOOL(member))
        shape = JSONATA_SHAPE_FUNCTION;
    if (shape == JSONATA_SHAPE_FINE && !JS_IsUndefined(member)) {
        JSValue text = JS_AtomToString(context, name);
        shape = JS_IsException(text) ? JSONATA_SHAPE_EXCEPTION : text_from_js(reading, text, &key);
        JS_FreeValue(context, text);
        if (shape == JSONATA_SHAPE_FINE) shape = from_js(reading, member, &value);
        if (shape == JSONATA_SHAPE_FINE) (void)yyjson_mut_obj_add(out, key, value);
    }
    JS_FreeValue(context, member);
    return shape;
}

static enum jsonata_shape object_from_js(struct reading *reading, JSValueConst object,
                                         yyjson_mut_val **ret_value)
{
    JSContext *context = reading->jsonata->cell.context;
    JSPropertyEnum *names = NULL;
    uint32_t count = 0;
    yyjson_mut_val *out = yyjson_mut_obj(reading->values->doc);
    if (!out) return JSONATA_SHAPE_ARENA;
    if (JS_GetOwnPropertyNames(context, &names, &count, object,
                               JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY) < 0)
        return JSONATA_SHAPE_EXCEPTION;
    enum jsonata_shape shape = JSONATA_SHAPE_FINE;
    for (uint32_t i = 0; i < count && shape == JSONATA_SHAPE_FINE; i++)
        shape = member_from_js(reading, object, names[i].atom, out);
    JS_FreePropertyEnum(context, names, count);
    return shape == JSONATA_SHAPE_FINE ? made(out, ret_value) : shape;
}

static enum jsonata_shape container_from_js(struct reading *reading, JSValueConst value,
                                            yyjson_mut_val **ret_value)
{
    if (JS_IsFunction(reading->jsonata->cell.context, value)) return JSONATA_SHAPE_FUNCTION;
    if (reading->depth == PX_JSON_DEPTH_MAX) return JSONATA_SHAPE_DEEP;
    reading->depth++;
    enum jsonata_shape shape = JS_IsArray(value) ? array_from_js(reading, value, ret_value)
                                                 : object_from_js(reading, value, ret_value);
    reading->depth--;
    return shape;
}

static enum jsonata_shape from_js(struct reading *reading, JSValueConst value,
                                  yyjson_mut_val **ret_value)
{
    yyjson_mut_doc *doc = reading->values->doc;
    int tag = JS_VALUE_GET_NORM_TAG(value);
    enum jsonata_shape shape = grown(reading, 2);
    if (shape != JSONATA_SHAPE_FINE) return shape;
    switch (tag) {
    case JS_TAG_OBJECT: return container_from_js(reading, value, ret_value);
    case JS_TAG_INT: return made(number_from_js(doc, JS_VALUE_GET_INT(value)), ret_value);
    case JS_TAG_FLOAT64: return made(number_from_js(doc, JS_VALUE_GET_FLOAT64(value)), ret_value);
    case JS_TAG_BOOL: return made(yyjson_mut_bool(doc, JS_VALUE_GET_BOOL(value)), ret_value);
    case JS_TAG_NULL: return made(yyjson_mut_null(doc), ret_value);
    case JS_TAG_SYMBOL: return JSONATA_SHAPE_FUNCTION;       /* no value of JSONata either */
    default: return text_from_js(reading, value, ret_value); /* strings, also ropes */
    }
}

enum jsonata_shape jsonata_from_js(struct asl_jsonata *jsonata, JSValueConst value,
                                   struct asl_values *values, yyjson_mut_val **ret_value)
{
    struct reading reading = {.jsonata = jsonata, .values = values};
    if (JS_IsUndefined(value)) return JSONATA_SHAPE_NOTHING;
    return from_js(&reading, value, ret_value);
}
