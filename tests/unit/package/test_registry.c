/* Addresses of registries, where credentials come from, and what a registry may refuse or get wrong. */
#include "aws/fake.h"
#include "aws/reach.h"

#include "package/registry_internal.h"

__attribute__((constructor)) static void reach(void) { reach_init(); }

static int open_at(struct test *t, const char *address, struct registry **ret_registry)
{
    struct registry_options options = {.address = px_str_c(address)};
    return registry_open(&options, &t->arena, ret_registry);
}

/* Nothing of the machine's own: HOME is the test's folder. */
static void forget_credentials(struct test *t)
{
    CHECK_INT(setenv("HOME", t->dir, 1), 0);
    static const char *const names[] = {"PRISM_REGISTRY_USER", "PRISM_REGISTRY_PASSWORD",
                                        "REGISTRY_AUTH_FILE", "DOCKER_CONFIG",
                                        "AWS_ENDPOINT_URL_ECR"};
    for (size_t i = 0; i < PX_COUNT(names); i++) CHECK_INT(unsetenv(names[i]), 0);
}

TEST(an_address_is_a_host_and_a_repository)
{
    PX_AUTO(registry_close) struct registry *registry = NULL;
    forget_credentials(t);
    CHECK_OK(open_at(t, "registry.example.com:8443/team/prism/", &registry));
    CHECK_STR(registry->origin, S("https://registry.example.com:8443"));
    CHECK_STR(registry->host, S("registry.example.com:8443"));
    CHECK_STR(registry->repository, S("team/prism"));
    CHECK_INT(registry->basic.len, 0);
}

TEST(what_is_no_address_is_refused)
{
    static const char *const wrong[] = {"",
                                        "https://",
                                        "http://example.com/x",
                                        "http://127.evil.example/x",
                                        "http://localhost.evil.example/x",
                                        "host/Upper",
                                        "host/a b",
                                        "host/a?b"};
    struct registry *registry = NULL;
    forget_credentials(t);
    for (size_t i = 0; i < PX_COUNT(wrong); i++)
        CHECK_INT(open_at(t, wrong[i], &registry), PX_F_CONFIG);
}

TEST(plain_http_stays_on_this_machine)
{
    static const char *const fine[] = {"http://127.0.0.1:5000/x", "http://localhost:5000/x",
                                       "http://localhost/x", "http://[::1]:5000/x"};
    forget_credentials(t);
    for (size_t i = 0; i < PX_COUNT(fine); i++) {
        PX_AUTO(registry_close) struct registry *registry = NULL;
        CHECK_OK(open_at(t, fine[i], &registry));
    }
}

TEST(ecr_gives_a_token_for_the_region_in_its_name)
{
    static const struct fake_step steps[] = {
        FAKE_OK("{\"authorizationData\":[{\"authorizationToken\":\"QVdTOnRva2Vu\"}]}")};
    PX_AUTO(registry_close) struct registry *registry = NULL;
    struct fake fake = {0};
    char url[64];
    forget_credentials(t);
    fake_start(&fake, steps, 1);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", fake.port);
    CHECK_INT(setenv("AWS_ENDPOINT_URL_ECR", url, 1), 0);
    CHECK_OK(open_at(t, "123456789012.dkr.ecr.ap-southeast-2.amazonaws.com/prism-dev", &registry));
    CHECK_STR(registry->basic, S("QVdTOnRva2Vu"));
    CHECK(strstr(fake.request,
                 "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken\r\n"));
    CHECK(strstr(fake.request, "/ap-southeast-2/ecr/aws4_request"));
    fake_stop(&fake);
}

TEST(ecr_that_gives_no_token_is_denied)
{
    static const struct fake_step steps[] = {FAKE_ERROR(400, "SomeException")};
    struct registry *registry = NULL;
    struct fake fake = {0};
    char url[64];
    forget_credentials(t);
    fake_start(&fake, steps, 1);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", fake.port);
    CHECK_INT(setenv("AWS_ENDPOINT_URL_ECR", url, 1), 0);
    CHECK_INT(open_at(t, "123456789012.dkr.ecr.eu-west-1.amazonaws.com/p", &registry), PX_F_DENIED);
    fake_stop(&fake);
}

/* ---- a push of one small image to a registry that answers as told ---- */

static void layout_make(struct test *t, struct image *image, struct image_layer *layer)
{
    struct pack_file file = {.path = S("f"), .content = S("x"), .mode = 0644};
    struct pack_list list = {.files = &file, .count = 1, .cap = 1};
    CHECK_OK(image_layer_write(t->dir, "layer", &list, layer));
    *image = (struct image){.name = S("f"),
                            .architecture = S("arm64"),
                            .version = S("1"),
                            .layers = layer,
                            .layer_count = 1};
    CHECK_OK(image_write(t->dir, image));
}

static int push_to(struct test *t, const struct fake_step *steps, size_t count,
                   unsigned *ret_requests)
{
    PX_AUTO(registry_close) struct registry *registry = NULL;
    struct registry_pushed pushed;
    struct image_layer layer;
    struct image image;
    struct fake fake = {0};
    char address[64];
    forget_credentials(t);
    layout_make(t, &image, &layer);
    fake_start(&fake, steps, count);
    (void)snprintf(address, sizeof address, "http://127.0.0.1:%d/p", fake.port);
    CHECK_OK(open_at(t, address, &registry));
    int r = registry_push(registry, t->dir, &image, &pushed);
    registry_close(&registry);
    fake_stop(&fake);
    *ret_requests = fake.requests;
    return r;
}

TEST(an_upload_that_breaks_is_begun_anew)
{
    static const struct fake_step steps[] = {
        {.status = 404},                                       /* the layer is not there */
        {.status = 202, .headers = "Location: /upload/1\r\n"}, /* POST */
        {.kind = FAKE_RESET},                                  /* PATCH */
        {.status = 202, .headers = "Location: /upload/2\r\n"},
        {.status = 202, .headers = "Location: /upload/2?state=x\r\n"},
        {.status = 201},
        {.status = 200}, /* the configuration is there */
        {.status = 404}, /* the tag is free */
        {.status = 201}};
    unsigned requests = 0;
    CHECK_OK(push_to(t, steps, PX_COUNT(steps), &requests));
    CHECK_INT(requests, PX_COUNT(steps));
}

TEST(an_upload_is_not_sent_to_another_host)
{
    static const struct fake_step steps[] = {
        {.status = 404}, {.status = 202, .headers = "Location: http://127.0.0.1:1/upload\r\n"}};
    unsigned requests = 0;
    CHECK_INT(push_to(t, steps, PX_COUNT(steps), &requests), PX_F_PROTOCOL);
    CHECK_INT(requests, 2);
}

TEST(a_manifest_under_another_digest_is_a_fault)
{
    static const struct fake_step steps[] = {
        {.status = 200},
        {.status = 200},
        {.status = 404},
        {.status = 201, .headers = "Docker-Content-Digest: sha256:00\r\n"}};
    unsigned requests = 0;
    CHECK_INT(push_to(t, steps, PX_COUNT(steps), &requests), PX_F_PROTOCOL);
}

TEST(a_registry_that_wants_what_nobody_knows_is_refused)
{
    static const struct fake_step basic[] = {
        {.status = 401, .headers = "WWW-Authenticate: Basic realm=\"x\"\r\n"}};
    static const struct fake_step digest[] = {
        {.status = 401, .headers = "WWW-Authenticate: Digest realm=\"x\"\r\n"}};
    static const struct fake_step realm[] = {
        {.status = 401, .headers = "WWW-Authenticate: Bearer realm=\"ftp://x/y\",scope=\"a\"\r\n"}};
    static const struct fake_step broken[] = {
        {.status = 401, .headers = "WWW-Authenticate: Bearer realm=\"\r\n"}};
    unsigned requests = 0;
    CHECK_INT(push_to(t, basic, 1, &requests), PX_F_DENIED);
    CHECK_INT(push_to(t, digest, 1, &requests), PX_F_PROTOCOL);
    CHECK_INT(push_to(t, realm, 1, &requests), PX_F_PROTOCOL);
    CHECK_INT(push_to(t, broken, 1, &requests), PX_F_PROTOCOL);
}

TEST_MAIN
