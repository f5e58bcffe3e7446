/* cli/secret_place.c - see secret.h. */
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_json.h"
#include "cli/own_store.h"
#include "cli/secret.h"
#include "cli/settings.h"

void secret_place_close(struct secret_place *place) { secret_store_close(&place->store); }

int secret_place_open(struct cli *cli, const struct secret_values *v, struct secret_place *place)
{
    *place = (struct secret_place){.cli = cli, .v = v, .url = px_str_c(v->store)};
    if (v->store && v->environment)
        return cli_fail(cli, CLI_USAGE, "--store or --environment, not both");
    if (v->environment)
        place->url = px_arena_printf(&cli->arena, "secretsmanager://prism/%s", v->environment);
    int exit = CLI_OK;
    place->region = place->url.len == 0;
    if (place->region)
        exit = own_store_url(cli, "secrets", "secretsmanager", "secrets", &place->url);
    if (exit != CLI_OK) return exit;
    int r = secret_store_open(place->url, NULL, &place->store);
    return r == 0 ? CLI_OK : cli_fault(cli, r, "%.*s", PX_FMT(place->url));
}

int secret_name_of(const struct secret_place *place, const char *argument, struct px_str *ret_name)
{
    struct px_str name = px_str_c(argument);
    if (place->v->service)
        name = px_arena_printf(&place->cli->arena, "%s/%s", place->v->service, argument);
    if (!secret_name_ok(name))
        return cli_fail(place->cli, CLI_USAGE,
                        "'%.*s' is no name of a secret: 1 to 200 of A-Z a-z 0-9 / _ + = . @ -",
                        PX_FMT(name));
    *ret_name = name;
    return CLI_OK;
}

int secret_current_id(const struct secret_place *place, struct px_str name, struct px_str *ret_id)
{
    struct secret_info info = {0};
    int r = secret_describe(place->store, name, SECRET_STAGES, &place->cli->arena, &info);
    const struct secret_state *current = secret_at(&info, SECRET_CURRENT);
    if (r == 0 && current) *ret_id = current->id;
    return r;
}

/* ---- who did what ---- */

static const char *who(char *buf, size_t bytes)
{
    struct passwd about, *found = NULL;
    char room[4096];
    bool known = getpwuid_r(getuid(), &about, room, sizeof room, &found) == 0 && found;
    (void)snprintf(buf, bytes, "%s(%u)", known ? about.pw_name : "", (unsigned)getuid());
    return buf;
}

void secret_audit(const struct secret_place *place, const struct secret_deed *deed)
{
    struct cli *cli = place->cli;
    char time[32], user[128];
    PX_AUTO(px_buf_deinit) struct px_buf line;
    px_buf_init(&line, 8192);
    px_buf_add_c(&line, "{\"time\":");
    px_buf_add_json_str(&line, px_time_format(px_wall_ns(cli->clock), 3, time));
    px_buf_add_c(&line, ",\"user\":");
    px_buf_add_json_str(&line, px_str_c(who(user, sizeof user)));
    px_buf_printf(&line, ",\"action\":\"secret %s\",\"store\":", deed->verb);
    px_buf_add_json_str(&line, place->url);
    px_buf_add_c(&line, ",\"secret\":");
    px_buf_add_json_str(&line, deed->secret);
    px_buf_add_c(&line, ",\"version\":");
    px_buf_add_json_str(&line, deed->version);
    px_buf_printf(&line, ",\"outcome\":\"%s\"}\n", deed->outcome);
    const char *folder = settings_path(cli, "logs");
    const char *path = settings_path(cli, "logs/audit.log");
    int r = px_buf_fault(&line);
    if (r == 0) r = px_dir_make(folder);
    PX_AUTO(px_close)
    int fd = r == 0 ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd >= 0) r = px_file_write_all(fd, line.ptr, line.len);
    if (fd < 0 || r != 0)
        (void)fprintf(cli->err, "prism: %s: the line of this could not be written\n", path);
}
