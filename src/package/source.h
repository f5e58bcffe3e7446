/* package/source.h - what there is to pack: functions by the catalogue, and folders that a build or an installation left,
 * one per architecture. The layout of such a folder stands in cmake/package.cmake. */
#pragma once

#include "package/pack.h"

enum package_kind { PACKAGE_ZIP, PACKAGE_IMAGE };
struct package_function {
    struct px_str name;
    enum package_kind kind;
    struct px_str architecture; /* that the catalogue gives it: "arm64" or "x86_64" */
    struct px_str description;
};
struct package_catalogue {
    struct package_function *functions; /* by name */
    size_t count;
};
/* Faults: PX_F_CONFIG (a catalogue that says nothing of that kind), PX_F_IO, PX_F_OOM. */
PX_MUST_USE int package_catalogue_load(const char *platform_dir, struct px_arena *arena,
                                       struct package_catalogue *ret_catalogue);
const char *package_kind_name(enum package_kind kind); /* "zip", "image": the catalogue's words */

struct package_source {
    const char *dir;
    struct px_str architecture, version; /* of what was built there */
};
enum package_source_answer { PACKAGE_SOURCE_ABSENT = 1 };
/* dir is borrowed. Answers: PACKAGE_SOURCE_ABSENT: dir holds nothing to pack.
 * Faults: PX_F_CONFIG, PX_F_IO, PX_F_OOM. */
PX_MUST_USE int package_source_open(const char *dir, struct px_arena *arena,
                                    struct package_source *ret_source);

/* A part that is linked into an executable or stands in an image. */
struct package_part {
    struct px_str name, version, licence, origin; /* origin: a package URL */
    struct px_str
        checksum; /* "sha256:..." of what was fetched, "h1:..." of a Go module; may be empty */
    struct px_str contents; /* its archives or files, comma-separated */
};
struct package_parts {
    struct package_part *items;
    size_t count;
};
/* The list `key` of a file: "parts", or "beside" of a function's; absent is empty. */
PX_MUST_USE int package_parts_load(const char *path, const char *key, struct px_arena *arena,
                                   struct package_parts *ret_parts);
