/* svc/sharding/registry.c - tenants as items of table "tenants".
 *
 * States of a tenant: active <-> suspended -> deleted, and active -> deleted. Deleted is final.
 * A document is checked when it is read as well as before it is written. */
#include "svc/sharding/registry.h"

#include "svc/catalog/names.h"
#include "svc/quota/quota.h"

#define SHARD_DEFAULT "shard-0"
#define BAD_SHARD "shard is 1 to 63 of a-z, 0-9, - and _"

static const struct px_str status_names[] = {
    [TENANT_ACTIVE] = {"active", 6},
    [TENANT_SUSPENDED] = {"suspended", 9},
    [TENANT_DELETED] = {"deleted", 7},
};

struct px_str tenant_status_name(enum tenant_status status)
{
    PX_ASSERT((size_t)status < PX_COUNT(status_names));
    return status_names[status];
}

bool tenant_status_parse(struct px_str name, enum tenant_status *ret_status)
{
    for (size_t i = 0; i < PX_COUNT(status_names); i++) {
        if (!px_str_eq(name, status_names[i])) continue;
        *ret_status = (enum tenant_status)i;
        return true;
    }
    return false;
}

static bool tier_ok(struct px_str tier)
{
    return px_str_eq(tier, S("pooled")) || px_str_eq(tier, S("dedicated"));
}

/* Names of regions, shards and quotas: they become parts of paths, headers and ARNs. */
static bool word_ok(struct px_str s)
{
    if (s.len == 0 || s.len > 63) return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!fine) return false;
    }
    return true;
}

void tenant_write(const struct tenant *tenant, struct px_buf *buf)
{
    char created[32];
    px_buf_add_c(buf, "{\"name\":");
    px_buf_add_json_str(buf, tenant->name);
    px_buf_add_c(buf, ",\"home_region\":");
    px_buf_add_json_str(buf, tenant->home_region);
    px_buf_add_c(buf, ",\"shard\":");
    px_buf_add_json_str(buf, tenant->shard);
    px_buf_add_c(buf, ",\"tier\":");
    px_buf_add_json_str(buf, tenant->tier);
    px_buf_add_c(buf, ",\"status\":");
    px_buf_add_json_str(buf, tenant_status_name(tenant->status));
    px_buf_printf(buf, ",\"epoch\":%lld,\"quotas\":", (long long)tenant->epoch);
    px_buf_add_str(buf, tenant->quotas_json);
    px_buf_add_c(buf, ",\"created\":");
    px_buf_add_json_str(buf, px_time_format(tenant->created_ns, 3, created));
    if (tenant->moving_epoch > 0) {
        px_buf_add_c(buf, ",\"moving\":{\"to\":");
        px_buf_add_json_str(buf, tenant->moving_to);
        if (tenant->moving_shard.len > 0) {
            px_buf_add_c(buf, ",\"shard\":");
            px_buf_add_json_str(buf, tenant->moving_shard);
        }
        px_buf_printf(buf, ",\"epoch\":%lld}", (long long)tenant->moving_epoch);
    }
    px_buf_add_char(buf, '}');
}

static struct table_key key_of(struct px_str name)
{
    return (struct table_key){.table = S("tenants"), .partition = name};
}

static int corrupt(struct px_str name)
{
    return px_fault(PX_F_CORRUPT, "registry item of tenant %.*s", PX_FMT(name));
}

static int read_item(const struct table_item *item, struct px_arena *arena,
                     struct tenant *ret_tenant)
{
    yyjson_val *doc = NULL;
    int r = px_json_parse(item->document, arena, &doc, NULL);
    if (r == PX_JSON_INVALID) return corrupt(item->partition);
    PX_TRY(r);
    struct tenant tenant = {
        .name = px_json_str(doc, "name"),
        .home_region = px_json_str(doc, "home_region"),
        .shard = px_json_str(doc, "shard"),
        .tier = px_json_str(doc, "tier"),
        .epoch = px_json_i64(doc, "epoch", 0),
        .version = item->version,
    };
    yyjson_val *quotas = px_json_obj(doc, "quotas"), *moving = px_json_obj(doc, "moving");
    if (moving) {
        tenant.moving_to = px_json_str(moving, "to");
        tenant.moving_shard = px_json_str(moving, "shard");
        tenant.moving_epoch = px_json_i64(moving, "epoch", 0);
    }
    bool moves_well = !moving || (word_ok(tenant.moving_to) && tenant.moving_epoch > tenant.epoch &&
                                  (tenant.moving_shard.len == 0 || word_ok(tenant.moving_shard)));
    bool whole = quotas && moves_well && px_str_eq(tenant.name, item->partition) &&
                 tier_ok(tenant.tier) && tenant.epoch > 0 &&
                 tenant_status_parse(px_json_str(doc, "status"), &tenant.status) &&
                 px_time_parse(px_json_str(doc, "created"), &tenant.created_ns);
    if (!whole) return corrupt(item->partition);

    struct px_buf text;
    px_buf_init(&text, 64 * 1024);
    px_buf_add_json(&text, quotas);
    tenant.quotas_json = px_arena_dup(arena, px_buf_str(&text));
    int fault = px_buf_fault(&text);
    px_buf_deinit(&text);
    if (fault) return fault;
    if (!tenant.quotas_json.ptr) return px_arena_fault(arena);
    *ret_tenant = tenant;
    return 0;
}

#define COMPANIONS_MAX 2

static int write_together(const struct registry *registry, const struct table_put *put,
                          const struct table_put *companions, size_t count, int64_t *ret_version)
{
    struct table_put puts[COMPANIONS_MAX + 1];
    size_t failed = 0;
    PX_ASSERT(count <= COMPANIONS_MAX);
    memcpy(puts, companions, count * sizeof(*puts));
    puts[count] = *put;
    int r = table_put_all(registry->tables, puts, count + 1, &failed);
    if (r == TABLE_CONDITION_FAILED)
        return failed == count ? REGISTRY_CONFLICT : REGISTRY_COMPANION;
    PX_TRY(r);
    *ret_version = put->condition == TABLE_VERSION ? put->version + 1 : 1;
    return 0;
}

/* companions: items in the same transaction.
 * Answers: REGISTRY_CONFLICT when the tenant's condition fails, REGISTRY_COMPANION when another's. */
static int write_items(const struct registry *registry, struct tenant *tenant,
                       enum table_condition condition, const struct table_put *companions,
                       size_t count, struct px_arena *arena)
{
    PX_AUTO(px_buf_deinit) struct px_buf doc;
    px_buf_init(&doc, 128 * 1024);
    tenant_write(tenant, &doc);
    PX_TRY(px_buf_fault(&doc));
    struct table_put put = {
        .key = key_of(tenant->name),
        .document = px_buf_str(&doc),
        .condition = condition,
        .version = tenant->version,
    };
    if (count > 0) return write_together(registry, &put, companions, count, &tenant->version);
    int r = table_put(registry->tables, &put, arena, &tenant->version, NULL);
    if (r == TABLE_CONDITION_FAILED) return REGISTRY_CONFLICT;
    PX_TRY(r);
    return 0;
}

/* companion: may be NULL. */
static int write_item(const struct registry *registry, struct tenant *tenant,
                      enum table_condition condition, const struct table_put *companion,
                      struct px_arena *arena)
{
    return write_items(registry, tenant, condition, companion, companion ? 1 : 0, arena);
}

/* Only what is set: a name that the platform gave up may stay where it stands. Answers: REGISTRY_INVALID. */
static int check_quotas(yyjson_val *change, struct px_arena *arena, const char **ret_why)
{
    struct quota_book book;
    const char *why = NULL;
    if (yyjson_obj_size(change) == 0) return 0;
    PX_TRY(quota_book_read(arena, &book));
    PX_TRY(quota_refuse(&book, change, arena, &why));
    if (!why) return 0;
    *ret_why = why;
    return REGISTRY_INVALID;
}

/* `change` over `old`, both objects or NULL, as an object text. Answers: REGISTRY_INVALID. */
static int merge_quotas(yyjson_val *old, yyjson_val *change, struct px_arena *arena,
                        struct px_str *ret_json, const char **ret_why)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 64 * 1024);
    int r = check_quotas(change, arena, ret_why);
    if (r != 0) return r;
    px_buf_add_char(&text, '{');
    size_t count = 0, i, n;
    yyjson_val *key, *val;
    px_json_obj_foreach(old, i, n, key, val)
    {
        if (yyjson_obj_getn(change, yyjson_get_str(key), yyjson_get_len(key))) continue;
        if (count++) px_buf_add_char(&text, ',');
        px_buf_add_json_str(&text, px_json_val_str(key));
        px_buf_add_char(&text, ':');
        px_buf_add_json(&text, val);
    }
    px_json_obj_foreach(change, i, n, key, val)
    {
        if (yyjson_is_null(val)) continue;
        if (count++) px_buf_add_char(&text, ',');
        px_buf_add_json_str(&text, px_json_val_str(key));
        px_buf_printf(&text, ":%llu", (unsigned long long)yyjson_get_uint(val));
    }
    if (count > TENANT_QUOTAS_MAX) {
        *ret_why = "a tenant has at most 32 quotas";
        return REGISTRY_INVALID;
    }
    px_buf_add_char(&text, '}');
    PX_TRY(px_buf_fault(&text));
    struct px_str json = px_arena_dup(arena, px_buf_str(&text));
    if (!json.ptr) return px_arena_fault(arena);
    *ret_json = json;
    return 0;
}

static struct px_str or_default(struct px_str s, struct px_str otherwise)
{
    return s.len > 0 ? s : otherwise;
}

static const char *refuse_spec(const struct tenant *tenant)
{
    if (!tenant_name_ok(tenant->name))
        return "a tenant's name is a lower-case letter and then up to 62 of a-z, 0-9, - and _";
    if (!tier_ok(tenant->tier)) return "tier is pooled or dedicated";
    if (!word_ok(tenant->home_region)) return "home_region is 1 to 63 of a-z, 0-9, - and _";
    if (!word_ok(tenant->shard)) return BAD_SHARD;
    return NULL;
}

/* The tenant that spec asks for. Answers: REGISTRY_INVALID. */
static int draft(const struct tenant_spec *spec, struct px_arena *arena, struct tenant *ret_tenant,
                 const char **ret_why)
{
    struct tenant tenant = {
        .name = spec->name,
        .home_region = spec->home_region,
        .shard = or_default(spec->shard, S(SHARD_DEFAULT)),
        .tier = or_default(spec->tier, S("pooled")),
        .status = TENANT_ACTIVE,
        .epoch = 1,
    };
    const char *why = refuse_spec(&tenant);
    if (why) {
        *ret_why = why;
        return REGISTRY_INVALID;
    }
    int r = merge_quotas(NULL, spec->quotas, arena, &tenant.quotas_json, ret_why);
    if (r == REGISTRY_INVALID) return r;
    PX_TRY(r);
    *ret_tenant = tenant;
    return 0;
}

int registry_check(const struct tenant_spec *spec, struct px_arena *arena, const char **ret_why)
{
    struct tenant tenant;
    return draft(spec, arena, &tenant, ret_why);
}

int registry_create(const struct registry *registry, const struct tenant_spec *spec,
                    struct px_arena *arena, struct tenant *ret_tenant, const char **ret_why)
{
    struct tenant tenant = {0};
    int r = draft(spec, arena, &tenant, ret_why);
    if (r == REGISTRY_INVALID) return r;
    PX_TRY(r);
    tenant.created_ns = px_wall_ns(registry->clock);
    r = write_item(registry, &tenant, TABLE_NEW, spec->companion, arena);
    if (r == REGISTRY_CONFLICT) return REGISTRY_EXISTS;
    if (r == REGISTRY_COMPANION) return r;
    PX_TRY(r);
    *ret_tenant = tenant;
    return 0;
}

int registry_get(const struct registry *registry, struct px_str name, struct px_arena *arena,
                 struct tenant *ret_tenant)
{
    if (!tenant_name_ok(name)) return REGISTRY_ABSENT;
    struct table_key key = key_of(name);
    struct table_item item = {0};
    int r = table_get(registry->tables, &key, arena, &item);
    if (r == TABLE_ABSENT) return REGISTRY_ABSENT;
    PX_TRY(r);
    PX_TRY(read_item(&item, arena, ret_tenant));
    return 0;
}

int registry_list(const struct registry *registry, struct px_str after, size_t max,
                  bool deleted_too, struct px_arena *arena, struct tenant **ret_tenants,
                  size_t *ret_count)
{
    struct tenant *tenants = px_arena_array(arena, struct tenant, max);
    if (!tenants) return px_arena_fault(arena);
    size_t count = 0;
    while (count < max) { /* pages, because deleted ones are left out of the count */
        struct table_query query = {
            .key = key_of((struct px_str){0}), .after_partition = after, .max = max - count};
        struct table_item *items = NULL;
        size_t found = 0;
        PX_TRY(table_query(registry->tables, &query, arena, &items, &found));
        for (size_t i = 0; i < found; i++) {
            PX_TRY(read_item(&items[i], arena, &tenants[count]));
            if (deleted_too || tenants[count].status != TENANT_DELETED) count++;
        }
        if (found < query.max) break;
        after = items[found - 1].partition;
    }
    *ret_tenants = tenants;
    *ret_count = count;
    return 0;
}

/* A tenant to change. The condition of the write holds for what was read here, its home too.
 * Answers: REGISTRY_ABSENT, REGISTRY_ELSEWHERE. */
static int get_own(const struct registry *registry, struct px_str name, struct px_arena *arena,
                   struct tenant *ret_tenant)
{
    struct tenant tenant = {0};
    int r = registry_get(registry, name, arena, &tenant);
    if (r == REGISTRY_ABSENT) return r;
    PX_TRY(r);
    if (!home_owns(&registry->home, tenant.home_region)) return REGISTRY_ELSEWHERE;
    *ret_tenant = tenant;
    return 0;
}

/* The new state in *tenant, or a refusal. */
static int apply_change(struct tenant *tenant, const struct tenant_change *change,
                        struct px_arena *arena, const char **ret_why)
{
    bool is_system = px_str_eq(tenant->name, S(TENANT_SYSTEM));
    if (change->tier.len > 0 && !tier_ok(change->tier)) {
        *ret_why = "tier is pooled or dedicated";
        return REGISTRY_INVALID;
    }
    if (change->tier.len > 0) tenant->tier = change->tier;
    if (change->status.len > 0) {
        enum tenant_status status;
        if (!tenant_status_parse(change->status, &status) || status == TENANT_DELETED) {
            *ret_why = "status is active or suspended; DELETE removes a tenant";
            return REGISTRY_INVALID;
        }
        if (is_system && status != TENANT_ACTIVE) {
            *ret_why = "the operator's tenant cannot be suspended";
            return REGISTRY_INVALID;
        }
        tenant->status = status;
    }
    if (!change->quotas) return 0;
    yyjson_val *old = NULL;
    PX_TRY(px_json_parse(tenant->quotas_json, arena, &old, NULL));
    return merge_quotas(old, change->quotas, arena, &tenant->quotas_json, ret_why);
}

int registry_change(const struct registry *registry, struct px_str name,
                    const struct tenant_change *change, struct px_arena *arena,
                    struct tenant *ret_tenant, const char **ret_why)
{
    struct tenant tenant = {0};
    int r = get_own(registry, name, arena, &tenant);
    if (r == REGISTRY_ABSENT || r == REGISTRY_ELSEWHERE) return r;
    PX_TRY(r);
    if (tenant.status == TENANT_DELETED) return REGISTRY_ABSENT;
    r = apply_change(&tenant, change, arena, ret_why);
    if (r == REGISTRY_INVALID) return r;
    PX_TRY(r);
    r = write_item(registry, &tenant, TABLE_VERSION, NULL, arena);
    if (r == REGISTRY_CONFLICT) return r;
    PX_TRY(r);
    *ret_tenant = tenant;
    return 0;
}

int registry_delete(const struct registry *registry, struct px_str name, struct px_arena *arena,
                    struct tenant *ret_tenant, const char **ret_why)
{
    return registry_delete_with(registry, name, NULL, arena, ret_tenant, ret_why);
}

int registry_delete_with(const struct registry *registry, struct px_str name,
                         const struct table_put *companion, struct px_arena *arena,
                         struct tenant *ret_tenant, const char **ret_why)
{
    struct tenant tenant = {0};
    int r = get_own(registry, name, arena, &tenant);
    if (r == REGISTRY_ABSENT || r == REGISTRY_ELSEWHERE) return r;
    PX_TRY(r);
    if (px_str_eq(tenant.name, S(TENANT_SYSTEM))) {
        *ret_why = "the operator's tenant cannot be deleted";
        return REGISTRY_INVALID;
    }
    if (tenant.status != TENANT_DELETED) {
        tenant.status = TENANT_DELETED;
        r = write_item(registry, &tenant, TABLE_VERSION, companion, arena);
        if (r == REGISTRY_CONFLICT || r == REGISTRY_COMPANION) return r;
        PX_TRY(r);
    }
    *ret_tenant = tenant;
    return 0;
}

/* ---- moves ---- */

#define GIVEN_UP "this move was given up, or another one came after it"

int registry_move_begin(const struct registry *registry, struct px_str name, struct px_str to,
                        struct px_str shard, struct px_arena *arena, struct tenant *ret_tenant,
                        const char **ret_why)
{
    struct tenant tenant = {0};
    *ret_why = NULL;
    int r = get_own(registry, name, arena, &tenant);
    if (r != 0) return r;
    if (tenant.status == TENANT_DELETED) return REGISTRY_ABSENT;
    if (px_str_eq(tenant.name, S(TENANT_SYSTEM)))
        *ret_why = "each region has an operator's tenant of its own";
    else if (!word_ok(to))
        *ret_why = "to is a region: 1 to 63 of a-z, 0-9, - and _";
    else if (shard.len > 0 && !word_ok(shard))
        *ret_why = BAD_SHARD;
    else if (px_str_eq(to, tenant.home_region))
        *ret_why = "the tenant is at home there already";
    if (*ret_why) return REGISTRY_INVALID;
    if (tenant.moving_epoch > 0 && !px_str_eq(to, tenant.moving_to)) {
        *ret_why = "the tenant is moving to another region";
        return REGISTRY_CONFLICT;
    }
    if (tenant.moving_epoch > 0 && !px_str_eq(shard, tenant.moving_shard)) {
        *ret_why = "the tenant is moving to another shard";
        return REGISTRY_CONFLICT;
    }
    if (tenant.moving_epoch == 0) {
        tenant.moving_to = to;
        tenant.moving_shard = shard;
        tenant.moving_epoch = tenant.epoch + 1;
        r = write_item(registry, &tenant, TABLE_VERSION, NULL, arena);
        if (r != 0) return r;
    }
    *ret_tenant = tenant;
    return 0;
}

/* A repeat after the home has changed is told by the epoch: it is at or beyond the move's. */
int registry_move_commit(const struct registry *registry, struct px_str name, int64_t epoch,
                         struct px_arena *arena, struct tenant *ret_tenant, const char **ret_why)
{
    return registry_move_commit_with(registry, name, epoch, (struct px_str){0}, NULL, 0, arena,
                                     ret_tenant, ret_why);
}

static void move_ends(struct tenant *tenant, int64_t epoch)
{
    tenant->epoch = epoch;
    tenant->moving_to = tenant->moving_shard = (struct px_str){0};
    tenant->moving_epoch = 0;
}

int registry_move_commit_with(const struct registry *registry, struct px_str name, int64_t epoch,
                              struct px_str shard, const struct table_put *companions, size_t count,
                              struct px_arena *arena, struct tenant *ret_tenant,
                              const char **ret_why)
{
    struct tenant tenant = {0};
    *ret_why = NULL;
    if (shard.len > 0 && !word_ok(shard)) {
        *ret_why = BAD_SHARD;
        return REGISTRY_INVALID;
    }
    int r = registry_get(registry, name, arena, &tenant);
    if (r != 0) return r;
    bool own = home_owns(&registry->home, tenant.home_region);
    bool known = registry->home.region.len > 0; /* else every home is our own */
    if (!own && tenant.epoch < epoch) return REGISTRY_ELSEWHERE;
    if (!own || (!known && tenant.epoch == epoch && tenant.moving_epoch == 0)) {
        *ret_tenant = tenant;
        return 0;
    }
    if (tenant.status == TENANT_DELETED) return REGISTRY_ABSENT;
    if (tenant.moving_epoch != epoch) {
        *ret_why = GIVEN_UP;
        return REGISTRY_CONFLICT;
    }
    tenant.home_region = tenant.moving_to;
    if (shard.len > 0)
        tenant.shard = shard;
    else if (tenant.moving_shard.len > 0)
        tenant.shard = tenant.moving_shard;
    move_ends(&tenant, epoch);
    r = write_items(registry, &tenant, TABLE_VERSION, companions, count, arena);
    if (r != 0) return r;
    *ret_tenant = tenant;
    return 0;
}

int registry_move_abort(const struct registry *registry, struct px_str name, int64_t epoch,
                        struct px_arena *arena, struct tenant *ret_tenant, const char **ret_why)
{
    struct tenant tenant = {0};
    *ret_why = NULL;
    int r = registry_get(registry, name, arena, &tenant);
    if (r != 0) return r;
    if (!home_owns(&registry->home, tenant.home_region)) {
        *ret_why = "the tenant has moved: another move brings it back";
        return tenant.epoch < epoch ? REGISTRY_ELSEWHERE : REGISTRY_CONFLICT;
    }
    if (tenant.moving_epoch == epoch) {
        move_ends(&tenant, epoch);
        r = write_item(registry, &tenant, TABLE_VERSION, NULL, arena);
        if (r != 0) return r;
    } else if (tenant.epoch < epoch) {
        *ret_why = "no such move was begun";
        return REGISTRY_INVALID;
    }
    *ret_tenant = tenant;
    return 0;
}
