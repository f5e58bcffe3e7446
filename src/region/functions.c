/* region/functions.c - read platform/functions.json. What Lambda itself would refuse is refused here, so
 * that a wrong catalogue is found at start and not at deployment.
 * Bounds: AWS Lambda quotas (memory 128..10240 MB, timeout 1..900 s). */
#include "region/functions.h"

#include <stdlib.h>

#define CATALOGUE_BYTES_MAX (1 << 20)

static bool bounded(yyjson_val *obj, const char *key, int64_t min, int64_t max, uint32_t *ret_value)
{
    int64_t v = px_json_i64(obj, key, min - 1);
    if (v < min || v > max) return false;
    *ret_value = (uint32_t)v;
    return true;
}

static int read_environment(yyjson_val *env, struct px_arena *arena, struct function_spec *spec)
{
    size_t idx, max, n = yyjson_obj_size(env);
    spec->environment = px_arena_zalloc_array(arena, sizeof(*spec->environment), n);
    if (n && !spec->environment) return px_arena_fault(arena);
    yyjson_val *key, *val;
    px_json_obj_foreach(env, idx, max, key, val)
    {
        if (!yyjson_is_str(val))
            return px_fault(PX_F_CONFIG, "functions.json: %s: environment.%s is no string",
                            spec->name, yyjson_get_str(key));
        spec->environment[spec->environment_count].name = yyjson_get_str(key);
        spec->environment[spec->environment_count++].value = yyjson_get_str(val);
    }
    return 0;
}

/* "tables.keys" names a table of the store "tables"; the region only needs the store. */
static int read_stores(yyjson_val *stores, struct px_arena *arena, struct function_spec *spec)
{
    size_t idx, max, n = yyjson_obj_size(stores);
    spec->stores = px_arena_zalloc_array(arena, sizeof(*spec->stores), n);
    if (n && !spec->stores) return px_arena_fault(arena);
    yyjson_val *key, *val;
    px_json_obj_foreach(stores, idx, max, key, val)
    {
        struct px_str rest = px_json_val_str(key), store;
        (void)px_str_cut(&rest, '.', &store);
        char *name = px_arena_cstr(arena, store);
        if (!name) return px_arena_fault(arena);
        spec->stores[spec->store_count++] = name;
    }
    return 0;
}

static int read_elsewhere(yyjson_val *list, struct px_arena *arena, struct function_spec *spec)
{
    size_t idx, max, n = yyjson_arr_size(list);
    yyjson_val *item;
    if (n == 0) return 0;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    spec->elsewhere = px_arena_array(arena, const char *, n);
    if (!spec->elsewhere) return px_arena_fault(arena);
    px_json_arr_foreach(list, idx, max, item)
    {
        if (!yyjson_is_str(item))
            return px_fault(PX_F_CONFIG, "functions.json: %s: elsewhere[%zu] is no function's name",
                            spec->name, idx);
        spec->elsewhere[spec->elsewhere_count++] = yyjson_get_str(item);
    }
    return 0;
}

static int read_schedules(yyjson_val *list, struct px_arena *arena, struct function_spec *spec)
{
    size_t idx, max, n = yyjson_arr_size(list);
    spec->schedules = px_arena_array(arena, struct function_schedule, n);
    if (n && !spec->schedules) return px_arena_fault(arena);
    yyjson_val *item;
    px_json_arr_foreach(list, idx, max, item)
    {
        struct function_schedule *s = &spec->schedules[spec->schedule_count++];
        s->name = px_json_str(item, "name").ptr;
        s->workflow = px_json_str(item, "workflow");
        yyjson_val *input = px_json_obj(item, "input");
        if (!s->name || !bounded(item, "rate_s", 1, 86400 * 31, &s->rate_s) || !input)
            return px_fault(PX_F_CONFIG,
                            "functions.json: %s: schedules[%zu] needs name, rate_s, input",
                            spec->name, idx);
        struct px_buf text;
        px_buf_init(&text, 4096);
        px_buf_add_json(&text, input);
        s->input = px_arena_dup(arena, px_buf_str(&text));
        int fault = px_buf_fault(&text);
        px_buf_deinit(&text);
        PX_TRY(fault);
        if (!s->input.ptr) return px_arena_fault(arena);
    }
    return 0;
}

static int read_operates(yyjson_val *names, struct px_arena *arena, struct function_spec *spec)
{
    PX_AUTO(px_buf_deinit) struct px_buf all = {0};
    size_t i, n;
    yyjson_val *val;
    if (!names) return 0;
    px_buf_init(&all, 65536);
    px_json_arr_foreach(names, i, n, val)
    {
        if (!yyjson_is_str(val))
            return px_fault(PX_F_CONFIG, "functions.json: %s: operates: a name is no text",
                            spec->name);
        px_buf_printf(&all, "%s%s", i > 0 ? " " : "", yyjson_get_str(val));
    }
    PX_TRY(px_buf_fault(&all));
    spec->operates = px_arena_cstr(arena, px_buf_str(&all));
    return spec->operates ? 0 : px_arena_fault(arena);
}

static int read_function(yyjson_val *obj, const char *name, struct px_arena *arena,
                         struct function_spec *spec)
{
    yyjson_val *concurrency = px_json_obj(obj, "concurrency");
    yyjson_val *async = px_json_obj(obj, "asynchronous");
    uint32_t timeout_s = 0;
    spec->name = name;
    spec->service = px_json_str(obj, "service").ptr;
    const char *wrong = NULL;
    if (!spec->service)
        wrong = "service: a string is needed";
    else if (!bounded(obj, "memory_mb", 128, 10240, &spec->memory_mb))
        wrong = "memory_mb: 128 to 10240 (Lambda's limits)";
    else if (!bounded(obj, "timeout_s", 1, 900, &timeout_s))
        wrong = "timeout_s: 1 to 900 (Lambda's limits)";
    else if (!bounded(concurrency, "min", 0, 1000, &spec->concurrency_min) ||
             !bounded(concurrency, "max", 1, 1000, &spec->concurrency_max) ||
             spec->concurrency_min > spec->concurrency_max)
        wrong = "concurrency: min 0 to max, max 1 to 1000";
    else if (!bounded(concurrency, "queue", 0, 100000, &spec->queue_max))
        wrong = "concurrency.queue: 0 to 100000";
    if (wrong) return px_fault(PX_F_CONFIG, "functions.json: %s: %s", name, wrong);
    spec->concurrency_wanted = spec->concurrency_max;
    spec->timeout_ms = timeout_s * 1000;
    spec->cancel_on_gone = px_json_bool(obj, "cancel_when_caller_gone", false);
    spec->async_retries = (uint32_t)px_json_i64(async, "retries", 2);
    spec->async_max_age_s = px_json_i64(async, "max_age_s", 21600);
    PX_TRY(read_environment(px_json_obj(obj, "environment"), arena, spec));
    PX_TRY(read_stores(px_json_obj(obj, "stores"), arena, spec));
    PX_TRY(read_elsewhere(px_json_arr(obj, "elsewhere"), arena, spec));
    spec->starts = px_json_str(obj, "starts").ptr;
    PX_TRY(read_operates(px_json_arr(obj, "operates"), arena, spec));
    return read_schedules(px_json_arr(obj, "schedules"), arena, spec);
}

static int read_tables(yyjson_val *tables, struct px_arena *arena, struct function_store *store)
{
    size_t idx, max, n = yyjson_arr_size(tables);
    if (n == 0) return 0;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    store->tables = px_arena_array(arena, const char *, n);
    if (!store->tables) return px_arena_fault(arena);
    yyjson_val *val;
    px_json_arr_foreach(tables, idx, max, val)
    {
        const char *name = yyjson_get_str(val);
        if (!name)
            return px_fault(PX_F_CONFIG, "functions.json: stores.%s.tables: a name is no text",
                            store->name);
        store->tables[store->table_count++] = name;
    }
    return 0;
}

static int read_store_kinds(yyjson_val *stores, struct px_arena *arena,
                            struct function_catalogue *catalogue)
{
    size_t idx, max, n = yyjson_obj_size(stores);
    catalogue->stores = px_arena_array(arena, struct function_store, n);
    if (n && !catalogue->stores) return px_arena_fault(arena);
    yyjson_val *key, *val;
    px_json_obj_foreach(stores, idx, max, key, val)
    {
        struct function_store *s = &catalogue->stores[catalogue->store_count++];
        s->name = yyjson_get_str(key);
        s->env = px_json_str(val, "env").ptr;
        s->kind = px_json_str(val, "kind").ptr;
        if (!s->env || !s->kind)
            return px_fault(PX_F_CONFIG, "functions.json: stores.%s needs env and kind", s->name);
        PX_TRY(read_tables(px_json_arr(val, "tables"), arena, s));
    }
    return 0;
}

static bool store_known(const struct function_catalogue *catalogue, const char *name)
{
    for (size_t i = 0; i < catalogue->store_count; i++)
        if (strcmp(catalogue->stores[i].name, name) == 0) return true;
    return false;
}

static int check_stores(const struct function_catalogue *catalogue)
{
    for (size_t f = 0; f < catalogue->count; f++)
        for (size_t s = 0; s < catalogue->functions[f].store_count; s++)
            if (!store_known(catalogue, catalogue->functions[f].stores[s]))
                return px_fault(PX_F_CONFIG, "functions.json: %s: unknown store '%s'",
                                catalogue->functions[f].name, catalogue->functions[f].stores[s]);
    return 0;
}

static int check_elsewhere(const struct function_catalogue *catalogue)
{
    for (size_t f = 0; f < catalogue->count; f++)
        for (size_t e = 0; e < catalogue->functions[f].elsewhere_count; e++)
            if (!function_find(catalogue, px_str_c(catalogue->functions[f].elsewhere[e])))
                return px_fault(PX_F_CONFIG, "functions.json: %s: elsewhere: no function '%s'",
                                catalogue->functions[f].name, catalogue->functions[f].elsewhere[e]);
    return 0;
}

int function_catalogue_load(const char *path, struct px_arena *arena,
                            struct function_catalogue *ret_catalogue)
{
    yyjson_val *root = NULL, *key, *val;
    PX_TRY(px_json_load(path, CATALOGUE_BYTES_MAX, arena, &root));
    yyjson_val *functions = px_json_obj(root, "functions");
    size_t idx, max, n = yyjson_obj_size(functions);
    if (n == 0) return px_fault(PX_F_CONFIG, "%s: no functions", path);

    struct function_catalogue catalogue = {0};
    catalogue.functions = px_arena_array(arena, struct function_spec, n);
    if (!catalogue.functions) return px_arena_fault(arena);
    PX_TRY(read_store_kinds(px_json_obj(root, "stores"), arena, &catalogue));
    px_json_obj_foreach(functions, idx, max, key, val)
    {
        PX_TRY(read_function(val, yyjson_get_str(key), arena,
                             &catalogue.functions[catalogue.count++]));
    }
    PX_TRY(check_stores(&catalogue));
    PX_TRY(check_elsewhere(&catalogue));
    *ret_catalogue = catalogue;
    return 0;
}

const struct function_spec *function_find(const struct function_catalogue *catalogue,
                                          struct px_str name)
{
    for (size_t i = 0; i < catalogue->count; i++)
        if (px_str_eq(px_str_c(catalogue->functions[i].name), name))
            return &catalogue->functions[i];
    return NULL;
}

static struct px_str shards_text(const struct function_catalogue *catalogue)
{
    static const char variable[] = "PRISM_SHARDS";
    const char *ours = getenv(variable);
    const struct function_spec *tenants = function_find(catalogue, S("tenants"));
    for (size_t i = 0; !ours && tenants && i < tenants->environment_count; i++)
        if (strcmp(tenants->environment[i].name, variable) == 0)
            ours = tenants->environment[i].value;
    return ours && ours[0] ? px_str_c(ours) : S("shard-0");
}

int function_shards(const struct function_catalogue *catalogue, struct px_arena *arena,
                    const char *const **ret_shards)
{
    struct px_str rest = shards_text(catalogue), name;
    size_t count = 0;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    const char **shards = px_arena_zalloc_array(arena, sizeof(char *), rest.len / 2 + 2);
    if (!shards) return px_arena_fault(arena);
    for (bool more = true; more;) {
        more = px_str_cut(&rest, ',', &name);
        if (name.len == 0) continue;
        shards[count] = px_arena_cstr(arena, name);
        if (!shards[count++]) return px_arena_fault(arena);
    }
    *ret_shards = shards;
    return 0;
}
