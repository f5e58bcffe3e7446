/* Action config-render: the repository's own environments, and one with faults. */
// link: px_delivery_pipeline
#include "support/support.h"

#include "base/px_json.h"
#include "delivery/pipeline/builtin.h"

struct bench {
    struct action_context ctx;
    struct action_host host;
    struct px_buf error;
    size_t kept;
};
static int keep(void *ctx, struct px_str name, struct px_str bytes)
{
    struct bench *b = ctx;
    CHECK(px_str_ends(name, S(".tfvars.json")) && bytes.len > 0);
    b->kept++;
    return 0;
}
static int render(struct bench *b, struct test *t, const char *environment, struct px_str with,
                  yyjson_val **ret_result)
{
    yyjson_val *root = NULL;
    b->host = (struct action_host){.keep = keep, .ctx = b};
    b->kept = 0;
    b->ctx = (struct action_context){.arena = &t->arena,
                                     .clock = &px_clock_system,
                                     .step = S("dev/config"),
                                     .environment = px_str_c(environment),
                                     .root = PX_SOURCE_DIR,
                                     .host = &b->host,
                                     .error = &b->error};
    px_buf_clear(&b->error);
    CHECK_OK(px_json_parse(with, &t->arena, &root, NULL));
    return action_config_render.run(&b->ctx, root, ret_result);
}
static bool says(struct bench *b, const char *part)
{
    return memmem(b->error.ptr, b->error.len, part, strlen(part)) != NULL;
}

TEST(an_environment_is_rendered_and_kept)
{
    struct bench b = {.kept = 0};
    yyjson_val *result = NULL, *file, *root = NULL;
    size_t i, n;
    px_buf_init(&b.error, 1u << 16);
    CHECK_OK(
        render(&b, t, "dev", px_arena_printf(&t->arena, "{\"out\":\"%s/out\"}", t->dir), &result));
    CHECK(b.kept >= 3);
    CHECK_INT(yyjson_arr_size(px_json_arr(result, "rendered")), b.kept);
    px_json_arr_foreach(px_json_arr(result, "rendered"), i, n, file)
        CHECK_OK(px_json_load(px_json_str(file, "path").ptr, 1u << 20, &t->arena, &root));
    CHECK_OK(
        px_json_load(test_path(t, "out/eu-west-1.tfvars.json").ptr, 1u << 20, &t->arena, &root));
    CHECK_STR(px_json_str(root, "environment"), S("dev"));
    px_buf_deinit(&b.error);
}

TEST(what_is_wrong_is_told_and_nothing_is_rendered)
{
    struct bench b = {.kept = 0};
    yyjson_val *result = NULL;
    px_buf_init(&b.error, 1u << 16);
    CHECK_OK(px_dir_make(test_path(t, "platform/environments").ptr));
    CHECK_INT(symlink(PX_SOURCE_DIR "/platform/functions.json",
                      test_path(t, "platform/functions.json").ptr),
              0);
    CHECK_INT(
        symlink(PX_SOURCE_DIR "/platform/config.json", test_path(t, "platform/config.json").ptr),
        0);
    CHECK_OK(px_file_write_atomic(test_path(t, "platform/environments/dev.jsonnet").ptr,
                                  S("{\n  nonsense: 1,\n}\n"), 0600));
    struct px_str with = px_arena_printf(
        &t->arena, "{\"out\":\"%s/out\",\"platform\":\"%s/platform\"}", t->dir, t->dir);
    CHECK_INT(render(&b, t, "dev", with, &result), ACTION_REFUSED);
    CHECK(says(&b, "dev.jsonnet:2:") && says(&b, "nonsense") && says(&b, "fix: "));
    CHECK_INT(b.kept, 0);
    CHECK(access(test_path(t, "out").ptr, F_OK) != 0);
    CHECK_INT(render(&b, t, "demo", with, &result), ACTION_REFUSED);
    CHECK(says(&b, "there is no environment demo"));
    CHECK_INT(render(&b, t, "", with, &result), ACTION_REFUSED);
    px_buf_deinit(&b.error);
}

TEST_MAIN
