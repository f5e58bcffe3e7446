/* delivery/pipeline/release.h - what is delivered: a folder or object prefix as `prism package` leaves it, with release.json in it.
 *
 *   {"release":"<id>","source":"<commit>","created":"<time>","artifacts":{"ingest":{"kind":"zip","sha256":"<hex>"},...},
 *    "platform_sha256":"<hex>","config_sha256":"<hex>","machines":{"data-lifecycle":"<hex>",...},"schema":{"expands_to":N,"contracts_to":N,"needs":N,"floor":N}}
 *
 * `machines` are the definitions of state machines: release_machines.h. `schema` says with which versions of the catalog's tables its functions work: contract.h
 *
 * A place is such a folder or prefix. Where several releases share their artifacts (a bucket that functions are deployed from), it is
 * "<base>/releases/<id>", and artifacts lie below the base.
 *
 * The id is the first 12 hex digits of the SHA-256 over all the other members, minified, in their order. */
#pragma once

#include "delivery/pipeline/action.h"

enum release_answer { RELEASE_INVALID = 1 };

/* Read and check <place>/release.json. What is wrong is a detail of px_fault_text(PX_F_CONFIG).
 * Answers: RELEASE_INVALID: none there, or its id is not that of its content. Everything is in arena. */
PX_MUST_USE int release_read(struct px_str place, struct cloud_shared *cloud,
                             struct px_arena *arena, struct action_release *ret_release);
/* The store of a place, and what stands before "release.json" in it ("" or "releases/<id>/"). */
struct object_store;
PX_MUST_USE int release_open(struct px_str place, struct cloud_shared *cloud,
                             struct px_arena *arena, struct object_store **ret_store,
                             struct px_str *ret_prefix);
/* Check the text of a release.json. Answers: RELEASE_INVALID. */
PX_MUST_USE int release_parse(struct px_str text, struct px_arena *arena,
                              yyjson_val **ret_document);
/* The id of a document; its member `release` does not count. */
PX_MUST_USE int release_id(yyjson_val *document, char ret_id[13]);
/* A key of a place: where a ZIP lies, "functions/<name>/<sha256>.zip", or an image's manifest, "images/blobs/sha256/<sha256>". */
struct px_str release_key(struct px_arena *arena, struct px_str name, yyjson_val *artifact);
/* A part of the run's release, whose bytes have that digest. Answers: ACTION_REFUSED, said. */
PX_MUST_USE int release_get(const struct action_context *ctx, struct object_store *store,
                            struct px_str key, struct px_str sha256, struct px_buf *bytes);
/* Put it where nothing is; what is there stays, for its key is its digest. A bucket of artifacts takes ZIPs in no other way. */
PX_MUST_USE int release_put_new(const struct action_context *ctx, struct object_store *store,
                                struct px_str key, struct px_str bytes);
/* One digest over all files below a folder, by their names and contents; `except` is a name in it that does not count, or NULL. */
PX_MUST_USE int release_digest_tree(const char *dir, const char *except, char ret_hex[65]);
