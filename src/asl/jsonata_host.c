/* asl/jsonata_host.c - what jsonata.js calls: the step's time and dice, hashes, and freezing. */
#include "asl/jsonata_engine.h"

#include <math.h>

#include "asl/digest.h"

static struct asl_jsonata *of(JSContext *context) { return JS_GetContextOpaque(context); }

/* Without a step (the module is being loaded, or an expression only checked) time stands at 0 and the dice show 0. */
static uint64_t dice(struct asl_jsonata *jsonata)
{
    return jsonata->scope ? jsonata->scope->random(jsonata->scope->random_ctx) : 0;
}

static JSValue host_now(JSContext *context, JSValueConst self, int count, JSValueConst *given)
{
    (void)self, (void)count, (void)given;
    const struct asl_scope *scope = of(context)->scope;
    return JS_NewInt64(context, scope ? scope->now_ms : 0);
}

/* The first double of java.util.Random with this seed, whose algorithm its documentation fixes: Step Functions' own numbers
 * are not documented, only that the same seed gives the same number. */
static double seeded(int64_t seed)
{
    const uint64_t factor = UINT64_C(0x5deece66d), mask = (UINT64_C(1) << 48) - 1;
    uint64_t state = ((uint64_t)seed ^ factor) & mask;
    state = (state * factor + 0xb) & mask;
    uint64_t high = state >> (48 - 26);
    state = (state * factor + 0xb) & mask;
    uint64_t low = state >> (48 - 27);
    return (double)((high << 27) + low) * 0x1p-53;
}

/* random(), random(seed) */
static JSValue host_random(JSContext *context, JSValueConst self, int count, JSValueConst *given)
{
    (void)self;
    double seed;
    if (count == 0 || JS_IsUndefined(given[0]))
        return JS_NewFloat64(context, (double)(dice(of(context)) >> 11) * 0x1p-53);
    if (JS_ToFloat64(context, &seed, given[0]) < 0) return JS_EXCEPTION;
    seed = floor(seed);
    if (!(fabs(seed) < 0x1p63))
        return JS_ThrowRangeError(context, "$random: the seed must be a whole number");
    return JS_NewFloat64(context, seeded((int64_t)seed));
}

static JSValue host_uuid(JSContext *context, JSValueConst self, int count, JSValueConst *given)
{
    (void)self, (void)count, (void)given;
    const struct asl_scope *scope = of(context)->scope;
    char text[ASL_UUID_BYTES] = "";
    if (scope) asl_uuid(scope, text);
    return JS_NewString(context, text);
}

/* hash(text, algorithm): undefined for one that there is not. */
static JSValue host_hash(JSContext *context, JSValueConst self, int count, JSValueConst *given)
{
    (void)self, (void)count;
    size_t len, name_len;
    JSValue digest = JS_EXCEPTION;
    char hex[ASL_DIGEST_HEX_BYTES];
    const char *text = JS_ToCStringLen(context, &len, given[0]);
    const char *name = text ? JS_ToCStringLen(context, &name_len, given[1]) : NULL;
    if (name)
        digest = asl_digest(px_str(text, len), px_str(name, name_len), hex) == 0
                     ? JS_NewString(context, hex)
                     : JS_UNDEFINED;
    JS_FreeCString(context, name);
    JS_FreeCString(context, text);
    return digest;
}

/* ---- freezing ---- */

static int freeze(JSContext *context, JSValueConst object);

static int freeze_property(JSContext *context, JSValueConst object, JSAtom name)
{
    JSPropertyDescriptor property;
    int r = JS_GetOwnProperty(context, &property, object, name);
    if (r <= 0) return r;
    r = freeze(context, property.value) < 0 || freeze(context, property.getter) < 0 ||
                freeze(context, property.setter) < 0
            ? -1
            : 0;
    JS_FreeValue(context, property.value);
    JS_FreeValue(context, property.getter);
    JS_FreeValue(context, property.setter);
    return r;
}

static int freeze_below(JSContext *context, JSValueConst object)
{
    JSPropertyEnum *names = NULL;
    uint32_t count = 0;
    JSValue prototype = JS_GetPrototype(context, object);
    int r = freeze(context, prototype);
    JS_FreeValue(context, prototype);
    if (r < 0 || JS_GetOwnPropertyNames(context, &names, &count, object,
                                        JS_GPN_STRING_MASK | JS_GPN_SYMBOL_MASK) < 0)
        return -1;
    for (uint32_t i = 0; i < count && r >= 0; i++)
        r = freeze_property(context, object, names[i].atom);
    JS_FreePropertyEnum(context, names, count);
    return r;
}

/* What was seen is not extensible any more. Depth is that of the module's and JavaScript's own objects. */
static int freeze(JSContext *context, JSValueConst object)
{
    if (!JS_IsObject(object)) return 0;
    int extensible = JS_IsExtensible(context, object);
    if (extensible <= 0) return extensible;
    return JS_FreezeObject(context, object) < 0 ? -1 : freeze_below(context, object);
}

static JSValue host_freeze(JSContext *context, JSValueConst self, int count, JSValueConst *given)
{
    (void)self, (void)count;
    return freeze(context, given[0]) < 0 ? JS_EXCEPTION : JS_UNDEFINED;
}

static JSValue keep_get(JSContext *context, JSValueConst self, int count, JSValueConst *given,
                        int magic, JSValueConst *data)
{
    (void)self, (void)count, (void)given, (void)magic;
    return JS_DupValue(context, data[0]);
}

/* A getter of this value. In C, because methods are looked up all the time. */
static JSValue host_keep(JSContext *context, JSValueConst self, int count, JSValueConst *given)
{
    (void)self, (void)count;
    return JS_NewCFunctionData(context, keep_get, 0, 0, 1, given);
}

JSValue jsonata_host(JSContext *context)
{
    static const JSCFunctionListEntry functions[] = {
        JS_CFUNC_DEF("now", 0, host_now),       JS_CFUNC_DEF("random", 1, host_random),
        JS_CFUNC_DEF("uuid", 0, host_uuid),     JS_CFUNC_DEF("hash", 2, host_hash),
        JS_CFUNC_DEF("freeze", 1, host_freeze), JS_CFUNC_DEF("keep", 1, host_keep),
    };
    JSValue host = JS_NewObject(context);
    if (JS_IsException(host)) return host;
    if (JS_SetPropertyFunctionList(context, host, functions, PX_COUNT(functions)) >= 0) return host;
    JS_FreeValue(context, host);
    return JS_EXCEPTION;
}
