/* store/readers.c - credentials by tenant; docs: readers.h. */
#include "store/readers.h"

#include <stdlib.h>

#include "aws/identity.h"
#include "aws/shared.h"
#include "store/objects_half.h"

#define KEPT_MAX 8u /* tenants; a query function keeps one engine, storage takes turns */
#define TENANT_BYTES_MAX 64u
#define KEYS_BYTES_MAX ((size_t)64 << 10)
#define GOOD_MS_DEFAULT (20 * 60 * 1000)        /* longer than any invocation */
#define DURATION_S 3600u                        /* AWS's limit where a role assumes a role */
#define OWN_NS_MAX (INT64_C(300) * PX_NS_PER_S) /* lent without a time of expiry */

struct kept {
    char tenant[TENANT_BYTES_MAX + 1];
    struct px_arena arena; /* the keys' text */
    struct cloud_keys keys;
    uint64_t serial; /* 0: empty */
};
struct object_readers {
    struct object_readers_options options;
    struct cloud_shared own; /* where nobody shares */
    struct cloud *cloud;
    struct cloud_client *sts;
    struct object_place places[2];
    size_t place_count; /* in S3 */
    char *role_arn;
    struct kept kept[KEPT_MAX];
    uint64_t serial;
};

/* ---- life ---- */

static int places_find(struct object_readers *readers)
{
    for (size_t i = 0; i < PX_COUNT(readers->options.stores); i++) {
        struct object_store *store = readers->options.stores[i];
        struct object_place place;
        if (!store || !store->half->place) continue;
        store->half->place(store, &place);
        readers->places[readers->place_count++] = place;
    }
    const struct object_place *a = &readers->places[0], *b = &readers->places[1];
    if (readers->place_count == 2 &&
        (!px_str_eq(a->host, b->host) || a->path_style != b->path_style))
        return px_fault(PX_F_CONFIG, "two object stores at different endpoints");
    return 0;
}

bool object_readers_remote(const struct object_readers *readers)
{
    return readers && readers->place_count > 0;
}

int object_readers_new(const struct object_readers_options *options,
                       struct object_readers **ret_readers)
{
    PX_AUTO(object_readers_free) struct object_readers *readers = calloc(1, sizeof *readers);
    if (!readers) return px_fault(PX_F_OOM, "readers of objects");
    readers->options = *options;
    if (!readers->options.clock) readers->options.clock = &px_clock_system;
    if (readers->options.good_ms == 0) readers->options.good_ms = GOOD_MS_DEFAULT;
    readers->role_arn = strndup(options->role_arn.len > 0 ? options->role_arn.ptr : "",
                                options->role_arn.len);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): PX_AUTO frees it */
    if (!readers->role_arn) return px_fault(PX_F_OOM, "readers of objects");
    PX_TRY(places_find(readers));
    if (object_readers_remote(readers)) {
        struct cloud_client_options sts = {.service = S("sts")};
        struct cloud_shared *shared = options->cloud ? options->cloud : &readers->own;
        PX_TRY(cloud_shared_take(shared, &readers->cloud));
        PX_TRY(cloud_client_new(readers->cloud, &sts, &readers->sts));
    }
    *ret_readers = PX_TAKE(readers);
    return 0;
}

static void kept_clear(struct kept *kept)
{
    if (kept->serial != 0) px_arena_deinit_wiped(&kept->arena);
    *kept = (struct kept){0};
}

void object_readers_free(struct object_readers **preaders)
{
    struct object_readers *readers = *preaders;
    if (!readers) return;
    for (size_t i = 0; i < KEPT_MAX; i++) kept_clear(&readers->kept[i]);
    cloud_client_free(&readers->sts);
    cloud_shared_close(&readers->own);
    free(readers->role_arn);
    free(readers);
    *preaders = NULL;
}

/* ---- credentials ---- */

/* "aws" of "arn:aws:iam::1:role/x" */
static struct px_str partition_of(struct px_str arn)
{
    struct px_str head;
    (void)px_str_cut(&arn, ':', &head);
    (void)px_str_cut(&arn, ':', &head);
    return head;
}

/* Objects below the tenant's folder, in each of the places, and no more. Keys of KMS are left to the
 * role: which ones encrypt the buckets is not known here. */
static int policy_make(const struct object_readers *readers, struct px_str tenant,
                       struct px_buf *policy)
{
    struct px_str partition = partition_of(px_str_c(readers->role_arn));
    px_buf_add_c(policy, "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
                         "\"Action\":\"s3:GetObject\",\"Resource\":[");
    for (size_t i = 0; i < readers->place_count; i++) {
        const struct object_place *place = &readers->places[i];
        px_buf_printf(policy, "%s\"arn:%.*s:s3:::%.*s/%.*s%s%.*s/*\"", i > 0 ? "," : "",
                      PX_FMT(partition), PX_FMT(place->bucket), PX_FMT(place->prefix),
                      place->prefix.len > 0 ? "/" : "", PX_FMT(tenant));
    }
    px_buf_add_c(policy,
                 "]},{\"Effect\":\"Allow\",\"Action\":\"kms:Decrypt\",\"Resource\":\"*\"}]}");
    return px_buf_fault(policy) ? px_fault(px_buf_fault(policy), "a policy") : 0;
}

static int ask(struct object_readers *readers, struct px_str tenant, struct px_arena *arena,
               struct cloud_keys *ret_keys)
{
    if (!*readers->role_arn) {
        PX_TRY(cloud_identity(readers->cloud, arena, ret_keys));
        return 0;
    }
    PX_AUTO(px_buf_deinit) struct px_buf policy;
    px_buf_init(&policy, 2048); /* AWS's limit */
    PX_TRY(policy_make(readers, tenant, &policy));
    struct cloud_assumption assumption = {.role_arn = px_str_c(readers->role_arn),
                                          .session = S("prism-reader"),
                                          .tag = S("tenant"),
                                          .tag_value = tenant,
                                          .policy = px_buf_str(&policy),
                                          .duration_s = DURATION_S};
    PX_TRY(cloud_assume(readers->sts, &assumption, arena, ret_keys));
    return 0;
}

static struct kept *kept_find(struct object_readers *readers, struct px_str tenant)
{
    for (size_t i = 0; i < KEPT_MAX; i++)
        if (readers->kept[i].serial != 0 && px_str_eq(tenant, px_str_c(readers->kept[i].tenant)))
            return &readers->kept[i];
    return NULL;
}

static bool is_good(const struct object_readers *readers, const struct kept *kept)
{
    int64_t left_ns = kept->keys.expires_ns - px_wall_ns(readers->options.clock);
    return left_ns >= readers->options.good_ms * PX_NS_PER_MS;
}

/* Its own place, a free one, or that of the oldest. */
static struct kept *kept_place(struct object_readers *readers, struct px_str tenant)
{
    struct kept *place = kept_find(readers, tenant);
    if (place) return place;
    place = &readers->kept[0];
    for (size_t i = 1; i < KEPT_MAX; i++)
        if (readers->kept[i].serial < place->serial) place = &readers->kept[i];
    return place;
}

static int renew(struct object_readers *readers, struct px_str tenant, struct kept **ret_kept)
{
    struct px_arena arena;
    struct cloud_keys keys = {0};
    PX_ASSERT(tenant.len > 0 && tenant.len <= TENANT_BYTES_MAX);
    px_arena_init(&arena, KEYS_BYTES_MAX);
    int r = ask(readers, tenant, &arena, &keys);
    if (r != 0) px_arena_deinit_wiped(&arena);
    PX_TRY(r);
    if (!*readers->role_arn) /* the provider renews its own; ask it now and then */
        keys.expires_ns = px_wall_ns(readers->options.clock) + OWN_NS_MAX +
                          readers->options.good_ms * PX_NS_PER_MS;
    struct kept *kept = kept_place(readers, tenant);
    kept_clear(kept);
    *kept = (struct kept){.arena = arena, .keys = keys, .serial = ++readers->serial};
    memcpy(kept->tenant, tenant.ptr, tenant.len);
    *ret_kept = kept;
    return 0;
}

int object_readers_get(struct object_readers *readers, struct px_str tenant,
                       struct object_reader *ret_reader)
{
    PX_ASSERT(object_readers_remote(readers));
    struct kept *kept = kept_find(readers, tenant);
    if (!kept || !is_good(readers, kept)) PX_TRY(renew(readers, tenant, &kept));
    const struct object_place *place = &readers->places[0];
    *ret_reader = (struct object_reader){.serial = kept->serial,
                                         .host = place->host,
                                         .tls = place->tls,
                                         .path_style = place->path_style,
                                         .region = cloud_region(readers->cloud),
                                         .key_id = kept->keys.id,
                                         .secret = kept->keys.secret,
                                         .token = kept->keys.token};
    return 0;
}
