/* Parameters: a set is read, kept for its time, and read anew. One suite for both halves: a file by itself,
 * SSM when PRISM_TEST_PARAMETERS names an endpoint that needs no real account (tests/sys/test_params_ssm.py). */
#include "aws/reach.h"
#include "support/support.h"

#include "aws/client.h"
#include "aws/shared.h"
#include "base/px_buf.h"
#include "base/px_file.h"
#include "store/params.h"

#define MINUTE (60 * PX_NS_PER_S)

/* ---- where the parameters are ---- */

static const char *endpoint(void) { return getenv("PRISM_TEST_PARAMETERS"); }

__attribute__((constructor)) static void reach(void)
{
    if (!endpoint()) return;
    reach_init();
    PX_ASSERT(setenv("AWS_ENDPOINT_URL_SSM", endpoint(), 1) == 0);
}

struct rig {
    struct test *t;
    struct param_store *store;
    struct cloud_shared cloud; /* for what the test itself asks of SSM */
    struct cloud_client *client;
    struct px_buf file;
};

/* A test's parameters are below its scratch folder's name, so they are its own. */
static struct px_str path_of(const struct rig *rig)
{
    return px_arena_printf(&rig->t->arena, "/test%s", strrchr(rig->t->dir, '/'));
}

static struct px_str url_of(const struct rig *rig)
{
    if (!endpoint()) return test_path(rig->t, "parameters.json");
    return px_arena_printf(&rig->t->arena, "ssm:/%.*s/", PX_FMT(path_of(rig)));
}

static void rig_open(struct test *t, struct rig *rig)
{
    *rig = (struct rig){.t = t};
    px_buf_init(&rig->file, 8u << 20);
    if (endpoint()) {
        struct cloud *cloud = NULL;
        CHECK_OK(cloud_shared_take(&rig->cloud, &cloud));
        CHECK_OK(cloud_client_new(cloud, &(struct cloud_client_options){.service = S("ssm")},
                                  &rig->client));
    }
    const struct param_options options = {.cloud = &rig->cloud, .clock = &t->clock};
    CHECK_OK(param_store_open(url_of(rig), &options, &rig->store));
}

static void rig_close(struct rig *rig)
{
    param_store_close(&rig->store);
    cloud_client_free(&rig->client);
    cloud_shared_close(&rig->cloud);
    px_buf_deinit(&rig->file);
}

static void tell(struct rig *rig, const char *what, const struct px_buf *body)
{
    char target[64];
    (void)snprintf(target, sizeof target, "AmazonSSM.%s", what);
    const struct cloud_header headers[] = {{S("X-Amz-Target"), px_str_c(target)},
                                           {S("Content-Type"), S("application/x-amz-json-1.1")}};
    const struct cloud_request request = {.what = what,
                                          .method = "POST",
                                          .path = S("/"),
                                          .headers = headers,
                                          .header_count = PX_COUNT(headers),
                                          .body = px_buf_str(body)};
    struct cloud_response response;
    CHECK_OK(cloud_call(rig->client, &request, &rig->t->arena, &response));
}

/* Pairs of name and value, up to NULL: exactly these there are now. `before` are removed. */
static void have(struct rig *rig, const char *const *before, const char *const *pairs)
{
    px_buf_clear(&rig->file);
    if (!endpoint()) {
        px_buf_add_char(&rig->file, '{');
        for (size_t i = 0; pairs[i]; i += 2) {
            if (i > 0) px_buf_add_char(&rig->file, ',');
            px_buf_add_json_str(&rig->file, px_str_c(pairs[i]));
            px_buf_add_char(&rig->file, ':');
            px_buf_add_json_str(&rig->file, px_str_c(pairs[i + 1]));
        }
        px_buf_add_char(&rig->file, '}');
        CHECK_OK(px_file_write_atomic(url_of(rig).ptr, px_buf_str(&rig->file), 0600));
        return;
    }
    for (size_t i = 0; before && before[i]; i += 2) {
        px_buf_clear(&rig->file);
        px_buf_printf(&rig->file, "{\"Name\":\"%.*s/%s\"}", PX_FMT(path_of(rig)), before[i]);
        tell(rig, "DeleteParameter", &rig->file);
    }
    for (size_t i = 0; pairs[i]; i += 2) {
        px_buf_clear(&rig->file);
        px_buf_printf(
            &rig->file,
            "{\"Name\":\"%.*s/%s\",\"Type\":\"%s\",\"Tier\":\"Advanced\",\"Overwrite\":true,\"Value\":",
            PX_FMT(path_of(rig)), pairs[i], i % 4 ? "SecureString" : "String");
        px_buf_add_json_str(&rig->file, px_str_c(pairs[i + 1]));
        px_buf_add_char(&rig->file, '}');
        tell(rig, "PutParameter", &rig->file);
    }
}
#define PATIENCE_MS 60000 /* an emulator on a busy machine takes its time */
#define PAIRS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- */

TEST(there_is_nothing_before_the_first_reading_and_nothing_where_nobody_wrote)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig);
    CHECK(!param_get(rig.store, S("a")).ptr);
    CHECK_OK(param_refresh(rig.store, PATIENCE_MS));
    CHECK(!param_get(rig.store, S("a")).ptr);
    CHECK_INT(param_refresh(rig.store, PATIENCE_MS), PARAM_YOUNG);
}

TEST(parameters_come_by_name_also_those_of_deeper_levels)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig);
    have(&rig, NULL,
         PAIRS("PRISM_B", "two", "query/PRISM_B", "three", "A.b-c_d", "\"\\ \xC3\xA4\n", "z", "1"));
    CHECK(!param_get(rig.store, S("PRISM_B")).ptr);
    CHECK_OK(param_refresh(rig.store, PATIENCE_MS));
    CHECK_STR(param_get(rig.store, S("PRISM_B")), S("two"));
    CHECK_STR(param_get(rig.store, S("query/PRISM_B")), S("three"));
    CHECK_STR(param_get(rig.store, S("A.b-c_d")), S("\"\\ \xC3\xA4\n"));
    CHECK_STR(param_get(rig.store, S("z")), S("1"));
    CHECK(!param_get(rig.store, S("query")).ptr);
    CHECK(!param_get(rig.store, S("PRISM")).ptr);
    CHECK(!param_get(rig.store, S("")).ptr);
}

TEST(a_set_is_kept_for_its_time_and_then_read_anew)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig);
    const char *const *first = PAIRS("a", "1", "b", "1");
    have(&rig, NULL, first);
    CHECK_OK(param_refresh(rig.store, PATIENCE_MS));
    have(&rig, first, PAIRS("a", "2", "c", "2"));
    test_advance(t, MINUTE - 1);
    CHECK_INT(param_refresh(rig.store, PATIENCE_MS), PARAM_YOUNG);
    CHECK_STR(param_get(rig.store, S("a")), S("1"));
    test_advance(t, 1);
    CHECK_INT(param_refresh(rig.store, 0), PARAM_YOUNG); /* no time for it */
    CHECK_STR(param_get(rig.store, S("a")), S("1"));
    CHECK_OK(param_refresh(rig.store, PATIENCE_MS));
    CHECK_STR(param_get(rig.store, S("a")), S("2"));
    CHECK_STR(param_get(rig.store, S("c")), S("2"));
    CHECK(!param_get(rig.store, S("b")).ptr);
    test_advance(t, MINUTE);
    CHECK_INT(param_refresh(rig.store, PATIENCE_MS),
              PARAM_SAME); /* read, and nothing was changed */
    test_advance(t, MINUTE);
    have(&rig, PAIRS("a", "", "c", ""), PAIRS("d", "4"));
    CHECK_OK(param_refresh(rig.store, PATIENCE_MS));
    CHECK(!param_get(rig.store, S("a")).ptr);
}

TEST(many_parameters_come_all_and_long_values_whole)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig);
    const char *pairs[2 * 37 + 1] = {NULL};
    char names[37][16], *value = px_arena_alloc(&t->arena, PARAM_BYTES_MAX + 1);
    CHECK(value);
    memset(value, 'v', PARAM_BYTES_MAX);
    value[PARAM_BYTES_MAX] = '\0';
    for (int i = 0; i < 37; i++) {
        (void)snprintf(names[i], sizeof names[i], "n%d", i);
        pairs[2 * i] = names[i];
        pairs[2 * i + 1] = i % 5 ? names[i] : value;
    }
    have(&rig, NULL, pairs);
    CHECK_OK(param_refresh(rig.store, 10000));
    for (int i = 0; i < 37; i++)
        CHECK_STR(param_get(rig.store, px_str_c(names[i])), px_str_c(pairs[2 * i + 1]));
}

TEST(an_url_that_names_nothing_is_refused)
{
    struct param_store *store = NULL;
    CHECK_INT(param_store_open(S(""), NULL, &store), PX_F_CONFIG);
    CHECK_INT(param_store_open(S("ssm://a b"), NULL, &store), PX_F_CONFIG);
    CHECK(!store);
    CHECK_OK(param_store_open(S("ssm://"), NULL, &store)); /* all that there are */
    param_store_close(&store);
}

TEST_MAIN
