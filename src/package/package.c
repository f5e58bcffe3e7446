/* package/package.c - every function for every architecture, and the files that tell of them; docs: package.h. */
#include "package/package.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/px_file.h"
#include "package/elf.h"
#include "package/sbom.h"

#define TEXT_BYTES_MAX ((size_t)4 << 20)
#define SCRATCH_BYTES_MAX ((size_t)2 << 30)

struct work {
    const struct package_options *options;
    struct px_arena *arena; /* what stays */
    struct package_catalogue catalogue;
    struct package package;
    struct px_buf sums;
    struct { /* per source */
        bool made;
        struct image_layer layer;
        struct package_parts parts;
    } runtimes[2];
};

/* ---- may it run there? ---- */

static bool is_libc(struct px_str name)
{
    return px_str_eq(name, S("libc.so.6")) || px_str_eq(name, S("libm.so.6")) ||
           px_str_starts(name, S("ld-linux-"));
}

/* A ZIP gets only the C library of Lambda's runtime; an image brings its own. */
static int check_zip(struct px_str name, const struct elf_needs *needs)
{
    for (size_t i = 0; i < needs->library_count; i++)
        if (!is_libc(needs->libraries[i]))
            return px_fault(PX_F_CONFIG, "%.*s needs %.*s, which Lambda's runtime does not promise",
                            PX_FMT(name), PX_FMT(needs->libraries[i]));
    if (needs->glibc_is_other || needs->glibc_minor > PACKAGE_GLIBC_MINOR_MAX)
        return px_fault(PX_F_CONFIG, "%.*s needs symbols of glibc 2.%u; Lambda's runtime has 2.%d",
                        PX_FMT(name), needs->glibc_minor, PACKAGE_GLIBC_MINOR_MAX);
    return 0;
}

int package_check(const struct package_function *function, struct px_str architecture,
                  struct px_str executable, struct px_arena *arena)
{
    struct elf_needs needs;
    struct px_str name = function->name;
    int r = elf_read(executable, arena, &needs);
    if (r == ELF_INVALID)
        return px_fault(PX_F_CONFIG, "bootstrap of %.*s is no executable for Linux", PX_FMT(name));
    PX_TRY(r);
    if (!px_str_eq(needs.architecture, architecture))
        return px_fault(PX_F_CONFIG, "bootstrap of %.*s is for %.*s, not for %.*s", PX_FMT(name),
                        PX_FMT(needs.architecture), PX_FMT(architecture));
    if (executable.len > PACKAGE_UNPACKED_BYTES_MAX && function->kind == PACKAGE_ZIP)
        return px_fault(PX_F_CONFIG, "%.*s has %zu bytes; Lambda takes %llu unpacked", PX_FMT(name),
                        executable.len, (unsigned long long)PACKAGE_UNPACKED_BYTES_MAX);
    return function->kind == PACKAGE_ZIP ? check_zip(name, &needs) : 0;
}

/* ---- files of the output ---- */

static int output_path(const struct work *work, struct px_str name, const char **ret_path)
{
    struct px_str path = px_arena_printf(work->arena, "%s/%.*s", work->options->output,
                                         PX_FMT(name));
    if (!path.ptr) return px_fault(px_arena_fault(work->arena), "a path of the output");
    *ret_path = path.ptr;
    return 0;
}

static int output_folder(const struct work *work, struct px_str name)
{
    const char *path = NULL;
    PX_TRY(output_path(work, name, &path));
    return px_dir_make(path);
}

/* Written, and its line noted, as sha256sum(1) checks it. */
static int output_file(struct work *work, struct px_str name, struct px_str bytes)
{
    const char *path = NULL;
    char sha256[PACK_HEX_BYTES];
    PX_TRY(output_path(work, name, &path));
    PX_TRY(px_file_write_atomic(path, bytes, 0644));
    pack_sha256(bytes, sha256);
    px_buf_printf(&work->sums, "%s  %.*s\n", sha256, PX_FMT(name));
    return px_buf_fault(&work->sums);
}

static int note_other(void *ctx, const char *name, bool is_dir)
{
    bool *other = ctx;
    (void)name, (void)is_dir;
    *other = true;
    return 0;
}

#define MARK ".prism-package" /* this folder is ours, also after a run that broke off */

/* What somebody else has put there is not removed. */
static int output_begin(const struct work *work)
{
    static const char *const names[] = {
        "functions", "images", "sbom", "artifacts.tfvars.json", "SHA256SUMS", "report.json", NULL};
    const char *path = NULL;
    bool other = false;
    PX_TRY(output_path(work, S(MARK), &path));
    if (access(path, F_OK) != 0) {
        int r = px_dir_each(work->options->output, note_other, &other);
        if (r != 0 && r != PX_FILE_ABSENT) return r;
        if (other)
            return px_fault(PX_F_CONFIG, "%s is not empty, and not of an earlier run",
                            work->options->output);
    }
    PX_TRY(px_dir_make(work->options->output));
    PX_TRY(px_file_write_atomic(path, S(""), 0644));
    for (size_t i = 0; names[i]; i++) {
        PX_TRY(output_path(work, px_str_c(names[i]), &path));
        PX_TRY(px_dir_remove(path));
    }
    return 0;
}

/* ---- one artifact ---- */

static int source_file(const struct package_source *source, struct px_str name, const char *file,
                       struct px_arena *arena, const char **ret_path)
{
    struct px_str path = px_arena_printf(arena, "%s/fn/%.*s/%s", source->dir, PX_FMT(name), file);
    if (!path.ptr) return px_arena_fault(arena);
    *ret_path = path.ptr;
    return 0;
}

static int read_executable(const struct package_function *function,
                           const struct package_source *source, struct px_arena *scratch,
                           struct pack_file *ret_file)
{
    const char *path = NULL;
    struct pack_file file = {.path = S("bootstrap"), .mode = 0755};
    PX_TRY(source_file(source, function->name, "bootstrap", scratch, &path));
    PX_TRY(pack_read(path, scratch, &file.content));
    PX_TRY(package_check(function, source->architecture, file.content, scratch));
    *ret_file = file;
    return 0;
}

static int make_zip(struct work *work, const struct package_source *source,
                    struct px_arena *scratch, struct package_item *item)
{
    PX_AUTO(px_buf_deinit) struct px_buf zip;
    struct px_str name = item->function->name;
    struct pack_file file = {0};
    px_buf_init(&zip, PACK_BYTES_MAX);
    PX_TRY(read_executable(item->function, source, scratch, &file));
    struct pack_list list = {.files = &file, .count = 1, .cap = 1};
    PX_TRY(pack_zip(&list, &zip));
    pack_sha256(px_buf_str(&zip), item->sha256);
    item->bytes = zip.len;
    item->unpacked_bytes = file.content.len;
    item->path = px_arena_printf(work->arena, "functions/%.*s/%s.zip", PX_FMT(name), item->sha256);
    struct px_str folder = px_arena_printf(work->arena, "functions/%.*s", PX_FMT(name));
    if (!item->path.ptr || !folder.ptr) return px_arena_fault(work->arena);
    PX_TRY(output_folder(work, folder));
    return output_file(work, item->path, px_buf_str(&zip));
}

/* The lowest layer is the same for all functions of an architecture: a registry and Lambda keep it once. */
static int make_runtime(struct work *work, size_t at, const char *layout, struct px_arena *scratch)
{
    const struct package_source *source = &work->options->sources[at];
    struct pack_list list = {0};
    if (work->runtimes[at].made) return 0;
    struct px_str dir = px_arena_printf(scratch, "%s/runtime", source->dir);
    struct px_str parts = px_arena_printf(scratch, "%s/runtime.json", source->dir);
    if (!dir.ptr || !parts.ptr) return px_arena_fault(scratch);
    PX_TRY(pack_list_add_tree(&list, scratch, dir.ptr, S("")));
    PX_TRY(package_parts_load(parts.ptr, "parts", work->arena, &work->runtimes[at].parts));
    PX_TRY(
        image_layer_write(layout, "C library and certificates", &list, &work->runtimes[at].layer));
    work->runtimes[at].made = true;
    return 0;
}

struct beside {
    struct pack_list *list;
    struct px_arena *arena;
    const char *dir;
};

static int note_beside(void *ctx, const char *name, bool is_dir)
{
    struct beside *beside = ctx;
    (void)is_dir;
    if (strcmp(name, "bootstrap") == 0 || strcmp(name, "parts.json") == 0) return 0;
    struct px_str path = px_arena_printf(beside->arena, "%s/%s", beside->dir, name);
    struct pack_file file = {.path = px_arena_printf(beside->arena, IMAGE_TASK_DIR "/%s", name),
                             .mode = 0644};
    if (!path.ptr || !file.path.ptr) return px_arena_fault(beside->arena);
    PX_TRY(pack_read(path.ptr, beside->arena, &file.content));
    return pack_list_add(beside->list, beside->arena, file);
}

static int by_path(const void *a, const void *b)
{
    const struct pack_file *first = a, *second = b;
    return px_str_cmp(first->path, second->path);
}

/* What stands beside the executable, DuckDB's extensions; it changes more seldom than the executable. */
static int make_beside(const struct package_item *item, const struct package_source *source,
                       const char *layout, struct px_arena *scratch, struct image_layer *layers,
                       size_t *layer_count)
{
    struct pack_list list = {0};
    const char *dir = NULL;
    PX_TRY(source_file(source, item->function->name, "", scratch, &dir));
    PX_TRY(pack_list_add_parents(&list, scratch, S(IMAGE_TASK_DIR "/bootstrap")));
    size_t parents = list.count;
    struct beside beside = {&list, scratch, dir};
    int r = px_dir_each(dir, note_beside, &beside);
    if (r == PX_FILE_ABSENT) return px_fault(PX_F_CONFIG, "%s does not exist", dir);
    PX_TRY(r);
    if (list.count == parents) return 0;
    qsort(list.files + parents, list.count - parents, sizeof *list.files, by_path);
    PX_TRY(image_layer_write(layout, "extensions", &list, &layers[*layer_count]));
    ++*layer_count;
    return 0;
}

static int make_executable_layer(const struct package_item *item,
                                 const struct package_source *source, const char *layout,
                                 struct px_arena *scratch, struct image_layer *layer)
{
    struct pack_list list = {0};
    struct pack_file file = {0};
    PX_TRY(read_executable(item->function, source, scratch, &file));
    file.path = S(IMAGE_TASK_DIR "/bootstrap");
    PX_TRY(pack_list_add_parents(&list, scratch, file.path));
    PX_TRY(pack_list_add(&list, scratch, file));
    return image_layer_write(layout, "function", &list, layer);
}

static int make_image(struct work *work, size_t source_at, struct px_arena *scratch,
                      struct package_item *item)
{
    const struct package_source *source = &work->options->sources[source_at];
    const char *layout = NULL;
    struct image_layer *layers = px_arena_array(work->arena, struct image_layer, IMAGE_LAYERS_MAX);
    size_t count = 1;
    if (!layers) return px_arena_fault(work->arena);
    PX_TRY(output_path(work, S("images"), &layout));
    PX_TRY(make_runtime(work, source_at, layout, scratch));
    layers[0] = work->runtimes[source_at].layer;
    PX_TRY(make_beside(item, source, layout, scratch, layers, &count));
    PX_TRY(make_executable_layer(item, source, layout, scratch, &layers[count]));
    item->image = (struct image){.name = item->function->name,
                                 .architecture = item->architecture,
                                 .version = source->version,
                                 .description = item->function->description,
                                 .layers = layers,
                                 .layer_count = count + 1};
    PX_TRY(image_write(layout, &item->image));
    memcpy(item->sha256, item->image.manifest.sha256, sizeof item->sha256);
    for (size_t i = 0; i < item->image.layer_count; i++) {
        item->bytes += layers[i].blob.bytes;
        item->unpacked_bytes += layers[i].unpacked_bytes;
    }
    item->path = px_arena_printf(work->arena, "%.*s-%.*s", PX_FMT(item->function->name),
                                 PX_FMT(item->architecture));
    return item->path.ptr ? 0 : px_arena_fault(work->arena);
}

static int make_sbom(struct work *work, size_t source_at, struct px_arena *scratch,
                     const struct package_item *item)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    const struct package_source *source = &work->options->sources[source_at];
    struct package_parts linked, beside;
    const char *path = NULL;
    px_buf_init(&text, TEXT_BYTES_MAX);
    PX_TRY(source_file(source, item->function->name, "parts.json", scratch, &path));
    PX_TRY(package_parts_load(path, "parts", scratch, &linked));
    PX_TRY(package_parts_load(path, "beside", scratch, &beside));
    struct sbom sbom = {.name = item->function->name,
                        .version = source->version,
                        .architecture = item->architecture,
                        .kind = item->function->kind,
                        .sha256 = px_str_c(item->sha256),
                        .linked = &linked,
                        .beside = &beside};
    if (sbom.kind == PACKAGE_IMAGE) sbom.runtime = &work->runtimes[source_at].parts;
    sbom_write(&sbom, &text);
    if (px_buf_fault(&text)) return px_fault(px_buf_fault(&text), "a bill of materials");
    struct px_str name = px_arena_printf(work->arena, "sbom/%.*s-%.*s.spdx.json",
                                         PX_FMT(item->function->name), PX_FMT(item->architecture));
    if (!name.ptr) return px_arena_fault(work->arena);
    return output_file(work, name, px_buf_str(&text));
}

static int make_item(struct work *work, const struct package_function *function, size_t source_at)
{
    PX_AUTO(px_arena_deinit) struct px_arena scratch;
    struct package_item *item = &work->package.items[work->package.count];
    px_arena_init(&scratch, SCRATCH_BYTES_MAX);
    item->function = function;
    item->architecture = work->options->sources[source_at].architecture;
    if (function->kind == PACKAGE_IMAGE)
        PX_TRY(make_image(work, source_at, &scratch, item));
    else
        PX_TRY(make_zip(work, &work->options->sources[source_at], &scratch, item));
    PX_TRY(make_sbom(work, source_at, &scratch, item));
    work->package.count++;
    return 0;
}

/* ---- all of them ---- */

static bool is_wanted(const struct package_options *options, struct px_str name)
{
    bool any = options->names && options->names[0];
    for (size_t i = 0; any && options->names[i]; i++)
        if (px_str_eq(px_str_c(options->names[i]), name)) return true;
    return !any;
}

static int check_names(const struct work *work)
{
    const char *const *names = work->options->names;
    for (size_t i = 0; names && names[i]; i++) {
        bool known = false;
        for (size_t f = 0; f < work->catalogue.count && !known; f++)
            known = px_str_eq(px_str_c(names[i]), work->catalogue.functions[f].name);
        if (!known) return px_fault(PX_F_CONFIG, "the catalogue has no function \"%s\"", names[i]);
    }
    return 0;
}

static int write_index(const struct work *work)
{
    const char *layout = NULL;
    size_t count = 0;
    struct image *images = px_arena_array(work->arena, struct image, work->package.count + 1);
    if (!images) return px_arena_fault(work->arena);
    for (size_t i = 0; i < work->package.count; i++)
        if (work->package.items[i].image.layer_count > 0)
            images[count++] = work->package.items[i].image;
    if (count == 0) return 0;
    PX_TRY(output_path(work, S("images"), &layout));
    return image_index_write(layout, images, count);
}

/* Terraform deploys each function for the catalogue's architecture. */
static int write_artifacts(struct work *work)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    size_t count = 0;
    px_buf_init(&text, TEXT_BYTES_MAX);
    px_buf_add_c(&text, "{\n  \"artifacts\": {");
    for (size_t i = 0; i < work->package.count; i++) {
        const struct package_item *item = &work->package.items[i];
        if (!px_str_eq(item->architecture, item->function->architecture)) continue;
        px_buf_printf(&text, "%s\n    \"%.*s\": { \"kind\": \"%s\", \"sha256\": \"%s\" }",
                      count++ > 0 ? "," : "", PX_FMT(item->function->name),
                      package_kind_name(item->function->kind), item->sha256);
    }
    px_buf_add_c(&text, "\n  }\n}\n");
    if (px_buf_fault(&text)) return px_fault(px_buf_fault(&text), "artifacts.tfvars.json");
    return count > 0 ? output_file(work, S("artifacts.tfvars.json"), px_buf_str(&text)) : 0;
}

static int write_report(struct work *work)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    const char *path = NULL;
    px_buf_init(&text, TEXT_BYTES_MAX);
    package_write_json(&work->package, &text);
    if (px_buf_fault(&text)) return px_fault(px_buf_fault(&text), "report.json");
    PX_TRY(output_file(work, S("report.json"), px_buf_str(&text)));
    PX_TRY(output_path(work, S("SHA256SUMS"), &path));
    return px_file_write_atomic(path, px_buf_str(&work->sums), 0644);
}

static int make_all(struct work *work)
{
    const struct package_options *options = work->options;
    PX_TRY(package_catalogue_load(options->platform_dir, work->arena, &work->catalogue));
    PX_TRY(check_names(work));
    work->package.items = px_arena_array(work->arena, struct package_item,
                                         work->catalogue.count * options->source_count + 1);
    if (!work->package.items) return px_arena_fault(work->arena);
    PX_TRY(output_begin(work));
    PX_TRY(output_folder(work, S("sbom")));
    for (size_t f = 0; f < work->catalogue.count; f++)
        for (size_t s = 0; s < options->source_count; s++)
            if (is_wanted(options, work->catalogue.functions[f].name))
                PX_TRY(make_item(work, &work->catalogue.functions[f], s));
    PX_TRY(write_index(work));
    PX_TRY(write_artifacts(work));
    return write_report(work);
}

int package_make(struct px_arena *arena, const struct package_options *options,
                 struct package *ret_package)
{
    struct work work = {.options = options, .arena = arena};
    PX_ASSERT(options->source_count > 0 && options->source_count <= PX_COUNT(work.runtimes));
    px_buf_init(&work.sums, TEXT_BYTES_MAX);
    int r = make_all(&work);
    px_buf_deinit(&work.sums);
    if (r == 0) *ret_package = work.package;
    return r;
}
