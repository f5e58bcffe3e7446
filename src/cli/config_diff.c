/* cli/config_diff.c - `prism config diff`: two environments, an environment and what was rendered, now and at a revision. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/px_file.h"
#include "cli/config.h"
#include "cli/glyph.h"
#include "config/diff.h"

struct diff_values {
    struct config_places places;
};
static const struct cli_option options[] = {CONFIG_PLACE_OPTIONS(struct diff_values)};

/* ---- a revision ---- */

static int spawn(struct cli *cli, const char *const *args)
{
    pid_t child = 0;
    int status = 0;
    int r = posix_spawnp(&child, args[0], NULL, NULL, (char *const *)args, environ);
    if (r != 0) return cli_fail(cli, CLI_FAILED, "%s: %s", args[0], strerror(r));
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return cli_fail(cli, CLI_FAILED, "%s: %s", args[0], strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return CLI_OK;
    return cli_fail(cli, CLI_FAILED, "%s %s ended with %d", args[0], args[3],
                    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* platform/ and infra/ as they were, in a folder of their own. git and tar say themselves what is wrong. */
static int unpack(struct cli *cli, const char *root, const char *revision, const char *dir)
{
    const char *file = px_arena_printf(&cli->arena, "%s/tree.tar", dir).ptr,
               *output = px_arena_printf(&cli->arena, "--output=%s/tree.tar", dir).ptr;
    if (!file || !output) return cli_fault(cli, PX_F_OOM, "%s", revision);
    const char *const archive[] = {"git",  "-C",     root,       "archive", "--format=tar",
                                   output, revision, "platform", "infra",   NULL};
    const char *const extract[] = {"tar", "-C", dir, "-xf", file, NULL};
    int exit = spawn(cli, archive);
    return exit == CLI_OK ? spawn(cli, extract) : exit;
}

static int rendering(struct cli *cli, const struct config_schema *schema, const char *name,
                     struct config_rendering *ret)
{
    struct config config;
    int exit = config_find_environment(cli, schema, name, &config);
    if (exit != CLI_OK) return exit;
    int r = config_rendering_of(&config, &cli->arena, ret);
    return r == 0 ? CLI_OK : cli_fault(cli, r, "%s", name);
}

static void remove_tree(const char **dir)
{
    if (*dir) (void)!px_dir_remove(*dir);
}

static int at_revision(struct cli *cli, const struct config_schema *schema, const char *text,
                       struct config_rendering *ret)
{
    char place[] = "/tmp/prism-config-XXXXXX", root[PATH_MAX];
    struct px_str name = px_str_c(text), revision;
    (void)px_str_cut(&name, ':', &revision);
    const char *rev = px_arena_cstr(&cli->arena, revision),
               *environment = px_arena_cstr(&cli->arena, name);
    const char *above = px_arena_printf(&cli->arena, "%s/..", config_schema_platform(schema)).ptr;
    if (!rev || !environment || !above) return cli_fault(cli, PX_F_OOM, "%s", text);
    if (rev[0] == '\0' || rev[0] == '-')
        return cli_fail(cli, CLI_USAGE, "'%s' is no revision", rev);
    if (!realpath(above, root) || !mkdtemp(place))
        return cli_fail(cli, CLI_FAILED, "%s: %s", place, strerror(errno));
    PX_AUTO(remove_tree) const char *dir = place;
    struct config_schema *then = NULL;
    int exit = unpack(cli, root, rev, dir);
    if (exit != CLI_OK) return exit;
    const struct config_places places = {
        .platform = px_arena_printf(&cli->arena, "%s/platform", dir).ptr,
        .infra = px_arena_printf(&cli->arena, "%s/infra", dir).ptr};
    if (!places.platform || !places.infra) return cli_fault(cli, PX_F_OOM, "%s", text);
    exit = config_find(cli, &places, &then);
    if (exit == CLI_OK) exit = rendering(cli, then, environment, ret);
    ret->name = px_str_c(text);
    return exit;
}

static int side(struct cli *cli, const struct config_schema *schema, const char *text,
                struct config_rendering *ret)
{
    struct stat st;
    if (strchr(text, '/') && stat(text, &st) == 0 && S_ISDIR(st.st_mode)) {
        int r = config_rendering_of_folder(text, &cli->arena, ret);
        return r == 0 ? CLI_OK : cli_fault(cli, r, "%s", text);
    }
    if (strchr(text, ':')) return at_revision(cli, schema, text, ret);
    return rendering(cli, schema, text, ret);
}

/* ---- what is said ---- */

static void value(struct px_buf *to, yyjson_val *val)
{
    if (val)
        px_buf_add_json(to, val);
    else
        px_buf_add_c(to, "null");
}

static void say_json(struct px_buf *to, const struct config_rendering *left,
                     const struct config_rendering *right, const struct config_difference *all,
                     size_t count)
{
    px_buf_add_c(to, "{\"left\":");
    px_buf_add_json_str(to, left->name);
    px_buf_add_c(to, ",\"right\":");
    px_buf_add_json_str(to, right->name);
    px_buf_add_c(to, ",\"differences\":[");
    for (size_t i = 0; i < count; i++) {
        px_buf_add_c(to, i > 0 ? ",{\"key\":" : "{\"key\":");
        px_buf_add_json_str(to, all[i].key);
        px_buf_printf(to, ",\"change\":\"%s\",\"left\":",
                      !all[i].left    ? "added"
                      : !all[i].right ? "removed"
                                      : "changed");
        value(to, all[i].left);
        px_buf_add_c(to, ",\"right\":");
        value(to, all[i].right);
        px_buf_add_char(to, '}');
    }
    px_buf_add_c(to, "]}\n");
}

static void shown(struct px_buf *to, yyjson_val *val)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, (size_t)8 << 20);
    px_buf_add_json(&text, val);
    glyph_add(to, px_buf_str(&text), false);
}

static void say(struct px_buf *to, const struct config_rendering *left,
                const struct config_rendering *right, const struct config_difference *all,
                size_t count)
{
    px_buf_printf(to, "--- %.*s\n+++ %.*s\n", PX_FMT(left->name), PX_FMT(right->name));
    for (size_t i = 0; i < count; i++) {
        px_buf_printf(to, "%c ", !all[i].left ? '+' : !all[i].right ? '-' : '~');
        glyph_add(to, all[i].key, false);
        px_buf_add_c(to, ": ");
        if (all[i].left) shown(to, all[i].left);
        if (all[i].left && all[i].right) px_buf_add_c(to, " -> ");
        if (all[i].right) shown(to, all[i].right);
        px_buf_add_char(to, '\n');
    }
    if (count == 0) px_buf_add_c(to, "no difference\n");
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count;
    const struct diff_values *v = values;
    struct config_schema *schema = NULL;
    struct config_rendering left = {0}, right = {0};
    struct config_difference *all = NULL;
    size_t count = 0;
    int exit = config_find(cli, &v->places, &schema);
    if (exit == CLI_OK) exit = side(cli, schema, args[0], &left);
    if (exit == CLI_OK) exit = side(cli, schema, args[1], &right);
    if (exit != CLI_OK) return exit;
    int r = config_diff(&left, &right, &cli->arena, &all, &count);
    if (r != 0) return cli_fault(cli, r, "differences");
    PX_AUTO(px_buf_deinit) struct px_buf out;
    px_buf_init(&out, (size_t)64 << 20);
    (cli->json ? say_json : say)(&out, &left, &right, all, count);
    if (px_buf_fault(&out) != 0) return cli_fault(cli, px_buf_fault(&out), "differences");
    (void)fwrite(out.ptr, 1, out.len, cli->out);
    return CLI_OK;
}

const struct cli_verb config_diff_verb = {
    .name = "diff",
    .arguments = "A B",
    .summary = "what differs between two environments, renderings or revisions",
    .details =
        "A and B each are an environment (prod), a folder that was rendered into (./build/config/prod, with a slash in it), or an environment "
        "at a revision of git (v1.2:prod, HEAD~1:prod). What is compared is what would be rendered; - is in A alone, + in B alone, ~ in both.",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct diff_values),
    .args_min = 2,
    .args_max = 2,
    .without_data = true,
    .run = run,
};
