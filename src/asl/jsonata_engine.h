/* asl/jsonata_engine.h - what the halves of asl/jsonata.h share: a QuickJS cell with the official module in it, and the
 * step that it works for. */
#pragma once

#include <quickjs.h>

#include "asl/jsonata.h"
#include "js/cell.h"

/* A compiled expression. */
struct jsonata_expr {
    uint64_t hash;
    struct px_str text;
    JSValue evaluate;
    struct px_str *names; /* of its variables, without $ */
    size_t name_count;
    uint64_t used; /* turn of the last use */
    struct jsonata_expr *next;
};

#define JSONATA_STATES 4    /* members of $states */
#define JSONATA_BUCKETS 256 /* a power of two */

struct asl_jsonata {
    uint32_t magic;
    struct asl_jsonata_options options;
    bool always_runs; /* plain paths too; for tests and measurements */
    size_t lazy_min;  /* children of a member that is converted when it is asked for */

    struct js_cell
        cell;        /* closed until the first expression, and after a call that met a ceiling */
    JSValue compile; /* jsonata.js */
    bool ready;
    JSClassID lazy_class;
    JSAtom is_function, is_lambda;
    struct {
        JSAtom name;
        JSValue getter;
    } states[JSONATA_STATES];
    struct jsonata_expr *buckets[JSONATA_BUCKETS];
    size_t expr_count, expr_bytes;
    uint64_t turn; /* expressions asked for since it was opened */

    const struct asl_scope *scope; /* of the call under way; NULL: none, for a check */
};

enum jsonata_end {
    JSONATA_OK = JS_END_OK,
    JSONATA_THREW = JS_END_THREW,
    JSONATA_EXPIRED = JS_END_EXPIRED,
    JSONATA_MEMORY = JS_END_MEMORY,
    JSONATA_REFUSED = JS_END_REFUSED,
    JSONATA_BROKEN, /* the module cannot be loaded: a mistake of ours */
};

/* Do work that calls QuickJS, within the ceilings; every function below is called from within. When it ends otherwise than by
 * OK or THREW it was left in the middle, and the engine is closed: nothing of it may be used. So the work holds nothing
 * but the engine's memory and arenas. */
typedef enum jsonata_end jsonata_work(struct asl_jsonata *jsonata, void *ctx);
enum jsonata_end jsonata_guard(struct asl_jsonata *jsonata, const struct asl_scope *scope,
                               jsonata_work *work, void *ctx);
void jsonata_close(struct asl_jsonata *jsonata);

/* Make the engine unless it is there, and begin the time of the call. */
enum jsonata_end jsonata_open(struct asl_jsonata *jsonata);
/* The compiled expression, from the cache or new; lives until the next call. */
enum jsonata_end jsonata_compiled(struct asl_jsonata *jsonata, struct px_str text,
                                  const struct jsonata_expr **ret_expr);
/* Evaluate, and run all promises to their end. */
enum jsonata_end jsonata_run(struct asl_jsonata *jsonata, const struct jsonata_expr *expr,
                             JSValueConst bindings, JSValue *ret_value);
/* Take the exception. */
struct jsonata_error {
    struct px_str code;    /* "T1006"; empty for errors of JavaScript's own */
    struct px_str message; /* in the arena; empty when that is full */
    int64_t position;      /* in UTF-16 units; -1: not known */
};
void jsonata_caught(struct asl_jsonata *jsonata, struct px_arena *arena,
                    struct jsonata_error *ret_error);

/* jsonata_host.c: the functions that jsonata.js calls, as an object. */
JSValue jsonata_host(JSContext *context);

/* jsonata_path.c: the value of a plain path; NULL: it must be evaluated. */
yyjson_mut_val *jsonata_path(struct px_str text, const struct asl_scope *scope);

/* jsonata_value.c. JS_EXCEPTION when memory or the depth ends. */
JSValue jsonata_to_js(JSContext *context, yyjson_mut_val *value);
PX_MUST_USE int jsonata_lazy_open(struct asl_jsonata *jsonata); /* -1: exception */
/* $states of the step: its members are converted when they are asked for. */
JSValue jsonata_states(struct asl_jsonata *jsonata);
PX_MUST_USE int jsonata_states_open(struct asl_jsonata *jsonata); /* -1: exception */
enum jsonata_shape {
    JSONATA_SHAPE_FINE,
    JSONATA_SHAPE_NOTHING,  /* undefined */
    JSONATA_SHAPE_FUNCTION, /* a function stands in it */
    JSONATA_SHAPE_DEEP,
    JSONATA_SHAPE_LARGE,
    JSONATA_SHAPE_ARENA,     /* px_arena_fault() */
    JSONATA_SHAPE_EXCEPTION, /* the context has it */
};
enum jsonata_shape jsonata_from_js(struct asl_jsonata *jsonata, JSValueConst value,
                                   struct asl_values *values, yyjson_mut_val **ret_value);
