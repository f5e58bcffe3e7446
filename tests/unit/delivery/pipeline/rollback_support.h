/* A pipeline of two environments with a Terraform of the test's own: its state is a file that holds what was applied, which is the
 * configuration, the release's artifacts and the sources. So what stands where after a rollback can be compared as a whole. */
#pragma once

#include "delivery/pipeline/pipeline_support.h"

#include "delivery/pipeline/action_terraform.h"

/* What the alias of functions points to; its undo is what the environment had before. */
__attribute__((unused)) static int live_run(struct action_context *ctx, yyjson_val *with,
                                            yyjson_val **ret_result)
{
    (void)with, (void)ret_result;
    struct px_str path = px_arena_printf(ctx->arena, "%s/live-%.*s-%.*s", ctx->root,
                                         PX_FMT(ctx->environment), PX_FMT(ctx->region));
    struct px_str to = ctx->undoing ? ctx->previous.id : ctx->release.id;
    die_once(ctx, "begin");
    PX_TRY(px_file_write_atomic(path.ptr, to, 0600));
    die_once(ctx, "middle");
    if (is_told(ctx, "fail", "fail")) return action_fail(ctx, ACTION_FAILED, "told to fail");
    return 0;
}
static const struct action action_live = {
    .name = "rollout", .summary = "move the alias", .run = live_run};
static const struct action *const rollback_actions[] = {&action_live,
                                                        &action_wait,
                                                        &action_approval,
                                                        &action_command,
                                                        &action_terraform_plan,
                                                        &action_terraform_apply,
                                                        &action_terraform_restore,
                                                        NULL};
static const struct action_table rollback_table = {.actions = rollback_actions};

#define STEP_PLAN(stack)                                                                           \
    "{\"name\":\"plan\",\"action\":\"terraform-plan\",\"with\":{\"stack\":\"" stack                \
    "\",\"config\":\"${run_dir}/config\",\"program\":\"${root}/terraform\",\"backend\":{\"path\":" \
    "\"${root}/stands-${environment}-" stack "${region}\"}}}"
#define STEP_APPLY                                                                                 \
    "{\"name\":\"apply\",\"action\":\"terraform-apply\",\"with\":{\"plan\":\"plan\"},"             \
    "\"undo\":{\"action\":\"terraform-restore\",\"with\":{\"plan\":\"plan\"}}}"
#define STEP_LIVE "{\"name\":\"rollout\",\"action\":\"rollout\",\"undo\":{\"action\":\"rollout\"}}"
#define STEP_CONFIG                                                                                \
    "{\"name\":\"config\",\"action\":\"command\",\"with\":{\"argv\":[\"sh\",\"-c\",\"mkdir -p "    \
    "${run_dir}/config && for u in global r1 r2; do cp ${root}/config-now "                        \
    "${run_dir}/config/$${u}.tfvars.json; done\"]}}"
#define STAGE(name, waves)                                                                         \
    "{\"name\":\"" name "\",\"environment\":\"" name "\",\"steps\":\"global\",\"region_steps\":"   \
    "\"region\",\"waves\":[" waves "]}"
#define WAVE(name, region)                                                                         \
    "{\"name\":\"" name "\",\"regions\":[\"" region "\"],\"bake\":{\"time_s\":0}}"
#define PIPELINE_TWO                                                                                \
    "{\"version\":1,\"defaults\":{\"pause_s\":0},\"environments\":{"                                \
    "\"dev\":{\"approval\":{\"by_starter\":true}},\"prod\":{\"approval\":{\"by_starter\":false}}}," \
    "\"lists\":{\"global\":[" STEP_CONFIG "," STEP_PLAN(                                            \
        "global") "," STEP_APPLY "],"                                                               \
                  "\"region\":[" STEP_PLAN(                                                         \
                      "region") "," STEP_APPLY "," STEP_LIVE                                        \
                                "]},\"stages\":[" STAGE("dev", WAVE("one", "r1")) "," STAGE(        \
                                    "prod", WAVE("one", "r1") "," WAVE("two", "r2")) "]}"

/* One change, to what stands there: all variables and the sources. With `fail` naming a state it stops half-way, with `lossy` a table
 * goes. */
static const char rollback_terraform[] =
    "#!/bin/sh\n"
    "here=$(dirname \"$0\")\n"
    "last=; for a; do last=$a; done\n"
    "case $1 in\n"
    "init) for a; do case $a in -backend-config=path=*) echo \"${a#*path=}\" >\"$TF_DATA_DIR/path\";; esac; done ;;\n"
    "plan) for a; do case $a in -var-file=*) cat \"${a#-var-file=}\";; esac; done | cat - main.tf | tr -d ' \\n\\042' >\"${last#-out=}\"\n"
    "  echo '{\"type\":\"change_summary\",\"@message\":\"Plan\"}' ;;\n"
    "show) want=$(cat \"$last\"); is=$(cat \"$(cat \"$TF_DATA_DIR/path\")\" 2>/dev/null); type=aws_sns_topic kind='\"update\"'\n"
    "  [ -n \"$is\" ] || kind='\"create\"'\n"
    "  [ ! -e \"$here/lossy\" ] || { type=aws_dynamodb_table; kind='\"delete\",\"create\"'; }\n"
    "  printf '{\"format_version\":\"1.2\",\"resource_changes\":['\n"
    "  [ \"$want\" = \"$is\" ] || printf '{\"address\":\"%s.t\",\"mode\":\"managed\",\"type\":\"%s\",\"name\":\"t\",\"change\":{\"actions\":[%s],\"before\":{\"name\":\"%s\"},\"after\":{\"name\":\"%s\"},\"after_unknown\":{}}}' $type $type \"$kind\" \"$is\" \"$want\"\n"
    "  printf ']}' ;;\n"
    "apply) state=$(cat \"$TF_DATA_DIR/path\")\n"
    "  if [ -e \"$here/stop\" ] && [ \"$(cat \"$here/stop\")\" = \"${state##*/}\" ]; then rm \"$here/stop\"; echo half >\"$state\"; exit 1; fi\n"
    "  cat \"$last\" >\"$state\" ;;\n"
    "esac\n";

/* Sources, configuration and release of one version, as they would lie here. */
__attribute__((unused)) static struct px_str version_is(struct bench *bench, const char *name,
                                                        const char *schema)
{
    struct px_arena *arena = &bench->t->arena;
    const char *root = bench->options.root;
    static const char *const stacks[] = {"global", "region"};
    for (size_t i = 0; i < PX_COUNT(stacks); i++) {
        struct px_str dir = px_arena_printf(arena, "%s/infra/%s", root, stacks[i]);
        CHECK_OK(px_dir_make(dir.ptr));
        CHECK_OK(px_file_write_atomic(px_arena_printf(arena, "%.*s/main.tf", PX_FMT(dir)).ptr,
                                      px_arena_printf(arena, "sources-%s", name), 0600));
    }
    CHECK_OK(px_file_write_atomic(px_arena_printf(arena, "%s/config-now", root).ptr,
                                  px_arena_printf(arena, "{\"config\":\"%s\"}\n", name), 0600));
    return bench_release(bench, name, schema);
}
__attribute__((unused)) static void rollback_init(struct bench *bench, struct test *t,
                                                  const char *name)
{
    bench_init(bench, t, name, PIPELINE_TWO);
    struct px_str platform = px_arena_printf(&t->arena, "%s/platform", bench->options.root);
    struct px_str program = px_arena_printf(&t->arena, "%s/terraform", bench->options.root);
    bench->options.actions = &rollback_table;
    CHECK_OK(px_dir_make(platform.ptr));
    static const char *const files[] = {"resources.json", "prices.json"};
    for (size_t i = 0; i < PX_COUNT(files); i++)
        CHECK_INT(symlink(px_arena_printf(&t->arena, PX_SOURCE_DIR "/platform/%s", files[i]).ptr,
                          px_arena_printf(&t->arena, "%.*s/%s", PX_FMT(platform), files[i]).ptr),
                  0);
    CHECK_OK(px_file_write_atomic(program.ptr, px_str_c(rollback_terraform), 0700));
}

/* All that stands and is live of an environment (empty: of all), a line each. */
struct standing {
    struct made made;
    const char *environment;
};
__attribute__((unused)) static int standing_add(void *ctx, const char *name, bool is_dir)
{
    struct standing *s = ctx;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    char path[600], part[64];
    (void)is_dir;
    (void)snprintf(part, sizeof part, "-%s", s->environment);
    px_buf_init(&text, 1u << 16);
    if ((strncmp(name, "stands-", 7) != 0 && strncmp(name, "live-", 5) != 0) || !strstr(name, part))
        return 0;
    (void)snprintf(path, sizeof path, "%s/%s", s->made.root, name);
    PX_TRY(px_file_read(path, &text));
    PX_ASSERT(s->made.count < PX_COUNT(s->made.names));
    s->made.names[s->made.count++] = px_arena_printf(s->made.arena, "%s=%.*s", name,
                                                     PX_FMT(px_buf_str(&text)));
    return 0;
}
__attribute__((unused)) static struct px_str stands(struct bench *bench, const char *environment)
{
    struct standing s = {.made = {.arena = &bench->t->arena, .root = bench->options.root},
                         .environment = environment};
    struct px_str all = S("");
    CHECK_OK(px_dir_each(bench->options.root, standing_add, &s));
    qsort(s.made.names, s.made.count, sizeof s.made.names[0], by_text);
    for (size_t i = 0; i < s.made.count; i++)
        all = px_arena_printf(&bench->t->arena, "%.*s%.*s\n", PX_FMT(all), PX_FMT(s.made.names[i]));
    return all;
}
