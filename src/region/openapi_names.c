/* region/openapi_names.c - the contract's names: infra/modules/api makes the same custom domains, base path mappings
 * and stages. */
#include "region/openapi_internal.h"

#define PLACE "x-prism-names"

static bool is_lower_name(struct px_str text, const char *also)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && !strchr(also, c)) return false;
    }
    return text.len > 0;
}

static int read_domains(struct api_reader *rd, yyjson_val *domains, struct api_names *names)
{
    size_t i, n;
    yyjson_val *key, *val;
    px_json_obj_foreach(domains, i, n, key, val)
    {
        struct px_str name = px_json_val_str(val);
        if (names->domain_count == API_DOMAINS_MAX || !is_lower_name(name, "-.{}"))
            return contract_refuse(rd, S(PLACE ".domains"),
                                   "at most 8 names in lower case, with {code} and {domain}");
        names->domains[names->domain_count++] = name;
    }
    return 0;
}

int api_read_names(struct api_reader *rd, yyjson_val *root)
{
    yyjson_val *all = px_json_obj(root, PLACE), *key, *val;
    struct api_names *names = &rd->contract->names;
    size_t i, n;
    int r = read_domains(rd, px_json_obj(all, "domains"), names);
    if (r != 0) return r;
    names->base_path = px_json_str(all, "base_path");
    if (names->base_path.len > 0 && !is_lower_name(names->base_path, "-{}"))
        return contract_refuse(rd, S(PLACE ".base_path"), "one part of a path, with {shard}");
    px_json_obj_foreach(px_json_obj(all, "variables"), i, n, key, val)
    {
        if (names->variable_count == API_STAGE_VARIABLES_MAX || !yyjson_is_str(val))
            return contract_refuse(rd, S(PLACE ".variables"), "at most 8 texts");
        names->variables[names->variable_count++] = (struct http_header){px_json_val_str(key),
                                                                         px_json_val_str(val)};
    }
    return 0;
}
