/* cli/remote.c - one call, one answer, one sentence when it is not the wanted one. */
#include "cli/remote.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/px_json.h"
#include "cli/settings.h"

#define ANSWER_BYTES_MAX (256u << 20) /* what a verb holds in memory; larger results are streamed */
#define ERROR_BYTES_MAX 4096

int remote_open(struct cli *cli, const char *key_file, int timeout_ms, struct remote *ret_remote)
{
    struct px_str key;
    int exit = settings_key(cli, key_file, &key);
    if (exit != CLI_OK) return exit;
    struct px_str where = px_arena_printf(&cli->arena, "127.0.0.1:%d", (int)settings_port(cli));
    struct px_str authorization = px_arena_printf(&cli->arena, "Bearer %.*s", PX_FMT(key));
    struct http_client *client = NULL;
    if (!where.ptr || !authorization.ptr) return cli_fault(cli, PX_F_OOM, "connection");
    int r = http_client_new(where, timeout_ms, &client);
    if (r != 0) return cli_fault(cli, r, "connection to %s", where.ptr);
    *ret_remote = (struct remote){cli, client, authorization, where.ptr};
    return CLI_OK;
}

static int not_running(struct cli *cli)
{
    return cli_fail(cli, CLI_NOT_RUNNING, "no region is running on %s: start one with prism up",
                    cli->data_dir);
}

static int control_client(struct cli *cli, int timeout_ms, struct http_client **ret_client)
{
    struct px_str endpoint = px_arena_printf(&cli->arena, "unix:%s",
                                             settings_path(cli, "region.sock"));
    if (!endpoint.ptr) return px_arena_fault(&cli->arena);
    return http_client_new(endpoint, timeout_ms, ret_client);
}

int remote_open_control(struct cli *cli, int timeout_ms, struct remote *ret_remote)
{
    struct http_client *client = NULL;
    if (access(settings_path(cli, "region.sock"), F_OK) != 0)
        return errno == EACCES ? cli_fail(cli, CLI_FAILED, "%s: %s", cli->data_dir, strerror(errno))
                               : not_running(cli);
    int r = control_client(cli, timeout_ms, &client);
    if (r != 0) return cli_fault(cli, r, "control socket of %s", cli->data_dir);
    *ret_remote = (struct remote){cli, client, {0}, NULL};
    return CLI_OK;
}

bool remote_is_running(struct cli *cli)
{
    PX_AUTO(http_client_free) struct http_client *client = NULL;
    struct http_call call = {.method = "GET", .path = S("/status")};
    struct http_response response;
    if (control_client(cli, 2000, &client) != 0) return false;
    return http_client_call(client, &call, ANSWER_BYTES_MAX, NULL, NULL, &response) == 0;
}

void remote_close(struct remote *remote) { http_client_free(&remote->client); }

struct px_str remote_encode(struct px_arena *arena, struct px_str text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    char *out = px_arena_alloc(arena, text.len * 3 + 1), *at = out;
    if (!out) return (struct px_str){0};
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] && strchr(plain, text.ptr[i]))
            *at++ = text.ptr[i];
        else
            at += sprintf(at, "%%%02X", (unsigned char)text.ptr[i]);
    }
    *at = '\0';
    return px_str(out, (size_t)(at - out));
}

/* ---- answers that are none ---- */

static struct px_str one_line(struct px_str text)
{
    text = px_str_trim(text);
    for (size_t i = 0; i < text.len && i < 300; i++)
        if (text.ptr[i] == '\n') return px_str(text.ptr, i);
    return px_str(text.ptr, PX_MIN(text.len, 300));
}

int remote_refused(struct cli *cli, const struct http_response *response)
{
    yyjson_val *problem = NULL;
    struct px_str why = {0};
    if (px_json_parse(response->body, &cli->arena, &problem, NULL) == 0) {
        why = px_json_str(problem, "detail");
        if (why.len == 0) why = px_json_str(problem, "message");
        if (why.len == 0) why = px_json_str(problem, "errorMessage");
        if (why.len == 0) why = px_json_str(problem, "title");
    }
    if (why.len == 0) why = one_line(response->body);
    bool region_failed = response->status >= 500;
    return cli_fail(cli, region_failed ? CLI_REGION_ERROR : CLI_REFUSED, "%s (%d): %.*s",
                    region_failed ? "the region failed" : "refused", response->status, PX_FMT(why));
}

static int call_failed(struct remote *remote, int r)
{
    if (r == PX_F_UNAVAILABLE && !remote->where) return not_running(remote->cli);
    if (r == PX_F_UNAVAILABLE)
        return cli_fail(
            remote->cli, CLI_NOT_RUNNING,
            "nothing answers at %s: start a region with prism up, or name its data folder "
            "with --data (now %s) or its port with --port",
            remote->where, remote->cli->data_dir);
    if (r == PX_F_TIMEOUT)
        return cli_fail(remote->cli, CLI_FAILED, "no answer in time from %s",
                        remote->where ? remote->where : "the region");
    if (r == PX_F_PROTOCOL && http_client_status(remote->client) / 100 == 2)
        return cli_fail(remote->cli, CLI_REGION_ERROR,
                        "the region broke its answer off; a result may be over a limit of rows, "
                        "bytes or time: add LIMIT, aggregate, or bound --start and --end");
    return cli_fault(remote->cli, r, "the call to %s failed",
                     remote->where ? remote->where : "the region");
}

/* ---- calls ---- */

/* Hands the body of a good answer on; keeps the beginning of another for its message. */
struct sink {
    const struct remote *remote;
    const struct remote_call *call;
    char text[ERROR_BYTES_MAX];
    size_t text_bytes;
};

static int sink_body(void *ctx, struct px_str piece)
{
    struct sink *sink = ctx;
    if (http_client_status(sink->remote->client) / 100 == 2)
        return sink->call->on_body(sink->call->ctx, piece);
    size_t n = PX_MIN(piece.len, sizeof sink->text - sink->text_bytes);
    memcpy(sink->text + sink->text_bytes, piece.ptr, n);
    sink->text_bytes += n;
    return 0;
}

static size_t fill_headers(const struct remote *remote, const struct remote_call *call,
                           struct http_header headers[4])
{
    size_t n = 0;
    if (remote->authorization.len > 0)
        headers[n++] = (struct http_header){S("Authorization"), remote->authorization};
    if (call->body.len > 0)
        headers[n++] = (struct http_header){
            S("Content-Type"),
            px_str_c(call->content_type ? call->content_type : "application/json")};
    if (call->accept) headers[n++] = (struct http_header){S("Accept"), px_str_c(call->accept)};
    if (call->more.name.len > 0) headers[n++] = call->more;
    return n;
}

int remote_run(struct remote *remote, const struct remote_call *call,
               struct http_response *ret_response)
{
    struct http_header headers[4];
    struct http_call http = {.method = call->method,
                             .path = call->path,
                             .headers = headers,
                             .header_count = fill_headers(remote, call, headers),
                             .body = call->body};
    struct sink sink = {.remote = remote, .call = call};
    size_t bytes_max = call->on_body ? SIZE_MAX : ANSWER_BYTES_MAX;
    int r = http_client_call(remote->client, &http, bytes_max, call->on_body ? sink_body : NULL,
                             &sink, ret_response);
    if (r > 0) return r; /* of on_body, which has said why */
    if (r < 0) return call_failed(remote, r);
    if (ret_response->status / 100 == 2) return CLI_OK;
    if (call->on_body) ret_response->body = px_str(sink.text, sink.text_bytes);
    int exit = remote_refused(remote->cli, ret_response);
    ret_response->body = (struct px_str){0};
    return exit;
}

int remote_json(struct remote *remote, const struct remote_call *call, yyjson_val **ret_root,
                struct px_str *ret_text)
{
    struct http_response response;
    int exit = remote_run(remote, call, &response);
    if (exit != CLI_OK) return exit;
    yyjson_val *root = NULL;
    struct px_str text = px_arena_dup(&remote->cli->arena, px_str_trim(response.body));
    int r = text.ptr ? 0 : PX_F_OOM;
    if (r == 0 && text.len > 0) r = px_json_parse(text, &remote->cli->arena, &root, NULL);
    if (r != 0)
        return cli_fail(remote->cli, CLI_REGION_ERROR, "the region's answer is no JSON: %.*s",
                        PX_FMT(one_line(response.body)));
    *ret_root = root;
    *ret_text = text;
    return CLI_OK;
}
