/* svc/query/copies.h - local copies of small objects, in the process's folder for temporary files.
 *
 * An object in S3 costs DuckDB three round trips before its first row, and what DuckDB keeps of it goes with
 * the engine: at the next tenant's query. Fresh segments are small, many, and asked for again and again. So objects up
 * to a size are got whole, by the store, which compares their checksums, and DuckDB reads the copies. Larger ones it
 * reads by ranges from S3. Objects never change, so a copy is never stale.
 *
 * All copies of a tenant are in a folder of its own; an engine may open that of its tenant. Their bytes have a
 * ceiling; those that were not asked for the longest go first. docs/design/aws.md, "DuckDB on S3". */
#pragma once

#include "base/px_arena.h"
#include "store/objects.h"

struct copies; /* opaque; of one thread, which has others that get */
struct copies_options {
    struct px_str folder;      /* made with the first copy; nobody else's */
    uint64_t bytes_max;        /* of all copies */
    uint64_t object_bytes_max; /* larger ones have no copy */
};
PX_MUST_USE int copies_new(const struct copies_options *options, struct copies **ret_copies);
/* Copies are left to whoever removes the folder. */
void copies_free(struct copies **copies);
/* The folder of a tenant's copies, with '/' at its end. */
PX_MUST_USE int copies_folder(const struct copies *copies, struct px_str tenant,
                              struct px_arena *arena, struct px_str *ret_folder);

struct copy_wish {
    struct object_store *store;
    struct px_str key; /* "<tenant>/..." */
    uint64_t
        bytes; /* as the catalog knows it, and another length is no copy of it; 0: no copy is wanted */
    struct px_str path; /* written by copies_want(): of the copy; ptr NULL: there is none */
};
/* Paths for those of a tenant's objects that are small enough and fit below the ceiling together. What is
 * missing is got, several at once. What cannot be got or written has no path, which is no fault: DuckDB will
 * find it, or find out why not. Paths are good until the next call.
 *
 *   until_mono_ns  nothing is begun after it, of px_clock_system
 *   ret_got_bytes  what came from the store */
PX_MUST_USE int copies_want(struct copies *copies, struct px_str tenant, struct copy_wish *wishes,
                            size_t count, int64_t until_mono_ns, struct px_arena *arena,
                            uint64_t *ret_got_bytes);
