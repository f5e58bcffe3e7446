/* package/elf.c - the dynamic section and the versions of needed symbols, read with the layout of <elf.h>. Every
 * offset is checked: a file that lies about itself is invalid, not a crash.
 *
 * Sources: System V gABI, chapter 5; LSB Core, "Symbol Versioning". */
#include "package/elf.h"

#include <elf.h>

#define VERSIONS_MAX 10000 /* a program needs a few dozen */

struct image {
    struct px_str file;
    Elf64_Ehdr head;
    struct px_str strings; /* of the dynamic section */
    const char *versions;  /* DT_VERNEED */
    size_t version_count;
};

/* A copy, since nothing in a file need be aligned. */
static bool copy_at(struct px_str file, uint64_t offset, void *into, size_t bytes)
{
    if (offset > file.len || bytes > file.len - offset) return false;
    memcpy(into, file.ptr + offset, bytes);
    return true;
}

static bool segment_at(const struct image *image, size_t i, Elf64_Phdr *ret_segment)
{
    uint64_t offset = image->head.e_phoff + (uint64_t)i * sizeof *ret_segment;
    return offset >= image->head.e_phoff &&
           copy_at(image->file, offset, ret_segment, sizeof *ret_segment);
}

static struct px_str bytes_of(const struct image *image, const Elf64_Phdr *segment)
{
    if (segment->p_offset > image->file.len ||
        segment->p_filesz > image->file.len - segment->p_offset)
        return (struct px_str){0};
    return px_str(image->file.ptr + segment->p_offset, segment->p_filesz);
}

/* What the file holds from an address on, to its segment's end. */
static struct px_str bytes_at(const struct image *image, uint64_t address)
{
    Elf64_Phdr segment;
    for (size_t i = 0; i < image->head.e_phnum && segment_at(image, i, &segment); i++) {
        if (segment.p_type != PT_LOAD || address < segment.p_vaddr ||
            address - segment.p_vaddr >= segment.p_filesz)
            continue;
        return px_str_skip(bytes_of(image, &segment), address - segment.p_vaddr);
    }
    return (struct px_str){0};
}

/* Up to the NUL; a NULL pointer when there is none. */
static struct px_str text_at(struct px_str strings, uint64_t offset)
{
    if (offset >= strings.len) return (struct px_str){0};
    struct px_str rest = px_str_skip(strings, offset);
    const char *end = memchr(rest.ptr, '\0', rest.len);
    return end ? px_str(rest.ptr, (size_t)(end - rest.ptr)) : (struct px_str){0};
}

static struct px_str architecture_of(const Elf64_Ehdr *head)
{
    if (head->e_machine == EM_X86_64) return S("x86_64");
    return head->e_machine == EM_AARCH64 ? S("arm64") : (struct px_str){0};
}

static int read_head(struct image *image, struct elf_needs *needs)
{
    Elf64_Ehdr *head = &image->head;
    if (!copy_at(image->file, 0, head, sizeof *head) ||
        memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 || head->e_ident[EI_CLASS] != ELFCLASS64 ||
        head->e_ident[EI_DATA] != ELFDATA2LSB || head->e_phentsize != sizeof(Elf64_Phdr))
        return ELF_INVALID;
    needs->architecture = architecture_of(head);
    return 0;
}

/* ---- the dynamic section ---- */

static int count_libraries(struct px_str dynamic, struct image *image, size_t *ret_count)
{
    Elf64_Dyn entry;
    uint64_t strings = 0, versions = 0;
    size_t count = 0;
    for (uint64_t at = 0; copy_at(dynamic, at, &entry, sizeof entry) && entry.d_tag != DT_NULL;
         at += sizeof entry) {
        if (entry.d_tag == DT_NEEDED) count++;
        if (entry.d_tag == DT_STRTAB) strings = entry.d_un.d_ptr;
        if (entry.d_tag == DT_VERNEED) versions = entry.d_un.d_ptr;
        if (entry.d_tag == DT_VERNEEDNUM) image->version_count = entry.d_un.d_val;
    }
    image->strings = bytes_at(image, strings);
    image->versions = bytes_at(image, versions).ptr;
    *ret_count = count;
    return image->strings.ptr || count == 0 ? 0 : ELF_INVALID;
}

static int read_libraries(struct px_str dynamic, struct image *image, struct px_arena *arena,
                          struct elf_needs *needs)
{
    Elf64_Dyn entry;
    size_t count = 0;
    int r = count_libraries(dynamic, image, &count);
    if (r != 0) return r;
    needs->library_count = 0; /* a second dynamic section takes the place of the first */
    needs->libraries = px_arena_array(arena, struct px_str, count + 1);
    if (!needs->libraries) return px_arena_fault(arena);
    for (uint64_t at = 0; copy_at(dynamic, at, &entry, sizeof entry) && entry.d_tag != DT_NULL;
         at += sizeof entry) {
        if (entry.d_tag != DT_NEEDED) continue;
        struct px_str name = text_at(image->strings, entry.d_un.d_val);
        if (!name.ptr) return ELF_INVALID;
        needs->libraries[needs->library_count++] = name;
    }
    return 0;
}

/* ---- versions of symbols ---- */

static void note_version(struct px_str version, struct elf_needs *needs)
{
    uint64_t minor = 0;
    if (!px_str_starts(version, S("GLIBC_")))
        return; /* GCC_3.0, GLIBCXX_...: libraries say those */
    struct px_str number = px_str_skip(version, 6), major, rest = number;
    if (!px_str_cut(&rest, '.', &major) || !px_str_eq(major, S("2"))) {
        needs->glibc_is_other = true;
        return;
    }
    (void)px_str_cut(&rest, '.', &number); /* "2" of 2.2.5 */
    if (!px_str_to_u64(number, &minor) || minor > 1000)
        needs->glibc_is_other = true;
    else
        needs->glibc_minor = PX_MAX(needs->glibc_minor, (unsigned)minor);
}

/* Two chains, one in the other, that end by their count or with a step of 0; a file that lets them cross is no linker's. */
static int read_versions(const struct image *image, struct elf_needs *needs)
{
    if (!image->versions) return image->version_count == 0 ? 0 : ELF_INVALID;
    struct px_str rest = px_str(image->versions,
                                (size_t)(image->file.ptr + image->file.len - image->versions));
    Elf64_Verneed need = {.vn_next = 1};
    uint64_t at = 0;
    size_t seen = 0;
    for (size_t i = 0; i < image->version_count && need.vn_next > 0; i++, at += need.vn_next) {
        if (!copy_at(rest, at, &need, sizeof need)) return ELF_INVALID;
        Elf64_Vernaux aux = {.vna_next = 1};
        uint64_t aux_at = at + need.vn_aux;
        for (size_t a = 0; a < need.vn_cnt && aux.vna_next > 0; a++, aux_at += aux.vna_next) {
            if (!copy_at(rest, aux_at, &aux, sizeof aux) || ++seen > VERSIONS_MAX)
                return ELF_INVALID;
            struct px_str version = text_at(image->strings, aux.vna_name);
            if (!version.ptr) return ELF_INVALID;
            note_version(version, needs);
        }
    }
    return 0;
}

int elf_read(struct px_str file, struct px_arena *arena, struct elf_needs *ret_needs)
{
    struct image image = {.file = file};
    struct elf_needs needs = {0};
    Elf64_Phdr segment;
    int r = read_head(&image, &needs);
    for (size_t i = 0; r == 0 && i < image.head.e_phnum; i++) {
        if (!segment_at(&image, i, &segment)) return ELF_INVALID;
        struct px_str bytes = bytes_of(&image, &segment);
        if (!bytes.ptr && segment.p_filesz > 0) return ELF_INVALID; /* cut off */
        if (segment.p_type == PT_INTERP) needs.interpreter = text_at(bytes, 0);
        if (segment.p_type == PT_DYNAMIC) r = read_libraries(bytes, &image, arena, &needs);
    }
    if (r == 0) r = read_versions(&image, &needs);
    if (r == 0) *ret_needs = needs;
    return r;
}
