/* svc/ingest/otlp_unpack.c - protobuf to structs by protobuf-c, over an arena.
 *
 * protobuf-c unpacks by recursion and bounds neither its depth nor its memory. Both bounds sit in its
 * allocator, which it calls once for each message before descending into it: an allocation is refused
 * when the arena is full or when the stack below otlp_unpack() has grown past a fixed size, and
 * protobuf-c then cleans up and returns NULL. Freeing is the arena's business. */
#include "svc/ingest/otlp.h"

#define UNPACK_STACK_BYTES_MAX ((ptrdiff_t)256 * 1024) /* about 200 nested messages */

struct unpack_memory {
    struct px_arena *arena;
    const char *stack_base;
    bool too_deep;
};

/* Not inlined, so that its own frame is where the stack has come to. */
__attribute__((noinline)) static void *unpack_alloc(void *ctx, size_t bytes)
{
    struct unpack_memory *memory = ctx;
    const char *here = __builtin_frame_address(0);
    memory->too_deep = memory->too_deep || memory->stack_base - here > UNPACK_STACK_BYTES_MAX;
    return memory->too_deep ? NULL : px_arena_alloc(memory->arena, bytes);
}
static void unpack_free(void *ctx, void *ptr) { (void)ctx, (void)ptr; }

__attribute__((noinline)) int otlp_unpack(const ProtobufCMessageDescriptor *type,
                                          struct px_str body, struct px_arena *arena,
                                          ProtobufCMessage **ret_message,
                                          struct px_where *ret_where)
{
    struct unpack_memory memory = {arena, __builtin_frame_address(0), false};
    ProtobufCAllocator allocator = {unpack_alloc, unpack_free, &memory};
    arena->full = false; /* else an earlier overflow would be taken for ours */
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, body.len,
                                                          (const uint8_t *)body.ptr);
    if (message) {
        *ret_message = message;
        return 0;
    }
    if (memory.too_deep) {
        px_where_set(ret_where, 0, NULL, "protobuf: messages nested less deeply");
        return DECODE_INVALID;
    }
    if (px_arena_full(arena)) {
        px_where_set(ret_where, 0, NULL, "a request that unpacks into at most %zu bytes of memory",
                     arena->limit_bytes);
        return DECODE_TOO_LARGE;
    }
    px_where_set(ret_where, 0, NULL, "protobuf: a valid %s message", type->short_name);
    return DECODE_INVALID;
}
