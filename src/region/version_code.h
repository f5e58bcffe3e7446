/* region/version_code.h - the code of versions: folders and ZIPs with `bootstrap`, kept under the data folder by digest
 * and never changed. For threads beside the loop: everything here may take a while and touches no region.
 *
 * A ZIP's digest is the SHA-256 of its bytes, as on AWS; a folder's that of its files' names and contents. */
#pragma once

#include "base/px_arena.h"

#define VERSION_DIGEST_BYTES 65             /* hex, with a NUL */
#define VERSION_CODE_BYTES_MAX (250u << 20) /* Lambda's quota for code and layers, unzipped */

enum version_code_answer { VERSION_CODE_INVALID = 1 };

/* What is told of what was taken in; why is set when it is invalid. */
struct version_code {
    char digest[VERSION_DIGEST_BYTES];
    uint64_t bytes; /* of the ZIP, or of all files */
    char why[256];
};
/* The folder's digest, nothing is written. Answers: VERSION_CODE_INVALID. Faults: PX_F_IO, PX_F_OOM. */
PX_MUST_USE int version_code_look(const char *dir, struct version_code *ret_code);
/* Copy a folder, or unpack a ZIP file, into <store>/<digest>/; what is there already is kept. A crash leaves a folder
 * whose name begins with "tmp-". Answers and faults as above. */
PX_MUST_USE int version_code_take(const char *path, const char *store,
                                  struct version_code *ret_code);
/* The same for the bytes of a ZIP. */
PX_MUST_USE int version_code_take_zip(struct px_str zip, const char *store,
                                      struct version_code *ret_code);
/* Remove what a crash left behind. */
PX_MUST_USE int version_code_clean(const char *store);
