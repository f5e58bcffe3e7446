/* region/homes.c - see homes.h. */
#include "region/homes.h"

#include <stdlib.h>
#include <string.h>

#include "region/provision.h"

static const struct {
    const char *store, *path;
    const char *on_aws; /* before and behind the prefix, parted by '*'; NULL: the path */
} homes[] = {
    {"hot", "hot", NULL},
    {"segments", "segments", "s3://*-segments"},
    {"analytics", "analytics", "s3://*-analytics"},
    {"tables", "tables.db", "dynamodb://*"},
    {"meta", "meta.db", NULL},
    {"secrets", "secrets", "secretsmanager://*"},
    {"parameters", "parameters.json", "ssm://*"},
};

const char *const homes_aws_variables[] = {"AWS_ENDPOINT_URL",
                                           "AWS_ENDPOINT_URL_DYNAMODB",
                                           "AWS_ENDPOINT_URL_S3",
                                           "AWS_ENDPOINT_URL_SECRETS_MANAGER",
                                           "AWS_ENDPOINT_URL_SSM",
                                           "AWS_ENDPOINT_URL_STS",
                                           "AWS_REGION",
                                           "AWS_ACCESS_KEY_ID",
                                           "AWS_SECRET_ACCESS_KEY",
                                           "AWS_SESSION_TOKEN",
                                           "AWS_PROFILE",
                                           "AWS_CONFIG_FILE",
                                           "AWS_SHARED_CREDENTIALS_FILE",
                                           "AWS_ROLE_ARN",
                                           "AWS_ROLE_SESSION_NAME",
                                           "AWS_WEB_IDENTITY_TOKEN_FILE",
                                           "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                           "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                           "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                                           "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                                           "AWS_CA_BUNDLE",
                                           "PRISM_TENANT_ROLE_ARN", /* svc/lending */
                                           "HOME" /* of a profile */};
const size_t homes_aws_variable_count = PX_COUNT(homes_aws_variables);

static bool on_aws(const struct data_dir *dir) { return dir->aws_endpoint.len > 0; }

const char *homes_url(const struct data_dir *dir, const char *store, struct px_arena *arena)
{
    for (size_t i = 0; i < PX_COUNT(homes); i++) {
        if (strcmp(homes[i].store, store) != 0) continue;
        const char *meta = on_aws(dir) && strcmp(store, "meta") == 0 ? getenv("PRISM_META_URL")
                                                                     : NULL;
        if (meta && meta[0]) return meta;
        if (!on_aws(dir) || !homes[i].on_aws) return data_dir_sub(dir, arena, homes[i].path);
        const char *star = strchr(homes[i].on_aws, '*');
        return px_arena_printf(arena, "%.*s%.*s%s", (int)(star - homes[i].on_aws), homes[i].on_aws,
                               PX_FMT(dir->aws_prefix), star + 1)
            .ptr;
    }
    return NULL;
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && value[0];
}

static int check_credentials(const struct data_dir *dir)
{
    if ((is_set("AWS_ACCESS_KEY_ID") && is_set("AWS_SECRET_ACCESS_KEY")) || is_set("AWS_PROFILE") ||
        is_set("AWS_WEB_IDENTITY_TOKEN_FILE") || is_set("AWS_CONTAINER_CREDENTIALS_FULL_URI") ||
        is_set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"))
        return 0;
    return px_fault(PX_F_CONFIG,
                    "no credentials for %.*s: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (an "
                    "emulator takes any), or AWS_PROFILE",
                    PX_FMT(dir->aws_endpoint));
}

int homes_prepare(const struct data_dir *dir, const struct function_catalogue *catalogue,
                  struct px_arena *arena, const struct px_clock *clock)
{
    if (!on_aws(dir)) return 0;
    PX_TRY(check_credentials(dir));
    const char *endpoint = px_arena_cstr(arena, dir->aws_endpoint);
    const char *region = getenv("AWS_DEFAULT_REGION");
    if (!region || !region[0]) region = "us-east-1";
    if (!endpoint) return px_arena_fault(arena);
    if (setenv("AWS_ENDPOINT_URL", endpoint, 1) != 0 ||
        (!is_set("AWS_REGION") && setenv("AWS_REGION", region, 1) != 0))
        return px_fault(PX_F_OOM, "environment");
    return provision(catalogue, dir->aws_prefix, arena, clock);
}
