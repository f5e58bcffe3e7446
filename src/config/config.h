/* config/config.h - the settings of an environment: from templates in platform/environments to what Terraform, functions and
 * parameters get.
 *
 * Vocabulary
 *   environment  dev, staging, prod, local: one file platform/environments/<name>.jsonnet
 *   key          a path in it, regions.eu-west-1.database.capacity_max
 *   schema       what keys there are, and what may stand in them: types, defaults and descriptions from the variables of
 *                infra/global and infra/region; the names of functions' settings from functions.json; ranges, AWS's limits and their
 *                sources from platform/config.json. Nothing that one of them says stands in another.
 *   fault        what is wrong with a value: its place, its key, and what to do
 *
 * Nothing is rendered of an environment that has a fault. docs/design/config.md. */
#pragma once

#include "config/source.h"
#include "config/type.h"

struct config_fault {
    struct px_str environment;
    struct config_place place;
    struct px_str key, message, remedy;
};
struct config_report {
    struct px_arena *arena;
    struct config_fault *faults;
    size_t count, cap;
};
#define CONFIG_FAULTS_MAX 500u

struct config_schema;
/* Read what settings there are.
 *
 *   platform_dir  functions.json, config.json, environments/
 *   infra_dir     global/ and region/; NULL: only the environment `local` can be read
 *   arena         outlives the schema, which ends with it
 *
 * Faults: PX_F_CONFIG, PX_F_IO: a file is not there or is not what it should be. */
PX_MUST_USE int config_schema_open(const char *platform_dir, const char *infra_dir,
                                   struct px_arena *arena, struct config_schema **ret_schema);

/* Names of the environments, in order. */
PX_MUST_USE int config_environments(const struct config_schema *schema, struct px_arena *arena,
                                    struct px_str **ret_names, size_t *ret_count);

struct config {
    const struct config_schema *schema;
    struct px_str name, file;
    struct config_tree tree;
    struct px_arena *arena;
};
enum config_answer { CONFIG_NO_ENVIRONMENT = 1 };
/* Evaluate and check one environment. All that is wrong with it is added to the report; then ret_config can be looked at but not
 * rendered.
 *
 * Answers: CONFIG_NO_ENVIRONMENT. */
PX_MUST_USE int config_open(const struct config_schema *schema, struct px_str name,
                            struct px_arena *arena, struct config_report *report,
                            struct config *ret_config);
static inline bool config_is_local(const struct config *config)
{
    return px_str_eq(config->name, S("local"));
}

/* Names of its regions, in order; of `local` one, which stands for every region of the machine. */
PX_MUST_USE int config_regions(const struct config *config, struct px_arena *arena,
                               struct px_str **ret_names, size_t *ret_count);

enum config_output {
    CONFIG_TFVARS,
    CONFIG_ENVIRONMENT, /* of `local` as CONFIG_MACHINE */
    CONFIG_PARAMETERS,
    CONFIG_JSON,
    CONFIG_MACHINE, /* environments with the parameters over them: for a region without SSM */
};
/* One output of one region as JSON, indented; of CONFIG_TFVARS region "global" is the global stack.
 * Answers: CONFIG_NO_ENVIRONMENT: it has no such region. */
PX_MUST_USE int config_render(const struct config *config, enum config_output output,
                              struct px_str region, struct px_buf *to);

/* ---- for the parts of this library, and for who explains ---- */

struct config_limit { /* of platform/config.json */
    struct px_str pattern;
    yyjson_val *says;
};
const struct config_type *config_schema_stack(const struct config_schema *schema, bool global);
const struct config_limit *config_schema_limit(const struct config_schema *schema,
                                               struct px_str key); /* NULL: none */
/* A key that comes with a release or from prism config itself; empty: it is set here. */
struct px_str config_schema_given(const struct config_schema *schema, struct px_str key);
/* The function's part of functions.json; NULL: there is none. */
yyjson_val *config_schema_function(const struct config_schema *schema, struct px_str name);
yyjson_val *config_schema_functions(const struct config_schema *schema);
yyjson_val *config_schema_tables(const struct config_schema *schema); /* array of names */
/* What config.json says of a setting; NULL: there is none of that name. function "common": of all functions; those of all may also be
 * said of one. */
yyjson_val *config_schema_setting(const struct config_schema *schema, struct px_str function,
                                  struct px_str name);
yyjson_val *config_schema_settings(const struct config_schema *schema, struct px_str function);
/* PRISM_QUERY_TIMEOUT_MS of query and timeout_ms. */
struct px_str config_variable(const struct config_schema *schema, struct px_arena *arena,
                              struct px_str function, struct px_str name);
const struct value *config_schema_regions(
    const struct config_schema *schema); /* codes by partition and region */
const char *config_schema_platform(const struct config_schema *schema);
const char *config_schema_infra(const struct config_schema *schema); /* NULL: none */

/* Add a fault; message and remedy are kept. One at the same place with the same message is not added again. */
void config_report_add(struct config_report *report, const struct config *config, yyjson_val *node,
                       struct px_str key, struct px_str message, struct px_str remedy);
/* config/rules.c: what concerns several keys at once. */
void config_check_rules(const struct config *config, struct config_report *report);
/* config/check.c */
void config_check(const struct config *config, struct config_report *report);
