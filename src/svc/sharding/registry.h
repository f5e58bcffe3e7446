/* svc/sharding/registry.h - the tenant registry: who the tenants are, where they live, what they may.
 *
 * One item of table "tenants" per tenant, changed only by conditional writes on its version, so two
 * operators cannot overwrite each other unseen. A deleted tenant keeps its item, so that its name is
 * not given to somebody else while its data is still being removed. */
#pragma once

#include "base/px_arena.h"
#include "base/px_clock.h"
#include "base/px_json.h"
#include "store/tables.h"
#include "svc/home/home.h"

#define TENANT_SYSTEM "_system" /* the operator's own tenant: its admin keys manage the others */
#define TENANT_QUOTAS_MAX 32

enum tenant_status { TENANT_ACTIVE, TENANT_SUSPENDED, TENANT_DELETED };

struct tenant {
    struct px_str name, home_region, shard;
    struct px_str tier; /* "pooled" or "dedicated" */
    enum tenant_status status;
    int64_t epoch; /* of its last move, done or given up; a write with an older one is refused */
    struct px_str moving_to;    /* region; empty: it does not move */
    struct px_str moving_shard; /* there; empty: the one of the same name */
    int64_t moving_epoch;       /* of the move that is under way: epoch + 1; 0: none */
    struct px_str
        quotas_json; /* object: quota name -> whole number; absent: the platform's default */
    int64_t created_ns;
    int64_t version; /* of the item */
};
struct px_str tenant_status_name(enum tenant_status status);
PX_MUST_USE bool tenant_status_parse(struct px_str name, enum tenant_status *ret_status);
/* The tenant as the API shows it: a JSON object. */
void tenant_write(const struct tenant *tenant, struct px_buf *buf);

struct registry {
    struct table_store *tables;   /* borrowed */
    const struct px_clock *clock; /* borrowed */
    struct home home;             /* zeros: a tenant may be changed anywhere */
};
enum registry_answer {
    REGISTRY_ABSENT = 1,
    REGISTRY_EXISTS,    /* also when a deleted tenant had the name */
    REGISTRY_INVALID,   /* ret_why: a sentence for the caller */
    REGISTRY_CONFLICT,  /* somebody else changed the tenant meanwhile: read it again */
    REGISTRY_ELSEWHERE, /* only its home region changes a tenant, and this is another */
    REGISTRY_COMPANION, /* the companion's condition failed; nothing was written */
};

/* Empty fields take the default: tier pooled, shard "shard-0", quotas {}. */
struct tenant_spec {
    struct px_str name, home_region, shard, tier;
    yyjson_val *quotas;                /* NULL: none */
    const struct table_put *companion; /* written in one transaction with the tenant; NULL: none */
};
/* Whether the fields of spec are fine. Answers: REGISTRY_INVALID. */
PX_MUST_USE int registry_check(const struct tenant_spec *spec, struct px_arena *arena,
                               const char **ret_why);
/* Answers: REGISTRY_INVALID, REGISTRY_EXISTS, REGISTRY_COMPANION. Out-parameters live in arena. */
PX_MUST_USE int registry_create(const struct registry *registry, const struct tenant_spec *spec,
                                struct px_arena *arena, struct tenant *ret_tenant,
                                const char **ret_why);
/* Deleted tenants are found too; see status. Answers: REGISTRY_ABSENT. Faults: PX_F_CORRUPT. */
PX_MUST_USE int registry_get(const struct registry *registry, struct px_str name,
                             struct px_arena *arena, struct tenant *ret_tenant);
/* In order of names, those behind `after`, at most max; deleted ones only when asked for. */
PX_MUST_USE int registry_list(const struct registry *registry, struct px_str after, size_t max,
                              bool deleted_too, struct px_arena *arena, struct tenant **ret_tenants,
                              size_t *ret_count);

/* What PATCH may change; home region and shard change by migration only, which raises the epoch. */
struct tenant_change {
    struct px_str status; /* "active" or "suspended"; empty: as it is */
    struct px_str tier;   /* empty: as it is */
    yyjson_val *quotas;   /* merged in: a number sets one, null removes it; NULL: as they are */
};
/* Answers: REGISTRY_ABSENT (or deleted), REGISTRY_ELSEWHERE, REGISTRY_INVALID, REGISTRY_CONFLICT. */
PX_MUST_USE int registry_change(const struct registry *registry, struct px_str name,
                                const struct tenant_change *change, struct px_arena *arena,
                                struct tenant *ret_tenant, const char **ret_why);
/* Mark deleted; a tenant that is deleted already stays so and is returned again.
 * Answers: REGISTRY_ABSENT, REGISTRY_ELSEWHERE, REGISTRY_INVALID (the operator's tenant),
 * REGISTRY_CONFLICT. */
PX_MUST_USE int registry_delete(const struct registry *registry, struct px_str name,
                                struct px_arena *arena, struct tenant *ret_tenant,
                                const char **ret_why);
/* The same, with another item in one transaction; it is not written when the tenant is deleted already.
 * Also answers REGISTRY_COMPANION. */
PX_MUST_USE int registry_delete_with(const struct registry *registry, struct px_str name,
                                     const struct table_put *companion, struct px_arena *arena,
                                     struct tenant *ret_tenant, const char **ret_why);

/* ---- moves, in the home region only; docs/design/migration.md ---- */

/* Note that the tenant is to move: its item names the target, its shard there (empty: of the same name) and the
 * move's epoch. The same target again is the same move. Answers: REGISTRY_ABSENT (or deleted),
 * REGISTRY_ELSEWHERE, REGISTRY_INVALID, REGISTRY_CONFLICT, also when it is moving to another region or
 * shard; ret_why then says so. */
PX_MUST_USE int registry_move_begin(const struct registry *registry, struct px_str name,
                                    struct px_str to, struct px_str shard, struct px_arena *arena,
                                    struct tenant *ret_tenant, const char **ret_why);
/* The moment of a move: home and epoch in one conditional write, or neither. A repeat finds it done, also when the
 * tenant has gone on moving since. Answers: REGISTRY_ABSENT, REGISTRY_ELSEWHERE, REGISTRY_CONFLICT: this move was
 * given up, or somebody changed the tenant meanwhile (ret_why NULL: read again). */
PX_MUST_USE int registry_move_commit(const struct registry *registry, struct px_str name,
                                     int64_t epoch, struct px_arena *arena,
                                     struct tenant *ret_tenant, const char **ret_why);
/* To that shard (empty: the one of the beginning), with items in one transaction, which come before the tenant's where it is replicated in order; written only when
 * the tenant's is. Answers: also REGISTRY_COMPANION. */
PX_MUST_USE int registry_move_commit_with(const struct registry *registry, struct px_str name,
                                          int64_t epoch, struct px_str shard,
                                          const struct table_put *companions, size_t count,
                                          struct px_arena *arena, struct tenant *ret_tenant,
                                          const char **ret_why);
/* Give it up: the home stays, the epoch is used up. Answers: as above; REGISTRY_CONFLICT with a reason when the move
 * was committed: then there is no way back but another move. REGISTRY_INVALID when no such move was begun. */
PX_MUST_USE int registry_move_abort(const struct registry *registry, struct px_str name,
                                    int64_t epoch, struct px_arena *arena,
                                    struct tenant *ret_tenant, const char **ret_why);
