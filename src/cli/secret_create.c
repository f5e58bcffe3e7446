/* cli/secret_create.c - `prism secret create`. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_id.h"
#include "cli/secret.h"
#include "svc/security/token_keys.h"

#define VALUE_BYTES_MAX 65536u /* Secrets Manager's limit */
#define RANDOM_BYTES 32

static const struct cli_option create_options[] = {
    {"from", 'f', CLI_TEXT, offsetof(struct secret_values, from), "FILE",
     "the value; - is standard input (default: Prism makes one)", NULL, 0, 0},
    SECRET_WHERE_OPTIONS};

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

static int run_create(struct cli *cli, const void *values, int arg_count, char **args)
{
    const struct secret_values *v = values;
    PX_AUTO(secret_place_close) struct secret_place place = {0};
    PX_AUTO(buf_wipe) struct px_buf value;
    struct px_str name = {0}, id = {0};
    (void)arg_count;
    px_buf_init(&value, VALUE_BYTES_MAX + 16);
    int exit = secret_place_open(cli, v, &place);
    if (exit == CLI_OK) exit = secret_name_of(&place, args[0], &name);
    if (exit == CLI_OK && v->from) exit = read_value(cli, v->from, &value);
    if (exit == CLI_OK && !v->from) exit = make_value(cli, name, &value);
    if (exit != CLI_OK) return exit;
    int r = secret_create(place.store, name, px_buf_str(&value));
    if (r == SECRET_TAKEN)
        return cli_fail(cli, CLI_REFUSED,
                        "secret %.*s exists: prism secret rotate gives it a new value",
                        PX_FMT(name));
    if (r != 0) return cli_fault(cli, r, "secret %.*s", PX_FMT(name));
    (void)!secret_current_id(&place, name, &id);
    secret_audit(&place, &(struct secret_deed){"create", name, id, "done"});
    if (cli->json)
        (void)fprintf(cli->out, "{\"secret\":\"%.*s\",\"version\":\"%.*s\"}\n", PX_FMT(name),
                      PX_FMT(id));
    else
        (void)fprintf(cli->out, "created secret %.*s\n", PX_FMT(name));
    return CLI_OK;
}

const struct cli_verb secret_verb_create = {
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
