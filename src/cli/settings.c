/* cli/settings.c - environment, data folder, install layout.
 *
 * Layout: <dir>/prism with <dir>/fn and <dir>/platform (build tree), or <prefix>/bin/prism with
 * <prefix>/libexec/prism/fn and <prefix>/share/prism/platform. <dir> comes from /proc/self/exe, so a
 * symbolic link to the program works as well as the program. */
#include "cli/settings.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_json.h"
#include "config/local.h"

#define KEY_FILE_BYTES_MAX 4096

static const char *default_data_dir(struct cli *cli)
{
    const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (xdg && xdg[0] == '/') return px_arena_printf(&cli->arena, "%s/prism", xdg).ptr;
    if (home && home[0]) return px_arena_printf(&cli->arena, "%s/.local/share/prism", home).ptr;
    return NULL;
}

int settings_from_environment(struct cli *cli)
{
    const char *data = getenv("PRISM_DATA"), *port = getenv("PRISM_PORT"),
               *key = getenv("PRISM_KEY");
    cli->data_dir = data && data[0] ? data : default_data_dir(cli);
    cli->key = key && key[0] ? key : NULL;
    if (!port || !port[0]) return CLI_OK;
    if (!px_str_to_i64(px_str_c(port), &cli->port) || cli->port < 1 || cli->port > 65535)
        return cli_fail(cli, CLI_USAGE, "PRISM_PORT is from 1 to 65535, not '%s'", port);
    return CLI_OK;
}

const char *settings_path(struct cli *cli, const char *name)
{
    const char *path = px_arena_printf(&cli->arena, "%s/%s", cli->data_dir, name).ptr;
    PX_ASSERT(path); /* the command's arena holds a few paths */
    return path;
}

bool settings_is_fleet(struct cli *cli)
{
    return access(settings_path(cli, "fleet.json"), F_OK) == 0;
}

int settings_of_region(struct cli *cli)
{
    yyjson_val *root = NULL;
    if (!settings_is_fleet(cli)) { /* the folder of one region, by its own name */
        int r = px_json_load(settings_path(cli, "prism.json"), 64 * 1024, &cli->arena, &root);
        if (r == 0 && px_str_eq(px_json_str(root, "region"), px_str_c(cli->region))) return CLI_OK;
        return cli_fail(cli, CLI_NOT_RUNNING, "%s has no region %s", cli->data_dir, cli->region);
    }
    struct px_str below = px_arena_printf(&cli->arena, "%s/regions/%s", cli->data_dir, cli->region);
    if (!below.ptr) return cli_fault(cli, PX_F_OOM, "data folder");
    if (strchr(cli->region, '/') || access(below.ptr, F_OK) != 0)
        return cli_fail(cli, CLI_NOT_RUNNING, "%s has no region %s; see prism region list",
                        cli->data_dir, cli->region);
    cli->data_dir = below.ptr;
    cli->port = 0; /* of the router, where it was given */
    return CLI_OK;
}

int64_t settings_port(struct cli *cli)
{
    if (cli->port != 0) return cli->port;
    yyjson_val *root = NULL;
    const char *memory = settings_is_fleet(cli) ? "fleet.json" : "prism.json";
    int r = px_json_load(settings_path(cli, memory), 64 * 1024, &cli->arena, &root);
    int64_t port = r == 0 ? px_json_i64(root, "port", 0) : 0;
    return port > 0 && port <= 65535 ? port : CLI_PORT_DEFAULT;
}

int settings_key(struct cli *cli, const char *file, struct px_str *ret_key)
{
    if (cli->key) {
        *ret_key = px_str_c(cli->key);
        return CLI_OK;
    }
    const char *path = settings_path(cli, file);
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, KEY_FILE_BYTES_MAX);
    int r = px_file_read(path, &text);
    if (r == PX_FILE_ABSENT)
        return cli_fail(cli, CLI_NOT_RUNNING,
                        "no region was ever started on %s: start one with prism up, name the data "
                        "folder of another with --data, or give --key and --port",
                        cli->data_dir);
    if (r != 0) return cli_fault(cli, r < 0 ? r : PX_F_CONFIG, "cannot read %s", path);
    struct px_str key = px_arena_dup(&cli->arena, px_str_trim(px_buf_str(&text)));
    if (!key.ptr) return cli_fault(cli, PX_F_OOM, "key");
    *ret_key = key;
    return CLI_OK;
}

int settings_reach(struct cli *cli, const char *data_dir, int64_t *ret_port, struct px_str *ret_key)
{
    const char *own = cli->data_dir;
    int64_t own_port = cli->port;
    cli->data_dir = data_dir;
    cli->port = 0;
    *ret_port = settings_port(cli);
    int exit = settings_key(cli, "admin.key", ret_key);
    cli->data_dir = own;
    cli->port = own_port;
    return exit;
}

/* The folder that the program stands in. */
static const char *program_dir(struct cli *cli)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0) return NULL;
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    return slash ? px_arena_cstr(&cli->arena, px_str(path, (size_t)(slash - path))) : NULL;
}

static const char *first_present(struct cli *cli, const char *const *below, size_t count,
                                 const char *needed)
{
    const char *dir = program_dir(cli);
    for (size_t i = 0; dir && i < count; i++) {
        struct px_str path = px_arena_printf(&cli->arena, "%s/%s", dir, below[i]);
        struct px_str file = px_arena_printf(&cli->arena, "%s/%s/%s", dir, below[i], needed);
        if (path.ptr && file.ptr && access(file.ptr, F_OK) == 0) return path.ptr;
    }
    return NULL;
}

const char *settings_functions_dir(struct cli *cli)
{
    static const char *const below[] = {"fn", "../libexec/prism/fn"};
    return first_present(cli, below, PX_COUNT(below), "ingest/bootstrap");
}

const char *settings_platform_dir(struct cli *cli)
{
    static const char *const below[] = {"platform", "../platform", "../share/prism/platform"};
    const char *found = first_present(cli, below, PX_COUNT(below), "functions.json");
#ifdef PRISM_SOURCE_PLATFORM
    if (!found && access(PRISM_SOURCE_PLATFORM "/functions.json", F_OK) == 0)
        found = PRISM_SOURCE_PLATFORM;
#endif
    return found;
}

const char *settings_built(struct cli *cli)
{
    static const char *const below[] = {".", "../share/prism"};
    const char *dir = first_present(cli, below, PX_COUNT(below), CONFIG_LOCAL_FILE);
    return dir ? px_arena_printf(&cli->arena, "%s/" CONFIG_LOCAL_FILE, dir).ptr : NULL;
}

const char *settings_edge_dir(struct cli *cli)
{
    static const char *const below[] = {"edge", "../edge", "../share/prism/edge"};
    const char *found = first_present(cli, below, PX_COUNT(below), "local.mjs");
#ifdef PRISM_SOURCE_EDGE
    if (!found && access(PRISM_SOURCE_EDGE "/local.mjs", F_OK) == 0) found = PRISM_SOURCE_EDGE;
#endif
    return found;
}

const char *settings_program(struct cli *cli)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    return n > 0 ? px_arena_cstr(&cli->arena, px_str(path, (size_t)n)) : NULL;
}

const char *settings_packable_dir(struct cli *cli, size_t i)
{
    static const char *const below[] = {"package", "../release/package", "../cross/package",
                                        "../libexec/prism", "../libexec/prism/cross"};
    const char *dir = program_dir(cli);
    if (!dir || i >= PX_COUNT(below)) return NULL;
    return px_arena_printf(&cli->arena, "%s/%s", dir, below[i]).ptr;
}
