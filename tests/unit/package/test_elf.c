/* What executables need, and that damaged ones are refused instead of believed. */
#include "support/support.h"

#include "package/package.h"

#include <elf.h>

#include "package/elf.h"

static struct px_str own_program(struct test *t)
{
    struct px_str file = {0};
    CHECK_OK(pack_read("/proc/self/exe", &t->arena, &file));
    return file;
}

static bool needs_library(const struct elf_needs *needs, struct px_str name)
{
    for (size_t i = 0; i < needs->library_count; i++)
        if (px_str_eq(needs->libraries[i], name)) return true;
    return false;
}

TEST(a_program_says_what_it_needs)
{
    struct elf_needs needs;
    CHECK_OK(elf_read(own_program(t), &t->arena, &needs));
#ifdef __x86_64__
    CHECK_STR(needs.architecture, S("x86_64"));
    CHECK_STR(needs.interpreter, S("/lib64/ld-linux-x86-64.so.2"));
#else
    CHECK_STR(needs.architecture, S("arm64"));
    CHECK_STR(needs.interpreter, S("/lib/ld-linux-aarch64.so.1"));
#endif
    CHECK(needs_library(&needs, S("libc.so.6")));
    CHECK(!needs_library(&needs, S("libc.so")));
    CHECK(needs.glibc_minor >= 17 && needs.glibc_minor < 100);
    CHECK(!needs.glibc_is_other);
}

TEST(a_program_cut_anywhere_in_its_heads_is_refused)
{
    struct elf_needs needs;
    struct px_str whole = own_program(t);
    for (size_t n = 0; n < 2000; n++) {
        struct px_str cut = {malloc(n + 1), n}; /* so that a sanitizer sees a read behind the end */
        memcpy((char *)cut.ptr, whole.ptr, n);
        int r = elf_read(cut, &t->arena, &needs);
        CHECK(r == 0 || r == ELF_INVALID);
        if (n < sizeof(Elf64_Ehdr)) CHECK_INT(r, ELF_INVALID);
        free((char *)cut.ptr);
    }
}

TEST(a_program_that_lies_is_refused_or_read_within_its_bounds)
{
    struct elf_needs needs;
    struct px_str whole = own_program(t);
    for (size_t at = 0; at < sizeof(Elf64_Ehdr) + 12 * sizeof(Elf64_Phdr); at++) {
        char kept = whole.ptr[at];
        ((char *)whole.ptr)[at] = (char)0xff;
        int r = elf_read(whole, &t->arena, &needs);
        CHECK(r == 0 || r == ELF_INVALID);
        ((char *)whole.ptr)[at] = kept;
    }
}

TEST(what_is_no_program_is_refused)
{
    struct elf_needs needs;
    CHECK_INT(elf_read(S(""), &t->arena, &needs), ELF_INVALID);
    CHECK_INT(elf_read(S("#!/bin/sh\n"), &t->arena, &needs), ELF_INVALID);
    CHECK_INT(elf_read(S("\177ELF"), &t->arena, &needs), ELF_INVALID);
}

TEST(an_image_brings_its_own_libraries_and_a_zip_does_not)
{
    struct package_function function = {.name = S("f"), .kind = PACKAGE_ZIP};
    struct elf_needs needs;
    struct px_str file = own_program(t);
    CHECK_OK(elf_read(file, &t->arena, &needs));
    CHECK(needs_library(&needs, S("libcmocka.so.0"))); /* which Lambda has not */
    CHECK_INT(package_check(&function, needs.architecture, file, &t->arena), PX_F_CONFIG);
    function.kind = PACKAGE_IMAGE;
    CHECK_OK(package_check(&function, needs.architecture, file, &t->arena));
    CHECK_INT(package_check(&function, S("riscv64"), file, &t->arena), PX_F_CONFIG);
}

TEST_MAIN
