/* cli/guide.c - lines to copy. */
#include "cli/guide.h"

#include <errno.h>

#include "base/px_buf.h"
#include "base/px_json.h"
#include "cli/settings.h"

static void print_json(struct cli *cli, const struct guide *guide, FILE *to)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 64 * 1024);
    px_buf_printf(&json, "{\"endpoint\":\"http://127.0.0.1:%d\",\"port\":%d,\"pid\":%lld,\"data\":",
                  (int)guide->port, (int)guide->port, (long long)guide->pid);
    px_buf_add_json_str(&json, px_str_c(cli->data_dir));
    px_buf_printf(&json, ",\"created\":%s,\"already_running\":%s",
                  guide->created ? "true" : "false", guide->already_running ? "true" : "false");
    if (guide->tenant.len > 0) {
        px_buf_add_c(&json, ",\"tenant\":");
        px_buf_add_json_str(&json, guide->tenant);
    }
    if (guide->key.len > 0) {
        px_buf_add_c(&json, ",\"key\":");
        px_buf_add_json_str(&json, guide->key);
    }
    if (guide->tls_port) {
        px_buf_printf(&json, ",\"tls\":{\"endpoint\":\"https://localhost:%d\",\"port\":%d",
                      (int)guide->tls_port, (int)guide->tls_port);
        if (guide->tls_own) {
            px_buf_add_c(&json, ",\"authority\":");
            px_buf_add_json_str(&json, px_str_c(settings_path(cli, "tls/ca.pem")));
        }
        px_buf_add_char(&json, '}');
    }
    if (guide->regions.len > 0) {
        px_buf_add_c(&json, ",\"regions\":");
        px_buf_add_str(&json, guide->regions);
    }
    px_buf_add_c(&json, "}\n");
    (void)fwrite(json.ptr, 1, json.len, to);
}

/* For a shell: as it stands, or between single quotes. */
static const char *quoted(struct cli *cli, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:=@";
    if (text[0] && text[strspn(text, plain)] == '\0') return text;
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 64 * 1024);
    px_buf_add_char(&buf, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            px_buf_add_c(&buf, "'\\''");
        else
            px_buf_add_char(&buf, *text);
    }
    px_buf_add_char(&buf, '\'');
    const char *copy = px_arena_cstr(&cli->arena, px_buf_str(&buf));
    return copy ? copy : "";
}

/* How other calls of the command find this data folder. */
static const char *command(struct cli *cli)
{
    struct cli plain = {.arena = {0}, .err = stderr, .out = stdout};
    px_arena_init(&plain.arena, 64 * 1024);
    /* as it was called: a build tree is not on the PATH */
    const char *text = quoted(cli, program_invocation_name);
    bool found = settings_from_environment(&plain) == CLI_OK && plain.data_dir &&
                 strcmp(plain.data_dir, cli->data_dir) == 0;
    if (!found)
        text = px_arena_printf(&cli->arena, "%s --data %s", text, quoted(cli, cli->data_dir)).ptr;
    px_arena_deinit(&plain.arena);
    return text ? text : "prism";
}

static void print_requests(const char *endpoint, const char *key, FILE *to)
{
    (void)fprintf(to,
                  "\nSend a log record, as NDJSON or over OTLP:\n"
                  "  curl -sS %s/v1/ingest/app -H \"Authorization: Bearer %s\" \\\n"
                  "    -H 'Content-Type: application/x-ndjson' \\\n"
                  "    -d '{\"service\":\"web\",\"message\":\"hello\"}'\n"
                  "  curl -sS %s/v1/logs -H \"Authorization: Bearer %s\" \\\n"
                  "    -H 'Content-Type: application/json' \\\n"
                  "    -d '{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":"
                  "[{\"severityText\":\"INFO\",\"body\":{\"stringValue\":\"hello\"}}]}]}]}'\n",
                  endpoint, key, endpoint, key);
    (void)fprintf(to,
                  "\nOpenTelemetry collector:\n"
                  "  exporters:\n"
                  "    otlphttp/prism:\n"
                  "      endpoint: %s\n"
                  "      headers:\n"
                  "        Authorization: \"Bearer %s\"\n",
                  endpoint, key[0] == '$' ? "${env:PRISM_KEY}" : key);
}

/* The one line that lets curl trust it. */
static void print_tls(struct cli *cli, const struct guide *guide, FILE *to)
{
    if (!guide->tls_port) return;
    (void)fprintf(to, "  tls     https://localhost:%d", (int)guide->tls_port);
    if (guide->tls_own)
        (void)fprintf(to, "  (curl --cacert %s ...)",
                      quoted(cli, settings_path(cli, "tls/ca.pem")));
    (void)fputc('\n', to);
}

static void print_regions(struct cli *cli, struct px_str regions, FILE *to)
{
    size_t i, n;
    yyjson_val *root = NULL, *entry;
    if (regions.len == 0 || px_json_parse(regions, &cli->arena, &root, NULL) != 0) return;
    px_json_arr_foreach(root, i, n, entry)
    {
        (void)fprintf(to, "  region  %.*s at %.*s\n", PX_FMT(px_json_str(entry, "name")),
                      PX_FMT(px_json_str(entry, "endpoint")));
    }
}

void guide_print(struct cli *cli, const struct guide *guide, FILE *to)
{
    if (cli->json) {
        print_json(cli, guide, to);
        return;
    }
    const char *prism = command(cli);
    struct px_str endpoint = px_arena_printf(&cli->arena, "http://127.0.0.1:%d", (int)guide->port);
    struct px_str key = guide->key;
    if (key.len == 0)
        key = px_arena_printf(&cli->arena, "$(cat %s)",
                              quoted(cli, settings_path(cli, "tenant.key")));
    if (!endpoint.ptr || !key.ptr) return;
    (void)fprintf(to, "%s %s\n  data    %s\n",
                  guide->already_running   ? "A region runs already at"
                  : guide->regions.len > 0 ? "The regions are ready behind"
                                           : "The region is ready at",
                  endpoint.ptr, cli->data_dir);
    print_tls(cli, guide, to);
    print_regions(cli, guide->regions, to);
    if (guide->tenant.len > 0) (void)fprintf(to, "  tenant  %.*s\n", PX_FMT(guide->tenant));
    if (guide->key.len > 0)
        (void)fprintf(to, "  key     %.*s  (also in %s)\n", PX_FMT(guide->key),
                      settings_path(cli, "tenant.key"));
    if (guide->already_running) return;
    print_requests(endpoint.ptr, px_arena_cstr(&cli->arena, key), to);
    (void)fprintf(to,
                  "\nQuery and stop:\n"
                  "  %s query 'SELECT * FROM app'\n"
                  "  %s %s\n",
                  prism, prism, guide->detached ? "down" : "down    (or Ctrl-C here)");
    (void)fflush(to);
}
