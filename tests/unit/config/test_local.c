/* A start takes what was rendered while the files that it was made of are the same, and evaluates otherwise. */
#include "support/support.h"

#include <limits.h>
#include <sys/stat.h>

#include "config/local.h"

#define TEMPLATE(ms)                                                                               \
    "(import 'lib/sizes.libsonnet') + {environment: 'local', regions: {'local': {settings: "       \
    "{query: {timeout_ms: " ms "}}}}}"

struct fixture {
    struct config_report report;
    struct config_local of;
    const char *built;
};

static const char *path(struct test *t, const char *name)
{
    const char *text = test_path(t, "%s", name).ptr;
    CHECK(text);
    return text;
}

static void put(struct test *t, const char *name, const char *text)
{
    CHECK_OK(px_file_write_atomic(path(t, name), px_str_c(text), 0600));
}

static struct fixture begin(struct test *t)
{
    char real[PATH_MAX];
    static const char *const folders[] = {"data", "platform", "platform/environments",
                                          "platform/environments/lib"};
    for (size_t i = 0; i < PX_COUNT(folders); i++) CHECK_INT(mkdir(path(t, folders[i]), 0700), 0);
    put(t, "platform/functions.json",
        "{\"functions\":{\"query\":{\"environment\":{\"PRISM_QUERY_TIMEOUT_MS\":\"1\"}}}}");
    put(t, "platform/config.json",
        "{\"limits\":{},\"given\":{},\"settings\":{\"query\":{\"timeout_ms\":"
        "{\"min\":1,\"max\":100,\"about\":\"a\"}}}}");
    put(t, "platform/environments/lib/sizes.libsonnet", "{}");
    put(t, "platform/environments/local.jsonnet", TEMPLATE("7"));
    CHECK(realpath(path(t, "platform"), real));
    struct px_str platform = px_arena_dup(&t->arena, px_str_c(real));
    return (struct fixture){
        .report = {.arena = &t->arena},
        .of = {.platform_dir = px_arena_cstr(&t->arena, platform),
               .data_dir = path(t, "data"),
               .environment = S("local"),
               .region = S("local")},
        .built = path(t, "built.json"),
    };
}

/* The query function's timeout; ret_keep: what is to be kept. */
static struct px_str timeout_of(struct test *t, struct fixture *f, struct px_str *ret_keep)
{
    yyjson_val *functions = NULL;
    f->of.report = &f->report;
    CHECK_OK(config_local_settings(&f->of, &t->arena, &functions, ret_keep));
    return px_json_str(px_json_obj(functions, "query"), "PRISM_QUERY_TIMEOUT_MS");
}

/* What settingsbake writes. */
static void build(struct test *t, struct fixture *f)
{
    struct px_str keep;
    struct fixture builder = *f;
    builder.of.built = builder.of.data_dir = NULL;
    CHECK_STR(timeout_of(t, &builder, &keep), S("7"));
    CHECK(keep.len > 0);
    CHECK_OK(px_file_write_atomic(f->built, keep, 0600));
    f->of.built = f->built;
}

TEST(what_the_build_rendered_is_taken_and_nothing_kept)
{
    struct px_str keep = S("?");
    struct fixture f = begin(t);
    build(t, &f);
    CHECK_STR(timeout_of(t, &f, &keep), S("7"));
    CHECK_INT(keep.len, 0);
}

TEST(it_is_taken_in_another_place_too)
{
    char real[PATH_MAX];
    struct px_str keep = S("?");
    struct fixture f = begin(t);
    build(t, &f);
    CHECK_INT(rename(path(t, "platform"), path(t, "moved")), 0);
    CHECK(realpath(path(t, "moved"), real));
    f.of.platform_dir = real;
    CHECK_STR(timeout_of(t, &f, &keep), S("7"));
    CHECK_INT(keep.len, 0);
}

static const struct {
    const char *name, *text, *timeout;
} changes[] = {
    {"platform/environments/local.jsonnet", TEMPLATE("8"), "8"},
    {"platform/environments/lib/sizes.libsonnet", "{} /* as before */", "7"},
    {"platform/functions.json",
     "{\"functions\":{\"query\":{\"environment\":{\"PRISM_QUERY_TIMEOUT_MS\":\"2\"}}}}", "7"},
    {"built.json", "{\"version\":2}", "7"},
    {"built.json", "nonsense", "7"},
};

TEST(after_any_change_it_is_evaluated_again_and_kept_and_then_taken)
{
    struct fixture f = begin(t);
    for (size_t i = 0; i < PX_COUNT(changes); i++) {
        struct px_str keep = S("");
        put(t, "platform/environments/local.jsonnet", TEMPLATE("7"));
        (void)unlink(path(t, "data/" CONFIG_LOCAL_FILE));
        build(t, &f);
        put(t, changes[i].name, changes[i].text);
        CHECK_STR(timeout_of(t, &f, &keep), px_str_c(changes[i].timeout));
        CHECK(keep.len > 0);
        CHECK_OK(px_file_write_atomic(path(t, "data/" CONFIG_LOCAL_FILE), keep, 0600));
        CHECK_STR(timeout_of(t, &f, &keep), px_str_c(changes[i].timeout));
        CHECK_INT(keep.len, 0);
    }
}

TEST(it_is_of_its_environment_alone)
{
    yyjson_val *functions = NULL;
    struct px_str keep;
    struct fixture f = begin(t);
    build(t, &f);
    f.of.environment = S("dev");
    f.of.report = &f.report;
    CHECK_INT(config_local_settings(&f.of, &t->arena, &functions, &keep), CONFIG_LOCAL_NONE);
}

TEST_MAIN
