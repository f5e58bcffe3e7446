/* delivery/pipeline/action_command.c - action `command`: a program with arguments, without a shell.
 *
 * It sees the variables of the environment that are listed and no others. What it writes is kept with the run, up to a ceiling,
 * without the values of variables whose names say that they are secrets. */
#include <stdio.h>
#include <stdlib.h>

#include "base/px_json.h"
#include "delivery/pipeline/builtin.h"
#include "delivery/pipeline/exec.h"

#define OUTPUT_BYTES_MAX ((size_t)1 << 20) /* of what is kept: the end */
#define RESULT_BYTES_MAX ((size_t)1 << 20)
#define LINE_BYTES_MAX ((size_t)64 << 10)
#define TAIL_BYTES 1500
#define ARGS_MAX 200
#define SECRET_BYTES_MIN 6 /* less would be cut out of ordinary words */

/* Passed on when nothing is said: what programs need to run, and where AWS's tools look for who they are. */
static const char *const passed[] = {"PATH",
                                     "HOME",
                                     "TMPDIR",
                                     "LANG",
                                     "TZ",
                                     "USER",
                                     "CI",
                                     "AWS_REGION",
                                     "AWS_DEFAULT_REGION",
                                     "AWS_PROFILE",
                                     "AWS_CONFIG_FILE",
                                     "AWS_SHARED_CREDENTIALS_FILE",
                                     "AWS_CA_BUNDLE",
                                     "AWS_ENDPOINT_URL",
                                     "AWS_ACCESS_KEY_ID",
                                     "AWS_SECRET_ACCESS_KEY",
                                     "AWS_SESSION_TOKEN",
                                     "AWS_ROLE_ARN",
                                     "AWS_WEB_IDENTITY_TOKEN_FILE",
                                     "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                     "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                     "AWS_CONTAINER_AUTHORIZATION_TOKEN"};

struct command {
    const struct action_context *ctx;
    struct px_buf output;   /* redacted, its end */
    struct px_buf lines[2]; /* an unfinished line of each stream */
    struct px_buf result;   /* standard output as it is, when it is a result */
    bool wants_result, result_full;
    uint64_t dropped;
    struct px_str secrets[ARGS_MAX];
    size_t secret_count;
};

/* ---- its environment ---- */

static bool is_secret_name(struct px_str name)
{
    static const char *const parts[] = {"SECRET",     "TOKEN",   "PASSWORD", "PASSWD",
                                        "CREDENTIAL", "PRIVATE", "_KEY"};
    for (size_t i = 0; i < PX_COUNT(parts); i++)
        if (memmem(name.ptr, name.len, parts[i], strlen(parts[i]))) return true;
    return false;
}

static int add_variable(struct command *c, struct px_str name, const char **env, size_t *count)
{
    const char *key = px_arena_cstr(c->ctx->arena, name);
    const char *value = key ? getenv(key) : NULL;
    if (!key) return px_arena_fault(c->ctx->arena);
    if (!value || *count >= ARGS_MAX) return 0;
    struct px_str pair = px_arena_printf(c->ctx->arena, "%s=%s", key, value);
    if (!pair.ptr) return px_arena_fault(c->ctx->arena);
    env[(*count)++] = pair.ptr;
    bool secret = is_secret_name(name) && strlen(value) >= SECRET_BYTES_MIN;
    if (secret) c->secrets[c->secret_count++] = px_str_skip(pair, name.len + 1);
    return 0;
}

static int add_own(struct command *c, const char *name, struct px_str value, const char **env,
                   size_t *count)
{
    struct px_str pair = px_arena_printf(c->ctx->arena, "%s=%.*s", name, PX_FMT(value));
    if (!pair.ptr) return px_arena_fault(c->ctx->arena);
    if (value.len > 0) env[(*count)++] = pair.ptr;
    return 0;
}

static int make_env(struct command *c, yyjson_val *with, const char ***ret_env)
{
    const struct action_context *ctx = c->ctx;
    size_t i, max, count = 0;
    yyjson_val *val, *key, *names = px_json_arr(with, "pass"), *set = px_json_obj(with, "set");
    const char **env = px_arena_array(ctx->arena, const char *, ARGS_MAX * 2 + 16);
    if (!env) return px_arena_fault(ctx->arena);
    for (i = 0; !names && i < PX_COUNT(passed); i++)
        PX_TRY(add_variable(c, px_str_c(passed[i]), env, &count));
    px_json_arr_foreach(names, i, max, val)
        PX_TRY(add_variable(c, px_json_val_str(val), env, &count));
    px_json_obj_foreach(set, i, max, key, val) if (count < ARGS_MAX * 2)
        PX_TRY(add_own(c, yyjson_get_str(key), px_json_val_str(val), env, &count));
    PX_TRY(add_own(c, "PRISM_RUN", ctx->run, env, &count));
    PX_TRY(add_own(c, "PRISM_STEP", ctx->step, env, &count));
    PX_TRY(add_own(c, "PRISM_ENVIRONMENT", ctx->environment, env, &count));
    PX_TRY(add_own(c, "PRISM_STEP_REGION", ctx->region, env, &count));
    PX_TRY(add_own(c, "PRISM_RELEASE", ctx->release.id, env, &count));
    PX_TRY(add_own(c, "PRISM_RELEASE_PLACE", ctx->release.place, env, &count));
    *ret_env = env;
    return 0;
}

static int make_argv(struct command *c, yyjson_val *with, const char ***ret_argv)
{
    size_t i, max;
    yyjson_val *val, *list = px_json_arr(with, "argv");
    const char **argv = px_arena_array(c->ctx->arena, const char *, yyjson_arr_size(list) + 1);
    if (!argv) return px_arena_fault(c->ctx->arena);
    px_json_arr_foreach(list, i, max, val) argv[i] = yyjson_get_str(val);
    *ret_argv = argv;
    return 0;
}

/* ---- what it writes ---- */

static void redact(const struct command *c, struct px_str line, struct px_buf *to)
{
    while (line.len > 0) {
        const char *first = NULL;
        size_t len = 0;
        for (size_t i = 0; i < c->secret_count; i++) {
            const char *at = memmem(line.ptr, line.len, c->secrets[i].ptr, c->secrets[i].len);
            if (at && (!first || at < first || (at == first && c->secrets[i].len > len))) {
                first = at;
                len = c->secrets[i].len;
            }
        }
        px_buf_add(to, line.ptr, first ? (size_t)(first - line.ptr) : line.len);
        if (!first) return;
        px_buf_add_c(to, "[redacted]");
        line = px_str_skip(line, (size_t)(first - line.ptr) + len);
    }
}

/* The first half of what is kept goes when it is full. */
static void make_room(struct command *c)
{
    size_t half = c->output.len / 2;
    if (c->output.len < OUTPUT_BYTES_MAX) return;
    const char *end = memchr(c->output.ptr + half, '\n', c->output.len - half);
    size_t cut = end ? (size_t)(end - c->output.ptr) + 1 : half;
    memmove(c->output.ptr, c->output.ptr + cut, c->output.len - cut);
    c->output.len -= cut;
    c->dropped += cut;
}

static void end_line(struct command *c, struct px_buf *line)
{
    char shown[200];
    size_t from = c->output.len;
    make_room(c);
    from = PX_MIN(from, c->output.len);
    redact(c, px_buf_str(line), &c->output);
    struct px_str text = px_str_trim(px_str(c->output.ptr + from, c->output.len - from));
    (void)snprintf(shown, sizeof shown, "%.*s", (int)PX_MIN(text.len, sizeof shown - 1),
                   text.len ? text.ptr : "");
    if (text.len > 0) action_say(c->ctx, "%s", shown);
    px_buf_add_char(&c->output, '\n');
    px_buf_clear(line);
}

static void on_output(void *ctx, struct px_str piece, bool is_error)
{
    struct command *c = ctx;
    struct px_buf *line = &c->lines[is_error];
    if (c->wants_result && !is_error) {
        if (c->result.len + piece.len > RESULT_BYTES_MAX)
            c->result_full = true;
        else
            px_buf_add_str(&c->result, piece);
    }
    for (size_t i = 0; i < piece.len; i++) {
        if (piece.ptr[i] == '\n' || line->len >= LINE_BYTES_MAX) end_line(c, line);
        if (piece.ptr[i] != '\n') px_buf_add_char(line, piece.ptr[i]);
    }
}

static bool is_cancelled(void *ctx)
{
    const struct command *c = ctx;
    return action_cancelled(c->ctx);
}

/* ---- how it ended ---- */

static struct px_str tail(const struct px_buf *output)
{
    struct px_str text = px_str_trim(px_buf_str(output));
    if (text.len > TAIL_BYTES) text = px_str_skip(text, text.len - TAIL_BYTES);
    return text;
}

static int keep_output(struct command *c)
{
    for (size_t i = 0; i < 2; i++)
        if (c->lines[i].len > 0) end_line(c, &c->lines[i]);
    if (px_buf_fault(&c->output) != 0) return px_fold(px_buf_fault(&c->output), __FILE__, __LINE__);
    if (c->output.len == 0) return 0;
    PX_TRY(action_keep(c->ctx, S("output.txt"), px_buf_str(&c->output)));
    return 0;
}

static int give_result(struct command *c, yyjson_val **ret_result)
{
    yyjson_val *root = NULL;
    struct px_where where = {0};
    if (!c->wants_result) return 0;
    if (c->result_full)
        return action_fail(c->ctx, ACTION_REFUSED, "its result is larger than %zu bytes",
                           RESULT_BYTES_MAX);
    int r = px_json_parse(px_buf_str(&c->result), c->ctx->arena, &root, &where);
    if (r == PX_JSON_INVALID || (r == 0 && !yyjson_is_obj(root)))
        return action_fail(c->ctx, ACTION_REFUSED,
                           "its standard output is no JSON object, byte %zu: %s", where.offset,
                           where.expected);
    PX_TRY(r);
    *ret_result = root;
    return 0;
}

static int tell_ending(struct command *c, const char *program, const struct exec_result *ended)
{
    struct px_str said = tail(&c->output);
    switch (ended->ending) {
    case EXEC_CANCELLED: return ACTION_CANCELLED;
    case EXEC_LATE:
        return action_fail(c->ctx, ACTION_FAILED,
                           "%s did not end in time and was killed; it said last: %.*s", program,
                           PX_FMT(said));
    case EXEC_SIGNALLED:
        return action_fail(c->ctx, ACTION_FAILED, "%s was ended by signal %d; it said last: %.*s",
                           program, ended->code, PX_FMT(said));
    case EXEC_EXITED: break;
    }
    if (ended->code == 0) return 0;
    return action_fail(c->ctx, ACTION_FAILED, "%s ended with exit code %d; it said last: %.*s",
                       program, ended->code, PX_FMT(said));
}

static void deinit(struct command *c)
{
    px_buf_deinit(&c->output);
    px_buf_deinit(&c->lines[0]);
    px_buf_deinit(&c->lines[1]);
    px_buf_deinit(&c->result);
}

static int run(struct action_context *ctx, yyjson_val *with, yyjson_val **ret_result)
{
    PX_AUTO(deinit) struct command c = {.ctx = ctx};
    struct exec_options options = {.dir = ctx->root,
                                   .clock = ctx->clock,
                                   .deadline_ns = ctx->deadline_ns,
                                   .is_cancelled = is_cancelled,
                                   .on_output = on_output,
                                   .ctx = &c};
    struct exec_result ended;
    const char **argv = NULL, **env = NULL;
    px_buf_init(&c.output, OUTPUT_BYTES_MAX * 2);
    px_buf_init(&c.lines[0], LINE_BYTES_MAX + 1);
    px_buf_init(&c.lines[1], LINE_BYTES_MAX + 1);
    px_buf_init(&c.result, RESULT_BYTES_MAX);
    c.wants_result = px_json_bool(with, "result", false);
    struct px_str dir = px_json_str(with, "dir");
    struct px_str lock = px_arena_printf(ctx->arena, "%s/.lock", ctx->work_dir);
    if (!lock.ptr) return px_arena_fault(ctx->arena);
    options.lock = lock.ptr;
    if (dir.len > 0) {
        struct px_str path = dir.ptr[0] == '/'
                                 ? dir
                                 : px_arena_printf(ctx->arena, "%s/%.*s", ctx->root, PX_FMT(dir));
        options.dir = path.ptr ? px_arena_cstr(ctx->arena, path) : NULL;
        if (!options.dir) return px_arena_fault(ctx->arena);
    }
    PX_TRY(make_argv(&c, with, &argv));
    PX_TRY(make_env(&c, with, &env));
    options.argv = argv;
    options.env = env;
    int r = exec_run(&options, &ended);
    if (r == PX_F_CONFIG) {
        char why[400];
        return action_fail(ctx, ACTION_REFUSED, "%s", px_fault_text(r, why, sizeof why));
    }
    PX_TRY(r);
    PX_TRY(keep_output(&c));
    r = tell_ending(&c, argv[0], &ended);
    return r == 0 ? give_result(&c, ret_result) : r;
}

static struct px_str describe(struct px_arena *arena, yyjson_val *with)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    size_t i, max;
    yyjson_val *val;
    px_buf_init(&buf, 4096);
    px_buf_add_c(&buf, "run");
    px_json_arr_foreach(px_json_arr(with, "argv"), i, max, val)
    {
        px_buf_add_char(&buf, ' ');
        px_buf_add_str(&buf, px_json_val_str(val));
    }
    return px_arena_dup(arena, px_buf_str(&buf));
}

static const struct action_field fields[] = {
    {"argv", ACTION_TEXTS, true, 1, ARGS_MAX, NULL},
    {"dir", ACTION_TEXT, false, 0, 0, NULL}, /* below the sources; where it runs */
    {"pass", ACTION_TEXTS, false, 0, ARGS_MAX,
     NULL}, /* names of variables of the environment, instead of the usual ones */
    {"set", ACTION_OBJECT, false, 0, 0, NULL}, /* more of them, with values */
    {"result", ACTION_BOOL, false, 0, 0,
     NULL}, /* its standard output is a JSON object, the step's result */
};
const struct action action_command = {
    .name = "command",
    .summary = "run a program",
    ACTION_FIELDS(fields),
    .run = run,
    .describe = describe,
    .is_fixed = true,
    .can_be_skipped = true,
};
