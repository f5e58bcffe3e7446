/* aws/context.c - the shared parts, made in the order in which they need each other and let go in the
 * reverse order; each holds what it needs, so the loops end last and say so.
 *
 * The Common Runtime's own tables (error names, TLS) are made once a process and stay: it counts no
 * users, and another context may still live. */
#include "aws/internal.h"

#include <aws/auth/auth.h>
#include <aws/common/thread.h>

#include <stdlib.h>

#define CREDENTIALS_REFRESH_MS (15 * 60 * 1000) /* also where no expiry is told, e.g. in files */
#define HOSTS_MAX 16
#define JOIN_MS 1000
#define PROVIDERS_MAX 4

static int runtime_fault(const char *what)
{
    return px_fault(PX_F_CONFIG, "%s: %s", what, aws_error_str(aws_last_error()));
}

/* ---- region ---- */

static struct px_str setting(struct px_str given, const char *name)
{
    return given.len > 0 ? given : px_str_c(getenv(name));
}

static int region_set(struct cloud *cloud, struct px_str given)
{
    struct px_str region = setting(setting(given, "AWS_REGION"), "AWS_DEFAULT_REGION");
    if (region.len == 0) return px_fault(PX_F_CONFIG, "AWS_REGION is not set");
    if (region.len >= sizeof cloud->region)
        return px_fault(PX_F_CONFIG, "AWS_REGION has %zu bytes", region.len);
    memcpy(cloud->region, region.ptr, region.len);
    return 0;
}

/* ---- loops, addresses, certificates ---- */

static void loops_ended(void *ctx)
{
    struct cloud *cloud = ctx;
    (void)pthread_mutex_lock(&cloud->lock);
    cloud->loops_ended = true;
    (void)pthread_cond_signal(&cloud->changed);
    (void)pthread_mutex_unlock(&cloud->lock);
}

static int loops_make(struct cloud *cloud)
{
    struct aws_shutdown_callback_options ended = {loops_ended, cloud};
    struct aws_event_loop_group_options loops = {.loop_count = 1, .shutdown_options = &ended};
    cloud->loops = aws_event_loop_group_new(cloud->allocator, &loops);
    if (!cloud->loops) return runtime_fault("the event loop");
    struct aws_host_resolver_default_options resolver = {.max_entries = HOSTS_MAX,
                                                         .el_group = cloud->loops};
    cloud->resolver = aws_host_resolver_new_default(cloud->allocator, &resolver);
    if (!cloud->resolver) return runtime_fault("the resolver");
    struct aws_client_bootstrap_options bootstrap = {.event_loop_group = cloud->loops,
                                                     .host_resolver = cloud->resolver};
    cloud->bootstrap = aws_client_bootstrap_new(cloud->allocator, &bootstrap);
    return cloud->bootstrap ? 0 : runtime_fault("the connector");
}

static int tls_make(struct cloud *cloud, struct px_str ca_file)
{
    struct aws_tls_ctx_options options;
    aws_tls_ctx_options_init_default_client(&options, cloud->allocator);
    ca_file = setting(ca_file, "AWS_CA_BUNDLE");
    int r = 0;
    if (ca_file.len > 0) {
        struct aws_string *path = aws_string_new_from_array(
            cloud->allocator, (const uint8_t *)ca_file.ptr, ca_file.len);
        r = aws_tls_ctx_options_override_default_trust_store_from_path(&options, NULL,
                                                                       aws_string_c_str(path));
        aws_string_destroy(path);
    }
    if (r == 0) cloud->tls = aws_tls_client_ctx_new(cloud->allocator, &options);
    aws_tls_ctx_options_clean_up(&options);
    return cloud->tls ? 0 : runtime_fault("certificates to trust");
}

/* ---- credentials ---- */

/* NULL, for a source that this machine does not have, is skipped. */
static size_t providers_make(struct cloud *cloud, struct aws_credentials_provider **ret_providers)
{
    struct aws_credentials_provider_environment_options environment = {{NULL, NULL}};
    struct aws_credentials_provider_profile_options profile = {.bootstrap = cloud->bootstrap,
                                                               .tls_ctx = cloud->tls};
    struct aws_credentials_provider_sts_web_identity_options identity = {
        .bootstrap = cloud->bootstrap, .tls_ctx = cloud->tls};
    struct aws_credentials_provider_ecs_environment_options container = {
        .bootstrap = cloud->bootstrap, .tls_ctx = cloud->tls};
    struct aws_credentials_provider *made[PROVIDERS_MAX] = {
        aws_credentials_provider_new_environment(cloud->allocator, &environment),
        aws_credentials_provider_new_profile(cloud->allocator, &profile),
        aws_credentials_provider_new_sts_web_identity(cloud->allocator, &identity),
        aws_credentials_provider_new_ecs_from_environment(cloud->allocator, &container)};
    size_t count = 0;
    for (size_t i = 0; i < PROVIDERS_MAX; i++)
        if (made[i]) ret_providers[count++] = made[i];
    return count;
}

static int credentials_make(struct cloud *cloud)
{
    struct aws_credentials_provider *providers[PROVIDERS_MAX];
    struct aws_credentials_provider_chain_options chain = {
        .providers = providers, .provider_count = providers_make(cloud, providers)};
    struct aws_credentials_provider_cached_options cached = {
        .source = aws_credentials_provider_new_chain(cloud->allocator, &chain),
        .refresh_time_in_milliseconds = CREDENTIALS_REFRESH_MS};
    for (size_t i = 0; i < chain.provider_count; i++) /* the chain holds them */
        aws_credentials_provider_release(providers[i]);
    if (!cached.source) return runtime_fault("credentials");
    cloud->credentials = aws_credentials_provider_new_cached(cloud->allocator, &cached);
    aws_credentials_provider_release(cached.source);
    return cloud->credentials ? 0 : runtime_fault("credentials");
}

/* ---- life ---- */

int cloud_open(const struct cloud_options *options, struct cloud **ret_cloud)
{
    struct cloud_options given = options ? *options : (struct cloud_options){0};
    PX_AUTO(cloud_close) struct cloud *cloud = calloc(1, sizeof *cloud);
    if (!cloud) return px_fault(PX_F_OOM, "AWS");
    (void)pthread_mutex_init(&cloud->lock, NULL);
    (void)pthread_cond_init(&cloud->changed, NULL);
    cloud->allocator = aws_default_allocator();
    cloud->clock = given.clock ? given.clock : &px_clock_system;
    PX_TRY(region_set(cloud, given.region));
    aws_auth_library_init(cloud->allocator); /* more than once is harmless */
    PX_TRY(loops_make(cloud));
    PX_TRY(tls_make(cloud, given.ca_file));
    PX_TRY(credentials_make(cloud));
    *ret_cloud = PX_TAKE(cloud);
    return 0;
}

/* The Runtime joins its helper threads when it gets round to it. A fork(2) before that leaves the child
 * with handles of threads that it has not, and new threads get the same ones; so join them now. Those
 * of another context go on, hence the limit. */
static void loops_wait(struct cloud *cloud)
{
    (void)pthread_mutex_lock(&cloud->lock);
    while (!cloud->loops_ended) (void)pthread_cond_wait(&cloud->changed, &cloud->lock);
    (void)pthread_mutex_unlock(&cloud->lock);
    aws_thread_set_managed_join_timeout_ns(JOIN_MS * PX_NS_PER_MS);
    (void)aws_thread_join_all_managed();
}

void cloud_close(struct cloud **pcloud)
{
    struct cloud *cloud = *pcloud;
    if (!cloud) return;
    if (cloud->credentials) aws_credentials_provider_release(cloud->credentials);
    if (cloud->tls) aws_tls_ctx_release(cloud->tls);
    if (cloud->bootstrap) aws_client_bootstrap_release(cloud->bootstrap);
    if (cloud->resolver) aws_host_resolver_release(cloud->resolver);
    if (cloud->loops) {
        aws_event_loop_group_release(cloud->loops);
        loops_wait(cloud);
    }
    (void)pthread_cond_destroy(&cloud->changed);
    (void)pthread_mutex_destroy(&cloud->lock);
    free(cloud);
    *pcloud = NULL;
}
