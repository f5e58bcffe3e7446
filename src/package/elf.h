/* package/elf.h - what an executable or shared library asks of the machine that runs it. */
#pragma once

#include "base/px_arena.h"

struct elf_needs {
    struct px_str architecture; /* "x86_64" or "arm64", Lambda's names; empty: another */
    struct px_str interpreter;  /* empty: statically linked, or a shared library */
    struct px_str *libraries;   /* by name, "libc.so.6" */
    size_t library_count;
    unsigned glibc_minor; /* 34: symbols up to GLIBC_2.34; 0: none that have a version */
    bool
        glibc_is_other; /* a symbol of a version that is no plain GLIBC_2.n: GLIBC_PRIVATE, GLIBC_ABI_* */
};
enum elf_answer { ELF_INVALID = 1 };

/* The views lie in file.
 * Answers: ELF_INVALID: no 64-bit little-endian ELF file, or a broken one.
 * Faults: PX_F_OOM, PX_F_LIMIT. */
PX_MUST_USE int elf_read(struct px_str file, struct px_arena *arena, struct elf_needs *ret_needs);
