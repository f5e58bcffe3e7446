/* svc/catalog/catalog.h - datasets, schemas, segments and how far each writer's frames are sealed.
 *
 * The one invariant everything rests on: a frame (tenant, dataset, writer, seq) is visible to queries
 * either as a hot frame with seq > sealed_seq(writer), or inside exactly one live segment, never both;
 * catalog_seal() moves frames from one side to the other in one transaction. Each change of a dataset
 * adds 1 to its version, so that a reader can tell that nothing moved while it looked around.
 * docs/design/catalog.md: tables, states of a segment, crash points. */
#pragma once

#include "base/px_arena.h"
#include "base/px_clock.h"
#include "base/px_log.h"
#include "columnar/schema.h"
#include "store/meta.h"
#include "store/migrate.h"

/* The tables, as numbered steps. */
extern const struct migrate_list catalog_migrations;

struct catalog; /* opaque; one thread */
/* Opens, and runs steps that are missing and only add, where that is allowed: on one machine. meta is borrowed.
 * Faults: PX_F_CONFIG when this release and the tables do not fit (migrate_check), or nobody here may make them. */
PX_MUST_USE int catalog_new(struct meta *meta, const struct px_clock *clock,
                            struct catalog **ret_catalog);
void catalog_free(struct catalog **catalog);
/* Leave word, every hour, that the function `name` runs and which steps it knows, so that nothing is taken away from it. It
 * may be called after each event, for within_ms: nearly always it does nothing. */
PX_MUST_USE int catalog_say(struct catalog *catalog, struct px_str name, uint32_t within_ms);
/* The same behind an event, which does not fail for it. NULLs are fine: no catalog was opened, nobody logs. */
void catalog_say_after(struct catalog *catalog, struct px_str name, uint32_t within_ms,
                       const struct px_log *log);

enum catalog_answer { CATALOG_ABSENT = 1, CATALOG_CONFLICT };

/* A dataset by its two names. */
struct dataset_key {
    struct px_str tenant, name;
};
enum segment_tier { TIER_SEGMENT = 1, TIER_ANALYTICS = 2 };
struct segment {
    int64_t id;
    struct px_str key; /* object key in its tier's store */
    enum segment_tier tier;
    int64_t time_min_us, time_max_us;
    int64_t rows, bytes;
    int64_t created_ns;
    struct px_str schema_json; /* columns of this file */
    struct px_str
        stats_json; /* {"column":{"min":..,"max":..,"nulls":n}} for those worth pruning by */
};
struct writer_mark {
    struct px_str writer;
    uint64_t sealed_seq; /* frames up to and including it are in segments */
};
struct dataset_info {
    struct px_str tenant, name;
    int64_t version;
    struct px_str schema_json;
    int64_t rows, bytes, segments;     /* live segments, both tiers */
    int64_t quarantined;               /* segments set aside because they could not be read */
    int64_t time_min_us, time_max_us;  /* 0, 0 when empty */
    int64_t retention_days;            /* its own; 0: its tenant's */
    int64_t tenant_days;               /* its tenant's; 0: the class's default */
    struct px_str rules, tenant_rules; /* JSON (retention.h); empty: not said */
};
/* One snapshot: the dataset with its live segments that overlap [start_us, end_us) and all marks.
 * pruned: live segments outside the range. Answers: CATALOG_ABSENT: nothing sealed yet; ret_snapshot
 * is then an empty one with version 0. */
struct catalog_snapshot {
    int64_t version;
    bool dropped; /* and nothing was sealed since: it is there only if it has fresh frames */
    struct px_str schema_json; /* empty when absent */
    struct segment *segments;
    size_t segment_count, pruned;
    struct writer_mark *marks;
    size_t mark_count;
};
PX_MUST_USE int catalog_read(struct catalog *catalog, struct px_str tenant, struct px_str dataset,
                             int64_t start_us, int64_t end_us, struct px_arena *arena,
                             struct catalog_snapshot *ret_snapshot);
/* Likewise, perhaps as it was a moment ago: from a replica of the metadata if there is one. It is the
 * present one if its version is catalog_version(), which is never of a replica. */
PX_MUST_USE int catalog_read_lagging(struct catalog *catalog, struct px_str tenant,
                                     struct px_str dataset, int64_t start_us, int64_t end_us,
                                     struct px_arena *arena, struct catalog_snapshot *ret_snapshot);
/* 0 when absent. */
PX_MUST_USE int catalog_version(struct catalog *catalog, struct px_str tenant,
                                struct px_str dataset, int64_t *ret_version);
/* Datasets of a tenant, or of all tenants when tenant is empty, ordered by (tenant, name). */
PX_MUST_USE int catalog_list(struct catalog *catalog, struct px_str tenant, struct px_arena *arena,
                             struct dataset_info **ret_datasets, size_t *ret_count);
/* How many bytes a tenant's live segments have, as the sum over catalog_list(). */
PX_MUST_USE int catalog_stored(struct catalog *catalog, struct px_str tenant, int64_t *ret_bytes);
/* Names of a tenant's datasets that were dropped and of which nothing was sealed since, in order. */
PX_MUST_USE int catalog_dropped(struct catalog *catalog, struct px_str tenant,
                                struct px_arena *arena, struct px_str **ret_names,
                                size_t *ret_count);
/* One dataset. Answers: CATALOG_ABSENT: never sealed, or dropped. */
PX_MUST_USE int catalog_find(struct catalog *catalog, struct px_str tenant, struct px_str dataset,
                             struct px_arena *arena, struct dataset_info *ret_dataset);

/* Seal: segments that together hold the frames (from, to] of each writer become live, the schema is
 * replaced, the marks move, all at once.
 * Answers: CATALOG_CONFLICT when a writer's mark is not `from` (another sealer was first), or when
 * schema_json lacks a column that the stored schema has by now (a schema only grows): nothing changed,
 * the caller deletes its objects. */
struct seal_mark {
    struct px_str writer;
    uint64_t from, to;
};
struct catalog_sealing {
    struct px_str tenant, dataset;
    struct px_str schema_json;
    const struct segment *segments;
    size_t segment_count;
    const struct seal_mark *marks;
    size_t mark_count;
};
PX_MUST_USE int catalog_seal(struct catalog *catalog, const struct catalog_sealing *sealing);
/* Replace live segments by others (compaction), all at once. The old ones become dead and their
 * objects are removed after a grace period. Answers: CATALOG_CONFLICT when one is no longer live.
 * Faults: PX_F_CORRUPT when the new ones do not hold as many rows as the old ones. */
PX_MUST_USE int catalog_replace(struct catalog *catalog, struct px_str tenant,
                                struct px_str dataset, const int64_t *old_ids, size_t old_count,
                                const struct segment *segments, size_t segment_count);
/* Live segments wholly older than the limit become dead (retention). */
PX_MUST_USE int catalog_expire(struct catalog *catalog, struct px_str tenant, struct px_str dataset,
                               int64_t older_than_us, size_t *ret_count);
/* Take a live segment out of sight because its object cannot be read; the object stays, `reason` says
 * why. Answers: CATALOG_CONFLICT when it is no longer live. */
PX_MUST_USE int catalog_quarantine(struct catalog *catalog, struct px_str tenant,
                                   struct px_str dataset, int64_t id, struct px_str reason);
/* Remove a dataset's rows and columns: live and quarantined segments become dead, and the frames
 * (from, to] of each writer count as sealed, so that their files go with the next seal. Frames that
 * come later begin the dataset anew; its version goes on counting.
 * Answers: CATALOG_ABSENT when there is neither dataset nor mark; CATALOG_CONFLICT as catalog_seal. */
PX_MUST_USE int catalog_drop_dataset(struct catalog *catalog, struct px_str tenant,
                                     struct px_str dataset, const struct seal_mark *marks,
                                     size_t mark_count);
/* Dead segments whose death is older than grace_ns, oldest first, at most max. */
PX_MUST_USE int catalog_dead(struct catalog *catalog, int64_t grace_ns, size_t max,
                             struct px_arena *arena, struct segment **ret_segments,
                             size_t *ret_count);
PX_MUST_USE int catalog_forget(struct catalog *catalog, const int64_t *ids, size_t count);
/* Whether an object key belongs to a live, dead or quarantined segment (orphans of crashes do not). */
PX_MUST_USE int catalog_knows(struct catalog *catalog, struct px_str key, bool *ret_known);
/* How far a writer is sealed: 0 when never. */
PX_MUST_USE int catalog_mark(struct catalog *catalog, struct px_str tenant, struct px_str dataset,
                             struct px_str writer, uint64_t *ret_seq);
/* 0: back to the tenant's. A dataset that has only hot frames yet is made, empty. */
PX_MUST_USE int catalog_set_retention(struct catalog *catalog, struct px_str tenant,
                                      struct px_str dataset, int64_t days);
/* Days and rules (retention.h) of a dataset, or with an empty name of all that do not say it themselves, in place of what was
 * said before; 0 and empty: nothing is said. Datasets that there are change at once, those that come later begin with it. */
PX_MUST_USE int catalog_say_retention(struct catalog *catalog, struct px_str tenant,
                                      struct px_str dataset, int64_t days, struct px_str rules);
/* What is said of all, days alone. */
PX_MUST_USE int catalog_set_tenant_retention(struct catalog *catalog, struct px_str tenant,
                                             int64_t days);
struct tenant_retention {
    int64_t days;        /* 0: not said */
    struct px_str rules; /* JSON; empty: not said */
};
PX_MUST_USE int catalog_tenant_retention(struct catalog *catalog, struct px_str tenant,
                                         struct px_arena *arena,
                                         struct tenant_retention *ret_retention);
/* Live segments wholly older than the limit, oldest first, with what they were held against (svc/storage/retain_rules.c). */
struct aged_segment {
    struct segment segment;
    struct px_str rules_done;
};
PX_MUST_USE int catalog_aged(struct catalog *catalog, const struct dataset_key *key,
                             int64_t older_than_us, struct px_arena *arena,
                             struct aged_segment **ret_segments, size_t *ret_count);
/* No row of this segment was to go. One that is no longer live stays as it is. */
PX_MUST_USE int catalog_rules_done(struct catalog *catalog, int64_t id, struct px_str done);
/* A live segment changes places with one that lacks some of its rows, all at once; the old one becomes dead.
 * Answers: CATALOG_CONFLICT when it is no longer live: nothing changed, the caller deletes the new object.
 * Faults: PX_F_CORRUPT when kept and removed are not together what it had. */
struct catalog_reduction {
    struct dataset_key key;
    int64_t id;
    const struct segment *kept; /* NULL: no row stays */
    int64_t removed;            /* rows, 1 at least */
    struct px_str done;
};
PX_MUST_USE int catalog_reduce(struct catalog *catalog, const struct catalog_reduction *reduction);
/* Marks that did not move for older_than_ns, for a caller who knows which files there are; at most
 * max, oldest first. */
struct idle_mark {
    struct px_str tenant, dataset, writer;
    uint64_t sealed_seq;
};
PX_MUST_USE int catalog_idle_marks(struct catalog *catalog, int64_t older_than_ns, size_t max,
                                   struct px_arena *arena, struct idle_mark **ret_marks,
                                   size_t *ret_count);
/* Forget a mark unless it moved since. Only right when no hot file of this writer and dataset is
 * left: its sealed frames would come back to sight. */
PX_MUST_USE int catalog_forget_mark(struct catalog *catalog, const struct idle_mark *mark);
/* When frames of each dataset were sealed last, or rows compacted: of a tenant, or of all when tenant is
 * empty; ordered by (tenant, dataset). Those of which that never happened are left out. */
struct dataset_served {
    struct px_str tenant, dataset;
    int64_t at_ns;
};
PX_MUST_USE int catalog_last_sealed(struct catalog *catalog, struct px_str tenant,
                                    struct px_arena *arena, struct dataset_served **ret_served,
                                    size_t *ret_count);
PX_MUST_USE int catalog_last_compacted(struct catalog *catalog, struct px_str tenant,
                                       struct px_arena *arena, struct dataset_served **ret_served,
                                       size_t *ret_count);
/* A dataset of a tenant that moves here, as its old home has it. */
struct catalog_arrival {
    struct px_str tenant, dataset;
    struct px_str schema_json;
    int64_t retention_days;
    struct px_str rules; /* of retention */
    bool dropped;        /* only its marks and columns matter */
    struct px_str
        brought; /* how the names (behind the last '/') of all objects of this move begin */
    const struct segment *segments; /* live ones; keys of objects that are here already */
    size_t segment_count;
    const struct writer_mark *marks;
    size_t mark_count;
};
/* Add the dataset, in one transaction: marks rise and never fall; of what this move brought before, live segments
 * that are not named any more become dead. It must not be compacted here meanwhile. A repeat changes nothing.
 * Answers: CATALOG_CONFLICT when one of its objects is known here and not live; nothing changed. */
PX_MUST_USE int catalog_import(struct catalog *catalog, const struct catalog_arrival *arrival,
                               bool *ret_changed);
/* Drop all datasets of a tenant. Marks stay: its hot files are still there; retain removes both. */
PX_MUST_USE int catalog_drop_tenant(struct catalog *catalog, struct px_str tenant);
/* How many rows the catalog has of a tenant, in whatever state. */
struct catalog_remains {
    int64_t datasets, segments, marks, retention;
};
PX_MUST_USE int catalog_remains(struct catalog *catalog, struct px_str tenant,
                                struct catalog_remains *ret_remains);
/* Remove all of them. Only right for a deleted tenant of which neither hot files nor objects are left: nobody could find
 * these any more. */
PX_MUST_USE int catalog_erase_tenant(struct catalog *catalog, struct px_str tenant);
