/* The actions with Terraform, on a program that answers as Terraform does with plans of the real provider: what is approved is what is
 * applied, or nothing; what is secret is kept nowhere. */
// link: px_delivery_pipeline
#include "support/support.h"

#include <sys/stat.h>

#include "base/px_json.h"
#include "delivery/pipeline/action_terraform.h"
#include "delivery/pipeline/release_machines.h"
#include "store/objects.h"

#define PLANS PX_SOURCE_DIR "/tests/unit/delivery/terraform/plans/"
#define KEPT_MAX 64

struct kept {
    struct px_str step, name, bytes;
};
struct bench {
    struct test *t;
    struct px_arena arena;
    struct action_context ctx;
    struct action_host host;
    struct px_buf error, said, notes;
    struct kept kept[KEPT_MAX];
    size_t kept_count;
    bool cancel_at_apply, cancelled;
    yyjson_mut_doc *results;
};

/* ---- a host ---- */

static bool is_cancelled(void *ctx) { return ((struct bench *)ctx)->cancelled; }
static void progress(void *ctx, const struct action_progress *p)
{
    struct bench *b = ctx;
    px_buf_printf(&b->said, "%.*s\n", PX_FMT(p->text));
    if (b->cancel_at_apply && memmem(p->text.ptr, p->text.len, "Creating", 8)) b->cancelled = true;
}
static int note(void *ctx, struct px_str json)
{
    struct bench *b = ctx;
    px_buf_add_str(&b->notes, json);
    return 0;
}
static int keep(void *ctx, struct px_str name, struct px_str bytes)
{
    struct bench *b = ctx;
    PX_ASSERT(b->kept_count < KEPT_MAX);
    b->kept[b->kept_count++] = (struct kept){px_arena_dup(&b->arena, b->ctx.step),
                                             px_arena_dup(&b->arena, name),
                                             px_arena_dup(&b->arena, bytes)};
    return 0;
}
static int kept(void *ctx, struct px_str step, struct px_str name, struct px_buf *buf)
{
    struct bench *b = ctx;
    for (size_t i = b->kept_count; i > 0; i--) {
        if (!px_str_eq(b->kept[i - 1].step, step) || !px_str_eq(b->kept[i - 1].name, name))
            continue;
        px_buf_add_str(buf, b->kept[i - 1].bytes);
        return px_buf_fault(buf);
    }
    return 1;
}
/* The shelf is kept as if a step's path were its first key. */
static int shelf_get(void *ctx, struct px_str key, struct px_buf *buf)
{
    struct px_buf whole;
    px_buf_init(&whole, 64u << 20);
    int r = kept(ctx, S("shelf"), key, &whole);
    if (r == 0 && whole.len > buf->limit_bytes)
        r = OBJECT_TOO_LARGE;
    else if (r == 0)
        px_buf_add_str(buf, px_buf_str(&whole));
    px_buf_deinit(&whole);
    return r;
}
static int shelf_put(void *ctx, struct px_str key, struct px_str bytes)
{
    struct bench *b = ctx;
    struct px_str step = b->ctx.step;
    b->ctx.step = S("shelf");
    int r = keep(ctx, key, bytes);
    b->ctx.step = step;
    return r;
}

/* ---- a Terraform ---- */

static const char program[] =
    "#!/bin/sh\n"
    "here=$(dirname \"$0\")\n"
    "echo \"$1\" >>\"$here/calls\"\n"
    "case $1 in\n"
    "plan) for a; do case $a in -out=*) echo planted-state >\"${a#-out=}\";; esac; done\n"
    "  echo '{\"type\":\"change_summary\",\"@message\":\"Plan: made\",\"changes\":{\"operation\":\"plan\",\"add\":6,\"change\":0,\"remove\":0}}' ;;\n"
    "show) cat \"$here/plan.json\" ;;\n"
    "apply) trap 'echo interrupted >>\"$here/calls\"; exit 1' INT\n"
    "  echo '{\"type\":\"apply_start\",\"@message\":\"aws_sns_topic.alarms: Creating...\"}'\n"
    "  echo '{\"type\":\"apply_complete\",\"@message\":\"aws_sns_topic.alarms: Creation complete\"}'\n"
    "  while [ -e \"$here/hang\" ]; do sleep 0.05; done\n"
    "  if [ -e \"$here/fail\" ]; then cat \"$here/fail\"; exit 1; fi ;;\n"
    "esac\n";

static const char *in(struct bench *b, const char *name)
{
    return px_arena_printf(&b->arena, "%s/%s", b->t->dir, name).ptr;
}
static void put(struct bench *b, const char *name, struct px_str bytes, unsigned mode)
{
    CHECK_OK(px_file_write_atomic(in(b, name), bytes, mode));
}
/* What the next plan will be. */
static void plan_is(struct bench *b, const char *name)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    char path[512];
    (void)snprintf(path, sizeof path, PLANS "%s.json", name);
    px_buf_init(&text, 16u << 20);
    CHECK_OK(px_file_read(path, &text));
    put(b, "plan.json", px_buf_str(&text), 0600);
}
static bool called(struct bench *b, const char *what)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 64 * 1024);
    if (px_file_read(in(b, "calls"), &text) != 0) return false;
    return memmem(text.ptr, text.len, what, strlen(what)) != NULL;
}

static void bench_open(struct bench *b, struct test *t)
{
    *b = (struct bench){.t = t};
    px_arena_init(&b->arena, 512u << 20);
    px_buf_init(&b->error, 1u << 20);
    px_buf_init(&b->said, 1u << 20);
    px_buf_init(&b->notes, 1u << 20);
    b->host = (struct action_host){.is_cancelled = is_cancelled,
                                   .progress = progress,
                                   .note = note,
                                   .keep = keep,
                                   .kept = kept,
                                   .shelf_get = shelf_get,
                                   .shelf_put = shelf_put,
                                   .ctx = b};
    b->ctx = (struct action_context){.arena = &b->arena,
                                     .clock = &px_clock_system,
                                     .run = S("000001"),
                                     .environment = S("prod"),
                                     .region = S("eu-west-1"),
                                     .root = t->dir,
                                     .work_dir = in(b, "work"),
                                     .host = &b->host,
                                     .error = &b->error};
    b->ctx.deadline_ns = px_mono_ns(&px_clock_system) + 600 * PX_NS_PER_S;
    b->results = yyjson_mut_doc_new(NULL);
    yyjson_mut_doc_set_root(b->results, yyjson_mut_obj(b->results));
    CHECK_OK(px_dir_make(in(b, "infra/region")));
    CHECK_OK(px_dir_make(in(b, "config")));
    CHECK_OK(px_dir_make(in(b, "work")));
    CHECK_INT(symlink(PX_SOURCE_DIR "/platform", in(b, "platform")), 0);
    put(b, "infra/region/main.tf", S("# here\n"), 0600);
    put(b, "config/eu-west-1.tfvars.json", S("{}\n"), 0600);
    put(b, "terraform", px_str_c(program), 0700);
}
static void bench_close(struct bench *b)
{
    yyjson_mut_doc_free(b->results);
    px_buf_deinit(&b->error);
    px_buf_deinit(&b->said);
    px_buf_deinit(&b->notes);
    px_arena_deinit(&b->arena);
}

/* ---- steps ---- */

static int act(struct bench *b, const struct action *action, const char *step, struct px_str with,
               yyjson_val **ret_result)
{
    yyjson_val *root = NULL, *noted = NULL;
    CHECK_OK(px_json_parse(with, &b->arena, &root, NULL));
    px_buf_clear(&b->error);
    b->ctx.step = px_str_c(step);
    b->ctx.with = root;
    if (b->notes.len > 0) {
        struct px_str text = px_arena_printf(&b->arena, "[%.*s]", PX_FMT(px_buf_str(&b->notes)));
        CHECK_OK(px_json_parse(text, &b->arena, &noted, NULL));
        px_buf_clear(&b->notes);
    }
    b->ctx.noted = noted;
    *ret_result = NULL;
    return action->run(&b->ctx, root, ret_result);
}
static int act_plan(struct bench *b, yyjson_val **ret_result)
{
    struct px_str with = px_arena_printf(
        &b->arena,
        "{\"stack\":\"region\",\"config\":\"config\",\"program\":\"%s\","
        "\"backend\":{\"path\":\"x\"}}",
        in(b, "terraform"));
    int r = act(b, &action_terraform_plan, "prod/one/eu-west-1/plan", with, ret_result);
    if (r != 0) return r;
    yyjson_mut_val *copy = yyjson_val_mut_copy(b->results, *ret_result);
    yyjson_mut_obj_add_val(b->results, yyjson_mut_doc_get_root(b->results),
                           "prod/one/eu-west-1/plan", copy);
    char *json = yyjson_mut_write(b->results, 0, NULL);
    CHECK(json);
    CHECK_OK(px_json_parse(px_str_c(json), &b->arena, &b->ctx.results, NULL));
    free(json);
    return 0;
}
static int act_apply(struct bench *b, yyjson_val **ret_result)
{
    return act(b, &action_terraform_apply, "prod/one/eu-west-1/apply", S("{\"plan\":\"plan\"}"),
               ret_result);
}
static void check_error(struct bench *b, const char *part)
{
    struct px_str text = px_buf_str(&b->error);
    if (!text.ptr || !memmem(text.ptr, text.len, part, strlen(part)))
        TEST_FAIL("\"%s\" is not in: %.*s", part, PX_FMT(text));
}
static void check_no_secret(struct bench *b)
{
    for (size_t i = 0; i < b->kept_count; i++)
        if (memmem(b->kept[i].bytes.ptr, b->kept[i].bytes.len, "planted", 7))
            TEST_FAIL("a secret is in %.*s", PX_FMT(b->kept[i].name));
    CHECK(!b->said.len || !memmem(b->said.ptr, b->said.len, "planted", 7));
    CHECK(!b->error.len || !memmem(b->error.ptr, b->error.len, "planted", 7));
    CHECK(access(in(b, "work/terraform/plan.tmp"), F_OK) != 0);
    CHECK(access(in(b, "work/terraform/apply.tfplan"), F_OK) != 0);
}

TEST(a_plan_is_kept_without_secrets_and_its_digest_is_of_what_is_kept)
{
    PX_AUTO(bench_close) struct bench b;
    yyjson_val *result, *again;
    char hex[CHANGES_HEX_BYTES];
    bench_open(&b, t);
    plan_is(&b, "drift");
    CHECK_OK(act_plan(&b, &result));
    CHECK_STR(b.kept[0].name, S("terraform.log"));
    CHECK_STR(b.kept[1].name, S("changes.json"));
    changes_digest(b.kept[1].bytes, hex);
    CHECK_STR(px_json_str(result, "digest"), px_str_c(hex));
    CHECK(px_str_starts(px_json_str(result, "summary"),
                        S("region eu-west-1 of prod: 1 made, 2 changed in place")));
    CHECK_INT(yyjson_arr_size(px_json_arr(result, "files")), 1);
    CHECK_OK(act_plan(&b, &again));
    CHECK_STR(px_json_str(again, "digest"), px_json_str(result, "digest"));
    check_no_secret(&b);
}

TEST(what_was_approved_is_applied)
{
    PX_AUTO(bench_close) struct bench b;
    yyjson_val *result;
    bench_open(&b, t);
    plan_is(&b, "create");
    CHECK_OK(act_plan(&b, &result));
    CHECK(!called(&b, "apply"));
    CHECK_OK(act_apply(&b, &result));
    CHECK(called(&b, "apply"));
    CHECK_STR(px_json_str(result, "summary"),
              S("region eu-west-1 of prod: 6 made, 0 changed in place, 0 replaced, 0 destroyed"));
    CHECK(memmem(b.notes.ptr, b.notes.len, "apply-begins", 12));
    CHECK(memmem(b.said.ptr, b.said.len, "1 of 6: aws_sns_topic.alarms", 28));
    check_no_secret(&b);
}

/* A run that is resumed somewhere else finds the sources that lie there. */
TEST(definitions_that_are_not_the_releases_are_neither_planned_nor_applied)
{
    PX_AUTO(bench_close) struct bench b;
    static const char *const files[] = {"platform/resources.json", "platform/prices.json"};
    PX_AUTO(px_buf_deinit) struct px_buf machines;
    yyjson_val *result;
    bench_open(&b, t);
    plan_is(&b, "create");
    CHECK_INT(unlink(in(&b, "platform")), 0);
    CHECK_OK(px_dir_make(in(&b, "platform/workflows")));
    for (size_t i = 0; i < PX_COUNT(files); i++)
        CHECK_INT(
            symlink(px_arena_printf(&b.arena, PX_SOURCE_DIR "/%s", files[i]).ptr, in(&b, files[i])),
            0);
    put(&b, "platform/workflows/work.asl.json", S("{}"), 0600);
    px_buf_init(&machines, 4096);
    CHECK_OK(release_machines_write(in(&b, "platform"), &machines));
    CHECK_OK(px_json_parse(px_arena_printf(&b.arena, "{\"source\":\"0123\",\"machines\":%.*s}",
                                           PX_FMT(px_buf_str(&machines))),
                           &b.arena, &b.ctx.release.document, NULL));
    b.ctx.release.id = S("0123456789ab");
    CHECK_OK(act_plan(&b, &result));
    put(&b, "platform/workflows/work.asl.json", S("{ }"), 0600);
    CHECK_INT(act_apply(&b, &result), ACTION_REFUSED);
    check_error(&b, "state machine work is defined otherwise than in release 0123456789ab");
    CHECK_INT(act_plan(&b, &result), ACTION_REFUSED);
    CHECK(!called(&b, "apply"));
    put(&b, "platform/workflows/work.asl.json", S("{}"), 0600);
    CHECK_OK(act_apply(&b, &result));
    CHECK(called(&b, "apply"));
}

TEST(another_plan_is_refused_with_what_differs)
{
    PX_AUTO(bench_close) struct bench b;
    yyjson_val *result;
    bench_open(&b, t);
    plan_is(&b, "drift");
    CHECK_OK(act_plan(&b, &result));
    plan_is(&b, "replace");
    CHECK_INT(act_apply(&b, &result), ACTION_REFUSED);
    check_error(&b, "this is not the plan that was approved");
    check_error(&b, "aws_dynamodb_table.tenants: is no part of it: delete+create");
    CHECK(!called(&b, "apply"));
    CHECK_INT(b.notes.len, 0);
}

TEST(what_an_interrupted_apply_left_is_done_and_only_that)
{
    PX_AUTO(bench_close) struct bench b;
    yyjson_val *result;
    bench_open(&b, t);
    plan_is(&b, "approved");
    CHECK_OK(act_plan(&b, &result));
    /* not begun by us: somebody else did a part */
    plan_is(&b, "left");
    CHECK_INT(act_apply(&b, &result), ACTION_REFUSED);
    check_error(&b, "done already, and not by this step");
    /* begun, and Terraform fails */
    plan_is(&b, "approved");
    put(&b, "fail",
        S("{\"type\":\"diagnostic\",\"diagnostic\":{\"severity\":\"error\",\"summary\":\"no such value planted-secret-1\","
          "\"detail\":\"wrong\",\"address\":\"aws_ssm_parameter.secret\"}}\n"),
        0600);
    CHECK_INT(act_apply(&b, &result), ACTION_FAILED);
    check_error(&b, "aws_ssm_parameter.secret: no such value (sensitive): wrong");
    CHECK_INT(unlink(in(&b, "fail")), 0);
    /* what is left is part of what was approved */
    plan_is(&b, "left");
    CHECK_OK(act_apply(&b, &result));
    check_no_secret(&b);
}

TEST(what_is_left_must_be_what_was_approved)
{
    PX_AUTO(bench_close) struct bench b;
    yyjson_val *result;
    bench_open(&b, t);
    plan_is(&b, "left");
    CHECK_OK(act_plan(&b, &result));
    px_buf_add_c(&b.notes, "{\"event\":\"apply-begins\"}");
    plan_is(&b, "approved");
    CHECK_INT(act_apply(&b, &result), ACTION_REFUSED);
    check_error(&b, "what is left to do is not what was approved");
    check_error(&b, "aws_sns_topic.alarms: is no part of it: create");
    CHECK(!called(&b, "apply"));
}

TEST(an_apply_that_had_ended_ends_again_without_one)
{
    PX_AUTO(bench_close) struct bench b;
    yyjson_val *result;
    bench_open(&b, t);
    plan_is(&b, "create");
    CHECK_OK(act_plan(&b, &result));
    px_buf_add_c(&b.notes, "{\"event\":\"apply-begins\"}");
    put(&b, "plan.json", S("{\"format_version\":\"1.2\",\"resource_changes\":[]}"), 0600);
    CHECK_OK(act_apply(&b, &result));
    CHECK(!called(&b, "apply"));
}

TEST(a_stop_lets_terraform_end_in_order)
{
    PX_AUTO(bench_close) struct bench b;
    yyjson_val *result;
    bench_open(&b, t);
    plan_is(&b, "create");
    CHECK_OK(act_plan(&b, &result));
    put(&b, "hang", S(""), 0600);
    b.cancel_at_apply = true;
    CHECK_INT(act_apply(&b, &result), ACTION_CANCELLED);
    CHECK(called(&b, "interrupted"));
    check_no_secret(&b);
}

TEST(variables_that_changed_after_the_plan_are_refused)
{
    PX_AUTO(bench_close) struct bench b;
    yyjson_val *result;
    bench_open(&b, t);
    plan_is(&b, "create");
    CHECK_OK(act_plan(&b, &result));
    put(&b, "config/eu-west-1.tfvars.json", S("{\"a\":1}\n"), 0600);
    CHECK_INT(act_apply(&b, &result), ACTION_REFUSED);
    check_error(&b, "eu-west-1.tfvars.json changed after the plan was made");
    CHECK(!called(&b, "apply"));
}

TEST(what_was_planned_cannot_be_exchanged_in_the_store)
{
    PX_AUTO(bench_close) struct bench b;
    yyjson_val *result;
    bench_open(&b, t);
    plan_is(&b, "create");
    CHECK_OK(act_plan(&b, &result));
    b.kept[1].bytes = S("{\"version\":1,\"changes\":[],\"outputs\":[]}\n");
    CHECK_INT(act_apply(&b, &result), ACTION_REFUSED);
    check_error(&b, "was changed in the run's store");
    b.kept_count = 0;
    CHECK_INT(act_apply(&b, &result), ACTION_REFUSED);
    check_error(&b, "is not in the run's store");
}

TEST(a_stack_that_is_not_there_is_refused)
{
    PX_AUTO(bench_close) struct bench b;
    yyjson_val *result;
    bench_open(&b, t);
    CHECK_INT(act(&b, &action_terraform_plan, "prod/plan", S("{\"stack\":\"../x\"}"), &result),
              ACTION_REFUSED);
    CHECK_INT(act(&b, &action_terraform_plan, "prod/plan", S("{\"stack\":\"global\"}"), &result),
              ACTION_REFUSED);
    check_error(&b, "infra/global: No such file or directory");
    CHECK_INT(act(&b, &action_terraform_plan, "prod/plan", S("{\"stack\":\"region\"}"), &result),
              ACTION_REFUSED);
    check_error(&b, "PRISM_STATE_BUCKET");
}

TEST(drift_is_told_and_refused_when_it_should_be)
{
    PX_AUTO(bench_close) struct bench b;
    yyjson_val *result;
    bench_open(&b, t);
    plan_is(&b, "drift");
    const char *fmt =
        "{\"stack\":\"region\",\"config\":\"config\",\"program\":\"%s\",\"backend\":{\"path\":"
        "\"x\"},\"refuse\":\"%s\"}";
    struct px_str tell = px_arena_printf(&b.arena, fmt, in(&b, "terraform"), "nothing"),
                  refuse = px_arena_printf(&b.arena, fmt, in(&b, "terraform"), "outside");
    CHECK_OK(act(&b, &action_drift, "prod/one/eu-west-1/drift", tell, &result));
    CHECK_INT(px_json_i64(result, "outside", 0), 3);
    CHECK_STR(px_json_str(result, "worst"), S("high"));
    CHECK_INT(act(&b, &action_drift, "prod/one/eu-west-1/drift", refuse, &result), ACTION_REFUSED);
    check_error(&b, "visibility_timeout_seconds: should be 30, is 77 (changed outside)");
    check_no_secret(&b);
    plan_is(&b, "create"); /* a release that is not applied yet is none of theirs */
    CHECK_OK(act(&b, &action_drift, "prod/one/eu-west-1/drift", refuse, &result));
}

TEST_MAIN
