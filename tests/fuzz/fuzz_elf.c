/* Arbitrary bytes as an executable that is to be packed: what it needs is read, or it is invalid. */
// link: px_package
#include "package/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_arena arena;
    struct elf_needs needs;
    px_arena_init(&arena, (size_t)16 << 20);
    if (elf_read(px_str((const char *)data, size), &arena, &needs) == 0) {
        size_t bytes = needs.interpreter.len;
        for (size_t i = 0; i < needs.library_count; i++) bytes += needs.libraries[i].len;
        PX_ASSERT(bytes <= size * (needs.library_count + 1));
    }
    px_arena_deinit(&arena);
    return 0;
}
