/* js/cell.h - a QuickJS engine that can be thrown away: bounded memory, bounded processor time, no files, processes, timers, eval().
 *
 * States: closed, open. A call that meets a ceiling leaves QuickJS by longjmp() and closes the cell: its blocks are given back as
 * they are. So QuickJS never sees an allocation fail, and nothing half-done stays. The next call opens it anew.
 * Invariant: no JavaScript object has anything outside of the cell's memory, so nothing needs finalizing. */
#pragma once

#include <quickjs.h>
#include <setjmp.h>

#include "base/px.h"

struct js_cell {
    size_t memory_bytes_max;
    uint32_t
        call_ms_max; /* processor time of the thread, so that a busy machine makes no call fail */
    JSRuntime *runtime; /* NULL: closed */
    JSContext *context;
    struct js_block *blocks; /* all memory of it */
    size_t bytes;            /* of those */
    int64_t cpu_end_ns;      /* of the call under way */
    jmp_buf escape;
};

enum js_end {
    JS_END_OK,
    JS_END_THREW,   /* the context has the exception */
    JS_END_EXPIRED, /* of time */
    JS_END_MEMORY,
    JS_END_REFUSED, /* the operating system gave no memory */
};

/* Do work that calls QuickJS, within the ceilings; the functions below are called from within. When it ends otherwise than by OK or THREW it was
 * left in the middle and the cell is closed, so the work holds nothing but the cell's memory and arenas. */
typedef enum js_end js_work(void *ctx);
enum js_end js_cell_guard(struct js_cell *cell, js_work *work, void *ctx);
void js_cell_close(struct js_cell *cell);

/* An engine with JavaScript's own objects; the time of the call has no end until js_cell_begin(). Only of a closed cell. */
enum js_end js_cell_open(struct js_cell *cell);
void js_cell_begin(struct js_cell *cell);
/* Run bytecode that tools/jsbake.c made. */
JSValue js_cell_load(JSContext *context, const uint8_t *code, size_t bytes);
