/* package/registry_auth.c - who pushes. Credentials stand in no fault and in no log. */
#include <stdlib.h>
#include <unistd.h>

#include "base/px_json.h"
#include "package/registry_internal.h"

#define CONFIG_BYTES_MAX ((size_t)1 << 20)
#define ECR_TARGET "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"

/* ---- credentials ---- */

static int basic_of(struct registry *registry, struct px_str user, struct px_str password)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, CONFIG_BYTES_MAX);
    struct px_str pair = px_arena_printf(registry->arena, "%.*s:%.*s", PX_FMT(user),
                                         PX_FMT(password));
    if (!pair.ptr) return px_arena_fault(registry->arena);
    px_buf_add_base64(&text, pair);
    if (px_buf_fault(&text)) return px_fault(px_buf_fault(&text), "credentials of a registry");
    registry->basic = px_arena_dup(registry->arena, px_buf_str(&text));
    return registry->basic.ptr ? 0 : px_arena_fault(registry->arena);
}

/* Where docker, podman and skopeo keep what `login` was told. Helpers that hold it elsewhere are not asked. */
static int config_path(struct px_arena *arena, const char **ret_path)
{
    const char *file = getenv("REGISTRY_AUTH_FILE"), *folder = getenv("DOCKER_CONFIG");
    const char *home = getenv("HOME");
    struct px_str path = {0};
    if (file && *file) {
        *ret_path = file;
        return 0;
    }
    if (folder && *folder)
        path = px_arena_printf(arena, "%s/config.json", folder);
    else
        path = px_arena_printf(arena, "%s/.docker/config.json", home ? home : "");
    if (!path.ptr) return px_fault(px_arena_fault(arena), "the path of Docker's configuration");
    *ret_path = path.ptr;
    return 0;
}

static int basic_from_config(struct registry *registry)
{
    const char *path = NULL;
    yyjson_val *root = NULL, *key = NULL, *entry = NULL;
    size_t i = 0, max = 0;
    PX_TRY(config_path(registry->arena, &path));
    if (access(path, R_OK) != 0) return 0;
    PX_TRY(px_json_load(path, CONFIG_BYTES_MAX, registry->arena, &root));
    px_json_obj_foreach(px_json_obj(root, "auths"), i, max, key, entry)
    {
        struct px_str host = px_json_val_str(key);
        if (px_str_starts(host, S("https://"))) host = px_str_skip(host, 8);
        if (px_str_eq(host, registry->host)) registry->basic = px_json_str(entry, "auth");
    }
    return 0;
}

/* "<account>.dkr.ecr.<region>.amazonaws.com[.cn]" */
static bool is_ecr(struct px_str host, struct px_str *ret_region, struct px_str *ret_suffix)
{
    struct px_str rest = host, label;
    (void)px_str_cut(&rest, '.', &label);
    if (!px_str_starts(rest, S("dkr.ecr."))) return false;
    rest = px_str_skip(rest, 8);
    if (!px_str_cut(&rest, '.', ret_region) || !px_str_starts(rest, S("amazonaws.com")))
        return false;
    *ret_suffix = rest;
    return true;
}

static int ask_ecr(struct registry *registry, struct cloud *cloud, struct px_str region,
                   struct px_str suffix)
{
    static const struct cloud_header headers[] = {
        {S("Content-Type"), S("application/x-amz-json-1.1")}, {S("X-Amz-Target"), S(ECR_TARGET)}};
    PX_AUTO(cloud_client_free) struct cloud_client *client = NULL;
    struct cloud_client_options options = {.service = S("ecr")};
    struct cloud_response response;
    yyjson_val *root = NULL;
    if (!getenv("AWS_ENDPOINT_URL_ECR") && !getenv("AWS_ENDPOINT_URL")) {
        options.endpoint = px_arena_printf(registry->arena, "https://api.ecr.%.*s.%.*s",
                                           PX_FMT(region), PX_FMT(suffix));
        if (!options.endpoint.ptr) return px_arena_fault(registry->arena);
    }
    PX_TRY(cloud_client_new(cloud, &options, &client));
    struct cloud_request request = {.what = "GetAuthorizationToken",
                                    .method = "POST",
                                    .path = S("/"),
                                    .headers = headers,
                                    .header_count = PX_COUNT(headers),
                                    .body = S("{}"),
                                    .deadline_ms = 15000};
    int r = cloud_call(client, &request, registry->arena, &response);
    if (r == CLOUD_REFUSED)
        return px_fault(PX_F_DENIED, "ECR gives no token: %d %.*s", response.status,
                        PX_FMT(response.error));
    PX_TRY(r);
    if (px_json_parse(response.body, registry->arena, &root, NULL) != 0)
        return px_fault(PX_F_PROTOCOL, "ECR's answer is no JSON");
    registry->basic = px_json_str(yyjson_arr_get_first(px_json_arr(root, "authorizationData")),
                                  "authorizationToken");
    return registry->basic.len > 0 ? 0 : px_fault(PX_F_PROTOCOL, "ECR's answer holds no token");
}

static int basic_from_ecr(struct registry *registry)
{
    struct px_str region = {0}, suffix = {0};
    PX_AUTO(cloud_close) struct cloud *cloud = NULL;
    if (!is_ecr(registry->host, &region, &suffix)) return 0;
    struct cloud_options options = {.region = region};
    PX_TRY(cloud_open(&options, &cloud));
    return ask_ecr(registry, cloud, region, suffix);
}

int registry_find_credentials(struct registry *registry, const struct registry_options *options)
{
    struct px_str user = options->user, password = options->password;
    if (user.len == 0) {
        user = px_str_c(getenv("PRISM_REGISTRY_USER"));
        password = px_str_c(getenv("PRISM_REGISTRY_PASSWORD"));
    }
    if (user.len > 0) return basic_of(registry, user, password);
    PX_TRY(basic_from_config(registry));
    return registry->basic.len > 0 ? 0 : basic_from_ecr(registry);
}

/* ---- challenges ---- */

/* The value of name in `name="value",...`; empty: it is not there. */
static struct px_str parameter(struct px_str list, struct px_str name)
{
    while (list.len > 0) {
        struct px_str key, value;
        if (!px_str_cut(&list, '=', &key) || list.len == 0 || list.ptr[0] != '"') break;
        list = px_str_skip(list, 1);
        (void)px_str_cut(&list, '"', &value);
        if (px_str_ieq(px_str_trim(key), name)) return value;
        while (list.len > 0 && (list.ptr[0] == ',' || list.ptr[0] == ' '))
            list = px_str_skip(list, 1);
    }
    return (struct px_str){0};
}

static void add_encoded(struct px_buf *buf, struct px_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-._~", c) != NULL;
        if (plain)
            px_buf_add_char(buf, (char)c);
        else
            px_buf_printf(buf, "%%%02X", c);
    }
}

/* "https://auth.example/token?x" into its origin and path; plain HTTP only where the registry itself is so. */
static int split_realm(const struct registry *registry, struct px_str realm,
                       struct px_str *ret_origin, struct px_str *ret_path)
{
    size_t scheme = px_str_starts(realm, S("https://")) ? 8
                    : px_str_starts(realm, S("http://")) &&
                            px_str_starts(registry->origin, S("http://"))
                        ? 7
                        : 0;
    const char *slash = scheme ? memchr(realm.ptr + scheme, '/', realm.len - scheme) : NULL;
    if (!slash)
        return px_fault(PX_F_PROTOCOL, "%.*s names no place for tokens", PX_FMT(registry->host));
    *ret_origin = px_str(realm.ptr, (size_t)(slash - realm.ptr));
    *ret_path = px_str_skip(realm, ret_origin->len);
    return 0;
}

static int token_call(struct registry *registry, struct px_str origin, struct px_str path,
                      struct cloud_response *ret_response)
{
    PX_AUTO(cloud_client_free) struct cloud_client *client = NULL;
    struct cloud_client_options options = {.service = S("registry"), .endpoint = origin};
    struct cloud_header header = {S("Authorization"), {0}};
    header.value = px_arena_printf(registry->arena, "Basic %.*s", PX_FMT(registry->basic));
    if (!header.value.ptr) return px_arena_fault(registry->arena);
    PX_TRY(cloud_client_new(registry->cloud, &options, &client));
    struct cloud_request request = {.what = "token",
                                    .method = "GET",
                                    .path = path,
                                    .headers = &header,
                                    .header_count = registry->basic.len > 0 ? 1 : 0,
                                    .anonymous = true,
                                    .deadline_ms = 30000};
    int r = cloud_call(client, &request, registry->arena, ret_response);
    if (r == CLOUD_REFUSED)
        return px_fault(PX_F_DENIED, "%.*s gives no token: %d%s", PX_FMT(registry->host),
                        ret_response->status,
                        registry->basic.len > 0 ? "" : "; there are no credentials for it");
    return r;
}

static int authorize_bearer(struct registry *registry, struct px_str challenge)
{
    PX_AUTO(px_buf_deinit) struct px_buf path;
    struct px_str origin, place;
    struct cloud_response response;
    yyjson_val *root = NULL;
    px_buf_init(&path, CONFIG_BYTES_MAX);
    PX_TRY(split_realm(registry, parameter(challenge, S("realm")), &origin, &place));
    px_buf_add_str(&path, place);
    px_buf_add_c(&path, memchr(place.ptr, '?', place.len) ? "&service=" : "?service=");
    add_encoded(&path, parameter(challenge, S("service")));
    px_buf_add_c(&path, "&scope=");
    add_encoded(&path, parameter(challenge, S("scope")));
    if (px_buf_fault(&path)) return px_fault(px_buf_fault(&path), "a registry's challenge");
    PX_TRY(token_call(registry, origin, px_buf_str(&path), &response));
    if (px_json_parse(response.body, registry->arena, &root, NULL) != 0)
        return px_fault(PX_F_PROTOCOL, "the token of %.*s is no JSON", PX_FMT(registry->host));
    struct px_str token = px_json_str(root, "token");
    if (token.len == 0) token = px_json_str(root, "access_token");
    if (token.len == 0)
        return px_fault(PX_F_PROTOCOL, "%.*s answers without a token", PX_FMT(registry->host));
    registry->authorization = px_arena_printf(registry->arena, "Bearer %.*s", PX_FMT(token));
    return registry->authorization.ptr ? 0 : px_arena_fault(registry->arena);
}

static int authorize_basic(struct registry *registry)
{
    if (registry->basic.len == 0)
        return px_fault(
            PX_F_DENIED,
            "%.*s wants credentials: PRISM_REGISTRY_USER and PRISM_REGISTRY_PASSWORD, or "
            "Docker's config.json",
            PX_FMT(registry->host));
    registry->authorization = px_arena_printf(registry->arena, "Basic %.*s",
                                              PX_FMT(registry->basic));
    return registry->authorization.ptr ? 0 : px_arena_fault(registry->arena);
}

int registry_authorize(struct registry *registry, const struct cloud_response *refusal)
{
    struct px_str challenge = cloud_response_header(refusal, S("WWW-Authenticate")), scheme;
    (void)px_str_cut(&challenge, ' ', &scheme);
    if (px_str_ieq(scheme, S("Basic"))) return authorize_basic(registry);
    if (px_str_ieq(scheme, S("Bearer"))) return authorize_bearer(registry, challenge);
    return px_fault(PX_F_PROTOCOL, "%.*s asks for credentials of an unknown kind",
                    PX_FMT(registry->host));
}
