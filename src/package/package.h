/* package/package.h - artifacts of functions: what Lambda and Terraform take, out of what a build left.
 *
 * An output folder holds (docs/design/package.md)
 *   functions/<name>/<sha256>.zip     under the very name that it has in the bucket of artifacts
 *   images/                           one OCI image layout with all images
 *   sbom/<name>-<architecture>.spdx.json
 *   artifacts.tfvars.json             variable `artifacts` of infra/region
 *   report.json                       the report; SHA256SUMS: all of these but itself */
#pragma once

#include <stdio.h>

#include "package/image.h"
#include "package/source.h"

/* Lambda's limits. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
#define PACKAGE_UNPACKED_BYTES_MAX ((uint64_t)250 << 20)
#define PACKAGE_GLIBC_MINOR_MAX 34 /* provided.al2023 */

struct package_options {
    const char *platform_dir;
    const char *const *names; /* of functions, NULL-ended; none: all */
    const struct package_source *sources;
    size_t source_count;
    const char *output; /* made anew if it is of an earlier run, else absent or empty */
};
struct package_item {
    const struct package_function *function;
    struct px_str architecture;
    struct px_str path; /* in the output folder; of an image its reference in the layout */
    char sha256[PACK_HEX_BYTES];
    uint64_t bytes;          /* of the ZIP; of an image all its layers, compressed */
    uint64_t unpacked_bytes; /* of the executable; of an image all its layers */
    struct image image;      /* layer_count 0 of a ZIP */
    struct px_str pushed;    /* "<registry>/<name>@sha256:<digest>" once it has been pushed */
};
struct package {
    struct package_item *items; /* by name, then architecture */
    size_t count;
};
/* Everything is in arena.
 * Faults: PX_F_CONFIG: a function that is not there or that Lambda could not run; PX_F_IO, PX_F_NO_SPACE, PX_F_LIMIT,
 * PX_F_OOM. */
PX_MUST_USE int package_make(struct px_arena *arena, const struct package_options *options,
                             struct package *ret_package);
/* The report, as it stands in the output folder. */
void package_write_json(const struct package *package, struct px_buf *buf);
void package_write_text(const struct package *package, FILE *to);
/* Whether Lambda can run an executable as that kind of package; a fault that says why not. */
PX_MUST_USE int package_check(const struct package_function *function, struct px_str architecture,
                              struct px_str executable, struct px_arena *arena);
