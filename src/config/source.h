/* config/source.h - a file of settings as a tree: every value with the places that it was written at.
 *
 * Vocabulary. A *node* is one value of the tree, as jsonnet.h describes it; it is yyjson's, and who has one asks it with the
 * functions below. A *place* is a file, a line and a column; files below the working folder are named from there.
 *
 * Files that are imported lie below the platform's folder, links followed; nothing else is read. */
#pragma once

#include "base/px_json.h"

/* Of one evaluation. The files that are there take a hundredth of it. */
#define CONFIG_STEPS_MAX UINT64_C(5000000)
#define CONFIG_BYTES_PER_STEP                                                                      \
    UINT64_C(100) /* that values may take: half a gigabyte in all, of which little lives at once */
#define CONFIG_FRAMES_MAX 200u
#define CONFIG_DEPTH_MAX 24u
#define CONFIG_OUTPUT_BYTES_MAX ((size_t)8 << 20)
#define CONFIG_FILE_BYTES_MAX ((size_t)1 << 20)
#define CONFIG_FILES_MAX 64u

struct config_place {
    struct px_str file;
    uint32_t line, column; /* 0: the file as a whole */
};
struct config_tree {
    yyjson_val *root, *files, *faults; /* in the arena */
    const struct px_str *read;         /* real paths of what was imported */
    size_t read_count;
};

/* Read and evaluate a file below a platform's folder. What is wrong in the files is not a fault: it stands in the tree as nodes of
 * kind "fault".
 *
 * Faults: PX_F_IO, PX_F_CONFIG (it is not there), PX_F_OOM, PX_F_LIMIT. */
PX_MUST_USE int config_evaluate(const char *platform_dir, const char *path, struct px_arena *arena,
                                struct config_tree *ret_tree);
/* The same of a text, whose imports are refused, with at most so many steps and 100 bytes for each; for tests. */
PX_MUST_USE int config_evaluate_text(const char *text, uint64_t steps_max, struct px_arena *arena,
                                     struct config_tree *ret_tree);

enum config_kind {
    CONFIG_NULL,
    CONFIG_BOOL,
    CONFIG_NUMBER,
    CONFIG_TEXT,
    CONFIG_LIST,
    CONFIG_MAP,
    CONFIG_WRONG
};
enum config_kind config_kind_of(yyjson_val *node);   /* CONFIG_NULL for no node */
const char *config_kind_name(enum config_kind kind); /* "a number" */
/* A field of a map; NULL: none. "database.proxy" is a path. */
yyjson_val *config_at(yyjson_val *node, const char *path);
yyjson_val *config_field(yyjson_val *node, struct px_str name);
/* Its plain value; of maps and lists NULL. */
static inline yyjson_val *config_value(yyjson_val *node) { return yyjson_obj_get(node, "v"); }
static inline yyjson_val *config_fields(yyjson_val *node) { return yyjson_obj_get(node, "fields"); }
static inline yyjson_val *config_items(yyjson_val *node) { return yyjson_obj_get(node, "items"); }
struct px_str config_text(yyjson_val *node);
double config_number(yyjson_val *node, double otherwise);
bool config_truth(yyjson_val *node, bool otherwise);
/* Where it comes from, else where it stands. */
struct config_place config_place_of(const struct config_tree *tree, yyjson_val *node);
struct config_place config_place_at(const struct config_tree *tree, yyjson_val *place);
/* The value as JSON, without places. */
void config_write_json(struct px_buf *to, yyjson_val *node);
/* A real path as people read it: from the working folder, where it is below. */
struct px_str config_shown_path(struct px_arena *arena, const char *real);
