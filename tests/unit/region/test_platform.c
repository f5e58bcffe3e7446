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
    CHECK_INT(c.count, 7);
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

TEST(environment_names_only_the_stores_that_the_catalogue_allows)
{
    struct function_catalogue c;
    const char *const *env;
    struct data_dir dir = {.path = S("/d"), .region_name = S("r")};
    CHECK_OK(
        load(t, FUNCTION(",\"stores\":{\"hot\":\"read\"},\"environment\":{\"PRISM_TEST_X\":\"1\"}"),
             &c));
    CHECK_OK(environment_build(&c, &c.functions[0], &dir, &t->arena, &env));
    CHECK_STR(px_str_c(env_get(env, "PRISM_HOT_URL")), S("/d/hot"));
    CHECK_STR(px_str_c(env_get(env, "PRISM_TEST_X")), S("1"));
    CHECK(!env_get(env, "PRISM_TABLES_URL"));
    CHECK_INT(setenv("PRISM_TEST_X", "2", 1), 0);
    CHECK_OK(environment_build(&c, &c.functions[0], &dir, &t->arena, &env));
    CHECK_STR(px_str_c(env_get(env, "PRISM_TEST_X")), S("2"));
    CHECK_INT(unsetenv("PRISM_TEST_X"), 0);
}

TEST(data_folder_is_one_regions_at_a_time_and_remembers)
{
    struct data_dir first = {.lock_fd = -1}, second = {.lock_fd = -1};
    const char *path = test_path(t, "data").ptr;
    CHECK_OK(data_dir_open(path, NULL, &t->arena, &t->clock, &first));
    CHECK(first.created);
    CHECK_STR(first.region_name, S("local"));
    CHECK_INT(data_dir_open(path, NULL, &t->arena, &t->clock, &second), DATA_DIR_BUSY);
    CHECK_OK(data_dir_remember(&first, 4242, &t->clock));
    data_dir_close(&first);
    CHECK_OK(data_dir_open(path, NULL, &t->arena, &t->clock, &second));
    CHECK(!second.created);
    CHECK_INT(second.port, 4242);
    data_dir_close(&second);
}

TEST(folder_whose_first_start_ended_early_is_taken_up_again)
{
    struct data_dir dir = {.lock_fd = -1};
    const char *path = test_path(t, "data").ptr;
    CHECK_OK(data_dir_open(path, "eu", &t->arena, &t->clock, &dir));
    data_dir_close(&dir);
    CHECK_OK(data_dir_open(path, NULL, &t->arena, &t->clock, &dir));
    CHECK_INT(dir.port, 0);
    CHECK_STR(dir.region_name, S("eu"));
    data_dir_close(&dir);
}

TEST(folder_of_others_or_of_a_later_format_is_left_alone)
{
    struct data_dir dir = {.lock_fd = -1};
    const char *path = test_path(t, "data").ptr;
    CHECK_OK(px_dir_make(path));
    CHECK_OK(px_file_write_atomic(test_path(t, "data/thesis.txt").ptr, S("x"), 0600));
    CHECK_INT(data_dir_open(path, NULL, &t->arena, &t->clock, &dir), PX_F_CONFIG);
    CHECK_OK(px_file_write_atomic(test_path(t, "data/prism.json").ptr, S("{\"format\":99}"), 0600));
    CHECK_INT(data_dir_open(path, NULL, &t->arena, &t->clock, &dir), PX_F_CONFIG);
}

TEST_MAIN
