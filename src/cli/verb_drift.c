/* cli/verb_drift.c - `prism drift`: what is deployed held against what should be, stack by stack. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aws/shared.h"
#include "base/px_file.h"
#include "base/px_json.h"
#include "cli/config.h"
#include "cli/interrupt.h"
#include "cli/settings.h"
#include "cli/verbs.h"
#include "delivery/pipeline/environment.h"
#include "delivery/pipeline/signed.h"
#include "delivery/terraform/drift.h"
#include "delivery/terraform/terraform.h"

#define STACKS_MAX 64
#define GRACE_MS 60000
#define SAID_BYTES_MAX (1u << 20)
#define OUTPUT_BYTES_MAX (64u << 20)

struct drift_values {
    struct cli_list backend, var_files;
    const char *environment, *stack, *config, *infra, *platform, *program, *plugin_cache, *release,
        *state;
    int64_t lock_timeout_ms;
    bool all, no_lock;
};
static const struct cli_option options[] = {
    {"environment", 'e', CLI_TEXT, offsetof(struct drift_values, environment), "NAME",
     "dev, staging, prod", NULL, 0, 0},
    {"stack", 's', CLI_TEXT, offsetof(struct drift_values, stack), "STACK",
     "only the global stack, or only those of regions", "global region", 0, 0},
    {"config", 'c', CLI_TEXT, offsetof(struct drift_values, config), "DIR",
     "rendered variables, global.tfvars.json and REGION.tfvars.json (default what prism config render "
     "makes of the environment)",
     NULL, 0, 0},
    {"release", 0, CLI_TEXT, offsetof(struct drift_values, release), "FILE",
     "release.json of what is deployed: its artifacts are a region's", NULL, 0, 0},
    {"state", 0, CLI_TEXT, offsetof(struct drift_values, state), "URL",
     "instead of --release: the store of the pipeline, which knows what the environment got last (default "
     "PRISM_PIPELINE_STATE)",
     NULL, 0, 0},
    {"var-file", 0, CLI_LIST, offsetof(struct drift_values, var_files), "FILE",
     "more variables, for each stack; may be repeated", NULL, 0, 0},
    {"backend", 'b', CLI_LIST, offsetof(struct drift_values, backend), "NAME=VALUE",
     "where the state is (default bucket and region from PRISM_STATE_BUCKET and PRISM_STATE_REGION, "
     "key prism/ENVIRONMENT/STACK.tfstate); may be repeated",
     NULL, 0, 0},
    {"infra", 'i', CLI_TEXT, offsetof(struct drift_values, infra), "DIR",
     "sources of the stacks (default infra beside platform)", NULL, 0, 0},
    {"platform", 0, CLI_TEXT, offsetof(struct drift_values, platform), "DIR",
     "resources.json (default beside the program)", NULL, 0, 0},
    {"terraform", 't', CLI_TEXT, offsetof(struct drift_values, program), "PROGRAM",
     "terraform or tofu (default terraform)", NULL, 0, 0},
    {"plugin-cache", 0, CLI_TEXT, offsetof(struct drift_values, plugin_cache), "DIR",
     "where providers are kept between runs", NULL, 0, 0},
    {"lock-timeout", 0, CLI_TIME, offsetof(struct drift_values, lock_timeout_ms), "TIME",
     "how long to wait for who is at work on a state (default 5m)", NULL, 0, 0},
    {"no-lock", 0, CLI_FLAG, offsetof(struct drift_values, no_lock), NULL,
     "look without the state's lock, as who may only read has to; a change under way may be told as drift",
     NULL, 0, 0},
    {"all", 'a', CLI_FLAG, offsetof(struct drift_values, all), NULL,
     "also what rollouts and autoscaling moved, and what AWS says and nothing manages", NULL, 0, 0},
};
static const struct drift_values defaults = {.program = "terraform", .lock_timeout_ms = 300000};

struct look {
    struct cloud_shared cloud;
    struct object_store *store; /* the pipeline's; NULL: not known */
    yyjson_val *artifacts;      /* of the release that should be there; NULL: not known */
    struct cli *cli;
    const struct drift_values *v;
    const char *infra, *platform, *work_dir, *config;
    const char *names[STACKS_MAX]; /* "global", "eu-west-1" */
    size_t count;
    struct words words;
    sigset_t held;
    int came; /* the signal that ends it */
    struct px_buf text, json;
    size_t reported, found;
    enum words_weight worst;
};

/* ---- where things are ---- */

static const char *joined(struct cli *cli, const char *dir, const char *name)
{
    struct px_str path = px_arena_printf(&cli->arena, "%s/%s", dir, name);
    char real[PATH_MAX];
    return path.ptr && realpath(path.ptr, real) ? px_arena_cstr(&cli->arena, px_str_c(real)) : NULL;
}

/* Terraform runs elsewhere, so paths are made absolute. */
static const char *real_path(struct cli *cli, const char *path)
{
    char real[PATH_MAX];
    return realpath(path, real) ? px_arena_cstr(&cli->arena, px_str_c(real)) : NULL;
}

static int find_places(struct look *look)
{
    struct cli *cli = look->cli;
    look->platform = look->v->platform ? look->v->platform : settings_platform_dir(cli);
    if (!look->platform)
        return cli_fail(cli, CLI_FAILED, "there is no platform folder; --platform");
    look->platform = real_path(cli, look->platform);
    if (!look->platform)
        return cli_fail(cli, CLI_FAILED, "%s: %s", look->v->platform, strerror(errno));
    look->infra = look->v->infra ? real_path(cli, look->v->infra)
                                 : joined(cli, look->platform, "../infra");
    if (!look->infra)
        return cli_fail(cli, CLI_FAILED, "%s: %s", look->v->infra ? look->v->infra : "infra",
                        strerror(errno));
    int r = words_load(look->platform, &cli->arena, &look->words);
    return r == 0 ? CLI_OK : cli_fault(cli, r, "what resources are called");
}

/* Given, or rendered into the work folder. */
static int find_config(struct look *look)
{
    struct cli *cli = look->cli;
    const struct config_places places = {.platform = look->platform, .infra = look->infra};
    if (look->v->config) {
        look->config = real_path(cli, look->v->config);
        return look->config ? CLI_OK
                            : cli_fail(cli, CLI_FAILED, "%s: %s", look->v->config, strerror(errno));
    }
    look->config = px_arena_printf(&cli->arena, "%s/config", look->work_dir).ptr;
    if (!look->config) return cli_fault(cli, PX_F_OOM, "variables");
    return config_render_tfvars(cli, &places, look->v->environment, look->config);
}

/* ---- which stacks ---- */

static bool is_wanted(const struct look *look, struct px_str name)
{
    bool global = px_str_eq(name, S("global"));
    if (look->v->stack && global != (strcmp(look->v->stack, "global") == 0)) return false;
    if (!look->cli->region) return true;
    return px_str_eq(name, px_str_c(look->cli->region));
}

static int take_file(void *ctx, const char *file, bool is_dir)
{
    struct look *look = ctx;
    struct px_str name = px_str_c(file);
    static const char *const ends[] = {".tfvars.json", ".tfvars"};
    for (size_t i = 0; i < PX_COUNT(ends); i++) {
        struct px_str end = px_str_c(ends[i]);
        if (is_dir || !px_str_ends(name, end)) continue;
        name.len -= end.len;
        if (!is_wanted(look, name)) return 0;
        if (look->count == STACKS_MAX)
            return px_fault(PX_F_LIMIT, "more than %d stacks", STACKS_MAX);
        look->names[look->count++] = px_arena_cstr(&look->cli->arena, name);
        return look->names[look->count - 1] ? 0 : px_arena_fault(&look->cli->arena);
    }
    return 0;
}

/* The global stack first, for those of regions follow from it. */
static int by_name(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    bool first = strcmp(x, "global") == 0, second = strcmp(y, "global") == 0;
    return first != second ? (int)second - (int)first : strcmp(x, y);
}

static int find_stacks(struct look *look)
{
    struct cli *cli = look->cli;
    const char *dir = look->config;
    int r = px_dir_each(dir, take_file, look);
    if (r != 0) return cli_fault(cli, r > 0 ? PX_F_IO : r, "%s", dir);
    if (look->count == 0)
        return cli_fail(cli, CLI_FAILED, "%s has no variables of %s", dir,
                        cli->region ? cli->region : "a stack");
    qsort(look->names, look->count, sizeof look->names[0], by_name);
    return CLI_OK;
}

/* ---- one stack ---- */

static bool stop(void *ctx)
{
    struct look *look = ctx;
    if (look->came == 0) look->came = interrupt_came(&look->held);
    return look->came != 0;
}

static int add_var_file(struct look *look, struct terraform *tf, const char *path)
{
    size_t n = 0;
    while (tf->var_files[n]) n++;
    if (!path || access(path, R_OK) != 0 || n == TERRAFORM_VAR_FILES_MAX)
        return cli_fail(look->cli, CLI_FAILED, "%s: %s", path ? path : "a file of variables",
                        n == TERRAFORM_VAR_FILES_MAX ? "one too many" : strerror(errno));
    tf->var_files[n] = path;
    return CLI_OK;
}

/* What the environment should run: of the release that was named, or that the pipeline delivered last. */
static int find_release(struct look *look)
{
    struct cli *cli = look->cli;
    const struct object_options objects = {.cloud = &look->cloud};
    const char *set = getenv("PRISM_PIPELINE_STATE"), *url = look->v->state;
    struct environment delivered = {.run = 0};
    if (!url && set && *set) url = set;
    if (url) {
        int r = object_store_open(px_str_c(url), &objects, &look->store);
        if (r != 0) return cli_fault(cli, r, "%s", url);
    }
    if (look->v->release) {
        if (px_json_load(look->v->release, 16u << 20, &cli->arena, &delivered.release.document) !=
            0)
            return cli_fail(cli, CLI_FAILED, "%s is no release.json that can be read",
                            look->v->release);
    } else if (url) {
        int r = environment_read(look->store, px_str_c(look->v->environment), &cli->arena,
                                 &delivered);
        if (r != 0) return cli_fault(cli, r, "what %s has got", look->v->environment);
    }
    look->artifacts = px_json_obj(delivered.release.document, "artifacts");
    return CLI_OK;
}

static int shelf_get(void *ctx, struct px_str key, struct px_buf *buf)
{
    const struct look *look = ctx;
    return look->store ? object_get(look->store, key, buf) : OBJECT_ABSENT;
}

static int add_signed(struct look *look, const char *region, struct px_buf *buf)
{
    const struct deployed_shelf shelf = {.get = shelf_get, .ctx = look};
    struct cli *cli = look->cli;
    struct px_str missing = {0};
    int r = signed_artifacts(&shelf, px_str_c(look->v->environment), px_str_c(region),
                             look->artifacts, &cli->arena, buf, &missing);
    if (r == SIGNED_ABSENT)
        return cli_fail(
            cli, CLI_FAILED,
            "%s runs signed code only, and %s knows no signed copy of %.*s; --state is the "
            "store of the pipeline that delivered it",
            region, look->store ? "the store" : "nobody here", PX_FMT(missing));
    return r == 0 ? CLI_OK : cli_fault(cli, r, "signed copies");
}

/* A file that Terraform takes: {"artifacts": ...} of a release, as the region of these variables takes it. */
static int artifacts_file(struct look *look, const char *region, const char *tfvars,
                          const char **ret_path)
{
    struct cli *cli = look->cli;
    PX_AUTO(px_buf_deinit) struct px_buf buf = {0};
    bool is_signed = false;
    struct px_str path = px_arena_printf(&cli->arena, "%s/%s-artifacts.tfvars.json", look->work_dir,
                                         region);
    if (!path.ptr) return cli_fault(cli, PX_F_OOM, "artifacts");
    int r = tfvars ? signed_is_wanted(tfvars, &cli->arena, &is_signed) : 0;
    if (r != 0) return cli_fault(cli, r, "%s", tfvars);
    px_buf_init(&buf, 16u << 20);
    px_buf_add_str(&buf, S("{\"artifacts\":"));
    int exit = is_signed ? add_signed(look, region, &buf) : CLI_OK;
    if (exit != CLI_OK) return exit;
    if (!is_signed) px_buf_add_json(&buf, look->artifacts);
    px_buf_add_str(&buf, S("}\n"));
    if (px_buf_fault(&buf) || px_file_write_atomic(path.ptr, px_buf_str(&buf), 0600) != 0)
        return cli_fail(cli, CLI_FAILED, "%s: artifacts cannot be written", look->work_dir);
    *ret_path = path.ptr;
    return CLI_OK;
}

static int set_variables(struct look *look, struct terraform *tf, const char *name, bool global)
{
    struct cli *cli = look->cli;
    const char *dir = look->config;
    struct px_str json = px_arena_printf(&cli->arena, "%s/%s.tfvars.json", dir, name),
                  hcl = px_arena_printf(&cli->arena, "%s/%s.tfvars", dir, name);
    if (!json.ptr || !hcl.ptr) return cli_fault(cli, PX_F_OOM, "paths");
    bool is_json = access(json.ptr, R_OK) == 0;
    int exit = add_var_file(look, tf, is_json ? json.ptr : hcl.ptr);
    if (exit == CLI_OK && look->artifacts && !global) {
        const char *file = NULL;
        exit = artifacts_file(look, name, is_json ? json.ptr : NULL, &file);
        if (exit == CLI_OK) exit = add_var_file(look, tf, file);
    }
    for (size_t i = 0; i < look->v->var_files.count && exit == CLI_OK; i++)
        exit = add_var_file(look, tf, real_path(cli, look->v->var_files.items[i]));
    return exit;
}

static bool has_backend(const struct look *look, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < look->v->backend.count; i++)
        if (strncmp(look->v->backend.items[i], name, n) == 0 && look->v->backend.items[i][n] == '=')
            return true;
    return false;
}

static int add_backend(struct look *look, struct terraform *tf, struct px_str setting)
{
    size_t n = 0;
    while (tf->backend[n]) n++;
    if (!setting.ptr || n == TERRAFORM_SETTINGS_MAX)
        return cli_fail(look->cli, CLI_USAGE, "--backend: too many settings");
    tf->backend[n] = setting.ptr;
    return CLI_OK;
}

static int set_backend(struct look *look, struct terraform *tf, const char *name)
{
    struct cli *cli = look->cli;
    static const char *const usual[][2] = {{"bucket", "PRISM_STATE_BUCKET"},
                                           {"region", "PRISM_STATE_REGION"}};
    int exit = CLI_OK;
    for (size_t i = 0; i < look->v->backend.count && exit == CLI_OK; i++)
        exit = strchr(look->v->backend.items[i], '=')
                   ? add_backend(look, tf, px_str_c(look->v->backend.items[i]))
                   : cli_fail(cli, CLI_USAGE, "--backend %s: NAME=VALUE",
                              look->v->backend.items[i]);
    if (has_backend(look, "path")) return exit; /* a file: it is none of S3 */
    for (size_t i = 0; i < PX_COUNT(usual) && exit == CLI_OK; i++) {
        const char *set = getenv(usual[i][1]);
        if (has_backend(look, usual[i][0])) continue;
        exit = set && set[0]
                   ? add_backend(look, tf, px_arena_printf(&cli->arena, "%s=%s", usual[i][0], set))
                   : cli_fail(cli, CLI_USAGE,
                              "where the state is: set %s, or give --backend %s=...", usual[i][1],
                              usual[i][0]);
    }
    if (exit == CLI_OK && !has_backend(look, "key"))
        exit = add_backend(
            look, tf,
            px_arena_printf(&cli->arena, "key=prism/%s/%s.tfstate", look->v->environment, name));
    return exit;
}

static int failed(struct look *look, int answer, const char *label, const struct px_buf *error)
{
    struct cli *cli = look->cli;
    switch (answer) {
    case TERRAFORM_CANCELLED: return CLI_FAILED; /* the end is the signal's */
    case TERRAFORM_LOCKED:
        return cli_fail(
            cli, CLI_FAILED,
            "%s: somebody is at work on its state; look again when that has ended. %.*s", label,
            PX_FMT(px_buf_str(error)));
    default:
        return answer > 0 ? cli_fail(cli, CLI_FAILED, "%s: %.*s", label, PX_FMT(px_buf_str(error)))
                          : cli_fault(cli, answer, "%s", label);
    }
}

static void report(struct look *look, const char *name, const char *label,
                   const struct drift *drift)
{
    bool global = strcmp(name, "global") == 0;
    drift_write_text(drift, px_str_c(label), look->v->all, &look->text);
    px_buf_printf(&look->json, "%s{\"stack\":\"%s\"", look->reported++ == 0 ? "" : ",",
                  global ? "global" : "region");
    if (!global) {
        px_buf_add_str(&look->json, S(",\"region\":"));
        px_buf_add_json_str(&look->json, px_str_c(name));
    }
    px_buf_printf(
        &look->json,
        ",\"deployed\":%s,\"outside\":%zu,\"release\":%zu,\"unmanaged\":%zu,\"owned\":%zu,\"worst\":",
        drift->absent ? "false" : "true", drift->counts[DRIFT_OUTSIDE],
        drift->counts[DRIFT_RELEASE], drift->counts[DRIFT_UNMANAGED], drift->counts[DRIFT_OWNED]);
    if (drift->worst > 0)
        px_buf_add_json_str(&look->json, px_str_c(words_weight_name(drift->worst)));
    else
        px_buf_add_str(&look->json, S("null"));
    px_buf_add_str(&look->json, S(",\"findings\":"));
    drift_write_json(drift, &look->json);
    px_buf_add_char(&look->json, '}');
    look->found += drift_found(drift);
    look->worst = PX_MAX(look->worst, drift->worst);
}

static int look_at_stack(struct look *look, const char *name)
{
    struct cli *cli = look->cli;
    PX_AUTO(px_buf_deinit) struct px_buf error = {0};
    bool global = strcmp(name, "global") == 0;
    struct changes changes;
    struct drift drift;
    struct terraform_host host = {.stop = stop, .ctx = look};
    struct terraform tf = {
        .program = look->v->program,
        .data_dir = px_arena_printf(&cli->arena, "%s/%s", look->work_dir, name).ptr,
        .lock_timeout_s = look->v->no_lock ? -1 : look->v->lock_timeout_ms / 1000,
        .grace_ms = GRACE_MS,
        .clock = cli->clock,
        .arena = &cli->arena,
        .host = &host,
        .error = &error,
    };
    struct px_str label = global
                              ? px_arena_printf(&cli->arena, "global of %s", look->v->environment)
                              : px_arena_printf(&cli->arena, "region %s of %s", name,
                                                look->v->environment);
    px_buf_init(&error, SAID_BYTES_MAX);
    struct px_str view = px_arena_printf(&cli->arena, "%s/sources-%s", look->work_dir, name);
    if (!view.ptr || !tf.data_dir || !label.ptr) return cli_fault(cli, PX_F_OOM, "paths");
    int r = px_dir_make(view.ptr);
    if (r == 0)
        r = terraform_view(look->infra, global ? "global" : "region", view.ptr, &cli->arena,
                           &tf.dir);
    if (r == 0 && look->v->plugin_cache) {
        r = px_dir_make(look->v->plugin_cache);
        tf.plugin_cache = real_path(cli, look->v->plugin_cache);
    }
    if (r != 0) return cli_fault(cli, r, "%s", label.ptr);
    int exit = set_backend(look, &tf, name);
    if (exit == CLI_OK) exit = set_variables(look, &tf, name, global);
    if (exit != CLI_OK) return exit;
    if (cli->err_is_tty) (void)fprintf(cli->err, "%s ...\n", label.ptr);
    r = terraform_init(&tf);
    if (r == 0) r = terraform_plan(&tf, TERRAFORM_PLAN, NULL, &changes);
    if (r == 0) r = drift_find(&changes, &look->words, "prism pipeline run", &drift);
    if (r != 0) return failed(look, r, label.ptr, &error);
    report(look, name, label.ptr, &drift);
    return CLI_OK;
}

/* ---- the verb ---- */

static int print(struct look *look)
{
    struct cli *cli = look->cli;
    PX_AUTO(px_buf_deinit) struct px_buf buf = {0};
    px_buf_init(&buf, OUTPUT_BYTES_MAX);
    if (cli->json) {
        px_buf_add_str(&buf, S("{\"environment\":"));
        px_buf_add_json_str(&buf, px_str_c(look->v->environment));
        px_buf_printf(&buf, ",\"found\":%zu,\"worst\":", look->found);
        if (look->worst > 0)
            px_buf_add_json_str(&buf, px_str_c(words_weight_name(look->worst)));
        else
            px_buf_add_str(&buf, S("null"));
        px_buf_add_str(&buf, S(",\"stacks\":["));
        px_buf_add_str(&buf, px_buf_str(&look->json));
        px_buf_add_str(&buf, S("]}\n"));
    } else {
        px_buf_add_str(&buf, px_buf_str(&look->text));
    }
    int fault = px_buf_fault(&look->text) ? px_buf_fault(&look->text) : px_buf_fault(&look->json);
    if (fault == 0) fault = px_buf_fault(&buf);
    if (fault != 0) return cli_fault(cli, fault, "the findings do not fit");
    (void)fwrite(buf.ptr, 1, buf.len, cli->out);
    return look->found > 0 ? CLI_REFUSED : CLI_OK;
}

static int look_at_all(struct look *look)
{
    int exit = CLI_OK;
    for (size_t i = 0; i < look->count && exit == CLI_OK && !stop(look); i++)
        exit = look_at_stack(look, look->names[i]);
    return exit == CLI_OK && look->came == 0 ? print(look) : exit;
}

static int make_work_dir(struct look *look)
{
    const char *base = getenv("TMPDIR");
    struct px_str path = px_arena_printf(&look->cli->arena, "%s/prism-drift-XXXXXX",
                                         base && base[0] == '/' ? base : "/tmp");
    if (!path.ptr || !mkdtemp((char *)(uintptr_t)path.ptr))
        return cli_fail(look->cli, CLI_FAILED, "a folder for Terraform's files: %s",
                        strerror(errno));
    look->work_dir = path.ptr;
    return CLI_OK;
}

static void look_deinit(struct look *look)
{
    object_store_close(&look->store);
    cloud_shared_close(&look->cloud);
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    PX_AUTO(look_deinit) struct look look = {.cli = cli, .v = values};
    (void)arg_count, (void)args;
    if (!look.v->environment)
        return cli_fail(cli, CLI_USAGE, "which environment? prism drift --environment prod");
    int exit = find_places(&look);
    if (exit == CLI_OK) exit = make_work_dir(&look);
    if (exit != CLI_OK) return exit;
    exit = find_config(&look);
    if (exit == CLI_OK) exit = find_stacks(&look);
    if (exit == CLI_OK) exit = find_release(&look);
    if (exit != CLI_OK) {
        (void)!px_dir_remove(look.work_dir);
        return exit;
    }
    px_buf_init(&look.text, OUTPUT_BYTES_MAX / 2);
    px_buf_init(&look.json, OUTPUT_BYTES_MAX / 2);
    interrupt_hold(&look.held);
    exit = look_at_all(&look);
    px_buf_deinit(&look.text);
    px_buf_deinit(&look.json);
    if (px_dir_remove(look.work_dir) != 0)
        (void)fprintf(cli->err, "prism: %s is left\n", look.work_dir);
    if (look.came != 0) {
        look_deinit(&look);
        interrupt_end(look.came);
    }
    return exit;
}

const struct cli_verb verb_drift = {
    .name = "drift",
    .arguments = "--environment E",
    .summary = "say where what is deployed differs from what should be",
    .details =
        "Terraform refreshes and plans each stack of the environment; nothing is changed. For every "
        "difference: the resource, its attribute, what it should be and is, whether it was changed "
        "outside or is a release that is not applied yet, how bad that is, and what to do. What "
        "rollouts and autoscaling move is no drift. Exit code 4: something was found.\n"
        "With --region only that region's stack is looked at.",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct drift_values),
    .defaults = &defaults,
    .args_max = 0,
    .without_data = true,
    .run = run,
};
