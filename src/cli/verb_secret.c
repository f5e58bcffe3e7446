/* cli/verb_secret.c - `prism secret create|rotate|list|history`: of the region on the data folder, or of Secrets Manager by its URL.
 * Values come from a file or standard input, never from an argument, which all users of a machine see; none is ever shown. Every
 * change leaves a line in <data>/logs/audit.log; Secrets Manager's own trail is CloudTrail. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_id.h"
#include "cli/remote.h"
#include "cli/settings.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "store/secrets.h"
#include "svc/security/peppers.h"
#include "svc/security/rotation.h"
#include "svc/security/token_keys.h"

#define VALUE_BYTES_MAX 65536u /* Secrets Manager's limit */
#define CALL_TIMEOUT_MS 90000
#define LOOK_MS 500
#define DEATHS_MAX 3
#define RANDOM_BYTES 32

struct secret_values {
    const char *store, *environment, *service, *from;
    int64_t timeout_ms;
};
#define WHERE_OPTIONS                                                                              \
    {"store",                                                                                      \
     0,                                                                                            \
     CLI_TEXT,                                                                                     \
     offsetof(struct secret_values, store),                                                        \
     "URL",                                                                                        \
     "secretsmanager://PREFIX, or a folder of sealed secrets (default: the data folder's region)", \
     NULL,                                                                                         \
     0,                                                                                            \
     0},                                                                                           \
        {"environment",                                                                            \
         'e',                                                                                      \
         CLI_TEXT,                                                                                 \
         offsetof(struct secret_values, environment),                                              \
         "NAME",                                                                                   \
         "an environment on AWS: secretsmanager://prism/NAME",                                     \
         NULL,                                                                                     \
         0,                                                                                        \
         0},                                                                                       \
    {                                                                                              \
        "service", 0, CLI_TEXT, offsetof(struct secret_values, service), "NAME",                   \
            "secrets of one service: those below NAME/", NULL, 0, 0                                \
    }
static const struct cli_option where_options[] = {WHERE_OPTIONS};

/* ---- which store, which secret ---- */

struct place {
    struct cli *cli;
    const struct secret_values *v;
    struct px_str url;
    bool region; /* the data folder's, whose function rotates */
    struct secret_store *store;
};

static void place_close(struct place *place) { secret_store_close(&place->store); }

/* Where the region that the folder belongs to keeps its secrets; as region/homes.c has it. */
static int own_url(struct place *place)
{
    struct cli *cli = place->cli;
    yyjson_val *root = NULL;
    if (settings_is_fleet(cli))
        return cli_fail(cli, CLI_USAGE, "%s has several regions: say --region NAME", cli->data_dir);
    int r = px_json_load(settings_path(cli, "prism.json"), 64 * 1024, &cli->arena, &root);
    if (r != 0)
        return cli_fail(cli, CLI_NOT_RUNNING,
                        "no region was ever started on %s: start one with prism up, or say which "
                        "secrets with --store",
                        cli->data_dir);
    yyjson_val *aws = px_json_obj(root, "aws");
    struct px_str endpoint = px_json_str(aws, "endpoint");
    place->region = true;
    place->url = px_str_c(settings_path(cli, "secrets"));
    if (endpoint.len == 0) return CLI_OK;
    place->url = px_arena_printf(&cli->arena, "secretsmanager://%.*s",
                                 PX_FMT(px_json_str(aws, "prefix")));
    const char *text = px_arena_cstr(&cli->arena, endpoint);
    if (!text || setenv("AWS_ENDPOINT_URL", text, 0) != 0 ||
        setenv("AWS_REGION", "us-east-1", 0) != 0)
        return cli_fault(cli, PX_F_OOM, "secrets");
    return CLI_OK;
}

static int place_open(struct cli *cli, const struct secret_values *v, struct place *place)
{
    *place = (struct place){.cli = cli, .v = v, .url = px_str_c(v->store)};
    if (v->store && v->environment)
        return cli_fail(cli, CLI_USAGE, "--store or --environment, not both");
    if (v->environment)
        place->url = px_arena_printf(&cli->arena, "secretsmanager://prism/%s", v->environment);
    int exit = place->url.len > 0 ? CLI_OK : own_url(place);
    if (exit != CLI_OK) return exit;
    int r = secret_store_open(place->url, NULL, &place->store);
    return r == 0 ? CLI_OK : cli_fault(cli, r, "%.*s", PX_FMT(place->url));
}

static int name_of(const struct place *place, const char *argument, struct px_str *ret_name)
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

/* ---- who did what ---- */

static const char *who(char *buf, size_t bytes)
{
    struct passwd about, *found = NULL;
    char room[4096];
    bool known = getpwuid_r(getuid(), &about, room, sizeof room, &found) == 0 && found;
    (void)snprintf(buf, bytes, "%s(%u)", known ? about.pw_name : "", (unsigned)getuid());
    return buf;
}

struct deed {
    const char *verb;
    struct px_str secret, version;
    const char *outcome;
};
/* A change that was made stays made when the line cannot be written; that is said, then. */
static void audit(const struct place *place, const struct deed *deed)
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

/* ---- create ---- */

static const struct cli_option create_options[] = {
    {"from", 'f', CLI_TEXT, offsetof(struct secret_values, from), "FILE",
     "the value; - is standard input (default: Prism makes one)", NULL, 0, 0},
    WHERE_OPTIONS};

static void buf_wipe(struct px_buf *buf)
{
    secret_wipe(px_str(buf->ptr, buf->cap));
    px_buf_deinit(buf);
}

static int read_value(struct cli *cli, const char *from, struct px_buf *value)
{
    PX_AUTO(px_close) int opened = strcmp(from, "-") == 0 ? -1 : open(from, O_RDONLY | O_CLOEXEC);
    int fd = strcmp(from, "-") == 0 ? STDIN_FILENO : opened;
    if (fd < 0) return cli_fail(cli, CLI_FAILED, "%s cannot be read: %m", from);
    char *room = px_buf_reserve(value, VALUE_BYTES_MAX + 2); /* once: nothing is left elsewhere */
    if (!room) return cli_fault(cli, px_buf_fault(value), "the value");
    for (ssize_t n; (n = TEMP_FAILURE_RETRY(
                         read(fd, room + value->len, VALUE_BYTES_MAX + 2 - value->len))) != 0;) {
        if (n < 0) return cli_fail(cli, CLI_FAILED, "%s cannot be read: %m", from);
        value->len += (size_t)n;
        if (value->len == VALUE_BYTES_MAX + 2) break;
    }
    if (value->len > 0 && value->ptr[value->len - 1] == '\n') value->len--; /* an editor's */
    if (value->len == 0 || value->len > VALUE_BYTES_MAX)
        return cli_fail(cli, CLI_USAGE, "a secret has 1 to %u bytes", VALUE_BYTES_MAX);
    return CLI_OK;
}

/* What the platform's own secrets begin with, or something random. */
static int make_value(struct cli *cli, struct px_str name, struct px_buf *value)
{
    unsigned char raw[RANDOM_BYTES];
    char hex[2 * RANDOM_BYTES + 1];
    int r = 0;
    if (px_str_ends(name, TOKEN_SECRET)) {
        r = token_keys_add(NULL, px_wall_ns(cli->clock), value);
    } else {
        px_random(raw, sizeof raw);
        px_hex(raw, sizeof raw, hex);
        px_buf_add_str(value, px_str(hex, sizeof hex - 1));
        explicit_bzero(raw, sizeof raw);
        explicit_bzero(hex, sizeof hex);
        r = px_buf_fault(value);
    }
    return r == 0 ? CLI_OK : cli_fault(cli, r, "the value");
}

static int current_id(const struct place *place, struct px_str name, struct px_str *ret_id)
{
    struct secret_info info = {0};
    int r = secret_describe(place->store, name, SECRET_STAGES, &place->cli->arena, &info);
    const struct secret_state *current = secret_at(&info, SECRET_CURRENT);
    if (r == 0 && current) *ret_id = current->id;
    return r;
}

static int run_create(struct cli *cli, const void *values, int arg_count, char **args)
{
    const struct secret_values *v = values;
    PX_AUTO(place_close) struct place place = {0};
    PX_AUTO(buf_wipe) struct px_buf value;
    struct px_str name = {0}, id = {0};
    (void)arg_count;
    px_buf_init(&value, VALUE_BYTES_MAX + 16);
    int exit = place_open(cli, v, &place);
    if (exit == CLI_OK) exit = name_of(&place, args[0], &name);
    if (exit == CLI_OK && v->from) exit = read_value(cli, v->from, &value);
    if (exit == CLI_OK && !v->from) exit = make_value(cli, name, &value);
    if (exit != CLI_OK) return exit;
    int r = secret_create(place.store, name, px_buf_str(&value));
    if (r == SECRET_TAKEN)
        return cli_fail(cli, CLI_REFUSED,
                        "secret %.*s exists: prism secret rotate gives it a new value",
                        PX_FMT(name));
    if (r != 0) return cli_fault(cli, r, "secret %.*s", PX_FMT(name));
    (void)current_id(&place, name, &id);
    audit(&place, &(struct deed){"create", name, id, "done"});
    if (cli->json)
        (void)fprintf(cli->out, "{\"secret\":\"%.*s\",\"version\":\"%.*s\"}\n", PX_FMT(name),
                      PX_FMT(id));
    else
        (void)fprintf(cli->out, "created secret %.*s\n", PX_FMT(name));
    return CLI_OK;
}

static const struct cli_verb create = {
    .name = "create",
    .arguments = "NAME",
    .summary = "create a secret",
    .details =
        "The value is read from a file or standard input; without --from Prism makes a random one, and for "
        "token-signing-key a key. It is never shown again.",
    CLI_OPTIONS(create_options),
    .values_bytes = sizeof(struct secret_values),
    .args_min = 1,
    .args_max = 1,
    .run = run_create,
};

/* ---- rotate ---- */

static const struct cli_option rotate_options[] = {
    {"timeout", 't', CLI_TIME, offsetof(struct secret_values, timeout_ms), "TIME",
     "how long to wait for Secrets Manager's rotation (default 2m)", NULL, 0, 0},
    WHERE_OPTIONS};
static const struct secret_values rotate_defaults = {.timeout_ms = 120000};

struct rotating {
    struct place place;
    struct px_str name, id;
    bool resumed; /* somebody began it */
};

/* One step by the region's function, with Secrets Manager's own event. ret_type: of a function error; empty: none. */
static int call_step(const struct rotating *it, struct remote *remote, int step, bool may_retry,
                     struct px_str *ret_type)
{
    struct cli *cli = it->place.cli;
    struct http_response response;
    yyjson_val *root = NULL;
    PX_AUTO(px_buf_deinit) struct px_buf event;
    px_buf_init(&event, 4096);
    px_buf_printf(&event, "{\"Step\":\"%s\",\"SecretId\":", rotation_step_names[step]);
    px_buf_add_json_str(&event, it->name);
    px_buf_add_c(&event, ",\"ClientRequestToken\":");
    px_buf_add_json_str(&event, it->id);
    px_buf_add_char(&event, '}');
    const struct remote_call call = {.method = "POST",
                                     .path = S("/2015-03-31/functions/rotation/invocations"),
                                     .body = px_buf_str(&event)};
    if (px_buf_fault(&event)) return cli_fault(cli, px_buf_fault(&event), "an event");
    int exit = remote_run(remote, &call, &response);
    if (exit != CLI_OK) return exit;
    *ret_type = (struct px_str){0};
    if (http_response_header(&response, S("X-Amz-Function-Error")).len == 0) return CLI_OK;
    if (px_json_parse(response.body, &cli->arena, &root, NULL) != 0) root = NULL;
    *ret_type = px_json_str(root, "errorType");
    if (px_str_eq(*ret_type, S("Overtaken")) && it->resumed) return CLI_OK;
    if (may_retry && px_str_eq(*ret_type, S("Runtime.ExitError"))) return CLI_OK;
    return cli_fail(cli, CLI_REGION_ERROR, "secret %.*s: %s: %.*s", PX_FMT(it->name),
                    rotation_step_names[step], PX_FMT(px_json_str(root, "errorMessage")));
}

static void fresh_id(struct rotating *it)
{
    char id[37];
    px_uuid7(px_wall_ns(it->place.cli->clock), id);
    it->id = px_arena_dup(&it->place.cli->arena, px_str_c(id));
    it->resumed = false;
}

/* What was begun on a value that has changed since cannot end; it is dropped once, and the rotation begins anew. A step
 * whose function was killed is called again, as Secrets Manager does: it may have done all of it, or nothing. */
static int rotate_here(struct rotating *it)
{
    struct remote remote;
    struct px_str type = {0};
    int exit = remote_open_control(it->place.cli, CALL_TIMEOUT_MS, &remote);
    if (exit != CLI_OK) return exit;
    int deaths = 0;
    for (int step = 0; exit == CLI_OK && step < ROTATION_STEPS; step++) {
        exit = call_step(it, &remote, step, deaths < DEATHS_MAX, &type);
        if (exit != CLI_OK || type.len == 0) continue;
        if (px_str_eq(type, S("Runtime.ExitError"))) {
            deaths++;
            step--;
            continue;
        }
        int r = secret_abandon(it->place.store, it->name, it->id);
        if (r < 0) exit = cli_fault(it->place.cli, r, "secret %.*s", PX_FMT(it->name));
        fresh_id(it);
        step = -1;
    }
    remote_close(&remote);
    return exit;
}

static int rotate_there(struct rotating *it)
{
    struct cli *cli = it->place.cli;
    int64_t until_ns = px_mono_ns(cli->clock) + it->place.v->timeout_ms * PX_NS_PER_MS;
    int r = it->resumed ? 0 : secret_rotate(it->place.store, it->name, it->id);
    if (r < 0) return cli_fault(cli, r, "secret %.*s", PX_FMT(it->name));
    for (;;) {
        struct px_str id = {0};
        r = current_id(&it->place, it->name, &id);
        if (r < 0) return cli_fault(cli, r, "secret %.*s", PX_FMT(it->name));
        if (px_str_eq(id, it->id)) return CLI_OK;
        if (px_mono_ns(cli->clock) >= until_ns)
            return cli_fail(cli, CLI_FAILED,
                            "secret %.*s: Secrets Manager has not ended the rotation yet; the "
                            "current value stays meanwhile",
                            PX_FMT(it->name));
        (void)nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * PX_NS_PER_MS}, NULL);
    }
}

static int find_id(struct rotating *it)
{
    struct cli *cli = it->place.cli;
    struct secret_info info = {0};
    int r = secret_describe(it->place.store, it->name, SECRET_STAGES, &cli->arena, &info);
    if (r == SECRET_ABSENT)
        return cli_fail(cli, CLI_REFUSED, "there is no secret %.*s", PX_FMT(it->name));
    if (r != 0) return cli_fault(cli, r, "secret %.*s", PX_FMT(it->name));
    const struct secret_state *pending = secret_at(&info, SECRET_PENDING);
    fresh_id(it);
    it->resumed = pending && pending != secret_at(&info, SECRET_CURRENT);
    if (it->resumed) it->id = pending->id;
    return CLI_OK;
}

static int run_rotate(struct cli *cli, const void *values, int arg_count, char **args)
{
    PX_AUTO(place_close) struct place place = {0};
    struct rotating it = {0};
    (void)arg_count;
    int exit = place_open(cli, values, &place);
    if (exit != CLI_OK) return exit;
    it.place = place;
    exit = name_of(&place, args[0], &it.name);
    if (exit == CLI_OK && !rotation_knows(it.name))
        exit = cli_fail(cli, CLI_REFUSED, "secret %.*s: nothing here knows how to rotate it",
                        PX_FMT(it.name));
    if (exit == CLI_OK) exit = find_id(&it);
    if (exit != CLI_OK) return exit;
    exit = place.region ? rotate_here(&it) : rotate_there(&it);
    audit(&place, &(struct deed){"rotate", it.name, it.id, exit == CLI_OK ? "done" : "failed"});
    if (exit != CLI_OK) return exit;
    if (cli->json)
        (void)fprintf(cli->out, "{\"secret\":\"%.*s\",\"version\":\"%.*s\",\"resumed\":%s}\n",
                      PX_FMT(it.name), PX_FMT(it.id), it.resumed ? "true" : "false");
    else
        (void)fprintf(cli->out, "secret %.*s has a new value%s\n", PX_FMT(it.name),
                      it.resumed ? ": the rotation that was begun has ended" : "");
    return CLI_OK;
}

static const struct cli_verb rotate = {
    .name = "rotate",
    .arguments = "NAME",
    .summary = "give a secret a new value, which nobody who uses it notices",
    .details =
        "Of a region here by its function `rotation`, in the four steps of Secrets Manager; on AWS Secrets Manager is asked to. A "
        "rotation that was begun and not ended is ended.",
    CLI_OPTIONS(rotate_options),
    .values_bytes = sizeof(struct secret_values),
    .defaults = &rotate_defaults,
    .args_min = 1,
    .args_max = 1,
    .run = run_rotate,
};

/* ---- list, history ---- */

static struct px_str time_cell(struct cli *cli, int64_t wall_ns)
{
    char text[32];
    return wall_ns == 0 ? (struct px_str){0}
                        : px_arena_dup(&cli->arena, px_time_format(wall_ns, 0, text));
}

static struct px_str stages_cell(struct cli *cli, unsigned stages)
{
    static const char *const words[] = {"current", "previous", "pending"};
    struct px_str text = {0};
    for (unsigned i = 0; i < PX_COUNT(words); i++)
        if (stages & (1u << i))
            text = px_arena_printf(&cli->arena, "%.*s%s%s", PX_FMT(text), text.len > 0 ? "," : "",
                                   words[i]);
    return text;
}

/* A table for people, a list of objects for programs: the same cells. */
static void print(struct cli *cli, struct table *table, const char *what)
{
    if (!cli->json) {
        table_print(table, table_terminal_width(cli->out), cli->out);
        return;
    }
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 1u << 20);
    px_buf_printf(&json, "{\"%s\":[", what);
    for (size_t row = 0; row < table->row_count; row++) {
        for (size_t i = 0; i < table->column_count; i++) {
            px_buf_add_c(&json, i > 0 ? "," : row > 0 ? ",{" : "{");
            px_buf_add_char(&json, '"');
            for (size_t k = 0; k < table->columns[i].name.len; k++)
                px_buf_add_char(&json, (char)(table->columns[i].name.ptr[k] | 0x20));
            px_buf_add_c(&json, "\":");
            px_buf_add_json_str(&json, table->cells[row * table->column_count + i]);
        }
        px_buf_add_char(&json, '}');
    }
    (void)fprintf(cli->out, "%.*s]}\n", PX_FMT(px_buf_str(&json)));
}

static int add_secret(const struct place *place, struct table *table, struct px_str name)
{
    struct cli *cli = place->cli;
    struct secret_info info = {0};
    int r = secret_describe(place->store, name, SECRET_HISTORY, &cli->arena, &info);
    if (r == SECRET_ABSENT) return 0; /* it went just now */
    PX_TRY(r);
    const struct secret_state *current = secret_at(&info, SECRET_CURRENT);
    const struct secret_state *pending = secret_at(&info, SECRET_PENDING);
    struct px_str *row = table_row(table);
    if (!row) return px_arena_fault(&cli->arena);
    row[0] = name;
    row[1] = rotation_knows(name) ? S("yes") : S("no");
    row[2] = time_cell(cli, current ? current->created_ns : 0);
    row[3] = time_cell(cli, info.rotated_ns);
    row[4] = pending && pending != current ? pending->id : (struct px_str){0};
    return 0;
}

static int run_list(struct cli *cli, const void *values, int arg_count, char **args)
{
    static const char *const names[] = {"NAME", "ROTATES", "SINCE", "ROTATED", "PENDING", NULL};
    const struct secret_values *v = values;
    PX_AUTO(place_close) struct place place = {0};
    struct px_str *list = NULL;
    struct table table;
    size_t count = 0;
    (void)arg_count, (void)args;
    int exit = place_open(cli, v, &place);
    if (exit != CLI_OK) return exit;
    struct px_str below = v->service ? px_arena_printf(&cli->arena, "%s/", v->service)
                                     : (struct px_str){0};
    int r = table_init(&table, &cli->arena, names);
    if (r == 0) r = secret_list(place.store, &cli->arena, &list, &count);
    for (size_t i = 0; r == 0 && i < count; i++)
        if (px_str_starts(list[i], below)) r = add_secret(&place, &table, list[i]);
    if (r != 0) return cli_fault(cli, r, "%.*s", PX_FMT(place.url));
    print(cli, &table, "secrets");
    return CLI_OK;
}

static const struct cli_verb list = {
    .name = "list",
    .summary = "list secrets: what rotates them, since when their values are",
    CLI_OPTIONS(where_options),
    .values_bytes = sizeof(struct secret_values),
    .run = run_list,
};

static int run_history(struct cli *cli, const void *values, int arg_count, char **args)
{
    static const char *const names[] = {"VERSION", "STAGES", "CREATED", NULL};
    PX_AUTO(place_close) struct place place = {0};
    struct secret_info info = {0};
    struct table table;
    struct px_str name = {0};
    (void)arg_count;
    int exit = place_open(cli, values, &place);
    if (exit == CLI_OK) exit = name_of(&place, args[0], &name);
    if (exit != CLI_OK) return exit;
    int r = secret_describe(place.store, name, SECRET_HISTORY, &cli->arena, &info);
    if (r == SECRET_ABSENT)
        return cli_fail(cli, CLI_REFUSED, "there is no secret %.*s", PX_FMT(name));
    if (r == 0) r = table_init(&table, &cli->arena, names);
    for (size_t i = 0; r == 0 && i < info.count; i++) {
        struct px_str *row = table_row(&table);
        if (!row) return cli_fault(cli, PX_F_OOM, "history");
        row[0] = info.versions[i].id;
        row[1] = stages_cell(cli, info.versions[i].stages);
        row[2] = time_cell(cli, info.versions[i].created_ns);
    }
    if (r != 0) return cli_fault(cli, r, "secret %.*s", PX_FMT(name));
    print(cli, &table, "versions");
    return CLI_OK;
}

static const struct cli_verb history = {
    .name = "history",
    .arguments = "NAME",
    .summary = "a secret's versions, newest first, with their stages; never their values",
    CLI_OPTIONS(where_options),
    .values_bytes = sizeof(struct secret_values),
    .args_min = 1,
    .args_max = 1,
    .run = run_history,
};

static const struct cli_verb *const verbs[] = {&create, &rotate, &list, &history, NULL};
const struct cli_verb verb_secret = {
    .name = "secret",
    .arguments = "VERB ...",
    .summary = "create, rotate and list secrets",
    .verbs = verbs,
};
