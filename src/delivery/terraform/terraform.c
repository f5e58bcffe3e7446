/* delivery/terraform/terraform.c - Terraform, or OpenTofu, at work on one stack.
 *
 * Its messages with -json: https://developer.hashicorp.com/terraform/internals/machine-readable-ui. */
#include "delivery/terraform/terraform.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_json.h"
#include "delivery/terraform/child.h"

#define ARGUMENTS_MAX 64
#define LINE_ARENA_BYTES (16u << 20)
#define ERROR_BYTES_MAX 6000 /* kept of what it says about a failure */

struct arguments {
    const char *items[ARGUMENTS_MAX + 1];
    size_t count;
    bool full;
};

/* ---- arguments and environment ---- */

static void add(struct arguments *a, const char *item)
{
    if (a->count < ARGUMENTS_MAX)
        a->items[a->count++] = item;
    else
        a->full = true;
}

static void add_made(struct arguments *a, struct px_str made)
{
    if (made.ptr)
        add(a, made.ptr);
    else
        a->full = true;
}

static void add_common(struct terraform *tf, struct arguments *a)
{
    add(a, "-input=false");
    if (tf->lock_timeout_s < 0)
        add(a, "-lock=false");
    else
        add_made(a, px_arena_printf(tf->arena, "-lock-timeout=%" PRId64 "s", tf->lock_timeout_s));
    if (tf->parallelism > 0)
        add_made(a, px_arena_printf(tf->arena, "-parallelism=%d", tf->parallelism));
}

static int environment_of(struct terraform *tf, const char **env)
{
    size_t n = 0;
    struct px_str data = px_arena_printf(tf->arena, "TF_DATA_DIR=%s", tf->data_dir);
    if (!data.ptr) return px_arena_fault(tf->arena);
    env[n++] = data.ptr;
    env[n++] = "TF_INPUT=0";
    env[n++] = "TF_IN_AUTOMATION=1";
    env[n++] = "CHECKPOINT_DISABLE=1";
    env[n++] = "NO_COLOR=1";
    /* a log at level trace holds requests as they are sent, and arguments from elsewhere make another plan of the same sources */
    static const char *const without[] = {
        "TF_LOG",           "TF_LOG_CORE",       "TF_LOG_PROVIDER",  "TF_LOG_PATH",
        "TF_LOG_SDK",       "TF_LOG_SDK_PROTO",  "TF_CLI_ARGS",      "TF_CLI_ARGS_init",
        "TF_CLI_ARGS_plan", "TF_CLI_ARGS_apply", "TF_CLI_ARGS_show", "TF_WORKSPACE"};
    for (size_t i = 0; i < PX_COUNT(without); i++) env[n++] = without[i];
    if (tf->plugin_cache) {
        struct px_str cache = px_arena_printf(tf->arena, "TF_PLUGIN_CACHE_DIR=%s",
                                              tf->plugin_cache);
        if (!cache.ptr) return px_arena_fault(tf->arena);
        env[n++] = cache.ptr;
    }
    env[n] = NULL;
    return 0;
}

/* ---- what it says ---- */

struct talk {
    struct terraform *tf;
    bool json, locked, stale;
    struct px_buf errors;
};

static void say(struct terraform *tf, struct px_str text)
{
    PX_AUTO(px_buf_deinit) struct px_buf clean = {0};
    px_buf_init(&clean, 4 * ERROR_BYTES_MAX);
    changes_scrub(tf->secrets,
                  text.len > ERROR_BYTES_MAX ? px_str(text.ptr, ERROR_BYTES_MAX) : text, &clean);
    if (px_buf_fault(&clean) != 0) return;
    if (tf->host && tf->host->said) tf->host->said(tf->host->ctx, px_buf_str(&clean));
    if (!tf->said || tf->said->len + clean.len + 1 > tf->said->limit_bytes / 2) return;
    px_buf_add_str(tf->said, px_buf_str(&clean));
    px_buf_add_char(tf->said, '\n');
}

static void take_diagnostic(struct talk *talk, yyjson_val *diagnostic)
{
    struct px_str summary = px_json_str(diagnostic, "summary"),
                  detail = px_json_str(diagnostic, "detail"),
                  address = px_json_str(diagnostic, "address");
    if (!px_str_eq(px_json_str(diagnostic, "severity"), S("error"))) return;
    if (px_str_eq(summary, S("Error acquiring the state lock"))) talk->locked = true;
    if (px_str_eq(summary, S("Saved plan is stale"))) talk->stale = true;
    if (talk->errors.len > ERROR_BYTES_MAX) return;
    if (talk->errors.len > 0) px_buf_add_char(&talk->errors, '\n');
    if (address.len > 0) px_buf_printf(&talk->errors, "%.*s: ", PX_FMT(address));
    px_buf_add_str(&talk->errors, summary);
    if (detail.len > 0)
        px_buf_printf(&talk->errors, ": %.*s", (int)PX_MIN(detail.len, (size_t)2000), detail.ptr);
}

static void take_summary(struct terraform *tf, yyjson_val *message)
{
    yyjson_val *changes = px_json_obj(message, "changes");
    if (!px_str_eq(px_json_str(changes, "operation"), S("plan"))) return;
    int64_t total = px_json_i64(changes, "add", 0) + px_json_i64(changes, "change", 0) +
                    px_json_i64(changes, "remove", 0);
    if (tf->total == 0 && total > 0) tf->total = (size_t)total;
}

static void take_message(struct talk *talk, yyjson_val *message)
{
    struct terraform *tf = talk->tf;
    struct px_str type = px_json_str(message, "type"), text = px_json_str(message, "@message");
    if (px_str_eq(type, S("diagnostic"))) take_diagnostic(talk, px_json_obj(message, "diagnostic"));
    if (px_str_eq(type, S("change_summary"))) take_summary(tf, message);
    if (px_str_eq(type, S("apply_complete"))) tf->done++;
    /* one line a refreshed resource says nothing; outputs are not for logs */
    static const char *const quiet[] = {"version",       "refresh_start",  "refresh_complete",
                                        "outputs",       "planned_change", "resource_drift",
                                        "apply_progress"};
    for (size_t i = 0; i < PX_COUNT(quiet); i++)
        if (px_str_eq(type, px_str_c(quiet[i]))) return;
    if (tf->total == 0 || !px_str_starts(type, S("apply_"))) {
        say(tf, text);
        return;
    }
    struct px_str line = px_arena_printf(tf->arena, "%zu of %zu: %.*s", tf->done, tf->total,
                                         PX_FMT(text));
    if (line.ptr) say(tf, line);
}

static void take_line(void *ctx, struct px_str line)
{
    struct talk *talk = ctx;
    struct px_arena scratch;
    yyjson_val *message = NULL;
    if (!talk->json || line.len == 0) return;
    px_arena_init(&scratch, LINE_ARENA_BYTES);
    if (line.ptr[0] == '{' && px_json_parse(line, &scratch, &message, NULL) == 0)
        take_message(talk, message);
    px_arena_deinit(&scratch);
}

static bool asked_to_stop(void *ctx)
{
    const struct terraform *tf = ((struct talk *)ctx)->tf;
    return tf->host && tf->host->stop && tf->host->stop(tf->host->ctx);
}

/* ---- running ---- */

static int ended(struct talk *talk, const char *verb, const struct child_result *result,
                 struct px_str err)
{
    struct terraform *tf = talk->tf;
    struct px_str why = talk->errors.len > 0 ? px_buf_str(&talk->errors) : px_str_trim(err);
    if (result->end == CHILD_CANCELLED) return TERRAFORM_CANCELLED;
    if (result->end == CHILD_LATE) return TERRAFORM_LATE;
    if (result->end == CHILD_EXITED && result->code == 0) return 0;
    if (why.len > ERROR_BYTES_MAX) why = px_str_skip(why, why.len - ERROR_BYTES_MAX);
    px_buf_clear(tf->error);
    px_buf_printf(tf->error, "terraform %s ", verb);
    if (result->end == CHILD_TALKED)
        px_buf_add_str(tf->error, S("wrote more than it may"));
    else
        px_buf_printf(tf->error, "ended with %s %d",
                      result->end == CHILD_EXITED ? "exit code" : "signal", result->code);
    if (why.len > 0) {
        px_buf_add_str(tf->error, S(": "));
        changes_scrub(tf->secrets, why, tf->error);
    }
    if (talk->locked || memmem(err.ptr ? err.ptr : "", err.len, "acquiring the state lock", 24))
        return TERRAFORM_LOCKED;
    return talk->stale ? TERRAFORM_STALE : TERRAFORM_FAILED;
}

static int run(struct terraform *tf, struct arguments *a, bool json, struct px_buf *out)
{
    PX_AUTO(px_buf_deinit) struct px_buf err = {0};
    struct talk talk = {.tf = tf, .json = json};
    struct child_result result;
    const char *env[32];
    px_buf_init(&err, 1u << 20);
    px_buf_init(&talk.errors, 1u << 20);
    if (a->full) return px_fault(PX_F_LIMIT, "arguments of %s", tf->program);
    PX_TRY(environment_of(tf, env));
    struct child_spec spec = {
        .argv = a->items,
        .env = env,
        .dir = tf->dir,
        .scratch_dir = tf->data_dir,
        .deadline_ns = tf->deadline_ns,
        .grace_ms = tf->grace_ms,
        .output_bytes_max = CHANGES_TEXT_MAX,
        .clock = tf->clock,
        .stop = asked_to_stop,
        .line = json ? take_line : NULL,
        .ctx = &talk,
    };
    int r = child_run(&spec, out, &err, &result);
    if (r == 0) r = ended(&talk, a->items[1], &result, px_buf_str(&err));
    px_buf_deinit(&talk.errors);
    return r;
}

int terraform_init(struct terraform *tf)
{
    struct arguments a = {0};
    PX_TRY(px_dir_make(tf->data_dir));
    if (tf->plugin_cache) PX_TRY(px_dir_make(tf->plugin_cache));
    add(&a, tf->program);
    add(&a, "init");
    add(&a, "-input=false");
    add(&a, "-no-color");
    add(&a,
        "-reconfigure"); /* where another backend was set before, its state is not to be moved here */
    for (size_t i = 0; tf->backend[i]; i++)
        add_made(&a, px_arena_printf(tf->arena, "-backend-config=%s", tf->backend[i]));
    return run(tf, &a, false, NULL);
}

static int read_plan(struct terraform *tf, const char *path, struct changes *ret_changes)
{
    PX_AUTO(px_buf_deinit_wiped) struct px_buf text = {0}; /* the state and its secrets */
    struct arguments a = {0};
    struct px_where where = {0};
    px_buf_init(&text, CHANGES_TEXT_MAX);
    add(&a, tf->program);
    add(&a, "show");
    add(&a, "-json");
    add(&a, "-no-color");
    add(&a, path);
    int r = run(tf, &a, false, &text);
    if (r == 0) {
        r = changes_open(px_buf_str(&text), tf->arena, ret_changes, &where);
        if (r == CHANGES_INVALID) {
            px_buf_printf(tf->error, "the plan cannot be read: %s, at byte %zu", where.expected,
                          where.offset);
            r = TERRAFORM_FAILED;
        }
    }
    return r;
}

int terraform_plan(struct terraform *tf, enum terraform_mode mode, const char *out,
                   struct changes *ret_changes)
{
    struct arguments a = {0};
    struct px_str path = out ? px_str_c(out)
                             : px_arena_printf(tf->arena, "%s/plan.tmp", tf->data_dir);
    if (!path.ptr) return px_arena_fault(tf->arena);
    add(&a, tf->program);
    add(&a, "plan");
    add(&a, "-json");
    add_common(tf, &a);
    if (mode == TERRAFORM_REFRESH_ONLY) add(&a, "-refresh-only");
    if (mode == TERRAFORM_DESTROY) add(&a, "-destroy");
    for (size_t i = 0; tf->var_files[i]; i++)
        add_made(&a, px_arena_printf(tf->arena, "-var-file=%s", tf->var_files[i]));
    add_made(&a, px_arena_printf(tf->arena, "-out=%s", path.ptr));
    int r = run(tf, &a, true, NULL);
    if (r == 0) r = read_plan(tf, path.ptr, ret_changes);
    if (!out || r != 0) (void)unlink(path.ptr);
    return r;
}

int terraform_apply(struct terraform *tf, const char *plan)
{
    struct arguments a = {0};
    add(&a, tf->program);
    add(&a, "apply");
    add(&a, "-json");
    add_common(tf, &a);
    add(&a, plan);
    tf->done = 0;
    return run(tf, &a, true, NULL);
}
