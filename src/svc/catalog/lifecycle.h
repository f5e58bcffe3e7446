/* svc/catalog/lifecycle.h - how long data stays where: platform/lifecycle.json as structs.
 *
 * That file is the only description of tiers, sizes, ages and retention. The build puts its text into
 * the library, so that a function needs no second file; Terraform reads the same file for the storage
 * classes and transitions of the buckets. docs/design/storage.md explains each value. */
#pragma once

#include "base/px_arena.h"

#define LIFECYCLE_TRANSITIONS_MAX 4
#define LIFECYCLE_CLASSES_MAX 32

struct lifecycle_transition {
    int64_t after_days;
    struct px_str storage_class; /* S3's name */
};
struct lifecycle_class {
    struct px_str name;
    struct px_str tenant;  /* "*": any */
    struct px_str dataset; /* "*": any */
    int64_t retention_days;
    struct lifecycle_transition transitions[LIFECYCLE_TRANSITIONS_MAX];
    size_t transition_count;
};
/* How a Parquet file of a tier is written. */
struct lifecycle_parquet {
    struct px_str version; /* "V1" or "V2": which encodings */
    int64_t compression_level;
    int64_t row_group_rows, row_group_bytes;
};
struct lifecycle {
    struct lifecycle_parquet segment, analytics;
    int64_t segment_rows_max, segment_input_bytes_max; /* of one sealed segment */
    int64_t object_bytes_target;                       /* of one analytics object */
    int64_t merge_files_min;                           /* that many of a size become one */
    int64_t dead_grace_s, orphan_age_s, mark_idle_days;
    int64_t export_days; /* what a tenant that left may be fetched for */
    struct lifecycle_class classes[LIFECYCLE_CLASSES_MAX];
    size_t class_count;
};

/* The text of platform/lifecycle.json at build time. */
struct px_str lifecycle_builtin(void);
enum lifecycle_answer { LIFECYCLE_INVALID = 1 };
/* Parse and check; strings go to arena. The rules of S3 are checked too (aws-facts 39): no move to an
 * infrequent-access class before day 30, each class kept at least as long as it is billed for.
 * Answers: LIFECYCLE_INVALID, ret_where says what (may be NULL). */
PX_MUST_USE int lifecycle_parse(struct px_str json, struct px_arena *arena,
                                struct lifecycle *ret_lifecycle, struct px_where *ret_where);
/* The first class that matches; the last one matches everything. */
const struct lifecycle_class *lifecycle_class_of(const struct lifecycle *lifecycle,
                                                 struct px_str tenant, struct px_str dataset);
