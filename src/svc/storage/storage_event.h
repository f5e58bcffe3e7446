/* svc/storage/storage_event.h - the function `storage`: a scheduled or manual event to counts.
 *
 *   {"op":"seal"|"compact"|"retain"|"ttl", "tenant"?, "dataset"?, "now"?: RFC 3339}
 *   -> {"op":..., "datasets":n, "frames":n, ..., "more":bool, "ms":n}
 *
 *   {"op":"move-greet"|"move-pack"|"move-fetch"|"move-check"|"move-freeze"|"move-thaw"|"move-close"|
 *    "move-leave"|"move-receive"|"move-finish"|"move-settle"|"move-stay"|"move-part"|"move-clean", "tenant", "epoch", "at",
 *    "region"?, "for_ms"?, "freeze"?, "spool_after_ms"?, "source"?: {"segments","analytics"}}
 *   -> {"op":..., "datasets":n, "rows":n, ..., "source":{..}, "last":bool, "more":bool, "ms":n}
 *
 * The latter are steps of a tenant's move (svc/storage/move.h). `region` is the other one, for greet, freeze, leave and
 * part; `source` are URLs of the source's stores, for fetch, check and settle, as pack's and finish's answers have them. `at` is the region
 * that the step is meant for; another refuses it as "WrongRegion". One that comes at the wrong time is the
 * function error "Fenced"; fetch and check before the source packed, and settle before it finished, are "Unpacked"; stay when the
 * tenant has left is "Decided".
 *
 *   {"op":"offboard-export"|"offboard-check"|"offboard-remove"|"offboard-prove", "tenant", "export"?, "after"?, "execution"?,
 *    "began"?, "keys"?}
 *   -> {"op":..., "objects":n, "rows":n, ..., "key","sha256","url", "after", "more":bool, "ms":n}
 *
 * Steps of a tenant that goes (svc/storage/offboard.h). Function errors: "NotStopped", "Unexported", "ExportDiffers",
 * "DataRemains", each with the reason.
 *
 *   {"op":"items",...}: the rows of a Parquet object, see svc/storage/items_event.h
 *
 * `now` moves the clock that ages of data are measured with, so that ageing can be seen and tested.
 * A wrong event is the function error "InvalidEvent". */
#pragma once

#include "lambda/runtime.h"
#include "svc/lending/lending.h"
#include "svc/storage/storage.h"

struct storage_urls { /* as in the environment */
    struct px_str hot, segments, analytics, tables, meta;
};
struct cloud_shared; /* aws/shared.h */
struct storage_function {
    struct cloud_shared *cloud; /* borrowed; of the stores; NULL: each makes its own */
    struct storage_urls urls;
    struct storage_limits limits;
    struct px_str region;         /* this one; empty: not known */
    struct px_str name;           /* its own, for who wants to take tables away (catalog_say) */
    struct px_str lifecycle_path; /* of another lifecycle.json; empty: the built-in one */
    struct lending_settings lending;
};
PX_MUST_USE int storage_handle(const struct storage_function *function,
                               const struct lambda_event *event);
