/* delivery/catalogue.c - the functions that a regional plan must hold. */
#include "delivery/rule.h"

const struct value *rule_shards(struct verify *v)
{
    for (yyjson_val *given = px_json_at(v->plan->root, "variables.shards.value"); given;)
        return value_from_json(v->arena, given);
    return NULL;
}

static struct plan_resource *by_name(struct verify *v, struct px_str name)
{
    for (plan_each(v->plan, "aws_lambda_function", it))
        if (px_str_eq(plan_text(it, "function_name"), name)) return it;
    return NULL;
}

static void fill(struct verify *v, struct rule_function *to, const struct value_field *entry,
                 struct px_str shard)
{
    *to = (struct rule_function){.name = entry->name, .shard = shard, .spec = entry->value};
    to->aws_name = px_arena_printf(v->arena, "%.*s-%.*s%s%.*s", PX_FMT(v->plan->prefix),
                                   PX_FMT(entry->name), shard.len > 0 ? "-" : "", PX_FMT(shard));
    to->resource = by_name(v, to->aws_name);
}

size_t rule_functions(struct verify *v, struct rule_function **ret)
{
    const struct value *all = value_get(v->functions, S("functions")), *shards = rule_shards(v);
    size_t shard_count = PX_MAX(value_count(shards), 1), count = 0;
    *ret = px_arena_array(v->arena, struct rule_function, value_count(all) * shard_count);
    if (!*ret || !value_is(all, VALUE_MAP)) return 0;
    for (size_t i = 0; i < all->map.count; i++) {
        const struct value_field *entry = &all->map.fields[i];
        bool sharded = value_truth(value_get(entry->value, S("hot_mount")));
        if (!sharded) {
            fill(v, &(*ret)[count++], entry, S(""));
            continue;
        }
        for (size_t s = 0; value_is(shards, VALUE_MAP) && s < shards->map.count; s++)
            fill(v, &(*ret)[count++], entry, shards->map.fields[s].name);
        if (!value_is(shards, VALUE_MAP)) fill(v, &(*ret)[count++], entry, S("shard-0"));
    }
    return count;
}
