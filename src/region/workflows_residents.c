/* region/workflows_residents.c - the operator's tenant and the first one are made before anything runs that could give them access point,
 * POSIX ids and usage key (first_start.c). So once the region serves, tenant-onboarding enters whoever of them has none, as it enters all
 * others. A start that is killed before, or an entering that fails, leaves it to the next start. */
#include <stdlib.h>

#include "aws/shared.h"
#include "region/first_start.h"
#include "region/homes.h"
#include "region/workflows_internal.h"
#include "svc/sharding/registry.h"

#define MACHINE S("tenant-onboarding")
#define RECORDS S("wf_tenant_resources") /* as connect_dynamodb.c names table tenant-resources */
#define ARENA_BYTES_MAX ((size_t)4 << 20)

static const char *const residents[] = {TENANT_SYSTEM, FIRST_TENANT};

/* One after the other, so that the ids are the same in every new region. */
struct entering {
    struct worker_job job;
    struct workflows *workflows;
    size_t at; /* in residents */
    bool needed;
    struct px_arena arena;
    struct px_str shard, tier;
    int result;
    char error[512];
};

/* ---- in the thread ---- */

static int has_point(struct entering *e, struct px_str tenant, bool *ret_has)
{
    PX_AUTO(table_store_close) struct table_store *store = NULL;
    const char *path = data_dir_sub(e->workflows->options.data, &e->arena, "tables.db");
    struct table_item item;
    yyjson_val *record = NULL;
    if (!path) return px_arena_fault(&e->arena);
    PX_TRY(table_store_open(px_str_c(path), NULL, &store));
    const struct table_key key = {RECORDS, tenant, S("")};
    int r = table_get(store, &key, &e->arena, &item);
    *ret_has = false;
    if (r == TABLE_ABSENT) return 0;
    PX_TRY(r);
    PX_TRY(px_json_parse(item.document, &e->arena, &record, NULL));
    *ret_has = px_json_obj(record, "access_point") != NULL;
    return 0;
}

static int find_tenant(struct entering *e, struct px_str name, struct tenant *ret_tenant)
{
    struct cloud_shared cloud = {0};
    struct table_store *store = NULL;
    const struct table_options options = {.cloud = &cloud};
    const char *url = homes_url(e->workflows->options.data, "tables", &e->arena);
    if (!url) return px_arena_fault(&e->arena);
    int r = table_store_open(px_str_c(url), &options, &store);
    const struct registry registry = {.tables = store, .clock = e->workflows->options.clock};
    if (r == 0) r = registry_get(&registry, name, &e->arena, ret_tenant);
    table_store_close(&store);
    cloud_shared_close(&cloud);
    return r;
}

static bool is_shard(const struct workflow_catalogue *catalogue, struct px_str name)
{
    for (const char *const *shard = catalogue->shards; *shard; shard++)
        if (px_str_eq(px_str_c(*shard), name)) return true;
    return false;
}

/* Every region has the operator's tenant; another one is entered where it is at home. */
static int look(struct entering *e)
{
    const struct workflow_catalogue *catalogue = &e->workflows->catalogue;
    struct px_str name = px_str_c(residents[e->at]);
    struct tenant tenant = {0};
    bool has = false;
    PX_TRY(has_point(e, name, &has));
    if (has) return 0;
    int r = find_tenant(e, name, &tenant);
    if (r < 0) return r;
    bool known = r == 0, is_operator = px_str_eq(name, S(TENANT_SYSTEM));
    e->needed = is_operator || (known && tenant.status == TENANT_ACTIVE &&
                                px_str_eq(tenant.home_region, catalogue->region));
    bool fits = known && is_shard(catalogue, tenant.shard);
    e->shard = fits ? tenant.shard : px_str_c(catalogue->shards[0]);
    e->tier = known ? tenant.tier : S("pooled");
    return 0;
}

static void on_look(struct worker_job *job)
{
    struct entering *e = (struct entering *)job;
    e->needed = false;
    e->result = look(e);
    if (e->result < 0) (void)px_fault_text(e->result, e->error, sizeof e->error);
}

/* ---- in the loop ---- */

static void next(struct entering *e)
{
    struct workflows *w = e->workflows;
    if (++e->at == PX_COUNT(residents) || w->closed || w->draining) {
        px_arena_deinit(&e->arena);
        free(e);
        return;
    }
    worker_add(&w->reading, &e->job);
}

static void on_entered(void *ctx, const struct start_result *result)
{
    struct entering *e = ctx;
    const struct px_log *log = e->workflows->options.log;
    const struct asl_execution_info *info = result->info;
    bool closing = result->outcome == START_CLOSING;
    if (!closing && (!info || info->status != ASL_SUCCEEDED))
        px_log(log, PX_WARN,
               "tenant %s has no access point; the next start tries again: %.*s: %.*s",
               residents[e->at], PX_FMT(info ? info->failure.error : S("not started")),
               PX_FMT(info ? info->failure.cause : S("")));
    next(e);
}

static void on_looked(struct worker_job *job)
{
    struct entering *e = (struct entering *)job;
    struct workflows *w = e->workflows;
    const struct workflow_machine *machine = workflow_machine_find(&w->catalogue, MACHINE);
    if (e->result < 0)
        px_log(w->options.log, PX_WARN, "whether tenant %s has an access point: %s",
               residents[e->at], e->error);
    struct px_str input = S("");
    if (machine && e->needed)
        input = px_arena_printf(
            &e->arena,
            "{\"only\":\"enter\",\"tenant\":\"%s\",\"shard\":\"%.*s\",\"tier\":\"%.*s\"}",
            residents[e->at], PX_FMT(e->shard), PX_FMT(e->tier));
    if (!input.ptr || input.len == 0 || w->closed || w->draining) {
        next(e);
        return;
    }
    const struct start_request request = {
        .machine = machine, .input = input, .until_end = true, .done = on_entered, .ctx = e};
    workflows_start(w, &request);
}

void workflows_enter_residents(struct workflows *w)
{
    struct entering *e = calloc(1, sizeof *e);
    if (!e) return; /* the next start finds them as they are */
    e->workflows = w;
    e->job.run = on_look;
    e->job.done = on_looked;
    px_arena_init(&e->arena, ARENA_BYTES_MAX);
    worker_add(&w->reading, &e->job);
}
