/* svc/storage/items.h - the rows of one Parquet object as JSON, page by page: what a distributed Map of a local region reads with
 * InputType PARQUET. On AWS Step Functions reads such files itself. Values are written as the query API writes them (sql/cell.h).
 *
 * The file is read in place, or from a copy in the temporary folder where the store is a bucket, by an engine of its own that may open
 * nothing else. */
#pragma once

#include "svc/storage/storage.h"

/* Of Step Functions: developer guide, "ItemReader (Map)", Parquet files. */
#define ITEMS_FOOTER_BYTES_MAX (5 * 1000 * 1000)
#define ITEMS_ROW_GROUP_BYTES_MAX (256 * 1000 * 1000)
#define ITEMS_PAGE_BYTES ((size_t)2 << 20) /* a page ends behind the row that reaches it */
#define ITEMS_ROW_BYTES_MAX ((size_t)1 << 20)

struct items_source {
    struct object_store *store;   /* borrowed */
    struct storage_limits limits; /* of DuckDB, and where copies go */
    int64_t deadline_mono_ns;     /* 0: none */
};
struct items_page {
    int64_t after, max;   /* asked for: rows before the first one; how many at most, 0: all */
    int64_t count, total; /* given: rows of this page, of the file */
    bool more;
};
enum items_answer { ITEMS_ABSENT = 1, ITEMS_REFUSED };
/* Add the page's rows to `rows`, comma between them. Answers: ITEMS_ABSENT: there is no such object; ITEMS_REFUSED: it is none that is read
 * here; ret_why says why, in arena. */
PX_MUST_USE int items_read(const struct items_source *source, struct px_str key,
                           struct px_arena *arena, struct items_page *page, struct px_buf *rows,
                           struct px_str *ret_why);
