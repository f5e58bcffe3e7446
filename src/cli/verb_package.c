/* cli/verb_package.c - `prism package`: what Lambda and Terraform take, out of what was built. */
#include "cli/settings.h"
#include "cli/verbs.h"
#include "package/package.h"
#include "package/registry.h"

#define REPORT_BYTES_MAX (4u << 20)

struct package_values {
    struct cli_list from;
    const char *arch, *output, *platform, *push, *tag;
};
static const struct cli_option options[] = {
    {"arch", 'a', CLI_TEXT, offsetof(struct package_values, arch), "ARCH",
     "arm64, x86_64 or both (default both)", "arm64 x86_64 both", 0, 0},
    {"output", 'o', CLI_TEXT, offsetof(struct package_values, output), "DIR",
     "folder of the artifacts; what an earlier run left there is removed (default artifacts)", NULL,
     0, 0},
    {"push", 'p', CLI_TEXT, offsetof(struct package_values, push), "REGISTRY/REPO",
     "push the images to REGISTRY/REPO/<function>, over HTTPS, or http://127.0.0.1:<port>/REPO",
     NULL, 0, 0},
    {"tag", 't', CLI_TEXT, offsetof(struct package_values, tag), "TAG",
     "with --push: an index of each function's images as well, under TAG; Lambda takes no index",
     NULL, 0, 0},
    {"from", 0, CLI_LIST, offsetof(struct package_values, from), "DIR",
     "what a release build left to be packed; may be repeated (default beside the program)", NULL,
     0, 0},
    {"platform", 0, CLI_TEXT, offsetof(struct package_values, platform), "DIR",
     "functions.json and so on (default beside the program)", NULL, 0, 0},
};
static const struct package_values defaults = {.arch = "both", .output = "artifacts"};

struct sources {
    struct package_source items[2];
    size_t count;
};

static bool is_wanted(const struct package_values *v, struct px_str architecture)
{
    return strcmp(v->arch, "both") == 0 || px_str_eq(px_str_c(v->arch), architecture);
}

static bool have(const struct sources *sources, struct px_str architecture)
{
    for (size_t i = 0; i < sources->count; i++)
        if (px_str_eq(sources->items[i].architecture, architecture)) return true;
    return false;
}

/* The first folder of an architecture is taken. */
static int add_source(struct cli *cli, const struct package_values *v, const char *dir, bool given,
                      struct sources *sources)
{
    struct package_source source;
    int r = package_source_open(dir, &cli->arena, &source);
    if (r == PACKAGE_SOURCE_ABSENT && given)
        return cli_fail(cli, CLI_FAILED, "%s holds nothing to pack: no package.json", dir);
    if (r == PACKAGE_SOURCE_ABSENT) return CLI_OK;
    if (r != 0) return cli_fault(cli, r, "%s", dir);
    if (is_wanted(v, source.architecture) && !have(sources, source.architecture))
        sources->items[sources->count++] = source;
    return CLI_OK;
}

static int check_sources(struct cli *cli, const struct package_values *v,
                         const struct sources *sources)
{
    static const struct px_str names[] = {S("arm64"), S("x86_64")};
    for (size_t i = 0; i < PX_COUNT(names); i++)
        if (is_wanted(v, names[i]) && !have(sources, names[i]))
            return cli_fail(
                cli, CLI_FAILED,
                "nothing was built for %.*s: `make package` in Prism's sources builds "
                "both architectures; --from names a folder <build>/package of one, --arch "
                "leaves the other out",
                PX_FMT(names[i]));
    return CLI_OK;
}

static int find_sources(struct cli *cli, const struct package_values *v, struct sources *sources)
{
    const char *dir = NULL;
    int exit = CLI_OK;
    for (size_t i = 0; exit == CLI_OK && i < v->from.count; i++)
        exit = add_source(cli, v, v->from.items[i], true, sources);
    for (size_t i = 0; exit == CLI_OK && v->from.count == 0; i++) {
        dir = settings_packable_dir(cli, i);
        if (!dir) break;
        exit = add_source(cli, v, dir, false, sources);
    }
    return exit == CLI_OK ? check_sources(cli, v, sources) : exit;
}

/* ---- push ---- */

static int push_index(struct cli *cli, const struct package_values *v, struct registry *registry,
                      const struct package *package, size_t first)
{
    struct image images[2];
    size_t count = 0;
    for (size_t i = first; i < package->count && count < PX_COUNT(images); i++)
        if (package->items[i].function == package->items[first].function)
            images[count++] = package->items[i].image;
    int r = registry_push_index(registry, images, count, px_str_c(v->tag));
    return r == 0 ? CLI_OK : cli_fault(cli, r, "%s", v->push);
}

static int push_item(struct cli *cli, struct registry *registry, const char *layout,
                     struct package_item *item)
{
    struct registry_pushed pushed;
    int r = registry_push(registry, layout, &item->image, &pushed);
    if (r != 0) return cli_fault(cli, r, "%.*s", PX_FMT(item->path));
    item->pushed = pushed.reference;
    if (!cli->json)
        (void)fprintf(cli->err, "%.*s: %zu blobs sent, %zu there; tag %.*s\n", PX_FMT(item->path),
                      pushed.blobs_sent, pushed.blobs_there, PX_FMT(pushed.tag));
    return CLI_OK;
}

static int push_all(struct cli *cli, const struct package_values *v, struct package *package)
{
    PX_AUTO(registry_close) struct registry *registry = NULL;
    struct registry_options where = {.address = px_str_c(v->push)};
    struct px_str layout = px_arena_printf(&cli->arena, "%s/images", v->output);
    const struct package_function *last = NULL;
    if (!layout.ptr) return cli_fault(cli, px_arena_fault(&cli->arena), "images");
    int r = registry_open(&where, &cli->arena, &registry);
    if (r != 0) return cli_fault(cli, r, "%s", v->push);
    int exit = CLI_OK;
    for (size_t i = 0; exit == CLI_OK && i < package->count; i++)
        if (package->items[i].image.layer_count > 0)
            exit = push_item(cli, registry, layout.ptr, &package->items[i]);
    for (size_t i = 0; exit == CLI_OK && v->tag && i < package->count; i++) {
        if (package->items[i].image.layer_count == 0 || package->items[i].function == last)
            continue;
        last = package->items[i].function;
        exit = push_index(cli, v, registry, package, i);
    }
    return exit;
}

static int print_report(struct cli *cli, const struct package *package)
{
    PX_AUTO(px_buf_deinit) struct px_buf report;
    px_buf_init(&report, REPORT_BYTES_MAX);
    if (!cli->json) {
        package_write_text(package, cli->out);
        return CLI_OK;
    }
    package_write_json(package, &report);
    if (px_buf_fault(&report)) return cli_fault(cli, px_buf_fault(&report), "the report");
    (void)fwrite(report.ptr, 1, report.len, cli->out);
    return CLI_OK;
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    const struct package_values *v = values;
    struct sources sources = {0};
    struct package package;
    const char **names = px_arena_array(&cli->arena, const char *, (size_t)arg_count + 1);
    if (!names) return cli_fault(cli, px_arena_fault(&cli->arena), "names");
    for (int i = 0; i < arg_count; i++) names[i] = args[i];
    const char *platform = v->platform ? v->platform : settings_platform_dir(cli);
    if (v->tag && !v->push) return cli_fail(cli, CLI_USAGE, "--tag is for --push");
    if (!platform)
        return cli_fail(cli, CLI_FAILED,
                        "no functions.json beside the program: give --platform DIR");
    int exit = find_sources(cli, v, &sources);
    if (exit != CLI_OK) return exit;
    struct package_options what = {.platform_dir = platform,
                                   .names = names,
                                   .sources = sources.items,
                                   .source_count = sources.count,
                                   .output = v->output};
    int r = package_make(&cli->arena, &what, &package);
    if (r != 0) return cli_fault(cli, r, "package");
    exit = v->push ? push_all(cli, v, &package) : CLI_OK;
    if (exit != CLI_OK) return exit;
    return print_report(cli, &package);
}

const struct cli_verb verb_package = {
    .name = "package",
    .arguments = "[FUNCTION...]",
    .summary = "make the functions' ZIPs and container images for Lambda",
    .details =
        "Packs what a release build left: ZIPs under the names that Terraform looks for in the bucket of "
        "artifacts, images as one OCI layout, a bill of materials (SPDX) for each, their digests for "
        "Terraform (artifacts.tfvars.json), a report of sizes. The same build makes the same bytes. Credentials of a "
        "registry: PRISM_REGISTRY_USER and PRISM_REGISTRY_PASSWORD, else Docker's config.json, else, for Amazon "
        "ECR, AWS's own.",
    .complete = "function",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct package_values),
    .defaults = &defaults,
    .args_max = 64,
    .without_data = true,
    .run = run,
};
