/* js/cell.c - memory as a list of blocks, time by the interrupt handler. */
#include "js/cell.h"

#include <malloc.h>
#include <stdlib.h>
#include <time.h>

#define GC_BYTES_PART 8 /* of the memory, before garbage in circles is looked for */
#define STACK_BYTES ((size_t)512 << 10)

/* Leave QuickJS from within, wherever it is. Nothing of it is used again, only its memory given back. */
static _Noreturn void escape(struct js_cell *cell, enum js_end end)
{
    longjmp(cell->escape, (int)end);
}

struct js_block {
    struct js_block *next, *previous;
};
static_assert(sizeof(struct js_block) % 16 == 0, "what is behind it is aligned");

static void *linked(struct js_cell *cell, struct js_block *block)
{
    block->previous = NULL;
    block->next = cell->blocks;
    if (block->next) block->next->previous = block;
    cell->blocks = block;
    cell->bytes += malloc_usable_size(block);
    if (cell->bytes > cell->memory_bytes_max) escape(cell, JS_END_MEMORY);
    return block + 1;
}

static void unlinked(struct js_cell *cell, struct js_block *block)
{
    if (block->next) block->next->previous = block->previous;
    if (block->previous)
        block->previous->next = block->next;
    else
        cell->blocks = block->next;
    cell->bytes -= malloc_usable_size(block);
}

static void *memory_calloc(void *opaque, size_t count, size_t bytes)
{
    struct js_cell *cell = opaque;
    if (bytes > 0 && count > cell->memory_bytes_max / bytes) escape(cell, JS_END_MEMORY);
    struct js_block *block = calloc(1, sizeof *block + count * bytes);
    if (!block) escape(cell, JS_END_REFUSED);
    return linked(cell, block);
}
static void *memory_malloc(void *opaque, size_t bytes)
{
    struct js_cell *cell = opaque;
    if (bytes > cell->memory_bytes_max) escape(cell, JS_END_MEMORY);
    struct js_block *block = malloc(sizeof *block + bytes);
    if (!block) escape(cell, JS_END_REFUSED);
    return linked(cell, block);
}
static void memory_free(void *opaque, void *memory)
{
    if (!memory) return;
    struct js_block *block = (struct js_block *)memory - 1;
    unlinked(opaque, block);
    free(block);
}
static void *memory_realloc(void *opaque, void *memory, size_t bytes)
{
    struct js_cell *cell = opaque;
    if (!memory) return memory_malloc(cell, bytes);
    if (bytes > cell->memory_bytes_max) escape(cell, JS_END_MEMORY);
    struct js_block *block = (struct js_block *)memory - 1;
    unlinked(cell, block);
    struct js_block *grown = realloc(block, sizeof *block + bytes);
    if (grown) return linked(cell, grown);
    (void)linked(cell, block);
    escape(cell, JS_END_REFUSED);
}
static size_t memory_size(const void *memory)
{
    if (!memory) return 0;
    struct js_block *block = (struct js_block *)(uintptr_t)memory - 1;
    return malloc_usable_size(block) - sizeof *block;
}

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
    struct js_cell *cell = opaque;
    if (cpu_ns() > cell->cpu_end_ns) escape(cell, JS_END_EXPIRED);
    return 0;
}

enum js_end js_cell_guard(struct js_cell *cell, js_work *work, void *ctx)
{
    enum js_end end;
    switch (setjmp(cell->escape)) {
    case 0: end = work(ctx); break;
    case JS_END_EXPIRED: end = JS_END_EXPIRED; break;
    case JS_END_MEMORY: end = JS_END_MEMORY; break;
    default: end = JS_END_REFUSED; break;
    }
    if (end != JS_END_OK && end != JS_END_THREW) js_cell_close(cell);
    return end;
}

static int add_intrinsics(JSContext *context)
{
    return JS_AddIntrinsicBaseObjects(context) < 0 || JS_AddIntrinsicRegExp(context) < 0 ||
                   JS_AddIntrinsicJSON(context) < 0 || JS_AddIntrinsicMapSet(context) < 0 ||
                   JS_AddIntrinsicAToB(context) < 0
               ? -1
               : 0;
}

enum js_end js_cell_open(struct js_cell *cell)
{
    static const JSMallocFunctions memory = {memory_calloc, memory_malloc, memory_free,
                                             memory_realloc, memory_size};
    cell->cpu_end_ns = INT64_MAX;
    cell->runtime = JS_NewRuntime2(&memory, cell);
    if (!cell->runtime) return JS_END_REFUSED;
    JS_SetMaxStackSize(cell->runtime, STACK_BYTES);
    JS_SetGCThreshold(cell->runtime, cell->memory_bytes_max / GC_BYTES_PART);
    JS_SetInterruptHandler(cell->runtime, interrupted, cell);
    cell->context = JS_NewContextRaw(cell->runtime);
    return cell->context && add_intrinsics(cell->context) == 0 ? JS_END_OK : JS_END_REFUSED;
}

void js_cell_begin(struct js_cell *cell)
{
    JS_UpdateStackTop(cell->runtime); /* the depth that it is called from differs */
    cell->cpu_end_ns = cpu_ns() + cell->call_ms_max * INT64_C(1000000);
}

void js_cell_close(struct js_cell *cell)
{
    while (cell->blocks) {
        struct js_block *block = cell->blocks;
        cell->blocks = block->next;
        free(block);
    }
    cell->bytes = 0;
    cell->runtime = NULL;
    cell->context = NULL;
}

JSValue js_cell_load(JSContext *context, const uint8_t *code, size_t bytes)
{
    JSValue function = JS_ReadObject(context, code, bytes, JS_READ_OBJ_BYTECODE);
    return JS_IsException(function) ? function : JS_EvalFunction(context, function);
}
