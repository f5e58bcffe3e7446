/* package/pack.h - files into archives, byte for byte the same each time: sorted names, one time, owner root, modes by kind.
 *
 * libarchive writes ZIP and tar, libdeflate compresses gzip. */
#pragma once

#include "base/px_arena.h"
#include "base/px_buf.h"

#define PACK_BYTES_MAX ((size_t)1 << 30)
#define PACK_HEX_BYTES 65

struct pack_file {
    struct px_str path; /* "var/task/bootstrap": relative, no "." and ".." */
    struct px_str content;
    bool is_dir;
    unsigned mode; /* permissions */
};
struct pack_list { /* ascending by path; a folder stands before what is in it */
    struct pack_file *files;
    size_t count, cap;
};

/* Add one; what is in front of its name must have been added before. */
PX_MUST_USE int pack_list_add(struct pack_list *list, struct px_arena *arena,
                              struct pack_file file);
/* Add the folders "a", "a/b" ... of path, and then all that is below dir, as path/... . Other things than folders
 * and plain files are a fault. Executables get mode 0755, other files 0644, folders 0755, but "tmp" 1777.
 * Faults: PX_F_IO, PX_F_CONFIG, PX_F_OOM, PX_F_LIMIT. */
PX_MUST_USE int pack_list_add_tree(struct pack_list *list, struct px_arena *arena, const char *dir,
                                   struct px_str path);
PX_MUST_USE int pack_list_add_parents(struct pack_list *list, struct px_arena *arena,
                                      struct px_str path);
/* A whole file in the arena. Faults: PX_F_IO, also when it is absent; PX_F_OOM, PX_F_LIMIT. */
PX_MUST_USE int pack_read(const char *path, struct px_arena *arena, struct px_str *ret_content);

PX_MUST_USE int pack_zip(const struct pack_list *list, struct px_buf *zip);
PX_MUST_USE int pack_tar(const struct pack_list *list, struct px_buf *tar);
PX_MUST_USE int pack_gzip(struct px_str bytes, struct px_buf *gzip);
/* Lower-case hex of the SHA-256, with a NUL. */
void pack_sha256(struct px_str bytes, char ret_hex[PACK_HEX_BYTES]);
