/* region/environment.c - see environment.h. */
#include "region/environment.h"

#include <stdlib.h>

#include "region/workflow_catalogue.h"

static const char *env_name_of(const struct function_catalogue *catalogue, const char *store)
{
    for (size_t i = 0; i < catalogue->store_count; i++)
        if (strcmp(catalogue->stores[i].name, store) == 0) return catalogue->stores[i].env;
    return NULL;
}

struct builder {
    struct px_arena *arena;
    const char **env;
    size_t count;
};

static void add(struct builder *b, const char *name, const char *value)
{
    size_t name_len = strlen(name);
    for (size_t i = 0; i < b->count; i++)
        if (strncmp(b->env[i], name, name_len) == 0 && b->env[i][name_len] == '=')
            return; /* two tables of one store */
    const char *entry = px_arena_printf(b->arena, "%s=%s", name, value).ptr;
    if (entry) b->env[b->count++] = entry;
}

static void add_aws(struct builder *b)
{
    for (size_t i = 0; i < homes_aws_variable_count; i++) {
        const char *value = getenv(homes_aws_variables[i]);
        if (value && value[0]) add(b, homes_aws_variables[i], value);
    }
}

/* What functions tell of themselves goes to this region. Its own environment wins. */
static const struct {
    const char *name, *value;
} observed[] = {{"PRISM_METRICS_NAMESPACE", "Prism/local"},
                {"PRISM_METRICS_TENANTS", ""},
                {"PRISM_TRACES_URL", "region"}};

/* A function that mounts the hot store exists once a shard (infra/modules/service). */
static bool is_sharded(const struct function_catalogue *catalogue, const char *name)
{
    const struct function_spec *function = function_find(catalogue, px_str_c(name));
    for (size_t i = 0; function && i < function->store_count; i++)
        if (strcmp(function->stores[i], "hot") == 0) return true;
    return false;
}

static void add_callee(struct px_buf *json, const struct function_catalogue *catalogue,
                       const char *name, const char *const *shards, bool first)
{
    bool sharded = is_sharded(catalogue, name);
    for (size_t i = 0; i == 0 || (sharded && shards[i]); i++)
        px_buf_printf(json, "%s\"" WORKFLOW_PREFIX "-%s%s%s\"", first && i == 0 ? "" : ",", name,
                      sharded ? "-" : "", sharded ? shards[i] : "");
}

/* What infra/modules/sharding makes of the same: the functions of `elsewhere` in every other region, and Lambda's endpoint, which is
 * this region's control socket here. */
static int add_elsewhere(struct builder *b, const struct environment_of *of,
                         const struct function_spec *function)
{
    PX_AUTO(px_buf_deinit) struct px_buf json = {0};
    size_t siblings = of->siblings ? of->siblings->count : 0;
    const char *const *shards = NULL; /* of this region; the others of the machine have the same */
    if (function->elsewhere_count == 0) return 0;
    PX_TRY(function_shards(of->catalogue, b->arena, &shards));
    px_buf_init(&json, 1u << 16);
    px_buf_add_char(&json, '{');
    for (size_t i = 0; i < siblings; i++) {
        px_buf_printf(&json, "%s\"%s\":[", i > 0 ? "," : "", of->siblings->at[i].name);
        for (size_t k = 0; k < function->elsewhere_count; k++)
            add_callee(&json, of->catalogue, function->elsewhere[k], shards, k == 0);
        px_buf_add_char(&json, ']');
    }
    px_buf_add_char(&json, '}');
    PX_TRY(px_buf_fault(&json));
    const char *socket = data_dir_sub(of->dir, b->arena, "region.sock");
    if (!socket) return px_arena_fault(b->arena);
    add(b, "PRISM_BRIDGE_FUNCTIONS", px_arena_cstr(b->arena, px_buf_str(&json)));
    add(b, "AWS_ENDPOINT_URL_LAMBDA", px_arena_printf(b->arena, "unix:%s", socket).ptr);
    return 0;
}

/* The machines' ARNs, and Step Functions' endpoint, which is this region's control socket. */
static int add_machines(struct builder *b, const struct environment_of *of,
                        const struct function_spec *function)
{
    const struct data_dir *dir = of->dir;
    struct px_str prefix = dir->aws_prefix.len > 0 ? dir->aws_prefix : S(WORKFLOW_PREFIX);
    if (!function->starts && !function->operates) return 0;
    const char *socket = data_dir_sub(dir, b->arena, "region.sock");
    struct px_str arns = px_arena_printf(
        b->arena, "arn:aws:states:%.*s:" WORKFLOW_ACCOUNT ":stateMachine:%.*s-",
        PX_FMT(dir->region_name), PX_FMT(prefix));
    if (!socket || !arns.ptr) return px_arena_fault(b->arena);
    if (function->starts)
        add(b, "PRISM_STARTS",
            px_arena_printf(b->arena, "%s%s:" WORKFLOW_LIVE, arns.ptr, function->starts).ptr);
    if (function->operates) add(b, "PRISM_MACHINES", function->operates);
    if (function->operates) add(b, "PRISM_MACHINES_ARN", arns.ptr);
    add(b, "AWS_ENDPOINT_URL_SFN", px_arena_printf(b->arena, "unix:%s", socket).ptr);
    return 0;
}

static void add_ours_or(struct builder *b, const char *name, const char *value)
{
    const char *ours = getenv(name);
    add(b, name, ours ? ours : value);
}

static void add_settings(struct builder *b, yyjson_val *settings)
{
    size_t i, n;
    yyjson_val *name, *value;
    px_json_obj_foreach(settings, i, n, name, value)
    {
        if (yyjson_is_str(value)) add_ours_or(b, yyjson_get_str(name), yyjson_get_str(value));
    }
}

int environment_build(const struct environment_of *of, const struct function_spec *function,
                      struct px_arena *arena, const char *const **ret_env)
{
    const struct function_catalogue *catalogue = of->catalogue;
    const struct data_dir *dir = of->dir;
    yyjson_val *settings = px_json_obj(of->settings, function->name);
    size_t max = function->store_count + function->environment_count + yyjson_obj_size(settings) +
                 14 + homes_aws_variable_count + PX_COUNT(observed);
    struct builder b = {.arena = arena, .env = px_arena_zalloc_array(arena, sizeof(char *), max)};
    if (!b.env) return px_arena_fault(arena);
    for (size_t i = 0; i < function->store_count; i++) {
        const char *url = homes_url(dir, function->stores[i], arena);
        if (!url && !px_arena_full(arena))
            return px_fault(PX_F_CONFIG, "functions.json: %s: there is no store '%s'",
                            function->name, function->stores[i]);
        add(&b, env_name_of(catalogue, function->stores[i]), url);
    }
    add_settings(&b, settings);
    for (size_t i = 0; i < function->environment_count; i++)
        add_ours_or(&b, function->environment[i].name, function->environment[i].value);
    for (size_t i = 0; i < PX_COUNT(observed); i++)
        add_ours_or(&b, observed[i].name, observed[i].value);
    PX_TRY(add_elsewhere(&b, of, function));
    PX_TRY(add_machines(&b, of, function));
    add_ours_or(&b, "PRISM_LOG_LEVEL", "info");
    add(&b, "PRISM_REGION", px_arena_cstr(arena, dir->region_name));
    if (of->siblings && of->siblings->primary)
        add(&b, "PRISM_SECRETS_PRIMARY", of->siblings->primary);
    const char *quotas = getenv("PRISM_REGION_QUOTAS"); /* a word that is none was refused */
    add(&b, "PRISM_QUOTAS", quotas && quotas[0] ? quotas : "own");
    const char *rates = getenv("PRISM_REGION_RATES");
    add(&b, "PRISM_RATES", rates && rates[0] ? rates : "gateway");
    const char *stands_in_for = getenv("PRISM_STANDS_IN_FOR");
    if (stands_in_for && stands_in_for[0]) add(&b, "PRISM_STANDS_IN_FOR", stands_in_for);
    if (dir->aws_endpoint.len > 0)
        add_aws(&b);
    else
        add(&b, "AWS_REGION", px_arena_cstr(arena, dir->region_name));
    add(&b, "PRISM_TMP", data_dir_sub(dir, arena, "tmp"));
    if (px_arena_full(arena)) return px_arena_fault(arena);
    *ret_env = b.env;
    return 0;
}
