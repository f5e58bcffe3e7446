/* The function catalogue, environments and the data folder. */
#include "support/support.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "region/data_dir.h"
#include "region/environment.h"

static int load(struct test *t, const char *text, struct function_catalogue *catalogue)
{
    struct px_str path = test_path(t, "functions.json");
    CHECK_OK(px_file_write_atomic(path.ptr, px_str_c(text), 0600));
    return function_catalogue_load(path.ptr, &t->arena, catalogue);
}

#define FUNCTION(fields)                                                                           \
    "{\"stores\":{\"hot\":{\"env\":\"PRISM_HOT_URL\",\"kind\":\"hot\"}},\"functions\":{\"f\":{"    \
    "\"service\":\"s\",\"memory_mb\":128,\"timeout_s\":3,"                                         \
    "\"concurrency\":{\"min\":0,\"max\":2,\"queue\":4}" fields "}}}"

TEST(the_committed_catalogue_is_read_whole)
{
    struct function_catalogue c;
    CHECK_OK(function_catalogue_load(PX_SOURCE_DIR "/platform/functions.json", &t->arena, &c));
    CHECK_INT(c.count, 12);
    const struct function_spec *storage = function_find(&c, S("storage"));
    CHECK(storage);
    CHECK_INT(storage->schedule_count, 4);
    CHECK(function_find(&c, S("query"))->cancel_on_gone);
    CHECK(!function_find(&c, S("quer")));
}

TEST(what_lambda_would_refuse_is_refused_here)
{
    static const char *const wrong[] = {
        "{}",
        FUNCTION(",\"memory_mb\":64"),
        "{\"functions\":{\"f\":{\"service\":\"s\",\"memory_mb\":64}}}",
        "{\"functions\":{\"f\":{\"service\":\"s\",\"memory_mb\":128,\"timeout_s\":901}}}",
        FUNCTION(",\"stores\":{\"nowhere\":\"read\"}"),
        FUNCTION(",\"schedules\":[{\"name\":\"x\"}]"),
        FUNCTION(",\"environment\":{\"A\":1}"),
        FUNCTION(",\"elsewhere\":[1]"),
        FUNCTION(",\"elsewhere\":[\"nobody\"]"),
    };
    struct function_catalogue c;
    for (size_t i = 0; i < PX_COUNT(wrong); i++)
        if (i != 1) /* a duplicate key: the first one counts, as everywhere in yyjson */
            CHECK_INT(load(t, wrong[i], &c), PX_F_CONFIG);
}

static const char *env_get(const char *const *env, const char *name)
{
    size_t len = strlen(name);
    for (; *env; env++)
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=') return *env + len + 1;
    return NULL;
}

TEST(settings_go_over_the_catalogue_and_this_processs_variables_over_both)
{
    struct function_catalogue c;
    const char *const *env;
    yyjson_val *settings = NULL;
    struct data_dir dir = {.path = S("/d"), .region_name = S("r")};
    CHECK_OK(
        load(t, FUNCTION(",\"environment\":{\"PRISM_TEST_X\":\"1\",\"PRISM_TEST_Y\":\"1\"}"), &c));
    struct px_str text = px_arena_printf(
        &t->arena,
        "{\"%s\":{\"PRISM_TEST_X\":\"2\",\"PRISM_TEST_Z\":\"2\",\"PRISM_LOG_LEVEL\":\"warn\"}}",
        c.functions[0].name);
    CHECK_OK(px_json_parse(text, &t->arena, &settings, NULL));
    const struct environment_of of = {.catalogue = &c, .dir = &dir, .settings = settings};
    CHECK_INT(setenv("PRISM_TEST_Z", "3", 1), 0);
    CHECK_OK(environment_build(&of, &c.functions[0], &t->arena, &env));
    CHECK_STR(px_str_c(env_get(env, "PRISM_TEST_X")), S("2"));
    CHECK_STR(px_str_c(env_get(env, "PRISM_TEST_Y")), S("1"));
    CHECK_STR(px_str_c(env_get(env, "PRISM_TEST_Z")), S("3"));
    CHECK_STR(px_str_c(env_get(env, "PRISM_LOG_LEVEL")), S("warn"));
    CHECK_INT(unsetenv("PRISM_TEST_Z"), 0);
}

TEST(environment_names_only_the_stores_that_the_catalogue_allows)
{
    struct function_catalogue c;
    const char *const *env;
    struct data_dir dir = {.path = S("/d"), .region_name = S("r")};
    CHECK_OK(
        load(t, FUNCTION(",\"stores\":{\"hot\":\"read\"},\"environment\":{\"PRISM_TEST_X\":\"1\"}"),
             &c));
    CHECK_OK(environment_build(&(struct environment_of){&c, &dir, NULL}, &c.functions[0], &t->arena,
                               &env));
    CHECK_STR(px_str_c(env_get(env, "PRISM_HOT_URL")), S("/d/hot"));
    CHECK_STR(px_str_c(env_get(env, "PRISM_TEST_X")), S("1"));
    CHECK(!env_get(env, "PRISM_TABLES_URL"));
    CHECK_INT(setenv("PRISM_TEST_X", "2", 1), 0);
    CHECK_OK(environment_build(&(struct environment_of){&c, &dir, NULL}, &c.functions[0], &t->arena,
                               &env));
    CHECK_STR(px_str_c(env_get(env, "PRISM_TEST_X")), S("2"));
    CHECK_INT(unsetenv("PRISM_TEST_X"), 0);
}

TEST(data_folder_is_one_regions_at_a_time_and_remembers)
{
    struct data_dir first = {.lock_fd = -1}, second = {.lock_fd = -1};
    const char *path = test_path(t, "data").ptr;
    CHECK_OK(data_dir_open(path, &(struct data_dir_wish){0}, &t->arena, &t->clock, &first));
    CHECK(first.created);
    CHECK_STR(first.region_name, S("local"));
    CHECK_INT(data_dir_open(path, &(struct data_dir_wish){0}, &t->arena, &t->clock, &second),
              DATA_DIR_BUSY);
    CHECK_OK(data_dir_remember(&first, 4242, &t->clock));
    data_dir_close(&first);
    CHECK_OK(data_dir_open(path, &(struct data_dir_wish){0}, &t->arena, &t->clock, &second));
    CHECK(!second.created);
    CHECK_INT(second.port, 4242);
    data_dir_close(&second);
}

TEST(folder_whose_first_start_ended_early_is_taken_up_again)
{
    struct data_dir dir = {.lock_fd = -1};
    const char *path = test_path(t, "data").ptr;
    CHECK_OK(data_dir_open(path, &(struct data_dir_wish){.region_name = "eu"}, &t->arena, &t->clock,
                           &dir));
    data_dir_close(&dir);
    CHECK_OK(data_dir_open(path, &(struct data_dir_wish){0}, &t->arena, &t->clock, &dir));
    CHECK_INT(dir.port, 0);
    CHECK_STR(dir.region_name, S("eu"));
    data_dir_close(&dir);
}

TEST(stores_on_aws_are_named_by_the_prefix_and_meta_by_the_environment)
{
    struct data_dir dir = {.path = S("/d"),
                           .region_name = S("r"),
                           .aws_endpoint = S("http://e"),
                           .aws_prefix = S("p")};
    CHECK_STR(px_str_c(homes_url(&dir, "hot", &t->arena)), S("/d/hot"));
    CHECK_STR(px_str_c(homes_url(&dir, "segments", &t->arena)), S("s3://p-segments"));
    CHECK_STR(px_str_c(homes_url(&dir, "analytics", &t->arena)), S("s3://p-analytics"));
    CHECK_STR(px_str_c(homes_url(&dir, "tables", &t->arena)), S("dynamodb://p"));
    CHECK_STR(px_str_c(homes_url(&dir, "secrets", &t->arena)), S("secretsmanager://p"));
    CHECK_STR(px_str_c(homes_url(&dir, "meta", &t->arena)), S("/d/meta.db"));
    CHECK_INT(setenv("PRISM_META_URL", "postgresql://h/d", 1), 0);
    CHECK_STR(px_str_c(homes_url(&dir, "meta", &t->arena)), S("postgresql://h/d"));
    dir.aws_endpoint = S(""); /* a region in its folder takes nothing from there */
    CHECK_STR(px_str_c(homes_url(&dir, "meta", &t->arena)), S("/d/meta.db"));
    CHECK_INT(unsetenv("PRISM_META_URL"), 0);
    CHECK(!homes_url(&dir, "nowhere", &t->arena));
}

TEST(functions_on_aws_stores_get_this_processs_settings_for_aws)
{
    struct function_catalogue c;
    const char *const *env;
    struct data_dir dir = {.path = S("/d"), .region_name = S("r")};
    CHECK_OK(load(t, FUNCTION(",\"stores\":{\"hot\":\"read\"}"), &c));
    CHECK_INT(setenv("AWS_ACCESS_KEY_ID", "id", 1), 0);
    CHECK_INT(setenv("AWS_REGION", "eu-west-1", 1), 0);
    CHECK_OK(environment_build(&(struct environment_of){&c, &dir, NULL}, &c.functions[0], &t->arena,
                               &env));
    CHECK(!env_get(env, "AWS_ACCESS_KEY_ID"));
    CHECK_STR(px_str_c(env_get(env, "AWS_REGION")), S("r"));
    dir.aws_endpoint = S("http://e");
    CHECK_OK(environment_build(&(struct environment_of){&c, &dir, NULL}, &c.functions[0], &t->arena,
                               &env));
    CHECK_STR(px_str_c(env_get(env, "AWS_ACCESS_KEY_ID")), S("id"));
    CHECK_STR(px_str_c(env_get(env, "AWS_REGION")), S("eu-west-1"));
    CHECK_INT(unsetenv("AWS_ACCESS_KEY_ID"), 0);
    CHECK_INT(unsetenv("AWS_REGION"), 0);
}

TEST(a_function_knows_those_of_other_regions_that_it_may_call_and_no_others)
{
    struct function_catalogue c;
    const char *const *env;
    const struct data_dir dir = {.path = S("/d"), .region_name = S("a")};
    const struct siblings siblings = {.at = {{.name = "b"}, {.name = "c"}}, .count = 2};
    struct environment_of of = {&c, &dir, &siblings};
    CHECK_OK(load(t, FUNCTION(",\"elsewhere\":[\"f\"]"), &c));
    CHECK_OK(environment_build(&of, &c.functions[0], &t->arena, &env));
    CHECK_STR(px_str_c(env_get(env, "PRISM_BRIDGE_FUNCTIONS")),
              S("{\"b\":[\"prism-f\"],\"c\":[\"prism-f\"]}"));
    CHECK_OK(load(t, FUNCTION(",\"stores\":{\"hot\":\"read\"},\"elsewhere\":[\"f\"]"), &c));
    CHECK_OK(environment_build(&of, &c.functions[0], &t->arena, &env));
    CHECK_STR(px_str_c(env_get(env, "PRISM_BRIDGE_FUNCTIONS")),
              S("{\"b\":[\"prism-f-shard-0\"],\"c\":[\"prism-f-shard-0\"]}"));
    CHECK_INT(setenv("PRISM_SHARDS", "shard-0,shard-1", 1), 0);
    CHECK_OK(environment_build(&of, &c.functions[0], &t->arena, &env));
    CHECK_INT(unsetenv("PRISM_SHARDS"), 0);
    CHECK_STR(px_str_c(env_get(env, "PRISM_BRIDGE_FUNCTIONS")),
              S("{\"b\":[\"prism-f-shard-0\",\"prism-f-shard-1\"],"
                "\"c\":[\"prism-f-shard-0\",\"prism-f-shard-1\"]}"));
    CHECK_STR(px_str_c(env_get(env, "AWS_ENDPOINT_URL_LAMBDA")), S("unix:/d/region.sock"));
    of.siblings = NULL;
    CHECK_OK(environment_build(&of, &c.functions[0], &t->arena, &env));
    CHECK_STR(px_str_c(env_get(env, "PRISM_BRIDGE_FUNCTIONS")), S("{}"));
    of.siblings = &siblings;
    CHECK_OK(load(t, FUNCTION(""), &c));
    CHECK_OK(environment_build(&of, &c.functions[0], &t->arena, &env));
    CHECK(!env_get(env, "PRISM_BRIDGE_FUNCTIONS") && !env_get(env, "AWS_ENDPOINT_URL_LAMBDA"));
}

TEST(a_function_knows_the_machine_that_it_may_start)
{
    struct function_catalogue c;
    const char *const *env;
    struct data_dir dir = {.path = S("/d"), .region_name = S("a")};
    const struct environment_of of = {&c, &dir, NULL};
    CHECK_OK(load(t, FUNCTION(",\"starts\":\"m\""), &c));
    CHECK_OK(environment_build(&of, &c.functions[0], &t->arena, &env));
    CHECK_STR(px_str_c(env_get(env, "PRISM_STARTS")),
              S("arn:aws:states:a:000000000000:stateMachine:prism-m:live"));
    CHECK_STR(px_str_c(env_get(env, "AWS_ENDPOINT_URL_SFN")), S("unix:/d/region.sock"));
    dir.aws_prefix = S("other");
    CHECK_OK(environment_build(&of, &c.functions[0], &t->arena, &env));
    CHECK_STR(px_str_c(env_get(env, "PRISM_STARTS")),
              S("arn:aws:states:a:000000000000:stateMachine:other-m:live"));
    CHECK_OK(load(t, FUNCTION(""), &c));
    CHECK_OK(environment_build(&of, &c.functions[0], &t->arena, &env));
    CHECK(!env_get(env, "PRISM_STARTS"));
}

TEST(shards_are_those_of_the_registrys_function)
{
    struct function_catalogue c;
    const char *const *shards = NULL;
    CHECK_OK(function_catalogue_load(PX_SOURCE_DIR "/platform/functions.json", &t->arena, &c));
    CHECK_OK(function_shards(&c, &t->arena, &shards));
    CHECK_STR(px_str_c(shards[0]), S("shard-0"));
    CHECK(!shards[1]);
    CHECK_INT(setenv("PRISM_SHARDS", "shard-1,,shard-4", 1), 0);
    CHECK_OK(function_shards(&c, &t->arena, &shards));
    CHECK_INT(unsetenv("PRISM_SHARDS"), 0);
    CHECK_STR(px_str_c(shards[0]), S("shard-1"));
    CHECK_STR(px_str_c(shards[1]), S("shard-4"));
    CHECK(!shards[2]);
}

TEST(stores_stay_where_they_are)
{
    struct data_dir dir = {.lock_fd = -1};
    const char *path = test_path(t, "data").ptr, *embedded = test_path(t, "embedded").ptr;
    const struct data_dir_wish aws = {.aws_endpoint = "http://127.0.0.1:1"},
                               moved = {.aws_endpoint = "http://127.0.0.1:2"},
                               other = {.aws_prefix = "other"};
    CHECK_OK(data_dir_open(path, &aws, &t->arena, &t->clock, &dir));
    CHECK_STR(dir.aws_prefix, S("prism-local"));
    data_dir_close(&dir);
    CHECK_OK(data_dir_open(path, &(struct data_dir_wish){0}, &t->arena, &t->clock, &dir));
    CHECK_STR(dir.aws_endpoint, S("http://127.0.0.1:1"));
    CHECK_STR(dir.aws_prefix, S("prism-local"));
    data_dir_close(&dir);
    CHECK_OK(data_dir_open(path, &moved, &t->arena, &t->clock, &dir));
    CHECK_OK(data_dir_remember(&dir, 0, &t->clock));
    data_dir_close(&dir);
    CHECK_OK(data_dir_open(path, &(struct data_dir_wish){0}, &t->arena, &t->clock, &dir));
    CHECK_STR(dir.aws_endpoint, S("http://127.0.0.1:2"));
    data_dir_close(&dir);
    CHECK_INT(data_dir_open(path, &other, &t->arena, &t->clock, &dir), PX_F_CONFIG);
    CHECK_OK(data_dir_open(embedded, &(struct data_dir_wish){0}, &t->arena, &t->clock, &dir));
    data_dir_close(&dir);
    CHECK_INT(data_dir_open(embedded, &aws, &t->arena, &t->clock, &dir), PX_F_CONFIG);
    CHECK_INT(data_dir_open(test_path(t, "new").ptr, &other, &t->arena, &t->clock, &dir),
              PX_F_CONFIG);
}

TEST(folder_of_others_or_of_a_later_format_is_left_alone)
{
    struct data_dir dir = {.lock_fd = -1};
    const char *path = test_path(t, "data").ptr;
    CHECK_OK(px_dir_make(path));
    CHECK_OK(px_file_write_atomic(test_path(t, "data/thesis.txt").ptr, S("x"), 0600));
    CHECK_INT(data_dir_open(path, &(struct data_dir_wish){0}, &t->arena, &t->clock, &dir),
              PX_F_CONFIG);
    CHECK_OK(px_file_write_atomic(test_path(t, "data/prism.json").ptr, S("{\"format\":99}"), 0600));
    CHECK_INT(data_dir_open(path, &(struct data_dir_wish){0}, &t->arena, &t->clock, &dir),
              PX_F_CONFIG);
}

TEST_MAIN
